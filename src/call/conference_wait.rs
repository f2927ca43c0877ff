//! What somebody hears until its conference begins, or while it is on hold there (reference: twiml-voice §10.4).
//!
//! The box's own music, silence, or a document of its own, run beside the call's by a second interpreter. That
//! document may only be heard: it decides nothing about the call.

use twiml::{After, Context, HttpMethod, Interpreter, Source, Verb};

use crate::call::{Call, OVERDUE, Running};
use crate::ctx::{Asked, Ctx};
use crate::io::BuiltinSound;
use crate::prompt::{Part, Prompting};
use crate::record::EventKind;
use crate::timers::Timer;

/// What is heard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting {
    /// Of `waitUrl`'s document, until it is over.
    interpreter: Option<Interpreter>,
    /// What is heard at the moment.
    pub(crate) prompting: Option<Prompting>,
}

/// Marks a fetch as one of the wait document's: the call's own interpreter counts from 1.
const WAIT_FETCH: u64 = 1 << 63;

/// Whether an answer is for the wait document.
pub(crate) fn is_for_wait(fetch: u64) -> bool {
    fetch & WAIT_FETCH != 0
}

impl Call {
    /// Begins what `url` says: nothing = the box's music, empty = silence, else its document.
    pub(crate) fn begin_wait(&mut self, url: Option<String>, method: HttpMethod, ctx: &mut Ctx<'_>) {
        let Running::Conference(run) = &mut self.running else { return };
        let waiting = run.waiting.insert(Waiting::default());
        match url {
            None => self.wait_hears(Part::builtin(BuiltinSound::HoldMusic), ctx),
            Some(url) if url.is_empty() => {}
            Some(url) => {
                let mut interpreter =
                    Interpreter::new(None, self.facts.dialect).within(Context::ConferenceWait);
                interpreter.handle(twiml::Input::Start(Source::Url { url, method }), ctx.now);
                waiting.interpreter = Some(interpreter);
                self.drive_wait(ctx);
            }
        }
    }

    /// The conference began, or the call is out of it.
    pub(crate) fn stop_waiting(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Conference(run) = &mut self.running else { return };
        let Some(waiting) = run.waiting.take() else { return };
        ctx.cancel_timer(self.row.sid, Timer::Stuck);
        if waiting.interpreter.is_some() {
            let sid = self.row.sid;
            ctx.shared.fetches.retain(|_, (call, theirs)| *call != sid || !is_for_wait(*theirs));
        }
        if waiting.prompting.is_some_and(|prompting| prompting.is_playing()) && self.ended.is_none() {
            ctx.media(media::Command::StopPlay { leg: self.leg.id });
        }
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

    /// What was to be heard has been heard, or cannot be had.
    pub(crate) fn wait_prompted(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Conference(run) = &mut self.running else { return };
        if let Some(waiting) = &mut run.waiting {
            waiting.prompting = None;
        }
        self.wait_verb_over(ctx);
        self.drive_wait(ctx);
    }

    fn wait_interpreter(&mut self) -> Option<&mut Interpreter> {
        match &mut self.running {
            Running::Conference(run) => run.waiting.as_mut().and_then(|waiting| waiting.interpreter.as_mut()),
            _ => None,
        }
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
                    all.extend(params);
                    ctx.fetch(self.sid(), Asked::Interpreter(id | WAIT_FETCH), url, method, all);
                    ctx.timer(self.sid(), Timer::Stuck, OVERDUE);
                }
                twiml::Output::Notify(finding, url) => self.notify(&finding, url, ctx),
                twiml::Output::Execute(verb) => self.wait_verb(&verb, ctx),
                twiml::Output::ApplicationError { .. } => self.conference_failed(ctx),
                // Silence from here on.
                twiml::Output::Finished => {}
            }
        }
    }

    fn wait_verb(&mut self, verb: &Verb, ctx: &mut Ctx<'_>) {
        let part = match verb {
            Verb::Say(say) if !say.text.is_empty() => Some(Part::say(say)),
            Verb::Play(play) => Part::play(play),
            Verb::Pause(pause) => Some(Part::Silence { ms: pause.length_s.saturating_mul(1_000) }),
            _ => None,
        };
        match part {
            Some(part) => self.wait_hears(part, ctx),
            None => self.wait_verb_over(ctx),
        }
    }

    fn wait_verb_over(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(interpreter) = self.wait_interpreter() {
            interpreter.handle(twiml::Input::VerbDone(After::Next), ctx.now);
        }
    }

    fn wait_hears(&mut self, part: Part, ctx: &mut Ctx<'_>) {
        let (sid, leg) = (self.sid(), self.leg.id);
        let Running::Conference(run) = &mut self.running else { return };
        let Some(waiting) = &mut run.waiting else { return };
        let prompting = waiting.prompting.insert(Prompting::begin(sid, vec![part], ctx));
        if prompting.is_ready() {
            prompting.play(sid, leg, ctx);
        }
    }
}
