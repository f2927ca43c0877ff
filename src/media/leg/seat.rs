//! A leg's part in a room: its packets wait in a buffer of their own until the room's clock takes a frame of them,
//! and what the room sounds like to it is said to its peer.

use super::listen::{NARROW_RATE, WIDE_RATE};
use super::send::takes_frames;
use super::{HeardPacket, Kind, Leg, Playing};
use crate::codec::CodecKind;
use crate::command::Member;
use crate::engine::{Garbage, Out};
use crate::jitter::{COMFORT_NOISE, Ear};
use crate::play::{FRAME_SAMPLES, Frame};
use crate::quality::Level;
use crate::record::Placed;
use crate::resample::Resampler;
use crate::rtp::Fields;

/// Samples of a frame at the higher rate.
pub(crate) const FRAME_SAMPLES_MAX: usize = 2 * FRAME_SAMPLES;

/// A frame that many members of a room hear, in the laws of G.711: coded when the first of them wants it.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pcmu: Option<Frame>,
    pcma: Option<Frame>,
    level: Option<Level>,
}

impl Shared {
    fn of(&mut self, codec: CodecKind, pcm: &[i16]) -> (&Frame, Level) {
        let level = *self.level.get_or_insert_with(|| Level::of(pcm));
        let coded = if codec == CodecKind::Pcma { &mut self.pcma } else { &mut self.pcmu };
        let coded = coded.get_or_insert_with(|| {
            let mut frame = [0; FRAME_SAMPLES];
            codec.encode_all(pcm, &mut frame);
            frame
        });
        (coded, level)
    }
}

/// A leg's part in a room.
pub struct Seat {
    /// The room's slot.
    pub(crate) room: u32,
    pub(crate) member: Member,
    ear: Ear,
    /// To the room's rate, if the peer's is another.
    up: Option<Resampler>,
    /// From the peer's rate and from the room's to 8 kHz, for recordings.
    received: Option<Resampler>,
    sent: Option<Resampler>,
    /// Samples at 8 kHz since the leg joined.
    at: u32,
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").field("room", &self.room).field("member", &self.member).finish_non_exhaustive()
    }
}

impl Leg {
    /// Takes part in a room from now on.
    pub(crate) fn sit(&mut self, room: u32, member: Member) {
        let codec = self.codec().unwrap_or(CodecKind::Pcmu);
        self.outgoing.end_run();
        self.forget_received();
        self.seat = Some(Box::new(Seat {
            room,
            member,
            ear: Ear::new(codec, WIDE_RATE).within(u32::from(member.delay_ms_max)),
            up: None,
            received: None,
            sent: None,
            at: 0,
        }));
    }

    /// Is in no room from now on. Answers with the slot of the one it was in.
    pub(crate) fn stand_up(&mut self, out: &mut impl Out) -> Option<u32> {
        self.note_playout();
        let seat = self.seat.take()?;
        let room = seat.room;
        self.outgoing.end_run();
        self.forget_received();
        out.retire(Garbage::Seat(seat));
        Some(room)
    }

    /// Takes the buffer's figures over.
    pub(super) fn note_playout(&mut self) {
        if let Some(seat) = &self.seat {
            let stats = seat.ear.stats();
            self.stats.playout_delay_us = stats.delay_us;
        }
    }

    /// Samples a second of what it says in its room.
    pub(crate) fn rate_in_room(&self) -> u32 {
        self.seat.as_ref().map_or(NARROW_RATE, |seat| seat.ear.rate())
    }

    /// A packet for the room.
    #[inline]
    pub(crate) fn hear_for_room(&mut self, heard: &HeardPacket, bytes: &[u8], now: u64, out: &mut impl Out) {
        let fields = heard.parsed.fields;
        if let Kind::Event(event) = heard.kind {
            self.on_event(event, fields.timestamp, now, out);
        }
        let Some(seat) = &mut self.seat else { return };
        let payload = &bytes[heard.parsed.payload.clone()];
        match heard.kind {
            Kind::Sound(codec) => {
                if codec != seat.ear.codec() {
                    // The peer changed its codec: once in a call, if at all.
                    seat.ear = Ear::new(codec, WIDE_RATE).within(u32::from(seat.member.delay_ms_max));
                    (seat.up, seat.received) = (None, None);
                }
                seat.ear.put(fields, payload, now);
            }
            Kind::Comfort => seat.ear.put(Fields { payload_type: COMFORT_NOISE, ..fields }, payload, now),
            Kind::Event(_) | Kind::Other => seat.ear.pass(fields, now),
        }
    }

    /// The next 20 ms of what the peer says, at the room's rate.
    pub(crate) fn hear_in_room(
        &mut self,
        rate: u32,
        frame: &mut [i16],
        now: u64,
        out: &mut impl Out,
    ) -> Level {
        let Some(seat) = &mut self.seat else {
            frame.fill(0);
            return Level::SILENT;
        };
        let from = seat.ear.rate();
        if from == rate {
            seat.up = None;
            seat.ear.take(now, frame);
            return self.heard_in_room(frame, from, now, out);
        }
        let mut own = [0; FRAME_SAMPLES_MAX];
        let own = &mut own[..(from / 50) as usize];
        seat.ear.take(now, own);
        let count = seat.up.get_or_insert_with(|| Resampler::new(from, rate)).process(own, frame);
        frame[count..].fill(0);
        self.heard_in_room(own, from, now, out)
    }

    /// What the peer says is for those who listen to it alone, too; how loud it is.
    fn heard_in_room(&mut self, own: &[i16], from: u32, now: u64, out: &mut impl Out) -> Level {
        let wants_sound = self.wants_sound();
        if let Some(seat) = &mut self.seat {
            let at = Placed { timestamp: seat.at, clock: NARROW_RATE };
            seat.at = seat.at.wrapping_add(FRAME_SAMPLES as u32);
            if wants_sound {
                let mut narrow = [0; FRAME_SAMPLES_MAX];
                let narrow = brought(&mut seat.received, own, from, NARROW_RATE, &mut narrow);
                for recorder in self.takers() {
                    recorder.on_received(at, narrow, now);
                }
                self.detect(narrow, out);
                self.hear_answer(narrow, out);
            }
        }
        let level = Level::of(own);
        self.was_heard(level);
        level
    }

    /// 20 ms of what the room sounds like to the peer, unless something plays. `shared`: what others hear as well.
    pub(crate) fn say_in_room(
        &mut self,
        frame: &[i16],
        rate: u32,
        shared: Option<&mut Shared>,
        now: u64,
        out: &mut impl Out,
    ) {
        let is_on_hold = self.seat.as_ref().is_some_and(|seat| seat.member.on_hold);
        if is_on_hold || !matches!(self.playing, Playing::Nothing) {
            self.sound(now, out);
        } else if !self.outgoing.is_early(now) {
            self.say_mix(frame, rate, shared, now, out);
        }
        self.tick_recorders(now, out);
        self.tick_answering(now, out);
    }

    fn say_mix(
        &mut self,
        frame: &[i16],
        rate: u32,
        shared: Option<&mut Shared>,
        now: u64,
        out: &mut impl Out,
    ) {
        if let (Some(shared), Some(negotiated)) = (shared, &self.negotiated)
            && rate == NARROW_RATE
            && takes_frames(negotiated)
            && negotiated.direction.sends()
        {
            let (coded, level) = shared.of(negotiated.codec, frame);
            return self.send_frame(coded, level, now, out);
        }
        if rate == NARROW_RATE || !self.records() {
            return self.say(frame, rate, frame, now, out);
        }
        let mut narrow = [0; FRAME_SAMPLES_MAX];
        let narrow = match &mut self.seat {
            Some(seat) => brought(&mut seat.sent, frame, rate, NARROW_RATE, &mut narrow),
            None => frame,
        };
        self.say(frame, rate, narrow, now, out);
    }

    /// What is received next does not follow what was received before.
    fn forget_received(&mut self) {
        for recorder in self.takers() {
            recorder.on_new_source();
        }
    }
}

/// The frame at another rate. The resampler is made when it is first needed.
pub(crate) fn brought<'a>(
    resampler: &mut Option<Resampler>,
    frame: &'a [i16],
    from: u32,
    to: u32,
    buffer: &'a mut [i16; FRAME_SAMPLES_MAX],
) -> &'a [i16] {
    if from == to {
        *resampler = None;
        return frame;
    }
    let resampler = resampler.get_or_insert_with(|| Resampler::new(from, to));
    let count = resampler.process(frame, buffer);
    &buffer[..count]
}
