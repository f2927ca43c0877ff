//! What the call asks of the media plane and what the media plane tells it.
//!
//! Signalling never touches a packet: it opens a leg, configures it with what SDP negotiated, and from then
//! on only says what shall be heard. Everything here is plain data.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use base::RecordingSid;
use serde::{Deserialize, Serialize};

use crate::amd::{AmdSettings, AnsweredBy};
use crate::clip::ClipKey;
use crate::codec::CodecKind;
use crate::quality::Finding;
use crate::tone::Tone;

/// One RTP stream in each direction: the box's side of one call leg. Chosen by the call, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LegId(pub u64);

/// One [`Command::Play`] or [`Command::SendDigits`], echoed by [`Event::Played`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlayId(pub u64);

/// A conference's mix. Chosen by the call, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RoomId(pub u64);

/// One [`Command::Tap`] or [`Command::Feed`]: names the ring its samples go through. Chosen by the call, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TapId(pub u64);

/// How a leg takes part in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Hears, but is not heard.
    pub muted: bool,
    /// Neither hears nor is heard: what plays to it is all it gets.
    pub on_hold: bool,
    /// Is heard by this member alone; hears everybody.
    pub coaches: Option<LegId>,
    /// How loud the others hear it, in hundredths, 0–400.
    pub gain_percent: u16,
    /// [`Event::Speaking`] tells when it begins and stops speaking.
    pub tells_speech: bool,
    /// Milliseconds that what it says is held back at most to come steadily, 0–200; taken when it joins.
    pub delay_ms_max: u16,
}

impl Default for Member {
    /// Hears everybody and is heard as loud as it is.
    fn default() -> Member {
        Member {
            muted: false,
            on_hold: false,
            coaches: None,
            gain_percent: 100,
            tells_speech: false,
            delay_ms_max: 200,
        }
    }
}

/// Which way media flows, seen from the box (RFC 4566 §6, RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// We send only: the box has the peer on hold, or the peer listens only.
    SendOnly,
    /// We receive only: the peer has us on hold.
    RecvOnly,
    /// Neither.
    Inactive,
}

/// What an offer and its answer agreed on, from the box's side; made by [`crate::sdp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiated {
    /// Where the peer wants RTP.
    pub remote: SocketAddr,
    /// Where the peer wants RTCP: RTP port + 1, or its `a=rtcp` (RFC 3605).
    pub remote_rtcp: SocketAddr,
    /// What we send.
    pub codec: CodecKind,
    /// The RTP payload type for `codec`, as the peer numbers it.
    pub payload_type: u8,
    /// What the peer may send, by payload type as we numbered it; `codec` is among them.
    pub receive: [Option<(u8, CodecKind)>; CODECS_MAX],
    /// What the peer asks of our Opus encoder; only read when `codec` is Opus.
    pub opus: OpusParameters,
    /// Payload type to send telephone events with (RFC 4733), as the peer numbers it; `None` when the peer
    /// does not take them.
    pub dtmf: Option<u8>,
    /// Payload type on which the peer sends telephone events, as we numbered it; differs from `dtmf` only
    /// when an answerer renumbered our offer (RFC 3264 §5.1).
    pub dtmf_receive: Option<u8>,
    /// Clock of the telephone events of both directions in Hz: that of the audio they interrupt (RFC 4733 §2.1).
    pub dtmf_clock: u32,
    /// Whether keys may come and go as tones in the audio when no telephone events are agreed on.
    pub dtmf_inband: bool,
    /// Payload type of comfort noise (RFC 3389), when the peer takes and sends it.
    pub comfort_noise: Option<u8>,
    /// Ours: `SendOnly` means that we send.
    pub direction: Direction,
    /// Milliseconds of audio per packet that the peer wants.
    pub ptime_ms: u8,
    /// Milliseconds of audio per packet that the peer takes at most.
    pub max_ptime_ms: u8,
    /// How both directions are encrypted; `None` = plain RTP.
    pub srtp: Option<Srtp>,
}

/// Codecs one agreement holds; further ones of a description are not looked at.
pub const CODECS_MAX: usize = 8;

/// What an `a=fmtp` asks of an Opus encoder (RFC 7587 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpusParameters {
    /// Highest sampling rate worth sending, in Hz: 8,000, 12,000, 16,000, 24,000 or 48,000.
    pub max_playback_rate: u32,
    /// Most bits a second, 6,000 to 510,000; `None` = as many as the sound needs.
    pub max_average_bitrate: Option<u32>,
    /// Add what repairs the packet before (in-band forward error correction).
    pub use_inband_fec: bool,
    /// Send next to nothing in silence (discontinuous transmission).
    pub use_dtx: bool,
    /// Constant bit rate.
    pub cbr: bool,
}

impl Default for OpusParameters {
    /// What a peer that says nothing asks for (RFC 7587 §6.1).
    fn default() -> OpusParameters {
        OpusParameters {
            max_playback_rate: 48_000,
            max_average_bitrate: None,
            use_inband_fec: false,
            use_dtx: false,
            cbr: false,
        }
    }
}

/// Keys of both directions of a stream, as `a=crypto` carried them (RFC 4568 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Srtp {
    /// The cipher, the same in both directions (RFC 4568 §5.1.2).
    pub suite: SrtpSuite,
    /// What we encrypt with.
    pub send: SrtpKey,
    /// What the peer encrypts with.
    pub receive: SrtpKey,
}

/// A master key and its salt, as many bytes of each as the suite wants, zeros behind.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SrtpKey {
    /// The master key.
    pub key: [u8; 32],
    /// The master salt.
    pub salt: [u8; 14],
}

impl std::fmt::Debug for SrtpKey {
    /// Keys belong in no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SrtpKey(…)")
    }
}

/// A crypto suite of `a=crypto` (RFC 4568 §6.2, RFC 7714 §14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SrtpSuite {
    /// `AES_CM_128_HMAC_SHA1_80`: 16 bytes of key, 14 of salt.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`: the same with a shorter tag on RTP.
    AesCm128HmacSha1_32,
    /// `AEAD_AES_256_GCM`: 32 bytes of key, 12 of salt.
    AeadAes256Gcm,
}

/// Asked of the media plane. A command for a leg that is not open does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Allocates the ports of a leg; answered by [`Event::Opened`] or [`Event::OpenFailed`].
    Open {
        /// The new leg.
        leg: LegId,
        /// A leg it will be bridged with: both then live on the same media thread.
        near: Option<LegId>,
        /// Where the peer is, which decides the local address that SDP shows it.
        peer: Option<IpAddr>,
    },
    /// The peer of a leg nobody has configured is elsewhere than it was said to be; another [`Event::Opened`] follows.
    Readdress {
        /// The leg.
        leg: LegId,
        /// See [`Command::Open`].
        peer: Option<IpAddr>,
    },
    /// What SDP agreed on, first and after every re-INVITE. Timestamps and sequence numbers go on.
    Configure {
        /// The leg.
        leg: LegId,
        /// The agreement.
        negotiated: Negotiated,
    },
    /// Plays `items` in order; replaces what plays (whose `Played` says not completed).
    Play {
        /// The leg that hears it.
        leg: LegId,
        /// Echoed when it ends.
        play: PlayId,
        /// What to play.
        items: Vec<PlayItem>,
        /// How often; 0 = until replaced or stopped.
        repeat: u32,
    },
    /// Ends what plays; its `Played` says not completed.
    StopPlay {
        /// The leg.
        leg: LegId,
    },
    /// Sends telephone events; ends with [`Event::Played`].
    SendDigits {
        /// The leg they are sent to.
        leg: LegId,
        /// Echoed when the last one is sent.
        play: PlayId,
        /// `0`–`9`, `A`–`D`, `*`, `#`; `w` waits half a second, `W` a second.
        digits: String,
    },
    /// Each hears the other. What plays to a bridged leg replaces what it hears from the other side.
    Bridge {
        /// One side.
        a: LegId,
        /// The other.
        b: LegId,
    },
    /// Ends [`Command::Bridge`].
    Unbridge {
        /// One side.
        a: LegId,
        /// The other.
        b: LegId,
    },
    /// The leg is one of a room's members from now on: all of them hear each other. It leaves its bridge or the
    /// room it was in. A room is there as long as somebody is in it.
    Join {
        /// The leg.
        leg: LegId,
        /// The room; a new name makes one.
        room: RoomId,
        /// How it takes part.
        member: Member,
    },
    /// How a member takes part changes.
    ChangeMember {
        /// The leg.
        leg: LegId,
        /// From now on.
        member: Member,
    },
    /// Ends [`Command::Join`].
    Leave {
        /// The leg.
        leg: LegId,
    },
    /// Plays `items` to everybody in a room, over what is said there, in place of what is being announced. What is
    /// not to be told of, as a beep, does not interrupt what is, and is left out then.
    Announce {
        /// The room.
        room: RoomId,
        /// Named by [`Event::Announced`]; `None`: nobody wants to know.
        play: Option<PlayId>,
        /// What to play.
        items: Vec<PlayItem>,
        /// How often, at least once.
        repeat: u32,
    },
    /// Records a leg into a file; [`Event::RecordStarted`], later [`Event::Recorded`].
    Record {
        /// The leg.
        leg: LegId,
        /// Names the recording in its events.
        recording: RecordingSid,
        /// Where the shell writes it.
        path: String,
        /// Which direction.
        what: RecordWhat,
        /// Plays a beep to the leg before it starts.
        beep: bool,
        /// Longest recording in milliseconds.
        max_ms: u64,
        /// Ends after so many milliseconds without sound; 0 = never.
        silence_ms: u64,
        /// Cuts silence off both ends.
        trim: bool,
        /// What the file is.
        format: RecordFormat,
    },
    /// Records what is said in the room this leg is in, in one channel, until nobody is in it any more. Its events
    /// name this leg, also when it has left.
    RecordRoom {
        /// The leg.
        leg: LegId,
        /// Names the recording in its events.
        recording: RecordingSid,
        /// Where the shell writes it.
        path: String,
        /// Longest recording in milliseconds.
        max_ms: u64,
        /// Cuts silence off both ends.
        trim: bool,
        /// What the file is.
        format: RecordFormat,
    },
    /// Takes no sound into a recording until [`Command::ResumeRecord`].
    PauseRecord {
        /// The leg; for the recording of a room anybody who is in it.
        leg: LegId,
        /// Which one.
        recording: RecordingSid,
        /// Silence stands for what was left out; otherwise nothing does and the recording is shorter.
        silence: bool,
    },
    /// Ends [`Command::PauseRecord`].
    ResumeRecord {
        /// The leg, likewise.
        leg: LegId,
        /// Which one.
        recording: RecordingSid,
    },
    /// Ends a recording.
    StopRecord {
        /// The leg, likewise.
        leg: LegId,
        /// Which one.
        recording: RecordingSid,
    },
    /// Hands a leg's sound over while it is spoken, at 8 kHz in frames of 20 ms, also in silence, until
    /// [`Command::Untap`] or the leg's end. The shell has the other end of the ring.
    Tap {
        /// The leg.
        leg: LegId,
        /// Names the ring.
        tap: TapId,
        /// Which direction; `Dual` gives two channels.
        what: RecordWhat,
    },
    /// Ends a [`Command::Tap`].
    Untap {
        /// The leg.
        leg: LegId,
        /// Which one.
        tap: TapId,
    },
    /// From now on the leg's peer hears the samples the shell puts into a ring, at 8 kHz, and silence when there are
    /// none. Replaces what plays; ends with [`Command::EndFeed`], with whatever plays next, or when the shell says
    /// that no more will come.
    Feed {
        /// The leg.
        leg: LegId,
        /// Names the ring.
        feed: TapId,
    },
    /// Ends [`Command::Feed`]; what plays instead by now goes on.
    EndFeed {
        /// The leg.
        leg: LegId,
        /// Which one.
        feed: TapId,
    },
    /// From now on the leg's peer hears what a tap hands over, of whichever leg on whichever thread, and silence while
    /// that says nothing. Replaces what plays; ends with the tap, or with whatever plays next.
    Hear {
        /// The leg.
        leg: LegId,
        /// Which tap, asked for before or after.
        tap: TapId,
    },
    /// Listens who answered (reference: webhooks §4.5); answered by [`Event::AnsweredBy`] unless the leg is closed
    /// before. Replaces one that runs.
    DetectMachine {
        /// The leg.
        leg: LegId,
        /// How.
        settings: AmdSettings,
    },
    /// The leg's peer hears what it says itself; replaces what plays, and ends with whatever plays next.
    Echo {
        /// The leg.
        leg: LegId,
    },
    /// Reports [`Event::MediaLost`] after so much RTP and RTCP silence; 0 = off, as while on hold.
    Watch {
        /// The leg.
        leg: LegId,
        /// Milliseconds.
        timeout_ms: u64,
    },
    /// Frees the leg; answered by [`Event::Closed`].
    Close {
        /// The leg.
        leg: LegId,
    },
}

/// One piece of a [`Command::Play`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlayItem {
    /// A prepared sound.
    Clip(ClipKey),
    /// Nothing, for so long.
    Silence {
        /// Milliseconds.
        ms: u32,
    },
    /// A generated tone.
    Tone(Tone),
}

/// Which sound goes into a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordWhat {
    /// Only what the leg's peer says.
    Received,
    /// Only what the leg's peer hears.
    Sent,
    /// What the peer says and hears, mixed into one channel.
    Both,
    /// What the peer says in the left channel, what it hears in the right one.
    Dual,
}

impl RecordWhat {
    /// Channels of the recording.
    pub fn channels(self) -> u8 {
        match self {
            RecordWhat::Received | RecordWhat::Sent | RecordWhat::Both => 1,
            RecordWhat::Dual => 2,
        }
    }
}

/// What a recording's file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordFormat {
    /// 16-bit linear samples, losing nothing.
    #[default]
    Wav,
    /// Opus in Ogg (RFC 7845).
    OggOpus,
    /// MPEG-1 and 2 audio layer III.
    Mp3,
}

impl RecordFormat {
    /// The end of its files' names, without a dot.
    pub fn extension(self) -> &'static str {
        match self {
            RecordFormat::Wav => "wav",
            RecordFormat::OggOpus => "ogg",
            RecordFormat::Mp3 => "mp3",
        }
    }
}

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
    /// A play ended: exactly once for each [`Command::Play`] and [`Command::SendDigits`].
    Played {
        /// The leg.
        leg: LegId,
        /// As given.
        play: PlayId,
        /// False when it was stopped or replaced.
        completed: bool,
    },
    /// An announcement ended: once for each [`Command::Announce`] with a name, unless its room is gone before.
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
    /// A member of a room speaks, or has stopped: told of those who want it told ([`Member::tells_speech`]).
    Speaking {
        /// Of this leg.
        leg: LegId,
        /// Begins, or has stopped.
        began: bool,
    },
    /// [`Command::DetectMachine`] knows.
    AnsweredBy {
        /// The leg.
        leg: LegId,
        /// Who it is.
        answered_by: AnsweredBy,
        /// Milliseconds it took.
        ms: u32,
    },
    /// [`Command::Watch`] ran out.
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
    /// The recording is complete; exactly once for each [`Command::Record`].
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

/// Why a recording ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordEnd {
    /// [`Command::StopRecord`].
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

impl Negotiated {
    /// One codec both ways in packets of 20 ms and nothing beside it; RTCP at the next port.
    pub fn plain(remote: SocketAddr, codec: CodecKind, payload_type: u8) -> Negotiated {
        let mut receive = [None; CODECS_MAX];
        receive[0] = Some((payload_type, codec));
        Negotiated {
            remote,
            remote_rtcp: SocketAddr::new(remote.ip(), remote.port().saturating_add(1)),
            codec,
            payload_type,
            receive,
            opus: OpusParameters::default(),
            dtmf: None,
            dtmf_receive: None,
            dtmf_clock: codec.info().clock,
            dtmf_inband: true,
            comfort_noise: None,
            direction: Direction::SendRecv,
            ptime_ms: codec.info().ptime_ms,
            max_ptime_ms: 60,
            srtp: None,
        }
    }
}

impl Direction {
    /// Whether we send.
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether we receive.
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The direction that sends and receives just so.
    pub fn of(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// The same flow seen from the other side.
    pub fn reversed(self) -> Direction {
        Direction::of(self.receives(), self.sends())
    }
}
