//! A whole room's recording.

use super::transcode::Phone;
use super::*;
use crate::tone::goertzel_power;

use CodecKind::{G722, Pcma, Pcmu};

const ROOM: RoomId = RoomId(1);

fn hz(n: usize) -> f64 {
    [425.0, 650.0, 875.0][n]
}

fn record(leg: u64, max_ms: u64) -> CoreCommand {
    CoreCommand::RecordRoom { leg: LegId(leg), recording: RecordingSid(9), max_ms }
}

fn talk(rig: &mut Rig, phones: &mut [Phone], ms: u64) {
    for _ in 0..ms / 20 {
        for (n, phone) in phones.iter_mut().enumerate() {
            phone.say(rig, hz(n));
        }
        rig.run_ms(20);
    }
}

fn recorded(rig: &Rig) -> Vec<i16> {
    let mut samples = Vec::new();
    for (_, at, frame) in &rig.caught.taps {
        assert_eq!(*at as usize, samples.len(), "frames follow each other");
        samples.extend_from_slice(frame);
    }
    samples
}

fn ends(rig: &Rig) -> Vec<(LegId, u64, RecordEnd)> {
    let end = |event: &Event| match event {
        Event::Recorded { leg, duration_ms, why, .. } => Some((*leg, *duration_ms, why.clone())),
        _ => None,
    };
    rig.caught.events.iter().filter_map(end).collect()
}

/// Three who talk: one of them on hold.
fn meeting(codecs: [CodecKind; 3]) -> (Rig, Vec<Phone>) {
    let mut rig = Rig::new(1);
    let mut phones = Vec::new();
    for (n, codec) in codecs.into_iter().enumerate() {
        let leg = n as u64 + 1;
        phones.push(Phone::new(&mut rig, leg, codec, |_| {}));
        let member = Member { on_hold: n == 2, ..Member::default() };
        rig.command(CoreCommand::Join { leg: LegId(leg), room: ROOM, member });
    }
    (rig, phones)
}

#[test]
fn it_has_everybody_who_is_heard_and_ends_with_the_room() {
    for codecs in [[Pcmu, Pcma, Pcmu], [Pcmu, G722, Pcma]] {
        let (mut rig, mut phones) = meeting(codecs);
        rig.command(record(1, 60_000));
        talk(&mut rig, &mut phones, 2_000);
        for leg in 1..=3 {
            assert_eq!(ends(&rig), [], "somebody is in it");
            rig.command(CoreCommand::Leave { leg: LegId(leg) });
        }
        let [(leg, duration_ms, why)] = ends(&rig).try_into().expect("it ends once");
        assert_eq!(
            (leg, why),
            (LegId(1), RecordEnd::Stopped),
            "in the name of who asked, though it left first"
        );
        assert!((1_960..=2_020).contains(&duration_ms), "{duration_ms}");
        let sound = recorded(&rig);
        assert_eq!(sound.len() as u64 / 8, duration_ms);
        let share = |n: usize| goertzel_power(&sound[4_000..], 8_000, hz(n));
        assert!(share(0) > 0.3 && share(1) > 0.3, "{codecs:?}: {} {}", share(0), share(1));
        assert!(share(2) < 0.01, "who is on hold is not in it: {}", share(2));
    }
}

#[test]
fn it_can_be_stopped_and_has_a_longest_length() {
    let (mut rig, mut phones) = meeting([Pcmu; 3]);
    rig.command(record(1, 60_000));
    rig.command(record(2, 60_000));
    assert!(matches!(ends(&rig)[..], [(LegId(2), 0, RecordEnd::Failed(_))]), "one at a time");
    talk(&mut rig, &mut phones, 500);
    rig.command(CoreCommand::StopRecord { leg: LegId(1), recording: RecordingSid(9) });
    assert_eq!(ends(&rig).last().map(|end| end.2.clone()), Some(RecordEnd::Stopped));
    rig.command(record(2, 400));
    talk(&mut rig, &mut phones, 1_000);
    assert_eq!(ends(&rig).last(), Some(&(LegId(2), 400, RecordEnd::MaxLength)));
    rig.command(CoreCommand::Leave { leg: LegId(1) });
    rig.command(record(1, 400));
    assert_eq!(ends(&rig).last(), Some(&(LegId(1), 0, RecordEnd::Closed)), "it is in no room");
}
