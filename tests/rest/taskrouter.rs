//! TaskRouter as it is published: every operation with every parameter, once as it should be and once as it should not,
//! each answer held against its description; and what lists and statistics show.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use sim::NUMBER;

use crate::house::{Answer, House};
use crate::judge::judge;
use crate::oai::{Description, Operation, Parameter};

#[tokio::test(flavor = "current_thread")]
async fn taskrouter_is_answered_as_published() {
    let Some(description) = Description::named("twilio_taskrouter_v1.json") else { return };
    let mut survey = Survey { house: House::open().await, faults: Vec::new() };
    let operations = description.operations();
    for operation in &operations {
        survey.ask(operation, &description).await;
    }
    assert!(operations.len() > 60, "{} operations", operations.len());
    assert!(survey.faults.is_empty(), "{} faults:\n{}", survey.faults.len(), survey.faults.join("\n"));
}

/// A workspace in which there is one of everything.
struct Office {
    workspace: String,
    activity: String,
    channel: String,
    worker: String,
    worker_channel: String,
    queue: String,
    workflow: String,
    task: String,
    reservation: String,
    event: String,
    /// The call that waits for the task, where there is one.
    call: String,
}

struct Survey {
    house: House,
    faults: Vec<String>,
}

impl Survey {
    async fn ask(&mut self, operation: &Operation, description: &Description) {
        let name = operation.name();
        let mut office = self.furnish(operation).await;
        let answer = self.send(operation, &office, &least(operation, &office)).await;
        if !(200..300).contains(&answer.status) {
            self.faults.push(format!("{name}: {} {}", answer.status, answer.body));
            return;
        }
        self.faults.extend(judge(operation, &answer, description));
        let changes = ["/Reservations/{Sid}", "/Tasks/{Sid}"];
        let again =
            operation.method == "DELETE" || changes.iter().any(|part| operation.template.contains(part));
        for parameter in &operation.parameters {
            if let Some(good) = good(operation, parameter, &office) {
                if again {
                    office = self.furnish(operation).await;
                }
                let value = good_value(&good, parameter, operation, &office);
                let form = with(operation, &office, &parameter.name, &value);
                let answer = self.send(operation, &office, &form).await;
                if !(200..300).contains(&answer.status) {
                    let told = format!("{} {}", answer.status, answer.body);
                    self.faults.push(format!("{name}: {form} is refused: {told}"));
                }
            }
            if parameter.required {
                let form = without(&least(operation, &office), &parameter.name);
                let answer = self.send(operation, &office, &form).await;
                if answer.body["code"] != 20001 {
                    self.faults.push(format!("{name}: without {}: {}", parameter.name, answer.body));
                }
            }
            if let Some((bad, codes)) = bad(operation, parameter) {
                if again {
                    office = self.furnish(operation).await;
                }
                let form = with(operation, &office, &parameter.name, bad);
                let answer = self.send(operation, &office, &form).await;
                let code = answer.body["code"].as_u64().unwrap_or_default();
                if !codes.contains(&code) {
                    self.faults.push(format!("{name}: {form} is told {code}, not {codes:?}"));
                }
            }
        }
    }

    async fn send(&mut self, operation: &Operation, office: &Office, form: &str) -> Answer {
        let path = path(operation, office);
        let answer = match operation.method.as_str() {
            "POST" if operation.template.ends_with("/TaskQueues/RealTimeStatistics") => {
                let body = json!({ "TaskQueueSids": [office.queue] }).to_string();
                self.house.ask("POST", &path, &body).await
            }
            "POST" => self.house.ask("POST", &path, form).await,
            method => self.house.ask(method, &format!("{path}?{form}"), "").await,
        };
        if answer.status >= 500 {
            self.faults.push(format!("{} {form}: {} {}", operation.name(), answer.status, answer.body));
        }
        answer
    }

    async fn make(&mut self, path: &str, form: &[(&str, &str)]) -> String {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        let answer = self.house.ask("POST", path, &text.extend_pairs(form).finish()).await;
        assert_eq!(answer.status, 201, "{path} {form:?}: {}", answer.body);
        answer.body["sid"].as_str().unwrap().to_owned()
    }

    async fn first(&mut self, path: &str, key: &str) -> String {
        let list = self.house.ask("GET", path, "").await;
        list.body[key][0]["sid"].as_str().unwrap_or_else(|| panic!("{path}: {}", list.body)).to_owned()
    }

    async fn furnish(&mut self, operation: &Operation) -> Office {
        // The last one is not needed any more, with whatever waits in it.
        let before = self.house.ask("GET", "/v1/Workspaces?PageSize=1000", "").await;
        for old in before.body["workspaces"].as_array().into_iter().flatten() {
            let path = format!("/v1/Workspaces/{}", old["sid"].as_str().unwrap_or_default());
            let gone = self.house.ask("DELETE", &path, "").await;
            assert_eq!(gone.status, 204, "{path}: {}", gone.body);
        }
        if operation.template.contains("/Reservations/{Sid}") {
            self.house.silence().await;
        }
        let name = format!("office{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let workspace = self.make("/v1/Workspaces", &[("FriendlyName", &name)]).await;
        let root = format!("/v1/Workspaces/{workspace}");
        let activity = self.make(&format!("{root}/Activities"), &[("FriendlyName", "Break")]).await;
        let channel = [("FriendlyName", "Fax"), ("UniqueName", "fax")];
        let channel = self.make(&format!("{root}/TaskChannels"), &channel).await;
        let idle = self
            .make(&format!("{root}/Activities"), &[("FriendlyName", "Idle"), ("Available", "true")])
            .await;
        let queue = self.make(&format!("{root}/TaskQueues"), &[("FriendlyName", "All")]).await;
        let routing = json!({ "task_routing": { "default_filter": { "queue": queue } } }).to_string();
        let workflow = [("FriendlyName", "Flow"), ("Configuration", routing.as_str())];
        let workflow = self.make(&format!("{root}/Workflows"), &workflow).await;
        let is_deleted = operation.method == "DELETE";
        // A task that changes is one that nobody was offered.
        let waits = operation.template.ends_with("/Tasks/{Sid}");
        let has_task = !is_deleted || operation.template.contains("/Tasks/");
        let at_work = has_task && !waits;
        let attributes = "{\"contact_uri\":\"client:ann\"}";
        let mut worker = vec![("FriendlyName", "Ann"), ("Attributes", attributes)];
        if at_work {
            worker.push(("ActivitySid", &idle));
        }
        let worker = self.make(&format!("{root}/Workers"), &worker).await;
        let worker_channel = self.first(&format!("{root}/Workers/{worker}/Channels"), "channels").await;
        let mut call = String::new();
        let (mut task, mut reservation) = (String::new(), String::new());
        if has_task {
            if operation.template.contains("/Reservations/{Sid}") && operation.method == "POST" {
                let verbs = format!("<Enqueue workflowSid=\"{workflow}\"><Task>{{}}</Task></Enqueue>");
                call = self.house.live_call(&verbs).await;
                task = self.first(&format!("{root}/Tasks"), "tasks").await;
            } else {
                task = self.make(&format!("{root}/Tasks"), &[("Attributes", "{}")]).await;
            }
            if at_work {
                reservation = self.first(&format!("{root}/Tasks/{task}/Reservations"), "reservations").await;
            }
        }
        let is_queue = operation.template.ends_with("/TaskQueues/{Sid}");
        let queue = match is_deleted && is_queue {
            // One that no workflow names.
            true => self.make(&format!("{root}/TaskQueues"), &[("FriendlyName", "Spare")]).await,
            false => queue,
        };
        let event = self.first(&format!("{root}/Events?StartDate=2020-01-01"), "events").await;
        Office {
            workspace,
            activity,
            channel,
            worker,
            worker_channel,
            queue,
            workflow,
            task,
            reservation,
            event,
            call,
        }
    }
}

fn path(operation: &Operation, office: &Office) -> String {
    let mut path = operation.template.clone();
    let last = match path.rsplit_once("/{Sid}") {
        Some((before, _)) => before.rsplit('/').next().unwrap_or_default().to_owned(),
        None => String::new(),
    };
    let sid = match last.as_str() {
        "Workspaces" => &office.workspace,
        "Activities" => &office.activity,
        "Events" => &office.event,
        "Tasks" => &office.task,
        "TaskChannels" => &office.channel,
        "TaskQueues" => &office.queue,
        "Reservations" => &office.reservation,
        "Workers" => &office.worker,
        "Channels" => &office.worker_channel,
        "Workflows" => &office.workflow,
        _ => "",
    };
    for (name, sid) in [
        ("{Sid}", sid),
        ("{WorkspaceSid}", &office.workspace),
        ("{TaskSid}", &office.task),
        ("{WorkerSid}", &office.worker),
        ("{TaskQueueSid}", &office.queue),
        ("{WorkflowSid}", &office.workflow),
    ] {
        path = path.replace(name, sid);
    }
    path
}

fn form(pairs: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn least(operation: &Operation, office: &Office) -> String {
    let mut pairs = Vec::new();
    for parameter in operation.parameters.iter().filter(|parameter| parameter.required) {
        let value = match parameter.name.as_str() {
            "Configuration" => routing(office),
            "UniqueName" => format!("name{}", COUNT.fetch_add(1, Ordering::Relaxed)),
            _ => format!("name {}", COUNT.fetch_add(1, Ordering::Relaxed)),
        };
        pairs.push((parameter.name.clone(), value));
    }
    if operation.template.contains("/Reservations/{Sid}") && operation.method == "POST" {
        pairs.push(("ReservationStatus".to_owned(), "accepted".to_owned()));
    }
    form(&pairs)
}

fn routing(office: &Office) -> String {
    json!({ "task_routing": { "default_filter": { "queue": office.queue } } }).to_string()
}

fn without(least: &str, name: &str) -> String {
    let pairs = url::form_urlencoded::parse(least.as_bytes()).into_owned().filter(|(n, _)| n != name);
    form(&pairs.collect::<Vec<_>>())
}

/// The least, this parameter, and what it needs beside it.
fn with(operation: &Operation, office: &Office, name: &str, value: &str) -> String {
    let beside = beside(operation, name, office);
    let mut least = least(operation, office);
    if !beside.is_empty() {
        least = without(&least, "ReservationStatus");
    }
    let least = without(&least, name);
    let mut pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(least.as_bytes()).into_owned().collect();
    pairs.extend(beside);
    pairs.retain(|(n, _)| n != name);
    pairs.push((name.to_owned(), value.to_owned()));
    form(&pairs)
}

/// What must be said beside a parameter for it to mean something.
fn beside(operation: &Operation, name: &str, office: &Office) -> Vec<(String, String)> {
    let all =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let template = operation.template.as_str();
    if operation.method == "POST" && template.contains("/Reservations/{Sid}") {
        let url = "http://web.example/x";
        return match name {
            "ReservationStatus" => Vec::new(),
            "WorkerActivitySid" => all(&[("ReservationStatus", "rejected")]),
            name if name.starts_with("Dequeue") => all(&[("Instruction", "dequeue")]),
            "CallFrom"
            | "CallUrl"
            | "CallTo"
            | "CallRecord"
            | "CallTimeout"
            | "CallAccept"
            | "CallStatusCallbackUrl" => {
                all(&[("Instruction", "call"), ("CallFrom", NUMBER), ("CallUrl", url)])
            }
            name if name.starts_with("Redirect") => {
                all(&[("Instruction", "redirect"), ("RedirectCallSid", &office.call), ("RedirectUrl", url)])
            }
            "Supervisor" | "SupervisorMode" => {
                all(&[("Instruction", "supervise"), ("Supervisor", "client:bob")])
            }
            "Instruction" => Vec::new(),
            "SipAuthUsername" => all(&[("Instruction", "conference"), ("SipAuthPassword", "Secret-12345")]),
            "SipAuthPassword" => all(&[("Instruction", "conference"), ("SipAuthUsername", "ann")]),
            _ => all(&[("Instruction", "conference")]),
        };
    }
    match name {
        "Reason" => all(&[("AssignmentStatus", "canceled")]),
        "AssignmentStatus" if operation.method == "POST" => all(&[("Reason", "x")]),
        "IgnoreCapacity" => all(&[("RoutingTarget", &office.worker)]),
        "RejectPendingReservations" => all(&[("ActivitySid", &office.activity)]),
        _ => Vec::new(),
    }
}

/// What is taken, in words; `None`: there is none to be tried alone.
fn good(operation: &Operation, parameter: &Parameter, _: &Office) -> Option<String> {
    let template = operation.template.as_str();
    let of_reservation = operation.method == "POST" && template.contains("/Reservations/{Sid}");
    match parameter.name.as_str() {
        "PageToken" | "Page" => None,
        // Only who talks is supervised; see the scenarios of calls.
        "Supervisor" | "SupervisorMode" => None,
        "Instruction" if of_reservation => Some("accept".to_owned()),
        _ => Some(String::new()),
    }
}

fn good_value(word: &str, parameter: &Parameter, operation: &Operation, office: &Office) -> String {
    if !word.is_empty() {
        return word.to_owned();
    }
    let is_post = operation.method == "POST";
    let text = match parameter.name.as_str() {
        "FriendlyName" | "UniqueName" => return format!("name{}", COUNT.fetch_add(1, Ordering::Relaxed)),
        "Configuration" => return routing(office),
        "TargetWorkers" | "TargetWorkersExpression" => "level >= 2 AND languages HAS \"de\"",
        "EvaluateTaskAttributes" => "type == 'sale'",
        "Attributes" | "EvaluateWorkerAttributes" => "{\"level\": 3}",
        "ActivitySid"
        | "DefaultActivitySid"
        | "TimeoutActivitySid"
        | "ReservationActivitySid"
        | "AssignmentActivitySid"
        | "WorkerActivitySid"
        | "DequeuePostWorkActivitySid"
        | "PostWorkActivitySid" => &office.activity,
        "WorkflowSid" => &office.workflow,
        "TaskQueueSid" => &office.queue,
        "WorkerSid" | "RoutingTarget" => &office.worker,
        "TaskSid" => &office.task,
        "ReservationSid" => &office.reservation,
        "Sid" => &office.event,
        "RedirectCallSid" => &office.call,
        "TaskChannel" => "voice",
        "AssignmentStatus" if is_post => "canceled",
        "AssignmentStatus" => "pending",
        "ReservationStatus" => "accepted",
        "Template" => "FIFO",
        "Ordering" => "DateCreated:desc",
        "SplitByWaitTime" => "5,10",
        "EventsFilter" => "task.created,task.canceled",
        "EventType" => "task.created",
        "VirtualStartTime" => "2020-01-02T03:04:05Z",
        "DequeueTo" | "CallTo" | "To" => "client:bob",
        "DequeueFrom" | "CallFrom" | "From" => NUMBER,
        "DequeueRecord" | "CallRecord" => "record-from-answer",
        "DequeueStatusCallbackEvent" => "answered",
        "DequeueTimeout" | "CallTimeout" | "Timeout" => "20",
        "Beep" | "ConferenceRecord" => "true",
        "ConferenceTrim" => "trim-silence",
        "RecordingChannels" => "mono",
        "Region" => "ie1",
        "JitterBufferSize" => "large",
        "MaxParticipants" => "10",
        "MaxReservedWorkers" | "Capacity" => "2",
        "Available" | "IgnoreCapacity" | "ReEvaluateTasks" => "true",
        _ => return by_type(&parameter.schema),
    };
    text.to_owned()
}

fn by_type(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        return words.first().and_then(Value::as_str).unwrap_or_default().to_owned();
    }
    if schema["items"].is_object() {
        return by_type(&schema["items"]);
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("boolean"), _) => "true",
        (Some("integer" | "number"), _) => "1",
        (_, Some("uri")) => "http://web.example/x",
        (_, Some("http-method")) => "POST",
        (_, Some("date-time")) => "2026-01-02T03:04:05Z",
        _ => "x",
    }
    .to_owned()
}

/// A value that is to be refused, and with what.
fn bad(operation: &Operation, parameter: &Parameter) -> Option<(&'static str, Vec<u64>)> {
    let schema = &parameter.schema;
    let schema = if schema["items"].is_object() { &schema["items"] } else { schema };
    let is_post = operation.method == "POST";
    let of_reservation = is_post && operation.template.contains("/Reservations/{Sid}");
    let bad = match parameter.name.as_str() {
        "PageSize" => return Some(("1001", vec![20007])),
        "PageToken" => return Some(("here", vec![21481])),
        "Page" => return Some(("first", vec![20001])),
        "TargetWorkers" | "TargetWorkersExpression" | "EvaluateTaskAttributes" => "skill-level == 1",
        "Attributes" | "EvaluateWorkerAttributes" | "Configuration" => "{",
        "Ordering" => "Age:asc",
        "SplitByWaitTime" => "soon",
        "Template" => "BIG",
        // Of activities and workers "all other values" are a no, as published.
        "Available" if !operation.template.contains("/Channels") => return None,
        "Available" => "perhaps",
        "RoutingTarget" if is_post => "nobody",
        "TaskChannel" if is_post => "nothing",
        "FriendlyName" | "UniqueName" if is_post => {
            "a name of much more than sixty-four characters, which is the most that one may have"
        }
        "Region" | "To" | "From" | "DequeueTo" | "DequeueFrom" | "CallTo" | "CallFrom" | "Supervisor"
        | "SipAuthUsername" | "SipAuthPassword" => return None,
        _ if schema["pattern"].is_string() => "XX1",
        _ if schema["enum"].is_array() => "nonsense",
        _ => match (schema["type"].as_str(), schema["format"].as_str()) {
            (_, Some("uri" | "http-method")) => "next door",
            (Some("boolean"), _) => "perhaps",
            (Some("integer" | "number"), _) => "many",
            (_, Some("date-time")) => "yesterday",
            _ if of_reservation => "nonsense",
            _ => return None,
        },
    };
    // Instructions have numbers of their own (reference: error-codes).
    let codes = if of_reservation { [20001].into_iter().chain(40100..=40159).collect() } else { vec![20001] };
    Some((bad, codes))
}

/// Things made so far.
static COUNT: AtomicU32 = AtomicU32::new(0);
