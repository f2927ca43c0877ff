//! Between the sampling rates of calls: 8, 16 and 48 kHz, and the 24 kHz of some streams, live.
//!
//! A polyphase FIR in integers: each sample that comes out is 32 taps at the lower of both rates, so the delay
//! is 2 ms where that is 8 kHz and 1 ms where it is 16 kHz. Of a lower rate of 8 kHz: flat to 3.4 kHz within
//! 0.2 dB; 49 dB down at 4.1 kHz and above, 55 dB at 4.6 kHz, for aliases and images alike. Of 16 kHz all
//! frequencies are twice that. Files, which have other rates and no hurry, are converted in
//! [`crate::decode`].

/// Converts one mono stream.
pub struct Resampler {
    kind: Kind,
    /// The last samples, as many as the filter is long but one, and room for a block behind them.
    window: Box<[i16]>,
    /// In Q14: of each phase [`TAPS`], oldest sample first. Going down there is one phase, `factor` times as long.
    taps: Box<[i16]>,
    factor: usize,
}

enum Kind {
    Same,
    Up,
    /// How many samples are still to come before the one that completes an output sample.
    Down {
        skip: usize,
    },
}

impl Resampler {
    /// From and to 8,000, 16,000 or 48,000 samples a second, between 24,000 and 8,000 or 48,000, or any rate to itself.
    ///
    /// # Panics
    /// For other rates: no codec has them.
    pub fn new(from: u32, to: u32) -> Resampler {
        let known = |rate| matches!(rate, 8_000 | 16_000 | 24_000 | 48_000);
        let fits = known(from) && known(to) && from.max(to).is_multiple_of(from.min(to));
        assert!(from == to || fits, "calls have 8, 16, 24 and 48 kHz, not {from} and {to}");
        let factor = (from.max(to) / from.min(to)) as usize;
        let (kind, gain, len) = match from.cmp(&to) {
            std::cmp::Ordering::Equal => {
                return Resampler { kind: Kind::Same, window: Box::default(), taps: Box::default(), factor };
            }
            std::cmp::Ordering::Less => (Kind::Up, factor, TAPS),
            std::cmp::Ordering::Greater => (Kind::Down { skip: 0 }, 1, TAPS * factor),
        };
        let prototype = prototype(factor, gain);
        let taps = match kind {
            // Phase p has every tap that falls onto an input sample when the output lies p parts behind one.
            Kind::Up => (0..factor)
                .flat_map(|phase| (0..TAPS).rev().map(move |age| age * factor + phase))
                .map(|n| prototype[n])
                .collect(),
            // Symmetric but for the one empty tap.
            Kind::Down { .. } | Kind::Same => prototype.iter().rev().copied().collect(),
        };
        Resampler { kind, window: vec![0; len - 1 + BLOCK].into(), taps, factor }
    }

    /// Converts all of `input` and says how many samples of `output` that made: their share at once, exactly so
    /// for whole milliseconds. The first ones are the silence of the filter's delay.
    ///
    /// What finds no room in `output` is lost.
    pub fn process(&mut self, input: &[i16], output: &mut [i16]) -> usize {
        if let Kind::Same = self.kind {
            let count = input.len().min(output.len());
            output[..count].copy_from_slice(&input[..count]);
            return count;
        }
        let mut made = 0;
        for block in input.chunks(BLOCK) {
            let past = self.window.len() - BLOCK;
            self.window[past..past + block.len()].copy_from_slice(block);
            made += self.filter(block.len(), &mut output[made..]);
            self.window.copy_within(block.len()..block.len() + past, 0);
        }
        made
    }

    /// The delay in samples that come out.
    pub fn latency(&self) -> usize {
        match self.kind {
            Kind::Same => 0,
            Kind::Up => TAPS / 2 * self.factor,
            Kind::Down { .. } => TAPS / 2,
        }
    }

    /// Puts the filter onto each place where a sample is due among the `count` newest ones.
    fn filter(&mut self, count: usize, output: &mut [i16]) -> usize {
        match &mut self.kind {
            Kind::Same => 0,
            Kind::Up => {
                let (phases, _) = self.taps.as_chunks::<TAPS>();
                // Phase by phase, so that its taps stay in registers, and rounded apart from being summed up.
                let mut sums = [0; BLOCK];
                for (phase, taps) in phases.iter().enumerate() {
                    for (window, sum) in self.window.windows(TAPS).zip(&mut sums[..count]) {
                        *sum = dot(window.try_into().expect("a window has as many samples"), taps);
                    }
                    for (outputs, sum) in output.chunks_exact_mut(self.factor).zip(&sums[..count]) {
                        outputs[phase] = round(*sum);
                    }
                }
                (count * self.factor).min(output.len() / self.factor * self.factor)
            }
            Kind::Down { skip } => {
                let due = count.saturating_sub(*skip).div_ceil(self.factor);
                let windows = self.window[*skip..].windows(self.taps.len()).step_by(self.factor).take(due);
                for (window, sample) in windows.zip(&mut *output) {
                    let parts = window.as_chunks::<TAPS>().0.iter().zip(self.taps.as_chunks::<TAPS>().0);
                    *sample = round(parts.map(|(window, taps)| dot(window, taps)).sum());
                }
                *skip = *skip + due * self.factor - count;
                due.min(output.len())
            }
        }
    }
}

/// The sum of products. No sum of taps exceeds 2 in Q14, so none of these overflows.
#[inline]
fn dot(samples: &[i16; TAPS], taps: &[i16; TAPS]) -> i32 {
    samples.iter().zip(taps).map(|(s, tap)| i32::from(*s) * i32::from(*tap)).sum()
}

#[inline]
fn round(sum: i32) -> i16 {
    ((sum + (1 << 13)) >> 14).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

/// A Kaiser-windowed sinc at `factor` times the lower rate, in Q14 with a gain of `gain`. The first tap is empty,
/// which makes the middle, and so the delay, a whole number of samples of either rate.
fn prototype(factor: usize, gain: usize) -> Vec<i16> {
    let half = (TAPS / 2 * factor) as f64;
    let taps: Vec<f64> = (0..TAPS * factor)
        .map(|n| {
            let x = n as f64 - half;
            let edge = 1.0 - (x / half).powi(2);
            let angle = std::f64::consts::TAU * CUTOFF * x / factor as f64;
            let sinc = if x == 0.0 { 1.0 } else { angle.sin() / angle };
            if n == 0 { 0.0 } else { sinc * bessel_i0(KAISER_BETA * edge.sqrt()) }
        })
        .collect();
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| (tap / sum * gain as f64 * f64::from(1 << 14)).round() as i16).collect()
}

/// The modified Bessel function of the first kind, order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-12 {
        term *= (x / 2.0 / k).powi(2);
        sum += term;
        k += 1.0;
    }
    sum
}

/// At the lower of both rates.
const TAPS: usize = 32;
/// Middle of the transition as a share of the lower rate.
const CUTOFF: f64 = 0.465;
const KAISER_BETA: f64 = 4.5;
/// Samples taken at once: what is kept in between is copied once for so many.
const BLOCK: usize = 480;

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    const PAIRS: [(u32, u32); 8] = [
        (8_000, 24_000),
        (24_000, 8_000),
        (8_000, 16_000),
        (8_000, 48_000),
        (16_000, 48_000),
        (16_000, 8_000),
        (48_000, 8_000),
        (48_000, 16_000),
    ];

    fn tone(rate: u32, hz: f64, seconds: f64) -> Vec<i16> {
        let samples = (f64::from(rate) * seconds) as usize;
        (0..samples)
            .map(|n| ((TAU * hz * n as f64 / f64::from(rate)).sin() * 16_384.0).round() as i16)
            .collect()
    }

    /// Amplitude of `hz` in the middle of `samples`.
    fn level(samples: &[i16], rate: u32, hz: f64) -> f64 {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let (mut re, mut im, mut weight) = (0.0, 0.0, 0.0);
        for (n, s) in middle.iter().enumerate() {
            let hann = 1.0 - (TAU * n as f64 / middle.len() as f64).cos();
            let angle = TAU * hz * n as f64 / f64::from(rate);
            re += f64::from(*s) * hann * angle.cos();
            im += f64::from(*s) * hann * angle.sin();
            weight += hann;
        }
        2.0 * re.hypot(im) / weight
    }

    fn convert(input: &[i16], from: u32, to: u32, piece: usize) -> Vec<i16> {
        let mut resampler = Resampler::new(from, to);
        let mut output = vec![0; input.len() * to as usize / from as usize + 6];
        let mut made = 0;
        for part in input.chunks(piece) {
            made += resampler.process(part, &mut output[made..]);
        }
        output.truncate(made);
        output
    }

    fn decibel(ratio: f64) -> f64 {
        20.0 * ratio.log10()
    }

    #[test]
    fn the_pass_band_is_flat() {
        for (from, to) in PAIRS {
            let edge = f64::from(from.min(to)) * 3_400.0 / 8_000.0;
            for hz in (1..=17).map(|n| edge * f64::from(n) / 17.0) {
                let change = decibel(level(&convert(&tone(from, hz, 0.2), from, to, 160), to, hz) / 16_384.0);
                assert!(change.abs() < 0.25, "{from} to {to}: {hz} Hz changed by {change:.2} dB");
            }
        }
    }

    /// Tones above the lower band, and where they come back to.
    #[test]
    fn aliases_are_down() {
        for (from, to) in PAIRS.into_iter().filter(|(from, to)| from > to) {
            let unit = f64::from(to) / 8_000.0;
            for n in 0.. {
                let hz = unit * (4_100.0 + 97.0 * f64::from(n));
                if hz > f64::from(from) / 2.0 {
                    break;
                }
                let output = convert(&tone(from, hz, 0.2), from, to, 960);
                let middle = &output[output.len() / 4..output.len() * 3 / 4];
                let loudest = middle.iter().map(|s| s.unsigned_abs()).max().unwrap();
                let alias = decibel(f64::from(loudest) / 16_384.0);
                let most = if hz < unit * 4_600.0 { -48.0 } else { -54.0 };
                assert!(alias < most, "{from} to {to}: {hz} Hz comes back at {alias:.1} dB");
            }
        }
    }

    #[test]
    fn images_are_down() {
        for (from, to) in PAIRS.into_iter().filter(|(from, to)| from < to) {
            let unit = f64::from(from) / 8_000.0;
            for hz in [300.0, 1_000.0, 2_500.0, 3_390.0, 3_880.0].map(|hz| hz * unit) {
                let output = convert(&tone(from, hz, 0.2), from, to, 160);
                for n in 1..=to / from {
                    for image in [f64::from(n * from) - hz, f64::from(n * from) + hz] {
                        if image > f64::from(to) / 2.0 {
                            continue;
                        }
                        let share = decibel(level(&output, to, image) / 16_384.0);
                        let most = if image < unit * 4_600.0 { -48.0 } else { -54.0 };
                        assert!(share < most, "{from} to {to}: {hz} Hz also at {image} Hz, {share:.1} dB");
                    }
                }
            }
        }
    }

    /// Sample by sample against the same tone made at the other rate: frequency, phase and delay.
    #[test]
    fn sound_comes_after_its_latency() {
        for (from, to) in PAIRS {
            let output = convert(&tone(from, 1_000.0, 0.2), from, to, from as usize / 100);
            let latency = Resampler::new(from, to).latency();
            assert!(latency as u32 * 500 <= to, "{from} to {to}: more than 2 ms");
            let want = tone(to, 1_000.0, 0.2);
            for n in 500..1_000 {
                let off = i32::from(output[n + latency]) - i32::from(want[n]);
                assert!(off.abs() < 60, "{from} to {to}: off by {off}");
            }
        }
    }

    #[test]
    fn pieces_do_not_matter() {
        for (from, to) in PAIRS {
            let input = tone(from, 440.0, 0.1);
            let whole = convert(&input, from, to, input.len());
            assert_eq!(whole.len(), input.len() * to as usize / from as usize);
            for piece in [1, 7, 48, 960] {
                assert_eq!(convert(&input, from, to, piece), whole, "{from} to {to} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn the_same_rate_is_a_copy() {
        let input = tone(8_000, 440.0, 0.02);
        assert_eq!(convert(&input, 8_000, 8_000, 160), input);
        assert_eq!(Resampler::new(8_000, 8_000).latency(), 0);
    }

    #[test]
    fn full_scale_is_limited_and_small_outputs_are_filled() {
        for (from, to) in PAIRS {
            let square: Vec<i16> =
                (0..960).map(|n| if n / 7 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
            let mut output = [0; 10];
            assert!(Resampler::new(from, to).process(&square, &mut output) <= 10, "{from} to {to}");
            let output = convert(&square, from, to, 960);
            assert!(output.iter().any(|s| s.unsigned_abs() > 30_000), "{from} to {to}");
        }
    }
}
