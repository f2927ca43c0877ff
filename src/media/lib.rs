//! The media plane without IO: SDP, RTP, codecs, prompts, recording, bridges.
//!
//! What goes in: session descriptions, RTP and RTCP packets, [`Command`]s and the time. What comes out:
//! packets, [`Event`]s and recorded samples. Everything here works on bytes and samples that are handed in;
//! sockets, files and threads belong to the shell.

pub mod amd;
pub mod bridge;
pub mod clip;
pub mod codec;
pub mod command;
pub mod decode;
pub mod dtmf;
pub mod engine;
pub mod event;
pub mod feed;
pub mod jitter;
pub mod latch;
pub mod leg;
pub mod mix;
pub mod negotiated;
pub mod outgoing;
pub mod play;
pub mod quality;
pub mod reception;
pub mod record;
pub mod resample;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod srtp;
pub mod tap;
pub mod tone;
pub mod trim;
pub mod vad;
pub mod wav;

pub use amd::{AmdSettings, AnsweredBy};
pub use clip::{Clip, ClipKey, GrowingClip};
pub use codec::CodecKind;
pub use command::{Command, LegId, Member, PlayId, PlayItem, RecordFormat, RecordWhat, RoomId, TapId};
pub use event::{Event, LegStats, RecordEnd};
pub use negotiated::{CODECS_MAX, Direction, Negotiated, OpusParameters, Srtp, SrtpKey, SrtpSuite};
pub use tone::Tone;
