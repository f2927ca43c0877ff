//! Challenging and verifying (RFC 7616 §3.3, §3.4.6; RFC 3261 §22).

use std::collections::BTreeMap;

use base::{Mono, Reason, Rng};

use super::digest::{AuthParams, DigestInput, equal_in_constant_time};
use super::nonce::Nonces;
use super::{DigestAlgorithm, UserCredentials};
use crate::msg::syntax;
use crate::{HeaderName, HeaderValue, Request, Response};

/// The hashes challenged with unless [`Authenticator::set_offered`] says otherwise.
///
/// SHA-256 beside MD5 would be the better offer (RFC 8760 §2.3), but a phone that knows only MD5 should pass over
/// what it does not know and some do not: baresip 1.0 never registers once SHA-256 is offered, in whatever order;
/// SIPp 3.6 stops at one that comes first. Credentials made with SHA-256 are verified all the same.
const OFFERED: [DigestAlgorithm; 1] = [DigestAlgorithm::Md5];

/// Who asks for credentials: it decides the status code and the headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenger {
    /// The server the request is for: 401, WWW-Authenticate, Authorization.
    Server,
    /// A proxy on the way: 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

/// What the credentials in a request are worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are those of this user.
    Accepted {
        /// The user.
        user: String,
    },
    /// There are none for our realm: challenge.
    Missing,
    /// They are right but for a nonce that is too old or was used with this count before: challenge with
    /// `stale=true`; nobody is at fault.
    Stale,
    /// They are wrong, or there is no such user: challenge and count.
    Wrong {
        /// The user they name, as received.
        user: String,
    },
    /// They cannot be read: 400, with this reason phrase.
    Malformed(&'static str),
}

/// Challenges and verifies for one realm.
#[derive(Clone, Debug)]
pub struct Authenticator {
    realm: String,
    nonces: Nonces,
    /// Stands in for the credentials of users that do not exist, so that they cost the same work.
    nobody: UserCredentials,
    offered: Vec<DigestAlgorithm>,
}

impl Authenticator {
    /// An authenticator for `realm`. `rng` gives the secret its nonces are keyed with.
    pub fn new(realm: &str, rng: &mut Rng) -> Self {
        let nonces = Nonces::new(rng);
        let nobody = UserCredentials { ha1_md5: rng.hex(32), ha1_sha256: rng.hex(64) };
        Self { realm: realm.to_owned(), nonces, nobody, offered: OFFERED.to_vec() }
    }

    /// Changes which hashes are challenged with, the preferred one first (RFC 8760 §2.3). Both are always verified.
    pub fn set_offered(&mut self, offered: &[DigestAlgorithm]) {
        offered.clone_into(&mut self.offered);
    }

    /// Changes the realm, after a reload; nonces stay good.
    pub fn set_realm(&mut self, realm: &str) {
        realm.clone_into(&mut self.realm);
    }

    /// The 401 or 407 to `request`, with a challenge for each hash offered.
    pub fn challenge(&mut self, request: &Request, by: Challenger, stale: bool, now: Mono) -> Response {
        let (code, name) = match by {
            Challenger::Server => (401, HeaderName::WwwAuthenticate),
            Challenger::Proxy => (407, HeaderName::ProxyAuthenticate),
        };
        let nonce = self.nonces.issue(now);
        let mut response = request.response(code, None);
        for algorithm in &self.offered {
            let realm = syntax::quote(&self.realm);
            let stale = if stale { ", stale=true" } else { "" };
            let algorithm = algorithm.as_str();
            response.headers.push(
                name.clone(),
                format!(
                    "Digest realm={realm}, nonce=\"{nonce}\", algorithm={algorithm}, qop=\"auth\"{stale}"
                ),
            );
        }
        response
    }

    /// Judges the credentials of `request`. Users that do not exist cost what others cost.
    pub fn verify(
        &mut self,
        request: &Request,
        by: Challenger,
        users: &BTreeMap<String, UserCredentials>,
        now: Mono,
    ) -> Verdict {
        let name = match by {
            Challenger::Server => HeaderName::Authorization,
            Challenger::Proxy => HeaderName::ProxyAuthorization,
        };
        // A request may carry credentials for several realms (RFC 3261 §22.3); ours are the ones that count.
        for value in request.headers.all(&name).map(HeaderValue::text) {
            if let Some(params) = AuthParams::parse(&value)
                && params.text("realm").is_some_and(|realm| realm == self.realm)
            {
                return self.judge(&params, request.method.as_str(), users, now);
            }
        }
        Verdict::Missing
    }

    /// When a nonce in use expires.
    pub fn poll_timeout(&self) -> Option<(Mono, Reason)> {
        self.nonces.poll_timeout()
    }

    /// Forgets the nonces that have expired.
    pub fn handle_timeout(&mut self, now: Mono) {
        self.nonces.handle_timeout(now);
    }

    fn judge(
        &mut self,
        params: &AuthParams<'_>,
        method: &str,
        users: &BTreeMap<String, UserCredentials>,
        now: Mono,
    ) -> Verdict {
        let (Some(user), Some(nonce), Some(uri), Some(answer)) =
            (params.text("username"), params.raw("nonce"), params.raw("uri"), params.raw("response"))
        else {
            return Verdict::Malformed("Credentials without username, nonce, uri or response");
        };
        let Some(algorithm) = DigestAlgorithm::from_param(params.raw("algorithm")) else {
            return Verdict::Malformed("Credentials with an unknown algorithm");
        };
        let qop_auth = match (params.raw("qop"), params.raw("nc"), params.raw("cnonce")) {
            (None, _, _) => None,
            (Some(qop), Some(nc), Some(cnonce)) if qop.eq_ignore_ascii_case("auth") => Some((nc, cnonce)),
            (Some(_), _, _) => return Verdict::Malformed("Credentials with a qop that was not offered"),
        };
        // Without qop there is no count: such a nonce is good for one request.
        let count = match qop_auth {
            Some((nc, _)) => match parse_count(nc) {
                Some(count) => count,
                None => return Verdict::Malformed("Credentials with a malformed nc"),
            },
            None => 1,
        };
        // The digest's own URI is hashed, not the Request-URI: proxies and test tools change the latter on the way,
        // and the count below already keeps credentials from being used for a second request.
        let known = users.get(user.as_ref()).filter(|credentials| credentials.has(algorithm));
        let ha1 = known.unwrap_or(&self.nobody).ha1(algorithm);
        let expected = DigestInput { algorithm, method, uri, nonce, qop_auth }.response(ha1);
        let right = equal_in_constant_time(expected.as_bytes(), answer.to_ascii_lowercase().as_bytes());
        if !(right && known.is_some()) {
            return Verdict::Wrong { user: user.into_owned() };
        }
        if self.nonces.spend(nonce, count, now) {
            Verdict::Accepted { user: user.into_owned() }
        } else {
            Verdict::Stale
        }
    }
}

/// `nc` is hexadecimal (RFC 7616 §3.4); eight digits by the grammar, fewer by some phones.
fn parse_count(nc: &str) -> Option<u32> {
    if nc.is_empty() || nc.len() > 8 || !nc.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(nc, 16).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::auth::nonce::NONCE_LIFETIME;
    use crate::{DigestClient, DigestStep, Host, Method, Uri};

    const START: Mono = Mono(1_000_000_000);

    struct Office {
        authenticator: Authenticator,
        users: BTreeMap<String, UserCredentials>,
        rng: Rng,
    }

    impl Office {
        fn new() -> Self {
            let mut rng = Rng::seeded(1);
            let users = [("ann".to_owned(), UserCredentials::from_password("ann", "office", "secret"))];
            Self { authenticator: Authenticator::new("office", &mut rng), users: users.into(), rng }
        }

        fn verify(&mut self, request: &Request, now: Mono) -> Verdict {
            self.authenticator.verify(request, Challenger::Server, &self.users, now)
        }

        /// A request by `client`, challenged at `now`.
        fn answer(&mut self, client: &mut DigestClient, now: Mono) -> Request {
            let mut request = register();
            let challenge = self.authenticator.challenge(&request, Challenger::Server, false, now);
            assert_eq!(client.on_response(&challenge), DigestStep::Retry);
            client.authorize(&mut request, &mut self.rng);
            request
        }
    }

    fn register() -> Request {
        Request::new(Method::Register, Uri::sip("", Host::Name("office".into()), None))
    }

    fn accepted() -> Verdict {
        Verdict::Accepted { user: "ann".into() }
    }

    fn wrong(user: &str) -> Verdict {
        Verdict::Wrong { user: user.into() }
    }

    #[test]
    fn the_right_password_passes_by_every_hash_and_header() {
        for (by, code, algorithm) in [
            (Challenger::Server, 401, DigestAlgorithm::Md5),
            (Challenger::Server, 401, DigestAlgorithm::Sha256),
            (Challenger::Proxy, 407, DigestAlgorithm::Md5),
            (Challenger::Proxy, 407, DigestAlgorithm::Sha256),
        ] {
            let mut office = Office::new();
            office.authenticator.set_offered(&[algorithm]);
            let mut client = DigestClient::new("ann", "secret");
            let mut request = register();
            let verdict = office.authenticator.verify(&request, by, &office.users, START);
            assert_eq!(verdict, Verdict::Missing);
            let challenge = office.authenticator.challenge(&request, by, false, START);
            assert_eq!(challenge.code, code);
            client.on_response(&challenge);
            client.authorize(&mut request, &mut office.rng);
            assert_eq!(
                office.authenticator.verify(&request, by, &office.users, START),
                accepted(),
                "{request:?}"
            );
        }
    }

    #[test]
    fn each_hash_offered_is_a_challenge_in_the_order_given() {
        let mut office = Office::new();
        let offers = |office: &mut Office, stale| {
            let response = office.authenticator.challenge(&register(), Challenger::Server, stale, START);
            response
                .headers
                .all(&HeaderName::WwwAuthenticate)
                .map(|v| v.text().into_owned())
                .collect::<Vec<_>>()
        };
        let only = offers(&mut office, false);
        assert!(
            only.len() == 1 && only[0].contains("algorithm=MD5, qop=\"auth\"") && !only[0].contains("stale")
        );
        office.authenticator.set_offered(&[DigestAlgorithm::Sha256, DigestAlgorithm::Md5]);
        let both = offers(&mut office, true);
        assert!(both[0].contains("algorithm=SHA-256, qop=\"auth\", stale=true"), "{both:?}");
        assert!(both[1].contains("algorithm=MD5, qop=\"auth\", stale=true"), "{both:?}");
    }

    #[test]
    fn a_wrong_password_and_an_unknown_user_look_the_same() {
        let mut office = Office::new();
        let request = office.answer(&mut DigestClient::new("ann", "guess"), START);
        assert_eq!(office.verify(&request, START), wrong("ann"));
        let request = office.answer(&mut DigestClient::new("eve", "secret"), START);
        assert_eq!(office.verify(&request, START), wrong("eve"));
        assert!(office.authenticator.poll_timeout().is_none());
    }

    #[test]
    fn a_user_without_the_hash_asked_for_is_nobody() {
        let mut office = Office::new();
        office.users.get_mut("ann").unwrap().ha1_sha256.clear();
        let mut request = register();
        let nonce = office.authenticator.nonces.issue(START);
        let input = DigestInput {
            algorithm: DigestAlgorithm::Sha256,
            method: "REGISTER",
            uri: "sip:office",
            nonce: &nonce,
            qop_auth: None,
        };
        let response = input.response("");
        request.headers.push(
            HeaderName::Authorization,
            format!(
                "Digest username=\"ann\", realm=\"office\", nonce=\"{nonce}\", uri=\"sip:office\", \
                 response=\"{response}\", algorithm=SHA-256"
            ),
        );
        assert_eq!(office.verify(&request, START), wrong("ann"));
    }

    #[test]
    fn a_count_is_good_once_and_counts_may_overtake_each_other() {
        let mut office = Office::new();
        let mut client = DigestClient::new("ann", "secret");
        let first = office.answer(&mut client, START);
        let mut later: Vec<Request> = (0..20).map(|_| register()).collect();
        for request in &mut later {
            client.authorize(request, &mut office.rng);
        }
        // The tenth and sixteenth use have counts 0000000a and 00000010.
        assert!(later[8].headers.text(&HeaderName::Authorization).unwrap().contains("nc=0000000a"));
        assert!(later[14].headers.text(&HeaderName::Authorization).unwrap().contains("nc=00000010"));
        assert_eq!(office.verify(&later[8], START), accepted());
        assert_eq!(office.verify(&first, START), accepted());
        assert_eq!(office.verify(&first, START), Verdict::Stale);
        assert_eq!(office.verify(&later[8], START), Verdict::Stale);
        assert_eq!(office.verify(&later[14], START), accepted());
    }

    #[test]
    fn a_nonce_ends_and_one_of_others_never_begins() {
        let mut office = Office::new();
        let mut client = DigestClient::new("ann", "secret");
        let request = office.answer(&mut client, START);
        assert_eq!(office.verify(&request, START + NONCE_LIFETIME), Verdict::Stale);
        let mut again = register();
        client.authorize(&mut again, &mut office.rng);
        assert_eq!(office.verify(&again, START + (NONCE_LIFETIME - Duration::from_nanos(1))), accepted());
        assert_eq!(office.authenticator.poll_timeout(), Some((START + NONCE_LIFETIME, Reason("nonce"))));
        office.authenticator.handle_timeout(START + NONCE_LIFETIME);
        assert_eq!(office.authenticator.poll_timeout(), None);

        let mut elsewhere = Office::new();
        elsewhere.authenticator = Authenticator::new("office", &mut Rng::seeded(2));
        let request = elsewhere.answer(&mut DigestClient::new("ann", "secret"), START);
        assert_eq!(office.verify(&request, START), Verdict::Stale);
    }

    #[test]
    fn the_old_form_without_qop_is_good_for_one_request() {
        let mut office = Office::new();
        let challenge = office.authenticator.challenge(&register(), Challenger::Server, false, START);
        let text =
            challenge.headers.text(&HeaderName::WwwAuthenticate).unwrap().replace(", qop=\"auth\"", "");
        let mut old = challenge.clone();
        old.headers.set(HeaderName::WwwAuthenticate, text);
        let mut client = DigestClient::new("ann", "secret");
        client.on_response(&old);
        let mut request = register();
        client.authorize(&mut request, &mut office.rng);
        assert!(!request.headers.text(&HeaderName::Authorization).unwrap().contains("qop"));
        assert_eq!(office.verify(&request, START), accepted());
        assert_eq!(office.verify(&request, START), Verdict::Stale);
    }

    #[test]
    fn credentials_that_cannot_be_read_are_told_apart() {
        let mut office = Office::new();
        let whole =
            "Digest username=\"ann\", realm=\"office\", nonce=\"n\", uri=\"sip:office\", response=\"r\"";
        for (value, verdict) in [
            (whole.to_owned(), wrong("ann")),
            (format!("{whole}, qop=auth, nc=0000000a, cnonce=\"c\""), wrong("ann")),
            (
                format!("{whole}, qop=auth, nc=xyz, cnonce=\"c\""),
                Verdict::Malformed("Credentials with a malformed nc"),
            ),
            (
                format!("{whole}, qop=auth-int, nc=00000001, cnonce=\"c\""),
                Verdict::Malformed("Credentials with a qop that was not offered"),
            ),
            (
                format!("{whole}, algorithm=MD5-sess"),
                Verdict::Malformed("Credentials with an unknown algorithm"),
            ),
            (
                "Digest username=\"ann\", realm=\"office\"".to_owned(),
                Verdict::Malformed("Credentials without username, nonce, uri or response"),
            ),
            (whole.replace("office", "elsewhere"), Verdict::Missing),
            ("Basic YW5uOnNlY3JldA==".to_owned(), Verdict::Missing),
            ("Digest username=\"ann".to_owned(), Verdict::Missing),
            (String::new(), Verdict::Missing),
        ] {
            let mut request = register();
            request.headers.push(HeaderName::Authorization, value.as_str());
            assert_eq!(office.verify(&request, START), verdict, "{value}");
        }
    }

    #[test]
    fn our_realm_is_found_among_others() {
        let mut office = Office::new();
        let mut request = register();
        request.headers.push(HeaderName::Authorization, "Digest realm=\"elsewhere\", username=\"x\"");
        let ours = office.answer(&mut DigestClient::new("ann", "secret"), START);
        request
            .headers
            .push(HeaderName::Authorization, ours.headers.text(&HeaderName::Authorization).unwrap());
        assert_eq!(office.verify(&request, START), accepted());
    }
}
