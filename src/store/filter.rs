//! What a filter asks of the database: its conditions, and what follows from them for the time a row was created at,
//! by which lists are ordered. That is what keeps a page of a narrow time among a million rows as quick as the first.

use std::time::Duration;

use base::{RecordingSid, TaskChannelSid, Timestamp, WorkspaceSid};

use crate::listing::Listing;
use crate::read::{CallFilter, ConferenceFilter, NotificationFilter, RecordingFilter};
use crate::router::RouterEventFilter;
use crate::rows::level_word;
use crate::sql;

/// A call starts this long after its creation at the latest: one that waits longer for its turn has failed.
const START_AFTER_MAX: Duration = Duration::from_secs(86_400);
/// A call that ends later than this after its creation, or a conference that last changes later, is one of few: they
/// have indexes of their own, `calls_long` and `conferences_long`.
const END_AFTER_MOST: Duration = Duration::from_secs(86_400);
/// As those indexes have it.
const IS_LONG_CALL: &str = "ended_at - created_at > 86400000000";
const IS_LONG_CONFERENCE: &str = "updated_at - created_at > 86400000000";

fn before(at: Option<Timestamp>, span: Duration) -> Option<Timestamp> {
    let span = i64::try_from(span.as_micros()).expect("a day has few microseconds");
    at.map(|at| Timestamp(at.0.saturating_sub(span)))
}

impl CallFilter {
    /// Calls as they are.
    pub(crate) fn listing(&self) -> Listing {
        let usual = before(self.ended_from, END_AFTER_MOST);
        self.created(before(self.started_from, START_AFTER_MAX).max(usual), None)
    }

    /// Behind them, where an end is asked for, the long ones, which were all created before any of those.
    pub(crate) fn long_listing(&self) -> Option<Listing> {
        let usual = before(self.ended_from, END_AFTER_MOST)?;
        Some(self.created(before(self.started_from, START_AFTER_MAX), Some(usual)).only(IS_LONG_CALL))
    }

    fn created(&self, created_from: Option<Timestamp>, created_before: Option<Timestamp>) -> Listing {
        let created_to = [self.started_to, self.ended_to].into_iter().flatten().min();
        Listing::of(sql::LIST_CALLS)
            .with("from_party =", self.from.clone())
            .with("to_party =", self.to.clone())
            .with("parent =", self.parent.map(|sid| sid.to_string()))
            .with("status =", self.status.map(|status| status.as_str().to_owned()))
            .with("started_at >=", self.started_from)
            .with("started_at <=", self.started_to)
            // The sign keeps the database from finding them by their end, and then sorting all of them.
            .with("+ended_at >=", self.ended_from)
            .with("+ended_at <=", self.ended_to)
            .with("created_at >=", created_from)
            .with("created_at <=", created_to)
            .with("created_at <", created_before)
    }
}

impl RecordingFilter {
    pub(crate) fn listing(&self) -> Listing {
        let listing = Listing::of(sql::LIST_RECORDINGS)
            .with("call =", self.call.map(|sid| sid.to_string()))
            .with("conference =", self.conference.map(|sid| sid.to_string()))
            .with("created_at >=", self.created_from)
            .with("created_at <=", self.created_to);
        if self.deleted { listing } else { listing.only("status <> 'deleted'") }
    }
}

impl ConferenceFilter {
    /// Conferences as they are.
    pub(crate) fn listing(&self) -> Listing {
        self.created(before(self.updated_from, END_AFTER_MOST), None)
    }

    /// Behind them, where a last change is asked for, the long ones, which were all created before any of those.
    pub(crate) fn long_listing(&self) -> Option<Listing> {
        let usual = before(self.updated_from, END_AFTER_MOST)?;
        Some(self.created(None, Some(usual)).only(IS_LONG_CONFERENCE))
    }

    fn created(&self, created_from: Option<Timestamp>, created_before: Option<Timestamp>) -> Listing {
        // What is older than its last change was created before that.
        let created_to = [self.created_to, self.updated_to].into_iter().flatten().min();
        let created_from = self.created_from.max(created_from);
        Listing::of(sql::LIST_CONFERENCES)
            .with("name =", self.name.clone())
            .with("status =", self.status.map(|status| status.as_str().to_owned()))
            .with("created_at >=", created_from)
            .with("created_at <=", created_to)
            .with("created_at <", created_before)
            .with("updated_at >=", self.updated_from)
            .with("updated_at <=", self.updated_to)
    }
}

impl NotificationFilter {
    pub(crate) fn listing(&self) -> Listing {
        Listing::of(sql::LIST_NOTIFICATIONS)
            .with("call =", self.call.map(|sid| sid.to_string()))
            .with("level =", self.level.map(|level| level_word(level).to_owned()))
            .with("at >=", self.from)
            .with("at <=", self.to)
    }
}

impl RouterEventFilter {
    pub(crate) fn listing(&self, workspace: WorkspaceSid) -> Listing {
        let is_sid = |text: &str| text.parse::<TaskChannelSid>().is_ok();
        let channel = |sid| self.channel.clone().filter(|text| is_sid(text) == sid);
        Listing::of(sql::LIST_ROUTER_EVENTS)
            .with("workspace =", Some(workspace.to_string()))
            .with("kind =", self.kind.clone())
            .with("task =", self.task.clone())
            .with("worker =", self.worker.clone())
            .with("queue =", self.queue.clone())
            .with("workflow =", self.workflow.clone())
            .with("reservation =", self.reservation.clone())
            .with("channel =", channel(true))
            .with("channel_name =", channel(false))
            .with("at >=", self.from)
            .with("at <=", self.to)
    }
}

/// Transcriptions, of all recordings or of one.
pub(crate) fn transcriptions(recording: Option<RecordingSid>) -> Listing {
    Listing::of(sql::LIST_TRANSCRIPTIONS).with("recording =", recording.map(|sid| sid.to_string()))
}

#[cfg(test)]
mod tests {
    use base::CallSid;

    use super::*;
    use crate::listing::{Bound, Page};

    #[test]
    fn what_a_time_says_of_the_creation_is_said_too() {
        let filter = CallFilter {
            started_from: Some(Timestamp(90_000_000_000)),
            started_to: Some(Timestamp(95_000_000_000)),
            ended_to: Some(Timestamp(94_000_000_000)),
            ..CallFilter::default()
        };
        let (sql, bounds) = filter.listing().statement("created_at", &Page::<CallSid>::first(1), true);
        assert!(sql.contains("created_at >= $4 AND created_at <= $5"), "{sql}");
        let numbers: Vec<i64> = bounds
            .iter()
            .filter_map(|bound| match bound {
                Bound::Number(number) => Some(*number),
                Bound::Text(_) => None,
            })
            .collect();
        assert_eq!(numbers[3..5], [3_600_000_000, 94_000_000_000]);
    }
}
