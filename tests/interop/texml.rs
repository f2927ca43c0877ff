//! The other dialect on real sockets: what its own attributes let the caller hear, and what its events tell.

use std::time::Instant;

use serde_json::{Value, json};

use crate::common::app::{App, Manner};
use crate::common::network::{in_own_network, loopback};
use crate::common::rest::Rest;
use crate::common::rtp::Rtp;
use crate::common::{hz, ms, s, tone};
use crate::stage::{Caller, NUMBER, answering_until_byed, office, office_with, web};

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

/// As `curl` would: placed, talked on, recorded, sent elsewhere, ended and listed.
#[test]
fn the_dialects_own_api_drives_a_call() {
    in_own_network(|| {
        let web = web();
        web.document("/talk", "<Play loop=\"0\">/prompt.wav</Play>");
        let tandem = office(&web).open();
        let rtp = Rtp::open(loopback(11));
        let mut ann = tandem.phone("ann", 11, &answering_until_byed(&rtp));
        let rest = Rest::local();
        let (status, placed) = rest.texml(
            "POST",
            "Calls",
            &json!({
                "To": "101", "From": NUMBER, "Url": web.url("/talk"), "UrlMethod": "GET",
                "StatusCallback": web.url("/events"), "StatusCallbackEvent": "answered completed",
            }),
        );
        assert_eq!((status, &placed["status"]), (200, &json!("queued")), "{placed}");
        assert_eq!((&placed["direction"], &placed["price"]), (&json!("outbound"), &Value::Null));
        let call = format!("Calls/{}", placed["sid"].as_str().unwrap());
        rtp.talk_to(ann.wait("INVITE", s(8)).media().expect("an offer")).say(hz::AGENT);
        rtp.wait_tone(hz::PROMPT, 1.0, Instant::now(), s(10));
        let asked = web.wait("/talk", s(1));
        assert_eq!((asked.method.as_str(), asked.get("CallSidLegacy")), ("GET", asked.get("CallSid")));
        assert_eq!(asked.headers["telnyx-signature-ed25519"].len(), 88);

        let recordings = format!("{call}/Recordings.json");
        let (status, recording) = rest.texml("POST", &recordings, &json!({"RecordingChannels": "dual"}));
        assert_eq!((status, &recording["channels"]), (200, &json!(2)), "{recording}");
        let sent = Instant::now();
        let menu = format!("<Response><Play loop=\"0\">{}</Play></Response>", web.url("/menu.wav"));
        let (status, told) = rest.texml("POST", &call, &json!({ "Texml": menu }));
        assert_eq!((status, &told["status"]), (200, &json!("in-progress")), "{told}");
        rtp.wait_tone(hz::MENU, 1.0, sent, s(8));

        let (status, over) = rest.texml("POST", &call, &json!({ "Status": "completed" }));
        assert_eq!(status, 200, "{over}");
        ann.succeeds(s(10));
        let end = web.wait_with("/events", "CallStatus", "completed", s(8));
        assert_eq!(
            (end.get("CallSid"), end.get("HangupCause")),
            (placed["sid"].as_str().unwrap(), "normal_clearing")
        );
        let (_, found) = rest.texml("GET", "Calls?Status=completed&PageSize=5", &Value::Null);
        assert_eq!(found["calls"][0]["sid"], placed["sid"], "{found}");
        let (_, list) = rest.texml("GET", &recordings, &Value::Null);
        assert_eq!(list["recordings"][0]["sid"], recording["sid"], "{list}");
        let (status, refused) = rest.texml("GET", "Calls/CA00000000000000000000000000000000", &Value::Null);
        assert_eq!((status, &refused["errors"][0]["code"]), (404, &json!("10005")), "{refused}");
    });
}

/// The application hears and speaks G.722, or samples at 16 kHz, whatever the phone speaks.
#[test]
fn a_stream_of_another_codec_is_heard_both_ways() {
    in_own_network(|| {
        let (web, app) = (web(), App::start(loopback(9), Manner::Echoes));
        let url = app.url("/media");
        web.document(
            "/voice",
            &format!(
                "<Connect action=\"/after\"><Stream url=\"{url}\" codec=\"G722\" bidirectionalMode=\"rtp\" \
                 bidirectionalCodec=\"G722\"/></Connect>"
            ),
        );
        web.document("/after", "<Hangup/>");
        let tandem = office_with(&web, "dialect = \"texml\"").open();
        let mut caller = Caller::calls_until_byed(&tandem);
        let (_, start) = app.wait("start", 1, s(10));
        assert_eq!(start["start"]["media_format"]["encoding"], "G722");
        let since = Instant::now();
        caller.rtp.say(hz::CALLER);
        // What comes back went through both coders of the box.
        caller.rtp.wait_tone(hz::CALLER, 2.0, since, s(8));
        app.close();
        web.wait("/after", s(5));
        caller.sipp.succeeds(s(10));
    });
}
