//! A SIP recorder on real sockets: it hears who speaks and who is spoken to apart, and knows from the metadata who is
//! who.

use std::time::Instant;

use crate::common::network::{in_own_network, loopback};
use crate::common::rtp::Rtp;
use crate::common::scenario::Scenario;
use crate::common::sipp::{Sipp, Transport};
use crate::common::{hz, ms, s, tone};
use crate::stage::{Caller, answering_until_byed, office, web};

/// The recorder's answer: both streams, in the order of the offer.
fn listening(said: &Rtp, heard: &Rtp) -> String {
    let ip = said.address.ip();
    let stream = |rtp: &Rtp, label: u8| {
        let port = rtp.address.port();
        format!("m=audio {port} RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=label:{label}\na=recvonly\n")
    };
    let (said, heard) = (stream(said, 1), stream(heard, 2));
    format!("v=0\no=srs 1 1 IN IP4 {ip}\ns=-\nc=IN IP4 {ip}\nt=0 0\n{said}{heard}")
}

#[test]
fn a_recorder_hears_both_sides_apart_until_the_call_ends() {
    in_own_network(|| hears_both_sides(Transport::Tcp, ";transport=tcp"));
}

#[test]
fn a_recorder_is_reached_over_udp_too() {
    in_own_network(|| hears_both_sides(Transport::Udp, ""));
}

fn hears_both_sides(transport: Transport, parameter: &str) {
    let web = web();
    web.document(
        "/voice",
        "<Start><Siprec connectorName=\"archive\" statusCallback=\"/events\"><Parameter name=\"desk\" \
         value=\"7\"/></Siprec></Start><Dial><Client>ann</Client></Dial>",
    );
    let recorder = loopback(5);
    let table = format!("[[siprec]]\nname = \"archive\"\nuri = \"sip:srs@{recorder}:5060{parameter}\"");
    let tandem = office(&web).table(&table).open();
    let (said, heard) = (Rtp::open(recorder), Rtp::open(recorder));
    let scenario = Scenario::phone().invited().pick_up(&listening(&said, &heard)).byed();
    let mut srs = Sipp::answer(&scenario.xml(), transport, (recorder, 5060).into());
    let agent = Rtp::open(loopback(11));
    let mut phone = tandem.phone("ann", 11, &answering_until_byed(&agent));
    let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);

    let invite = srs.wait("INVITE", s(10));
    assert_eq!(invite.header("Require"), "siprec");
    assert!(invite.header("Contact").contains(";+sip.src"), "{}", invite.text);
    for part in [
        "application/rs-metadata+xml",
        "a=label:1",
        "a=label:2",
        "aor=\"sip:+15557770001@",
        "aor=\"sip:+15550001111@",
        "name=\"desk\" value=\"7\"",
    ] {
        assert!(invite.text.contains(part), "{part} in {}", invite.text);
    }
    assert_eq!(invite.text.matches("m=audio").count(), 2);

    phone.wait("INVITE", s(10));
    let to = phone.wait("INVITE", s(1)).media().expect("an offer");
    agent.talk_to(to).say(hz::AGENT);
    caller.rtp.say(hz::CALLER);
    caller.hears(hz::AGENT, 1.0);
    std::thread::sleep(ms(500));
    let since = Instant::now();
    said.wait_tone(hz::CALLER, 2.0, since, s(8));
    heard.wait_tone(hz::AGENT, 2.0, since, s(8));
    assert!(tone::seconds_with(&said.heard_since(since), hz::AGENT) < 0.1, "the agent is not the caller");
    assert!(tone::seconds_with(&heard.heard_since(since), hz::CALLER) < 0.1, "nor the other way round");
    // Nothing is missing: fifty packets a second, each the next one.
    for rtp in [&said, &heard] {
        let packets = rtp.packets();
        assert!(packets.windows(2).all(|two| two[1].sequence == two[0].sequence.wrapping_add(1)));
    }
    let started = web.wait_with("/events", "SiprecEvent", "siprec-started", s(5));
    assert!(started.get("SiprecSid").starts_with("SR"));

    caller.hangs_up();
    srs.succeeds(s(10));
    phone.succeeds(s(10));
    web.wait_with("/events", "SiprecEvent", "siprec-stopped", s(5));
}

#[test]
fn a_recorder_that_is_not_there_costs_the_call_nothing() {
    in_own_network(|| {
        let web = web();
        web.document(
            "/voice",
            "<Start><Siprec connectorName=\"archive\" statusCallback=\"/events\"/></Start><Play loop=\"0\">/prompt.wav\
             </Play>",
        );
        let table =
            format!("[[siprec]]\nname = \"archive\"\nuri = \"sip:srs@{}:5060;transport=tcp\"", loopback(5));
        let tandem = office(&web).table(&table).open();
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        let error = web.wait_with("/events", "SiprecEvent", "siprec-error", s(10));
        assert_eq!(error.get("SiprecErrorCode"), "31904");
        caller.hears(hz::PROMPT, 2.0);
        caller.hangs_up();
    });
}
