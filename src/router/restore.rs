//! A workspace as it was when the box last stopped: its tasks, workers and reservations are put back, then
//! [`Workspace::resume`] works out what follows from them.
//!
//! What the parts say of each other may differ by what was not written in the last moment. A reservation is believed
//! before a task or a worker that does not know it, so that nothing is offered twice.

use std::collections::BTreeSet;
use std::time::Duration;

use base::Mono;

use crate::idle::Idle;
use crate::life::{ASSIGNED_MAX, REMEMBERED};
use crate::statistics::Past;
use crate::task::{Reservation, ReservationStatus, Task, TaskStatus};
use crate::worker::{Turn, Worker};
use crate::workspace::{Timer, Workspace};

impl Workspace {
    /// What it has counted, for another that goes on from here.
    pub fn past(&self) -> Past {
        self.statistics.past()
    }

    /// What was counted before it was put back; it may come when much has been counted since.
    pub fn remember(&mut self, past: &Past, now: Mono) {
        self.statistics.remember(past, now);
        self.owes_past = false;
    }

    /// What was counted before is still to come: it is with the run before this one until then.
    pub fn expect_past(&mut self) {
        self.owes_past = true;
    }

    /// Whether what was counted before is still to come.
    pub fn expects_past(&self) -> bool {
        self.owes_past
    }

    /// A worker of earlier days.
    pub fn restore_worker(&mut self, mut worker: Worker) {
        worker.reservations.clear();
        worker.channels.values_mut().for_each(|share| share.used = 0);
        if !self.activities.contains_key(&worker.activity) {
            worker.activity = self.timeout_activity;
        }
        self.offers = self.offers.max(worker.offered);
        self.by_name.entry(worker.name.clone()).or_default().insert(worker.sid);
        self.workers.insert(worker.sid, worker);
    }

    /// A task of earlier days, after its workflow.
    pub fn restore_task(&mut self, mut task: Task) {
        if !self.workflows.contains_key(&task.workflow) || self.know_channel(&task.channel).is_err() {
            return;
        }
        task.reservations.clear();
        task.history.clear();
        task.serving = None;
        task.counted = None;
        self.tasks.insert(task.sid, task);
    }

    /// A reservation of earlier days, after its task and its worker; in the order they were made.
    pub fn restore_reservation(&mut self, reservation: Reservation) {
        let Some(task) = self.tasks.get_mut(&reservation.task) else { return };
        let sid = reservation.sid;
        task.history.push(sid);
        if reservation.status.occupies() && !task.status.is_over() {
            let Some(worker) = self.workers.get_mut(&reservation.worker) else { return };
            if !reservation.handed_on {
                task.reservations.insert(sid);
            }
            worker.reservations.insert(sid);
            worker.channel_mut(&task.channel).used += 1;
        }
        self.reservations.insert(sid, reservation);
    }

    /// Everything is back: states agree with the reservations, clocks run, and what was due happens.
    pub fn resume(&mut self, now: Mono) {
        let tasks: Vec<_> = self.tasks.keys().copied().collect();
        let mut timers = Vec::with_capacity(tasks.len());
        for sid in &tasks {
            self.agree(*sid);
            let Some(task) = self.tasks.get(sid) else { continue };
            let (timer, at) = match task.status {
                TaskStatus::Pending | TaskStatus::Reserved => (Timer::Life(*sid), task.when_aged(task.ttl)),
                // However often the box starts, nobody has it for longer.
                TaskStatus::Assigned | TaskStatus::Wrapping => {
                    let serving = task.serving.and_then(|sid| self.reservations.get(&sid));
                    let since = serving.map_or(now, |one| one.accepted.unwrap_or(one.born));
                    (Timer::Life(*sid), since + ASSIGNED_MAX)
                }
                TaskStatus::Completed | TaskStatus::Canceled => (Timer::Forget(*sid), now + REMEMBERED),
            };
            timers.push((at, timer));
        }
        let pending = self.reservations.values().filter(|one| one.status == ReservationStatus::Pending);
        for one in pending {
            let workflow = self.tasks.get(&one.task).and_then(|task| self.workflows.get(&task.workflow));
            let timeout = workflow.map(|workflow| workflow.reservation_timeout).unwrap_or_default();
            timers.push((one.born + timeout, Timer::Reservation(one.sid)));
        }
        self.set_timers(timers);
        self.reindex_all();
        // The clock first: who did not answer in time is asked no more.
        self.handle_timeout(now);
        for sid in tasks {
            let status = self.tasks.get(&sid).map(|task| task.status);
            match (status, self.tasks.get(&sid).and_then(|task| task.place)) {
                (Some(TaskStatus::Pending), Some(_)) if self.waits_on(sid, now) => {}
                (Some(TaskStatus::Pending), Some(_)) => self.look_again(sid, now),
                (Some(TaskStatus::Pending), None) if self.is_direct(sid) => self.look_again(sid, now),
                (Some(TaskStatus::Pending), None) => self.route(sid, 0, true, now),
                (Some(TaskStatus::Reserved), Some(_)) => {
                    self.offer(sid, now);
                }
                // Who has it hands it on: somebody is asked again, if nobody is at the moment.
                (Some(TaskStatus::Assigned), _) if self.is_offered_on(sid) => self.look_again(sid, now),
                _ => {}
            }
        }
        // Whoever was put to something by an offer that is not there any more does again what it did before.
        let unasked = self.workers.values().filter(|worker| worker.before.is_some());
        let unasked = unasked.filter(|worker| worker.reservations.is_empty()).map(|worker| worker.sid);
        for worker in unasked.collect::<Vec<_>>() {
            self.goes_back(worker, now);
        }
        // Of many who wait few kinds differ for those who are free; whose turn it is comes first.
        let lines =
            self.queues.iter().flat_map(|(sid, queue)| queue.waiting.keys().map(|line| (*sid, line.clone())));
        for (queue, channel) in lines.collect::<Vec<_>>() {
            self.watch(queue, &channel);
        }
        let free = self.queues.values().flat_map(|queue| queue.idle.values());
        let free: BTreeSet<Turn> = free.flat_map(Idle::turns).collect();
        free.into_iter().for_each(|turn| self.feed(turn.worker, now));
    }

    /// A task goes on waiting where it was, to be found by whoever is free; not one that waiting takes elsewhere.
    fn waits_on(&mut self, sid: base::TaskSid, now: Mono) -> bool {
        let Some(task) = self.tasks.get(&sid).filter(|task| task.direct.is_none()) else { return false };
        let Some(target) = task.place.and_then(|place| self.target(sid, place)) else { return false };
        let is_plain = target.known_worker.is_none() && target.skip_if.is_none();
        let until = target.until_age_s.map(|age| task.when_waited(Duration::from_secs(age)));
        let stands = task.queue == Some(target.queue) && target.priority.is_none_or(|it| it == task.priority);
        if !is_plain || !stands || until.is_some_and(|until| until <= now) {
            return false;
        }
        if let Some(until) = until {
            self.set_timer(Timer::Target(sid), until);
        }
        self.wait(sid);
        true
    }

    fn is_offered_on(&self, sid: base::TaskSid) -> bool {
        self.tasks.get(&sid).is_some_and(|task| task.is_handed_on() && task.offers() == 0)
    }

    fn is_direct(&self, sid: base::TaskSid) -> bool {
        self.tasks.get(&sid).is_some_and(|task| task.direct.is_some())
    }

    /// A task is what its reservations say.
    fn agree(&mut self, sid: base::TaskSid) {
        let Some(task) = self.tasks.get(&sid).filter(|task| !task.status.is_over()) else { return };
        let found = task.reservations.iter().filter_map(|sid| self.reservations.get(sid));
        let found = found.map(|one| match one.status {
            ReservationStatus::Wrapping => (TaskStatus::Wrapping, Some(one.sid)),
            ReservationStatus::Accepted => (TaskStatus::Assigned, Some(one.sid)),
            _ => (TaskStatus::Reserved, None),
        });
        let (status, serving) = found.max().unwrap_or((TaskStatus::Pending, None));
        if let Some(task) = self.tasks.get_mut(&sid) {
            (task.status, task.serving) = (status, serving);
        }
        self.recount(sid);
    }
}
