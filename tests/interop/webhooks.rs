//! A web server that is down, slow, broken or wrong: never silence on the line.

use std::time::Instant;

use crate::common::network::{in_own_network, loopback};
use crate::common::office::Tandem;
use crate::common::rest::Rest;
use crate::common::rtp::Rtp;
use crate::common::scenario::Scenario;
use crate::common::web::Reply;
use crate::common::{hz, ms, s, tone};
use crate::stage::{CALLER, Caller, NUMBER, answering, office, office_with, web};

/// Runs one call whose `/voice` cannot be had and whose fallback plays the menu prompt.
fn fallback_is_heard(voice: Reply, error_code: &str) {
    let web = web();
    web.on("/voice", move |_| voice.clone());
    web.document("/fallback", "<Play>/menu.wav</Play>");
    let tandem = office_with(&web, &format!("voice_fallback_url = \"{}\"", web.url("/fallback"))).open();
    let mut caller = Caller::calls_until_byed(&tandem);
    caller.hears(hz::MENU, 1.5);
    caller.sipp.succeeds(s(10));
    let fallback = web.wait("/fallback", s(1));
    assert_eq!(fallback.get("ErrorCode"), error_code, "{fallback:?}");
    assert_eq!(fallback.get("ErrorUrl"), web.url("/voice"), "{fallback:?}");
    tandem.wait_call(fallback.get("CallSid"), "completed");
}

#[test]
fn an_error_500_leads_to_the_fallback() {
    in_own_network(|| {
        fallback_is_heard(Reply::new(500, "text/plain", "oops"), "11200");
    });
}

#[test]
fn an_html_page_with_200_leads_to_the_fallback() {
    in_own_network(|| {
        let page = "<!DOCTYPE html><html><body><h1>It works!</h1></body></html>";
        // HTML is tried as TwiML (reference: twiml-voice §1.2), and a document type is refused.
        fallback_is_heard(Reply::new(200, "text/html", page), "12100");
    });
}

#[test]
fn a_document_that_is_no_xml_leads_to_the_fallback() {
    in_own_network(|| {
        let broken = "<Response><Say>unfinished";
        fallback_is_heard(Reply::new(200, "text/xml", broken), "12100");
    });
}

/// One call whose document plays a file that is none.
fn no_audio_leads_to_the_fallback(document: &str, file: Reply, error_code: &str) {
    let web = web();
    web.document("/voice", document).document("/fallback", "<Play>/menu.wav</Play>");
    web.on("/file.wav", move |_| file.clone());
    let tandem = office_with(&web, &format!("voice_fallback_url = \"{}\"", web.url("/fallback"))).open();
    let mut caller = Caller::calls_until_byed(&tandem);
    caller.hears(hz::MENU, 1.5);
    caller.sipp.succeeds(s(10));
    let fallback = web.wait("/fallback", s(1));
    assert_eq!(fallback.get("ErrorCode"), error_code, "{fallback:?}");
    assert_eq!(tone::seconds_with(&caller.rtp.heard(), hz::PROMPT), 0.0, "what follows it is not reached");
    let path = format!("Calls/{}/Notifications.json", fallback.get("CallSid"));
    let (_, told) = Rest::local().get(&path);
    let first = &told["notifications"][0];
    assert_eq!((&first["error_code"], &first["log"]), (&error_code.into(), &"0".into()), "{told}");
}

#[test]
fn a_file_that_is_no_audio_leads_to_the_fallback() {
    in_own_network(|| {
        let noise: Vec<u8> = (0..4_000_u32).map(|n| (n * 7919 % 251) as u8).collect();
        let file = Reply::new(200, "audio/wav", noise);
        no_audio_leads_to_the_fallback("<Play>/file.wav</Play><Play>/prompt.wav</Play>", file, "13420");
    });
}

#[test]
fn a_page_instead_of_a_sound_in_a_gather_leads_to_the_fallback() {
    in_own_network(|| {
        let file = Reply::new(200, "text/html", "<html>no such song</html>");
        let gather = "<Gather timeout=\"1\"><Play>/file.wav</Play></Gather><Play>/prompt.wav</Play>";
        no_audio_leads_to_the_fallback(gather, file, "13325");
    });
}

#[test]
fn a_slow_server_leads_to_the_fallback() {
    in_own_network(|| {
        let web = web();
        web.on("/voice", |_| Reply::twiml("<Play>/prompt.wav</Play>").after(s(6)));
        web.document("/fallback", "<Play>/menu.wav</Play>");
        let slow = web.url("/voice#rt=1500");
        let keys = format!("voice_fallback_url = \"{}\"", web.url("/fallback"));
        let tandem = office(&web).number("+15550002222", &slow, &keys).open();
        let rtp = Rtp::open(loopback(2));
        let scenario = Scenario::caller(CALLER, "+15550002222").invite_answered(&rtp.sdp()).byed();
        let began = Instant::now();
        let mut caller = tandem.carrier_calls(&scenario);
        rtp.talk_to(caller.wait("SIP/2.0 200", s(6)).media().unwrap());
        rtp.wait_tone(hz::MENU, 1.5, began, s(6));
        caller.succeeds(s(10));
        let waited = web.asked("/fallback")[0].at - web.asked("/voice")[0].at;
        assert!(waited > ms(1300) && waited < ms(4000), "{waited:?}");
        assert_eq!(tone::seconds_of(&rtp.heard(), hz::PROMPT), 0.0, "the late document was played");
    });
}

/// A call that nothing can be done for is answered, told so, and hung up: never silence.
fn is_apologised_for(tandem: &Tandem, number: &str) {
    let rtp = Rtp::open(loopback(2));
    let scenario = Scenario::caller(CALLER, number).invite_answered(&rtp.sdp()).byed();
    let mut caller = tandem.carrier_calls(&scenario);
    rtp.talk_to(caller.wait("SIP/2.0 200", s(10)).media().unwrap());
    caller.succeeds(s(20));
    let said = tone::seconds_of_sound(&rtp.heard());
    assert!(said > 0.5, "an apology of {said} s");
}

#[test]
fn a_server_that_is_down_without_fallback_is_apologised_for() {
    in_own_network(|| {
        let web = web();
        let tandem = office(&web).number("+15550002222", "http://127.0.0.9:9999/down", "").open();
        is_apologised_for(&tandem, "+15550002222");
        web.on("/voice", |_| Reply { hang_up: true, ..Reply::empty() });
        is_apologised_for(&tandem, NUMBER);
    });
}

#[test]
fn a_server_that_dies_in_mid_call_is_apologised_for() {
    in_own_network(|| {
        let web = web();
        web.document(
            "/voice",
            r#"<Gather numDigits="1" action="/gone"><Play loop="10">/prompt.wav</Play></Gather>"#,
        );
        web.on("/gone", |_| Reply::new(502, "text/html", "<html>bad gateway</html>"));
        let tandem = office(&web).open();
        let mut caller = Caller::calls_until_byed(&tandem);
        caller.hears(hz::PROMPT, 1.0);
        caller.rtp.press("1");
        web.wait("/gone", s(3));
        let gone = Instant::now() + ms(300);
        caller.sipp.succeeds(s(20));
        let said = tone::seconds_of_other(&caller.rtp.heard_since(gone), &[hz::PROMPT]);
        assert!(said > 0.5, "an apology of {said} s");
        let sid = web.asked("/voice")[0].get("CallSid").to_owned();
        tandem.wait_call(&sid, "completed");
        assert!(tandem.says(&["trace", &sid]).contains("11200"), "the error is in the ladder");
    });
}

#[test]
fn a_missing_sound_and_an_unknown_verb_are_passed_over() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", r#"<Dance tempo="fast"/><Play>/no-such.wav</Play><Play>/menu.wav</Play>"#);
        let tandem = office(&web).open();
        let mut caller = Caller::calls_until_byed(&tandem);
        caller.hears(hz::MENU, 1.5);
        caller.sipp.succeeds(s(10));
        let sid = web.asked("/voice")[0].get("CallSid").to_owned();
        let trace = tandem.says(&["trace", &sid]);
        assert!(trace.contains("Dance") && trace.contains("no-such.wav"), "{trace}");
    });
}

#[test]
fn spoken_text_is_heard() {
    in_own_network(|| {
        let web = web();
        web.document(
            "/voice",
            "<Say>Welcome to the office. Please hold the line, somebody will be with you.</Say>",
        );
        let tandem = office(&web).open();
        let mut caller = Caller::calls_until_byed(&tandem);
        caller.sipp.succeeds(s(20));
        let said = tone::seconds_of_other(&caller.rtp.heard(), &[hz::PROMPT, hz::MENU]);
        assert!(said > 1.0, "{said} s of speech");
    });
}

#[test]
fn status_callbacks_tell_the_call_in_order() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", r#"<Play>/prompt.wav</Play>"#);
        let keys = format!("status_callback = \"{}\"", web.url("/events"));
        let tandem = office_with(&web, &keys).open();
        let mut caller = Caller::calls_until_byed(&tandem);
        caller.sipp.succeeds(s(10));
        let done = web.wait_with("/events", "CallStatus", "completed", s(5));
        assert_eq!(done.get("CallSid"), web.asked("/voice")[0].get("CallSid"));
        assert!(done.get("CallDuration").parse::<u32>().unwrap() >= 1, "{done:?}");
    });
}

/// One leg's events at a receiver that takes its time with each: they come one after the other, in their order, and
/// the two have long been talking.
#[test]
fn a_slow_receiver_gets_a_legs_events_in_order_and_holds_nobody_up() {
    in_own_network(|| {
        let web = web();
        web.on("/slow", |_| Reply::empty().after(ms(1_500)));
        let events = "statusCallback='/slow' statusCallbackEvent='initiated ringing answered completed'";
        web.document("/voice", &format!("<Dial><Client {events}>ann</Client></Dial>"));
        let tandem = office(&web).open();
        let talk = Rtp::open(loopback(12));
        let _ann = tandem.phone("ann", 12, &answering(&talk));
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        caller.rtp.say(hz::CALLER);
        talk.wait_tone(hz::CALLER, 1.0, caller.answered, s(4));
        assert!(web.asked("/slow").len() < 4, "the receiver is still at an earlier one");
        caller.hangs_up();
        web.wait_with("/slow", "CallStatus", "completed", s(10));
        let told = web.asked("/slow");
        let numbers: Vec<&str> = told.iter().map(|event| event.get("SequenceNumber")).collect();
        assert_eq!(numbers, ["0", "1", "2", "3"]);
        for pair in told.windows(2) {
            assert!(pair[1].at - pair[0].at >= ms(1_400), "one after the other");
        }
    });
}
