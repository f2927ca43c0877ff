//! Instructions carried out: workers' phones ring, and what becomes of their reservations (reference: taskrouter §7).
//!
//! A worker who is to talk to a queued call gets a document with `<Dial><Queue reservationSid>` in it: what follows is
//! what an application's own document would do.

use base::{CallSid, Now, ReservationSid, WorkspaceSid};
use router::{CallOut, Dequeue, Instruction, ReservationStatus};
use twiml::{HttpMethod, ProgressEvent, Source, StatusCallback};

use super::ask::RouterFault;
use super::ring::RingKind;
use crate::call::Running;
use crate::incoming::escape;
use crate::node::Node;
use crate::place::{CallDocument, NewCall, RecordWish};
use crate::update::{CallUpdate, Fate};

impl Node {
    pub(super) fn instruct(
        &mut self,
        workspace: WorkspaceSid,
        sid: ReservationSid,
        instruction: Instruction,
        now: Now,
    ) -> Result<(), RouterFault> {
        let at = self.shared.router.clock(now);
        let desk = self.shared.router.desks.get_mut(&workspace);
        let desk = desk.ok_or_else(|| RouterFault::unknown("workspace"))?;
        let reservation = desk.core.reservation(sid).ok_or_else(|| RouterFault::unknown("reservation"))?;
        let rings = matches!(
            instruction,
            Instruction::Dequeue(_) | Instruction::Call(_) | Instruction::Conference(_)
        );
        if rings && !matches!(reservation.status, ReservationStatus::Pending | ReservationStatus::Accepted) {
            return Err(over(sid));
        }
        match instruction {
            Instruction::Accept => {
                desk.core.accept(sid, at).map_err(|_| over(sid))?;
                desk.settle(at);
            }
            Instruction::Reject { activity } => {
                if activity.is_some_and(|activity| desk.core.activity(activity).is_none()) {
                    return Err(RouterFault::new(40100, "activity_sid names no activity of the workspace"));
                }
                desk.core.reject(sid, activity, at).map_err(|_| over(sid))?;
                desk.settle(at);
            }
            Instruction::Dequeue(dequeue) => self.instruct_dequeue(workspace, sid, dequeue, now)?,
            Instruction::Call(call) => self.instruct_call(workspace, sid, call, now)?,
            Instruction::Redirect { call, url, accept } => {
                let call: CallSid =
                    call.parse().map_err(|_| RouterFault::new(40120, "call_sid is no call's"))?;
                // Nothing is accepted by what cannot be done.
                if self.calls.get(&call).is_none_or(|call| call.ended.is_some()) {
                    return Err(RouterFault::new(40123, format!("there is no call {call}")));
                }
                if accept {
                    desk.core.accept(sid, at).map_err(|_| over(sid))?;
                    desk.settle(at);
                }
                let to = Source::Url { url, method: HttpMethod::Post };
                if !self.send_to(call, to, now) {
                    return Err(RouterFault::new(40123, format!("there is no call {call}")));
                }
            }
            Instruction::Conference(room) => self.instruct_conference(workspace, sid, *room, now)?,
            Instruction::Supervise(supervise) => self.instruct_supervise(workspace, sid, supervise, now)?,
        }
        Ok(())
    }

    fn instruct_dequeue(
        &mut self,
        workspace: WorkspaceSid,
        sid: ReservationSid,
        dequeue: Dequeue,
        now: Now,
    ) -> Result<(), RouterFault> {
        let caller = self.waiting_call(workspace, sid);
        let caller = caller.ok_or_else(|| RouterFault::new(40140, "no call waits for this task"))?;
        let to = self.worker_address(workspace, sid, dequeue.to, 40130)?;
        let dialled = self.calls.get(&caller).map(|call| call.facts.to.clone());
        let from = dequeue.from.or(dialled).ok_or_else(|| RouterFault::new(40131, "from is missing"))?;
        let post_work = dequeue.post_work_activity;
        let known = |activity| self.shared.router.desks[&workspace].core.activity(activity).is_some();
        if post_work.is_some_and(|activity| !known(activity)) {
            return Err(RouterFault::new(40132, "post_work_activity_sid names no activity of the workspace"));
        }
        let post_work = post_work.map(|sid| format!(" postWorkActivitySid=\"{sid}\"")).unwrap_or_default();
        let record = dequeue.record.map(|how| format!(" record=\"{how}\"")).unwrap_or_default();
        let document =
            format!("<Response><Dial{record}><Queue reservationSid=\"{sid}\"{post_work}/></Dial></Response>");
        let status_callback = dequeue.status_callback.map(|url| {
            // By GET, with the queued call's sid beside what is told of the worker's call.
            let joint = if url.contains('?') { '&' } else { '?' };
            StatusCallback {
                url: format!("{url}{joint}taskCallSid={caller}"),
                method: HttpMethod::Get,
                events: events(&dequeue.status_callback_events),
            }
        });
        let new = NewCall {
            status_callback,
            timeout_s: dequeue.timeout_s,
            ..new_call(to, from, Source::Inline(document))
        };
        let call = self.ring(workspace, sid, new, RingKind::Dequeue, 40135, now)?;
        self.note_call(workspace, sid, &["worker_call_sid"], call, now);
        Ok(())
    }

    fn instruct_call(
        &mut self,
        workspace: WorkspaceSid,
        sid: ReservationSid,
        call: CallOut,
        now: Now,
    ) -> Result<(), RouterFault> {
        let to = self.worker_address(workspace, sid, call.to, 40112)?;
        let document = Source::Url { url: call.url, method: HttpMethod::Post };
        let new = NewCall {
            status_callback: call.status_callback.map(|url| StatusCallback {
                url,
                method: HttpMethod::Post,
                events: events(&[]),
            }),
            timeout_s: call.timeout_s,
            record: call.record.map(|how| RecordWish {
                what: match how.ends_with("-dual") {
                    true => media::RecordWhat::Dual,
                    false => media::RecordWhat::Both,
                },
                trim: false,
                callback: None,
            }),
            ..new_call(to, call.from, document)
        };
        self.ring(workspace, sid, new, RingKind::Call { accept: call.accept }, 40114, now)?;
        Ok(())
    }

    /// Whom to ring: as told, or where the worker is.
    pub(super) fn worker_address(
        &self,
        workspace: WorkspaceSid,
        sid: ReservationSid,
        to: Option<String>,
        code: u32,
    ) -> Result<String, RouterFault> {
        let own = || {
            let core = &self.shared.router.desks.get(&workspace)?.core;
            let worker = core.worker(core.reservation(sid)?.worker)?;
            worker.attributes.get("contact_uri")?.as_str().map(str::to_owned)
        };
        to.or_else(own)
            .ok_or_else(|| RouterFault::new(code, "to is missing, and the worker has no contact_uri"))
    }

    /// The call that waits for a reservation's task in the queue of its workflow.
    pub(super) fn waiting_call(&self, workspace: WorkspaceSid, sid: ReservationSid) -> Option<CallSid> {
        let desk = self.shared.router.desks.get(&workspace)?;
        let call = desk.tasks.get(&desk.core.reservation(sid)?.task)?.call?;
        let waits = matches!(&self.calls.get(&call)?.running, Running::Enqueue(_));
        waits.then_some(call)
    }

    /// A call's sid becomes part of the task's attributes.
    pub(super) fn note_call(
        &mut self,
        workspace: WorkspaceSid,
        sid: ReservationSid,
        path: &[&str],
        call: impl ToString,
        now: Now,
    ) {
        let at = self.shared.router.clock(now);
        let Some(desk) = self.shared.router.desks.get_mut(&workspace) else { return };
        let Some(task) = desk.core.reservation(sid).map(|one| one.task) else { return };
        let Some(attributes) = desk.core.task(task).map(|task| (*task.attributes).clone()) else { return };
        let attributes = router::with_attribute(attributes, path, &call.to_string());
        // A task that is gone has no attributes.
        let _ = desk.core.update_task(task, Some(attributes), None, at);
    }

    /// Sends a call to another document; false when it is none of those in progress.
    pub(super) fn send_to(&mut self, call: CallSid, source: Source, now: Now) -> bool {
        let mut sent = false;
        self.with(call, now, |call, ctx| {
            if call.ended.is_none() {
                let fate = Some(Fate::Redirect(source));
                call.update(CallUpdate { fate, ..CallUpdate::default() }, ctx);
                sent = true;
            }
        });
        sent
    }
}

/// A call of ours to somebody.
pub(super) fn new_call(to: String, from: String, document: Source) -> NewCall {
    NewCall::new(to, from, CallDocument::Given(document))
}

pub(super) fn events(words: &[String]) -> Vec<ProgressEvent> {
    let event = |word: &String| match word.as_str() {
        "initiated" => Some(ProgressEvent::Initiated),
        "ringing" => Some(ProgressEvent::Ringing),
        "answered" => Some(ProgressEvent::Answered),
        "completed" => Some(ProgressEvent::Completed),
        _ => None,
    };
    let mut events: Vec<_> = words.iter().filter_map(event).collect();
    if events.is_empty() {
        events.push(ProgressEvent::Completed);
    }
    events
}

/// `<Conference>` with these attributes.
pub(super) fn conference_document(name: &str, attributes: &[(String, String)]) -> String {
    let attributes: String = attributes
        .iter()
        .map(|(name, value)| format!(" {name}=\"{}\"", escape(value).replace('"', "&quot;")))
        .collect();
    format!("<Response><Dial><Conference{attributes}>{name}</Conference></Dial></Response>")
}

fn over(sid: ReservationSid) -> RouterFault {
    RouterFault::new(20410, format!("{sid} is over"))
}
