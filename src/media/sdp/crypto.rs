//! `a=crypto` (RFC 4568): suites and keys in a description.
//!
//! ```text
//! a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:<base64 of key and salt>|2^20 WSH=64
//!          tag       suite                                            lifetime  session parameters
//! ```
//! A line is passed over when its suite is unknown, when it names a master key index (MKI) or several keys
//! (we would have to look at every packet for which), or a session parameter that changes the packets. The
//! lifetime is read over: at fifty packets a second the least a key must last, 2^20 packets, is five hours, and
//! what a peer would do at its end is offer again.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::description::{Attribute, Media};
use super::wishes::SrtpKeys;
use crate::negotiated::{SrtpKey, SrtpSuite};

/// One line that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Names the line in the answer.
    pub(super) tag: u32,
    pub(super) suite: SrtpSuite,
    /// What the describer encrypts with.
    pub(super) key: SrtpKey,
}

/// The suites and their names, in the order we offer them. What every phone has stands first, as some look no
/// further; the shorter tag stands last.
const SUITES: [(SrtpSuite, &str); 3] = [
    (SrtpSuite::AesCm128HmacSha1_80, "AES_CM_128_HMAC_SHA1_80"),
    (SrtpSuite::AeadAes256Gcm, "AEAD_AES_256_GCM"),
    (SrtpSuite::AesCm128HmacSha1_32, "AES_CM_128_HMAC_SHA1_32"),
];

/// Bytes of a suite's master key and salt (RFC 4568 §6.2, RFC 7714 §12).
pub(super) fn lengths(suite: SrtpSuite) -> (usize, usize) {
    match suite {
        SrtpSuite::AesCm128HmacSha1_80 | SrtpSuite::AesCm128HmacSha1_32 => (16, 14),
        SrtpSuite::AeadAes256Gcm => (32, 12),
    }
}

/// The usable lines of a stream in their order.
pub(super) fn lines(media: &Media) -> impl Iterator<Item = Line> + '_ {
    media.attributes.iter().filter(|a| a.name == "crypto").filter_map(|a| read(a.value.as_deref()?))
}

/// The lines of an offer of ours.
pub(super) fn offered(keys: &SrtpKeys) -> Vec<Line> {
    (1..).zip(SUITES).map(|(tag, (suite, _))| Line { tag, suite, key: keys.of(suite) }).collect()
}

fn read(value: &str) -> Option<Line> {
    let mut words = value.split_ascii_whitespace();
    let (tag, suite, key) = (words.next()?, words.next()?, words.next()?);
    if tag.len() > 9 || !tag.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (suite, _) = SUITES.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(suite))?;
    // WSH is advice to the receiver; a leading minus says that a parameter may be left out (RFC 4568 §6.3.7).
    if !words.all(|parameter| parameter.starts_with('-') || parameter.starts_with("WSH=")) {
        return None;
    }
    Some(Line { tag: tag.parse().ok()?, suite, key: read_key(suite, key)? })
}

/// `inline:<key and salt>[|lifetime]`.
fn read_key(suite: SrtpSuite, text: &str) -> Option<SrtpKey> {
    let (method, info) = text.split_at_checked("inline:".len())?;
    if !method.eq_ignore_ascii_case("inline:") || info.contains(';') {
        return None;
    }
    let mut fields = info.split('|');
    let (coded, lifetime) = (fields.next()?, fields.next());
    if fields.next().is_some() || !lifetime.is_none_or(is_lifetime) {
        return None;
    }
    let (key_bytes, salt_bytes) = lengths(suite);
    let bytes = BASE64_STANDARD.decode(coded).ok().filter(|b| b.len() == key_bytes + salt_bytes)?;
    let mut key = SrtpKey { key: [0; 32], salt: [0; 14] };
    key.key[..key_bytes].copy_from_slice(&bytes[..key_bytes]);
    key.salt[..salt_bytes].copy_from_slice(&bytes[key_bytes..]);
    Some(key)
}

/// `2^20` or `1048576`; a colon would make it a master key index.
fn is_lifetime(text: &str) -> bool {
    let digits = text.strip_prefix("2^").unwrap_or(text);
    !digits.is_empty() && digits.len() <= 20 && digits.bytes().all(|b| b.is_ascii_digit())
}

impl Line {
    /// As it stands in a description.
    pub(super) fn attribute(&self) -> Attribute {
        let (_, name) = SUITES[SUITES.iter().position(|(s, _)| *s == self.suite).unwrap_or(0)];
        let (key_bytes, salt_bytes) = lengths(self.suite);
        let mut bytes = [0; 46];
        bytes[..key_bytes].copy_from_slice(&self.key.key[..key_bytes]);
        bytes[key_bytes..key_bytes + salt_bytes].copy_from_slice(&self.key.salt[..salt_bytes]);
        let coded = BASE64_STANDARD.encode(&bytes[..key_bytes + salt_bytes]);
        Attribute::new("crypto", format_args!("{} {name} inline:{coded}", self.tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 4568 §6.1's example.
    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    #[test]
    fn a_line_is_read_and_written_back() {
        for (suite, name) in SUITES {
            let key = crate::sdp::SrtpKeys::random(&mut base::Rng::seeded(1)).of(suite);
            let line = Line { tag: 7, suite, key };
            let text = line.attribute().value.unwrap();
            assert!(text.starts_with(&format!("7 {name} inline:")), "{text}");
            assert_eq!(read(&text), Some(line));
        }
        let line = read(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}")).unwrap();
        assert_eq!(&line.key.key[..16], b"YS___semctl () {");
        assert_eq!(&line.key.salt, b"\t220;}\n}\nunles");
    }

    #[test]
    fn lines_we_could_get_wrong_are_passed_over() {
        let good = [
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY",
            "1 aes_cm_128_hmac_sha1_32 INLINE:KEY",
            "999999999  AES_CM_128_HMAC_SHA1_80\tinline:KEY|2^20",
            "0 AES_CM_128_HMAC_SHA1_80 inline:KEY|1048576 WSH=128",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY -NEW=1",
        ];
        for text in good {
            assert!(read(&text.replace("KEY", KEY)).is_some(), "{text}");
        }
        let bad = [
            "",
            "1",
            "1 AES_CM_128_HMAC_SHA1_80",
            "x AES_CM_128_HMAC_SHA1_80 inline:KEY",
            "-1 AES_CM_128_HMAC_SHA1_80 inline:KEY",
            "9999999999 AES_CM_128_HMAC_SHA1_80 inline:KEY",
            "1 F8_128_HMAC_SHA1_80 inline:KEY",
            "1 AES_CM_128_HMAC_SHA1_80 KEY",
            "1 AES_CM_128_HMAC_SHA1_80 uri:KEY",
            "1 AES_CM_128_HMAC_SHA1_80 inline:",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEYA",
            "1 AES_CM_128_HMAC_SHA1_80 inline:!KEY",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|1:4",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|1:4",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|1:1;inline:KEY|2^20|2:1",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY KDR=1",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNENCRYPTED_SRTP",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNAUTHENTICATED_SRTP",
            "1 AEAD_AES_256_GCM inline:KEY",
            "1 AES_CM_128_HMAC_SHA1_80 inlin\u{e9}:KEY",
        ];
        for text in bad {
            assert_eq!(read(&text.replace("KEY", KEY)), None, "{text}");
        }
    }
}
