//! From a URL to a WebSocket, each step with its own limit and its own published failure.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use twiml::stream_url;
use url::Url;

use super::{Failure, Inner};

/// To find the server and connect to it.
const CONNECT: Duration = Duration::from_secs(5);

/// For TLS and the WebSocket's own handshake, and for the first messages to leave.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(5);

/// Bytes of one message: ten minutes of sound, as text.
const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes that wait to be written by the WebSocket itself: a few messages.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// TCP, or TLS over it.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

pub(super) type Socket = WebSocketStream<Box<dyn Wire>>;

/// Connects and shakes hands.
pub(super) async fn connect(inner: &Inner, url: &str) -> Result<Socket, Failure> {
    stream_url(url).map_err(|code| Failure::new(code, twiml::shown(url)))?;
    let parsed = Url::parse(url).map_err(|error| Failure::new(31923, error.to_string()))?;
    let host = parsed.host_str().ok_or_else(|| Failure::new(31923, "it names no host"))?.to_owned();
    let port = parsed.port_or_known_default().ok_or_else(|| Failure::new(31923, "it names no port"))?;
    inner.config.destinations.check(&parsed).map_err(|denied| Failure::new(31904, denied.message))?;
    let tcp = timeout(CONNECT, reach(inner, &host, port))
        .await
        .map_err(|_| Failure::new(31901, format!("{host} port {port}")))??;
    let wire: Box<dyn Wire> = match parsed.scheme() {
        "ws" => Box::new(tcp),
        _ => Box::new(encrypt(inner, &host, tcp).await?),
    };
    timeout(HANDSHAKE, shake_hands(inner, url, wire))
        .await
        .map_err(|_| Failure::new(31901, format!("{host} did not answer the handshake")))?
}

async fn reach(inner: &Inner, host: &str, port: u16) -> Result<TcpStream, Failure> {
    // An IPv6 address stands in brackets.
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = inner
        .resolver
        .addresses(bare)
        .await
        .map_err(|error| Failure::new(31904, format!("{host} does not resolve: {error}")))?;
    let mut failure = Failure::new(31904, format!("streams to {host} are not permitted"));
    for ip in found.into_iter().filter(|ip| inner.config.destinations.permits(*ip, port)) {
        match TcpStream::connect(SocketAddr::new(ip, port)).await {
            Ok(tcp) => {
                // A frame of sound is small and must not wait for the next one.
                let _ = tcp.set_nodelay(true);
                return Ok(tcp);
            }
            Err(error) => failure = unreachable(&error, &format!("{ip} port {port}")),
        }
    }
    Err(failure)
}

fn unreachable(error: &io::Error, place: &str) -> Failure {
    let code = match error.kind() {
        ErrorKind::ConnectionRefused => 31902,
        ErrorKind::TimedOut => 31901,
        _ => 31904,
    };
    Failure::new(code, format!("{place}: {error}"))
}

async fn encrypt(inner: &Inner, host: &str, tcp: TcpStream) -> Result<impl Wire + use<>, Failure> {
    let connector = inner.tls.clone().map_err(|error| Failure::new(31910, error))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare).map_err(|error| Failure::new(31910, error.to_string()))?;
    timeout(HANDSHAKE, connector.connect(name, tcp))
        .await
        .map_err(|_| Failure::new(31901, format!("{host} did not answer the TLS handshake")))?
        .map_err(|error| Failure::new(31910, error.to_string()))
}

async fn shake_hands(inner: &Inner, url: &str, wire: Box<dyn Wire>) -> Result<Socket, Failure> {
    let uri: Uri = url.parse().map_err(|error| Failure::new(31923, format!("{error}")))?;
    let config = &inner.config;
    let request = config.signer.headers(url, &[]).into_iter().fold(
        ClientRequestBuilder::new(uri).with_header("User-Agent", &config.user_agent),
        |request, (name, value)| request.with_header(name, value),
    );
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BYTES_MAX);
    match client_async_with_config(request, wire, Some(limits)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => Err(Failure::new(31920, format!("it answered {}", answer.status()))),
        Err(Error::Url(error)) => Err(Failure::new(31923, error.to_string())),
        Err(Error::Io(error)) => Err(Failure::new(31903, error.to_string())),
        Err(error) => Err(Failure::new(31920, error.to_string())),
    }
}

/// What went wrong on a WebSocket that was open.
pub(super) fn broken(error: &Error) -> Failure {
    use tokio_tungstenite::tungstenite::error::ProtocolError;
    let code = match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => 31921,
        Error::Io(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) => {
            31921
        }
        Error::Io(_) | Error::ConnectionClosed | Error::AlreadyClosed => 31903,
        Error::Tls(_) => 31910,
        Error::Protocol(_) | Error::Utf8(_) | Error::Capacity(_) | Error::AttackAttempt => 31924,
        _ => 31900,
    };
    Failure::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_their_numbers() {
        for (kind, code) in [
            (ErrorKind::ConnectionRefused, 31902),
            (ErrorKind::TimedOut, 31901),
            (ErrorKind::HostUnreachable, 31904),
            (ErrorKind::NetworkUnreachable, 31904),
        ] {
            assert_eq!(unreachable(&kind.into(), "h").code, code, "{kind}");
        }
        for (kind, code) in [
            (ErrorKind::BrokenPipe, 31903),
            (ErrorKind::ConnectionReset, 31921),
            (ErrorKind::UnexpectedEof, 31921),
        ] {
            assert_eq!(broken(&Error::Io(kind.into())).code, code, "{kind}");
        }
        assert_eq!(broken(&Error::AttackAttempt).code, 31924);
    }
}
