//! The codecs, one file each, and the one table that SDP and RTP read.

pub mod coder;
pub mod comfort;
mod conceal;
mod g722;
mod l16;
mod opus;
pub mod pcma;
pub mod pcmu;
mod transcode;

use serde::{Deserialize, Serialize};

pub use coder::{Decoder, Effort, Encoder, PAYLOAD_MAX, PCM_MAX, duration};
pub use transcode::transcode;

/// An audio codec the box sends and receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CodecKind {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus (RFC 6716, RFC 7587), mono.
    Opus,
    /// 16-bit linear samples at 8 kHz (RFC 3551 §4.5.11).
    L16Narrow,
    /// 16-bit linear samples at 16 kHz.
    L16Wide,
}

/// What SDP and RTP must know of a codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecInfo {
    /// Whose row this is.
    pub kind: CodecKind,
    /// Encoding name in `a=rtpmap`; compared without case (RFC 4855 §3).
    pub name: &'static str,
    /// What an office's configuration calls it.
    pub key: &'static str,
    /// Whether `payload_type` is a static one (RFC 3551 §6), which needs no `a=rtpmap`.
    pub is_static: bool,
    /// The RTP payload type we offer it with.
    pub payload_type: u8,
    /// RTP clock in Hz. Of G.722 it is half the sampling rate (RFC 3551 §4.5.2).
    pub clock: u32,
    /// Samples a second of the sound it carries at most, as we decode and encode it.
    pub rate: u32,
    /// Channels that `a=rtpmap` must name; the sound is mono all the same.
    pub channels: u8,
    /// Milliseconds a packet unless the peer asks for others (RFC 3551 §4.5).
    pub ptime_ms: u8,
    /// Coding a frame takes microseconds rather than nanoseconds: work for a thread of its own.
    pub is_heavy: bool,
}

const G711: CodecInfo = CodecInfo {
    kind: CodecKind::Pcmu,
    name: "PCMU",
    key: "pcmu",
    is_static: true,
    payload_type: 0,
    clock: 8_000,
    rate: 8_000,
    channels: 1,
    ptime_ms: 20,
    is_heavy: false,
};

static CODECS: [CodecInfo; 6] = [
    G711,
    CodecInfo { kind: CodecKind::Pcma, name: "PCMA", key: "pcma", payload_type: 8, ..G711 },
    CodecInfo {
        kind: CodecKind::G722,
        name: "G722",
        key: "g722",
        payload_type: 9,
        rate: 16_000,
        is_heavy: true,
        ..G711
    },
    CodecInfo {
        kind: CodecKind::Opus,
        name: "opus",
        key: "opus",
        is_static: false,
        payload_type: 107,
        clock: 48_000,
        rate: 48_000,
        channels: 2,
        is_heavy: true,
        ..G711
    },
    CodecInfo {
        kind: CodecKind::L16Narrow,
        name: "L16",
        key: "l16-8k",
        is_static: false,
        payload_type: 108,
        ..G711
    },
    CodecInfo {
        kind: CodecKind::L16Wide,
        name: "L16",
        key: "l16",
        is_static: false,
        payload_type: 109,
        clock: 16_000,
        rate: 16_000,
        ..G711
    },
];

impl CodecKind {
    /// Every codec, in the order we prefer when nobody else decides.
    pub const ALL: [CodecKind; 6] = [
        CodecKind::Opus,
        CodecKind::G722,
        CodecKind::Pcmu,
        CodecKind::Pcma,
        CodecKind::L16Wide,
        CodecKind::L16Narrow,
    ];

    /// The row of the table.
    pub fn info(self) -> &'static CodecInfo {
        &CODECS[self as usize]
    }

    /// The codec of a static payload type (RFC 3551 §6).
    pub fn from_static(payload_type: u8) -> Option<CodecKind> {
        CodecKind::ALL.into_iter().find(|k| k.info().is_static && k.info().payload_type == payload_type)
    }

    /// The codec an `a=rtpmap` names.
    pub fn from_rtpmap(name: &str, clock: u32) -> Option<CodecKind> {
        CodecKind::ALL
            .into_iter()
            .find(|k| k.info().name.eq_ignore_ascii_case(name) && k.info().clock == clock)
    }

    /// The codec an office's configuration names.
    pub fn from_key(key: &str) -> Option<CodecKind> {
        CodecKind::ALL.into_iter().find(|k| k.info().key == key)
    }

    /// One byte of G.711 to a linear sample.
    pub fn decode(self, byte: u8) -> i16 {
        match self {
            CodecKind::Pcma => pcma::decode(byte),
            _ => pcmu::decode(byte),
        }
    }

    /// One linear sample to a byte of G.711.
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            CodecKind::Pcma => pcma::encode(sample),
            _ => pcmu::encode(sample),
        }
    }

    /// Samples to as many bytes of G.711.
    pub fn encode_all(self, pcm: &[i16], bytes: &mut [u8]) {
        let pairs = bytes.iter_mut().zip(pcm);
        match self {
            CodecKind::Pcma => pairs.for_each(|(byte, &sample)| *byte = pcma::encode(sample)),
            _ => pairs.for_each(|(byte, &sample)| *byte = pcmu::encode(sample)),
        }
    }

    /// Bytes of G.711 to as many samples.
    pub fn decode_all(self, bytes: &[u8], pcm: &mut [i16]) {
        let pairs = pcm.iter_mut().zip(bytes);
        match self {
            CodecKind::Pcma => pairs.for_each(|(sample, &byte)| *sample = pcma::decode(byte)),
            _ => pairs.for_each(|(sample, &byte)| *sample = pcmu::decode(byte)),
        }
    }

    /// The byte of silence in G.711.
    pub fn silence(self) -> u8 {
        self.encode(0)
    }

    /// Whether it is one of the two laws of G.711, of one byte a sample at 8 kHz.
    pub fn is_g711(self) -> bool {
        matches!(self, CodecKind::Pcmu | CodecKind::Pcma)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// CRC-32 as in zlib, for comparing long outputs with figures made elsewhere.
    pub(crate) fn crc32(bytes: impl Iterator<Item = u8>) -> u32 {
        !bytes.fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(byte), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg()))
        })
    }

    /// A second of a synthetic voice at 16 kHz.
    pub(crate) fn speech() -> Vec<i16> {
        let bytes = include_bytes!("../../../tests/data/audio/speech-16k.s16");
        bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
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
            assert_eq!(CodecKind::from_static(info.payload_type), info.is_static.then_some(kind));
            assert_eq!(CodecKind::from_rtpmap(&info.name.to_lowercase(), info.clock), Some(kind));
            assert_eq!(CodecKind::from_key(info.key), Some(kind));
        }
        assert_eq!(CodecKind::from_static(18), None);
        assert_eq!(CodecKind::from_rtpmap("PCMU", 16_000), None);
    }
}
