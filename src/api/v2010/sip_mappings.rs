//! What a SIP domain lets in: the lists mapped to it, by the older paths directly below the domain and by those below
//! `Auth` (reference: rest-voice §10). The older ones are those of `Auth/Calls`.

use axum::Router;
use config::{Entry, Kind};
use serde_json::{Map, Value, json};

use crate::Api;
use crate::error::ApiError;
use crate::fields::Field;
use crate::params::Params;
use crate::resource::{self, Making, Resource, Shown};

macro_rules! mappings {
    ($($name:ident: $kind:ident of $list:ident, $param:literal, $path:literal, $rows:literal, $is_old:literal;)*) => {
        $(
            struct $name;

            impl Resource for $name {
                const KIND: Kind = Kind::$kind;
                const PARENT: Option<Kind> = Some(Kind::Domain);
                const PATH: &'static str = concat!("/SIP/Domains/{parent}/", $path);
                const LIST: &'static str = $rows;
                const FIELDS: &'static [Field] = &[];
                const MORE: &'static [&'static str] = &[$param];

                /// A mapping has the sid of the list it maps.
                fn sid(_: &Map<String, Value>, form: &Params, _: &Api) -> Option<String> {
                    form.text($param).map(str::to_owned)
                }

                fn check(making: &Making<'_>, _: &mut Map<String, Value>) -> Result<(), ApiError> {
                    list_there(making, $param, Kind::$list)
                }

                fn show(entry: &Entry, at: &Shown<'_>, shown: &mut Map<String, Value>) {
                    describe(entry, Kind::$list, $is_old, at, shown);
                }
            }
        )*

        pub(crate) fn routes() -> Router<Api> {
            Router::new()$(.merge(resource::routes_without_update::<$name>()))*
        }
    };
}

mappings! {
    OldCredentials: CallCredentials of CredentialList, "CredentialListSid", "CredentialListMappings",
        "credential_list_mappings", true;
    OldAddresses: CallAddresses of AccessList, "IpAccessControlListSid", "IpAccessControlListMappings",
        "ip_access_control_list_mappings", true;
    CallCredentials: CallCredentials of CredentialList, "CredentialListSid", "Auth/Calls/CredentialListMappings",
        "contents", false;
    CallAddresses: CallAddresses of AccessList, "IpAccessControlListSid", "Auth/Calls/IpAccessControlListMappings",
        "contents", false;
    Registrations: Registrations of CredentialList, "CredentialListSid",
        "Auth/Registrations/CredentialListMappings", "contents", false;
}

fn list_there(making: &Making<'_>, param: &str, kind: Kind) -> Result<(), ApiError> {
    let Some(sid) = making.form.text(param) else {
        return Err(ApiError::new(20001, format!("{param} is missing")));
    };
    match making.book.get(kind, "", sid) {
        Some(_) => Ok(()),
        None => Err(ApiError::new(20001, format!("There is no list {sid}"))),
    }
}

/// The older ones have a path and name their domain, the others neither.
fn describe(entry: &Entry, kind: Kind, is_old: bool, at: &Shown<'_>, shown: &mut Map<String, Value>) {
    let list = at.book.get(kind, "", &entry.key.sid);
    shown.insert("friendly_name".to_owned(), json!(list.and_then(|list| list.text("friendly_name"))));
    if is_old {
        shown.insert("domain_sid".to_owned(), json!(entry.key.parent));
    } else {
        shown.remove("uri");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2010::tests::{api, ask, keys, send};

    fn published(text: &str) -> std::collections::BTreeSet<String> {
        keys(&serde_json::from_str(text).unwrap())
    }

    async fn made(api: &Api, path: &str, form: &str) -> (String, Value) {
        let (status, body) = ask(api, "POST", path, form).await;
        assert_eq!(status, 201, "{path} {form}: {body}");
        (body["sid"].as_str().unwrap().to_owned(), body)
    }

    #[tokio::test]
    async fn a_domain_with_phones_and_peers_is_put_together_and_taken_apart() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        let (domain, shown) =
            made(&api, "SIP/Domains.json", "DomainName=Desk.Example&SipRegistration=true").await;
        assert_eq!(keys(&shown), published(include_str!("../../../tests/data/rest/sip_domain.json")));
        assert_eq!((&shown["domain_name"], &shown["auth_type"]), (&json!("desk.example"), &json!("")));
        let (list, shown) = made(&api, "SIP/CredentialLists.json", "FriendlyName=Desks").await;
        assert_eq!(keys(&shown), published(include_str!("../../../tests/data/rest/credential_list.json")));
        let users = format!("SIP/CredentialLists/{list}/Credentials.json");
        let (user, shown) = made(&api, &users, "Username=dora&Password=Secret123456").await;
        assert_eq!(keys(&shown), published(include_str!("../../../tests/data/rest/credential.json")));
        assert!(!format!("{:?}", api.store.resources().await.unwrap()).contains("Secret123456"));
        assert!(!api.office.view().office().phones.contains_key("dora"), "an unmapped list opens nothing");
        let auth = format!("SIP/Domains/{domain}/Auth/Registrations/CredentialListMappings.json");
        let (mapping, shown) = made(&api, &auth, &format!("CredentialListSid={list}")).await;
        assert_eq!(keys(&shown), published(include_str!("../../../tests/data/rest/auth_mapping.json")));
        assert_eq!((&mapping, &shown["friendly_name"]), (&list, &json!("Desks")));
        let office = api.office.view().office();
        assert!(office.domains["desk.example"].registers.contains("dora"));
        let phone = &office.phones["dora"];
        let expected = sip::UserCredentials::from_password("dora", &office.realm, "Secret123456");
        assert_eq!((&phone.ha1_md5.0, &phone.ha1_sha256.0), (&expected.ha1_md5, &expected.ha1_sha256));

        let (access, shown) = made(&api, "SIP/IpAccessControlLists.json", "FriendlyName=Peers").await;
        assert_eq!(
            keys(&shown),
            published(include_str!("../../../tests/data/rest/ip_access_control_list.json"))
        );
        let addresses = format!("SIP/IpAccessControlLists/{access}/IpAddresses.json");
        let (address, shown) =
            made(&api, &addresses, "FriendlyName=a&IpAddress=192.0.2.9&CidrPrefixLength=24").await;
        assert_eq!(keys(&shown), published(include_str!("../../../tests/data/rest/ip_address.json")));
        let old = format!("SIP/Domains/{domain}/IpAccessControlListMappings");
        let (_, shown) =
            made(&api, &format!("{old}.json"), &format!("IpAccessControlListSid={access}")).await;
        assert_eq!(
            keys(&shown),
            published(include_str!("../../../tests/data/rest/credential_list_mapping.json"))
        );
        assert_eq!(api.office.view().office().domains["desk.example"].sources.len(), 1);
        let (_, page) = ask(
            &api,
            "GET",
            &format!("SIP/Domains/{domain}/Auth/Calls/IpAccessControlListMappings.json"),
            "",
        )
        .await;
        assert_eq!(page["contents"].as_array().map(Vec::len), Some(1), "both paths lead to the same: {page}");
        assert_eq!(
            ask(&api, "GET", &format!("SIP/Domains/{domain}.json"), "").await.1["auth_type"],
            "IP_ACL"
        );
        let old_users = format!("SIP/Domains/{domain}/CredentialListMappings");
        made(&api, &format!("{old_users}.json"), &format!("CredentialListSid={list}")).await;
        assert_eq!(
            ask(&api, "GET", &format!("SIP/Domains/{domain}.json"), "").await.1["auth_type"],
            "IP_ACL,CREDENTIAL_LIST"
        );

        for (path, status, code) in [
            (format!("SIP/CredentialLists/{list}.json"), 400, 21241),
            (format!("SIP/IpAccessControlLists/{access}.json"), 400, 21236),
        ] {
            let (told, body) = ask(&api, "DELETE", &path, "").await;
            assert_eq!((told, &body["code"]), (status, &json!(code)), "{path}");
        }
        let gone = |path: String| {
            let api = api.clone();
            async move { send(&api, "DELETE", &path, "", "secret").await.status().as_u16() }
        };
        assert_eq!(gone(format!("{old}/{access}.json")).await, 204);
        assert_eq!(gone(format!("SIP/IpAccessControlLists/{access}/IpAddresses/{address}.json")).await, 204);
        assert_eq!(gone(format!("SIP/CredentialLists/{list}/Credentials/{user}.json")).await, 204);
        assert!(!api.office.view().office().phones.contains_key("dora"), "a phone that is deleted is none");
        assert_eq!(gone(format!("SIP/Domains/{domain}.json")).await, 204);
        assert_eq!(gone(format!("SIP/CredentialLists/{list}.json")).await, 204, "no domain maps it any more");
    }

    #[tokio::test]
    async fn what_is_wrong_has_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        let (domain, _) = made(&api, "SIP/Domains.json", "DomainName=desk.example").await;
        let (list, _) = made(&api, "SIP/CredentialLists.json", "FriendlyName=Desks").await;
        let (access, _) = made(&api, "SIP/IpAccessControlLists.json", "FriendlyName=Peers").await;
        let users = format!("SIP/CredentialLists/{list}/Credentials.json");
        made(&api, &users, "Username=dora&Password=Secret123456").await;
        let addresses = format!("SIP/IpAccessControlLists/{access}/IpAddresses.json");
        let mappings = format!("SIP/Domains/{domain}/Auth/Calls/CredentialListMappings.json");
        for (path, form, code) in [
            ("SIP/Domains.json", "", 21232),
            ("SIP/Domains.json", "DomainName=DESK.example", 21232),
            ("SIP/Domains.json", "DomainName=192.0.2.1", 21232),
            ("SIP/Domains.json", "DomainName=a.example&VoiceUrl=x", 21231),
            ("SIP/Domains.json", "DomainName=a.example&Secure=true", 21231),
            ("SIP/CredentialLists.json", "", 21240),
            (&users, "Username=emil&Password=short", 21243),
            (&users, "Username=emil&Password=alllowercase1", 21243),
            (&users, "Username=dora&Password=Secret123456", 21243),
            (&users, "Username=ann&Password=Secret123456", 21243),
            (&users, "Username=a%20b&Password=Secret123456", 21243),
            ("SIP/IpAccessControlLists.json", "", 21235),
            (&addresses, "FriendlyName=a&IpAddress=host", 21238),
            (&addresses, "FriendlyName=a&IpAddress=0.0.0.0&CidrPrefixLength=0", 21238),
            (&addresses, "FriendlyName=a&IpAddress=192.0.2.1&CidrPrefixLength=33", 21238),
            (&mappings, "", 20001),
            (&mappings, "CredentialListSid=CL00000000000000000000000000000009", 20001),
        ] {
            let (status, body) = ask(&api, "POST", path, form).await;
            assert_eq!((status, &body["code"]), (400, &json!(code)), "{path} {form}: {body}");
        }
        let nowhere = "SIP/CredentialLists/CL00000000000000000000000000000009/Credentials.json";
        assert_eq!(ask(&api, "GET", nowhere, "").await.0, 404);
    }
}
