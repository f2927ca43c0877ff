//! An application at the other end of media streams: a real WebSocket server that keeps what it hears and says what the
//! test says.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message, accept_hdr};

use super::tone;

/// What it says to sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Nothing.
    Listens,
    /// The same sound.
    Echoes,
}

#[derive(Default)]
struct State {
    /// What came, and when.
    heard: Vec<(Instant, Value)>,
    /// Headers of the handshakes, names in lower case, and what was asked for.
    handshakes: Vec<(String, BTreeMap<String, String>)>,
    /// Still to be said.
    to_say: Vec<Value>,
    /// It is to say goodbye.
    close: bool,
    /// With which code the box closed.
    closed: Option<u16>,
}

/// The server; it stops with the process. One stream at a time is spoken to.
#[derive(Clone)]
pub struct App {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl App {
    pub fn start(ip: IpAddr, manner: Manner) -> Self {
        let listener = TcpListener::bind((ip, 9100)).expect("the application's address is free");
        let app = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let server = app.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream, manner));
            }
        });
        app
    }

    pub fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// Everything heard so far.
    pub fn heard(&self) -> Vec<(Instant, Value)> {
        self.state.lock().unwrap().heard.clone()
    }

    /// The `nth` message of a kind, counted from 1, waited for.
    pub fn wait(&self, event: &str, nth: usize, within: Duration) -> (Instant, Value) {
        super::wait_for(&format!("message {nth} {event}"), within, || {
            self.heard().into_iter().filter(|(_, message)| message["event"] == event).nth(nth - 1)
        })
    }

    /// What a track sounded like since `since`.
    pub fn sound(&self, track: &str, since: Instant) -> Vec<i16> {
        let heard = self.heard();
        let media = heard.iter().filter(|(at, message)| *at >= since && message["media"]["track"] == track);
        media
            .flat_map(|(_, message)| BASE64.decode(message["media"]["payload"].as_str().unwrap()).unwrap())
            .map(tone::ulaw_decode)
            .collect()
    }

    /// The stream's sid.
    pub fn sid(&self) -> String {
        stream_of(&self.wait("start", 1, super::s(10)).1).to_owned()
    }

    pub fn handshakes(&self) -> Vec<(String, BTreeMap<String, String>)> {
        self.state.lock().unwrap().handshakes.clone()
    }

    /// The code the box closed with, waited for.
    pub fn closed(&self, within: Duration) -> u16 {
        super::wait_for("the end of the stream", within, || self.state.lock().unwrap().closed)
    }

    /// Says sound, in messages of an odd size.
    pub fn say(&self, samples: &[i16]) -> &Self {
        let sid = self.sid();
        let sound: Vec<u8> = samples.iter().map(|&sample| tone::ulaw_encode(sample)).collect();
        let media = |part: &[u8]| media(&sid, &BASE64.encode(part));
        self.state.lock().unwrap().to_say.extend(sound.chunks(1_111).map(media));
        self
    }

    pub fn mark(&self, name: &str) -> &Self {
        let message = json!({"event": "mark", "streamSid": self.sid(), "mark": {"name": name}});
        self.state.lock().unwrap().to_say.push(message);
        self
    }

    pub fn clear(&self) -> &Self {
        let message = json!({"event": "clear", "streamSid": self.sid()});
        self.state.lock().unwrap().to_say.push(message);
        self
    }

    /// Says goodbye.
    pub fn close(&self) {
        self.state.lock().unwrap().close = true;
    }

    #[expect(clippy::result_large_err, reason = "so is the callback of the handshake")]
    fn serve(&self, stream: TcpStream, manner: Manner) {
        let note = |request: &Request, answer: Response| {
            let header = |(name, value): (&_, &tokio_tungstenite::tungstenite::http::HeaderValue)| {
                let name: &tokio_tungstenite::tungstenite::http::HeaderName = name;
                (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned())
            };
            let headers = request.headers().iter().map(header).collect();
            self.state.lock().unwrap().handshakes.push((request.uri().to_string(), headers));
            Ok(answer)
        };
        let _ = stream.set_nodelay(true);
        let Ok(mut socket) = accept_hdr(stream, note) else { return };
        let _ = socket.get_ref().set_read_timeout(Some(Duration::from_millis(5)));
        loop {
            let (to_say, close) = {
                let mut state = self.state.lock().unwrap();
                (std::mem::take(&mut state.to_say), std::mem::take(&mut state.close))
            };
            for message in to_say {
                let _ = socket.send(Message::text(message.to_string()));
            }
            if close {
                let _ = socket.close(Some(CloseFrame { code: 1000.into(), reason: "".into() }));
            }
            match socket.read() {
                Ok(Message::Text(text)) => {
                    let message: Value = serde_json::from_str(&text).expect("the box says JSON");
                    if manner == Manner::Echoes && message["event"] == "media" {
                        let payload = message["media"]["payload"].as_str().unwrap();
                        let answer = media(stream_of(&message), payload);
                        let _ = socket.send(Message::text(answer.to_string()));
                    }
                    self.state.lock().unwrap().heard.push((Instant::now(), message));
                }
                Ok(Message::Close(frame)) => {
                    self.state.lock().unwrap().closed = Some(frame.map_or(1005, |frame| frame.code.into()));
                }
                Ok(_) => {}
                Err(Error::Io(error))
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) => {}
                Err(_) => return,
            }
        }
    }
}

fn media(sid: &str, payload: &str) -> Value {
    json!({"event": "media", "streamSid": sid, "media": {"payload": payload}})
}

/// Whose a message is, in either dialect.
fn stream_of(message: &Value) -> &str {
    message
        .get("streamSid")
        .or(message.get("stream_id"))
        .and_then(Value::as_str)
        .expect("it says whose it is")
}
