//! The wiring only: threads, channels, start, drain, stop, reload, and the command line.

/// Runs the command the arguments name.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
