//! Endpoints that talk to each other over a wire of our own: what their owners see, and that nothing is left over.

#![allow(clippy::unwrap_used, reason = "a test may stop loudly")]

extern crate tandem_sip as sip;

mod calls;
mod lamps;
mod lossy;
mod noise;
mod odd_peers;
mod raw;
mod refer;
mod registration;
mod wire;
