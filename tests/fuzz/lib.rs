//! Every parser that meets the network, fed with what it does not expect.
//!
//! One function a parser. Each takes any bytes and may not panic, hang or grow; where a parser has a writer, what was
//! read must survive being written. The binaries in `fuzz_targets/` hand these functions to libFuzzer; the test
//! below replays the corpora, so that an input that once broke something is tried in every test run.

use std::collections::BTreeMap;

use base::{Mono, Rng};
use media::sdp::{SrtpKeys, SrtpWish, Wishes};
use media::{CodecKind, Direction};
use sip::{
    Authenticator, Challenger, Decoded, DigestClient, DigestStep, Framer, HeaderName, Message, Method,
    Request, Uri, UserCredentials, Verdict,
};
use twiml::Dialect;

/// A parser's function.
pub type Target = fn(&[u8]);

/// The targets, by the name of their corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("sip_message", sip_message),
    ("sip_stream", sip_stream),
    ("sip_digest", sip_digest),
    ("sdp", sdp),
    ("rtp", rtp),
    ("rtcp", rtcp),
    ("twiml", twiml),
    ("sound", sound),
];

/// One datagram: what is taken survives being written, what is refused is refused in words that are SIP.
pub fn sip_message(bytes: &[u8]) {
    match sip::decode(bytes) {
        Decoded::Message(message) => {
            read_headers(&message);
            let Decoded::Message(again) = sip::decode(&message.encode()) else {
                panic!("written and not read again: {message:?}")
            };
            assert_eq!(without_length(again), without_length(message));
        }
        Decoded::Reject { code, reason, response } => {
            assert!((400..700).contains(&code) && !reason.contains(['\r', '\n']));
            if let Some(response) = response {
                assert!(response.starts_with(format!("SIP/2.0 {code} {reason}\r\n").as_bytes()));
            }
        }
        Decoded::Drop(_) => {}
    }
}

/// Every typed read; a response made from a request can be read.
fn read_headers(message: &Message) {
    let headers = message.headers();
    let _ = (headers.via(), headers.vias(), headers.from(), headers.to(), headers.call_id(), headers.cseq());
    let _ = (headers.contacts(), headers.routes(), headers.record_routes(), headers.max_forwards());
    let _ = (headers.expires(), headers.min_expires(), headers.content_length(), headers.contact_is_star());
    let _ = (headers.content_type(), headers.content_disposition(), headers.warning(), headers.priority());
    for contact in headers.contacts().unwrap_or_default() {
        let written = contact.to_string();
        let again: sip::NameAddr = written.parse().expect("an address that was written can be read");
        assert_eq!((&again.uri, &again.params), (&contact.uri, &contact.params));
        assert!(contact.uri.equivalent(&again.uri));
    }
    if let Message::Request(request) = message {
        assert!(matches!(sip::decode(&request.response(200, None).encode()), Decoded::Message(_)));
    }
}

fn without_length(mut message: Message) -> Message {
    message.headers_mut().remove(&HeaderName::ContentLength);
    message
}

/// A stream cut into pieces as the first byte says: what comes out, put together, is what went in.
pub fn sip_stream(bytes: &[u8]) {
    let Some((&step, stream)) = bytes.split_first() else { return };
    let mut framer = Framer::new();
    let mut seen = 0;
    for piece in stream.chunks(usize::from(step) + 1) {
        framer.push(piece);
        while let Some(frame) = framer.next() {
            let Ok(frame) = frame else { return };
            assert!(!frame.is_empty() && frame == stream[seen..seen + frame.len()]);
            seen += frame.len();
        }
    }
}

/// A header's value as credentials and as a challenge: nobody gets in, and answers stay on their line.
pub fn sip_digest(bytes: &[u8]) {
    let value = String::from_utf8_lossy(bytes);
    let mut rng = Rng::seeded(1);
    let users =
        BTreeMap::from([("ann".to_owned(), UserCredentials::from_password("ann", "office", "secret"))]);
    let uri: Uri = "sip:office".parse().expect("a URI");
    let mut request = Request::new(Method::Register, uri);
    request.headers.push(HeaderName::Authorization, value.as_ref());
    let mut authenticator = Authenticator::new("office", &mut rng);
    let verdict = authenticator.verify(&request, Challenger::Server, &users, Mono(0));
    assert!(!matches!(verdict, Verdict::Accepted { .. }), "{value}");

    let mut client = DigestClient::new("ann", "secret");
    let mut response = request.response(401, None);
    response.headers.push(HeaderName::WwwAuthenticate, value.as_ref());
    if client.on_response(&response) == DigestStep::Retry {
        client.authorize(&mut request, &mut rng);
        let written = request.headers.get(&HeaderName::Authorization).expect("credentials were written");
        assert!(!written.as_bytes().iter().any(u8::is_ascii_control));
    }
}

/// A session description: read, written and read again; answered, the answer can be read.
pub fn sdp(bytes: &[u8]) {
    let local = ([192, 0, 2, 1], 20_000).into();
    let wishes = Wishes {
        srtp: SrtpWish::Optional(SrtpKeys::random(&mut Rng::seeded(1))),
        comfort_noise: true,
        ..Wishes::of(&CodecKind::ALL)
    };
    if let Ok(description) = media::sdp::Sdp::parse(bytes) {
        let written = description.to_string();
        media::sdp::Sdp::parse(written.as_bytes()).expect("a description that was written can be read");
    }
    if let Ok((answer, negotiated)) = media::sdp::answer(bytes, local, &wishes, (1, 1), Direction::SendRecv) {
        assert!(wishes.codecs.contains(&negotiated.codec));
        media::sdp::Sdp::parse(&answer).expect("an answer of ours can be read");
    }
    let offer = media::sdp::offer(local, &wishes, (1, 1), Direction::SendRecv);
    let _ = media::sdp::accept(&offer, bytes, &wishes);
}

/// An RTP packet: its payload lies inside it, and its header can be rewritten in place.
pub fn rtp(bytes: &[u8]) {
    let Some(parsed) = media::rtp::parse(bytes) else { return };
    let payload = bytes[parsed.payload.clone()].to_vec();
    let _ = media::dtmf::TelephoneEvent::read(&payload);
    let mut copy = bytes.to_vec();
    let rewritten = media::rtp::rewrite(&mut copy, parsed.payload, parsed.fields);
    let again = media::rtp::parse(rewritten).expect("a rewritten packet is a packet");
    assert_eq!((again.fields, &rewritten[again.payload]), (parsed.fields, &payload[..]));
}

/// A compound RTCP packet, about one of the streams it speaks of and about another.
pub fn rtcp(bytes: &[u8]) {
    let ssrc = bytes.get(8..12).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes);
    for ssrc in [ssrc, 0x5eed] {
        let _ = media::rtcp::read(bytes, ssrc, 1 << 40);
    }
}

/// A document from a web server, in both dialects, and a webhook's URL with overrides.
pub fn twiml(bytes: &[u8]) {
    for dialect in [Dialect::Twiml, Dialect::Texml] {
        let _ = twiml::lint_bytes(bytes, dialect);
        if let Ok(text) = twiml::decode(bytes, None) {
            let _ = twiml::parse(&text, dialect);
        }
    }
    let _ = twiml::Overrides::parse(&String::from_utf8_lossy(bytes));
}

/// A sound file from a web server, with and without a hint.
pub fn sound(bytes: &[u8]) {
    for hint in [None, Some("audio/mpeg"), Some("audio/basic")] {
        if let Ok(clip) = media::decode::decode(bytes.to_vec(), hint) {
            assert_eq!(clip.pcm.len(), clip.ulaw.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn files(directory: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
        let mut files: Vec<PathBuf> =
            entries.map(|entry| entry.unwrap().path()).filter(|p| p.is_file()).collect();
        files.sort();
        files
    }

    fn here() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn every_corpus_is_replayed() {
        for (name, target) in TARGETS {
            let inputs = files(&here().join("corpus").join(name));
            assert!(!inputs.is_empty(), "the corpus of {name} is empty");
            for path in inputs {
                println!("{}", path.display());
                target(&std::fs::read(&path).unwrap());
            }
        }
    }

    #[test]
    fn the_torture_messages_are_replayed() {
        let inputs = files(&here().join("../data/sip-torture"));
        assert!(inputs.len() > 100);
        for path in inputs {
            let bytes = std::fs::read(&path).unwrap();
            sip_message(&bytes);
            for step in [0, 7, 255] {
                sip_stream(&[&[step][..], &bytes, &bytes].concat());
            }
        }
    }

    #[test]
    fn every_target_has_a_binary_and_a_corpus_and_no_other_exists() {
        let mut names: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        names.sort();
        let stems = files(&here().join("fuzz_targets"));
        let stems: Vec<String> =
            stems.iter().map(|p| p.file_stem().unwrap().to_string_lossy().into()).collect();
        assert_eq!(stems, names);
        let mut corpora: Vec<String> = std::fs::read_dir(here().join("corpus"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        corpora.sort();
        assert_eq!(corpora, names);
    }

    /// A short look beyond the corpora, the same in every run.
    #[test]
    fn changed_corpora_do_no_harm_either() {
        let mut rng = Rng::seeded(271);
        for (name, target) in TARGETS.iter().filter(|(name, _)| *name != "sound") {
            let inputs: Vec<Vec<u8>> =
                files(&here().join("corpus").join(name)).iter().map(|p| std::fs::read(p).unwrap()).collect();
            for n in 0..2_000 {
                let mut bytes = inputs[n % inputs.len()].clone();
                for _ in 0..=rng.below(4) {
                    if !bytes.is_empty() {
                        let at = rng.below(bytes.len() as u64) as usize;
                        match rng.below(3) {
                            0 => bytes[at] = rng.u32() as u8,
                            1 => bytes.truncate(at),
                            _ => bytes.insert(at, rng.u32() as u8),
                        }
                    }
                }
                target(&bytes);
            }
        }
    }
}
