//! `"Display name" <uri>;parameters`: From, To, Contact, Route and their like (RFC 3261 §20.10).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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
        let text = syntax::trim(text);
        if let Some(end) = syntax::quoted_len(text) {
            let display = syntax::unquote(&text[..end]).into_owned();
            let rest = syntax::trim(&text[end..]);
            let rest =
                rest.strip_prefix('<').ok_or(UriError("display name without an address in brackets"))?;
            return bracketed(Some(display), rest);
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
                bracketed((!display.is_empty()).then(|| display.to_owned()), rest)
            }
            None => plain(text),
        }
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

fn bracketed(display: Option<String>, rest: &str) -> Result<NameAddr, UriError> {
    let (uri, params) = rest.split_once('>').ok_or(UriError("address whose bracket is not closed"))?;
    Ok(NameAddr { display, uri: uri.parse()?, params: Params::parse_header(params).map_err(UriError)? })
}

fn plain(text: &str) -> Result<NameAddr, UriError> {
    let end = text.find(';').unwrap_or(text.len());
    let uri = syntax::trim(&text[..end]);
    if uri.contains([',', '?']) {
        return Err(UriError("URI that must stand in brackets"));
    }
    Ok(NameAddr {
        display: None,
        uri: uri.parse()?,
        params: Params::parse_header(&text[end..]).map_err(UriError)?,
    })
}
