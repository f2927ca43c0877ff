//! The whole plane on loopback: real sockets, threads and files, heard with real ears.

mod accidents;
mod taps;
mod threads;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use base::{RecordingSid, Rng};
use media::engine::CoreItem;
use media::rtp::{Built, Fields, parse};
use media::tone::{Tone, goertzel_power};
use media::{
    Clip, ClipKey, CodecKind, Command, Event, LegId, Negotiated, PlayId, PlayItem, RecordEnd, RecordWhat,
};
use tokio::sync::mpsc;

use super::{EASED_FROM_PERMILLE, GATHER_MAX, MediaPlane, MediaPlaneConfig};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(10);

fn tone(hz: f64, ms: usize) -> Vec<i16> {
    let step = hz * std::f64::consts::TAU / 8_000.0;
    (0..ms * 8).map(|n| ((n as f64 * step).sin() * 8_000.0) as i16).collect()
}

/// Which part of these windows of 20 ms is a tone, above this share of their energy. On a busy machine a packet may come
/// too late to be heard in its place: that shifts a tone for the rest of its life, which one look over a second would
/// call silence.
fn part_with(samples: &[i16], rate: u32, hz: f64, above: f64) -> f64 {
    let windows = samples.chunks_exact(rate as usize / 50);
    let all = windows.len() as f64;
    windows.filter(|window| goertzel_power(window, rate, hz) > above).count() as f64 / all
}

/// A plane, and what it told so far.
struct Box_ {
    plane: MediaPlane,
    events: mpsc::Receiver<Event>,
    told: Vec<Event>,
}

fn start(threads: usize, recordings: PathBuf) -> Box_ {
    start_eased_from(EASED_FROM_PERMILLE, threads, recordings)
}

fn start_eased_from(eased_from_permille: u64, threads: usize, recordings: PathBuf) -> Box_ {
    // Every plane of this process has ports of its own.
    static NEXT: AtomicU16 = AtomicU16::new(25_000);
    let first = NEXT.fetch_add(64, Ordering::Relaxed);
    let config = MediaPlaneConfig {
        threads,
        ports: first..=first + 63,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        recordings,
        recordings_free_min: 0,
        gather_max: GATHER_MAX,
        eased_from_permille,
    };
    let (events_end, events) = mpsc::channel(1_024);
    let clips = |key: &ClipKey| {
        let hz = key.0.parse().ok()?;
        Some(CoreItem::Clip(Arc::new(Clip::from_pcm(&tone(hz, 500)))))
    };
    let plane = MediaPlane::start(config, events_end, Arc::new(clips)).unwrap();
    Box_ { plane, events, told: Vec::new() }
}

impl Box_ {
    /// Waits for the first event, from now or before, of which `pick` makes something, and forgets it.
    fn wait<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            while let Ok(event) = self.events.try_recv() {
                self.told.push(event);
            }
            let found = self.told.iter().enumerate().find_map(|(n, event)| Some((n, pick(event)?)));
            if let Some((n, found)) = found {
                self.told.remove(n);
                return found;
            }
            assert!(Instant::now() < end, "no {what} among {:?}", self.told);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Opens a leg for a new peer and configures it.
    fn leg(&mut self, leg: LegId, near: Option<LegId>, codec: CodecKind) -> Peer {
        self.plane.command(Command::Open { leg, near, peer: Some(Ipv4Addr::LOCALHOST.into()) });
        let local = self.wait("Opened", |event| match event {
            Event::Opened { leg: opened, local } if *opened == leg => Some(*local),
            _ => None,
        });
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let peer = Peer { socket, leg: local, codec, sequence: 7, timestamp: 1_000, heard: Vec::new() };
        self.plane.command(Command::Configure { leg, negotiated: peer.negotiated() });
        peer
    }
}

/// The far end of a leg.
struct Peer {
    socket: UdpSocket,
    leg: SocketAddr,
    codec: CodecKind,
    sequence: u16,
    timestamp: u32,
    heard: Vec<(Fields, Vec<u8>)>,
}

impl Peer {
    fn negotiated(&self) -> Negotiated {
        let remote = self.socket.local_addr().unwrap();
        Negotiated {
            dtmf: Some(101),
            dtmf_receive: Some(101),
            ..Negotiated::plain(remote, self.codec, self.codec.info().payload_type)
        }
    }

    fn send(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) {
        let fields =
            Fields { payload_type, sequence: self.sequence, timestamp, ssrc: 77, ..Fields::default() };
        self.sequence = self.sequence.wrapping_add(1);
        self.socket.send_to(Built::new(fields, payload).bytes(), self.leg).unwrap();
    }

    fn speak(&mut self, samples: &[i16]) {
        let payload: Vec<u8> = samples.iter().map(|&s| self.codec.encode(s)).collect();
        self.send(self.codec.info().payload_type, self.timestamp, &payload);
        self.timestamp += samples.len() as u32;
    }

    fn listen(&mut self) {
        let mut buffer = [0; 2_048];
        while let Ok((len, _)) = self.socket.recv_from(&mut buffer) {
            let parsed = parse(&buffer[..len]).expect("the box sends RTP");
            self.heard.push((parsed.fields, buffer[parsed.payload].to_vec()));
        }
    }

    /// What was heard, sound only, from some packet on.
    fn sound(&self, from: usize) -> Vec<i16> {
        let payload_type = self.codec.info().payload_type;
        let packets = self.heard[from..].iter().filter(|(fields, _)| fields.payload_type == payload_type);
        packets.flat_map(|(_, payload)| payload.iter().map(|&b| self.codec.decode(b))).collect()
    }
}

/// 20 ms after 20 ms, on time.
fn every_frame(frames: usize, mut each: impl FnMut(usize)) {
    let start = Instant::now();
    for n in 0..frames {
        let due = start + Duration::from_millis(20) * n as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        each(n);
    }
}

fn recordings() -> PathBuf {
    std::env::temp_dir().join(format!("tandem-plane-{}", std::process::id()))
}

fn played(event: &Event, play: PlayId) -> Option<bool> {
    match event {
        Event::Played { play: which, completed, .. } if *which == play => Some(*completed),
        _ => None,
    }
}

/// A conversation of two peers, on however many threads.
fn conversation(threads: usize, near: Option<LegId>) {
    let (a, b) = (LegId(1), LegId(2));
    let mut box_ = start(threads, recordings());
    let mut ann = box_.leg(a, None, CodecKind::Pcmu);
    let mut bob = box_.leg(b, near, CodecKind::Pcma);

    // Ann hears a prompt; without one, silence.
    box_.plane.command(Command::Play {
        leg: a,
        play: PlayId(1),
        items: vec![PlayItem::Clip(ClipKey("550".to_owned())), PlayItem::Clip(ClipKey("missing".to_owned()))],
        repeat: 1,
    });
    every_frame(40, |_| ann.speak(&[0; 160]));
    assert!(box_.wait("Played", |event| played(event, PlayId(1))));
    ann.listen();
    let prompt = ann.sound(0);
    let start = prompt.iter().position(|s| s.abs() > 4_000).expect("the prompt is heard");
    assert!(goertzel_power(&prompt[start..start + 3_600], 8_000, 550.0) > 0.9);
    assert!(prompt[start + 4_160..].iter().all(|s| s.abs() < 10), "silence behind the prompt");

    // They talk; Ann is recorded.
    let recording = RecordingSid::random(&mut Rng::seeded(threads as u64));
    box_.plane.command(Command::Bridge { a, b });
    box_.plane.command(Command::Record {
        leg: a,
        recording,
        path: format!("{recording}.wav"),
        what: RecordWhat::Both,
        beep: false,
        max_ms: 60_000,
        silence_ms: 0,
        trim: false,
        format: media::RecordFormat::Wav,
    });
    box_.wait("RecordStarted", |event| matches!(event, Event::RecordStarted { .. }).then_some(()));
    let (ann_says, bob_says) = (tone(900.0, 2_000), tone(700.0, 2_000));
    ann.listen();
    bob.listen();
    let (ann_from, bob_from) = (ann.heard.len() + 10, bob.heard.len() + 10);
    every_frame(100, |n| {
        ann.speak(&ann_says[n * 160..][..160]);
        bob.speak(&bob_says[n * 160..][..160]);
        if n == 50 {
            let start = ann.timestamp;
            for (duration, end) in [(160u16, 0u8), (320, 0x80), (320, 0x80), (320, 0x80)] {
                let [high, low] = duration.to_be_bytes();
                ann.send(101, start, &[5, end | 10, high, low]);
            }
        }
        ann.listen();
        bob.listen();
    });
    std::thread::sleep(Duration::from_millis(100));
    ann.listen();
    bob.listen();
    let heard = bob.sound(bob_from);
    assert!(part_with(&heard[2_000..14_000], 8_000, 900.0, 0.9) > 0.8, "Bob hears Ann");
    let heard = ann.sound(ann_from);
    assert!(part_with(&heard[2_000..14_000], 8_000, 700.0, 0.9) > 0.8, "Ann hears Bob");
    assert_eq!(bob.heard.iter().filter(|(fields, _)| fields.payload_type == 101).count(), 4);
    let is_digit =
        |event: &Event| matches!(event, Event::Digit { leg: LegId(1), digit: '5', .. }).then_some(());
    box_.wait("Digit", is_digit);
    assert!(!box_.told.iter().any(|event| is_digit(event).is_some()), "one key, one digit");

    // The recording has both.
    box_.plane.command(Command::StopRecord { leg: a, recording });
    let (bytes, duration_ms) = box_.wait("Recorded", |event| match event {
        Event::Recorded { duration_ms, bytes, why: RecordEnd::Stopped, .. } => Some((*bytes, *duration_ms)),
        _ => None,
    });
    let file = std::fs::read(recordings().join(format!("{recording}.wav"))).unwrap();
    assert_eq!(file.len() as u64, bytes);
    assert!((2_000..3_000).contains(&duration_ms), "{duration_ms}");
    let samples: Vec<i16> = file[44..].as_chunks().0.iter().map(|s| i16::from_le_bytes(*s)).collect();
    assert_eq!(samples.len() as u64 / 8, duration_ms);
    let middle = &samples[4_000..12_000];
    for hz in [700.0, 900.0] {
        let part = part_with(middle, 8_000, hz, 0.3) - part_with(middle, 8_000, hz, 0.7);
        assert!(part > 0.8, "{part} has {hz} Hz beside another");
    }

    // One stream each, however it was made.
    for peer in [&ann, &bob] {
        let ssrc = peer.heard[0].0.ssrc;
        for pair in peer.heard.windows(2) {
            assert_eq!(pair[1].0.ssrc, ssrc);
            assert_eq!(pair[1].0.sequence, pair[0].0.sequence.wrapping_add(1));
        }
    }

    box_.plane.command(Command::Close { leg: a });
    box_.plane.command(Command::Close { leg: b });
    for _ in 0..2 {
        let stats = box_.wait("Closed", |event| match event {
            Event::Closed { stats, .. } => Some(*stats),
            _ => None,
        });
        assert!(stats.packets_received >= 100 && stats.packets_sent >= 100, "{stats:?}");
        assert_eq!((stats.strangers, stats.malformed), (0, 0));
    }
    assert_eq!(box_.plane.stats().legs, 0);
    box_.plane.stop();
    assert_eq!(box_.plane.stats().events_lost, 0);
    let delays = box_.plane.stats().delays;
    assert!(delays.count() >= 1 && delays.total_ns < 10_000_000_000, "{delays:?}");
}

#[test]
fn two_peers_talk_and_are_recorded() {
    conversation(1, Some(LegId(1)));
}

#[test]
fn a_leg_on_another_thread_comes_over() {
    conversation(2, None);
}

#[test]
fn digits_and_tones_reach_the_peer() {
    let mut box_ = start(1, recordings());
    let leg = LegId(9);
    let mut peer = box_.leg(leg, None, CodecKind::Pcmu);
    let busy = vec![PlayItem::Tone(Tone::Busy)];
    box_.plane.command(Command::Play { leg, play: PlayId(1), items: busy, repeat: 0 });
    std::thread::sleep(Duration::from_millis(300));
    box_.plane.command(Command::SendDigits { leg, play: PlayId(2), digits: "1w#".to_owned() });
    assert!(!box_.wait("Played", |event| played(event, PlayId(1))));
    assert!(box_.wait("Played", |event| played(event, PlayId(2))));
    peer.listen();
    let keys: Vec<u8> =
        peer.heard.iter().filter(|(f, _)| f.payload_type == 101 && f.marker).map(|(_, p)| p[0]).collect();
    assert_eq!(keys, [1, 11]);
    let sound = peer.sound(0);
    let start = sound.iter().position(|s| s.abs() > 1_000).unwrap();
    assert!(goertzel_power(&sound[start..start + 1_600], 8_000, 480.0) > 0.3);
}

#[test]
fn a_leg_whose_peer_is_elsewhere_keeps_its_port() {
    let mut box_ = start(1, recordings());
    let leg = LegId(1);
    let locals = [
        Command::Open { leg, near: None, peer: Some(Ipv4Addr::LOCALHOST.into()) },
        Command::Readdress { leg, peer: Some(Ipv4Addr::new(127, 0, 0, 2).into()) },
        Command::Readdress { leg, peer: None },
    ]
    .map(|command| {
        box_.plane.command(command);
        box_.wait("Opened", |event| match event {
            Event::Opened { local, .. } => Some(*local),
            _ => None,
        })
    });
    assert_eq!(locals[1..], [locals[0]; 2]);
}

#[test]
fn what_cannot_be_opened_or_written_is_said() {
    let mut box_ = start(1, "/proc/nowhere".into());
    let leg = LegId(1);
    box_.leg(leg, None, CodecKind::Pcmu);
    box_.plane.command(Command::Open { leg, near: None, peer: None });
    let why = box_.wait("OpenFailed", |event| match event {
        Event::OpenFailed { why, .. } => Some(why.clone()),
        _ => None,
    });
    assert_eq!(why, "this leg is open already");
    box_.plane.command(Command::Readdress { leg: LegId(99), peer: None });
    let why = box_.wait("OpenFailed", |event| match event {
        Event::OpenFailed { leg: LegId(99), why } => Some(why.clone()),
        _ => None,
    });
    assert_eq!(why, "this leg is not open");
    box_.plane.command(Command::Record {
        leg,
        recording: RecordingSid(1),
        path: "x.wav".to_owned(),
        what: RecordWhat::Received,
        beep: false,
        max_ms: 60_000,
        silence_ms: 0,
        trim: true,
        format: media::RecordFormat::Wav,
    });
    let why = box_.wait("Recorded", |event| match event {
        Event::Recorded { why: RecordEnd::Failed(why), bytes: 0, .. } => Some(why.clone()),
        _ => None,
    });
    assert!(why.starts_with("cannot write /proc/nowhere/x.wav: "), "{why}");
    for leg in 100..200 {
        box_.plane.command(Command::Open { leg: LegId(leg), near: None, peer: None });
    }
    let why = box_.wait("OpenFailed", |event| match event {
        Event::OpenFailed { why, .. } => Some(why.clone()),
        _ => None,
    });
    assert_eq!(why, "all 32 pairs of media ports are taken");
}

#[test]
fn stopping_closes_legs_and_completes_recordings() {
    let mut box_ = start(2, recordings());
    for n in 0..10 {
        box_.leg(LegId(n), None, CodecKind::Pcmu);
    }
    let recording = RecordingSid(u128::from(std::process::id()));
    box_.plane.command(Command::Record {
        leg: LegId(3),
        recording,
        path: "stopped.wav".to_owned(),
        what: RecordWhat::Received,
        beep: false,
        max_ms: 60_000,
        silence_ms: 0,
        trim: false,
        format: media::RecordFormat::Wav,
    });
    std::thread::sleep(Duration::from_millis(300));
    box_.plane.stop();
    box_.plane.stop();
    let (duration_ms, bytes) = box_.wait("Recorded", |event| match event {
        Event::Recorded { duration_ms, bytes, why: RecordEnd::Closed, .. } => Some((*duration_ms, *bytes)),
        _ => None,
    });
    assert!(duration_ms >= 200);
    assert_eq!((bytes - 44) / 16, duration_ms);
    for _ in 0..10 {
        box_.wait("Closed", |event| matches!(event, Event::Closed { .. }).then_some(()));
    }
}

fn threads_are(box_: &Box_, count: usize) {
    let end = Instant::now() + PATIENCE;
    while box_.plane.stats().threads != count {
        assert!(Instant::now() < end, "{} threads run, not {count}", box_.plane.stats().threads);
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn threads_come_and_go_and_calls_stay() {
    let mut box_ = start(1, recordings());
    threads_are(&box_, 2);
    box_.plane.set_threads(3);
    threads_are(&box_, 6);
    let legs: Vec<LegId> = (1..=3).map(LegId).collect();
    let mut peers: Vec<Peer> = legs.iter().map(|&leg| box_.leg(leg, None, CodecKind::Pcmu)).collect();
    box_.plane.set_threads(1);
    // Each of the three has one leg. Those that have none end; the others wait for theirs.
    threads_are(&box_, 4);
    for (n, &leg) in legs.iter().enumerate() {
        peers[n].listen();
        peers[n].heard.clear();
        box_.plane.command(Command::Play {
            leg,
            play: PlayId(leg.0),
            items: vec![PlayItem::Clip(ClipKey("440".into()))],
            repeat: 1,
        });
        box_.wait("Played", |event| played(event, PlayId(leg.0)));
        peers[n].listen();
        assert!(goertzel_power(&peers[n].sound(2), 8_000, 440.0) > 0.9, "{leg:?}");
        box_.plane.command(Command::Close { leg });
    }
    threads_are(&box_, 2);
    box_.plane.set_threads(2);
    threads_are(&box_, 4);
    let leg = LegId(9);
    box_.leg(leg, None, CodecKind::Pcmu);
    box_.plane.command(Command::Close { leg });
    box_.wait("Closed", |event| matches!(event, Event::Closed { leg: LegId(9), .. }).then_some(()));
    box_.plane.stop();
}

#[test]
fn a_call_moves_to_the_thread_its_codecs_need_and_is_heard_all_along() {
    use media::codec::coder::{Decoder, Encoder, duration};
    let mut box_ = start(1, recordings());
    let (a, b) = (LegId(1), LegId(2));
    let mut ann = box_.leg(a, None, CodecKind::Pcmu);
    let mut bob = box_.leg(b, Some(a), CodecKind::G722);
    box_.plane.command(Command::Bridge { a, b });
    let mut encoder = Encoder::new(CodecKind::G722, 16_000, media::OpusParameters::default());
    let wide: Vec<i16> = (0..32_000)
        .map(|n| ((f64::from(n) * 600.0 * std::f64::consts::TAU / 16_000.0).sin() * 8_000.0) as i16)
        .collect();
    let narrow = tone(900.0, 2_000);
    every_frame(100, |n| {
        ann.speak(&narrow[n * 160..][..160]);
        let mut payload = [0; 400];
        let len = encoder.encode(&wide[n * 320..][..320], &mut payload);
        let ticks = duration(CodecKind::G722, &payload[..len]);
        let timestamp = bob.timestamp;
        bob.send(9, timestamp, &payload[..len]);
        bob.timestamp = timestamp + ticks;
        ann.listen();
        bob.listen();
    });
    std::thread::sleep(Duration::from_millis(50));
    ann.listen();
    bob.listen();
    let sound = ann.sound(20);
    assert!(sound.len() > 160 * 75, "{}", sound.len());
    assert!(part_with(&sound, 8_000, 600.0, 0.9) > 0.8);
    let mut decoder = Decoder::new(CodecKind::G722, 16_000);
    let mut sound = Vec::new();
    for (fields, payload) in bob.heard.iter().skip(20) {
        assert_eq!(fields.payload_type, 9);
        let mut pcm = [0; 2_000];
        let count = decoder.decode(payload, &mut pcm);
        sound.extend_from_slice(&pcm[..count]);
    }
    assert!(part_with(&sound, 16_000, 900.0, 0.9) > 0.8);
    // Two of one codec need no work: they go back to the thread that relays.
    let third = LegId(3);
    let _cem = box_.leg(third, None, CodecKind::G722);
    box_.plane.command(Command::Unbridge { a, b });
    box_.plane.command(Command::Bridge { a: b, b: third });
    every_frame(20, |_| {});
    for leg in [a, b, third] {
        box_.plane.command(Command::Close { leg });
        box_.wait("Closed", |event| match event {
            Event::Closed { leg: closed, .. } if *closed == leg => Some(()),
            _ => None,
        });
    }
    box_.plane.stop();
    assert_eq!(box_.plane.stats().commands_refused, 0);
}
