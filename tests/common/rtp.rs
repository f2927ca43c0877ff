//! An RTP endpoint of the bench's own: it says a tone, presses keys and keeps what it hears, beside SIP software whose
//! SDP names its port. It speaks G.711 and RFC 4733 and decides nothing.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::tone;

/// Payload type of telephone events in the SDP this bench writes.
pub const EVENTS: u8 = 101;

/// One received packet's facts.
#[derive(Clone, Debug)]
pub struct Packet {
    pub at: Instant,
    pub from: SocketAddr,
    pub payload_type: u8,
    pub marker: bool,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: Vec<u8>,
}

#[derive(Default)]
struct State {
    to: Option<SocketAddr>,
    tone: Option<f64>,
    /// Samples still to be said; they go before the tone.
    sound: VecDeque<i16>,
    /// Keys still to be pressed.
    keys: VecDeque<char>,
    heard: Vec<Packet>,
    payload_type: u8,
    sent: u64,
}

/// The endpoint; it stops when dropped.
pub struct Rtp {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    open: Arc<()>,
}

impl Rtp {
    /// Opens an even port on `ip`, outside the kernel's ephemeral range.
    pub fn open(ip: IpAddr) -> Self {
        let socket = (10_000..20_000).step_by(2).find_map(|port| UdpSocket::bind((ip, port)).ok());
        let socket = socket.expect("a free RTP port");
        socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let rtp = Self { address: socket.local_addr().unwrap(), state: Arc::default(), open: Arc::new(()) };
        let (state, open) = (Arc::clone(&rtp.state), Arc::downgrade(&rtp.open));
        std::thread::spawn(move || {
            let mut sender = Sender::new();
            let mut buffer = [0; 2048];
            while open.strong_count() > 0 {
                if let Ok((length, from)) = socket.recv_from(&mut buffer)
                    && let Some(packet) = parse(&buffer[..length], from)
                {
                    state.lock().unwrap().heard.push(packet);
                }
                sender.send_due(&socket, &mut state.lock().unwrap());
            }
        });
        rtp
    }

    /// An SDP body that offers (or answers with) this endpoint: PCMU, PCMA and telephone events.
    pub fn sdp(&self) -> String {
        self.sdp_with("0 8 101")
    }

    /// The same with other payload types in the media line.
    pub fn sdp_with(&self, formats: &str) -> String {
        let (ip, port) = (self.address.ip(), self.address.port());
        format!(
            "v=0\no=bench 1 1 IN IP4 {ip}\ns=-\nc=IN IP4 {ip}\nt=0 0\nm=audio {port} RTP/AVP {formats}\n\
             a=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16\n\
             a=ptime:20\na=sendrecv\n"
        )
    }

    /// Where to send: the address the other side's SDP named. Silence is sent until a tone is chosen.
    pub fn talk_to(&self, to: SocketAddr) -> &Self {
        self.state.lock().unwrap().to = Some(to);
        self
    }

    /// Sends with another payload type (8: A-law).
    pub fn payload_type(&self, payload_type: u8) -> &Self {
        self.state.lock().unwrap().payload_type = payload_type;
        self
    }

    /// Says a tone from now on.
    pub fn say(&self, hz: f64) -> &Self {
        self.state.lock().unwrap().tone = Some(hz);
        self
    }

    /// Says these samples once, at 8 kHz.
    pub fn say_sound(&self, pcm: &[i16]) -> &Self {
        self.state.lock().unwrap().sound.extend(pcm);
        self
    }

    /// Sends silence from now on.
    pub fn hush(&self) -> &Self {
        self.state.lock().unwrap().tone = None;
        self
    }

    /// Stops sending altogether.
    pub fn vanish(&self) -> &Self {
        self.state.lock().unwrap().to = None;
        self
    }

    /// Presses keys, one after the other, 100 ms each (RFC 4733).
    pub fn press(&self, keys: &str) -> &Self {
        self.state.lock().unwrap().keys.extend(keys.chars());
        self
    }

    /// Packets received so far.
    pub fn packets(&self) -> Vec<Packet> {
        self.state.lock().unwrap().heard.clone()
    }

    pub fn packets_sent(&self) -> u64 {
        self.state.lock().unwrap().sent
    }

    /// What was heard since `since`, in order of arrival; gaps are not filled.
    pub fn heard_since(&self, since: Instant) -> Vec<i16> {
        let state = self.state.lock().unwrap();
        let packets = state.heard.iter().filter(|packet| packet.at >= since);
        packets
            .flat_map(|packet| packet.payload.iter().filter_map(|&b| decode(packet.payload_type, b)))
            .collect()
    }

    /// Everything heard so far.
    pub fn heard(&self) -> Vec<i16> {
        self.heard_since(Instant::now() - Duration::from_secs(3600))
    }

    /// Waits until `seconds` of a tone have been heard since `since`.
    pub fn wait_tone(&self, hz: f64, seconds: f64, since: Instant, within: Duration) {
        super::wait_for(&format!("{seconds} s of {hz} Hz at {}", self.address), within, || {
            (tone::seconds_of(&self.heard_since(since), hz) >= seconds).then_some(())
        });
    }

    /// The keys received as telephone events, each once.
    pub fn keys(&self) -> String {
        let state = self.state.lock().unwrap();
        let events =
            state.heard.iter().filter(|packet| packet.payload_type == EVENTS && packet.payload.len() >= 4);
        let mut last = None;
        let mut keys = String::new();
        for packet in events {
            if last != Some(packet.timestamp) {
                last = Some(packet.timestamp);
                keys.push(KEYS.chars().nth(packet.payload[0].into()).unwrap_or('?'));
            }
        }
        keys
    }
}

const KEYS: &str = "0123456789*#ABCD";

/// The sending half: one packet every 20 ms by its own clock.
struct Sender {
    due: Instant,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    /// The key being pressed: event, its timestamp, packets sent of it.
    key: Option<(u8, u32, u16)>,
}

impl Sender {
    fn new() -> Self {
        Self {
            due: Instant::now(),
            sequence: 4711,
            timestamp: 160_000,
            ssrc: std::process::id() ^ 0x5eed_0000,
            key: None,
        }
    }

    fn send_due(&mut self, socket: &UdpSocket, state: &mut State) {
        while self.due <= Instant::now() {
            self.due += Duration::from_millis(20);
            if let Some(to) = state.to {
                let packet = self.packet(state);
                let _ = socket.send_to(&packet, to);
                state.sent += 1;
            }
            self.timestamp = self.timestamp.wrapping_add(160);
        }
    }

    fn packet(&mut self, state: &mut State) -> Vec<u8> {
        if self.key.is_none() {
            let event = state.keys.pop_front().and_then(|key| KEYS.find(key));
            self.key = event.map(|event| (event as u8, self.timestamp, 0));
        }
        let (payload_type, marker, timestamp, payload) = match self.key.take() {
            // Five packets of duration, three that say it ended (RFC 4733 §2.5.1), then a pause of 40 ms.
            Some((event, began, count)) if count < 8 => {
                self.key = Some((event, began, count + 1));
                let end = if count >= 5 { 0x80 } else { 0 };
                let duration = 160 * (count + 1).min(6);
                let payload = vec![event, end | 10, (duration >> 8) as u8, duration as u8];
                (EVENTS, count == 0, began, payload)
            }
            pause => {
                self.key =
                    pause.filter(|key| key.2 < 10).map(|(event, began, count)| (event, began, count + 1));
                let silent = state.tone.is_none() || self.key.is_some();
                (state.payload_type, false, self.timestamp, self.audio(state, silent))
            }
        };
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = vec![0x80, payload_type | if marker { 0x80 } else { 0 }];
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        packet.extend(payload);
        packet
    }

    fn audio(&self, state: &mut State, silent: bool) -> Vec<u8> {
        let hz = state.tone.filter(|_| !silent);
        let sample = |n: u32| {
            let turn = f64::from(self.timestamp.wrapping_add(n)) * hz.unwrap_or(0.0) / f64::from(tone::RATE);
            (turn.fract() * std::f64::consts::TAU).sin() * 8000.0
        };
        let encode = if state.payload_type == 8 { tone::alaw_encode } else { tone::ulaw_encode };
        if !state.sound.is_empty() {
            let count = state.sound.len().min(160);
            let said: Vec<i16> = state.sound.drain(..count).collect();
            return said.into_iter().chain(std::iter::repeat(0)).take(160).map(encode).collect();
        }
        (0..160).map(|n| encode(sample(n) as i16)).collect()
    }
}

fn parse(bytes: &[u8], from: SocketAddr) -> Option<Packet> {
    if bytes.len() < 12 || bytes[0] >> 6 != 2 {
        return None;
    }
    let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let start = 12 + 4 * usize::from(bytes[0] & 0x0f);
    Some(Packet {
        at: Instant::now(),
        from,
        payload_type: bytes[1] & 0x7f,
        marker: bytes[1] & 0x80 != 0,
        sequence: u16::from_be_bytes([bytes[2], bytes[3]]),
        timestamp: word(4),
        ssrc: word(8),
        payload: bytes.get(start..)?.to_vec(),
    })
}

fn decode(payload_type: u8, byte: u8) -> Option<i16> {
    match payload_type {
        0 => Some(tone::ulaw_decode(byte)),
        8 => Some(tone::alaw_decode(byte)),
        _ => None,
    }
}
