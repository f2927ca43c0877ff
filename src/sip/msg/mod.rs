//! SIP messages: bytes in, messages out, and back (RFC 3261 §7, §25).
//!
//! [`decode`] takes one datagram or one framed message and says what it is: a message, something to refuse with a
//! code and a reason phrase that says what is wrong, or something to drop. [`Framer`] cuts messages out of a
//! stream. Headers keep the bytes they came with and are parsed when asked for; nothing takes more than linear
//! time or panics, whatever the bytes.

mod cseq;
mod decode;
mod flow;
mod framer;
mod header_name;
mod headers;
mod host;
pub mod limits;
mod message;
mod method;
mod name_addr;
mod params;
mod replaces;
mod rsip;
mod status;
pub(crate) mod syntax;
#[cfg(test)]
mod torture;
mod typed;
mod uri;
mod via;

pub use cseq::CSeq;
pub use decode::{Decoded, DropReason, decode};
pub use flow::{Flow, TransportKind, UnknownTransport};
pub use framer::{FrameError, Framer};
pub use header_name::HeaderName;
pub use headers::{HeaderValue, Headers};
pub use host::Host;
pub use message::{Message, Request, Response};
pub use method::Method;
pub use name_addr::NameAddr;
pub use params::Params;
pub use replaces::Replaces;
pub use rsip::{ContentDisposition, MediaType, Priority, Warning};
pub use status::reason_phrase;
pub use typed::HeaderError;
pub use uri::{Scheme, Uri, UriError, unescape};
pub use via::{Transport, Via};
