//! What a crash or a power cut left: recordings whose header promises less or more than is there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use media::{Clip, wav};

/// What is in a recording's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// Milliseconds.
    pub duration_ms: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Whether it had to be changed.
    pub changed: bool,
}

/// Makes a recording that nobody writes any more true to itself, and says what it holds. A WAV file's lengths
/// are taken from its size; an Ogg file loses a page that is not whole.
pub fn repair(path: &Path) -> io::Result<Repaired> {
    let file = File::options().read(true).write(true).open(path)?;
    let bytes = file.metadata()?.len();
    let mut begin = [0; wav::HEADER_BYTES];
    let had = file.read_at(&mut begin, 0)?;
    if begin.starts_with(b"RIFF") && had == begin.len() {
        return repair_wav(&file, &begin, bytes);
    }
    if begin.starts_with(b"OggS") {
        return repair_ogg(&file, bytes);
    }
    if let [0xFF, 0xE2 | 0xE3, third, ..] = begin {
        // MPEG 2.5, layer III. A frame that is not whole is left out by players; all have the same bit rate.
        const KBIT: [u64; 9] = [0, 8, 16, 24, 32, 40, 48, 56, 64];
        let kbit = KBIT.get(usize::from(third >> 4)).copied().unwrap_or(0);
        return Ok(Repaired {
            duration_ms: (bytes * 8).checked_div(kbit).unwrap_or(0),
            bytes,
            changed: false,
        });
    }
    Ok(Repaired { duration_ms: 0, bytes, changed: false })
}

/// Repairs every recording in a folder; how many had to be changed. Nobody may be writing any.
pub fn repair_all(folder: &Path) -> io::Result<usize> {
    let mut changed = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.extension().is_some_and(|extension| extension == "wav" || extension == "ogg") {
            continue;
        }
        match repair(&path) {
            Ok(repaired) => changed += usize::from(repaired.changed),
            Err(error) => tracing::warn!(path = %path.display(), %error, "a recording was not checked"),
        }
    }
    Ok(changed)
}

fn repair_wav(file: &File, header: &[u8; wav::HEADER_BYTES], bytes: u64) -> io::Result<Repaired> {
    let channels = u16::from_le_bytes([header[22], header[23]]);
    let data = wav::repair(bytes, channels).min(wav::DATA_BYTES_MAX);
    let duration_ms = data / (2 * u64::from(channels.max(1))) * 1_000 / u64::from(Clip::RATE);
    let whole = wav::HEADER_BYTES as u64 + data;
    // Ours have the data at 36; any other is somebody else's and stays as it is.
    let is_ours = header[36..40] == *b"data" && matches!(channels, 1 | 2);
    let told = wav::patch(data);
    let is_true = told.iter().all(|(at, field)| header[*at as usize..][..4] == *field) && whole == bytes;
    if is_true || !is_ours {
        return Ok(Repaired { duration_ms, bytes, changed: false });
    }
    file.set_len(whole)?;
    for (at, field) in told {
        file.write_all_at(&field, at)?;
    }
    file.sync_all()?;
    Ok(Repaired { duration_ms, bytes: whole, changed: true })
}

fn repair_ogg(file: &File, bytes: u64) -> io::Result<Repaired> {
    let (mut at, mut granule, mut pre_skip) = (0, 0, 0);
    let mut header = [0; 27 + 255];
    // RFC 3533 §6: 27 bytes, of which the last counts the lacing values that follow.
    while at < bytes {
        let had = file.read_at(&mut header, at)?;
        if had < 27 || header[..4] != *b"OggS" || had < 27 + usize::from(header[26]) {
            break;
        }
        let lacing = &header[27..27 + usize::from(header[26])];
        let body: u64 = lacing.iter().map(|&n| u64::from(n)).sum();
        let end = at + 27 + lacing.len() as u64 + body;
        if end > bytes {
            break;
        }
        if at == 0 {
            let mut skip = [0; 2];
            file.read_exact_at(&mut skip, 27 + lacing.len() as u64 + 10)?;
            pre_skip = u64::from(u16::from_le_bytes(skip));
        }
        granule = u64::from_le_bytes(header[6..14].try_into().expect("eight bytes"));
        at = end;
    }
    if at < bytes {
        file.set_len(at)?;
        file.sync_all()?;
    }
    Ok(Repaired { duration_ms: granule.saturating_sub(pre_skip) / 48, bytes: at, changed: at < bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(channels: u16, told: u64, samples: usize, odd: usize) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.wav");
        let mut bytes = wav::header(channels, 8_000, told).to_vec();
        wav::append(&vec![5; samples], &mut bytes);
        bytes.resize(bytes.len() + odd, 9);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    #[test]
    fn a_header_that_is_behind_or_ahead_is_made_true() {
        for (channels, told, odd) in [(1, 0, 0), (1, 640, 1), (2, 0, 3), (2, 9_999_999, 0), (1, 64_000, 1)] {
            let (folder, path) = file(channels, told, 32_000, odd);
            let repaired = repair(&path).unwrap();
            let duration_ms = 4_000 / u64::from(channels);
            assert_eq!(repaired, Repaired { duration_ms, bytes: 44 + 64_000, changed: true });
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(bytes[..44], wav::header(channels, 8_000, 64_000));
            assert_eq!(media::decode::decode(bytes, Some("wav")).unwrap().duration_ms(), duration_ms);
            assert_eq!(repair_all(folder.path()).unwrap(), 0, "once is enough");
        }
    }

    #[test]
    fn what_is_true_or_not_ours_is_left_alone() {
        let (_folder, path) = file(1, 640, 320, 0);
        assert_eq!(repair(&path).unwrap(), Repaired { duration_ms: 40, bytes: 684, changed: false });
        for bytes in [&b""[..], b"RIFF", b"some text that is longer than a header of a WAV file, really"] {
            std::fs::write(&path, bytes).unwrap();
            assert!(!repair(&path).unwrap().changed);
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
        assert!(repair(Path::new("/nowhere/x.wav")).is_err());
    }
}
