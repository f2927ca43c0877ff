//! Parameters of header values and URIs: `;name`, `;name=value`, `;name="quoted"`.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::limits::PARAMS_MAX;
use super::syntax;

/// Parameters in the order received. Names compare without case (RFC 3261 §7.3.1); values are kept as received,
/// a quoted one with its quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first value under `name`, as received; `None` as well for a parameter without a value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name).and_then(|(_, value)| value.as_deref())
    }

    /// The first value under `name`, out of its quotes if it has any.
    pub fn unquoted(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).map(syntax::unquote)
    }

    /// Whether there is a parameter `name`, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Sets `name` to `value`, in place if it is there. A value that is neither a token, a host nor already
    /// quoted is quoted.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(header_value);
        match self.0.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// [`set`](Self::set) while building.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<&str>) -> Self {
        self.set(name, value);
        self
    }

    /// Takes every parameter `name` away.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// Names and values as received.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads what follows a header value: nothing, or `;` and parameters (RFC 3261 §25.1 `generic-param`).
    pub(super) fn parse_header(text: &str) -> Result<Self, &'static str> {
        let mut params = header_params(text)?.map(owned).collect::<Result<Vec<_>, _>>()?;
        // Those of a dialog stay as long as it does, and most have one.
        params.shrink_to_fit();
        Ok(Self(params))
    }

    /// Whether [`parse_header`](Self::parse_header) would read it.
    pub(super) fn check_header(text: &str) -> Result<(), &'static str> {
        header_params(text)?.try_for_each(|param| param.map(drop))
    }

    /// Reads a URI's parameters: what stands between its host and its `?`, the first `;` not included.
    pub(super) fn parse_uri(text: Option<&str>) -> Result<Self, &'static str> {
        uri_params(text).map(owned).collect::<Result<_, _>>().map(Self)
    }

    /// Whether [`parse_uri`](Self::parse_uri) would read it.
    pub(super) fn check_uri(text: Option<&str>) -> Result<(), &'static str> {
        uri_params(text).try_for_each(|param| param.map(drop))
    }

    fn find(&self, name: &str) -> Option<&(String, Option<String>)> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        Ok(())
    }
}

/// A parameter where it stands.
type Param<'a> = Result<(&'a str, Option<&'a str>), &'static str>;

fn owned(param: Param<'_>) -> Result<(String, Option<String>), &'static str> {
    param.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
}

fn header_params(text: &str) -> Result<impl Iterator<Item = Param<'_>>, &'static str> {
    let text = syntax::trim(text);
    let list = match text.strip_prefix(';') {
        Some(list) => Some(list),
        None if text.is_empty() => None,
        None => return Err("unexpected text before the parameters"),
    };
    let pieces = list.into_iter().flat_map(|list| syntax::split(list, b';'));
    Ok(bounded(pieces.map(|piece| header_param(syntax::trim(piece)))))
}

fn uri_params(text: Option<&str>) -> impl Iterator<Item = Param<'_>> {
    bounded(text.into_iter().flat_map(|list| list.split(';')).map(uri_param))
}

/// The parameters up to the limit; beyond it one error.
fn bounded<'a>(params: impl Iterator<Item = Param<'a>>) -> impl Iterator<Item = Param<'a>> {
    let numbered = params.take(PARAMS_MAX + 1).enumerate();
    numbered.map(|(n, param)| if n == PARAMS_MAX { Err("too many parameters") } else { param })
}

fn header_param(piece: &str) -> Param<'_> {
    let (name, value) = match piece.split_once('=') {
        Some((name, value)) => (syntax::trim(name), Some(syntax::trim(value))),
        None => (piece, None),
    };
    if !syntax::is_token(name) {
        return Err("malformed parameter name");
    }
    let whole = |value: &str| match value.starts_with('"') {
        true => syntax::quoted_len(value) == Some(value.len()),
        false => value.bytes().all(is_value_byte),
    };
    if value.is_none_or(whole) { Ok((name, value)) } else { Err("malformed parameter value") }
}

fn uri_param(piece: &str) -> Param<'_> {
    let (name, value) = match piece.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (piece, None),
    };
    let fine = |text: &str| text.bytes().all(is_value_byte);
    if name.is_empty() || !fine(name) || !value.is_none_or(fine) {
        return Err("malformed URI parameter");
    }
    Ok((name, value))
}

/// Wider than `token / host` on purpose: what phones put here unquoted is harmless as long as it cannot be
/// taken for structure.
fn is_value_byte(b: u8) -> bool {
    b > b' ' && b != 0x7f && !matches!(b, b'"' | b'<' | b'>' | b',' | b';')
}

fn header_value(value: &str) -> String {
    let quoted = syntax::quoted_len(value) == Some(value.len()) && !value.contains(['\r', '\n', '\0']);
    let plain =
        value.bytes().all(|b| syntax::is_token_byte(b) || matches!(b, b'[' | b']' | b':' | b'/' | b'@'));
    if quoted || (plain && !value.is_empty()) { value.to_owned() } else { syntax::quote(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_parameters_are_read_and_written_back() {
        for (text, written) in [
            ("", ""),
            (";tag=1", ";tag=1"),
            (
                " ; lr ; +sip.instance = \"<urn:uuid:1;2>\" ;q=0.5",
                ";lr;+sip.instance=\"<urn:uuid:1;2>\";q=0.5",
            ),
            (";received=2001:db8::1;x=[::1]", ";received=2001:db8::1;x=[::1]"),
            (";empty=", ";empty="),
        ] {
            assert_eq!(Params::parse_header(text).unwrap().to_string(), written, "{text}");
        }
    }

    #[test]
    fn malformed_parameters_are_refused() {
        for text in [";", ";;a", ";a;", "a=1", ";=1", ";a b", ";a=\"open", ";a=\"b\"c", ";a=b c", ";a=<b>"] {
            assert!(Params::parse_header(text).is_err(), "{text}");
        }
        let many = ";a".repeat(PARAMS_MAX + 1);
        assert_eq!(Params::parse_header(&many), Err("too many parameters"));
        assert!(Params::parse_header(&";a".repeat(PARAMS_MAX)).is_ok());
    }

    #[test]
    fn setting_replaces_without_case_and_quotes_what_needs_it() {
        let mut params = Params::parse_header(";Expires=60;q=1").unwrap();
        params.set("expires", Some("30"));
        params.set("note", Some("a;b\r\nc"));
        params.set("lr", None);
        params.remove("Q");
        assert_eq!(params.to_string(), ";Expires=30;note=\"a;b  c\";lr");
        assert_eq!(params.unquoted("note").as_deref(), Some("a;b  c"));
        assert!(params.has("LR") && params.get("lr").is_none());
    }
}
