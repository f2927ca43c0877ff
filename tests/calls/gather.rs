//! `<Gather>`: which keys lead where.

use sim::{Answer, Heard, NUMBER, Scenario, UaState, param};

use crate::{ACTION, office};

/// What the action is told: `Digits` and `FinishedOnKey`.
type Result = Option<(&'static str, &'static str)>;

struct Case {
    attributes: &'static str,
    /// After so many milliseconds (the prompt is heard from 100 to 2,100), these keys.
    presses: (u64, &'static str),
    expected: Result,
}

const fn case(attributes: &'static str, after_ms: u64, keys: &'static str, expected: Result) -> Case {
    Case { attributes, presses: (after_ms, keys), expected }
}

const CASES: [Case; 16] = [
    case("numDigits=\"1\"", 500, "5", Some(("5", ""))),
    case("numDigits=\"1\"", 3_000, "5", Some(("5", ""))),
    case("numDigits=\"4\"", 500, "12345", Some(("1234", ""))),
    case("", 500, "12#", Some(("12", "#"))),
    case("", 500, "12*#", Some(("12*", "#"))),
    case("finishOnKey=\"*\"", 500, "12#3*", Some(("12#3", "*"))),
    case("finishOnKey=\"\" timeout=\"2\"", 500, "12#", Some(("12#", ""))),
    case("timeout=\"2\"", 2_500, "12", Some(("12", ""))),
    case("timeout=\"2\"", 0, "", None),
    case("", 500, "#", None),
    case("actionOnEmptyResult=\"true\"", 500, "#", Some(("", "#"))),
    case("timeout=\"2\" actionOnEmptyResult=\"true\"", 0, "", Some(("", ""))),
    case("timeout=\"0\" numDigits=\"1\"", 1_000, "1", Some(("1", ""))),
    case("timeout=\"0\" numDigits=\"1\"", 0, "", None),
    case("bargeIn=\"false\" numDigits=\"1\"", 500, "7", Some(("7", ""))),
    case("bargeIn=\"false\"", 500, "7#", Some(("7", "#"))),
];

fn gathering(attributes: &str) -> Scenario {
    office(&format!(
        "<Gather {attributes} action=\"/action\"><Say>menu</Say></Gather><Say>nothing pressed</Say>"
    ))
}

#[test]
fn keys_lead_to_the_action_or_past_it() {
    for Case { attributes, presses: (after_ms, keys), expected } in CASES {
        let mut s = gathering(attributes);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(after_ms);
        s.presses(&caller, keys);
        s.pass_ms(12_000);
        let asked = s.asked(ACTION);
        let got = asked.first().map(|asked| {
            (param(asked, "Digits").unwrap_or("absent"), param(asked, "FinishedOnKey").unwrap_or("absent"))
        });
        assert_eq!(got, expected, "{attributes} {keys}");
        assert!(asked.len() <= 1, "{attributes} {keys}");
        assert_eq!(s.heard_clip(&caller, "nothing pressed"), expected.is_none(), "{attributes} {keys}");
        assert_eq!(s.heard_clip(&caller, "done"), expected.is_some(), "{attributes} {keys}");
        assert_eq!(s.state(&caller), UaState::Over(200), "{attributes} {keys}");
        s.expect_rest();
    }
}

#[test]
fn a_key_stops_the_prompt_at_once_unless_barge_in_is_off() {
    for (attributes, stopped, asked_after_500_ms) in [("", true, 1), ("bargeIn=\"false\"", false, 0)] {
        let mut s = gathering(&format!("{attributes} numDigits=\"1\""));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(800);
        s.presses(&caller, "1");
        s.pass_ms(100);
        assert_eq!(s.heard(&caller).contains(&Heard::Silence), stopped, "{attributes}");
        s.pass_ms(200);
        assert_eq!(s.asked(ACTION).len(), asked_after_500_ms, "{attributes}");
        s.pass_ms(1_500);
        assert_eq!(s.asked(ACTION).len(), 1, "{attributes}");
        s.expect_rest();
    }
}

#[test]
fn with_no_timeout_the_next_verb_follows_the_prompt_at_once() {
    let mut s = gathering("timeout=\"0\" numDigits=\"1\"");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    assert!(!s.heard_clip(&caller, "nothing pressed"));
    s.pass_ms(300);
    assert!(s.heard_clip(&caller, "nothing pressed"));
    s.expect_rest();
}

#[test]
fn keys_before_and_after_a_gather_do_not_count() {
    let mut s = office("<Say>first</Say><Gather numDigits=\"2\" action=\"/action\" timeout=\"3\"/>");
    s.web().serve(ACTION, Answer::twiml("<Pause length=\"5\"/>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(500);
    s.presses(&caller, "9");
    s.pass_ms(1_700);
    s.presses(&caller, "1234");
    s.pass_ms(8_000);
    let asked = s.asked(ACTION);
    assert_eq!(asked.len(), 1);
    assert_eq!(param(&asked[0], "Digits"), Some("12"));
    s.expect_rest();
}

#[test]
fn the_default_action_is_the_document_itself() {
    let mut s = office("<Gather numDigits=\"1\" timeout=\"2\"/>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(500);
    s.presses(&caller, "4");
    s.pass_ms(500);
    let asked = s.asked(sim::VOICE);
    assert_eq!(asked.len(), 2);
    assert_eq!(param(&asked[1], "Digits"), Some("4"));
    s.pass_ms(3_000);
    assert_eq!(s.state(&caller), UaState::Over(200), "a Gather in vain ends the call");
    s.expect_rest();
}

#[test]
fn nothing_is_asked_when_the_caller_hangs_up() {
    let mut s = gathering("");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(500);
    s.presses(&caller, "12");
    s.hangs_up(&caller);
    s.pass_ms(10_000);
    assert!(s.asked(ACTION).is_empty());
    s.expect_rest();
}
