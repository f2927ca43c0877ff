//! The requests the box makes of web servers.

use std::path::PathBuf;

use base::{CallSid, Rng};
use tokio::sync::mpsc;
use twiml::{FetchFailure, Fetched};

use crate::border::{FetchId, FetchRequest};

/// How requests are made.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// Signs every request.
    pub auth_token: String,
    /// Where `file:` URLs are read; absent: they are refused.
    pub documents_root: Option<PathBuf>,
    /// The `User-Agent` header.
    pub user_agent: String,
}

/// The client; a clone shares connections, cookies and queues.
#[derive(Clone, Debug)]
pub struct Webhooks {}

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the web client: {0}")]
pub struct WebhooksError(String);

impl Webhooks {
    /// A client. What becomes of failed status callbacks is told through `failures`.
    pub fn new(
        _config: WebhookConfig,
        _rng: Rng,
        _failures: mpsc::Sender<(FetchId, FetchFailure)>,
    ) -> Result<Self, WebhooksError> {
        Ok(Self {})
    }

    /// Makes a request; dropping the future aborts it.
    pub fn fetch(
        &self,
        request: FetchRequest,
    ) -> impl Future<Output = (FetchId, Result<Fetched, FetchFailure>)> + Send + 'static {
        async move { (request.id, Err(FetchFailure { code: 11200, message: String::new() })) }
    }

    /// Makes a request in the background, after those made for the same call before.
    pub fn post_status(&self, _request: FetchRequest) {}

    /// No more requests will be made for this call.
    pub fn call_ended(&self, _call: CallSid) {}
}
