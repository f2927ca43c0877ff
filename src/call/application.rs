//! `<Dial><Application>`: another application takes the call over until its document ends (reference: twiml-voice
//! §10.6).
//!
//! It has a call of its own, without a SIP leg: the caller's leg carries its documents out, and they are asked for as an
//! inbound call to the application. The document that dialled waits meanwhile; several may wait on each other.

use base::{CallSid, Mono};
use twiml::{
    After, ApplicationNoun, CallFacts, CallStatus, Dial, DialCallStatus, DialFacts, Direction, Interpreter,
    ProgressEvent, Source, StatusCallback, dial_params,
};

use crate::call::Call;
use crate::ctx::Ctx;
use crate::outcome::Outcome;
use crate::record::{CallRow, EventKind, StoreItem};

/// An application at work on a call.
#[derive(Clone, Debug)]
pub(crate) struct ApplicationRun {
    dial: Dial,
    /// The application's call.
    row: CallRow,
    began: Mono,
    /// What waits for it.
    interpreter: Option<Interpreter>,
    facts: CallFacts,
    callback: Option<StatusCallback>,
    callback_seq: u32,
}

/// Applications that may wait on each other.
const DEPTH_MAX: usize = 4;

/// There is no such application (reference: error-codes).
const NO_APPLICATION: u32 = 21218;

impl Call {
    pub(crate) fn begin_application(&mut self, dial: Dial, noun: &ApplicationNoun, ctx: &mut Ctx<'_>) {
        let application = ctx.office.applications.get(&noun.sid.to_string()).cloned();
        let Some(application) = application.filter(|_| self.applications.len() < DEPTH_MAX) else {
            let why = format!("the application {} is not here, or calls itself without end", noun.sid);
            self.warn(NO_APPLICATION, why, ctx);
            self.application_dial_over(&dial, DialCallStatus::Failed, None, ctx);
            return;
        };
        let sid = CallSid::random(&mut ctx.shared.rng);
        let to = if noun.copy_parent_to { self.facts.to.clone() } else { noun.sid.to_string() };
        let (from, now) = (self.facts.from.clone(), ctx.now.wall);
        let mut row =
            CallRow::new(sid, Direction::Inbound, from.clone(), to.clone(), CallStatus::InProgress, now);
        row.parent = Some(self.facts.call_sid);
        (row.start, row.answer) = (Some(now), Some(now));
        ctx.store(StoreItem::Call(row.clone()));
        self.trace(EventKind::Decision, format!("{} takes over as {sid}", noun.sid), ctx);
        let facts = CallFacts {
            call_sid: sid,
            to,
            direction: Direction::Inbound,
            parent_call_sid: Some(self.facts.call_sid),
            ..self.facts.clone()
        };
        let callback = noun.status_callback.clone().or_else(|| application.status_callback.clone());
        let fallback = application.fallback.as_ref().map(|f| (f.url.clone(), f.method));
        let mut interpreter = Interpreter::new(fallback, application.dialect);
        match application.voice {
            Source::Url { url, method } => interpreter.start_with(url, method, parameters(noun, ctx)),
            inline @ Source::Inline(_) => interpreter.handle(twiml::Input::Start(inline), ctx.now),
        }
        self.applications.push(ApplicationRun {
            dial,
            row,
            began: ctx.now.mono,
            interpreter: self.interpreter.replace(interpreter),
            facts: std::mem::replace(&mut self.facts, facts),
            callback: std::mem::replace(&mut self.callback, callback),
            callback_seq: std::mem::take(&mut self.callback_seq),
        });
        self.tell(ProgressEvent::Initiated, None, ctx);
        self.tell(ProgressEvent::Answered, None, ctx);
    }

    /// The innermost application's document is over, or failed; what waited for it goes on.
    pub(crate) fn application_over(&mut self, status: DialCallStatus, ctx: &mut Ctx<'_>) {
        let Some(run) = self.end_application(status, ctx) else { return };
        let (sid, duration) = (run.row.sid, u64::from(run.row.duration_s.unwrap_or(0)));
        self.application_dial_over(&run.dial, status, Some((sid, duration)), ctx);
    }

    /// All of them at once: the call is over, or sent to another document.
    pub(crate) fn applications_abandoned(&mut self, ctx: &mut Ctx<'_>) {
        while self.end_application(DialCallStatus::Completed, ctx).is_some() {}
    }

    /// The caller hung up: whoever waited for an application still asks its action.
    pub(crate) fn applications_hung_up(&mut self, ctx: &mut Ctx<'_>) {
        while !self.applications.is_empty() {
            // What the application itself still owes is asked for in its own name.
            self.drive(ctx);
            let Some(run) = self.end_application(DialCallStatus::Completed, ctx) else { return };
            if let Some(interpreter) = &mut self.interpreter {
                interpreter.handle(twiml::Input::HungUp, ctx.now);
            }
            let (sid, duration) = (run.row.sid, u64::from(run.row.duration_s.unwrap_or(0)));
            self.application_dial_over(&run.dial, DialCallStatus::Completed, Some((sid, duration)), ctx);
        }
    }

    /// Writes the application's call down and gives the leg back to what waited for it.
    fn end_application(&mut self, status: DialCallStatus, ctx: &mut Ctx<'_>) -> Option<ApplicationRun> {
        let mut run = self.applications.pop()?;
        let duration = ctx.now.mono.since(run.began);
        let duration_s = u32::try_from((duration.as_millis() + 500) / 1_000).unwrap_or(u32::MAX);
        let status = status.call_status();
        run.row.status = status;
        (run.row.end, run.row.updated) = (Some(ctx.now.wall), ctx.now.wall);
        run.row.duration_s = Some(duration_s);
        ctx.store(StoreItem::Call(run.row.clone()));
        self.facts.status = status;
        self.tell(ProgressEvent::Completed, Some(Outcome { status, sip_code: 200, duration_s }), ctx);
        self.interpreter = run.interpreter.take();
        let current = self.row.status;
        self.facts = CallFacts { status: current, ..run.facts.clone() };
        self.callback = run.callback.take();
        self.callback_seq = run.callback_seq;
        Some(run)
    }

    fn application_dial_over(
        &mut self,
        dial: &Dial,
        status: DialCallStatus,
        call: Option<(CallSid, u64)>,
        ctx: &mut Ctx<'_>,
    ) {
        self.trace(EventKind::Decision, format!("dial: {}", status.as_str()), ctx);
        let Some(action) = dial.action.clone() else {
            self.skip_verb(ctx);
            return;
        };
        let params = dial_params(&DialFacts {
            status,
            call_sid: call.map(|(sid, _)| sid),
            duration_s: call.map(|(_, duration)| duration),
            bridged: call.is_some(),
            recording: None,
            sip: None,
            queue: None,
        });
        self.verb_done(After::Action { url: Some(action), method: dial.method, params }, ctx);
    }
}

/// What the first document is asked for with.
fn parameters(noun: &ApplicationNoun, ctx: &Ctx<'_>) -> Vec<(String, String)> {
    let customer = noun.customer_id.clone().unwrap_or_else(|| ctx.office.account_sid.to_string());
    let mut all = vec![("CustomerId".to_owned(), customer)];
    all.extend(noun.parameters.iter().map(|(name, value)| (format!("Param_{name}"), value.clone())));
    all
}
