//! What a callee hears before the bridge (`url` of a noun).

use sim::{Answer, Heard, NUMBER, Scenario, UaState, param};

use crate::{ACTION, office, told};

const WHISPER: &str = "http://web.example/whisper";

fn whispering(verbs: &str) -> Scenario {
    let mut s = office("<Dial action=\"/action\"><Client url=\"/whisper\">ann</Client></Dial>");
    s.web().serve(WHISPER, Answer::twiml(verbs));
    s
}

#[test]
fn the_callee_hears_it_alone_and_is_bridged_after() {
    let mut s = whispering("<Say>a caller from sales</Say>");
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_500);
    let to_ann = s.latest(ann).expect("it rings");
    assert!(s.heard_clip(&to_ann, "sales"));
    assert_eq!(s.heard(&caller), [Heard::Tone], "the caller still hears that it rings");
    assert!(!s.bridged(&caller, &to_ann));
    s.pass_ms(2_000);
    assert!(s.bridged(&caller, &to_ann));
    let asked = s.asked(WHISPER).remove(0);
    assert_eq!(param(&asked, "Direction"), Some("outbound-dial"));
    assert_eq!(param(&asked, "To"), Some("client:ann"));
    assert_eq!(param(&asked, "CallStatus"), Some("in-progress"));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn the_callee_can_accept_by_a_key_or_decline() {
    for (key, bridged, status) in [("1", true, "completed"), ("2", false, "no-answer")] {
        let mut s =
            whispering("<Gather numDigits=\"1\" action=\"/screen\"><Say>press one</Say></Gather><Hangup/>");
        let answer = if bridged { "" } else { "<Hangup/>" };
        s.web().serve("http://web.example/screen", Answer::twiml(answer));
        let ann = s.phone("ann");
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_500);
        let to_ann = s.latest(ann).expect("it rings");
        s.presses(&to_ann, key);
        s.pass_ms(500);
        assert_eq!(s.bridged(&caller, &to_ann), bridged, "{key}");
        if bridged {
            s.hangs_up(&to_ann);
            s.pass_ms(500);
        }
        assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some(status), "{key}");
        assert_eq!(s.state(&to_ann), UaState::Over(200), "{key}");
        assert!(s.heard_clip(&caller, "done"), "{key}");
        s.expect_rest();
    }
}

#[test]
fn nobody_dials_in_a_whisper() {
    let mut s = whispering("<Dial><Client>bob</Client></Dial>");
    let (ann, bob) = (s.phone("ann"), s.phone("bob"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(8_000);
    assert!(s.notifications().contains(&13201), "{:?}", s.notifications());
    assert!(s.latest(bob).is_none());
    let to_ann = s.latest(ann).expect("it rings");
    assert_eq!(s.state(&to_ann), UaState::Over(200));
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("no-answer"));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_sip_callees_document_learns_what_sip_said() {
    let mut s = office("<Dial action=\"/action\"><Sip url=\"/whisper\">sip:ann@192.0.2.1</Sip></Dial>");
    s.web().serve(WHISPER, Answer::twiml("<Say>a caller from sales</Say>"));
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_500);
    let to_ann = s.latest(ann).expect("it rings");
    let invite = s.call(&to_ann).invite.expect("it got an INVITE");
    let call_id = invite.headers.text(&sip::HeaderName::CallId).map(|id| id.into_owned());
    let asked = s.asked(WHISPER).remove(0);
    assert_eq!(param(&asked, "SipCallId").map(str::to_owned), call_id);
    assert_eq!(param(&asked, "SipDomain"), Some("192.0.2.1"));
    assert_eq!(param(&asked, "SipSourceIp"), Some("203.0.113.1"));
    assert_eq!(param(&asked, "Called"), Some("sip:ann@192.0.2.1"));
    assert_eq!(param(&asked, "CallToken"), None);
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_callee_whose_document_cannot_be_had_is_hung_up() {
    let mut s = office("<Dial action=\"/action\"><Client url=\"/whisper\">ann</Client></Dial>");
    s.web().serve(WHISPER, Answer::page(500, None, ""));
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(10_000);
    let to_ann = s.latest(ann).expect("it rang");
    assert_eq!(s.state(&to_ann), UaState::Over(200));
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("no-answer"));
    assert!(s.heard_clip(&caller, "done"));
    s.expect_rest();
}

#[test]
fn a_callee_that_hangs_up_during_it_was_not_reached() {
    let mut s = whispering("<Say>a caller from sales</Say>");
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_500);
    let to_ann = s.latest(ann).expect("it rings");
    s.hangs_up(&to_ann);
    s.pass_ms(500);
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("no-answer"));
    assert_eq!(told(&mut s, ACTION, "DialBridged").as_deref(), Some("false"));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_caller_that_hangs_up_during_it_takes_the_callee_along() {
    let mut s = whispering("<Say>a caller from sales</Say>");
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_500);
    let to_ann = s.latest(ann).expect("it rings");
    s.hangs_up(&caller);
    s.pass_ms(500);
    assert_eq!(s.state(&to_ann), UaState::Over(200));
    s.expect_rest();
}
