//! Challenging and verifying (RFC 7616 §3.3, §3.4.6; RFC 3261 §22).
//!
//! A nonce carries its own time and a keyed hash over it, so that a flood of unauthenticated requests takes no
//! memory and pushes nobody's nonce out. Only a nonce that has passed is remembered, with the counts it was used
//! with, until it expires.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{ExpiringMap, Mono, Reason, Rng};
use md5::Digest;
use sha2::Sha256;

use super::digest::{AuthParams, DigestInput, equal_in_constant_time, hex};
use super::{DigestAlgorithm, UserCredentials};
use crate::msg::syntax;
use crate::{HeaderName, HeaderValue, Request, Response};

/// How long a nonce may be used. A phone that registers every few minutes is challenged once in a while only.
pub const NONCE_LIFETIME: Duration = Duration::from_secs(300);

/// Nonces in use at once; beyond it the oldest is forgotten and its user challenged anew.
pub const NONCES_MAX: usize = 8_192;

/// Hexadecimal digits of a nonce: time, serial number and keyed hash, 16 bytes less than a SHA-256.
const NONCE_DIGITS: usize = 16 + 16 + 32;

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
    secret: [u8; 32],
    serial: u64,
    /// Stands in for the credentials of users that do not exist, so that they cost the same work.
    nobody: UserCredentials,
    offered: Vec<DigestAlgorithm>,
    used: ExpiringMap<String, NonceCounts>,
}

impl Authenticator {
    /// An authenticator for `realm`. `rng` gives the secret its nonces are keyed with.
    pub fn new(realm: &str, rng: &mut Rng) -> Self {
        let mut secret = [0; 32];
        for chunk in secret.chunks_exact_mut(8) {
            chunk.copy_from_slice(&rng.u64().to_be_bytes());
        }
        let nobody = UserCredentials { ha1_md5: rng.hex(32), ha1_sha256: rng.hex(64) };
        Self {
            realm: realm.to_owned(),
            secret,
            serial: 0,
            nobody,
            offered: OFFERED.to_vec(),
            used: ExpiringMap::new(NONCES_MAX),
        }
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
        let nonce = self.nonce(now);
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
        self.used.poll_timeout().map(|at| (at, Reason("nonce")))
    }

    /// Forgets the nonces that have expired.
    pub fn handle_timeout(&mut self, now: Mono) {
        while self.used.expire(now).is_some() {}
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
        let known = users.get(user.as_ref());
        let ha1 = known.unwrap_or(&self.nobody).ha1(algorithm);
        let expected = DigestInput { algorithm, method, uri, nonce, qop_auth }.response(ha1);
        let right = equal_in_constant_time(expected.as_bytes(), answer.to_ascii_lowercase().as_bytes());
        if !(right && known.is_some()) {
            return Verdict::Wrong { user: user.into_owned() };
        }
        if self.spend(nonce, count, now) {
            Verdict::Accepted { user: user.into_owned() }
        } else {
            Verdict::Stale
        }
    }

    /// Whether `nonce` is ours, still good and was not used with `count` before; notes that it now is.
    fn spend(&mut self, nonce: &str, count: u32, now: Mono) -> bool {
        self.handle_timeout(now);
        let Some(issued) = self.issued(nonce) else { return false };
        let deadline = issued + NONCE_LIFETIME;
        if deadline <= now {
            return false;
        }
        if let Some(counts) = self.used.get_mut(&nonce.to_owned()) {
            return counts.take(count);
        }
        let mut counts = NonceCounts::default();
        let fresh = counts.take(count);
        self.used.insert(nonce.to_owned(), counts, deadline);
        fresh
    }

    fn nonce(&mut self, now: Mono) -> String {
        self.serial = self.serial.wrapping_add(1);
        self.sign(&format!("{:016x}{:016x}", now.0, self.serial))
    }

    fn issued(&self, nonce: &str) -> Option<Mono> {
        let head = nonce.get(..32)?;
        let ours = nonce.len() == NONCE_DIGITS
            && equal_in_constant_time(self.sign(head).as_bytes(), nonce.as_bytes());
        let time = u64::from_str_radix(head.get(..16)?, 16).ok()?;
        ours.then_some(Mono(time))
    }

    /// A hash keyed by a prefix is sound here: what it covers has one length, and half of it is withheld.
    fn sign(&self, head: &str) -> String {
        let hash = Sha256::new().chain_update(self.secret).chain_update(head.as_bytes()).finalize();
        format!("{head}{}", hex(&hash[..16]))
    }
}

/// Which counts a nonce was used with: the highest, and which of the 64 below it. Requests of one phone may
/// overtake each other.
#[derive(Clone, Debug, Default)]
struct NonceCounts {
    highest: u32,
    /// Bit n: `highest - n` was seen.
    seen: u64,
}

impl NonceCounts {
    fn take(&mut self, count: u32) -> bool {
        if count == 0 {
            return false;
        }
        if count > self.highest {
            let ahead = count - self.highest;
            self.seen = if ahead < 64 { (self.seen << ahead) | 1 } else { 1 };
            self.highest = count;
            return true;
        }
        let behind = self.highest - count;
        if behind >= 64 || self.seen & (1 << behind) != 0 {
            return false;
        }
        self.seen |= 1 << behind;
        true
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
    use super::*;
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
        assert!(office.authenticator.used.is_empty());
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

    #[test]
    fn counts_are_remembered_64_deep() {
        let mut counts = NonceCounts::default();
        for (count, fresh) in [
            (0, false),
            (1, true),
            (1, false),
            (100, true),
            (99, true),
            (37, true),
            (36, false),
            (37, false),
            (101, true),
            (100, false),
            (38, true),
            (1_000, true),
            (999, true),
            (u32::MAX, true),
            (u32::MAX, false),
        ] {
            assert_eq!(counts.take(count), fresh, "{count}");
        }
    }
}
