//! What plays to a leg: clips and silences in order, as often as asked, cut into frames of the leg's codec.
//!
//! Clips are encoded before they come here, so a frame is copied, not computed. Where one item ends within a
//! frame the next begins in the same frame: a loop has no seam.

use crate::clip::Chunk;
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
    /// Something sounded in this round.
    sounded: bool,
    is_wide: bool,
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
        let is_wide = items.iter().all(|item| match item {
            CoreItem::Clip(clip) => clip.wide.is_some(),
            CoreItem::Growing(clip) => clip.is_wide(),
            CoreItem::Silence { .. } => true,
        });
        Player { play, items, rounds, item: 0, position: 0, sounded: false, is_wide }
    }

    /// Whether all of it is there at 16 kHz.
    pub fn is_wide(&self) -> bool {
        self.is_wide
    }

    /// Fills the frame; false when nothing was left to put into it. The last frame ends with silence, and where a
    /// sound has not grown far enough yet, silence stands for it.
    pub fn fill(&mut self, codec: CodecKind, frame: &mut Frame) -> bool {
        frame.fill(codec.silence());
        self.advance(|item, position, filled, count| {
            let target = &mut frame[filled..filled + count];
            match item {
                CoreItem::Clip(clip) => {
                    let source = match codec {
                        CodecKind::Pcma => &clip.alaw,
                        _ => &clip.ulaw,
                    };
                    target.copy_from_slice(&source[position..position + count]);
                    count
                }
                CoreItem::Growing(clip) => {
                    let mut pcm = [0; FRAME_SAMPLES];
                    let there = there(clip.samples(position, &mut pcm[..count]));
                    for (byte, &sample) in target.iter_mut().zip(&pcm[..there]) {
                        *byte = codec.encode(sample);
                    }
                    there
                }
                CoreItem::Silence { .. } => count,
            }
        })
    }

    /// As [`Player::fill`], with samples at 8 kHz, and, of a play that is wide, at 16 kHz as well.
    pub fn fill_pcm(
        &mut self,
        narrow: &mut [i16; FRAME_SAMPLES],
        wide: &mut [i16; 2 * FRAME_SAMPLES],
    ) -> bool {
        narrow.fill(0);
        wide.fill(0);
        let is_wide = self.is_wide;
        self.advance(|item, position, filled, count| {
            let narrow = &mut narrow[filled..filled + count];
            let wide = &mut wide[2 * filled..2 * (filled + count)];
            match item {
                CoreItem::Clip(clip) => {
                    narrow.copy_from_slice(&clip.pcm[position..position + count]);
                    if let Some(source) = clip.wide.as_ref().filter(|_| is_wide) {
                        wide.copy_from_slice(&source[2 * position..2 * (position + count)]);
                    }
                    count
                }
                CoreItem::Growing(clip) => {
                    let there = there(clip.samples(position, narrow));
                    if is_wide {
                        clip.wide_samples(2 * position, &mut wide[..2 * there]);
                    }
                    there
                }
                CoreItem::Silence { .. } => count,
            }
        })
    }

    /// Whether all of it has been played.
    pub fn is_over(&self) -> bool {
        self.rounds == Some(0)
    }

    /// Plays a frame. `put` copies so many samples of an item from a position to a place in the frame, and answers
    /// with how many there were. False when nothing was left.
    fn advance(&mut self, mut put: impl FnMut(&CoreItem, usize, usize, usize) -> usize) -> bool {
        let mut filled = 0;
        while filled < FRAME_SAMPLES && !self.is_over() {
            let item = &self.items[self.item];
            let count = samples(item).saturating_sub(self.position).min(FRAME_SAMPLES - filled);
            let there = if count > 0 { put(item, self.position, filled, count) } else { 0 };
            if there == 0 && self.position < samples(item) {
                // It has not grown so far.
                return true;
            }
            self.sounded |= there > 0;
            filled += there;
            self.position += there;
            self.step();
        }
        filled > 0
    }

    fn step(&mut self) {
        if self.position < samples(&self.items[self.item]) {
            return;
        }
        self.position = 0;
        self.item += 1;
        if self.item == self.items.len() {
            self.item = 0;
            // What turned out to be nothing is not played again and again.
            self.rounds = if self.sounded { self.rounds.map(|n| n - 1) } else { Some(0) };
            self.sounded = false;
        }
    }
}

/// Samples of an item; of a clip, as many as all its forms have; of one that grows, more than any.
fn samples(item: &CoreItem) -> usize {
    match item {
        CoreItem::Clip(clip) => clip.ulaw.len().min(clip.alaw.len()),
        CoreItem::Growing(clip) => clip.len().unwrap_or(usize::MAX),
        CoreItem::Silence { ms } => *ms as usize * 8,
    }
}

fn there(chunk: Chunk) -> usize {
    match chunk {
        Chunk::Some(count) => count,
        Chunk::NotYet | Chunk::End => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clip::{Clip, Grower, PIECE_SAMPLES};

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
    fn hold_music_goes_on_with_its_first_sample_after_its_last() {
        // A ramp shows a sample too many or too few; its length is no whole number of frames.
        let ramp: Vec<i16> = (0..3_217).collect();
        let wide_ramp: Vec<i16> = (0..2 * 3_217).collect();
        let item = CoreItem::Clip(Arc::new(Clip::from_pcm(&ramp).with_wide(wide_ramp.clone())));
        let mut player = Player::new(None, vec![item], 0);
        let (mut heard, mut heard_wide) = (Vec::new(), Vec::new());
        for _ in 0..500 {
            let (mut narrow, mut wide) = ([0; FRAME_SAMPLES], [0; 2 * FRAME_SAMPLES]);
            assert!(player.fill_pcm(&mut narrow, &mut wide));
            heard.extend(narrow);
            heard_wide.extend(wide);
        }
        assert!(heard.iter().zip(ramp.iter().cycle()).all(|(heard, sample)| heard == sample));
        assert!(heard_wide.iter().zip(wide_ramp.iter().cycle()).all(|(heard, sample)| heard == sample));
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

    #[test]
    fn wide_clips_are_played_wide_and_one_narrow_one_makes_all_narrow() {
        let ramp: Vec<i16> = (0..200).collect();
        let wide: Vec<i16> = (0..400).collect();
        let both = || CoreItem::Clip(Arc::new(Clip::from_pcm(&ramp).with_wide(wide.clone())));
        let mut player = Player::new(None, vec![both(), CoreItem::Silence { ms: 5 }, both()], 1);
        assert!(player.is_wide());
        let mut heard = Vec::new();
        let (mut narrow, mut frame) = ([0; FRAME_SAMPLES], [0; 2 * FRAME_SAMPLES]);
        while player.fill_pcm(&mut narrow, &mut frame) {
            assert_eq!(narrow[0] * 2, frame[0], "both forms are at the same place");
            heard.extend(frame);
        }
        assert_eq!(heard[..960], [wide.clone(), vec![0; 80], wide.clone(), vec![0; 80]].concat());
        assert!(!Player::new(None, vec![both(), clip(&[1; 160])], 1).is_wide());
    }

    #[test]
    fn a_growing_clip_waits_in_silence_and_loses_nothing() {
        let (mut grower, growing) = {
            let grower = Grower::default();
            let clip = grower.clip();
            (grower, clip)
        };
        let mut player = Player::new(None, vec![CoreItem::Growing(growing), clip(&[9; 160])], 1);
        let mut frame = [0; FRAME_SAMPLES];
        let quiet = [0xFF; FRAME_SAMPLES];
        assert!(player.fill(CodecKind::Pcmu, &mut frame) && frame == quiet);
        let pcm: Vec<i16> = (0..PIECE_SAMPLES as i16 + 60).map(|n| n + 1).collect();
        assert!(grower.push(&pcm, &[]));
        let mut heard = Vec::new();
        for _ in 0..PIECE_SAMPLES / FRAME_SAMPLES {
            let mut narrow = [0; FRAME_SAMPLES];
            assert!(player.fill_pcm(&mut narrow, &mut [0; 2 * FRAME_SAMPLES]));
            heard.extend(narrow);
        }
        assert_eq!(heard[..], pcm[..PIECE_SAMPLES]);
        assert!(player.fill(CodecKind::Pcmu, &mut frame) && frame == quiet, "the rest is not a piece yet");
        drop(grower);
        let mut narrow = [0; FRAME_SAMPLES];
        assert!(player.fill_pcm(&mut narrow, &mut [0; 2 * FRAME_SAMPLES]));
        assert_eq!(narrow[..60], pcm[PIECE_SAMPLES..]);
        assert!(player.fill(CodecKind::Pcmu, &mut frame), "what follows it is played");
    }

    #[test]
    fn a_loop_of_a_clip_that_never_grew_ends() {
        let grower = Grower::default();
        let mut player = Player::new(None, vec![CoreItem::Growing(grower.clip())], 0);
        drop(grower);
        assert!(!player.fill(CodecKind::Pcmu, &mut [0; FRAME_SAMPLES]) && player.is_over());
    }
}
