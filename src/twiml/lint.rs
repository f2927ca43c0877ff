//! Checking a text without a call.

use crate::{Dialect, Finding, parse};

/// Everything wrong with a text, in the order it stands there.
pub fn lint(text: &str) -> Vec<Finding> {
    lint_dialect(text, Dialect::Twiml)
}

/// Likewise, read with a dialect's tables.
pub fn lint_dialect(text: &str, dialect: Dialect) -> Vec<Finding> {
    match parse(text, dialect) {
        Ok(document) => document.findings,
        Err(finding) => vec![finding],
    }
}
