//! The other dialect on real sockets: what its own attributes let the caller hear, and what its events tell.

use std::time::Instant;

use crate::common::app::{App, Manner};
use crate::common::network::{in_own_network, loopback};
use crate::common::rtp::Rtp;
use crate::common::{hz, ms, s, tone};
use crate::stage::{Caller, office_with, web};

#[test]
fn a_sound_instead_of_ringing_is_heard_and_the_end_tells_how_it_sounded() {
    in_own_network(|| {
        let web = web();
        web.document(
            "/voice",
            "<Dial audioUrl=\"/menu.wav\" fromDisplayName=\"Front Desk\"><Number statusCallback=\"/events\" \
             statusCallbackEvent=\"answered dtmf completed\">101</Number></Dial>",
        );
        let tandem = office_with(&web, "dialect = \"texml\"").open();
        let phone = Rtp::open(loopback(11));
        let scenario = crate::common::scenario::Scenario::phone()
            .invited()
            .invite_reply(180, "Ringing")
            .pause(4_000)
            .pick_up(&phone.sdp())
            .byed();
        let mut agent = tandem.phone("ann", 11, &scenario);
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        let since = Instant::now();
        let invite = agent.wait("INVITE", s(8));
        assert!(invite.text.contains("Front Desk"), "{}", invite.text);
        phone.talk_to(invite.media().unwrap()).say(hz::AGENT);
        caller.rtp.say(hz::CALLER);
        // It repeats as long as it rings.
        caller.rtp.wait_tone(hz::MENU, 2.5, since, s(8));
        caller.rtp.wait_tone(hz::AGENT, 2.0, since, s(8));
        let bridged = Instant::now();
        std::thread::sleep(ms(1_000));
        assert_eq!(tone::seconds_with(&caller.rtp.heard_since(bridged), hz::MENU), 0.0);
        phone.press("7");
        let key = web.wait_with("/events", "Digits", "7", s(5));
        assert_eq!(key.get("CallStatus"), "in-progress");
        caller.hangs_up();
        agent.succeeds(s(5));
        let end = web.wait_with("/events", "CallStatus", "completed", s(8));
        assert_eq!(
            (end.get("HangupCause"), end.get("HangupSource")),
            ("normal_clearing", "caller"),
            "{end:?}"
        );
        assert_eq!((end.get("Codec"), end.get("SamplingRate")), ("PCMU", "8000"));
        let quality: serde_json::Value = serde_json::from_str(end.get("CallQualityStats")).unwrap();
        for side in ["inbound", "outbound"] {
            let packets: u64 = quality[side]["packet_count"].as_str().unwrap().parse().unwrap();
            assert!(packets > 100, "{quality}");
        }
        let mos: f64 = quality["inbound"]["mos"].as_str().expect("it was heard").parse().unwrap();
        assert!((3.5..=4.5).contains(&mos), "{quality}");
    });
}

#[test]
fn a_stream_speaks_the_dialect_and_is_heard() {
    in_own_network(|| {
        let (web, app) = (web(), App::start(loopback(9), Manner::Echoes));
        let url = app.url("/media");
        web.document(
            "/voice",
            &format!(
                "<Connect action=\"/after\"><Stream url=\"{url}\" bidirectionalMode=\"rtp\"/></Connect>"
            ),
        );
        web.document("/after", "<Hangup/>");
        let tandem = office_with(&web, "dialect = \"texml\"").open();
        let mut caller = Caller::calls_until_byed(&tandem);
        let (_, start) = app.wait("start", 1, s(10));
        assert_eq!(start["start"]["media_format"]["encoding"], "PCMU");
        assert_eq!(start["start"]["from"], crate::stage::CALLER);
        assert!(start.get("streamSid").is_none() && start["stream_id"].is_string(), "{start}");
        let since = Instant::now();
        caller.rtp.say(hz::CALLER);
        caller.rtp.wait_tone(hz::CALLER, 2.0, since, s(8));
        caller.rtp.press("5");
        let (_, key) = app.wait("dtmf", 1, s(5));
        assert!(key["dtmf"]["digit"] == "5" && key["occurred_at"].is_string(), "{key}");
        app.close();
        web.wait("/after", s(5));
        caller.sipp.succeeds(s(10));
    });
}
