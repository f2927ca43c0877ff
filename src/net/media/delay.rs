//! How long the box itself keeps a packet: from when the kernel received it to when what came of it was sent.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Upper ends of the classes in microseconds; what is longer is in a class of its own.
pub const CLASSES_US: [u64; 13] =
    [25, 50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 1_000_000];

/// One packet in so many is measured: the time stamp costs a longer system call.
pub(super) const MEASURED_EVERY: u64 = 32;

/// The packets measured, by class. One thread counts, others read.
#[derive(Debug, Default)]
pub(super) struct Delays {
    classes: [AtomicU64; CLASSES_US.len() + 1],
    total_ns: AtomicU64,
}

/// The delays of the packets that were measured: one in 32 of those that led to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DelayHistogram {
    /// How many took up to as long as [`CLASSES_US`] says, each class without those before it; last those that
    /// took longer.
    pub classes: [u64; CLASSES_US.len() + 1],
    /// Nanoseconds of all of them together.
    pub total_ns: u64,
}

impl Delays {
    pub(super) fn record(&self, ns: u64) {
        let class = CLASSES_US.partition_point(|&us| us * 1_000 < ns);
        self.classes[class].fetch_add(1, Relaxed);
        self.total_ns.fetch_add(ns, Relaxed);
    }

    pub(super) fn add_to(&self, histogram: &mut DelayHistogram) {
        for (sum, class) in histogram.classes.iter_mut().zip(&self.classes) {
            *sum += class.load(Relaxed);
        }
        histogram.total_ns += self.total_ns.load(Relaxed);
    }
}

impl DelayHistogram {
    /// Packets measured.
    pub fn count(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// How many microseconds that share of the packets took at most, by class; `None` when nothing was measured,
    /// and where it is more than the classes tell.
    pub fn quantile_us(&self, share: f64) -> Option<u64> {
        let wanted = (self.count() as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        let class = self.classes.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        CLASSES_US.get(class).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_fall_into_their_classes() {
        let delays = Delays::default();
        for us in [1, 25, 26, 50, 240, 999, 5_000, 5_001, 3_000_000] {
            delays.record(us * 1_000);
        }
        let mut seen = DelayHistogram::default();
        delays.add_to(&mut seen);
        assert_eq!(seen.classes, [2, 2, 0, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0, 1]);
        assert_eq!((seen.count(), seen.total_ns / 1_000), (9, 3_011_342));
        let quantiles = [0.0, 0.5, 0.7, 0.85, 1.0].map(|share| seen.quantile_us(share));
        assert_eq!(quantiles, [Some(25), Some(250), Some(5_000), Some(10_000), None]);
        assert_eq!(DelayHistogram::default().quantile_us(0.5), None);
    }
}
