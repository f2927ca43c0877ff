//! Conferences: everybody hears everybody else, whatever they speak, and only as far as they may.

use super::transcode::{Phone, heard};
use super::*;
use crate::tone::goertzel_power;

use CodecKind::{G722, L16Wide, Opus, Pcma, Pcmu};

const ROOM: RoomId = RoomId(1);

/// Members 1, 2, 3… with these codecs; each says the tone of its place.
struct Meeting {
    rig: Rig,
    phones: Vec<Phone>,
}

fn hz(n: usize) -> f64 {
    [425.0, 650.0, 875.0, 1_100.0, 1_325.0, 1_550.0][n]
}

impl Meeting {
    fn new(codecs: &[CodecKind]) -> Meeting {
        let mut rig = Rig::new(1);
        let phones = codecs
            .iter()
            .enumerate()
            .map(|(n, &codec)| Phone::new(&mut rig, n as u64 + 1, codec, |_| {}))
            .collect();
        Meeting { rig, phones }
    }

    fn join(&mut self, leg: u64, member: Member) {
        self.rig.command(CoreCommand::Join { leg: LegId(leg), room: ROOM, member });
    }

    fn all_join(&mut self) {
        (1..=self.phones.len() as u64).for_each(|leg| self.join(leg, Member::default()));
    }

    /// Everybody talks for so long.
    fn talk(&mut self, ms: u64) {
        for _ in 0..ms / 20 {
            for (n, phone) in self.phones.iter_mut().enumerate() {
                phone.say(&mut self.rig, hz(n));
                self.rig.run_ms(1);
            }
            self.rig.run_ms(20 - self.phones.len() as u64);
        }
    }

    /// Whose tones a member heard in the last so many milliseconds.
    fn heard_by(&self, leg: u64, last_ms: usize) -> Vec<u64> {
        let codec = self.phones[leg as usize - 1].peer.codec;
        let (sound, rate) = heard(codec, &self.rig.got(leg));
        let sound = &sound[sound.len().saturating_sub(last_ms * rate as usize / 1_000)..];
        let total: f64 =
            sound.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>().max(1.0) / sound.len() as f64;
        let is_heard = |n: &usize| {
            // Each says a sine of 8,000 at its peak.
            goertzel_power(sound, rate, hz(*n)) * total > 0.25 * 8_000f64.powi(2) / 2.0
        };
        (0..self.phones.len()).filter(is_heard).map(|n| n as u64 + 1).collect()
    }
}

#[test]
fn everybody_hears_all_others_and_not_themselves() {
    for codecs in [vec![Pcmu, Pcmu, Pcma], vec![Pcmu, G722, Opus], vec![Opus, L16Wide], vec![Pcmu; 6]] {
        let mut meeting = Meeting::new(&codecs);
        meeting.all_join();
        meeting.talk(1_500);
        let all: Vec<u64> = (1..=codecs.len() as u64).collect();
        for &leg in &all {
            let others: Vec<u64> = all.iter().copied().filter(|&other| other != leg).collect();
            assert_eq!(meeting.heard_by(leg, 800), others, "{codecs:?} {leg}");
        }
    }
}

#[test]
fn muted_held_and_coaching_members_are_heard_by_whom_they_should() {
    let mut meeting = Meeting::new(&[Pcmu, Pcmu, G722, Opus]);
    meeting.join(1, Member::default());
    meeting.join(2, Member { muted: true, ..Member::default() });
    meeting.join(3, Member { on_hold: true, ..Member::default() });
    meeting.join(4, Member { coaches: Some(LegId(2)), ..Member::default() });
    meeting.talk(1_500);
    let heard = |meeting: &Meeting| (1..=4).map(|leg| meeting.heard_by(leg, 800)).collect::<Vec<_>>();
    assert_eq!(heard(&meeting), [vec![], vec![1, 4], vec![], vec![1]]);
    for leg in [2, 3, 4] {
        meeting.rig.command(CoreCommand::ChangeMember { leg: LegId(leg), member: Member::default() });
    }
    meeting.talk(1_500);
    assert_eq!(heard(&meeting), [vec![2, 3, 4], vec![1, 3, 4], vec![1, 2, 4], vec![1, 2, 3]]);
}

#[test]
fn who_leaves_is_not_heard_and_can_be_bridged_or_come_back() {
    let mut meeting = Meeting::new(&[Pcmu, G722, Opus]);
    meeting.all_join();
    meeting.talk(1_000);
    meeting.rig.command(CoreCommand::Leave { leg: LegId(3) });
    meeting.talk(1_000);
    assert_eq!((1..=3).map(|leg| meeting.heard_by(leg, 500)).collect::<Vec<_>>(), [vec![2], vec![1], vec![]]);
    meeting.rig.bridge(2, 3);
    meeting.talk(1_000);
    assert_eq!((1..=3).map(|leg| meeting.heard_by(leg, 500)).collect::<Vec<_>>(), [vec![], vec![3], vec![2]]);
    meeting.join(2, Member::default());
    meeting.join(3, Member::default());
    meeting.talk(1_000);
    assert_eq!(
        (1..=3).map(|leg| meeting.heard_by(leg, 500)).collect::<Vec<_>>(),
        [vec![2, 3], vec![1, 3], vec![1, 2]]
    );
    for leg in 1..=3 {
        meeting.rig.command(CoreCommand::Close { leg: LegId(leg) });
    }
    assert_eq!(meeting.rig.core.next_deadline(), None, "a room everybody left is no more");
}

#[test]
fn a_prompt_to_one_member_is_heard_by_that_one_instead_and_an_announcement_by_all() {
    let mut meeting = Meeting::new(&[Pcmu, Opus, Pcma]);
    meeting.all_join();
    meeting.talk(500);
    meeting.rig.play(2, 7, vec![clip(1_550.0, 1_000)], 1);
    meeting.talk(900);
    assert_eq!(meeting.heard_by(2, 500), [] as [u64; 0]);
    assert_eq!(meeting.heard_by(1, 500), [2, 3]);
    meeting.talk(1_000);
    assert_eq!(meeting.heard_by(2, 500), [1, 3]);
    let played = Event::Played { leg: LegId(2), play: PlayId(7), completed: true };
    assert!(meeting.rig.caught.events.contains(&played));
    let announce = |play, ms| {
        let (room, items) = (ROOM, vec![clip(1_550.0, ms)]);
        CoreCommand::Announce { room, play, items, repeat: 1 }
    };
    meeting.rig.command(announce(Some(PlayId(8)), 600));
    meeting.rig.command(announce(None, 20));
    meeting.talk(500);
    for leg in 1..=3u64 {
        let (sound, rate) = heard(meeting.phones[leg as usize - 1].peer.codec, &meeting.rig.got(leg));
        let sound = &sound[sound.len() - rate as usize * 3 / 10..];
        assert!(goertzel_power(sound, rate, 1_550.0) > 0.2, "{leg}");
    }
    let announced = |play, completed| Event::Announced { room: ROOM, play: PlayId(play), completed };
    assert!(!meeting.rig.caught.events.contains(&announced(8, true)), "a beep does not interrupt it");
    meeting.talk(200);
    assert!(meeting.rig.caught.events.contains(&announced(8, true)));
    meeting.rig.command(announce(Some(PlayId(9)), 600));
    meeting.rig.command(announce(Some(PlayId(10)), 600));
    meeting.talk(20);
    assert!(meeting.rig.caught.events.contains(&announced(9, false)), "another took its place");
}

#[test]
fn a_member_is_recorded_with_what_it_hears() {
    let mut meeting = Meeting::new(&[Pcmu, G722, Opus]);
    meeting.all_join();
    meeting.talk(200);
    meeting.rig.command(CoreCommand::Record {
        leg: LegId(2),
        recording: RecordingSid(9),
        what: RecordWhat::Both,
        beep: None,
        max_ms: 60_000,
        silence_ms: 0,
    });
    meeting.talk(2_000);
    meeting.rig.command(CoreCommand::StopRecord { leg: LegId(2), recording: RecordingSid(9) });
    let sound: Vec<i16> =
        meeting.rig.caught.taps.iter().flat_map(|(_, _, samples)| samples.clone()).collect();
    assert!((15_800..=16_200).contains(&sound.len()), "{}", sound.len());
    let sound = &sound[4_000..];
    for n in 0..3 {
        assert!(goertzel_power(sound, 8_000, hz(n)) > 0.2, "{n}");
    }
}

#[test]
fn keys_in_a_room_are_told_and_not_heard() {
    let mut meeting = Meeting::new(&[Pcmu, Pcmu]);
    meeting.all_join();
    meeting.talk(200);
    for n in 1..=5u32 {
        let event =
            crate::dtmf::TelephoneEvent { code: 7, end: n == 5, volume: 10, duration: (n * 160) as u16 };
        let peer = &mut meeting.phones[0].peer;
        let bytes = peer.numbered(peer.dtmf, peer.timestamp, &event.write());
        let address = peer.address;
        meeting.rig.packet(1, Channel::Rtp, address, &bytes);
        meeting.rig.run_ms(20);
    }
    assert_eq!(meeting.rig.digits(1), "7");
    let got = meeting.rig.got(2);
    assert!(got.iter().all(|got| got.fields.payload_type == 0));
}

#[test]
fn a_member_behind_a_bad_wire_is_heard_steadily() {
    for (seed, codec) in [(1, Pcmu), (2, Opus), (3, G722)] {
        let mut meeting = Meeting::new(&[codec, Pcmu]);
        meeting.all_join();
        let begin = meeting.rig.now;
        let ann = &mut meeting.phones[0];
        let sent: Vec<_> = (0..500).map(|n| (begin + n * 20 * MS, ann.packet(hz(0)))).collect();
        let arrived = Wire { loss: 0.02, double: 0.02, jitter_ms: 30, ..Wire::new(seed) }.carry(&sent);
        let peer = ann.peer.clone();
        meeting.rig.arrive(&peer, &arrived);
        let (sound, rate) = heard(Pcmu, &meeting.rig.got(2));
        assert!((9_900..=10_100).contains(&(sound.len() * 1_000 / rate as usize)));
        let sound = &sound[rate as usize..];
        assert!(
            goertzel_power(sound, rate, hz(0)) > 0.8,
            "{codec:?}: {}",
            goertzel_power(sound, rate, hz(0))
        );
    }
}

#[test]
fn the_delay_of_the_jitter_buffer_is_known() {
    let mut meeting = Meeting::new(&[Pcmu, Opus]);
    meeting.all_join();
    assert_eq!(meeting.rig.stats(1).playout_delay_us, 0);
    meeting.talk(2_000);
    for leg in 1..=2 {
        let delay = meeting.rig.stats(leg).playout_delay_us;
        assert!((10_000..80_000).contains(&delay), "{delay}");
    }
}

#[test]
fn who_speaks_is_told_if_it_is_wanted() {
    let mut meeting = Meeting::new(&[Pcmu, G722, Pcma]);
    meeting.join(1, Member { tells_speech: true, ..Member::default() });
    meeting.join(2, Member { tells_speech: true, muted: true, ..Member::default() });
    meeting.join(3, Member::default());
    meeting.talk(1_000);
    meeting.rig.run_ms(2_000);
    let told: Vec<(u64, bool)> = meeting
        .rig
        .caught
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Speaking { leg, began } => Some((leg.0, *began)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(1, true), (1, false)]);
}

#[test]
fn a_full_room_takes_nobody_more() {
    let most = super::super::room::MEMBERS_MAX;
    let mut rig = Rig::new(1);
    let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 20_000);
    let join = |rig: &mut Rig, leg: u64| {
        rig.command(CoreCommand::Join { leg: LegId(leg), room: ROOM, member: Member::default() });
        rig.core.slots.iter().flatten().filter(|leg| leg.seat.is_some()).count()
    };
    for leg in 1..=most as u64 + 1 {
        rig.command(CoreCommand::Open { leg: LegId(leg), local, peer: None });
        assert_eq!(join(&mut rig, leg), most.min(leg as usize));
    }
    rig.command(CoreCommand::Leave { leg: LegId(1) });
    assert_eq!(join(&mut rig, most as u64 + 1), most);
}

#[test]
fn a_member_that_changes_its_codec_is_heard_and_hears() {
    for codec in [Opus, G722, Pcma] {
        let mut meeting = Meeting::new(&[Pcmu, Pcmu, L16Wide]);
        meeting.all_join();
        meeting.talk(500);
        meeting.phones[1].change_codec(&mut meeting.rig, codec);
        meeting.rig.caught.sent.clear();
        meeting.talk(1_500);
        let heard: Vec<_> = (1..=3).map(|leg| meeting.heard_by(leg, 800)).collect();
        assert_eq!(heard, [vec![2, 3], vec![1, 3], vec![1, 2]], "{codec:?}");
    }
}
