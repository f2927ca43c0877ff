//! The parameters of a request: a form body or a query, read with the number each mistake has (reference: rest-voice
//! §1).

use std::ops::RangeInclusive;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use tokio::time::timeout;
use twiml::{HttpMethod, ProgressEvent};

use crate::error::ApiError;

/// Decoded names and values in the order they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params(Vec<(String, String)>);

/// A form's length; more is refused with 20413.
const FORM_BYTES_MAX: usize = 256 * 1024;
/// The same of a form that makes or changes a workflow.
const WORKFLOW_BYTES_MAX: usize = 4 * router::CONFIGURATION_BYTES_MAX;
/// Names in one request; more is refused with 20413.
const PARAMS_MAX: usize = 1_000;
/// How long a form may take to arrive.
pub(crate) const FORM_TIMEOUT: Duration = Duration::from_secs(20);
/// What forms are.
const FORM: &str = "application/x-www-form-urlencoded";

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = ApiError;

    /// Some clients do not say what they send, and with an empty body anything may be said.
    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(CONTENT_TYPE).map(|kind| kind.as_bytes().to_owned());
        // A workflow's configuration may be of a megabyte, and percent-encoded of three.
        let is_workflow = request.uri().path().contains("/Workflows");
        let bytes_max = if is_workflow { WORKFLOW_BYTES_MAX } else { FORM_BYTES_MAX };
        let body = match timeout(FORM_TIMEOUT, to_bytes(request.into_body(), bytes_max)).await {
            Ok(Ok(body)) => body,
            Ok(Err(_)) => return Err(ApiError::new(20413, "The request is too large")),
            Err(_) => return Err(ApiError::new(20408, "The request did not arrive in time")),
        };
        let kind = kind.as_deref().map(String::from_utf8_lossy);
        let kind = kind.as_deref().and_then(|kind| kind.split(';').next()).map(str::trim);
        if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case(FORM)) && !body.is_empty() {
            return Err(ApiError::new(20415, format!("The body must be {FORM}")));
        }
        Self::of_request(&body)
    }
}

impl Params {
    /// Of names and values that are decoded.
    pub(crate) fn of(all: Vec<(String, String)>) -> Self {
        Self(all)
    }

    /// Of `name=value&…` that came from outside: what a form or a query cannot be is refused, so that nothing is
    /// guessed at.
    pub(crate) fn of_request(text: &[u8]) -> Result<Self, ApiError> {
        let mut all = Vec::new();
        for pair in text.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            if all.len() == PARAMS_MAX {
                return Err(ApiError::new(20413, format!("There are more than {PARAMS_MAX} parameters")));
            }
            let mut halves = pair.splitn(2, |b| *b == b'=').map(|half| decoded(half, true));
            let (name, value) = (halves.next().flatten(), halves.next().unwrap_or(Some(String::new())));
            match (name, value) {
                (Some(name), Some(value)) => all.push((name, value)),
                _ => return Err(ApiError::new(20001, "A parameter is not percent-encoded UTF-8")),
            }
        }
        Ok(Self(all))
    }

    /// Of what the door has let through.
    pub(crate) fn read(text: &[u8]) -> Self {
        Self::of_request(text).unwrap_or_default()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The last value of a name; empty counts as absent.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.trim())?;
        (!value.is_empty()).then_some(value)
    }

    /// The last value of a name, empty ones too: what an update takes back is said so.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.trim())
    }

    /// An absolute URL of the web.
    pub(crate) fn url(&self, name: &str, code: u32) -> Result<Option<String>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match url::Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                Ok(Some(text.to_owned()))
            }
            Ok(_) | Err(_) => Err(ApiError::new(code, format!("{name} is not a valid URL: {text}"))),
        }
    }

    /// A sid that begins with these letters.
    pub(crate) fn sid(&self, name: &str, prefix: &str, code: u32) -> Result<Option<&str>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let digits = text.strip_prefix(prefix).unwrap_or_default();
        let fits = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let error = || ApiError::new(code, format!("{name} is no sid of the form {prefix}…"));
        fits.then_some(Some(text)).ok_or_else(error)
    }

    /// GET or POST; POST when nothing is said.
    pub(crate) fn method(&self, name: &str, code: u32) -> Result<HttpMethod, ApiError> {
        let Some(text) = self.text(name) else { return Ok(HttpMethod::Post) };
        HttpMethod::parse(text).ok_or_else(|| ApiError::new(code, format!("{name} must be GET or POST")))
    }

    /// A whole number within a range.
    pub(crate) fn number(
        &self,
        name: &str,
        range: RangeInclusive<u32>,
        code: u32,
    ) -> Result<Option<u32>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            Ok(_) | Err(_) => {
                let (least, most) = (range.start(), range.end());
                Err(ApiError::new(code, format!("{name} must be a whole number from {least} to {most}")))
            }
        }
    }

    /// `true` or `false`; false when nothing is said.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(ApiError::new(20001, format!("{name} must be true or false"))),
        }
    }

    /// Whether something is said of it, and if so what.
    pub(crate) fn choice(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.text(name).map(|_| self.flag(name)).transpose()
    }

    /// Whether it is there and says nothing.
    pub(crate) fn is_empty(&self, name: &str) -> bool {
        self.text(name).is_none() && self.0.iter().any(|(n, _)| n == name)
    }

    /// One of these words, in whatever case, as it stands in the list.
    pub(crate) fn one_of(
        &self,
        name: &str,
        words: &[&'static str],
        code: u32,
    ) -> Result<Option<&'static str>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let found = words.iter().find(|word| word.eq_ignore_ascii_case(text)).copied();
        let error = || ApiError::new(code, format!("{name} must be one of {}", words.join(", ")));
        found.map(Some).ok_or_else(error)
    }

    /// A list: the name repeated, or one value with spaces.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        let values = self.0.iter().filter(|(n, _)| n == name);
        values.flat_map(|(_, value)| value.split_ascii_whitespace()).collect()
    }

    /// The events of a call's progress; `completed` alone when none is named.
    pub(crate) fn progress_events(&self, name: &str) -> Result<Vec<ProgressEvent>, ApiError> {
        let mut events = Vec::new();
        for word in self.list(name) {
            let event = match word {
                "initiated" => ProgressEvent::Initiated,
                "ringing" => ProgressEvent::Ringing,
                "answered" => ProgressEvent::Answered,
                "completed" => ProgressEvent::Completed,
                _ => return Err(ApiError::new(20001, format!("{name} knows no event `{word}`"))),
            };
            if !events.contains(&event) {
                events.push(event);
            }
        }
        if events.is_empty() {
            events.push(ProgressEvent::Completed);
        }
        Ok(events)
    }

    /// Names nobody knows are read over, and said: a misspelt one is otherwise never found.
    pub(crate) fn note_unknown(&self, known: &[&str]) {
        for (name, _) in self.iter().filter(|(name, _)| !known.contains(name)) {
            let name: String = name.chars().take(64).collect();
            tracing::info!(name, "a parameter the API does not know is read over");
        }
    }
}

/// What percent-encoding means (RFC 3986 §2.1), a plus being a space in forms; `None` where it is broken, is not
/// UTF-8, or holds NUL, which no database takes.
pub(crate) fn decoded(text: &[u8], is_form: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(*rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            b'+' if is_form => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(text: &str) -> Params {
        Params::read(text.as_bytes())
    }

    #[test]
    fn values_are_decoded_and_empty_ones_absent() {
        let p = params("To=%2B1555&To=%2B1556&From=&Name=a+b");
        assert_eq!((p.text("To"), p.text("From"), p.text("Name")), (Some("+1556"), None, Some("a b")));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_number() {
        let p = params("U=web&V=ftp%3A%2F%2Fh%2F&M=PUT&N=601&O=x&F=maybe&W=maybe&E=never");
        assert_eq!(p.url("U", 21205).unwrap_err().code(), 21205);
        assert_eq!(p.url("V", 21205).unwrap_err().code(), 21205);
        assert_eq!(p.method("M", 21209).unwrap_err().code(), 21209);
        assert_eq!(p.number("N", 1..=600, 21208).unwrap_err().code(), 21208);
        assert_eq!(p.number("O", 1..=600, 21208).unwrap_err().code(), 21208);
        assert_eq!(p.flag("F").unwrap_err().code(), 20001);
        assert_eq!(p.one_of("W", &["mono", "dual"], 20001).unwrap_err().code(), 20001);
        assert_eq!(p.progress_events("E").unwrap_err().code(), 20001);
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for text in ["a=%", "a=%4", "a=%zz", "%ff=1", "a=%C3%28", "a=%00", "a=\u{0}"] {
            assert_eq!(Params::of_request(text.as_bytes()).unwrap_err().code(), 20001, "{text}");
        }
        let many = "a=1&".repeat(PARAMS_MAX);
        assert!(Params::of_request(many.as_bytes()).is_ok());
        assert_eq!(Params::of_request(format!("{many}b=2").as_bytes()).unwrap_err().code(), 20413);
        let odd = Params::of_request(b"&&a&=b&c==%3D+%2B&StartTime%3E=%C3%BC").unwrap();
        let all: Vec<_> = odd.iter().collect();
        assert_eq!(all, [("a", ""), ("", "b"), ("c", "== +"), ("StartTime>", "ü")]);
    }

    #[test]
    fn lists_come_repeated_or_with_spaces() {
        use ProgressEvent::{Answered, Completed, Ringing};
        for text in ["E=ringing&E=answered", "E=ringing+answered", "E=ringing&E=answered+ringing"] {
            assert_eq!(params(text).progress_events("E").unwrap(), [Ringing, Answered], "{text}");
        }
        assert_eq!(params("").progress_events("E").unwrap(), [Completed]);
    }
}
