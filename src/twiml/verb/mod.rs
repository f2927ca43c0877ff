//! The verbs and nouns a document is made of, as values: one file for each.

mod absolute;
mod application;
mod callback;
mod client;
mod conference;
mod connect;
mod dial;
mod enqueue;
mod gather;
mod machine_detection;
mod number;
mod pause;
mod play;
mod queue;
mod record;
mod redirect;
mod refer;
mod reject;
pub(crate) mod say;
mod say_as;
mod sip;
mod siprec;
mod ssml;
mod ssml_rules;
mod start;
mod stream;
#[cfg(test)]
pub(crate) mod table;
mod transcription;

use serde::{Deserialize, Serialize};

pub use application::ApplicationNoun;
pub use callback::{
    ConferenceEvent, ConferenceStatusCallback, ProgressEvent, RecordingEvent, RecordingStatusCallback,
    ServiceCallback, StatusCallback,
};
pub use client::ClientNoun;
pub use conference::{Beep, ConferenceNoun, JitterBufferSize};
pub use connect::{Connect, ConnectService};
pub use dial::{Dial, DialRecord, Noun, RecordingTrack};
pub use enqueue::{Enqueue, EnqueueTask};
pub use gather::{Gather, GatherInput, PartialResultCallback, Prompt, SpeechOptions, SpeechTimeout};
pub use machine_detection::{AmdStatusCallback, MachineDetection};
pub use number::Number;
pub use pause::Pause;
pub use play::{AudioAnswer, Play, PlaySource};
pub use queue::QueueNoun;
pub use record::{Record, RecordChannels, RecordFormat, Transcribe};
pub use redirect::Redirect;
pub use refer::Refer;
pub use reject::Reject;
pub use say::Say;
pub use sip::SipNoun;
pub use siprec::SiprecNoun;
pub use start::{CallRecording, Service, Start, Stop, StopService};
pub use stream::{StreamCodec, StreamNoun, StreamTrack, TexmlStream, stream_url};
pub use transcription::TranscriptionNoun;

pub(crate) use absolute::{absolute, bad_urls};

use crate::reading::{Node, Reading, tag};
use crate::refused;

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
    /// Wait in a queue.
    Enqueue(Enqueue),
    /// Begin services beside the document.
    Start(Start),
    /// End services.
    Stop(Stop),
    /// Hand the call to a service until that ends.
    Connect(Connect),
    /// Play back what the caller says until the call ends.
    Echo,
    /// Send the caller elsewhere by REFER.
    Refer(Refer),
    /// Continue with another document. The interpreter does this one itself and never hands it out.
    Redirect(Redirect),
    /// End the call.
    Hangup,
    /// Refuse a call that is not answered yet.
    Reject(Reject),
    /// Leave the queue this document is the wait music of; nothing elsewhere.
    Leave,
}

/// Reads an element under `<Response>`; `None` when it is nothing to execute.
pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Option<Verb> {
    match tag(node) {
        "Say" => say::read(node, reading, say::ALONE).map(Verb::Say),
        "Play" => play::read(node, reading).map(Verb::Play),
        "Pause" => Some(Verb::Pause(pause::read(node, reading))),
        "Gather" => Some(Verb::Gather(gather::read(node, reading))),
        "Record" => Some(Verb::Record(record::read(node, reading))),
        "Dial" => Some(Verb::Dial(dial::read(node, reading))),
        "Enqueue" => Some(Verb::Enqueue(enqueue::read(node, reading))),
        "Start" => Some(Verb::Start(start::start(node, reading))),
        "Stop" => Some(Verb::Stop(start::stop(node, reading))),
        "Connect" => Some(Verb::Connect(connect::read(node, reading))),
        "Echo" => {
            bare(node, reading, &[]);
            Some(Verb::Echo)
        }
        "Refer" => refer::read(node, reading).map(Verb::Refer),
        "Redirect" => Some(Verb::Redirect(redirect::read(node, reading))),
        "Hangup" => {
            // The SDKs can nest `<Parameter>`; it means nothing.
            bare(node, reading, &["Parameter"]);
            Some(Verb::Hangup)
        }
        "Reject" => Some(Verb::Reject(reject::read(node, reading))),
        "Leave" => {
            bare(node, reading, &[]);
            Some(Verb::Leave)
        }
        other => {
            match refused::verb(other) {
                Some(row) if row.ends => {
                    reading.bad(row.code, node.range().start, format!("{other} {}", row.why))
                }
                Some(row) => reading.note(row.code, node.range().start, format!("{other} {}", row.why)),
                None => {
                    reading.note(12200, node.range().start, format!("{other} is not a verb and was ignored"));
                }
            }
            None
        }
    }
}

fn bare(node: Node<'_>, reading: &mut Reading<'_>, children: &[&str]) {
    reading.known_attributes(node, &[], &[]);
    reading.only_children(node, children);
    reading.no_text(node);
}
