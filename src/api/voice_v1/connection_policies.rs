//! Where calls to a carrier go: `/v1/ConnectionPolicies`, and the targets of each (reference: rest-voice §10, §15).
//! The targets of the lowest priority are tried first, of those the ones of the highest weight.

use axum::Router;
use config::{Book, Entry, EntryKey, Kind};
use serde_json::{Map, Value, json};
use sip::{Host, Scheme, Uri};

use crate::Api;
use crate::error::ApiError;
use crate::fields::{Field, First, Is};
use crate::resource::{self, Form, Making, Resource, Shown};

struct Policies;

impl Resource for Policies {
    const KIND: Kind = Kind::ConnectionPolicy;
    const PATH: &'static str = "/ConnectionPolicies";
    const FORM: Form = Form::V1;
    const LIST: &'static str = "connection_policies";
    const MOST: (usize, u32) = (100, 21253);
    const FIELDS: &'static [Field] = &[Field {
        param: "FriendlyName",
        key: "friendly_name",
        is: Is::Text(255, 20001),
        first: First::Null,
    }];

    fn may_go(book: &Book, entry: &Entry) -> Result<(), ApiError> {
        let sid = Some(entry.key.sid.as_str());
        if book.of_kind(Kind::ByocTrunk).any(|trunk| trunk.text("connection_policy_sid") == sid) {
            return Err(ApiError::new(20409, "A BYOC trunk names the policy"));
        }
        Ok(())
    }

    fn goes_along(book: &Book, entry: &Entry) -> Vec<EntryKey> {
        book.list(Kind::Target, &entry.key.sid).iter().map(|target| target.key.clone()).collect()
    }

    fn show(entry: &Entry, at: &Shown<'_>, shown: &mut Map<String, Value>) {
        let targets = format!("{}{}/{}/Targets", at.base, Self::PATH, entry.key.sid);
        shown.insert("links".to_owned(), json!({ "targets": targets }));
    }
}

struct Targets;

impl Resource for Targets {
    const KIND: Kind = Kind::Target;
    const PARENT: Option<Kind> = Some(Kind::ConnectionPolicy);
    const PATH: &'static str = "/ConnectionPolicies/{parent}/Targets";
    const FORM: Form = Form::V1;
    const LIST: &'static str = "targets";
    const MOST: (usize, u32) = (100, 21254);
    const FIELDS: &'static [Field] = &[
        Field { param: "Target", key: "target", is: Is::Text(255, 20001), first: First::Null },
        Field { param: "FriendlyName", key: "friendly_name", is: Is::Text(255, 20001), first: First::Null },
        Field {
            param: "Priority",
            key: "priority",
            is: Is::Number(0..=65_535, 20001),
            first: First::Number(10),
        },
        Field { param: "Weight", key: "weight", is: Is::Number(1..=65_535, 20001), first: First::Number(10) },
        Field { param: "Enabled", key: "enabled", is: Is::Flag, first: First::Flag(true) },
    ];

    fn check(_: &Making<'_>, body: &mut Map<String, Value>) -> Result<(), ApiError> {
        let text = body["target"].as_str().unwrap_or_default();
        let wrong = || ApiError::new(20001, "Target must be a SIP URI, as sip:192.0.2.20:5060");
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let is_hostless = matches!(&uri.host, Host::Name(name) if name.is_empty());
        if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) || is_hostless || uri.user.is_some() {
            return Err(wrong());
        }
        Ok(())
    }

    fn show(entry: &Entry, _: &Shown<'_>, shown: &mut Map<String, Value>) {
        shown.insert("connection_policy_sid".to_owned(), json!(entry.key.parent));
    }
}

pub(crate) fn routes() -> Router<Api> {
    resource::routes::<Policies>().merge(resource::routes::<Targets>())
}
