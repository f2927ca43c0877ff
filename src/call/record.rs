//! What is written down about calls: the rows the store keeps.
//!
//! A row is complete each time it is handed over, never a change to an earlier one: writing it twice, or
//! only the last of several, leaves the same table.

use base::{
    CallSid, ConferenceSid, NotificationSid, Now, QueueSid, RecordingSid, Timestamp, TranscriptionSid,
    WorkerSid, WorkspaceSid,
};
use serde::{Deserialize, Serialize};
use twiml::{CallStatus, Direction, Exchange, HttpMethod, Level};

use crate::taskrouter::rows::RouterItem;

pub use twiml::{ConferenceEnd, RecordingSource, RecordingStatus};

/// One row to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreItem {
    /// Replaces the row with the same sid.
    Call(CallRow),
    /// Appended.
    Event(EventRow),
    /// Replaces the row with the same sid.
    Recording(RecordingRow),
    /// Replaces the row with the same sid.
    Transcription(TranscriptionRow),
    /// Appended.
    Notification(NotificationRow),
    /// Replaces the row with the same sid, or takes it away.
    Queue(QueueRow),
    /// Replaces the row with the same sid.
    Conference(ConferenceRow),
    /// Replaces the row of the same phone, or takes it away.
    Registration(RegistrationRow),
    /// Replaces the row of the same worker, or takes it away.
    Desktop(DesktopRow),
    /// Of a workspace.
    Router(RouterItem),
    /// Appended.
    Exchange(ExchangeRow),
    /// Takes rows away, those written before it.
    Gone(Gone),
}

/// One leg (`rest-voice` §5.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRow {
    /// Its sid.
    pub sid: CallSid,
    /// The call whose document dialled it.
    pub parent: Option<CallSid>,
    /// Which way it was set up.
    pub direction: Direction,
    /// The calling party: a number, `client:name`, or a SIP URI.
    pub from: String,
    /// The called party, likewise.
    pub to: String,
    /// Display name of the calling party.
    pub caller_name: Option<String>,
    /// Who diverted the call here (RFC 5806).
    pub forwarded_from: Option<String>,
    /// The office's number that was called, or that a call which leaves is from, as configured.
    pub number: Option<String>,
    /// The trunk it came or went by.
    pub trunk: Option<String>,
    /// The phone at its other end.
    pub phone: Option<String>,
    /// Where it stands.
    pub status: CallStatus,
    /// When the box learnt of it.
    pub created: Timestamp,
    /// When this row last changed.
    pub updated: Timestamp,
    /// When the INVITE was sent or received.
    pub start: Option<Timestamp>,
    /// When it was answered.
    pub answer: Option<Timestamp>,
    /// When it was over, answered or not.
    pub end: Option<Timestamp>,
    /// Connected time in whole seconds; 0 for an ended call nobody answered, `None` while it lives.
    pub duration_s: Option<u32>,
    /// The final SIP code of the INVITE.
    pub sip_code: Option<u16>,
    /// What answered, when that was asked for: `human`, `machine_start`, … (`webhooks` §4.5).
    pub answered_by: Option<String>,
    /// Who or what ended it, in words, for `tandem trace` and the call log.
    pub ended_by: Option<String>,
    /// How long it waited to leave, in milliseconds.
    pub queue_time_ms: u32,
}

/// One line of a call's ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// Whose.
    pub call: CallSid,
    /// Its place among the call's events, from 0 without gaps.
    pub seq: u32,
    /// When.
    pub at: Timestamp,
    /// What kind of thing happened.
    pub kind: EventKind,
    /// What happened, in one line or as the message itself.
    pub text: String,
}

/// A request to a web server on behalf of a call, and its answer (`rest-voice` §12, Events).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeRow {
    /// Whose.
    pub call: CallSid,
    /// Its number among the call's, rising, with gaps.
    pub seq: u64,
    /// When it was asked.
    pub at: Timestamp,
    /// How long the answer, or the failure, took, in milliseconds.
    pub duration_ms: u32,
    /// Both.
    pub exchange: Exchange,
}

/// What is to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gone {
    /// A call with its events and exchanges; its recordings and notifications stay.
    Call(CallSid),
    /// A transcription.
    Transcription(TranscriptionSid),
}

/// What kind of thing happened to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A SIP message arrived.
    SipIn,
    /// A SIP message left.
    SipOut,
    /// A web server was asked, or answered.
    Fetch,
    /// A verb began or ended.
    Verb,
    /// Something happened to its audio.
    Media,
    /// The box decided something.
    Decision,
    /// Anything else worth reading.
    Note,
}

/// One recording (`rest-voice` §8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingRow {
    /// Its sid.
    pub sid: RecordingSid,
    /// The call it belongs to; for a recorded `<Dial>` the parent.
    pub call: CallSid,
    /// The conference it belongs to.
    pub conference: Option<ConferenceSid>,
    /// The file, relative to the recordings' directory in state.
    pub path: String,
    /// 1 mixed, 2 one side each.
    pub channels: u8,
    /// Where it stands.
    pub status: RecordingStatus,
    /// What asked for it.
    pub source: RecordingSource,
    /// Whose voice: `inbound`, `outbound` or `both`.
    pub track: String,
    /// When the box created it.
    pub created: Timestamp,
    /// When this row last changed.
    pub updated: Timestamp,
    /// When its first sample was taken.
    pub start: Option<Timestamp>,
    /// Its length in milliseconds, once known.
    pub duration_ms: Option<u64>,
    /// Its file's size, once known.
    pub bytes: Option<u64>,
    /// Why it failed (`error-codes`).
    pub error_code: Option<u32>,
}

/// One voice queue (`rest-voice` §9). Who waits in it is not on record: no call survives the box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRow {
    /// Its sid.
    pub sid: QueueSid,
    /// Its name, unique on the box.
    pub name: String,
    /// How many may wait in it.
    pub max_size: u32,
    /// An `<Enqueue>` made it, and nobody has changed it since.
    pub on_demand: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When this row last changed.
    pub updated: Timestamp,
    /// When it was deleted; such a row is not kept.
    pub deleted: Option<Timestamp>,
}

impl QueueRow {
    /// A row for a queue that begins now.
    pub fn new(sid: QueueSid, name: &str, max_size: u32, on_demand: bool, at: Timestamp) -> Self {
        let name = name.to_owned();
        Self { sid, name, max_size, on_demand, created: at, updated: at, deleted: None }
    }
}

/// Where one phone is registered, so that a box that starts again can ring it before it registers anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationRow {
    /// Its name.
    pub phone: String,
    /// Best first; a row without any is not kept.
    pub contacts: Vec<sip::Binding>,
    /// When this was so. The contacts' times are on its clock.
    pub written: Now,
}

impl RegistrationRow {
    /// When the last of its contacts expires.
    pub fn until(&self) -> Timestamp {
        let last = self.contacts.iter().map(|contact| contact.expires_at).max().unwrap_or(self.written.mono);
        self.written.wall + last.since(self.written.mono)
    }

    /// Its contacts with their times on the clock of `now`.
    pub fn at(self, now: Now) -> Vec<sip::Binding> {
        let passed = now.wall - self.written.wall;
        let mut contacts = self.contacts;
        for contact in &mut contacts {
            let left = contact.expires_at.since(self.written.mono);
            contact.expires_at = now.mono + left.saturating_sub(passed);
        }
        contacts
    }
}

/// A worker who has a desktop open and is to be put out of the way when it is lost: should the box stop meanwhile, the
/// next run waits for the desktop as this one would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesktopRow {
    /// The workspace.
    pub workspace: WorkspaceSid,
    /// The worker.
    pub worker: WorkerSid,
    /// Whether it is so; a row of one that is not is not kept.
    pub open: bool,
}

/// One conference (`rest-voice` §6). Who is in it is not on record: no call survives the box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConferenceRow {
    /// Its sid.
    pub sid: ConferenceSid,
    /// Its name, by which others of it may have been called before.
    pub name: String,
    /// Where it stands.
    pub status: ConferenceStatus,
    /// When it came to be: somebody came, or was called to come.
    pub created: Timestamp,
    /// When this row last changed.
    pub updated: Timestamp,
    /// Why it is over; nothing while it is not, and of one that the box's own end cut short.
    pub ended_why: Option<ConferenceEnd>,
    /// The call whose leaving ended it.
    pub ended_by: Option<CallSid>,
    /// Where it is said to be mixed: as whoever began it over REST asked for.
    pub region: Option<String>,
}

/// Where a conference stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConferenceStatus {
    /// Those who are there wait for others.
    Init,
    /// It began.
    InProgress,
    /// It is over.
    Completed,
}

impl ConferenceStatus {
    /// All of them.
    pub const ALL: [ConferenceStatus; 3] = [Self::Init, Self::InProgress, Self::Completed];

    /// As published.
    pub fn as_str(self) -> &'static str {
        match self {
            ConferenceStatus::Init => "init",
            ConferenceStatus::InProgress => "in-progress",
            ConferenceStatus::Completed => "completed",
        }
    }
}

/// What was said in a recording (`rest-voice` §8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptionRow {
    /// Its sid.
    pub sid: TranscriptionSid,
    /// The recording.
    pub recording: RecordingSid,
    /// The call it belongs to.
    pub call: CallSid,
    /// Where it stands.
    pub status: TranscriptionStatus,
    /// The words, once known.
    pub text: Option<String>,
    /// The recording's length in whole seconds.
    pub duration_s: u64,
    /// When the box created it.
    pub created: Timestamp,
    /// When this row last changed.
    pub updated: Timestamp,
}

/// Where a transcription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TranscriptionStatus {
    /// Being listened to.
    InProgress,
    /// Its text is there.
    Completed,
    /// There will be none.
    Failed,
}

impl TranscriptionStatus {
    /// As published.
    pub fn as_str(self) -> &'static str {
        match self {
            TranscriptionStatus::InProgress => "in-progress",
            TranscriptionStatus::Completed => "completed",
            TranscriptionStatus::Failed => "failed",
        }
    }
}

/// A warning or error of a call (`rest-voice` §13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationRow {
    /// Its sid.
    pub sid: NotificationSid,
    /// The call in which it happened.
    pub call: Option<CallSid>,
    /// When.
    pub at: Timestamp,
    /// Which (`error-codes`).
    pub code: u32,
    /// How bad.
    pub level: Level,
    /// What is wrong, in a sentence.
    pub message: String,
    /// The document or request concerned.
    pub url: Option<String>,
    /// How it was asked for.
    pub method: Option<HttpMethod>,
    /// In the document, from 1.
    pub line: Option<u32>,
    /// Likewise.
    pub column: Option<u32>,
    /// What was sent with the request, form-encoded.
    pub request_variables: Option<String>,
    /// The HTTP status of the answer.
    pub response_status: Option<u16>,
    /// The answer's headers, form-encoded.
    pub response_headers: Option<String>,
    /// The answer's body, cut to a readable length.
    pub response_body: Option<String>,
}

impl EventKind {
    /// As the store writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::SipIn => "sip-in",
            EventKind::SipOut => "sip-out",
            EventKind::Fetch => "fetch",
            EventKind::Verb => "verb",
            EventKind::Media => "media",
            EventKind::Decision => "decision",
            EventKind::Note => "note",
        }
    }
}

impl CallRow {
    /// A row for a call the box has just learnt of; what is not known yet is empty.
    pub fn new(
        sid: CallSid,
        direction: Direction,
        from: impl Into<String>,
        to: impl Into<String>,
        status: CallStatus,
        at: Timestamp,
    ) -> Self {
        Self {
            sid,
            parent: None,
            direction,
            from: from.into(),
            to: to.into(),
            caller_name: None,
            forwarded_from: None,
            number: None,
            trunk: None,
            phone: None,
            status,
            created: at,
            updated: at,
            start: None,
            answer: None,
            end: None,
            duration_s: None,
            sip_code: None,
            answered_by: None,
            ended_by: None,
            queue_time_ms: 0,
        }
    }
}
