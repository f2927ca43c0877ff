//! A request and what it was answered, as a notification shows both (reference: webhooks §8).

use serde::{Deserialize, Serialize};

use crate::reference::shown;
use crate::{Fetched, HttpMethod};

/// One request to a web server, and the answer if there was one. All of it is cut to a length that can be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// As it was asked for, without credentials and connection overrides.
    pub url: String,
    /// How.
    pub method: HttpMethod,
    /// What was sent, form-encoded.
    pub request_variables: String,
    /// Where the answer came from; other than `url` after redirects.
    pub answered_by: String,
    /// Status of the answer; `None` when there was none.
    pub status: Option<u16>,
    /// Its headers, form-encoded, without cookies.
    pub response_headers: String,
    /// Its body.
    pub response_body: String,
}

impl Exchange {
    /// Bytes of a body that are kept (reference: webhooks §9).
    pub const BODY_BYTES_MAX: usize = 64 * 1024;

    /// A request that is being made.
    pub fn asked(url: &str, method: HttpMethod, params: &[(String, String)]) -> Self {
        Self {
            url: shown(url),
            method,
            request_variables: form(params.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
            answered_by: String::new(),
            status: None,
            response_headers: String::new(),
            response_body: String::new(),
        }
    }

    /// Adds the answer.
    pub fn answered(&mut self, answer: &Fetched) {
        self.answered_by = shown(&answer.url);
        self.status = Some(answer.status);
        let kept = answer.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("set-cookie"));
        self.response_headers = form(kept.map(|(name, value)| (name.as_str(), value.as_str())));
        let body = answer.body.get(..Self::BODY_BYTES_MAX).unwrap_or(&answer.body);
        // Sound is not for reading.
        self.response_body = text(body).unwrap_or_default().to_owned();
    }

    /// Whether it is the one that brought the document at `url`, or was to bring it.
    pub fn concerns(&self, url: &str) -> bool {
        self.url == url || self.answered_by == url
    }
}

/// The body as text, which may have been cut within a character.
fn text(body: &[u8]) -> Option<&str> {
    match std::str::from_utf8(body) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(body.get(..error.valid_up_to())?).ok()
        }
        Err(_) => None,
    }
}

fn form<'p>(pairs: impl Iterator<Item = (&'p str, &'p str)>) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    let mut left = VARIABLES_BYTES_MAX;
    for (name, value) in pairs {
        let length = name.len() + value.len();
        if length > left {
            break;
        }
        left -= length;
        form.append_pair(name, value);
    }
    form.finish()
}

/// Bytes of parameters, and of headers, that are kept.
const VARIABLES_BYTES_MAX: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &[u8]) -> Fetched {
        Fetched {
            status: 500,
            content_type: Some("text/plain".into()),
            body: body.to_vec(),
            url: "http://u:p@h/b".into(),
            headers: vec![("server".into(), "x y".into()), ("Set-Cookie".into(), "session=secret".into())],
        }
    }

    #[test]
    fn a_request_and_its_answer_are_kept_without_secrets() {
        let params = vec![("From".to_owned(), "+1 5".to_owned()), ("Digits".to_owned(), String::new())];
        let mut exchange = Exchange::asked("http://u:p@h/a?b=c#rc=2", HttpMethod::Post, &params);
        exchange.answered(&answer("Grüezi".as_bytes()));
        assert_eq!(
            (exchange.url.as_str(), exchange.answered_by.as_str(), exchange.status),
            ("http://h/a?b=c", "http://h/b", Some(500))
        );
        assert_eq!(exchange.request_variables, "From=%2B1+5&Digits=");
        assert_eq!(
            (exchange.response_headers.as_str(), exchange.response_body.as_str()),
            ("server=x+y", "Grüezi")
        );
        assert!(
            exchange.concerns("http://h/a?b=c")
                && exchange.concerns("http://h/b")
                && !exchange.concerns("http://h/")
        );
    }

    #[test]
    fn what_is_long_is_cut_and_what_is_no_text_left_out() {
        let mut exchange =
            Exchange::asked("http://h/", HttpMethod::Get, &[("a".to_owned(), "x".repeat(9_000))]);
        assert_eq!(exchange.request_variables, "");
        exchange.answered(&answer(format!("x{}", "ü".repeat(40_000)).as_bytes()));
        assert_eq!(exchange.response_body.len(), 65_535);
        exchange.answered(&answer(b"RIFF\xff\xff\xff\xff"));
        assert_eq!(exchange.response_body, "");
    }
}
