//! One continuous stream to the peer, whatever it is made of.
//!
//! A leg sends prompts, silence, telephone events and what another leg says, one after the other, under one
//! SSRC. A receiver must not notice the seams: sequence numbers go up by one at each, timestamps go on where the
//! last sound ended, or, after a pause, by as much as the pause was long, with the marker set (RFC 3550 §5.1,
//! RFC 3551 §4.1).
//!
//! What is relayed keeps its own spacing: within a *run* of one source both numbers are the source's plus a
//! constant, so that losses, reordering and silence suppression reach the receiver as they are. A run begins
//! with the first packet of a source after something else was sent, and whenever the source jumps.
//!
//! What is coded anew from another leg's sound keeps that sound's times, but its packets are numbered by us.

use crate::rtp::{Fields, sequence_distance, timestamp_distance};

/// Sequence number, timestamp and marker of a packet to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
}

/// The state of one stream to a peer.
#[derive(Clone, Debug)]
pub struct Outgoing {
    ssrc: u32,
    /// Ticks of the timestamp in a second.
    clock: u32,
    /// Of the next packet that is not part of the current run.
    sequence: u16,
    /// Where the sound sent so far ends.
    timestamp: u32,
    /// When that is, in nanoseconds; `None` before the first packet.
    due: Option<u64>,
    run: Option<Run>,
    voice: Option<Voiced>,
    packets: u64,
    octets: u64,
}

/// A piece of another leg's sound that is coded anew.
#[derive(Clone, Copy, Debug)]
struct Voiced {
    source: u64,
    /// Timestamp of the source's time 0.
    offset: u32,
}

/// An unbroken piece of a relayed source.
#[derive(Clone, Copy, Debug)]
struct Run {
    ssrc: u32,
    /// Highest sequence number of the source so far, and the timestamp it carried.
    sequence: u16,
    timestamp: u32,
    /// How many packets behind the highest the run reaches.
    length: u16,
    sequence_offset: u16,
    timestamp_offset: u32,
}

/// A pause longer than this many milliseconds is a pause; shorter is jitter of the seam.
const SEAM_MS: u32 = 20;

/// The shortest pause of a relayed source; less is a source that corrects its clock.
const PAUSE_MS: u32 = 10;

/// A source whose timestamps run ahead of its arrivals by more has jumped.
const JUMP_AHEAD_MS: u32 = 2_000;

/// Behind them they may be by a whole telephone event, whose packets all carry its start (RFC 4733 §2.2), or by
/// as long as that of a source at 8 kHz.
const JUMP_BACK_TICKS: i64 = 0xFFFF;
const JUMP_BACK_MS: u32 = 8_192;

/// A frame may come so much before the last sound ends.
const EARLY_MS: u64 = 10;

/// A relayed packet so many behind the highest is not worth keeping apart.
const RUN_PACKETS_MAX: u16 = 1_000;

impl Outgoing {
    /// A stream of so many ticks a second that begins at random numbers (RFC 3550 §5.1).
    pub fn new(ssrc: u32, clock: u32, sequence: u16, timestamp: u32) -> Outgoing {
        Outgoing {
            ssrc,
            clock,
            sequence,
            timestamp,
            due: None,
            run: None,
            voice: None,
            packets: 0,
            octets: 0,
        }
    }

    /// The timestamp's ticks a second.
    pub fn clock(&self) -> u32 {
        self.clock
    }

    /// The stream's source identifier.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// When the sound sent so far ends, in nanoseconds; `None` before the first packet.
    pub fn due(&self) -> Option<u64> {
        self.due
    }

    /// Packets and payload bytes sent, as a sender report counts them.
    pub fn sent(&self) -> (u64, u64) {
        (self.packets, self.octets)
    }

    /// Takes a packet of so many payload bytes into account.
    #[inline]
    pub fn count(&mut self, octets: usize) {
        self.packets += 1;
        self.octets += octets as u64;
    }

    /// The timestamp that belongs to this moment, for sender reports.
    pub fn timestamp_at(&self, now: u64) -> u32 {
        let Some(due) = self.due else { return self.timestamp };
        let ahead = (i128::from(now) - i128::from(due)) * i128::from(self.clock) / 1_000_000_000;
        self.timestamp.wrapping_add(ahead as u32)
    }

    /// Whether a generated frame now would follow the last sound too closely: a relayed packet has just gone,
    /// and the frame belongs to the next tick.
    pub fn is_early(&self, now: u64) -> bool {
        self.due.is_some_and(|due| due > now + EARLY_MS * 1_000_000)
    }

    /// The stamp of a generated frame of so many ticks that is due at `now`.
    pub fn frame(&mut self, now: u64, samples: u32) -> Stamp {
        self.end_run();
        let marker = self.resume(now);
        let stamp = Stamp { sequence: self.sequence, timestamp: self.timestamp, marker };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(samples);
        self.due = Some(now + self.ns(samples));
        stamp
    }

    /// The timestamp of a telephone event that starts at `now`.
    pub fn begin_event(&mut self, now: u64) -> u32 {
        self.end_run();
        self.resume(now);
        self.due = Some(now);
        self.timestamp
    }

    /// The stamp of a packet of the event that began at `start`, when it has lasted so many samples.
    pub fn event(&mut self, start: u32, duration: u32, began: u64, marker: bool) -> Stamp {
        let stamp = Stamp { sequence: self.sequence, timestamp: start, marker };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = start.wrapping_add(duration);
        self.due = Some(began + self.ns(duration));
        stamp
    }

    /// The stamp of a packet that another leg received, in the same clock, with sound or an event of so many samples. `None`: it
    /// belongs before this run, where something else was sent.
    #[inline]
    pub fn relay(&mut self, source: Fields, samples: u32, now: u64) -> Option<Stamp> {
        self.voice = None;
        let Some(run) = self.follow(source, now) else { return Some(self.begin_run(source, samples, now)) };
        let ahead = sequence_distance(source.sequence, run.sequence);
        let mut stamp = Stamp {
            sequence: source.sequence.wrapping_add(run.sequence_offset),
            timestamp: source.timestamp.wrapping_add(run.timestamp_offset),
            marker: source.marker,
        };
        if ahead <= 0 {
            return (-ahead <= i32::from(run.length)).then_some(stamp);
        }
        // Not every source marks the end of its pauses, and what is left out is a pause as well.
        stamp.marker |=
            ahead == 1 && timestamp_distance(stamp.timestamp, self.timestamp) >= self.ticks_of_ms(PAUSE_MS);
        self.run = Some(Run {
            sequence: source.sequence,
            timestamp: source.timestamp,
            length: run.length.saturating_add(ahead as u16).min(RUN_PACKETS_MAX),
            ..run
        });
        self.sequence = stamp.sequence.wrapping_add(1);
        self.sounded_until(stamp.timestamp.wrapping_add(samples), now + self.ns(samples));
        Some(stamp)
    }

    /// A packet of the relayed source is not for this peer: the numbers close over it, so that it does not look
    /// lost.
    pub fn skip(&mut self, source: Fields, now: u64) {
        let Some(run) = self.follow(source, now) else { return };
        if sequence_distance(source.sequence, run.sequence) > 0 {
            self.run = Some(Run {
                sequence: source.sequence,
                timestamp: source.timestamp,
                length: 0,
                sequence_offset: run.sequence_offset.wrapping_sub(1),
                ..run
            });
        }
    }

    /// Nothing more is relayed for now.
    pub fn end_run(&mut self) {
        self.run = None;
        self.voice = None;
    }

    /// The stamp of a packet coded anew from what another leg said: so many ticks that begin at the time `at`, in
    /// ticks, of the source's own count. A source begins to count anew, under another name, when it jumps.
    pub fn voice(&mut self, source: u64, at: u64, ticks: u32, now: u64) -> Stamp {
        let (timestamp, marker) = self.place(source, at, now);
        let stamp = Stamp { sequence: self.sequence, timestamp, marker };
        self.sequence = self.sequence.wrapping_add(1);
        self.sounded_until(timestamp.wrapping_add(ticks), now + self.ns(ticks));
        stamp
    }

    /// As [`Outgoing::voice`], for a packet of an event that began at the time `at` and has lasted `duration`.
    pub fn voice_event(&mut self, source: u64, at: u64, duration: u32, marker: bool, now: u64) -> Stamp {
        let (timestamp, _) = self.place(source, at, now);
        let stamp = Stamp { sequence: self.sequence, timestamp, marker };
        self.sequence = self.sequence.wrapping_add(1);
        self.sounded_until(timestamp.wrapping_add(duration), now);
        stamp
    }

    /// The timestamp that [`Outgoing::voice`] gives to a time of a source, and whether it ends a pause.
    pub fn place(&mut self, source: u64, at: u64, now: u64) -> (u32, bool) {
        self.run = None;
        if let Some(voice) = self.voice.filter(|voice| voice.source == source) {
            let timestamp = (at as u32).wrapping_add(voice.offset);
            let pause = timestamp_distance(timestamp, self.timestamp);
            return (timestamp, pause >= self.ticks_of_ms(PAUSE_MS));
        }
        let marker = self.resume(now);
        self.voice = Some(Voiced { source, offset: self.timestamp.wrapping_sub(at as u32) });
        (self.timestamp, marker)
    }

    /// The timestamp under which what the relayed source stamped so was sent.
    pub fn relayed(&self, timestamp: u32) -> Option<u32> {
        self.run.map(|run| timestamp.wrapping_add(run.timestamp_offset))
    }

    /// Nanoseconds of so many ticks.
    #[inline]
    fn ns(&self, ticks: u32) -> u64 {
        u64::from(ticks) * 1_000_000_000 / u64::from(self.clock)
    }

    /// Ticks of so many nanoseconds.
    #[inline]
    fn ticks(&self, ns: u64) -> i64 {
        (ns / 1_000 * u64::from(self.clock) / 1_000_000) as i64
    }

    #[inline]
    fn ticks_of_ms(&self, ms: u32) -> i64 {
        i64::from(ms) * i64::from(self.clock) / 1_000
    }

    /// The run this packet continues, if it does.
    #[inline]
    fn follow(&self, source: Fields, now: u64) -> Option<Run> {
        let run = self.run.filter(|r| r.ssrc == source.ssrc)?;
        let moved = timestamp_distance(source.timestamp, run.timestamp);
        let jump = moved - self.ticks(now.saturating_sub(self.due?));
        let back = JUMP_BACK_TICKS.max(self.ticks_of_ms(JUMP_BACK_MS));
        (-back..=self.ticks_of_ms(JUMP_AHEAD_MS)).contains(&jump).then_some(run)
    }

    fn begin_run(&mut self, source: Fields, samples: u32, now: u64) -> Stamp {
        let marker = self.resume(now) || source.marker;
        let stamp = Stamp { sequence: self.sequence, timestamp: self.timestamp, marker };
        self.run = Some(Run {
            ssrc: source.ssrc,
            sequence: source.sequence,
            timestamp: source.timestamp,
            length: 0,
            sequence_offset: stamp.sequence.wrapping_sub(source.sequence),
            timestamp_offset: stamp.timestamp.wrapping_sub(source.timestamp),
        });
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(samples);
        self.due = Some(now + self.ns(samples));
        stamp
    }

    /// Moves the timestamp over a pause, if there was one. True: what comes next starts a talk spurt.
    fn resume(&mut self, now: u64) -> bool {
        let Some(due) = self.due else { return true };
        let pause = self.ticks(now.saturating_sub(due));
        if pause <= self.ticks_of_ms(SEAM_MS) {
            return false;
        }
        self.timestamp = self.timestamp.wrapping_add(pause as u32);
        true
    }

    /// Sound reaches up to this timestamp at this time; what reaches less far changes nothing.
    #[inline]
    fn sounded_until(&mut self, timestamp: u32, due: u64) {
        if timestamp_distance(timestamp, self.timestamp) >= 0 {
            self.timestamp = timestamp;
            self.due = Some(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn stream() -> Outgoing {
        Outgoing::new(7, 8_000, 65_534, u32::MAX - 100)
    }

    fn source(ssrc: u32, sequence: u16, timestamp: u32) -> Fields {
        Fields { ssrc, sequence, timestamp, ..Fields::default() }
    }

    #[test]
    fn frames_follow_each_other_over_both_wraps() {
        let mut out = stream();
        let stamps: Vec<Stamp> = (0..4).map(|n| out.frame(n * 20 * MS, 160)).collect();
        for (n, stamp) in stamps.iter().enumerate() {
            assert_eq!(stamp.sequence, 65_534u16.wrapping_add(n as u16));
            assert_eq!(stamp.timestamp, (u32::MAX - 100).wrapping_add(160 * n as u32));
            assert_eq!(stamp.marker, n == 0);
        }
    }

    #[test]
    fn a_pause_moves_the_timestamp_and_sets_the_marker() {
        let mut out = stream();
        let first = out.frame(0, 160);
        let later = out.frame(120 * MS, 160);
        assert_eq!((later.timestamp.wrapping_sub(first.timestamp), later.marker), (960, true));
        assert_eq!(later.sequence, first.sequence.wrapping_add(1));
    }

    #[test]
    fn a_run_keeps_losses_pauses_and_order() {
        let mut out = stream();
        let frame = out.frame(0, 160);
        // In: 1000, 1001, (1002 lost), 1003, 1001 again late, then a pause of a second without loss.
        let first = out.relay(source(1, 1000, 5_000), 160, 25 * MS).unwrap();
        assert_eq!(first.sequence, frame.sequence.wrapping_add(1));
        assert_eq!(first.timestamp, frame.timestamp.wrapping_add(160));
        assert!(!first.marker);
        let third = out.relay(source(1, 1003, 5_480), 160, 85 * MS).unwrap();
        assert_eq!(third.sequence, first.sequence.wrapping_add(3));
        let second = out.relay(source(1, 1001, 5_160), 160, 86 * MS).unwrap();
        assert_eq!(second.sequence, first.sequence.wrapping_add(1));
        assert_eq!(second.timestamp, first.timestamp.wrapping_add(160));
        let paused = out.relay(source(1, 1004, 13_480), 160, 1_085 * MS).unwrap();
        assert_eq!(paused.timestamp, third.timestamp.wrapping_add(8_000));
        assert_eq!(paused.sequence, third.sequence.wrapping_add(1));
        let frame = out.frame(1_105 * MS, 160);
        assert_eq!(frame.sequence, paused.sequence.wrapping_add(1));
        assert_eq!(frame.timestamp, paused.timestamp.wrapping_add(160));
    }

    #[test]
    fn what_belongs_before_a_run_is_not_sent() {
        let mut out = stream();
        out.frame(0, 160);
        out.relay(source(1, 10, 1_600), 160, 20 * MS).unwrap();
        assert_eq!(out.relay(source(1, 9, 1_440), 160, 21 * MS), None);
    }

    #[test]
    fn a_source_that_jumps_begins_a_run() {
        let mut out = stream();
        let a = out.relay(source(1, 10, 1_600), 160, 0).unwrap();
        let other = out.relay(source(2, 60_000, 7), 160, 20 * MS).unwrap();
        assert_eq!(other.sequence, a.sequence.wrapping_add(1));
        assert_eq!(other.timestamp, a.timestamp.wrapping_add(160));
        let jumped = out.relay(source(2, 60_001, 9_000_000), 160, 40 * MS).unwrap();
        assert_eq!(jumped.sequence, a.sequence.wrapping_add(2));
        assert_eq!(jumped.timestamp, a.timestamp.wrapping_add(320));
    }

    #[test]
    fn what_is_left_out_does_not_look_lost() {
        let mut out = stream();
        let a = out.relay(source(1, 10, 1_600), 160, 0).unwrap();
        out.skip(source(1, 11, 1_760), 20 * MS);
        out.skip(source(1, 12, 1_760), 40 * MS);
        let b = out.relay(source(1, 13, 2_080), 160, 60 * MS).unwrap();
        assert_eq!(b.sequence, a.sequence.wrapping_add(1));
        assert_eq!(b.timestamp, a.timestamp.wrapping_add(480));
    }

    #[test]
    fn an_event_keeps_its_timestamp_and_sound_goes_on_behind_it() {
        let mut out = stream();
        let before = out.frame(0, 160);
        let start = out.begin_event(20 * MS);
        assert_eq!(start, before.timestamp.wrapping_add(160));
        for n in 1..=5 {
            let stamp = out.event(start, n * 160, 20 * MS, n == 1);
            assert_eq!((stamp.timestamp, stamp.marker), (start, n == 1));
            assert_eq!(stamp.sequence, before.sequence.wrapping_add(n as u16));
        }
        let after = out.frame(180 * MS, 160);
        assert_eq!((after.timestamp.wrapping_sub(start), after.marker), (160 * 8, true));
    }

    #[test]
    fn sound_coded_anew_keeps_its_times_under_jitter_and_pauses() {
        let mut out = Outgoing::new(7, 48_000, 65_534, u32::MAX - 1_000);
        let frame = out.frame(0, 960);
        // The packets of 20 ms come 20, 75 and 76 ms after; then nothing for a second.
        let stamps: Vec<Stamp> = [(0, 20), (960, 75), (1_920, 76), (50_880, 1_080)]
            .map(|(at, ms)| out.voice(1, at, 960, ms * MS))
            .to_vec();
        let spacing: Vec<u32> =
            stamps.iter().map(|stamp| stamp.timestamp.wrapping_sub(frame.timestamp)).collect();
        assert_eq!(spacing, [960, 1_920, 2_880, 51_840]);
        assert_eq!(stamps.iter().map(|stamp| stamp.marker).collect::<Vec<_>>(), [false, false, false, true]);
        let numbers: Vec<u16> = stamps.iter().map(|s| s.sequence.wrapping_sub(frame.sequence)).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        // Another source follows the last sound.
        let other = out.voice(2, 7, 960, 1_100 * MS);
        assert_eq!(other.timestamp.wrapping_sub(stamps[3].timestamp), 960);
    }

    #[test]
    fn an_event_of_a_source_that_is_coded_anew_keeps_its_start() {
        let mut out = stream();
        let before = out.voice(1, 8_000, 160, 0);
        for n in 1..=3 {
            let stamp = out.voice_event(1, 8_160, n * 160, n == 1, 20 * MS * u64::from(n));
            assert_eq!((stamp.timestamp.wrapping_sub(before.timestamp), stamp.marker), (160, n == 1));
        }
        let after = out.voice(1, 8_160 + 480, 160, 80 * MS);
        assert_eq!(after.timestamp.wrapping_sub(before.timestamp), 640);
    }
}
