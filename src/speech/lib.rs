//! Text to speech and prepared sound, off the call path.
//!
//! A call names what it wants to hear by a key; here it becomes a clip: spoken by a child process, fetched or
//! read, decoded on a blocking thread, kept for the next caller. Two hundred callers of one text cost one
//! rendering.

pub mod border;
pub mod sound;

pub use sound::{SoundError, Sounds, SoundsConfig};
