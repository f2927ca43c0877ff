//! SIP over UDP: one socket a listener, one task that reads it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use base::limits::SIP_MESSAGE_BYTES_MAX;
use sip::{Flow, Input as SipInput, TransportKind};
use tokio::sync::mpsc::error::TrySendError;

use super::datagram::{Arrival, DatagramSocket};
use super::shared::Shared;

/// One UDP listener.
#[derive(Debug)]
pub(super) struct UdpListener {
    socket: Arc<DatagramSocket>,
    shared: Arc<Shared>,
}

impl UdpListener {
    /// Binds and begins to read.
    pub(super) fn bind(address: SocketAddr, shared: Arc<Shared>) -> io::Result<Self> {
        let socket = Arc::new(DatagramSocket::bind(address)?);
        let reader = read(socket.clone(), shared.clone());
        shared.clone().spawn(reader);
        Ok(Self { socket, shared })
    }

    /// The address bound to.
    pub(super) fn bound(&self) -> SocketAddr {
        self.socket.bound()
    }

    /// Whether messages whose flow says `local` leave from here.
    pub(super) fn serves(&self, local: SocketAddr) -> bool {
        let bound = self.bound();
        bound == local
            || (bound.ip().is_unspecified()
                && bound.port() == local.port()
                && bound.is_ipv4() == local.is_ipv4())
    }

    /// Sends one message. A full kernel buffer loses it, as the network may: transactions repeat.
    pub(super) fn send(&self, flow: Flow, bytes: &[u8]) {
        match self.socket.send(bytes, flow.local.ip(), flow.remote) {
            Ok(()) => self.shared.counters.sent.up(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.shared.counters.send_failures.up()
            }
            Err(error) => {
                tracing::debug!(%flow, %error, "a datagram could not be sent");
                self.shared.failed(flow);
            }
        }
    }
}

async fn read(socket: Arc<DatagramSocket>, shared: Arc<Shared>) {
    // One byte more than a message may have: what fills it was too long.
    let mut buffer = vec![0; SIP_MESSAGE_BYTES_MAX + 1];
    loop {
        match socket.receive(&mut buffer).await {
            Ok(Arrival::Datagram { len, from, to, truncated }) => {
                let flow = Flow { transport: TransportKind::Udp, local: to, remote: from };
                if truncated || len > SIP_MESSAGE_BYTES_MAX {
                    shared.counters.datagrams_too_long.up();
                } else if is_keep_alive(&buffer[..len]) {
                    shared.counters.keep_alives.up();
                } else if !hand_on(&shared, flow, &buffer[..len]) {
                    return;
                }
            }
            Ok(Arrival::Unreachable { to, from }) => {
                shared.failed(Flow { transport: TransportKind::Udp, local: from, remote: to });
            }
            Err(error) => {
                tracing::debug!(local = %socket.bound(), %error, "a datagram could not be read");
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Phones behind NAT keep their binding open with a few line ends or zero bytes; nobody awaits an answer.
fn is_keep_alive(bytes: &[u8]) -> bool {
    bytes.len() <= 8 && bytes.iter().all(|b| matches!(b, b'\r' | b'\n' | 0 | b' '))
}

/// Whether anybody still takes messages. When the node is behind, the newest datagrams are lost: those before
/// them are owed first, and a lost request is repeated.
fn hand_on(shared: &Shared, flow: Flow, bytes: &[u8]) -> bool {
    match shared.inbound.try_send(SipInput::Received { flow, bytes: bytes.to_vec() }) {
        Ok(()) => shared.counters.received.up(),
        Err(TrySendError::Full(_)) => shared.counters.datagrams_dropped.up(),
        Err(TrySendError::Closed(_)) => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keep_alives_are_told_from_messages() {
        for (bytes, expected) in [
            (&b"\r\n\r\n"[..], true),
            (b"\r\n", true),
            (b"\0\0\0\0", true),
            (b"", true),
            (b"\r\nOPTIONS", false),
            (b"OPTIONS sip:a SIP/2.0\r\n\r\n", false),
        ] {
            assert_eq!(is_keep_alive(bytes), expected, "{bytes:?}");
        }
    }
}
