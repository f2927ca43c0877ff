//! Tasks and reservations: their states, and which follow which (reference: taskrouter §8).

use std::collections::BTreeSet;
use std::time::Duration;

use base::{Mono, ReservationSid, TaskQueueSid, TaskSid, WorkerSid, WorkflowSid};
use serde::{Deserialize, Serialize};

use crate::attributes::Attributes;
use crate::statistics::Card;
use crate::transfer::{Direct, Meant, Transfer, TransferStatus};

/// `assignment_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskStatus {
    /// It waits for a worker.
    Pending,
    /// It is offered to one or several.
    Reserved,
    /// One has accepted it.
    Assigned,
    /// Its work is done, the worker's after-work is not.
    Wrapping,
    /// It is done.
    Completed,
    /// It will not be done.
    Canceled,
}

/// `reservation_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReservationStatus {
    /// The worker has not answered.
    Pending,
    /// The worker does it.
    Accepted,
    /// The worker would not.
    Rejected,
    /// The worker did not answer in time.
    Timeout,
    /// The task was taken back.
    Canceled,
    /// Another worker accepted first.
    Rescinded,
    /// The worker is about the after-work.
    Wrapping,
    /// Done.
    Completed,
}

impl TaskStatus {
    /// Whether it waits to be accepted: only then it can be canceled.
    pub fn is_waiting(self) -> bool {
        matches!(self, TaskStatus::Pending | TaskStatus::Reserved)
    }

    /// Whether nothing follows.
    pub fn is_over(self) -> bool {
        matches!(self, TaskStatus::Completed | TaskStatus::Canceled)
    }
}

impl ReservationStatus {
    /// Whether it occupies its worker.
    pub fn occupies(self) -> bool {
        matches!(self, ReservationStatus::Pending | ReservationStatus::Accepted | ReservationStatus::Wrapping)
    }

    /// Whether its worker has had its turn by it: who did the task, turned it down or did not answer.
    pub(crate) fn was_its_turn(self) -> bool {
        matches!(
            self,
            ReservationStatus::Completed | ReservationStatus::Rejected | ReservationStatus::Timeout
        )
    }

    /// Whether this one may follow (reference: taskrouter §8.2).
    pub fn may_become(self, next: ReservationStatus) -> bool {
        use ReservationStatus::{
            Accepted, Canceled, Completed, Pending, Rejected, Rescinded, Timeout, Wrapping,
        };
        match self {
            Pending => matches!(next, Accepted | Rejected | Timeout | Canceled | Rescinded),
            Accepted => matches!(next, Wrapping | Completed),
            Wrapping => next == Completed,
            Rejected | Timeout | Canceled | Rescinded | Completed => false,
        }
    }
}

/// Something to be done by a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its sid.
    pub sid: TaskSid,
    /// Who decides where it goes.
    pub workflow: WorkflowSid,
    /// What filters choose by.
    pub attributes: Attributes,
    /// What kind of work it is.
    pub channel: String,
    /// The larger, the sooner.
    pub priority: u32,
    /// Where it stands.
    pub status: TaskStatus,
    /// When it was made.
    pub born: Mono,
    /// How old it already was then (`virtual_start_time`).
    pub head_start: Duration,
    /// How old it may become without being accepted.
    pub ttl: Duration,
    /// Since when it has waited for a worker: since it was made, or handed on.
    pub waits_from: Mono,
    /// When it came into its queue (`task_queue_entered_date`).
    pub entered: Mono,
    /// Where in its workflow it waits; `None` once it is over.
    pub place: Option<Place>,
    /// Whether it has waited in vain at the last target of a filter: the default is not for such (reference: taskrouter
    /// §6.2).
    pub outlasted: bool,
    /// The queue it is in.
    pub queue: Option<TaskQueueSid>,
    /// To whom it goes whatever its workflow says; `None`: where that sends it.
    pub direct: Option<Direct>,
    /// How it was handed on the last time.
    pub transfer: Option<Transfer>,
    /// Reservations that are not over, and the accepted one; not those of workers who handed it on.
    pub reservations: BTreeSet<ReservationSid>,
    /// The reservation by which it is assigned.
    pub serving: Option<ReservationSid>,
    /// All reservations so far, the first first.
    pub history: Vec<ReservationSid>,
    /// Why it was canceled or completed.
    pub reason: Option<String>,
    /// As what the census counts it. Not written down: it is counted anew.
    #[serde(skip)]
    pub(crate) counted: Option<Card>,
}

impl Task {
    /// How old it is.
    pub fn age(&self, now: Mono) -> Duration {
        now.since(self.born) + self.head_start
    }

    /// For which one worker it waits, if it is for one.
    pub(crate) fn meant_for(&self) -> Option<Meant> {
        match self.direct {
            Some(Direct::Worker { worker, ignore_capacity }) => {
                Some((worker, self.channel.clone(), ignore_capacity))
            }
            Some(Direct::Queue(_)) | None => None,
        }
    }

    /// To how many it is offered.
    pub(crate) fn offers(&self) -> usize {
        self.reservations.len() - usize::from(self.serving.is_some())
    }

    /// Whether it is being handed on.
    pub(crate) fn is_handed_on(&self) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| transfer.status == TransferStatus::Initiated)
    }

    /// Whether it looks for somebody: nobody has it, or who has it hands it on.
    pub(crate) fn is_wanted(&self) -> bool {
        self.status.is_waiting() || self.is_handed_on()
    }

    /// When it will have waited so long at its workflow's targets: a task that was handed on begins to wait anew.
    pub(crate) fn when_waited(&self, age: Duration) -> Mono {
        if self.transfer.is_some() { self.waits_from + age } else { self.when_aged(age) }
    }

    /// When it will be, or was, so old.
    pub(crate) fn when_aged(&self, age: Duration) -> Mono {
        self.born + age.saturating_sub(self.head_start)
    }

    /// Microseconds at which it would have been made without a head start: what is smaller is older.
    pub(crate) fn started(&self) -> i64 {
        let born = i64::try_from(self.born.0 / 1_000).unwrap_or(i64::MAX);
        born.saturating_sub(i64::try_from(self.head_start.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A target of a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Of this filter; `None`: the default.
    pub filter: Option<usize>,
    /// This target.
    pub target: usize,
}

/// A task offered to a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Its sid.
    pub sid: ReservationSid,
    /// What is offered.
    pub task: TaskSid,
    /// To whom.
    pub worker: WorkerSid,
    /// The queue the task was in.
    pub queue: Option<TaskQueueSid>,
    /// Where it stands.
    pub status: ReservationStatus,
    /// When it was made.
    pub born: Mono,
    /// When its worker accepted it, where that is known.
    #[serde(default)]
    pub accepted: Option<Mono>,
    /// Whether its worker has handed the task on: what it still does is its own after-work.
    pub handed_on: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_legal_step_of_a_reservation_and_no_other() {
        use ReservationStatus::{
            Accepted, Canceled, Completed, Pending, Rejected, Rescinded, Timeout, Wrapping,
        };
        let all = [Pending, Accepted, Rejected, Timeout, Canceled, Rescinded, Wrapping, Completed];
        let legal: Vec<_> = all
            .into_iter()
            .flat_map(|from| all.into_iter().map(move |to| (from, to)))
            .filter(|(from, to)| from.may_become(*to))
            .collect();
        assert_eq!(
            legal,
            [
                (Pending, Accepted),
                (Pending, Rejected),
                (Pending, Timeout),
                (Pending, Canceled),
                (Pending, Rescinded),
                (Accepted, Wrapping),
                (Accepted, Completed),
                (Wrapping, Completed),
            ]
        );
    }
}
