//! Recording a leg: what came and what went, laid out by its timestamps, given out in steady 20 ms frames.
//!
//! A recording's clock is the media clock from the moment it started. Packets are placed by their RTP
//! timestamps, so jitter does not shift them, loss leaves silence of its own length, and a recording is as long
//! as the time it covers. Frames are given out [`WINDOW_SAMPLES`] late, so that what is reordered still finds
//! its place.

mod track;

use base::RecordingSid;

use crate::codec::CodecKind;
use crate::command::RecordWhat;
use crate::event::RecordEnd;
use crate::play::FRAME_SAMPLES;
use crate::rtp::PACKET_BYTES_MAX;
use crate::trim::is_silent;
use track::Track;

/// How long a frame waits for late packets: 200 ms.
pub const WINDOW_SAMPLES: u64 = 1_600;

/// How long a frame of a tap does: 80 ms. Whoever listens live minds delay more than a gap.
const TAP_WINDOW_SAMPLES: u64 = 640;

/// Samples of a frame of both channels.
pub const DUAL_FRAME_SAMPLES: usize = 2 * FRAME_SAMPLES;

/// Samples of a packet as most peers send them, and some more.
const USUAL_SAMPLES: usize = 240;

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
    window: u64,
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
            window: WINDOW_SAMPLES,
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

    /// No recording: sound laid out for a tap, from now on and without an end of its own.
    pub(crate) fn for_tap(what: RecordWhat, now: u64) -> Recorder {
        let mut recorder = Recorder::new(RecordingSid(0), what, u64::MAX, 0);
        recorder.window = TAP_WINDOW_SAMPLES;
        recorder.start(now);
        recorder
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
        self.give(at.saturating_sub(self.window), tap)
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
        if self.silence != 0 && self.received.was_heard && self.paused.is_none() {
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

/// Gives a payload of G.711 as the samples a recorder takes.
#[inline]
pub(crate) fn linear(codec: CodecKind, payload: &[u8], take: impl FnOnce(&[i16])) {
    // To clear room for the longest packet there may be takes longer than to decode one as it usually is.
    let (mut usual, mut longest);
    let pcm: &mut [i16] = if payload.len() <= USUAL_SAMPLES {
        usual = [0; USUAL_SAMPLES];
        &mut usual
    } else {
        longest = [0; PACKET_BYTES_MAX];
        &mut longest
    };
    let len = payload.len().min(pcm.len());
    codec.decode_all(payload, pcm);
    take(&pcm[..len]);
}

#[cfg(test)]
mod tests;
