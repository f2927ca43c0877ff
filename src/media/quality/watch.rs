//! What is wrong with a leg, said within seconds and by name.
//!
//! Twice a second the watcher is told what came and went, and every 20 ms how loud both directions are. A fault
//! must last for two seconds to be told, so what a renegotiation stirs up is not; it is told once when it
//! begins and once when it has ended.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::CodecKind;
use crate::codec::coder::duration;

/// A fault of one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finding {
    /// We send, nothing comes.
    OneWay,
    /// What comes is digital silence.
    Silence,
    /// Most of what comes is of a payload type nobody agreed on, or has not the length of its codec.
    WrongCodec {
        /// The payload type that comes.
        payload_type: u8,
        /// What was agreed on.
        agreed: CodecKind,
    },
    /// Packets come, but not from the peer, and the peer is silent.
    WrongSource,
    /// What we send comes back.
    Echo {
        /// After so many milliseconds, in steps of 20.
        delay_ms: u16,
    },
}

/// A fault begins or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there.
    Began(Finding),
    /// It is gone.
    Ended(Finding),
}

/// What the session description says of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// What is to be received.
    pub codec: CodecKind,
    /// The peer may send: neither on hold nor `recvonly`.
    pub receives: bool,
    /// It also hears us: whoever has us on hold may well send nothing but silence.
    pub converses: bool,
    /// The peer may pause in silence: comfort noise or DTX was agreed on.
    pub pauses: bool,
}

/// What happened on a leg since the last time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Packets we sent.
    pub sent: u32,
    /// Packets of the peer that were taken.
    pub received: u32,
    /// Packets of the peer with a payload type nobody agreed on, or a length that [`is_misfit`].
    pub misfits: u32,
    /// Payload type of the last of them.
    pub misfit: u8,
    /// Packets of others.
    pub strangers: u32,
}

/// How loud 20 ms are: dB below full scale, 0 to 90.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u8);

/// Watches one leg.
#[derive(Clone, Debug)]
pub struct Watcher {
    agreed: Agreed,
    sent: Envelope,
    received: Envelope,
    /// Looks in a row that each fault has shown, in the order of [`Finding`].
    shown: [u8; FAULTS],
    told: [Option<Finding>; FAULTS],
    /// Frames of digital silence in a row.
    silent: u32,
    was_loud: bool,
    /// Half a second has passed since an echo was looked for.
    is_half: bool,
}

const FAULTS: usize = 5;

/// From one look to the next, in nanoseconds. A fault that begins right after one is told within three seconds.
pub(crate) const LOOK_NS: u64 = 500_000_000;

/// Looks in which a fault shows before it is told: 2 s.
const LOOKS: u8 = 4;

/// Likenesses of what is said to what is heard, one a second, that an echo shows in: of two who talk at once more of
/// them in a row are alike by chance where they are taken more often.
const LIKENESSES: u8 = 2;

/// A peer that may pause has gone only after so many: 10 s.
const PAUSE_LOOKS: u8 = 20;

/// Frames of silence until it is a fault: 2 s from a peer that was never heard. One that was heard before may
/// have pressed its mute button; that is worth a word after 10 s.
const SILENT_FRAMES: (u32, u32) = (100, 500);

/// Fewer packets from one look to the next are no stream.
const STREAM_PACKETS: u32 = 5;

impl Level {
    /// Digital silence.
    pub const SILENT: Level = Level(90);

    /// So many decibels (0–89) below full scale.
    pub const fn below_full_scale(db: u8) -> Level {
        assert!(db < Level::SILENT.0, "softer than silence");
        Level(db)
    }

    /// Whether it is louder than another.
    pub fn is_louder_than(self, other: Level) -> bool {
        self.0 < other.0
    }

    /// Of samples. A value that does not change is silence, too.
    pub fn of(pcm: &[i16]) -> Level {
        let (low, high) = pcm.iter().fold((i16::MAX, i16::MIN), |(low, high), &s| (low.min(s), high.max(s)));
        // The two zeros of A-law are 16 apart.
        if i32::from(high) - i32::from(low) <= 16 {
            return Level::SILENT;
        }
        // Few enough bits that squares of a frame and more add up in 32, whole at the soft end where they count.
        let shift = if low < -QUIET || high > QUIET { 5 } else { 0 };
        let energy =
            |pcm: &[i16]| pcm.iter().map(|s| i32::from(*s >> shift) * i32::from(*s >> shift)).sum::<i32>();
        let energy: i64 = pcm.chunks(CHUNK).map(|chunk| i64::from(energy(chunk))).sum();
        let full = (32_768 >> shift) as f32;
        let mean = energy as f32 / (pcm.len() as f32 * full * full);
        // A logarithm to base 2 costs a fraction of one to base 10.
        Level((-10.0 * std::f32::consts::LOG10_2 * mean.log2()).clamp(0.0, 89.0) as u8)
    }
}

/// Samples up to this value are squared as they are, and so many squares summed at a time: 2,047² · 512 < 2³¹.
const QUIET: i16 = 2_047;
const CHUNK: usize = 512;

impl Watcher {
    /// Of a leg that was just agreed on.
    pub fn new(agreed: Agreed) -> Watcher {
        Watcher {
            agreed,
            sent: Envelope::default(),
            received: Envelope::default(),
            shown: [0; FAULTS],
            told: [None; FAULTS],
            silent: 0,
            was_loud: false,
            is_half: false,
        }
    }

    /// Something else was agreed on. What was found is looked for anew.
    pub fn agree(&mut self, agreed: Agreed, tell: &mut impl FnMut(Change)) {
        for told in &mut self.told {
            if let Some(finding) = told.take() {
                tell(Change::Ended(finding));
            }
        }
        *self = Watcher { agreed, ..Watcher::new(agreed) };
    }

    /// How loud the last 20 ms were that we sent and that we heard. `received` is `None` when nothing came.
    pub fn on_frame(&mut self, sent: Level, received: Option<Level>) {
        self.sent.push(sent);
        self.received.push(received.unwrap_or(Level::SILENT));
        match received {
            Some(Level::SILENT) => self.silent += 1,
            Some(_) => (self.silent, self.was_loud) = (0, true),
            None => {}
        }
    }

    /// See [`crate::engine::MediaCore::glimpse`].
    #[inline]
    pub(crate) fn glimpse(&self) -> u64 {
        u64::from(self.silent) + (self.sent.next + self.received.next) as u64
    }

    /// How loud one of so many packets was, decoded alone, which leaves a murmur of silence. No echo is found so.
    pub fn on_glance(&mut self, received: Level, frames: u8) {
        if received.0 >= MURMUR {
            self.silent += u32::from(frames);
        } else {
            (self.silent, self.was_loud) = (0, true);
        }
    }

    /// Looks at what came and went since the last time, [`LOOK_NS`] ago.
    pub fn on_look(&mut self, seen: Seen, tell: &mut impl FnMut(Change)) {
        let receives = self.agreed.receives;
        let came = seen.received + seen.misfits;
        let missing = receives && came == 0 && seen.strangers < STREAM_PACKETS && seen.sent > 0;
        let patience = if self.agreed.pauses { PAUSE_LOOKS } else { LOOKS };
        self.judge(0, missing, patience, Finding::OneWay, tell);

        let limit = if self.was_loud { SILENT_FRAMES.1 } else { SILENT_FRAMES.0 };
        let is_silent = self.agreed.converses && self.silent >= limit && seen.received > 0;
        self.judge(1, is_silent, 1, Finding::Silence, tell);

        let wrong = seen.misfits >= STREAM_PACKETS && seen.misfits > seen.received;
        let finding = Finding::WrongCodec { payload_type: seen.misfit, agreed: self.agreed.codec };
        self.judge(2, wrong, LOOKS, finding, tell);

        let stranger = receives && came == 0 && seen.strangers >= STREAM_PACKETS;
        self.judge(3, stranger, LOOKS, Finding::WrongSource, tell);

        self.is_half = !self.is_half;
        if self.is_half {
            return;
        }
        // Where nobody talks nothing can be said.
        if let Some((delay_ms, likeness)) = self.sent.likeness(&self.received) {
            let least = if self.told[4].is_some() { LIKENESS.0 } else { LIKENESS.1 };
            self.judge(4, likeness >= least, LIKENESSES, Finding::Echo { delay_ms }, tell);
        }
    }

    fn judge(
        &mut self,
        fault: usize,
        shows: bool,
        patience: u8,
        finding: Finding,
        tell: &mut impl FnMut(Change),
    ) {
        if shows {
            self.shown[fault] = self.shown[fault].saturating_add(1);
            if self.shown[fault] >= patience && self.told[fault].is_none() {
                self.told[fault] = Some(finding);
                tell(Change::Began(finding));
            }
            return;
        }
        // Counted down, so that it is not over whenever it is unclear for a moment.
        self.shown[fault] = self.shown[fault].min(patience).saturating_sub(1);
        if self.shown[fault] == 0
            && let Some(finding) = self.told[fault].take()
        {
            tell(Change::Ended(finding));
        }
    }
}

/// Whether a payload has not the length of its codec: between it and the next of the stream lie `ticks`.
pub fn is_misfit(codec: CodecKind, payload: &[u8], ticks: u32) -> bool {
    duration(codec, payload) != ticks
}

/// The levels of the last seconds of one direction.
#[derive(Clone, Debug)]
struct Envelope {
    levels: [u8; FRAMES],
    next: usize,
    count: usize,
}

/// What is softer (−70 dB) may be silence, decoded from the middle.
const MURMUR: u8 = 70;

/// 2 s are compared, and what comes back may be 600 ms late.
const COMPARED: usize = 100;
const LAGS: usize = 31;
const FRAMES: usize = COMPARED + LAGS;

/// Two people who talk at once hardly resemble each other by 0.7 at the best of all lags; an echo is above 0.9.
/// Below the first it has ended, from the second on it is there.
const LIKENESS: (f32, f32) = (0.7, 0.85);

/// Speech is loud and soft by turns; what varies by less (standard deviation in dB) tells nothing.
const LIVELY: f32 = 6.0;

impl Default for Envelope {
    fn default() -> Envelope {
        Envelope { levels: [Level::SILENT.0; FRAMES], next: 0, count: 0 }
    }
}

impl Envelope {
    fn push(&mut self, level: Level) {
        // What is softer than −60 dB is all the same: the noise of a line.
        self.levels[self.next] = level.0.min(60);
        self.next = (self.next + 1) % FRAMES;
        self.count = (self.count + 1).min(FRAMES);
    }

    /// The last `N` levels, the latest last.
    fn latest<const N: usize>(&self) -> [i16; N] {
        let first = self.next + FRAMES - N;
        std::array::from_fn(|n| -i16::from(self.levels[(first + n) % FRAMES]))
    }

    /// After how many milliseconds `other` resembles this most, and how much; `None` where that says nothing.
    ///
    /// It is the correlation of deviations from the mean, each taken `COMPARED` times so that all sums are whole
    /// numbers: Σ(a − ā)(b − b̄) · n = n·Σab − Σa·Σb.
    fn likeness(&self, other: &Envelope) -> Option<(u16, f32)> {
        if self.count < COMPARED {
            return None;
        }
        let n = COMPARED as i32;
        // Of n times the norm.
        let least = LIVELY * COMPARED as f32;
        let norm = |sum: i32, squares: i32| ((n * squares - sum * sum) as f32).sqrt();
        let heard: [i16; COMPARED] = other.latest();
        let (heard_sum, heard_squares) = (sum(&heard), product(&heard, &heard));
        let heard_norm = norm(heard_sum, heard_squares);
        if heard_norm < least {
            return None;
        }
        let said: [i16; COMPARED + LAGS - 1] = self.latest();
        let newest = &said[LAGS - 1..];
        let (mut said_sum, mut said_squares) = (sum(newest), product(newest, newest));
        let mut best: Option<(usize, f32)> = None;
        for lag in 0..LAGS {
            let first = LAGS - 1 - lag;
            if lag > 0 {
                // A frame earlier: the last falls out at one end, another comes in at the other.
                let (comes, goes) = (i32::from(said[first]), i32::from(said[first + COMPARED]));
                said_sum += comes - goes;
                said_squares += comes * comes - goes * goes;
            }
            let norm = norm(said_sum, said_squares);
            let shared = n * product(&said[first..first + COMPARED], &heard) - said_sum * heard_sum;
            let likeness = shared as f32 / (norm * heard_norm).max(f32::MIN_POSITIVE);
            if norm >= least && best.is_none_or(|(_, most)| likeness > most) {
                best = Some((lag, likeness));
            }
        }
        best.map(|(lag, likeness)| (lag as u16 * 20, likeness))
    }
}

fn sum(levels: &[i16]) -> i32 {
    levels.iter().map(|level| i32::from(*level)).sum()
}

fn product(a: &[i16], b: &[i16]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::OneWay => f.write_str(
                "one-way audio: we send but nothing comes; the peer should send to the address and port we offered \
                 (a firewall or NAT on its side may block it)",
            ),
            Finding::Silence => f.write_str(
                "silence: packets come but carry no sound; the peer's microphone or its own far side should be heard",
            ),
            Finding::WrongCodec { payload_type, agreed } => write!(
                f,
                "wrong codec: what comes has payload type {payload_type} or a length that does not fit; \
                 {} was agreed on and should come",
                agreed.info().name
            ),
            Finding::WrongSource => f.write_str(
                "wrong source: packets come, but from an address that is not the peer's; they should come from the \
                 address in its session description or the one it was latched to",
            ),
            Finding::Echo { delay_ms } => write!(
                f,
                "echo: what we send comes back after {delay_ms} ms; the peer's device or its line should cancel it"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::*;

    const AGREED: Agreed = Agreed { codec: CodecKind::Pcmu, receives: true, converses: true, pauses: false };
    const GOOD: Seen = Seen { sent: 50, received: 50, misfits: 0, misfit: 0, strangers: 0 };

    /// Speech by its loudness: syllables and pauses.
    struct Speech {
        rng: Rng,
        left: u64,
        level: u8,
    }

    impl Speech {
        fn new(seed: u64) -> Speech {
            Speech { rng: Rng::seeded(seed), left: 0, level: 60 }
        }

        fn next(&mut self) -> u8 {
            if self.left == 0 {
                let is_pause = self.rng.chance(0.3);
                self.left = if is_pause { 5 + self.rng.below(25) } else { 4 + self.rng.below(10) };
                self.level = if is_pause { 62 } else { 15 + self.rng.below(20) as u8 };
            }
            self.left -= 1;
            self.level + self.rng.below(5) as u8
        }
    }

    /// Feeds seconds of constant levels, and of counters that are the same at each look; the changes, with the second
    /// they were told in.
    fn watch(
        watcher: &mut Watcher,
        seconds: u32,
        seen: Seen,
        mut levels: impl FnMut(u32) -> (Level, Option<Level>),
    ) -> Vec<(u32, Change)> {
        let mut changes = Vec::new();
        for look in 0..2 * seconds {
            for frame in 0..25 {
                let (sent, received) = levels(look * 25 + frame);
                watcher.on_frame(sent, received);
            }
            watcher.on_look(seen, &mut |change| changes.push((look / 2 + 1, change)));
        }
        changes
    }

    fn talk(seed: u64) -> impl FnMut(u32) -> (Level, Option<Level>) {
        let (mut us, mut them) = (Speech::new(seed), Speech::new(seed + 10_000));
        move |_| (Level(us.next()), Some(Level(them.next())))
    }

    #[test]
    fn levels_are_right_from_a_murmur_to_full_scale() {
        for len in [40usize, 160, 320, 1_000] {
            for (amplitude, db) in
                [(32_767, 0), (-32_768, 0), (16_384, 6), (2_048, 24), (2_047, 24), (100, 50), (10, 69)]
            {
                let pcm: Vec<i16> =
                    (0..len).map(|n| if n % 2 == 0 { amplitude } else { !amplitude }).collect();
                assert_eq!(Level::of(&pcm), Level(db), "{amplitude}, {len}");
            }
            assert_eq!(Level::of(&vec![30_000; len]), Level::SILENT);
        }
        assert_eq!(Level::of(&[]), Level::SILENT);
    }

    #[test]
    fn each_fault_is_told_once_within_three_seconds_and_when_it_is_over() {
        let wrong = Finding::WrongCodec { payload_type: 96, agreed: CodecKind::Pcmu };
        let cases = [
            (Seen { received: 0, ..GOOD }, Finding::OneWay),
            (Seen { received: 0, misfits: 50, misfit: 96, ..GOOD }, wrong),
            (Seen { received: 20, misfits: 30, misfit: 96, ..GOOD }, wrong),
            (Seen { received: 0, strangers: 50, ..GOOD }, Finding::WrongSource),
        ];
        for (seen, finding) in cases {
            let mut watcher = Watcher::new(AGREED);
            assert_eq!(watch(&mut watcher, 5, GOOD, talk(1)), []);
            assert_eq!(watch(&mut watcher, 20, seen, talk(2)), [(2, Change::Began(finding))]);
            assert_eq!(watch(&mut watcher, 20, GOOD, talk(3)), [(2, Change::Ended(finding))]);
        }
    }

    #[test]
    fn what_is_meant_to_be_is_no_fault() {
        let silent = Seen { received: 0, ..GOOD };
        let held = Agreed { receives: false, converses: false, ..AGREED };
        assert_eq!(watch(&mut Watcher::new(held), 30, silent, talk(1)), []);
        let pauses = Agreed { pauses: true, ..AGREED };
        assert_eq!(watch(&mut Watcher::new(pauses), 9, silent, talk(1)), []);
        assert_eq!(
            watch(&mut Watcher::new(pauses), 30, silent, talk(1)),
            [(10, Change::Began(Finding::OneWay))]
        );
        // Some stray packets, some of an old payload type.
        let strays = Seen { strangers: 200, misfits: 12, ..GOOD };
        assert_eq!(watch(&mut Watcher::new(AGREED), 30, strays, talk(1)), []);
        // We do not send either: nobody has begun.
        assert_eq!(watch(&mut Watcher::new(AGREED), 30, Seen::default(), talk(1)), []);
    }

    #[test]
    fn silence_is_told_soon_from_the_start_and_later_after_sound() {
        let began = Change::Began(Finding::Silence);
        let mute = |_| (Level(20), Some(Level::SILENT));
        let mut watcher = Watcher::new(AGREED);
        assert_eq!(watch(&mut watcher, 20, GOOD, mute), [(2, began)]);
        assert_eq!(watch(&mut watcher, 3, GOOD, talk(1)), [(1, Change::Ended(Finding::Silence))]);
        assert_eq!(watch(&mut watcher, 20, GOOD, mute), [(10, began)]);
        // Quiet is not silent.
        let quiet = |_| (Level(20), Some(Level(80)));
        assert_eq!(watch(&mut Watcher::new(AGREED), 30, GOOD, quiet), []);
    }

    #[test]
    fn an_echo_is_told_with_its_delay() {
        for lag in [0, 2, 10, 30] {
            for seed in 0..20 {
                let mut us = Speech::new(seed);
                let mut past = vec![60u8; lag];
                let mut rng = Rng::seeded(seed);
                let mut watcher = Watcher::new(AGREED);
                let echo = |_| {
                    let now = us.next();
                    past.push(now);
                    let back = past[past.len() - 1 - lag] + 12 + rng.below(5) as u8;
                    (Level(now), Some(Level(back.min(89))))
                };
                let changes = watch(&mut watcher, 10, GOOD, echo);
                let [(second, Change::Began(Finding::Echo { delay_ms }))] = changes[..] else {
                    panic!("{lag} {seed}: {changes:?}");
                };
                assert!(second <= 4, "{lag} {seed}: after {second} s");
                assert!(usize::from(delay_ms).abs_diff(lag * 20) <= 20, "{lag} {seed}: {delay_ms}");
                let ended = Change::Ended(Finding::Echo { delay_ms });
                assert_eq!(watch(&mut watcher, 10, GOOD, talk(seed)).first().map(|c| c.1), Some(ended));
            }
        }
    }

    #[test]
    fn two_who_talk_at_once_are_no_echo() {
        for seed in 0..300 {
            assert_eq!(watch(&mut Watcher::new(AGREED), 60, GOOD, talk(seed)), [], "{seed}");
        }
        // Nor are two constant tones, or the noise of two lines.
        assert_eq!(watch(&mut Watcher::new(AGREED), 60, GOOD, |_| (Level(20), Some(Level(20)))), []);
        let mut rng = Rng::seeded(1);
        let noise = |_| (Level(50 + rng.below(6) as u8), Some(Level(50 + rng.below(6) as u8)));
        assert_eq!(watch(&mut Watcher::new(AGREED), 60, GOOD, noise), []);
    }

    #[test]
    fn levels_and_misfits() {
        assert_eq!(Level::of(&[0; 160]), Level::SILENT);
        assert_eq!(Level::of(&[8, -8, 8, -8]), Level::SILENT);
        assert_eq!(Level::of(&[500; 160]), Level::SILENT);
        assert_eq!(Level::of(&[i16::MAX, i16::MIN]), Level(0));
        assert_eq!(Level::of(&[3_277, -3_277]), Level(19));
        assert!(is_misfit(CodecKind::Pcmu, &[0; 20], 160) && !is_misfit(CodecKind::Pcmu, &[0; 160], 160));
    }

    #[test]
    fn a_new_agreement_begins_anew() {
        let mut watcher = Watcher::new(AGREED);
        watch(&mut watcher, 5, Seen { received: 0, ..GOOD }, talk(1));
        let mut changes = Vec::new();
        watcher.agree(Agreed { receives: false, converses: false, ..AGREED }, &mut |c| changes.push(c));
        assert_eq!(changes, [Change::Ended(Finding::OneWay)]);
        assert!(Finding::OneWay.to_string().starts_with("one-way audio"));
    }
}
