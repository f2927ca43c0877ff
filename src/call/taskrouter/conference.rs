//! The instruction `conference`: the worker is rung, and meets the customer in a room named after the task; and
//! `supervise`, by which a third one comes into that room (reference: taskrouter §7).
//!
//! ```text
//! worker rings ──answered──▶ in the room ──▶ the caller leaves the queue for it, or the customer is called: accepted
//!                                               └── or is there already, of a task that was handed on: accepted
//! ```

use base::{CallSid, Now, ReservationSid, TaskSid, WorkspaceSid};
use router::{ConferenceOut, ReservationStatus, Supervise, SupervisorMode, Told};
use twiml::{
    ConferenceNoun, Dialect, HttpMethod, RecordingEvent, RecordingStatusCallback, Source, StatusCallback,
    Verb,
};

use super::ask::RouterFault;
use super::instruct::{conference_document, events, new_call};
use super::ring::RingKind;
use super::rows::AfterTalk;
use crate::conference_invite::NewParticipant;
use crate::io::OperatorReply;
use crate::node::Node;
use crate::office::Secret;
use crate::outcome::Cause;
use crate::participant::ConferenceRef;
use crate::place::{NewCall, RecordWish};
use crate::supervise::supervisor_document;

/// How worker and customer meet.
#[derive(Clone, Debug)]
pub(crate) struct Meeting {
    pub(super) room: ConferenceOut,
    /// The customer is in the room already: the task was handed on.
    joins: bool,
}

impl Node {
    pub(super) fn instruct_conference(
        &mut self,
        workspace: WorkspaceSid,
        sid: ReservationSid,
        room: ConferenceOut,
        now: Now,
    ) -> Result<(), RouterFault> {
        let caller = self.waiting_call(workspace, sid);
        let desk = self.shared.router.desks.get(&workspace);
        let desk = desk.ok_or_else(|| RouterFault::unknown("workspace"))?;
        let task = desk.core.reservation(sid).and_then(|one| desk.core.task(one.task));
        let task = task.ok_or_else(|| RouterFault::unknown("reservation"))?;
        let (task, is_transfer) = (task.sid, task.transfer.is_some());
        let is_there = caller.is_none() && self.shared.conferences.named(&task.to_string()).is_some();
        if caller.is_none() && !is_there {
            if is_transfer {
                return Err(RouterFault::new(40149, "the task that is handed on has no conference"));
            }
            if self.outbound_to(workspace, sid).is_none() {
                return Err(RouterFault::new(
                    40142,
                    "the task has neither a call that waits nor outbound_to",
                ));
            }
        }
        if room.post_work_activity.is_some_and(|activity| desk.core.activity(activity).is_none()) {
            return Err(RouterFault::new(40139, "post_work_activity_sid names no activity of the workspace"));
        }
        let to = self.worker_address(workspace, sid, room.to.clone(), 40137)?;
        let dialled = caller.and_then(|caller| self.calls.get(&caller)).map(|call| call.facts.to.clone());
        // Who is called, or has come already, knows the number the task says.
        let named = || self.task_text(workspace, sid, if is_there { "to" } else { "from" });
        let from = room.from.clone().or(dialled).or_else(named);
        let from = from.ok_or_else(|| RouterFault::new(40138, "from is missing"))?;
        let document = conference_document(&task.to_string(), &room.room);
        let new = NewCall {
            timeout_s: room.timeout_s,
            record: record_wish(&room),
            status_callback: room.status_callback.clone().map(|told| StatusCallback {
                method: method(&told),
                url: told.url,
                events: events(&room.status_callback_events),
            }),
            credentials: room.credentials.clone().map(|(user, password)| (user, Secret(password))),
            ..new_call(to, from, Source::Inline(document))
        };
        let kind = RingKind::Conference(Box::new(Meeting { room, joins: is_there }));
        let call = self.ring(workspace, sid, new, kind, 40136, now)?;
        self.note_call(workspace, sid, &["worker_call_sid"], call, now);
        Ok(())
    }

    /// The worker is in the room: the customer comes too, and the reservation is accepted by that.
    pub(super) fn conference_answered(
        &mut self,
        worker: CallSid,
        workspace: WorkspaceSid,
        sid: ReservationSid,
        meeting: &Meeting,
        now: Now,
    ) {
        let at = self.shared.router.clock(now);
        let caller = self.waiting_call(workspace, sid);
        let outbound = self.outbound_to(workspace, sid).filter(|_| caller.is_none() && !meeting.joins);
        let Some(desk) = self.shared.router.desks.get_mut(&workspace) else { return };
        let Some(task) = desk.core.reservation(sid).map(|one| one.task) else { return };
        let mut customer = None;
        if let Some(to) = outbound {
            match self.ring_customer(worker, task, to, &meeting.room, now) {
                Ok(call) => {
                    self.ring_beside(call, workspace, sid, RingKind::Customer { worker });
                    customer = Some(call);
                }
                Err(why) => {
                    let fault = RouterFault::new(40143, format!("the customer is not called: {why}"));
                    self.instruction_failed(workspace, sid, fault, now);
                    self.give_up(task, worker, workspace, now);
                    return;
                }
            }
        }
        // Accepted before the caller moves: one who leaves the queue of a task that nobody has accepted cancels it.
        let Some(desk) = self.shared.router.desks.get_mut(&workspace) else { return };
        if desk.core.accept(sid, at).is_err() {
            for call in customer.into_iter().chain([worker]) {
                self.with(call, now, |call, ctx| call.end(Cause::Released { timeout: false }, ctx));
            }
            return;
        }
        // What is left is the after-work, where workers do several things at once.
        let after = match (desk.row.multi_task, meeting.room.post_work_activity) {
            (true, None) => AfterTalk::WrapsUp,
            (false, None) | (_, Some(_)) => AfterTalk::Completes(meeting.room.post_work_activity),
        };
        desk.talks(sid, after);
        if let Some(caller) = caller {
            let document = conference_document(&task.to_string(), &meeting.room.customer_room);
            customer = self.send_to(caller, Source::Inline(document), now).then_some(caller);
        }
        self.note_call(workspace, sid, &["conference", "participants", "worker"], worker, now);
        if let Some(customer) = customer {
            self.note_call(workspace, sid, &["conference", "participants", "customer"], customer, now);
        }
        if let Some(conference) = self.shared.conferences.named(&task.to_string()) {
            self.note_call(workspace, sid, &["conference", "sid"], conference, now);
        }
    }

    /// A customer who cannot be called cannot be called the next time either: the task is over with its offer, and
    /// nobody is left alone or rung for it again and again.
    fn give_up(&mut self, task: TaskSid, worker: CallSid, workspace: WorkspaceSid, now: Now) {
        let at = self.shared.router.clock(now);
        if let Some(desk) = self.shared.router.desks.get_mut(&workspace) {
            // It may have ended by itself.
            let _ = desk.core.cancel(task, "the customer cannot be called", at);
        }
        self.with(worker, now, |call, ctx| call.end(Cause::Released { timeout: false }, ctx));
    }

    /// The customer who was called did not come: a worker who is alone in the room is released, and the task goes on
    /// as after every conversation.
    pub(super) fn customer_missed(
        &mut self,
        (worker, customer): (CallSid, CallSid),
        workspace: WorkspaceSid,
        sid: ReservationSid,
        now: Now,
    ) {
        let desk = self.shared.router.desks.get(&workspace);
        let Some(task) = desk.and_then(|desk| desk.core.reservation(sid)).map(|one| one.task) else { return };
        let room = self.shared.conferences.find(&ConferenceRef::Name(task.to_string()));
        let rings = &self.shared.router.rings;
        let listens = |call| rings.get(call).is_some_and(|ring| matches!(ring.kind, RingKind::Supervise));
        let company = room.is_some_and(|room| {
            room.members.keys().any(|call| *call != worker && !listens(call))
                || room.invited.keys().any(|call| *call != customer)
        });
        if !company {
            self.with(worker, now, |call, ctx| call.end(Cause::Released { timeout: false }, ctx));
        }
    }

    /// The customer is called into the worker's conference.
    fn ring_customer(
        &mut self,
        worker: CallSid,
        task: TaskSid,
        to: String,
        room: &ConferenceOut,
        now: Now,
    ) -> Result<CallSid, String> {
        let from = self.calls.get(&worker).map(|call| call.facts.from.clone()).unwrap_or_default();
        let conference = noun(task, &room.customer_room).ok_or("its conference cannot be named")?;
        let new = NewParticipant {
            call: new_call(to, from, Source::Inline(String::new())),
            conference,
            early_media: room.early_media,
            region: room.customer_room.iter().find(|(name, _)| name == "region").map(|(_, at)| at.clone()),
        };
        match self.add_participant(&ConferenceRef::Name(task.to_string()), new, now) {
            // A call may be over before it began.
            OperatorReply::Participant(one) => {
                let call = one.facts.call_sid;
                let is_over = self.calls.get(&call).is_none_or(|call| call.ended.is_some());
                if is_over { Err("it cannot be reached".to_owned()) } else { Ok(call) }
            }
            OperatorReply::NotPlaced(why) => Err(why.why),
            other => Err(format!("{other:?}")),
        }
    }

    /// A supervisor is rung, and hears worker and customer.
    pub(super) fn instruct_supervise(
        &mut self,
        workspace: WorkspaceSid,
        sid: ReservationSid,
        supervise: Supervise,
        now: Now,
    ) -> Result<(), RouterFault> {
        let desk = self.shared.router.desks.get(&workspace);
        let desk = desk.ok_or_else(|| RouterFault::unknown("workspace"))?;
        let one = desk.core.reservation(sid).ok_or_else(|| RouterFault::unknown("reservation"))?;
        let name = one.task.to_string();
        if one.status != ReservationStatus::Accepted || self.shared.conferences.named(&name).is_none() {
            return Err(RouterFault::new(40146, "worker and customer are in no conference"));
        }
        let to = match supervise.supervisor.parse() {
            Ok(worker) => {
                let contact =
                    desk.core.worker(worker).and_then(|worker| worker.attributes.get("contact_uri"));
                contact.and_then(|contact| contact.as_str()).map(str::to_owned)
            }
            Err(_) => Some(supervise.supervisor).filter(|to| !to.starts_with("WK")),
        };
        let to = to.ok_or_else(|| RouterFault::new(40147, "the supervisor has no contact_uri"))?;
        let from = self.task_text(workspace, sid, "from");
        let from = from.ok_or_else(|| RouterFault::new(40148, "the task has no attribute from"))?;
        let worker = match supervise.mode {
            SupervisorMode::Whisper => {
                let worker = self.conference_worker(workspace, sid);
                worker.ok_or_else(|| RouterFault::new(40146, "no worker is there"))?
            }
            SupervisorMode::Monitor | SupervisorMode::Barge => String::new(),
        };
        let document = supervisor_document(&name, supervise.mode, &worker);
        let new = new_call(to, from, Source::Inline(document));
        self.ring(workspace, sid, new, RingKind::Supervise, 40146, now)?;
        Ok(())
    }

    /// The worker's call, as the task tells of the conference.
    fn conference_worker(&self, workspace: WorkspaceSid, sid: ReservationSid) -> Option<String> {
        let core = &self.shared.router.desks.get(&workspace)?.core;
        let attributes = &core.task(core.reservation(sid)?.task)?.attributes;
        attributes.get("conference")?.get("participants")?.get("worker")?.as_str().map(str::to_owned)
    }

    fn outbound_to(&self, workspace: WorkspaceSid, sid: ReservationSid) -> Option<String> {
        self.task_text(workspace, sid, "outbound_to")
    }

    /// A text among the attributes of a reservation's task.
    fn task_text(&self, workspace: WorkspaceSid, sid: ReservationSid, name: &str) -> Option<String> {
        let core = &self.shared.router.desks.get(&workspace)?.core;
        let task = core.task(core.reservation(sid)?.task)?;
        task.attributes.get(name)?.as_str().map(str::to_owned)
    }
}

fn method(told: &Told) -> HttpMethod {
    if told.by_get { HttpMethod::Get } else { HttpMethod::Post }
}

fn record_wish(room: &ConferenceOut) -> Option<RecordWish> {
    let callback = room.recording_callback.clone().map(|told| RecordingStatusCallback {
        method: method(&told),
        url: told.url,
        events: vec![RecordingEvent::Completed],
        sends_url: true,
    });
    let what = if room.dual { media::RecordWhat::Dual } else { media::RecordWhat::Both };
    room.record.then_some(RecordWish { what, trim: false, callback })
}

/// What such a document says of the room.
fn noun(task: TaskSid, attributes: &[(String, String)]) -> Option<ConferenceNoun> {
    let text = conference_document(&task.to_string(), attributes);
    let document = twiml::parse(&text, Dialect::Twiml).ok()?;
    match document.verbs.into_iter().next() {
        Some(Verb::Dial(dial)) => dial.conference().cloned(),
        Some(_) | None => None,
    }
}
