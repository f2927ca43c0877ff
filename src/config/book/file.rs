//! What of the file the REST API shows and may change: numbers, applications, caller ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AccountSid, PhoneNumberSid, derived};
use call::office::{Application, Office};
use serde_json::{Map, Value, json};
use twiml::Source;

use super::{Entry, EntryKey, Kind, Origin};

/// The sid of a number of the office, the same in every run: it is known by its number alone.
pub fn number_sid(account: AccountSid, number: &str) -> String {
    PhoneNumberSid(derived(account, &format!("number {number}"))).to_string()
}

/// That of a caller id, likewise.
pub fn caller_id_sid(account: AccountSid, number: &str) -> String {
    PhoneNumberSid(derived(account, &format!("caller id {number}"))).to_string()
}

pub(super) fn entries(office: &Office, caller_ids: &[String]) -> BTreeMap<EntryKey, Arc<Entry>> {
    let account = office.account_sid;
    let mut all = BTreeMap::new();
    let mut add = |kind, sid: String, mark: String, body| {
        let key = EntryKey { kind, parent: String::new(), sid };
        let entry =
            Entry { key: key.clone(), created: None, updated: None, body, origin: Origin::File(mark) };
        all.insert(key, Arc::new(entry));
    };
    for (sid, application) in &office.applications {
        let mut body = voice(application);
        body.insert("friendly_name".to_owned(), json!(sid));
        add(Kind::Application, sid.clone(), mark(account, application), body);
    }
    for (number, owned) in &office.numbers {
        let mut body = voice(&owned.application);
        body.insert("friendly_name".to_owned(), json!(owned.number));
        body.insert("phone_number".to_owned(), json!(owned.number));
        add(Kind::Number, number_sid(account, number), mark(account, &owned.application), body);
    }
    for number in caller_ids {
        let body = json!({ "friendly_name": number, "phone_number": number });
        let body = body.as_object().cloned().unwrap_or_default();
        add(Kind::CallerId, caller_id_sid(account, number), number.clone(), body);
    }
    all
}

/// Stays the same as long as what stands in the file does.
fn mark(account: AccountSid, application: &Application) -> String {
    let text = serde_json::to_string(application).unwrap_or_default();
    format!("{:032x}", derived(account, &text))
}

/// A document that stands in the file itself has no URL to show.
pub(super) fn voice(application: &Application) -> Map<String, Value> {
    let (url, method) = match &application.voice {
        Source::Url { url, method } => (Some(url.clone()), *method),
        Source::Inline(_) => (None, twiml::HttpMethod::Post),
    };
    let fallback = application.fallback.as_ref();
    let callback = application.status_callback.as_ref();
    let method_of = |method: Option<twiml::HttpMethod>| method.unwrap_or_default().as_str();
    let body = json!({
        "voice_url": url,
        "voice_method": method.as_str(),
        "voice_fallback_url": fallback.map(|fallback| &fallback.url),
        "voice_fallback_method": method_of(fallback.map(|fallback| fallback.method)),
        "status_callback": callback.map(|callback| &callback.url),
        "status_callback_method": method_of(callback.map(|callback| callback.method)),
    });
    body.as_object().cloned().unwrap_or_default()
}
