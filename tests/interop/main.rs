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

mod agents;
mod bench;
mod centre_waits;
mod codecs;
mod conference;
mod conference_rest;
mod contact_centre;
mod debugger;
mod desktop;
mod first_call;
mod flows;
#[path = "../sdk/library.rs"]
mod library;
mod office_book;
mod power;
mod queue;
#[path = "../../benches/common/record.rs"]
mod record;
mod recording;
mod recording_forms;
mod rest;
mod rest_call_tool;
mod rest_conference;
mod rest_kill;
mod rest_load;
mod rest_member;
mod rest_pages;
mod rest_retention;
mod rest_taskrouter;
mod roulette;
mod signalling;
mod siprec;
mod sound_faults;
mod speech;
mod stage;
mod stream;
mod taskrouter;
mod texml;
mod transfer;
mod webhooks;
