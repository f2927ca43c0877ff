//! The other dialect, whole calls of it (reference: texml-delta §2, §3, §5).

use sim::{Answer, Faults, NUMBER, Scenario, VOICE, param};
use twiml::{Dialect, HttpMethod};

use crate::{ACTION, EVENTS};

/// An office whose number speaks texml and answers with these verbs.
fn texml(verbs: &str) -> Scenario {
    let mut office = sim::office(&[("ann", "101")]);
    office.numbers.get_mut(NUMBER).expect("there is one").application.dialect = Dialect::Texml;
    let mut s = Scenario::with(office, 1, Faults::NONE);
    s.web().serve(VOICE, Answer::twiml(verbs));
    s.web().serve(ACTION, Answer::twiml("<Say>done</Say>"));
    s.web().serve(EVENTS, Answer::page(204, None, ""));
    s
}

#[test]
fn requests_carry_the_dialects_parameters() {
    let mut s = texml("<Gather numDigits=\"1\" action=\"/action\"/>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    s.presses(&caller, "1");
    s.pass_ms(1_000);
    let asked = s.asked(VOICE);
    assert_eq!((asked.len(), asked[0].dialect, asked[0].method), (1, Dialect::Texml, HttpMethod::Post));
    for name in
        ["CallSid", "CallSidLegacy", "ConnectionId", "CallerId", "FromSipUri", "ToSipUri", "CallingPartyType"]
    {
        assert!(param(&asked[0], name).is_some_and(|value| !value.is_empty()), "{name}: {asked:?}");
    }
    assert_eq!(param(&asked[0], "CallingPartyType"), Some("pstn"));
    assert_eq!(param(&asked[0], "Direction"), Some("inbound"));
    for name in ["ApiVersion", "Caller", "FromCountry"] {
        assert_eq!(param(&asked[0], name), None, "{name}");
    }
    let action = s.asked(ACTION);
    assert_eq!(param(&action[0], "Digits"), Some("1"));
    assert!(param(&action[0], "CallSidLegacy").is_some());
    s.expect_rest();
}

/// Without an action the next verb runs, where Twilio asks the document's own URL again.
#[test]
fn a_recording_without_an_action_goes_on() {
    let verbs = "<Record maxLength=\"2\" playBeep=\"false\"/><Say>afterwards</Say>";
    let mut s = texml(verbs);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(8_000);
    assert!(s.heard_clip(&caller, "afterwards"), "{:?}", s.heard(&caller));
    assert_eq!(s.asked(VOICE).len(), 1);
    s.expect_rest();
    let mut s = crate::office(verbs);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(4_000);
    assert!(!s.heard_clip(&caller, "afterwards"));
    assert!(s.asked(VOICE).len() > 1);
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_dialled_legs_requests_are_of_the_same_dialect() {
    let mut s = texml(
        "<Dial action=\"/action\"><Client url=\"/whisper\" statusCallback=\"/events\" statusCallbackEvent=\"answered \
         completed\">ann</Client></Dial>",
    );
    s.web().serve("http://web.example/whisper", Answer::twiml("<Say>whisper</Say>"));
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    s.picks_up(ann);
    s.pass_ms(6_000);
    let whisper = s.asked("http://web.example/whisper");
    assert_eq!(whisper.len(), 1, "{:?}", s.notifications());
    assert_eq!(param(&whisper[0], "Direction"), Some("outbound"));
    assert_eq!(param(&whisper[0], "ParentCallSid"), param(&whisper[0], "ParentCallSidLegacy"));
    s.hangs_up(&caller);
    s.pass_ms(2_000);
    let events = s.asked(EVENTS);
    assert!(events.len() >= 2, "{events:?}");
    for event in &events {
        let time = param(event, "Timestamp").unwrap_or_default();
        assert!(time.contains('T') && time.ends_with('Z'), "{time}");
    }
    s.expect_rest();
}

#[test]
fn digits_are_counted_and_chosen() {
    for (attributes, pressed, digits, asked_invalid) in [
        ("minDigits=\"2\" timeout=\"3\"", "1", None, false),
        ("minDigits=\"2\" timeout=\"3\"", "12", Some("12"), false),
        ("minDigits=\"2\" timeout=\"60\"", "1#2#", Some("12"), false),
        ("validDigits=\"12\" timeout=\"3\"", "192", Some("12"), false),
        ("validDigits=\"12\" invalidDigitsAction=\"/invalid\" timeout=\"60\"", "19", Some("9"), true),
    ] {
        let verbs = format!("<Gather action=\"/action\" {attributes}/><Say>nothing</Say>");
        let mut s = texml(&verbs);
        s.web().serve("http://web.example/invalid", Answer::twiml("<Say>not that key</Say>"));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_000);
        s.presses(&caller, pressed);
        s.pass_ms(8_000);
        let (action, other) = (ACTION, "http://web.example/invalid");
        let (asked, silent) = if asked_invalid { (other, action) } else { (action, other) };
        let told = s.asked(asked);
        assert_eq!(
            told.first().and_then(|request| param(request, "Digits")),
            digits,
            "{attributes} {pressed}"
        );
        assert!(s.asked(silent).is_empty(), "{attributes} {pressed}");
        assert_eq!(s.heard_clip(&caller, "nothing"), digits.is_none(), "{attributes} {pressed}");
        s.hangs_up(&caller);
        s.expect_rest();
    }
}
