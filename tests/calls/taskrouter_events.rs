//! Everything a workspace tells of (reference: taskrouter §9): each published kind of event happens, and says what is
//! published of its subject.

use std::collections::{BTreeMap, BTreeSet};

use call::record::StoreItem;
use call::taskrouter::rows::RouterItem;
use call::taskrouter::{
    DeskAsk, QueueForm, ReservationChange, RouterAsk, RouterReply, TaskForm, TransferForm, WorkerForm,
    WorkflowForm, WorkspaceForm,
};
use router::{Direct, Expr, Instruction, ReservationStatus, TaskStatus, TransferMode, read_attributes};
use sim::{Answer, Reaction, param};

use crate::taskrouter::{Desk, HAPPENED, ask};

const ACTIVITY: &[&str] = &["ActivitySid", "ActivityName"];
const CHANNEL: &[&str] = &["TaskChannelSid", "TaskChannelUniqueName", "TaskChannelName"];
const TASK: &[&str] = &[
    "TaskSid",
    "TaskAttributes",
    "TaskAge",
    "TaskPriority",
    "TaskAssignmentStatus",
    "TaskChannelSid",
    "TaskChannelUniqueName",
    "TaskChannelName",
];
const QUEUE: &[&str] = &["TaskQueueSid", "TaskQueueName", "TaskQueueTargetExpression"];
const WORKFLOW: &[&str] = &["WorkflowSid", "WorkflowName"];
const WORKER: &[&str] = &[
    "WorkerSid",
    "WorkerName",
    "WorkerAttributes",
    "WorkerActivitySid",
    "WorkerActivityName",
    "WorkerVersion",
];
const PREVIOUS: &[&str] = &[
    "WorkerPreviousActivitySid",
    "WorkerPreviousActivityName",
    "WorkerTimeInPreviousActivity",
    "WorkerTimeInPreviousActivityMs",
];
const SHARE: &[&str] = &[
    "WorkerChannelAvailable",
    "WorkerChannelAvailableCapacity",
    "WorkerChannelPreviousCapacity",
    "WorkerChannelTaskCount",
    "TaskChannelSid",
    "TaskChannelUniqueName",
];
const RESERVATION: &[&str] = &["ReservationSid"];
const COMMON: &[&str] = &[
    "EventType",
    "EventDescription",
    "AccountSid",
    "WorkspaceSid",
    "WorkspaceName",
    "ResourceType",
    "ResourceSid",
    "Timestamp",
    "TimestampMs",
    "Sid",
];

/// Every published kind, what it happens to, and what is said of it. A task that comes is in no queue yet.
const PUBLISHED: &[(&str, &str, &[&[&str]])] = &[
    ("activity.created", "activity", &[ACTIVITY]),
    ("activity.updated", "activity", &[ACTIVITY]),
    ("activity.deleted", "activity", &[ACTIVITY]),
    ("task.created", "task", &[TASK, WORKFLOW]),
    ("task.updated", "task", &[TASK, QUEUE, WORKFLOW]),
    ("task.canceled", "task", &[TASK, QUEUE, WORKFLOW, &["TaskCanceledReason"]]),
    ("task.wrapup", "task", &[TASK, QUEUE, WORKFLOW]),
    ("task.completed", "task", &[TASK, QUEUE, WORKFLOW, WORKER, &["TaskCompletedReason"]]),
    ("task.deleted", "task", &[TASK, QUEUE, WORKFLOW]),
    ("task.system-deleted", "task", &[TASK, QUEUE, WORKFLOW]),
    ("task.transfer-initiated", "task", &[TASK, QUEUE, WORKFLOW]),
    ("task.transfer-attempt-failed", "task", &[TASK, QUEUE, WORKFLOW]),
    ("task.transfer-failed", "task", &[TASK, QUEUE, WORKFLOW]),
    ("task.transfer-canceled", "task", &[TASK, QUEUE, WORKFLOW]),
    ("task.transfer-completed", "task", &[TASK, QUEUE, WORKFLOW]),
    ("reservation.created", "reservation", &[RESERVATION, TASK, WORKER, QUEUE, WORKFLOW]),
    ("reservation.accepted", "reservation", &[RESERVATION, TASK, WORKER, QUEUE, WORKFLOW]),
    ("reservation.rejected", "reservation", &[RESERVATION, TASK, WORKER, QUEUE, WORKFLOW]),
    ("reservation.timeout", "reservation", &[RESERVATION, TASK, WORKER, QUEUE, WORKFLOW]),
    ("reservation.canceled", "reservation", &[RESERVATION, TASK, WORKER, QUEUE, WORKFLOW]),
    ("reservation.rescinded", "reservation", &[RESERVATION, TASK, WORKER, QUEUE, WORKFLOW]),
    ("reservation.completed", "reservation", &[RESERVATION, TASK, WORKER, QUEUE, WORKFLOW]),
    ("reservation.failed", "reservation", &[RESERVATION, TASK, WORKER, QUEUE, WORKFLOW]),
    ("reservation.wrapup", "reservation", &[RESERVATION, TASK, WORKER, QUEUE, WORKFLOW]),
    ("task-channel.created", "task-channel", &[CHANNEL, &["TaskChannelOptimizedRouting"]]),
    ("task-channel.updated", "task-channel", &[CHANNEL, &["TaskChannelOptimizedRouting"]]),
    ("task-channel.deleted", "task-channel", &[CHANNEL, &["TaskChannelOptimizedRouting"]]),
    ("task-queue.created", "task-queue", &[QUEUE]),
    ("task-queue.deleted", "task-queue", &[QUEUE]),
    ("task-queue.entered", "task", &[TASK, QUEUE, WORKFLOW]),
    ("task-queue.timeout", "task", &[TASK, QUEUE, WORKFLOW]),
    ("task-queue.moved", "task", &[TASK, QUEUE, WORKFLOW]),
    ("task-queue.expression.updated", "task-queue", &[QUEUE]),
    ("worker.created", "worker", &[WORKER]),
    ("worker.activity.update", "worker", &[WORKER, PREVIOUS]),
    ("worker.attributes.update", "worker", &[WORKER]),
    ("worker.capacity.update", "worker", &[WORKER, SHARE]),
    ("worker.channel.availability.update", "worker", &[WORKER, SHARE]),
    ("worker.deleted", "worker", &[WORKER]),
    ("workflow.created", "workflow", &[WORKFLOW]),
    ("workflow.updated", "workflow", &[WORKFLOW]),
    ("workflow.deleted", "workflow", &[WORKFLOW]),
    (
        "workflow.target-matched",
        "task",
        &[TASK, WORKFLOW, &["WorkflowFilterName", "WorkflowFilterExpression"]],
    ),
    ("workflow.entered", "task", &[TASK, WORKFLOW]),
    ("workflow.timeout", "task", &[TASK, WORKFLOW]),
    ("workflow.skipped", "task", &[TASK, WORKFLOW]),
    ("workspace.created", "workspace", &[]),
    ("workspace.updated", "workspace", &[]),
    ("workspace.deleted", "workspace", &[]),
];

type Told = BTreeMap<String, String>;

impl Desk {
    fn events(&mut self) -> Vec<Told> {
        self.s.asked(HAPPENED).iter().map(|one| one.params.iter().cloned().collect()).collect()
    }

    fn task(&mut self, attributes: &str) -> base::TaskSid {
        let attributes = Some(read_attributes(attributes).expect("they are an object"));
        let form = TaskForm { attributes, ..TaskForm::default() };
        let RouterReply::Tasks(made) = self.ask(DeskAsk::PutTask(None, form)) else { panic!() };
        self.s.pass_ms(500);
        made[0].row.task.sid
    }

    fn becomes(&mut self, task: base::TaskSid, status: TaskStatus) {
        let form = TaskForm { status: Some(status), reason: Some("done".to_owned()), ..TaskForm::default() };
        self.ask(DeskAsk::PutTask(Some(task), form));
        self.s.pass_ms(500);
    }

    fn change(&mut self, sid: base::ReservationSid, change: ReservationChange) {
        self.ask(DeskAsk::UpdateReservation { sid, change, if_match: None });
        self.s.pass_ms(500);
    }

    fn queue(&mut self, name: &str, target: &str, max_reserved: u32) -> base::TaskQueueSid {
        let form = QueueForm {
            name: Some(name.to_owned()),
            target_workers: Some(Expr::parse(target).expect("it parses")),
            max_reserved: Some(max_reserved),
            ..QueueForm::default()
        };
        let RouterReply::Queues(made) = self.ask(DeskAsk::PutQueue(None, form)) else { panic!() };
        made[0].0.queue.sid
    }

    fn worker(&mut self, name: &str, attributes: &str) -> base::WorkerSid {
        let form = WorkerForm {
            name: Some(name.to_owned()),
            attributes: Some(read_attributes(attributes).expect("they are an object")),
            activity: Some(self.available),
            ..WorkerForm::default()
        };
        let RouterReply::Workers(made) = self.ask(DeskAsk::PutWorker(None, form)) else { panic!() };
        made[0].row.worker.sid
    }

    fn routes(&mut self, configuration: &str) {
        let form = WorkflowForm { configuration: Some(configuration.to_owned()), ..WorkflowForm::default() };
        let workflow = self.workflow.parse().expect("a sid");
        self.ask(DeskAsk::PutWorkflow(Some(workflow), form));
    }
}

/// Everything the workspace is made of comes, changes and goes.
fn furnished() -> Vec<Told> {
    let mut d = Desk::open(None);
    let lunch = DeskAsk::PutActivity { sid: None, name: Some("Lunch".to_owned()), available: false };
    let RouterReply::Activities(made) = d.ask(lunch) else { panic!() };
    let sid = made[0].activity.sid;
    d.ask(DeskAsk::PutActivity { sid: Some(sid), name: Some("Dinner".to_owned()), available: false });
    d.ask(DeskAsk::DeleteActivity(sid));
    let fax = || "fax".to_owned();
    d.ask(DeskAsk::CreateChannel { name: "Fax".to_owned(), unique_name: fax(), optimized: false });
    d.ask(DeskAsk::UpdateChannel { channel: fax(), name: None, optimized: Some(true) });
    d.ask(DeskAsk::DeleteChannel(fax()));
    let queue = d.queue("French", "languages HAS 'fr'", 1);
    let other = QueueForm {
        target_workers: Some(Expr::parse("languages HAS 'it'").expect("it parses")),
        ..QueueForm::default()
    };
    d.ask(DeskAsk::PutQueue(Some(queue), other));
    let form = WorkflowForm {
        name: Some("Other".to_owned()),
        configuration: Some(format!("{{\"task_routing\":{{\"default_filter\":{{\"queue\":\"{queue}\"}}}}}}")),
        ..WorkflowForm::default()
    };
    let RouterReply::Workflows(made) = d.ask(DeskAsk::PutWorkflow(None, form)) else { panic!() };
    let flow = made[0].workflow.sid;
    let renamed = WorkflowForm { name: Some("Renamed".to_owned()), ..WorkflowForm::default() };
    d.ask(DeskAsk::PutWorkflow(Some(flow), renamed));
    d.ask(DeskAsk::DeleteWorkflow(flow));
    d.ask(DeskAsk::DeleteQueue(queue));
    let bob = d.worker("Bob", "{\"languages\":[]}");
    let form = WorkerForm {
        attributes: Some(read_attributes("{\"languages\":[\"fr\"]}").expect("JSON")),
        activity: Some(d.offline),
        ..WorkerForm::default()
    };
    d.ask(DeskAsk::PutWorker(Some(bob), form));
    d.ask(DeskAsk::UpdateWorkerChannel {
        worker: bob,
        channel: "voice".to_owned(),
        capacity: Some(3),
        available: Some(false),
    });
    d.ask(DeskAsk::DeleteWorker(bob, None));
    let renamed = WorkspaceForm { name: Some("Bureau".to_owned()), ..WorkspaceForm::default() };
    d.ask(DeskAsk::Update(renamed));
    let workspace = d.workspace;
    ask(&mut d.s, RouterAsk::In(workspace, DeskAsk::Delete));
    d.s.pass_ms(500);
    d.events()
}

/// Tasks on every way there is.
fn worked() -> Vec<Told> {
    let mut d = Desk::open(None);
    let RouterReply::Queues(queues) = d.ask(DeskAsk::Queues(None)) else { panic!() };
    let german = queues[0].0.queue.sid;
    let rest = d.queue("Rest", "languages HAS 'none'", 1);
    let both = d.queue("Both", "pair == 1", 2);
    let target = |queue: base::TaskQueueSid, more: &str| format!("{{\"queue\":\"{queue}\"{more}}}");
    let filter = |lang: &str, targets: &[String]| {
        format!(
            "{{\"filter_friendly_name\":\"{lang}\",\"expression\":\"lang == '{lang}'\",\"targets\":[{}]}}",
            targets.join(",")
        )
    };
    let filters = [
        filter("de", &[target(german, "")]),
        filter("both", &[target(both, "")]),
        filter(
            "long",
            &[
                target(rest, ",\"skip_if\":\"1==1\""),
                target(rest, ",\"timeout\":2"),
                target(german, ",\"expression\":\"1==2\",\"timeout\":2"),
            ],
        ),
    ];
    d.routes(&format!("{{\"task_routing\":{{\"filters\":[{}]}}}}", filters.join(",")));
    d.task("{\"lang\":\"long\"}");
    d.s.pass_ms(6_000);

    // Rejected, let pass, failed, canceled, and done.
    d.instructs(r#"{"instruction":"reject"}"#);
    d.ann_does(d.available);
    let task = d.task("{\"lang\":\"de\"}");
    d.ann_does(d.offline);
    d.instructs("{}");
    d.ann_does(d.available);
    d.s.pass_ms(31_000);
    d.instructs(r#"{"instruction":"dance"}"#);
    d.ann_does(d.available);
    d.becomes(task, TaskStatus::Canceled);
    d.instructs(r#"{"instruction":"accept"}"#);
    let task = d.task("{\"lang\":\"de\"}");
    let attributes = Some(read_attributes("{\"lang\":\"de\",\"vip\":true}").expect("JSON"));
    d.ask(DeskAsk::PutTask(Some(task), TaskForm { attributes, ..TaskForm::default() }));
    d.becomes(task, TaskStatus::Wrapping);
    d.becomes(task, TaskStatus::Completed);

    // Two are asked, one is faster.
    d.instructs("{}");
    let pair = ["Bob", "Carl"].map(|name| d.worker(name, "{\"pair\":1,\"languages\":[]}"));
    let task = d.task("{\"lang\":\"both\"}");
    let first = d.reservation();
    d.change(first, ReservationChange::Instruct(Instruction::Accept));

    // Handed on: to nobody who wants it, to somebody who is asked too late, and to somebody who takes it.
    let RouterReply::Reservations(all) = d.ask(DeskAsk::Reservations(Some(task), None)) else { panic!() };
    let accepted = all.iter().find(|(row, _)| row.reservation.status == ReservationStatus::Accepted);
    let accepted = accepted.expect("one has it").0.reservation.clone();
    let other = *pair.iter().find(|one| **one != accepted.worker).expect("there are two");
    let hand_on = |d: &mut Desk| {
        let form = TransferForm {
            reservation: accepted.sid,
            to: Direct::Worker { worker: other, ignore_capacity: false },
            mode: TransferMode::Warm,
            priority: None,
            attributes: None,
        };
        let RouterReply::Tasks(shown) = d.ask(DeskAsk::Transfer(form)) else { panic!() };
        d.s.pass_ms(500);
        (d.reservation(), shown[0].row.task.transfer.as_ref().expect("it is handed on").sid)
    };
    let (offer, _) = hand_on(&mut d);
    d.change(offer, ReservationChange::Instruct(Instruction::Reject { activity: None }));
    let (_, transfer) = hand_on(&mut d);
    d.ask(DeskAsk::CancelTransfer { task, transfer });
    d.s.pass_ms(500);
    let (offer, _) = hand_on(&mut d);
    d.change(offer, ReservationChange::Instruct(Instruction::Accept));
    d.becomes(task, TaskStatus::Completed);

    // One that is done is deleted a while later, one that nobody ends by the system.
    d.instructs(r#"{"instruction":"accept"}"#);
    d.task("{\"lang\":\"de\"}");
    d.s.pass_ms(86_400_000 + 1_000);
    d.events()
}

#[test]
fn every_published_event_is_told_with_what_is_published_of_it() {
    let told: Vec<Told> = furnished().into_iter().chain(worked()).collect();
    let mut faults = Vec::new();
    for (kind, resource, sets) in PUBLISHED {
        let all: Vec<&Told> = told.iter().filter(|one| one["EventType"] == *kind).collect();
        if all.is_empty() {
            faults.push(format!("{kind} does not happen"));
        }
        for one in all {
            let says = |key: &&str| one.get(*key as &str).is_some_and(|value| !value.is_empty());
            let keys = COMMON.iter().chain(sets.iter().copied().flatten());
            let missing: BTreeSet<&str> = keys.filter(|key| !says(key)).copied().collect();
            if !missing.is_empty() {
                faults.push(format!("{kind} lacks {missing:?}"));
            }
            if one["ResourceType"] != *resource {
                faults.push(format!("{kind} happens to a {}", one["ResourceType"]));
            }
        }
    }
    let known: BTreeSet<&str> = PUBLISHED.iter().map(|(kind, ..)| *kind).collect();
    let others: BTreeSet<&str> =
        told.iter().map(|one| one["EventType"].as_str()).filter(|kind| !known.contains(kind)).collect();
    faults.extend(others.iter().map(|kind| format!("{kind} is not published")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let one = |kind: &str| told.iter().find(|one| one["EventType"] == kind).expect("it happens");
    assert_eq!(one("workflow.target-matched")["WorkflowFilterExpression"], "[\"lang == 'long'\"]");
    assert_eq!(one("task-queue.moved")["TaskQueueName"], "German");
    assert_eq!(one("worker.deleted")["WorkerAttributes"], "{\"languages\":[\"fr\"]}");
    let ms: u64 = one("worker.activity.update")["TimestampMs"].parse().unwrap();
    assert_eq!((ms / 1_000).to_string(), one("worker.activity.update")["Timestamp"]);
}

/// What is told is kept as well, and the filter is for telling alone.
#[test]
fn only_what_is_wanted_is_told_and_everything_is_kept() {
    let mut d = Desk::open(None);
    let form = WorkspaceForm {
        events_filter: Some("task.created, task.canceled".to_owned()),
        ..WorkspaceForm::default()
    };
    d.ask(DeskAsk::Update(form));
    let before = d.events().len();
    let task = d.task("{\"lang\":\"de\"}");
    d.becomes(task, TaskStatus::Canceled);
    let kinds: Vec<String> = d.events()[before..].iter().map(|one| one["EventType"].clone()).collect();
    assert_eq!(kinds, ["task.created", "task.canceled"]);
    let kept = d.s.world.stored.iter().filter(|item| match item {
        StoreItem::Router(RouterItem::Event(row)) => row.task == Some(task),
        _ => false,
    });
    assert!(kept.count() > 4);
}

/// What happens in a workspace is told in its order: in one lane, which is no other workspace's.
#[test]
fn events_of_a_workspace_keep_their_order_and_hold_up_no_others() {
    const ELSEWHERE: &str = "http://slow.example/happened";
    let mut d = Desk::open(None);
    d.s.web().serve(ELSEWHERE, Answer::page(204, None, "").after(std::time::Duration::from_secs(14)));
    let form = WorkspaceForm {
        name: Some("Elsewhere".to_owned()),
        event_callback_url: Some(ELSEWHERE.to_owned()),
        ..WorkspaceForm::default()
    };
    let RouterReply::Workspaces(made) = ask(&mut d.s, RouterAsk::CreateWorkspace(form)) else { panic!() };
    let other = made[0].row.sid;
    for _ in 0..2 {
        let lunch = DeskAsk::PutActivity { sid: None, name: Some("Lunch".to_owned()), available: false };
        ask(&mut d.s, RouterAsk::In(other, lunch));
        let task = d.task("{\"lang\":\"de\"}");
        d.becomes(task, TaskStatus::Canceled);
    }
    for (url, workspace) in [(HAPPENED, d.workspace), (ELSEWHERE, other)] {
        let asked = d.s.asked(url);
        assert!(asked.len() > 2, "{url}");
        let lane = (base::CallSid(workspace.0), call::FetchKind::RouterEvent);
        assert!(asked.iter().all(|one| (one.call, one.kind) == lane), "{asked:?}");
        let stamps: Vec<u64> =
            asked.iter().map(|one| param(one, "TimestampMs").unwrap().parse().unwrap()).collect();
        assert!(stamps.is_sorted() && asked.is_sorted_by_key(|one| one.id), "{stamps:?}");
    }
}

/// Nobody hears it: that is on record, of no call, and what happens next is told all the same.
#[test]
fn an_event_that_cannot_be_told_is_a_warning_of_its_own() {
    let mut d = Desk::open(None);
    d.s.web().serve(HAPPENED, Answer::failure(15003));
    d.task("{\"lang\":\"de\"}");
    d.s.pass_ms(60_000);
    let findings = d.s.findings();
    assert!(!findings.is_empty());
    for one in &findings {
        assert_eq!((one.code, one.call), (15003, None), "{one:?}");
    }
    d.s.web().serve(HAPPENED, Answer::page(204, None, ""));
    let (before, failed) = (d.events().len(), findings.len());
    d.ann_does(d.available);
    assert!(d.events().len() > before);
    assert_eq!(d.s.findings().len(), failed);
}

/// The ladder of the call that waits says why this worker is asked, and not those whose turn it would have been.
#[test]
fn a_calls_ladder_says_why_this_worker() {
    let mut d = Desk::open(None);
    d.s.will(d.phone, Reaction::Ignore);
    let explained = |d: &Desk| -> Vec<String> {
        let call = d.s.rows()[0].sid;
        let decided = d.s.world.stored.iter().filter_map(|item| match item {
            StoreItem::Event(event) if event.call == call => Some(event.text.clone()),
            _ => None,
        });
        decided.filter(|text| text.contains(" offers it to ")).collect()
    };
    // Bob has waited longer, but he is none of those who are wanted.
    let RouterReply::Queues(queues) = d.ask(DeskAsk::Queues(None)) else { panic!() };
    d.routes(&format!(
        "{{\"task_routing\":{{\"default_filter\":{{\"queue\":\"{}\",\"expression\":\"worker.level > 1\"}}}}}}",
        queues[0].0.queue.sid
    ));
    d.worker("Bob", "{\"languages\":[\"de\"],\"level\":1}");
    d.s.pass_ms(1_000);
    let attributes = "{\"languages\":[\"de\"],\"level\":2,\"contact_uri\":\"client:ann\"}";
    let form = WorkerForm { attributes: Some(read_attributes(attributes).unwrap()), ..WorkerForm::default() };
    d.ask(DeskAsk::PutWorker(Some(d.ann), form));
    d.ann_does(d.available);
    let caller = d.calls();
    let told = explained(&d);
    assert_eq!(told.len(), 1, "{told:?}");
    let offer = d.reservation();
    assert!(told[0].starts_with(&format!("{offer} offers it to Ann: the task came: ")), "{told:?}");
    let why =
        "2 serve its queue, 2 of them were free; passed over Bob: the target's expression is not true of it";
    assert!(told[0].contains(why), "{told:?}");

    // The next one waits until somebody is free.
    d.change(offer, ReservationChange::Instruct(Instruction::Reject { activity: Some(d.after_work) }));
    d.ann_does(d.available);
    let told = explained(&d);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].contains("offers it to Ann: the worker became free"), "{told:?}");
    d.s.hangs_up(&caller);
    d.s.expect_rest();
}
