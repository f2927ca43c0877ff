//! Two legs that hear each other.
//!
//! A bridge is nothing but each leg's knowledge of the other's slot: a packet that one leg takes is handed to the
//! other in the same turn. What the other's peer takes as it is goes on as it is, rewritten where it lies; else it
//! is decoded, brought to the other's rate, cut and coded, at once and without a clock. Telephone events go on with
//! the payload type and the clock the other side agreed on, or as the key's tones to a peer that takes none, and
//! are told to the call as well.

use crate::codec::CodecKind;
use crate::dtmf::TelephoneEvent;
use crate::engine::Out;
use crate::leg::watch::{level_of, level_of_payload};
use crate::leg::{HeardPacket, Kind, Leg};

/// The legs of an engine, by slot.
type Slots = [Option<Box<Leg>>];

/// Each hears the other from now on. Neither may be in a bridge.
pub(crate) fn join(slots: &mut Slots, a: u32, b: u32) {
    for (slot, peer) in [(a, b), (b, a)] {
        if let Some(leg) = &mut slots[slot as usize] {
            leg.peer = Some(peer);
            leg.end_run();
        }
    }
}

/// Takes a leg out of its bridge. Answers with the slots of both that were in it.
pub(crate) fn part(slots: &mut Slots, slot: u32) -> [Option<u32>; 2] {
    let Some(peer) = slots[slot as usize].as_ref().and_then(|leg| leg.peer) else { return [None, None] };
    for slot in [slot, peer] {
        if let Some(leg) = &mut slots[slot as usize] {
            leg.peer = None;
            leg.end_run();
        }
    }
    [Some(slot), Some(peer)]
}

/// What a leg heard goes to whoever listens: its recordings, the call, the other leg of its bridge.
#[inline]
pub(crate) fn carry(
    leg: &mut Leg,
    peer: Option<&mut Leg>,
    heard: &HeardPacket,
    bytes: &mut [u8],
    now: u64,
    out: &mut impl Out,
) {
    match (heard.kind, peer) {
        (Kind::Sound(codec), peer) => carry_sound(leg, peer, codec, heard, bytes, now, out),
        (Kind::Event(event), peer) => {
            leg.on_event(event, heard.parsed.fields.timestamp, now, out);
            if let Some(peer) = peer {
                carry_event(leg, peer, event, heard, bytes, now, out);
            }
        }
        (Kind::Comfort | Kind::Other, Some(peer)) => {
            if peer.relays_events_of(leg) {
                peer.relay(heard, leg.event_clock(), bytes, now, out);
            }
        }
        (Kind::Comfort | Kind::Other, None) => {}
    }
}

#[inline]
fn carry_sound(
    leg: &mut Leg,
    mut peer: Option<&mut Leg>,
    codec: CodecKind,
    heard: &HeardPacket,
    bytes: &mut [u8],
    now: u64,
    out: &mut impl Out,
) {
    let fields = heard.parsed.fields;
    let payload = heard.parsed.payload.clone();
    // Samples of G.711 stand for themselves; the others' follow from the packets before, in their order.
    let is_plain = codec.is_g711();
    if is_plain {
        leg.hear_payload(fields.timestamp, codec, &bytes[payload.clone()], now, out);
        let level = level_of_payload(codec, &bytes[payload.clone()]);
        leg.was_heard(level);
        if let Some(peer) = peer.as_deref_mut() {
            peer.was_sent(level);
        }
    }
    let relays = peer.as_ref().is_some_and(|peer| peer.relays(codec, &bytes[payload.clone()]));
    let for_leg = !is_plain && leg.wants_sound();
    let for_peer = match &peer {
        Some(peer) if relays => !is_plain && peer.records(),
        Some(_) => true,
        None => false,
    };
    if relays && let Some(peer) = peer.as_deref_mut() {
        peer.relay(heard, leg.event_clock(), bytes, now, out);
    }
    if !for_leg && !for_peer {
        return;
    }
    let mut listener = leg.take_listener(codec, peer.as_deref(), out);
    listener.give_narrow(for_leg || peer.as_deref().is_some_and(Leg::records));
    listener.on_packet(fields, &bytes[payload], now, &mut |sound| {
        if for_leg {
            leg.hear_sound(&sound, now, out);
        }
        if !is_plain {
            let level = level_of(sound.pcm);
            leg.was_heard(level);
            if let Some(peer) = peer.as_deref_mut() {
                peer.was_sent(level);
            }
        }
        match peer.as_deref_mut().filter(|_| for_peer) {
            Some(peer) if relays => peer.record_relayed(&sound, now),
            Some(peer) => peer.speak(&sound, now, out),
            None => {}
        }
    });
    leg.put_listener(listener);
}

fn carry_event(
    leg: &mut Leg,
    peer: &mut Leg,
    event: TelephoneEvent,
    heard: &HeardPacket,
    bytes: &mut [u8],
    now: u64,
    out: &mut impl Out,
) {
    let event_clock = leg.event_clock();
    if peer.relays_events_of(leg) && peer.takes_events() {
        return peer.relay(heard, event_clock, bytes, now, out);
    }
    let Some(codec) = leg.codec() else { return };
    let clock = codec.info().clock;
    let fields = heard.parsed.fields;
    let mut listener = leg.take_listener(codec, Some(peer), out);
    let (source, at) = listener.place(fields, now);
    let ticks = u64::from(event.duration) * u64::from(clock) / u64::from(event_clock);
    listener.skip(fields, ticks as u32, now);
    leg.put_listener(listener);
    peer.press_of(event, event_clock, (source, at, clock), fields.marker, now, out);
}
