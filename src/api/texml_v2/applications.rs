//! `/v2/texml_applications`: applications as that vendor's clients make them (reference: texml-delta §7), kept as those
//! of the 2010 API are. One that is made here speaks the dialect.

use axum::Json;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use config::{Entry, Kind};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::{ANSWER_BYTES_MAX, BODY_BYTES_MAX, Facade, answer};
use crate::error::ApiError;
use crate::params::Params;
use crate::texml_v2::question::{Pairs, Place, given};

impl Facade {
    /// Answers a request for the list, or for one of it.
    pub(crate) async fn ask_applications(self, request: Request) -> Response {
        match self.applications(request).await {
            Ok(response) => response,
            Err(error) => answer::told(Place::Other, error.into_response(), ANSWER_BYTES_MAX).await,
        }
    }

    async fn applications(self, request: Request) -> Result<Response, ApiError> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, BODY_BYTES_MAX).await;
        let body = body.map_err(|_| ApiError::new(20413, "The request is too large"))?;
        let path = parts.uri.path().trim_end_matches('/');
        let sid = path.strip_prefix(PATH).unwrap_or_default().trim_start_matches('/').to_owned();
        match (parts.method.as_str(), sid.is_empty()) {
            ("GET", true) => self.list(&parts).await,
            ("POST", true) => {
                let mut form = form(fields(&parts, &body)?, true)?;
                form.push(("Dialect".to_owned(), "texml".to_owned()));
                let made = self.put_on(&parts, Method::POST, "Applications.json", form).await;
                if !made.status().is_success() {
                    return Ok(self.told(made).await);
                }
                let made = answer::read(made.into_body(), ANSWER_BYTES_MAX).await.unwrap_or_default();
                self.shown(made["sid"].as_str().unwrap_or_default(), StatusCode::CREATED)
            }
            ("PATCH" | "GET", false) => {
                let (method, form) = match parts.method == Method::GET {
                    true => (Method::GET, Pairs::new()),
                    false => (Method::POST, form(fields(&parts, &body)?, false)?),
                };
                let done = self.put_on(&parts, method, &format!("Applications/{sid}.json"), form).await;
                match done.status().is_success() {
                    true => self.shown(&sid, StatusCode::OK),
                    false => Ok(self.told(done).await),
                }
            }
            ("DELETE", false) => {
                let last = self.shown(&sid, StatusCode::OK);
                let path = format!("Applications/{sid}.json");
                let done = self.put_on(&parts, Method::DELETE, &path, Pairs::new()).await;
                if done.status().is_success() { last } else { Ok(self.told(done).await) }
            }
            _ => Err(ApiError::wrong_method()),
        }
    }

    async fn list(self, parts: &Parts) -> Result<Response, ApiError> {
        let query = Params::of_request(parts.uri.query().unwrap_or_default().as_bytes())?;
        let number = |name: &str, most: usize, plain: usize| match query.text(name) {
            None => Ok(plain),
            Some(text) => text.parse().ok().filter(|n| (1..=most).contains(n)).ok_or_else(|| {
                ApiError::new(20001, format!("{name} must be a whole number from 1 to {most}"))
            }),
        };
        let (page, size) = (number("page[number]", usize::MAX, 1)?, number("page[size]", 250, 20)?);
        let part =
            query.text("filter[friendly_name][contains]").or_else(|| query.text("filter[friendly_name]"));
        // Whoever may ask for the 2010 API's list may have this one.
        let door = self.put_on(parts, Method::GET, "Applications.json?PageSize=1", Pairs::new()).await;
        if !door.status().is_success() {
            return Ok(self.told(door).await);
        }
        let book = self.api.office.view();
        let mut all = book.list(Kind::Application, "");
        all.retain(|entry| {
            part.is_none_or(|part| entry.text("friendly_name").unwrap_or_default().contains(part))
        });
        let rows: Vec<Value> =
            all.iter().skip((page - 1).saturating_mul(size)).take(size).map(|entry| show(entry)).collect();
        let meta = json!({
            "page_number": page,
            "page_size": size,
            "total_pages": all.len().div_ceil(size),
            "total_results": all.len(),
        });
        Ok(Json(json!({ "data": rows, "meta": meta })).into_response())
    }

    /// The 2010 API's answer to the same.
    async fn put_on(&self, parts: &Parts, method: Method, below: &str, form: Pairs) -> Response {
        let uri = format!("/2010-04-01/Accounts/{}/{below}", self.api.account_sid);
        let form = Serializer::new(String::new()).extend_pairs(form).finish();
        match self.request(parts, method, &uri, form) {
            Ok(request) => self.clone().call(request).await,
            Err(error) => error.into_response(),
        }
    }

    async fn told(&self, refusal: Response) -> Response {
        answer::told(Place::Other, refusal, ANSWER_BYTES_MAX).await
    }

    fn shown(&self, sid: &str, status: StatusCode) -> Result<Response, ApiError> {
        let book = self.api.office.view();
        let entry = book.get(Kind::Application, "", sid).ok_or_else(|| ApiError::not_found(PATH))?;
        Ok((status, Json(json!({ "data": show(entry) }))).into_response())
    }
}

/// What is given that means something here.
fn fields(parts: &Parts, body: &[u8]) -> Result<Pairs, ApiError> {
    let Ok(Value::Object(mut object)) = serde_json::from_slice::<Value>(body) else {
        return given(parts, body);
    };
    object.retain(|name, _| !EFFECTLESS.contains(&name.as_str()));
    given(parts, Value::Object(object).to_string().as_bytes())
}

/// The 2010 API's parameters for these; a new one needs a name and a document.
fn form(given: Pairs, is_new: bool) -> Result<Pairs, ApiError> {
    let mut form = Pairs::new();
    for (name, value) in given {
        match NAMES.iter().find(|(theirs, _)| *theirs == name) {
            Some((_, ours)) => form.push(((*ours).to_owned(), value)),
            None if EFFECTLESS.contains(&name.as_str()) => {}
            None => tracing::info!(name = shortened(&name), "a field this API does not know is read over"),
        }
    }
    let has =
        |form: &Pairs, wanted: &str| form.iter().any(|(name, value)| name == wanted && !value.is_empty());
    if is_new {
        for (theirs, ours) in &NAMES[..2] {
            if !has(&form, ours) {
                return Err(ApiError::new(20001, format!("{theirs} is missing")));
            }
        }
        // Documents are fetched by GET there unless something else is said (reference: texml-delta §2).
        if !has(&form, "VoiceMethod") {
            form.push(("VoiceMethod".to_owned(), "GET".to_owned()));
        }
    }
    for (_, value) in form.iter_mut().filter(|(name, _)| name.ends_with("Method")) {
        value.make_ascii_uppercase();
    }
    Ok(form)
}

fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

fn show(entry: &Entry) -> Value {
    let text = |name: &str| entry.text(name).map(str::to_owned);
    let method = |name: &str| entry.text(name).unwrap_or("POST").to_ascii_lowercase();
    let date = |at: Option<base::Timestamp>| at.map(base::Timestamp::iso8601);
    json!({
        "record_type": "texml_application",
        "id": entry.key.sid,
        "friendly_name": text("friendly_name"),
        "active": true,
        "tags": [],
        "voice_url": text("voice_url"),
        "voice_fallback_url": text("voice_fallback_url"),
        "voice_method": method("voice_method"),
        "status_callback": text("status_callback"),
        "status_callback_method": method("status_callback_method"),
        "created_at": date(entry.created),
        "updated_at": date(entry.updated),
    })
}

/// Names of fields there and here; the first two are needed.
const NAMES: [(&str, &str); 6] = [
    ("friendly_name", "FriendlyName"),
    ("voice_url", "VoiceUrl"),
    ("voice_fallback_url", "VoiceFallbackUrl"),
    ("voice_method", "VoiceMethod"),
    ("status_callback", "StatusCallback"),
    ("status_callback_method", "StatusCallbackMethod"),
];
/// What means something to that vendor's network alone.
const EFFECTLESS: [&str; 9] = [
    "active",
    "anchorsite_override",
    "call_cost_in_webhooks",
    "dtmf_type",
    "first_command_timeout",
    "first_command_timeout_secs",
    "inbound",
    "outbound",
    "tags",
];
const PATH: &str = "/v2/texml_applications";
