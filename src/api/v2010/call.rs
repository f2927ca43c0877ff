//! One call: `…/Calls/CA….json` (reference: rest-voice §5.2, §5.3).

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use axum::http::StatusCode;
use base::{AccountSid, CallSid, Timestamp, TrunkSid, derived};
use call::office::DocumentRef;
use call::record::CallRow;
use call::route::normalise;
use call::{CallUpdate, Fate, Operator, OperatorReply};
use config::number_sid;
use serde_json::{Value, json};
use twiml::{CallStatus, Dialect, Source, Verb};

use super::sid;
use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;
use crate::params::Params;

/// GET.
pub(super) async fn fetch(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let call: CallSid = sid(&name, uri.path())?;
    let row = api.store.call(call).await?.ok_or_else(|| ApiError::not_found(uri.path()))?;
    Ok(Json(show(&row, api.account_sid)))
}

/// POST: sends a live call to another document, or ends it.
pub(super) async fn update(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
    form: Params,
) -> Result<Json<Value>, ApiError> {
    let call: CallSid = sid(&name, uri.path())?;
    form.note_unknown(UPDATE);
    let update = Box::new(read_update(&form)?);
    match api.orders.ask(Operator::UpdateCall { call, update }).await? {
        OperatorReply::Call(row) => Ok(Json(show(&row, api.account_sid))),
        _ if api.store.call(call).await?.is_some() => {
            Err(ApiError::new(21220, format!("Call is not in-progress. Cannot redirect: {call}")))
        }
        _ => Err(ApiError::not_found(uri.path())),
    }
}

/// DELETE: what is on record of a call that is over; its recordings stay.
pub(super) async fn delete(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let call: CallSid = sid(&name, uri.path())?;
    let row = api.store.call(call).await?.ok_or_else(|| ApiError::not_found(uri.path()))?;
    let live = || ApiError::new(20009, format!("Call {call} is not finished"));
    if matches!(row.status, CallStatus::Queued | CallStatus::Ringing | CallStatus::InProgress) {
        return Err(live());
    }
    match api.orders.ask(Operator::ForgetCall(call)).await? {
        OperatorReply::Done => {
            api.store.flush().await?;
            Ok(StatusCode::NO_CONTENT)
        }
        OperatorReply::StillLive(_) => Err(live()),
        _ => Err(ApiError::unexpected()),
    }
}

/// What an update may name.
const UPDATE: &[&str] = &[
    "Status",
    "Url",
    "Method",
    "Twiml",
    "FallbackUrl",
    "FallbackMethod",
    "StatusCallback",
    "StatusCallbackMethod",
    "TimeLimit",
];

fn read_update(form: &Params) -> Result<CallUpdate, ApiError> {
    let fate = match form.one_of("Status", &["canceled", "completed"], 20001)? {
        Some("canceled") => Some(Fate::Cancel),
        Some(_) => Some(Fate::Complete),
        None => document(form)?.map(Fate::Redirect),
    };
    Ok(CallUpdate {
        fate,
        fallback: document_ref(form, "FallbackUrl", "FallbackMethod")?,
        status_callback: document_ref(form, "StatusCallback", "StatusCallbackMethod")?,
        time_limit_s: form.number("TimeLimit", 1..=TIME_LIMIT_MAX, 20001)?,
    })
}

/// `Url` with `Method`, or `Twiml`; of both the URL.
pub(super) fn document(form: &Params) -> Result<Option<Source>, ApiError> {
    if let Some(url) = form.url("Url", 21205)? {
        if form.text("Twiml").is_some() {
            tracing::warn!(code = 32019, "Url and Twiml were both given; the Url is taken");
        }
        return Ok(Some(Source::Url { url, method: form.method("Method", 21209)? }));
    }
    let Some(text) = form.text("Twiml") else { return Ok(None) };
    if text.chars().count() > TWIML_CHARS_MAX {
        return Err(ApiError::new(32018, format!("Twiml is longer than {TWIML_CHARS_MAX} characters")));
    }
    // The call would only apologise.
    let document =
        twiml::parse(text, Dialect::Twiml).map_err(|finding| ApiError::new(finding.code, finding.message))?;
    // What is written into a request has no address that others could be relative to (reference: twiml-voice §1.1).
    let relative = document.verbs.iter().find_map(|verb| match verb {
        Verb::Gather(gather) => gather.action.as_deref().filter(|url| !is_absolute(url)),
        Verb::Record(record) => record.action.as_deref().filter(|url| !is_absolute(url)),
        _ => None,
    });
    if let Some(url) = relative {
        return Err(ApiError::new(
            15004,
            format!("The action URL of an inline document must be absolute: {url}"),
        ));
    }
    Ok(Some(Source::Inline(text.to_owned())))
}

fn is_absolute(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| url.has_host())
}

pub(super) fn document_ref(form: &Params, url: &str, method: &str) -> Result<Option<DocumentRef>, ApiError> {
    let method = form.method(method, 21209)?;
    Ok(form.url(url, 21205)?.map(|url| DocumentRef { url, method }))
}

/// The resource.
pub(super) fn show(row: &CallRow, account: AccountSid) -> Value {
    let date = |at: Option<Timestamp>| at.map(Timestamp::rfc2822);
    let uri = format!("/2010-04-01/Accounts/{account}/Calls/{}", row.sid);
    let subresources: serde_json::Map<String, Value> = SUBRESOURCES
        .iter()
        .map(|(key, name)| ((*key).to_owned(), json!(format!("{uri}/{name}.json"))))
        .collect();
    json!({
        "sid": row.sid,
        "account_sid": account,
        "parent_call_sid": row.parent,
        "to": row.to,
        "to_formatted": formatted(&row.to),
        "from": row.from,
        "from_formatted": formatted(&row.from),
        "phone_number_sid": row.number.as_deref().map(|number| number_sid(account, &normalise(number))),
        "status": row.status.as_str(),
        "start_time": date(row.start),
        "end_time": date(row.end),
        "duration": row.duration_s.map(|seconds| seconds.to_string()),
        "price": null,
        "price_unit": "USD",
        "direction": row.direction.as_str(),
        "answered_by": row.answered_by,
        "forwarded_from": row.forwarded_from,
        "caller_name": row.caller_name,
        "group_sid": null,
        "queue_time": row.queue_time_ms.to_string(),
        "trunk_sid": row.trunk.as_deref().map(|name| TrunkSid(derived(account, name))),
        "api_version": "2010-04-01",
        "date_created": row.created.rfc2822(),
        "date_updated": row.updated.rfc2822(),
        "uri": format!("{uri}.json"),
        "subresource_uris": subresources,
    })
}

/// A North American number as people there write it; everything else as it is.
pub(super) fn formatted(party: &str) -> String {
    match party.strip_prefix("+1").filter(|rest| rest.len() == 10 && rest.bytes().all(|b| b.is_ascii_digit()))
    {
        Some(rest) => format!("({}) {}-{}", &rest[..3], &rest[3..6], &rest[6..]),
        None => party.to_owned(),
    }
}

const SUBRESOURCES: &[(&str, &str)] = &[
    ("events", "Events"),
    ("notifications", "Notifications"),
    ("payments", "Payments"),
    ("recordings", "Recordings"),
    ("siprec", "Siprec"),
    ("streams", "Streams"),
    ("transcriptions", "Transcriptions"),
    ("user_defined_message_subscriptions", "UserDefinedMessageSubscriptions"),
    ("user_defined_messages", "UserDefinedMessages"),
];

/// A document written into a request (reference: twiml-voice §1.1).
const TWIML_CHARS_MAX: usize = 4_000;

/// A day.
pub(super) const TIME_LIMIT_MAX: u32 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_north_america_are_shown_as_written_there() {
        for (party, shown) in [
            ("+14155551212", "(415) 555-1212"),
            ("+441514960000", "+441514960000"),
            ("+1415555121", "+1415555121"),
            ("client:ann", "client:ann"),
            ("+1415555121ü", "+1415555121ü"),
        ] {
            assert_eq!(formatted(party), shown);
        }
    }

    #[test]
    fn what_an_update_says() {
        let read = |text: &str| read_update(&Params::read(text.as_bytes()));
        let url =
            |method| Some(Fate::Redirect(Source::Url { url: "http://web.example/a".to_owned(), method }));
        let inline = Some(Fate::Redirect(Source::Inline("<Response/>".to_owned())));
        for (form, fate) in [
            ("Url=http://web.example/a", url(twiml::HttpMethod::Post)),
            ("Url=http://web.example/a&Method=GET&Twiml=x", url(twiml::HttpMethod::Get)),
            ("Twiml=%3CResponse/%3E", inline),
            ("Status=completed&Url=http://web.example/a", Some(Fate::Complete)),
            ("Status=canceled", Some(Fate::Cancel)),
            ("FallbackUrl=http://web.example/a", None),
        ] {
            assert_eq!(read(form).unwrap().fate, fate, "{form}");
        }
        let more = "TimeLimit=90&FallbackUrl=http://web.example/a&FallbackMethod=GET&StatusCallback=http://web.example/s";
        let to = |url: &str, method| Some(DocumentRef { url: url.to_owned(), method });
        let expected = CallUpdate {
            fate: None,
            fallback: to("http://web.example/a", twiml::HttpMethod::Get),
            status_callback: to("http://web.example/s", twiml::HttpMethod::Post),
            time_limit_s: Some(90),
        };
        assert_eq!(read(more).unwrap(), expected);
        let long = format!("Twiml=%3CResponse%3E{}%3C/Response%3E", "+".repeat(4_000));
        for (form, code) in [
            ("Status=ringing", 20001),
            ("Url=here", 21205),
            ("Url=http://web.example/a&Method=PUT", 21209),
            ("Twiml=%3CResponse%3E", 12100),
            ("Twiml=%3CResponse%3E%3CGather+action='/next'/%3E%3C/Response%3E", 15004),
            ("Twiml=%3CResponse%3E%3CRecord+action='next'/%3E%3C/Response%3E", 15004),
            (long.as_str(), 32018),
            ("StatusCallback=x", 21205),
            ("TimeLimit=0", 20001),
        ] {
            assert_eq!(read(form).unwrap_err().code(), code, "{form}");
        }
    }
}
