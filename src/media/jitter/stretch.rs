//! Making sound a little shorter or longer without a trace: one pitch period is taken out, or heard twice.
//!
//! Voiced speech repeats itself with its pitch, so where it looks most like itself a moment later, the two are
//! blended into each other (WSOLA, Verhelst and Roelands 1993). Noise and silence look like nothing and hide
//! any seam; what is neither is left alone until it must be done.

/// Shortest and longest period: 2.5 ms (400 Hz) and 15 ms (67 Hz), in samples at 8 kHz.
const PERIOD: (usize, usize) = (20, 120);

/// Over how much of the sound the blend goes: 5 to 10 ms, in samples at 8 kHz.
const BLEND: (usize, usize) = (40, 80);

/// Below this RMS (about −58 dBov) no seam is heard.
const QUIET: f32 = 40.0;

/// So much does sound at least resemble itself where it is joined, 1 = is the same.
const LIKENESS: f32 = 0.8;
/// The same when it has been put off for [`PATIENCE`].
const LIKENESS_LEAST: f32 = 0.4;

/// Frames between two corrections, and between two when much is to be corrected: 200 and 100 ms.
const REST: (u16, u16) = (10, 5);

/// Frames that a correction is put off because the sound does not suit it.
const PATIENCE: u16 = 25;

/// Milliseconds that are much.
const MUCH_MS: i64 = 40;

/// Decides when, and does it.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    rest: u16,
    put_off: u16,
}

/// Samples needed before sound can be made shorter: the longest period and the longest blend. `rate` in Hz.
pub(super) fn shrink_needs(rate: u32) -> usize {
    (PERIOD.1 + BLEND.1) * (rate / 8_000).max(1) as usize
}

/// Samples by which one correction makes sound longer at most.
pub(super) fn grows_most(rate: u32) -> usize {
    PERIOD.1 * (rate / 8_000).max(1) as usize
}

impl Stretch {
    /// A frame goes by. Whether a wish of so many samples (negative: longer) is to be granted now.
    pub(super) fn is_due(&mut self, wish: i64, rate: u32) -> bool {
        self.rest = self.rest.saturating_sub(1);
        let much = wish.abs() * 1_000 > MUCH_MS * i64::from(rate);
        let least = if wish < 0 { 1 } else { (PERIOD.0 as i64) * i64::from(rate / 8_000).max(1) };
        wish.abs() >= least && self.rest <= if much { REST.0 - REST.1 } else { 0 }
    }

    /// Grants a wish of so many samples (never more of them are taken out) on the first `len` of `pcm`. The
    /// period is a multiple of `unit`. Returns the new length.
    pub(super) fn apply(&mut self, pcm: &mut [i16], len: usize, wish: i64, rate: u32, unit: usize) -> usize {
        let step = (rate / 8_000).max(1) as usize;
        let sound = &pcm[..len];
        let longest = PERIOD.1 * step;
        let blend = len.saturating_sub(longest).clamp(BLEND.0 * step, BLEND.1 * step);
        let mut most = longest.min(len.saturating_sub(blend)) / unit * unit;
        if wish > 0 {
            most = most.min(wish as usize / unit * unit);
        } else {
            most = most.min(pcm.len().saturating_sub(len) / unit * unit);
        }
        let least = PERIOD.0 * step;
        if most < least {
            return len;
        }
        let (period, likeness) = if rms(&sound[..blend + most]) < QUIET {
            (most, 1.0)
        } else {
            period(sound, least, most, blend, step, unit)
        };
        let enough = if self.put_off >= PATIENCE { LIKENESS_LEAST } else { LIKENESS };
        if likeness < enough {
            self.put_off = (self.put_off + 1).min(PATIENCE);
            return len;
        }
        *self = Stretch { rest: REST.0, put_off: 0 };
        if wish > 0 { shorten(pcm, len, period, blend) } else { lengthen(pcm, len, period, blend) }
    }
}

/// Takes a period out at the beginning.
fn shorten(pcm: &mut [i16], len: usize, period: usize, blend: usize) -> usize {
    for n in 0..blend {
        pcm[n] = mix(pcm[n], pcm[n + period], n, blend);
    }
    pcm.copy_within(blend + period..len, blend);
    len - period
}

/// Lets the first period be heard twice.
fn lengthen(pcm: &mut [i16], len: usize, period: usize, blend: usize) -> usize {
    pcm.copy_within(0..len, period);
    // Now at `period + n` lies what was at `n`; before it still the first period.
    let old = |pcm: &[i16], n: usize| if n < period { pcm[n] } else { pcm[n + period] };
    // From behind, so that what is read was not yet written.
    for n in (0..blend).rev() {
        pcm[period + n] = mix(old(pcm, n + period), pcm[period + n], n, blend);
    }
    len + period
}

fn mix(from: i16, to: i16, n: usize, of: usize) -> i16 {
    let (n, of) = (2 * n as i32 + 1, 2 * of as i32);
    ((i32::from(from) * (of - n) + i32::from(to) * n) / of) as i16
}

/// The lag in `least..=most` at which the beginning of the sound resembles what comes later most, and how much.
fn period(sound: &[i16], least: usize, most: usize, blend: usize, step: usize, unit: usize) -> (usize, f32) {
    let best = |lags: &mut dyn Iterator<Item = usize>, stride: usize| {
        lags.map(|lag| (lag, likeness(sound, lag, blend, stride)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap_or((least, 0.0))
    };
    // Coarsely at 8 kHz, then around the best at the sound's own rate.
    let coarse = step.max(unit);
    let (lag, likeness) = best(&mut (least..=most).step_by(coarse), step);
    if coarse == unit {
        return (lag, likeness);
    }
    let (from, to) = (lag.saturating_sub(coarse).max(least), (lag + coarse).min(most));
    best(&mut (from..=to).step_by(unit), 1)
}

/// Normalised correlation of the first `blend` samples with those `lag` later, every `stride`-th of them.
fn likeness(sound: &[i16], lag: usize, blend: usize, stride: usize) -> f32 {
    let pairs = sound[..blend].iter().zip(&sound[lag..lag + blend]);
    // The usual case by itself, which the compiler can then take several of at a time.
    let (both, one, two) = if stride == 1 { products(pairs) } else { products(pairs.step_by(stride)) };
    // A little of everything keeps near-silence from resembling itself by chance.
    both as f32 / (((one + 1) as f32).sqrt() * ((two + 1) as f32).sqrt())
}

fn products<'a>(pairs: impl Iterator<Item = (&'a i16, &'a i16)>) -> (i64, i64, i64) {
    pairs.fold((0, 0, 0), |(both, one, two), (&a, &b)| {
        let product = |a: i16, b: i16| i64::from(i32::from(a) * i32::from(b));
        (both + product(a, b), one + product(a, a), two + product(b, b))
    })
}

fn rms(sound: &[i16]) -> f32 {
    let energy: i64 = sound.iter().map(|s| i64::from(*s) * i64::from(*s)).sum();
    (energy as f32 / sound.len().max(1) as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use base::Rng;

    use super::*;
    use crate::tone::goertzel_power;

    fn tone(hz: f64, rate: u32, len: usize) -> Vec<i16> {
        (0..len).map(|n| (8_000.0 * (TAU * hz * n as f64 / f64::from(rate)).sin()) as i16).collect()
    }

    fn apply(sound: &[i16], wish: i64, rate: u32) -> Vec<i16> {
        let mut pcm = sound.to_vec();
        pcm.resize(sound.len() + grows_most(rate), 0);
        let len = Stretch::default().apply(&mut pcm, sound.len(), wish, rate, 1);
        pcm.truncate(len);
        pcm
    }

    #[test]
    fn a_tone_stays_the_tone_and_has_no_seam() {
        for rate in [8_000, 16_000, 48_000] {
            for hz in [150.0, 440.0, 1_000.0, 1_100.0] {
                for wish in [-1i64, 1_000_000] {
                    let len = 40 * rate as usize / 1_000;
                    let sound = tone(hz, rate, len);
                    let pcm = apply(&sound, wish, rate);
                    assert_eq!(pcm.len() < len, wish > 0, "{rate} {hz} {wish}");
                    assert_eq!(pcm.len() > len, wish < 0, "{rate} {hz} {wish}");
                    assert!(goertzel_power(&pcm, rate, hz) > 0.9, "{rate} {hz} {wish}");
                    let steepest = |s: &[i16]| {
                        s.windows(2).map(|w| (i32::from(w[0]) - i32::from(w[1])).abs()).max().unwrap_or(0)
                    };
                    assert!(steepest(&pcm) <= steepest(&sound) * 6 / 5, "{rate} {hz} {wish}");
                    // It joins what was before it and what comes after.
                    assert!((pcm[0] - sound[0]).abs() < 300);
                    assert_eq!(pcm.last(), sound.last());
                }
            }
        }
    }

    #[test]
    fn never_more_is_taken_than_wished_and_only_whole_units() {
        let sound = tone(200.0, 16_000, 640);
        for wish in 1..400 {
            let mut pcm = sound.clone();
            let len = Stretch::default().apply(&mut pcm, 640, wish, 16_000, 2);
            assert!(640 - len <= wish as usize && (640 - len).is_multiple_of(2), "{wish}: {len}");
        }
    }

    #[test]
    fn noise_is_left_alone_until_patience_ends_and_silence_never() {
        let mut rng = Rng::seeded(3);
        let noise: Vec<i16> = (0..320).map(|_| rng.below(20_000) as i16 - 10_000).collect();
        assert_eq!(apply(&noise, 200, 8_000).len(), 320);
        assert_eq!(apply(&[3; 320], 90, 8_000).len(), 230);
        let mut pcm = [0; 20];
        assert_eq!(Stretch::default().apply(&mut pcm, 20, 10, 8_000, 1), 20, "too little sound");
    }

    #[test]
    fn corrections_rest() {
        let mut stretch = Stretch::default();
        let mut done = 0;
        for _ in 0..500 {
            if stretch.is_due(100, 8_000) {
                stretch.apply(&mut [0; 320], 320, 100, 8_000, 1);
                done += 1;
            }
        }
        assert_eq!(done, 50);
        assert!(!Stretch::default().is_due(19, 8_000) && Stretch::default().is_due(-1, 8_000));
    }
}
