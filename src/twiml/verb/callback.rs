//! The status-callback attributes that nouns, `<Dial>` and `<Record>` share.

use serde::{Deserialize, Serialize};

use crate::HttpMethod;

/// Where the progress of one dialled leg is told (reference: webhooks §4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusCallback {
    /// The receiver.
    pub url: String,
    /// How.
    pub method: HttpMethod,
    /// Which events; `completed` alone when none were named.
    pub events: Vec<ProgressEvent>,
}

/// An event of a call's progress (reference: webhooks §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProgressEvent {
    /// The INVITE was sent.
    Initiated,
    /// 180 or 183.
    Ringing,
    /// 200.
    Answered,
    /// TeXML: it is known whether a person or a machine answered.
    Amd,
    /// TeXML: the party pressed a key.
    Dtmf,
    /// Any end, whichever cause.
    Completed,
}

/// Where what happens in a conference is told (reference: webhooks §4.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConferenceStatusCallback {
    /// The receiver.
    pub url: String,
    /// How.
    pub method: HttpMethod,
    /// Which events; none when none were named.
    pub events: Vec<ConferenceEvent>,
}

/// A kind of event of a conference, as `statusCallbackEvent` names it (reference: webhooks §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConferenceEvent {
    /// It began.
    Start,
    /// It is over.
    End,
    /// Somebody came.
    Join,
    /// Somebody left.
    Leave,
    /// Somebody was muted or unmuted.
    Mute,
    /// Somebody was put on hold or taken back.
    Hold,
    /// How somebody takes part was changed in another way.
    Modify,
    /// Somebody began or stopped speaking.
    Speaker,
    /// An announcement ended or could not be heard.
    Announcement,
}

/// Where all that happens to a service that runs beside a call is told (reference: webhooks §4.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceCallback {
    /// The receiver.
    pub url: String,
    /// How.
    pub method: HttpMethod,
}

/// Where the fate of a recording is told (reference: webhooks §4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingStatusCallback {
    /// The receiver.
    pub url: String,
    /// How.
    pub method: HttpMethod,
    /// Which events; `completed` alone when none were named.
    pub events: Vec<RecordingEvent>,
    /// `RecordingUrl` is told too; TeXML's `sendRecordingUrl` may say no.
    pub sends_url: bool,
}

/// What can be told about a recording (reference: webhooks §4.4, `RecordingStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordingEvent {
    /// It began.
    InProgress,
    /// It can be fetched.
    Completed,
    /// It was too short or too silent to keep.
    Absent,
}
