//! Offer and answer (RFC 3264) for one audio stream.
//!
//! - Of several streams the first usable audio stream is taken; all others are answered with port 0 (§6).
//! - A codec is taken in the offerer's order (§6.1 recommends it); `prefer` names the codecs the box may use
//!   at all. Whoever wants one certain codec names that one alone. Empty means any. Our own offers list
//!   `prefer` in its order.
//! - An answer names one codec, so that neither side changes codecs without a new offer.
//! - Payload types: an answer mirrors the offer's numbers. If a peer's answer renumbers ours, we send with
//!   its numbers and receive on those we gave (§5.1).
//! - Only `RTP/AVP` is spoken. RTCP multiplexing is declined by not answering it (RFC 5761 §5.1.1).

use std::net::SocketAddr;

use super::SdpError;
use super::description::{Attribute, Connection, Media, Origin, Sdp, network};
use super::stream::{PTIME_MS, Stream};
use super::wishes::Wishes;
use crate::codec::CodecKind;
use crate::command::{Direction, Negotiated};

/// Describes our side to begin with. `local` is our RTP address, `session` the id and version of `o=`.
pub fn offer(local: SocketAddr, wishes: &Wishes, session: (u64, u64), direction: Direction) -> Vec<u8> {
    offer_after(None, local, wishes, session, direction)
}

/// Offers again in a session where our side was last described by `previous`: streams keep their place and
/// telephone events their number (RFC 3264 §8).
pub(super) fn offer_after(
    previous: Option<&Sdp>,
    local: SocketAddr,
    wishes: &Wishes,
    session: (u64, u64),
    direction: Direction,
) -> Vec<u8> {
    let codecs: Vec<_> = wishes.ordered().into_iter().map(|kind| (kind, kind.info().payload_type)).collect();
    let ours = previous.and_then(|sdp| sdp.media.iter().position(is_active_audio));
    let events = previous
        .zip(ours)
        .and_then(|(sdp, at)| Stream::read(sdp, at).events)
        .unwrap_or(TELEPHONE_EVENT_PAYLOAD_TYPE);
    let audio = describe(local.port(), &codecs, Some(events), PTIME_MS, direction);
    let media = match (previous, ours) {
        (Some(sdp), Some(at)) => sdp
            .media
            .iter()
            .enumerate()
            .map(|(i, m)| if i == at { audio.clone() } else { switched_off(m) })
            .collect(),
        _ => vec![audio],
    };
    describe_session(local, session, media).to_string().into_bytes()
}

/// Answers a peer's `offer`. `direction` is what our side would like; the answer is what both allow.
/// The same arguments give the same answer. Errors are for the offerer: see [`SdpError::status`].
pub fn answer(
    offer: &[u8],
    local: SocketAddr,
    wishes: &Wishes,
    session: (u64, u64),
    direction: Direction,
) -> Result<(Vec<u8>, Negotiated), SdpError> {
    let offer = Sdp::parse(offer)?;
    let (at, stream, (codec, payload_type)) = choose(&offer, &wishes.codecs)?;
    let (remote, remote_rtcp) = stream.addresses()?;
    let direction = allowed(&stream, direction);
    let ptime_ms = stream.ptime_ms();
    let negotiated = Negotiated {
        remote_rtcp,
        dtmf: stream.events,
        dtmf_receive: stream.events,
        direction,
        ptime_ms,
        ..Negotiated::plain(remote, codec, payload_type)
    };
    let audio = describe(local.port(), &[(codec, payload_type)], stream.events, ptime_ms, direction);
    let media = offer
        .media
        .iter()
        .enumerate()
        .map(|(i, m)| if i == at { audio.clone() } else { switched_off(m) })
        .collect();
    Ok((describe_session(local, session, media).to_string().into_bytes(), negotiated))
}

/// What the peer's `answer` to `our_offer` means.
pub fn accept(our_offer: &[u8], answer: &[u8]) -> Result<Negotiated, SdpError> {
    let (ours, theirs) = (Sdp::parse(our_offer)?, Sdp::parse(answer)?);
    let at = ours.media.iter().position(is_active_audio).ok_or(SdpError::NoAudio)?;
    let media = theirs.media.get(at).filter(|m| is_audio(m)).ok_or(SdpError::NoAudio)?;
    if media.port == 0 {
        return Err(SdpError::Declined);
    }
    if !is_spoken(&media.protocol) {
        return Err(SdpError::Profile(media.protocol.clone()));
    }
    let (offered, stream) = (Stream::read(&ours, at), Stream::read(&theirs, at));
    let (codec, payload_type) = stream
        .codecs
        .iter()
        .copied()
        .find(|(kind, _)| offered.codecs.iter().any(|(k, _)| k == kind))
        .ok_or(SdpError::NoCommonCodec)?;
    let (remote, remote_rtcp) = stream.addresses()?;
    // Events that only one side named are not agreed on.
    let (dtmf, dtmf_receive) = stream.events.zip(offered.events).unzip();
    Ok(Negotiated {
        remote_rtcp,
        dtmf,
        dtmf_receive,
        direction: allowed(&stream, offered.direction),
        ptime_ms: stream.ptime_ms(),
        ..Negotiated::plain(remote, codec, payload_type)
    })
}

/// The first audio stream of an offer that can be used, and the codec taken from it.
fn choose<'a>(
    offer: &'a Sdp,
    permitted: &[CodecKind],
) -> Result<(usize, Stream<'a>, (CodecKind, u8)), SdpError> {
    let mut why = SdpError::NoAudio;
    for (at, media) in offer.media.iter().enumerate().filter(|(_, m)| is_active_audio(m)) {
        if !is_spoken(&media.protocol) {
            if why == SdpError::NoAudio {
                why = SdpError::Profile(media.protocol.clone());
            }
            continue;
        }
        let stream = Stream::read(offer, at);
        match stream.codecs.iter().copied().find(|(kind, _)| permitted.contains(kind)) {
            Some(codec) => return Ok((at, stream, codec)),
            None => why = SdpError::NoCommonCodec,
        }
    }
    Err(why)
}

/// What is left of our `wish` when the peer described `stream`: we send if it receives, and it receives
/// only if it has an address. 0.0.0.0 is how hold was said before RFC 3264 (§8.4).
fn allowed(stream: &Stream<'_>, wish: Direction) -> Direction {
    let reachable = stream.address.is_some_and(|a| !a.is_unspecified());
    Direction::of(
        wish.sends() && stream.direction.receives() && reachable,
        wish.receives() && stream.direction.sends(),
    )
}

fn is_audio(media: &Media) -> bool {
    media.kind.eq_ignore_ascii_case("audio")
}

fn is_active_audio(media: &Media) -> bool {
    is_audio(media) && media.port != 0
}

fn is_spoken(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case(PROFILE)
}

fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}

fn describe_session(local: SocketAddr, (id, version): (u64, u64), media: Vec<Media>) -> Sdp {
    let origin = Origin {
        username: "-".to_owned(),
        session_id: id.to_string(),
        version: version.to_string(),
        address: network(local.ip()),
    };
    Sdp {
        origin: Some(origin),
        name: "-".to_owned(),
        connection: Some(Connection::Address(local.ip())),
        attributes: vec![],
        media,
    }
}

fn describe(
    port: u16,
    codecs: &[(CodecKind, u8)],
    events: Option<u8>,
    ptime_ms: u8,
    direction: Direction,
) -> Media {
    let mut formats = Vec::new();
    let mut attributes = Vec::new();
    for (kind, payload_type) in codecs {
        let info = kind.info();
        formats.push(payload_type.to_string());
        attributes
            .push(Attribute::new("rtpmap", format_args!("{payload_type} {}/{}", info.name, info.clock)));
    }
    if let Some(payload_type) = events {
        formats.push(payload_type.to_string());
        attributes.push(Attribute::new("rtpmap", format_args!("{payload_type} telephone-event/8000")));
        attributes.push(Attribute::new("fmtp", format_args!("{payload_type} {EVENTS}")));
    }
    attributes.push(Attribute::new("ptime", ptime_ms));
    attributes.push(Attribute::flag(direction_name(direction)));
    Media {
        kind: "audio".to_owned(),
        port,
        protocol: PROFILE.to_owned(),
        formats,
        connection: None,
        attributes,
    }
}

/// Declines a stream (RFC 3264 §6): its line with port 0 and no attributes.
fn switched_off(media: &Media) -> Media {
    Media { port: 0, connection: None, attributes: vec![], ..media.clone() }
}

const PROFILE: &str = "RTP/AVP";
/// What we offer for telephone events; any dynamic number would do, this one every phone has seen.
const TELEPHONE_EVENT_PAYLOAD_TYPE: u8 = 101;
/// The keys, and the flash hook (RFC 4733 §3.2).
const EVENTS: &str = "0-16";

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: &str = "198.51.100.1:20000";

    fn local() -> SocketAddr {
        LOCAL.parse().unwrap()
    }

    /// An offer of a phone at 192.0.2.1:4000 with these formats and stream lines.
    fn phone(formats: &str, lines: &[&str]) -> String {
        let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        format!("{head}m=audio 4000 RTP/AVP {formats}\r\n{lines}")
    }

    fn answer_to(offer: &str, wishes: &Wishes, wish: Direction) -> Result<(String, Negotiated), SdpError> {
        answer(offer.as_bytes(), local(), wishes, (7, 3), wish)
            .map(|(body, negotiated)| (String::from_utf8(body).unwrap(), negotiated))
    }

    #[test]
    fn an_offer_names_what_we_speak() {
        let body = offer(local(), &Wishes::default(), (7, 1), Direction::SendRecv);
        let want = "v=0\r\no=- 7 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
            m=audio 20000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
            a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";
        assert_eq!(String::from_utf8(body).unwrap(), want);
    }

    #[test]
    fn an_offer_from_an_ipv6_address_in_our_order() {
        let local = "[2001:db8::5]:20000".parse().unwrap();
        let body =
            offer(local, &Wishes::of(&[CodecKind::Pcma, CodecKind::Pcmu]), (7, 1), Direction::SendOnly);
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains("c=IN IP6 2001:db8::5\r\n"), "{body}");
        assert!(body.contains("m=audio 20000 RTP/AVP 8 0 101\r\n"), "{body}");
        assert!(body.ends_with("a=sendonly\r\n"), "{body}");
    }

    #[test]
    fn an_answer_mirrors_the_offers_numbers() {
        let lines = ["a=rtpmap:97 PCMA/8000", "a=rtpmap:96 telephone-event/8000", "a=ptime:30"];
        let (body, negotiated) =
            answer_to(&phone("97 0 96", &lines), &Wishes::default(), Direction::SendRecv).unwrap();
        let want = "v=0\r\no=- 7 3 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
            m=audio 20000 RTP/AVP 97 96\r\na=rtpmap:97 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\n\
            a=fmtp:96 0-16\r\na=ptime:30\r\na=sendrecv\r\n";
        assert_eq!(body, want);
        let want = Negotiated {
            dtmf: Some(96),
            dtmf_receive: Some(96),
            ptime_ms: 30,
            ..Negotiated::plain("192.0.2.1:4000".parse().unwrap(), CodecKind::Pcma, 97)
        };
        assert_eq!(negotiated, want);
    }

    #[test]
    fn the_offerers_order_decides_among_permitted_codecs() {
        use CodecKind::{Pcma, Pcmu};
        let cases: [(&str, &[CodecKind], Result<CodecKind, SdpError>); 6] = [
            ("0 8", &[Pcma, Pcmu], Ok(Pcmu)),
            ("8 0", &[Pcmu, Pcma], Ok(Pcma)),
            ("18 9 8 0", &[Pcmu, Pcma], Ok(Pcma)),
            ("8 0", &[Pcmu], Ok(Pcmu)),
            ("8", &[Pcmu], Err(SdpError::NoCommonCodec)),
            ("18 9 101", &[Pcmu, Pcma], Err(SdpError::NoCommonCodec)),
        ];
        for (formats, prefer, want) in cases {
            let got = answer_to(&phone(formats, &[]), &Wishes::of(prefer), Direction::SendRecv)
                .map(|(_, n)| n.codec);
            assert_eq!(got, want, "{formats}");
        }
    }

    #[test]
    fn directions_meet() {
        use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
        let cases = [
            ("a=sendrecv", SendRecv, SendRecv),
            ("a=sendonly", SendRecv, RecvOnly),
            ("a=recvonly", SendRecv, SendOnly),
            ("a=inactive", SendRecv, Inactive),
            ("a=sendrecv", SendOnly, SendOnly),
            ("a=sendonly", SendOnly, Inactive),
            ("a=recvonly", SendOnly, SendOnly),
            ("a=sendrecv", Inactive, Inactive),
            ("c=IN IP4 0.0.0.0", SendRecv, RecvOnly),
            ("c=IN IP6 ::", SendRecv, RecvOnly),
        ];
        for (line, wish, want) in cases {
            let (body, negotiated) = answer_to(&phone("0", &[line]), &Wishes::default(), wish).unwrap();
            assert_eq!(negotiated.direction, want, "{line} {wish:?}");
            assert!(body.ends_with(&format!("a={}\r\n", direction_name(want))), "{body}");

            let ours = offer(local(), &Wishes::default(), (1, 1), wish);
            let accepted = accept(&ours, phone("0", &[line]).as_bytes()).unwrap();
            assert_eq!(accepted.direction, want, "our offer {wish:?}, their {line}");
        }
    }

    #[test]
    fn other_streams_are_switched_off_in_their_place() {
        let offer = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=video 5000 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\n\
            m=audio 0 RTP/AVP 0\r\nm=audio 4002 RTP/SAVP 0\r\na=crypto:1 x\r\nm=audio 4004 RTP/AVP 18\r\n\
            m=audio 4006 RTP/AVP 0\r\nm=image 5002 udptl t38\r\nm=audio 4008 RTP/AVP 8\r\n";
        let (body, negotiated) = answer_to(offer, &Wishes::default(), Direction::SendRecv).unwrap();
        assert_eq!(negotiated.remote.port(), 4006);
        let streams: Vec<&str> = body.lines().filter(|l| l.starts_with("m=")).collect();
        assert_eq!(
            streams,
            [
                "m=video 0 RTP/AVP 31",
                "m=audio 0 RTP/AVP 0",
                "m=audio 0 RTP/SAVP 0",
                "m=audio 0 RTP/AVP 18",
                "m=audio 20000 RTP/AVP 0",
                "m=image 0 udptl t38",
                "m=audio 0 RTP/AVP 8",
            ]
        );
        assert_eq!(body.matches("a=rtpmap").count(), 1);
    }

    #[test]
    fn what_cannot_be_answered_says_why() {
        let head = "v=0\r\nc=IN IP4 192.0.2.1\r\n";
        let cases = [
            ("", SdpError::NoAudio),
            ("m=video 5000 RTP/AVP 31\r\n", SdpError::NoAudio),
            ("m=audio 0 RTP/AVP 0\r\n", SdpError::NoAudio),
            ("m=audio 9 UDP/TLS/RTP/SAVPF 0 8\r\n", SdpError::Profile("UDP/TLS/RTP/SAVPF".into())),
            ("m=audio 4000 RTP/SAVP 0\r\nm=audio 4002 RTP/AVP 18\r\n", SdpError::NoCommonCodec),
            ("m=audio 4000 RTP/AVP 18\r\nm=audio 4002 RTP/SAVP 0\r\n", SdpError::NoCommonCodec),
        ];
        for (streams, want) in cases {
            assert_eq!(want.status(), 488);
            assert_eq!(
                answer_to(&format!("{head}{streams}"), &Wishes::default(), Direction::SendRecv),
                Err(want)
            );
        }
        let nowhere = answer_to("v=0\r\nm=audio 4000 RTP/AVP 0\r\n", &Wishes::default(), Direction::SendRecv);
        assert_eq!(nowhere, Err(SdpError::Address));
        assert_eq!(answer_to("hello", &Wishes::default(), Direction::SendRecv).unwrap_err().status(), 400);
    }

    #[test]
    fn multiplexing_rtcp_is_declined() {
        let lines = ["a=rtcp-mux", "a=rtcp:4100", "a=ssrc:1 cname:x"];
        let (body, negotiated) =
            answer_to(&phone("0", &lines), &Wishes::default(), Direction::SendRecv).unwrap();
        assert!(!body.contains("rtcp") && !body.contains("ssrc"), "{body}");
        assert_eq!(negotiated.remote_rtcp.port(), 4100);
    }

    #[test]
    fn a_renumbering_answer_tells_what_to_send_with() {
        let ours = offer(local(), &Wishes::default(), (1, 1), Direction::SendRecv);
        let lines = ["a=rtpmap:110 PCMA/8000", "a=rtpmap:97 telephone-event/8000"];
        let negotiated = accept(&ours, phone("110 97", &lines).as_bytes()).unwrap();
        assert_eq!((negotiated.codec, negotiated.payload_type), (CodecKind::Pcma, 110));
        assert_eq!((negotiated.dtmf, negotiated.dtmf_receive), (Some(97), Some(101)));
    }

    #[test]
    fn an_answer_that_takes_less_gives_less() {
        let ours = offer(local(), &Wishes::of(&[CodecKind::Pcma]), (1, 1), Direction::SendRecv);
        let negotiated = accept(&ours, phone("8", &[]).as_bytes()).unwrap();
        assert_eq!((negotiated.dtmf, negotiated.dtmf_receive), (None, None));
        let cases = [
            (phone("0", &[]), SdpError::NoCommonCodec),
            (phone("8", &[]).replace("4000", "0"), SdpError::Declined),
            (phone("8", &[]).replace("RTP/AVP", "RTP/SAVP"), SdpError::Profile("RTP/SAVP".into())),
            (phone("8", &[]).replace("m=audio", "m=video"), SdpError::NoAudio),
            ("v=0\r\n".to_owned(), SdpError::NoAudio),
        ];
        for (theirs, want) in cases {
            assert_eq!(accept(&ours, theirs.as_bytes()), Err(want), "{theirs}");
        }
    }

    #[test]
    fn both_sides_of_an_exchange_agree() {
        for wish in [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive] {
            let ours = offer(local(), &Wishes::default(), (1, 1), wish);
            let peer = "192.0.2.1:4000".parse().unwrap();
            let (theirs, at_peer) =
                answer(&ours, peer, &Wishes::default(), (2, 1), Direction::SendRecv).unwrap();
            let here = accept(&ours, &theirs).unwrap();
            assert_eq!(here.direction, wish);
            assert_eq!(at_peer.direction, wish.reversed());
            assert_eq!((here.remote, at_peer.remote), (peer, local()));
            assert_eq!((here.codec, here.payload_type, here.dtmf), (at_peer.codec, 0, at_peer.dtmf));
        }
    }

    /// Cuts, doubles and flips pieces of real descriptions: whatever comes of it, nothing may panic.
    #[test]
    fn mutated_descriptions_never_panic() {
        let whole =
            phone("0 8 101", &["a=rtpmap:101 telephone-event/8000", "a=rtcp:1 IN IP4 1.2.3.4", "a=ptime:20"]);
        let pieces: Vec<&str> = whole.split_inclusive([' ', ':', '\n', '=']).collect();
        let ours = offer(local(), &Wishes::default(), (1, 1), Direction::SendRecv);
        let mut rng = base::Rng::seeded(4);
        let mut answered = 0;
        for _ in 0..20_000 {
            let mut bytes = Vec::new();
            for piece in &pieces {
                match rng.below(60) {
                    0 => {}
                    1 => bytes.extend_from_slice(piece.repeat(2).as_bytes()),
                    2 => bytes.extend_from_slice(pieces[rng.below(pieces.len() as u64) as usize].as_bytes()),
                    _ => bytes.extend_from_slice(piece.as_bytes()),
                }
            }
            for _ in 0..rng.below(3) {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] = rng.below(256) as u8;
            }
            answered +=
                usize::from(answer(&bytes, local(), &Wishes::default(), (1, 1), Direction::SendRecv).is_ok());
            let _ = accept(&ours, &bytes);
            let _ = accept(&bytes, &ours);
        }
        assert!((1_000..19_000).contains(&answered), "{answered} of 20000 were still good: mutate otherwise");
    }

    /// The largest description that is taken, with every table as full as it gets.
    #[test]
    fn the_largest_description_takes_little_work() {
        let mut text = String::from("v=0\r\nc=IN IP4 192.0.2.1\r\n");
        for _ in 0..super::super::MEDIA_MAX {
            text.push_str("m=audio 4000 RTP/AVP");
            (0..super::super::FORMATS_MAX).for_each(|i| text.push_str(&format!(" {}", 96 + i % 32)));
            text.push_str("\r\n");
            (0..32).for_each(|i| text.push_str(&format!("a=rtpmap:{} x/8000\r\n", 96 + i)));
        }
        assert_eq!(answer_to(&text, &Wishes::default(), Direction::SendRecv), Err(SdpError::NoCommonCodec));
    }
}
