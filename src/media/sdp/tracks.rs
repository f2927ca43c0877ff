//! Several audio streams side by side in one description, each with its label: what a recording session has (RFC 7866
//! §7.1).
//!
//! Stream for stream it is offer and answer as for one; a stream that comes to nothing leaves the others as they are.

use std::net::SocketAddr;

use super::SdpError;
use super::description::{Attribute, Media, Sdp};
use super::negotiate::{accept_stream, answer_stream, choose_at, describe, is_active_audio};
use super::numbers::Numbers;
use super::wishes::Wishes;
use super::write;
use crate::negotiated::{Direction, Negotiated};

/// Our side of one of the streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Our RTP address.
    pub local: SocketAddr,
    /// Names it in the metadata (`a=label`, RFC 4574).
    pub label: String,
    /// What may be said of it. Each track has keys of its own.
    pub wishes: Wishes,
    /// Which way it would flow.
    pub direction: Direction,
}

/// Describes all tracks, in order. `session` is the id and version of `o=`. Offered again, streams keep their places:
/// the same tracks in the same order. Without a track nothing is described.
pub fn offer_tracks(tracks: &[Track], session: (u64, u64)) -> Vec<u8> {
    let mut numbers = Numbers::default();
    let media = tracks.iter().map(|track| {
        let media = describe(None, &mut numbers, track.local.port(), &track.wishes, track.direction);
        labelled(media, &track.label)
    });
    write(tracks, session, media.collect())
}

/// What the peer's `answer` to our offer of these tracks means for each; `None`: that one was declined, or there is
/// nothing in common.
pub fn accept_tracks(
    our_offer: &[u8],
    answer: &[u8],
    tracks: &[Track],
) -> Result<Vec<Option<Negotiated>>, SdpError> {
    let (ours, theirs) = (Sdp::parse(our_offer)?, Sdp::parse(answer)?);
    let accepted = |(at, track): (usize, &Track)| {
        ours.media.get(at)?;
        accept_stream(&ours, &theirs, at, &track.wishes).ok()
    };
    Ok(tracks.iter().enumerate().map(accepted).collect())
}

/// Answers a peer's offer: its audio streams are our tracks in order, whatever else it has is switched off.
pub fn answer_tracks(
    offer: &[u8],
    tracks: &[Track],
    session: (u64, u64),
) -> Result<(Vec<u8>, Vec<Option<Negotiated>>), SdpError> {
    let offer = Sdp::parse(offer)?;
    let mut left = tracks.iter();
    let (mut media, mut agreed) = (Vec::new(), Vec::new());
    for (at, theirs) in offer.media.iter().enumerate() {
        let track = if theirs.kind.eq_ignore_ascii_case("audio") { left.next() } else { None };
        let answered = track.filter(|_| is_active_audio(theirs)).and_then(|track| {
            let choice = choose_at(&offer, at, &track.wishes).ok()?;
            let (media, negotiated) =
                answer_stream(choice, track.local.port(), &track.wishes, track.direction).ok()?;
            Some((labelled(media, &track.label), negotiated))
        });
        if track.is_some() {
            agreed.push(answered.as_ref().map(|(_, negotiated)| *negotiated));
        }
        media.push(answered.map_or_else(|| write::off(theirs), |(media, _)| media));
    }
    agreed.resize(tracks.len(), None);
    if agreed.iter().all(Option::is_none) {
        return Err(SdpError::NoAudio);
    }
    Ok((write(tracks, session, media), agreed))
}

fn write(tracks: &[Track], session: (u64, u64), media: Vec<Media>) -> Vec<u8> {
    // All tracks are sent from one machine.
    tracks.first().map_or_else(Vec::new, |track| write::session(track.local, session, media))
}

fn labelled(mut media: Media, label: &str) -> Media {
    media.attributes.push(Attribute::new("label", label));
    media
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::CodecKind;

    fn tracks(ip: &str, direction: Direction) -> Vec<Track> {
        let track = |(port, label): (u16, &str)| Track {
            local: SocketAddr::new(ip.parse().unwrap(), port),
            label: label.to_owned(),
            wishes: Wishes { events: false, ..Wishes::of(&[CodecKind::Pcmu, CodecKind::Pcma]) },
            direction,
        };
        [(20_000, "1"), (20_002, "2")].map(track).to_vec()
    }

    fn source() -> Vec<Track> {
        tracks("198.51.100.1", Direction::SendOnly)
    }

    fn lines(body: &[u8], start: &str) -> Vec<String> {
        let text = String::from_utf8(body.to_vec()).unwrap();
        text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
    }

    #[test]
    fn both_tracks_are_offered_and_agreed_on() {
        let offer = offer_tracks(&source(), (7, 1));
        assert_eq!(lines(&offer, "m="), ["m=audio 20000 RTP/AVP 0 8", "m=audio 20002 RTP/AVP 0 8"]);
        assert_eq!(lines(&offer, "a=label"), ["a=label:1", "a=label:2"]);
        assert_eq!(lines(&offer, "a=send"), ["a=sendonly", "a=sendonly"]);
        let recorder = tracks("192.0.2.30", Direction::RecvOnly);
        let (answer, theirs) = answer_tracks(&offer, &recorder, (9, 1)).unwrap();
        assert_eq!(lines(&answer, "a=recv"), ["a=recvonly", "a=recvonly"]);
        let ours = accept_tracks(&offer, &answer, &source()).unwrap();
        for (n, (ours, theirs)) in ours.into_iter().zip(theirs).enumerate() {
            let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
            assert_eq!((ours.direction, theirs.direction), (Direction::SendOnly, Direction::RecvOnly));
            assert_eq!((ours.remote, theirs.remote), (recorder[n].local, source()[n].local));
            assert_eq!((ours.codec, ours.dtmf), (CodecKind::Pcmu, None));
        }
    }

    #[test]
    fn a_track_that_is_declined_or_paused_leaves_the_other_alone() {
        let offer = offer_tracks(&source(), (7, 1));
        for (first, expected) in [
            ("m=audio 0 RTP/AVP 0\r\n", None),
            ("m=audio 4000 RTP/AVP 18\r\n", None),
            ("m=audio 4000 RTP/AVP 8\r\na=inactive\r\n", Some(Direction::Inactive)),
            ("m=audio 4000 RTP/AVP 0\r\na=recvonly\r\n", Some(Direction::SendOnly)),
        ] {
            let answer =
                format!("v=0\r\nc=IN IP4 192.0.2.30\r\n{first}m=audio 4002 RTP/AVP 8\r\na=recvonly\r\n");
            let agreed = accept_tracks(&offer, answer.as_bytes(), &source()).unwrap();
            assert_eq!(agreed[0].map(|n| n.direction), expected, "{first}");
            assert_eq!(agreed[1].map(|n| n.codec), Some(CodecKind::Pcma));
        }
        let short = accept_tracks(&offer, b"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4 RTP/AVP 0\r\n", &source());
        assert_eq!(short.unwrap().iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
        assert!(accept_tracks(&offer, b"nonsense", &source()).is_err());
    }

    #[test]
    fn an_offer_of_the_recorder_is_answered_stream_for_stream() {
        let offer = "v=0\r\nc=IN IP4 192.0.2.30\r\nm=video 5000 RTP/AVP 31\r\nm=audio 0 RTP/AVP 0\r\n\
             m=audio 4002 RTP/AVP 8\r\na=recvonly\r\nm=audio 4004 RTP/AVP 8\r\n";
        let (answer, agreed) = answer_tracks(offer.as_bytes(), &source(), (7, 2)).unwrap();
        assert_eq!(
            lines(&answer, "m="),
            ["m=video 0 RTP/AVP 31", "m=audio 0 RTP/AVP 0", "m=audio 20002 RTP/AVP 8", "m=audio 0 RTP/AVP 8"]
        );
        assert_eq!(lines(&answer, "a=label"), ["a=label:2"]);
        assert!(agreed[0].is_none() && agreed[1].is_some());
        for nothing in ["v=0\r\n", "v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 18\r\n"] {
            assert_eq!(answer_tracks(nothing.as_bytes(), &source(), (7, 2)), Err(SdpError::NoAudio));
        }
        assert_eq!(offer_tracks(&[], (7, 1)), Vec::<u8>::new());
    }
}
