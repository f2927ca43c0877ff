//! Telephone events (RFC 4733): hearing keys once each, and pressing them.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |     event     |E|R| volume    |          duration             |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! All packets of one key press carry the timestamp of its start. That, not the end bit or the marker, is what
//! tells two presses apart, so nothing is heard twice and nothing waits for a packet that may be lost.

use crate::rtp::timestamp_distance;

/// The payload of a telephone event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// 0–9, 10 `*`, 11 `#`, 12–15 `A`–`D`; others are not keys.
    pub code: u8,
    /// The event is over.
    pub end: bool,
    /// Power below 0 dBm0 in dB, 0–63.
    pub volume: u8,
    /// How long it has lasted, in samples.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Reads a payload; `None` when it is too short to be one. Further events in one payload (RFC 4733 §2.6
    /// forbids them for keys) are not looked at.
    pub fn read(payload: &[u8]) -> Option<TelephoneEvent> {
        let bytes: &[u8; 4] = payload.first_chunk()?;
        Some(TelephoneEvent {
            code: bytes[0],
            end: bytes[1] & 0x80 != 0,
            volume: bytes[1] & 0x3F,
            duration: u16::from_be_bytes([bytes[2], bytes[3]]),
        })
    }

    /// The payload.
    pub fn write(self) -> [u8; 4] {
        let duration = self.duration.to_be_bytes();
        [self.code, (u8::from(self.end) << 7) | (self.volume & 0x3F), duration[0], duration[1]]
    }
}

/// The key of an event code.
pub fn digit(code: u8) -> Option<char> {
    KEYS.get(usize::from(code)).map(|&key| char::from(key))
}

/// The event code of a key.
pub fn code(digit: char) -> Option<u8> {
    KEYS.iter().position(|&key| char::from(key) == digit.to_ascii_uppercase()).map(|n| n as u8)
}

const KEYS: [u8; 16] = *b"0123456789*#ABCD";

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressed {
    /// The key.
    pub digit: char,
    /// Milliseconds it had been pressed when the first packet about it came.
    pub ms: u32,
}

/// The clock in which [`Sender`] counts, in Hz: that of telephone events to begin with (RFC 4733 §2.1).
pub const CLOCK: u32 = 8_000;

/// Hears keys.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Of timestamps and of durations, in Hz. They differ where a peer offers events at 8 kHz beside Opus.
    clock: u32,
    event_clock: u32,
    last: Option<Last>,
}

impl Default for Receiver {
    /// Both clocks at 8 kHz.
    fn default() -> Receiver {
        Receiver { clock: CLOCK, event_clock: CLOCK, last: None }
    }
}

/// The last key press heard of.
#[derive(Clone, Copy, Debug)]
struct Last {
    code: u8,
    start: u32,
    /// In ticks of the timestamps' clock.
    duration: u32,
    is_over: bool,
    /// When its first and its last packet came, in nanoseconds.
    began: u64,
    at: u64,
}

/// A start this close behind the known end of the same key is no second press: people and dialers leave at
/// least 40 ms between two.
const GAP_MS: u32 = 20;

/// Starts this far behind (a segment and some) are of the past if they come soon after, and else of a sender
/// that began anew.
const PAST_MS: u32 = 8_750;
const PAST_NS: u64 = 2_000_000_000;

/// A key that is told to have lasted so many milliseconds more than twice the time it has been heard of is counted
/// in another clock.
const LEARN_MS: u64 = 150;

/// While packets of a key come in steps no longer than this, the key is pressed.
const PRESSED_NS: u64 = 100_000_000;

impl Receiver {
    /// Takes an event packet; answers with the key when this is the first that tells of it.
    pub fn on_packet(&mut self, event: TelephoneEvent, timestamp: u32, now: u64) -> Option<Pressed> {
        let digit = digit(event.code)?;
        self.learn_clock(event, timestamp, now);
        let duration = self.ticks(u32::from(event.duration));
        let (gap, past, segment) = (self.ms(GAP_MS), self.ms(PAST_MS), self.ticks(0xFFFF));
        if let Some(last) = &mut self.last {
            let after = timestamp_distance(timestamp, last.start);
            let soon = now.saturating_sub(last.at) < PAST_NS;
            let reach = i64::from(last.duration) + gap;
            let same = soon && event.code == last.code;
            let goes_on = same && after > 0 && (after < reach || after == i64::from(segment));
            if after == 0 && (soon || event.code == last.code) || goes_on {
                // A long key comes in segments (RFC 4733 §2.5.1.3), each with a start of its own, and some
                // senders move the start with every packet: follow it.
                if after > 0 {
                    (last.start, last.duration) = (timestamp, 0);
                }
                last.duration = last.duration.max(duration);
                last.is_over |= event.end;
                last.at = now;
                return None;
            }
            if (-past..0).contains(&after) && soon {
                return None;
            }
        }
        let (start, is_over) = (timestamp, event.end);
        self.last = Some(Last { code: event.code, start, duration, is_over, began: now, at: now });
        Some(Pressed { digit, ms: (u64::from(event.duration) * 1_000 / u64::from(self.event_clock)) as u32 })
    }

    /// Whether sound of this timestamp belongs to the time of a key whose packets are coming.
    #[inline]
    pub fn covers(&self, timestamp: u32, now: u64) -> bool {
        let Some(last) = &self.last else { return false };
        let after = timestamp_distance(timestamp, last.start);
        let is_pressed = !last.is_over && now.saturating_sub(last.at) < PRESSED_NS;
        let soon = now.saturating_sub(last.at) < PAST_NS;
        soon && after >= 0 && (is_pressed || after < i64::from(last.duration))
    }

    /// A new source speaks, its timestamps and durations in these clocks, in Hz: they have nothing to do with the
    /// old ones.
    pub fn reset(&mut self, clock: u32, event_clock: u32) {
        *self = Receiver { clock: clock.max(1), event_clock: event_clock.max(1), last: None };
    }

    /// The clock in which the sender counts durations, in Hz.
    pub fn event_clock(&self) -> u32 {
        self.event_clock
    }

    /// Beside Opus some agree on events at 8 kHz and count them at 48 kHz all the same: a key cannot have lasted
    /// much longer than its packets have been coming.
    fn learn_clock(&mut self, event: TelephoneEvent, timestamp: u32, now: u64) {
        let Some(last) = self.last.as_ref().filter(|last| last.start == timestamp) else { return };
        let told_ms = u64::from(event.duration) * 1_000 / u64::from(self.event_clock);
        let seen_ms = now.saturating_sub(last.began) / 1_000_000;
        if self.event_clock < self.clock && told_ms > 2 * seen_ms + LEARN_MS {
            self.event_clock = self.clock;
        }
    }

    /// A duration in ticks of the timestamps.
    fn ticks(&self, duration: u32) -> u32 {
        (u64::from(duration) * u64::from(self.clock) / u64::from(self.event_clock)) as u32
    }

    fn ms(&self, ms: u32) -> i64 {
        i64::from(ms) * i64::from(self.clock) / 1_000
    }
}

/// What to send in one 20 ms tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// An event packet.
    Event {
        /// The payload.
        event: TelephoneEvent,
        /// Which of the key's packets it is.
        place: Place,
    },
    /// Nothing, between two keys.
    Gap,
    /// A pause of `w` or `W`.
    Pause,
    /// All is sent.
    Done,
}

/// Which of a key's packets one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Has the marker and picks the timestamp.
    First,
    /// Says that the key is still pressed, or released.
    Middle,
    /// Says once more that it was released.
    Copy,
}

/// Presses keys: 100 ms each with 60 ms between them, the gap of 50 ms rounded up to whole packets. The end is
/// sent three times (RFC 4733 §2.5.1.4), the copies in the gap.
#[derive(Clone, Debug)]
pub struct Sender {
    digits: String,
    /// Byte of `digits` whose turn it is.
    at: usize,
    /// Ticks its step has taken.
    tick: u16,
}

/// Ticks of 20 ms that a key is pressed.
const PRESS_TICKS: u16 = 5;
/// Ticks from one key to the next.
const KEY_TICKS: u16 = 8;
/// How often the end is sent.
const ENDS: u16 = 3;
/// Samples of one tick.
const TICK_SAMPLES: u16 = 160;
/// −10 dBm0, what telephones send.
const VOLUME: u8 = 10;

/// Keys and pauses one command may hold; more are not sent.
pub const DIGITS_MAX: usize = 1_024;

impl Sender {
    /// Sends `0`–`9`, `A`–`D`, `*`, `#`; `w` waits half a second, `W` a second; anything else is left out.
    pub fn new(mut digits: String) -> Sender {
        digits.retain(|c| code(c).is_some() || matches!(c, 'w' | 'W'));
        digits.truncate(DIGITS_MAX);
        Sender { digits, at: 0, tick: 0 }
    }

    /// What this tick sends.
    pub fn tick(&mut self) -> Tick {
        let Some(&byte) = self.digits.as_bytes().get(self.at) else { return Tick::Done };
        let tick = self.tick;
        self.tick += 1;
        let length = match byte {
            b'w' => 25,
            b'W' => 50,
            _ => KEY_TICKS,
        };
        if self.tick == length {
            self.at += 1;
            self.tick = 0;
        }
        match code(char::from(byte)) {
            None => Tick::Pause,
            Some(_) if tick >= PRESS_TICKS + ENDS - 1 => Tick::Gap,
            Some(code) => Tick::Event {
                event: TelephoneEvent {
                    code,
                    end: tick >= PRESS_TICKS - 1,
                    volume: VOLUME,
                    duration: (tick + 1).min(PRESS_TICKS) * TICK_SAMPLES,
                },
                place: match tick {
                    0 => Place::First,
                    1..PRESS_TICKS => Place::Middle,
                    _ => Place::Copy,
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::*;

    const MS: u64 = 1_000_000;

    fn event(code: u8, duration: u16, end: bool) -> TelephoneEvent {
        TelephoneEvent { code, end, volume: 10, duration }
    }

    /// The packets of keys as a phone sends them: (arrival, timestamp, event).
    fn pressed(keys: &str, press_ms: u64, gap_ms: u64) -> Vec<(u64, u32, TelephoneEvent)> {
        let mut packets = Vec::new();
        let mut now = 1_000 * MS;
        for key in keys.chars() {
            let code = code(key).unwrap();
            let start = (now / MS * 8) as u32;
            let count = press_ms / 20;
            for n in 1..=count + 2 {
                let duration = (n.min(count) * 160) as u16;
                packets.push((now + n * 20 * MS, start, event(code, duration, n >= count)));
            }
            now += (press_ms + gap_ms) * MS;
        }
        packets.sort_by_key(|p| p.0);
        packets
    }

    fn heard(packets: &[(u64, u32, TelephoneEvent)]) -> String {
        let mut receiver = Receiver::default();
        packets
            .iter()
            .filter_map(|&(at, ts, event)| receiver.on_packet(event, ts, at))
            .map(|p| p.digit)
            .collect()
    }

    #[test]
    fn every_key_is_heard_once_at_its_first_packet() {
        assert_eq!(heard(&pressed("0123456789*#ABCD", 100, 60)), "0123456789*#ABCD");
        let mut receiver = Receiver::default();
        assert_eq!(receiver.on_packet(event(5, 160, false), 8, 0), Some(Pressed { digit: '5', ms: 20 }));
    }

    #[test]
    fn the_same_key_again_is_another_press() {
        assert_eq!(heard(&pressed("1111", 40, 40)), "1111");
        assert_eq!(heard(&pressed("55", 200, 3_000)), "55");
    }

    #[test]
    fn a_missing_end_does_not_matter() {
        let mut packets = pressed("1122", 100, 60);
        packets.retain(|p| !p.2.end);
        assert_eq!(heard(&packets), "1122");
    }

    #[test]
    fn one_packet_of_a_key_is_enough() {
        for n in 0..7 {
            let packets: Vec<_> = pressed("907", 100, 80).chunks(7).map(|key| key[n]).collect();
            assert_eq!(heard(&packets), "907", "only packet {n} of each");
        }
    }

    #[test]
    fn nothing_lost_doubled_or_reordered_doubles_a_key() {
        for seed in 0..2_000 {
            let mut rng = Rng::seeded(seed);
            let mut packets = Vec::new();
            let keys = "1223334444#";
            for (at, ts, event) in pressed(keys, 100, 60) {
                if rng.chance(0.3) {
                    continue;
                }
                let copies = if rng.chance(0.2) { 2 } else { 1 };
                for _ in 0..copies {
                    packets.push((at + rng.below(60) * MS, ts, event));
                }
            }
            packets.sort_by_key(|p| p.0);
            let heard = heard(&packets);
            let mut left = keys.chars();
            assert!(heard.chars().all(|h| left.any(|k| k == h)), "seed {seed}: {heard}");
            // Seven packets a key: one key in 4,600 may be lost altogether.
            assert!(heard.len() >= keys.len() - 1, "seed {seed}: {heard}");
        }
    }

    #[test]
    fn a_key_held_for_minutes_is_one_key() {
        let mut packets = Vec::new();
        for n in 1..=6_000u64 {
            let samples = n * 160;
            let segment = (samples - 1) / 0xFFFF;
            let start = (segment * 0xFFFF) as u32;
            packets.push((n * 20 * MS, start, event(7, (samples - segment * 0xFFFF) as u16, n == 6_000)));
        }
        assert_eq!(heard(&packets), "7");
        // Neighbours swapped, also across segments.
        let mut swapped = packets.clone();
        swapped.chunks_exact_mut(2).for_each(|pair| (pair[0].0, pair[1].0) = (pair[1].0, pair[0].0));
        swapped.sort_by_key(|p| p.0);
        assert_eq!(heard(&swapped), "7");
        // The last packets of every segment lost.
        packets.retain(|p| p.2.duration < 60_000);
        assert_eq!(heard(&packets), "7");
    }

    #[test]
    fn a_sender_that_moves_the_timestamp_is_forgiven() {
        let packets: Vec<_> = (0..10u64)
            .map(|n| (n * 20 * MS, n as u32 * 160, event(3, ((n + 1) * 160) as u16, n > 7)))
            .collect();
        assert_eq!(heard(&packets), "3");
    }

    #[test]
    fn a_sender_that_begins_anew_is_heard() {
        let mut receiver = Receiver::default();
        assert!(receiver.on_packet(event(1, 160, false), 5_000_000, 0).is_some());
        assert!(receiver.on_packet(event(2, 160, false), 100, 500 * MS).is_some());
        assert!(receiver.on_packet(event(2, 160, false), 90, 60_000 * MS).is_some());
    }

    #[test]
    fn what_is_not_a_key_is_not_heard() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.on_packet(event(16, 160, false), 0, 0), None); // flash
        assert_eq!(TelephoneEvent::read(&[1, 2, 3]), None);
    }

    #[test]
    fn a_payload_survives_its_bytes() {
        let event = event(11, 0xABCD, true);
        assert_eq!(event.write(), [11, 0x8A, 0xAB, 0xCD]);
        assert_eq!(TelephoneEvent::read(&event.write()), Some(event));
    }

    #[test]
    fn keys_are_pressed_as_the_rfc_says() {
        let mut sender = Sender::new("1w#".to_owned());
        let mut ticks = Vec::new();
        loop {
            match sender.tick() {
                Tick::Done => break,
                tick => ticks.push(tick),
            }
        }
        assert_eq!(ticks.len(), 8 + 25 + 8);
        let durations: Vec<_> = ticks[..7]
            .iter()
            .map(|t| match t {
                Tick::Event { event, place } => (event.code, event.duration, event.end, *place),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            durations,
            [
                (1, 160, false, Place::First),
                (1, 320, false, Place::Middle),
                (1, 480, false, Place::Middle),
                (1, 640, false, Place::Middle),
                (1, 800, true, Place::Middle),
                (1, 800, true, Place::Copy),
                (1, 800, true, Place::Copy),
            ]
        );
        assert_eq!((ticks[7], ticks[8], ticks[32]), (Tick::Gap, Tick::Pause, Tick::Pause));
        assert!(matches!(
            ticks[33],
            Tick::Event { event: TelephoneEvent { code: 11, .. }, place: Place::First }
        ));
    }

    #[test]
    fn what_we_press_we_hear() {
        let mut sender = Sender::new("0123456789*#abcdxW9".to_owned());
        let mut packets = Vec::new();
        let mut start = 0;
        for n in 0.. {
            match sender.tick() {
                Tick::Event { event, place } => {
                    if place == Place::First {
                        start = n * 160;
                    }
                    packets.push((u64::from(n) * 20 * MS, start, event));
                }
                Tick::Done => break,
                Tick::Gap | Tick::Pause => {}
            }
        }
        assert_eq!(heard(&packets), "0123456789*#ABCD9");
    }

    #[test]
    fn durations_in_the_streams_clock_are_understood_whatever_was_agreed_on() {
        let mut receiver = Receiver::default();
        receiver.reset(48_000, 8_000);
        let mut heard = String::new();
        // Three presses of 100 ms, 150 ms apart, counted at 48 kHz.
        for press in 0..3u64 {
            let start = (press * 250 * 48) as u32;
            for n in 1..=7u64 {
                let duration = (n.min(5) * 960) as u16;
                let now = (press * 250 + n * 20) * MS;
                heard.extend(receiver.on_packet(event(5, duration, n >= 5), start, now).map(|key| key.digit));
            }
        }
        assert_eq!((heard.as_str(), receiver.event_clock()), ("555", 48_000));
    }
}
