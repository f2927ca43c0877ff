//! Offer and answer (RFC 3264) for one audio stream.
//!
//! - Of several streams the first usable audio stream is taken; all others are answered with port 0 (§6).
//! - A codec is taken in the offerer's order (§6.1 recommends it) among those [`Wishes`] permit, unless one of
//!   them is wanted; our own offers list them in our order.
//! - An answer names one codec, so that neither side changes codecs without a new offer.
//! - Payload types: an answer mirrors the offer's numbers. If a peer's answer renumbers ours, we send with
//!   its numbers and receive on those we gave (§5.1).
//! - Telephone events count in the clock of the codec they interrupt (RFC 4733 §2.1); where the peer names them
//!   at 8 kHz alone, as many do beside Opus, they count in that.
//! - An answer mirrors the offer's profile: `RTP/AVP`, `RTP/SAVP`, and either with the feedback of RFC 4585,
//!   of which we send none. `a=crypto` (RFC 4568) is taken in any of them. To ask for encryption without
//!   insisting on it, an offer is `RTP/AVP` with `a=crypto`: Asterisk (`media_encryption_optimistic`), baresip
//!   (`srtp`), pjsip and Yealink's "optional" all write and take just that, and a peer without SRTP sees an
//!   ordinary offer. Two streams, one of each profile, would be the letter of RFC 3264, but phones take both
//!   or neither, and none speaks RFC 5939.
//! - RTCP multiplexing is declined by not answering it (RFC 5761 §5.1.1).

use std::net::SocketAddr;

use super::SdpError;
use super::crypto::{self, Line};
use super::description::{Attribute, Media, Sdp};
use super::numbers::{Format, Numbers};
use super::stream::Stream;
use super::wishes::{SrtpWish, Wishes};
use super::write::{self, Audio};
use crate::codec::CodecKind;
use crate::negotiated::{CODECS_MAX, Direction, Negotiated, OpusParameters, Srtp};

/// Describes our side to begin with. `local` is our RTP address, `session` the id and version of `o=`.
pub fn offer(local: SocketAddr, wishes: &Wishes, session: (u64, u64), direction: Direction) -> Vec<u8> {
    offer_after(None, &mut Numbers::default(), local, wishes, session, direction)
}

/// Offers again in a session where our side is described by `previous`: streams keep their place, payload
/// types their meaning (RFC 3264 §8), and encryption stays what it is (RFC 4568 §7.1.4).
pub(super) fn offer_after(
    previous: Option<&Sdp>,
    numbers: &mut Numbers,
    local: SocketAddr,
    wishes: &Wishes,
    session: (u64, u64),
    direction: Direction,
) -> Vec<u8> {
    let place = previous.and_then(|sdp| Some((sdp, sdp.media.iter().position(is_active_audio)?)));
    let audio = describe(place.map(|(sdp, at)| &sdp.media[at]), numbers, local.port(), wishes, direction);
    let media = match place {
        Some((sdp, at)) => write::only(&sdp.media, at, &audio),
        None => vec![audio],
    };
    write::session(local, session, media)
}

/// Our side of one stream, as we offer it: first, or where it stands as `before`.
pub(super) fn describe(
    before: Option<&Media>,
    numbers: &mut Numbers,
    port: u16,
    wishes: &Wishes,
    direction: Direction,
) -> Media {
    let codecs = wishes.ordered();
    let mut clocks: Vec<u32> = Vec::new();
    for clock in codecs.iter().map(|kind| kind.info().clock).filter(|_| wishes.events) {
        if !clocks.contains(&clock) {
            clocks.push(clock);
        }
    }
    // Whoever knows events at 8 kHz alone is to find them.
    if !clocks.is_empty() && !clocks.contains(&EVENTS_CLOCK) {
        clocks.push(EVENTS_CLOCK);
    }
    let comfort_noise = wishes.comfort_noise && codecs.iter().any(|kind| has_comfort_noise(*kind));
    let codecs: Vec<_> = codecs.into_iter().map(|kind| (kind, numbers.of(Format::Codec(kind)))).collect();
    let events: Vec<_> = clocks.into_iter().map(|clock| (clock, numbers.of(Format::Events(clock)))).collect();

    let (protocol, crypto) = match before {
        Some(before) => said_before(before),
        None => said_first(&wishes.srtp),
    };
    let audio = Audio {
        port,
        protocol: &protocol,
        codecs: &codecs,
        comfort_noise: comfort_noise.then(|| numbers.of(Format::ComfortNoise)),
        events: &events,
        crypto,
        ptime_ms: wishes.ptime_or_usual(),
        direction,
    };
    audio.describe()
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
    let choice = choose(&offer, wishes)?;
    let at = choice.at;
    let (audio, negotiated) = answer_stream(choice, local.port(), wishes, direction)?;
    let media = write::only(&offer.media, at, &audio);
    Ok((write::session(local, session, media), negotiated))
}

/// Our answer to one stream, and what it means.
pub(super) fn answer_stream(
    choice: Choice<'_>,
    port: u16,
    wishes: &Wishes,
    direction: Direction,
) -> Result<(Media, Negotiated), SdpError> {
    let Choice { stream, codec: (codec, payload_type), crypto, .. } = choice;
    let (remote, remote_rtcp) = stream.addresses()?;
    let direction = allowed(&stream, direction);
    let events = event_clocks(codec).find_map(|clock| Some((clock, stream.events_at(clock)?)));
    let events = events.filter(|_| wishes.events);
    let comfort_noise = stream.comfort_noise.filter(|_| wishes.comfort_noise && has_comfort_noise(codec));
    let ptime_ms = stream.ptime_ms(wishes.ptime_or_usual(), codec);
    let ours = crypto.and_then(|line| Some(Line { key: wishes.srtp.keys()?.of(line.suite), ..line }));
    let negotiated = Negotiated {
        remote_rtcp,
        opus: opus_of(&stream, codec, payload_type),
        dtmf: events.map(|(_, number)| number),
        dtmf_receive: events.map(|(_, number)| number),
        dtmf_clock: events.map_or(codec.info().clock, |(clock, _)| clock),
        dtmf_inband: wishes.inband,
        comfort_noise,
        direction,
        ptime_ms,
        max_ptime_ms: stream.max_ptime_ms(),
        srtp: ours.zip(crypto).map(|(ours, theirs)| keys(ours, theirs)),
        ..Negotiated::plain(remote, codec, payload_type)
    };
    let audio = Audio {
        port,
        protocol: &stream.media.protocol,
        codecs: &[(codec, payload_type)],
        comfort_noise,
        events: events.as_slice(),
        crypto: write::attributes(ours.as_slice()),
        ptime_ms: wishes.ptime_ms.unwrap_or(ptime_ms),
        direction,
    };
    Ok((audio.describe(), negotiated))
}

/// What the peer's `answer` to `our_offer` means. `wishes` are those of the offer.
pub fn accept(our_offer: &[u8], answer: &[u8], wishes: &Wishes) -> Result<Negotiated, SdpError> {
    let (ours, theirs) = (Sdp::parse(our_offer)?, Sdp::parse(answer)?);
    let at = ours.media.iter().position(is_active_audio).ok_or(SdpError::NoAudio)?;
    accept_stream(&ours, &theirs, at, wishes)
}

/// What the peer's answer to one stream of ours means.
pub(super) fn accept_stream(
    ours: &Sdp,
    theirs: &Sdp,
    at: usize,
    wishes: &Wishes,
) -> Result<Negotiated, SdpError> {
    let media = theirs.media.get(at).filter(|m| is_audio(m)).ok_or(SdpError::NoAudio)?;
    if media.port == 0 {
        return Err(SdpError::Declined);
    }
    let (offered, stream) = (Stream::read(ours, at), Stream::read(theirs, at));
    let srtp = agreed_keys(offered.media, media)?;
    // The peer may send whatever both named, under our numbers (RFC 3264 §6.1).
    let mut receive = [None; CODECS_MAX];
    let mut common = stream.codecs.iter().filter_map(|(kind, theirs)| {
        let (_, ours) = offered.codecs.iter().find(|(k, _)| k == kind)?;
        Some((*kind, *theirs, *ours))
    });
    let (codec, payload_type, number) = common.next().ok_or(SdpError::NoCommonCodec)?;
    let others = common.map(|(kind, _, number)| (number, kind));
    receive
        .iter_mut()
        .zip([(number, codec)].into_iter().chain(others))
        .for_each(|(slot, one)| *slot = Some(one));
    let (remote, remote_rtcp) = stream.addresses()?;
    // Events that only one side named are not agreed on.
    let events = event_clocks(codec)
        .find_map(|clock| Some((clock, stream.events_at(clock)?, offered.events_at(clock)?)));
    Ok(Negotiated {
        remote_rtcp,
        receive,
        opus: opus_of(&stream, codec, payload_type),
        dtmf: events.map(|(_, theirs, _)| theirs),
        dtmf_receive: events.map(|(_, _, ours)| ours),
        dtmf_clock: events.map_or(codec.info().clock, |(clock, _, _)| clock),
        dtmf_inband: wishes.inband,
        // One number for both directions: a peer that renumbers it does without.
        comfort_noise: stream
            .comfort_noise
            .filter(|number| offered.comfort_noise == Some(*number) && has_comfort_noise(codec)),
        direction: allowed(&stream, offered.direction),
        ptime_ms: stream.ptime_ms(wishes.ptime_or_usual(), codec),
        max_ptime_ms: stream.max_ptime_ms(),
        srtp,
        ..Negotiated::plain(remote, codec, payload_type)
    })
}

/// The codecs a peer's description names, of those the box knows, in its order; empty when there is no audio.
pub fn codecs(description: &[u8]) -> Vec<CodecKind> {
    let Ok(sdp) = Sdp::parse(description) else { return Vec::new() };
    let Some(at) = sdp.media.iter().position(is_active_audio) else { return Vec::new() };
    let mut kinds = Vec::new();
    for (kind, _) in Stream::read(&sdp, at).codecs {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// What is taken of an offer.
pub(super) struct Choice<'a> {
    at: usize,
    stream: Stream<'a>,
    codec: (CodecKind, u8),
    /// The line we answer.
    crypto: Option<Line>,
}

/// The first audio stream of an offer that can be used, and what is taken from it.
fn choose<'a>(offer: &'a Sdp, wishes: &Wishes) -> Result<Choice<'a>, SdpError> {
    let mut why = SdpError::NoAudio;
    for (at, _) in offer.media.iter().enumerate().filter(|(_, m)| is_active_audio(m)) {
        match choose_at(offer, at, wishes) {
            Ok(choice) => return Ok(choice),
            Err(reason) if why == SdpError::NoAudio || reason == SdpError::NoCommonCodec => why = reason,
            Err(_) => {}
        }
    }
    Err(why)
}

/// What is taken of this audio stream.
pub(super) fn choose_at<'a>(offer: &'a Sdp, at: usize, wishes: &Wishes) -> Result<Choice<'a>, SdpError> {
    let crypto = offered_crypto(&offer.media[at], &wishes.srtp)?;
    let stream = Stream::read(offer, at);
    let codec = wishes.choose(&stream.codecs).ok_or(SdpError::NoCommonCodec)?;
    Ok(Choice { at, stream, codec, crypto })
}

/// The first `a=crypto` of an offered stream we can use, as far as our wish and its profile want one.
fn offered_crypto(media: &Media, wish: &SrtpWish) -> Result<Option<Line>, SdpError> {
    let is_secure = is_secure(&media.protocol)?;
    if wish.keys().is_none() {
        return if is_secure { Err(SdpError::Profile(media.protocol.clone())) } else { Ok(None) };
    }
    match crypto::lines(media).next() {
        None if is_secure || wish.is_required() => Err(SdpError::Crypto),
        line => Ok(line),
    }
}

/// The keys of an answered stream: a line of ours and the one that answers it by its tag (RFC 4568 §5.1.3).
fn agreed_keys(ours: &Media, theirs: &Media) -> Result<Option<Srtp>, SdpError> {
    let must = is_secure(&theirs.protocol)? | is_secure(&ours.protocol)?;
    let pair = crypto::lines(theirs).find_map(|answer| {
        let offered = crypto::lines(ours).find(|l| l.tag == answer.tag && l.suite == answer.suite)?;
        Some(keys(offered, answer))
    });
    // Who answers lines of ours with one we cannot read encrypts all the same.
    let says = |media: &Media| media.attributes.iter().any(|a| a.name == "crypto");
    if pair.is_none() && (must || (says(ours) && says(theirs))) {
        return Err(SdpError::Crypto);
    }
    Ok(pair)
}

fn keys(ours: Line, theirs: Line) -> Srtp {
    Srtp { suite: ours.suite, send: ours.key, receive: theirs.key }
}

/// Profile and keys of a session's first offer.
fn said_first(wish: &SrtpWish) -> (String, Vec<Attribute>) {
    let profile = if wish.is_required() { "RTP/SAVP" } else { "RTP/AVP" };
    let lines = wish.keys().map(crypto::offered).unwrap_or_default();
    (profile.to_owned(), write::attributes(&lines))
}

/// Profile and keys of later ones.
fn said_before(media: &Media) -> (String, Vec<Attribute>) {
    let crypto = media.attributes.iter().filter(|a| a.name == "crypto").cloned().collect();
    (media.protocol.clone(), crypto)
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

/// Clocks telephone events may have beside this codec, best first.
fn event_clocks(codec: CodecKind) -> impl Iterator<Item = u32> {
    [codec.info().clock, EVENTS_CLOCK].into_iter()
}

/// Comfort noise has a clock of 8 kHz here and lends it to no other (RFC 3389 §4); Opus has silence of its own.
fn has_comfort_noise(codec: CodecKind) -> bool {
    codec.info().clock == 8_000
}

fn opus_of(stream: &Stream<'_>, codec: CodecKind, number: u8) -> OpusParameters {
    if codec == CodecKind::Opus { stream.opus(number) } else { OpusParameters::default() }
}

fn is_audio(media: &Media) -> bool {
    media.kind.eq_ignore_ascii_case("audio")
}

pub(super) fn is_active_audio(media: &Media) -> bool {
    is_audio(media) && media.port != 0
}

/// Whether a profile promises encryption; the error names one that is not spoken.
fn is_secure(protocol: &str) -> Result<bool, SdpError> {
    match protocol.to_ascii_uppercase().as_str() {
        "RTP/AVP" | "RTP/AVPF" => Ok(false),
        "RTP/SAVP" | "RTP/SAVPF" => Ok(true),
        _ => Err(SdpError::Profile(protocol.to_owned())),
    }
}

/// The clock every peer has events at.
const EVENTS_CLOCK: u32 = 8_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::write::direction_name;

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
            a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:60\r\na=sendrecv\r\n";
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
            a=fmtp:96 0-16\r\na=ptime:30\r\na=maxptime:60\r\na=sendrecv\r\n";
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
            let accepted = accept(&ours, phone("0", &[line]).as_bytes(), &Wishes::default()).unwrap();
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
        let negotiated = accept(&ours, phone("110 97", &lines).as_bytes(), &Wishes::default()).unwrap();
        assert_eq!((negotiated.codec, negotiated.payload_type), (CodecKind::Pcma, 110));
        assert_eq!((negotiated.dtmf, negotiated.dtmf_receive), (Some(97), Some(101)));
    }

    #[test]
    fn an_answer_that_takes_less_gives_less() {
        let ours = offer(local(), &Wishes::of(&[CodecKind::Pcma]), (1, 1), Direction::SendRecv);
        let negotiated = accept(&ours, phone("8", &[]).as_bytes(), &Wishes::default()).unwrap();
        assert_eq!((negotiated.dtmf, negotiated.dtmf_receive), (None, None));
        let cases = [
            (phone("0", &[]), SdpError::NoCommonCodec),
            (phone("8", &[]).replace("4000", "0"), SdpError::Declined),
            (phone("8", &[]).replace("RTP/AVP", "RTP/SAVP"), SdpError::Crypto),
            (phone("8", &[]).replace("m=audio", "m=video"), SdpError::NoAudio),
            ("v=0\r\n".to_owned(), SdpError::NoAudio),
        ];
        for (theirs, want) in cases {
            assert_eq!(accept(&ours, theirs.as_bytes(), &Wishes::default()), Err(want), "{theirs}");
        }
    }

    #[test]
    fn both_sides_of_an_exchange_agree() {
        for wish in [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive] {
            let ours = offer(local(), &Wishes::default(), (1, 1), wish);
            let peer = "192.0.2.1:4000".parse().unwrap();
            let (theirs, at_peer) =
                answer(&ours, peer, &Wishes::default(), (2, 1), Direction::SendRecv).unwrap();
            let here = accept(&ours, &theirs, &Wishes::default()).unwrap();
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
            let _ = accept(&ours, &bytes, &Wishes::default());
            let _ = accept(&bytes, &ours, &Wishes::default());
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
