//! `<Sip>` (reference: twiml-voice §10.2).

use serde::{Deserialize, Serialize};

use super::StatusCallback;
use crate::HttpMethod;

/// A SIP address to ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SipNoun {
    /// `sip:` or `sips:` URI with its parameters, without its headers.
    pub uri: String,
    /// The headers of the URI and of `<Headers>`, decoded, checked and free of control characters.
    pub headers: Vec<(String, String)>,
    /// Answers a challenge.
    pub username: Option<String>,
    /// Answers a challenge.
    pub password: Option<String>,
    /// Document run on the callee after the answer, before bridging.
    pub url: Option<String>,
    /// How that is requested.
    pub method: HttpMethod,
    /// Where the leg's progress is told.
    pub status_callback: Option<StatusCallback>,
}
