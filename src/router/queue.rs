//! Task queues: who may serve them, who is free, and what waits (reference: taskrouter §5).

use std::collections::{BTreeMap, BTreeSet};

use base::{ActivitySid, TaskQueueSid, WorkerSid};
use serde::{Deserialize, Serialize};

use crate::Expr;
use crate::idle::{Idle, Reads};
use crate::line::{Class, Line};
use crate::task::Task;

/// `TaskOrder`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskOrder {
    /// The higher priority first, of equal ones the older.
    #[default]
    Fifo,
    /// The newest first, whatever its priority.
    Lifo,
}

/// How a queue is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueConfig {
    /// Its sid.
    pub sid: TaskQueueSid,
    /// For people.
    pub name: String,
    /// Which workers may serve it; empty: nobody.
    pub target_workers: Expr,
    /// To how many a task is offered at once, 1–50.
    pub max_reserved: u32,
    /// Which task first.
    pub order: TaskOrder,
}

/// A queue and its indices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Queue {
    pub(crate) config: QueueConfig,
    /// Who may serve it.
    pub(crate) eligible: BTreeSet<WorkerSid>,
    /// How many of those are in each activity.
    pub(crate) by_activity: BTreeMap<ActivitySid, u32>,
    /// Of those, who is available and has room, on each channel on which a task has looked for somebody here. Not
    /// written down: it is found out when the next one looks.
    #[serde(skip)]
    pub(crate) idle: BTreeMap<String, Idle>,
    /// What the targets into it read of a worker.
    pub(crate) reads: Reads,
    /// What waits for (another) worker on each channel, the first first.
    pub(crate) waiting: BTreeMap<String, Line>,
}

/// A task's place among those that wait: the smallest is the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Rank(i64, i64);

impl Rank {
    /// Before everything.
    pub(crate) const FIRST: Rank = Rank(i64::MIN, i64::MIN);

    #[cfg(test)]
    pub(crate) fn of(place: i64) -> Rank {
        Rank(0, place)
    }

    /// The higher priority first, of equal ones the older.
    pub(crate) fn fifo(task: &Task) -> Rank {
        Rank(-i64::from(task.priority), task.started())
    }
}

impl Queue {
    pub(crate) fn new(config: QueueConfig) -> Self {
        Self {
            config,
            eligible: BTreeSet::new(),
            by_activity: BTreeMap::new(),
            idle: BTreeMap::new(),
            reads: Reads::new(),
            waiting: BTreeMap::new(),
        }
    }

    /// One more, or one less, of those who may serve it is in an activity.
    pub(crate) fn count(&mut self, activity: ActivitySid, comes: bool) {
        let count = self.by_activity.entry(activity).or_default();
        *count = if comes { count.saturating_add(1) } else { count.saturating_sub(1) };
        if *count == 0 {
            self.by_activity.remove(&activity);
        }
    }

    /// Puts a task among those that wait.
    pub(crate) fn add(&mut self, task: &Task, class: Class) {
        let rank = self.rank(task);
        match self.waiting.get_mut(&task.channel) {
            Some(line) => line.insert(task.sid, rank, class),
            None => {
                let mut line = Line::default();
                line.insert(task.sid, rank, class);
                self.waiting.insert(task.channel.clone(), line);
            }
        }
    }

    /// Takes it out.
    pub(crate) fn remove(&mut self, task: &Task) {
        if let Some(line) = self.waiting.get_mut(&task.channel) {
            line.remove(task.sid);
        }
    }

    /// Whether a task is among those that wait.
    pub(crate) fn holds(&self, task: &Task) -> bool {
        self.waiting.get(&task.channel).is_some_and(|line| line.contains(task.sid))
    }

    pub(crate) fn rank(&self, task: &Task) -> Rank {
        match self.config.order {
            TaskOrder::Fifo => Rank::fifo(task),
            TaskOrder::Lifo => Rank(0, task.started().saturating_neg()),
        }
    }
}
