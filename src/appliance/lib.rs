//! The wiring only: threads, channels, start, drain, stop, reload, and the command line.
//!
//! `daemon` puts the house together and `shell` is the one loop around the node; nothing here decides what
//! happens to a call. The other files are the commands of `tandem`, each a question to a running box through
//! `control`, or work on files.

mod checks;
mod cli;
mod clock;
mod control;
mod daemon;
mod gauges;
mod ladder;
mod lint;
mod replay;
mod retention;
mod shell;
mod tables;
mod usage;
mod web_access;

use std::process::ExitCode;

/// Runs the command the arguments name. Errors are one sentence on standard error.
pub fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            tables::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
