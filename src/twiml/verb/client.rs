//! `<Client>` (reference: twiml-voice §10.3).

use serde::{Deserialize, Serialize};

use super::StatusCallback;
use crate::HttpMethod;

/// A registered phone or browser to ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientNoun {
    /// Its name.
    pub identity: String,
    /// `<Parameter>`s: travel as `X-Param-<name>` headers.
    pub parameters: Vec<(String, String)>,
    /// Document run on the callee after the answer, before bridging.
    pub url: Option<String>,
    /// How that is requested.
    pub method: HttpMethod,
    /// Where the leg's progress is told.
    pub status_callback: Option<StatusCallback>,
}
