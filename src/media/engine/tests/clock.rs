//! What happens because time passes.

use std::collections::BTreeSet;

use super::*;
use crate::rtcp::{COMPOUND_BYTES_MAX, Reporter, Sent};
use crate::tone::goertzel_power;

const PCMU: CodecKind = CodecKind::Pcmu;

#[test]
fn a_leg_in_no_bridge_is_sent_silence_every_20_ms() {
    let mut rig = Rig::new(1);
    rig.leg(1, CodecKind::Pcma);
    rig.run_ms(2_000);
    let got = rig.got(1);
    assert_eq!(got.len(), 100);
    assert!(got[0].fields.marker);
    for pair in got.windows(2) {
        assert_eq!(pair[1].at - pair[0].at, 20 * MS);
        assert_eq!(pair[1].fields.timestamp.wrapping_sub(pair[0].fields.timestamp), 160);
        assert!(!pair[1].fields.marker && pair[1].payload == [0xD5; 160]);
    }
}

#[test]
fn a_leg_that_is_not_configured_is_sent_nothing_and_takes_nothing() {
    let mut rig = Rig::new(1);
    let local = "127.0.0.1:20000".parse().unwrap();
    rig.command(CoreCommand::Open { leg: LegId(1), local, peer: None });
    let mut ann = Peer::new(1, PCMU);
    rig.play(1, 1, vec![clip(440.0, 100)], 1);
    rig.say(&mut ann, &[1; 160]);
    rig.run_ms(1_000);
    assert!(rig.caught.sent.is_empty());
    rig.command(CoreCommand::Configure { leg: LegId(1), negotiated: ann.negotiated() });
    rig.run_ms(200);
    let sound = decode(PCMU, &rig.got(1)[..5]);
    assert!(goertzel_power(&sound, 8_000, 440.0) > 0.99, "what was to be played waited for the peer");
}

#[test]
fn clocked_legs_spread_over_the_frame() {
    let mut rig = Rig::new(1);
    for n in 1..=40 {
        rig.leg(n, PCMU);
    }
    rig.run_ms(1_000);
    let mut per_ms = [0; 20];
    for sent in rig.caught.sent.iter().filter(|s| s.channel == Channel::Rtp && s.at > START + 500 * MS) {
        assert_eq!(sent.at % MS, 0);
        per_ms[(sent.at / MS % 20) as usize] += 1;
    }
    assert_eq!(per_ms.iter().max(), per_ms.iter().min(), "{per_ms:?}");
}

#[test]
fn a_play_is_heard_whole_and_told_when_it_is_over() {
    let mut rig = Rig::new(1);
    rig.leg(1, PCMU);
    rig.run_ms(105);
    let before = rig.got(1).len();
    rig.play(1, 7, vec![clip(440.0, 250), CoreItem::Silence { ms: 100 }, clip(550.0, 250)], 2);
    rig.run_ms(1_300);
    let sound = decode(PCMU, &rig.got(1)[before..]);
    let start = sound.iter().position(|s| s.abs() > 100).unwrap() / 160 * 160;
    assert!(start <= 160, "at once");
    for (from_ms, hz) in [(0, 440.0), (350, 550.0), (600, 440.0), (950, 550.0)] {
        let part = &sound[start + from_ms * 8..][..250 * 8];
        assert!(goertzel_power(part, 8_000, hz) > 0.99, "{hz} Hz at {from_ms} ms");
    }
    let over = rig
        .caught
        .events
        .iter()
        .position(|event| *event == Event::Played { leg: LegId(1), play: PlayId(7), completed: true });
    assert!(over.is_some());
}

/// Whenever in a frame it is asked for, alone or in the middle of a talk.
#[test]
fn a_play_begins_within_one_packet_time() {
    for codec in [PCMU, CodecKind::G722, CodecKind::Opus] {
        for (bridged, late_ms) in (0..20).map(|ms| (false, ms)).chain((0..20).step_by(7).map(|ms| (true, ms)))
        {
            let mut rig = Rig::new(1);
            rig.leg(1, codec);
            if bridged {
                rig.leg(2, codec);
                rig.bridge(1, 2);
            }
            rig.run_ms(200 + late_ms);
            let (asked, before) = (rig.now, rig.got(1).len());
            rig.play(1, 7, vec![clip(440.0, 400)], 1);
            rig.run_ms(400);
            let packets = rig.got(1);
            let first = packets.get(before).expect("something is sent");
            let waited = first.at - asked;
            assert!(
                waited <= 20 * MS,
                "{codec:?}, {late_ms} ms into a frame, bridged {bridged}: {waited} ns"
            );
            // What is sent then is the sound itself; a coder of frames may need one to begin with.
            let sound = decode(codec, &packets[before..]);
            let start = sound.iter().position(|sample| sample.abs() > 500).expect("it is heard");
            let frames = if codec == CodecKind::Opus { 2 } else { 1 };
            assert!(start < frames * sound.len() / packets[before..].len(), "{codec:?}: {start}");
        }
    }
}

#[test]
fn every_play_ends_exactly_once() {
    let mut rig = Rig::new(1);
    rig.leg(1, PCMU);
    rig.play(1, 1, vec![clip(440.0, 1_000)], 0);
    rig.run_ms(50);
    rig.play(1, 2, vec![], 0);
    rig.play(1, 3, vec![clip(440.0, 100)], 1);
    rig.command(CoreCommand::SendDigits { leg: LegId(1), play: PlayId(4), digits: "12".to_owned() });
    rig.run_ms(1_000);
    rig.play(1, 5, vec![clip(440.0, 100)], 0);
    rig.command(CoreCommand::StopPlay { leg: LegId(1) });
    rig.command(CoreCommand::StopPlay { leg: LegId(1) });
    rig.play(1, 6, vec![clip(440.0, 100)], 0);
    rig.command(CoreCommand::Close { leg: LegId(1) });
    rig.run_ms(1_000);
    let played = rig.caught.events.iter().filter_map(|event| match event {
        Event::Played { play, completed, .. } => Some((play.0, *completed)),
        _ => None,
    });
    let played: Vec<_> = played.collect();
    assert_eq!(played, [(1, false), (2, true), (3, false), (4, true), (5, false), (6, false)]);
}

#[test]
fn a_play_that_may_not_be_sent_still_ends() {
    let mut rig = Rig::new(1);
    let ann = rig.leg(1, PCMU);
    let hold = Negotiated { direction: Direction::RecvOnly, ..ann.negotiated() };
    rig.command(CoreCommand::Configure { leg: LegId(1), negotiated: hold });
    rig.play(1, 1, vec![clip(440.0, 300)], 1);
    rig.run_ms(400);
    assert!(rig.got(1).is_empty());
    assert!(rig.caught.events.contains(&Event::Played { leg: LegId(1), play: PlayId(1), completed: true }));
}

#[test]
fn keys_are_sounded_to_a_peer_without_telephone_events() {
    let mut rig = Rig::new(1);
    let ann = rig.leg(1, PCMU);
    let deaf = Negotiated { dtmf: None, dtmf_receive: None, ..ann.negotiated() };
    rig.command(CoreCommand::Configure { leg: LegId(1), negotiated: deaf });
    rig.command(CoreCommand::SendDigits { leg: LegId(1), play: PlayId(1), digits: "5w9".to_owned() });
    rig.run_ms(900);
    let sound = decode(PCMU, &rig.got(1));
    for (from, low, high) in [(0, 770.0, 1_336.0), (660 * 8, 852.0, 1_477.0)] {
        let press = &sound[from..from + 800];
        assert!(goertzel_power(press, 8_000, low) > 0.35 && goertzel_power(press, 8_000, high) > 0.5);
        assert!(sound[from + 800..from + 1_280].iter().all(|s| s.abs() < 10), "a gap");
    }
}

#[test]
fn after_a_stall_frames_are_left_out_and_the_timestamp_says_so() {
    let mut rig = Rig::new(1);
    rig.leg(1, PCMU);
    rig.run_ms(100);
    let before = rig.got(1);
    rig.now += 5_000 * MS;
    rig.caught.now = rig.now;
    rig.core.on_deadline(rig.now, &mut rig.caught);
    rig.run_ms(100);
    let after = rig.got(1).split_off(before.len());
    assert!(after.len() <= 6, "no burst: {}", after.len());
    let jump = after[0].fields.timestamp.wrapping_sub(before.last().unwrap().fields.timestamp);
    assert!((4_900 * 8..5_020 * 8).contains(&jump) && after[0].fields.marker, "{jump}");
    assert_eq!(after[0].fields.sequence, before.last().unwrap().fields.sequence.wrapping_add(1));
}

#[test]
fn a_short_delay_of_the_clock_costs_no_frame() {
    let mut rig = Rig::new(1);
    rig.leg(1, PCMU);
    rig.run_ms(100);
    let before = rig.got(1).len();
    rig.now += 70 * MS;
    rig.caught.now = rig.now;
    rig.core.on_deadline(rig.now, &mut rig.caught);
    rig.run_ms(30);
    let got = rig.got(1).split_off(before - 1);
    assert_eq!(got.len(), 6);
    for pair in got.windows(2) {
        assert_eq!(pair[1].fields.timestamp.wrapping_sub(pair[0].fields.timestamp), 160);
    }
}

#[test]
fn a_bridge_adds_nothing_but_a_frame_every_15_seconds_of_nothing() {
    let mut rig = Rig::new(1);
    rig.leg(1, PCMU);
    let mut bob = rig.leg(2, PCMU);
    rig.bridge(1, 2);
    rig.say(&mut bob, &[1; 160]);
    let before = rig.got(1).len();
    rig.run_ms(61_000);
    let kept = rig.got(1).split_off(before);
    assert_eq!(kept.len(), 4);
    assert!(kept.iter().all(|got| got.payload == [0xFF; 160] && got.fields.marker));
}

#[test]
fn a_silent_peer_is_told_once_until_it_speaks_again() {
    let mut rig = Rig::new(1);
    let mut ann = rig.leg(1, PCMU);
    let lost = |rig: &Rig| rig.caught.events.iter().filter(|e| matches!(e, Event::MediaLost { .. })).count();
    rig.command(CoreCommand::Watch { leg: LegId(1), timeout_ms: 2_000 });
    rig.run_ms(1_900);
    rig.say(&mut ann, &[1; 160]);
    rig.run_ms(1_900);
    assert_eq!(lost(&rig), 0);
    rig.run_ms(500);
    assert_eq!(lost(&rig), 1);
    rig.run_ms(10_000);
    assert_eq!(lost(&rig), 1);
    rig.say(&mut ann, &[1; 160]);
    rig.run_ms(3_000);
    assert_eq!(lost(&rig), 2);
    rig.command(CoreCommand::Watch { leg: LegId(1), timeout_ms: 0 });
    rig.say(&mut ann, &[1; 160]);
    rig.run_ms(10_000);
    assert_eq!(lost(&rig), 2);
}

#[test]
fn reports_go_every_five_seconds_or_so_and_at_the_end() {
    let mut rig = Rig::new(1);
    let mut ann = rig.leg(1, PCMU);
    for n in 0..5_000u32 {
        // One of ten is lost.
        let bytes = ann.packet(&[1; 160]);
        if n % 10 != 9 {
            rig.packet(1, Channel::Rtp, ann.address, &bytes);
        }
        rig.run_ms(20);
    }
    rig.command(CoreCommand::Close { leg: LegId(1) });
    let reports: Vec<&SentPacket> = rig.caught.sent.iter().filter(|s| s.channel == Channel::Rtcp).collect();
    assert!((15..=27).contains(&reports.len()), "{}", reports.len());
    let gaps: BTreeSet<u64> = reports.windows(2).map(|pair| (pair[1].at - pair[0].at) / MS).collect();
    assert!(gaps.iter().take(gaps.len()).all(|&gap| gap <= 7_800), "{gaps:?}");
    assert!(gaps.len() > 5, "they do not come in step: {gaps:?}");
    let last = rtcp::packet::unmarshal(&mut reports.last().unwrap().bytes.as_slice()).unwrap();
    let sender = last[0].as_any().downcast_ref::<rtcp::sender_report::SenderReport>().unwrap();
    assert_eq!(sender.packet_count, 5_000);
    assert_eq!(sender.octet_count, 800_000);
    let lost = sender.reports[0].total_lost;
    assert_eq!(lost, 499);
    assert!(last[2].as_any().downcast_ref::<rtcp::goodbye::Goodbye>().is_some());
    assert_eq!(reports[0].to.port(), 4_001);
}

#[test]
fn the_round_trip_is_measured_and_strangers_cannot_disturb_it() {
    let mut rig = Rig::new(1);
    let ann = rig.leg(1, PCMU);
    while !rig.caught.sent.iter().any(|s| s.channel == Channel::Rtcp) {
        rig.run_ms(10);
    }
    let our_ssrc = rig.got(1)[0].fields.ssrc;
    let at = rig.caught.sent.iter().find(|s| s.channel == Channel::Rtcp).unwrap();
    // The peer's clock is its own; it answers 500 ms after it heard us, the wire takes 40 ms each way.
    let heard = crate::rtcp::read(&at.bytes, 0, 900_000 * MS).unwrap().heard;
    let reported_at = at.at + 580 * MS;
    let block = crate::reception::Report { ssrc: our_ssrc, fraction_lost: 0, lost: 0, highest: 0, jitter: 0 };
    let mut buffer = [0; COMPOUND_BYTES_MAX];
    let sent = Sent { timestamp: 0, packets: 1, octets: 160 };
    let len = Reporter::new(5, "x").report(Some(sent), Some((block, heard)), 900_500 * MS, &mut buffer);
    rig.run_until(reported_at);
    let rtcp = SocketAddr::new(ann.address.ip(), ann.address.port() + 1);
    rig.packet(1, Channel::Rtcp, "198.51.100.9:9".parse().unwrap(), &buffer[..len]);
    assert_eq!(rig.stats(1).round_trip_us, None);
    rig.packet(1, Channel::Rtcp, rtcp, &buffer[..len]);
    let round_trip = rig.stats(1).round_trip_us.unwrap();
    assert!((79_000..=81_000).contains(&round_trip), "{round_trip}");
}

#[test]
fn what_the_peer_says_it_missed_is_known() {
    let mut rig = Rig::new(1);
    let ann = rig.leg(1, PCMU);
    rig.run_ms(1_000);
    rig.report(&ann, 26, 7, 80);
    let stats = rig.stats(1);
    assert_eq!((stats.lost_by_peer, stats.jitter_by_peer_us), (7, 10_000));
}

#[test]
fn a_stream_that_ends_with_its_clock_says_goodbye() {
    let mut rig = Rig::new(1);
    let ann = rig.leg(1, PCMU);
    rig.run_ms(1_000);
    let before = rig.got(1)[0].fields.ssrc;
    rig.caught.sent.clear();
    let opus = Peer { codec: CodecKind::Opus, ..ann };
    rig.command(CoreCommand::Configure { leg: LegId(1), negotiated: opus.negotiated() });
    let goodbyes = rig.caught.sent.iter().filter(|s| s.channel == Channel::Rtcp).filter_map(|s| {
        let packets = rtcp::packet::unmarshal(&mut s.bytes.as_slice()).ok()?;
        let goodbye = packets.last()?.as_any().downcast_ref::<rtcp::goodbye::Goodbye>()?;
        Some(goodbye.sources.clone())
    });
    assert_eq!(goodbyes.collect::<Vec<_>>(), [vec![before]]);
    rig.run_ms(100);
    assert_ne!(rig.got(1)[0].fields.ssrc, before);
}

#[test]
fn an_engine_without_legs_wants_no_time() {
    let mut rig = Rig::new(1);
    assert_eq!(rig.core.next_deadline(), None);
    rig.leg(1, PCMU);
    assert!(rig.core.next_deadline().is_some_and(|at| at <= rig.now + 20 * MS));
    rig.command(CoreCommand::Close { leg: LegId(1) });
    assert_eq!(rig.core.next_deadline(), None);
}

#[test]
fn nobody_wakes_for_a_recording_alone_and_it_misses_nothing() {
    let mut rig = Rig::new(1);
    let (mut ann, _bob) = (rig.leg(1, PCMU), rig.leg(2, PCMU));
    rig.bridge(1, 2);
    rig.run_ms(40);
    rig.command(CoreCommand::Record {
        leg: LegId(1),
        recording: RecordingSid(7),
        what: RecordWhat::Dual,
        beep: None,
        max_ms: u64::MAX,
        silence_ms: 0,
    });
    rig.run_ms(20);
    // Its turn comes once in 20 ms, and may be late by five.
    let mut turns = 0;
    let begin = rig.now;
    while rig.now < begin + 1_000 * MS {
        let next = rig.core.next_deadline().unwrap();
        rig.run_until(next);
        turns += 1;
    }
    assert!((50..=72).contains(&turns), "{turns} times in a second, 20 of them to look after legs");
    // Whoever is awake anyway may take the turn early, at its own time.
    rig.say(&mut ann, &[0x55; 160]);
    rig.now += MS;
    assert!(rig.core.is_due(rig.now) && rig.core.next_deadline().is_some_and(|at| at > rig.now));
    rig.run_until(rig.now + 20 * MS);
    assert!(
        rig.caught.taps.iter().map(|(_, at, _)| *at).eq((0..rig.caught.taps.len() as u64).map(|n| n * 160))
    );
    // A prompt is punctual again: its frames lie 20 ms apart to the nanosecond.
    rig.play(2, 1, vec![clip(440.0, 200)], 1);
    rig.caught.sent.clear();
    rig.run_ms(100);
    let times: Vec<u64> = rig.got(2).iter().map(|got| got.at).collect();
    assert!(times.len() >= 3 && times.windows(2).all(|pair| pair[1] - pair[0] == 20 * MS), "{times:?}");
}
