//! Requests as clients make them, answered by the router; the node is played by the test.

use std::collections::BTreeSet;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use base::{AccountSid, CallSid, Timestamp};
use base64::Engine as _;
use call::record::{CallRow, RecordingStatus, StoreItem};
use call::{Fate, NotPlaced, Operator, OperatorReply, RecordChange, RecordOrder};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower_service::Service as _;
use twiml::{CallStatus, Direction};

use crate::{Api, Order, Orders};

const ACCOUNT: AccountSid = AccountSid(7);

/// An API over an empty database, and where its commands come out.
pub(crate) async fn api(folder: &std::path::Path) -> (Api, mpsc::Receiver<Order>) {
    let store = store::Store::open("sqlite:", folder).await.unwrap();
    let (orders, taken) = Orders::channel();
    let office = office_book(store.clone()).await;
    let api = Api {
        account_sid: ACCOUNT,
        auth_token: "secret".into(),
        store,
        orders,
        office,
        key_seed: "seed".into(),
        validations: crate::Validations::default(),
        recordings: folder.into(),
        metrics: telemetry::metrics(),
        ready: crate::Ready::default(),
        balance: crate::Balance::default(),
        desktops: crate::Desktops::new(std::time::Duration::from_secs(30)),
        door: crate::Door::default(),
    };
    (api, taken)
}

/// A book whose offices a node takes at once, over a file with one phone, one number and an application.
async fn office_book(store: store::Store) -> crate::OfficeBook {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tandem.toml");
    std::fs::write(&file, FILE).unwrap();
    let config = config::load(&file, Some(folder.path())).unwrap();
    let opened = crate::OfficeBook::open(store, config.office, &config.caller_ids).await;
    let (book, mut offices) = opened.unwrap();
    tokio::spawn(async move {
        while let Some(new) = offices.recv().await {
            let _ = new.taken.send(());
        }
    });
    book
}

const FILE: &str = "[box]\naccount_sid='AC00000000000000000000000000000007'\nauth_token='secret'\n\
    [sip]\ncaller_ids=['+15550009999']\n\
    [[phone]]\nname='ann'\npassword='secret'\nextension='101'\n\
    [[number]]\nnumber='+15550001111'\nvoice_url='http://web.example/file'\n\
    [[application]]\nsid='AP00000000000000000000000000000001'\nvoice_twiml='<Response/>'\n";

/// A request under the account's path.
pub(crate) async fn send(api: &Api, method: &str, path: &str, body: &str, token: &str) -> Response {
    send_at(api, method, &format!("/2010-04-01/Accounts/{}/{path}", api.account_sid), body, token).await
}

/// A request anywhere.
async fn send_at(api: &Api, method: &str, path: &str, body: &str, token: &str) -> Response {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, basic(api, token))
        .body(Body::from(body.to_owned()))
        .unwrap();
    crate::router(api.clone()).call(request).await.unwrap()
}

/// The account's credentials with this token.
pub(crate) fn basic(api: &Api, token: &str) -> String {
    let pair = format!("{}:{token}", api.account_sid);
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

/// The names of an object's fields.
pub(crate) fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

/// Status and JSON of an answer to a request under the account's path.
pub(crate) async fn ask(api: &Api, method: &str, path: &str, body: &str) -> (u16, Value) {
    json_of(send(api, method, path, body, "secret").await).await
}

/// Status and JSON of an answer to a request anywhere.
pub(crate) async fn ask_at(api: &Api, method: &str, path: &str, body: &str, token: &str) -> (u16, Value) {
    json_of(send_at(api, method, path, body, token).await).await
}

/// Status and JSON of an answer to a request of somebody else than the account.
pub(crate) async fn ask_with(api: &Api, method: &str, path: &str, user: &str, secret: &str) -> (u16, Value) {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{secret}"));
    let request = Request::builder()
        .method(method)
        .uri(format!("/2010-04-01/Accounts/{}/{path}", api.account_sid))
        .header(header::AUTHORIZATION, format!("Basic {pair}"))
        .body(Body::empty())
        .unwrap();
    json_of(crate::router(api.clone()).call(request).await.unwrap()).await
}

async fn json_of(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), 1_000_000).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

/// What `field` says in each row of a list, page by page to its end; and back, where the same must stand.
pub(crate) async fn followed(api: &Api, path: &str, list: &str, field: &str) -> Vec<Value> {
    let prefix = format!("/2010-04-01/Accounts/{}/", api.account_sid);
    let mut pages = Vec::new();
    for link in ["next_page_uri", "previous_page_uri"] {
        let mut here = match pages.last() {
            None => path.to_owned(),
            Some((at, _)) => String::clone(at),
        };
        let mut found = Vec::new();
        loop {
            let (status, page) = ask(api, "GET", &here, "").await;
            assert_eq!(status, 200, "{here}: {page}");
            let rows: Vec<Value> =
                page[list].as_array().unwrap().iter().map(|row| row[field].clone()).collect();
            found.push((here, rows));
            let Some(uri) = page[link].as_str() else { break };
            here = uri.strip_prefix(&prefix).unwrap().to_owned();
        }
        if link == "previous_page_uri" {
            let back: Vec<_> = found.iter().rev().map(|(_, rows)| rows).collect();
            let there: Vec<_> = pages.iter().map(|(_, rows)| rows).collect();
            assert_eq!(back, there, "{path}: the way back is the way there");
        } else {
            pages = found;
        }
    }
    pages.into_iter().flat_map(|(_, rows)| rows).collect()
}

fn row(n: u128, status: CallStatus) -> CallRow {
    let at = Timestamp(1_282_266_822_000_000 + n as i64 * 1_000_000);
    let mut row =
        CallRow::new(CallSid(n), Direction::OutboundApi, "+15550001111", "+14155551212", status, at);
    row.start = Some(at);
    row
}

/// The node answers every command so; what it was asked is given back.
pub(crate) fn node(
    mut taken: mpsc::Receiver<Order>,
    reply: OperatorReply,
) -> tokio::task::JoinHandle<Vec<Operator>> {
    tokio::spawn(async move {
        let mut asked = Vec::new();
        while let Some(order) = taken.recv().await {
            asked.push(order.command);
            order.reply.send(reply.clone()).unwrap();
        }
        asked
    })
}

#[tokio::test]
async fn a_call_is_shown_with_every_published_field() {
    let folder = tempfile::tempdir().unwrap();
    let (api, _taken) = api(folder.path()).await;
    let number = Some("+15550001111".to_owned());
    api.store.write(StoreItem::Call(CallRow { number, ..row(1, CallStatus::InProgress) }));
    let path = format!("Calls/{}.json", CallSid(1));
    let (status, body) = ask(&api, "GET", &path, "").await;
    assert_eq!(status, 200);
    let numbers = ask(&api, "GET", "IncomingPhoneNumbers.json", "").await.1;
    assert_eq!(
        body["phone_number_sid"], numbers["incoming_phone_numbers"][0]["sid"],
        "of the number it is from"
    );
    let published: Value = serde_json::from_str(include_str!("../../../tests/data/rest/call.json")).unwrap();
    assert_eq!(keys(&body), keys(&published));
    assert_eq!(keys(&body["subresource_uris"]), keys(&published["subresource_uris"]));
    for (key, value) in [
        ("sid", json!(CallSid(1))),
        ("account_sid", json!(ACCOUNT)),
        ("status", json!("in-progress")),
        ("direction", json!("outbound-api")),
        ("to_formatted", json!("(415) 555-1212")),
        ("duration", Value::Null),
        ("queue_time", json!("0")),
        ("start_time", json!("Fri, 20 Aug 2010 01:13:43 +0000")),
        ("end_time", Value::Null),
        ("uri", json!(format!("/2010-04-01/Accounts/{ACCOUNT}/{path}"))),
    ] {
        assert_eq!(body[key], value, "{key}");
    }
}

#[tokio::test]
async fn who_may_see_what() {
    let folder = tempfile::tempdir().unwrap();
    let (api, _taken) = api(folder.path()).await;
    let answer = send(&api, "GET", "Calls.json", "", "guess").await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(answer.headers().contains_key(header::WWW_AUTHENTICATE));
    for (method, path, status, code) in [
        ("GET", "Calls/CA1.json", 404, 20404),
        ("GET", "Calls/CA00000000000000000000000000000009.json", 404, 20404),
        ("GET", "Nothing.json", 404, 20404),
        ("DELETE", "Calls.json", 405, 20004),
        ("GET", "Calls.json?PageSize=5000", 400, 20007),
        ("GET", "Calls.json?PageToken=PACA00000000000000000000000000000009", 400, 21481),
        ("GET", "Calls.json?Status=lost", 400, 20001),
    ] {
        let (told, body) = ask(&api, method, path, "").await;
        assert_eq!((told, &body["code"], &body["status"]), (status, &json!(code), &json!(status)), "{path}");
        assert_eq!(body["more_info"], format!("https://www.twilio.com/docs/errors/{code}"));
    }
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT}:secret"));
    let own = format!("/2010-04-01/Accounts/{ACCOUNT}/Calls.json");
    for (scheme, status) in [("basic", 200), ("BASIC", 200), ("Bearer", 401), ("Basic ", 200), ("", 401)] {
        let request = Request::builder().uri(&own).header(header::AUTHORIZATION, format!("{scheme} {basic}"));
        let answer = crate::router(api.clone()).call(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status, "{scheme}");
    }
    let other = format!("/2010-04-01/Accounts/{}/Calls.json", AccountSid(8));
    let request = Request::builder().uri(other).header(header::AUTHORIZATION, format!("Basic {basic}"));
    let answer = crate::router(api).call(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn lists_are_followed_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let (api, _taken) = api(folder.path()).await;
    for n in 1..=5 {
        let status = if n == 3 { CallStatus::Busy } else { CallStatus::Completed };
        api.store.write(StoreItem::Call(row(n, status)));
    }
    let seen = followed(&api, "Calls.json?PageSize=2&Status=completed", "calls", "sid").await;
    assert_eq!(seen, [5, 4, 2, 1].map(|n| json!(CallSid(n))), "newest first");
}

#[tokio::test]
async fn calls_are_filtered_by_each_of_their_traits() {
    let folder = tempfile::tempdir().unwrap();
    let (api, _taken) = api(folder.path()).await;
    let at = |text: &str| Timestamp::parse_iso8601(text).map(|(at, _)| at);
    for n in 1..=3 {
        api.store.write(StoreItem::Call(row(n, CallStatus::Completed)));
    }
    api.store.write(StoreItem::Call(CallRow {
        from: "client:ann".to_owned(),
        to: "client:bob".to_owned(),
        parent: Some(CallSid(1)),
        created: at("2026-03-04T09:59:59Z").unwrap(),
        start: at("2026-03-04T10:00:00Z"),
        end: at("2026-03-05T10:00:00Z"),
        ..row(4, CallStatus::Busy)
    }));
    let child = format!("ParentCallSid={}", CallSid(1));
    for (filter, sids) in [
        ("To=client:bob", &[4][..]),
        ("To=%2B14155551212", &[3, 2, 1]),
        ("From=client:ann", &[4]),
        ("From=%2B15550001111", &[3, 2, 1]),
        (&child, &[4]),
        ("Status=busy", &[4]),
        ("StartTime=2026-03-04", &[4]),
        ("StartTime%3C=2026-03-03", &[3, 2, 1]),
        ("StartTime%3E=2026-03-05", &[]),
        ("EndTime=2026-03-05", &[4]),
        ("EndTime%3E=2026-03-06", &[]),
        ("To=client:bob&Status=completed", &[]),
    ] {
        let (status, page) = ask(&api, "GET", &format!("Calls.json?{filter}"), "").await;
        let seen: Vec<&Value> = page["calls"].as_array().unwrap().iter().map(|call| &call["sid"]).collect();
        let expected: Vec<Value> = sids.iter().map(|n| json!(CallSid(*n))).collect();
        assert_eq!((status, seen), (200, expected.iter().collect()), "{filter}");
    }
}

#[tokio::test]
async fn a_call_is_made_and_stored_before_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let (api, taken) = api(folder.path()).await;
    let node = node(taken, OperatorReply::Call(Box::new(row(4, CallStatus::Queued))));
    let form = "To=%2B14155551212&From=%2B15550001111&Twiml=%3CResponse%2F%3E";
    let (status, body) = ask(&api, "POST", "Calls.json", form).await;
    assert_eq!((status, &body["status"], &body["sid"]), (201, &json!("queued"), &json!(CallSid(4))));
    drop(api);
    let asked = node.await.unwrap();
    assert!(matches!(&asked[..], [Operator::Originate(new)] if new.to == "+14155551212"), "{asked:?}");
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let call = "To=%2B14155551212&From=%2B15550001111&Twiml=%3CResponse/%3E";
    let recordings = format!("Calls/{}/Recordings.json", CallSid(4));
    let recording = super::recording_control::tests::row(RecordingStatus::InProgress);
    let stop = RecordOrder::Control { recording: Some(recording.sid), change: RecordChange::Stop };
    let queue = super::queues::tests::queue(2, 0);
    let no_queue = Operator::DeleteQueue(queue.sid);
    for (path, call, reply, undo) in [
        (
            "Calls.json",
            call,
            OperatorReply::Call(Box::new(row(4, CallStatus::Queued))),
            Operator::Hangup(CallSid(4)),
        ),
        (
            "Conferences/room/Participants.json",
            call,
            OperatorReply::Participant(Box::new(super::participants::tests::somebody(4))),
            Operator::Hangup(CallSid(4)),
        ),
        (
            &recordings,
            "",
            OperatorReply::Recording(Box::new(recording)),
            Operator::Recording { call: CallSid(4), order: Box::new(stop) },
        ),
        ("Queues.json", "FriendlyName=desk", OperatorReply::Queue(queue), no_queue),
    ] {
        // Known before: nobody is rung.
        let (mut api, taken) = api(folder.path()).await;
        let away = node(taken, reply.clone());
        api.store = store::Store::open("postgres://nobody@127.0.0.1:1/none", folder.path()).await.unwrap();
        api.store.write(StoreItem::Call(row(3, CallStatus::Completed)));
        let (status, body) = ask(&api, "POST", path, call).await;
        assert_eq!((status, &body["code"]), (503, &json!(20503)), "{path}");
        drop(api);
        assert_eq!(away.await.unwrap(), [], "{path}");

        // Found out by the call's own row: it is taken back.
        let (api, taken) = crate::v2010::tests::api(folder.path()).await;
        let lost = node(taken, reply);
        api.store.close().await;
        api.store.write(StoreItem::Call(row(4, CallStatus::Queued)));
        let (status, body) = ask(&api, "POST", path, call).await;
        assert_eq!((status, &body["code"]), (503, &json!(20503)), "{path}");
        drop(api);
        let asked = lost.await.unwrap();
        assert!(asked.len() == 2 && asked[1] == undo, "{path}: {asked:?}");
    }
}

#[tokio::test]
async fn what_is_on_record_is_listed_without_a_word_to_the_node() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody takes commands: whoever asked for one would wait.
    let (api, mut taken) = api(folder.path()).await;
    api.store.write(StoreItem::Call(row(1, CallStatus::InProgress)));
    let call = format!("Calls/{}", CallSid(1));
    for path in [
        "Calls.json",
        "Calls.json?Status=in-progress&To=%2B14155551212",
        "Calls.json?StartTime%3E=2010-08-20&EndTime%3C=2010-08-21",
        &format!("{call}.json"),
        &format!("{call}/Recordings.json"),
        &format!("{call}/Notifications.json"),
        &format!("{call}/Events.json"),
        "Conferences.json",
        "Recordings.json",
        "Transcriptions.json",
        "Notifications.json",
        "Applications.json",
        "IncomingPhoneNumbers.json",
        "OutgoingCallerIds.json",
        "SIP/Domains.json",
        "Keys.json",
        "Usage/Records.json",
        "Usage/Triggers.json",
    ] {
        let asked = async { ask(&api, "GET", path, "").await };
        let (status, body) =
            tokio::time::timeout(std::time::Duration::from_secs(10), asked).await.expect(path);
        assert_eq!(status, 200, "{path}: {body}");
    }
    assert!(taken.try_recv().is_err());
}

#[tokio::test]
async fn a_call_that_cannot_be_made_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (api, taken) = api(folder.path()).await;
    let why = NotPlaced { code: 21214, why: "leads nowhere".to_owned() };
    let _node = node(taken, OperatorReply::NotPlaced(why));
    let form = "To=nobody&From=%2B15550001111&Url=http://web.example/";
    assert_eq!(ask(&api, "POST", "Calls.json", form).await.1["code"], 21214);
    assert_eq!(ask(&api, "POST", "Calls.json", "").await.1["code"], 21201);
}

#[tokio::test]
async fn a_live_call_is_changed_and_an_ended_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (mut api, taken) = api(folder.path()).await;
    let live = node(taken, OperatorReply::Call(Box::new(row(1, CallStatus::InProgress))));
    let path = format!("Calls/{}.json", CallSid(1));
    let (status, body) = ask(&api, "POST", &path, "Status=completed").await;
    assert_eq!((status, &body["sid"]), (200, &json!(CallSid(1))));
    let (orders, taken) = Orders::channel();
    api.orders = orders;
    let asked = live.await.unwrap();
    let ended = |command: &Operator| matches!(command, Operator::UpdateCall { update, .. } if update.fate == Some(Fate::Complete));
    assert!(asked.len() == 1 && ended(&asked[0]), "{asked:?}");
    let _ended = node(taken, OperatorReply::NoSuchCall(CallSid(1)));
    assert_eq!(ask(&api, "POST", &path, "Status=completed").await.1["code"], 20404);
    api.store.write(StoreItem::Call(row(1, CallStatus::Completed)));
    let (status, body) = ask(&api, "POST", &path, "Url=http://web.example/x").await;
    assert_eq!((status, &body["code"]), (400, &json!(21220)));
}

/// A request as it stands, under the account's path; status, headers and JSON of the answer.
async fn raw(
    api: &Api,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> (Response, Value) {
    let uri = format!("/2010-04-01/Accounts/{}/{path}", api.account_sid);
    let mut request =
        Request::builder().method(method).uri(uri).header(header::AUTHORIZATION, basic(api, "secret"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = crate::router(api.clone()).call(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, 1_000_000).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    (Response::from_parts(parts, Body::empty()), body)
}

#[tokio::test]
async fn what_is_on_record_of_an_ended_call_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let (api, taken) = api(folder.path()).await;
    let node = node(taken, OperatorReply::Done);
    api.store.write(StoreItem::Call(row(1, CallStatus::InProgress)));
    api.store.write(StoreItem::Call(row(2, CallStatus::Completed)));
    let one = |n| format!("Calls/{}.json", CallSid(n));
    for (n, status, code) in [(1, 409, 20009), (3, 404, 20404)] {
        let (told, body) = ask(&api, "DELETE", &one(n), "").await;
        assert_eq!((told, &body["code"]), (status, &json!(code)));
    }
    let answer = send(&api, "DELETE", &one(2), "", "secret").await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert!(to_bytes(answer.into_body(), 10).await.unwrap().is_empty());
    assert!(api.store.call(CallSid(2)).await.unwrap().is_some(), "the node has it deleted");
    drop(api);
    assert_eq!(node.await.unwrap(), [Operator::ForgetCall(CallSid(2))]);
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_the_published_form() {
    let folder = tempfile::tempdir().unwrap();
    let (api, _taken) = api(folder.path()).await;
    let json = [("content-type", "application/json")];
    let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    for (method, path, headers, body, status, code) in [
        ("GET", "Calls.xml", &[][..], &b""[..], 406, 20406),
        ("GET", "Calls.csv", &[], b"", 406, 20406),
        ("GET", "Calls/%zz.json", &[], b"", 400, 20001),
        ("GET", "Calls/%ff.json", &[], b"", 400, 20001),
        ("GET", "Calls.json?To=%zz", &[], b"", 400, 20001),
        ("GET", "Calls.json?To=%C3%28", &[], b"", 400, 20001),
        ("GET", "Calls.json?To=%00", &[], b"", 400, 20001),
        ("POST", "Calls.json", &json, b"{}", 415, 20415),
        ("POST", "Calls.json", &json, b"", 400, 21201),
        ("POST", "Calls.json", &form, b"To=%4", 400, 20001),
        ("POST", "Calls.json", &form, b"To=\xff", 400, 20001),
        ("POST", "Calls.json", &form, b"From=1", 400, 21201),
        ("POST", "Calls.json", &form, b"To=1&To=&From=1", 400, 21201),
        ("PUT", "Calls.json", &form, b"To=1", 405, 20004),
        ("PATCH", "Calls/CA1.json", &[], b"", 405, 20004),
        ("OPTIONS", "Recordings.json", &[], b"", 405, 20004),
        ("GET", "Calls//", &[], b"", 404, 20404),
        ("GET", "", &[], b"", 404, 20404),
        ("GET", "../..", &[], b"", 404, 20404),
    ] {
        let (answer, told) = raw(&api, method, path, headers, body.to_vec()).await;
        assert_eq!(
            (answer.status().as_u16(), &told["code"]),
            (status, &json!(code)),
            "{method} {path}: {told}"
        );
        assert_eq!(told["status"], status);
        assert_eq!(told["more_info"], format!("https://www.twilio.com/docs/errors/{code}"));
        assert!(told["message"].as_str().is_some_and(|text| !text.is_empty()), "{path}");
        assert_eq!(keys(&told).len(), 4, "{path}");
        assert!(answer.headers()["twilio-request-id"].to_str().unwrap().starts_with("RQ"), "{path}");
        assert_eq!(answer.headers().contains_key(header::ALLOW), status == 405, "{method} {path}");
    }
    let (answer, told) = raw(&api, "POST", "Calls.json", &form, vec![b'a'; 300_000]).await;
    assert_eq!((answer.status().as_u16(), &told["code"]), (413, &json!(20413)));
}

#[tokio::test]
async fn who_asks_too_much_is_refused_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (mut api, _taken) = api(folder.path()).await;
    api.door.limits = crate::Limits::new(0, 1);
    assert_eq!(ask(&api, "GET", "Calls.json", "").await.0, 200);
    let running = api.door.limits.enter(&ACCOUNT.to_string()).unwrap();
    let (answer, told) = raw(&api, "GET", "Calls.json", &[], Vec::new()).await;
    assert_eq!((answer.status().as_u16(), &told["code"]), (429, &json!(20429)));
    assert!(answer.headers().contains_key(header::RETRY_AFTER));
    // Who has no right secret is told so, and takes nothing from who has.
    assert_eq!(send(&api, "GET", "Calls.json", "", "guess").await.status(), StatusCode::UNAUTHORIZED);
    drop(running);
    assert_eq!(ask(&api, "GET", "Calls.json", "").await.0, 200);
}

#[tokio::test]
async fn a_box_that_takes_no_calls_says_when_to_ask_again() {
    let folder = tempfile::tempdir().unwrap();
    let (api, taken) = api(folder.path()).await;
    let why = NotPlaced { code: 20503, why: "the box takes no new calls".to_owned() };
    let node = node(taken, OperatorReply::NotPlaced(why));
    let call = b"To=101&From=1&Url=http://web.example/".to_vec();
    let (answer, told) = raw(&api, "POST", "Calls.json", &[], call.clone()).await;
    assert_eq!((answer.status().as_u16(), &told["code"]), (503, &json!(20503)));
    assert!(answer.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(ask(&api, "GET", "Calls.json", "").await.0, 200, "what is over can be read");
    node.abort();
    let _ = node.await;
    let (answer, told) = raw(&api, "POST", "Calls.json", &[], call).await;
    assert_eq!((answer.status().as_u16(), &told["code"]), (503, &json!(20503)), "nor one that is stopping");
}
