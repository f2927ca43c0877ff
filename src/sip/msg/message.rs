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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Host;

    fn invite() -> Request {
        let mut request = Request::new(Method::Invite, Uri::sip("bob", Host::Name("b.example".into()), None));
        for (name, value) in [
            (HeaderName::Via, "SIP/2.0/UDP top;branch=1"),
            (HeaderName::From, "<sip:a@b>;tag=1"),
            (HeaderName::To, "<sip:b@b>"),
            (HeaderName::Via, "SIP/2.0/UDP next"),
            (HeaderName::CallId, "c1"),
            (HeaderName::CSeq, "1 INVITE"),
            (HeaderName::Timestamp, "54"),
            (HeaderName::ContentLength, "999"),
        ] {
            request.headers.push(name, value);
        }
        request
    }

    #[test]
    fn a_response_copies_what_leads_it_back() {
        let lines = |response: Response| {
            response.headers.iter().map(|(n, v)| format!("{n}: {v}")).collect::<Vec<_>>().join("|")
        };
        let back = "Via: SIP/2.0/UDP top;branch=1|From: <sip:a@b>;tag=1|To: <sip:b@b>|Via: SIP/2.0/UDP next|\
                    Call-ID: c1|CSeq: 1 INVITE";
        assert_eq!(lines(invite().response(486, None)), back);
        assert_eq!(lines(invite().response(100, None)), format!("{back}|Timestamp: 54"));
        assert_eq!(invite().response(486, None).reason, "Busy Here");
        assert_eq!(invite().response(486, "At lunch").reason, "At lunch");
    }

    #[test]
    fn content_length_is_written_once_and_true() {
        let mut request = invite();
        request.body = b"\xff\0x".to_vec();
        let bytes = request.encode();
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            text.starts_with("INVITE sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/UDP top;branch=1\r\n"),
            "{text}"
        );
        assert_eq!(text.matches("Content-Length").count(), 1);
        assert!(bytes.ends_with(b"Content-Length: 3\r\n\r\n\xff\0x"));
    }

    #[test]
    fn nothing_written_ends_a_line_early() {
        let mut response = invite().response(400, "bad\r\nVia: evil");
        response.headers.push(HeaderName::Other("X-A\r\nEvil: x".into()), "b\r\nEvil: y");
        let text = String::from_utf8(response.encode()).unwrap();
        assert!(!text.contains("\r\nEvil") && !text.contains("\r\nVia: evil"), "{text}");
        assert!(text.contains("X-AEvilx: b  Evil: y\r\n"), "{text}");
    }
}
