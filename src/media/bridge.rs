//! Two legs that hear each other.
//!
//! A bridge is nothing but each leg's knowledge of the other's slot: a packet that one leg takes is handed to
//! the other in the same turn ([`crate::leg::Leg::relay`]), rewritten where it lies, transcoded if the codecs
//! differ. No clock and no buffer lie between. Telephone events go on with the payload type the other side
//! agreed on, and are told to the call as well.

use crate::leg::Leg;

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
