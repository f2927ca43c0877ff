//! `<Record>`, and recordings of whole calls.

use std::time::Duration;

use call::record::TranscriptionStatus;
use sim::{Answer, Faults, NUMBER, STATUS, Scenario, UaState, VOICE, param};
use twiml::{RecordingSource, RecordingStatus};

use crate::{ACTION, EVENTS, office, told};

fn recording(attributes: &str) -> Scenario {
    office(&format!("<Record {attributes} action=\"/action\"/><Say>never</Say>"))
}

fn expect_action(s: &mut Scenario, digits: &str, duration: &str) {
    assert_eq!(told(s, ACTION, "Digits").as_deref(), Some(digits));
    assert_eq!(told(s, ACTION, "RecordingDuration").as_deref(), Some(duration));
    let sid = told(s, ACTION, "RecordingSid").expect("it has a sid");
    let url = told(s, ACTION, "RecordingUrl").expect("it has a URL");
    assert!(sid.starts_with("RE") && url.ends_with(&format!("/Recordings/{sid}")), "{url}");
    let rows = s.recordings();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].status, rows[0].source), (RecordingStatus::Completed, RecordingSource::RecordVerb));
}

#[test]
fn a_key_ends_it() {
    for (attributes, keys, digits) in [("", "#", "#"), ("", "5", "5"), ("finishOnKey=\"*\"", "12*", "*")] {
        let mut s = recording(attributes);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(4_030);
        s.presses(&caller, keys);
        s.pass_ms(500);
        expect_action(&mut s, digits, "4");
        assert!(s.heard_clip(&caller, "done"));
        s.pass_ms(3_000);
        assert_eq!(s.state(&caller), UaState::Over(200));
        s.expect_rest();
    }
}

#[test]
fn its_greatest_length_ends_it() {
    let mut s = recording("maxLength=\"7\"");
    s.carrier_calls(NUMBER);
    s.pass_ms(8_000);
    expect_action(&mut s, "", "7");
    s.expect_rest();
}

#[test]
fn silence_ends_it() {
    let mut s = recording("timeout=\"3\"");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(5_030);
    s.world.fall_silent(caller.ua, caller.session);
    s.pass_ms(4_000);
    expect_action(&mut s, "", "8");
    s.expect_rest();
}

#[test]
fn a_hang_up_ends_it_and_its_action_is_still_requested() {
    let mut s = recording("");
    s.web().serve(ACTION, Answer::twiml("<Dial><Client>ann</Client></Dial>"));
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(6_030);
    s.hangs_up(&caller);
    s.pass_ms(2_000);
    expect_action(&mut s, "hangup", "6");
    assert_eq!(told(&mut s, ACTION, "CallStatus").as_deref(), Some("completed"));
    assert!(s.latest(ann).is_none(), "nothing is executed any more");
    s.expect_rest();
}

#[test]
fn its_status_is_told() {
    let mut s = recording(
        "maxLength=\"5\" recordingStatusCallback=\"/events\" recordingStatusCallbackEvent=\"in-progress completed\"",
    );
    s.carrier_calls(NUMBER);
    s.pass_ms(8_000);
    let asked = s.asked(EVENTS);
    let status: Vec<_> = asked.iter().map(|asked| param(asked, "RecordingStatus")).collect();
    assert_eq!(status, [Some("in-progress"), Some("completed")]);
    for (name, value) in [
        ("RecordingSource", Some("RecordVerb")),
        ("RecordingTrack", Some("inbound")),
        ("RecordingChannels", Some("1")),
        ("RecordingDuration", Some("5")),
    ] {
        assert_eq!(param(&asked[1], name), value, "{name}");
    }
    assert_eq!(param(&asked[0], "RecordingDuration"), None);
    assert!(param(&asked[1], "RecordingStartTime").is_some());
    s.expect_rest();
}

#[test]
fn a_number_can_have_its_calls_recorded_whole() {
    let mut office = sim::office(&[]);
    office.numbers.get_mut(NUMBER).expect("there is one").application.record = true;
    let mut s = Scenario::with(office, 1, Faults::NONE);
    s.web().serve(VOICE, Answer::twiml("<Say>hello</Say><Say>there</Say>"));
    s.carrier_calls(NUMBER);
    s.pass_ms(10_000);
    let row = s.recordings().remove(0);
    assert_eq!((row.status, row.track.as_str()), (RecordingStatus::Completed, "both"));
    assert!((4_000..4_500).contains(&row.duration_ms.expect("its length is known")), "{row:?}");
    assert_eq!(s.asked(STATUS).len(), 1);
    s.expect_rest();
}

const TRANSCRIBED: &str = "http://web.example/transcribed";

fn transcribing() -> Scenario {
    let mut s = recording("transcribe=\"true\" transcribeCallback=\"/transcribed\"");
    s.web().serve(TRANSCRIBED, Answer::page(204, None, ""));
    s
}

#[test]
fn a_transcription_is_written_down_and_told() {
    for hangs_up in [false, true] {
        let mut s = transcribing();
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(5_030);
        if hangs_up {
            s.hangs_up(&caller);
        } else {
            s.presses(&caller, "#");
        }
        s.pass_ms(1_000);
        assert_eq!(s.asked(ACTION).len(), 1, "the action does not wait for it");
        assert_eq!(s.transcriptions()[0].status, TranscriptionStatus::InProgress);
        s.pass_ms(60_000);
        let row = s.transcriptions().remove(0);
        assert_eq!((row.status, row.text.as_deref()), (TranscriptionStatus::Completed, Some("call me back")));
        assert_eq!((row.duration_s, row.recording), (5, s.recordings()[0].sid));
        let request = s.asked(TRANSCRIBED).remove(0);
        for (name, value) in [
            ("TranscriptionStatus", "completed"),
            ("TranscriptionText", "call me back"),
            ("TranscriptionSid", row.sid.to_string().as_str()),
            ("RecordingSid", row.recording.to_string().as_str()),
            ("CallSid", row.call.to_string().as_str()),
            ("CallStatus", if hangs_up { "completed" } else { "in-progress" }),
        ] {
            assert_eq!(param(&request, name), Some(value), "{name}");
        }
        s.expect_rest();
    }
}

#[test]
fn a_transcription_that_cannot_be_is_told_as_failed() {
    for (after_ms, recogniser, code) in [(1_530, true, 13_617), (5_030, false, 99_001)] {
        let mut s = transcribing();
        s.world.recogniser = recogniser;
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(after_ms);
        s.presses(&caller, "#");
        s.pass_ms(5_000);
        assert_eq!(s.notifications(), [code]);
        assert_eq!(s.transcriptions()[0].status, TranscriptionStatus::Failed);
        assert_eq!(told(&mut s, TRANSCRIBED, "TranscriptionStatus").as_deref(), Some("failed"));
        assert_eq!(told(&mut s, TRANSCRIBED, "TranscriptionText").as_deref(), Some(""));
        s.expect_rest();
    }
}

/// Only the recording is over: the verb's action is asked, and whoever waits for the file hears that there is none.
#[test]
fn a_full_disk_ends_the_recording_and_the_call_goes_on() {
    for events in ["", "in-progress completed", "absent"] {
        let events = match events {
            "" => String::new(),
            words => format!("recordingStatusCallbackEvent=\"{words}\""),
        };
        let mut s = recording(&format!("recordingStatusCallback=\"/events\" {events}"));
        s.world.media.disk_full_after = Some(Duration::from_secs(3));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(5_000);
        assert!(s.heard_clip(&caller, "done"), "the action's document runs");
        assert_eq!(told(&mut s, ACTION, "RecordingDuration").as_deref(), Some("3"));
        let rows = s.recordings();
        assert_eq!((rows[0].status, rows[0].error_code), (RecordingStatus::Failed, Some(12400)));
        assert_eq!(s.notifications(), [12400]);
        let asked = s.asked(EVENTS);
        let last = asked.last().expect("it is told");
        assert_eq!(
            (param(last, "RecordingStatus"), param(last, "ErrorCode")),
            (Some("failed"), Some("12400")),
            "{events}"
        );
        s.expect_rest();
    }
    let mut s =
        office("<Start><Recording recordingStatusCallback=\"/events\"/></Start><Say loop=\"5\">on</Say>");
    s.world.media.disk_full_after = Some(Duration::from_secs(3));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(5_000);
    assert_eq!(s.state(&caller), UaState::Up, "the call goes on");
    assert_eq!(told(&mut s, EVENTS, "RecordingStatus").as_deref(), Some("failed"));
    s.hangs_up(&caller);
    s.expect_rest();
}
