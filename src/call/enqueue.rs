//! `<Enqueue>`: a call's wait in a queue, and its talk with whoever takes it out (reference: twiml-voice §11.1).
//!
//! ```text
//! waiting ──taken──▶ taken ──what is for it alone is heard──▶ ready ──bridged──▶ talking
//!    │ Leave, redirect,  │ taker gone, hang-up, document in error                  │ either hangs up, *, limit
//!    └ error, hang-up ───┴────────────────────▶ out ◀──────────────────────────────┘
//! ```
//! What the queues are stands in [`crate::queue`], what is heard in [`crate::wait`], the other side in
//! [`crate::dequeue`]. However it comes out, the action learns it once, or the next verb runs.

use base::{CallSid, Mono, QueueSid};
use twiml::{
    After, Context, Enqueue, Finding, HttpMethod, QueueResult, QueueStay, dequeue_params, enqueue_params,
    queue_wait_params,
};

use crate::call::{Call, Running};
use crate::ctx::{Asked, CallerGone, Ctx, Mail};
use crate::node::Node;
use crate::queue::{Refused, SIZE_DEFAULT};
use crate::record::{EventKind, StoreItem};
use crate::taskrouter::{CallTask, WAITING_MAX};

/// An `<Enqueue>` that runs.
#[derive(Clone, Debug)]
pub(crate) struct EnqueueRun {
    verb: Enqueue,
    queue: QueueSid,
    since: Mono,
    stage: Stage,
    /// What waits with it for a worker.
    task: Option<CallTask>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Waiting,
    /// Out of the line, and not bridged yet.
    Taken {
        by: CallSid,
        stay: QueueStay,
    },
    Talking {
        with: CallSid,
        stay: QueueStay,
    },
}

impl EnqueueRun {
    /// Whom it talks to.
    pub(crate) fn bridged(&self) -> Option<CallSid> {
        match self.stage {
            Stage::Talking { with, .. } => Some(with),
            Stage::Waiting | Stage::Taken { .. } => None,
        }
    }

    fn taken_by(&self) -> Option<CallSid> {
        match self.stage {
            Stage::Taken { by, .. } | Stage::Talking { with: by, .. } => Some(by),
            Stage::Waiting => None,
        }
    }

    fn stay(&self, now: Mono) -> QueueStay {
        match self.stage {
            Stage::Waiting => QueueStay { sid: self.queue, time_s: now.since(self.since).as_secs() },
            Stage::Taken { stay, .. } | Stage::Talking { stay, .. } => stay,
        }
    }
}

impl Call {
    pub(crate) fn begin_enqueue(&mut self, verb: Enqueue, ctx: &mut Ctx<'_>) {
        let (name, size) = match verb.workflow {
            // Of a workflow's callers the queue is named after it, and holds fewer unless it is made larger.
            Some(workflow) => (workflow.to_string(), WAITING_MAX),
            None => (verb.name.clone(), SIZE_DEFAULT),
        };
        let fresh = QueueSid::random(&mut ctx.shared.rng);
        let (sid, now) = (self.sid(), ctx.now);
        let joined = match ctx.shared.queues.join(&name, sid, verb.max_queue_size, (fresh, size), now) {
            Ok(joined) => joined,
            Err(refused) => {
                let (code, result) = match refused {
                    Refused::Full => (14207, QueueResult::QueueFull),
                    Refused::TooManyQueues => (99005, QueueResult::SystemError),
                };
                self.notify(&Finding::unplaced(code, &format!("{name:?}")), None, ctx);
                self.enqueue_refused(&verb, result, ctx);
                return;
            }
        };
        for row in joined.rows {
            ctx.store(StoreItem::Queue(row));
        }
        self.trace(EventKind::Decision, format!("waits in queue {name:?} ({})", joined.sid), ctx);
        let task = match self.enqueue_task(&verb, ctx) {
            Ok(task) => task,
            Err((code, why)) => {
                ctx.shared.queues.leave(joined.sid, sid);
                self.notify(&Finding::unplaced(code, &why), None, ctx);
                self.enqueue_refused(&verb, QueueResult::Error, ctx);
                return;
            }
        };
        for taker in joined.takers {
            ctx.mail(taker, Mail::CallerWaits(joined.sid));
        }
        let (url, method) = (verb.wait_url.clone(), verb.wait_url_method);
        let run = EnqueueRun { verb, queue: joined.sid, since: now.mono, stage: Stage::Waiting, task };
        self.running = Running::Enqueue(Box::new(run));
        self.begin_wait(url, method, Context::QueueWait, ctx);
    }

    /// Hands the call to its workflow as a task.
    fn enqueue_task(&mut self, verb: &Enqueue, ctx: &mut Ctx<'_>) -> Result<Option<CallTask>, (u32, String)> {
        let Some(workflow) = verb.workflow else { return Ok(None) };
        let task = ctx.shared.router.enqueue(workflow, verb.task.as_ref(), &self.facts, ctx.now)?;
        self.trace(EventKind::Decision, format!("is task {} of {workflow}", task.task), ctx);
        Ok(Some(task))
    }

    /// What a document that is heard here is told: the queue at the moment, or who takes this call.
    pub(crate) fn queue_params(&self, ctx: &Ctx<'_>) -> Vec<(String, String)> {
        let Running::Enqueue(run) = &self.running else { return Vec::new() };
        match run.stage {
            Stage::Waiting => {
                let moment = ctx.shared.queues.moment(run.queue, self.sid(), ctx.now.mono);
                moment.map(|moment| queue_wait_params(&moment)).unwrap_or_default()
            }
            Stage::Taken { by, stay } | Stage::Talking { with: by, stay } => dequeue_params(stay, by),
        }
    }

    /// Somebody takes this call, after it has heard what is for it alone.
    pub(crate) fn dequeued(
        &mut self,
        by: CallSid,
        stay: QueueStay,
        whisper: Option<(String, HttpMethod)>,
        ctx: &mut Ctx<'_>,
    ) {
        let caller = self.sid();
        match &mut self.running {
            Running::Enqueue(run) if matches!(run.stage, Stage::Waiting) => {
                run.stage = Stage::Taken { by, stay };
            }
            // It went in the same moment.
            _ => {
                ctx.mail(by, Mail::CallerGone { caller, why: CallerGone::HungUp });
                return;
            }
        }
        self.stop_waiting(ctx);
        self.trace(EventKind::Decision, format!("taken out of its queue by {by}"), ctx);
        match whisper {
            Some((url, method)) => self.begin_wait(Some(url), method, Context::QueueWhisper, ctx),
            None => self.ready_for_taker(ctx),
        }
    }

    /// The document it hears came to its end: another round, or it is ready.
    pub(crate) fn enqueue_heard(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Enqueue(run) = &self.running else { return };
        match run.stage {
            Stage::Waiting => self.wait_again(ctx),
            Stage::Taken { .. } | Stage::Talking { .. } => {
                self.stop_waiting(ctx);
                self.ready_for_taker(ctx);
            }
        }
    }

    fn ready_for_taker(&mut self, ctx: &mut Ctx<'_>) {
        let (caller, leg) = (self.sid(), self.leg.id);
        let Running::Enqueue(run) = &self.running else { return };
        let (Some(by), Some(negotiated)) = (run.taken_by(), self.leg.negotiated) else { return };
        ctx.mail(by, Mail::CallerReady { caller, leg, codec: negotiated.codec });
    }

    /// Whoever took this call hears it now.
    pub(crate) fn enqueue_bridged(&mut self) {
        if let Running::Enqueue(run) = &mut self.running
            && let Stage::Taken { by, stay } = run.stage
        {
            run.stage = Stage::Talking { with: by, stay };
        }
    }

    /// Whoever took this call is gone, or has no use for it any more.
    pub(crate) fn taker_gone(&mut self, taker: CallSid, ctx: &mut Ctx<'_>) {
        let Running::Enqueue(run) = &self.running else { return };
        if run.taken_by() != Some(taker) {
            return;
        }
        let talked = run.bridged().is_some();
        let result = if talked { QueueResult::Bridged } else { QueueResult::BridgingInProcess };
        self.enqueue_over(result, ctx);
    }

    /// `<Leave>`.
    pub(crate) fn left_queue(&mut self, ctx: &mut Ctx<'_>) {
        self.enqueue_over(QueueResult::Leave, ctx);
    }

    /// What it was to hear is in error. Nobody is connected without having heard what is for it alone.
    pub(crate) fn enqueue_failed(&mut self, ctx: &mut Ctx<'_>) {
        self.tell_taker(CallerGone::InError, ctx);
        self.enqueue_over(QueueResult::Error, ctx);
    }

    /// The call is over.
    pub(crate) fn enqueue_hung_up(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Enqueue(run) = &self.running else { return };
        let talked = run.bridged().is_some();
        self.tell_taker(CallerGone::HungUp, ctx);
        self.enqueue_over(if talked { QueueResult::Bridged } else { QueueResult::Hangup }, ctx);
    }

    /// Somebody moves this call to another document; false when it is not (or was not) in that queue.
    pub(crate) fn redirect_from_queue(
        &mut self,
        queue: QueueSid,
        (url, method): (String, HttpMethod),
        ctx: &mut Ctx<'_>,
    ) -> bool {
        if !matches!(&self.running, Running::Enqueue(run) if run.queue == queue) {
            return false;
        }
        if let Some(params) = self.moved_from_queue(ctx) {
            self.verb_done(After::Action { url: Some(url), method, params }, ctx);
            self.drive(ctx);
        }
        true
    }

    /// The call is sent to another document, whatever it does.
    pub(crate) fn enqueue_interrupted(&mut self, ctx: &mut Ctx<'_>) {
        self.moved_from_queue(ctx);
    }

    /// The action is told, and nobody waits for what it says.
    fn moved_from_queue(&mut self, ctx: &mut Ctx<'_>) -> Option<Vec<(String, String)>> {
        let Running::Enqueue(run) = &self.running else { return None };
        let talked = run.bridged().is_some();
        let result = if talked { QueueResult::RedirectedFromBridged } else { QueueResult::Redirected };
        self.tell_taker(CallerGone::Redirected, ctx);
        let (verb, params) = self.get_out_of_queue(result, ctx)?;
        if let Some(action) = verb.action {
            let mut all = twiml::standard_params(&self.facts);
            all.extend(params.iter().cloned());
            ctx.fetch(self.sid(), Asked::Callback, action, verb.method, all);
        }
        Some(params)
    }

    fn tell_taker(&mut self, why: CallerGone, ctx: &mut Ctx<'_>) {
        let Running::Enqueue(run) = &self.running else { return };
        if let Some(taker) = run.taken_by() {
            ctx.mail(taker, Mail::CallerGone { caller: self.sid(), why });
        }
    }

    /// It never was in the queue.
    fn enqueue_refused(&mut self, verb: &Enqueue, result: QueueResult, ctx: &mut Ctx<'_>) {
        self.trace(EventKind::Decision, format!("queue: {}", result.as_str()), ctx);
        self.enqueue_action(verb, enqueue_params(result, None), ctx);
    }

    fn enqueue_over(&mut self, result: QueueResult, ctx: &mut Ctx<'_>) {
        if let Some((verb, params)) = self.get_out_of_queue(result, ctx) {
            self.enqueue_action(&verb, params, ctx);
        }
    }

    /// Out of the queue; what there is to be told of it.
    fn get_out_of_queue(
        &mut self,
        result: QueueResult,
        ctx: &mut Ctx<'_>,
    ) -> Option<(Enqueue, Vec<(String, String)>)> {
        self.stop_waiting(ctx);
        let Running::Enqueue(run) = std::mem::replace(&mut self.running, Running::Nothing) else {
            return None;
        };
        ctx.shared.queues.leave(run.queue, self.sid());
        if let Some(task) = run.task {
            ctx.shared.router.left_queue(task, result.as_str(), ctx.now);
        }
        let stay = run.stay(ctx.now.mono);
        self.trace(EventKind::Decision, format!("queue: {}, after {} s", result.as_str(), stay.time_s), ctx);
        Some((run.verb, enqueue_params(result, Some(stay))))
    }

    fn enqueue_action(&mut self, verb: &Enqueue, params: Vec<(String, String)>, ctx: &mut Ctx<'_>) {
        match verb.action.clone() {
            Some(url) => self.verb_done(After::Action { url: Some(url), method: verb.method, params }, ctx),
            None => self.skip_verb(ctx),
        }
    }
}

impl Node {
    /// Everybody who waits in a queue, and which; for the simulator's invariants.
    pub fn queued(&self) -> Vec<(QueueSid, CallSid)> {
        self.shared.queues.members().collect()
    }

    /// What does not fit together about the queues and the calls in them; for the simulator's invariants.
    pub fn queue_trouble(&self) -> Option<String> {
        let mut waiting = std::collections::BTreeSet::new();
        for (queue, call) in self.shared.queues.members() {
            let runs = self.calls.get(&call).map(|call| &call.running);
            let fits = matches!(runs, Some(Running::Enqueue(run))
                if run.queue == queue && matches!(run.stage, Stage::Waiting));
            if !fits {
                return Some(format!("{call} is in {queue} and does not wait there"));
            }
            if !waiting.insert(call) {
                return Some(format!("{call} is in two places of its queues"));
            }
        }
        let mut taken = std::collections::BTreeSet::new();
        for call in self.calls.values() {
            match &call.running {
                Running::Enqueue(run) => match run.taken_by() {
                    None if !waiting.contains(&call.sid()) => {
                        return Some(format!("{} waits in no queue", call.sid()));
                    }
                    Some(by) if self.calls.get(&by).and_then(|call| call.takes()) != Some(call.sid()) => {
                        return Some(format!("{} is taken by {by}, which does not know it", call.sid()));
                    }
                    None | Some(_) => {}
                },
                _ => {
                    if let Some(caller) = call.takes()
                        && !taken.insert(caller)
                    {
                        return Some(format!("{caller} is taken twice"));
                    }
                }
            }
        }
        None
    }
}
