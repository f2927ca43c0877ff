//! Whether somebody speaks: 20 ms at a time, above a line's own noise.
//!
//! The noise is what is heard between words. It is followed down at once and up slowly, so that a hum is not taken
//! for speech for long and a word never for a hum. A click is no word: it takes three frames in a row to begin.

use crate::tone::level_dbov;

/// Milliseconds of a frame.
pub const FRAME_MS: u32 = 20;
/// Samples of a frame at 8 kHz.
pub const FRAME_SAMPLES: usize = 160;

/// The ear of one listener.
#[derive(Clone, Debug)]
pub struct VoiceActivity {
    /// The line's noise, in dBov.
    noise: f32,
    /// Loud frames in a row.
    loud: u32,
}

/// What one frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Nothing, or the line's noise.
    Quiet,
    /// Loud, and not for long enough to be a voice.
    Click,
    /// A voice. `onset` on the frame that made it one; it began two frames before.
    Voice {
        /// It begins here.
        onset: bool,
    },
}

/// What is quieter is never a voice, in dBov.
const FLOOR: f32 = -48.0;
/// A voice is so many dB above the noise.
const ABOVE: f32 = 9.0;
/// The noise a line is taken to have at first, and at most.
const NOISE_FIRST: f32 = -49.0;
const NOISE_MAX: f32 = -36.0;
/// How fast the noise is followed up: 5 dB a second.
const RISE: f32 = 0.1;
/// Loud frames in a row that are a voice.
const ONSET_FRAMES: u32 = 3;

impl Default for VoiceActivity {
    fn default() -> Self {
        Self { noise: NOISE_FIRST, loud: 0 }
    }
}

impl VoiceActivity {
    /// Frames that have passed before an onset is known.
    pub const ONSET_FRAMES: u32 = ONSET_FRAMES;

    /// Takes the next 20 ms.
    pub fn feed(&mut self, frame: &[i16]) -> Activity {
        let level = level_dbov(frame).max(-90.0) as f32;
        self.noise = if level < self.noise { level } else { (self.noise + RISE).min(NOISE_MAX).min(level) };
        if level < FLOOR.max(self.noise + ABOVE) {
            self.loud = 0;
            return Activity::Quiet;
        }
        self.loud = self.loud.saturating_add(1);
        match self.loud.cmp(&ONSET_FRAMES) {
            std::cmp::Ordering::Less => Activity::Click,
            std::cmp::Ordering::Equal => Activity::Voice { onset: true },
            std::cmp::Ordering::Greater => Activity::Voice { onset: false },
        }
    }
}

/// Cuts sound of any length into frames; what is left over waits for more.
#[derive(Clone, Debug)]
pub struct Frames {
    frame: [i16; FRAME_SAMPLES],
    len: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self { frame: [0; FRAME_SAMPLES], len: 0 }
    }
}

impl Frames {
    /// Takes sound at 8 kHz and hands on what is whole.
    pub fn feed(&mut self, mut pcm: &[i16], mut each: impl FnMut(&[i16; FRAME_SAMPLES])) {
        while !pcm.is_empty() {
            let count = pcm.len().min(FRAME_SAMPLES - self.len);
            let (head, rest) = pcm.split_at(count);
            self.frame[self.len..self.len + count].copy_from_slice(head);
            self.len += count;
            pcm = rest;
            if self.len == FRAME_SAMPLES {
                self.len = 0;
                each(&self.frame);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::*;

    fn noise(rng: &mut Rng, amplitude: u64, ms: usize) -> Vec<i16> {
        (0..ms * 8).map(|_| rng.below(2 * amplitude + 1) as i16 - amplitude as i16).collect()
    }

    /// Milliseconds of voice, and how often it began.
    fn heard(pcm: &[i16]) -> (u32, u32) {
        let (mut vad, mut frames) = (VoiceActivity::default(), Frames::default());
        let (mut ms, mut onsets) = (0, 0);
        // In pieces of no particular length.
        for piece in pcm.chunks(77) {
            frames.feed(piece, |frame| {
                if let Activity::Voice { onset } = vad.feed(frame) {
                    ms += FRAME_MS;
                    onsets += u32::from(onset);
                }
            });
        }
        (ms, onsets)
    }

    #[test]
    fn a_word_is_heard_and_a_click_is_not() {
        let mut rng = Rng::seeded(1);
        for (what, pieces, expected) in [
            ("nothing", vec![(0, 1_000)], (0, 0)),
            ("a quiet line", vec![(60, 2_000)], (0, 0)),
            ("a word", vec![(20, 400), (6_000, 500), (20, 400)], (460, 1)),
            ("two words", vec![(20, 400), (3_000, 300), (20, 300), (9_000, 300), (20, 400)], (520, 2)),
            ("a click", vec![(20, 400), (16_000, 40), (20, 400)], (0, 0)),
            ("a word over a noisy line", vec![(500, 3_000), (9_000, 500), (500, 500)], (460, 1)),
        ] {
            let pcm: Vec<i16> =
                pieces.into_iter().flat_map(|(amplitude, ms)| noise(&mut rng, amplitude, ms)).collect();
            let (ms, onsets) = heard(&pcm);
            assert!(ms.abs_diff(expected.0) <= 40 && onsets == expected.1, "{what}: {ms} ms, {onsets}");
        }
    }

    #[test]
    fn a_hum_is_taken_for_a_voice_only_for_a_while() {
        let mut rng = Rng::seeded(2);
        let (ms, _) = heard(&noise(&mut rng, 800, 20_000));
        assert!(ms < 5_000, "{ms} ms");
    }
}
