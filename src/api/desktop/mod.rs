//! What the official agent-desktop library talks to: requests over HTTP, and a socket on which it hears what happens to
//! its worker (reference: taskrouter §13).
//!
//! ```text
//!  POST /v1/wschannels  {url, method, params, token} ──▶ [`request`] ──▶ the node; {payload}
//!  GET  /v1/wschannels?token=…  (a WebSocket)        ──▶ [`socket`]  ◀── what workspaces tell, row by row
//! ```
//! Nobody is known here by account and secret: the token says which worker of which workspace asks. A worker sees and
//! changes itself, its reservations and the tasks it has; a supervisor everything in the workspace.

mod conversation;
mod objects;
mod request;
mod socket;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base::{WorkerSid, WorkspaceSid};
use serde_json::Value;
use tokio::sync::Notify;

use crate::Api;
use crate::error::ApiError;
use crate::keys::verify_token;

/// Both, at the published place and below it.
pub(crate) fn routes() -> Router<Api> {
    let both = || get(socket::open).post(request::answer).options(|| async { StatusCode::NO_CONTENT });
    Router::new()
        .route("/v1/wschannels", both())
        .route("/v1/wschannels/{*rest}", both())
        .layer(from_fn(for_browsers))
}

/// Pages of any origin may ask: what is asked carries its token in the body, which no other page has.
async fn for_browsers(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type, apiVersion, clientVersion, If-Match"),
        (header::ACCESS_CONTROL_MAX_AGE, "3600"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agent {
    workspace: WorkspaceSid,
    worker: WorkerSid,
    /// Sees and changes others too.
    supervisor: bool,
    /// Seconds since 1970 until which the token is good.
    expires_s: u64,
}

impl Agent {
    /// Of a token with a TaskRouter grant (reference: taskrouter §13.3).
    fn of(api: &Api, token: &str) -> Result<Self, ApiError> {
        let book = api.office.view();
        let token = verify_token(&book, api.account_sid, &api.key_seed, token, now_s())
            .map_err(|fault| ApiError::new(20003, format!("the token is {fault}")))?;
        let grant = &token.grants["task_router"];
        let sid = |name: &str| grant[name].as_str().unwrap_or_default();
        let (workspace, worker) = (sid("workspace_sid").parse(), sid("worker_sid").parse());
        let (Ok(workspace), Ok(worker)) = (workspace, worker) else {
            return Err(ApiError::new(20403, "the token grants no worker of a workspace"));
        };
        let supervisor = grant["role"] == "supervisor";
        Ok(Self { workspace, worker, supervisor, expires_s: token.expires })
    }
}

/// The API is a shell: it may look at the clock.
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Sockets that are open, by worker: shared between those who open, close and count them.
#[derive(Clone, Debug)]
pub struct Desktops {
    open: Arc<Mutex<BTreeMap<WorkerSid, Vec<Arc<Notify>>>>>,
    /// How long a worker whose last socket closed may take to be back before it is put to where workers are put who do
    /// not answer.
    grace: Duration,
}

/// (reference: taskrouter §13.1)
const GRACE: Duration = Duration::from_secs(30);
/// Sockets of one worker; more close the oldest.
const SOCKETS_OF_WORKER_MAX: usize = 16;
/// Sockets at once; more are refused.
const SOCKETS_MAX: usize = 10_000;

impl Default for Desktops {
    fn default() -> Self {
        Self::with_grace(GRACE)
    }
}

impl Desktops {
    /// None are open yet.
    pub fn with_grace(grace: Duration) -> Self {
        Self { open: Arc::default(), grace }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<WorkerSid, Vec<Arc<Notify>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more socket, which closes when it is notified. `alone`: the worker's others close.
    fn enter(&self, worker: WorkerSid, alone: bool) -> Result<Arc<Notify>, ApiError> {
        let mut open = self.lock();
        if open.values().map(Vec::len).sum::<usize>() >= SOCKETS_MAX {
            return Err(ApiError::new(20429, "Too many sockets"));
        }
        let mine = open.entry(worker).or_default();
        let stay = if alone { 0 } else { SOCKETS_OF_WORKER_MAX - 1 };
        let leave = mine.len().saturating_sub(stay);
        for one in mine.drain(..leave) {
            one.notify_one();
        }
        let door = Arc::new(Notify::new());
        mine.push(door.clone());
        Ok(door)
    }

    /// A socket is closed; true when it was the worker's last.
    fn leave(&self, worker: WorkerSid, door: &Arc<Notify>) -> bool {
        let mut open = self.lock();
        let Some(mine) = open.get_mut(&worker) else { return false };
        mine.retain(|one| !Arc::ptr_eq(one, door));
        if mine.is_empty() {
            open.remove(&worker);
            return true;
        }
        false
    }

    fn is_there(&self, worker: WorkerSid) -> bool {
        self.lock().contains_key(&worker)
    }
}

/// An error as the library reads it: a status and a sentence.
fn refused(error: ApiError) -> Response {
    error.into_response()
}

/// What is asked for.
fn payload(payload: Value) -> Response {
    axum::Json(serde_json::json!({ "payload": payload })).into_response()
}
