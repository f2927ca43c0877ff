//! SIPp: somebody else's SIP stack, driven by a scenario of the test's own. Its media are an [`super::rtp::Rtp`] whose
//! port the scenario's SDP names, or SIPp's own streams.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::tone;

/// UDP or TCP; SIPp as packaged has no TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

impl Transport {
    fn mode(self) -> &'static str {
        if self == Self::Udp { "u1" } else { "t1" }
    }
}

/// A message in SIPp's log.
#[derive(Clone, Debug)]
pub struct Message {
    pub received: bool,
    pub text: String,
}

impl Message {
    /// The first line.
    pub fn start(&self) -> &str {
        self.text.lines().next().unwrap_or("")
    }

    /// A header's value by its full name; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        header(&self.text, name)
    }

    /// The RTP address its SDP names.
    pub fn media(&self) -> Option<SocketAddr> {
        media_address(&self.text)
    }
}

/// A header's value in a message's text; empty when absent.
pub fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let head = text.split("\r\n\r\n").next().unwrap_or(text);
    let named =
        head.lines().filter_map(|line| line.split_once(':')).find(|(n, _)| n.eq_ignore_ascii_case(name));
    named.map_or("", |(_, value)| value.trim())
}

/// The RTP address in a message with SDP.
pub fn media_address(text: &str) -> Option<SocketAddr> {
    let after = |prefix: &str| text.lines().find_map(|line| line.trim_start().strip_prefix(prefix));
    let ip: IpAddr = after("c=IN IP4 ")?.trim().parse().ok()?;
    let port = after("m=audio ")?.split(' ').next()?.parse().ok()?;
    Some((ip, port).into())
}

/// SIPp at work on one call.
pub struct Sipp {
    local: SocketAddr,
    call_id: String,
    dir: TempDir,
    child: Child,
    /// Messages of a phone come with the caller's Call-ID, learnt from the log.
    waits: bool,
}

impl Sipp {
    /// Starts a scenario that begins by sending, from `local` to `to`.
    pub fn call(scenario: &str, transport: Transport, local: SocketAddr, to: SocketAddr) -> Self {
        Self::start(scenario, local, &["-t", transport.mode(), &to.to_string()], false)
    }

    /// Starts a scenario that begins by waiting for a request at `local`.
    pub fn answer(scenario: &str, transport: Transport, local: SocketAddr) -> Self {
        let sipp = Self::start(scenario, local, &["-t", transport.mode()], true);
        let listens = || match transport {
            Transport::Udp => UdpSocket::bind(local).is_err(),
            Transport::Tcp => TcpListener::bind(local).is_err(),
        };
        super::wait_for("SIPp to listen", super::s(5), || listens().then_some(()));
        sipp
    }

    fn start(scenario: &str, local: SocketAddr, more: &[&str], waits: bool) -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("scenario.xml"), scenario).unwrap();
        let tone: Vec<u8> = tone::sine(super::hz::CALLER, 1.0).into_iter().map(tone::ulaw_encode).collect();
        std::fs::write(dir.path().join("caller.ulaw"), tone).unwrap();
        let call_id = format!(
            "{}-{}",
            local.port(),
            dir.path().file_name().unwrap().to_string_lossy().trim_start_matches('.')
        );
        let child = Command::new("sipp")
            .args(["-sf", "scenario.xml", "-m", "1", "-nostdin", "-cid_str", &call_id])
            .args([
                "-i",
                &local.ip().to_string(),
                "-p",
                &local.port().to_string(),
                "-mi",
                &local.ip().to_string(),
            ])
            .args(["-trace_msg", "-message_file", "messages", "-trace_err", "-error_file", "errors"])
            .args(["-timeout", "120s", "-timeout_error"])
            .args(more)
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sipp is installed (Debian: sip-tester)");
        Self { local, call_id, dir, child, waits }
    }

    fn file(&self, name: &str) -> String {
        let path: PathBuf = self.dir.path().join(name);
        std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The messages so far, in order.
    pub fn messages(&self) -> Vec<Message> {
        let log = self.file("messages");
        let entries = log.split("-----------------------------------------------").skip(1);
        let parsed = entries.filter_map(|entry| {
            let (head, text) = entry.split_once("\n\n")?;
            Some(Message { received: head.contains(" received "), text: text.to_owned() })
        });
        parsed.collect()
    }

    /// Messages that arrived and whose first line begins so.
    pub fn received(&self, start: &str) -> Vec<Message> {
        self.messages()
            .into_iter()
            .filter(|message| message.received && message.start().starts_with(start))
            .collect()
    }

    /// Waits for a message whose first line begins so.
    pub fn wait(&mut self, start: &str, within: Duration) -> Message {
        let deadline = std::time::Instant::now() + within;
        loop {
            if let Some(message) = self.received(start).into_iter().next() {
                return message;
            }
            let over = self.child.try_wait().unwrap();
            let late = std::time::Instant::now() > deadline;
            assert!(!late && over.is_none(), "SIPp never received {start:?} ({over:?})\n{}", self.story());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Lets a scenario go on that waits at [`Scenario::until_told`]: an INFO of the bench's own with its Call-ID.
    pub fn go_on(&self) {
        let messages = self.messages();
        let received: Vec<&Message> = messages.iter().filter(|message| message.received).collect();
        let last = received.iter().rev().find(|message| !message.header("Call-ID").is_empty());
        // SIPp remembers the peer from whatever came last: the INFO must look like the peer.
        let peer = last.map_or("<sip:bench>", |message| {
            if message.start().starts_with("SIP/2.0") { message.header("To") } else { message.header("From") }
        });
        let call_id =
            if self.waits { last.map_or("", |message| message.header("Call-ID")) } else { &self.call_id };
        // No two alike, or SIPp takes the second for a repetition of the first.
        let number = messages.len();
        let info = format!(
            "INFO sip:bench SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.99:9;branch=z9hG4bKbench{number}\r\nFrom: {peer}\r\n\
             To: {peer}\r\nCall-ID: {call_id}\r\nCSeq: 9{number} INFO\r\nContent-Length: 0\r\n\r\n"
        );
        UdpSocket::bind((self.local.ip(), 0)).unwrap().send_to(info.as_bytes(), self.local).unwrap();
    }

    /// Waits for the scenario's end and insists that it went as written.
    pub fn succeeds(&mut self, within: Duration) {
        let status = super::wait_for("SIPp to finish", within, || self.child.try_wait().unwrap());
        assert!(status.success(), "the scenario failed ({status})\n{}", self.story());
    }

    /// Everything SIPp saw, for a failure's message.
    pub fn story(&self) -> String {
        let messages = self.messages();
        let lines = messages
            .iter()
            .map(|m| format!("{} {}", if m.received { "<-" } else { "->" }, m.text.trim_end()));
        lines.collect::<Vec<_>>().join("\n\n") + "\n" + &self.file("errors")
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SIPp at {}:\n{}", self.local, self.story());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
