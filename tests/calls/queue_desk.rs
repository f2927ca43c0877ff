//! What an operator sees of voice queues and does to them.

use base::QueueSid;
use call::record::StoreItem;
use call::{LiveQueue, Operator, OperatorReply, QueueFault};
use sim::{Answer, Caller, NUMBER, Scenario, VOICE, param};
use twiml::HttpMethod;

use crate::{ACTION, office};

const MOVED: &str = "http://web.example/moved";
const DIALLED: &str = "http://web.example/dialled";

fn desk() -> Scenario {
    let mut s = office("");
    s.web().serve(MOVED, Answer::twiml("<Say>moved</Say>"));
    s.web().serve(DIALLED, Answer::twiml("<Say>dialled</Say>"));
    s
}

fn calls(s: &mut Scenario, verbs: &str) -> Caller {
    s.web().answer_next(VOICE, Answer::twiml(verbs));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(500);
    caller
}

fn waits(s: &mut Scenario) -> Caller {
    calls(s, "<Enqueue action=\"/action\">desk</Enqueue>")
}

fn queues(s: &mut Scenario) -> Vec<LiveQueue> {
    match s.operator(Operator::Queues) {
        OperatorReply::Queues(queues) => queues,
        other => panic!("{other:?}"),
    }
}

fn move_out(s: &mut Scenario, queue: QueueSid, call: Option<base::CallSid>) -> OperatorReply {
    let (url, method) = (MOVED.to_owned(), HttpMethod::Get);
    let reply = s.operator(Operator::Dequeue { queue, call, url, method });
    s.pass_ms(500);
    reply
}

#[test]
fn queues_are_listed_with_those_who_wait() {
    let mut s = desk();
    assert_eq!(queues(&mut s), []);
    let first = waits(&mut s);
    s.pass_ms(4_000);
    let second = waits(&mut s);
    let all = queues(&mut s);
    let [queue] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((queue.name.as_str(), queue.max_size, queue.average_wait_s), ("desk", 1_000, 3));
    let places: Vec<_> = queue.members.iter().map(|member| (member.position, member.wait_s)).collect();
    assert_eq!(places, [(1, 4), (2, 0)]);
    let (front, behind) = (queue.members[0].call, queue.members[1].call);
    let (sid, member) = (queue.sid, |call| Operator::QueueMember { queue: queue.sid, call });
    for (call, found) in [(None, front), (Some(front), front), (Some(behind), behind)] {
        let OperatorReply::QueueMember(member) = s.operator(member(call)) else { panic!() };
        assert_eq!(member.call, found);
    }
    assert_eq!(s.operator(member(Some(base::CallSid(1)))), OperatorReply::NotInQueue);
    assert!(
        matches!(s.operator(Operator::Queue(sid)), OperatorReply::Queue(queue) if queue.members.len() == 2)
    );
    let nowhere = QueueSid(1);
    assert_eq!(s.operator(Operator::Queue(nowhere)), OperatorReply::NoSuchQueue(nowhere));
    s.hangs_up(&first);
    s.hangs_up(&second);
    s.expect_rest();
}

#[test]
fn a_queue_is_made_changed_and_deleted_when_empty() {
    let mut s = desk();
    let create = |name: &str, max_size| Operator::CreateQueue { name: name.to_owned(), max_size };
    let OperatorReply::Queue(queue) = s.operator(create("desk", Some(1))) else { panic!() };
    assert_eq!(s.operator(create("desk", None)), OperatorReply::QueueFault(QueueFault::NameTaken));
    assert_eq!(s.operator(create("", None)), OperatorReply::QueueFault(QueueFault::BadName));
    let first = waits(&mut s);
    let second = waits(&mut s);
    assert_eq!(param(&s.asked(ACTION)[0], "QueueResult"), Some("queue-full"));
    let fault = OperatorReply::QueueFault(QueueFault::NotEmpty);
    assert_eq!(s.operator(Operator::DeleteQueue(queue.sid)), fault);
    let (name, max_size) = (Some("front desk".to_owned()), Some(2));
    let OperatorReply::Queue(changed) =
        s.operator(Operator::UpdateQueue { queue: queue.sid, name, max_size })
    else {
        panic!()
    };
    assert_eq!((changed.name.as_str(), changed.max_size, changed.members.len()), ("front desk", 2, 1));
    s.hangs_up(&first);
    s.hangs_up(&second);
    s.pass_ms(500);
    assert_eq!(s.operator(Operator::DeleteQueue(queue.sid)), OperatorReply::Done);
    assert_eq!(s.operator(Operator::DeleteQueue(queue.sid)), OperatorReply::NoSuchQueue(queue.sid));
    let rows: Vec<_> = s
        .world
        .stored
        .iter()
        .filter_map(|item| match item {
            StoreItem::Queue(row) => Some((row.name.as_str(), row.max_size, row.deleted.is_some())),
            _ => None,
        })
        .collect();
    assert_eq!(rows, [("desk", 1, false), ("front desk", 2, false), ("front desk", 2, true)]);
    s.expect_rest();
}

#[test]
fn somebody_who_waits_is_moved_to_another_document() {
    for front in [true, false] {
        let mut s = desk();
        let first = waits(&mut s);
        let second = waits(&mut s);
        let queue = queues(&mut s).remove(0);
        let call = queue.members[1].call;
        let (moved, stays) = if front { (&first, &second) } else { (&second, &first) };
        let reply = move_out(&mut s, queue.sid, (!front).then_some(call));
        assert!(matches!(reply, OperatorReply::QueueMember(_)), "{reply:?}");
        assert_eq!(param(&s.asked(ACTION)[0], "QueueResult"), Some("redirected"));
        let asked = s.asked(MOVED);
        assert_eq!(asked[0].method, HttpMethod::Get);
        assert_eq!(param(&asked[0], "QueueSid"), Some(queue.sid.to_string().as_str()));
        assert!(
            s.heard_clip(moved, "moved") && !s.heard_clip(moved, "done") && !s.heard_clip(stays, "moved")
        );
        s.hangs_up(stays);
        s.pass_ms(500);
        assert_eq!(move_out(&mut s, queue.sid, None), OperatorReply::NotInQueue);
        s.hangs_up(moved);
        s.expect_rest();
    }
}

#[test]
fn somebody_who_was_taken_is_moved() {
    for (whisper, result, status, bridged) in [
        ("", "redirected-from-bridged", Some("completed"), true),
        ("url=\"/whisper\"", "redirected", None, false),
    ] {
        let mut s = desk();
        s.web().serve("http://web.example/whisper", Answer::twiml("<Pause length=\"5\"/>"));
        let caller = waits(&mut s);
        let queue = queues(&mut s).remove(0);
        let dial = format!("<Dial action=\"/dialled\" timeout=\"30\"><Queue {whisper}>desk</Queue></Dial>");
        let ann = calls(&mut s, &dial);
        assert_eq!(s.bridged(&ann, &caller), bridged);
        let call = queue.members[0].call;
        assert!(matches!(move_out(&mut s, queue.sid, Some(call)), OperatorReply::QueueMember(_)));
        assert_eq!(param(&s.asked(ACTION)[0], "QueueResult"), Some(result));
        assert!(s.heard_clip(&caller, "moved") && !s.bridged(&ann, &caller));
        let dialled = s.asked(DIALLED);
        assert_eq!(dialled.first().and_then(|request| param(request, "DialCallStatus")), status);
        assert_eq!(dialled.first().and_then(|request| param(request, "DialCallDuration")), None);
        s.hangs_up(&caller);
        s.hangs_up(&ann);
        s.expect_rest();
    }
}

#[test]
fn queues_of_earlier_days_are_there_again() {
    let mut s = desk();
    let row = call::record::QueueRow::new(QueueSid(77), "desk", 3, true, base::Timestamp(5));
    s.world.node.restore_queues(vec![row]);
    let caller = waits(&mut s);
    let queue = queues(&mut s).remove(0);
    assert_eq!((queue.sid, queue.max_size, queue.members.len()), (QueueSid(77), 3, 1));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn either_side_is_sent_to_another_document() {
    for (who, result) in [(0, "redirected-from-bridged"), (1, "bridged")] {
        let mut s = desk();
        let caller = waits(&mut s);
        let ann = calls(&mut s, "<Dial action=\"/dialled\"><Queue>desk</Queue></Dial>");
        assert!(s.bridged(&ann, &caller));
        let source = twiml::Source::Url { url: MOVED.to_owned(), method: HttpMethod::Post };
        let update = call::CallUpdate { fate: Some(call::Fate::Redirect(source)), ..Default::default() };
        let sid = s.rows()[who].sid;
        s.operator(Operator::UpdateCall { call: sid, update: Box::new(update) });
        s.pass_ms(500);
        assert!(!s.bridged(&ann, &caller));
        assert_eq!(param(&s.asked(ACTION)[0], "QueueResult"), Some(result));
        let (moved, other) = if who == 0 { (&caller, &ann) } else { (&ann, &caller) };
        assert!(s.heard_clip(moved, "moved") && !s.heard_clip(moved, "done"));
        assert!(s.heard_clip(other, if who == 0 { "dialled" } else { "done" }));
        assert_eq!(s.asked(DIALLED).len(), usize::from(who == 0), "who is sent elsewhere has no action");
        s.hangs_up(&caller);
        s.hangs_up(&ann);
        s.expect_rest();
    }
}

#[test]
fn one_who_waits_is_sent_to_another_document() {
    let mut s = desk();
    let caller = waits(&mut s);
    let source = twiml::Source::Inline("<Response><Say>moved</Say></Response>".to_owned());
    let update = call::CallUpdate { fate: Some(call::Fate::Redirect(source)), ..Default::default() };
    let sid = s.rows()[0].sid;
    s.operator(Operator::UpdateCall { call: sid, update: Box::new(update) });
    s.pass_ms(500);
    assert_eq!(param(&s.asked(ACTION)[0], "QueueResult"), Some("redirected"));
    assert!(s.heard_clip(&caller, "moved") && s.world.node.queued().is_empty());
    s.hangs_up(&caller);
    s.expect_rest();
}
