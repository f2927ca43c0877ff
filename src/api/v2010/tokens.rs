//! `…/Tokens.json`: where browsers find their way through networks (reference: rest-voice §13). The box has no STUN or
//! TURN server, so none is named; what names them otherwise finds the published shape.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::Api;
use crate::auth::Authorized;
use crate::book::now;
use crate::error::ApiError;
use crate::params::Params;
use crate::resource::random_hex;

pub(crate) fn routes() -> Router<Api> {
    Router::new().route("/Tokens.json", post(create)).route("/Tokens", post(create))
}

/// POST: a name and a password for so many seconds.
async fn create(
    _: Authorized,
    State(api): State<Api>,
    form: Params,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    form.note_unknown(&["Ttl"]);
    let ttl = form.number("Ttl", 1..=TTL_MAX, 20001)?.unwrap_or(TTL_MAX);
    let date = now().rfc2822();
    let shown = json!({
        "account_sid": api.account_sid,
        "username": random_hex(32)?,
        "password": random_hex(16)?,
        "ttl": ttl.to_string(),
        "ice_servers": [],
        "date_created": date,
        "date_updated": date,
    });
    Ok((StatusCode::CREATED, Json(shown)))
}

/// A day, in seconds.
const TTL_MAX: u32 = 86_400;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::v2010::tests::{api, ask, keys};

    #[tokio::test]
    async fn a_token_has_the_published_shape() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        let (status, body) = ask(&api, "POST", "Tokens.json", "Ttl=60").await;
        let published: Value =
            serde_json::from_str(include_str!("../../../tests/data/rest/token.json")).unwrap();
        assert_eq!((status, keys(&body), &body["ttl"]), (201, keys(&published), &"60".into()));
        assert_eq!(ask(&api, "POST", "Tokens.json", "Ttl=0").await.1["code"], 20001);
    }
}
