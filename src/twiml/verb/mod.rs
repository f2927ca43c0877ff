//! The verbs and nouns a document is made of, as values: one file for each.

mod callback;
mod client;
mod dial;
mod gather;
mod number;
mod pause;
mod play;
mod record;
mod redirect;
mod reject;
mod say;
mod sip;

use serde::{Deserialize, Serialize};

pub use callback::{ProgressEvent, RecordingEvent, RecordingStatusCallback, StatusCallback};
pub use client::ClientNoun;
pub use dial::{Dial, DialRecord, Noun, RecordingTrack};
pub use gather::{Gather, GatherInput, PartialResultCallback, Prompt, SpeechOptions, SpeechTimeout};
pub use number::Number;
pub use pause::Pause;
pub use play::{Play, PlaySource};
pub use record::{Record, RecordChannels, RecordFormat, Transcribe};
pub use redirect::Redirect;
pub use reject::Reject;
pub use say::Say;
pub use sip::SipNoun;

/// One step of a document, with every default filled in.
///
/// URLs are as written in a parsed document, and absolute in a verb the interpreter hands out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// Speak a text.
    Say(Say),
    /// Play a file, or send digits.
    Play(Play),
    /// Wait.
    Pause(Pause),
    /// Collect digits or speech while prompting.
    Gather(Gather),
    /// Record the caller.
    Record(Record),
    /// Call somebody and bridge.
    Dial(Dial),
    /// Continue with another document. The interpreter does this one itself and never hands it out.
    Redirect(Redirect),
    /// End the call.
    Hangup,
    /// Refuse a call that is not answered yet.
    Reject(Reject),
    /// Leave the queue this document is the wait music of; nothing elsewhere.
    Leave,
}
