//! The router as one would do it by hand: no indices, everything looked up anew each time, so that it is right at a
//! glance. Beside it runs the engine, told the same; they must decide the same, in the same order.
//!
//! `cargo test -p tandem-router --lib reference` runs a short history of each of some seeds.
//! `SEED=7 EVENTS=10000000 cargo test -p tandem-router --lib reference` runs a long one of that seed.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{ActivitySid, Mono, ReservationSid, Rng, TaskQueueSid, TaskSid, WorkerSid};
use serde_json::Value;

use crate::event::{Event, Output};
use crate::history::Day;
use crate::input::Input;
use crate::names::{TaskAndWorker, WorkerCounts, WorkerNames};
use crate::office::{AVAILABLE, OFFLINE};
use crate::queue::{QueueConfig, TaskOrder};
use crate::workflow::{KnownWorker, Target, Workflow};
use crate::{NewTask, ReservationStatus, TaskStatus};

/// What is decided and told, with people and tasks in place of reservations.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Created(TaskSid),
    Matched(TaskSid, Option<usize>),
    Entered(TaskSid, TaskQueueSid),
    Began(TaskSid),
    Moved(TaskSid, TaskQueueSid, TaskQueueSid),
    QueueTimeout(TaskSid, TaskQueueSid),
    WorkflowTimeout(TaskSid),
    Skipped(TaskSid),
    Offered(TaskSid, WorkerSid),
    Became(TaskSid, WorkerSid, ReservationStatus),
    Canceled(TaskSid, String),
    Wrapup(TaskSid),
    Completed(TaskSid),
    Gone(TaskSid),
    Does(WorkerSid, ActivitySid),
}

struct RefWorker {
    name: String,
    attributes: Value,
    activity: ActivitySid,
    idle_since: Mono,
    offered: usize,
    /// Capacity, and whether it is available; one and yes where nothing is said.
    channels: BTreeMap<String, (u32, bool)>,
}

struct RefTask {
    new: NewTask,
    born: Mono,
    status: TaskStatus,
    priority: u32,
    filter: Option<usize>,
    target: usize,
    /// Whether a filter's last target has timed out on it.
    outlasted: bool,
    /// How often it was offered.
    asked: usize,
    queue: Option<TaskQueueSid>,
    /// When it is too old, was assigned too long, or is forgotten.
    end: Mono,
}

struct RefOffer {
    task: TaskSid,
    worker: WorkerSid,
    status: ReservationStatus,
    born: Mono,
    /// As the engine calls it.
    sid: Option<ReservationSid>,
}

/// Why a task left all targets of a filter.
#[derive(PartialEq)]
enum Left {
    Skipped,
    TimedOut,
}

/// What is due; of what is due at once the first is done first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Target(TaskSid),
    Life(TaskSid),
    Forget(TaskSid),
    Offer(Option<ReservationSid>, usize),
}

struct Reference {
    workflow: Workflow,
    queues: BTreeMap<TaskQueueSid, QueueConfig>,
    /// Channels on which whoever has more room comes first.
    optimized: Vec<String>,
    workers: BTreeMap<WorkerSid, RefWorker>,
    tasks: BTreeMap<TaskSid, RefTask>,
    /// All there ever were, the first first.
    offers: Vec<RefOffer>,
    /// Those that occupy their workers.
    open: Vec<usize>,
    said: Vec<Said>,
}

const OFFER: Duration = Duration::from_secs(5);
const WORKFLOW_TIMEOUT: &str = "Task canceled on Workflow timeout";

impl RefTask {
    fn started(&self) -> i64 {
        (self.born.0 / 1_000) as i64 - self.new.head_start.as_micros() as i64
    }

    fn when_aged(&self, age: Duration) -> Mono {
        self.born + age.saturating_sub(self.new.head_start)
    }
}

impl Reference {
    fn new(day: &Day) -> Self {
        let workflow = day.all.workflows.values().next().unwrap().configuration.clone();
        Self {
            workflow,
            queues: day.all.queues.iter().map(|(sid, queue)| (*sid, queue.config.clone())).collect(),
            optimized: day.all.optimized.iter().cloned().collect(),
            workers: BTreeMap::new(),
            tasks: BTreeMap::new(),
            offers: Vec::new(),
            open: Vec::new(),
            said: Vec::new(),
        }
    }

    fn is_available(activity: ActivitySid) -> bool {
        activity == AVAILABLE
    }

    fn offers_of(&self, task: TaskSid) -> Vec<usize> {
        let open =
            |n: &usize| self.offers[*n].task == task && self.offers[*n].status == ReservationStatus::Pending;
        self.open.iter().copied().filter(open).collect()
    }

    fn accepted_of(&self, task: TaskSid) -> Option<usize> {
        let has = |n: &usize| {
            let offer = &self.offers[*n];
            offer.task == task
                && matches!(offer.status, ReservationStatus::Accepted | ReservationStatus::Wrapping)
        };
        self.open.iter().copied().find(has)
    }

    /// How much of what it can do at once a worker does, in ten-thousandths, where that counts.
    fn load(&self, worker: WorkerSid, channel: &str) -> u64 {
        if !self.optimized.iter().any(|optimized| optimized == channel) {
            return 0;
        }
        let capacity = self.workers[&worker].channels.get(channel).map_or(1, |(capacity, _)| *capacity);
        self.used(worker, channel) as u64 * 10_000 / u64::from(capacity.max(1))
    }

    fn used(&self, worker: WorkerSid, channel: &str) -> usize {
        let used = self.open.iter().map(|n| &self.offers[*n]).filter(|offer| {
            let task = self.tasks.get(&offer.task);
            offer.worker == worker
                && offer.status.occupies()
                && task.is_some_and(|task| task.new.channel == channel)
        });
        used.count()
    }

    fn has_room(&self, worker: WorkerSid, channel: &str) -> bool {
        let (capacity, available) = self.workers[&worker].channels.get(channel).copied().unwrap_or((1, true));
        available && self.used(worker, channel) < capacity as usize
    }

    fn serves(&self, worker: WorkerSid, queue: TaskQueueSid) -> bool {
        self.queues[&queue].target_workers.is_true(&self.workers[&worker].attributes)
    }

    fn target(&self, task: &RefTask) -> Option<&Target> {
        match task.filter {
            Some(filter) => self.workflow.filters[filter].targets.get(task.target),
            None => self.workflow.default.as_ref().filter(|_| task.target == 0),
        }
    }

    /// Whether a worker can take a task as far as queue and target say, and was not asked yet.
    fn suits(&self, sid: TaskSid, worker: WorkerSid) -> bool {
        let (task, one) = (&self.tasks[&sid], &self.workers[&worker]);
        let Some(target) = self.target(task) else { return false };
        let asked = self.offers_of(sid).iter().any(|n| self.offers[*n].worker == worker);
        let known = match &target.known_worker {
            None => true,
            Some(KnownWorker::FriendlyName(name)) => task.new.attributes[name] == one.name.as_str(),
            Some(KnownWorker::Sid(name)) => task.new.attributes[name] == worker.to_string(),
        };
        if asked || !known || !self.serves(worker, target.queue) {
            return false;
        }
        let Some(expression) = &target.expression else { return true };
        let (sid, activity) = (worker.to_string(), one.activity.to_string());
        let worker = WorkerNames {
            attributes: &one.attributes,
            sid: &sid,
            friendly_name: &one.name,
            activity_sid: &activity,
            activity_name: "",
        };
        expression.is_true(&TaskAndWorker { task: &task.new.attributes, worker })
    }

    fn is_free_for(&self, sid: TaskSid, worker: WorkerSid) -> bool {
        Self::is_available(self.workers[&worker].activity)
            && self.has_room(worker, &self.tasks[&sid].new.channel)
            && self.suits(sid, worker)
    }

    /// Whose turn it is of all that could take a task.
    fn worker_for(&self, sid: TaskSid) -> Option<WorkerSid> {
        let order_by = &self.target(&self.tasks[&sid])?.order_by;
        let mut able: Vec<_> =
            self.workers.keys().copied().filter(|worker| self.is_free_for(sid, *worker)).collect();
        able.sort_by_key(|worker| {
            let one = &self.workers[worker];
            let wanted: Vec<_> = order_by
                .iter()
                .map(|order| match one.attributes[&order.attribute].as_i64() {
                    Some(value) => (false, if order.descending { -value } else { value }),
                    None => (true, 0),
                })
                .collect();
            let load = self.load(*worker, &self.tasks[&sid].new.channel);
            (wanted, load, one.idle_since, one.offered, *worker)
        });
        able.first().copied()
    }

    fn wants_more(&self, sid: TaskSid) -> bool {
        let task = &self.tasks[&sid];
        let max = task.queue.map_or(0, |queue| self.queues[&queue].max_reserved as usize);
        task.status.is_waiting() && self.offers_of(sid).len() < max
    }

    /// The first task that a worker could take: the first of each queue and channel, of those the most urgent, the oldest.
    fn task_for(&self, worker: WorkerSid) -> Option<TaskSid> {
        let mut firsts = Vec::new();
        for (queue, config) in &self.queues {
            for channel in ["chat", "voice"] {
                let here = |sid: &&TaskSid| {
                    let task = &self.tasks[*sid];
                    task.queue == Some(*queue) && task.new.channel == channel && self.wants_more(**sid)
                };
                let able = self.tasks.keys().filter(here).filter(|sid| self.is_free_for(**sid, worker));
                let first = able.min_by_key(|sid| {
                    let task = &self.tasks[*sid];
                    match config.order {
                        TaskOrder::Fifo => (-i64::from(task.priority), task.started(), **sid),
                        TaskOrder::Lifo => (0, -task.started(), **sid),
                    }
                });
                firsts.extend(first.copied());
            }
        }
        let urgent = |sid: &TaskSid| {
            let task = &self.tasks[sid];
            // Queues that are first in, first out come first.
            let later = task.queue.is_some_and(|queue| self.queues[&queue].order != TaskOrder::Fifo);
            (later, -i64::from(task.priority), task.started())
        };
        // Of equals the first queue's.
        firsts.into_iter().min_by_key(urgent)
    }

    fn reserve(&mut self, task: TaskSid, worker: WorkerSid, now: Mono) {
        self.open.push(self.offers.len());
        self.offers.push(RefOffer { task, worker, status: ReservationStatus::Pending, born: now, sid: None });
        self.workers.get_mut(&worker).unwrap().offered = self.offers.len();
        let one = self.tasks.get_mut(&task).unwrap();
        (one.status, one.asked) = (TaskStatus::Reserved, one.asked + 1);
        self.said.push(Said::Offered(task, worker));
    }

    fn offer(&mut self, sid: TaskSid, now: Mono) -> bool {
        while self.wants_more(sid) {
            let Some(worker) = self.worker_for(sid) else { break };
            self.reserve(sid, worker, now);
        }
        !self.offers_of(sid).is_empty()
    }

    fn feed(&mut self, worker: WorkerSid, now: Mono) {
        while let Some(task) = self.task_for(worker) {
            self.reserve(task, worker, now);
        }
    }

    fn route(&mut self, sid: TaskSid, from: usize, now: Mono) {
        let attributes = &self.tasks[&sid].new.attributes;
        let filter = (from..self.workflow.filters.len())
            .find(|n| self.workflow.filters[*n].expression.is_true(attributes));
        let outlasted = self.tasks[&sid].outlasted;
        if filter.is_none() && (outlasted || self.workflow.default.is_none()) {
            if outlasted {
                self.said.push(Said::WorkflowTimeout(sid));
            }
            return self.cancel(sid, WORKFLOW_TIMEOUT, now);
        }
        self.said.push(Said::Matched(sid, filter));
        let task = self.tasks.get_mut(&sid).unwrap();
        (task.filter, task.target) = (filter, 0);
        self.enter(sid, now);
    }

    /// At the target where it stands, or the first after it where it may stay.
    fn enter(&mut self, sid: TaskSid, now: Mono) {
        let left = loop {
            let target = self.target(&self.tasks[&sid]).unwrap().clone();
            let task = self.tasks.get_mut(&sid).unwrap();
            task.priority = target.priority.unwrap_or(task.priority);
            let before = task.queue.replace(target.queue);
            match before {
                None => self.said.extend([Said::Entered(sid, target.queue), Said::Began(sid)]),
                Some(before) if before != target.queue => self
                    .said
                    .extend([Said::Moved(sid, before, target.queue), Said::Entered(sid, target.queue)]),
                Some(_) => {}
            }
            if self.offer(sid, now) {
                return;
            }
            let left = if target.skip_if.is_some_and(|skip| skip.is_true(&self.counts(target.queue))) {
                self.said.push(Said::Skipped(sid));
                Left::Skipped
            } else if self.until(sid).is_some_and(|until| until <= now) {
                self.said.push(Said::QueueTimeout(sid, target.queue));
                Left::TimedOut
            } else {
                return;
            };
            self.tasks.get_mut(&sid).unwrap().target += 1;
            if self.target(&self.tasks[&sid]).is_none() {
                break left;
            }
        };
        self.leave(sid, left, now);
    }

    fn leave(&mut self, sid: TaskSid, left: Left, now: Mono) {
        let task = self.tasks.get_mut(&sid).unwrap();
        task.outlasted |= left == Left::TimedOut;
        match task.filter {
            Some(filter) => self.route(sid, filter + 1, now),
            None => {
                self.said.push(Said::WorkflowTimeout(sid));
                self.cancel(sid, WORKFLOW_TIMEOUT, now);
            }
        }
    }

    fn counts(&self, queue: TaskQueueSid) -> WorkerCounts {
        let mut counts = WorkerCounts::default();
        for (sid, worker) in &self.workers {
            if self.serves(*sid, queue) {
                let is_available = Self::is_available(worker.activity);
                *if is_available { &mut counts.available } else { &mut counts.unavailable } += 1;
            }
        }
        counts
    }

    fn until(&self, sid: TaskSid) -> Option<Mono> {
        let task = &self.tasks[&sid];
        let age = self.target(task).filter(|_| task.status == TaskStatus::Pending)?.until_age_s?;
        Some(task.when_aged(Duration::from_secs(age)))
    }

    fn over(&mut self, sid: TaskSid, status: TaskStatus, now: Mono) {
        let task = self.tasks.get_mut(&sid).unwrap();
        (task.status, task.end) = (status, now + Duration::from_secs(300));
    }

    fn cancel(&mut self, sid: TaskSid, reason: &str, now: Mono) {
        let open = self.offers_of(sid);
        self.over(sid, TaskStatus::Canceled, now);
        self.said.push(Said::Canceled(sid, reason.to_owned()));
        open.iter().for_each(|n| self.became(*n, ReservationStatus::Canceled));
        open.iter().for_each(|n| self.feed(self.offers[*n].worker, now));
    }

    fn became(&mut self, n: usize, status: ReservationStatus) {
        let offer = &mut self.offers[n];
        offer.status = status;
        self.open.retain(|one| *one != n || status.occupies());
        self.said.push(Said::Became(offer.task, offer.worker, status));
    }

    fn accept(&mut self, n: usize, now: Mono) {
        let sid = self.offers[n].task;
        self.became(n, ReservationStatus::Accepted);
        let others = self.offers_of(sid);
        others.iter().for_each(|n| self.became(*n, ReservationStatus::Rescinded));
        let task = self.tasks.get_mut(&sid).unwrap();
        (task.status, task.end) = (TaskStatus::Assigned, now + Duration::from_secs(86_400));
        others.iter().for_each(|n| self.feed(self.offers[*n].worker, now));
    }

    /// Turned down, or not answered: to this activity, and the task to somebody else.
    fn refuse(&mut self, n: usize, status: ReservationStatus, activity: Option<ActivitySid>, now: Mono) {
        let (sid, worker) = (self.offers[n].task, self.offers[n].worker);
        self.became(n, status);
        self.workers.get_mut(&worker).unwrap().idle_since = now;
        if let Some(activity) = activity {
            self.set_activity(worker, activity, now);
        }
        if self.offers_of(sid).is_empty() {
            self.tasks.get_mut(&sid).unwrap().status = TaskStatus::Pending;
            match self.tasks[&sid].asked >= 1_000 {
                true => self.cancel(sid, "Max assignment count exceeded", now),
                false => self.enter(sid, now),
            }
        } else {
            self.offer(sid, now);
        }
        self.feed(worker, now);
    }

    fn set_activity(&mut self, worker: WorkerSid, activity: ActivitySid, now: Mono) {
        let one = self.workers.get_mut(&worker).unwrap();
        let before = std::mem::replace(&mut one.activity, activity);
        if before != activity {
            if Self::is_available(activity) && !Self::is_available(before) {
                one.idle_since = now;
            }
            self.said.push(Said::Does(worker, activity));
        }
        if Self::is_available(activity) {
            self.feed(worker, now);
        }
    }

    fn done(&mut self, n: usize, now: Mono) {
        let worker = self.offers[n].worker;
        self.became(n, ReservationStatus::Completed);
        self.workers.get_mut(&worker).unwrap().idle_since = now;
        self.feed(worker, now);
    }

    fn forget(&mut self, sid: TaskSid) {
        self.said.push(Said::Gone(sid));
        self.tasks.remove(&sid);
    }

    /// What is due first.
    fn due(&self) -> Option<(Mono, Due)> {
        let targets = self.tasks.keys().filter_map(|sid| Some((self.until(*sid)?, Due::Target(*sid))));
        let ends = self.tasks.iter().map(|(sid, task)| {
            (task.end, if task.status.is_over() { Due::Forget(*sid) } else { Due::Life(*sid) })
        });
        let open = self.open.iter().filter(|n| self.offers[**n].status == ReservationStatus::Pending);
        let offers = open.map(|n| (self.offers[*n].born + OFFER, Due::Offer(self.offers[*n].sid, *n)));
        targets.chain(ends).chain(offers).min()
    }

    fn time(&mut self, now: Mono) {
        while let Some((_, due)) = self.due().filter(|(at, _)| *at <= now) {
            match due {
                Due::Target(sid) => {
                    let queue = self.tasks[&sid].queue.unwrap();
                    self.said.push(Said::QueueTimeout(sid, queue));
                    self.tasks.get_mut(&sid).unwrap().target += 1;
                    match self.target(&self.tasks[&sid]).is_some() {
                        true => self.enter(sid, now),
                        false => self.leave(sid, Left::TimedOut, now),
                    }
                }
                Due::Life(sid) if self.tasks[&sid].status.is_waiting() => {
                    self.cancel(sid, "Task TTL Exceeded", now);
                }
                Due::Life(sid) => {
                    let n = self.accepted_of(sid).unwrap();
                    self.done(n, now);
                    self.forget(sid);
                }
                Due::Forget(sid) => self.forget(sid),
                Due::Offer(_, n) => self.refuse(n, ReservationStatus::Timeout, Some(OFFLINE), now),
            }
        }
    }

    /// Does what it is told; false when it would not.
    fn handle(&mut self, input: &Input, now: Mono) -> bool {
        let pending = |all: &Self, sid: &ReservationSid| {
            let n = all.open.iter().copied().find(|n| all.offers[*n].sid == Some(*sid))?;
            (all.offers[n].status == ReservationStatus::Pending).then_some(n)
        };
        match input {
            Input::Timeout => self.time(now),
            Input::AddWorker { worker, name, attributes, activity } => {
                let (name, attributes, activity) = (name.clone(), attributes.clone(), *activity);
                let channels = BTreeMap::new();
                let one = RefWorker { name, attributes, activity, idle_since: now, offered: 0, channels };
                self.workers.insert(*worker, one);
                self.feed(*worker, now);
            }
            Input::SetActivity { worker, activity } => self.set_activity(*worker, *activity, now),
            Input::SetAttributes { worker, attributes } => {
                self.workers.get_mut(worker).unwrap().attributes = attributes.clone();
                self.feed(*worker, now);
            }
            Input::SetCapacity { worker, channel, capacity, available } => {
                let channels = &mut self.workers.get_mut(worker).unwrap().channels;
                channels.insert(channel.clone(), (*capacity, *available));
                self.feed(*worker, now);
            }
            Input::PutQueue(config) => {
                self.queues.insert(config.sid, config.clone());
                let mut turns: Vec<_> =
                    self.workers.iter().map(|(sid, one)| (one.idle_since, one.offered, *sid)).collect();
                turns.sort_unstable();
                turns.into_iter().for_each(|(.., worker)| self.feed(worker, now));
            }
            Input::CreateTask(new) => {
                let mut task = RefTask {
                    new: new.clone(),
                    born: now,
                    status: TaskStatus::Pending,
                    priority: new.priority,
                    filter: None,
                    target: 0,
                    outlasted: false,
                    asked: 0,
                    queue: None,
                    end: now,
                };
                task.end = task.when_aged(new.ttl);
                self.tasks.insert(new.sid, task);
                self.said.push(Said::Created(new.sid));
                self.route(new.sid, 0, now);
            }
            Input::Accept(sid) => match pending(self, sid) {
                Some(n) => self.accept(n, now),
                None => return false,
            },
            Input::Reject { reservation, activity } => match pending(self, reservation) {
                Some(n) => self.refuse(n, ReservationStatus::Rejected, *activity, now),
                None => return false,
            },
            Input::Cancel { task, reason } => {
                if !self.tasks[task].status.is_waiting() {
                    return false;
                }
                self.cancel(*task, reason, now);
            }
            Input::WrapUp(task) => {
                let Some(n) =
                    self.accepted_of(*task).filter(|_| self.tasks[task].status == TaskStatus::Assigned)
                else {
                    return false;
                };
                self.became(n, ReservationStatus::Wrapping);
                self.tasks.get_mut(task).unwrap().status = TaskStatus::Wrapping;
                self.said.push(Said::Wrapup(*task));
            }
            Input::Complete { task, .. } => {
                let Some(n) = self.accepted_of(*task) else { return false };
                self.over(*task, TaskStatus::Completed, now);
                self.said.push(Said::Completed(*task));
                self.done(n, now);
            }
            other => unreachable!("these histories have none of {other:?}"),
        }
        true
    }
}

/// What the engine said, with people and tasks in place of reservations.
fn said(event: &Event, whose: &BTreeMap<ReservationSid, (TaskSid, WorkerSid)>) -> Said {
    match event {
        Event::TaskCreated(task) => Said::Created(*task),
        Event::WorkflowTargetMatched { task, filter } => Said::Matched(*task, *filter),
        Event::QueueEntered { task, queue } => Said::Entered(*task, *queue),
        Event::WorkflowEntered { task, .. } => Said::Began(*task),
        Event::QueueMoved { task, from, to } => Said::Moved(*task, *from, *to),
        Event::QueueTimeout { task, queue } => Said::QueueTimeout(*task, *queue),
        Event::WorkflowTimeout(task) => Said::WorkflowTimeout(*task),
        Event::WorkflowSkipped(task) => Said::Skipped(*task),
        Event::ReservationCreated { reservation, .. } => {
            let (task, worker) = whose[reservation];
            Said::Offered(task, worker)
        }
        Event::ReservationBecame { reservation, status } => {
            let (task, worker) = whose[reservation];
            Said::Became(task, worker, *status)
        }
        Event::TaskCanceled { task, reason } => Said::Canceled(*task, reason.clone()),
        Event::TaskWrapup(task) => Said::Wrapup(*task),
        Event::TaskCompleted(task) => Said::Completed(*task),
        Event::TaskDeleted { task, .. } | Event::TaskSystemDeleted { task, .. } => Said::Gone(*task),
        Event::WorkerActivity { worker, to, .. } => Said::Does(*worker, *to),
        Event::TaskUpdated(_) | Event::TaskTransfer { .. } => unreachable!("these histories have none"),
    }
}

/// Runs both; gives how many events there were.
fn run(seed: u64, events: u64) -> u64 {
    let (mut day, mut rng) = (Day::new(seed), Rng::seeded(seed));
    day.hands_on = false;
    let mut reference = Reference::new(&day);
    let (mut whose, mut told, mut step) = (BTreeMap::new(), 0, 0_u64);
    while told < events {
        let entry = day.step(&mut rng);
        let mut new = Vec::new();
        for output in &entry.outputs {
            if let Output::Assign(sid) = output {
                new.push(*sid);
                // It is there: what was just offered is not forgotten at once.
                let one = day.all.reservation(*sid).unwrap();
                whose.insert(*sid, (one.task, one.worker));
            }
        }
        let before = reference.offers.len();
        let done = reference.handle(&entry.input, entry.at);
        for (offer, sid) in reference.offers[before..].iter_mut().zip(&new) {
            offer.sid = Some(*sid);
        }
        let found: Vec<_> = entry
            .outputs
            .iter()
            .filter_map(|output| match output {
                Output::Event { event, .. } => Some(said(event, &whose)),
                Output::Assign(_) | Output::KnownWorker { .. } => None,
            })
            .collect();
        let expected = std::mem::take(&mut reference.said);
        assert_eq!(found, expected, "seed {seed}, step {step}: {:?} at {:?}", entry.input, entry.at);
        assert_eq!(entry.refused.is_none(), done, "seed {seed}, step {step}: {:?}", entry.input);
        let due = reference.due().map(|(at, _)| at);
        assert_eq!(day.all.poll_timeout().map(|(at, _)| at), due, "seed {seed}, step {step}");
        told += found.len() as u64 + 1;
        step += 1;
        if step.is_multiple_of(10_000) {
            whose.retain(|sid, _| day.all.reservation(*sid).is_some());
        }
    }
    told
}

/// A number from outside, for long runs.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn the_reference_decides_the_same() {
    let events = number("EVENTS");
    let seeds = number("SEED").map_or(0..10, |seed| seed..seed + 1);
    let told: u64 = seeds.map(|seed| run(seed, events.unwrap_or(10_000))).sum();
    assert!(told >= events.unwrap_or(10 * 10_000));
}
