//! Answering challenges (RFC 7616 §3.4, RFC 3261 §22.2, §22.3).

use base::Rng;
use serde::{Deserialize, Serialize};

use super::digest::{AuthParams, DigestInput};
use super::{DigestAlgorithm, UserCredentials};
use crate::msg::syntax;
use crate::{HeaderName, HeaderValue, Request, Response};

/// Realms one client answers for: the far server's and those of proxies on the way.
const REALMS_MAX: usize = 4;

/// Longest nonce, realm or opaque that is answered; it is sent back with every request.
const CHALLENGE_TEXT_BYTES_MAX: usize = 1024;

/// What to do after a final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestStep {
    /// It was no challenge.
    Done,
    /// Send the request again with a new branch and CSeq, after [`DigestClient::authorize`].
    Retry,
    /// The challenge cannot be met; why.
    GiveUp(&'static str),
}

/// One user's answers to a server's challenges: remembers each realm's nonce and counts its use.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DigestClient {
    username: String,
    password: Secret,
    realms: Vec<Realm>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("redacted")
    }
}

/// The latest challenge of one realm, texts as received between their quotes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Realm {
    proxy: bool,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: DigestAlgorithm,
    /// Whether the parameter was there: RFC 2617 servers may not expect it back.
    algorithm_named: bool,
    qop_auth: bool,
    count: u32,
    /// Answered, and no response but a challenge came since.
    tried: bool,
}

impl DigestClient {
    /// A client that answers with these credentials.
    pub fn new(username: &str, password: &str) -> Self {
        Self { username: username.to_owned(), password: Secret(password.to_owned()), realms: Vec::new() }
    }

    /// Looks at the final response to a request of ours.
    pub fn on_response(&mut self, response: &Response) -> DigestStep {
        let (name, proxy) = match response.code {
            401 => (HeaderName::WwwAuthenticate, false),
            407 => (HeaderName::ProxyAuthenticate, true),
            _ => {
                self.realms.iter_mut().for_each(|realm| realm.tried = false);
                return DigestStep::Done;
            }
        };
        let mut step = DigestStep::GiveUp("no challenge that can be met");
        let mut answered: Vec<String> = Vec::new();
        for value in response.headers.all(&name).map(HeaderValue::text) {
            let Some((challenge, stale)) = Realm::from_challenge(&value, proxy) else { continue };
            // One realm may offer several hashes, the preferred one first (RFC 8760 §2.4).
            if answered.contains(&challenge.realm) {
                continue;
            }
            answered.push(challenge.realm.clone());
            match self.remember(challenge, stale) {
                Ok(()) if step != DigestStep::GiveUp("credentials refused") => step = DigestStep::Retry,
                Ok(()) => {}
                Err(why) => step = DigestStep::GiveUp(why),
            }
        }
        step
    }

    /// Writes credentials for every realm that has challenged into `request`, replacing older ones.
    pub fn authorize(&mut self, request: &mut Request, rng: &mut Rng) {
        request.headers.remove(&HeaderName::Authorization);
        request.headers.remove(&HeaderName::ProxyAuthorization);
        let (method, uri) = (request.method.as_str().to_owned(), request.uri.to_string());
        for realm in &mut self.realms {
            let name = if realm.proxy { HeaderName::ProxyAuthorization } else { HeaderName::Authorization };
            let value = realm.credentials(&self.username, &self.password.0, &method, &uri, &rng.hex(16));
            request.headers.push(name, value);
        }
    }

    fn remember(&mut self, challenge: Realm, stale: bool) -> Result<(), &'static str> {
        let same = |known: &Realm| known.proxy == challenge.proxy && known.realm == challenge.realm;
        match self.realms.iter().position(same) {
            Some(at) if self.realms[at].tried && (!stale || self.realms[at].nonce == challenge.nonce) => {
                // Forgotten, so that a later attempt begins without credentials again.
                self.realms.remove(at);
                Err("credentials refused")
            }
            Some(at) => {
                self.realms[at] = challenge;
                Ok(())
            }
            None if self.realms.len() == REALMS_MAX => Err("too many realms"),
            None => {
                self.realms.push(challenge);
                Ok(())
            }
        }
    }
}

impl Realm {
    /// The challenge, and whether it says that only the nonce was too old; `None` if it cannot be met.
    pub(super) fn from_challenge(value: &str, proxy: bool) -> Option<(Self, bool)> {
        let params = AuthParams::parse(value)?;
        let algorithm = DigestAlgorithm::from_param(params.raw("algorithm"))?;
        let qop = params.raw("qop");
        let qop_auth = qop.is_some_and(|list| list.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")));
        if qop.is_some_and(|list| !list.trim().is_empty()) && !qop_auth {
            return None;
        }
        let (realm, nonce, opaque) = (params.raw("realm")?, params.raw("nonce")?, params.raw("opaque"));
        if [realm, nonce, opaque.unwrap_or("")].iter().any(|text| text.len() > CHALLENGE_TEXT_BYTES_MAX) {
            return None;
        }
        let stale = params.raw("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
        let challenge = Self {
            proxy,
            realm: realm.to_owned(),
            nonce: nonce.to_owned(),
            opaque: opaque.map(str::to_owned),
            algorithm,
            algorithm_named: params.raw("algorithm").is_some(),
            qop_auth,
            count: 0,
            tried: false,
        };
        Some((challenge, stale))
    }

    /// The credentials of one more request.
    pub(super) fn credentials(
        &mut self,
        user: &str,
        password: &str,
        method: &str,
        uri: &str,
        cnonce: &str,
    ) -> String {
        self.tried = true;
        self.count = self.count.wrapping_add(1);
        let nc = format!("{:08x}", self.count);
        let realm = syntax::unquote(&format!("\"{}\"", self.realm)).into_owned();
        let credentials = UserCredentials::from_password(user, &realm, password);
        let response = DigestInput {
            algorithm: self.algorithm,
            method,
            uri,
            nonce: &self.nonce,
            qop_auth: self.qop_auth.then_some((&nc, cnonce)),
        }
        .response(credentials.ha1(self.algorithm));
        let mut value = format!(
            "Digest username={}, realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{response}\"",
            syntax::quote(user),
            self.realm,
            self.nonce,
        );
        if self.algorithm_named {
            value += &format!(", algorithm={}", self.algorithm.as_str());
        }
        if self.qop_auth {
            value += &format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\"");
        }
        if let Some(opaque) = &self.opaque {
            value += &format!(", opaque=\"{opaque}\"");
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Host, Method, Uri};

    fn invite() -> Request {
        Request::new(Method::Invite, Uri::sip("bob", Host::Name("carrier.example".into()), None))
    }

    fn challenge(code: u16, values: &[&str]) -> Response {
        let mut response = invite().response(code, None);
        for value in values {
            let name = if code == 401 { HeaderName::WwwAuthenticate } else { HeaderName::ProxyAuthenticate };
            response.headers.push(name, *value);
        }
        response
    }

    fn credentials(client: &mut DigestClient, name: &HeaderName) -> Vec<String> {
        let mut request = invite();
        client.authorize(&mut request, &mut Rng::seeded(1));
        request.headers.all(name).map(|value| value.text().into_owned()).collect()
    }

    #[test]
    fn credentials_say_what_the_challenge_asked_for() {
        let mut client = DigestClient::new("a \"b\"", "secret");
        let asked =
            "Digest realm=\"c\", nonce=\"n1\", opaque=\"o\\\"1\", algorithm=md5, qop=\"auth-int, auth\"";
        assert_eq!(client.on_response(&challenge(401, &[asked])), DigestStep::Retry);
        for nc in ["00000001", "00000002"] {
            let list = credentials(&mut client, &HeaderName::Authorization);
            let text = &list[0];
            assert!(
                list.len() == 1
                    && text.starts_with("Digest username=\"a \\\"b\\\"\", realm=\"c\", nonce=\"n1\", ")
            );
            assert!(
                text.contains("uri=\"sip:bob@carrier.example\"")
                    && text.contains("algorithm=MD5, qop=auth, ")
            );
            assert!(text.contains(&format!("nc={nc}")) && text.ends_with("opaque=\"o\\\"1\""), "{text}");
        }
    }

    #[test]
    fn what_was_not_named_is_not_named_back() {
        let mut client = DigestClient::new("ann", "secret");
        client.on_response(&challenge(407, &["Digest realm=\"c\", nonce=\"n\""]));
        let text = credentials(&mut client, &HeaderName::ProxyAuthorization).remove(0);
        assert!(!["algorithm", "qop", "nc=", "opaque"].iter().any(|word| text.contains(word)), "{text}");
        assert!(credentials(&mut client, &HeaderName::Authorization).is_empty());
    }

    #[test]
    fn the_first_challenge_that_can_be_met_is_met() {
        let offers = [
            "Digest realm=\"c\", nonce=\"n\", algorithm=SHA-512-256, qop=\"auth\"",
            "Digest realm=\"c\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"",
            "Digest realm=\"c\", nonce=\"n\", algorithm=MD5, qop=\"auth\"",
            "Digest realm=\"d\", nonce=\"n\"",
        ];
        let mut client = DigestClient::new("ann", "secret");
        assert_eq!(client.on_response(&challenge(401, &offers)), DigestStep::Retry);
        let list = credentials(&mut client, &HeaderName::Authorization);
        assert!(
            list.len() == 2 && list[0].contains("algorithm=SHA-256") && list[1].contains("realm=\"d\""),
            "{list:?}"
        );
    }

    #[test]
    fn a_refusal_ends_the_attempt_and_not_the_next_one() {
        let mut client = DigestClient::new("ann", "secret");
        let ask = |nonce: &str, stale: &str| {
            challenge(401, &[&format!("Digest realm=\"c\", nonce=\"{nonce}\"{stale}")])
        };
        assert_eq!(client.on_response(&ask("1", "")), DigestStep::Retry);
        credentials(&mut client, &HeaderName::Authorization);
        // Only the nonce was too old.
        assert_eq!(client.on_response(&ask("2", ", stale=TRUE")), DigestStep::Retry);
        credentials(&mut client, &HeaderName::Authorization);
        assert_eq!(client.on_response(&ask("3", "")), DigestStep::GiveUp("credentials refused"));
        assert!(credentials(&mut client, &HeaderName::Authorization).is_empty());
        assert_eq!(client.on_response(&ask("4", "")), DigestStep::Retry);
        credentials(&mut client, &HeaderName::Authorization);
        // Accepted; a server that later challenges anew without saying stale is answered too.
        assert_eq!(client.on_response(&invite().response(200, None)), DigestStep::Done);
        assert_eq!(client.on_response(&ask("5", "")), DigestStep::Retry);
        credentials(&mut client, &HeaderName::Authorization);
        assert_eq!(client.on_response(&ask("5", ", stale=true")), DigestStep::GiveUp("credentials refused"));
    }

    #[test]
    fn what_cannot_be_met_is_given_up() {
        let none = DigestStep::GiveUp("no challenge that can be met");
        for value in [
            "Basic realm=\"c\"",
            "Digest realm=\"c\"",
            "Digest nonce=\"n\"",
            "Digest realm=\"c\", nonce=\"n\", qop=\"auth-int\"",
            "Digest realm=\"c\", nonce=\"n\", algorithm=MD5-sess",
            &format!("Digest realm=\"c\", nonce=\"{}\"", "n".repeat(2000)),
        ] {
            assert_eq!(DigestClient::new("a", "b").on_response(&challenge(401, &[value])), none, "{value}");
        }
        assert_eq!(DigestClient::new("a", "b").on_response(&challenge(401, &[])), none);
        let many: Vec<String> = (0..9).map(|n| format!("Digest realm=\"{n}\", nonce=\"n\"")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let step = DigestClient::new("a", "b").on_response(&challenge(401, &many));
        assert_eq!(step, DigestStep::GiveUp("too many realms"));
    }

    #[test]
    fn a_password_is_never_printed() {
        assert!(!format!("{:?}", DigestClient::new("ann", "secret")).contains("secret"));
    }
}
