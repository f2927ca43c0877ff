//! The one source of randomness.

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

/// A seeded, serialisable, cryptographically strong generator.
///
/// The node owns exactly one, seeded by the shell from the operating system (or by a test from a number), so
/// that branches, tags, sids, nonces and SSRCs are unguessable in production and reproducible in a simulation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rng(ChaCha12Rng);

impl Rng {
    /// A generator from 32 bytes of entropy.
    pub fn from_entropy(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// A generator for tests and simulations.
    pub fn seeded(seed: u64) -> Self {
        Self(ChaCha12Rng::seed_from_u64(seed))
    }

    /// Another generator, independent of this one from now on.
    pub fn fork(&mut self) -> Self {
        Self(ChaCha12Rng::from_rng(&mut self.0))
    }

    /// 32 random bits.
    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// 64 random bits.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// 128 random bits.
    pub fn u128(&mut self) -> u128 {
        (u128::from(self.u64()) << 64) | u128::from(self.u64())
    }

    /// A number in `0..bound`.
    ///
    /// # Panics
    /// When `bound` is 0: there is no such number.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a random number below zero does not exist");
        ((u128::from(self.u64()) * u128::from(bound)) >> 64) as u64
    }

    /// True with the given probability (0.0 never, 1.0 always).
    pub fn chance(&mut self, probability: f64) -> bool {
        ((self.u64() >> 11) as f64 / (1u64 << 53) as f64) < probability
    }

    /// `len` lower-case hexadecimal digits: tags, branches, nonces, Call-IDs.
    pub fn hex(&mut self, len: usize) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        (0..len).map(|_| char::from(DIGITS[(self.u32() & 15) as usize])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (mut a, mut b) = (Rng::seeded(7), Rng::seeded(7));
        assert_eq!(a.hex(20), b.hex(20));
        assert_ne!(a.u64(), Rng::seeded(8).u64());
    }

    #[test]
    fn below_stays_below_and_reaches_both_ends() {
        let mut rng = Rng::seeded(1);
        let seen: std::collections::BTreeSet<u64> = (0..200).map(|_| rng.below(5)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_fork_goes_its_own_way() {
        let mut rng = Rng::seeded(3);
        let mut fork = rng.fork();
        assert_ne!(rng.u64(), fork.u64());
    }
}
