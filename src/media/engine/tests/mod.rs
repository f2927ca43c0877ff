//! The engine against a simulated network: a clock that only tests move, peers that say what tests want, and a
//! wire that loses, doubles, delays and reorders by a seed.

mod alloc;
mod answering;
mod clock;
mod garbage;
mod recording;
mod relay;
mod room;
mod room_record;
mod secure;
mod stream;
mod tap;
mod transcode;
mod watch;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use base::{RecordingSid, Rng};

use super::*;
use crate::codec::CodecKind;
use crate::command::RecordWhat;
use crate::negotiated::{Direction, Negotiated};
use crate::rtp::{Built, Fields, parse};

const MS: u64 = 1_000_000;

/// When tests begin: not at zero, and not at a round number.
const START: u64 = 123_456_789_012;

/// One engine, its clock and everything it said.
struct Rig {
    core: MediaCore,
    now: u64,
    caught: Caught,
}

#[derive(Default)]
struct Caught {
    sent: Vec<SentPacket>,
    events: Vec<Event>,
    taps: Vec<(RecordingSid, u64, Vec<i16>)>,
    now: u64,
}

struct SentPacket {
    at: u64,
    leg: LegId,
    channel: Channel,
    to: SocketAddr,
    bytes: Vec<u8>,
}

impl Out for Caught {
    fn send(&mut self, leg: LegId, channel: Channel, to: SocketAddr, bytes: &[u8]) {
        self.sent.push(SentPacket { at: self.now, leg, channel, to, bytes: bytes.to_vec() });
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    fn tap(&mut self, recording: RecordingSid, samples: &[i16], at: u64) {
        self.taps.push((recording, at, samples.to_vec()));
    }
}

/// A packet the peer of a leg was sent.
#[derive(Clone, Debug, PartialEq)]
struct Got {
    at: u64,
    fields: Fields,
    payload: Vec<u8>,
}

impl Rig {
    fn new(seed: u64) -> Rig {
        Rig { core: MediaCore::new(seed), now: START, caught: Caught::default() }
    }

    /// Opens and configures a leg; its peer.
    fn leg(&mut self, n: u64, codec: CodecKind) -> Peer {
        let leg = LegId(n);
        let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 20_000 + 2 * n as u16);
        self.command(CoreCommand::Open { leg, local, peer: None });
        let peer = Peer::new(n, codec);
        self.command(CoreCommand::Configure { leg, negotiated: peer.negotiated() });
        peer
    }

    fn command(&mut self, command: CoreCommand) {
        self.caught.now = self.now;
        self.core.on_command(command, self.now, &mut self.caught);
    }

    fn bridge(&mut self, a: u64, b: u64) {
        self.command(CoreCommand::Bridge { a: LegId(a), b: LegId(b) });
    }

    fn play(&mut self, leg: u64, play: u64, items: Vec<CoreItem>, repeat: u32) {
        self.command(CoreCommand::Play { leg: LegId(leg), play: PlayId(play), items, repeat });
    }

    /// Lets time pass; deadlines are met to the nanosecond.
    fn run_until(&mut self, until: u64) {
        while let Some(at) = self.core.next_deadline().filter(|&at| at <= until) {
            self.now = self.now.max(at);
            self.caught.now = self.now;
            self.core.on_deadline(self.now, &mut self.caught);
        }
        self.now = self.now.max(until);
    }

    fn run_ms(&mut self, ms: u64) {
        self.run_until(self.now + ms * MS);
    }

    fn packet(&mut self, leg: u64, channel: Channel, from: SocketAddr, bytes: &[u8]) {
        self.caught.now = self.now;
        let mut bytes = bytes.to_vec();
        self.core.on_packet(LegId(leg), channel, from, &mut bytes, self.now, &mut self.caught);
    }

    fn say(&mut self, peer: &mut Peer, payload: &[u8]) {
        let bytes = peer.packet(payload);
        self.packet(peer.leg, Channel::Rtp, peer.address, &bytes);
    }

    /// The peer reports by RTCP how it hears the leg, which has spoken to it.
    fn report(&mut self, peer: &Peer, fraction_lost: u8, lost: u32, jitter: u32) {
        let ssrc = self.got(peer.leg)[0].fields.ssrc;
        let block = crate::reception::Report { ssrc, fraction_lost, lost, highest: 0, jitter };
        let mut buffer = [0; crate::rtcp::COMPOUND_BYTES_MAX];
        let mut reporter = crate::rtcp::Reporter::new(5, "x");
        let len = reporter.report(None, Some((block, None)), self.now, &mut buffer);
        let from = SocketAddr::new(peer.address.ip(), peer.address.port() + 1);
        self.packet(peer.leg, Channel::Rtcp, from, &buffer[..len]);
    }

    /// What the leg's peer was sent as RTP so far.
    fn got(&self, leg: u64) -> Vec<Got> {
        let sent = self.caught.sent.iter().filter(|s| s.leg == LegId(leg) && s.channel == Channel::Rtp);
        sent.map(|s| {
            let parsed = parse(&s.bytes).expect("the engine sends RTP");
            Got { at: s.at, fields: parsed.fields, payload: s.bytes[parsed.payload].to_vec() }
        })
        .collect()
    }

    fn digits(&self, leg: u64) -> String {
        let digits = self.caught.events.iter().filter_map(|event| match event {
            Event::Digit { leg: from, digit, .. } if *from == LegId(leg) => Some(*digit),
            _ => None,
        });
        digits.collect()
    }

    fn stats(&self, leg: u64) -> LegStats {
        self.core.stats(LegId(leg)).expect("the leg is open")
    }
}

/// The far end of a leg.
#[derive(Clone, Debug)]
struct Peer {
    leg: u64,
    address: SocketAddr,
    codec: CodecKind,
    dtmf: u8,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

impl Peer {
    fn new(leg: u64, codec: CodecKind) -> Peer {
        Peer {
            leg,
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, leg as u8)), 4_000),
            codec,
            dtmf: 96 + leg as u8,
            ssrc: 0x1000 + leg as u32,
            sequence: 100,
            timestamp: 50_000,
        }
    }

    fn negotiated(&self) -> Negotiated {
        Negotiated {
            dtmf: Some(self.dtmf),
            dtmf_receive: Some(self.dtmf),
            ..Negotiated::plain(self.address, self.codec, self.codec.info().payload_type)
        }
    }

    /// Sound that follows what it said last.
    fn packet(&mut self, payload: &[u8]) -> Vec<u8> {
        let bytes = self.numbered(self.codec.info().payload_type, self.timestamp, payload);
        self.timestamp = self.timestamp.wrapping_add(payload.len() as u32);
        bytes
    }

    fn numbered(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let fields =
            Fields { marker: false, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc };
        self.sequence = self.sequence.wrapping_add(1);
        Built::new(fields, payload).bytes().to_vec()
    }
}

/// A path that is not perfect.
struct Wire {
    rng: Rng,
    loss: f64,
    double: f64,
    jitter_ms: u64,
}

impl Wire {
    fn new(seed: u64) -> Wire {
        Wire { rng: Rng::seeded(seed), loss: 0.1, double: 0.1, jitter_ms: 50 }
    }

    /// What arrives of what was sent, and when, in that order.
    fn carry(&mut self, sent: &[(u64, Vec<u8>)]) -> Vec<(u64, Vec<u8>)> {
        let mut arriving = Vec::new();
        for (at, bytes) in sent {
            if self.rng.chance(self.loss) {
                continue;
            }
            let copies = if self.rng.chance(self.double) { 2 } else { 1 };
            for _ in 0..copies {
                arriving.push((at + self.rng.below(self.jitter_ms * MS + 1), bytes.clone()));
            }
        }
        arriving.sort_by_key(|(at, _)| *at);
        arriving
    }
}

impl Rig {
    /// Hands packets to a leg when they arrive; time passes until the last.
    fn arrive(&mut self, peer: &Peer, packets: &[(u64, Vec<u8>)]) {
        for (at, bytes) in packets {
            self.run_until(*at);
            self.packet(peer.leg, Channel::Rtp, peer.address, bytes);
        }
    }
}

fn clip(hz: f64, ms: usize) -> CoreItem {
    CoreItem::Clip(std::sync::Arc::new(crate::Clip::from_pcm(&sine(hz, ms))))
}

fn sine(hz: f64, ms: usize) -> Vec<i16> {
    let step = hz * std::f64::consts::TAU / 8_000.0;
    (0..ms * 8).map(|n| ((n as f64 * step).sin() * 8_000.0) as i16).collect()
}

fn encode(codec: CodecKind, samples: &[i16]) -> Vec<u8> {
    samples.iter().map(|&s| codec.encode(s)).collect()
}

fn decode(codec: CodecKind, packets: &[Got]) -> Vec<i16> {
    packets.iter().flat_map(|got| got.payload.iter().map(|&b| codec.decode(b))).collect()
}

use crate::command::PlayId;
