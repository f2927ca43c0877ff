//! What happens when there are more calls than allowed.

use call::Operator;
use call::office::Trunk;
use sim::Answer;
use sim::{CARRIER, Caller, Faults, NUMBER, Reaction, Scenario, UaState, VOICE, office};
use sip::TransportKind;
use std::net::Ipv4Addr;
use twiml::CallStatus;

fn busy(change: impl FnOnce(&mut call::office::Office)) -> Scenario {
    let mut office = office(&[("ann", "101"), ("bob", "102")]);
    change(&mut office);
    let mut s = Scenario::with(office, 1, Faults::NONE);
    s.web().serve(VOICE, Answer::twiml("<Pause length=\"1\"/><Gather timeout=\"60\"/>"));
    s
}

fn refused(s: &mut Scenario, caller: &Caller) -> Option<String> {
    s.pass_ms(200);
    assert_eq!(s.state(caller), UaState::Over(503));
    s.call(caller).retry_after
}

#[test]
fn a_full_box_says_503_and_when_to_try_again() {
    let mut s = busy(|office| office.limits.calls_max = 1);
    let first = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    let second = s.carrier_calls(NUMBER);
    assert_eq!(refused(&mut s, &second).as_deref(), Some("30"));
    assert_eq!(s.state(&first), UaState::Up);
    s.hangs_up(&first);
    s.pass_ms(1_000);
    let third = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    assert_eq!(s.state(&third), UaState::Up);
    s.hangs_up(&third);
    s.expect_rest();
}

#[test]
fn an_emergency_call_gets_out_of_a_full_and_draining_box() {
    let mut s = busy(|office| office.limits.calls_max = 1);
    let ann = s.phone("ann");
    s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    s.operator(Operator::Drain);
    let emergency = s.dials(ann, "112");
    s.pass_ms(2_000);
    assert_eq!(s.state(&emergency), UaState::Up);
    let carrier = s.carrier();
    let callee = s.latest(carrier).expect("the carrier is called");
    assert!(s.bridged(&emergency, &callee));
    s.hangs_up(&emergency);
    s.pass_ms(70_000);
    s.expect_rest();
}

#[test]
fn a_draining_box_takes_no_new_calls_and_lets_the_others_end() {
    let mut s = busy(|_| {});
    let first = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    s.operator(Operator::Drain);
    let second = s.carrier_calls(NUMBER);
    assert_eq!(refused(&mut s, &second).as_deref(), Some("30"));
    s.pass_ms(30_000);
    assert_eq!(s.state(&first), UaState::Up);
    s.hangs_up(&first);
    s.expect_rest();
}

#[test]
fn a_phone_has_a_limit_of_outside_calls_at_once() {
    let mut s = busy(|office| office.limits.calls_per_phone_max = 1);
    let (ann, bob) = (s.phone("ann"), s.phone("bob"));
    let first = s.dials(ann, "+15558880001");
    s.pass_ms(2_000);
    assert_eq!(s.state(&first), UaState::Up);
    let second = s.dials(ann, "+15558880002");
    assert_eq!(refused(&mut s, &second).as_deref(), Some("30"));
    let row = s.rows().pop().expect("it is written down");
    assert_eq!((row.status, row.sip_code), (CallStatus::Failed, Some(503)));
    let inside = s.dials(ann, "102");
    s.pass_ms(2_000);
    assert_eq!(s.state(&inside), UaState::Up, "inside the office there is no limit");
    let others = s.dials(bob, "+15558880003");
    s.pass_ms(2_000);
    assert_eq!(s.state(&others), UaState::Up);
    for caller in [first, inside, others] {
        s.hangs_up(&caller);
    }
    s.expect_rest();
}

#[test]
fn a_phone_has_a_limit_of_outside_calls_a_minute() {
    let mut s = busy(|office| office.limits.calls_per_phone_minute_max = 2);
    let ann = s.phone("ann");
    for _ in 0..2 {
        let caller = s.dials(ann, "+15558880001");
        s.pass_ms(2_000);
        assert_eq!(s.state(&caller), UaState::Up);
        s.hangs_up(&caller);
        s.pass_ms(500);
    }
    let third = s.dials(ann, "+15558880001");
    let retry_after: u64 = refused(&mut s, &third).and_then(|text| text.parse().ok()).expect("seconds");
    assert!((50..=60).contains(&retry_after), "{retry_after}");
    s.pass_ms(retry_after * 1_000);
    let again = s.dials(ann, "+15558880001");
    s.pass_ms(2_000);
    assert_eq!(s.state(&again), UaState::Up);
    s.hangs_up(&again);
    s.expect_rest();
}

#[test]
fn a_trunk_carries_so_many_calls_and_the_next_trunk_takes_the_rest() {
    let second_ip = Ipv4Addr::new(198, 51, 100, 2);
    let mut s = busy(|office| {
        let first = office.trunks.get_mut("carrier").expect("there is one");
        first.calls_max = Some(1);
        let second = Trunk {
            name: "second".to_owned(),
            address: format!("sip:{second_ip}:5060"),
            accept_from: vec![std::net::IpAddr::V4(second_ip).into()],
            calls_max: Some(1),
            ..first.clone()
        };
        office.trunks.insert("second".to_owned(), second);
        office.routes[0].trunks.push("second".to_owned());
    });
    let ann = s.phone("ann");
    let second = s.world.add_ua("second", None, TransportKind::Udp, second_ip.into());
    let carrier = s.carrier();
    assert_eq!(s.world.ua(carrier).address.ip(), CARRIER);
    let inbound = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    let more = s.carrier_calls(NUMBER);
    assert_eq!(refused(&mut s, &more).as_deref(), Some("30"));
    let outbound = s.dials(ann, "+15558880001");
    s.pass_ms(2_000);
    assert_eq!(s.state(&outbound), UaState::Up);
    assert!(s.latest(carrier).is_none(), "the first trunk is full");
    assert!(s.latest(second).is_some());
    s.will(second, Reaction::Refuse(486));
    let too_many = s.dials(ann, "+15558880002");
    s.pass_ms(2_000);
    assert_eq!(s.state(&too_many), UaState::Over(503));
    s.hangs_up(&inbound);
    s.hangs_up(&outbound);
    s.expect_rest();
}
