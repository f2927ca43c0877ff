//! One call: a leg, the document that decides about it, and the verb that runs.
//!
//! The call is where the three cores meet, so its own methods only pass things on: what a verb does stands
//! in the verb's file, answering in `answer`, dialling in `originate`, ending in `hangup`.

use std::collections::BTreeMap;

use base::{CallSid, Mono, RecordingSid, SiprecSid, StreamSid};
use media::PlayId;
use twiml::{After, CallStatus, ConnectService, DialCallStatus, Interpreter, Level, Verb};

use crate::application::ApplicationRun;
use crate::child::ChildOf;
use crate::conference_dial::ConferenceRun;
use crate::conference_invite::Invitation;
use crate::ctx::{Asked, Ctx, Mail};
use crate::debugger;
use crate::dequeue::DequeueRun;
use crate::dial::DialRun;
use crate::enqueue::EnqueueRun;
use crate::gather::GatherRun;
use crate::kept::Kept;
use crate::leg::Leg;
use crate::office::Application;
use crate::outbound::Outbound;
use crate::outcome::{Cause, Outcome};
use crate::play::PlayRun;
use crate::prompt::Prompting;
use crate::record::{CallRow, EventKind, NotificationRow, StoreItem};
use crate::record_verb::{OwedAction, RecordRun, Recording, WholeCall};
use crate::refer::ReferRun;
use crate::route::Who;
use crate::siprec::Siprec;
use crate::stream::{ConnectRun, Stream};
use crate::texml::KeptBack;
use crate::timers::Timer;
use crate::trace::describe;
use crate::transcription::LiveTranscription;
use crate::transfer::{Transfer, is_for_transfer};
use crate::user_message::UserMessages;
use crate::wait::{Wait, is_for_wait};

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
    pub(crate) outbound: Option<Outbound>,
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
    documents: Documents,
    /// Why it was ended; set once.
    pub(crate) ended: Option<Cause>,
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

    /// Begins the application's first document.
    pub(crate) fn start(&mut self, application: &Application, ctx: &mut Ctx<'_>) {
        let fallback = application.fallback.as_ref().map(|f| (f.url.clone(), f.method));
        let interpreter = Interpreter::new(fallback, application.dialect);
        self.interpret(interpreter, application.voice.clone(), ctx);
    }

    /// Begins a document with this interpreter.
    pub(crate) fn interpret(
        &mut self,
        mut interpreter: Interpreter,
        source: twiml::Source,
        ctx: &mut Ctx<'_>,
    ) {
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

    /// Counts one more document; true when they follow each other too fast.
    pub(crate) fn asks_too_often(&mut self, ctx: &Ctx<'_>) -> bool {
        self.documents.is_running_wild(ctx.now.mono)
    }

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

    /// The call is answered and its audio agreed on.
    pub(crate) fn on_up(&mut self, ctx: &mut Ctx<'_>) {
        match std::mem::replace(&mut self.running, Running::Nothing) {
            Running::Answering(verb) => self.begin(*verb, ctx),
            Running::AnsweringToApologise { code } => self.apologise(code, ctx),
            Running::Dial(run) => {
                self.running = Running::Dial(run);
                self.dial_caller_up(ctx);
            }
            other => self.running = other,
        }
        self.drive(ctx);
    }

    pub(crate) fn on_fetched(
        &mut self,
        id: u64,
        result: Result<twiml::Fetched, twiml::FetchFailure>,
        ctx: &mut Ctx<'_>,
    ) {
        ctx.cancel_timer(self.sid(), Timer::Stuck);
        let text = match &result {
            Ok(fetched) => {
                format!("{} {} bytes from {}", fetched.status, fetched.body.len(), twiml::shown(&fetched.url))
            }
            Err(failure) => format!("{} {}", failure.code, failure.message),
        };
        self.trace(EventKind::Fetch, text, ctx);
        if is_for_wait(id) {
            self.wait_fetched(id, result, ctx);
        } else if is_for_transfer(id) {
            self.transfer_fetched(id, result, ctx);
        } else if let Some(interpreter) = &mut self.interpreter {
            interpreter.handle(twiml::Input::Fetched { id, result }, ctx.now);
        }
        self.drive(ctx);
    }

    pub(crate) fn on_sound(&mut self, key: &media::ClipKey, result: &Result<(), String>, ctx: &mut Ctx<'_>) {
        if let Err(why) = result {
            self.warn(SOUND_FAILED, format!("a sound cannot be had and is left out: {why}"), ctx);
        }
        let good = result.is_ok();
        self.heard(ctx, |call, ctx| {
            let (leg, sid) = (call.leg.id, call.row.sid);
            if let Some(prompting) = call.running.prompting()
                && prompting.on_sound(key, good)
                && !prompting.play(sid, leg, ctx)
            {
                call.on_prompted(ctx);
            }
        });
        self.drive(ctx);
    }

    pub(crate) fn on_played(&mut self, play: PlayId, ctx: &mut Ctx<'_>) {
        self.heard(ctx, |call, ctx| {
            let ours = match call.running.prompting() {
                Some(prompting) => prompting.is(play),
                None => false,
            };
            if ours {
                call.on_prompted(ctx);
            } else if let Running::Play(run) = &call.running
                && run.sends(play)
            {
                call.verb_done(After::Next, ctx);
            } else {
                call.callee_played(play, ctx);
            }
        });
        self.drive(ctx);
    }

    /// What was to be heard has been heard.
    fn on_prompted(&mut self, ctx: &mut Ctx<'_>) {
        match &self.running {
            Running::Play(_) => self.verb_done(After::Next, ctx),
            Running::Gather(_) => self.gather_prompted(ctx),
            Running::Apology(_) => self.end(Cause::Document, ctx),
            Running::Nothing
            | Running::Answering(_)
            | Running::AnsweringToApologise { .. }
            | Running::Pause
            | Running::Record(_)
            | Running::Connect(_)
            | Running::Echo
            | Running::Dial(_)
            | Running::Refer(_)
            | Running::Conference(_)
            | Running::Enqueue(_)
            | Running::Dequeue(_) => {}
        }
    }

    pub(crate) fn on_digit(&mut self, digit: char, ctx: &mut Ctx<'_>) {
        self.trace(EventKind::Media, format!("key {digit}"), ctx);
        self.tell_key(digit, ctx);
        if self.wait.is_some() {
            self.heard(ctx, |call, ctx| {
                if let Running::Gather(_) = &call.running {
                    call.gather_digit(digit, ctx);
                }
            });
        }
        match &self.running {
            Running::Gather(_) => self.gather_digit(digit, ctx),
            Running::Record(_) => self.record_digit(digit, ctx),
            Running::Dial(_) => self.dial_digit(digit, ctx),
            Running::Conference(_) => self.conference_digit(digit, ctx),
            Running::Dequeue(_) => self.dequeue_digit(digit, ctx),
            Running::Connect(_) => self.connect_digit(digit, ctx),
            // A key pressed before a Gather began is not typed ahead (reference: twiml-voice §7).
            Running::Nothing
            | Running::Answering(_)
            | Running::AnsweringToApologise { .. }
            | Running::Pause
            | Running::Play(_)
            | Running::Refer(_)
            | Running::Enqueue(_)
            | Running::Echo
            | Running::Apology(_) => {}
        }
        self.drive(ctx);
    }

    pub(crate) fn on_timer(&mut self, timer: Timer, ctx: &mut Ctx<'_>) {
        match timer {
            Timer::Pause => self.heard(ctx, |call, ctx| {
                if matches!(call.running, Running::Pause) {
                    call.verb_done(After::Next, ctx);
                }
            }),
            Timer::Gather => self.heard(ctx, Call::gather_timeout),
            Timer::Wait => self.wait_again(ctx),
            Timer::DialRing if matches!(self.running, Running::Dequeue(_)) => self.dequeue_timeout(ctx),
            Timer::DialLimit if matches!(self.running, Running::Dequeue(_)) => self.release_caller(ctx),
            Timer::DialRing if self.rings_in_vain() => self.end(Cause::Released { timeout: true }, ctx),
            Timer::DialRing => self.dial_ring_timeout(ctx),
            Timer::DialLimit if matches!(self.running, Running::Conference(_)) => self.conference_left(ctx),
            Timer::DialLimit => self.dial_limit(ctx),
            Timer::Refer => self.refer_silent(ctx),
            Timer::CallLimit => self.end(Cause::TimeLimit, ctx),
            Timer::Way => self.way_silent(ctx),
            Timer::Open => self.on_open_failed("no port within the time", ctx),
            Timer::Linger => self.on_linger(ctx),
            Timer::Stuck => self.overdue(ctx),
            Timer::Key => self.pass_held_keys(ctx),
            Timer::InfoKey => self.next_info_key(ctx),
            Timer::Siprec => self.siprec_overdue(ctx),
            Timer::Application => self.application_limit(ctx),
        }
        self.drive(ctx);
    }

    pub(crate) fn on_mail(&mut self, mail: Mail, ctx: &mut Ctx<'_>) {
        match mail {
            Mail::ChildRinging { child, early } => self.dial_child_ringing(child, early, ctx),
            Mail::ChildAnswered { child } => self.dial_child_answered(child, ctx),
            Mail::ChildReady { child, leg, codec } => self.dial_child_ready(child, leg, codec, ctx),
            Mail::ChildEnded { child, outcome, sip } => self.dial_child_ended(child, outcome, sip, ctx),
            Mail::ChildLeft { child } => self.dial_child_left(child, ctx),
            // It may have left its parent meanwhile.
            Mail::Release { .. } if self.child.is_none() => {}
            Mail::Release { .. } if self.kept_released() => {}
            Mail::Release { timeout } => match &mut self.transfer {
                Some(transfer) => transfer.alone = true,
                None => self.end(Cause::Released { timeout }, ctx),
            },
            Mail::Transfer { by, to } => self.on_transfer(by, *to, ctx),
            Mail::Transferred { code } => self.on_transferred(code, ctx),
            Mail::Recorded { recording, since } => self.recorded_whole = Some((recording, since)),
            Mail::Bridged { codec, adapt } => self.on_bridged(codec, adapt, ctx),
            Mail::Key { .. } if self.kept.is_some() => {}
            Mail::Key { digit, by_media } => self.pass_key_on(digit, by_media, ctx),
            Mail::CallerWaits(queue) => self.caller_waits(queue, ctx),
            Mail::Dequeued { by, stay, whisper } => self.dequeued(by, stay, whisper, ctx),
            Mail::CallerReady { caller, leg, codec } => self.caller_ready(caller, leg, codec, ctx),
            Mail::CallerGone { caller, why } => self.caller_gone(caller, why, ctx),
            Mail::TakerGone { taker } => self.taker_gone(taker, ctx),
            Mail::ConferenceStarted(sid) => self.conference_started(sid, ctx),
            Mail::ConferenceChanged(sid) => self.conference_changed(sid, ctx),
            Mail::ConferenceOver(sid) => self.conference_over(sid, ctx),
        }
        self.drive(ctx);
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

    /// Something outside that always answers did not: give the waiting part a failure instead of waiting on.
    fn overdue(&mut self, ctx: &mut Ctx<'_>) {
        let ours: Vec<_> = ctx
            .shared
            .fetches
            .iter()
            .filter(|(_, (sid, _))| *sid == self.sid())
            .map(|(id, (_, theirs))| (*id, *theirs))
            .collect();
        for (id, theirs) in ours {
            ctx.shared.fetches.remove(&id);
            let failure = twiml::FetchFailure::new(11200, "no answer at all");
            self.on_fetched(theirs, Err(failure), ctx);
        }
        self.stream_overdue(ctx);
        let keys = self.prompting().map(|p| p.waiting()).unwrap_or_default();
        for key in keys {
            if let Some(waiting) = ctx.shared.sounds.get_mut(&key) {
                waiting.remove(&self.row.sid);
            }
            self.on_sound(&key, &Err("it was not ready in time".to_owned()), ctx);
        }
    }

    /// A finding of the interpreter becomes a notification of the call.
    pub(crate) fn notify(&mut self, finding: &twiml::Finding, url: Option<String>, ctx: &mut Ctx<'_>) {
        let row = NotificationRow {
            url,
            line: Some(finding.line).filter(|line| *line > 0),
            column: Some(finding.column).filter(|column| *column > 0),
            ..notification(self.sid(), finding.code, finding.level, finding.message.clone(), ctx)
        };
        let exchange = ctx.shared.exchanges.latest(self.sid());
        let row =
            match exchange.filter(|exchange| row.url.as_deref().is_some_and(|url| exchange.concerns(url))) {
                Some(exchange) => debugger::with_exchange(row, exchange),
                None => row,
            };
        self.trace(EventKind::Note, format!("{} {}", finding.code, finding.message), ctx);
        ctx.store(StoreItem::Notification(row));
    }

    /// A warning of the call itself.
    pub(crate) fn warn(&mut self, code: u32, message: String, ctx: &mut Ctx<'_>) {
        self.trace(EventKind::Note, format!("{code} {message}"), ctx);
        let row = notification(self.sid(), code, Level::Warning, message, ctx);
        ctx.store(StoreItem::Notification(row));
    }

    /// Changes the status, in the record and in what webhooks say.
    pub(crate) fn set_status(&mut self, status: CallStatus, ctx: &mut Ctx<'_>) {
        self.row.status = status;
        self.row.updated = ctx.now.wall;
        self.facts.status = status;
        ctx.store(StoreItem::Call(self.row.clone()));
    }
}

/// How many documents a call asked for in the last while.
///
/// The interpreter counts redirects; documents can also chase each other through the actions of verbs that take
/// no time, such as a `<Dial>` of nobody. Neither a call nor the web server is to spin (error 11215).
#[derive(Clone, Copy, Debug, Default)]
struct Documents {
    since: Mono,
    count: u32,
}

impl Documents {
    /// Beyond what the interpreter itself lets redirects do.
    const MAX: u32 = 250;
    const WHILE: std::time::Duration = std::time::Duration::from_secs(10);

    /// Counts one more; true when they are too many.
    fn is_running_wild(&mut self, now: Mono) -> bool {
        if now.since(self.since) > Self::WHILE {
            *self = Self { since: now, count: 0 };
        }
        self.count += 1;
        // The one after the first too many is the fallback's chance to do better.
        self.count > Self::MAX && self.count != Self::MAX + 2
    }
}

/// A notification that is about no place in a document.
pub(crate) fn notification(
    call: CallSid,
    code: u32,
    level: Level,
    message: String,
    ctx: &mut Ctx<'_>,
) -> NotificationRow {
    NotificationRow {
        sid: base::NotificationSid::random(&mut ctx.shared.rng),
        call: Some(call),
        at: ctx.now.wall,
        code,
        level,
        message,
        url: None,
        method: None,
        line: None,
        column: None,
        request_variables: None,
        response_status: None,
        response_headers: None,
        response_body: None,
    }
}

/// Longer than any outside work may take (webhooks: 15 s in all; sounds: 20 s).
pub(crate) const OVERDUE: std::time::Duration = std::time::Duration::from_secs(40);

/// Media could not be fetched (reference: twiml-voice §5).
const SOUND_FAILED: u32 = 11200;
