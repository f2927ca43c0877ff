//! The one account: `/2010-04-01/Accounts/AC….json` (reference: rest-voice §13).

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use crate::Api;
use crate::auth::Authorized;

/// GET: libraries ask for it to see whether their credentials are right.
pub(crate) async fn fetch(_: Authorized, State(api): State<Api>) -> Json<Value> {
    let account = api.account_sid;
    let uri = format!("/2010-04-01/Accounts/{account}");
    let subresources: Map<String, Value> = SUBRESOURCES
        .iter()
        .map(|(key, name)| ((*key).to_owned(), json!(format!("{uri}/{name}.json"))))
        .collect();
    Json(json!({
        "sid": account,
        "owner_account_sid": account,
        "friendly_name": "Tandem",
        "status": "active",
        "type": "Full",
        // Whoever may read this knows it; whoever looks over their shoulder need not.
        "auth_token": null,
        "date_created": null,
        "date_updated": null,
        "uri": format!("{uri}.json"),
        "subresource_uris": subresources,
    }))
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
