//! A desktop against a node that runs, over a real socket.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::StreamExt;
use ring::hmac;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};
use tower_service::Service as _;

use super::{Desktops, now_s};
use crate::taskrouter_v1::tests::{Desk, sid};

/// An office with Ann, Bob and a queue of everybody, and the key tokens are signed with.
pub(super) struct Office {
    pub(super) desk: Desk,
    ws: String,
    pub(super) ann: String,
    pub(super) bob: String,
    pub(super) available: String,
    key: (String, String),
}

impl Office {
    pub(super) async fn open() -> Self {
        let desk = Desk::open().await;
        let ws = sid(&desk.make("", &[("FriendlyName", "Office"), ("Template", "FIFO")]).await);
        let ann = sid(&desk.make(&format!("/{ws}/Workers"), &[("FriendlyName", "Ann")]).await);
        let bob = sid(&desk.make(&format!("/{ws}/Workers"), &[("FriendlyName", "Bob")]).await);
        let activities = desk.ask("GET", &format!("/{ws}/Activities"), "").await;
        let activities = activities["activities"].as_array().unwrap();
        let available = sid(activities.iter().find(|one| one["available"] == true).unwrap());
        let account = desk.api.account_sid;
        let key = desk.ask_at("POST", &format!("/2010-04-01/Accounts/{account}/Keys.json"), "").await;
        let key = (sid(&key), key["secret"].as_str().unwrap().to_owned());
        Self { desk, ws, ann, bob, available, key }
    }

    fn token(&self, worker: &str, role: &str) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = json!({ "alg": "HS256", "typ": "JWT", "cty": "twilio-fpa;v=1" });
        let grant = json!({ "workspace_sid": self.ws, "worker_sid": worker, "role": role });
        let payload = json!({ "iss": self.key.0, "sub": self.desk.api.account_sid, "exp": now_s() + 3_600,
            "grants": { "identity": "x", "task_router": grant } });
        let signed = format!("{}.{}", encode(&head), encode(&payload));
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.key.1.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()).as_ref()))
    }

    /// What a desktop with this token asks of a place in the workspace.
    async fn try_ask(&self, token: &str, method: &str, place: &str, params: Value) -> (u16, Value) {
        let url = format!("Workspaces/{}/{place}", self.ws);
        let body = json!({ "url": url, "method": method, "params": params, "token": token });
        let request = Request::post("/v1/wschannels")
            .header(header::HOST, "box.example")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = crate::router(self.desk.api.clone()).call(request).await.unwrap();
        assert_eq!(answer.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 1_000_000).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    pub(super) async fn asks(&self, worker: &str, method: &str, place: &str, params: Value) -> Value {
        let (status, body) = self.try_ask(&self.token(worker, "worker"), method, place, params).await;
        assert_eq!(status, 200, "{method} {place}: {body}");
        body["payload"].clone()
    }

    async fn socket(&self, port: u16, worker: &str, more: &str) -> Socket {
        let token = self.token(worker, "worker");
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let url = format!("ws://127.0.0.1:{port}/v1/wschannels?token={token}&clientVersion=2.1.1{more}");
        let (socket, answer) = client_async(url, stream).await.unwrap();
        assert_eq!(answer.status().as_u16(), 101);
        let mut socket = Socket(socket);
        let init = socket.hears("init").await;
        assert_eq!((&init["channel_id"], &init["workspace_sid"]), (&json!(worker), &json!(self.ws)));
        assert!(init["token_lifetime"].as_u64().unwrap() > 3_500_000, "{init}");
        socket
    }

    async fn serve(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(crate::serve(listener, crate::router(self.desk.api.clone())));
        port
    }

    async fn activity(&self, worker: &str) -> Value {
        self.desk.ask("GET", &format!("/{}/Workers/{worker}", self.ws), "").await["activity_name"].clone()
    }
}

struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    async fn next(&mut self) -> Option<Value> {
        loop {
            match timeout(Duration::from_secs(5), self.0.next()).await.expect("something is told") {
                Some(Ok(Message::Text(text))) if text.trim().is_empty() => {}
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                _ => return None,
            }
        }
    }

    async fn hears(&mut self, kind: &str) -> Value {
        let told = self.next().await.expect("the socket is open");
        assert_eq!(told["event_type"], kind, "{told}");
        told["payload"].clone()
    }
}

#[tokio::test]
async fn a_desktop_hears_of_its_worker_and_does_its_work() {
    let office = Office::open().await;
    let port = office.serve().await;
    let (mut ann, mut bob) =
        (office.socket(port, &office.ann, "").await, office.socket(port, &office.bob, "").await);
    let me = format!("Workers/{}", office.ann);
    let first = office.asks(&office.ann, "GET", &me, json!({})).await;
    assert_eq!(first["activity_name"], "Offline");
    let first = first["version"].as_u64().unwrap();
    let activities = office.asks(&office.ann, "GET", "Activities", json!({ "PageSize": 2 })).await;
    let after = activities["after_sid"].as_str().unwrap();
    let rest = office.asks(&office.ann, "GET", "Activities", json!({ "AfterSid": after })).await;
    let names = |page: &Value| page["contents"].as_array().unwrap().len();
    assert_eq!((names(&activities), names(&rest), &rest["after_sid"]), (2, 1, &Value::Null));
    let channels = office.asks(&office.ann, "GET", &format!("{me}/WorkerChannels"), json!({})).await;
    assert_eq!(channels["contents"].as_array().unwrap().len(), 5);

    let tasks = format!("/{}/Tasks", office.ws);
    let task = sid(&office.desk.make(&tasks, &[("Attributes", "{\"from\":\"+1555\"}")]).await);
    let on = json!({ "ActivitySid": office.available });
    let on = office.asks(&office.ann, "POST", &me, on).await;
    assert_eq!((&on["available"], on["date_status_changed"].is_u64()), (&json!(true), true));
    let there = ann.hears("worker.activity.update").await;
    assert_eq!((&there["activity_name"], &there["version"]), (&json!("Available"), &json!(first + 1)));
    let offer = ann.hears("reservation.created").await;
    assert_eq!((&offer["reservation_status"], &offer["task"]["sid"]), (&json!("pending"), &json!(task)));
    assert_eq!((&offer["reservation_timeout"], offer["version"].is_u64()), (&json!(120), true));
    // An offer counts, which the client does by itself; so does what the worker can do at once.
    let version = office.asks(&office.ann, "GET", &me, json!({})).await["version"].as_u64();
    assert_eq!(version, Some(first + 2));
    let chat = format!("/{}/Workers/{}/Channels/chat", office.ws, office.ann);
    office.desk.ask("POST", &chat, "Capacity=2&Available=false").await;
    ann.hears("worker.capacity.update").await;
    ann.hears("worker.channel.availability.update").await;
    let version = office.asks(&office.ann, "GET", &me, json!({})).await["version"].as_u64();
    assert_eq!(version, Some(first + 4));
    let mine =
        office.asks(&office.ann, "GET", &format!("{me}/Reservations"), json!({ "Active": "true" })).await;
    assert_eq!(mine["contents"][0]["sid"], offer["sid"]);
    let reservation = format!("{me}/Reservations/{}", sid(&offer));
    let becomes = |status: &str| json!({ "ReservationStatus": status });
    let accepted = office.asks(&office.ann, "POST", &reservation, becomes("accepted")).await;
    assert_eq!(accepted["reservation_status"], "accepted");
    assert_eq!(ann.hears("reservation.accepted").await["sid"], offer["sid"]);

    // The task is handed on to Bob and taken back.
    let bob_is_there = json!({ "ActivitySid": office.available });
    office.asks(&office.bob, "POST", &format!("Workers/{}", office.bob), bob_is_there).await;
    bob.hears("worker.activity.update").await;
    let hand_on =
        json!({ "ReservationSid": offer["sid"], "TaskSid": task, "To": office.bob, "Mode": "WARM" });
    let transfer = office.asks(&office.ann, "POST", &format!("{me}/Transfers"), hand_on).await;
    assert_eq!(
        (&transfer["transfer_status"], &transfer["transfer_type"], &transfer["transfer_to"]),
        (&json!("initiated"), &json!("WORKER"), &json!(office.bob))
    );
    let told = ann.hears("task.transfer-initiated").await;
    assert_eq!((&told["initiating_reservation_sid"], &told["task_sid"]), (&offer["sid"], &json!(task)));
    let asked = bob.hears("reservation.created").await;
    assert_eq!(asked["task_transfer"]["sid"], transfer["sid"]);
    let place = format!("{me}/Transfers/{}", sid(&transfer));
    let back = json!({ "TaskSid": task, "TransferStatus": "canceled" });
    assert_eq!(office.asks(&office.ann, "POST", &place, back).await["transfer_status"], "canceled");
    assert_eq!(ann.hears("task.transfer-canceled").await["transfer_status"], "canceled");
    assert_eq!(bob.hears("reservation.canceled").await["sid"], asked["sid"]);

    office.asks(&office.ann, "POST", &reservation, becomes("wrapping")).await;
    assert_eq!(ann.hears("reservation.wrapup").await["task"]["assignment_status"], "wrapping");
    assert_eq!(ann.hears("task.wrapup").await["sid"], json!(task));
    let done = json!({ "AssignmentStatus": "completed", "Reason": "sold" });
    let done = office.asks(&office.ann, "POST", &format!("Tasks/{task}"), done).await;
    assert_eq!((&done["assignment_status"], &done["reason"]), (&json!("completed"), &json!("sold")));
    assert_eq!(ann.hears("task.completed").await["reason"], "sold");
    assert_eq!(ann.hears("reservation.completed").await["reservation_status"], "completed");
    // A task of her own, to call somebody.
    let own = json!({ "RoutingTarget": office.ann, "TaskChannelUniqueName": "voice",
        "Attributes": { "outbound_to": "+1555", "from": "+1556" } });
    let own = office.asks(&office.ann, "POST", "Tasks", own).await;
    let offer = ann.hears("reservation.created").await;
    assert_eq!((&offer["task"]["sid"], &offer["task"]["routing_target"]), (&own["sid"], &json!(office.ann)));
}

/// Who hands a task on hears that somebody has it: the client knows the transfer by its sid and finds it by the
/// reservation that began it.
#[tokio::test]
async fn who_hands_a_task_on_hears_that_somebody_has_it() {
    let office = Office::open().await;
    let port = office.serve().await;
    let mut ann = office.socket(port, &office.ann, "").await;
    let tasks = format!("/{}/Tasks", office.ws);
    let task = sid(&office.desk.make(&tasks, &[("Attributes", "{}")]).await);
    let (me, him) = (format!("Workers/{}", office.ann), format!("Workers/{}", office.bob));
    let there = json!({ "ActivitySid": office.available });
    office.asks(&office.ann, "POST", &me, there.clone()).await;
    ann.hears("worker.activity.update").await;
    let offer = sid(&ann.hears("reservation.created").await);
    let accept = json!({ "ReservationStatus": "accepted" });
    office.asks(&office.ann, "POST", &format!("{me}/Reservations/{offer}"), accept.clone()).await;
    ann.hears("reservation.accepted").await;
    office.asks(&office.bob, "POST", &him, there).await;
    let hand_on = json!({ "ReservationSid": offer, "TaskSid": task, "To": office.bob, "Mode": "WARM" });
    let transfer = sid(&office.asks(&office.ann, "POST", &format!("{me}/Transfers"), hand_on).await);
    let his =
        office.asks(&office.bob, "GET", &format!("{him}/Reservations"), json!({ "Active": "true" })).await;
    assert_eq!(his["contents"][0]["task_transfer"]["sid"], json!(transfer));
    let (his, place) = (sid(&his["contents"][0]), format!("{me}/Reservations/{offer}"));
    let mine = office.asks(&office.ann, "GET", &place, json!({})).await;
    assert_eq!(mine["active_outgoing_task_transfer"]["sid"], json!(transfer));
    // What answers a change says nothing of transfers: the client, which heard of them, throws at that.
    let accepted = office.asks(&office.bob, "POST", &format!("{him}/Reservations/{his}"), accept).await;
    assert_eq!(accepted["reservation_status"], "accepted");
    assert_eq!((accepted.get("task_transfer"), accepted.get("active_outgoing_task_transfer")), (None, None));
    // As it was when it was told, whatever has become of it since.
    for (kind, status) in [("task.transfer-initiated", "initiated"), ("task.transfer-completed", "complete")]
    {
        let told = ann.hears(kind).await;
        let shown =
            ["sid", "initiating_reservation_sid", "task_sid", "transfer_status"].map(|key| told[key].clone());
        assert_eq!(shown, [&transfer, &offer, &task, status].map(|text| json!(text)), "{kind}");
    }
}

/// The box stops while desktops are open: their workers are waited for, and put out of the way if they stay away.
#[tokio::test]
async fn who_does_not_come_back_after_a_restart_is_offline() {
    let office = Office::open().await;
    let port = office.serve().await;
    let store = office.desk.api.store.clone();
    for worker in [&office.ann, &office.bob] {
        let on = format!("/{}/Workers/{worker}", office.ws);
        office.desk.ask("POST", &on, &format!("ActivitySid={}", office.available)).await;
    }
    let ann = office.socket(port, &office.ann, "").await;
    let bob = office.socket(port, &office.bob, "&setWorkerOfflineIfDisconnected=false").await;
    store.flush().await.unwrap();
    let open = store.desktops().await.unwrap();
    let known: Vec<String> = open.iter().map(|row| row.worker.to_string()).collect();
    assert_eq!(known, std::slice::from_ref(&office.ann), "he wants to stay whatever happens");
    // Another run over the same store, which nobody connects to.
    let mut api = office.desk.api.clone();
    api.desktops = Desktops::new(Duration::ZERO);
    let began = tokio::time::Instant::now();
    let agents = open.iter().map(|row| super::Agent {
        workspace: row.workspace,
        worker: row.worker,
        supervisor: false,
        expires_s: 0,
    });
    assert!(api.desktops.expect(agents.collect(), began));
    for agent in api.desktops.take_due(began + Duration::from_secs(30)) {
        super::socket::put_away(&api, &agent).await;
    }
    let is = [office.activity(&office.ann).await, office.activity(&office.bob).await];
    assert_eq!(is, ["Offline", "Available"]);
    store.flush().await.unwrap();
    assert_eq!(store.desktops().await.unwrap(), []);
    drop((ann, bob));
}

#[tokio::test]
async fn a_token_opens_what_is_its_workers() {
    let office = Office::open().await;
    let (worker, supervisor) = (office.token(&office.ann, "worker"), office.token(&office.ann, "supervisor"));
    let bob = format!("Workers/{}", office.bob);
    let task = sid(&office.desk.make(&format!("/{}/Tasks", office.ws), &[("Attributes", "{}")]).await);
    let task = format!("Tasks/{task}");
    let own = json!({ "RoutingTarget": office.bob });
    let cut = worker.rsplit_once('.').unwrap().0.to_owned() + ".x";
    for (token, method, place, params, status) in [
        (&worker, "GET", "Activities", json!({}), 200),
        (&cut, "GET", "Activities", json!({}), 401),
        (&worker, "GET", bob.as_str(), json!({}), 403),
        (&supervisor, "GET", bob.as_str(), json!({}), 200),
        (&worker, "GET", "Workers", json!({}), 403),
        (&supervisor, "GET", "Workers", json!({}), 200),
        (&worker, "GET", "TaskQueues", json!({}), 200),
        (&worker, "GET", task.as_str(), json!({}), 404),
        (&supervisor, "GET", task.as_str(), json!({}), 200),
        (&worker, "POST", "Tasks", own, 403),
        (&worker, "POST", "Tasks", json!({}), 400),
        (&worker, "GET", "Secrets", json!({}), 404),
        (&worker, "GET", "Workers/nobody", json!({}), 404),
    ] {
        let (told, body) = office.try_ask(token, method, place, params).await;
        assert_eq!(told, status, "{method} {place}: {body}");
        assert!(status == 200 || body["message"].is_string(), "{body}");
    }
    let (status, body) = office.try_ask("no token", "GET", "Activities", json!({})).await;
    assert_eq!((status, &body["code"]), (401, &json!(20003)));
}

#[tokio::test]
async fn who_has_no_desktop_any_more_is_offline() {
    let mut office = Office::open().await;
    let port = office.serve().await;
    let desktops = office.desk.api.desktops.clone();
    let ann = office.ann.parse().unwrap();
    let on = format!("/{}/Workers/{}", office.ws, office.ann);
    office.desk.ask("POST", &on, &format!("ActivitySid={}", office.available)).await;
    let mut first = office.socket(port, &office.ann, "").await;
    let second = office.socket(port, &office.ann, "&closeExistingSessions=true").await;
    assert_eq!(first.next().await, None, "the first is closed");
    assert!(!desktops.is_away(ann));
    drop(second);
    becomes(|| desktops.is_away(ann)).await;
    // Back in time, nothing happens.
    let third = office.socket(port, &office.ann, "").await;
    assert!(!desktops.is_away(ann));
    assert_eq!(office.activity(&office.ann).await, "Available");
    drop(third);
    becomes(|| desktops.is_away(ann)).await;
    assert_eq!(office.activity(&office.ann).await, "Available", "it may be back");

    // Where it has no time to be back.
    office.desk.api.desktops = Desktops::new(Duration::ZERO);
    let port = office.serve().await;
    drop(office.socket(port, &office.ann, "&setWorkerOfflineIfDisconnected=false").await);
    let (ann, bob) = (office.ann.clone(), office.bob.clone());
    office
        .desk
        .ask("POST", &format!("/{}/Workers/{bob}", office.ws), &format!("ActivitySid={}", office.available))
        .await;
    drop(office.socket(port, &bob, "").await);
    timeout(Duration::from_secs(5), async {
        while office.activity(&bob).await != "Offline" {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("he is offline");
    assert_eq!(office.activity(&ann).await, "Available", "she wanted to stay");
}

/// Waits for what another task does; that it happens in time is all that counts.
async fn becomes(is: impl Fn() -> bool) {
    let wait = async {
        while !is() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), wait).await.expect("it happens");
}
