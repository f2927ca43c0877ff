//! `<Say>` (reference: twiml-voice §4).

use serde::{Deserialize, Serialize};

/// Speak a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Say {
    /// What is spoken, SSML reduced to plain text, white space collapsed; never empty.
    pub text: String,
    /// What stood inside the element, when it contained SSML.
    pub ssml: Option<String>,
    /// The voice's published name, `man` when none was given.
    pub voice: String,
    /// BCP-47 tag, `en-US` when none was given.
    pub language: String,
    /// How many times; 0 = until hang-up (at most [`crate::LOOP_MAX`] times).
    pub loop_: u32,
}
