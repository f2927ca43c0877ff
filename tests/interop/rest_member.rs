//! How the call to a campaign's member can end, through each of the official libraries: what the tool's server is told on
//! the way, what is shown of the call afterwards, and what is refused before it begins.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::common::network::{in_own_network, loopback};
use crate::common::office::CARRIER_PORT;
use crate::common::rtp::Rtp;
use crate::common::scenario::Scenario;
use crate::common::sipp::{Sipp, Transport};
use crate::common::web::{Reply, Web};
use crate::common::{ms, s, wait_for};
use crate::library::{Client, Refusal};
use crate::rest::{client, wait_status};
use crate::stage::{answering_until_byed, office, ringing_until_cancelled, web};

/// The tool's own number.
const TOOL: &str = "+15550001111";
/// A target's own caller id, which goes before the tool's number.
const TARGETS_OWN: &str = "+15550002222";
/// As the tool normalises members' numbers: digits without a plus.
const MEMBERS: [&str; 2] = ["13437003482", "46702786972"];
const START: &str = "/twilio/calls/1/start";
const EVENT: &str = "/twilio/calls/1/member_call_event";

fn order(web: &Web, to: &str, from: &str) -> Value {
    json!({
        "to": to, "from": from, "url": web.url(START), "timeout": 3,
        "status_callback": web.url(EVENT), "status_callback_method": "POST",
        "status_callback_event": ["initiated", "ringing", "answered", "completed"],
    })
}

fn members() -> SocketAddr {
    (loopback(3), CARRIER_PORT).into()
}

/// A member whose phone does this.
fn member(scenario: &Scenario) -> Sipp {
    Sipp::answer(&scenario.xml(), Transport::Udp, members())
}

/// A phone that refuses.
fn refusing(code: u16, reason: &str) -> Scenario {
    Scenario::phone()
        .invited()
        .invite_reply(180, "Ringing")
        .pause(200)
        .invite_reply(code, reason)
        .request("ACK")
}

/// What the server was told of a call, in order.
fn told(web: &Web, sid: &str) -> Vec<String> {
    let mut events = web.asked(EVENT);
    events.retain(|event| event.get("CallSid") == sid);
    events.iter().map(|event| event.get("CallStatus").to_owned()).collect()
}

fn wait_told(web: &Web, sid: &str, status: &str) {
    let is_told = || told(web, sid).iter().any(|told| told == status).then_some(());
    wait_for(&format!("the server to be told that {sid} is {status}"), s(5), is_told);
}

#[test]
fn python_knows_how_a_members_call_ended() {
    in_own_network(|| every_end_is_told_and_shown("python"));
}

#[test]
fn node_knows_how_a_members_call_ended() {
    in_own_network(|| every_end_is_told_and_shown("node"));
}

fn every_end_is_told_and_shown(library: &str) {
    let Some(mut sdk) = client(library) else { return };
    let web = web();
    web.on(EVENT, |_| Reply::empty());
    web.document(START, "<Pause length=\"1\"/><Hangup/>");
    let at = members();
    let routes = ["1*", "46*"]
        .map(|pattern| format!("[[route]]\npattern = \"{pattern}\"\ntrunk = [\"members\"]\n"))
        .concat();
    let trunk = format!(
        "[[trunk]]\nname = \"members\"\naddress = \"sip:{at}\"\naccept_from = [\"{}\"]\n{routes}\
         [[number]]\nnumber = \"{TARGETS_OWN}\"\nvoice_url = \"http://127.0.0.9/voice\"\n",
        at.ip()
    );
    let _tandem = office(&web).table(&trunk).open();

    let rtp = Rtp::open(loopback(3));
    for (row, to, from, scenario, end, events) in [
        (
            "CP-18 CP-20 CP-30",
            MEMBERS[0],
            TOOL,
            answering_until_byed(&rtp),
            "completed",
            &["initiated", "ringing", "in-progress", "completed"][..],
        ),
        (
            "CP-18 CP-19",
            MEMBERS[1],
            TARGETS_OWN,
            answering_until_byed(&rtp),
            "completed",
            &["initiated", "ringing", "in-progress", "completed"],
        ),
        (
            "CP-33 busy",
            MEMBERS[0],
            TOOL,
            refusing(486, "Busy Here"),
            "busy",
            &["initiated", "ringing", "busy"],
        ),
        (
            "CP-33 failed",
            MEMBERS[0],
            TOOL,
            refusing(500, "Server Internal Error"),
            "failed",
            &["initiated", "ringing", "failed"],
        ),
        (
            "CP-33 no-answer",
            MEMBERS[0],
            TOOL,
            ringing_until_cancelled(),
            "no-answer",
            &["initiated", "ringing", "no-answer"],
        ),
        (
            "CP-33 canceled",
            MEMBERS[0],
            TOOL,
            ringing_until_cancelled(),
            "canceled",
            &["initiated", "ringing", "canceled"],
        ),
    ] {
        let mut phone = member(&scenario);
        let made = sdk.does(json!(["calls"]), "create", order(&web, to, from));
        let sid = made["sid"].as_str().unwrap().to_owned();
        // It is on record before anybody is rung.
        assert_eq!(
            (&made["status"], &made["to"], &made["from"], &made["direction"]),
            (&json!("queued"), &json!(to), &json!(from), &json!("outbound-api")),
            "{row}"
        );
        let invite = phone.wait("INVITE", s(8));
        assert!(invite.start().contains(&format!("sip:{to}@")), "{row}: {}", invite.text);
        assert!(invite.header("From").contains(from), "{row}: {}", invite.text);
        if end == "canceled" {
            wait_told(&web, &sid, "ringing");
            sdk.does(json!(["calls", [sid]]), "update", json!({ "status": "canceled" }));
        }
        if let Some(media) = invite.media().filter(|_| end == "completed") {
            rtp.talk_to(media);
        }
        let over = wait_status(&mut sdk, &sid, end);
        phone.succeeds(s(10));
        wait_told(&web, &sid, end);
        assert_eq!(told(&web, &sid), events, "{row}");
        for event in web.asked(EVENT).iter().filter(|event| event.get("CallSid") == sid) {
            assert_eq!(
                (event.method.as_str(), event.get("From"), event.get("To")),
                ("POST", from, to),
                "{row}"
            );
        }
        let talked = end == "completed";
        assert!(over["end_time"].is_string(), "{row}: {over}");
        assert_eq!(over["duration"] == "0", !talked, "{row}: {over}");
        let fetched = web.asked(START).iter().filter(|asked| asked.get("CallSid") == sid).count();
        assert_eq!(fetched, usize::from(talked), "{row}: the document is for who answers");
        let listed = sdk.does(json!(["calls"]), "list", json!({ "to": to, "status": end }));
        assert!(listed.as_array().unwrap().iter().any(|call| call["sid"] == sid.as_str()), "{row}");
        // The port is the next one's.
        drop(phone);
        std::thread::sleep(ms(100));
    }
    refusals(library, &mut sdk, &web);
}

/// What the provider refuses is an exception with a number: a fault of the member's number, or the tool's own.
fn refusals(library: &str, sdk: &mut Client, web: &Web) {
    let class = if library == "python" { "TwilioRestException" } else { "RestException" };
    let before = sdk.does(json!(["calls"]), "list", json!({ "page_size": 1000 }));
    let events = web.asked(EVENT).len();
    for (row, order, code) in [
        ("CP-21 no number", order(web, "not a number", TOOL), 21_211),
        ("CP-21 nowhere", order(web, "99999999", TOOL), 21_214),
        ("CP-17 nobody", order(web, "", TOOL), 21_201),
        ("CP-19 no caller id", order(web, MEMBERS[0], ""), 21_213),
        ("CP-19 not the tool's", order(web, MEMBERS[0], "+15559990000"), 21_210),
        ("CP-20 no document", json!({ "to": MEMBERS[0], "from": TOOL }), 21_205),
        (
            "CP-20 no event",
            json!({ "to": MEMBERS[0], "from": TOOL, "url": web.url(START),
            "status_callback": web.url(EVENT), "status_callback_event": ["finished"] }),
            20_001,
        ),
    ] {
        let refusal = sdk.is_refused(json!(["calls"]), "create", order);
        let expected = Refusal { class: class.to_owned(), status: Some(400), code: Some(code) };
        assert_eq!(refusal, expected, "{row}");
    }
    // Nothing was begun: nothing is on record of it, and nobody is told of anything.
    let after = sdk.does(json!(["calls"]), "list", json!({ "page_size": 1000 }));
    assert_eq!(after, before);
    assert_eq!(web.asked(EVENT).len(), events);
}
