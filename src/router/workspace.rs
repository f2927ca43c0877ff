//! A workspace: its people, its queues and what is to be done (reference: taskrouter §1).
//!
//! Everything here is state and its changes from outside. Who gets what is in [`crate::assign`], what becomes of tasks
//! and reservations in [`crate::life`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::{ActivitySid, Mono, Reason, ReservationSid, Rng, TaskQueueSid, TaskSid, WorkerSid, WorkflowSid};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::{Event, Output};
use crate::feed::Looked;
use crate::gone::Gone;
use crate::queue::{Queue, QueueConfig, Rank, TaskOrder};
use crate::shared::Shared;
use crate::statistics::Statistics;
use crate::task::{Reservation, Task};
use crate::transfer::{Direct, Meant};
use crate::worker::{Activity, Worker, WorkerChannel};
use crate::workflow::Workflow;

/// How a workflow is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowConfig {
    /// Its sid.
    pub sid: WorkflowSid,
    /// For people.
    pub name: String,
    /// Where tasks go.
    pub configuration: Workflow,
    /// How long a worker has to answer.
    pub reservation_timeout: Duration,
}

/// Why something is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouterError {
    /// There is no such thing.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// Its state does not allow it.
    #[error("{0} does not allow that in its state")]
    WrongState(&'static str),
    /// There are as many as there may be.
    #[error("there are as many {0} as there may be")]
    TooMany(&'static str),
}

/// Workers of a workspace.
pub const WORKERS_MAX: usize = 20_000;
/// Queues of a workspace.
pub const QUEUES_MAX: usize = 1_000;
/// Tasks, those remembered after their end among them.
pub const TASKS_MAX: usize = 200_000;
/// Workflows of a workspace.
pub const WORKFLOWS_MAX: usize = 1_000;
/// Channels of a workspace.
pub const CHANNELS_MAX: usize = 64;

/// A workspace. What is written down of it is read as a [`crate::Snapshot`], which counts anew what is not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Workspace {
    pub(crate) activities: BTreeMap<ActivitySid, Activity>,
    pub(crate) timeout_activity: ActivitySid,
    pub(crate) workers: Shared<WorkerSid, Worker>,
    pub(crate) queues: BTreeMap<TaskQueueSid, Queue>,
    /// The queues each worker may serve.
    pub(crate) serves: BTreeMap<WorkerSid, BTreeSet<TaskQueueSid>>,
    pub(crate) workflows: BTreeMap<WorkflowSid, WorkflowConfig>,
    /// Every channel a task or a worker's share was of.
    pub(crate) channels: BTreeSet<String>,
    /// Those on which whoever has more room comes first (`ChannelOptimizedRouting`).
    #[serde(default)]
    pub(crate) optimized: BTreeSet<String>,
    /// Workers by their names.
    #[serde(default)]
    pub(crate) by_name: BTreeMap<String, BTreeSet<WorkerSid>>,
    pub(crate) tasks: Shared<TaskSid, Task>,
    pub(crate) reservations: Shared<ReservationSid, Reservation>,
    /// Tasks that wait for one worker and nobody else, the first first.
    #[serde(with = "crate::as_list")]
    pub(crate) meant: BTreeMap<Meant, BTreeSet<(Rank, TaskSid)>>,
    /// How far workers have looked who can take nothing of what they saw.
    pub(crate) looked: BTreeMap<WorkerSid, Looked>,
    pub(crate) timers: BTreeSet<(Mono, Timer)>,
    #[serde(with = "crate::as_list")]
    pub(crate) deadlines: BTreeMap<Timer, Mono>,
    pub(crate) outputs: VecDeque<Output>,
    /// Not written down: with the last output it is empty.
    #[serde(skip)]
    pub(crate) gone: Gone,
    /// Offers so far.
    pub(crate) offers: u64,
    /// Whether workers have several tasks at once.
    pub(crate) multi_task: bool,
    /// Queues of which order come first.
    pub(crate) queue_order: TaskOrder,
    /// What a queue's tasks put workers to who do one thing at once: offered, and accepted.
    pub(crate) duties: BTreeMap<TaskQueueSid, (Option<ActivitySid>, Option<ActivitySid>)>,
    pub(crate) rng: Rng,
    pub(crate) statistics: Statistics,
    /// Whether what was counted before it was put back is still to come.
    #[serde(default)]
    pub(crate) owes_past: bool,
}

/// What is waited for by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Timer {
    /// The task's target times out.
    Target(TaskSid),
    /// The task is too old, or was assigned for too long.
    Life(TaskSid),
    /// The task is over, and forgotten.
    Forget(TaskSid),
    /// The worker does not answer.
    Reservation(ReservationSid),
    /// The worker has not seen everything that waits.
    Look(WorkerSid),
}

impl Workspace {
    /// A workspace with these activities; workers who let a reservation time out go to `timeout_activity`.
    ///
    /// # Panics
    /// When the timeout activity is none of the activities: the owner made both.
    pub fn new(activities: Vec<Activity>, timeout_activity: ActivitySid, rng: Rng) -> Self {
        let activities: BTreeMap<_, _> = activities.into_iter().map(|one| (one.sid, one)).collect();
        assert!(activities.contains_key(&timeout_activity), "the timeout activity is one of the activities");
        Self {
            activities,
            timeout_activity,
            workers: Shared::new(),
            queues: BTreeMap::new(),
            serves: BTreeMap::new(),
            workflows: BTreeMap::new(),
            channels: CHANNELS.map(str::to_owned).into(),
            optimized: BTreeSet::new(),
            by_name: BTreeMap::new(),
            tasks: Shared::new(),
            reservations: Shared::new(),
            meant: BTreeMap::new(),
            looked: BTreeMap::new(),
            timers: BTreeSet::new(),
            deadlines: BTreeMap::new(),
            outputs: VecDeque::new(),
            gone: Gone::default(),
            offers: 0,
            multi_task: true,
            queue_order: TaskOrder::Fifo,
            duties: BTreeMap::new(),
            rng,
            statistics: Statistics::default(),
            owes_past: false,
        }
    }

    /// What the owner must do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            self.bury();
        }
        output
    }

    /// When to call [`Workspace::handle_timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Mono, Reason)> {
        let reason = |timer: &Timer| match timer {
            Timer::Target(_) => "target timeout",
            Timer::Life(_) => "task's life",
            Timer::Forget(_) => "task forgotten",
            Timer::Reservation(_) => "reservation timeout",
            Timer::Look(_) => "more to look at",
        };
        self.timers.first().map(|(at, timer)| (*at, Reason(reason(timer))))
    }

    /// A task that is not forgotten.
    pub fn task(&self, sid: TaskSid) -> Option<&Task> {
        self.tasks.get(&sid)
    }

    /// A reservation of a task that is not forgotten.
    pub fn reservation(&self, sid: ReservationSid) -> Option<&Reservation> {
        self.reservations.get(&sid)
    }

    /// A worker.
    pub fn worker(&self, sid: WorkerSid) -> Option<&Worker> {
        self.workers.get(&sid)
    }

    /// Adds a queue, or changes one: who may serve it and what waits in it is looked at anew.
    pub fn put_queue(&mut self, config: QueueConfig, now: Mono) -> Result<(), RouterError> {
        if self.queues.len() >= QUEUES_MAX && !self.queues.contains_key(&config.sid) {
            return Err(RouterError::TooMany("queues"));
        }
        let sid = config.sid;
        let mut queue = Queue::new(config);
        let wanted = queue.config.max_reserved as usize;
        let here = |task: &&Task| task.queue == Some(sid) && task.is_wanted() && task.offers() < wanted;
        for task in self.tasks.values().filter(here) {
            if !matches!(task.direct, Some(Direct::Worker { .. })) {
                queue.add(task, self.class_of(task));
            }
        }
        self.queues.insert(sid, queue);
        self.read_targets([sid]);
        self.reindex_queue(sid);
        self.feed_all(now);
        Ok(())
    }

    /// Everybody looks for something to do.
    pub(crate) fn feed_all(&mut self, now: Mono) {
        // Who comes first is not a matter of sids.
        let mut turns: Vec<_> = self.workers.values().map(Worker::turn).collect();
        turns.sort_unstable();
        for turn in turns {
            self.feed(turn.worker, now);
        }
    }

    /// Adds a workflow, or changes one; tasks keep the place they have.
    pub fn put_workflow(&mut self, config: WorkflowConfig) -> Result<(), RouterError> {
        if config.configuration.queues().any(|queue| !self.queues.contains_key(&queue)) {
            return Err(RouterError::Unknown("queue"));
        }
        if self.workflows.len() >= WORKFLOWS_MAX && !self.workflows.contains_key(&config.sid) {
            return Err(RouterError::TooMany("workflows"));
        }
        let sid = config.sid;
        let mut queues: BTreeSet<TaskQueueSid> = config.configuration.queues().collect();
        let before = self.workflows.insert(sid, config);
        queues.extend(before.iter().flat_map(|before| before.configuration.queues()));
        self.read_targets(queues);
        self.reclassify(sid);
        Ok(())
    }

    /// Adds a worker, who begins what it is doing now.
    pub fn add_worker(
        &mut self,
        sid: WorkerSid,
        name: &str,
        attributes: Value,
        activity: ActivitySid,
        now: Mono,
    ) -> Result<(), RouterError> {
        if !self.activities.contains_key(&activity) {
            return Err(RouterError::Unknown("activity"));
        }
        if self.workers.len() >= WORKERS_MAX {
            return Err(RouterError::TooMany("workers"));
        }
        let worker = Worker {
            sid,
            name: name.to_owned(),
            attributes: attributes.into(),
            activity,
            since: now,
            idle_since: now,
            offered: 0,
            channels: BTreeMap::new(),
            before: None,
            reservations: BTreeSet::new(),
        };
        self.by_name.entry(worker.name.clone()).or_default().insert(sid);
        self.workers.insert(sid, worker);
        self.reindex(sid);
        self.feed(sid, now);
        Ok(())
    }

    /// A worker does something else. It keeps what it has.
    pub fn set_activity(
        &mut self,
        worker: WorkerSid,
        activity: ActivitySid,
        now: Mono,
    ) -> Result<(), RouterError> {
        let next = self.activities.get(&activity).ok_or(RouterError::Unknown("activity"))?.available;
        self.leave_idle(worker);
        let one = self.workers.get_mut(&worker).ok_or(RouterError::Unknown("worker"))?;
        let from = std::mem::replace(&mut one.activity, activity);
        one.before = None;
        if from != activity {
            let since = std::mem::replace(&mut one.since, now);
            if next && !self.activities[&from].available {
                one.idle_since = now;
            }
            for queue in self.serves.get(&worker).into_iter().flatten() {
                if let Some(queue) = self.queues.get_mut(queue) {
                    queue.count(from, false);
                    queue.count(activity, true);
                }
            }
            self.statistics.activity(worker, from, since, now);
            self.tell(Event::WorkerActivity { worker, from, to: activity, before: now.since(since) }, now);
        }
        self.join_idle(worker);
        if !next {
            self.nobody_there(worker, now);
        }
        self.feed(worker, now);
        Ok(())
    }

    /// Other attributes: other queues, perhaps.
    pub fn set_attributes(
        &mut self,
        worker: WorkerSid,
        attributes: Value,
        now: Mono,
    ) -> Result<(), RouterError> {
        self.workers.get_mut(&worker).ok_or(RouterError::Unknown("worker"))?.attributes = attributes.into();
        self.reindex(worker);
        self.feed(worker, now);
        Ok(())
    }

    /// How much a worker can do at once on a channel. Less than it does takes nothing away.
    pub fn set_capacity(
        &mut self,
        worker: WorkerSid,
        channel: &str,
        capacity: u32,
        available: bool,
        now: Mono,
    ) -> Result<(), RouterError> {
        self.know_channel(channel)?;
        self.leave_idle(worker);
        let one = self.workers.get_mut(&worker).ok_or(RouterError::Unknown("worker"))?;
        let share = one.channel_mut(channel);
        *share = WorkerChannel { capacity, available, ..*share };
        self.join_idle(worker);
        self.feed(worker, now);
        Ok(())
    }

    /// There are only so many channels: each has a place in every queue and with every worker.
    pub(crate) fn know_channel(&mut self, channel: &str) -> Result<(), RouterError> {
        if self.channels.contains(channel) {
            return Ok(());
        }
        if self.channels.len() >= CHANNELS_MAX {
            return Err(RouterError::TooMany("channels"));
        }
        self.channels.insert(channel.to_owned());
        Ok(())
    }

    pub(crate) fn tell(&mut self, event: Event, at: Mono) {
        self.note(&event, at);
        let moment = self.moment(&event);
        self.outputs.push_back(Output::Event { at, event, moment });
    }

    pub(crate) fn set_timer(&mut self, timer: Timer, at: Mono) {
        self.cancel_timer(timer);
        self.timers.insert((at, timer));
        self.deadlines.insert(timer, at);
    }

    /// As [`Self::set_timer`] for each, in less time.
    pub(crate) fn set_timers(&mut self, timers: Vec<(Mono, Timer)>) {
        timers.iter().for_each(|(_, timer)| self.cancel_timer(*timer));
        self.deadlines.append(&mut timers.iter().map(|(at, timer)| (*timer, *at)).collect());
        self.timers.append(&mut timers.into_iter().collect());
    }

    pub(crate) fn cancel_timer(&mut self, timer: Timer) {
        if let Some(at) = self.deadlines.remove(&timer) {
            self.timers.remove(&(at, timer));
        }
    }
}

/// Channels every workspace has (reference: taskrouter §3).
const CHANNELS: [&str; 5] = ["default", "voice", "chat", "sms", "video"];
