//! Requests and responses, and how they are written (RFC 3261 §7).

use serde::{Deserialize, Serialize};

use super::{HeaderName, Headers, Method, Uri, reason_phrase};

/// A SIP message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// Of whom: the Request-URI.
    pub uri: Uri,
    /// Headers; Content-Length is written by [`encode`](Self::encode).
    pub headers: Headers,
    /// The body, any bytes.
    pub body: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// 100 to 699.
    pub code: u16,
    /// The reason phrase, for people.
    pub reason: String,
    /// Headers; Content-Length is written by [`encode`](Self::encode).
    pub headers: Headers,
    /// The body, any bytes.
    pub body: Vec<u8>,
}

impl Message {
    /// The bytes on the wire. Content-Length is always that of the body.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Message::Request(request) => request.encode(),
            Message::Response(response) => response.encode(),
        }
    }

    /// Its headers.
    pub fn headers(&self) -> &Headers {
        match self {
            Message::Request(request) => &request.headers,
            Message::Response(response) => &response.headers,
        }
    }

    /// Its headers, to change.
    pub fn headers_mut(&mut self) -> &mut Headers {
        match self {
            Message::Request(request) => &mut request.headers,
            Message::Response(response) => &mut response.headers,
        }
    }

    /// Its body.
    pub fn body(&self) -> &[u8] {
        match self {
            Message::Request(request) => &request.body,
            Message::Response(response) => &response.body,
        }
    }

    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        matches!(self, Message::Request(_))
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Self {
        Message::Request(request)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Self {
        Message::Response(response)
    }
}

impl Request {
    /// A request without headers or body.
    pub fn new(method: Method, uri: Uri) -> Self {
        Self { method, uri, headers: Headers::new(), body: Vec::new() }
    }

    /// A response to it: Via, From, To, Call-ID and CSeq copied, for 100 Timestamp too (RFC 3261 §8.2.6). Without
    /// `reason`, the code's usual phrase. The caller adds the tag to To.
    pub fn response<'a>(&self, code: u16, reason: impl Into<Option<&'a str>>) -> Response {
        let mut headers = Headers::new();
        for (name, value) in self.headers.iter() {
            let copied = match name {
                HeaderName::Via
                | HeaderName::From
                | HeaderName::To
                | HeaderName::CallId
                | HeaderName::CSeq => true,
                HeaderName::Timestamp => code == 100,
                _ => false,
            };
            if copied {
                headers.push(name.clone(), value.clone());
            }
        }
        let reason = reason.into().unwrap_or_else(|| reason_phrase(code)).to_owned();
        Response { code, reason, headers, body: Vec::new() }
    }

    /// The bytes on the wire. Content-Length is always that of the body.
    pub fn encode(&self) -> Vec<u8> {
        let start = format!("{} {} SIP/2.0", self.method, self.uri);
        encode(start, &self.headers, &self.body)
    }
}

impl Response {
    /// The bytes on the wire. Content-Length is always that of the body.
    pub fn encode(&self) -> Vec<u8> {
        let start = format!("SIP/2.0 {} {}", self.code, self.reason);
        encode(start, &self.headers, &self.body)
    }

    /// Whether it is provisional: 1xx.
    pub fn is_provisional(&self) -> bool {
        self.code < 200
    }

    /// Whether it is a success: 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

/// `start` may hold text from elsewhere (reason phrases, URIs): whatever could end the line becomes a space.
fn encode(start: String, headers: &Headers, body: &[u8]) -> Vec<u8> {
    let lines: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.as_bytes().len() + 4).sum();
    let mut out = Vec::with_capacity(start.len() + lines + body.len() + 32);
    out.extend(start.bytes().map(|b| if b.is_ascii_control() { b' ' } else { b }));
    out.extend_from_slice(b"\r\n");
    for (name, value) in headers.iter().filter(|(name, _)| **name != HeaderName::ContentLength) {
        write_name(&mut out, name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"Content-Length: ");
    out.extend_from_slice(body.len().to_string().as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body);
    out
}

/// A name made from a user's text may hold anything; only token bytes are written.
fn write_name(out: &mut Vec<u8>, name: &HeaderName) {
    match name {
        HeaderName::Other(name) => out.extend(name.bytes().filter(|b| super::syntax::is_token_byte(*b))),
        known => out.extend_from_slice(known.as_str().as_bytes()),
    }
}
