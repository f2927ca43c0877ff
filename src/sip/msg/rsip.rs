//! The border to the `rsip` crate: the typed headers it reads right, and nothing else of it.
//!
//! What rsip 0.4 gets right and wrong is written down row by row in the torture table. It takes no folding,
//! compact name, IPv6 host, `tel:` URI, extension method, two contacts on a line, binary body or hexadecimal `nc`
//! beyond a byte, so start line, framing, headers, URIs, addresses and digest are ours. The headers below are
//! those whose values are simple enough for it; each is a single value, and short, because some of its parsers
//! take more than linear time.

use std::convert::TryFrom;

use ::rsip::headers::UntypedHeader;
use ::rsip::headers::typed;
use ::rsip::headers::typed::content_disposition::DisplayType;
use serde::{Deserialize, Serialize};

use super::{HeaderError, HeaderName, Headers, syntax};

/// Longest value handed to rsip.
const RSIP_BYTES_MAX: usize = 512;

/// A media type: what a body is (RFC 3261 §20.15).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaType {
    /// `type/subtype`, in lower case.
    pub name: String,
    /// Parameters in order, values without their quotes.
    pub params: Vec<(String, String)>,
}

impl MediaType {
    /// Whether the body is a session description.
    pub fn is_sdp(&self) -> bool {
        self.name == "application/sdp"
    }

    /// The value of a parameter, `boundary` for one.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What a body is for (RFC 3261 §20.11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentDisposition {
    /// `session`, `render`, `icon`, `alert` or another, in lower case.
    pub kind: String,
    /// `handling=optional`: a receiver who does not know it may ignore it.
    pub optional: bool,
}

/// A warning in words (RFC 3261 §20.43).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// 300 to 399.
    pub code: u16,
    /// Who warns: a host, or a name.
    pub agent: String,
    /// What about.
    pub text: String,
}

/// How urgent a call says it is (RFC 3261 §20.26).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Priority {
    /// `non-urgent`
    NonUrgent,
    /// `normal`, also what a call without the header is.
    Normal,
    /// `urgent`
    Urgent,
    /// `emergency`
    Emergency,
    /// Any other.
    Other(String),
}

impl Headers {
    /// Content-Type, when there.
    pub fn content_type(&self) -> Result<Option<MediaType>, HeaderError> {
        let name = HeaderName::ContentType;
        let Some(value) = self.short(&name)? else { return Ok(None) };
        let bad = || HeaderError::Bad(name.clone(), "malformed media type");
        let typed =
            typed::ContentType::try_from(::rsip::headers::ContentType::new(value)).map_err(|_| bad())?;
        let (name, params) = match typed.0 {
            typed::MediaType::Sdp(params) => ("application/sdp".to_owned(), params),
            typed::MediaType::Other(name, params) => (name.trim().to_ascii_lowercase(), params),
        };
        let whole = name.split_once('/').is_some_and(|(a, b)| syntax::is_token(a) && syntax::is_token(b));
        let params = pairs(params.into_iter().map(|param| (param.0, param.1))).ok_or_else(bad)?;
        if whole { Ok(Some(MediaType { name, params })) } else { Err(bad()) }
    }

    /// Content-Disposition, when there.
    pub fn content_disposition(&self) -> Result<Option<ContentDisposition>, HeaderError> {
        let name = HeaderName::ContentDisposition;
        let Some(value) = self.short(&name)? else { return Ok(None) };
        let bad = || HeaderError::Bad(name.clone(), "malformed disposition");
        let untyped = ::rsip::headers::ContentDisposition::new(value);
        let typed = typed::ContentDisposition::try_from(untyped).map_err(|_| bad())?;
        let kind = match typed.display_type {
            DisplayType::Render => "render".to_owned(),
            DisplayType::Session => "session".to_owned(),
            DisplayType::Icon => "icon".to_owned(),
            DisplayType::Alert => "alert".to_owned(),
            DisplayType::Other(other) => other.trim().to_ascii_lowercase(),
        };
        let params =
            pairs(typed.display_params.into_iter().map(|param| (param.0, param.1))).ok_or_else(bad)?;
        if !syntax::is_token(&kind) {
            return Err(bad());
        }
        let optional = |(name, value): &(String, String)| {
            name.eq_ignore_ascii_case("handling") && value.eq_ignore_ascii_case("optional")
        };
        Ok(Some(ContentDisposition { kind, optional: params.iter().any(optional) }))
    }

    /// The first Warning, when there.
    pub fn warning(&self) -> Result<Option<Warning>, HeaderError> {
        let name = HeaderName::Warning;
        let Some(value) = self.short(&name)? else { return Ok(None) };
        // rsip reads one warning only.
        let first = syntax::trim(syntax::split(&value, b',').next().unwrap_or_default()).to_owned();
        let typed = typed::Warning::try_from(::rsip::headers::Warning::new(first))
            .map_err(|_| HeaderError::Bad(name.clone(), "malformed warning"))?;
        if !(300..400).contains(&typed.code) {
            return Err(HeaderError::Bad(name, "code out of range"));
        }
        Ok(Some(Warning { code: typed.code, agent: typed.uri.host_with_port.to_string(), text: typed.text }))
    }

    /// Priority, `normal` when there is none.
    pub fn priority(&self) -> Priority {
        let Ok(Some(value)) = self.short(&HeaderName::Priority) else { return Priority::Normal };
        match typed::Priority::try_from(::rsip::headers::Priority::new(value)) {
            Ok(typed::Priority::NonUrgent) => Priority::NonUrgent,
            Ok(typed::Priority::Normal) | Err(_) => Priority::Normal,
            Ok(typed::Priority::Urgent) => Priority::Urgent,
            Ok(typed::Priority::Emergency) => Priority::Emergency,
            Ok(typed::Priority::Other(other)) => Priority::Other(other),
        }
    }

    fn short(&self, name: &HeaderName) -> Result<Option<String>, HeaderError> {
        match self.text(name) {
            Some(text) if text.len() > RSIP_BYTES_MAX => Err(HeaderError::Bad(name.clone(), "too long")),
            text => Ok(text.map(|text| syntax::trim(&text).to_owned())),
        }
    }
}

/// Parameters whose names are names: rsip reads `;a;b=c` as one called `a;b`.
fn pairs(params: impl Iterator<Item = (String, String)>) -> Option<Vec<(String, String)>> {
    params
        .map(|(name, value)| {
            let name = name.trim().to_owned();
            syntax::is_token(&name).then(|| (name, value.trim().to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> Headers {
        let mut headers = Headers::new();
        headers.push(name, value);
        headers
    }

    #[test]
    fn media_types_read_through_rsip() {
        for (value, expected) in [
            ("application/sdp", Some(("application/sdp", vec![]))),
            ("Application/SDP", Some(("application/sdp", vec![]))),
            ("application/sdp ; charset=utf-8", Some(("application/sdp", vec![("charset", "utf-8")]))),
            ("multipart/mixed;boundary=\"a;b\"", Some(("multipart/mixed", vec![("boundary", "a;b")]))),
            (
                "multipart/mixed; boundary=x; start=y",
                Some(("multipart/mixed", vec![("boundary", "x"), ("start", "y")])),
            ),
            ("audio/ulaw", Some(("audio/ulaw", vec![]))),
            ("application", None),
            ("application/", None),
            ("text/plain;a;b=c", None),
            ("text/plain;a", None),
            ("", None),
        ] {
            let read = headers(HeaderName::ContentType, value).content_type();
            let expected = expected.map(|(name, params): (&str, Vec<(&str, &str)>)| MediaType {
                name: name.into(),
                params: params.into_iter().map(|(n, v)| (n.into(), v.into())).collect(),
            });
            assert_eq!(read.ok().flatten(), expected, "{value}");
        }
        assert_eq!(Headers::new().content_type(), Ok(None));
        assert!(headers(HeaderName::ContentType, &format!("a/{}", "b".repeat(600))).content_type().is_err());
    }

    #[test]
    fn dispositions_read_through_rsip() {
        for (value, expected) in [
            ("session", Some(("session", false))),
            ("Session ; handling=optional", Some(("session", true))),
            ("session;handling=required", Some(("session", false))),
            ("by-reference;handling=OPTIONAL", Some(("by-reference", true))),
            ("", None),
            ("two words", None),
        ] {
            let read = headers(HeaderName::ContentDisposition, value).content_disposition().ok().flatten();
            let expected =
                expected.map(|(kind, optional)| ContentDisposition { kind: kind.into(), optional });
            assert_eq!(read, expected, "{value}");
        }
    }

    #[test]
    fn warnings_read_through_rsip() {
        for (value, expected) in [
            (
                "305 gw.example \"Incompatible media format\"",
                Some((305, "gw.example", "Incompatible media format")),
            ),
            ("399 192.0.2.1:5060 \"no, really\", 399 b \"x\"", Some((399, "192.0.2.1:5060", "no, really"))),
            ("399 gw \"\"", Some((399, "gw", ""))),
            ("999 gw \"x\"", None),
            ("399", None),
            ("99999999 gw \"x\"", None),
        ] {
            let read = headers(HeaderName::Warning, value).warning().ok().flatten();
            let expected =
                expected.map(|(code, agent, text)| Warning { code, agent: agent.into(), text: text.into() });
            assert_eq!(read, expected, "{value}");
        }
    }

    #[test]
    fn priorities_read_through_rsip() {
        for (value, expected) in [
            ("emergency", Priority::Emergency),
            ("Non-Urgent", Priority::NonUrgent),
            ("urgent", Priority::Urgent),
            ("normal", Priority::Normal),
            ("psap-callback", Priority::Other("psap-callback".into())),
        ] {
            assert_eq!(headers(HeaderName::Priority, value).priority(), expected);
        }
        assert_eq!(Headers::new().priority(), Priority::Normal);
    }
}
