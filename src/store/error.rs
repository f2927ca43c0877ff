//! What can be wrong with the store.

/// Why the store cannot be opened, read, or written just now.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A URL of another kind.
    #[error("the store's url must begin with sqlite: or postgres:// or be absent")]
    Url,
    /// A database that a later version of the box has changed.
    #[error(
        "the database has {found} schema steps and this version knows {known}: it was made by a later version"
    )]
    TooNew {
        /// Steps in the database.
        found: usize,
        /// Steps this version knows.
        known: usize,
    },
    /// The state directory.
    #[error("{path}: {source}")]
    State {
        /// The file or directory.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The database took too long.
    #[error("the database did not answer within {0} s")]
    Timeout(u64),
    /// Rows wait in memory and are not on disk.
    #[error("not on disk yet: {0}")]
    Degraded(String),
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}
