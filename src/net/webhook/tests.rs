//! The client against a server that behaves well, badly, or not at all; each test in well under two seconds.

mod tls;

use std::io::Write as _;
use std::time::{Duration, Instant};

use base64::Engine as _;
use call::FetchKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::Receiver;

use super::server::{Reply, Seen, Server, answer, redirect, xml};
use super::*;

const TOKEN: &str = "12345";
const CALL: CallSid = CallSid(7);

type Told = (FetchId, Result<Fetched, FetchFailure>);

fn client() -> (Webhooks, Receiver<Told>) {
    client_with(WebhookConfig::default())
}

fn client_with(config: WebhookConfig) -> (Webhooks, Receiver<Told>) {
    let (told, heard) = mpsc::channel(16);
    let config = WebhookConfig { signer: Signer { auth_token: TOKEN.into(), shared_key: None }, ..config };
    (Webhooks::new(config, Rng::seeded(1), told).unwrap(), heard)
}

fn get(url: impl Into<String>) -> FetchRequest {
    FetchRequest { method: HttpMethod::Get, params: Vec::new(), ..post(url) }
}

fn post(url: impl Into<String>) -> FetchRequest {
    FetchRequest {
        id: FetchId(1),
        call: CALL,
        kind: FetchKind::Document,
        dialect: twiml::Dialect::Twiml,
        url: url.into(),
        method: HttpMethod::Post,
        params: params(&[("To", "+1 555"), ("CallSid", "CA1"), ("Digits", "")]),
    }
}

fn params(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn fetch(request: FetchRequest) -> Result<Fetched, FetchFailure> {
    client().0.fetch(request).await.1
}

async fn code(url: impl Into<String>) -> u32 {
    match fetch(post(url)).await {
        Ok(fetched) => panic!("answered {fetched:?}"),
        Err(failure) => failure.code,
    }
}

/// Whether the signature is that of the URL as the server saw it, with the body's parameters.
fn is_signed(server: &Server, seen: &Seen) -> bool {
    let url = format!("{}{}", server.url, seen.path);
    seen.header("x-twilio-signature") == twiml::signature(TOKEN, &url, &seen.form())
}

#[tokio::test]
async fn a_post_carries_parameters_signature_and_token() {
    let server = Server::start(|_, _| xml("<Response/>")).await;
    let url = format!("{}/voice?x=%41b", server.url);
    let fetched = fetch(post(format!("{url}#rc=0"))).await.unwrap();
    let content_type = Some("text/xml".to_owned());
    assert_eq!(
        fetched,
        Fetched {
            status: 200,
            content_type,
            body: b"<Response/>".to_vec(),
            url,
            headers: fetched.headers.clone()
        }
    );
    let seen = &server.seen()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/voice?x=%41b"));
    assert_eq!(seen.body, "CallSid=CA1&Digits=&To=%2B1+555");
    assert_eq!(seen.header("content-type"), "application/x-www-form-urlencoded; charset=UTF-8");
    assert_eq!(seen.header("content-length"), seen.body.len().to_string());
    assert_eq!((seen.header("accept"), seen.header("user-agent")), ("*/*", WebhookConfig::USER_AGENT));
    assert_eq!(seen.header("i-twilio-idempotency-token").len(), 36);
    assert!(is_signed(&server, seen), "{seen:?}");
}

#[tokio::test]
async fn a_get_carries_them_in_its_query_and_signs_that() {
    let server = Server::start(|_, _| xml("<Response/>")).await;
    let url = format!("{}/voice?x=%41b", server.url);
    let request = FetchRequest { params: params(&[("To", "+1"), ("From", "b")]), ..get(&url) };
    let fetched = fetch(request).await.unwrap();
    assert_eq!(fetched.url, url, "the base of relative references has no parameters of ours");
    let seen = &server.seen()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/voice?x=%41b&From=b&To=%2B1"));
    assert_eq!(seen.body, "");
    assert!(is_signed(&server, seen), "{seen:?}");
}

#[tokio::test]
async fn a_user_in_the_url_becomes_basic_authentication() {
    let server = Server::start(|_, _| xml("<Response/>")).await;
    let url = format!("{}/v", server.url).replace("//", "//ann:p%40ss@");
    let fetched = fetch(post(&url)).await.unwrap();
    assert_eq!(fetched.url, url);
    let seen = &server.seen()[0];
    let basic = base64::engine::general_purpose::STANDARD.encode("ann:p@ss");
    assert_eq!(seen.header("authorization"), format!("Basic {basic}"));
    assert!(is_signed(&server, seen), "signed without the user");
}

#[tokio::test]
async fn a_server_that_challenges_gets_a_digest_instead() {
    const CHALLENGE: &str = "WWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Digest realm=\"office\", \
                             nonce=\"n1\", qop=\"auth\", algorithm=SHA-256\r\nConnection: close\r\n";
    let server = Server::start(|_, seen| {
        let user = seen.header("authorization");
        if user.starts_with("Digest username=\"ann\"") && !user.contains("response=\"\"") {
            xml("<Response/>")
        } else {
            Reply::Raw(answer(401, CHALLENGE, "who is it?"))
        }
    })
    .await;
    let url = format!("{}/v?x=1", server.url).replace("//", "//ann:secret@");
    let fetched = fetch(post(&url)).await.unwrap();
    assert_eq!((fetched.status, fetched.url.as_str()), (200, url.as_str()));
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen[0].header("authorization").starts_with("Basic "));
    let told = seen[1].header("authorization");
    assert!(
        told.contains("uri=\"/v?x=1\"") && told.contains("algorithm=SHA-256, qop=auth, nc=00000001"),
        "{told}"
    );
    assert!(!told.contains("secret"));
    assert_eq!(seen[0].body, seen[1].body);
    assert_eq!(seen[0].header("i-twilio-idempotency-token"), seen[1].header("i-twilio-idempotency-token"));
    assert!(is_signed(&server, &seen[1]), "{told}");

    // One that is not content with it is believed, and one that knows nobody is not asked twice.
    for (user, times) in [("bob:secret@", 2), ("", 1)] {
        let before = server.seen().len();
        let url = format!("{}/v", server.url).replace("//", &format!("//{user}"));
        assert_eq!(fetch(post(&url)).await.unwrap().status, 401);
        assert_eq!(server.seen().len() - before, times, "{user}");
    }
}

#[tokio::test]
async fn error_statuses_and_odd_types_are_answers() {
    for (status, kind, body) in
        [(500, "text/html", "<h1>oops"), (404, "text/plain", ""), (200, "image/png", "x")]
    {
        let head = format!("Content-Type: {kind}\r\nConnection: close\r\n");
        let server = Server::start(move |_, _| Reply::Raw(answer(status, &head, body))).await;
        let fetched = fetch(post(&server.url)).await.unwrap();
        assert_eq!((fetched.status, fetched.content_type.as_deref()), (status, Some(kind)));
        assert_eq!(fetched.body, body.as_bytes());
        assert_eq!(server.seen().len(), 1, "a status is not tried again unless asked for");
    }
}

#[tokio::test]
async fn each_failure_has_its_code() {
    let hangs = Server::start(|_, _| Reply::Hang(Vec::new())).await;
    let begins = Server::start(|_, _| Reply::Hang(b"HTTP/1.1 200 OK\r\n\r\n<Resp".to_vec())).await;
    let garbage = Server::start(|_, _| Reply::Raw(b"220 mail.example ESMTP\r\n".to_vec())).await;
    let silent = Server::start(|_, _| Reply::Raw(Vec::new())).await;
    let short =
        Server::start(|_, _| Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<R".to_vec())).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refuses_tls = hangs.url.replace("http", "https");
    for (url, expected) in [
        ("voice.xml".to_owned(), 11100),
        ("gopher://h/".to_owned(), 11100),
        (format!("{}#rt=100", hangs.url), 11200),
        (format!("{}#tt=100", hangs.url), 11203),
        (format!("{}#tt=200", begins.url), 11203),
        (format!("http://{closed}/"), 11202),
        ("http://nowhere.invalid/".to_owned(), 11210),
        ("http://169.254.169.254/latest".to_owned(), 11205),
        (garbage.url.clone(), 11206),
        (silent.url.clone(), 11206),
        (short.url.clone(), 11206),
        (format!("{refuses_tls}#ct=300&rc=0"), 11201),
    ] {
        let began = Instant::now();
        assert_eq!(code(&url).await, expected, "{url}");
        assert!(began.elapsed() < Duration::from_secs(2), "{url} took {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn the_answer_may_take_its_time_once_connected() {
    // The limit on connecting does not count what comes after.
    let late =
        || Reply::Late(Duration::from_millis(300), answer(200, "Connection: close\r\n", "<Response/>"));
    let server = Server::start(move |_, _| late()).await;
    assert_eq!(fetch(post(format!("{}#ct=100&rt=1000", server.url))).await.unwrap().status, 200);
    assert_eq!(code(format!("{}#ct=1000&rt=100", server.url)).await, 11200);
}

#[tokio::test]
async fn retries_follow_the_policy_and_repeat_the_same_request() {
    let fails_twice = |n: usize, _: &Seen| match n {
        0 | 1 => Reply::Raw(answer(503, "Connection: close\r\n", "")),
        _ => xml("<Response/>"),
    };
    for (fragment, status, requests) in
        [("", 503, 1), ("#rc=1&rp=5xx", 503, 2), ("#rc=3&rp=5xx", 200, 3), ("#rc=3&rp=4xx,rt", 503, 1)]
    {
        let server = Server::start(fails_twice).await;
        let fetched = fetch(post(format!("{}/v{fragment}", server.url))).await.unwrap();
        let seen = server.seen();
        assert_eq!((fetched.status, seen.len()), (status, requests), "{fragment}");
        let same = |name: &str| seen.iter().all(|s| s.header(name) == seen[0].header(name));
        assert!(same("i-twilio-idempotency-token") && same("x-twilio-signature"));
        assert!(seen.iter().all(|s| s.body == seen[0].body));
    }
    let hangs_once = |n: usize, _: &Seen| if n == 0 { Reply::Hang(Vec::new()) } else { xml("<Response/>") };
    let server = Server::start(hangs_once).await;
    let url = format!("{}#rt=150&rp=rt", server.url);
    assert_eq!(fetch(post(url)).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_failed_connection_is_tried_once_more_by_default() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (client, _) = client();
    let began = Instant::now();
    let refused = client.fetch(get(format!("http://{address}/#rc=5&ct=100"))).await.1.unwrap_err();
    assert_eq!(refused.code, 11202);
    assert!(began.elapsed() < Duration::from_secs(1));
    // A connection kept from an earlier request, closed by the server as the next one arrives, is no failure.
    let closes = |n: usize, _: &Seen| match n {
        1 => Reply::Raw(Vec::new()),
        _ => Reply::Stay(answer(200, "Content-Type: text/xml\r\n", "<Response/>")),
    };
    let server = Server::start(closes).await;
    for n in 0..2 {
        assert_eq!(client.fetch(post(&server.url)).await.1.unwrap().status, 200, "{n}");
    }
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn redirects_are_followed_as_published() {
    for (status, method, body) in [
        (301, "GET", ""),
        (302, "GET", ""),
        (303, "GET", ""),
        (307, "POST", "CallSid=CA1&Digits=&To=%2B1+555"),
        (308, "POST", "CallSid=CA1&Digits=&To=%2B1+555"),
    ] {
        let moves = move |_: usize, seen: &Seen| match seen.path.as_str() {
            "/a/b" => redirect(status, "../c?x=1#frag"),
            _ => xml("<Response/>"),
        };
        let server = Server::start(moves).await;
        let fetched = fetch(post(format!("{}/a/b", server.url))).await.unwrap();
        assert_eq!(fetched.url, format!("{}/c?x=1", server.url));
        let seen = &server.seen()[1];
        assert_eq!((seen.method.as_str(), seen.path.as_str(), seen.body.as_str()), (method, "/c?x=1", body));
        assert!(is_signed(&server, seen), "{status} signs where it leads");
        assert_eq!(
            seen.header("i-twilio-idempotency-token"),
            server.seen()[0].header("i-twilio-idempotency-token")
        );
    }
}

#[tokio::test]
async fn redirects_end_after_ten_and_never_lead_into_the_machine() {
    let ten = Server::start(|n, _| if n < 10 { redirect(302, "/again") } else { xml("<Response/>") }).await;
    assert_eq!(fetch(post(&ten.url)).await.unwrap().status, 200);
    let endless = Server::start(|_, _| redirect(302, "/again")).await;
    assert_eq!(code(&endless.url).await, 11215);
    assert_eq!(endless.seen().len(), 11);
    for (to, expected) in [("file:///etc/passwd", 11100), ("http://169.254.169.254/", 11205)] {
        let server = Server::start(move |_, _| redirect(302, to)).await;
        assert_eq!(code(&server.url).await, expected, "{to}");
    }
    let nowhere = Server::start(|_, _| Reply::Raw(answer(302, "Connection: close\r\n", ""))).await;
    assert_eq!(fetch(post(&nowhere.url)).await.unwrap().status, 302);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_11750_however_it_comes() {
    let sized = |length: usize| {
        move |_: usize, _: &Seen| Reply::Raw(answer(200, "Content-Type: text/xml\r\n", &"x".repeat(length)))
    };
    let fits = Server::start(sized(DOCUMENT_BYTES_MAX)).await;
    assert_eq!(fetch(post(&fits.url)).await.unwrap().body.len(), DOCUMENT_BYTES_MAX);
    let large = Server::start(sized(DOCUMENT_BYTES_MAX + 1)).await;
    assert_eq!(code(&large.url).await, 11750);
    let endless = Server::start(|_, _| {
        let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000)).repeat(20);
        Reply::Hang(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}").into_bytes())
    })
    .await;
    assert_eq!(code(&endless.url).await, 11750);
    let bomb = Server::start(|_, _| {
        let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n";
        Reply::Raw([head.as_bytes(), &gzip(&[0; 1_000_000])].concat())
    })
    .await;
    assert_eq!(code(&bomb.url).await, 11750);
    let audio = Server::start(|_, _| {
        Reply::Raw(answer(200, "Content-Type: Audio/MPEG\r\n", &"x".repeat(2 * DOCUMENT_BYTES_MAX)))
    })
    .await;
    let fetched = fetch(post(&audio.url)).await.unwrap();
    assert_eq!((fetched.status, fetched.body.len()), (200, 2 * DOCUMENT_BYTES_MAX), "it is the answer");
    let asked = FetchRequest { method: HttpMethod::Get, ..post(&audio.url) };
    assert_eq!(fetch(asked).await.unwrap().body.len(), DOCUMENT_BYTES_MAX + 1, "it is asked for again");
    let long = Server::start(|_, _| {
        let body = "x".repeat(base::limits::AUDIO_ANSWER_BYTES_MAX + 1);
        Reply::Raw(answer(200, "Content-Type: audio/mpeg\r\n", &body))
    })
    .await;
    assert_eq!(
        fetch(post(&long.url)).await.unwrap().body.len(),
        DOCUMENT_BYTES_MAX + 1,
        "too long to be kept"
    );
}

#[tokio::test]
async fn chunked_and_compressed_answers_are_whole() {
    let chunked = Server::start(|_, _| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        Reply::Raw(format!("{head}5\r\n<Resp\r\n6\r\nonse/>\r\n0\r\n\r\n").into_bytes())
    })
    .await;
    assert_eq!(fetch(post(&chunked.url)).await.unwrap().body, b"<Response/>");
    let gzip = Server::start(|_, seen| {
        assert!(seen.header("accept-encoding").contains("gzip"));
        let body = gzip(b"<Response/>");
        let head = format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", body.len());
        Reply::Raw([format!("HTTP/1.1 200 OK\r\n{head}\r\n").as_bytes(), &body].concat())
    })
    .await;
    assert_eq!(fetch(post(&gzip.url)).await.unwrap().body, b"<Response/>");
}

#[tokio::test]
async fn cookies_belong_to_a_call() {
    let server = Server::start(|n, _| {
        let cookie = format!("Set-Cookie: session={n}; Path=/\r\nConnection: close\r\n");
        Reply::Raw(answer(200, &cookie, "<Response/>"))
    })
    .await;
    let (client, _) = client();
    let other = FetchRequest { call: CallSid(8), ..get(&server.url) };
    for request in [get(&server.url), get(&server.url), other] {
        client.fetch(request).await.1.unwrap();
    }
    client.call_ended(CALL);
    client.fetch(get(&server.url)).await.1.unwrap();
    let cookies: Vec<String> = server.seen().iter().map(|seen| seen.header("cookie").to_owned()).collect();
    assert_eq!(cookies, ["", "session=0", "", ""]);
}

#[tokio::test]
async fn a_document_that_did_not_change_is_not_sent_again() {
    let server = Server::start(|n, seen| {
        let tag = "ETag: \"v1\"\r\n";
        Reply::Raw(match seen.header("if-none-match") {
            "\"v1\"" => answer(304, tag, ""),
            _ if n == 0 => answer(200, &format!("Content-Type: text/xml\r\n{tag}"), "<Response/>"),
            _ => answer(500, "", ""),
        })
    })
    .await;
    let (client, _) = client();
    let get = |path: &str| get(format!("{}{path}", server.url));
    for _ in 0..3 {
        let answer = client.fetch(get("/a")).await.1.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"<Response/>"[..]));
    }
    assert_eq!(client.fetch(get("/b")).await.1.unwrap().status, 500);
    assert_eq!(
        client.fetch(post(format!("{}/a", server.url))).await.1.unwrap().status,
        500,
        "a POST is never kept"
    );
    assert_eq!(server.seen().len(), 5);
}

#[tokio::test]
async fn the_other_dialect_is_signed_by_its_own_key_too() {
    let server = Server::start(|_, _| xml("<Response/>")).await;
    let (client, _) = client();
    let request = FetchRequest { dialect: twiml::Dialect::Texml, ..post(&server.url) };
    client.fetch(request).await.1.unwrap();
    client.fetch(post(&server.url)).await.1.unwrap();
    let seen = server.seen();
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let key = decode(&client.public_key());
    let signed = format!("{}|{}", seen[0].header("telnyx-timestamp"), seen[0].body);
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key);
    key.verify(signed.as_bytes(), &decode(seen[0].header("telnyx-signature-ed25519"))).unwrap();
    assert!(is_signed(&server, &seen[0]), "and by Twilio's");
    assert_eq!(seen[1].header("telnyx-signature-ed25519"), "");
}

#[tokio::test]
async fn a_stored_document_of_the_other_dialect_is_a_template() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.xml"), "<Response><Say>{{To}} {{Digits}}</Say></Response>").unwrap();
    std::fs::write(folder.path().join("bad.xml"), "<Response>{{</Response>").unwrap();
    let config = WebhookConfig { documents_root: Some(folder.path().into()), ..WebhookConfig::default() };
    let (client, _) = client_with(config);
    let texml = |url: &str| FetchRequest { dialect: twiml::Dialect::Texml, ..post(url) };
    let filled = client.fetch(texml("file:t.xml")).await.1.unwrap().body;
    assert_eq!(filled, b"<Response><Say>+1 555 </Say></Response>");
    assert_eq!(client.fetch(texml("file:bad.xml")).await.1.unwrap_err().code, 11320);
    let plain = client.fetch(post("file:t.xml")).await.1.unwrap().body;
    assert!(plain.starts_with(b"<Response><Say>{{To}}"), "a document of Twilio's is taken as it is");
}

#[tokio::test]
async fn documents_may_be_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("welcome.xml"), "<Response/>").unwrap();
    let config = WebhookConfig { documents_root: Some(folder.path().into()), ..WebhookConfig::default() };
    let (client, _) = client_with(config);
    let fetched = client.fetch(post("file:welcome.xml")).await.1.unwrap();
    assert_eq!((fetched.status, fetched.content_type.as_deref()), (200, Some("text/xml")));
    let relative = url::Url::parse(&fetched.url).unwrap().join("menu.xml").unwrap();
    std::fs::write(folder.path().join("menu.xml"), "<Response/>").unwrap();
    assert_eq!(client.fetch(post(relative)).await.1.unwrap().body, b"<Response/>");
    assert_eq!(client.fetch(post("file:missing.xml")).await.1.unwrap_err().code, 11200);
    assert_eq!(fetch(post("file:welcome.xml")).await.unwrap_err().code, 11100);
}

fn callback(url: &str, call: u128, id: u64) -> FetchRequest {
    let kind = FetchKind::StatusCallback;
    FetchRequest {
        id: FetchId(id),
        call: CallSid(call),
        kind,
        params: params(&[("n", &id.to_string())]),
        ..post(url)
    }
}

#[tokio::test]
async fn callbacks_of_a_call_arrive_in_order_and_others_do_not_wait() {
    let slow = Server::start(|_, _| Reply::Late(Duration::from_millis(60), answer(204, "", ""))).await;
    let quick = Server::start(|_, _| Reply::Raw(answer(204, "", ""))).await;
    let (client, mut told) = client();
    for id in 0..5 {
        client.post_status(callback(&slow.url, 1, id));
        client.post_status(callback(&quick.url, 2, id));
    }
    let began = Instant::now();
    while quick.seen().len() < 5 {
        assert!(began.elapsed() < Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(slow.seen().len() < 5, "a slow receiver holds up nobody else");
    while slow.seen().len() < 5 {
        assert!(began.elapsed() < Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for server in [&slow, &quick] {
        let order: Vec<String> = server.seen().iter().map(|seen| seen.body.clone()).collect();
        assert_eq!(order, ["n=0", "n=1", "n=2", "n=3", "n=4"]);
        assert!(server.seen().iter().all(|seen| is_signed(server, seen)));
    }
    for _ in 0..10 {
        let (_, result) = tokio::time::timeout(Duration::from_secs(1), told.recv()).await.unwrap().unwrap();
        assert_eq!(result.unwrap().status, 204);
    }
    assert!(told.try_recv().is_err(), "each is told once");
}

#[tokio::test]
async fn a_failed_callback_is_warned_about_once_and_the_next_is_sent() {
    let server = Server::start(|n, _| {
        let long = format!("no room: {}", "x".repeat(100_000));
        Reply::Raw(if n == 0 { answer(500, "X-Why: full\r\n", &long) } else { answer(200, "", "") })
    })
    .await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (client, mut heard) = client();
    client.post_status(callback(&server.url, 1, 1));
    client.post_status(callback(&format!("http://{closed}/"), 1, 2));
    client.post_status(callback("nonsense", 1, 3));
    client.post_status(callback(&server.url, 1, 4));
    for (id, told) in [(1, "500"), (2, "11202"), (3, "11100")] {
        let (failed, result) =
            tokio::time::timeout(Duration::from_secs(1), heard.recv()).await.unwrap().unwrap();
        let failure = result.unwrap_err();
        assert_eq!((failed, failure.code), (FetchId(id), 15003));
        assert!(failure.message.contains(told), "{}", failure.message);
        let exchange = failure.exchange.expect("what was asked is kept");
        let (status, body) = if id == 1 { (Some(500), 64 * 1024) } else { (None, 0) };
        assert_eq!((exchange.status, exchange.response_body.len()), (status, body), "{id}");
        assert_eq!(exchange.response_body.starts_with("no room: "), id == 1);
        assert_eq!(exchange.response_headers.contains("x-why=full"), id == 1);
    }
    while server.seen().len() < 2 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let (id, result) = tokio::time::timeout(Duration::from_secs(1), heard.recv()).await.unwrap().unwrap();
    assert_eq!((id, result.unwrap().status), (FetchId(4), 200));
}

#[tokio::test]
async fn a_dropped_fetch_is_aborted() {
    let server = Server::start(|_, _| Reply::Hang(Vec::new())).await;
    let (client, _) = client();
    let fetch = client.fetch(post(&server.url));
    assert!(tokio::time::timeout(Duration::from_millis(100), fetch).await.is_err());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_reload_changes_the_next_request() {
    let server = Server::start(|_, _| xml("<Response/>")).await;
    let (client, _) = client();
    client.fetch(get(&server.url)).await.1.unwrap();
    let config = WebhookConfig {
        signer: Signer { auth_token: "other".into(), shared_key: None },
        user_agent: "Desk/1".to_owned(),
        ..WebhookConfig::default()
    };
    client.configure(config).unwrap();
    client.fetch(get(&server.url)).await.1.unwrap();
    let seen = server.seen();
    assert_ne!(seen[0].header("x-twilio-signature"), seen[1].header("x-twilio-signature"));
    assert_eq!(seen[1].header("user-agent"), "Desk/1");
}

fn media(server: &Server, bytes_max: usize) -> MediaRequest {
    MediaRequest {
        url: server.url.clone(),
        etag: None,
        last_modified: None,
        bytes_max,
        stall_max: Duration::from_millis(500),
    }
}

#[tokio::test]
async fn media_that_is_long_in_coming_comes_in_pieces() {
    // Fourteen bytes of a body of a hundred come, and after a while three more.
    let head = |length| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    let server = Server::start(move |n, _| match n {
        0 => Reply::Hang(format!("{}0123456789abcdefghi", head(100)).into_bytes()),
        1 => Reply::Raw([head(200_000).into_bytes(), vec![7; 200_000]].concat()),
        _ => Reply::Raw([head(200_000).into_bytes(), vec![7; 100_000]].concat()),
    })
    .await;
    let (client, _) = client();
    let answer = client.get_media(media(&server, 1_000)).await.unwrap();
    assert_eq!(answer.body, b"0123456789abcdefghi");
    let mut rest = answer.rest.unwrap();
    assert!(rest.has_length());
    let stalled = rest.chunk().await.unwrap_err();
    assert_eq!((stalled.code, stalled.message.as_str()), (11200, "nothing more came for 0.5 s"));

    let MediaAnswer { mut body, rest, .. } = client.get_media(media(&server, 200_000)).await.unwrap();
    assert!((64 * 1024..200_000).contains(&body.len()), "{}", body.len());
    rest.unwrap().all(&mut body).await.unwrap();
    assert!(body.len() == 200_000 && body.iter().all(|&byte| byte == 7));

    let mut rest = client.get_media(media(&server, 200_000)).await.unwrap().rest.unwrap();
    while rest.chunk().await.is_ok_and(|chunk| !chunk.expect("it breaks off before its end").is_empty()) {}
    let too_long = match client.get_media(media(&server, 80_000)).await {
        Ok(answer) => answer.rest.unwrap().all(&mut Vec::new()).await.unwrap_err(),
        Err(failure) => failure,
    };
    assert_eq!(too_long.code, 11750);
}

#[tokio::test]
async fn media_is_asked_for_again_by_its_validators() {
    let server = Server::start(|_, seen| match seen.header("if-none-match") {
        "\"v1\"" => Reply::Raw(answer(304, "Connection: close\r\n", "")),
        _ => Reply::Raw(answer(
            200,
            "Content-Type: audio/wav\r\nETag: \"v1\"\r\nCache-Control: max-age=5\r\n",
            "RIFF",
        )),
    })
    .await;
    let (client, _) = client();
    let ask = |etag| MediaRequest { etag, ..media(&server, 4) };
    let first = client.get_media(ask(None)).await.unwrap();
    assert_eq!((first.status, first.body.as_slice()), (200, &b"RIFF"[..]));
    assert_eq!(first.cache_control.as_deref(), Some("max-age=5"));
    let again = client.get_media(ask(first.etag)).await.unwrap();
    assert_eq!((again.status, again.body.len()), (304, 0));
    let seen = &server.seen()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/"));
    assert!(is_signed(&server, seen));
    let small = MediaRequest { bytes_max: 3, ..ask(None) };
    assert_eq!(client.get_media(small).await.unwrap_err().code, 11750);
    // A server without tags goes by the time.
    let time = "Sun, 06 Nov 1994 08:49:37 GMT".to_owned();
    client.get_media(MediaRequest { last_modified: Some(time.clone()), ..ask(None) }).await.unwrap();
    assert_eq!(server.seen().last().unwrap().header("if-modified-since"), time);
}

#[tokio::test]
async fn certificates_are_judged() {
    let good = tls::certificate("localhost", 1);
    let named = tls::certificate("elsewhere.example", 1);
    let expired = tls::certificate("localhost", -1);
    let trusted = [&good, &named, &expired].map(|made| made.authority.as_str()).concat();
    for (made, trust, expected) in [
        (&good, Trust::Only(trusted.clone().into()), Ok(200)),
        (&good, Trust::SystemAnd(trusted.clone().into()), Ok(200)),
        (&good, Trust::Anyone, Ok(200)),
        (&expired, Trust::Anyone, Ok(200)),
        (&good, Trust::Only(named.authority.clone().into()), Err(11237)),
        (&named, Trust::Only(trusted.clone().into()), Err(11235)),
        (&expired, Trust::Only(trusted.clone().into()), Err(11236)),
    ] {
        let server = Server::start_tls(made.acceptor.clone(), |_, _| xml("<Response/>")).await;
        let (client, _) = client_with(WebhookConfig { trust, ..WebhookConfig::default() });
        let result = client.fetch(post(&server.url)).await.1;
        assert_eq!(result.map(|fetched| fetched.status).map_err(|failure| failure.code), expected);
    }
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", plain.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = stream.read(&mut [0; 1_000]).await;
            let _ = stream.write_all(&answer(400, "", "")).await;
        }
    });
    assert_eq!(code(url).await, 11220);
}

#[test]
fn a_system_without_authorities_still_speaks_http() {
    // In a process of its own: the environment is everybody's.
    let test = "webhook::tests::a_post_carries_parameters_signature_and_token";
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env("SSL_CERT_FILE", "/dev/null")
        .env("SSL_CERT_DIR", "/nonexistent")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
