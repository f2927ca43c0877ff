//! The maxima that more than one crate must agree on. A limit that one crate alone enforces stands there.

/// Bytes of a TwiML document body; beyond it error 11750 (`twiml-voice` §1.1).
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024;

/// Bytes of an audio answer that is played as it came, instead of being asked for again: four minutes of µ-law
/// (`twiml-voice` §1.2).
pub const AUDIO_ANSWER_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Bytes of one SIP message on a stream transport; beyond it the connection is closed. A datagram cannot
/// exceed it either.
pub const SIP_MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Nouns one `<Dial>` may ring (error 13250 beyond).
pub const DIAL_NOUNS_MAX: usize = 10;

/// Calls (legs) in progress unless configured otherwise; beyond it a new INVITE gets 503 with Retry-After.
pub const CALLS_MAX: usize = 2_000;
