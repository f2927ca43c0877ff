//! Whole flows of applications that exist: a voicemail menu, a campaign's call tool, a support line.

use sim::{Answer, Heard, NUMBER, Scenario, UaState, VOICE, param};
use std::time::Duration;
use twiml::{CallStatus, RecordingStatus};

use crate::{EVENTS, office};

/// A greeting with music; any key leads to voicemail; hanging up ends it.
fn voicemail() -> Scenario {
    let mut s = office(
        "<Gather numDigits=\"1\" action=\"/flow?event=voicemail\"><Say>welcome</Say>\
         <Play loop=\"100\">/music.mp3</Play></Gather>",
    );
    let page = "<Say>leave a message</Say><Record action=\"/flow?event=voicemail_complete\"/>";
    s.web().answer_next("http://web.example/flow", Answer::twiml(page));
    s.web().answer_next("http://web.example/flow", Answer::twiml(""));
    s
}

#[test]
fn voicemail_by_any_key() {
    let mut s = voicemail();
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(30_000);
    assert!(s.heard_clip(&caller, "welcome") && s.heard_clip(&caller, "music"));
    s.presses(&caller, "8");
    s.pass_ms(4_000);
    assert!(s.heard_clip(&caller, "leave a message"));
    s.pass_ms(10_000);
    s.presses(&caller, "#");
    s.pass_ms(1_000);
    assert_eq!(s.state(&caller), UaState::Over(200));
    let asked = s.asked("http://web.example/flow");
    assert_eq!(asked[0].url, "http://web.example/flow?event=voicemail");
    assert_eq!(param(&asked[0], "Digits"), Some("8"));
    assert_eq!(asked[1].url, "http://web.example/flow?event=voicemail_complete");
    assert_eq!(param(&asked[1], "Digits"), Some("#"));
    assert_eq!(s.recordings()[0].status, RecordingStatus::Completed);
    s.expect_rest();
}

#[test]
fn voicemail_is_left_by_hanging_up() {
    let mut s = voicemail();
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    s.hangs_up(&caller);
    s.pass_ms(2_000);
    assert!(s.asked("http://web.example/flow").is_empty());
    assert_eq!(s.rows()[0].status, CallStatus::Completed);
    s.expect_rest();
}

const MENU: &str = "http://web.example/menu";

/// A message, then a menu: 1 connects, 2 plays the message again. A key during the message counts already.
fn campaign() -> Scenario {
    let message = "<Gather action=\"/menu\" numDigits=\"1\" timeout=\"0\"><Play>/message.mp3</Play></Gather>\
                   <Redirect>/menu</Redirect>";
    let mut s = office(message);
    s.world.media.clips.insert("url:http://web.example/message.mp3".to_owned(), Duration::from_secs(10));
    let menu = "<Gather action=\"/menu\" numDigits=\"1\" timeout=\"10\"><Play>/menu.mp3</Play></Gather>\
                <Redirect>/menu?iterator=1</Redirect>";
    s.web().serve(MENU, Answer::twiml(menu));
    s.web().serve("http://web.example/connect", Answer::twiml("<Dial><Client>ann</Client></Dial>"));
    s
}

fn key(s: &mut Scenario, leads_to: &str) {
    s.web().answer_next(MENU, Answer::twiml(&format!("<Redirect>{leads_to}</Redirect>")));
}

#[test]
fn a_key_during_the_campaigns_message_is_the_menus_choice() {
    let mut s = campaign();
    let ann = s.phone("ann");
    key(&mut s, "/connect");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    s.presses(&caller, "1");
    s.pass_ms(100);
    let heard = s.heard(&caller);
    assert!(heard.contains(&Heard::Silence), "the clip stops: {heard:?}");
    s.pass_ms(1_500);
    let asked = s.asked(MENU);
    assert_eq!((asked.len(), param(&asked[0], "Digits")), (1, Some("1")));
    let to_ann = s.latest(ann).expect("it rings");
    assert!(s.bridged(&caller, &to_ann));
    assert!(!s.heard_clip(&caller, "menu.mp3"));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn without_a_key_the_campaigns_menu_follows_and_repeats() {
    let mut s = campaign();
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(10_500);
    let first = s.asked(MENU);
    assert_eq!((first.len(), param(&first[0], "Digits")), (1, None));
    assert!(s.heard_clip(&caller, "menu.mp3"));
    s.pass_ms(12_500);
    let again = s.asked(MENU);
    assert_eq!(again.last().map(|asked| asked.url.as_str()), Some("http://web.example/menu?iterator=1"));
    key(&mut s, "/voice");
    s.presses(&caller, "2");
    s.pass_ms(1_000);
    assert_eq!(s.asked(VOICE).len(), 2, "the message is played again");
    s.hangs_up(&caller);
    s.expect_rest();
}

/// A greeting, all agents at once, no action: after the talk or without one, the document goes on.
fn support() -> Scenario {
    let mut s = office(
        "<!-- inbound --><Say>welcome</Say>\
         <Dial record=\"record-from-answer-dual\"><!-- agents -->\
         <Sip statusCallback='/events' statusCallbackEvent='initiated answered completed'>sip:ann@192.0.2.1</Sip>\
         <Sip statusCallback='/events' statusCallbackEvent='initiated answered completed'>sip:bob@192.0.2.1</Sip>\
         </Dial><Pause length=\"1\"/><Redirect method=\"POST\">/completed</Redirect>",
    );
    s.web().serve("http://web.example/completed", Answer::twiml("<Say>goodbye</Say>"));
    s
}

#[test]
fn a_support_line_goes_on_after_the_talk() {
    let mut s = support();
    let (ann, bob) = (s.phone("ann"), s.phone("bob"));
    s.will(ann, sim::Reaction::Ignore);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(4_000);
    let (to_ann, to_bob) = (s.latest(ann).expect("ann rings"), s.latest(bob).expect("bob rings"));
    assert!(s.bridged(&caller, &to_bob));
    assert_eq!(s.state(&to_ann), UaState::Over(487));
    s.hangs_up(&to_bob);
    s.pass_ms(2_000);
    assert_eq!(s.asked("http://web.example/completed").len(), 1);
    assert!(s.heard_clip(&caller, "goodbye"));
    assert_eq!(s.recordings()[0].status, RecordingStatus::Completed);
    let told: Vec<_> = s.asked(EVENTS);
    let of = |status: &str| told.iter().filter(|asked| param(asked, "CallStatus") == Some(status)).count();
    assert_eq!((of("initiated"), of("in-progress"), of("completed"), of("no-answer")), (2, 1, 1, 1));
    s.expect_rest();
}

#[test]
fn a_support_line_goes_on_when_nobody_is_there() {
    let mut s = support();
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(5_000);
    assert!(s.heard_clip(&caller, "goodbye"));
    assert_eq!(s.notifications(), [32009, 32009]);
    s.pass_ms(2_000);
    assert_eq!(s.state(&caller), UaState::Over(200));
    s.expect_rest();
}
