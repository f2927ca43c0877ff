//! What a conference costs: a room of the engine against decoding and encoding alone, for each member and frame.
//!
//! The floor is what each member cannot do without: one packet decoded and one encoded. The room adds the buffers
//! the packets wait in, the mix of the loudest, and everybody's share without their own voice. Codecs named on the
//! command line (`pcmu`, `g722`, `opus`) are measured alone.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench speaks to a person")]

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use base::RecordingSid;
use media::Event;
use media::codec::{Decoder, Encoder, PAYLOAD_MAX, PCM_MAX};
use media::engine::{Channel, CoreCommand, MediaCore, Out};
use media::resample::Resampler;
use media::rtp::{self, Fields};
use media::{CodecKind, LegId, Member, Negotiated, OpusParameters, RoomId};

#[path = "common/machine.rs"]
mod machine;

/// Members of the rooms, and what a member may cost as a ratio to its decoding and encoding.
const ROOMS: [usize; 4] = [2, 10, 50, 100];
const BUDGET: f64 = 1.5;

/// Decoding and encoding G.711 is looking 320 values up: less than to take a packet and to send one, wherever it
/// goes. A member with it may cost 0.4 µs beyond F instead, on the machine of [`machine::BUDGETS_FLOOR_US`].
const G711_BUDGET_US: f64 = 0.4;

/// A member of the largest room may cost so much more than one of ten members.
const LINEAR: f64 = 1.15;

/// Frames of members in a measurement, however many share a room: so many of codecs that cost next to nothing, and of
/// others. Frames before it, and how often it is made: the best counts.
const MEMBER_FRAMES: (usize, usize) = (10_000, 1_000);
const WARM_UP: u64 = 50;
const TIMES: usize = 8;

const FRAME_NS: u64 = 20_000_000;

fn main() -> ExitCode {
    println!("mix: microseconds of CPU for a member and frame; {}", machine::describe());
    machine::raise_file_limit();
    println!(
        "{:>6} {:>8} {:>8} {:>8} {:>7} {:>6}  result",
        "codec", "members", "room", "floor", "ratio", "F µs"
    );
    let mut is_met = true;
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |codec: &CodecKind| wanted.is_empty() || wanted.iter().any(|key| key == codec.info().key);
    for codec in [CodecKind::Pcmu, CodecKind::G722, CodecKind::Opus].into_iter().filter(is_wanted) {
        let packets = packets(codec);
        let mut of_ten = f64::INFINITY;
        for members in ROOMS {
            let f_before = machine::floor_us();
            let (room, floor) = (room_us(codec, members, &packets), floor_us(codec, members, &packets));
            let f_us = f64::midpoint(f_before, machine::floor_us());
            let judged = machine::scaled(room, f_us);
            let (is_within, mut verdict) = match codec.is_g711() {
                true => (judged <= G711_BUDGET_US, format!("{judged:.2} µs scaled, ≤ {G711_BUDGET_US}")),
                false => (room / floor <= BUDGET, format!("≤ {BUDGET}")),
            };
            if !is_within {
                verdict = format!("MISSED {verdict}");
            } else if members == 100 && room > of_ten * LINEAR {
                verdict = format!("MISSED linear: {:.2} times a member of ten", room / of_ten);
            }
            is_met &= !verdict.starts_with("MISSED");
            if members == 10 {
                of_ten = room;
            }
            println!(
                "{:>6} {members:>8} {room:>8.2} {floor:>8.2} {:>7.2} {f_us:>6.2}  {verdict}",
                codec.info().key,
                room / floor
            );
        }
    }
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A second of speech.
fn packets(codec: CodecKind) -> Vec<Vec<u8>> {
    let bytes = include_bytes!("../tests/data/audio/speech-16k.s16");
    let speech: Vec<i16> = bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
    let mut pcm = vec![0; rate(codec) as usize];
    Resampler::new(16_000, rate(codec)).process(&speech, &mut pcm);
    let mut encoder = Encoder::new(codec, rate(codec), OpusParameters::default());
    let mut payload = [0; PAYLOAD_MAX];
    let frames = pcm.chunks(rate(codec) as usize / 50);
    frames
        .map(|pcm| {
            let bytes = encoder.encode(pcm, &mut payload);
            payload[..bytes].to_vec()
        })
        .collect()
}

/// That of the room.
fn rate(codec: CodecKind) -> u32 {
    codec.info().rate.min(16_000)
}

/// Each member speaks at a place of its own in the same second.
fn packet_of(packets: &[Vec<u8>], member: usize, round: u64) -> &[u8] {
    &packets[(member * 7 + round as usize) % packets.len()]
}

fn floor_us(codec: CodecKind, members: usize, packets: &[Vec<u8>]) -> f64 {
    let coder =
        || (Decoder::new(codec, rate(codec)), Encoder::new(codec, rate(codec), OpusParameters::default()));
    let mut coders: Vec<_> = (0..members).map(|_| coder()).collect();
    let (mut pcm, mut payload) = ([0; PCM_MAX], [0; PAYLOAD_MAX]);
    best(codec, members, |round| {
        for (member, (decoder, encoder)) in coders.iter_mut().enumerate() {
            let count = decoder.decode(packet_of(packets, member, round), &mut pcm);
            black_box(encoder.encode(&pcm[..count], &mut payload));
        }
    })
}

fn room_us(codec: CodecKind, members: usize, packets: &[Vec<u8>]) -> f64 {
    let mut core = MediaCore::new(1);
    let mut out = Heard(0);
    let mut now = 1_000_000_000;
    let address = |n: usize| SocketAddr::new(Ipv4Addr::new(10, 1, 0, n as u8).into(), 4_000);
    let payload_type = codec.info().payload_type;
    for n in 0..members {
        let leg = LegId(n as u64);
        let plain = Negotiated::plain(address(n), codec, payload_type);
        // Keys come as events: nobody listens for their tones.
        let negotiated = Negotiated { dtmf: Some(101), dtmf_receive: Some(101), ..plain };
        core.on_command(CoreCommand::Open { leg, local: address(n), peer: None }, now, &mut out);
        core.on_command(CoreCommand::Configure { leg, negotiated }, now, &mut out);
        let join = CoreCommand::Join { leg, room: RoomId(1), member: Member::default() };
        core.on_command(join, now, &mut out);
    }
    let mut buffer = [0; 2_048];
    let us = best(codec, members, |round| {
        for n in 0..members {
            let fields = Fields {
                payload_type,
                sequence: round as u16,
                timestamp: (round as u32).wrapping_mul(codec.info().clock / 50),
                ssrc: n as u32 + 1,
                ..Fields::default()
            };
            // As the kernel would have written it.
            let len = rtp::write(fields, packet_of(packets, n, round), &mut buffer);
            core.on_packet(LegId(n as u64), Channel::Rtp, address(n), &mut buffer[..len], now, &mut out);
        }
        now += FRAME_NS;
        core.on_deadline(now, &mut out);
    });
    assert!(out.0 >= (TIMES * MEMBER_FRAMES.1) as u64, "everybody hears every frame");
    us
}

/// Microseconds of CPU for a member in one call of `frame`.
fn best(codec: CodecKind, members: usize, mut frame: impl FnMut(u64)) -> f64 {
    let mut round = 0;
    let mut run = |frames: u64| {
        let before = machine::thread_cpu_ns();
        for _ in 0..frames {
            frame(round);
            round += 1;
        }
        (machine::thread_cpu_ns() - before) as f64 / 1_000.0 / frames as f64 / members as f64
    };
    run(WARM_UP);
    let wanted = if codec.is_g711() { MEMBER_FRAMES.0 } else { MEMBER_FRAMES.1 };
    let frames = (wanted / members) as u64;
    (0..TIMES).map(|_| run(frames)).fold(f64::INFINITY, f64::min)
}

/// Packets sent.
struct Heard(u64);

impl Out for Heard {
    fn send(&mut self, _: LegId, channel: Channel, _: SocketAddr, bytes: &[u8]) {
        black_box(bytes);
        self.0 += u64::from(channel == Channel::Rtp);
    }

    fn event(&mut self, _: Event) {}

    fn tap(&mut self, _: RecordingSid, _: &[i16], _: u64) {}
}
