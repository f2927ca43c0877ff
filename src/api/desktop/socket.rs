//! The socket on which a desktop hears what happens to its worker (reference: taskrouter §13.1).
//!
//! What workspaces tell is taken from what they write down; of each event that concerns the worker the thing itself is
//! asked of the node and sent, in the state the event tells of. A desktop that reads too slowly, or missed something, is
//! cut off: it connects anew and asks for everything.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::TaskSid;
use call::record::{DesktopRow, StoreItem};
use call::taskrouter::rows::RouterEventRow;
use call::taskrouter::{DeskAsk, RouterAsk, RouterReply, WorkerForm};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::sync::broadcast::Receiver;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::presence::Closed;
use super::request::{channel, reservation, task, worker};
use super::{Agent, now_s, objects, refused};
use crate::Api;
use crate::error::ApiError;
use crate::params::Params;
use crate::taskrouter_v1::ask_node;

/// The client gives a silent socket up after 30 s.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a frame may take to leave.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest frame that is read; a client has nothing to say.
const FRAME_BYTES_MAX: usize = 64 * 1024;

/// GET, with the upgrade to a WebSocket (RFC 6455 §4.2).
pub(super) async fn open(State(api): State<Api>, mut request: Request) -> Response {
    let query = Params::read(request.uri().query().unwrap_or_default().as_bytes());
    let agent = match Agent::of(&api, query.text("token").unwrap_or_default()) {
        Ok(agent) => agent,
        Err(error) => return refused(error),
    };
    let Some(key) = key_of(request.headers()) else {
        return refused(ApiError::new(20426, "This is the place of a WebSocket"));
    };
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return refused(ApiError::new(20426, "This connection becomes no WebSocket"));
    };
    // Who is not there is no desktop's.
    match worker(&api, &agent).await {
        Ok(Some(_)) => {}
        Ok(None) => return refused(ApiError::new(20404, "The token's worker is not there")),
        Err(error) => return refused(error),
    }
    let alone = query.text("closeExistingSessions").is_some_and(|word| word.eq_ignore_ascii_case("true"));
    let stays = query.text("setWorkerOfflineIfDisconnected").is_some_and(|word| word == "false");
    let door = match api.desktops.enter(agent.worker, alone) {
        Ok(door) => door,
        Err(error) => return refused(error),
    };
    if !stays {
        note(&api, &agent, true);
    }
    // From before the first frame on: what comes while the desktop asks for everything comes too.
    let news = api.store.news();
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let config = WebSocketConfig::default().max_message_size(Some(FRAME_BYTES_MAX));
            let io = TokioIo::new(upgraded);
            let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
            let mut desktop =
                Desktop { api: api.clone(), agent, tasks: BTreeSet::new(), heartbeat: HEARTBEAT };
            desktop.serve(socket, news, &door).await;
        }
        match api.desktops.leave(agent, &door, stays, Instant::now()) {
            Closed::Nothing if stays && !api.desktops.is_there(agent.worker) => note(&api, &agent, false),
            Closed::Nothing => {}
            Closed::Watch => watch(&api).await,
            Closed::PutAway => put_away(&api, &agent).await,
        }
    });
    let accept = derive_accept_key(key.as_bytes());
    let mut answer = (StatusCode::SWITCHING_PROTOCOLS, Body::empty()).into_response();
    for (name, value) in [
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, HeaderValue::try_from(accept).expect("base64 is a header's value")),
    ] {
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// The key of a request that wants a WebSocket.
fn key_of(headers: &HeaderMap) -> Option<HeaderValue> {
    let says = |name, word: &str| {
        let value = headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        value.is_some_and(|value| value.to_ascii_lowercase().contains(word))
    };
    let asks = says(header::UPGRADE, "websocket") && says(header::CONNECTION, "upgrade");
    headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asks).cloned()
}

/// Written down: whether the next run is to wait for the worker's desktop.
fn note(api: &Api, agent: &Agent, open: bool) {
    let row = DesktopRow { workspace: agent.workspace, worker: agent.worker, open };
    api.store.write(StoreItem::Desktop(row));
}

/// Waits for the desktops that were open when the box stopped; their workers are put out of the way like those of any
/// other that is lost. `rows`: as the store has them.
pub async fn await_desktops(api: Api, rows: Vec<DesktopRow>) {
    let agents = rows.iter().map(|row| {
        let (workspace, worker) = (row.workspace, row.worker);
        Agent { workspace, worker, supervisor: false, expires_s: 0 }
    });
    if api.desktops.expect(agents.collect(), Instant::now()) {
        watch(&api).await;
    }
}

/// Waits for workers without a desktop, as long as there are any.
async fn watch(api: &Api) {
    while let Some(next) = api.desktops.next() {
        sleep_until(next).await;
        for agent in api.desktops.take_due(Instant::now()) {
            put_away(api, &agent).await;
        }
    }
}

/// Nobody is there to be asked: the worker does what those do who do not answer.
pub(super) async fn put_away(api: &Api, agent: &Agent) {
    let asked = ask_node(api, RouterAsk::In(agent.workspace, DeskAsk::Show)).await;
    let Ok(Ok(RouterReply::Workspaces(shown))) = asked else {
        // There is no such workspace any more.
        if asked.is_ok() {
            note(api, agent, false);
        }
        return;
    };
    let activity = shown.first().map(|view| view.row.timeout_activity);
    let form = WorkerForm { activity, ..WorkerForm::default() };
    // A worker or a box that is gone is nowhere; of a box that stops it stays written down.
    let done =
        ask_node(api, RouterAsk::In(agent.workspace, DeskAsk::PutWorker(Some(agent.worker), form))).await;
    if done.is_ok() && !api.desktops.is_there(agent.worker) {
        note(api, agent, false);
    }
}

struct Desktop {
    api: Api,
    agent: Agent,
    /// Tasks the worker has, or is asked about.
    tasks: BTreeSet<TaskSid>,
    /// A frame is sent at least so often.
    heartbeat: Duration,
}

impl Desktop {
    /// Until either end has enough.
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        mut socket: WebSocketStream<S>,
        mut news: Receiver<Arc<RouterEventRow>>,
        door: &Notify,
    ) {
        let left_s = self.agent.expires_s.saturating_sub(now_s());
        let end = sleep_until(Instant::now() + Duration::from_secs(left_s));
        tokio::pin!(end);
        let init = json!({
            "channel_id": self.agent.worker,
            "account_sid": self.api.account_sid,
            "workspace_sid": self.agent.workspace,
            "token_lifetime": left_s * 1_000,
        });
        if !send(&mut socket, frame("init", init)).await || self.remember().await.is_err() {
            return;
        }
        let mut heartbeat = interval(self.heartbeat);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.tick().await;
        loop {
            let goes_on = tokio::select! {
                event = news.recv() => match event {
                    Ok(event) => self.tell(&mut socket, &event).await,
                    // It has missed something, or the box stops.
                    Err(_) => false,
                },
                heard = socket.next() => match heard {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => false,
                    Some(Ok(_)) => true,
                },
                _ = heartbeat.tick() => send(&mut socket, " ".to_owned()).await,
                () = &mut end => false,
                () = door.notified() => false,
            };
            if !goes_on {
                let _ = timeout(SEND_TIMEOUT, socket.close(None)).await;
                return;
            }
        }
    }

    /// What the worker has already.
    async fn remember(&mut self) -> Result<(), ApiError> {
        let mine = RouterAsk::In(self.agent.workspace, DeskAsk::Reservations(None, Some(self.agent.worker)));
        if let Ok(RouterReply::Reservations(all)) = ask_node(&self.api, mine).await? {
            let open = all.iter().filter(|(row, _)| row.reservation.status.occupies());
            self.tasks.extend(open.map(|(row, _)| row.reservation.task));
        }
        Ok(())
    }

    async fn tell<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocketStream<S>,
        event: &RouterEventRow,
    ) -> bool {
        if event.workspace != self.agent.workspace {
            return true;
        }
        match self.frame_of(event).await {
            Ok(Some(frame)) => send(socket, frame).await,
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// What an event is to this desktop; nothing, when it is about somebody else.
    async fn frame_of(&mut self, event: &RouterEventRow) -> Result<Option<String>, ApiError> {
        let told = |name: &str| event.data.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let is_mine = event.worker == Some(self.agent.worker);
        let (api, agent) = (&self.api, &self.agent);
        let payload = match event.kind.split_once('.') {
            Some(("worker", "activity.update" | "attributes.update")) if is_mine => {
                worker(api, agent).await?.map(|mut shown| {
                    for (key, name) in
                        [("activity_sid", "WorkerActivitySid"), ("activity_name", "WorkerActivityName")]
                    {
                        if let Some(value) = told(name) {
                            shown[key] = Value::from(value);
                        }
                    }
                    // The client goes on counting from it.
                    if let Some(version) = told("WorkerVersion").and_then(|text| text.parse::<u64>().ok()) {
                        shown["version"] = Value::from(version);
                    }
                    shown
                })
            }
            Some(("worker", "capacity.update" | "channel.availability.update")) if is_mine => {
                channel(api, agent, told("TaskChannelUniqueName").unwrap_or_default()).await?
            }
            Some(("reservation", step)) if is_mine => {
                let (Some(sid), Some(of)) = (event.reservation, event.task) else { return Ok(None) };
                if matches!(step, "created" | "accepted") {
                    self.tasks.insert(of);
                }
                reservation(&self.api, &self.agent, sid).await?.map(|mut shown| {
                    let status = match step {
                        "created" => Some("pending"),
                        "wrapup" => Some("wrapping"),
                        // It stays what it is: what was to be done with it did not succeed.
                        "failed" => None,
                        step => Some(step),
                    };
                    if let Some(status) = status {
                        shown["reservation_status"] = Value::from(status);
                    }
                    if let Some(status) = told("TaskAssignmentStatus") {
                        shown["task"]["assignment_status"] = Value::from(status);
                    }
                    shown
                })
            }
            Some(("task", step)) => {
                let Some(sid) = event.task.filter(|sid| self.tasks.contains(sid)) else { return Ok(None) };
                let view = task(api, agent, sid).await?;
                match step {
                    "updated" | "canceled" | "completed" | "wrapup" => view.as_ref().map(objects::task),
                    "deleted" | "system-deleted" => {
                        self.tasks.remove(&sid);
                        None
                    }
                    step if step.starts_with("transfer-") => view.and_then(|view| {
                        let transfer = view.row.task.transfer.as_ref()?;
                        let concerned = transfer.worker == agent.worker || is_mine;
                        // What has become of it since is told by another.
                        let status = match step {
                            "transfer-initiated" => Some("initiated"),
                            "transfer-completed" => Some("complete"),
                            "transfer-failed" => Some("failed"),
                            "transfer-canceled" => Some("canceled"),
                            _ => None,
                        };
                        concerned.then(|| {
                            let mut shown = objects::transfer(transfer, &view);
                            if let Some(status) = status {
                                shown["transfer_status"] = Value::from(status);
                            }
                            shown
                        })
                    }),
                    _ => None,
                }
            }
            _ => None,
        };
        Ok(payload.map(|payload| frame(&event.kind, payload)))
    }
}

fn frame(kind: &str, payload: Value) -> String {
    json!({ "event_type": kind, "payload": payload }).to_string()
}

/// False when it cannot be sent in time.
async fn send<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, text: String) -> bool {
    matches!(timeout(SEND_TIMEOUT, socket.send(Message::text(text))).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use base::{WorkerSid, WorkspaceSid};
    use tokio::sync::broadcast;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::super::tests::Office;
    use super::*;
    use crate::taskrouter_v1::tests::{Desk, sid};

    /// What a desktop hears until it is closed, and how long that takes; nobody tells it anything.
    async fn silence(heartbeat: Duration, left_s: u64) -> (Vec<String>, Duration) {
        let desk = Desk::open().await;
        let expires_s = now_s() + left_s;
        let agent = Agent { workspace: WorkspaceSid(1), worker: WorkerSid(1), supervisor: false, expires_s };
        let (ours, theirs) = tokio::io::duplex(4_096);
        let mut theirs = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
        let ours = WebSocketStream::from_raw_socket(ours, Role::Server, None).await;
        let (api, tasks) = (desk.api.clone(), BTreeSet::new());
        let begun = Instant::now();
        let serving = tokio::spawn(async move {
            let (_tell, news) = broadcast::channel(1);
            Desktop { api, agent, tasks, heartbeat }.serve(ours, news, &Notify::new()).await;
        });
        let mut heard = Vec::new();
        while let Some(Ok(Message::Text(text))) = theirs.next().await {
            heard.push(text.to_string());
        }
        serving.await.unwrap();
        (heard, begun.elapsed())
    }

    /// A desktop that reads slowly hears of each step of a transfer as it was, whatever has become of it since: the client
    /// takes the first one for the beginning.
    #[tokio::test]
    async fn what_is_told_late_is_told_as_it_was() {
        let office = Office::open().await;
        let (me, him) = (format!("Workers/{}", office.ann), format!("Workers/{}", office.bob));
        let there = json!({ "ActivitySid": office.available });
        office.asks(&office.ann, "POST", &me, there.clone()).await;
        let own = json!({ "RoutingTarget": office.ann, "Attributes": {} });
        let task = sid(&office.asks(&office.ann, "POST", "Tasks", own).await);
        let mine = format!("{me}/Reservations");
        let mine = office.asks(&office.ann, "GET", &mine, json!({ "Active": "true" })).await;
        let mine = sid(&mine["contents"][0]);
        let accept = json!({ "ReservationStatus": "accepted" });
        office.asks(&office.ann, "POST", &format!("{me}/Reservations/{mine}"), accept).await;
        office.asks(&office.bob, "POST", &him, there).await;
        let mut news = office.desk.api.store.news();
        let hand_on = json!({ "ReservationSid": mine, "TaskSid": task, "To": office.bob, "Mode": "WARM" });
        let transfer = sid(&office.asks(&office.ann, "POST", &format!("{me}/Transfers"), hand_on).await);
        let place = format!("{me}/Transfers/{transfer}");
        let back = json!({ "TaskSid": task, "TransferStatus": "canceled" });
        office.asks(&office.ann, "POST", &place, back).await;
        let now = office.asks(&office.ann, "GET", &format!("Tasks/{task}"), json!({})).await;
        assert_eq!(now["assignment_status"], "assigned");
        // Only now it reads.
        let (api, worker) = (office.desk.api.clone(), office.ann.parse().unwrap());
        let tasks = BTreeSet::from([task.parse().unwrap()]);
        let mut told = Vec::new();
        while let Ok(event) = news.try_recv() {
            let agent = Agent { workspace: event.workspace, worker, supervisor: false, expires_s: 0 };
            let mut desktop = Desktop { api: api.clone(), agent, tasks: tasks.clone(), heartbeat: HEARTBEAT };
            let Some(frame) = desktop.frame_of(&event).await.unwrap() else { continue };
            let frame: Value = serde_json::from_str(&frame).unwrap();
            let kind = frame["event_type"].as_str().unwrap().to_owned();
            if kind.starts_with("task.transfer-") {
                let payload = ["sid", "initiating_reservation_sid", "transfer_status"];
                told.push((kind, payload.map(|key| frame["payload"][key].as_str().unwrap().to_owned())));
            }
        }
        let shown = |kind: &str, status: &str| {
            (format!("task.transfer-{kind}"), [transfer.clone(), mine.clone(), status.to_owned()])
        };
        assert_eq!(told, [shown("initiated", "initiated"), shown("canceled", "canceled")]);
    }

    /// The client gives a socket up on which it hears nothing for 30 s.
    #[tokio::test]
    async fn a_socket_is_never_silent_for_long_and_ends_with_its_token() {
        assert!(HEARTBEAT * 2 <= Duration::from_secs(30));
        let (heard, lasted) = silence(Duration::from_millis(100), 2).await;
        assert!(heard[0].contains("\"init\""), "{heard:?}");
        assert!(heard[1..].iter().all(|frame| frame.trim().is_empty()), "{heard:?}");
        assert!((3..=21).contains(&heard.len()), "{heard:?}");
        assert!(lasted >= Duration::from_millis(900), "{lasted:?}");
        let (heard, _) = silence(Duration::from_secs(60), 0).await;
        assert!(heard.len() <= 1, "a token that is over opens nothing for long: {heard:?}");
    }
}
