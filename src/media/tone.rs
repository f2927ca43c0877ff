//! Tones: generating the ones a telephone knows, and measuring what is heard.

use serde::{Deserialize, Serialize};

/// A tone the box generates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tone {
    /// The peer's phone rings.
    Ringback {
        /// Two letters of a country as in `ringTone` (`us`, `de`, `us-old`); unknown ones sound as `us`.
        country: String,
    },
    /// The peer is busy.
    Busy,
    /// The network cannot connect.
    Congestion,
    /// Recording starts now; ends by itself.
    Beep,
}
