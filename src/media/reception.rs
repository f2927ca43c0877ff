//! What a stream from the peer looks like: which packets are new, and how good the path is (RFC 3550 §6.4, §A).

use crate::rtp::{Fields, sequence_distance};

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// In order, possibly after a gap.
    New,
    /// Behind a newer one, but not seen before.
    Reordered,
    /// Seen before.
    Duplicate,
    /// Too far behind to tell.
    Late,
    /// From another source, or far from where the stream was; believed when the next packet follows it.
    Stranger,
}

/// The state of one received stream.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    stream: Option<Stream>,
    /// Source and next sequence number of a packet that was not believed yet.
    probation: Option<(u32, u16)>,
    /// Of sources before this one.
    lost_before: u64,
    jitter_us: u32,
}

#[derive(Clone, Debug)]
struct Stream {
    ssrc: u32,
    /// Sequence number of the first packet.
    base: u16,
    /// Highest sequence number, in the low 16 bits, and how often it wrapped, above.
    highest: u32,
    received: u64,
    /// Bit n: the packet n places behind the highest has come.
    seen: u64,
    /// Difference between arrival and timestamp of the last packet, in samples.
    transit: u32,
    /// Interarrival jitter in sixteenths of a sample (RFC 3550 §A.8).
    jitter: u32,
    expected_reported: u64,
    received_reported: u64,
}

/// One report block about this stream (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whom it is about.
    pub ssrc: u32,
    /// Of 256 packets since the last report, how many were lost.
    pub fraction_lost: u8,
    /// Packets lost since the stream began; 24 bits.
    pub lost: u32,
    /// Extended highest sequence number.
    pub highest: u32,
    /// Interarrival jitter in samples.
    pub jitter: u32,
}

/// A jump ahead by less is loss, by more another place in the stream (RFC 3550 §A.1).
const DROPOUT_MAX: i32 = 3_000;

/// A packet behind by more is no latecomer: the peer began anew (RFC 3550 §A.1).
const MISORDER_MAX: i32 = 100;

/// Packets behind the highest that are still told apart.
const SEEN_PACKETS: i32 = 64;

impl Reception {
    /// Takes a packet from the right address into account. `now` in nanoseconds, `clock` in Hz.
    #[inline]
    pub fn on_packet(&mut self, fields: Fields, now: u64, clock: u32) -> Verdict {
        let Some(stream) = &mut self.stream else {
            self.begin(fields, now, clock);
            return Verdict::New;
        };
        let ahead = sequence_distance(fields.sequence, stream.highest as u16);
        if fields.ssrc != stream.ssrc || !(-MISORDER_MAX..=DROPOUT_MAX).contains(&ahead) {
            return self.on_stranger(fields, now, clock);
        }
        // An interloper must bring two packets in a row; ours between them prove that the stream lives.
        self.probation = None;
        if ahead > 0 {
            stream.highest = stream.highest.wrapping_add(ahead.cast_unsigned());
            stream.seen = if ahead < SEEN_PACKETS { stream.seen << ahead | 1 } else { 1 };
            stream.received += 1;
            stream.measure_jitter(fields.timestamp, now, clock);
            return Verdict::New;
        }
        let behind = -ahead;
        if behind >= SEEN_PACKETS {
            return Verdict::Late;
        }
        let bit = 1 << behind;
        if stream.seen & bit != 0 {
            return Verdict::Duplicate;
        }
        stream.seen |= bit;
        stream.received += 1;
        Verdict::Reordered
    }

    /// Whether a packet follows what has been heard: same source, next numbers.
    pub fn goes_on_with(&self, fields: Fields) -> bool {
        self.stream.as_ref().is_some_and(|stream| {
            let ahead = sequence_distance(fields.sequence, stream.highest as u16);
            fields.ssrc == stream.ssrc && (1..=DROPOUT_MAX).contains(&ahead)
        })
    }

    /// A new offer was answered: the next source is believed at once.
    pub fn reopen(&mut self) {
        self.close();
    }

    /// Whose stream it is, once one has been heard.
    pub fn ssrc(&self) -> Option<u32> {
        self.stream.as_ref().map(|s| s.ssrc)
    }

    /// Packets lost so far, all sources together; never negative.
    pub fn lost(&self) -> u64 {
        self.lost_before + self.stream.as_ref().map_or(0, Stream::lost)
    }

    /// Interarrival jitter in microseconds, of the current source or else of the last.
    pub fn jitter_us(&self, clock: u32) -> u32 {
        self.stream.as_ref().map_or(self.jitter_us, |s| s.jitter_us(clock))
    }

    /// The next report block, and the start of the interval after it.
    pub fn report(&mut self) -> Option<Report> {
        let stream = self.stream.as_mut()?;
        let expected = stream.expected();
        let interval = expected.saturating_sub(stream.expected_reported);
        let received = stream.received.saturating_sub(stream.received_reported);
        stream.expected_reported = expected;
        stream.received_reported = stream.received;
        let lost = interval.saturating_sub(received);
        Some(Report {
            ssrc: stream.ssrc,
            fraction_lost: (lost * 256).checked_div(interval).unwrap_or(0).min(255) as u8,
            lost: stream.lost().min(0x7F_FFFF) as u32,
            highest: stream.highest,
            jitter: stream.jitter >> 4,
        })
    }

    fn on_stranger(&mut self, fields: Fields, now: u64, clock: u32) -> Verdict {
        if self.probation != Some((fields.ssrc, fields.sequence)) {
            self.probation = Some((fields.ssrc, fields.sequence.wrapping_add(1)));
            return Verdict::Stranger;
        }
        self.jitter_us = self.jitter_us(clock);
        self.close();
        self.begin(fields, now, clock);
        Verdict::New
    }

    fn close(&mut self) {
        self.lost_before = self.lost();
        self.stream = None;
        self.probation = None;
    }

    fn begin(&mut self, fields: Fields, now: u64, clock: u32) {
        self.stream = Some(Stream {
            ssrc: fields.ssrc,
            base: fields.sequence,
            highest: u32::from(fields.sequence),
            received: 1,
            // What lies before the first packet has not been asked for.
            seen: u64::MAX,
            transit: transit(fields.timestamp, now, clock),
            jitter: 0,
            expected_reported: 0,
            received_reported: 0,
        });
    }
}

impl Stream {
    fn expected(&self) -> u64 {
        u64::from(self.highest - u32::from(self.base)) + 1
    }

    fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    fn jitter_us(&self, clock: u32) -> u32 {
        (u64::from(self.jitter) * 1_000_000 / 16 / u64::from(clock.max(1))).min(u64::from(u32::MAX)) as u32
    }

    #[inline]
    fn measure_jitter(&mut self, timestamp: u32, now: u64, clock: u32) {
        let transit = transit(timestamp, now, clock);
        let difference = transit.wrapping_sub(self.transit).cast_signed().unsigned_abs();
        self.transit = transit;
        // A jump of the timestamp is the sender's doing, not the path's.
        if difference < clock {
            self.jitter = self.jitter + difference - ((self.jitter + 8) >> 4);
        }
    }
}

#[inline]
fn transit(timestamp: u32, now: u64, clock: u32) -> u32 {
    // Microseconds keep the product within 64 bits for 70 years; the result is a circle anyway.
    let arrival = (now / 1_000).wrapping_mul(u64::from(clock)) / 1_000_000;
    (arrival as u32).wrapping_sub(timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u16) -> Fields {
        Fields { ssrc, sequence, timestamp: u32::from(sequence) * 160, ..Fields::default() }
    }

    fn hear(reception: &mut Reception, ssrc: u32, sequence: u16) -> Verdict {
        reception.on_packet(packet(ssrc, sequence), u64::from(sequence) * 20_000_000, 8_000)
    }

    #[test]
    fn order_gaps_and_copies_are_told_apart() {
        let mut reception = Reception::default();
        let expected = [
            (65_530, Verdict::New),
            (65_529, Verdict::Duplicate), // before the first: nobody waits for it
            (65_533, Verdict::New),
            (65_531, Verdict::Reordered),
            (65_531, Verdict::Duplicate),
            (2, Verdict::New),
            (65_533, Verdict::Duplicate),
            (65_535, Verdict::Reordered),
            (200, Verdict::New),
            (100, Verdict::Late),
        ];
        for (sequence, verdict) in expected {
            assert_eq!(hear(&mut reception, 1, sequence), verdict, "{sequence}");
        }
        assert_eq!(reception.lost(), 207 - 6);
    }

    #[test]
    fn another_source_is_believed_at_its_second_packet() {
        let mut reception = Reception::default();
        hear(&mut reception, 1, 10);
        assert_eq!(hear(&mut reception, 2, 500), Verdict::Stranger);
        assert_eq!(hear(&mut reception, 2, 501), Verdict::New);
        assert_eq!(reception.ssrc(), Some(2));
        assert_eq!(hear(&mut reception, 1, 11), Verdict::Stranger);
    }

    #[test]
    fn two_sources_that_take_turns_do_not_unseat_the_first() {
        let mut reception = Reception::default();
        for n in 0..100 {
            assert_eq!(hear(&mut reception, 1, n), Verdict::New);
            assert_eq!(hear(&mut reception, 2, n), Verdict::Stranger);
        }
    }

    #[test]
    fn a_jump_far_ahead_is_another_place_in_the_stream() {
        let mut reception = Reception::default();
        hear(&mut reception, 1, 10);
        assert_eq!(hear(&mut reception, 1, 20_000), Verdict::Stranger);
        assert_eq!(hear(&mut reception, 1, 20_001), Verdict::New);
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn a_peer_that_counts_from_the_start_again_is_heard_again() {
        let mut reception = Reception::default();
        hear(&mut reception, 1, 500);
        assert_eq!(hear(&mut reception, 1, 0), Verdict::Stranger);
        assert_eq!(hear(&mut reception, 1, 1), Verdict::New);
        assert_eq!(hear(&mut reception, 1, 2), Verdict::New);
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn a_new_offer_believes_the_next_source_and_keeps_the_count() {
        let mut reception = Reception::default();
        hear(&mut reception, 1, 1);
        hear(&mut reception, 1, 5);
        reception.reopen();
        assert_eq!(hear(&mut reception, 2, 900), Verdict::New);
        assert_eq!(reception.lost(), 3);
    }

    #[test]
    fn a_report_says_what_was_lost_since_the_last() {
        let mut reception = Reception::default();
        assert_eq!(reception.report(), None);
        for sequence in (0..100).filter(|n| n % 4 != 3) {
            hear(&mut reception, 1, sequence);
        }
        let report = reception.report().unwrap();
        // 99 expected (0 to 98), 75 heard.
        assert_eq!((report.lost, report.fraction_lost, report.highest), (24, (24 * 256 / 99) as u8, 98));
        for sequence in 99..120 {
            hear(&mut reception, 1, sequence);
        }
        assert_eq!(reception.report().unwrap().fraction_lost, 0);
    }

    #[test]
    fn jitter_follows_the_rfc() {
        let mut reception = Reception::default();
        // Every other packet 8 samples (1 ms) late: |D| = 8 each time, so J tends to 8 samples.
        for n in 0..1_000u16 {
            let late = if n % 2 == 0 { 0 } else { 1_000_000 };
            reception.on_packet(packet(1, n), u64::from(n) * 20_000_000 + late, 8_000);
        }
        assert!((900..=1_000).contains(&reception.jitter_us(8_000)), "{}", reception.jitter_us(8_000));
    }

    #[test]
    fn jitter_of_a_steady_stream_is_nothing() {
        let mut reception = Reception::default();
        for n in 0..1_000 {
            hear(&mut reception, 1, n);
        }
        assert_eq!(reception.jitter_us(8_000), 0);
    }
}
