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

impl Finding {
    /// As a line of a list of findings: `welcome.xml:2:9: warning …`, or without line and column what has none.
    pub fn of(&self, document: &str) -> String {
        let gap = if self.line == 0 { " " } else { "" };
        format!("{document}:{gap}{self}")
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_list_names_the_place_where_there_is_one() {
        let mut finding =
            Finding { code: 12200, level: Level::Warning, line: 2, column: 9, message: "odd".to_owned() };
        assert_eq!(finding.of("a.xml"), "a.xml:2:9: warning 12200: odd");
        (finding.line, finding.column) = (0, 0);
        assert_eq!(finding.of("a.xml"), "a.xml: warning 12200: odd");
    }
}
