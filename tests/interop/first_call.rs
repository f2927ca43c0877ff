//! The first call: a carrier's caller, a document, a prompt, a key, an agent's phone, and both hear each other.

use std::time::Instant;

use crate::common::baresip::{Account, Baresip};
use crate::common::network::{Line, in_own_network, loopback};
use crate::common::office::{AUTH_TOKEN, Tandem};
use crate::common::rtp::Rtp;
use crate::common::scenario::{OWN_AUDIO, Scenario};
use crate::common::sipp::{Sipp, Transport};
use crate::common::web::{Request, Web};
use crate::common::{hz, ms, s, tone, wait_for};
use crate::stage::{CALLER, Caller, NUMBER, office, web};

fn menu_then_ann(web: &Web) {
    web.document(
        "/voice",
        r#"<Gather numDigits="1" action="/key" timeout="20"><Play loop="10">/prompt.wav</Play></Gather>"#,
    );
    web.document("/key", r#"<Dial action="/after" timeout="20"><Client>ann</Client></Dial>"#);
    web.document("/after", "<Hangup/>");
}

fn ann<'a>(line: &Line, transport: &'a str, auto_answer: bool) -> Account<'a> {
    Account { transport, auto_answer, ..Account::of("ann", line.near) }
}

/// Everything of the reference's standard parameters a document fetch of this call must carry, signed.
fn assert_standard_and_signed(web: &Web, request: &Request) {
    for (name, value) in
        [("From", CALLER), ("To", NUMBER), ("Direction", "inbound"), ("ApiVersion", "2010-04-01")]
    {
        assert_eq!(request.get(name), value, "{name} in {request:?}");
    }
    assert!(request.get("CallSid").starts_with("CA") && request.get("CallSid").len() == 34, "{request:?}");
    let params: Vec<(String, String)> = request.form.clone().into_iter().collect();
    let signature = twiml::signature(AUTH_TOKEN, &web.url(&request.target), &params);
    assert_eq!(request.headers["x-twilio-signature"], signature);
    let wrong = twiml::signature("another token", &web.url(&request.target), &params);
    assert_ne!(request.headers["x-twilio-signature"], wrong);
}

fn assert_on_record(tandem: &Tandem, sid: &str) {
    let parent = tandem.wait_call(sid, "completed");
    assert_eq!((&parent["from"], &parent["to"]), (&CALLER.into(), &NUMBER.into()), "{parent}");
    let children = tandem.children(sid);
    assert_eq!(children.len(), 1, "{children:?}");
    assert_eq!(children[0]["status"], "completed", "{children:?}");
    let trace = tandem.says(&["trace", sid]);
    for part in ["INVITE", "/voice", "Gather", "Dial", "BYE"] {
        assert!(trace.contains(part), "{part} is missing in the ladder:\n{trace}");
    }
}

#[test]
fn carrier_over_udp_prompt_key_agent_both_heard_and_recorded() {
    in_own_network(|| {
        let web = web();
        menu_then_ann(&web);
        let line = Line::lay(1);
        let tandem = office(&web).listen(line.near).open();
        let mut agent = Baresip::start(&line, &ann(&line, "udp", false));
        agent.registered();

        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        caller.rtp.say(hz::CALLER);
        caller.hears(hz::PROMPT, 1.0);
        caller.rtp.press("1");
        let pressed = Instant::now();
        let key = web.wait("/key", s(3));
        assert_eq!(key.get("Digits"), "1");
        assert!(key.at - pressed < ms(1000), "the key took {:?}", key.at - pressed);
        for request in [web.wait("/voice", s(1)), key] {
            assert_standard_and_signed(&web, &request);
        }
        assert_eq!(web.asked("/voice")[0].get("CallStatus"), "ringing");

        agent.wait("CALL_INCOMING", s(5));
        assert_eq!(
            tone::seconds_of(&caller.rtp.heard_since(pressed + ms(1000)), hz::PROMPT),
            0.0,
            "the prompt went on"
        );
        agent.pick_up();
        agent.wait("CALL_ESTABLISHED", s(5));
        let bridged = Instant::now();
        caller.rtp.wait_tone(hz::AGENT, 2.0, bridged, s(6));
        caller.hangs_up();
        agent.wait("CALL_CLOSED", s(5));
        let heard =
            wait_for("what the agent heard", s(3), || Some(agent.heard()).filter(|heard| heard.len() > 8000));
        assert!(tone::seconds_of(&heard, hz::CALLER) > 1.5, "{} s", tone::seconds_of(&heard, hz::CALLER));
        assert_eq!(tone::seconds_of(&heard, hz::AGENT), 0.0, "the agent heard itself");
        assert_eq!(tone::seconds_of(&caller.rtp.heard(), hz::CALLER), 0.0, "the caller heard itself");

        let sid = web.asked("/voice")[0].get("CallSid").to_owned();
        assert_on_record(&tandem, &sid);
        assert_eq!(web.asked("/after").len(), 1, "a caller who hangs up still ends the Dial");
        assert_eq!(web.asked("/after")[0].get("DialCallStatus"), "completed");
    });
}

#[test]
fn carrier_over_tcp_and_agent_over_tcp_who_hangs_up_first() {
    in_own_network(|| {
        let web = web();
        menu_then_ann(&web);
        web.document("/after", "<Play>/menu.wav</Play><Hangup/>");
        let line = Line::lay(1);
        let tandem = office(&web).listen(line.near).open();
        let mut agent = Baresip::start(&line, &ann(&line, "tcp", true));
        agent.registered();

        let rtp = Rtp::open(loopback(2));
        let scenario = Scenario::caller(CALLER, NUMBER).invite_answered(&rtp.sdp()).byed();
        let mut caller =
            Sipp::call(&scenario.xml(), Transport::Tcp, (loopback(2), 5081).into(), tandem.sip());
        let answer = caller.wait("SIP/2.0 200", s(10));
        let answered = Instant::now();
        rtp.talk_to(answer.media().unwrap()).say(hz::CALLER);
        rtp.wait_tone(hz::PROMPT, 1.0, answered, s(5));
        rtp.press("1");
        agent.wait("CALL_ESTABLISHED", s(5));
        rtp.wait_tone(hz::AGENT, 2.0, answered, s(6));
        agent.hang_up();
        let after = web.wait("/after", s(3));
        assert_eq!(after.get("DialCallStatus"), "completed");
        assert!(after.get("DialCallDuration").parse::<u32>().unwrap() >= 1, "{after:?}");
        assert!(after.get("DialCallSid").starts_with("CA"), "{after:?}");
        rtp.wait_tone(hz::MENU, 1.5, answered, s(5));
        caller.succeeds(s(10));
        let heard =
            wait_for("what the agent heard", s(3), || Some(agent.heard()).filter(|heard| heard.len() > 8000));
        assert!(tone::seconds_of(&heard, hz::CALLER) > 1.5, "{} s", tone::seconds_of(&heard, hz::CALLER));
        let sid = web.asked("/voice")[0].get("CallSid").to_owned();
        assert_on_record(&tandem, &sid);
    });
}

/// Nobody is registered when the call comes; whoever is told wakes the phone, which registers, rings and talks.
#[test]
fn a_phone_that_is_woken_rings_and_is_heard() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", "<Dial><Client clientNotificationUrl='/events'>ann</Client></Dial>");
        let line = Line::lay(1);
        let tandem = office(&web).listen(line.near).open();
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        caller.rtp.say(hz::CALLER);
        assert_eq!(web.wait("/events", s(5)).get("Client"), "client:ann");
        // It rings and answers before anybody can ask it what happens.
        let agent = Baresip::start(&line, &ann(&line, "udp", true));
        caller.hears(hz::AGENT, 1.5);
        caller.hangs_up();
        agent.wait("CALL_CLOSED", s(5));
        let heard =
            wait_for("what the agent heard", s(3), || Some(agent.heard()).filter(|heard| heard.len() > 8000));
        assert!(tone::seconds_of(&heard, hz::CALLER) > 1.0, "{} s", tone::seconds_of(&heard, hz::CALLER));
    });
}

#[test]
fn sipps_own_audio_reaches_baresip() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", "<Dial><Client>ann</Client></Dial>");
        let line = Line::lay(1);
        let tandem = office(&web).listen(line.near).open();
        let agent = Baresip::start(&line, &ann(&line, "udp", true));
        agent.registered();
        let scenario =
            Scenario::caller(CALLER, NUMBER).invite_answered(OWN_AUDIO).say_caller_tone().until_told().bye();
        let mut caller = tandem.carrier_calls(&scenario);
        agent.wait("CALL_ESTABLISHED", s(8));
        std::thread::sleep(ms(2500));
        caller.go_on();
        caller.succeeds(s(5));
        agent.wait("CALL_CLOSED", s(5));
        let heard =
            wait_for("what the agent heard", s(3), || Some(agent.heard()).filter(|heard| heard.len() > 8000));
        assert!(tone::seconds_of(&heard, hz::CALLER) > 1.5, "{} s", tone::seconds_of(&heard, hz::CALLER));
    });
}

#[test]
fn a_phone_calls_another_phone_by_its_extension() {
    in_own_network(|| {
        let web = web();
        let (left, right) = (Line::lay(1), Line::lay(2));
        let tandem = office(&web).listen(left.near).listen(right.near).open();
        let mut agent = Baresip::start(&left, &ann(&left, "udp", false));
        let colleague =
            Account { user: "bob", tone: hz::CALLER, auto_answer: true, ..ann(&right, "tcp", true) };
        let colleague = Baresip::start(&right, &colleague);
        agent.registered();
        colleague.registered();
        agent.dial(&format!("sip:102@{}", left.near));
        agent.wait("CALL_ESTABLISHED", s(5));
        colleague.wait("CALL_ESTABLISHED", s(5));
        std::thread::sleep(ms(2500));
        agent.hang_up();
        colleague.wait("CALL_CLOSED", s(5));
        for (phone, hz) in [(&agent, hz::CALLER), (&colleague, hz::AGENT)] {
            let heard = wait_for("what the phone heard", s(3), || {
                Some(phone.heard()).filter(|heard| heard.len() > 8000)
            });
            assert!(tone::seconds_of(&heard, hz) > 1.5, "{hz} Hz: {} s", tone::seconds_of(&heard, hz));
        }
        wait_for("both legs on record", s(5), || {
            let calls = tandem.calls();
            (calls.len() == 2 && calls.iter().all(|call| call["status"] == "completed")).then_some(())
        });
    });
}

#[test]
fn a_phone_dials_the_offices_number() {
    in_own_network(|| {
        let web = web();
        web.document(
            "/voice",
            r#"<Gather numDigits="1" action="/key"><Play loop="10">/prompt.wav</Play></Gather>"#,
        );
        web.document("/key", "<Play>/menu.wav</Play><Hangup/>");
        let line = Line::lay(1);
        let tandem = office(&web).listen(line.near).open();
        let mut phone = Baresip::start(&line, &ann(&line, "udp", false));
        phone.registered();
        phone.dial(&format!("sip:{NUMBER}@{}", line.near));
        phone.wait("CALL_ESTABLISHED", s(8));
        std::thread::sleep(ms(1500));
        phone.press("5");
        let key = web.wait("/key", s(3));
        assert_eq!((key.get("Digits"), key.get("Direction")), ("5", "inbound"));
        assert!(key.get("From").contains("ann"), "{key:?}");
        // The menu is two seconds long; then the box hangs up.
        phone.wait("CALL_CLOSED", s(8));
        let heard =
            wait_for("what the phone heard", s(3), || Some(phone.heard()).filter(|heard| heard.len() > 8000));
        let (prompt, menu) = (tone::seconds_of(&heard, hz::PROMPT), tone::seconds_of(&heard, hz::MENU));
        assert!(prompt > 1.0 && menu > 1.7, "prompt {prompt} s, menu {menu} s");
        tandem.wait_call(key.get("CallSid"), "completed");
    });
}

#[test]
fn a_caller_who_speaks_a_law_hears_and_is_heard() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", r#"<Play>/prompt.wav</Play><Dial><Client>ann</Client></Dial>"#);
        let tandem = office(&web).open();
        let phone = Rtp::open(loopback(11));
        let mut agent = tandem.phone("ann", 11, &crate::stage::answering_until_byed(&phone));

        let rtp = Rtp::open(loopback(2));
        rtp.payload_type(8);
        let scenario =
            Scenario::caller(CALLER, NUMBER).invite_answered(&rtp.sdp_with("8 101")).until_told().bye();
        let mut caller = tandem.carrier_calls(&scenario);
        let began = Instant::now();
        rtp.talk_to(caller.wait("SIP/2.0 200", s(5)).media().unwrap()).say(hz::CALLER);
        rtp.wait_tone(hz::PROMPT, 1.8, began, s(5));
        phone.talk_to(agent.wait("INVITE", s(5)).media().unwrap()).say(hz::AGENT);
        rtp.wait_tone(hz::AGENT, 1.0, began, s(5));
        phone.wait_tone(hz::CALLER, 1.0, began, s(5));
        assert!(rtp.packets().iter().all(|packet| packet.payload_type != 0), "only A-law was offered");
        caller.go_on();
        caller.succeeds(s(5));
        agent.succeeds(s(5));
    });
}
