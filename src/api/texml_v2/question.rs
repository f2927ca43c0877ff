//! What a client of TeXML's API asks, in the words of the 2010 API (reference: texml-delta §7).

use axum::http::request::Parts;
use axum::http::{Method, header::CONTENT_TYPE};
use config::Kind;
use serde_json::Value;
use url::form_urlencoded::{self, Serializer};

use crate::Api;
use crate::error::ApiError;
use crate::params::Params;

/// What the path leads to, as far as names differ there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The calls: listed, or a new one.
    Calls,
    /// One call.
    Call,
    /// Those in a conference: listed, or somebody called into it.
    Participants,
    /// One of them.
    Participant,
    /// Anything with the same names in both.
    Other,
}

/// The same for the 2010 API.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) place: Place,
    /// Path and query.
    pub(super) uri: String,
    pub(super) form: String,
}

pub(super) type Pairs = Vec<(String, String)>;

impl Question {
    pub(super) fn read(api: &Api, parts: &Parts, body: &[u8]) -> Result<Self, ApiError> {
        let whole = parts.uri.path();
        let path = whole.strip_prefix("/v2/texml/").unwrap_or_default();
        let ours = api.account_sid.to_string();
        // A short form leaves the account out.
        let (account, below) = match path.strip_prefix("Accounts/") {
            Some(rest) => rest.split_once('/').unwrap_or((rest, "")),
            None => (ours.as_str(), path),
        };
        let place = place(below).ok_or_else(|| ApiError::not_found(whole))?;
        if place == Place::Call && parts.method == Method::DELETE {
            return Err(ApiError::wrong_method());
        }
        let pairs = filters(Params::of_request(parts.uri.query().unwrap_or_default().as_bytes())?);
        let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
        let suffix = if below.ends_with(".json") { "" } else { ".json" };
        let uri = format!("/2010-04-01/Accounts/{account}/{below}{suffix}?{query}");
        let mut pairs = given(parts, body)?;
        if parts.method == Method::POST {
            match place {
                Place::Calls => new_call(api, &mut pairs)?,
                Place::Call => rename(&mut pairs, &[("Texml", "Twiml")]),
                Place::Participants => rename(&mut pairs, &[("CallerId", "CallerDisplayName")]),
                Place::Participant | Place::Other => {}
            }
        }
        let form = Serializer::new(String::new()).extend_pairs(pairs).finish();
        Ok(Question { place, uri, form })
    }
}

/// What TeXML's API has of the account's resources.
fn place(below: &str) -> Option<Place> {
    let parts: Vec<&str> = below.split('/').map(|part| part.strip_suffix(".json").unwrap_or(part)).collect();
    match parts.as_slice() {
        [.., ""] => None,
        ["Calls"] => Some(Place::Calls),
        ["Calls", _] => Some(Place::Call),
        ["Conferences", _, "Participants"] => Some(Place::Participants),
        ["Conferences", _, "Participants", _] => Some(Place::Participant),
        ["Calls", _, "Recordings" | "Siprec" | "Streams"]
        | ["Calls", _, "Recordings" | "Siprec" | "Streams", _]
        | ["Conferences", _, "Recordings"]
        | ["Conferences", _, "Recordings", _]
        | ["Conferences" | "Queues" | "Recordings" | "Transcriptions"]
        | ["Conferences" | "Queues" | "Recordings" | "Transcriptions", _] => Some(Place::Other),
        _ => None,
    }
}

/// `StartTime_gt=2023-05-22`, and `DateCreated=>=2023-05-22`, are `StartTime>=2023-05-22` there.
fn filters(query: Params) -> Pairs {
    let operator = |name: &str, value: &str| {
        let suffixed = [("_gt", '>'), ("_lt", '<')];
        if let Some((bare, sign)) =
            suffixed.iter().find_map(|(suffix, sign)| Some((name.strip_suffix(suffix)?, sign)))
        {
            return (format!("{bare}{sign}"), value.to_owned());
        }
        for sign in ['>', '<'] {
            if let Some(rest) = value.strip_prefix(sign) {
                return (format!("{name}{sign}"), rest.trim_start_matches('=').to_owned());
            }
        }
        (if name == "page[size]" { "PageSize" } else { name }.to_owned(), value.to_owned())
    };
    query.iter().map(|(name, value)| operator(name, value)).collect()
}

/// The parameters of a body: JSON, or a form.
pub(super) fn given(parts: &Parts, body: &[u8]) -> Result<Pairs, ApiError> {
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().contains("json") || body.is_empty() {
        let form = Params::of_request(body)?;
        return Ok(form.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
    }
    let bad = |_| ApiError::new(20001, "The body is no JSON object");
    let object: serde_json::Map<String, Value> = serde_json::from_slice(body).map_err(bad)?;
    let mut pairs = Pairs::new();
    for (name, value) in object {
        match value {
            Value::Array(all) if name == HEADERS => pairs.push((name, headers(&all)?)),
            Value::Array(all) => {
                for one in all {
                    pairs.push((name.clone(), plain(&name, one)?));
                }
            }
            Value::Null => {}
            value => pairs.push((name.clone(), plain(&name, value)?)),
        }
    }
    Ok(pairs)
}

fn plain(name: &str, value: Value) -> Result<String, ApiError> {
    match value {
        Value::String(text) => Ok(text),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(ApiError::new(20001, format!("{name} must be a text, a number, or true or false")))
        }
    }
}

/// `[{"name": …, "value": …}]` as a SIP address carries them.
fn headers(all: &[Value]) -> Result<String, ApiError> {
    let bad = || ApiError::new(20001, format!("{HEADERS} must be a list of objects with name and value"));
    let mut text = String::new();
    for one in all {
        let of = |key: &str| one.get(key).and_then(Value::as_str).ok_or_else(bad);
        let encoded = |text: &str| {
            form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
        };
        let sign = if text.is_empty() { "" } else { "&" };
        text += &format!("{sign}{}={}", encoded(of("name")?), encoded(of("value")?));
    }
    Ok(text)
}

/// A new call: its application stands behind what the request itself names.
fn new_call(api: &Api, pairs: &mut Pairs) -> Result<(), ApiError> {
    let value = |pairs: &Pairs, name: &str| {
        pairs.iter().rev().find(|(n, value)| n == name && !value.is_empty()).map(|(_, value)| value.clone())
    };
    // The shown name of a caller is not its number, which this parameter means in the 2010 API.
    rename(pairs, &[("UrlMethod", "Method"), ("Texml", "Twiml"), ("CallerId", "CallerDisplayName")]);
    if let Some(headers) = value(pairs, HEADERS) {
        pairs.retain(|(name, _)| name != HEADERS);
        for (_, to) in pairs.iter_mut().filter(|(name, to)| name == "To" && is_sip(to)) {
            *to += &format!("{}{headers}", if to.contains('?') { "&" } else { "?" });
        }
    }
    if value(pairs, "SuperviseCallSid").is_some() {
        // What runs is the conference; of the application's nothing is asked, and nobody is told.
        pairs.retain(|(name, _)| name != "ApplicationSid");
        return Ok(());
    }
    let own = value(pairs, "Url").or_else(|| value(pairs, "Twiml")).is_some();
    let Some(application) = value(pairs, "ApplicationSid").filter(|_| own) else { return Ok(()) };
    let book = api.office.view();
    if let Some(entry) = book.get(Kind::Application, "", &application) {
        for (name, key, method, method_key) in [
            // The URL is the request's; how it is asked for may be the application's.
            ("Url", "voice_url", "Method", "voice_method"),
            ("FallbackUrl", "voice_fallback_url", "FallbackMethod", "voice_fallback_method"),
            ("StatusCallback", "status_callback", "StatusCallbackMethod", "status_callback_method"),
        ] {
            let is_given = value(pairs, name).is_some();
            let url = entry.text(key).filter(|url| !url.is_empty() && !is_given && name != "Url");
            if let Some(url) = url {
                pairs.push((name.to_owned(), url.to_owned()));
            }
            let how = entry.text(method_key).filter(|_| value(pairs, name).is_some());
            if let (Some(how), None) = (how, value(pairs, method)) {
                pairs.push((method.to_owned(), how.to_owned()));
            }
        }
    }
    pairs.retain(|(name, _)| name != "ApplicationSid");
    Ok(())
}

fn is_sip(to: &str) -> bool {
    to.starts_with("sip:") || to.starts_with("sips:")
}

fn rename(pairs: &mut Pairs, names: &[(&str, &str)]) {
    for (name, _) in pairs {
        if let Some((_, other)) = names.iter().find(|(theirs, _)| *theirs == name.as_str()) {
            *name = (*other).to_owned();
        }
    }
}

const HEADERS: &str = "CustomHeaders";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_and_what_not() {
        for (below, expected) in [
            ("Calls", Some(Place::Calls)),
            ("Calls.json", Some(Place::Calls)),
            ("Calls/CA1", Some(Place::Call)),
            ("Calls/CA1/Recordings.json", Some(Place::Other)),
            ("Calls/CA1/Recordings/RE1.json", Some(Place::Other)),
            ("Calls/CA1/Streams/MZ1", Some(Place::Other)),
            ("Calls/CA1/Siprec.json", Some(Place::Other)),
            ("Conferences", Some(Place::Other)),
            ("Conferences/CF1/Participants", Some(Place::Participants)),
            ("Conferences/CF1/Participants/CA1", Some(Place::Participant)),
            ("Conferences/CF1/Recordings.json", Some(Place::Other)),
            ("Queues/QU1", Some(Place::Other)),
            ("Transcriptions.json", Some(Place::Other)),
            ("Calls/CA1/Transcriptions.json", None),
            ("Calls/CA1/Payments.json", None),
            ("Calls/CA1/UserDefinedMessages.json", None),
            ("Applications.json", None),
            ("Keys.json", None),
            ("Calls/", None),
            ("", None),
        ] {
            assert_eq!(place(below), expected, "{below}");
        }
    }

    #[test]
    fn filters_are_put_into_the_other_form() {
        for (query, name, value) in [
            ("StartTime_gt=2023-05-22", "StartTime>", "2023-05-22"),
            ("EndTime_lt=2023-05-22", "EndTime<", "2023-05-22"),
            ("DateCreated=%3E%3D2023-05-22", "DateCreated>", "2023-05-22"),
            ("DateCreated=%3C2023-05-22", "DateCreated<", "2023-05-22"),
            ("StartTime%3E=2023-05-22", "StartTime>", "2023-05-22"),
            ("page%5Bsize%5D=5", "PageSize", "5"),
            ("Status=completed", "Status", "completed"),
        ] {
            let pairs = filters(Params::of_request(query.as_bytes()).unwrap());
            assert_eq!(pairs, [(name.to_owned(), value.to_owned())], "{query}");
        }
    }

    #[test]
    fn headers_travel_in_the_address() {
        let all = serde_json::json!([{"name": "X-A", "value": "1 & 2"}, {"name": "X-B", "value": "3"}]);
        assert_eq!(headers(all.as_array().unwrap()).unwrap(), "X-A=1%20%26%202&X-B=3");
        assert!(headers(&[serde_json::json!({"name": "X"})]).is_err());
    }
}
