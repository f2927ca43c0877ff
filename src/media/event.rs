//! What the media plane tells the call.

use std::borrow::Cow;
use std::net::SocketAddr;

use base::RecordingSid;
use serde::{Deserialize, Serialize};

use crate::amd::AnsweredBy;
use crate::command::{LegId, PlayId, RoomId};
use crate::quality::Finding;

/// Told by the media plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The leg has ports.
    Opened {
        /// The leg.
        leg: LegId,
        /// RTP address for SDP; RTCP is the next port.
        local: SocketAddr,
    },
    /// The leg could not be opened and does not exist.
    OpenFailed {
        /// The leg.
        leg: LegId,
        /// For people: no port left, no local address…
        why: Cow<'static, str>,
    },
    /// A play ended: exactly once for each [`crate::Command::Play`] and [`crate::Command::SendDigits`].
    Played {
        /// The leg.
        leg: LegId,
        /// As given.
        play: PlayId,
        /// False when it was stopped or replaced.
        completed: bool,
    },
    /// An announcement ended: once for each [`crate::Command::Announce`] with a name, unless its room is gone before.
    Announced {
        /// The room.
        room: RoomId,
        /// As given.
        play: PlayId,
        /// False when another took its place.
        completed: bool,
    },
    /// The peer pressed a key: once per key press, however many packets said so (RFC 4733).
    Digit {
        /// The leg.
        leg: LegId,
        /// `0`–`9`, `A`–`D`, `*`, `#`.
        digit: char,
        /// How long it had been pressed when it was reported, in milliseconds.
        ms: u32,
    },
    /// Something is wrong with what comes from the peer or goes to it, or no longer.
    Finding {
        /// The leg.
        leg: LegId,
        /// What; its text is for people.
        finding: Finding,
        /// False when it is over.
        began: bool,
    },
    /// A member of a room speaks, or has stopped: told of those who want it told ([`crate::Member::tells_speech`]).
    Speaking {
        /// Of this leg.
        leg: LegId,
        /// Begins, or has stopped.
        began: bool,
    },
    /// [`crate::Command::DetectMachine`] knows.
    AnsweredBy {
        /// The leg.
        leg: LegId,
        /// Who it is.
        answered_by: AnsweredBy,
        /// Milliseconds it took.
        ms: u32,
    },
    /// [`crate::Command::Watch`] ran out.
    MediaLost {
        /// The leg.
        leg: LegId,
    },
    /// The recording runs.
    RecordStarted {
        /// The leg.
        leg: LegId,
        /// Which one.
        recording: RecordingSid,
    },
    /// The recording is complete; exactly once for each [`crate::Command::Record`].
    Recorded {
        /// The leg.
        leg: LegId,
        /// Which one.
        recording: RecordingSid,
        /// Milliseconds recorded, before anything was trimmed (reference: twiml-voice §8).
        duration_ms: u64,
        /// Bytes of the file.
        bytes: u64,
        /// Why it ended.
        why: RecordEnd,
    },
    /// The leg is gone.
    Closed {
        /// The leg.
        leg: LegId,
        /// What went through it.
        stats: LegStats,
    },
}

impl Event {
    /// The leg it happened to; nothing where it was a room.
    pub fn leg(&self) -> Option<LegId> {
        match *self {
            Event::Announced { .. } => None,
            Event::Opened { leg, .. }
            | Event::OpenFailed { leg, .. }
            | Event::Played { leg, .. }
            | Event::Digit { leg, .. }
            | Event::Finding { leg, .. }
            | Event::Speaking { leg, .. }
            | Event::AnsweredBy { leg, .. }
            | Event::MediaLost { leg }
            | Event::RecordStarted { leg, .. }
            | Event::Recorded { leg, .. }
            | Event::Closed { leg, .. } => Some(leg),
        }
    }
}

/// Why a recording ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordEnd {
    /// [`crate::Command::StopRecord`].
    Stopped,
    /// `silence_ms` without sound.
    Silence,
    /// `max_ms` reached.
    MaxLength,
    /// The leg was closed.
    Closed,
    /// It could not be written; the text is for people.
    Failed(String),
}

/// What went through a leg, counted since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegStats {
    /// RTP packets taken from the peer.
    pub packets_received: u64,
    /// Their bytes, RTP header included, IP and UDP not.
    pub bytes_received: u64,
    /// RTP packets sent to the peer.
    pub packets_sent: u64,
    /// Their bytes, counted alike.
    pub bytes_sent: u64,
    /// Packets the peer sent that never came (RFC 3550 §6.4.1, cumulative).
    pub lost: u64,
    /// Interarrival jitter in microseconds (RFC 3550 §6.4.1).
    pub jitter_us: u32,
    /// Of the packets we sent, how many the peer says it missed (its last RTCP report).
    pub lost_by_peer: u64,
    /// Jitter the peer says our packets have, in microseconds.
    pub jitter_by_peer_us: u32,
    /// Packets from an address or source that is not the peer's; not taken.
    pub strangers: u64,
    /// How often the peer moved to another address in mid-call and was followed.
    pub moves: u64,
    /// Packets whose tag said that they are not the peer's (RFC 3711 §3.3); not taken.
    pub forged: u64,
    /// Packets that came too late to be played.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that were not RTP, or of a payload type nobody agreed on.
    pub malformed: u64,
    /// How long what the peer says waits in its jitter buffer, in microseconds, while or when it was last in a room.
    pub playout_delay_us: u32,
    /// What people would say of what they hear from the peer, in hundredths of a point of ITU-T G.107's estimate
    /// (100–450); 0 before anything was heard.
    pub mos_x100: u16,
    /// Microseconds to the peer and back (RFC 3550 §6.4.1), when its reports let us measure it.
    pub round_trip_us: Option<u32>,
}
