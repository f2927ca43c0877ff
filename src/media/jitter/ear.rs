//! Hearing a peer: jitter buffer, decoder, and the samples that are decoded but not yet heard.

use super::buffer::{COMFORT_NOISE, FRAME_MS, JitterBuffer, JitterStats, PACKET_MS_MAX, Piece};
use super::noise::Noise;
use super::stretch::{Stretch, grows_most, shrink_needs};
use crate::codec::CodecKind;
use crate::codec::coder::{Decoder, duration};
use crate::rtp::Fields;

/// What a frame is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    /// Digital silence: nothing came, or the peer pauses.
    Nothing,
    /// Comfort noise.
    Comfort,
    /// Nothing but what was made up for lost packets.
    Concealed,
    /// What the peer sent, at least in part.
    Sound,
}

/// Turns the packets of one peer into frames of 20 ms.
pub struct Ear {
    jitter: JitterBuffer,
    voice: Voice,
    stretch: Stretch,
    heard: Heard,
}

/// Decoder and reservoir.
struct Voice {
    codec: CodecKind,
    decoder: Decoder,
    clock: u32,
    rate: u32,
    pcm: Box<[i16]>,
    /// Samples in `pcm`.
    len: usize,
    noise: Noise,
    /// Milliseconds since the last packet of sound.
    quiet_ms: u32,
    last: Heard,
}

/// A sender of Opus that is silent still sends every 400 ms (RFC 6716 §2.1.9); so long the decoder makes the
/// noise between, and what comes after is silence.
const OPUS_PAUSE_MS: u32 = 1_000;

impl Ear {
    /// `rate`: samples a second wanted of Opus; the others have their own, see [`Ear::rate`].
    pub fn new(codec: CodecKind, rate: u32) -> Ear {
        let decoder = Decoder::new(codec, rate);
        let (clock, rate) = (codec.info().clock, decoder.rate());
        // The longest packet on top of what is left of a frame, of the one that is looked ahead to, and of a
        // correction.
        let reservoir =
            (rate * (PACKET_MS_MAX + FRAME_MS) / 1_000) as usize + shrink_needs(rate) + grows_most(rate);
        Ear {
            jitter: JitterBuffer::new(codec),
            voice: Voice {
                codec,
                decoder,
                clock,
                rate,
                pcm: vec![0; reservoir].into(),
                len: 0,
                noise: Noise::default(),
                quiet_ms: OPUS_PAUSE_MS,
                last: Heard::Nothing,
            },
            stretch: Stretch::default(),
            heard: Heard::Nothing,
        }
    }

    /// Holds sound back by so many milliseconds at most, whatever comes too late then.
    pub fn within(mut self, most_ms: u32) -> Ear {
        self.jitter = self.jitter.within(most_ms);
        self
    }

    /// What it decodes.
    pub fn codec(&self) -> CodecKind {
        self.voice.codec
    }

    /// Samples a second that come out.
    pub fn rate(&self) -> u32 {
        self.voice.rate
    }

    /// Samples of a frame.
    pub fn frame_samples(&self) -> usize {
        (self.voice.rate * FRAME_MS / 1_000) as usize
    }

    /// Takes a packet that came at `now` (nanoseconds). Of comfort noise it has the payload type
    /// [`COMFORT_NOISE`], whatever was agreed on.
    pub fn put(&mut self, fields: Fields, payload: &[u8], now: u64) {
        let is_comfort = fields.payload_type == COMFORT_NOISE;
        let ticks = if is_comfort { 0 } else { duration(self.voice.codec, payload) };
        self.jitter.put(fields, ticks, payload, now);
    }

    /// A packet of the stream that is no sound, such as a telephone event: its number is not missed.
    pub fn pass(&mut self, fields: Fields, now: u64) {
        self.jitter.put(Fields { payload_type: 0, ..fields }, 0, &[], now);
    }

    /// Fills a frame with what is to be heard in the next 20 ms. Called once in that time; `frame` holds
    /// [`Ear::frame_samples`].
    pub fn take(&mut self, now: u64, frame: &mut [i16]) -> Heard {
        let count = frame.len().min(self.frame_samples());
        let voice = &mut self.voice;
        voice.last = Heard::Nothing;
        let is_pulling = voice.len < count;
        let wish = voice.to_samples(self.jitter.wish(now, voice.ahead()));
        let is_due = self.stretch.is_due(wish, voice.rate);
        while voice.len < count {
            self.jitter.pull(now, voice.ahead(), &mut |piece| voice.render(piece));
        }
        // Only what the peer sent can hide a correction.
        if is_due && voice.last == Heard::Sound {
            if wish > 0 && voice.len < count + shrink_needs(voice.rate) && self.jitter.is_ready() {
                self.jitter.pull(now, voice.ahead(), &mut |piece| voice.render(piece));
            }
            let unit = (voice.rate / voice.clock).max(1) as usize;
            // Never below what this frame needs.
            let wish = wish.min((voice.len - count) as i64);
            if wish != 0 {
                let len = self.stretch.apply(&mut voice.pcm, voice.len, wish, voice.rate, unit);
                let shrunk = voice.len as i64 - len as i64;
                self.jitter.on_adjusted(shrunk * i64::from(voice.clock) / i64::from(voice.rate));
                voice.len = len;
            }
        }
        if is_pulling {
            self.heard = voice.last;
        }
        frame[..count].copy_from_slice(&voice.pcm[..count]);
        frame[count..].fill(0);
        voice.pcm.copy_within(count..voice.len, 0);
        voice.len -= count;
        self.heard
    }

    /// A new offer was answered: the next packet may be of another stream on another path.
    pub fn reset(&mut self) {
        self.jitter.reset();
        self.voice.len = 0;
    }

    /// How it went so far.
    pub fn stats(&self) -> JitterStats {
        self.jitter.stats()
    }

    /// Bytes of memory it takes, without the decoder's own.
    pub fn bytes(&self) -> usize {
        size_of::<Ear>() - size_of::<JitterBuffer>() + self.jitter.bytes() + size_of_val(&*self.voice.pcm)
    }
}

impl Voice {
    /// Ticks that are decoded and not yet heard.
    fn ahead(&self) -> i64 {
        (self.len as u64 * u64::from(self.clock) / u64::from(self.rate)).cast_signed()
    }

    fn to_samples(&self, ticks: i64) -> i64 {
        ticks * i64::from(self.rate) / i64::from(self.clock)
    }

    fn render(&mut self, piece: Piece<'_>) {
        let (ticks, heard) = match piece {
            Piece::Payload(payload) => {
                self.quiet_ms = 0;
                let made = self.decoder.decode(payload, &mut self.pcm[self.len..]);
                self.len += made;
                if made > 0 {
                    self.last = Heard::Sound;
                    return;
                }
                // Broken: lost.
                (duration(self.codec, payload).max(self.clock / 100), Heard::Concealed)
            }
            Piece::Lost { ticks, .. } => (ticks, Heard::Concealed),
            Piece::Silence { ticks } => (ticks, Heard::Nothing),
            Piece::Comfort { ticks, .. } => (ticks, Heard::Comfort),
        };
        let count = self.to_samples(i64::from(ticks)).max(1) as usize;
        let end = (self.len + count).min(self.pcm.len());
        let room = &mut self.pcm[self.len..end];
        match piece {
            Piece::Payload(_) => self.decoder.conceal(None, room),
            Piece::Lost { next, .. } => self.decoder.conceal(next, room),
            Piece::Silence { .. } if self.codec == CodecKind::Opus && self.quiet_ms < OPUS_PAUSE_MS => {
                self.decoder.conceal(None, room);
            }
            Piece::Silence { .. } if self.quiet_ms == 0 => fade_out(&mut self.decoder, room),
            Piece::Silence { .. } => room.fill(0),
            Piece::Comfort { payload, .. } => self.noise.fill(payload, room),
        }
        self.quiet_ms = self.quiet_ms.saturating_add(FRAME_MS);
        self.len = end;
        self.last = self.last.max(heard);
    }
}

/// The end of a talk spurt: what went before dies away instead of breaking off.
fn fade_out(decoder: &mut Decoder, pcm: &mut [i16]) {
    decoder.conceal(None, pcm);
    let len = pcm.len() as i32;
    for (n, sample) in (0..).zip(pcm) {
        *sample = (i32::from(*sample) * (len - n) / len) as i16;
    }
}
