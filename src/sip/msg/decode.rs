//! From bytes to a message, or to the decision what to do with bytes that are none.

use base::limits::SIP_MESSAGE_BYTES_MAX;

use super::limits::{HEADER_BYTES_MAX, HEADERS_MAX, START_LINE_BYTES_MAX};
use super::{
    HeaderError, HeaderName, HeaderValue, Headers, Message, Method, NameAddr, Request, Response, Uri, Via,
    syntax,
};

/// What one datagram or framed message turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A message whose mandatory headers are there, once, and well-formed.
    Message(Message),
    /// A request that cannot be taken.
    Reject {
        /// The status code: 400, 414, 505, 513 …
        code: u16,
        /// A reason phrase that says what is wrong.
        reason: String,
        /// The response, ready to be sent back over the flow; `None` when it cannot be answered.
        response: Option<Vec<u8>>,
    },
    /// Nothing to answer.
    Drop(DropReason),
}

/// Why bytes are dropped: each reason is a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// `CRLF CRLF`: on a stream it is answered by `CRLF` (RFC 5626 §3.5.1).
    Ping,
    /// Line ends or zero bytes alone: a keep-alive nobody answers.
    KeepAlive,
    /// Nothing that looks like SIP.
    NotSip,
    /// A response that cannot be read.
    BadResponse,
}

impl DropReason {
    /// The counter's name.
    pub fn as_str(self) -> &'static str {
        match self {
            DropReason::Ping => "sip_dropped_ping",
            DropReason::KeepAlive => "sip_dropped_keep_alive",
            DropReason::NotSip => "sip_dropped_not_sip",
            DropReason::BadResponse => "sip_dropped_bad_response",
        }
    }
}

/// What is wrong with a message.
struct Fault {
    code: u16,
    reason: String,
}

impl From<&str> for Fault {
    fn from(reason: &str) -> Self {
        Fault { code: 400, reason: reason.to_owned() }
    }
}

impl From<HeaderError> for Fault {
    fn from(error: HeaderError) -> Self {
        Fault { code: 400, reason: error.to_string() }
    }
}

/// Reads one datagram or one framed message.
pub fn decode(bytes: &[u8]) -> Decoded {
    let start = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n'));
    let Some(start) = start else {
        return Decoded::Drop(if bytes == b"\r\n\r\n" { DropReason::Ping } else { DropReason::KeepAlive });
    };
    if bytes.iter().all(|b| *b == 0) {
        return Decoded::Drop(DropReason::KeepAlive);
    }
    let bytes = &bytes[start..];
    let (line, rest) = cut_line(bytes);
    if line.get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"SIP/")) {
        return match response(bytes) {
            Ok(response) => Decoded::Message(Message::Response(response)),
            Err(_) => Decoded::Drop(DropReason::BadResponse),
        };
    }
    if !looks_like_request(line) {
        return Decoded::Drop(DropReason::NotSip);
    }
    match request(bytes) {
        Ok(request) => Decoded::Message(Message::Request(request)),
        Err(fault) => reject(line, rest, fault),
    }
}

fn request(bytes: &[u8]) -> Result<Request, Fault> {
    let (line, rest) = cut_line(bytes);
    if line.len() > START_LINE_BYTES_MAX {
        return Err(Fault { code: 414, reason: "Request-URI Too Long".into() });
    }
    if bytes.len() > SIP_MESSAGE_BYTES_MAX {
        return Err(Fault { code: 513, reason: "Message Too Large".into() });
    }
    let line = std::str::from_utf8(line).map_err(|_| Fault::from("Bad Request-Line: not UTF-8"))?;
    let mut words = line.split(' ');
    let (Some(method), Some(uri), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Fault::from("Bad Request-Line: not three words with one space between"));
    };
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err(Fault { code: 505, reason: "Version Not Supported".into() });
    }
    if !syntax::is_token(method) {
        return Err(Fault::from("Bad Request-Line: malformed method"));
    }
    let uri: Uri =
        uri.parse().map_err(|e: super::UriError| Fault::from(&*format!("Bad Request-URI: {e}")))?;
    let method = Method::from(method);
    let (headers, body) = head_and_body(rest)?;
    check_request(&headers)?;
    if headers.cseq()?.method != method {
        return Err(Fault::from("CSeq method does not match the request"));
    }
    Ok(Request { method, uri, headers, body })
}

fn response(bytes: &[u8]) -> Result<Response, Fault> {
    let (line, rest) = cut_line(bytes);
    if line.len() > START_LINE_BYTES_MAX || bytes.len() > SIP_MESSAGE_BYTES_MAX {
        return Err(Fault::from("too large"));
    }
    let line = String::from_utf8_lossy(line);
    let (version, status) = line.split_once(' ').ok_or(Fault::from("no status"))?;
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err(Fault::from("version"));
    }
    let (code, reason) = status.split_once(' ').unwrap_or((status, ""));
    let code =
        syntax::number(code, 699).filter(|n| *n >= 100 && code.len() == 3).ok_or(Fault::from("status"))?;
    let (headers, body) = head_and_body(rest)?;
    check(&headers)?;
    let reason = reason.chars().map(|c| if c.is_ascii_control() { ' ' } else { c }).collect();
    Ok(Response { code: code as u16, reason, headers, body })
}

/// What every message needs to be matched to a transaction or a dialog, each once and well-formed.
fn check(headers: &Headers) -> Result<(), HeaderError> {
    if headers.check_list::<Via>(&HeaderName::Via)? == 0 {
        return Err(HeaderError::Missing(HeaderName::Via));
    }
    headers.check_single::<NameAddr>(HeaderName::From)?;
    headers.check_single::<NameAddr>(HeaderName::To)?;
    headers.call_id()?;
    headers.cseq()?;
    Ok(())
}

/// What a request needs besides. A response is not dropped for these: its transaction would wait for another one
/// in vain.
fn check_request(headers: &Headers) -> Result<(), HeaderError> {
    check(headers)?;
    headers.max_forwards()?;
    if !headers.contact_is_star() {
        headers.check_list::<NameAddr>(&HeaderName::Contact)?;
    }
    headers.check_list::<NameAddr>(&HeaderName::Route)?;
    headers.check_list::<NameAddr>(&HeaderName::RecordRoute)?;
    if headers.all(&HeaderName::ContentType).nth(1).is_some() {
        return Err(HeaderError::Duplicate(HeaderName::ContentType));
    }
    Ok(())
}

fn head_and_body(rest: &[u8]) -> Result<(Headers, Vec<u8>), Fault> {
    let mut headers = Headers::new();
    let mut rest = rest;
    loop {
        if rest.is_empty() {
            return Err(Fault::from("Headers without their end"));
        }
        let (line, after) = cut_folded(rest);
        rest = after;
        if line.is_empty() {
            break;
        }
        if headers.len() == HEADERS_MAX {
            return Err(Fault::from("Too many headers"));
        }
        let (name, value) = header(line)?;
        headers.push(name, value);
    }
    // Content-Length is written with every message: one that is taken can be sent on.
    if headers.len() == HEADERS_MAX && !headers.has(&HeaderName::ContentLength) {
        return Err(Fault::from("Too many headers"));
    }
    let body = match headers.content_length()? {
        Some(length) => rest.get(..length).ok_or(Fault::from("Content-Length is more than the body"))?,
        None => rest,
    };
    Ok((headers, body.to_vec()))
}

fn header(line: &[u8]) -> Result<(HeaderName, HeaderValue), Fault> {
    let colon = line.iter().position(|b| *b == b':').ok_or(Fault::from("Header without a colon"))?;
    let name = std::str::from_utf8(line[..colon].trim_ascii_end()).unwrap_or("");
    if !syntax::is_token(name) {
        return Err(Fault::from("Malformed header name"));
    }
    let value = line[colon + 1..].trim_ascii();
    if has_stray_cr(value) {
        return Err(Fault::from("Carriage return inside a header"));
    }
    if value.len() > HEADER_BYTES_MAX {
        return Err(Fault::from("Header too long"));
    }
    Ok((HeaderName::from(name), HeaderValue::received(value)))
}

/// The first line without its end, and what follows.
pub(super) fn cut_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|b| *b == b'\n') {
        Some(at) => (bytes[..at].strip_suffix(b"\r").unwrap_or(&bytes[..at]), &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}

/// The first line with all lines folded onto it (RFC 3261 §7.3.1).
fn cut_folded(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (mut line, mut rest) = cut_line(bytes);
    while !line.is_empty() && matches!(rest.first(), Some(b' ' | b'\t')) {
        let (fold, after) = cut_line(rest);
        let end = bytes.len() - rest.len() + fold.len();
        line = &bytes[..end];
        rest = after;
    }
    (line, rest)
}

fn looks_like_request(line: &[u8]) -> bool {
    let mut words = line.split(|b| *b == b' ').filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default();
    let last = words.next_back().unwrap_or_default();
    first.iter().all(u8::is_ascii_graphic)
        && last.get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"SIP/"))
}

/// A carriage return that ends no line could end one for the next reader.
fn has_stray_cr(value: &[u8]) -> bool {
    // Most values hold none, and `contains` is fast.
    value.contains(&b'\r')
        && value.iter().enumerate().any(|(at, b)| *b == b'\r' && value.get(at + 1) != Some(&b'\n'))
}

fn reject(line: &[u8], rest: &[u8], fault: Fault) -> Decoded {
    let response = answer(line, rest, fault.code, &fault.reason);
    Decoded::Reject { code: fault.code, reason: fault.reason, response }
}

/// The response to a request that could not be read, from what can be read of it, back over its flow: `None` for
/// an ACK, which is never answered, and for a request without any Via, whose sender could not take the response
/// for an answer (RFC 3261 §17.1.1.3, §18.1.2).
pub(super) fn answer(line: &[u8], rest: &[u8], code: u16, reason: &str) -> Option<Vec<u8>> {
    if line.starts_with(b"ACK ") {
        return None;
    }
    let mut headers = Headers::new();
    let mut rest = rest;
    for _ in 0..HEADERS_MAX {
        let (line, after) = cut_folded(rest);
        rest = after;
        if line.is_empty() {
            break;
        }
        let Ok((name, value)) = header(line) else { continue };
        let copied = match name {
            HeaderName::Via => true,
            HeaderName::From | HeaderName::To | HeaderName::CallId | HeaderName::CSeq => !headers.has(&name),
            _ => false,
        };
        if copied {
            headers.push(name, value);
        }
    }
    headers.get(&HeaderName::Via)?;
    if let Ok(to) = headers.to()
        && to.tag().is_none()
    {
        // The same request gets the same tag, as RFC 3261 §8.2.7 asks of a server that keeps no state.
        let tag = format!("{:016x}", fnv1a(&headers));
        headers.set(HeaderName::To, to.with_tag(&tag));
    }
    Some(Response { code, reason: reason.to_owned(), headers, body: Vec::new() }.encode())
}

fn fnv1a(headers: &Headers) -> u64 {
    let bytes = headers.iter().flat_map(|(_, value)| value.as_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "Via: SIP/2.0/UDP pc;branch=1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: c1\r\n";

    #[test]
    fn what_is_no_sip_is_dropped_with_its_reason() {
        for (bytes, reason) in [
            (&b"\r\n\r\n"[..], DropReason::Ping),
            (b"\r\n", DropReason::KeepAlive),
            (b"", DropReason::KeepAlive),
            (b"\0\0\0\0", DropReason::KeepAlive),
            (b"GET / HTTP/1.1\r\n\r\n", DropReason::NotSip),
            (b"\x80\x01 SIP/2.0\r\n\r\n", DropReason::NotSip),
            (b"hello", DropReason::NotSip),
            (b"SIP/2.0 200 OK\r\n\r\n", DropReason::BadResponse),
        ] {
            assert_eq!(decode(bytes), Decoded::Drop(reason), "{bytes:?}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong_to_whom_it_may_concern() {
        let bytes = format!("INVITE sip:b@b SIP/2.0\r\n{HEAD}CSeq: 99999999999 INVITE\r\n\r\n");
        let Decoded::Reject { code: 400, reason, response: Some(response) } = decode(bytes.as_bytes()) else {
            panic!("not refused")
        };
        assert_eq!(reason, "Bad CSeq: number out of range");
        let again = decode(bytes.as_bytes());
        let text = String::from_utf8(response.clone()).unwrap();
        assert!(
            text.starts_with("SIP/2.0 400 Bad CSeq: number out of range\r\nVia: SIP/2.0/UDP pc;branch=1\r\n")
        );
        assert!(
            text.contains("\r\nTo: <sip:b@b>;tag=") && text.contains("\r\nCSeq: 99999999999 INVITE\r\n"),
            "{text}"
        );
        assert_eq!(again, Decoded::Reject { code: 400, reason, response: Some(response) });
    }

    #[test]
    fn an_ack_or_a_request_without_a_way_back_is_never_answered() {
        for bytes in [
            format!("ACK sip:b@b SIP/2.0\r\n{HEAD}CSeq: x ACK\r\n\r\n"),
            "INVITE sip:b@b SIP/2.0\r\nCall-ID: c1\r\n\r\n".to_owned(),
        ] {
            assert!(matches!(decode(bytes.as_bytes()), Decoded::Reject { response: None, .. }), "{bytes}");
        }
    }

    #[test]
    fn a_message_is_bounded_in_every_direction() {
        let request =
            |head: String| format!("INFO sip:b@b SIP/2.0\r\n{HEAD}CSeq: 1 INFO\r\n{head}\r\n").into_bytes();
        let code = |bytes: &[u8]| match decode(bytes) {
            Decoded::Message(_) => 200,
            Decoded::Reject { code, .. } => code,
            Decoded::Drop(reason) => panic!("{reason:?}"),
        };
        assert_eq!(code(&request("X: y\r\n".repeat(HEADERS_MAX - 6))), 200);
        assert_eq!(code(&request("X: y\r\n".repeat(HEADERS_MAX - 5))), 400);
        assert_eq!(code(&request(format!("X: {}\r\n", "y".repeat(HEADER_BYTES_MAX)))), 200);
        assert_eq!(code(&request(format!("X: {}\r\n", "y".repeat(HEADER_BYTES_MAX + 1)))), 400);
        let long =
            format!("INFO sip:{}@b SIP/2.0\r\n{HEAD}CSeq: 1 INFO\r\n\r\n", "b".repeat(START_LINE_BYTES_MAX));
        assert_eq!(code(long.as_bytes()), 414);
        let mut large = request(String::new());
        large.resize(SIP_MESSAGE_BYTES_MAX + 1, b'x');
        assert_eq!(code(&large), 513);
    }
}
