//! The recordings of a leg: what came and what went, handed to each.

use base::RecordingSid;

use super::listen::Sound;
use super::{Leg, Playing, RECORDERS_MAX};
use crate::codec::CodecKind;
use crate::engine::{Garbage, Out};
use crate::event::Event;
use crate::event::RecordEnd;
use crate::play::Player;
use crate::record::{Placed, Recorder, Step, linear};

impl Leg {
    /// Starts a recording, after its beep if it has one.
    pub(crate) fn record(&mut self, recorder: Recorder, beep: Option<Player>, now: u64, out: &mut impl Out) {
        if self.recorders.len() >= RECORDERS_MAX {
            let recording = recorder.recording();
            let why = RecordEnd::Failed("too many recordings of one call at a time".to_owned());
            out.event(Event::Recorded { leg: self.id, recording, duration_ms: 0, bytes: 0, why });
            return out.retire(Garbage::Recorder(recorder));
        }
        let Some(beep) = beep else {
            self.recorders.push(recorder);
            return self.start_recorder(self.recorders.len() - 1, now, out);
        };
        self.stop_playing(now, out);
        self.recorders.push(recorder);
        self.playing = Playing::Items(beep);
    }

    /// One of its recordings.
    pub(crate) fn recorder(&mut self, recording: RecordingSid) -> Option<&mut Recorder> {
        self.recorders.iter_mut().find(|recorder| recorder.recording() == recording)
    }

    /// Ends a recording.
    pub(crate) fn stop_record(&mut self, recording: RecordingSid, now: u64, out: &mut impl Out) {
        if let Some(n) = self.recorders.iter().position(|r| r.recording() == recording) {
            self.finish_recorder(n, RecordEnd::Stopped, now, out);
        }
    }

    /// A recording that waited for its beep starts when the beep is over.
    pub(super) fn start_recorders(&mut self, now: u64, out: &mut impl Out) {
        for n in 0..self.recorders.len() {
            if !self.recorders[n].is_running() {
                self.start_recorder(n, now, out);
            }
        }
    }

    fn start_recorder(&mut self, n: usize, now: u64, out: &mut impl Out) {
        let recorder = &mut self.recorders[n];
        recorder.start(now);
        out.event(Event::RecordStarted { leg: self.id, recording: recorder.recording() });
    }

    pub(super) fn finish_recorder(&mut self, n: usize, why: RecordEnd, now: u64, out: &mut impl Out) {
        self.recorders[n].finish(now, &mut |recording, frame, at| out.tap(recording, frame, at));
        self.end_recorder(n, why, out);
    }

    fn end_recorder(&mut self, n: usize, why: RecordEnd, out: &mut impl Out) {
        let recorder = self.recorders.remove(n);
        let (recording, duration_ms) = (recorder.recording(), recorder.duration_ms());
        out.event(Event::Recorded { leg: self.id, recording, duration_ms, bytes: 0, why });
        out.retire(Garbage::Recorder(recorder));
    }

    /// Whether anybody wants samples of what the peer says.
    #[inline]
    pub(crate) fn wants_sound(&self) -> bool {
        self.records()
            || self.answering.is_some()
            || self.detects()
            || matches!(self.playing, Playing::Echo(_))
    }

    /// Whether anybody wants samples of what the peer is sent.
    #[inline]
    pub(crate) fn records(&self) -> bool {
        !self.recorders.is_empty() || !self.taps.is_empty()
    }

    /// The recordings' and taps' turn, every 20 ms.
    pub(super) fn tick_recorders(&mut self, now: u64, out: &mut impl Out) {
        self.tick_taps(now);
        let mut n = 0;
        while n < self.recorders.len() {
            match self.recorders[n].on_tick(now, &mut |recording, frame, at| out.tap(recording, frame, at)) {
                Step::Goes => n += 1,
                Step::Over(why) => self.end_recorder(n, why, out),
            }
        }
    }

    /// What the peer said, in a law of G.711: placed as it came, in whatever order.
    pub(crate) fn hear_payload(
        &mut self,
        timestamp: u32,
        codec: CodecKind,
        payload: &[u8],
        now: u64,
        out: &mut impl Out,
    ) {
        if !self.wants_sound() {
            return;
        }
        linear(codec, payload, |pcm| {
            for recorder in self.takers() {
                recorder.on_received(Placed { timestamp, clock: 8_000 }, pcm, now);
            }
            self.say_again(pcm);
            self.detect(pcm, out);
            self.hear_answer(pcm, out);
        });
    }

    /// What the peer said, decoded and in order.
    pub(crate) fn hear_sound(&mut self, sound: &Sound<'_>, now: u64, out: &mut impl Out) {
        let at = Placed { timestamp: sound.timestamp, clock: sound.clock };
        for recorder in self.takers() {
            recorder.on_received(at, sound.narrow, now);
        }
        self.say_again(sound.narrow);
        self.detect(sound.narrow, out);
        self.hear_answer(sound.narrow, out);
    }

    /// What the peer is sent, in a law of G.711.
    pub(crate) fn record_sent_payload(&mut self, timestamp: u32, codec: CodecKind, payload: &[u8], now: u64) {
        if !self.records() {
            return;
        }
        linear(codec, payload, |pcm| self.record_sent(timestamp, pcm, now));
    }

    /// What the peer is sent, at 8 kHz; the timestamp is that of our stream.
    pub(crate) fn record_sent(&mut self, timestamp: u32, pcm: &[i16], now: u64) {
        let clock = self.outgoing.clock();
        for recorder in self.takers() {
            recorder.on_sent(Placed { timestamp, clock }, pcm, now);
        }
    }
}
