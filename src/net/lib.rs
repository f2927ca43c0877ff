//! Sockets: SIP transports, DNS, media threads, the webhook client, media streams.
//!
//! Everything here does IO and decides nothing: bytes, names and requests go in, what the world made of them
//! comes out as an input of the node. Nothing one peer does (never reading, never answering, flooding) may
//! hold up what another one is owed.

pub mod dns;
pub mod local;
pub mod media;
pub mod sip;
pub mod stream;
pub mod webhook;
