//! Who gets what: a task goes through its workflow, tasks look for workers and workers for tasks (reference: taskrouter
//! §5, §6.2).
//!
//! A task that comes looks for the worker whose turn it is: idle the longest, of equals offered less recently, unless its
//! target orders by attributes. A worker that becomes free looks for the first task of all its queues: the highest
//! priority, then the oldest. Either finds the other, so that nothing waits beside somebody who could do it.

use std::time::Duration;

use base::{Mono, ReservationSid, TaskQueueSid, TaskSid, WorkerSid, WorkflowSid};

use crate::Expr;
use crate::event::{Event, Output, Why};
use crate::queue::Rank;
use crate::task::{Place, Reservation, ReservationStatus, Task, TaskStatus};
use crate::transfer::Direct;
use crate::workflow::Target;
use crate::workspace::{Timer, Workspace};

/// Reservations of one task; then it is canceled.
const ASSIGNMENTS_MAX: usize = 1_000;

/// How a filter's targets were left.
enum LeftBy {
    Skip,
    Timeout,
}

impl Workspace {
    /// Sends a task through its workflow from this filter on. `may_default`: it has not timed out there.
    pub(crate) fn route(&mut self, sid: TaskSid, from: usize, may_default: bool, now: Mono) {
        if let Some(task) = self.tasks.get_mut(&sid) {
            // Who begins anew has not waited yet.
            task.outlasted = !may_default || (task.outlasted && from > 0);
        }
        let mut from = from;
        loop {
            let Some(task) = self.tasks.get_mut(&sid) else { return };
            let Some(workflow) = self.workflows.get(&task.workflow) else { return };
            let configuration = &workflow.configuration;
            let filter = configuration.matching(&task.attributes, from);
            if filter.is_none() && (task.outlasted || configuration.default.is_none()) {
                if task.outlasted {
                    self.tell(Event::WorkflowTimeout(sid), now);
                }
                return self.cancel_as(sid, "Task canceled on Workflow timeout", now);
            }
            self.tell(Event::WorkflowTargetMatched { task: sid, filter }, now);
            let left = self.enter(sid, Place { filter, target: 0 }, now);
            match (left, filter) {
                (None, _) => return,
                (Some(left), Some(filter)) => {
                    from = filter + 1;
                    if let (LeftBy::Timeout, Some(task)) = (left, self.tasks.get_mut(&sid)) {
                        task.outlasted = true;
                    }
                }
                (Some(_), None) => {
                    self.tell(Event::WorkflowTimeout(sid), now);
                    return self.cancel_as(sid, "Task canceled on Workflow timeout", now);
                }
            }
        }
    }

    /// Puts a task at a target, or at the first one after it where it finds somebody or may wait.
    fn enter(&mut self, sid: TaskSid, place: Place, now: Mono) -> Option<LeftBy> {
        let mut place = place;
        loop {
            let target = self.target(sid, place)?.clone();
            self.stand_at(sid, place, &target, now);
            if self.offer(sid, now) {
                return None;
            }
            if let Some(fault) = self.known_worker_fault(sid, &target) {
                self.outputs.push_back(Output::KnownWorker { task: sid, fault });
            }
            let skip = |skip_if: &Expr| skip_if.is_true(&self.counts(target.queue));
            let skipped = target.skip_if.as_ref().is_some_and(skip);
            let task = self.tasks.get(&sid)?;
            let until = target.until_age_s.map(|age| task.when_waited(Duration::from_secs(age)));
            if skipped {
                self.tell(Event::WorkflowSkipped(sid), now);
            } else if until.is_some_and(|until| until <= now) {
                self.tell(Event::QueueTimeout { task: sid, queue: target.queue }, now);
            } else {
                if let Some(until) = until {
                    self.set_timer(Timer::Target(sid), until);
                }
                self.wait(sid);
                return None;
            }
            place.target += 1;
            if self.target(sid, place).is_none() {
                return Some(if skipped { LeftBy::Skip } else { LeftBy::Timeout });
            }
        }
    }

    /// The target's time is over: on to the next, or out of the filter.
    pub(crate) fn target_timed_out(&mut self, sid: TaskSid, now: Mono) {
        let Some(place) = self.tasks.get(&sid).and_then(|task| task.place) else { return };
        let Some(queue) = self.target(sid, place).map(|target| target.queue) else { return };
        self.stop_waiting(sid);
        self.tell(Event::QueueTimeout { task: sid, queue }, now);
        let next = Place { target: place.target + 1, ..place };
        let left =
            if self.target(sid, next).is_some() { self.enter(sid, next, now) } else { Some(LeftBy::Timeout) };
        self.go_on(sid, place.filter, left, now);
    }

    /// A task that nobody took stands where it was and looks for somebody again.
    pub(crate) fn look_again(&mut self, sid: TaskSid, now: Mono) {
        // Offered to one of several, it may still wait for others where it was.
        self.stop_waiting(sid);
        let Some(task) = self.tasks.get(&sid) else { return };
        if task.direct.is_some() {
            return self.ask_directly(sid, now);
        }
        let Some(place) = task.place else { return };
        if self.target(sid, place).is_none() {
            // The workflow is another one since.
            return self.route(sid, 0, true, now);
        }
        let left = self.enter(sid, place, now);
        self.go_on(sid, place.filter, left, now);
    }

    /// The tasks of a workflow that nobody was offered yet begin it anew: it is another one since.
    pub fn reevaluate(&mut self, workflow: WorkflowSid, now: Mono) {
        let waits = |task: &&Task| task.workflow == workflow && task.status == TaskStatus::Pending;
        let mut waiting: Vec<_> =
            self.tasks.values().filter(waits).map(|task| (task.started(), task.sid)).collect();
        waiting.sort_unstable();
        for (_, sid) in waiting {
            self.stop_waiting(sid);
            self.route(sid, 0, true, now);
        }
    }

    fn go_on(&mut self, sid: TaskSid, filter: Option<usize>, left: Option<LeftBy>, now: Mono) {
        match (left, filter) {
            (None, _) => {}
            (Some(LeftBy::Skip), Some(filter)) => self.route(sid, filter + 1, true, now),
            (Some(LeftBy::Timeout), Some(filter)) => self.route(sid, filter + 1, false, now),
            (Some(_), None) => {
                self.tell(Event::WorkflowTimeout(sid), now);
                self.cancel_as(sid, "Task canceled on Workflow timeout", now);
            }
        }
    }

    pub(crate) fn target(&self, sid: TaskSid, place: Place) -> Option<&Target> {
        let workflow = self.workflows.get(&self.tasks.get(&sid)?.workflow)?;
        match place.filter {
            Some(filter) => workflow.configuration.filters.get(filter)?.targets.get(place.target),
            None => workflow.configuration.default.as_ref().filter(|_| place.target == 0),
        }
    }

    fn stand_at(&mut self, sid: TaskSid, place: Place, target: &Target, now: Mono) {
        let Some(task) = self.tasks.get_mut(&sid) else { return };
        task.place = Some(place);
        task.priority = target.priority.unwrap_or(task.priority);
        self.stand_in(sid, target.queue, now);
    }

    /// Puts a task into a queue; it does not wait there by that.
    pub(crate) fn stand_in(&mut self, sid: TaskSid, queue: TaskQueueSid, now: Mono) {
        let Some(task) = self.tasks.get_mut(&sid) else { return };
        let before = task.queue.replace(queue);
        if before != Some(queue) {
            task.entered = now;
        }
        let workflow = task.workflow;
        self.recount(sid);
        match before {
            None => {
                self.tell(Event::QueueEntered { task: sid, queue }, now);
                self.tell(Event::WorkflowEntered { task: sid, workflow }, now);
            }
            Some(from) if from != queue => {
                self.tell(Event::QueueMoved { task: sid, from, to: queue }, now);
                self.tell(Event::QueueEntered { task: sid, queue }, now);
            }
            Some(_) => {}
        }
    }

    /// Among those that wait in its queue.
    pub(crate) fn wait(&mut self, sid: TaskSid) {
        let Some(task) = self.tasks.get(&sid) else { return };
        if let Some(meant) = task.meant_for() {
            self.meant.entry(meant).or_default().insert((Rank::fifo(task), sid));
            return;
        }
        let class = self.class_of(task);
        if let Some(queue) = task.queue.and_then(|queue| self.queues.get_mut(&queue)) {
            queue.add(task, class);
        }
    }

    /// No longer among those that wait.
    pub(crate) fn stop_waiting(&mut self, sid: TaskSid) {
        self.cancel_timer(Timer::Target(sid));
        self.leave_line(sid);
    }

    /// Takes a task out of where it waits, to change it or to put it elsewhere.
    pub(crate) fn leave_line(&mut self, sid: TaskSid) {
        let Some(task) = self.tasks.get(&sid) else { return };
        if let Some(meant) = task.meant_for() {
            if let Some(tasks) = self.meant.get_mut(&meant) {
                tasks.remove(&(Rank::fifo(task), sid));
                if tasks.is_empty() {
                    self.meant.remove(&meant);
                }
            }
        } else if let Some(queue) = task.queue.and_then(|queue| self.queues.get_mut(&queue)) {
            queue.remove(task);
        }
    }

    /// Offers a task to as many workers as its queue wants; true when it is offered to anybody.
    pub(crate) fn offer(&mut self, sid: TaskSid, now: Mono) -> bool {
        loop {
            let Some(task) = self.tasks.get(&sid) else { return false };
            if let Some(Direct::Worker { .. }) = task.direct {
                return self.offer_to_the_one(sid, now);
            }
            let Some(queue) = task.queue.and_then(|queue| self.queues.get(&queue)) else { return false };
            if !queue.idle.contains_key(&task.channel) {
                let (queue, channel) = (queue.config.sid, task.channel.clone());
                self.watch(queue, &channel);
                continue;
            }
            let target = task.place.and_then(|place| self.target(sid, place));
            if target.is_none() && task.direct.is_none() {
                return false;
            }
            let offered = task.offers();
            if offered >= queue.config.max_reserved as usize {
                return true;
            }
            let Some((worker, why)) = self.first_for(task, target, queue) else {
                if offered > 0 && offered < queue.config.max_reserved as usize {
                    self.wait(sid);
                }
                return offered > 0;
            };
            self.reserve(sid, worker, why, now);
        }
    }

    /// Offers a task to a worker.
    pub(crate) fn reserve(&mut self, task_sid: TaskSid, worker_sid: WorkerSid, why: Why, now: Mono) {
        self.leave_idle(worker_sid);
        let sid = ReservationSid::random(&mut self.rng);
        self.offers += 1;
        let (Some(task), Some(worker)) = (self.tasks.get_mut(&task_sid), self.workers.get_mut(&worker_sid))
        else {
            return;
        };
        worker.offered = self.offers;
        worker.reservations.insert(sid);
        worker.channel_mut(&task.channel).used += 1;
        task.reservations.insert(sid);
        task.history.push(sid);
        if task.status.is_waiting() {
            task.status = TaskStatus::Reserved;
        }
        let (queue, offered, is_meant) =
            (task.queue, task.offers(), matches!(task.direct, Some(Direct::Worker { .. })));
        self.statistics.recount(task);
        let timeout = self.workflows.get(&task.workflow).map(|workflow| workflow.reservation_timeout);
        let status = ReservationStatus::Pending;
        let (task, worker) = (task_sid, worker_sid);
        let reservation =
            Reservation { sid, task, worker, queue, status, born: now, accepted: None, handed_on: false };
        self.reservations.insert(sid, reservation);
        self.join_idle(worker_sid);
        let wanted =
            queue.and_then(|queue| self.queues.get(&queue)).map_or(1, |queue| queue.config.max_reserved);
        if is_meant || offered >= wanted as usize {
            self.stop_waiting(task_sid);
        }
        // A reserved task leaves its target only when nobody takes it.
        self.cancel_timer(Timer::Target(task_sid));
        self.set_timer(Timer::Reservation(sid), now + timeout.unwrap_or_default());
        self.tell(Event::ReservationCreated { reservation: sid, why }, now);
        self.outputs.push_back(Output::Assign(sid));
        self.is_offered(worker, queue, now);
    }

    /// Whether a task has been offered as often as it may be.
    pub(crate) fn is_worn_out(task: &Task) -> bool {
        task.history.len() >= ASSIGNMENTS_MAX
    }
}
