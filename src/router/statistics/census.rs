//! How many tasks there are now, of which kind and since when: kept up to date with each step, so that asking costs
//! nothing like the number of tasks.

use std::collections::{BTreeMap, BTreeSet};

use base::{Mono, TaskQueueSid, TaskSid, WorkflowSid};
use serde::{Deserialize, Serialize};

use super::Whose;
use crate::task::{Task, TaskStatus};

/// As what a task is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    queue: Option<TaskQueueSid>,
    workflow: WorkflowSid,
    channel: u8,
    status: TaskStatus,
    priority: u32,
    started: i64,
    entered: Mono,
}

/// Tasks by how far they are (reference: taskrouter §12, `tasks_by_status`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusCounts {
    /// `pending`.
    pub pending: u32,
    /// `reserved`.
    pub reserved: u32,
    /// `assigned`.
    pub assigned: u32,
    /// `wrapping`.
    pub wrapping: u32,
}

impl StatusCounts {
    /// All of them.
    pub fn total(&self) -> u32 {
        self.pending + self.reserved + self.assigned + self.wrapping
    }

    pub(crate) fn merge(&mut self, other: &StatusCounts) {
        self.pending += other.pending;
        self.reserved += other.reserved;
        self.assigned += other.assigned;
        self.wrapping += other.wrapping;
    }

    fn of(&mut self, status: TaskStatus) -> Option<&mut u32> {
        match status {
            TaskStatus::Pending => Some(&mut self.pending),
            TaskStatus::Reserved => Some(&mut self.reserved),
            TaskStatus::Assigned => Some(&mut self.assigned),
            TaskStatus::Wrapping => Some(&mut self.wrapping),
            TaskStatus::Completed | TaskStatus::Canceled => None,
        }
    }
}

/// The tasks of one workflow in one queue on one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Crowd {
    pub(crate) statuses: StatusCounts,
    pub(crate) priorities: BTreeMap<u32, u32>,
    /// Who waits, the oldest first.
    waiting: BTreeSet<(i64, TaskSid)>,
    /// Who waits, the longest in the queue first; nobody where there is no queue.
    entered: BTreeSet<(Mono, TaskSid)>,
}

impl Crowd {
    pub(crate) fn oldest(&self) -> Option<(i64, TaskSid)> {
        self.waiting.first().copied()
    }

    pub(crate) fn longest_here(&self) -> Option<(Mono, TaskSid)> {
        self.entered.first().copied()
    }
}

impl Card {
    fn place(&self) -> Place {
        (self.queue, self.workflow, self.channel)
    }

    /// Whether both are counted in the same place and wait there alike, or do not.
    fn stands_as(&self, other: &Card) -> bool {
        let whatever_its_status = |card: &Card| Card { status: TaskStatus::Pending, ..card.clone() };
        self.status.is_waiting() == other.status.is_waiting()
            && whatever_its_status(self) == whatever_its_status(other)
    }
}

/// Where a task is counted: its queue, its workflow and its channel.
type Place = (Option<TaskQueueSid>, WorkflowSid, u8);

/// Everybody's tasks. Each is counted once, where nobody's differ: what belongs to a workflow, a queue or the workspace
/// is put together by whoever asks, from as many crowds as there are queues and workflows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census(BTreeMap<Place, Crowd>);

impl Census {
    pub(crate) fn of(&self, whose: Whose) -> impl Iterator<Item = (u8, &Crowd)> {
        let from = |queue| (queue, WorkflowSid(0), 0);
        let to = |queue| (queue, WorkflowSid(u128::MAX), u8::MAX);
        let range = match whose {
            Whose::Workspace | Whose::Workflow(_) => from(None)..=to(Some(TaskQueueSid(u128::MAX))),
            Whose::Queue(queue) => from(Some(queue))..=to(Some(queue)),
        };
        let is_wanted = move |workflow| !matches!(whose, Whose::Workflow(wanted) if wanted != workflow);
        self.0
            .range(range)
            .filter(move |((_, workflow, _), _)| is_wanted(*workflow))
            .map(|((.., channel), crowd)| (*channel, crowd))
    }

    /// Counts a task as what it is now, and no longer as what it was.
    pub(crate) fn recount(&mut self, task: &mut Task, channel: u8) {
        let now = (!task.status.is_over()).then(|| Card {
            queue: task.queue,
            workflow: task.workflow,
            channel,
            status: task.status,
            priority: task.priority,
            started: task.started(),
            entered: task.entered,
        });
        if task.counted == now {
            return;
        }
        let before = std::mem::replace(&mut task.counted, now);
        match (&before, &task.counted) {
            (Some(before), Some(now)) if before.stands_as(now) => self.restate(before, now),
            (before, now) => {
                self.leave(before.as_ref(), task.sid);
                self.join(now.as_ref(), task.sid);
            }
        }
    }

    /// A task that stands where it stood has another status.
    fn restate(&mut self, before: &Card, now: &Card) {
        let Some(crowd) = self.0.get_mut(&now.place()) else { return };
        if let Some(count) = crowd.statuses.of(before.status) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = crowd.statuses.of(now.status) {
            *count += 1;
        }
    }

    /// A task is forgotten, whatever it was.
    pub(crate) fn leave(&mut self, card: Option<&Card>, sid: TaskSid) {
        let Some(card) = card else { return };
        let Some(crowd) = self.0.get_mut(&card.place()) else { return };
        if let Some(count) = crowd.statuses.of(card.status) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = crowd.priorities.get_mut(&card.priority) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                crowd.priorities.remove(&card.priority);
            }
        }
        if card.status.is_waiting() {
            crowd.waiting.remove(&(card.started, sid));
            crowd.entered.remove(&(card.entered, sid));
        }
        if crowd.statuses.total() == 0 {
            self.0.remove(&card.place());
        }
    }

    fn join(&mut self, card: Option<&Card>, sid: TaskSid) {
        let Some(card) = card else { return };
        let crowd = self.0.entry(card.place()).or_default();
        if let Some(count) = crowd.statuses.of(card.status) {
            *count += 1;
        }
        *crowd.priorities.entry(card.priority).or_default() += 1;
        if card.status.is_waiting() {
            crowd.waiting.insert((card.started, sid));
            if card.queue.is_some() {
                crowd.entered.insert((card.entered, sid));
            }
        }
    }
}
