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
