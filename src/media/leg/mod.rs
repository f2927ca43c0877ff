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
//! What we make ourselves goes in packets of 20 ms whatever `a=ptime` recommends (RFC 4566 §6): every receiver of
//! G.711 takes them, and every leg then shares one clock. What is relayed keeps the packets of its source.

mod report;
mod send;

use std::net::{IpAddr, SocketAddr};

use base::{RecordingSid, Rng};

use crate::codec::CodecKind;
use crate::command::{LegId, LegStats, Negotiated, PlayId, RecordEnd};
use crate::dtmf::{self, TelephoneEvent};
use crate::engine::{CoreEvent, Garbage, Out};
use crate::latch::Latch;
use crate::outgoing::Outgoing;
use crate::play::Player;
use crate::reception::{Reception, Verdict};
use crate::record::{self, Placed, Recorder, Step};
use crate::rtcp::{COMPOUND_BYTES_MAX, Heard, Reporter};
use crate::rtp::{self, PACKET_BYTES_MAX, Parsed};

/// A bridged leg that was sent nothing for so long gets a frame of silence.
pub const KEEPALIVE_NS: u64 = 15_000_000_000;

/// Recordings of one leg at a time; more are refused.
pub const RECORDERS_MAX: usize = 4;

/// RTP clock of every codec we speak, in Hz.
const CLOCK: u32 = 8_000;

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
    playing: Playing,
    recorders: Vec<Recorder>,
    watch: Option<Watch>,
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
}

#[derive(Debug)]
struct Digits {
    play: PlayId,
    sender: dtmf::Sender,
    /// Timestamp of the key being sent, and when it began.
    key: Option<(u32, u64)>,
}

#[derive(Debug)]
struct Watch {
    timeout: u64,
    since: u64,
    reported: bool,
}

/// A packet of the peer that somebody may hear.
#[derive(Debug)]
pub(crate) struct HeardPacket {
    pub(crate) parsed: Parsed,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sound(CodecKind),
    Event(TelephoneEvent),
    /// Not to be heard: of a payload type nobody agreed on, empty, or while we do not receive.
    Other,
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
            outgoing: Outgoing::new(ssrc, rng.u32() as u16, rng.u32()),
            keys: dtmf::Receiver::default(),
            playing: Playing::Nothing,
            recorders: Vec::new(),
            watch: None,
            heard_at: 0,
            reporter: Reporter::new(ssrc, &rng.hex(16)),
            report_due: u64::MAX,
            reported_packets: 0,
            peer_report: None,
            stats: LegStats::default(),
        }
    }

    /// Which leg it is.
    pub fn id(&self) -> LegId {
        self.id
    }

    /// A new agreement. Numbering goes on; who may speak is open again.
    pub(crate) fn configure(&mut self, negotiated: Negotiated, now: u64, rng: &mut Rng) {
        self.rtp.offer(negotiated.remote);
        self.rtcp.offer(negotiated.remote_rtcp);
        self.reception.reopen();
        if self.negotiated.is_none() {
            self.report_due = now + report::interval(rng) / 2;
        }
        self.negotiated = Some(negotiated);
    }

    /// Whether the leg has something to do every 20 ms.
    pub(crate) fn wants_clock(&self) -> bool {
        let sounds = self.peer.is_none() || !matches!(self.playing, Playing::Nothing);
        !self.recorders.is_empty() || (self.negotiated.is_some() && sounds)
    }

    /// Takes a packet from the RTP socket. What is somebody's to hear comes back.
    #[inline]
    pub(crate) fn on_rtp(&mut self, from: SocketAddr, bytes: &[u8], now: u64) -> Option<HeardPacket> {
        let Some(parsed) = rtp::parse(bytes) else {
            let count = if self.rtp.owner() == Some(from) {
                &mut self.stats.malformed
            } else {
                &mut self.stats.strangers
            };
            *count += 1;
            return None;
        };
        if !self.rtp.accepts(from) {
            self.stats.strangers += 1;
            return None;
        }
        let known = self.reception.ssrc();
        match self.reception.on_packet(parsed.fields, now, CLOCK) {
            Verdict::New | Verdict::Reordered => {}
            Verdict::Duplicate => {
                self.stats.duplicates += 1;
                return None;
            }
            Verdict::Late => {
                self.stats.late += 1;
                return None;
            }
            Verdict::Stranger => {
                self.stats.strangers += 1;
                return None;
            }
        }
        self.heard_at = now;
        self.stats.packets_received += 1;
        self.stats.bytes_received += bytes.len() as u64;
        if known != Some(parsed.fields.ssrc) {
            self.on_new_source();
        }
        let negotiated = self.negotiated.as_ref()?;
        let kind = if negotiated.direction.receives() {
            let kind = kind(negotiated, parsed.fields.payload_type, &bytes[parsed.payload.clone()]);
            self.stats.malformed += u64::from(kind == Kind::Other && !parsed.payload.is_empty());
            kind
        } else {
            Kind::Other
        };
        Some(HeardPacket { parsed, kind })
    }

    /// What this leg itself does with what the peer said.
    #[inline]
    pub(crate) fn hear(&mut self, heard: &HeardPacket, bytes: &[u8], now: u64, out: &mut impl Out) {
        match heard.kind {
            Kind::Sound(codec) => {
                let payload = &bytes[heard.parsed.payload.clone()];
                if !self.recorders.is_empty() && codec.is_g711() {
                    let mut pcm = [0; PACKET_BYTES_MAX];
                    let pcm = record::linear(codec, payload, &mut pcm);
                    let at = Placed { timestamp: heard.parsed.fields.timestamp, clock: CLOCK };
                    for recorder in &mut self.recorders {
                        recorder.on_received(at, pcm, now);
                    }
                }
            }
            Kind::Event(event) => {
                if let Some(key) = self.keys.on_packet(event, heard.parsed.fields.timestamp, now) {
                    out.event(CoreEvent::Digit { leg: self.id, digit: key.digit, ms: key.ms });
                }
            }
            Kind::Other => {}
        }
    }

    /// 20 ms have passed, by the ideal clock.
    pub(crate) fn tick(&mut self, now: u64, out: &mut impl Out) {
        if self.negotiated.is_some() {
            self.sound(now, out);
        }
        let mut n = 0;
        while n < self.recorders.len() {
            match self.recorders[n].on_tick(now, &mut |recording, frame, at| out.tap(recording, frame, at)) {
                Step::Goes => n += 1,
                Step::Over(why) => self.end_recorder(n, why, out),
            }
        }
    }

    /// Replaces what plays.
    pub(crate) fn play(&mut self, player: Player, now: u64, out: &mut impl Out) {
        self.stop_playing(now, out);
        match player.play.filter(|_| player.is_over()) {
            Some(play) => {
                out.event(CoreEvent::Played { leg: self.id, play, completed: true });
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

    /// Starts a recording, after its beep if it has one.
    pub(crate) fn record(&mut self, recorder: Recorder, beep: Option<Player>, now: u64, out: &mut impl Out) {
        if self.recorders.len() >= RECORDERS_MAX {
            let recording = recorder.recording();
            let why = RecordEnd::Failed("too many recordings of one call at a time".to_owned());
            out.event(CoreEvent::Recorded { leg: self.id, recording, duration_ms: 0, why });
            return out.retire(Garbage::Recorder(recorder));
        }
        let Some(beep) = beep else {
            self.recorders.push(recorder);
            return self.start_recorder(self.recorders.len() - 1, now, out);
        };
        self.stop_playing(now, out);
        self.recorders.push(recorder);
        self.playing = Playing::Items(beep);
    }

    /// One of its recordings.
    pub(crate) fn recorder(&mut self, recording: RecordingSid) -> Option<&mut Recorder> {
        self.recorders.iter_mut().find(|recorder| recorder.recording() == recording)
    }

    /// Ends a recording.
    pub(crate) fn stop_record(&mut self, recording: RecordingSid, now: u64, out: &mut impl Out) {
        if let Some(n) = self.recorders.iter().position(|r| r.recording() == recording) {
            self.finish_recorder(n, RecordEnd::Stopped, now, out);
        }
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
        self.end_playing(false, out);
        if self.negotiated.is_some() {
            let mut buffer = [0; COMPOUND_BYTES_MAX];
            let (sent, block) = self.report_parts(now);
            let len = self.reporter.goodbye(sent, block, now, &mut buffer);
            self.send_rtcp(&buffer[..len], out);
        }
        out.event(CoreEvent::Closed { leg: self.id, stats: self.stats() });
    }

    pub(crate) fn stats(&self) -> LegStats {
        LegStats { lost: self.reception.lost(), jitter_us: self.reception.jitter_us(CLOCK), ..self.stats }
    }

    fn on_new_source(&mut self) {
        self.keys.reset();
        for recorder in &mut self.recorders {
            recorder.on_new_source();
        }
    }

    fn end_playing(&mut self, completed: bool, out: &mut impl Out) {
        match std::mem::replace(&mut self.playing, Playing::Nothing) {
            Playing::Nothing => {}
            Playing::Items(player) => {
                if let Some(play) = player.play {
                    out.event(CoreEvent::Played { leg: self.id, play, completed });
                }
                out.retire(Garbage::Player(player));
            }
            Playing::Digits(digits) => {
                out.event(CoreEvent::Played { leg: self.id, play: digits.play, completed });
                out.retire(Garbage::Digits(digits.sender));
            }
        }
    }

    /// A recording that waited for its beep starts when the beep is over.
    fn start_recorders(&mut self, now: u64, out: &mut impl Out) {
        for n in 0..self.recorders.len() {
            if !self.recorders[n].is_running() {
                self.start_recorder(n, now, out);
            }
        }
    }

    fn start_recorder(&mut self, n: usize, now: u64, out: &mut impl Out) {
        let recorder = &mut self.recorders[n];
        recorder.start(now);
        out.event(CoreEvent::RecordStarted { leg: self.id, recording: recorder.recording() });
    }

    fn finish_recorder(&mut self, n: usize, why: RecordEnd, now: u64, out: &mut impl Out) {
        self.recorders[n].finish(now, &mut |recording, frame, at| out.tap(recording, frame, at));
        self.end_recorder(n, why, out);
    }

    fn end_recorder(&mut self, n: usize, why: RecordEnd, out: &mut impl Out) {
        let recorder = self.recorders.remove(n);
        let (recording, duration_ms) = (recorder.recording(), recorder.duration_ms());
        out.event(CoreEvent::Recorded { leg: self.id, recording, duration_ms, why });
        out.retire(Garbage::Recorder(recorder));
    }
}

/// What a payload of this type is. A peer may always fall back to the static types (RFC 3551 §6).
#[inline]
fn kind(negotiated: &Negotiated, payload_type: u8, payload: &[u8]) -> Kind {
    if payload.is_empty() {
        return Kind::Other;
    }
    if payload_type == negotiated.payload_type {
        return Kind::Sound(negotiated.codec);
    }
    if Some(payload_type) == negotiated.dtmf_receive {
        return TelephoneEvent::read(payload).map_or(Kind::Other, Kind::Event);
    }
    CodecKind::from_static(payload_type).map_or(Kind::Other, Kind::Sound)
}
