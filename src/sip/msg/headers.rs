//! A message's headers: ordered, with each value's bytes as received.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CSeq, HeaderName, NameAddr, Uri, Via};

/// One header's value.
///
/// A received value keeps its bytes, folding included, so that copying it into a response changes nothing. A value
/// made here holds no control character: what would end the line becomes a space.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderValue(Vec<u8>);

impl HeaderValue {
    /// The bytes as received or written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value as one line: folds are single spaces (RFC 3261 §7.3.1), what is not UTF-8 is U+FFFD.
    pub fn text(&self) -> Cow<'_, str> {
        if !self.0.contains(&b'\n') {
            return match std::str::from_utf8(&self.0) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => String::from_utf8_lossy(&self.0),
            };
        }
        let mut line: Vec<u8> = Vec::with_capacity(self.0.len());
        for (n, part) in self.0.split(|b| *b == b'\n').enumerate() {
            let part = part.trim_ascii();
            if n > 0 {
                line.push(b' ');
            }
            line.extend_from_slice(part);
        }
        Cow::Owned(String::from_utf8_lossy(&line).into_owned())
    }

    /// Takes bytes from the wire. They must not hold a line end that is not a fold.
    pub(super) fn received(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<&str> for HeaderValue {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<String> for HeaderValue {
    fn from(text: String) -> Self {
        let mut bytes = text.into_bytes();
        for b in &mut bytes {
            if b.is_ascii_control() {
                *b = b' ';
            }
        }
        Self(bytes)
    }
}

impl From<Cow<'_, str>> for HeaderValue {
    fn from(text: Cow<'_, str>) -> Self {
        Self::from(text.into_owned())
    }
}

macro_rules! values_by_display {
    ($($type:ty),*) => {$(
        impl From<$type> for HeaderValue {
            fn from(value: $type) -> Self {
                Self::from(value.to_string())
            }
        }
        impl From<&$type> for HeaderValue {
            fn from(value: &$type) -> Self {
                Self::from(value.to_string())
            }
        }
    )*};
}

values_by_display!(NameAddr, Via, CSeq, Uri, u32, usize);

impl fmt::Debug for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text(), f)
    }
}

impl fmt::Display for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// Headers in the order received. Typed reads are in [`typed`](super::typed).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headers(Vec<(HeaderName, HeaderValue)>);

impl Headers {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line at the end.
    pub fn push(&mut self, name: HeaderName, value: impl Into<HeaderValue>) {
        self.0.push((name, value.into()));
    }

    /// Adds a line before all others: how a Via or Record-Route goes on top.
    pub fn push_front(&mut self, name: HeaderName, value: impl Into<HeaderValue>) {
        self.0.insert(0, (name, value.into()));
    }

    /// Replaces every line `name` by this one, where the first of them stood.
    pub fn set(&mut self, name: HeaderName, value: impl Into<HeaderValue>) {
        let mut value = Some(value.into());
        self.0.retain_mut(|(n, v)| {
            if *n != name {
                return true;
            }
            match value.take() {
                Some(value) => {
                    *v = value;
                    true
                }
                None => false,
            }
        });
        if let Some(value) = value {
            self.0.push((name, value));
        }
    }

    /// Replaces the first line `name` alone, or adds it before all others.
    pub(super) fn replace_first(&mut self, name: HeaderName, value: HeaderValue) {
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.0.insert(0, (name, value)),
        }
    }

    /// Takes every line `name` away.
    pub fn remove(&mut self, name: &HeaderName) {
        self.0.retain(|(n, _)| n != name);
    }

    /// The first line `name`.
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.all(name).next()
    }

    /// The first line `name` as one line of text.
    pub fn text(&self, name: &HeaderName) -> Option<Cow<'_, str>> {
        self.get(name).map(HeaderValue::text)
    }

    /// Whether there is a line `name`.
    pub fn has(&self, name: &HeaderName) -> bool {
        self.get(name).is_some()
    }

    /// The lines `name`, in order.
    pub fn all(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value)
    }

    /// All lines, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_keeps_the_place_and_leaves_one() {
        let mut headers = Headers::new();
        for (name, value) in [(HeaderName::Via, "a"), (HeaderName::Route, "1"), (HeaderName::To, "t")] {
            headers.push(name, value);
        }
        headers.push(HeaderName::Route, "2");
        headers.set(HeaderName::Route, "3");
        headers.set(HeaderName::From, "f");
        headers.push_front(HeaderName::Via, "b");
        let lines: Vec<String> = headers.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(lines, ["Via=b", "Via=a", "Route=3", "To=t", "From=f"]);
        headers.remove(&HeaderName::Via);
        assert!(!headers.has(&HeaderName::Via) && headers.len() == 3);
    }

    #[test]
    fn a_value_made_here_stays_on_its_line() {
        let value = HeaderValue::from("a\r\nVia: evil\0\x7f");
        assert_eq!(value.as_bytes(), b"a  Via: evil  ");
    }

    #[test]
    fn a_fold_reads_as_one_space_and_keeps_its_bytes() {
        let value = HeaderValue::received(b"a \r\n\t b\n  c");
        assert_eq!(value.text(), "a b c");
        assert_eq!(value.as_bytes(), b"a \r\n\t b\n  c");
        assert_eq!(HeaderValue::received(b"\xff").text(), "\u{fffd}");
    }
}
