//! Fetching sounds: plain GET without parameters (reference: twiml-voice §5).

use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use twiml::FetchFailure;

use super::exchange::{Body, Exchange};
use super::target::{self, Target};
use super::{Webhooks, documents};

/// A long recording over a slow line takes longer than a document may; a call waits for it at most this long.
const TOTAL: Duration = Duration::from_secs(60);

/// A sound that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaRequest {
    /// `http`, `https` or `file`, with connection overrides, if any, in its fragment.
    pub url: String,
    /// The `ETag` of what is known already.
    pub etag: Option<String>,
    /// The `Last-Modified` of what is known already.
    pub last_modified: Option<String>,
    /// Longest body that is taken; a longer one is error 11750.
    pub bytes_max: usize,
}

/// What came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaAnswer {
    /// The status; 304 when what is known is still right.
    pub status: u16,
    /// As received; by the file's name for `file:`.
    pub content_type: Option<String>,
    /// To ask again with.
    pub etag: Option<String>,
    /// To ask again with.
    pub last_modified: Option<String>,
    /// How long it may be kept (RFC 9111 §5.2).
    pub cache_control: Option<String>,
    /// Decoded from its transfer and content encodings.
    pub body: Vec<u8>,
}

impl Webhooks {
    /// Fetches a sound, or learns that the known one is still right. Any status is an answer; the failures are
    /// those of a document.
    pub async fn get_media(&self, request: MediaRequest) -> Result<MediaAnswer, FetchFailure> {
        let settings = self.settings();
        let (url, overrides) = target::parse(&request.url)?;
        if url.scheme() == "file" {
            let root = settings.documents_root.as_deref();
            let file = documents::read(root, &url, request.etag.as_deref(), request.bytes_max).await?;
            return Ok(MediaAnswer {
                status: if file.body.is_some() { 200 } else { 304 },
                content_type: file.content_type.map(str::to_owned),
                etag: Some(file.tag),
                body: file.body.unwrap_or_default(),
                ..MediaAnswer::default()
            });
        }
        let usual = twiml::Overrides::default().total_timeout_ms;
        let mut exchange = Exchange::new(Target::of(url)?, &overrides, Body::Keep(request.bytes_max));
        if overrides.total_timeout_ms == usual {
            exchange.total = TOTAL;
        }
        let mut ask = |name: HeaderName, value: Option<String>| {
            // What is no header value was no validator; it is fetched anew.
            if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
                exchange.headers.insert(name, value);
            }
        };
        ask(header::IF_NONE_MATCH, request.etag);
        ask(header::IF_MODIFIED_SINCE, request.last_modified);
        let answer = exchange.run(&settings, &self.token()).await?;
        Ok(MediaAnswer {
            status: answer.status,
            content_type: text(&answer.headers, &header::CONTENT_TYPE),
            etag: text(&answer.headers, &header::ETAG),
            last_modified: text(&answer.headers, &header::LAST_MODIFIED),
            cache_control: text(&answer.headers, &header::CACHE_CONTROL),
            body: answer.body,
        })
    }
}

/// A header as text; one that is none counts as absent.
pub(super) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
