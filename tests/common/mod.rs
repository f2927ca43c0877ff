//! What tests of the running box share: a network of their own, the box as a process, a scripted web server, and other
//! people's SIP software with audio that can be told apart by ear.
//!
//! A test asserts what a caller would notice: tones measured in the RTP that arrived, digits, ringing, the record of
//! the call. Nothing here knows the box's insides; the binary is driven as a user drives it.

#![allow(dead_code, reason = "each test target uses its own part of the bench")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a bench may stop loudly"
)]

pub mod app;
pub mod baresip;
pub mod linphone;
pub mod network;
pub mod office;
pub mod rest;
pub mod roulette;
pub mod rtp;
pub mod scenario;
pub mod sipp;
pub mod tone;
pub mod web;
pub mod wire;

use std::time::{Duration, Instant};

/// The tones of the bench. No two are harmonics of one another.
pub mod hz {
    /// A prompt the box plays.
    pub const PROMPT: f64 = 440.0;
    /// A second prompt: the menu.
    pub const MENU: f64 = 550.0;
    /// What an agent's phone says.
    pub const AGENT: f64 = 700.0;
    /// What the caller says.
    pub const CALLER: f64 = 900.0;
}

/// Asks `check` again and again until it answers, or stops the test with `what` was not seen.
pub fn wait_for<T>(what: &str, within: Duration, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < deadline, "not seen within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whole seconds, for short test lines.
pub const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Milliseconds, for short test lines.
pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
