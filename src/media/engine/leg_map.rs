//! Finding a leg by its number, in the path of every packet.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::command::LegId;

/// A map whose order nobody may see, for looking legs up in the path of a packet.
pub type LegMap<T> = HashMap<LegId, T, BuildHasherDefault<LegHasher>>;

/// Spreads leg numbers, which are handed out one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct LegHasher(u64);

impl Hasher for LegHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0 ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}
