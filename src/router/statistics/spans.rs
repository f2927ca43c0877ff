//! What each worker did, and from when to when.

use std::collections::{BTreeMap, VecDeque};

use base::{ActivitySid, Mono, WorkerSid};
use serde::{Deserialize, Serialize};

use super::rolling::Spread;

/// Changes of activity remembered of each worker; the thirty days of one who changes more often are shorter.
pub const ACTIVITY_CHANGES_MAX: usize = 1_000;

/// A worker did this from then to then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Span {
    activity: ActivitySid,
    from: Mono,
    to: Mono,
}

/// What every worker did; what it is doing is not in here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spans(BTreeMap<WorkerSid, VecDeque<Span>>);

impl Spans {
    pub(crate) fn did(&mut self, worker: WorkerSid, activity: ActivitySid, from: Mono, to: Mono) {
        let spans = self.0.entry(worker).or_default();
        if spans.len() >= ACTIVITY_CHANGES_MAX {
            spans.pop_front();
        }
        spans.push_back(Span { activity, from, to });
    }

    /// What they did before all that is in here.
    pub(crate) fn precede(&mut self, past: &Spans) {
        for (worker, before) in &past.0 {
            let spans = self.0.entry(*worker).or_default();
            let room = ACTIVITY_CHANGES_MAX.saturating_sub(spans.len());
            for span in before.iter().rev().take(room) {
                spans.push_front(*span);
            }
        }
    }

    /// Forgets what ended before.
    pub(crate) fn forget(&mut self, before: Mono) {
        self.0.retain(|_, spans| {
            while spans.pop_front_if(|span| span.to < before).is_some() {}
            !spans.is_empty()
        });
    }

    /// Adds how long a worker was in each activity between two moments. `current`: what it is doing, and since when.
    pub(crate) fn add_to(
        &self,
        spreads: &mut BTreeMap<ActivitySid, Spread>,
        (worker, current): (WorkerSid, Option<(ActivitySid, Mono)>),
        (from, to): (Mono, Mono),
    ) {
        let spans = self.0.get(&worker).into_iter().flat_map(|spans| {
            let first = spans.partition_point(|span| span.to <= from);
            spans.range(first..).copied()
        });
        let current = current.map(|(activity, since)| Span { activity, from: since, to });
        for span in spans.chain(current) {
            // What began before or went on after is counted as far as it lies between.
            let (begin, end) = (span.from.max(from), span.to.min(to));
            if begin < end {
                spreads.entry(span.activity).or_default().add(end.since(begin));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_was_in_each_activity_as_long_as_lies_in_the_window() {
        let (s, worker, (rest, work)) =
            (|s: u64| Mono(s * 1_000_000_000), WorkerSid(1), (ActivitySid(1), ActivitySid(2)));
        let mut spans = Spans::default();
        spans.did(worker, rest, s(0), s(100));
        spans.did(worker, work, s(100), s(160));
        spans.did(worker, rest, s(160), s(170));
        for (from, to, expected) in [
            (0, 200, [(2, 110, 10, 100), (2, 90, 30, 60)]),
            (90, 165, [(2, 15, 5, 10), (1, 60, 60, 60)]),
            (170, 180, [(0, 0, 0, 0), (1, 10, 10, 10)]),
        ] {
            let mut spreads = BTreeMap::new();
            spans.add_to(&mut spreads, (worker, Some((work, s(170)))), (s(from), s(to)));
            let told = [rest, work].map(|activity| {
                let Spread { count, total_ms, min_ms, max_ms } =
                    spreads.get(&activity).copied().unwrap_or_default();
                (count, total_ms / 1_000, min_ms / 1_000, max_ms / 1_000)
            });
            assert_eq!(told, expected, "{from} to {to}");
        }
        spans.forget(s(165));
        assert_eq!(spans.0[&worker].len(), 1);
        spans.forget(s(171));
        assert!(spans.0.is_empty());
        for n in 0..5_000 {
            spans.did(worker, rest, s(n), s(n + 1));
        }
        assert_eq!(spans.0[&worker].len(), ACTIVITY_CHANGES_MAX);
    }
}
