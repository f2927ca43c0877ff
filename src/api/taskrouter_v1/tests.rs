//! TaskRouter's REST API against a node that runs: what is made is what is shown, in the published form.

use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use base::{Now, Rng, Timestamp};
use call::{Input, Node, Output};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower_service::Service as _;

use crate::v2010::tests::{api, basic, keys};
use crate::{Api, Order};

/// A node without a telephone, that answers what the API asks.
fn run_node(mut taken: mpsc::Receiver<Order>, store: store::Store, folder: &std::path::Path) {
    let file = folder.join("tandem.toml");
    std::fs::write(&file, "[box]\nname='Test'\n").unwrap();
    let office = config::load(&file, Some(folder)).unwrap().office;
    let now = Now { wall: Timestamp(1_800_000_000_000_000), ..Now::default() };
    let mut node = Node::new(office, "test", Rng::seeded(1), now);
    tokio::spawn(async move {
        while let Some(order) = taken.recv().await {
            node.handle(Input::Command { id: 1, command: order.command }, now);
            let mut reply = Some(order.reply);
            while let Some(output) = node.poll_output() {
                match output {
                    Output::Store(item) => store.write(item),
                    Output::Reply { reply: told, .. } => {
                        reply.take().unwrap().send(told).unwrap();
                    }
                    _ => {}
                }
            }
        }
    });
}

pub(crate) struct Desk {
    pub(crate) api: Api,
    _folder: tempfile::TempDir,
}

impl Desk {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (api, taken) = api(folder.path()).await;
        run_node(taken, api.store.clone(), folder.path());
        Self { api, _folder: folder }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        form: &str,
        if_match: Option<&str>,
    ) -> (u16, Option<String>, Value) {
        self.send_at(method, &format!("/v1/Workspaces{path}"), form, if_match).await
    }

    /// Anywhere.
    pub(crate) async fn ask_at(&self, method: &str, path: &str, form: &str) -> Value {
        let (status, _, body) = self.send_at(method, path, form, None).await;
        assert!(status < 300, "{method} {path} {form}: {status} {body}");
        body
    }

    pub(crate) async fn send_at(
        &self,
        method: &str,
        path: &str,
        form: &str,
        if_match: Option<&str>,
    ) -> (u16, Option<String>, Value) {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "box.example:8080")
            .header(header::AUTHORIZATION, basic(&self.api, "secret"));
        if let Some(version) = if_match {
            request = request.header(header::IF_MATCH, version);
        }
        let request = request.body(Body::from(form.to_owned())).unwrap();
        let answer = crate::router(self.api.clone()).call(request).await.unwrap();
        let status = answer.status().as_u16();
        let tag = answer.headers().get(header::ETAG).map(|tag| tag.to_str().unwrap().to_owned());
        let body = to_bytes(answer.into_body(), 4_000_000).await.unwrap();
        (status, tag, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, form: &str) -> Value {
        let (status, _, body) = self.send(method, path, form, None).await;
        assert!(status < 300, "{method} {path} {form}: {status} {body}");
        body
    }

    pub(crate) async fn make(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        let (status, _, body) = self.send("POST", path, &text.extend_pairs(form).finish(), None).await;
        assert_eq!(status, 201, "{path} {form:?}: {body}");
        body
    }
}

/// The same names, and where both have a value, the same kinds of values, as the published example.
fn has_form(shown: &Value, example: &str) {
    let published: Value = serde_json::from_str(example).unwrap();
    assert_eq!(keys(shown), keys(&published), "{shown}");
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    for (key, value) in shown.as_object().unwrap() {
        let other = &published[key];
        let same = value.is_null() || other.is_null() || kind(value) == kind(other);
        assert!(same, "{key}: {value} instead of {other}");
        if key == "links" {
            assert_eq!(keys(value), keys(other));
        }
    }
}

macro_rules! example {
    ($name:literal) => {
        include_str!(concat!("../../../tests/data/rest/taskrouter/", $name, ".json"))
    };
}

pub(crate) fn sid(body: &Value) -> String {
    body["sid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_task_goes_from_its_making_to_its_end() {
    let desk = Desk::open().await;
    let workspace = desk.make("", &[("FriendlyName", "Office"), ("EventsFilter", "task.created")]).await;
    has_form(&workspace, example!("workspace"));
    let ws = format!("/{}", sid(&workspace));
    assert_eq!(workspace["url"], format!("http://box.example:8080/v1/Workspaces{ws}"));
    assert_eq!(
        (&workspace["default_activity_name"], &workspace["multi_task_enabled"]),
        (&json!("Offline"), &json!(true))
    );
    assert_eq!(desk.ask("GET", &ws, "").await, workspace);
    let activities = desk.ask("GET", &format!("{ws}/Activities?PageSize=2"), "").await;
    assert_eq!(keys(&activities), keys(&serde_json::from_str(example!("page")).unwrap()));
    assert_eq!(activities["meta"]["key"], "activities");
    let next = activities["meta"]["next_page_url"].as_str().unwrap();
    let next = next.strip_prefix("http://box.example:8080/v1/Workspaces").unwrap();
    let rest = desk.ask("GET", next, "").await;
    let all: Vec<&Value> =
        [&activities, &rest].into_iter().flat_map(|page| page["activities"].as_array().unwrap()).collect();
    assert_eq!(all.len(), 3);
    let named = |name: &str| sid(all.iter().find(|one| one["friendly_name"] == name).unwrap());
    let available = named("Available");
    has_form(all[0], example!("activity"));
    let break_ = desk.make(&format!("{ws}/Activities"), &[("FriendlyName", "Break")]).await;
    assert_eq!(break_["available"], false);
    let renamed = format!("{ws}/Activities/{}", sid(&break_));
    let renamed = desk.ask("POST", &renamed, "FriendlyName=Lunch&Available=true").await;
    assert_eq!((&renamed["friendly_name"], &renamed["available"]), (&json!("Lunch"), &json!(false)));

    let channels = desk.ask("GET", &format!("{ws}/TaskChannels"), "").await;
    assert_eq!(channels["channels"].as_array().unwrap().len(), 5);
    has_form(&desk.ask("GET", &format!("{ws}/TaskChannels/voice"), "").await, example!("task_channel"));
    let queue = [("FriendlyName", "German"), ("TargetWorkers", "languages HAS \"de\"")];
    let queue = desk.make(&format!("{ws}/TaskQueues"), &queue).await;
    has_form(&queue, example!("task_queue"));
    let configuration = json!({"task_routing": {"default_filter": {"queue": sid(&queue)}}}).to_string();
    let workflow = [
        ("FriendlyName", "Incoming"),
        ("Configuration", configuration.as_str()),
        ("AssignmentCallbackUrl", "http://web.example/a"),
    ];
    let workflow = desk.make(&format!("{ws}/Workflows"), &workflow).await;
    has_form(&workflow, example!("workflow"));
    assert_eq!(
        (&workflow["configuration"], &workflow["task_reservation_timeout"]),
        (&json!(configuration), &json!(120))
    );
    let worker = [("FriendlyName", "Ann"), ("Attributes", "{\"languages\":[\"de\"]}")];
    let worker = desk.make(&format!("{ws}/Workers"), &worker).await;
    has_form(&worker, example!("worker"));
    assert_eq!(worker["activity_name"], "Offline");

    let task =
        [("WorkflowSid", workflow["sid"].as_str().unwrap()), ("Attributes", "{\"a\":1}"), ("Priority", "7")];
    let task = desk.make(&format!("{ws}/Tasks"), &task).await;
    has_form(&task, example!("task"));
    assert_eq!((&task["assignment_status"], &task["priority"]), (&json!("pending"), &json!(7)));
    assert_eq!(task["task_queue_sid"], queue["sid"]);

    let at_worker = format!("{ws}/Workers/{}", sid(&worker));
    desk.ask("POST", &at_worker, &format!("ActivitySid={available}")).await;
    let at_task = format!("{ws}/Tasks/{}", sid(&task));
    assert_eq!(desk.ask("GET", &at_task, "").await["assignment_status"], "reserved");
    let list = desk.ask("GET", &format!("{at_task}/Reservations"), "").await;
    let reservation = &list["reservations"][0];
    has_form(reservation, example!("reservation"));
    assert_eq!(
        (&reservation["reservation_status"], &reservation["worker_name"]),
        (&json!("pending"), &json!("Ann"))
    );
    let mine = format!("{at_worker}/Reservations/{}", sid(reservation));
    has_form(&desk.ask("GET", &mine, "").await, example!("worker_reservation"));
    let accepted = desk.ask("POST", &mine, "ReservationStatus=accepted").await;
    assert_eq!(accepted["reservation_status"], "accepted");
    let channel = desk.ask("GET", &format!("{at_worker}/Channels/default"), "").await;
    has_form(&channel, example!("worker_channel"));
    assert_eq!(
        (&channel["assigned_tasks"], &channel["available_capacity_percentage"]),
        (&json!(1), &json!(0))
    );
    let channel = desk.ask("POST", &format!("{at_worker}/Channels/{}", sid(&channel)), "Capacity=4").await;
    assert_eq!(channel["available_capacity_percentage"], 75);
    desk.ask("POST", &at_task, "AssignmentStatus=wrapping").await;
    let done = desk.ask("POST", &at_task, "AssignmentStatus=completed&Reason=done").await;
    assert_eq!((&done["assignment_status"], &done["reason"]), (&json!("completed"), &json!("done")));

    for (path, published) in [
        ("/Statistics".to_owned(), example!("workspace_statistics")),
        ("/RealTimeStatistics".to_owned(), example!("workspace_real_time")),
        ("/CumulativeStatistics".to_owned(), example!("workspace_cumulative")),
        (format!("/TaskQueues/{}/Statistics", sid(&queue)), example!("queue_statistics")),
        (format!("/TaskQueues/{}/RealTimeStatistics", sid(&queue)), example!("queue_real_time")),
        (format!("/TaskQueues/{}/CumulativeStatistics", sid(&queue)), example!("queue_cumulative")),
        ("/TaskQueues/Statistics".to_owned(), example!("queues_statistics")),
        (format!("/Workflows/{}/Statistics", sid(&workflow)), example!("workflow_statistics")),
        (format!("/Workflows/{}/RealTimeStatistics", sid(&workflow)), example!("workflow_real_time")),
        (format!("/Workflows/{}/CumulativeStatistics", sid(&workflow)), example!("workflow_cumulative")),
        ("/Workers/Statistics".to_owned(), example!("workers_statistics")),
        ("/Workers/RealTimeStatistics".to_owned(), example!("workers_real_time")),
        ("/Workers/CumulativeStatistics".to_owned(), example!("workers_cumulative")),
        (format!("/Workers/{}/Statistics", sid(&worker)), example!("worker_statistics")),
    ] {
        let shown = desk.ask("GET", &format!("{ws}{path}?SplitByWaitTime=5,10"), "").await;
        has_form(&shown, published);
    }
    let told = desk.ask("GET", &format!("{ws}/CumulativeStatistics?SplitByWaitTime=5"), "").await;
    assert_eq!((&told["tasks_created"], &told["tasks_completed"]), (&json!(1), &json!(1)));
    assert_eq!(told["split_by_wait_time"]["5"]["below"]["reservations_accepted"], 1);

    let events = format!("{ws}/Events?StartDate=2020-01-01&TaskSid={}", sid(&task));
    let events = desk.ask("GET", &events, "").await;
    let kinds: std::collections::BTreeSet<&str> =
        events["events"].as_array().unwrap().iter().map(|one| one["event_type"].as_str().unwrap()).collect();
    for kind in
        ["task.created", "reservation.created", "reservation.accepted", "task.wrapup", "task.completed"]
    {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }
    has_form(&events["events"][0], example!("event"));
}

#[tokio::test]
async fn what_is_not_done_has_its_number() {
    let desk = Desk::open().await;
    let workspace = desk.make("", &[("FriendlyName", "Office"), ("Template", "FIFO")]).await;
    let ws = format!("/{}", sid(&workspace));
    let worker = desk.make(&format!("{ws}/Workers"), &[("FriendlyName", "Ann")]).await;
    let queue = sid(&desk.ask("GET", &format!("{ws}/TaskQueues"), "").await["task_queues"][0]);
    let task = sid(&desk.make(&format!("{ws}/Tasks"), &[("Attributes", "{}")]).await);
    let offline = workspace["default_activity_sid"].as_str().unwrap();
    for (method, path, form, status, code) in [
        ("GET", "/WS00000000000000000000000000000009".to_owned(), "", 404, 20404),
        ("GET", "/nothing".to_owned(), "", 404, 20404),
        ("POST", String::new(), "", 400, 20001),
        ("POST", format!("{ws}/Workers"), "FriendlyName=ann", 400, 20001),
        ("POST", format!("{ws}/Workers"), "FriendlyName=Bob&Attributes=oops", 400, 20001),
        ("POST", format!("{ws}/TaskQueues"), "FriendlyName=Q&TargetWorkers=skill-level%3D%3D1", 400, 20001),
        ("POST", format!("{ws}/TaskQueues"), "FriendlyName=Q&MaxReservedWorkers=51", 400, 20001),
        ("POST", format!("{ws}/Workflows"), "FriendlyName=W&Configuration=%7B%7D", 400, 20001),
        ("POST", format!("{ws}/TaskChannels"), "FriendlyName=C&UniqueName=a-b", 400, 20001),
        ("DELETE", format!("{ws}/Activities/{offline}"), "", 400, 20001),
        ("DELETE", format!("{ws}/TaskQueues/{queue}"), "", 400, 20001),
        ("DELETE", format!("{ws}/TaskChannels/voice"), "", 400, 20001),
        ("POST", format!("{ws}/Tasks/{task}"), "AssignmentStatus=canceled", 400, 20001),
        ("POST", format!("{ws}/Tasks/{task}"), "AssignmentStatus=completed&Reason=x", 400, 20001),
        ("GET", format!("{ws}/Workers/{}/Reservations/WR1", sid(&worker)), "", 404, 20404),
    ] {
        let (told, _, body) = desk.send(method, &path, form, None).await;
        assert_eq!((told, &body["code"]), (status, &json!(code)), "{method} {path} {form}: {body}");
    }
    // With everything in it.
    assert_eq!(desk.send("DELETE", &ws, "", None).await.0, 204);
    assert_eq!(desk.send("GET", &format!("{ws}/Tasks/{task}"), "", None).await.0, 404);
    let request = Request::builder().uri("/v1/Workspaces").body(Body::empty()).unwrap();
    assert_eq!(crate::router(desk.api.clone()).call(request).await.unwrap().status(), 401);
}

/// What a request names and is not there is the request's fault: the place it went to is there.
#[tokio::test]
async fn who_names_nobody_asks_wrongly() {
    let desk = Desk::open().await;
    let workspace = desk.make("", &[("FriendlyName", "Office"), ("Template", "FIFO")]).await;
    let ws = format!("/{}", sid(&workspace));
    let nobody = |kind: &str| format!("{kind}00000000000000000000000000000009");
    for (place, form) in [
        ("", format!("DefaultActivitySid={}", nobody("WA"))),
        ("", format!("TimeoutActivitySid={}", nobody("WA"))),
        ("/Workers", format!("FriendlyName=Bob&ActivitySid={}", nobody("WA"))),
        ("/TaskQueues", format!("FriendlyName=Q&ReservationActivitySid={}", nobody("WA"))),
        ("/TaskQueues", format!("FriendlyName=Q&AssignmentActivitySid={}", nobody("WA"))),
        ("/Tasks", format!("WorkflowSid={}", nobody("WW"))),
        ("/Tasks", format!("RoutingTarget={}", nobody("WK"))),
        ("/Tasks", format!("RoutingTarget={}", nobody("WQ"))),
        ("/Tasks", format!("RoutingTarget={}", nobody("WW"))),
        ("/Tasks", format!("TaskQueueSid={}", nobody("WQ"))),
        ("/Tasks", "TaskChannel=smoke".to_owned()),
        ("/Tasks", "VirtualStartTime=1899-12-31T23:59:59Z".to_owned()),
        ("/Tasks", "VirtualStartTime=2999-01-01T00:00:00Z".to_owned()),
        ("/Tasks", "Priority=2147483648".to_owned()),
        ("/Tasks", "Timeout=1209601".to_owned()),
        ("/Tasks", "Attributes=%5B1%5D".to_owned()),
    ] {
        let (status, _, body) = desk.send("POST", &format!("{ws}{place}"), &form, None).await;
        assert_eq!((status, &body["code"]), (400, &json!(20001)), "{place} {form}: {body}");
    }
    let old = desk.make(&format!("{ws}/Tasks"), &[("VirtualStartTime", "1950-05-05T05:05:05Z")]).await;
    assert_eq!(old["virtual_start_time"], "1950-05-05T05:05:05Z");
}

/// Of a request that is refused nothing is done.
#[tokio::test]
async fn a_change_of_a_task_is_made_whole_or_not_at_all() {
    let desk = Desk::open().await;
    let ws = format!("/{}", sid(&desk.make("", &[("FriendlyName", "Office"), ("Template", "FIFO")]).await));
    let task = desk.make(&format!("{ws}/Tasks"), &[("Attributes", "{}")]).await;
    let path = format!("{ws}/Tasks/{}", sid(&task));
    for more in [
        "AssignmentStatus=completed&Reason=x",
        "AssignmentStatus=wrapping",
        "AssignmentStatus=canceled",
        "AssignmentStatus=pending",
        "AssignmentStatus=nothing",
        "TaskChannel=smoke",
        "Priority=many",
    ] {
        let form = format!("Attributes=%7B%22a%22%3A1%7D&{more}");
        let (status, _, body) = desk.send("POST", &path, &form, None).await;
        assert_eq!((status, &body["code"]), (400, &json!(20001)), "{more}: {body}");
        assert_eq!(desk.ask("GET", &path, "").await, task, "{more}");
    }
    let form = "Attributes=%7B%22a%22%3A1%7D&AssignmentStatus=canceled&Reason=no";
    let done = desk.ask("POST", &path, form).await;
    assert_eq!((&done["attributes"], &done["assignment_status"]), (&json!("{\"a\":1}"), &json!("canceled")));
}

/// Where the description says so, what is no yes is a no.
#[tokio::test]
async fn whatever_is_no_yes_is_a_no() {
    let desk = Desk::open().await;
    let ws = format!("/{}", sid(&desk.make("", &[("FriendlyName", "Office")]).await));
    for (said, is) in [("yes", true), ("1", true), ("True", true), ("no", false), ("on", false)] {
        let form = [("FriendlyName", said), ("Available", said)];
        let made = desk.make(&format!("{ws}/Activities"), &form).await;
        assert_eq!(made["available"], is, "{said}");
        let found =
            desk.ask("GET", &format!("{ws}/Activities?FriendlyName={said}&Available={said}"), "").await;
        assert_eq!(found["activities"].as_array().unwrap().len(), 1, "{said}");
    }
    desk.make(&format!("{ws}/Workers"), &[("FriendlyName", "Ann")]).await;
    for (said, found) in [("yes", 0), ("on", 1)] {
        let list = desk.ask("GET", &format!("{ws}/Workers?Available={said}"), "").await;
        assert_eq!(list["workers"].as_array().unwrap().len(), found, "{said}");
    }
}

#[tokio::test]
async fn only_what_is_of_that_version_is_changed() {
    let desk = Desk::open().await;
    let workspace = desk.make("", &[("FriendlyName", "Office")]).await;
    let ws = format!("/{}", sid(&workspace));
    let worker = desk.make(&format!("{ws}/Workers"), &[("FriendlyName", "Ann")]).await;
    let path = format!("{ws}/Workers/{}", sid(&worker));
    let (_, tag, _) = desk.send("GET", &path, "", None).await;
    let tag = tag.unwrap();
    assert_eq!(desk.send("POST", &path, "FriendlyName=Ann", Some("*")).await.0, 200, "whichever it is");
    let (_, newer, _) = desk.send("GET", &path, "", None).await;
    assert_ne!(newer.as_deref(), Some(tag.as_str()));
    let tag = newer.unwrap();
    let (status, newer, _) = desk.send("POST", &path, "FriendlyName=Anna", Some(&tag)).await;
    assert_eq!(status, 200);
    assert_ne!(newer.as_deref(), Some(tag.as_str()));
    let (status, _, body) = desk.send("POST", &path, "FriendlyName=Annie", Some(tag.trim_matches('"'))).await;
    assert_eq!((status, &body["code"]), (412, &json!(20412)));
    assert_eq!(desk.send("DELETE", &path, "", newer.as_deref()).await.0, 204);
    assert_eq!(desk.send("GET", &path, "", None).await.0, 404);
    assert_eq!(desk.send("DELETE", &ws, "", None).await.0, 204);
    assert_eq!(desk.send("GET", &ws, "", None).await.0, 404);
    assert!(desk.api.store.router_rows().await.unwrap().is_empty());
}
