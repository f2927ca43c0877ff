//! How good the sound of a call is, in its ladder: what is wrong while it is, and the figures at the end.

use media::LegStats;
use media::quality::Finding;

use crate::call::Call;
use crate::ctx::Ctx;
use crate::record::EventKind;

impl Call {
    /// The media plane found something wrong, or found it gone.
    pub(crate) fn on_finding(&mut self, finding: Finding, began: bool, ctx: &mut Ctx<'_>) {
        let text = match began {
            true => format!("sound: {finding}"),
            false => format!("sound: over: {finding}"),
        };
        self.trace(EventKind::Media, text, ctx);
    }
}

/// What went through a leg, in one line.
pub(crate) fn summary(stats: &LegStats) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "media closed: {} packets in, {} out, {} lost, jitter {:.1} ms",
        stats.packets_received,
        stats.packets_sent,
        stats.lost,
        f64::from(stats.jitter_us) / 1_000.0,
    );
    let mut add = |part: String| {
        let _ = write!(text, ", {part}");
    };
    if let Some(us) = stats.round_trip_us {
        add(format!("round trip {:.1} ms", f64::from(us) / 1_000.0));
    }
    if stats.playout_delay_us > 0 {
        add(format!("{} ms in the jitter buffer", stats.playout_delay_us / 1_000));
    }
    if stats.mos_x100 > 0 {
        add(format!("quality {:.1} of 4.5", f64::from(stats.mos_x100) / 100.0));
    }
    for (count, what) in [
        (stats.lost_by_peer, "lost on the way to the peer"),
        (stats.late, "late"),
        (stats.duplicates, "twice"),
        (stats.malformed, "not understood"),
        (stats.strangers, "from strangers"),
        (stats.forged, "forged"),
        (stats.moves, "moves of the peer followed"),
    ] {
        if count > 0 {
            add(format!("{count} {what}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_what_there_was() {
        let stats =
            LegStats { packets_received: 100, packets_sent: 99, jitter_us: 1_260, ..LegStats::default() };
        assert_eq!(summary(&stats), "media closed: 100 packets in, 99 out, 0 lost, jitter 1.3 ms");
        let stats = LegStats { round_trip_us: Some(12_340), mos_x100: 438, strangers: 7, forged: 1, ..stats };
        assert_eq!(
            summary(&stats),
            "media closed: 100 packets in, 99 out, 0 lost, jitter 1.3 ms, round trip 12.3 ms, quality 4.4 of 4.5, \
             7 from strangers, 1 forged"
        );
    }
}
