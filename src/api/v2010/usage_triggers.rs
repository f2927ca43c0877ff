//! `…/Usage/Triggers.json` and each (reference: rest-voice §13): kept and shown. None fires, because what they watch for
//! is what calls cost, and here they cost nothing.

use axum::Router;
use config::{Entry, Kind};
use serde_json::{Map, Value, json};

use crate::Api;
use crate::error::ApiError;
use crate::fields::{Field, First, Is};
use crate::params::Params;
use crate::resource::{self, Making, Resource, Shown};

struct Triggers;

impl Resource for Triggers {
    const KIND: Kind = Kind::UsageTrigger;
    const PATH: &'static str = "/Usage/Triggers";
    const LIST: &'static str = "usage_triggers";
    const FIELDS: &'static [Field] = &[
        Field { param: "FriendlyName", key: "friendly_name", is: Is::Text(64, 20001), first: First::Null },
        Field { param: "CallbackUrl", key: "callback_url", is: Is::Url(21402), first: First::Null },
        Field {
            param: "CallbackMethod",
            key: "callback_method",
            is: Is::Method(21403),
            first: First::Text("POST"),
        },
        Field { param: "UsageCategory", key: "usage_category", is: Is::Text(64, 20001), first: First::Null },
        Field { param: "TriggerValue", key: "trigger_value", is: Is::Text(32, 20001), first: First::Null },
        Field {
            param: "TriggerBy",
            key: "trigger_by",
            is: Is::Word(&["count", "usage", "price"], 20001),
            first: First::Text("usage"),
        },
        Field {
            param: "Recurring",
            key: "recurring",
            is: Is::Word(&["daily", "monthly", "yearly", "alltime"], 20001),
            first: First::Null,
        },
    ];

    fn check(_: &Making<'_>, body: &mut Map<String, Value>) -> Result<(), ApiError> {
        let missing = |param: &str| ApiError::new(20001, format!("{param} is missing"));
        for (key, param) in [
            ("callback_url", "CallbackUrl"),
            ("usage_category", "UsageCategory"),
            ("trigger_value", "TriggerValue"),
        ] {
            if body[key].is_null() {
                return Err(missing(param));
            }
        }
        let value = body["trigger_value"].as_str().unwrap_or_default();
        if value.strip_prefix('+').unwrap_or(value).parse::<f64>().is_err() {
            return Err(ApiError::new(20001, "TriggerValue must be a number, or a number after +"));
        }
        Ok(())
    }

    fn is_wanted(query: &Params, entry: &Entry) -> bool {
        [("Recurring", "recurring"), ("TriggerBy", "trigger_by"), ("UsageCategory", "usage_category")]
            .into_iter()
            .all(|(param, key)| query.text(param).is_none_or(|text| entry.text(key) == Some(text)))
    }

    fn show(entry: &Entry, at: &Shown<'_>, shown: &mut Map<String, Value>) {
        let category = entry.text("usage_category").unwrap_or_default();
        for (key, value) in [
            ("api_version", json!("2010-04-01")),
            ("current_value", json!("0")),
            ("date_fired", Value::Null),
            ("usage_record_uri", json!(format!("{}/Usage/Records.json?Category={category}", at.base))),
        ] {
            shown.insert(key.to_owned(), value);
        }
    }
}

pub(crate) fn routes() -> Router<Api> {
    resource::routes::<Triggers>()
}

#[cfg(test)]
mod tests {
    use crate::v2010::tests::{api, ask, keys, send};

    #[tokio::test]
    async fn one_is_kept_in_the_published_shape() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        let form = "CallbackUrl=http://web.example/t&UsageCategory=calls&TriggerValue=%2B50&Recurring=daily";
        let (status, made) = ask(&api, "POST", "Usage/Triggers.json", form).await;
        let published: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/data/rest/usage_trigger.json")).unwrap();
        assert_eq!((status, keys(&made)), (201, keys(&published)), "{made}");
        for (query, count) in [("", 1), ("?Recurring=daily", 1), ("?UsageCategory=sms", 0)] {
            let (_, page) = ask(&api, "GET", &format!("Usage/Triggers.json{query}"), "").await;
            assert_eq!(page["usage_triggers"].as_array().map(Vec::len), Some(count), "{query}");
        }
        for form in ["", "CallbackUrl=http://w/&UsageCategory=calls&TriggerValue=many"] {
            assert_eq!(ask(&api, "POST", "Usage/Triggers.json", form).await.1["code"], 20001, "{form}");
        }
        let path = format!("Usage/Triggers/{}.json", made["sid"].as_str().unwrap());
        assert_eq!(send(&api, "DELETE", &path, "", "secret").await.status(), 204);
    }
}
