//! Comfort noise (RFC 3389): the level of the noise behind a speaker, sent when he pauses, and noise of that
//! level so that the line does not sound dead.
//!
//! Only the level is used: the noise is white. A payload may also describe its spectrum; what we write does not.

use base::Rng;

/// A source of noise for one stream.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    state: u32,
    /// Largest value, now and wanted: it moves there over some milliseconds, so that a change is no click.
    peak: f32,
    target: f32,
}

impl ComfortNoise {
    /// Silent until it is given a level.
    pub fn new(rng: &mut Rng) -> ComfortNoise {
        ComfortNoise { state: rng.u32(), peak: 0.0, target: 0.0 }
    }

    /// Noise of `level` from now on, in −dBov: 0 is as loud as can be, 127 as good as silent.
    pub fn set_level(&mut self, level: u8) {
        // Equally distributed values have the power of a third of their peak's square.
        self.target = (FULL_SCALE * (-f32::from(level) / 20.0 * std::f32::consts::LN_10).exp() * SQRT_3)
            .min(FULL_SCALE);
    }

    /// Fills `pcm` with the noise.
    pub fn fill(&mut self, pcm: &mut [i16]) {
        for sample in pcm {
            self.peak += (self.target - self.peak) * APPROACH;
            // Of the generator of Numerical Recipes the upper bits are the random ones.
            self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (self.state.cast_signed() >> 8) as f32 / (1 << 23) as f32;
            *sample = (noise * self.peak).round() as i16;
        }
    }
}

/// The level a payload names, in −dBov; `None` for an empty one.
pub fn level_of_payload(payload: &[u8]) -> Option<u8> {
    payload.first().map(|byte| byte & 0x7F)
}

/// Writes the payload that names a level and says how many bytes it has (0: no room).
pub fn write_payload(level: u8, payload: &mut [u8]) -> usize {
    let Some(first) = payload.first_mut() else { return 0 };
    *first = level.min(LEVEL_MIN);
    1
}

/// The level of samples in −dBov: their power below that of a square wave at full scale.
pub fn level_of_samples(pcm: &[i16]) -> u8 {
    let energy: u64 = pcm.iter().map(|s| u64::from(s.unsigned_abs()).pow(2)).sum();
    if energy == 0 {
        return LEVEL_MIN;
    }
    let power = energy as f64 / pcm.len() as f64 / f64::from(FULL_SCALE).powi(2);
    (-10.0 * power.log10()).round().clamp(0.0, f64::from(LEVEL_MIN)) as u8
}

/// The quietest level there is.
pub const LEVEL_MIN: u8 = 127;
const FULL_SCALE: f32 = 32_768.0;
const SQRT_3: f32 = 1.732_050_8;
/// Two thirds of the way in 8 ms at 8 kHz.
const APPROACH: f32 = 1.0 / 64.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_level_asked_for() {
        for level in [10, 30, 50, 70] {
            let mut noise = ComfortNoise::new(&mut Rng::seeded(1));
            noise.set_level(level);
            let mut pcm = [0; 8_000];
            noise.fill(&mut pcm);
            noise.fill(&mut pcm);
            assert!(level_of_samples(&pcm).abs_diff(level) <= 1, "{level}: {}", level_of_samples(&pcm));
            let mean = pcm.iter().map(|s| f64::from(*s)).sum::<f64>() / 8_000.0;
            let peak = f64::from(pcm.iter().map(|s| s.unsigned_abs()).max().unwrap());
            assert!(mean.abs() <= 0.03 * peak + 0.1, "{level}: mean {mean}");
        }
    }

    #[test]
    fn levels_are_of_power() {
        let square: Vec<i16> = (0..800).map(|n| if n % 2 == 0 { i16::MAX } else { -i16::MAX }).collect();
        assert_eq!(level_of_samples(&square), 0);
        assert_eq!(level_of_samples(&[3_277, -3_277]), 20);
        assert_eq!(level_of_samples(&[0; 160]), 127);
        assert_eq!(level_of_samples(&[]), 127);
    }

    #[test]
    fn payloads_carry_the_level_first() {
        let mut payload = [0; 4];
        assert_eq!(write_payload(50, &mut payload), 1);
        assert_eq!(level_of_payload(&payload), Some(50));
        assert_eq!(write_payload(200, &mut payload), 1);
        assert_eq!(level_of_payload(&payload), Some(127));
        assert_eq!(write_payload(50, &mut []), 0);
        assert_eq!(level_of_payload(&[]), None);
        assert_eq!(level_of_payload(&[0xC0, 1, 2]), Some(0x40));
    }

    #[test]
    fn a_change_of_level_is_no_click() {
        let mut noise = ComfortNoise::new(&mut Rng::seeded(2));
        noise.set_level(20);
        let mut pcm = [0; 8];
        noise.fill(&mut pcm);
        assert!(pcm.iter().all(|s| s.abs() < 1_000), "{pcm:?}");
    }
}
