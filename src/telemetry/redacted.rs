//! Numbers and names of people in log lines.

use std::fmt;

/// A number or a name of a person as a log line above DEBUG may show it: the last two characters of a long
/// text, nothing of a short one. Control characters never reach the log.
///
/// ```text
/// tracing::info!(from = %Redacted(&call.from), "call answered");    from=…11
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Redacted<'a>(pub &'a str);

/// Shorter texts would be guessed from their last two characters.
const SHOWN_FROM_CHARS: usize = 6;

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chars = self.0.chars().count();
        f.write_str("…")?;
        if chars < SHOWN_FROM_CHARS {
            return Ok(());
        }
        self.0.chars().skip(chars - 2).try_for_each(|c| write!(f, "{}", c.escape_debug()))
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_long_text_shows() {
        for (text, shown) in [
            ("+15550001111", "…11"),
            ("ann", "…"),
            ("", "…"),
            ("sip:ann@office.example", "…le"),
            ("abcdef\r\n", "…\\r\\n"),
            ("Müller, Zoë", "…oë"),
        ] {
            assert_eq!(Redacted(text).to_string(), shown);
            assert_eq!(format!("{:?}", Redacted(text)), shown);
        }
    }
}
