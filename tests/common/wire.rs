//! SIP by hand over UDP, for what no well-behaved stack would do: repeated, lost, early and broken messages.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

pub struct Wire {
    pub local: SocketAddr,
    to: SocketAddr,
    socket: UdpSocket,
}

impl Wire {
    pub fn open(ip: IpAddr, port: u16, to: SocketAddr) -> Self {
        let socket = UdpSocket::bind((ip, port)).expect("the address is free");
        Self { local: socket.local_addr().unwrap(), to, socket }
    }

    pub fn send(&self, message: &[u8]) {
        self.socket.send_to(message, self.to).unwrap();
    }

    /// The next message, if one comes in time.
    pub fn receive(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within.max(Duration::from_millis(1)))).unwrap();
        let mut buffer = vec![0; 65_536];
        let (length, _) = self.socket.recv_from(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    /// The next message whose first line begins so; others are passed over.
    pub fn wait(&self, start: &str, within: Duration) -> String {
        let deadline = Instant::now() + within;
        let mut others = Vec::new();
        while Instant::now() < deadline {
            match self.receive(deadline - Instant::now()) {
                Some(message) if message.starts_with(start) => return message,
                Some(other) => others.push(other),
                None => {}
            }
        }
        panic!("{start:?} did not come within {within:?}; instead:\n{}", others.join("\n"));
    }

    /// Everything that comes within a time.
    pub fn all(&self, within: Duration) -> Vec<String> {
        let deadline = Instant::now() + within;
        let mut all = Vec::new();
        while Instant::now() < deadline {
            all.extend(self.receive(deadline - Instant::now()));
        }
        all
    }

    /// A request of a call from here. `call` names the call, `branch` the transaction.
    pub fn request(
        &self,
        method: &str,
        number: &str,
        call: &str,
        branch: &str,
        to_tag: &str,
        body: &str,
    ) -> String {
        let (local, to) = (self.local, self.to);
        let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
        let cseq = match method {
            "BYE" => "2 BYE".to_owned(),
            method => format!("1 {method}"),
        };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let body = body.replace('\n', "\r\n");
        format!(
            "{method} sip:{number}@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{branch};rport\r\n\
             From: <sip:+15557770009@{local}>;tag=w{call}\r\nTo: <sip:{number}@{to}>{tag}\r\nCall-ID: {call}@wire\r\n\
             CSeq: {cseq}\r\nContact: <sip:wire@{local}>\r\nMax-Forwards: 70\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// The tag of a message's To header; empty when it has none.
pub fn to_tag(message: &str) -> &str {
    let to = super::sipp::header(message, "To");
    to.split_once(";tag=").map_or("", |(_, tag)| tag.split(';').next().unwrap_or(tag))
}
