//! L16: linear samples of 16 bits in network byte order (RFC 3551 §4.5.11).

/// Says how many samples it gave; an odd byte at the end is left out.
pub(super) fn decode(payload: &[u8], pcm: &mut [i16]) -> usize {
    let (pairs, _) = payload.as_chunks::<2>();
    for (pair, sample) in pairs.iter().zip(&mut *pcm) {
        *sample = i16::from_be_bytes(*pair);
    }
    pairs.len().min(pcm.len())
}

/// Says how many bytes it gave.
pub(super) fn encode(pcm: &[i16], payload: &mut [u8]) -> usize {
    let (pairs, _) = payload.as_chunks_mut::<2>();
    for (sample, pair) in pcm.iter().zip(&mut *pairs) {
        *pair = sample.to_be_bytes();
    }
    2 * pcm.len().min(pairs.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_byte_goes_first() {
        let mut payload = [0; 5];
        assert_eq!(encode(&[0x0102, -2, 3], &mut payload), 4);
        assert_eq!(payload, [0x01, 0x02, 0xFF, 0xFE, 0]);
        let mut pcm = [0; 3];
        assert_eq!(decode(&payload, &mut pcm), 2);
        assert_eq!(pcm, [0x0102, -2, 0]);
        assert_eq!(decode(&payload, &mut pcm[..1]), 1);
    }
}
