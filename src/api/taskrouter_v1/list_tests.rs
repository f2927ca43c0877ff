//! What lists, statistics and larger things show: filters, orders and pages.

use serde_json::{Value, json};

use super::tests::{Desk, sid};

/// A workspace with a queue, a workflow and some tasks of these priorities, oldest first.
async fn workspace(desk: &Desk, priorities: &[u32]) -> (String, Vec<String>) {
    let ws = format!("/{}", sid(&desk.make("", &[("FriendlyName", "Office"), ("Template", "FIFO")]).await));
    let mut tasks = Vec::new();
    for priority in priorities {
        let form = [("Priority", priority.to_string())];
        let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
        tasks.push(sid(&desk.make(&format!("{ws}/Tasks"), &form).await));
    }
    (ws, tasks)
}

fn sids(page: &Value, key: &str) -> Vec<String> {
    page[key].as_array().unwrap_or_else(|| panic!("{page}")).iter().map(sid).collect()
}

/// Follows a list to its end.
async fn all(desk: &Desk, path: &str, key: &str) -> Vec<String> {
    let (mut found, mut path) = (Vec::new(), path.to_owned());
    loop {
        let page = desk.ask("GET", &path, "").await;
        found.extend(sids(&page, key));
        match page["meta"]["next_page_url"].as_str() {
            Some(next) => {
                path = next.strip_prefix("http://box.example:8080/v1/Workspaces").unwrap().to_owned()
            }
            None => return found,
        }
    }
}

#[tokio::test]
async fn tasks_come_in_the_order_asked_for_page_by_page() {
    let desk = Desk::open().await;
    let (ws, tasks) = workspace(&desk, &[3, 1, 2, 1, 3]).await;
    let at = |n: usize| tasks[n].clone();
    // All of one moment: what is equal comes by sid.
    let by = |mut group: Vec<String>| {
        group.sort();
        group
    };
    let (threes, ones) = (by(vec![at(0), at(4)]), by(vec![at(1), at(3)]));
    let falling: Vec<String> = [threes.clone(), vec![at(2)], ones.clone()].concat();
    let rising: Vec<String> = [ones, vec![at(2)], threes].concat();
    for size in [1, 2, 50] {
        for (order, expected) in [("Priority:desc,DateCreated:asc", &falling), ("Priority:asc", &rising)] {
            let path = format!("{ws}/Tasks?PageSize={size}&Ordering={order}");
            assert_eq!(all(&desk, &path, "tasks").await, *expected, "{path}");
        }
    }
    let first = desk.ask("GET", &format!("{ws}/Tasks?PageSize=2&Ordering=Priority:asc"), "").await;
    let next = first["meta"]["next_page_url"].as_str().unwrap();
    let next = desk.ask("GET", next.strip_prefix("http://box.example:8080/v1/Workspaces").unwrap(), "").await;
    let back = next["meta"]["previous_page_url"].as_str().unwrap();
    let back = desk.ask("GET", back.strip_prefix("http://box.example:8080/v1/Workspaces").unwrap(), "").await;
    assert_eq!(sids(&back, "tasks"), sids(&first, "tasks"));
}

/// What a workspace of the FIFO template begins with.
#[tokio::test]
async fn the_fifo_template_has_a_queue_of_everybody_and_a_workflow_into_it() {
    let desk = Desk::open().await;
    let (ws, _) = workspace(&desk, &[]).await;
    let activities = desk.ask("GET", &format!("{ws}/Activities"), "").await;
    let mut named: Vec<_> = activities["activities"].as_array().unwrap().iter().collect();
    named.sort_by_key(|one| one["friendly_name"].to_string());
    let named: Vec<_> =
        named.iter().map(|one| (one["friendly_name"].as_str().unwrap(), &one["available"])).collect();
    let (yes, no) = (json!(true), json!(false));
    assert_eq!(named, [("Available", &yes), ("Offline", &no), ("Unavailable", &no)]);
    let shown = desk.ask("GET", &ws, "").await;
    assert_eq!(
        (&shown["default_activity_name"], &shown["timeout_activity_name"]),
        (&json!("Offline"), &json!("Offline"))
    );
    let queues = desk.ask("GET", &format!("{ws}/TaskQueues"), "").await["task_queues"].clone();
    assert_eq!(queues.as_array().map(Vec::len), Some(1));
    let queue = &queues[0];
    let of = ["target_workers", "max_reserved_workers", "task_order"].map(|key| queue[key].clone());
    assert_eq!(of, [json!("1==1"), json!(1), json!("FIFO")]);
    let flows = desk.ask("GET", &format!("{ws}/Workflows"), "").await["workflows"].clone();
    assert_eq!(flows.as_array().map(Vec::len), Some(1));
    assert_eq!(flows[0]["task_reservation_timeout"], 120);
    let configuration: Value = serde_json::from_str(flows[0]["configuration"].as_str().unwrap()).unwrap();
    assert_eq!(configuration["task_routing"]["default_filter"]["queue"], queue["sid"]);
    let plain = sid(&desk.make("", &[("FriendlyName", "Plain")]).await);
    for list in ["TaskQueues", "Workflows"] {
        let key = if list == "Workflows" { "workflows" } else { "task_queues" };
        let none = desk.ask("GET", &format!("/{plain}/{list}"), "").await[key].clone();
        assert_eq!(none, json!([]), "{list}: without the template there is none");
    }
}

#[tokio::test]
async fn lists_show_what_is_asked_for() {
    let desk = Desk::open().await;
    let (ws, tasks) = workspace(&desk, &[5, 0]).await;
    let worker = [("FriendlyName", "Ann"), ("Attributes", "{\"level\":3}")];
    let ann = sid(&desk.make(&format!("{ws}/Workers"), &worker).await);
    let bob = sid(&desk.make(&format!("{ws}/Workers"), &[("FriendlyName", "Bob")]).await);
    let queue = [("FriendlyName", "High"), ("TargetWorkers", "level >= 2")];
    let high = sid(&desk.make(&format!("{ws}/TaskQueues"), &queue).await);
    let sample =
        sid(&desk.ask("GET", &format!("{ws}/TaskQueues?FriendlyName=Sample+Queue"), "").await["task_queues"]
            [0]);
    let (both, none) = ([ann.clone(), bob.clone()], Vec::new());
    for (path, key, expected) in [
        ("Tasks?Priority=5", "tasks", vec![tasks[0].clone()]),
        ("Tasks?EvaluateTaskAttributes=kind%3D%3D1", "tasks", none.clone()),
        ("Tasks?AssignmentStatus=pending&AssignmentStatus=assigned", "tasks", tasks.clone()),
        ("Tasks?AssignmentStatus=completed", "tasks", none.clone()),
        ("Tasks?TaskQueueName=Sample+Queue", "tasks", tasks.clone()),
        ("Tasks?TaskQueueName=High", "tasks", none.clone()),
        ("Tasks?WorkflowName=Default+Fifo+Workflow", "tasks", tasks.clone()),
        ("Tasks?WorkflowName=x", "tasks", none.clone()),
        ("Tasks?HasAddons=true", "tasks", none.clone()),
        ("Tasks?HasAddons=false", "tasks", tasks.clone()),
        ("Tasks?RoutingTarget=x", "tasks", none.clone()),
        ("Workers?TaskQueueName=High", "workers", vec![ann.clone()]),
        ("Workers?TaskQueueName=Sample+Queue", "workers", both.to_vec()),
        ("Workers?TargetWorkersExpression=friendly_name%3D%3D'Bob'", "workers", vec![bob.clone()]),
        ("Workers?TargetWorkersExpression=level+%3E+2", "workers", vec![ann.clone()]),
        ("Workers?Available=yes", "workers", none.clone()),
        ("Workers?Available=0&FriendlyName=Ann", "workers", vec![ann.clone()]),
        ("Workers?ActivityName=Offline&Ordering=DateUpdated:desc", "workers", both.to_vec()),
        ("TaskQueues?EvaluateWorkerAttributes=%7B%22level%22:1%7D", "task_queues", vec![sample.clone()]),
        (&format!("TaskQueues?WorkerSid={ann}"), "task_queues", vec![sample.clone(), high.clone()]),
    ] {
        let mut found = all(&desk, &format!("{ws}/{path}"), key).await;
        let mut expected = expected;
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{path}");
    }
    // Page by page, in either order, filtered or not; all of one moment, and what is equal comes by sid.
    let by_sid = |mut both: [String; 2]| {
        both.sort();
        both
    };
    let (workers, queues) = (by_sid([ann.clone(), bob.clone()]), by_sid([sample.clone(), high.clone()]));
    for (path, key, expected) in [
        ("Workers?PageSize=1", "workers", &workers),
        ("Workers?PageSize=1&Ordering=DateCreated:desc", "workers", &workers),
        ("Workers?PageSize=1&TaskQueueName=Sample+Queue", "workers", &workers),
        (&format!("TaskQueues?PageSize=1&WorkerSid={ann}&Ordering=DateCreated:desc"), "task_queues", &queues),
    ] {
        assert_eq!(all(&desk, &format!("{ws}/{path}"), key).await, *expected, "{path}");
    }
    for (path, code) in [
        ("Tasks?Page=2", 40153),
        (&format!("Tasks/{}/Reservations?Page=1", tasks[0]), 40153),
        (&format!("Workers/{ann}/Channels?Page=3"), 40153),
        ("Workers?Page=1", 21481),
        ("Tasks?Ordering=DateCreated:asc,VirtualStartTime:asc", 20001),
        ("Workers?Ordering=Level:asc", 20001),
        ("Events?TaskSid=x", 20001),
    ] {
        let (status, _, body) = desk.send("GET", &format!("{ws}/{path}"), "", None).await;
        assert_eq!((status, &body["code"]), (400, &json!(code)), "{path}: {body}");
    }
}

#[tokio::test]
async fn events_are_read_to_the_first_page_by_page() {
    let desk = Desk::open().await;
    let (ws, tasks) = workspace(&desk, &[0, 0, 0]).await;
    let since = "StartDate=2020-01-01";
    let whole = all(&desk, &format!("{ws}/Events?{since}&PageSize=1000"), "events").await;
    assert!(whole.len() > 10, "{whole:?}");
    assert_eq!(all(&desk, &format!("{ws}/Events?{since}&PageSize=2"), "events").await, whole);
    let created = desk
        .ask("GET", &format!("{ws}/Events?{since}&EventType=task.created&TaskSid={}", tasks[1]), "")
        .await;
    assert_eq!(created["events"].as_array().unwrap().len(), 1);
    let event = &created["events"][0];
    assert_eq!(
        (&event["resource_sid"], &event["event_data"]["task_assignment_status"]),
        (&json!(tasks[1]), &json!("pending"))
    );
    let one = desk.ask("GET", &format!("{ws}/Events?Sid={}", sid(event)), "").await;
    assert_eq!(sids(&one, "events"), [sid(event)]);
    let channel = |name: &str| format!("{ws}/Events?{since}&EventType=task.created&TaskChannel={name}");
    assert_eq!(all(&desk, &channel("default"), "events").await.len(), 3);
    assert_eq!(all(&desk, &channel("voice"), "events").await.len(), 0);
    let other = "/WS00000000000000000000000000000009/Events";
    assert_eq!(desk.send("GET", other, "", None).await.0, 404);
}

#[tokio::test]
async fn statistics_of_several_queues_and_of_some_workers() {
    let desk = Desk::open().await;
    let (ws, _) = workspace(&desk, &[7, 7]).await;
    let worker = [("FriendlyName", "Ann"), ("Attributes", "{\"level\":3}")];
    desk.make(&format!("{ws}/Workers"), &worker).await;
    desk.make(&format!("{ws}/Workers"), &[("FriendlyName", "Bob")]).await;
    let queue = [("FriendlyName", "High"), ("TargetWorkers", "level >= 2")];
    let high = sid(&desk.make(&format!("{ws}/TaskQueues"), &queue).await);
    let sample =
        sid(&desk.ask("GET", &format!("{ws}/TaskQueues?FriendlyName=Sample+Queue"), "").await["task_queues"]
            [0]);
    let path = format!("{ws}/TaskQueues/RealTimeStatistics");
    let body = json!({ "TaskQueueSids": [sample, high] }).to_string();
    let told = desk.ask("POST", &path, &body).await;
    assert_eq!(told["task_queue_response_count"], 2);
    let of = |n: usize| &told["task_queue_data"][n];
    assert_eq!((&of(0)["task_queue_sid"], &of(0)["total_tasks"]), (&json!(sample), &json!(2)));
    assert_eq!((&of(0)["tasks_by_priority"]["7"], &of(0)["total_eligible_workers"]), (&json!(2), &json!(2)));
    assert_eq!((&of(1)["total_tasks"], &of(1)["total_eligible_workers"]), (&json!(0), &json!(1)));
    for (body, status, code) in [
        ("{".to_owned(), 400, 20001),
        (json!({ "TaskQueueSids": ["WQ1"] }).to_string(), 400, 20001),
        (json!(vec!["WQ00000000000000000000000000000009"; 51]).to_string(), 400, 20001),
        (json!(["WQ00000000000000000000000000000009"]).to_string(), 404, 20404),
    ] {
        let (told, _, answer) = desk.send("POST", &path, &body, None).await;
        assert_eq!((told, &answer["code"]), (status, &json!(code)), "{body}: {answer}");
    }
    for (query, workers) in [
        ("", 2),
        ("?FriendlyName=Ann", 1),
        ("?TaskQueueName=High", 1),
        (&format!("?TaskQueueSid={high}"), 1),
        ("?TaskQueueName=None", 0),
    ] {
        let told = desk.ask("GET", &format!("{ws}/Workers/Statistics{query}"), "").await;
        assert_eq!(told["realtime"]["total_workers"], workers, "{query}");
    }
    let channel = sid(&desk.ask("GET", &format!("{ws}/TaskChannels/voice"), "").await);
    let default = sid(&desk.ask("GET", &format!("{ws}/TaskChannels/default"), "").await);
    for (name, tasks) in [(channel.as_str(), 0), (&default, 2), ("default", 2), ("voice", 0)] {
        let told = desk.ask("GET", &format!("{ws}/RealTimeStatistics?TaskChannel={name}"), "").await;
        assert_eq!(told["total_tasks"], tasks, "{name}");
    }
}

#[tokio::test]
async fn a_configuration_may_be_of_a_megabyte() {
    let desk = Desk::open().await;
    let (ws, _) = workspace(&desk, &[]).await;
    let queue = sid(&desk.ask("GET", &format!("{ws}/TaskQueues"), "").await["task_queues"][0]);
    let with = |bytes: usize| {
        let filter = json!({ "filter_friendly_name": "x".repeat(bytes), "expression": "1==1", "targets": [{ "queue": queue }] });
        json!({ "task_routing": { "filters": [filter] } }).to_string()
    };
    let large = with(1_000_000);
    let made =
        desk.make(&format!("{ws}/Workflows"), &[("FriendlyName", "Large"), ("Configuration", &large)]).await;
    assert_eq!(made["configuration"], large);
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    let form = form.append_pair("FriendlyName", "L").append_pair("Configuration", &with(1_038_576)).finish();
    let (status, _, body) = desk.send("POST", &format!("{ws}/Workflows"), &form, None).await;
    assert_eq!((status, &body["code"]), (400, &json!(20001)), "{body}");
}

#[tokio::test]
async fn what_a_worker_does_is_changed_only_so() {
    let desk = Desk::open().await;
    let single = [("FriendlyName", "One"), ("MultiTaskEnabled", "false"), ("Template", "FIFO")];
    let ws = format!("/{}", sid(&desk.make("", &single).await));
    let activities = desk.ask("GET", &format!("{ws}/Activities"), "").await;
    let named = |name: &str| {
        sid(activities["activities"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["friendly_name"] == name)
            .unwrap())
    };
    let (idle, offline) = (named("Idle"), named("Offline"));
    let ann = [("FriendlyName", "Ann"), ("ActivitySid", idle.as_str())];
    let ann = format!("{ws}/Workers/{}", sid(&desk.make(&format!("{ws}/Workers"), &ann).await));
    let task =
        format!("{ws}/Tasks/{}", sid(&desk.make(&format!("{ws}/Tasks"), &[("Attributes", "{}")]).await));
    let does = async || desk.ask("GET", &ann, "").await["activity_name"].clone();
    assert_eq!(does().await, "Reserved");
    let wrong = format!("ActivitySid={idle}&RejectPendingReservations=true");
    assert_eq!(desk.send("POST", &ann, &wrong, None).await.0, 400);
    desk.ask("POST", &ann, &format!("ActivitySid={offline}&RejectPendingReservations=true")).await;
    assert_eq!(
        (does().await, &desk.ask("GET", &task, "").await["assignment_status"]),
        (json!("Offline"), &json!("pending"))
    );
    desk.ask("POST", &ann, &format!("ActivitySid={idle}")).await;
    let list = desk.ask("GET", &format!("{ann}/Reservations?ReservationStatus=pending"), "").await;
    let offer = format!("{ann}/Reservations/{}", sid(&list["reservations"][0]));
    desk.ask("POST", &offer, "ReservationStatus=accepted").await;
    assert_eq!(does().await, "Busy");
    let changed = desk.ask("POST", &task, "VirtualStartTime=2020-01-02T03:04:05Z&Priority=9").await;
    assert_eq!(
        (&changed["virtual_start_time"], &changed["priority"]),
        (&json!("2020-01-02T03:04:05Z"), &json!(9))
    );
    assert_eq!(desk.send("POST", &task, "TaskChannel=voice", None).await.0, 400);
    assert_eq!(desk.send("POST", &task, "VirtualStartTime=2099-01-02T03:04:05Z", None).await.0, 400);
    let other = sid(&desk.make(&format!("{ws}/Tasks"), &[("Attributes", "{}")]).await);
    let moved = desk.ask("POST", &format!("{ws}/Tasks/{other}"), "TaskChannel=voice").await;
    assert_eq!(moved["task_channel_unique_name"], "voice");
}

/// The box's own: each reservation says why it is this worker's, and not one of those whose turn it would have been.
#[tokio::test]
async fn a_reservation_explains_itself() {
    let desk = Desk::open().await;
    let (ws, _) = workspace(&desk, &[]).await;
    let activities = desk.ask("GET", &format!("{ws}/Activities?Available=true"), "").await;
    let available = sid(&activities["activities"][0]);
    let queue = sid(&desk.ask("GET", &format!("{ws}/TaskQueues"), "").await["task_queues"][0]);
    let flow = sid(&desk.ask("GET", &format!("{ws}/Workflows"), "").await["workflows"][0]);
    let target = json!({ "queue": queue, "expression": "worker.level > 1" });
    let configuration = json!({ "task_routing": { "default_filter": target } }).to_string();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("Configuration", &configuration)
        .finish();
    desk.ask("POST", &format!("{ws}/Workflows/{flow}"), &form).await;
    let mut workers = Vec::new();
    for (name, attributes) in [("Ann", "{\"level\":1}"), ("Bob", "{\"level\":2}")] {
        let form = [("FriendlyName", name), ("Attributes", attributes), ("ActivitySid", &available)];
        workers.push(sid(&desk.make(&format!("{ws}/Workers"), &form).await));
    }
    let [ann, bob] = [&workers[0], &workers[1]];
    let task = sid(&desk.make(&format!("{ws}/Tasks"), &[("Attributes", "{}")]).await);
    let offers = desk.ask("GET", &format!("{ws}/Tasks/{task}/Reservations"), "").await;
    let offer = sid(&offers["reservations"][0]);
    for place in [format!("Tasks/{task}"), format!("Workers/{bob}")] {
        let path = format!("{ws}/{place}/Reservations/{offer}/Explanation");
        let shown = desk.ask("GET", &path, "").await;
        let why = "the target's expression is not true of it";
        let expected = json!({
            "account_sid": desk.api.account_sid,
            "workspace_sid": &ws[1..],
            "task_sid": task,
            "reservation_sid": offer,
            "worker_sid": bob,
            "worker_name": "Bob",
            "text": format!(
                "the task came: 2 serve its queue, 2 of them were free; passed over {ann}: {why}; idle the longest of \
                 those who could"
            ),
            "passed_over": [{ "worker_sid": ann, "obstacle": why }],
            "url": format!("http://box.example:8080/v1/Workspaces{path}"),
        });
        assert_eq!(shown, expected);
    }
    let others = format!("{ws}/Workers/{ann}/Reservations/{offer}/Explanation");
    assert_eq!(desk.send("GET", &others, "", None).await.0, 404, "it is not hers");
}
