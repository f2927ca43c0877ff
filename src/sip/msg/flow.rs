//! Where a message came from and where an answer goes.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Transport;

/// The transports the box listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TransportKind {
    /// Datagrams (RFC 3261 §18).
    Udp,
    /// A TCP stream (RFC 3261 §18).
    Tcp,
    /// TLS over TCP (RFC 3261 §26.2).
    Tls,
    /// WebSocket (RFC 7118).
    Ws,
    /// WebSocket over TLS (RFC 7118).
    Wss,
}

impl TransportKind {
    /// As configuration and `;transport=` write it: `udp`.
    pub fn as_str(self) -> &'static str {
        match self {
            TransportKind::Udp => "udp",
            TransportKind::Tcp => "tcp",
            TransportKind::Tls => "tls",
            TransportKind::Ws => "ws",
            TransportKind::Wss => "wss",
        }
    }

    /// Whether it delivers by itself, so that transactions need not repeat (RFC 3261 §17.1.1.2).
    pub fn is_reliable(self) -> bool {
        self != TransportKind::Udp
    }

    /// Whether it is encrypted.
    pub fn is_secure(self) -> bool {
        matches!(self, TransportKind::Tls | TransportKind::Wss)
    }

    /// Port used when none is named (RFC 3261 §19.1.2, RFC 7118 §5.4).
    pub fn default_port(self) -> u16 {
        match self {
            TransportKind::Udp | TransportKind::Tcp => 5060,
            TransportKind::Tls => 5061,
            TransportKind::Ws => 80,
            TransportKind::Wss => 443,
        }
    }

    /// As a Via header names it.
    pub fn via(self) -> Transport {
        match self {
            TransportKind::Udp => Transport::Udp,
            TransportKind::Tcp => Transport::Tcp,
            TransportKind::Tls => Transport::Tls,
            TransportKind::Ws => Transport::Ws,
            TransportKind::Wss => Transport::Wss,
        }
    }
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A transport name the box does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not one of udp, tcp, tls, ws, wss")]
pub struct UnknownTransport(pub String);

impl FromStr for TransportKind {
    type Err = UnknownTransport;
    fn from_str(text: &str) -> Result<Self, UnknownTransport> {
        [TransportKind::Udp, TransportKind::Tcp, TransportKind::Tls, TransportKind::Ws, TransportKind::Wss]
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownTransport(text.chars().take(32).collect()))
    }
}

/// A pair of ends on one transport (RFC 5626 §1's flow): the socket or connection a message came over, and the
/// one its answer takes.
///
/// On a stream transport the shell finds or opens the connection to `remote`; a datagram leaves from the socket
/// bound to `local`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// The transport.
    pub transport: TransportKind,
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}>{}", self.transport, self.local, self.remote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports_survive_their_names() {
        for name in ["udp", "tcp", "tls", "ws", "wss"] {
            assert_eq!(name.parse::<TransportKind>().unwrap().to_string(), name);
            assert_eq!(name.to_uppercase().parse::<TransportKind>().unwrap().as_str(), name);
        }
        assert!("sctp".parse::<TransportKind>().is_err());
        assert!(!TransportKind::Udp.is_reliable() && TransportKind::Ws.is_reliable());
    }
}
