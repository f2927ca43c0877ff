//! What goes wrong is kept with the request it came of, counted, and told (reference: webhooks §8).

use call::{Operator, OperatorReply};
use sim::{Answer, FALLBACK, Faults, NUMBER, Scenario, VOICE, param};
use twiml::{HttpMethod, Level};

use crate::EVENTS;

const DEBUGGER: &str = "http://watch.example/debugger";

fn watched() -> Scenario {
    let mut office = sim::office(&[]);
    office.debugger_url = Some(DEBUGGER.to_owned());
    let mut s = Scenario::with(office, 1, Faults::NONE);
    s.web().serve(DEBUGGER, Answer::page(204, None, ""));
    s.web().serve(EVENTS, Answer::page(204, None, ""));
    s
}

#[test]
fn a_warning_has_its_place_its_document_and_what_was_asked_and_answered() {
    let mut s = watched();
    let text = "<Response>\n  <Say volume=\"11\">heard</Say>\n</Response>";
    s.web().serve(VOICE, Answer::page(200, Some("text/xml"), text));
    s.carrier_calls(NUMBER);
    s.pass_ms(5_000);
    let rows = s.findings();
    assert_eq!(rows.len(), 1, "{rows:?}");
    let row = &rows[0];
    assert_eq!((row.code, row.level, row.line, row.column), (12200, Level::Warning, Some(2), Some(8)));
    assert_eq!((row.url.as_deref(), row.method), (Some(VOICE), Some(HttpMethod::Post)));
    assert!(row.request_variables.as_deref().unwrap().contains("&CallStatus=ringing&"), "{row:?}");
    assert_eq!((row.response_status, row.response_body.as_deref()), (Some(200), Some(text)));
    let told = s.asked(DEBUGGER);
    assert_eq!(told.len(), 1);
    assert_eq!(param(&told[0], "Level"), Some("Warning"));
    assert_eq!(param(&told[0], "Sid"), Some(row.sid.to_string().as_str()));
    let payload = param(&told[0], "Payload").unwrap();
    for part in
        ["\"error_code\":\"12200\"", "\"line\":\"2\"", "\"status_code\":200", "\"CallStatus\":\"ringing\""]
    {
        assert!(payload.contains(part), "{part} in {payload}");
    }
    s.expect_rest();
}

/// What shows only when a verb is carried out is told with its place, too.
#[test]
fn errors_of_a_running_verb_have_their_place_in_the_document() {
    for (text, fault, code, place) in [
        ("<Response>\n <Play>/bad.wav</Play><Say>on</Say></Response>", 11200, 11200, (2, 2)),
        ("<Response>\n <Play>/bad.wav</Play></Response>", 13420, 13420, (2, 2)),
        ("<Response><Gather>\n <Play>/bad.wav</Play></Gather></Response>", 13420, 13325, (1, 11)),
        ("<Response><Say>a</Say>\n\n<Redirect>http://[</Redirect></Response>", 11200, 11100, (3, 1)),
        (
            "<Response><Say>a</Say>\n<Record\n  maxLength='2' action='http://['/></Response>",
            11200,
            11100,
            (3, 17),
        ),
        ("<Response><Say>a</Say><Play>http://[</Play></Response>", 11200, 11100, (1, 23)),
    ] {
        let mut s = watched();
        s.world.sounds_broken = vec!["bad".to_owned()];
        s.world.sound_fault = fault;
        s.web().serve(VOICE, Answer::page(200, Some("text/xml"), text));
        s.web().serve(FALLBACK, Answer::twiml("<Hangup/>"));
        s.carrier_calls(NUMBER);
        s.pass_ms(9_000);
        let rows = s.findings();
        let row = &rows[0];
        assert_eq!((rows.len(), row.code), (1, code), "{text}: {rows:?}");
        assert_eq!((row.line, row.column), (Some(place.0), Some(place.1)), "{text}");
        // A document that was to come next and has no URL is told by what was written instead.
        let leads_nowhere = text.contains("Redirect") || text.contains("Record");
        let (url, body) = if leads_nowhere { ("http://[", None) } else { (VOICE, Some(text)) };
        assert_eq!((row.url.as_deref(), row.response_body.as_deref()), (Some(url), body), "{text}");
        s.expect_rest();
    }
}

#[test]
fn a_failed_fetch_has_its_request_and_its_answer_or_none() {
    let mut s = watched();
    s.web().serve(VOICE, Answer::page(500, Some("text/plain"), "oops"));
    s.web().serve(FALLBACK, Answer::failure(11205));
    s.carrier_calls(NUMBER);
    s.pass_ms(10_000);
    let rows = s.findings();
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.code, row.url.as_deref(), row.response_status, row.response_body.as_deref()))
        .collect();
    assert_eq!(seen, [(11200, Some(VOICE), Some(500), Some("oops")), (11205, Some(FALLBACK), None, None)]);
    assert!(rows[1].request_variables.as_deref().unwrap().contains("ErrorCode=11200"));
    let levels: Vec<_> =
        s.asked(DEBUGGER).iter().map(|told| param(told, "Level").map(str::to_owned)).collect();
    assert_eq!(levels, [Some("Error".to_owned()), Some("Error".to_owned())]);
    let OperatorReply::Status(status) = s.operator(Operator::Status) else {
        panic!("another question was answered")
    };
    assert_eq!(status.notifications, [(11200, 1), (11205, 1)]);
    s.expect_rest();
}

#[test]
fn a_debugger_that_is_down_is_only_counted() {
    let mut s = watched();
    s.web().serve(DEBUGGER, Answer::failure(11202));
    s.web().serve(VOICE, Answer::twiml("<Sya/><Say>heard</Say>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(5_000);
    assert!(s.heard_clip(&caller, "heard"));
    assert_eq!(s.notifications(), [12200]);
    assert_eq!(s.asked(DEBUGGER).len(), 1);
    s.expect_rest();
}
