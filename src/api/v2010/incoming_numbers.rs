//! The office's numbers: `…/IncomingPhoneNumbers.json`, its lists by type, and each (reference: rest-voice §11).
//!
//! A number is made by naming it: the box has no stock to choose from. Its sid follows from the number.

use axum::extract::{OriginalUri, State};
use axum::routing::get;
use axum::{Json, Router};
use call::route::{is_dialable, normalise};
use config::{Entry, Kind, number_sid};
use serde_json::{Map, Value, json};

use super::applications::{
    CALLER_ID_LOOKUP, NAME, STATUS_CALLBACK, STATUS_CALLBACK_METHOD, VOICE_FALLBACK_METHOD,
    VOICE_FALLBACK_URL, VOICE_METHOD, VOICE_URL, application_there, fallback_has_a_url, method, url,
};
use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;
use crate::fields::{Field, First, Is};
use crate::paging::Paging;
use crate::params::Params;
use crate::resource::{self, Making, Resource, Shown};

struct Numbers;

impl Resource for Numbers {
    const KIND: Kind = Kind::Number;
    const PATH: &'static str = "/IncomingPhoneNumbers";
    const LIST: &'static str = "incoming_phone_numbers";
    const FIELDS: &'static [Field] = &[
        NAME,
        VOICE_URL,
        VOICE_METHOD,
        VOICE_FALLBACK_URL,
        VOICE_FALLBACK_METHOD,
        STATUS_CALLBACK,
        STATUS_CALLBACK_METHOD,
        CALLER_ID_LOOKUP,
        Field {
            param: "VoiceApplicationSid",
            key: "voice_application_sid",
            is: Is::Sid("AP", 21420),
            first: First::Text(""),
        },
        url("SmsUrl", "sms_url", First::Text("")),
        method("SmsMethod", "sms_method"),
        url("SmsFallbackUrl", "sms_fallback_url", First::Text("")),
        method("SmsFallbackMethod", "sms_fallback_method"),
        sid("SmsApplicationSid", "sms_application_sid", "AP", First::Text("")),
        sid("TrunkSid", "trunk_sid", "TK", First::Null),
        sid("IdentitySid", "identity_sid", "RI", First::Null),
        sid("AddressSid", "address_sid", "AD", First::Null),
        sid("BundleSid", "bundle_sid", "BU", First::Null),
        sid("EmergencyAddressSid", "emergency_address_sid", "AD", First::Null),
        Field {
            param: "EmergencyStatus",
            key: "emergency_status",
            is: Is::Word(&["Active", "Inactive"], 20001),
            first: First::Text("Inactive"),
        },
        Field {
            param: "VoiceReceiveMode",
            key: "voice_receive_mode",
            is: Is::Word(&["voice", "fax"], 20001),
            first: First::Text("voice"),
        },
    ];
    const MORE: &'static [&'static str] = &["PhoneNumber", "AreaCode", "ApiVersion", "AccountSid"];

    fn sid(body: &Map<String, Value>, _: &Params, api: &Api) -> Option<String> {
        let number = normalise(body.get("phone_number")?.as_str()?);
        Some(number_sid(api.account_sid, &number))
    }

    fn check(making: &Making<'_>, body: &mut Map<String, Value>) -> Result<(), ApiError> {
        if making.old.is_none() {
            let number = new_number(making)?;
            body.insert("phone_number".to_owned(), json!(number));
            if body["friendly_name"].is_null() {
                body.insert("friendly_name".to_owned(), json!(super::call::formatted(&number)));
            }
        }
        let own = making.book.plain().account_sid.to_string();
        if making.form.text("AccountSid").is_some_and(|sid| sid != own) {
            return Err(ApiError::new(20001, "AccountSid: the box has no other account to give a number to"));
        }
        fallback_has_a_url(making, body)?;
        application_there(making, 21420)?;
        if body["trunk_sid"].as_str().is_some_and(|sid| !sid.is_empty()) {
            return Err(ApiError::new(
                20001,
                "TrunkSid names no trunk of this box: calls come to its documents",
            ));
        }
        Ok(())
    }

    fn check_query(query: &Params) -> Result<(), ApiError> {
        query.choice("Beta").map(|_| ())
    }

    fn is_wanted(query: &Params, entry: &Entry) -> bool {
        let number = entry.text("phone_number").unwrap_or_default();
        query.text("PhoneNumber").is_none_or(|pattern| contains(pattern, number))
            && query.text("FriendlyName").is_none_or(|name| entry.text("friendly_name") == Some(name))
            && query.text("Origin").is_none_or(|origin| origin == ORIGIN)
            // None of the box's is new to the platform; a filter for those that are finds nothing.
            && query.text("Beta").is_none_or(|beta| !beta.eq_ignore_ascii_case("true"))
    }

    fn show(entry: &Entry, at: &Shown<'_>, shown: &mut Map<String, Value>) {
        // One that is gone is nobody's any more.
        let application = entry.text("voice_application_sid").unwrap_or_default();
        if at.book.get(Kind::Application, "", application).is_none() {
            shown.insert("voice_application_sid".to_owned(), json!(""));
        }
        let number = entry.text("phone_number").unwrap_or_default();
        for (key, value) in [
            ("phone_number", json!(number)),
            ("api_version", json!("2010-04-01")),
            ("address_requirements", json!("none")),
            ("beta", json!(false)),
            ("capabilities", json!({ "voice": true, "sms": false, "mms": false, "fax": false })),
            ("emergency_address_status", json!("unregistered")),
            ("origin", json!(ORIGIN)),
            ("status", json!("in-use")),
            ("type", json!(kind_of(number))),
        ] {
            shown.insert(key.to_owned(), value);
        }
    }
}

pub(crate) fn routes() -> Router<Api> {
    let mut routes = resource::routes::<Numbers>();
    for (path, kind) in [("Local", "local"), ("Mobile", "mobile"), ("TollFree", "toll free")] {
        let of_kind = get(move |authorized, api, uri| list_of_kind(kind, authorized, api, uri))
            .post(resource::create::<Numbers>);
        for end in [".json", ""] {
            routes = routes.route(&format!("{}/{path}{end}", Numbers::PATH), of_kind.clone());
        }
    }
    routes
}

/// The one place every number of the box is from.
const ORIGIN: &str = "hosted";

const fn sid(param: &'static str, key: &'static str, prefix: &'static str, first: First) -> Field {
    Field { param, key, is: Is::Sid(prefix, 20001), first }
}

/// GET: those of one type.
async fn list_of_kind(
    kind: &'static str,
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Value>, ApiError> {
    let query = Params::read(uri.query().unwrap_or_default().as_bytes());
    let paging = Paging::read(&query)?;
    Numbers::check_query(&query)?;
    let book = api.office.view();
    let mut rows = book.list(Kind::Number, "");
    rows.retain(|entry| Numbers::is_wanted(&query, entry));
    rows.retain(|entry| kind_of(entry.text("phone_number").unwrap_or_default()) == kind);
    let key = |entry: &std::sync::Arc<Entry>| (entry.created.unwrap_or_default(), entry.key.sid.clone());
    let base = format!("/2010-04-01/Accounts/{}", api.account_sid);
    let at = Shown { account: api.account_sid, base: &base, book: &book };
    let rows = paging.among(rows, key)?;
    let show = |entry: &std::sync::Arc<Entry>| resource::show::<Numbers>(entry, &at);
    Ok(Json(paging.envelope(uri.path(), Numbers::LIST, rows, key, show)))
}

/// Numbers nobody pays for by their prefix in the North American plan; every other number is somewhere.
fn kind_of(number: &str) -> &'static str {
    const TOLL_FREE: [&str; 7] = ["+1800", "+1888", "+1877", "+1866", "+1855", "+1844", "+1833"];
    if TOLL_FREE.iter().any(|prefix| number.starts_with(prefix)) { "toll free" } else { "local" }
}

/// The number a form makes: one that can be dialled and is nobody's yet.
fn new_number(making: &Making<'_>) -> Result<String, ApiError> {
    let Some(text) = making.form.text("PhoneNumber") else {
        return Err(match making.form.text("AreaCode") {
            Some(_) => ApiError::new(21457, "AreaCode: the box has no numbers to choose from; name one"),
            None => ApiError::new(21421, "PhoneNumber is missing"),
        });
    };
    let number = normalise(text);
    if !is_dialable(&number) || number.len() > NUMBER_CHARS_MAX {
        return Err(ApiError::new(21421, format!("PhoneNumber is invalid: {text}")));
    }
    let office = making.book.office();
    let taken = office.numbers.contains_key(&number)
        || office.emergency_numbers.contains(&number)
        || office.phones.contains_key(&number)
        || office.phone_by_extension(&number).is_some();
    if taken {
        return Err(ApiError::new(21422, format!("{number} is in use")));
    }
    Ok(number)
}

/// Characters of a number: E.164's 15 digits, an access code and a `+`.
const NUMBER_CHARS_MAX: usize = 32;

/// Whether a pattern is found in a number: digits in a row, `*` for any character (reference: rest-voice §11).
fn contains(pattern: &str, number: &str) -> bool {
    let pattern: Vec<char> = normalise(pattern).chars().collect();
    let number: Vec<char> = number.chars().collect();
    number.len() >= pattern.len()
        && number
            .windows(pattern.len().max(1))
            .any(|part| pattern.iter().zip(part).all(|(wanted, there)| *wanted == '*' || wanted == there))
}

#[cfg(test)]
mod tests {
    use twiml::Source;

    use super::*;
    use crate::v2010::tests::{api, ask, keys, send};

    fn url_of(api: &Api, number: &str) -> Option<String> {
        match &api.office.view().office().numbers.get(number)?.application.voice {
            Source::Url { url, .. } => Some(url.clone()),
            Source::Inline(text) => Some(text.clone()),
        }
    }

    #[tokio::test]
    async fn one_is_made_points_somewhere_and_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        let (_, app) = ask(&api, "POST", "Applications.json", "VoiceUrl=http://web.example/app").await;
        let form = format!(
            "PhoneNumber=%2B15550002222&VoiceUrl=http://x/&VoiceApplicationSid={}",
            app["sid"].as_str().unwrap()
        );
        let (status, made) = ask(&api, "POST", "IncomingPhoneNumbers.json", &form).await;
        let published: Value =
            serde_json::from_str(include_str!("../../../tests/data/rest/incoming_phone_number.json"))
                .unwrap();
        assert_eq!((status, keys(&made)), (201, keys(&published)), "{made}");
        assert_eq!((&made["friendly_name"], &made["type"]), (&json!("(555) 000-2222"), &json!("local")));
        assert_eq!(url_of(&api, "+15550002222").unwrap(), "http://web.example/app");
        let path = format!("IncomingPhoneNumbers/{}.json", made["sid"].as_str().unwrap());
        assert_eq!(made["voice_application_sid"], app["sid"]);
        let app = format!("Applications/{}.json", app["sid"].as_str().unwrap());
        assert_eq!(send(&api, "DELETE", &app, "", "secret").await.status(), 204);
        let (status, orphan) = ask(&api, "POST", &path, "FriendlyName=Front").await;
        assert_eq!((status, &orphan["voice_application_sid"]), (200, &json!("")), "{orphan}");
        let without = url_of(&api, "+15550002222").unwrap();
        assert!(without.contains("<Response"), "a number whose application is gone has no URL: {without}");
        let (status, _) = ask(&api, "POST", &path, "VoiceApplicationSid=").await;
        assert_eq!((status, url_of(&api, "+15550002222").unwrap()), (200, "http://x/".to_owned()));
        assert_eq!(send(&api, "DELETE", &path, "", "secret").await.status(), 204);
        assert_eq!(url_of(&api, "+15550002222"), None);
    }

    #[tokio::test]
    async fn the_files_number_is_changed_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        let (_, page) = ask(&api, "GET", "IncomingPhoneNumbers.json", "").await;
        let number = &page["incoming_phone_numbers"][0];
        assert_eq!(
            (&number["phone_number"], &number["voice_url"]),
            (&json!("+15550001111"), &json!("http://web.example/file"))
        );
        let path = format!("IncomingPhoneNumbers/{}.json", number["sid"].as_str().unwrap());
        let (status, changed) = ask(&api, "POST", &path, "VoiceUrl=http://web.example/new").await;
        assert_eq!((status, &changed["sid"]), (200, &number["sid"]));
        assert_eq!(url_of(&api, "+15550001111").unwrap(), "http://web.example/new");
        let stored = api.store.resources().await.unwrap();
        assert!(stored.len() == 1 && stored[0].over.is_some(), "{stored:?}");
    }

    #[tokio::test]
    async fn lists_are_filtered() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        for number in ["18005550123", "442079460000"] {
            ask(
                &api,
                "POST",
                "IncomingPhoneNumbers.json",
                &format!("PhoneNumber=%2B{number}&FriendlyName=n"),
            )
            .await;
        }
        for (path, count) in [
            ("IncomingPhoneNumbers.json", 3),
            ("IncomingPhoneNumbers/Local.json", 2),
            ("IncomingPhoneNumbers/TollFree", 1),
            ("IncomingPhoneNumbers/Mobile.json", 0),
            ("IncomingPhoneNumbers.json?PhoneNumber=555", 2),
            ("IncomingPhoneNumbers.json?PhoneNumber=%2B1555*001", 1),
            ("IncomingPhoneNumbers.json?FriendlyName=n", 2),
            ("IncomingPhoneNumbers.json?Beta=true", 0),
        ] {
            let (status, page) = ask(&api, "GET", path, "").await;
            assert_eq!(
                (status, page["incoming_phone_numbers"].as_array().map(Vec::len)),
                (200, Some(count)),
                "{path}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_wrong_has_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        for (form, code) in [
            ("", 21421),
            ("PhoneNumber=ann", 21421),
            ("AreaCode=415", 21457),
            ("PhoneNumber=%2B15550001111", 21422),
            ("PhoneNumber=101", 21422),
            ("PhoneNumber=112", 21422),
            ("PhoneNumber=%2B15550003333&VoiceUrl=x", 21402),
            ("PhoneNumber=%2B15550003333&VoiceMethod=x", 21403),
            ("PhoneNumber=%2B15550003333&VoiceFallbackUrl=http://x/", 21405),
            ("PhoneNumber=%2B15550003333&VoiceApplicationSid=AP00000000000000000000000000000009", 21420),
        ] {
            let (status, body) = ask(&api, "POST", "IncomingPhoneNumbers.json", form).await;
            assert_eq!((status, &body["code"]), (400, &json!(code)), "{form}");
        }
    }
}
