//! The engine of a media thread alone, without sockets: CPU of our own code a packet, and memory of a leg.
//!
//! The yardstick F is the CPU of one `recvfrom` and one `sendto` of a 172-byte packet. Memory is what the engine
//! asks the allocator for while legs are opened and used; in the packet path it may ask for nothing.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its figures and may give up")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use base::RecordingSid;
use media::Event;
use media::engine::{Channel, CoreCommand, MediaCore, Out};
use media::rtp::{Built, Fields};
use media::srtp::{OVERHEAD_MAX, Protector, Unprotector};
use media::{CodecKind, LegId, Member, Negotiated, RoomId, Srtp, SrtpKey, SrtpSuite};

#[path = "common/machine.rs"]
mod machine;

const LEGS: usize = 1_000;

/// CPU of our own code for a relayed packet, and what encrypting or decrypting one may add, in F.
const OWN_BUDGET: f64 = 0.06;
const SRTP_BUDGET: f64 = 0.1;

/// Bytes of memory a leg may take.
const RELAYED_BYTES: f64 = 4_096.0;
const MIXED_BYTES: f64 = 12_288.0;

const FRAME_NS: u64 = 20_000_000;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    println!("engine: {LEGS} legs of G.711 without sockets; {}", machine::describe());
    machine::raise_file_limit();
    let floor = machine::floor_ns(LEGS);
    machine::pin(0, machine::CPU_MEASURED);
    println!("F {floor:.0} ns");
    let mut is_met = true;
    let own = Engine::new(Way::Relay).packet_ns();
    for (what, way, budget) in [
        ("own code, relayed", Way::Relay, Some(OWN_BUDGET)),
        ("own code, recorded", Way::Recorded, None),
        // Both legs are encrypted: each packet is decrypted and encrypted.
        ("SRTP added to a packet, each way", Way::Encrypted, Some(SRTP_BUDGET)),
    ] {
        let ns = match way {
            Way::Relay => own,
            Way::Encrypted => (Engine::new(way).packet_ns() - own) / 2.0,
            Way::Recorded | Way::Mixed => Engine::new(way).packet_ns(),
        };
        is_met &= verdict(what, ns / floor, budget, &format!("{ns:.0} ns, {:.3} F", ns / floor));
    }
    for (what, way, budget) in [
        ("memory of a relayed leg", Way::Relay, Some(RELAYED_BYTES)),
        ("memory of an encrypted leg", Way::Encrypted, None),
        ("memory of a mixed leg", Way::Mixed, Some(MIXED_BYTES)),
    ] {
        let (bytes, asked) = memory(way);
        let text = format!("{bytes} bytes, {asked} allocations in the packet path");
        is_met &= verdict(what, bytes as f64, budget, &text) && asked == 0;
    }
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn verdict(what: &str, value: f64, budget: Option<f64>, text: &str) -> bool {
    let is_met = budget.is_none_or(|budget| value <= budget);
    let result = match budget {
        None => String::new(),
        Some(budget) if is_met => format!("≤ {budget}"),
        Some(budget) => format!("MISSED {budget}"),
    };
    println!("{what}: {text}  {result}");
    is_met
}

// The engine and its peers.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Relay,
    Recorded,
    Encrypted,
    Mixed,
}

struct Engine {
    core: MediaCore,
    way: Way,
    legs: usize,
    now: u64,
    round: u64,
    out: Nothing,
    peers: Vec<Option<Box<(Protector, Unprotector)>>>,
}

impl Engine {
    fn new(way: Way) -> Engine {
        let mut engine = Engine {
            core: MediaCore::new(1),
            way,
            legs: 0,
            now: 1_000_000_000,
            round: 0,
            out: Nothing(0),
            peers: (0..LEGS).map(|_| None).collect(),
        };
        engine.open(LEGS);
        engine
    }

    fn open(&mut self, legs: usize) {
        for n in self.legs..legs {
            let leg = LegId(n as u64);
            let srtp = (self.way == Way::Encrypted).then(srtp);
            let plain = Negotiated::plain(address(n), CodecKind::Pcmu, 0);
            let negotiated = Negotiated { dtmf: Some(101), dtmf_receive: Some(101), srtp, ..plain };
            self.command(CoreCommand::Open { leg, local: address(n), peer: None });
            self.command(CoreCommand::Configure { leg, negotiated });
            match self.way {
                Way::Recorded => self.command(CoreCommand::Record {
                    leg,
                    recording: RecordingSid(n as u128),
                    what: media::RecordWhat::Both,
                    beep: None,
                    max_ms: u64::MAX,
                    silence_ms: 0,
                }),
                // Rooms of ten.
                Way::Mixed => {
                    let room = RoomId(n as u64 / 10);
                    self.command(CoreCommand::Join { leg, room, member: Member::default() });
                }
                Way::Relay | Way::Encrypted => {}
            }
        }
        let half = (legs - self.legs) / 2;
        for n in self.legs..self.legs + half {
            if self.way != Way::Mixed {
                self.command(CoreCommand::Bridge { a: LegId(n as u64), b: LegId((n + half) as u64) });
            }
        }
        self.legs = legs;
    }

    fn command(&mut self, command: CoreCommand) {
        self.core.on_command(command, self.now, &mut self.out);
    }

    /// The packets of the next 20 ms, made by the peers.
    fn packets(&mut self) -> Vec<([u8; 256], usize)> {
        let round = self.round;
        self.round += 1;
        let packet = |(n, peer): (usize, &mut Option<Box<(Protector, Unprotector)>>)| {
            let fields = Fields {
                payload_type: 0,
                sequence: round as u16,
                timestamp: (round * 160) as u32,
                ssrc: n as u32 + 1,
                ..Fields::default()
            };
            let built = Built::new(fields, &[0x55; 160]);
            let mut bytes = [0; 256];
            let mut len = built.bytes().len();
            bytes[..len].copy_from_slice(built.bytes());
            if self.way == Way::Encrypted {
                let keys = srtp();
                let peer = peer.get_or_insert_with(|| {
                    Box::new((
                        Protector::new(keys.suite, &keys.receive),
                        Unprotector::new(keys.suite, &keys.send),
                    ))
                });
                len = peer.0.rtp(&mut bytes[..len + OVERHEAD_MAX + 16], len);
            }
            (bytes, len)
        };
        self.peers.iter_mut().take(self.legs).enumerate().map(packet).collect()
    }

    /// They come in.
    fn frame(&mut self, packets: &[([u8; 256], usize)]) {
        let mut buffer = [0; 2_048];
        for (n, (bytes, len)) in packets.iter().enumerate() {
            buffer[..*len].copy_from_slice(&bytes[..*len]);
            let leg = LegId(n as u64);
            self.core.on_packet(leg, Channel::Rtp, address(n), &mut buffer[..*len], self.now, &mut self.out);
        }
        self.now += FRAME_NS;
        if self.way == Way::Recorded || self.way == Way::Mixed {
            self.core.on_deadline(self.now, &mut self.out);
        }
    }

    /// CPU for one packet, the median of many rounds.
    fn packet_ns(&mut self) -> f64 {
        let mut costs: Vec<f64> = (0..60)
            .map(|_| {
                let packets = self.packets();
                let before = machine::thread_cpu_ns();
                self.frame(&packets);
                let cost = (machine::thread_cpu_ns() - before) as f64 / self.legs as f64;
                self.core.on_deadline(self.now, &mut self.out);
                cost
            })
            .collect();
        assert!(black_box(self.out.0) > 0);
        costs.sort_by(f64::total_cmp);
        costs[costs.len() / 2]
    }
}

/// Bytes a leg takes while it is in use, beyond what the engine has for any; what the packet path asked for.
fn memory(way: Way) -> (i64, u64) {
    let mut engine = Engine {
        core: MediaCore::new(1),
        way,
        legs: 0,
        now: 1_000_000_000,
        round: 0,
        out: Nothing(0),
        peers: (0..LEGS).map(|_| None).collect(),
    };
    let before = HELD.load(Relaxed);
    engine.open(LEGS);
    let mut asked = 0;
    let mut of_peers = 0;
    for round in 0..100 {
        let held = HELD.load(Relaxed);
        let packets = engine.packets();
        of_peers += HELD.load(Relaxed) - held - (packets.capacity() * size_of::<([u8; 256], usize)>()) as i64;
        let count = ASKED.load(Relaxed);
        engine.frame(&packets);
        engine.core.on_deadline(engine.now, &mut engine.out);
        // The first packets settle who the peer is and what must be kept for it.
        if round >= 50 {
            asked += ASKED.load(Relaxed) - count;
        }
    }
    ((HELD.load(Relaxed) - before - of_peers) / LEGS as i64, asked)
}

fn address(n: usize) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::new(10, 1, (n >> 8) as u8, n as u8).into(), 4_000)
}

fn srtp() -> Srtp {
    Srtp {
        suite: SrtpSuite::AesCm128HmacSha1_80,
        send: SrtpKey { key: [1; 32], salt: [2; 14] },
        receive: SrtpKey { key: [3; 32], salt: [4; 14] },
    }
}

struct Nothing(u64);

impl Out for Nothing {
    fn send(&mut self, _: LegId, _: Channel, _: SocketAddr, bytes: &[u8]) {
        self.0 += black_box(bytes).len() as u64;
    }

    fn event(&mut self, _: Event) {}

    fn tap(&mut self, _: RecordingSid, samples: &[i16], _: u64) {
        self.0 += black_box(samples).len() as u64;
    }
}

// What is allocated.

static HELD: AtomicI64 = AtomicI64::new(0);
static ASKED: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: everything is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as i64, Relaxed);
        ASKED.fetch_add(1, Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as i64, Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}
