//! How a call is refused before it is answered.

use sim::Faults;
use sim::{Answer, FALLBACK, NUMBER, STATUS, Scenario, UaState, VOICE, office as plain_office, param};
use std::time::Duration;
use twiml::CallStatus;

use crate::{office, told};

#[test]
fn a_document_can_refuse() {
    let cases = [
        ("<Reject/>", 404, CallStatus::NoAnswer),
        ("<Reject reason=\"busy\"/><Say>never</Say>", 486, CallStatus::Busy),
        ("<Hangup/>", 480, CallStatus::NoAnswer),
        ("", 480, CallStatus::NoAnswer),
        ("<Pause length=\"2\"/><Reject reason=\"busy\"/>", 486, CallStatus::Busy),
    ];
    for (verbs, code, status) in cases {
        let mut s = office(verbs);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(4_000);
        assert_eq!(s.state(&caller), UaState::Over(code), "{verbs}");
        assert_eq!(s.call(&caller).progress, [180], "{verbs}");
        assert_eq!(s.world.media.opened_total, 0, "{verbs}: no port is taken");
        assert_eq!(told(&mut s, STATUS, "CallStatus").as_deref(), Some(status.as_str()), "{verbs}");
        assert_eq!(told(&mut s, STATUS, "SipResponseCode"), Some(code.to_string()), "{verbs}");
        assert_eq!(told(&mut s, STATUS, "CallDuration").as_deref(), Some("0"), "{verbs}");
        let row = s.rows().remove(0);
        assert_eq!((row.status, row.sip_code, row.answer), (status, Some(code), None), "{verbs}");
        s.expect_rest();
    }
}

#[test]
fn a_number_nobody_owns_is_not_found_and_written_down() {
    let mut s = office("<Say>never</Say>");
    let caller = s.carrier_calls("+15559990000");
    s.pass_ms(1_000);
    assert_eq!(s.state(&caller), UaState::Over(404));
    let row = s.rows().remove(0);
    assert_eq!((row.status, row.sip_code, row.to.as_str()), (CallStatus::Failed, Some(404), "+15559990000"));
    assert!(s.asked(VOICE).is_empty());
    s.expect_rest();
}

#[test]
fn no_common_codec_is_488() {
    let mut office = plain_office(&[]);
    office.media.codecs = vec![media::CodecKind::Pcma];
    let mut s = Scenario::with(office, 1, Faults::NONE);
    s.web().serve(VOICE, Answer::twiml("<Say>never</Say>"));
    let carrier = s.carrier();
    s.world.ua(carrier).codecs = vec![media::CodecKind::Pcmu];
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    assert_eq!(s.state(&caller), UaState::Over(488));
    assert_eq!(s.rows()[0].status, CallStatus::Failed);
    assert_eq!(told(&mut s, STATUS, "CallStatus").as_deref(), Some("failed"));
    s.expect_rest();
}

#[test]
fn no_media_port_left_is_503() {
    let mut s = office("<Say>never</Say>");
    s.world.media.open_failures = 1;
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    assert_eq!(s.state(&caller), UaState::Over(503));
    assert_eq!(s.rows()[0].status, CallStatus::Failed);
    s.expect_rest();
}

#[test]
fn an_invite_without_an_offer_gets_ours() {
    let mut s = office("<Say>hello</Say>");
    let carrier = s.carrier();
    s.world.ua(carrier).offerless = true;
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    assert_eq!(s.state(&caller), UaState::Up);
    assert!(s.heard_clip(&caller, "hello"));
    s.pass_ms(3_000);
    assert_eq!(s.state(&caller), UaState::Over(200));
    s.expect_rest();
}

#[test]
fn a_caller_who_gives_up_while_the_document_is_fetched_is_canceled() {
    let mut s = office("");
    s.web().serve(VOICE, Answer::twiml("<Say>late</Say>").after(Duration::from_secs(5)));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(200);
    assert_eq!(s.state(&caller), UaState::Calling);
    s.hangs_up(&caller);
    s.pass_ms(10_000);
    assert_eq!(s.state(&caller), UaState::Over(487));
    assert_eq!(s.world.media.opened_total, 0, "the late document is not executed");
    let row = s.rows().remove(0);
    assert_eq!((row.status, row.sip_code), (CallStatus::Canceled, Some(487)));
    assert_eq!(told(&mut s, STATUS, "CallStatus").as_deref(), Some("canceled"));
    assert!(s.asked(FALLBACK).is_empty());
    s.expect_rest();
}

#[test]
fn the_end_of_an_inbound_call_is_told_once_with_its_length() {
    let mut s = office("<Pause length=\"1\"/><Say>hello</Say>");
    s.world.media.clips.insert("say:man:en-US:hello".to_owned(), Duration::from_secs(61));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(70_000);
    assert_eq!(s.state(&caller), UaState::Over(200));
    let asked = s.asked(STATUS).remove(0);
    for (name, value) in [
        ("CallStatus", "completed"),
        ("Direction", "inbound"),
        ("CallDuration", "61"),
        ("Duration", "2"),
        ("SequenceNumber", "0"),
        ("CallbackSource", "call-progress-events"),
        ("SipResponseCode", "200"),
        ("To", NUMBER),
    ] {
        assert_eq!(param(&asked, name), Some(value), "{name}");
    }
    assert_eq!(s.asked(STATUS).len(), 1);
    s.expect_rest();
}

#[test]
fn a_status_callback_that_fails_is_written_down() {
    let mut s = office("<Say>hello</Say>");
    s.web().serve(STATUS, Answer::failure(11200));
    s.carrier_calls(NUMBER);
    s.pass_ms(10_000);
    assert_eq!(s.notifications(), [15003]);
    s.expect_rest();
}
