//! What a call may touch besides itself while one input is handled.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::{
    CallSid, ConferenceSid, ExpiringMap, Mono, Now, QueueSid, RecordingSid, Rng, StreamSid, TranscriptionSid,
};
use media::{ClipKey, CodecKind, LegId, PlayId};
use sip::SessionId;
use twiml::{DialSip, Dialect, Exchange, HttpMethod, QueueStay};

use crate::call::Call;
use crate::conference_announce::Announcement;
use crate::conferences::Conferences;
use crate::exchange::Exchanges;
use crate::io::{FetchId, FetchKind, FetchRequest, HearingId, Output, SoundSource};
use crate::load::Ledger;
use crate::office::Office;
use crate::outcome::Outcome;
use crate::phones::Returning;
use crate::queue::Queues;
use crate::record::StoreItem;
use crate::record_verb::Recording;
use crate::siprec::RecorderIndex;
use crate::taskrouter::TaskRouter;
use crate::timers::{Timer, Timers};
use crate::to_application::OwnCall;
use crate::transcribe::Transcribing;
use crate::transfer::Elsewhere;
use crate::turn::Lines;

/// What calls tell each other. Delivered by the node after the sender is done, so that no call ever runs
/// inside another.
#[derive(Clone, Debug)]
pub(crate) enum Mail {
    /// To the dialling call: this child rings.
    ChildRinging {
        child: CallSid,
        /// Its leg and what it speaks, when the callee already sends sound.
        early: Option<(LegId, CodecKind)>,
    },
    /// To the dialling call: this child was answered; it may still hear a whisper.
    ChildAnswered { child: CallSid },
    /// To the dialling call: this child is ready to be bridged.
    ChildReady {
        child: CallSid,
        leg: LegId,
        /// What it speaks.
        codec: CodecKind,
    },
    /// To the dialling call: this child is over.
    ChildEnded {
        child: CallSid,
        outcome: Outcome,
        /// What its `<Sip>` is owed in the action request.
        sip: Option<Box<DialSip>>,
    },
    /// To the dialling call: this child was sent to a document of its own.
    ChildLeft { child: CallSid },
    /// To a child: your parent has no use for you any more.
    Release {
        /// Because nobody answered in time.
        timeout: bool,
    },
    /// To a child: you are bridged.
    Bridged {
        /// What your parent speaks.
        codec: CodecKind,
        /// Whether you alone can spare both of you the transcoding.
        adapt: bool,
    },
    /// To whom it is bridged with: my peer has me speak this now.
    Speaks { codec: CodecKind },
    /// To a child: what you say and hear is being recorded.
    Recorded {
        recording: RecordingSid,
        /// When that began.
        since: Mono,
    },
    /// To a bridged party: whom you talk to connects you elsewhere.
    Transfer { by: CallSid, to: Box<Elsewhere> },
    /// To whoever transferred: this became of it, as a SIP code.
    Transferred { code: u16 },
    /// To whom it is bridged with: my peer pressed a key.
    Key {
        digit: char,
        /// The media plane passes it on as a telephone event or a tone.
        by_media: bool,
    },
    /// To somebody who waits for a caller of this queue: there is one.
    CallerWaits(QueueSid),
    /// To a queued call: you are taken out.
    Dequeued {
        by: CallSid,
        stay: QueueStay,
        /// What you hear before you are connected.
        whisper: Option<(String, HttpMethod)>,
    },
    /// To who took a queued call: it is ready to be bridged.
    CallerReady {
        caller: CallSid,
        leg: LegId,
        /// What it speaks.
        codec: CodecKind,
    },
    /// To who took a queued call: it is gone.
    CallerGone { caller: CallSid, why: CallerGone },
    /// To a queued call: who took you is gone, or lets you go.
    TakerGone { taker: CallSid },
    /// To somebody in a conference: it begins.
    ConferenceStarted(ConferenceSid),
    /// To somebody in a conference: it may be another part in it from now on.
    ConferenceChanged(ConferenceSid),
    /// To somebody who was in a conference, or called to come: it is over.
    ConferenceOver(ConferenceSid),
}

/// Why a call that was taken out of its queue is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallerGone {
    /// It hung up.
    HungUp,
    /// Somebody moved it to another document.
    Redirected,
    /// What it was to hear before it is connected cannot be had.
    InError,
}

/// What an answer from outside belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The call's interpreter asked, with its own id.
    Interpreter(u64),
    /// A status callback: only its failure is of interest.
    Callback,
    /// Likewise, of a conference.
    ConferenceCallback(ConferenceSid),
    /// The debugger webhook; its failure is only counted.
    Debugger,
    /// A workspace's event callback, likewise.
    RouterEvent,
}

/// The state of the node that all calls share.
pub(crate) struct Shared {
    pub(crate) rng: Rng,
    pub(crate) endpoint: sip::Endpoint,
    pub(crate) returning: Returning,
    pub(crate) user_agent: String,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) timers: Timers,
    pub(crate) mail: VecDeque<(CallSid, Mail)>,
    pub(crate) births: VecDeque<Call>,
    pub(crate) sessions: BTreeMap<SessionId, CallSid>,
    pub(crate) legs: BTreeMap<LegId, CallSid>,
    /// Documents that calls wait for: their call and their interpreter's own id.
    pub(crate) fetches: BTreeMap<FetchId, (CallSid, u64)>,
    /// Calls whose documents are of the other dialect.
    pub(crate) texml: BTreeSet<CallSid>,
    /// Requests to web servers and their answers.
    pub(crate) exchanges: Exchanges,
    /// Warnings and errors so far, by their code.
    pub(crate) notifications: BTreeMap<u32, u64>,
    /// Status callbacks that may still fail; a success is not reported.
    pub(crate) callbacks: ExpiringMap<FetchId, (CallSid, Asked)>,
    pub(crate) sounds: BTreeMap<ClipKey, BTreeSet<CallSid>>,
    /// Listenings that run, and whose they are.
    pub(crate) hearings: BTreeMap<HearingId, CallSid>,
    /// Recordings whose words are being found out.
    pub(crate) transcribing: BTreeMap<TranscriptionSid, Transcribing>,
    pub(crate) conferences: Conferences,
    /// What is being announced in them, by its voice.
    pub(crate) announcements: BTreeMap<CallSid, Announcement>,
    pub(crate) queues: Queues,
    pub(crate) router: TaskRouter,
    /// Media streams the shell was asked for, until they are over.
    pub(crate) streams: BTreeMap<StreamSid, CallSid>,
    /// Sessions and legs with recorders.
    pub(crate) recorders: RecorderIndex,
    /// Of whole conferences: one each, until its file is complete.
    pub(crate) conference_recordings: BTreeMap<RecordingSid, Recording>,
    pub(crate) load: Ledger,
    /// Calls that wait until their trunk takes another.
    pub(crate) lines: Lines,
    /// Applications that are called, until their call comes in, by the name it comes by.
    pub(crate) own_calls: ExpiringMap<String, OwnCall>,
    pub(crate) next_id: u64,
}

/// One input's view of the node.
pub(crate) struct Ctx<'a> {
    pub(crate) now: Now,
    pub(crate) office: &'a Office,
    pub(crate) shared: &'a mut Shared,
}

impl Ctx<'_> {
    /// Gives the SIP endpoint a command.
    pub(crate) fn sip(&mut self, command: sip::Command) {
        self.shared.endpoint.handle(sip::Input::Command(command), self.now);
    }

    /// Tells the media plane.
    pub(crate) fn media(&mut self, command: media::Command) {
        self.shared.outputs.push_back(Output::Media(command));
    }

    /// Writes a row. A notification is counted, and told to the debugger webhook.
    pub(crate) fn store(&mut self, item: StoreItem) {
        if let StoreItem::Notification(row) = &item {
            crate::debugger::tell(row, self);
        }
        self.shared.outputs.push_back(Output::Store(item));
    }

    /// Sends mail to another call.
    pub(crate) fn mail(&mut self, to: CallSid, mail: Mail) {
        self.shared.mail.push_back((to, mail));
    }

    /// Likewise, overtaking all that waits: what must be told before anything else that this step caused.
    pub(crate) fn mail_first(&mut self, to: CallSid, mail: Mail) {
        self.shared.mail.push_front((to, mail));
    }

    /// Whether the office has as many legs as it may have.
    pub(crate) fn is_full(&self) -> bool {
        self.shared.legs.len() + self.shared.births.len() >= self.office.limits.calls_max
    }

    /// Whether a trunk carries as many calls as it may.
    pub(crate) fn is_trunk_full(&self, trunk: &str) -> bool {
        let calls_max = self.office.trunks.get(trunk).and_then(|trunk| trunk.calls_max);
        calls_max.is_some_and(|max| self.shared.load.on_trunk(trunk) >= max)
    }

    /// Sets a timer of a call.
    pub(crate) fn timer(&mut self, call: CallSid, timer: Timer, after: Duration) {
        self.shared.timers.set(call, timer, self.now.mono + after);
    }

    /// Stops a timer of a call.
    pub(crate) fn cancel_timer(&mut self, call: CallSid, timer: Timer) {
        self.shared.timers.cancel(call, timer);
    }

    /// A number never given before: sessions, legs, plays and fetches draw from one sequence.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.shared.next_id += 1;
        self.shared.next_id
    }

    /// A new play's name.
    pub(crate) fn next_play(&mut self) -> PlayId {
        PlayId(self.next_id())
    }

    /// Asks a web server on behalf of a call.
    pub(crate) fn fetch(
        &mut self,
        call: CallSid,
        asked: Asked,
        url: String,
        method: HttpMethod,
        params: Vec<(String, String)>,
    ) {
        let id = FetchId(self.next_id());
        let kind = match asked {
            Asked::Interpreter(_) => FetchKind::Document,
            Asked::Callback => FetchKind::StatusCallback,
            Asked::RouterEvent => FetchKind::RouterEvent,
            Asked::ConferenceCallback(conference) => FetchKind::ConferenceCallback(conference),
            Asked::Debugger => FetchKind::Debugger,
        };
        match asked {
            Asked::Interpreter(theirs) => {
                self.shared.fetches.insert(id, (call, theirs));
                let exchange = Exchange::asked(&url, method, &params);
                self.shared.exchanges.document_asked(id, call, exchange, self.now);
            }
            Asked::Callback | Asked::ConferenceCallback(_) | Asked::Debugger | Asked::RouterEvent => {
                if matches!(asked, Asked::Callback | Asked::ConferenceCallback(_)) {
                    let exchange = Exchange::asked(&url, method, &params);
                    self.shared.exchanges.asked(id, call, exchange, self.now);
                }
                self.shared.callbacks.insert(id, (call, asked), self.now.mono + CALLBACK_FORGOTTEN);
            }
        }
        let dialect = if self.shared.texml.contains(&call) { Dialect::Texml } else { Dialect::Twiml };
        let request = FetchRequest { id, call, kind, dialect, url, method, params };
        self.shared.outputs.push_back(Output::Fetch(request));
    }

    /// Gives up what this call's documents still wait for (reference: webhooks §7); status callbacks go on.
    pub(crate) fn abort_fetches(&mut self, call: CallSid) {
        let theirs: Vec<FetchId> =
            self.shared.fetches.iter().filter(|(_, (sid, _))| *sid == call).map(|(id, _)| *id).collect();
        for id in theirs {
            self.shared.fetches.remove(&id);
            self.shared.exchanges.given_up(id);
            self.shared.outputs.push_back(Output::Abort(id));
        }
    }

    /// Asks for a sound; the call hears when it is ready. Many callers of one sound ask once.
    pub(crate) fn prepare(&mut self, call: CallSid, key: &ClipKey, source: SoundSource) {
        let waiting = self.shared.sounds.entry(key.clone()).or_default();
        let first = waiting.is_empty();
        waiting.insert(call);
        if first {
            self.shared.outputs.push_back(Output::Prepare { key: key.clone(), source });
        }
    }
}

/// How long a status callback's failure is still of interest.
pub(crate) const CALLBACK_FORGOTTEN: Duration = Duration::from_secs(300);

/// Status callbacks remembered at once; beyond it the oldest fails unseen.
pub(crate) const CALLBACKS_MAX: usize = 20_000;
