//! Both ends of many calls: callers at one trunk, and whom the box calls for them at another.
//!
//! The caller of call `i` shows the number `+1555` and seven digits of `i`; the box passes it on, which tells the
//! other end whose call it is. Messages are read and written as text, as much of them as a peer that behaves needs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use media::{CodecKind, SrtpKey};

/// Where the box listens.
pub const BOX: &str = "127.0.0.1:5968";
/// The trunk the calls come from.
pub const CALLERS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The trunk they are sent to.
pub const CALLED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// The port of both.
pub const PORT: u16 = 5_969;

/// From this one on calls come and go for their own sake ([`Ends::churn`]).
const CHURN: usize = 5_000_000;

/// Calls being set up or ended at once.
const WINDOW: usize = 24;

/// A request without an answer is sent again after this.
const AGAIN: Duration = Duration::from_millis(500);

/// Without any progress for so long a load is given up.
const PATIENCE: Duration = Duration::from_secs(15);

/// What one side of all calls speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speaks {
    pub codec: CodecKind,
    pub encrypted: bool,
}

/// One end's media as agreed on.
#[derive(Clone, Copy, Debug)]
pub struct Leg {
    /// Where the box takes it.
    pub to: SocketAddr,
    pub payload_type: u8,
    /// What we encrypt with and what the box does.
    pub keys: Option<(SrtpKey, SrtpKey)>,
}

/// The two ends.
pub struct Ends {
    callers: UdpSocket,
    called: UdpSocket,
    caller_speaks: Speaks,
    called_speaks: Speaks,
    /// Whether the box calls somebody for each caller.
    has_called: bool,
    calls: BTreeMap<usize, Call>,
    /// Calls that the box ended, and how.
    pub ended: Vec<String>,
    /// INVITE and BYE that are not answered yet, by call.
    open: BTreeMap<usize, (Instant, String)>,
    /// Calls begun only to be ended again.
    pub churned: usize,
}

struct Call {
    number: String,
    /// The port our RTP comes from and is wanted at, of each end.
    ports: [u16; 2],
    /// The answer's To, with its tag.
    to: String,
    legs: [Option<Leg>; 2],
}

impl Ends {
    /// The ends of calls to come.
    pub fn new(caller_speaks: Speaks, called_speaks: Option<Speaks>) -> Ends {
        let bind = |address| {
            let socket = UdpSocket::bind((address, PORT)).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        Ends {
            callers: bind(CALLERS),
            called: bind(CALLED),
            caller_speaks,
            called_speaks: called_speaks.unwrap_or(caller_speaks),
            has_called: called_speaks.is_some(),
            calls: BTreeMap::new(),
            ended: Vec::new(),
            open: BTreeMap::new(),
            churned: 0,
        }
    }

    /// Waits until the box answers at all.
    pub fn wait_until_ready(&mut self) -> bool {
        let options = format!(
            "OPTIONS sip:{BOX} SIP/2.0\r\nVia: SIP/2.0/UDP {CALLERS}:{PORT};branch=z9hG4bKready\r\nFrom: <sip:load@{CALLERS}>;tag=r\r\n\
             To: <sip:{BOX}>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        for _ in 0..100 {
            let _ = self.callers.send_to(options.as_bytes(), BOX);
            std::thread::sleep(Duration::from_millis(100));
            if self.callers.recv(&mut [0; 4_096]).is_ok() {
                return true;
            }
        }
        false
    }

    /// Sets calls up. `place` says what number a call goes to and which ports its two ends use.
    pub fn call(
        &mut self,
        calls: Range<usize>,
        place: impl Fn(usize) -> (String, [u16; 2]),
    ) -> Result<(), String> {
        let mut to_begin = calls.clone();
        let wanted = calls.len();
        let mut before = 0;
        let mut progress = Instant::now();
        loop {
            while self.open.len() < WINDOW
                && let Some(call) = to_begin.next()
            {
                let (number, ports) = place(call);
                self.calls.insert(call, Call { number, ports, to: String::new(), legs: [None; 2] });
                let invite = self.invite(call);
                self.ask(call, invite);
            }
            self.serve();
            let up = self.calls.range(calls.clone()).filter(|(_, call)| self.is_up(call)).count();
            if let Some(why) = self.ended.first() {
                return Err(why.clone());
            } else if up == wanted {
                return Ok(());
            } else if up != before {
                (before, progress) = (up, Instant::now());
            } else if progress.elapsed() > PATIENCE {
                return Err(format!("only {up} of {wanted} calls came about"));
            }
            std::thread::sleep(Duration::from_micros(300));
        }
    }

    /// Ends calls.
    pub fn hang_up(&mut self, calls: Range<usize>) {
        let mut to_end = calls;
        let began = Instant::now();
        loop {
            while self.open.len() < WINDOW
                && let Some(call) = to_end.next()
            {
                if let Some(to) = self.calls.get(&call).map(|call| call.to.clone()) {
                    let bye = self.request("BYE", call, 2, &to, "");
                    self.ask(call, bye);
                }
            }
            self.serve();
            if (self.open.is_empty() && to_end.is_empty()) || began.elapsed() > 2 * PATIENCE {
                return;
            }
            std::thread::sleep(Duration::from_micros(300));
        }
    }

    /// Keeps so many further calls coming and going, each ended as soon as it is up; never waits.
    pub fn churn(&mut self, window: usize, place: impl Fn(usize) -> (String, [u16; 2])) {
        self.serve();
        let under_way = self.calls.range(CHURN..);
        let up = under_way.filter(|(id, call)| !self.open.contains_key(id) && self.is_up(call));
        let up: Vec<(usize, String)> = up.map(|(id, call)| (*id, call.to.clone())).collect();
        for (id, to) in up {
            let bye = self.request("BYE", id, 2, &to, "");
            self.ask(id, bye);
        }
        while self.calls.range(CHURN..).count() < window {
            let id = CHURN + self.churned;
            let (number, ports) = place(id);
            self.calls.insert(id, Call { number, ports, to: String::new(), legs: [None; 2] });
            let invite = self.invite(id);
            self.ask(id, invite);
            self.churned += 1;
        }
    }

    /// The legs of calls: first of all callers, then of all who were called.
    pub fn legs(&self, calls: Range<usize>) -> Vec<Leg> {
        let of = |end: usize| self.calls.range(calls.clone()).filter_map(move |(_, call)| call.legs[end]);
        of(0).chain(of(1)).collect()
    }

    /// Takes what has come in and answers it.
    pub fn serve(&mut self) {
        let mut buffer = [0; 8_192];
        while let Ok(length) = self.callers.recv(&mut buffer) {
            self.heard(0, &String::from_utf8_lossy(&buffer[..length]));
        }
        while let Ok(length) = self.called.recv(&mut buffer) {
            self.heard(1, &String::from_utf8_lossy(&buffer[..length]));
        }
        let now = Instant::now();
        for (since, message) in self.open.values_mut().filter(|(since, _)| now - *since > AGAIN) {
            let _ = self.callers.send_to(message.as_bytes(), BOX);
            *since = now;
        }
    }

    fn is_up(&self, call: &Call) -> bool {
        call.legs[0].is_some() && (call.legs[1].is_some() || !self.has_called)
    }

    fn ask(&mut self, call: usize, message: String) {
        let _ = self.callers.send_to(message.as_bytes(), BOX);
        self.open.insert(call, (Instant::now(), message));
    }

    fn heard(&mut self, end: usize, text: &str) {
        match text.strip_prefix("SIP/2.0 ") {
            Some(status) => self.answered(status.get(..3).unwrap_or_default(), text),
            None => self.asked(end, text),
        }
    }

    /// The box answers a caller.
    fn answered(&mut self, status: &str, text: &str) {
        let Some(id) = header(text, "Call-ID").and_then(|id| id.strip_prefix("load")?.parse().ok()) else {
            return;
        };
        if status.starts_with('1') {
            return;
        }
        let is_invite = header(text, "CSeq").is_some_and(|cseq| cseq.ends_with("INVITE"));
        if !is_invite {
            if self.open.remove(&id).is_some() {
                self.calls.remove(&id);
            }
            return;
        }
        let to = header(text, "To").unwrap_or_default().to_owned();
        let ack = self.request("ACK", id, 1, &to, "");
        let _ = self.callers.send_to(ack.as_bytes(), BOX);
        let speaks = self.caller_speaks;
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.legs[0].is_some() {
            return;
        }
        self.open.remove(&id);
        if status != "200" && id >= CHURN {
            // The box may refuse what it has no time for.
            self.calls.remove(&id);
            return;
        }
        if status != "200" {
            return self.ended.push(format!("the box answers {}", text.lines().next().unwrap_or_default()));
        }
        call.to = to;
        call.legs[0] = read_sdp(text, speaks, key(2 * id));
        if call.legs[0].is_none() {
            self.ended.push(format!("the box's answer has no {:?}", speaks.codec));
        }
    }

    /// The box asks something of either end.
    fn asked(&mut self, end: usize, text: &str) {
        let method = text.split(' ').next().unwrap_or_default();
        let in_dialog = header(text, "To").is_some_and(|to| to.contains("tag="));
        let id = match end {
            0 => header(text, "Call-ID").and_then(|id| id.strip_prefix("load")?.parse().ok()),
            _ => header(text, "From").and_then(|from| {
                let at = from.find("+1555")? + 5;
                from.get(at..at + 7)?.parse::<usize>().ok()
            }),
        };
        match method {
            "ACK" => return,
            "BYE" if id.is_some_and(|id| self.calls.contains_key(&id) && !self.open.contains_key(&id)) => {
                let reason = header(text, "Reason").unwrap_or("without a reason");
                self.ended.push(format!("the box ends a call, {reason}"));
            }
            _ => {}
        }
        let speaks = if end == 0 { self.caller_speaks } else { self.called_speaks };
        let (mut sdp, mut status) = (String::new(), "200 OK");
        if text.contains("m=audio") {
            let call = id.and_then(|id| Some((id, self.calls.get_mut(&id)?)));
            let agreed = call.and_then(|(id, call)| {
                let leg = read_sdp(text, speaks, key(2 * id + end))?;
                // One that moves in mid-call is not followed; the legs have been handed out.
                call.legs[end].get_or_insert(leg);
                Some((id, call.ports[end], leg))
            });
            match agreed {
                Some((id, port, leg)) => {
                    sdp = write_sdp(speaks, leg.payload_type, port, key(2 * id + end), crypto_tag(text));
                }
                None => {
                    status = "488 Not Acceptable Here";
                    self.ended.push(format!("the box offers no {:?}", speaks.codec));
                }
            }
        }
        let mut answer = format!("SIP/2.0 {status}\r\n");
        for line in text.lines().take_while(|line| !line.is_empty()) {
            let name = line.split(':').next().unwrap_or_default();
            match name {
                "To" if !in_dialog => answer += &format!("{line};tag=called\r\n"),
                "Via" | "From" | "To" | "Call-ID" | "CSeq" | "Record-Route" => {
                    answer += &format!("{line}\r\n")
                }
                _ => {}
            }
        }
        let address = if end == 0 { CALLERS } else { CALLED };
        let content = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let _ = write!(
            answer,
            "Contact: <sip:{address}:{PORT}>\r\n{content}Content-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        );
        let socket = if end == 0 { &self.callers } else { &self.called };
        let _ = socket.send_to(answer.as_bytes(), BOX);
    }

    fn invite(&self, id: usize) -> String {
        let call = &self.calls[&id];
        let payload_type = self.caller_speaks.codec.info().payload_type;
        let sdp = write_sdp(self.caller_speaks, payload_type, call.ports[0], key(2 * id), "1");
        self.request("INVITE", id, 1, &format!("<sip:{}@{BOX}>", call.number), &sdp)
    }

    fn request(&self, method: &str, id: usize, cseq: u32, to: &str, sdp: &str) -> String {
        let number = self.calls.get(&id).map_or("", |call| &call.number);
        let content = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} sip:{number}@{BOX} SIP/2.0\r\nVia: SIP/2.0/UDP {CALLERS}:{PORT};branch=z9hG4bK{id}{method}\r\n\
             From: <sip:+1555{id:07}@{CALLERS}>;tag=load{id}\r\nTo: {to}\r\nCall-ID: load{id}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:{CALLERS}:{PORT}>\r\nMax-Forwards: 70\r\n{content}Content-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        )
    }
}

fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
}

/// How the codec stands in `a=rtpmap`.
fn encoding(codec: CodecKind) -> String {
    let info = codec.info();
    let channels = if info.channels > 1 { format!("/{}", info.channels) } else { String::new() };
    format!("{}/{}{channels}", info.name, info.clock)
}

/// A key of ours, another for each leg.
fn key(leg: usize) -> SrtpKey {
    let mut key = SrtpKey { key: [0; 32], salt: [7; 14] };
    key.key[..8].copy_from_slice(&(leg as u64 + 1).to_be_bytes());
    key.key[8..16].fill(0x5A);
    key
}

const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";

fn write_sdp(speaks: Speaks, payload_type: u8, port: u16, key: SrtpKey, tag: &str) -> String {
    let profile = if speaks.encrypted { "RTP/SAVP" } else { "RTP/AVP" };
    // Keys come as events: nobody need listen for their tones.
    let mut sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 {CALLERS}\r\ns=-\r\nc=IN IP4 {CALLERS}\r\nt=0 0\r\nm=audio {port} {profile} {payload_type} 101\r\n\
         a=rtpmap:{payload_type} {}\r\na=rtpmap:101 telephone-event/{}\r\na=ptime:20\r\n",
        encoding(speaks.codec),
        speaks.codec.info().clock
    );
    if speaks.encrypted {
        let inline = STANDARD.encode([&key.key[..16], &key.salt[..]].concat());
        let _ = write!(sdp, "a=crypto:{tag} {SUITE} inline:{inline}\r\n");
    }
    sdp
}

/// The number of the line of `a=crypto` that we take.
fn crypto_tag(text: &str) -> &str {
    crypto_line(text).and_then(|line| line.split(' ').next()).unwrap_or("1")
}

fn crypto_line(text: &str) -> Option<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("a=crypto:"))
        .find(|line| line.contains(&format!(" {SUITE} ")))
}

fn read_sdp(text: &str, speaks: Speaks, ours: SrtpKey) -> Option<Leg> {
    let address = text.lines().find_map(|line| line.strip_prefix("c=IN IP4 "))?.trim();
    let audio = text.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    let port: u16 = audio.split(' ').next()?.parse().ok()?;
    let named = text.lines().filter_map(|line| line.strip_prefix("a=rtpmap:")).find_map(|line| {
        let (number, name) = line.trim().split_once(' ')?;
        name.eq_ignore_ascii_case(&encoding(speaks.codec)).then(|| number.parse::<u8>().ok())?
    });
    let info = speaks.codec.info();
    let known = info.is_static.then_some(info.payload_type);
    let stands = known.filter(|known: &u8| audio.split_whitespace().skip(2).any(|n| n.parse() == Ok(*known)));
    let keys = if speaks.encrypted {
        let inline = crypto_line(text)?.split("inline:").nth(1)?;
        let bytes = STANDARD.decode(inline.split(['|', ' ']).next()?.trim()).ok()?;
        let mut theirs = SrtpKey { key: [0; 32], salt: [0; 14] };
        theirs.key[..16].copy_from_slice(bytes.get(..16)?);
        theirs.salt.copy_from_slice(bytes.get(16..30)?);
        Some((ours, theirs))
    } else {
        None
    };
    let to = SocketAddr::new(address.parse().ok()?, port);
    Some(Leg { to, payload_type: named.or(stands)?, keys })
}
