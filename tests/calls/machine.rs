//! Answering machine detection on dialled callees (reference: webhooks §4.5).

use media::AnsweredBy;
use sim::{Answer, Heard, NUMBER, Scenario, UaState, param};

use crate::{EVENTS, office};

const WHISPER: &str = "http://web.example/whisper";
const AMD: &str = "http://web.example/amd";

fn dialling(attributes: &str) -> Scenario {
    let mut s = office(&format!(
        "<Dial action=\"/action\"><Number {attributes} statusCallback=\"/events\" \
         statusCallbackEvent=\"answered completed\">101</Number></Dial>"
    ));
    s.web().serve(WHISPER, Answer::twiml(""));
    s.web().serve(AMD, Answer::page(204, None, ""));
    s
}

#[test]
fn whisper_and_bridge_wait_for_the_verdict() {
    let mut s = dialling("machineDetection=\"Enable\" url=\"/whisper\"");
    s.world.media.answers.push_back((AnsweredBy::Human, 2_000));
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_500);
    let to_ann = s.latest(ann).expect("it rings");
    assert_eq!(s.state(&to_ann), UaState::Up);
    assert!(s.asked(WHISPER).is_empty() && !s.bridged(&caller, &to_ann), "nobody knows yet");
    assert_eq!(s.heard(&caller), [Heard::Tone], "the caller hears that it rings");
    s.pass_ms(1_500);
    assert!(s.bridged(&caller, &to_ann));
    let asked = s.asked(WHISPER).remove(0);
    assert_eq!(param(&asked, "AnsweredBy"), Some("human"));
    assert_eq!(param(&asked, "MachineDetectionDuration"), Some("2000"));
    s.hangs_up(&caller);
    s.pass_ms(500);
    let told = s.asked(EVENTS);
    assert_eq!(param(&told[0], "AnsweredBy"), None, "when it was answered nobody knew");
    assert_eq!(param(&told[1], "AnsweredBy"), Some("human"));
    assert_eq!(s.rows()[1].answered_by.as_deref(), Some("human"));
    s.expect_rest();
}

#[test]
fn with_a_callback_the_call_goes_on_and_the_verdict_is_told_beside_it() {
    let mut s = dialling("machineDetection=\"DetectMessageEnd\" amdStatusCallback=\"/amd\"");
    s.world.media.answers.push_back((AnsweredBy::MachineEndBeep, 6_000));
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_500);
    let to_ann = s.latest(ann).expect("it rings");
    assert!(s.bridged(&caller, &to_ann), "the call did not wait");
    assert!(s.asked(AMD).is_empty());
    s.pass_ms(6_000);
    let told = s.asked(AMD).remove(0);
    let names: Vec<&str> = told.params.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["AccountSid", "AnsweredBy", "CallSid", "MachineDetectionDuration"]);
    assert_eq!(param(&told, "AnsweredBy"), Some("machine_end_beep"));
    assert_eq!(param(&told, "MachineDetectionDuration"), Some("6000"));
    s.hangs_up(&caller);
    s.expect_rest();
    assert_eq!(s.asked(AMD).len(), 1);
}

#[test]
fn the_media_plane_listens_as_the_document_says() {
    for (attributes, message_end, timeout_ms) in [
        ("machineDetection=\"Enable\"", false, 30_000),
        (
            "machineDetection=\"DetectMessageEnd\" machineDetectionTimeout=\"7\" amdStatusCallback=\"/amd\"",
            true,
            7_000,
        ),
    ] {
        let mut s = dialling(attributes);
        s.phone("ann");
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(2_500);
        let settings = s.world.media.detections.pop().expect("it listens who answered");
        assert_eq!((settings.message_end, settings.timeout_ms), (message_end, timeout_ms), "{attributes}");
        assert!(s.notifications().is_empty(), "{attributes}");
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn nothing_is_left_when_somebody_hangs_up_before_the_verdict() {
    for callee_hangs_up in [false, true] {
        let mut s = dialling("machineDetection=\"Enable\" url=\"/whisper\"");
        s.world.media.answers.push_back((AnsweredBy::Human, 3_000));
        let ann = s.phone("ann");
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(2_500);
        let to_ann = s.latest(ann).expect("it rings");
        s.hangs_up(if callee_hangs_up { &to_ann } else { &caller });
        s.expect_rest();
        assert!(s.asked(WHISPER).is_empty());
        assert_eq!(s.rows()[1].answered_by, None);
    }
}
