//! `<Dial>` (reference: twiml-voice §9).

use serde::{Deserialize, Serialize};

use super::{ClientNoun, Number, RecordingStatusCallback, SipNoun};
use crate::HttpMethod;

/// Call somebody and bridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dial {
    /// Requested when the dial ends; `None` = go on with the next verb.
    pub action: Option<String>,
    /// How the action is requested.
    pub method: HttpMethod,
    /// Ring time, seconds.
    pub timeout_s: u32,
    /// Longest bridged call, seconds.
    pub time_limit_s: u32,
    /// The caller's `*` ends the callee's leg.
    pub hangup_on_star: bool,
    /// What the callee sees; `None` = the caller's own number.
    pub caller_id: Option<String>,
    /// The caller keeps ringing until the callee answers, if this is the first verb.
    pub answer_on_bridge: bool,
    /// One noun after the other instead of all at once.
    pub sequential: bool,
    /// Whether and how the bridge is recorded.
    pub record: DialRecord,
    /// Which directions a recording contains.
    pub recording_track: RecordingTrack,
    /// Cut silence off both ends of the recording.
    pub trim: bool,
    /// Where the recording's fate is told.
    pub recording_status_callback: Option<RecordingStatusCallback>,
    /// A country's ringing tone instead of the callee's; lower case, `us-old` included.
    pub ring_tone: Option<String>,
    /// Where a REFER from a bridged leg asks for a document.
    pub refer_url: Option<String>,
    /// How that is requested.
    pub refer_method: HttpMethod,
    /// Whom to ring, in document order; empty when the document named nobody the box can ring.
    pub nouns: Vec<Noun>,
}

/// Whom `<Dial>` rings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Noun {
    /// A phone number.
    Number(Number),
    /// A SIP address.
    Sip(SipNoun),
    /// A registered phone or browser by name.
    Client(ClientNoun),
}

/// `record` of `<Dial>`; dual: channel 1 the parent leg, channel 2 the child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialRecord {
    /// No recording.
    #[default]
    DoNotRecord,
    /// One channel, from the answer.
    RecordFromAnswer,
    /// One channel, from the ringing.
    RecordFromRinging,
    /// Two channels, from the answer.
    RecordFromAnswerDual,
    /// Two channels, from the ringing.
    RecordFromRingingDual,
}

/// `recordingTrack` of `<Dial>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordingTrack {
    /// Both directions.
    #[default]
    Both,
    /// What the parent leg sends; one channel.
    Inbound,
    /// What the parent leg hears; one channel.
    Outbound,
}
