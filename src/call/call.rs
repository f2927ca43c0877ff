//! One call: a leg, the document that decides about it, and the verb that runs.
//!
//! The call is where the three cores meet, so its own methods only pass things on: what a verb does stands
//! in the verb's file, beginning one in `running`, what arrives in `inputs`, answering in `answer`, dialling in
//! `originate`, ending in `hangup`.

use std::collections::BTreeMap;

use base::{CallSid, Mono, RecordingSid, SiprecSid, StreamSid};
use twiml::{CallStatus, DialCallStatus, Interpreter, Source};

use crate::application::ApplicationRun;
use crate::child::ChildOf;
use crate::conference_invite::Invitation;
use crate::ctx::{Asked, Ctx};
use crate::documents::Documents;
use crate::fault::Fault;
use crate::kept::Kept;
use crate::leg::Leg;
use crate::office::Application;
use crate::outbound::Outbound;
use crate::outcome::{Cause, Outcome};
use crate::record::{CallRow, EventKind, StoreItem};
use crate::record_verb::{OwedAction, Recording, WholeCall};
use crate::route::Who;
use crate::siprec::Siprec;
use crate::stream::Stream;
use crate::texml::KeptBack;
use crate::timers::Timer;
use crate::transcription::LiveTranscription;
use crate::transfer::Transfer;
use crate::user_message::UserMessages;
use crate::wait::Wait;

pub(crate) use crate::notes::notification;
pub(crate) use crate::running::Running;

/// One call (leg), from its first message to its record.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) row: CallRow,
    pub(crate) leg: Leg,
    /// The document being executed; none on a child that is bridged without a whisper.
    pub(crate) interpreter: Option<Interpreter>,
    pub(crate) running: Running,
    /// What is heard while that verb waits.
    pub(crate) wait: Option<Box<Wait>>,
    /// Set on a call the box makes.
    pub(crate) outbound: Option<Box<Outbound>>,
    /// Set on a call that another one dialled, until it goes its own way.
    pub(crate) child: Option<ChildOf>,
    pub(crate) facts: twiml::CallFacts,
    /// On whose behalf its document dials: what a phone may call, a carrier's call may not.
    pub(crate) dialler: Who,
    pub(crate) callback: Option<twiml::StatusCallback>,
    /// Transcriptions that run.
    pub(crate) transcriptions: Vec<LiveTranscription>,
    /// Where it is told who answered, while the call goes on.
    pub(crate) amd_callback: Option<twiml::AmdStatusCallback>,
    /// Applications that have taken it over, the innermost last.
    pub(crate) applications: Vec<ApplicationRun>,
    /// What waits while a transfer by whom it talks to is tried.
    pub(crate) kept: Option<Box<Kept>>,
    /// What an application recorded when the caller hung up: its action waits for the file.
    pub(crate) owed: Option<Box<OwedAction>>,
    /// It is being transferred by whom it talks to.
    pub(crate) transfer: Option<Box<Transfer>>,
    /// Recordings that are not complete yet.
    pub(crate) recordings: BTreeMap<RecordingSid, Recording>,
    /// Media streams that are not over.
    pub(crate) streams: BTreeMap<StreamSid, Stream>,
    /// Who hears what is told beside its sound.
    pub(crate) messages: UserMessages,
    /// Recording sessions that are not over.
    pub(crate) siprecs: BTreeMap<SiprecSid, Siprec>,
    /// The whole call is to be recorded.
    pub(crate) record_all: Option<WholeCall>,
    /// The conference it was made for, until it is there.
    pub(crate) invitation: Option<Invitation>,
    /// Seconds it may last once answered.
    pub(crate) time_limit_s: Option<u32>,
    /// How fast its documents follow each other.
    pub(crate) documents: Documents,
    /// Why it was ended; set once.
    pub(crate) ended: Option<Cause>,
    /// What the catalogue calls it, if something was wrong.
    pub(crate) fault: Option<Fault>,
    pub(crate) answered: Option<Mono>,
    /// Its record is to be deleted once it can no longer change.
    pub(crate) forgotten: bool,
    /// What the last `<Dial>` came to: the refusal of a caller whose only document was that dial.
    pub(crate) last_dial: Option<Outcome>,
    /// The Call-IDs whose messages belong to it: one, and one more for each further way it was tried.
    pub(crate) call_ids: Vec<String>,
    /// Number of the next event row.
    pub(crate) event_seq: u32,
    /// Number of the next status callback.
    pub(crate) callback_seq: u32,
    /// Its end, which is still to be told.
    pub(crate) kept_back: Option<KeptBack>,
    /// What its last `<Dial>` came to, as it is told.
    pub(crate) dialled: Option<twiml::DialOutcome>,
    /// The recording that its end is told with, and since when it runs.
    pub(crate) recorded_whole: Option<(RecordingSid, Mono)>,
    /// When an answered call ended.
    pub(crate) answered_until: Option<Mono>,
}

impl Call {
    pub(crate) fn new(row: CallRow, leg: Leg, facts: twiml::CallFacts) -> Self {
        Self {
            row,
            leg,
            interpreter: None,
            running: Running::Nothing,
            outbound: None,
            wait: None,
            child: None,
            facts,
            dialler: Who::Api,
            callback: None,
            amd_callback: None,
            transcriptions: Vec::new(),
            applications: Vec::new(),
            kept: None,
            transfer: None,
            owed: None,
            recordings: BTreeMap::new(),
            streams: BTreeMap::new(),
            messages: UserMessages::default(),
            siprecs: BTreeMap::new(),
            record_all: None,
            invitation: None,
            time_limit_s: None,
            documents: Documents::default(),
            ended: None,
            fault: None,
            forgotten: false,
            answered: None,
            last_dial: None,
            call_ids: Vec::new(),
            event_seq: 0,
            callback_seq: 0,
            kept_back: None,
            dialled: None,
            recorded_whole: None,
            answered_until: None,
        }
    }

    pub(crate) fn sid(&self) -> CallSid {
        self.row.sid
    }

    /// Whether nothing of it is left to wait for.
    pub(crate) fn is_gone(&self) -> bool {
        self.ended.is_some() && self.leg.is_gone() && self.recordings.is_empty()
    }

    /// Begins the application's first document, which is asked for with these parameters besides those of every call.
    pub(crate) fn start(
        &mut self,
        application: &Application,
        parameters: Vec<(String, String)>,
        ctx: &mut Ctx<'_>,
    ) {
        let fallback = application.fallback.as_ref().map(|f| (f.url.clone(), f.method));
        let mut interpreter = Interpreter::new(fallback, application.dialect);
        match application.voice.clone() {
            Source::Url { url, method } if !parameters.is_empty() => {
                interpreter.start_with(url, method, parameters);
                self.interpreter = Some(interpreter);
                self.drive(ctx);
            }
            source => self.interpret(interpreter, source, ctx),
        }
    }

    /// Begins a document with this interpreter.
    pub(crate) fn interpret(&mut self, mut interpreter: Interpreter, source: Source, ctx: &mut Ctx<'_>) {
        interpreter.handle(twiml::Input::Start(source), ctx.now);
        self.interpreter = Some(interpreter);
        self.drive(ctx);
    }

    /// Does what the interpreter wants until it waits for something.
    pub(crate) fn drive(&mut self, ctx: &mut Ctx<'_>) {
        if self.is_inside() {
            // Of the wait document: `wait` does what its interpreter wants.
            return;
        }
        while let Some(output) = self.interpreter.as_mut().and_then(Interpreter::poll_output) {
            match output {
                twiml::Output::Fetch { id, url, method, params } => {
                    if self.asks_too_often(ctx) {
                        let message = "documents follow each other without anything to hear".to_owned();
                        let failure = twiml::FetchFailure::new(11215, message);
                        let input = twiml::Input::Fetched { id, result: Err(failure) };
                        if let Some(interpreter) = &mut self.interpreter {
                            interpreter.handle(input, ctx.now);
                        }
                        continue;
                    }
                    self.trace(EventKind::Fetch, format!("{} {}", method.as_str(), twiml::shown(&url)), ctx);
                    let mut all = twiml::standard_params(&self.facts);
                    all.extend(params);
                    ctx.fetch(self.sid(), Asked::Interpreter(id), url, method, all);
                    ctx.timer(self.sid(), Timer::Stuck, OVERDUE);
                }
                twiml::Output::Notify(finding, url) => self.notify(&finding, url, ctx),
                twiml::Output::Execute(verb) if self.ended.is_none() => self.begin(verb, ctx),
                twiml::Output::ApplicationError { .. } if self.ended.is_none() && self.kept.is_some() => {
                    self.kept_failed(ctx);
                }
                twiml::Output::ApplicationError { .. }
                    if self.ended.is_none() && !self.applications.is_empty() =>
                {
                    self.application_over(DialCallStatus::Failed, ctx);
                }
                twiml::Output::ApplicationError { code } if self.ended.is_none() => self.apologise(code, ctx),
                twiml::Output::Finished if self.ended.is_none() => self.document_over(ctx),
                twiml::Output::Execute(_)
                | twiml::Output::ApplicationError { .. }
                | twiml::Output::Finished => {}
            }
        }
    }

    /// The document came to its end.
    fn document_over(&mut self, ctx: &mut Ctx<'_>) {
        if self.kept.is_some() {
            self.kept_failed(ctx);
            return;
        }
        if !self.applications.is_empty() {
            self.application_over(DialCallStatus::Completed, ctx);
            return;
        }
        if self.child.is_some() && self.leg.is_up() {
            self.whisper_over(ctx);
            return;
        }
        let cause = match self.last_dial {
            Some(outcome) if !self.leg.is_up() && outcome.sip_code >= 300 => Cause::Refused(outcome.sip_code),
            Some(_) | None => Cause::Document,
        };
        self.end(cause, ctx);
    }

    /// Changes the status, in the record and in what webhooks say.
    pub(crate) fn set_status(&mut self, status: CallStatus, ctx: &mut Ctx<'_>) {
        self.row.status = status;
        self.row.updated = ctx.now.wall;
        self.facts.status = status;
        ctx.store(StoreItem::Call(self.row.clone()));
    }
}

/// Longer than any outside work may take (webhooks: 15 s in all; sounds: 20 s).
pub(crate) const OVERDUE: std::time::Duration = std::time::Duration::from_secs(40);

/// Outside work did not even fail: something is wrong with the box itself (reference: twiml-voice §18, internal).
pub(crate) const UNANSWERED: u32 = 15009;

#[cfg(test)]
mod tests {
    use super::*;

    /// A bridged call is two of them, for as long as it lasts: what few calls have is behind a pointer.
    #[test]
    fn a_call_takes_little_memory() {
        assert!(size_of::<Call>() <= 3_000, "{}", size_of::<Call>());
    }
}
