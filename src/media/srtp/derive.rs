//! Session keys from a master key (RFC 3711 §4.3): AES in counter mode, once for a master key.

use aes::cipher::{KeyIvInit, StreamCipher};

use crate::negotiated::{SrtpKey, SrtpSuite};

/// What a derived key is for (RFC 3711 §4.3.2).
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Label {
    RtpKey = 0,
    RtpTag = 1,
    RtpSalt = 2,
    RtcpKey = 3,
    RtcpTag = 4,
    RtcpSalt = 5,
}

/// `N` bytes for one purpose. The derivation rate is always 0: only `KDR` of `a=crypto` could say otherwise, and
/// a line with it is not taken.
pub(super) fn derive<const N: usize>(suite: SrtpSuite, master: &SrtpKey, label: Label) -> [u8; N] {
    // A shorter salt, as GCM has, is moved up, which is what the zeros behind it are (RFC 7714 §11).
    let mut block = [0; 16];
    block[..14].copy_from_slice(&master.salt);
    block[7] ^= label as u8;
    let mut key = [0; N];
    match suite {
        SrtpSuite::AesCm128HmacSha1_80 | SrtpSuite::AesCm128HmacSha1_32 => {
            let short: &[u8; 16] = master.key.first_chunk().expect("16 of 32 bytes");
            ctr::Ctr128BE::<aes::Aes128>::new(short.into(), &block.into()).apply_keystream(&mut key);
        }
        SrtpSuite::AeadAes256Gcm => {
            ctr::Ctr128BE::<aes::Aes256>::new(&master.key.into(), &block.into()).apply_keystream(&mut key);
        }
    }
    key
}
