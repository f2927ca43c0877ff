//! Recording a leg: what came and what went, laid out by its timestamps, given out in steady 20 ms frames.
//!
//! A recording's clock is the media clock from the moment it started. Packets are placed by their RTP
//! timestamps, so jitter does not shift them, loss leaves silence of its own length, and a recording is as long
//! as the time it covers. Frames are given out [`WINDOW_SAMPLES`] late, so that what is reordered still finds
//! its place.

mod track;

use base::RecordingSid;

use crate::codec::CodecKind;
use crate::command::{RecordEnd, RecordWhat};
use crate::play::FRAME_SAMPLES;
use crate::rtp::PACKET_BYTES_MAX;
use crate::trim::is_silent;
use track::Track;

/// How long a frame waits for late packets: 200 ms.
pub const WINDOW_SAMPLES: u64 = 1_600;

/// Samples of a frame of both channels.
pub const DUAL_FRAME_SAMPLES: usize = 2 * FRAME_SAMPLES;

/// Nanoseconds of a sample.
const SAMPLE_NS: u64 = 125_000;

/// Where in its stream a sound belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// RTP timestamp of its first sample.
    pub timestamp: u32,
    /// RTP clock of the stream in Hz.
    pub clock: u32,
}

/// A recording in progress.
#[derive(Debug)]
pub struct Recorder {
    recording: RecordingSid,
    what: RecordWhat,
    max: u64,
    silence: u64,
    /// In nanoseconds; `None` while the beep sounds.
    started: Option<u64>,
    paused: Option<Paused>,
    /// Nanoseconds that pauses left out.
    skipped: u64,
    /// Samples given out, of each channel.
    given: u64,
    /// Nothing may be written before this sample: it would be from a pause.
    floor: u64,
    received: Track,
    sent: Track,
    /// Samples of received silence in a row, counted once anything was received.
    quiet: u64,
}

#[derive(Debug)]
struct Paused {
    /// Whether the recording's clock goes on meanwhile.
    silence: bool,
    /// In nanoseconds.
    since: u64,
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
            what,
            max: max_ms.saturating_mul(8),
            silence: silence_ms.saturating_mul(8),
            started: None,
            paused: None,
            skipped: 0,
            given: 0,
            floor: 0,
            received: Track::new(),
            sent: Track::new(),
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

    /// Takes sound from now on, unless it is paused already.
    pub fn start(&mut self, now: u64) {
        self.started = Some(now);
        if let Some(paused) = &mut self.paused {
            paused.since = now;
        }
    }

    /// Takes no sound until [`Recorder::resume`]: silence stands for it, or nothing at all.
    pub fn pause(&mut self, silence: bool, now: u64) {
        self.resume(now);
        self.paused = Some(Paused { silence, since: now });
    }

    /// Takes sound again. What was spoken in the pause is left out however late it comes.
    pub fn resume(&mut self, now: u64) {
        let Some(paused) = self.paused.take() else { return };
        self.quiet = 0;
        if self.started.is_none() {
            return;
        }
        if !paused.silence {
            // In whole samples, so that the tracks and the clock skip alike.
            let samples = now.saturating_sub(paused.since) / SAMPLE_NS;
            self.skipped += samples * SAMPLE_NS;
            self.received.skip(samples);
            self.sent.skip(samples);
        }
        self.floor = self.sample_at(now).unwrap_or(0);
    }

    /// Milliseconds given out so far.
    pub fn duration_ms(&self) -> u64 {
        self.given / 8
    }

    /// The peer's sound, as it came: mono at 8 kHz.
    pub fn on_received(&mut self, at: Placed, pcm: &[i16], now: u64) {
        let Some(arrived) = self.takes(self.what != RecordWhat::Sent, now) else { return };
        self.received.put(at, pcm, arrived, self.given, self.floor);
    }

    /// Our sound, as it went: mono at 8 kHz.
    pub fn on_sent(&mut self, at: Placed, pcm: &[i16], now: u64) {
        let Some(arrived) = self.takes(self.what != RecordWhat::Received, now) else { return };
        self.sent.put(at, pcm, arrived, self.given, self.floor);
    }

    /// The peer speaks under another source, or its packets were not for us for a while.
    pub fn on_new_source(&mut self) {
        self.received.forget();
    }

    /// Time has passed: gives out what is complete. `tap` takes the samples of a frame, of two channels in
    /// turns, and how many frames of samples were given out before.
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
        let len = samples.min(FRAME_SAMPLES);
        let (mut received, mut sent) = ([0; FRAME_SAMPLES], [0; FRAME_SAMPLES]);
        self.received.take(self.given, &mut received[..len]);
        self.sent.take(self.given, &mut sent[..len]);
        if self.received.was_heard && self.paused.is_none() {
            self.quiet = if is_silent(&received[..len]) { self.quiet + len as u64 } else { 0 };
        }
        let mut dual = [0; DUAL_FRAME_SAMPLES];
        let frame = match self.what {
            RecordWhat::Received => &received[..len],
            RecordWhat::Sent => &sent[..len],
            RecordWhat::Both => {
                for (sample, other) in received.iter_mut().zip(sent) {
                    *sample = sample.saturating_add(other);
                }
                &received[..len]
            }
            RecordWhat::Dual => {
                for (pair, (left, right)) in
                    dual.as_chunks_mut().0.iter_mut().zip(received.into_iter().zip(sent))
                {
                    *pair = [left, right];
                }
                &dual[..2 * len]
            }
        };
        tap(self.recording, frame, self.given);
        self.given += len as u64;
    }

    /// The sample of this moment, if the sound of such a direction is taken.
    fn takes(&self, is_wanted: bool, now: u64) -> Option<u64> {
        self.sample_at(now).filter(|_| is_wanted && self.paused.is_none())
    }

    fn sample_at(&self, now: u64) -> Option<u64> {
        let now = match &self.paused {
            Some(paused) if !paused.silence => now.min(paused.since),
            _ => now,
        };
        Some(now.saturating_sub(self.started?).saturating_sub(self.skipped) / SAMPLE_NS)
    }
}

/// A payload of G.711 as the samples a recorder takes, decoded into `pcm`.
pub(crate) fn linear<'a>(
    codec: CodecKind,
    payload: &[u8],
    pcm: &'a mut [i16; PACKET_BYTES_MAX],
) -> &'a [i16] {
    let len = payload.len().min(pcm.len());
    for (sample, &byte) in pcm.iter_mut().zip(payload) {
        *sample = codec.decode(byte);
    }
    &pcm[..len]
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::*;

    const MS: u64 = 1_000_000;
    const LOUD: i16 = 8_000;
    const QUIET: i16 = 0;

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

        fn receive(&mut self, packets: &[(u64, u32, i16)]) {
            let mut packets = packets.to_vec();
            packets.sort_by_key(|p| p.0);
            let last = packets.last().map_or(0, |p| p.0);
            let mut next = packets.into_iter().peekable();
            while self.now <= last && self.end.is_none() {
                while let Some((at, ts, byte)) = next.next_if(|p| p.0 <= self.now) {
                    self.recorder.on_received(placed(ts), &payload(byte), at);
                }
                self.tick(self.now + 20 * MS);
            }
            for (at, ts, byte) in next {
                self.recorder.on_received(placed(ts), &payload(byte), at);
            }
        }
    }

    /// A square wave: a level that does not change is no sound.
    fn payload(level: i16) -> [i16; 160] {
        std::array::from_fn(|n| if n % 2 == 1 { -level } else { level })
    }

    fn placed(timestamp: u32) -> Placed {
        Placed { timestamp, clock: 8_000 }
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
            let hole = rig.samples.iter().position(|&s| s.abs() != LOUD);
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
            rig.recorder.on_received(placed(n * 160), &[i16::MAX; 160], now);
            let other = if n < 25 { i16::MAX } else { -i16::MAX };
            rig.recorder.on_sent(placed(7_000 + n * 160), &[other; 160], now);
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
            .map(|n| (5_000 * MS + u64::from(n) * 20 * MS + if n < 50 { 0 } else { 400 * MS }, n * 160, LOUD))
            .collect();
        rig.receive(&packets);
        rig.finish(7_400 * MS);
        assert!(rig.samples[14_000..19_000].iter().all(|&s| s.abs() == LOUD));
    }
}
