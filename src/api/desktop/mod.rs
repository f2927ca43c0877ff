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
mod presence;
mod request;
mod socket;
#[cfg(test)]
mod tests;

use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base::{WorkerSid, WorkspaceSid};
use serde_json::Value;

pub use self::presence::Desktops;
pub use self::socket::await_desktops;
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

/// An error as the library reads it: a status and a sentence.
fn refused(error: ApiError) -> Response {
    error.into_response()
}

/// What is asked for.
fn payload(payload: Value) -> Response {
    axum::Json(serde_json::json!({ "payload": payload })).into_response()
}
