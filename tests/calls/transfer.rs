//! REFER from outside: a bridged party asks for the other one to be connected elsewhere.

use std::time::Duration;

use sim::{Answer, Caller, NUMBER, Reaction, Scenario, UaId, UaState, param};

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
    assert_eq!((s.call(&ann).refer_answered, s.call(&ann).notified.clone()), (Some(202), vec![100, 200]));
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
    assert_eq!(s.call(&calls).notified, [100, 200]);
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
    assert!(s.hears(&caller, &carls) && s.hears(&carls, &caller));
    s.hangs_up(&carls);
    s.pass_ms(500);
    assert_eq!(s.state(&caller), UaState::Over(200), "nobody stays behind");
    s.expect_rest();
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
