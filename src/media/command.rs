//! What the call asks of the media plane; what it is told comes as [`crate::Event`].
//!
//! Signalling never touches a packet: it opens a leg, configures it with what SDP negotiated, and from then
//! on only says what shall be heard. Everything here is plain data.

use std::net::IpAddr;

use base::RecordingSid;
use serde::{Deserialize, Serialize};

use crate::amd::AmdSettings;
use crate::clip::ClipKey;
use crate::negotiated::Negotiated;
use crate::tone::Tone;

/// One RTP stream in each direction: the box's side of one call leg. Chosen by the call, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LegId(pub u64);

/// One [`Command::Play`] or [`Command::SendDigits`], echoed by [`crate::Event::Played`].
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
    /// [`crate::Event::Speaking`] tells when it begins and stops speaking.
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

/// Asked of the media plane. A command for a leg that is not open does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Allocates the ports of a leg; answered by [`crate::Event::Opened`] or [`crate::Event::OpenFailed`].
    Open {
        /// The new leg.
        leg: LegId,
        /// A leg it will be bridged with: both then live on the same media thread.
        near: Option<LegId>,
        /// Where the peer is, which decides the local address that SDP shows it.
        peer: Option<IpAddr>,
    },
    /// The peer of a leg nobody has configured is elsewhere than it was said to be; another
    /// [`crate::Event::Opened`] follows.
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
    /// Sends telephone events; ends with [`crate::Event::Played`].
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
        /// Named by [`crate::Event::Announced`]; `None`: nobody wants to know.
        play: Option<PlayId>,
        /// What to play.
        items: Vec<PlayItem>,
        /// How often, at least once.
        repeat: u32,
    },
    /// Records a leg into a file; [`crate::Event::RecordStarted`], later [`crate::Event::Recorded`].
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
    /// Listens who answered (reference: webhooks §4.5); answered by [`crate::Event::AnsweredBy`] unless the leg is closed
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
    /// Reports [`crate::Event::MediaLost`] after so much RTP and RTCP silence; 0 = off, as while on hold.
    Watch {
        /// The leg.
        leg: LegId,
        /// Milliseconds.
        timeout_ms: u64,
    },
    /// Frees the leg; answered by [`crate::Event::Closed`].
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
