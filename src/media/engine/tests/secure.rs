//! Encrypted legs: what is sent can be read by the peer alone, what is not the peer's is not taken.

use super::*;
use crate::negotiated::{Srtp, SrtpKey, SrtpSuite};
use crate::srtp::{OVERHEAD_MAX, Protector, Unprotector};
use crate::tone::goertzel_power;

const PCMU: CodecKind = CodecKind::Pcmu;

fn key(n: u8) -> SrtpKey {
    SrtpKey { key: std::array::from_fn(|i| n.wrapping_mul(31).wrapping_add(i as u8)), salt: [n; 14] }
}

fn keys(suite: SrtpSuite, n: u8) -> Srtp {
    Srtp { suite, send: key(n), receive: key(n + 1) }
}

/// A peer with SRTP.
struct Phone {
    peer: Peer,
    keys: Srtp,
    out: Protector,
    inward: Unprotector,
}

impl Phone {
    fn new(rig: &mut Rig, n: u64, suite: SrtpSuite) -> Phone {
        let peer = rig.leg(n, PCMU);
        let keys = keys(suite, n as u8 * 10);
        let negotiated = Negotiated { srtp: Some(keys), ..peer.negotiated() };
        rig.command(CoreCommand::Configure { leg: LegId(n), negotiated });
        let (out, inward) = (Protector::new(suite, &keys.receive), Unprotector::new(suite, &keys.send));
        Phone { peer, keys, out, inward }
    }

    fn packet(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = self.peer.packet(payload);
        let len = bytes.len();
        bytes.resize(len + OVERHEAD_MAX, 0);
        let len = self.out.rtp(&mut bytes, len);
        bytes.truncate(len);
        bytes
    }

    fn say(&mut self, rig: &mut Rig, payload: &[u8]) {
        let bytes = self.packet(payload);
        rig.packet(self.peer.leg, Channel::Rtp, self.peer.address, &bytes);
    }

    /// What it could read of what it was sent since it was asked last.
    fn heard(&mut self, rig: &mut Rig) -> Vec<i16> {
        let (leg, mut sound) = (LegId(self.peer.leg), Vec::new());
        let mine = |s: &SentPacket| s.leg == leg && s.channel == Channel::Rtp;
        for packet in rig.caught.sent.extract_if(.., |s| mine(s)) {
            let mut bytes = packet.bytes;
            let len = self.inward.rtp(&mut bytes).expect("what we send is encrypted with the agreed key");
            let parsed = parse(&bytes[..len]).unwrap();
            sound.extend(bytes[parsed.payload].iter().map(|&b| PCMU.decode(b)));
        }
        sound
    }
}

#[test]
fn encrypted_and_plain_legs_hear_each_other() {
    for suite in [SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AesCm128HmacSha1_32, SrtpSuite::AeadAes256Gcm] {
        let mut rig = Rig::new(1);
        let mut ann = Phone::new(&mut rig, 1, suite);
        let mut bob = Phone::new(&mut rig, 2, SrtpSuite::AesCm128HmacSha1_80);
        let mut eve = rig.leg(3, PCMU);
        rig.bridge(1, 2);
        let tone = sine(600.0, 1_000);
        for n in 0..50 {
            ann.say(&mut rig, &encode(PCMU, &tone[n * 160..][..160]));
            rig.run_ms(20);
        }
        assert!(goertzel_power(&bob.heard(&mut rig), 8_000, 600.0) > 0.98, "{suite:?}");
        rig.bridge(1, 3);
        for n in 0..50 {
            rig.say(&mut eve, &encode(PCMU, &tone[n * 160..][..160]));
            rig.run_ms(20);
        }
        let heard = ann.heard(&mut rig);
        assert!(goertzel_power(&heard[heard.len() - 4_000..], 8_000, 600.0) > 0.98, "{suite:?}");
    }
}

#[test]
fn plain_forged_and_repeated_packets_are_not_taken() {
    let mut rig = Rig::new(1);
    let mut ann = Phone::new(&mut rig, 1, SrtpSuite::AesCm128HmacSha1_80);
    let _bob = rig.leg(2, PCMU);
    rig.bridge(1, 2);
    let before = rig.got(2).len();
    let plain = ann.peer.clone().packet(&[1; 160]);
    rig.packet(1, Channel::Rtp, ann.peer.address, &plain);
    assert_eq!((rig.stats(1).forged, rig.stats(1).packets_received), (1, 0));
    // It may not even make its address the peer's.
    let elsewhere = SocketAddr::new(ann.peer.address.ip(), 9_999);
    rig.packet(1, Channel::Rtp, elsewhere, &plain);
    let good = ann.packet(&[2; 160]);
    let mut bad = good.clone();
    bad[20] ^= 1;
    rig.packet(1, Channel::Rtp, ann.peer.address, &bad);
    rig.packet(1, Channel::Rtp, ann.peer.address, &good);
    rig.packet(1, Channel::Rtp, ann.peer.address, &good);
    let stats = rig.stats(1);
    assert_eq!((stats.forged, stats.packets_received, stats.duplicates), (3, 1, 1));
    assert_eq!(rig.got(2).len() - before, 1);
}

#[test]
fn rollover_and_replay_go_on_over_a_new_agreement_with_the_same_keys() {
    let mut rig = Rig::new(1);
    let mut ann = Phone::new(&mut rig, 1, SrtpSuite::AesCm128HmacSha1_80);
    let _bob = rig.leg(2, PCMU);
    rig.bridge(1, 2);
    ann.peer.sequence = 65_530;
    let first = ann.packet(&[1; 160]);
    rig.packet(1, Channel::Rtp, ann.peer.address, &first);
    for n in 0..20 {
        rig.run_ms(20);
        ann.say(&mut rig, &[n; 160]);
    }
    // Past the wrap: a context that began anew could not read what follows.
    let negotiated = Negotiated { srtp: Some(ann.keys), ..ann.peer.negotiated() };
    rig.command(CoreCommand::Configure { leg: LegId(1), negotiated });
    let before = rig.stats(1);
    rig.packet(1, Channel::Rtp, ann.peer.address, &first);
    ann.say(&mut rig, &[9; 160]);
    let after = rig.stats(1);
    assert_eq!(after.packets_received - before.packets_received, 1);
    assert_eq!((after.forged, after.duplicates - before.duplicates), (0, 1), "and no replay");
    // New keys, as of a peer that began anew.
    ann.keys = keys(SrtpSuite::AesCm128HmacSha1_80, 77);
    ann.out = Protector::new(ann.keys.suite, &ann.keys.receive);
    let negotiated = Negotiated { srtp: Some(ann.keys), ..ann.peer.negotiated() };
    rig.command(CoreCommand::Configure { leg: LegId(1), negotiated });
    ann.say(&mut rig, &[9; 160]);
    assert_eq!(rig.stats(1).packets_received - after.packets_received, 1);
}

#[test]
fn a_new_key_of_one_side_leaves_the_other_sides_rollover_alone() {
    for (send, receive) in [(true, false), (false, true)] {
        let mut rig = Rig::new(1);
        let mut ann = Phone::new(&mut rig, 1, SrtpSuite::AesCm128HmacSha1_80);
        let mut bob = rig.leg(2, PCMU);
        rig.bridge(1, 2);
        // Past the wrap on the way whose key stays.
        ann.peer.sequence = 65_530;
        for _ in 0..if receive { 66_000 } else { 10 } {
            rig.say(&mut bob, &[1; 160]);
            rig.run_ms(20);
            assert_eq!(ann.heard(&mut rig).len(), 160);
            rig.caught.sent.clear();
        }
        for n in 0..20 {
            ann.say(&mut rig, &[n; 160]);
            rig.run_ms(20);
        }
        ann.heard(&mut rig);
        if send {
            ann.keys.send = key(90);
            ann.inward = Unprotector::new(ann.keys.suite, &ann.keys.send);
        }
        if receive {
            ann.keys.receive = key(91);
            ann.out = Protector::new(ann.keys.suite, &ann.keys.receive);
        }
        let negotiated = Negotiated { srtp: Some(ann.keys), ..ann.peer.negotiated() };
        rig.command(CoreCommand::Configure { leg: LegId(1), negotiated });
        let before = rig.stats(1).packets_received;
        for _ in 0..10 {
            ann.say(&mut rig, &[9; 160]);
            rig.say(&mut bob, &[1; 160]);
            rig.run_ms(20);
        }
        assert_eq!(rig.stats(1).packets_received - before, 10, "the box understands the phone");
        assert!(ann.heard(&mut rig).len() >= 10 * 160, "the phone understands the box");
    }
}

#[test]
fn reports_are_encrypted_too() {
    let mut rig = Rig::new(1);
    let mut ann = Phone::new(&mut rig, 1, SrtpSuite::AesCm128HmacSha1_80);
    rig.run_ms(12_000);
    let mut reports = 0;
    for packet in rig.caught.sent.iter().filter(|s| s.channel == Channel::Rtcp) {
        assert!(crate::rtcp::read(&packet.bytes, 0, 0).is_none_or(|read| read.heard.is_none()));
        let mut bytes = packet.bytes.clone();
        ann.inward.rtcp(&mut bytes).expect("the peer can read it");
        reports += 1;
    }
    assert!(reports >= 2, "{reports}");
}

#[test]
fn a_peer_whose_nat_forgot_it_is_followed_and_a_stranger_is_not() {
    let mut rig = Rig::new(1);
    let (mut ann, mut bob) = (rig.leg(1, PCMU), rig.leg(2, PCMU));
    rig.bridge(1, 2);
    rig.say(&mut ann, &[1; 160]);
    let host = ann.address.ip();
    let stranger = SocketAddr::new("198.51.100.200".parse().unwrap(), 4_000);
    let new = SocketAddr::new(host, 33_333);
    let count = |rig: &Rig| rig.stats(1).packets_received;
    // While the peer speaks nobody takes its place, whatever they know of its stream.
    rig.run_ms(500);
    for from in [stranger, new] {
        let bytes = ann.clone().packet(&[2; 160]);
        rig.packet(1, Channel::Rtp, from, &bytes);
    }
    assert_eq!(count(&rig), 1);
    rig.run_ms(1_000);
    let next = ann.packet(&[3; 160]);
    rig.packet(1, Channel::Rtp, stranger, &next);
    let other_stream = Peer { ssrc: 5, ..ann.clone() }.packet(&[4; 160]);
    rig.packet(1, Channel::Rtp, new, &other_stream);
    assert_eq!((count(&rig), rig.stats(1).moves), (1, 0));
    rig.packet(1, Channel::Rtp, new, &next);
    assert_eq!((count(&rig), rig.stats(1).moves), (2, 1));
    rig.say(&mut bob, &[5; 160]);
    assert_eq!(rig.caught.sent.last().unwrap().to, new);
}

#[test]
fn who_is_tried_next_may_claim_the_leg_and_who_was_tried_first_may_not() {
    let mut rig = Rig::new(1);
    let [first, next]: [SocketAddr; 2] =
        ["198.51.100.1:4000", "198.51.100.2:4000"].map(|a| a.parse().unwrap());
    let (leg, local) = (LegId(1), "192.0.2.1:20000".parse().unwrap());
    rig.command(CoreCommand::Open { leg, local, peer: Some(first.ip()) });
    rig.command(CoreCommand::Readdress { leg, local, peer: Some(next.ip()) });
    let opened = rig.caught.events.iter().filter(|event| matches!(event, Event::Opened { .. }));
    assert_eq!(opened.count(), 2);
    // Its SDP says where it is behind its router.
    let mut peer = Peer::new(1, PCMU);
    let behind = SocketAddr::new("192.168.0.7".parse().unwrap(), 4_000);
    rig.command(CoreCommand::Configure {
        leg,
        negotiated: Peer { address: behind, ..peer.clone() }.negotiated(),
    });
    for (from, received) in [(first, 0), (next, 1)] {
        let bytes = peer.packet(&[1; 160]);
        rig.packet(1, Channel::Rtp, from, &bytes);
        assert_eq!(rig.stats(1).packets_received, received, "{from}");
    }
}

#[test]
fn an_encrypted_peer_is_followed_anywhere() {
    let mut rig = Rig::new(1);
    let mut ann = Phone::new(&mut rig, 1, SrtpSuite::AeadAes256Gcm);
    let _bob = rig.leg(2, PCMU);
    rig.bridge(1, 2);
    ann.say(&mut rig, &[1; 160]);
    rig.run_ms(1_500);
    let far = SocketAddr::new("198.51.100.200".parse().unwrap(), 4_000);
    let next = ann.packet(&[2; 160]);
    let mut forged = next.clone();
    forged[30] ^= 4;
    rig.packet(1, Channel::Rtp, far, &forged);
    assert_eq!((rig.stats(1).moves, rig.stats(1).forged), (0, 1));
    rig.packet(1, Channel::Rtp, far, &next);
    assert_eq!((rig.stats(1).moves, rig.stats(1).packets_received), (1, 2));
}
