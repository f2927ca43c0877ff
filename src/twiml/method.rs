//! The two HTTP methods a webhook can have.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a document or a callback is requested; `POST` unless something says otherwise (reference:
/// twiml-voice §1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// Parameters go into the query.
    Get,
    /// Parameters go into a form body.
    #[default]
    Post,
}

impl HttpMethod {
    /// As it stands on the request line.
    pub fn as_str(self) -> &'static str {
        match self {
            HttpMethod::Get => "GET",
            HttpMethod::Post => "POST",
        }
    }

    /// `GET` or `POST` in any case of letters; nothing else is a webhook method.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            t if t.eq_ignore_ascii_case("GET") => Some(HttpMethod::Get),
            t if t.eq_ignore_ascii_case("POST") => Some(HttpMethod::Post),
            _ => None,
        }
    }
}

impl fmt::Display for HttpMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
