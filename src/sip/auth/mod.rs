//! Digest authentication (RFC 7616, RFC 2617 for older phones, RFC 8760 for SIP): [`Authenticator`] challenges and
//! verifies, [`DigestClient`] answers challenges.

mod client;
mod digest;
mod nonce;
mod server;

pub use client::{DigestClient, DigestStep};
pub use digest::{DigestAlgorithm, UserCredentials};
pub use server::{Authenticator, Challenger, Verdict};
