//! What an application says, until it is heard: sound in order, and marks between it.

use std::collections::VecDeque;

use media::CodecKind;
use media::feed::Feed;

/// Bytes of µ-law that may wait: ten minutes (reference: media-streams §4). More is left out.
pub(super) const WAITING_MAX: usize = 10 * 60 * 8_000;

/// Marks that may wait; more are no messages that conform.
const MARKS_MAX: usize = 1_000;

/// Characters of a mark's name.
const NAME_BYTES_MAX: usize = 4_096;

/// Sound decoded in one go.
const PIECE: usize = 1_024;

/// Sound that waits to be fed to the leg, and marks behind it.
#[derive(Debug, Default)]
pub(super) struct Playout {
    waiting: VecDeque<u8>,
    /// Each with the place, in samples since the beginning, up to which must have been played.
    marks: VecDeque<(u64, String)>,
}

impl Playout {
    /// Appends sound; false: there is no room for all of it.
    pub(super) fn sound(&mut self, sound: &[u8]) -> bool {
        let room = WAITING_MAX - self.waiting.len();
        self.waiting.extend(&sound[..sound.len().min(room)]);
        sound.len() <= room
    }

    /// Sets a mark behind all sound so far; false: there are too many, or it is too long.
    pub(super) fn mark(&mut self, name: String, feed: &Feed) -> bool {
        let fits = self.marks.len() < MARKS_MAX && name.len() <= NAME_BYTES_MAX;
        if fits {
            self.marks.push_back((feed.written() + self.waiting.len() as u64, name));
        }
        fits
    }

    /// Drops what is not played yet; the marks among it.
    pub(super) fn clear(&mut self, feed: &Feed) -> Vec<String> {
        self.waiting.clear();
        feed.clear();
        self.marks.drain(..).map(|(_, name)| name).collect()
    }

    /// Feeds as much as there is room for; the marks that have come true.
    pub(super) fn pump(&mut self, feed: &Feed) -> Vec<String> {
        let mut room = feed.room().min(self.waiting.len());
        let mut piece = [0; PIECE];
        while room > 0 {
            let count = room.min(PIECE);
            for (sample, byte) in piece.iter_mut().zip(self.waiting.drain(..count)) {
                *sample = CodecKind::Pcmu.decode(byte);
            }
            feed.put(&piece[..count]);
            room -= count;
        }
        let done = feed.done();
        let true_now = self.marks.iter().take_while(|(place, _)| *place <= done).count();
        self.marks.drain(..true_now).map(|(_, name)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use media::feed::FEED_SAMPLES_MAX;

    use super::*;

    fn play(feed: &Feed, samples: usize) {
        for _ in 0..samples / 160 {
            feed.fill(&mut [0; 160]);
        }
    }

    #[test]
    fn marks_come_true_when_what_was_before_them_was_played() {
        let (feed, mut playout) = (Feed::default(), Playout::default());
        assert!(playout.mark("at once".into(), &feed));
        assert_eq!(playout.pump(&feed), ["at once"]);
        playout.sound(&[0xFF; 20_000]);
        playout.mark("a".into(), &feed);
        playout.sound(&[0xFF; 1_600]);
        playout.mark("b".into(), &feed);
        let mut told = Vec::new();
        for n in 0..(21_600 / 160) {
            told.extend(playout.pump(&feed).into_iter().map(|name| (n, name)));
            play(&feed, 160);
        }
        assert_eq!(told, [(125, "a".to_owned())]);
        assert_eq!(playout.pump(&feed), ["b"]);
    }

    #[test]
    fn a_clear_gives_all_marks_back_and_the_next_sound_is_heard() {
        let (feed, mut playout) = (Feed::default(), Playout::default());
        playout.sound(&[0x00; 20_000]);
        playout.mark("a".into(), &feed);
        playout.pump(&feed);
        play(&feed, 160);
        assert_eq!(playout.clear(&feed), ["a"]);
        playout.mark("at once".into(), &feed);
        assert_eq!(playout.pump(&feed), ["at once"], "nothing is before it that is to be played");
        playout.sound(&[CodecKind::Pcmu.encode(1_000); 160]);
        playout.mark("b".into(), &feed);
        assert!(playout.pump(&feed).is_empty());
        let mut frame = [0; 160];
        feed.fill(&mut frame);
        assert!(frame.iter().all(|&sample| sample == CodecKind::Pcmu.decode(CodecKind::Pcmu.encode(1_000))));
        assert_eq!(playout.pump(&feed), ["b"]);
    }

    #[test]
    fn ten_minutes_are_enough() {
        let (feed, mut playout) = (Feed::default(), Playout::default());
        assert!(playout.sound(&vec![0; WAITING_MAX - 1]));
        assert!(!playout.sound(&[0; 2]));
        assert_eq!(playout.waiting.len(), WAITING_MAX);
        playout.pump(&feed);
        assert_eq!(playout.waiting.len(), WAITING_MAX - FEED_SAMPLES_MAX);
        let fitting = (0..MARKS_MAX + 1).filter(|_| playout.mark("m".into(), &feed)).count();
        assert_eq!(fitting, MARKS_MAX);
    }
}
