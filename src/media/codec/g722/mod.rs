//! G.722 at 64 kbit/s (ITU-T G.722, mode 1): two bands of 8 kHz, each with adaptive prediction, six bits a
//! sample below 4 kHz and two above.
//!
//! Written from the Recommendation's block diagrams; its names stand in the comments. Every result is exact to
//! the bit, for both sides of a call must adapt alike.
//!
//! Sound at 8 kHz is the lower band as it is: between a wideband and a narrowband phone nothing is filtered, and the
//! upper band is neither listened to nor spoken in.

mod band;
mod qmf;

use band::{HighBand, LowBand};
use qmf::{Analysis, BLOCK, Synthesis};

/// To bytes, from 16 kHz two samples each, from 8 kHz one.
#[derive(Default)]
pub(super) struct Encoder {
    split: Analysis,
    low: LowBand,
    high: HighBand,
    /// How often the upper band was silent since it last was coded; it has not followed that yet.
    silent: u32,
}

/// From bytes to 16 kHz.
#[derive(Default)]
pub(super) struct Decoder {
    join: Synthesis,
    low: LowBand,
    high: HighBand,
}

impl Encoder {
    /// From 8 kHz. Says how many bytes it gave.
    pub(super) fn encode_narrow(&mut self, pcm: &[i16], payload: &mut [u8]) -> usize {
        let count = pcm.len().min(payload.len());
        for (byte, sample) in payload.iter_mut().zip(pcm) {
            *byte = (SILENT << 6) | self.low.encode(sample >> 1);
        }
        self.silent = self.silent.saturating_add(count as u32).min(SETTLED);
        count
    }

    /// Takes up where the stream of somebody else ends, of which these were the last bytes: the far decoder has
    /// adapted to that one, and would hear the first sound of a fresh encoder many times too loud.
    pub(super) fn follow(&mut self, sent: &[u8]) {
        self.silent = 0;
        for byte in sent {
            self.low.decode(byte & 0x3F);
            self.high.decode(byte >> 6);
        }
    }

    /// From 16 kHz. Says how many bytes it gave; an odd sample at the end is left out.
    pub(super) fn encode(&mut self, pcm: &[i16], payload: &mut [u8]) -> usize {
        for _ in 0..std::mem::take(&mut self.silent) {
            self.high.decode(SILENT);
        }
        let (pairs, _) = pcm.as_chunks::<2>();
        let count = pairs.len().min(payload.len());
        for (pairs, bytes) in pairs[..count].chunks(BLOCK).zip(payload.chunks_mut(BLOCK)) {
            let (low, high) = self.split.block(pairs);
            for ((byte, low), high) in bytes.iter_mut().zip(low).zip(high) {
                *byte = (self.high.encode(high) << 6) | self.low.encode(low);
            }
        }
        count
    }
}

impl Decoder {
    /// To 8 kHz. Says how many samples it gave, one for a byte.
    pub(super) fn decode_narrow(&mut self, payload: &[u8], pcm: &mut [i16]) -> usize {
        for (sample, byte) in pcm.iter_mut().zip(payload) {
            // A sample of a band has 15 bits.
            *sample = self.low.decode(byte & 0x3F) << 1;
        }
        payload.len().min(pcm.len())
    }

    /// To 16 kHz. Says how many samples it gave, two for a byte.
    pub(super) fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> usize {
        let (pairs, _) = pcm.as_chunks_mut::<2>();
        let count = pairs.len().min(payload.len());
        for (bytes, pairs) in payload[..count].chunks(BLOCK).zip(pairs[..count].chunks_mut(BLOCK)) {
            let (mut low, mut high) = ([0; BLOCK], [0; BLOCK]);
            for ((byte, low), high) in bytes.iter().zip(&mut low).zip(&mut high) {
                (*low, *high) = (self.low.decode(byte & 0x3F), self.high.decode(byte >> 6));
            }
            self.join.block(&low, &high, pairs);
        }
        2 * count
    }
}

/// The upper band's smallest step upwards, which from some tenths of a second on is none at all.
const SILENT: u8 = 3;

/// After so many silent samples the upper band changes no more.
const SETTLED: u32 = 8_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::{crc32, speech};

    fn encode(pcm: &[i16], piece: usize) -> Vec<u8> {
        let mut encoder = Encoder::default();
        let mut payload = vec![0; pcm.len() / 2];
        let mut at = 0;
        for part in pcm.chunks(piece) {
            at += encoder.encode(part, &mut payload[at..]);
        }
        assert_eq!(at, payload.len());
        payload
    }

    fn decode(payload: &[u8], piece: usize) -> Vec<i16> {
        let mut decoder = Decoder::default();
        let mut pcm = vec![0; payload.len() * 2];
        let mut at = 0;
        for part in payload.chunks(piece) {
            at += decoder.decode(part, &mut pcm[at..]);
        }
        assert_eq!(at, pcm.len());
        pcm
    }

    fn checksum(pcm: &[i16]) -> u32 {
        crc32(pcm.iter().flat_map(|sample| sample.to_le_bytes()))
    }

    /// The figures are of what both ffmpeg 5.1 (`-c:a g722`) and spandsp 0.0.6 make of the same second.
    #[test]
    fn speech_is_coded_as_by_ffmpeg_and_spandsp() {
        let payload = encode(&speech(), 320);
        assert_eq!(crc32(payload.iter().copied()), 0x5528_CDC3);
        assert_eq!(checksum(&decode(&payload, 160)), 0x688E_275A);
    }

    /// Noise at full scale and square waves, which drive every sum into its limit; the figures are ffmpeg's.
    #[test]
    fn noise_at_full_scale_is_coded_as_by_ffmpeg() {
        let payload = encode(&noise(), 320);
        assert_eq!(crc32(payload.iter().copied()), NOISE_CODED);
        assert_eq!(checksum(&decode(&payload, 160)), NOISE_DECODED);
        // Codes that no encoder sends one after the other.
        let codes: Vec<u8> = noise().iter().map(|sample| (sample >> 3) as u8).collect();
        assert_eq!(checksum(&decode(&codes, 160)), CODES_DECODED);
    }

    #[test]
    fn pieces_do_not_matter() {
        let speech = speech();
        let whole = encode(&speech, speech.len());
        assert_eq!(encode(&speech, 160), whole);
        assert_eq!(decode(&whole, 80), decode(&whole, whole.len()));
    }

    #[test]
    fn what_has_no_room_is_left_out() {
        assert_eq!(Encoder::default().encode(&[0; 321], &mut [0; 200]), 160);
        assert_eq!(Encoder::default().encode(&[0; 320], &mut [0; 10]), 10);
        assert_eq!(Decoder::default().decode(&[0; 160], &mut [0; 101]), 100);
    }

    /// Between the two sound is the same but for the filter's delay of 11 samples at 16 kHz.
    #[test]
    fn the_lower_band_is_sound_at_8_khz() {
        let tone = |rate: f64| {
            move |n: usize| ((n as f64 * 1_000.0 / rate * std::f64::consts::TAU).sin() * 8e3) as i16
        };
        let mut narrow = [0; 800];
        Decoder::default()
            .decode_narrow(&encode(&(0..1_600).map(tone(16e3)).collect::<Vec<i16>>(), 320), &mut narrow);
        assert!((7_700..8_300).contains(narrow[400..].iter().max().unwrap()));
        let mut payload = [0; 800];
        Encoder::default().encode_narrow(&(0..800).map(tone(8e3)).collect::<Vec<i16>>(), &mut payload);
        let wide = decode(&payload, 160);
        assert!((7_700..8_300).contains(wide[800..].iter().max().unwrap()));
    }

    /// The other side follows what it hears; whoever speaks in one band only must follow that too.
    #[test]
    fn speech_after_a_narrowband_while_is_coded_as_its_listener_expects() {
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        let (speech, mut payload, mut pcm) = (speech(), [0; 160], [0; 320]);
        for (n, frame) in speech.chunks_exact(320).cycle().take(400).enumerate() {
            if n / 100 % 2 == 0 {
                encoder.encode(frame, &mut payload);
            } else {
                encoder.encode_narrow(&frame[..160], &mut payload);
            }
            decoder.decode(&payload, &mut pcm);
            if n / 100 % 2 == 0 {
                assert_eq!(encoder.high, decoder.high, "frame {n}");
            }
            assert_eq!(encoder.low, decoder.low, "frame {n}");
        }
    }

    fn noise() -> Vec<i16> {
        let mut state = 1_u32;
        let random = (0..16_000).map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let sample = (state >> 16) as u16 as i16;
            if n % 4_000 < 1_000 { if sample < 0 { i16::MIN } else { i16::MAX } } else { sample }
        });
        random
            .chain((0..8_000).map(|n| if n / (1 + n / 200) % 2 == 0 { i16::MAX } else { i16::MIN }))
            .collect()
    }

    const NOISE_CODED: u32 = 0x04A3_27F1;
    const NOISE_DECODED: u32 = 0x62FC_9002;
    const CODES_DECODED: u32 = 0xAA12_2CF1;
}
