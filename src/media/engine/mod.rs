//! One media thread's share: the legs it owns, and what happens to them.
//!
//! In go packets, commands and the time in nanoseconds of any monotonic clock; out come packets, events and
//! recorded sound through [`Out`]. Nothing here reads a clock, waits, locks or logs, and the path of a packet
//! or a frame does not allocate.

mod border;
mod leg_map;
pub(crate) mod room;
mod room_record;
mod speaking;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::hash::BuildHasherDefault;
use std::net::{IpAddr, SocketAddr};

use base::{RecordingSid, Rng};

use crate::bridge;
use crate::codec::coder::Effort;
use crate::command::{LegId, Member, RoomId};
use crate::event::{Event, LegStats, RecordEnd};
use crate::leg::Leg;
use crate::leg::glance::Glass;
use crate::play::Player;
use crate::record::Recorder;

pub use border::{Channel, CoreCommand, CoreItem, Garbage, Out};
pub use leg_map::{LegHasher, LegMap};
pub use room::Room;

/// The legs of one media thread.
#[derive(Debug)]
pub struct MediaCore {
    rng: Rng,
    slots: Vec<Option<Box<Leg>>>,
    free: Vec<u32>,
    index: LegMap<u32>,
    /// Legs that have something to do every 20 ms, spread over the milliseconds of a frame.
    phases: [Vec<u32>; PHASES],
    /// Those with somebody who must be punctual.
    punctual: [bool; PHASES],
    /// Conferences, and the milliseconds that are theirs.
    rooms: Vec<Option<Box<Room>>>,
    room_index: BTreeMap<RoomId, u32>,
    room_phases: [Vec<u32>; PHASES],
    /// The last millisecond whose phase had its turn.
    tick: u64,
    effort: Effort,
    /// For a look into what is relayed.
    glass: Glass,
    /// When the next fifth of the legs is looked after, and which.
    keep_at: u64,
    keep_share: usize,
}

/// Legs one core takes; more are refused.
pub const LEGS_MAX: usize = 16_384;

/// Milliseconds of a frame, each with the legs whose turn it is.
const PHASES: usize = 20;

const MS: u64 = 1_000_000;

/// Milliseconds that a turn may be late in which nothing is sent: what is recorded lies in its place anyway.
const PATIENCE_MS: u64 = 5;

/// After a longer stall (in milliseconds) frames are left out instead of sent in one burst.
const STALL_MS_MAX: u64 = 100;

/// Every leg is looked after once in so many rounds, of so many nanoseconds.
const KEEP_SHARES: usize = 5;
const KEEP_NS: u64 = 50 * MS;

impl MediaCore {
    /// A core without legs. The seed decides SSRCs and the first numbers of streams: a random one in production.
    pub fn new(seed: u64) -> MediaCore {
        MediaCore {
            rng: Rng::seeded(seed),
            slots: Vec::with_capacity(LEGS_MAX / 4),
            free: Vec::with_capacity(LEGS_MAX / 4),
            index: LegMap::with_capacity_and_hasher(LEGS_MAX / 4, BuildHasherDefault::default()),
            phases: std::array::from_fn(|_| Vec::with_capacity(LEGS_MAX / PHASES / 4)),
            punctual: [false; PHASES],
            rooms: Vec::new(),
            room_index: BTreeMap::new(),
            room_phases: std::array::from_fn(|_| Vec::new()),
            tick: 0,
            effort: Effort::Full,
            glass: Glass::new(),
            keep_at: 0,
            keep_share: 0,
        }
    }

    /// Legs open.
    pub fn legs(&self) -> usize {
        self.index.len()
    }

    /// How hard encoders work.
    pub fn effort(&self) -> Effort {
        self.effort
    }

    /// How hard encoders work from now on; less when the thread is at its limit.
    pub fn set_effort(&mut self, effort: Effort) {
        if self.effort != effort {
            self.effort = effort;
            self.slots.iter_mut().flatten().for_each(|leg| leg.set_effort(effort));
        }
    }

    /// What went through a leg so far.
    pub fn stats(&self, leg: LegId) -> Option<LegStats> {
        Some(self.slots[*self.index.get(&leg)? as usize].as_ref()?.stats())
    }

    /// Looks at what the next packet of a leg will need, for whoever serves many at once: the states of legs lie far apart,
    /// and a processor that is asked for several of them fetches them together. What comes back means nothing.
    #[inline]
    pub fn glimpse(&self, leg: LegId) -> u64 {
        let at = |slot: u32| self.slots[slot as usize].as_deref();
        let Some(leg) = self.index.get(&leg).and_then(|&slot| at(slot)) else { return 0 };
        leg.glimpse().wrapping_add(leg.peer.and_then(at).map_or(0, Leg::glimpse))
    }

    /// A packet came. The bytes are the core's to overwrite. `now` in nanoseconds.
    pub fn on_packet(
        &mut self,
        leg: LegId,
        channel: Channel,
        from: SocketAddr,
        bytes: &mut [u8],
        now: u64,
        out: &mut impl Out,
    ) {
        let Some(&slot) = self.index.get(&leg) else { return };
        let Some(leg) = &mut self.slots[slot as usize] else { return };
        match channel {
            Channel::Rtcp => leg.on_rtcp(from, bytes, now),
            Channel::Rtp => {
                let Some(heard) = leg.on_rtp(from, bytes, now) else { return };
                if leg.seat.is_some() {
                    return leg.hear_for_room(&heard, bytes, now, out);
                }
                let (leg, peer) = with_peer(&mut self.slots, slot);
                bridge::carry(leg, peer, &heard, bytes, now, &mut self.glass, out);
            }
        }
    }

    /// The call wants something.
    pub fn on_command(&mut self, command: CoreCommand, now: u64, out: &mut impl Out) {
        match command {
            CoreCommand::Open { leg, local, peer } => self.open(leg, local, peer, now, out),
            CoreCommand::Readdress { leg: id, local, peer } => {
                if let Some((_, leg)) = self.leg(id) {
                    leg.readdress(peer);
                    out.event(Event::Opened { leg: id, local });
                }
            }
            CoreCommand::Configure { leg, negotiated } => {
                let Some(slot) = self.slot(leg) else { return };
                let Some(leg) = &mut self.slots[slot as usize] else { return };
                leg.configure(negotiated, now, &mut self.rng, out);
                self.clock(slot, now);
            }
            CoreCommand::Play { leg, play, items, repeat } => match self.leg(leg) {
                Some((slot, leg)) => {
                    leg.play(Player::new(Some(play), items, repeat), now, out);
                    self.clock(slot, now);
                }
                None => out.retire(Garbage::Items(items)),
            },
            CoreCommand::StopPlay { leg } => {
                if let Some((_, leg)) = self.leg(leg) {
                    leg.stop_playing(now, out);
                }
            }
            CoreCommand::SendDigits { leg, play, digits } => match self.leg(leg) {
                Some((slot, leg)) => {
                    leg.send_digits(play, digits, now, out);
                    self.clock(slot, now);
                }
                None => out.retire(Garbage::Text(digits)),
            },
            CoreCommand::Bridge { a, b } => self.bridge(a, b, now, out),
            CoreCommand::Unbridge { a, b } => {
                let (Some(a), Some(b)) = (self.slot(a), self.slot(b)) else { return };
                if self.slots[a as usize].as_ref().is_some_and(|leg| leg.peer == Some(b)) {
                    self.unbridge(a, now);
                }
            }
            CoreCommand::Record { leg, recording, what, beep, max_ms, silence_ms } => match self.leg(leg) {
                Some((slot, leg)) => {
                    let beep = beep.map(|clip| Player::new(None, vec![CoreItem::Clip(clip)], 1));
                    let recorder = Recorder::new(recording, what, max_ms, silence_ms);
                    leg.record(recorder, beep.filter(|player| !player.is_over()), now, out);
                    self.clock(slot, now);
                }
                None => {
                    out.event(Event::Recorded {
                        leg,
                        recording,
                        duration_ms: 0,
                        bytes: 0,
                        why: RecordEnd::Closed,
                    });
                    if let Some(clip) = beep {
                        out.retire(Garbage::Clip(clip));
                    }
                }
            },
            CoreCommand::RecordRoom { leg, recording, max_ms } => {
                let seat =
                    self.leg(leg).and_then(|(_, leg)| leg.seat.as_ref().map(|seat| seat.room as usize));
                match seat.and_then(|at| self.rooms[at].as_mut()) {
                    Some(room) => room.record(leg, recording, max_ms, now, out),
                    None => {
                        let why = RecordEnd::Closed;
                        out.event(Event::Recorded { leg, recording, duration_ms: 0, bytes: 0, why });
                    }
                }
            }
            CoreCommand::PauseRecord { leg, recording, silence } => {
                if let Some(recorder) = self.recorder(leg, recording) {
                    recorder.pause(silence, now);
                }
            }
            CoreCommand::ResumeRecord { leg, recording } => {
                if let Some(recorder) = self.recorder(leg, recording) {
                    recorder.resume(now);
                }
            }
            CoreCommand::StopRecord { leg, recording } => {
                if let Some((_, leg)) = self.leg(leg) {
                    leg.stop_record(recording, now, out);
                }
                self.rooms.iter_mut().flatten().for_each(|room| room.stop_record(recording, out));
            }
            CoreCommand::Tap { leg, tap, what, ring } => match self.leg(leg) {
                Some((slot, leg)) => {
                    leg.tap(tap, what, ring, now, out);
                    self.clock(slot, now);
                }
                None => {
                    ring.end();
                    out.retire(Garbage::Ring(ring));
                }
            },
            CoreCommand::Untap { leg, tap } => {
                if let Some((_, leg)) = self.leg(leg) {
                    leg.untap(tap, now, out);
                }
            }
            CoreCommand::Feed { leg, feed, ring } => match self.leg(leg) {
                Some((slot, leg)) => {
                    leg.feed(feed, ring, now, out);
                    self.clock(slot, now);
                }
                None => {
                    ring.end();
                    out.retire(Garbage::Feed(ring));
                }
            },
            CoreCommand::Hear { leg, ring } => match self.leg(leg) {
                Some((slot, leg)) => {
                    leg.hear_tap(ring, now, out);
                    self.clock(slot, now);
                }
                None => out.retire(Garbage::Ring(ring)),
            },
            CoreCommand::EndFeed { leg, feed } => {
                if let Some((_, leg)) = self.leg(leg) {
                    leg.end_feed(feed, now, out);
                }
            }
            CoreCommand::Echo { leg } => {
                if let Some((slot, leg)) = self.leg(leg) {
                    leg.echo(now, out);
                    self.clock(slot, now);
                }
            }
            CoreCommand::Join { leg, room, member } => self.join(leg, room, member, now, out),
            CoreCommand::ChangeMember { leg, member } => {
                let Some((slot, leg)) = self.leg(leg) else { return };
                let Some(seat) = &mut leg.seat else { return };
                seat.member = member;
                let at = seat.room as usize;
                if let Some(room) = &mut self.rooms[at] {
                    room.change(slot, member);
                }
            }
            CoreCommand::Leave { leg } => {
                if let Some(slot) = self.slot(leg) {
                    self.leave(slot, out);
                    self.clock(slot, now);
                }
            }
            CoreCommand::Announce { room, play, items, repeat } => {
                let room = self.room_index.get(&room).and_then(|&at| self.rooms[at as usize].as_mut());
                match room {
                    Some(room) => room.announce(Player::new(play, items, repeat.max(1)), out),
                    None => out.retire(Garbage::Items(items)),
                }
            }
            CoreCommand::DetectMachine { leg, settings } => {
                if let Some((slot, leg)) = self.leg(leg) {
                    leg.detect_machine(settings, now, out);
                    self.clock(slot, now);
                }
            }
            CoreCommand::Watch { leg, timeout_ms } => {
                if let Some((_, leg)) = self.leg(leg) {
                    leg.watch(timeout_ms, now);
                }
            }
            CoreCommand::Close { leg } => self.close(leg, now, out),
        }
    }

    /// Takes a leg out, as it is, to go on in another core; its bridge ends.
    pub fn release(&mut self, leg: LegId, now: u64, out: &mut impl Out) -> Option<Box<Leg>> {
        let slot = self.index.remove(&leg)?;
        self.leave(slot, out);
        self.unbridge(slot, now);
        let mut leg = self.slots[slot as usize].take().expect("an indexed leg has its slot");
        self.unclock(slot, &mut leg);
        self.free.push(slot);
        Some(leg)
    }

    /// Takes a leg in that another core released.
    pub fn adopt(&mut self, leg: Box<Leg>, now: u64) {
        let slot = self.place(leg, now);
        self.clock(slot, now);
    }

    /// When [`MediaCore::on_deadline`] wants to be called, in nanoseconds; perhaps in the past.
    pub fn next_deadline(&self) -> Option<u64> {
        if self.index.is_empty() {
            return None;
        }
        let ticks = || (1..=PHASES as u64).map(|n| self.tick + n);
        let punctual = ticks().find(|&tick| {
            let phase = phase_of(tick);
            self.punctual[phase] || !self.room_phases[phase].is_empty()
        });
        let patient = ticks().find(|&tick| !self.phases[phase_of(tick)].is_empty());
        let ticks = [punctual, patient.map(|tick| tick + PATIENCE_MS)].into_iter().flatten();
        Some(ticks.map(|tick| tick * MS).fold(self.keep_at, u64::min))
    }

    /// Whether [`MediaCore::on_deadline`] has something to do for whoever is awake at `now` anyway; some of it may
    /// wait for longer than until then, so that nobody need wake for it alone.
    pub fn is_due(&self, now: u64) -> bool {
        !self.index.is_empty() && (now / MS > self.tick || self.keep_at <= now)
    }

    /// Time has passed: everything that was due by `now` happens, at the times it was due.
    pub fn on_deadline(&mut self, now: u64, out: &mut impl Out) {
        let end = now / MS;
        if end > self.tick + STALL_MS_MAX {
            self.tick = end - PHASES as u64;
        }
        while self.tick < end {
            self.tick += 1;
            self.run_phase(phase_of(self.tick), self.tick * MS, out);
            self.run_rooms(phase_of(self.tick), self.tick * MS, out);
        }
        while self.keep_at <= now && !self.index.is_empty() {
            self.keep_at =
                if now - self.keep_at > 10 * KEEP_NS { now + KEEP_NS } else { self.keep_at + KEEP_NS };
            self.keep_share = (self.keep_share + 1) % KEEP_SHARES;
            for slot in (self.keep_share..self.slots.len()).step_by(KEEP_SHARES) {
                let Some(leg) = &mut self.slots[slot] else { continue };
                leg.keep(now, &mut self.rng, out);
                leg.set_effort(self.effort);
                if leg.seat.is_none() {
                    let (leg, peer) = with_peer(&mut self.slots, slot as u32);
                    bridge::carry_held(leg, peer, now, out);
                }
            }
        }
    }

    fn run_phase(&mut self, phase: usize, now: u64, out: &mut impl Out) {
        let mut n = 0;
        let mut is_punctual = false;
        while let Some(&slot) = self.phases[phase].get(n) {
            let leg = self.slots[slot as usize].as_mut().expect("a closed leg is in no phase");
            // A leg whose turn began after this moment was not there yet.
            if leg.phase.is_some_and(|(_, since)| since <= now) {
                leg.tick(now, out);
            }
            if leg.wants_clock() {
                is_punctual |= leg.must_be_punctual();
                n += 1;
            } else {
                leg.phase = None;
                self.phases[phase].swap_remove(n);
            }
        }
        self.punctual[phase] = is_punctual;
    }

    fn run_rooms(&mut self, phase: usize, now: u64, out: &mut impl Out) {
        for n in 0..self.room_phases[phase].len() {
            let room = self.room_phases[phase][n] as usize;
            if let Some(room) = &mut self.rooms[room] {
                room.tick(&mut self.slots, now, out);
            }
        }
    }

    fn join(&mut self, leg: LegId, id: RoomId, member: Member, now: u64, out: &mut impl Out) {
        let Some(slot) = self.slot(leg) else { return };
        let at = match self.room_index.get(&id) {
            Some(&at) => at,
            None => self.make_room(id, now),
        };
        let is_there = self.slots[slot as usize]
            .as_ref()
            .is_some_and(|leg| leg.seat.as_ref().is_some_and(|seat| seat.room == at));
        let Some(room) = self.rooms[at as usize].as_mut().filter(|room| !is_there && !room.is_full()) else {
            return;
        };
        room.add(slot, leg, member);
        self.unbridge(slot, now);
        self.leave(slot, out);
        if let Some(leg) = &mut self.slots[slot as usize] {
            leg.sit(at, member);
        }
        self.unclock_idle(slot);
    }

    fn make_room(&mut self, id: RoomId, now: u64) -> u32 {
        let at = match self.rooms.iter().position(Option::is_none) {
            Some(at) => at,
            None => {
                self.rooms.push(None);
                self.rooms.len() - 1
            }
        };
        let phase = (0..PHASES).min_by_key(|&phase| self.room_phases[phase].len()).expect("there are phases");
        self.rooms[at] = Some(Box::new(Room::new(id, phase as u8, now)));
        self.room_phases[phase].push(at as u32);
        self.room_index.insert(id, at as u32);
        at as u32
    }

    /// Takes a leg out of its room, if it is in one; a room everybody left is no more.
    fn leave(&mut self, slot: u32, out: &mut impl Out) {
        let Some(leg) = &mut self.slots[slot as usize] else { return };
        let Some(at) = leg.stand_up(out) else { return };
        let Some(room) = &mut self.rooms[at as usize] else { return };
        room.remove(slot);
        if room.is_empty()
            && let Some(mut room) = self.rooms[at as usize].take()
        {
            room.end_recording(RecordEnd::Stopped, out);
            self.room_index.remove(&room.id);
            self.room_phases[usize::from(room.phase)].retain(|&other| other != at);
            out.retire(Garbage::Room(room));
        }
    }

    fn open(&mut self, id: LegId, local: SocketAddr, peer: Option<IpAddr>, now: u64, out: &mut impl Out) {
        if self.index.contains_key(&id) {
            return out.event(Event::OpenFailed { leg: id, why: "this leg is open already".into() });
        }
        if self.index.len() >= LEGS_MAX {
            return out.event(Event::OpenFailed { leg: id, why: "too many legs on one media thread".into() });
        }
        let leg = Box::new(Leg::new(id, peer, &mut self.rng));
        self.place(leg, now);
        out.event(Event::Opened { leg: id, local });
    }

    fn place(&mut self, leg: Box<Leg>, now: u64) -> u32 {
        if self.index.is_empty() {
            (self.tick, self.keep_at) = (now / MS, now + KEEP_NS);
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                self.slots.len() as u32 - 1
            }
        };
        self.index.insert(leg.id, slot);
        self.slots[slot as usize] = Some(leg);
        slot
    }

    fn bridge(&mut self, a: LegId, b: LegId, now: u64, out: &mut impl Out) {
        let (Some(a), Some(b)) = (self.slot(a), self.slot(b)) else { return };
        let is_bridged = self.slots[a as usize].as_ref().is_some_and(|leg| leg.peer == Some(b));
        if a == b || is_bridged {
            return;
        }
        self.leave(a, out);
        self.leave(b, out);
        self.unbridge(a, now);
        self.unbridge(b, now);
        bridge::join(&mut self.slots, a, b);
        self.unclock_idle(a);
        self.unclock_idle(b);
    }

    fn unbridge(&mut self, slot: u32, now: u64) {
        for slot in bridge::part(&mut self.slots, slot).into_iter().flatten() {
            self.clock(slot, now);
        }
    }

    fn close(&mut self, id: LegId, now: u64, out: &mut impl Out) {
        let Some(mut leg) = self.release(id, now, out) else { return };
        leg.close(now, out);
        out.retire(Garbage::Leg(leg));
    }

    fn slot(&self, leg: LegId) -> Option<u32> {
        self.index.get(&leg).copied()
    }

    fn leg(&mut self, leg: LegId) -> Option<(u32, &mut Leg)> {
        let slot = self.slot(leg)?;
        Some((slot, self.slots[slot as usize].as_deref_mut()?))
    }

    /// The leg's own, or that of the room it is in.
    fn recorder(&mut self, leg: LegId, recording: RecordingSid) -> Option<&mut Recorder> {
        let slot = self.slot(leg)?;
        let leg = self.slots[slot as usize].as_deref_mut()?;
        let room = leg.seat.as_ref().and_then(|seat| self.rooms[seat.room as usize].as_mut());
        leg.recorder(recording).or_else(|| room.and_then(|room| room.recorder(recording)))
    }

    /// Gives the leg a turn every 20 ms if it has something to do, in the emptiest phase.
    fn clock(&mut self, slot: u32, now: u64) {
        let Some(leg) = &mut self.slots[slot as usize] else { return };
        if let Some((phase, _)) = leg.phase {
            self.punctual[usize::from(phase)] |= leg.must_be_punctual();
            return;
        }
        if !leg.wants_clock() {
            return;
        }
        // Among equally empty ones the next to come, so that a prompt starts at once.
        let phase = (1..=PHASES as u64)
            .map(|n| phase_of(now / MS + n))
            .min_by_key(|&phase| self.phases[phase].len())
            .expect("there are phases");
        leg.phase = Some((phase as u8, now));
        self.punctual[phase] |= leg.must_be_punctual();
        self.phases[phase].push(slot);
    }

    fn unclock_idle(&mut self, slot: u32) {
        let Some(mut leg) = self.slots[slot as usize].take() else { return };
        if !leg.wants_clock() {
            self.unclock(slot, &mut leg);
        }
        self.slots[slot as usize] = Some(leg);
    }

    fn unclock(&mut self, slot: u32, leg: &mut Leg) {
        if let Some((phase, _)) = leg.phase.take() {
            let phase = &mut self.phases[usize::from(phase)];
            if let Some(n) = phase.iter().position(|&s| s == slot) {
                phase.swap_remove(n);
            }
        }
    }
}

fn phase_of(tick: u64) -> usize {
    (tick % PHASES as u64) as usize
}

/// A leg that is there, and the one it is bridged with.
#[inline]
fn with_peer(slots: &mut [Option<Box<Leg>>], slot: u32) -> (&mut Leg, Option<&mut Leg>) {
    let (slot, peer) = (slot as usize, slots[slot as usize].as_ref().and_then(|leg| leg.peer));
    let there = "the leg is there";
    match peer {
        Some(peer) if peer as usize != slot => {
            let [leg, peer] =
                slots.get_disjoint_mut([slot, peer as usize]).expect("a leg is bridged with another");
            (leg.as_mut().expect(there), peer.as_deref_mut())
        }
        _ => (slots[slot].as_mut().expect(there), None),
    }
}
