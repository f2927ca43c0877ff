//! `/v2/texml/…`: what clients written for TeXML ask (reference: texml-delta §7), answered by the handlers of the 2010
//! API. The request is told them in their words ([`question`]), their answer is told the client in its own ([`answer`]).
//!
//! ```text
//!   Bearer, form or JSON ──question──▶ Basic, form ──▶ /2010-04-01/… ──▶ JSON ──answer──▶ JSON
//! ```
//! Nothing is known here of calls: what one of the two APIs does to them, the other one shows.

mod answer;
mod applications;
mod question;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::Method;
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use tower_service::Service as _;
use twiml::Dialect;

use crate::Api;
use crate::error::ApiError;
use crate::keys;
use question::{Place, Question};

/// Longest form or JSON of a request.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// Longest answer that is put into other words: a page of a list.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Which dialect whoever asks speaks: what it begins will speak it, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spoken(pub(crate) Dialect);

impl<S: Send + Sync> FromRequestParts<S> for Spoken {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Spoken>().copied().unwrap_or(Spoken(Dialect::Twiml)))
    }
}

/// The façade, before the published resources.
#[derive(Clone)]
pub(crate) struct Facade {
    pub(crate) api: Api,
    /// Who answers: the 2010 API behind its door.
    pub(crate) published: Router,
}

impl Facade {
    /// Answers a request below `/v2/texml`.
    pub(crate) async fn ask(self, request: Request) -> Response {
        match self.put(request).await {
            Ok((place, response)) => answer::told(place, response, ANSWER_BYTES_MAX).await,
            Err(error) => answer::told(Place::Other, error.into_response(), ANSWER_BYTES_MAX).await,
        }
    }

    async fn put(self, request: Request) -> Result<(Place, Response), ApiError> {
        let (parts, body) = request.into_parts();
        let too_large = |_| ApiError::new(20413, "The request is too large");
        let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(too_large)?;
        let question = Question::read(&self.api, &parts, &body)?;
        let place = question.place;
        let asked = self.request(&parts, parts.method.clone(), &question.uri, question.form)?;
        Ok((place, self.call(asked).await))
    }

    /// What the 2010 API is asked on behalf of whoever asked this one.
    fn request(&self, parts: &Parts, method: Method, uri: &str, form: String) -> Result<Request, ApiError> {
        let mut asked = Request::builder()
            .method(method)
            .uri(uri)
            .body(Body::from(form))
            .map_err(|_| ApiError::new(20001, "The path is none of a URL"))?;
        *asked.headers_mut() = self.headers(&parts.headers);
        // What else the outer router noted of the request is no business of the inner one.
        if let Some(peer) = parts.extensions.get::<axum::extract::ConnectInfo<crate::typed::Peer>>() {
            asked.extensions_mut().insert(*peer);
        }
        asked.extensions_mut().insert(Spoken(Dialect::Texml));
        Ok(asked)
    }

    async fn call(mut self, asked: Request) -> Response {
        match self.published.call(asked).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// The same, of a request whose body is a form.
    fn headers(&self, given: &HeaderMap) -> HeaderMap {
        let mut headers = given.clone();
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let token = given.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if let Some(token) = token.and_then(|value| value.strip_prefix("Bearer ")) {
            headers.remove(AUTHORIZATION);
            if let Ok(value) = HeaderValue::try_from(self.basic(token.trim())) {
                headers.insert(AUTHORIZATION, value);
            }
        }
        headers
    }

    /// A token is the account's, or a key's: its secret alone, or `SK…:secret`.
    fn basic(&self, token: &str) -> String {
        let account = || self.api.account_sid.to_string();
        let pair = match token.split_once(':') {
            Some(_) => token.to_owned(),
            None => {
                let key = keys::sid_of(&self.api.office.view(), token);
                format!("{}:{token}", key.unwrap_or_else(account))
            }
        };
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
    }
}
