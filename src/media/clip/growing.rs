//! A sound that begins to play before it is whole: somebody decodes it, others play it at the same time.
//!
//! It grows by pieces of a second. A reader takes no lock and waits for nobody: what is not there yet is
//! [`Chunk::NotYet`], and the player bridges it with silence.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::Clip;

/// Samples of a piece at [`Clip::RATE`]: a second.
pub const PIECE_SAMPLES: usize = 8_000;

/// Pieces one sound may have: forty minutes. What is beyond is left out.
const PIECES_MAX: usize = 2_400;

/// What there is at a place of a growing sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// So many samples, at least one.
    Some(usize),
    /// It is not decoded yet.
    NotYet,
    /// The sound ends before this place, now and for ever.
    End,
}

/// A mono sound that grows at its end until it is complete.
#[derive(Debug)]
pub struct GrowingClip {
    /// All but the last have [`PIECE_SAMPLES`].
    pieces: Box<[OnceLock<Piece>]>,
    /// Samples in all once it is complete; until then `usize::MAX`.
    end: AtomicUsize,
}

#[derive(Debug)]
struct Piece {
    pcm: Box<[i16]>,
    /// Two samples for each of `pcm`.
    wide: Option<Box<[i16]>>,
}

impl GrowingClip {
    /// Copies samples at [`Clip::RATE`] from this place on into `out`, as many as there are.
    pub fn samples(&self, from: usize, out: &mut [i16]) -> Chunk {
        self.copy(from, out, PIECE_SAMPLES, self.end(), |piece| Some(&piece.pcm))
    }

    /// The same at [`Clip::WIDE_RATE`]; `from` counts wide samples. Narrow pieces are repeated sample by sample,
    /// which happens only where a stream changes its rate.
    pub fn wide_samples(&self, from: usize, out: &mut [i16]) -> Chunk {
        let end = self.end().saturating_mul(2);
        match self.copy(from, out, 2 * PIECE_SAMPLES, end, |piece| piece.wide.as_ref()) {
            Chunk::Some(0) => {}
            chunk => return chunk,
        }
        let mut narrow = [0; 1];
        for (n, slot) in out.iter_mut().enumerate() {
            match self.samples((from + n) / 2, &mut narrow) {
                Chunk::Some(_) => *slot = narrow[0],
                Chunk::NotYet | Chunk::End if n > 0 => return Chunk::Some(n),
                chunk => return chunk,
            }
        }
        Chunk::Some(out.len())
    }

    /// Whether it has a wideband form.
    pub fn is_wide(&self) -> bool {
        self.pieces[0].get().is_some_and(|piece| piece.wide.is_some())
    }

    /// Samples at [`Clip::RATE`] in all; `None` while it grows.
    pub fn len(&self) -> Option<usize> {
        Some(self.end()).filter(|&end| end != usize::MAX)
    }

    /// Whether it is complete and holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// All of it as an ordinary clip; `None` while it grows.
    pub fn whole(&self) -> Option<Clip> {
        let len = self.len()?;
        let pieces = || self.pieces.iter().map_while(OnceLock::get);
        let pcm: Vec<i16> = pieces().flat_map(|piece| piece.pcm.iter().copied()).take(len).collect();
        let clip = Clip::from_pcm(&pcm);
        if !pieces().all(|piece| piece.wide.is_some()) || pcm.is_empty() {
            return Some(clip);
        }
        Some(clip.with_wide(pieces().filter_map(|piece| piece.wide.as_ref()).flatten().copied().collect()))
    }

    fn end(&self) -> usize {
        self.end.load(Ordering::Acquire)
    }

    fn copy<'a>(
        &'a self,
        from: usize,
        out: &mut [i16],
        piece_samples: usize,
        end: usize,
        form: impl Fn(&'a Piece) -> Option<&'a Box<[i16]>>,
    ) -> Chunk {
        let mut filled = 0;
        while filled < out.len() {
            let at = from + filled;
            let piece = self.pieces.get(at / piece_samples).and_then(OnceLock::get);
            let Some(piece) = piece.filter(|_| at < end) else { break };
            let Some(samples) = form(piece) else { return Chunk::Some(filled) };
            let Some(rest) = samples.get(at % piece_samples..).filter(|rest| !rest.is_empty()) else { break };
            let count = rest.len().min(out.len() - filled);
            out[filled..filled + count].copy_from_slice(&rest[..count]);
            filled += count;
        }
        match filled {
            0 if from >= end => Chunk::End,
            0 if !out.is_empty() => Chunk::NotYet,
            count => Chunk::Some(count),
        }
    }
}

/// Makes a [`GrowingClip`] grow; the sound is complete when this is gone.
#[derive(Debug)]
pub struct Grower {
    clip: Arc<GrowingClip>,
    pcm: Vec<i16>,
    wide: Vec<i16>,
    pieces: usize,
}

impl Default for Grower {
    fn default() -> Grower {
        let pieces = (0..PIECES_MAX).map(|_| OnceLock::new()).collect();
        let clip = GrowingClip { pieces, end: AtomicUsize::new(usize::MAX) };
        Grower { clip: Arc::new(clip), pcm: Vec::new(), wide: Vec::new(), pieces: 0 }
    }
}

impl Grower {
    /// The sound as others see it.
    pub fn clip(&self) -> Arc<GrowingClip> {
        self.clip.clone()
    }

    /// Adds samples at [`Clip::RATE`], and those at [`Clip::WIDE_RATE`] where there are such. False when it is as
    /// long as it may get.
    pub fn push(&mut self, pcm: &[i16], wide: &[i16]) -> bool {
        self.pcm.extend_from_slice(pcm);
        self.wide.extend_from_slice(wide);
        // The wide form of a piece may come a little later than the narrow one.
        while self.pcm.len() >= PIECE_SAMPLES
            && (self.wide.is_empty() || self.wide.len() >= 2 * PIECE_SAMPLES)
        {
            self.publish(PIECE_SAMPLES);
        }
        self.pieces < PIECES_MAX
    }

    fn publish(&mut self, samples: usize) {
        let Some(slot) = self.clip.pieces.get(self.pieces) else {
            self.pcm.clear();
            return self.wide.clear();
        };
        let pcm: Box<[i16]> = self.pcm.drain(..samples).collect();
        let wide = (!self.wide.is_empty()).then(|| {
            let count = self.wide.len().min(2 * samples);
            let mut wide: Vec<i16> = self.wide.drain(..count).collect();
            wide.resize(2 * samples, 0);
            wide.into_boxed_slice()
        });
        // Only this writes, and each place once.
        let _ = slot.set(Piece { pcm, wide });
        self.pieces += 1;
    }
}

impl Drop for Grower {
    fn drop(&mut self) {
        let rest = if self.pieces < PIECES_MAX { self.pcm.len().min(PIECE_SAMPLES) } else { 0 };
        let whole = self.pieces * PIECE_SAMPLES;
        if rest > 0 {
            self.publish(rest);
        }
        self.clip.end.store(whole + rest, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(len: usize) -> Vec<i16> {
        (0..len).map(|n| n as i16).collect()
    }

    #[test]
    fn it_is_heard_while_it_grows_and_ends_to_the_sample() {
        let sound = ramp(20_123);
        let mut grower = Grower::default();
        let clip = grower.clip();
        let (mut heard, mut waited) = (Vec::new(), 0);
        let mut parts = sound.chunks(777);
        let mut out = [0; 160];
        loop {
            match clip.samples(heard.len(), &mut out) {
                Chunk::Some(count) => heard.extend_from_slice(&out[..count]),
                Chunk::End => break,
                Chunk::NotYet => {
                    waited += 1;
                    assert_eq!(clip.len(), None);
                    match parts.next() {
                        Some(part) => assert!(grower.push(part, &[])),
                        None => drop(std::mem::take(&mut grower)),
                    }
                }
            }
        }
        assert!(heard == sound && waited > 20);
        assert_eq!((clip.len(), clip.samples(20_123, &mut out)), (Some(20_123), Chunk::End));
        assert_eq!(*clip.whole().unwrap().pcm, *sound);
        // A loop begins anew with the very next sample.
        assert_eq!(clip.samples(20_000, &mut out), Chunk::Some(123));
        assert_eq!(clip.samples(0, &mut out[123..]), Chunk::Some(37));
        assert_eq!((out[122], out[123]), (20_122, 0));
    }

    #[test]
    fn the_wide_form_keeps_step() {
        let mut grower = Grower::default();
        let clip = grower.clip();
        let (narrow, wide) = (ramp(9_000), ramp(18_000));
        grower.push(&narrow, &wide[..15_999]);
        let mut out = [0; 320];
        assert_eq!(clip.samples(0, &mut out), Chunk::NotYet, "both forms of a piece come together");
        grower.push(&[], &wide[15_999..]);
        assert!(clip.is_wide());
        assert_eq!(clip.wide_samples(15_900, &mut out), Chunk::Some(100));
        assert_eq!(out[..100], wide[15_900..16_000]);
        drop(grower);
        assert_eq!(clip.wide_samples(17_990, &mut out), Chunk::Some(10));
        assert_eq!(clip.wide_samples(18_000, &mut out), Chunk::End);
        let whole = clip.whole().unwrap();
        assert!(*whole.pcm == *narrow && *whole.wide.unwrap() == *wide);
    }

    #[test]
    fn a_narrow_sound_is_heard_by_wide_legs_too() {
        let mut grower = Grower::default();
        let clip = grower.clip();
        grower.push(&ramp(10), &[]);
        drop(grower);
        let mut out = [0; 8];
        assert_eq!(clip.wide_samples(14, &mut out), Chunk::Some(6));
        assert_eq!(out[..6], [7, 7, 8, 8, 9, 9]);
        assert_eq!(clip.wide_samples(20, &mut out), Chunk::End);
    }

    #[test]
    fn what_is_endless_is_cut_and_what_is_empty_ends() {
        let mut grower = Grower::default();
        let clip = grower.clip();
        let second = ramp(PIECE_SAMPLES);
        let seconds = (1..).find(|_| !grower.push(&second, &[])).unwrap();
        assert_eq!(seconds, PIECES_MAX);
        grower.push(&second, &[]);
        drop(grower);
        assert_eq!(clip.len(), Some(PIECES_MAX * PIECE_SAMPLES));
        let empty = Grower::default().clip();
        assert!(empty.is_empty() && empty.samples(0, &mut [0; 4]) == Chunk::End);
    }
}
