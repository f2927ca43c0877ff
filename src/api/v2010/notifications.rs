//! What went wrong in calls: `…/Notifications.json`, `…/Notifications/NO….json` and those of one call (reference:
//! rest-voice §13).

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use base::{AccountSid, CallSid, NotificationSid};
use call::record::NotificationRow;
use serde_json::{Value, json};
use store::NotificationFilter;
use twiml::Level;
use url::form_urlencoded;

use super::sid;
use crate::Api;
use crate::auth::Authorized;
use crate::dates::span;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::params::Params;

/// GET: of all calls.
pub(super) async fn list(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Value>, ApiError> {
    page(&api, &uri, None).await
}

/// GET: of one call.
pub(super) async fn list_of_call(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let call: CallSid = sid(&name, uri.path())?;
    page(&api, &uri, Some(call)).await
}

/// GET: one, with the request and the answer it is about.
pub(super) async fn fetch(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    one(&api, &uri, None, &name).await
}

/// GET: the same below its call.
pub(super) async fn fetch_of_call(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, call, name)): Path<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    one(&api, &uri, Some(sid(&call, uri.path())?), &name).await
}

async fn one(
    api: &Api,
    uri: &axum::http::Uri,
    call: Option<CallSid>,
    name: &str,
) -> Result<Json<Value>, ApiError> {
    let notification: NotificationSid = sid(name, uri.path())?;
    let row = api.store.notification(notification).await?;
    let row = row.filter(|row| call.is_none() || row.call == call);
    let row = row.ok_or_else(|| ApiError::not_found(uri.path()))?;
    let mut shown = show(&row, api.account_sid);
    shown["request_variables"] = json!(row.request_variables.unwrap_or_default());
    shown["response_headers"] = json!(row.response_headers.unwrap_or_default());
    shown["response_body"] = json!(row.response_body.unwrap_or_default());
    Ok(Json(shown))
}

async fn page(api: &Api, uri: &axum::http::Uri, call: Option<CallSid>) -> Result<Json<Value>, ApiError> {
    let query = Params::read(uri.query().unwrap_or_default().as_bytes());
    let paging = Paging::read(&query)?;
    let level = match query.number("Log", 0..=1, 20001)? {
        None => None,
        Some(0) => Some(Level::Error),
        Some(_) => Some(Level::Warning),
    };
    let dates = span(&query, "MessageDate")?;
    let filter = NotificationFilter { call, level, from: dates.from, to: dates.to };
    let rows = api.store.notifications(&filter, &paging.page()?).await?;
    let shown = |row: &NotificationRow| show(row, api.account_sid);
    Ok(Json(paging.envelope(uri.path(), "notifications", rows, |row| (row.at, row.sid), shown)))
}

/// The resource as lists have it.
fn show(row: &NotificationRow, account: AccountSid) -> Value {
    let (log, word) = match row.level {
        Level::Error => ("0", "ERROR"),
        Level::Warning => ("1", "WARN"),
    };
    let mut text = form_urlencoded::Serializer::new(String::new());
    text.append_pair("LogLevel", word).append_pair("Msg", &row.message);
    text.append_pair("ErrorCode", &row.code.to_string());
    text.append_pair("url", row.url.as_deref().unwrap_or_default());
    text.append_pair(
        "httpResponse",
        &row.response_status.map(|status| status.to_string()).unwrap_or_default(),
    );
    for (name, value) in [("line", row.line), ("column", row.column)] {
        if let Some(value) = value {
            text.append_pair(name, &value.to_string());
        }
    }
    let at = row.at.rfc2822();
    json!({
        "sid": row.sid,
        "account_sid": account,
        "call_sid": row.call,
        "api_version": "2010-04-01",
        "date_created": at,
        "date_updated": at,
        "message_date": at,
        "error_code": row.code.to_string(),
        "log": log,
        "message_text": text.finish(),
        "more_info": format!("https://www.twilio.com/docs/errors/{}", row.code),
        "request_method": row.method.map(twiml::HttpMethod::as_str),
        "request_url": row.url.as_deref().unwrap_or_default(),
        "uri": format!("/2010-04-01/Accounts/{account}/Notifications/{}.json", row.sid),
    })
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use call::record::StoreItem;

    use super::*;
    use crate::v2010::tests::{api, ask, followed, keys};

    fn row(n: u128, call: u128, level: Level) -> NotificationRow {
        NotificationRow {
            sid: NotificationSid(n),
            call: Some(CallSid(call)),
            at: Timestamp(1_282_266_822_000_000 + n as i64 * 1_000_000),
            code: 12_200,
            level,
            message: "x & y".to_owned(),
            url: Some("http://web.example/voice".to_owned()),
            method: Some(twiml::HttpMethod::Post),
            line: Some(3),
            column: Some(9),
            request_variables: Some("CallSid=CA1".to_owned()),
            response_status: Some(200),
            response_headers: None,
            response_body: Some("<Response><X/></Response>".to_owned()),
        }
    }

    async fn filled(folder: &std::path::Path) -> Api {
        let api = api(folder).await.0;
        for (n, call, level) in [(1, 1, Level::Warning), (2, 1, Level::Error), (3, 2, Level::Warning)] {
            api.store.write(StoreItem::Notification(row(n, call, level)));
        }
        api
    }

    #[tokio::test]
    async fn one_is_shown_with_the_exchange_it_is_about() {
        let folder = tempfile::tempdir().unwrap();
        let api = filled(folder.path()).await;
        let (status, body) =
            ask(&api, "GET", &format!("Notifications/{}.json", NotificationSid(1)), "").await;
        let published = include_str!("../../../tests/data/rest/notification.json");
        assert_eq!((status, keys(&body)), (200, keys(&serde_json::from_str(published).unwrap())));
        for (key, value) in [
            ("log", "1"),
            ("error_code", "12200"),
            ("request_method", "POST"),
            ("request_url", "http://web.example/voice"),
            ("request_variables", "CallSid=CA1"),
            ("response_headers", ""),
            ("response_body", "<Response><X/></Response>"),
            (
                "message_text",
                "LogLevel=WARN&Msg=x+%26+y&ErrorCode=12200&url=http%3A%2F%2Fweb.example%2Fvoice&httpResponse=200\
                 &line=3&column=9",
            ),
        ] {
            assert_eq!(body[key], value, "{key}");
        }
        assert_eq!(ask(&api, "GET", &format!("Notifications/{}.json", NotificationSid(9)), "").await.0, 404);
    }

    #[tokio::test]
    async fn lists_are_filtered_and_followed() {
        let folder = tempfile::tempdir().unwrap();
        let api = filled(folder.path()).await;
        for (path, sids) in [
            ("Notifications.json".to_owned(), &[3, 2, 1][..]),
            ("Notifications.json?Log=0".to_owned(), &[2]),
            ("Notifications.json?Log=1".to_owned(), &[3, 1]),
            (format!("Calls/{}/Notifications.json", CallSid(1)), &[2, 1]),
            ("Notifications.json?MessageDate=2010-08-20".to_owned(), &[3, 2, 1]),
            ("Notifications.json?MessageDate%3E=2010-08-21".to_owned(), &[]),
        ] {
            let (status, body) = ask(&api, "GET", &path, "").await;
            let listed: Vec<&Value> =
                body["notifications"].as_array().unwrap().iter().map(|row| &row["sid"]).collect();
            let wanted: Vec<Value> = sids.iter().map(|n| json!(NotificationSid(*n))).collect();
            assert_eq!((status, listed), (200, wanted.iter().collect()), "{path}");
            assert!(body["notifications"][0].get("response_body").is_none(), "lists are short");
        }
        let followed = followed(&api, "Notifications.json?PageSize=1", "notifications", "sid").await;
        assert_eq!(followed, [3, 2, 1].map(|n| json!(NotificationSid(n))));
        assert_eq!(ask(&api, "GET", "Notifications.json?Log=2", "").await.1["code"], 20001);
    }
}
