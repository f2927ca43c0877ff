//! The quadrature mirror filters: 16 kHz into two bands of 8 kHz and back (ITU-T G.722 §3.1, §4.4).

/// The transmit QMF.
#[derive(Default)]
pub(super) struct Analysis {
    even: Line,
    odd: Line,
}

/// The receive QMF.
#[derive(Default)]
pub(super) struct Synthesis {
    sum: Line,
    difference: Line,
}

/// The last twelve samples, twice in a row, so that they always lie together somewhere, oldest first.
#[derive(Default)]
struct Line {
    samples: [i16; 2 * HALF],
    at: usize,
}

impl Analysis {
    /// Two samples to one of the low and one of the high band.
    #[inline]
    pub(super) fn pair(&mut self, [first, second]: [i16; 2]) -> (i32, i32) {
        let odd = self.even.push(first, &TAPS);
        let even = self.odd.push(second, &MIRRORED);
        ((even + odd) >> 14, (even - odd) >> 14)
    }
}

impl Synthesis {
    /// One sample of each band to two.
    #[inline]
    pub(super) fn pair(&mut self, low: i32, high: i32) -> [i16; 2] {
        // Both are limited to 15 bits, so neither overflows.
        let first = self.difference.push((low - high) as i16, &MIRRORED);
        let second = self.sum.push((low + high) as i16, &TAPS);
        [saturate(first >> 11), saturate(second >> 11)]
    }
}

impl Line {
    #[inline]
    fn push(&mut self, sample: i16, taps: &[i16; HALF]) -> i32 {
        self.samples[self.at] = sample;
        self.samples[self.at + HALF] = sample;
        self.at = if self.at + 1 == HALF { 0 } else { self.at + 1 };
        let window = &self.samples[self.at..self.at + HALF];
        window.iter().zip(taps).map(|(s, tap)| i32::from(*s) * i32::from(*tap)).sum()
    }
}

fn saturate(sample: i32) -> i16 {
    sample.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

const HALF: usize = 12;
/// Every other coefficient of the 24 (table 4/G.722); the others are the same backwards.
const TAPS: [i16; HALF] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
const MIRRORED: [i16; HALF] = [-11, 53, -156, 362, -805, 3876, 951, -210, 32, 12, -11, 3];
