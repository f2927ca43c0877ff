//! SIP domains: `…/SIP/Domains.json` and each (reference: rest-voice §10).
//!
//! A domain is a name the box answers to, with phones of its own (mapped credential lists) and peers of its own (mapped
//! access lists). With a voice URL every call from them is its document's; without one they dial as the box's phones and
//! trunks do.

use axum::Router;
use config::{Book, Entry, EntryKey, Kind};
use serde_json::{Map, Value, json};

use crate::Api;
use crate::error::ApiError;
use crate::fields::{Field, First, Is};
use crate::resource::{self, Making, Resource, Shown};

struct Domains;

impl Resource for Domains {
    const KIND: Kind = Kind::Domain;
    const PATH: &'static str = "/SIP/Domains";
    const LIST: &'static str = "domains";
    const MOST: (usize, u32) = (100, 21230);
    const FIELDS: &'static [Field] = &[
        Field { param: "DomainName", key: "domain_name", is: Is::Text(253, 21232), first: First::Null },
        Field { param: "FriendlyName", key: "friendly_name", is: Is::Text(64, 21231), first: First::Null },
        url("VoiceUrl", "voice_url"),
        method("VoiceMethod", "voice_method"),
        url("VoiceFallbackUrl", "voice_fallback_url"),
        method("VoiceFallbackMethod", "voice_fallback_method"),
        url("VoiceStatusCallbackUrl", "voice_status_callback_url"),
        method("VoiceStatusCallbackMethod", "voice_status_callback_method"),
        flag("SipRegistration", "sip_registration"),
        flag("EmergencyCallingEnabled", "emergency_calling_enabled"),
        flag("Secure", "secure"),
        Field { param: "ByocTrunkSid", key: "byoc_trunk_sid", is: Is::Sid("BY", 21231), first: First::Null },
        Field {
            param: "EmergencyCallerSid",
            key: "emergency_caller_sid",
            is: Is::Sid("PN", 21231),
            first: First::Null,
        },
    ];

    fn check(making: &Making<'_>, body: &mut Map<String, Value>) -> Result<(), ApiError> {
        let name = body["domain_name"].as_str().unwrap_or_default().to_ascii_lowercase();
        if !is_host_name(&name) {
            return Err(ApiError::new(21232, "DomainName must be a host name, as desk.office.example"));
        }
        let own = making.old.map(|old| old.key.sid.as_str());
        let plain = making.book.plain();
        let taken = making
            .book
            .of_kind(Kind::Domain)
            .any(|other| Some(other.key.sid.as_str()) != own && other.text("domain_name") == Some(&name));
        if taken || plain.domain.as_deref() == Some(&name) || plain.trunks.contains_key(&name) {
            return Err(ApiError::new(21232, format!("{name} is taken")));
        }
        if body["secure"] == true {
            return Err(ApiError::new(21231, "Secure: the box takes SIP over UDP and TCP"));
        }
        let carrier = body["byoc_trunk_sid"].as_str().unwrap_or_default();
        if !carrier.is_empty() && making.book.get(Kind::ByocTrunk, "", carrier).is_none() {
            return Err(ApiError::new(21231, format!("There is no BYOC trunk {carrier}")));
        }
        body.insert("domain_name".to_owned(), json!(name));
        if body["friendly_name"].is_null() {
            body.insert("friendly_name".to_owned(), json!(name));
        }
        Ok(())
    }

    fn may_go(book: &Book, entry: &Entry) -> Result<(), ApiError> {
        let sid = entry.key.sid.as_str();
        let carries = book.of_kind(Kind::ByocTrunk).any(|trunk| trunk.text("from_domain_sid") == Some(sid));
        let belongs = book.of_kind(Kind::SourceIpMapping).any(|m| m.text("sip_domain_sid") == Some(sid));
        if carries || belongs {
            return Err(ApiError::new(21233, "A BYOC trunk or a source IP mapping names the domain"));
        }
        Ok(())
    }

    /// The mappings say nothing without it.
    fn goes_along(book: &Book, entry: &Entry) -> Vec<EntryKey> {
        let kinds = [Kind::Registrations, Kind::CallCredentials, Kind::CallAddresses];
        let mappings = kinds.into_iter().flat_map(|kind| book.list(kind, &entry.key.sid));
        mappings.map(|mapping| mapping.key.clone()).collect()
    }

    fn show(entry: &Entry, at: &Shown<'_>, shown: &mut Map<String, Value>) {
        let sid = &entry.key.sid;
        let below = format!("{}{}/{sid}", at.base, Self::PATH);
        let mapped = |kind| !at.book.list(kind, sid).is_empty();
        let ways = [(Kind::CallAddresses, "IP_ACL"), (Kind::CallCredentials, "CREDENTIAL_LIST")];
        let ways: Vec<&str> =
            ways.into_iter().filter(|(kind, _)| mapped(*kind)).map(|(_, word)| word).collect();
        for (key, value) in [
            ("api_version", json!("2010-04-01")),
            ("auth_type", json!(ways.join(","))),
            (
                "subresource_uris",
                json!({
                    "credential_list_mappings": format!("{below}/CredentialListMappings.json"),
                    "ip_access_control_list_mappings": format!("{below}/IpAccessControlListMappings.json"),
                }),
            ),
        ] {
            shown.insert(key.to_owned(), value);
        }
    }
}

pub(crate) fn routes() -> Router<Api> {
    resource::routes::<Domains>()
}

const fn url(param: &'static str, key: &'static str) -> Field {
    Field { param, key, is: Is::Url(21231), first: First::Null }
}

const fn method(param: &'static str, key: &'static str) -> Field {
    Field { param, key, is: Is::Method(21231), first: First::Text("POST") }
}

const fn flag(param: &'static str, key: &'static str) -> Field {
    Field { param, key, is: Is::Flag, first: First::Flag(false) }
}

/// Labels of letters, digits and hyphens, at least two: an address names nobody (RFC 1123 §2.1).
fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    name.len() <= 253
        && name.contains('.')
        && name.split('.').all(label)
        && name.parse::<std::net::IpAddr>().is_err()
}
