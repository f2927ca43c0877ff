//! What somebody hears who waits: for a conference to begin, for somebody to take it out of a queue, or, taken out,
//! before the two are connected (reference: twiml-voice §2.1).
//!
//! The box's own music, silence, or a document of its own, run beside the call's by a second interpreter. Its
//! verbs are the ordinary ones: while one of them begins, hears something or ends, interpreter and verb of the
//! document change places with the call's own ([`Call::inside`]). The end of the document means something to the
//! verb that waits alone.

use std::time::Duration;

use base::Mono;
use twiml::{Context, HttpMethod, Interpreter, Source, Verb};

use crate::call::{Call, OVERDUE, Running};
use crate::ctx::{Asked, Ctx};
use crate::io::BuiltinSound;
use crate::outcome::Cause;
use crate::play::PlayRun;
use crate::prompt::{Part, Prompting};
use crate::record::EventKind;
use crate::timers::Timer;

/// What is heard while the call's own verb waits.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    /// Of the document, if it is one.
    interpreter: Option<Interpreter>,
    /// Its verb at the moment.
    pub(crate) running: Running,
    /// The two above are the call's own: it is inside.
    inside: bool,
    /// Where the document came from and how it is asked for; when that was done last.
    source: Option<(String, HttpMethod)>,
    asked: Mono,
}

/// Marks a fetch as one of the wait document's: the call's own interpreter counts from 1.
const WAIT_FETCH: u64 = 1 << 63;

/// A document that is over at once is not asked for again before this time has passed.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether an answer is for the wait document.
pub(crate) fn is_for_wait(fetch: u64) -> bool {
    fetch & WAIT_FETCH != 0
}

impl Call {
    /// Begins what `url` says: nothing = the box's music, empty = silence, else its document.
    pub(crate) fn begin_wait(
        &mut self,
        url: Option<String>,
        method: HttpMethod,
        context: Context,
        ctx: &mut Ctx<'_>,
    ) {
        self.stop_waiting(ctx);
        let source = url.clone().filter(|url| !url.is_empty()).map(|url| (url, method));
        let interpreter = source.as_ref().map(|(url, method)| {
            let mut interpreter = Interpreter::new(None, self.facts.dialect).within(context);
            let source = Source::Url { url: url.clone(), method: *method };
            interpreter.handle(twiml::Input::Start(source), ctx.now);
            interpreter
        });
        let (running, asked) = (Running::Nothing, ctx.now.mono);
        self.wait = Some(Box::new(Wait { interpreter, running, inside: false, source, asked }));
        if url.is_none() {
            let music = vec![Part::builtin(BuiltinSound::HoldMusic)];
            let prompting = Prompting::begin(self.sid(), music, ctx);
            self.inside(ctx, |call, _| call.running = Running::Play(PlayRun::Sound(prompting)));
        }
        self.drive_wait(ctx);
    }

    /// Nobody waits any more.
    pub(crate) fn stop_waiting(&mut self, ctx: &mut Ctx<'_>) {
        let Some(mut wait) = self.wait.take() else { return };
        let sid = self.row.sid;
        for timer in [Timer::Stuck, Timer::Pause, Timer::Gather, Timer::Wait] {
            ctx.cancel_timer(sid, timer);
        }
        if wait.interpreter.is_some() {
            // While a verb waits, the call's own document asks for nothing.
            ctx.abort_fetches(sid);
        }
        let sounds = wait.running.prompting().is_some_and(|prompting| prompting.is_playing())
            || matches!(wait.running, Running::Play(PlayRun::Digits(_)));
        if sounds && self.ended.is_none() {
            ctx.media(media::Command::StopPlay { leg: self.leg.id });
        }
    }

    /// What happens to a sound, a key or the clock of the verb that is heard: the wait document's while there is
    /// one, else the call's own.
    pub(crate) fn heard(&mut self, ctx: &mut Ctx<'_>, f: impl FnOnce(&mut Call, &mut Ctx<'_>)) {
        if self.wait.is_some() && !self.is_inside() {
            self.inside(ctx, f);
            self.drive_wait(ctx);
        } else {
            f(self, ctx);
        }
    }

    /// Whether the call's interpreter and verb are the wait document's at the moment.
    pub(crate) fn is_inside(&self) -> bool {
        self.wait.as_ref().is_some_and(|wait| wait.inside)
    }

    fn inside(&mut self, ctx: &mut Ctx<'_>, f: impl FnOnce(&mut Call, &mut Ctx<'_>)) {
        self.change_places();
        f(self, ctx);
        self.change_places();
    }

    fn change_places(&mut self) {
        let Some(wait) = &mut self.wait else { return };
        std::mem::swap(&mut wait.running, &mut self.running);
        std::mem::swap(&mut wait.interpreter, &mut self.interpreter);
        wait.inside = !wait.inside;
    }

    pub(crate) fn wait_fetched(
        &mut self,
        id: u64,
        result: Result<twiml::Fetched, twiml::FetchFailure>,
        ctx: &mut Ctx<'_>,
    ) {
        if let Some(interpreter) = self.wait_interpreter() {
            let id = id & !WAIT_FETCH;
            interpreter.handle(twiml::Input::Fetched { id, result }, ctx.now);
        }
        self.drive_wait(ctx);
    }

    /// The document is asked for again, unless it was just now.
    pub(crate) fn wait_again(&mut self, ctx: &mut Ctx<'_>) {
        let sid = self.sid();
        let Some(wait) = &mut self.wait else { return };
        let (Some((url, method)), Some(interpreter)) = (wait.source.clone(), &mut wait.interpreter) else {
            return;
        };
        let due = wait.asked + AGAIN;
        if ctx.now.mono < due {
            ctx.timer(sid, Timer::Wait, due.since(ctx.now.mono));
            return;
        }
        wait.asked = ctx.now.mono;
        interpreter.handle(twiml::Input::Start(Source::Url { url, method }), ctx.now);
        self.drive_wait(ctx);
    }

    fn wait_interpreter(&mut self) -> Option<&mut Interpreter> {
        self.wait.as_mut().and_then(|wait| wait.interpreter.as_mut())
    }

    fn drive_wait(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(output) = self.wait_interpreter().and_then(Interpreter::poll_output) {
            match output {
                twiml::Output::Fetch { id, url, method, params } => {
                    if self.asks_too_often(ctx) {
                        let message = "documents follow each other without anything to hear".to_owned();
                        let result = Err(twiml::FetchFailure::new(11215, message));
                        if let Some(interpreter) = self.wait_interpreter() {
                            interpreter.handle(twiml::Input::Fetched { id, result }, ctx.now);
                        }
                        continue;
                    }
                    self.trace(EventKind::Fetch, format!("{} {}", method.as_str(), twiml::shown(&url)), ctx);
                    let mut all = twiml::standard_params(&self.facts);
                    all.extend(self.queue_params(ctx));
                    all.extend(params);
                    ctx.fetch(self.sid(), Asked::Interpreter(id | WAIT_FETCH), url, method, all);
                    ctx.timer(self.sid(), Timer::Stuck, OVERDUE);
                }
                twiml::Output::Notify(finding, url) => self.notify(&finding, url, ctx),
                twiml::Output::Execute(Verb::Leave) => self.left_queue(ctx),
                twiml::Output::Execute(Verb::Hangup) => self.end(Cause::Document, ctx),
                twiml::Output::Execute(verb) => self.inside(ctx, |call, ctx| call.begin(verb, ctx)),
                twiml::Output::ApplicationError { code } => self.wait_failed(code, ctx),
                twiml::Output::Finished => self.wait_over(ctx),
            }
        }
    }

    /// The document came to its end.
    fn wait_over(&mut self, ctx: &mut Ctx<'_>) {
        match &self.running {
            Running::Enqueue(_) => self.enqueue_heard(ctx),
            Running::Conference(_) => self.conference_heard(ctx),
            _ => {}
        }
    }

    /// There is nothing left to be heard that the application wants heard.
    fn wait_failed(&mut self, code: u32, ctx: &mut Ctx<'_>) {
        match &self.running {
            Running::Conference(_) => self.conference_unheard(code, ctx),
            Running::Enqueue(_) => self.enqueue_failed(ctx),
            _ => self.stop_waiting(ctx),
        }
    }
}
