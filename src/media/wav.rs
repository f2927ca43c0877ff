//! WAV headers for recordings, as pure functions: the shell writes and patches, this says which bytes.
//!
//! ```text
//!  0 "RIFF"  4 size − 8   8 "WAVE"
//! 12 "fmt "  16 16        20 1 (PCM)  22 channels  24 rate  28 bytes a second  32 bytes a frame  34 16
//! 36 "data"  40 bytes of samples      44 samples, little-endian, left before right
//! ```
//!
//! A recording is readable at any moment. It begins with the header of an empty file, which promises nothing
//! that is not there; after each batch of samples [`patch`] says which eight bytes bring it up to date. A
//! power cut between both loses no more than that batch: [`repair`] finds even that again.

/// Bytes before the first sample.
pub const HEADER_BYTES: usize = 44;

/// Most bytes of samples a file can have: the size at offset 4 is an unsigned 32-bit number. At 8 kHz mono
/// that is more than three days.
pub const DATA_BYTES_MAX: u64 = (u32::MAX as u64 - HEADER_BYTES as u64) & !3;

/// The header of a file with `data_bytes` bytes of 16-bit samples; beyond [`DATA_BYTES_MAX`] it says that
/// many. `channels` is 1 or 2, `rate` in Hz.
pub fn header(channels: u16, rate: u32, data_bytes: u64) -> [u8; HEADER_BYTES] {
    let frame = channels * 2;
    let [(_, riff), (_, data)] = patch(data_bytes);
    let mut bytes = [0; HEADER_BYTES];
    let fields: [&[u8]; 13] = [
        b"RIFF",
        &riff,
        b"WAVE",
        b"fmt ",
        &16u32.to_le_bytes(),
        &1u16.to_le_bytes(),
        &channels.to_le_bytes(),
        &rate.to_le_bytes(),
        &(rate * u32::from(frame)).to_le_bytes(),
        &frame.to_le_bytes(),
        &16u16.to_le_bytes(),
        b"data",
        &data,
    ];
    let mut at = 0;
    for field in fields {
        bytes[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    }
    bytes
}

/// What to write where, so that a file whose samples have grown to `data_bytes` says so. To be written after
/// the samples, in this order: a reader that finds only the first done still reads the old length.
pub fn patch(data_bytes: u64) -> [(u64, [u8; 4]); 2] {
    let data = data_bytes.min(DATA_BYTES_MAX) as u32;
    [(4, (data + HEADER_BYTES as u32 - 8).to_le_bytes()), (40, data.to_le_bytes())]
}

/// How many bytes of whole frames a file of `file_bytes` bytes holds, for patching what a power cut left
/// with an old length.
pub fn repair(file_bytes: u64, channels: u16) -> u64 {
    let data = file_bytes.saturating_sub(HEADER_BYTES as u64);
    data - data % (u64::from(channels.max(1)) * 2)
}

/// Appends samples as the file has them.
pub fn append(samples: &[i16], bytes: &mut Vec<u8>) {
    let begin = bytes.len();
    bytes.resize(begin + 2 * samples.len(), 0);
    for (pair, sample) in bytes[begin..].as_chunks_mut().0.iter_mut().zip(samples) {
        *pair = sample.to_le_bytes();
    }
}

/// Appends two channels as the file has them; the shorter one is filled up with silence.
pub fn append_stereo(left: &[i16], right: &[i16], bytes: &mut Vec<u8>) {
    for n in 0..left.len().max(right.len()) {
        for channel in [left, right] {
            bytes.extend_from_slice(&channel.get(n).copied().unwrap_or(0).to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{DecodeError, decode};

    fn read(file: &[u8]) -> Result<Vec<i16>, DecodeError> {
        decode(file.to_vec(), Some("wav")).map(|clip| clip.pcm.to_vec())
    }

    fn write(file: &mut [u8], data_bytes: u64) {
        for (at, bytes) in patch(data_bytes) {
            file[at as usize..at as usize + 4].copy_from_slice(&bytes);
        }
    }

    #[test]
    fn the_header_is_as_others_write_it() {
        // As `sox -D -n -r 8000 -b 16 -c 1 x.wav trim 0 400s` writes it.
        let want = b"RIFF\x44\x03\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1F\0\0\x80\x3E\0\0\x02\0\x10\0data\x20\x03\0\0";
        assert_eq!(header(1, 8_000, 800), *want);
    }

    #[test]
    fn a_recording_is_readable_at_any_moment() {
        let mut file = header(1, 8_000, 0).to_vec();
        assert_eq!(read(&file), Err(DecodeError::Empty));
        let mut written = Vec::new();
        for batch in 1..20i16 {
            let samples: Vec<i16> = (0..160).map(|n| batch * 1_000 + n).collect();
            append(&samples, &mut file);
            // Cut off here: the last batch is there but not announced.
            assert_eq!(read(&file).unwrap_or_default(), written);
            written.extend(samples);
            let data = repair(file.len() as u64, 1);
            write(&mut file, data);
            assert_eq!(read(&file).unwrap(), written);
        }
    }

    #[test]
    fn half_a_patch_reads_as_before() {
        let mut file = header(1, 8_000, 320).to_vec();
        append(&[5; 320], &mut file);
        let [(at, bytes), _] = patch(640);
        file[at as usize..at as usize + 4].copy_from_slice(&bytes);
        assert_eq!(read(&file).unwrap(), [5; 160]);
    }

    #[test]
    fn two_channels_take_turns() {
        let mut bytes = Vec::new();
        append_stereo(&[1, 2, 3], &[-1], &mut bytes);
        assert_eq!(bytes, [1, 0, 0xFF, 0xFF, 2, 0, 0, 0, 3, 0, 0, 0]);
        let mut file = header(2, 8_000, bytes.len() as u64).to_vec();
        file.extend(bytes);
        assert_eq!(read(&file).unwrap(), [0, 1, 2]);
    }

    #[test]
    fn broken_frames_and_giant_files() {
        assert_eq!(repair(44 + 7, 2), 4);
        assert_eq!(repair(44 + 7, 1), 6);
        assert_eq!(repair(3, 1), 0);
        assert_eq!(header(2, 48_000, u64::MAX)[4..8], (u32::MAX - 11).to_le_bytes());
        assert_eq!(DATA_BYTES_MAX % 4, 0);
    }
}
