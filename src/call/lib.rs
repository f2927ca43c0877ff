//! The call: what happens between a SIP session, a TwiML document and the media plane. Still no IO.
//!
//! [`Node`] is the one owner of all signalling state. Everything the outside world does reaches it as an
//! [`Input`], one at a time; everything it wants done leaves as an [`Output`] with an id, and what that
//! brought comes back as a later input. It owns the SIP endpoint and every [`call`](crate::record::CallRow);
//! each call owns its leg, its TwiML interpreter and the verb that is running, and one file a verb holds
//! what that verb does. Calls never reach into each other: they send mail, which the node delivers.
//!
//! What never happens here: a clock is read, a thread or task is started, JSON, SQL or audio is touched.

pub mod agents;
mod amd;
mod answer;
mod application;
mod call;
mod callback;
mod child;
mod common_codec;
mod conference;
mod conference_announce;
mod conference_desk;
mod conference_dial;
mod conference_invite;
mod conference_part;
mod conference_record;
mod conferences;
mod ctx;
mod debugger;
mod dequeue;
mod dial;
mod documents;
mod echo;
mod endpoint_config;
mod enqueue;
mod exchange;
mod fault;
mod gather;
mod hangup;
mod hearing;
mod incoming;
mod inputs;
mod io;
mod kept;
mod keys;
mod leg;
mod live;
mod load;
mod node;
mod notes;
pub mod office;
mod operator;
mod originate;
mod outbound;
mod outcome;
mod participant;
mod pause;
mod phones;
mod place;
mod play;
mod prompt;
mod quality;
mod queue;
mod queue_desk;
pub mod record;
mod record_control;
mod record_verb;
mod refer;
pub mod route;
mod running;
mod service;
mod siprec;
mod siprec_metadata;
mod start;
mod stream;
mod supervise;
pub mod taskrouter;
mod texml;
mod timers;
mod to_application;
mod trace;
mod transcribe;
mod transcription;
mod transfer;
mod turn;
mod update;
mod user_message;
mod wait;
mod waking;

pub use conference::ConferenceFault;
pub use conference_invite::NewParticipant;
pub use io::{
    BuiltinSound, FetchId, FetchKind, FetchRequest, HearingId, Input, Listen, Operator, OperatorReply,
    Output, SoundInfo, SoundSource, SpeechNews, StreamAsk, StreamEvent, StreamOpen,
};
pub use live::{LiveCall, LivePhone, LiveQueue, LiveQueueMember, LiveTrunk, LiveWorker, NodeStatus};
pub use node::Node;
pub use participant::{
    ConferenceRef, Hold, LiveParticipant, Music, ParticipantOrder, ParticipantRef, ParticipantStage,
    ParticipantUpdate,
};
pub use place::{CallDocument, NewCall, NotPlaced, RecordWish};
pub use queue::QueueFault;
pub use record_control::{RecordChange, RecordFault, RecordOrder};
pub use service::{LiveService, ServiceFault, ServiceKind, ServiceOrder};
pub use siprec::SIPRECS_MAX;
pub use stream::STREAMS_MAX;
pub use update::{CallUpdate, Fate};
