//! `<Dial><Conference>`: who waits, who hears whom, who is told, and how it ends.

use call::{
    ConferenceRef, Hold, Music, Operator, OperatorReply, ParticipantOrder, ParticipantRef, ParticipantUpdate,
};
use sim::{Answer, Caller, Heard, NUMBER, Scenario, UaState, VOICE, param};
use std::time::Duration;

use crate::{ACTION, EVENTS, office};

const EVENTS_WANTED: &str =
    "statusCallback=\"/events\" statusCallbackEvent=\"start end join leave mute hold\"";
const WAIT: &str = "http://web.example/wait";

/// Somebody calls and gets into the conference `desk` like this.
fn joins(s: &mut Scenario, dial: &str, conference: &str) -> Caller {
    let verbs = format!("<Dial {dial}><Conference {conference}>desk</Conference></Dial><Say>next</Say>");
    s.web().answer_next(VOICE, Answer::twiml(&verbs));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(500);
    caller
}

fn meeting() -> Scenario {
    office("")
}

/// The sid of the call that began as the nth, from 0.
fn sid(s: &Scenario, nth: usize) -> base::CallSid {
    s.rows()[nth].sid
}

/// What the conference's callback was told: event and reason.
fn told(s: &mut Scenario) -> Vec<String> {
    let asked = s.asked(EVENTS);
    let numbers: Vec<u32> = asked.iter().filter_map(|a| param(a, "SequenceNumber")?.parse().ok()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    let line = |request| {
        let reason = param(request, "ReasonParticipantLeft").or(param(request, "ReasonConferenceEnded"));
        let event = param(request, "StatusCallbackEvent").unwrap_or_default();
        format!("{event} {}", reason.unwrap_or_default()).trim_end().to_owned()
    };
    asked.iter().map(line).collect()
}

fn all_hear_each_other(s: &mut Scenario, all: &[&Caller]) -> bool {
    all.iter().all(|one| all.iter().all(|other| one == other || s.hears(one, other)))
}

#[test]
fn whom_a_conference_begins_with_says_who_is_told() {
    let mut s = meeting();
    let ann = joins(&mut s, "", "");
    let bob = joins(&mut s, "", EVENTS_WANTED);
    assert_eq!(s.conferences(), [2]);
    s.hangs_up(&ann);
    s.hangs_up(&bob);
    s.pass_ms(1_000);
    assert_eq!(told(&mut s), [""; 0], "what others name does not count");
    s.expect_rest();
}

#[test]
fn three_wait_for_a_moderator_who_begins_and_ends_it() {
    let mut s = meeting();
    let guest = format!("startConferenceOnEnter=\"false\" {EVENTS_WANTED}");
    let ann = joins(&mut s, "action=\"/action\"", &guest);
    let bob = joins(&mut s, "", "startConferenceOnEnter=\"false\" statusCallback=\"/ignored\"");
    s.pass_ms(5_000);
    for guest in [&ann, &bob] {
        assert!(s.heard_clip(guest, "hold-music"));
        assert!(!s.heard(guest).contains(&Heard::Silence), "the music goes on");
    }
    assert!(!s.hears(&ann, &bob));
    let moderator = joins(&mut s, "", "endConferenceOnExit=\"true\"");
    assert!(all_hear_each_other(&mut s, &[&ann, &bob, &moderator]));
    assert_eq!(s.conferences(), [3]);
    s.hangs_up(&moderator);
    s.pass_ms(500);
    assert!(s.conferences().is_empty());
    assert!(s.heard_clip(&bob, "next"), "the document goes on");
    let asked = s.asked(ACTION);
    assert_eq!(asked.len(), 1);
    assert_eq!(param(&asked[0], "DialCallStatus"), Some("answered"));
    assert_eq!(param(&asked[0], "DialBridged"), Some("true"));
    assert_eq!((param(&asked[0], "DialCallSid"), param(&asked[0], "DialCallDuration")), (None, None));
    assert!(s.heard_clip(&ann, "done"));
    let events = [
        "participant-join",
        "participant-join",
        "participant-join",
        "conference-start",
        "participant-leave participant_hung_up",
        "participant-leave moderator_ended_conference",
        "participant-leave moderator_ended_conference",
        "conference-end participant-with-end-conference-on-exit-left",
    ];
    assert_eq!(told(&mut s), events);
    let end = s.asked(EVENTS).pop().expect("the end is told");
    assert_eq!(param(&end, "CallSidEndingConference"), Some(sid(&s, 2).to_string().as_str()));
    assert_eq!(param(&end, "FriendlyName"), Some("desk"));
    s.expect_rest();
}

#[test]
fn one_alone_hears_music_and_two_talk() {
    let mut s = meeting();
    let ann = joins(&mut s, "", "");
    assert!(s.heard_clip(&ann, "hold-music"));
    let bob = joins(&mut s, "", "");
    assert!(all_hear_each_other(&mut s, &[&ann, &bob]));
    assert!(!s.heard_clip(&bob, "hold-music"));
    s.hangs_up(&ann);
    s.pass_ms(500);
    assert_eq!((s.state(&bob), s.conferences()), (UaState::Up, vec![1]), "the conference goes on");
    s.hangs_up(&bob);
    s.expect_rest();
}

#[test]
fn a_muted_one_hears_and_a_coach_is_heard_by_one_alone() {
    let mut s = meeting();
    let agent = joins(&mut s, "", "");
    let customer = joins(&mut s, "", "");
    let listener = joins(&mut s, "", "muted=\"true\"");
    let coached = format!("coach=\"{}\"", sid(&s, 0));
    let coach = joins(&mut s, "", &coached);
    for (who, speaker, hears) in [
        (&listener, &agent, true),
        (&agent, &listener, false),
        (&agent, &coach, true),
        (&customer, &coach, false),
        (&coach, &customer, true),
        (&customer, &agent, true),
    ] {
        assert_eq!(s.hears(who, speaker), hears);
    }
    for caller in [&coach, &listener, &customer, &agent] {
        s.hangs_up(caller);
    }
    s.expect_rest();
}

#[test]
fn who_is_not_let_in_goes_on() {
    let nobody = "coach=\"CA00000000000000000000000000000001\"";
    for (first, refused, code, status) in [
        ("maxParticipants=\"2\"", "", 16020, Some("failed")),
        ("", nobody, 13240, Some("failed")),
        ("participantLabel=\"a\"", "participantLabel=\"a\"", 16025, None),
    ] {
        let mut s = meeting();
        let ann = joins(&mut s, "", first);
        let bob = joins(&mut s, "", "");
        let other = joins(&mut s, "action=\"/action\"", refused);
        assert!(s.notifications().contains(&code), "{:?}", s.notifications());
        let asked = s.asked(ACTION);
        assert_eq!(asked.first().and_then(|request| param(request, "DialCallStatus")), status);
        assert_eq!(asked.first().and_then(|request| param(request, "DialBridged")), status.map(|_| "false"));
        assert!(s.heard_clip(&other, if status.is_some() { "done" } else { "next" }));
        assert!(all_hear_each_other(&mut s, &[&ann, &bob]));
        s.hangs_up(&ann);
        s.hangs_up(&bob);
        s.expect_rest();
    }
}

#[test]
fn a_member_whose_sound_is_lost_is_out() {
    let mut s = meeting();
    let ann = joins(&mut s, "", EVENTS_WANTED);
    let bob = joins(&mut s, "", "");
    let carl = joins(&mut s, "", "");
    s.world.lose_media(bob.ua, bob.session);
    s.pass_ms(500);
    assert_eq!(s.conferences(), [2]);
    assert!(all_hear_each_other(&mut s, &[&ann, &carl]));
    assert_eq!(told(&mut s).last().map(String::as_str), Some("participant-leave participant_hung_up"));
    s.hangs_up(&ann);
    s.hangs_up(&carl);
    s.pass_ms(500);
    assert_eq!(told(&mut s).last().map(String::as_str), Some("conference-end last-participant-left"));
    s.expect_rest();
}

#[test]
fn star_leaves_when_it_may_and_takes_the_others_along() {
    for (star, leaves) in [("hangupOnStar=\"true\"", true), ("", false)] {
        let mut s = meeting();
        let ann = joins(&mut s, star, "endConferenceOnExit=\"true\"");
        let bob = joins(&mut s, "", "");
        s.presses(&ann, "1*");
        s.pass_ms(500);
        for caller in [&ann, &bob] {
            assert_eq!(s.heard_clip(caller, "next"), leaves);
        }
        assert_eq!(s.conferences().len(), usize::from(!leaves));
        assert_eq!(s.state(&ann), UaState::Up, "nobody is hung up");
        s.hangs_up(&ann);
        s.hangs_up(&bob);
        s.expect_rest();
    }
}

#[test]
fn a_time_limit_ends_the_part_of_one() {
    let mut s = meeting();
    let ann = joins(&mut s, "timeLimit=\"3\"", "");
    let bob = joins(&mut s, "", "");
    s.pass_ms(3_500);
    assert!(s.heard_clip(&ann, "next"));
    assert!(!s.heard_clip(&bob, "next"));
    s.hangs_up(&bob);
    s.expect_rest();
}

#[test]
fn beeps_say_who_comes_and_goes() {
    for (beep, on_enter, on_exit) in [("true", 1, 1), ("onEnter", 1, 0), ("onExit", 0, 1), ("false", 0, 0)] {
        let mut s = meeting();
        let ann = joins(&mut s, "", "beep=\"false\"");
        let bob = joins(&mut s, "", "beep=\"false\"");
        let carl = joins(&mut s, "", &format!("beep=\"{beep}\""));
        let beeps = |s: &mut Scenario| s.heard(&ann).iter().filter(|h| **h == Heard::Beep).count();
        assert_eq!(beeps(&mut s), on_enter, "{beep}");
        s.hangs_up(&carl);
        s.pass_ms(500);
        assert_eq!(beeps(&mut s), on_enter + on_exit, "{beep}");
        s.hangs_up(&ann);
        s.hangs_up(&bob);
        s.expect_rest();
    }
}

#[test]
fn those_who_wait_hear_what_the_application_says() {
    let mut s = meeting();
    s.web()
        .serve(WAIT, Answer::twiml("<Say>soon</Say><Pause length=\"1\"/><Play>/tune.wav</Play><Redirect/>"));
    let ann = joins(&mut s, "", "waitUrl=\"/wait\" waitMethod=\"GET\"");
    s.pass_ms(12_000);
    let asked = s.asked(WAIT);
    assert!((2..5).contains(&asked.len()), "{} requests", asked.len());
    assert_eq!((asked[0].method, asked[1].method), (twiml::HttpMethod::Get, twiml::HttpMethod::Post));
    assert!(s.heard_clip(&ann, "soon") && s.heard_clip(&ann, "tune.wav"));
    assert!(!s.heard_clip(&ann, "hold-music"));
    let bob = joins(&mut s, "", "waitUrl=\"\"");
    assert!(all_hear_each_other(&mut s, &[&ann, &bob]));
    let before = s.heard(&ann).len();
    s.pass_ms(10_000);
    assert_eq!(s.heard(&ann).len(), before, "the wait document is over");
    s.hangs_up(&ann);
    s.hangs_up(&bob);
    s.expect_rest();
}

#[test]
fn silence_and_sound_files_are_waited_with_too() {
    for (url, hears) in [("", None), ("/wait", Some("wait"))] {
        let mut s = meeting();
        s.web().serve(WAIT, Answer::page(200, Some("audio/mpeg"), "sound"));
        let ann = joins(&mut s, "", &format!("waitUrl=\"{url}\""));
        s.pass_ms(5_000);
        let clips: Vec<_> = s.heard(&ann).into_iter().filter(|h| matches!(h, Heard::Clip(_))).collect();
        assert_eq!(clips.len(), usize::from(hears.is_some()), "{clips:?}");
        assert!(hears.is_none_or(|part| s.heard_clip(&ann, part)));
        assert_eq!(s.state(&ann), UaState::Up);
        s.hangs_up(&ann);
        s.expect_rest();
    }
}

#[test]
fn without_its_wait_document_nobody_gets_in() {
    for answer in [
        Answer::page(500, None, ""),
        Answer::failure(11200).after(Duration::from_secs(2)),
        Answer::twiml("<Gather/>"),
    ] {
        let mut s = meeting();
        s.web().serve(WAIT, answer);
        let ann = joins(&mut s, "action=\"/action\"", &format!("waitUrl=\"/wait\" {EVENTS_WANTED}"));
        s.pass_ms(4_000);
        assert!(s.heard_clip(&ann, "done"));
        assert_eq!(param(&s.asked(ACTION)[0], "DialCallStatus"), Some("failed"));
        assert_eq!(
            told(&mut s),
            [
                "participant-join",
                "participant-leave participant_add_failed",
                "conference-end last-participant-left"
            ]
        );
        s.expect_rest();
    }
}

#[test]
fn an_operator_mutes_holds_removes_and_ends() {
    let mut s = meeting();
    let ann = joins(&mut s, "", EVENTS_WANTED);
    let bob = joins(&mut s, "", "");
    let carl = joins(&mut s, "", "");
    let anns = sid(&s, 0);
    let conference = *s.world.node.conferences().keys().next().expect("three are in it");
    let order = |s: &mut Scenario, order| {
        let (conference, who) = (ConferenceRef::Sid(conference), ParticipantRef::Call(anns));
        let reply = s.operator(Operator::Participant { conference, who, order });
        s.pass_ms(200);
        reply
    };
    let plain = ParticipantUpdate::default;
    let change = |s: &mut Scenario, update| match order(s, ParticipantOrder::Update(Box::new(update))) {
        OperatorReply::Participant(one) => (one.facts.muted, one.facts.hold),
        other => panic!("{other:?}"),
    };
    assert_eq!(change(&mut s, ParticipantUpdate { muted: Some(true), ..plain() }), (true, false));
    assert!(!s.hears(&bob, &ann) && s.hears(&ann, &bob));
    change(&mut s, ParticipantUpdate { muted: Some(false), ..plain() });
    assert!(s.hears(&bob, &ann));
    let hold = Some(Hold::On(Music::default()));
    assert_eq!(change(&mut s, ParticipantUpdate { hold, ..plain() }), (false, true));
    assert!(!s.hears(&bob, &ann) && !s.hears(&ann, &bob));
    assert!(matches!(s.heard(&ann).last(), Some(Heard::Clip(key)) if key.contains("hold-music")));
    change(&mut s, ParticipantUpdate { hold: Some(Hold::Off), ..plain() });
    assert!(s.hears(&bob, &ann) && s.hears(&ann, &bob));
    assert!(matches!(order(&mut s, ParticipantOrder::Remove), OperatorReply::Participant(_)));
    assert!(s.heard_clip(&ann, "next"));
    assert_eq!(order(&mut s, ParticipantOrder::Look), OperatorReply::NotInConference);
    let which = ConferenceRef::Name("desk".to_owned());
    let OperatorReply::Conference(row) = s.operator(Operator::EndConference(which.clone())) else {
        panic!("it has a row")
    };
    assert_eq!((row.sid, row.status.as_str()), (conference, "completed"));
    s.pass_ms(200);
    assert!(s.heard_clip(&bob, "next") && s.heard_clip(&carl, "next"));
    assert_eq!(s.operator(Operator::EndConference(which)), OperatorReply::NoSuchConference);
    let events = told(&mut s);
    let expected = [
        "participant-mute",
        "participant-unmute",
        "participant-hold",
        "participant-unhold",
        "participant-leave participant_updated_via_api",
        "participant-leave conference_ended_via_api",
        "participant-leave conference_ended_via_api",
        "conference-end conference-ended-via-api",
    ];
    assert_eq!(events[events.len() - 8..], expected);
    s.expect_rest();
}

#[test]
fn a_recorded_dial_records_its_part() {
    let mut s = meeting();
    let ann = joins(&mut s, "record=\"record-from-answer\" action=\"/action\" hangupOnStar=\"true\"", "");
    let bob = joins(&mut s, "", "");
    s.pass_ms(3_000);
    s.presses(&ann, "*");
    s.pass_ms(500);
    let recordings = s.recordings();
    assert_eq!(recordings.len(), 1);
    assert_eq!(param(&s.asked(ACTION)[0], "RecordingSid"), Some(recordings[0].sid.to_string().as_str()));
    s.hangs_up(&bob);
    s.expect_rest();
}

#[test]
fn a_callback_that_fails_is_on_record() {
    let mut s = meeting();
    s.web().serve(EVENTS, Answer::failure(11200));
    let ann = joins(&mut s, "", EVENTS_WANTED);
    s.pass_ms(1_000);
    assert!(s.notifications().contains(&16011), "{:?}", s.notifications());
    s.hangs_up(&ann);
    s.expect_rest();
}

#[test]
fn two_conferences_do_not_hear_each_other() {
    let mut s = meeting();
    let ann = joins(&mut s, "", "");
    let bob = joins(&mut s, "", "");
    let other = "<Dial><Conference>other desk</Conference></Dial>";
    let mut others = Vec::new();
    for _ in 0..2 {
        s.web().answer_next(VOICE, Answer::twiml(other));
        others.push(s.carrier_calls(NUMBER));
        s.pass_ms(500);
    }
    assert_eq!(s.conferences(), [2, 2]);
    assert!(all_hear_each_other(&mut s, &[&ann, &bob]));
    assert!(all_hear_each_other(&mut s, &[&others[0], &others[1]]));
    assert!(!s.hears(&ann, &others[0]) && !s.hears(&others[1], &bob));
    for caller in [&ann, &bob, &others[0], &others[1]] {
        s.hangs_up(caller);
    }
    s.expect_rest();
}

#[test]
fn who_speaks_is_told_to_those_who_ask_for_it() {
    let mut s = meeting();
    let wanted = format!("statusCallback=\"{EVENTS}\" statusCallbackEvent=\"speaker\"");
    let ann = joins(&mut s, "", &wanted);
    let bob = joins(&mut s, "", "");
    for (who, began) in [(&ann, true), (&bob, true), (&ann, false)] {
        s.world.speaks(who.ua, who.session, began);
        s.pass_ms(100);
    }
    let ids = [sid(&s, 0), sid(&s, 1), sid(&s, 0)].map(|sid| sid.to_string());
    let asked = s.asked(EVENTS);
    let spoke: Vec<_> =
        asked.iter().map(|a| (param(a, "StatusCallbackEvent"), param(a, "CallSid"))).collect();
    let events = ["participant-speech-start", "participant-speech-start", "participant-speech-stop"];
    for (n, told) in spoke.iter().enumerate() {
        assert_eq!(*told, (Some(events[n]), Some(ids[n].as_str())));
    }
    assert_eq!(spoke.len(), 3);
    s.hangs_up(&ann);
    s.hangs_up(&bob);
    s.pass_ms(500);
    s.world.speaks(bob.ua, bob.session, true);
    s.pass_ms(500);
    assert_eq!(s.asked(EVENTS).len(), 3, "nobody speaks who is gone");
    s.expect_rest();
}

#[test]
fn a_conference_is_recorded_from_its_beginning_to_its_end() {
    let mut s = meeting();
    let wanted = "record=\"record-from-start\" recordingStatusCallback=\"/events\" \
        recordingStatusCallbackEvent=\"in-progress completed\"";
    let ann = joins(&mut s, "", wanted);
    s.pass_ms(5_000);
    assert!(s.recordings().is_empty(), "hold music is not recorded");
    let bob = joins(&mut s, "", wanted);
    s.pass_ms(3_000);
    s.hangs_up(&ann);
    s.pass_ms(2_000);
    let carl = joins(&mut s, "", wanted);
    assert_eq!(s.recordings().len(), 1, "it goes on, also without who asked for it");
    assert_eq!(s.recordings()[0].duration_ms, None);
    s.hangs_up(&bob);
    s.hangs_up(&carl);
    s.pass_ms(1_000);
    let recordings = s.recordings();
    let [row] = recordings.as_slice() else { panic!("{recordings:?}") };
    assert_eq!((row.channels, row.source.as_str(), row.status.as_str()), (1, "Conference", "completed"));
    assert!((5_500..7_000).contains(&row.duration_ms.unwrap()), "{:?}", row.duration_ms);
    let conference = row.conference.expect("it is a conference's").to_string();
    let asked = s.asked(EVENTS);
    let statuses: Vec<_> = asked.iter().map(|request| param(request, "RecordingStatus")).collect();
    assert_eq!(statuses, [Some("in-progress"), Some("completed")]);
    for request in &asked {
        assert_eq!(param(request, "ConferenceSid"), Some(conference.as_str()));
        assert_eq!(
            (param(request, "CallSid"), param(request, "RecordingSource")),
            (None, Some("Conference"))
        );
    }
    s.expect_rest();
}
