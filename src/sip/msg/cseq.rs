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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_31_bits_and_methods_any_name() {
        for (text, expected) in [
            ("1 INVITE", Some((1, Method::Invite))),
            ("0009 \t INVITE", Some((9, Method::Invite))),
            ("2147483647 PING", Some((2_147_483_647, Method::Other("PING".into())))),
            ("2147483648 INVITE", None),
            ("36893488147419103232 REGISTER", None),
            ("-1 INVITE", None),
            ("1", None),
            ("1 ", None),
            ("INVITE", None),
            ("1 IN VITE", None),
            ("", None),
        ] {
            let read = text.parse::<CSeq>().ok().map(|c| (c.number, c.method));
            assert_eq!(read, expected, "{text:?}");
        }
        assert_eq!("0009  BYE".parse::<CSeq>().unwrap().to_string(), "9 BYE");
    }
}
