//! G.711 A-law.
//!
//! The tables are computed by the compiler from the reference algorithm of ITU-T G.191 (`alaw_compress`,
//! `alaw_expand`); G.711 itself gives the same values as printed tables.

static DECODE: [i16; 256] = decode_table();
static ENCODE: [u8; 1 << 12] = encode_table();

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
        let shift = if exponent > 1 { exponent - 1 } else { 0 };
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
