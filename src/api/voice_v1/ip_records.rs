//! Addresses, and to which SIP domain each belongs: `/v1/IpRecords`, `/v1/SourceIpMappings` (reference: rest-voice §15).

use axum::Router;
use config::{Book, Entry, Kind};
use serde_json::{Map, Value};

use crate::Api;
use crate::error::ApiError;
use crate::fields::{Field, First, Is};
use crate::networks;
use crate::resource::{self, Form, Making, Resource, Shown};

struct IpRecords;

impl Resource for IpRecords {
    const KIND: Kind = Kind::IpRecord;
    const PATH: &'static str = "/IpRecords";
    const FORM: Form = Form::V1;
    const LIST: &'static str = "ip_records";
    const MOST: (usize, u32) = (1_000, 20001);
    const FIELDS: &'static [Field] = &[
        Field { param: "FriendlyName", key: "friendly_name", is: Is::Text(255, 20001), first: First::Null },
        Field { param: "IpAddress", key: "ip_address", is: Is::Text(45, 20001), first: First::Null },
        Field {
            param: "CidrPrefixLength",
            key: "cidr_prefix_length",
            is: Is::Number(0..=128, 20001),
            first: First::Null,
        },
    ];

    fn check(_: &Making<'_>, body: &mut Map<String, Value>) -> Result<(), ApiError> {
        networks::check(body, 20001)
    }

    fn may_go(book: &Book, entry: &Entry) -> Result<(), ApiError> {
        let sid = Some(entry.key.sid.as_str());
        if book.of_kind(Kind::SourceIpMapping).any(|mapping| mapping.text("ip_record_sid") == sid) {
            return Err(ApiError::new(20409, "A source IP mapping names the record"));
        }
        Ok(())
    }
}

struct Mappings;

impl Resource for Mappings {
    const KIND: Kind = Kind::SourceIpMapping;
    const PATH: &'static str = "/SourceIpMappings";
    const FORM: Form = Form::V1;
    const LIST: &'static str = "source_ip_mappings";
    const MOST: (usize, u32) = (1_000, 20001);
    const FIELDS: &'static [Field] = &[
        Field { param: "IpRecordSid", key: "ip_record_sid", is: Is::Sid("IL", 20001), first: First::Null },
        Field { param: "SipDomainSid", key: "sip_domain_sid", is: Is::Sid("SD", 20001), first: First::Null },
    ];

    fn check(making: &Making<'_>, body: &mut Map<String, Value>) -> Result<(), ApiError> {
        resource::required(making, "SipDomainSid", 20001)?;
        for (key, kind) in [("ip_record_sid", Kind::IpRecord), ("sip_domain_sid", Kind::Domain)] {
            let sid = body[key].as_str().unwrap_or_default();
            if making.book.get(kind, "", sid).is_none() {
                return Err(ApiError::new(20001, format!("There is no {kind} `{sid}`")));
            }
        }
        Ok(())
    }

    fn show(_: &Entry, _: &Shown<'_>, shown: &mut Map<String, Value>) {
        shown.remove("account_sid");
    }
}

pub(crate) fn routes() -> Router<Api> {
    resource::routes::<IpRecords>().merge(resource::routes::<Mappings>())
}
