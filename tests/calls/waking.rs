//! Phones that register while they are dialled: woken by whoever is told (`clientNotificationUrl`), or of their own
//! accord; those that have to come back because the box has started again are waited for.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use call::record::{RegistrationRow, StoreItem};
use sim::{NUMBER, Reaction, Scenario, UaId, UaState, param};
use sip::TransportKind;
use twiml::CallStatus;

use crate::{ACTION, EVENTS, office, told};

const WAKE: &str = "http://web.example/wake";

fn dialling(attributes: &str, nouns: &str) -> Scenario {
    let mut s = office(&format!("<Dial action=\"/action\" {attributes}>{nouns}</Dial>"));
    s.web().serve(WAKE, sim::Answer::page(204, None, ""));
    s
}

/// A phone of ann's that nobody picks up, and that registers now.
fn lets_ring(s: &mut Scenario, host: u8, transport: TransportKind) -> UaId {
    let ip = Ipv4Addr::new(203, 0, 113, host);
    let phone = s.world.add_ua("ann", Some("secret"), transport, ip.into());
    s.will(phone, Reaction::Ignore);
    s.pass_ms(200);
    phone
}

const SLEEPER: &str = "<Client clientNotificationUrl=\"/wake\" statusCallback=\"/events\">ann</Client>";

#[test]
fn a_phone_that_is_woken_rings_and_is_talked_to() {
    let mut s = dialling("timeout=\"20\"", SLEEPER);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(8_000);
    assert_eq!(told(&mut s, WAKE, "Client").as_deref(), Some("client:ann"));
    assert_eq!(s.heard(&caller), [sim::Heard::Tone], "the caller hears that it rings meanwhile");
    let ann = s.phone("ann");
    s.pass_ms(1_000);
    let to_ann = s.latest(ann).expect("it rings as soon as it is there");
    assert!(s.bridged(&caller, &to_ann));
    s.pass_ms(60_000);
    assert!(s.bridged(&caller, &to_ann), "the ring timeout is over with the answer");
    s.hangs_up(&to_ann);
    s.pass_ms(500);
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("completed"));
    assert!(s.notifications().is_empty(), "{:?}", s.notifications());
    s.expect_rest();
}

#[test]
fn a_phone_that_is_woken_in_vain_did_not_answer() {
    let mut s = dialling("timeout=\"5\"", SLEEPER);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(4_500);
    assert!(s.asked(ACTION).is_empty(), "it is waited for");
    s.pass_ms(2_000);
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("no-answer"));
    assert_eq!(told(&mut s, EVENTS, "CallStatus").as_deref(), Some("no-answer"));
    assert_eq!(s.notifications(), [32009]);
    let child = s.rows().into_iter().find(|row| row.parent.is_some()).expect("it is on record");
    assert_eq!((child.to.as_str(), child.status), ("client:ann", CallStatus::NoAnswer));
    assert_eq!(told(&mut s, ACTION, "DialCallSid"), Some(child.sid.to_string()));
    assert!(s.heard_clip(&caller, "done"));
    // Too late.
    let ann = s.phone("ann");
    s.pass_ms(500);
    assert!(s.latest(ann).is_none());
    s.expect_rest();
}

#[test]
fn a_phone_that_registers_late_rings_only_for_what_is_left_of_the_time() {
    let mut s = dialling("timeout=\"10\"", SLEEPER);
    s.carrier_calls(NUMBER);
    s.pass_ms(8_000);
    let ann = lets_ring(&mut s, 1, TransportKind::Udp);
    s.pass_ms(1_000);
    let to_ann = s.latest(ann).expect("it rings");
    assert_eq!(s.state(&to_ann), UaState::Ringing);
    s.pass_ms(1_500);
    assert_eq!(s.state(&to_ann), UaState::Over(487));
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("no-answer"));
    assert!(s.notifications().is_empty());
    s.expect_rest();
}

#[test]
fn who_hangs_up_before_it_comes_leaves_nothing() {
    let mut s = dialling("", SLEEPER);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    s.hangs_up(&caller);
    s.pass_ms(500);
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("no-answer"));
    let ann = s.phone("ann");
    s.pass_ms(500);
    assert!(s.latest(ann).is_none());
    s.expect_rest();
}

#[test]
fn a_phone_nobody_waits_for_rings_along_when_it_comes_while_another_rings() {
    let mut s = dialling("", "<Client>ann</Client><Client>bob</Client>");
    let bob = s.phone("bob");
    s.will(bob, Reaction::Ignore);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    assert_eq!(s.notifications(), [32009]);
    let ann = s.phone("ann");
    s.pass_ms(1_500);
    let (to_ann, to_bob) = (s.latest(ann).expect("ann rings, too"), s.latest(bob).expect("bob rings"));
    assert!(s.bridged(&caller, &to_ann));
    assert_eq!(s.state(&to_bob), UaState::Over(487));
    s.hangs_up(&to_ann);
    s.pass_ms(500);
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("completed"));
    s.expect_rest();
}

#[test]
fn another_device_of_a_phone_that_rings_rings_along_and_a_refresh_does_not() {
    for noun in ["<Client>ann</Client>", "<Number>101</Number>", "<Sip>sip:ann@192.0.2.1</Sip>"] {
        let mut s = dialling("timeout=\"60\"", noun);
        let desk = s.phone("ann");
        s.will(desk, Reaction::Ignore);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(2_000);
        let soft = lets_ring(&mut s, 2, TransportKind::Tcp);
        s.pass_ms(40_000);
        let (at_desk, at_soft) = (s.latest(desk).expect("rings"), s.latest(soft).expect("rings, too"));
        assert_eq!((s.state(&at_desk), s.state(&at_soft)), (UaState::Ringing, UaState::Ringing), "{noun}");
        assert_eq!(s.rows().iter().filter(|row| row.parent.is_some()).count(), 2, "{noun}");
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn once_somebody_has_answered_nobody_else_rings() {
    let mut s = dialling("", &format!("{SLEEPER}<Client url=\"/whisper\">bob</Client>"));
    s.web().serve("http://web.example/whisper", sim::Answer::twiml("<Pause length=\"3\"/>"));
    let bob = s.phone("bob");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_500);
    let ann = s.phone("ann");
    s.pass_ms(1_000);
    assert!(s.latest(ann).is_none(), "bob has answered and hears his whisper");
    s.pass_ms(4_000);
    let to_bob = s.latest(bob).expect("bob rang");
    assert!(s.bridged(&caller, &to_bob));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn in_sequence_each_is_waited_for_in_its_turn() {
    let mut s = dialling("sequential=\"true\" timeout=\"5\"", &format!("{SLEEPER}<Client>bob</Client>"));
    let bob = s.phone("bob");
    s.will(bob, Reaction::Answer(Duration::from_secs(3)));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(4_000);
    assert!(s.latest(bob).is_none(), "ann is waited for");
    s.pass_ms(2_000);
    let to_bob = s.latest(bob).expect("then bob rings");
    // Whoever wakes now has missed its turn.
    let ann = s.phone("ann");
    s.pass_ms(4_000);
    assert!(s.latest(ann).is_none());
    assert!(s.bridged(&caller, &to_bob));
    s.hangs_up(&caller);
    s.pass_ms(500);
    assert_eq!(param(&s.asked(ACTION)[0], "DialCallStatus"), Some("completed"));
    s.expect_rest();
}

/// A call that is asked for from outside; whoever wakes phones is told.
fn asked_for(s: &mut Scenario) -> call::record::CallRow {
    asks_for(s, Some(WAKE.to_owned()))
}

fn asks_for(s: &mut Scenario, client_notification: Option<String>) -> call::record::CallRow {
    let document =
        twiml::Source::Inline("<Response><Say>hello you</Say><Pause length=\"60\"/></Response>".into());
    let new = call::NewCall {
        client_notification,
        timeout_s: 20,
        ..call::NewCall::new("client:ann", "+15550001111", call::CallDocument::Given(document))
    };
    match s.operator(call::Operator::Originate(Box::new(new))) {
        call::OperatorReply::Call(row) => *row,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_that_was_asked_for_waits_for_the_phone_it_wakes() {
    let mut s = dialling("", "");
    asked_for(&mut s);
    s.pass_ms(8_000);
    assert_eq!(told(&mut s, WAKE, "Client").as_deref(), Some("client:ann"));
    assert_eq!(told(&mut s, WAKE, "From").as_deref(), Some("+15550001111"));
    assert_eq!(s.rows()[0].status, CallStatus::Queued);
    let ann = s.phone("ann");
    s.pass_ms(2_000);
    let call = s.latest(ann).expect("it rings as soon as it is there");
    assert!(s.heard_clip(&call, "hello you"));
    s.hangs_up(&call);
    s.pass_ms(500);
    let row = &s.rows()[0];
    assert_eq!((row.status, row.phone.as_deref()), (CallStatus::Completed, Some("ann")));
    s.expect_rest();

    // In vain: as long as it may ring.
    let mut s = dialling("", "");
    asked_for(&mut s);
    s.pass_ms(19_000);
    assert_eq!(s.rows()[0].status, CallStatus::Queued);
    s.pass_ms(2_000);
    assert_eq!(s.rows()[0].status, CallStatus::NoAnswer);
    s.expect_rest();
}

/// Where phones are, as the store has it.
fn registered(s: &Scenario) -> BTreeMap<String, RegistrationRow> {
    let rows = s.world.stored.iter().filter_map(|item| match item {
        StoreItem::Registration(row) => Some((row.phone.clone(), row.clone())),
        _ => None,
    });
    rows.collect()
}

/// Ann's phone registers over this, and the box stops and starts at once; Carl's phone is there.
fn starts_again(nouns: &str, ann: TransportKind) -> (Scenario, UaId) {
    let mut s = dialling("timeout=\"20\"", nouns);
    s.phone_over("ann", "secret", ann);
    let phones = registered(&s);
    assert!(phones.contains_key("ann"), "where phones are is written down");
    let now = s.world.now();
    let office = sim::office(&[("ann", "101"), ("bob", "102"), ("carl", "103")]);
    s.world.node = call::Node::new(office, "Tandem/sim", base::Rng::seeded(9), now);
    s.world.node.restore_registrations(phones.into_values().collect(), now);
    let carl = s.phone("carl");
    (s, carl)
}

/// A phone whose connection went with the box comes back within a minute: until then it rings for whoever dials it.
#[test]
fn after_a_restart_a_phone_that_has_to_come_back_is_waited_for() {
    for nouns in ["<Client>ann</Client>", "<Sip>sip:ann@192.0.2.1</Sip>", "<Number>101</Number>"] {
        let (mut s, _) = starts_again(nouns, TransportKind::Tls);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(8_000);
        assert_eq!(s.heard(&caller), [sim::Heard::Tone], "{nouns}: the caller hears that it rings meanwhile");
        let ann = s.phone_over("ann", "secret", TransportKind::Tls);
        s.pass_ms(1_500);
        let to_ann = s.latest(ann).expect("it rings as soon as it is there");
        assert!(s.bridged(&caller, &to_ann), "{nouns}");
        s.hangs_up(&caller);
        s.expect_rest();
    }
    // One phone dials another; and one that is asked for from outside.
    let (mut s, carl) = starts_again("", TransportKind::Ws);
    let caller = s.dials(carl, "101");
    asks_for(&mut s, None);
    s.pass_ms(8_000);
    assert_eq!(s.state(&caller), UaState::Calling);
    assert!(s.call(&caller).progress.contains(&180), "{:?}", s.call(&caller).progress);
    let ann = s.phone_over("ann", "secret", TransportKind::Tcp);
    s.will(ann, Reaction::Answer(Duration::from_secs(1)));
    s.pass_ms(2_500);
    assert_eq!(s.state(&caller), UaState::Up);
    assert_eq!(s.world.ua(ann).calls.len(), 2, "both ring");
    s.hangs_up(&caller);
    s.expect_rest();
}

/// No longer than it takes to come back, nor as the dial rings; not one that was not there before, nor one that came and
/// went again.
#[test]
fn after_a_restart_nobody_is_waited_for_in_vain() {
    for (name, passed_ms, comes) in [("ann", 121_000, false), ("bob", 0, false), ("ann", 0, true)] {
        let nouns = format!("<Client>{name}</Client>");
        let (mut s, _) = starts_again(&nouns, TransportKind::Tls);
        if comes {
            s.phone_over("ann", "secret", TransportKind::Ws);
            let flow = registered(&s)["ann"].contacts[0].flow;
            s.world.input(call::Input::Sip(sip::Input::FlowClosed { flow })).unwrap();
        }
        s.pass_ms(passed_ms + 500);
        s.carrier_calls(NUMBER);
        s.pass_ms(1_000);
        assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("failed"), "{name} {passed_ms}");
        assert_eq!(s.notifications(), [32009]);
        s.expect_rest();
    }
    let (mut s, _) = starts_again("<Client>ann</Client>", TransportKind::Tls);
    s.carrier_calls(NUMBER);
    s.pass_ms(19_000);
    assert!(s.asked(ACTION).is_empty());
    s.pass_ms(3_000);
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("no-answer"));
    s.expect_rest();
}
