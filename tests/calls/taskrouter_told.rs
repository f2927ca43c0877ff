//! What applications are told of ends: of what is deleted, of what fails, and of what was open when the box stopped.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{ActivitySid, Now, WorkerSid};
use call::Input;
use call::record::StoreItem;
use call::taskrouter::rows::RouterRow;
use call::taskrouter::{DeskAsk, Filter, RouterAsk, RouterReply, TaskForm, WorkerForm};
use router::{ReservationStatus, TaskStatus, read_attributes};
use sim::{Answer, Reaction, Scenario, param};
use sip::TransportKind;

use crate::taskrouter::{ASSIGNMENT, Desk, FALLBACK, HAPPENED, ask};

const DEBUGGER: &str = "http://watch.example/debugger";

/// What the one event of a kind says under these names; `-` where it says nothing.
fn told(d: &mut Desk, kind: &str, names: &[&str]) -> Vec<String> {
    let asked = d.s.asked(HAPPENED);
    let of: Vec<_> = asked.iter().filter(|one| param(one, "EventType") == Some(kind)).collect();
    assert_eq!(of.len(), 1, "{kind} of {:?}", d.happened());
    let once = |name: &&str| of[0].params.iter().filter(|(key, _)| key == name).count() <= 1;
    assert!(names.iter().all(once), "each is said once: {:?}", of[0].params);
    names.iter().map(|name| param(of[0], name).unwrap_or("-").to_owned()).collect()
}

fn german_task(d: &mut Desk) -> base::TaskSid {
    let attributes = Some(read_attributes("{\"lang\":\"de\"}").expect("JSON"));
    let RouterReply::Tasks(made) =
        d.ask(DeskAsk::PutTask(None, TaskForm { attributes, ..TaskForm::default() }))
    else {
        panic!()
    };
    d.s.pass_ms(500);
    made[0].row.task.sid
}

const TASK: [&str; 6] = [
    "TaskAttributes",
    "TaskAssignmentStatus",
    "TaskCanceledReason",
    "TaskCompletedReason",
    "TaskQueueName",
    "WorkflowName",
];

/// Five minutes after its end a task is forgotten: what is told of that is what it was.
#[test]
fn a_forgotten_task_is_told_of_as_it_was() {
    let mut d = Desk::open(None);
    let sid = german_task(&mut d);
    let reason = Some("no more".to_owned());
    let form = TaskForm { status: Some(TaskStatus::Canceled), reason, ..TaskForm::default() };
    d.ask(DeskAsk::PutTask(Some(sid), form));
    d.s.pass_ms(299_000);
    assert!(!d.happened().contains(&"task.deleted".to_owned()));
    d.s.pass_ms(2_000);
    assert_eq!(
        told(&mut d, "task.deleted", &TASK),
        ["{\"lang\":\"de\"}", "canceled", "no more", "-", "German", "Incoming"]
    );
    assert_eq!(d.tasks(), []);
    d.s.expect_rest();
}

/// Deleted while it is offered: who was offered it is told, and everything is said of it although nothing is left.
#[test]
fn a_task_that_is_deleted_while_it_is_offered_ends_in_full() {
    let mut d = Desk::open(None);
    d.ann_does(d.available);
    let sid = german_task(&mut d);
    let reservation = d.reservation().to_string();
    d.ask(DeskAsk::DeleteTask(sid, None));
    d.s.pass_ms(500);
    assert_eq!(
        told(&mut d, "task.canceled", &TASK),
        ["{\"lang\":\"de\"}", "canceled", "deleted", "-", "German", "Incoming"]
    );
    let ann = d.ann.to_string();
    assert_eq!(
        told(&mut d, "reservation.canceled", &["ReservationSid", "TaskSid", "WorkerSid", "WorkerName"]),
        [&reservation, &sid.to_string(), &ann, "Ann"]
    );
    assert_eq!(told(&mut d, "task.deleted", &["TaskSid", "TaskQueueName"]), [&sid.to_string(), "German"]);
    assert_eq!(d.reservations(), []);
    // She is as free as she was.
    german_task(&mut d);
    assert_eq!(d.reservations(), [ReservationStatus::Pending]);
}

#[test]
fn a_deleted_worker_is_told_of_as_it_was() {
    let mut d = Desk::open(None);
    d.ask(DeskAsk::DeleteWorker(d.ann, None));
    d.s.pass_ms(500);
    assert_eq!(
        told(
            &mut d,
            "worker.deleted",
            &["WorkerSid", "WorkerName", "WorkerAttributes", "WorkerActivityName"]
        ),
        [&d.ann.to_string(), "Ann", "{\"contact_uri\":\"client:ann\",\"languages\":[\"de\"]}", "Offline"]
    );
}

/// A worker who cannot be called at all is another thing than one who does not answer.
#[test]
fn an_instruction_that_fails_is_told_before_its_offer_ends() {
    for (to, reaction, fails) in [
        ("client:nobody", Reaction::Ignore, true),
        ("client:ann", Reaction::Refuse(503), true),
        ("client:ann", Reaction::Refuse(486), false),
    ] {
        let mut d = Desk::open(None);
        d.s.will(d.phone, reaction);
        let caller = d.calls();
        d.instructs(&format!(r#"{{"instruction":"dequeue","to":"{to}"}}"#));
        d.ann_does(d.available);
        d.s.pass_ms(1_000);
        assert_eq!(d.reservations(), [ReservationStatus::Rejected], "{to}");
        let happened = d.happened();
        let at = |kind: &str| happened.iter().position(|one| one == kind);
        assert_eq!(at("reservation.failed").is_some(), fails, "{to}: {happened:?}");
        if fails {
            assert!(at("reservation.failed") < at("reservation.rejected"), "{happened:?}");
            let sid = d.reservation().to_string();
            assert_eq!(
                told(&mut d, "reservation.failed", &["ReservationSid", "ResourceType", "WorkerName"]),
                [&sid, "reservation", "Ann"]
            );
        }
        d.s.hangs_up(&caller);
        d.s.expect_rest();
    }
}

/// What was offered when the box stopped is not lost to its worker: whoever decides is asked again, about the same
/// reservation, and nobody is offered the task twice.
#[test]
fn after_a_restart_the_application_is_asked_again_about_what_is_open() {
    let mut d = Desk::open(None);
    d.ann_does(d.available);
    let (sid, open) = (german_task(&mut d), d.reservation());
    assert_eq!(d.s.asked(ASSIGNMENT).len(), 1, "answered with nothing");
    let (rows, wall) = (d.rows(), d.s.world.now().wall);
    let mut again = Scenario::office();
    again.web().serve(HAPPENED, Answer::page(204, None, ""));
    let accept = Answer::page(200, Some("application/json"), r#"{"instruction":"accept"}"#);
    again.web().serve(ASSIGNMENT, accept);
    let now = Now { mono: again.world.now().mono, wall };
    again.world.node =
        call::Node::new(sim::office(&[("ann", "101")]), "Tandem/sim", base::Rng::seeded(9), now);
    again.world.node.restore_router(rows, Some(&Default::default()), now);
    // The first thing that happens carries out what the start has to do.
    ask(&mut again, RouterAsk::Workspaces);
    again.pass_ms(500);
    let asked = again.asked(ASSIGNMENT);
    let sids: Vec<_> = asked.iter().map(|one| param(one, "ReservationSid").unwrap().to_owned()).collect();
    assert_eq!(sids, [open.to_string()]);
    let mut ask_in = |what| ask(&mut again, RouterAsk::In(d.workspace, what));
    let RouterReply::Reservations(all) = ask_in(DeskAsk::Reservations(None, Some(d.ann))) else { panic!() };
    let all: Vec<_> = all.iter().map(|(row, _)| (row.reservation.sid, row.reservation.status)).collect();
    assert_eq!(all, [(open, ReservationStatus::Accepted)]);
    let RouterReply::Tasks(tasks) = ask_in(DeskAsk::Tasks(Filter::default())) else { panic!() };
    assert_eq!(
        (tasks.len(), tasks[0].row.task.sid, tasks[0].row.task.status),
        (1, sid, TaskStatus::Assigned)
    );
}

/// A worker's reservations are its own, also after those of forgotten tasks have gone.
#[test]
fn reservations_are_listed_by_their_worker() {
    let mut d = Desk::open(None);
    let worker = |name: &str| WorkerForm {
        name: Some(name.to_owned()),
        attributes: Some(read_attributes("{\"languages\":[\"de\"]}").expect("JSON")),
        activity: Some(d.available),
        ..WorkerForm::default()
    };
    let form = worker("Bob");
    let RouterReply::Workers(bob) = d.ask(DeskAsk::PutWorker(None, form)) else { panic!() };
    let bob = bob[0].row.worker.sid;
    let ann = d.ann;
    let first = german_task(&mut d);
    d.ann_does(d.available);
    let second = german_task(&mut d);
    let of = |d: &mut Desk, worker: WorkerSid| {
        let RouterReply::Reservations(all) = d.ask(DeskAsk::Reservations(None, Some(worker))) else {
            panic!()
        };
        all.iter().map(|(row, _)| row.reservation.task).collect::<Vec<_>>()
    };
    assert_eq!((of(&mut d, bob), of(&mut d, ann)), (vec![first], vec![second]));
    d.ask(DeskAsk::DeleteTask(first, None));
    assert_eq!((of(&mut d, bob), of(&mut d, ann)), (vec![], vec![second]));
}

/// The box stops and starts, `away` later; phones do not know. `registered`: whether it knows where they are.
fn starts_again(d: &mut Desk, away: Duration, registered: bool) {
    let rows = d.rows();
    let mut phones = BTreeMap::new();
    for item in &d.s.world.stored {
        if let StoreItem::Registration(row) = item {
            phones.insert(row.phone.clone(), row.clone());
        }
    }
    assert!(!phones.is_empty(), "where phones are is written down");
    let before = d.s.world.now();
    let now = Now { mono: before.mono, wall: before.wall + away };
    d.s.world.node = call::Node::new(sim::office(&[("ann", "101")]), "Tandem/sim", base::Rng::seeded(9), now);
    if registered {
        d.s.world.node.restore_registrations(phones.into_values().collect(), now);
    }
    d.s.world.node.restore_router(rows, Some(&Default::default()), now);
    ask(&mut d.s, RouterAsk::Workspaces);
}

/// Ann's activity and the states of her reservations.
fn anns(d: &mut Desk) -> (ActivitySid, Vec<ReservationStatus>) {
    let worker = DeskAsk::Workers(Some(d.ann));
    let RouterReply::Workers(found) = d.ask(worker) else { panic!() };
    (found[0].row.worker.activity, d.reservations())
}

/// An agent who is called as soon as the box is there again is rung where its phone was, and stays one who answers.
#[test]
fn after_a_restart_a_worker_is_rung_where_its_phone_was() {
    let mut d = Desk::open(None);
    d.ann_does(d.available);
    german_task(&mut d);
    d.instructs(
        r#"{"instruction":"call","from":"+15550001","url":"http://web.example/voice","accept":"true"}"#,
    );
    d.s.will(d.phone, Reaction::Answer(Duration::from_millis(500)));
    starts_again(&mut d, Duration::from_secs(60), true);
    d.s.pass_ms(2_000);
    assert_eq!(anns(&mut d), (d.available, vec![ReservationStatus::Accepted]));
}

/// Who comes back by itself is waited for: an agent whose phone has not found the box again is not one who does not
/// answer. Later one is.
#[test]
fn after_a_restart_a_worker_whose_phone_comes_back_is_waited_for() {
    for (late, activity_stays) in [(false, true), (true, false)] {
        let mut d = Desk::open(None);
        d.ann_does(d.available);
        d.instructs(
            r#"{"instruction":"call","from":"+15550001","url":"http://web.example/voice","accept":"true"}"#,
        );
        starts_again(&mut d, Duration::ZERO, false);
        if late {
            d.s.pass_ms(121_000);
        }
        german_task(&mut d);
        d.s.pass_ms(15_000);
        if activity_stays {
            assert_eq!(anns(&mut d), (d.available, vec![ReservationStatus::Pending]));
            let phone = d.s.world.add_ua("ann", Some("secret"), TransportKind::Udp, [203, 0, 113, 99].into());
            d.s.will(phone, Reaction::Answer(Duration::from_millis(500)));
            d.s.pass_ms(2_000);
            assert_eq!(anns(&mut d), (d.available, vec![ReservationStatus::Accepted]));
        } else {
            assert_eq!(anns(&mut d), (d.offline, vec![ReservationStatus::Rejected]));
        }
    }
}

/// Nobody could answer while the box was down: an offer of before has its whole time anew, and is asked about again.
#[test]
fn an_offer_does_not_run_out_while_the_box_is_down() {
    let mut d = Desk::open(None);
    d.ann_does(d.available);
    german_task(&mut d);
    let open = d.reservation();
    starts_again(&mut d, Duration::from_secs(600), true);
    d.s.pass_ms(29_000);
    assert_eq!(anns(&mut d), (d.available, vec![ReservationStatus::Pending]));
    assert_eq!(d.reservation(), open);
    let asked = d.s.asked(ASSIGNMENT);
    assert!(asked.iter().all(|one| param(one, "ReservationSid") == Some(&open.to_string())));
    assert_eq!(asked.len(), 2, "before and after");
    d.s.pass_ms(1_500);
    assert_eq!(anns(&mut d), (d.offline, vec![ReservationStatus::Timeout]));
}

/// Whoever is to decide is told who is offered what, and the application how long the worker was away.
#[test]
fn an_assignment_callback_says_who_is_offered_what() {
    let mut d = Desk::open(None);
    let task = german_task(&mut d);
    d.s.pass_ms(2_600);
    d.ann_does(d.available);
    d.s.pass_ms(500);
    let asked = d.s.asked(ASSIGNMENT).remove(0);
    let says = |name: &str| param(&asked, name).unwrap_or_else(|| panic!("{name}")).to_owned();
    for (name, value) in [
        ("WorkspaceSid", d.workspace.to_string()),
        ("WorkflowSid", d.workflow.clone()),
        ("WorkerSid", d.ann.to_string()),
        ("WorkerName", "Ann".to_owned()),
        ("TaskSid", task.to_string()),
        ("TaskAttributes", "{\"lang\":\"de\"}".to_owned()),
        ("TaskAge", "3".to_owned()),
        ("TaskPriority", "0".to_owned()),
        ("TaskChannelUniqueName", "default".to_owned()),
        ("ReservationSid", d.reservation().to_string()),
    ] {
        assert_eq!(says(name), value, "{name}");
    }
    let attributes = "{\"languages\":[\"de\"],\"contact_uri\":\"client:ann\"}";
    assert_eq!(read_attributes(&says("WorkerAttributes")), read_attributes(attributes));
    assert!(says("AccountSid").starts_with("AC") && says("TaskQueueSid").starts_with("WQ"));
    assert!(says("Timestamp").parse::<u64>().is_ok_and(|at| at > 1_700_000_000));
    let names = ["WorkerTimeInPreviousActivity", "WorkerTimeInPreviousActivityMs"];
    let away = told(&mut d, "worker.activity.update", &names);
    let away: Vec<u64> = away.iter().map(|text| text.parse().unwrap()).collect();
    assert!((3..=4).contains(&away[0]) && away[0] == away[1] / 1_000, "{away:?}");
}

/// The box stops while they talk: what the end of that conversation does is done by the start, and nobody stays taken.
#[test]
fn after_a_restart_whoever_talked_has_talked() {
    let (conference, dequeue) = (r#"{"instruction":"conference"}"#, r#"{"instruction":"dequeue"}"#);
    let after = |json: &str| json.replace('}', r#","post_work_activity_sid":"WRAP"}"#);
    let done = (ReservationStatus::Completed, TaskStatus::Completed, true);
    for (json, (reservation, task, is_away)) in [
        (after(dequeue), done),
        (after(conference), done),
        (conference.to_owned(), (ReservationStatus::Wrapping, TaskStatus::Wrapping, false)),
        // The application says when.
        (dequeue.to_owned(), (ReservationStatus::Accepted, TaskStatus::Assigned, false)),
    ] {
        let mut d = Desk::open(None);
        d.s.will(d.phone, Reaction::Answer(Duration::from_millis(500)));
        d.instructs(&json);
        d.ann_does(d.available);
        d.calls();
        d.s.pass_ms(2_000);
        assert_eq!(anns(&mut d), (d.available, vec![ReservationStatus::Accepted]), "{json}");
        let activity = if is_away { d.after_work } else { d.available };
        // The second start finds what the first one wrote.
        let mut rows = BTreeMap::new();
        for _ in 0..2 {
            rows.extend(d.rows().into_iter().map(|row| (row.key(), row)));
            let now = d.s.world.now();
            d.s = Scenario::office();
            d.s.web().serve(HAPPENED, Answer::page(204, None, ""));
            let now = Now { mono: d.s.world.now().mono, wall: now.wall };
            let rows = rows.values().cloned().collect();
            d.s.world.node.restore_router(rows, Some(&Default::default()), now);
            d.s.pass_ms(1_000);
            assert_eq!((anns(&mut d), d.status()), ((activity, vec![reservation]), task), "{json}");
        }
    }
}

/// Rows of a version that did not write down what the end of a conversation does: nobody stays taken by what the box
/// would have ended; what the application ends it is left to.
#[test]
fn after_a_restart_nobody_stays_taken_by_rows_of_before() {
    for (json, reservation) in [
        (r#"{"instruction":"conference"}"#, ReservationStatus::Wrapping),
        (r#"{"instruction":"dequeue"}"#, ReservationStatus::Accepted),
        (r#"{"instruction":"accept"}"#, ReservationStatus::Accepted),
    ] {
        let mut d = Desk::open(None);
        d.s.will(d.phone, Reaction::Answer(Duration::from_millis(500)));
        d.instructs(json);
        d.ann_does(d.available);
        d.calls();
        d.s.pass_ms(2_000);
        let mut rows = d.rows();
        for row in &mut rows {
            if let RouterRow::Reservation(row) = row {
                row.after = None;
            }
        }
        let wall = d.s.world.now().wall;
        d.s = Scenario::office();
        d.s.web().serve(HAPPENED, Answer::page(204, None, ""));
        let now = Now { mono: d.s.world.now().mono, wall };
        d.s.world.node.restore_router(rows, Some(&Default::default()), now);
        d.s.pass_ms(1_000);
        assert_eq!(anns(&mut d), (d.available, vec![reservation]), "{json}");
        // A day later whatever was left is over.
        d.s.pass_ms(86_410_000);
        assert_eq!((d.tasks(), d.reservations()), (vec![], vec![]), "{json}");
        assert!(d.happened().contains(&"task.system-deleted".to_owned()));
    }
}

/// Whoever looks after the box learns of a fault that is no call's as of any other.
#[test]
fn the_faults_of_a_task_without_a_call_are_told_to_the_debugger() {
    for (answer, code) in [
        (Answer::failure(11200), 11200),
        (Answer::page(200, Some("application/json"), r#"{"instruction":"dequeue"}"#), 40140),
    ] {
        let mut d = Desk::open(None);
        let mut office = sim::office(&[("ann", "101")]);
        office.debugger_url = Some(DEBUGGER.to_owned());
        d.s.world.input(Input::Office(Box::new(office))).unwrap();
        d.s.web().serve(DEBUGGER, Answer::page(204, None, ""));
        d.s.web().serve(FALLBACK, answer.clone());
        d.s.web().serve(ASSIGNMENT, answer);
        d.ann_does(d.available);
        german_task(&mut d);
        let told = d.s.asked(DEBUGGER);
        assert_eq!(told.len(), d.s.notifications().len());
        let payload = param(&told[0], "Payload").unwrap();
        for part in [&format!("\"error_code\":\"{code}\"")[..], "\"resource_sid\":null"] {
            assert!(payload.contains(part), "{part} in {payload}");
        }
    }
}
