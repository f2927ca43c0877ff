//! What the box answers over HTTP: health, metrics, and the REST API of 2010.
//!
//! What is to change of a call is a command to the node ([`Orders`]), whose answer is awaited; what is to change of the
//! office, a change of its book ([`OfficeBook`]). Every resource asks for `AccountSid:AuthToken`, or a key's sid and
//! secret, by HTTP Basic, compared in constant time. TeXML's API is the same in other words (`texml_v2`).

mod auth;
mod book;
mod dates;
mod desktop;
mod door;
mod error;
mod fields;
mod health;
mod keys;
mod limits;
mod networks;
mod orders;
mod paging;
mod params;
mod resource;
mod taskrouter_v1;
mod texml_v2;
mod typed;
mod v2010;
mod voice_v1;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{OriginalUri, Request};
use axum::http::Method;
use axum::middleware::from_fn;
use axum::routing::{any, get};
use base::AccountSid;
use error::ApiError;
use typed::{Entrance, Peer};

pub use book::{NewOffice, OfficeBook, stored_entries};
pub use desktop::{Desktops, await_desktops};
pub use door::Door;
pub use keys::{AccessToken, TokenFault, verify_token};
pub use limits::Limits;
pub use orders::{Order, Orders};
pub use v2010::{Balance, FiredTrigger, Validations, look_at_triggers};

/// What the handlers need.
#[derive(Clone)]
pub struct Api {
    /// The one account.
    pub account_sid: AccountSid,
    /// Its secret.
    pub auth_token: Arc<str>,
    /// Where the rows are.
    pub store: store::Store,
    /// Where commands to the node are handed in.
    pub orders: Orders,
    /// What the office is, and who changes it.
    pub office: OfficeBook,
    /// What secrets of API keys follow from.
    pub key_seed: Arc<str>,
    /// Numbers that are being called, to see whose they are.
    pub validations: Validations,
    /// Where recordings lie.
    pub recordings: PathBuf,
    /// For `/metrics`.
    pub metrics: telemetry::Metrics,
    /// Whether the box takes calls.
    pub ready: Ready,
    /// Who is let in, and how much of it.
    pub door: Door,
    /// Desktops of workers that listen.
    pub desktops: Desktops,
    /// What is left of the office's credit at its carrier.
    pub balance: Balance,
}

/// Whether the box takes calls; shared between whoever knows and `/readyz`.
#[derive(Clone, Debug, Default)]
pub struct Ready(Arc<AtomicBool>);

impl Ready {
    /// From now on it does, or does not.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }

    /// Whether it does.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Every route of the box.
pub fn router(api: Api) -> Router {
    let published = published();
    let facade = texml_v2::Facade { api: api.clone(), published: published.clone().with_state(api.clone()) };
    let (all, one) = (facade.clone(), facade.clone());
    published
        .route("/v2/texml/{*path}", any(move |request: Request| facade.ask(request)))
        .route("/v2/texml_applications", any(move |request: Request| all.ask_applications(request)))
        .route("/v2/texml_applications/{sid}", any(move |request: Request| one.ask_applications(request)))
        // What stands below the door answers as it likes.
        .route("/", get(health::front_page))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .merge(v2010::call_routes())
        .route("/metrics", get(health::metrics))
        .with_state(api)
}

/// The published resources, behind their door.
fn published() -> Router<Api> {
    Router::new()
        .merge(v2010::account::routes())
        .nest("/2010-04-01/Accounts/{account}", v2010::router())
        .nest("/v1", voice_v1::router())
        .nest("/v1/Workspaces", taskrouter_v1::router())
        .merge(desktop::routes())
        .fallback(nothing_here)
        .layer(from_fn(door::pass))
}

/// Other products' paths end here: nothing leaves the house.
async fn nothing_here(method: Method, OriginalUri(uri): OriginalUri) -> ApiError {
    v2010::nothing_at(&method, &uri)
}

/// Serves until the task is dropped.
pub async fn serve(listener: tokio::net::TcpListener, router: Router) -> std::io::Result<()> {
    axum::serve(Entrance(listener), router.into_make_service_with_connect_info::<Peer>()).await
}
