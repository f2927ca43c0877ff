//! The door every request to the API passes, and every answer: what is no request of HTTP's form is refused before a
//! handler sees it, and no error leaves in another form than the published one (reference: rest-voice §1, §4).

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::Api;
use crate::error::ApiError;
use crate::limits::Limits;
use crate::params::{Params, decoded};
use crate::typed::Peer;

/// What the door knows of the house.
#[derive(Clone, Debug, Default)]
pub struct Door {
    /// How much one credential may ask.
    pub limits: Limits,
    /// Peers whose word on the scheme of the client's own request (`X-Forwarded-Proto`) is believed.
    pub trusted_proxies: Arc<[IpAddr]>,
    /// What absolute URLs begin with where the client did not name the host; no slash at the end.
    pub public_url: Arc<str>,
    /// Whether the sound of recordings is had without credentials.
    pub open_recordings: bool,
}

/// Lets a request through to its handler, or says why not; gives every answer its number and its form.
pub(crate) async fn pass(request: Request, next: Next) -> Response {
    let id = request_id();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answer = match well_formed(&request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    let mut answer = in_published_form(answer, &path);
    tracing::debug!(%method, path, status = answer.status().as_u16(), id, "answered");
    let id = HeaderValue::try_from(id).expect("letters and digits are a header's value");
    answer.headers_mut().insert("Twilio-Request-Id", id);
    answer
}

fn well_formed(request: &Request) -> Result<(), ApiError> {
    let path = request.uri().path();
    if decoded(path.as_bytes(), false).is_none() {
        return Err(ApiError::new(20001, "The path is not percent-encoded UTF-8"));
    }
    if let Some(format) = [".xml", ".csv"].into_iter().find(|format| path.ends_with(format)) {
        return Err(ApiError::new(20406, format!("There is no representation `{format}`; ask for .json")));
    }
    Params::of_request(request.uri().query().unwrap_or_default().as_bytes()).map(|_| ())
}

/// What the framework or a file's server refused has a status and nothing to read.
fn in_published_form(answer: Response, path: &str) -> Response {
    let status = answer.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_json = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !is_error || is_json {
        return answer;
    }
    let error = match status {
        StatusCode::NOT_FOUND => ApiError::not_found(path),
        StatusCode::METHOD_NOT_ALLOWED => ApiError::wrong_method(),
        StatusCode::BAD_REQUEST => ApiError::new(20001, "The request cannot be read"),
        other => {
            let word = other.canonical_reason().unwrap_or("The request cannot be answered");
            ApiError::new(20_000 + u32::from(other.as_u16()), word)
        }
    };
    let (mut parts, _) = answer.into_parts();
    let told = error.into_response();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.extend(told.headers().clone());
    Response::from_parts(parts, told.into_body())
}

/// `RQ` and 32 digits, no two alike: the moment of the first request, and how many there were.
fn request_id() -> String {
    static FIRST: OnceLock<u64> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let first = FIRST.get_or_init(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    });
    format!("RQ{first:016x}{:016x}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// How the client reached the box: scheme and host, which absolute URLs begin with. SDKs follow such URLs as they
/// are, so a wrong one leads out of the house.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin(pub(crate) String);

impl FromRequestParts<Api> for Origin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|peer| peer.0.0.ip());
        Ok(Self::of(&parts.headers, peer, &api.door))
    }
}

impl Origin {
    fn of(headers: &HeaderMap, peer: Option<IpAddr>, door: &Door) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(host) = text(HOST.as_str()).filter(|host| is_host(host)) else {
            return Self(door.public_url.to_string());
        };
        let is_trusted = peer.is_some_and(|peer| door.trusted_proxies.contains(&peer.to_canonical()));
        let told = text("x-forwarded-proto").filter(|_| is_trusted);
        // Of several proxies the first in the list stood next to the client.
        let told = told.and_then(|list| list.split(',').next()).map(str::trim);
        let scheme =
            if told.is_some_and(|word| word.eq_ignore_ascii_case("https")) { "https" } else { "http" };
        Self(format!("{scheme}://{host}"))
    }
}

/// A name or an address, and perhaps a port (RFC 9110 §7.2): what stands in a URL as it is.
fn is_host(host: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    !host.is_empty() && host.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn urls_begin_as_the_client_began() {
        let proxy: IpAddr = [10, 0, 0, 1].into();
        let door = Door {
            trusted_proxies: [proxy].into(),
            public_url: "http://box.example".into(),
            ..Door::default()
        };
        let https = ("x-forwarded-proto", "https, http");
        for (given, peer, origin) in [
            (headers(&[("host", "box:8080")]), None, "http://box:8080"),
            (headers(&[("host", "[::1]:8080")]), None, "http://[::1]:8080"),
            (headers(&[("host", "box"), https]), None, "http://box"),
            (headers(&[("host", "box"), https]), Some([10, 0, 0, 2].into()), "http://box"),
            (headers(&[("host", "box"), https]), Some(proxy), "https://box"),
            (headers(&[("host", "box"), ("x-forwarded-proto", "gopher")]), Some(proxy), "http://box"),
            (headers(&[("host", "a/b\"c")]), None, "http://box.example"),
            (headers(&[]), None, "http://box.example"),
        ] {
            assert_eq!(Origin::of(&given, peer, &door).0, origin, "{given:?}");
        }
    }

    #[test]
    fn no_two_requests_have_one_number() {
        let (a, b) = (request_id(), request_id());
        assert!(a != b && a.len() == 34 && a.starts_with("RQ"), "{a} {b}");
    }
}
