//! `<Dial><Application>`: another application takes the call over until its document ends (reference: twiml-voice
//! §10.6).
//!
//! It has a call of its own, without a SIP leg: the caller's leg carries its documents out, and they are asked for as an
//! inbound call to the application. The document that dialled waits meanwhile; several may wait on each other.

use std::time::Duration;

use base::{CallSid, Mono, RecordingSid};
use twiml::{
    After, ApplicationNoun, CallFacts, CallStatus, Dial, DialCallStatus, DialFacts, DialRecord, Direction,
    Interpreter, ProgressEvent, Source, StatusCallback, dial_params,
};

use crate::call::Call;
use crate::ctx::Ctx;
use crate::dial::asking;
use crate::outcome::{Outcome, seconds};
use crate::record::{CallRow, EventKind, StoreItem};
use crate::record_verb::recording_facts;
use crate::timers::Timer;
use crate::update::{CallUpdate, Fate};

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
    /// When its time is over.
    limit: Mono,
    /// What it hears and says, recorded, and since when.
    recording: Option<(RecordingSid, Mono)>,
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
        let limit = ctx.now.mono + Duration::from_secs(u64::from(dial.time_limit_s));
        let recording = self.record_application(&dial, ctx);
        self.applications.push(ApplicationRun {
            limit,
            recording,
            dial,
            row,
            began: ctx.now.mono,
            interpreter: self.interpreter.replace(interpreter),
            facts: std::mem::replace(&mut self.facts, facts),
            callback: std::mem::replace(&mut self.callback, callback),
            callback_seq: std::mem::take(&mut self.callback_seq),
        });
        self.limit_applications(ctx);
        self.tell(ProgressEvent::Initiated, None, ctx);
        self.tell(ProgressEvent::Answered, None, ctx);
    }

    /// The sids of the applications' own calls, the innermost last.
    pub(crate) fn application_calls(&self) -> impl Iterator<Item = CallSid> {
        self.applications.iter().map(|run| run.row.sid)
    }

    /// Somebody changes the call of an application from outside, as any other; its row as it is then.
    pub(crate) fn update_application(
        &mut self,
        sid: CallSid,
        update: CallUpdate,
        ctx: &mut Ctx<'_>,
    ) -> Option<CallRow> {
        let at = self.applications.iter().position(|run| run.row.sid == sid)?;
        if let Some(seconds) = update.time_limit_s {
            let run = &mut self.applications[at];
            run.limit = run.began + Duration::from_secs(u64::from(seconds));
            self.limit_applications(ctx);
        }
        // What belongs to one that waits for another is kept by that one.
        let inner = self.applications.get_mut(at + 1);
        let (interpreter, callback) = match inner {
            Some(inner) => (&mut inner.interpreter, &mut inner.callback),
            None => (&mut self.interpreter, &mut self.callback),
        };
        if let (Some(interpreter), Some(fallback)) = (interpreter, update.fallback) {
            interpreter.set_fallback(Some((fallback.url, fallback.method)));
        }
        if let Some(wanted) = update.status_callback {
            let events = callback.take().map_or(vec![ProgressEvent::Completed], |callback| callback.events);
            *callback = Some(StatusCallback { url: wanted.url, method: wanted.method, events });
        }
        let row = self.applications[at].row.clone();
        let row = match update.fate {
            Some(Fate::Redirect(source)) => {
                self.back_to_application(at, ctx);
                if let Some(interpreter) = &mut self.interpreter {
                    interpreter.handle(twiml::Input::Replace(source), ctx.now);
                }
                row
            }
            Some(Fate::Complete) => {
                self.back_to_application(at, ctx);
                self.finish_application(DialCallStatus::Completed, ctx).unwrap_or(row)
            }
            // It was answered when it began.
            Some(Fate::Cancel) | None => row,
        };
        self.drive(ctx);
        Some(row)
    }

    /// The time of an application is over: it ends, and with it whatever it has dialled.
    pub(crate) fn application_limit(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(at) = self.applications.iter().position(|run| run.limit <= ctx.now.mono) {
            self.back_to_application(at, ctx);
            self.application_over(DialCallStatus::Completed, ctx);
        }
        self.limit_applications(ctx);
    }

    /// What runs is stopped, and the applications that this one dialled are over.
    fn back_to_application(&mut self, at: usize, ctx: &mut Ctx<'_>) {
        self.kept_given_up(503, ctx);
        self.stop_running(ctx);
        while self.applications.len() > at + 1 {
            self.end_application(DialCallStatus::Completed, ctx);
        }
    }

    fn limit_applications(&mut self, ctx: &mut Ctx<'_>) {
        match self.applications.iter().map(|run| run.limit).min() {
            Some(limit) => ctx.timer(self.sid(), Timer::Application, limit.since(ctx.now.mono)),
            None => ctx.cancel_timer(self.sid(), Timer::Application),
        }
    }

    /// Records what is heard and said while the application has the call, if its dial asks for that.
    fn record_application(&mut self, dial: &Dial, ctx: &mut Ctx<'_>) -> Option<(RecordingSid, Mono)> {
        if dial.record == DialRecord::DoNotRecord {
            return None;
        }
        let asking = asking(dial, ctx);
        let sid = asking.sid;
        self.start_recording(asking, ctx).then_some((sid, ctx.now.mono))
    }

    /// The innermost application's document is over, or failed; what waited for it goes on.
    pub(crate) fn application_over(&mut self, status: DialCallStatus, ctx: &mut Ctx<'_>) {
        self.finish_application(status, ctx);
    }

    fn finish_application(&mut self, status: DialCallStatus, ctx: &mut Ctx<'_>) -> Option<CallRow> {
        let run = self.end_application(status, ctx)?;
        self.application_dial_over(&run.dial, status, Some(&run), ctx);
        Some(run.row)
    }

    /// All of them at once: the call is over, or sent to another document.
    pub(crate) fn applications_abandoned(&mut self, ctx: &mut Ctx<'_>) {
        while self.end_application(DialCallStatus::Completed, ctx).is_some() {}
    }

    /// The caller hung up: whoever waited for an application still asks its action.
    pub(crate) fn applications_hung_up(&mut self, ctx: &mut Ctx<'_>) {
        if !self.applications.is_empty() {
            self.owe_action();
        }
        while !self.applications.is_empty() {
            // What the application itself still owes is asked for in its own name.
            self.drive(ctx);
            let Some(run) = self.end_application(DialCallStatus::Completed, ctx) else { return };
            if let Some(interpreter) = &mut self.interpreter {
                interpreter.handle(twiml::Input::HungUp, ctx.now);
            }
            self.application_dial_over(&run.dial, DialCallStatus::Completed, Some(&run), ctx);
        }
    }

    /// Writes the application's call down and gives the leg back to what waited for it.
    fn end_application(&mut self, status: DialCallStatus, ctx: &mut Ctx<'_>) -> Option<ApplicationRun> {
        let mut run = self.applications.pop()?;
        if let Some((recording, _)) = run.recording {
            ctx.media(media::Command::StopRecord { leg: self.leg.id, recording });
        }
        self.limit_applications(ctx);
        let duration_s = seconds(ctx.now.mono.since(run.began));
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
        run: Option<&ApplicationRun>,
        ctx: &mut Ctx<'_>,
    ) {
        self.trace(EventKind::Decision, format!("dial: {}", status.as_str()), ctx);
        let Some(action) = dial.action.clone() else {
            self.skip_verb(ctx);
            return;
        };
        let params = dial_params(&DialFacts {
            status,
            call_sid: run.map(|run| run.row.sid),
            duration_s: run.map(|run| u64::from(run.row.duration_s.unwrap_or(0))),
            bridged: run.is_some(),
            recording: run.and_then(|run| run.recording).map(|(sid, since)| {
                let ms = u64::try_from(ctx.now.mono.since(since).as_millis()).unwrap_or(u64::MAX);
                recording_facts(sid, ms, ctx)
            }),
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
