//! `…/Balance.json` (reference: rest-voice §13): the box charges nothing.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::Api;
use crate::auth::Authorized;

pub(crate) fn routes() -> Router<Api> {
    Router::new().route("/Balance.json", get(fetch)).route("/Balance", get(fetch))
}

async fn fetch(_: Authorized, State(api): State<Api>) -> Json<Value> {
    Json(json!({ "account_sid": api.account_sid, "balance": "0.00", "currency": "USD" }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::v2010::tests::{api, ask};

    #[tokio::test]
    async fn nothing_is_owed() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        let shown = json!({ "account_sid": api.account_sid, "balance": "0.00", "currency": "USD" });
        assert_eq!(ask(&api, "GET", "Balance.json", "").await, (200, shown));
    }
}
