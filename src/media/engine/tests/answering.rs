//! Who answered is told once, from the leg's received sound, in whatever state the leg is.

use super::*;
use crate::amd::{AmdSettings, AnsweredBy};

const PCMU: CodecKind = CodecKind::Pcmu;

impl Rig {
    fn detect(&mut self, leg: u64, settings: AmdSettings) {
        self.command(CoreCommand::DetectMachine { leg: LegId(leg), settings });
    }

    fn answered(&self) -> Vec<(u64, AnsweredBy, u32)> {
        let known = self.caught.events.iter().filter_map(|event| match event {
            Event::AnsweredBy { leg, answered_by, ms } => Some((leg.0, *answered_by, *ms)),
            _ => None,
        });
        known.collect()
    }

    /// A peer makes a tone that swells four times a second: a voice.
    fn voice(&mut self, peer: &mut Peer, ms: u64) {
        for n in 0..ms / 20 {
            let loud = [3_000.0, 6_000.0, 9_000.0, 6_000.0][n as usize / 3 % 4];
            let hz = [310.0, 520.0, 860.0][n as usize % 3];
            let pcm: Vec<i16> =
                sine(hz, 20).iter().map(|s| (f64::from(*s) / 8_000.0 * loud) as i16).collect();
            let payload = encode(peer.codec, &pcm);
            self.say(peer, &payload);
            self.run_ms(20);
        }
    }
}

#[test]
fn somebody_who_says_a_word_and_sends_nothing_more_is_a_person() {
    let mut rig = Rig::new(1);
    let mut ann = rig.leg(1, PCMU);
    rig.detect(1, AmdSettings::default());
    rig.run_ms(400);
    rig.voice(&mut ann, 600);
    rig.run_ms(4_000);
    let answered = rig.answered();
    assert!(matches!(answered[..], [(1, AnsweredBy::Human, 1_900..2_500)]), "{answered:?}");
    rig.run_ms(40_000);
    assert_eq!(rig.answered().len(), 1, "once");
}

#[test]
fn a_long_greeting_is_a_machine_in_a_bridge_in_a_room_and_alone() {
    for place in ["alone", "bridge", "room"] {
        let mut rig = Rig::new(1);
        let mut ann = rig.leg(1, PCMU);
        rig.leg(2, PCMU);
        match place {
            "bridge" => rig.bridge(1, 2),
            "room" => {
                let (room, member) = (crate::RoomId(1), crate::Member::default());
                rig.command(CoreCommand::Join { leg: LegId(1), room, member });
            }
            _ => {}
        }
        rig.detect(1, AmdSettings::default());
        rig.voice(&mut ann, 4_000);
        let answered = rig.answered();
        assert!(
            matches!(answered[..], [(1, AnsweredBy::MachineStart, 2_300..2_800)]),
            "{place}: {answered:?}"
        );
    }
}

#[test]
fn nobody_at_all_is_unknown_and_a_second_detection_replaces_the_first() {
    let mut rig = Rig::new(1);
    rig.leg(1, PCMU);
    rig.detect(1, AmdSettings::default());
    rig.run_ms(3_000);
    rig.detect(1, AmdSettings { silence_timeout_ms: 2_000, ..AmdSettings::default() });
    rig.run_ms(10_000);
    assert_eq!(rig.answered(), [(1, AnsweredBy::Unknown, 2_000)]);
    rig.detect(1, AmdSettings::default());
    rig.command(CoreCommand::Close { leg: LegId(1) });
    rig.run_ms(10_000);
    assert_eq!(rig.answered().len(), 1, "a closed leg is not listened to");
}
