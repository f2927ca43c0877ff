//! Where decoded samples go: many channels to one, any rate to 8 kHz and, where the source has more, to 16 kHz
//! as well, never more than the maximum.

use super::resample::Resampler;
use super::{DURATION_MS_MAX, DecodeError, SAMPLES_MAX};
use crate::clip::{Clip, Grower};

pub(super) struct Sink {
    source: Option<Source>,
    /// Decided by the rate of the first samples, for all of them.
    is_wide: Option<bool>,
    /// Samples taken, all channels together, and how many at most.
    taken: u64,
    taken_max: u64,
    mono: Vec<f32>,
    resampled: Vec<f32>,
    pcm: Vec<i16>,
    wide: Vec<i16>,
    /// Samples that were made, of the narrow and of the wide form, and how many narrow ones at most.
    made: (usize, usize),
    made_max: usize,
    /// Takes all samples at once instead of leaving them here.
    grower: Option<Grower>,
}

/// What the samples come as.
struct Source {
    rate: u32,
    narrow: Resampler,
    wide: Option<Resampler>,
}

impl Sink {
    pub(super) fn new() -> Sink {
        Sink::limited((DURATION_MS_MAX * u64::from(Clip::RATE) / 1_000) as usize, SAMPLES_MAX)
    }

    /// Samples go on to `grower` as they come.
    pub(super) fn growing(grower: Grower) -> Sink {
        Sink { grower: Some(grower), ..Sink::new() }
    }

    fn limited(made_max: usize, taken_max: u64) -> Sink {
        Sink {
            source: None,
            is_wide: None,
            taken: 0,
            taken_max,
            mono: Vec::new(),
            resampled: Vec::new(),
            pcm: Vec::new(),
            wide: Vec::new(),
            made: (0, 0),
            made_max,
            grower: None,
        }
    }

    /// Whether any more would be thrown away.
    pub(super) fn is_full(&self) -> bool {
        self.made.0 >= self.made_max || self.taken >= self.taken_max
    }

    /// Takes interleaved samples. The rate may change from one push to the next: files joined together do so.
    pub(super) fn push(&mut self, samples: &[f32], channels: usize, rate: u32) -> Result<(), DecodeError> {
        if channels == 0 || samples.is_empty() {
            return Ok(());
        }
        if self.source.as_ref().is_none_or(|source| source.rate != rate) {
            self.flush();
            let is_wide = *self.is_wide.get_or_insert(rate > Clip::RATE);
            let wide = is_wide.then(|| resampler(rate, Clip::WIDE_RATE)).transpose()?;
            self.source = Some(Source { rate, narrow: resampler(rate, Clip::RATE)?, wide });
        }
        self.taken += samples.len() as u64;
        self.mono.clear();
        self.mono.extend(samples.chunks_exact(channels).map(|frame| {
            let sum: f32 = frame.iter().sum();
            // A file of floats may hold anything; one NaN would stay in the filter for good.
            if sum.is_finite() { (sum / channels as f32).clamp(-4.0, 4.0) } else { 0.0 }
        }));
        let source = self.source.as_mut().expect("made above");
        source.narrow.push(&self.mono, &mut self.resampled);
        store(&mut self.resampled, &mut self.pcm, &mut self.made.0, self.made_max);
        if let Some(wide) = &mut source.wide {
            wide.push(&self.mono, &mut self.resampled);
            store(&mut self.resampled, &mut self.wide, &mut self.made.1, 2 * self.made_max);
        }
        self.grow();
        Ok(())
    }

    /// All samples, and their wide form where there is one. Of a growing sound none are left.
    pub(super) fn finish(mut self) -> (Vec<i16>, Option<Vec<i16>>) {
        self.flush();
        (self.pcm, self.is_wide.filter(|&is_wide| is_wide).map(|_| self.wide))
    }

    /// Narrow samples made so far.
    pub(super) fn made(&self) -> usize {
        self.made.0
    }

    fn flush(&mut self) {
        let Some(mut source) = self.source.take() else { return };
        source.narrow.finish(&mut self.resampled);
        store(&mut self.resampled, &mut self.pcm, &mut self.made.0, self.made_max);
        if let Some(wide) = &mut source.wide {
            wide.finish(&mut self.resampled);
            store(&mut self.resampled, &mut self.wide, &mut self.made.1, 2 * self.made_max);
            // Both forms keep step where one rate follows another.
            let rest = (self.wide.len() + 2 * self.made.0).saturating_sub(self.made.1);
            self.made.1 = self.made.1 + rest - self.wide.len();
            self.wide.resize(rest, 0);
        }
        self.grow();
    }

    fn grow(&mut self) {
        if let Some(grower) = &mut self.grower {
            grower.push(&self.pcm, &self.wide);
            self.pcm.clear();
            self.wide.clear();
        }
    }
}

fn resampler(from: u32, to: u32) -> Result<Resampler, DecodeError> {
    let resampler = Resampler::new(from, to);
    resampler.map_err(|error| DecodeError::Unsupported(error.to_string()))
}

fn store(resampled: &mut Vec<f32>, pcm: &mut Vec<i16>, made: &mut usize, made_max: usize) {
    let room = made_max.saturating_sub(*made);
    let before = pcm.len();
    // Values outside full scale saturate.
    pcm.extend(resampled.drain(..).take(room).map(|s| (s * 32_768.0).round() as i16));
    *made += pcm.len() - before;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_averaged_and_kept_exact() {
        let mut sink = Sink::new();
        sink.push(&[0.5, 0.25, -1.0, -1.0, 1.0, 1.0, 0.5, -0.5], 2, 8_000).unwrap();
        sink.push(&[1.0 / 32_768.0, f32::NAN, 9.0, f32::NEG_INFINITY], 1, 8_000).unwrap();
        assert_eq!(sink.finish().0, [12_288, -32_768, 32_767, 0, 1, 0, 32_767, 0]);
    }

    #[test]
    fn the_rate_may_change() {
        let mut sink = Sink::new();
        sink.push(&[0.25; 4_410], 1, 44_100).unwrap();
        sink.push(&[0.25; 1_600], 2, 8_000).unwrap();
        sink.push(&[], 2, 0).unwrap();
        let (pcm, wide) = sink.finish();
        assert_eq!(pcm.len(), 800 + 800);
        assert_eq!(pcm[1_200], 8_192);
        let wide = wide.unwrap();
        assert_eq!((wide.len(), wide[2_400]), (2 * 1_600, 8_192));
    }

    #[test]
    fn senseless_rates_are_refused() {
        assert!(matches!(Sink::new().push(&[0.0], 1, 1), Err(DecodeError::Unsupported(_))));
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let mut long = Sink::limited(1_000, 10_000);
        for full in [false, false, false, true] {
            assert_eq!(long.is_full(), full);
            long.push(&[0.25; 400], 1, 8_000).unwrap();
        }
        assert_eq!(long.finish(), (vec![8_192; 1_000], None));

        let mut wide = Sink::limited(1_000, 10_000);
        wide.push(&[0.25; 9_999], 99, 192_000).unwrap();
        assert!(!wide.is_full());
        wide.push(&[0.25; 99], 99, 192_000).unwrap();
        assert!(wide.is_full());
    }
}
