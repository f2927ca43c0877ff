//! Which media thread a leg lives on: legs of a bridge on one, what must be coded or mixed on one that works, and
//! everything moves when its need changes.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use media::{CodecKind, Command, LegId, RoomId, TapId};

use super::MediaPlaneError;
use super::control::Control;
use super::line::Line;
use super::realtime::Class;
use super::thread::Order;
use super::writer::Write;

/// Where a leg is.
#[derive(Debug)]
pub(super) struct Place {
    /// Which media thread has it, or will have.
    pub(super) line: usize,
    /// Where its peer is told to send to.
    pub(super) local: SocketAddr,
    /// What it sends, once that is agreed on.
    codec: Option<CodecKind>,
    /// The leg it is bridged with.
    pub(super) bridged: Option<LegId>,
    /// The room it is in.
    room: Option<RoomId>,
    /// Taps of its sound.
    pub(super) taps: BTreeSet<TapId>,
    /// On its way from one thread to another: commands wait until it has arrived.
    pub(super) moving: Option<Vec<Command>>,
}

impl Place {
    /// A leg that was just opened, on this line.
    pub(super) fn on(line: usize, local: SocketAddr) -> Place {
        Place { line, local, codec: None, bridged: None, room: None, taps: BTreeSet::new(), moving: None }
    }
}

impl Control {
    /// More threads begin to serve, or the emptiest get no new legs and end when they have none.
    pub(super) fn set_threads(&mut self, count: usize) {
        for class in [Class::Relay, Class::Work] {
            let serving = |control: &Control| {
                let of_class = control.lines.iter().filter(|line| line.class == class && line.serves());
                of_class.count()
            };
            while serving(self) > count.max(1) {
                let at = self.emptiest_line(class);
                self.lines[at].retiring = true;
            }
            while serving(self) < count {
                let kept = self.lines.iter_mut().find(|line| line.class == class && line.may_return());
                if let Some(line) = kept {
                    line.retiring = false;
                } else if let Err(error) = self.add_line(class) {
                    tracing::warn!(%error, "no further media thread");
                    break;
                }
            }
        }
        tracing::info!(pairs = count, "media threads");
    }

    fn add_line(&mut self, class: Class) -> Result<(), MediaPlaneError> {
        // One that has ended leaves its place and its counts.
        let place = self.lines.iter().position(|line| line.class == class && line.is_gone());
        let n = place.unwrap_or(self.lines.len());
        let counters = match place {
            Some(at) => self.lines[at].counters.clone(),
            None => Arc::default(),
        };
        let (line, taps) = Line::start(class, n, self.settings, &self.wake, counters.clone())?;
        let _ = self.writes.send(Write::Ring(taps));
        match place {
            Some(at) => self.lines[at] = line,
            None => {
                self.lines.push(line);
                self.counters.lock().unwrap_or_else(PoisonError::into_inner).push(counters);
            }
        }
        Ok(())
    }

    /// A leg that codes for itself belongs on a thread for that; a bridge where its need has changed moves as a
    /// whole.
    pub(super) fn settle_leg(&mut self, leg: LegId, codec: Option<CodecKind>) {
        let Some(place) = self.legs.get_mut(&leg) else { return };
        place.codec = codec.or(place.codec);
        if place.room.is_some() || place.moving.is_some() {
            return;
        }
        if let Some(with) = place.bridged {
            if self.lines[place.line].class != self.class_of_bridge(leg, with) {
                self.on_command(Command::Bridge { a: leg, b: with });
            }
            return;
        }
        let is_heavy = place.codec.is_some_and(|codec| codec.info().is_heavy);
        let line = place.line;
        if is_heavy && self.lines[line].class == Class::Relay {
            let to = self.emptiest_line(Class::Work);
            self.move_leg(leg, to, None);
        }
    }

    /// What a bridge of these two takes.
    pub(super) fn class_of_bridge(&self, a: LegId, b: LegId) -> Class {
        let codec = |leg| self.legs.get(&leg).and_then(|place| place.codec);
        // What is passed on as it came must be decoded all the same for whoever listens.
        let is_tapped =
            [a, b].iter().any(|leg| self.legs.get(leg).is_some_and(|place| !place.taps.is_empty()));
        match (codec(a), codec(b)) {
            (Some(a), Some(b)) if (a != b || is_tapped) && (a.info().is_heavy || b.info().is_heavy) => {
                Class::Work
            }
            _ => Class::Relay,
        }
    }

    /// The leg is in no bridge from now on.
    pub(super) fn part(&mut self, leg: LegId) {
        let Some(with) = self.legs.get_mut(&leg).and_then(|place| place.bridged.take()) else { return };
        if let Some(place) = self.legs.get_mut(&with) {
            place.bridged = None;
        }
    }

    pub(super) fn enter(&mut self, leg: LegId, room: RoomId, line: usize) {
        if self.legs.get(&leg).is_some_and(|place| place.room == Some(room)) {
            return;
        }
        self.leave(leg);
        if let Some(place) = self.legs.get_mut(&leg) {
            place.room = Some(room);
            self.rooms.entry(room).or_insert((line, 0)).1 += 1;
        }
    }

    /// The leg is in no room from now on; a room nobody is in is no more.
    pub(super) fn leave(&mut self, leg: LegId) {
        let Some(room) = self.legs.get_mut(&leg).and_then(|place| place.room.take()) else { return };
        if let Some((_, members)) = self.rooms.get_mut(&room) {
            *members -= 1;
            if *members == 0 {
                self.rooms.remove(&room);
            }
        }
    }

    /// Legs of a bridge live on one thread; what was asked is done when the leg has come over.
    pub(super) fn move_leg(&mut self, leg: LegId, to: usize, then: Option<Command>) {
        let Some(place) = self.legs.get_mut(&leg) else { return };
        let from = std::mem::replace(&mut place.line, to);
        place.moving = Some(then.into_iter().collect());
        self.lines[from].legs -= 1;
        self.lines[to].legs += 1;
        self.order(from, Order::Release { leg });
    }

    pub(super) fn line_of(&self, leg: LegId) -> Option<usize> {
        self.legs.get(&leg).map(|place| place.line)
    }

    pub(super) fn emptiest_line(&self, class: Class) -> usize {
        let lines = self.lines.iter().enumerate().filter(|(_, line)| line.class == class && line.serves());
        lines.min_by_key(|(_, line)| line.legs).map_or(0, |(n, _)| n)
    }

    /// The leg is gone from its thread. One that is to be moved is counted there already.
    pub(super) fn forget(&mut self, leg: LegId, line: usize) {
        if self.legs.get(&leg).is_some_and(|place| place.moving.is_none() && place.line == line) {
            self.part(leg);
            self.leave(leg);
            self.legs.remove(&leg);
            self.lines[line].legs -= 1;
        }
    }
}
