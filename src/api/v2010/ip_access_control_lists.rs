//! Trusted addresses: `…/SIP/IpAccessControlLists.json`, and the addresses of each (reference: rest-voice §10).

use axum::Router;
use config::{Book, Entry, EntryKey, Kind};
use serde_json::{Map, Value, json};

use crate::Api;
use crate::error::ApiError;
use crate::fields::{Field, First, Is};
use crate::networks;
use crate::resource::{self, Making, Resource, Shown};

struct Lists;

impl Resource for Lists {
    const KIND: Kind = Kind::AccessList;
    const PATH: &'static str = "/SIP/IpAccessControlLists";
    const LIST: &'static str = "ip_access_control_lists";
    const MOST: (usize, u32) = (100, 21255);
    const FIELDS: &'static [Field] = &[Field {
        param: "FriendlyName",
        key: "friendly_name",
        is: Is::Text(255, 21235),
        first: First::Null,
    }];

    fn check(making: &Making<'_>, _: &mut Map<String, Value>) -> Result<(), ApiError> {
        resource::required(making, "FriendlyName", 21235)
    }

    fn may_go(book: &Book, entry: &Entry) -> Result<(), ApiError> {
        if book.of_kind(Kind::CallAddresses).any(|mapping| mapping.key.sid == entry.key.sid) {
            return Err(ApiError::new(21236, "A domain maps the list"));
        }
        Ok(())
    }

    fn goes_along(book: &Book, entry: &Entry) -> Vec<EntryKey> {
        book.list(Kind::Address, &entry.key.sid).iter().map(|address| address.key.clone()).collect()
    }

    fn show(entry: &Entry, at: &Shown<'_>, shown: &mut Map<String, Value>) {
        let uri = format!("{}{}/{}/IpAddresses.json", at.base, Self::PATH, entry.key.sid);
        shown.insert("subresource_uris".to_owned(), json!({ "ip_addresses": uri }));
    }
}

struct Addresses;

impl Resource for Addresses {
    const KIND: Kind = Kind::Address;
    const PARENT: Option<Kind> = Some(Kind::AccessList);
    const PATH: &'static str = "/SIP/IpAccessControlLists/{parent}/IpAddresses";
    const LIST: &'static str = "ip_addresses";
    const MOST: (usize, u32) = (100, 21237);
    const FIELDS: &'static [Field] = &[
        Field { param: "FriendlyName", key: "friendly_name", is: Is::Text(255, 21238), first: First::Null },
        Field { param: "IpAddress", key: "ip_address", is: Is::Text(45, 21238), first: First::Null },
        Field {
            param: "CidrPrefixLength",
            key: "cidr_prefix_length",
            is: Is::Number(0..=128, 21238),
            first: First::Null,
        },
    ];

    fn check(making: &Making<'_>, body: &mut Map<String, Value>) -> Result<(), ApiError> {
        if making.old.is_none() {
            resource::required(making, "FriendlyName", 21238)?;
        }
        networks::check(body, 21238)
    }

    fn show(entry: &Entry, _: &Shown<'_>, shown: &mut Map<String, Value>) {
        shown.insert("ip_access_control_list_sid".to_owned(), json!(entry.key.parent));
    }
}

pub(crate) fn routes() -> Router<Api> {
    resource::routes::<Lists>().merge(resource::routes::<Addresses>())
}
