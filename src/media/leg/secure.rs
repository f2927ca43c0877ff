//! Encryption of a leg's packets (RFC 3711): what is between the latch and the rest of the leg.

use std::net::SocketAddr;

use super::Leg;
use crate::engine::{Channel, Garbage, Out};
use crate::negotiated::Srtp;
use crate::rtp::PACKET_BYTES_MAX;
use crate::srtp::{OVERHEAD_MAX, Protector, SrtpError, Unprotector};

/// Both directions' contexts.
pub struct Secure {
    keys: Srtp,
    protector: Protector,
    unprotector: Unprotector,
}

impl std::fmt::Debug for Secure {
    /// Keys belong in no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secure").field("suite", &self.keys.suite).finish_non_exhaustive()
    }
}

/// Bytes of a packet as most peers send them, and some more.
const USUAL_BYTES: usize = 256;

impl Leg {
    /// What the agreement says about encryption. A direction whose key stays keeps its rollover counters and what
    /// it has seen (RFC 3711 §3.2.3): a re-INVITE is no seam.
    pub(super) fn secure(&mut self, keys: Option<Srtp>, out: &mut impl Out) {
        if self.secure.as_ref().map(|secure| secure.keys) == keys {
            return;
        }
        let old = self.secure.take();
        if let Some(keys) = keys {
            let mut fresh = Box::new(Secure {
                keys,
                protector: Protector::new(keys.suite, &keys.send),
                unprotector: Unprotector::new(keys.suite, &keys.receive),
            });
            if let Some(old) = old {
                if (old.keys.suite, old.keys.send) == (keys.suite, keys.send) {
                    fresh.protector = old.protector;
                }
                if (old.keys.suite, old.keys.receive) == (keys.suite, keys.receive) {
                    fresh.unprotector = old.unprotector;
                }
            }
            self.secure = Some(fresh);
        } else if let Some(old) = old {
            out.retire(Garbage::Secure(old));
        }
    }

    /// Decrypts a packet where it lies; its length now. `None`: it is not the peer's, and counted.
    #[inline]
    pub(super) fn decrypt(&mut self, channel: Channel, bytes: &mut [u8]) -> Option<usize> {
        let Some(secure) = &mut self.secure else { return Some(bytes.len()) };
        let decrypted = match channel {
            Channel::Rtp => secure.unprotector.rtp(bytes),
            Channel::Rtcp => secure.unprotector.rtcp(bytes),
        };
        match decrypted {
            Ok(len) => return Some(len),
            Err(SrtpError::Replayed) => self.stats.duplicates += 1,
            Err(SrtpError::Forged) => self.stats.forged += 1,
            Err(SrtpError::Short) => self.stats.malformed += 1,
        }
        None
    }

    /// Sends a packet as it was agreed on.
    #[inline]
    pub(super) fn transmit(&mut self, channel: Channel, to: SocketAddr, bytes: &[u8], out: &mut impl Out) {
        let Some(secure) = &mut self.secure else { return out.send(self.id, channel, to, bytes) };
        // To clear room for the longest packet there may be takes as long as to encrypt half of a usual one.
        let (mut usual, mut longest);
        let buffer: &mut [u8] = if bytes.len() <= USUAL_BYTES {
            usual = [0; USUAL_BYTES + OVERHEAD_MAX];
            &mut usual
        } else {
            longest = [0; PACKET_BYTES_MAX + OVERHEAD_MAX];
            &mut longest
        };
        let Some(room) = buffer.get_mut(..bytes.len()) else { return };
        room.copy_from_slice(bytes);
        let len = match channel {
            Channel::Rtp => secure.protector.rtp(buffer, bytes.len()),
            Channel::Rtcp => secure.protector.rtcp(buffer, bytes.len()),
        };
        // Nothing ever leaves in the clear that should not.
        if len > 0 {
            out.send(self.id, channel, to, &buffer[..len]);
        }
    }
}
