//! Applications: `…/Applications.json` and each (reference: rest-voice §11).

use axum::Router;
use config::{Entry, Kind};
use serde_json::{Map, Value, json};

use crate::Api;
use crate::error::ApiError;
use crate::fields::{Field, First, Is};
use crate::params::Params;
use crate::resource::{self, Making, Resource, Shown};

struct Applications;

impl Resource for Applications {
    const KIND: Kind = Kind::Application;
    const PATH: &'static str = "/Applications";
    const LIST: &'static str = "applications";
    const FIELDS: &'static [Field] = &[
        NAME,
        VOICE_URL,
        VOICE_METHOD,
        VOICE_FALLBACK_URL,
        VOICE_FALLBACK_METHOD,
        STATUS_CALLBACK,
        STATUS_CALLBACK_METHOD,
        CALLER_ID_LOOKUP,
        url("SmsUrl", "sms_url", First::Null),
        method("SmsMethod", "sms_method"),
        url("SmsFallbackUrl", "sms_fallback_url", First::Null),
        method("SmsFallbackMethod", "sms_fallback_method"),
        url("SmsStatusCallback", "sms_status_callback", First::Null),
        url("MessageStatusCallback", "message_status_callback", First::Null),
        Field {
            param: "PublicApplicationConnectEnabled",
            key: "public_application_connect_enabled",
            is: Is::Flag,
            first: First::Flag(false),
        },
    ];
    const MORE: &'static [&'static str] = &["ApiVersion", "Dialect"];

    fn check(making: &Making<'_>, body: &mut Map<String, Value>) -> Result<(), ApiError> {
        fallback_has_a_url(making, body)?;
        if body["friendly_name"].is_null() {
            body.insert("friendly_name".to_owned(), json!(""));
        }
        if let Some(dialect) = making.form.one_of("Dialect", &["twiml", "texml"], 20001)? {
            body.insert("dialect".to_owned(), json!(dialect));
        }
        Ok(())
    }

    fn is_wanted(query: &Params, entry: &Entry) -> bool {
        query.text("FriendlyName").is_none_or(|name| entry.text("friendly_name") == Some(name))
    }

    fn show(_: &Entry, _: &Shown<'_>, shown: &mut Map<String, Value>) {
        shown.insert("api_version".to_owned(), json!("2010-04-01"));
    }
}

pub(crate) fn routes() -> Router<Api> {
    resource::routes::<Applications>()
}

/// What an application and a number have alike.
pub(super) const NAME: Field =
    Field { param: "FriendlyName", key: "friendly_name", is: Is::Text(64, 20001), first: First::Null };
pub(super) const VOICE_URL: Field = url("VoiceUrl", "voice_url", First::Null);
pub(super) const VOICE_METHOD: Field = method("VoiceMethod", "voice_method");
pub(super) const VOICE_FALLBACK_URL: Field = url("VoiceFallbackUrl", "voice_fallback_url", First::Null);
pub(super) const VOICE_FALLBACK_METHOD: Field = method("VoiceFallbackMethod", "voice_fallback_method");
pub(super) const STATUS_CALLBACK: Field = url("StatusCallback", "status_callback", First::Text(""));
pub(super) const STATUS_CALLBACK_METHOD: Field = method("StatusCallbackMethod", "status_callback_method");
pub(super) const CALLER_ID_LOOKUP: Field = Field {
    param: "VoiceCallerIdLookup",
    key: "voice_caller_id_lookup",
    is: Is::Flag,
    first: First::Flag(false),
};

/// A URL of an application or a number (reference: error-codes 21402).
pub(super) const fn url(param: &'static str, key: &'static str, first: First) -> Field {
    Field { param, key, is: Is::Url(21402), first }
}

/// How it is asked for (reference: error-codes 21403).
pub(super) const fn method(param: &'static str, key: &'static str) -> Field {
    Field { param, key, is: Is::Method(21403), first: First::Text("POST") }
}

/// A fallback is for what comes before it (reference: error-codes 21405).
///
/// A document that stands in the file has no URL to show, and its fallback is as good: only who names one is asked.
pub(super) fn fallback_has_a_url(making: &Making<'_>, body: &Map<String, Value>) -> Result<(), ApiError> {
    if ["VoiceUrl", "VoiceFallbackUrl", "VoiceApplicationSid"]
        .iter()
        .all(|name| making.form.given(name).is_none())
    {
        return Ok(());
    }
    let given = |key: &str| body.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    if given("voice_fallback_url") && !given("voice_url") && !given("voice_application_sid") {
        return Err(ApiError::new(21405, "VoiceFallbackUrl is given without VoiceUrl"));
    }
    Ok(())
}

/// Whether there is an application of this sid, if a form names one.
pub(super) fn application_there(making: &Making<'_>, code: u32) -> Result<(), ApiError> {
    let sid = making.form.text("VoiceApplicationSid").unwrap_or_default();
    if !sid.is_empty() && making.book.get(Kind::Application, "", sid).is_none() {
        return Err(ApiError::new(code, format!("There is no application {sid}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::v2010::tests::{api, ask, keys, send};

    #[tokio::test]
    async fn one_is_made_changed_and_deleted_in_the_published_shape() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        let form = "FriendlyName=Desk&VoiceUrl=http://web.example/a&VoiceMethod=GET&StatusCallback=http://web.example/s";
        let (status, made) = ask(&api, "POST", "Applications.json", form).await;
        let mut names = keys(&made);
        let published: Value =
            serde_json::from_str(include_str!("../../../tests/data/rest/application.json")).unwrap();
        assert_eq!(status, 201, "{made}");
        // The schema has it, the example has not.
        assert!(
            names.remove("sms_status_callback")
                && names == keys(&published).into_iter().filter(|n| n != "sms_status_callback").collect()
        );
        let sid = made["sid"].as_str().unwrap();
        let office = api.office.view().office();
        assert!(format!("{:?}", office.applications[sid].voice).contains("http://web.example/a"));
        let path = format!("Applications/{sid}.json");
        let (status, changed) = ask(&api, "POST", &path, "VoiceUrl=http://web.example/b&VoiceMethod=").await;
        assert_eq!((status, &changed["voice_url"]), (200, &"http://web.example/b".into()));
        assert_eq!((&changed["voice_method"], &changed["friendly_name"]), (&"POST".into(), &"Desk".into()));
        assert_eq!(ask(&api, "GET", &path, "").await.1, changed);
        let (_, page) = ask(&api, "GET", "Applications.json?FriendlyName=Desk", "").await;
        assert_eq!(page["applications"].as_array().unwrap().len(), 1);
        let (_, page) = ask(&api, "GET", "Applications.json", "").await;
        assert_eq!(page["applications"].as_array().unwrap().len(), 2, "the file's is among them");
        assert_eq!(send(&api, "DELETE", &path, "", "secret").await.status(), 204);
        assert_eq!(ask(&api, "GET", &path, "").await.0, 404);
        assert!(!api.office.view().office().applications.contains_key(sid));
    }

    #[tokio::test]
    async fn what_is_wrong_has_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        for (form, code) in [
            ("VoiceUrl=nowhere", 21402),
            ("VoiceUrl=http://w/&VoiceMethod=PUT", 21403),
            ("VoiceFallbackUrl=http://w/", 21405),
            ("VoiceCallerIdLookup=perhaps", 20001),
        ] {
            let (status, body) = ask(&api, "POST", "Applications.json", form).await;
            assert_eq!((status, &body["code"]), (400, &code.into()), "{form}");
        }
        assert_eq!(
            ask(&api, "GET", "Applications.json", "").await.1["applications"].as_array().unwrap().len(),
            1
        );
    }
}
