//! What one leg of a bridge says, the other hears: byte for byte, with its own gaps, and nobody else.

use super::*;
use crate::dtmf::TelephoneEvent;
use crate::tone::goertzel_power;

const PCMU: CodecKind = CodecKind::Pcmu;
const PCMA: CodecKind = CodecKind::Pcma;

fn bridged(seed: u64, a: CodecKind, b: CodecKind) -> (Rig, Peer, Peer) {
    let mut rig = Rig::new(seed);
    let (ann, bob) = (rig.leg(1, a), rig.leg(2, b));
    rig.bridge(1, 2);
    (rig, ann, bob)
}

/// Packets of random sound, 20 ms apart from now on.
fn speech(rig: &Rig, peer: &mut Peer, frames: u64, seed: u64) -> Vec<(u64, Vec<u8>)> {
    let mut rng = Rng::seeded(seed);
    (0..frames)
        .map(|n| {
            let payload: Vec<u8> = (0..160).map(|_| rng.u32() as u8).collect();
            (rig.now + n * 20 * MS, peer.packet(&payload))
        })
        .collect()
}

#[test]
fn every_packet_that_arrives_is_relayed_once_and_byte_for_byte() {
    for seed in 0..50 {
        let (mut rig, mut ann, _) = bridged(seed, PCMU, PCMU);
        // Over both wraps.
        (ann.sequence, ann.timestamp) = (65_400, u32::MAX - 20_000);
        let sent = speech(&rig, &mut ann, 400, seed);
        let arrived = Wire::new(seed).carry(&sent);
        let skip = rig.got(2).len();
        rig.arrive(&ann, &arrived);
        let heard = rig.got(2).split_off(skip);

        let first = parse(&arrived[0].1).unwrap().fields;
        let offsets = |got: &Fields, source: &Fields| {
            (got.sequence.wrapping_sub(source.sequence), got.timestamp.wrapping_sub(source.timestamp))
        };
        let expected_offsets = offsets(&heard[0].fields, &first);
        let mut seen = std::collections::BTreeSet::new();
        let expected: Vec<_> = arrived
            .iter()
            .map(|(at, bytes)| (*at, parse(bytes).unwrap(), bytes))
            // What is behind the first packet belongs to a time when something else was sent.
            .filter(|(_, parsed, _)| {
                crate::rtp::sequence_distance(parsed.fields.sequence, first.sequence) >= 0
            })
            .filter(|(_, parsed, _)| seen.insert(parsed.fields.sequence))
            .collect();
        assert_eq!(heard.len(), expected.len(), "seed {seed}");
        for (got, (at, parsed, bytes)) in heard.iter().zip(expected) {
            assert_eq!(got.at, at, "at once");
            assert_eq!(got.payload, bytes[parsed.payload.clone()]);
            assert_eq!(offsets(&got.fields, &parsed.fields), expected_offsets);
            assert_eq!(got.fields.payload_type, 0);
        }
    }
}

#[test]
fn a_tone_is_heard_through_relay_and_transcoding_both_ways() {
    for (a, b) in [(PCMU, PCMU), (PCMU, PCMA), (PCMA, PCMU), (PCMA, PCMA)] {
        let (mut rig, mut ann, mut bob) = bridged(1, a, b);
        let (from_ann, from_bob) = (sine(900.0, 2_000), sine(700.0, 2_000));
        for n in 0..100 {
            rig.say(&mut ann, &encode(a, &from_ann[n * 160..][..160]));
            rig.run_ms(9);
            rig.say(&mut bob, &encode(b, &from_bob[n * 160..][..160]));
            rig.run_ms(11);
        }
        for (leg, codec, hz) in [(2, b, 900.0), (1, a, 700.0)] {
            let got = rig.got(leg);
            assert!(got.iter().all(|got| got.fields.payload_type == codec.info().payload_type));
            let sound = decode(codec, &got);
            assert!(goertzel_power(&sound[320..], 8_000, hz) > 0.99, "{a:?} to {b:?}, {hz} Hz");
        }
    }
}

#[test]
fn a_peer_may_fall_back_to_the_other_law() {
    let (mut rig, mut ann, _) = bridged(1, PCMU, PCMU);
    ann.codec = PCMA;
    rig.say(&mut ann, &encode(PCMA, &sine(500.0, 20)));
    let got = rig.got(2).pop().unwrap();
    assert_eq!(got.fields.payload_type, 0);
    assert!(goertzel_power(&decode(PCMU, &[got]), 8_000, 500.0) > 0.9);
}

#[test]
fn packets_longer_than_a_peer_takes_are_cut_for_it() {
    for (longest, expected) in [(20, vec![160, 160]), (40, vec![320])] {
        let mut rig = Rig::new(1);
        let (mut ann, bob) = (rig.leg(1, PCMU), Peer::new(2, PCMU));
        let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 20_004);
        rig.command(CoreCommand::Open { leg: LegId(2), local, peer: None });
        let negotiated = Negotiated { max_ptime_ms: longest, ..bob.negotiated() };
        rig.command(CoreCommand::Configure { leg: LegId(2), negotiated });
        rig.bridge(1, 2);
        let sound = encode(PCMU, &sine(500.0, 40));
        rig.say(&mut ann, &sound);
        let got = rig.got(2);
        assert_eq!(got.iter().map(|got| got.payload.len()).collect::<Vec<_>>(), expected);
        assert_eq!(got.iter().flat_map(|got| got.payload.clone()).collect::<Vec<_>>(), sound);
    }
}

#[test]
fn comfort_noise_reaches_who_takes_it_under_its_number_and_nobody_else() {
    for takes in [Some(13), Some(99), None] {
        let mut rig = Rig::new(1);
        let (mut ann, bob) = (Peer::new(1, PCMU), Peer::new(2, PCMU));
        for (peer, comfort_noise) in [(&ann, Some(13)), (&bob, takes)] {
            let leg = LegId(peer.leg);
            let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 20_000 + 2 * peer.leg as u16);
            rig.command(CoreCommand::Open { leg, local, peer: None });
            let negotiated = Negotiated { comfort_noise, ..peer.negotiated() };
            rig.command(CoreCommand::Configure { leg, negotiated });
        }
        rig.bridge(1, 2);
        rig.say(&mut ann, &[1; 160]);
        let noise = ann.numbered(13, ann.timestamp, &[60]);
        rig.packet(1, Channel::Rtp, ann.address, &noise);
        let got: Vec<_> = rig.got(2).into_iter().map(|got| (got.fields.payload_type, got.payload)).collect();
        let mut expected = vec![(0, vec![1; 160])];
        expected.extend(takes.map(|number| (number, vec![60])));
        assert_eq!(got, expected);
    }
}

#[test]
fn a_jump_of_the_timestamp_does_not_reach_the_listener() {
    let (mut rig, mut ann, _) = bridged(1, PCMU, PCMU);
    for n in 0..20 {
        if n == 10 {
            ann.timestamp = ann.timestamp.wrapping_add(0x7000_0000);
        }
        rig.say(&mut ann, &[n; 160]);
        rig.run_ms(20);
    }
    let got = rig.got(2);
    for pair in got.windows(2) {
        assert_eq!(pair[1].fields.timestamp.wrapping_sub(pair[0].fields.timestamp), 160);
        assert_eq!(pair[1].fields.sequence.wrapping_sub(pair[0].fields.sequence), 1);
    }
}

#[test]
fn silence_suppression_keeps_its_length_and_marker() {
    let (mut rig, mut ann, _) = bridged(1, PCMU, PCMU);
    rig.say(&mut ann, &[1; 160]);
    rig.run_ms(3_000);
    ann.timestamp += 3_000 * 8 - 160;
    let mut bytes = ann.packet(&[2; 160]);
    bytes[1] |= 0x80;
    rig.packet(1, Channel::Rtp, ann.address, &bytes);
    let got = rig.got(2);
    let [.., before, after] = got.as_slice() else { panic!("{got:?}") };
    assert_eq!(after.fields.timestamp.wrapping_sub(before.fields.timestamp), 3_000 * 8);
    assert_eq!(after.fields.sequence.wrapping_sub(before.fields.sequence), 1);
    assert!(after.fields.marker);
}

#[test]
fn another_source_is_heard_from_its_second_packet_without_a_seam() {
    let (mut rig, mut ann, _) = bridged(1, PCMU, PCMU);
    for n in 0..5 {
        rig.say(&mut ann, &[n; 160]);
        rig.run_ms(20);
    }
    (ann.ssrc, ann.sequence, ann.timestamp) = (99, 40_000, 77);
    for n in 5..10 {
        rig.say(&mut ann, &[n; 160]);
        rig.run_ms(20);
    }
    let got = rig.got(2);
    let heard: Vec<u8> = got.iter().map(|got| got.payload[0]).collect();
    assert_eq!(heard, [0, 1, 2, 3, 4, 6, 7, 8, 9]);
    let numbers: Vec<u16> =
        got.iter().map(|g| g.fields.sequence.wrapping_sub(got[0].fields.sequence)).collect();
    assert_eq!(numbers, (0..9).collect::<Vec<_>>());
    assert_eq!(rig.stats(1).strangers, 1);
}

#[test]
fn after_a_new_offer_another_source_is_heard_at_once() {
    let (mut rig, mut ann, _) = bridged(1, PCMU, PCMU);
    rig.say(&mut ann, &[1; 160]);
    ann.address.set_port(4_444);
    rig.command(CoreCommand::Configure { leg: LegId(1), negotiated: ann.negotiated() });
    (ann.ssrc, ann.sequence) = (99, 5);
    rig.run_ms(20);
    rig.say(&mut ann, &[2; 160]);
    assert_eq!(rig.got(2).last().unwrap().payload[0], 2);
}

#[test]
fn a_flood_of_strangers_is_counted_and_not_heard() {
    let (mut rig, mut ann, _) = bridged(1, PCMU, PCMU);
    rig.say(&mut ann, &[1; 160]);
    let mut rng = Rng::seeded(5);
    let before = rig.caught.sent.len();
    for n in 0..100_000u32 {
        let from = SocketAddr::new(Ipv4Addr::from(rng.u32()).into(), rng.u32() as u16);
        // Some even guess the stream.
        let mut stranger = ann.clone();
        if n % 2 == 0 {
            stranger.ssrc = rng.u32();
        }
        let bytes = if n % 3 == 0 { vec![rng.u32() as u8; 40] } else { stranger.packet(&[9; 160]) };
        rig.packet(1, Channel::Rtp, from, &bytes);
        rig.packet(1, Channel::Rtcp, from, &bytes);
    }
    assert_eq!(rig.caught.sent.len(), before);
    assert_eq!(rig.stats(1).strangers, 200_000);
    assert_eq!(rig.stats(1).packets_received, 1);
    rig.run_ms(20);
    rig.say(&mut ann, &[3; 160]);
    assert_eq!(rig.got(2).last().unwrap().payload[0], 3, "the peer is still heard");
}

#[test]
fn nobody_hears_a_leg_on_hold() {
    // Relayed, and transcoded either way.
    for (a, b) in [(PCMU, PCMU), (PCMU, CodecKind::L16Wide), (CodecKind::L16Wide, PCMU)] {
        let (mut rig, mut ann, mut bob) = bridged(1, a, b);
        let hold = Negotiated { direction: Direction::RecvOnly, ..bob.negotiated() };
        rig.command(CoreCommand::Configure { leg: LegId(2), negotiated: hold });
        rig.say(&mut ann, &[1; 160]);
        assert!(rig.got(2).is_empty(), "we may not send to Bob");
        rig.say(&mut bob, &[2; 640]);
        let music = rig.got(1).len();
        assert!(music > 0, "his hold music is heard");
        let inactive = Negotiated { direction: Direction::Inactive, ..bob.negotiated() };
        rig.command(CoreCommand::Configure { leg: LegId(2), negotiated: inactive });
        rig.say(&mut bob, &[3; 640]);
        rig.say(&mut ann, &[3; 640]);
        assert_eq!((rig.got(1).len(), rig.got(2).len()), (music, 0));
        rig.command(CoreCommand::Configure { leg: LegId(2), negotiated: bob.negotiated() });
        rig.run_ms(20);
        rig.say(&mut ann, &[4; 640]);
        assert!(!rig.got(2).is_empty(), "heard again");
    }
}

/// The packets of keys: 100 ms each, end three times, every 200 ms; sound goes on between them.
fn keys(rig: &Rig, peer: &mut Peer, keys: &str) -> Vec<(u64, Vec<u8>)> {
    let mut packets = Vec::new();
    let mut now = rig.now;
    for key in keys.chars() {
        let code = crate::dtmf::code(key).unwrap();
        let start = peer.timestamp;
        for n in 1..=7u16 {
            let event = TelephoneEvent { code, end: n >= 5, volume: 10, duration: n.min(5) * 160 };
            packets.push((now, peer.numbered(peer.dtmf, start, &event.write())));
            now += 20 * MS;
        }
        peer.timestamp = peer.timestamp.wrapping_add(140 * 8);
        for _ in 0..3 {
            packets.push((now, peer.packet(&[0x80; 160])));
            now += 20 * MS;
        }
    }
    packets
}

#[test]
fn keys_are_told_once_and_reach_the_other_side_whatever_the_wire_does() {
    for seed in 0..200 {
        let (mut rig, mut ann, bob) = bridged(seed, PCMU, PCMA);
        let pressed = "1123581321*0#99";
        let sent = keys(&rig, &mut ann, pressed);
        let mut wire = Wire { loss: 0.3, ..Wire::new(seed) };
        rig.arrive(&ann, &wire.carry(&sent));

        let told = rig.digits(1);
        let mut left = pressed.chars();
        assert!(told.chars().all(|t| left.any(|p| p == t)), "seed {seed}: told {told}");
        assert!(told.len() + 1 >= pressed.len(), "seed {seed}: told {told}");

        // Bob's phone, hearing with the same ears, hears the same keys.
        let mut ears = crate::dtmf::Receiver::default();
        let mut heard = String::new();
        for got in rig.got(2).iter().filter(|got| got.fields.payload_type == bob.dtmf) {
            let event = TelephoneEvent::read(&got.payload).unwrap();
            heard.extend(ears.on_packet(event, got.fields.timestamp, got.at).map(|key| key.digit));
        }
        assert_eq!(heard, told, "seed {seed}");
    }
}

#[test]
fn a_key_held_long_stays_one_key_on_the_other_side() {
    let (mut rig, mut ann, bob) = bridged(1, PCMU, PCMU);
    rig.say(&mut ann, &[1; 160]);
    let start = ann.timestamp;
    for n in 1..=300u16 {
        rig.run_ms(20);
        let event = TelephoneEvent { code: 5, end: n == 300, volume: 10, duration: n * 160 };
        let bytes = ann.numbered(ann.dtmf, start, &event.write());
        rig.packet(1, Channel::Rtp, ann.address, &bytes);
    }
    assert_eq!(rig.digits(1), "5");
    let got = rig.got(2);
    let starts: std::collections::BTreeSet<u32> =
        got.iter().filter(|g| g.fields.payload_type == bob.dtmf).map(|g| g.fields.timestamp).collect();
    assert_eq!(starts.len(), 1);
}

#[test]
fn keys_for_a_peer_without_telephone_events_leave_no_gap() {
    let (mut rig, mut ann, bob) = bridged(1, PCMU, PCMU);
    let deaf = Negotiated { dtmf: None, dtmf_receive: None, ..bob.negotiated() };
    rig.command(CoreCommand::Configure { leg: LegId(2), negotiated: deaf });
    let sent = keys(&rig, &mut ann, "12");
    rig.arrive(&ann, &sent);
    assert_eq!(rig.digits(1), "12");
    let got = rig.got(2);
    assert_eq!(got.iter().filter(|got| got.payload == [0x80; 160]).count(), 6);
    assert!(got.iter().all(|got| got.fields.payload_type == 0));
    for pair in got.windows(2) {
        assert_eq!(pair[1].fields.sequence.wrapping_sub(pair[0].fields.sequence), 1);
    }
}

#[test]
fn closing_one_side_leaves_the_other_with_silence() {
    let (mut rig, mut ann, _) = bridged(1, PCMU, PCMU);
    rig.say(&mut ann, &[1; 160]);
    rig.command(CoreCommand::Close { leg: LegId(1) });
    let before = rig.got(2).len();
    rig.run_ms(1_000);
    let silence = rig.got(2).split_off(before);
    assert!((49..=50).contains(&silence.len()), "{}", silence.len());
    assert!(silence.iter().all(|got| got.payload == [0xFF; 160]));
    rig.say(&mut ann, &[2; 160]);
    assert_eq!(rig.core.legs(), 1);
}

#[test]
fn a_leg_is_in_one_bridge_only() {
    let (mut rig, mut ann, mut bob) = bridged(1, PCMU, PCMU);
    let mut cid = rig.leg(3, PCMU);
    rig.bridge(1, 3);
    rig.say(&mut ann, &[1; 160]);
    rig.say(&mut cid, &[2; 160]);
    rig.say(&mut bob, &[3; 160]);
    assert_eq!(rig.got(3).last().unwrap().payload[0], 1);
    assert_eq!(rig.got(1).last().unwrap().payload[0], 2);
    assert!(rig.got(2).is_empty());
    rig.bridge(1, 1);
    rig.command(CoreCommand::Unbridge { a: LegId(1), b: LegId(2) });
    rig.run_ms(20);
    rig.say(&mut ann, &[4; 160]);
    assert_eq!(rig.got(3).last().unwrap().payload[0], 4, "a bridge that is not there cannot be ended");
}

#[test]
fn a_leg_goes_on_in_another_engine() {
    let (mut rig, mut ann, _) = bridged(1, PCMU, PCMU);
    rig.say(&mut ann, &[1; 160]);
    rig.run_ms(20);
    let before = rig.got(2);
    let leg = rig.core.release(LegId(2), rig.now, &mut rig.caught).unwrap();
    assert_eq!(rig.core.legs(), 1);
    let mut other = Rig::new(2);
    other.now = rig.now;
    other.core.adopt(leg, other.now);
    other.run_ms(100);
    let after = other.got(2);
    assert_eq!(after[0].fields.ssrc, before[0].fields.ssrc);
    assert_eq!(after[0].fields.sequence, before.last().unwrap().fields.sequence.wrapping_add(1));
}
