//! What is going on, and what went on: for dashboards (reference: taskrouter §12).
//!
//! The workspace counts what it tells, when it tells it. What *is* is kept as a census of tasks and of what the workers
//! of each queue do; what *was* as sums over minutes, hours and days, thirty of them. Neither asking nor counting costs
//! anything like the number of tasks, and what is kept does not grow with what happens.

mod census;
mod rolling;
mod spans;

use std::collections::BTreeMap;

use base::{ActivitySid, Mono, TaskQueueSid, TaskSid, WorkerSid, WorkflowSid};
use serde::{Deserialize, Serialize};

pub(crate) use census::Card;
pub use census::StatusCounts;
pub use rolling::{ReservationCounts, Spread, TaskCounts};
pub use spans::ACTIVITY_CHANGES_MAX;

use crate::event::Event;
use crate::task::{Reservation, ReservationStatus, Task};
use crate::worker::Worker;
use crate::workspace::Workspace;
use census::Census;
use rolling::{Series, Sums};
use spans::Spans;

/// Whose tasks and reservations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Whose {
    /// All of them.
    Workspace,
    /// Those in a queue.
    Queue(TaskQueueSid),
    /// Those of a workflow.
    Workflow(WorkflowSid),
}

/// What is asked for: `StartDate`/`EndDate` or `Minutes`, and `TaskChannel`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// From when. On the workspace's time ([`crate::clock::moment`]).
    pub from: Mono,
    /// Until when.
    pub to: Mono,
    /// Only this channel; `None`: all of them.
    pub channel: Option<String>,
}

impl Window {
    /// The last minutes, on every channel.
    pub fn minutes(minutes: u64, now: Mono) -> Self {
        let back = minutes.saturating_mul(60_000_000_000);
        Self { from: Mono(now.0.saturating_sub(back)), to: now, channel: None }
    }
}

/// What went on with tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cumulative {
    /// What was counted really: the asked window, grown to whole minutes, or to hours and days where it lies back
    /// further than eight hours and three days.
    pub covered: (Mono, Mono),
    /// `reservations_…`.
    pub reservations: ReservationCounts,
    /// `tasks_…`.
    pub tasks: TaskCounts,
    /// `wait_duration_until_accepted`, from the task's making; its average is `avg_task_acceptance_time`.
    pub until_accepted: Spread,
    /// `wait_duration_until_canceled`.
    pub until_canceled: Spread,
    /// `wait_duration_in_queue_until_accepted`, from the task's coming into the queue.
    pub in_queue_until_accepted: Spread,
    /// `split_by_wait_time`, in the order asked for.
    pub split: Vec<Split>,
}

/// How many waited no longer than a threshold, and how many did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Seconds.
    pub threshold_s: u32,
    /// `below.reservations_accepted`: after so many seconds or fewer.
    pub accepted_below: u32,
    /// `below.tasks_canceled`.
    pub canceled_below: u32,
    /// `above.reservations_accepted`.
    pub accepted_above: u32,
    /// `above.tasks_canceled`.
    pub canceled_above: u32,
}

/// How tasks stand now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RealTime {
    /// `tasks_by_status`; `total_tasks` is their [`StatusCounts::total`].
    pub by_status: StatusCounts,
    /// `tasks_by_priority`.
    pub by_priority: BTreeMap<u32, u32>,
    /// `longest_task_waiting_sid`, and its age in milliseconds: pending and reserved ones wait.
    pub longest_waiting: Option<(TaskSid, u64)>,
    /// `longest_relative_task_sid_in_queue`, and how long it has been in the queue, in milliseconds.
    pub longest_in_queue: Option<(TaskSid, u64)>,
    /// `activity_statistics`: every activity, and how many of the owner's workers are in it. Nobody is a workflow's.
    pub activities: Vec<(ActivitySid, u32)>,
    /// `total_workers` of a workspace, `total_eligible_workers` of a queue.
    pub workers: u32,
    /// `total_available_workers`: in an activity that takes tasks, whether they have room for one or not.
    pub available: u32,
}

/// What went on with workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkersCumulative {
    /// What was counted really.
    pub covered: (Mono, Mono),
    /// `reservations_…`.
    pub reservations: ReservationCounts,
    /// `activity_durations`: every activity, however long.
    pub activities: Vec<(ActivitySid, Spread)>,
}

/// Thresholds of `SplitByWaitTime`.
pub const SPLITS_MAX: usize = 20;

/// What a workspace counted until it stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Past(Statistics);

/// All that is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Statistics {
    /// A channel's number is its place.
    channels: Vec<String>,
    #[serde(with = "crate::as_list")]
    tasks: BTreeMap<(Whose, u8), Series>,
    #[serde(with = "crate::as_list")]
    workers: BTreeMap<(WorkerSid, u8), Series>,
    spans: Spans,
    /// Not written down: [`Workspace::count_anew`].
    #[serde(skip)]
    census: Census,
    /// The day whose beginning was the last time to look for what is too old.
    day: u64,
}

const DAY_NS: u64 = 86_400_000_000_000;
const KEPT_DAYS: u64 = 31;

impl Statistics {
    fn channel(&mut self, name: &str) -> u8 {
        let known = self.channels.iter().position(|channel| channel == name);
        let place = known.unwrap_or_else(|| {
            self.channels.push(name.to_owned());
            self.channels.len() - 1
        });
        // There are no more than `CHANNELS_MAX`.
        u8::try_from(place).unwrap_or(u8::MAX)
    }

    /// What was; what is, is counted anew from what there is.
    pub(crate) fn past(&self) -> Past {
        Past(Self {
            channels: self.channels.clone(),
            tasks: self.tasks.clone(),
            workers: self.workers.clone(),
            spans: self.spans.clone(),
            census: Census::default(),
            day: self.day,
        })
    }

    /// What was counted before all that is counted here.
    pub(crate) fn remember(&mut self, Past(past): &Past, now: Mono) {
        let numbers: Vec<u8> = past.channels.iter().map(|name| self.channel(name)).collect();
        let number = |old: u8| numbers.get(usize::from(old)).copied();
        for ((whose, old), series) in &past.tasks {
            let Some(channel) = number(*old) else { continue };
            self.tasks.entry((*whose, channel)).or_default().precede(series, now);
        }
        for ((worker, old), series) in &past.workers {
            let Some(channel) = number(*old) else { continue };
            self.workers.entry((*worker, channel)).or_default().precede(series, now);
        }
        self.spans.precede(&past.spans);
        self.day = self.day.max(past.day);
    }

    /// A worker did something else until now.
    pub(crate) fn activity(&mut self, worker: WorkerSid, did: ActivitySid, since: Mono, now: Mono) {
        self.spans.did(worker, did, since, now);
    }

    /// A task is another than it was.
    pub(crate) fn recount(&mut self, task: &mut Task) {
        let channel = self.channel(&task.channel);
        self.census.recount(task, channel);
    }

    /// A task is no more.
    pub(crate) fn forget(&mut self, task: &Task) {
        self.census.leave(task.counted.as_ref(), task.sid);
    }

    /// Something happened with a task, or with a reservation of it.
    pub(crate) fn note(&mut self, event: &Event, task: &Task, reservation: Option<&Reservation>, at: Mono) {
        self.sweep(at);
        let channel = self.channel(&task.channel);
        if let Some(reservation) = reservation {
            let series = self.workers.entry((reservation.worker, channel)).or_default();
            series.at(at).reservations.became(reservation.status);
        }
        for whose in owners(event, task, reservation).into_iter().flatten() {
            count(self.tasks.entry((whose, channel)).or_default().at(at), event, task, reservation, at);
        }
    }

    /// Once a day what is too old is forgotten, also of those to whom nothing happens.
    fn sweep(&mut self, now: Mono) {
        let day = now.0 / DAY_NS;
        if day <= self.day {
            return;
        }
        self.day = day;
        self.tasks.retain(|_, series| !series.roll(now));
        self.workers.retain(|_, series| !series.roll(now));
        self.spans.forget(Mono(now.0.saturating_sub(KEPT_DAYS * DAY_NS)));
    }

    /// A channel's number; `Some(None)` where all are wanted, `None` where nothing was ever on it.
    fn number(&self, channel: Option<&str>) -> Option<Option<u8>> {
        let Some(channel) = channel else { return Some(None) };
        let place = self.channels.iter().position(|known| known == channel)?;
        Some(Some(u8::try_from(place).unwrap_or(u8::MAX)))
    }
}

/// Whose an event is to count.
fn owners(event: &Event, task: &Task, reservation: Option<&Reservation>) -> [Option<Whose>; 3] {
    let (workspace, workflow) = (Some(Whose::Workspace), Some(Whose::Workflow(task.workflow)));
    let in_queue = |queue: Option<TaskQueueSid>| [workspace, workflow, queue.map(Whose::Queue)];
    match event {
        Event::TaskCreated(_) => [workspace, None, None],
        Event::WorkflowEntered { .. } => [workflow, None, None],
        Event::QueueEntered { queue, .. } => [Some(Whose::Queue(*queue)), None, None],
        Event::QueueMoved { from, .. } => in_queue(Some(*from)),
        Event::WorkflowTimeout(_) => [workspace, workflow, None],
        Event::TaskCanceled { .. }
        | Event::TaskCompleted(_)
        | Event::TaskDeleted { .. }
        | Event::TaskSystemDeleted { .. } => in_queue(task.queue),
        Event::ReservationCreated { .. } | Event::ReservationBecame { .. } => {
            in_queue(reservation.and_then(|reservation| reservation.queue))
        }
        Event::TaskUpdated(_)
        | Event::TaskWrapup(_)
        | Event::WorkflowTargetMatched { .. }
        | Event::WorkflowSkipped(_)
        | Event::QueueTimeout { .. }
        | Event::TaskTransfer { .. }
        | Event::WorkerActivity { .. } => [None; 3],
    }
}

/// Counts it.
fn count(sums: &mut Sums, event: &Event, task: &Task, reservation: Option<&Reservation>, at: Mono) {
    let counts = |sums: &mut Sums, of: fn(&mut TaskCounts) -> &mut u32| {
        let count = of(&mut sums.tasks().counts);
        *count = count.saturating_add(1);
    };
    match event {
        Event::TaskCreated(_) | Event::WorkflowEntered { .. } | Event::QueueEntered { .. } => {
            counts(sums, |counts| &mut counts.entered);
        }
        Event::QueueMoved { .. } => counts(sums, |counts| &mut counts.moved),
        Event::WorkflowTimeout(_) => counts(sums, |counts| &mut counts.timed_out_in_workflow),
        Event::TaskCanceled { .. } => {
            counts(sums, |counts| &mut counts.canceled);
            sums.tasks().canceled_after(at.since(task.waits_from));
        }
        Event::TaskCompleted(_) => counts(sums, |counts| &mut counts.completed),
        Event::TaskDeleted { .. } | Event::TaskSystemDeleted { .. } => {
            counts(sums, |counts| &mut counts.deleted)
        }
        Event::ReservationCreated { .. } | Event::ReservationBecame { .. } => {
            let Some(reservation) = reservation else { return };
            sums.reservations.became(reservation.status);
            if reservation.status == ReservationStatus::Accepted {
                sums.tasks().accepted_after(at.since(task.waits_from), at.since(task.entered));
            }
        }
        Event::TaskUpdated(_)
        | Event::TaskWrapup(_)
        | Event::WorkflowTargetMatched { .. }
        | Event::WorkflowSkipped(_)
        | Event::QueueTimeout { .. }
        | Event::TaskTransfer { .. }
        | Event::WorkerActivity { .. } => {}
    }
}

impl Workspace {
    /// What went on with the tasks of an owner. `split`: thresholds in seconds, [`SPLITS_MAX`] at most are looked at.
    pub fn cumulative(&self, whose: Whose, window: &Window, split: &[u32]) -> Cumulative {
        let range = (window.from, window.to);
        let (mut sums, mut covered) = (Sums::default(), range);
        if let Some(channel) = self.statistics.number(window.channel.as_deref()) {
            let range = (whose, channel.unwrap_or(0))..=(whose, channel.unwrap_or(u8::MAX));
            for (_, series) in self.statistics.tasks.range(range) {
                series.add_to(&mut sums, (window.from, window.to), &mut covered);
            }
        }
        let tasks = sums.tasks.unwrap_or_default();
        let (accepted, canceled) = tasks.within(u32::MAX);
        let split = split.iter().take(SPLITS_MAX).map(|threshold_s| {
            let (accepted_below, canceled_below) = tasks.within(*threshold_s);
            Split {
                threshold_s: *threshold_s,
                accepted_below,
                canceled_below,
                accepted_above: accepted.saturating_sub(accepted_below),
                canceled_above: canceled.saturating_sub(canceled_below),
            }
        });
        Cumulative {
            covered,
            reservations: sums.reservations,
            split: split.collect(),
            tasks: tasks.counts,
            until_accepted: tasks.until_accepted,
            until_canceled: tasks.until_canceled,
            in_queue_until_accepted: tasks.in_queue_until_accepted,
        }
    }

    /// How the tasks of an owner, and its workers, stand now.
    pub fn real_time(&self, whose: Whose, channel: Option<&str>, now: Mono) -> RealTime {
        let mut told = RealTime::default();
        let wanted = self.statistics.number(channel);
        let (mut oldest, mut longest) = (None, None);
        for (number, crowd) in self.statistics.census.of(whose) {
            if wanted.is_none_or(|wanted| wanted.is_some_and(|wanted| wanted != number)) {
                continue;
            }
            told.by_status.merge(&crowd.statuses);
            for (priority, tasks) in &crowd.priorities {
                *told.by_priority.entry(*priority).or_default() += tasks;
            }
            oldest = [oldest, crowd.oldest()].into_iter().flatten().min();
            if matches!(whose, Whose::Queue(_)) {
                longest = [longest, crowd.longest_here()].into_iter().flatten().min();
            }
        }
        let ms = |age: std::time::Duration| u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let age = |sid: &TaskSid| self.task(*sid).map(|task| ms(task.age(now)));
        told.longest_waiting = oldest.and_then(|(_, sid)| Some((sid, age(&sid)?)));
        told.longest_in_queue = longest.map(|(entered, sid)| (sid, ms(now.since(entered))));
        match whose {
            Whose::Workspace => {
                self.add_activities(&mut told, self.workers.values().map(|worker| worker.activity));
            }
            Whose::Queue(queue) => {
                let workers = self.queues.get(&queue).into_iter().flat_map(|queue| &queue.eligible);
                let workers = workers.filter_map(|sid| self.workers.get(sid));
                self.add_activities(&mut told, workers.map(|worker| worker.activity));
            }
            Whose::Workflow(_) => {}
        }
        told
    }

    fn add_activities(&self, told: &mut RealTime, doing: impl Iterator<Item = ActivitySid>) {
        let mut counts: BTreeMap<ActivitySid, u32> = self.activities.keys().map(|sid| (*sid, 0)).collect();
        for activity in doing {
            told.workers += 1;
            told.available += u32::from(self.activities[&activity].available);
            *counts.entry(activity).or_default() += 1;
        }
        told.activities = counts.into_iter().collect();
    }

    /// What workers do now: those of a queue or all of them that `wanted` finds.
    pub fn workers_real_time(&self, wanted: impl Fn(&Worker) -> bool) -> RealTime {
        let mut told = RealTime::default();
        let wanted = self.workers.values().filter(|worker| wanted(worker));
        self.add_activities(&mut told, wanted.map(|worker| worker.activity));
        told
    }

    /// Whether a worker may serve a queue.
    pub fn may_serve(&self, worker: WorkerSid, queue: TaskQueueSid) -> bool {
        self.queues.get(&queue).is_some_and(|queue| queue.eligible.contains(&worker))
    }

    /// What went on with the workers that `wanted` finds; what they do at the moment is counted until the window's end.
    pub fn workers_cumulative(&self, window: &Window, wanted: impl Fn(&Worker) -> bool) -> WorkersCumulative {
        let range = (window.from, window.to);
        let (mut sums, mut covered) = (Sums::default(), range);
        let mut spreads: BTreeMap<ActivitySid, Spread> =
            self.activities.keys().map(|sid| (*sid, Spread::default())).collect();
        let channel = self.statistics.number(window.channel.as_deref());
        for worker in self.workers.values().filter(|worker| wanted(worker)) {
            let current = Some((worker.activity, worker.since));
            self.statistics.spans.add_to(&mut spreads, (worker.sid, current), range);
            let Some(channel) = channel else { continue };
            let mine = (worker.sid, channel.unwrap_or(0))..=(worker.sid, channel.unwrap_or(u8::MAX));
            for (_, series) in self.statistics.workers.range(mine) {
                series.add_to(&mut sums, range, &mut covered);
            }
        }
        WorkersCumulative {
            covered,
            reservations: sums.reservations,
            activities: spreads.into_iter().collect(),
        }
    }

    /// Counts what is told.
    pub(crate) fn note(&mut self, event: &Event, at: Mono) {
        let (task, reservation) = match event {
            Event::TaskCreated(task)
            | Event::TaskUpdated(task)
            | Event::TaskCanceled { task, .. }
            | Event::TaskWrapup(task)
            | Event::TaskCompleted(task)
            | Event::TaskDeleted { task, .. }
            | Event::TaskSystemDeleted { task, .. }
            | Event::WorkflowTargetMatched { task, .. }
            | Event::WorkflowEntered { task, .. }
            | Event::WorkflowTimeout(task)
            | Event::WorkflowSkipped(task)
            | Event::QueueEntered { task, .. }
            | Event::QueueTimeout { task, .. }
            | Event::QueueMoved { task, .. }
            | Event::TaskTransfer { task, .. } => (self.tasks.get(task), None),
            Event::ReservationCreated { reservation, .. } | Event::ReservationBecame { reservation, .. } => {
                let reservation = self.reservations.get(reservation);
                (reservation.and_then(|one| self.tasks.get(&one.task)), reservation)
            }
            Event::WorkerActivity { .. } => return,
        };
        if let Some(task) = task {
            self.statistics.note(event, task, reservation, at);
        }
    }

    /// Counts everything there is, after it was read from where it is written down.
    pub(crate) fn count_anew(&mut self) {
        let tasks: Vec<TaskSid> = self.tasks.keys().copied().collect();
        tasks.into_iter().for_each(|sid| self.recount(sid));
    }

    /// Counts a task as what it is now; called after each step that changes its state, queue or priority.
    pub(crate) fn recount(&mut self, sid: TaskSid) {
        if let Some(task) = self.tasks.get_mut(&sid) {
            self.statistics.recount(task);
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
pub(crate) mod tests;
