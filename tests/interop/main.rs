//! Calls through the box with other people's SIP software on real sockets, judged by what is heard.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "tests may stop loudly"
)]

#[path = "../common/mod.rs"]
mod common;

mod bench;
mod codecs;
mod conference;
mod debugger;
mod first_call;
mod flows;
mod power;
mod queue;
mod roulette;
mod signalling;
mod speech;
mod stage;
mod stream;
mod webhooks;
