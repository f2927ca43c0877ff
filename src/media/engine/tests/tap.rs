//! Taps and feeds through the whole engine: what is said is handed over, and what is handed in is heard.

use std::sync::Arc;

use super::transcode::{Phone, heard};
use super::*;
use crate::command::TapId;
use crate::feed::Feed;
use crate::play::FRAME_SAMPLES;
use crate::tap::TapRing;
use crate::tone::goertzel_power;

use CodecKind::{G722, Opus, Pcma, Pcmu};

fn tap(rig: &mut Rig, leg: u64, tap: u64, what: RecordWhat) -> Arc<TapRing> {
    let ring = Arc::new(TapRing::default());
    rig.command(CoreCommand::Tap { leg: LegId(leg), tap: TapId(tap), what, ring: ring.clone() });
    ring
}

fn feed(rig: &mut Rig, leg: u64) -> Arc<Feed> {
    let ring = Arc::new(Feed::default());
    rig.command(CoreCommand::Feed { leg: LegId(leg), feed: TapId(9), ring: ring.clone() });
    ring
}

/// What both channels of a tap gave so far: frames follow each other.
#[derive(Default)]
struct Ears {
    said: Vec<i16>,
    heard: Vec<i16>,
}

impl Ears {
    fn listen(&mut self, ring: &TapRing) {
        while let Some(frame) = ring.take() {
            assert_eq!(frame.at as usize, self.said.len(), "a frame is missing");
            self.said.extend(frame.channel(0));
            self.heard.extend(frame.channel(1));
        }
    }

    /// How much of what the leg's peer says and hears is of this frequency, after the beginning.
    fn shares(&self, said_hz: f64, heard_hz: f64) -> (f64, f64) {
        let share = |sound: &[i16], hz| goertzel_power(&sound[2_400..], 8_000, hz);
        (share(&self.said, said_hz), share(&self.heard, heard_hz))
    }
}

/// Both talk for two seconds, one of them tapped.
fn talk(rig: &mut Rig, phones: &mut [Phone], ring: &TapRing) -> Ears {
    let mut ears = Ears::default();
    for _ in 0..100 {
        for (n, phone) in phones.iter_mut().enumerate() {
            phone.say(rig, [900.0, 600.0][n]);
            rig.run_ms(5);
        }
        rig.run_ms(20 - 5 * phones.len() as u64);
        ears.listen(ring);
    }
    ears
}

#[test]
fn both_ways_of_a_bridge_are_tapped_relayed_and_transcoded() {
    for (a, b) in [(Pcmu, Pcmu), (Pcmu, Pcma), (Pcma, G722), (G722, G722), (Opus, Opus), (Opus, Pcmu)] {
        let mut rig = Rig::new(1);
        let mut phones = [Phone::new(&mut rig, 1, a, |_| {}), Phone::new(&mut rig, 2, b, |_| {})];
        rig.bridge(1, 2);
        let ring = tap(&mut rig, 1, 1, RecordWhat::Dual);
        let ears = talk(&mut rig, &mut phones, &ring);
        let (said, heard) = ears.shares(900.0, 600.0);
        assert!(said > 0.95 && heard > 0.95, "{a:?} to {b:?}: {said} {heard}");
        let ms = ears.said.len() / 8;
        assert!((1_880..=1_940).contains(&ms), "{ms} ms of 2,000");
        assert_eq!(ring.lost(), 0);
    }
}

#[test]
fn a_member_of_a_room_is_tapped() {
    let mut rig = Rig::new(1);
    let mut phones = [Phone::new(&mut rig, 1, Pcmu, |_| {}), Phone::new(&mut rig, 2, G722, |_| {})];
    for leg in 1..=2 {
        rig.command(CoreCommand::Join { leg: LegId(leg), room: RoomId(1), member: Member::default() });
    }
    let ring = tap(&mut rig, 1, 1, RecordWhat::Dual);
    let ears = talk(&mut rig, &mut phones, &ring);
    let (said, heard) = ears.shares(900.0, 600.0);
    assert!(said > 0.9 && heard > 0.9, "{said} {heard}");
}

#[test]
fn a_prompt_is_tapped_and_silence_too() {
    let mut rig = Rig::new(1);
    let _ann = rig.leg(1, Pcmu);
    let ring = tap(&mut rig, 1, 1, RecordWhat::Sent);
    rig.play(1, 1, vec![clip(440.0, 1_000)], 1);
    let mut ears = Ears::default();
    for _ in 0..100 {
        rig.run_ms(20);
        ears.listen(&ring);
    }
    assert!(goertzel_power(&ears.said[400..7_000], 8_000, 440.0) > 0.98);
    assert!(ears.said[10_000..].iter().all(|&sample| sample.abs() < 10));
    assert!(ears.said.len() >= 15_000, "{}", ears.said.len());
}

#[test]
fn a_tap_ends_with_its_command_and_with_its_leg_and_goes_with_it() {
    let mut rig = Rig::new(1);
    let mut ann = Phone::new(&mut rig, 1, Pcmu, |_| {});
    let first = tap(&mut rig, 1, 1, RecordWhat::Received);
    let second = tap(&mut rig, 1, 2, RecordWhat::Received);
    rig.run_ms(400);
    rig.command(CoreCommand::Untap { leg: LegId(1), tap: TapId(1) });
    assert!(first.is_over() && !second.is_over());
    // To another engine.
    let leg = rig.core.release(LegId(1), rig.now, &mut rig.caught).unwrap();
    rig.core = MediaCore::new(2);
    rig.core.adopt(leg, rig.now);
    let mut ears = Ears::default();
    for _ in 0..50 {
        ann.say(&mut rig, 900.0);
        rig.run_ms(20);
        ears.listen(&second);
    }
    assert!(goertzel_power(&ears.said[6_000..], 8_000, 900.0) > 0.95);
    rig.command(CoreCommand::Close { leg: LegId(1) });
    assert!(second.is_over());
    // A leg that is not there, and one with too many.
    assert!(tap(&mut rig, 7, 3, RecordWhat::Sent).is_over() && feed(&mut rig, 7).is_over());
    rig.leg(2, Pcmu);
    let rings: Vec<_> = (0..13).map(|n| tap(&mut rig, 2, 10 + n, RecordWhat::Sent)).collect();
    assert_eq!(rings.iter().filter(|ring| ring.is_over()).count(), 1);
}

#[test]
fn what_is_fed_is_heard_in_every_codec_until_it_ends() {
    for codec in [Pcmu, Pcma, G722, Opus] {
        let mut rig = Rig::new(1);
        let _ann = Phone::new(&mut rig, 1, codec, |_| {});
        let ring = feed(&mut rig, 1);
        let sound = sine(500.0, 1_500);
        let mut put = 0;
        for _ in 0..75 {
            put += ring.put(&sound[put..]);
            rig.run_ms(20);
        }
        let (sound, rate) = heard(codec, &rig.got(1));
        assert!(goertzel_power(&sound[rate as usize / 5..], rate, 500.0) > 0.97, "{codec:?}");
        assert_eq!(ring.played(), 12_000);
        rig.play(1, 1, vec![clip(440.0, 100)], 1);
        assert!(ring.is_over(), "what plays replaces it");
    }
}

#[test]
fn what_is_fed_stands_before_a_bridge_and_gives_way_when_it_is_finished() {
    let mut rig = Rig::new(1);
    let (_ann, mut bob) = (rig.leg(1, Pcmu), rig.leg(2, Pcmu));
    rig.bridge(1, 2);
    let ring = feed(&mut rig, 1);
    let share = |rig: &Rig, hz| {
        let got = rig.got(1);
        goertzel_power(&decode(Pcmu, &got[got.len() - 20..]), 8_000, hz)
    };
    let talk = |rig: &mut Rig, bob: &mut Peer, ms: usize| {
        let says = sine(700.0, ms);
        for frame in says.chunks(FRAME_SAMPLES) {
            rig.say(bob, &encode(Pcmu, frame));
            rig.run_ms(20);
        }
    };
    ring.put(&sine(500.0, 600));
    talk(&mut rig, &mut bob, 500);
    assert!(share(&rig, 500.0) > 0.97 && share(&rig, 700.0) < 0.01);
    ring.finish();
    talk(&mut rig, &mut bob, 800);
    assert!(share(&rig, 700.0) > 0.97 && ring.is_over());
    let ring = feed(&mut rig, 1);
    rig.command(CoreCommand::EndFeed { leg: LegId(1), feed: TapId(8) });
    assert!(!ring.is_over(), "another one is meant");
    rig.command(CoreCommand::EndFeed { leg: LegId(1), feed: TapId(9) });
    assert!(ring.is_over());
}

#[test]
fn a_leg_of_another_packet_length_is_fed_too() {
    let mut rig = Rig::new(1);
    let _ann = Phone::new(&mut rig, 1, Pcma, |negotiated| negotiated.ptime_ms = 30);
    let ring = feed(&mut rig, 1);
    ring.put(&sine(500.0, 1_000));
    rig.run_ms(900);
    let (sound, rate) = heard(Pcma, &rig.got(1));
    assert!(goertzel_power(&sound[800..], rate, 500.0) > 0.97);
}

#[test]
fn a_peer_hears_itself_until_something_else_plays() {
    for codec in [Pcmu, G722, Opus] {
        let mut rig = Rig::new(1);
        let mut ann = Phone::new(&mut rig, 1, codec, |_| {});
        rig.command(CoreCommand::Echo { leg: LegId(1) });
        for _ in 0..50 {
            ann.say(&mut rig, 900.0);
            rig.run_ms(20);
        }
        let (sound, rate) = heard(codec, &rig.got(1));
        assert!(goertzel_power(&sound[rate as usize / 4..], rate, 900.0) > 0.95, "{codec:?}");
        let said = rig.got(1).len();
        rig.play(1, 1, vec![clip(440.0, 1_000)], 1);
        rig.run_ms(800);
        let (sound, rate) = heard(codec, &rig.got(1)[said..]);
        assert!(goertzel_power(&sound[rate as usize / 10..], rate, 440.0) > 0.95, "{codec:?}");
    }
}

#[test]
fn a_third_peer_hears_one_side_of_a_bridge_until_the_tap_ends() {
    for (codec, third) in [(Pcmu, Pcma), (G722, Pcmu), (Opus, Opus)] {
        let mut rig = Rig::new(1);
        let mut phones = [Phone::new(&mut rig, 1, codec, |_| {}), Phone::new(&mut rig, 2, codec, |_| {})];
        let recorder = Phone::new(&mut rig, 3, third, |_| {});
        rig.bridge(1, 2);
        for (what, hz) in [(RecordWhat::Received, 900.0), (RecordWhat::Sent, 600.0)] {
            let before = rig.got(3).len();
            let ring = tap(&mut rig, 1, 1, what);
            rig.command(CoreCommand::Hear { leg: LegId(3), ring: ring.clone() });
            for _ in 0..60 {
                for (n, phone) in phones.iter_mut().enumerate() {
                    phone.say(&mut rig, [900.0, 600.0][n]);
                    rig.run_ms(5);
                }
                rig.run_ms(10);
            }
            assert!(ring.waiting() <= 1 && ring.lost() == 0, "{} wait", ring.waiting());
            let (sound, rate) = heard(third, &rig.got(3)[before..]);
            let share = goertzel_power(&sound[rate as usize / 4..], rate, hz);
            assert!(share > 0.95, "{codec:?} {third:?} {what:?}: {share}");
            rig.command(CoreCommand::Untap { leg: LegId(1), tap: TapId(1) });
            let told = rig.got(3).len();
            rig.run_ms(400);
            let (sound, rate) = heard(third, &rig.got(3)[told..]);
            let rest = &sound[sound.len() - rate as usize / 8..];
            assert!(rest.iter().all(|sample| sample.abs() < 64), "silence follows, packets go on");
        }
        drop(recorder);
    }
}

#[test]
fn what_piles_up_is_left_out() {
    let mut rig = Rig::new(1);
    rig.leg(1, Pcmu);
    let ring = Arc::new(TapRing::default());
    for _ in 0..20 {
        ring.put(0, 1, &[1_000; FRAME_SAMPLES]);
    }
    rig.command(CoreCommand::Hear { leg: LegId(1), ring: ring.clone() });
    rig.run_ms(20);
    assert_eq!(ring.waiting(), 5);
}
