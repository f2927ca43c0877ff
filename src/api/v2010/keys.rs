//! What opens the API beside the account's token: `…/Keys.json` and `…/SigningKeys.json`, two names of the same
//! (reference: rest-voice §13).
//!
//! A secret is shown once. What is kept of it is its SHA-256; it follows from the key's sid and the box's own seed, so
//! that tokens signed with it can be checked although it stands nowhere.

use axum::extract::{OriginalUri, Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use config::{Entry, EntryKey, Kind};
use serde_json::{Map, Value, json};

use crate::Api;
use crate::auth::Authorized;
use crate::door::Origin;
use crate::error::ApiError;
use crate::fields::{Field, First, Is};
use crate::keys::{Scope, secret_hash, secret_of};
use crate::params::Params;
use crate::resource::{self, Making, Resource, Shown, new_entry, random_sid};

/// Under the one name or the other.
struct Keys<const SIGNING: bool>;

impl<const SIGNING: bool> Resource for Keys<SIGNING> {
    const KIND: Kind = Kind::ApiKey;
    const PATH: &'static str = if SIGNING { "/SigningKeys" } else { "/Keys" };
    const LIST: &'static str = if SIGNING { "signing_keys" } else { "keys" };
    const FIELDS: &'static [Field] = &[NAME];
    const MORE: &'static [&'static str] = &["KeyType", "Policy"];

    fn check(making: &Making<'_>, body: &mut Map<String, Value>) -> Result<(), ApiError> {
        scope(making, body)
    }

    fn show(_: &Entry, _: &Shown<'_>, shown: &mut Map<String, Value>) {
        bare(shown);
    }
}

pub(crate) fn routes() -> Router<Api> {
    both::<Keys<false>>().merge(both::<Keys<true>>())
}

fn both<R: Resource>() -> Router<Api> {
    let list = get(resource::list::<R>).post(create::<R>);
    let one = get(resource::fetch::<R>).post(resource::update::<R>).delete(resource::delete::<R>);
    Router::new()
        .route(&format!("{}.json", R::PATH), list.clone())
        .route(R::PATH, list)
        .route(&format!("{}/{{sid}}", R::PATH), one)
}

/// POST: makes one; the only answer that has its secret.
async fn create<R: Resource>(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(_): OriginalUri,
    Path(_): Path<Vec<(String, String)>>,
    origin: Origin,
    form: Params,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sid = random_sid(Kind::ApiKey.prefix())?;
    let secret = secret_of(&api.key_seed, &sid);
    let hash = secret_hash(&secret);
    let made = api.office.change(|draft| {
        if draft.book.of_kind(Kind::ApiKey).count() >= KEYS_MAX {
            return Err(ApiError::new(
                20001,
                format!("There are {KEYS_MAX} keys already, the most there may be"),
            ));
        }
        let mut body = Map::new();
        crate::fields::read(R::FIELDS, &form, &mut body)?;
        R::check(&Making { book: &draft.book, form: &form, old: None }, &mut body)?;
        body.insert("secret_sha256".to_owned(), json!(hash));
        let key = EntryKey { kind: Kind::ApiKey, parent: String::new(), sid };
        Ok(draft.put(new_entry(key, body, draft.now)))
    });
    let entry = made.await?;
    let mut shown = resource::shown::<R>(&api, &origin, &entry);
    shown["secret"] = json!(secret);
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Keys of one box.
const KEYS_MAX: usize = 1_000;

const NAME: Field =
    Field { param: "FriendlyName", key: "friendly_name", is: Is::Text(64, 20001), first: First::Text("") };

/// What a new key may do stands in its form and stays so.
fn scope(making: &Making<'_>, body: &mut Map<String, Value>) -> Result<(), ApiError> {
    if making.old.is_none() {
        let scope = Scope::read(making.form)?;
        body.insert("key_type".to_owned(), json!(scope.as_str()));
        if let Scope::Restricted(allowed) = scope {
            body.insert("policy".to_owned(), json!({ "allow": allowed }));
        }
    }
    Ok(())
}

/// Keys are shown without account and path.
fn bare(shown: &mut Map<String, Value>) {
    shown.remove("account_sid");
    shown.remove("uri");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2010::tests::{api, ask, ask_with, keys, send};

    async fn key(api: &Api, form: &str) -> (String, String) {
        let (status, made) = ask(api, "POST", "Keys.json", form).await;
        assert_eq!(status, 201, "{made}");
        (made["sid"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn a_secret_is_shown_once_and_stands_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        let (status, made) = ask(&api, "POST", "SigningKeys.json", "FriendlyName=desk").await;
        let published: Value =
            serde_json::from_str(include_str!("../../../tests/data/rest/key_new.json")).unwrap();
        assert_eq!((status, keys(&made)), (201, keys(&published)));
        let path = format!("Keys/{}.json", made["sid"].as_str().unwrap());
        let (_, read) = ask(&api, "GET", &path, "").await;
        assert_eq!(keys(&read).len(), 4, "{read}");
        let (_, page) = ask(&api, "GET", "SigningKeys.json", "").await;
        assert_eq!(page["signing_keys"], json!([read]));
        let stored = format!("{:?}", api.store.resources().await.unwrap());
        assert!(!stored.contains(made["secret"].as_str().unwrap()) && !format!("{page}").contains("sha256"));
        assert_eq!(ask(&api, "POST", &path, "FriendlyName=door").await.1["friendly_name"], "door");
        assert_eq!(send(&api, "DELETE", &path, "", "secret").await.status(), 204);
    }

    #[tokio::test]
    async fn a_key_opens_what_its_scope_says() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        let standard = key(&api, "").await;
        let main = key(&api, "KeyType=main").await;
        let policy = "{\"allow\":[\"/twilio/voice/calls/read\",\"/twilio/voice/applications/*\"]}";
        let policy: String = url::form_urlencoded::byte_serialize(policy.as_bytes()).collect();
        let restricted = key(&api, &format!("KeyType=restricted&Policy={policy}")).await;
        for (who, method, path, status) in [
            (&standard, "GET", "Calls.json", 200),
            (&standard, "GET", "Keys.json", 403),
            (&standard, "POST", "SigningKeys.json", 403),
            (&main, "GET", "Keys.json", 200),
            (&main, "GET", "Calls.json", 200),
            (&restricted, "GET", "Calls.json", 200),
            (&restricted, "POST", "Calls.json", 403),
            (&restricted, "GET", "Queues.json", 403),
            (&restricted, "POST", "Applications.json", 201),
            (&restricted, "GET", "Keys.json", 403),
        ] {
            let (told, body) = ask_with(&api, method, path, &who.0, &who.1).await;
            assert_eq!(told, status, "{method} {path}: {body}");
        }
        assert_eq!(ask_with(&api, "GET", "Calls.json", &standard.0, "wrong").await.0, 401);
        assert_eq!(ask_with(&api, "GET", "Calls.json", &standard.0, &main.1).await.0, 401);
        send(&api, "DELETE", &format!("Keys/{}.json", standard.0), "", "secret").await;
        assert_eq!(ask_with(&api, "GET", "Calls.json", &standard.0, &standard.1).await.0, 401);
        for form in ["KeyType=wide", "KeyType=restricted", "KeyType=restricted&Policy=%7B%7D"] {
            assert_eq!(ask(&api, "POST", "Keys.json", form).await.1["code"], 20001, "{form}");
        }
    }
}
