//! How far each source has come: rollover counter and replay window (RFC 3711 §3.3).

/// The sources of one direction. A source is entered with the first packet that proved genuine; of too many the
/// one that was quiet longest is forgotten.
#[derive(Default)]
pub(super) struct Sources {
    /// The one heard last stands first.
    list: [Option<Source>; SOURCES_MAX],
}

#[derive(Clone, Copy)]
struct Source {
    ssrc: u32,
    /// The highest packet index so far: rollover counter and sequence number.
    highest: u64,
    /// Bit n: the packet n before the highest was here.
    seen: u128,
}

/// Sources remembered in one direction. A call has one, and another after a transfer or a mixer.
pub(super) const SOURCES_MAX: usize = 4;

impl Sources {
    /// The index a sequence number most likely means (RFC 3711 §3.3.1): the one nearest to the highest so far.
    pub(super) fn guess(&self, ssrc: u32, sequence: u16) -> u64 {
        let sequence = u64::from(sequence);
        let Some(source) = self.find(ssrc) else { return sequence };
        let same = (source.highest & !0xffff) | sequence;
        if same > source.highest + HALF {
            // Before the first packet there was no rollover.
            same.checked_sub(2 * HALF).unwrap_or(same)
        } else if same + HALF < source.highest {
            same + 2 * HALF
        } else {
            same
        }
    }

    /// Whether the packet was here before, or is too old to know.
    pub(super) fn is_replayed(&self, ssrc: u32, index: u64) -> bool {
        let Some(source) = self.find(ssrc) else { return false };
        match source.highest.checked_sub(index) {
            None => false,
            Some(age @ 0..128) => source.seen >> age & 1 == 1,
            Some(_) => true,
        }
    }

    /// Remembers a genuine packet.
    pub(super) fn take(&mut self, ssrc: u32, index: u64) {
        let at = self.list.iter().position(|s| s.is_some_and(|s| s.ssrc == ssrc));
        let mut source = at.and_then(|at| self.list[at]).unwrap_or(Source { ssrc, highest: index, seen: 0 });
        match index.checked_sub(source.highest) {
            Some(step) => {
                source.seen =
                    u32::try_from(step).ok().and_then(|step| source.seen.checked_shl(step)).unwrap_or(0) | 1;
                source.highest = index;
            }
            None => {
                let age = u32::try_from(source.highest - index).unwrap_or(u32::MAX);
                source.seen |= 1u128.checked_shl(age).unwrap_or(0);
            }
        }
        let at = at.unwrap_or(SOURCES_MAX - 1);
        self.list.copy_within(..at, 1);
        self.list[0] = Some(source);
    }

    fn find(&self, ssrc: u32) -> Option<&Source> {
        self.list.iter().flatten().find(|source| source.ssrc == ssrc)
    }
}

/// Half the space of sequence numbers.
const HALF: u64 = 1 << 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_the_nearest_one() {
        let cases = [
            (10, 11, 11),
            (10, 9, 9),
            (10, 60_000, 60_000),
            (65_535, 0, 65_536),
            (65_535, 32_767, 32_767),
            (65_535, 32_766, 65_536 + 32_766),
            (65_536, 65_535, 65_535),
            (65_536 + 40_000, 10, 131_072 + 10),
            (131_072 + 10, 65_000, 65_536 + 65_000),
        ];
        for (highest, sequence, want) in cases {
            let mut sources = Sources::default();
            sources.take(1, highest);
            assert_eq!(sources.guess(1, sequence), want, "{sequence} after {highest}");
        }
        assert_eq!(Sources::default().guess(1, 60_000), 60_000);
    }

    #[test]
    fn a_packet_is_taken_once_within_the_window() {
        let mut sources = Sources::default();
        for index in [1_000, 1_001, 1_005, 999] {
            assert!(!sources.is_replayed(1, index));
            sources.take(1, index);
            assert!(sources.is_replayed(1, index), "{index}");
        }
        assert!(!sources.is_replayed(1, 1_004) && !sources.is_replayed(1, 1_005 - 127));
        assert!(sources.is_replayed(1, 1_005 - 128), "too old to know");
        sources.take(1, 1_000_000);
        assert!(!sources.is_replayed(1, 999_999) && sources.is_replayed(1, 1_000_000));
        assert!(!sources.is_replayed(2, 1_000_000), "another source");
    }

    #[test]
    fn the_quietest_source_is_forgotten_first() {
        let mut sources = Sources::default();
        for ssrc in 0..4 {
            sources.take(ssrc, 65_536);
        }
        sources.take(0, 65_537);
        sources.take(9, 1);
        let known: Vec<u32> = (0..10).filter(|ssrc| sources.find(*ssrc).is_some()).collect();
        assert_eq!(known, [0, 2, 3, 9]);
    }
}
