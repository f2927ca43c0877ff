//! The two ciphers, each with the session keys of one direction of RTP or of RTCP.

use aes::cipher::{InnerIvInit, StreamCipher, StreamCipherCoreWrapper};
use hmac::{Hmac, Mac};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha1::Sha1;

use super::derive::{Label, derive};
use super::{ENCRYPTED, INDEX_BYTES, RTCP_HEADER_BYTES, SrtpError};
use crate::negotiated::{SrtpKey, SrtpSuite};

pub(super) enum Cipher {
    /// AES in counter mode, and HMAC-SHA1 over what it made (RFC 3711 §4.1.1, §4.2.1).
    Cm(Box<Cm>),
    /// AES in Galois/counter mode, which does both (RFC 7714).
    Gcm(Box<Gcm>),
}

pub(super) struct Cm {
    cipher: aes::Aes128,
    /// Two zeros behind, where the block counter goes.
    salt: [u8; 16],
    mac: Hmac<Sha1>,
    tag_bytes: usize,
}

pub(super) struct Gcm {
    key: LessSafeKey,
    salt: [u8; 12],
}

impl Cipher {
    pub(super) fn rtp(suite: SrtpSuite, key: &SrtpKey) -> Cipher {
        let tag_bytes = match suite {
            SrtpSuite::AesCm128HmacSha1_32 => 4,
            SrtpSuite::AesCm128HmacSha1_80 | SrtpSuite::AeadAes256Gcm => 10,
        };
        Cipher::new(suite, key, [Label::RtpKey, Label::RtpTag, Label::RtpSalt], tag_bytes)
    }

    /// The short tag is for RTP alone (RFC 4568 §6.2.2).
    pub(super) fn rtcp(suite: SrtpSuite, key: &SrtpKey) -> Cipher {
        Cipher::new(suite, key, [Label::RtcpKey, Label::RtcpTag, Label::RtcpSalt], 10)
    }

    fn new(suite: SrtpSuite, master: &SrtpKey, labels: [Label; 3], tag_bytes: usize) -> Cipher {
        let [key, tag, salt] = labels;
        match suite {
            SrtpSuite::AesCm128HmacSha1_80 | SrtpSuite::AesCm128HmacSha1_32 => {
                let tag = derive::<20>(suite, master, tag);
                let (key, salt) = (derive(suite, master, key), derive(suite, master, salt));
                Cipher::Cm(Box::new(Cm::with_session_keys(key, salt, &tag, tag_bytes)))
            }
            SrtpSuite::AeadAes256Gcm => {
                let key = derive::<32>(suite, master, key);
                Cipher::Gcm(Box::new(Gcm::with_session_keys(&key, derive(suite, master, salt))))
            }
        }
    }

    pub(super) fn tag_bytes(&self) -> usize {
        match self {
            Cipher::Cm(cm) => cm.tag_bytes,
            Cipher::Gcm(_) => 16,
        }
    }

    /// Encrypts behind the header and writes the tag; the owner has seen to the room.
    pub(super) fn seal_rtp(
        &self,
        buffer: &mut [u8],
        header: usize,
        len: usize,
        ssrc: u32,
        index: u64,
    ) -> usize {
        let end = len + self.tag_bytes();
        match self {
            Cipher::Cm(cm) => {
                cm.keystream(ssrc, index, &mut buffer[header..len]);
                let tag = cm.tag(&[&buffer[..len], &rollover(index)]);
                buffer[len..end].copy_from_slice(&tag[..cm.tag_bytes]);
            }
            Cipher::Gcm(gcm) => {
                let (aad, rest) = buffer.split_at_mut(header);
                let (text, behind) = rest.split_at_mut(len - header);
                gcm.seal(gcm.rtp_nonce(ssrc, index), aad, text, &mut behind[..16]);
            }
        }
        end
    }

    /// The packet's length without its tag, decrypted; the owner has seen that header and tag fit into it.
    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        header: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<usize, SrtpError> {
        let len = packet.len() - self.tag_bytes();
        match self {
            Cipher::Cm(cm) => {
                cm.verify(&[&packet[..len], &rollover(index)], &packet[len..])?;
                cm.keystream(ssrc, index, &mut packet[header..len]);
            }
            Cipher::Gcm(gcm) => {
                let (aad, rest) = packet.split_at_mut(header);
                gcm.open(gcm.rtp_nonce(ssrc, index), aad, rest)?;
            }
        }
        Ok(len)
    }

    /// As [`seal_rtp`](Self::seal_rtp); the index goes behind the text, and behind it the tag, in GCM before it
    /// (RFC 7714 §9.2).
    pub(super) fn seal_rtcp(&self, buffer: &mut [u8], len: usize, ssrc: u32, index: u32) -> usize {
        let word = (index | ENCRYPTED).to_be_bytes();
        let end = len + INDEX_BYTES + self.tag_bytes();
        match self {
            Cipher::Cm(cm) => {
                cm.keystream(ssrc, u64::from(index), &mut buffer[RTCP_HEADER_BYTES..len]);
                buffer[len..len + INDEX_BYTES].copy_from_slice(&word);
                let tag = cm.tag(&[&buffer[..len + INDEX_BYTES]]);
                buffer[len + INDEX_BYTES..end].copy_from_slice(&tag[..cm.tag_bytes]);
            }
            Cipher::Gcm(gcm) => {
                let aad = rtcp_aad(buffer, word);
                let (text, behind) = buffer[RTCP_HEADER_BYTES..].split_at_mut(len - RTCP_HEADER_BYTES);
                gcm.seal(gcm.rtcp_nonce(ssrc, index), &aad, text, &mut behind[..16]);
                buffer[end - INDEX_BYTES..end].copy_from_slice(&word);
            }
        }
        end
    }

    /// The E flag and index of an SRTCP packet; `None` when it is too short to have them.
    pub(super) fn rtcp_index_word(&self, packet: &[u8]) -> Option<u32> {
        let behind = match self {
            Cipher::Cm(cm) => cm.tag_bytes,
            Cipher::Gcm(_) => 0,
        };
        let fits = packet.len() >= RTCP_HEADER_BYTES + INDEX_BYTES + self.tag_bytes();
        let word = fits.then(|| packet[..packet.len() - behind].last_chunk()).flatten()?;
        Some(u32::from_be_bytes(*word))
    }

    /// The packet's length without index and tag, decrypted. `word` is what
    /// [`rtcp_index_word`](Self::rtcp_index_word) found in it.
    pub(super) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, word: u32) -> Result<usize, SrtpError> {
        let len = packet.len() - self.tag_bytes() - INDEX_BYTES;
        let index = word & !ENCRYPTED;
        match self {
            Cipher::Cm(cm) => {
                let tag = len + INDEX_BYTES;
                cm.verify(&[&packet[..tag]], &packet[tag..])?;
                cm.keystream(ssrc, u64::from(index), &mut packet[RTCP_HEADER_BYTES..len]);
            }
            Cipher::Gcm(gcm) => {
                let aad = rtcp_aad(packet, word.to_be_bytes());
                let end = packet.len() - INDEX_BYTES;
                gcm.open(gcm.rtcp_nonce(ssrc, index), &aad, &mut packet[RTCP_HEADER_BYTES..end])?;
            }
        }
        Ok(len)
    }
}

impl Cm {
    pub(super) fn with_session_keys(key: [u8; 16], salt: [u8; 14], tag: &[u8], tag_bytes: usize) -> Cm {
        let mut padded = [0; 16];
        padded[..14].copy_from_slice(&salt);
        let mac = <Hmac<Sha1> as Mac>::new_from_slice(tag).expect("HMAC takes a key of any length");
        Cm { cipher: aes::cipher::KeyInit::new(&key.into()), salt: padded, mac, tag_bytes }
    }

    /// XORs the key stream of one packet onto `text` (RFC 3711 §4.1.1).
    pub(super) fn keystream(&self, ssrc: u32, index: u64, text: &mut [u8]) {
        let mut iv = self.salt;
        xor(&mut iv[4..8], &ssrc.to_be_bytes());
        xor(&mut iv[8..14], &index.to_be_bytes()[2..]);
        let core =
            ctr::CtrCore::<&aes::Aes128, ctr::flavors::Ctr128BE>::inner_iv_init(&self.cipher, &iv.into());
        StreamCipherCoreWrapper::from_core(core).apply_keystream(text);
    }

    fn tag(&self, parts: &[&[u8]]) -> [u8; 20] {
        self.hashed(parts).finalize().into_bytes().into()
    }

    /// In constant time.
    fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), SrtpError> {
        self.hashed(parts).verify_truncated_left(tag).map_err(|_| SrtpError::Forged)
    }

    fn hashed(&self, parts: &[&[u8]]) -> Hmac<Sha1> {
        let mut mac = self.mac.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac
    }
}

impl Gcm {
    /// Of 32 bytes of key.
    pub(super) fn with_session_keys(key: &[u8], salt: [u8; 12]) -> Gcm {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("32 bytes are a key of AES-256");
        Gcm { key: LessSafeKey::new(key), salt }
    }

    /// RFC 7714 §8.1.
    fn rtp_nonce(&self, ssrc: u32, index: u64) -> [u8; 12] {
        let mut nonce = self.salt;
        xor(&mut nonce[2..6], &ssrc.to_be_bytes());
        xor(&mut nonce[6..12], &index.to_be_bytes()[2..]);
        nonce
    }

    /// RFC 7714 §9.1.
    fn rtcp_nonce(&self, ssrc: u32, index: u32) -> [u8; 12] {
        let mut nonce = self.salt;
        xor(&mut nonce[2..6], &ssrc.to_be_bytes());
        xor(&mut nonce[8..12], &index.to_be_bytes());
        nonce
    }

    fn seal(&self, nonce: [u8; 12], aad: &[u8], text: &mut [u8], tag: &mut [u8]) {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let made = self.key.seal_in_place_separate_tag(nonce, Aad::from(aad), text);
        tag.copy_from_slice(made.expect("a packet is shorter than GCM's limit").as_ref());
    }

    fn open(&self, nonce: [u8; 12], aad: &[u8], text_and_tag: &mut [u8]) -> Result<(), SrtpError> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self.key.open_in_place(nonce, Aad::from(aad), text_and_tag);
        opened.map(|_| ()).map_err(|_| SrtpError::Forged)
    }
}

/// The first eight bytes, then the index with its flag (RFC 7714 §9.2).
fn rtcp_aad(packet: &[u8], word: [u8; 4]) -> [u8; 12] {
    let mut aad = [0; 12];
    aad[..RTCP_HEADER_BYTES].copy_from_slice(&packet[..RTCP_HEADER_BYTES]);
    aad[RTCP_HEADER_BYTES..].copy_from_slice(&word);
    aad
}

/// What the tag covers besides the packet.
fn rollover(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

fn xor(onto: &mut [u8], with: &[u8]) {
    onto.iter_mut().zip(with).for_each(|(a, b)| *a ^= b);
}
