//! `/v1/Settings` (reference: rest-voice §15): kept and shown; the box has no other account to inherit from.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use config::{EntryKey, Kind};
use serde_json::{Map, Value, json};

use crate::Api;
use crate::auth::Authorized;
use crate::door::Origin;
use crate::error::ApiError;
use crate::params::Params;
use crate::resource::new_entry;

pub(crate) fn routes() -> Router<Api> {
    Router::new().route("/Settings", get(fetch).post(update))
}

async fn fetch(_: Authorized, State(api): State<Api>, origin: Origin) -> Json<Value> {
    show(&api, &origin)
}

async fn update(
    _: Authorized,
    State(api): State<Api>,
    origin: Origin,
    form: Params,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    form.note_unknown(&["DialingPermissionsInheritance"]);
    let inherits = form.flag("DialingPermissionsInheritance")?;
    let sid = api.account_sid.to_string();
    let kept = api.office.change(|draft| {
        let body = Map::from_iter([(KEY.to_owned(), json!(inherits))]);
        let key = EntryKey { kind: Kind::VoiceSettings, parent: String::new(), sid };
        draft.put(new_entry(key, body, draft.now));
        Ok(())
    });
    kept.await?;
    Ok((StatusCode::ACCEPTED, show(&api, &origin)))
}

fn show(api: &Api, origin: &Origin) -> Json<Value> {
    let book = api.office.view();
    let inherits =
        book.get(Kind::VoiceSettings, "", &api.account_sid.to_string()).is_some_and(|entry| entry.flag(KEY));
    Json(json!({ KEY: inherits, "url": format!("{}/v1/Settings", origin.0) }))
}

const KEY: &str = "dialing_permissions_inheritance";
