//! What a session description says, and how it is written.
//!
//! Only the lines that matter to a telephone call are kept: origin, name, connection, media and attributes.
//! Bandwidth, timing, contact and encryption lines are read over, and timing is written as unbounded.

use std::fmt;
use std::net::IpAddr;

/// A session description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sdp {
    /// `o=`; absent when the peer left it out, which some do.
    pub origin: Option<Origin>,
    /// `s=`.
    pub name: String,
    /// `c=` of the session: where media goes unless a stream says otherwise.
    pub connection: Option<Connection>,
    /// `a=` of the session, in order.
    pub attributes: Vec<Attribute>,
    /// `m=`, in order, which offer/answer relies on.
    pub media: Vec<Media>,
}

/// Who describes (RFC 8866 §5.2). The numbers are kept as text: peers write more digits than any integer has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `-` when there is none.
    pub username: String,
    /// Tells sessions of one origin apart.
    pub session_id: String,
    /// Grows with every change.
    pub version: String,
    /// Network type, address type and address as written, for example `IN IP4 192.0.2.1`.
    pub address: String,
}

/// Where media goes (RFC 8866 §5.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// An IP address; the TTL and count of multicast are dropped.
    Address(IpAddr),
    /// A host name or another network, as written. It is not resolved: no telephone needs it.
    Other(String),
}

/// One stream (RFC 8866 §5.14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, `image`, `application`…
    pub kind: String,
    /// The RTP port; 0 switches the stream off.
    pub port: u16,
    /// The profile: `RTP/AVP`, `RTP/SAVP`, `UDP/TLS/RTP/SAVPF`…
    pub protocol: String,
    /// For RTP the payload types, most wanted first.
    pub formats: Vec<String>,
    /// `c=` of the stream.
    pub connection: Option<Connection>,
    /// `a=` of the stream, in order.
    pub attributes: Vec<Attribute>,
}

/// `a=name` or `a=name:value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Before the colon; compared with case (RFC 8866 §5.13).
    pub name: String,
    /// After the colon.
    pub value: Option<String>,
}

impl Attribute {
    /// `a=name`.
    pub fn flag(name: &str) -> Attribute {
        Attribute { name: name.to_owned(), value: None }
    }

    /// `a=name:value`.
    pub fn new(name: &str, value: impl fmt::Display) -> Attribute {
        Attribute { name: name.to_owned(), value: Some(value.to_string()) }
    }
}

impl Media {
    /// The first value of a stream's attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.name == name)?.value.as_deref()
    }
}

impl fmt::Display for Sdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v=0\r\n")?;
        if let Some(o) = &self.origin {
            write!(f, "o={} {} {} {}\r\n", o.username, o.session_id, o.version, o.address)?;
        }
        write!(f, "s={}\r\n", if self.name.is_empty() { "-" } else { &self.name })?;
        self.connection.iter().try_for_each(|c| c.fmt(f))?;
        f.write_str("t=0 0\r\n")?;
        self.attributes.iter().try_for_each(|a| a.fmt(f))?;
        self.media.iter().try_for_each(|m| m.fmt(f))
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={} {} {}", self.kind, self.port, self.protocol)?;
        self.formats.iter().try_for_each(|format| write!(f, " {format}"))?;
        f.write_str("\r\n")?;
        self.connection.iter().try_for_each(|c| c.fmt(f))?;
        self.attributes.iter().try_for_each(|a| a.fmt(f))
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Connection::Address(address) => write!(f, "c={}\r\n", network(*address)),
            Connection::Other(text) => write!(f, "c={text}\r\n"),
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => write!(f, "a={}\r\n", self.name),
            Some(value) => write!(f, "a={}:{value}\r\n", self.name),
        }
    }
}

/// An address as `o=` and `c=` write it.
pub(super) fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(a) => format!("IN IP4 {a}"),
        IpAddr::V6(a) => format!("IN IP6 {a}"),
    }
}
