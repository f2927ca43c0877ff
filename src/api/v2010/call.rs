//! One call: `…/Calls/CA….json` (reference: rest-voice §5.2, §5.3).

use std::borrow::Cow;

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use axum::http::StatusCode;
use base::{AccountSid, CallSid, Timestamp, TrunkSid, derived};
use call::office::DocumentRef;
use call::record::CallRow;
use call::route::normalise;
use call::{CallUpdate, Fate, Operator, OperatorReply};
use config::number_sid;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
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
    json!(ShownCall { row: Cow::Borrowed(row), account })
}

/// The resource as it is written, its keys in the order of the alphabet.
pub(super) struct ShownCall<'a> {
    pub(super) row: Cow<'a, CallRow>,
    pub(super) account: AccountSid,
}

impl Serialize for ShownCall<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { row, account } = self;
        let sid = row.sid.to_string();
        let uri = format!("/2010-04-01/Accounts/{account}/Calls/{sid}");
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("account_sid", account)?;
        map.serialize_entry("answered_by", &row.answered_by)?;
        map.serialize_entry("api_version", "2010-04-01")?;
        map.serialize_entry("caller_name", &row.caller_name)?;
        map.serialize_entry("date_created", &row.created.rfc2822())?;
        map.serialize_entry("date_updated", &row.updated.rfc2822())?;
        map.serialize_entry("direction", row.direction.as_str())?;
        map.serialize_entry("duration", &row.duration_s.map(|seconds| seconds.to_string()))?;
        map.serialize_entry("end_time", &row.end.map(Timestamp::rfc2822))?;
        map.serialize_entry("forwarded_from", &row.forwarded_from)?;
        map.serialize_entry("from", &row.from)?;
        map.serialize_entry("from_formatted", &formatted(&row.from))?;
        map.serialize_entry("group_sid", &())?;
        map.serialize_entry("parent_call_sid", &row.parent)?;
        let number = row.number.as_deref().map(|number| number_sid(*account, &normalise(number)));
        map.serialize_entry("phone_number_sid", &number)?;
        map.serialize_entry("price", &())?;
        map.serialize_entry("price_unit", "USD")?;
        map.serialize_entry("queue_time", &row.queue_time_ms.to_string())?;
        map.serialize_entry("sid", &sid)?;
        map.serialize_entry("start_time", &row.start.map(Timestamp::rfc2822))?;
        map.serialize_entry("status", row.status.as_str())?;
        map.serialize_entry("subresource_uris", &Subresources(&uri))?;
        map.serialize_entry("to", &row.to)?;
        map.serialize_entry("to_formatted", &formatted(&row.to))?;
        let trunk = row.trunk.as_deref().map(|name| TrunkSid(derived(*account, name)));
        map.serialize_entry("trunk_sid", &trunk)?;
        map.serialize_entry("uri", &format!("{uri}.json"))?;
        map.end()
    }
}

/// What stands below a call of this URI.
struct Subresources<'a>(&'a str);

impl Serialize for Subresources<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let uri = |name: &str| [self.0, "/", name, ".json"].concat();
        serializer.collect_map(SUBRESOURCES.iter().map(|(key, name)| (key, uri(name))))
    }
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
    fn one_is_written_in_the_order_of_the_alphabet_as_every_answer() {
        let from = "+14155551212";
        let (sid, at) = (CallSid(7), Timestamp(1_282_266_822_000_000));
        let row = CallRow::new(sid, twiml::Direction::Inbound, from, "x \"y\"", CallStatus::Completed, at);
        let row = CallRow { number: Some("+1555".to_owned()), trunk: Some("t".to_owned()), ..row };
        let account = AccountSid(1);
        let written = ShownCall { row: Cow::Borrowed(&row), account };
        assert_eq!(serde_json::to_string(&written).unwrap(), show(&row, account).to_string());
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
