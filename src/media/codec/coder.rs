//! One direction of a codec with its state, whatever the codec.
//!
//! What goes in and comes out are 16-bit mono samples at the coder's own rate; a [`crate::resample::Resampler`]
//! stands beside it where that is not the rate wanted. Both are made outside the packet path, because making
//! one allocates; using one does not.
//!
//! There is no G.729: the one crate that offers it is a port of GPL code under another name, and nothing with
//! a clean licence is kept up. An office that needs it transcodes at its trunk.

use super::conceal::Concealer;
use super::opus::{OpusDecoder, OpusEncoder};
use super::{CodecKind, g722, l16, opus, pcma, pcmu};
use crate::negotiated::OpusParameters;

/// From packets to samples.
pub struct Decoder {
    codec: CodecKind,
    rate: u32,
    kind: DecoderKind,
}

/// From samples to packets.
pub struct Encoder {
    codec: CodecKind,
    rate: u32,
    kind: EncoderKind,
}

/// How much work an Opus encoder puts into a frame; the more, the better it sounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effort {
    /// Complexity 0: the machine is at its limit.
    Least,
    /// Complexity 3.
    Less,
    /// Complexity 5.
    #[default]
    Full,
}

enum DecoderKind {
    /// Codecs whose losses are filled from the samples before.
    Samples(SampleDecoder, Concealer),
    Opus(OpusDecoder),
}

enum SampleDecoder {
    Pcmu,
    Pcma,
    G722(Box<g722::Decoder>),
    G722Narrow(Box<g722::Decoder>),
    L16,
}

/// Samples a second of the telephone network.
const NARROW: u32 = 8_000;

enum EncoderKind {
    Pcmu,
    Pcma,
    G722(Box<g722::Encoder>),
    L16,
    Opus(OpusEncoder),
}

impl Decoder {
    /// `rate`: samples a second wanted of Opus: 8,000, 12,000, 16,000, 24,000 or 48,000, for libopus decodes to
    /// any of them (another becomes 48,000). G.722 gives its lower band alone if 8,000 are wanted, else 16,000. The
    /// other codecs have their own.
    ///
    /// Where libopus has no memory left, the decoder gives silence.
    pub fn new(codec: CodecKind, rate: u32) -> Decoder {
        let (rate, kind) = match codec {
            CodecKind::Opus => {
                let decoder = OpusDecoder::new(rate);
                (decoder.rate(), DecoderKind::Opus(decoder))
            }
            CodecKind::Pcmu => samples(codec, SampleDecoder::Pcmu),
            CodecKind::Pcma => samples(codec, SampleDecoder::Pcma),
            CodecKind::G722 if rate == NARROW => (
                NARROW,
                DecoderKind::Samples(SampleDecoder::G722Narrow(Box::default()), Concealer::new(NARROW)),
            ),
            CodecKind::G722 => samples(codec, SampleDecoder::G722(Box::default())),
            CodecKind::L16Narrow | CodecKind::L16Wide => samples(codec, SampleDecoder::L16),
        };
        Decoder { codec, rate, kind }
    }

    /// What it decodes.
    pub fn codec(&self) -> CodecKind {
        self.codec
    }

    /// Samples a second that come out.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Forgets what came before.
    pub fn reset(&mut self) {
        match &mut self.kind {
            DecoderKind::Opus(decoder) => decoder.reset(),
            DecoderKind::Samples(decoder, _) => decoder.reset(),
        }
    }

    /// Decodes a payload to `pcm` and says how many samples it gave: 0 for a broken one, never more than
    /// there is room for. Of a payload longer than that, sample codecs give the beginning and Opus nothing.
    pub fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> usize {
        match &mut self.kind {
            DecoderKind::Opus(decoder) => decoder.decode(payload, pcm),
            DecoderKind::Samples(decoder, concealer) => {
                let count = decoder.decode(payload, pcm);
                concealer.received(&mut pcm[..count]);
                count
            }
        }
    }

    /// Makes up all of `pcm`, which was lost. `next` is the packet after the gap if it is there already: Opus
    /// may carry in it what repairs the packet before (in-band FEC); it is still to be decoded afterwards.
    pub fn conceal(&mut self, next: Option<&[u8]>, pcm: &mut [i16]) {
        match &mut self.kind {
            DecoderKind::Opus(decoder) => decoder.conceal(next, pcm),
            DecoderKind::Samples(_, concealer) => concealer.conceal(pcm),
        }
    }
}

fn samples(codec: CodecKind, decoder: SampleDecoder) -> (u32, DecoderKind) {
    let rate = codec.info().rate;
    (rate, DecoderKind::Samples(decoder, Concealer::new(rate)))
}

impl SampleDecoder {
    fn reset(&mut self) {
        if let SampleDecoder::G722(decoder) | SampleDecoder::G722Narrow(decoder) = self {
            **decoder = g722::Decoder::default();
        }
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> usize {
        match self {
            SampleDecoder::Pcmu => each(payload, pcm, pcmu::decode),
            SampleDecoder::Pcma => each(payload, pcm, pcma::decode),
            SampleDecoder::G722(decoder) => decoder.decode(payload, pcm),
            SampleDecoder::G722Narrow(decoder) => decoder.decode_narrow(payload, pcm),
            SampleDecoder::L16 => l16::decode(payload, pcm),
        }
    }
}

impl Encoder {
    /// `rate`: samples a second that go into Opus: 8,000, 12,000, 16,000, 24,000 or 48,000 (another becomes
    /// 48,000). A source of 8,000 is encoded as narrowband and so on: give it the sound as it came rather than
    /// resampled upwards. Into G.722 go 8,000 or 16,000. The other codecs have their own rate. `opus` is what the
    /// peer asked of us.
    ///
    /// Where libopus has no memory left, the encoder sends nothing.
    pub fn new(codec: CodecKind, rate: u32, opus: OpusParameters) -> Encoder {
        let own = codec.info().rate;
        let (rate, kind) = match codec {
            CodecKind::Pcmu => (own, EncoderKind::Pcmu),
            CodecKind::Pcma => (own, EncoderKind::Pcma),
            CodecKind::G722 => (rate.clamp(NARROW, own), EncoderKind::G722(Box::default())),
            CodecKind::L16Narrow | CodecKind::L16Wide => (own, EncoderKind::L16),
            CodecKind::Opus => {
                let encoder = OpusEncoder::new(rate, opus);
                (encoder.rate(), EncoderKind::Opus(encoder))
            }
        };
        Encoder { codec, rate, kind }
    }

    /// What it encodes.
    pub fn codec(&self) -> CodecKind {
        self.codec
    }

    /// Samples a second that go in.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Encodes samples and says how many bytes of `payload` that took; 0 = nothing to send, as in silence
    /// with DTX.
    ///
    /// Opus takes whole packets of 10, 20, 30, 40, 50 or 60 ms and answers 0 to others (30 and 50 ms become
    /// frames of 10 ms in one packet). The others take any length, of G.722 an even number of samples; what
    /// finds no room in `payload` is left out. [`PAYLOAD_MAX`] is room enough.
    pub fn encode(&mut self, pcm: &[i16], payload: &mut [u8]) -> usize {
        match &mut self.kind {
            EncoderKind::Pcmu => each(pcm, payload, pcmu::encode),
            EncoderKind::Pcma => each(pcm, payload, pcma::encode),
            EncoderKind::G722(encoder) if self.rate == NARROW => encoder.encode_narrow(pcm, payload),
            EncoderKind::G722(encoder) => encoder.encode(pcm, payload),
            EncoderKind::L16 => l16::encode(pcm, payload),
            EncoderKind::Opus(encoder) => encoder.encode(pcm, payload),
        }
    }

    /// G.722 takes sound at 8,000 or 16,000 samples a second from the next frame on, without losing what it has
    /// learnt: its listener adapts to the stream, whatever it was made from. Of no effect on other codecs.
    pub fn turn_to(&mut self, rate: u32) {
        if matches!(self.kind, EncoderKind::G722(_)) && [NARROW, self.codec.info().rate].contains(&rate) {
            self.rate = rate;
        }
    }

    /// Takes up where another encoder's stream ends, of which these were the last bytes: G.722's listener has adapted
    /// to them. Of no effect on other codecs.
    pub fn follow(&mut self, sent: &[u8]) {
        if let EncoderKind::G722(encoder) = &mut self.kind {
            encoder.follow(sent);
        }
    }

    /// How hard to work from the next frame on; of interest to Opus only.
    pub fn set_effort(&mut self, effort: Effort) {
        if let EncoderKind::Opus(encoder) = &mut self.kind {
            encoder.set_complexity(match effort {
                Effort::Least => 0,
                Effort::Less => 3,
                Effort::Full => opus::COMPLEXITY,
            });
        }
    }

    /// Share of our packets that the peer reports lost, in percent: how much Opus spends on in-band FEC, if
    /// the peer asked for it.
    pub fn set_expected_loss(&mut self, percent: u8) {
        if let EncoderKind::Opus(encoder) = &mut self.kind {
            encoder.set_expected_loss(percent);
        }
    }
}

/// Whether a payload tells of the one before it as well, so that nothing is lost where that is missing.
pub(crate) fn repeats(codec: CodecKind, payload: &[u8]) -> bool {
    codec == CodecKind::Opus && opus::repeats(payload)
}

/// Ticks of the codec's RTP clock that a payload lasts; of Opus at most 5,760 (120 ms), by its TOC
/// (RFC 6716 §3.1). 0 for a broken one.
pub fn duration(codec: CodecKind, payload: &[u8]) -> u32 {
    let bytes = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    match codec {
        // The clock of G.722 ticks once for two samples, which one byte carries (RFC 3551 §4.5.2).
        CodecKind::Pcmu | CodecKind::Pcma | CodecKind::G722 => bytes,
        CodecKind::L16Narrow | CodecKind::L16Wide => bytes / 2,
        CodecKind::Opus => opus::duration(payload),
    }
}

/// Bytes of the longest payload an [`Encoder`] makes: 60 ms of L16 at 16 kHz.
pub const PAYLOAD_MAX: usize = 1_920;
/// Samples of the longest payload a [`Decoder`] takes: 120 ms of Opus at 48 kHz.
pub const PCM_MAX: usize = 5_760;

fn each<A: Copy, B>(from: &[A], to: &mut [B], convert: impl Fn(A) -> B) -> usize {
    for (a, b) in from.iter().zip(&mut *to) {
        *b = convert(*a);
    }
    from.len().min(to.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::speech;
    use crate::resample::Resampler;

    fn voice(rate: u32) -> Vec<i16> {
        let mut output = vec![0; rate as usize];
        Resampler::new(16_000, rate).process(&speech(), &mut output);
        output
    }

    /// Sound through a codec, some packets lost.
    fn pass(codec: CodecKind, ms: usize, is_lost: impl Fn(usize) -> bool) -> (Vec<i16>, Vec<i16>) {
        let mut encoder = Encoder::new(codec, 16_000, OpusParameters::default());
        let mut decoder = Decoder::new(codec, encoder.rate());
        assert_eq!(decoder.rate(), encoder.rate());
        let voice = voice(encoder.rate());
        let frame = encoder.rate() as usize * ms / 1_000;
        let mut heard = vec![i16::MAX; voice.len() / frame * frame];
        let mut payload = [0; PAYLOAD_MAX];
        for (n, (pcm, heard)) in voice.chunks(frame).zip(heard.chunks_mut(frame)).enumerate() {
            let bytes = encoder.encode(pcm, &mut payload);
            let clock = codec.info().clock as usize;
            assert_eq!(duration(codec, &payload[..bytes]) as usize, clock * ms / 1_000, "{codec:?}");
            if is_lost(n) {
                decoder.conceal(None, heard);
            } else {
                assert_eq!(decoder.decode(&payload[..bytes], heard), frame, "{codec:?}, {ms} ms");
            }
        }
        (voice, heard)
    }

    fn energy(samples: &[i16]) -> f64 {
        samples.iter().map(|s| f64::from(*s).powi(2)).sum()
    }

    #[test]
    fn every_codec_carries_speech_in_every_packet_length() {
        for codec in CodecKind::ALL {
            for ms in [10, 20, 30, 40, 50, 60] {
                let (voice, heard) = pass(codec, ms, |_| false);
                let change = energy(&heard) / energy(&voice[..heard.len()]);
                assert!((0.8..1.1).contains(&change), "{codec:?}, {ms} ms: {change:.2} times the power");
            }
        }
    }

    #[test]
    fn every_codec_fills_what_was_lost() {
        for codec in CodecKind::ALL {
            let (_, heard) = pass(codec, 20, |n| n % 10 == 9);
            assert!(heard.iter().filter(|sample| **sample == i16::MAX).count() < 10, "{codec:?}");
            let lost: Vec<i16> =
                heard.chunks(heard.len() / 50).skip(9).step_by(10).flatten().copied().collect();
            let share = energy(&lost) * 10.0 / energy(&heard);
            assert!(share > 0.2, "{codec:?}: {share:.2} of the usual power");
        }
    }

    #[test]
    fn buffers_too_small_are_filled_and_no_more() {
        for codec in CodecKind::ALL {
            let mut payload = [0; PAYLOAD_MAX];
            let mut encoder = Encoder::new(codec, 8_000, OpusParameters::default());
            assert!(encoder.encode(&[1_000; 320], &mut payload[..10]) <= 10, "{codec:?}");
            let bytes = encoder.encode(&[1_000; 320], &mut payload);
            let mut decoder = Decoder::new(codec, 8_000);
            for room in [0, 1, 7] {
                assert!(decoder.decode(&payload[..bytes], &mut [0; 7][..room]) <= room, "{codec:?}");
            }
            assert_eq!(decoder.decode(&[], &mut [0; 7]), 0, "{codec:?}");
            decoder.conceal(None, &mut []);
        }
    }

    #[test]
    fn less_effort_is_still_speech() {
        let voice = voice(16_000);
        for effort in [Effort::Least, Effort::Less, Effort::Full] {
            let mut encoder = Encoder::new(CodecKind::Opus, 16_000, OpusParameters::default());
            encoder.set_effort(effort);
            encoder.set_expected_loss(200);
            let sent: usize = voice.chunks(320).map(|pcm| encoder.encode(pcm, &mut [0; 1_000])).sum();
            assert!((2_000..4_000).contains(&sent), "{effort:?}: {sent} bytes");
        }
    }
}
