//! The sound of both ends: fifty packets a second and leg in even paces, and what comes back of them.
//!
//! The 20 ms are cut into slots; each leg sends in the slot that is its own, so that packets come to the box as
//! they come from as many strangers. Delay is the kernel's receive time stamp minus when the packet was handed to
//! it. Which packet it was says the payload where the box passes it on as it is, and the order of the sequence
//! numbers where the box makes a packet of its own of each; in a conference nothing does.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use media::codec::{Encoder, PAYLOAD_MAX};
use media::negotiated::OpusParameters;
use media::resample::Resampler;
use media::srtp::{OVERHEAD_MAX, Protector, Unprotector};
use media::{CodecKind, SrtpSuite};

use crate::machine::{CPU_MEASURED, process_cpu_ns, receive_stamped, stamped_socket, wall_ns};
use crate::sip::{CALLERS, Leg};
use crate::stalls::{Delay, Delays, Watch};

/// Sockets all legs share, as phones behind one carrier do.
const SOCKETS: usize = 8;

/// A leg has one of the slots of each round of 20 ms.
const SLOTS: usize = 80;
const SLOT: Duration = Duration::from_micros(250);

/// Rounds before anything is measured: two seconds.
const WARM_UP: u64 = 100;

/// Rounds from which on the order of sequence numbers is learned: the box has settled on its path.
const LEARN: u64 = 50;

/// Longest time a packet is waited for after the last round.
const REST: Duration = Duration::from_millis(200);

/// How a packet is known again on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// By what its payload says.
    Stamp,
    /// By its place in the order.
    Order,
    /// Not at all: what is heard is made of many.
    Not,
}

/// What a load was like.
#[derive(Debug, Default)]
pub struct Load {
    pub sent: u64,
    pub lost: u64,
    /// Of the leg that lost most.
    pub lost_most: u64,
    /// Empty when packets are not known again.
    pub delays: Delays,
    noted: Vec<Delay>,
    /// How late the generator itself was, in microseconds, sorted.
    pub lateness: Vec<u32>,
    /// CPU of the box.
    pub cpu: Duration,
    pub length: Duration,
}

/// Both ends' sound.
pub struct Generator {
    sockets: Vec<UdpSocket>,
    streams: Vec<Stream>,
    /// The stream that hears what comes from a port of the box.
    by_port: Vec<u32>,
    known: Known,
    /// Goes on from one run to the next, as streams do.
    round: u64,
}

struct Stream {
    /// The one its calls' SDP named.
    socket: usize,
    to: SocketAddr,
    payload_type: u8,
    /// Samples of its RTP clock in 20 ms.
    step: u32,
    voice: Arc<Vec<Vec<u8>>>,
    /// Whom it hears.
    from: usize,
    /// When its last packets were sent, by round.
    sent_at: [u64; 64],
    cipher: Option<Box<(Protector, Unprotector)>>,
    /// How far the sequence number runs, and what it is ahead of the rounds of whom it hears.
    last: Option<(u16, i64)>,
    ahead: Option<i64>,
    heard: u64,
}

impl Generator {
    /// Opens the sockets.
    pub fn new() -> Generator {
        Generator {
            sockets: (0..SOCKETS).map(|_| stamped_socket(CALLERS)).collect(),
            streams: Vec::new(),
            by_port: vec![u32::MAX; 1 << 16],
            known: Known::Not,
            round: 0,
        }
    }

    /// The port that a call's both ends use.
    pub fn ports(&self, call: usize) -> [u16; 2] {
        [0, 1].map(|end| self.sockets[socket_of(call, end)].local_addr().unwrap().port())
    }

    /// These legs talk from now on: first all callers, of one codec, then all who were called, of the other; or
    /// callers alone.
    pub fn set_legs(&mut self, legs: &[Leg], codecs: [CodecKind; 2], calls: usize, known: Known) {
        let voices = codecs.map(|codec| Arc::new(voice(codec)));
        self.known = known;
        self.by_port.fill(u32::MAX);
        self.streams = legs
            .iter()
            .enumerate()
            .map(|(n, leg)| {
                self.by_port[usize::from(leg.to.port())] = n as u32;
                let (call, end) = (n % calls, n / calls);
                let suite = SrtpSuite::AesCm128HmacSha1_80;
                Stream {
                    socket: socket_of(call, end),
                    to: leg.to,
                    payload_type: leg.payload_type,
                    step: codecs[end].info().clock / 50,
                    voice: voices[end].clone(),
                    from: if legs.len() > calls { (n + calls) % legs.len() } else { n },
                    sent_at: [0; 64],
                    cipher: leg.keys.map(|(ours, theirs)| {
                        Box::new((Protector::new(suite, &ours), Unprotector::new(suite, &theirs)))
                    }),
                    last: None,
                    ahead: None,
                    heard: 0,
                }
            })
            .collect();
    }

    /// Talks for so many rounds of 20 ms beyond the warm-up; `beside` is done once a round.
    pub fn run(&mut self, rounds: u64, process: u32, mut beside: impl FnMut()) -> Load {
        let first_round = self.round;
        self.round += WARM_UP + rounds;
        let mut load =
            Load { noted: Vec::with_capacity(self.streams.len() * rounds as usize), ..Load::default() };
        let watch = Watch::start(CPU_MEASURED);
        let slots: Vec<Vec<usize>> = (0..SLOTS)
            .map(|slot| (0..self.streams.len()).filter(|n| n * SLOTS / self.streams.len() == slot).collect())
            .collect();
        let measured = first_round + WARM_UP..first_round + WARM_UP + rounds;
        let start = Instant::now();
        let mut before = (0, Instant::now());
        for round in first_round..measured.end {
            if round == measured.start {
                before = (process_cpu_ns(process), Instant::now());
            }
            for (slot, streams) in slots.iter().enumerate() {
                let due = SLOT * ((round - first_round) as usize * SLOTS + slot) as u32;
                self.drain(round, &measured, &mut load);
                std::thread::sleep(due.saturating_sub(start.elapsed()));
                if measured.contains(&round) {
                    load.lateness.push(start.elapsed().saturating_sub(due).as_micros() as u32);
                }
                for &n in streams {
                    self.send(n, round);
                }
                self.drain(round, &measured, &mut load);
            }
            beside();
        }
        load.length = before.1.elapsed();
        load.cpu = Duration::from_nanos(process_cpu_ns(process).saturating_sub(before.0));
        let end = Instant::now();
        while end.elapsed() < REST {
            self.drain(measured.end, &measured, &mut load);
            std::thread::sleep(SLOT);
        }
        for stream in &self.streams {
            // What comes at the box's own pace may begin and end within a frame of our window.
            let slack = if self.known == Known::Not { 2 } else { 0 };
            let lost = rounds.saturating_sub(stream.heard + slack);
            load.lost += lost;
            load.lost_most = load.lost_most.max(lost);
        }
        load.sent = rounds * self.streams.len() as u64;
        load.delays = Delays::judged(&std::mem::take(&mut load.noted), &watch.finish());
        load.lateness.sort_unstable();
        load
    }

    fn send(&mut self, n: usize, round: u64) {
        let stream = &mut self.streams[n];
        let mut packet = [0; 12 + PAYLOAD_MAX + OVERHEAD_MAX];
        let voice = &stream.voice[round as usize % stream.voice.len()];
        let mut len = 12 + voice.len();
        packet[0] = 0x80;
        packet[1] = stream.payload_type;
        packet[2..4].copy_from_slice(&(round as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&(round as u32).wrapping_mul(stream.step).to_be_bytes());
        packet[8..12].copy_from_slice(&(n as u32 + 1).to_be_bytes());
        packet[12..len].copy_from_slice(voice);
        let now = wall_ns();
        if self.known == Known::Stamp {
            packet[12..20].copy_from_slice(&now.to_be_bytes());
            packet[20..28].copy_from_slice(&round.to_be_bytes());
        }
        stream.sent_at[round as usize % 64] = now;
        if let Some(cipher) = &mut stream.cipher {
            len = cipher.0.rtp(&mut packet, len);
        }
        let _ = self.sockets[stream.socket].send_to(&packet[..len], stream.to);
    }

    fn drain(&mut self, round: u64, measured: &std::ops::Range<u64>, load: &mut Load) {
        let mut buffer = [0; 2_048];
        for socket in 0..SOCKETS {
            while let Some((len, from, at)) = receive_stamped(&self.sockets[socket], &mut buffer) {
                let n = self.by_port[usize::from(from.port())] as usize;
                if n < self.streams.len() {
                    self.hear(n, &mut buffer[..len], at, round, measured, load);
                }
            }
        }
    }

    fn hear(
        &mut self,
        n: usize,
        packet: &mut [u8],
        at: u64,
        round: u64,
        measured: &std::ops::Range<u64>,
        load: &mut Load,
    ) {
        let from = self.streams[n].from;
        let sent_at = self.streams[from].sent_at;
        let stream = &mut self.streams[n];
        let least = if self.known == Known::Stamp { 28 } else { 12 };
        if packet.len() < least || packet[1] & 0x7F != stream.payload_type {
            return;
        }
        match self.known {
            Known::Stamp => {
                if let Some(cipher) = &mut stream.cipher
                    && cipher.1.rtp(packet).is_err()
                {
                    return;
                }
                let number = |at: usize| u64::from_be_bytes(packet[at..at + 8].try_into().unwrap());
                let (stamp, sent) = (number(12), number(20));
                // Silence of the box itself carries no stamp.
                if sent_at[sent as usize % 64] != stamp {
                    return;
                }
                if measured.contains(&sent) {
                    stream.heard += 1;
                    load.noted.push((stamp, (at.saturating_sub(stamp) / 1_000) as u32));
                }
            }
            Known::Order => {
                let sequence = u16::from_be_bytes([packet[2], packet[3]]);
                let run = match stream.last {
                    Some((last, run)) => run + i64::from(sequence.wrapping_sub(last).cast_signed()),
                    None => 0,
                };
                stream.last = Some((sequence, run));
                if round < measured.start - WARM_UP + LEARN {
                    return;
                }
                // The last packet that was on its way when this one came.
                let last_sent = (round.saturating_sub(2)..=round).rev().find(|r| {
                    let sent = sent_at[*r as usize % 64];
                    sent != 0 && sent <= at
                });
                let Some(last_sent) = last_sent else { return };
                let ahead = run - last_sent as i64;
                if round < measured.start {
                    stream.ahead = Some(stream.ahead.map_or(ahead, |before| before.max(ahead)));
                    return;
                }
                let Some(ahead) = stream.ahead else { return };
                let Ok(sent) = u64::try_from(run - ahead) else { return };
                if measured.contains(&sent) && round < sent + 60 {
                    stream.heard += 1;
                    let sent_at = sent_at[sent as usize % 64];
                    load.noted.push((sent_at, (at.saturating_sub(sent_at) / 1_000) as u32));
                }
            }
            Known::Not => stream.heard += u64::from(measured.contains(&round)),
        }
    }
}

fn socket_of(call: usize, end: usize) -> usize {
    (2 * call + end) % SOCKETS
}

/// A second of speech in packets of 20 ms.
fn voice(codec: CodecKind) -> Vec<Vec<u8>> {
    let bytes = include_bytes!("../../tests/data/audio/speech-16k.s16");
    let speech: Vec<i16> = bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
    let rate = codec.info().rate.min(16_000);
    let mut pcm = vec![0; rate as usize];
    Resampler::new(16_000, rate).process(&speech, &mut pcm);
    let mut encoder = Encoder::new(codec, rate, OpusParameters::default());
    let mut payload = [0; PAYLOAD_MAX];
    pcm.chunks(encoder.rate() as usize / 50)
        .map(|pcm| {
            let bytes = encoder.encode(pcm, &mut payload);
            payload[..bytes].to_vec()
        })
        .collect()
}
