//! The power goes, and comes back.

use crate::common::network::{in_own_network, loopback};
use crate::common::rtp::Rtp;
use crate::common::{hz, s, wait_for};
use crate::stage::{Caller, answering_until_byed, office, web};

#[test]
fn killed_in_mid_call_it_starts_again_with_an_honest_record() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", r#"<Dial><Client>ann</Client></Dial>"#);
        let mut tandem = office(&web).open();
        let phone = Rtp::open(loopback(11));
        let mut agent = tandem.phone("ann", 11, &answering_until_byed(&phone));
        let caller = Caller::calls_until_byed(&tandem);
        caller.rtp.say(hz::CALLER);
        phone.talk_to(agent.wait("INVITE", s(5)).media().unwrap()).say(hz::AGENT);
        caller.hears(hz::AGENT, 1.0);
        let sid = web.asked("/voice")[0].get("CallSid").to_owned();
        tandem.wait_call(&sid, "in-progress");
        tandem.kill();
        drop((agent, caller));

        tandem.start();
        let calls = wait_for("the old calls to be over", s(5), || {
            let calls = tandem.calls();
            let over =
                |status: &str| ["completed", "failed", "canceled", "no-answer", "busy"].contains(&status);
            (calls.len() == 2 && calls.iter().all(|call| over(call["status"].as_str().unwrap_or(""))))
                .then_some(calls)
        });
        assert!(calls.iter().any(|call| call["sid"] == sid.as_str()), "{calls:?}");
        assert!(calls.iter().all(|call| !call["end"].is_null()), "{calls:?}");

        // The next call works, and is told apart from the old ones.
        let phone = Rtp::open(loopback(11));
        let mut agent = tandem.phone("ann", 11, &answering_until_byed(&phone));
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        caller.rtp.say(hz::CALLER);
        phone.talk_to(agent.wait("INVITE", s(5)).media().unwrap()).say(hz::AGENT);
        caller.hears(hz::AGENT, 1.0);
        caller.hangs_up();
        agent.succeeds(s(5));
        assert_ne!(web.asked("/voice")[1].get("CallSid"), sid);
    });
}

#[test]
fn asked_to_stop_it_lets_the_call_end_first() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", r#"<Play loop="3">/prompt.wav</Play>"#);
        let mut tandem = office(&web).open();
        let mut caller = Caller::calls_until_byed(&tandem);
        caller.hears(hz::PROMPT, 1.0);
        let status = tandem.stop(s(20));
        assert!(status.success(), "{status}");
        caller.hears(hz::PROMPT, 5.5);
        caller.sipp.succeeds(s(5));
    });
}
