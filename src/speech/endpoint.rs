//! Where somebody begins to speak and where they have ended: an utterance cut out of a stream of sound.
//!
//! ```text
//! waiting ──voice──▶ speaking ──silence_ms of quiet, or max_ms──▶ over
//! ```
//! Time is counted in the sound itself, 20 ms at a time, so what was heard decides and not how fast it was read. What
//! was just before the voice is kept: words begin softly.

use std::collections::VecDeque;

use media::vad::{Activity, FRAME_MS, FRAME_SAMPLES, Frames, VoiceActivity};

/// When an utterance is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpointing {
    /// So much silence after the last word, in milliseconds.
    pub(crate) silence_ms: u32,
    /// Longest utterance, in milliseconds.
    pub(crate) max_ms: u32,
}

/// What an utterance is made of, in order: one `Began`, many `Sound`, one `Ended`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Somebody speaks.
    Began,
    /// 20 ms of it.
    Sound(&'a [i16; FRAME_SAMPLES]),
    /// It is over.
    Ended,
}

/// Listens to one stream at 8 kHz. After an utterance it waits for the next one.
#[derive(Clone, Debug)]
pub(crate) struct Endpointer {
    settings: Endpointing,
    vad: VoiceActivity,
    frames: Frames,
    before: VecDeque<[i16; FRAME_SAMPLES]>,
    /// Of the utterance, if there is one: its length and the silence at its end, in milliseconds.
    speaking: Option<(u32, u32)>,
}

/// Sound kept from before the voice: 300 ms.
const BEFORE_FRAMES: usize = 15;

impl Endpointer {
    pub(crate) fn new(settings: Endpointing) -> Self {
        Self {
            settings,
            vad: VoiceActivity::default(),
            frames: Frames::default(),
            before: VecDeque::with_capacity(BEFORE_FRAMES),
            speaking: None,
        }
    }

    /// Takes what is heard next, of any length.
    pub(crate) fn feed(&mut self, pcm: &[i16], mut each: impl FnMut(Piece<'_>)) {
        let Self { settings, vad, frames, before, speaking } = self;
        frames.feed(pcm, |frame| {
            let activity = vad.feed(frame);
            let is_voice = matches!(activity, Activity::Voice { .. });
            match speaking {
                None if is_voice => {
                    each(Piece::Began);
                    before.drain(..).for_each(|kept| each(Piece::Sound(&kept)));
                    each(Piece::Sound(frame));
                    *speaking = Some((FRAME_MS, 0));
                }
                None => {
                    if before.len() == BEFORE_FRAMES {
                        before.pop_front();
                    }
                    before.push_back(*frame);
                }
                Some((length, silence)) => {
                    each(Piece::Sound(frame));
                    *length += FRAME_MS;
                    *silence = if is_voice { 0 } else { *silence + FRAME_MS };
                    if *silence >= settings.silence_ms || *length >= settings.max_ms {
                        each(Piece::Ended);
                        *speaking = None;
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(ms: u32) -> Vec<i16> {
        let sine = |hz: f64, n: u32| (std::f64::consts::TAU * hz * f64::from(n) / 8_000.0).sin();
        (0..ms * 8).map(|n| (4_000.0 * (sine(210.0, n) + sine(640.0, n))) as i16).collect()
    }

    fn silence(ms: u32) -> Vec<i16> {
        vec![0; ms as usize * 8]
    }

    /// When utterances began and ended, and how long each is as it is handed on; in milliseconds.
    fn utterances(pieces: &[Vec<i16>], settings: Endpointing, step: usize) -> Vec<(u32, u32, u32)> {
        let mut endpointer = Endpointer::new(settings);
        let (mut at, mut found, mut current) = (0, Vec::new(), None);
        for chunk in pieces.concat().chunks(step) {
            at += chunk.len() as u32;
            endpointer.feed(chunk, |piece| match piece {
                Piece::Began => {
                    assert_eq!(current, None, "it begins once");
                    current = Some((at / 8, 0));
                }
                Piece::Sound(_) => current.as_mut().expect("sound belongs to an utterance").1 += FRAME_MS,
                Piece::Ended => {
                    let (began, length) = current.take().expect("what ends has begun");
                    found.push((began, at / 8, length));
                }
            });
        }
        found
    }

    #[test]
    fn an_utterance_ends_by_silence_or_by_its_length() {
        let plain = Endpointing { silence_ms: 1_000, max_ms: 60_000 };
        for (what, pieces, settings, expected) in [
            ("nothing", vec![silence(5_000)], plain, vec![]),
            ("a click", vec![silence(500), voice(40), silence(3_000)], plain, vec![]),
            ("a word", vec![silence(600), voice(500), silence(3_000)], plain, vec![(660, 2_100, 1_740)]),
            (
                "two words with a short pause",
                vec![silence(600), voice(500), silence(700), voice(500), silence(3_000)],
                plain,
                vec![(660, 3_300, 2_940)],
            ),
            (
                "two words with a long pause",
                vec![silence(600), voice(500), silence(1_400), voice(500), silence(3_000)],
                plain,
                vec![(660, 2_100, 1_740), (2_560, 4_000, 1_740)],
            ),
            (
                "impatient",
                vec![silence(600), voice(500), silence(700), voice(500), silence(3_000)],
                Endpointing { silence_ms: 400, ..plain },
                vec![(660, 1_500, 1_140), (1_860, 2_700, 1_140)],
            ),
            (
                "without end",
                vec![voice(5_000)],
                Endpointing { max_ms: 2_000, ..plain },
                vec![(60, 2_040, 2_040), (2_060, 4_040, 2_000)],
            ),
        ] {
            for step in [160, 77, 1_000] {
                let found = utterances(&pieces, settings, step);
                let near = |a: &(u32, u32, u32), b: &(u32, u32, u32)| {
                    a.0.abs_diff(b.0) <= 130 && a.1.abs_diff(b.1) <= 130 && a.2.abs_diff(b.2) <= 60
                };
                let all =
                    found.len() == expected.len() && found.iter().zip(&expected).all(|(a, b)| near(a, b));
                assert!(all, "{what} in steps of {step}: {found:?}");
            }
        }
    }
}
