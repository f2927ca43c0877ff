//! Tones: generating the ones a telephone knows, and measuring what is heard.
//!
//! A tone is made once, as one round of its cadence, and then played like any other sound: again and again
//! if it [`Tone::repeats`].

mod detect;
mod dtmf;
mod measure;
mod ringback;

use serde::{Deserialize, Serialize};

pub use detect::Detector;
pub use dtmf::{DTMF_HIGH, DTMF_LOW, dtmf, dtmf_frequencies};
pub use measure::{DOMINANT_SHARE_MIN, dominant, goertzel_power, level_dbov};
pub use ringback::COUNTRIES;

use crate::clip::Clip;

/// A tone the box generates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tone {
    /// The called phone rings.
    Ringback {
        /// One of [`COUNTRIES`], such as `us`, `de` or `us-old`; an unknown one sounds as `us`.
        country: String,
    },
    /// The called phone is busy: 480 + 620 Hz, half a second on and off.
    Busy,
    /// The network cannot connect: as [`Tone::Busy`] but twice as fast.
    Congestion,
    /// What is said next is recorded: 1000 Hz for 400 ms, once.
    Beep,
}

impl Tone {
    /// One round of the tone with the silence of its cadence, ready to be played. At most
    /// [`ROUND_MS_MAX`] long.
    pub fn clip(&self) -> Clip {
        let mut pcm = Vec::new();
        let (sound, cadence) = self.describe();
        for (turn, ms) in cadence.iter().enumerate() {
            let samples = Clip::RATE as usize * usize::from(*ms) / 1_000;
            if turn % 2 == 0 {
                sound.render(samples, &mut pcm);
            } else {
                pcm.resize(pcm.len() + samples, 0);
            }
        }
        Clip::from_pcm(&pcm)
    }

    /// Whether the round begins again when it is over.
    pub fn repeats(&self) -> bool {
        match self {
            Tone::Ringback { .. } | Tone::Busy | Tone::Congestion => true,
            Tone::Beep => false,
        }
    }

    /// What sounds, and for how many milliseconds it sounds, is silent, sounds…
    fn describe(&self) -> (Sound, &'static [u16]) {
        match self {
            Tone::Ringback { country } => ringback::of(country),
            Tone::Busy => (Sound::Sum(480, 620), &[500, 500]),
            Tone::Congestion => (Sound::Sum(480, 620), &[250, 250]),
            Tone::Beep => (Sound::Pure(1_000), &[400]),
        }
    }
}

/// Longest round of any tone, in milliseconds.
pub const ROUND_MS_MAX: u64 = 7_000;

/// Frequencies in Hz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sound {
    Pure(u16),
    Sum(u16, u16),
    /// The first, made louder and softer at the pace of the second.
    Modulated(u16, u16),
}

impl Sound {
    fn render(self, samples: usize, pcm: &mut Vec<i16>) {
        let sine = |hz: u16, n: usize| {
            (std::f64::consts::TAU * f64::from(hz) * n as f64 / f64::from(Clip::RATE)).sin()
        };
        pcm.extend((0..samples).map(|n| {
            let value = match self {
                Sound::Pure(hz) => sine(hz, n),
                Sound::Sum(a, b) => (sine(a, n) + sine(b, n)) / std::f64::consts::SQRT_2,
                Sound::Modulated(hz, by) => sine(hz, n) * (1.0 + MODULATION_DEPTH * sine(by, n)) / 1.2,
            };
            (value * AMPLITUDE * edge(n, samples)) as i16
        }));
    }
}

/// Fades the first and last milliseconds, so that a tone begins and ends without a click.
fn edge(n: usize, samples: usize) -> f64 {
    (n.min(samples - 1 - n) as f64 / FADE_SAMPLES).min(1.0)
}

/// −13 dBm0, in the middle of what ITU-T E.180 recommends; full scale of G.711 is about +3 dBm0.
const AMPLITUDE: f64 = 5_100.0;
const FADE_SAMPLES: f64 = 32.0;
const MODULATION_DEPTH: f64 = 0.9;

#[cfg(test)]
mod tests {
    use super::*;

    fn ringback(country: &str) -> Tone {
        Tone::Ringback { country: country.to_owned() }
    }

    /// Share of `hz` in the first of the clip's milliseconds.
    fn share(clip: &Clip, ms: usize, hz: f64) -> f64 {
        goertzel_power(&clip.pcm[..8 * ms], Clip::RATE, hz)
    }

    #[test]
    fn ringback_sounds_and_pauses_as_in_the_country() {
        let us = ringback("us").clip();
        assert_eq!(us.duration_ms(), 6_000);
        assert!(share(&us, 2_000, 440.0) > 0.45 && share(&us, 2_000, 480.0) > 0.45);
        assert_eq!(level_dbov(&us.pcm[16_000..]), f64::NEG_INFINITY);

        let uk = ringback("uk").clip();
        assert_eq!(uk.duration_ms(), 3_000);
        assert!(uk.pcm[3_200..4_800].iter().all(|s| *s == 0), "pause between both rings");
        assert_eq!(dominant(&uk.pcm[4_800..8_000], 8_000, &[400.0, 425.0]), Some(400.0));

        let de = ringback("DE").clip();
        assert_eq!(de.duration_ms(), 5_000);
        assert!(share(&de, 1_000, 425.0) > 0.95);
    }

    #[test]
    fn modulated_tones_keep_their_carrier() {
        let za = ringback("za").clip();
        assert_eq!(dominant(&za.pcm[..3_200], 8_000, &[367.0, 400.0, 433.0]), Some(400.0));
        assert!(share(&za, 400, 367.0) > 0.1 && share(&za, 400, 433.0) > 0.1);
    }

    #[test]
    fn every_country_rings() {
        for country in COUNTRIES {
            let clip = ringback(country).clip();
            assert!((2_000..=ROUND_MS_MAX).contains(&clip.duration_ms()), "{country}");
            let level = level_dbov(&clip.pcm[..3_200]);
            assert!((-22.0..-17.0).contains(&level), "{country} rings at {level:.1}");
            let clipped = clip.pcm.iter().any(|s| s.abs() > 12_000);
            assert!(!clipped && clip.pcm[clip.pcm.len() - 1] == 0, "{country}");
        }
        assert_eq!(ringback("atlantis").clip(), ringback("us").clip());
    }

    #[test]
    fn busy_and_beep() {
        let busy = Tone::Busy.clip();
        assert_eq!((busy.duration_ms(), Tone::Busy.repeats()), (1_000, true));
        assert!(share(&busy, 500, 480.0) > 0.45 && share(&busy, 500, 620.0) > 0.45);
        assert_eq!(Tone::Congestion.clip().duration_ms(), 500);
        let beep = Tone::Beep.clip();
        assert_eq!((beep.duration_ms(), Tone::Beep.repeats()), (400, false));
        assert!(share(&beep, 400, 1_000.0) > 0.95);
        assert!(beep.pcm[0].abs() < 200 && beep.pcm[beep.pcm.len() - 1].abs() < 200, "clicks");
    }
}
