//! The one account: `/2010-04-01/Accounts.json` and `/2010-04-01/Accounts/AC….json` (reference: rest-voice §13).

use axum::extract::{OriginalUri, State};
use axum::routing::get;
use axum::{Json, Router};
use base::Timestamp;
use config::{Entry, EntryKey, Kind};
use serde_json::{Map, Value, json};

use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::params::Params;
use crate::resource::new_entry;

pub(crate) fn routes() -> Router<Api> {
    const ALL: &str = "/2010-04-01/Accounts";
    Router::new()
        .route(ALL, get(list).post(create))
        .route(&format!("{ALL}.json"), get(list).post(create))
        .route(&format!("{ALL}/{{account}}"), get(fetch).post(update))
}

/// GET: libraries ask for it to see whether their credentials are right.
async fn fetch(_: Authorized, State(api): State<Api>) -> Json<Value> {
    Json(show(&api))
}

/// GET: the one there is, if that is wanted.
async fn list(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Value>, ApiError> {
    let query = Params::read(uri.query().unwrap_or_default().as_bytes());
    let paging = Paging::read(&query)?;
    let status = query.one_of("Status", &["active", "suspended", "closed"], 20001)?;
    let name = friendly_name(&api);
    let is_wanted = status.is_none_or(|status| status == "active")
        && query.text("FriendlyName").is_none_or(|n| n == name);
    let rows: Vec<()> = is_wanted.then_some(()).into_iter().collect();
    let key = |(): &()| (Timestamp(0), api.account_sid.to_string());
    let rows = paging.among(rows, key)?;
    Ok(Json(paging.envelope(uri.path(), "accounts", rows, key, |()| show(&api))))
}

/// POST: a box has one office, and that one account.
async fn create(_: Authorized) -> ApiError {
    ApiError::new(20403, "Subaccounts are not supported by this appliance")
}

/// POST: gives it another name.
async fn update(_: Authorized, State(api): State<Api>, form: Params) -> Result<Json<Value>, ApiError> {
    form.note_unknown(&["FriendlyName", "Status"]);
    if form.one_of("Status", &["active", "suspended", "closed"], 20001)?.is_some_and(|word| word != "active")
    {
        return Err(ApiError::new(20403, "The account of a box is neither suspended nor closed"));
    }
    if let Some(name) = form.text("FriendlyName") {
        if name.chars().count() > NAME_CHARS_MAX || name.contains(char::is_control) {
            let why = format!("FriendlyName has up to {NAME_CHARS_MAX} printable characters");
            return Err(ApiError::new(20001, why));
        }
        let (name, sid) = (name.to_owned(), api.account_sid.to_string());
        let kept = api.office.change(|draft| {
            let body = Map::from_iter([("friendly_name".to_owned(), json!(name))]);
            let key = EntryKey { kind: Kind::Account, parent: String::new(), sid };
            draft.put(new_entry(key, body, draft.now));
            Ok(())
        });
        kept.await?;
    }
    Ok(Json(show(&api)))
}

/// Characters of its name.
const NAME_CHARS_MAX: usize = 64;

/// As it was named, or as the box is.
fn friendly_name(api: &Api) -> String {
    let book = api.office.view();
    let named = book.get(Kind::Account, "", &api.account_sid.to_string());
    let named =
        named.and_then(|entry: &std::sync::Arc<Entry>| entry.text("friendly_name").map(str::to_owned));
    named.unwrap_or_else(|| book.plain().name.clone())
}

fn show(api: &Api) -> Value {
    let account = api.account_sid;
    let uri = format!("/2010-04-01/Accounts/{account}");
    let subresources: Map<String, Value> = SUBRESOURCES
        .iter()
        .map(|(key, name)| ((*key).to_owned(), json!(format!("{uri}/{name}.json"))))
        .collect();
    json!({
        "sid": account,
        "owner_account_sid": account,
        "friendly_name": friendly_name(api),
        "status": "active",
        "type": "Full",
        // Whoever may read this knows it; whoever looks over their shoulder need not.
        "auth_token": null,
        "date_created": null,
        "date_updated": null,
        "uri": format!("{uri}.json"),
        "subresource_uris": subresources,
    })
}

/// What hangs below the account, as published.
const SUBRESOURCES: &[(&str, &str)] = &[
    ("addresses", "Addresses"),
    ("applications", "Applications"),
    ("authorized_connect_apps", "AuthorizedConnectApps"),
    ("available_phone_numbers", "AvailablePhoneNumbers"),
    ("balance", "Balance"),
    ("calls", "Calls"),
    ("conferences", "Conferences"),
    ("connect_apps", "ConnectApps"),
    ("incoming_phone_numbers", "IncomingPhoneNumbers"),
    ("keys", "Keys"),
    ("messages", "Messages"),
    ("notifications", "Notifications"),
    ("outgoing_caller_ids", "OutgoingCallerIds"),
    ("queues", "Queues"),
    ("recordings", "Recordings"),
    ("short_codes", "SMS/ShortCodes"),
    ("signing_keys", "SigningKeys"),
    ("sip", "SIP"),
    ("transcriptions", "Transcriptions"),
    ("usage", "Usage"),
];

#[cfg(test)]
mod tests {
    use crate::v2010::tests::{api, ask_at, keys};

    #[tokio::test]
    async fn credentials_are_checked_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let api = api(folder.path()).await.0;
        let path = format!("/2010-04-01/Accounts/{}.json", api.account_sid);
        let (status, body) = ask_at(&api, "GET", &path, "", "secret").await;
        let published: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/data/rest/account.json")).unwrap();
        assert_eq!((status, keys(&body)), (200, keys(&published)));
        assert_eq!(keys(&body["subresource_uris"]), keys(&published["subresource_uris"]));
        assert_eq!(ask_at(&api, "GET", &path, "", "guess").await.0, 401);
    }
}
