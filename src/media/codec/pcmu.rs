//! G.711 µ-law.
//!
//! The tables are computed by the compiler from the reference algorithm of ITU-T G.191 (`ulaw_compress`,
//! `ulaw_expand`); G.711 itself gives the same values as printed tables.

pub(super) static DECODE: [i16; 256] = decode_table();
pub(super) static ENCODE: [u8; 1 << 14] = encode_table();

/// One byte to a linear sample of 16 bits; G.711 codes 14 of them, the low two are zero.
#[inline]
pub fn decode(byte: u8) -> i16 {
    DECODE[usize::from(byte)]
}

/// One linear sample to a byte.
#[inline]
pub fn encode(sample: i16) -> u8 {
    // The low two bits do not take part in the decision, so the table needs 14 bits of index.
    ENCODE[usize::from(sample.cast_unsigned() >> 2)]
}

const fn decode_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let code = !byte & 0x7F;
        let exponent = code >> 4;
        let mantissa = code & 0x0F;
        let step = 8 << exponent;
        let magnitude = ((0x80 << exponent) + step * mantissa + step / 2 - 4 * BIAS) as i16;
        table[byte] = if byte < 0x80 { -magnitude } else { magnitude };
        byte += 1;
    }
    table
}

const fn encode_table() -> [u8; 1 << 14] {
    let mut table = [0; 1 << 14];
    let mut index = 0;
    while index < table.len() {
        let negative = index >= 1 << 13;
        let magnitude = if negative { (1 << 14) - 1 - index } else { index };
        let biased = if magnitude + BIAS > 0x1FFF { 0x1FFF } else { magnitude + BIAS };
        let segment = (usize::BITS - (biased >> 6).leading_zeros()) as usize + 1;
        let code = ((8 - segment) << 4) | (0x0F - ((biased >> segment) & 0x0F));
        table[index] = if negative { code as u8 } else { 0x80 | code as u8 };
        index += 1;
    }
    table
}

/// Added to the 14-bit magnitude so that every segment begins at a power of two.
const BIAS: usize = 33;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::crc32;

    #[test]
    fn encodes_every_sample_as_the_itu_does() {
        // Of the bytes that `ulaw_compress` of ITU-T G.191 gives for -32768, -32767, … 32767.
        assert_eq!(crc32((i16::MIN..=i16::MAX).map(encode)), 0x6399_D432);
    }

    #[test]
    fn decodes_known_values() {
        let cases = [(0xFF, 0), (0x7F, 0), (0x80, 32124), (0x00, -32124), (0xFE, 8), (0x7E, -8), (0xEF, 132)];
        for (byte, sample) in cases {
            assert_eq!(decode(byte), sample, "{byte:#04x}");
        }
    }

    #[test]
    fn decoding_and_encoding_again_changes_nothing() {
        for byte in 0..=255 {
            // There are two zeros; the negative one becomes the positive.
            let want = if byte == 0x7F { 0xFF } else { byte };
            assert_eq!(encode(decode(byte)), want, "{byte:#04x}");
        }
    }
}
