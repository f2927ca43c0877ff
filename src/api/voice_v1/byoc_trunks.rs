//! Carriers: `/v1/ByocTrunks` and each (reference: rest-voice §15). `byoc` in documents names one.

use axum::Router;
use config::{Book, Entry, Kind};
use serde_json::{Map, Value};

use crate::Api;
use crate::error::ApiError;
use crate::fields::{Field, First, Is};
use crate::resource::{self, Form, Making, Resource};

struct ByocTrunks;

impl Resource for ByocTrunks {
    const KIND: Kind = Kind::ByocTrunk;
    const PATH: &'static str = "/ByocTrunks";
    const FORM: Form = Form::V1;
    const LIST: &'static str = "byoc_trunks";
    const MOST: (usize, u32) = (100, 20001);
    const FIELDS: &'static [Field] = &[
        Field { param: "FriendlyName", key: "friendly_name", is: Is::Text(255, 20001), first: First::Null },
        url("VoiceUrl", "voice_url"),
        method("VoiceMethod", "voice_method"),
        url("VoiceFallbackUrl", "voice_fallback_url"),
        method("VoiceFallbackMethod", "voice_fallback_method"),
        url("StatusCallbackUrl", "status_callback_url"),
        method("StatusCallbackMethod", "status_callback_method"),
        Field {
            param: "CnamLookupEnabled",
            key: "cnam_lookup_enabled",
            is: Is::Flag,
            first: First::Flag(false),
        },
        Field {
            param: "ConnectionPolicySid",
            key: "connection_policy_sid",
            is: Is::Sid("NY", 20001),
            first: First::Null,
        },
        Field {
            param: "FromDomainSid",
            key: "from_domain_sid",
            is: Is::Sid("SD", 20001),
            first: First::Null,
        },
    ];

    fn check(making: &Making<'_>, body: &mut Map<String, Value>) -> Result<(), ApiError> {
        let named = [("connection_policy_sid", Kind::ConnectionPolicy), ("from_domain_sid", Kind::Domain)];
        for (key, kind) in named {
            let sid = body.get(key).and_then(Value::as_str).unwrap_or_default();
            if !sid.is_empty() && making.book.get(kind, "", sid).is_none() {
                return Err(ApiError::new(20001, format!("There is no {kind} {sid}")));
            }
        }
        Ok(())
    }

    fn may_go(book: &Book, entry: &Entry) -> Result<(), ApiError> {
        if book.of_kind(Kind::Domain).any(|d| d.text("byoc_trunk_sid") == Some(entry.key.sid.as_str())) {
            return Err(ApiError::new(20409, "A SIP domain names the trunk"));
        }
        Ok(())
    }
}

pub(crate) fn routes() -> Router<Api> {
    resource::routes::<ByocTrunks>()
}

const fn url(param: &'static str, key: &'static str) -> Field {
    Field { param, key, is: Is::Url(20001), first: First::Null }
}

const fn method(param: &'static str, key: &'static str) -> Field {
    Field { param, key, is: Is::Method(20001), first: First::Text("POST") }
}
