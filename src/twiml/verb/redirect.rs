//! `<Redirect>` (reference: twiml-voice §12).

use serde::{Deserialize, Serialize};

use crate::HttpMethod;

/// Continue with another document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// Its URL; empty = the current document.
    pub url: String,
    /// How it is requested.
    pub method: HttpMethod,
}
