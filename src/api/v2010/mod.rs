//! `/2010-04-01/Accounts/AC…`: one file for each resource (reference: rest-voice).

mod call;
mod calls;
mod recordings;

use axum::Router;
use axum::extract::OriginalUri;
use axum::routing::get;

use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;

/// Everything under the account's path. A name may end in `.json` or not: the answer is the same.
pub(crate) fn router() -> Router<Api> {
    Router::new()
        .route("/Calls.json", get(calls::list).post(calls::create))
        .route("/Calls", get(calls::list).post(calls::create))
        .route("/Calls/{call}", get(call::fetch).post(call::update))
        .route("/Recordings/{recording}", get(recordings::media))
        .method_not_allowed_fallback(wrong_method)
        .fallback(nothing_here)
}

async fn nothing_here(_: Authorized, OriginalUri(uri): OriginalUri) -> ApiError {
    ApiError::not_found(uri.path())
}

async fn wrong_method(_: Authorized) -> ApiError {
    ApiError::new(20004, "Method not allowed")
}

/// The sid in a path, with or without `.json`.
fn sid<T: std::str::FromStr>(name: &str, path: &str) -> Result<T, ApiError> {
    name.strip_suffix(".json").unwrap_or(name).parse().map_err(|_| ApiError::not_found(path))
}

#[cfg(test)]
mod tests;
