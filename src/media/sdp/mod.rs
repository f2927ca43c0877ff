//! Session descriptions (RFC 4566, RFC 8866) and offer/answer (RFC 3264) for audio.

use std::net::SocketAddr;

use crate::codec::CodecKind;
use crate::command::{Direction, Negotiated};

/// Why a description is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Nothing both sides speak: 488.
    #[error("no common codec")]
    NoCommonCodec,
}

/// Describes our side to begin with.
pub fn offer(local: SocketAddr, prefer: &[CodecKind], session: (u64, u64), direction: Direction) -> Vec<u8> {
    let _ = (local, prefer, session, direction);
    Vec::new()
}

/// Answers a peer's offer.
pub fn answer(
    offer: &[u8],
    local: SocketAddr,
    prefer: &[CodecKind],
    session: (u64, u64),
    direction: Direction,
) -> Result<(Vec<u8>, Negotiated), SdpError> {
    let _ = (offer, local, prefer, session, direction);
    Err(SdpError::NoCommonCodec)
}

/// What the peer's answer to our offer means.
pub fn accept(our_offer: &[u8], answer: &[u8]) -> Result<Negotiated, SdpError> {
    let _ = (our_offer, answer);
    Err(SdpError::NoCommonCodec)
}
