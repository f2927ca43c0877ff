//! SIP over UDP and TCP.

use std::net::SocketAddr;

use sip::{Flow, TransportKind};
use tokio::sync::mpsc;

use crate::border::SipInput;

/// One address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// How.
    pub transport: TransportKind,
    /// Where; unspecified (`0.0.0.0`, `::`) = on every address of the machine.
    pub address: SocketAddr,
}

/// A listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The system refused.
    #[error("cannot listen on {transport}:{address}: {error}")]
    System {
        /// How.
        transport: TransportKind,
        /// Where.
        address: SocketAddr,
        /// What it said.
        error: std::io::Error,
    },
}

/// The sockets SIP travels on.
#[derive(Debug)]
pub struct SipTransports {}

impl SipTransports {
    /// Opens every listener; what arrives goes into `inbound`. Must be called inside a tokio runtime.
    pub fn bind(_listen: &[Listen], _inbound: mpsc::Sender<SipInput>) -> Result<Self, BindError> {
        Ok(Self {})
    }

    /// Sends one message; never waits.
    pub fn send(&self, _flow: Flow, _bytes: Vec<u8>) {}

    /// The addresses listened on, with the ports the system chose.
    pub fn local_addrs(&self) -> Vec<(TransportKind, SocketAddr)> {
        Vec::new()
    }

    /// Closes everything after what is queued has been written, or a second has passed.
    pub async fn stop(&self) {}
}
