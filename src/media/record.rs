//! Recording a leg: what came and what went, laid out by its timestamps, given out in steady 20 ms frames.
//!
//! A recording's clock is the media clock from the moment it started. Packets are placed by their RTP
//! timestamps, so jitter does not shift them, loss leaves silence of its own length, and a recording is as long
//! as the time it covers. Frames are given out [`WINDOW_SAMPLES`] late, so that what is reordered still finds
//! its place.

use base::RecordingSid;

use crate::codec::CodecKind;
use crate::command::{RecordEnd, RecordWhat};
use crate::play::FRAME_SAMPLES;
use crate::rtp::timestamp_distance;
use crate::trim::is_silent;

/// How long a frame waits for late packets: 60 ms.
pub const WINDOW_SAMPLES: u64 = 480;

/// Samples a track can hold: 256 ms. More than the window, what may lie ahead, and a packet.
const TRACK_SAMPLES: usize = 2_048;

/// Sound that claims to lie further ahead of its arrival (150 ms) belongs to a timestamp that jumped.
const AHEAD_SAMPLES: u64 = 1_200;

/// After so many packets in a row that came too late, the path has become longer: their place moves.
const LATE_PACKETS_MAX: u8 = 5;

/// Nanoseconds of a sample.
const SAMPLE_NS: u64 = 125_000;

/// A recording in progress.
#[derive(Debug)]
pub struct Recorder {
    recording: RecordingSid,
    max: u64,
    silence: u64,
    /// In nanoseconds; `None` while the beep sounds.
    started: Option<u64>,
    /// Samples given out.
    given: u64,
    received: Track,
    sent: Option<Track>,
    /// Samples of received silence in a row, counted once anything was received.
    quiet: u64,
}

/// What a step of the clock led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It goes on.
    Goes,
    /// It is over.
    Over(RecordEnd),
}

impl Recorder {
    /// A recording that waits for its start. Lengths in milliseconds; no silence limit: 0.
    pub fn new(recording: RecordingSid, what: RecordWhat, max_ms: u64, silence_ms: u64) -> Recorder {
        Recorder {
            recording,
            max: max_ms.saturating_mul(8),
            silence: silence_ms.saturating_mul(8),
            started: None,
            given: 0,
            received: Track::new(),
            sent: match what {
                RecordWhat::Received => None,
                RecordWhat::Both => Some(Track::new()),
            },
            quiet: 0,
        }
    }

    /// Which recording.
    pub fn recording(&self) -> RecordingSid {
        self.recording
    }

    /// Whether it takes sound yet.
    pub fn is_running(&self) -> bool {
        self.started.is_some()
    }

    /// Takes sound from now on.
    pub fn start(&mut self, now: u64) {
        self.started = Some(now);
    }

    /// Milliseconds given out so far.
    pub fn duration_ms(&self) -> u64 {
        self.given / 8
    }

    /// The peer's sound, as it came.
    pub fn on_received(&mut self, timestamp: u32, codec: CodecKind, payload: &[u8], now: u64) {
        let Some(at) = self.sample_at(now) else { return };
        self.received.put(timestamp, codec, payload, at, self.given);
    }

    /// Our sound, as it went.
    pub fn on_sent(&mut self, timestamp: u32, codec: CodecKind, payload: &[u8], now: u64) {
        let Some(at) = self.sample_at(now) else { return };
        if let Some(sent) = &mut self.sent {
            sent.put(timestamp, codec, payload, at, self.given);
        }
    }

    /// The peer speaks under another source, or its packets were not for us for a while.
    pub fn on_new_source(&mut self) {
        self.received.anchor = None;
    }

    /// Time has passed: gives out what is complete.
    pub fn on_tick(&mut self, now: u64, tap: &mut impl FnMut(RecordingSid, &[i16], u64)) -> Step {
        let Some(at) = self.sample_at(now) else { return Step::Goes };
        self.give(at.saturating_sub(WINDOW_SAMPLES), tap)
    }

    /// Gives out all there is, up to this moment.
    pub fn finish(&mut self, now: u64, tap: &mut impl FnMut(RecordingSid, &[i16], u64)) {
        let Some(at) = self.sample_at(now) else { return };
        let end = at.min(self.max);
        if self.give(end, tap) == Step::Goes && self.given < end {
            let rest = (end - self.given) as usize;
            self.give_frame(rest, tap);
        }
    }

    fn give(&mut self, until: u64, tap: &mut impl FnMut(RecordingSid, &[i16], u64)) -> Step {
        let until = until.min(self.max);
        while self.given + FRAME_SAMPLES as u64 <= until {
            self.give_frame(FRAME_SAMPLES, tap);
            if self.silence != 0 && self.quiet >= self.silence {
                return Step::Over(RecordEnd::Silence);
            }
        }
        if until == self.max {
            if self.given < until {
                self.give_frame((until - self.given) as usize, tap);
            }
            return Step::Over(RecordEnd::MaxLength);
        }
        Step::Goes
    }

    fn give_frame(&mut self, samples: usize, tap: &mut impl FnMut(RecordingSid, &[i16], u64)) {
        let mut frame = [0; FRAME_SAMPLES];
        let frame = &mut frame[..samples.min(FRAME_SAMPLES)];
        self.received.take(self.given, frame);
        if self.received.anchor.is_some() || self.received.was_heard {
            self.quiet = if is_silent(frame) { self.quiet + frame.len() as u64 } else { 0 };
        }
        if let Some(sent) = &mut self.sent {
            let mut other = [0; FRAME_SAMPLES];
            sent.take(self.given, &mut other[..frame.len()]);
            for (sample, other) in frame.iter_mut().zip(other) {
                *sample = sample.saturating_add(other);
            }
        }
        tap(self.recording, frame, self.given);
        self.given += frame.len() as u64;
    }

    fn sample_at(&self, now: u64) -> Option<u64> {
        Some(now.saturating_sub(self.started?) / SAMPLE_NS)
    }
}

/// One direction: a ring of samples around the moment.
#[derive(Debug)]
struct Track {
    /// Sample `n` of the recording lies at `n % TRACK_SAMPLES`; what is not written is silence.
    ring: Box<[i16]>,
    /// A timestamp and where in the recording it lies.
    anchor: Option<(u32, u64)>,
    late: u8,
    was_heard: bool,
}

impl Track {
    fn new() -> Track {
        Track { ring: vec![0; TRACK_SAMPLES].into(), anchor: None, late: 0, was_heard: false }
    }

    /// Places a payload. `at`: when it came, `given`: what is past, both in samples of the recording.
    fn put(&mut self, timestamp: u32, codec: CodecKind, payload: &[u8], at: u64, given: u64) {
        self.was_heard = true;
        let place = self.place(timestamp, payload.len() as u64, at, given);
        // What is past, or further ahead than the ring reaches, is left out.
        let begin = place.max(given);
        let end = (place + payload.len() as u64).min(given + TRACK_SAMPLES as u64);
        if begin >= end {
            return;
        }
        let payload = &payload[(begin - place) as usize..(end - place) as usize];
        let (first, second) = self.halves(begin, payload.len());
        let (head, tail) = payload.split_at(first.len());
        for (samples, bytes) in [(first, head), (second, tail)] {
            for (sample, &byte) in samples.iter_mut().zip(bytes) {
                *sample = codec.decode(byte);
            }
        }
    }

    /// The samples of the ring from this place on, in two pieces where it wraps.
    fn halves(&mut self, from: u64, len: usize) -> (&mut [i16], &mut [i16]) {
        let start = from as usize % TRACK_SAMPLES;
        let (before, after) = self.ring.split_at_mut(start);
        let first = len.min(after.len());
        (&mut after[..first], &mut before[..len - first])
    }

    fn place(&mut self, timestamp: u32, len: u64, at: u64, given: u64) -> u64 {
        let Some((anchor, place)) = self.anchor else {
            self.anchor = Some((timestamp, at));
            return at;
        };
        let moved = timestamp_distance(timestamp, anchor);
        // Before the recording began: as far as possible in the past, where nothing is written.
        let place = place.checked_add_signed(moved).unwrap_or(0);
        let is_late = place.saturating_add(len) <= given;
        self.late = if is_late { self.late + 1 } else { 0 };
        if place > at + AHEAD_SAMPLES || self.late >= LATE_PACKETS_MAX {
            self.late = 0;
            self.anchor = Some((timestamp, at));
            return at;
        }
        if moved > 0 {
            self.anchor = Some((timestamp, place));
        }
        place
    }

    /// Takes samples out and leaves silence.
    fn take(&mut self, from: u64, frame: &mut [i16]) {
        let (first, second) = self.halves(from, frame.len());
        let (head, tail) = frame.split_at_mut(first.len());
        for (samples, frame) in [(first, head), (second, tail)] {
            frame.copy_from_slice(samples);
            samples.fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::*;

    const MS: u64 = 1_000_000;
    const LOUD: u8 = 0x90;
    const QUIET: u8 = 0xFF;

    /// Drives a recorder and keeps what it taps.
    struct Rig {
        recorder: Recorder,
        samples: Vec<i16>,
        end: Option<RecordEnd>,
        now: u64,
    }

    impl Rig {
        fn new(what: RecordWhat, max_ms: u64, silence_ms: u64) -> Rig {
            let mut recorder = Recorder::new(RecordingSid(1), what, max_ms, silence_ms);
            recorder.start(5_000 * MS);
            Rig { recorder, samples: Vec::new(), end: None, now: 5_000 * MS }
        }

        fn tick(&mut self, now: u64) {
            self.now = now;
            let samples = &mut self.samples;
            let step = self.recorder.on_tick(now, &mut |_, frame, at| {
                assert_eq!(at as usize, samples.len());
                samples.extend_from_slice(frame);
            });
            if let Step::Over(why) = step {
                self.end.get_or_insert(why);
            }
        }

        fn finish(&mut self, now: u64) {
            let samples = &mut self.samples;
            self.recorder.finish(now, &mut |_, frame, _| samples.extend_from_slice(frame));
        }

        fn receive(&mut self, packets: &[(u64, u32, u8)]) {
            let mut packets = packets.to_vec();
            packets.sort_by_key(|p| p.0);
            let last = packets.last().map_or(0, |p| p.0);
            let mut next = packets.into_iter().peekable();
            while self.now <= last && self.end.is_none() {
                while let Some((at, ts, byte)) = next.next_if(|p| p.0 <= self.now) {
                    self.recorder.on_received(ts, CodecKind::Pcmu, &payload(byte), at);
                }
                self.tick(self.now + 20 * MS);
            }
            for (at, ts, byte) in next {
                self.recorder.on_received(ts, CodecKind::Pcmu, &payload(byte), at);
            }
        }
    }

    /// A square wave: a level that does not change is no sound.
    fn payload(byte: u8) -> [u8; 160] {
        std::array::from_fn(|n| if byte == LOUD && n % 2 == 1 { byte & 0x7F } else { byte })
    }

    fn loud() -> i16 {
        CodecKind::Pcmu.decode(LOUD)
    }

    #[test]
    fn jitter_and_reordering_leave_no_trace() {
        for seed in 0..200 {
            let mut rng = Rng::seeded(seed);
            let mut rig = Rig::new(RecordWhat::Received, 100_000, 0);
            let mut packets = vec![(5_000 * MS, u32::MAX - 1_000, LOUD)];
            for n in 1..100u32 {
                let at = 5_000 * MS + u64::from(n) * 20 * MS + rng.below(55) * MS;
                packets.push((at, (u32::MAX - 1_000).wrapping_add(n * 160), LOUD));
            }
            rig.receive(&packets);
            rig.finish(5_000 * MS + 2_000 * MS);
            assert_eq!(rig.samples.len(), 16_000, "seed {seed}");
            let hole = rig.samples.iter().position(|&s| s.abs() != loud());
            assert_eq!(hole, None, "seed {seed}");
        }
    }

    #[test]
    fn a_lost_packet_is_silence_of_its_length() {
        let mut rig = Rig::new(RecordWhat::Received, 100_000, 0);
        let packets: Vec<_> = (0..50u32)
            .filter(|n| !(20..25).contains(n))
            .map(|n| (5_000 * MS + u64::from(n) * 20 * MS, n * 160, LOUD))
            .collect();
        rig.receive(&packets);
        rig.finish(6_000 * MS);
        assert_eq!(rig.samples.len(), 8_000);
        let silent: Vec<_> = (0..8_000).filter(|&n| rig.samples[n] == 0).collect();
        assert_eq!(silent, (3_200..4_000).collect::<Vec<_>>());
    }

    #[test]
    fn a_recording_is_as_long_as_its_time_even_without_packets() {
        let mut rig = Rig::new(RecordWhat::Received, 100_000, 1_000);
        for n in 1..=500 {
            rig.tick(5_000 * MS + n * 20 * MS);
        }
        rig.finish(15_007 * MS);
        assert_eq!((rig.samples.len(), rig.recorder.duration_ms()), (80_056, 10_007));
        assert_eq!(rig.end, None, "no packets at all is not silence");
    }

    #[test]
    fn it_ends_at_its_maximum_to_the_sample() {
        let mut rig = Rig::new(RecordWhat::Received, 1_010, 0);
        for n in 1..=100 {
            rig.tick(5_000 * MS + n * 20 * MS);
            if rig.end.is_some() {
                break;
            }
        }
        assert_eq!((rig.end, rig.samples.len()), (Some(RecordEnd::MaxLength), 8_080));
    }

    #[test]
    fn it_ends_after_silence_but_not_during_sound() {
        let mut rig = Rig::new(RecordWhat::Received, 100_000, 2_000);
        let packets: Vec<_> = (0..400u32)
            .map(|n| {
                let byte = if n < 150 || (200..210).contains(&n) { LOUD } else { QUIET };
                (5_000 * MS + u64::from(n) * 20 * MS, n * 160, byte)
            })
            .collect();
        rig.receive(&packets);
        assert_eq!(rig.end, Some(RecordEnd::Silence));
        // Sound until 4.2 s, then 2 s of silence.
        assert_eq!(rig.recorder.duration_ms(), 6_200);
    }

    #[test]
    fn a_peer_that_stops_sending_in_silence_is_silent() {
        let mut rig = Rig::new(RecordWhat::Received, 100_000, 2_000);
        rig.receive(&[(5_000 * MS, 0, LOUD)]);
        for n in 2..=200 {
            rig.tick(5_000 * MS + n * 20 * MS);
        }
        assert_eq!(rig.end, Some(RecordEnd::Silence));
    }

    #[test]
    fn both_sides_are_mixed_without_overflow() {
        let mut rig = Rig::new(RecordWhat::Both, 100_000, 0);
        for n in 0..50u32 {
            let now = 5_000 * MS + u64::from(n) * 20 * MS;
            rig.recorder.on_received(n * 160, CodecKind::Pcmu, &[0x80; 160], now); // loudest
            let byte = if n < 25 { 0x80 } else { 0x00 }; // loudest, then its negative
            rig.recorder.on_sent(7_000 + n * 160, CodecKind::Pcmu, &[byte; 160], now);
            rig.tick(now + 20 * MS);
        }
        rig.finish(6_000 * MS);
        assert!(rig.samples[..4_000].iter().all(|&s| s == i16::MAX));
        assert!(rig.samples[4_000..8_000].iter().all(|&s| s == 0));
    }

    #[test]
    fn a_timestamp_that_jumps_does_not_leave_a_hole() {
        let mut rig = Rig::new(RecordWhat::Received, 100_000, 0);
        let packets: Vec<_> = (0..100u32)
            .map(|n| {
                let jump = if n < 50 { 0 } else { 3_000_000_000u32 };
                (5_000 * MS + u64::from(n) * 20 * MS, jump.wrapping_add(n * 160), LOUD)
            })
            .collect();
        rig.receive(&packets);
        rig.finish(7_000 * MS);
        let silent = rig.samples.iter().filter(|&&s| s == 0).count();
        assert!(silent <= 5 * 160, "{silent} samples of silence");
    }

    #[test]
    fn a_path_that_became_longer_is_followed() {
        let mut rig = Rig::new(RecordWhat::Received, 100_000, 0);
        let packets: Vec<_> = (0..100u32)
            .map(|n| (5_000 * MS + u64::from(n) * 20 * MS + if n < 50 { 0 } else { 200 * MS }, n * 160, LOUD))
            .collect();
        rig.receive(&packets);
        rig.finish(7_200 * MS);
        assert!(rig.samples[14_000..17_000].iter().all(|&s| s.abs() == loud()));
    }
}
