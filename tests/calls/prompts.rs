//! `<Say>`, `<Play>`, `<Pause>` and `<Redirect>`: what is heard, and when the call is answered.

use std::time::Duration;

use sim::{Answer, FALLBACK, Heard, NUMBER, UaState, VOICE, param};

use crate::office;

fn clips(heard: &[Heard]) -> Vec<&str> {
    let name = |heard: &'_ Heard| matches!(heard, Heard::Clip(_));
    heard
        .iter()
        .filter(|heard| name(heard))
        .map(|heard| match heard {
            Heard::Clip(key) => key.rsplit([':', '/']).next().unwrap_or_default(),
            _ => "",
        })
        .collect()
}

#[test]
fn prompts_are_heard_in_order() {
    let mut s = office("<Say>one</Say><Play>/two.wav</Play><Pause/><Say>three</Say>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(10_000);
    let heard = s.heard(&caller);
    assert_eq!(clips(&heard), ["one", "two.wav", "three"]);
    assert_eq!(s.state(&caller), UaState::Over(200));
    s.expect_rest();
}

/// Milliseconds from the call until its prompt is heard, whose sound takes so long to be made.
fn heard_after(sound_ms: u64) -> u64 {
    let mut s = office("<Say>hello</Say>");
    s.world.sound_after = Duration::from_millis(sound_ms);
    let caller = s.carrier_calls(NUMBER);
    (1..5_000)
        .find(|_| {
            s.pass_ms(1);
            s.heard_clip(&caller, "hello")
        })
        .expect("it is heard")
}

#[test]
fn a_prompt_starts_when_it_is_ready() {
    let soon = heard_after(40);
    for later_ms in [1, 13, 400] {
        assert_eq!(heard_after(40 + later_ms), soon + later_ms, "not a clock's tick later");
    }
}

#[test]
fn a_loop_is_heard_so_often() {
    for (times, over_at) in [(1, 2_500), (3, 6_500)] {
        let mut s = office(&format!("<Say loop=\"{times}\">again</Say>"));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(over_at - 1_000);
        assert_eq!(s.state(&caller), UaState::Up, "{times}");
        s.pass_ms(1_000);
        assert_eq!(s.state(&caller), UaState::Over(200), "{times}");
        s.expect_rest();
    }
    let mut s = office("<Play loop=\"0\">/music.wav</Play><Say>after</Say>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(600_000);
    assert_eq!(s.state(&caller), UaState::Up);
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn keys_can_be_sent() {
    let mut s = office("<Play digits=\"12w3#\"/><Say>after</Say>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    assert!(s.heard(&caller).contains(&Heard::Digits("12w3#".to_owned())));
    assert!(s.heard_clip(&caller, "after"));
    s.expect_rest();
    for (times, sent) in [("12", "5w".repeat(12)), ("0", "5w".repeat(1_000))] {
        let mut s = office(&format!("<Play digits=\"5w\" loop=\"{times}\"/>"));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_000);
        assert!(s.heard(&caller).contains(&Heard::Digits(sent)), "{times}");
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn a_sound_that_cannot_be_had_is_skipped_and_written_down() {
    let mut s = office("<Play>/bad.wav</Play><Say>after</Say>");
    s.world.sounds_broken = vec!["bad".to_owned()];
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(5_000);
    let heard = s.heard(&caller);
    assert_eq!(clips(&heard), ["after"]);
    assert_eq!(s.notifications(), [11200]);
    s.expect_rest();
}

#[test]
fn what_is_no_audio_ends_the_document() {
    for (verb, code) in [
        ("<Play>/bad.wav</Play>", 13420),
        ("<Gather action=\"/action\"><Say>press</Say><Play>/bad.wav</Play></Gather>", 13325),
        ("<Gather input=\"speech\"><Play>/bad.wav</Play></Gather>", 13325),
    ] {
        let mut s = office(&format!("{verb}<Say>after</Say>"));
        s.world.sounds_broken = vec!["bad".to_owned()];
        s.world.sound_fault = 13420;
        s.web().serve(FALLBACK, Answer::twiml("<Say>fallback</Say>"));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(5_000);
        let heard = s.heard(&caller);
        assert_eq!(clips(&heard), ["fallback"], "{verb}");
        assert_eq!(param(&s.asked(FALLBACK)[0], "ErrorCode"), Some(code.to_string().as_str()));
        assert_eq!(param(&s.asked(FALLBACK)[0], "ErrorUrl"), Some(VOICE));
        assert_eq!(s.notifications(), [code], "{verb}");
        assert!(s.world.listening.is_empty());
        s.expect_rest();
    }
    // What is spoken and cannot be is left out, as is a sound that does not come.
    for fault in [11200, 11205, 12400, 13521, 99_002] {
        let mut s = office("<Play>/bad.wav</Play><Say>after</Say>");
        s.world.sounds_broken = vec!["bad".to_owned()];
        s.world.sound_fault = fault;
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(5_000);
        assert!(s.heard_clip(&caller, "after"));
        assert_eq!(s.notifications(), [fault]);
        s.expect_rest();
    }
}

#[test]
fn an_inner_broken_sound_leaves_the_rest_of_a_gather() {
    let mut s = office("<Gather><Play>/bad.wav</Play><Say>press</Say></Gather>");
    s.world.sounds_broken = vec!["bad".to_owned()];
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    let heard = s.heard(&caller);
    assert_eq!(clips(&heard), ["press"]);
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_pause_at_the_beginning_delays_the_answer() {
    let mut s = office("<Pause length=\"3\"/><Say>hello</Say>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_900);
    assert_eq!(s.state(&caller), UaState::Calling);
    assert_eq!(s.call(&caller).progress, [180]);
    s.pass_ms(400);
    assert_eq!(s.state(&caller), UaState::Up);
    assert!(s.heard_clip(&caller, "hello"));
    s.expect_rest();
}

#[test]
fn a_redirect_keeps_it_ringing() {
    let mut s = office("<Redirect>/next</Redirect><Say>never</Say>");
    let next = Answer::twiml("<Say>next</Say>").after(Duration::from_secs(2));
    s.web().serve("http://web.example/next", next);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_900);
    assert_eq!(s.state(&caller), UaState::Calling);
    s.pass_ms(1_000);
    let heard = s.heard(&caller);
    assert_eq!(clips(&heard), ["next"]);
    s.expect_rest();
}

#[test]
fn audio_that_answers_a_post_is_asked_for_once_and_its_faults_are_the_documents() {
    for broken in [false, true] {
        let mut s = office("");
        s.web().serve(VOICE, Answer::page(200, Some("audio/mpeg"), "sound"));
        s.web().serve(FALLBACK, Answer::twiml("<Say>fallback</Say>"));
        if broken {
            s.world.sounds_broken.push("answer:".to_owned());
            s.world.sound_fault = 13420;
        }
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(5_000);
        let heard = s.heard(&caller);
        assert_eq!(clips(&heard), [if broken { "fallback" } else { "voice" }]);
        let Some(Heard::Clip(key)) = heard.iter().find(|heard| matches!(heard, Heard::Clip(_))) else {
            panic!("{heard:?}")
        };
        assert_eq!(key.starts_with("answer:"), !broken, "{key}");
        assert_eq!(s.asked(VOICE).len(), 1);
    }
}

#[test]
fn sound_and_plain_text_are_documents_too() {
    for (content_type, body, heard) in
        [("audio/mpeg", "sound", "voice"), ("text/plain", "just words", "just words")]
    {
        let mut s = office("");
        s.web().serve(VOICE, Answer::page(200, Some(content_type), body));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(5_000);
        assert!(s.heard_clip(&caller, heard), "{content_type}: {:?}", s.heard(&caller));
        assert_eq!(s.state(&caller), UaState::Over(200));
        s.expect_rest();
    }
}
