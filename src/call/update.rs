//! A call is changed from outside while it lives: sent to another document, ended, its callbacks turned elsewhere
//! (reference: rest-voice §5.3, twiml-voice §2 no. 4, §9.6).
//!
//! Being sent elsewhere interrupts whatever runs, at once and without its action; the rest of the document is not
//! carried out. A request for a document under way is aborted. What each verb gives back stands in [`Call::interrupt`].

use std::time::Duration;

use serde::{Deserialize, Serialize};
use twiml::{Dialect, HttpMethod, Interpreter, ParticipantLeft, ProgressEvent, Source, StatusCallback};

use crate::call::{Call, Running};
use crate::ctx::{Ctx, Mail};
use crate::office::DocumentRef;
use crate::outbound::Opening;
use crate::outcome::Cause;
use crate::play::PlayRun;
use crate::prompt::Prompting;
use crate::record::EventKind;
use crate::timers::Timer;

/// What is to change about a call; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallUpdate {
    /// What becomes of the call itself.
    pub fate: Option<Fate>,
    /// Asked when a document cannot be had, from now on.
    pub fallback: Option<DocumentRef>,
    /// Where its progress is told from now on.
    pub status_callback: Option<DocumentRef>,
    /// Seconds from the answer after which it ends.
    pub time_limit_s: Option<u32>,
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// It goes on with this document; one that is not answered yet, and that the box makes, begins with it.
    Redirect(Source),
    /// It ends, whatever it is doing.
    Complete,
    /// It ends if nobody has answered it yet.
    Cancel,
}

impl Call {
    pub(crate) fn update(&mut self, update: CallUpdate, ctx: &mut Ctx<'_>) {
        let fallback = update.fallback.map(|fallback| (fallback.url, fallback.method));
        if let Some(fallback) = &fallback {
            self.set_fallback(fallback.clone());
        }
        if let Some(DocumentRef { url, method }) = update.status_callback {
            let events = match self.callback.take() {
                Some(callback) => callback.events,
                None => vec![ProgressEvent::Completed],
            };
            self.callback = Some(StatusCallback { url, method, events });
        }
        if let Some(seconds) = update.time_limit_s {
            self.limit_time(seconds, ctx);
        }
        match update.fate {
            Some(Fate::Redirect(source)) => self.redirect(source, fallback, ctx),
            Some(Fate::Complete) => self.end(Cause::Operator, ctx),
            Some(Fate::Cancel) if self.answered.is_none() => self.end(Cause::Operator, ctx),
            Some(Fate::Cancel) | None => {}
        }
        self.drive(ctx);
    }

    /// Ends the call so long after its answer.
    pub(crate) fn limit_time(&mut self, seconds: u32, ctx: &mut Ctx<'_>) {
        self.time_limit_s = Some(seconds);
        if let Some(answered) = self.answered {
            let passed = ctx.now.mono.since(answered);
            let left = Duration::from_secs(u64::from(seconds)).saturating_sub(passed);
            ctx.timer(self.sid(), Timer::CallLimit, left);
        }
    }

    fn set_fallback(&mut self, fallback: (String, HttpMethod)) {
        if let Some(opening) = self.outbound.as_mut().and_then(|outbound| outbound.opening.as_mut()) {
            opening.fallback = Some(fallback);
        } else if let Some(interpreter) = &mut self.interpreter {
            interpreter.set_fallback(Some(fallback));
        }
    }

    fn redirect(&mut self, source: Source, fallback: Option<(String, HttpMethod)>, ctx: &mut Ctx<'_>) {
        let text = match &source {
            Source::Url { url, method } => format!("sent to {} {}", method.as_str(), twiml::shown(url)),
            Source::Inline(text) => format!("sent to a document of {} bytes", text.len()),
        };
        self.trace(EventKind::Decision, text, ctx);
        if let Some(outbound) = &mut self.outbound
            && !self.leg.is_up()
        {
            let (fallback, dialect) = match outbound.opening.take() {
                Some(opening) => (fallback.or(opening.fallback), opening.dialect),
                None => (fallback, Dialect::default()),
            };
            outbound.opening = Some(Opening { source, fallback, dialect });
            self.stay_away(ParticipantLeft::ParticipantUpdatedViaApi, ctx);
            return;
        }
        self.interrupt(ctx);
        self.stay_away(ParticipantLeft::ParticipantUpdatedViaApi, ctx);
        // A whisper's interpreter may do less than a call's, and knows another fallback.
        let own = self.child.is_none();
        self.leave_parent(ctx);
        match &mut self.interpreter {
            Some(interpreter) if own => {
                interpreter.handle(twiml::Input::Replace(source), ctx.now);
                self.drive(ctx);
            }
            Some(_) | None => {
                // Digits still to be sent, or a document that waited for them, are given up with the rest.
                let opening = self.outbound.as_mut().and_then(|outbound| outbound.opening.take());
                let dialect = self.facts.dialect;
                let fallback = fallback.or_else(|| opening.and_then(|opening| opening.fallback));
                self.interpret(Interpreter::new(fallback, dialect), source, ctx);
            }
        }
    }

    /// Stops whatever runs, without its action: everything it holds is given back and nothing of it comes later.
    pub(crate) fn interrupt(&mut self, ctx: &mut Ctx<'_>) {
        self.kept_given_up(503, ctx);
        if let Some(transfer) = self.transfer.take() {
            ctx.mail(transfer.by(), Mail::Transferred { code: 503 });
        }
        self.stop_running(ctx);
        self.applications_abandoned(ctx);
    }

    /// Stops the verb that runs, and nothing beside it.
    pub(crate) fn stop_running(&mut self, ctx: &mut Ctx<'_>) {
        let sid = self.sid();
        ctx.abort_fetches(sid);
        ctx.cancel_timer(sid, Timer::Stuck);
        if self.outbound.as_mut().is_some_and(|outbound| outbound.sending.take().is_some()) {
            self.stop_digits(ctx);
        }
        match &self.running {
            Running::Nothing | Running::Answering(_) | Running::AnsweringToApologise { .. } => {}
            Running::Pause => ctx.cancel_timer(sid, Timer::Pause),
            Running::Play(PlayRun::Digits(_)) => self.stop_digits(ctx),
            Running::Play(PlayRun::Sound(prompting)) | Running::Apology(prompting) => {
                self.stop_prompt(prompting, ctx);
            }
            Running::Gather(run) => {
                ctx.cancel_timer(sid, Timer::Gather);
                if let Some(prompting) = &run.prompting {
                    self.stop_prompt(prompting, ctx);
                }
                self.gather_abandoned(ctx);
            }
            Running::Record(run) => {
                ctx.media(media::Command::StopRecord { leg: self.leg.id, recording: run.recording() });
            }
            Running::Dial(_) => self.dial_interrupted(ctx),
            // What the caller's equipment has begun, it carries through.
            Running::Refer(_) => ctx.cancel_timer(sid, Timer::Refer),
            Running::Conference(_) => self.conference_interrupted(ctx),
            Running::Enqueue(_) => self.enqueue_interrupted(ctx),
            Running::Dequeue(_) => self.dequeue_interrupted(ctx),
            Running::Connect(_) => self.connect_interrupted(ctx),
            Running::Echo => ctx.media(media::Command::StopPlay { leg: self.leg.id }),
        }
        self.running = Running::Nothing;
    }

    fn stop_prompt(&self, prompting: &Prompting, ctx: &mut Ctx<'_>) {
        if prompting.is_playing() {
            ctx.media(media::Command::StopPlay { leg: self.leg.id });
        }
    }

    fn stop_digits(&mut self, ctx: &mut Ctx<'_>) {
        ctx.cancel_timer(self.sid(), Timer::InfoKey);
        self.leg.keys.stop_sending();
        ctx.media(media::Command::StopPlay { leg: self.leg.id });
    }
}
