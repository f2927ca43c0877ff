//! The proof of compatibility: the list of the surface against the parser, the README against the list, and the
//! official libraries against both.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a test may stop loudly")]

extern crate tandem_twiml as twiml;

#[path = "../sdk/library.rs"]
mod library;
mod lint;
mod offline;
mod readme;
mod sdk;
mod signatures;
mod surface;
mod table;
