//! Typed reads of headers, parsed when asked for.

use super::limits::VALUES_MAX;
use super::{CSeq, HeaderName, HeaderValue, Headers, NameAddr, Via, syntax};

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
    pub fn list<T: std::str::FromStr<Err = super::UriError>>(
        &self,
        name: &HeaderName,
    ) -> Result<Vec<T>, HeaderError> {
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

    fn single<T: std::str::FromStr<Err = super::UriError>>(
        &self,
        name: HeaderName,
    ) -> Result<T, HeaderError> {
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

fn bad(name: HeaderName) -> impl FnOnce(super::UriError) -> HeaderError {
    move |error| HeaderError::Bad(name, error.0)
}
