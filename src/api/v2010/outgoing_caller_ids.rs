//! Numbers of others that may be shown as the caller's: `…/OutgoingCallerIds.json` and each (reference: rest-voice §11).
//! Those of `[sip] caller_ids` are among them.
//!
//! Making one asks for a validation: the box calls the number and wants to hear or be keyed the code that stands in the
//! answer. A code right the first, second or third time makes the caller id; either way the status callback is told when
//! the call is over. A validation that runs when the box stops is as one that failed and told nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{OriginalUri, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base::{CallSid, Timestamp};
use call::route::{is_dialable, normalise};
use call::{CallDocument, NewCall, Operator, OperatorReply};
use config::{Book, Entry, EntryKey, Kind, caller_id_sid};
use serde_json::{Value, json};
use twiml::{HttpMethod, ProgressEvent, Source, StatusCallback};

use super::calls;
use crate::Api;
use crate::auth::Authorized;
use crate::book::now;
use crate::error::ApiError;
use crate::fields::{Field, First, Is};
use crate::keys::same;
use crate::params::Params;
use crate::resource::{self, Resource, new_entry, random_hex};

struct CallerIds;

impl Resource for CallerIds {
    const KIND: Kind = Kind::CallerId;
    const PATH: &'static str = "/OutgoingCallerIds";
    const LIST: &'static str = "outgoing_caller_ids";
    const FIELDS: &'static [Field] = &[Field {
        param: "FriendlyName",
        key: "friendly_name",
        is: Is::Text(64, 20001),
        first: First::Text(""),
    }];

    fn is_wanted(query: &Params, entry: &Entry) -> bool {
        query.text("PhoneNumber").is_none_or(|number| entry.text("phone_number") == Some(&normalise(number)))
            && query.text("FriendlyName").is_none_or(|name| entry.text("friendly_name") == Some(name))
    }

    fn show(entry: &Entry, _: &resource::Shown<'_>, shown: &mut serde_json::Map<String, Value>) {
        shown.insert("phone_number".to_owned(), json!(entry.text("phone_number")));
    }
}

pub(crate) fn routes() -> Router<Api> {
    let list = get(resource::list::<CallerIds>).post(validate);
    let one = get(resource::fetch::<CallerIds>)
        .post(resource::update::<CallerIds>)
        .delete(resource::delete::<CallerIds>);
    Router::new()
        .route("/OutgoingCallerIds.json", list.clone())
        .route("/OutgoingCallerIds", list)
        .route("/OutgoingCallerIds/{sid}", one)
}

/// Where the box's own calls ask what to do: named by nothing but chance, and by nobody else.
pub(crate) fn call_routes() -> Router<Api> {
    Router::new().route("/validations/{token}", post(heard)).route("/validations/{token}/over", post(over))
}

/// The validations that run.
#[derive(Clone, Default)]
pub struct Validations(Arc<Mutex<BTreeMap<String, Validation>>>);

#[derive(Clone)]
struct Validation {
    number: String,
    friendly_name: String,
    code: String,
    tries: u32,
    valid: bool,
    callback: Option<(String, HttpMethod)>,
    begun: Timestamp,
}

/// Validations at once; beyond it the oldest is forgotten.
const VALIDATIONS_MAX: usize = 1_000;
/// How often a wrong code may be tried again.
const TRIES_MAX: u32 = 3;
/// Seconds a number may ring.
const RING_S: u32 = 60;

impl Validations {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Validation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, token: &str, validation: Validation) {
        let mut running = self.lock();
        if running.len() >= VALIDATIONS_MAX {
            let oldest = running.iter().min_by_key(|(_, v)| v.begun).map(|(token, _)| token.clone());
            oldest.map(|token| running.remove(&token));
        }
        running.insert(token.to_owned(), validation);
    }
}

/// POST: calls the number; the answer has the code it is to give.
async fn validate(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(_): OriginalUri,
    form: Params,
) -> Result<Json<Value>, ApiError> {
    form.note_unknown(&[
        "PhoneNumber",
        "FriendlyName",
        "CallDelay",
        "Extension",
        "StatusCallback",
        "StatusCallbackMethod",
    ]);
    let text = form.text("PhoneNumber").ok_or_else(|| ApiError::new(21401, "PhoneNumber is missing"))?;
    let number = normalise(text);
    if !is_dialable(&number) {
        return Err(ApiError::new(21401, format!("PhoneNumber is invalid: {text}")));
    }
    let book = api.office.view();
    if is_known(&book, &number) {
        return Err(ApiError::new(21450, format!("{number} is validated already")));
    }
    let delay_s = form.number("CallDelay", 0..=60, 21454)?.unwrap_or_default();
    let friendly_name =
        form.text("FriendlyName").map_or_else(|| super::call::formatted(&number), str::to_owned);
    let callback = form.url("StatusCallback", 21456)?;
    let method = form.method("StatusCallbackMethod", 21403)?;
    let code = six_digits()?;
    let token = random_hex(16)?;
    let own = format!("{}/validations/{token}", api.door.public_url);
    let new = NewCall {
        status_callback: Some(StatusCallback {
            url: format!("{own}/over"),
            method: HttpMethod::Post,
            events: vec![ProgressEvent::Completed],
        }),
        send_digits: extension(&form)?,
        timeout_s: RING_S,
        delay_s,
        ..NewCall::new(
            number.clone(),
            book.office().numbers.values().next().map_or("anonymous", |own| &own.number),
            CallDocument::Given(Source::Inline(question(&own, QUESTION))),
        )
    };
    let validation = Validation {
        number: number.clone(),
        friendly_name: friendly_name.clone(),
        code: code.clone(),
        tries: 0,
        valid: false,
        callback: callback.map(|url| (url, method)),
        begun: now(),
    };
    // Known before it rings: who picks up at once is not asked in vain.
    api.validations.begin(&token, validation);
    match api.orders.ask(Operator::Originate(Box::new(new))).await {
        Ok(OperatorReply::Call(row)) => {
            if let Err(error) = calls::keep(&api, row.sid).await {
                api.validations.lock().remove(&token);
                return Err(error);
            }
            Ok(Json(json!({
                "account_sid": api.account_sid,
                "call_sid": row.sid,
                "friendly_name": friendly_name,
                "phone_number": number,
                "validation_code": code,
            })))
        }
        other => {
            api.validations.lock().remove(&token);
            match other? {
                OperatorReply::NotPlaced(why) => Err(ApiError::new(why.code, why.why)),
                _ => Err(ApiError::unexpected()),
            }
        }
    }
}

fn is_known(book: &Book, number: &str) -> bool {
    let kinds = [Kind::CallerId, Kind::Number];
    kinds
        .into_iter()
        .flat_map(|kind| book.of_kind(kind))
        .any(|known| known.text("phone_number").is_some_and(|text| normalise(text) == number))
}

/// Keys pressed once somebody has picked up.
fn extension(form: &Params) -> Result<Option<String>, ApiError> {
    let Some(text) = form.text("Extension") else { return Ok(None) };
    let fits = text.len() <= 32 && text.chars().all(|c| matches!(c, '0'..='9' | '*' | '#' | 'w' | 'W'));
    fits.then(|| Some(text.to_owned())).ok_or_else(|| ApiError::new(20001, "Extension has up to 32 keys"))
}

fn six_digits() -> Result<String, ApiError> {
    let chance = u64::from_str_radix(&random_hex(7)?, 16).unwrap_or_default();
    Ok(format!("{:06}", chance % 1_000_000))
}

const QUESTION: &str =
    "To confirm that this number is yours, please enter the six digits that you were shown.";
const WRONG: &str = "That is not the code. Please try again.";
const RIGHT: &str = "Thank you. Your number is confirmed.";
const OVER: &str = "That is not the code. Good bye.";

/// Keys alone: whoever answers says hello, and once somebody speaks a `<Gather>` of both hears no keys.
fn question(action: &str, say: &str) -> String {
    format!(
        "<Response><Gather numDigits=\"6\" timeout=\"15\" action=\"{action}\">\
         <Say>{say}</Say></Gather><Hangup/></Response>"
    )
}

fn say(text: &str) -> String {
    format!("<Response><Say>{text}</Say><Hangup/></Response>")
}

/// The callee has given a code.
async fn heard(State(api): State<Api>, Path(token): Path<String>, form: Params) -> Response {
    let given = form.text("Digits").unwrap_or_default();
    let (validation, tries_left) = {
        let mut running = api.validations.lock();
        let Some(validation) = running.get_mut(&token) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        validation.tries += 1;
        (validation.clone(), validation.tries < TRIES_MAX)
    };
    let is_right = same(given.as_bytes(), validation.code.as_bytes());
    let document = match (is_right && validation.tries <= TRIES_MAX, tries_left) {
        (true, _) => match keep(&api, &validation).await {
            Ok(()) => {
                if let Some(validation) = api.validations.lock().get_mut(&token) {
                    validation.valid = true;
                }
                say(RIGHT)
            }
            Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        },
        (false, true) => question(&format!("{}/validations/{token}", api.door.public_url), WRONG),
        (false, false) => say(OVER),
    };
    ([(header::CONTENT_TYPE, "text/xml")], document).into_response()
}

async fn keep(api: &Api, validation: &Validation) -> Result<(), ApiError> {
    let Validation { number, friendly_name, .. } = validation;
    let sid = caller_id_sid(api.account_sid, number);
    let body = json!({ "phone_number": number, "friendly_name": friendly_name });
    let body = body.as_object().cloned().unwrap_or_default();
    let kept = api.office.change(|draft| {
        let key = EntryKey { kind: Kind::CallerId, parent: String::new(), sid };
        draft.put(new_entry(key, body, draft.now));
        Ok(())
    });
    kept.await
}

/// The call is over: whoever asked is told how it went.
async fn over(State(api): State<Api>, Path(token): Path<String>, form: Params) -> StatusCode {
    let Some(validation) = api.validations.lock().remove(&token) else { return StatusCode::NOT_FOUND };
    let call: Option<CallSid> = form.text("CallSid").and_then(|sid| sid.parse().ok());
    let (Some((url, method)), Some(call)) = (validation.callback, call) else {
        return StatusCode::NO_CONTENT;
    };
    let mut params = vec![
        ("AccountSid".to_owned(), api.account_sid.to_string()),
        ("ApiVersion".to_owned(), "2010-04-01".to_owned()),
    ];
    for name in ["CallSid", "CallStatus", "Called", "Caller", "To", "From", "Direction"] {
        params.push((name.to_owned(), form.text(name).unwrap_or_default().to_owned()));
    }
    let status = if validation.valid { "success" } else { "failed" };
    params.push(("VerificationStatus".to_owned(), status.to_owned()));
    if validation.valid {
        params.push(("OutgoingCallerIdSid".to_owned(), caller_id_sid(api.account_sid, &validation.number)));
    }
    // Only a box that is stopping does not take it.
    let _ = api.orders.ask(Operator::Tell { call, url, method, params }).await;
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use base::Timestamp;
    use call::record::CallRow;
    use tower_service::Service as _;
    use twiml::{CallStatus, Direction};

    use super::*;
    use crate::v2010::tests::{api, ask, keys, node, send};

    async fn called(api: &Api, path: &str, form: &str) -> (u16, String) {
        let request = Request::post(path).body(Body::from(form.to_owned())).unwrap();
        let answer = crate::router(api.clone()).call(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn reply() -> OperatorReply {
        OperatorReply::Call(Box::new(CallRow::new(
            CallSid(4),
            Direction::OutboundApi,
            "+15550001111",
            "+14155551212",
            CallStatus::Queued,
            Timestamp(1),
        )))
    }

    const FORM: &str = "PhoneNumber=%2B14155551212&StatusCallback=http://web.example/v";
    const OVER: &str = "CallSid=CA00000000000000000000000000000004&CallStatus=completed&To=%2B14155551212";

    #[tokio::test]
    async fn a_number_is_validated_by_a_call_and_the_callback_told() {
        let folder = tempfile::tempdir().unwrap();
        let (api, taken) = api(folder.path()).await;
        let node = node(taken, reply());
        let form = format!("{FORM}&CallDelay=7");
        let (status, body) = ask(&api, "POST", "OutgoingCallerIds.json", &form).await;
        let published: Value =
            serde_json::from_str(include_str!("../../../tests/data/rest/validation_request.json")).unwrap();
        assert_eq!((status, keys(&body)), (200, keys(&published)), "{body}");
        let token = api.validations.lock().keys().next().unwrap().clone();
        let path = format!("/validations/{token}");
        let (_, document) = called(&api, &path, "Digits=x").await;
        assert!(document.contains("<Gather numDigits") && document.contains(WRONG), "keys alone");
        let code = body["validation_code"].as_str().unwrap();
        assert_eq!(code.len(), 6);
        let (status, document) = called(&api, &path, &format!("Digits={code}")).await;
        assert!(status == 200 && document.contains(RIGHT), "{document}");
        let (_, page) = ask(&api, "GET", "OutgoingCallerIds.json?PhoneNumber=%2B14155551212", "").await;
        let made = &page["outgoing_caller_ids"][0];
        let published: Value =
            serde_json::from_str(include_str!("../../../tests/data/rest/outgoing_caller_id.json")).unwrap();
        assert_eq!(keys(made), keys(&published));
        assert_eq!(called(&api, &format!("{path}/over"), OVER).await.0, 204);
        assert_eq!(called(&api, &format!("{path}/over"), OVER).await.0, 404, "it is told once");
        assert_eq!(ask(&api, "POST", "OutgoingCallerIds.json", FORM).await.1["code"], 21450);
        let one = format!("OutgoingCallerIds/{}.json", made["sid"].as_str().unwrap());
        assert_eq!(ask(&api, "POST", &one, "FriendlyName=Home").await.1["friendly_name"], "Home");
        assert_eq!(send(&api, "DELETE", &one, "", "secret").await.status(), 204);
        drop(api);
        let asked = node.await.unwrap();
        assert!(matches!(&asked[0], Operator::Originate(new) if new.delay_s == 7), "{asked:?}");
        let Operator::Tell { url, params, .. } = &asked[1] else { panic!("{asked:?}") };
        let of = |name: &str| params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        assert_eq!((url.as_str(), of("VerificationStatus")), ("http://web.example/v", Some("success")));
        assert_eq!(of("OutgoingCallerIdSid"), made["sid"].as_str());
    }

    #[tokio::test]
    async fn three_wrong_codes_end_it() {
        let folder = tempfile::tempdir().unwrap();
        let (api, taken) = api(folder.path()).await;
        let node = node(taken, reply());
        let code = ask(&api, "POST", "OutgoingCallerIds.json", FORM).await.1["validation_code"].clone();
        let path = format!("/validations/{}", api.validations.lock().keys().next().unwrap());
        for _ in 0..2 {
            assert!(called(&api, &path, "Digits=no").await.1.contains("<Gather"));
        }
        assert!(!called(&api, &path, "").await.1.contains("<Gather"));
        let late = called(&api, &path, &format!("Digits={}", code.as_str().unwrap())).await.1;
        assert!(!late.contains(RIGHT), "{late}");
        called(&api, &format!("{path}/over"), OVER).await;
        let (_, page) = ask(&api, "GET", "OutgoingCallerIds.json", "").await;
        assert_eq!(page["outgoing_caller_ids"][0]["phone_number"], "+15550009999", "the file's alone");
        drop(api);
        let told = format!("{:?}", node.await.unwrap().last().unwrap());
        assert!(told.contains("failed") && !told.contains("OutgoingCallerIdSid"), "{told}");
    }

    #[tokio::test]
    async fn what_is_wrong_has_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        for (form, code) in [
            ("", 21401),
            ("PhoneNumber=ann", 21401),
            ("PhoneNumber=%2B15550009999", 21450),
            ("PhoneNumber=%2B15550001111", 21450),
            ("PhoneNumber=%2B14155551212&CallDelay=61", 21454),
            ("PhoneNumber=%2B14155551212&StatusCallback=x", 21456),
            ("PhoneNumber=%2B14155551212&Extension=x", 20001),
        ] {
            let (status, body) = ask(&api, "POST", "OutgoingCallerIds.json", form).await;
            assert_eq!((status, &body["code"]), (400, &json!(code)), "{form}");
        }
    }
}
