//! Measuring what is heard: tests listen to calls with it.

use std::f64::consts::TAU;

/// The share of the sound's energy that lies at `hz`, 0 to 1, by Goertzel's algorithm. A pure tone has 1 at
/// its frequency if it lasts for some periods; silence has 0 everywhere. The frequency is told apart from
/// one that is `rate / samples.len()` away. `rate` in Hz.
pub fn goertzel_power(samples: &[i16], rate: u32, hz: f64) -> f64 {
    let energy: f64 = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
    if energy == 0.0 {
        return 0.0;
    }
    let coefficient = 2.0 * (TAU * hz / f64::from(rate)).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        let now = f64::from(*sample) + coefficient * last - before;
        (last, before) = (now, last);
    }
    let power = last * last + before * before - coefficient * last * before;
    (2.0 * power / (energy * samples.len() as f64)).clamp(0.0, 1.0)
}

/// Which of `candidates` (Hz) is heard most; `None` when none has [`DOMINANT_SHARE_MIN`] of the energy.
pub fn dominant(samples: &[i16], rate: u32, candidates: &[f64]) -> Option<f64> {
    let shares = candidates.iter().map(|hz| (*hz, goertzel_power(samples, rate, *hz)));
    let (hz, share) = shares.max_by(|a, b| a.1.total_cmp(&b.1))?;
    (share >= DOMINANT_SHARE_MIN).then_some(hz)
}

/// Level of the sound in dB below a square wave of full scale; a sine of full scale has −3. Silence has
/// minus infinity.
pub fn level_dbov(samples: &[i16]) -> f64 {
    let energy: f64 = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
    10.0 * (energy / samples.len().max(1) as f64 / (32_768.0 * 32_768.0)).log10()
}

/// The share below which [`dominant`] calls nothing dominant.
pub const DOMINANT_SHARE_MIN: f64 = 0.2;

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f64, amplitude: f64) -> Vec<i16> {
        (0..4_000).map(|n| (amplitude * (TAU * hz * f64::from(n) / 8_000.0).sin()) as i16).collect()
    }

    #[test]
    fn a_tone_is_all_at_its_frequency_whatever_its_level() {
        for amplitude in [50.0, 1_000.0, 32_767.0] {
            let tone = sine(440.0, amplitude);
            assert!(goertzel_power(&tone, 8_000, 440.0) > 0.98);
            assert!(goertzel_power(&tone, 8_000, 450.0) < 0.01);
            assert!(goertzel_power(&tone, 8_000, 880.0) < 0.01);
        }
    }

    #[test]
    fn two_tones_share() {
        let mix: Vec<i16> =
            sine(440.0, 8_000.0).iter().zip(sine(1_000.0, 4_000.0)).map(|(a, b)| a + b).collect();
        assert!((goertzel_power(&mix, 8_000, 440.0) - 0.8).abs() < 0.01);
        assert!((goertzel_power(&mix, 8_000, 1_000.0) - 0.2).abs() < 0.01);
        assert_eq!(dominant(&mix, 8_000, &[1_000.0, 440.0, 300.0]), Some(440.0));
    }

    #[test]
    fn silence_and_noise_have_no_tone() {
        assert_eq!(goertzel_power(&[], 8_000, 440.0), 0.0);
        assert_eq!(goertzel_power(&[0; 100], 8_000, 440.0), 0.0);
        assert_eq!(dominant(&[0; 100], 8_000, &[440.0]), None);
        assert_eq!(dominant(&sine(440.0, 1_000.0), 8_000, &[]), None);
        let mut rng = base::Rng::seeded(1);
        let noise: Vec<i16> = (0..4_000).map(|_| rng.below(20_000) as i16 - 10_000).collect();
        assert_eq!(dominant(&noise, 8_000, &[300.0, 440.0, 1_000.0, 2_000.0]), None);
    }

    #[test]
    fn levels_are_relative_to_full_scale() {
        assert!((level_dbov(&sine(1_000.0, 32_767.0)) + 3.0).abs() < 0.05);
        assert!((level_dbov(&sine(1_000.0, 3_276.7)) + 23.0).abs() < 0.05);
        assert_eq!(level_dbov(&[]), f64::NEG_INFINITY);
    }
}
