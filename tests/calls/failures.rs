//! Web servers and documents that fail (reference: twiml-voice §18): never silence.

use std::time::Duration;

use sim::{Answer, FALLBACK, Faults, NUMBER, Scenario, UaState, VOICE, param};
use twiml::CallStatus;

use crate::{ACTION, EVENTS, office};

const APOLOGY: &str = "application-error";

/// The rows of the table, each with what shows it; that the network's own failures have these numbers shows
/// `each_failure_has_its_code` of the webhook client, on real sockets.
fn failing() -> Vec<(&'static str, Answer, u32)> {
    let page = |status, content_type: &str, body: &str| Answer::page(status, Some(content_type), body);
    let large = format!("<Response><!--{}--></Response>", "x".repeat(65_536));
    let late = Answer::failure(11200).after(Duration::from_secs(15));
    vec![
        ("TCP connect/TLS failure", Answer::failure(11205), 11205),
        ("TCP connect/TLS failure", Answer::failure(11201), 11201),
        ("TCP connect/TLS failure", Answer::failure(11202), 11202),
        ("TCP connect/TLS failure", Answer::failure(11220), 11220),
        ("TCP connect/TLS failure", Answer::failure(11235), 11235),
        ("TCP connect/TLS failure", Answer::failure(11236), 11236),
        ("TCP connect/TLS failure", Answer::failure(11237), 11237),
        ("read timeout / total > 15 s", late, 11200),
        ("read timeout / total > 15 s", Answer::failure(11203), 11203),
        ("DNS", Answer::failure(11210), 11210),
        ("4xx, 5xx", page(404, "text/plain", "nothing here"), 11200),
        ("4xx, 5xx", page(500, "text/html", "<h1>oops"), 11200),
        ("> 10 redirects", Answer::failure(11215), 11215),
        ("HTTP protocol error", Answer::failure(11206), 11206),
        ("bad URL", Answer::failure(11100), 11100),
        ("body > 64 kB", page(200, "text/xml", &large), 11750),
        ("empty body", page(200, "text/xml", ""), 11770),
        ("empty body", page(204, "text/xml", ""), 11770),
        ("not well-formed / wrong root", page(200, "text/xml", "<Response><Say>unclosed"), 12100),
        ("not well-formed / wrong root", page(200, "text/xml", "<?xml version='1.1'?><Response/>"), 12101),
        ("not well-formed / wrong root", page(200, "text/xml", "<response/>"), 12102),
        ("not well-formed / wrong root", page(200, "text/html", "<html><body>hello</body></html>"), 12102),
        ("not well-formed / wrong root", page(200, "text/xml", "<!DOCTYPE Response><Response/>"), 12100),
        ("content type", Answer::page(200, None, "<Response/>"), 12300),
        ("content type", page(200, "application/json", "{}"), 12300),
        ("verb error (error level)", Answer::twiml("<Gather actionOnEmptyResult='maybe'/>"), 13338),
        ("verb error (error level)", Answer::twiml("<Enqueue method='x'>desk</Enqueue>"), 14201),
        ("verb error (error level)", Answer::twiml("<Pay/>"), 13750),
        ("internal", Answer::failure(12400), 12400),
        ("internal", Answer::failure(15009), 15009),
    ]
}

#[test]
fn the_fallback_takes_over_and_learns_why() {
    for (row, answer, code) in failing() {
        let mut s = office("");
        s.web().serve(VOICE, answer.clone());
        s.web().serve(FALLBACK, Answer::twiml("<Say>fallback</Say>"));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(20_000);
        let asked = s.asked(FALLBACK);
        assert_eq!(asked.len(), 1, "{row}: {answer:?}");
        assert_eq!(param(&asked[0], "ErrorCode"), Some(code.to_string().as_str()), "{row}: {answer:?}");
        assert_eq!(param(&asked[0], "ErrorUrl"), Some(VOICE), "{row}: {answer:?}");
        assert!(s.heard_clip(&caller, "fallback"), "{row}: {answer:?}");
        assert!(!s.heard_clip(&caller, APOLOGY), "{row}: {answer:?}");
        assert_eq!(s.notifications(), [code], "{row}: {answer:?}");
        assert_eq!(s.state(&caller), UaState::Over(200), "{row}: {answer:?}");
        s.expect_rest();
    }
}

#[test]
fn without_a_fallback_an_apology_is_heard() {
    for (row, answer, code) in failing() {
        let mut office = sim::office(&[]);
        office.numbers.get_mut(NUMBER).expect("there is one").application.fallback = None;
        let mut s = Scenario::with(office, 1, Faults::NONE);
        s.web().serve(VOICE, answer.clone());
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(20_000);
        assert!(s.heard_clip(&caller, APOLOGY), "{row}: {answer:?}");
        assert_eq!(s.state(&caller), UaState::Over(200), "{row}: {answer:?}");
        assert_eq!(s.notifications()[0], code, "{row}: {answer:?}");
        assert_eq!(s.rows()[0].status, CallStatus::Completed);
        s.expect_rest();
    }
}

#[test]
fn a_fallback_that_fails_too_leads_to_the_apology() {
    let mut s = office("");
    s.web().serve(VOICE, Answer::failure(11205));
    s.web().serve(FALLBACK, Answer::page(500, None, ""));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(10_000);
    assert!(s.heard_clip(&caller, APOLOGY));
    assert_eq!(s.asked(FALLBACK).len(), 1);
    assert_eq!(s.notifications(), [11205, 11200]);
    assert_eq!(s.state(&caller), UaState::Over(200));
    s.expect_rest();
}

#[test]
fn an_action_that_fails_leads_to_the_fallback() {
    let mut s = office("<Gather numDigits=\"1\" action=\"/action\"/>");
    s.web().serve(ACTION, Answer::page(503, None, ""));
    s.web().serve(FALLBACK, Answer::twiml("<Say>fallback</Say>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    s.presses(&caller, "1");
    s.pass_ms(500);
    let asked = s.asked(FALLBACK);
    assert_eq!(param(&asked[0], "ErrorUrl"), Some(ACTION));
    assert!(s.heard_clip(&caller, "fallback"));
    s.expect_rest();
}

#[test]
fn what_a_document_misspells_is_told_and_passed_over() {
    let mut s = office("<Sya>typo</Sya><Say volume=\"11\">heard</Say>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(5_000);
    assert!(s.heard_clip(&caller, "heard"));
    assert_eq!(s.notifications(), [12200, 12200]);
    assert!(s.asked(FALLBACK).is_empty());
    s.expect_rest();
}

#[test]
fn documents_that_only_lead_to_each_other_are_stopped() {
    let mut s = office("<Redirect>/a</Redirect>");
    s.web().serve("http://web.example/a", Answer::twiml("<Redirect>/a</Redirect>"));
    s.web().serve(FALLBACK, Answer::twiml("<Say>fallback</Say>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(20_000);
    assert!(s.heard_clip(&caller, "fallback"));
    assert!(s.asked("http://web.example/a").len() <= 100);
    s.expect_rest();
}

#[test]
fn a_web_server_that_never_answers_does_not_hold_the_call_for_ever() {
    let mut s = office("");
    s.web().serve(VOICE, Answer::twiml("<Say>late</Say>").after(Duration::from_secs(3_600)));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(60_000);
    assert!(s.heard_clip(&caller, APOLOGY) && !s.heard_clip(&caller, "late"));
    s.expect_rest();

    // A web server's silence ends after 15 seconds: whoever hears nothing for longer has lost the request itself.
    let mut s = office("");
    s.web().serve(VOICE, Answer::twiml("").after(Duration::from_secs(3_600)));
    s.web().serve(FALLBACK, Answer::twiml("<Say>fallback</Say>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(60_000);
    assert_eq!(param(&s.asked(FALLBACK)[0], "ErrorCode"), Some("15009"));
    assert!(s.heard_clip(&caller, "fallback"));
    assert_eq!(s.notifications(), [15009]);
    s.expect_rest();
}

/// What failed once is tried first the next time: the fallback is asked again, no more than once each.
#[test]
fn every_later_fetch_tries_its_own_url_first() {
    let mut s = office("");
    s.web().serve(VOICE, Answer::failure(11202));
    let next = "<Say>fallback</Say><Redirect>/a</Redirect>";
    s.web().serve(FALLBACK, Answer::twiml(next));
    s.web().serve("http://web.example/a", Answer::failure(11210));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    s.web().serve("http://web.example/a", Answer::twiml("<Say>a is back</Say>"));
    s.pass_ms(10_000);
    assert!(s.heard_clip(&caller, "fallback") && s.heard_clip(&caller, "a is back"));
    let asked = s.asked(FALLBACK);
    let errors: Vec<_> = asked.iter().map(|asked| param(asked, "ErrorCode").unwrap().to_owned()).collect();
    assert_eq!(errors.first().map(String::as_str), Some("11202"), "{errors:?}");
    assert!(errors[1..].iter().all(|code| code == "11210"), "{errors:?}");
    let first = s.asked("http://web.example/a").len();
    assert_eq!(first, errors.len(), "its own URL each time, and at last it answered");
    s.expect_rest();
}

#[test]
fn a_redirect_to_no_url_leads_to_the_fallback() {
    let mut s = office("<Redirect>http://[</Redirect>");
    s.web().serve(FALLBACK, Answer::twiml("<Say>fallback</Say>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(5_000);
    assert!(s.heard_clip(&caller, "fallback"));
    assert_eq!(s.notifications(), [11100]);
    s.expect_rest();
}

/// Bad values of warning level, one verb each: the default is used and the call goes on.
#[test]
fn a_bad_value_is_told_and_its_default_used() {
    let mut s = office(
        "<Say loop='x'>one</Say><Pause length='0'/><Play loop='x' digits='1'/><Gather timeout='x' numDigits='1'/>\
         <Say>two</Say>",
    );
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(20_000);
    assert!(s.heard_clip(&caller, "one") && s.heard_clip(&caller, "two"));
    assert_eq!(s.notifications(), [13510, 13910, 13410, 13313]);
    assert!(s.asked(FALLBACK).is_empty());
    s.expect_rest();
}

/// What comes after an answered call's events is numbered when it happens, and a receiver that is slow or down
/// holds nothing up.
#[test]
fn a_receiver_that_is_slow_or_down_neither_delays_a_call_nor_changes_the_order() {
    let slow = Answer::page(204, None, "").after(Duration::from_secs(14));
    for (answer, failed) in [(slow, false), (Answer::failure(11202), true)] {
        let mut s = office(
            "<Dial><Client statusCallback='/events' statusCallbackEvent='initiated ringing answered completed'>ann\
             </Client></Dial>",
        );
        s.web().serve(EVENTS, answer);
        let ann = s.phone("ann");
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_000);
        s.picks_up(ann);
        s.pass_ms(1_000);
        let called = s.latest(ann).expect("ann was called");
        assert!(s.bridged(&caller, &called), "nobody waits for a status callback");
        s.hangs_up(&caller);
        s.pass_ms(40_000);
        let told = s.asked(EVENTS);
        let events: Vec<(&str, &str)> = told
            .iter()
            .map(|event| (param(event, "SequenceNumber").unwrap(), param(event, "CallStatus").unwrap()))
            .collect();
        let expected = [("0", "initiated"), ("1", "ringing"), ("2", "in-progress"), ("3", "completed")];
        assert_eq!(events, expected);
        assert_eq!(s.notifications(), vec![15003; if failed { 4 } else { 0 }]);
        s.expect_rest();
    }
}

#[test]
fn a_bad_override_of_a_callbacks_url_is_told() {
    let mut office = sim::office(&[]);
    let application = &mut office.numbers.get_mut(NUMBER).expect("there is one").application;
    application.status_callback.as_mut().expect("there is one").url.push_str("#rp=6xx");
    let mut s = Scenario::with(office, 1, Faults::NONE);
    s.web().serve(VOICE, Answer::twiml("<Say>hello</Say>"));
    s.carrier_calls(NUMBER);
    s.pass_ms(5_000);
    assert!(s.notifications().contains(&11243), "{:?}", s.notifications());
    s.expect_rest();
}

#[test]
fn documents_that_chase_each_other_without_a_sound_are_stopped() {
    let mut s = Scenario::office();
    s.web().serve(VOICE, Answer::twiml(r#"<Dial action="/voice"/>"#).after(Duration::ZERO));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(20_000);
    assert!(s.notifications().contains(&11215), "{:?}", s.notifications());
    assert!(s.heard_clip(&caller, APOLOGY), "{:?}", s.heard(&caller));
    assert!(s.web().asked(VOICE).len() <= 251, "{}", s.web().asked(VOICE).len());
    s.expect_rest();
}
