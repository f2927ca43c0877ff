//! Fetching sounds: plain GET without parameters (reference: twiml-voice §5).
//!
//! A sound that is short comes whole. Of one that is long, or whose server sends it as slowly as it is heard,
//! the beginning comes with the answer, and the rest is there to be waited for.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, timeout_at};
use twiml::FetchFailure;

use super::exchange::{Exchange, Head};
use super::failure::{FAILED, TIME_USED_UP, TOO_LARGE, answer_failure, failure};
use super::target::{self, Target};
use super::{Webhooks, documents};

/// A long recording over a slow line takes longer than a document may; who wants it whole waits this long.
const TOTAL: Duration = Duration::from_secs(60);

/// A sound that is heard while it comes may take as long as the longest there is, and a little more.
const STREAM: Duration = Duration::from_secs(41 * 60);

/// Bytes from which on a body is no short one any more.
const SHORT_BYTES: usize = 64 * 1024;

/// How long the answer waits for the rest of a short one.
const SHORT_PATIENCE: Duration = Duration::from_millis(250);

/// Bytes the answer waits for in any case: what a sound is can be seen by them.
const BEGIN_BYTES: usize = 16;

/// A sound that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaRequest {
    /// `http`, `https` or `file`, with connection overrides, if any, in its fragment.
    pub url: String,
    /// The `ETag` of what is known already.
    pub etag: Option<String>,
    /// The `Last-Modified` of what is known already.
    pub last_modified: Option<String>,
    /// Longest body that is taken; a longer one is error 11750.
    pub bytes_max: usize,
    /// How long nothing may come while [`MediaRest::chunk`] waits.
    pub stall_max: Duration,
}

/// What came.
#[derive(Debug, Default)]
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
    /// Until when it may be kept (RFC 9111 §5.3).
    pub expires: Option<String>,
    /// When it was sent (RFC 9110 §6.6.1).
    pub date: Option<String>,
    /// Decoded from its transfer and content encodings; only its beginning when there is a `rest`.
    pub body: Vec<u8>,
    /// Where the body goes on.
    pub rest: Option<MediaRest>,
}

/// The part of a body that has not come yet. Dropped, it is not fetched.
#[derive(Debug)]
pub struct MediaRest {
    response: Response,
    /// The encoded body's, where the server says it.
    length: Option<u64>,
    bytes_max: usize,
    bytes: usize,
    stall_max: Duration,
    /// When all of it must be there for who waits for the whole, and for who takes it as it comes.
    whole_until: Instant,
    stream_until: Instant,
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
                content_type: Some(file.content_type.to_owned()),
                etag: Some(file.tag),
                body: file.body.unwrap_or_default(),
                ..MediaAnswer::default()
            });
        }
        let usual = twiml::Overrides::default().total_timeout_ms;
        let mut target = Target::of(url)?;
        target.user = target.user.or_else(|| settings.own(&target.url));
        let mut exchange = Exchange::new(target, &overrides);
        let mut stream = exchange.total;
        if overrides.total_timeout_ms == usual {
            exchange.total = TOTAL;
            stream = STREAM;
        }
        let mut ask = |name: HeaderName, value: Option<String>| {
            // What is no header value was no validator; it is fetched anew.
            if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
                exchange.headers.insert(name, value);
            }
        };
        ask(header::IF_NONE_MATCH, request.etag);
        ask(header::IF_MODIFIED_SINCE, request.last_modified);
        let stream_until = Instant::now() + stream;
        let Head { response, deadline, .. } = exchange.head(&settings, &self.token()).await?;
        let headers = response.headers().clone();
        let status = response.status().as_u16();
        let mut rest = MediaRest {
            length: response.content_length(),
            response,
            bytes_max: request.bytes_max,
            bytes: 0,
            stall_max: request.stall_max,
            whole_until: deadline,
            stream_until,
        };
        let mut body = Vec::new();
        let has_rest = rest.begin(&mut body).await?;
        Ok(MediaAnswer {
            status,
            content_type: text(&headers, &header::CONTENT_TYPE),
            etag: text(&headers, &header::ETAG),
            last_modified: text(&headers, &header::LAST_MODIFIED),
            cache_control: text(&headers, &header::CACHE_CONTROL),
            expires: text(&headers, &header::EXPIRES),
            date: text(&headers, &header::DATE),
            body,
            rest: has_rest.then_some(rest),
        })
    }
}

impl MediaRest {
    /// Whether the server has said how long the body is: it will end by itself.
    pub fn has_length(&self) -> bool {
        self.length.is_some()
    }

    /// The next piece, as soon as there is one; `None` at the end. Nothing for `stall_max` is a failure.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, FetchFailure> {
        let until = Instant::now() + self.stall_max;
        if until >= self.stream_until {
            return self.next(self.stream_until).await;
        }
        let stalled =
            |_| failure(FAILED, format!("nothing more came for {} s", self.stall_max.as_secs_f32()));
        let waited = timeout_at(until, self.response.chunk()).await.map_err(stalled)?;
        self.took(waited)
    }

    /// Everything that is still to come, appended.
    pub async fn all(mut self, body: &mut Vec<u8>) -> Result<(), FetchFailure> {
        while let Some(chunk) = self.next(self.whole_until).await? {
            body.extend_from_slice(&chunk);
        }
        Ok(())
    }

    /// A short body, or the beginning of a long one, for which this answers true.
    async fn begin(&mut self, body: &mut Vec<u8>) -> Result<bool, FetchFailure> {
        let soon = Instant::now() + SHORT_PATIENCE;
        while body.len() < SHORT_BYTES {
            let chunk = if body.len() < BEGIN_BYTES {
                self.next(self.whole_until).await?
            } else {
                match timeout_at(soon, self.response.chunk()).await {
                    Ok(waited) => self.took(waited)?,
                    Err(_) => return Ok(true),
                }
            };
            match chunk {
                Some(chunk) => body.extend_from_slice(&chunk),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    async fn next(&mut self, until: Instant) -> Result<Option<Bytes>, FetchFailure> {
        let late = |_| failure(TIME_USED_UP, "the body did not end in time");
        let waited = timeout_at(until, self.response.chunk()).await.map_err(late)?;
        self.took(waited)
    }

    fn took(&mut self, waited: reqwest::Result<Option<Bytes>>) -> Result<Option<Bytes>, FetchFailure> {
        let chunk = waited.map_err(|error| answer_failure(&error))?;
        self.bytes += chunk.as_ref().map_or(0, Bytes::len);
        if self.bytes > self.bytes_max {
            return Err(failure(TOO_LARGE, format!("the body is longer than {} bytes", self.bytes_max)));
        }
        Ok(chunk)
    }
}

/// A header as text; one that is none counts as absent.
pub(super) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
