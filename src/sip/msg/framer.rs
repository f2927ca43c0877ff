//! Cutting messages out of a byte stream by Content-Length (RFC 3261 §18.3).

use base::limits::SIP_MESSAGE_BYTES_MAX;

use super::decode::{answer, cut_line};
use super::syntax;

/// Bytes kept at once: a message, and what one read may bring beyond it.
const BUFFER_BYTES_MAX: usize = 4 * SIP_MESSAGE_BYTES_MAX;

/// Why a stream cannot be read on; the connection must be closed, after the response if there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A message beyond [`SIP_MESSAGE_BYTES_MAX`].
    #[error("message too large")]
    TooLarge {
        /// A 513, when the message's head could be read and may be answered.
        response: Option<Vec<u8>>,
    },
    /// A message whose end cannot be known (RFC 3261 §20.14 makes Content-Length mandatory on streams).
    #[error("no usable Content-Length")]
    NoContentLength {
        /// A 400, when the message may be answered.
        response: Option<Vec<u8>>,
    },
}

impl FrameError {
    /// What to send before closing.
    pub fn response(&self) -> Option<&[u8]> {
        match self {
            FrameError::TooLarge { response } | FrameError::NoContentLength { response } => {
                response.as_deref()
            }
        }
    }
}

/// Takes a stream's bytes as they come and gives whole messages.
///
/// Keep-alives between messages are given as they are, `CRLF CRLF` or `CRLF` (RFC 5626 §3.5.1): [`decode`] knows
/// them and drops them with their own reason, upon which a ping may be answered.
///
/// [`decode`]: super::decode
#[derive(Clone, Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Where the unread part begins.
    start: usize,
    /// How far behind `start` the end of the headers was looked for in vain.
    searched: usize,
    /// Length of the message at `start`, once known.
    length: Option<usize>,
    failed: Option<FrameError>,
}

impl Framer {
    /// A framer at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes. Call [`next`](Self::next) until it gives nothing before pushing more: what is kept
    /// in between is never more than one message and one push.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        if self.buffer.len() + bytes.len() > BUFFER_BYTES_MAX {
            self.fail(FrameError::TooLarge { response: None });
            return;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message or keep-alive; an error is final.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Result<Vec<u8>, FrameError>> {
        if let Some(error) = &self.failed {
            return Some(Err(error.clone()));
        }
        match self.frame()? {
            Ok(length) => Some(Ok(self.take(length))),
            Err(error) => {
                self.fail(error.clone());
                Some(Err(error))
            }
        }
    }

    fn frame(&mut self) -> Option<Result<usize, FrameError>> {
        let unread = &self.buffer[self.start..];
        if let Some(keep_alive) = keep_alive(unread) {
            return keep_alive.map(Ok);
        }
        if self.length.is_none() {
            match head_end(unread, self.searched) {
                Some(head) => {
                    let Some(body) = content_length(&unread[..head]) else {
                        let response = refuse(&unread[..head], 400, "Missing or bad Content-Length");
                        return Some(Err(FrameError::NoContentLength { response }));
                    };
                    let length = head.saturating_add(body);
                    if length > SIP_MESSAGE_BYTES_MAX {
                        let response = refuse(&unread[..head], 513, "Message Too Large");
                        return Some(Err(FrameError::TooLarge { response }));
                    }
                    self.length = Some(length);
                }
                None => self.searched = unread.len().saturating_sub(3),
            }
        }
        match self.length {
            Some(length) => (unread.len() >= length).then_some(Ok(length)),
            None => {
                (unread.len() > SIP_MESSAGE_BYTES_MAX).then_some(Err(FrameError::TooLarge { response: None }))
            }
        }
    }

    fn fail(&mut self, error: FrameError) {
        self.failed = Some(error);
        self.buffer = Vec::new();
        self.start = 0;
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let frame = self.buffer[self.start..self.start + length].to_vec();
        self.start += length;
        self.searched = 0;
        self.length = None;
        frame
    }
}

/// The response to a head whose body is not read.
fn refuse(head: &[u8], code: u16, reason: &str) -> Option<Vec<u8>> {
    let (line, rest) = cut_line(head);
    if line.starts_with(b"SIP/") { None } else { answer(line, rest, code, reason) }
}

/// Whether `unread` begins with line ends: their length, or `None` inside while more bytes may decide.
fn keep_alive(unread: &[u8]) -> Option<Option<usize>> {
    if !matches!(unread.first(), Some(b'\r' | b'\n')) {
        return None;
    }
    if unread.starts_with(b"\r\n\r\n") {
        return Some(Some(4));
    }
    if b"\r\n\r\n".starts_with(unread) && unread != b"\r\n" {
        return Some(None);
    }
    Some(Some(if unread.starts_with(b"\r\n") { 2 } else { 1 }))
}

/// Where the body begins, looking from `from` on.
fn head_end(unread: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = unread[at..].iter().position(|b| *b == b'\n') {
        let next = at + found + 1;
        match &unread[next..] {
            [b'\n', ..] => return Some(next + 1),
            [b'\r', b'\n', ..] => return Some(next + 2),
            _ => at = next,
        }
    }
    None
}

/// The first Content-Length of a head, as far as framing needs it; the decoder judges the rest.
fn content_length(head: &[u8]) -> Option<usize> {
    head.split(|b| *b == b'\n').find_map(|line| {
        let colon = line.iter().position(|b| *b == b':')?;
        let name = line[..colon].trim_ascii_end();
        if !name.eq_ignore_ascii_case(b"content-length") && !name.eq_ignore_ascii_case(b"l") {
            return None;
        }
        let value = std::str::from_utf8(&line[colon + 1..]).ok()?;
        syntax::number(syntax::trim(value), u64::from(u32::MAX)).map(|n| n as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"INFO sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c;branch=1\r\nl: 5\r\n\r\n";

    fn all(framer: &mut Framer) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| framer.next()).map(Result::unwrap).collect()
    }

    #[test]
    fn messages_and_keep_alives_come_out_however_the_stream_is_cut() {
        let one = [HEAD, b"12345"].concat();
        let stream = [&one[..], b"\r\n\r\n", &one, &one, b"\r\n", &one].concat();
        let expected = [&one[..], b"\r\n\r\n", &one, &one, b"\r\n", &one];
        for step in [1, 2, 3, 7, 64, stream.len()] {
            let mut framer = Framer::new();
            let mut frames = Vec::new();
            for piece in stream.chunks(step) {
                framer.push(piece);
                frames.extend(all(&mut framer));
            }
            // Cut inside it, a ping is two lone line ends: nobody answers those.
            let joined: Vec<u8> = frames.concat();
            assert_eq!(joined, stream, "step {step}");
            if step > 3 {
                assert_eq!(frames.len(), expected.len(), "step {step}");
            }
            assert_eq!(frames.iter().filter(|frame| **frame == one).count(), 4, "step {step}");
        }
    }

    #[test]
    fn a_body_may_hold_anything() {
        let mut framer = Framer::new();
        framer.push(b"INFO sip:a@b SIP/2.0\r\nContent-Length : 8\r\n\r\n\r\n\r\n\xff\0\r\n");
        let frames = all(&mut framer);
        assert_eq!(frames.len(), 1);
        assert!(frames[0].ends_with(b"\r\n\r\n\r\n\r\n\xff\0\r\n"));
    }

    #[test]
    fn a_message_without_its_length_ends_the_stream_in_words() {
        for length in ["", "Content-Length: -1\r\n", "Content-Length: x\r\n"] {
            let mut framer = Framer::new();
            framer.push(b"INFO sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c;branch=1\r\nCall-ID: q\r\n");
            framer.push(length.as_bytes());
            framer.push(b"\r\n");
            let error = framer.next().unwrap().unwrap_err();
            let response = String::from_utf8(error.response().unwrap().to_vec()).unwrap();
            assert!(response.starts_with("SIP/2.0 400 Missing or bad Content-Length\r\n"), "{response}");
            assert!(response.contains("Call-ID: q\r\n"), "{response}");
            framer.push(HEAD);
            assert_eq!(framer.next(), Some(Err(error)));
        }
    }

    #[test]
    fn nothing_grows_without_end() {
        let mut framer = Framer::new();
        framer.push(b"INFO sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c\r\nContent-Length: 4294967295\r\n\r\n");
        let error = framer.next().unwrap().unwrap_err();
        assert!(error.response().unwrap().starts_with(b"SIP/2.0 513 "));

        let mut framer = Framer::new();
        for _ in 0..=SIP_MESSAGE_BYTES_MAX / 1024 {
            framer.push(&[b'x'; 1024]);
        }
        assert_eq!(framer.next(), Some(Err(FrameError::TooLarge { response: None })));

        let mut framer = Framer::new();
        for _ in 0..2000 {
            framer.push(&[b'x'; 1024]);
        }
        assert!(framer.next().unwrap().is_err());
    }
}
