//! `<Reject>` (reference: twiml-voice §12).

use serde::{Deserialize, Serialize};

/// Refuse a call that is not answered yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// `reason="busy"` (486) instead of `rejected`.
    pub busy: bool,
}
