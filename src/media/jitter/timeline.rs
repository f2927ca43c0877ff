//! Where a packet lies in its stream, when numbers wrap, jump, or belong to another source from now on.
//!
//! Sequence numbers and timestamps are unrolled to 64 bits. A sender may start its timestamps anew, or another
//! sender may take over; to who listens the sound goes on. So what comes after a jump is placed right behind
//! what was there, or at its arrival if there was a pause, and everyone downstream sees one unbroken line.

use crate::rtp::{Fields, sequence_distance, timestamp_distance};

/// A place in a stream: sequence number and timestamp, unrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) sequence: i64,
    pub(super) timestamp: i64,
}

/// The line so far.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    ssrc: u32,
    /// Sequence number and timestamp of the highest packet as they came.
    raw: (u16, u32),
    highest: Place,
    /// Of the highest packet, in ticks.
    duration: i64,
    transit: i64,
    /// Packets in a row that lie nowhere near.
    astray: u8,
}

/// A jump ahead by less is loss (RFC 3550 §A.1).
const DROPOUT_MAX: i32 = 3_000;
/// Packets further behind the highest are nobody's.
const BEHIND_MAX: i32 = 64;
/// So many packets astray in a row are the stream.
const ASTRAY_MAX: u8 = 2;
/// No path becomes faster by more milliseconds within a pause: the timestamps jumped.
const EARLY_MS: i64 = 250;
/// What comes later by more milliseconds was not late: the timestamps stood still.
const LATE_MS: i64 = 1_000;

impl Timeline {
    /// Begins with its first packet.
    pub(super) fn new(fields: Fields, duration: i64, arrival: i64) -> Timeline {
        let timestamp = i64::from(fields.timestamp);
        Timeline {
            ssrc: fields.ssrc,
            raw: (fields.sequence, fields.timestamp),
            highest: Place { sequence: i64::from(fields.sequence), timestamp },
            duration,
            transit: arrival - timestamp,
            astray: 0,
        }
    }

    /// The highest packet so far.
    pub(super) fn highest(&self) -> Place {
        self.highest
    }

    /// Where the highest packet ends.
    pub(super) fn end(&self) -> i64 {
        self.highest.timestamp + self.duration
    }

    /// Places a packet; `None`: it lies nowhere near. `clock` in Hz, the rest in ticks.
    pub(super) fn place(&mut self, fields: Fields, duration: i64, arrival: i64, clock: u32) -> Option<Place> {
        let ahead = sequence_distance(fields.sequence, self.raw.0);
        let moved = timestamp_distance(fields.timestamp, self.raw.1);
        if fields.ssrc != self.ssrc {
            return Some(self.splice(fields, duration, arrival));
        }
        if (1..=DROPOUT_MAX).contains(&ahead) {
            let transit = arrival - (self.highest.timestamp + moved);
            let later = (transit - self.transit) * 1_000 / i64::from(clock.max(1));
            let is_next = moved == i64::from(ahead) * self.duration;
            if moved < 0 || later > LATE_MS || (later < -EARLY_MS && !is_next) {
                return Some(self.splice(fields, duration, arrival));
            }
            let highest = Place {
                sequence: self.highest.sequence + i64::from(ahead),
                timestamp: self.highest.timestamp + moved,
            };
            self.advance(fields, highest, duration, arrival);
            return Some(highest);
        }
        let behind = -BEHIND_MAX < ahead && ahead <= 0;
        if behind && moved <= 0 && -moved * 1_000 <= (EARLY_MS + LATE_MS) * i64::from(clock) {
            self.astray = 0;
            return Some(Place {
                sequence: self.highest.sequence + i64::from(ahead),
                timestamp: self.highest.timestamp + moved,
            });
        }
        self.astray += 1;
        (self.astray >= ASTRAY_MAX).then(|| self.splice(fields, duration, arrival))
    }

    fn splice(&mut self, fields: Fields, duration: i64, arrival: i64) -> Place {
        let place =
            Place { sequence: self.highest.sequence + 1, timestamp: self.end().max(arrival - self.transit) };
        self.ssrc = fields.ssrc;
        self.advance(fields, place, duration, arrival);
        place
    }

    fn advance(&mut self, fields: Fields, highest: Place, duration: i64, arrival: i64) {
        self.raw = (fields.sequence, fields.timestamp);
        self.highest = highest;
        // A packet that only takes a number has no length.
        if duration > 0 {
            self.duration = duration;
        }
        self.transit = arrival - highest.timestamp;
        self.astray = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Fields {
        Fields { ssrc, sequence, timestamp, ..Fields::default() }
    }

    /// Places relative to the first packet: (packets, ticks).
    fn places(packets: &[(u32, u16, u32, i64)]) -> Vec<Option<(i64, i64)>> {
        let (ssrc, sequence, timestamp, arrival) = packets[0];
        let mut line = Timeline::new(packet(ssrc, sequence, timestamp), 160, arrival);
        let first = line.highest();
        packets[1..]
            .iter()
            .map(|&(ssrc, sequence, timestamp, arrival)| {
                let place = line.place(packet(ssrc, sequence, timestamp), 160, arrival, 8_000)?;
                Some((place.sequence - first.sequence, place.timestamp - first.timestamp))
            })
            .collect()
    }

    #[test]
    fn numbers_wrap() {
        let at = places(&[
            (1, 65_534, u32::MAX - 100, 0),
            (1, 0, 219, 320),
            (1, 65_535, 59, 330),
            (1, 2, 539, 640),
        ]);
        assert_eq!(at, [Some((2, 320)), Some((1, 160)), Some((4, 640))]);
    }

    #[test]
    fn a_pause_is_a_pause_and_a_jump_is_none() {
        // A pause of 2 s, as its arrival proves.
        assert_eq!(places(&[(1, 1, 0, 0), (1, 2, 16_000, 16_000)]), [Some((1, 16_000))]);
        // The timestamp jumps ahead, or back, without a pause.
        assert_eq!(places(&[(1, 1, 0, 0), (1, 2, 16_000, 160)]), [Some((1, 160))]);
        assert_eq!(
            places(&[(1, 1, 90_000, 0), (1, 2, 10, 160), (1, 3, 170, 320)]),
            [Some((1, 160)), Some((2, 320))]
        );
        // It stood still during a pause of 5 s.
        assert_eq!(places(&[(1, 1, 0, 0), (1, 2, 160, 40_000)]), [Some((1, 40_000))]);
    }

    #[test]
    fn another_source_goes_on_where_the_first_ended() {
        let at = places(&[(1, 1, 0, 0), (2, 900, 123_456, 160), (2, 902, 123_776, 480)]);
        assert_eq!(at, [Some((1, 160)), Some((3, 480))]);
    }

    #[test]
    fn what_lies_nowhere_near_is_believed_at_its_second_packet() {
        let at = places(&[(1, 10_000, 0, 0), (1, 20_000, 160, 160), (1, 20_001, 320, 320)]);
        assert_eq!(at, [None, Some((1, 320))]);
        let at = places(&[(1, 10_000, 50_000, 0), (1, 9_000, 0, 160), (1, 10_001, 50_160, 160)]);
        assert_eq!(at, [None, Some((1, 160))]);
    }
}
