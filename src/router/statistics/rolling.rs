//! What was counted, minute by minute: finer for the last hours, coarser for what lies back, nothing beyond thirty days.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use base::Mono;
use serde::{Deserialize, Serialize};

use crate::task::ReservationStatus;

/// How long some waited, or did something: how often, the shortest, the longest and all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// How many.
    pub count: u32,
    /// Milliseconds, all together.
    pub total_ms: u64,
    /// Milliseconds, the shortest; 0 where there is none.
    pub min_ms: u64,
    /// Milliseconds, the longest.
    pub max_ms: u64,
}

impl Spread {
    /// One more.
    pub(crate) fn add(&mut self, lasted: Duration) {
        let ms = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
        self.merge(&Spread { count: 1, total_ms: ms, min_ms: ms, max_ms: ms });
    }

    /// Those of another too.
    pub(crate) fn merge(&mut self, other: &Spread) {
        if other.count == 0 {
            return;
        }
        self.min_ms = if self.count == 0 { other.min_ms } else { self.min_ms.min(other.min_ms) };
        self.max_ms = self.max_ms.max(other.max_ms);
        self.total_ms = self.total_ms.saturating_add(other.total_ms);
        self.count = self.count.saturating_add(other.count);
    }

    /// Milliseconds on average; 0 where there is none.
    pub fn avg_ms(&self) -> u64 {
        self.total_ms / u64::from(self.count.max(1))
    }
}

/// Reservations made, and what became of them (reference: taskrouter §12, `reservations_…`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationCounts {
    /// `reservations_created`.
    pub created: u32,
    /// `reservations_accepted`.
    pub accepted: u32,
    /// `reservations_rejected`.
    pub rejected: u32,
    /// `reservations_timed_out`.
    pub timed_out: u32,
    /// `reservations_canceled`.
    pub canceled: u32,
    /// `reservations_rescinded`.
    pub rescinded: u32,
}

impl ReservationCounts {
    pub(crate) fn became(&mut self, status: ReservationStatus) {
        let count = match status {
            ReservationStatus::Pending => &mut self.created,
            ReservationStatus::Accepted => &mut self.accepted,
            ReservationStatus::Rejected => &mut self.rejected,
            ReservationStatus::Timeout => &mut self.timed_out,
            ReservationStatus::Canceled => &mut self.canceled,
            ReservationStatus::Rescinded => &mut self.rescinded,
            // What is done with the task is counted as the task's.
            ReservationStatus::Wrapping | ReservationStatus::Completed => return,
        };
        *count = count.saturating_add(1);
    }

    pub(crate) fn merge(&mut self, other: &ReservationCounts) {
        for (mine, theirs) in [
            (&mut self.created, other.created),
            (&mut self.accepted, other.accepted),
            (&mut self.rejected, other.rejected),
            (&mut self.timed_out, other.timed_out),
            (&mut self.canceled, other.canceled),
            (&mut self.rescinded, other.rescinded),
        ] {
            *mine = mine.saturating_add(theirs);
        }
    }
}

/// Tasks that came, and what became of them (reference: taskrouter §12, `tasks_…`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCounts {
    /// `tasks_created` of a workspace, `tasks_entered` of a queue or a workflow.
    pub entered: u32,
    /// `tasks_canceled`.
    pub canceled: u32,
    /// `tasks_completed`.
    pub completed: u32,
    /// `tasks_deleted`.
    pub deleted: u32,
    /// `tasks_moved`: out of this queue into another.
    pub moved: u32,
    /// `tasks_timed_out_in_workflow`.
    pub timed_out_in_workflow: u32,
}

impl TaskCounts {
    fn merge(&mut self, other: &TaskCounts) {
        for (mine, theirs) in [
            (&mut self.entered, other.entered),
            (&mut self.canceled, other.canceled),
            (&mut self.completed, other.completed),
            (&mut self.deleted, other.deleted),
            (&mut self.moved, other.moved),
            (&mut self.timed_out_in_workflow, other.timed_out_in_workflow),
        ] {
            *mine = mine.saturating_add(theirs);
        }
    }
}

/// Everything counted in a span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub(crate) reservations: ReservationCounts,
    /// `None` where no task came or went: a worker's series has none at all.
    pub(crate) tasks: Option<Box<TaskSums>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TaskSums {
    pub(crate) counts: TaskCounts,
    /// From the task's making to its acceptance.
    pub(crate) until_accepted: Spread,
    pub(crate) until_canceled: Spread,
    /// From its coming into the queue.
    pub(crate) in_queue_until_accepted: Spread,
    /// How many waited so many seconds, rounded up as [`grain`] does: accepted, canceled. In the order of the seconds.
    waits: Vec<(u32, u32, u32)>,
}

impl Sums {
    pub(crate) fn tasks(&mut self) -> &mut TaskSums {
        self.tasks.get_or_insert_with(Box::default)
    }

    pub(crate) fn merge(&mut self, other: &Sums) {
        self.reservations.merge(&other.reservations);
        let Some(theirs) = &other.tasks else { return };
        let mine = self.tasks();
        mine.counts.merge(&theirs.counts);
        mine.until_accepted.merge(&theirs.until_accepted);
        mine.until_canceled.merge(&theirs.until_canceled);
        mine.in_queue_until_accepted.merge(&theirs.in_queue_until_accepted);
        for (seconds, accepted, canceled) in &theirs.waits {
            mine.waited(*seconds, *accepted, *canceled);
        }
    }
}

impl TaskSums {
    pub(crate) fn accepted_after(&mut self, waited: Duration, in_queue: Duration) {
        self.until_accepted.add(waited);
        self.in_queue_until_accepted.add(in_queue);
        self.waited(grain(waited), 1, 0);
    }

    pub(crate) fn canceled_after(&mut self, waited: Duration) {
        self.until_canceled.add(waited);
        self.waited(grain(waited), 0, 1);
    }

    fn waited(&mut self, seconds: u32, accepted: u32, canceled: u32) {
        let at = self.waits.binary_search_by_key(&seconds, |(seconds, ..)| *seconds).unwrap_or_else(|at| {
            self.waits.insert(at, (seconds, 0, 0));
            at
        });
        let (_, mine_accepted, mine_canceled) = &mut self.waits[at];
        *mine_accepted = mine_accepted.saturating_add(accepted);
        *mine_canceled = mine_canceled.saturating_add(canceled);
    }

    /// How many were accepted, and how many canceled, after no more than so many seconds.
    pub(crate) fn within(&self, seconds: u32) -> (u32, u32) {
        let below = self.waits.iter().take_while(|(waited, ..)| *waited <= seconds);
        below.fold((0, 0), |(accepted, canceled), one| {
            (accepted.saturating_add(one.1), canceled.saturating_add(one.2))
        })
    }
}

/// Seconds, rounded up: to one as far as two minutes, to ten as far as an hour, to five minutes as far as a day. So a
/// bucket holds no more than 745 of them, and thresholds that people ask for are met exactly.
fn grain(waited: Duration) -> u32 {
    let seconds = u32::try_from(waited.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
    let step = match seconds {
        0..=120 => 1,
        121..=3_600 => 10,
        3_601..=DAY_S => 300,
        _ => return DAY_S + 1,
    };
    seconds.div_ceil(step) * step
}

const DAY_S: u32 = 86_400;

/// One owner's sums over time: at most 540 minutes, 96 hours and 31 days, so that the last eight hours are exact to the
/// minute and the last three days to the hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Series {
    /// By the number of the span since the origin; the finest first.
    tiers: [VecDeque<(u32, Sums)>; 3],
}

/// Seconds of a span of each tier, and how many spans it goes back (reference: taskrouter §9, thirty days).
const TIERS: [(u64, u32); 3] = [(60, 540), (3_600, 96), (86_400, 31)];

/// The number of the span of a tier in which a moment lies.
fn span_of(tier: usize, at: Mono) -> u32 {
    u32::try_from(at.0 / 1_000_000_000 / TIERS[tier].0).unwrap_or(u32::MAX)
}

impl Series {
    /// Where to count what happens at this moment.
    pub(crate) fn at(&mut self, at: Mono) -> &mut Sums {
        let mut minute = span_of(0, at);
        match self.tiers[0].back() {
            // What is told late is counted with the latest.
            Some((last, _)) if *last >= minute => minute = *last,
            _ => {
                self.roll(at);
                self.tiers[0].push_back((minute, Sums::default()));
            }
        }
        debug_assert!(self.tiers[0].back().is_some_and(|(last, _)| *last == minute), "the minute is there");
        let last = self.tiers[0].len() - 1;
        &mut self.tiers[0][last].1
    }

    /// What is too old for its tier goes into the next, and out of the last. True when nothing is left.
    pub(crate) fn roll(&mut self, now: Mono) -> bool {
        for tier in 0..TIERS.len() {
            let oldest = span_of(tier, now).saturating_sub(TIERS[tier].1 - 1);
            while let Some((span, sums)) = self.tiers[tier].pop_front_if(|(span, _)| *span < oldest) {
                let Some(coarser) = self.tiers.get_mut(tier + 1) else { continue };
                let wider =
                    u32::try_from(u64::from(span) * TIERS[tier].0 / TIERS[tier + 1].0).unwrap_or(u32::MAX);
                match coarser.back_mut() {
                    Some((last, into)) if *last == wider => into.merge(&sums),
                    _ => coarser.push_back((wider, sums)),
                }
            }
        }
        self.tiers.iter().all(VecDeque::is_empty)
    }

    /// Another series, counted before this one or beside its beginning, becomes part of it.
    pub(crate) fn precede(&mut self, past: &Series, now: Mono) {
        let mut past = past.clone();
        past.roll(now);
        self.roll(now);
        for (mine, theirs) in self.tiers.iter_mut().zip(past.tiers) {
            let mut spans: BTreeMap<u32, Sums> = theirs.into_iter().collect();
            for (span, sums) in mine.drain(..) {
                spans.entry(span).or_default().merge(&sums);
            }
            mine.extend(spans);
        }
    }

    /// Adds what was counted between two moments. A span of which only a part lies between them counts whole; `covered`
    /// grows to what was counted.
    pub(crate) fn add_to(&self, sums: &mut Sums, (from, to): (Mono, Mono), covered: &mut (Mono, Mono)) {
        for (tier, spans) in self.tiers.iter().enumerate() {
            let (first, last) = (span_of(tier, from), span_of(tier, to));
            let start = spans.partition_point(|(span, _)| *span < first);
            for (span, counted) in spans.range(start..).take_while(|(span, _)| *span <= last) {
                sums.merge(counted);
                let begin = Mono(u64::from(*span) * TIERS[tier].0 * 1_000_000_000);
                covered.0 = covered.0.min(begin);
                covered.1 = covered.1.max(begin + Duration::from_secs(TIERS[tier].0));
            }
        }
    }

    #[cfg(test)]
    fn spans(&self) -> usize {
        self.tiers.iter().map(VecDeque::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(n: u64) -> Mono {
        Mono(n * 60 * 1_000_000_000)
    }

    fn counted(series: &Series, from: Mono, to: Mono) -> u32 {
        let mut sums = Sums::default();
        series.add_to(&mut sums, (from, to), &mut (from, to));
        sums.reservations.created
    }

    #[test]
    fn a_spread_knows_its_ends_and_its_middle() {
        let mut spread = Spread::default();
        assert_eq!(spread.avg_ms(), 0);
        [4, 1, 7].into_iter().for_each(|s| spread.add(Duration::from_secs(s)));
        assert_eq!(spread, Spread { count: 3, total_ms: 12_000, min_ms: 1_000, max_ms: 7_000 });
        assert_eq!(spread.avg_ms(), 4_000);
        spread.merge(&Spread::default());
        assert_eq!(spread.min_ms, 1_000, "nobody did not wait nothing");
    }

    #[test]
    fn waits_are_rounded_up_so_that_round_thresholds_are_exact() {
        for (ms, expected) in [
            (0, 0),
            (1, 1),
            (5_000, 5),
            (5_001, 6),
            (120_000, 120),
            (120_001, 130),
            (3_600_000, 3_600),
            (3_600_001, 3_900),
            (86_400_000, 86_400),
            (86_400_001, 86_401),
            (u64::MAX, 86_401),
        ] {
            assert_eq!(grain(Duration::from_millis(ms)), expected, "{ms} ms");
        }
        let distinct: std::collections::BTreeSet<_> =
            (0..=90_000).map(|s| grain(Duration::from_secs(s))).collect();
        assert_eq!(distinct.len(), 746);
    }

    /// One a minute for forty days: everything is still counted as far as it is kept, in the spans that are left.
    #[test]
    fn memory_is_bounded_and_thirty_days_are_kept() {
        let mut series = Series::default();
        let last = 40 * 1_440;
        for n in 0..=last {
            series.at(minute(n)).reservations.created += 1;
        }
        assert!(series.spans() <= 540 + 96 + 31, "{}", series.spans());
        let to = minute(last);
        assert_eq!(counted(&series, minute(last - 14), to), 15, "a quarter of an hour is exact");
        assert_eq!(counted(&series, minute(last - 479), to), 480);
        let hours = counted(&series, minute(last - 48 * 60), to);
        assert!((48 * 60 + 1..=49 * 60).contains(&hours), "to the hour: {hours}");
        let days = counted(&series, minute(last - 29 * 1_440), to);
        assert!((29 * 1_440..=30 * 1_440).contains(&days), "to the day: {days}");
        assert!(counted(&series, minute(0), to) >= 30 * 1_440);
        assert!(counted(&series, minute(0), to) <= 31 * 1_440);
        assert!(!series.roll(minute(last + 20 * 1_440)));
        assert!(series.roll(minute(last + 40 * 1_440)), "and then forgotten");
    }

    /// What was counted before comes late: both together are what one series had counted.
    #[test]
    fn a_past_that_comes_late_is_counted_as_if_it_had_been_there() {
        let (mut whole, mut past, mut since) = (Series::default(), Series::default(), Series::default());
        for n in 0..3 * 1_440_u64 {
            whole.at(minute(n)).reservations.created += 1;
            let series = if n <= 3 * 1_440 - 20 { &mut past } else { &mut since };
            series.at(minute(n)).reservations.created += 1;
            // The minute of the restart has something of both.
            if n == 3 * 1_440 - 20 {
                whole.at(minute(n)).reservations.created += 1;
                since.at(minute(n)).reservations.created += 1;
            }
        }
        let now = minute(3 * 1_440 - 1);
        since.precede(&past, now);
        whole.roll(now);
        assert_eq!(since, whole);
        since.at(minute(3 * 1_440)).reservations.created += 1;
        assert_eq!(counted(&since, minute(0), minute(3 * 1_440)), 3 * 1_440 + 2);
    }

    #[test]
    fn what_is_asked_for_and_what_was_counted_are_told_apart() {
        let mut series = Series::default();
        series.at(Mono(minute(10).0 + 30_000_000_000)).reservations.created += 1;
        let asked = (Mono(minute(10).0 + 40_000_000_000), minute(12));
        let (mut sums, mut covered) = (Sums::default(), asked);
        series.add_to(&mut sums, asked, &mut covered);
        assert_eq!((sums.reservations.created, covered), (1, (minute(10), minute(12))));
        // Told late, it is counted all the same.
        series.at(minute(9)).reservations.created += 1;
        assert_eq!(counted(&series, minute(10), minute(10)), 2);
    }
}
