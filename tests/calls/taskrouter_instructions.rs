//! What an application may want done with a reservation, instruction by instruction and key by key: as the answer to
//! the assignment callback, or asked for.

use call::taskrouter::{
    DeskAsk, ReservationChange, RouterReply, TaskForm, TransferForm, WorkerForm, WorkflowForm,
};
use router::{
    Direct, Instruction, ReservationStatus, Supervise, SupervisorMode, TaskStatus, TransferMode,
    read_attributes,
};
use sim::{Answer, CALLER, Caller, NUMBER, Reaction, UaState, param};
use twiml::HttpMethod;

use crate::ACTION;
use crate::taskrouter::{ASSIGNMENT, Desk, FALLBACK};

const ELSEWHERE: &str = "http://web.example/elsewhere";
const TOLD: &str = "http://web.example/told";
const ROOM_TOLD: &str = "http://web.example/room-told";

/// What was told at a URL: the values of one parameter, in order.
fn told(d: &mut Desk, url: &str, name: &str) -> Vec<String> {
    let asked = d.s.asked(url);
    asked.iter().filter_map(|request| param(request, name)).map(str::to_owned).collect()
}

/// A caller waits, and then Ann is free and asked about with this answer; `CALL` stands for the caller's sid.
fn offered(d: &mut Desk, json: &str) -> Caller {
    d.s.will(d.phone, Reaction::Ignore);
    let caller = d.calls();
    let sid = d.s.rows()[0].sid.to_string();
    d.instructs(&json.replace("CALL", &sid));
    d.ann_does(d.available);
    caller
}

fn picked_up(d: &mut Desk) -> Caller {
    d.s.picks_up(d.phone);
    d.s.pass_ms(1_000);
    d.s.latest(d.phone).expect("it rang")
}

#[test]
fn a_redirected_call_leaves_the_line_with_or_without_the_worker() {
    for (accept, reservation, task, reason) in [
        ("true", ReservationStatus::Accepted, TaskStatus::Assigned, None),
        ("false", ReservationStatus::Canceled, TaskStatus::Canceled, Some("redirected")),
    ] {
        let mut d = Desk::open(None);
        d.s.web().serve(ELSEWHERE, Answer::twiml("<Play>http://web.example/new.wav</Play>"));
        let json = format!(
            r#"{{"instruction":"redirect","call_sid":"CALL","url":"{ELSEWHERE}","accept":{accept}}}"#
        );
        let caller = offered(&mut d, &json);
        d.s.pass_ms(500);
        assert_eq!(d.s.asked(ELSEWHERE).len(), 1);
        assert_eq!(told(&mut d, ACTION, "QueueResult"), ["redirected"]);
        let tasks = d.tasks();
        assert_eq!((d.reservations()[0], tasks[0].1, tasks[0].2.as_deref()), (reservation, task, reason));
        d.s.hangs_up(&caller);
        d.s.expect_rest();
    }
}

#[test]
fn nothing_is_accepted_by_a_redirect_of_nobody() {
    let mut d = Desk::open(None);
    let json = format!(
        r#"{{"instruction":"redirect","call_sid":"CA00000000000000000000000000000009","url":"{ELSEWHERE}","accept":true}}"#
    );
    let caller = offered(&mut d, &json);
    assert_eq!((d.reservations()[0], d.s.notifications()), (ReservationStatus::Pending, vec![40123]));
    d.s.hangs_up(&caller);
    d.s.expect_rest();
}

#[test]
fn dequeue_rings_whom_it_says_as_whom_it_says_records_and_tells() {
    let mut d = Desk::open(None);
    d.s.web().serve(TOLD, Answer::page(204, None, ""));
    let bob = d.s.phone("bob");
    let json = format!(
        r#"{{"instruction":"dequeue","to":"client:bob","from":"+15550004444","record":"record-from-answer",
        "timeout":20,"status_callback_url":"{TOLD}?a=1","status_callback_events":"ringing,answered,completed"}}"#
    );
    let caller = offered(&mut d, &json);
    d.s.pass_ms(1_000);
    let agent = d.s.latest(bob).expect("Bob's phone rang");
    assert!(d.s.latest(d.phone).is_none(), "Ann's did not");
    assert!(d.s.bridged(&caller, &agent));
    assert_eq!(
        (d.s.rows()[1].from.clone(), d.s.rows()[1].to.clone()),
        ("+15550004444".into(), "client:bob".into())
    );
    d.s.pass_ms(3_000);
    d.s.hangs_up(&caller);
    d.s.pass_ms(1_000);
    let recordings = d.s.recordings();
    assert_eq!(recordings.len(), 1);
    let sid = d.s.rows()[0].sid.to_string();
    assert_eq!(told(&mut d, TOLD, "CallStatus"), ["ringing", "in-progress", "completed"]);
    let asked = d.s.asked(TOLD);
    assert!(asked.iter().all(|one| one.url == format!("{TOLD}?a=1&taskCallSid={sid}")), "{asked:?}");
    let worker = d.s.rows()[1].sid.to_string();
    assert!(asked.iter().all(|one| one.method == HttpMethod::Get && param(one, "CallSid") == Some(&worker)));
    assert_eq!(d.attribute("worker_call_sid"), worker);
    d.s.expect_rest();
}

/// A SIP address rings for ten minutes at most, whatever the application says; anything else as long as it says.
#[test]
fn a_sip_address_rings_for_ten_minutes_at_most() {
    for (to, lasts_s) in [("sip:ann@192.0.2.1", 600), ("sips:ann@192.0.2.1", 600), ("client:ann", 999)] {
        let mut d = Desk::open(None);
        let form = WorkflowForm { reservation_timeout_s: Some(3_600), ..WorkflowForm::default() };
        let workflow = d.workflow.parse().expect("a sid");
        d.ask(DeskAsk::PutWorkflow(Some(workflow), form));
        let caller = offered(&mut d, &format!(r#"{{"instruction":"dequeue","to":"{to}","timeout":999}}"#));
        let rings = d.s.latest(d.phone).expect("it rings");
        d.s.pass_ms((lasts_s - 3) * 1_000);
        assert_eq!((d.s.state(&rings), d.reservations()[0]), (UaState::Ringing, ReservationStatus::Pending));
        d.s.pass_ms(5_000);
        assert_eq!(d.s.state(&rings), UaState::Over(487), "{to}");
        assert_eq!((d.reservations()[0], d.ann_is()), (ReservationStatus::Rejected, d.offline), "{to}");
        d.s.hangs_up(&caller);
        d.s.expect_rest();
    }
}

/// Only the end is told unless more is asked for, and nothing is recorded that was not to be.
#[test]
fn dequeue_without_its_keys_rings_the_worker_as_the_number_that_was_dialled() {
    let mut d = Desk::open(None);
    let json =
        format!(r#"{{"instruction":"dequeue","record":"do-not-record","status_callback_url":"{TOLD}"}}"#);
    let caller = offered(&mut d, &json);
    picked_up(&mut d);
    assert_eq!(d.s.rows()[1].from, NUMBER);
    d.s.hangs_up(&caller);
    d.s.pass_ms(1_000);
    let url = format!("{TOLD}?taskCallSid={}", d.s.rows()[0].sid);
    assert_eq!(told(&mut d, TOLD, "CallStatus"), ["completed"]);
    assert_eq!(d.s.asked(TOLD)[0].url, url);
    assert!(d.s.recordings().is_empty());
    d.s.expect_rest();
}

#[test]
fn an_instruction_that_cannot_be_carried_out_leaves_the_offer_and_says_why() {
    let nobody = "WA00000000000000000000000000000009";
    for (json, code) in [
        (format!(r#"{{"instruction":"dequeue","post_work_activity_sid":"{nobody}"}}"#), 40132),
        (format!(r#"{{"instruction":"conference","post_work_activity_sid":"{nobody}"}}"#), 40139),
        (format!(r#"{{"instruction":"reject","activity_sid":"{nobody}"}}"#), 40100),
        (r#"{"instruction":"dequeue","timeout":"soon"}"#.to_owned(), 40133),
        (r#"{"instruction":"conference","muted":"a little"}"#.to_owned(), 40141),
        (r#"{"instruction":"supervise","supervisor":"client:bob"}"#.to_owned(), 40146),
        (r#"{"instruction":"call","url":"http://web.example/x"}"#.to_owned(), 40110),
        (r#"{"instruction":"dance"}"#.to_owned(), 40151),
        ("{\"instruction\":".to_owned(), 40001),
        (r#"{"to":"client:ann"}"#.to_owned(), 40005),
    ] {
        let mut d = Desk::open(None);
        let caller = offered(&mut d, &json);
        assert_eq!(
            (d.reservations()[0], d.status()),
            (ReservationStatus::Pending, TaskStatus::Reserved),
            "{json}"
        );
        assert_eq!(d.s.notifications(), [code], "{json}");
        assert_eq!(d.s.asked(FALLBACK).len(), 0, "{json}: it was an answer");
        d.s.hangs_up(&caller);
        d.s.expect_rest();
    }
}

#[test]
fn an_answer_that_is_not_json_by_its_type_is_none() {
    let mut d = Desk::open(None);
    d.s.web().serve(ASSIGNMENT, Answer::page(200, Some("text/html"), r#"{"instruction":"accept"}"#));
    let fallback = Answer::page(200, Some("Application/JSON; charset=utf-8"), r#"{"instruction":"accept"}"#);
    d.s.web().serve(FALLBACK, fallback);
    d.ann_does(d.available);
    let caller = d.calls();
    assert_eq!((d.reservations()[0], d.s.notifications()), (ReservationStatus::Accepted, vec![40000]));
    d.s.hangs_up(&caller);
    d.s.expect_rest();
}

#[test]
fn a_task_without_a_call_cannot_be_dequeued_nor_a_worker_without_an_address_be_rung() {
    let attributes = |text: &str| Some(read_attributes(text).expect("they are an object"));
    for (instruction, code) in [("dequeue", 40140), ("conference", 40142)] {
        let mut d = Desk::open(None);
        d.instructs(&format!("{{\"instruction\":\"{instruction}\"}}"));
        d.ann_does(d.available);
        let form = TaskForm { attributes: attributes("{\"lang\":\"de\"}"), ..TaskForm::default() };
        d.ask(DeskAsk::PutTask(None, form));
        d.s.pass_ms(500);
        assert_eq!((d.reservations()[0], d.s.notifications()), (ReservationStatus::Pending, vec![code]));
        d.s.expect_rest();
    }
    for (instruction, code) in [("dequeue", 40130), ("conference", 40137)] {
        let mut d = Desk::open(None);
        let RouterReply::Workers(workers) = d.ask(DeskAsk::Workers(None)) else { panic!() };
        let form = WorkerForm { attributes: attributes("{\"languages\":[\"de\"]}"), ..WorkerForm::default() };
        d.ask(DeskAsk::PutWorker(Some(workers[0].row.worker.sid), form));
        let caller = offered(&mut d, &format!("{{\"instruction\":\"{instruction}\"}}"));
        assert_eq!((d.reservations()[0], d.s.notifications()), (ReservationStatus::Pending, vec![code]));
        d.s.hangs_up(&caller);
        d.s.expect_rest();
    }
}

#[test]
fn a_call_with_its_own_document_may_accept_by_its_answer_is_recorded_and_told() {
    for (accept, reservation) in
        [("true", ReservationStatus::Accepted), ("false", ReservationStatus::Pending)]
    {
        let mut d = Desk::open(None);
        d.s.web().serve(ELSEWHERE, Answer::twiml("<Pause length=\"60\"/>"));
        let json = format!(
            r#"{{"instruction":"call","from":"+15550004444","url":"{ELSEWHERE}","accept":{accept},
            "record":"record-from-answer-dual","timeout":20,"status_callback_url":"{TOLD}"}}"#
        );
        let caller = offered(&mut d, &json);
        assert_eq!(d.reservations(), [ReservationStatus::Pending]);
        let agent = picked_up(&mut d);
        assert_eq!(d.reservations(), [reservation]);
        assert_eq!(d.s.asked(ELSEWHERE).len(), 1);
        assert!(!d.s.bridged(&caller, &agent), "it waits on");
        assert_eq!(d.s.state(&caller), UaState::Up);
        d.s.pass_ms(2_000);
        d.s.hangs_up(&agent);
        d.s.pass_ms(500);
        assert_eq!(told(&mut d, TOLD, "CallStatus"), ["completed"]);
        assert!(d.s.asked(TOLD).iter().all(|one| one.method == HttpMethod::Post));
        assert_eq!(d.s.recordings().len(), 1);
        d.s.hangs_up(&caller);
        d.s.expect_rest();
    }
}

#[test]
fn a_call_that_is_not_answered_costs_the_offer_only_if_it_was_to_accept() {
    for (accept, reservation) in
        [("true", ReservationStatus::Rejected), ("false", ReservationStatus::Pending)]
    {
        let mut d = Desk::open(None);
        let json = format!(
            r#"{{"instruction":"call","from":"+15550004444","url":"{ELSEWHERE}","accept":{accept},"timeout":5}}"#
        );
        let caller = offered(&mut d, &json);
        d.s.pass_ms(6_000);
        assert_eq!(d.reservations(), [reservation]);
        d.s.hangs_up(&caller);
        d.s.expect_rest();
    }
}

#[test]
fn a_conference_tells_of_itself_and_of_the_workers_call_and_ends_with_the_customer() {
    let mut d = Desk::open(None);
    let json = format!(
        r#"{{"instruction":"conference","from":"+15550004444","end_conference_on_customer_exit":true,
        "beep_on_customer_entrance":false,"conference_record":"record-from-start","record":true,
        "conference_status_callback":"{ROOM_TOLD}","conference_status_callback_event":["start","join","leave","end"],
        "status_callback":"{TOLD}","status_callback_method":"GET","status_callback_event":["ringing","answered","completed"]}}"#
    );
    let caller = offered(&mut d, &json);
    let agent = picked_up(&mut d);
    assert!(d.s.hears(&caller, &agent) && d.s.hears(&agent, &caller));
    assert_eq!(d.s.rows()[1].from, "+15550004444");
    assert_eq!(told(&mut d, ACTION, "QueueResult"), ["redirected"]);
    d.s.pass_ms(3_000);
    d.s.hangs_up(&caller);
    d.s.pass_ms(1_000);
    assert!(matches!(d.s.state(&agent), UaState::Over(_)), "the conference is over with the customer");
    assert_eq!(d.status(), TaskStatus::Wrapping);
    assert_eq!(told(&mut d, TOLD, "CallStatus"), ["ringing", "in-progress", "completed"]);
    assert!(d.s.asked(TOLD).iter().all(|one| one.method == HttpMethod::Get));
    let (task, _, _) = d.tasks().remove(0);
    assert!(told(&mut d, ROOM_TOLD, "FriendlyName").iter().all(|name| *name == task.to_string()));
    let mut events = told(&mut d, ROOM_TOLD, "StatusCallbackEvent");
    events.sort();
    events.dedup();
    assert_eq!(events, ["conference-end", "conference-start", "participant-join", "participant-leave"]);
    assert_eq!(d.s.recordings().len(), 2, "the room's and the worker's call's");
    d.s.expect_rest();
}

/// After-work is where the worker goes before anything else is offered.
#[test]
fn after_a_conference_with_after_work_the_worker_is_not_offered_the_next_caller() {
    let mut d = Desk::open(None);
    let json =
        r#"{"instruction":"conference","post_work_activity_sid":"WRAP","end_conference_on_exit":true}"#;
    offered(&mut d, json);
    let agent = picked_up(&mut d);
    let next = d.calls();
    assert_eq!(d.s.asked(ASSIGNMENT).len(), 1);
    d.s.hangs_up(&agent);
    d.s.pass_ms(1_000);
    assert_eq!((d.tasks()[0].1, d.ann_is()), (TaskStatus::Completed, d.after_work));
    assert_eq!(d.s.asked(ASSIGNMENT).len(), 1, "the next caller waits");
    d.s.hangs_up(&next);
    d.s.expect_rest();
}

#[test]
fn a_customer_is_called_once_the_worker_is_there() {
    let mut d = Desk::open(None);
    d.instructs(r#"{"instruction":"conference"}"#);
    d.s.will(d.phone, Reaction::Ignore);
    d.ann_does(d.available);
    let bob = d.s.phone("bob");
    let attributes =
        Some(read_attributes(r#"{"lang":"de","outbound_to":"client:bob","from":"+15550004444"}"#).unwrap());
    d.ask(DeskAsk::PutTask(None, TaskForm { attributes, ..TaskForm::default() }));
    d.s.pass_ms(500);
    assert!(d.s.latest(bob).is_none(), "the worker first");
    let agent = picked_up(&mut d);
    let customer = d.s.latest(bob).expect("then the customer");
    assert!(d.s.hears(&customer, &agent) && d.s.hears(&agent, &customer));
    assert_eq!((d.status(), d.reservations()), (TaskStatus::Assigned, vec![ReservationStatus::Accepted]));
    let sids: Vec<String> = d.s.rows().iter().map(|row| row.sid.to_string()).collect();
    let conference = d.attribute("conference");
    assert!(
        sids.len() == 2 && sids.iter().all(|sid| conference.contains(sid.as_str())),
        "{conference} {sids:?}"
    );
    d.s.hangs_up(&agent);
    d.s.pass_ms(500);
    assert_eq!(d.status(), TaskStatus::Wrapping);
    if d.s.state(&customer) == UaState::Up {
        d.s.hangs_up(&customer);
    }
    d.s.expect_rest();
}

/// Who is called and does not come leaves nobody alone: the worker is released and has after-work to do.
#[test]
fn a_customer_who_does_not_answer_releases_the_worker() {
    for refuses in [false, true] {
        let mut d = Desk::open(None);
        d.instructs(r#"{"instruction":"conference","timeout":10}"#);
        d.s.will(d.phone, Reaction::Ignore);
        d.ann_does(d.available);
        let bob = d.s.phone("bob");
        let reaction = if refuses { Reaction::Refuse(486) } else { Reaction::Ignore };
        d.s.will(bob, reaction);
        let attributes = r#"{"lang":"de","outbound_to":"client:bob","from":"+15550004444"}"#;
        let attributes = Some(read_attributes(attributes).unwrap());
        d.ask(DeskAsk::PutTask(None, TaskForm { attributes, ..TaskForm::default() }));
        d.s.pass_ms(500);
        let agent = picked_up(&mut d);
        if !refuses {
            assert_eq!((d.s.state(&agent), d.status()), (UaState::Up, TaskStatus::Assigned), "it rings");
            d.s.pass_ms(60_000);
        }
        assert!(matches!(d.s.state(&agent), UaState::Over(_)), "she is not left alone");
        assert_eq!((d.status(), d.reservations()), (TaskStatus::Wrapping, vec![ReservationStatus::Wrapping]));
        assert_eq!((d.ann_is(), d.s.conferences(), d.s.world.node.rings()), (d.available, vec![], 0));
        assert_eq!(d.s.rows().len(), 2, "nobody is called again");
        d.s.expect_rest();
    }
}

/// The worker goes while the customer is rung: nobody is to come into an empty room.
#[test]
fn a_customer_is_not_rung_for_a_worker_who_has_gone() {
    let mut d = Desk::open(None);
    d.instructs(r#"{"instruction":"conference"}"#);
    d.s.will(d.phone, Reaction::Ignore);
    d.ann_does(d.available);
    let bob = d.s.phone("bob");
    d.s.will(bob, Reaction::Ignore);
    let attributes = r#"{"lang":"de","outbound_to":"client:bob","from":"+15550004444"}"#;
    let attributes = Some(read_attributes(attributes).unwrap());
    d.ask(DeskAsk::PutTask(None, TaskForm { attributes, ..TaskForm::default() }));
    d.s.pass_ms(500);
    let agent = picked_up(&mut d);
    let customer = d.s.latest(bob).expect("he is rung");
    d.s.hangs_up(&agent);
    d.s.pass_ms(500);
    assert!(matches!(d.s.state(&customer), UaState::Over(_)));
    assert_eq!((d.status(), d.s.world.node.rings()), (TaskStatus::Wrapping, 0));
    d.s.expect_rest();
}

#[test]
fn a_customer_who_cannot_be_called_leaves_nobody_alone_and_nothing_accepted() {
    let mut d = Desk::open(None);
    d.instructs(r#"{"instruction":"conference"}"#);
    d.s.will(d.phone, Reaction::Ignore);
    d.ann_does(d.available);
    let attributes = Some(
        read_attributes(r#"{"lang":"de","outbound_to":"nobody at all","from":"+15550004444"}"#).unwrap(),
    );
    d.ask(DeskAsk::PutTask(None, TaskForm { attributes, ..TaskForm::default() }));
    d.s.pass_ms(500);
    let agent = d.s.latest(d.phone).expect("the worker is rung");
    d.s.picks_up(d.phone);
    d.s.pass_ms(200);
    assert_eq!((d.status(), d.reservations()), (TaskStatus::Canceled, vec![ReservationStatus::Canceled]));
    assert!(matches!(d.s.state(&agent), UaState::Over(_)));
    assert!(d.s.notifications().contains(&40143), "{:?}", d.s.notifications());
    d.s.pass_ms(5_000);
    assert_eq!(d.s.latest(d.phone), Some(agent), "she is not rung for it again and again");
    d.s.expect_rest();
}

#[test]
fn a_supervisor_hears_both_is_heard_by_the_worker_or_by_both_and_leaves_with_the_worker() {
    for (mode, worker_hears, customer_hears) in [
        (SupervisorMode::Monitor, false, false),
        (SupervisorMode::Whisper, true, false),
        (SupervisorMode::Barge, true, true),
    ] {
        let mut d = Desk::open(None);
        let carl = d.s.phone("carl");
        let boss = WorkerForm {
            name: Some("Boss".to_owned()),
            attributes: Some(read_attributes(r#"{"contact_uri":"client:carl"}"#).unwrap()),
            ..WorkerForm::default()
        };
        let RouterReply::Workers(made) = d.ask(DeskAsk::PutWorker(None, boss)) else { panic!() };
        let caller = offered(&mut d, r#"{"instruction":"conference"}"#);
        let agent = picked_up(&mut d);
        let (sid, supervisor) = (d.reservation(), made[0].row.worker.sid.to_string());
        let change = ReservationChange::Instruct(Instruction::Supervise(Supervise { supervisor, mode }));
        d.ask(DeskAsk::UpdateReservation { sid, change, if_match: None });
        d.s.pass_ms(2_000);
        let boss = d.s.latest(carl).expect("the supervisor is rung");
        assert_eq!(d.s.rows()[2].from, CALLER, "as the one who calls");
        assert!(d.s.hears(&boss, &agent) && d.s.hears(&boss, &caller), "{mode:?}");
        assert_eq!(
            (d.s.hears(&agent, &boss), d.s.hears(&caller, &boss)),
            (worker_hears, customer_hears),
            "{mode:?}"
        );
        d.s.hangs_up(&agent);
        d.s.pass_ms(1_000);
        assert!(matches!(d.s.state(&boss), UaState::Over(_)), "there is nobody to supervise");
        assert_eq!(d.s.world.node.rings(), 0);
        if d.s.state(&caller) == UaState::Up {
            d.s.hangs_up(&caller);
        }
        d.s.expect_rest();
    }
}

/// A task that should know its worker and cannot: its caller's record says so, and it waits.
#[test]
fn a_known_worker_who_cannot_be_had_is_told() {
    for (agent, code) in [("Bob", 40154), ("Ann", 40152)] {
        let mut d = Desk::open(None);
        let RouterReply::Queues(queues) = d.ask(DeskAsk::Queues(None)) else { panic!() };
        let form = WorkerForm { attributes: Some(read_attributes("{}").unwrap()), ..WorkerForm::default() };
        let RouterReply::Workers(workers) = d.ask(DeskAsk::Workers(None)) else { panic!() };
        d.ask(DeskAsk::PutWorker(Some(workers[0].row.worker.sid), form));
        let target = format!(
            r#"{{"task_routing":{{"default_filter":{{"queue":"{}","known_worker_friendly_name":"task.agent"}}}}}}"#,
            queues[0].0.queue.sid
        );
        let RouterReply::Workflows(flows) = d.ask(DeskAsk::Workflows(None)) else { panic!() };
        let form = WorkflowForm { configuration: Some(target), ..WorkflowForm::default() };
        d.ask(DeskAsk::PutWorkflow(Some(flows[0].workflow.sid), form));
        let attributes = Some(read_attributes(&format!("{{\"agent\":\"{agent}\"}}")).unwrap());
        d.ask(DeskAsk::PutTask(None, TaskForm { attributes, ..TaskForm::default() }));
        d.s.pass_ms(200);
        assert_eq!((d.s.notifications(), d.status()), (vec![code], TaskStatus::Pending), "{agent}");
        d.s.expect_rest();
    }
}

/// What is told a moment later is told as it was.
#[test]
fn events_tell_of_their_own_moment() {
    let mut d = Desk::open(None);
    d.instructs(r#"{"instruction":"accept"}"#);
    d.ann_does(d.available);
    let caller = d.calls();
    d.ann_does(d.offline);
    let asked = d.s.asked(crate::taskrouter::HAPPENED);
    let of = |kind: &str, name: &str| {
        let event = asked
            .iter()
            .find(|one| param(one, "EventType") == Some(kind))
            .unwrap_or_else(|| panic!("{kind}"));
        param(event, name).unwrap_or_default().to_owned()
    };
    for (kind, status) in [
        ("task.created", "pending"),
        ("workflow.entered", "pending"),
        ("task-queue.entered", "pending"),
        ("reservation.created", "reserved"),
        ("reservation.accepted", "assigned"),
    ] {
        assert_eq!(of(kind, "TaskAssignmentStatus"), status, "{kind}");
    }
    assert_eq!(of("task.created", "TaskQueueSid"), "");
    assert_eq!(of("reservation.created", "WorkerActivityName"), "Available");
    d.s.hangs_up(&caller);
    d.s.expect_rest();
}

/// A worker hands the task on: who takes it comes into the room where the customer is, and the one before leaves it.
#[test]
fn a_task_that_is_handed_on_is_joined_in_its_room() {
    let mut d = Desk::open(None);
    let caller = offered(&mut d, r#"{"instruction":"conference"}"#);
    let ann = picked_up(&mut d);
    let bob = d.s.phone("bob");
    let form = WorkerForm {
        name: Some("Bob".to_owned()),
        attributes: Some(read_attributes(r#"{"languages":["de"],"contact_uri":"client:bob"}"#).unwrap()),
        activity: Some(d.available),
        ..WorkerForm::default()
    };
    let RouterReply::Workers(made) = d.ask(DeskAsk::PutWorker(None, form)) else { panic!() };
    let worker = made[0].row.worker.sid;
    let form = TransferForm {
        reservation: d.reservation(),
        to: Direct::Worker { worker, ignore_capacity: false },
        mode: TransferMode::Warm,
        priority: None,
        attributes: None,
    };
    d.ask(DeskAsk::Transfer(form));
    d.s.pass_ms(2_000);
    let agent = d.s.latest(bob).expect("Bob's phone rang");
    assert!(d.s.hears(&caller, &agent) && d.s.hears(&agent, &caller));
    assert_eq!(d.s.state(&caller), UaState::Up);
    assert_eq!(d.status(), TaskStatus::Assigned);
    let rows = d.s.rows();
    assert_eq!(rows.len(), 3, "nobody was called twice");
    assert!(d.attribute("conference").contains(&rows[2].sid.to_string()), "{}", d.attribute("conference"));
    if d.s.state(&ann) == UaState::Up {
        d.s.hangs_up(&ann);
        d.s.pass_ms(500);
    }
    assert!(d.s.hears(&caller, &agent), "they talk on");
    assert_eq!(d.status(), TaskStatus::Assigned, "it is Bob's now");
    d.s.hangs_up(&agent);
    d.s.pass_ms(500);
    assert_eq!(d.status(), TaskStatus::Wrapping);
    if d.s.state(&caller) == UaState::Up {
        d.s.hangs_up(&caller);
    }
    d.s.expect_rest();
}

/// The reservation's own time runs while the phone rings.
#[test]
fn a_phone_that_rings_longer_than_the_offer_lasts_is_stopped() {
    let mut d = Desk::open(None);
    let caller = offered(&mut d, r#"{"instruction":"dequeue","timeout":60}"#);
    let ringing = d.s.latest(d.phone).expect("it rings");
    d.s.pass_ms(30_500);
    assert!(matches!(d.s.state(&ringing), UaState::Over(_)));
    assert_eq!((d.reservations()[0], d.ann_is()), (ReservationStatus::Timeout, d.offline));
    assert_eq!((d.status(), d.s.state(&caller)), (TaskStatus::Pending, UaState::Up));
    assert_eq!(d.s.world.node.rings(), 0);
    d.s.hangs_up(&caller);
    d.s.expect_rest();
}
