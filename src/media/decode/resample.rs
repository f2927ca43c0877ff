//! From the sampling rates of files to one of ours, whole sounds at a time: rubato's FFT resampler, steep, in
//! blocks of about 60 ms. Live streams have [`crate::resample`].

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _};

/// Lowest rate taken, in Hz.
pub(super) const RATE_MIN: u32 = 2_000;
/// Highest rate taken, in Hz.
pub(super) const RATE_MAX: u32 = 384_000;

/// A rate outside [`RATE_MIN`]`..=`[`RATE_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sampling rate {0} Hz is outside {RATE_MIN} to {RATE_MAX} Hz")]
pub(super) struct RateError(u32);

/// Converts one mono sound. Samples are in −1..1, though larger ones pass through.
pub(super) struct Resampler {
    /// None: both rates are the same.
    blocks: Option<Box<Blocks>>,
    /// In lowest terms: `up` samples out for `down` samples in.
    up: usize,
    down: usize,
    /// Output samples still to be dropped, which are the filter's delay: output begins where input began.
    skip: usize,
    taken: u64,
    given: u64,
}

impl Resampler {
    pub(super) fn new(from: u32, to: u32) -> Result<Resampler, RateError> {
        if let Some(rate) = [from, to].into_iter().find(|rate| !(RATE_MIN..=RATE_MAX).contains(rate)) {
            return Err(RateError(rate));
        }
        let common = greatest_common_divisor(from, to);
        let (up, down) = ((to / common) as usize, (from / common) as usize);
        let blocks = (from != to).then(|| Box::new(Blocks::new(from, to, down)));
        let skip = blocks.as_ref().map_or(0, |blocks| blocks.fft.output_delay());
        Ok(Resampler { blocks, up, down, skip, taken: 0, given: 0 })
    }

    /// Takes `input` and appends what comes of it to `output`.
    pub(super) fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        self.taken += input.len() as u64;
        let start = output.len();
        self.run(input, output);
        self.drop_delay(start, output);
        self.given += (output.len() - start) as u64;
    }

    /// Appends the rest, so that all output together is as long as all input: to be called once, last.
    pub(super) fn finish(&mut self, output: &mut Vec<f32>) {
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
        match &mut self.blocks {
            None => output.extend_from_slice(input),
            Some(blocks) => blocks.push(input, output),
        }
    }

    fn drop_delay(&mut self, start: usize, output: &mut Vec<f32>) {
        let drop = self.skip.min(output.len() - start);
        output.drain(start..start + drop);
        self.skip -= drop;
    }
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

const BLOCK_AT_LOWER_RATE: usize = 480;

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

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
        let mut resampler = Resampler::new(from, to).unwrap();
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
