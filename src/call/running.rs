//! The verb that runs, and how the next one is begun.

use twiml::{After, ConnectService, DialCallStatus, Verb};

use crate::call::Call;
use crate::conference_dial::ConferenceRun;
use crate::ctx::Ctx;
use crate::dequeue::DequeueRun;
use crate::dial::DialRun;
use crate::enqueue::EnqueueRun;
use crate::gather::GatherRun;
use crate::outcome::Cause;
use crate::play::PlayRun;
use crate::prompt::Prompting;
use crate::record::EventKind;
use crate::record_verb::RecordRun;
use crate::refer::ReferRun;
use crate::stream::ConnectRun;
use crate::trace::describe;

/// The verb that runs.
#[derive(Clone, Debug)]
pub(crate) enum Running {
    /// None: a document is awaited, or the call is bridged by its parent.
    Nothing,
    /// This one, as soon as the call is answered.
    Answering(Box<Verb>),
    Pause,
    Play(PlayRun),
    Gather(GatherRun),
    Record(RecordRun),
    Dial(DialRun),
    Refer(Box<ReferRun>),
    Conference(Box<ConferenceRun>),
    Enqueue(Box<EnqueueRun>),
    Dequeue(Box<DequeueRun>),
    Connect(ConnectRun),
    Echo,
    /// The announcement that something is broken, as soon as the call is answered.
    AnsweringToApologise {
        code: u32,
    },
    /// The announcement that something is broken; the call ends after it.
    Apology(Prompting),
}

impl Running {
    /// For `tandem calls`.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Running::Nothing => "",
            Running::Answering(_) | Running::AnsweringToApologise { .. } => "answering",
            Running::Pause => "pause",
            Running::Play(_) => "play",
            Running::Gather(_) => "gather",
            Running::Record(_) => "record",
            Running::Dial(_) => "dial",
            Running::Refer(_) => "refer",
            Running::Conference(_) => "conference",
            Running::Enqueue(_) => "enqueue",
            Running::Dequeue(_) => "dial queue",
            Running::Connect(_) => "connect",
            Running::Echo => "echo",
            Running::Apology(_) => "apology",
        }
    }
}

impl Call {
    /// Begins a verb: at once, or once the call is answered.
    pub(crate) fn begin(&mut self, verb: Verb, ctx: &mut Ctx<'_>) {
        let needs_answer = match &verb {
            Verb::Say(_)
            | Verb::Play(_)
            | Verb::Gather(_)
            | Verb::Record(_)
            | Verb::Refer(_)
            | Verb::Enqueue(_) => true,
            Verb::Dial(dial) => {
                !dial.answer_on_bridge || dial.conference().is_some() || dial.queue().is_some()
            }
            Verb::Start(_) | Verb::Echo => true,
            Verb::Connect(connect) => matches!(connect.service, ConnectService::Stream(_)),
            Verb::Pause(_)
            | Verb::Stop(_)
            | Verb::Hangup
            | Verb::Reject(_)
            | Verb::Redirect(_)
            | Verb::Leave => false,
        };
        if needs_answer && !self.leg.is_up() {
            self.running = Running::Answering(Box::new(verb));
            self.answer(ctx);
            return;
        }
        self.trace(EventKind::Verb, describe(&verb), ctx);
        if Self::takes_over(&verb) {
            self.kept_answered(ctx);
        }
        match verb {
            Verb::Say(say) => self.begin_say(say, ctx),
            Verb::Play(play) => self.begin_play(play, ctx),
            Verb::Gather(gather) => self.begin_gather(gather, ctx),
            Verb::Record(record) => self.begin_record(record, ctx),
            Verb::Dial(dial) => match (dial.conference().cloned(), dial.queue().cloned()) {
                (Some(noun), _) => self.begin_conference(dial, &noun, ctx),
                (None, Some(noun)) => self.begin_dequeue(dial, noun, ctx),
                (None, None) => match dial.application().cloned() {
                    Some(noun) => self.begin_application(dial, &noun, ctx),
                    None => self.begin_dial(dial, ctx),
                },
            },
            Verb::Refer(refer) => self.begin_refer(refer, ctx),
            Verb::Enqueue(enqueue) => self.begin_enqueue(enqueue, ctx),
            Verb::Start(start) => self.begin_start(&start, ctx),
            Verb::Stop(stop) => self.begin_stop(&stop, ctx),
            Verb::Connect(connect) => self.begin_connect(connect, ctx),
            Verb::Echo => self.begin_echo(ctx),
            Verb::Pause(pause) => self.begin_pause(pause, ctx),
            // A transfer that is only tried comes to its end: nobody is cut off who could be gone back to.
            Verb::Hangup | Verb::Reject(_) if self.kept.is_some() => self.kept_failed(ctx),
            // An application that was dialled ends for itself alone.
            Verb::Hangup | Verb::Reject(_) if !self.applications.is_empty() => {
                self.application_over(DialCallStatus::Completed, ctx);
            }
            Verb::Hangup => self.end(Cause::Document, ctx),
            Verb::Reject(reject) => self.end(Cause::Rejected { busy: reject.busy }, ctx),
            // Outside a queue's wait document there is nothing to leave (reference: twiml-voice §11.2), and
            // the interpreter carries redirects out itself.
            Verb::Leave | Verb::Redirect(_) => self.verb_done(After::Next, ctx),
        }
    }

    /// The verb is over; what follows is the interpreter's to say.
    pub(crate) fn verb_done(&mut self, after: After, ctx: &mut Ctx<'_>) {
        self.running = Running::Nothing;
        if let Some(interpreter) = &mut self.interpreter {
            interpreter.handle(twiml::Input::VerbDone(after), ctx.now);
        }
    }
}
