//! Errors as the 2010 API tells them: a number, a sentence, a status (reference: rest-voice §4).

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    code: u32,
    message: String,
}

impl ApiError {
    /// The published number, and what is wrong in a sentence.
    pub(crate) fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// There is no such thing at this path.
    pub(crate) fn not_found(path: &str) -> Self {
        Self::new(20404, format!("The requested resource {path} was not found"))
    }

    /// The verb has no meaning at this path.
    pub(crate) fn wrong_method() -> Self {
        Self::new(20004, "Method not allowed")
    }

    /// The node said something else than what was asked: our own mistake.
    pub(crate) fn unexpected() -> Self {
        Self::new(20500, "The node answered another question")
    }

    /// The published number.
    #[cfg(test)]
    pub(crate) fn code(&self) -> u32 {
        self.code
    }

    /// The numbers of the API in general carry their status; those of a resource are bad requests.
    pub(crate) fn status(&self) -> StatusCode {
        match self.code {
            20003 => StatusCode::UNAUTHORIZED,
            20004 => StatusCode::METHOD_NOT_ALLOWED,
            20005 | 20006 | 20008 | 20010 | 20403 => StatusCode::FORBIDDEN,
            20404 => StatusCode::NOT_FOUND,
            20406 => StatusCode::NOT_ACCEPTABLE,
            20408 => StatusCode::REQUEST_TIMEOUT,
            20009 | 20409 => StatusCode::CONFLICT,
            20410 => StatusCode::GONE,
            20412 => StatusCode::PRECONDITION_FAILED,
            20413 => StatusCode::PAYLOAD_TOO_LARGE,
            20415 => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            20416 => StatusCode::RANGE_NOT_SATISFIABLE,
            20426 => StatusCode::UPGRADE_REQUIRED,
            20429 => StatusCode::TOO_MANY_REQUESTS,
            20500 => StatusCode::INTERNAL_SERVER_ERROR,
            20503 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = Json(json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": status.as_u16(),
        }));
        match status {
            StatusCode::UNAUTHORIZED => {
                (status, [(header::WWW_AUTHENTICATE, "Basic realm=\"Twilio API\"")], body).into_response()
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                (status, [(header::RETRY_AFTER, RETRY_AFTER_S)], body).into_response()
            }
            _ => (status, body).into_response(),
        }
    }
}

impl From<store::StoreError> for ApiError {
    fn from(error: store::StoreError) -> Self {
        tracing::warn!(%error, "the database did not answer a request of the API");
        ApiError::new(20503, "The database does not answer")
    }
}

/// When another attempt is worth it, seconds.
const RETRY_AFTER_S: &str = "5";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_status() {
        for (code, status) in [
            (20001, 400),
            (20003, 401),
            (20004, 405),
            (20404, 404),
            (20009, 409),
            (20406, 406),
            (20408, 408),
            (20415, 415),
            (20416, 416),
            (20429, 429),
            (20500, 500),
            (20503, 503),
            (21220, 400),
            (20007, 400),
        ] {
            assert_eq!(ApiError::new(code, "").status().as_u16(), status, "{code}");
        }
    }
}
