//! From one codec's bytes to another's without samples in between.
//!
//! The tables equal decoding and encoding again, so that a relayed call sounds the same as a mixed one and
//! the nearest level is always taken. G.711 prints tables (3 and 4) that differ by one step in some levels,
//! where two are about as near.

use super::{CodecKind, pcma, pcmu};

static PCMU_TO_PCMA: [u8; 256] = pcmu_to_pcma_table();
static PCMA_TO_PCMU: [u8; 256] = pcma_to_pcmu_table();

/// Rewrites a payload in place where that takes no samples: from a law of G.711 to the other, or not at all
/// from a codec to itself. Its length stays. False: this pair has no such way.
#[inline]
pub fn transcode(from: CodecKind, to: CodecKind, payload: &mut [u8]) -> bool {
    let table = match (from, to) {
        _ if from == to => return true,
        (CodecKind::Pcmu, CodecKind::Pcma) => &PCMU_TO_PCMA,
        (CodecKind::Pcma, CodecKind::Pcmu) => &PCMA_TO_PCMU,
        _ => return false,
    };
    for byte in payload {
        *byte = table[usize::from(*byte)];
    }
    true
}

const fn pcmu_to_pcma_table() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let sample = pcmu::DECODE[byte].cast_unsigned();
        table[byte] = pcma::ENCODE[(sample >> 4) as usize];
        byte += 1;
    }
    table
}

const fn pcma_to_pcmu_table() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let sample = pcma::DECODE[byte].cast_unsigned();
        table[byte] = pcmu::ENCODE[(sample >> 2) as usize];
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use CodecKind::{Pcma, Pcmu};

    #[test]
    fn equals_decoding_and_encoding() {
        for from in [Pcmu, Pcma] {
            for to in [Pcmu, Pcma] {
                let mut bytes: Vec<u8> = (0..=255).collect();
                assert!(transcode(from, to, &mut bytes));
                let want: Vec<u8> = (0..=255).map(|byte| to.encode(from.decode(byte))).collect();
                let want = if from == to { (0..=255).collect() } else { want };
                assert_eq!(bytes, want, "{from:?} to {to:?}");
            }
        }
        assert!(!transcode(Pcmu, CodecKind::G722, &mut [0; 160]));
    }

    #[test]
    fn silence_stays_silent_and_equal_codecs_stay_untouched() {
        let mut bytes = [Pcmu.silence()];
        transcode(Pcmu, Pcma, &mut bytes);
        assert_eq!(bytes, [Pcma.silence()]);
        transcode(Pcma, Pcma, &mut bytes);
        assert_eq!(bytes, [0xD5]);
    }

    /// A call may cross laws many times on its way; only the first crossing may cost quality.
    #[test]
    fn crossing_again_changes_nothing_more() {
        for (from, to) in [(Pcmu, Pcma), (Pcma, Pcmu)] {
            let mut once: Vec<u8> = (0..=255).collect();
            transcode(from, to, &mut once);
            let mut again = once.clone();
            transcode(to, from, &mut again);
            transcode(from, to, &mut again);
            assert_eq!(once, again, "{from:?}");
        }
    }
}
