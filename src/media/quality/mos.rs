//! What people would say of a path: the E-model of ITU-T G.107 with what a packet network contributes.
//!
//! The rating is 93.2, a path without faults, less what delay and loss take. Everything in the model that is
//! about analogue lines and rooms has its default value.

use crate::codec::CodecKind;

/// What a path does to sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    /// What carries it.
    pub codec: CodecKind,
    /// Share of packets that are not heard, lost or too late; 0 to 1.
    pub loss: f32,
    /// How bursty losses are: see [`burst_ratio`]; 1 is random.
    pub burst_ratio: f32,
    /// From mouth to ear in milliseconds, jitter buffer and coding included.
    pub delay_ms: f32,
}

/// Length of bursts of loss relative to what chance alone would make of as much loss (G.107 §7.4); never below 1.
/// `lost` packets in `bursts` runs, of `sent` packets.
pub fn burst_ratio(lost: u64, bursts: u64, sent: u64) -> f32 {
    if bursts == 0 || sent == 0 {
        return 1.0;
    }
    let length = lost as f32 / bursts as f32;
    (length * (1.0 - (lost as f32 / sent as f32).min(1.0))).max(1.0)
}

/// The rating R, 0 to 93.2.
pub fn rating(path: &Path) -> f32 {
    let (impairment, robustness) = equipment(path.codec);
    let loss = path.loss.clamp(0.0, 1.0) * 100.0;
    // G.107 §7.4, equation 7-29.
    let by_loss = (95.0 - impairment) * loss / (loss / path.burst_ratio.max(1.0) + robustness);
    (BEST - by_delay(path.delay_ms.max(0.0)) - impairment - by_loss).clamp(0.0, BEST)
}

/// The mean opinion, 1.0 (bad) to 4.4 (G.107 Annex B); narrowband scale for all codecs.
pub fn mos(path: &Path) -> f32 {
    let r = rating(path);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5)
}

/// R of a path without faults, all defaults.
const BEST: f32 = 93.2;

/// Delay costs little until people begin to interrupt each other (Cole and Rosenbluth's fit to G.107 §7.3).
fn by_delay(ms: f32) -> f32 {
    0.024 * ms + if ms > 177.3 { 0.11 * (ms - 177.3) } else { 0.0 }
}

/// Impairment and robustness against loss (Ie and Bpl): of G.711 with concealment as ITU-T G.113 Appendix I
/// has them. For the others there are none on the narrowband scale; L16 and G.722 are concealed in the
/// same way, and Opus repairs more than that.
fn equipment(codec: CodecKind) -> (f32, f32) {
    match codec {
        CodecKind::Pcmu | CodecKind::Pcma | CodecKind::G722 | CodecKind::L16Narrow | CodecKind::L16Wide => {
            (0.0, 25.1)
        }
        CodecKind::Opus => (0.0, 30.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(loss: f32, burst_ratio: f32, delay_ms: f32) -> Path {
        Path { codec: CodecKind::Pcmu, loss, burst_ratio, delay_ms }
    }

    #[test]
    fn ratings_are_those_of_the_model() {
        // (loss, burst ratio, ms) → (R, MOS), computed by hand from the equations.
        let cases = [
            (path(0.0, 1.0, 0.0), 93.2, 4.41),
            (path(0.0, 1.0, 100.0), 90.8, 4.36),
            (path(0.0, 1.0, 300.0), 72.5, 3.71),
            (path(0.01, 1.0, 0.0), 89.56, 4.33),
            (path(0.05, 1.0, 0.0), 77.42, 3.92),
            (path(0.05, 2.0, 0.0), 75.99, 3.86),
            (path(0.20, 1.0, 0.0), 51.07, 2.63),
        ];
        for (path, r, opinion) in cases {
            assert!((rating(&path) - r).abs() < 0.1, "{path:?}: {}", rating(&path));
            assert!((mos(&path) - opinion).abs() < 0.03, "{path:?}: {}", mos(&path));
        }
    }

    #[test]
    fn worse_is_never_better_and_nothing_leaves_the_scale() {
        let losses = [0.0, 0.01, 0.1, 0.5, 1.0, 7.0];
        for pair in losses.windows(2) {
            assert!(mos(&path(pair[0], 1.0, 50.0)) >= mos(&path(pair[1], 1.0, 50.0)));
        }
        for delay in [-5.0, 0.0, 1e9] {
            for loss in losses {
                for ratio in [0.0, 1.0, 50.0] {
                    let opinion = mos(&path(loss, ratio, delay));
                    assert!((1.0..=4.5).contains(&opinion), "{loss} {ratio} {delay}: {opinion}");
                }
            }
        }
    }

    #[test]
    fn bursts_are_told_from_chance() {
        assert_eq!(burst_ratio(0, 0, 1_000), 1.0);
        assert_eq!(burst_ratio(10, 10, 1_000), 1.0);
        assert!((burst_ratio(100, 20, 1_000) - 4.5).abs() < 0.01);
        assert!(burst_ratio(1_000, 1, 1_000) >= 1.0);
    }
}
