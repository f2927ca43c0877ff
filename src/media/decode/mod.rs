//! Sound files to clips: whatever a web server sends, made mono at 8 kHz.
//!
//! Taken are WAV (8, 16, 24 and 32 bits, float, both G.711 laws), AIFF, FLAC, MP3, Ogg Vorbis, AAC (bare and
//! in MP4), Sun's AU, and bare G.711 where the type says so. The content decides, not its name. A file that
//! is cut off or damaged gives what could be decoded; one that gives nothing is refused. Runs for a while
//! (some milliseconds per minute of sound), so never on a media thread.

mod au;
mod resample;
mod sink;

use std::io::{Cursor, Read};

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions, ReadOnlySource};
use symphonia::core::meta::MetadataOptions;

use crate::clip::{Clip, Grower};
use crate::codec::CodecKind;
use sink::Sink;

/// Longest clip in milliseconds; what a file has beyond is cut off.
pub const DURATION_MS_MAX: u64 = 40 * 60 * 1_000;
/// Most samples read from a file, all channels together; what it has beyond is cut off.
pub const SAMPLES_MAX: u64 = DURATION_MS_MAX / 1_000 * 48_000 * 2;
/// How often the streams of one file may begin anew, as those of chained Ogg files do.
pub const RESETS_MAX: usize = 1_000;

/// Why a file gives no clip.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No format or codec we know.
    #[error("not a sound we can decode: {0}")]
    Unsupported(String),
    /// The format is known, but not one sample could be decoded.
    #[error("the sound is damaged: {0}")]
    Corrupt(String),
    /// A proper file without any sound.
    #[error("the sound is empty")]
    Empty,
}

/// Decodes a whole file. `hint` is its MIME type (with or without parameters) or its name's extension.
pub fn decode(bytes: Vec<u8>, hint: Option<&str>) -> Result<Clip, DecodeError> {
    let hint = hint.map(normalise).unwrap_or_default();
    let mut sink = Sink::new();
    let outcome = if bytes.starts_with(au::MAGIC) {
        au::decode(&bytes, &mut sink)
    } else if let Some(codec) = bare_codec(&hint).filter(|_| !has_container(&bytes)) {
        decode_bare(&bytes, codec, &mut sink)
    } else {
        decode_probed(Box::new(Cursor::new(bytes)), &hint, &mut sink)
    };
    let (pcm, wide) = sink.finish();
    match outcome {
        Ok(()) if pcm.is_empty() => Err(DecodeError::Empty),
        Err(why) if pcm.is_empty() => Err(why),
        Ok(()) | Err(_) => {
            let clip = Clip::from_pcm(&pcm);
            Ok(match wide {
                Some(wide) => clip.with_wide(wide),
                None => clip,
            })
        }
    }
}

/// Decodes a sound that is still coming: `grower` grows with it and is complete when this returns. Blocks where
/// `source` does; what its errors cut off is heard up to there, as in [`decode`]. Says how many milliseconds
/// there were.
///
/// Only sounds in a container can be heard before they are whole ([`is_streamable`]).
pub fn decode_growing(
    source: impl Read + Send + Sync + 'static,
    hint: Option<&str>,
    grower: Grower,
) -> Result<u64, DecodeError> {
    let hint = hint.map(normalise).unwrap_or_default();
    let mut sink = Sink::growing(grower);
    let outcome = decode_probed(Box::new(ReadOnlySource::new(source)), &hint, &mut sink);
    // Nothing is lost by a resampler that gives its rest only when it is finished.
    let made = sink.made();
    sink.finish();
    match outcome {
        Ok(()) if made == 0 => Err(DecodeError::Empty),
        Err(why) if made == 0 => Err(why),
        Ok(()) | Err(_) => Ok(made as u64 / 8),
    }
}

/// Whether [`decode_growing`] can take a sound that begins with these bytes: it is in a container that is read
/// from its front. `hint` as for [`decode`].
pub fn is_streamable(begin: &[u8], hint: Option<&str>) -> bool {
    // AIFF and MP4 are read as a whole before they give a sample.
    let is_mpeg = matches!(begin, [0xFF, second, ..] if second & 0xE0 == 0xE0);
    let hint = hint.map(normalise).unwrap_or_default();
    let has_front = [&b"RIFF"[..], b"OggS", b"fLaC", b"ID3"].iter().any(|magic| begin.starts_with(magic));
    has_front || (is_mpeg && bare_codec(&hint).is_none())
}

/// `Audio/MPEG; q=1` → `audio/mpeg`; `.WAV` → `wav`.
fn normalise(hint: &str) -> String {
    let name = hint.split(';').next().unwrap_or(hint).trim();
    name.trim_start_matches('.').to_ascii_lowercase()
}

/// The codec of what is nothing but samples at 8 kHz (RFC 2046 §4.3 for `audio/basic`).
fn bare_codec(hint: &str) -> Option<CodecKind> {
    match hint {
        "audio/basic" | "audio/ulaw" | "audio/x-ulaw" | "audio/mulaw" | "audio/x-mulaw" | "audio/pcmu" => {
            Some(CodecKind::Pcmu)
        }
        "ulaw" | "ul" | "mulaw" | "pcmu" => Some(CodecKind::Pcmu),
        "audio/alaw" | "audio/x-alaw" | "audio/x-alaw-basic" | "audio/pcma" => Some(CodecKind::Pcma),
        "alaw" | "al" | "pcma" => Some(CodecKind::Pcma),
        _ => None,
    }
}

/// Web servers call a WAV file of µ-law samples `audio/basic`, too.
fn has_container(bytes: &[u8]) -> bool {
    [&b"RIFF"[..], b"FORM", b"OggS", b"fLaC", b"ID3"].iter().any(|magic| bytes.starts_with(magic))
}

fn decode_bare(bytes: &[u8], codec: CodecKind, sink: &mut Sink) -> Result<(), DecodeError> {
    let mut samples = Vec::with_capacity(BARE_CHUNK);
    for chunk in bytes.chunks(BARE_CHUNK) {
        samples.clear();
        samples.extend(chunk.iter().map(|byte| f32::from(codec.decode(*byte)) / 32_768.0));
        sink.push(&samples, 1, Clip::RATE)?;
        if sink.is_full() {
            break;
        }
    }
    Ok(())
}

fn decode_probed(source: Box<dyn MediaSource>, hint: &str, sink: &mut Sink) -> Result<(), DecodeError> {
    let mut probe_hint = Hint::new();
    if hint.contains('/') {
        probe_hint.mime_type(hint);
    } else if !hint.is_empty() {
        probe_hint.with_extension(hint);
    }
    let source = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
    let mut format = symphonia::default::get_probe()
        .probe(&probe_hint, source, FormatOptions::default(), MetadataOptions::default())
        .map_err(explain)?;
    let (mut track, mut decoder) = open_track(format.as_ref())?;
    let mut samples = Vec::new();
    let mut resets = 0;
    while !sink.is_full() {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(Error::ResetRequired) if resets < RESETS_MAX => {
                resets += 1;
                (track, decoder) = open_track(format.as_ref())?;
                continue;
            }
            Err(error) => return Err(explain(error)),
        };
        if packet.track_id != track {
            continue;
        }
        match decoder.decode(&packet) {
            Ok(buffer) => {
                let (channels, rate) = (buffer.spec().channels().count(), buffer.spec().rate());
                buffer.copy_to_vec_interleaved::<f32>(&mut samples);
                sink.push(&samples, channels, rate)?;
            }
            // A damaged packet is left out; the next may be good.
            Err(Error::DecodeError(_) | Error::IoError(_)) => {}
            Err(Error::ResetRequired) => decoder.reset(),
            Err(error) => return Err(explain(error)),
        }
    }
    Ok(())
}

fn open_track(format: &dyn FormatReader) -> Result<(u32, Box<dyn AudioDecoder>), DecodeError> {
    let track = format.default_track(TrackType::Audio);
    let track = track.ok_or_else(|| DecodeError::Unsupported("it has no audio track".to_owned()))?;
    let Some(CodecParameters::Audio(parameters)) = &track.codec_params else {
        return Err(DecodeError::Corrupt("its codec is not described".to_owned()));
    };
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(explain)?;
    Ok((track.id, decoder))
}

fn explain(error: Error) -> DecodeError {
    match error {
        Error::Unsupported(_) => DecodeError::Unsupported(error.to_string()),
        _ => DecodeError::Corrupt(error.to_string()),
    }
}

const BARE_CHUNK: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{goertzel_power, level_dbov};

    macro_rules! files {
        ($($name:literal),* $(,)?) => {
            [$(($name, include_bytes!(concat!("../../../tests/data/audio/", $name)).as_slice())),*]
        };
    }

    /// 0.3 s of 440 Hz, half of full scale, in every form.
    const FILES: [(&str, &[u8]); 17] = files![
        "pcm8-8k.wav",
        "pcm16-11k.wav",
        "pcm24-8k.wav",
        "pcm32-8k.wav",
        "float-8k.wav",
        "ulaw-8k.wav",
        "alaw-8k.wav",
        "stereo-8k.wav",
        "pcm16-16k.aiff",
        "ulaw-8k.au",
        "flac-48k.flac",
        "mp3-44k.mp3",
        "mp3-24k.mp3",
        "vorbis-44k.ogg",
        "aac-22k.m4a",
        "aac-44k.aac",
        "raw-8k.ulaw",
    ];

    fn extension(name: &str) -> &str {
        name.rsplit('.').next().unwrap()
    }

    #[test]
    fn every_format_gives_the_tone_it_holds() {
        for (name, bytes) in FILES {
            let clip = decode(bytes.to_vec(), Some(extension(name))).unwrap();
            // AAC has no word for the silence its encoder puts before the sound.
            let longest = if name.starts_with("aac") { 420 } else { 302 };
            assert!((298..=longest).contains(&clip.duration_ms()), "{name}: {} ms", clip.duration_ms());
            let middle = &clip.pcm[1_200..2_200];
            assert!(goertzel_power(middle, 8_000, 440.0) > 0.98, "{name}");
            // Half of full scale is −6 dB, a sine another −3; half of the stereo file is silent.
            let want = if name.starts_with("stereo") { -15.05 } else { -9.03 };
            let level = level_dbov(middle);
            assert!((level - want).abs() < 0.5, "{name}: {level:.2} dB");
        }
    }

    #[test]
    fn a_source_that_has_more_is_kept_at_16_khz_too() {
        for (name, bytes) in FILES {
            let clip = decode(bytes.to_vec(), Some(extension(name))).unwrap();
            let is_wide = !name.contains("-8k");
            assert_eq!(clip.wide.is_some(), is_wide, "{name}");
            if let Some(wide) = clip.wide {
                assert_eq!(wide.len(), 2 * clip.pcm.len(), "{name}");
                assert!(goertzel_power(&wide[2_400..4_400], 16_000, 440.0) > 0.98, "{name}");
            }
        }
    }

    #[test]
    fn what_comes_slowly_is_the_same_sound() {
        /// A few bytes at a time.
        struct Drops(Cursor<Vec<u8>>);
        impl Read for Drops {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let count = buffer.len().min(700);
                self.0.read(&mut buffer[..count])
            }
        }
        let mut streamed = 0;
        for (name, bytes) in FILES {
            if !is_streamable(bytes, Some(extension(name))) {
                continue;
            }
            streamed += 1;
            let grower = Grower::default();
            let clip = grower.clip();
            decode_growing(Drops(Cursor::new(bytes.to_vec())), Some(extension(name)), grower).unwrap();
            assert_eq!(
                clip.whole().unwrap(),
                decode(bytes.to_vec(), Some(extension(name))).unwrap(),
                "{name}"
            );
        }
        assert!(streamed >= 11, "{streamed}");
        let grower = Grower::default();
        let clip = grower.clip();
        assert!(decode_growing(Cursor::new(b"<html>".to_vec()), None, grower).is_err());
        assert!(clip.is_empty(), "nobody waits for what will never come");
    }

    #[test]
    fn samples_at_8_khz_stay_as_they_are() {
        let file = FILES.iter().find(|(name, _)| *name == "ulaw-8k.wav").unwrap().1;
        let clip = decode(file.to_vec(), Some("audio/x-wav")).unwrap();
        assert_eq!(*clip.ulaw, file[file.len() - 2_400..]);
        let bare = FILES.iter().find(|(name, _)| *name == "raw-8k.ulaw").unwrap().1;
        assert_eq!(*decode(bare.to_vec(), Some("Audio/Basic;rate=8000")).unwrap().ulaw, *bare);
    }

    #[test]
    fn the_content_decides_not_its_name() {
        for (name, bytes) in FILES.iter().filter(|(name, _)| !name.starts_with("raw")) {
            for hint in [None, Some("audio/mpeg"), Some("wav"), Some("text/html; charset=utf-8"), Some("")] {
                assert!(decode(bytes.to_vec(), hint).is_ok(), "{name} called {hint:?}");
            }
        }
        let wav = FILES[0].1.to_vec();
        assert_eq!(decode(wav.clone(), Some("audio/basic")), decode(wav, None));
    }

    #[test]
    fn what_is_no_sound_is_refused() {
        let refused = |bytes: &[u8], hint| decode(bytes.to_vec(), hint).unwrap_err();
        assert_eq!(refused(b"", Some("audio/basic")), DecodeError::Empty);
        for hint in [None, Some("audio/wav"), Some("audio/gsm")] {
            refused(b"", hint);
            refused(b"<html><body>404 Not Found</body></html>", hint);
            refused(&[0; 5_000], hint);
        }
        // More channels than there can be: their bytes overflow a 16-bit number.
        let mut channels = crate::wav::header(1, 8_000, 4);
        channels[22..24].copy_from_slice(&[0xFF, 0xFF]);
        refused(&channels, Some("wav"));
        // A WAV header without samples.
        assert_eq!(refused(&crate::wav::header(1, 8_000, 0), None), DecodeError::Empty);
    }

    #[test]
    fn a_file_cut_off_gives_what_is_there() {
        for (name, bytes) in FILES {
            // Most of a short Vorbis file are its tables.
            let percent = if name.ends_with("ogg") { 90 } else { 60 };
            let half = decode(bytes[..bytes.len() * percent / 100].to_vec(), Some(extension(name)));
            // MP4 has its index at the end, and symphonia reads AIFF as a whole before it gives a sample.
            if name.ends_with("m4a") || name.ends_with("aiff") {
                half.unwrap_err();
                continue;
            }
            let ms = half.unwrap_or_else(|error| panic!("{name}: {error}")).duration_ms();
            assert!((80..=250).contains(&ms), "{name}: {ms} ms");
        }
    }

    #[test]
    fn the_sounds_that_ship_with_the_box_are_heard() {
        let cases: [(&[u8], u64); 3] = [
            (include_bytes!("../../../audio/hold.ogg"), 20_000),
            (include_bytes!("../../../audio/application-error.flac"), 4_876),
            (include_bytes!("../../../audio/beep.flac"), 400),
        ];
        for (bytes, ms) in cases {
            let clip = decode(bytes.to_vec(), None).unwrap();
            assert!(clip.duration_ms().abs_diff(ms) <= 200, "{} ms instead of {ms}", clip.duration_ms());
            let level = level_dbov(&clip.pcm);
            assert!((-28.0..-16.0).contains(&level), "{level:.1} dB");
        }
        // Exact, as it is played in a loop without a seam.
        let hold = decode(cases[0].0.to_vec(), Some("ogg")).unwrap();
        assert_eq!(hold.duration_ms(), 20_000);
        assert!((hold.pcm[0] - hold.pcm[hold.pcm.len() - 1]).abs() < 1_500, "a click at the seam");
    }

    #[test]
    fn damaged_files_never_panic() {
        let mut rng = base::Rng::seeded(7);
        let (mut good, mut bad) = (0, 0);
        for (name, bytes) in FILES {
            for round in 0..20 {
                let mut bytes = bytes.to_vec();
                // Every other round aims at the headers, where the numbers are that sizes are made of.
                let reach = if round % 2 == 0 { bytes.len().min(128) } else { bytes.len() } as u64;
                for _ in 0..=rng.below(8) {
                    let at = rng.below(reach) as usize;
                    bytes[at] =
                        *[0x00, 0xFF, 0x7F, 0x80, rng.below(256) as u8].get(rng.below(5) as usize).unwrap();
                }
                if rng.below(3) == 0 {
                    bytes.truncate(rng.below(bytes.len() as u64) as usize);
                }
                match decode(bytes, Some(extension(name))) {
                    Ok(clip) => {
                        good += 1;
                        assert!(clip.duration_ms() <= DURATION_MS_MAX);
                    }
                    Err(_) => bad += 1,
                }
            }
        }
        assert!(good > 50 && bad > 50, "{good} good and {bad} bad: damage them otherwise");
    }
}
