//! A call is changed from outside while it lives: whatever it is doing ends at once, and the new document runs.

use std::time::Duration;

use base::CallSid;
use call::office::DocumentRef;
use call::{CallUpdate, Fate, Operator, OperatorReply};
use sim::{Answer, Caller, Heard, NUMBER, Reaction, Scenario, UaState, param};
use twiml::{CallStatus, HttpMethod, Source};

use crate::{ACTION, EVENTS, office, told};

const NEW: &str = "http://web.example/new";

/// The sid of the call that began as the nth, from 0.
fn sid(s: &Scenario, nth: usize) -> CallSid {
    s.rows()[nth].sid
}

fn update(s: &mut Scenario, call: CallSid, fate: Fate) -> OperatorReply {
    let update = Box::new(CallUpdate { fate: Some(fate), ..CallUpdate::default() });
    s.operator(Operator::UpdateCall { call, update })
}

/// The same for the call that began as the nth.
fn update_nth(s: &mut Scenario, nth: usize, fate: Fate) {
    let call = sid(s, nth);
    assert!(matches!(update(s, call, fate), OperatorReply::Call(row) if row.sid == call));
}

fn to_new() -> Fate {
    Fate::Redirect(Source::Url { url: NEW.to_owned(), method: HttpMethod::Post })
}

fn to_twiml(verbs: &str) -> Fate {
    Fate::Redirect(Source::Inline(format!("<Response>{verbs}</Response>")))
}

/// An office whose number answers with these verbs, and whose new document says where it is.
fn with(verbs: &str) -> Scenario {
    let mut s = office(verbs);
    s.web().serve(NEW, Answer::twiml("<Say>elsewhere</Say><Pause length=\"600\"/>"));
    s
}

#[test]
fn whatever_runs_is_interrupted_at_once_and_without_its_action() {
    for verbs in [
        "<Say>long and longer</Say>",
        "<Play loop=\"0\">http://web.example/a.wav</Play>",
        "<Play digits=\"1wwwwwwwwwww2\"/>",
        "<Pause length=\"60\"/>",
        "<Gather action=\"/action\"><Say>press</Say></Gather>",
        "<Gather action=\"/action\" timeout=\"60\"/>",
        "<Record action=\"/action\"/>",
        "<Dial action=\"/action\"><Client>ann</Client></Dial>",
        "<Dial action=\"/action\"><Conference>desk</Conference></Dial>",
        "<Connect action=\"/action\"><Stream url=\"wss://app.example/\"/></Connect>",
        "<Echo/>",
        "<Redirect>/slow</Redirect>",
        "<Redirect>/nowhere</Redirect>",
    ] {
        let mut s = with(&format!("{verbs}<Say>after</Say>"));
        s.web().serve("http://web.example/slow", Answer::twiml("").after(Duration::from_secs(10)));
        let ann = s.phone("ann");
        s.will(ann, Reaction::Ignore);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(400);
        update_nth(&mut s, 0, to_new());
        s.pass_ms(300);
        assert!(s.heard_clip(&caller, "elsewhere"), "{verbs}: {:?}", s.heard(&caller));
        s.presses(&caller, "1#");
        s.pass_ms(20_000);
        assert!(s.asked(ACTION).is_empty() && !s.heard_clip(&caller, "after"), "{verbs}");
        assert_eq!(s.state(&caller), UaState::Up, "{verbs}");
        assert!(s.conferences().is_empty());
        if let Some(rung) = s.latest(ann) {
            assert_eq!(s.state(&rung), UaState::Over(487), "{verbs}: its callee is let go");
        }
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn a_request_under_way_is_aborted() {
    let mut s = with("<Redirect>/slow</Redirect>");
    let slow = Answer::twiml("<Say>late</Say>").after(Duration::from_secs(5));
    s.web().serve("http://web.example/slow", slow);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(400);
    let asked = s.asked("http://web.example/slow")[0].id;
    update_nth(&mut s, 0, to_new());
    assert_eq!(s.web().aborted, [asked]);
    s.pass_ms(10_000);
    assert!(s.heard_clip(&caller, "elsewhere") && !s.heard_clip(&caller, "late"));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn the_end_of_a_call_aborts_its_request_too() {
    let mut s = with("<Pause length=\"1\"/><Say>x</Say><Redirect>/slow</Redirect>");
    s.web().serve("http://web.example/slow", Answer::twiml("").after(Duration::from_secs(60)));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(8_000);
    let asked = s.asked("http://web.example/slow")[0].id;
    s.hangs_up(&caller);
    s.pass_ms(100);
    assert_eq!(s.web().aborted, [asked]);
    s.expect_rest();
}

#[test]
fn a_document_given_with_the_update_runs_and_ends_the_call() {
    let mut s = with("<Pause length=\"60\"/>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(400);
    update_nth(&mut s, 0, to_twiml("<Say>goodbye</Say>"));
    s.pass_ms(200);
    assert!(s.heard_clip(&caller, "goodbye"));
    s.pass_ms(10_000);
    assert_eq!(s.state(&caller), UaState::Over(200));
    s.expect_rest();
}

#[test]
fn a_caller_that_still_rings_hears_the_new_document_alone() {
    let mut s = with("<Pause length=\"60\"/><Say>after</Say>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(400);
    assert_eq!(s.state(&caller), UaState::Calling, "a pause does not answer");
    update_nth(&mut s, 0, to_new());
    s.pass_ms(500);
    assert!(s.heard_clip(&caller, "elsewhere"));
    s.hangs_up(&caller);
    s.expect_rest();
}

/// A caller talks to ann, whom it dialled like this.
fn talking(dial: &str, client: &str) -> (Scenario, Caller, Caller) {
    let mut s = with(&format!("<Dial {dial}><Client {client}>ann</Client></Dial><Say>after</Say>"));
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    let callee = s.latest(ann).expect("it rings");
    (s, caller, callee)
}

#[test]
fn sending_the_caller_elsewhere_hangs_its_callee_up() {
    let (mut s, caller, callee) = talking("action=\"/action\"", "");
    assert!(s.bridged(&caller, &callee));
    update_nth(&mut s, 0, to_new());
    s.pass_ms(300);
    assert_eq!(s.state(&callee), UaState::Over(200));
    assert!(s.heard_clip(&caller, "elsewhere"));
    assert!(s.asked(ACTION).is_empty());
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_callee_sent_elsewhere_ends_the_dial_as_completed_without_a_duration() {
    let (mut s, caller, callee) = talking("action=\"/action\"", "statusCallback=\"/events\"");
    update_nth(&mut s, 1, to_new());
    s.pass_ms(500);
    assert!(s.heard_clip(&callee, "elsewhere"), "it executes the new document");
    assert!(!s.bridged(&caller, &callee));
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("completed"));
    assert_eq!(told(&mut s, ACTION, "DialBridged").as_deref(), Some("true"));
    assert_eq!(told(&mut s, ACTION, "DialCallDuration"), None);
    let child = sid(&s, 1).to_string();
    assert_eq!(told(&mut s, ACTION, "DialCallSid"), Some(child.clone()));
    assert!(s.heard_clip(&caller, "done"), "the caller goes on with the action's document");
    // It is a call of its own now: it outlives whoever dialled it.
    s.pass_ms(20_000);
    assert_eq!(s.state(&caller), UaState::Over(200));
    assert_eq!(s.state(&callee), UaState::Up);
    let asked = s.asked(NEW);
    assert_eq!(param(&asked[0], "CallSid"), Some(child.as_str()));
    assert_eq!(param(&asked[0], "Direction"), Some("outbound-dial"));
    s.hangs_up(&callee);
    s.pass_ms(500);
    assert_eq!(told(&mut s, EVENTS, "CallStatus").as_deref(), Some("completed"));
    s.expect_rest();
}

#[test]
fn a_callee_is_sent_elsewhere_out_of_its_whisper() {
    let (mut s, caller, callee) = talking("action=\"/action\"", "url=\"/whisper\"");
    s.hangs_up(&caller);
    s.hangs_up(&callee);
    s.pass_ms(1_000);
    s.web().serve("http://web.example/whisper", Answer::twiml("<Pause length=\"60\"/>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    let callee = s.latest(callee.ua).expect("it rings");
    let rows = s.rows();
    let child = rows.iter().rev().find(|row| row.parent.is_some()).expect("a child").sid;
    update(&mut s, child, to_new());
    s.pass_ms(500);
    assert!(s.heard_clip(&callee, "elsewhere"));
    let asked = s.asked(ACTION).pop().expect("the dial is over");
    assert_eq!(param(&asked, "DialCallStatus"), Some("completed"));
    assert_eq!(param(&asked, "DialBridged"), Some("false"));
    s.hangs_up(&caller);
    s.hangs_up(&callee);
    s.expect_rest();
}

#[test]
fn a_callee_that_rings_begins_with_the_new_document() {
    let mut s = with("<Dial action=\"/action\"><Client>ann</Client></Dial>");
    let ann = s.phone("ann");
    s.will(ann, Reaction::Ignore);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    update_nth(&mut s, 1, to_new());
    s.pass_ms(500);
    assert!(s.asked(NEW).is_empty() && s.asked(ACTION).is_empty(), "it still rings");
    s.picks_up(ann);
    s.pass_ms(500);
    let callee = s.latest(ann).expect("it rang");
    assert!(s.heard_clip(&callee, "elsewhere"));
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("completed"));
    assert!(!s.bridged(&caller, &callee));
    s.hangs_up(&caller);
    s.hangs_up(&callee);
    s.expect_rest();
}

#[test]
fn both_sides_are_sent_elsewhere_in_one_breath() {
    let (mut s, caller, callee) = talking("", "");
    update_nth(&mut s, 1, to_twiml("<Dial><Conference>b</Conference></Dial>"));
    update_nth(&mut s, 0, to_twiml("<Dial><Conference>b</Conference></Dial>"));
    s.pass_ms(1_000);
    assert!(s.hears(&caller, &callee) && s.hears(&callee, &caller));
    s.hangs_up(&caller);
    s.hangs_up(&callee);
    s.expect_rest();
}

#[test]
fn a_member_sent_elsewhere_leaves_the_conference() {
    let verbs = "<Dial action=\"/action\"><Conference statusCallback=\"/events\" statusCallbackEvent=\"leave\">desk</Conference></Dial>";
    let mut s = with(verbs);
    let first = s.carrier_calls(NUMBER);
    s.pass_ms(500);
    let second = s.carrier_calls(NUMBER);
    s.pass_ms(500);
    update_nth(&mut s, 0, to_new());
    s.pass_ms(300);
    assert!(s.heard_clip(&first, "elsewhere") && !s.hears(&second, &first));
    assert_eq!(s.conferences(), [1]);
    assert_eq!(told(&mut s, EVENTS, "ReasonParticipantLeft").as_deref(), Some("participant_updated_via_api"));
    assert!(s.asked(ACTION).is_empty());
    s.hangs_up(&first);
    s.hangs_up(&second);
    s.expect_rest();
}

#[test]
fn a_status_ends_what_it_may_end() {
    for (answered, fate, over, status) in [
        (true, Fate::Complete, Some(200), CallStatus::Completed),
        (false, Fate::Complete, Some(603), CallStatus::Canceled),
        (false, Fate::Cancel, Some(603), CallStatus::Canceled),
        (true, Fate::Cancel, None, CallStatus::InProgress),
    ] {
        let first = if answered { "<Say>hello</Say>" } else { "" };
        let mut s = with(&format!("{first}<Pause length=\"60\"/>"));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(400);
        update_nth(&mut s, 0, fate.clone());
        s.pass_ms(300);
        let state = s.state(&caller);
        assert_eq!(matches!(state, UaState::Over(_)).then_some(state), over.map(UaState::Over), "{fate:?}");
        assert_eq!(s.rows()[0].status, status, "{fate:?}");
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn a_callee_cancelled_from_outside_says_so_to_its_dial() {
    let mut s = with("<Dial action=\"/action\"><Client>ann</Client></Dial>");
    let ann = s.phone("ann");
    s.will(ann, Reaction::Ignore);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    update_nth(&mut s, 1, Fate::Cancel);
    s.pass_ms(300);
    assert_eq!(told(&mut s, ACTION, "DialCallStatus").as_deref(), Some("canceled"));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_call_that_is_over_cannot_be_changed() {
    let mut s = with("<Say>hello</Say>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(500);
    let call = sid(&s, 0);
    s.hangs_up(&caller);
    // The BYE has arrived; the media plane has not told the leg's figures yet.
    while s.rows()[0].end.is_none() {
        s.pass_ms(1);
    }
    assert_eq!(update(&mut s, call, to_new()), OperatorReply::NoSuchCall(call));
    s.expect_rest();
    assert_eq!(update(&mut s, call, to_new()), OperatorReply::NoSuchCall(call));
    assert!(s.asked(NEW).is_empty());
}

#[test]
fn callbacks_fallback_and_limit_are_replaced() {
    let mut s = with("<Pause length=\"1\"/><Say>x</Say><Pause length=\"3\"/><Redirect>/broken</Redirect>");
    s.web().serve("http://web.example/broken", Answer::page(500, None, ""));
    s.web().serve("http://web.example/rescue", Answer::twiml("<Say>rescued</Say><Pause length=\"600\"/>"));
    s.web().serve("http://web.example/status2", Answer::page(204, None, ""));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(400);
    let to = |path: &str| {
        Some(DocumentRef { url: format!("http://web.example/{path}"), method: HttpMethod::Post })
    };
    let update = CallUpdate {
        fate: None,
        fallback: to("rescue"),
        status_callback: to("status2"),
        time_limit_s: Some(20),
    };
    s.operator(Operator::UpdateCall { call: sid(&s, 0), update: Box::new(update) });
    s.pass_ms(9_000);
    assert!(s.heard_clip(&caller, "rescued"), "{:?}", s.heard(&caller));
    assert_eq!(s.state(&caller), UaState::Up);
    s.pass_ms(15_000);
    assert_eq!(s.state(&caller), UaState::Over(200), "20 s after its answer");
    assert_eq!(told(&mut s, "http://web.example/status2", "CallStatus").as_deref(), Some("completed"));
    assert!(s.asked(sim::STATUS).is_empty());
    assert!(!s.heard(&caller).contains(&Heard::Beep));
    s.expect_rest();
}
