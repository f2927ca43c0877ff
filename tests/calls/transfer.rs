//! REFER from outside: a bridged party asks for the other one to be connected elsewhere.

use std::time::Duration;

use call::record::StoreItem;
use sim::{Answer, Caller, Heard, NUMBER, Reaction, Scenario, UaId, UaState, VOICE, param};

use crate::{ACTION, office, told};

const REFERRED: &str = "http://web.example/referred";
const CARL: &str = "sip:103@192.0.2.1";

/// The carrier's caller talks to ann, who was dialled like this; carl has a phone too.
fn talking(dial: &str) -> (Scenario, Caller, Caller, UaId) {
    let mut s = office(&format!("<Dial action=\"/action\" {dial}><Client>ann</Client></Dial>"));
    let ann = s.phone("ann");
    let carl = s.phone("carl");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    let callee = s.latest(ann).expect("it rings");
    assert!(s.bridged(&caller, &callee));
    (s, caller, callee, carl)
}

#[test]
fn a_phone_transfers_its_caller_to_an_extension_by_itself() {
    let (mut s, caller, ann, carl) = talking("");
    s.refers(&ann, CARL);
    s.pass_ms(3_000);
    assert_eq!(
        (s.call(&ann).refer_answered, s.call(&ann).notified.clone()),
        (Some(202), vec![100, 180, 200])
    );
    assert_eq!(s.state(&ann), UaState::Over(200), "who transferred is let go");
    let carls = s.latest(carl).expect("carl's phone rings");
    assert!(s.bridged(&caller, &carls));
    assert!(s.asked(ACTION).is_empty(), "the document that dialled ann is over");
    s.hangs_up(&carls);
    s.pass_ms(500);
    assert_eq!(s.state(&caller), UaState::Over(200));
    s.expect_rest();
}

#[test]
fn a_phone_transfers_whom_it_called_itself() {
    let mut s = Scenario::office();
    let (ann, carl) = (s.phone("ann"), s.phone("carl"));
    let calls = s.dials(ann, "+15557771234");
    s.pass_ms(3_000);
    let carrier = s.carrier();
    let outside = s.latest(carrier).expect("the carrier is called");
    assert!(s.bridged(&calls, &outside));
    s.refers(&calls, CARL);
    s.pass_ms(3_000);
    assert_eq!(s.call(&calls).notified, [100, 180, 200]);
    let carls = s.latest(carl).expect("carl's phone rings");
    assert!(s.bridged(&outside, &carls));
    assert_eq!(s.state(&calls), UaState::Over(200));
    s.hangs_up(&outside);
    s.expect_rest();
}

#[test]
fn a_phone_that_hangs_up_at_once_has_transferred_all_the_same() {
    let (mut s, caller, ann, carl) = talking("");
    s.refers(&ann, CARL);
    s.hangs_up(&ann);
    s.pass_ms(3_000);
    let carls = s.latest(carl).expect("carl's phone rings");
    assert!(s.bridged(&caller, &carls));
    s.hangs_up(&caller);
    s.expect_rest();
}

/// ann, talking to the caller, consults carl over a second call of hers.
fn consulting(reaction: Reaction) -> (Scenario, Caller, Caller, Caller, UaId) {
    let (mut s, caller, ann, carl) = talking("");
    s.will(carl, reaction);
    let consult = s.dials(ann.ua, "103");
    s.pass_ms(3_000);
    (s, caller, ann, consult, carl)
}

#[test]
fn those_a_phone_has_consulted_are_brought_together() {
    let (mut s, caller, ann, consult, carl) = consulting(Reaction::Answer(Duration::from_millis(300)));
    let carls = s.latest(carl).expect("carl's phone rings");
    assert!(s.bridged(&consult, &carls));
    let replaces = s.replaces(&consult);
    s.refers(&ann, &format!("{CARL}?Replaces={replaces}"));
    s.pass_ms(1_500);
    assert_eq!(s.call(&ann).notified, [100, 200]);
    for call in [&ann, &consult] {
        assert_eq!(s.state(call), UaState::Over(200), "both calls of the phone are over");
    }
    let happened = happened(&s);
    let last = |what: &str| happened.iter().rposition(|text| text.starts_with(what)).expect("it happened");
    assert_eq!(happened.iter().filter(|text| text.starts_with("joined conference")).count(), 2);
    assert!(last("joined conference") < last("NOTIFY"), "the last NOTIFY tells of both: {happened:?}");
    assert!(s.hears(&caller, &carls) && s.hears(&carls, &caller));
    s.hangs_up(&carls);
    s.pass_ms(500);
    assert_eq!(s.state(&caller), UaState::Over(200), "nobody stays behind");
    s.expect_rest();
}

/// Everything written down about the calls, in its order.
fn happened(s: &Scenario) -> Vec<String> {
    let stored = s.world.stored.iter();
    let text = |item: &StoreItem| match item {
        StoreItem::Event(event) => Some(event.text.clone()),
        _ => None,
    };
    stored.filter_map(text).collect()
}

#[test]
fn two_for_whom_there_is_no_room_go_on_as_they_were() {
    let (mut s, caller, ann, consult, carl) = consulting(Reaction::Answer(Duration::from_millis(300)));
    let carls = s.latest(carl).expect("carl's phone rings");
    let mut others = Vec::new();
    for n in 0..1_000 {
        s.web().answer_next(VOICE, Answer::twiml(&format!("<Dial><Conference>{n}</Conference></Dial>")));
        others.push(s.carrier_calls(NUMBER));
    }
    s.pass_ms(500);
    assert_eq!(s.conferences().len(), 1_000);
    let replaces = s.replaces(&consult);
    s.refers(&ann, &format!("{CARL}?Replaces={replaces}"));
    s.pass_ms(1_000);
    assert_eq!((s.call(&ann).refer_answered, s.call(&ann).notified.len()), (Some(503), 0));
    assert!(s.bridged(&caller, &ann) && s.bridged(&consult, &carls));
    for other in others.iter().chain([&caller, &consult]) {
        s.hangs_up(other);
    }
    s.expect_rest();
}

#[test]
fn nobody_is_brought_together_with_themselves() {
    let (mut s, caller, ann, _) = talking("");
    let replaces = s.replaces(&ann);
    s.refers(&ann, &format!("{CARL}?Replaces={replaces}"));
    s.pass_ms(1_000);
    assert_eq!(s.call(&ann).refer_answered, Some(603));
    assert!(s.bridged(&caller, &ann), "the call goes on");
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_call_that_still_rings_is_replaced_by_one_for_the_caller() {
    for answers in [true, false] {
        let (mut s, caller, ann, consult, carl) = consulting(Reaction::Ignore);
        let first = s.latest(carl).expect("carl's phone rings");
        assert_eq!((s.state(&consult), s.state(&first)), (UaState::Calling, UaState::Ringing));
        let replaces = s.replaces(&consult);
        s.refers(&ann, &format!("{CARL}?Replaces={replaces}"));
        s.pass_ms(1_000);
        assert_eq!(s.state(&first), UaState::Over(487), "it rings for somebody else now");
        assert!(matches!(s.state(&consult), UaState::Over(480..)), "the phone's second call is over");
        let second = s.latest(carl).expect("it rings");
        assert!(second != first && s.state(&second) == UaState::Ringing);
        assert_eq!(s.call(&ann).notified, [100, 180], "whoever transferred waits");
        if answers {
            s.picks_up(carl);
            s.pass_ms(1_000);
            assert!(s.bridged(&caller, &second));
            assert_eq!((s.call(&ann).notified.last(), s.state(&ann)), (Some(&200), UaState::Over(200)));
        } else {
            s.pass_ms(40_000);
            assert_eq!(s.call(&ann).notified, [100, 180, 480]);
            assert!(s.bridged(&caller, &ann), "and has the caller back");
        }
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn a_consulted_one_that_still_rings_is_rung_for_the_caller() {
    let (mut s, caller, ann, consult, carl) = consulting(Reaction::Ignore);
    // The phone has an early dialog only: it refers to the number and hangs its second call up.
    s.hangs_up(&consult);
    s.refers(&ann, CARL);
    s.pass_ms(1_000);
    s.picks_up(carl);
    s.pass_ms(1_000);
    let carls = s.latest(carl).expect("it rings");
    assert!(s.bridged(&caller, &carls));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn nobody_replaces_the_calls_of_others() {
    let (mut s, caller, ann, _) = talking("");
    let bob = s.phone("bob");
    let other = s.dials(bob, "+15557771234");
    s.pass_ms(2_000);
    let replaces = s.replaces(&other);
    s.refers(&ann, &format!("{CARL}?Replaces={replaces}"));
    s.pass_ms(1_000);
    assert_eq!(s.call(&ann).refer_answered, Some(603));
    assert!(s.bridged(&caller, &ann), "the call goes on");
    s.hangs_up(&caller);
    s.hangs_up(&other);
    s.expect_rest();
}

#[test]
fn a_carrier_may_not_transfer_without_a_refer_url() {
    let (mut s, caller, ann, _) = talking("");
    s.refers(&caller, CARL);
    s.pass_ms(1_000);
    assert_eq!((s.call(&caller).refer_answered, s.call(&caller).notified.len()), (Some(603), 0));
    assert!(s.notifications().contains(&13802));
    assert!(s.bridged(&caller, &ann), "the call goes on");
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn outside_a_bridge_nothing_is_transferred() {
    for verbs in
        ["<Pause length=\"1\"/><Say>x</Say><Pause length=\"60\"/>", "<Dial><Conference>c</Conference></Dial>"]
    {
        let mut s = office(verbs);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(3_000);
        s.refers(&caller, CARL);
        s.pass_ms(500);
        assert_eq!(s.call(&caller).refer_answered, Some(603), "{verbs}");
        assert_eq!(s.state(&caller), UaState::Up);
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn with_a_refer_url_its_document_decides_for_the_other_party() {
    for transferor_calls in [true, false] {
        let (mut s, caller, ann, carl) = talking("referUrl=\"/referred\" referMethod=\"GET\"");
        s.web().serve(REFERRED, Answer::twiml("<Say>one moment</Say><Dial><Client>carl</Client></Dial>"));
        let (by, other) = if transferor_calls { (&caller, &ann) } else { (&ann, &caller) };
        s.refers(by, "sip:carl@elsewhere.example");
        s.pass_ms(4_000);
        assert_eq!(s.call(by).notified, [100, 200]);
        assert_eq!(s.state(by), UaState::Over(200));
        assert!(s.heard_clip(other, "one moment"));
        let carls = s.latest(carl).expect("carl's phone rings");
        assert!(s.bridged(other, &carls));
        let asked = s.asked(REFERRED);
        assert_eq!(asked.len(), 1);
        assert_eq!(param(&asked[0], "ReferTransferTarget"), Some("sip:carl@elsewhere.example"));
        assert_eq!(asked[0].method, twiml::HttpMethod::Get);
        s.hangs_up(&carls);
        s.pass_ms(500);
        s.hangs_up(other);
        s.expect_rest();
    }
}

#[test]
fn without_that_document_the_bridge_goes_on() {
    for answer in [Answer::page(500, None, ""), Answer::failure(11205).after(Duration::from_secs(3))] {
        let (mut s, caller, ann, _) = talking("referUrl=\"/referred\"");
        s.web().serve(REFERRED, answer);
        s.refers(&ann, "sip:carl@elsewhere.example");
        s.pass_ms(6_000);
        assert_eq!(s.call(&ann).notified, [100, 503]);
        assert!(s.bridged(&caller, &ann));
        s.hangs_up(&ann);
        s.pass_ms(500);
        assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("completed"));
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn who_transfers_and_hangs_up_meanwhile_does_not_end_the_other() {
    for (page, transferor_calls) in [(200, true), (200, false), (500, true), (500, false)] {
        let (mut s, caller, ann, _) = talking("referUrl=\"/referred\"");
        let body = "<Response><Say>one moment</Say><Pause length=\"60\"/></Response>";
        let answer = Answer::page(page, Some("text/xml"), body);
        s.web().serve(REFERRED, answer.after(Duration::from_secs(2)));
        let (by, other) = if transferor_calls { (&caller, &ann) } else { (&ann, &caller) };
        s.refers(by, "sip:carl@elsewhere.example");
        s.pass_ms(500);
        s.hangs_up(by);
        s.pass_ms(3_500);
        assert_eq!(s.heard_clip(other, "one moment"), page == 200, "{page} {transferor_calls}");
        if page == 500 {
            // What would have followed, follows: a callee without its caller ends, a caller's action is asked.
            let ended = s.state(other) == UaState::Over(200);
            assert_eq!(ended, transferor_calls);
            assert_eq!(s.asked(ACTION).len(), 1);
        }
        s.hangs_up(other);
        s.expect_rest();
    }
}

#[test]
fn a_blind_transfer_that_fails_gives_the_caller_back() {
    for (reaction, code) in
        [(Reaction::Refuse(486), 486), (Reaction::Refuse(603), 603), (Reaction::Ignore, 480)]
    {
        let (mut s, caller, ann, carl) = talking("record=\"record-from-answer\"");
        s.will(carl, reaction);
        s.refers(&ann, CARL);
        s.pass_ms(500);
        let is_tried = reaction == Reaction::Ignore;
        if is_tried {
            for waiting in [&caller, &ann] {
                assert_eq!(s.heard(waiting).last(), Some(&Heard::Tone), "it rings for both who wait");
            }
        }
        assert_eq!(s.bridged(&caller, &ann), !is_tried, "who transfers waits meanwhile");
        s.pass_ms(40_000);
        let mut notified = s.call(&ann).notified;
        notified.retain(|code| *code != 180);
        assert_eq!(notified, [100, code]);
        assert!(s.bridged(&caller, &ann), "{reaction:?}: as if nothing had been asked");
        assert!(s.asked(ACTION).is_empty());
        // It can be tried again, and the dial ends as it would have.
        s.will(carl, Reaction::Refuse(480));
        s.refers(&ann, CARL);
        s.pass_ms(1_000);
        assert!(s.bridged(&caller, &ann));
        s.hangs_up(&ann);
        s.pass_ms(500);
        assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("completed"));
        assert_eq!(s.recordings().len(), 1, "one recording from the answer on");
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn who_transferred_blindly_and_hung_up_is_rung_again() {
    for calls_itself in [false, true] {
        let (mut s, caller, ann, carl) = if calls_itself {
            let mut s = Scenario::office();
            let (ann, carl) = (s.phone("ann"), s.phone("carl"));
            let calls = s.dials(ann, "+15557771234");
            s.pass_ms(3_000);
            let carrier = s.carrier();
            let outside = s.latest(carrier).expect("the carrier is called");
            (s, outside, calls, carl)
        } else {
            talking("")
        };
        s.will(carl, Reaction::Refuse(486));
        s.refers(&ann, CARL);
        s.hangs_up(&ann);
        s.pass_ms(3_000);
        let again = s.latest(ann.ua).expect("it rings");
        assert_ne!(again, ann);
        assert!(s.bridged(&caller, &again), "they talk again");
        s.hangs_up(&again);
        s.pass_ms(500);
        assert_eq!(s.state(&caller), UaState::Over(200));
        s.expect_rest();
    }
}

#[test]
fn nobody_is_left_when_the_one_rung_again_does_not_answer() {
    let (mut s, caller, ann, carl) = talking("");
    s.will(carl, Reaction::Refuse(486));
    s.will(ann.ua, Reaction::Ignore);
    s.refers(&ann, CARL);
    s.hangs_up(&ann);
    s.pass_ms(40_000);
    assert_eq!(s.state(&caller), UaState::Over(200));
    s.expect_rest();
}

/// Both ways round, with a referUrl on a dial that answers on the bridge.
fn keeping(document: &str, transferor_calls: bool) -> (Scenario, Caller, Caller, UaId) {
    let (mut s, caller, ann, carl) = talking("referUrl=\"/referred\" answerOnBridge=\"true\"");
    s.web().serve(REFERRED, Answer::twiml(document));
    let (by, other) = if transferor_calls { (caller, ann) } else { (ann, caller) };
    s.will(carl, Reaction::Answer(Duration::from_millis(2_000)));
    s.refers(&by, "sip:carl@elsewhere.example");
    (s, by, other, carl)
}

#[test]
fn with_answer_on_bridge_who_transferred_stays_until_the_target_answers() {
    for transferor_calls in [true, false] {
        let document = "<Say>one moment</Say><Dial><Client>carl</Client></Dial>";
        let (mut s, by, other, carl) = keeping(document, transferor_calls);
        s.pass_ms(3_000);
        assert_eq!(s.call(&by).notified, [100, 180]);
        assert_eq!(s.state(&by), UaState::Up, "it waits");
        assert!(!s.bridged(&by, &other) && s.heard_clip(&other, "one moment"));
        s.pass_ms(2_500);
        assert_eq!(s.call(&by).notified, [100, 180, 200]);
        assert_eq!(s.state(&by), UaState::Over(200));
        let carls = s.latest(carl).expect("carl's phone rings");
        assert!(s.bridged(&other, &carls));
        s.hangs_up(&carls);
        s.pass_ms(500);
        s.hangs_up(&other);
        s.expect_rest();
    }
}

#[test]
fn with_answer_on_bridge_a_failed_transfer_restores_the_bridge() {
    for transferor_calls in [true, false] {
        for document in [
            "<Dial><Client>carl</Client></Dial>",
            "<Dial><Client>carl</Client></Dial><Hangup/>",
            "<Dial action=\"/nowhere\"><Client>carl</Client></Dial>",
        ] {
            let (mut s, by, other, carl) = keeping(document, transferor_calls);
            s.will(carl, Reaction::Refuse(486));
            s.web().serve("http://web.example/nowhere", Answer::page(500, None, ""));
            s.pass_ms(4_000);
            assert_eq!(s.call(&by).notified, [100, 486], "{document}");
            assert!(s.bridged(&by, &other), "{document} {transferor_calls}");
            s.hangs_up(&other);
            s.pass_ms(500);
            assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("completed"));
            s.hangs_up(&by);
            s.expect_rest();
        }
    }
}

#[test]
fn a_conference_takes_the_transferred_one_at_once() {
    for transferor_calls in [true, false] {
        let (mut s, by, other, _) = keeping("<Dial><Conference>c</Conference></Dial>", transferor_calls);
        s.pass_ms(1_000);
        assert_eq!((s.call(&by).notified, s.state(&by)), (vec![100, 200], UaState::Over(200)));
        assert_eq!(s.conferences(), [1]);
        s.hangs_up(&other);
        s.expect_rest();
    }
}

#[test]
fn whoever_hangs_up_while_a_transfer_is_tried_ends_what_is_theirs() {
    for transferor_calls in [true, false] {
        for transferor_leaves in [true, false] {
            let (mut s, by, other, carl) = keeping("<Dial><Client>carl</Client></Dial>", transferor_calls);
            s.will(carl, Reaction::Ignore);
            s.pass_ms(1_000);
            s.hangs_up(if transferor_leaves { &by } else { &other });
            s.pass_ms(1_000);
            if transferor_leaves {
                assert_eq!(s.state(&other), UaState::Up, "carl may still answer");
                s.picks_up(carl);
                s.pass_ms(500);
                let carls = s.latest(carl).expect("it rings");
                assert!(s.bridged(&other, &carls));
                s.hangs_up(&other);
            } else {
                let carls = s.latest(carl).expect("it rang");
                assert_eq!(s.state(&carls), UaState::Over(487), "nobody is left to be answered");
                assert_eq!(s.call(&by).notified.last(), Some(&487));
            }
            s.hangs_up(&by);
            s.expect_rest();
        }
    }
}

/// A caller whom ann's phone took out of a queue.
fn taken(reaction: Reaction) -> (Scenario, Caller, Caller, UaId) {
    let mut s = office("");
    let (ann, carl) = (s.phone("ann"), s.phone("carl"));
    s.will(carl, reaction);
    s.web().answer_next(VOICE, Answer::twiml("<Enqueue action=\"/action\">desk</Enqueue>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(500);
    s.web().answer_next(VOICE, Answer::twiml("<Dial><Queue>desk</Queue></Dial>"));
    let ann = s.dials(ann, NUMBER);
    s.pass_ms(1_500);
    assert!(s.bridged(&caller, &ann));
    s.refers(&ann, CARL);
    (s, caller, ann, carl)
}

#[test]
fn a_caller_out_of_a_queue_is_transferred_once_the_target_answers() {
    let (mut s, caller, ann, carl) = taken(Reaction::Answer(Duration::from_millis(2_000)));
    s.pass_ms(1_000);
    assert_eq!((s.call(&ann).notified, s.state(&ann)), (vec![100, 180], UaState::Up));
    for waiting in [&caller, &ann] {
        assert_eq!(s.heard(waiting).last(), Some(&Heard::Tone), "it rings for both who wait");
    }
    s.pass_ms(2_000);
    assert_eq!((s.call(&ann).notified, s.state(&ann)), (vec![100, 180, 200], UaState::Over(200)));
    let carls = s.latest(carl).expect("carl's phone rings");
    assert!(s.bridged(&caller, &carls));
    assert_eq!(s.asked(ACTION).len(), 1);
    assert_eq!(told(&mut s, ACTION, "QueueResult").as_deref(), Some("redirected-from-bridged"));
    s.hangs_up(&carls);
    s.pass_ms(500);
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_caller_out_of_a_queue_is_given_back_when_nobody_answers() {
    let (mut s, caller, ann, _) = taken(Reaction::Refuse(486));
    s.pass_ms(1_500);
    assert_eq!(s.call(&ann).notified, [100, 486]);
    assert!(s.bridged(&caller, &ann) && s.asked(ACTION).is_empty(), "as if nothing had been asked");
    s.hangs_up(&ann);
    s.pass_ms(500);
    assert_eq!(told(&mut s, ACTION, "QueueResult").as_deref(), Some("bridged"));
    s.hangs_up(&caller);
    s.expect_rest();

    // Whoever transferred has hung up meanwhile: its phone is rung.
    let (mut s, caller, ann, _) = taken(Reaction::Ignore);
    s.hangs_up(&ann);
    s.pass_ms(33_000);
    let again = s.latest(ann.ua).expect("it rings");
    assert!(again != ann && s.bridged(&caller, &again), "they talk again");
    s.hangs_up(&caller);
    s.expect_rest();

    // The caller does not wait for it.
    let (mut s, caller, ann, carl) = taken(Reaction::Ignore);
    s.pass_ms(1_000);
    s.hangs_up(&caller);
    s.pass_ms(500);
    let carls = s.latest(carl).expect("it rang");
    assert_eq!(s.state(&carls), UaState::Over(487), "nobody is left to be answered");
    assert_eq!(s.call(&ann).notified.last(), Some(&487));
    assert_eq!(s.asked(ACTION).len(), 1);
    if s.state(&ann) == UaState::Up {
        s.hangs_up(&ann);
    }
    s.expect_rest();
}

/// bob's phone waits in a queue; who takes the call out of it is connected elsewhere by bob.
fn taking(reaction: Reaction, verbs: &str) -> (Scenario, Caller, Caller, UaId) {
    let mut s = office("");
    let (ann, bob, carl) = (s.phone("ann"), s.phone("bob"), s.phone("carl"));
    s.will(carl, reaction);
    s.web().answer_next(VOICE, Answer::twiml("<Enqueue action=\"/action\">desk</Enqueue>"));
    let bob = s.dials(bob, NUMBER);
    s.pass_ms(500);
    s.web().answer_next(VOICE, Answer::twiml(verbs));
    let ann = s.dials(ann, NUMBER);
    s.pass_ms(1_500);
    assert!(s.bridged(&bob, &ann));
    s.refers(&bob, CARL);
    (s, bob, ann, carl)
}

const TAKES: &str = "<Dial action=\"/taken\" timeLimit=\"30\"><Queue>desk</Queue></Dial>";
const TAKEN: &str = "http://web.example/taken";

#[test]
fn who_took_a_caller_out_of_a_queue_is_transferred_once_the_target_answers() {
    for early in [false, true] {
        let after = Duration::from_millis(2_000);
        let reaction = if early { Reaction::Early(after) } else { Reaction::Answer(after) };
        let (mut s, bob, ann, carl) = taking(reaction, TAKES);
        s.pass_ms(1_000);
        assert_eq!((s.call(&bob).notified, s.state(&bob)), (vec![100, 180], UaState::Up), "it waits");
        assert!(!s.bridged(&bob, &ann));
        s.pass_ms(2_000);
        assert_eq!((s.call(&bob).notified, s.state(&bob)), (vec![100, 180, 200], UaState::Over(200)));
        let carls = s.latest(carl).expect("carl's phone rings");
        assert!(s.bridged(&ann, &carls), "early sound: {early}");
        assert!(s.asked(TAKEN).is_empty(), "the document that took the caller is over");
        assert_eq!(told(&mut s, ACTION, "QueueResult").as_deref(), Some("bridged"));
        s.hangs_up(&carls);
        s.pass_ms(500);
        assert_eq!(s.state(&ann), UaState::Over(200));
        s.expect_rest();
    }
}

#[test]
fn who_took_a_caller_out_of_a_queue_is_given_back_when_nobody_answers() {
    let (mut s, bob, ann, _) = taking(Reaction::Refuse(486), TAKES);
    s.pass_ms(1_500);
    assert_eq!(s.call(&bob).notified, [100, 486]);
    assert!(s.bridged(&bob, &ann) && s.asked(TAKEN).is_empty(), "as if nothing had been asked");
    s.web().serve(TAKEN, Answer::twiml("<Say>done</Say>"));
    s.pass_ms(28_000);
    assert!(!s.bridged(&bob, &ann), "the time limit counts from the bridge");
    assert_eq!(told(&mut s, TAKEN, "DialCallStatus").as_deref(), Some("completed"));
    assert!(s.heard_clip(&ann, "done"));
    s.hangs_up(&bob);
    s.expect_rest();

    // bob has hung up meanwhile: its phone is rung.
    let (mut s, bob, ann, _) = taking(Reaction::Ignore, TAKES);
    s.pass_ms(500);
    s.hangs_up(&bob);
    s.pass_ms(33_000);
    let again = s.latest(bob.ua).expect("it rings");
    assert!(again != bob && s.bridged(&ann, &again), "they talk again");
    assert_eq!(told(&mut s, ACTION, "QueueResult").as_deref(), Some("bridged"));
    s.hangs_up(&ann);
    s.expect_rest();

    // Who took the caller does not wait for it: the queue's caller goes on with its document.
    let (mut s, bob, ann, carl) = taking(Reaction::Ignore, TAKES);
    s.pass_ms(1_000);
    s.hangs_up(&ann);
    s.pass_ms(500);
    let carls = s.latest(carl).expect("it rang");
    assert_eq!(s.state(&carls), UaState::Over(487), "nobody is left to be answered");
    assert_eq!(s.call(&bob).notified.last(), Some(&487));
    assert_eq!(told(&mut s, ACTION, "QueueResult").as_deref(), Some("bridged"));
    s.hangs_up(&bob);
    s.expect_rest();
}
