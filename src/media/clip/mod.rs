//! A sound that is ready to be played: decoded once, encoded once per codec, shared by every leg.

mod growing;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::codec::{pcma, pcmu};
pub use growing::{Chunk, Grower, GrowingClip, PIECE_SAMPLES};

/// Names a sound by its content, for example `say:<sha256 of voice, language and text>` or a URL with its
/// validator. The shell resolves it to a [`Clip`]; equal keys mean equal sounds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClipKey(pub String);

/// A mono sound at [`Clip::RATE`]. The three forms have one entry per sample each, so that sample `n` of one
/// is sample `n` of the others and a leg plays the form its codec sends. A clone shares the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    /// Samples a second; always [`Clip::RATE`].
    pub rate: u32,
    /// Linear samples, 16 bits, for mixing and recording.
    pub pcm: Arc<[i16]>,
    /// The same in G.711 µ-law.
    pub ulaw: Arc<[u8]>,
    /// The same in G.711 A-law.
    pub alaw: Arc<[u8]>,
    /// The same at [`Clip::WIDE_RATE`], two samples for each of `pcm`, where the source has more than `pcm` holds.
    pub wide: Option<Arc<[i16]>>,
}

impl Clip {
    /// Samples a second of every clip: the clock of G.711.
    pub const RATE: u32 = 8_000;

    /// Samples a second of the wideband form.
    pub const WIDE_RATE: u32 = 16_000;

    /// Encodes `pcm`, mono at 8 kHz, for every codec.
    pub fn from_pcm(pcm: &[i16]) -> Clip {
        Clip {
            rate: Clip::RATE,
            ulaw: pcm.iter().map(|&s| pcmu::encode(s)).collect(),
            alaw: pcm.iter().map(|&s| pcma::encode(s)).collect(),
            pcm: pcm.into(),
            wide: None,
        }
    }

    /// The same clip with its wideband form, which is cut or filled up to two samples for each narrow one.
    pub fn with_wide(mut self, mut wide: Vec<i16>) -> Clip {
        wide.resize(2 * self.pcm.len(), 0);
        self.wide = Some(wide.into());
        self
    }

    /// How long it plays, in milliseconds, rounded down.
    pub fn duration_ms(&self) -> u64 {
        self.pcm.len() as u64 * 1_000 / u64::from(self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wide_form_is_twice_as_long_exactly() {
        for len in [0, 5, 6, 7] {
            let clip = Clip::from_pcm(&[1, 2, 3]).with_wide(vec![9; len]);
            assert_eq!(clip.wide.map(|wide| wide.len()), Some(6));
        }
    }

    #[test]
    fn every_form_is_the_same_sound() {
        let clip = Clip::from_pcm(&[0, 1_000, -1_000, i16::MAX, i16::MIN, 50, 60, 70]);
        assert_eq!((clip.rate, clip.duration_ms()), (8_000, 1));
        assert_eq!(clip.ulaw.len(), clip.pcm.len());
        assert_eq!(clip.alaw.len(), clip.pcm.len());
        for (n, &sample) in clip.pcm.iter().enumerate() {
            let step = i32::from(sample).abs() / 16 + 16;
            for heard in [pcmu::decode(clip.ulaw[n]), pcma::decode(clip.alaw[n])] {
                assert!((i32::from(heard) - i32::from(sample)).abs() <= step, "{sample} heard as {heard}");
            }
        }
    }
}
