//! The codecs, one file each, and the one table that SDP and RTP read.

pub mod pcma;
pub mod pcmu;

use serde::{Deserialize, Serialize};

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
    /// Samples a millisecond take so many bytes.
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
        CodecKind::ALL.into_iter().find(|k| k.info().name.eq_ignore_ascii_case(name) && k.info().clock == clock)
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
