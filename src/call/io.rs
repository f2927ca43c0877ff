//! What goes into the node and what comes out of it.

use std::path::PathBuf;

use base::{AccountSid, CallSid, ConferenceSid, QueueSid, RecordingSid, StreamSid, TranscriptionSid};
use media::{ClipKey, LegId, TapId};
use serde::{Deserialize, Serialize};
use sip::{Flow, TransportKind};
use twiml::{Dialect, HttpMethod, StreamTrack, TexmlStream};

use crate::conference::ConferenceFault;
use crate::conference_invite::NewParticipant;
use crate::live::{LiveCall, LivePhone, LiveQueue, LiveQueueMember, LiveTrunk, LiveWorker, NodeStatus};
use crate::office::Office;
use crate::participant::{ConferenceRef, LiveParticipant, ParticipantOrder, ParticipantRef};
use crate::place::{NewCall, NotPlaced};
use crate::queue::QueueFault;
use crate::record::{CallRow, ConferenceRow, RecordingRow, StoreItem};
use crate::record_control::{RecordChange, RecordFault, RecordOrder};
use crate::service::{LiveService, ServiceFault, ServiceOrder};
use crate::taskrouter::{RouterAsk, RouterReply};
use crate::update::CallUpdate;

/// A media stream to be connected (reference: media-streams §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamOpen {
    /// Its name from now on.
    pub stream: StreamSid,
    /// Whose sound.
    pub call: CallSid,
    /// The account.
    pub account: AccountSid,
    /// `ws://` or `wss://`, as written in the document.
    pub url: String,
    /// Which sound.
    pub track: StreamTrack,
    /// What the start message carries.
    pub parameters: Vec<(String, String)>,
    /// Where its frames come out, once it has started.
    pub tap: TapId,
    /// Where what the application says goes in; `None`: it says nothing.
    pub feed: Option<TapId>,
    /// The other dialect's messages, and how the application's sound comes in them.
    pub texml: Option<TexmlStream>,
    /// Who called.
    pub from: String,
    /// Who was called.
    pub to: String,
}

/// Told to a media stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamAsk {
    /// The caller pressed this key.
    Key(char),
    /// End, as it should.
    Close,
}

/// Told by a media stream: it starts or fails, and what has started stops or fails, unless it was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// The server listens; its sound may come.
    Started,
    /// Something went wrong, and it goes on.
    Warning {
        /// Its number (reference: error-codes 319xx).
        code: u32,
        /// More about it, or nothing.
        message: String,
    },
    /// The application closed it.
    Stopped,
    /// It broke, or never was.
    Failed {
        /// Why, by its number (reference: error-codes 319xx).
        code: u32,
        /// More about it, or nothing.
        message: String,
    },
}

/// Which request to a web server an answer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FetchId(pub u64);

/// One event of the outside world.
#[derive(Clone, Debug)]
pub enum Input {
    /// SIP bytes, a lost connection, a resolved name. The node alone gives the endpoint commands.
    Sip(sip::Input),
    /// A web server answered, or did not.
    Fetched {
        /// The request it answers.
        id: FetchId,
        /// The answer, or why there is none.
        result: Result<twiml::Fetched, twiml::FetchFailure>,
    },
    /// The media plane reports.
    Media(media::Event),
    /// A sound asked for by [`Output::Prepare`] is ready, or cannot be had.
    Sound {
        /// The key it was asked under.
        key: ClipKey,
        /// How long it is; or a number of the error catalogue and a sentence.
        result: Result<SoundInfo, (u32, String)>,
    },
    /// Something was heard of what [`Output::Listen`] listens to.
    Speech {
        /// Which listening.
        id: HearingId,
        /// What.
        news: SpeechNews,
    },
    /// What was said in a recording, or why that is not known.
    Transcribed {
        /// Which transcription.
        sid: TranscriptionSid,
        /// The words; or a number of the error catalogue and a sentence.
        result: Result<String, (u32, String)>,
    },
    /// A media stream tells of itself.
    Stream {
        /// Which.
        stream: StreamSid,
        /// What.
        event: StreamEvent,
    },
    /// The configuration was read again; calls in progress keep what they began with.
    Office(Box<Office>),
    /// Someone at the command line or the API asks or orders.
    Command {
        /// Comes back in [`Output::Reply`].
        id: u64,
        /// What is wanted.
        command: Operator,
    },
}

/// What the owner of the node must do.
#[allow(
    clippy::large_enum_variant,
    reason = "each is moved out of the queue once, and rows are the most of them"
)]
#[derive(Clone, Debug)]
pub enum Output {
    /// Send SIP bytes.
    Transmit {
        /// Over which transport, from where, to whom.
        flow: Flow,
        /// One whole message.
        bytes: Vec<u8>,
    },
    /// Resolve a host name; answered by `sip::Input::Resolved` with the same id.
    Resolve {
        /// Comes back.
        id: u64,
        /// The name.
        host: String,
        /// Given in the URI; absent: SRV or the transport's default.
        port: Option<u16>,
        /// What it is wanted for.
        transport: TransportKind,
    },
    /// Make a request to a web server.
    Fetch(FetchRequest),
    /// Nobody waits for the answer to this document request any more: it need not be finished.
    Abort(FetchId),
    /// No more requests will be made for this call once those under way are done: cookies may go.
    CallOver(CallSid),
    /// Tell the media plane.
    Media(media::Command),
    /// Make a sound ready; answered by [`Input::Sound`].
    Prepare {
        /// What it is called from now on.
        key: ClipKey,
        /// What it is made from.
        source: SoundSource,
    },
    /// Listen to a tap until the words are said or the tap is over; answered by [`Input::Speech`].
    Listen(Box<Listen>),
    /// Say what was said in a recording; answered by [`Input::Transcribed`].
    Transcribe {
        /// Comes back.
        sid: TranscriptionSid,
        /// The recording's file, relative to the recordings' directory.
        path: String,
        /// BCP-47.
        language: String,
    },
    /// Connect a media stream; answered by [`Input::Stream`].
    StreamOpen(StreamOpen),
    /// Tell a media stream; one that is over does not listen.
    Stream {
        /// Which.
        stream: StreamSid,
        /// What.
        ask: StreamAsk,
    },
    /// Write a row.
    Store(StoreItem),
    /// Answer a command.
    Reply {
        /// The command's id.
        id: u64,
        /// The answer.
        reply: OperatorReply,
    },
}

/// A request to the user's web server. The shell signs it, retries it by the URL's connection overrides,
/// follows redirects and keeps the call's cookies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// Comes back in [`Input::Fetched`].
    pub id: FetchId,
    /// The call it is made for.
    pub call: CallSid,
    /// Whether the call waits for it.
    pub kind: FetchKind,
    /// Whose signature it carries besides Twilio's, and whether a stored document is a template.
    pub dialect: Dialect,
    /// Absolute, possibly with connection overrides in its fragment.
    pub url: String,
    /// GET or POST.
    pub method: HttpMethod,
    /// All parameters, standard ones included.
    pub params: Vec<(String, String)>,
}

/// The classes of `webhooks` §1 that the node makes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FetchKind {
    /// The call waits for a document.
    Document,
    /// Nobody waits: delivered in order for its call; what became of it is for the record.
    StatusCallback,
    /// Likewise, in order for the conference, whoever of it they are about.
    ConferenceCallback(ConferenceSid),
    /// Likewise, in order for the workspace whose sid stands for the call: what happens in it, of which there may be much
    /// at once.
    RouterEvent,
    /// Likewise, for whoever looks after the box; those of one call have an order of their own.
    Debugger,
}

/// One [`Output::Listen`]. Chosen by the node, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HearingId(pub u64);

/// What somebody says is to be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Comes back.
    pub id: HearingId,
    /// The leg that speaks or is spoken to.
    pub leg: LegId,
    /// Where its sound is had: [`media::Command::Tap`] was asked for under this name.
    pub tap: TapId,
    /// BCP-47.
    pub language: String,
    /// Words and phrases to expect.
    pub hints: Vec<String>,
    /// Silence after which an utterance is over, in milliseconds; `None`: the shell decides.
    pub silence_ms: Option<u32>,
    /// Longest utterance, in milliseconds.
    pub max_ms: u32,
    /// Mask profanities.
    pub profanity_filter: bool,
    /// After an utterance the next is listened for.
    pub goes_on: bool,
}

/// What was heard, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum SpeechNews {
    /// Somebody speaks.
    Began,
    /// What was understood so far.
    Partial {
        /// Certain.
        stable: String,
        /// May yet change.
        unstable: String,
        /// How certain that is, 0 to 1.
        stability: f32,
    },
    /// The utterance is over and this is what it was.
    Said {
        /// Empty: nothing was understood.
        text: String,
        /// 0 to 1, if that is known.
        confidence: Option<f32>,
    },
    /// Nothing will be understood.
    Failed {
        /// As the error catalogue numbers it.
        code: u32,
        /// For people.
        message: String,
    },
}

/// What a sound is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SoundSource {
    /// Spoken text.
    Speech {
        /// What is said.
        text: String,
        /// The same as SSML with nothing in it but what the engine obeys, when there is more than words.
        ssml: Option<String>,
        /// The voice's published name.
        voice: String,
        /// BCP-47.
        language: String,
    },
    /// Fetched over http(s) or from the documents folder (`file:`).
    Url(String),
    /// What came instead of a document.
    Answer {
        /// `Content-Type` with its parameters.
        content_type: String,
        /// The file.
        body: Vec<u8>,
    },
    /// A file of the machine.
    File(PathBuf),
    /// Shipped inside the box.
    Builtin(BuiltinSound),
}

/// Sounds the box always has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltinSound {
    /// "An application error has occurred."
    ApplicationError,
    /// Music without words, without a seam between two rounds.
    HoldMusic,
}

/// What is known of a prepared sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoundInfo {
    /// Its length; `None` while it is still coming.
    pub duration_ms: Option<u64>,
}

/// A question or an order of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// How the node is.
    Status,
    /// The calls in progress.
    Calls,
    /// The phones and where they are registered.
    Phones,
    /// The trunks and how they are.
    Trunks,
    /// End this call.
    Hangup(CallSid),
    /// Make a call; answered by its row.
    Originate(Box<NewCall>),
    /// Change a call in progress; answered by its row.
    UpdateCall {
        /// Which.
        call: CallSid,
        /// What.
        update: Box<CallUpdate>,
    },
    /// Delete what is on record of a call that is over.
    ForgetCall(CallSid),
    /// Record a call in progress, or change a recording of it that runs.
    Recording {
        /// Which call.
        call: CallSid,
        /// What.
        order: Box<RecordOrder>,
    },
    /// Begin or end a service of a call in progress.
    Service {
        /// Which call.
        call: CallSid,
        /// What.
        order: Box<ServiceOrder>,
    },
    /// Who is in a conference, or called to come.
    Participants(ConferenceRef),
    /// Call somebody into a conference, which a name that none has begins; answered by the participant.
    AddParticipant {
        /// Which.
        conference: ConferenceRef,
        /// Whom, and how.
        new: Box<NewParticipant>,
    },
    /// Ask about a participant, or change how it takes part; answered by the participant as it is then.
    Participant {
        /// Of which conference.
        conference: ConferenceRef,
        /// Who.
        who: ParticipantRef,
        /// What.
        order: ParticipantOrder,
    },
    /// End this conference; the documents of those in it go on. Answered by its row.
    EndConference(ConferenceRef),
    /// Have everybody in a conference hear a document; answered by its row.
    Announce {
        /// Which.
        conference: ConferenceRef,
        /// The document, absolute.
        url: String,
        /// How it is requested.
        method: HttpMethod,
    },
    /// Change the recording of a conference.
    ConferenceRecording {
        /// Which.
        conference: ConferenceSid,
        /// Its recording; `None`: the only one (`Twilio.CURRENT`).
        recording: Option<RecordingSid>,
        /// What.
        change: RecordChange,
    },
    /// Tell a web server something of a call, in order with what the call tells itself; nobody waits for an answer.
    Tell {
        /// Of which call; it may be over.
        call: CallSid,
        /// Where, absolute.
        url: String,
        /// How.
        method: HttpMethod,
        /// What, standard parameters included.
        params: Vec<(String, String)>,
    },
    /// The voice queues and who waits in them.
    Queues,
    /// The workers of every workspace and what they do.
    Workers,
    /// One of them.
    Queue(QueueSid),
    /// Make a voice queue.
    CreateQueue {
        /// Its name, 1–64 characters.
        name: String,
        /// How many may wait in it, 1–5,000; `None` = 1,000.
        max_size: Option<u32>,
    },
    /// Change a voice queue.
    UpdateQueue {
        /// Which.
        queue: QueueSid,
        /// Its name from now on, if that changes.
        name: Option<String>,
        /// Its size from now on, if that changes.
        max_size: Option<u32>,
    },
    /// Delete an empty voice queue.
    DeleteQueue(QueueSid),
    /// One who waits in a voice queue.
    QueueMember {
        /// Which queue.
        queue: QueueSid,
        /// Who; `None` = whoever is in front.
        call: Option<CallSid>,
    },
    /// Take somebody out of a voice queue and go on with another document; likewise somebody who was taken out of it
    /// and talks.
    Dequeue {
        /// Which queue.
        queue: QueueSid,
        /// Who; `None` = whoever is in front.
        call: Option<CallSid>,
        /// The document, absolute.
        url: String,
        /// How it is requested.
        method: HttpMethod,
    },
    /// Something about workspaces.
    Router(Box<RouterAsk>),
    /// Take no new calls; those in progress go on.
    Drain,
}

/// The answer to an [`Operator`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OperatorReply {
    /// To `Status`.
    Status(NodeStatus),
    /// To `Calls`.
    Calls(Vec<LiveCall>),
    /// To `Phones`.
    Phones(Vec<LivePhone>),
    /// To `Trunks`.
    Trunks(Vec<LiveTrunk>),
    /// To `Originate` and `UpdateCall`: the call as it is now; what was stored before is stored.
    Call(Box<CallRow>),
    /// To `Recording`: it as it is now; what was stored before is stored.
    Recording(Box<RecordingRow>),
    /// It is not recorded, or its recording not changed.
    RecordFault(RecordFault),
    /// To `Service`: what was begun or ended.
    Service(LiveService),
    /// It is not begun, or not ended.
    ServiceFault(ServiceFault),
    /// No call was made.
    NotPlaced(NotPlaced),
    /// Done.
    Done,
    /// To `ForgetCall`: it is not over.
    StillLive(CallSid),
    /// There is no such call in progress.
    NoSuchCall(CallSid),
    /// To `Participants`: in which conference, and who, the newest first.
    Participants(ConferenceSid, Vec<LiveParticipant>),
    /// To `AddParticipant` and `Participant`.
    Participant(Box<LiveParticipant>),
    /// To `EndConference` and `Announce`.
    Conference(Box<ConferenceRow>),
    /// It is not done.
    ConferenceFault(ConferenceFault),
    /// There is no such conference that is not over.
    NoSuchConference,
    /// Nobody like that is in the conference.
    NotInConference,
    /// To `Queues`.
    Queues(Vec<LiveQueue>),
    /// To `Workers`.
    Workers(Vec<LiveWorker>),
    /// To `Queue`, `CreateQueue` and `UpdateQueue`.
    Queue(LiveQueue),
    /// To `QueueMember`, and to `Dequeue`: who was moved.
    QueueMember(LiveQueueMember),
    /// There is no such queue.
    NoSuchQueue(QueueSid),
    /// It is not done.
    QueueFault(QueueFault),
    /// Nobody waits in the queue, or not the one asked for.
    NotInQueue,
    /// To `Router`.
    Router(Box<RouterReply>),
}
