//! The bench itself, without the box: SIPp and baresip hear each other, and what is heard is measured.

use std::time::Instant;

use crate::common::baresip::{Account, Baresip};
use crate::common::network::{Line, in_own_network, loopback};
use crate::common::rtp::Rtp;
use crate::common::scenario::{OWN_AUDIO, Scenario};
use crate::common::sipp::{Sipp, Transport};
use crate::common::{hz, ms, s, tone, wait_for};

fn phone<'a>(user: &'a str, line: &Line, tone: f64) -> Account<'a> {
    Account { tone, expires: 0, ..Account::of(user, line.far) }
}

#[test]
fn sipp_and_baresip_hear_each_other() {
    in_own_network(|| {
        let line = Line::lay(1);
        let agent = Baresip::start(&line, &phone("ann", &line, hz::AGENT));
        let rtp = Rtp::open(line.near);
        let scenario = Scenario::caller("+15557770001", "ann").invite_answered(&rtp.sdp()).until_told().bye();
        let mut caller =
            Sipp::call(&scenario.xml(), Transport::Udp, (line.near, 5070).into(), (line.far, 5060).into());
        let answer = caller.wait("SIP/2.0 200", s(5));
        let began = Instant::now();
        rtp.talk_to(answer.media().unwrap()).say(hz::CALLER);
        rtp.wait_tone(hz::AGENT, 1.5, began, s(5));
        rtp.press("5#");
        wait_for("the keys to be pressed", s(3), || (agent.seen("CALL_DTMF_START").len() == 2).then_some(()));
        std::thread::sleep(ms(500));
        caller.go_on();
        caller.succeeds(s(5));
        agent.wait("CALL_CLOSED", s(5));
        let heard =
            wait_for("the recording", s(3), || Some(agent.heard()).filter(|heard| heard.len() > 8000));
        assert!(tone::seconds_of(&heard, hz::CALLER) > 1.0, "{}", tone::seconds_of(&heard, hz::CALLER));
        assert_eq!(tone::seconds_of(&heard, hz::AGENT), 0.0);
    })
}

#[test]
fn sipp_has_audio_of_its_own() {
    in_own_network(|| {
        let line = Line::lay(1);
        let agent = Baresip::start(&line, &phone("ann", &line, hz::AGENT));
        let scenario = Scenario::caller("+15557770001", "ann")
            .invite_answered(OWN_AUDIO)
            .say_caller_tone()
            .pause(2500)
            .bye();
        let mut caller =
            Sipp::call(&scenario.xml(), Transport::Udp, (line.near, 5070).into(), (line.far, 5060).into());
        caller.succeeds(s(10));
        agent.wait("CALL_CLOSED", s(5));
        let heard =
            wait_for("the recording", s(3), || Some(agent.heard()).filter(|heard| heard.len() > 8000));
        assert!(tone::seconds_of(&heard, hz::CALLER) > 1.5, "{}", tone::seconds_of(&heard, hz::CALLER));
    })
}

#[test]
fn baresip_and_baresip_hear_each_other() {
    in_own_network(|| {
        // Two cables into one network: the phones reach each other through it, as through an office switch.
        let (left, right) = (Line::lay(1), Line::lay(2));
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        let mut ann = Baresip::start(&left, &phone("ann", &left, hz::AGENT));
        let bob = Baresip::start(&right, &phone("bob", &right, hz::CALLER));
        ann.dial(&format!("sip:bob@{}", right.far));
        ann.wait("CALL_ESTABLISHED", s(5));
        std::thread::sleep(s(1));
        ann.press("7");
        wait_for("the key", s(3), || (bob.seen("CALL_DTMF_START").len() == 1).then_some(()));
        std::thread::sleep(s(1));
        ann.hang_up();
        bob.wait("CALL_CLOSED", s(5));
        for (phone, tone) in [(&ann, hz::CALLER), (&bob, hz::AGENT)] {
            let heard =
                wait_for("the recording", s(3), || Some(phone.heard()).filter(|heard| heard.len() > 8000));
            assert!(tone::seconds_of(&heard, tone) > 1.0, "{}", tone::seconds_of(&heard, tone));
        }
    })
}

#[test]
fn sipp_calls_over_tcp_and_a_phone_refuses() {
    in_own_network(|| {
        let (carrier, phone) = (loopback(2), loopback(11));
        let refuse = Scenario::phone()
            .invited()
            .invite_reply(180, "Ringing")
            .pause(300)
            .invite_reply(486, "Busy Here")
            .request("ACK");
        let mut called = Sipp::answer(&refuse.xml(), Transport::Tcp, (phone, 5060).into());
        let rtp = Rtp::open(carrier);
        let scenario = Scenario::caller("+15557770001", "ann")
            .invite(&rtp.sdp(), "")
            .provisional()
            .response(486)
            .ack_refusal();
        let mut caller =
            Sipp::call(&scenario.xml(), Transport::Tcp, (carrier, 5080).into(), (phone, 5060).into());
        caller.succeeds(s(5));
        called.succeeds(s(5));
    })
}

#[test]
fn sipp_phone_picks_up_talks_and_hangs_up_when_told() {
    in_own_network(|| {
        let (carrier, phone) = (loopback(2), loopback(11));
        let (near, far) = (Rtp::open(carrier), Rtp::open(phone));
        let answer = Scenario::phone()
            .invited()
            .invite_reply(180, "Ringing")
            .until_told()
            .pick_up(&far.sdp())
            .until_told()
            .hang_up();
        let mut agent = Sipp::answer(&answer.xml(), Transport::Udp, (phone, 5060).into());
        let scenario = Scenario::caller("+15557770001", "ann")
            .invite(&near.sdp(), "")
            .provisional()
            .response(200)
            .ack()
            .byed();
        let mut caller =
            Sipp::call(&scenario.xml(), Transport::Udp, (carrier, 5080).into(), (phone, 5060).into());
        caller.wait("SIP/2.0 180", s(5));
        agent.go_on();
        let began = Instant::now();
        near.talk_to(caller.wait("SIP/2.0 200", s(5)).media().unwrap()).say(hz::CALLER);
        far.talk_to(agent.wait("INVITE", s(5)).media().unwrap()).say(hz::AGENT);
        near.wait_tone(hz::AGENT, 1.0, began, s(5));
        far.wait_tone(hz::CALLER, 1.0, began, s(5));
        near.press("12#");
        wait_for("keys", s(3), || (far.keys() == "12#").then_some(()));
        agent.go_on();
        agent.succeeds(s(5));
        caller.succeeds(s(5));
    })
}

#[test]
fn a_tone_survives_g711_and_is_told_from_its_neighbours() {
    for hz in [440.0, 550.0, 700.0, 900.0] {
        let pcm = tone::sine(hz, 1.0);
        let ulaw: Vec<i16> = pcm.iter().map(|&x| tone::ulaw_decode(tone::ulaw_encode(x))).collect();
        let alaw: Vec<i16> = pcm.iter().map(|&x| tone::alaw_decode(tone::alaw_encode(x))).collect();
        for heard in [&ulaw, &alaw] {
            assert!(tone::share(heard, hz) > 0.99, "{hz}: {}", tone::share(heard, hz));
            assert!((tone::seconds_of(heard, hz) - 1.0).abs() < 0.06);
            assert_eq!(tone::seconds_of(heard, hz + 150.0), 0.0);
        }
    }
    assert_eq!(tone::seconds_of(&[0; 8000], 440.0), 0.0);
}

#[test]
fn a_wav_file_reads_back() {
    let pcm = tone::sine(440.0, 0.1);
    assert_eq!(tone::read_wav(&tone::wav(&pcm)), vec![pcm]);
}
