//! How the store is.

use base::Timestamp;

/// How the store is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Set while the database refuses or cannot be reached.
    pub degraded: Option<Degraded>,
    /// Rows in memory that are not in the database yet.
    pub pending: usize,
    /// Rows lost since the start: memory was full, or the database would never take them.
    pub dropped: u64,
    /// Rows written since the start.
    pub written: u64,
}

/// What keeps the store from writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degraded {
    /// When the first attempt failed.
    pub since: Timestamp,
    /// What the last attempt met, in a sentence.
    pub error: String,
}
