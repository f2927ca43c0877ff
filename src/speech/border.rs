//! The words of the call that sounds are asked for with, named in one place.

use std::path::PathBuf;

/// What a sound is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SoundSource {
    /// Spoken text.
    Speech {
        /// What is said.
        text: String,
        /// The voice's published name.
        voice: String,
        /// BCP-47.
        language: String,
    },
    /// Fetched over http(s) or from the documents folder (`file:`).
    Url(String),
    /// A file of the machine.
    File(PathBuf),
    /// Shipped inside the box.
    Builtin(BuiltinSound),
}

/// Sounds the box always has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltinSound {
    /// "An application error has occurred."
    ApplicationError,
}

/// What is known of a prepared sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoundInfo {
    /// Its length.
    pub duration_ms: u64,
}
