//! A peer's packets turned into sound as they come, for whoever needs samples at once: a leg with another codec,
//! a recording, the detector of keys.
//!
//! Nothing waits here but what has reason to. A packet that follows the last is decoded on arrival. Where packets
//! are missing before it, it is held until the next one comes: then either the missing one has come after all and
//! the order is restored, or it is lost and its sound made up. So a path that loses nothing adds no delay, and the
//! receiver's own buffer sees a loss as one late packet. A packet that repeats what is missing is not held: what would
//! come of waiting is worth less than the wait.

use crate::codec::CodecKind;
use crate::codec::coder::{Decoder, duration, repeats};
use crate::resample::Resampler;
use crate::rtp::{Fields, sequence_distance, timestamp_distance};

/// Samples of the longest packet: 120 ms at 16 kHz.
pub(crate) const SOUND_SAMPLES_MAX: usize = 1_920;

/// Sound inside the box has this rate or half of it: what a telephone call carries at its best.
pub(crate) const WIDE_RATE: u32 = 16_000;
pub(crate) const NARROW_RATE: u32 = 8_000;

/// What is missing for longer is a pause, not a loss to be made up.
const CONCEAL_MS_MAX: u32 = 100;

/// Lost sound is made up in pieces of so many milliseconds.
const CONCEAL_MS: u32 = 20;

/// A source whose timestamps run ahead of its arrivals, or go back, by more has jumped.
const JUMP_MS: u32 = 2_000;

/// A packet is held no longer than this (120 ms, the longest packet there is) if no other comes.
const HELD_NS: u64 = 120_000_000;

/// The largest payload that is held.
const HELD_BYTES_MAX: usize = 1_500;

/// The state of one peer's sound.
pub struct Listener {
    decoder: Decoder,
    codec: CodecKind,
    for_wide: bool,
    stream: Option<Stream>,
    /// Counts the sources, so that each has its name.
    source: u64,
    held: Held,
    narrow: Option<Box<Resampler>>,
    /// Whether somebody wants wide sound at 8 kHz too.
    gives_narrow: bool,
}

/// Where the next packet of the source belongs.
#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// Ticks since the source began.
    at: u64,
    /// When its last packet came, in nanoseconds.
    heard: u64,
}

#[derive(Debug)]
struct Held {
    fields: Option<Fields>,
    /// Since when, in nanoseconds.
    since: u64,
    bytes: Box<[u8; HELD_BYTES_MAX]>,
    len: usize,
}

/// A piece of what the peer said, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sound<'a> {
    /// Names an unbroken stretch of one source.
    pub(crate) source: u64,
    /// When the piece begins, in ticks of `clock` since the source began.
    pub(crate) at: u64,
    /// The RTP timestamp of its beginning.
    pub(crate) timestamp: u32,
    /// Ticks of both in a second.
    pub(crate) clock: u32,
    /// Samples at `rate`.
    pub(crate) pcm: &'a [i16],
    /// 8,000 or 16,000.
    pub(crate) rate: u32,
    /// The same at 8 kHz, if [`Listener::give_narrow`] wants it.
    pub(crate) narrow: &'a [i16],
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("codec", &self.codec).finish_non_exhaustive()
    }
}

impl Listener {
    /// For packets of this codec, for one who takes sound at 16 kHz, or at 8 kHz only.
    pub(crate) fn new(codec: CodecKind, for_wide: bool) -> Listener {
        let decoder = Decoder::new(codec, if for_wide { WIDE_RATE } else { NARROW_RATE });
        let is_wide = decoder.rate() != NARROW_RATE;
        Listener {
            codec,
            for_wide,
            stream: None,
            source: 0,
            held: Held { fields: None, since: 0, bytes: Box::new([0; HELD_BYTES_MAX]), len: 0 },
            narrow: is_wide.then(|| Box::new(Resampler::new(decoder.rate(), NARROW_RATE))),
            gives_narrow: true,
            decoder,
        }
    }

    /// Whether wide sound is wanted at 8 kHz too.
    pub(crate) fn give_narrow(&mut self, wanted: bool) {
        self.gives_narrow = wanted;
    }

    /// Whether it was made for this.
    pub(crate) fn is_for(&self, codec: CodecKind, for_wide: bool) -> bool {
        (self.codec, self.for_wide) == (codec, for_wide)
    }

    /// Takes a packet that has not been seen before. `now` in nanoseconds.
    pub(crate) fn on_packet(
        &mut self,
        fields: Fields,
        payload: &[u8],
        now: u64,
        out: &mut impl FnMut(Sound<'_>),
    ) {
        if duration(self.codec, payload) == 0 {
            return;
        }
        let Some(stream) = self.stream.filter(|stream| self.goes_on(stream, fields, now)) else {
            self.flush(now, out);
            self.begin(fields, now);
            return self.decode(fields, payload, now, out);
        };
        if let Some(held) = self.held.fields {
            if sequence_distance(fields.sequence, held.sequence) > 0 {
                self.flush(now, out);
                return self.on_packet(fields, payload, now, out);
            }
            if timestamp_distance(fields.timestamp, stream.timestamp) >= 0 {
                self.make_up(fields, payload, out);
                self.decode(fields, payload, now, out);
            }
            if self.stream.is_some_and(|stream| stream.sequence == held.sequence) {
                self.flush(now, out);
            }
            return;
        }
        if timestamp_distance(fields.timestamp, stream.timestamp) < 0 {
            return; // its place has been filled
        }
        let is_gap = sequence_distance(fields.sequence, stream.sequence) > 0;
        if is_gap && repeats(self.codec, payload) {
            self.make_up(fields, payload, out);
        } else if is_gap && payload.len() <= HELD_BYTES_MAX && self.missing(fields).is_some() {
            self.held.bytes[..payload.len()].copy_from_slice(payload);
            self.held.len = payload.len();
            (self.held.fields, self.held.since) = (Some(fields), now);
            return;
        }
        self.decode(fields, payload, now, out);
    }

    /// What it understands.
    pub(crate) fn codec(&self) -> CodecKind {
        self.codec
    }

    /// The payload that waits for the one before it; empty: none does.
    pub(crate) fn held(&self) -> &[u8] {
        if self.held.fields.is_some() { &self.held.bytes[..self.held.len] } else { &[] }
    }

    /// Whether a packet has waited longer than any other takes to come.
    pub(crate) fn is_overdue(&self, now: u64) -> bool {
        self.held.fields.is_some() && now.saturating_sub(self.held.since) >= HELD_NS
    }

    /// Nothing more is waited for.
    pub(crate) fn flush(&mut self, now: u64, out: &mut impl FnMut(Sound<'_>)) {
        let Some(fields) = self.held.fields.take() else { return };
        let mut payload = [0; HELD_BYTES_MAX];
        let payload = &mut payload[..self.held.len];
        payload.copy_from_slice(&self.held.bytes[..self.held.len]);
        self.make_up(fields, payload, out);
        self.decode(fields, payload, now, out);
    }

    /// The position of a timestamp in the current source, and the source's name: where a telephone event belongs
    /// among the sound.
    pub(crate) fn place(&mut self, fields: Fields, now: u64) -> (u64, u64) {
        if !self.stream.is_some_and(|stream| self.goes_on(&stream, fields, now)) {
            self.begin(fields, now);
        }
        let (at, expected) = self.stream.map_or((0, 0), |stream| (stream.at, stream.timestamp));
        // An event reaches back before the sound that was heard last when its packets are repeated.
        let at = at.saturating_add_signed(timestamp_distance(fields.timestamp, expected));
        (self.source, at)
    }

    /// A telephone event took the place of sound up to here: what follows is no loss.
    pub(crate) fn skip(&mut self, fields: Fields, ticks: u32, now: u64) {
        let Some(stream) = &mut self.stream else { return };
        if sequence_distance(fields.sequence, stream.sequence) >= 0 {
            stream.sequence = fields.sequence.wrapping_add(1);
        }
        let end = fields.timestamp.wrapping_add(ticks);
        let moved = timestamp_distance(end, stream.timestamp);
        if moved > 0 {
            stream.timestamp = end;
            stream.at += moved.cast_unsigned();
        }
        stream.heard = now;
    }

    fn goes_on(&self, stream: &Stream, fields: Fields, now: u64) -> bool {
        let clock = i64::from(self.codec.info().clock);
        let jump = clock * i64::from(JUMP_MS) / 1_000;
        let ahead = timestamp_distance(fields.timestamp, stream.timestamp);
        let elapsed = (now.saturating_sub(stream.heard) / 1_000 * clock as u64 / 1_000_000) as i64;
        fields.ssrc == stream.ssrc && (-jump..=elapsed.saturating_add(jump)).contains(&ahead)
    }

    fn begin(&mut self, fields: Fields, now: u64) {
        self.source += 1;
        self.stream = Some(Stream {
            ssrc: fields.ssrc,
            sequence: fields.sequence,
            timestamp: fields.timestamp,
            at: 0,
            heard: now,
        });
    }

    /// Ticks of lost sound right before this packet, if they are to be made up.
    fn missing(&self, fields: Fields) -> Option<u32> {
        let stream = self.stream?;
        let ticks = timestamp_distance(fields.timestamp, stream.timestamp);
        let lost = sequence_distance(fields.sequence, stream.sequence) > 0;
        let most = i64::from(self.codec.info().clock / 1_000 * CONCEAL_MS_MAX);
        (lost && (1..=most).contains(&ticks)).then_some(ticks as u32)
    }

    fn make_up(&mut self, fields: Fields, next: &[u8], out: &mut impl FnMut(Sound<'_>)) {
        let Some(mut ticks) = self.missing(fields) else { return };
        let piece = self.codec.info().clock / 1_000 * CONCEAL_MS;
        while ticks > 0 {
            let now = ticks.min(piece);
            ticks -= now;
            let mut pcm = [0; SOUND_SAMPLES_MAX];
            let pcm = &mut pcm[..self.samples(now)];
            self.decoder.conceal((ticks == 0).then_some(next), pcm);
            self.give(pcm, now, out);
        }
    }

    fn decode(&mut self, fields: Fields, payload: &[u8], now: u64, out: &mut impl FnMut(Sound<'_>)) {
        let Some(stream) = &mut self.stream else { return };
        // A pause, or what is too long to be made up.
        let pause = timestamp_distance(fields.timestamp, stream.timestamp).max(0);
        stream.at += pause.cast_unsigned();
        stream.timestamp = fields.timestamp;
        stream.sequence = fields.sequence.wrapping_add(1);
        stream.heard = now;
        let mut pcm = [0; SOUND_SAMPLES_MAX];
        let count = self.decoder.decode(payload, &mut pcm);
        if count > 0 {
            self.give(&pcm[..count], self.ticks(count), out);
        }
    }

    fn give(&mut self, pcm: &[i16], ticks: u32, out: &mut impl FnMut(Sound<'_>)) {
        let Some(stream) = &mut self.stream else { return };
        let (at, timestamp) = (stream.at, stream.timestamp);
        stream.at += u64::from(ticks);
        stream.timestamp = timestamp.wrapping_add(ticks);
        let mut buffer = [0; SOUND_SAMPLES_MAX / 2 + 8];
        let narrow = match &mut self.narrow {
            Some(resampler) if self.gives_narrow => {
                let count = resampler.process(pcm, &mut buffer);
                &buffer[..count]
            }
            Some(_) => &[],
            None => pcm,
        };
        let clock = self.codec.info().clock;
        let rate = self.decoder.rate();
        out(Sound { source: self.source, at, timestamp, clock, pcm, rate, narrow });
    }

    fn samples(&self, ticks: u32) -> usize {
        let samples = u64::from(ticks) * u64::from(self.decoder.rate()) / u64::from(self.codec.info().clock);
        (samples as usize).min(SOUND_SAMPLES_MAX)
    }

    fn ticks(&self, samples: usize) -> u32 {
        (samples as u64 * u64::from(self.codec.info().clock) / u64::from(self.decoder.rate())) as u32
    }
}
