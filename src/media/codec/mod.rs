//! The codecs, one file each, and the one table that SDP and RTP read.

pub mod pcma;
pub mod pcmu;
mod transcode;

use serde::{Deserialize, Serialize};

pub use transcode::transcode;

/// An audio codec the box sends and receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CodecKind {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

/// What SDP and RTP must know of a codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecInfo {
    /// Whose row this is.
    pub kind: CodecKind,
    /// Encoding name in `a=rtpmap`; compared without case (RFC 4855 §3).
    pub name: &'static str,
    /// The static RTP payload type (RFC 3551 §6), also the one we offer.
    pub payload_type: u8,
    /// RTP clock and sampling rate in Hz.
    pub clock: u32,
    /// Milliseconds a packet unless the peer asks for others (RFC 3551 §4.5).
    pub ptime_ms: u8,
    /// Payload bytes of one millisecond.
    pub bytes_per_ms: usize,
    /// The byte of silence.
    pub silence: u8,
}

static CODECS: [CodecInfo; 2] = [
    CodecInfo {
        kind: CodecKind::Pcmu,
        name: "PCMU",
        payload_type: 0,
        clock: 8_000,
        ptime_ms: 20,
        bytes_per_ms: 8,
        silence: 0xFF,
    },
    CodecInfo {
        kind: CodecKind::Pcma,
        name: "PCMA",
        payload_type: 8,
        clock: 8_000,
        ptime_ms: 20,
        bytes_per_ms: 8,
        silence: 0xD5,
    },
];

impl CodecKind {
    /// Every codec, in the order we prefer when nobody else decides.
    pub const ALL: [CodecKind; 2] = [CodecKind::Pcmu, CodecKind::Pcma];

    /// The row of the table.
    pub fn info(self) -> &'static CodecInfo {
        match self {
            CodecKind::Pcmu => &CODECS[0],
            CodecKind::Pcma => &CODECS[1],
        }
    }

    /// The codec of a static payload type (RFC 3551 §6).
    pub fn from_static(payload_type: u8) -> Option<CodecKind> {
        CodecKind::ALL.into_iter().find(|k| k.info().payload_type == payload_type)
    }

    /// The codec an `a=rtpmap` names.
    pub fn from_rtpmap(name: &str, clock: u32) -> Option<CodecKind> {
        CodecKind::ALL
            .into_iter()
            .find(|k| k.info().name.eq_ignore_ascii_case(name) && k.info().clock == clock)
    }

    /// One byte to a linear sample.
    pub fn decode(self, byte: u8) -> i16 {
        match self {
            CodecKind::Pcmu => pcmu::decode(byte),
            CodecKind::Pcma => pcma::decode(byte),
        }
    }

    /// One linear sample to a byte.
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            CodecKind::Pcmu => pcmu::encode(sample),
            CodecKind::Pcma => pcma::encode(sample),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CRC-32 as in zlib, for comparing long outputs with figures made elsewhere.
    pub(crate) fn crc32(bytes: impl Iterator<Item = u8>) -> u32 {
        !bytes.fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(byte), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg()))
        })
    }

    #[test]
    fn the_crc_is_the_usual_one() {
        assert_eq!(crc32("123456789".bytes()), 0xCBF4_3926);
    }

    #[test]
    fn every_codec_has_its_row() {
        for kind in CodecKind::ALL {
            let info = kind.info();
            assert_eq!(info.kind, kind);
            assert_eq!(CodecKind::from_static(info.payload_type), Some(kind));
            assert_eq!(CodecKind::from_rtpmap(&info.name.to_lowercase(), info.clock), Some(kind));
            assert_eq!(kind.encode(0), info.silence);
            assert!(kind.decode(info.silence).abs() <= 8);
        }
        assert_eq!(CodecKind::from_static(18), None);
        assert_eq!(CodecKind::from_rtpmap("PCMU", 16_000), None);
    }
}
