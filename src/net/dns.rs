//! Names to addresses (RFC 3263).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sip::TransportKind;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Names looked up at a time; further ones wait.
const LOOKUPS_MAX: usize = 64;

/// One name's time.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Looks hosts up, a bounded number at a time, each for a bounded time; a clone shares the bound.
#[derive(Clone, Debug)]
pub struct Resolver {
    turns: Arc<Semaphore>,
}

impl Resolver {
    /// A resolver that asks whom the machine asks.
    pub fn system() -> Self {
        Self { turns: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }

    /// The addresses of a host.
    pub async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(ip) = host.trim_start_matches('[').trim_end_matches(']').parse() {
            return Ok(vec![ip]);
        }
        let lookup = async {
            let _turn = self.turns.acquire().await.expect("this semaphore is never closed");
            let found: Vec<IpAddr> = tokio::net::lookup_host((host, 0)).await?.map(|a| a.ip()).collect();
            if found.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(found) }
        };
        timeout(TIMEOUT, lookup).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// The addresses of `host` in the order they are to be tried; none when there are none in time.
    pub async fn resolve(
        &self,
        host: &str,
        port: Option<u16>,
        transport: TransportKind,
    ) -> Vec<(TransportKind, SocketAddr)> {
        let port = port.unwrap_or(transport.default_port());
        match self.addresses(host).await {
            Ok(found) => found.into_iter().map(|ip| (transport, SocketAddr::new(ip, port))).collect(),
            Err(error) => {
                tracing::debug!(host, %error, "a name did not resolve");
                Vec::new()
            }
        }
    }
}
