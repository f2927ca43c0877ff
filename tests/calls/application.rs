//! `<Dial><Application>`: another application of the office takes a call over until its document ends.

use base::ApplicationSid;
use call::office::{Application, DocumentRef};
use call::{CallDocument, CallUpdate, ConferenceRef, Fate, NewCall, NewParticipant, Operator, OperatorReply};
use sim::{Answer, Heard, NUMBER, Scenario, UaState, VOICE, param};
use sim::{Faults, office as plain_office};
use twiml::{CallStatus, Dialect, HttpMethod, Source, StatusCallback};

use crate::{ACTION, EVENTS, told};

const DESK: &str = "http://web.example/desk";
const DESK_FALLBACK: &str = "http://web.example/desk-fallback";

/// An office with the application AP…1, whose document is `desk`; its number answers with `verbs`.
fn office(verbs: &str, desk: &str) -> Scenario {
    let mut office = plain_office(&[("ann", "101")]);
    let url = |url: &str| DocumentRef { url: url.to_owned(), method: HttpMethod::Post };
    let application = Application {
        voice: Source::Url { url: DESK.to_owned(), method: HttpMethod::Post },
        fallback: Some(url(DESK_FALLBACK)),
        status_callback: Some(StatusCallback {
            url: EVENTS.to_owned(),
            method: HttpMethod::Post,
            events: vec![twiml::ProgressEvent::Completed],
        }),
        dialect: Dialect::Twiml,
        record: false,
        record_dual: false,
    };
    office.applications.insert(ApplicationSid(1).to_string(), application);
    let mut s = Scenario::with(office, 1, Faults::NONE);
    s.web().serve(VOICE, Answer::twiml(verbs));
    s.web().serve(DESK, Answer::twiml(desk));
    s.web().serve(ACTION, Answer::twiml("<Say>done</Say><Pause length=\"600\"/>"));
    s.web().serve(EVENTS, Answer::page(204, None, ""));
    s
}

fn dial(noun: &str) -> String {
    dial_with("", noun)
}

fn dial_with(attributes: &str, noun: &str) -> String {
    format!("<Dial action=\"/action\" {attributes}><Application {noun}</Application></Dial>")
}

#[test]
fn the_application_has_the_call_until_its_document_ends() {
    let sid = ApplicationSid(1);
    let noun = format!("customerId=\"c7\">{sid}<Parameter name=\"ticket\" value=\"42\"/>");
    // Beside a Parameter the sid is an element of its own.
    let noun = noun.replace(&sid.to_string(), &format!("<ApplicationSid>{sid}</ApplicationSid>"));
    for desk in ["<Say>desk here</Say><Redirect>/desk2</Redirect>", "<Say>desk here</Say><Hangup/>"] {
        let mut s = office(&dial(&noun), desk);
        s.web().serve("http://web.example/desk2", Answer::twiml("<Pause length=\"1\"/>"));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(5_000);
        assert!(s.heard_clip(&caller, "desk here") && s.heard_clip(&caller, "done"), "{desk}");
        let rows = s.rows();
        assert_eq!(rows.len(), 2);
        let (parent, child) = (&rows[0], &rows[1]);
        assert_eq!((child.parent, child.status), (Some(parent.sid), CallStatus::Completed));
        assert_eq!(child.to, sid.to_string());
        let (parent, child) = (parent.sid.to_string(), child.sid.to_string());
        for (name, value) in [
            ("CallSid", child.as_str()),
            ("ParentCallSid", &parent),
            ("Direction", "inbound"),
            ("To", &sid.to_string()),
            ("Param_ticket", "42"),
            ("CustomerId", "c7"),
        ] {
            assert_eq!(told(&mut s, DESK, name).as_deref(), Some(value), "{name}");
        }
        for (name, value) in [
            ("CallSid", parent.as_str()),
            ("DialCallSid", &child),
            ("DialCallStatus", "completed"),
            ("DialBridged", "true"),
        ] {
            assert_eq!(told(&mut s, ACTION, name).as_deref(), Some(value), "{name}");
        }
        assert_eq!(told(&mut s, EVENTS, "CallSid"), Some(child));
        assert_eq!(s.state(&caller), UaState::Up);
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn a_noun_may_say_who_is_told_of_its_application() {
    let sid = ApplicationSid(1);
    let mut s = office(&dial(&format!("statusCallback=\"/own\">{sid}")), "<Say>desk here</Say>");
    s.web().serve("http://web.example/own", Answer::page(204, None, ""));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    assert_eq!(told(&mut s, "http://web.example/own", "CallStatus").as_deref(), Some("completed"));
    assert!(s.asked(EVENTS).is_empty(), "instead of whom the application names");
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn what_goes_wrong_is_the_applications_affair() {
    let sid = ApplicationSid(1);
    for (noun, status, code, heard) in [
        (format!(">{sid}"), "failed", 12100, ""),
        (format!(">{}", ApplicationSid(9)), "failed", 21218, ""),
        (format!("copyParentTo=\"true\">{sid}"), "completed", 12100, "rescued"),
    ] {
        let mut s = office(&dial(&noun), "");
        s.web().serve(DESK, Answer::page(200, Some("text/xml"), "<Response>"));
        if !heard.is_empty() {
            s.web().serve(DESK_FALLBACK, Answer::twiml("<Say>rescued</Say>"));
        }
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(4_000);
        assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some(status), "{noun}");
        assert!(s.notifications().contains(&code), "{noun}: {:?}", s.notifications());
        assert_eq!(s.heard_clip(&caller, "rescued"), !heard.is_empty());
        assert!(s.heard_clip(&caller, "done"), "the caller goes on");
        if !heard.is_empty() {
            assert_eq!(told(&mut s, DESK, "To").as_deref(), Some(NUMBER));
        }
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn an_application_that_dials_itself_is_stopped() {
    let itself = dial(&format!(">{}", ApplicationSid(1)));
    let mut s = office(&itself, &itself);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(5_000);
    assert!(s.notifications().contains(&21218));
    assert_eq!(s.rows().len(), 5, "four of them, and the caller");
    s.hangs_up(&caller);
    s.expect_rest();
    assert!(s.rows().iter().all(|row| row.status.is_final()));
}

#[test]
fn a_caller_who_hangs_up_ends_both_and_the_action_is_asked() {
    let mut s = office(&dial(&format!(">{}", ApplicationSid(1))), "<Say>desk</Say><Pause length=\"60\"/>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    s.hangs_up(&caller);
    s.pass_ms(1_000);
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("completed"));
    assert!(s.rows().iter().all(|row| row.status == CallStatus::Completed));
    assert_eq!(s.asked(EVENTS).len(), 1);
    s.expect_rest();
}

#[test]
fn an_update_takes_the_call_out_of_the_application() {
    let mut s = office(&dial(&format!(">{}", ApplicationSid(1))), "<Say>desk</Say><Pause length=\"60\"/>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    let inline =
        Source::Inline("<Response><Say>elsewhere</Say><Pause length=\"600\"/></Response>".to_owned());
    let update = Box::new(CallUpdate { fate: Some(Fate::Redirect(inline)), ..CallUpdate::default() });
    let call = s.rows()[0].sid;
    s.operator(Operator::UpdateCall { call, update });
    s.pass_ms(1_000);
    assert!(s.heard_clip(&caller, "elsewhere") && s.asked(ACTION).is_empty());
    assert_eq!(s.rows()[1].status, CallStatus::Completed);
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_call_is_made_for_an_application() {
    let mut s = office("", "<Say>desk calling</Say><Pause length=\"60\"/>");
    let ann = s.phone("ann");
    let new = |sid: ApplicationSid| NewCall {
        timeout_s: 20,
        ..NewCall::new("101", NUMBER, CallDocument::Of(sid.to_string()))
    };
    let reply = s.operator(Operator::Originate(Box::new(new(ApplicationSid(9)))));
    assert!(matches!(reply, OperatorReply::NotPlaced(why) if why.code == 21218));
    s.operator(Operator::Originate(Box::new(new(ApplicationSid(1)))));
    s.pass_ms(2_000);
    let call = s.latest(ann).expect("it rings");
    assert!(s.heard_clip(&call, "desk calling"));
    s.hangs_up(&call);
    s.pass_ms(500);
    let asked = s.asked(EVENTS);
    assert_eq!((asked.len(), param(&asked[0], "CallStatus")), (1, Some("completed")));
    s.expect_rest();

    s.web().serve(DESK, Answer::page(500, None, ""));
    s.web().serve(DESK_FALLBACK, Answer::twiml("<Say>the other desk</Say><Pause length=\"60\"/>"));
    s.operator(Operator::Originate(Box::new(new(ApplicationSid(1)))));
    s.pass_ms(3_000);
    let call = s.latest(ann).expect("it rings");
    assert!(s.heard_clip(&call, "the other desk"), "the application's fallback is the call's");
    s.hangs_up(&call);
    s.pass_ms(500);
    s.expect_rest();
}

#[test]
fn the_time_limit_of_the_dial_ends_the_application_and_what_it_dialled() {
    for desk in ["<Say>desk</Say><Pause length=\"60\"/>", "<Dial><Client>ann</Client></Dial>"] {
        let limited = dial_with("timeLimit=\"5\"", &format!(">{}", ApplicationSid(1)));
        let mut s = office(&limited, desk);
        let ann = s.phone("ann");
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(4_500);
        assert!(s.asked(ACTION).is_empty(), "{desk}");
        s.pass_ms(2_000);
        assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("completed"), "{desk}");
        assert_eq!(told(&mut s, ACTION, "DialCallDuration").as_deref(), Some("5"));
        assert!(s.heard_clip(&caller, "done"));
        if let Some(callee) = s.latest(ann) {
            assert_eq!(s.state(&callee), UaState::Over(200), "whom it dialled is let go");
        }
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn the_recording_of_the_dial_lasts_as_long_as_the_application() {
    let recorded = dial_with("record=\"record-from-answer\"", &format!(">{}", ApplicationSid(1)));
    let mut s = office(&recorded, "<Say>desk</Say>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(4_000);
    let rows = s.recordings();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].status, twiml::RecordingStatus::Completed);
    assert!((1_900..2_400).contains(&rows[0].duration_ms.unwrap()), "{:?}", rows[0].duration_ms);
    assert_eq!(told(&mut s, ACTION, "RecordingSid"), Some(rows[0].sid.to_string()));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn the_application_is_changed_by_its_own_sid() {
    let inline = |text: &str| Fate::Redirect(Source::Inline(format!("<Response>{text}</Response>")));
    for (fate, heard, action) in [
        (inline("<Say>elsewhere</Say>"), "elsewhere", true),
        (inline("<Say>elsewhere</Say><Pause length=\"60\"/>"), "elsewhere", false),
        (Fate::Complete, "done", true),
    ] {
        let mut s =
            office(&dial(&format!(">{}", ApplicationSid(1))), "<Say>desk</Say><Pause length=\"60\"/>");
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(3_000);
        let call = s.rows()[1].sid;
        let update = Box::new(CallUpdate { fate: Some(fate), ..CallUpdate::default() });
        let reply = s.operator(Operator::UpdateCall { call, update: update.clone() });
        assert!(matches!(reply, OperatorReply::Call(row) if row.sid == call));
        s.pass_ms(3_000);
        assert!(s.heard_clip(&caller, heard));
        assert_eq!(s.asked(ACTION).len(), usize::from(action));
        assert_eq!(s.state(&caller), UaState::Up, "the caller's own call goes on");
        let gone = s.operator(Operator::UpdateCall { call, update });
        assert_eq!(matches!(gone, OperatorReply::NoSuchCall(_)), action);
        s.pass_ms(1_000);
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn what_the_application_records_is_told_when_the_caller_hangs_up() {
    let mut s = office(&dial(&format!(">{}", ApplicationSid(1))), "<Record action=\"/recorded\"/>");
    s.web().serve("http://web.example/recorded", Answer::twiml("<Say>never</Say>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    s.hangs_up(&caller);
    s.pass_ms(1_000);
    let (caller_sid, desk_sid) = (s.rows()[0].sid.to_string(), s.rows()[1].sid.to_string());
    let recorded = "http://web.example/recorded";
    assert_eq!(told(&mut s, recorded, "Digits").as_deref(), Some("hangup"));
    assert_eq!(told(&mut s, recorded, "CallSid"), Some(desk_sid), "in the application's own name");
    assert!(told(&mut s, recorded, "RecordingDuration").unwrap().parse::<u32>().unwrap() >= 2);
    assert_eq!(told(&mut s, ACTION, "CallSid"), Some(caller_sid));
    s.expect_rest();
}

/// Somebody is in the conference `room`, and this is called to come.
fn calls_into_the_room(s: &mut Scenario, to: &str) -> OperatorReply {
    let xml = "<Response><Dial><Conference beep=\"false\">room</Conference></Dial></Response>";
    let document = twiml::parse(xml, Dialect::Twiml).expect("it is a document");
    let [twiml::Verb::Dial(dial)] = document.verbs.as_slice() else { panic!("{xml}") };
    let new = NewParticipant {
        call: NewCall::new(to, "+15550001111", CallDocument::Given(Source::Inline(String::new()))),
        conference: dial.conference().cloned().expect("it dials one"),
        early_media: true,
        region: None,
    };
    s.operator(Operator::AddParticipant {
        conference: ConferenceRef::Name("room".to_owned()),
        new: Box::new(new),
    })
}

/// Its own leg speaks into the room and hears it; what it does with it is its documents' affair.
#[test]
fn an_application_takes_part_in_a_conference() {
    let sid = ApplicationSid(1);
    let desk = "<Say>good day all</Say><Pause length=\"20\"/><Record maxLength=\"30\" action=\"/over\"/>";
    let mut s = office("<Dial><Conference beep=\"false\">room</Conference></Dial>", desk);
    s.web().serve("http://web.example/over", Answer::twiml("<Hangup/>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    let reply = calls_into_the_room(&mut s, &format!("app:{sid}?lang=de&place=3%20west"));
    let OperatorReply::Participant(one) = reply else { panic!("{reply:?}") };
    s.pass_ms(5_000);
    assert_eq!(s.conferences(), [2]);
    for (name, value) in [
        ("To", format!("app:{sid}")),
        ("From", "+15550001111".to_owned()),
        ("Direction", "inbound".to_owned()),
        ("Param_lang", "de".to_owned()),
        ("Param_place", "3 west".to_owned()),
    ] {
        assert_eq!(told(&mut s, DESK, name), Some(value), "{name}");
    }
    let says = |heard: &Heard| matches!(heard, Heard::Clip(key) if key.contains("good day all"));
    let to: Vec<_> =
        s.world.media.heard.iter().filter(|(.., heard)| says(heard)).map(|(to, ..)| *to).collect();
    assert_eq!((to.len(), to[0].ip()), (1, sim::BOX.ip()), "it is said to the leg in the room");
    assert_eq!(s.recordings(), [], "not yet");
    s.pass_ms(20_000);
    // What it records is what its leg hears: the room.
    s.hangs_up(&caller);
    s.pass_ms(40_000);
    assert_eq!(s.recordings().len(), 1);
    let rows = s.rows();
    let statuses: Vec<_> = rows.iter().map(|row| (row.to.clone(), row.status)).collect();
    assert_eq!(rows.len(), 3, "{statuses:?}");
    assert!(rows.iter().all(|row| row.status == CallStatus::Completed), "{statuses:?}");
    assert!(rows.iter().any(|row| row.sid == one.facts.call_sid));
    assert_eq!(s.conferences(), [0_usize; 0]);
    s.expect_rest();
}

/// When its document ends its leg hangs up, and it has left; one that is taken out hangs up on its document.
#[test]
fn an_application_leaves_a_conference_or_is_removed_from_it() {
    let sid = ApplicationSid(1);
    for desk in ["<Say>bye</Say>", "<Say>hello</Say><Pause length=\"600\"/>"] {
        let mut s = office("<Dial><Conference beep=\"false\">room</Conference></Dial>", desk);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(2_000);
        let OperatorReply::Participant(one) = calls_into_the_room(&mut s, &format!("app:{sid}")) else {
            panic!("it is called")
        };
        s.pass_ms(1_500);
        assert_eq!(s.conferences(), [2], "{desk}");
        if desk.contains("600") {
            s.operator(Operator::Hangup(one.facts.call_sid));
        }
        s.pass_ms(20_000);
        assert_eq!(s.conferences(), [1], "{desk}");
        let statuses: Vec<_> = s.rows().iter().map(|row| (row.to.clone(), row.status)).collect();
        let ended = statuses.iter().filter(|(_, status)| *status == CallStatus::Completed).count();
        assert_eq!(ended, 2, "{desk}: {statuses:?}");
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

/// As from anywhere else: the number's document answers on a leg of its own.
#[test]
fn a_number_of_the_office_is_called() {
    let mut s = crate::office("<Say>the office</Say><Pause length=\"60\"/>");
    s.web().serve(DESK, Answer::twiml("<Say>it is me</Say><Pause length=\"60\"/>"));
    let document = Source::Url { url: DESK.to_owned(), method: HttpMethod::Post };
    let to = NUMBER.replace("+1555", "+1 555 ");
    let new =
        NewCall { checks_from: true, ..NewCall::new(to.as_str(), NUMBER, CallDocument::Given(document)) };
    let OperatorReply::Call(made) = s.operator(Operator::Originate(Box::new(new))) else {
        panic!("not placed")
    };
    s.pass_ms(3_000);
    for (url, name, value) in [
        (VOICE, "Direction", "inbound"),
        (VOICE, "To", NUMBER),
        (VOICE, "From", NUMBER),
        (DESK, "Direction", "outbound-api"),
        (DESK, "To", &to),
    ] {
        assert_eq!(told(&mut s, url, name).as_deref(), Some(value), "{url} {name}");
    }
    let rows = s.rows();
    let numbers: Vec<_> = rows.iter().map(|row| (row.status, row.number.as_deref())).collect();
    assert_eq!(numbers, [(CallStatus::InProgress, Some(NUMBER)); 2]);
    s.operator(Operator::Hangup(made.sid));
    s.pass_ms(2_000);
    assert!(s.rows().iter().all(|row| row.status == CallStatus::Completed));
    s.expect_rest();
}

#[test]
fn an_application_that_is_not_here_is_not_called() {
    let mut s = office("", "");
    let nobody = format!("app:{}", ApplicationSid(9));
    for to in [nobody.as_str(), "app:", "app:ann"] {
        let reply = calls_into_the_room(&mut s, to);
        assert!(matches!(&reply, OperatorReply::NotPlaced(why) if why.code == 21218), "{to}: {reply:?}");
    }
    // A name that nobody made up leads nowhere, whoever says it.
    let carrier = s.carrier_calls(&"0".repeat(32));
    s.pass_ms(1_000);
    assert_eq!(s.state(&carrier), UaState::Over(404));
    assert!(s.asked(DESK).is_empty());
}
