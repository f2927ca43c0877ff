//! `<Start><Transcription>`: what is said is told while it is said.

use sim::{Answer, NUMBER, Scenario, param};

use crate::office;

const TOLD: &str = "http://web.example/told";

fn transcribing(attributes: &str, then: &str) -> Scenario {
    let mut s = office(&format!(
        "<Start><Transcription statusCallbackUrl=\"/told\" {attributes}/></Start><Pause length=\"10\"/>{then}"
    ));
    s.web().serve(TOLD, Answer::page(204, None, ""));
    s
}

/// Event, sequence and words of everything told.
fn told(s: &mut Scenario) -> Vec<(String, String, String)> {
    let get = |request: &call::FetchRequest, name| param(request, name).unwrap_or_default().to_owned();
    s.asked(TOLD)
        .iter()
        .map(|request| {
            let event = get(request, "TranscriptionEvent").replace("transcription-", "");
            (event, get(request, "SequenceId"), get(request, "TranscriptionData"))
        })
        .collect()
}

fn expected(events: &[(&str, &str)]) -> Vec<(String, String, String)> {
    let numbered = events.iter().enumerate();
    numbered.map(|(n, (event, data))| ((*event).into(), (n + 1).to_string(), (*data).into())).collect()
}

const HELLO: &str = r#"{"transcript":"hello there","confidence":0.75}"#;

#[test]
fn sentences_are_told_in_order_until_the_call_is_over() {
    let mut s = transcribing("track=\"inbound_track\"", "");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    s.says(&caller, "hello there", 1_000);
    s.pass_ms(3_000);
    s.says(&caller, "hello there", 1_000);
    s.pass_ms(3_000);
    s.hangs_up(&caller);
    s.expect_rest();
    let events = [("started", ""), ("content", HELLO), ("content", HELLO), ("stopped", "")];
    assert_eq!(told(&mut s), expected(&events));
    let content = s.asked(TOLD).remove(1);
    for (name, value) in [("Track", "inbound_track"), ("LanguageCode", "en-US"), ("Final", "true")] {
        assert_eq!(param(&content, name), Some(value), "{name}");
    }
}

#[test]
fn partial_results_are_told_when_they_are_wanted() {
    let mut s = transcribing("track=\"inbound_track\" partialResults=\"true\"", "");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    s.says(&caller, "hello there", 1_000);
    s.pass_ms(3_000);
    let partial = s.asked(TOLD).remove(1);
    assert_eq!(param(&partial, "TranscriptionData"), Some(r#"{"transcript":"hello"}"#));
    assert_eq!((param(&partial, "Final"), param(&partial, "Stability")), (Some("false"), Some("0.9")));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn stop_ends_it_by_its_name() {
    let mut s = transcribing("name=\"t\"", "<Stop><Transcription name=\"t\"/></Stop><Pause length=\"5\"/>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    assert_eq!(s.world.listening.len(), 2, "both tracks");
    s.pass_ms(11_000);
    assert!(s.world.listening.is_empty());
    s.says(&caller, "hello there", 500);
    s.pass_ms(20_000);
    assert_eq!(told(&mut s), expected(&[("started", ""), ("stopped", "")]));
    s.expect_rest();
}

#[test]
fn without_a_recogniser_that_is_told_and_the_call_goes_on() {
    let mut s = transcribing("track=\"inbound_track\"", "<Say>still here</Say>");
    s.world.recogniser = false;
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(12_000);
    assert_eq!(told(&mut s), expected(&[("started", ""), ("error", "")]));
    assert_eq!(param(&s.asked(TOLD)[1], "TranscriptionErrorCode"), Some("99001"));
    assert!(s.heard_clip(&caller, "still here"));
    s.expect_rest();
}
