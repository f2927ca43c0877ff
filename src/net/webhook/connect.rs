//! Connections to web servers, each wait with its own limit.
//!
//! A connection override limits connecting and waiting separately (reference: webhooks §6), which the HTTP
//! client does not: it is told how far a request has come by a layer around its connector and by its resolver,
//! both of which run inside the request's own task.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use tokio::time::{Instant, Sleep};
use tower_layer::Layer;
use tower_service::Service;

use super::destination::{Destinations, denied};
use super::failure::{NOT_RESOLVED, NoSuchHost, failure};
use crate::dns::Resolver;

/// Whose certificates are believed.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// Those of the system's authorities.
    #[default]
    System,
    /// Those of the system's authorities and of these, in PEM.
    SystemAnd(Vec<u8>),
    /// Those of these alone, in PEM.
    Only(Vec<u8>),
    /// Any. For servers inside the office that have none to show.
    Anyone,
}

/// The HTTP clients: one that sends the server's name in the TLS handshake and one that does not.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    with_name: Client,
    without_name: Client,
}

impl Clients {
    /// Sets the clients up; opens nothing.
    pub(super) fn new(
        user_agent: &str,
        trust: &Trust,
        destinations: Arc<Destinations>,
        resolver: Resolver,
    ) -> Result<Self, reqwest::Error> {
        // The one provider of the process; an error says that it is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let names = Arc::new(Names { destinations, resolver });
        let client =
            |trust: &Trust, sni| builder(user_agent, trust)?.dns_resolver(names.clone()).tls_sni(sni).build();
        let clients = |trust: &Trust| -> Result<Self, reqwest::Error> {
            Ok(Self { with_name: client(trust, true)?, without_name: client(trust, false)? })
        };
        // A system without authorities is no reason not to start: a web server in the office needs none.
        let own = match trust {
            Trust::System => Trust::Only(Vec::new()),
            Trust::SystemAnd(pem) => Trust::Only(pem.clone()),
            Trust::Only(_) | Trust::Anyone => return clients(trust),
        };
        clients(trust).or_else(|error| {
            let clients = clients(&own)?;
            tracing::warn!(?error, "the system's certificate authorities cannot be read: https will fail");
            Ok(clients)
        })
    }

    /// The client that sends the server's name or not.
    pub(super) fn client(&self, sni: bool) -> &Client {
        if sni { &self.with_name } else { &self.without_name }
    }
}

fn builder(user_agent: &str, trust: &Trust) -> Result<reqwest::ClientBuilder, reqwest::Error> {
    /// Many servers close idle connections after five seconds; a request must not meet that close.
    const IDLE: Duration = Duration::from_secs(4);
    const IDLE_PER_HOST_MAX: usize = 8;
    let builder = Client::builder()
        .user_agent(user_agent)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .connector_layer(Watched);
    Ok(match trust {
        Trust::System => builder,
        Trust::SystemAnd(pem) => builder.tls_certs_merge(Certificate::from_pem_bundle(pem)?),
        Trust::Only(pem) => builder.tls_certs_only(Certificate::from_pem_bundle(pem)?),
        Trust::Anyone => builder.tls_danger_accept_invalid_certs(true),
    })
}

/// What a request is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Looking the host's name up, as part of connecting.
    Resolving,
    /// Connecting, or in the TLS handshake.
    Connecting,
    /// Connected: sending, and waiting for the first byte of the answer.
    Waiting,
}

/// How far one attempt has come; shared with the connector.
#[derive(Debug)]
pub(super) struct Progress {
    /// The port it connects to.
    port: u16,
    now: Mutex<(Phase, Instant)>,
    connected: Mutex<bool>,
}

tokio::task_local! {
    static PROGRESS: Arc<Progress>;
}

/// How long an attempt may be in each phase.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// To resolve, connect and shake hands.
    pub(super) connect: Duration,
    /// From then to the first byte of the answer.
    pub(super) read: Duration,
    /// When it is over in any case.
    pub(super) deadline: Instant,
}

/// An attempt took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong {
    /// What it was doing.
    pub(super) phase: Phase,
    /// Whether its time as a whole was up.
    pub(super) at_deadline: bool,
}

/// What an attempt came to.
pub(super) struct Attempt<T> {
    pub(super) result: Result<T, TooLong>,
    /// Whether a connection was made for it; otherwise it used one from an earlier request.
    pub(super) connected: bool,
}

/// Drives `request`, which connects to `port` if it connects, as long as its phases may take.
pub(super) async fn attempt<T>(
    request: impl Future<Output = T>,
    port: u16,
    patience: Patience,
) -> Attempt<T> {
    let progress = Arc::new(Progress {
        port,
        now: Mutex::new((Phase::Waiting, Instant::now())),
        connected: Mutex::new(false),
    });
    let mut request = std::pin::pin!(PROGRESS.scope(progress.clone(), request));
    let mut sleep: Pin<Box<Sleep>> = Box::pin(tokio::time::sleep_until(patience.deadline));
    let result = std::future::poll_fn(|cx| {
        if let Poll::Ready(result) = request.as_mut().poll(cx) {
            return Poll::Ready(Ok(result));
        }
        // A phase changes only while the request is polled, so the alarm is right until the next poll.
        let (phase, since) = progress.now();
        let allowed = match phase {
            Phase::Resolving | Phase::Connecting => patience.connect,
            Phase::Waiting => patience.read,
        };
        let alarm = (since + allowed).min(patience.deadline);
        if sleep.deadline() != alarm {
            sleep.as_mut().reset(alarm);
        }
        sleep.as_mut().poll(cx).map(|()| Err(TooLong { phase, at_deadline: alarm == patience.deadline }))
    })
    .await;
    Attempt { result, connected: *progress.connected.lock().unwrap_or_else(PoisonError::into_inner) }
}

impl Progress {
    fn now(&self) -> (Phase, Instant) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        // Resolving belongs to connecting: one clock for both.
        let since = if now.0 == Phase::Waiting || phase == Phase::Waiting { Instant::now() } else { now.1 };
        *now = (phase, since);
    }
}

/// Tells the request it runs in, if any: a connection may outlive the request that began it.
fn tell(phase: Phase) {
    let _ = PROGRESS.try_with(|progress| progress.enter(phase));
}

/// The layer around the connector.
#[derive(Clone, Copy, Debug)]
struct Watched;

/// The connector inside it.
#[derive(Clone, Debug)]
struct WatchedConnector<S>(S);

impl<S> Layer<S> for Watched {
    type Service = WatchedConnector<S>;

    fn layer(&self, connector: S) -> Self::Service {
        WatchedConnector(connector)
    }
}

impl<S, R> Service<R> for WatchedConnector<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        tell(Phase::Connecting);
        let connecting = self.0.call(request);
        Box::pin(async move {
            let connection = connecting.await;
            if connection.is_ok() {
                let _ = PROGRESS.try_with(|progress| {
                    *progress.connected.lock().unwrap_or_else(PoisonError::into_inner) = true;
                });
                tell(Phase::Waiting);
            }
            connection
        })
    }
}

/// Looks names up and leaves out what must not be connected to.
struct Names {
    destinations: Arc<Destinations>,
    resolver: Resolver,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let (destinations, resolver) = (self.destinations.clone(), self.resolver.clone());
        Box::pin(async move {
            tell(Phase::Resolving);
            let port = PROGRESS.try_with(|progress| progress.port).unwrap_or_default();
            let host = name.as_str();
            let found = resolver.addresses(host).await.map_err(|error: io::Error| {
                NoSuchHost(failure(NOT_RESOLVED, format!("{host} does not resolve: {error}")))
            })?;
            let permitted: Vec<SocketAddr> = found
                .into_iter()
                .filter(|ip| destinations.permits(*ip, port))
                .map(|ip| SocketAddr::new(ip, 0))
                .collect();
            if permitted.is_empty() {
                return Err(NoSuchHost(denied(host)).into());
            }
            tell(Phase::Connecting);
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}
