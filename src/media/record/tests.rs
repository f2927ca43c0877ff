//! Recorders on bad wires.

use base::Rng;

use super::*;

const MS: u64 = 1_000_000;
const LOUD: i16 = 8_000;
const QUIET: i16 = 0;

/// Drives a recorder and keeps what it taps.
struct Rig {
    recorder: Recorder,
    samples: Vec<i16>,
    end: Option<RecordEnd>,
    now: u64,
}

impl Rig {
    fn new(what: RecordWhat, max_ms: u64, silence_ms: u64) -> Rig {
        let mut recorder = Recorder::new(RecordingSid(1), what, max_ms, silence_ms);
        recorder.start(5_000 * MS);
        Rig { recorder, samples: Vec::new(), end: None, now: 5_000 * MS }
    }

    fn tick(&mut self, now: u64) {
        self.now = now;
        let channels = usize::from(self.recorder.what.channels());
        let samples = &mut self.samples;
        let step = self.recorder.on_tick(now, &mut |_, frame, at| {
            assert_eq!(at as usize * channels, samples.len());
            samples.extend_from_slice(frame);
        });
        if let Step::Over(why) = step {
            self.end.get_or_insert(why);
        }
    }

    fn finish(&mut self, now: u64) {
        let samples = &mut self.samples;
        self.recorder.finish(now, &mut |_, frame, _| samples.extend_from_slice(frame));
    }

    fn receive(&mut self, packets: &[(u64, u32, i16)]) {
        let mut packets = packets.to_vec();
        packets.sort_by_key(|p| p.0);
        let last = packets.last().map_or(0, |p| p.0);
        let mut next = packets.into_iter().peekable();
        while self.now <= last && self.end.is_none() {
            while let Some((at, ts, byte)) = next.next_if(|p| p.0 <= self.now) {
                self.recorder.on_received(placed(ts), &payload(byte), at);
            }
            self.tick(self.now + 20 * MS);
        }
        for (at, ts, byte) in next {
            self.recorder.on_received(placed(ts), &payload(byte), at);
        }
    }
}

/// A square wave: a level that does not change is no sound.
fn payload(level: i16) -> [i16; 160] {
    std::array::from_fn(|n| if n % 2 == 1 { -level } else { level })
}

fn placed(timestamp: u32) -> Placed {
    Placed { timestamp, clock: 8_000 }
}

#[test]
fn jitter_and_reordering_leave_no_trace() {
    for seed in 0..200 {
        let mut rng = Rng::seeded(seed);
        let mut rig = Rig::new(RecordWhat::Received, 100_000, 0);
        let mut packets = vec![(5_000 * MS, u32::MAX - 1_000, LOUD)];
        for n in 1..100u32 {
            let at = 5_000 * MS + u64::from(n) * 20 * MS + rng.below(55) * MS;
            packets.push((at, (u32::MAX - 1_000).wrapping_add(n * 160), LOUD));
        }
        rig.receive(&packets);
        rig.finish(5_000 * MS + 2_000 * MS);
        assert_eq!(rig.samples.len(), 16_000, "seed {seed}");
        let hole = rig.samples.iter().position(|&s| s.abs() != LOUD);
        assert_eq!(hole, None, "seed {seed}");
    }
}

#[test]
fn a_lost_packet_is_silence_of_its_length() {
    let mut rig = Rig::new(RecordWhat::Received, 100_000, 0);
    let packets: Vec<_> = (0..50u32)
        .filter(|n| !(20..25).contains(n))
        .map(|n| (5_000 * MS + u64::from(n) * 20 * MS, n * 160, LOUD))
        .collect();
    rig.receive(&packets);
    rig.finish(6_000 * MS);
    assert_eq!(rig.samples.len(), 8_000);
    let silent: Vec<_> = (0..8_000).filter(|&n| rig.samples[n] == 0).collect();
    assert_eq!(silent, (3_200..4_000).collect::<Vec<_>>());
}

#[test]
fn a_recording_is_as_long_as_its_time_even_without_packets() {
    let mut rig = Rig::new(RecordWhat::Received, 100_000, 1_000);
    for n in 1..=500 {
        rig.tick(5_000 * MS + n * 20 * MS);
    }
    rig.finish(15_007 * MS);
    assert_eq!((rig.samples.len(), rig.recorder.duration_ms()), (80_056, 10_007));
    assert_eq!(rig.end, None, "no packets at all is not silence");
}

#[test]
fn it_ends_at_its_maximum_to_the_sample() {
    let mut rig = Rig::new(RecordWhat::Received, 1_010, 0);
    for n in 1..=100 {
        rig.tick(5_000 * MS + n * 20 * MS);
        if rig.end.is_some() {
            break;
        }
    }
    assert_eq!((rig.end, rig.samples.len()), (Some(RecordEnd::MaxLength), 8_080));
}

#[test]
fn it_ends_after_silence_but_not_during_sound() {
    let mut rig = Rig::new(RecordWhat::Received, 100_000, 2_000);
    let packets: Vec<_> = (0..400u32)
        .map(|n| {
            let byte = if n < 150 || (200..210).contains(&n) { LOUD } else { QUIET };
            (5_000 * MS + u64::from(n) * 20 * MS, n * 160, byte)
        })
        .collect();
    rig.receive(&packets);
    assert_eq!(rig.end, Some(RecordEnd::Silence));
    // Sound until 4.2 s, then 2 s of silence.
    assert_eq!(rig.recorder.duration_ms(), 6_200);
}

#[test]
fn a_peer_that_stops_sending_in_silence_is_silent() {
    let mut rig = Rig::new(RecordWhat::Received, 100_000, 2_000);
    rig.receive(&[(5_000 * MS, 0, LOUD)]);
    for n in 2..=200 {
        rig.tick(5_000 * MS + n * 20 * MS);
    }
    assert_eq!(rig.end, Some(RecordEnd::Silence));
}

#[test]
fn both_sides_are_mixed_without_overflow() {
    let mut rig = Rig::new(RecordWhat::Both, 100_000, 0);
    for n in 0..50u32 {
        let now = 5_000 * MS + u64::from(n) * 20 * MS;
        rig.recorder.on_received(placed(n * 160), &[i16::MAX; 160], now);
        let other = if n < 25 { i16::MAX } else { -i16::MAX };
        rig.recorder.on_sent(placed(7_000 + n * 160), &[other; 160], now);
        rig.tick(now + 20 * MS);
    }
    rig.finish(6_000 * MS);
    assert!(rig.samples[..4_000].iter().all(|&s| s == i16::MAX));
    assert!(rig.samples[4_000..8_000].iter().all(|&s| s == 0));
}

#[test]
fn a_timestamp_that_jumps_does_not_leave_a_hole() {
    let mut rig = Rig::new(RecordWhat::Received, 100_000, 0);
    let packets: Vec<_> = (0..100u32)
        .map(|n| {
            let jump = if n < 50 { 0 } else { 3_000_000_000u32 };
            (5_000 * MS + u64::from(n) * 20 * MS, jump.wrapping_add(n * 160), LOUD)
        })
        .collect();
    rig.receive(&packets);
    rig.finish(7_000 * MS);
    let silent = rig.samples.iter().filter(|&&s| s == 0).count();
    assert!(silent <= 5 * 160, "{silent} samples of silence");
}

#[test]
fn a_path_that_became_longer_is_followed() {
    let mut rig = Rig::new(RecordWhat::Received, 100_000, 0);
    let packets: Vec<_> = (0..100u32)
        .map(|n| (5_000 * MS + u64::from(n) * 20 * MS + if n < 50 { 0 } else { 400 * MS }, n * 160, LOUD))
        .collect();
    rig.receive(&packets);
    rig.finish(7_400 * MS);
    assert!(rig.samples[14_000..19_000].iter().all(|&s| s.abs() == LOUD));
}

/// A sound of which packets can be told apart: noise, with a click of a sample at each of these places.
fn clicks(len: usize, at: &[usize]) -> Vec<i16> {
    let mut sound = vec![0; len];
    for &n in at {
        sound[n] = 20_000;
    }
    sound
}

fn loudest(samples: &[i16]) -> usize {
    (0..samples.len()).max_by_key(|&n| samples[n].unsigned_abs()).unwrap()
}

/// Plays `sound` to both sides of a dual recording, the received one through a wire of `jitter_ms`, loss and
/// reordering with a clock that runs `ppm` fast; gives both channels.
fn both_sides(sound: &[i16], jitter_ms: u64, ppm: i64, seed: u64) -> [Vec<i16>; 2] {
    let mut rng = Rng::seeded(seed);
    let mut rig = Rig::new(RecordWhat::Dual, 10_000_000, 0);
    let mut packets = Vec::new();
    for (n, pcm) in sound.chunks(160).enumerate() {
        let sent = rig.now + n as u64 * 20 * MS;
        rig_push(&mut packets, sent, false, n, pcm);
        let theirs = (n as i64 * 20_000_000 * (1_000_000 - ppm) / 1_000_000) as u64;
        let arrives = rig.now + theirs + rng.below(jitter_ms * MS + 1);
        if !rng.chance(0.05) {
            rig_push(&mut packets, arrives, true, n, pcm);
        }
    }
    packets.sort_by_key(|packet| packet.0);
    for (at, is_received, n, pcm) in packets {
        while rig.now + 20 * MS <= at {
            rig.tick(rig.now + 20 * MS);
        }
        let at_place = placed((n as u32).wrapping_mul(160).wrapping_sub(9_999));
        match is_received {
            true => rig.recorder.on_received(at_place, &pcm, at),
            false => rig.recorder.on_sent(at_place, &pcm, at),
        }
    }
    rig.finish(rig.now + 300 * MS);
    let (pairs, rest) = rig.samples.as_chunks::<2>();
    assert!(rest.is_empty());
    [pairs.iter().map(|pair| pair[0]).collect(), pairs.iter().map(|pair| pair[1]).collect()]
}

fn rig_push(
    packets: &mut Vec<(u64, bool, usize, Vec<i16>)>,
    at: u64,
    is_received: bool,
    n: usize,
    pcm: &[i16],
) {
    packets.push((at, is_received, n, pcm.to_vec()));
}

#[test]
fn a_click_on_both_sides_lands_within_a_millisecond() {
    for seed in 0..40 {
        let places: Vec<usize> = (1..12).map(|n| 80_000 + n * 4_321).collect();
        let [left, right] = both_sides(&clicks(160_000, &places), 60, 0, seed);
        assert_eq!(left.len(), right.len());
        let mut heard = 0;
        for place in places {
            let around = place - 1_000..place + 1_000;
            let (l, r) = (loudest(&left[around.clone()]), loudest(&right[around.clone()]));
            if left[around].iter().all(|&s| s == 0) {
                continue; // its packet was lost
            }
            heard += 1;
            assert!(l.abs_diff(r) <= 8, "seed {seed}: {} samples apart", l.abs_diff(r));
        }
        assert!(heard >= 7);
    }
}

#[test]
fn a_clock_that_drifts_is_followed() {
    for ppm in [-200, 200] {
        // Ten minutes: 120 ms of drift.
        let len = 600 * 8_000;
        let places: Vec<usize> = (2..60).map(|n| n * 80_000 - 777).collect();
        let [left, right] = both_sides(&clicks(len, &places), 5, ppm, 1);
        for place in places {
            let around = place - 2_000..place + 2_000;
            if left[around.clone()].iter().all(|&s| s == 0) {
                continue;
            }
            let (l, r) = (loudest(&left[around.clone()]) as i64, loudest(&right[around]) as i64);
            // What they said a while after the beginning has drifted by so much by then.
            let drift = -(place as i64) * ppm / 1_000_000;
            assert!((l - r - drift).abs() <= 24, "{ppm} ppm at {place}: {} instead of {drift}", l - r);
        }
    }
}

#[test]
fn the_left_channel_is_what_the_peer_says() {
    let mut rig = Rig::new(RecordWhat::Dual, 100_000, 0);
    for n in 0..50u32 {
        let now = rig.now;
        rig.recorder.on_received(placed(n * 160), &[111; 160], now);
        rig.recorder.on_sent(placed(n * 160), &[-222; 160], now);
        rig.tick(now + 20 * MS);
    }
    rig.finish(6_000 * MS);
    assert_eq!((rig.samples.len(), rig.recorder.duration_ms()), (16_000, 1_000));
    assert!(rig.samples.as_chunks::<2>().0.iter().all(|pair| *pair == [111, -222]));
}

/// Two seconds of sound, a pause of one second of other sound, and two seconds more.
fn paused(silence: bool) -> (Vec<i16>, u64) {
    let mut rig = Rig::new(RecordWhat::Received, 100_000, 500);
    for n in 0..250u32 {
        let at = 5_000 * MS + u64::from(n) * 20 * MS;
        if n == 100 {
            rig.recorder.pause(silence, at);
        }
        if n == 150 {
            rig.recorder.resume(at);
        }
        let level = if (100..150).contains(&n) { 999 } else { LOUD };
        rig.recorder.on_received(placed(n * 160), &payload(level), at);
        rig.tick(at + 20 * MS);
        assert_eq!(rig.end, None, "a pause is no silence that ends a recording");
    }
    rig.finish(10_000 * MS);
    (rig.samples, rig.recorder.duration_ms())
}

#[test]
fn a_pause_is_silence_or_nothing_and_never_what_was_said() {
    let (samples, duration_ms) = paused(true);
    assert_eq!((samples.len(), duration_ms), (40_000, 5_000));
    assert!(samples[16_000..24_000].iter().all(|&s| s == 0));
    assert!([&samples[..16_000], &samples[24_000..]].concat().iter().all(|s| s.abs() == LOUD));
    let (samples, duration_ms) = paused(false);
    assert_eq!((samples.len(), duration_ms), (32_000, 4_000));
    assert!(samples.iter().all(|s| s.abs() == LOUD));
}

#[test]
fn what_was_said_in_a_pause_and_comes_after_it_is_left_out() {
    for silence in [false, true] {
        let mut rig = Rig::new(RecordWhat::Received, 100_000, 0);
        for n in 0..100u32 {
            let said = 5_000 * MS + u64::from(n) * 20 * MS;
            // From the second packet on the wire takes 100 ms.
            let at = if n == 0 { said } else { said + 100 * MS };
            rig.tick(at);
            match n {
                40 => rig.recorder.pause(silence, at),
                // What was said in the last 100 ms of the pause is still on its way.
                66 => rig.recorder.resume(at),
                _ => {}
            }
            let level = if (41..71).contains(&n) { 999 } else { LOUD };
            rig.recorder.on_received(placed(n * 160), &payload(level), at);
        }
        rig.finish(7_100 * MS);
        assert!(rig.samples.iter().all(|s| s.abs() != 999), "silence: {silence}");
    }
}

#[test]
fn the_longest_length_counts_what_is_recorded() {
    for (silence, ends_ms) in [(true, 2_000), (false, 3_000)] {
        let mut rig = Rig::new(RecordWhat::Received, 2_000, 0);
        rig.recorder.pause(silence, 5_000 * MS);
        let mut now = 5_000 * MS;
        while rig.end.is_none() {
            now += 20 * MS;
            if now == 6_000 * MS {
                rig.recorder.resume(now);
            }
            rig.tick(now);
        }
        let window_ms = WINDOW_SAMPLES / 8;
        assert_eq!((now / MS - 5_000, rig.recorder.duration_ms()), (ends_ms + window_ms, 2_000));
    }
}

#[test]
fn a_pause_before_the_beep_is_over_holds() {
    let mut recorder = Recorder::new(RecordingSid(1), RecordWhat::Received, 10_000, 0);
    recorder.pause(false, MS);
    recorder.start(1_000 * MS);
    recorder.on_received(placed(0), &payload(LOUD), 1_500 * MS);
    recorder.resume(3_000 * MS);
    recorder.finish(4_000 * MS, &mut |_, frame, _| assert!(frame.iter().all(|&s| s == 0)));
    assert_eq!(recorder.duration_ms(), 1_000);
}
