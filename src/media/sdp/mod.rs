//! Session descriptions (RFC 8866, before it RFC 4566) and offer/answer (RFC 3264) for audio.
//!
//! What goes in: the bodies of INVITE, its answers and ACK. What comes out: our own bodies and the
//! [`Negotiated`](crate::Negotiated) media of a leg. Everything is a function of its arguments; [`Session`]
//! remembers what was said last so that re-INVITEs follow the rules of RFC 3264 §8.

mod crypto;
mod description;
mod negotiate;
mod numbers;
mod opus;
mod parse;
mod session;
mod stream;
mod tracks;
mod wishes;
mod write;

pub use description::{Attribute, Connection, Media, Origin, Sdp};
pub use negotiate::{accept, answer, codecs, offer};
pub use parse::{ATTRIBUTES_MAX, BYTES_MAX, FORMATS_MAX, LINE_BYTES_MAX, MEDIA_MAX};
pub use session::Session;
pub use tracks::{Track, accept_tracks, answer_tracks, offer_tracks};
pub use wishes::{SrtpKeys, SrtpWish, Wishes};

/// Why a description is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// One of the maxima of this module is exceeded.
    #[error("more than {max} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much of it is taken.
        max: usize,
    },
    /// Not a session description.
    #[error("line {line}: {why}")]
    Syntax {
        /// Counted from 1; empty lines count.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is no audio stream, or every one is switched off (port 0).
    #[error("no audio stream")]
    NoAudio,
    /// The only audio streams use a profile that is not taken: an unknown one, or `RTP/SAVP` where encryption
    /// is off.
    #[error("profile {0} is not taken here")]
    Profile(String),
    /// Encryption is asked for, by us or by the profile, and there is no `a=crypto` to agree on.
    #[error("no usable a=crypto")]
    Crypto,
    /// The audio stream has no connection address, or one that is not an IP address.
    #[error("the audio stream has no usable address")]
    Address,
    /// Nothing both sides speak.
    #[error("no common codec")]
    NoCommonCodec,
    /// The answer switches our audio stream off (RFC 3264 §6: port 0).
    #[error("the audio stream was declined")]
    Declined,
}

impl SdpError {
    /// The SIP status that refuses such an offer: 400 when it cannot be read, else 488 Not Acceptable Here
    /// (RFC 3261 §21.4.26).
    pub fn status(&self) -> u16 {
        match self {
            SdpError::TooLarge { .. } | SdpError::Syntax { .. } => 400,
            SdpError::NoAudio
            | SdpError::Profile(_)
            | SdpError::Crypto
            | SdpError::Address
            | SdpError::NoCommonCodec
            | SdpError::Declined => 488,
        }
    }
}

#[cfg(test)]
mod tests;
