//! The REST API as it is published: a real node with simulated callers behind the real router, every operation asked in
//! process, every answer held against the published descriptions; and what no client would send, on every path.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests may stop loudly")]

extern crate tandem_api as api;

mod broken;
mod contract;
mod effects;
mod house;
mod judge;
mod oai;
mod places;
mod schema;
mod surface;
mod taskrouter;
mod truth;
mod values;
