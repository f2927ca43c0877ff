//! Connection overrides in a URL's fragment (reference: webhooks §6).

use serde::{Deserialize, Serialize};

/// How one request is connected, timed and retried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrides {
    /// `ct`: to connect, ms.
    pub connect_timeout_ms: u32,
    /// `rt`: to the first byte of the answer, ms.
    pub read_timeout_ms: u32,
    /// `tt`: for all attempts together, ms.
    pub total_timeout_ms: u32,
    /// `rc`: attempts after the first.
    pub retries: u32,
    /// `rp`: what is tried again.
    pub retry: RetryPolicy,
    /// `sni`: the server's name is sent in the TLS handshake.
    pub sni: bool,
    /// An `rp` that is none (error 11243); the default is in force instead.
    pub bad_retry_policy: Option<String>,
}

/// What is worth another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// An answer 400–499.
    pub status_4xx: bool,
    /// An answer 500–599.
    pub status_5xx: bool,
    /// No connection: TCP or TLS.
    pub connect: bool,
    /// No answer in time.
    pub read: bool,
}

impl Default for Overrides {
    fn default() -> Self {
        Self {
            connect_timeout_ms: 5_000,
            read_timeout_ms: 15_000,
            total_timeout_ms: 15_000,
            retries: 1,
            retry: RetryPolicy { status_4xx: false, status_5xx: false, connect: true, read: false },
            sni: true,
            bad_retry_policy: None,
        }
    }
}

impl Overrides {
    /// Splits a URL into what is requested and signed, and how.
    pub fn parse(url: &str) -> (String, Overrides) {
        (url.to_owned(), Overrides::default())
    }
}
