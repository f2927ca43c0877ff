//! CSeq: a request's number within its dialog (RFC 3261 §20.16).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Method, UriError, syntax};

/// A CSeq value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CSeq {
    /// Less than 2³¹ (RFC 3261 §8.1.1.5).
    pub number: u32,
    /// The request's method.
    pub method: Method,
}

impl FromStr for CSeq {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let text = syntax::trim(text);
        let end = text.find([' ', '\t', '\r', '\n']).ok_or(UriError("no method"))?;
        let number = syntax::number(&text[..end], (1 << 31) - 1).ok_or(UriError("number out of range"))?;
        let method = syntax::trim(&text[end..]);
        if !syntax::is_token(method) {
            return Err(UriError("malformed method"));
        }
        Ok(Self { number: number as u32, method: Method::from(method) })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}
