//! What is wrong with a configuration, where, and what would be right.

use std::fmt;
use std::path::PathBuf;

/// One thing wrong with a configuration file, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Line and column in characters, both from 1; `None` when it is about the file as a whole.
    pub at: Option<(u32, u32)>,
    /// The key, as `phone.password`; empty when it is about the file as a whole.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        if self.key.is_empty() {
            write!(f, ": {}", self.message)
        } else {
            write!(f, ": {}: {}", self.key, self.message)
        }
    }
}

/// Where a byte offset lies in a text: line and column in characters, both from 1.
pub(crate) fn place(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before[line_start..].chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_characters_from_one() {
        for (text, offset, expected) in [
            ("", 0, (1, 1)),
            ("a\nbc", 3, (2, 2)),
            ("ä = 1", 3, (1, 3)),
            ("a\n", 2, (2, 1)),
            ("a", 9, (1, 2)),
        ] {
            assert_eq!(place(text, offset), expected, "{text:?} {offset}");
        }
    }

    #[test]
    fn an_error_reads_as_one_sentence_with_its_place() {
        let error = ConfigError {
            file: "tandem.toml".into(),
            at: Some((3, 7)),
            key: "sip.listen".to_owned(),
            message: "no.".to_owned(),
        };
        assert_eq!(error.to_string(), "tandem.toml:3:7: sip.listen: no.");
        assert_eq!(ConfigError { at: None, key: String::new(), ..error }.to_string(), "tandem.toml: no.");
    }
}
