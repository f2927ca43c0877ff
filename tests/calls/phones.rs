//! Phones dial: each other, outside, and in need.

use std::net::Ipv4Addr;

use call::office::Trunk;
use sim::{CALLER, Faults, NUMBER, Reaction, Scenario, UaId, UaState, VOICE, office as plain_office};
use sip::TransportKind;
use twiml::CallStatus;

use crate::office;

#[test]
fn an_extension_rings_the_phone_and_the_caller_is_answered_with_it() {
    for dialled in ["102", "bob"] {
        let mut s = office("");
        let (ann, bob) = (s.phone("ann"), s.phone("bob"));
        s.will(bob, Reaction::Ignore);
        let caller = s.dials(ann, dialled);
        s.pass_ms(3_000);
        assert_eq!(
            s.state(&caller),
            UaState::Calling,
            "{dialled}: nothing is answered while bob's phone rings"
        );
        assert!(s.call(&caller).progress.contains(&180));
        let to_bob = s.latest(bob).expect("it rings");
        assert_eq!(s.call(&to_bob).from, "ann");
        s.picks_up(bob);
        s.pass_ms(200);
        assert!(s.bridged(&caller, &to_bob), "{dialled}");
        assert!(s.asked(VOICE).is_empty(), "no web server is asked");
        s.hangs_up(&to_bob);
        s.pass_ms(500);
        assert_eq!(s.state(&caller), UaState::Over(200), "{dialled}");
        s.expect_rest();
    }
}

#[test]
fn a_caller_learns_why_nobody_answered() {
    let cases = [
        (Some(Reaction::Refuse(486)), 486, CallStatus::Busy),
        (Some(Reaction::Refuse(404)), 404, CallStatus::Failed),
        (None, 480, CallStatus::NoAnswer),
    ];
    for (reaction, code, status) in cases {
        let mut s = office("");
        let ann = s.phone("ann");
        if let Some(reaction) = reaction {
            let bob = s.phone("bob");
            s.will(bob, reaction);
        }
        let caller = s.dials(ann, "102");
        s.pass_ms(2_000);
        assert_eq!(s.state(&caller), UaState::Over(code), "{reaction:?}");
        let parent = s.rows().into_iter().find(|row| row.parent.is_none()).expect("ann's call");
        assert_eq!(parent.status, status, "{reaction:?}");
        s.expect_rest();
    }
}

#[test]
fn a_cancelled_call_stops_ringing() {
    let mut s = office("");
    let (ann, bob) = (s.phone("ann"), s.phone("bob"));
    s.will(bob, Reaction::Ignore);
    let caller = s.dials(ann, "102");
    s.pass_ms(2_000);
    let to_bob = s.latest(bob).expect("it rings");
    s.hangs_up(&caller);
    s.pass_ms(500);
    assert_eq!(s.state(&to_bob), UaState::Over(487));
    assert_eq!(s.state(&caller), UaState::Over(487));
    let statuses: Vec<CallStatus> = s.rows().iter().map(|row| row.status).collect();
    assert_eq!(statuses, [CallStatus::Canceled, CallStatus::NoAnswer]);
    s.expect_rest();
}

#[test]
fn the_callees_own_sound_is_passed_on_before_the_answer() {
    let mut s = office("");
    let (ann, bob) = (s.phone("ann"), s.phone("bob"));
    s.will(bob, Reaction::Early(std::time::Duration::from_secs(3)));
    let caller = s.dials(ann, "102");
    s.pass_ms(1_000);
    assert_eq!(s.state(&caller), UaState::Calling);
    assert!(s.call(&caller).progress.contains(&183), "{:?}", s.call(&caller).progress);
    let to_bob = s.latest(bob).expect("it rings");
    assert!(s.bridged(&caller, &to_bob), "bob's own tone is heard");
    s.pass_ms(3_000);
    assert_eq!(s.state(&caller), UaState::Up);
    assert!(s.bridged(&caller, &to_bob));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn outside_numbers_leave_by_the_route_and_show_the_offices_number() {
    let mut s = office("");
    let ann = s.phone("ann");
    let caller = s.dials(ann, "+15558880001");
    s.pass_ms(2_000);
    let carrier = s.carrier();
    let outside = s.latest(carrier).expect("the carrier is called");
    assert!(s.bridged(&caller, &outside));
    let call = s.call(&outside);
    assert_eq!(call.from, NUMBER);
    assert_eq!(call.invite.expect("an INVITE").uri.user_decoded(), "+15558880001");
    let row = s.rows().into_iter().find(|row| row.parent.is_some()).expect("a child");
    assert_eq!(row.trunk.as_deref(), Some("carrier"));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_number_without_a_route_is_not_found() {
    for dialled in ["0900123456", "nobody", "999"] {
        let mut s = office("");
        let ann = s.phone("ann");
        let caller = s.dials(ann, dialled);
        s.pass_ms(1_000);
        assert_eq!(s.state(&caller), UaState::Over(404), "{dialled}");
        s.expect_rest();
    }
}

#[test]
fn a_carriers_call_reaches_owned_numbers_only() {
    let mut s = office("<Say>hello</Say>");
    let (ann, carrier) = (s.phone("ann"), s.carrier());
    for dialled in ["101", "ann", "+15558880001", "112"] {
        let caller = s.carrier_calls(dialled);
        s.pass_ms(1_000);
        assert_eq!(s.state(&caller), UaState::Over(404), "{dialled}");
        assert!(s.latest(ann).is_none() && s.latest(carrier).is_none(), "{dialled}");
    }
    s.expect_rest();
}

#[test]
fn a_phone_calls_the_offices_own_number() {
    let mut s = office("<Say>hello</Say>");
    let ann = s.phone("ann");
    let caller = s.dials(ann, NUMBER);
    s.pass_ms(1_000);
    assert!(s.heard_clip(&caller, "hello"));
    assert_eq!(crate::told(&mut s, VOICE, "To").as_deref(), Some(NUMBER));
    s.expect_rest();
}

/// An office with two carriers, the second one for what the first does not take.
fn two_carriers() -> (Scenario, UaId) {
    let ip = Ipv4Addr::new(198, 51, 100, 2);
    let mut office = plain_office(&[("ann", "101")]);
    let second = Trunk {
        name: "second".to_owned(),
        address: format!("sip:{ip}:5060"),
        accept_from: vec![std::net::IpAddr::V4(ip).into()],
        ..office.trunks["carrier"].clone()
    };
    office.trunks.insert("second".to_owned(), second);
    office.routes[0].trunks.push("second".to_owned());
    let mut s = Scenario::with(office, 1, Faults::NONE);
    let second = s.world.add_ua("second", None, TransportKind::Udp, ip.into());
    (s, second)
}

#[test]
fn the_second_trunk_takes_what_the_first_cannot() {
    for (reaction, by_second) in [
        (Some(Reaction::Refuse(503)), true),
        (Some(Reaction::Refuse(500)), true),
        (None, true),
        (Some(Reaction::Refuse(486)), false),
        (Some(Reaction::Refuse(404)), false),
    ] {
        for dialled in ["+15558880001", "112"] {
            let (mut s, second) = two_carriers();
            let (ann, first) = (s.phone("ann"), s.carrier());
            match reaction {
                Some(reaction) => s.will(first, reaction),
                None => s.world.ua(first).gone = true,
            }
            let caller = s.dials(ann, dialled);
            s.pass_ms(8_000);
            assert_eq!(s.latest(second).is_some(), by_second, "{reaction:?} {dialled}");
            assert_eq!(s.state(&caller) == UaState::Up, by_second, "{reaction:?} {dialled}");
            if by_second {
                let row = s.rows().into_iter().find(|row| row.parent.is_some()).expect("a child");
                assert_eq!(row.trunk.as_deref(), Some("second"));
            }
            s.hangs_up(&caller);
            s.expect_rest();
        }
    }
}

#[test]
fn an_emergency_number_needs_no_route_and_no_web_server() {
    let mut office = plain_office(&[("ann", "101")]);
    office.routes.clear();
    let mut s = Scenario::with(office, 1, Faults::NONE);
    let (ann, carrier) = (s.phone("ann"), s.carrier());
    let caller = s.dials(ann, "112");
    s.pass_ms(2_000);
    let help = s.latest(carrier).expect("the carrier is called");
    assert!(s.bridged(&caller, &help));
    assert_eq!(s.call(&help).invite.expect("an INVITE").uri.user_decoded(), "112");
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn an_office_document_may_dial_outside_for_a_caller_from_outside() {
    let mut s = office("<Dial><Number>+15558880001</Number></Dial>");
    let carrier = s.carrier();
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    let outside = s.latest(carrier).expect("the carrier is called");
    assert!(s.bridged(&caller, &outside));
    assert_eq!(s.call(&outside).from, CALLER);
    s.hangs_up(&caller);
    s.expect_rest();
}
