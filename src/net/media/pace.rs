//! How often a media thread wakes.
//!
//! A wake-up costs several packets' worth of CPU, so a busy thread gains by letting packets gather: some hundred
//! microseconds between wake-ups halve the cost at some hundred legs, for half of them in mean delay. A thread that
//! has time to spare serves every packet at once.

/// The state of one thread's pace.
#[derive(Debug)]
pub(super) struct Pace {
    /// Steps the interval may grow to.
    steps: usize,
    /// Nanoseconds from one wake-up to the next, at least.
    interval: u64,
    woke: u64,
    /// The window that is measured.
    begun: u64,
    busy: u64,
    packets: u64,
    /// Packets in a window when the interval was raised to each step.
    raised_at: [u64; STEPS],
}

/// Steps from at once to the longest interval there is.
const STEPS: usize = 4;
const STEP_NS: u64 = 250_000;

/// How long load is measured before the interval changes.
const WINDOW_NS: u64 = 100_000_000;

/// Thousandths of a core above which the interval grows.
const BUSY_PERMILLE_MAX: u64 = 150;

impl Pace {
    /// Packets gather for `longest_ns` at most; 0 = each is served at once.
    pub(super) fn new(now: u64, longest_ns: u64) -> Pace {
        let steps = usize::try_from(longest_ns / STEP_NS).map_or(STEPS, |steps| steps.min(STEPS));
        Pace { steps, interval: 0, woke: now, begun: now, busy: 0, packets: 0, raised_at: [0; STEPS] }
    }

    /// Until when to sleep before looking at the sockets; never past the deadline.
    #[inline]
    pub(super) fn pause(&self, now: u64, deadline: Option<u64>) -> Option<u64> {
        if self.interval == 0 {
            return None;
        }
        let until = (self.woke + self.interval).min(deadline.unwrap_or(u64::MAX));
        (until > now).then_some(until)
    }

    /// Work begins.
    #[inline]
    pub(super) fn woke(&mut self, now: u64) {
        self.woke = now;
    }

    /// Work is done; `packets` counts all so far. At the end of a window: the load in thousandths of a core.
    #[inline]
    pub(super) fn done(&mut self, now: u64, packets: u64) -> Option<u64> {
        self.busy += now - self.woke;
        let length = now - self.begun;
        if length < WINDOW_NS {
            return None;
        }
        let busy = self.busy * 1_000 / length;
        // Per full window, so that a long idle wait does not look like a busy one.
        let rate = (packets - self.packets) * WINDOW_NS / length;
        self.adapt(busy, rate);
        (self.begun, self.busy, self.packets) = (now, 0, packets);
        Some(busy)
    }

    fn adapt(&mut self, busy: u64, rate: u64) {
        let step = (self.interval / STEP_NS) as usize;
        if busy > BUSY_PERMILLE_MAX && step < self.steps {
            self.raised_at[step] = rate;
            self.interval += STEP_NS;
        } else if step > 0 && rate < self.raised_at[step - 1] * 7 / 10 {
            // Load itself falls when the interval grows; only fewer packets are a reason to go back.
            self.interval -= STEP_NS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows of a load that costs so much per packet and per wake-up; the interval after each.
    fn intervals(pace: &mut Pace, rates: &[u64]) -> Vec<u64> {
        let mut packets = pace.packets;
        let mut now = pace.begun;
        let mut seen = Vec::new();
        for rate in rates {
            let wakes = WINDOW_NS.checked_div(pace.interval).map_or(*rate, |wakes| wakes.min(*rate));
            let busy = rate * 5_000 + wakes * 15_000;
            packets += rate;
            pace.woke(now + WINDOW_NS - busy);
            now += WINDOW_NS;
            assert!(pace.done(now, packets).is_some());
            seen.push(pace.interval / 1_000);
        }
        seen
    }

    #[test]
    fn little_load_is_served_at_once() {
        assert_eq!(intervals(&mut Pace::new(0, 1_000_000), &[100, 300, 700]), [0, 0, 0]);
    }

    #[test]
    fn load_raises_the_interval_and_its_relief_does_not_lower_it() {
        let mut pace = Pace::new(0, 1_000_000);
        assert_eq!(intervals(&mut pace, &[2_000; 6]), [250, 500, 500, 500, 500, 500]);
        assert_eq!(intervals(&mut pace, &[200; 4]), [250, 0, 0, 0]);
    }

    #[test]
    fn the_interval_has_a_longest() {
        assert_eq!(intervals(&mut Pace::new(0, 1_000_000), &[4_800; 6])[5], 1_000);
    }

    #[test]
    fn the_longest_interval_can_be_less() {
        assert_eq!(intervals(&mut Pace::new(0, 500_000), &[4_800; 6])[5], 500);
        assert_eq!(intervals(&mut Pace::new(0, 0), &[4_800; 6])[5], 0);
    }

    #[test]
    fn a_deadline_cuts_the_pause() {
        let pace = Pace { interval: 1_000_000, woke: 5_000_000, ..Pace::new(0, 1_000_000) };
        assert_eq!(pace.pause(5_100_000, None), Some(6_000_000));
        assert_eq!(pace.pause(5_100_000, Some(5_500_000)), Some(5_500_000));
        assert_eq!(pace.pause(5_600_000, Some(5_500_000)), None);
        assert_eq!(Pace::new(0, 1_000_000).pause(0, None), None);
    }
}
