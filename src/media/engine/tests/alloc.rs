//! The path of a packet and of a frame takes no memory from the system and gives none back.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use super::*;
use crate::command::{RecordWhat, TapId};

/// The system's allocator, counting what each thread asks of it.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is being torn down has no counter any more, and nobody asks for it.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: everything is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Counts outputs and keeps nothing but garbage, as the shell of a media thread does.
struct Sink {
    packets: u64,
    frames: u64,
    events: u64,
    garbage: Vec<Garbage>,
}

impl Out for Sink {
    fn send(&mut self, _: LegId, _: Channel, _: SocketAddr, _: &[u8]) {
        self.packets += 1;
    }

    fn event(&mut self, _: Event) {
        self.events += 1;
    }

    fn tap(&mut self, _: RecordingSid, _: &[i16], _: u64) {
        self.frames += 1;
    }

    fn retire(&mut self, garbage: Garbage) {
        self.garbage.push(garbage);
    }
}

#[test]
fn packets_frames_reports_and_keys_need_no_allocation() {
    let mut rig = Rig::new(1);
    let mut peers: Vec<Peer> =
        (1..=8).map(|n| rig.leg(n, if n % 2 == 0 { CodecKind::Pcmu } else { CodecKind::Pcma })).collect();
    // Relayed and transcoded, one side recorded; a prompt that ends; a loop with a recording; digits; silence.
    rig.bridge(1, 2);
    rig.bridge(3, 5);
    for (leg, recording, what) in [(1, 1, RecordWhat::Both), (6, 2, RecordWhat::Received)] {
        rig.command(CoreCommand::Record {
            leg: LegId(leg),
            recording: RecordingSid(recording),
            what,
            beep: None,
            max_ms: 5_000,
            silence_ms: 0,
        });
    }
    // Taps both ways, relayed and of what is fed; nobody reads them, so they also overflow.
    let rings: Vec<Arc<crate::tap::TapRing>> = (0..3).map(|_| Arc::default()).collect();
    for (leg, ring) in [2, 8, 3].into_iter().zip(&rings) {
        let (what, ring) = (RecordWhat::Dual, ring.clone());
        rig.command(CoreCommand::Tap { leg: LegId(leg), tap: TapId(leg), what, ring });
    }
    let feed = Arc::new(crate::feed::Feed::default());
    rig.command(CoreCommand::Feed { leg: LegId(8), feed: TapId(9), ring: feed.clone() });
    rig.play(4, 1, vec![clip(440.0, 500)], 1);
    rig.play(6, 2, vec![clip(440.0, 500)], 0);
    rig.command(CoreCommand::SendDigits { leg: LegId(7), play: PlayId(3), digits: "0123456789*#".repeat(4) });
    for n in 1..=8 {
        rig.command(CoreCommand::Watch { leg: LegId(n), timeout_ms: 1_000 });
    }

    let packets: Vec<Vec<Vec<u8>>> = peers
        .iter_mut()
        .map(|peer| {
            (0..600)
                .map(|n| match n % 10 {
                    9 => {
                        let event =
                            crate::dtmf::TelephoneEvent { code: 5, end: false, volume: 10, duration: 160 };
                        peer.numbered(peer.dtmf, peer.timestamp, &event.write())
                    }
                    _ => peer.packet(&[n as u8; 160]),
                })
                .collect()
        })
        .collect();
    let stranger: SocketAddr = "198.51.100.77:7".parse().unwrap();
    let mut sink = Sink { packets: 0, frames: 0, events: 0, garbage: Vec::with_capacity(1_000) };
    let mut buffer = [0; 2_048];
    let mut now = rig.now;
    let mut core = rig.core;

    let before = CALLS.get();
    for n in 0..600 {
        for (peer, packets) in peers.iter().zip(&packets) {
            let bytes = &packets[n];
            for from in [peer.address, stranger] {
                buffer[..bytes.len()].copy_from_slice(bytes);
                let buffer = &mut buffer[..bytes.len()];
                core.on_packet(LegId(peer.leg), Channel::Rtp, from, buffer, now, &mut sink);
                core.on_packet(LegId(peer.leg), Channel::Rtcp, from, buffer, now, &mut sink);
            }
        }
        for _ in 0..20 {
            now += MS;
            core.on_deadline(now, &mut sink);
        }
        feed.put(&[n as i16; 160]);
    }
    assert_eq!(CALLS.get() - before, 0);
    assert!(rings.iter().all(|ring| ring.lost() > 400 && ring.take().is_some()) && feed.played() > 90_000);
    assert!(sink.packets > 3_000 && sink.frames >= 500 && sink.events > 200, "all of it happened");
    assert!(!sink.garbage.is_empty());
    drop((core, sink, Arc::new(0)));
    assert!(CALLS.get() > before, "the counter counts");
}

/// What must be made for a path is made at its first packets; after that nothing is.
#[test]
fn coded_and_mixed_packets_need_no_allocation() {
    use super::transcode::Phone;
    use CodecKind::{G722, Opus, Pcma, Pcmu};
    let mut rig = Rig::new(1);
    let codecs = [Opus, Pcmu, G722, Pcma, Pcmu, G722, Opus];
    let mut phones: Vec<Phone> = codecs
        .iter()
        .enumerate()
        .map(|(n, &codec)| Phone::new(&mut rig, n as u64 + 1, codec, |_| {}))
        .collect();
    rig.bridge(1, 2);
    rig.bridge(3, 4);
    for leg in 5..=7 {
        let member = crate::command::Member::default();
        rig.command(CoreCommand::Join { leg: LegId(leg), room: crate::command::RoomId(1), member });
    }
    let packets: Vec<Vec<Vec<u8>>> =
        phones.iter_mut().map(|phone| (0..300).map(|_| phone.packet(500.0)).collect()).collect();
    let mut sink = Sink { packets: 0, frames: 0, events: 0, garbage: Vec::with_capacity(1_000) };
    let mut buffer = [0; 2_048];
    let (mut now, mut core, mut before) = (rig.now, rig.core, 0);
    for n in 0..300 {
        if n == 100 {
            before = CALLS.get();
        }
        for (phone, packets) in phones.iter().zip(&packets) {
            // One in 29 is lost.
            if n % 29 != 28 {
                let bytes = &packets[n];
                buffer[..bytes.len()].copy_from_slice(bytes);
                let (leg, from) = (LegId(phone.peer.leg), phone.peer.address);
                core.on_packet(leg, Channel::Rtp, from, &mut buffer[..bytes.len()], now, &mut sink);
            }
        }
        for _ in 0..20 {
            now += MS;
            core.on_deadline(now, &mut sink);
        }
    }
    assert_eq!(CALLS.get() - before, 0);
    assert!(sink.packets > 1_900, "{}", sink.packets);
}
