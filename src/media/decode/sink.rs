//! Where decoded samples go: many channels to one, any rate to 8 kHz, never more than the maximum.

use super::{DURATION_MS_MAX, DecodeError, SAMPLES_MAX};
use crate::clip::Clip;
use crate::resample::Resampler;

pub(super) struct Sink {
    resampler: Option<(u32, Resampler)>,
    /// Samples taken, all channels together.
    taken: u64,
    mono: Vec<f32>,
    resampled: Vec<f32>,
    pcm: Vec<i16>,
}

impl Sink {
    pub(super) fn new() -> Sink {
        Sink { resampler: None, taken: 0, mono: vec![], resampled: vec![], pcm: vec![] }
    }

    /// Whether any more would be thrown away.
    pub(super) fn is_full(&self) -> bool {
        self.pcm.len() >= PCM_MAX || self.taken >= SAMPLES_MAX
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
            self.resampler = Some((rate, resampler.aligned()));
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
        let room = PCM_MAX.saturating_sub(self.pcm.len());
        // Values outside full scale saturate.
        self.pcm.extend(self.resampled.drain(..).take(room).map(|s| (s * 32_768.0).round() as i16));
    }
}

const PCM_MAX: usize = (DURATION_MS_MAX * Clip::RATE as u64 / 1_000) as usize;

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
        let mut sink = Sink::new();
        let minute = vec![0.0; 8_000 * 60];
        let mut minutes = 0;
        while !sink.is_full() {
            sink.push(&minute, 1, 8_000).unwrap();
            minutes += 1;
        }
        sink.push(&minute, 1, 8_000).unwrap();
        assert_eq!((minutes, sink.finish().len()), (40, 40 * 60 * 8_000));

        let mut sink = Sink::new();
        let many = vec![0.0; 1 << 20];
        let mut pushes = 0;
        while !sink.is_full() && pushes < 1_000 {
            sink.push(&many, 64, 192_000).unwrap();
            pushes += 1;
        }
        assert_eq!(pushes, SAMPLES_MAX.div_ceil(1 << 20));
    }
}
