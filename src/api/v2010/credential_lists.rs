//! Users with passwords: `…/SIP/CredentialLists.json`, and the credentials of each (reference: rest-voice §10).
//!
//! A password comes in and never out: what is kept are its HA1s, for the box's realm (`[sip] domain`), which is one for
//! all its phones. All phones of the box have one space of names.

use axum::Router;
use config::{Book, Entry, EntryKey, Kind};
use serde_json::{Map, Value, json};
use sip::UserCredentials;

use crate::Api;
use crate::error::ApiError;
use crate::fields::{Field, First, Is};
use crate::resource::{self, Making, Resource, Shown};

struct Lists;

impl Resource for Lists {
    const KIND: Kind = Kind::CredentialList;
    const PATH: &'static str = "/SIP/CredentialLists";
    const LIST: &'static str = "credential_lists";
    const MOST: (usize, u32) = (100, 21239);
    const FIELDS: &'static [Field] =
        &[Field { param: "FriendlyName", key: "friendly_name", is: Is::Text(64, 21240), first: First::Null }];

    fn check(making: &Making<'_>, _: &mut Map<String, Value>) -> Result<(), ApiError> {
        resource::required(making, "FriendlyName", 21240)
    }

    fn may_go(book: &Book, entry: &Entry) -> Result<(), ApiError> {
        let mut mappings = book.of_kind(Kind::Registrations).chain(book.of_kind(Kind::CallCredentials));
        if mappings.any(|mapping| mapping.key.sid == entry.key.sid) {
            return Err(ApiError::new(21241, "A domain maps the list"));
        }
        Ok(())
    }

    fn goes_along(book: &Book, entry: &Entry) -> Vec<EntryKey> {
        book.list(Kind::Credential, &entry.key.sid).iter().map(|user| user.key.clone()).collect()
    }

    fn show(entry: &Entry, at: &Shown<'_>, shown: &mut Map<String, Value>) {
        let uri = format!("{}{}/{}/Credentials.json", at.base, Self::PATH, entry.key.sid);
        shown.insert("subresource_uris".to_owned(), json!({ "credentials": uri }));
    }
}

struct Credentials;

impl Resource for Credentials {
    const KIND: Kind = Kind::Credential;
    const PARENT: Option<Kind> = Some(Kind::CredentialList);
    const PATH: &'static str = "/SIP/CredentialLists/{parent}/Credentials";
    const LIST: &'static str = "credentials";
    const MOST: (usize, u32) = (1_000, 21242);
    const FIELDS: &'static [Field] = &[];
    const MORE: &'static [&'static str] = &["Username", "Password"];

    fn check(making: &Making<'_>, body: &mut Map<String, Value>) -> Result<(), ApiError> {
        let wrong = |why: &str| ApiError::new(21243, why);
        let name = match making.old {
            Some(old) => old.text("username").unwrap_or_default().to_owned(),
            None => new_name(making)?,
        };
        let Some(password) = making.form.given("Password") else {
            return match making.old {
                Some(_) => Ok(()),
                None => Err(wrong("Password is missing")),
            };
        };
        let has = |what: fn(&char) -> bool| password.chars().any(|c| what(&c));
        let is_strong = password.chars().count() >= PASSWORD_CHARS_MIN
            && has(char::is_ascii_digit)
            && has(char::is_ascii_lowercase)
            && has(char::is_ascii_uppercase);
        if !is_strong {
            return Err(wrong(
                "Password needs 12 characters, a digit, a lower and an upper case letter among them",
            ));
        }
        let realm = &making.book.plain().realm;
        let UserCredentials { ha1_md5, ha1_sha256 } = UserCredentials::from_password(&name, realm, password);
        for (key, value) in [
            ("username", name.as_str()),
            ("realm", realm),
            ("ha1_md5", &ha1_md5),
            ("ha1_sha256", &ha1_sha256),
        ] {
            body.insert(key.to_owned(), json!(value));
        }
        Ok(())
    }

    fn show(entry: &Entry, _: &Shown<'_>, shown: &mut Map<String, Value>) {
        shown.insert("username".to_owned(), json!(entry.text("username")));
        shown.insert("credential_list_sid".to_owned(), json!(entry.key.parent));
    }
}

pub(crate) fn routes() -> Router<Api> {
    resource::routes::<Lists>().merge(resource::routes::<Credentials>())
}

/// Characters a password has at least (reference: rest-voice §10).
const PASSWORD_CHARS_MIN: usize = 12;
/// Characters a name has at most.
const NAME_CHARS_MAX: usize = 32;

/// A name that no phone of the box has yet.
fn new_name(making: &Making<'_>) -> Result<String, ApiError> {
    let wrong = |why: String| ApiError::new(21243, why);
    let name = making.form.text("Username").ok_or_else(|| wrong("Username is missing".to_owned()))?;
    let right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+');
    if name.len() > NAME_CHARS_MAX || !name.chars().all(right) {
        return Err(wrong(format!("Username has up to {NAME_CHARS_MAX} letters, digits and . _ - @ +")));
    }
    let plain = making.book.plain();
    let taken = plain.phones.contains_key(name)
        || plain.phone_by_extension(name).is_some()
        || making.book.of_kind(Kind::Credential).any(|user| user.text("username") == Some(name));
    if taken {
        return Err(wrong(format!("Username {name} is that of another phone of the box")));
    }
    Ok(name.to_owned())
}
