//! The codecs of the other dialect's streams (reference: media-streams §6): what an application says becomes µ-law,
//! what it is to hear is made of samples at 8 kHz. Both keep what such a codec remembers from one piece to the next.

use std::time::{Duration, Instant};

use media::codec::{Decoder, Encoder, PAYLOAD_MAX, PCM_MAX};
use media::negotiated::OpusParameters;
use media::resample::Resampler;
use media::{CodecKind, decode};
use twiml::{StreamCodec, TexmlStream};

/// Turns what an application says into µ-law at 8 kHz.
pub(super) struct Ear {
    stream: TexmlStream,
    /// Of codecs that remember.
    decoder: Option<Decoder>,
    /// Of L16, from its rate.
    down: Resampler,
    /// When the last file was taken.
    last_file: Option<Instant>,
}

/// Makes what an application hears.
pub(super) struct Mouth {
    codec: StreamCodec,
    encoder: Option<Encoder>,
}

/// What a stream's codec is called, and the samples a second its decoder gives.
pub(super) fn format(codec: StreamCodec) -> (&'static str, u32) {
    match codec {
        StreamCodec::Pcmu => ("PCMU", NARROW),
        StreamCodec::Pcma => ("PCMA", NARROW),
        StreamCodec::G722 => ("G722", 16_000),
        StreamCodec::Opus => ("OPUS", 48_000),
        StreamCodec::L16 => ("L16", NARROW),
    }
}

impl Ear {
    pub(super) fn new(stream: TexmlStream) -> Ear {
        let decoder = remembering(stream.says).filter(|_| !stream.mp3);
        let decoder = decoder.map(|codec| Decoder::new(codec, NARROW));
        let down = Resampler::new(stream.rate_hz, NARROW);
        Ear { stream, decoder, down, last_file: None }
    }

    /// Whether sound may come now: of files there is one a second.
    pub(super) fn is_in_time(&mut self) -> bool {
        let now = Instant::now();
        let soon = self.last_file.is_some_and(|last| now.duration_since(last) < FILE_EVERY);
        if self.stream.mp3 && !soon {
            self.last_file = Some(now);
        }
        !(self.stream.mp3 && soon)
    }

    /// As if a second had passed.
    #[cfg(test)]
    pub(super) fn forget_when(&mut self) {
        self.last_file = None;
    }

    /// An error says in words what is no sound.
    pub(super) fn hear(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
        if self.stream.mp3 {
            return mp3(bytes);
        }
        let ulaw = match self.stream.says {
            StreamCodec::Pcmu => bytes,
            StreamCodec::Pcma => encoded(bytes.into_iter().map(|byte| CodecKind::Pcma.decode(byte))),
            StreamCodec::L16 => {
                let (pairs, _) = bytes.as_chunks::<2>();
                let samples: Vec<i16> = pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
                let mut narrow = vec![0; samples.len()];
                let count = self.down.process(&samples, &mut narrow);
                encoded(narrow.into_iter().take(count))
            }
            // A packet is whole; of the other codec any piece will do.
            StreamCodec::Opus => self.decoded(&bytes, bytes.len())?,
            StreamCodec::G722 => self.decoded(&bytes, PAYLOAD_MAX)?,
        };
        let longest = SECONDS_MAX * NARROW as usize;
        if ulaw.len() > longest { Err(format!("more than {SECONDS_MAX} s in one message")) } else { Ok(ulaw) }
    }

    fn decoded(&mut self, bytes: &[u8], piece: usize) -> Result<Vec<u8>, String> {
        let Some(decoder) = &mut self.decoder else { return Ok(Vec::new()) };
        let mut pcm = [0; PCM_MAX];
        let mut ulaw = Vec::new();
        for piece in bytes.chunks(piece.max(1)) {
            match decoder.decode(piece, &mut pcm) {
                0 => return Err("it cannot be decoded".to_owned()),
                count => ulaw.extend(encoded(pcm[..count].iter().copied())),
            }
        }
        Ok(ulaw)
    }
}

impl Mouth {
    pub(super) fn new(codec: StreamCodec) -> Mouth {
        let encoder = remembering(codec).map(|kind| Encoder::new(kind, NARROW, OpusParameters::default()));
        Mouth { codec, encoder }
    }

    /// 20 ms of sound as they are sent.
    pub(super) fn say(&mut self, samples: &[i16]) -> Vec<u8> {
        match (&mut self.encoder, self.codec) {
            (Some(encoder), _) => {
                let mut payload = [0; PAYLOAD_MAX];
                let count = encoder.encode(samples, &mut payload);
                payload[..count].to_vec()
            }
            (None, StreamCodec::L16) => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
            (None, StreamCodec::Pcma) => {
                samples.iter().map(|sample| CodecKind::Pcma.encode(*sample)).collect()
            }
            (None, StreamCodec::Pcmu | StreamCodec::G722 | StreamCodec::Opus) => {
                encoded(samples.iter().copied())
            }
        }
    }
}

impl std::fmt::Debug for Mouth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Mouth").field(&self.codec).finish()
    }
}

fn remembering(codec: StreamCodec) -> Option<CodecKind> {
    match codec {
        StreamCodec::G722 => Some(CodecKind::G722),
        StreamCodec::Opus => Some(CodecKind::Opus),
        StreamCodec::Pcmu | StreamCodec::Pcma | StreamCodec::L16 => None,
    }
}

fn mp3(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if bytes.len() > MP3_BYTES_MAX {
        return Err(format!("a file may have {MP3_BYTES_MAX} bytes"));
    }
    let clip = decode::decode(bytes, Some("mp3")).map_err(|error| error.to_string())?;
    Ok(encoded(clip.pcm.iter().copied()))
}

fn encoded(samples: impl Iterator<Item = i16>) -> Vec<u8> {
    samples.map(|sample| CodecKind::Pcmu.encode(sample)).collect()
}

/// Samples a second of the telephone network.
const NARROW: u32 = 8_000;
/// Seconds of sound in one message.
const SECONDS_MAX: usize = 30;
/// One file may follow the other after so long; a little less, for they do not travel evenly.
const FILE_EVERY: Duration = Duration::from_millis(900);
/// Bytes of one MP3 file: a minute at the usual 128 kbit/s. They are decoded between two frames.
const MP3_BYTES_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const HZ: f64 = 500.0;

    fn tone(rate: u32, ms: u32) -> Vec<i16> {
        let step = std::f64::consts::TAU * HZ / f64::from(rate);
        (0..rate * ms / 1_000).map(|n| ((step * f64::from(n)).sin() * 12_000.0) as i16).collect()
    }

    /// How much of the sound is the tone, from 0 to 1.
    fn purity(samples: &[i16], rate: u32) -> f64 {
        let (mut re, mut im, mut all) = (0.0, 0.0, 1.0);
        for (n, sample) in samples.iter().enumerate() {
            let angle = std::f64::consts::TAU * HZ * n as f64 / f64::from(rate);
            re += f64::from(*sample) * angle.cos();
            im += f64::from(*sample) * angle.sin();
            all += f64::from(*sample).powi(2);
        }
        2.0 * (re * re + im * im) / (all * samples.len() as f64)
    }

    fn samples(ulaw: &[u8]) -> Vec<i16> {
        ulaw.iter().map(|byte| CodecKind::Pcmu.decode(*byte)).collect()
    }

    /// A second in pieces of 20 ms, as an application sends it.
    fn pieces(says: StreamCodec, rate_hz: u32) -> Vec<Vec<u8>> {
        let mut opus = Encoder::new(CodecKind::Opus, rate_hz, OpusParameters::default());
        let mut g722 = Encoder::new(CodecKind::G722, 16_000, OpusParameters::default());
        let sound = tone(rate_hz, 1_000);
        let mut payload = [0; PAYLOAD_MAX];
        let piece = |pcm: &[i16]| match says {
            StreamCodec::Pcmu => encoded(pcm.iter().copied()),
            StreamCodec::Pcma => pcm.iter().map(|sample| CodecKind::Pcma.encode(*sample)).collect(),
            StreamCodec::L16 => pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
            StreamCodec::G722 => {
                let count = g722.encode(pcm, &mut payload);
                payload[..count].to_vec()
            }
            StreamCodec::Opus => {
                let count = opus.encode(pcm, &mut payload);
                payload[..count].to_vec()
            }
        };
        sound.chunks(rate_hz as usize / 50).map(piece).collect()
    }

    #[test]
    fn each_codec_is_heard_as_it_was_said() {
        for (says, rate_hz) in [
            (StreamCodec::Pcmu, 8_000),
            (StreamCodec::Pcma, 8_000),
            (StreamCodec::G722, 16_000),
            (StreamCodec::Opus, 24_000),
            (StreamCodec::L16, 8_000),
            (StreamCodec::L16, 16_000),
            (StreamCodec::L16, 24_000),
        ] {
            let stream = TexmlStream { mp3: false, says, rate_hz, ..TexmlStream::default() };
            let mut ear = Ear::new(stream);
            let heard: Vec<u8> =
                pieces(says, rate_hz).into_iter().flat_map(|piece| ear.hear(piece).unwrap()).collect();
            assert_eq!(heard.len(), 8_000, "{says:?} {rate_hz}");
            let pure = purity(&samples(&heard)[800..], 8_000);
            assert!(pure > 0.98, "{says:?} at {rate_hz}: {pure}");
        }
    }

    #[test]
    fn what_an_application_hears_can_be_decoded() {
        for codec in
            [StreamCodec::Pcmu, StreamCodec::Pcma, StreamCodec::G722, StreamCodec::Opus, StreamCodec::L16]
        {
            let mut mouth = Mouth::new(codec);
            let mut ear = Ear::new(TexmlStream { mp3: false, says: codec, ..TexmlStream::default() });
            let heard: Vec<u8> = tone(8_000, 1_000)
                .chunks(160)
                .flat_map(|piece| ear.hear(mouth.say(piece)).unwrap())
                .collect();
            let pure = purity(&samples(&heard)[800..], 8_000);
            assert!(heard.len() == 8_000 && pure > 0.98, "{codec:?}: {} {pure}", heard.len());
        }
    }

    #[test]
    fn what_is_no_sound_is_refused() {
        let rtp = |says| TexmlStream { mp3: false, says, ..TexmlStream::default() };
        for (stream, bytes) in [
            (rtp(StreamCodec::Pcmu), vec![0xFF; SECONDS_MAX * 8_000 + 1]),
            (rtp(StreamCodec::Opus), vec![0xFF; 7]),
            (rtp(StreamCodec::Opus), vec![0x03; 3]),
            (TexmlStream::default(), vec![0xFF; 8]),
            (TexmlStream::default(), vec![0; MP3_BYTES_MAX + 1]),
        ] {
            assert!(Ear::new(stream).hear(bytes).is_err(), "{stream:?}");
        }
        assert_eq!(Ear::new(rtp(StreamCodec::G722)).hear(Vec::new()), Ok(Vec::new()));
    }

    #[test]
    fn a_file_is_heard_whole() {
        let file = include_bytes!("../../../tests/data/audio/mp3-24k.mp3").to_vec();
        let heard = Ear::new(TexmlStream::default()).hear(file).unwrap();
        assert!((2_300..3_200).contains(&heard.len()), "{}", heard.len());
        assert!(samples(&heard).iter().any(|sample| sample.abs() > 2_000));
    }
}
