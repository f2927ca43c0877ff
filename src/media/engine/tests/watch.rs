//! What is wrong with a leg is told within three seconds, by name, and once; keys that only sound are heard once.

use super::*;
use crate::codec::coder::Encoder;
use crate::negotiated::OpusParameters;
use crate::quality::Finding;
use crate::tone::dtmf_frequencies;

const PCMU: CodecKind = CodecKind::Pcmu;

impl Rig {
    /// What was found on a leg and when, in milliseconds since the start of the test.
    fn findings(&mut self, leg: u64) -> Vec<(Finding, bool)> {
        let of_leg = |event: &Event| matches!(event, Event::Finding { leg: on, .. } if on.0 == leg);
        let found = self.caught.events.extract_if(.., |event| of_leg(event));
        found
            .filter_map(|event| match event {
                Event::Finding { finding, began, .. } => Some((finding, began)),
                _ => None,
            })
            .collect()
    }

    /// A peer says this for so long.
    fn talk(&mut self, peer: &mut Peer, ms: u64, mut payload: impl FnMut(u64) -> Vec<u8>) {
        for n in 0..ms / 20 {
            let payload = payload(n);
            self.say(peer, &payload);
            self.run_ms(20);
        }
    }
}

fn tone(n: u64) -> Vec<u8> {
    let at = (n as usize * 160) % 8_000;
    encode(PCMU, &sine(500.0, 1_020)[at..at + 160])
}

#[test]
fn one_way_audio_is_found_and_is_over_when_the_peer_is_heard() {
    let mut rig = Rig::new(1);
    let mut ann = rig.leg(1, PCMU);
    rig.run_ms(3_000);
    assert_eq!(rig.findings(1), [(Finding::OneWay, true)]);
    rig.run_ms(10_000);
    assert_eq!(rig.findings(1), [], "once");
    rig.talk(&mut ann, 4_000, tone);
    assert_eq!(rig.findings(1), [(Finding::OneWay, false)]);
}

#[test]
fn a_fault_is_told_within_three_seconds_whenever_it_begins() {
    for offset in (0..1_000).step_by(70) {
        let mut rig = Rig::new(1);
        let mut ann = rig.leg(1, PCMU);
        rig.talk(&mut ann, 3_000 + offset, tone);
        assert_eq!(rig.findings(1), []);
        let told = (1..=60).find(|_| {
            rig.run_ms(50);
            rig.findings(1) == [(Finding::OneWay, true)]
        });
        assert!(told.is_some(), "begun after {offset} ms");
    }
}

#[test]
fn a_held_leg_is_not_one_way() {
    let mut rig = Rig::new(1);
    let ann = rig.leg(1, PCMU);
    let hold = Negotiated { direction: Direction::SendOnly, ..ann.negotiated() };
    rig.command(CoreCommand::Configure { leg: LegId(1), negotiated: hold });
    rig.run_ms(8_000);
    assert_eq!(rig.findings(1), []);
}

/// A phone that has the box on hold sends music or silence, as it likes.
#[test]
fn a_peer_that_holds_is_not_silent() {
    let mut rig = Rig::new(1);
    let mut ann = rig.leg(1, PCMU);
    let held = Negotiated { direction: Direction::RecvOnly, ..ann.negotiated() };
    rig.command(CoreCommand::Configure { leg: LegId(1), negotiated: held });
    rig.talk(&mut ann, 12_000, |_| vec![0xFF; 160]);
    assert_eq!(rig.findings(1), []);
    rig.command(CoreCommand::Configure { leg: LegId(1), negotiated: ann.negotiated() });
    rig.talk(&mut ann, 3_500, |_| vec![0xFF; 160]);
    assert_eq!(rig.findings(1), [(Finding::Silence, true)], "not any more");
}

#[test]
fn digital_silence_a_wrong_codec_and_a_wrong_source_are_told_apart() {
    let mut rig = Rig::new(1);
    let mut ann = rig.leg(1, PCMU);
    rig.talk(&mut ann, 3_500, |_| vec![0xFF; 160]);
    assert_eq!(rig.findings(1), [(Finding::Silence, true)]);
    rig.talk(&mut ann, 3_500, tone);
    assert_eq!(rig.findings(1), [(Finding::Silence, false)]);

    let mut bob = rig.leg(2, PCMU);
    bob.codec = CodecKind::L16Wide;
    let payload_type = bob.codec.info().payload_type;
    rig.talk(&mut bob, 3_000, |_| vec![7; 160]);
    assert_eq!(rig.findings(2), [(Finding::WrongCodec { payload_type, agreed: PCMU }, true)]);

    let mut cem = rig.leg(3, PCMU);
    cem.address = "198.51.100.9:4000".parse().unwrap();
    rig.talk(&mut cem, 3_000, tone);
    assert_eq!(rig.findings(3), [(Finding::WrongSource, true)]);
}

#[test]
fn a_pure_tone_of_any_pitch_is_no_silence() {
    for hz in [500.0, 800.0, 1_000.0, 1_004.0, 1_600.0, 2_000.0, 2_667.0] {
        let mut rig = Rig::new(1);
        let mut ann = rig.leg(1, PCMU);
        let sound = encode(PCMU, &sine(hz, 20));
        rig.talk(&mut ann, 3_500, |_| sound.clone());
        assert_eq!(rig.findings(1), [], "{hz} Hz");
    }
}

#[test]
fn an_echo_is_found_with_its_delay_and_talk_is_none() {
    for codec in [PCMU, CodecKind::G722] {
        echo_is_found_of(codec);
    }
}

/// What the phone that is not to blame speaks: relayed, or transcoded.
fn echo_is_found_of(codec: CodecKind) {
    let mut rig = Rig::new(1);
    let (mut ann, mut bob) = (rig.leg(1, codec), rig.leg(2, PCMU));
    let mut encoder = Encoder::new(codec, 8_000, OpusParameters::default());
    rig.bridge(1, 2);
    // Words of different length and loudness; Bob's phone sends back what it plays, 120 ms later.
    let mut rng = Rng::seeded(3);
    let mut said: Vec<Vec<u8>> = Vec::new();
    let (mut left, mut level) = (0, 0.0);
    for n in 0..250usize {
        if left == 0 {
            left = 3 + rng.below(12);
            level = [0.0, 300.0, 2_000.0, 9_000.0][rng.below(4) as usize];
        }
        left -= 1;
        let frame: Vec<i16> =
            sine(440.0, 20).iter().map(|&s| (f64::from(s) / 8_000.0 * level) as i16).collect();
        let mut payload = [0; 400];
        let len = encoder.encode(&frame, &mut payload);
        rig.say(&mut ann, &payload[..len]);
        said.push(encode(PCMU, &frame));
        let back = n
            .checked_sub(6)
            .map_or(vec![0xFE; 160], |n| said[n].iter().map(|&b| PCMU.encode(PCMU.decode(b) / 4)).collect());
        rig.say(&mut bob, &back);
        rig.run_ms(20);
    }
    let found = rig.findings(2);
    assert!(matches!(found[..], [(Finding::Echo { delay_ms: 100..=140 }, true)]), "{codec:?}: {found:?}");
    assert_eq!(rig.findings(1), [], "Ann hears herself, but her phone is not to blame");
}

#[test]
fn keys_that_only_sound_are_heard_once_each() {
    for in_bridge in [false, true] {
        let mut rig = Rig::new(1);
        let mut ann = rig.leg(1, PCMU);
        let _bob = rig.leg(2, CodecKind::G722);
        let plain = Negotiated { dtmf: None, dtmf_receive: None, ..ann.negotiated() };
        rig.command(CoreCommand::Configure { leg: LegId(1), negotiated: plain });
        if in_bridge {
            rig.bridge(1, 2);
        }
        for key in "17*0#55".chars() {
            let code = crate::dtmf::code(key).unwrap();
            let (low, high) = dtmf_frequencies(crate::dtmf::digit(code).unwrap()).unwrap();
            rig.talk(&mut ann, 80, |n| {
                let samples = (0..160).map(|i| {
                    let t = (n * 160 + i) as f64 / 8_000.0 * std::f64::consts::TAU;
                    ((t * low).sin() * 6_000.0 + (t * high).sin() * 6_000.0) as i16
                });
                encode(PCMU, &samples.collect::<Vec<_>>())
            });
            rig.talk(&mut ann, 100, |_| vec![0xFE; 160]);
        }
        assert_eq!(rig.digits(1), "17*0#55");
    }
}

#[test]
fn the_figures_say_how_good_it_was() {
    let mut rig = Rig::new(1);
    let (mut ann, mut bob) = (rig.leg(1, PCMU), rig.leg(2, PCMU));
    assert_eq!(rig.stats(1).mos_x100, 0);
    rig.talk(&mut ann, 2_000, tone);
    assert!(rig.stats(1).mos_x100 > 420, "{}", rig.stats(1).mos_x100);
    for n in 0..200 {
        let bytes = bob.packet(&tone(n));
        if n % 10 != 0 {
            rig.packet(2, Channel::Rtp, bob.address, &bytes);
        }
        rig.run_ms(20);
    }
    assert!((250..380).contains(&rig.stats(2).mos_x100), "{}", rig.stats(2).mos_x100);
}

/// Nobody decodes what is relayed as it came, but whether it is silence is looked into.
#[test]
fn silence_is_told_of_what_is_only_relayed() {
    for codec in [CodecKind::Opus, CodecKind::G722, CodecKind::L16Wide] {
        let mut rig = Rig::new(1);
        let mut ann = transcode::Phone::new(&mut rig, 1, codec, |_| {});
        let _bob = transcode::Phone::new(&mut rig, 2, codec, |_| {});
        rig.bridge(1, 2);
        let mut talk = |rig: &mut Rig, hz: f64, ms: u64| {
            for _ in 0..ms / 20 {
                ann.say(rig, hz);
                rig.run_ms(20);
            }
        };
        // A tone of 0 Hz is none.
        talk(&mut rig, 0.0, 3_000);
        assert_eq!(rig.findings(1), [(Finding::Silence, true)], "{codec:?}");
        talk(&mut rig, 500.0, 2_000);
        assert_eq!(rig.findings(1), [(Finding::Silence, false)], "{codec:?}");
        assert_eq!(rig.got(2).len(), 250, "each packet was passed on");
    }
}
