//! What the configuration says about requests.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use super::connect::{Clients, Trust};
use super::destination::Destinations;
use super::ed25519::SigningKey;
use crate::dns::Resolver;

/// How requests are made.
#[derive(Clone, Debug, Default)]
pub struct WebhookConfig {
    /// What signs every request.
    pub signer: Signer,
    /// The box's own recordings, which it may hear without being told its own password.
    pub own_recordings: Option<OwnRecordings>,
    /// Where `file:` URLs are read; absent: they are refused.
    pub documents_root: Option<PathBuf>,
    /// The `User-Agent` header; empty: [`WebhookConfig::USER_AGENT`].
    pub user_agent: String,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// Where requests may go.
    pub destinations: Destinations,
}

/// What proves that a request comes from the box.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signer {
    /// The account's auth token, which signs unless there is a shared key.
    pub auth_token: Secret,
    /// What signs in place of the token.
    pub shared_key: Option<SharedKey>,
}

/// A key that receivers know by its name (reference: webhooks §5.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedKey {
    /// Its name.
    pub id: String,
    /// The key.
    pub key: Secret,
    /// HMAC with SHA-256 instead of SHA-1.
    pub sha256: bool,
}

/// The header that says what a signature was made with, if it was not the token (reference: webhooks §5.6).
const SIGNED_WITH_HEADER: &str = "X-Twilio-Webhooks-Signature-Settings";

/// Where the box's own recordings are fetched (reference: rest-voice §8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRecordings {
    /// What their URLs begin with, up to and with the slash before the sid.
    pub prefix: String,
    /// Who may fetch them, with the account's token as the password.
    pub account: String,
}

impl OwnRecordings {
    fn credentials(&self, url: &Url, token: &Secret) -> Option<(String, String)> {
        let ours = url.as_str().starts_with(&self.prefix);
        ours.then(|| (self.account.clone(), token.as_str().to_owned()))
    }
}

impl Signer {
    /// The headers of a request to this URL with these parameters of a form; a media stream's handshake has none.
    pub(crate) fn headers(&self, url: &str, params: &[(String, String)]) -> Vec<(&'static str, String)> {
        let Some(SharedKey { id, key, sha256 }) = &self.shared_key else {
            return vec![(twiml::SIGNATURE_HEADER, twiml::signature(self.auth_token.as_str(), url, params))];
        };
        let (signature, algorithm) = if *sha256 {
            (twiml::signature_sha256(key.as_str(), url, params), "HMAC_SHA256")
        } else {
            (twiml::signature(key.as_str(), url, params), "HMAC_SHA1")
        };
        let with = format!("key={id},algorithm={algorithm}");
        vec![(twiml::SIGNATURE_HEADER, signature), (SIGNED_WITH_HEADER, with)]
    }
}

impl WebhookConfig {
    /// Our name and, because some applications ask for it, the vendor's.
    pub const USER_AGENT: &str = concat!("Tandem/", env!("CARGO_PKG_VERSION"), " TwilioProxy/1.1");
}

/// A text that never shows in logs.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A configuration made ready for use.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) signer: Signer,
    own_recordings: Option<OwnRecordings>,
    /// Signs requests of the other dialect.
    pub(super) key: SigningKey,
    pub(super) documents_root: Option<PathBuf>,
    pub(super) destinations: Arc<Destinations>,
    pub(super) clients: Clients,
}

impl Settings {
    pub(super) fn new(config: WebhookConfig, resolver: Resolver) -> Result<Self, reqwest::Error> {
        let destinations = Arc::new(config.destinations);
        let user_agent = match config.user_agent.as_str() {
            "" => WebhookConfig::USER_AGENT,
            other => other,
        };
        let clients = Clients::new(user_agent, &config.trust, destinations.clone(), resolver)?;
        Ok(Self {
            key: SigningKey::of(config.signer.auth_token.as_str()),
            signer: config.signer,
            own_recordings: config.own_recordings,
            documents_root: config.documents_root,
            destinations,
            clients,
        })
    }

    /// Name and password for a URL that gives none, when it is one of the box's own recordings.
    pub(super) fn own(&self, url: &Url) -> Option<(String, String)> {
        self.own_recordings.as_ref()?.credentials(url, &self.signer.auth_token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_prints_without_its_secret() {
        let config = WebhookConfig {
            signer: Signer { auth_token: "hush".into(), shared_key: None },
            ..WebhookConfig::default()
        };
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn the_token_signs_or_a_shared_key_that_is_named() {
        let params = [("Digits".to_owned(), "1".to_owned())];
        let signature =
            |shared_key| Signer { auth_token: "token".into(), shared_key }.headers("http://h/x", &params);
        let of_token = twiml::signature("token", "http://h/x", &params);
        assert_eq!(signature(None), [(twiml::SIGNATURE_HEADER, of_token)], "and says nothing of it");
        for (sha256, with) in
            [(false, "key=desk,algorithm=HMAC_SHA1"), (true, "key=desk,algorithm=HMAC_SHA256")]
        {
            let sign = if sha256 { twiml::signature_sha256 } else { twiml::signature };
            let expected = sign("hush", "http://h/x", &params);
            let told = signature(Some(SharedKey { id: "desk".to_owned(), key: "hush".into(), sha256 }));
            assert_eq!(
                told,
                [
                    (twiml::SIGNATURE_HEADER, expected),
                    ("X-Twilio-Webhooks-Signature-Settings", with.to_owned())
                ]
            );
        }
    }

    #[test]
    fn the_box_gives_its_password_for_its_own_recordings_alone() {
        let prefix = "http://box.example:8080/2010-04-01/Accounts/AC1/Recordings/".to_owned();
        let own = OwnRecordings { prefix: prefix.clone(), account: "AC1".to_owned() };
        for (url, given) in [
            (format!("{prefix}RE1.wav"), true),
            (format!("{prefix}../Calls.json"), false),
            ("http://box.example:8080/2010-04-01/Accounts/AC1/Calls.json".to_owned(), false),
            ("http://other.example/2010-04-01/Accounts/AC1/Recordings/RE1".to_owned(), false),
        ] {
            let credentials = own.credentials(&Url::parse(&url).unwrap(), &"hush".into());
            let expected = given.then(|| ("AC1".to_owned(), "hush".to_owned()));
            assert_eq!(credentials, expected, "{url}");
        }
    }
}
