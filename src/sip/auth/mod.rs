//! Digest authentication (RFC 7616, RFC 2617 for older phones, RFC 8760 for SIP): [`Authenticator`] challenges and
//! verifies, [`DigestClient`] answers challenges; [`answer_http_challenge`] those of web servers.

mod client;
mod digest;
mod http;
mod nonce;
mod server;

pub use client::{DigestClient, DigestStep};
pub use digest::{DigestAlgorithm, UserCredentials};
pub use http::answer_http_challenge;
pub use server::{Authenticator, Challenger, Verdict};
