//! How long something took, over millions of times, in a few hundred bytes.

/// Durations in buckets of a quarter octave: what is read from it is at most a fifth too high.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: [u32; BUCKETS],
}

/// From 256 ns to 4.3 s; what is shorter or longer counts in the first or last bucket.
const BUCKETS: usize = 96;

/// Octave of the first bucket: 2^8 ns.
const FIRST: u32 = 8;

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: [0; BUCKETS] }
    }
}

impl Histogram {
    /// Counts one of so many nanoseconds.
    pub fn record(&mut self, ns: u64) {
        let count = &mut self.counts[bucket(ns)];
        *count = count.saturating_add(1);
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: &Histogram) {
        for (count, other) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(other);
        }
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|n| u64::from(*n)).sum()
    }

    /// Nanoseconds that this share (0 to 1) of them did not exceed; `None` when there were none.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let count = self.count();
        let rank = ((count as f64 * share.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut below = 0;
        let found = self.counts.iter().position(|n| {
            below += u64::from(*n);
            below >= rank
        });
        (count > 0).then(|| upper_edge(found.unwrap_or(BUCKETS - 1)))
    }
}

fn bucket(ns: u64) -> usize {
    let ns = ns.max(1 << FIRST);
    let octave = ns.ilog2();
    // The two bits after the highest.
    let quarter = (ns >> (octave - 2)) & 3;
    (((octave - FIRST) * 4) as usize + quarter as usize).min(BUCKETS - 1)
}

fn upper_edge(bucket: usize) -> u64 {
    let (octave, quarter) = (bucket / 4, bucket as u64 % 4);
    ((5 + quarter) << (octave as u32 + FIRST - 2)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_within_a_quarter_octave_of_its_bucket() {
        for ns in (0..400).map(|n| (256.0 * 1.06f64.powi(n)) as u64).take_while(|ns| *ns < 4_200_000_000) {
            let mut histogram = Histogram::default();
            histogram.record(ns);
            let read = histogram.quantile(0.5).unwrap();
            assert!(read >= ns && read as f64 <= ns as f64 * 1.26, "{ns}: {read}");
        }
    }

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        let mut other = Histogram::default();
        for n in 1..=1_000u64 {
            if n % 2 == 0 { histogram.record(n * 1_000) } else { other.record(n * 1_000) }
        }
        histogram.merge(&other);
        assert_eq!(histogram.count(), 1_000);
        for (share, ns) in [(0.5, 500_000), (0.99, 990_000), (1.0, 1_000_000)] {
            let read = histogram.quantile(share).unwrap();
            assert!((ns..ns * 126 / 100).contains(&read), "{share}: {read}");
        }
        histogram.record(u64::MAX);
        histogram.record(0);
        assert_eq!(histogram.quantile(0.0), Some(319));
        assert!(size_of::<Histogram>() <= 512);
    }
}
