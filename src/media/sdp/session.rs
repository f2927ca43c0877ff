//! Our side of one SIP session's descriptions, from the first offer or answer to the last.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::SdpError;
use super::description::Sdp;
use super::negotiate::{accept, answer, is_active_audio, offer_after};
use super::numbers::Numbers;
use super::stream::Stream;
use super::wishes::Wishes;
use crate::negotiated::{Direction, Negotiated};

/// Keeps what RFC 3264 §8 asks a side to remember: the version grows by one exactly when our description
/// changes, streams keep their place, payload types their meaning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    id: u64,
    version: u64,
    /// Our last description; empty before the first.
    last: Vec<u8>,
    /// What both sides agreed on before, while our last description is an offer that is not answered; `None`: they agreed
    /// on the last one.
    before: Option<Vec<u8>>,
    numbers: Numbers,
}

impl Session {
    /// `id` should be random. It is cut to 62 bits, as some phones read it into a signed integer.
    pub fn new(id: u64) -> Session {
        Session { id: id >> 2, version: 0, last: vec![], before: None, numbers: Numbers::default() }
    }

    /// As [`super::offer`], first or again.
    pub fn offer(&mut self, local: SocketAddr, wishes: &Wishes, direction: Direction) -> Vec<u8> {
        let previous = Sdp::parse(self.before.as_ref().unwrap_or(&self.last)).ok();
        let (id, numbers) = (self.id, &mut self.numbers);
        let mut describe =
            |version| offer_after(previous.as_ref(), numbers, local, wishes, (id, version), direction);
        let unchanged = describe(self.version);
        let body = if unchanged == self.last { unchanged } else { describe(self.version + 1) };
        self.say(body)
    }

    /// As [`super::answer`], first or again.
    pub fn answer(
        &mut self,
        offer: &[u8],
        local: SocketAddr,
        wishes: &Wishes,
        direction: Direction,
    ) -> Result<(Vec<u8>, Negotiated), SdpError> {
        let (mut body, negotiated) = answer(offer, local, wishes, (self.id, self.version), direction)?;
        if body != self.last {
            (body, _) = answer(offer, local, wishes, (self.id, self.version + 1), direction)?;
        }
        with_audio(offer, |stream| self.numbers.heard(stream));
        let body = self.say(body);
        self.before = None;
        Ok((body, negotiated))
    }

    /// As [`super::accept`], for our last offer.
    pub fn accept(&mut self, answer: &[u8], wishes: &Wishes) -> Result<Negotiated, SdpError> {
        let negotiated = accept(&self.last, answer, wishes)?;
        with_audio(answer, |stream| self.numbers.heard(stream));
        self.before = None;
        Ok(negotiated)
    }

    /// Our last offer was refused: what was agreed on before goes on (RFC 3261 §14.1).
    pub fn refused(&mut self) {
        if let Some(before) = self.before.take() {
            self.last = before;
        }
    }

    /// Our last description, for whoever must repeat it; empty before the first.
    pub fn last(&self) -> &[u8] {
        &self.last
    }

    fn say(&mut self, body: Vec<u8>) -> Vec<u8> {
        if body != self.last {
            self.version += 1;
            with_audio(&body, |stream| self.numbers.said(stream));
            let before = std::mem::replace(&mut self.last, body.clone());
            self.before.get_or_insert(before);
        }
        body
    }
}

fn with_audio(body: &[u8], then: impl FnOnce(&Stream<'_>)) {
    let Ok(sdp) = Sdp::parse(body) else { return };
    if let Some(at) = sdp.media.iter().position(is_active_audio) {
        then(&Stream::read(&sdp, at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::CodecKind;

    fn local() -> SocketAddr {
        "198.51.100.1:20000".parse().unwrap()
    }

    fn line(body: &[u8], start: &str) -> String {
        let text = String::from_utf8(body.to_vec()).unwrap();
        text.lines().find(|l| l.starts_with(start)).unwrap().to_owned()
    }

    const VIDEO_PHONE: &str = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=video 5000 RTP/AVP 31\r\n\
        m=audio 4000 RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\n";

    #[test]
    fn the_same_offer_again_gets_the_same_answer() {
        let mut session = Session::new(400);
        let mut answer = |offer: &str| {
            session.answer(offer.as_bytes(), local(), &Wishes::default(), Direction::SendRecv).unwrap().0
        };
        let first = answer(VIDEO_PHONE);
        assert_eq!(line(&first, "o="), "o=- 100 1 IN IP4 198.51.100.1");
        assert_eq!(answer(VIDEO_PHONE), first);
        let held = answer(&format!("{VIDEO_PHONE}a=sendonly\r\n"));
        assert_eq!(line(&held, "o="), "o=- 100 2 IN IP4 198.51.100.1");
        assert_eq!(line(&held, "a=recvonly"), "a=recvonly");
        assert_eq!(line(&answer(VIDEO_PHONE), "o="), "o=- 100 3 IN IP4 198.51.100.1");
    }

    #[test]
    fn an_offer_after_an_answer_keeps_places_and_numbers() {
        let mut session = Session::new(400);
        session.answer(VIDEO_PHONE.as_bytes(), local(), &Wishes::default(), Direction::SendRecv).unwrap();
        let body = session.offer(local(), &Wishes::default(), Direction::SendOnly);
        let sdp = Sdp::parse(&body).unwrap();
        assert_eq!(line(&body, "o="), "o=- 100 2 IN IP4 198.51.100.1");
        assert_eq!((sdp.media[0].kind.as_str(), sdp.media[0].port), ("video", 0));
        assert_eq!(sdp.media[1].formats, ["0", "8", "96"]);
        let negotiated = session.accept(VIDEO_PHONE.as_bytes(), &Wishes::default()).unwrap();
        assert_eq!((negotiated.codec, negotiated.dtmf), (CodecKind::Pcma, Some(96)));
        assert_eq!(negotiated.direction, Direction::SendOnly);
    }

    #[test]
    fn a_repeated_offer_keeps_its_version() {
        let mut session = Session::new(u64::MAX);
        let first = session.offer(local(), &Wishes::default(), Direction::SendRecv);
        assert_eq!(session.offer(local(), &Wishes::default(), Direction::SendRecv), first);
        assert_eq!(session.last(), first);
        assert_ne!(session.offer(local(), &Wishes::default(), Direction::Inactive), first);
    }

    #[test]
    fn a_refused_offer_changes_nothing() {
        let mut session = Session::new(4);
        let first = session.offer(local(), &Wishes::default(), Direction::SendRecv);
        assert!(session.answer(b"v=0\r\n", local(), &Wishes::default(), Direction::SendRecv).is_err());
        assert_eq!(session.last(), first);
    }
}
