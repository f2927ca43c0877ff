//! The taps of a leg, and what is fed to its peer.

use std::sync::Arc;

use super::{Leg, Playing};
use crate::command::{RecordWhat, TapId};
use crate::engine::{Garbage, Out};
use crate::feed::Feed;
use crate::record::Recorder;
use crate::tap::{Tap, TapFrame, TapRing};

/// What another leg's peer hears next of a tap.
#[allow(
    clippy::large_enum_variant,
    reason = "there is one at a time, and the path of a frame does not allocate"
)]
pub(super) enum Tapped {
    Frame(TapFrame),
    /// Nothing has come yet.
    Nothing,
    /// Nothing will come any more.
    Over,
}

/// The next frame. Two threads that stall do not do so alike: what has piled up is left out, or all that follows
/// would be late.
pub(super) fn next_tapped(ring: &TapRing) -> Tapped {
    // Asked first: what was put in before the end was told is there.
    let is_over = ring.is_over();
    let mut frame = ring.take();
    while ring.waiting() > PILED_UP_MAX {
        frame = ring.take();
    }
    match frame {
        Some(frame) => Tapped::Frame(frame),
        None if is_over => Tapped::Over,
        None => Tapped::Nothing,
    }
}

/// Frames that may wait to be heard by another leg's peer: 100 ms.
const PILED_UP_MAX: u64 = 5;

/// Taps of one leg at a time; more end at once.
pub const TAPS_MAX: usize = 12;

impl Leg {
    /// Hands what is said over from now on.
    pub(crate) fn tap(
        &mut self,
        id: TapId,
        what: RecordWhat,
        ring: Arc<TapRing>,
        now: u64,
        out: &mut impl Out,
    ) {
        if self.taps.len() >= TAPS_MAX {
            ring.end();
            return out.retire(Garbage::Ring(ring));
        }
        self.taps.push(Tap::new(id, what, ring, now));
    }

    /// Ends a tap.
    pub(crate) fn untap(&mut self, id: TapId, now: u64, out: &mut impl Out) {
        if let Some(n) = self.taps.iter().position(|tap| tap.id == id) {
            let mut tap = self.taps.remove(n);
            tap.finish(now);
            out.retire(Garbage::Tap(Box::new(tap)));
        }
    }

    /// Ends all of them.
    pub(super) fn end_taps(&mut self, now: u64, out: &mut impl Out) {
        while let Some(mut tap) = self.taps.pop() {
            tap.finish(now);
            out.retire(Garbage::Tap(Box::new(tap)));
        }
    }

    /// The taps' turn, every 20 ms.
    pub(super) fn tick_taps(&mut self, now: u64) {
        for tap in &mut self.taps {
            tap.on_tick(now);
        }
    }

    /// Whoever takes sound: recordings and taps.
    pub(super) fn takers(&mut self) -> impl Iterator<Item = &mut Recorder> {
        self.recorders.iter_mut().chain(self.taps.iter_mut().map(|tap| &mut tap.sound))
    }

    /// The peer hears what is fed from now on; replaces what plays.
    pub(crate) fn feed(&mut self, id: TapId, feed: Arc<Feed>, now: u64, out: &mut impl Out) {
        self.stop_playing(now, out);
        self.playing = Playing::Feed(id, feed);
    }

    /// The peer hears what a tap hands over from now on; replaces what plays.
    pub(crate) fn hear_tap(&mut self, ring: Arc<TapRing>, now: u64, out: &mut impl Out) {
        self.stop_playing(now, out);
        self.playing = Playing::Tap(ring);
    }

    /// The peer no longer hears what is fed, if it does.
    pub(crate) fn end_feed(&mut self, id: TapId, now: u64, out: &mut impl Out) {
        if matches!(self.playing, Playing::Feed(playing, _) if playing == id) {
            self.stop_playing(now, out);
        }
    }
}
