//! Media streams: sound to an application's WebSocket and back (reference: media-streams).
//!
//! ```text
//!   media thread ──tap──► session ──outbox──► writer ──► the application
//!                ◄─feed──    ▲ ──────────────────────────────┘ media, mark, clear
//!                            └── keys, close: from the node
//! ```
//! Each stream is a task of its own, and another that writes: an application that does not read holds up nobody, and
//! what waits for it is bounded. The box is the client, and connects again by itself only where the other dialect's
//! `enableReconnect` wants it.

mod again;
mod codec;
mod connect;
mod message;
mod outbox;
mod playout;
mod session;
#[cfg(test)]
mod tests;
mod texml;
mod tls;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::StreamSid;
use call::{Input, StreamAsk, StreamEvent, StreamOpen};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::dns::Resolver;
use crate::media::Taps;
use crate::webhook::{Destinations, Signer, Trust};

/// How streams are made.
#[derive(Clone, Debug, Default)]
pub struct StreamsConfig {
    /// What signs the handshake.
    pub signer: Signer,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// Where streams may go.
    pub destinations: Destinations,
}

/// How often a sign of life is sent (reference: media-streams §5).
const PING: Duration = Duration::from_secs(20);

/// What a stream may be told before it listens; more keys are lost.
const ASKS_MAX: usize = 64;

/// The streams of the box; a clone is the same.
#[derive(Clone, Debug)]
pub struct Streams {
    inner: Arc<Inner>,
}

struct Inner {
    config: StreamsConfig,
    tls: Result<tokio_rustls::TlsConnector, String>,
    resolver: Resolver,
    taps: Taps,
    events: mpsc::Sender<Input>,
    open: Mutex<BTreeMap<StreamSid, mpsc::Sender<char>>>,
    runtime: Handle,
    ping: Duration,
}

impl Streams {
    /// No stream yet; must be called inside a tokio runtime. What streams tell goes to `events`.
    pub fn new(
        config: StreamsConfig,
        resolver: Resolver,
        taps: Taps,
        events: mpsc::Sender<Input>,
    ) -> Streams {
        Self::with_ping(config, resolver, taps, events, PING)
    }

    fn with_ping(
        config: StreamsConfig,
        resolver: Resolver,
        taps: Taps,
        events: mpsc::Sender<Input>,
        ping: Duration,
    ) -> Streams {
        let tls = tls::connector(&config.trust);
        if let Err(error) = &tls {
            tracing::warn!(error, "certificates cannot be checked: streams over TLS will fail");
        }
        let (open, runtime) = (Mutex::default(), Handle::current());
        Streams { inner: Arc::new(Inner { config, tls, resolver, taps, events, open, runtime, ping }) }
    }

    /// Connects a stream in the background. It tells that it started or failed; later, that it stopped or failed.
    pub fn open(&self, open: StreamOpen) {
        let (keys, asks) = mpsc::channel(ASKS_MAX);
        let stream = open.stream;
        self.list().insert(stream, keys);
        let streams = self.clone();
        self.inner.runtime.spawn(async move {
            let event = session::run(&streams.inner, open, asks).await;
            streams.list().remove(&stream);
            if let Some(event) = event {
                streams.inner.tell(stream, event).await;
            }
        });
    }

    /// Tells a stream something; one that is over does not listen.
    pub fn ask(&self, stream: StreamSid, ask: StreamAsk) {
        match ask {
            StreamAsk::Key(key) => {
                if let Some(keys) = self.list().get(&stream) {
                    // One that is told more than it can pass on loses keys.
                    let _ = keys.try_send(key);
                }
            }
            // The session ends when nobody can tell it anything any more.
            StreamAsk::Close => {
                self.list().remove(&stream);
            }
        }
    }

    /// Streams that are not over.
    pub fn running(&self) -> usize {
        self.list().len()
    }

    fn list(&self) -> std::sync::MutexGuard<'_, BTreeMap<StreamSid, mpsc::Sender<char>>> {
        self.inner.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Inner {
    async fn tell(&self, stream: StreamSid, event: StreamEvent) {
        // A node that has ended wants to hear nothing.
        let _ = self.events.send(Input::Stream { stream, event }).await;
    }
}

/// What ended a stream, by its number (reference: error-codes 319xx).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    code: u32,
    message: String,
}

impl Failure {
    fn new(code: u32, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into() }
    }
}
