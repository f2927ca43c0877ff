//! Sound on its way into a media thread while it is made: what an application says over a media stream.
//!
//! The maker puts samples into a ring and the leg plays them at the pace of its clock; neither ever waits. Both can
//! tell how far the other has come, so that the maker knows when a word has been said, and what is no longer wanted
//! is left out by its place: nothing must be taken back.

use std::sync::atomic::{AtomicBool, AtomicI16, AtomicU64, Ordering};

/// Samples at 8 kHz that may wait to be played: 1.024 s.
pub const FEED_SAMPLES_MAX: usize = 8_192;

/// Where samples wait to be played to a leg's peer. Places count samples since the beginning.
#[derive(Debug)]
pub struct Feed {
    samples: Box<[AtomicI16]>,
    written: AtomicU64,
    /// What lies before this place was played, or left out.
    played: AtomicU64,
    /// What lies before this place is not to be played any more.
    cleared: AtomicU64,
    /// The maker will put no more in.
    is_finished: AtomicBool,
    /// The leg will play no more.
    is_over: AtomicBool,
}

impl Default for Feed {
    fn default() -> Feed {
        Feed {
            samples: (0..FEED_SAMPLES_MAX).map(|_| AtomicI16::new(0)).collect(),
            written: AtomicU64::new(0),
            played: AtomicU64::new(0),
            cleared: AtomicU64::new(0),
            is_finished: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        }
    }
}

impl Feed {
    /// Samples there is room for. For the maker, as the next ones.
    pub fn room(&self) -> usize {
        let waiting = self.written().saturating_sub(self.played());
        FEED_SAMPLES_MAX.saturating_sub(waiting as usize)
    }

    /// Puts samples in, at 8 kHz; answers with how many there was room for.
    pub fn put(&self, samples: &[i16]) -> usize {
        let count = samples.len().min(self.room());
        let written = self.written();
        for (n, &sample) in samples[..count].iter().enumerate() {
            self.samples[(written as usize + n) % FEED_SAMPLES_MAX].store(sample, Ordering::Relaxed);
        }
        self.written.store(written + count as u64, Ordering::Release);
        count
    }

    /// What waits is not to be played.
    pub fn clear(&self) {
        self.cleared.store(self.written(), Ordering::Release);
    }

    /// No more will be put in: the leg goes on to what it hears otherwise when all has been played.
    pub fn finish(&self) {
        self.is_finished.store(true, Ordering::Release);
    }

    /// How many samples were put in.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Up to which place samples were played or left out.
    pub fn played(&self) -> u64 {
        self.played.load(Ordering::Acquire)
    }

    /// Up to which place nothing is left to be played: it was, or it is left out.
    pub fn done(&self) -> u64 {
        self.played().max(self.cleared.load(Ordering::Acquire))
    }

    /// Whether nobody will play what is put in: the leg is gone, or plays something else.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Nobody plays what is put in any more.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    /// Fills a frame with what is next; silence where there is nothing. False: it is finished and was played. For
    /// the leg.
    pub fn fill(&self, frame: &mut [i16]) -> bool {
        // Read first: what was put in before the end was told is there.
        let is_finished = self.is_finished.load(Ordering::Acquire);
        let written = self.written.load(Ordering::Acquire);
        let cleared = self.cleared.load(Ordering::Acquire);
        let from = self.played.load(Ordering::Relaxed).max(cleared).min(written);
        let count = ((written - from) as usize).min(frame.len());
        let (sound, silence) = frame.split_at_mut(count);
        for (n, sample) in sound.iter_mut().enumerate() {
            *sample = self.samples[(from as usize + n) % FEED_SAMPLES_MAX].load(Ordering::Relaxed);
        }
        silence.fill(0);
        self.played.store(from + count as u64, Ordering::Release);
        count > 0 || !is_finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_played_in_order_and_silence_stands_for_what_is_not_there() {
        let feed = Feed::default();
        let ramp: Vec<i16> = (0..20_000).map(|n| (n % 30_000) as i16 + 1).collect();
        let (mut put, mut heard) = (0, Vec::new());
        while heard.len() < ramp.len() {
            put += feed.put(&ramp[put..]);
            let mut frame = [0; 160];
            assert!(feed.fill(&mut frame));
            heard.extend_from_slice(&frame);
        }
        assert_eq!(heard[..], ramp);
        assert_eq!((feed.played(), feed.written()), (20_000, 20_000));
        let mut frame = [7; 160];
        assert!(feed.fill(&mut frame) && frame == [0; 160]);
    }

    #[test]
    fn what_was_cleared_is_not_heard_and_what_comes_after_is() {
        let feed = Feed::default();
        feed.put(&[1; 4_000]);
        let mut frame = [0; 160];
        feed.fill(&mut frame);
        feed.clear();
        feed.put(&[2; 100]);
        feed.fill(&mut frame);
        assert_eq!((frame[..100].to_vec(), frame[100..].to_vec()), (vec![2; 100], vec![0; 60]));
        assert_eq!((feed.played(), feed.room()), (4_100, FEED_SAMPLES_MAX));
    }

    #[test]
    fn a_full_ring_takes_no_more_and_a_finished_one_ends_when_it_is_empty() {
        let feed = Feed::default();
        assert_eq!(feed.put(&[1; FEED_SAMPLES_MAX + 9]), FEED_SAMPLES_MAX);
        assert_eq!((feed.put(&[1]), feed.room()), (0, 0));
        feed.finish();
        let mut frame = [0; 1_024];
        for _ in 0..8 {
            assert!(feed.fill(&mut frame));
        }
        assert!(!feed.fill(&mut frame));
    }
}
