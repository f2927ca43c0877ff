//! `<Pause>` (reference: twiml-voice §6).

use serde::{Deserialize, Serialize};

/// Wait; as first verb of an unanswered call it delays the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Seconds, at least 1.
    pub length_s: u32,
}
