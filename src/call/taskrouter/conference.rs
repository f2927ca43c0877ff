//! The instruction `conference`: the worker is rung, and meets the customer in a room named after the task (reference:
//! taskrouter §7).

use base::{CallSid, Now, ReservationSid, WorkspaceSid};
use router::ConferenceOut;
use twiml::Source;

use super::ask::RouterFault;
use super::instruct::{RingKind, conference_document, new_call};
use crate::ctx::Ctx;
use crate::node::Node;
use crate::outcome::Cause;
use crate::place::{NewCall, RecordWish, place};

impl Node {
    pub(super) fn instruct_conference(
        &mut self,
        workspace: WorkspaceSid,
        sid: ReservationSid,
        room: ConferenceOut,
        now: Now,
    ) -> Result<(), RouterFault> {
        let caller = self.waiting_call(workspace, sid);
        if caller.is_none() && self.outbound_to(workspace, sid).is_none() {
            return Err(RouterFault::new(40142, "the task has neither a call that waits nor outbound_to"));
        }
        let to = self.worker_address(workspace, sid, room.to.clone(), 40137)?;
        let dialled = caller.and_then(|caller| self.calls.get(&caller)).map(|call| call.facts.to.clone());
        let from = room.from.clone().or(dialled).ok_or_else(|| RouterFault::new(40138, "from is missing"))?;
        let desk = self.shared.router.desks.get(&workspace);
        let desk = desk.ok_or_else(|| RouterFault::unknown("workspace"))?;
        if room.post_work_activity.is_some_and(|activity| desk.core.activity(activity).is_none()) {
            return Err(RouterFault::new(40139, "post_work_activity_sid names no activity of the workspace"));
        }
        let task = desk.core.reservation(sid).map(|one| one.task);
        let task = task.ok_or_else(|| RouterFault::unknown("reservation"))?;
        let document = conference_document(&task.to_string(), &room.room);
        let record =
            room.record.then_some(RecordWish { what: media::RecordWhat::Both, trim: false, callback: None });
        let timeout_s = room.timeout_s;
        let new = NewCall { timeout_s, record, ..new_call(to, from, Source::Inline(document)) };
        let kind = RingKind::Conference(Box::new(room));
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
        room: &ConferenceOut,
        now: Now,
    ) {
        let at = self.shared.router.clock(now);
        let caller = self.waiting_call(workspace, sid);
        let outbound = self.outbound_to(workspace, sid);
        let Some(desk) = self.shared.router.desks.get_mut(&workspace) else { return };
        let Some(task) = desk.core.reservation(sid).map(|one| one.task) else { return };
        // Accepted first: a caller who leaves the queue of a task that nobody has accepted cancels it.
        if desk.core.accept(sid, at).is_err() {
            self.with(worker, now, |call, ctx| call.end(Cause::Released { timeout: false }, ctx));
            return;
        }
        let document = Source::Inline(conference_document(&task.to_string(), &room.customer_room));
        let customer = match (caller, outbound) {
            (Some(caller), _) => self.send_to(caller, document, now).then_some(caller),
            (None, Some(to)) => {
                let from = self.calls.get(&worker).map(|call| call.facts.from.clone()).unwrap_or_default();
                self.ring_customer(to, from, document, now)
            }
            (None, None) => None,
        };
        self.note_call(workspace, sid, &["conference", "participants", "worker"], worker, now);
        if let Some(customer) = customer {
            self.note_call(workspace, sid, &["conference", "participants", "customer"], customer, now);
        }
        if let Some(conference) = self.shared.conferences.named(&task.to_string()) {
            self.note_call(workspace, sid, &["conference", "sid"], conference, now);
        }
    }

    fn ring_customer(&mut self, to: String, from: String, document: Source, now: Now) -> Option<CallSid> {
        let draining = self.draining;
        let mut ctx = Ctx { now, office: &self.office, shared: &mut self.shared };
        let (call, over) = place(new_call(to, from, document), draining, &mut ctx).ok()?;
        let sid = call.sid();
        self.adopt(call, now);
        if let Some(cause) = over {
            self.with(sid, now, |call, ctx| call.end(cause, ctx));
        }
        Some(sid)
    }

    fn outbound_to(&self, workspace: WorkspaceSid, sid: ReservationSid) -> Option<String> {
        let core = &self.shared.router.desks.get(&workspace)?.core;
        let task = core.task(core.reservation(sid)?.task)?;
        task.attributes.get("outbound_to")?.as_str().map(str::to_owned)
    }
}
