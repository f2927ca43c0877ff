//! One direction of a recording: samples placed by their timestamps, corrected by when they came.
//!
//! A stream's first packet says where its timestamps lie, but it may have been a slow one. The truth is where
//! the fastest packets say: none can come before it was spoken. So a packet that comes before its place moves
//! the stream's place forward, and when all packets of a while came late, it moves back. That holds two
//! directions together within a millisecond, and follows a peer whose clock runs fast or slow. What has
//! settled moves by a sample a packet, which nobody hears.

use super::Placed;
use crate::rtp::timestamp_distance;

/// Samples a track can hold: 512 ms. More than the window, what may lie ahead, and a packet.
pub(super) const TRACK_SAMPLES: usize = 4_096;

/// Sound that claims to lie further ahead of its arrival (150 ms) belongs to a timestamp that jumped.
const AHEAD_SAMPLES: i64 = 1_200;

/// After so many packets in a row that came too late, the path has become longer: their place moves.
const LATE_PACKETS_MAX: u8 = 5;

/// A stream's place moves at once while its first sound still waits to be given out: nothing is lost by it.
const SETTLING_SAMPLES: i64 = super::WINDOW_SAMPLES as i64;

/// A place that is off by more (20 ms) moves at once at any time.
const JUMP_SAMPLES: i64 = 160;

/// How long all packets must come late before the place moves back: 5 s.
const PERIOD_SAMPLES: i64 = 40_000;

/// Samples a second of a recording.
const RATE: i64 = 8_000;

#[derive(Debug)]
pub(super) struct Track {
    /// Sample `n` of the recording lies at `n % TRACK_SAMPLES`; what is not written is silence.
    ring: Box<[i16]>,
    anchor: Option<Anchor>,
    /// Packets too late in a row.
    late: u8,
    /// Whether any sound ever came.
    pub(super) was_heard: bool,
}

/// Where in the recording a timestamp lies, and how sure that is.
#[derive(Debug)]
struct Anchor {
    at: Placed,
    place: i64,
    /// When the stream began, in samples of the recording.
    began: i64,
    /// When the present period began, and how late the fastest packet since then came.
    period: i64,
    least: i64,
    /// Samples the place is to move by, one a packet.
    correction: i64,
}

impl Track {
    pub(super) fn new() -> Track {
        Track { ring: vec![0; TRACK_SAMPLES].into(), anchor: None, late: 0, was_heard: false }
    }

    /// What comes next is another stream.
    pub(super) fn forget(&mut self) {
        self.anchor = None;
    }

    /// The recording's clock stood still for so many samples.
    pub(super) fn skip(&mut self, samples: u64) {
        if let Some(anchor) = &mut self.anchor {
            let samples = samples.min(i64::MAX as u64) as i64;
            for place in [&mut anchor.place, &mut anchor.began, &mut anchor.period] {
                *place = place.saturating_sub(samples);
            }
        }
    }

    /// Places sound that came at `arrived`. What belongs before `from` is left out; the ring begins at `given`.
    /// All in samples of the recording.
    pub(super) fn put(&mut self, at: Placed, pcm: &[i16], arrived: u64, given: u64, from: u64) {
        if pcm.is_empty() || at.clock == 0 {
            return;
        }
        self.was_heard = true;
        let (place, stretch) = self.place(at, pcm.len() as i64, arrived as i64, given as i64);
        let len = (pcm.len() as i64 + stretch) as u64;
        // What is past, or further ahead than the ring reaches, is left out.
        let begin = place.max(from.max(given) as i64) as u64;
        let end = place.saturating_add_unsigned(len).clamp(0, (given + TRACK_SAMPLES as u64) as i64) as u64;
        if begin >= end {
            return;
        }
        let first = (begin as i64 - place) as usize;
        let (head, tail) = self.halves(begin, (end - begin) as usize);
        if stretch == 0 {
            let (to_head, rest) = pcm[first..].split_at(head.len());
            head.copy_from_slice(to_head);
            tail.copy_from_slice(&rest[..tail.len()]);
        } else {
            let slots = head.iter_mut().chain(tail).zip(first..);
            slots.for_each(|(slot, n)| *slot = stretched(pcm, n, len as usize));
        }
    }

    /// Takes samples out and leaves silence.
    pub(super) fn take(&mut self, from: u64, frame: &mut [i16]) {
        let (first, second) = self.halves(from, frame.len());
        let (head, tail) = frame.split_at_mut(first.len());
        for (samples, frame) in [(first, head), (second, tail)] {
            frame.copy_from_slice(samples);
            samples.fill(0);
        }
    }

    /// Where a packet belongs, and by how many samples it is to be longer or shorter than it is.
    fn place(&mut self, at: Placed, len: i64, arrived: i64, given: i64) -> (i64, i64) {
        let Some(anchor) = self.anchor.as_mut().filter(|anchor| anchor.at.clock == at.clock) else {
            return (self.drop_anchor(at, arrived), 0);
        };
        let moved = timestamp_distance(at.timestamp, anchor.at.timestamp);
        let moved = (moved * RATE).div_euclid(i64::from(at.clock));
        let place = anchor.place + moved;
        // How long after its place it came.
        let slack = arrived - place;
        self.late = if place + len <= given { self.late.saturating_add(1) } else { 0 };
        if slack < -AHEAD_SAMPLES || self.late >= LATE_PACKETS_MAX {
            return (self.drop_anchor(at, arrived), 0);
        }
        if moved <= 0 {
            return (place, 0);
        }
        anchor.place = place;
        let advanced = moved * i64::from(at.clock) / RATE;
        anchor.at.timestamp = anchor.at.timestamp.wrapping_add(advanced as u32);
        anchor.least = anchor.least.min(slack);
        if slack < 0 {
            if arrived - anchor.began <= SETTLING_SAMPLES || slack < -JUMP_SAMPLES {
                (anchor.place, anchor.least, anchor.correction) = (arrived, 0, 0);
                self.pull(-slack, given);
                return (arrived, 0);
            }
            anchor.correction = slack;
        } else if arrived - anchor.period >= PERIOD_SAMPLES {
            let least = std::mem::replace(&mut anchor.least, i64::MAX);
            anchor.period = arrived;
            if least > JUMP_SAMPLES {
                (anchor.place, anchor.correction) = (place + least, 0);
                return (anchor.place, 0);
            }
            anchor.correction = least.max(0);
        }
        let stretch = if len > 2 { anchor.correction.signum() } else { 0 };
        anchor.correction -= stretch;
        anchor.place += stretch;
        (place, stretch)
    }

    fn drop_anchor(&mut self, at: Placed, arrived: i64) -> i64 {
        self.late = 0;
        self.anchor = Some(Anchor {
            at,
            place: arrived,
            began: arrived,
            period: arrived,
            least: i64::MAX,
            correction: 0,
        });
        arrived
    }

    /// Moves all that is not given out yet forward by so many samples.
    fn pull(&mut self, by: i64, given: i64) {
        let by = by.clamp(0, TRACK_SAMPLES as i64) as usize;
        let at = |n: usize| (given as usize + n) % TRACK_SAMPLES;
        for n in 0..TRACK_SAMPLES - by {
            self.ring[at(n)] = self.ring[at(n + by)];
        }
        for n in TRACK_SAMPLES - by..TRACK_SAMPLES {
            self.ring[at(n)] = 0;
        }
    }

    /// The samples of the ring from this place on, in two pieces where it wraps.
    fn halves(&mut self, from: u64, len: usize) -> (&mut [i16], &mut [i16]) {
        let start = from as usize % TRACK_SAMPLES;
        let (before, after) = self.ring.split_at_mut(start);
        let first = len.min(after.len());
        (&mut after[..first], &mut before[..len - first])
    }
}

/// Sample `n` of the sound drawn out to `len` samples, or squeezed into them.
fn stretched(pcm: &[i16], n: usize, len: usize) -> i16 {
    let (at, of) = (n * (pcm.len() - 1), len - 1);
    let (whole, part) = (at / of, (at % of) as i64);
    let this = i64::from(pcm[whole]);
    let next = i64::from(pcm[(whole + 1).min(pcm.len() - 1)]);
    (this + (next - this) * part / of as i64) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretched_sound_keeps_its_shape_and_its_ends() {
        let ramp: Vec<i16> = (0..160).map(|n| n * 100).collect();
        for len in [159, 161] {
            let drawn: Vec<i16> = (0..len).map(|n| stretched(&ramp, n, len)).collect();
            assert_eq!((drawn[0], drawn[len - 1]), (0, 15_900));
            assert!(drawn.windows(2).all(|pair| (98..=101).contains(&(pair[1] - pair[0]))));
        }
    }

    #[test]
    fn timestamps_of_any_clock_meet_their_place() {
        for clock in [8_000, 16_000, 48_000, 44_100] {
            let mut track = Track::new();
            for n in 0..1_000u64 {
                let at = Placed { timestamp: (n * 20 * u64::from(clock) / 1_000) as u32, clock };
                track.put(at, &[7; 160], n * 160, n * 160, 0);
                let mut frame = [0; 160];
                track.take(n * 160, &mut frame);
                assert_eq!(frame[..158], [7; 158], "{clock} Hz, packet {n}");
            }
        }
    }
}
