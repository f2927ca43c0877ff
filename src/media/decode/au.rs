//! Sun's AU files: a header of big-endian words before the samples.
//!
//! ```text
//! 0  ".snd"      4  offset of the samples      8  their bytes, or all ones
//! 12 encoding    16 samples a second           20 channels
//! ```

use super::sink::Sink;
use super::{BARE_CHUNK, DecodeError};
use crate::codec::{pcma, pcmu};

pub(super) const MAGIC: &[u8] = b".snd";

/// Takes the encodings that telephony uses: both G.711 laws and 16 bits.
pub(super) fn decode(bytes: &[u8], sink: &mut Sink) -> Result<(), DecodeError> {
    let (Some(offset), Some(encoding), Some(rate), Some(channels)) =
        (word(bytes, 4), word(bytes, 12), word(bytes, 16), word(bytes, 20))
    else {
        return Err(DecodeError::Corrupt("AU header is cut off".to_owned()));
    };
    let samples = bytes.get(offset as usize..).unwrap_or_default();
    let (width, sample): (usize, fn(&[u8]) -> i16) = match encoding {
        1 => (1, |b| pcmu::decode(b[0])),
        3 => (2, |b| i16::from_be_bytes([b[0], b[1]])),
        27 => (1, |b| pcma::decode(b[0])),
        other => return Err(DecodeError::Unsupported(format!("AU encoding {other}"))),
    };
    if !(1..=CHANNELS_MAX).contains(&channels) {
        return Err(DecodeError::Corrupt(format!("AU file of {channels} channels")));
    }
    let frame = width * channels as usize;
    let mut floats = Vec::with_capacity(BARE_CHUNK * channels as usize);
    for chunk in samples.chunks(BARE_CHUNK * frame) {
        floats.clear();
        floats.extend(chunk.chunks_exact(width).map(|b| f32::from(sample(b)) / 32_768.0));
        sink.push(&floats, channels as usize, rate)?;
        if sink.is_full() {
            break;
        }
    }
    Ok(())
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

const CHANNELS_MAX: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn file(offset: u32, encoding: u32, rate: u32, channels: u32, samples: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for word in [offset, u32::MAX, encoding, rate, channels] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes.extend_from_slice(samples);
        bytes
    }

    fn pcm(bytes: &[u8]) -> Result<Vec<i16>, DecodeError> {
        let mut sink = Sink::new();
        decode(bytes, &mut sink).map(|()| sink.finish().0)
    }

    #[test]
    fn three_encodings() {
        assert_eq!(pcm(&file(24, 1, 8_000, 1, &[0x80, 0xFF])), Ok(vec![32_124, 0]));
        assert_eq!(pcm(&file(25, 27, 8_000, 1, &[9, 0xAA])), Ok(vec![32_256]));
        assert_eq!(pcm(&file(24, 3, 8_000, 2, &[1, 0, 3, 0, 0xFF, 0xFE, 0, 0, 7])), Ok(vec![512, -1]));
    }

    #[test]
    fn senseless_headers() {
        assert!(matches!(pcm(&file(24, 2, 8_000, 1, &[1, 2])), Err(DecodeError::Unsupported(_))));
        assert!(matches!(pcm(&file(24, 1, 0, 1, &[1, 2])), Err(DecodeError::Unsupported(_))));
        for channels in [0, 9, u32::MAX] {
            assert!(matches!(pcm(&file(24, 1, 8_000, channels, &[1, 2])), Err(DecodeError::Corrupt(_))));
        }
        assert!(matches!(pcm(b".snd\0\0\0\x18"), Err(DecodeError::Corrupt(_))));
        assert_eq!(pcm(&file(u32::MAX, 1, 8_000, 1, &[1, 2])), Ok(vec![]));
    }
}
