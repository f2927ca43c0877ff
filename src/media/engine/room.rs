//! Conferences: members who hear each other, mixed once every 20 ms.
//!
//! A room has the rate of its best member, 8 or 16 kHz; a member with another is brought to it and back. Each
//! member's packets wait in a buffer of its own, which gives out steady frames; the mixer adds them up, and each
//! hears the sum without itself. A member that is played something hears that instead, as in a bridge.

use base::RecordingSid;

use crate::command::{LegId, Member, RoomId};
use crate::event::{Event, RecordEnd};
use crate::leg::Leg;
use crate::leg::listen::{NARROW_RATE, WIDE_RATE};
use crate::leg::seat::{FRAME_SAMPLES_MAX, Shared};
use crate::mix::{Gain, MemberId, Mix, Mixer, Role, SPEAKERS};
use crate::play::{FRAME_SAMPLES, Player};
use crate::quality::Level;
use crate::record::Recorder;
use crate::resample::Resampler;

use super::room_record::RoomRecording;
use super::speaking::Speaking;
use super::{Garbage, Out};

/// Members of one room; more cannot join.
pub const MEMBERS_MAX: usize = 256;

/// A conference.
pub struct Room {
    pub(super) id: RoomId,
    members: Vec<Place>,
    /// The phase it is clocked in.
    pub(super) phase: u8,
    /// When it was made: its turns before that are not its own.
    since: u64,
    rate: u32,
    mixer: Mixer,
    capacity: usize,
    announcing: Option<Announcing>,
    recording: Option<RoomRecording>,
}

/// A member's place.
#[derive(Clone, Copy, Debug)]
struct Place {
    slot: u32,
    leg: LegId,
    member: Member,
    /// `None` until the mixer has room for it.
    id: Option<MemberId>,
    speaking: Speaking,
}

/// What plays to everybody: to the mixer it is a member who hears nothing.
struct Announcing {
    player: Player,
    id: Option<MemberId>,
    up: Option<Resampler>,
}

/// Places a mixer begins with; it grows by doubling.
const CAPACITY_MIN: usize = 8;

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Room").field("id", &self.id).field("members", &self.members).finish_non_exhaustive()
    }
}

impl Room {
    pub(super) fn new(id: RoomId, phase: u8, since: u64) -> Room {
        Room {
            id,
            members: Vec::with_capacity(CAPACITY_MIN),
            phase,
            since,
            rate: NARROW_RATE,
            mixer: mixer(CAPACITY_MIN, NARROW_RATE),
            capacity: CAPACITY_MIN,
            announcing: None,
            recording: None,
        }
    }

    /// Records what is said here; one recording at a time.
    pub(super) fn record(
        &mut self,
        leg: LegId,
        recording: RecordingSid,
        max_ms: u64,
        now: u64,
        out: &mut impl Out,
    ) {
        if self.recording.is_some() {
            let why = RecordEnd::Failed("the conference is being recorded already".to_owned());
            return out.event(Event::Recorded { leg, recording, duration_ms: 0, bytes: 0, why });
        }
        self.recording = Some(RoomRecording::begin(leg, recording, max_ms, now, out));
    }

    pub(super) fn stop_record(&mut self, recording: RecordingSid, out: &mut impl Out) {
        if self.recording.as_ref().is_some_and(|ours| ours.recording() == recording) {
            self.end_recording(RecordEnd::Stopped, out);
        }
    }

    pub(super) fn end_recording(&mut self, why: RecordEnd, out: &mut impl Out) {
        if let Some(recording) = self.recording.take() {
            recording.end(why, out);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.members.len() >= MEMBERS_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn add(&mut self, slot: u32, leg: LegId, member: Member) {
        self.members.push(Place { slot, leg, member, id: None, speaking: Speaking::default() });
        self.seat_all();
    }

    pub(super) fn change(&mut self, slot: u32, member: Member) {
        if let Some(place) = self.members.iter_mut().find(|place| place.slot == slot) {
            place.member = member;
        }
        self.seat_all();
    }

    pub(super) fn remove(&mut self, slot: u32) {
        if let Some(at) = self.members.iter().position(|place| place.slot == slot) {
            let place = self.members.swap_remove(at);
            place.id.into_iter().for_each(|id| self.mixer.leave(id));
            self.seat_all();
        }
    }

    /// Of the room's recording, if it is this one.
    pub(super) fn recorder(&mut self, recording: RecordingSid) -> Option<&mut Recorder> {
        self.recording.as_mut().filter(|ours| ours.recording() == recording).map(RoomRecording::recorder)
    }

    /// Plays to everybody, over what is said.
    pub(super) fn announce(&mut self, player: Player, out: &mut impl Out) {
        let named = self.announcing.as_ref().is_some_and(|running| running.player.play.is_some());
        if named && player.play.is_none() {
            return out.retire(Garbage::Player(player));
        }
        self.end_announcement(false, out);
        self.announcing = Some(Announcing { player, id: None, up: None });
        self.seat_all();
    }

    /// One turn of the clock.
    pub(super) fn tick(&mut self, slots: &mut [Option<Box<Leg>>], now: u64, out: &mut impl Out) {
        if self.since > now {
            return;
        }
        let rates = self.members.iter().filter_map(|place| slots[place.slot as usize].as_ref());
        let rate = rates.fold(NARROW_RATE, |rate, leg| rate.max(leg.rate_in_room()));
        if rate != self.rate {
            self.rebuild(rate, self.capacity);
        }
        for place in &mut self.members {
            let Some(leg) = &mut slots[place.slot as usize] else { continue };
            let Some(id) = place.id else { continue };
            let level = leg.hear_in_room(rate, self.mixer.input(id), now, out);
            let Member { muted, on_hold, tells_speech, .. } = place.member;
            if tells_speech {
                let level = if muted || on_hold { Level::SILENT } else { level };
                let change = place.speaking.on_frame(level);
                change.into_iter().for_each(|began| out.event(Event::Speaking { leg: place.leg, began }));
            }
        }
        self.announce_frame(out);
        self.mixer.mix();
        let over = match &mut self.recording {
            Some(recording) => recording.take(self.mixer.shared(), rate, now, out),
            None => None,
        };
        if let Some(why) = over {
            self.end_recording(why, out);
        }
        let mut buffer = [0; FRAME_SAMPLES_MAX];
        let mut coded = Shared::default();
        for place in &self.members {
            let (Some(leg), Some(id)) = (&mut slots[place.slot as usize], place.id) else { continue };
            match self.mixer.hears(id) {
                Mix::Shared => leg.say_in_room(self.mixer.shared(), rate, Some(&mut coded), now, out),
                Mix::Own => {
                    let frame = &mut buffer[..(rate / 50) as usize];
                    self.mixer.own(id, frame);
                    leg.say_in_room(frame, rate, None, now, out);
                }
            }
        }
    }

    fn announce_frame(&mut self, out: &mut impl Out) {
        let Some(Announcing { player, id, up }) = &mut self.announcing else { return };
        let (mut narrow, mut wide) = ([0; FRAME_SAMPLES], [0; FRAME_SAMPLES_MAX]);
        player.fill_pcm(&mut narrow, &mut wide);
        if let Some(id) = *id {
            let input = self.mixer.input(id);
            if input.len() == FRAME_SAMPLES {
                input.copy_from_slice(&narrow);
            } else if player.is_wide() {
                input.copy_from_slice(&wide);
            } else {
                let up = up.get_or_insert_with(|| Resampler::new(NARROW_RATE, WIDE_RATE));
                let count = up.process(&narrow, input);
                input[count..].fill(0);
            }
        }
        if player.is_over() {
            self.end_announcement(true, out);
        }
    }

    fn end_announcement(&mut self, completed: bool, out: &mut impl Out) {
        if let Some(announcing) = self.announcing.take() {
            announcing.id.into_iter().for_each(|id| self.mixer.leave(id));
            if let Some(play) = announcing.player.play {
                out.event(Event::Announced { room: self.id, play, completed });
            }
            out.retire(Garbage::Player(announcing.player));
        }
    }

    /// The mixer knows everybody, and who is heard by whom.
    fn seat_all(&mut self) {
        let wanted = self.members.len() + usize::from(self.announcing.is_some());
        if wanted > self.capacity {
            self.rebuild(self.rate, wanted.next_power_of_two());
            return;
        }
        for place in self.members.iter_mut().filter(|place| place.id.is_none()) {
            place.id = self.mixer.join(Role::Listener, Gain::ONE);
        }
        for place in &self.members {
            let role = match place.member {
                Member { muted: true, .. } | Member { on_hold: true, .. } => Role::Listener,
                Member { coaches: Some(coached), .. } => {
                    let coached = self.members.iter().find(|other| other.leg == coached);
                    // Whoever coaches somebody who is not there is heard by nobody.
                    coached.and_then(|other| other.id).map_or(Role::Listener, |of| Role::Coach { of })
                }
                _ => Role::Speaker,
            };
            let gain = Gain::new(f32::from(place.member.gain_percent) / 100.0);
            place.id.into_iter().for_each(|id| self.mixer.set(id, role, gain));
        }
        if let Some(announcing) = self.announcing.as_mut().filter(|announcing| announcing.id.is_none()) {
            announcing.id = self.mixer.join(Role::Speaker, Gain::ONE);
        }
    }

    /// Everybody in a mixer of another rate or size.
    fn rebuild(&mut self, rate: u32, capacity: usize) {
        (self.rate, self.capacity) = (rate, capacity);
        self.mixer = mixer(capacity, rate);
        self.members.iter_mut().for_each(|place| place.id = None);
        if let Some(announcing) = &mut self.announcing {
            (announcing.id, announcing.up) = (None, None);
        }
        self.seat_all();
    }
}

fn mixer(members: usize, rate: u32) -> Mixer {
    Mixer::new(members, (rate / 50) as usize, SPEAKERS)
}
