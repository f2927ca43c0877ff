//! Sound turned into a peer's packets: brought to the codec's rate, cut to the packet length it wants, coded.

use crate::codec::CodecKind;
use crate::codec::coder::{Effort, Encoder};
use crate::leg::listen::{NARROW_RATE, SOUND_SAMPLES_MAX, WIDE_RATE};
use crate::negotiated::Negotiated;
use crate::resample::Resampler;
use crate::rtp::PAYLOAD_BYTES_MAX;

/// Samples that wait for a packet to become full, and what may come on top: 60 and 120 ms at 16 kHz.
const WAITING_SAMPLES_MAX: usize = 960 + SOUND_SAMPLES_MAX;

/// The coding side of a leg.
pub struct Voice {
    codec: CodecKind,
    negotiated: Negotiated,
    /// For sound at 8 kHz and at 16 kHz; a codec with one rate has one of them, and so has G.722, whose one stream
    /// takes either. What a narrowband source says is coded as narrowband: it costs half, and there is nothing more
    /// to hear.
    narrow: Option<Box<Encoder>>,
    wide: Option<Box<Encoder>>,
    effort: Effort,
    resampler: Option<Box<Resampler>>,
    /// What the waiting samples came from, at which rate they came, and at which they wait.
    source: Source,
    from: u32,
    rate: u32,
    waiting: Box<[i16; WAITING_SAMPLES_MAX]>,
    len: usize,
    /// When the first waiting sample is to be heard, in ticks of the codec's clock.
    at: u64,
}

/// What sound comes from: sound of one source follows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Ours, at the pace of the clock.
    Clock,
    /// Another leg's, under the name it has there.
    Leg(u64),
}

/// A packet to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coded<'a> {
    /// When its sound begins, in ticks of the codec's clock.
    pub(crate) at: u64,
    /// How long it is.
    pub(crate) ticks: u32,
    /// Empty: there is nothing to say (discontinuous transmission).
    pub(crate) payload: &'a [u8],
}

impl std::fmt::Debug for Voice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Voice").field("codec", &self.codec).finish_non_exhaustive()
    }
}

impl Voice {
    /// For this agreement.
    pub(crate) fn new(negotiated: &Negotiated) -> Voice {
        Voice {
            codec: negotiated.codec,
            negotiated: *negotiated,
            narrow: None,
            wide: None,
            effort: Effort::Full,
            resampler: None,
            source: Source::Clock,
            from: 0,
            rate: 0,
            waiting: Box::new([0; WAITING_SAMPLES_MAX]),
            len: 0,
            at: 0,
        }
    }

    /// Whether it codes what this agreement wants.
    pub(crate) fn fits(&self, negotiated: &Negotiated) -> bool {
        let ours = &self.negotiated;
        (ours.codec, ours.opus, ours.ptime_ms, ours.max_ptime_ms)
            == (negotiated.codec, negotiated.opus, negotiated.ptime_ms, negotiated.max_ptime_ms)
    }

    /// The share of our packets that the peer misses, in percent.
    pub(crate) fn set_expected_loss(&mut self, percent: u8) {
        for encoder in [&mut self.narrow, &mut self.wide].into_iter().flatten() {
            encoder.set_expected_loss(percent);
        }
    }

    /// How hard its encoders work from now on.
    pub(crate) fn set_effort(&mut self, effort: Effort) {
        if self.effort == effort {
            return;
        }
        self.effort = effort;
        for encoder in [&mut self.narrow, &mut self.wide].into_iter().flatten() {
            encoder.set_effort(effort);
        }
    }

    /// The peer has heard this from somebody else's encoder of G.722; of no effect on other codecs.
    pub(crate) fn follow(&mut self, sent: &[u8]) {
        if self.codec != CodecKind::G722 || sent.is_empty() {
            return;
        }
        let encoder = match &mut self.narrow {
            Some(narrow) => narrow,
            None => self.wide.get_or_insert_with(|| {
                Box::new(Encoder::new(CodecKind::G722, WIDE_RATE, self.negotiated.opus))
            }),
        };
        encoder.follow(sent);
    }

    /// Milliseconds of sound in each packet.
    pub(crate) fn packet_ms(negotiated: &Negotiated) -> u32 {
        let most = match negotiated.codec {
            CodecKind::L16Wide => 30,
            _ => 60,
        };
        let wanted = u32::from(negotiated.ptime_ms.min(negotiated.max_ptime_ms)) / 10 * 10;
        wanted.clamp(10, most)
    }

    /// Takes sound at 8 or 16 kHz that begins at the time `at`, in ticks of the codec's clock, and gives out what
    /// is full. Sound that does not follow the last sends what waits first.
    pub(crate) fn speak(
        &mut self,
        source: Source,
        at: u64,
        pcm: &[i16],
        rate: u32,
        out: &mut impl FnMut(Coded<'_>),
    ) {
        let expected = self.at + u64::from(self.ticks(self.len));
        // Rounding between clocks is no gap.
        let follows = self.source == source && self.from == rate && expected.abs_diff(at) <= self.slack();
        if !follows {
            self.flush(out);
            self.turn_to(source, rate);
            self.at = at;
        }
        let room = &mut self.waiting[self.len..];
        self.len += match &mut self.resampler {
            Some(resampler) => resampler.process(pcm, room),
            None => {
                let count = pcm.len().min(room.len());
                room[..count].copy_from_slice(&pcm[..count]);
                count
            }
        };
        self.give(out);
    }

    /// Sends what waits, filled up with silence.
    pub(crate) fn flush(&mut self, out: &mut impl FnMut(Coded<'_>)) {
        if self.len == 0 {
            return;
        }
        let packet = self.packet_samples();
        self.waiting[self.len..packet.max(self.len)].fill(0);
        self.len = self.len.max(packet);
        self.give(out);
        self.len = 0;
    }

    fn give(&mut self, out: &mut impl FnMut(Coded<'_>)) {
        let packet = self.packet_samples();
        let mut begin = 0;
        let mut payload = [0; PAYLOAD_BYTES_MAX];
        while packet > 0 && self.len - begin >= packet {
            let ticks = self.ticks(packet);
            let at = self.at;
            let encoder = if self.rate == NARROW_RATE { &mut self.narrow } else { &mut self.wide };
            let encoder = encoder.as_mut().expect("an encoder was made when its rate was chosen");
            let len = encoder.encode(&self.waiting[begin..begin + packet], &mut payload);
            out(Coded { at, ticks, payload: &payload[..len] });
            begin += packet;
            self.at += u64::from(ticks);
        }
        self.waiting.copy_within(begin..self.len, 0);
        self.len -= begin;
    }

    /// Another source, or another rate of it.
    fn turn_to(&mut self, source: Source, from: u32) {
        self.source = source;
        let rate = match self.codec {
            CodecKind::Opus | CodecKind::G722 if from == NARROW_RATE => NARROW_RATE,
            CodecKind::Opus | CodecKind::G722 => WIDE_RATE,
            codec => codec.info().rate,
        };
        if (self.from, self.rate) == (from, rate) {
            return;
        }
        (self.from, self.rate) = (from, rate);
        self.resampler = (from != rate).then(|| Box::new(Resampler::new(from, rate)));
        let (encoder, other) = if rate == NARROW_RATE {
            (&mut self.narrow, &mut self.wide)
        } else {
            (&mut self.wide, &mut self.narrow)
        };
        if self.codec == CodecKind::G722
            && let Some(mut turned) = other.take()
        {
            turned.turn_to(rate);
            *encoder = Some(turned);
        } else if encoder.is_none() {
            let mut new = Encoder::new(self.codec, rate, self.negotiated.opus);
            new.set_effort(self.effort);
            *encoder = Some(Box::new(new));
        }
    }

    fn packet_samples(&self) -> usize {
        (Voice::packet_ms(&self.negotiated) * self.rate / 1_000) as usize
    }

    fn ticks(&self, samples: usize) -> u32 {
        (samples as u64 * u64::from(self.codec.info().clock) / u64::from(self.rate.max(1))) as u32
    }

    /// Two milliseconds.
    fn slack(&self) -> u64 {
        u64::from(self.codec.info().clock / 500)
    }
}
