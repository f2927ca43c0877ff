//! Calls to workers, and what becomes of their reservations by them (reference: taskrouter §7).
//!
//! ```text
//! rings ──answered──▶ its document takes the queued call, or the customer comes into the room: accepted
//!   └──not answered──▶ rejected, the worker is put where those go who do not answer
//! ```

use base::{CallSid, Now, ReservationSid, WorkspaceSid};
use router::ReservationStatus;

use super::ask::RouterFault;
use super::conference::Meeting;
use crate::ctx::Ctx;
use crate::node::Node;
use crate::outcome::Cause;
use crate::place::{NewCall, place};

/// A call to a worker.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    pub(super) workspace: WorkspaceSid,
    pub(super) reservation: ReservationSid,
    pub(super) kind: RingKind,
    answered: bool,
}

impl Ring {
    /// Whether it is the worker's, and not that of somebody who listens to it.
    pub(super) fn is_workers(&self) -> bool {
        !matches!(self.kind, RingKind::Supervise | RingKind::Customer { .. })
    }
}

/// What the call is for.
#[derive(Clone, Debug)]
pub(super) enum RingKind {
    /// To take the queued call; that accepts the reservation.
    Dequeue,
    /// A document of the application's; its answer may accept the reservation.
    Call { accept: bool },
    /// To meet the customer in a conference.
    Conference(Box<Meeting>),
    /// To hear, or be heard in, such a conference.
    Supervise,
    /// To come into the conference where this worker is: the customer of a task that calls somebody.
    Customer { worker: CallSid },
}

/// How long a SIP address may be rung, seconds (reference: taskrouter §7).
const SIP_TIMEOUT_S_MAX: u32 = 600;

impl Node {
    /// Rings a worker; what comes of it comes back as [`RingNews`].
    pub(super) fn ring(
        &mut self,
        workspace: WorkspaceSid,
        reservation: ReservationSid,
        new: NewCall,
        kind: RingKind,
        code: u32,
        now: Now,
    ) -> Result<CallSid, RouterFault> {
        let timeout_s = match new.to.starts_with("sip:") || new.to.starts_with("sips:") {
            true => new.timeout_s.min(SIP_TIMEOUT_S_MAX),
            false => new.timeout_s,
        };
        // A worker whose phone has not found the box again is not one who does not answer.
        let new = NewCall { timeout_s, awaits_phone: self.may_still_come(now), ..new };
        let mut ctx = Ctx { now, office: &self.office, shared: &mut self.shared };
        // Somebody waits already: this is no new call, even while the box takes none.
        let (call, over) = match place(new, false, &mut ctx) {
            Ok(placed) => placed,
            Err(why) => {
                if !matches!(kind, RingKind::Supervise) {
                    self.failed(workspace, reservation, &why.why, now);
                    self.not_taken(workspace, reservation, now);
                }
                return Err(RouterFault::new(code, why.why));
            }
        };
        let sid = call.sid();
        self.shared.router.rings.insert(sid, Ring { workspace, reservation, kind, answered: false });
        self.adopt(call, now);
        if let Some(cause) = over {
            self.with(sid, now, |call, ctx| call.end(cause, ctx));
        }
        Ok(sid)
    }

    pub(super) fn ring_answered(&mut self, call: CallSid, now: Now) {
        let at = self.shared.router.clock(now);
        let Some(ring) = self.shared.router.rings.get_mut(&call) else { return };
        ring.answered = true;
        let Ring { workspace, reservation, kind, .. } = ring.clone();
        let Some(desk) = self.shared.router.desks.get_mut(&workspace) else { return };
        match kind {
            // The document takes the queued call, and that accepts.
            RingKind::Dequeue
            | RingKind::Call { accept: false }
            | RingKind::Supervise
            | RingKind::Customer { .. } => {}
            RingKind::Call { accept: true } => {
                // It may have been accepted by the application already.
                let _ = desk.core.accept(reservation, at);
            }
            RingKind::Conference(meeting) => {
                self.conference_answered(call, workspace, reservation, &meeting, now);
            }
        }
    }

    pub(super) fn ring_over(&mut self, call: CallSid, failed: bool, now: Now) {
        let at = self.shared.router.clock(now);
        let Some(ring) = self.shared.router.rings.remove(&call) else { return };
        let Some(desk) = self.shared.router.desks.get_mut(&ring.workspace) else { return };
        let Some(status) = desk.core.reservation(ring.reservation).map(|one| one.status) else { return };
        match (&ring.kind, status) {
            (RingKind::Call { accept: false } | RingKind::Supervise, _) => {}
            (RingKind::Customer { .. }, _) if ring.answered => {}
            (RingKind::Customer { worker }, _) => {
                self.customer_missed((*worker, call), ring.workspace, ring.reservation, now);
            }
            (RingKind::Call { accept: true }, _) if ring.answered => {}
            (_, ReservationStatus::Pending) => {
                if failed {
                    self.failed(ring.workspace, ring.reservation, "the worker could not be called", now);
                }
                self.not_taken(ring.workspace, ring.reservation, now);
            }
            (RingKind::Conference(_), ReservationStatus::Accepted) => {
                desk.talked(ring.reservation, true, "the worker left", at);
                self.nobody_waits(call, ring.reservation, now);
            }
            _ => {}
        }
    }

    /// The worker has left: there is nobody to supervise, and nobody a customer who is still rung could talk to.
    fn nobody_waits(&mut self, worker: CallSid, reservation: ReservationSid, now: Now) {
        let is_of = |ring: &Ring| {
            ring.reservation == reservation
                && match &ring.kind {
                    RingKind::Supervise => true,
                    RingKind::Customer { worker: of } => !ring.answered && *of == worker,
                    RingKind::Dequeue | RingKind::Call { .. } | RingKind::Conference(_) => false,
                }
        };
        self.release_rings(is_of, now);
    }

    /// An instruction cannot be carried out, and it is not that nobody answers.
    pub(super) fn failed(
        &mut self,
        workspace: WorkspaceSid,
        reservation: ReservationSid,
        why: &str,
        now: Now,
    ) {
        let at = self.shared.router.clock(now);
        let Some(desk) = self.shared.router.desks.get_mut(&workspace) else { return };
        // What was told before it is worked off before it.
        desk.settle(at);
        desk.reservation_failed(reservation, why, at);
    }

    /// What becomes of a call that was placed otherwise is told as that of a worker's.
    pub(super) fn ring_beside(
        &mut self,
        call: CallSid,
        workspace: WorkspaceSid,
        reservation: ReservationSid,
        kind: RingKind,
    ) {
        self.shared.router.rings.insert(call, Ring { workspace, reservation, kind, answered: false });
    }

    /// A worker's phone was not answered: the reservation is rejected and the worker is put where those go who do not
    /// answer (reference: taskrouter §7, seeds §6).
    fn not_taken(&mut self, workspace: WorkspaceSid, reservation: ReservationSid, now: Now) {
        let at = self.shared.router.clock(now);
        let Some(desk) = self.shared.router.desks.get_mut(&workspace) else { return };
        let activity = desk.row.timeout_activity;
        // Another end may have come first.
        let _ = desk.core.reject(reservation, Some(activity), at);
    }

    /// Nobody has to do anything about this reservation any more: a phone that rings for it does not.
    pub(super) fn reservation_over(&mut self, reservation: ReservationSid, now: Now) {
        // Who talks by a document of the application's goes on.
        let is_vain = |ring: &Ring| !(ring.answered && matches!(ring.kind, RingKind::Call { .. }));
        self.release_rings(|ring| ring.reservation == reservation && is_vain(ring), now);
    }

    fn release_rings(&mut self, which: impl Fn(&Ring) -> bool, now: Now) {
        let rings = self.shared.router.rings.iter().filter(|(_, ring)| which(ring));
        let calls: Vec<CallSid> = rings.map(|(call, _)| *call).collect();
        for call in calls {
            self.shared.router.rings.remove(&call);
            let released = Cause::Released { timeout: false };
            self.with(call, now, |call, ctx| call.end(released, ctx));
        }
    }

    /// Whether a worker's call news concerns nobody: for the simulator's invariants.
    pub fn rings(&self) -> usize {
        self.shared.router.rings.len()
    }
}
