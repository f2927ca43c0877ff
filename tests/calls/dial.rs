//! `<Dial>`: who rings, who is bridged, what the callee is shown.

use sim::{Answer, CALLER, Faults, Heard, NUMBER, Reaction, Scenario, UaState, VOICE, param};
use std::time::Duration;
use twiml::CallStatus;

use crate::{ACTION, EVENTS, office, told};

const BOTH: &str = "<Client>ann</Client><Client>bob</Client>";

#[test]
fn all_ring_and_the_first_to_answer_wins() {
    let mut s = office(&format!("<Dial action=\"/action\">{BOTH}</Dial>"));
    let (ann, bob) = (s.phone("ann"), s.phone("bob"));
    s.will(ann, Reaction::Answer(Duration::from_secs(4)));
    s.will(bob, Reaction::Answer(Duration::from_secs(2)));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    let (to_ann, to_bob) = (s.latest(ann).expect("ann rings"), s.latest(bob).expect("bob rings"));
    assert_eq!(s.heard(&caller), [Heard::Tone], "the caller hears that it rings");
    s.pass_ms(1_500);
    assert!(s.bridged(&caller, &to_bob));
    assert_eq!(s.state(&to_ann), UaState::Over(487));
    s.hangs_up(&to_bob);
    s.pass_ms(500);
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("completed"));
    assert!(s.heard_clip(&caller, "done"));
    s.pass_ms(5_000);
    let statuses: Vec<CallStatus> = s.rows().iter().map(|row| row.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == CallStatus::Completed).count(), 2);
    assert_eq!(statuses.iter().filter(|status| **status == CallStatus::NoAnswer).count(), 1);
    s.expect_rest();
}

#[test]
fn who_wakes_phones_is_told_whom_to_wake() {
    for name in ["ann", "nobody"] {
        let mut s = office(&format!(
            "<Dial><Client clientNotificationUrl=\"/events\">{name}</Client></Dial><Say>next</Say>"
        ));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_000);
        assert_eq!(told(&mut s, EVENTS, "Client"), Some(format!("client:{name}")));
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn one_after_the_other_when_sequential() {
    let mut s = office(&format!("<Dial sequential=\"true\" timeout=\"5\">{BOTH}</Dial>"));
    let (ann, bob) = (s.phone("ann"), s.phone("bob"));
    s.will(ann, Reaction::Ignore);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(4_000);
    let to_ann = s.latest(ann).expect("ann rings");
    assert!(s.latest(bob).is_none());
    s.pass_ms(2_500);
    assert_eq!(s.state(&to_ann), UaState::Over(487));
    let to_bob = s.latest(bob).expect("then bob rings");
    assert!(s.bridged(&caller, &to_bob));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn without_an_action_the_next_verb_follows() {
    for reaction in [Reaction::Refuse(486), Reaction::Answer(Duration::from_millis(100))] {
        let mut s = office("<Dial><Client>ann</Client></Dial><Say>next</Say>");
        let ann = s.phone("ann");
        s.will(ann, reaction);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_000);
        if let Some(to_ann) = s.latest(ann) {
            s.hangs_up(&to_ann);
        }
        s.pass_ms(500);
        assert!(s.heard_clip(&caller, "next"), "{reaction:?}");
        s.expect_rest();
    }
}

#[test]
fn every_device_of_a_phone_rings() {
    let mut s = office("<Dial><Client>ann</Client></Dial>");
    let (desk, soft) = (s.phone("ann"), s.phone_over("ann", "secret", sip::TransportKind::Tcp));
    s.will(desk, Reaction::Ignore);
    s.will(soft, Reaction::Ignore);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    let at_desk = s.latest(desk).expect("the desk phone rings");
    let at_soft = s.latest(soft).expect("so does the other one");
    s.picks_up(soft);
    s.pass_ms(500);
    assert!(s.bridged(&caller, &at_soft));
    assert_eq!(s.state(&at_desk), UaState::Over(487));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn the_callee_is_shown_the_caller_or_the_given_number() {
    for (attributes, shown) in [("", CALLER), ("callerId=\"+15550009999\"", "+15550009999")] {
        let mut s = office(&format!("<Dial {attributes}><Client>ann</Client></Dial>"));
        let ann = s.phone("ann");
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_000);
        let to_ann = s.latest(ann).expect("it rings");
        assert_eq!(s.call(&to_ann).from, shown);
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn a_carrier_is_shown_a_number_that_is_the_offices_or_validated() {
    for (shown, seen, noted) in [
        ("+15550009999", "+15550009999", vec![]),
        (NUMBER, NUMBER, vec![]),
        (CALLER, CALLER, vec![]),
        ("+15550006666", CALLER, vec![13214]),
    ] {
        let mut office = sim::office(&[]);
        office.caller_ids.insert("+15550009999".to_owned());
        let mut s = Scenario::with(office, 1, Faults::NONE);
        let verbs =
            format!("<Dial callerId='{shown}'><Number statusCallback='/events'>+4412345</Number></Dial>");
        s.web().serve(VOICE, Answer::twiml(&verbs));
        s.web().serve(EVENTS, Answer::page(204, None, ""));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(2_000);
        let carrier = s.carrier();
        let called = s.latest(carrier).expect("it rings outside");
        assert_eq!(s.call(&called).from, seen, "{shown}");
        assert_eq!(s.notifications(), noted, "{shown}");
        s.hangs_up(&caller);
        s.pass_ms(500);
        assert_eq!(told(&mut s, EVENTS, "From").as_deref(), Some(seen));
        s.expect_rest();
    }
}

#[test]
fn parameters_and_headers_reach_the_phone() {
    let cases = [
        (
            "<Client><Identity>ann</Identity><Parameter name=\"ticket\" value=\"7\"/></Client>",
            "X-Param-ticket",
            "7",
        ),
        ("<Sip>sip:ann@192.0.2.1?X-Ticket=8</Sip>", "X-Ticket", "8"),
    ];
    for (noun, header, value) in cases {
        let mut s = office(&format!("<Dial>{noun}</Dial>"));
        let ann = s.phone("ann");
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_000);
        let to_ann = s.latest(ann).expect("it rings");
        let invite = s.call(&to_ann).invite.expect("it got an INVITE");
        let got =
            invite.headers.text(&sip::HeaderName::Other(header.to_owned())).map(|text| text.into_owned());
        assert_eq!(got.as_deref(), Some(value), "{noun}");
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn digits_are_sent_before_the_bridge() {
    let mut s = office("<Dial><Number sendDigits=\"ww12#\">101</Number></Dial>");
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(800);
    let to_ann = s.latest(ann).expect("it rings");
    assert_eq!(s.heard(&to_ann), [Heard::Digits("ww12#".to_owned())]);
    assert!(!s.bridged(&caller, &to_ann));
    s.pass_ms(2_000);
    assert!(s.bridged(&caller, &to_ann));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_nouns_progress_is_told_in_order() {
    let events = "statusCallback=\"/events\" statusCallbackEvent=\"initiated ringing answered completed\"";
    let answered: &[&str] = &["initiated", "ringing", "in-progress", "completed"];
    let cases: [(Reaction, &[&str], &str); 3] = [
        (Reaction::Answer(Duration::from_secs(1)), answered, "200"),
        (Reaction::Refuse(486), &["initiated", "busy"], "486"),
        (Reaction::Ignore, &["initiated", "ringing", "no-answer"], "487"),
    ];
    for (reaction, expected, code) in cases {
        let mut s = office(&format!("<Dial timeout=\"5\"><Client {events}>ann</Client></Dial>"));
        let ann = s.phone("ann");
        s.will(ann, reaction);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(10_000);
        s.hangs_up(&caller);
        s.pass_ms(1_000);
        let asked = s.asked(EVENTS);
        let told: Vec<_> = asked.iter().filter_map(|asked| param(asked, "CallStatus")).collect();
        assert_eq!(told, expected, "{reaction:?}");
        let numbers: Vec<u32> =
            asked.iter().filter_map(|asked| param(asked, "SequenceNumber")?.parse().ok()).collect();
        let in_order: Vec<u32> = (0..u32::try_from(asked.len()).unwrap_or(0)).collect();
        assert_eq!(numbers, in_order, "{reaction:?}");
        let last = asked.last().expect("the end is told");
        assert_eq!(param(last, "SipResponseCode"), Some(code), "{reaction:?}");
        assert_eq!(param(last, "Direction"), Some("outbound-dial"));
        let parent = s.rows().iter().find(|row| row.parent.is_none()).map(|row| row.sid.to_string());
        assert_eq!(param(last, "ParentCallSid").map(str::to_owned), parent);
        s.expect_rest();
    }
}

#[test]
fn a_tone_of_its_own_is_heard_before_the_answer_too() {
    for (attributes, codes, heard) in [
        ("answerOnBridge=\"true\" ringTone=\"de\"", &[180, 183][..], &[Heard::Tone][..]),
        ("answerOnBridge=\"true\"", &[180, 180], &[]),
    ] {
        let mut s = office(&format!("<Dial {attributes}>{BOTH}</Dial>"));
        let (ann, bob) = (s.phone("ann"), s.phone("bob"));
        s.will(ann, Reaction::Ignore);
        s.will(bob, Reaction::Answer(Duration::from_secs(4)));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(3_000);
        assert_eq!(s.state(&caller), UaState::Calling, "{attributes}");
        assert_eq!(s.call(&caller).progress[..2], *codes, "{attributes}");
        assert_eq!(s.heard(&caller), heard, "{attributes}");
        s.pass_ms(3_000);
        let to_bob = s.latest(bob).expect("bob rings");
        assert!(s.bridged(&caller, &to_bob), "{attributes}");
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn no_more_than_ten_are_rung() {
    let nouns = "<Client>ann</Client>".repeat(11);
    let mut s = office(&format!("<Dial>{nouns}</Dial>"));
    let ann = s.phone("ann");
    s.will(ann, Reaction::Ignore);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    assert_eq!(s.notifications(), [13250]);
    assert_eq!(s.rows().iter().filter(|row| row.parent.is_some()).count(), 10);
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn only_the_end_is_told_by_default() {
    let mut s = office("<Dial><Client statusCallback=\"/events\">ann</Client></Dial>");
    s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    s.hangs_up(&caller);
    s.pass_ms(500);
    assert_eq!(told(&mut s, EVENTS, "CallStatus").as_deref(), Some("completed"));
    assert_eq!(told(&mut s, EVENTS, "SequenceNumber").as_deref(), Some("3"));
    s.expect_rest();
}
