//! Packets of the peer itself that are not what they should be: nothing panics, nothing overflows, and the legs go
//! on.

use super::*;
use crate::command::RecordWhat;

#[test]
fn a_peer_that_sends_anything_breaks_nothing() {
    for seed in 0..60 {
        let mut rng = Rng::seeded(seed);
        let mut rig = Rig::new(seed);
        let mut peers = [rig.leg(1, CodecKind::Pcmu), rig.leg(2, CodecKind::Pcma)];
        rig.bridge(1, 2);
        rig.command(CoreCommand::Record {
            leg: LegId(1),
            recording: RecordingSid(1),
            what: RecordWhat::Both,
            beep: None,
            max_ms: u64::MAX,
            silence_ms: 0,
        });
        for _ in 0..2_000 {
            let peer = &mut peers[rng.below(2) as usize];
            let payload: Vec<u8> = (0..rng.below(400)).map(|_| rng.u32() as u8).collect();
            let payload_type = [0, 8, peer.dtmf, 13, rng.below(128) as u8][rng.below(5) as usize];
            let mut bytes = peer.numbered(payload_type, peer.timestamp, &payload);
            for _ in 0..rng.below(4) {
                let at = rng.below(bytes.len().min(24) as u64) as usize;
                bytes[at] = rng.u32() as u8;
            }
            bytes.truncate(
                bytes.len() - rng.below(bytes.len() as u64 + 1) as usize * usize::from(rng.chance(0.1)),
            );
            let (leg, from) = (peer.leg, peer.address);
            let rtcp = SocketAddr::new(from.ip(), from.port() + 1);
            rig.packet(leg, Channel::Rtp, from, &bytes);
            rig.packet(leg, Channel::Rtcp, rtcp, &bytes);
            if rng.chance(0.3) {
                rig.run_ms(rng.below(50));
            }
        }
        for sent in &rig.caught.sent {
            assert!(sent.bytes.len() <= crate::rtp::PACKET_BYTES_MAX);
        }
        // A real source is heard from its second packet, whatever was said before.
        let [ann, bob] = &mut peers;
        (ann.ssrc, ann.sequence, ann.timestamp) = (0xABCD, 5, 5);
        for n in 0..3 {
            rig.run_ms(20);
            rig.say(ann, &[n; 160]);
        }
        assert_eq!(rig.got(bob.leg).last().unwrap().payload, {
            let mut payload = vec![2; 160];
            crate::codec::transcode(CodecKind::Pcmu, CodecKind::Pcma, &mut payload);
            payload
        });
        rig.command(CoreCommand::Close { leg: LegId(1) });
    }
}

/// The same for legs whose packets are decoded: in bridges that transcode, and in a room.
#[test]
fn a_peer_that_sends_anything_breaks_no_decoder_and_no_room() {
    use CodecKind::{G722, L16Narrow, L16Wide, Opus, Pcmu};
    for seed in 0..20 {
        let mut rng = Rng::seeded(seed);
        let mut rig = Rig::new(seed);
        let codecs = [Opus, Pcmu, G722, L16Wide, Opus, L16Narrow, Pcmu];
        let mut peers: Vec<Peer> =
            codecs.iter().enumerate().map(|(n, &codec)| rig.leg(n as u64 + 1, codec)).collect();
        for peer in &peers {
            // Whatever is sent, some of it is of a type that was agreed on.
            let mut negotiated = peer.negotiated();
            for (n, codec) in CodecKind::ALL.into_iter().enumerate() {
                negotiated.receive[n] = Some((codec.info().payload_type, codec));
            }
            negotiated.comfort_noise = Some(13);
            rig.command(CoreCommand::Configure { leg: LegId(peer.leg), negotiated });
        }
        rig.bridge(1, 2);
        rig.bridge(3, 4);
        for leg in 5..=7 {
            let member = crate::command::Member::default();
            rig.command(CoreCommand::Join { leg: LegId(leg), room: RoomId(1), member });
        }
        for _ in 0..1_500 {
            let peer = &mut peers[rng.below(7) as usize];
            let payload: Vec<u8> = (0..rng.below(1_150)).map(|_| rng.u32() as u8).collect();
            let own = peer.codec.info().payload_type;
            let payload_type = [own, own, peer.dtmf, 13, 107, 9, rng.below(128) as u8][rng.below(7) as usize];
            let timestamp = match rng.below(4) {
                0 => rng.u32(),
                1 => peer.timestamp,
                _ => peer.timestamp.wrapping_add(rng.below(3_000) as u32),
            };
            peer.timestamp = peer.timestamp.wrapping_add(rng.below(2_000) as u32);
            peer.sequence = peer.sequence.wrapping_add(rng.below(4) as u16).wrapping_sub(1);
            let bytes = peer.numbered(payload_type, timestamp, &payload);
            let (leg, from) = (peer.leg, peer.address);
            rig.packet(leg, Channel::Rtp, from, &bytes);
            if rng.chance(0.3) {
                rig.run_ms(rng.below(50));
            }
        }
        assert!(rig.caught.sent.iter().all(|sent| sent.bytes.len() <= crate::rtp::PACKET_BYTES_MAX));
        assert!((1..=7).all(|leg| !rig.got(leg).is_empty()), "all legs are alive");
    }
}

#[test]
fn a_peer_cannot_change_its_codec_with_every_packet() {
    let mut rig = Rig::new(1);
    let mut ann = rig.leg(1, CodecKind::Pcmu);
    let _bob = rig.leg(2, CodecKind::L16Wide);
    let mut negotiated = ann.negotiated();
    negotiated.receive[1] = Some((9, CodecKind::G722));
    rig.command(CoreCommand::Configure { leg: LegId(1), negotiated });
    rig.bridge(1, 2);
    for n in 0..100 {
        ann.codec = if n % 2 == 0 { CodecKind::Pcmu } else { CodecKind::G722 };
        rig.say(&mut ann, &[n; 160]);
        rig.run_ms(20);
    }
    // Half of them, but for one change in eleven packets.
    let refused = rig.stats(1).malformed;
    assert!((40..=48).contains(&refused), "{refused}");
    ann.codec = CodecKind::G722;
    let before = rig.stats(1).malformed;
    for n in 0..50 {
        rig.say(&mut ann, &[n; 160]);
        rig.run_ms(20);
    }
    assert!(rig.stats(1).malformed - before <= 10, "a change that stays is followed");
}
