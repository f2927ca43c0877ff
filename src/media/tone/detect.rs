//! Hearing keys in the sound itself (ITU-T Q.24): for peers that send no telephone events.
//!
//! Blocks of 12.75 ms are tried for the eight tones by Goertzel's algorithm. A block holds a key when one low and
//! one high tone stand out of their groups, are about equally loud, carry most of the energy, and have no
//! overtones, which speech has. How much of its energy they carry also tells how much of a block a key fills,
//! and so how long it was. A key is told once; it must be gone before it is told again.

use std::f64::consts::TAU;

use super::dtmf::{DTMF_HIGH, DTMF_LOW};
use crate::dtmf::Pressed;

/// Listens to one leg. Sound is 16-bit at 8 kHz.
#[derive(Clone, Debug)]
pub struct Detector {
    /// Four low tones and four high, and their overtones.
    tones: [Tone; TONES],
    overtones: [Tone; TONES],
    block: [i16; BLOCK],
    /// Samples of the block so far.
    len: usize,
    run: Option<Run>,
    /// The key that was told and is not over.
    told: Option<u8>,
    /// Blocks in a row without it.
    gone: u8,
}

/// How far a tone turns from one sample to the next: cosine and sine.
#[derive(Clone, Copy, Debug)]
struct Tone {
    cos: f32,
    sin: f32,
}

/// Blocks in a row with the same key.
#[derive(Clone, Copy, Debug)]
struct Run {
    key: u8,
    /// Of the energy of these blocks, what was the key's: their sum, and the best of them.
    share: f32,
    best: f32,
    /// Blocks that leave no doubt.
    sure: u8,
}

/// What a block holds.
#[derive(Clone, Copy, Debug)]
struct Found {
    key: u8,
    share: f32,
    is_sure: bool,
}

const TONES: usize = 8;

/// Runs of Goertzel's algorithm that go on side by side; their number divides that of a block's samples.
const RUNS: usize = 3;

/// 12.75 ms tell tones 78 Hz apart, and the keys' are 73 Hz apart at least; 1.5 % off is still near enough.
const BLOCK: usize = 102;

/// A key is at least this long: 29 ms, between the 23 that are none and the 40 that are one.
const KEY_SAMPLES: f32 = 230.0;

/// Every key of 40 ms fills so many blocks.
const SURE_BLOCKS: u8 = 2;

/// Blocks without it after which a key is over; every pause of 40 ms has so many, none of 10 ms.
const GONE_BLOCKS: u8 = 2;

/// Power of a tone of −36 dBm0 in a block; less is none.
const LEAST: f32 = 3e8;

/// How many times the power of the high tone that of the low one may be, and the other way round: 11 and 6 dB,
/// some more than Q.24 asks for, because tones off their frequency are measured weaker.
const TWIST: (f32, f32) = (14.0, 4.0);

/// The strongest of a group is so many times stronger than the next: where there is doubt, and where not.
const APART: (f32, f32) = (1.3, 3.0);

/// Both tones together have this share of the energy: where there is doubt, and where not.
const SHARE: (f32, f32) = (0.2, 0.76);

/// An overtone has at most this share of the power of both tones. The high tones lie near the overtones of the
/// low ones, which are therefore looked at less strictly.
const OVERTONE: (f32, f32) = (0.5, 0.06);

/// By row and column, as event codes of RFC 4733 are not.
const KEYS: [char; 16] = ['1', '2', '3', 'A', '4', '5', '6', 'B', '7', '8', '9', 'C', '*', '0', '#', 'D'];

impl Default for Detector {
    fn default() -> Detector {
        let tone = |hz: f64| {
            let (sin, cos) = (TAU * hz / 8_000.0).sin_cos();
            Tone { cos: cos as f32, sin: sin as f32 }
        };
        let hz = |n: usize| if n < 4 { DTMF_LOW[n] } else { DTMF_HIGH[n - 4] };
        Detector {
            tones: std::array::from_fn(|n| tone(hz(n))),
            overtones: std::array::from_fn(|n| tone(2.0 * hz(n))),
            block: [0; BLOCK],
            len: 0,
            run: None,
            told: None,
            gone: 0,
        }
    }
}

impl Detector {
    /// Takes what is heard next, at most 23 ms; answers with a key once it is sure of it.
    pub fn feed(&mut self, pcm: &[i16]) -> Option<Pressed> {
        let mut pressed = None;
        let mut rest = pcm;
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(rest.len().min(BLOCK - self.len));
            self.block[self.len..self.len + head.len()].copy_from_slice(head);
            self.len += head.len();
            rest = tail;
            if self.len == BLOCK {
                self.len = 0;
                let found = self.search();
                pressed = self.on_block(found).or(pressed);
            }
        }
        pressed
    }

    /// Another sound begins: what was heard so far does not go on in it.
    pub fn reset(&mut self) {
        (self.len, self.run, self.told, self.gone) = (0, None, None, 0);
    }

    fn on_block(&mut self, found: Option<Found>) -> Option<Pressed> {
        if self.told.is_some() && found.map(|f| f.key) != self.told {
            self.gone += 1;
            if self.gone >= GONE_BLOCKS {
                self.told = None;
            }
        } else {
            self.gone = 0;
        }
        let Some(found) = found else {
            self.run = None;
            return None;
        };
        let before = self.run.filter(|run| run.key == found.key);
        let run = Run {
            key: found.key,
            share: before.map_or(0.0, |r| r.share) + found.share,
            best: before.map_or(0.0, |r| r.best).max(found.share),
            sure: before.map_or(0, |r| r.sure).saturating_add(u8::from(found.is_sure)),
        };
        self.run = Some(run);
        let samples = run.share / run.best * BLOCK as f32;
        if run.sure < SURE_BLOCKS || samples < KEY_SAMPLES || self.told == Some(run.key) {
            return None;
        }
        self.told = Some(run.key);
        self.gone = 0;
        Some(Pressed { digit: KEYS[usize::from(run.key)], ms: samples as u32 / 8 })
    }

    fn search(&self) -> Option<Found> {
        let energy: i64 = self.block.iter().map(|s| i64::from(*s) * i64::from(*s)).sum();
        // What both tones would have if there were nothing else.
        let most = energy as f32 * BLOCK as f32 / 2.0;
        if most < 2.0 * LEAST * SHARE.0 {
            return None;
        }
        let powers = powers(&self.block, &self.tones);
        let (low, high) = (strongest(&powers[..4]), strongest(&powers[4..]));
        let both = low.power + high.power;
        let share = both / most;
        let is_twisted = low.power > TWIST.0 * high.power || high.power > TWIST.1 * low.power;
        let apart = low.apart.min(high.apart);
        if is_twisted || share < SHARE.0 || apart < APART.0 {
            return None;
        }
        let key = (low.at * 4 + high.at) as u8;
        let is_sure = share >= SHARE.1
            && apart >= APART.1
            && low.power.min(high.power) >= LEAST
            && self.is_free_of_overtones(low.at, high.at, both);
        Some(Found { key, share: share.min(1.0), is_sure })
    }

    fn is_free_of_overtones(&self, low: usize, high: usize, both: f32) -> bool {
        let powers = powers(&self.block, &[self.overtones[low], self.overtones[4 + high]]);
        powers[0] <= OVERTONE.0 * both && powers[1] <= OVERTONE.1 * both
    }
}

struct Strongest {
    at: usize,
    power: f32,
    /// How many times stronger than the next.
    apart: f32,
}

fn strongest(powers: &[f32]) -> Strongest {
    let mut found = Strongest { at: 0, power: 0.0, apart: 0.0 };
    let mut next = 0.0f32;
    for (at, &power) in powers.iter().enumerate() {
        if power > found.power {
            next = found.power;
            (found.at, found.power) = (at, power);
        } else {
            next = next.max(power);
        }
    }
    found.apart = found.power / next.max(1.0);
    found
}

/// The power of each tone by Goertzel's algorithm, side by side for all of them.
///
/// Each step of it waits for the one before. So every third sample makes a run of its own, and what the runs find is
/// turned to where the first of them stands and added: the same sum as of all samples in a row.
fn powers<const N: usize>(block: &[i16; BLOCK], tones: &[Tone; N]) -> [f32; N] {
    // Of a tone three samples on, twice the cosine.
    let coefficients: [f32; N] = std::array::from_fn(|n| 2.0 * tones[n].thrice().cos);
    let (mut last, mut before) = ([[0f32; N]; RUNS], [[0f32; N]; RUNS]);
    for samples in block.as_chunks::<RUNS>().0 {
        for run in 0..RUNS {
            let sample = f32::from(samples[run]);
            for n in 0..N {
                let now = sample + coefficients[n] * last[run][n] - before[run][n];
                before[run][n] = last[run][n];
                last[run][n] = now;
            }
        }
    }
    std::array::from_fn(|n| {
        let (once, thrice) = (tones[n], tones[n].thrice());
        let (mut real, mut imaginary) = (0.0, 0.0);
        let mut turn = Tone { cos: 1.0, sin: 0.0 };
        for (last, before) in last.iter().zip(&before) {
            let (x, y) = (last[n] - before[n] * thrice.cos, before[n] * thrice.sin);
            real += x * turn.cos + y * turn.sin;
            imaginary += y * turn.cos - x * turn.sin;
            turn = turn.and(once);
        }
        real * real + imaginary * imaginary
    })
}

impl Tone {
    fn and(self, other: Tone) -> Tone {
        Tone {
            cos: self.cos * other.cos - self.sin * other.sin,
            sin: self.sin * other.cos + self.cos * other.sin,
        }
    }

    fn thrice(self) -> Tone {
        self.and(self).and(self)
    }
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::*;
    use crate::tone::dtmf_frequencies;

    /// A key as it arrives: (detuned by, twist in dB, level of the low tone as amplitude, ms, ms of pause).
    struct Key {
        off: f64,
        twist_db: f64,
        amplitude: f64,
        ms: usize,
        pause_ms: usize,
    }

    const PLAIN: Key = Key { off: 1.0, twist_db: 0.0, amplitude: 6_000.0, ms: 80, pause_ms: 60 };

    fn sound(keys: &str, how: &Key, lead: usize) -> Vec<i16> {
        let mut pcm = vec![0; lead];
        for key in keys.chars() {
            let (low, high) = dtmf_frequencies(key).unwrap();
            pcm.extend((0..how.ms * 8).map(|n| {
                let t = TAU * n as f64 / 8_000.0 * how.off;
                let high_amplitude = how.amplitude * 10f64.powf(how.twist_db / 20.0);
                (how.amplitude * (low * t).sin() + high_amplitude * (high * t + 0.7).sin()) as i16
            }));
            pcm.resize(pcm.len() + how.pause_ms * 8, 0);
        }
        pcm.resize(pcm.len() + 800, 0);
        pcm
    }

    fn heard(pcm: &[i16]) -> String {
        let mut detector = Detector::default();
        pcm.chunks(160).filter_map(|frame| detector.feed(frame)).map(|p| p.digit).collect()
    }

    const ALL: &str = "1234567890*#ABCD";

    #[test]
    fn every_key_is_heard_once() {
        assert_eq!(heard(&sound(ALL, &PLAIN, 0)), ALL);
        assert_eq!(heard(&sound("1111", &PLAIN, 7)), "1111");
        assert_eq!(heard(&sound("5", &Key { ms: 5_000, ..PLAIN }, 7)), "5");
        let long = Key { ms: 1_000, pause_ms: 0, ..PLAIN };
        assert_eq!(heard(&sound("12", &long, 7)), "12");
    }

    #[test]
    fn keys_of_40_ms_are_heard_wherever_they_begin_and_those_of_23_never() {
        for lead in 0..BLOCK {
            let least = Key { ms: 40, pause_ms: 40, ..PLAIN };
            assert_eq!(heard(&sound(ALL, &least, lead)), ALL, "{lead}");
            assert_eq!(heard(&sound(ALL, &Key { ms: 23, pause_ms: 40, ..PLAIN }, lead)), "", "{lead}");
        }
    }

    #[test]
    fn keys_that_are_a_little_wrong_are_heard() {
        for lead in (0..BLOCK).step_by(17) {
            for off in [0.985, 0.99, 1.0, 1.01, 1.015] {
                for twist_db in [-8.0, -4.0, 0.0, 4.0] {
                    for amplitude in [500.0, 2_000.0, 12_000.0] {
                        let how = Key { off, twist_db, amplitude, ms: 50, pause_ms: 50 };
                        let what = format!("{off} {twist_db} dB {amplitude} {lead}");
                        // Nothing is asked of a tone that is too quiet, nor of one that is wrong in every way.
                        let is_quiet = amplitude * 10f64.powf(twist_db / 20.0) < 450.0;
                        if is_quiet || (![-4.0, 0.0].contains(&twist_db) && (off - 1.0f64).abs() > 0.012) {
                            continue;
                        }
                        assert_eq!(heard(&sound(ALL, &how, lead)), ALL, "{what}");
                    }
                }
            }
        }
    }

    #[test]
    fn keys_are_heard_through_g711_and_noise() {
        let mut rng = Rng::seeded(1);
        for codec in [crate::CodecKind::Pcmu, crate::CodecKind::Pcma] {
            for lead in 0..40 {
                let mut pcm = sound(ALL, &PLAIN, lead);
                for sample in &mut pcm {
                    let noisy = *sample + rng.below(3_000) as i16 - 1_500; // 14 dB below both tones
                    *sample = codec.decode(codec.encode(noisy));
                }
                assert_eq!(heard(&pcm), ALL, "{codec:?} {lead}");
            }
        }
    }

    #[test]
    fn a_break_of_10_ms_is_no_second_key() {
        for lead in 0..BLOCK {
            let mut pcm = sound("7", &Key { ms: 200, ..PLAIN }, lead);
            pcm[lead + 800..lead + 880].fill(0);
            assert_eq!(heard(&pcm), "7", "{lead}");
        }
    }

    #[test]
    fn what_is_no_key_is_not_heard() {
        let tone = |hz: &[f64]| -> Vec<i16> {
            (0..16_000)
                .map(|n| {
                    hz.iter().map(|hz| 5_000.0 * (TAU * hz * f64::from(n) / 8_000.0).sin()).sum::<f64>()
                        as i16
                })
                .collect()
        };
        let cases: [(&str, &[f64]); 8] = [
            ("one tone", &[941.0]),
            ("two low", &[697.0, 852.0]),
            ("dial tone", &[350.0, 440.0]),
            ("busy", &[480.0, 620.0]),
            ("fax", &[1_100.0]),
            ("a third tone", &[770.0, 1_336.0, 2_600.0]),
            ("overtones", &[770.0, 1_336.0, 1_540.0, 2_672.0]),
            ("5 % off", &[770.0 * 1.05, 1_336.0 * 1.05]),
        ];
        for (what, hz) in cases {
            assert_eq!(heard(&tone(hz)), "", "{what}");
        }
        let mut rng = Rng::seeded(2);
        let noise: Vec<i16> = (0..8_000 * 300).map(|_| rng.below(20_000) as i16 - 10_000).collect();
        assert_eq!(heard(&noise), "");
    }

    /// Vowels one after the other: a pitch that wanders with all its overtones, shaped by narrow formants. Far
    /// more like keys than speech is: in 80 minutes of six voices of espeak-ng none was heard.
    #[test]
    fn vowels_are_hardly_ever_keys() {
        let mut rng = Rng::seeded(3);
        let mut pcm = Vec::new();
        for _ in 0..1_500 {
            let pitch = 80.0 + rng.below(220) as f64;
            let glide = rng.below(40) as f64 - 20.0;
            let formants = [
                300.0 + rng.below(600) as f64,
                900.0 + rng.below(1_400) as f64,
                2_300.0 + rng.below(900) as f64,
            ];
            let mut phase = 0.0;
            for n in 0..1_200 {
                phase += TAU * (pitch + glide * f64::from(n) / 1_200.0) / 8_000.0;
                let mut value = 0.0;
                for harmonic in 1..24 {
                    let hz = pitch * f64::from(harmonic);
                    let gain: f64 = formants.iter().map(|f| 1.0 / (1.0 + ((hz - f) / 60.0).powi(2))).sum();
                    value += gain * (phase * f64::from(harmonic)).sin();
                }
                pcm.push((value * 6_000.0).clamp(-32_000.0, 32_000.0) as i16);
            }
        }
        let keys = heard(&pcm);
        assert!(keys.len() <= 5, "{} s: {keys}", pcm.len() / 8_000);
    }

    #[test]
    fn runs_side_by_side_find_the_power_of_one_in_a_row() {
        let mut rng = Rng::seeded(9);
        let detector = Detector::default();
        for amplitude in [100, 3_000, 32_000] {
            let block: [i16; BLOCK] =
                std::array::from_fn(|_| (rng.below(2 * amplitude + 1) as i32 - amplitude as i32) as i16);
            let found = powers(&block, &detector.tones);
            for (tone, found) in detector.tones.iter().zip(found) {
                let angle = f64::from(tone.sin).atan2(f64::from(tone.cos));
                let (mut real, mut imaginary) = (0.0, 0.0);
                for (n, &sample) in (0..).zip(&block) {
                    let (sin, cos) = (angle * f64::from(n)).sin_cos();
                    (real, imaginary) = (real + f64::from(sample) * cos, imaginary - f64::from(sample) * sin);
                }
                let wanted = real * real + imaginary * imaginary;
                let energy = block.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
                assert!((f64::from(found) - wanted).abs() < energy * 0.001, "{found} {wanted}");
            }
        }
    }
}
