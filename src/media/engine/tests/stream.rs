//! One continuous stream, whatever a call does: the property every receiver relies on.

use super::*;
use crate::command::RecordWhat;

/// Random calls on four legs; what each peer was sent, checked packet by packet.
#[test]
fn numbers_and_timestamps_go_on_over_every_transition() {
    for seed in 0..100 {
        let mut rng = Rng::seeded(seed);
        let mut rig = Rig::new(seed);
        let mut peers: Vec<Peer> = (1..=4)
            .map(|n| rig.leg(n, if rng.chance(0.5) { CodecKind::Pcmu } else { CodecKind::Pcma }))
            .collect();
        for peer in &mut peers {
            (peer.sequence, peer.timestamp) = (rng.u32() as u16, rng.u32());
        }
        // Each peer speaks at its own moment of the 20 ms, now and then falls silent, now and then presses keys.
        let mut due: Vec<u64> = (0..4).map(|_| rig.now + rng.below(20 * MS)).collect();
        let mut plays = 0;
        for _ in 0..200 {
            act(&mut rig, &mut rng, &peers, &mut plays);
            let until = rig.now + rng.below(300) * MS;
            while let Some(n) = (0..4).filter(|&n| due[n] <= until).min_by_key(|&n| due[n]) {
                rig.run_until(due[n]);
                if rng.chance(0.005) {
                    let pause = 1 + rng.below(100);
                    due[n] += pause * 20 * MS;
                    peers[n].timestamp = peers[n].timestamp.wrapping_add(pause as u32 * 160);
                } else if rng.chance(0.002) {
                    (peers[n].ssrc, peers[n].sequence) = (rng.u32(), rng.u32() as u16);
                    peers[n].timestamp = rng.u32();
                } else {
                    rig.say(&mut peers[n], &[rng.u32() as u8; 160]);
                    due[n] += 20 * MS;
                }
            }
            rig.run_until(until);
        }
        for peer in &peers {
            check(seed, peer, &rig.got(peer.leg));
        }
    }
}

fn act(rig: &mut Rig, rng: &mut Rng, peers: &[Peer], plays: &mut u64) {
    let leg = LegId(1 + rng.below(4));
    let other = LegId(1 + rng.below(4));
    *plays += 1;
    let play = PlayId(*plays);
    match rng.below(10) {
        0 | 1 => rig.command(CoreCommand::Bridge { a: leg, b: other }),
        2 => rig.command(CoreCommand::Unbridge { a: leg, b: other }),
        3 | 4 => {
            let items = vec![clip(440.0, 1 + rng.below(300) as usize)];
            rig.command(CoreCommand::Play { leg, play, items, repeat: rng.below(3) as u32 });
        }
        5 => rig.command(CoreCommand::StopPlay { leg }),
        6 => rig.command(CoreCommand::SendDigits { leg, play, digits: "1w2".to_owned() }),
        7 => {
            let direction =
                [Direction::SendRecv, Direction::SendRecv, Direction::RecvOnly, Direction::Inactive];
            let direction = direction[rng.below(4) as usize];
            let peer = &peers[leg.0 as usize - 1];
            let negotiated = Negotiated { direction, ..peer.negotiated() };
            rig.command(CoreCommand::Configure { leg, negotiated });
        }
        8 => rig.command(CoreCommand::Record {
            leg,
            recording: RecordingSid(u128::from(*plays)),
            what: RecordWhat::Both,
            beep: rng.chance(0.5).then(|| std::sync::Arc::new(crate::Tone::Beep.clip())),
            max_ms: rng.below(2_000),
            silence_ms: 500,
        }),
        _ => {}
    }
}

fn check(seed: u64, peer: &Peer, got: &[Got]) {
    let name =
        |n: usize| format!("seed {seed}, leg {}, packet {n} of {}: {:?}", peer.leg, got.len(), got[n].fields);
    // One that was on hold all the time.
    let Some(first) = got.first() else { return };
    let mut key = Some(first.fields.timestamp);
    // The last packet whose timestamp said what time it is: all packets of a key say when it was pressed.
    let mut timed = first;
    for n in 1..got.len() {
        let (before, now) = (&got[n - 1], &got[n]);
        assert_eq!(now.fields.ssrc, first.fields.ssrc, "{}", name(n));
        // Nothing was lost on the way in, so nothing may look lost on the way out.
        assert_eq!(now.fields.sequence, before.fields.sequence.wrapping_add(1), "{}", name(n));

        let is_key = |got: &Got| got.fields.payload_type == peer.dtmf;
        let length = |got: &Got| match is_key(got) {
            true => u32::from(u16::from_be_bytes([got.payload[2], got.payload[3]])),
            false => got.payload.len() as u32,
        };
        if is_key(now) && !now.fields.marker {
            assert_eq!(Some(now.fields.timestamp), key, "{}", name(n));
            continue;
        }
        key = is_key(now).then_some(now.fields.timestamp);
        let end = before.fields.timestamp.wrapping_add(length(before));
        let gap = i64::from(now.fields.timestamp.wrapping_sub(end).cast_signed());
        assert!(gap >= 0, "{gap} samples overlap: {}", name(n));
        if gap > 0 {
            assert!(now.fields.marker, "a gap of {gap} samples without a marker: {}", name(n));
        }
        // The timestamps keep time with the clock, up to what a seam may shift.
        let passed = (now.at - timed.at) / 125_000;
        let stamped = u64::from(now.fields.timestamp.wrapping_sub(timed.fields.timestamp));
        timed = now;
        assert!(stamped.abs_diff(passed) <= 330, "{stamped} stamped, {passed} passed: {}", name(n));
    }
}
