//! Queries as people type them: `curl 'http://box/…/Calls.json?StartTime>=2026-11-01'` sends the `>` as it stands. A URL has
//! no such character (RFC 3986 §2), and the parser of HTTP refuses the request before anybody could answer it; but filters
//! with an operator in their name are published (reference: rest-voice §1). So `<` and `>` in the query of a request's line
//! are percent-encoded as they come in, and nothing else is touched.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Where clients come in.
pub(crate) struct Entrance(pub(crate) TcpListener);

impl Listener for Entrance {
    type Io = Typed<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        let (stream, from) = Listener::accept(&mut self.0).await;
        (Typed::new(stream), from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Connected<IncomingStream<'_, Entrance>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Entrance>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// A request's line that is looked at has fewer bytes.
const LINE_BYTES: usize = 8_192;

/// A connection whose requests are mended. Only what arrives first, or first after an answer, can be the line of a request;
/// it is looked at when it arrives in one piece, so that nothing is ever held back.
pub(crate) struct Typed<S> {
    stream: S,
    may_begin: bool,
    /// What the reader had no room for.
    rest: Vec<u8>,
}

impl<S> Typed<S> {
    fn new(stream: S) -> Self {
        Self { stream, may_begin: true, rest: Vec::new() }
    }

    fn hand_over(&mut self, bytes: &[u8], buf: &mut ReadBuf<'_>) {
        let fits = bytes.len().min(buf.remaining());
        buf.put_slice(&bytes[..fits]);
        self.rest = bytes[fits..].to_vec();
    }
}

/// What arrived with the query of its first line encoded; `None` where there is nothing to encode.
fn encoded(arrived: &[u8]) -> Option<Vec<u8>> {
    let end = arrived.iter().position(|b| *b == b'\r')?;
    let line = &arrived[..end];
    let version = line.len().checked_sub(b" HTTP/1.1".len())?;
    let is_line =
        line.first().is_some_and(u8::is_ascii_uppercase) && line[version..].starts_with(b" HTTP/1.");
    let query = line.iter().position(|b| *b == b'?')?;
    if !is_line || !line.get(query..version)?.iter().any(|b| matches!(b, b'<' | b'>')) {
        return None;
    }
    let mut mended = arrived[..query].to_vec();
    for b in &arrived[query..version] {
        match b {
            b'<' => mended.extend(b"%3C"),
            b'>' => mended.extend(b"%3E"),
            other => mended.push(*other),
        }
    }
    mended.extend(&arrived[version..]);
    Some(mended)
}

impl<S: AsyncRead + Unpin> AsyncRead for Typed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            self.hand_over(&rest, buf);
            return Poll::Ready(Ok(()));
        }
        if !self.may_begin {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        // Whoever reads may begin with few bytes, to see which version of HTTP it is.
        let mut arrived = [0; LINE_BYTES];
        let mut arrived = ReadBuf::new(&mut arrived);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut arrived))?;
        self.may_begin = false;
        match encoded(arrived.filled()) {
            Some(mended) => self.hand_over(&mended, buf),
            None => self.hand_over(arrived.filled(), buf),
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Typed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.may_begin = true;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.may_begin = true;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::v2010::tests::api;

    #[test]
    fn only_the_query_of_a_requests_line_is_touched() {
        for (arrived, mended) in [
            (
                "GET /a?T>=1&U<=2 HTTP/1.1\r\nX: <>\r\n\r\n<a?>",
                "GET /a?T%3E=1&U%3C=2 HTTP/1.1\r\nX: <>\r\n\r\n<a?>",
            ),
            ("GET /a?T%3E=1 HTTP/1.1\r\nX: a?<b>\r\n\r\n", ""),
            ("GET /a>b HTTP/1.1\r\n\r\n", ""),
            ("GET /a?T>=1 HTTP/1.1", ""),
            ("To=?<a>&Twiml=<Response/>\r\n", ""),
            ("\u{16}\u{3}<?>\r\n", ""),
            ("?<>\r\n", ""),
            ("", ""),
        ] {
            let wanted = (!mended.is_empty()).then(|| mended.as_bytes().to_vec());
            assert_eq!(encoded(arrived.as_bytes()), wanted, "{arrived}");
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_comes_with_the_next_read() {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(b"GET /?T>=1 HTTP/1.1\r\n").await.unwrap();
        drop(client);
        let (mut server, mut all) = (Typed::new(server), Vec::new());
        let mut little = [0; 21];
        loop {
            match server.read(&mut little).await.unwrap() {
                0 => break,
                n => all.extend(&little[..n]),
            }
        }
        assert_eq!(String::from_utf8(all).unwrap(), "GET /?T%3E=1 HTTP/1.1\r\n");
    }

    #[tokio::test]
    async fn a_filter_may_be_typed_as_it_is_published() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        let account = api.account_sid;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(crate::serve(listener, crate::router(api)));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{account}:secret"));
        // One connection: each request after an answer is looked at, too.
        for (query, status) in [
            ("StartTime>=2026-11-01&StartTime<=2026-11-02", 200),
            ("StartTime>=soon", 400),
            ("EndTime<=2026-11-01", 200),
        ] {
            let request = format!(
                "GET /2010-04-01/Accounts/{account}/Calls.json?{query} HTTP/1.1\r\nHost: box\r\nAuthorization: Basic {pair}\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = vec![0; 65_536];
            let length = stream.read(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{query}: {answer}");
        }
    }
}
