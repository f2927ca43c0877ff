//! `<Enqueue>` and `<Dial><Queue>`: who waits, what they hear, who takes whom, and how each comes out.

use std::time::Duration;

use sim::{Answer, Caller, Heard, NUMBER, Scenario, UaState, VOICE, param};

use crate::{ACTION, office};

/// Where the dials of those who take callers are told.
const DIALLED: &str = "http://web.example/dialled";
const WAIT: &str = "http://web.example/wait";
const WHISPER: &str = "http://web.example/whisper";

fn desk() -> Scenario {
    let mut s = office("");
    s.web().serve(DIALLED, Answer::twiml("<Say>dialled</Say>"));
    s
}

fn calls(s: &mut Scenario, verbs: &str) -> Caller {
    s.web().answer_next(VOICE, Answer::twiml(verbs));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(500);
    caller
}

/// Somebody calls and waits in the queue `desk`.
fn waits(s: &mut Scenario, attributes: &str) -> Caller {
    calls(s, &format!("<Enqueue action=\"/action\" {attributes}>desk</Enqueue><Say>next</Say>"))
}

/// Somebody calls and takes the next caller of `desk`.
fn takes(s: &mut Scenario, dial: &str, noun: &str) -> Caller {
    calls(s, &format!("<Dial action=\"/dialled\" {dial}><Queue {noun}>desk</Queue></Dial>"))
}

/// A parameter of the nth request for a URL, from 0.
fn told(s: &mut Scenario, url: &str, nth: usize, name: &str) -> String {
    let asked = s.asked(url);
    let request = asked.get(nth).unwrap_or_else(|| panic!("{} requests for {url}", asked.len()));
    param(request, name).unwrap_or("absent").to_owned()
}

fn all_hang_up(s: &mut Scenario, all: &[&Caller]) {
    for caller in all {
        if !matches!(s.state(caller), UaState::Over(_)) {
            s.hangs_up(caller);
        }
    }
    s.expect_rest();
}

#[test]
fn callers_are_taken_in_the_order_they_came() {
    let mut s = desk();
    let first = waits(&mut s, "");
    let second = waits(&mut s, "");
    s.pass_ms(9_000);
    assert!(s.heard_clip(&first, "hold-music") && s.heard_clip(&second, "hold-music"));
    let ann = takes(&mut s, "", "");
    assert!(s.bridged(&ann, &first) && !s.bridged(&ann, &second));
    let bob = takes(&mut s, "", "");
    assert!(s.bridged(&bob, &second) && s.bridged(&ann, &first), "nobody is taken twice");
    s.pass_ms(5_000);
    s.hangs_up(&ann);
    s.pass_ms(500);
    assert!(s.heard_clip(&first, "done"), "the caller's document goes on");
    assert_eq!(told(&mut s, ACTION, 0, "QueueResult"), "bridged");
    assert_eq!(told(&mut s, ACTION, 0, "QueueTime"), "10");
    assert!(told(&mut s, ACTION, 0, "QueueSid").starts_with("QU"));
    assert_eq!(told(&mut s, DIALLED, 0, "DialCallStatus"), "completed");
    assert_eq!(told(&mut s, DIALLED, 0, "DialBridged"), "true");
    s.hangs_up(&second);
    s.pass_ms(500);
    assert_eq!(told(&mut s, ACTION, 1, "QueueResult"), "bridged", "it hung up, but not while it waited");
    assert!(s.heard_clip(&bob, "dialled"));
    let caller = s.rows()[1].sid.to_string();
    let taker = s.rows()[3].sid.to_string();
    for (name, value) in [
        ("DialCallStatus", "completed"),
        ("DialCallSid", caller.as_str()),
        ("DialCallDuration", "5"),
        ("QueueTime", "10"),
        ("DequeingCallSid", taker.as_str()),
    ] {
        assert_eq!(told(&mut s, DIALLED, 1, name), value, "{name}");
    }
    all_hang_up(&mut s, &[&first, &bob]);
}

#[test]
fn those_who_find_nobody_wait_and_each_gets_another() {
    let mut s = desk();
    let early = waits(&mut s, "");
    s.hangs_up(&early);
    s.pass_ms(500);
    assert_eq!(told(&mut s, ACTION, 0, "QueueResult"), "hangup");
    let ann = takes(&mut s, "timeout=\"20\"", "");
    let bob = takes(&mut s, "timeout=\"20\"", "");
    assert!(s.heard(&ann).iter().any(|heard| matches!(heard, Heard::Tone)), "{:?}", s.heard(&ann));
    let first = waits(&mut s, "");
    assert!(s.bridged(&ann, &first));
    let second = waits(&mut s, "");
    assert!(s.bridged(&bob, &second) && s.bridged(&ann, &first));
    assert_eq!(told(&mut s, ACTION, 0, "QueueTime"), "0");
    all_hang_up(&mut s, &[&ann, &bob, &first, &second]);
}

#[test]
fn two_who_ask_at_once_get_another_caller_each() {
    let mut s = desk();
    let first = waits(&mut s, "");
    let second = waits(&mut s, "");
    let verbs = "<Dial><Queue>desk</Queue></Dial>";
    s.web().serve(VOICE, Answer::twiml(verbs));
    let ann = s.carrier_calls(NUMBER);
    let bob = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    let (a, b) = (s.bridged(&ann, &first), s.bridged(&ann, &second));
    assert!(a != b, "exactly one");
    assert!(s.bridged(&bob, if a { &second } else { &first }));
    all_hang_up(&mut s, &[&ann, &bob, &first, &second]);
}

#[test]
fn nobody_comes_and_no_such_queue() {
    for (exists, status, after_ms) in [(true, "no-answer", 6_000), (false, "failed", 500)] {
        let mut s = desk();
        if exists {
            let gone = waits(&mut s, "");
            s.hangs_up(&gone);
            s.pass_ms(500);
        }
        let ann = takes(&mut s, "timeout=\"5\"", "");
        s.pass_ms(after_ms);
        assert_eq!(told(&mut s, DIALLED, 0, "DialCallStatus"), status);
        assert_eq!(told(&mut s, DIALLED, 0, "DialBridged"), "false");
        assert_eq!(told(&mut s, DIALLED, 0, "QueueSid"), "absent");
        assert!(s.heard_clip(&ann, "dialled"));
        all_hang_up(&mut s, &[&ann]);
    }
}

#[test]
fn the_queued_caller_alone_hears_what_is_whispered() {
    let mut s = desk();
    s.web().serve(WHISPER, Answer::twiml("<Say>recorded</Say><Pause length=\"2\"/>"));
    let caller = waits(&mut s, "");
    s.pass_ms(3_000);
    let ann = takes(&mut s, "", "url=\"/whisper\" method=\"GET\"");
    assert!(!s.bridged(&ann, &caller), "not before it is heard");
    s.pass_ms(9_000);
    assert!(s.heard_clip(&caller, "recorded") && !s.heard_clip(&ann, "recorded"));
    assert!(s.bridged(&ann, &caller));
    assert_eq!(s.asked(WHISPER)[0].method, twiml::HttpMethod::Get);
    let (callers, anns) = (s.rows()[0].sid.to_string(), s.rows()[1].sid.to_string());
    assert_eq!(told(&mut s, WHISPER, 0, "CallSid"), callers);
    assert_eq!(told(&mut s, WHISPER, 0, "DequeingCallSid"), anns);
    assert_eq!(told(&mut s, WHISPER, 0, "QueueTime"), "3");
    assert_eq!(told(&mut s, WHISPER, 0, "QueuePosition"), "absent");
    all_hang_up(&mut s, &[&ann, &caller]);
}

#[test]
fn a_whisper_in_error_connects_nobody() {
    for answer in [Answer::page(500, None, ""), Answer::twiml("<Gather/>"), Answer::twiml("<Hangup/>")] {
        let mut s = desk();
        s.web().serve(WHISPER, answer);
        let caller = waits(&mut s, "");
        let ann = takes(&mut s, "", "url=\"/whisper\"");
        s.pass_ms(2_000);
        assert_eq!(told(&mut s, ACTION, 0, "QueueResult"), "error");
        assert_eq!(told(&mut s, DIALLED, 0, "DialCallStatus"), "failed");
        assert!(s.heard_clip(&caller, "done") && s.heard_clip(&ann, "dialled"));
        all_hang_up(&mut s, &[&ann, &caller]);
    }
}

/// A caller is being whispered to, somebody waits behind it.
fn whispering(s: &mut Scenario) -> (Caller, Caller, Caller) {
    s.web().serve(WHISPER, Answer::twiml("<Pause length=\"4\"/>"));
    let caller = waits(s, "");
    let next = waits(s, "");
    let ann = takes(s, "timeout=\"5\"", "url=\"/whisper\"");
    assert!(!s.asked(WHISPER).is_empty());
    (caller, next, ann)
}

#[test]
fn a_caller_who_hangs_up_in_the_whisper_makes_room_for_the_next() {
    let mut s = desk();
    let (caller, next, ann) = whispering(&mut s);
    s.hangs_up(&caller);
    s.pass_ms(5_000);
    assert_eq!(told(&mut s, ACTION, 0, "QueueResult"), "hangup");
    assert!(s.bridged(&ann, &next));
    assert_eq!(s.asked(DIALLED).len(), 0, "the dial goes on");
    all_hang_up(&mut s, &[&ann, &next]);
}

#[test]
fn nobody_is_left_to_take_when_the_time_is_over() {
    let mut s = desk();
    let (caller, next, ann) = whispering(&mut s);
    s.hangs_up(&next);
    s.pass_ms(3_000);
    s.hangs_up(&caller);
    s.pass_ms(3_000);
    assert_eq!(told(&mut s, DIALLED, 0, "DialCallStatus"), "no-answer");
    all_hang_up(&mut s, &[&ann]);
}

#[test]
fn who_takes_hangs_up_in_the_whisper() {
    let mut s = desk();
    let (caller, next, ann) = whispering(&mut s);
    s.hangs_up(&ann);
    s.pass_ms(500);
    assert_eq!(told(&mut s, ACTION, 0, "QueueResult"), "bridging-in-process");
    assert_eq!(told(&mut s, DIALLED, 0, "DialCallStatus"), "no-answer");
    assert!(s.heard_clip(&caller, "done"));
    assert_eq!(s.world.node.queued().len(), 1, "who waits behind it still waits");
    all_hang_up(&mut s, &[&caller, &next]);
}

#[test]
fn both_hang_up_at_once() {
    for (whispers, result, status) in
        [(true, ["hangup", "bridging-in-process"], "no-answer"), (false, ["bridged", "bridged"], "completed")]
    {
        for caller_first in [true, false] {
            let mut s = desk();
            let (caller, ann) = if whispers {
                let (caller, next, ann) = whispering(&mut s);
                s.hangs_up(&next);
                s.pass_ms(200);
                (caller, ann)
            } else {
                (waits(&mut s, ""), takes(&mut s, "", ""))
            };
            let before = s.asked(ACTION).len();
            for one in if caller_first { [&caller, &ann] } else { [&ann, &caller] } {
                s.hangs_up(one);
            }
            s.pass_ms(1_000);
            let told_result = told(&mut s, ACTION, before, "QueueResult");
            assert!(result.contains(&told_result.as_str()), "{told_result}");
            assert_eq!((s.asked(ACTION).len(), s.asked(DIALLED).len()), (before + 1, 1), "each is told once");
            assert_eq!(told(&mut s, DIALLED, 0, "DialCallStatus"), status);
            s.expect_rest();
        }
    }
}

#[test]
fn a_full_queue_lets_nobody_in() {
    let mut s = desk();
    let first = waits(&mut s, "");
    let second = waits(&mut s, "maxQueueSize=\"1\"");
    assert!(s.notifications().contains(&14207));
    assert_eq!(told(&mut s, ACTION, 0, "QueueResult"), "queue-full");
    assert_eq!(told(&mut s, ACTION, 0, "QueueSid"), "absent");
    assert!(s.heard_clip(&second, "done") && !s.heard_clip(&second, "hold-music"));
    all_hang_up(&mut s, &[&first, &second]);
}

#[test]
fn a_workflow_is_refused_loudly() {
    let mut s = desk();
    let verbs = "<Enqueue action=\"/action\" workflowSid=\"WW00000000000000000000000000000001\">\
        <Task>{\"a\":1}</Task></Enqueue>";
    let caller = calls(&mut s, verbs);
    assert_eq!(s.notifications(), [14220]);
    assert_eq!(told(&mut s, ACTION, 0, "QueueResult"), "error");
    let reserved = "<Dial action=\"/dialled\">\
        <Queue reservationSid=\"WR00000000000000000000000000000001\"/></Dial>";
    let ann = calls(&mut s, reserved);
    assert_eq!(s.notifications(), [14220, 14217]);
    assert_eq!(told(&mut s, DIALLED, 0, "DialCallStatus"), "failed");
    all_hang_up(&mut s, &[&caller, &ann]);
}

#[test]
fn without_an_action_the_next_verb_runs() {
    let mut s = desk();
    let caller = calls(&mut s, "<Enqueue>desk</Enqueue><Say>next</Say>");
    let ann = calls(&mut s, "<Dial><Queue>desk</Queue></Dial><Say>after</Say>");
    assert!(s.bridged(&ann, &caller));
    s.hangs_up(&ann);
    s.pass_ms(500);
    assert!(s.heard_clip(&caller, "next"));
    all_hang_up(&mut s, &[&caller]);
}

#[test]
fn star_and_the_time_limit_let_the_caller_go() {
    for (dial, keys) in [("hangupOnStar=\"true\"", "*"), ("timeLimit=\"3\"", "")] {
        let mut s = desk();
        let caller = waits(&mut s, "");
        let ann = takes(&mut s, dial, "");
        assert!(s.bridged(&ann, &caller));
        s.presses(&ann, keys);
        s.pass_ms(4_000);
        assert!(!s.bridged(&ann, &caller));
        assert_eq!(told(&mut s, ACTION, 0, "QueueResult"), "bridged");
        assert_eq!(told(&mut s, DIALLED, 0, "DialCallStatus"), "completed");
        assert!(s.heard_clip(&caller, "done") && s.heard_clip(&ann, "dialled"));
        all_hang_up(&mut s, &[&ann, &caller]);
    }
}

#[test]
fn a_recorded_dial_records_the_talk() {
    for (record, before) in [("record-from-answer-dual", 0), ("record-from-ringing", 1)] {
        let mut s = desk();
        let gone = waits(&mut s, "");
        s.hangs_up(&gone);
        s.pass_ms(500);
        let ann = takes(&mut s, &format!("record=\"{record}\" hangupOnStar=\"true\""), "");
        s.pass_ms(1_000);
        assert_eq!(s.recordings().len(), before, "{record}");
        let caller = waits(&mut s, "");
        s.pass_ms(3_000);
        s.presses(&ann, "*");
        s.pass_ms(500);
        let recordings = s.recordings();
        assert_eq!(recordings.len(), 1);
        assert_eq!(recordings[0].channels, if before == 0 { 2 } else { 1 });
        assert_eq!(told(&mut s, DIALLED, 0, "RecordingSid"), recordings[0].sid.to_string());
        all_hang_up(&mut s, &[&ann, &caller]);
    }
}

#[test]
fn keys_reach_the_other_side() {
    let mut s = desk();
    let caller = waits(&mut s, "");
    let ann = takes(&mut s, "", "");
    s.presses_by_info(&caller, "5");
    assert!(
        s.heard(&ann).iter().any(|heard| matches!(heard, Heard::Digits(keys) if keys == "5")),
        "{:?}",
        s.heard(&ann)
    );
    all_hang_up(&mut s, &[&ann, &caller]);
}

#[test]
fn those_who_wait_hear_what_the_application_says_of_the_moment() {
    let mut s = desk();
    let first = waits(&mut s, "waitUrl=\"\"");
    s.web().serve(WAIT, Answer::twiml("<Say>soon</Say><Pause length=\"2\"/>"));
    let second = waits(&mut s, "waitUrl=\"/wait\" waitUrlMethod=\"GET\"");
    s.pass_ms(3_000);
    assert!(s.heard_clip(&second, "soon") && !s.heard_clip(&second, "hold-music"));
    assert!(s.heard(&first).iter().all(|heard| matches!(heard, Heard::Silence)), "{:?}", s.heard(&first));
    for (name, value) in [
        ("QueuePosition", "2"),
        ("CurrentQueueSize", "2"),
        ("MaxQueueSize", "1000"),
        ("QueueTime", "0"),
        ("AvgQueueTime", "0"),
    ] {
        assert_eq!(told(&mut s, WAIT, 0, name), value, "{name}");
    }
    s.hangs_up(&first);
    s.pass_ms(15_000);
    let asked = s.asked(WAIT);
    assert!((3..12).contains(&asked.len()), "{} requests", asked.len());
    assert!(asked.iter().all(|request| request.method == twiml::HttpMethod::Get));
    let last = asked.len() - 1;
    assert_eq!(told(&mut s, WAIT, last, "QueuePosition"), "1");
    assert!(told(&mut s, WAIT, last, "QueueTime").parse::<u32>().unwrap() > 8);
    let ann = takes(&mut s, "", "");
    assert!(s.bridged(&ann, &second));
    let before = s.asked(WAIT).len();
    s.pass_ms(10_000);
    assert_eq!(s.asked(WAIT).len(), before, "nobody waits any more");
    all_hang_up(&mut s, &[&ann, &second]);
}

#[test]
fn a_key_leaves_the_queue() {
    let mut s = desk();
    s.web().serve(
        WAIT,
        Answer::twiml("<Gather numDigits=\"1\" action=\"/key\"><Play>/tune.wav</Play></Gather>"),
    );
    s.web().serve("http://web.example/key", Answer::twiml("<Leave/>"));
    let caller = waits(&mut s, "waitUrl=\"/wait\"");
    s.pass_ms(1_000);
    assert!(s.heard_clip(&caller, "tune.wav"));
    s.presses(&caller, "1");
    s.pass_ms(500);
    assert_eq!(told(&mut s, "http://web.example/key", 0, "Digits"), "1");
    assert_eq!(told(&mut s, "http://web.example/key", 0, "QueuePosition"), "1");
    assert_eq!(told(&mut s, ACTION, 0, "QueueResult"), "leave");
    assert!(s.heard_clip(&caller, "done"));
    assert_eq!(s.world.node.queued(), []);
    all_hang_up(&mut s, &[&caller]);
}

#[test]
fn what_a_wait_document_may_end_in() {
    for (document, result, up) in [
        ("<Leave/>", "leave", true),
        ("<Say>bye</Say><Hangup/>", "hangup", false),
        ("<Dial/>", "error", true),
        ("<Record/>", "error", true),
        ("<Enqueue>other</Enqueue>", "error", true),
        ("<Redirect>/nowhere</Redirect>", "error", true),
    ] {
        let mut s = desk();
        s.web().serve(WAIT, Answer::twiml(document));
        let caller = waits(&mut s, "waitUrl=\"/wait\"");
        s.pass_ms(3_000);
        assert_eq!(told(&mut s, ACTION, 0, "QueueResult"), result, "{document}");
        assert_eq!(s.heard_clip(&caller, "done"), up, "{document}");
        assert_eq!(s.world.node.queued(), [], "{document}");
        all_hang_up(&mut s, &[&caller]);
    }
}

#[test]
fn a_wait_document_that_cannot_be_had() {
    for answer in [
        Answer::page(500, None, ""),
        Answer::page(204, None, ""),
        Answer::failure(11200).after(Duration::from_secs(2)),
    ] {
        let mut s = desk();
        s.web().serve(WAIT, answer);
        let caller = waits(&mut s, "waitUrl=\"/wait\"");
        s.pass_ms(3_000);
        assert_eq!(told(&mut s, ACTION, 0, "QueueResult"), "error");
        assert!(s.heard_clip(&caller, "done"));
        all_hang_up(&mut s, &[&caller]);
    }
}

#[test]
fn a_document_without_sound_does_not_spin() {
    let mut s = desk();
    s.web().serve(WAIT, Answer::twiml(""));
    let caller = waits(&mut s, "waitUrl=\"/wait\"");
    s.pass_ms(20_000);
    let asked = s.asked(WAIT).len();
    assert!((18..23).contains(&asked), "{asked} requests in 20 s");
    assert!(s.notifications().is_empty());
    all_hang_up(&mut s, &[&caller]);
    let mut s = desk();
    s.web().serve(WAIT, Answer::twiml("<Redirect/>"));
    let caller = waits(&mut s, "waitUrl=\"/wait\"");
    s.pass_ms(20_000);
    assert!(s.notifications().contains(&11215), "those that lead to each other are stopped");
    assert_eq!(told(&mut s, ACTION, 0, "QueueResult"), "error");
    all_hang_up(&mut s, &[&caller]);
}

#[test]
fn a_caller_whose_sound_is_lost_is_out() {
    let mut s = desk();
    let caller = waits(&mut s, "");
    s.world.lose_media(caller.ua, caller.session);
    s.pass_ms(500);
    assert_eq!(told(&mut s, ACTION, 0, "QueueResult"), "hangup");
    assert_eq!(s.world.node.queued(), []);
    s.expect_rest();
}

#[test]
fn a_caller_taken_while_its_document_comes() {
    let mut s = desk();
    s.web().serve(WAIT, Answer::twiml("<Leave/>").after(Duration::from_secs(3)));
    let caller = waits(&mut s, "waitUrl=\"/wait\"");
    let ann = takes(&mut s, "", "");
    s.pass_ms(5_000);
    assert!(s.bridged(&ann, &caller), "what it would have heard is of no interest any more");
    all_hang_up(&mut s, &[&ann, &caller]);
}
