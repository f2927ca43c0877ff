//! What an offer and its answer agreed on.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::codec::CodecKind;

/// What an offer and its answer agreed on, from the box's side; made by [`crate::sdp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiated {
    /// Where the peer wants RTP.
    pub remote: SocketAddr,
    /// Where the peer wants RTCP: RTP port + 1, or its `a=rtcp` (RFC 3605).
    pub remote_rtcp: SocketAddr,
    /// What we send.
    pub codec: CodecKind,
    /// The RTP payload type for `codec`, as the peer numbers it.
    pub payload_type: u8,
    /// What the peer may send, by payload type as we numbered it; `codec` is among them.
    pub receive: [Option<(u8, CodecKind)>; CODECS_MAX],
    /// What the peer asks of our Opus encoder; only read when `codec` is Opus.
    pub opus: OpusParameters,
    /// Payload type to send telephone events with (RFC 4733), as the peer numbers it; `None` when the peer
    /// does not take them.
    pub dtmf: Option<u8>,
    /// Payload type on which the peer sends telephone events, as we numbered it; differs from `dtmf` only
    /// when an answerer renumbered our offer (RFC 3264 §5.1).
    pub dtmf_receive: Option<u8>,
    /// Clock of the telephone events of both directions in Hz: that of the audio they interrupt (RFC 4733 §2.1).
    pub dtmf_clock: u32,
    /// Whether keys may come and go as tones in the audio when no telephone events are agreed on.
    pub dtmf_inband: bool,
    /// Payload type of comfort noise (RFC 3389), when the peer takes and sends it.
    pub comfort_noise: Option<u8>,
    /// Ours: `SendOnly` means that we send.
    pub direction: Direction,
    /// Milliseconds of audio per packet that the peer wants.
    pub ptime_ms: u8,
    /// Milliseconds of audio per packet that the peer takes at most.
    pub max_ptime_ms: u8,
    /// How both directions are encrypted; `None` = plain RTP.
    pub srtp: Option<Srtp>,
}

/// Codecs one agreement holds; further ones of a description are not looked at.
pub const CODECS_MAX: usize = 8;

impl Negotiated {
    /// One codec both ways in packets of 20 ms and nothing beside it; RTCP at the next port.
    pub fn plain(remote: SocketAddr, codec: CodecKind, payload_type: u8) -> Negotiated {
        let mut receive = [None; CODECS_MAX];
        receive[0] = Some((payload_type, codec));
        Negotiated {
            remote,
            remote_rtcp: SocketAddr::new(remote.ip(), remote.port().saturating_add(1)),
            codec,
            payload_type,
            receive,
            opus: OpusParameters::default(),
            dtmf: None,
            dtmf_receive: None,
            dtmf_clock: codec.info().clock,
            dtmf_inband: true,
            comfort_noise: None,
            direction: Direction::SendRecv,
            ptime_ms: codec.info().ptime_ms,
            max_ptime_ms: 60,
            srtp: None,
        }
    }
}

/// Which way media flows, seen from the box (RFC 4566 §6, RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// We send only: the box has the peer on hold, or the peer listens only.
    SendOnly,
    /// We receive only: the peer has us on hold.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// Whether we send.
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether we receive.
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The direction that sends and receives just so.
    pub fn of(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// The same flow seen from the other side.
    pub fn reversed(self) -> Direction {
        Direction::of(self.receives(), self.sends())
    }
}

/// What an `a=fmtp` asks of an Opus encoder (RFC 7587 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpusParameters {
    /// Highest sampling rate worth sending, in Hz: 8,000, 12,000, 16,000, 24,000 or 48,000.
    pub max_playback_rate: u32,
    /// Most bits a second, 6,000 to 510,000; `None` = as many as the sound needs.
    pub max_average_bitrate: Option<u32>,
    /// Add what repairs the packet before (in-band forward error correction).
    pub use_inband_fec: bool,
    /// Send next to nothing in silence (discontinuous transmission).
    pub use_dtx: bool,
    /// Constant bit rate.
    pub cbr: bool,
}

impl Default for OpusParameters {
    /// What a peer that says nothing asks for (RFC 7587 §6.1).
    fn default() -> OpusParameters {
        OpusParameters {
            max_playback_rate: 48_000,
            max_average_bitrate: None,
            use_inband_fec: false,
            use_dtx: false,
            cbr: false,
        }
    }
}

/// Keys of both directions of a stream, as `a=crypto` carried them (RFC 4568 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Srtp {
    /// The cipher, the same in both directions (RFC 4568 §5.1.2).
    pub suite: SrtpSuite,
    /// What we encrypt with.
    pub send: SrtpKey,
    /// What the peer encrypts with.
    pub receive: SrtpKey,
}

/// A master key and its salt, as many bytes of each as the suite wants, zeros behind.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SrtpKey {
    /// The master key.
    pub key: [u8; 32],
    /// The master salt.
    pub salt: [u8; 14],
}

impl std::fmt::Debug for SrtpKey {
    /// Keys belong in no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SrtpKey(…)")
    }
}

/// A crypto suite of `a=crypto` (RFC 4568 §6.2, RFC 7714 §14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SrtpSuite {
    /// `AES_CM_128_HMAC_SHA1_80`: 16 bytes of key, 14 of salt.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`: the same with a shorter tag on RTP.
    AesCm128HmacSha1_32,
    /// `AEAD_AES_256_GCM`: 32 bytes of key, 12 of salt.
    AeadAes256Gcm,
}
