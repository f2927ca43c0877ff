//! Why a callee could not be reached, or a call was cut off: told once, with its number in the catalogue.

use call::office::Route;
use call::{CallDocument, NewCall, Operator, OperatorReply};
use sim::{Answer, Faults, NUMBER, Reaction, Scenario, UaState, VOICE, office as plain_office, param};
use twiml::{CallStatus, Source};

use crate::{ACTION, EVENTS, office, told};

/// What a callee refuses with, as it is told: its status, the error, and the SIP code.
type Told = (&'static str, Option<&'static str>, &'static str);

#[test]
fn a_failed_callee_is_told_with_the_number_of_its_error() {
    let cases: [(&str, Option<u16>, Told); 9] = [
        ("<Client {}>ann</Client>", Some(500), ("failed", Some("32011"), "500")),
        ("<Client {}>ann</Client>", Some(486), ("busy", None, "486")),
        ("<Client {}>ann</Client>", Some(480), ("no-answer", None, "480")),
        ("<Client {}>bob</Client>", None, ("failed", Some("32009"), "480")),
        ("<Client {}>nobody</Client>", None, ("failed", Some("32009"), "404")),
        ("<Sip {}>sip:ann@192.0.2.1</Sip>", Some(407), ("failed", Some("13244"), "407")),
        ("<Sip {}>sip:ann@nowhere.example</Sip>", None, ("failed", Some("13254"), "503")),
        ("<Number {}>+4412345</Number>", Some(404), ("failed", Some("13224"), "404")),
        ("<Number {}>777</Number>", None, ("failed", Some("13223"), "404")),
    ];
    for (noun, code, (status, error, sip_code)) in cases {
        let noun = noun.replace("{}", "statusCallback=\"/events\"");
        let mut s = office(&format!("<Dial action=\"/action\">{noun}</Dial>"));
        let (ann, carrier) = (s.phone("ann"), s.carrier());
        if let Some(code) = code {
            s.will(ann, Reaction::Refuse(code));
            s.will(carrier, Reaction::Refuse(code));
        }
        s.carrier_calls(NUMBER);
        s.pass_ms(5_000);
        let asked = s.asked(EVENTS);
        assert_eq!(asked.len(), 1, "{noun}");
        let of = |name: &str| param(&asked[0], name).map(str::to_owned);
        assert_eq!(of("CallStatus").as_deref(), Some(status), "{noun}");
        assert_eq!(of("ErrorCode").as_deref(), error, "{noun}");
        assert_eq!(of("ErrorMessage").is_some_and(|text| !text.is_empty()), error.is_some(), "{noun}");
        assert_eq!(of("SipResponseCode").as_deref(), Some(sip_code), "{noun}");
        assert_eq!(of("CallDuration").as_deref(), Some("0"), "{noun}");
        let noted: Vec<String> = s.notifications().iter().map(u32::to_string).collect();
        assert_eq!(noted.iter().map(String::as_str).collect::<Vec<_>>(), Vec::from_iter(error), "{noun}");
        // The callee is a call of its own, whatever became of it.
        let child = s.rows().into_iter().find(|row| row.parent.is_some()).expect("it is on record");
        assert_eq!(
            (child.status.as_str(), child.sip_code.map(|c| c.to_string())),
            (status, of("SipResponseCode"))
        );
        assert_eq!(of("CallSid"), Some(child.sid.to_string()), "{noun}");
        assert_eq!(of("ParentCallSid"), child.parent.map(|sid| sid.to_string()), "{noun}");
        assert_eq!(told(&mut s, ACTION, "DialCallSid"), Some(child.sid.to_string()), "{noun}");
        assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some(status), "{noun}");
        s.expect_rest();
    }
}

#[test]
fn a_number_nobody_carries_is_not_one_that_is_written_wrongly() {
    for (number, error) in [("+4412345", 13224), ("+0777", 13226), ("777", 13223)] {
        let mut plain = plain_office(&[("ann", "101")]);
        plain.routes.clear();
        let mut s = Scenario::with(plain, 1, Faults::NONE);
        s.web().serve(VOICE, Answer::twiml(&format!("<Dial>{number}</Dial>")));
        s.carrier_calls(NUMBER);
        s.pass_ms(2_000);
        assert_eq!(s.notifications(), [error], "{number}");
        s.expect_rest();
    }
}

#[test]
fn a_route_without_a_trunk_bars_what_it_matches() {
    let mut office = plain_office(&[("ann", "101")]);
    let open = office.routes[0].clone();
    office.routes.insert(0, Route { pattern: "+1900*".to_owned(), trunks: Vec::new(), ..open });
    let mut s = Scenario::with(office, 1, Faults::NONE);
    let (ann, carrier) = (s.phone("ann"), s.carrier());
    let caller = s.dials(ann, "+19005551234");
    s.pass_ms(1_000);
    assert_eq!(s.state(&caller), UaState::Over(403));
    let verbs = "<Dial action=\"/action\"><Number>+19005551234</Number></Dial>";
    s.web().serve(VOICE, Answer::twiml(verbs));
    s.web().serve(ACTION, Answer::twiml("<Hangup/>"));
    s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("failed"));
    assert_eq!(s.notifications(), [13225]);
    let document = CallDocument::Given(Source::Inline("<Response/>".to_owned()));
    let asked = NewCall::new("+19005551234", NUMBER, document);
    let OperatorReply::NotPlaced(why) = s.operator(Operator::Originate(Box::new(asked))) else { panic!() };
    assert_eq!(why.code, 21216);
    assert!(s.latest(carrier).is_none(), "no carrier was asked");
    s.expect_rest();
}

#[test]
fn what_cuts_a_talk_off_is_told() {
    let mut s = office("<Dial><Client statusCallback=\"/events\">ann</Client></Dial>");
    let ann = s.phone("ann");
    s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    let to_ann = s.latest(ann).expect("it rings");
    s.world.lose_media(to_ann.ua, to_ann.session);
    s.pass_ms(60_000);
    assert_eq!(s.notifications(), [32014]);
    let child = s.rows().into_iter().find(|row| row.parent.is_some()).expect("a child");
    assert_eq!(child.status, CallStatus::Completed);
    assert_eq!(told(&mut s, EVENTS, "ErrorCode"), None, "it did not fail: it was answered");
    s.expect_rest();
}

#[test]
fn a_box_that_is_full_rings_nobody_and_says_so() {
    let mut full = sim::office(&[("ann", "101")]);
    full.limits.calls_max = 1;
    let mut s = Scenario::with(full, 1, Faults::NONE);
    let dial = "<Dial action='/action'><Client statusCallback='/events'>ann</Client></Dial>";
    s.web().serve(VOICE, Answer::twiml(dial));
    s.web().serve(ACTION, Answer::twiml("<Say>done</Say>"));
    s.web().serve(EVENTS, Answer::page(204, None, ""));
    s.phone("ann");
    s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("failed"));
    assert_eq!(told(&mut s, EVENTS, "ErrorCode").as_deref(), Some("99005"));
    s.expect_rest();
}
