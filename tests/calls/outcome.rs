//! How a `<Dial>` ended, as its action is told.

use std::time::Duration;

use sim::{Answer, NUMBER, Reaction, Scenario, UaState, param};
use twiml::{RecordingSource, RecordingStatus};

use crate::{ACTION, office, told};

fn dialling(attributes: &str, nouns: &str) -> Scenario {
    office(&format!("<Dial action=\"/action\" {attributes}>{nouns}</Dial><Say>never</Say>"))
}

#[test]
fn final_responses_become_a_dial_call_status() {
    let cases = [
        (Reaction::Refuse(486), "busy"),
        (Reaction::Refuse(600), "busy"),
        (Reaction::Refuse(603), "busy"),
        (Reaction::Refuse(480), "no-answer"),
        (Reaction::Refuse(404), "failed"),
        (Reaction::Refuse(488), "failed"),
        (Reaction::Refuse(503), "failed"),
        (Reaction::Ignore, "no-answer"),
    ];
    for (reaction, status) in cases {
        let mut s = dialling("timeout=\"5\"", "<Client>ann</Client>");
        let ann = s.phone("ann");
        s.will(ann, reaction);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(7_000);
        assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some(status), "{reaction:?}");
        assert_eq!(told(&mut s, ACTION, "DialBridged").as_deref(), Some("false"), "{reaction:?}");
        assert_eq!(told(&mut s, ACTION, "DialCallDuration").as_deref(), Some("0"), "{reaction:?}");
        assert!(s.heard_clip(&caller, "done"), "{reaction:?}");
        assert!(!s.heard_clip(&caller, "never"));
        s.expect_rest();
    }
}

#[test]
fn of_several_the_one_that_says_most_is_told() {
    for (ann_does, bob_does, status) in [
        (Reaction::Refuse(404), Reaction::Refuse(486), "busy"),
        (Reaction::Refuse(486), Reaction::Ignore, "busy"),
        (Reaction::Refuse(404), Reaction::Ignore, "no-answer"),
        (Reaction::Refuse(404), Reaction::Refuse(503), "failed"),
    ] {
        let mut s = dialling("timeout=\"5\"", "<Client>ann</Client><Client>bob</Client>");
        let (ann, bob) = (s.phone("ann"), s.phone("bob"));
        s.will(ann, ann_does);
        s.will(bob, bob_does);
        s.carrier_calls(NUMBER);
        s.pass_ms(8_000);
        assert_eq!(
            told(&mut s, ACTION, "DialCallStatus").as_deref(),
            Some(status),
            "{ann_does:?} {bob_does:?}"
        );
        s.expect_rest();
    }
}

#[test]
fn nobody_to_ring_is_failed() {
    for (nouns, codes) in [
        ("<Client>ann</Client>", &[32009][..]),
        ("<Client>nobody</Client>", &[32009]),
        ("<Number>+4412345</Number>", &[13224]),
    ] {
        let mut s = dialling("", nouns);
        let carrier = s.carrier();
        s.will(carrier, Reaction::Refuse(404));
        s.carrier_calls(NUMBER);
        s.pass_ms(3_000);
        assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("failed"), "{nouns}");
        assert_eq!(s.notifications(), codes, "{nouns}");
        s.expect_rest();
    }
}

#[test]
fn a_talk_is_completed_with_its_length() {
    let mut s = dialling("", "<Client>ann</Client>");
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    let to_ann = s.latest(ann).expect("it rings");
    assert!(s.bridged(&caller, &to_ann));
    s.pass_ms(29_600);
    s.hangs_up(&to_ann);
    s.pass_ms(500);
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("completed"));
    assert_eq!(told(&mut s, ACTION, "DialCallDuration").as_deref(), Some("30"));
    assert_eq!(told(&mut s, ACTION, "DialBridged").as_deref(), Some("true"));
    let child = s.rows().into_iter().find(|row| row.parent.is_some()).expect("a child call");
    assert_eq!(told(&mut s, ACTION, "DialCallSid"), Some(child.sid.to_string()));
    s.expect_rest();
}

#[test]
fn a_sip_noun_tells_what_sip_said() {
    let mut s = dialling("", "<Sip>sip:ann@192.0.2.1</Sip>");
    let ann = s.phone("ann");
    s.will(ann, Reaction::Refuse(486));
    s.carrier_calls(NUMBER);
    s.pass_ms(1_500);
    let to_ann = s.latest(ann).expect("it rang");
    let invite = s.call(&to_ann).invite.expect("it got an INVITE");
    let call_id = invite.headers.text(&sip::HeaderName::CallId).map(|id| id.into_owned());
    assert_eq!(told(&mut s, ACTION, "DialSipCallId"), call_id);
    assert_eq!(told(&mut s, ACTION, "DialSipResponseCode").as_deref(), Some("486"));
    s.expect_rest();
}

#[test]
fn the_action_is_requested_when_the_caller_hangs_up_too() {
    for (reaction, status, bridged) in [
        (Reaction::Ignore, "no-answer", "false"),
        (Reaction::Answer(Duration::from_millis(500)), "completed", "true"),
    ] {
        let mut s = dialling("", "<Client>ann</Client>");
        let ann = s.phone("ann");
        s.will(ann, reaction);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(3_000);
        let to_ann = s.latest(ann).expect("it rings");
        s.hangs_up(&caller);
        s.pass_ms(1_000);
        assert!(matches!(s.state(&to_ann), UaState::Over(_)), "{reaction:?}: {:?}", s.state(&to_ann));
        assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some(status), "{reaction:?}");
        assert_eq!(told(&mut s, ACTION, "DialBridged").as_deref(), Some(bridged), "{reaction:?}");
        assert_eq!(told(&mut s, ACTION, "CallStatus").as_deref(), Some("completed"), "{reaction:?}");
        s.expect_rest();
    }
}

#[test]
fn the_action_hears_how_long_the_callee_was_called_whoever_hangs_up() {
    for callee_hangs_up in [true, false] {
        let mut s = dialling("", "<Client url=\"/whisper\">ann</Client>");
        s.web().serve("http://web.example/whisper", Answer::twiml("<Pause length=\"3\"/>"));
        let ann = s.phone("ann");
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(8_700);
        let to_ann = s.latest(ann).expect("it rings");
        assert!(s.bridged(&caller, &to_ann));
        s.hangs_up(if callee_hangs_up { &to_ann } else { &caller });
        s.pass_ms(1_000);
        let child = s.rows().into_iter().find(|row| row.parent.is_some()).expect("the callee is a call");
        let told = told(&mut s, ACTION, "DialCallDuration");
        assert_eq!(told, child.duration_s.map(|s| s.to_string()), "{callee_hangs_up}");
        assert!(child.duration_s >= Some(8), "from its answer, whisper included: {child:?}");
    }
}

#[test]
fn the_time_limit_ends_the_talk_and_the_caller_goes_on() {
    let mut s = dialling("timeLimit=\"10\"", "<Client>ann</Client>");
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(10_000);
    let to_ann = s.latest(ann).expect("it rings");
    assert!(s.bridged(&caller, &to_ann));
    s.pass_ms(1_500);
    assert_eq!(s.state(&to_ann), UaState::Over(200));
    assert_eq!(told(&mut s, ACTION, "DialCallDuration").as_deref(), Some("10"));
    assert!(s.heard_clip(&caller, "done"));
    s.expect_rest();
}

#[test]
fn a_star_ends_the_talk_only_when_it_may() {
    for (attributes, ended) in [("hangupOnStar=\"true\"", true), ("", false)] {
        let mut s = dialling(attributes, "<Client>ann</Client>");
        let ann = s.phone("ann");
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(2_000);
        let to_ann = s.latest(ann).expect("it rings");
        s.presses(&caller, "5#");
        assert!(s.bridged(&caller, &to_ann));
        s.presses(&caller, "*");
        s.pass_ms(500);
        assert_eq!(s.state(&to_ann) == UaState::Over(200), ended, "{attributes}");
        assert_eq!(s.asked(ACTION).len(), usize::from(ended), "{attributes}");
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn a_recorded_talk_is_in_the_action() {
    let mut s = dialling("record=\"record-from-answer\"", "<Client>ann</Client>");
    let ann = s.phone("ann");
    s.will(ann, Reaction::Answer(Duration::from_secs(3)));
    s.carrier_calls(NUMBER);
    s.pass_ms(2_900);
    assert!(s.recordings().is_empty(), "ringing is not recorded");
    s.pass_ms(5_200);
    let to_ann = s.latest(ann).expect("it rings");
    s.hangs_up(&to_ann);
    s.pass_ms(1_000);
    let row = s.recordings().remove(0);
    assert_eq!((row.status, row.source), (RecordingStatus::Completed, RecordingSource::DialVerb));
    assert_eq!(told(&mut s, ACTION, "RecordingSid"), Some(row.sid.to_string()));
    assert_eq!(told(&mut s, ACTION, "RecordingDuration").as_deref(), Some("5"));
    s.expect_rest();
}

#[test]
fn a_talk_is_recorded_in_as_many_channels_and_voices_as_asked() {
    for (attributes, channels, track) in [
        ("record=\"record-from-answer\"", 1, "both"),
        ("record=\"record-from-answer-dual\"", 2, "both"),
        ("record=\"record-from-ringing-dual\"", 2, "both"),
        ("record=\"record-from-answer-dual\" recordingTrack=\"inbound\"", 1, "inbound"),
        ("record=\"record-from-answer\" recordingTrack=\"outbound\"", 1, "outbound"),
    ] {
        let mut s = dialling(attributes, "<Client>ann</Client>");
        let ann = s.phone("ann");
        s.will(ann, Reaction::Answer(Duration::from_secs(1)));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(4_000);
        s.hangs_up(&caller);
        s.pass_ms(1_000);
        let row = s.recordings().remove(0);
        assert_eq!((row.channels, row.track.as_str()), (channels, track), "{attributes}");
        s.expect_rest();
    }
}

#[test]
fn a_talk_is_recorded_from_the_answer_when_the_caller_was_not_answered_before() {
    for record in ["record-from-ringing", "record-from-ringing-dual", "record-from-answer", "true"] {
        let mut s = dialling(&format!("answerOnBridge=\"true\" record=\"{record}\""), "<Client>ann</Client>");
        let ann = s.phone("ann");
        s.will(ann, Reaction::Answer(Duration::from_secs(3)));
        s.carrier_calls(NUMBER);
        s.pass_ms(8_000);
        let to_ann = s.latest(ann).expect("it rings");
        s.hangs_up(&to_ann);
        s.pass_ms(1_000);
        assert_eq!(s.recordings().len(), 1, "{record}");
        assert_eq!(told(&mut s, ACTION, "RecordingDuration").as_deref(), Some("5"), "{record}");
        s.expect_rest();
    }
}

#[test]
fn what_becomes_of_the_recording_is_told_as_asked() {
    for (events, expected) in [
        ("", &["completed"][..]),
        ("recordingStatusCallbackEvent=\"in-progress completed\"", &["in-progress", "completed"]),
        ("recordingStatusCallbackEvent=\"in-progress\"", &["in-progress"]),
        ("recordingStatusCallbackEvent=\"absent\"", &[]),
    ] {
        let attributes =
            format!("record=\"record-from-answer-dual\" recordingStatusCallback=\"/events\" {events}");
        let mut s = dialling(&attributes, "<Client>ann</Client>");
        let ann = s.phone("ann");
        s.carrier_calls(NUMBER);
        s.pass_ms(5_000);
        let to_ann = s.latest(ann).expect("it rings");
        s.hangs_up(&to_ann);
        s.pass_ms(2_000);
        let parent =
            s.rows().into_iter().find(|row| row.parent.is_none()).expect("the caller").sid.to_string();
        let told = s.asked(crate::EVENTS);
        let statuses: Vec<_> = told.iter().filter_map(|asked| param(asked, "RecordingStatus")).collect();
        assert_eq!(statuses, expected, "{events}");
        for asked in &told {
            assert_eq!(param(asked, "CallSid"), Some(parent.as_str()), "of the caller's leg");
            assert_eq!(param(asked, "RecordingSource"), Some("DialVerb"));
            assert_eq!(param(asked, "RecordingChannels"), Some("2"));
        }
        s.expect_rest();
    }
}

#[test]
fn a_callee_that_was_faster_than_our_cancel_is_let_go() {
    let mut s = dialling("", "<Client>ann</Client><Client>bob</Client>");
    let (ann, bob) = (s.phone("ann"), s.phone("bob"));
    for phone in [ann, bob] {
        s.will(phone, Reaction::Answer(Duration::from_secs(1)));
    }
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    let calls = [s.latest(ann).expect("ann rang"), s.latest(bob).expect("bob rang")];
    let bridged = calls.iter().filter(|call| s.bridged(&caller, call)).count();
    assert_eq!(bridged, 1);
    let up = calls.iter().filter(|call| s.state(call) == UaState::Up).count();
    assert_eq!(up, 1, "the other one was hung up");
    s.hangs_up(&caller);
    s.pass_ms(500);
    assert_eq!(param(&s.asked(ACTION)[0], "DialCallStatus"), Some("completed"));
    s.expect_rest();
}
