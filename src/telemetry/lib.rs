//! Logs and metrics.
//!
//! Log lines are fields, not prose, and go to standard error, where systemd's journal or a terminal takes
//! them. Metrics are counted through the `metrics` crate anywhere and rendered for Prometheus here.

mod log;
mod metrics;
mod redacted;

pub use log::{FilterError, check_filter, init};
pub use metrics::{Histogram, Metrics, metrics, show};
pub use redacted::Redacted;
