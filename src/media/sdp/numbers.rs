//! Payload type numbers: no two formats of one description share one, and within a session a number keeps its
//! meaning (RFC 3264 §8.3.2).

use serde::{Deserialize, Serialize};

use super::stream::Stream;
use crate::codec::CodecKind;

/// What a payload type can stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Format {
    Codec(CodecKind),
    /// Telephone events by their clock in Hz.
    Events(u32),
    ComfortNoise,
}

/// The numbers of one session. There are fewer formats than numbers, so that one is always free.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Numbers {
    /// What our descriptions said so far; a format's latest number stands last.
    ours: Vec<(u8, Format)>,
    /// What the peer calls them, which it will understand best from us too.
    theirs: Vec<(u8, Format)>,
}

impl Numbers {
    /// Remembers a description of ours.
    pub(super) fn said(&mut self, stream: &Stream<'_>) {
        learn(&mut self.ours, stream);
    }

    /// Remembers a description of the peer's.
    pub(super) fn heard(&mut self, stream: &Stream<'_>) {
        learn(&mut self.theirs, stream);
    }

    /// The number of a format from now on.
    pub(super) fn of(&mut self, format: Format) -> u8 {
        if let Some((number, _)) = self.ours.iter().rfind(|(_, f)| *f == format) {
            return *number;
        }
        let theirs = self.theirs.iter().rfind(|(_, f)| *f == format).map(|(number, _)| *number);
        let is_free = |number: &u8| self.ours.iter().all(|(taken, _)| taken != number);
        let mut wishes = theirs.into_iter().chain([usual(format)]).chain(96..=127);
        let number = wishes.find(is_free).unwrap_or_else(|| usual(format));
        self.ours.push((number, format));
        number
    }
}

fn learn(list: &mut Vec<(u8, Format)>, stream: &Stream<'_>) {
    for entry in stream.numbers() {
        // A peer may break the rule; then its latest word counts.
        list.retain(|(number, _)| *number != entry.0);
        list.push(entry);
    }
}

/// What others use too, where there is such a habit.
fn usual(format: Format) -> u8 {
    match format {
        Format::Codec(kind) => kind.info().payload_type,
        Format::Events(48_000) => 110,
        Format::Events(16_000) => 113,
        Format::Events(_) => 101,
        Format::ComfortNoise => 13,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::Sdp;

    fn stream(formats: &str) -> Sdp {
        Sdp::parse(format!("v=0\r\nm=audio 4000 RTP/AVP {formats}").as_bytes()).unwrap()
    }

    #[test]
    fn a_number_keeps_its_meaning_and_never_has_two() {
        let mut numbers = Numbers::default();
        // What the peer gave to PCMA is our usual one for Opus.
        let sdp = stream("107 101\r\na=rtpmap:107 PCMA/8000\r\na=rtpmap:101 L16/16000\r\n");
        numbers.said(&Stream::read(&sdp, 0));
        let formats = [
            Format::Codec(CodecKind::Opus),
            Format::Codec(CodecKind::Pcma),
            Format::Codec(CodecKind::L16Wide),
            Format::Events(8_000),
            Format::Events(48_000),
            Format::ComfortNoise,
        ];
        let first: Vec<u8> = formats.into_iter().map(|f| numbers.of(f)).collect();
        assert_eq!(first, [96, 107, 101, 97, 110, 13]);
        let again: Vec<u8> = formats.into_iter().map(|f| numbers.of(f)).collect();
        assert_eq!(again, first);
    }

    #[test]
    fn the_peers_number_is_taken_where_it_is_free() {
        let mut numbers = Numbers::default();
        let sdp = stream("111 0 126\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:126 telephone-event/8000\r\n");
        numbers.heard(&Stream::read(&sdp, 0));
        assert_eq!(numbers.of(Format::Codec(CodecKind::Opus)), 111);
        assert_eq!(numbers.of(Format::Events(8_000)), 126);
        assert_eq!(numbers.of(Format::Events(48_000)), 110);
    }
}
