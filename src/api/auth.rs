//! HTTP Basic with the account's sid and token (reference: rest-voice §1).

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;

use crate::Api;

/// Why a request may not see the account named in its path; `None` when it may.
///
/// The account in the path is only looked at once the credentials are right, so that nothing is learnt by
/// guessing accounts.
pub(crate) fn refusal(api: &Api, account: &str, headers: &HeaderMap) -> Option<Response> {
    let expected = format!("{}:{}", api.account_sid, api.auth_token);
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|value| base64::engine::general_purpose::STANDARD.decode(value.trim()).ok());
    match given {
        Some(given) if same(&given, expected.as_bytes()) => {}
        Some(_) | None => return Some(refused()),
    }
    (account != api.account_sid.to_string()).then(|| StatusCode::NOT_FOUND.into_response())
}

fn refused() -> Response {
    let realm = [(header::WWW_AUTHENTICATE, "Basic realm=\"Tandem API\"")];
    (StatusCode::UNAUTHORIZED, realm, "authenticate with AccountSid:AuthToken\n").into_response()
}

/// Compares in time that depends on the lengths alone.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (x, y)| difference | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_are_the_same() {
        assert!(same(b"AC1:token", b"AC1:token"));
        assert!(!same(b"AC1:token", b"AC1:tokem"));
        assert!(!same(b"", b"AC1:token"));
    }
}
