//! What is wrong with a document, and where.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad it is: the `log` of a Notification, the `Level` of the debugger webhook (reference: error-codes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// The call goes on as if the offending part were not there.
    Warning,
    /// Something the document asked for does not happen.
    Error,
}

/// One thing wrong with a document or with fetching it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The published number (reference: error-codes).
    pub code: u32,
    /// Warning or error.
    pub level: Level,
    /// Line in the document, from 1; 0 when it is not about a place in a text.
    pub line: u32,
    /// Column in characters, from 1; 0 when it is not about a place in a text.
    pub column: u32,
    /// One sentence saying what is wrong and what was done.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Warning => "warning",
            Level::Error => "error",
        };
        if self.line == 0 {
            write!(f, "{level} {}: {}", self.code, self.message)
        } else {
            write!(f, "{}:{}: {level} {}: {}", self.line, self.column, self.code, self.message)
        }
    }
}
