//! What a workspace tells (reference: taskrouter §9) and asks of its owner.

use std::fmt;
use std::time::Duration;

use base::{ActivitySid, Mono, ReservationSid, TaskQueueSid, TaskSid, TransferSid, WorkerSid, WorkflowSid};
use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::task::ReservationStatus;

/// What the owner must do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// Ask the workflow's assignment callback what to do with this reservation.
    Assign(ReservationSid),
    /// Tell the application that the worker whom a task should know cannot be had there.
    KnownWorker {
        /// Which task.
        task: TaskSid,
        /// Why.
        fault: KnownWorkerFault,
    },
    /// Keep it, and tell it to whom it concerns.
    Event {
        /// When it happened.
        at: Mono,
        /// What.
        event: Event,
        /// How those it concerns stood then.
        #[serde(default)]
        moment: Moment,
    },
}

/// Why the worker whom a task knows is nobody for its target (reference: taskrouter §6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KnownWorkerFault {
    /// The worker does not serve the target's queue.
    NotInQueue,
    /// The task names nobody, or nobody who is known.
    NotNamed,
    /// The sid is no worker's of this workspace.
    Elsewhere,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// `task.created`.
    TaskCreated(TaskSid),
    /// `task.updated`.
    TaskUpdated(TaskSid),
    /// `task.canceled`.
    TaskCanceled {
        /// Which.
        task: TaskSid,
        /// Why.
        reason: String,
    },
    /// `task.wrapup`.
    TaskWrapup(TaskSid),
    /// `task.completed`.
    TaskCompleted(TaskSid),
    /// `task.deleted`: nothing is known of it any more.
    TaskDeleted {
        /// Which.
        task: TaskSid,
        /// The reservations that are gone with it.
        reservations: Vec<ReservationSid>,
    },
    /// `task.system-deleted`: it was assigned for too long.
    TaskSystemDeleted {
        /// Which.
        task: TaskSid,
        /// The reservations that are gone with it.
        reservations: Vec<ReservationSid>,
    },
    /// `workflow.target-matched`.
    WorkflowTargetMatched {
        /// Which task.
        task: TaskSid,
        /// Which filter; `None`: the default.
        filter: Option<usize>,
    },
    /// `workflow.entered`.
    WorkflowEntered {
        /// Which task.
        task: TaskSid,
        /// Which workflow.
        workflow: WorkflowSid,
    },
    /// `workflow.timeout`: its last target has timed out.
    WorkflowTimeout(TaskSid),
    /// `workflow.skipped`: a target's `skip_if` was true.
    WorkflowSkipped(TaskSid),
    /// `task-queue.entered`.
    QueueEntered {
        /// Which task.
        task: TaskSid,
        /// Which queue.
        queue: TaskQueueSid,
    },
    /// `task-queue.timeout`: its target has timed out.
    QueueTimeout {
        /// Which task.
        task: TaskSid,
        /// Which queue.
        queue: TaskQueueSid,
    },
    /// `task-queue.moved`: to another queue.
    QueueMoved {
        /// Which task.
        task: TaskSid,
        /// From where.
        from: TaskQueueSid,
        /// Where to.
        to: TaskQueueSid,
    },
    /// `reservation.created`, and why this worker.
    ReservationCreated {
        /// Which.
        reservation: ReservationSid,
        /// Why.
        why: Why,
    },
    /// `reservation.accepted`, `.rejected` and so on.
    ReservationBecame {
        /// Which.
        reservation: ReservationSid,
        /// What.
        status: ReservationStatus,
    },
    /// `task.transfer-initiated`, `-attempt-failed`, `-failed`, `-canceled` and `-completed`.
    TaskTransfer {
        /// Which.
        task: TaskSid,
        /// How it is handed on.
        transfer: TransferSid,
        /// What became of it.
        step: TransferStep,
    },
    /// `worker.activity.update`.
    WorkerActivity {
        /// Who.
        worker: WorkerSid,
        /// What it did.
        from: ActivitySid,
        /// What it does.
        to: ActivitySid,
        /// How long it did that.
        before: Duration,
    },
}

/// How far the handing on of a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferStep {
    /// `task.transfer-initiated`.
    Initiated,
    /// `task.transfer-attempt-failed`: who was asked would not, or did not answer.
    AttemptFailed,
    /// `task.transfer-failed`: there is nobody else to ask.
    Failed,
    /// `task.transfer-canceled`.
    Canceled,
    /// `task.transfer-completed`.
    Completed,
}

/// How a task and a worker found each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// The task looked for a worker: this one was the first of so many who could take it, and these, whose turn it would
    /// have been before, could not.
    TaskCame {
        /// Who serves its queue.
        eligible: u32,
        /// Who of them was available and had room on its channel.
        free: u32,
        /// Who of them was found to be able to take it; without an order the first one is enough.
        able: u32,
        /// Whether it was the first of those who could in the target's order; else it was its turn.
        ordered: bool,
        /// Who could not, the first ones.
        passed_over: Vec<(WorkerSid, Obstacle)>,
        /// How many more could not.
        more: u32,
    },
    /// The worker became free: this task was the first that it could take of so many queues.
    WorkerCame {
        /// Queues looked into.
        queues: u32,
        /// Kinds of tasks before it in its queue that this worker cannot take.
        passed_over: u32,
    },
    /// The task was meant for this worker and nobody else.
    MeantFor,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::TaskCame { eligible, free, able, ordered, passed_over, more } => {
                write!(f, "the task came: {eligible} serve its queue, {free} of them were free")?;
                for (n, (worker, obstacle)) in passed_over.iter().enumerate() {
                    write!(f, "{} {worker}: {obstacle}", if n == 0 { "; passed over" } else { "," })?;
                }
                if *more > 0 {
                    write!(f, " and {more} more")?;
                }
                match ordered {
                    true => write!(f, "; the first of {able} in the target's order"),
                    false => write!(f, "; idle the longest of those who could"),
                }
            }
            Why::WorkerCame { queues, passed_over } => write!(
                f,
                "the worker became free: the most urgent and oldest task of its {queues} queues that it can take, \
                 {passed_over} kinds of tasks before it are not for it"
            ),
            Why::MeantFor => write!(f, "the task was meant for this worker and nobody else"),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Obstacle::Expression => "the target's expression is not true of it",
            Obstacle::NotTheKnownOne => "it is not the worker the task knows",
            Obstacle::OfferedAlready => "it was asked already",
            Obstacle::HandsItOn => "it hands the task on",
        })
    }
}

/// Why a worker cannot take a task though it is its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Obstacle {
    /// The target's expression is not true of it.
    Expression,
    /// The target wants a worker the task knows, who is another.
    NotTheKnownOne,
    /// It has this task's reservation already.
    OfferedAlready,
    /// It is the one who hands the task on.
    HandsItOn,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_explained_in_a_sentence() {
        let (one, other) = (WorkerSid(1), WorkerSid(2));
        let came = |ordered, passed_over, more| Why::TaskCame {
            eligible: 9,
            free: 4,
            able: 2,
            ordered,
            passed_over,
            more,
        };
        for (why, expected) in [
            (
                came(false, vec![], 0),
                "the task came: 9 serve its queue, 4 of them were free; idle the longest of those who could"
                    .to_owned(),
            ),
            (
                came(true, vec![(one, Obstacle::Expression), (other, Obstacle::OfferedAlready)], 3),
                format!(
                    "the task came: 9 serve its queue, 4 of them were free; passed over {one}: the target's expression \
                     is not true of it, {other}: it was asked already and 3 more; the first of 2 in the target's order"
                ),
            ),
            (Why::MeantFor, "the task was meant for this worker and nobody else".to_owned()),
        ] {
            assert_eq!(why.to_string(), expected);
        }
    }
}
