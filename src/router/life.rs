//! What becomes of tasks and reservations (reference: taskrouter §8).

use std::time::Duration;

use base::{ActivitySid, Mono, ReservationSid, TaskSid, WorkerSid, WorkflowSid};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::Event;
use crate::task::{ReservationStatus, Task, TaskStatus};
use crate::transfer::Direct;
use crate::workspace::{RouterError, TASKS_MAX, Timer, Workspace};

/// What a task is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTask {
    /// Its sid, made by the owner.
    pub sid: TaskSid,
    /// Who decides where it goes.
    pub workflow: WorkflowSid,
    /// What filters choose by.
    pub attributes: Value,
    /// What kind of work it is.
    pub channel: String,
    /// The larger, the sooner.
    pub priority: u32,
    /// How old it may become without being accepted.
    pub ttl: Duration,
    /// How old it is already.
    pub head_start: Duration,
}

/// What changes of a task; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskChange {
    /// All of them.
    pub attributes: Option<Value>,
    /// The larger, the sooner.
    pub priority: Option<u32>,
    /// What kind of work it is; only of one that nobody was offered.
    pub channel: Option<String>,
    /// When it would have been made: its age counts from then.
    pub started: Option<Mono>,
}

/// Work that is never declared done ends after so long (reference: taskrouter §1).
pub(crate) const ASSIGNED_MAX: Duration = Duration::from_secs(86_400);

/// What is over is known for so long.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(300);

impl Workspace {
    /// Something is to be done; its workflow decides by whom.
    pub fn create_task(&mut self, new: NewTask, now: Mono) -> Result<(), RouterError> {
        let sid = new.sid;
        self.add_task(new, now)?;
        self.route(sid, 0, true, now);
        Ok(())
    }

    /// Something is to be done by these, whatever its workflow says of it (reference: taskrouter §6.2, `RoutingTarget`).
    pub fn create_task_for(&mut self, new: NewTask, direct: Direct, now: Mono) -> Result<(), RouterError> {
        self.know(direct)?;
        let sid = new.sid;
        self.add_task(new, now)?;
        self.go_straight(sid, direct, now);
        Ok(())
    }

    fn add_task(&mut self, new: NewTask, now: Mono) -> Result<(), RouterError> {
        if !self.workflows.contains_key(&new.workflow) {
            return Err(RouterError::Unknown("workflow"));
        }
        if self.tasks.len() >= TASKS_MAX {
            return Err(RouterError::TooMany("tasks"));
        }
        self.know_channel(&new.channel)?;
        let NewTask { sid, workflow, attributes, channel, priority, ttl, head_start } = new;
        let task = Task {
            sid,
            workflow,
            attributes: attributes.into(),
            channel,
            priority,
            status: TaskStatus::Pending,
            born: now,
            head_start,
            ttl,
            waits_from: now,
            entered: now,
            place: None,
            outlasted: false,
            queue: None,
            direct: None,
            transfer: None,
            reservations: [].into(),
            serving: None,
            history: Vec::new(),
            reason: None,
            counted: None,
        };
        let end = task.when_aged(ttl);
        self.tasks.insert(sid, task);
        self.recount(sid);
        self.set_timer(Timer::Life(sid), end);
        self.tell(Event::TaskCreated(sid), now);
        Ok(())
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Mono) {
        while let Some((at, timer)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.cancel_timer(timer);
            match timer {
                Timer::Target(task) => self.target_timed_out(task, now),
                Timer::Reservation(reservation) => self.reservation_timed_out(reservation, now),
                Timer::Forget(task) => self.forget(task, false, at),
                Timer::Life(task) => self.life_over(task, now),
                Timer::Look(worker) => self.look_on(worker, now),
            }
        }
    }

    /// The worker does it; whoever else was asked need not any more.
    pub fn accept(&mut self, sid: ReservationSid, now: Mono) -> Result<(), RouterError> {
        let task = self.turn(sid, ReservationStatus::Accepted)?;
        if let Some(reservation) = self.reservations.get_mut(&sid) {
            reservation.accepted = Some(now);
        }
        self.stop_waiting(task);
        let Some(one) = self.tasks.get_mut(&task) else { return Ok(()) };
        one.status = TaskStatus::Assigned;
        let before = one.serving.replace(sid);
        // In the order they were asked, as everything that happens to several.
        let is_other = |other: &ReservationSid| {
            one.reservations.contains(other) && *other != sid && Some(*other) != before
        };
        let others: Vec<_> = one.history.iter().copied().filter(is_other).collect();
        self.recount(task);
        self.set_timer(Timer::Life(task), now + ASSIGNED_MAX);
        self.tell(Event::ReservationBecame { reservation: sid, status: ReservationStatus::Accepted }, now);
        let mut free = Vec::new();
        for other in others {
            free.extend(self.reservation(other).map(|one| one.worker));
            self.end(other, ReservationStatus::Rescinded, now)?;
        }
        self.transfer_completed(task, before, now);
        if let Some((worker, queue)) = self.reservation(sid).map(|one| (one.worker, one.queue)) {
            self.has_accepted(worker, queue, now);
        }
        for worker in free {
            self.is_free_again(worker, now);
        }
        Ok(())
    }

    /// The worker would not, and goes to that activity if one is given.
    pub fn reject(
        &mut self,
        sid: ReservationSid,
        activity: Option<ActivitySid>,
        now: Mono,
    ) -> Result<(), RouterError> {
        if activity.is_some_and(|activity| !self.activities.contains_key(&activity)) {
            return Err(RouterError::Unknown("activity"));
        }
        let worker = self.reservation(sid).ok_or(RouterError::Unknown("reservation"))?.worker;
        self.end(sid, ReservationStatus::Rejected, now)?;
        match activity {
            Some(activity) => self.set_activity(worker, activity, now)?,
            None => self.goes_back(worker, now),
        }
        self.passed_back(sid, worker, now);
        Ok(())
    }

    /// The application could not say what is to become of an offer: it is taken back, and the worker keeps its turn.
    pub fn withdraw(&mut self, sid: ReservationSid, now: Mono) -> Result<(), RouterError> {
        let worker = self.reservation(sid).ok_or(RouterError::Unknown("reservation"))?.worker;
        self.end(sid, ReservationStatus::Canceled, now)?;
        self.goes_back(worker, now);
        self.passed_back(sid, worker, now);
        Ok(())
    }

    fn reservation_timed_out(&mut self, sid: ReservationSid, now: Mono) {
        let Some(worker) = self.reservation(sid).map(|one| one.worker) else { return };
        if self.end(sid, ReservationStatus::Timeout, now).is_err() {
            return;
        }
        let activity = self.timeout_activity;
        let moved = self.set_activity(worker, activity, now);
        debug_assert!(moved.is_ok(), "worker and activity are there");
        self.passed_back(sid, worker, now);
    }

    /// The offered task looks for somebody else, then the worker for another task.
    fn passed_back(&mut self, sid: ReservationSid, worker: WorkerSid, now: Mono) {
        let Some(task) = self.reservation(sid).map(|one| one.task) else { return };
        self.transfer_refused(task, now);
        self.nobody_yet(task, now);
        self.feed(worker, now);
    }

    fn nobody_yet(&mut self, sid: TaskSid, now: Mono) {
        let Some(task) = self.tasks.get_mut(&sid).filter(|task| task.is_wanted()) else { return };
        if task.offers() == 0 {
            if task.status == TaskStatus::Reserved {
                task.status = TaskStatus::Pending;
            }
            self.recount(sid);
            let Some(task) = self.tasks.get(&sid) else { return };
            if Self::is_worn_out(task) {
                if !task.status.is_waiting() {
                    return self.transfer_failed(sid, now);
                }
                return self.cancel_as(sid, "Max assignment count exceeded", now);
            }
            self.look_again(sid, now);
        } else {
            self.offer(sid, now);
        }
    }

    /// The work is done, the after-work is not.
    pub fn wrap_up(&mut self, sid: TaskSid, now: Mono) -> Result<(), RouterError> {
        let accepted = self.accepted(sid, TaskStatus::Assigned)?;
        self.end_transfer(sid, now);
        self.turn(accepted, ReservationStatus::Wrapping)?;
        if let Some(task) = self.tasks.get_mut(&sid) {
            task.status = TaskStatus::Wrapping;
        }
        self.recount(sid);
        self.tell(
            Event::ReservationBecame { reservation: accepted, status: ReservationStatus::Wrapping },
            now,
        );
        self.tell(Event::TaskWrapup(sid), now);
        Ok(())
    }

    /// It is done.
    pub fn complete(&mut self, sid: TaskSid, reason: &str, now: Mono) -> Result<(), RouterError> {
        let accepted =
            self.accepted(sid, TaskStatus::Assigned).or_else(|_| self.accepted(sid, TaskStatus::Wrapping))?;
        self.end_transfer(sid, now);
        self.over(sid, TaskStatus::Completed, reason, now);
        self.tell(Event::TaskCompleted(sid), now);
        let worker = self.reservation(accepted).map(|one| one.worker);
        self.end(accepted, ReservationStatus::Completed, now)?;
        if let Some(worker) = worker {
            self.feed(worker, now);
        }
        self.let_go(sid, now);
        Ok(())
    }

    /// A worker is about the after-work: of the task, or of its own part of a task that it handed on.
    pub fn wrap_up_reservation(&mut self, sid: ReservationSid, now: Mono) -> Result<(), RouterError> {
        let reservation = self.reservation(sid).ok_or(RouterError::Unknown("reservation"))?;
        if !reservation.handed_on {
            return self.wrap_up(reservation.task, now).map_err(|_| RouterError::WrongState("reservation"));
        }
        self.step(sid, ReservationStatus::Wrapping, now).map(|_| ())
    }

    /// A worker is done: with the task, or with its own part of a task that it handed on.
    pub fn complete_reservation(
        &mut self,
        sid: ReservationSid,
        reason: &str,
        now: Mono,
    ) -> Result<(), RouterError> {
        let reservation = self.reservation(sid).ok_or(RouterError::Unknown("reservation"))?;
        let (task, worker) = (reservation.task, reservation.worker);
        if !reservation.handed_on {
            let serves = self.tasks.get(&task).is_some_and(|task| task.serving == Some(sid));
            let done =
                if serves { self.complete(task, reason, now) } else { Err(RouterError::WrongState("task")) };
            return done.map_err(|_| RouterError::WrongState("reservation"));
        }
        self.end(sid, ReservationStatus::Completed, now)?;
        self.feed(worker, now);
        Ok(())
    }

    /// Workers who handed a task on that is over now are done with it too.
    pub(crate) fn let_go(&mut self, sid: TaskSid, now: Mono) {
        let Some(task) = self.tasks.get(&sid) else { return };
        let mine = task.history.iter().filter_map(|sid| self.reservations.get(sid));
        let left: Vec<_> =
            mine.filter(|one| one.status.occupies()).map(|one| (one.sid, one.worker)).collect();
        for (reservation, worker) in left {
            let ended = self.end(reservation, ReservationStatus::Completed, now);
            debug_assert!(ended.is_ok(), "who handed a task on has accepted it");
            self.feed(worker, now);
        }
    }

    /// It will not be done; only what nobody has accepted can be taken back.
    pub fn cancel(&mut self, sid: TaskSid, reason: &str, now: Mono) -> Result<(), RouterError> {
        let task = self.tasks.get(&sid).ok_or(RouterError::Unknown("task"))?;
        if !task.status.is_waiting() {
            return Err(RouterError::WrongState("task"));
        }
        self.cancel_as(sid, reason, now);
        Ok(())
    }

    pub(crate) fn cancel_as(&mut self, sid: TaskSid, reason: &str, now: Mono) {
        self.end_transfer(sid, now);
        self.stop_waiting(sid);
        let Some(task) = self.tasks.get(&sid) else { return };
        let offered: Vec<_> =
            task.history.iter().copied().filter(|one| task.reservations.contains(one)).collect();
        self.over(sid, TaskStatus::Canceled, reason, now);
        self.tell(Event::TaskCanceled { task: sid, reason: reason.to_owned() }, now);
        let mut free = Vec::new();
        for reservation in offered {
            free.extend(self.reservation(reservation).map(|one| one.worker));
            let ended = self.end(reservation, ReservationStatus::Canceled, now);
            debug_assert!(ended.is_ok(), "a waiting task's reservations are pending");
        }
        for worker in free {
            self.is_free_again(worker, now);
        }
        self.let_go(sid, now);
    }

    /// Other attributes or another priority; see [`Workspace::change_task`].
    pub fn update_task(
        &mut self,
        sid: TaskSid,
        attributes: Option<Value>,
        priority: Option<u32>,
        now: Mono,
    ) -> Result<(), RouterError> {
        self.change_task(sid, TaskChange { attributes, priority, ..TaskChange::default() }, now)
    }

    /// Changes a task; what is `None` stays. Where it stands in its workflow does not change by that, its place among
    /// those that wait may.
    pub fn change_task(&mut self, sid: TaskSid, change: TaskChange, now: Mono) -> Result<(), RouterError> {
        let TaskChange { attributes, priority, channel, started } = change;
        let task = self.tasks.get(&sid).ok_or(RouterError::Unknown("task"))?;
        if let Some(channel) = channel.as_ref().filter(|channel| **channel != task.channel) {
            // What is offered has its place on its worker's channel.
            if task.status != TaskStatus::Pending {
                return Err(RouterError::WrongState("task"));
            }
            self.know_channel(channel)?;
        }
        let waits = self.waits(sid);
        self.leave_line(sid);
        let task = self.tasks.get_mut(&sid).ok_or(RouterError::Unknown("task"))?;
        if let Some(attributes) = attributes {
            task.attributes = attributes.into();
        }
        task.priority = priority.unwrap_or(task.priority);
        task.channel = channel.unwrap_or_else(|| std::mem::take(&mut task.channel));
        if let Some(started) = started {
            // Later than it was made, it is as if it had been made then.
            task.born = task.born.max(started.min(now));
            task.head_start = task.born.since(started);
        }
        self.recount(sid);
        self.tell(Event::TaskUpdated(sid), now);
        if started.is_some() {
            self.aged_anew(sid);
        }
        if waits {
            // Another answer may be given to it now.
            self.wait(sid);
            self.offer(sid, now);
        }
        Ok(())
    }

    /// A task is of another age: what waits for its age by the clock waits anew.
    fn aged_anew(&mut self, sid: TaskSid) {
        let Some(task) = self.tasks.get(&sid) else { return };
        let end = task.status.is_waiting().then(|| task.when_aged(task.ttl));
        let target = task.place.and_then(|place| self.target(sid, place));
        let until = target.and_then(|target| target.until_age_s);
        let until = until.map(|age| task.when_waited(Duration::from_secs(age)));
        if let Some(end) = end {
            self.set_timer(Timer::Life(sid), end);
        }
        if let Some(until) = until.filter(|_| self.deadlines.contains_key(&Timer::Target(sid))) {
            self.set_timer(Timer::Target(sid), until);
        }
    }

    /// A worker takes no tasks any more, and whatever is offered to it goes to others (`RejectPendingReservations`).
    pub fn leave(&mut self, sid: WorkerSid, activity: ActivitySid, now: Mono) -> Result<(), RouterError> {
        self.set_activity(sid, activity, now)?;
        let offered = self.workers.get(&sid).map(|worker| worker.reservations.clone()).unwrap_or_default();
        for offer in offered {
            if self.reservation(offer).is_some_and(|one| one.status == ReservationStatus::Pending) {
                self.reject(offer, Some(activity), now)?;
            }
        }
        Ok(())
    }

    /// A task goes that is over, or that nobody does yet.
    pub fn delete_task(&mut self, sid: TaskSid, now: Mono) -> Result<(), RouterError> {
        let task = self.tasks.get(&sid).ok_or(RouterError::Unknown("task"))?;
        if task.status.is_waiting() {
            self.cancel_as(sid, "deleted", now);
        } else if !task.status.is_over() {
            return Err(RouterError::WrongState("task"));
        }
        self.forget(sid, false, now);
        Ok(())
    }

    fn over(&mut self, sid: TaskSid, status: TaskStatus, reason: &str, now: Mono) {
        let Some(task) = self.tasks.get_mut(&sid) else { return };
        (task.status, task.place, task.reason) = (status, None, Some(reason.to_owned()));
        self.recount(sid);
        self.cancel_timer(Timer::Target(sid));
        self.cancel_timer(Timer::Life(sid));
        self.set_timer(Timer::Forget(sid), now + REMEMBERED);
    }

    fn life_over(&mut self, sid: TaskSid, now: Mono) {
        let Some(task) = self.tasks.get(&sid) else { return };
        if task.status.is_waiting() {
            return self.cancel_as(sid, "Task TTL Exceeded", now);
        }
        self.end_transfer(sid, now);
        self.let_go(sid, now);
        self.forget(sid, true, now);
    }

    fn forget(&mut self, sid: TaskSid, by_system: bool, at: Mono) {
        let reservations = self.tasks.get(&sid).map(|task| task.history.clone()).unwrap_or_default();
        for reservation in &reservations {
            self.gone.reservations.extend(self.reservations.remove(reservation).map(|one| (one.sid, one)));
        }
        self.tell(
            match by_system {
                true => Event::TaskSystemDeleted { task: sid, reservations },
                false => Event::TaskDeleted { task: sid, reservations },
            },
            at,
        );
        let Some(task) = self.tasks.remove(&sid) else { return };
        self.statistics.forget(&task);
        self.gone.tasks.insert(sid, task);
        for timer in [Timer::Target(sid), Timer::Life(sid), Timer::Forget(sid)] {
            self.cancel_timer(timer);
        }
    }

    /// The accepted reservation of a task in this state.
    fn accepted(&self, sid: TaskSid, status: TaskStatus) -> Result<ReservationSid, RouterError> {
        let task = self.tasks.get(&sid).ok_or(RouterError::Unknown("task"))?;
        let serving = task.serving.filter(|_| task.status == status);
        serving.ok_or(RouterError::WrongState("task"))
    }

    /// A reservation goes on to another state; answers with its task.
    pub(crate) fn step(
        &mut self,
        sid: ReservationSid,
        status: ReservationStatus,
        now: Mono,
    ) -> Result<TaskSid, RouterError> {
        let task = self.turn(sid, status)?;
        self.tell(Event::ReservationBecame { reservation: sid, status }, now);
        Ok(task)
    }

    /// The same, and it is not told yet: its task changes with it.
    fn turn(&mut self, sid: ReservationSid, status: ReservationStatus) -> Result<TaskSid, RouterError> {
        let reservation = self.reservations.get_mut(&sid).ok_or(RouterError::Unknown("reservation"))?;
        if !reservation.status.may_become(status) {
            return Err(RouterError::WrongState("reservation"));
        }
        reservation.status = status;
        let task = reservation.task;
        self.cancel_timer(Timer::Reservation(sid));
        Ok(task)
    }

    /// A reservation ends: it occupies its worker no longer, and who has had its turn goes to the end of the line.
    pub(crate) fn end(
        &mut self,
        sid: ReservationSid,
        status: ReservationStatus,
        now: Mono,
    ) -> Result<(), RouterError> {
        let task = self.step(sid, status, now)?;
        let Some(worker) = self.reservations.get(&sid).map(|one| one.worker) else { return Ok(()) };
        let Some(task) = self.tasks.get_mut(&task) else { return Ok(()) };
        task.reservations.remove(&sid);
        if task.serving == Some(sid) {
            task.serving = None;
        }
        let channel = task.channel.clone();
        self.leave_idle(worker);
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.reservations.remove(&sid);
            let share = worker.channel_mut(&channel);
            share.used = share.used.saturating_sub(1);
            if status.was_its_turn() {
                worker.idle_since = now;
            }
        }
        self.join_idle(worker);
        Ok(())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
