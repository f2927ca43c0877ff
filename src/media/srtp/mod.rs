//! SRTP and SRTCP (RFC 3711, RFC 7714): packets encrypted and decrypted where they lie.
//!
//! What goes in: a suite and a master key for one direction, then packets. What comes out: the same packets,
//! longer or shorter. Nothing is allocated for a packet. The owner keeps a [`Protector`] while what it sends
//! with (suite and `send` key) stays the same, likewise an [`Unprotector`], each for itself: rollover counters
//! and replay windows go on across a re-INVITE that repeats a key (RFC 4568 §7.1.4), and a new key begins
//! anew (RFC 3711 §8.1).
//!
//! The keys come from `a=crypto` ([`crate::sdp`]). Whatever else agrees on keys, as DTLS does (RFC 5764 §4.2),
//! feeds the same two structs: a suite and the two master keys is all they ask for.
//!
//! A packet is believed once its tag is right, not before: until then no state is kept for its source, so that
//! a flood of forged sources costs no memory.
//!
//! A sender should begin below sequence number 2^15: a receiver that misses the first packets before a wrap
//! cannot guess that there was one (RFC 3711 §3.3.1).

mod cipher;
mod derive;
mod source;

use cipher::Cipher;
use source::Sources;

use crate::negotiated::{SrtpKey, SrtpSuite};

/// Bytes that encrypting adds to a packet at most: a tag of 16 and the SRTCP index.
pub const OVERHEAD_MAX: usize = 20;

/// Encrypts what we send.
pub struct Protector {
    rtp: Cipher,
    rtcp: Cipher,
    sources: Sources,
    /// Index of the next SRTCP packet (RFC 3711 §3.4), of all our sources together.
    rtcp_index: u32,
}

/// Decrypts what we receive.
pub struct Unprotector {
    rtp: Cipher,
    rtcp: Cipher,
    sources: Sources,
    rtcp_sources: Sources,
}

/// Why a packet is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    /// Too short, or no packet of the kind.
    #[error("not an SRTP packet")]
    Short,
    /// Its tag is wrong: not from the peer, or changed on its way.
    #[error("the tag is wrong")]
    Forged,
    /// It was here already, or is too old to know.
    #[error("replayed, or too old")]
    Replayed,
}

impl Protector {
    /// For one direction's master key.
    pub fn new(suite: SrtpSuite, key: &SrtpKey) -> Protector {
        Protector {
            rtp: Cipher::rtp(suite, key),
            rtcp: Cipher::rtcp(suite, key),
            sources: Sources::default(),
            rtcp_index: 0,
        }
    }

    /// Encrypts an RTP packet. `buffer[..len]` holds it, behind it lie [`OVERHEAD_MAX`] bytes of room; answers
    /// with its length now. 0: it is no RTP packet or there is no room, and it must not be sent.
    pub fn rtp(&mut self, buffer: &mut [u8], len: usize) -> usize {
        let Some(header) = buffer.get(..len).and_then(rtp_header) else { return 0 };
        if buffer.len() < len + self.rtp.tag_bytes() {
            return 0;
        }
        let index = self.sources.guess(header.ssrc, header.sequence);
        self.sources.take(header.ssrc, index);
        self.rtp.seal_rtp(buffer, header.bytes, len, header.ssrc, index)
    }

    /// Encrypts a compound RTCP packet; as [`rtp`](Self::rtp).
    pub fn rtcp(&mut self, buffer: &mut [u8], len: usize) -> usize {
        let Some(ssrc) = buffer.get(..len).and_then(rtcp_ssrc) else { return 0 };
        // After 2^31 packets a key is used up (RFC 3711 §9.2).
        if buffer.len() < len + self.rtcp.tag_bytes() + INDEX_BYTES || self.rtcp_index >= ENCRYPTED {
            return 0;
        }
        let index = self.rtcp_index;
        self.rtcp_index += 1;
        self.rtcp.seal_rtcp(buffer, len, ssrc, index)
    }
}

impl Unprotector {
    /// For one direction's master key.
    pub fn new(suite: SrtpSuite, key: &SrtpKey) -> Unprotector {
        Unprotector {
            rtp: Cipher::rtp(suite, key),
            rtcp: Cipher::rtcp(suite, key),
            sources: Sources::default(),
            rtcp_sources: Sources::default(),
        }
    }

    /// Decrypts an RTP packet; answers with its length now. A packet that is refused may have been changed.
    pub fn rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let header = rtp_header(packet).ok_or(SrtpError::Short)?;
        if packet.len() < header.bytes + self.rtp.tag_bytes() {
            return Err(SrtpError::Short);
        }
        let index = self.sources.guess(header.ssrc, header.sequence);
        if self.sources.is_replayed(header.ssrc, index) {
            return Err(SrtpError::Replayed);
        }
        let len = self.rtp.open_rtp(packet, header.bytes, header.ssrc, index)?;
        self.sources.take(header.ssrc, index);
        Ok(len)
    }

    /// Decrypts a compound RTCP packet; as [`rtp`](Self::rtp). One that was sent in the clear is refused: we
    /// never agree on `UNENCRYPTED_SRTCP`.
    pub fn rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(packet).ok_or(SrtpError::Short)?;
        let word = self.rtcp.rtcp_index_word(packet).ok_or(SrtpError::Short)?;
        if word & ENCRYPTED == 0 {
            return Err(SrtpError::Forged);
        }
        let index = u64::from(word & !ENCRYPTED);
        if self.rtcp_sources.is_replayed(ssrc, index) {
            return Err(SrtpError::Replayed);
        }
        let len = self.rtcp.open_rtcp(packet, ssrc, word)?;
        self.rtcp_sources.take(ssrc, index);
        Ok(len)
    }
}

/// What an RTP header says that SRTP needs.
struct RtpHeader {
    /// Its own length, sources and extension included: what stays readable.
    bytes: usize,
    sequence: u16,
    ssrc: u32,
}

fn rtp_header(packet: &[u8]) -> Option<RtpHeader> {
    let [first, _, s1, s2, _, _, _, _, a, b, c, d, ..] = *packet else { return None };
    if first >> 6 != 2 {
        return None;
    }
    let mut bytes = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let length = packet.get(bytes + 2..bytes + 4)?;
        bytes += 4 + 4 * usize::from(u16::from_be_bytes([length[0], length[1]]));
    }
    (bytes <= packet.len()).then_some(RtpHeader {
        bytes,
        sequence: u16::from_be_bytes([s1, s2]),
        ssrc: u32::from_be_bytes([a, b, c, d]),
    })
}

fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    match *packet {
        [first, _, _, _, a, b, c, d, ..] if first >> 6 == 2 => Some(u32::from_be_bytes([a, b, c, d])),
        _ => None,
    }
}

/// The part of an SRTCP packet that stays readable: the first packet's header and its sender.
const RTCP_HEADER_BYTES: usize = 8;
/// The E flag and the index behind an SRTCP packet.
const INDEX_BYTES: usize = 4;
/// The E flag (RFC 3711 §3.4).
const ENCRYPTED: u32 = 1 << 31;

#[cfg(test)]
mod tests;
