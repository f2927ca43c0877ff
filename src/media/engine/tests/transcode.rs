//! Legs of different codecs hear each other: tones come through every pair, whatever the packet length, with
//! losses made up; keys keep their length in the other side's clock.

use super::*;
use crate::codec::coder::{Decoder, Effort, Encoder, duration};
use crate::dtmf::TelephoneEvent;
use crate::negotiated::OpusParameters;
use crate::rtp::timestamp_distance;
use crate::tone::goertzel_power;

const CODECS: [CodecKind; 6] = CodecKind::ALL;

/// A far end that speaks its codec for real.
pub(super) struct Phone {
    pub(super) peer: Peer,
    encoder: Encoder,
    ptime_ms: u32,
    /// Samples said so far.
    said: usize,
}

impl Phone {
    pub(super) fn new(
        rig: &mut Rig,
        n: u64,
        codec: CodecKind,
        change: impl FnOnce(&mut Negotiated),
    ) -> Phone {
        let peer = Peer::new(n, codec);
        let leg = LegId(n);
        let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 20_000 + 2 * n as u16);
        rig.command(CoreCommand::Open { leg, local, peer: None });
        let mut negotiated = Negotiated { dtmf_clock: codec.info().clock, ..peer.negotiated() };
        change(&mut negotiated);
        rig.command(CoreCommand::Configure { leg, negotiated });
        let rate = if codec == CodecKind::Opus { 16_000 } else { codec.info().rate };
        let encoder =
            Encoder::new(codec, rate, OpusParameters { use_inband_fec: true, ..Default::default() });
        Phone { peer, encoder, ptime_ms: 20, said: 0 }
    }

    /// Goes on with another codec, its numbers and its source the same.
    pub(super) fn change_codec(&mut self, rig: &mut Rig, codec: CodecKind) {
        self.peer.codec = codec;
        let rate = if codec == CodecKind::Opus { 16_000 } else { codec.info().rate };
        self.encoder = Encoder::new(codec, rate, OpusParameters::default());
        self.said = 0;
        let negotiated = Negotiated { dtmf_clock: codec.info().clock, ..self.peer.negotiated() };
        rig.command(CoreCommand::Configure { leg: LegId(self.peer.leg), negotiated });
    }

    /// The next packet of a tone.
    pub(super) fn packet(&mut self, hz: f64) -> Vec<u8> {
        let rate = self.encoder.rate();
        let count = (self.ptime_ms * rate / 1_000) as usize;
        let step = hz * std::f64::consts::TAU / f64::from(rate);
        let pcm: Vec<i16> =
            (self.said..self.said + count).map(|n| ((n as f64 * step).sin() * 8_000.0) as i16).collect();
        self.said += count;
        let mut payload = [0; 2_000];
        let len = self.encoder.encode(&pcm, &mut payload);
        let payload = &payload[..len];
        let codec = self.peer.codec;
        let bytes = self.peer.numbered(codec.info().payload_type, self.peer.timestamp, payload);
        self.peer.timestamp = self.peer.timestamp.wrapping_add(duration(codec, payload));
        bytes
    }

    pub(super) fn say(&mut self, rig: &mut Rig, hz: f64) {
        let bytes = self.packet(hz);
        rig.packet(self.peer.leg, Channel::Rtp, self.peer.address, &bytes);
    }
}

/// What a phone hears in these packets, at 8 kHz or its codec's rate, and that rate. Numbers must be in order
/// and times without a hole; lost numbers are not expected.
pub(super) fn heard(codec: CodecKind, packets: &[Got]) -> (Vec<i16>, u32) {
    let mut decoder = Decoder::new(codec, 16_000);
    let mut all = Vec::new();
    for pair in packets.windows(2) {
        let [a, b] = pair else { unreachable!() };
        assert_eq!(b.fields.sequence.wrapping_sub(a.fields.sequence), 1);
        let moved = timestamp_distance(b.fields.timestamp, a.fields.timestamp);
        assert_eq!(moved, i64::from(duration(codec, &a.payload)), "a hole or an overlap");
    }
    for got in packets {
        assert_eq!(got.fields.payload_type, codec.info().payload_type);
        let mut pcm = [0; 4_000];
        let count = decoder.decode(&got.payload, &mut pcm);
        all.extend_from_slice(&pcm[..count]);
    }
    (all, decoder.rate())
}

#[test]
fn a_tone_is_heard_between_any_two_codecs() {
    for a in CODECS {
        for b in CODECS {
            let mut rig = Rig::new(1);
            let mut ann = Phone::new(&mut rig, 1, a, |_| {});
            let mut bob = Phone::new(&mut rig, 2, b, |_| {});
            rig.bridge(1, 2);
            for _ in 0..100 {
                ann.say(&mut rig, 900.0);
                rig.run_ms(9);
                bob.say(&mut rig, 700.0);
                rig.run_ms(11);
            }
            for (leg, codec, hz) in [(2, b, 900.0), (1, a, 700.0)] {
                let got = rig.got(leg);
                let (sound, rate) = heard(codec, &got);
                let skip = rate as usize / 5;
                let power = goertzel_power(&sound[skip..], rate, hz);
                assert!(power > 0.97, "{a:?} to {b:?}, {hz} Hz: {power}");
                let level = crate::tone::level_dbov(&sound[skip..]);
                assert!((-17.0..-13.5).contains(&level), "{a:?} to {b:?}: {level}");
                assert_eq!(got.len(), 100, "{a:?} to {b:?}");
            }
        }
    }
}

/// The last packet of a talk spurt that lost the one before it waits for that one, but not for the next spurt.
#[test]
fn the_end_of_what_was_said_is_heard_though_a_packet_before_it_is_lost() {
    for (a, b) in [(CodecKind::G722, CodecKind::Pcmu), (CodecKind::Opus, CodecKind::G722)] {
        let mut rig = Rig::new(1);
        let mut ann = Phone::new(&mut rig, 1, a, |_| {});
        let _bob = Phone::new(&mut rig, 2, b, |_| {});
        rig.bridge(1, 2);
        for n in 0..10 {
            let bytes = ann.packet(900.0);
            if n != 8 {
                rig.packet(ann.peer.leg, Channel::Rtp, ann.peer.address, &bytes);
            }
            rig.run_ms(20);
        }
        assert_eq!(rig.got(2).len(), 8, "{a:?}: the last is held");
        rig.run_ms(400);
        let heard = rig.got(2);
        let ticks = u32::from(b.info().clock == 8_000) * 160;
        let apart = heard[9].fields.timestamp.wrapping_sub(heard[8].fields.timestamp);
        assert_eq!((heard.len(), apart), (10, ticks), "{a:?}");
    }
}

/// What the next packet repeats is not waited for: the repaired sound goes out with it.
#[test]
fn what_the_next_packet_repeats_is_repaired_at_once() {
    for repeated in [true, false] {
        let mut rig = Rig::new(1);
        let mut ann = Phone::new(&mut rig, 1, CodecKind::Opus, |_| {});
        ann.encoder.set_expected_loss(if repeated { 20 } else { 0 });
        let _bob = Phone::new(&mut rig, 2, CodecKind::Pcmu, |_| {});
        rig.bridge(1, 2);
        for n in 0..30 {
            let bytes = ann.packet(500.0);
            if n != 28 {
                rig.packet(ann.peer.leg, Channel::Rtp, ann.peer.address, &bytes);
            }
            rig.run_ms(20);
        }
        let got = rig.got(2);
        assert_eq!(got.len(), if repeated { 30 } else { 28 }, "{repeated}");
        let (sound, rate) = heard(CodecKind::Pcmu, &got);
        assert!(goertzel_power(&sound[rate as usize / 5..], rate, 500.0) > 0.9, "{repeated}");
    }
}

#[test]
fn packets_are_as_long_as_the_peer_wants() {
    for (from, to) in [(20, 10), (20, 30), (20, 60), (60, 20), (30, 20), (10, 40)] {
        for (a, b) in [(CodecKind::Pcmu, CodecKind::G722), (CodecKind::Opus, CodecKind::Pcma)] {
            let mut rig = Rig::new(1);
            let mut ann = Phone::new(&mut rig, 1, a, |_| {});
            let _bob = Phone::new(&mut rig, 2, b, |negotiated| negotiated.ptime_ms = to);
            // Opus has no packets of 30 ms, but two frames in one.
            ann.ptime_ms = from;
            rig.bridge(1, 2);
            for _ in 0..2_400 / from {
                ann.say(&mut rig, 600.0);
                rig.run_ms(u64::from(from));
            }
            let got = rig.got(2);
            let (sound, rate) = heard(b, &got);
            let ticks = duration(b, &got[0].payload);
            assert_eq!(ticks, u32::from(to) * b.info().clock / 1_000, "{a:?} {from} to {b:?} {to}");
            assert!(goertzel_power(&sound[rate as usize / 5..], rate, 600.0) > 0.97);
            assert!(sound.len() as u32 * 1_000 / rate > 2_300);
        }
    }
}

#[test]
fn generated_sound_comes_in_packets_the_peer_wants_in_every_codec() {
    for codec in CODECS {
        for ptime in [10, 20, 30, 40, 60] {
            let mut rig = Rig::new(1);
            let _ann = Phone::new(&mut rig, 1, codec, |negotiated| negotiated.ptime_ms = ptime);
            rig.play(1, 1, vec![clip(440.0, 1_000)], 1);
            rig.run_ms(900);
            let got = rig.got(1);
            let (sound, rate) = heard(codec, &got);
            let ms = sound.len() as u32 * 1_000 / rate;
            assert!(ms >= 900 - 80, "{codec:?} {ptime}: {ms}");
            assert!(goertzel_power(&sound[rate as usize / 10..], rate, 440.0) > 0.97, "{codec:?} {ptime}");
            if codec != CodecKind::L16Wide || ptime <= 30 {
                let ticks = duration(codec, &got[0].payload);
                assert_eq!(ticks, u32::from(ptime) * codec.info().clock / 1_000, "{codec:?}");
            }
        }
    }
}

#[test]
fn losses_and_reordering_are_made_good() {
    for (a, b) in [
        (CodecKind::Opus, CodecKind::Pcmu),
        (CodecKind::G722, CodecKind::Pcmu),
        (CodecKind::Pcmu, CodecKind::Opus),
    ] {
        for seed in 0..5 {
            let mut rig = Rig::new(seed);
            let mut ann = Phone::new(&mut rig, 1, a, |_| {});
            let _bob = Phone::new(&mut rig, 2, b, |_| {});
            rig.bridge(1, 2);
            let begin = rig.now;
            let sent: Vec<_> = (0..400).map(|n| (begin + n * 20 * MS, ann.packet(500.0))).collect();
            let mut wire = Wire { loss: 0.05, double: 0.05, jitter_ms: 30, ..Wire::new(seed) };
            let arrived = wire.carry(&sent);
            rig.arrive(&ann.peer, &arrived);
            rig.run_ms(500);
            // No hole in what Bob hears, and no more delay than one packet and its jitter.
            let got = rig.got(2);
            let (sound, rate) = heard(b, &got);
            let ms = sound.len() as u64 * 1_000 / u64::from(rate);
            assert!((7_700..=8_060).contains(&ms), "{a:?} to {b:?} seed {seed}: {ms} ms");
            assert!(goertzel_power(&sound[rate as usize / 5..], rate, 500.0) > 0.8, "{a:?} seed {seed}");
        }
    }
}

#[test]
fn a_pause_of_the_source_stays_a_pause() {
    let mut rig = Rig::new(1);
    let mut ann = Phone::new(&mut rig, 1, CodecKind::G722, |_| {});
    let _bob = Phone::new(&mut rig, 2, CodecKind::Pcmu, |_| {});
    rig.bridge(1, 2);
    ann.say(&mut rig, 600.0);
    rig.run_ms(2_000);
    ann.peer.timestamp += 1_980 * 8;
    ann.say(&mut rig, 600.0);
    let got = rig.got(2);
    let [.., before, after] = got.as_slice() else { panic!("{got:?}") };
    assert_eq!(after.fields.timestamp.wrapping_sub(before.fields.timestamp), 16_000);
    assert_eq!(after.fields.sequence.wrapping_sub(before.fields.sequence), 1);
    assert!(after.fields.marker);
}

/// The packets of a key of 100 ms, told every 20 ms, its end three times.
fn press(rig: &mut Rig, phone: &mut Phone, code: u8, event_clock: u32) {
    let start = phone.peer.timestamp;
    let tick = event_clock / 50;
    for n in 1..=7u32 {
        let event = TelephoneEvent { code, end: n >= 5, volume: 10, duration: (n.min(5) * tick) as u16 };
        let mut bytes = phone.peer.numbered(phone.peer.dtmf, start, &event.write());
        bytes[1] |= if n == 1 { 0x80 } else { 0 };
        rig.packet(phone.peer.leg, Channel::Rtp, phone.peer.address, &bytes);
        rig.run_ms(20);
    }
    let clock = phone.peer.codec.info().clock;
    phone.peer.timestamp = start.wrapping_add(clock / 1_000 * 140);
}

#[test]
fn keys_keep_their_length_over_clocks_and_codecs_and_come_once() {
    use CodecKind::{Opus, Pcma, Pcmu};
    for (a, clock_a, b, clock_b) in [
        (Opus, 48_000, Pcmu, 8_000),
        (Pcmu, 8_000, Opus, 48_000),
        (Opus, 8_000, Opus, 48_000),
        (Pcma, 8_000, Opus, 8_000),
    ] {
        let mut rig = Rig::new(1);
        let mut ann = Phone::new(&mut rig, 1, a, |negotiated| negotiated.dtmf_clock = clock_a);
        let bob = Phone::new(&mut rig, 2, b, |negotiated| negotiated.dtmf_clock = clock_b);
        rig.bridge(1, 2);
        for _ in 0..10 {
            ann.say(&mut rig, 600.0);
            rig.run_ms(20);
        }
        for code in [5, 5, 11] {
            press(&mut rig, &mut ann, code, clock_a);
            for _ in 0..5 {
                ann.say(&mut rig, 600.0);
                rig.run_ms(20);
            }
        }
        assert_eq!(rig.digits(1), "55#", "{a:?} {clock_a}");
        let got = rig.got(2);
        let events: Vec<_> = got.iter().filter(|got| got.fields.payload_type == bob.peer.dtmf).collect();
        assert_eq!(events.len(), 21, "{a:?} {clock_a} to {b:?} {clock_b}");
        let durations: Vec<u16> =
            events[..7].iter().map(|got| TelephoneEvent::read(&got.payload).unwrap().duration).collect();
        let tick = (clock_b / 50) as u16;
        assert_eq!(durations, [1, 2, 3, 4, 5, 5, 5].map(|n| n * tick), "{a:?} {clock_a} to {b:?} {clock_b}");
        let mut starts: Vec<u32> = events.iter().map(|got| got.fields.timestamp).collect();
        starts.dedup();
        assert_eq!(starts.len(), 3);
        for pair in got.windows(2) {
            assert_eq!(pair[1].fields.sequence.wrapping_sub(pair[0].fields.sequence), 1);
            let moved = timestamp_distance(pair[1].fields.timestamp, pair[0].fields.timestamp);
            assert!((0..=i64::from(b.info().clock) / 5).contains(&moved), "{moved}");
        }
    }
}

#[test]
fn the_packets_of_a_key_are_no_lost_sound() {
    let mut rig = Rig::new(1);
    let mut ann = Phone::new(&mut rig, 1, CodecKind::Pcmu, |_| {});
    let bob = Phone::new(&mut rig, 2, CodecKind::G722, |_| {});
    rig.bridge(1, 2);
    for key in [None, Some(5), Some(7), None] {
        if let Some(code) = key {
            press(&mut rig, &mut ann, code, 8_000);
            ann.peer.timestamp = ann.peer.timestamp.wrapping_sub(40 * 8);
        }
        for _ in 0..5 {
            ann.say(&mut rig, 600.0);
            rig.run_ms(20);
        }
    }
    let sound = rig.got(2).iter().filter(|got| got.fields.payload_type != bob.peer.dtmf).count();
    assert_eq!(sound, 20, "what was said, and nothing made up");
}

#[test]
fn opus_repairs_itself_for_a_peer_that_reports_losses() {
    let mut rig = Rig::new(1);
    let mut ann = rig.leg(1, CodecKind::Pcmu);
    let fec = OpusParameters { use_inband_fec: true, ..OpusParameters::default() };
    let bob = Phone::new(&mut rig, 2, CodecKind::Opus, |negotiated| negotiated.opus = fec);
    rig.bridge(1, 2);
    // A pure tone libopus never repairs.
    let wide = crate::codec::tests::speech();
    let mut speech = vec![0; wide.len() / 2];
    crate::resample::Resampler::new(16_000, 8_000).process(&wide, &mut speech);
    let mut talk = |rig: &mut Rig| {
        for pcm in speech.chunks_exact(160) {
            rig.say(&mut ann, &encode(CodecKind::Pcmu, pcm));
            rig.run_ms(20);
        }
    };
    talk(&mut rig);
    let got = rig.got(2);
    rig.report(&bob.peer, 51, 10, 0);
    talk(&mut rig);
    // The flag of low bit-rate redundancy, behind that of speech (RFC 6716 §4.2.3).
    let repairs = |packets: &[Got]| packets.iter().filter(|got| got.payload[1] & 0x40 != 0).count();
    let all = rig.got(2);
    let (before, after) = (repairs(&got), repairs(&all[got.len()..]));
    assert!(before == 0 && after > got.len() / 5, "{before} and {after} of {}", got.len());
}

#[test]
fn encoders_work_less_when_the_thread_is_at_its_limit_and_more_again_after() {
    let said = |change: Option<(usize, Effort, Effort)>| {
        let mut rig = Rig::new(1);
        let mut ann = Phone::new(&mut rig, 1, CodecKind::Pcmu, |_| {});
        let _bob = Phone::new(&mut rig, 2, CodecKind::Opus, |_| {});
        rig.bridge(1, 2);
        for n in 0..60 {
            if let Some((at, less, more)) = change {
                match n {
                    n if n == at => rig.core.set_effort(less),
                    n if n == at + 10 => rig.core.set_effort(more),
                    _ => {}
                }
            }
            ann.say(&mut rig, 300.0 + 10.0 * n as f64);
            rig.run_ms(20);
        }
        rig.got(2).into_iter().map(|got| got.payload).collect::<Vec<_>>()
    };
    let full = said(None);
    let eased = said(Some((30, Effort::Least, Effort::Full)));
    assert_eq!(full[..30], eased[..30]);
    assert_ne!(full[30..40], eased[30..40], "worked less");
    assert_eq!(said(Some((30, Effort::Full, Effort::Full))), full);
}

#[test]
fn a_key_is_sounded_to_a_peer_that_takes_no_events() {
    for b in [CodecKind::Pcmu, CodecKind::G722, CodecKind::Opus] {
        let mut rig = Rig::new(1);
        let mut ann = Phone::new(&mut rig, 1, CodecKind::Pcmu, |_| {});
        let _bob = Phone::new(&mut rig, 2, b, |negotiated| negotiated.dtmf = None);
        rig.bridge(1, 2);
        press(&mut rig, &mut ann, 5, 8_000);
        let got = rig.got(2);
        let mut decoder = Decoder::new(b, 16_000);
        let mut sound = Vec::new();
        for got in &got {
            let mut pcm = [0; 4_000];
            let count = decoder.decode(&got.payload, &mut pcm);
            sound.extend_from_slice(&pcm[..count]);
        }
        let rate = decoder.rate();
        assert!((95..=125).contains(&(sound.len() as u32 * 1_000 / rate)), "{b:?}: {}", sound.len());
        let both = goertzel_power(&sound, rate, 770.0) + goertzel_power(&sound, rate, 1_336.0);
        assert!(both > 0.8, "{b:?}: {both}");
    }
}

#[test]
fn sound_beside_a_keys_events_is_not_heard() {
    let mut rig = Rig::new(1);
    let mut ann = Phone::new(&mut rig, 1, CodecKind::Pcmu, |_| {});
    let bob = Phone::new(&mut rig, 2, CodecKind::Pcmu, |_| {});
    rig.bridge(1, 2);
    let start = ann.peer.timestamp;
    for n in 1..=5u32 {
        let event = TelephoneEvent { code: 1, end: n == 5, volume: 10, duration: (n * 160) as u16 };
        let bytes = ann.peer.numbered(ann.peer.dtmf, start, &event.write());
        rig.packet(1, Channel::Rtp, ann.peer.address, &bytes);
        ann.say(&mut rig, 697.0);
        rig.run_ms(20);
    }
    ann.say(&mut rig, 697.0);
    let got = rig.got(2);
    let sounds = got.iter().filter(|got| got.fields.payload_type != bob.peer.dtmf).count();
    assert_eq!((sounds, got.len()), (1, 6));
}

#[test]
fn a_wideband_prompt_is_heard_in_all_its_width_where_the_codec_carries_it() {
    let wide: Vec<i16> = (0..32_000)
        .map(|n| ((f64::from(n) * 5_000.0 * std::f64::consts::TAU / 16_000.0).sin() * 8_000.0) as i16)
        .collect();
    let clip = crate::Clip::from_pcm(&sine(440.0, 2_000)).with_wide(wide);
    for (codec, hz) in [(CodecKind::G722, 5_000.0), (CodecKind::Opus, 5_000.0), (CodecKind::Pcmu, 440.0)] {
        let mut rig = Rig::new(1);
        let _ann = Phone::new(&mut rig, 1, codec, |_| {});
        rig.play(1, 1, vec![CoreItem::Clip(std::sync::Arc::new(clip.clone()))], 1);
        rig.run_ms(1_500);
        let (sound, rate) = heard(codec, &rig.got(1));
        assert!(goertzel_power(&sound[rate as usize / 2..], rate, hz) > 0.9, "{codec:?}");
    }
}

#[test]
fn a_packet_of_the_codec_before_keeps_nothing_of_the_next_out() {
    for codec in [CodecKind::G722, CodecKind::Opus] {
        let mut rig = Rig::new(1);
        let _ann = Phone::new(&mut rig, 1, CodecKind::Pcmu, |_| {});
        let mut bob = Phone::new(&mut rig, 2, CodecKind::Pcmu, |_| {});
        rig.bridge(1, 2);
        for _ in 0..10 {
            bob.say(&mut rig, 700.0);
            rig.run_ms(20);
        }
        let straggler = bob.packet(700.0);
        bob.change_codec(&mut rig, codec);
        rig.packet(2, Channel::Rtp, bob.peer.address, &straggler);
        let before = rig.got(1).len();
        for _ in 0..10 {
            bob.say(&mut rig, 700.0);
            rig.run_ms(20);
        }
        assert!(rig.got(1).len() - before >= 9, "{codec:?}: {}", rig.got(1).len() - before);
    }
}

#[test]
fn a_listener_of_g722_hears_no_click_where_our_encoder_takes_over() {
    for plays in [false, true] {
        let mut rig = Rig::new(1);
        let mut ann = Phone::new(&mut rig, 1, CodecKind::G722, |_| {});
        let _bob = Phone::new(&mut rig, 2, CodecKind::G722, |_| {});
        rig.bridge(1, 2);
        for n in 0..100 {
            match n {
                // What Ann says was relayed until now.
                40 if plays => rig.play(2, 1, vec![clip(440.0, 1_200)], 1),
                40 => ann.change_codec(&mut rig, CodecKind::Pcmu),
                _ => {}
            }
            ann.say(&mut rig, 440.0);
            rig.run_ms(20);
        }
        let (sound, _) = heard(CodecKind::G722, &rig.got(2));
        let loudest = sound[16_000 / 5..].iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!((7_500..11_000).contains(&loudest), "{plays}: {loudest} of 8,000");
    }
}

#[test]
fn a_codec_that_changes_in_mid_call_leaves_no_gap() {
    for codec in [CodecKind::G722, CodecKind::Opus, CodecKind::L16Wide] {
        let mut rig = Rig::new(1);
        let mut ann = Phone::new(&mut rig, 1, CodecKind::Pcmu, |_| {});
        let mut bob = Phone::new(&mut rig, 2, CodecKind::Pcmu, |_| {});
        rig.bridge(1, 2);
        for n in 0..100 {
            if n == 50 {
                bob.change_codec(&mut rig, codec);
            }
            ann.say(&mut rig, 900.0);
            rig.run_ms(10);
            bob.say(&mut rig, 700.0);
            rig.run_ms(10);
        }
        let got = rig.got(2);
        let (before, after) = got.split_at(got.len() - 50);
        for (part, codec) in [(before, CodecKind::Pcmu), (after, codec)] {
            let (sound, rate) = heard(codec, part);
            assert_eq!(part.len(), 50, "{codec:?}");
            assert!(goertzel_power(&sound[rate as usize / 10..], rate, 900.0) > 0.97, "{codec:?}");
        }
        assert!(after[0].at - before[49].at <= 20 * MS, "no packet is missing");
        let (sound, rate) = heard(CodecKind::Pcmu, &rig.got(1));
        assert!(sound.len() >= 99 * 160, "Ann hears every packet: {}", sound.len());
        assert!(goertzel_power(&sound[rate as usize * 11 / 10..], rate, 700.0) > 0.97, "{codec:?}");
    }
}
