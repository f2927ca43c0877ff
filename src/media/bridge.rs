//! Two legs that hear each other.
//!
//! A bridge is nothing but each leg's knowledge of the other's slot: a packet that one leg takes is handed to the
//! other in the same turn. What the other's peer takes as it is goes on as it is, rewritten where it lies; else it
//! is decoded, brought to the other's rate, cut and coded, at once and without a clock. Telephone events go on with
//! the payload type and the clock the other side agreed on, or as the key's tones to a peer that takes none, and
//! are told to the call as well.

use crate::dtmf::TelephoneEvent;
use crate::engine::Out;
use crate::leg::glance::Glass;
use crate::leg::listen::Sound;
use crate::leg::watch::level_of_payload;
use crate::leg::{HeardPacket, Kind, Leg};
use crate::quality::Level;

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
    glass: &mut Glass,
    out: &mut impl Out,
) {
    match (heard.kind, peer) {
        (Kind::Sound(_), peer) => carry_sound(leg, peer, heard, bytes, now, glass, out),
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
    heard: &HeardPacket,
    bytes: &mut [u8],
    now: u64,
    glass: &mut Glass,
    out: &mut impl Out,
) {
    let Kind::Sound(codec) = heard.kind else { return };
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
        if !is_plain {
            leg.glance(codec, &bytes[payload], glass);
        }
        return;
    }
    let goes = Goes { for_leg, for_peer, relays, is_plain };
    let mut listener = leg.take_listener(codec, peer.as_deref(), out);
    listener.give_narrow(for_leg || peer.as_deref().is_some_and(Leg::records));
    listener.on_packet(fields, &bytes[payload], now, &mut |sound| {
        give(leg, peer.as_deref_mut(), goes, &sound, now, out);
    });
    leg.put_listener(listener);
}

/// A packet that waited behind a gap for the one before it waits no longer: nothing more comes, as at the end of a
/// talk spurt.
pub(crate) fn carry_held(leg: &mut Leg, mut peer: Option<&mut Leg>, now: u64, out: &mut impl Out) {
    let Some(mut listener) = leg.take_overdue_listener(now) else { return };
    let codec = listener.codec();
    let is_plain = codec.is_g711();
    let relays = peer.as_ref().is_some_and(|peer| peer.relays(codec, listener.held()));
    let for_peer = peer.as_ref().is_some_and(|peer| !relays || (!is_plain && peer.records()));
    let goes = Goes { for_leg: !is_plain && leg.wants_sound(), for_peer, relays, is_plain };
    listener.flush(now, &mut |sound| give(leg, peer.as_deref_mut(), goes, &sound, now, out));
    leg.put_listener(listener);
}

/// Who wants decoded sound, and what became of its packet.
#[derive(Clone, Copy)]
struct Goes {
    for_leg: bool,
    for_peer: bool,
    relays: bool,
    is_plain: bool,
}

fn give(leg: &mut Leg, peer: Option<&mut Leg>, goes: Goes, sound: &Sound<'_>, now: u64, out: &mut impl Out) {
    if goes.for_leg {
        leg.hear_sound(sound, now, out);
    }
    let level = (!goes.is_plain).then(|| Level::of(sound.pcm));
    if let Some(level) = level {
        leg.was_heard(level);
    }
    let Some(peer) = peer else { return };
    if let Some(level) = level {
        peer.was_sent(level);
    }
    match goes {
        Goes { for_peer: false, .. } => {}
        Goes { relays: true, .. } => peer.record_relayed(sound, now),
        Goes { relays: false, .. } => peer.speak(sound, now, out),
    }
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
