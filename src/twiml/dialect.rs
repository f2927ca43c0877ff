//! Which vendor's attribute tables a document is read with.

use serde::{Deserialize, Serialize};

/// Chosen per application or number, never guessed from the document (reference: texml-delta §1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// As Twilio publishes it.
    #[default]
    Twiml,
    /// As Telnyx publishes it: other defaults of `<Record>`, narrower ranges, some more attributes.
    Texml,
}
