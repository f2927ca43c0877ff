//! Comfort noise (RFC 3389): how quiet a silent line is.
//!
//! Of a packet only the level is used. The spectrum is left white: what the far end's room sounds like is told
//! by so few senders that nobody would hear it right elsewhere.

/// A generator of white noise. Its numbers are no secret and need not be good.
#[derive(Debug)]
pub(super) struct Noise(u32);

impl Default for Noise {
    fn default() -> Noise {
        Noise(0x9E37_79B9)
    }
}

/// Louder noise than −30 dBov is no comfort; some senders confuse their units.
const LEVEL_LOUDEST: u8 = 30;

impl Noise {
    /// Fills `pcm` at the level of a packet's payload; an empty one is silence.
    pub(super) fn fill(&mut self, payload: &[u8], pcm: &mut [i16]) {
        let Some(&byte) = payload.first() else {
            pcm.fill(0);
            return;
        };
        let level = (byte & 0x7F).max(LEVEL_LOUDEST);
        // Evenly spread noise of peak A has an RMS of A / √3.
        let peak = 32_768.0 * 10f32.powf(-f32::from(level) / 20.0) * 3f32.sqrt();
        let scale = (peak * 65_536.0 / 32_768.0) as i32;
        for sample in pcm {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let random = (self.0 >> 16) as i16;
            *sample = ((i32::from(random) * scale) >> 16) as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::level_dbov;

    #[test]
    fn noise_has_the_level_of_its_packet() {
        for level in [30u8, 40, 50, 60] {
            let mut pcm = [0; 8_000];
            Noise::default().fill(&[level], &mut pcm);
            let heard = level_dbov(&pcm);
            assert!((heard + f64::from(level)).abs() < 1.0, "{level}: {heard}");
        }
        let mut pcm = [7; 160];
        Noise::default().fill(&[127, 1, 2], &mut pcm);
        assert_eq!(pcm, [0; 160]);
        Noise::default().fill(&[0], &mut pcm);
        assert!(level_dbov(&pcm) < -28.0, "capped");
    }
}
