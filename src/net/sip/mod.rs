//! SIP's sockets.
//!
//! What goes in: messages with the flow they are to take. What comes out, through one bounded channel: datagrams
//! and framed messages with the flow they came by, connections lost, sends that cannot succeed. Nothing here
//! reads a message; nothing one peer does holds up another:
//!
//! - a datagram that finds the channel full is dropped and counted, a stream waits, and streams leave half of
//!   the channel to datagrams;
//! - every connection has its own task and queue; a peer that does not read loses its connection when the
//!   queue is full or a write takes too long;
//! - connections, their number from one source, the time a message may take to become whole and the time
//!   without any are limited ([`SipLimits`]).
//!
//! A listener bound to every address sees each message's real local address (`IP_PKTINFO`), and answers leave
//! from it. Transports that are streams share [`stream`]; TLS and WebSocket put their handshake before it.

mod connections;
mod counters;
mod datagram;
mod limits;
mod listen;
mod shared;
mod stream;
mod tcp;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sip::{Flow, Input as SipInput, TransportKind};
use tokio::sync::mpsc;

use self::connections::{Connections, Sent};
use self::shared::{Shared, Stop};
use self::udp::UdpListener;
use crate::local;

pub use self::limits::SipLimits;
pub use self::listen::{Listen, ParseListenError};

/// How long [`SipTransports::stop`] waits for what is queued.
const DRAIN: Duration = Duration::from_secs(1);

/// A listener could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {listen}: {error}")]
pub struct BindError {
    /// Where.
    pub listen: Listen,
    /// What the system said.
    pub error: io::Error,
}

/// The sockets SIP travels on; dropping it closes them.
#[derive(Debug)]
pub struct SipTransports {
    udp: Vec<UdpListener>,
    streams: Vec<(TransportKind, SocketAddr)>,
    connections: Arc<Connections>,
    shared: Arc<Shared>,
}

impl SipTransports {
    /// Opens every listener with the default limits; what arrives goes into `inbound`. Must be called inside a
    /// tokio runtime.
    pub fn bind(listen: &[Listen], inbound: mpsc::Sender<SipInput>) -> Result<Self, BindError> {
        Self::bind_with(listen, SipLimits::default(), inbound)
    }

    /// [`bind`](Self::bind) with other limits.
    pub fn bind_with(
        listen: &[Listen],
        limits: SipLimits,
        inbound: mpsc::Sender<SipInput>,
    ) -> Result<Self, BindError> {
        let mut transports = Self {
            udp: Vec::new(),
            streams: Vec::new(),
            connections: Arc::default(),
            shared: Arc::new(Shared::new(inbound, limits)),
        };
        for &listen in listen {
            transports.open(listen).map_err(|error| BindError { listen, error })?;
        }
        Ok(transports)
    }

    fn open(&mut self, listen: Listen) -> io::Result<()> {
        match listen.transport {
            TransportKind::Udp => self.udp.push(UdpListener::bind(listen.address, self.shared.clone())?),
            TransportKind::Tcp => {
                let bound = tcp::listen(listen.address, self.connections.clone(), self.shared.clone())?;
                self.streams.push((TransportKind::Tcp, bound));
            }
            TransportKind::Tls | TransportKind::Ws | TransportKind::Wss => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    format!("the box does not speak SIP over {}", listen.transport),
                ));
            }
        }
        Ok(())
    }

    /// Sends one message and never waits: a datagram from the socket bound to the flow's local address; over a
    /// stream on the connection to the flow's remote end, which is opened if there is none. What cannot be sent
    /// comes back as [`SipInput::SendFailed`] with this flow.
    pub fn send(&self, flow: Flow, bytes: Vec<u8>) {
        match flow.transport {
            TransportKind::Udp => match self.udp.iter().find(|listener| listener.serves(flow.local)) {
                Some(listener) => listener.send(flow, &bytes),
                None => self.shared.failed(flow),
            },
            TransportKind::Tcp => match self.connections.send(flow, bytes, &self.shared.limits) {
                Sent::Queued => self.shared.counters.sent.up(),
                Sent::Open(place, queue) => {
                    self.shared.counters.sent.up();
                    self.shared.clone().spawn(tcp::open(place, queue, self.shared.clone()));
                }
                // The connection's own task says that it is gone, for all that waited.
                Sent::Overfull => {}
                Sent::NoRoom => {
                    self.shared.counters.connections_refused.up();
                    self.shared.failed(flow);
                }
            },
            TransportKind::Tls | TransportKind::Ws | TransportKind::Wss => self.shared.failed(flow),
        }
    }

    /// The addresses listened on, with the ports the system chose. A listener on every address is listed once
    /// for each address the machine has now, those of the outside first; [`local::address_towards`] says which
    /// of them a peer sees.
    pub fn local_addrs(&self) -> Vec<(TransportKind, SocketAddr)> {
        let udp = self.udp.iter().map(|listener| (TransportKind::Udp, listener.bound()));
        let mut addresses = Vec::new();
        for (transport, bound) in udp.chain(self.streams.iter().copied()) {
            if !bound.ip().is_unspecified() {
                addresses.push((transport, bound));
                continue;
            }
            let family =
                local::interface_addresses().into_iter().filter(|ip| ip.is_ipv4() == bound.is_ipv4());
            addresses.extend(family.map(|ip| (transport, SocketAddr::new(ip, bound.port()))));
        }
        addresses
    }

    /// What happened so far, by the names metrics give it.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        self.shared.counters.read()
    }

    /// Closes everything once what is queued is written, at the latest after a second.
    pub async fn stop(&self) {
        self.shared.stop(Stop::Draining);
        let _ = tokio::time::timeout(DRAIN, self.connections.empty()).await;
        self.shared.stop(Stop::Now);
    }
}

impl Drop for SipTransports {
    fn drop(&mut self) {
        self.shared.stop(Stop::Now);
    }
}

#[cfg(test)]
mod tests;
