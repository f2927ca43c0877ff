//! Tasks and reservations as the API makes and changes them (reference: taskrouter §8).

use std::time::Duration;

use base::{CallSid, Mono, Now, ReservationSid, TaskSid, TransferSid, WorkerSid, WorkspaceSid};
use router::clock::{moment, wall};
use router::{
    Direct, Json, NewTask, NewTransfer, Reservation, ReservationStatus, Task, TaskChange, TaskStatus,
};

use super::ask::{Filter, ReservationChange, RouterFault, RouterReply, TaskForm, TaskView, TransferForm};
use super::desk::{Desk, TaskFacts};
use super::rest::{Done, check_version, is_asked};
use super::rows::{Dates, ReservationRow};
use crate::node::Node;

/// How old a task may become unless it says otherwise, and the oldest, seconds (reference: taskrouter §1).
pub(super) const TTL_S: u32 = 86_400;

impl Desk {
    pub(super) fn list_tasks(&self, filter: &Filter, at: Mono) -> Vec<TaskView> {
        let named = |wanted: &Option<String>, name: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| name.is_some_and(|name| name == wanted))
        };
        let is_wanted = |task: &&Task| {
            let workflow = || self.core.workflow(task.workflow).map(|flow| flow.name.as_str());
            let queue = || Some(self.core.queue(task.queue?)?.name.as_str());
            let target = || task.direct.map(|direct| direct.to_string());
            (filter.statuses.is_empty() || filter.statuses.contains(&task.status))
                && is_asked(filter.workflow, task.workflow)
                && filter.queue.is_none_or(|queue| task.queue == Some(queue))
                && is_asked(filter.priority, task.priority)
                && (filter.workflow_name.is_none() || named(&filter.workflow_name, workflow()))
                && (filter.queue_name.is_none() || named(&filter.queue_name, queue()))
                && (filter.target.is_none() || named(&filter.target, target().as_deref()))
                && filter.attributes.as_ref().is_none_or(|expr| expr.is_true(&task.attributes))
        };
        let found: Vec<TaskSid> = match (filter.sid, &filter.page) {
            (Some(sid), _) => vec![sid],
            (None, Some(page)) => {
                let wanted = self.core.tasks().filter(is_wanted);
                let places = wanted.filter_map(|task| {
                    let created = self.tasks.get(&task.sid)?.dates.created;
                    Some((page.ordering.place(task, created), task.sid))
                });
                page.choose(places).into_iter().map(|(_, sid)| sid).collect()
            }
            (None, None) => {
                let mut found: Vec<&Task> = self.core.tasks().filter(is_wanted).collect();
                found.sort_by_key(|task| (task.born, task.sid));
                found.into_iter().map(|task| task.sid).collect()
            }
        };
        found.into_iter().filter_map(|sid| self.task_view(sid, at)).collect()
    }

    fn task_view(&self, sid: TaskSid, at: Mono) -> Option<TaskView> {
        let row = self.task_row(sid)?;
        Some(TaskView {
            workflow_name: self
                .core
                .workflow(row.task.workflow)
                .map(|flow| flow.name.clone())
                .unwrap_or_default(),
            queue_name: row.task.queue.and_then(|sid| self.core.queue(sid)).map(|queue| queue.name.clone()),
            channel: self.channel(&row.task.channel).map(|channel| channel.sid),
            age_s: row.task.age(at).as_secs(),
            row,
        })
    }

    pub(super) fn create_task(&mut self, form: TaskForm, at: Mono) -> Done {
        let workflow = match (form.workflow, self.workflows.len()) {
            (Some(sid), _) => sid,
            (None, 1) => *self.workflows.keys().next().expect("there is one"),
            (None, _) => return Err(RouterFault::new(20001, "WorkflowSid is missing")),
        };
        if !self.workflows.contains_key(&workflow) {
            return Err(RouterFault::new(20001, "WorkflowSid names no workflow of the workspace"));
        }
        let channel = self.unique_name(form.channel.as_deref().unwrap_or("default"))?;
        if form.virtual_start.is_some_and(|start| start > wall(at)) {
            return Err(RouterFault::new(20001, "VirtualStartTime lies in the future"));
        }
        let head_start = form.virtual_start.map(|start| wall(at) - start).unwrap_or_default();
        let new = NewTask {
            sid: TaskSid::random(&mut self.rng),
            workflow,
            attributes: form.attributes.unwrap_or_else(|| Json::Object(Default::default())),
            channel,
            priority: form.priority.unwrap_or(0),
            ttl: Duration::from_secs(u64::from(form.timeout_s.unwrap_or(TTL_S))),
            head_start,
        };
        let sid = new.sid;
        let nobody =
            || RouterFault::new(20001, "RoutingTarget names no worker and no queue of the workspace");
        self.add_task(new, form.direct, None, at)
            .map_err(|fault| if fault.code == 20404 { nobody() } else { fault })?;
        self.reply_task(sid, at)
    }

    /// What tasks call a channel that is named so, or by its sid.
    fn unique_name(&self, channel: &str) -> Result<String, RouterFault> {
        let channel = self.channel(channel);
        let channel = channel.ok_or_else(|| RouterFault::new(20001, "TaskChannel names no channel"))?;
        Ok(channel.unique_name.clone())
    }

    /// A task begins, perhaps a call's.
    pub(super) fn add_task(
        &mut self,
        new: NewTask,
        direct: Option<Direct>,
        call: Option<base::CallSid>,
        at: Mono,
    ) -> Result<(), RouterFault> {
        let sid = new.sid;
        let facts = TaskFacts { call, dates: Dates::new(wall(at)) };
        self.tasks.insert(sid, facts);
        let made = match direct {
            Some(direct) => self.core.create_task_for(new, direct, at),
            None => self.core.create_task(new, at),
        };
        if let Err(error) = made {
            self.tasks.remove(&sid);
            return Err(error.into());
        }
        self.settle(at);
        Ok(())
    }

    fn reply_task(&self, sid: TaskSid, at: Mono) -> Done {
        let view = self.task_view(sid, at).ok_or_else(|| RouterFault::unknown("task"))?;
        Ok(RouterReply::Tasks(vec![view]))
    }

    pub(super) fn update_task(&mut self, sid: TaskSid, form: TaskForm, at: Mono) -> Done {
        let version = self.tasks.get(&sid).ok_or_else(|| RouterFault::unknown("task"))?.dates.version;
        check_version(form.if_match, version)?;
        let channel = form.channel.map(|channel| self.unique_name(&channel)).transpose()?;
        let started = form.virtual_start.map(moment);
        if started.is_some_and(|started| started > at) {
            return Err(RouterFault::new(20001, "VirtualStartTime lies in the future"));
        }
        let reason = form.reason.unwrap_or_default();
        // Refused, nothing of it is done.
        if let Some(wanted) = form.status {
            let status = self.core.task(sid).ok_or_else(|| RouterFault::unknown("task"))?.status;
            may_be_set(status, wanted, &reason)?;
        }
        let change = TaskChange { attributes: form.attributes, priority: form.priority, channel, started };
        if change != TaskChange::default() {
            self.core.change_task(sid, change, at)?;
        }
        match form.status {
            Some(TaskStatus::Canceled) => self.core.cancel(sid, &reason, at)?,
            Some(TaskStatus::Completed) => self.core.complete(sid, &reason, at)?,
            Some(TaskStatus::Wrapping) => self.core.wrap_up(sid, at)?,
            Some(TaskStatus::Pending | TaskStatus::Reserved | TaskStatus::Assigned) | None => {}
        }
        self.settle(at);
        self.reply_task(sid, at)
    }

    pub(super) fn delete_task(&mut self, sid: TaskSid, if_match: Option<u64>, at: Mono) -> Done {
        let version = self.tasks.get(&sid).ok_or_else(|| RouterFault::unknown("task"))?.dates.version;
        check_version(if_match, version)?;
        self.core.delete_task(sid, at)?;
        Ok(RouterReply::Done)
    }

    /// Who has a task hands it on (reference: taskrouter §13.2).
    pub(super) fn transfer(&mut self, form: TransferForm, at: Mono) -> Done {
        let task = self.core.reservation(form.reservation).map(|one| one.task);
        let task = task.ok_or_else(|| RouterFault::unknown("reservation"))?;
        let TransferForm { reservation, to, mode, priority, attributes } = form;
        let sid = TransferSid::random(&mut self.rng);
        self.core.transfer(NewTransfer { sid, reservation, to, mode, priority, attributes }, at)?;
        self.settle(at);
        self.reply_task(task, at)
    }

    pub(super) fn cancel_transfer(&mut self, task: TaskSid, transfer: TransferSid, at: Mono) -> Done {
        let last = self.core.task(task).and_then(|task| task.transfer.as_ref()).map(|one| one.sid);
        if last != Some(transfer) {
            return Err(RouterFault::unknown("transfer"));
        }
        self.core.cancel_transfer(task, at)?;
        self.settle(at);
        self.reply_task(task, at)
    }

    /// A reservation and its worker's name.
    pub(super) fn named_reservation(&self, sid: ReservationSid) -> Option<(ReservationRow, String)> {
        let row = self.reservation_row(sid)?;
        let worker = self.core.worker(row.reservation.worker).map(|worker| worker.name.clone());
        Some((row, worker.unwrap_or_default()))
    }

    pub(super) fn list_reservations(
        &self,
        task: Option<TaskSid>,
        worker: Option<WorkerSid>,
    ) -> Vec<(ReservationRow, String)> {
        let place = |one: &Reservation| (one.born, one.sid);
        let mut found: Vec<_> = match (task, worker) {
            (Some(task), _) => {
                let all = self.core.reservations_of(task);
                all.filter(|one| is_asked(worker, one.worker)).map(place).collect()
            }
            (None, Some(worker)) => {
                let all = self.offers_to.get(&worker).into_iter().flatten();
                all.filter_map(|sid| self.core.reservation(*sid)).map(place).collect()
            }
            (None, None) => self.core.reservations().map(place).collect(),
        };
        found.sort_unstable();
        found.into_iter().filter_map(|(_, sid)| self.named_reservation(sid)).collect()
    }
}

impl Node {
    /// The call by which a worker is with a task.
    pub(super) fn worker_call(
        &self,
        workspace: WorkspaceSid,
        task: TaskSid,
        worker: WorkerSid,
    ) -> Option<CallSid> {
        let desk = self.shared.router.desks.get(&workspace)?;
        let is_it = |sid: ReservationSid| {
            desk.core.reservation(sid).is_some_and(|one| one.task == task && one.worker == worker)
        };
        let rings = self.shared.router.rings.iter();
        let mut rings = rings.filter(|(_, ring)| ring.is_workers() && is_it(ring.reservation));
        rings.next().map(|(call, _)| *call)
    }

    pub(super) fn update_reservation(
        &mut self,
        workspace: WorkspaceSid,
        sid: ReservationSid,
        change: ReservationChange,
        if_match: Option<u64>,
        now: Now,
    ) -> Done {
        let desk = self.shared.router.desks.get(&workspace);
        let desk = desk.ok_or_else(|| RouterFault::unknown("workspace"))?;
        let (_, dates) = desk.reservations.get(&sid).ok_or_else(|| RouterFault::unknown("reservation"))?;
        check_version(if_match, dates.version)?;
        let ReservationChange::Instruct(instruction) = change else {
            return self.reservation_becomes(workspace, sid, change, now);
        };
        self.instruct(workspace, sid, instruction, now)?;
        self.reply_reservation(workspace, sid)
    }

    fn reservation_becomes(
        &mut self,
        workspace: WorkspaceSid,
        sid: ReservationSid,
        change: ReservationChange,
        now: Now,
    ) -> Done {
        let at = self.shared.router.clock(now);
        let Some(desk) = self.shared.router.desks.get_mut(&workspace) else {
            return Err(RouterFault::unknown("workspace"));
        };
        match change {
            ReservationChange::Become(ReservationStatus::Wrapping) => {
                desk.core.wrap_up_reservation(sid, at)?
            }
            ReservationChange::Become(ReservationStatus::Completed) => {
                desk.core.complete_reservation(sid, "completed by the worker", at)?;
            }
            ReservationChange::Become(_) | ReservationChange::Instruct(_) => {
                let why = "ReservationStatus can be set to accepted, rejected, wrapping or completed";
                return Err(RouterFault::new(20001, why));
            }
        }
        desk.settle(at);
        self.reply_reservation(workspace, sid)
    }

    fn reply_reservation(&self, workspace: WorkspaceSid, sid: ReservationSid) -> Done {
        let desk = self.shared.router.desks.get(&workspace);
        let row = desk.and_then(|desk| desk.named_reservation(sid));
        row.map(|row| RouterReply::Reservations(vec![row])).ok_or_else(|| RouterFault::unknown("reservation"))
    }
}

/// Whether a task of this status may be set to that one (reference: taskrouter §8.1).
fn may_be_set(status: TaskStatus, wanted: TaskStatus, reason: &str) -> Result<(), RouterFault> {
    use TaskStatus::{Assigned, Canceled, Completed, Pending, Reserved, Wrapping};
    let why = match (wanted, status) {
        (Canceled | Completed, _) if reason.is_empty() => "Reason is missing",
        (Canceled, Pending | Reserved) | (Completed, Assigned | Wrapping) | (Wrapping, Assigned) => {
            return Ok(());
        }
        (Canceled | Completed | Wrapping, _) => "the task is not in the state for that",
        (Pending | Reserved | Assigned, _) => {
            "AssignmentStatus can be set to canceled, wrapping or completed"
        }
    };
    Err(RouterFault::new(20001, why))
}
