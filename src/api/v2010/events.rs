//! Every HTTP exchange of a call: `…/Calls/CA…/Events.json` (reference: rest-voice §12).

use axum::extract::{OriginalUri, Path, State};
use axum::routing::get;
use axum::{Json, Router};
use base::CallSid;
use call::record::ExchangeRow;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::sid;
use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::params::Params;

pub(crate) fn routes() -> Router<Api> {
    Router::new().route("/Calls/{call}/Events.json", get(list)).route("/Calls/{call}/Events", get(list))
}

/// GET: the oldest first.
async fn list(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let call: CallSid = sid(&name, uri.path())?;
    let paging = Paging::read(&Params::read(uri.query().unwrap_or_default().as_bytes()))?;
    let rows = api.store.exchanges(call).await?;
    if rows.is_empty() && api.store.call(call).await?.is_none() {
        return Err(ApiError::not_found(uri.path()));
    }
    let key = |row: &ExchangeRow| (row.at, row.seq);
    let rows = paging.among(rows, key)?;
    Ok(Json(paging.envelope(uri.path(), "events", rows, key, show)))
}

fn show(row: &ExchangeRow) -> Value {
    let exchange = &row.exchange;
    let parameters: Map<String, Value> = form_urlencoded::parse(exchange.request_variables.as_bytes())
        .map(|(name, value)| (snake(&name), json!(value)))
        .collect();
    let mut headers = form_urlencoded::parse(exchange.response_headers.as_bytes());
    let content_type = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    json!({
        "request": {
            "method": exchange.method.as_str(),
            "url": exchange.url,
            "parameters": parameters,
        },
        "response": {
            "response_code": exchange.status,
            "request_duration": row.duration_ms,
            "content_type": content_type.map(|(_, kind)| kind.into_owned()),
            "response_body": exchange.response_body,
            "date_created": row.at.rfc2822(),
        },
    })
}

/// `CallSid` as `call_sid`, as published.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut after_small = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && after_small {
            snake.push('_');
        }
        after_small = c.is_ascii_lowercase() || c.is_ascii_digit();
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use call::record::StoreItem;
    use twiml::{Exchange, Fetched, HttpMethod};

    use super::*;
    use crate::v2010::tests::{api, ask, followed, keys};

    fn row(seq: u64) -> ExchangeRow {
        let params = [("CallSid".to_owned(), CallSid(1).to_string()), ("Digits".to_owned(), "5".to_owned())];
        let mut exchange = Exchange::asked("http://web.example/voice", HttpMethod::Post, &params);
        exchange.answered(&Fetched {
            status: 200,
            content_type: None,
            body: b"<Response/>".to_vec(),
            url: "http://web.example/voice".to_owned(),
            headers: vec![("content-type".to_owned(), "text/xml".to_owned())],
        });
        let at = Timestamp(1_282_266_822_000_000 + i64::try_from(seq).unwrap() * 1_000_000);
        ExchangeRow { call: CallSid(1), seq, at, duration_ms: 50, exchange }
    }

    #[tokio::test]
    async fn each_exchange_is_shown_as_published_and_lists_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        for seq in [1, 2, 10] {
            api.store.write(StoreItem::Exchange(row(seq)));
        }
        let path = format!("Calls/{}/Events.json", CallSid(1));
        let (status, body) = ask(&api, "GET", &path, "").await;
        assert_eq!(status, 200, "{body}");
        let published = include_str!("../../../tests/data/rest/call_event.json");
        let published: Value = serde_json::from_str(published).unwrap();
        let event = &body["events"][0];
        assert_eq!(keys(event), keys(&published));
        assert_eq!(keys(&event["request"]), keys(&published["request"]));
        assert_eq!(keys(&event["response"]), keys(&published["response"]));
        assert_eq!(event["request"]["parameters"], json!({"call_sid": CallSid(1), "digits": "5"}));
        assert_eq!(
            event["response"],
            json!({
                "response_code": 200, "request_duration": 50, "content_type": "text/xml",
                "response_body": "<Response/>", "date_created": "Fri, 20 Aug 2010 01:13:43 +0000",
            })
        );
        let all = followed(&api, &format!("{path}?PageSize=2"), "events", "response").await;
        let dates: Vec<_> = all.iter().map(|response| response["date_created"].as_str().unwrap()).collect();
        assert_eq!(dates.len(), 3);
        assert!(dates[2].contains("01:13:52"), "{dates:?}");
        let nobody = format!("Calls/{}/Events.json", CallSid(9));
        assert_eq!(ask(&api, "GET", &nobody, "").await.1["code"], 20404);
    }

    #[test]
    fn names_are_written_as_published() {
        for (name, shown) in [
            ("CallSid", "call_sid"),
            ("StatusCallbackEvent", "status_callback_event"),
            ("AnsweredBy", "answered_by"),
            ("SipHeader_X-A", "sip_header_x-a"),
        ] {
            assert_eq!(snake(name), shown);
        }
    }
}
