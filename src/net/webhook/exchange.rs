//! One request with everything that belongs to it: redirects, retries, cookies, the signature, the limits.

use std::time::Duration;

use base::limits::AUDIO_ANSWER_BYTES_MAX;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use tokio::time::{Instant, timeout_at};
use twiml::{Dialect, FetchFailure, HttpMethod, Overrides, RetryPolicy};

use super::connect::{Patience, Phase, TooLong, attempt};
use super::cookies::Jar;
use super::ed25519;
use super::failure::{
    CONNECT_TIMED_OUT, FAILED, NOT_RESOLVED, REDIRECTED_TOO_OFTEN, TIME_USED_UP, TOO_LARGE, answer_failure,
    connect_failure, failure,
};
use super::settings::Settings;
use super::target::{Target, form};

/// Redirects followed; one more is error 11215 (reference: twiml-voice §1.1).
const REDIRECTS_MAX: u32 = 10;

/// A request that is to be made.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) target: Target,
    pub(super) method: HttpMethod,
    /// Whose signature it carries besides ours.
    pub(super) dialect: Dialect,
    /// Those of a POST's body; a GET has them in its target.
    pub(super) params: Vec<(String, String)>,
    /// More request headers.
    pub(super) headers: HeaderMap,
    pub(super) jar: Option<Jar>,
    /// What the server's challenge is answered with, once it has challenged.
    pub(super) digest: Option<String>,
    pub(super) sni: bool,
    pub(super) retries: u32,
    pub(super) retry: RetryPolicy,
    pub(super) connect: Duration,
    pub(super) read: Duration,
    pub(super) total: Duration,
}

/// What becomes of an answer's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Kept; longer than this is error 11750. What is audio and the answer to a GET is cut off there instead: nobody
    /// reads it, it only says that the URL is to be played. The answer to a POST is kept, as far as it is not too
    /// long.
    Document(usize),
    /// Read so far, for the connection's sake, and thrown away; the beginning of what is no success is kept for who
    /// looks after it.
    Discard(usize),
}

/// How long the rest of an audio answer is waited for whose length nobody says: it may be one without an end.
const AUDIO_PATIENCE: Duration = Duration::from_secs(2);

/// The answer that was not a redirect.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Where it came from, if redirects led elsewhere than to the first target.
    pub(super) redirected_to: Option<Target>,
}

impl Exchange {
    /// A request as an URL's overrides want it.
    pub(super) fn new(target: Target, overrides: &Overrides) -> Self {
        let ms = |ms: u32| Duration::from_millis(u64::from(ms));
        Self {
            target,
            method: HttpMethod::Get,
            dialect: Dialect::Twiml,
            params: Vec::new(),
            headers: HeaderMap::new(),
            jar: None,
            digest: None,
            sni: overrides.sni,
            retries: overrides.retries,
            retry: overrides.retry,
            connect: ms(overrides.connect_timeout_ms),
            read: ms(overrides.read_timeout_ms),
            total: ms(overrides.total_timeout_ms),
        }
    }

    /// Makes it and reads the answer. One logical request has one `token`, over retries and redirects (reference:
    /// webhooks §1).
    pub(super) async fn run(
        mut self,
        settings: &Settings,
        token: &str,
        body: Body,
    ) -> Result<Answer, FetchFailure> {
        let head = self.head(settings, token).await?;
        head.finish(body, self.method == HttpMethod::Post).await
    }

    /// Makes it; the body of the answer is still to come.
    pub(super) async fn head(&mut self, settings: &Settings, token: &str) -> Result<Head, FetchFailure> {
        let deadline = Instant::now() + self.total;
        let mut redirects = 0;
        let mut retries = self.retries;
        loop {
            let response = match self.send_once(settings, token, deadline).await {
                Ok(response) => response,
                Err(Missed { failure, retry }) => {
                    if retries == 0 || !retry.is_wanted(self.retry) || Instant::now() >= deadline {
                        return Err(failure);
                    }
                    retries -= 1;
                    self.digest = None;
                    continue;
                }
            };
            let status = response.status();
            if let Some(jar) = &self.jar {
                for cookie in response.headers().get_all(header::SET_COOKIE) {
                    jar.set(&self.target.url, &String::from_utf8_lossy(cookie.as_bytes()));
                }
            }
            if let (401, None) = (status.as_u16(), &self.digest) {
                self.digest = self.answer_challenge(&response, token);
                if self.digest.is_some() && Instant::now() < deadline {
                    continue;
                }
            }
            let again = status.is_client_error() && self.retry.status_4xx
                || status.is_server_error() && self.retry.status_5xx;
            if again && retries > 0 && Instant::now() < deadline {
                retries -= 1;
                self.digest = None;
                continue;
            }
            match location(&response) {
                Some(_) if redirects == REDIRECTS_MAX => {
                    let told = format!("redirected more than {REDIRECTS_MAX} times");
                    return Err(failure(REDIRECTED_TOO_OFTEN, told));
                }
                Some(location) => {
                    redirects += 1;
                    self.redirect(status, &location)?;
                }
                None => {
                    let redirected_to = (redirects > 0).then(|| self.target.clone());
                    return Ok(Head { response, redirected_to, deadline });
                }
            }
        }
    }

    /// What a server is told that wants a digest of the URL's password (RFC 7616) instead of the password.
    fn answer_challenge(&self, response: &Response, token: &str) -> Option<String> {
        let (user, password) = self.target.user.as_ref()?;
        let url = &self.target.url;
        let uri = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let challenges = response.headers().get_all(header::WWW_AUTHENTICATE).iter();
        let challenges = challenges.filter_map(|challenge| challenge.to_str().ok());
        sip::answer_http_challenge(challenges, (user, password), self.method.as_str(), &uri, token)
    }

    /// 307 and 308 repeat the request elsewhere; the others become a GET without parameters, as browsers do.
    fn redirect(&mut self, status: StatusCode, location: &str) -> Result<(), FetchFailure> {
        self.target = self.target.redirected(location)?;
        self.digest = None;
        if !matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
            self.method = HttpMethod::Get;
            self.params.clear();
        }
        Ok(())
    }

    async fn send_once(
        &self,
        settings: &Settings,
        token: &str,
        deadline: Instant,
    ) -> Result<Response, Missed> {
        let url = &self.target.url;
        settings.destinations.check(url).map_err(|failure| Missed { failure, retry: Retry::Never })?;
        let client = settings.clients.client(self.sni);
        let body = match self.method {
            HttpMethod::Get => String::new(),
            HttpMethod::Post => form(&self.params),
        };
        let other = (self.dialect == Dialect::Texml).then(|| settings.key.headers(&body));
        let mut request = match self.method {
            HttpMethod::Get => client.request(Method::GET, url.clone()),
            HttpMethod::Post => client
                .request(Method::POST, url.clone())
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8")
                .body(body),
        };
        if let Some((timestamp, signature)) = other {
            request = request
                .header(ed25519::TIMESTAMP_HEADER, timestamp)
                .header(ed25519::SIGNATURE_HEADER, signature);
        }
        let signed: &[(String, String)] = match self.method {
            HttpMethod::Get => &[],
            HttpMethod::Post => &self.params,
        };
        request = request
            .headers(self.headers.clone())
            .header(header::ACCEPT, "*/*")
            .header("I-Twilio-Idempotency-Token", token);
        for (name, value) in settings.signer.headers(url.as_str(), signed) {
            request = request.header(name, value);
        }
        request = match (&self.digest, &self.target.user) {
            (Some(digest), _) => request.header(header::AUTHORIZATION, digest),
            (None, Some((user, password))) => request.basic_auth(user, Some(password)),
            (None, None) => request,
        };
        if let Some(cookies) = self.jar.as_ref().and_then(|jar| jar.header(url)) {
            // A cookie that is no header value was set by the server itself; it does not get it back.
            if let Ok(cookies) = HeaderValue::try_from(cookies) {
                request = request.header(header::COOKIE, cookies);
            }
        }
        let patience = Patience { connect: self.connect, read: self.read, deadline };
        let port = url.port_or_known_default().unwrap_or_default();
        let attempt = attempt(request.send(), port, patience).await;
        match attempt.result {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => {
                let failure = connect_failure(&error, self.target.is_tls());
                Err(Missed { failure, retry: Retry::Connect })
            }
            Ok(Err(error)) => {
                let failure = answer_failure(&error);
                // An old connection that the server closed when the request was on its way is no answer.
                Err(Missed { failure, retry: if attempt.connected { Retry::Never } else { Retry::Connect } })
            }
            Err(too_long) => Err(self.missed(too_long)),
        }
    }

    fn missed(&self, TooLong { phase, at_deadline }: TooLong) -> Missed {
        let (code, what, retry) = match phase {
            Phase::Resolving => (NOT_RESOLVED, "its name was not resolved", Retry::Connect),
            Phase::Connecting => (CONNECT_TIMED_OUT, "it was not connected", Retry::Connect),
            // The usual case: both limits are 15 s, and it is the server that did not answer.
            Phase::Waiting if !at_deadline || self.total >= self.read => {
                (FAILED, "it did not answer", Retry::Read)
            }
            Phase::Waiting => (TIME_USED_UP, "it did not answer", Retry::Read),
        };
        let (code, retry) =
            if at_deadline && code != FAILED { (TIME_USED_UP, Retry::Never) } else { (code, retry) };
        let host = self.target.url.host_str().unwrap_or_default();
        Missed { failure: failure(code, format!("{host}: {what} in time")), retry }
    }
}

/// An answer that was not a redirect, whose body is still to come.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) response: Response,
    redirected_to: Option<Target>,
    /// When the whole of it must be there.
    pub(super) deadline: Instant,
}

impl Head {
    async fn finish(self, body: Body, is_post: bool) -> Result<Answer, FetchFailure> {
        let Head { mut response, redirected_to, deadline } = self;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let is_audio = headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().to_ascii_lowercase().starts_with(b"audio/"));
        let is_document = matches!(body, Body::Document(_));
        let (max, kept) = match body {
            Body::Document(max) if is_audio => {
                let body = audio(&mut response, max + 1, is_post, deadline).await?;
                return Ok(Answer { status, headers, body, redirected_to });
            }
            Body::Document(max) => (max, max + 1),
            Body::Discard(max) if response.status().is_success() => (max, 0),
            Body::Discard(max) => (max, twiml::Exchange::BODY_BYTES_MAX),
        };
        let mut bytes = Vec::new();
        let mut length = 0;
        loop {
            let chunk = match timeout_at(deadline, response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => break,
                // What a status callback's receiver says does not matter, nor does how it ends.
                Ok(Err(_)) | Err(_) if !is_document => break,
                Ok(Err(error)) => return Err(answer_failure(&error)),
                Err(_) => return Err(failure(TIME_USED_UP, LATE)),
            };
            length += chunk.len();
            bytes.extend_from_slice(&chunk[..chunk.len().min(kept.saturating_sub(bytes.len()))]);
            if length > max {
                match body {
                    Body::Discard(_) => break,
                    Body::Document(_) => {
                        return Err(failure(TOO_LARGE, format!("the body is longer than {max} bytes")));
                    }
                }
            }
        }
        Ok(Answer { status, headers, body: bytes, redirected_to })
    }
}

/// The whole of an audio file that answers a POST, or its first `cut` bytes when it is too long to be kept, or can be
/// asked for again.
async fn audio(
    response: &mut Response,
    cut: usize,
    is_post: bool,
    deadline: Instant,
) -> Result<Vec<u8>, FetchFailure> {
    let length = response.content_length();
    let is_kept = is_post && length.is_none_or(|length| length <= AUDIO_ANSWER_BYTES_MAX as u64);
    let max = if is_kept { AUDIO_ANSWER_BYTES_MAX } else { cut - 1 };
    let mut bytes = Vec::new();
    let mut until = deadline;
    while bytes.len() <= max {
        match timeout_at(until, response.chunk()).await {
            Ok(Ok(Some(chunk))) => bytes.extend_from_slice(&chunk[..chunk.len().min(max + 1 - bytes.len())]),
            Ok(Ok(None)) => return Ok(bytes),
            Ok(Err(error)) => return Err(answer_failure(&error)),
            Err(_) if bytes.len() >= cut => break,
            Err(_) => return Err(failure(TIME_USED_UP, LATE)),
        }
        if bytes.len() >= cut && length.is_none() && until == deadline {
            until = deadline.min(Instant::now() + AUDIO_PATIENCE);
        }
    }
    bytes.truncate(cut);
    Ok(bytes)
}

const LATE: &str = "the body did not end in time";

/// An attempt without an answer.
struct Missed {
    failure: FetchFailure,
    retry: Retry,
}

/// Which word of a retry policy asks for another attempt.
#[derive(Clone, Copy)]
enum Retry {
    Never,
    Connect,
    Read,
}

impl Retry {
    fn is_wanted(self, policy: RetryPolicy) -> bool {
        match self {
            Retry::Never => false,
            Retry::Connect => policy.connect,
            Retry::Read => policy.read,
        }
    }
}

/// Where a redirect leads; `None` for every other answer, and for one that does not say.
fn location(response: &Response) -> Option<String> {
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
        .then(|| response.headers().get(header::LOCATION))
        .flatten()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}
