//! The sums of digest authentication and the syntax of its headers, for both sides.

use std::borrow::Cow;
use std::fmt;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::msg::syntax;

/// Parameters of one challenge or credentials.
const AUTH_PARAMS_MAX: usize = 32;

/// The hash of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DigestAlgorithm {
    /// `MD5`, which every phone knows.
    Md5,
    /// `SHA-256` (RFC 8760).
    Sha256,
}

impl DigestAlgorithm {
    /// Its token on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            DigestAlgorithm::Md5 => "MD5",
            DigestAlgorithm::Sha256 => "SHA-256",
        }
    }

    /// From the `algorithm` parameter; MD5 when there is none (RFC 7616 §3.3). `None` for one the box does not
    /// have, the `-sess` variants among them.
    pub(super) fn from_param(value: Option<&str>) -> Option<Self> {
        match value {
            None => Some(DigestAlgorithm::Md5),
            Some(name) if name.eq_ignore_ascii_case("MD5") => Some(DigestAlgorithm::Md5),
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => Some(DigestAlgorithm::Sha256),
            Some(_) => None,
        }
    }

    /// The hash of `parts` joined by colons, in lower-case hexadecimal.
    pub(super) fn hash(self, parts: &[&str]) -> String {
        match self {
            DigestAlgorithm::Md5 => hash_joined::<Md5>(parts),
            DigestAlgorithm::Sha256 => hash_joined::<Sha256>(parts),
        }
    }
}

fn hash_joined<D: Digest>(parts: &[&str]) -> String {
    let mut hasher = D::new();
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            hasher.update(b":");
        }
        hasher.update(part.as_bytes());
    }
    hex(&hasher.finalize())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|d| char::from(DIGITS[usize::from(d)])).collect()
}

/// What the box keeps of a password: its HA1 for one realm, by both hashes (RFC 7616 §3.4.2). Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCredentials {
    /// MD5 of `user:realm:password`, in lower-case hexadecimal.
    pub ha1_md5: String,
    /// SHA-256 of the same.
    pub ha1_sha256: String,
}

impl UserCredentials {
    /// The credentials of `user` in `realm`.
    pub fn from_password(user: &str, realm: &str, password: &str) -> Self {
        let parts = [user, realm, password];
        Self { ha1_md5: DigestAlgorithm::Md5.hash(&parts), ha1_sha256: DigestAlgorithm::Sha256.hash(&parts) }
    }

    pub(super) fn ha1(&self, algorithm: DigestAlgorithm) -> &str {
        match algorithm {
            DigestAlgorithm::Md5 => &self.ha1_md5,
            DigestAlgorithm::Sha256 => &self.ha1_sha256,
        }
    }

    /// Whether there is an HA1 for this hash. An empty or cut one would be anybody's to guess.
    pub(super) fn has(&self, algorithm: DigestAlgorithm) -> bool {
        let digits = match algorithm {
            DigestAlgorithm::Md5 => 32,
            DigestAlgorithm::Sha256 => 64,
        };
        self.ha1(algorithm).len() == digits
    }
}

impl fmt::Debug for UserCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCredentials(redacted)")
    }
}

/// What a digest is computed over, besides HA1 (RFC 7616 §3.4.1).
pub(super) struct DigestInput<'a> {
    pub(super) algorithm: DigestAlgorithm,
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) nonce: &'a str,
    /// `nc` and `cnonce` when `qop=auth`; `None` for RFC 2069's form without qop.
    pub(super) qop_auth: Option<(&'a str, &'a str)>,
}

impl DigestInput<'_> {
    pub(super) fn response(&self, ha1: &str) -> String {
        let ha2 = self.algorithm.hash(&[self.method, self.uri]);
        match self.qop_auth {
            Some((nc, cnonce)) => self.algorithm.hash(&[ha1, self.nonce, nc, cnonce, "auth", &ha2]),
            None => self.algorithm.hash(&[ha1, self.nonce, &ha2]),
        }
    }
}

/// The parameters of a `Digest` challenge or credentials, one after another.
#[derive(Clone, Debug)]
pub(super) struct AuthParams<'a>(Vec<(&'a str, &'a str)>);

impl<'a> AuthParams<'a> {
    /// `None` for another scheme than Digest and for malformed parameters.
    pub(super) fn parse(value: &'a str) -> Option<Self> {
        let value = syntax::trim(value);
        let scheme = value.get(..6)?;
        let list = value.get(6..)?.strip_prefix([' ', '\t'])?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let mut params = Vec::new();
        for piece in syntax::split(list, b',').map(syntax::trim).filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=')?;
            let (name, value) = (syntax::trim(name), syntax::trim(value));
            let whole = !value.starts_with('"') || syntax::quoted_len(value) == Some(value.len());
            if !syntax::is_token(name) || !whole || params.len() == AUTH_PARAMS_MAX {
                return None;
            }
            params.push((name, value));
        }
        Some(Self(params))
    }

    /// A value without its quotes, escapes as received: what the sums are computed over.
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
        Some(value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value))
    }

    /// A value without quotes or escapes: what names are compared by.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        let (_, value) = self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
        Some(syntax::unquote(value))
    }
}

/// Whether both are equal, in a time that tells nothing about where they differ.
pub(super) fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && std::hint::black_box(a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7616 §3.9.1 and RFC 2617 §3.5.
    #[test]
    fn digests_are_those_of_the_rfcs() {
        let newer =
            ("http-auth@example.org", "Circle of Life", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v");
        let older = ("testrealm@host.com", "Circle Of Life", "dcd98b7102dd2f0e8b11d0f600bfb0c093");
        let long = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, (realm, password, nonce), cnonce, expected) in [
            (DigestAlgorithm::Md5, newer, long, "8ca523f5e9506fed4657c9700eebdbec"),
            (
                DigestAlgorithm::Sha256,
                newer,
                long,
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
            (DigestAlgorithm::Md5, older, "0a4f113b", "6629fae49393a05397450978507c4ef1"),
        ] {
            let credentials = UserCredentials::from_password("Mufasa", realm, password);
            let input = DigestInput {
                algorithm,
                method: "GET",
                uri: "/dir/index.html",
                nonce,
                qop_auth: Some(("00000001", cnonce)),
            };
            assert_eq!(input.response(credentials.ha1(algorithm)), expected);
        }
    }

    #[test]
    fn parameters_are_read_with_commas_and_escapes_in_their_quotes() {
        let params =
            AuthParams::parse("digest  Realm=\"a, \\\"b\\\"\" ,nc = 0000000a,, qop=\"auth,auth-int\"")
                .unwrap();
        assert_eq!(params.text("realm").as_deref(), Some("a, \"b\""));
        assert_eq!(params.raw("REALM"), Some("a, \\\"b\\\""));
        assert_eq!((params.raw("nc"), params.raw("qop")), (Some("0000000a"), Some("auth,auth-int")));
        let many = format!("Digest {}", "a=b,".repeat(AUTH_PARAMS_MAX + 1));
        for text in
            ["", "Digest", "Basic a=b", "Digest a", "Digest =b", "Digest a=\"b", "Digestx a=b", many.as_str()]
        {
            assert!(AuthParams::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn equality_is_equality() {
        assert!(equal_in_constant_time(b"", b"") && equal_in_constant_time(b"abc", b"abc"));
        assert!(!equal_in_constant_time(b"abc", b"abd") && !equal_in_constant_time(b"abc", b"ab"));
    }

    #[test]
    fn credentials_are_never_printed() {
        let credentials = UserCredentials::from_password("ann", "office", "secret");
        assert_eq!(format!("{credentials:?}"), "UserCredentials(redacted)");
    }
}
