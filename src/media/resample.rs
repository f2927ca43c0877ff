//! From one sampling rate to another, sample stream in, sample stream out.
//!
//! Between the rates of telephony (8, 16, 32 and 48 kHz) a polyphase FIR of our own: 24 taps a phase, 1.5 ms
//! delay at 8 kHz, no allocation while running. For all other rates, which only files have (44.1, 22.05,
//! 24 kHz…), rubato's FFT resampler: steeper, but with blocks of about 60 ms.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _};

/// Lowest rate taken, in Hz.
pub const RATE_MIN: u32 = 2_000;
/// Highest rate taken, in Hz.
pub const RATE_MAX: u32 = 384_000;

/// A rate outside [`RATE_MIN`]`..=`[`RATE_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sampling rate {0} Hz is outside {RATE_MIN} to {RATE_MAX} Hz")]
pub struct RateError(pub u32);

/// Converts one mono stream. Samples are in −1..1, though larger ones pass through.
pub struct Resampler {
    kind: Kind,
    /// In lowest terms: `up` samples out for `down` samples in.
    up: usize,
    down: usize,
    /// Output samples still to be dropped, see [`Resampler::aligned`].
    skip: usize,
    taken: u64,
    given: u64,
}

enum Kind {
    Same,
    Polyphase(Polyphase),
    Blocks(Box<Blocks>),
}

impl Resampler {
    /// A live stream: every [`Resampler::push`] gives its share of output at once (blockwise for rates that
    /// only files have), the first of it being the silence of the filter's delay.
    pub fn new(from: u32, to: u32) -> Result<Resampler, RateError> {
        if let Some(rate) = [from, to].into_iter().find(|rate| !(RATE_MIN..=RATE_MAX).contains(rate)) {
            return Err(RateError(rate));
        }
        let common = greatest_common_divisor(from, to);
        let (up, down) = ((to / common) as usize, (from / common) as usize);
        let kind = if from == to {
            Kind::Same
        } else if [from, to].iter().all(|rate| TELEPHONY_RATES.contains(rate)) {
            Kind::Polyphase(Polyphase::new(up, down))
        } else {
            Kind::Blocks(Box::new(Blocks::new(from, to, down)))
        };
        Ok(Resampler { kind, up, down, skip: 0, taken: 0, given: 0 })
    }

    /// For whole sounds: drops the delay, so that output begins where input began. [`Resampler::finish`]
    /// then gives what is still inside.
    pub fn aligned(mut self) -> Resampler {
        self.skip = self.delay();
        self
    }

    /// The filter's delay in output samples.
    pub fn delay(&self) -> usize {
        match &self.kind {
            Kind::Same => 0,
            Kind::Polyphase(filter) => filter.delay(),
            Kind::Blocks(blocks) => blocks.fft.output_delay(),
        }
    }

    /// Takes `input` and appends what comes of it to `output`.
    pub fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        self.taken += input.len() as u64;
        let start = output.len();
        self.run(input, output);
        self.drop_delay(start, output);
        self.given += (output.len() - start) as u64;
    }

    /// Appends the rest, so that all output together is as long as all input: to be called once, last.
    pub fn finish(&mut self, output: &mut Vec<f32>) {
        let due = (self.taken * self.up as u64).div_ceil(self.down as u64);
        while self.given < due {
            let start = output.len();
            self.run(&[0.0; 256], output);
            self.drop_delay(start, output);
            let surplus = (self.given + (output.len() - start) as u64).saturating_sub(due);
            output.truncate(output.len() - surplus as usize);
            self.given += (output.len() - start) as u64;
        }
    }

    fn run(&mut self, input: &[f32], output: &mut Vec<f32>) {
        match &mut self.kind {
            Kind::Same => output.extend_from_slice(input),
            Kind::Polyphase(filter) => filter.push(input, output),
            Kind::Blocks(blocks) => blocks.push(input, output),
        }
    }

    fn drop_delay(&mut self, start: usize, output: &mut Vec<f32>) {
        let drop = self.skip.min(output.len() - start);
        output.drain(start..start + drop);
        self.skip -= drop;
    }
}

/// A windowed-sinc low-pass, split into one filter per output phase.
struct Polyphase {
    up: usize,
    down: usize,
    /// Taps of one phase, a multiple of [`LANES`]; the phases lie one after the other, each with its newest
    /// tap last.
    len: usize,
    taps: Vec<f32>,
    /// The last `len - 1` samples, then the newest.
    window: Vec<f32>,
    /// Where the next output sample lies: so many samples into what comes next, and so many parts of `up`
    /// further.
    next: (usize, usize),
}

impl Polyphase {
    fn new(up: usize, down: usize) -> Polyphase {
        // An odd prototype whose delay is a whole number of output samples.
        let half = TAPS_PER_PHASE / 2 * up.max(down);
        let len = (2 * half + 1).div_ceil(up).next_multiple_of(LANES);
        let prototype = prototype(half, up.max(down), up);
        let mut taps = vec![0.0; len * up];
        for (n, tap) in prototype.into_iter().enumerate() {
            let (phase, age) = (n % up, n / up);
            taps[phase * len + len - 1 - age] = tap;
        }
        Polyphase { up, down, len, taps, window: vec![0.0; len - 1], next: (0, 0) }
    }

    fn delay(&self) -> usize {
        TAPS_PER_PHASE / 2 * self.up.max(self.down) / self.down
    }

    fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        self.window.extend_from_slice(input);
        let (mut at, mut phase) = self.next;
        let (step, step_phase) = (self.down / self.up, self.down % self.up);
        while at < input.len() {
            let samples = &self.window[at..at + self.len];
            output.push(dot(samples, &self.taps[phase * self.len..][..self.len]));
            at += step;
            phase += step_phase;
            if phase >= self.up {
                phase -= self.up;
                at += 1;
            }
        }
        self.next = (at - input.len(), phase);
        self.window.drain(..input.len());
    }
}

/// The sum of products, in as many independent sums as a vector register holds: the order of additions is
/// part of what a float means, so the compiler may not split one sum itself.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (b + f)) + ((c + g) + (d + h))
}

/// A Kaiser-windowed sinc of `2 * half + 1` taps at `up` times the input rate, with a gain of `up`.
/// `factor` is how many of its samples make one of the lower of both rates.
fn prototype(half: usize, factor: usize, up: usize) -> Vec<f32> {
    let cutoff = CUTOFF / factor as f64;
    let taps: Vec<f64> = (0..=2 * half)
        .map(|n| {
            let x = n as f64 - half as f64;
            let sinc = if x == 0.0 { 2.0 * cutoff } else { (TAU * cutoff * x).sin() / (TAU / 2.0 * x) };
            let edge = x / half as f64;
            sinc * bessel_i0(KAISER_BETA * (1.0 - edge * edge).sqrt())
        })
        .collect();
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| (tap / sum * up as f64) as f32).collect()
}

/// The modified Bessel function of the first kind, order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-12 {
        term *= (x / 2.0 / k) * (x / 2.0 / k);
        sum += term;
        k += 1.0;
    }
    sum
}

/// rubato's resampler, fed with the blocks it wants.
struct Blocks {
    fft: Fft<f32>,
    waiting: Vec<f32>,
    block: Vec<f32>,
}

impl Blocks {
    /// `down` is the smallest number of input samples that makes a whole number of output samples.
    fn new(from: u32, to: u32, down: usize) -> Blocks {
        // The longer the block, the steeper the filter; a few hundred samples at the lower rate leave the
        // telephone band untouched. An even number of `down` makes the delay, half a block, a whole number
        // of samples.
        let wish = BLOCK_AT_LOWER_RATE * from as usize / from.min(to) as usize;
        let size = wish.div_ceil(down).next_multiple_of(2) * down;
        let fft = Fft::new(from as usize, to as usize, size, 1, FixedSync::Both)
            .expect("rates and block size are not zero");
        let block = vec![0.0; fft.output_frames_max()];
        Blocks { fft, waiting: Vec::new(), block }
    }

    fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        self.waiting.extend_from_slice(input);
        let size = self.fft.input_frames_next();
        let whole = self.waiting.len() / size * size;
        for block in self.waiting[..whole].chunks(size) {
            let room = self.block.len();
            let from = InterleavedSlice::new(block, 1, size).expect("one channel of so many samples");
            let mut to =
                InterleavedSlice::new_mut(&mut self.block, 1, room).expect("one channel of so many samples");
            let (_, made) = self
                .fft
                .process_into_buffer(&from, &mut to, None::<&Indexing>)
                .expect("both blocks have the size it asked for");
            output.extend_from_slice(&self.block[..made]);
        }
        self.waiting.drain(..whole);
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

const TAU: f64 = std::f64::consts::TAU;
const TELEPHONY_RATES: [u32; 4] = [8_000, 16_000, 32_000, 48_000];
/// At the lower of both rates, so the length in time is 3 ms for 8 kHz.
const TAPS_PER_PHASE: usize = 24;
const LANES: usize = 8;
/// Middle of the transition band as a share of the lower rate. What is left above half of it falls back
/// onto frequencies just below, which a telephone does not pass on.
const CUTOFF: f64 = 0.475;
/// 75 dB of stop band.
const KAISER_BETA: f64 = 7.3;
const BLOCK_AT_LOWER_RATE: usize = 480;

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hz: f64, seconds: f64) -> Vec<f32> {
        let samples = (f64::from(rate) * seconds) as usize;
        (0..samples).map(|n| (TAU * hz * n as f64 / f64::from(rate)).sin() as f32 * 0.5).collect()
    }

    /// Amplitude of `hz` in the middle of `samples`.
    fn level(samples: &[f32], rate: u32, hz: f64) -> f64 {
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

    fn convert(samples: &[f32], from: u32, to: u32, piece: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(from, to).unwrap().aligned();
        let mut output = Vec::new();
        samples.chunks(piece).for_each(|part| resampler.push(part, &mut output));
        resampler.finish(&mut output);
        output
    }

    fn decibel(ratio: f64) -> f64 {
        20.0 * ratio.log10()
    }

    const PAIRS: [(u32, u32); 22] = [
        (16_000, 8_000),
        (32_000, 8_000),
        (48_000, 8_000),
        (8_000, 16_000),
        (8_000, 32_000),
        (8_000, 48_000),
        (16_000, 32_000),
        (16_000, 48_000),
        (32_000, 48_000),
        (32_000, 16_000),
        (48_000, 16_000),
        (48_000, 32_000),
        (8_000, 8_000),
        (44_100, 8_000),
        (22_050, 8_000),
        (24_000, 8_000),
        (11_025, 8_000),
        (96_000, 8_000),
        (44_100, 16_000),
        (6_000, 8_000),
        (8_000, 44_100),
        (11_127, 8_000),
    ];

    #[test]
    fn tones_keep_frequency_level_and_place() {
        for (from, to) in PAIRS {
            for hz in [300.0, 1_000.0, 2_600.0] {
                let input = tone(from, hz, 0.5);
                let output = convert(&input, from, to, 441);
                let change = decibel(level(&output, to, hz) / level(&input, from, hz));
                assert!(change.abs() < 0.1, "{from} to {to}: {hz} Hz changed by {change:.2} dB");
                // Sample by sample against the same tone made at the other rate: frequency, phase, delay.
                let want = tone(to, hz, 0.5);
                assert!(output.len().abs_diff(want.len()) <= 1, "{from} to {to}: {}", output.len());
                let middle = want.len() / 4..want.len() * 3 / 4;
                let worst = middle.map(|n| (output[n] - want[n]).abs()).fold(0.0, f32::max);
                assert!(worst < 0.005, "{from} to {to}: {hz} Hz is off by {worst}");
            }
        }
    }

    #[test]
    fn the_telephone_band_passes() {
        for (from, to) in PAIRS.into_iter().filter(|(from, to)| *from.min(to) >= 8_000) {
            let change =
                decibel(level(&convert(&tone(from, 3_400.0, 0.5), from, to, 160), to, 3_400.0) / 0.5);
            assert!((-2.0..0.1).contains(&change), "{from} to {to}: 3400 Hz changed by {change:.2} dB");
        }
    }

    /// Everything that would fall back into the telephone band (below 3400 Hz).
    #[test]
    fn aliases_stay_below_60_decibel() {
        for (from, to) in PAIRS.into_iter().filter(|(from, to)| from > to) {
            let mut hz = f64::from(to) - 3_400.0;
            while hz < f64::from(from) / 2.0 {
                let output = convert(&tone(from, hz, 0.25), from, to, 1_000);
                let loudest = output[output.len() / 4..output.len() * 3 / 4]
                    .iter()
                    .fold(0.0, |a: f32, s| a.max(s.abs()));
                let alias = decibel(f64::from(loudest) / 0.5);
                assert!(alias < -60.0, "{from} to {to}: {hz} Hz comes back at {alias:.1} dB");
                hz += 370.0;
            }
        }
    }

    #[test]
    fn images_stay_below_60_decibel() {
        for (from, to) in PAIRS.into_iter().filter(|(from, to)| from < to) {
            for hz in [700.0, 2_500.0] {
                let output = convert(&tone(from, hz, 0.25), from, to, 1_000);
                for image in [f64::from(from) - hz, f64::from(from) + hz] {
                    let share = decibel(level(&output, to, image) / 0.5);
                    assert!(
                        share < -60.0 || image > f64::from(to) / 2.0,
                        "{from} to {to}: {image} Hz at {share:.1} dB"
                    );
                }
            }
        }
    }

    #[test]
    fn pieces_do_not_matter() {
        for (from, to) in [(48_000, 8_000), (8_000, 48_000), (32_000, 48_000), (44_100, 8_000)] {
            let input = tone(from, 440.0, 0.3);
            let whole = convert(&input, from, to, input.len());
            for piece in [1, 7, 960] {
                assert_eq!(convert(&input, from, to, piece), whole, "{from} to {to} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_live_stream_gives_its_share_at_once() {
        for (from, to) in [(16_000, 8_000), (8_000, 16_000), (48_000, 8_000), (8_000, 48_000)] {
            let mut resampler = Resampler::new(from, to).unwrap();
            let mut output = Vec::new();
            for frame in 1..=50 {
                resampler.push(&vec![0.1; from as usize / 50], &mut output);
                assert_eq!(output.len(), frame * to as usize / 50, "{from} to {to}");
            }
            assert!(resampler.delay() * 1_000 <= 2 * to as usize, "more than 2 ms of delay");
        }
    }

    #[test]
    fn short_and_empty_sounds_keep_their_length() {
        for (from, to) in PAIRS {
            for len in [0usize, 1, 2, 50] {
                let want = (len as u64 * u64::from(to)).div_ceil(u64::from(from));
                assert_eq!(
                    convert(&vec![0.5; len], from, to, 10).len() as u64,
                    want,
                    "{from} to {to}: {len}"
                );
            }
        }
    }

    #[test]
    fn senseless_rates_are_refused() {
        assert_eq!(Resampler::new(0, 8_000).err(), Some(RateError(0)));
        assert_eq!(Resampler::new(8_000, 4_000_000).err(), Some(RateError(4_000_000)));
    }
}
