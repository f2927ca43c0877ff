//! Tasks that are handed on, and tasks that are meant for somebody (reference: taskrouter §6.2, §8, §9).
//!
//! ```text
//!             ┌─ refused or unanswered, a queue's others are asked ─┐
//!             ▼                                                     │
//! initiated ──┴─ offered ── accepted ──► complete
//!     ├─ the one worker refuses, does not answer or is not there ──► failed
//!     └─ by who handed it on, or the task is over ──► canceled
//! ```
//! *Warm*: who hands it on keeps it until somebody else has accepted; then it is that one's, and the first may still be in
//! the conversation until its own reservation is wrapped up and completed. What fails or is canceled changes nothing.
//! *Cold*: who hands it on is about its after-work at once and nobody has the task. What fails or is canceled goes
//! through its workflow anew: a caller is not lost by it. The reference leaves open what becomes of such a task.

use std::collections::BTreeSet;
use std::fmt;

use base::{Mono, ReservationSid, TaskQueueSid, TaskSid, TransferSid, WorkerSid};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::{Event, TransferStep, Why};
use crate::queue::Rank;
use crate::task::{ReservationStatus, TaskStatus};
use crate::workspace::{RouterError, Timer, Workspace};

/// To whom a task goes whatever its workflow says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direct {
    /// This worker and nobody else.
    Worker {
        /// Who.
        worker: WorkerSid,
        /// Though it has no room for another.
        ignore_capacity: bool,
    },
    /// Whoever serves this queue.
    Queue(TaskQueueSid),
}

impl fmt::Display for Direct {
    /// Its sid.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Direct::Worker { worker, .. } => worker.fmt(f),
            Direct::Queue(queue) => queue.fmt(f),
        }
    }
}

/// For whom a task waits, on which channel, and whether though there is no room.
pub(crate) type Meant = (WorkerSid, String, bool);

/// `transfer_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferMode {
    /// Who hands it on stays until somebody has it.
    Warm,
    /// Who hands it on goes at once.
    Cold,
}

/// `transfer_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferStatus {
    /// Somebody is looked for.
    Initiated,
    /// Somebody has it.
    Complete,
    /// Nobody would have it.
    Failed,
    /// It was taken back.
    Canceled,
}

/// What a transfer is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTransfer {
    /// Its sid, made by the owner.
    pub sid: TransferSid,
    /// The accepted reservation of who hands on.
    pub reservation: ReservationSid,
    /// `To`: a worker or a queue.
    pub to: Direct,
    /// Who stays.
    pub mode: TransferMode,
    /// Another priority for the task.
    pub priority: Option<u32>,
    /// Other attributes for the task.
    pub attributes: Option<Value>,
}

/// How a task is handed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Its sid.
    pub sid: TransferSid,
    /// `initiating_reservation_sid`.
    pub reservation: ReservationSid,
    /// `initiating_worker_sid`.
    pub worker: WorkerSid,
    /// `initiating_queue_sid`.
    pub queue: Option<TaskQueueSid>,
    /// `transfer_to`.
    pub to: Direct,
    /// `transfer_mode`.
    pub mode: TransferMode,
    /// `transfer_status`.
    pub status: TransferStatus,
    /// When it was made.
    pub born: Mono,
    /// When its status changed last.
    pub changed: Mono,
}

impl Workspace {
    /// Who has a task hands it on.
    pub fn transfer(&mut self, new: NewTransfer, now: Mono) -> Result<(), RouterError> {
        let reservation = self.reservation(new.reservation).ok_or(RouterError::Unknown("reservation"))?;
        let (sid, worker) = (reservation.task, reservation.worker);
        let task = self.tasks.get(&sid).ok_or(RouterError::Unknown("task"))?;
        if task.serving != Some(new.reservation) || task.status != TaskStatus::Assigned || task.is_handed_on()
        {
            return Err(RouterError::WrongState("task"));
        }
        self.know(new.to)?;
        if matches!(new.to, Direct::Worker { worker: to, .. } if to == worker) {
            return Err(RouterError::WrongState("worker"));
        }
        let (queue, status) = (task.queue, TransferStatus::Initiated);
        let NewTransfer { sid: transfer, reservation, to, mode, priority, attributes } = new;
        let Some(task) = self.tasks.get_mut(&sid) else { return Err(RouterError::Unknown("task")) };
        task.transfer = Some(Transfer {
            sid: transfer,
            reservation,
            worker,
            queue,
            to,
            mode,
            status,
            born: now,
            changed: now,
        });
        task.waits_from = now;
        task.priority = priority.unwrap_or(task.priority);
        if let Some(attributes) = attributes {
            task.attributes = attributes.into();
        }
        self.recount(sid);
        self.tell(Event::TaskTransfer { task: sid, transfer, step: TransferStep::Initiated }, now);
        if mode == TransferMode::Cold {
            self.step(reservation, ReservationStatus::Wrapping, now)?;
            self.hand_on(sid, reservation);
            let Some(task) = self.tasks.get_mut(&sid) else { return Ok(()) };
            (task.status, task.serving) = (TaskStatus::Pending, None);
            let end = now + task.ttl;
            self.recount(sid);
            self.set_timer(Timer::Life(sid), end);
        }
        self.go_straight(sid, to, now);
        if let Direct::Worker { worker, .. } = to {
            self.nobody_there_for(worker, sid, now);
        }
        Ok(())
    }

    /// A transfer is taken back that nobody has accepted.
    pub fn cancel_transfer(&mut self, task: TaskSid, now: Mono) -> Result<(), RouterError> {
        let handed_on = self.tasks.get(&task).ok_or(RouterError::Unknown("task"))?.is_handed_on();
        if !handed_on {
            return Err(RouterError::WrongState("transfer"));
        }
        self.end_transfer(task, now);
        self.workflow_anew(task, now);
        Ok(())
    }

    /// Whether a target is there.
    pub(crate) fn know(&self, direct: Direct) -> Result<(), RouterError> {
        match direct {
            Direct::Worker { worker, .. } if !self.workers.contains_key(&worker) => {
                Err(RouterError::Unknown("worker"))
            }
            Direct::Queue(queue) if !self.queues.contains_key(&queue) => Err(RouterError::Unknown("queue")),
            Direct::Worker { .. } | Direct::Queue(_) => Ok(()),
        }
    }

    /// Sends a task past its workflow.
    pub(crate) fn go_straight(&mut self, sid: TaskSid, direct: Direct, now: Mono) {
        let Some(task) = self.tasks.get_mut(&sid) else { return };
        (task.direct, task.place) = (Some(direct), None);
        if let Direct::Queue(queue) = direct {
            self.stand_in(sid, queue, now);
        }
        self.ask_directly(sid, now);
    }

    /// Offers it, or lets it wait.
    pub(crate) fn ask_directly(&mut self, sid: TaskSid, now: Mono) {
        if !self.offer(sid, now) {
            self.wait(sid);
        }
    }

    /// Offers a task to the one worker for whom it is meant; true when it is offered.
    pub(crate) fn offer_to_the_one(&mut self, sid: TaskSid, now: Mono) -> bool {
        let Some(task) = self.tasks.get(&sid) else { return false };
        let Some(Direct::Worker { worker, ignore_capacity }) = task.direct else { return false };
        if task.offers() > 0 {
            return true;
        }
        // Whoever is meant though there is no room is asked once wherever it is (reference: taskrouter §8.1,
        // `IgnoreCapacity`).
        let at_once = ignore_capacity && task.history.is_empty();
        if !(at_once || self.may_be_asked(worker, &task.channel, ignore_capacity))
            || self.obstacle(task, None, worker).is_some()
        {
            return false;
        }
        self.reserve(sid, worker, Why::MeantFor, now);
        true
    }

    fn may_be_asked(&self, worker: WorkerSid, channel: &str, ignore_capacity: bool) -> bool {
        self.workers.get(&worker).is_some_and(|worker| {
            let room = ignore_capacity || self.has_room(worker, channel);
            room && self.activities[&worker.activity].available
        })
    }

    /// The first task meant for a worker that it has room for.
    pub(crate) fn first_meant(&self, worker: WorkerSid) -> Option<(Rank, TaskSid)> {
        let meant = self.meant_for(worker).filter(|((_, channel, ignore_capacity), _)| {
            self.may_be_asked(worker, channel, *ignore_capacity)
        });
        meant.filter_map(|(_, tasks)| tasks.first().copied()).min()
    }

    /// What waits for a worker, by channel.
    fn meant_for(&self, worker: WorkerSid) -> impl Iterator<Item = (&Meant, &BTreeSet<(Rank, TaskSid)>)> {
        self.meant
            .range((worker, String::new(), false)..)
            .take_while(move |((whose, ..), _)| *whose == worker)
    }

    /// A worker takes no tasks any more: what is handed on to it finds nobody. What was meant for it from the beginning
    /// waits until it is back.
    pub(crate) fn nobody_there(&mut self, worker: WorkerSid, now: Mono) {
        let meant: Vec<_> =
            self.meant_for(worker).flat_map(|(_, tasks)| tasks).map(|(_, sid)| *sid).collect();
        for sid in meant {
            self.nobody_there_for(worker, sid, now);
        }
    }

    fn nobody_there_for(&mut self, worker: WorkerSid, sid: TaskSid, now: Mono) {
        let is_there =
            self.workers.get(&worker).is_some_and(|worker| self.activities[&worker.activity].available);
        let waits = self.tasks.get(&sid).is_some_and(|task| task.is_handed_on() && task.offers() == 0);
        if !is_there && waits {
            self.transfer_failed(sid, now);
        }
    }

    /// Who was asked to take a task over would not, or did not answer.
    pub(crate) fn transfer_refused(&mut self, sid: TaskSid, now: Mono) {
        let Some(transfer) = self.tasks.get(&sid).filter(|task| task.is_handed_on()) else { return };
        let Some((transfer, to)) = transfer.transfer.as_ref().map(|one| (one.sid, one.to)) else { return };
        self.tell(Event::TaskTransfer { task: sid, transfer, step: TransferStep::AttemptFailed }, now);
        if matches!(to, Direct::Worker { .. }) {
            self.transfer_failed(sid, now);
        }
    }

    /// Nobody takes it.
    pub(crate) fn transfer_failed(&mut self, sid: TaskSid, now: Mono) {
        self.transfer_over(sid, TransferStatus::Failed, TransferStep::Failed, now);
        self.workflow_anew(sid, now);
    }

    /// What is over or wrapped up is handed on no longer.
    pub(crate) fn end_transfer(&mut self, sid: TaskSid, now: Mono) {
        self.transfer_over(sid, TransferStatus::Canceled, TransferStep::Canceled, now);
    }

    /// The transfer has come to nothing: offers are taken back, and who kept the task has it as before.
    fn transfer_over(&mut self, sid: TaskSid, status: TransferStatus, step: TransferStep, now: Mono) {
        let Some(task) = self.tasks.get(&sid).filter(|task| task.is_handed_on()) else { return };
        let is_open = |one: &ReservationSid| task.reservations.contains(one) && task.serving != Some(*one);
        let offered: Vec<_> = task.history.iter().copied().filter(is_open).collect();
        self.stop_waiting(sid);
        let Some(task) = self.tasks.get_mut(&sid) else { return };
        task.direct = None;
        let Some(transfer) = &mut task.transfer else { return };
        (transfer.status, transfer.changed) = (status, now);
        let (transfer, before) = (transfer.sid, transfer.queue);
        self.tell(Event::TaskTransfer { task: sid, transfer, step }, now);
        if let Some(before) = before {
            self.stand_in(sid, before, now);
        }
        let mut free = Vec::new();
        for reservation in offered {
            free.extend(self.reservation(reservation).map(|one| one.worker));
            let ended = self.end(reservation, ReservationStatus::Canceled, now);
            debug_assert!(ended.is_ok(), "a transfer's offers are pending");
        }
        if let Some(task) = self.tasks.get_mut(&sid)
            && task.status == TaskStatus::Reserved
        {
            task.status = TaskStatus::Pending;
            self.recount(sid);
        }
        for worker in free {
            self.is_free_again(worker, now);
        }
    }

    /// A task that nobody has any more goes through its workflow from the beginning.
    fn workflow_anew(&mut self, sid: TaskSid, now: Mono) {
        let Some(task) = self.tasks.get_mut(&sid) else { return };
        if task.status == TaskStatus::Pending && task.direct.is_none() && task.place.is_none() {
            task.waits_from = now;
            self.route(sid, 0, true, now);
        }
    }

    /// Somebody has accepted; `before`: the reservation by which somebody else had the task until now.
    pub(crate) fn transfer_completed(&mut self, sid: TaskSid, before: Option<ReservationSid>, now: Mono) {
        let Some(task) = self.tasks.get_mut(&sid) else { return };
        task.direct = None;
        let Some(transfer) = task.transfer.as_mut().filter(|one| one.status == TransferStatus::Initiated)
        else {
            return;
        };
        (transfer.status, transfer.changed) = (TransferStatus::Complete, now);
        let transfer = transfer.sid;
        if let Some(before) = before {
            self.hand_on(sid, before);
        }
        self.tell(Event::TaskTransfer { task: sid, transfer, step: TransferStep::Completed }, now);
    }

    /// A reservation is its worker's own affair from now on.
    fn hand_on(&mut self, sid: TaskSid, reservation: ReservationSid) {
        if let Some(task) = self.tasks.get_mut(&sid) {
            task.reservations.remove(&reservation);
        }
        if let Some(one) = self.reservations.get_mut(&reservation) {
            one.handed_on = true;
        }
    }
}

#[cfg(test)]
#[path = "transfer_tests.rs"]
mod tests;
