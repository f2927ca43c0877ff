//! The jitter buffer: packets in as they come, pieces out as they are to be heard.
//!
//! ```text
//!            put: a packet whose turn has come
//!   Idle ──────────────────────────────────────▶ Playing
//!    ▲   silence or comfort noise                 │ │
//!    └────────────────────────────────────────────┘ │ nothing here: concealed, and the place is held
//!      a pause in the timestamps, comfort noise,    ▼
//!      or CONCEAL_MS without a packet            Playing, stalled
//! ```
//!
//! The playout delay is what lies between a packet's timestamp and the moment it is heard, on the scale of
//! [`Delay`]: base + what 98 % of packets need + at most a frame. It is chosen anew at every talk spurt. Within
//! one it grows by itself when a late packet is played late, and otherwise by what [`JitterBuffer::wish`] asks
//! of whoever holds the samples.

use super::delay::Delay;
use super::store::{Store, Waiting};
use super::timeline::Timeline;
use crate::codec::CodecKind;
use crate::rtp::Fields;

/// What is to be heard next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Decode it.
    Payload(&'a [u8]),
    /// Sound that did not come; invent `ticks` of it.
    Lost {
        /// RTP ticks.
        ticks: u32,
        /// The packet right after it, if that is here: it may tell of what was lost (RFC 7587 §3.3).
        next: Option<&'a [u8]>,
    },
    /// Between talk spurts without comfort noise, or before anything came.
    Silence {
        /// RTP ticks.
        ticks: u32,
    },
    /// Between talk spurts, after a packet of comfort noise (RFC 3389).
    Comfort {
        /// RTP ticks.
        ticks: u32,
        /// What the packet says; at most [`COMFORT_BYTES_MAX`].
        payload: &'a [u8],
    },
}

/// What came of the packets. Counters never go back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterStats {
    /// Packets that came after their turn, whether they could still be played or not.
    pub late: u64,
    /// Packets that were not played: they never came, or came too late.
    pub lost: u64,
    /// Packets that came after one behind them, in time.
    pub reordered: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets dropped because more than [`DELAY_MS_MAX`] had gathered, were too long, or lay nowhere near.
    pub dropped: u64,
    /// From arrival to being heard, in microseconds, averaged over some twenty packets.
    pub delay_us: u32,
    /// What packets at the path's best are made to wait, in microseconds.
    pub target_us: u32,
    /// Time inserted into the sound so far because the sender's clock is slow or jitter grew, in microseconds.
    pub stretched_us: u64,
    /// Time taken out of the sound so far because the sender's clock is fast or jitter fell, in microseconds.
    pub shrunk_us: u64,
}

/// Holds what a peer sent until its turn; gives out steady frames at the box's own clock.
#[derive(Debug)]
pub struct JitterBuffer {
    clock: u32,
    store: Store,
    stream: Option<Stream>,
    state: State,
    /// Ticks given out that are not heard yet; of [`JitterBuffer::take`] only.
    ahead: i64,
    comfort: Comfort,
    stats: JitterStats,
    /// Eighths of microseconds.
    delay: i64,
    /// Milliseconds that sound is held back at most beyond the path's best.
    most_ms: u32,
}

/// What is known of the peer's stream.
#[derive(Debug)]
struct Stream {
    timeline: Timeline,
    delay: Delay,
    /// Sequence number whose turn is next.
    next: i64,
    /// Timestamp of what is heard next.
    cursor: i64,
    /// Bit n: packet `next - 1 - n` was played.
    played: u64,
    /// The last piece was an invention in the place of the packets before the cursor.
    was_lost: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// `stalled`: ticks invented while the cursor stood still, because nothing was here.
    Playing {
        stalled: i64,
    },
}

/// The payload of the last packet of comfort noise.
#[derive(Clone, Copy, Debug, Default)]
struct Comfort {
    bytes: [u8; COMFORT_BYTES_MAX],
    len: usize,
}

/// Milliseconds of a frame.
pub const FRAME_MS: u32 = 20;

/// More than this, in milliseconds, is not held back; what has gathered beyond is dropped.
pub const DELAY_MS_MAX: u32 = 200;

/// Longest packet, in milliseconds: the longest of Opus (RFC 6716 §2.1.4).
pub const PACKET_MS_MAX: u32 = 120;

/// The payload type of comfort noise (RFC 3551 §6). Where another was agreed on, packets are put with this one.
pub const COMFORT_NOISE: u8 = 13;

/// Bytes of comfort noise that are kept: the level and ten coefficients.
pub const COMFORT_BYTES_MAX: usize = 11;

/// Sound that did not come is concealed for so long; after that the peer is taken to be silent.
const CONCEAL_MS: i64 = 120;

/// Timestamps this far, in milliseconds, from where they should be still follow each other.
const SEAM_MS: i64 = 5;

/// A talk spurt begins so much later than it must, in milliseconds, lest the delay be raised within it.
const GUARD_MS: i64 = 4;

impl JitterBuffer {
    /// Of a stream of this codec. The only allocation.
    pub fn new(codec: CodecKind) -> JitterBuffer {
        JitterBuffer {
            clock: codec.info().clock,
            store: Store::new(codec),
            stream: None,
            state: State::Idle,
            ahead: 0,
            comfort: Comfort::default(),
            stats: JitterStats::default(),
            delay: 0,
            most_ms: DELAY_MS_MAX,
        }
    }

    /// Holds sound back by so many milliseconds at most, whatever comes too late then.
    pub fn within(mut self, most_ms: u32) -> JitterBuffer {
        self.most_ms = most_ms.min(DELAY_MS_MAX);
        self
    }

    /// Takes a packet that came at `now` (nanoseconds) and lasts `duration` RTP ticks. Of comfort noise it has
    /// the payload type [`COMFORT_NOISE`]. A packet that only takes a sequence number, such as a telephone
    /// event, is put with a duration of 0.
    pub fn put(&mut self, fields: Fields, duration: u32, payload: &[u8], now: u64) {
        if duration > self.clock * PACKET_MS_MAX / 1_000 || !self.store.fits(payload) {
            self.stats.dropped += 1;
            return;
        }
        let arrival = self.ticks(now);
        let clock = self.clock;
        let duration = i64::from(duration);
        let Some(stream) = &mut self.stream else {
            let timeline = Timeline::new(fields, duration, arrival);
            let first = timeline.highest();
            self.stream = Some(Stream {
                timeline,
                delay: Delay::new(clock, arrival - first.timestamp, arrival, self.most_ms),
                next: first.sequence,
                cursor: first.timestamp,
                played: 0,
                was_lost: false,
            });
            self.keep(first, arrival, duration, fields.payload_type, payload);
            return;
        };
        let highest = stream.timeline.highest().sequence;
        let Some(place) = stream.timeline.place(fields, duration, arrival, clock) else {
            self.stats.dropped += 1;
            return;
        };
        let behind = stream.next - 1 - place.sequence;
        let was_played = (0..64).contains(&behind) && stream.played >> behind & 1 == 1;
        if was_played || self.store.get(place.sequence).is_some() {
            self.stats.duplicates += 1;
            return;
        }
        // Before the first packet's turn an earlier one may still take it.
        if self.state == State::Idle && stream.played == 0 && (0..8).contains(&behind) {
            stream.next = place.sequence;
        }
        let is_late = place.sequence < stream.next;
        let is_sound = duration > 0 && fields.payload_type != COMFORT_NOISE;
        if is_sound {
            stream.delay.learn(arrival - place.timestamp, arrival, is_late);
        }
        if is_late {
            self.stats.late += 1;
            return;
        }
        self.stats.reordered += u64::from(place.sequence < highest);
        self.keep(place, arrival, duration, fields.payload_type, payload);
    }

    fn keep(
        &mut self,
        place: super::timeline::Place,
        arrival: i64,
        duration: i64,
        payload_type: u8,
        payload: &[u8],
    ) {
        self.store.put(place, arrival, duration as u16, payload_type == COMFORT_NOISE, payload);
    }

    /// Gives out what is to be heard in the next [`FRAME_MS`]; called by the box's clock once in that time.
    /// Where a packet is longer than a frame, it comes whole and nothing comes until it has been heard.
    pub fn take(&mut self, now: u64, out: &mut impl FnMut(Piece<'_>)) {
        while self.ahead < self.frame() {
            self.ahead += self.pull(now, self.ahead, out);
        }
        self.ahead -= self.frame();
    }

    /// SSRC and path changed beyond what the stream itself tells: a new offer was answered.
    pub fn reset(&mut self) {
        self.store.clear();
        self.stream = None;
        self.state = State::Idle;
        self.comfort.len = 0;
    }

    /// How it went so far.
    pub fn stats(&self) -> JitterStats {
        let target = self.stream.as_ref().map_or(0, |s| s.delay.spread() + self.frame());
        JitterStats {
            delay_us: (self.delay / 8).clamp(0, i64::from(u32::MAX)) as u32,
            target_us: (target * 1_000_000 / i64::from(self.clock)) as u32,
            ..self.stats
        }
    }

    /// Bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        size_of::<JitterBuffer>() + self.store.bytes()
    }

    /// The next piece, when `ahead` ticks (less than a frame) are still to be heard before it. Returns how long
    /// it is, at least one tick.
    pub(super) fn pull(&mut self, now: u64, ahead: i64, out: &mut impl FnMut(Piece<'_>)) -> i64 {
        let at = self.ticks(now);
        loop {
            let Some(head) = self.head() else { return self.starve(ahead, out) };
            let (seam, conceal, guard) = (self.ms(SEAM_MS), self.ms(CONCEAL_MS), self.ms(GUARD_MS));
            let Some(stream) = &mut self.stream else { return self.starve(ahead, out) };
            if head.duration == 0 || head.is_comfort {
                self.pass(&head);
                continue;
            }
            let State::Playing { stalled } = self.state else {
                let needed = stream.delay.base() + stream.delay.spread() + guard;
                if at < head.place.timestamp + needed {
                    return self.starve(ahead, out);
                }
                stream.cursor = head.place.timestamp;
                stream.was_lost = false;
                self.state = State::Playing { stalled: 0 };
                continue;
            };
            let mut gap = head.place.timestamp - stream.cursor;
            let missing = head.place.sequence - stream.next;
            if stalled > 0 {
                // What was invented stands for what is missing; if nothing is, the packet is played late.
                let stood_for = gap.clamp(0, stalled);
                stream.cursor += stood_for;
                gap -= stood_for;
                self.stats.late += u64::from(missing == 0 && stood_for == 0);
                self.state = State::Playing { stalled: 0 };
            }
            if gap > conceal || (gap > seam && missing == 0 && !stream.was_lost) {
                self.state = State::Idle;
                continue;
            }
            if gap > seam {
                return self.give_lost(&head, gap, out);
            }
            if gap < -seam && stream.was_lost && missing == 0 {
                self.stats.late += 1;
                self.stats.lost += 1;
                stream.skip_to(head.place.sequence + 1);
                continue;
            }
            return self.give(&head, at + ahead, out);
        }
    }

    /// By how many ticks the sound before the next piece is best made shorter (positive) or longer (negative);
    /// 0: leave it. `ahead` as of [`JitterBuffer::pull`].
    pub(super) fn wish(&self, now: u64, ahead: i64) -> i64 {
        let (Some(stream), State::Playing { stalled: 0 }) = (&self.stream, self.state) else { return 0 };
        if ahead >= self.frame() {
            return 0;
        }
        // How long after its timestamp the next packet is pulled, and how long after it is heard.
        let pulled = self.ticks(now) - stream.cursor;
        let heard = pulled + ahead;
        let base = stream.delay.base();
        let shrink = heard - base - stream.delay.ceiling() - self.frame();
        if shrink > 0 {
            return shrink;
        }
        (pulled - base - stream.delay.spread()).min(0)
    }

    /// Whether the packet whose turn is next is here.
    pub(super) fn is_ready(&self) -> bool {
        let (Some(stream), State::Playing { stalled: 0 }) = (&self.stream, self.state) else { return false };
        self.store.get(stream.next).is_some_and(|w| {
            w.duration > 0 && !w.is_comfort && (w.place.timestamp - stream.cursor).abs() <= self.ms(SEAM_MS)
        })
    }

    /// The sound was made shorter or longer by so many ticks.
    pub(super) fn on_adjusted(&mut self, shrunk: i64) {
        let us = shrunk.unsigned_abs() * 1_000_000 / u64::from(self.clock);
        if shrunk > 0 {
            self.stats.shrunk_us += us;
        } else {
            self.stats.stretched_us += us;
        }
    }

    /// Ticks of a frame.
    pub(super) fn frame(&self) -> i64 {
        self.ms(i64::from(FRAME_MS))
    }

    /// The packet to be heard next, after those that have gathered beyond measure are dropped.
    fn head(&mut self) -> Option<Waiting> {
        let max = self.ms(i64::from(DELAY_MS_MAX));
        loop {
            let stream = self.stream.as_mut()?;
            let highest = stream.timeline.highest().sequence;
            let head = self.store.first(stream.next, highest)?;
            if stream.timeline.end() - head.place.timestamp <= max {
                return Some(head);
            }
            // What lies beyond a pause has not gathered; it waits its turn.
            let next = self.store.first(head.place.sequence + 1, highest);
            let is_pause = next.is_none_or(|n| {
                n.place.sequence == head.place.sequence + 1
                    && n.place.timestamp > head.place.timestamp + i64::from(head.duration) + self.frame()
            });
            if is_pause {
                return Some(head);
            }
            self.store.remove(head.place.sequence);
            let stream = self.stream.as_mut()?;
            stream.skip_to(head.place.sequence + 1);
            stream.cursor = head.place.timestamp + i64::from(head.duration);
            self.stats.dropped += 1;
            self.stats.lost += 1;
        }
    }

    /// Nothing to be heard: invented, silence, or noise, to the end of the frame.
    fn starve(&mut self, ahead: i64, out: &mut impl FnMut(Piece<'_>)) -> i64 {
        let missing = (self.frame() - ahead).max(1);
        let ticks = missing as u32;
        if let State::Playing { stalled } = &mut self.state {
            *stalled += missing;
            if *stalled <= CONCEAL_MS * i64::from(self.clock) / 1_000 {
                out(Piece::Lost { ticks, next: None });
                return missing;
            }
            self.state = State::Idle;
        }
        match self.comfort.len {
            0 => out(Piece::Silence { ticks }),
            len => out(Piece::Comfort { ticks, payload: &self.comfort.bytes[..len] }),
        }
        missing
    }

    /// A packet without sound has its turn.
    fn pass(&mut self, head: &Waiting) {
        if head.is_comfort {
            let payload = self.store.payload(head);
            let len = payload.len().min(COMFORT_BYTES_MAX);
            self.comfort.bytes[..len].copy_from_slice(&payload[..len]);
            self.comfort.len = len;
            self.state = State::Idle;
        }
        let Some(stream) = &mut self.stream else { return };
        self.stats.lost += stream.missing_before(head);
        stream.skip_to(head.place.sequence);
        stream.step();
    }

    fn give_lost(&mut self, head: &Waiting, gap: i64, out: &mut impl FnMut(Piece<'_>)) -> i64 {
        let seam = self.ms(SEAM_MS);
        let Some(stream) = &mut self.stream else { return 1 };
        let packet = i64::from(head.duration);
        let is_last = gap <= packet + seam;
        let ticks = if is_last { gap } else { packet };
        stream.cursor += ticks;
        stream.was_lost = true;
        let next = is_last.then(|| self.store.payload(head));
        out(Piece::Lost { ticks: ticks as u32, next });
        ticks
    }

    fn give(&mut self, head: &Waiting, heard: i64, out: &mut impl FnMut(Piece<'_>)) -> i64 {
        let waited = (heard - head.arrival) * 1_000_000 / i64::from(self.clock);
        self.delay += if self.delay == 0 { waited * 8 } else { (waited * 8 - self.delay) / 20 };
        self.comfort.len = 0;
        if let Some(stream) = &mut self.stream {
            self.stats.lost += stream.missing_before(head);
            stream.skip_to(head.place.sequence);
            stream.step();
            stream.cursor = head.place.timestamp + i64::from(head.duration);
            stream.was_lost = false;
        }
        out(Piece::Payload(self.store.payload(head)));
        i64::from(head.duration)
    }

    fn ms(&self, ms: i64) -> i64 {
        ms * i64::from(self.clock) / 1_000
    }

    fn ticks(&self, now: u64) -> i64 {
        let (s, ns) = (now / 1_000_000_000, now % 1_000_000_000);
        let clock = u64::from(self.clock);
        (s * clock + ns * clock / 1_000_000_000).cast_signed()
    }
}

impl Stream {
    fn missing_before(&self, head: &Waiting) -> u64 {
        (head.place.sequence - self.next).max(0).cast_unsigned()
    }

    /// Those before `sequence` have had their turn and were not played.
    fn skip_to(&mut self, sequence: i64) {
        let skipped = (sequence - self.next).clamp(0, 64) as u32;
        self.played = self.played.checked_shl(skipped).unwrap_or(0);
        self.next = self.next.max(sequence);
    }

    /// The next was played.
    fn step(&mut self) {
        self.played = self.played << 1 | 1;
        self.next += 1;
    }
}
