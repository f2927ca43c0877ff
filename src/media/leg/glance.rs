//! A look into what is relayed untouched: whether the peer says anything at all.
//!
//! Sound of G.711 stands for itself. What other codecs relay is decoded by nobody, so one packet in ten is, alone and
//! from the decoder's beginning: that makes no music of it but tells sound from silence.

use super::Leg;
use super::listen::{NARROW_RATE, SOUND_SAMPLES_MAX};
use crate::codec::CodecKind;
use crate::codec::coder::Decoder;
use crate::quality::Level;

/// One packet of so many is looked into.
const PACKETS: u8 = 10;

/// The decoders that all legs of a thread look through.
pub(crate) struct Glass {
    decoders: [Decoder; 4],
}

impl std::fmt::Debug for Glass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Glass")
    }
}

impl Glass {
    pub(crate) fn new() -> Glass {
        let codecs = [CodecKind::Opus, CodecKind::G722, CodecKind::L16Narrow, CodecKind::L16Wide];
        Glass { decoders: codecs.map(|codec| Decoder::new(codec, NARROW_RATE)) }
    }

    /// How loud a packet is by itself; `None` for a broken one, and for the laws of G.711.
    fn level(&mut self, codec: CodecKind, payload: &[u8]) -> Option<Level> {
        let decoder = self.decoders.iter_mut().find(|decoder| decoder.codec() == codec)?;
        decoder.reset();
        let mut pcm = [0; SOUND_SAMPLES_MAX];
        let count = decoder.decode(payload, &mut pcm);
        // A decoder that begins in the middle begins beside the mean, and finds it in the first half.
        let pcm = &mut pcm[count / 2..count];
        let mean = pcm.iter().map(|sample| i32::from(*sample)).sum::<i32>() / pcm.len().max(1) as i32;
        pcm.iter_mut().for_each(|sample| *sample = (i32::from(*sample) - mean).clamp(-32_768, 32_767) as i16);
        (count > 0).then(|| Level::of(pcm))
    }
}

impl Leg {
    /// A packet of this codec came that nobody decodes.
    #[inline]
    pub(crate) fn glance(&mut self, codec: CodecKind, payload: &[u8], glass: &mut Glass) {
        let Some(guard) = &mut self.guard else { return };
        guard.passed = (guard.passed + 1) % PACKETS;
        if guard.passed == 0
            && let Some(level) = glass.level(codec, payload)
        {
            guard.watcher.on_glance(level, PACKETS);
        }
    }
}
