//! Recordings through the whole engine.

use std::sync::Arc;

use super::*;
use crate::command::RecordWhat;
use crate::tone::{Tone, goertzel_power};

const PCMU: CodecKind = CodecKind::Pcmu;
const PCMA: CodecKind = CodecKind::Pcma;

fn record(leg: u64, what: RecordWhat, beep: bool, max_ms: u64, silence_ms: u64) -> CoreCommand {
    let beep = beep.then(|| Arc::new(Tone::Beep.clip()));
    CoreCommand::Record { leg: LegId(leg), recording: RecordingSid(9), what, beep, max_ms, silence_ms }
}

fn recorded(rig: &Rig) -> Vec<i16> {
    let mut samples = Vec::new();
    for (_, at, frame) in &rig.caught.taps {
        assert_eq!(*at as usize, samples.len(), "frames follow each other");
        samples.extend_from_slice(frame);
    }
    samples
}

fn end(rig: &Rig) -> Option<(u64, RecordEnd)> {
    let mut ends = rig.caught.events.iter().filter_map(|event| match event {
        Event::Recorded { duration_ms, why, .. } => Some((*duration_ms, why.clone())),
        _ => None,
    });
    let end = ends.next();
    assert_eq!(ends.next(), None, "a recording ends once");
    end
}

#[test]
fn the_beep_comes_first_and_is_not_recorded() {
    let mut rig = Rig::new(1);
    let mut ann = rig.leg(1, PCMU);
    rig.run_ms(20);
    rig.command(record(1, RecordWhat::Both, true, 60_000, 0));
    let says = sine(900.0, 3_000);
    for n in 0..150 {
        rig.say(&mut ann, &encode(PCMU, &says[n * 160..][..160]));
        rig.run_ms(20);
    }
    rig.command(CoreCommand::StopRecord { leg: LegId(1), recording: RecordingSid(9) });
    let beep = decode(PCMU, &rig.got(1)[1..21]);
    assert!(goertzel_power(&beep, 8_000, 1_000.0) > 0.95);
    let sound = recorded(&rig);
    assert!(goertzel_power(&sound[320..], 8_000, 900.0) > 0.95);
    assert!(goertzel_power(&sound, 8_000, 1_000.0) < 0.02, "{}", goertzel_power(&sound, 8_000, 1_000.0));
    let (duration_ms, why) = end(&rig).unwrap();
    assert_eq!((duration_ms, why), (sound.len() as u64 / 8, RecordEnd::Stopped));
    assert!((2_580..=2_620).contains(&duration_ms), "{duration_ms}");
}

#[test]
fn a_beep_that_is_cut_off_starts_the_recording() {
    let mut rig = Rig::new(1);
    rig.leg(1, PCMU);
    rig.command(record(1, RecordWhat::Received, true, 60_000, 0));
    let started = |rig: &Rig| rig.caught.events.iter().any(|e| matches!(e, Event::RecordStarted { .. }));
    rig.run_ms(100);
    assert!(!started(&rig));
    rig.play(1, 1, vec![clip(440.0, 100)], 1);
    assert!(started(&rig));
}

#[test]
fn both_sides_of_a_bridge_are_mixed_through_a_bad_wire() {
    for seed in 0..20 {
        let mut rig = Rig::new(seed);
        let (mut ann, mut bob) = (rig.leg(1, PCMU), rig.leg(2, PCMA));
        rig.bridge(1, 2);
        rig.command(record(1, RecordWhat::Both, false, 60_000, 0));
        let (from_ann, from_bob) = (sine(900.0, 4_000), sine(700.0, 4_000));
        let mut wire = Wire { loss: 0.0, double: 0.1, jitter_ms: 30, ..Wire::new(seed) };
        let mut frames = |rig: &Rig, peer: &mut Peer, samples: &[i16]| -> Vec<(u64, Vec<u8>)> {
            let frames = samples.chunks(160).enumerate();
            let sent: Vec<_> = frames
                .map(|(n, frame)| (rig.now + n as u64 * 20 * MS, peer.packet(&encode(peer.codec, frame))))
                .collect();
            wire.carry(&sent)
        };
        let mut all: Vec<(u64, u64, Vec<u8>)> = Vec::new();
        all.extend(frames(&rig, &mut ann, &from_ann).into_iter().map(|(at, bytes)| (at, 1, bytes)));
        all.extend(frames(&rig, &mut bob, &from_bob).into_iter().map(|(at, bytes)| (at, 2, bytes)));
        all.sort_by_key(|(at, ..)| *at);
        for (at, leg, bytes) in all {
            rig.run_until(at);
            let from = if leg == 1 { ann.address } else { bob.address };
            rig.packet(leg, Channel::Rtp, from, &bytes);
        }
        rig.command(CoreCommand::Close { leg: LegId(1) });
        let sound = recorded(&rig);
        let (duration_ms, why) = end(&rig).unwrap();
        assert_eq!(why, RecordEnd::Closed);
        assert!((3_950..=4_050).contains(&duration_ms), "{duration_ms}");
        // Little at a time: a stream's place may still move by a sample now and then.
        for part in sound[8_000..28_000].chunks(400) {
            for hz in [700.0, 900.0] {
                let share = goertzel_power(part, 8_000, hz);
                assert!(share > 0.1, "seed {seed}: {share} of {hz} Hz");
            }
        }
    }
}

#[test]
fn what_plays_to_the_caller_is_in_a_recording_of_both() {
    let mut rig = Rig::new(1);
    rig.leg(1, PCMU);
    rig.command(record(1, RecordWhat::Both, false, 1_000, 0));
    rig.play(1, 1, vec![clip(440.0, 2_000)], 1);
    rig.run_ms(1_300);
    assert_eq!(end(&rig), Some((1_000, RecordEnd::MaxLength)));
    assert!(goertzel_power(&recorded(&rig)[320..], 8_000, 440.0) > 0.99);
}

#[test]
fn silence_of_the_caller_ends_it_while_a_prompt_plays() {
    let mut rig = Rig::new(1);
    let mut ann = rig.leg(1, PCMU);
    rig.command(record(1, RecordWhat::Both, false, 60_000, 1_000));
    rig.play(1, 1, vec![clip(440.0, 9_000)], 1);
    for n in 0..200 {
        let level = if n < 50 { 8_000.0 } else { 30.0 };
        let frame: Vec<u8> =
            (0..160).map(|i| PCMU.encode(((f64::from(i) * 0.7).sin() * level) as i16)).collect();
        rig.say(&mut ann, &frame);
        rig.run_ms(20);
    }
    let (duration_ms, why) = end(&rig).unwrap();
    assert_eq!(why, RecordEnd::Silence);
    assert!((1_990..=2_030).contains(&duration_ms), "{duration_ms}");
}

#[test]
fn a_recording_of_a_leg_that_is_gone_ends_at_once() {
    let mut rig = Rig::new(1);
    rig.command(record(1, RecordWhat::Received, true, 60_000, 0));
    assert_eq!(end(&rig), Some((0, RecordEnd::Closed)));
}
