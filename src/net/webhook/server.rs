//! A web server for tests: it does what it is told, well or badly, and remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// One request as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The parameters of its body.
    pub(super) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

/// What the server does with a request.
pub(super) enum Reply {
    /// Writes these bytes and closes.
    Raw(Vec<u8>),
    /// Writes these bytes and goes on listening to the connection.
    Stay(Vec<u8>),
    /// Writes these bytes and then nothing, while the connection stays.
    Hang(Vec<u8>),
    /// Answers after a while.
    Late(Duration, Vec<u8>),
}

/// An answer with a length.
pub(super) fn answer(status: u16, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
        .into_bytes()
}

pub(super) fn xml(body: &str) -> Reply {
    Reply::Raw(answer(200, "Content-Type: text/xml\r\nConnection: close\r\n", body))
}

pub(super) fn redirect(status: u16, to: &str) -> Reply {
    Reply::Raw(answer(status, &format!("Location: {to}\r\nConnection: close\r\n"), ""))
}

/// The server, until the test's runtime ends.
pub(super) struct Server {
    pub(super) url: String,
    pub(super) seen: Arc<Mutex<Vec<Seen>>>,
}

type Behaviour = Arc<dyn Fn(usize, &Seen) -> Reply + Send + Sync>;

impl Server {
    /// `behaviour` is given how many requests came before, and the request.
    pub(super) async fn start(behaviour: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(None, Arc::new(behaviour)).await
    }

    pub(super) async fn start_tls(
        acceptor: TlsAcceptor,
        behaviour: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(Some(acceptor), Arc::new(behaviour)).await
    }

    async fn start_with(tls: Option<TlsAcceptor>, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let server = Self { url: format!("{scheme}://localhost:{port}"), seen: seen.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, behaviour, tls) = (seen.clone(), behaviour.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, seen, behaviour).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, seen, behaviour).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: Arc<Mutex<Vec<Seen>>>,
    behaviour: Behaviour,
) {
    while let Some(request) = read(&mut stream).await {
        let before = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        match behaviour(before, &request) {
            Reply::Stay(bytes) => stream.write_all(&bytes).await.unwrap(),
            Reply::Raw(bytes) => {
                // The client may have had enough of it.
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Reply::Hang(bytes) => {
                let _ = stream.write_all(&bytes).await;
                std::future::pending::<()>().await;
            }
            Reply::Late(wait, bytes) => {
                tokio::time::sleep(wait).await;
                let _ = stream.write_all(&bytes).await;
                return;
            }
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let mut lines = text.lines();
    let mut words = lines.next()?.split(' ');
    let mut seen = Seen { method: words.next()?.into(), path: words.next()?.into(), ..Seen::default() };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        seen.headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = seen.header("content-length").parse().unwrap_or(0);
    while bytes.len() < head + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    seen.body = String::from_utf8(bytes[head..].to_vec()).unwrap();
    Some(seen)
}
