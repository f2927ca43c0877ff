//! TwiML without IO: documents, verbs, interpreter, webhook parameters, signature.
//!
//! In come texts, HTTP answers and the ends of verbs; out come fetches, verbs to execute and findings. A text
//! becomes a [`Document`] of [`Verb`]s with every default filled in ([`parse`]); the [`Interpreter`] takes one
//! leg through its documents; [`standard_params`] and its siblings say what a request carries, [`signature()`]
//! proves whose it is and [`Overrides`] how it is tried. Nothing here connects, waits or plays.

mod context;
#[cfg(test)]
mod corpus;
mod dialect;
mod document;
mod encoding;
mod errors;
mod exchange;
mod finding;
mod interpreter;
mod io;
mod lint;
mod method;
mod overrides;
mod place;
mod reading;
mod reference;
mod refused;
mod request;
mod response;
mod signature;
mod template;
mod verb;
mod voice;

pub use context::Context;
pub use dialect::Dialect;
pub use document::{Document, VerbError, parse};
pub use encoding::decode;
pub use errors::{CODES, ErrorCode, error_code, error_level};
pub use exchange::Exchange;
pub use finding::{Finding, Level};
pub use interpreter::Interpreter;
pub use io::{After, FetchFailure, Fetched, Input, Output, Source};
pub use lint::{lint, lint_answer, lint_bytes, lint_dialect, lint_stored};
pub use method::HttpMethod;
pub use overrides::{Overrides, RetryPolicy};
pub use reference::shown;
pub use request::call_of_token;
pub use request::{
    AmdFacts, PartialFacts, TranscriptionFacts, amd_params, partial_params, recording_transcription_params,
};
pub use request::{
    CallFacts, CallStatus, ConferenceEnd, ConferenceFacts, ConferenceNews, DebuggerFacts, DialCallStatus,
    DialFacts, DialSip, Direction, GatherResult, ParticipantFacts, ParticipantLeft, ProgressFacts,
    QueueMoment, QueueResult, QueueStay, RecordFacts, RecordingCallbackFacts, RecordingFacts,
    RecordingSource, RecordingStatus, ReferFacts, ServiceEvent, ServiceFacts, SipFacts, call_ended_params,
    conference_params, connect_params, country, debugger_params, dequeue_params, dial_call_status,
    dial_params, enqueue_params, gather_params, progress_params, queue_wait_params, record_params,
    recording_params, refer_params, siprec_params, standard_params, stream_params,
};
pub use request::{CallQuality, DialOutcome, Hangup, HangupCause, HangupSource, TexmlProgress};
pub use request::{LiveTranscriptionFacts, TranscriptionEvent, transcription_params};
pub use signature::{SIGNATURE_HEADER, body_signed_url, signature, signature_matches, signature_sha256};
pub use template::fill_template;
pub use verb::{AmdStatusCallback, MachineDetection, TranscriptionNoun};
pub use verb::{
    ApplicationNoun, AudioAnswer, Beep, CallRecording, ClientNoun, ConferenceEvent, ConferenceNoun,
    ConferenceStatusCallback, Connect, ConnectService, Dial, DialRecord, Enqueue, EnqueueTask, Gather,
    GatherInput, JitterBufferSize, Noun, Number, PartialResultCallback, Pause, Play, PlaySource,
    ProgressEvent, Prompt, QueueNoun, Record, RecordChannels, RecordFormat, RecordingEvent,
    RecordingStatusCallback, RecordingTrack, Redirect, Refer, Reject, Say, Service, ServiceCallback, SipNoun,
    SiprecNoun, SpeechOptions, SpeechTimeout, Start, StatusCallback, Stop, StopService, StreamCodec,
    StreamNoun, StreamTrack, TexmlStream, Transcribe, Verb, stream_url,
};
pub use voice::{Gender, polly_languages, published_voice};

/// Repetitions of a `loop="0"`, and the most any other value repeats (reference: twiml-voice §4, §5).
pub const LOOP_MAX: u32 = 1_000;
