//! HTTP Basic with the account's sid and token (reference: rest-voice §1).

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::header;
use axum::http::request::Parts;
use base64::Engine as _;

use crate::Api;
use crate::error::ApiError;
use crate::limits::Running;

/// A request that may see the account named in its path.
///
/// The account in the path is only looked at once the credentials are right, so that nothing is learnt by
/// guessing accounts.
pub(crate) struct Authorized {
    /// Counted as long as the answer takes.
    _running: Running,
}

impl FromRequestParts<Api> for Authorized {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let OriginalUri(uri) =
            OriginalUri::from_request_parts(parts, api).await.unwrap_or_else(|never| match never {});
        let expected = format!("{}:{}", api.account_sid, api.auth_token);
        let given = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|value| base64::engine::general_purpose::STANDARD.decode(value.trim()).ok());
        match given {
            Some(given) if same(&given, expected.as_bytes()) => {}
            Some(_) | None => {
                return Err(ApiError::new(20003, "Authenticate with AccountSid:AuthToken"));
            }
        }
        let _running = api.door.limits.enter(&api.account_sid.to_string())?;
        // `/2010-04-01/Accounts/AC…`
        let account = uri.path().split('/').nth(3).unwrap_or_default();
        let ours = account.strip_suffix(".json").unwrap_or(account) == api.account_sid.to_string();
        if ours { Ok(Self { _running }) } else { Err(ApiError::not_found(uri.path())) }
    }
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
