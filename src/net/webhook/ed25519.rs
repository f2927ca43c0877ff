//! The other dialect's signature: Ed25519 over time and body (reference: texml-delta §6).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

/// The headers that carry it.
pub(super) const TIMESTAMP_HEADER: &str = "telnyx-timestamp";
pub(super) const SIGNATURE_HEADER: &str = "telnyx-signature-ed25519";

/// The box's key pair.
#[derive(Debug)]
pub(super) struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// The pair that belongs to an auth token: whoever keeps the token keeps the key, and a new token is a new key.
    pub(super) fn of(auth_token: &str) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, auth_token.as_bytes());
        let seed = hmac::sign(&key, b"tandem webhook ed25519 seed");
        Self::from_seed(seed.as_ref())
    }

    fn from_seed(seed: &[u8]) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a seed"))
    }

    /// What a receiver verifies with: 32 bytes in base64.
    pub(super) fn public_key(&self) -> String {
        BASE64.encode(self.0.public_key().as_ref())
    }

    /// The two headers' values for a body sent now.
    pub(super) fn headers(&self, body: &str) -> (String, String) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let timestamp = now.to_string();
        let signature = self.sign(&timestamp, body);
        (timestamp, signature)
    }

    fn sign(&self, timestamp: &str, body: &str) -> String {
        BASE64.encode(self.0.sign(format!("{timestamp}|{body}").as_bytes()).as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector() {
        let seed: Vec<u8> = (0..32).collect();
        let key = SigningKey::from_seed(&seed);
        assert_eq!(key.public_key(), "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=");
        assert_eq!(
            key.sign("1700000000", "CallSid=v3%3Aabc&CallStatus=completed"),
            "bprj+WlqbJA/COCp3iSgBVORe2xbX5Nxv2bnh+g40UEhya2RSs20o/XEkjxNexY3/LMhDcjX/GoN/TzWUa4uAg=="
        );
    }

    #[test]
    fn a_token_has_one_key_and_it_does_not_show() {
        assert_eq!(SigningKey::of("a").public_key(), SigningKey::of("a").public_key());
        assert_ne!(SigningKey::of("a").public_key(), SigningKey::of("b").public_key());
        assert!(!format!("{:?}", SigningKey::of("hush")).contains("hush"));
    }
}
