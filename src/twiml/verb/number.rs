//! `<Number>` (reference: twiml-voice §10.1).

use serde::{Deserialize, Serialize};

use super::StatusCallback;
use crate::HttpMethod;

/// A phone number to ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// Digits with an optional leading `+`, separators removed.
    pub number: String,
    /// Sent after the answer, before bridging: DTMF with `w` and `W` pauses.
    pub send_digits: Option<String>,
    /// Document run on the callee after the answer, before bridging.
    pub url: Option<String>,
    /// How that is requested.
    pub method: HttpMethod,
    /// Where the leg's progress is told.
    pub status_callback: Option<StatusCallback>,
    /// Selects a trunk (`byoc`).
    pub trunk: Option<String>,
}
