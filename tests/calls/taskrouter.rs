//! `<Enqueue workflowSid>`: a call becomes a task, a worker's phone rings, and both talk.

use base::{ActivitySid, ReservationSid, TaskSid, WorkerSid, WorkspaceSid};
use call::record::StoreItem;
use call::taskrouter::rows::RouterItem;
use call::taskrouter::{
    DeskAsk, Filter, QueueForm, RouterAsk, RouterReply, WorkerForm, WorkflowForm, WorkspaceForm,
};
use call::{Operator, OperatorReply};
use router::{Expr, ReservationStatus, TaskStatus, read_attributes};
use sim::{Answer, Caller, NUMBER, Reaction, Scenario, UaId, UaState, VOICE, param};

use crate::ACTION;

pub(crate) const ASSIGNMENT: &str = "http://web.example/assignment";
pub(crate) const FALLBACK: &str = "http://web.example/assignment-fallback";
pub(crate) const HAPPENED: &str = "http://web.example/happened";

/// An office with a workspace: the queue of those who speak German, a workflow that asks [`ASSIGNMENT`], and Ann at
/// `client:ann`, who is offline.
pub(crate) struct Desk {
    pub(crate) s: Scenario,
    pub(crate) workspace: WorkspaceSid,
    pub(crate) workflow: String,
    pub(crate) offline: ActivitySid,
    pub(crate) available: ActivitySid,
    pub(crate) after_work: ActivitySid,
    pub(crate) ann: WorkerSid,
    pub(crate) phone: UaId,
}

pub(crate) fn ask(s: &mut Scenario, ask: RouterAsk) -> RouterReply {
    match s.operator(Operator::Router(Box::new(ask))) {
        OperatorReply::Router(reply) => match *reply {
            RouterReply::Fault(fault) => panic!("{fault:?}"),
            reply => reply,
        },
        other => panic!("{other:?}"),
    }
}

impl Desk {
    pub(crate) fn open(target_timeout_s: Option<u32>) -> Self {
        let mut s = Scenario::office();
        s.web().serve(ACTION, Answer::twiml("<Say>done</Say>"));
        s.web().serve(HAPPENED, Answer::page(204, None, ""));
        s.web().serve(ASSIGNMENT, Answer::page(200, Some("application/json"), "{}"));
        let form = WorkspaceForm {
            name: Some("Office".to_owned()),
            event_callback_url: Some(HAPPENED.to_owned()),
            ..WorkspaceForm::default()
        };
        let RouterReply::Workspaces(made) = ask(&mut s, RouterAsk::CreateWorkspace(form)) else { panic!() };
        let workspace = made[0].row.sid;
        let mut put = |what| ask(&mut s, RouterAsk::In(workspace, what));
        let after = DeskAsk::PutActivity { sid: None, name: Some("Wrap-Up".to_owned()), available: false };
        put(after);
        let RouterReply::Activities(activities) = put(DeskAsk::Activities(None)) else { panic!() };
        let named = |name: &str| {
            activities
                .iter()
                .find(|one| one.activity.name == name)
                .expect("a new workspace has it")
                .activity
                .sid
        };
        let queue = QueueForm {
            name: Some("German".to_owned()),
            target_workers: Some(Expr::parse("languages HAS 'de'").expect("it parses")),
            ..QueueForm::default()
        };
        let RouterReply::Queues(queues) = put(DeskAsk::PutQueue(None, queue)) else { panic!() };
        let queue = queues[0].0.queue.sid;
        let timeout = target_timeout_s.map(|s| format!(",\"timeout\":{s}")).unwrap_or_default();
        let configuration = format!(
            "{{\"task_routing\":{{\"filters\":[{{\"expression\":\"lang == 'de'\",\"targets\":[{{\"queue\":\"{queue}\"{timeout}}}]}}]}}}}"
        );
        let workflow = WorkflowForm {
            name: Some("Incoming".to_owned()),
            configuration: Some(configuration),
            assignment_url: Some(ASSIGNMENT.to_owned()),
            fallback_url: Some(FALLBACK.to_owned()),
            reservation_timeout_s: Some(30),
            reevaluate: false,
        };
        let RouterReply::Workflows(flows) = put(DeskAsk::PutWorkflow(None, workflow)) else { panic!() };
        let attributes = "{\"languages\":[\"de\"],\"contact_uri\":\"client:ann\"}";
        let worker = WorkerForm {
            name: Some("Ann".to_owned()),
            attributes: Some(read_attributes(attributes).expect("they are an object")),
            ..WorkerForm::default()
        };
        let RouterReply::Workers(workers) = put(DeskAsk::PutWorker(None, worker)) else { panic!() };
        let (offline, available, after_work) = (named("Offline"), named("Available"), named("Wrap-Up"));
        let phone = s.phone("ann");
        s.pass_ms(100);
        Self {
            workspace,
            workflow: flows[0].workflow.sid.to_string(),
            offline,
            available,
            after_work,
            ann: workers[0].row.worker.sid,
            phone,
            s,
        }
    }

    pub(crate) fn calls(&mut self) -> Caller {
        let workflow = &self.workflow;
        let verbs = format!(
            "<Enqueue workflowSid=\"{workflow}\" action=\"/action\"><Task priority=\"3\">{{\"lang\":\"de\"}}</Task></Enqueue>"
        );
        self.s.web().answer_next(VOICE, Answer::twiml(&verbs));
        let caller = self.s.carrier_calls(NUMBER);
        self.s.pass_ms(500);
        caller
    }

    pub(crate) fn ask(&mut self, what: DeskAsk) -> RouterReply {
        ask(&mut self.s, RouterAsk::In(self.workspace, what))
    }

    pub(crate) fn ann_does(&mut self, activity: ActivitySid) {
        let form = WorkerForm { activity: Some(activity), ..WorkerForm::default() };
        self.ask(DeskAsk::PutWorker(Some(self.ann), form));
        self.s.pass_ms(500);
    }

    pub(crate) fn ann_is(&mut self) -> ActivitySid {
        let RouterReply::Workers(workers) = self.ask(DeskAsk::Workers(Some(self.ann))) else { panic!() };
        workers[0].row.worker.activity
    }

    pub(crate) fn instructs(&mut self, json: &str) {
        let post_work = self.after_work.to_string();
        let json = json.replace("WRAP", &post_work);
        self.s.web().serve(ASSIGNMENT, Answer::page(200, Some("application/json"), &json));
    }

    pub(crate) fn tasks(&mut self) -> Vec<(TaskSid, TaskStatus, Option<String>)> {
        let RouterReply::Tasks(tasks) = self.ask(DeskAsk::Tasks(Filter::default())) else { panic!() };
        tasks
            .into_iter()
            .map(|view| (view.row.task.sid, view.row.task.status, view.row.task.reason))
            .collect()
    }

    pub(crate) fn status(&mut self) -> TaskStatus {
        self.tasks()[0].1
    }

    pub(crate) fn attribute(&mut self, name: &str) -> String {
        let RouterReply::Tasks(tasks) = self.ask(DeskAsk::Tasks(Filter::default())) else { panic!() };
        tasks[0].row.task.attributes.get(name).map(ToString::to_string).unwrap_or_default().replace('"', "")
    }

    pub(crate) fn reservations(&mut self) -> Vec<ReservationStatus> {
        let RouterReply::Reservations(all) = self.ask(DeskAsk::Reservations(None, None)) else { panic!() };
        all.into_iter().map(|(row, _)| row.reservation.status).collect()
    }

    pub(crate) fn reservation(&mut self) -> ReservationSid {
        let RouterReply::Reservations(all) = self.ask(DeskAsk::Reservations(None, None)) else { panic!() };
        all.last().expect("somebody was offered it").0.reservation.sid
    }

    /// The kinds of what was told, in order.
    pub(crate) fn happened(&mut self) -> Vec<String> {
        let asked = self.s.asked(HAPPENED);
        asked
            .iter()
            .map(|request| param(request, "EventType").expect("every event has a type").to_owned())
            .collect()
    }

    /// Everything this workspace is made of, as the store has it at last.
    pub(crate) fn rows(&self) -> Vec<call::taskrouter::rows::RouterRow> {
        let mut rows = std::collections::BTreeMap::new();
        for item in &self.s.world.stored {
            match item {
                StoreItem::Router(RouterItem::Put(row)) => {
                    rows.insert(row.key(), (**row).clone());
                }
                StoreItem::Router(RouterItem::Gone(key)) => {
                    rows.remove(key);
                }
                _ => {}
            }
        }
        rows.into_values().collect()
    }
}

const DEQUEUE: &str = r#"{"instruction":"dequeue","from":"+15550001111","post_work_activity_sid":"WRAP"}"#;

#[test]
fn a_caller_becomes_a_task_and_talks_to_the_worker_who_is_free() {
    let mut d = Desk::open(None);
    d.instructs(DEQUEUE);
    d.s.will(d.phone, Reaction::Ignore);
    let caller = d.calls();
    assert!(d.s.heard_clip(&caller, "hold-music"));
    assert_eq!(d.status(), TaskStatus::Pending);
    assert_eq!((d.attribute("lang"), d.attribute("direction")), ("de".to_owned(), "inbound".to_owned()));
    let sid = d.s.rows()[0].sid.to_string();
    assert_eq!((d.attribute("call_sid"), d.attribute("to")), (sid, NUMBER.to_owned()));
    assert_eq!(d.s.asked(ASSIGNMENT).len(), 0);

    d.ann_does(d.available);
    let asked = d.s.asked(ASSIGNMENT);
    assert_eq!(asked.len(), 1);
    for (name, value) in
        [("TaskPriority", "3"), ("WorkerSid", &d.ann.to_string()), ("WorkflowSid", &d.workflow)]
    {
        assert_eq!(param(&asked[0], name), Some(value), "{name}");
    }
    assert_eq!((d.status(), d.reservations()), (TaskStatus::Reserved, vec![ReservationStatus::Pending]));
    let ringing = d.s.latest(d.phone).expect("it rings");
    assert!(!d.s.bridged(&caller, &ringing));
    d.s.picks_up(d.phone);
    d.s.pass_ms(300);
    assert!(d.s.bridged(&caller, &ringing));
    assert_eq!((d.status(), d.reservations()), (TaskStatus::Assigned, vec![ReservationStatus::Accepted]));
    let worker_call = d.s.rows()[1].sid.to_string();
    assert_eq!(d.attribute("worker_call_sid"), worker_call);
    assert_eq!(d.s.rows()[1].from, NUMBER);

    d.s.pass_ms(5_000);
    d.s.hangs_up(&caller);
    d.s.pass_ms(500);
    assert!(matches!(d.s.state(&ringing), UaState::Over(_)), "the worker's phone is released");
    assert_eq!((d.status(), d.ann_is()), (TaskStatus::Completed, d.after_work));
    let action = d.s.asked(ACTION);
    assert_eq!(param(&action[0], "QueueResult"), Some("bridged"));
    let happened = d.happened();
    for kind in [
        "task.created",
        "workflow.entered",
        "task-queue.entered",
        "reservation.created",
        "reservation.accepted",
        "task.completed",
        "reservation.completed",
    ] {
        assert_eq!(happened.iter().filter(|one| *one == kind).count(), 1, "{kind}: {happened:?}");
    }

    // After-work: the next caller waits until it is over.
    let second = d.calls();
    d.s.pass_ms(2_000);
    assert_eq!(d.s.asked(ASSIGNMENT).len(), 1);
    d.ann_does(d.available);
    assert_eq!(d.s.asked(ASSIGNMENT).len(), 2);
    d.s.hangs_up(&second);
    d.s.expect_rest();
}

#[test]
fn a_caller_who_hangs_up_stops_the_ringing_and_the_worker_stays() {
    let mut d = Desk::open(None);
    d.instructs(DEQUEUE);
    d.s.will(d.phone, Reaction::Ignore);
    d.ann_does(d.available);
    let caller = d.calls();
    let ringing = d.s.latest(d.phone).expect("it rings");
    d.s.hangs_up(&caller);
    d.s.pass_ms(500);
    assert!(matches!(d.s.state(&ringing), UaState::Over(_)));
    let (_, status, reason) = d.tasks().remove(0);
    assert_eq!((status, reason.as_deref()), (TaskStatus::Canceled, Some("hangup")));
    assert_eq!((d.reservations(), d.ann_is()), (vec![ReservationStatus::Canceled], d.available));
    assert_eq!(d.s.world.node.rings(), 0);
    d.s.expect_rest();
}

#[test]
fn a_worker_who_does_not_answer_is_moved_and_the_caller_waits_on() {
    let mut d = Desk::open(None);
    d.instructs(r#"{"instruction":"dequeue","timeout":"5"}"#);
    d.s.will(d.phone, Reaction::Ignore);
    d.ann_does(d.available);
    let caller = d.calls();
    d.s.pass_ms(6_000);
    assert_eq!((d.reservations(), d.ann_is()), (vec![ReservationStatus::Rejected], d.offline));
    assert_eq!(d.status(), TaskStatus::Pending);
    assert_eq!(d.s.state(&caller), UaState::Up);
    d.ann_does(d.available);
    assert_eq!(d.s.asked(ASSIGNMENT).len(), 2, "it is offered again");
    d.s.picks_up(d.phone);
    d.s.pass_ms(300);
    let ringing = d.s.latest(d.phone).unwrap();
    assert!(d.s.bridged(&caller, &ringing));
    d.s.hangs_up(&ringing);
    d.s.pass_ms(500);
    assert_eq!(d.status(), TaskStatus::Assigned, "without a post-work activity the application completes it");
    d.s.hangs_up(&caller);
    d.s.expect_rest();
}

#[test]
fn a_reservation_nobody_answers_times_out_and_moves_the_worker() {
    let mut d = Desk::open(None);
    d.ann_does(d.available);
    let caller = d.calls();
    assert_eq!(d.status(), TaskStatus::Reserved);
    d.s.pass_ms(30_000);
    assert_eq!((d.reservations(), d.ann_is()), (vec![ReservationStatus::Timeout], d.offline));
    assert_eq!(d.status(), TaskStatus::Pending);
    assert!(d.happened().contains(&"worker.activity.update".to_owned()));
    d.s.hangs_up(&caller);
    d.s.expect_rest();
}

#[test]
fn a_task_that_times_out_leaves_its_call_parked() {
    let mut d = Desk::open(Some(6));
    let caller = d.calls();
    d.s.pass_ms(6_000);
    let (_, status, reason) = d.tasks().remove(0);
    assert_eq!(status, TaskStatus::Canceled);
    assert_eq!(reason.as_deref(), Some("Task canceled on Workflow timeout"));
    let happened = d.happened();
    assert!(
        happened.contains(&"workflow.timeout".to_owned()) && happened.contains(&"task.canceled".to_owned())
    );
    assert_eq!(d.s.state(&caller), UaState::Up, "the application has to act");
    assert!(d.s.asked(ACTION).is_empty());
    d.s.hangs_up(&caller);
    d.s.pass_ms(500);
    assert_eq!(param(&d.s.asked(ACTION)[0], "QueueResult"), Some("hangup"));
    d.s.expect_rest();
}

#[test]
fn a_silent_assignment_url_is_given_five_seconds_and_then_the_fallback_is_asked() {
    let mut d = Desk::open(None);
    let late = std::time::Duration::from_secs(7);
    d.s.web().serve(ASSIGNMENT, Answer::page(200, Some("application/json"), DEQUEUE).after(late));
    d.s.web().serve(FALLBACK, Answer::page(200, Some("application/json"), r#"{"instruction":"dequeue"}"#));
    d.ann_does(d.available);
    let caller = d.calls();
    d.s.pass_ms(4_000);
    assert_eq!(d.s.asked(FALLBACK).len(), 0);
    d.s.pass_ms(1_500);
    assert_eq!(d.s.asked(FALLBACK).len(), 1);
    d.s.pass_ms(2_000);
    let agent = d.s.latest(d.phone).unwrap();
    assert!(d.s.bridged(&caller, &agent), "phones of scenarios answer by themselves");
    d.s.hangs_up(&caller);
    d.s.expect_rest();
}

#[test]
fn an_application_in_error_costs_the_offer_not_the_call() {
    let mut d = Desk::open(None);
    for url in [ASSIGNMENT, FALLBACK] {
        d.s.web().serve(url, Answer::page(500, None, "oops"));
    }
    d.ann_does(d.available);
    let caller = d.calls();
    assert_eq!((d.s.asked(ASSIGNMENT).len(), d.s.asked(FALLBACK).len()), (1, 1));
    d.s.pass_ms(5_100);
    assert_eq!(d.reservations()[0], ReservationStatus::Canceled);
    assert_eq!((d.ann_is(), d.s.state(&caller)), (d.available, UaState::Up));
    assert_eq!(d.s.asked(ASSIGNMENT).len(), 2, "it is offered again, a moment later");
    assert_eq!(d.s.notifications().iter().filter(|code| **code == 11200).count(), 4);
    d.instructs(DEQUEUE);
    d.s.pass_ms(6_000);
    let agent = d.s.latest(d.phone).unwrap();
    assert!(d.s.bridged(&caller, &agent));
    d.s.hangs_up(&caller);
    d.s.expect_rest();
}

#[test]
fn other_instructions_do_what_they_say() {
    for (json, reservation, task) in [
        (r#"{"instruction":"accept"}"#, ReservationStatus::Accepted, TaskStatus::Assigned),
        (
            r#"{"instruction":"reject","activity_sid":"WRAP"}"#,
            ReservationStatus::Rejected,
            TaskStatus::Pending,
        ),
        (r#"{"instruction":"dance"}"#, ReservationStatus::Pending, TaskStatus::Reserved),
        (r#"{"to":"client:ann"}"#, ReservationStatus::Pending, TaskStatus::Reserved),
    ] {
        let mut d = Desk::open(None);
        d.instructs(json);
        d.ann_does(d.available);
        let caller = d.calls();
        assert_eq!((d.reservations()[0], d.status()), (reservation, task), "{json}");
        d.s.hangs_up(&caller);
        d.s.expect_rest();
    }
}

#[test]
fn a_worker_called_with_a_document_takes_exactly_its_caller() {
    let mut d = Desk::open(None);
    d.instructs(
        r#"{"instruction":"call","from":"+15550001111","url":"http://web.example/worker","accept":false}"#,
    );
    d.s.will(d.phone, Reaction::Ignore);
    d.ann_does(d.available);
    let (caller, other) = (d.calls(), d.calls());
    let reservation = d.reservation();
    let verbs = format!(
        "<Dial action=\"/dialled\"><Queue reservationSid=\"{reservation}\" postWorkActivitySid=\"{}\"/></Dial>",
        d.after_work
    );
    d.s.web().serve("http://web.example/worker", Answer::twiml(&verbs));
    d.s.web().serve("http://web.example/dialled", Answer::twiml("<Hangup/>"));
    d.s.picks_up(d.phone);
    d.s.pass_ms(1_000);
    let agent = d.s.latest(d.phone).unwrap();
    assert!(d.s.bridged(&caller, &agent) && !d.s.bridged(&other, &agent));
    assert_eq!(d.status(), TaskStatus::Assigned);
    d.s.hangs_up(&caller);
    d.s.pass_ms(500);
    assert_eq!((d.status(), d.ann_is()), (TaskStatus::Completed, d.after_work));
    let dialled = d.s.asked("http://web.example/dialled");
    assert_eq!(param(&dialled[0], "DialCallStatus"), Some("completed"));
    d.s.hangs_up(&other);
    d.s.expect_rest();
}

#[test]
fn a_reservation_that_is_none_connects_nobody() {
    let mut d = Desk::open(None);
    d.s.web().serve("http://web.example/dialled", Answer::twiml("<Hangup/>"));
    let verbs = format!("<Dial action=\"/dialled\"><Queue reservationSid=\"{}\"/></Dial>", ReservationSid(9));
    d.s.web().serve(VOICE, Answer::twiml(&verbs));
    d.s.carrier_calls(NUMBER);
    d.s.pass_ms(1_000);
    assert_eq!(d.s.notifications(), [14217]);
    assert_eq!(param(&d.s.asked("http://web.example/dialled")[0], "DialCallStatus"), Some("failed"));
    d.s.expect_rest();
}

#[test]
fn worker_and_caller_meet_in_a_conference_named_after_the_task() {
    let mut d = Desk::open(None);
    d.instructs(r#"{"instruction":"conference","end_conference_on_exit":true}"#);
    d.s.will(d.phone, Reaction::Ignore);
    d.ann_does(d.available);
    let caller = d.calls();
    d.s.picks_up(d.phone);
    d.s.pass_ms(1_000);
    let agent = d.s.latest(d.phone).unwrap();
    assert!(d.s.hears(&caller, &agent) && d.s.hears(&agent, &caller));
    assert_eq!((d.status(), d.reservations()), (TaskStatus::Assigned, vec![ReservationStatus::Accepted]));
    assert!(d.attribute("conference").contains("participants"), "{}", d.attribute("conference"));
    assert!(d.attribute("conference").contains("CF"), "{}", d.attribute("conference"));
    d.s.hangs_up(&agent);
    d.s.pass_ms(1_000);
    assert_eq!(d.status(), TaskStatus::Wrapping, "the worker has left");
    if d.s.state(&caller) == UaState::Up {
        d.s.hangs_up(&caller);
    }
    d.s.expect_rest();
}

#[test]
fn a_workflow_that_is_none_queues_nobody() {
    let mut d = Desk::open(None);
    let verbs = "<Enqueue action=\"/action\" workflowSid=\"WW00000000000000000000000000000001\"/>";
    d.s.web().serve(VOICE, Answer::twiml(verbs));
    d.s.carrier_calls(NUMBER);
    d.s.pass_ms(500);
    assert_eq!(d.s.notifications(), [14220]);
    assert_eq!(param(&d.s.asked(ACTION)[0], "QueueResult"), Some("error"));
    d.s.expect_rest();
}

#[test]
fn a_restart_takes_up_what_was_written() {
    let mut d = Desk::open(None);
    let attributes = Some(read_attributes("{\"lang\":\"de\"}").unwrap());
    let form = call::taskrouter::TaskForm { attributes, ..Default::default() };
    for _ in 0..2 {
        d.ask(DeskAsk::PutTask(None, form.clone()));
    }
    d.ann_does(d.available);
    let caller = d.calls();
    let (before, reservation) = (d.tasks(), d.reservation());
    assert_eq!(
        before.iter().map(|task| task.1).collect::<Vec<_>>(),
        [TaskStatus::Reserved, TaskStatus::Pending, TaskStatus::Reserved],
        "Ann can do one thing on each channel"
    );
    let rows = d.rows();
    let mut again = Scenario::office();
    again.pass_ms(60_000);
    let now = d.s.world.now();
    again.world.node = call::Node::new(
        sim::office(&[("ann", "101")]),
        "Tandem/sim",
        base::Rng::seeded(9),
        again.world.now(),
    );
    again.world.node.restore_router(
        rows,
        Some(&Default::default()),
        base::Now { mono: again.world.now().mono, wall: now.wall },
    );
    let workspace = d.workspace;
    let mut tasks = || {
        let RouterReply::Tasks(tasks) =
            ask(&mut again, RouterAsk::In(workspace, DeskAsk::Tasks(Filter::default())))
        else {
            panic!()
        };
        tasks.into_iter().map(|view| (view.row.task.sid, view.row.task.status)).collect::<Vec<_>>()
    };
    let after = tasks();
    assert_eq!(after.len(), 3);
    assert!(after.iter().all(|(sid, _)| before.iter().any(|old| old.0 == *sid)));
    let of_call = after.iter().find(|(sid, _)| *sid == before[2].0).unwrap();
    assert_eq!(of_call.1, TaskStatus::Canceled, "no call survives the box");
    let RouterReply::Reservations(all) =
        ask(&mut again, RouterAsk::In(workspace, DeskAsk::Reservations(None, None)))
    else {
        panic!()
    };
    assert!(all.iter().any(|(row, _)| row.reservation.sid == reservation));
    d.s.hangs_up(&caller);
    d.s.expect_rest();
}

/// The attributes of a call's task: what the call says of itself in 25 keys, and over them what the document says.
#[test]
fn a_calls_task_says_what_the_call_says_and_what_the_document_does() {
    let mut d = Desk::open(None);
    let verbs = format!(
        "<Enqueue workflowSid=\"{}\"><Task>{{\"lang\":\"de\",\"caller\":\"me\",\"tags\":[1,2]}}</Task></Enqueue>",
        d.workflow
    );
    d.s.web().answer_next(VOICE, Answer::twiml(&verbs));
    let caller = d.s.carrier_calls(NUMBER);
    d.s.pass_ms(500);
    let RouterReply::Tasks(tasks) = d.ask(DeskAsk::Tasks(Filter::default())) else { panic!() };
    let task = &tasks[0].row.task;
    let attributes = task.attributes.as_object().unwrap();
    let mut keys = Vec::new();
    for whose in ["from", "to", "caller", "called"] {
        keys.push(whose.to_owned());
        keys.extend(["city", "state", "zip", "country"].map(|what| format!("{whose}_{what}")));
    }
    keys.extend(["call_sid", "account_sid", "direction", "call_status", "api_version"].map(str::to_owned));
    assert_eq!(keys.len(), 25);
    for key in &keys {
        assert!(attributes[key.as_str()].is_string(), "{key}: {:?}", attributes.get(key.as_str()));
    }
    keys.extend(["lang", "tags"].map(str::to_owned));
    assert_eq!(
        attributes.keys().cloned().collect::<std::collections::BTreeSet<_>>(),
        keys.into_iter().collect()
    );
    assert_eq!((&attributes["caller"], &attributes["tags"]), (&"me".into(), &vec![1, 2].into()));
    assert_eq!((task.channel.as_str(), task.priority, task.ttl.as_secs()), ("voice", 0, 86_400));
    d.s.hangs_up(&caller);
    d.s.expect_rest();
}

/// `<Task timeout>`: the task ends, its caller stays where it is.
#[test]
fn a_task_too_old_is_canceled_and_its_call_stays() {
    let mut d = Desk::open(None);
    let verbs = format!(
        "<Enqueue workflowSid=\"{}\"><Task timeout=\"5\">{{\"lang\":\"de\"}}</Task></Enqueue>",
        d.workflow
    );
    d.s.web().answer_next(VOICE, Answer::twiml(&verbs));
    let caller = d.s.carrier_calls(NUMBER);
    d.s.pass_ms(6_000);
    let (_, status, reason) = d.tasks().remove(0);
    assert_eq!((status, reason.as_deref()), (TaskStatus::Canceled, Some("Task TTL Exceeded")));
    assert_eq!(d.s.state(&caller), UaState::Up);
    d.s.hangs_up(&caller);
    d.s.expect_rest();
}
