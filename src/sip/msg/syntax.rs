//! The small grammar that headers share: tokens, quoted strings, separators outside them (RFC 3261 §25.1).
//!
//! Everything here makes one pass over its input.

use std::borrow::Cow;

/// Whether each byte may stand in a token.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = (b as u8).is_ascii_alphanumeric()
            || matches!(b as u8, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        b += 1;
    }
    table
};

/// Whether `b` may stand in a token.
pub(crate) fn is_token_byte(b: u8) -> bool {
    TOKEN[usize::from(b)]
}

/// Whether `text` is a token: at least one byte, all of them token bytes.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// `text` without linear white space at either end.
pub(crate) fn trim(text: &str) -> &str {
    let space = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
    let bytes = text.as_bytes();
    let Some(start) = bytes.iter().position(|b| !space(b)) else { return "" };
    let end = bytes.iter().rposition(|b| !space(b)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// Splits at each `separator` that stands neither in a quoted string nor between `<` and `>`.
///
/// An unterminated quote or bracket swallows the rest; whoever parses the piece refuses it.
pub(crate) fn split(text: &str, separator: u8) -> Split<'_> {
    Split { rest: Some(text), separator }
}

/// See [`split`].
#[derive(Clone, Debug)]
pub(crate) struct Split<'a> {
    rest: Option<&'a str>,
    separator: u8,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        match find(rest, |b| b == self.separator) {
            Some(at) => {
                self.rest = Some(&rest[at + 1..]);
                Some(&rest[..at])
            }
            None => {
                self.rest = None;
                Some(rest)
            }
        }
    }
}

/// Where the first byte stands that `wanted` accepts, outside quoted strings and `<…>`. Such a byte must be
/// ASCII.
pub(crate) fn find(text: &str, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut quoted, mut bracketed, mut at) = (false, false, 0);
    while at < bytes.len() {
        let b = bytes[at];
        match b {
            b'\\' if quoted => at += 1,
            b'"' if !bracketed => quoted = !quoted,
            _ if quoted => {}
            b'>' if bracketed => bracketed = false,
            _ if bracketed => {}
            _ if wanted(b) => return Some(at),
            b'<' => bracketed = true,
            _ => {}
        }
        at += 1;
    }
    None
}

/// The length of the quoted string `text` begins with, both quotes included; `None` when it does not begin with
/// one or the string does not end.
pub(crate) fn quoted_len(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'"' => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// A quoted string's content, escapes taken away; any other text as it is.
pub(crate) fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return Cow::Borrowed(text);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    Cow::Owned(out)
}

/// `text` as a quoted string. Control characters have no business in a header and become spaces.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A decimal number of digits alone, at most `max`.
pub(crate) fn number(text: &str, max: u64) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = text.trim_start_matches('0');
    if digits.len() > 19 {
        return None;
    }
    let value = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    (value <= max).then_some(value)
}

/// A number of seconds of digits alone; what is beyond 2³²−1 counts as that (RFC 3261 §20.19).
pub(crate) fn seconds(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(number(text, u64::from(u32::MAX)).map_or(u32::MAX, |n| n as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_count_outside_quotes_and_brackets_only() {
        let pieces = |text, sep| split(text, sep).collect::<Vec<_>>();
        assert_eq!(
            pieces(r#""a,\",b" <sip:x@y>,<sip:a,b@c>,d"#, b','),
            [r#""a,\",b" <sip:x@y>"#, "<sip:a,b@c>", "d"]
        );
        assert_eq!(pieces("a;b=\";\";c", b';'), ["a", "b=\";\"", "c"]);
        assert_eq!(pieces("", b','), [""]);
        assert_eq!(pieces("\"open, for ever", b','), ["\"open, for ever"]);
        // A quotation mark between brackets belongs to the URI and opens nothing.
        assert_eq!(pieces("<sip:a\"b@c>,d", b','), ["<sip:a\"b@c>", "d"]);
    }

    #[test]
    fn quoting_survives_and_cleans() {
        for text in ["", "Ann", "a \"b\" \\c", "Žofie"] {
            let quoted = quote(text);
            assert_eq!(unquote(&quoted), text);
            assert_eq!(quoted_len(&format!("{quoted}tail")), Some(quoted.len()));
        }
        assert_eq!(quote("a\r\nb"), "\"a  b\"");
        assert_eq!(quoted_len(r#""open\""#), None);
        assert_eq!(quoted_len("x"), None);
    }

    #[test]
    fn numbers_are_digits_within_their_bound() {
        assert_eq!(number("0009", 10), Some(9));
        assert_eq!(number("000", 10), Some(0));
        for text in ["", "-1", "+1", "1 ", "11", "99999999999999999999999", "0x1"] {
            assert_eq!(number(text, 10), None, "{text}");
        }
        assert_eq!(seconds("280297596632815"), Some(u32::MAX));
        assert_eq!((seconds("60"), seconds("6O"), seconds("")), (Some(60), None, None));
    }
}
