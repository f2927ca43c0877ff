//! TaskRouter through the official libraries: a workspace is made and run by an application written for the cloud.

use serde_json::{Value, json};

use crate::common::network::in_own_network;
use crate::common::s;
use crate::library::Client;
use crate::rest::client;
use crate::stage::{office, web};

#[test]
fn python_runs_a_workspace() {
    in_own_network(|| a_workspace_is_run("python"));
}

#[test]
fn node_runs_a_workspace() {
    in_own_network(|| a_workspace_is_run("node"));
}

pub fn sid(of: &Value) -> String {
    of["sid"].as_str().unwrap_or_else(|| panic!("a sid: {of}")).to_owned()
}

/// The way to something in a workspace.
pub fn way(workspace: &str, rest: &[Value]) -> Value {
    let mut way = vec![json!("taskrouter"), json!("v1"), json!("workspaces"), json!([workspace])];
    way.extend_from_slice(rest);
    Value::Array(way)
}

fn a_workspace_is_run(library: &str) {
    let Some(mut sdk) = client(library) else { return };
    let web = web();
    web.on("/events", |_| crate::common::web::Reply::new(204, "text/plain", String::new()));
    let _tandem = office(&web).open();
    let made = json!({ "friendly_name": "Office", "event_callback_url": web.url("/events"),
        "events_filter": "task.created,reservation.accepted" });
    let ws = sid(&sdk.does(json!(["taskrouter", "v1", "workspaces"]), "create", made));
    let make = |sdk: &mut Client, what: &str, with: Value| sdk.does(way(&ws, &[json!(what)]), "create", with);
    let lunch = make(&mut sdk, "activities", json!({ "friendly_name": "Lunch", "available": false }));
    let ready = sid(&make(&mut sdk, "activities", json!({ "friendly_name": "Ready", "available": true })));
    let german = json!({ "friendly_name": "German", "target_workers": "languages HAS 'de'" });
    let german = sid(&make(&mut sdk, "task_queues", german));
    let all = sid(&make(&mut sdk, "task_queues", json!({ "friendly_name": "All", "task_order": "LIFO" })));
    let routing = json!({ "task_routing": {
        "filters": [{ "filter_friendly_name": "german", "expression": "language == 'de'",
            "targets": [{ "queue": german, "priority": 5 }] }],
        "default_filter": { "queue": all } } });
    let flow = json!({ "friendly_name": "Flow", "configuration": routing.to_string(), "task_reservation_timeout": 30 });
    let flow = make(&mut sdk, "workflows", flow);
    assert_eq!(flow["task_reservation_timeout"], 30);
    let ann =
        json!({ "friendly_name": "Ann", "attributes": "{\"languages\":[\"de\"]}", "activity_sid": ready });
    let ann = sid(&make(&mut sdk, "workers", ann));
    let bob = sid(&make(&mut sdk, "workers", json!({ "friendly_name": "Bob" })));
    let capacity = json!({ "capacity": 2 });
    let chat = way(&ws, &[json!("workers"), json!([ann]), json!("worker_channels"), json!(["default"])]);
    assert_eq!(sdk.does(chat, "update", capacity)["configured_capacity"], 2);
    let eligible = json!({ "task_queue_name": "German" });
    let eligible = sdk.does(way(&ws, &[json!("workers")]), "list", eligible);
    assert_eq!((eligible.as_array().unwrap().len(), &eligible[0]["sid"]), (1, &json!(ann)));

    let task = json!({ "workflow_sid": flow["sid"], "attributes": "{\"language\":\"de\"}" });
    let task = sid(&make(&mut sdk, "tasks", task));
    let of_task = [json!("tasks"), json!([task])];
    let shown = sdk.does(way(&ws, &of_task), "fetch", json!({}));
    assert_eq!(
        (&shown["assignment_status"], &shown["priority"], &shown["task_queue_friendly_name"]),
        (&json!("reserved"), &json!(5), &json!("German"))
    );
    let offers = [json!("tasks"), json!([task]), json!("reservations")];
    let offer = sdk.does(way(&ws, &offers), "list", json!({}))[0].clone();
    assert_eq!((&offer["worker_sid"], &offer["worker_name"]), (&json!(ann), &json!("Ann")));
    let one = [json!("tasks"), json!([task]), json!("reservations"), json!([offer["sid"]])];
    let accepted = sdk.does(way(&ws, &one), "update", json!({ "reservation_status": "accepted" }));
    assert_eq!(accepted["reservation_status"], "accepted");
    let wrong = sdk.is_refused(way(&ws, &one), "update", json!({ "reservation_status": "rejected" }));
    assert_eq!((wrong.status, wrong.code), (Some(410), Some(20410)));
    let stale = sdk.is_refused(way(&ws, &of_task), "update", json!({ "priority": 7, "if_match": "0" }));
    assert_eq!((stale.status, stale.code), (Some(412), Some(20412)));

    // Somebody refuses, and goes to lunch.
    let other = sid(&make(&mut sdk, "tasks", json!({ "workflow_sid": flow["sid"], "attributes": "{}" })));
    let mine = [json!("workers"), json!([ann]), json!("reservations")];
    let offer = sdk.does(way(&ws, &mine), "list", json!({ "reservation_status": "pending" }))[0].clone();
    assert_eq!(offer["task_sid"], json!(other));
    let one = [json!("workers"), json!([ann]), json!("reservations"), json!([offer["sid"]])];
    let refuse = json!({ "reservation_status": "rejected", "worker_activity_sid": lunch["sid"] });
    assert_eq!(sdk.does(way(&ws, &one), "update", refuse)["reservation_status"], "rejected");
    let shown = sdk.does(way(&ws, &[json!("workers"), json!([ann])]), "fetch", json!({}));
    assert_eq!((&shown["activity_name"], &shown["available"]), (&json!("Lunch"), &json!(false)));

    sdk.does(way(&ws, &of_task), "update", json!({ "assignment_status": "wrapping" }));
    let done = json!({ "assignment_status": "completed", "reason": "sold" });
    assert_eq!(sdk.does(way(&ws, &of_task), "update", done)["reason"], "sold");
    for n in 0..3 {
        make(&mut sdk, "tasks", json!({ "workflow_sid": flow["sid"], "attributes": "{}", "priority": n }));
    }
    let newest = json!({ "ordering": "Priority:desc,DateCreated:asc", "assignment_status": ["pending"] });
    let sorted = sdk.does(way(&ws, &[json!("tasks")]), "list", newest);
    let sorted: Vec<i64> =
        sorted.as_array().unwrap().iter().map(|one| one["priority"].as_i64().unwrap()).collect();
    assert_eq!(sorted, [2, 1, 0, 0]);

    let past = [json!("cumulative_statistics"), json!([])];
    let past = sdk.does(way(&ws, &past), "fetch", json!({ "minutes": 60, "split_by_wait_time": "5,10" }));
    for (key, value) in [
        ("tasks_created", 5),
        ("tasks_completed", 1),
        ("reservations_created", 2),
        ("reservations_accepted", 1),
        ("reservations_rejected", 1),
        ("reservations_timed_out", 0),
    ] {
        assert_eq!(past[key], value, "{key}: {past}");
    }
    assert_eq!(past["split_by_wait_time"]["5"]["below"]["reservations_accepted"], 1);
    let now = [json!("task_queues"), json!([all]), json!("real_time_statistics"), json!([])];
    let now = sdk.does(way(&ws, &now), "fetch", json!({}));
    for (key, value) in [("total_tasks", 4), ("total_eligible_workers", 2), ("total_available_workers", 0)] {
        assert_eq!(now[key], value, "{key}: {now}");
    }
    assert_eq!(now["tasks_by_status"]["pending"], 4);
    let who = [json!("workers"), json!([ann]), json!("statistics"), json!([])];
    let who = sdk.does(way(&ws, &who), "fetch", json!({}));
    assert_eq!(who["cumulative"]["reservations_accepted"], 1);

    let events = sdk.does(way(&ws, &[json!("events")]), "list", json!({ "task_sid": task, "minutes": 60 }));
    let kinds: Vec<&str> =
        events.as_array().unwrap().iter().map(|one| one["event_type"].as_str().unwrap()).collect();
    for kind in
        ["task.created", "reservation.created", "reservation.accepted", "task.wrapup", "task.completed"]
    {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    let one = way(&ws, &[json!("events"), json!([events[0]["sid"]])]);
    assert_eq!(sdk.does(one, "fetch", json!({}))["sid"], events[0]["sid"]);
    let told = web.wait("/events", s(5));
    assert_eq!((told.get("EventType"), told.get("WorkspaceSid")), ("task.created", &*ws));
    let told = web.wait_nth("/events", 2, s(5));
    assert_eq!((told.get("EventType"), told.get("WorkerName")), ("reservation.accepted", "Ann"));

    sdk.does(way(&ws, &[json!("workers"), json!([bob])]), "delete", json!({}));
    let gone = sdk.is_refused(way(&ws, &[json!("workers"), json!([bob])]), "fetch", json!({}));
    assert_eq!((gone.status, gone.code), (Some(404), Some(20404)));
}
