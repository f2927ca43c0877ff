//! The wire: datagrams that are lost, doubled, overtaken and late, by one seed.

use std::time::Duration;

use base::Rng;

/// What the wire does to datagrams. Streams are only late.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// Share of datagrams that never arrive.
    pub loss: f64,
    /// Share that arrives twice.
    pub duplicate: f64,
    /// Least time on the way.
    pub latency_min: Duration,
    /// Most time on the way; a wide span reorders.
    pub latency_max: Duration,
}

impl Faults {
    /// A quiet office network.
    pub const NONE: Faults = Faults {
        loss: 0.0,
        duplicate: 0.0,
        latency_min: Duration::from_millis(1),
        latency_max: Duration::from_millis(1),
    };
}

/// A wire with a temper.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Its present temper.
    pub faults: Faults,
    rng: Rng,
}

impl Wire {
    /// A wire whose accidents come from `rng`.
    pub fn new(faults: Faults, rng: Rng) -> Self {
        Self { faults, rng }
    }

    /// After which times a datagram arrives: none when it is lost, two when it is doubled.
    pub fn arrivals(&mut self, reliable: bool) -> Vec<Duration> {
        if reliable {
            // One delay for all keeps a stream in order.
            return vec![self.faults.latency_min];
        }
        let mut arrivals = Vec::new();
        if !self.rng.chance(self.faults.loss) {
            arrivals.push(self.delay());
        }
        if self.rng.chance(self.faults.duplicate) {
            arrivals.push(self.delay());
        }
        arrivals
    }

    fn delay(&mut self) -> Duration {
        let span = self.faults.latency_max.saturating_sub(self.faults.latency_min);
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        self.faults.latency_min + Duration::from_micros(self.rng.below(micros.saturating_add(1).max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wire_loses_and_doubles_about_as_often_as_it_is_told() {
        let faults = Faults { loss: 0.3, duplicate: 0.1, ..Faults::NONE };
        let mut wire = Wire::new(faults, Rng::seeded(5));
        let counts: Vec<usize> = (0..10_000).map(|_| wire.arrivals(false).len()).collect();
        let lost = counts.iter().filter(|n| **n == 0).count();
        let doubled = counts.iter().filter(|n| **n == 2).count();
        assert!((2_400..3_000).contains(&lost), "{lost}");
        assert!((550..850).contains(&doubled), "{doubled}");
        assert_eq!(wire.arrivals(true).len(), 1);
    }
}
