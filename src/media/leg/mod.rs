//! One leg: a stream from the peer, a stream to the peer, and what happens to both.
//!
//! ```text
//!              latch      source,      key or             bridge
//!   packets ─► strangers ─► sequence ─► sound ──┬──────────────────► the other leg
//!              out        copies out            └─► recorders ◄─┐
//!                                                               │
//!   packets ◄──────────── one numbering ◄── digits, play, silence, the other leg
//! ```
//!
//! What the peer hears is, in this order: digits being sent, what plays, the other leg of a bridge, silence.
//! A configured leg that is in no bridge is sent silence every 20 ms rather than nothing: pinholes in NATs and
//! firewalls stay open, phones and carriers that hang up on missing media do not, and what listens at the other
//! end keeps its timing. In a bridge nothing is added to what the other side sends, so its silence suppression
//! reaches the peer as it is; only after [`KEEPALIVE_NS`] of it goes one frame of silence (RFC 6263 §4.6).
//!
//! What we make ourselves goes in packets as long as the peer asked for; every leg shares one clock of 20 ms, from
//! which shorter and longer ones are cut. What is relayed keeps the packets of its source.
//!
//! Sound inside the box is linear at 8 or 16 kHz. Where both ends of a bridge speak the same codec, or the two laws
//! of G.711, it never is: the payload goes on as it came.

mod answering;
pub mod echo;
pub(crate) mod glance;
pub mod listen;
mod receive;
mod record;
mod relayed;
mod report;
pub mod seat;
pub mod secure;
mod send;
mod tap;
pub mod voice;
pub mod watch;

use std::net::IpAddr;
use std::sync::Arc;

use base::Rng;

use crate::codec::CodecKind;
use crate::codec::coder::Effort;
use crate::command::{LegId, PlayId, TapId};
use crate::dtmf;
use crate::engine::{Garbage, Out};
use crate::event::Event;
use crate::event::{LegStats, RecordEnd};
use crate::feed::Feed;
use crate::latch::Latch;
use crate::negotiated::Negotiated;
use crate::outgoing::Outgoing;
use crate::play::Player;
use crate::reception::Reception;
use crate::record::Recorder;
use crate::rtcp::{Heard, Reporter};
use crate::tap::{Tap, TapRing};
use answering::Answering;
use echo::EchoLine;
use listen::Listener;
use relayed::Relayed;
use seat::Seat;
use secure::Secure;
use voice::Voice;
use watch::Guard;

pub(crate) use receive::{HeardPacket, Kind};

/// A bridged leg that was sent nothing for so long gets a frame of silence.
pub const KEEPALIVE_NS: u64 = 15_000_000_000;

/// Recordings of one leg at a time; more are refused.
pub const RECORDERS_MAX: usize = 4;

/// The state of one leg. Opaque: it only moves between engines.
#[derive(Debug)]
pub struct Leg {
    pub(crate) id: LegId,
    /// The slot of the leg it is bridged with.
    pub(crate) peer: Option<u32>,
    /// The phase it is clocked in, and since when.
    pub(crate) phase: Option<(u8, u64)>,
    negotiated: Option<Negotiated>,
    rtp: Latch,
    rtcp: Latch,
    reception: Reception,
    outgoing: Outgoing,
    keys: dtmf::Receiver,
    /// What the peer speaks, and since when; open after each agreement.
    spoken: Option<(CodecKind, u64)>,
    /// Made when somebody first needs samples of what the peer says.
    listener: Option<Box<Listener>>,
    /// Made when something must be coded for the peer that is not coded already.
    voice: Option<Box<Voice>>,
    /// What was relayed to a peer of G.722 since an encoder of ours spoke to it.
    relayed: Option<Box<Relayed>>,
    /// Made with the first agreement.
    guard: Option<Box<Guard>>,
    /// `None`: plain RTP.
    secure: Option<Box<Secure>>,
    /// Its part in a room, if it is in one.
    pub(crate) seat: Option<Box<Seat>>,
    /// A key that is sounded to a peer that takes no events.
    sounding: Option<Sounding>,
    /// How much was said at the pace of the clock, in ticks.
    said: u64,
    playing: Playing,
    recorders: Vec<Recorder>,
    taps: Vec<Tap>,
    watch: Option<Watch>,
    answering: Option<Answering>,
    heard_at: u64,
    reporter: Reporter,
    report_due: u64,
    reported_packets: u64,
    peer_report: Option<Heard>,
    stats: LegStats,
}

#[derive(Debug)]
enum Playing {
    Nothing,
    Items(Player),
    Digits(Digits),
    /// What a shell says.
    Feed(TapId, Arc<Feed>),
    /// What a tap hands over.
    Tap(Arc<TapRing>),
    /// What it says itself.
    Echo(Box<EchoLine>),
}

#[derive(Debug)]
struct Digits {
    play: PlayId,
    sender: dtmf::Sender,
    /// Timestamp of the key being sent, and when it began.
    key: Option<(u32, u64)>,
}

/// A key of another leg, sounded as far as its packets have said that it is pressed.
#[derive(Clone, Copy, Debug)]
struct Sounding {
    source: u64,
    at: u64,
    ms: u32,
}

#[derive(Debug)]
struct Watch {
    timeout: u64,
    since: u64,
    reported: bool,
}

impl Leg {
    pub(crate) fn new(id: LegId, signalling: Option<IpAddr>, rng: &mut Rng) -> Leg {
        let ssrc = rng.u32();
        Leg {
            id,
            peer: None,
            phase: None,
            negotiated: None,
            rtp: Latch::new(signalling),
            rtcp: Latch::new(signalling),
            reception: Reception::default(),
            outgoing: Outgoing::new(ssrc, 8_000, first_sequence(rng), rng.u32()),
            keys: dtmf::Receiver::default(),
            spoken: None,
            listener: None,
            voice: None,
            relayed: None,
            guard: None,
            secure: None,
            seat: None,
            sounding: None,
            said: 0,
            playing: Playing::Nothing,
            recorders: Vec::new(),
            taps: Vec::new(),
            watch: None,
            answering: None,
            heard_at: 0,
            reporter: Reporter::new(ssrc, &rng.hex(16)),
            report_due: u64::MAX,
            reported_packets: 0,
            peer_report: None,
            stats: LegStats::default(),
        }
    }

    /// Its signalling goes elsewhere from now on, before anything was agreed on.
    pub(crate) fn readdress(&mut self, signalling: Option<IpAddr>) {
        (self.rtp, self.rtcp) = (Latch::new(signalling), Latch::new(signalling));
    }

    /// Which leg it is.
    pub fn id(&self) -> LegId {
        self.id
    }

    /// See [`crate::engine::MediaCore::glimpse`]: something of each part that a relayed packet passes.
    #[inline]
    pub(crate) fn glimpse(&self) -> u64 {
        let parts = [
            u64::from(self.rtp.owner().is_some()),
            u64::from(self.negotiated.is_some()),
            u64::from(self.reception.ssrc().unwrap_or(0)),
            u64::from(self.outgoing.clock()),
            self.stats.packets_received,
            self.stats.packets_sent,
            self.heard_at,
            u64::from(self.spoken.is_some()),
            self.recorders.len() as u64,
            self.guard.as_ref().map_or(0, |guard| guard.glimpse()),
        ];
        parts.into_iter().fold(0, u64::wrapping_add)
    }

    /// A new agreement. Numbering goes on as long as its clock does; who may speak is open again.
    pub(crate) fn configure(&mut self, negotiated: Negotiated, now: u64, rng: &mut Rng, out: &mut impl Out) {
        self.secure(negotiated.srtp, out);
        self.rtp.offer(negotiated.remote);
        self.rtcp.offer(negotiated.remote_rtcp);
        self.reception.reopen();
        self.spoken = None;
        if self.negotiated.is_none() {
            self.report_due = now + report::interval(rng) / 2;
        }
        let clock = negotiated.codec.info().clock;
        if clock != self.outgoing.clock() {
            // Timestamps of two clocks do not belong into one stream (RFC 7160 §4.1).
            if self.negotiated.is_some() {
                self.goodbye(now, out);
            }
            let ssrc = rng.u32();
            self.outgoing = Outgoing::new(ssrc, clock, first_sequence(rng), rng.u32());
            self.reporter = Reporter::new(ssrc, &rng.hex(16));
            self.reported_packets = 0;
        }
        if let Some(voice) = self.voice.take_if(|voice| !voice.fits(&negotiated)) {
            out.retire(Garbage::Voice(voice));
        }
        let is_same = self.codec() == Some(negotiated.codec);
        match &mut self.relayed {
            Some(relayed) if !is_same => relayed.clear(),
            None if negotiated.codec == CodecKind::G722 => self.relayed = Some(Box::default()),
            _ => {}
        }
        self.negotiated = Some(negotiated);
        self.guard(&negotiated, now, out);
    }

    /// How hard its encoders work.
    pub(crate) fn set_effort(&mut self, effort: Effort) {
        if let Some(voice) = &mut self.voice {
            voice.set_effort(effort);
        }
    }

    /// Whether the leg has something to do every 20 ms.
    pub(crate) fn wants_clock(&self) -> bool {
        let sounds = self.peer.is_none() || !matches!(self.playing, Playing::Nothing);
        // In a room the room's clock does it.
        let ours = self.records() || self.answering.is_some();
        self.seat.is_none() && (ours || (self.negotiated.is_some() && sounds))
    }

    /// Whether somebody hears it when that comes late, or waits for it: everything but a recording.
    pub(crate) fn must_be_punctual(&self) -> bool {
        let sounds = self.peer.is_none() || !matches!(self.playing, Playing::Nothing);
        self.seat.is_none() && (sounds || self.answering.is_some() || !self.taps.is_empty())
    }

    /// 20 ms have passed, by the ideal clock.
    pub(crate) fn tick(&mut self, now: u64, out: &mut impl Out) {
        if self.negotiated.is_some() {
            self.sound(now, out);
        }
        self.tick_recorders(now, out);
        self.tick_answering(now, out);
    }

    /// Replaces what plays.
    pub(crate) fn play(&mut self, player: Player, now: u64, out: &mut impl Out) {
        self.stop_playing(now, out);
        match player.play.filter(|_| player.is_over()) {
            Some(play) => {
                out.event(Event::Played { leg: self.id, play, completed: true });
                out.retire(Garbage::Player(player));
            }
            None => self.playing = Playing::Items(player),
        }
    }

    /// Replaces what plays by keys being pressed.
    pub(crate) fn send_digits(&mut self, play: PlayId, digits: String, now: u64, out: &mut impl Out) {
        self.stop_playing(now, out);
        let sender = dtmf::Sender::new(digits);
        self.playing = Playing::Digits(Digits { play, sender, key: None });
    }

    /// Ends what plays before its time.
    pub(crate) fn stop_playing(&mut self, now: u64, out: &mut impl Out) {
        self.end_playing(false, out);
        self.start_recorders(now, out);
    }

    /// The bridge it was in is no more, or is another.
    pub(crate) fn end_run(&mut self) {
        self.outgoing.end_run();
    }

    /// The last words: recordings and plays end, the peer is told.
    pub(crate) fn close(&mut self, now: u64, out: &mut impl Out) {
        while !self.recorders.is_empty() {
            self.finish_recorder(0, RecordEnd::Closed, now, out);
        }
        self.end_taps(now, out);
        self.end_playing(false, out);
        if self.negotiated.is_some() {
            self.goodbye(now, out);
        }
        out.event(Event::Closed { leg: self.id, stats: self.stats() });
    }

    pub(crate) fn stats(&self) -> LegStats {
        LegStats {
            mos_x100: self.mos_x100(),
            lost: self.reception.lost(),
            jitter_us: self.reception.jitter_us(self.outgoing.clock()),
            ..self.stats
        }
    }

    fn end_playing(&mut self, completed: bool, out: &mut impl Out) {
        match std::mem::replace(&mut self.playing, Playing::Nothing) {
            Playing::Nothing => {}
            Playing::Items(player) => {
                if let Some(play) = player.play {
                    out.event(Event::Played { leg: self.id, play, completed });
                }
                out.retire(Garbage::Player(player));
            }
            Playing::Digits(digits) => {
                out.event(Event::Played { leg: self.id, play: digits.play, completed });
                out.retire(Garbage::Digits(digits.sender));
            }
            Playing::Echo(line) => out.retire(Garbage::Echo(line)),
            Playing::Tap(ring) => out.retire(Garbage::Ring(ring)),
            Playing::Feed(_, feed) => {
                feed.end();
                out.retire(Garbage::Feed(feed));
            }
        }
    }
}

/// Random, as RFC 3550 §5.1 wants it, and in the lower half: a receiver that misses the first packets must not take
/// the wrap for the beginning (RFC 3711 §3.3.1).
fn first_sequence(rng: &mut Rng) -> u16 {
    rng.u32() as u16 & 0x7FFF
}
