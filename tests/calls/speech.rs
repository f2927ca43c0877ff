//! What callers say: `<Gather input="speech">` with a recogniser that hears what the scenario says, or with none.

use call::{CallUpdate, Fate, Operator};
use sim::{Answer, NUMBER, Scenario, param};
use twiml::Source;

use crate::{ACTION, office};

const PARTIAL: &str = "http://web.example/partial";

/// The prompt is heard from 100 to 2,100 ms.
fn gathering(attributes: &str) -> Scenario {
    let mut s = office(&format!(
        "<Gather {attributes} action=\"/action\"><Say>menu</Say></Gather><Say>nothing said</Say>"
    ));
    s.web().serve(PARTIAL, Answer::page(204, None, ""));
    s
}

/// What the action was told.
fn action(s: &mut Scenario) -> Vec<(String, String)> {
    let asked = s.asked(ACTION);
    assert!(asked.len() <= 1, "{} requests", asked.len());
    let names = ["Digits", "FinishedOnKey", "SpeechResult", "Confidence", "Language"];
    let Some(request) = asked.first() else { return Vec::new() };
    let told = |name: &&str| Some(((*name).to_owned(), param(request, name)?.to_owned()));
    names.iter().filter_map(told).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const SAID: [(&str, &str); 3] =
    [("SpeechResult", "sales please"), ("Confidence", "0.75"), ("Language", "en-US")];

#[test]
fn words_lead_to_the_action() {
    for (attributes, at_ms, stops_the_prompt) in [
        ("input=\"speech\"", 1_000, true),
        ("input=\"speech\"", 3_000, false),
        ("input=\"dtmf speech\" speechTimeout=\"auto\"", 1_000, true),
        ("input=\"speech dtmf\" speechTimeout=\"2\" hints=\"sales, support\"", 6_500, false),
    ] {
        let mut s = gathering(attributes);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(at_ms);
        s.says(&caller, "sales please", 1_000);
        s.pass_ms(100);
        let stopped = s.heard(&caller).contains(&sim::Heard::Silence);
        assert_eq!(stopped, stops_the_prompt, "{attributes} at {at_ms}");
        s.pass_ms(9_000);
        assert_eq!(action(&mut s), pairs(&SAID), "{attributes} at {at_ms}");
        assert!(s.heard_clip(&caller, "done") && !s.heard_clip(&caller, "nothing said"));
        s.expect_rest();
    }
}

#[test]
fn what_is_listened_for_is_what_the_document_says() {
    let mut s = gathering(
        "input=\"speech\" speechTimeout=\"3\" maxSpeechTime=\"20\" language=\"en-GB\" \
         hints=\" sales , support,\" profanityFilter=\"false\"",
    );
    s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    let listen = s.world.listening.values().next().expect("somebody listens").clone();
    assert_eq!((listen.silence_ms, listen.max_ms), (Some(3_000), 20_000));
    assert_eq!((listen.language.as_str(), listen.hints), ("en-GB", vec!["sales".into(), "support".into()]));
    assert!(!listen.profanity_filter && !listen.goes_on);
}

#[test]
fn nothing_said_goes_on_with_the_next_verb_or_asks_the_action_all_the_same() {
    for (attributes, expected) in [
        ("input=\"speech\" timeout=\"3\"", vec![]),
        ("input=\"speech\" timeout=\"3\" actionOnEmptyResult=\"true\"", vec![("SpeechResult", "")]),
        (
            "input=\"dtmf speech\" timeout=\"3\" actionOnEmptyResult=\"true\"",
            vec![("Digits", ""), ("FinishedOnKey", ""), ("SpeechResult", "")],
        ),
    ] {
        let mut s = gathering(attributes);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(4_900);
        assert!(s.asked(ACTION).is_empty() && !s.heard_clip(&caller, "nothing said"), "{attributes}");
        s.pass_ms(1_000);
        assert_eq!(action(&mut s), pairs(&expected), "{attributes}");
        assert_eq!(s.heard_clip(&caller, "nothing said"), expected.is_empty(), "{attributes}");
        s.expect_rest();
    }
}

#[test]
fn noise_that_is_no_words_is_nothing_said() {
    let mut s = gathering("input=\"speech\"");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    s.says(&caller, "", 1_000);
    s.pass_ms(8_000);
    assert!(s.asked(ACTION).is_empty() && s.heard_clip(&caller, "nothing said"));
    s.expect_rest();
}

#[test]
fn without_a_recogniser_it_is_told_and_nothing_was_said() {
    let mut s = gathering("input=\"dtmf speech\" timeout=\"3\"");
    s.world.recogniser = false;
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    assert_eq!(s.notifications(), [99_001]);
    s.says(&caller, "sales please", 1_000);
    s.pass_ms(6_000);
    assert!(s.asked(ACTION).is_empty() && s.heard_clip(&caller, "nothing said"));
    s.expect_rest();

    // Keys are heard all the same.
    let mut s = gathering("input=\"dtmf speech\" numDigits=\"1\"");
    s.world.recogniser = false;
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    s.presses(&caller, "5");
    s.pass_ms(1_000);
    assert_eq!(action(&mut s), pairs(&[("Digits", "5"), ("FinishedOnKey", "")]));
}

#[test]
fn the_first_kind_of_input_wins() {
    // A key before the voice: the voice is not listened to any more.
    let mut s = gathering("input=\"dtmf speech\"");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(500);
    s.presses(&caller, "1");
    assert!(s.world.listening.is_empty());
    s.says(&caller, "sales please", 1_000);
    s.presses(&caller, "2#");
    s.pass_ms(8_000);
    assert_eq!(action(&mut s), pairs(&[("Digits", "12"), ("FinishedOnKey", "#")]));
    s.expect_rest();
    // A voice before the key: keys, the finishing one among them, count no more.
    let mut s = gathering("input=\"dtmf speech\"");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(500);
    s.says(&caller, "sales please", 1_000);
    s.pass_ms(200);
    s.presses(&caller, "12#");
    s.pass_ms(8_000);
    assert_eq!(action(&mut s), pairs(&SAID));
    s.expect_rest();
}

#[test]
fn a_prompt_that_is_not_to_be_interrupted_is_heard_to_its_end() {
    let mut s = gathering("input=\"speech\" bargeIn=\"false\"");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    assert!(s.world.listening.is_empty(), "what is said meanwhile is not listened to");
    s.pass_ms(1_500);
    s.says(&caller, "sales please", 1_000);
    s.pass_ms(8_000);
    assert_eq!(action(&mut s), pairs(&SAID));
    assert!(!s.heard(&caller).contains(&sim::Heard::Silence));
    s.expect_rest();
}

#[test]
fn partial_results_are_told_in_order_beside_the_call() {
    let mut s = gathering("input=\"speech\" partialResultCallback=\"/partial\"");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    s.says(&caller, "one two three four", 2_000);
    s.pass_ms(600);
    s.says(&caller, "one two three four five six", 2_000);
    s.pass_ms(1_500);
    let told = s.asked(PARTIAL);
    let said: Vec<_> = told
        .iter()
        .map(|request| {
            (
                param(request, "StableSpeechResult").unwrap_or("absent").to_owned(),
                param(request, "SequenceNumber").unwrap_or("absent").to_owned(),
            )
        })
        .collect();
    assert_eq!(said, [("one two".to_owned(), "0".to_owned()), ("one two three".to_owned(), "1".to_owned())]);
    assert_eq!(param(&told[0], "UnstableSpeechResult"), Some(""));
    assert_eq!(param(&told[0], "Stability"), Some("0.9"));
    assert_eq!(param(&told[0], "CallStatus"), Some("in-progress"));
    assert!(s.asked(ACTION).is_empty());
    s.pass_ms(8_000);
    assert_eq!(s.asked(ACTION).len(), 1);
    s.expect_rest();
}

#[test]
fn who_hangs_up_in_mid_speech_leaves_nothing_behind() {
    let mut s = gathering("input=\"speech\" partialResultCallback=\"/partial\"");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    s.says(&caller, "sales please", 3_000);
    s.pass_ms(500);
    s.hangs_up(&caller);
    s.expect_rest();
    assert!(s.asked(ACTION).is_empty() && s.asked(PARTIAL).is_empty());
}

#[test]
fn a_call_that_is_sent_elsewhere_is_not_listened_to_any_more() {
    let mut s = gathering("input=\"speech\"");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    assert_eq!(s.world.listening.len(), 1);
    let inline = Source::Inline("<Response><Pause length=\"60\"/></Response>".to_owned());
    let update = Box::new(CallUpdate { fate: Some(Fate::Redirect(inline)), ..CallUpdate::default() });
    let call = s.rows()[0].sid;
    s.operator(Operator::UpdateCall { call, update });
    s.pass_ms(100);
    assert!(s.world.listening.is_empty());
    s.hangs_up(&caller);
    s.expect_rest();
}
