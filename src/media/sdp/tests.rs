//! Whole exchanges: codecs, telephone events, comfort noise, packet lengths, encryption.

use std::net::SocketAddr;

use base::Rng;

use super::*;
use crate::codec::CodecKind::{self, G722, L16Wide, Opus, Pcma, Pcmu};
use crate::negotiated::{Direction, Negotiated, SrtpSuite};

const ALL: [CodecKind; 4] = [Opus, G722, Pcmu, Pcma];
const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

fn local() -> SocketAddr {
    "198.51.100.1:20000".parse().unwrap()
}

fn keys(seed: u64) -> SrtpKeys {
    SrtpKeys::random(&mut Rng::seeded(seed))
}

/// What a phone at 192.0.2.1:4000 describes; semicolons part its attributes, `&` stands for one inside.
fn phone(protocol: &str, formats: &str, lines: &str) -> String {
    let lines: String = lines
        .split(';')
        .filter(|l| !l.is_empty())
        .map(|l| format!("a={}\r\n", l.replace('&', ";")))
        .collect();
    format!("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 {protocol} {formats}\r\n{lines}")
}

fn answered(theirs: &str, wishes: &Wishes) -> Result<(String, Negotiated), SdpError> {
    let (body, negotiated) = answer(theirs.as_bytes(), local(), wishes, (1, 1), Direction::SendRecv)?;
    Ok((String::from_utf8(body).unwrap(), negotiated))
}

fn offered(wishes: &Wishes) -> String {
    String::from_utf8(offer(local(), wishes, (1, 1), Direction::SendRecv)).unwrap()
}

fn accepted(wishes: &Wishes, theirs: &str) -> Result<Negotiated, SdpError> {
    accept(offered(wishes).as_bytes(), theirs.as_bytes(), wishes)
}

#[test]
fn every_codec_is_offered_as_others_write_it() {
    let wishes = Wishes { comfort_noise: true, ptime_ms: Some(30), ..Wishes::of(&CodecKind::ALL) };
    let want = "m=audio 20000 RTP/AVP 107 9 0 8 109 108 13 110 101 113\r\n\
        a=rtpmap:107 opus/48000/2\r\na=fmtp:107 useinbandfec=1\r\na=rtpmap:9 G722/8000\r\n\
        a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:109 L16/16000\r\na=rtpmap:108 L16/8000\r\n\
        a=rtpmap:13 CN/8000\r\n\
        a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-16\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n\
        a=rtpmap:113 telephone-event/16000\r\na=fmtp:113 0-16\r\n\
        a=ptime:30\r\na=maxptime:60\r\na=sendrecv\r\n";
    let body = offered(&wishes);
    assert!(body.ends_with(want), "{body}");
    // Each alone is understood by ourselves.
    for kind in CodecKind::ALL {
        let (_, there) = answered(&offered(&Wishes::of(&[kind])), &Wishes::of(&CodecKind::ALL)).unwrap();
        assert_eq!((there.codec, there.dtmf_clock), (kind, kind.info().clock));
        assert_eq!(there.receive[0], Some((there.payload_type, kind)));
    }
}

#[test]
fn the_wanted_codec_wins_where_it_may() {
    let theirs = phone("RTP/AVP", "111 0 8", "rtpmap:111 opus/48000/2");
    let cases: [(&[CodecKind], Option<CodecKind>, CodecKind); 6] = [
        (&ALL, None, Opus),
        (&[Pcma, Pcmu], None, Pcmu),
        (&ALL, Some(Pcma), Pcma),
        (&ALL, Some(G722), Opus),
        (&[Pcmu], Some(Pcma), Pcmu),
        (&[Pcmu, Pcma, Opus], Some(Opus), Opus),
    ];
    for (codecs, wanted, want) in cases {
        let wishes = Wishes { wanted, ..Wishes::of(codecs) };
        assert_eq!(answered(&theirs, &wishes).unwrap().1.codec, want, "{codecs:?} {wanted:?}");
    }
    let wishes = Wishes { wanted: Some(Pcma), ..Wishes::of(&[Pcmu, Pcma]) };
    assert!(offered(&wishes).contains("RTP/AVP 8 0 101\r\n"));
    let wishes = Wishes { wanted: Some(Opus), ..Wishes::of(&[Pcmu, Pcma]) };
    assert!(offered(&wishes).contains("RTP/AVP 0 8 101\r\n"));
}

#[test]
fn telephone_events_count_in_the_codecs_clock_or_at_eight() {
    const OPUS: &str = "rtpmap:96 opus/48000/2;";
    let cases = [
        ("96 97 98", "rtpmap:97 telephone-event/8000;rtpmap:98 telephone-event/48000", Some((98, 48_000))),
        ("96 97", "rtpmap:97 telephone-event/8000", Some((97, 8_000))),
        ("0 97 98", "rtpmap:97 telephone-event/48000;rtpmap:98 telephone-event/8000", Some((98, 8_000))),
        ("0 97", "rtpmap:97 telephone-event/48000", None),
        ("9 97", "rtpmap:97 telephone-event/8000", Some((97, 8_000))),
    ];
    for (formats, lines, want) in cases {
        let theirs = phone("RTP/AVP", formats, &format!("{OPUS}{lines}"));
        let (body, there) = answered(&theirs, &Wishes::of(&ALL)).unwrap();
        assert_eq!(there.dtmf.map(|number| (number, there.dtmf_clock)), want, "{formats} {lines}");
        assert_eq!(there.dtmf_receive, there.dtmf);
        assert_eq!(body.matches("telephone-event").count(), usize::from(want.is_some()), "{body}");
        let none = Wishes { events: false, ..Wishes::of(&ALL) };
        assert_eq!(answered(&theirs, &none).unwrap().1.dtmf, None);
        // The same as an answer to our offer, under our numbers.
        let here = accepted(&Wishes::of(&ALL), &theirs).unwrap();
        assert_eq!(here.dtmf.map(|number| (number, here.dtmf_clock)), want, "{formats} {lines}");
        let ours = want.map(|(_, clock)| if clock == 8_000 { 101 } else { 110 });
        assert_eq!(here.dtmf_receive, ours);
    }
    assert!(!offered(&Wishes { events: false, ..Wishes::of(&ALL) }).contains("telephone-event"));
}

#[test]
fn comfort_noise_needs_both_sides_and_a_clock_of_eight() {
    let cases = [("0 13", Some(13)), ("9 13", Some(13)), ("0", None), ("96 13", None)];
    for (formats, want) in cases {
        let theirs = phone("RTP/AVP", formats, "rtpmap:96 opus/48000/2");
        let wishes = Wishes { comfort_noise: true, ..Wishes::of(&ALL) };
        let (body, there) = answered(&theirs, &wishes).unwrap();
        assert_eq!(there.comfort_noise, want, "{formats}");
        assert_eq!(body.contains("CN/8000"), want.is_some());
        assert_eq!(accepted(&wishes, &theirs).unwrap().comfort_noise, want, "{formats}");
        assert_eq!(answered(&theirs, &Wishes::of(&ALL)).unwrap().1.comfort_noise, None);
        assert_eq!(accepted(&Wishes::of(&ALL), &theirs).unwrap().comfort_noise, None);
    }
}

#[test]
fn each_side_gets_the_packets_it_asks_for() {
    let theirs = phone("RTP/AVP", "0", "ptime:40;maxptime:40");
    let wishes = Wishes { ptime_ms: Some(10), ..Wishes::default() };
    let (body, there) = answered(&theirs, &wishes).unwrap();
    assert_eq!((there.ptime_ms, there.max_ptime_ms), (40, 40));
    assert!(body.contains("a=ptime:10\r\n"), "{body}");
    let here = accepted(&wishes, &theirs).unwrap();
    assert_eq!((here.ptime_ms, here.max_ptime_ms), (40, 40), "an answer asks as well");
    // Who asks for nothing gets what we like ourselves.
    let (_, there) = answered(&phone("RTP/AVP", "0", ""), &wishes).unwrap();
    assert_eq!((there.ptime_ms, there.max_ptime_ms), (10, 60));
}

#[test]
fn opus_is_encoded_as_the_peer_asks() {
    let theirs =
        phone("RTP/AVP", "96", "rtpmap:96 opus/48000/2;fmtp:96 maxplaybackrate=16000&useinbandfec=1");
    let (body, there) = answered(&theirs, &Wishes::of(&ALL)).unwrap();
    assert_eq!((there.opus.max_playback_rate, there.opus.use_inband_fec), (16_000, true));
    assert!(body.contains("a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n"), "{body}");
    let here = accepted(&Wishes::of(&ALL), &theirs).unwrap();
    assert_eq!((here.opus, here.payload_type, here.receive[0]), (there.opus, 96, Some((107, Opus))));
}

#[test]
fn what_an_answer_names_may_come_under_our_numbers() {
    let theirs = phone("RTP/AVP", "8 96 0 18", "rtpmap:96 opus/48000/2");
    let here = accepted(&Wishes::of(&[Opus, Pcma, G722, Pcmu]), &theirs).unwrap();
    assert_eq!((here.codec, here.payload_type), (Pcma, 8));
    let receive: Vec<_> = here.receive.into_iter().flatten().collect();
    assert_eq!(receive, [(8, Pcma), (107, Opus), (0, Pcmu)]);
}

#[test]
fn who_encrypts_with_whom() {
    const OFF: SrtpWish = SrtpWish::Off;
    let (optional, required) = (SrtpWish::Optional(keys(1)), SrtpWish::Required(keys(1)));
    let crypto = format!("crypto:4 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^31");
    let profile = |name: &str| Err(SdpError::Profile(name.to_owned()));
    let cases = [
        (OFF, "RTP/AVP", "", Ok(false)),
        (OFF, "RTP/AVP", &*crypto, Ok(false)),
        (OFF, "RTP/SAVP", &crypto, profile("RTP/SAVP")),
        (optional.clone(), "RTP/AVP", "", Ok(false)),
        (optional.clone(), "RTP/AVP", &crypto, Ok(true)),
        (optional.clone(), "rtp/avpf", "rtcp-fb:* nack", Ok(false)),
        (optional.clone(), "RTP/SAVP", &crypto, Ok(true)),
        (optional.clone(), "RTP/SAVPF", &crypto, Ok(true)),
        (optional.clone(), "RTP/SAVP", "", Err(SdpError::Crypto)),
        (optional.clone(), "UDP/TLS/RTP/SAVPF", "", profile("UDP/TLS/RTP/SAVPF")),
        (required.clone(), "RTP/AVP", "", Err(SdpError::Crypto)),
        (required.clone(), "RTP/AVP", &crypto, Ok(true)),
        (required.clone(), "RTP/SAVP", &crypto, Ok(true)),
        (required, "RTP/SAVP", "crypto:1 NULL inline:x", Err(SdpError::Crypto)),
    ];
    for (srtp, protocol, lines, want) in cases {
        let wishes = Wishes { srtp, ..Wishes::default() };
        let got = answered(&phone(protocol, "0", lines), &wishes);
        assert_eq!(
            got.as_ref().map(|(_, n)| n.srtp.is_some()).map_err(Clone::clone),
            want,
            "{protocol} {lines}"
        );
        let Ok((body, there)) = got else { continue };
        assert!(body.contains(&format!(" {protocol} 0\r\n")), "the profile is mirrored: {body}");
        assert!(!body.contains("rtcp-fb"));
        assert_eq!(
            body.contains("a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:"),
            there.srtp.is_some(),
            "{body}"
        );
        if let Some(srtp) = there.srtp {
            assert_eq!(srtp.send, keys(1).of(SrtpSuite::AesCm128HmacSha1_80));
            assert_eq!(&srtp.receive.salt, b"\t220;}\n}\nunles");
        }
    }
}

#[test]
fn our_offer_of_encryption_is_taken_left_or_insisted_on() {
    for (srtp, profile) in
        [(SrtpWish::Optional(keys(1)), "RTP/AVP"), (SrtpWish::Required(keys(1)), "RTP/SAVP")]
    {
        let ours = Wishes { srtp: srtp.clone(), ..Wishes::default() };
        let body = offered(&ours);
        assert!(body.contains(&format!("m=audio 20000 {profile} 0 8 101\r\n")), "{body}");
        assert_eq!(body.matches("a=crypto:").count(), 3, "{body}");

        // A peer that does as we do: both hold the same keys, crosswise.
        let peer = Wishes { srtp: SrtpWish::Optional(keys(2)), ..Wishes::default() };
        let (theirs, there) = answered(&body, &peer).unwrap();
        let here = accept(body.as_bytes(), theirs.as_bytes(), &ours).unwrap();
        let (here, there) = (here.srtp.unwrap(), there.srtp.unwrap());
        assert_eq!((here.send, here.receive, here.suite), (there.receive, there.send, there.suite));
        assert_ne!(here.send, here.receive);

        // A peer that does not.
        let plain = accepted(&ours, &phone(profile, "0", ""));
        match ours.srtp {
            SrtpWish::Required(_) => assert_eq!(plain, Err(SdpError::Crypto)),
            SrtpWish::Optional(_) | SrtpWish::Off => assert_eq!(plain.unwrap().srtp, None),
        }
        // One that answers with a key to nothing, or of another suite than the line it answers.
        for line in ["9 AES_CM_128_HMAC_SHA1_80", "2 AES_CM_128_HMAC_SHA1_80", "1 AES_CM_128_HMAC_SHA1_32"] {
            let theirs = phone(profile, "0", &format!("crypto:{line} inline:{KEY}"));
            assert_eq!(accepted(&ours, &theirs), Err(SdpError::Crypto), "{line}");
        }
        // The short tag, chosen by its own number.
        let theirs = phone(profile, "0", &format!("crypto:3 AES_CM_128_HMAC_SHA1_32 inline:{KEY}"));
        assert_eq!(accepted(&ours, &theirs).unwrap().srtp.unwrap().suite, SrtpSuite::AesCm128HmacSha1_32);
    }
}

#[test]
fn of_two_streams_the_one_that_may_be_used_is() {
    let crypto = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n");
    let head = "v=0\r\nc=IN IP4 192.0.2.1\r\n";
    let both = format!("{head}m=audio 4000 RTP/SAVP 0\r\n{crypto}m=audio 4002 RTP/AVP 0\r\n");
    let port = |srtp| answered(&both, &Wishes { srtp, ..Wishes::default() }).unwrap().1.remote.port();
    assert_eq!(port(SrtpWish::Off), 4002);
    assert_eq!(port(SrtpWish::Optional(keys(1))), 4000);
    assert_eq!(port(SrtpWish::Required(keys(1))), 4000);
}

#[test]
fn a_session_keeps_its_keys_profile_and_numbers() {
    let wishes = Wishes { srtp: SrtpWish::Optional(keys(1)), ..Wishes::of(&ALL) };
    let theirs = phone(
        "RTP/SAVPF",
        "111 126",
        &format!(
            "rtpmap:111 opus/48000/2;rtpmap:126 telephone-event/48000;crypto:9 AES_CM_128_HMAC_SHA1_32 inline:{KEY}"
        ),
    );
    let mut session = Session::new(400);
    let (first, before) = session.answer(theirs.as_bytes(), local(), &wishes, Direction::SendRecv).unwrap();
    let crypto = |body: &[u8]| -> Vec<String> {
        let text = String::from_utf8(body.to_vec()).unwrap();
        text.lines().filter(|line| line.starts_with("a=crypto")).map(str::to_owned).collect()
    };
    let again = session.offer(local(), &wishes, Direction::SendOnly);
    assert_eq!(crypto(&again), crypto(&first));
    let text = String::from_utf8(again).unwrap();
    assert!(text.contains("m=audio 20000 RTP/SAVPF 111 9 0 8 126 101\r\n"), "{text}");
    let after = session.accept(theirs.as_bytes(), &wishes).unwrap();
    assert_eq!(after.srtp, before.srtp);

    // Refused: the next offer is made of what was agreed on, and still counts on.
    session.offer(local(), &Wishes { wanted: Some(Pcma), ..wishes.clone() }, Direction::Inactive);
    session.refused();
    let next = session.offer(local(), &wishes, Direction::SendRecv);
    let text = String::from_utf8(next).unwrap();
    assert!(text.starts_with("v=0\r\no=- 100 4 "), "{text}");
}

#[test]
fn a_number_never_changes_its_meaning_whatever_is_said() {
    let mut rng = Rng::seeded(7);
    for _ in 0..300 {
        let mut session = Session::new(1 << 40);
        let mut meaning = std::collections::BTreeMap::new();
        for _ in 0..12 {
            let mut codecs = CodecKind::ALL.to_vec();
            codecs.retain(|_| rng.chance(0.6));
            codecs.push(L16Wide);
            codecs.dedup();
            let wishes = Wishes { comfort_noise: rng.chance(0.5), ..Wishes::of(&codecs) };
            let body = session.offer(local(), &wishes, Direction::SendRecv);
            let text = String::from_utf8(body.clone()).unwrap();
            for line in text.lines().filter_map(|line| line.strip_prefix("a=rtpmap:")) {
                let (number, name) = line.split_once(' ').unwrap();
                let before = meaning.insert(number.to_owned(), name.to_owned());
                assert!(before.is_none_or(|before| before == name), "{number} was not always {name}");
            }
            let formats: Vec<&str> =
                text.lines().find_map(|l| l.strip_prefix("m=")).unwrap().split(' ').collect();
            let mut unique = formats.clone();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), formats.len(), "{text}");
            // The peer answers with numbers of its own.
            let number = 96 + rng.below(32);
            let theirs = phone("RTP/AVP", &number.to_string(), &format!("rtpmap:{number} L16/16000"));
            assert!(session.accept(theirs.as_bytes(), &wishes).is_ok());
        }
    }
}

#[test]
fn codecs_of_a_description() {
    let text = phone("RTP/AVP", "96 0 97 0 18", "rtpmap:96 opus/48000/2;rtpmap:97 PCMU/8000");
    assert_eq!(codecs(text.as_bytes()), [Opus, Pcmu]);
    assert_eq!(codecs(b"v=0\r\n"), []);
    assert_eq!(codecs(b"nonsense"), []);
}

/// Pieces of encrypted many-codec descriptions, mixed up: whatever comes of it, nothing may panic, and whatever is
/// agreed on is something we wished for.
#[test]
fn mutated_descriptions_break_nothing() {
    let wishes =
        Wishes { srtp: SrtpWish::Optional(keys(1)), comfort_noise: true, ..Wishes::of(&CodecKind::ALL) };
    let ours = offered(&wishes);
    let pieces: Vec<&str> = ours.split_inclusive([' ', ':', '/', '|', '\n', '=', ';']).collect();
    let mut rng = Rng::seeded(4);
    let mut answers = 0;
    for _ in 0..10_000 {
        let mut bytes = Vec::new();
        for piece in &pieces {
            match rng.below(150) {
                0 => {}
                1 => bytes.extend_from_slice(piece.repeat(2).as_bytes()),
                2 => bytes.extend_from_slice(pieces[rng.below(pieces.len() as u64) as usize].as_bytes()),
                _ => bytes.extend_from_slice(piece.as_bytes()),
            }
        }
        if rng.chance(0.5) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.u32() as u8;
        }
        if let Ok((body, there)) = answer(&bytes, local(), &wishes, (1, 1), Direction::SendRecv) {
            answers += 1;
            assert!(there.receive.contains(&Some((there.payload_type, there.codec))));
            assert!((10..=60).contains(&there.ptime_ms) && there.ptime_ms <= there.max_ptime_ms);
            let said = String::from_utf8(body).unwrap();
            assert_eq!(said.contains("a=crypto"), there.srtp.is_some());
        }
        let _ = accept(ours.as_bytes(), &bytes, &wishes);
        let _ = accept(&bytes, ours.as_bytes(), &wishes);
        let mut session = Session::new(1);
        let _ = session.answer(&bytes, local(), &wishes, Direction::SendRecv);
        let _ = session.offer(local(), &wishes, Direction::SendRecv);
    }
    assert!((500..9_500).contains(&answers), "{answers} of 10000 were still good: mutate otherwise");
}
