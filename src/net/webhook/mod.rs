//! The requests the box makes of web servers (reference: webhooks; twiml-voice §1).
//!
//! What goes in: requests with their parameters. What comes out: answers, or failures under their published
//! codes. In between a request is signed, its URL's connection overrides are obeyed, redirects are followed,
//! cookies are kept a call, and every wait and every size has its limit. A document is fetched by whoever awaits
//! it and abandoned with the future; a status callback is delivered in the background, after those of the same
//! call before it, and only a failure is heard of again.
//!
//! Nothing here reads a document or knows a call's state.

mod cache;
mod connect;
mod cookies;
mod destination;
mod documents;
mod ed25519;
mod exchange;
mod failure;
mod media;
mod settings;
mod status;
mod target;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use base::limits::DOCUMENT_BYTES_MAX;
use base::{CallSid, Rng};
use reqwest::header;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use twiml::{Dialect, Exchange, FetchFailure, Fetched, HttpMethod};

use self::cache::{Cache, Known};
use self::cookies::{Jar, Jars};
use self::exchange::{Body, Exchange as Request};
use self::failure::{CALLBACK_FAILED, failure};
use self::settings::Settings;
use self::status::{Callback, Queued, StatusQueues};
use self::target::Target;
use crate::dns::Resolver;
use call::{FetchId, FetchRequest};

pub use self::connect::Trust;
pub use self::destination::Destinations;
pub use self::media::{MediaAnswer, MediaRequest, MediaRest};
pub use self::settings::{OwnRecordings, Secret, SharedKey, Signer, WebhookConfig};

/// Bytes of a status callback's answer that are read before the connection is given up.
const DISCARD_MAX: usize = 1024 * 1024;

/// The client; a clone shares connections, cookies and queues.
#[derive(Clone, Debug)]
pub struct Webhooks {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: RwLock<Arc<Settings>>,
    resolver: Resolver,
    rng: Mutex<Rng>,
    jars: Jars,
    cache: Cache,
    status: StatusQueues,
    told: mpsc::Sender<(FetchId, Result<Fetched, FetchFailure>)>,
    runtime: Handle,
}

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the web client: {0}")]
pub struct WebhooksError(#[from] reqwest::Error);

impl Webhooks {
    /// A client; must be called inside a tokio runtime. What becomes of a status callback is told
    /// through `told`, a failure as warning 15003; when nobody takes it, it is only logged.
    pub fn new(
        config: WebhookConfig,
        rng: Rng,
        told: mpsc::Sender<(FetchId, Result<Fetched, FetchFailure>)>,
    ) -> Result<Self, WebhooksError> {
        let resolver = Resolver::system();
        let settings = Settings::new(config, resolver.clone())?;
        Ok(Self {
            inner: Arc::new(Inner {
                settings: RwLock::new(Arc::new(settings)),
                resolver,
                rng: Mutex::new(rng),
                jars: Jars::default(),
                cache: Cache::default(),
                status: StatusQueues::new(),
                told,
                runtime: Handle::current(),
            }),
        })
    }

    /// Takes another configuration; requests under way go on with what they began with. On an error the old one
    /// stays.
    pub fn configure(&self, config: WebhookConfig) -> Result<(), WebhooksError> {
        let settings = Arc::new(Settings::new(config, self.inner.resolver.clone())?);
        *self.inner.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(())
    }

    /// Makes a request, with whatever status it is answered; dropping the future aborts it.
    pub fn fetch(
        &self,
        request: FetchRequest,
    ) -> impl Future<Output = (FetchId, Result<Fetched, FetchFailure>)> + Send + 'static {
        let client = self.clone();
        let jar = client.inner.jars.of(request.call);
        async move {
            let id = request.id;
            (id, client.document(request, jar).await)
        }
    }

    /// Makes a request in the background, after those made for the same call before. Never waits, and may be
    /// called from any thread.
    pub fn post_status(&self, request: FetchRequest) {
        let (lane, jar) = (status::lane(&request), self.inner.jars.of(request.call));
        match self.inner.status.push(Callback { request, jar }) {
            Queued::Behind(None) => {}
            Queued::Behind(Some(lost)) | Queued::Refused(lost) => {
                let request = lost.request;
                let exchange = Exchange::asked(&request.url, request.method, &request.params);
                self.report(request.id, "it was never sent: too many are waiting".to_owned(), Some(exchange));
            }
            Queued::First => {
                let client = self.clone();
                self.inner.runtime.spawn(async move {
                    while let Some(callback) = client.inner.status.next(lane) {
                        client.deliver(callback).await;
                    }
                });
            }
        }
    }

    /// No more requests will be made for this call: its cookies are forgotten once those under way are done.
    pub fn call_ended(&self, call: CallSid) {
        self.inner.jars.forget(call);
    }

    /// What receivers of the other dialect's requests verify their signature with: an Ed25519 key in base64.
    pub fn public_key(&self) -> String {
        self.settings().key.public_key()
    }

    /// Status callbacks that were never sent because too many waited.
    pub fn callbacks_dropped(&self) -> u64 {
        self.inner.status.dropped()
    }

    async fn document(&self, request: FetchRequest, jar: Jar) -> Result<Fetched, FetchFailure> {
        let settings = self.settings();
        let (url, overrides) = target::parse(&request.url)?;
        if url.scheme() == "file" {
            let root = settings.documents_root.as_deref();
            let url = documents::fill(url, &request.params);
            let file = documents::read(root, &url, None, DOCUMENT_BYTES_MAX).await?;
            let is_template = request.dialect == Dialect::Texml && file.content_type == "text/xml";
            let body = file.body.unwrap_or_default();
            return Ok(Fetched {
                status: 200,
                content_type: Some(file.content_type.to_owned()),
                body: if is_template { documents::rendered(&body, &request.params)? } else { body },
                url: url.into(),
                headers: Vec::new(),
            });
        }
        // Relative references resolve against the URL as configured, not with a GET's parameters in it: an empty
        // one, which keeps the query, would otherwise grow with every request.
        let target = Target::of(url)?;
        let base = target.base();
        let mut request = Request { jar: Some(jar), ..Self::request(target, &overrides, request) };
        let cache = &self.inner.cache;
        let key = (request.method == HttpMethod::Get).then(|| request.target.base());
        match key.as_deref().map_or(Known::Nothing, |key| cache.know(key, Instant::now())) {
            Known::Nothing => {}
            Known::Fresh(kept) => return Ok(kept),
            Known::Ask(headers) => request.headers.extend(headers),
        }
        let body = Body::Document(DOCUMENT_BYTES_MAX);
        let answer = request.run(&settings, &self.token(), body).await?;
        let (status, headers) = (answer.status, answer.headers.clone());
        if let (304, Some(key)) = (status, &key)
            && let Some(kept) = cache.confirmed(key, &headers, Instant::now())
        {
            return Ok(kept);
        }
        let fetched = Fetched {
            status,
            content_type: media::text(&answer.headers, &header::CONTENT_TYPE),
            headers: pairs(&answer.headers),
            body: answer.body,
            url: answer.redirected_to.map_or(base, |target| target.base()),
        };
        if let Some(key) = &key {
            cache.keep(key, &fetched, &headers, Instant::now());
        }
        Ok(fetched)
    }

    async fn deliver(&self, Callback { request, jar }: Callback) {
        let id = request.id;
        let mut exchange = Exchange::asked(&request.url, request.method, &request.params);
        let told = match self.status_callback(request, jar).await {
            Ok(answer) if (200..300).contains(&answer.status) => {
                // Of a record that has no room there is no more to say.
                let _ = self.inner.told.try_send((id, Ok(answer)));
                return;
            }
            Ok(answer) => {
                exchange.answered(&answer);
                format!("it was answered with status {}", answer.status)
            }
            Err(failure) => format!("{} {}", failure.code, failure.message),
        };
        self.report(id, told, Some(exchange));
    }

    async fn status_callback(&self, request: FetchRequest, jar: Jar) -> Result<Fetched, FetchFailure> {
        let (url, overrides) = target::parse(&request.url)?;
        let target = Target::of(url)?;
        let base = target.base();
        let _turn = self.inner.status.turn(target.url.host_str().unwrap_or_default()).await;
        let request = Request { jar: Some(jar), ..Self::request(target, &overrides, request) };
        let answer = request.run(&self.settings(), &self.token(), Body::Discard(DISCARD_MAX)).await?;
        Ok(Fetched {
            status: answer.status,
            content_type: None,
            headers: pairs(&answer.headers),
            body: answer.body,
            url: answer.redirected_to.map_or(base, |target| target.base()),
        })
    }

    fn request(target: Target, overrides: &twiml::Overrides, request: FetchRequest) -> Request {
        let mut params = request.params;
        // By name, so that two captures compare; equal names stay in their order.
        params.sort_by(|(a, _), (b, _)| a.cmp(b));
        let target = target.with_params(request.method, &params);
        if request.method == HttpMethod::Get {
            params.clear();
        }
        let (method, dialect) = (request.method, request.dialect);
        Request { method, dialect, params, ..Request::new(target, overrides) }
    }

    fn report(&self, id: FetchId, told: String, exchange: Option<Exchange>) {
        tracing::debug!(?id, told, "a status callback failed");
        let failure = FetchFailure { exchange: exchange.map(Box::new), ..failure(CALLBACK_FAILED, told) };
        let _ = self.inner.told.try_send((id, Err(failure)));
    }

    fn settings(&self) -> Arc<Settings> {
        self.inner.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A new token of one logical request, in the form of a UUID.
    fn token(&self) -> String {
        let digits = self.inner.rng.lock().unwrap_or_else(PoisonError::into_inner).hex(32);
        let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        parts.join("-")
    }
}

/// Headers as a notification shows them.
fn pairs(headers: &header::HeaderMap) -> Vec<(String, String)> {
    const HEADERS_MAX: usize = 64;
    let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().take(HEADERS_MAX).map(|(name, value)| (name.to_string(), text(value))).collect()
}

#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;
