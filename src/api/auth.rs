//! HTTP Basic with the account's sid and token, or those of an API key (reference: rest-voice §1).

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::header;
use axum::http::request::Parts;
use base64::Engine as _;

use crate::Api;
use crate::error::ApiError;
use crate::keys::{Scope, same, scope_of};
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
        let given = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            // The scheme is written in any case (RFC 7617 §2).
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Basic"))
            .and_then(|(_, value)| base64::engine::general_purpose::STANDARD.decode(value.trim()).ok())
            .unwrap_or_default();
        let given = String::from_utf8(given).unwrap_or_default();
        let (user, secret) = given.split_once(':').unwrap_or_default();
        let account = api.account_sid.to_string();
        let scope = if same(user.as_bytes(), account.as_bytes())
            && same(secret.as_bytes(), api.auth_token.as_bytes())
        {
            Scope::Main
        } else {
            scope_of(&api.office.view(), user, secret).ok_or_else(|| {
                ApiError::new(20003, "Authenticate with AccountSid:AuthToken, or a key's sid and secret")
            })?
        };
        let _running = api.door.limits.enter(user)?;
        // `/2010-04-01/Accounts/AC…`; what is of version 1 names no account.
        let mut path = uri.path().split('/').skip(1);
        let of_account = path.next() == Some("2010-04-01");
        let is_list =
            matches!((path.next(), path.clone().next()), (Some("Accounts" | "Accounts.json"), None));
        let named = path.next().unwrap_or_default();
        if of_account && !is_list && named.strip_suffix(".json").unwrap_or(named) != account {
            return Err(ApiError::not_found(uri.path()));
        }
        if !scope.opens(parts.method.as_str(), uri.path()) {
            return Err(ApiError::new(20403, "The key does not open this"));
        }
        Ok(Self { _running })
    }
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
