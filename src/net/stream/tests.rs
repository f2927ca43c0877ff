//! Streams against real WebSocket servers on loopback, well-behaved and otherwise.

use std::time::Duration;

use base::{AccountSid, CallSid, StreamSid};
use futures_util::{SinkExt, StreamExt};
use media::tap::TapRing;
use media::{CodecKind, TapId};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};
use twiml::StreamTrack;

use super::*;
use crate::webhook::SharedKey;

const TOKEN: &str = "token";
const SID: StreamSid = StreamSid(3);
const PATIENCE: Duration = Duration::from_secs(10);

/// The box's side: streams, the media plane's ends of their rings, what they told.
struct Box_ {
    streams: Streams,
    taps: Taps,
    events: mpsc::Receiver<Input>,
}

fn start(trust: Trust) -> Box_ {
    start_with_ping(trust, PING)
}

fn start_with_ping(trust: Trust, ping: Duration) -> Box_ {
    start_with(trust, ping, None)
}

fn start_with(trust: Trust, ping: Duration, shared_key: Option<SharedKey>) -> Box_ {
    let (events_end, events) = mpsc::channel(100);
    let taps = Taps::default();
    let config = StreamsConfig {
        signer: Signer { auth_token: TOKEN.into(), shared_key },
        user_agent: "Tandem/test".into(),
        trust,
        destinations: Destinations::default(),
    };
    let streams = Streams::with_ping(config, Resolver::system(), taps.clone(), events_end, ping);
    Box_ { streams, taps, events }
}

impl Box_ {
    fn open(&self, url: &str, track: StreamTrack, both_ways: bool) {
        self.open_in(url, track, both_ways, None);
    }

    fn open_in(&self, url: &str, track: StreamTrack, both_ways: bool, texml: Option<twiml::TexmlStream>) {
        self.streams.open(StreamOpen {
            stream: SID,
            call: CallSid(1),
            account: AccountSid(2),
            url: url.into(),
            track,
            parameters: vec![("a".into(), "1".into())],
            tap: TapId(1),
            feed: both_ways.then_some(TapId(2)),
            texml,
            from: "+15550001111".into(),
            to: "101".into(),
        });
    }

    async fn event(&mut self) -> StreamEvent {
        let input = tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("an event in time");
        match input {
            Some(Input::Stream { stream: SID, event }) => event,
            other => panic!("{other:?}"),
        }
    }

    async fn fails(&mut self) -> u32 {
        match self.event().await {
            StreamEvent::Failed { code, .. } => code,
            other => panic!("{other:?}"),
        }
    }

    fn ring(&self) -> Arc<TapRing> {
        self.taps.ring(TapId(1))
    }
}

/// A server that has been asked for a WebSocket.
struct App {
    socket: WebSocketStream<TcpStream>,
    request: Request,
}

async fn listen(path: &str) -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://127.0.0.1:{}{path}", listener.local_addr().unwrap().port());
    (listener, url)
}

#[expect(clippy::result_large_err, reason = "so is the callback of the handshake")]
async fn accept(listener: &TcpListener) -> App {
    let (tcp, _) = listener.accept().await.unwrap();
    let mut request = None;
    let keep = |asked: &Request, answer: Response| {
        request = Some(asked.clone());
        Ok(answer)
    };
    let socket = accept_hdr_async(tcp, keep).await.unwrap();
    App { socket, request: request.unwrap() }
}

impl App {
    async fn next(&mut self) -> Value {
        loop {
            let message =
                tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a message in time");
            match message.expect("the box goes on").unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next message of a kind.
    async fn next_of(&mut self, event: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["event"] == event {
                return message;
            }
        }
    }

    async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    fn header(&self, name: &str) -> &str {
        self.request.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }
}

#[tokio::test]
async fn the_key_that_signs_webhooks_signs_the_handshake() {
    let key = SharedKey { id: "desk".to_owned(), key: "hush".into(), sha256: true };
    let box_ = start_with(Trust::System, PING, Some(key));
    let (listener, url) = listen("/media").await;
    box_.open(&url, StreamTrack::BothTracks, false);
    let app = accept(&listener).await;
    assert_eq!(app.header("x-twilio-signature"), twiml::signature_sha256("hush", &url, &[]));
    assert_eq!(app.header("x-twilio-webhooks-signature-settings"), "key=desk,algorithm=HMAC_SHA256");
}

#[tokio::test]
async fn a_silent_stream_shows_that_it_lives() {
    assert_eq!(PING, Duration::from_secs(20));
    let every = Duration::from_millis(60);
    let mut box_ = start_with_ping(Trust::System, every);
    let (listener, url) = listen("/").await;
    box_.open(&url, StreamTrack::InboundTrack, false);
    let mut app = accept(&listener).await;
    assert_eq!(box_.event().await, StreamEvent::Started);
    let began = std::time::Instant::now();
    let mut pings = 0;
    while pings < 5 {
        match app.socket.next().await.expect("the box goes on").unwrap() {
            Message::Ping(_) => pings += 1,
            Message::Text(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(began.elapsed() > every * 4, "{:?}", began.elapsed());
    // Its answers are no messages of the application's: nothing was warned of.
    assert!(box_.events.try_recv().is_err());
}

#[tokio::test]
async fn an_application_hears_both_tracks_from_the_first_message_to_the_last() {
    let mut box_ = start(Trust::System);
    let (listener, url) = listen("/media?x=1").await;
    box_.open(&url, StreamTrack::BothTracks, false);
    let mut app = accept(&listener).await;
    assert_eq!(app.header("x-twilio-signature"), twiml::signature(TOKEN, &url, &[]));
    assert_eq!((app.header("user-agent"), app.header("sec-websocket-extensions")), ("Tandem/test", ""));
    assert_eq!(app.request.uri().to_string(), "/media?x=1");
    assert_eq!(app.next().await, json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}));
    let begin = app.next().await;
    assert_eq!((&begin["event"], &begin["sequenceNumber"]), (&json!("start"), &json!("1")));
    assert_eq!(begin["start"]["customParameters"], json!({"a": "1"}));
    assert_eq!(box_.event().await, StreamEvent::Started);
    let ring = box_.ring();
    for n in 0..3 {
        ring.put(n * 160, 2, &[8_000, -8_000].repeat(160));
    }
    for n in 0..6u64 {
        let message = app.next().await;
        let (track, sample) = [("inbound", 8_000), ("outbound", -8_000)][n as usize % 2];
        let media = &message["media"];
        assert_eq!(message["sequenceNumber"], json!((n + 2).to_string()));
        assert_eq!((&media["track"], &media["chunk"]), (&json!(track), &json!((n / 2 + 1).to_string())));
        assert_eq!(media["timestamp"], json!((n / 2 * 20).to_string()));
        use base64::Engine as _;
        let sound =
            base64::engine::general_purpose::STANDARD.decode(media["payload"].as_str().unwrap()).unwrap();
        assert_eq!(sound, [CodecKind::Pcmu.encode(sample); 160]);
    }
    // It has no say; it is told so once.
    for _ in 0..2 {
        app.say(json!({"event": "clear", "streamSid": SID.to_string()})).await;
    }
    assert!(matches!(box_.event().await, StreamEvent::Warning { code: 31951, .. }));
    box_.streams.ask(SID, StreamAsk::Close);
    let last = app.next().await;
    assert_eq!((&last["event"], &last["sequenceNumber"]), (&json!("stop"), &json!("8")));
    let end = app.socket.next().await.unwrap().unwrap();
    assert!(matches!(end, Message::Close(Some(frame)) if u16::from(frame.code) == 1000));
    drop(app);
    assert!(box_.events.try_recv().is_err(), "who closes a stream hears no more of it");
}

#[tokio::test]
async fn what_an_application_says_is_played_and_its_marks_come_back() {
    let mut box_ = start(Trust::System);
    let (listener, url) = listen("/").await;
    box_.open(&url, StreamTrack::InboundTrack, true);
    let mut app = accept(&listener).await;
    assert_eq!(box_.event().await, StreamEvent::Started);
    let feed = box_.taps.feed_ring(TapId(2));
    let sid = SID.to_string();
    let media = |len: usize| {
        use base64::Engine as _;
        let payload =
            base64::engine::general_purpose::STANDARD.encode(vec![CodecKind::Pcmu.encode(900); len]);
        json!({"event": "media", "streamSid": sid, "media": {"payload": payload}})
    };
    let mark = |name: &str| json!({"event": "mark", "streamSid": sid, "mark": {"name": name}});
    app.say(mark("nothing before it")).await;
    assert_eq!(app.next_of("mark").await["mark"]["name"], "nothing before it");
    app.say(media(333)).await;
    app.say(media(147)).await;
    app.say(mark("said")).await;
    let mut heard = Vec::new();
    for _ in 0..1_000 {
        let mut frame = [0; 160];
        if feed.written() - feed.played() >= 160 {
            feed.fill(&mut frame);
            heard.extend(frame);
        }
        if heard.len() >= 480 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(heard, vec![CodecKind::Pcmu.decode(CodecKind::Pcmu.encode(900)); 480]);
    assert_eq!(app.next_of("mark").await["mark"]["name"], "said");
    // Nobody plays now: only a clear brings the mark back, and at once.
    app.say(media(40_000)).await;
    app.say(mark("never said")).await;
    let asked = std::time::Instant::now();
    app.say(json!({"event": "clear", "streamSid": sid})).await;
    assert_eq!(app.next_of("mark").await["mark"]["name"], "never said");
    assert!(asked.elapsed() < Duration::from_millis(100), "{:?}", asked.elapsed());
    box_.streams.ask(SID, StreamAsk::Key('#'));
    assert_eq!(app.next_of("dtmf").await["dtmf"], json!({"track": "inbound_track", "digit": "#"}));
    // What does not conform is told once each, and the stream goes on.
    for _ in 0..2 {
        app.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
        app.socket.send(Message::text("{\"event\":\"dance\"}")).await.unwrap();
    }
    for code in [31950, 31951] {
        assert!(matches!(box_.event().await, StreamEvent::Warning { code: told, .. } if told == code));
    }
    for _ in 0..11 {
        app.say(media(8_000 * 60)).await;
    }
    assert!(matches!(box_.event().await, StreamEvent::Warning { code: 31931, .. }));
    app.say(json!({"event": "clear", "streamSid": sid})).await;
    app.say(mark("still there")).await;
    // A leg that plays notes what it left out in its next turn.
    let playing = async {
        loop {
            feed.fill(&mut [0; 160]);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let told = tokio::select! {
        told = app.next_of("mark") => told,
        () = playing => unreachable!(),
    };
    assert_eq!(told["mark"]["name"], "still there");
    app.socket.close(None).await.unwrap();
    assert_eq!(box_.event().await, StreamEvent::Stopped);
}

#[tokio::test]
async fn what_cannot_be_connected_has_its_number() {
    let mut box_ = start(Trust::System);
    let closed = listen("/").await.1;
    for (url, code) in [
        (closed.as_str(), 31902),
        ("ws://nowhere.invalid/", 31904),
        ("ws://169.254.169.254/", 31904),
        ("http://127.0.0.1/", 31922),
        ("not a url", 31923),
    ] {
        box_.open(url, StreamTrack::InboundTrack, false);
        assert_eq!(box_.fails().await, code, "{url}");
    }
    assert_eq!(box_.streams.running(), 0);
}

#[tokio::test]
async fn servers_that_break_off_have_their_numbers() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut box_ = start(Trust::System);
    let (listener, url) = listen("/").await;
    for (answer, code) in
        [("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 31920), ("SSH-2.0-x\r\n\r\n", 31920), ("", 31920)]
    {
        box_.open(&url, StreamTrack::InboundTrack, false);
        let (mut tcp, _) = listener.accept().await.unwrap();
        let _ = tcp.read(&mut [0; 2_048]).await;
        tcp.write_all(answer.as_bytes()).await.unwrap();
        drop(tcp);
        let told = box_.fails().await;
        assert!(told == code || (answer.is_empty() && told == 31903), "{answer:?}: {told}");
    }
    // Over TLS with somebody who does not speak it.
    box_.open(&url.replace("ws:", "wss:"), StreamTrack::InboundTrack, false);
    let (mut tcp, _) = listener.accept().await.unwrap();
    tcp.write_all(b"HTTP/1.1 400 No\r\n\r\n").await.unwrap();
    assert_eq!(box_.fails().await, 31910);
    // Gone without a goodbye; and with a bad one.
    for close in [None, Some(1011)] {
        box_.open(&url, StreamTrack::InboundTrack, false);
        let mut app = accept(&listener).await;
        assert_eq!(box_.event().await, StreamEvent::Started);
        if let Some(code) = close {
            let frame =
                tokio_tungstenite::tungstenite::protocol::CloseFrame { code: code.into(), reason: "".into() };
            app.socket.send(Message::Close(Some(frame))).await.unwrap();
        }
        drop(app);
        assert_eq!(box_.fails().await, 31921, "{close:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let mut box_ = start(Trust::System);
    let (listener, url) = listen("/").await;
    let begun = std::time::Instant::now();
    box_.open(&url, StreamTrack::InboundTrack, false);
    let _kept = listener.accept().await.unwrap();
    assert_eq!(box_.fails().await, 31901);
    assert!(begun.elapsed() < Duration::from_secs(7));
    // One that is closed before that says nothing.
    box_.open(&url, StreamTrack::InboundTrack, false);
    let _kept = listener.accept().await.unwrap();
    box_.streams.ask(SID, StreamAsk::Close);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(box_.events.try_recv().is_err());
}

#[tokio::test]
async fn a_server_that_never_reads_holds_nothing_up() {
    let mut box_ = start(Trust::System);
    let (listener, url) = listen("/").await;
    box_.open(&url, StreamTrack::BothTracks, true);
    let _app = accept(&listener).await;
    assert_eq!(box_.event().await, StreamEvent::Started);
    let ring = box_.ring();
    let mut at = 0;
    let warning = loop {
        // A second of sound every few milliseconds fills what the system keeps for the connection.
        for _ in 0..50 {
            ring.put(at, 2, &[1_000; 320]);
            at += 160;
        }
        tokio::time::sleep(Duration::from_millis(12)).await;
        if let Ok(input) = box_.events.try_recv() {
            break input;
        }
        assert!(at < 160 * 50 * 2_000, "it took everything");
    };
    assert!(matches!(warning, Input::Stream { event: StreamEvent::Warning { code: 31930, .. }, .. }));
    for _ in 0..100 {
        box_.streams.ask(SID, StreamAsk::Key('1'));
    }
    box_.streams.ask(SID, StreamAsk::Close);
    assert_eq!(box_.streams.running(), 0);
    let end = std::time::Instant::now() + Duration::from_secs(4);
    while Arc::strong_count(&box_.streams.inner) > 1 {
        assert!(std::time::Instant::now() < end, "its task ends");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_stream_over_tls_believes_whom_it_is_told_to() {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let pem = key.cert.pem();
    let der = key.cert.der().clone();
    let secret = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![der], secret)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (listener, url) = listen("/s").await;
    let url = url.replace("ws://127.0.0.1", "wss://localhost");
    for (trust, is_believed) in [
        (Trust::Only(pem.clone().into_bytes()), true),
        (Trust::SystemAnd(pem.into_bytes()), true),
        (Trust::Anyone, true),
        (Trust::Only(Vec::new()), false),
    ] {
        let mut box_ = start(trust);
        box_.open(&url, StreamTrack::InboundTrack, false);
        let (tcp, _) = listener.accept().await.unwrap();
        let Ok(tls) = acceptor.accept(tcp).await else {
            assert!(!is_believed);
            assert_eq!(box_.fails().await, 31910);
            continue;
        };
        let mut socket = tokio_tungstenite::accept_async(tls).await.unwrap();
        assert!(is_believed);
        assert!(socket.next().await.unwrap().unwrap().to_text().unwrap().contains("connected"));
        assert_eq!(box_.event().await, StreamEvent::Started);
    }
}

/// What breaks is made again where the dialect wants it; a goodbye is the end, and so is a server that is gone.
#[tokio::test]
async fn a_connection_that_breaks_is_made_again() {
    let mut box_ = start(Trust::System);
    let (listener, url) = listen("/").await;
    let texml = twiml::TexmlStream { mp3: false, ..twiml::TexmlStream::default() };
    box_.open_in(&url, StreamTrack::InboundTrack, true, Some(texml));
    let mut app = accept(&listener).await;
    assert_eq!(box_.event().await, StreamEvent::Started);
    app.next_of("start").await;
    drop(app);
    assert!(matches!(box_.event().await, StreamEvent::Warning { code: 31903 | 31921, .. }));
    // A key waits for the next connection.
    box_.streams.ask(SID, StreamAsk::Key('7'));
    let mut app = accept(&listener).await;
    assert_eq!(app.next().await["event"], "connected");
    assert_eq!(app.next().await["stream_id"], SID.to_string());
    assert_eq!(app.next_of("dtmf").await["dtmf"]["digit"], "7");
    let ring = box_.ring();
    ring.put(0, 1, &[8_000; 160]);
    assert_eq!(app.next_of("media").await["media"]["chunk"], "1");
    app.say(json!({"event": "mark", "mark": {"name": "still there"}})).await;
    assert_eq!(app.next_of("mark").await["mark"]["name"], "still there");
    app.socket.close(None).await.unwrap();
    assert_eq!(box_.event().await, StreamEvent::Stopped, "a goodbye is no break");

    let never = twiml::TexmlStream { reconnects: false, ..texml };
    box_.open_in(&url, StreamTrack::InboundTrack, true, Some(never));
    let mut app = accept(&listener).await;
    assert_eq!(box_.event().await, StreamEvent::Started);
    app.next_of("start").await;
    drop(app);
    assert!(matches!(box_.fails().await, 31903 | 31921));

    box_.open_in(&url, StreamTrack::InboundTrack, true, Some(texml));
    let mut app = accept(&listener).await;
    assert_eq!(box_.event().await, StreamEvent::Started);
    app.next_of("start").await;
    drop(listener);
    drop(app);
    assert!(matches!(box_.event().await, StreamEvent::Warning { code: 31903 | 31921, .. }));
    assert!(matches!(box_.fails().await, 31903 | 31921), "nobody is there any more");
}

/// Whole files, one a second, and what is no file is told in the dialect's own message.
#[tokio::test]
async fn files_are_played_and_what_is_none_is_told() {
    use base64::Engine as _;
    let mut box_ = start(Trust::System);
    let (listener, url) = listen("/").await;
    box_.open_in(&url, StreamTrack::InboundTrack, true, Some(twiml::TexmlStream::default()));
    let mut app = accept(&listener).await;
    assert_eq!(box_.event().await, StreamEvent::Started);
    let feed = box_.taps.feed_ring(TapId(2));
    let media = |file: &[u8]| {
        let payload = base64::engine::general_purpose::STANDARD.encode(file);
        json!({"event": "media", "media": {"payload": payload}})
    };
    let file = include_bytes!("../../../tests/data/audio/mp3-24k.mp3");
    app.say(media(file)).await;
    app.say(json!({"event": "mark", "mark": {"name": "said"}})).await;
    app.say(media(file)).await;
    let told = app.next_of("error").await;
    assert_eq!((&told["payload"]["code"], &told["stream_id"]), (&json!(100_005), &json!(SID.to_string())));
    let playing = async {
        loop {
            feed.fill(&mut [0; 160]);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let mark = tokio::select! {
        mark = app.next_of("mark") => mark,
        () = playing => unreachable!(),
    };
    assert_eq!(mark["mark"]["name"], "said");
    assert!(feed.written() > 2_000, "{} samples of one file", feed.written());
    app.socket.send(Message::text("{\"event\":\"dance\"}")).await.unwrap();
    assert_eq!(app.next_of("error").await["payload"]["code"], 100_003);
    app.socket.close(None).await.unwrap();
}
