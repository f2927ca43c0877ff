//! Whom the application wants to have a task: the assignment callback, and telling events (reference: taskrouter §7,
//! §9).
//!
//! ```text
//! reservation ──▶ assignment URL ──200 JSON──▶ instruction, or nothing now
//!                     │ 5 s, or in error
//!                     ▼
//!                 fallback URL ──likewise
//!                     │ 5 s, or in error
//!                     ▼
//!                 withdrawn a moment later: the task is offered again
//! ```

use std::time::Duration;

use base::{CallSid, Mono, Now, ReservationSid, TaskSid, WorkspaceSid};
use router::clock::wall;
use router::{Instruction, KnownWorkerFault, ReservationStatus};
use twiml::{Dialect, FetchFailure, Fetched, HttpMethod, Level};

use super::RingNews;
use super::ask::RouterFault;
use super::desk::Duty;
use super::rows::RouterEventRow;
use crate::call::notification;
use crate::ctx::{Asked, CALLBACK_FORGOTTEN, Ctx};
use crate::io::{FetchId, FetchKind, FetchRequest, Output};
use crate::node::Node;
use crate::record::{EventKind, StoreItem};

/// How long the application may take to answer (reference: taskrouter §7).
const PATIENCE: Duration = Duration::from_secs(5);

/// An offer about which nobody could say anything is kept so long: whoever is broken is not asked without a pause.
const PAUSE: Duration = Duration::from_secs(5);

/// A question under way.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    workspace: WorkspaceSid,
    reservation: ReservationSid,
    /// Asked next.
    fallback: Option<String>,
    /// When the answer is given up, on the node's clock.
    due: Mono,
}

impl Node {
    /// Workspaces without a moment's rest: their deadlines have passed.
    pub(crate) fn router_timeout(&mut self, now: Now) {
        let at = self.shared.router.clock(now);
        for desk in self.shared.router.desks.values_mut() {
            if desk.core.poll_timeout().is_some_and(|(due, _)| due <= at) {
                desk.core.handle_timeout(at);
            }
        }
        self.shared.router.end_wrap_ups(at);
        while let Some((due, id)) =
            self.shared.router.patience.first().copied().filter(|(due, _)| *due <= now.mono)
        {
            self.shared.router.patience.remove(&(due, id));
            self.shared.outputs.push_back(Output::Abort(id));
            if let Some(asking) = self.shared.router.asking.remove(&id) {
                self.assignment_failed(asking, 11200, "no answer within 5 s".to_owned(), now);
            }
        }
        while let Some(one) = self.shared.router.unanswered.first().copied().filter(|one| one.0 <= now.mono) {
            self.shared.router.unanswered.remove(&one);
            if let Some(desk) = self.shared.router.desks.get_mut(&one.1) {
                // It may have ended by itself.
                let _ = desk.core.withdraw(one.2, at);
            }
        }
    }

    /// Does the next thing workspaces have to do; false when there is none.
    pub(crate) fn router_step(&mut self, now: Now) -> bool {
        if let Some((call, news)) = self.shared.router.news.pop_front() {
            match news {
                RingNews::Answered => self.ring_answered(call, now),
                RingNews::Over { failed } => self.ring_over(call, failed, now),
            }
            return true;
        }
        if let Some((duty, url)) = self.shared.router.last_words.pop_front() {
            match (duty, url) {
                (Duty::Store(item), _) => {
                    self.shared.outputs.push_back(Output::Store(StoreItem::Router(item)));
                }
                (Duty::Tell(event), Some(url)) => self.tell_at(url, *event, now),
                (Duty::Over(reservation), _) => self.reservation_over(reservation, now),
                (Duty::Forget(task), _) => self.shared.outputs.push_back(Output::CallOver(CallSid(task.0))),
                // Nobody asks about what is gone.
                (Duty::Tell(_) | Duty::Assign(_) | Duty::Warn(..), _) => {}
            }
            return true;
        }
        let at = self.shared.router.clock(now);
        let mut next = None;
        for (sid, desk) in &mut self.shared.router.desks {
            desk.settle(at);
            if let Some(duty) = desk.duties.pop_front() {
                next = Some((*sid, duty));
                break;
            }
        }
        let Some((workspace, duty)) = next else { return false };
        match duty {
            Duty::Store(item) => self.shared.outputs.push_back(Output::Store(StoreItem::Router(item))),
            Duty::Tell(event) => self.tell_event(workspace, *event, now),
            Duty::Assign(reservation) => self.ask_assignment(workspace, reservation, now),
            Duty::Warn(task, fault) => {
                let (code, why) = match fault {
                    KnownWorkerFault::NotInQueue => (40152, "the worker it names does not serve the queue"),
                    KnownWorkerFault::NotNamed => (40154, "it names no worker who is known"),
                    KnownWorkerFault::Elsewhere => (40155, "the worker it names is none of the workspace"),
                };
                self.task_note(workspace, task, code, format!("{task}: {why}"), now);
            }
            Duty::Over(reservation) => self.reservation_over(reservation, now),
            Duty::Forget(task) => self.shared.outputs.push_back(Output::CallOver(CallSid(task.0))),
        }
        true
    }

    fn tell_event(&mut self, workspace: WorkspaceSid, event: RouterEventRow, now: Now) {
        let url =
            self.shared.router.desks.get(&workspace).and_then(|desk| desk.row.event_callback_url.clone());
        if let Some(url) = url {
            self.tell_at(url, event, now);
        }
    }

    fn tell_at(&mut self, url: String, event: RouterEventRow, now: Now) {
        let mut params = event.data;
        params.push(("AccountSid".to_owned(), self.office.account_sid.to_string()));
        // Those of one workspace arrive in their order, as those of one call do.
        let lane = CallSid(event.workspace.0);
        let id = self.router_fetch(lane, FetchKind::RouterEvent, url, params);
        self.shared.callbacks.insert(id, (lane, Asked::RouterEvent), now.mono + CALLBACK_FORGOTTEN);
    }

    fn router_fetch(
        &mut self,
        lane: CallSid,
        kind: FetchKind,
        url: String,
        params: Vec<(String, String)>,
    ) -> FetchId {
        self.shared.next_id += 1;
        let id = FetchId(self.shared.next_id);
        let (method, dialect) = (HttpMethod::Post, Dialect::Twiml);
        let request = FetchRequest { id, call: lane, kind, dialect, url, method, params };
        self.shared.outputs.push_back(Output::Fetch(request));
        id
    }

    /// Why this worker: on the ladder of the call that waits.
    fn explain(&mut self, workspace: WorkspaceSid, reservation: ReservationSid, now: Now) {
        let Some(desk) = self.shared.router.desks.get(&workspace) else { return };
        let Some(text) = desk.explanation(reservation) else { return };
        let task = desk.core.reservation(reservation).map(|one| one.task);
        let call = task.and_then(|task| desk.tasks.get(&task)).and_then(|facts| facts.call);
        if let Some(call) = call {
            self.with(call, now, |call, ctx| call.trace(EventKind::Decision, text, ctx));
        }
    }

    fn ask_assignment(&mut self, workspace: WorkspaceSid, reservation: ReservationSid, now: Now) {
        self.explain(workspace, reservation, now);
        let Some(desk) = self.shared.router.desks.get(&workspace) else { return };
        let workflow = desk.core.reservation(reservation).and_then(|one| desk.core.task(one.task));
        let workflow = workflow.and_then(|task| desk.workflows.get(&task.workflow));
        let Some(workflow) = workflow else { return };
        let fallback = workflow.fallback_url.clone();
        // Without a URL the workers' own application answers.
        let asking = Asking { workspace, reservation, fallback, due: now.mono + PATIENCE };
        if let Some(url) = workflow.assignment_url.clone() {
            self.ask(asking, url, now);
        } else if let Some(own) = self.shared.router.own_instruction(&self.office, workspace, reservation)
            && let Err(fault) = self.instruct(workspace, reservation, own, now)
        {
            self.instruction_failed(workspace, reservation, fault, now);
        }
    }

    fn ask(&mut self, asking: Asking, url: String, now: Now) {
        let Some((task, params)) = self.assignment_params(&asking, now) else { return };
        let id = self.router_fetch(task, FetchKind::Document, url, params);
        self.shared.router.patience.insert((asking.due, id));
        self.shared.router.asking.insert(id, asking);
    }

    fn assignment_params(&self, asking: &Asking, now: Now) -> Option<(CallSid, Vec<(String, String)>)> {
        let desk = self.shared.router.desks.get(&asking.workspace)?;
        let at = self.shared.router.clock(now);
        let reservation = desk.core.reservation(asking.reservation)?;
        let (task, worker) = (desk.core.task(reservation.task)?, desk.core.worker(reservation.worker)?);
        let channel = desk.channel(&task.channel);
        let params = [
            ("Timestamp", (wall(at).0 / 1_000_000).to_string()),
            ("AccountSid", self.office.account_sid.to_string()),
            ("WorkspaceSid", asking.workspace.to_string()),
            ("WorkflowSid", task.workflow.to_string()),
            ("TaskQueueSid", task.queue.map(|sid| sid.to_string()).unwrap_or_default()),
            ("WorkerSid", worker.sid.to_string()),
            ("WorkerName", worker.name.clone()),
            ("WorkerAttributes", worker.attributes.to_string()),
            ("TaskSid", task.sid.to_string()),
            ("TaskAttributes", task.attributes.to_string()),
            ("TaskAge", task.age(at).as_secs().to_string()),
            ("TaskPriority", task.priority.to_string()),
            ("TaskChannelSid", channel.map(|channel| channel.sid.to_string()).unwrap_or_default()),
            ("TaskChannelUniqueName", task.channel.clone()),
            ("DefaultActivitySid", desk.row.default_activity.to_string()),
            ("ReservationSid", asking.reservation.to_string()),
        ];
        let params = params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        // A task's requests share cookies as a call's do.
        Some((CallSid(task.sid.0), params))
    }

    /// An answer to an assignment callback; false when it is none.
    pub(crate) fn on_assigned(
        &mut self,
        id: FetchId,
        result: &Result<Fetched, FetchFailure>,
        now: Now,
    ) -> bool {
        let Some(asking) = self.shared.router.asking.remove(&id) else { return false };
        self.shared.router.patience.remove(&(asking.due, id));
        let answer = match result {
            Ok(answer) => answer,
            Err(failure) => {
                self.assignment_failed(asking, failure.code, failure.message.clone(), now);
                return true;
            }
        };
        let is_json = answer.content_type.as_deref().is_some_and(|kind| {
            kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
        });
        if answer.status != 200 {
            let why = format!("it was answered with status {}", answer.status);
            self.assignment_failed(asking, 11200, why, now);
        } else if !is_json && !answer.body.is_empty() {
            self.assignment_failed(asking, 40000, "the answer is not application/json".to_owned(), now);
        } else {
            match Instruction::parse(&answer.body) {
                Ok(None) => {}
                Ok(Some(instruction)) => {
                    let done = self.instruct(asking.workspace, asking.reservation, instruction, now);
                    if let Err(fault) = done {
                        self.instruction_failed(asking.workspace, asking.reservation, fault, now);
                    }
                }
                // Nothing was to be done.
                Err(error) if is_warning(error.code) => {
                    self.router_note(asking.workspace, asking.reservation, error.code, error.message, now);
                }
                Err(error) => {
                    let fault = RouterFault::new(error.code, error.message);
                    self.instruction_failed(asking.workspace, asking.reservation, fault, now);
                }
            }
        }
        true
    }

    /// Nobody could say what to do. The fallback is asked; if there is none, or it fails too, the offer is canceled after
    /// [`PAUSE`], which costs the worker nothing, and the task is offered anew: to the same worker, who has not had its
    /// turn, unless another is there. The published page leaves such an offer pending until it times out, and then moves a
    /// worker who never heard of it to where those go who do not answer: not followed, on purpose (reference: taskrouter
    /// §7; scenario S3-11 and TR-16 say canceled, the worker still available).
    fn assignment_failed(&mut self, asking: Asking, code: u32, why: String, now: Now) {
        let why = format!("an assignment callback failed: {why}");
        self.router_note(asking.workspace, asking.reservation, code, why, now);
        let pending = self.shared.router.desks.get(&asking.workspace).and_then(|desk| {
            desk.core.reservation(asking.reservation).map(|one| one.status == ReservationStatus::Pending)
        });
        if pending != Some(true) {
            return;
        }
        match asking.fallback {
            Some(url) => self.ask(Asking { fallback: None, due: now.mono + PATIENCE, ..asking }, url, now),
            None => {
                let one = (now.mono + PAUSE, asking.workspace, asking.reservation);
                self.shared.router.unanswered.insert(one);
            }
        }
    }

    /// An instruction nobody waits for was not carried out: an error, and an event of its own.
    pub(super) fn instruction_failed(
        &mut self,
        workspace: WorkspaceSid,
        reservation: ReservationSid,
        fault: RouterFault,
        now: Now,
    ) {
        let desk = self.shared.router.desks.get(&workspace);
        let one = desk.and_then(|desk| desk.core.reservation(reservation));
        // Of a worker who could not be called at all it is told already.
        if one.is_some_and(|one| one.status == ReservationStatus::Pending) {
            self.failed(workspace, reservation, &fault.why, now);
        }
        self.router_note(workspace, reservation, fault.code, fault.why, now);
    }

    /// A warning or an error that concerns a reservation.
    pub(super) fn router_note(
        &mut self,
        workspace: WorkspaceSid,
        reservation: ReservationSid,
        code: u32,
        message: String,
        now: Now,
    ) {
        let desk = self.shared.router.desks.get(&workspace);
        let task = desk.and_then(|desk| desk.core.reservation(reservation)).map(|one| one.task);
        // A reservation that is gone has left its task's call.
        let task = task.unwrap_or(TaskSid(0));
        self.task_note(workspace, task, code, format!("{reservation}: {message}"), now);
    }

    /// A warning or an error that concerns a task; it stands with the call that waits.
    fn task_note(&mut self, workspace: WorkspaceSid, task: TaskSid, code: u32, message: String, now: Now) {
        let level = if is_warning(code) { Level::Warning } else { Level::Error };
        let desk = self.shared.router.desks.get(&workspace);
        let call = desk.and_then(|desk| desk.tasks.get(&task)?.call);
        let mut ctx = Ctx { now, office: &self.office, shared: &mut self.shared };
        let row = notification(CallSid(0), code, level, message, &mut ctx);
        ctx.store(StoreItem::Notification(crate::record::NotificationRow { call, ..row }));
    }
}

/// An answer that says nothing (reference: error-codes 40001, 40005).
fn is_warning(code: u32) -> bool {
    matches!(code, 40001 | 40005)
}
