//! Voice queues on real sockets: what is heard while waiting, in the whisper, and when two talk.

use std::time::Instant;

use crate::common::network::in_own_network;
use crate::common::web::Reply;
use crate::common::{hz, ms, s, tone};
use crate::stage::{Caller, office, web};

#[test]
fn a_caller_waits_hears_the_whisper_and_talks_to_who_takes_it() {
    in_own_network(|| {
        let web = web();
        web.on("/voice", {
            let calls = std::sync::atomic::AtomicU32::new(0);
            move |_| match calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                0 => Reply::twiml("<Enqueue waitUrl=\"/wait\" action=\"/out\">desk</Enqueue>"),
                _ => Reply::twiml("<Dial action=\"/dialled\"><Queue url=\"/whisper\">desk</Queue></Dial>"),
            }
        });
        web.document("/wait", "<Play>/prompt.wav</Play>").document("/whisper", "<Play>/menu.wav</Play>");
        web.document("/out", "<Pause length=\"1\"/>").document("/dialled", "<Hangup/>");
        let tandem = office(&web).open();
        let caller = Caller::calls_until_byed(&tandem);
        caller.rtp.say(hz::CALLER);
        caller.hears(hz::PROMPT, 3.0);
        let first = web.wait("/wait", s(5));
        assert_eq!((first.get("QueuePosition"), first.get("CurrentQueueSize")), ("1", "1"));
        web.wait_nth("/wait", 1, s(5));

        let taken = Instant::now();
        let mut agent = Caller::calls_beside(&tandem);
        agent.rtp.say(hz::AGENT);
        caller.rtp.wait_tone(hz::MENU, 1.5, taken, s(8));
        caller.rtp.wait_tone(hz::AGENT, 2.0, taken, s(8));
        agent.hears(hz::CALLER, 2.0);
        let whispered = tone::seconds_with(&agent.rtp.heard(), hz::MENU);
        assert!(whispered < 0.2, "the whisper is heard by who takes the call for {whispered} s");
        let whisper = web.wait("/whisper", s(1));
        assert_eq!(whisper.get("CallSid"), first.get("CallSid"));
        assert!(whisper.get("DequeingCallSid").starts_with("CA"));

        agent.hangs_up();
        let out = web.wait("/out", s(5));
        assert_eq!((out.get("QueueResult"), out.get("QueueSid")), ("bridged", first.get("QueueSid")));
        assert_eq!(web.wait("/dialled", s(5)).get("DialCallStatus"), "completed");
    });
}

#[test]
fn a_key_leaves_the_queue() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", "<Enqueue waitUrl=\"/wait\">desk</Enqueue><Play>/menu.wav</Play>");
        web.document(
            "/wait",
            "<Gather numDigits=\"1\" action=\"/leave\"><Play loop=\"0\">/prompt.wav</Play></Gather>",
        );
        web.document("/leave", "<Leave/>");
        let tandem = office(&web).open();
        let caller = Caller::calls_until_byed(&tandem);
        caller.hears(hz::PROMPT, 2.0);
        let pressed = Instant::now();
        caller.rtp.press("1");
        caller.rtp.wait_tone(hz::MENU, 1.5, pressed, s(8));
        assert_eq!(web.wait("/leave", s(1)).get("Digits"), "1");
        std::thread::sleep(ms(200));
    });
}
