//! Why there is no sound (reference: error-codes; twiml-voice §4, §5).

use twiml::FetchFailure;

/// Retrieval failed: the server answered with an error.
pub(crate) const FAILED: u32 = 11200;
/// Something failed inside the box.
pub(crate) const INTERNAL: u32 = 12400;
/// There is no speech engine.
pub(crate) const NOT_CONFIGURED: u32 = 99_002;
/// What came is no sound that can be played.
pub(crate) const NOT_PLAYABLE: u32 = 13420;
/// The text is too long to be spoken.
pub(crate) const TEXT_TOO_LONG: u32 = 13521;

/// Why there is no sound; prints as `13420 the content type text/html is not audio`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {message}")]
pub struct SoundError {
    /// As the error catalogue numbers it.
    pub code: u32,
    /// For people.
    pub message: String,
}

impl SoundError {
    pub(crate) fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<FetchFailure> for SoundError {
    fn from(failure: FetchFailure) -> Self {
        Self { code: failure.code, message: failure.message }
    }
}
