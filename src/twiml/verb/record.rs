//! `<Record>` (reference: twiml-voice §8; texml-delta §3).

use serde::{Deserialize, Serialize};

use super::RecordingStatusCallback;
use crate::HttpMethod;

/// Record the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Requested when the recording ends; `None` = the current document (TeXML: go on with the next verb).
    pub action: Option<String>,
    /// How the action is requested.
    pub method: HttpMethod,
    /// Seconds of received silence that end it; 0 = never.
    pub timeout_s: u32,
    /// The keys that end it; empty = none.
    pub finish_on_key: String,
    /// Longest recording, seconds.
    pub max_length_s: u32,
    /// A beep comes first.
    pub play_beep: bool,
    /// Cut silence off both ends.
    pub trim: bool,
    /// Where its fate is told.
    pub recording_status_callback: Option<RecordingStatusCallback>,
    /// A transcription is wanted.
    pub transcribe: Option<Transcribe>,
    /// One channel unless TeXML asks otherwise.
    pub channels: RecordChannels,
    /// What a fetch of the recording answers by default.
    pub format: RecordFormat,
}

/// `transcribe="true"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcribe {
    /// Where the text is posted.
    pub callback: Option<String>,
}

/// Channels of a recording (TeXML's `channels`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordChannels {
    /// One.
    Single,
    /// One for each direction.
    Dual,
}

/// File format of a recording (TeXML's `format`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordFormat {
    /// Wave.
    Wav,
    /// MPEG layer 3.
    Mp3,
}
