//! A phone's transfer key on real sockets: REFER, what is told of it, and who is heard afterwards.

use std::time::Instant;

use crate::common::network::{in_own_network, loopback};
use crate::common::rtp::Rtp;
use crate::common::scenario::Scenario;
use crate::common::tone::seconds_of_sound;
use crate::common::{hz, ms, s};
use crate::stage::{Caller, answering, office, web};

/// Where a phone says that the caller shall go.
const CARL: &str = "sip:103@127.0.0.1";

/// What NOTIFY told a phone, in order: its body is the start line of a response.
fn told(phone: &crate::common::sipp::Sipp) -> Vec<String> {
    let notifies = phone.received("NOTIFY");
    let body = |text: &str| text.lines().find(|line| line.starts_with("SIP/2.0 ")).map(str::to_owned);
    notifies.iter().filter_map(|message| body(&message.text)).map(|line| line.trim_end().to_owned()).collect()
}

/// A phone that answers and transfers when told to.
fn transferring(rtp: &Rtp, notified: usize) -> Scenario {
    Scenario::phone()
        .invited()
        .invite_reply(180, "Ringing")
        .pause(300)
        .pick_up(&rtp.sdp())
        .until_told()
        .refers(CARL, notified)
}

#[test]
fn a_transferred_caller_hears_the_target_and_is_heard() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", "<Dial><Client>ann</Client></Dial>");
        let tandem = office(&web).open();
        let (agent, target) = (Rtp::open(loopback(11)), Rtp::open(loopback(13)));
        let mut ann = tandem.phone("ann", 11, &transferring(&agent, 3).byed());
        let mut cem = tandem.phone("cem", 13, &answering(&target));
        let mut caller = Caller::calls_until_byed(&tandem);
        let to = ann.wait("INVITE", s(10)).media().expect("an offer");
        agent.talk_to(to).say(hz::AGENT);
        caller.rtp.say(hz::CALLER);
        caller.hears(hz::AGENT, 1.0);

        ann.go_on();
        let to = cem.wait("INVITE", s(10)).media().expect("an offer");
        target.talk_to(to).say(hz::MENU);
        ann.succeeds(s(10));
        assert_eq!(told(&ann), ["SIP/2.0 100 Trying", "SIP/2.0 180 Ringing", "SIP/2.0 200 OK"]);
        std::thread::sleep(ms(500));
        let since = Instant::now();
        caller.rtp.wait_tone(hz::MENU, 2.0, since, s(8));
        target.wait_tone(hz::CALLER, 2.0, since, s(8));

        cem.go_on();
        cem.succeeds(s(10));
        caller.sipp.succeeds(s(10));
    });
}

#[test]
fn a_transfer_that_fails_gives_the_caller_back_to_the_phone() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", "<Dial><Client>ann</Client></Dial>");
        let tandem = office(&web).open();
        let agent = Rtp::open(loopback(11));
        let mut ann = tandem.phone("ann", 11, &transferring(&agent, 3).until_told().hang_up());
        let busy = Scenario::phone()
            .invited()
            .invite_reply(180, "Ringing")
            .pause(3_000)
            .invite_reply(486, "Busy Here")
            .request("ACK");
        let mut cem = tandem.phone("cem", 13, &busy);
        let mut caller = Caller::calls_until_byed(&tandem);
        let to = ann.wait("INVITE", s(10)).media().expect("an offer");
        agent.talk_to(to).say(hz::AGENT);
        caller.rtp.say(hz::CALLER);
        caller.hears(hz::AGENT, 1.0);

        ann.go_on();
        cem.wait("INVITE", s(10));
        std::thread::sleep(ms(300));
        let sound = |rtp: &Rtp| seconds_of_sound(&rtp.heard());
        let before = [sound(&agent), sound(&caller.rtp)];
        std::thread::sleep(ms(1_500));
        for (waiting, before) in [&agent, &caller.rtp].into_iter().zip(before) {
            assert!(sound(waiting) - before > 1.0, "it rings for both who wait");
        }
        cem.succeeds(s(10));
        crate::common::wait_for("the last word", s(5), || (told(&ann).len() == 3).then_some(()));
        assert_eq!(told(&ann), ["SIP/2.0 100 Trying", "SIP/2.0 180 Ringing", "SIP/2.0 486 Busy Here"]);
        std::thread::sleep(ms(500));
        let since = Instant::now();
        caller.rtp.wait_tone(hz::AGENT, 2.0, since, s(8));
        agent.wait_tone(hz::CALLER, 2.0, since, s(8));

        ann.go_on();
        ann.succeeds(s(10));
        caller.sipp.succeeds(s(10));
    });
}
