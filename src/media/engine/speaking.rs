//! Who speaks in a room: told once when somebody begins and once when nothing was said for a while.

use crate::quality::Level;

/// Speech is louder than this (−50 dB of full scale); a quiet line with somebody listening is not.
const LOUD: Level = Level::below_full_scale(50);

/// A cough is no speech: it takes so many loud frames of 20 ms, with no longer pause between them, to begin (200 ms).
const FRAMES_TO_BEGIN: u8 = 10;

/// And so many soft ones to stop (1.2 s): longer than people pause for breath.
const FRAMES_TO_STOP: u8 = 60;

/// One member's state.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Speaking {
    speaks: bool,
    loud: u8,
    soft: u8,
}

impl Speaking {
    /// 20 ms of what a member says; `Some` when it begins (true) or has stopped (false).
    pub(super) fn on_frame(&mut self, level: Level) -> Option<bool> {
        if level.is_louder_than(LOUD) {
            (self.loud, self.soft) = (self.loud.saturating_add(1), 0);
        } else {
            self.soft = self.soft.saturating_add(1);
            // Words have gaps: what was loud counts for a while.
            if self.soft >= FRAMES_TO_BEGIN {
                self.loud = 0;
            }
        }
        let speaks = if self.speaks { self.soft < FRAMES_TO_STOP } else { self.loud >= FRAMES_TO_BEGIN };
        (speaks != std::mem::replace(&mut self.speaks, speaks)).then_some(speaks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told, and at which frame, of so many frames each of a level in dB below full scale.
    fn told(frames: &[(u32, u8)]) -> Vec<(u32, bool)> {
        let (mut speaking, mut at, mut told) = (Speaking::default(), 0, Vec::new());
        for &(count, level) in frames {
            for _ in 0..count {
                told.extend(speaking.on_frame(Level::below_full_scale(level)).map(|began| (at, began)));
                at += 1;
            }
        }
        told
    }

    #[test]
    fn speech_is_told_from_coughs_and_pauses_for_breath() {
        for (frames, expected) in [
            (&[(500, 70)][..], &[][..]),
            (&[(50, 70), (5, 20), (200, 70)], &[]),
            (&[(50, 70), (100, 20), (200, 70)], &[(59, true), (209, false)]),
            (&[(6, 25), (4, 70), (6, 25), (30, 70), (20, 25), (59, 70), (5, 25)], &[(13, true)]),
            (&[(10, 25), (60, 70), (10, 25)], &[(9, true), (69, false), (79, true)]),
        ] {
            assert_eq!(told(frames), expected, "{frames:?}");
        }
    }
}
