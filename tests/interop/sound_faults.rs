//! What is wrong with the sound of a call stands in its ladder within seconds, by name, and that it is over.

use std::time::Instant;

use crate::common::network::{in_own_network, loopback};
use crate::common::office::Tandem;
use crate::common::rtp::Rtp;
use crate::common::web::Web;
use crate::common::{hz, ms, s, wait_for};
use crate::stage::{Caller, office, web};

/// A fault must be seen for two whole seconds, and the second in which it begins may be half over.
const WITHIN: std::time::Duration = s(5);

fn ladder_says(tandem: &Tandem, web: &Web, what: &str) {
    let sid = web.asked("/voice")[0].get("CallSid").to_owned();
    wait_for(what, WITHIN, || tandem.says(&["trace", &sid]).contains(what).then_some(()));
}

#[test]
fn each_fault_of_the_sound_is_named_within_seconds() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", "<Play loop=\"0\">/prompt.wav</Play>");
        let tandem = office(&web).open();
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        let says = |what: &str| ladder_says(&tandem, &web, what);
        says("sound: silence");
        caller.rtp.say(hz::CALLER);
        says("sound: over: silence");
        caller.rtp.payload_type(3);
        says("sound: wrong codec: what comes has payload type 3");
        caller.rtp.payload_type(0);
        says("sound: over: wrong codec");
        let there = caller.sipp.wait("SIP/2.0 200", s(1)).media().unwrap();
        caller.rtp.vanish();
        says("sound: one-way audio");
        let stranger = Rtp::open(loopback(3));
        stranger.talk_to(there).say(hz::MENU);
        says("sound: over: one-way audio");
        says("sound: wrong source");
        assert!(stranger.packets().is_empty(), "nobody is spoken to who only sends");
        drop(stranger);
        caller.rtp.talk_to(there);
        says("sound: over: wrong source");
        caller.hangs_up();
    });
}

#[test]
fn an_echo_is_named() {
    in_own_network(|| {
        let web = web();
        let text = "One moment please. We are looking for somebody who can talk to you about this.";
        web.document("/voice", &format!("<Say loop=\"0\">{text}</Say>"));
        let tandem = office(&web).open();
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        let mut told = Instant::now();
        let end = told + s(8);
        while Instant::now() < end {
            std::thread::sleep(ms(100));
            // Taken from the past, so that nothing is left out between two looks.
            let (from, to) = (told, Instant::now());
            told = to;
            caller.rtp.say_sound(&caller.rtp.heard_since(from));
        }
        ladder_says(&tandem, &web, "sound: echo: what we send comes back after");
        caller.hangs_up();
    });
}
