//! `"Display name" <uri>;parameters`: From, To, Contact, Route and their like (RFC 3261 §20.10).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::typed::Checked;
use super::{Params, Uri, UriError, syntax};

/// A name-addr, or an addr-spec without brackets, whose parameters then belong to the header (RFC 3261 §20.10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameAddr {
    /// The display name as a person reads it: no quotes, no escapes.
    pub display: Option<String>,
    /// The address.
    pub uri: Uri,
    /// The header's parameters: `tag`, `expires`, `q`, `+sip.instance` …
    pub params: Params,
}

impl NameAddr {
    /// `<uri>`, nothing more.
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::new() }
    }

    /// `tag` of From and To (RFC 3261 §19.3); an empty one is none.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// The same with this tag.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", Some(tag));
        self
    }
}

impl From<Uri> for NameAddr {
    fn from(uri: Uri) -> Self {
        Self::new(uri)
    }
}

impl FromStr for NameAddr {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let Parts { display, uri, params } = Parts::read(text)?;
        Ok(Self {
            display: display.map(|display| syntax::unquote(display).into_owned()),
            uri: uri.parse()?,
            params: Params::parse_header(params).map_err(UriError)?,
        })
    }
}

impl Checked for NameAddr {
    fn check(text: &str) -> Result<(), UriError> {
        let parts = Parts::read(text)?;
        Uri::check(parts.uri)?;
        Params::check_header(parts.params).map_err(UriError)
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.display {
            Some(display) if !display.is_empty() => write!(f, "{} ", syntax::quote(display))?,
            Some(_) | None => {}
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

/// Its parts where they stand; the display name with its quotes.
struct Parts<'a> {
    display: Option<&'a str>,
    uri: &'a str,
    params: &'a str,
}

impl<'a> Parts<'a> {
    fn read(text: &'a str) -> Result<Self, UriError> {
        let text = syntax::trim(text);
        if let Some(end) = syntax::quoted_len(text) {
            let (display, rest) = text.split_at(end);
            let rest = syntax::trim(rest);
            let rest =
                rest.strip_prefix('<').ok_or(UriError("display name without an address in brackets"))?;
            return Self::bracketed(Some(display), rest);
        }
        if text.starts_with('"') {
            return Err(UriError("display name whose quote is not closed"));
        }
        match text.split_once('<') {
            Some((display, rest)) => {
                let display = syntax::trim(display);
                if display.contains(['"', ',', ';', ':', '>', '@']) {
                    return Err(UriError("display name that must be quoted"));
                }
                Self::bracketed((!display.is_empty()).then_some(display), rest)
            }
            None => Self::plain(text),
        }
    }

    fn bracketed(display: Option<&'a str>, rest: &'a str) -> Result<Self, UriError> {
        let (uri, params) = rest.split_once('>').ok_or(UriError("address whose bracket is not closed"))?;
        Ok(Self { display, uri, params })
    }

    fn plain(text: &'a str) -> Result<Self, UriError> {
        let (uri, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let uri = syntax::trim(uri);
        if uri.contains([',', '?']) {
            return Err(UriError("URI that must stand in brackets"));
        }
        Ok(Self { display: None, uri, params })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_form() {
        for (text, display, uri, params) in [
            ("<sip:ann@a.example>;tag=1", None, "sip:ann@a.example", ";tag=1"),
            ("Ann <sip:ann@a.example>", Some("Ann"), "sip:ann@a.example", ""),
            ("Ann of the Desk<sip:ann@a.example>", Some("Ann of the Desk"), "sip:ann@a.example", ""),
            (
                r#""Doe, \"J\" <x>" <sip:j@a.example> ;q=0.1"#,
                Some(r#"Doe, "J" <x>"#),
                "sip:j@a.example",
                ";q=0.1",
            ),
            ("\"\"<sip:j@a.example>", Some(""), "sip:j@a.example", ""),
            ("Žofie <sip:z@a.example>", Some("Žofie"), "sip:z@a.example", ""),
            ("sip:ann@a.example;tag=1", None, "sip:ann@a.example", ";tag=1"),
            ("<sip:ann@a.example;lr;x=y>;tag=1", None, "sip:ann@a.example;lr;x=y", ";tag=1"),
            ("<sip:a@b?Route=%3Csip:c%3E>;expires=3", None, "sip:a@b?Route=%3Csip:c%3E", ";expires=3"),
            ("tel:+1555;tag=9", None, "tel:+1555", ";tag=9"),
            ("<sip:a@b>;+sip.instance=\"<urn:uuid:0>\"", None, "sip:a@b", ";+sip.instance=\"<urn:uuid:0>\""),
        ] {
            let read: NameAddr = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(read.display.as_deref(), display, "{text}");
            assert_eq!(
                (read.uri.to_string().as_str(), read.params.to_string().as_str()),
                (uri, params),
                "{text}"
            );
            let again: NameAddr = read.to_string().parse().unwrap();
            assert_eq!((again.uri, again.params), (read.uri, read.params), "{text}");
        }
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for text in [
            "",
            "Ann",
            "\"Ann <sip:a@b>",
            "\"Ann\" sip:a@b",
            "<sip:a@b",
            "Doe, J <sip:a@b>",
            "sip:a@b?Route=x",
            "sip:a@b,sip:c@d",
            "<sip:a@b> tag=1",
            "<sip:a@b>;;",
            "<>",
            "<sip:a@b>>",
            "a\"b\" <sip:a@b>",
            "*",
        ] {
            assert!(text.parse::<NameAddr>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_display_name_cannot_break_out() {
        let addr = NameAddr {
            display: Some("x\" <sip:evil@e>\r\nVia: \\".into()),
            ..NameAddr::new(Uri::sip("a", crate::Host::Name("b".into()), None))
        };
        let text = addr.to_string();
        assert!(!text.contains(['\r', '\n']));
        let read: NameAddr = text.parse().unwrap();
        assert_eq!((read.uri, read.display.as_deref()), (addr.uri, Some("x\" <sip:evil@e>  Via: \\")));
    }

    #[test]
    fn an_empty_tag_is_none() {
        assert_eq!("<sip:a@b>;tag=".parse::<NameAddr>().unwrap().tag(), None);
        assert_eq!("<sip:a@b>".parse::<NameAddr>().unwrap().with_tag("x").to_string(), "<sip:a@b>;tag=x");
    }
}
