//! Another form of a finished recording: both sides in one channel, or MP3 where there is an encoder.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use media::{Clip, RecordFormat, wav};

use super::disk;
use super::format;

/// Frames read at a time: two seconds.
const CHUNK_FRAMES: usize = 16_000;

/// Why there is no other form of a recording.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// This build encodes nothing of the sort.
    #[error("this build has no MP3 encoder")]
    NoEncoder,
    /// It cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is no recording of the box.
    #[error("the recording cannot be decoded: {0}")]
    Damaged(String),
}

/// Whether [`convert`] can make this.
pub fn can_convert_to(format: RecordFormat) -> bool {
    match format {
        RecordFormat::Wav | RecordFormat::OggOpus => true,
        RecordFormat::Mp3 => cfg!(feature = "mp3"),
    }
}

/// Makes of the recording `from` a file `to` of this form and so many channels, one or two. Of two channels one is made
/// by their mean, of one two alike; what is compressed is decoded in one channel. `to` appears whole or not at all. Takes
/// as long as it takes: to be called where that holds up nobody.
pub fn convert(from: &Path, to: &Path, format: RecordFormat, channels: u8) -> Result<(), ConvertError> {
    static TRIES: AtomicU64 = AtomicU64::new(0);
    if !can_convert_to(format) {
        return Err(ConvertError::NoEncoder);
    }
    // Two who ask at once do the work twice, each in a file of its own; the names are equal only when it is whole.
    let unfinished = to.with_extension(format!("{}.part", TRIES.fetch_add(1, Ordering::Relaxed)));
    let made =
        write(from, &unfinished, format, channels).and_then(|()| Ok(std::fs::rename(&unfinished, to)?));
    if made.is_err() {
        // What is not there need not go.
        let _ = std::fs::remove_file(&unfinished);
    }
    made
}

fn write(from: &Path, to: &Path, format: RecordFormat, channels: u8) -> Result<(), ConvertError> {
    let disk = disk::create(to, 0).map_err(io::Error::other)?;
    let mut out = format::begin(format, channels, &*disk)?;
    let mut frames = 0;
    let mut put = |samples: &[i16], their: u8| -> io::Result<()> {
        let samples = in_channels(samples, their, channels);
        out.put(frames, &samples, &*disk)?;
        frames += (samples.len() / usize::from(channels.max(1))) as u64;
        Ok(())
    };
    let mut file = File::open(from)?;
    match read_header(&mut file)? {
        Some((their, mut left)) => {
            let mut bytes = vec![0; CHUNK_FRAMES * 2 * usize::from(their)];
            while left > 0 {
                let want = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                file.read_exact(&mut bytes[..want])?;
                let samples: Vec<i16> = bytes[..want]
                    .chunks_exact(2)
                    .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
                    .collect();
                put(&samples, their)?;
                left -= want as u64;
            }
        }
        None => {
            let ending = from.extension().map(|ending| ending.to_string_lossy().into_owned());
            let clip = media::decode::decode(std::fs::read(from)?, ending.as_deref())
                .map_err(|error| ConvertError::Damaged(error.to_string()))?;
            for samples in clip.pcm.chunks(CHUNK_FRAMES) {
                put(samples, 1)?;
            }
        }
    }
    out.finish(frames, &*disk)?;
    Ok(())
}

/// The channels and the bytes of sound of a WAV file as the box writes them; `None`: it is something else.
fn read_header(file: &mut File) -> io::Result<Option<(u8, u64)>> {
    let mut header = [0; wav::HEADER_BYTES];
    match file.read_exact(&mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let rate = [header[24], header[25], header[26], header[27]];
    let is_ours = header.starts_with(b"RIFF")
        && header[36..40] == *b"data"
        && matches!(header[22], 1 | 2)
        && u32::from_le_bytes(rate) == Clip::RATE;
    if !is_ours {
        return Ok(None);
    }
    let channels = header[22];
    Ok(Some((channels, wav::repair(file.metadata()?.len(), u16::from(channels)))))
}

fn in_channels(samples: &[i16], from: u8, to: u8) -> Vec<i16> {
    match (from, to) {
        (2, 1) => samples
            .chunks_exact(2)
            .map(|pair| i16::try_from((i32::from(pair[0]) + i32::from(pair[1])) / 2).unwrap_or_default())
            .collect(),
        (1, 2) => samples.iter().flat_map(|&sample| [sample, sample]).collect(),
        _ => samples.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of a tone on the left, another on the right.
    fn dual(folder: &Path) -> std::path::PathBuf {
        let tone =
            |hz: f64, at: u64| ((at as f64 * hz * std::f64::consts::TAU / 8_000.0).sin() * 8_000.0) as i16;
        let samples: Vec<i16> = (0..8_000).flat_map(|at| [tone(440.0, at), tone(1_000.0, at)]).collect();
        let mut bytes = wav::header(2, 8_000, 32_000).to_vec();
        wav::append(&samples, &mut bytes);
        let path = folder.join("RE.wav");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn both_sides_are_heard_in_one_channel() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (dual(folder.path()), folder.path().join("RE.mono.wav"));
        convert(&from, &to, RecordFormat::Wav, 1).unwrap();
        let bytes = std::fs::read(&to).unwrap();
        assert_eq!((bytes.len(), bytes[22]), (44 + 16_000, 1));
        let samples: Vec<i16> =
            bytes[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        for hz in [440.0, 1_000.0] {
            let power = media::tone::goertzel_power(&samples, 8_000, hz);
            assert!((0.4..0.6).contains(&power), "{hz}: {power}");
        }
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 2, "nothing unfinished is left");
    }

    #[test]
    fn what_is_no_recording_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("RE.ogg"), folder.path().join("RE.mono.wav"));
        std::fs::write(&from, b"no sound at all, but long enough for a header of a file").unwrap();
        assert!(matches!(convert(&from, &to, RecordFormat::Wav, 1), Err(ConvertError::Damaged(_))));
        assert!(matches!(
            convert(&folder.path().join("none.wav"), &to, RecordFormat::Wav, 1),
            Err(ConvertError::Io(_))
        ));
        assert!(!to.exists());
    }

    #[cfg(not(feature = "mp3"))]
    #[test]
    fn without_an_encoder_there_is_no_mp3() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (dual(folder.path()), folder.path().join("RE.mp3"));
        assert!(matches!(convert(&from, &to, RecordFormat::Mp3, 2), Err(ConvertError::NoEncoder)));
    }

    #[cfg(feature = "mp3")]
    #[test]
    fn an_mp3_has_the_same_sound() {
        let folder = tempfile::tempdir().unwrap();
        for (channels, bytes) in [(1, 4_000..7_000), (2, 8_000..14_000)] {
            let (from, to) = (dual(folder.path()), folder.path().join(format!("RE.{channels}.mp3")));
            convert(&from, &to, RecordFormat::Mp3, channels).unwrap();
            let file = std::fs::read(&to).unwrap();
            assert!(bytes.contains(&file.len()), "{}", file.len());
            let clip = media::decode::decode(file, Some("mp3")).unwrap();
            let heard = &clip.pcm[2_000..8_000];
            for hz in [440.0, 1_000.0] {
                let power = media::tone::goertzel_power(heard, 8_000, hz);
                assert!((0.35..0.65).contains(&power), "{channels} {hz}: {power}");
            }
        }
    }
}
