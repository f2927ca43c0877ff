//! Two people talk: hold, silence on the wire, operators, reloads.

use call::{Input, Operator, OperatorReply};
use media::Direction;
use sim::{BOX, Caller, NUMBER, Reaction, Scenario, UaId, UaState, office as plain_office};
use sip::TransportKind;
use std::time::Duration;
use twiml::CallStatus;

use crate::office;

/// A caller from outside and ann, talking.
fn talking() -> (Scenario, Caller, Caller, UaId) {
    let mut s = office("<Dial><Client>ann</Client></Dial>");
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    let to_ann = s.latest(ann).expect("it rings");
    assert!(s.bridged(&caller, &to_ann));
    (s, caller, to_ann, ann)
}

#[test]
fn whoever_hangs_up_ends_it_for_both() {
    for callee_first in [false, true] {
        let (mut s, caller, to_ann, _) = talking();
        let (first, other) = if callee_first { (to_ann, caller) } else { (caller, to_ann) };
        s.hangs_up(&first);
        s.pass_ms(500);
        assert_eq!(s.state(&other), UaState::Over(200));
        assert!(s.rows().iter().all(|row| row.status == CallStatus::Completed));
        s.expect_rest();
    }
}

#[test]
fn lost_media_ends_it_for_both() {
    for callee_is_lost in [false, true] {
        let (mut s, caller, to_ann, _) = talking();
        let lost = if callee_is_lost { to_ann } else { caller };
        s.world.lose_media(lost.ua, lost.session);
        s.pass_ms(1_000);
        assert_eq!(s.state(&caller), UaState::Over(200));
        assert_eq!(s.state(&to_ann), UaState::Over(200));
        let ended: Vec<_> = s.rows().iter().filter_map(|row| row.ended_by.clone()).collect();
        assert!(ended.iter().any(|by| by.contains("no audio")), "{ended:?}");
        s.expect_rest();
    }
}

#[test]
fn a_phone_that_vanished_is_noticed_when_it_is_hung_up() {
    let (mut s, caller, _, ann) = talking();
    s.world.ua(ann).gone = true;
    s.hangs_up(&caller);
    s.pass_ms(60_000);
    s.expect_rest();
}

#[test]
fn either_side_can_hold_and_resume() {
    for callee_holds in [false, true] {
        let (mut s, caller, to_ann, _) = talking();
        let who = if callee_holds { to_ann } else { caller };
        for _ in 0..2 {
            s.world.hold(who.ua, who.session, true);
            s.pass_ms(200);
            assert_eq!(s.direction(&who), Some(Direction::RecvOnly));
            s.world.hold(who.ua, who.session, false);
            s.pass_ms(200);
            assert_eq!(s.direction(&who), Some(Direction::SendRecv));
            assert!(s.bridged(&caller, &to_ann));
        }
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn both_may_hold_at_the_same_moment() {
    let (mut s, caller, to_ann, _) = talking();
    for who in [caller, to_ann] {
        s.world.hold(who.ua, who.session, true);
    }
    s.pass_ms(2_000);
    for who in [caller, to_ann] {
        assert_eq!(s.direction(&who), Some(Direction::RecvOnly));
        s.world.hold(who.ua, who.session, false);
    }
    s.pass_ms(2_000);
    assert!(s.bridged(&caller, &to_ann));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_hold_that_crosses_a_hang_up_changes_nothing() {
    let (mut s, caller, to_ann, _) = talking();
    s.world.hold(to_ann.ua, to_ann.session, true);
    s.hangs_up(&caller);
    s.pass_ms(1_000);
    assert_eq!(s.state(&to_ann), UaState::Over(200));
    s.expect_rest();
}

#[test]
fn an_operator_sees_and_ends_a_call() {
    let (mut s, caller, to_ann, _) = talking();
    let OperatorReply::Calls(calls) = s.operator(Operator::Calls) else { panic!("calls were asked for") };
    assert_eq!(calls.len(), 2);
    let parent = calls.iter().find(|call| call.parent.is_none()).expect("the caller's").clone();
    assert_eq!((parent.status.as_str(), parent.doing.as_str()), ("in-progress", "dial"));
    assert_eq!(s.operator(Operator::Hangup(parent.sid)), OperatorReply::Done);
    s.pass_ms(500);
    assert_eq!(s.state(&caller), UaState::Over(200));
    assert_eq!(s.state(&to_ann), UaState::Over(200));
    assert_eq!(s.operator(Operator::Hangup(parent.sid)), OperatorReply::NoSuchCall(parent.sid));
    s.expect_rest();
}

#[test]
fn an_operator_can_end_a_call_that_still_rings() {
    let mut s = office("");
    let (ann, bob) = (s.phone("ann"), s.phone("bob"));
    s.will(bob, Reaction::Ignore);
    let caller = s.dials(ann, "102");
    s.pass_ms(1_000);
    let sid = s.rows().iter().find(|row| row.parent.is_none()).map(|row| row.sid).expect("ann's call");
    s.operator(Operator::Hangup(sid));
    s.pass_ms(500);
    assert_eq!(s.state(&caller), UaState::Over(603));
    assert_eq!(s.rows().iter().find(|row| row.sid == sid).map(|row| row.status), Some(CallStatus::Canceled));
    let to_bob = s.latest(bob).expect("it rang");
    assert_eq!(s.state(&to_bob), UaState::Over(487));
    s.expect_rest();
}

#[test]
fn a_reload_touches_no_call_in_progress() {
    let (mut s, caller, to_ann, _) = talking();
    let mut again = plain_office(&[]);
    again.listen = vec![(TransportKind::Udp, BOX), (TransportKind::Tcp, BOX)];
    again.numbers.clear();
    s.world.input(Input::Office(Box::new(again))).expect("nothing breaks");
    s.pass_ms(1_000);
    assert!(s.bridged(&caller, &to_ann));
    let new = s.carrier_calls(NUMBER);
    s.pass_ms(500);
    assert_eq!(s.state(&new), UaState::Over(404), "the number is gone");
    s.hangs_up(&caller);
    s.pass_ms(500);
    assert_eq!(s.state(&to_ann), UaState::Over(200));
    s.expect_rest();
}

#[test]
fn a_caller_who_already_hears_the_tone_hears_the_callees_early_sound_instead() {
    let mut s = office("<Dial><Client>ann</Client></Dial>");
    let ann = s.phone("ann");
    s.will(ann, Reaction::Early(Duration::from_secs(3)));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    let to_ann = s.latest(ann).expect("it rings");
    assert!(s.bridged(&caller, &to_ann));
    s.pass_ms(3_000);
    assert_eq!(s.state(&to_ann), UaState::Up);
    assert!(s.bridged(&caller, &to_ann));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn an_early_sound_ends_with_a_refusal_and_the_document_goes_on() {
    let mut s = office("<Dial timeout=\"5\"><Client>ann</Client></Dial><Say>sorry</Say>");
    let ann = s.phone("ann");
    s.will(ann, Reaction::Early(Duration::from_secs(60)));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(7_000);
    assert!(s.heard_clip(&caller, "sorry"));
    s.pass_ms(3_000);
    assert_eq!(s.state(&caller), UaState::Over(200));
    s.expect_rest();
}
