//! Text to speech and prepared sound, off the call path.
//!
//! A call names what it wants to hear by a key and a source; here it becomes a clip: spoken by a child process
//! ([`espeak`]), fetched through the box's one web client or read from a file, decoded on a blocking thread, and
//! kept in memory for the next caller ([`Sounds`]). A long one is played while it still comes
//! ([`stream`]). What callers say is listened to here as well ([`hearing`]): cut into utterances ([`endpoint`]) and
//! understood by another child process ([`recogniser`]). Two hundred callers of one text cost one rendering, and
//! renderings outlive a restart ([`renderings`]). The media plane only ever looks finished clips up.

mod builtin;
mod clips;
mod endpoint;
mod error;
mod espeak;
mod failures;
mod freshness;
mod hearing;
mod playable;
mod pocketsphinx;
mod profanity;
mod recogniser;
mod renderings;
mod sound;
mod speaker;
mod stream;
mod voice;

pub use error::SoundError;
pub use recogniser::{Backend, Recogniser, RecogniserError};
pub use sound::{Sounds, SoundsConfig};
pub use voice::Voice;
