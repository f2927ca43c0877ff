//! API keys: what one opens, how its secret is known, and the tokens signed with it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use config::{Book, Entry, Kind};
use ring::{digest, hmac};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::params::Params;

/// What a key opens (reference: rest-voice §1, §13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything but the account itself and its keys.
    Standard,
    /// Everything.
    Main,
    /// What these permissions name: `/twilio/<product>/<resource>/<action>`, `*` for any of a part.
    Restricted(Vec<String>),
}

/// Permissions of one key.
const PERMISSIONS_MAX: usize = 100;
/// What a permission names last.
const ACTIONS: [&str; 6] = ["read", "list", "create", "update", "delete", "*"];

impl Scope {
    /// What a form asks for.
    pub(crate) fn read(form: &Params) -> Result<Self, ApiError> {
        match form.one_of("KeyType", &["standard", "main", "restricted"], 20001)? {
            None | Some("standard") => Ok(Scope::Standard),
            Some("main") => Ok(Scope::Main),
            Some(_) => {
                let wrong = || {
                    let form = "{\"allow\":[\"/twilio/voice/calls/read\"]}";
                    ApiError::new(20001, format!("Policy must be JSON as {form}"))
                };
                let policy: Value =
                    serde_json::from_str(form.text("Policy").unwrap_or_default()).map_err(|_| wrong())?;
                let allowed = permissions(&policy).filter(|allowed| !allowed.is_empty()).ok_or_else(wrong)?;
                Ok(Scope::Restricted(allowed))
            }
        }
    }

    fn of(entry: &Entry) -> Self {
        match entry.text("key_type") {
            Some("main") => Scope::Main,
            Some("restricted") => {
                Scope::Restricted(entry.body.get("policy").and_then(permissions).unwrap_or_default())
            }
            Some(_) | None => Scope::Standard,
        }
    }

    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Scope::Standard => "standard",
            Scope::Main => "main",
            Scope::Restricted(_) => "restricted",
        }
    }

    /// Whether it opens this path for this method.
    pub(crate) fn opens(&self, method: &str, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        // `/2010-04-01/Accounts/AC…/<resource>/…` and `/v1/<resource>/…`
        let below = match parts.as_slice() {
            ["2010-04-01", "Accounts", _, below @ ..] => below,
            ["v1", below @ ..] => below,
            _ => &[],
        };
        let plain = |part: &str| kebab(part.strip_suffix(".json").unwrap_or(part));
        let instances = instances(below);
        let resource = below.iter().zip(&instances).rev().find(|(_, is_one)| !**is_one);
        let resource = resource.map(|(part, _)| plain(part));
        let is_managing =
            below.first().is_none_or(|first| matches!(plain(first).as_str(), "keys" | "signing-keys"));
        match self {
            Scope::Main => true,
            Scope::Standard => !is_managing,
            Scope::Restricted(allowed) => {
                let instance = instances.last() == Some(&true);
                let actions: &[&str] = match (method, instance) {
                    ("GET" | "HEAD", true) => &["read"],
                    ("GET" | "HEAD", false) => &["list", "read"],
                    ("DELETE", _) => &["delete"],
                    (_, true) => &["update"],
                    (_, false) => &["create"],
                };
                let Some(resource) = resource.filter(|_| !is_managing) else { return false };
                allowed.iter().any(|permission| permits(permission, &resource, actions))
            }
        }
    }
}

fn permissions(policy: &Value) -> Option<Vec<String>> {
    let list = policy.get("allow")?.as_array()?;
    let fits = |text: &&str| {
        let parts: Vec<&str> = text.split('/').collect();
        matches!(parts.as_slice(), ["", "twilio", _, _, action] if ACTIONS.contains(action))
    };
    let all: Vec<String> = list.iter().filter_map(Value::as_str).filter(fits).map(str::to_owned).collect();
    (all.len() == list.len() && all.len() <= PERMISSIONS_MAX).then_some(all)
}

fn permits(permission: &str, resource: &str, actions: &[&str]) -> bool {
    let mut parts = permission.rsplit('/');
    let (action, named) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    (action == "*" || actions.contains(&action)) && (named == "*" || named == resource)
}

/// Which parts of a path are one of what the part before them names: by their sid, or by a name where such have names.
fn instances(parts: &[&str]) -> Vec<bool> {
    let mut all: Vec<bool> = Vec::new();
    for (n, part) in parts.iter().enumerate() {
        let is_named = n > 0 && !all[n - 1] && NAMED.contains(&parts[n - 1]);
        all.push(is_named || is_sid(part));
    }
    all
}

/// Resources that are found by a name too: a friendly one, a label, `Front`, `Twilio.CURRENT`, a country's code.
const NAMED: [&str; 8] = [
    "Conferences",
    "Participants",
    "Members",
    "Recordings",
    "Streams",
    "Siprec",
    "Transcriptions",
    "Countries",
];

/// A sid, whatever form of the thing is asked for.
fn is_sid(part: &str) -> bool {
    let part = part.split_once('.').map_or(part, |(stem, _)| stem);
    part.len() == 34 && part.get(2..).is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// `IncomingPhoneNumbers` as permissions write it: `incoming-phone-numbers`.
fn kebab(text: &str) -> String {
    let mut out = String::new();
    for (at, c) in text.chars().enumerate() {
        if c.is_ascii_uppercase() && at > 0 {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// The secret of a key of this box.
pub(crate) fn secret_of(seed: &str, sid: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, seed.as_bytes());
    let tag = hmac::sign(&key, sid.as_bytes());
    URL_SAFE_NO_PAD.encode(tag.as_ref()).replace(['-', '_'], "0").chars().take(SECRET_CHARS).collect()
}

/// Characters of a secret: more than 180 bits.
const SECRET_CHARS: usize = 32;

/// What is kept of a secret. It is random and long, so that one hash is as good as many.
pub(crate) fn secret_hash(secret: &str) -> String {
    let hash = digest::digest(&digest::SHA256, secret.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The scope of a key whose secret is shown, if it is right.
pub(crate) fn scope_of(book: &Book, sid: &str, secret: &str) -> Option<Scope> {
    let entry = book.get(Kind::ApiKey, "", sid)?;
    let kept = entry.text("secret_sha256")?;
    same(kept.as_bytes(), secret_hash(secret).as_bytes()).then(|| Scope::of(entry))
}

/// Whose secret this is, for clients that name no key.
pub(crate) fn sid_of(book: &Book, secret: &str) -> Option<String> {
    let hash = secret_hash(secret);
    let is_its = |entry: &&Arc<Entry>| {
        entry.text("secret_sha256").is_some_and(|kept| same(kept.as_bytes(), hash.as_bytes()))
    };
    book.of_kind(Kind::ApiKey).find(is_its).map(|entry| entry.key.sid.clone())
}

/// Compares in time that depends on the lengths alone.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (x, y)| difference | (x ^ y)) == 0
}

/// What an access token says of whoever shows it (reference: taskrouter §13.3).
#[derive(Clone, Debug, PartialEq)]
pub struct AccessToken {
    /// The key it is signed with.
    pub key: String,
    /// `grants`, as they stand there.
    pub grants: Value,
    /// Seconds since 1970 from which on it is good for nothing.
    pub expires: u64,
}

/// Why a token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Not three parts of JSON, or signed in another way.
    #[error("not a token of the form header.payload.signature signed with HS256")]
    Form,
    /// Its key is not one of the box's, or the signature is not that key's.
    #[error("signed with no key of this box")]
    Signature,
    /// For another account.
    #[error("for another account")]
    Account,
    /// Over, or not yet.
    #[error("not valid at this time")]
    Time,
}

/// Longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Checks a token as the official libraries make them: HS256 with the secret of the API key that it names. `now_s` is
/// in seconds since 1970.
pub fn verify_token(
    book: &Book,
    account: base::AccountSid,
    seed: &Arc<str>,
    token: &str,
    now_s: u64,
) -> Result<AccessToken, TokenFault> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenFault::Form);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(TokenFault::Form);
    };
    let (head, body) = (json_part(header)?, json_part(payload)?);
    // The one algorithm there is: what a token says of itself chooses nothing.
    if head["alg"] != "HS256" {
        return Err(TokenFault::Form);
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenFault::Form)?;
    let sid = body["iss"].as_str().unwrap_or_default();
    let entry = book.get(Kind::ApiKey, "", sid).ok_or(TokenFault::Signature)?;
    let secret = secret_of(seed, sid);
    // A seed that was lost makes other secrets than were shown.
    if entry.text("secret_sha256") != Some(secret_hash(&secret).as_str()) {
        return Err(TokenFault::Signature);
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signed = format!("{header}.{payload}");
    hmac::verify(&key, signed.as_bytes(), &signature).map_err(|_| TokenFault::Signature)?;
    if body["sub"] != json!(account) {
        return Err(TokenFault::Account);
    }
    let expires = body["exp"].as_u64().ok_or(TokenFault::Time)?;
    if expires <= now_s || body["nbf"].as_u64().is_some_and(|from| from > now_s + CLOCK_SKEW_S) {
        return Err(TokenFault::Time);
    }
    Ok(AccessToken { key: sid.to_owned(), grants: body["grants"].clone(), expires })
}

/// How far the clock of whoever made a token may be ahead.
const CLOCK_SKEW_S: u64 = 60;

fn json_part(text: &str) -> Result<Value, TokenFault> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenFault::Form)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenFault::Form)
}

#[cfg(test)]
mod tests {
    use base::{AccountSid, Timestamp};
    use call::office::Office;
    use config::{EntryKey, Origin};

    use super::*;

    fn book(sid: &str, seed: &str) -> Book {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tandem.toml");
        std::fs::write(&file, "").unwrap();
        let office: Office = config::load(&file, Some(folder.path())).unwrap().office;
        let body = json!({ "secret_sha256": secret_hash(&secret_of(seed, sid)) });
        let entry = Entry {
            key: EntryKey { kind: Kind::ApiKey, parent: String::new(), sid: sid.to_owned() },
            created: Some(Timestamp(1)),
            updated: Some(Timestamp(1)),
            body: body.as_object().unwrap().clone(),
            origin: Origin::Rest,
        };
        Book::new(office, &[], vec![entry]).0
    }

    fn token(alg: &str, payload: &Value, secret: &str) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = json!({ "alg": alg, "typ": "JWT", "cty": "twilio-fpa;v=1" });
        let signed = format!("{}.{}", encode(&head), encode(payload));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    }

    #[test]
    fn a_token_is_believed_when_everything_is_right() {
        let (sid, seed): (_, Arc<str>) = ("SK00000000000000000000000000000001", "seed".into());
        let (book, account) = (book(sid, &seed), AccountSid(7));
        let good = json!({ "jti": "x", "iss": sid, "sub": account, "nbf": 90, "exp": 200,
            "grants": { "identity": "alice" } });
        let secret = secret_of(&seed, sid);
        let verify = |token: &str, at| verify_token(&book, account, &seed, token, at);
        let read = verify(&token("HS256", &good, &secret), 100).unwrap();
        assert_eq!((read.grants["identity"].as_str(), read.expires), (Some("alice"), 200));
        let with = |key: &str, value: Value| {
            let mut payload = good.clone();
            payload[key] = value;
            token("HS256", &payload, &secret)
        };
        let mut forged = token("HS256", &good, &secret);
        forged.pop();
        for (token, at, fault) in [
            (token("HS256", &good, &secret), 200, TokenFault::Time),
            (token("HS256", &good, &secret), 20, TokenFault::Time),
            (with("exp", Value::Null), 100, TokenFault::Time),
            (token("none", &good, &secret), 100, TokenFault::Form),
            (token("HS256", &good, "another"), 100, TokenFault::Signature),
            (with("iss", json!("SK2")), 100, TokenFault::Signature),
            (with("sub", json!(AccountSid(8))), 100, TokenFault::Account),
            ("a.b".to_owned(), 100, TokenFault::Form),
            (".".repeat(20_000), 100, TokenFault::Form),
        ] {
            assert_eq!(verify(&token, at).unwrap_err(), fault, "{token}");
        }
        assert!(verify(&forged, 100).is_err());
        assert_eq!(
            verify_token(&book, account, &"lost".into(), &token("HS256", &good, &secret), 100).unwrap_err(),
            TokenFault::Signature
        );
    }

    #[test]
    fn permissions_name_resources_and_actions() {
        const AT: &str = "/2010-04-01/Accounts/AC00000000000000000000000000000007";
        let sid = "PN00000000000000000000000000000001";
        let scope = Scope::Restricted(vec![
            "/twilio/voice/incoming-phone-numbers/update".to_owned(),
            "/twilio/voice/byoc-trunks/*".to_owned(),
            "/twilio/voice/participants/read".to_owned(),
            "/twilio/voice/recordings/read".to_owned(),
            "/twilio/voice/recordings/update".to_owned(),
        ]);
        for (method, path, opens) in [
            ("POST", format!("{AT}/IncomingPhoneNumbers/{sid}.json"), true),
            ("POST", format!("{AT}/IncomingPhoneNumbers.json"), false),
            ("GET", format!("{AT}/IncomingPhoneNumbers/{sid}.json"), false),
            ("DELETE", "/v1/ByocTrunks/BY00000000000000000000000000000001".to_owned(), true),
            ("GET", format!("{AT}.json"), false),
            ("GET", format!("{AT}/Conferences/my%20room/Participants/bob.json"), true),
            ("GET", format!("{AT}/Conferences/Participants/Participants.json"), true),
            ("DELETE", format!("{AT}/Conferences/my%20room/Participants/bob.json"), false),
            ("GET", format!("{AT}/Conferences/Participants.json"), false),
            ("GET", format!("{AT}/Recordings/RE00000000000000000000000000000001.wav"), true),
            (
                "POST",
                format!("{AT}/Calls/CA00000000000000000000000000000001/Recordings/Twilio.CURRENT.json"),
                true,
            ),
            ("POST", format!("{AT}/Calls/CA00000000000000000000000000000001/Recordings.json"), false),
            ("GET", format!("{AT}/Queues/QU00000000000000000000000000000001/Members/Front.json"), false),
        ] {
            assert_eq!(scope.opens(method, &path), opens, "{method} {path}");
        }
        assert!(!Scope::Standard.opens("GET", &format!("{AT}.json")));
        assert!(Scope::Main.opens("DELETE", &format!("{AT}/Keys/{sid}.json")));
    }
}
