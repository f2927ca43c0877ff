//! Speech through the engine itself: a caller's packets on a wire, a bridge or a room, and a phone that plays what
//! comes out: as it is where it comes steadily, and else through a jitter buffer, as every phone has one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use base::{RecordingSid, Rng};
use media::Event;
use media::LegId;
use media::codec::{CodecKind, Decoder, Encoder, PAYLOAD_MAX, PCM_MAX, duration};
use media::command::{Member, RoomId};
use media::engine::{Channel, CoreCommand, MediaCore, Out};
use media::jitter::Ear;
use media::negotiated::{Negotiated, OpusParameters};
use media::rtp::{Built, Fields, parse};

const MS: u64 = 1_000_000;

/// What the caller's packets go through.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    pub loss: f64,
    /// Each packet comes up to so many milliseconds late.
    pub jitter_ms: u64,
    /// How much faster than ours the caller's clock runs, in millionths.
    pub drift_ppm: i64,
}

impl Wire {
    pub const PERFECT: Wire = Wire { loss: 0.0, jitter_ms: 0, drift_ppm: 0 };
}

/// How caller and phone are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    Bridge,
    Room,
}

/// What the phone's packets are, and when they went.
struct Sent(Vec<(u64, Vec<u8>)>, u64);

impl Out for Sent {
    fn send(&mut self, leg: LegId, channel: Channel, _: SocketAddr, bytes: &[u8]) {
        if leg == PHONE && channel == Channel::Rtp {
            self.0.push((self.1, bytes.to_vec()));
        }
    }

    fn event(&mut self, _: Event) {}

    fn tap(&mut self, _: RecordingSid, _: &[i16], _: u64) {}
}

const CALLER: LegId = LegId(1);
const PHONE: LegId = LegId(2);

/// Speech at `rate` said by a caller in one codec, heard by a phone in another: at the rate that comes back.
pub fn pass(
    from: CodecKind,
    to: CodecKind,
    rate: u32,
    pcm: &[i16],
    wire: Wire,
    path: Path,
    seed: u64,
) -> (u32, Vec<i16>) {
    let start = 1_000 * MS;
    let mut core = MediaCore::new(seed);
    let mut out = Sent(Vec::new(), start);
    let address = |leg: LegId| SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, leg.0 as u8)), 4_000);
    let opus = OpusParameters { use_inband_fec: true, ..OpusParameters::default() };
    for (leg, codec) in [(CALLER, from), (PHONE, to)] {
        core.on_command(CoreCommand::Open { leg, local: address(leg), peer: None }, start, &mut out);
        let plain = Negotiated::plain(address(leg), codec, codec.info().payload_type);
        let negotiated = Negotiated { opus, ..plain };
        core.on_command(CoreCommand::Configure { leg, negotiated }, start, &mut out);
    }
    if path == Path::Bridge {
        core.on_command(CoreCommand::Bridge { a: CALLER, b: PHONE }, start, &mut out);
    } else {
        for leg in [CALLER, PHONE] {
            let join = CoreCommand::Join { leg, room: RoomId(1), member: Member::default() };
            core.on_command(join, start, &mut out);
        }
    }
    for (at, mut bytes) in said(from, rate, pcm, wire, start, seed) {
        run(&mut core, at, &mut out);
        core.on_packet(CALLER, Channel::Rtp, address(CALLER), &mut bytes, at, &mut out);
    }
    let end = start + (pcm.len() as u64 * 1_000 / u64::from(rate) + 500) * MS;
    run(&mut core, end, &mut out);
    let is_steady = path == Path::Room || (wire.loss == 0.0 && wire.jitter_ms == 0 && wire.drift_ppm == 0);
    if is_steady { decoded(to, &out.0) } else { played(to, &out.0, start, end) }
}

fn run(core: &mut MediaCore, until: u64, out: &mut Sent) {
    while let Some(at) = core.next_deadline().filter(|at| *at <= until) {
        out.1 = out.1.max(at);
        core.on_deadline(out.1, out);
    }
    out.1 = until;
}

/// The caller's packets in the order of their arrival.
fn said(codec: CodecKind, rate: u32, pcm: &[i16], wire: Wire, start: u64, seed: u64) -> Vec<(u64, Vec<u8>)> {
    let mut rng = Rng::seeded(seed);
    let own = if codec == CodecKind::Opus { rate } else { codec.info().rate };
    let pcm = super::resample(rate, own, pcm);
    let opus = OpusParameters { use_inband_fec: true, ..OpusParameters::default() };
    let mut encoder = Encoder::new(codec, own, opus);
    encoder.set_expected_loss((wire.loss * 100.0) as u8);
    let mut payload = [0; PAYLOAD_MAX];
    let (mut timestamp, mut packets) = (0u32, Vec::new());
    for (n, frame) in pcm.chunks_exact(own as usize / 50).enumerate() {
        let bytes = encoder.encode(frame, &mut payload);
        let fields = Fields {
            payload_type: codec.info().payload_type,
            sequence: n as u16,
            timestamp,
            ssrc: 7,
            marker: n == 0,
        };
        timestamp += duration(codec, &payload[..bytes]);
        let drifted = (n as i64 * 20 * (MS as i64 - wire.drift_ppm)) as u64;
        if !rng.chance(wire.loss) {
            let late = if wire.jitter_ms > 0 { rng.below(wire.jitter_ms * MS) } else { 0 };
            packets.push((start + drifted + late, Built::new(fields, &payload[..bytes]).bytes().to_vec()));
        }
    }
    packets.sort_by_key(|(at, _)| *at);
    packets
}

/// What the packets hold, one after the other.
fn decoded(codec: CodecKind, packets: &[(u64, Vec<u8>)]) -> (u32, Vec<i16>) {
    let mut decoder = Decoder::new(codec, 16_000);
    let mut sound = Vec::new();
    for (_, bytes) in packets {
        let parsed = parse(bytes).expect("the engine sends RTP");
        let mut pcm = [0; PCM_MAX];
        let count = decoder.decode(&bytes[parsed.payload], &mut pcm);
        sound.extend_from_slice(&pcm[..count]);
    }
    (decoder.rate(), sound)
}

/// What a phone with a jitter buffer plays of them.
fn played(codec: CodecKind, packets: &[(u64, Vec<u8>)], start: u64, end: u64) -> (u32, Vec<i16>) {
    let mut ear = Ear::new(codec, 16_000);
    let mut packets = packets.iter().peekable();
    let (mut sound, mut now) = (Vec::new(), start);
    while now < end {
        while let Some((at, bytes)) = packets.next_if(|(at, _)| *at <= now) {
            let parsed = parse(bytes).expect("the engine sends RTP");
            ear.put(parsed.fields, &bytes[parsed.payload], *at);
        }
        let mut frame = vec![0; ear.frame_samples()];
        ear.take(now, &mut frame);
        sound.extend(frame);
        now += 20 * MS;
    }
    (ear.rate(), sound)
}
