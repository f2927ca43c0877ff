//! G.711 A-law.
//!
//! The tables are computed by the compiler from the reference algorithm of ITU-T G.191 (`alaw_compress`,
//! `alaw_expand`); G.711 itself gives the same values as printed tables.

pub(super) static DECODE: [i16; 256] = decode_table();
pub(super) static ENCODE: [u8; 1 << 12] = encode_table();

/// One byte to a linear sample of 16 bits; G.711 codes 13 of them, the low three are zero.
#[inline]
pub fn decode(byte: u8) -> i16 {
    DECODE[usize::from(byte)]
}

/// One linear sample to a byte.
#[inline]
pub fn encode(sample: i16) -> u8 {
    // The low four bits do not take part in the decision, so the table needs 12 bits of index.
    ENCODE[usize::from(sample.cast_unsigned() >> 4)]
}

const fn decode_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let code = (byte ^ EVEN_BITS) & 0x7F;
        let exponent = code >> 4;
        let leading = if exponent > 0 { 16 } else { 0 };
        let shift = exponent.saturating_sub(1);
        let magnitude = ((((leading + (code & 0x0F)) << 4) + 8) << shift) as i16;
        table[byte] = if byte < 0x80 { -magnitude } else { magnitude };
        byte += 1;
    }
    table
}

const fn encode_table() -> [u8; 1 << 12] {
    let mut table = [0; 1 << 12];
    let mut index = 0;
    while index < table.len() {
        let negative = index >= 1 << 11;
        let magnitude: usize = if negative { (1 << 12) - 1 - index } else { index };
        let code = if magnitude < 16 {
            magnitude
        } else {
            let exponent = (usize::BITS - (magnitude >> 5).leading_zeros()) as usize + 1;
            (exponent << 4) | ((magnitude >> (exponent - 1)) & 0x0F)
        };
        let sign = if negative { 0 } else { 0x80 };
        table[index] = ((sign | code) ^ EVEN_BITS) as u8;
        index += 1;
    }
    table
}

/// G.711 inverts every other bit so that silence is not a run of zeros on the line.
const EVEN_BITS: usize = 0x55;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::crc32;

    #[test]
    fn encodes_every_sample_as_the_itu_does() {
        // Of the bytes that `alaw_compress` of ITU-T G.191 gives for -32768, -32767, … 32767.
        assert_eq!(crc32((i16::MIN..=i16::MAX).map(encode)), 0x9133_796E);
    }

    #[test]
    fn decodes_known_values() {
        let cases =
            [(0xD5, 8), (0x55, -8), (0xAA, 32256), (0x2A, -32256), (0xD4, 24), (0x54, -24), (0xC5, 264)];
        for (byte, sample) in cases {
            assert_eq!(decode(byte), sample, "{byte:#04x}");
        }
    }

    #[test]
    fn decoding_and_encoding_again_changes_nothing() {
        for byte in 0..=255 {
            assert_eq!(encode(decode(byte)), byte, "{byte:#04x}");
        }
    }
}
