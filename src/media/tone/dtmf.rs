//! The tones of the keys (ITU-T Q.23): one of four low frequencies with one of four high ones.

use std::f64::consts::TAU;

/// Frequencies in Hz of the rows `123A`, `456B`, `789C`, `*0#D`.
pub const DTMF_LOW: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
/// Frequencies in Hz of the columns `147*`, `2580`, `369#`, `ABCD`.
pub const DTMF_HIGH: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];

/// Low and high frequency of a key in Hz; `None` for what is not on a keypad.
pub fn dtmf_frequencies(key: char) -> Option<(f64, f64)> {
    let at = KEYS.find(key.to_ascii_uppercase())?;
    Some((DTMF_LOW[at / 4], DTMF_HIGH[at % 4]))
}

/// The tone of a key at 8 kHz for so many milliseconds; `None` for what is not on a keypad.
pub fn dtmf(key: char, ms: u32) -> Option<Vec<i16>> {
    let (low, high) = dtmf_frequencies(key)?;
    let sample = |n: u32| {
        let t = f64::from(n) / 8_000.0;
        (LOW_AMPLITUDE * (TAU * low * t).sin() + HIGH_AMPLITUDE * (TAU * high * t).sin()) as i16
    };
    Some((0..ms.saturating_mul(8)).map(sample).collect())
}

const KEYS: &str = "123A456B789C*0#D";
/// −9 dBm0.
const LOW_AMPLITUDE: f64 = 8_100.0;
/// −7 dBm0: lines lose more of the high tone, so it is sent 2 dB louder.
const HIGH_AMPLITUDE: f64 = 10_200.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{dominant, goertzel_power};

    #[test]
    fn every_key_has_its_two_tones() {
        for key in KEYS.chars() {
            let (low, high) = dtmf_frequencies(key).unwrap();
            let pcm = dtmf(key, 80).unwrap();
            assert_eq!(pcm.len(), 640);
            assert_eq!(dominant(&pcm, 8_000, &DTMF_LOW), Some(low), "{key}");
            assert_eq!(dominant(&pcm, 8_000, &DTMF_HIGH), Some(high), "{key}");
            let both = goertzel_power(&pcm, 8_000, low) + goertzel_power(&pcm, 8_000, high);
            assert!(both > 0.9, "{key}: {both}");
        }
    }

    #[test]
    fn keys_are_where_they_are_on_a_phone() {
        assert_eq!(dtmf_frequencies('1'), Some((697.0, 1_209.0)));
        assert_eq!(dtmf_frequencies('0'), Some((941.0, 1_336.0)));
        assert_eq!(dtmf_frequencies('d'), Some((941.0, 1_633.0)));
        assert_eq!(dtmf_frequencies('w'), None);
        assert_eq!(dtmf('é', 10), None);
    }
}
