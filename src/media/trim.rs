//! Finds the silence before and after what is said.

/// What remains of `pcm` without the silence at its ends, as a range of samples at 8 kHz. Some 100 ms are
/// left on both sides, as consonants begin softly. What is silent all through keeps nothing.
pub fn trim(pcm: &[i16]) -> std::ops::Range<usize> {
    let loud = |block: &&[i16]| !is_silent(block);
    let blocks = || pcm.chunks(BLOCK);
    let Some(first) = blocks().position(|block| loud(&block)) else {
        return 0..0;
    };
    let count = pcm.len().div_ceil(BLOCK);
    let last = count - 1 - blocks().rev().position(|block| loud(&block)).expect("the first is loud");
    (first * BLOCK).saturating_sub(MARGIN)..((last + 1) * BLOCK + MARGIN).min(pcm.len())
}

/// Whether a block of samples (20 ms or so) holds nothing that a listener would hear: its mean level is
/// below [`SILENCE_LEVEL`]. The offset that cheap sound cards add does not count.
pub fn is_silent(block: &[i16]) -> bool {
    is_silence(block.iter().copied())
}

/// Whether a block of two channels in turns is silent in both (see [`is_silent`]).
pub fn is_silent_dual(block: &[i16]) -> bool {
    [0, 1].into_iter().all(|channel| is_silence(block.iter().skip(channel).step_by(2).copied()))
}

fn is_silence(block: impl Iterator<Item = i16>) -> bool {
    let (mut count, mut sum, mut squares) = (0, 0, 0);
    for sample in block.map(i64::from) {
        count += 1;
        sum += sample;
        squares += sample * sample;
    }
    let count = count.max(1);
    let mean = sum / count;
    squares / count - mean * mean < SILENCE_LEVEL * SILENCE_LEVEL
}

/// Root mean square of the loudest silence: −44 dB below full scale, above the noise of a telephone line
/// and far below speech, which lies at −30 to −15 dB.
pub const SILENCE_LEVEL: i64 = 200;
/// 20 ms.
const BLOCK: usize = 160;
/// 100 ms.
const MARGIN: usize = 800;

#[cfg(test)]
mod tests {
    use super::*;

    /// So many blocks of noise of so much amplitude.
    fn noise(blocks: usize, amplitude: i16) -> Vec<i16> {
        let mut rng = base::Rng::seeded(3);
        let wide = 2 * amplitude as u64 + 1;
        (0..blocks * BLOCK).map(|_| rng.below(wide) as i16 - amplitude).collect()
    }

    #[test]
    fn silence_is_cut_off_both_ends_with_a_margin() {
        let pcm = [noise(50, 60), noise(20, 4_000), noise(10, 60), noise(5, 4_000), noise(100, 60)].concat();
        assert_eq!(trim(&pcm), 50 * BLOCK - MARGIN..85 * BLOCK + MARGIN);
    }

    #[test]
    fn sound_to_the_ends_keeps_all() {
        let pcm = noise(30, 4_000);
        assert_eq!(trim(&pcm), 0..pcm.len());
        let odd = &pcm[..1_000];
        assert_eq!(trim(odd), 0..1_000);
    }

    #[test]
    fn nothing_but_silence_keeps_nothing() {
        assert_eq!(trim(&noise(100, 100)), 0..0);
        assert_eq!(trim(&[]), 0..0);
    }

    #[test]
    fn two_channels_are_silent_when_both_are() {
        let both = |left: &[i16], right: &[i16]| {
            let pairs = left.iter().zip(right).flat_map(|(l, r)| [*l, *r]);
            is_silent_dual(&pairs.collect::<Vec<_>>())
        };
        let (quiet, loud) = (noise(1, 60), noise(1, 4_000));
        assert!(both(&quiet, &quiet) && both(&[3_000; 160], &[-3_000; 160]));
        assert!(!both(&loud, &quiet) && !both(&quiet, &loud));
    }

    #[test]
    fn an_offset_is_not_a_sound() {
        assert!(is_silent(&[3_000; 160]));
        assert!(!is_silent(&noise(1, 600)));
        assert!(is_silent(&[]));
        assert!(!is_silent(&[i16::MIN, i16::MAX]));
    }
}
