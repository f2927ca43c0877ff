//! What the 2010 API answered, in the words of TeXML's (reference: texml-delta §7).

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{StatusCode, response};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::question::Place;

/// The same answer for a client of TeXML's API.
pub(super) async fn told(place: Place, response: Response, bytes_max: usize) -> Response {
    let (mut parts, body) = response.into_parts();
    let is_json = parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !is_json {
        return Response::from_parts(parts, body);
    }
    let Some(value) = read(body, bytes_max).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let told = if parts.status.is_success() {
        // There something made is answered like anything else.
        parts.status = StatusCode::OK;
        shown(place, value)
    } else {
        error(&mut parts, &value)
    };
    parts.headers.remove(CONTENT_LENGTH);
    (parts.status, parts.headers, Json(told)).into_response()
}

pub(super) async fn read(body: Body, bytes_max: usize) -> Option<Value> {
    let bytes = to_bytes(body, bytes_max).await.ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// `{"errors": [{"code", "title", "detail"}]}`; the number of the 2010 API stands beside them.
fn error(parts: &mut response::Parts, value: &Value) -> Value {
    let (code, title) = match parts.status.as_u16() {
        401 => {
            parts.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            ("10009", "Authentication failed")
        }
        403 => ("10010", "Authorization failed"),
        404 => ("10005", "Resource not found"),
        408 => ("10008", "Request timeout"),
        415 => ("10014", "Unsupported Media Type"),
        429 => ("10011", "Too many requests"),
        500.. => ("10007", "Unexpected error"),
        _ => ("10015", "Bad Request"),
    };
    json!({ "errors": [{
        "code": code,
        "title": title,
        "detail": value["message"],
        "meta": { "number": value["code"], "url": value["more_info"] },
    }] })
}

fn shown(place: Place, mut value: Value) -> Value {
    lead_here(&mut value);
    match place {
        Place::Calls | Place::Call => each(&mut value, "calls", call),
        Place::Participants | Place::Participant => each(&mut value, "participants", participant),
        Place::Other => {}
    }
    value
}

/// A resource, or each of a list.
fn each(value: &mut Value, list: &str, show: fn(&mut Map<String, Value>)) {
    match value.get_mut(list) {
        Some(Value::Array(rows)) => rows.iter_mut().filter_map(Value::as_object_mut).for_each(show),
        Some(_) | None => {
            if let Some(one) = value.as_object_mut() {
                show(one);
            }
        }
    }
}

/// Paths lead back here.
fn lead_here(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(rest) = text.strip_prefix("/2010-04-01/") {
                *text = format!("/v2/texml/{rest}");
            }
        }
        Value::Array(all) => all.iter_mut().for_each(lead_here),
        Value::Object(object) => object.values_mut().for_each(lead_here),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn call(call: &mut Map<String, Value>) {
    call.retain(|key, _| CALL.contains(&key.as_str()));
    // Nothing here costs anything.
    call.insert("price_unit".to_owned(), Value::Null);
    if call.get("direction").and_then(Value::as_str).is_some_and(|word| word.starts_with("outbound")) {
        call.insert("direction".to_owned(), json!("outbound"));
    }
    let who = match call.get("answered_by").and_then(Value::as_str) {
        None => return,
        Some("human") => "human",
        Some(word) if word.starts_with("machine") => "machine",
        Some(_) => "not_sure",
    };
    call.insert("answered_by".to_owned(), json!(who));
}

fn participant(one: &mut Map<String, Value>) {
    for (legacy, key) in [
        ("call_sid_legacy", "call_sid"),
        ("coaching_call_sid", "call_sid_to_coach"),
        ("coaching_call_sid_legacy", "call_sid_to_coach"),
    ] {
        let value = one.get(key).cloned().unwrap_or_default();
        one.insert(legacy.to_owned(), value);
    }
    one.insert("api_version".to_owned(), json!("v2"));
}

/// The fields of a call (reference: texml-delta §7: a subset of Twilio's).
const CALL: [&str; 18] = [
    "account_sid",
    "answered_by",
    "caller_name",
    "date_created",
    "date_updated",
    "direction",
    "duration",
    "end_time",
    "from",
    "from_formatted",
    "price",
    "price_unit",
    "sid",
    "start_time",
    "status",
    "to",
    "to_formatted",
    "uri",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_shown_with_less() {
        for (direction, answered_by, shown_direction, shown_by) in [
            ("inbound", json!(null), "inbound", json!(null)),
            ("outbound-api", json!("human"), "outbound", json!("human")),
            ("outbound-dial", json!("machine_end_beep"), "outbound", json!("machine")),
            ("outbound-dial", json!("unknown"), "outbound", json!("not_sure")),
        ] {
            let row = json!({
                "sid": "CA1", "direction": direction, "answered_by": answered_by, "price_unit": "USD",
                "trunk_sid": "TK1", "uri": "/2010-04-01/Accounts/AC1/Calls/CA1.json",
            });
            let expected = json!({
                "sid": "CA1", "direction": shown_direction, "answered_by": shown_by, "price_unit": null,
                "uri": "/v2/texml/Accounts/AC1/Calls/CA1.json",
            });
            assert_eq!(shown(Place::Call, row.clone()), expected);
            assert_eq!(shown(Place::Calls, json!({"calls": [row]})), json!({"calls": [expected]}));
        }
    }

    #[tokio::test]
    async fn refusals_have_the_vendors_form() {
        for (status, code) in [
            (400, "10015"),
            (401, "10009"),
            (403, "10010"),
            (404, "10005"),
            (405, "10015"),
            (408, "10008"),
            (415, "10014"),
            (429, "10011"),
            (500, "10007"),
            (503, "10007"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let body = json!({"code": 20001, "message": "why", "more_info": "url", "status": 400});
            let response = told(Place::Other, (status, Json(body)).into_response(), 1_000).await;
            assert_eq!(response.status(), status);
            let body = read(response.into_body(), 1_000).await.unwrap();
            assert_eq!(
                (&body["errors"][0]["code"], &body["errors"][0]["detail"]),
                (&json!(code), &json!("why"))
            );
        }
    }
}
