//! What people say on real sockets: words that are understood, messages that become text, and who answered.

use std::process::Command;
use std::time::Instant;

use media::decode::decode;

use crate::common::network::{in_own_network, loopback};
use crate::common::rtp::Rtp;
use crate::common::{hz, ms, s, tone, wait_for};
use crate::stage::{Caller, answering_until_byed, office, web};

/// A person's words at 8 kHz, with a breath before and after.
fn words(text: &str) -> Vec<i16> {
    let spoken = Command::new("espeak-ng").args(["-v", "en-us", "-s", "140", "--stdout", text]).output();
    let mut wav = spoken.expect("espeak-ng is installed").stdout;
    // It writes the header before it knows the length.
    let length = u32::try_from(wav.len()).unwrap();
    wav[4..8].copy_from_slice(&(length - 8).to_le_bytes());
    wav[40..44].copy_from_slice(&(length - 44).to_le_bytes());
    let breath = [0; 2_400];
    [&breath[..], &decode(wav, Some("wav")).unwrap().pcm, &breath].concat()
}

#[test]
fn a_word_is_understood_and_stops_the_prompt() {
    in_own_network(|| {
        let web = web();
        let prompts = "<Play loop=\"20\">/prompt.wav</Play>";
        web.document(
            "/voice",
            &format!(
                "<Gather input=\"dtmf speech\" action=\"/said\" hints=\"yes, no\" speechTimeout=\"auto\" \
                 partialResultCallback=\"/partial\">{prompts}</Gather>"
            ),
        );
        web.document("/said", "<Play>/menu.wav</Play>");
        web.on("/partial", |_| crate::common::web::Reply::empty());
        let tandem = office(&web).open();
        let mut caller = Caller::calls_until_byed(&tandem);
        caller.hears(hz::PROMPT, 0.5);
        caller.rtp.say_sound(&words("yes"));
        let said = web.wait("/said", s(10));
        assert_eq!(said.get("SpeechResult"), "yes", "{said:?}");
        let confidence: f32 = said.get("Confidence").parse().unwrap();
        assert!((0.0..=1.0).contains(&confidence), "{said:?}");
        assert_eq!((said.get("Language"), said.get("Digits")), ("en-US", ""));
        caller.hears(hz::MENU, 1.5);
        caller.sipp.succeeds(s(10));
        assert!(web.asked("/partial").iter().all(|request| request.get("CallSid") == said.get("CallSid")));
    });
}

#[test]
fn a_message_becomes_text() {
    in_own_network(|| {
        let web = web();
        let record =
            "<Record playBeep=\"false\" transcribe=\"true\" transcribeCallback=\"/text\" action=\"/done\"/>";
        web.document("/voice", record).document("/done", "<Hangup/>");
        web.on("/text", |_| crate::common::web::Reply::empty());
        let tandem = office(&web).open();
        let mut caller = Caller::calls_until_byed(&tandem);
        caller.rtp.say_sound(&words("please call me back tomorrow morning, thank you very much"));
        std::thread::sleep(ms(5_500));
        caller.rtp.press("#");
        caller.sipp.succeeds(s(10));
        let text = web.wait("/text", s(60));
        assert_eq!(text.get("TranscriptionStatus"), "completed", "{text:?}");
        assert!(!text.get("TranscriptionText").is_empty(), "{text:?}");
        assert!(text.get("TranscriptionSid").starts_with("TR") && text.get("RecordingSid").starts_with("RE"));
    });
}

#[test]
fn a_person_who_answers_is_found_out_before_the_bridge() {
    in_own_network(|| says_who_answered(&words("hello?"), "Enable", "human", 500));
}

const GREETING: &str = "you have reached the office of Ann. we are not here at the moment. please leave a message \
                        after the tone and we will call you back";

#[test]
fn a_machine_that_answers_is_found_out_before_the_bridge() {
    in_own_network(|| says_who_answered(&words(GREETING), "Enable", "machine_start", 500));
}

/// Whoever wants to leave a message is not told before there is somebody who listens to it.
#[test]
fn the_beep_of_a_machine_is_waited_for() {
    in_own_network(|| {
        let greeting = words(GREETING);
        let length_ms = greeting.len() / 8;
        let said = [&greeting[..], &tone::sine(1_000.0, 0.5)].concat();
        says_who_answered(&said, "DetectMessageEnd", "machine_end_beep", length_ms);
    });
}

/// A callee says this: what is found out, and after how many milliseconds at least.
fn says_who_answered(said: &[i16], mode: &str, verdict: &str, least_ms: usize) {
    let web = web();
    let number = format!("<Number machineDetection=\"{mode}\" url=\"/whisper\">101</Number>");
    web.document("/voice", &format!("<Dial>{number}</Dial>")).document("/whisper", "<Play>/menu.wav</Play>");
    let tandem = office(&web).open();
    let phone = Rtp::open(loopback(11));
    let mut agent = tandem.phone("ann", 11, &answering_until_byed(&phone));
    let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
    phone.talk_to(agent.wait("INVITE", s(8)).media().unwrap());
    std::thread::sleep(ms(800));
    let began = Instant::now();
    phone.say_sound(said);
    let whisper = web.wait("/whisper", s(25));
    assert_eq!(whisper.get("AnsweredBy"), verdict, "{whisper:?}");
    assert!(whisper.get("MachineDetectionDuration").parse::<usize>().unwrap() > least_ms, "{whisper:?}");
    phone.wait_tone(hz::MENU, 1.5, began, s(5));
    // They talk.
    caller.rtp.say(hz::CALLER);
    phone.wait_tone(hz::CALLER, 1.0, began, s(5));
    caller.hangs_up();
    agent.succeeds(s(5));
    let child =
        wait_for("the call on record", s(5), || tandem.children(&caller_sid(&web)).into_iter().next());
    assert_eq!(child["status"], "completed", "{child}");
}

fn caller_sid(web: &crate::common::web::Web) -> String {
    web.asked("/voice")[0].get("CallSid").to_owned()
}
