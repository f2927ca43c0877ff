//! `<Play>` (reference: twiml-voice §5).

use serde::{Deserialize, Serialize};

/// Play a file or send digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Play {
    /// What is played.
    pub source: PlaySource,
    /// How many times; 0 = until hang-up (at most [`crate::LOOP_MAX`] times).
    pub loop_: u32,
}

/// What `<Play>` plays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlaySource {
    /// The media at this URL.
    Url(String),
    /// DTMF: `0-9 A-D * #`, `w` half a second and `W` a second of silence.
    Digits(String),
}
