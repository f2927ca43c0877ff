//! Where decoded samples go: many channels to one, any rate to 8 kHz, never more than the maximum.

use super::resample::Resampler;
use super::{DURATION_MS_MAX, DecodeError, SAMPLES_MAX};
use crate::clip::Clip;

pub(super) struct Sink {
    resampler: Option<(u32, Resampler)>,
    /// Samples taken, all channels together, and how many at most.
    taken: u64,
    taken_max: u64,
    mono: Vec<f32>,
    resampled: Vec<f32>,
    pcm: Vec<i16>,
    pcm_max: usize,
}

impl Sink {
    pub(super) fn new() -> Sink {
        Sink::limited((DURATION_MS_MAX * u64::from(Clip::RATE) / 1_000) as usize, SAMPLES_MAX)
    }

    fn limited(pcm_max: usize, taken_max: u64) -> Sink {
        let (mono, resampled, pcm) = (vec![], vec![], vec![]);
        Sink { resampler: None, taken: 0, taken_max, mono, resampled, pcm, pcm_max }
    }

    /// Whether any more would be thrown away.
    pub(super) fn is_full(&self) -> bool {
        self.pcm.len() >= self.pcm_max || self.taken >= self.taken_max
    }

    /// Takes interleaved samples. The rate may change from one push to the next: files joined together do so.
    pub(super) fn push(&mut self, samples: &[f32], channels: usize, rate: u32) -> Result<(), DecodeError> {
        if channels == 0 || samples.is_empty() {
            return Ok(());
        }
        if self.resampler.as_ref().is_none_or(|(current, _)| *current != rate) {
            self.flush();
            let resampler = Resampler::new(rate, Clip::RATE)
                .map_err(|error| DecodeError::Unsupported(error.to_string()))?;
            self.resampler = Some((rate, resampler));
        }
        self.taken += samples.len() as u64;
        self.mono.clear();
        self.mono.extend(samples.chunks_exact(channels).map(|frame| {
            let sum: f32 = frame.iter().sum();
            // A file of floats may hold anything; one NaN would stay in the filter for good.
            if sum.is_finite() { (sum / channels as f32).clamp(-4.0, 4.0) } else { 0.0 }
        }));
        let (_, resampler) = self.resampler.as_mut().expect("made above");
        resampler.push(&self.mono, &mut self.resampled);
        self.store();
        Ok(())
    }

    /// All samples.
    pub(super) fn finish(mut self) -> Vec<i16> {
        self.flush();
        self.pcm
    }

    fn flush(&mut self) {
        if let Some((_, mut resampler)) = self.resampler.take() {
            resampler.finish(&mut self.resampled);
            self.store();
        }
    }

    fn store(&mut self) {
        let room = self.pcm_max.saturating_sub(self.pcm.len());
        // Values outside full scale saturate.
        self.pcm.extend(self.resampled.drain(..).take(room).map(|s| (s * 32_768.0).round() as i16));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_averaged_and_kept_exact() {
        let mut sink = Sink::new();
        sink.push(&[0.5, 0.25, -1.0, -1.0, 1.0, 1.0, 0.5, -0.5], 2, 8_000).unwrap();
        sink.push(&[1.0 / 32_768.0, f32::NAN, 9.0, f32::NEG_INFINITY], 1, 8_000).unwrap();
        assert_eq!(sink.finish(), [12_288, -32_768, 32_767, 0, 1, 0, 32_767, 0]);
    }

    #[test]
    fn the_rate_may_change() {
        let mut sink = Sink::new();
        sink.push(&[0.25; 4_410], 1, 44_100).unwrap();
        sink.push(&[0.25; 1_600], 2, 8_000).unwrap();
        sink.push(&[], 2, 0).unwrap();
        let pcm = sink.finish();
        assert_eq!(pcm.len(), 800 + 800);
        assert_eq!(pcm[1_200], 8_192);
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
        assert_eq!(long.finish(), [8_192; 1_000]);

        let mut wide = Sink::limited(1_000, 10_000);
        wide.push(&[0.25; 9_999], 99, 192_000).unwrap();
        assert!(!wide.is_full());
        wide.push(&[0.25; 99], 99, 192_000).unwrap();
        assert!(wide.is_full());
    }
}
