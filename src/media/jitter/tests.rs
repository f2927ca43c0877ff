//! The ear on a simulated wire: hours of talk in seconds.

use std::f64::consts::TAU;

use base::Rng;

use super::*;
use crate::codec::CodecKind;
use crate::codec::coder::{Encoder, PAYLOAD_MAX};
use crate::negotiated::OpusParameters;
use crate::rtp::Fields;
use crate::tone::goertzel_power;

const MS: u64 = 1_000_000;

/// How a wire treats packets.
#[derive(Clone, Copy)]
enum Jitter {
    None,
    /// Standard deviation in ms.
    Normal(f64),
    /// Median and heaviness (smaller is heavier) in ms, at most 150.
    Pareto(f64, f64),
}

/// A sender of one tone, and the wire.
#[derive(Clone)]
struct Wire {
    seed: u64,
    codec: CodecKind,
    packet_ms: u64,
    seconds: u64,
    jitter: Jitter,
    /// Share lost, and of those lost how many begin a burst of five.
    loss: f64,
    bursts: f64,
    /// Share held up by 25 ms.
    reorder: f64,
    double: f64,
    /// The sender's clock is so much faster.
    ppm: i64,
    /// Milliseconds of talk and of silence in turns, in which nothing is sent.
    spurts: Option<(u64, u64)>,
    /// What the listener waits for at most.
    most_ms: u32,
    sequence: u16,
    timestamp: u32,
    /// A whole number.
    hz: f64,
    /// (at second, what changes).
    events: Vec<(u64, Change)>,
}

#[derive(Clone, Copy)]
enum Change {
    Timestamp(u32),
    Sequence(u16),
    Ssrc,
    /// The path becomes longer by so many ms.
    Path(u64),
}

struct Packet {
    arrival: u64,
    fields: Fields,
    payload: Vec<u8>,
}

/// What was heard.
struct Outcome {
    pcm: Vec<i16>,
    heard: Vec<Heard>,
    stats: JitterStats,
    rate: u32,
    /// Measured delay of every second, in ms.
    delays: Vec<f64>,
    /// 98th percentile of what packets took longer than the fastest.
    percentile: f64,
    /// The 99th.
    higher: f64,
    /// What they took longer on average.
    mean: f64,
}

impl Default for Wire {
    fn default() -> Wire {
        Wire {
            seed: 1,
            codec: CodecKind::Pcmu,
            packet_ms: 20,
            seconds: 60,
            jitter: Jitter::None,
            loss: 0.0,
            bursts: 0.0,
            reorder: 0.0,
            double: 0.0,
            ppm: 0,
            spurts: None,
            most_ms: DELAY_MS_MAX,
            sequence: 65_000,
            timestamp: u32::MAX - 50_000,
            hz: 440.0,
            events: Vec::new(),
        }
    }
}

impl Wire {
    fn packets(&self) -> (Vec<Packet>, Vec<u64>) {
        let mut rng = Rng::seeded(self.seed);
        let info = self.codec.info();
        let mut encoder = Encoder::new(self.codec, info.rate, OpusParameters::default());
        let samples = (u64::from(info.rate) * self.packet_ms / 1_000) as usize;
        let ticks = (u64::from(info.clock) * self.packet_ms / 1_000) as u32;
        let (mut sequence, mut timestamp, mut ssrc, mut path) =
            (self.sequence, self.timestamp, 1, 5_000 * MS + rng.below(20 * MS));
        let (mut packets, mut delays) = (Vec::new(), Vec::new());
        let mut burst = 0;
        let second: Vec<i16> = (0..info.rate as usize).map(|n| self.sample(n, info.rate)).collect();
        let mut payload = [0; PAYLOAD_MAX];
        for n in 0..self.seconds * 1_000 / self.packet_ms {
            let sent_ms = n * self.packet_ms;
            // A fast clock sends the same sooner.
            let sent = (i128::from(sent_ms * MS) * 1_000_000 / i128::from(1_000_000 + self.ppm)) as u64;
            for (_, change) in self.events.iter().filter(|(at, _)| at * 1_000 == sent_ms) {
                match change {
                    Change::Timestamp(by) => timestamp = timestamp.wrapping_add(*by),
                    Change::Sequence(by) => sequence = sequence.wrapping_add(*by),
                    Change::Ssrc => (ssrc, sequence, timestamp) = (ssrc + 1, rng.u32() as u16, rng.u32()),
                    Change::Path(ms) => path += ms * MS,
                }
            }
            let at = n as usize * samples;
            timestamp = timestamp.wrapping_add(ticks);
            if self.spurts.is_some_and(|(talk, pause)| sent_ms % (talk + pause) >= talk) {
                continue;
            }
            sequence = sequence.wrapping_add(1);
            let pcm: Vec<i16> = (at..at + samples).map(|n| second[n % second.len()]).collect();
            let len = encoder.encode(&pcm, &mut payload);
            if burst == 0 && rng.chance(self.loss) {
                burst = if rng.chance(self.bursts) { 5 } else { 1 };
            }
            if burst > 0 {
                burst -= 1;
                continue;
            }
            let held = self.held(&mut rng) + if rng.chance(self.reorder) { 25 * MS } else { 0 };
            delays.push(held);
            let fields = Fields { sequence, timestamp, ssrc, ..Fields::default() };
            for _ in 0..if rng.chance(self.double) { 2 } else { 1 } {
                packets.push(Packet {
                    arrival: path + sent + held,
                    fields,
                    payload: payload[..len].to_vec(),
                });
            }
        }
        packets.sort_by_key(|p| p.arrival);
        (packets, delays)
    }

    fn sample(&self, n: usize, rate: u32) -> i16 {
        (8_000.0 * (TAU * self.hz * n as f64 / f64::from(rate)).sin()) as i16
    }

    fn held(&self, rng: &mut Rng) -> u64 {
        let mut uniform = || (rng.below(1 << 53) as f64 + 0.5) / (1u64 << 53) as f64;
        let ms = match self.jitter {
            Jitter::None => 0.0,
            Jitter::Normal(deviation) => {
                let normal = (-2.0 * uniform().ln()).sqrt() * (TAU * uniform()).cos();
                (4.0 * deviation + deviation * normal).max(0.0)
            }
            Jitter::Pareto(scale, shape) => (scale * (uniform().powf(-1.0 / shape) - 1.0)).min(150.0),
        };
        (ms * MS as f64) as u64
    }

    fn listen(&self) -> Outcome {
        let mut ear = Ear::new(self.codec, self.codec.info().rate).within(self.most_ms);
        let rate = ear.rate();
        let mut frame = vec![0; ear.frame_samples()];
        let (packets, mut held) = self.packets();
        let mut outcome = Outcome {
            pcm: Vec::new(),
            heard: Vec::new(),
            stats: JitterStats::default(),
            rate,
            delays: Vec::new(),
            percentile: 0.0,
            higher: 0.0,
            mean: 0.0,
        };
        let mut packets = packets.into_iter().peekable();
        // A fast sender has said it all earlier.
        let end =
            5_000 * MS + self.seconds * 1_000 * MS * 1_000_000 / (1_000_000 + self.ppm.max(0).unsigned_abs());
        let mut now = 5_000 * MS;
        while now < end {
            while let Some(packet) = packets.next_if(|p| p.arrival <= now) {
                ear.put(packet.fields, &packet.payload, packet.arrival);
            }
            outcome.heard.push(ear.take(now, &mut frame));
            outcome.pcm.extend_from_slice(&frame);
            now += 20 * MS;
            if (now / MS).is_multiple_of(1_000) {
                outcome.delays.push(f64::from(ear.stats().delay_us) / 1_000.0);
            }
        }
        held.sort_unstable();
        let ms = |ns: u64| (ns - held[0]) as f64 / MS as f64;
        outcome.percentile = ms(held[held.len() * 98 / 100]);
        outcome.higher = ms(held[held.len() * 99 / 100]);
        outcome.mean = held.iter().map(|ns| ms(*ns)).sum::<f64>() / held.len() as f64;
        outcome.stats = ear.stats();
        outcome
    }
}

impl Outcome {
    /// Share of frames from second `from` on that are not what was sent.
    fn missing(&self, from: usize) -> f64 {
        let frames = &self.heard[from * 50..];
        frames.iter().filter(|h| **h != Heard::Sound).count() as f64 / frames.len() as f64
    }

    /// Added to a packet at the path's best, in ms, averaged from second `from` on.
    fn added(&self, from: usize) -> f64 {
        let delays = &self.delays[from..];
        delays.iter().sum::<f64>() / delays.len() as f64 + self.mean
    }

    /// Steps between two samples that a tone so loud and high does not make.
    fn clicks(&self, hz: f64, from: usize) -> usize {
        let steepest = 8_000.0 * TAU * hz / f64::from(self.rate) * 1.6 + 200.0;
        self.pcm[from * self.rate as usize..]
            .windows(2)
            .filter(|w| (f64::from(w[0]) - f64::from(w[1])).abs() > steepest)
            .count()
    }

    /// The least share of the tone in any 100 ms.
    fn purity(&self, hz: f64, from: usize) -> f64 {
        self.pcm[from * self.rate as usize..]
            .chunks_exact(self.rate as usize / 10)
            .map(|chunk| goertzel_power(chunk, self.rate, hz))
            .fold(1.0, f64::min)
    }
}

#[test]
fn a_good_path_is_heard_whole_a_packet_later() {
    for codec in [CodecKind::Pcmu, CodecKind::Pcma, CodecKind::L16Wide, CodecKind::G722, CodecKind::Opus] {
        for packet_ms in [10, 20, 30, 40, 60] {
            for seed in 0..3 {
                let wire = Wire { codec, packet_ms, seed, seconds: 20, ..Wire::default() };
                let heard = wire.listen();
                let what = format!("{codec:?} {packet_ms} ms, {seed}: {:?}", heard.stats);
                assert_eq!(heard.pcm.len(), 20 * heard.rate as usize, "{what}");
                assert_eq!((heard.stats.late, heard.stats.lost, heard.stats.dropped), (0, 0, 0), "{what}");
                assert_eq!(heard.missing(1), 0.0, "{what}");
                assert!(heard.added(5) <= 24.0 + packet_ms as f64 / 2.0, "{what}");
                assert_eq!(heard.clicks(440.0, 1), 0, "{what}");
                assert!(heard.purity(440.0, 3) > 0.9, "{what}: {}", heard.purity(440.0, 3));
            }
        }
    }
}

#[test]
fn the_delay_follows_the_98th_percentile_of_jitter() {
    let cases = [
        ("5 ms", Jitter::Normal(5.0)),
        ("10 ms", Jitter::Normal(10.0)),
        ("30 ms", Jitter::Normal(30.0)),
        ("pareto", Jitter::Pareto(5.0, 2.0)),
        ("heavy pareto", Jitter::Pareto(10.0, 1.5)),
    ];
    for (what, jitter) in cases {
        for seed in 0..4 {
            let heard = Wire { jitter, seed, seconds: 120, ..Wire::default() }.listen();
            let what = format!(
                "{what} {seed}: p98 {:.0}, added {:.0}, missing {:.3}, {:?}",
                heard.percentile,
                heard.added(20),
                heard.missing(20),
                heard.stats
            );
            assert!(heard.missing(20) < 0.03, "{what}");
            assert!(heard.added(20) > heard.percentile * 0.8, "{what}");
            assert!(heard.added(20) < heard.higher + 35.0, "{what}");
            assert!(heard.delays.iter().all(|d| *d < 230.0), "{what}");
        }
    }
}

#[test]
fn no_more_is_waited_for_than_wished_and_what_is_later_is_lost() {
    let listen = |most_ms| {
        let jitter = Jitter::Normal(30.0);
        Wire { jitter, most_ms, seconds: 60, ..Wire::default() }.listen()
    };
    let (large, small, off) = (listen(200), listen(40), listen(10));
    let what = |heard: &Outcome| format!("added {:.0}, missing {:.3}", heard.added(20), heard.missing(20));
    let [a, b, c] = [&large, &small, &off].map(what);
    let all = format!("{a}; {b}; {c}");
    assert!(large.missing(20) < 0.03 && small.missing(20) > 0.1, "{all}");
    assert!(off.missing(20) > small.missing(20), "{all}");
    assert!(small.added(20) + 30.0 < large.added(20) && off.added(20) < small.added(20), "{all}");
    let late = |heard: &Outcome| heard.stats.late as f64 / (60.0 * 50.0);
    let all = [late(&large), late(&small), late(&off)];
    assert!(all[0] < 0.05 && (0.1..0.5).contains(&all[1]) && all[2] > all[1], "{all:?}");
}

#[test]
fn hours_of_drift_neither_add_delay_nor_lose_sound() {
    for ppm in [-500, -200, 200, 500] {
        for spurts in [None, Some((1_300, 900))] {
            for jitter in [Jitter::None, Jitter::Normal(3.0)] {
                let wire = Wire { ppm, spurts, jitter, seconds: 3_600, ..Wire::default() };
                let heard = wire.listen();
                let last = heard.delays.len() - 60;
                let what = format!(
                    "{ppm} ppm {spurts:?}: {:.1} ms after a minute, {:.1} at last, missing {:.4}, clicks {}, {:?}",
                    heard.delays[60],
                    heard.added(last),
                    heard.missing(10),
                    heard.clicks(440.0, 10),
                    heard.stats
                );
                assert!(heard.added(last) < heard.percentile + 48.0, "{what}");
                assert!(heard.stats.lost == 0 && heard.stats.dropped == 0, "{what}");
                let drift_us = 3_600 * ppm.unsigned_abs();
                // A packet of a slow sender that is played late makes the sound a frame longer, too.
                let stretched_us = heard.stats.stretched_us + heard.stats.late * 20_000;
                let corrected = heard.stats.shrunk_us.abs_diff(stretched_us);
                if spurts.is_none() {
                    assert!(heard.missing(10) < 0.001, "{what}");
                    assert!(corrected.abs_diff(drift_us) < 60_000, "{what}: {corrected} of {drift_us}");
                    assert_eq!(heard.stats.shrunk_us > stretched_us, ppm > 0, "{what}");
                    if matches!(jitter, Jitter::None) {
                        assert_eq!(heard.clicks(440.0, 10), 0, "{what}");
                        assert!(heard.purity(440.0, 10) > 0.6, "{what}: {}", heard.purity(440.0, 10));
                    }
                } else {
                    assert!(corrected < drift_us / 5, "silence takes nearly all of it: {what}");
                }
            }
        }
    }
}

#[test]
fn loss_is_no_more_than_what_was_lost() {
    for (loss, bursts) in [(0.01, 0.0), (0.05, 0.0), (0.02, 0.5)] {
        let heard =
            Wire { loss, bursts, seconds: 120, jitter: Jitter::Normal(2.0), ..Wire::default() }.listen();
        let lost = heard.stats.lost as f64 / (120.0 * 50.0);
        let share = loss * (1.0 + 4.0 * bursts);
        assert!((share * 0.6..share * 1.5).contains(&lost), "{loss}: {:?}", heard.stats);
        assert!(heard.missing(5) < lost * 1.3 + 0.005, "{loss}: {}", heard.missing(5));
        assert!(heard.added(20) < heard.percentile + 45.0, "{loss}: {}", heard.added(20));
    }
}

#[test]
fn reordered_and_doubled_packets_are_heard_once_in_their_place() {
    for seed in 0..5 {
        let wire = Wire { reorder: 0.1, double: 0.1, seed, seconds: 60, ..Wire::default() };
        let heard = wire.listen();
        let what = format!("{seed}: missing {:.4}, {:?}", heard.missing(5), heard.stats);
        assert!(heard.missing(5) < 0.005, "{what}");
        assert!(heard.stats.reordered > 150 && (200..400).contains(&heard.stats.duplicates), "{what}");
        assert!(heard.added(10) < 25.0 + 30.0, "{what} {}", heard.added(10));
        assert!(heard.purity(440.0, 10) > 0.7, "{what}");
    }
}

#[test]
fn what_comes_again_and_what_comes_too_late_are_told_apart() {
    let mut ear = Ear::new(CodecKind::Pcmu, 8_000);
    let mut frame = vec![0; ear.frame_samples()];
    let fields = |n: u16| Fields {
        marker: false,
        payload_type: 0,
        sequence: n,
        timestamp: u32::from(n) * 160,
        ssrc: 1,
    };
    let at = |n: u16| 5_000 * MS + u64::from(n) * 20 * MS;
    for n in 0..50 {
        if n != 30 {
            ear.put(fields(n), &[1; 160], at(n));
        }
        ear.take(at(n), &mut frame);
    }
    let counts = |ear: &Ear| (ear.stats().duplicates, ear.stats().late, ear.stats().lost);
    assert_eq!(counts(&ear), (0, 0, 1));
    ear.put(fields(29), &[1; 160], at(50));
    assert_eq!(counts(&ear), (1, 0, 1), "a copy of what was played");
    ear.put(fields(30), &[1; 160], at(50));
    assert_eq!(counts(&ear), (1, 1, 1), "what was lost, and came at last");
}

#[test]
fn talk_spurts_are_whole_and_silence_is_silent() {
    for (jitter, seed) in [(Jitter::None, 1), (Jitter::Normal(5.0), 2), (Jitter::Normal(15.0), 3)] {
        let wire = Wire { spurts: Some((1_000, 600)), jitter, seed, seconds: 160, ..Wire::default() };
        let heard = wire.listen();
        let sound = heard.heard.iter().filter(|h| **h == Heard::Sound).count() as f64 / 8_000.0;
        let nothing = heard.heard.iter().filter(|h| **h == Heard::Nothing).count() as f64 / 8_000.0;
        // 62.5 % of the time is talk; at the end of each a frame or more is made up before the pause is known.
        let what = format!("{sound} {nothing} {:?}", heard.stats);
        assert!((0.60..0.64).contains(&sound) && nothing > 0.28, "{what}");
        assert!(heard.stats.lost < 50, "{what}");
    }
}

#[test]
fn jumps_and_other_sources_are_not_heard() {
    let cases: [(&str, Change); 8] = [
        ("timestamp ahead", Change::Timestamp(3_000_000)),
        ("timestamp back", Change::Timestamp(u32::MAX - 3_000_000)),
        ("timestamp half a circle", Change::Timestamp(1 << 31)),
        ("timestamp a little ahead", Change::Timestamp(3_200)),
        ("timestamp a little back", Change::Timestamp(u32::MAX - 800)),
        ("sequence ahead", Change::Sequence(20_000)),
        ("sequence back", Change::Sequence(60_000)),
        ("source", Change::Ssrc),
    ];
    for (what, change) in cases {
        for jitter in [Jitter::None, Jitter::Normal(5.0)] {
            let wire = Wire { events: vec![(10, change)], seconds: 30, jitter, ..Wire::default() };
            let heard = wire.listen();
            let broken = heard.heard[400..].iter().filter(|h| **h != Heard::Sound).count();
            assert!(broken <= 12, "{what}: {broken} frames broken, {:?}", heard.stats);
            let later = heard.heard[600..].iter().filter(|h| **h != Heard::Sound).count();
            assert!(later <= 12, "{what}: {later} frames broken later, {:?}", heard.stats);
            assert!(heard.added(20) < heard.percentile + 50.0, "{what}: {}", heard.added(20));
        }
    }
}

#[test]
fn a_path_that_becomes_longer_is_followed() {
    for ms in [30, 100, 400, 3_000] {
        let wire = Wire { events: vec![(10, Change::Path(ms))], seconds: 40, ..Wire::default() };
        let heard = wire.listen();
        assert!(heard.missing(15) == 0.0, "{ms}: {} {:?}", heard.missing(15), heard.stats);
        assert!(heard.added(30) < 60.0, "{ms}: {:?}", heard.stats);
    }
}

#[test]
fn comfort_noise_fills_the_pause_and_ends_with_it() {
    let mut ear = Ear::new(CodecKind::Pcmu, 8_000);
    let mut frame = [0; 160];
    let mut heard = Vec::new();
    for n in 0..100u32 {
        let now = 5_000 * MS + u64::from(n) * 20 * MS;
        let fields = Fields { sequence: n as u16, timestamp: n * 160, ..Fields::default() };
        match n {
            0..20 => ear.put(fields, &[0x90; 160], now),
            20 => ear.put(Fields { payload_type: COMFORT_NOISE, ..fields }, &[50], now),
            60.. => ear.put(Fields { sequence: n as u16 - 39, ..fields }, &[0x90; 160], now),
            _ => {}
        }
        heard.push(ear.take(now + MS, &mut frame));
        if n == 40 {
            assert!((-52.0..-48.0).contains(&crate::tone::level_dbov(&frame)));
        }
    }
    let count = |what| heard.iter().filter(|h| **h == what).count();
    assert!((37..=42).contains(&count(Heard::Comfort)), "{heard:?}");
    assert!(count(Heard::Sound) >= 56 && count(Heard::Concealed) == 0, "{heard:?}");
    assert_eq!(ear.stats().lost, 0);
}

#[test]
fn telephone_events_are_not_missed() {
    let mut ear = Ear::new(CodecKind::Pcmu, 8_000);
    let mut frame = [0; 160];
    for n in 0..100u32 {
        let now = 5_000 * MS + u64::from(n) * 20 * MS;
        let fields = Fields { sequence: n as u16, timestamp: n * 160, ..Fields::default() };
        if (40..50).contains(&n) {
            ear.pass(Fields { timestamp: 40 * 160, ..fields }, now);
        } else {
            ear.put(fields, &[0x90; 160], now);
        }
        ear.take(now + MS, &mut frame);
    }
    assert_eq!(ear.stats().lost, 0);
}

#[test]
fn anything_may_come() {
    for seed in 0..300 {
        let mut rng = Rng::seeded(seed);
        let codec = CodecKind::ALL[rng.below(6) as usize];
        let mut ear = Ear::new(codec, 8_000 << rng.below(2));
        let mut frame = vec![0; ear.frame_samples()];
        let mut now = rng.below(u64::MAX / 2);
        let mut fields = Fields::default();
        for _ in 0..400 {
            now += rng.below(40 * MS);
            for _ in 0..rng.below(4) {
                if rng.chance(0.1) {
                    fields = Fields {
                        sequence: rng.u32() as u16,
                        timestamp: rng.u32(),
                        ssrc: rng.below(3) as u32,
                        payload_type: if rng.chance(0.5) { 13 } else { 0 },
                        marker: false,
                    };
                }
                fields.sequence = fields.sequence.wrapping_add(rng.below(3) as u16);
                fields.timestamp = fields.timestamp.wrapping_add(rng.below(4) as u32 * 160);
                let payload: Vec<u8> = (0..rng.below(1_400)).map(|_| rng.u32() as u8).collect();
                ear.put(fields, &payload, now);
                if rng.chance(0.01) {
                    ear.reset();
                }
            }
            ear.take(now, &mut frame);
        }
    }
}

#[test]
fn it_fits_into_its_memory() {
    for kind in [CodecKind::Pcmu, CodecKind::Opus] {
        let buffer = JitterBuffer::new(kind);
        assert!(buffer.bytes() <= 8 * 1_024, "{kind:?}: {}", buffer.bytes());
    }
    for kind in [CodecKind::Pcmu, CodecKind::Pcma, CodecKind::L16Narrow] {
        let ear = Ear::new(kind, 8_000);
        // The decoder of a sample codec keeps 1 KB to conceal from.
        assert!(ear.bytes() <= 11 * 1_024, "{kind:?}: {}", ear.bytes());
    }
}

#[test]
fn pieces_are_as_long_as_the_time() {
    let mut buffer = JitterBuffer::new(CodecKind::Pcmu);
    let mut given = 0u64;
    for n in 0..500u32 {
        let now = 5_000 * MS + u64::from(n) * 20 * MS;
        if n % 3 == 0 && n < 400 {
            let fields = Fields { sequence: (n / 3) as u16, timestamp: n * 160, ..Fields::default() };
            buffer.put(fields, 480, &[0; 480], now);
        }
        buffer.take(now, &mut |piece| {
            given += match piece {
                Piece::Payload(payload) => payload.len() as u64,
                Piece::Lost { ticks, .. } | Piece::Silence { ticks } | Piece::Comfort { ticks, .. } => {
                    u64::from(ticks)
                }
            };
        });
        let due = u64::from(n + 1) * 160;
        assert!((due..due + 480).contains(&given), "{n}: {given} of {due}");
    }
    assert_eq!(buffer.stats().lost, 0);
}
