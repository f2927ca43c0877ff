//! Flows of real offices, served as plain documents: a greeting with voicemail, three agents at once, a two-part menu.

use std::time::Instant;

use crate::common::network::{in_own_network, loopback};
use crate::common::rtp::Rtp;
use crate::common::scenario::Scenario;
use crate::common::sipp::{Sipp, Transport};
use crate::common::web::Reply;
use crate::common::{hz, ms, s, tone, wait_for};
use crate::stage::{
    Caller, NUMBER, answering, answering_until_byed, office, outside, ringing_until_cancelled, web,
};

#[test]
fn greeting_with_music_and_any_key_leaves_a_message() {
    in_own_network(|| {
        let web = web();
        let greeting = r#"<Gather numDigits="1" action="/key" timeout="10"><Say>Please hold.</Say><Play loop="100">/prompt.wav</Play></Gather>"#;
        web.document("/voice", greeting);
        web.document("/key", r##"<Play>/menu.wav</Play><Record action="/done" playBeep="true" finishOnKey="#" maxLength="30"/>"##);
        web.document("/done", "<Hangup/>");
        let tandem = office(&web).open();
        let mut caller = Caller::calls_until_byed(&tandem);
        // The clip is two seconds long: five are more than two of the hundred rounds.
        caller.hears(hz::PROMPT, 5.0);
        caller.rtp.press("7");
        assert_eq!(web.wait("/key", s(3)).get("Digits"), "7");
        caller.hears(hz::MENU, 1.8);
        let said = Instant::now();
        std::thread::sleep(ms(1200));
        let beep = tone::seconds_of_other(&caller.rtp.heard_since(said), &[hz::MENU, hz::PROMPT]);
        assert!(beep > 0.05, "a beep of {beep} s");
        caller.rtp.say(hz::CALLER);
        std::thread::sleep(s(3));
        caller.rtp.press("#");
        let done = web.wait("/done", s(3));
        assert_eq!(done.get("Digits"), "#");
        let length: u32 = done.get("RecordingDuration").parse().unwrap();
        assert!((2..=6).contains(&length), "{length} s");
        assert!(done.get("RecordingUrl").contains("/Recordings/RE"), "{done:?}");
        caller.sipp.succeeds(s(10));
        let recordings = wait_for("the recording on disk", s(5), || {
            Some(tandem.recordings()).filter(|all| all.len() == 1)
        });
        let heard = tone::seconds_of(&recordings[0][0], hz::CALLER);
        assert!((2.5..3.6).contains(&heard), "{heard} s of the caller in the recording");
        assert_eq!(tone::seconds_of(&recordings[0][0], hz::MENU), 0.0, "the prompt is in the recording");
    });
}

#[test]
fn a_recorded_dial_has_both_voices() {
    in_own_network(|| {
        let web = web();
        let dial = r#"<Dial record="record-from-answer" action="/after" recordingStatusCallback="/recorded"><Client>ann</Client></Dial>"#;
        web.document("/voice", &format!("<Play>/prompt.wav</Play>{dial}"));
        web.document("/after", "<Hangup/>").on("/recorded", |_| crate::common::web::Reply::empty());
        let tandem = office(&web).open();
        let phone = Rtp::open(loopback(11));
        let mut agent = tandem.phone("ann", 11, &answering_until_byed(&phone));
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        phone.talk_to(agent.wait("INVITE", s(8)).media().unwrap()).say(hz::AGENT);
        caller.hears(hz::AGENT, 1.5);
        // First the agent alone, then both, then the caller alone.
        caller.rtp.say(hz::CALLER);
        std::thread::sleep(ms(1500));
        phone.hush();
        std::thread::sleep(ms(1500));
        caller.hangs_up();
        agent.succeeds(s(5));
        let recorded = web.wait("/recorded", s(8));
        assert_eq!(recorded.get("RecordingStatus"), "completed", "{recorded:?}");
        assert!((4..=7).contains(&recorded.get("RecordingDuration").parse::<u32>().unwrap()), "{recorded:?}");
        let recording =
            wait_for("the recording", s(5), || tandem.recordings().into_iter().next()).swap_remove(0);
        let (agent_heard, caller_heard) =
            (tone::seconds_with(&recording, hz::AGENT), tone::seconds_with(&recording, hz::CALLER));
        assert!(agent_heard > 2.5 && caller_heard > 2.5, "agent {agent_heard} s, caller {caller_heard} s");
        assert!(tone::seconds_of(&recording, hz::CALLER) > 1.0, "the caller alone at the end");
        assert!(tone::first_heard(&recording, hz::AGENT).unwrap() < 1.5, "the agent alone at the beginning");
        assert_eq!(tone::seconds_of(&recording, hz::PROMPT), 0.0, "nothing from before the answer");
    });
}

#[test]
fn three_agents_ring_at_once_and_the_second_answers() {
    in_own_network(|| {
        let web = web();
        let agents: String = ["ann", "bob", "cem"]
            .iter()
            .map(|name| {
                format!(
                    "<!-- agent {name} --><Sip statusCallback='{}' statusCallbackEvent='initiated answered completed'>\
                     sip:{name}@127.0.0.1</Sip>",
                    web.url("/events")
                )
            })
            .collect();
        web.document(
            "/voice",
            &format!(
                "<!-- greeting --><Play>/prompt.wav</Play><Dial>{agents}</Dial><Pause length='1'/>\
                 <Redirect method='POST'>/completed</Redirect>"
            ),
        );
        web.document("/completed", "<Play>/menu.wav</Play>");
        let tandem = office(&web).open();
        let mut ann = tandem.phone("ann", 11, &ringing_until_cancelled());
        let talk = Rtp::open(loopback(12));
        let mut bob = tandem.phone(
            "bob",
            12,
            &Scenario::phone()
                .invited()
                .invite_reply(180, "Ringing")
                .until_told()
                .pick_up(&talk.sdp())
                .until_told()
                .hang_up(),
        );
        let mut cem = tandem.phone("cem", 13, &ringing_until_cancelled());

        let mut caller = Caller::calls_until_byed(&tandem);
        caller.rtp.say(hz::CALLER);
        caller.hears(hz::PROMPT, 1.8);
        let invite = bob.wait("INVITE", s(5));
        ann.wait("INVITE", s(1));
        cem.wait("INVITE", s(1));
        let initiated = wait_for("three initiated events", s(3), || {
            let all: Vec<_> = web
                .asked("/events")
                .into_iter()
                .filter(|event| event.get("CallStatus") == "initiated")
                .collect();
            (all.len() == 3).then_some(all)
        });
        let spread =
            initiated.iter().map(|e| e.at).max().unwrap() - initiated.iter().map(|e| e.at).min().unwrap();
        assert!(spread < ms(500), "{spread:?} between the first and the last");
        let parent = web.asked("/voice")[0].get("CallSid").to_owned();
        let mut sids: Vec<&str> = initiated.iter().map(|event| event.get("CallSid")).collect();
        sids.sort_unstable();
        sids.dedup();
        assert_eq!(sids.len(), 3, "each leg is a call of its own");
        assert!(initiated.iter().all(|event| event.get("ParentCallSid") == parent), "{initiated:?}");

        std::thread::sleep(ms(500));
        bob.go_on();
        let answered = web.wait_with("/events", "CallStatus", "in-progress", s(3));
        assert!(answered.get("To").starts_with("sip:bob@"), "{answered:?}");
        talk.talk_to(invite.media().unwrap()).say(hz::AGENT);
        ann.succeeds(s(5));
        cem.succeeds(s(5));
        caller.hears(hz::AGENT, 1.0);
        talk.wait_tone(hz::CALLER, 1.0, caller.answered, s(5));
        bob.go_on();
        bob.succeeds(s(5));
        // The document goes on after the Dial, which has no action.
        let completed = web.wait("/completed", s(5));
        assert_eq!((completed.method.as_str(), completed.get("CallSid")), ("POST", parent.as_str()));
        caller.hears(hz::MENU, 1.5);
        caller.sipp.succeeds(s(10));
        let over = web.wait_with("/events", "CallStatus", "completed", s(3));
        assert_eq!(over.get("CallSid"), answered.get("CallSid"));
        let first = &tandem.children(&parent);
        assert_eq!(first.len(), 3, "{first:?}");
    });
}

#[test]
fn message_menu_and_connection() {
    in_own_network(|| {
        let web = web();
        web.document(
            "/voice",
            r#"<Gather action="/menu" numDigits="1" timeout="0"><Play>/prompt.wav</Play></Gather><Redirect>/menu</Redirect>"#,
        );
        web.on("/menu", |request| {
            use crate::common::web::Reply;
            match request.get("Digits") {
                "1" => Reply::twiml("<Redirect>/connect</Redirect>"),
                "2" => Reply::twiml("<Redirect>/voice</Redirect>"),
                _ => Reply::twiml(
                    r#"<Gather action="/menu" numDigits="1" timeout="10"><Play>/menu.wav</Play></Gather><Redirect>/menu?iterator=1</Redirect>"#,
                ),
            }
        });
        web.document(
            "/connect",
            r#"<Dial action="/target" callerId="+15550001111"><Number sendDigits="234">+15558880001</Number></Dial>"#,
        );
        web.document("/target", "");
        let tandem = office(&web).open();
        let talk = Rtp::open(loopback(2));
        let mut target = outside(&answering(&talk));

        let mut caller = Caller::calls_until_byed(&tandem);
        caller.rtp.say(hz::CALLER);
        // The message, then at once the menu: no key was pressed.
        caller.hears(hz::PROMPT, 1.8);
        assert_eq!(web.wait("/menu", s(3)).get("Digits"), "");
        caller.hears(hz::MENU, 1.0);
        // 2: the message again, from its beginning.
        let again = Instant::now();
        caller.rtp.press("2");
        web.wait_nth("/voice", 2, s(3));
        caller.rtp.wait_tone(hz::PROMPT, 1.0, again, s(4));
        // A key during the message acts as the menu's choice and stops it.
        let pressed = Instant::now();
        caller.rtp.press("1");
        web.wait("/connect", s(3));
        let invite = target.wait("INVITE sip:+15558880001@", s(5));
        assert!(invite.header("From").contains("+15550001111"), "{}", invite.text);
        let went_on = tone::seconds_of(&caller.rtp.heard_since(pressed), hz::PROMPT);
        assert!(went_on < 0.7, "the message went on for {went_on} s");
        talk.talk_to(invite.media().unwrap()).say(hz::AGENT);
        wait_for("the extension's keys", s(4), || (talk.keys() == "234").then_some(()));
        caller.rtp.wait_tone(hz::AGENT, 1.0, pressed, s(5));
        talk.wait_tone(hz::CALLER, 1.0, pressed, s(5));
        assert_eq!(web.asked("/menu").len(), 3);
        assert_eq!(web.asked("/voice").len(), 2);
        assert!(invite.start().contains("+15558880001") && web.asked("/voice")[0].get("To") == NUMBER);
        // The target hangs up; an empty document follows: nothing is left to do.
        target.go_on();
        target.succeeds(s(5));
        assert_eq!(web.wait("/target", s(3)).get("DialCallStatus"), "completed");
        caller.sipp.succeeds(s(5));
    });
}

#[test]
fn a_sound_that_comes_as_slowly_as_it_is_heard_is_heard_at_once() {
    in_own_network(|| {
        let web = web();
        // Eight seconds, sent in eight.
        let live = tone::wav(&tone::sine(hz::PROMPT, 8.0));
        web.on("/live.wav", move |_| Reply::new(200, "audio/wav", live.clone()).paced(1_600, ms(100)));
        web.document("/voice", "<Play>/live.wav</Play>");
        let tandem = office(&web).open();
        let mut first = Caller::calls_until_byed(&tandem);
        first.rtp.wait_tone(hz::PROMPT, 1.0, first.answered, s(5));
        // One who calls later hears it from its beginning, while it still comes.
        let rtp = Rtp::open(loopback(3));
        let scenario = Scenario::caller("+15557770002", NUMBER).invite_answered(&rtp.sdp()).byed();
        let mut second =
            Sipp::call(&scenario.xml(), Transport::Udp, (loopback(2), 5085).into(), tandem.sip());
        rtp.talk_to(second.wait("SIP/2.0 200", s(10)).media().unwrap());
        rtp.wait_tone(hz::PROMPT, 1.0, first.answered, s(5));
        assert!(first.answered.elapsed() < s(8), "it was heard before it was whole");
        first.sipp.succeeds(s(15));
        second.succeeds(s(15));
        for heard in [first.rtp.heard(), rtp.heard()] {
            let seconds = tone::seconds_of(&heard, hz::PROMPT);
            assert!((7.5..8.3).contains(&seconds), "{seconds} s");
        }
        assert_eq!(web.asked("/live.wav").len(), 1);
    });
}
