//! The quadrature mirror filters: 16 kHz into two bands of 8 kHz and back (ITU-T G.722 §3.1, §4.4), many samples
//! at once because that is how a processor likes them.

/// The transmit QMF.
#[derive(Default)]
pub(super) struct Analysis {
    first: Line,
    second: Line,
}

/// The receive QMF.
#[derive(Default)]
pub(super) struct Synthesis {
    sum: Line,
    difference: Line,
}

/// One half of a filter: every other sample, with those of the last block that it still needs.
struct Line([i16; PAST + BLOCK]);

impl Analysis {
    /// Pairs of samples, at most [`BLOCK`], to as many of the low and of the high band.
    #[inline]
    pub(super) fn block(&mut self, pairs: &[[i16; 2]]) -> ([i16; BLOCK], [i16; BLOCK]) {
        self.first.put(pairs.iter().map(|pair| pair[0]));
        self.second.put(pairs.iter().map(|pair| pair[1]));
        let (odd, even) = (self.first.filter(&TAPS), self.second.filter(&MIRRORED));
        let (mut low, mut high) = ([0; BLOCK], [0; BLOCK]);
        for n in 0..BLOCK {
            // All taps together are less than 2 in Q12, so either fits 16 bits.
            low[n] = ((even[n] + odd[n]) >> 14) as i16;
            high[n] = ((even[n] - odd[n]) >> 14) as i16;
        }
        self.first.forget(pairs.len());
        self.second.forget(pairs.len());
        (low, high)
    }
}

impl Synthesis {
    /// As many samples of both bands as there are pairs to make of them, at most [`BLOCK`].
    #[inline]
    pub(super) fn block(&mut self, low: &[i16; BLOCK], high: &[i16; BLOCK], pairs: &mut [[i16; 2]]) {
        // Both are limited to 15 bits, so neither overflows.
        let both = low.iter().zip(high).take(pairs.len());
        self.difference.put(both.clone().map(|(low, high)| low - high));
        self.sum.put(both.map(|(low, high)| low + high));
        let (first, second) = (self.difference.filter(&MIRRORED), self.sum.filter(&TAPS));
        for (n, pair) in pairs.iter_mut().enumerate() {
            *pair = [saturate(first[n] >> 11), saturate(second[n] >> 11)];
        }
        self.difference.forget(pairs.len());
        self.sum.forget(pairs.len());
    }
}

impl Default for Line {
    fn default() -> Line {
        Line([0; PAST + BLOCK])
    }
}

impl Line {
    #[inline]
    fn put(&mut self, samples: impl Iterator<Item = i16>) {
        for (place, sample) in self.0[PAST..].iter_mut().zip(samples) {
            *place = sample;
        }
    }

    /// The filter at each sample of the block, eight side by side.
    #[inline]
    fn filter(&self, taps: &[i16; HALF]) -> [i32; BLOCK] {
        let mut sums = [0; BLOCK];
        for (at, sums) in sums.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            for (k, tap) in taps.iter().enumerate() {
                for (sum, sample) in sums.iter_mut().zip(&self.0[at * 8 + k..][..8]) {
                    *sum += i32::from(*sample) * i32::from(*tap);
                }
            }
        }
        sums
    }

    #[inline]
    fn forget(&mut self, count: usize) {
        self.0.copy_within(count..count + PAST, 0);
    }
}

fn saturate(sample: i32) -> i16 {
    sample.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

/// Pairs of samples taken at once: 10 ms.
pub(super) const BLOCK: usize = 80;
const HALF: usize = 12;
const PAST: usize = HALF - 1;
/// Every other coefficient of the 24 (table 4/G.722); the others are the same backwards.
const TAPS: [i16; HALF] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
const MIRRORED: [i16; HALF] = [-11, 53, -156, 362, -805, 3876, 951, -210, 32, 12, -11, 3];
