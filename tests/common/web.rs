//! A scripted web server: it logs each request in order and answers as the test says.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The request line's target, byte for byte: the signed URL ends with it.
    pub target: String,
    pub query: BTreeMap<String, String>,
    /// The decoded form body.
    pub form: BTreeMap<String, String>,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub at: Instant,
}

impl Request {
    /// A parameter from wherever this method carries it; empty when absent.
    pub fn get(&self, name: &str) -> &str {
        let from = if self.method == "GET" { &self.query } else { &self.form };
        from.get(name).map_or("", String::as_str)
    }
}

/// What the server says.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub content_type: String,
    pub body: Vec<u8>,
    pub headers: Vec<(String, String)>,
    /// Waits this long before the first byte.
    pub delay: Duration,
    /// Closes the connection without a word.
    pub hang_up: bool,
    /// Sends the body in parts of so many bytes, and waits so long after each.
    pub pace: Option<(usize, Duration)>,
}

impl Reply {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let content_type = content_type.to_owned();
        Self {
            status,
            content_type,
            body: body.into(),
            headers: Vec::new(),
            delay: Duration::ZERO,
            hang_up: false,
            pace: None,
        }
    }

    /// A document: the verbs inside `<Response>`.
    pub fn twiml(verbs: &str) -> Self {
        let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>{verbs}</Response>\n");
        Self::new(200, "text/xml", text)
    }

    pub fn empty() -> Self {
        Self::new(204, "text/plain", "")
    }

    /// Sends so many bytes at a time, and waits after each part.
    pub fn paced(mut self, bytes: usize, pause: Duration) -> Self {
        self.pace = Some((bytes, pause));
        self
    }

    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

type Handler = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

#[derive(Default)]
struct Shared {
    log: Vec<Request>,
    pages: BTreeMap<String, Handler>,
}

/// The server; it stops with the process.
#[derive(Clone)]
pub struct Web {
    pub address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

impl Web {
    pub fn start(ip: IpAddr) -> Self {
        let listener = TcpListener::bind((ip, 9000)).expect("the web server's address is free");
        let web = Self { address: listener.local_addr().unwrap(), shared: Arc::default() };
        let server = web.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        web
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers `path` by asking `page`.
    pub fn on(&self, path: &str, page: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> &Self {
        self.shared.lock().unwrap().pages.insert(path.to_owned(), Arc::new(page));
        self
    }

    /// Answers `path` with always the same document.
    pub fn document(&self, path: &str, verbs: &str) -> &Self {
        let reply = Reply::twiml(verbs);
        self.on(path, move |_| reply.clone())
    }

    /// Serves a sound.
    pub fn sound(&self, path: &str, samples: &[i16]) -> &Self {
        let reply = Reply::new(200, "audio/wav", super::tone::wav(samples));
        self.on(path, move |_| reply.clone())
    }

    /// Everything asked so far, oldest first.
    pub fn log(&self) -> Vec<Request> {
        self.shared.lock().unwrap().log.clone()
    }

    /// What was asked of one path so far.
    pub fn asked(&self, path: &str) -> Vec<Request> {
        self.log().into_iter().filter(|request| request.path == path).collect()
    }

    /// The first request for `path`, waited for.
    pub fn wait(&self, path: &str, within: Duration) -> Request {
        self.wait_nth(path, 1, within)
    }

    /// The `nth` request for `path`, counted from 1, waited for.
    pub fn wait_nth(&self, path: &str, nth: usize, within: Duration) -> Request {
        super::wait_for(&format!("request {nth} for {path}"), within, || {
            self.asked(path).into_iter().nth(nth - 1)
        })
    }

    /// The first request for `path` that has `name`=`value`, waited for.
    pub fn wait_with(&self, path: &str, name: &str, value: &str, within: Duration) -> Request {
        super::wait_for(&format!("{path} with {name}={value}"), within, || {
            self.asked(path).into_iter().find(|request| request.get(name) == value)
        })
    }

    fn serve(&self, mut stream: TcpStream) {
        let _ = stream.set_read_timeout(Some(super::s(60)));
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(request) = read(&mut reader) {
            let page = {
                let mut shared = self.shared.lock().unwrap();
                shared.log.push(request.clone());
                shared.pages.get(&request.path).cloned()
            };
            let reply =
                page.map_or_else(|| Reply::new(404, "text/plain", "no such page"), |page| page(&request));
            std::thread::sleep(reply.delay);
            if reply.hang_up || write(&mut stream, &reply).is_err() {
                return;
            }
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (path, query) = (decode(path), pairs(query));
    let form = pairs(&String::from_utf8_lossy(&body));
    Some(Request { method, path, target, query, form, headers, at: Instant::now() })
}

fn write(stream: &mut TcpStream, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!(
        "HTTP/1.1 {} X\r\nContent-Type: {}\r\nContent-Length: {}\r\n",
        reply.status,
        reply.content_type,
        reply.body.len()
    );
    reply.headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    let Some((bytes, pause)) = reply.pace else { return stream.write_all(&reply.body) };
    for part in reply.body.chunks(bytes) {
        stream.write_all(part)?;
        std::thread::sleep(pause);
    }
    Ok(())
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(n, v)| (decode(n), decode(v)))
        .collect()
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'+' => out.push(b' '),
            b'%' => {
                let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
                out.push(hex.unwrap_or(b'?'));
                at += 2;
            }
            other => out.push(other),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}
