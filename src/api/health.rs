//! Whether the box lives, takes calls, and how it is doing.

use axum::extract::State;
use axum::http::StatusCode;

use crate::Api;

/// What a person sees who opens the box's address in a browser.
pub(crate) async fn front_page(State(api): State<Api>) -> String {
    format!(
        "Tandem {}\nAccount {}\nReady: {}\n\n/healthz /readyz /metrics\n",
        env!("CARGO_PKG_VERSION"),
        api.account_sid,
        if api.ready.get() { "yes" } else { "no" },
    )
}

/// The process answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// The box takes calls: started, not draining. A degraded database does not make it unready, because calls go
/// on without it; it is said all the same.
pub(crate) async fn readyz(State(api): State<Api>) -> (StatusCode, String) {
    if !api.ready.get() {
        return (StatusCode::SERVICE_UNAVAILABLE, "not taking calls\n".to_owned());
    }
    match api.store.health().degraded {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => {
            (StatusCode::OK, format!("ok, but since {} the database says: {}\n", why.since, why.error))
        }
    }
}

/// Prometheus' text form.
pub(crate) async fn metrics(State(api): State<Api>) -> String {
    api.metrics.render()
}
