//! `<Start><Transcription>`: what is said is told while it is said.

use media::RecordWhat;
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

/// Two directions of one leg, each with its own label; one of the same name takes the place of the other.
#[test]
fn it_listens_as_it_was_asked_until_one_of_its_name_begins() {
    let noun = "<Transcription name=\"t\" statusCallbackUrl=\"/told\"/>";
    let then = format!("<Start>{noun}</Start><Pause length=\"5\"/>");
    let mut s = transcribing(
        "name=\"t\" languageCode=\"de-DE\" hints=\"Tandem, queue,\" profanityFilter=\"false\" \
         inboundTrackLabel=\"caller\" outboundTrackLabel=\"desk\"",
        &then,
    );
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    let listening: Vec<_> = s.world.listening.values().cloned().collect();
    for listen in &listening {
        assert_eq!(
            (listen.language.as_str(), &listen.hints[..]),
            ("de-DE", &["Tandem".to_owned(), "queue".into()][..])
        );
        assert!(!listen.profanity_filter && listen.goes_on);
    }
    let mut tracks: Vec<_> = listening.iter().map(|listen| s.world.media.taps[&listen.tap].1).collect();
    tracks.sort_by_key(|what| *what != RecordWhat::Received);
    assert_eq!(tracks, [RecordWhat::Received, RecordWhat::Sent]);
    s.says(&caller, "hello there", 1_000);
    s.pass_ms(3_000);
    let labels: Vec<_> = s
        .asked(TOLD)
        .iter()
        .filter_map(|told| Some((param(told, "Track")?.to_owned(), param(told, "TrackLabel")?.to_owned())))
        .collect();
    assert!(labels.contains(&("inbound_track".into(), "caller".into())), "{labels:?}");
    assert!(!labels.contains(&("inbound_track".into(), "desk".into())), "{labels:?}");
    s.pass_ms(8_000);
    assert_eq!(s.world.listening.len(), 2, "the first one has ended");
    let events: Vec<String> = told(&mut s).into_iter().map(|(event, _, _)| event).collect();
    assert_eq!(events.iter().filter(|event| *event == "stopped").count(), 1, "{events:?}");
    assert!(s.world.listening.values().all(|listen| listen.language == "en-US" && listen.profanity_filter));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_track_alone_is_that_of_its_name() {
    for (track, what) in [("inbound_track", RecordWhat::Received), ("outbound_track", RecordWhat::Sent)] {
        let mut s = transcribing(&format!("track=\"{track}\""), "");
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_000);
        let tracks: Vec<_> = s.world.media.taps.values().map(|(_, what)| *what).collect();
        assert_eq!(tracks, [what], "{track}");
        assert_eq!(param(&s.asked(TOLD)[0], "Track"), Some(track));
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn too_many_of_one_call_are_told_and_the_call_goes_on() {
    let verbs = "<Start><Transcription/></Start>".repeat(5);
    let mut s = office(&format!("{verbs}<Say>still here</Say><Pause length=\"5\"/>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    assert_eq!((s.world.listening.len(), s.notifications()), (8, vec![12400]), "four, with two tracks each");
    assert!(s.heard_clip(&caller, "still here"));
    s.hangs_up(&caller);
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
