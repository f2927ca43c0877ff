//! Typed reads of headers, parsed when asked for.

use std::str::FromStr;

use super::limits::VALUES_MAX;
use super::{CSeq, HeaderName, HeaderValue, Headers, NameAddr, UriError, Via, syntax};

/// A header that is missing, doubled or malformed. Its text is fit for a reason phrase.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It must be there and is not.
    #[error("Missing {0}")]
    Missing(HeaderName),
    /// It may stand once only (RFC 3261 §7.3.1).
    #[error("Duplicate {0}")]
    Duplicate(HeaderName),
    /// It is there and wrong.
    #[error("Bad {0}: {1}")]
    Bad(HeaderName, &'static str),
}

/// What can be checked without being built: a message is judged when it comes, its headers are read when asked for.
pub(super) trait Checked {
    /// Whether parsing `text` would succeed.
    fn check(text: &str) -> Result<(), UriError>;
}

impl Headers {
    /// The top Via.
    pub fn via(&self) -> Result<Via, HeaderError> {
        let value = self.get(&HeaderName::Via).ok_or(HeaderError::Missing(HeaderName::Via))?;
        let text = value.text();
        let first = syntax::split(&text, b',').next().unwrap_or_default();
        syntax::trim(first).parse().map_err(bad(HeaderName::Via))
    }

    /// All Vias, top first; at least one.
    pub fn vias(&self) -> Result<Vec<Via>, HeaderError> {
        let vias = self.list(&HeaderName::Via)?;
        if vias.is_empty() { Err(HeaderError::Missing(HeaderName::Via)) } else { Ok(vias) }
    }

    /// Replaces the top Via, leaving the others as they are.
    pub fn set_top_via(&mut self, via: &Via) {
        let rest = self.get(&HeaderName::Via).and_then(|value| {
            let text = value.text();
            let first = syntax::split(&text, b',').next().map_or(0, str::len);
            text.get(first + 1..).map(str::to_owned)
        });
        let value = match rest {
            Some(rest) => HeaderValue::from(format!("{via},{rest}")),
            None => HeaderValue::from(via),
        };
        self.replace_first(HeaderName::Via, value);
    }

    /// From.
    pub fn from(&self) -> Result<NameAddr, HeaderError> {
        self.single(HeaderName::From)
    }

    /// To.
    pub fn to(&self) -> Result<NameAddr, HeaderError> {
        self.single(HeaderName::To)
    }

    /// Call-ID.
    pub fn call_id(&self) -> Result<String, HeaderError> {
        let text = self.one(HeaderName::CallId)?.text();
        let id = syntax::trim(&text);
        if id.is_empty() || id.contains([' ', '\t', '\0']) {
            return Err(HeaderError::Bad(HeaderName::CallId, "not one word"));
        }
        Ok(id.to_owned())
    }

    /// CSeq.
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        self.single(HeaderName::CSeq)
    }

    /// Every Contact over all lines; the lone `*` of a REGISTER is an error here, see
    /// [`contact_is_star`](Self::contact_is_star).
    pub fn contacts(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(&HeaderName::Contact)
    }

    /// Whether Contact is the lone `*` that takes all bindings away (RFC 3261 §10.2.2).
    pub fn contact_is_star(&self) -> bool {
        let mut lines = self.all(&HeaderName::Contact);
        lines.next().is_some_and(|value| value.as_bytes().trim_ascii() == b"*") && lines.next().is_none()
    }

    /// Max-Forwards, when there.
    pub fn max_forwards(&self) -> Result<Option<u32>, HeaderError> {
        self.number(HeaderName::MaxForwards, 255)
    }

    /// Route, top first.
    pub fn routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(&HeaderName::Route)
    }

    /// Record-Route, top first.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(&HeaderName::RecordRoute)
    }

    /// Content-Length, when there.
    pub fn content_length(&self) -> Result<Option<usize>, HeaderError> {
        Ok(self.number(HeaderName::ContentLength, u64::from(u32::MAX))?.map(|n| n as usize))
    }

    /// Expires in seconds, when there; anything above 2³²−1 is 2³²−1 (RFC 3261 §20.19).
    pub fn expires(&self) -> Result<Option<u32>, HeaderError> {
        self.seconds(HeaderName::Expires)
    }

    /// Min-Expires in seconds, when there.
    pub fn min_expires(&self) -> Result<Option<u32>, HeaderError> {
        self.seconds(HeaderName::MinExpires)
    }

    /// The tokens of a comma-separated list over all lines: Supported, Require, Allow and their like.
    pub fn tokens(&self, name: &HeaderName) -> Vec<String> {
        let mut tokens = Vec::new();
        for value in self.all(name) {
            let text = value.text();
            for piece in text.split(',').map(syntax::trim).filter(|piece| !piece.is_empty()) {
                if tokens.len() == VALUES_MAX {
                    return tokens;
                }
                tokens.push(piece.to_owned());
            }
        }
        tokens
    }

    /// Every value of a list header over all lines.
    pub fn list<T: FromStr<Err = UriError>>(&self, name: &HeaderName) -> Result<Vec<T>, HeaderError> {
        let mut list = Vec::new();
        for value in self.all(name) {
            let text = value.text();
            for piece in syntax::split(&text, b',') {
                if list.len() == VALUES_MAX {
                    return Err(HeaderError::Bad(name.clone(), "too many values"));
                }
                list.push(syntax::trim(piece).parse().map_err(bad(name.clone()))?);
            }
        }
        Ok(list)
    }

    /// Whether [`list`](Self::list) would read it; how many values there are.
    pub(super) fn check_list<T: Checked>(&self, name: &HeaderName) -> Result<usize, HeaderError> {
        let mut count = 0;
        for value in self.all(name) {
            let text = value.text();
            for piece in syntax::split(&text, b',') {
                if count == VALUES_MAX {
                    return Err(HeaderError::Bad(name.clone(), "too many values"));
                }
                T::check(syntax::trim(piece)).map_err(bad(name.clone()))?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Whether the header is there once and would be read.
    pub(super) fn check_single<T: Checked>(&self, name: HeaderName) -> Result<(), HeaderError> {
        T::check(&self.one(name.clone())?.text()).map_err(bad(name))
    }

    fn single<T: FromStr<Err = UriError>>(&self, name: HeaderName) -> Result<T, HeaderError> {
        self.one(name.clone())?.text().parse().map_err(bad(name))
    }

    fn number(&self, name: HeaderName, max: u64) -> Result<Option<u32>, HeaderError> {
        if !self.has(&name) {
            return Ok(None);
        }
        let text = self.one(name.clone())?.text();
        let value = syntax::number(syntax::trim(&text), max)
            .ok_or(HeaderError::Bad(name, "not a number in range"))?;
        Ok(Some(value as u32))
    }

    fn seconds(&self, name: HeaderName) -> Result<Option<u32>, HeaderError> {
        let Some(text) = self.text(&name) else { return Ok(None) };
        match syntax::seconds(syntax::trim(&text)) {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(HeaderError::Bad(name, "not a number of seconds")),
        }
    }

    fn one(&self, name: HeaderName) -> Result<&HeaderValue, HeaderError> {
        let mut lines = self.all(&name);
        let first = lines.next();
        let second = lines.next();
        drop(lines);
        match (first, second) {
            (Some(value), None) => Ok(value),
            (None, _) => Err(HeaderError::Missing(name)),
            (Some(_), Some(_)) => Err(HeaderError::Duplicate(name)),
        }
    }
}

fn bad(name: HeaderName) -> impl FnOnce(UriError) -> HeaderError {
    move |error| HeaderError::Bad(name, error.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(HeaderName, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in lines {
            headers.push(name.clone(), *value);
        }
        headers
    }

    #[test]
    fn lists_run_over_lines_and_commas() {
        let headers = headers(&[
            (HeaderName::Via, "SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b"),
            (HeaderName::Contact, "\"Doe, J\" <sip:j@a>, <sip:k@a>;expires=3"),
            (HeaderName::Via, "SIP/2.0/TCP c"),
            (HeaderName::Contact, "sip:l@a"),
        ]);
        let hosts: Vec<String> = headers.vias().unwrap().iter().map(|via| via.host.to_string()).collect();
        assert_eq!(hosts, ["a", "b", "c"]);
        assert_eq!(headers.via().unwrap().branch(), Some("1"));
        let users: Vec<_> =
            headers.contacts().unwrap().iter().map(|c| c.uri.user_decoded().into_owned()).collect();
        assert_eq!(users, ["j", "k", "l"]);
    }

    #[test]
    fn the_top_via_is_replaced_alone() {
        let mut headers = headers(&[
            (HeaderName::Via, "SIP/2.0/UDP a;rport, SIP/2.0/UDP b"),
            (HeaderName::Via, "SIP/2.0/UDP c"),
        ]);
        let mut via = headers.via().unwrap();
        via.stamp("192.0.2.1:9".parse().unwrap());
        headers.set_top_via(&via);
        let vias: Vec<String> = headers.vias().unwrap().iter().map(Via::to_string).collect();
        assert_eq!(vias, ["SIP/2.0/UDP a;rport=9;received=192.0.2.1", "SIP/2.0/UDP b", "SIP/2.0/UDP c"]);
    }

    #[test]
    fn singles_are_there_once_and_right() {
        let from = HeaderName::From;
        assert_eq!(headers(&[]).from(), Err(HeaderError::Missing(from.clone())));
        let twice = headers(&[(from.clone(), "<sip:a@b>"), (from.clone(), "<sip:a@b>")]);
        assert_eq!(twice.from(), Err(HeaderError::Duplicate(from.clone())));
        let wrong = headers(&[(from.clone(), "nobody")]).from().unwrap_err();
        assert_eq!(wrong.to_string(), "Bad From: URI without a scheme");
        assert!(headers(&[(HeaderName::CallId, "a b")]).call_id().is_err());
    }

    #[test]
    fn numbers_are_read_within_their_ranges() {
        let one = |name: HeaderName, value: &str| headers(&[(name, value)]);
        assert_eq!(one(HeaderName::MaxForwards, "70").max_forwards(), Ok(Some(70)));
        assert!(one(HeaderName::MaxForwards, "256").max_forwards().is_err());
        assert_eq!(one(HeaderName::Expires, "99999999999").expires(), Ok(Some(u32::MAX)));
        assert!(one(HeaderName::ContentLength, "-1").content_length().is_err());
        assert_eq!(headers(&[]).expires(), Ok(None));
    }

    #[test]
    fn a_star_contact_stands_alone() {
        assert!(headers(&[(HeaderName::Contact, " * ")]).contact_is_star());
        assert!(
            !headers(&[(HeaderName::Contact, "*"), (HeaderName::Contact, "<sip:a@b>")]).contact_is_star()
        );
        assert!(headers(&[(HeaderName::Contact, "*, <sip:a@b>")]).contacts().is_err());
    }

    #[test]
    fn a_list_has_an_end() {
        let many = vec!["SIP/2.0/UDP a"; VALUES_MAX + 1].join(",");
        let error = headers(&[(HeaderName::Via, &many)]).vias().unwrap_err();
        assert_eq!(error, HeaderError::Bad(HeaderName::Via, "too many values"));
        assert_eq!(
            headers(&[(HeaderName::Supported, "a, b,,c")]).tokens(&HeaderName::Supported),
            ["a", "b", "c"]
        );
    }
}
