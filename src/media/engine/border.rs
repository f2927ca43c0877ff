//! What goes into an engine and what comes out of it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base::RecordingSid;

use crate::amd::{Amd, AmdSettings};
use crate::clip::{Clip, GrowingClip};
use crate::command::{LegId, Member, PlayId, RecordWhat, RoomId, TapId};
use crate::dtmf;
use crate::event::Event;
use crate::feed::Feed;
use crate::leg::Leg;
use crate::leg::echo::EchoLine;
use crate::leg::listen::Listener;
use crate::leg::seat::Seat;
use crate::leg::secure::Secure;
use crate::leg::voice::Voice;
use crate::negotiated::Negotiated;
use crate::play::Player;
use crate::record::Recorder;
use crate::tap::{Tap, TapRing};
use crate::tone::Detector;

use super::room::Room;

/// Which of a leg's two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Sound and telephone events (RFC 3550 §5).
    Rtp,
    /// Reports about them (RFC 3550 §6).
    Rtcp,
}

/// [`crate::Command`] with its sounds looked up and its sockets open.
#[derive(Clone, Debug)]
pub enum CoreCommand {
    /// A leg whose sockets are open.
    Open {
        /// The new leg.
        leg: LegId,
        /// Where its RTP socket is bound, for [`Event::Opened`].
        local: SocketAddr,
        /// Where the peer's signalling comes from; tells a peer behind NAT from a stranger.
        peer: Option<IpAddr>,
    },
    /// See [`crate::Command::Readdress`].
    Readdress {
        /// The leg.
        leg: LegId,
        /// What the peer is told from now on, for [`Event::Opened`].
        local: SocketAddr,
        /// As with `Open`.
        peer: Option<IpAddr>,
    },
    /// See [`crate::Command::Configure`].
    Configure {
        /// The leg.
        leg: LegId,
        /// The agreement.
        negotiated: Negotiated,
    },
    /// See [`crate::Command::Play`].
    Play {
        /// The leg.
        leg: LegId,
        /// Echoed when it ends.
        play: PlayId,
        /// What to play.
        items: Vec<CoreItem>,
        /// How often; 0 = for ever.
        repeat: u32,
    },
    /// See [`crate::Command::StopPlay`].
    StopPlay {
        /// The leg.
        leg: LegId,
    },
    /// See [`crate::Command::SendDigits`].
    SendDigits {
        /// The leg.
        leg: LegId,
        /// Echoed when it ends.
        play: PlayId,
        /// What to send.
        digits: String,
    },
    /// See [`crate::Command::Bridge`].
    Bridge {
        /// One side.
        a: LegId,
        /// The other.
        b: LegId,
    },
    /// See [`crate::Command::Unbridge`].
    Unbridge {
        /// One side.
        a: LegId,
        /// The other.
        b: LegId,
    },
    /// See [`crate::Command::Join`].
    Join {
        /// The leg.
        leg: LegId,
        /// The room.
        room: RoomId,
        /// How it takes part.
        member: Member,
    },
    /// See [`crate::Command::ChangeMember`].
    ChangeMember {
        /// The leg.
        leg: LegId,
        /// How it takes part.
        member: Member,
    },
    /// See [`crate::Command::Leave`].
    Leave {
        /// The leg.
        leg: LegId,
    },
    /// See [`crate::Command::Announce`].
    Announce {
        /// The room.
        room: RoomId,
        /// See [`crate::Command::Announce`].
        play: Option<PlayId>,
        /// What to play.
        items: Vec<CoreItem>,
        /// How often, at least once.
        repeat: u32,
    },
    /// See [`crate::Command::Record`].
    Record {
        /// The leg.
        leg: LegId,
        /// Which recording.
        recording: RecordingSid,
        /// Which direction.
        what: RecordWhat,
        /// Played before it starts.
        beep: Option<Arc<Clip>>,
        /// Longest recording in milliseconds.
        max_ms: u64,
        /// Ends after so many milliseconds without sound; 0 = never.
        silence_ms: u64,
    },
    /// See [`crate::Command::RecordRoom`].
    RecordRoom {
        /// The leg.
        leg: LegId,
        /// Which recording.
        recording: RecordingSid,
        /// Longest recording in milliseconds.
        max_ms: u64,
    },
    /// See [`crate::Command::PauseRecord`].
    PauseRecord {
        /// The leg.
        leg: LegId,
        /// Which recording.
        recording: RecordingSid,
        /// See [`crate::Command::PauseRecord`].
        silence: bool,
    },
    /// See [`crate::Command::ResumeRecord`].
    ResumeRecord {
        /// The leg.
        leg: LegId,
        /// Which recording.
        recording: RecordingSid,
    },
    /// See [`crate::Command::StopRecord`].
    StopRecord {
        /// The leg.
        leg: LegId,
        /// Which recording.
        recording: RecordingSid,
    },
    /// See [`crate::Command::Tap`].
    Tap {
        /// The leg.
        leg: LegId,
        /// Which tap.
        tap: TapId,
        /// Which direction.
        what: RecordWhat,
        /// Where its frames go.
        ring: Arc<TapRing>,
    },
    /// See [`crate::Command::Untap`].
    Untap {
        /// The leg.
        leg: LegId,
        /// Which tap.
        tap: TapId,
    },
    /// See [`crate::Command::Feed`].
    Feed {
        /// The leg.
        leg: LegId,
        /// Which feed.
        feed: TapId,
        /// Where its samples come from.
        ring: Arc<Feed>,
    },
    /// See [`crate::Command::Hear`].
    Hear {
        /// The leg.
        leg: LegId,
        /// Where its frames come out.
        ring: Arc<TapRing>,
    },
    /// See [`crate::Command::EndFeed`].
    EndFeed {
        /// The leg.
        leg: LegId,
        /// Which feed.
        feed: TapId,
    },
    /// See [`crate::Command::DetectMachine`].
    DetectMachine {
        /// The leg.
        leg: LegId,
        /// How.
        settings: AmdSettings,
    },
    /// See [`crate::Command::Echo`].
    Echo {
        /// The leg.
        leg: LegId,
    },
    /// See [`crate::Command::Watch`].
    Watch {
        /// The leg.
        leg: LegId,
        /// Milliseconds; 0 = off.
        timeout_ms: u64,
    },
    /// See [`crate::Command::Close`].
    Close {
        /// The leg.
        leg: LegId,
    },
}

/// One piece of a play, ready to be heard.
#[derive(Clone, Debug)]
pub enum CoreItem {
    /// A sound, shared with everybody else who plays it.
    Clip(Arc<Clip>),
    /// A sound that is still being made.
    Growing(Arc<GrowingClip>),
    /// Nothing, for so long.
    Silence {
        /// Milliseconds.
        ms: u32,
    },
}

/// Where the core's outputs go at once. None of the methods may block.
pub trait Out {
    /// A packet for the peer.
    fn send(&mut self, leg: LegId, channel: Channel, to: SocketAddr, bytes: &[u8]);
    /// Something the call wants to know. A recording ends with no bytes told and never as failed: only files know of
    /// both.
    fn event(&mut self, event: Event);
    /// 20 ms of a recording (fewer only at its end), the samples of two channels in turns; `at` counts samples
    /// of one channel since the recording started.
    fn tap(&mut self, recording: RecordingSid, samples: &[i16], at: u64);
    /// Something the core is done with. A thread that must not free memory hands it to one that may.
    fn retire(&mut self, garbage: Garbage) {
        drop(garbage);
    }
}

/// Memory to be freed, nothing else.
#[derive(Debug)]
pub enum Garbage {
    /// A closed leg.
    Leg(Box<Leg>),
    /// A play that ended.
    Player(Player),
    /// Digits that were sent.
    Digits(dtmf::Sender),
    /// A recording that ended.
    Recorder(Recorder),
    /// A tap that ended.
    Tap(Box<Tap>),
    /// A tap's ring that nobody fills.
    Ring(Arc<TapRing>),
    /// What a peer said and was to hear again.
    Echo(Box<EchoLine>),
    /// What was fed to a peer.
    Feed(Arc<Feed>),
    /// What should have been played to a leg that is gone.
    Items(Vec<CoreItem>),
    /// What should have been sent to one.
    Text(String),
    /// A beep for one.
    Clip(Arc<Clip>),
    /// The coding side of a leg that now sends something else.
    Voice(Box<Voice>),
    /// The decoding side of a leg that now hears something else.
    Listener(Box<Listener>),
    /// The part of a leg in a room it left.
    Seat(Box<Seat>),
    /// A room everybody left.
    Room(Box<Room>),
    /// What looked for keys in a peer's sound.
    Detector(Box<Detector>),
    /// What listened who answered.
    Amd(Box<Amd>),
    /// The keys of a leg that is no longer encrypted.
    Secure(Box<Secure>),
}
