//! What plays to a leg: clips and silences in order, as often as asked, cut into frames of the leg's codec.
//!
//! Clips are encoded before they come here, so a frame is copied, not computed. Where one item ends within a
//! frame the next begins in the same frame: a loop has no seam.

use crate::codec::CodecKind;
use crate::command::PlayId;
use crate::engine::CoreItem;

/// Samples of a frame: 20 ms at 8 kHz.
pub const FRAME_SAMPLES: usize = 160;

/// A frame in a leg's codec, one byte a sample.
pub type Frame = [u8; FRAME_SAMPLES];

/// Items one play may hold; more are left out.
pub const ITEMS_MAX: usize = 1_024;

/// A play in progress.
#[derive(Debug)]
pub struct Player {
    /// Whose it is; `None` for a beep of our own.
    pub play: Option<PlayId>,
    items: Vec<CoreItem>,
    /// Rounds left, this one included; `None` = for ever.
    rounds: Option<u32>,
    item: usize,
    /// Samples of the item that were played.
    position: usize,
}

impl Player {
    /// Plays `items` so many times; 0 = for ever.
    pub fn new(play: Option<PlayId>, mut items: Vec<CoreItem>, repeat: u32) -> Player {
        items.truncate(ITEMS_MAX);
        let has_sound = items.iter().any(|item| samples(item) > 0);
        let rounds = match repeat {
            // Nothing, for ever, would never end and never sound.
            _ if !has_sound => Some(0),
            0 => None,
            n => Some(n),
        };
        Player { play, items, rounds, item: 0, position: 0 }
    }

    /// Fills the frame; false when nothing was left to put into it. The last frame ends with silence.
    pub fn fill(&mut self, codec: CodecKind, frame: &mut Frame) -> bool {
        let mut filled = 0;
        while filled < FRAME_SAMPLES && !self.is_over() {
            let item = &self.items[self.item];
            let count = (samples(item) - self.position).min(FRAME_SAMPLES - filled);
            let target = &mut frame[filled..filled + count];
            match item {
                CoreItem::Clip(clip) => {
                    let source = match codec {
                        CodecKind::Pcma => &clip.alaw,
                        _ => &clip.ulaw,
                    };
                    target.copy_from_slice(&source[self.position..self.position + count]);
                }
                CoreItem::Silence { .. } => target.fill(codec.silence()),
            }
            filled += count;
            self.position += count;
            self.step();
        }
        frame[filled..].fill(codec.silence());
        filled > 0
    }

    /// As [`Player::fill`], with samples at 8 kHz.
    pub fn fill_pcm(&mut self, frame: &mut [i16; FRAME_SAMPLES]) -> bool {
        let mut filled = 0;
        while filled < FRAME_SAMPLES && !self.is_over() {
            let item = &self.items[self.item];
            let count = (samples(item) - self.position).min(FRAME_SAMPLES - filled);
            let target = &mut frame[filled..filled + count];
            match item {
                CoreItem::Clip(clip) => {
                    target.copy_from_slice(&clip.pcm[self.position..self.position + count]);
                }
                CoreItem::Silence { .. } => target.fill(0),
            }
            filled += count;
            self.position += count;
            self.step();
        }
        frame[filled..].fill(0);
        filled > 0
    }

    /// Whether all of it has been played.
    pub fn is_over(&self) -> bool {
        self.rounds == Some(0)
    }

    fn step(&mut self) {
        if self.position < samples(&self.items[self.item]) {
            return;
        }
        self.position = 0;
        self.item += 1;
        if self.item == self.items.len() {
            self.item = 0;
            self.rounds = self.rounds.map(|n| n - 1);
        }
    }
}

/// Samples of an item; of a clip, as many as all its forms have.
fn samples(item: &CoreItem) -> usize {
    match item {
        CoreItem::Clip(clip) => clip.ulaw.len().min(clip.alaw.len()),
        CoreItem::Silence { ms } => *ms as usize * 8,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clip::Clip;

    fn clip(bytes: &[u8]) -> CoreItem {
        CoreItem::Clip(Arc::new(Clip {
            rate: Clip::RATE,
            pcm: vec![0; bytes.len()].into(),
            ulaw: bytes.into(),
            alaw: bytes.iter().map(|b| b ^ 0x55).collect(),
            wide: None,
        }))
    }

    fn played(mut player: Player, codec: CodecKind) -> Vec<u8> {
        let mut all = Vec::new();
        let mut frame = [0; FRAME_SAMPLES];
        while player.fill(codec, &mut frame) {
            all.extend_from_slice(&frame);
            assert!(all.len() < 100_000, "it never ends");
        }
        assert!(player.is_over());
        all
    }

    #[test]
    fn items_follow_each_other_within_a_frame() {
        let items = vec![clip(&[1; 100]), CoreItem::Silence { ms: 10 }, clip(&[2; 30])];
        let all = played(Player::new(None, items, 1), CodecKind::Pcmu);
        let expected = [vec![1; 100], vec![0xFF; 80], vec![2; 30], vec![0xFF; 110]].concat();
        assert_eq!(all, expected);
    }

    #[test]
    fn a_loop_has_no_seam() {
        let all = played(Player::new(None, vec![clip(&[1, 2, 3])], 100), CodecKind::Pcmu);
        assert_eq!(&all[..300], [1, 2, 3].repeat(100));
        let mut for_ever = Player::new(None, vec![clip(&[7; 13])], 0);
        let mut frame = [0; FRAME_SAMPLES];
        for _ in 0..10_000 {
            assert!(for_ever.fill(CodecKind::Pcmu, &mut frame) && frame == [7; FRAME_SAMPLES]);
        }
    }

    #[test]
    fn each_codec_gets_its_own_form() {
        let all = played(Player::new(None, vec![clip(&[0x0F])], 1), CodecKind::Pcma);
        assert_eq!((all[0], all[1]), (0x0F ^ 0x55, 0xD5));
    }

    #[test]
    fn nothing_to_play_is_over_at_once() {
        for repeat in [0, 1] {
            for items in [vec![], vec![clip(&[])], vec![CoreItem::Silence { ms: 0 }]] {
                let mut player = Player::new(None, items, repeat);
                assert!(player.is_over() && !player.fill(CodecKind::Pcmu, &mut [0; FRAME_SAMPLES]));
            }
        }
    }

    #[test]
    fn empty_items_are_passed_over() {
        let items = vec![clip(&[]), clip(&[5; 160]), clip(&[])];
        assert_eq!(played(Player::new(None, items, 2), CodecKind::Pcmu), [5; 320]);
    }
}
