//! Nonces: issued without being remembered, counted once they are used (RFC 7616 §3.3, §5.4).
//!
//! A nonce carries its own time and a keyed hash over it, so that a flood of unauthenticated requests takes no
//! memory and pushes nobody's nonce out. Only a nonce that has passed is remembered, with the counts it was used
//! with, until it expires.

use std::time::Duration;

use base::{ExpiringMap, Mono, Reason, Rng};
use md5::Digest;
use sha2::Sha256;

use super::digest::{equal_in_constant_time, hex};

/// How long a nonce may be used. A phone that registers every few minutes is challenged once in a while only.
pub(super) const NONCE_LIFETIME: Duration = Duration::from_secs(300);

/// Nonces in use at once; beyond it the oldest is forgotten and its user challenged anew.
const NONCES_MAX: usize = 8_192;

/// Hexadecimal digits of a nonce: time, serial number and keyed hash, 16 bytes less than a SHA-256.
const NONCE_DIGITS: usize = 16 + 16 + 32;

/// Nonces of one realm.
#[derive(Clone, Debug)]
pub(super) struct Nonces {
    secret: [u8; 32],
    serial: u64,
    used: ExpiringMap<String, NonceCounts>,
}

impl Nonces {
    /// `rng` gives the secret that nonces are keyed with.
    pub(super) fn new(rng: &mut Rng) -> Self {
        let mut secret = [0; 32];
        for chunk in secret.chunks_exact_mut(8) {
            chunk.copy_from_slice(&rng.u64().to_be_bytes());
        }
        Self { secret, serial: 0, used: ExpiringMap::new(NONCES_MAX) }
    }

    /// When a nonce in use expires.
    pub(super) fn poll_timeout(&self) -> Option<(Mono, Reason)> {
        self.used.poll_timeout().map(|at| (at, Reason("nonce")))
    }

    /// Forgets the nonces that have expired.
    pub(super) fn handle_timeout(&mut self, now: Mono) {
        while self.used.expire(now).is_some() {}
    }

    /// Whether `nonce` is ours, still good and was not used with `count` before; notes that it now is.
    pub(super) fn spend(&mut self, nonce: &str, count: u32, now: Mono) -> bool {
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

    /// A nonce never given before.
    pub(super) fn issue(&mut self, now: Mono) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_altered_anywhere_is_not_ours() {
        let mut nonces = Nonces::new(&mut Rng::seeded(1));
        let nonce = nonces.issue(Mono(5));
        for at in 0..nonce.len() {
            let mut altered = nonce.clone().into_bytes();
            altered[at] = if altered[at] == b'0' { b'1' } else { b'0' };
            assert!(!nonces.spend(std::str::from_utf8(&altered).unwrap(), 1, Mono(5)), "{at}");
        }
        for other in ["", "0", "é", &nonce[1..], &format!("{nonce}0"), &"é".repeat(NONCE_DIGITS / 2)] {
            assert!(!nonces.spend(other, 1, Mono(5)), "{other}");
        }
        assert!(nonces.used.is_empty());
        assert!(nonces.spend(&nonce, 1, Mono(5)) && !nonces.spend(&nonce, 1, Mono(5)));
        assert_ne!(nonces.issue(Mono(5)), nonce);
    }

    #[test]
    fn used_nonces_are_bounded() {
        let mut nonces = Nonces::new(&mut Rng::seeded(1));
        for n in 0..NONCES_MAX as u64 + 10 {
            let nonce = nonces.issue(Mono(n));
            assert!(nonces.spend(&nonce, 1, Mono(n)));
        }
        assert_eq!(nonces.used.len(), NONCES_MAX);
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
