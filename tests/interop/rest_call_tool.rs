//! A campaign's call tool as its web server makes it, through each of the official libraries: a member is called and hears
//! the message, chooses to be connected, and is put through to a politician; what the provider refuses is known by
//! its number.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::common::network::{in_own_network, loopback};
use crate::common::office::CARRIER_PORT;
use crate::common::rtp::Rtp;
use crate::common::sipp::{Sipp, Transport};
use crate::common::web::{Reply, Web};
use crate::common::{hz, s};
use crate::rest::{client, wait_status};
use crate::stage::{answering, answering_until_byed, office, outside, web};

/// Shown to both: the tool's own number.
const TOOL: &str = "+15550001111";
/// As the tool normalises members' numbers: without a plus.
const MEMBER: &str = "13437003482";
const TARGET: &str = "+16135550000";
/// Errors that are the member's number's own fault; any other is the tool's.
const OF_THE_NUMBER: [u64; 6] = [13_223, 13_224, 13_225, 13_226, 21_211, 21_214];

/// The tool's web server; what it knows of the call is what it was told.
fn tool(web: &Web) -> Arc<Mutex<String>> {
    let status = Arc::new(Mutex::new("unstarted".to_owned()));
    let moves = |to: &'static str, from: &'static str| {
        let status = Arc::clone(&status);
        move || {
            let mut status = status.lock().unwrap();
            if *status == from {
                to.clone_into(&mut status);
            }
        }
    };
    let started = moves("started", "unstarted");
    web.on("/twilio/calls/1/start", move |_| {
        started();
        Reply::twiml(
            "<Gather action=\"/twilio/calls/1/menu\" numDigits=\"1\" timeout=\"0\"><Play>/prompt.wav</Play></Gather>\
             <Redirect>/twilio/calls/1/menu</Redirect>",
        )
    });
    web.on("/twilio/calls/1/menu", |request| match request.get("Digits") {
        "1" => Reply::twiml("<Redirect>/twilio/calls/1/connect</Redirect>"),
        "2" => Reply::twiml("<Redirect>/twilio/calls/1/start</Redirect>"),
        _ => Reply::twiml(
            "<Gather action=\"/twilio/calls/1/menu\" numDigits=\"1\" timeout=\"10\"><Play>/menu.wav</Play></Gather>",
        ),
    });
    let connected = moves("connected", "started");
    web.on("/twilio/calls/1/connect", move |_| {
        connected();
        Reply::twiml(&format!(
            "<Dial action=\"/twilio/calls/1/target_call_status\" callerId=\"{TOOL}\"><Number>{TARGET}</Number></Dial>"
        ))
    });
    web.document("/twilio/calls/1/target_call_status", "");
    web.on("/twilio/calls/1/member_call_event", |_| Reply::empty());
    status
}

fn order(web: &Web, to: &str) -> Value {
    json!({
        "to": to, "from": TOOL, "url": web.url("/twilio/calls/1/start"),
        "status_callback": web.url("/twilio/calls/1/member_call_event"), "status_callback_method": "POST",
        "status_callback_event": ["initiated", "ringing", "answered", "completed"],
    })
}

#[test]
fn python_calls_a_member_who_is_put_through() {
    in_own_network(|| a_member_is_put_through("python"));
}

#[test]
fn node_calls_a_member_who_is_put_through() {
    in_own_network(|| a_member_is_put_through("node"));
}

fn a_member_is_put_through(library: &str) {
    let Some(mut sdk) = client(library) else { return };
    let web = web();
    let status = tool(&web);
    let members: SocketAddr = (loopback(3), CARRIER_PORT).into();
    let routes = format!(
        "[[trunk]]\nname = \"members\"\naddress = \"sip:{members}\"\naccept_from = [\"{}\"]\n\
         [[route]]\npattern = \"1*\"\ntrunk = [\"members\"]",
        members.ip()
    );
    let _tandem = office(&web).table(&routes).open();
    let (near, far) = (Rtp::open(loopback(3)), Rtp::open(loopback(2)));
    let mut member = Sipp::answer(&answering_until_byed(&near).xml(), Transport::Udp, members);
    let mut target = outside(&answering(&far));

    let call = sdk.does(json!(["calls"]), "create", order(&web, MEMBER));
    let sid = call["sid"].as_str().unwrap().to_owned();
    assert_eq!((&call["status"], &call["to"]), (&json!("queued"), &json!(MEMBER)));
    let invite = member.wait("INVITE", s(8));
    assert!(invite.header("From").contains(TOOL), "{}", invite.text);
    near.talk_to(invite.media().expect("an offer")).say(hz::CALLER);
    web.wait("/twilio/calls/1/start", s(8));
    let rung = std::time::Instant::now();
    near.wait_tone(hz::PROMPT, 1.0, rung, s(8));
    // A key pressed in the message is the menu's already.
    near.press("1");
    assert_eq!(web.wait("/twilio/calls/1/menu", s(5)).get("Digits"), "1");
    let invite = target.wait("INVITE", s(8));
    assert!(invite.header("From").contains(TOOL), "{}", invite.text);
    far.talk_to(invite.media().expect("an offer")).say(hz::AGENT);
    let bridged = std::time::Instant::now();
    near.wait_tone(hz::AGENT, 1.5, bridged, s(8));
    far.wait_tone(hz::CALLER, 1.5, bridged, s(8));
    assert_eq!(*status.lock().unwrap(), "connected");
    assert_eq!(sdk.does(json!(["calls"]), "list", json!({ "parent_call_sid": sid }))[0]["to"], TARGET);

    target.go_on();
    let result = web.wait("/twilio/calls/1/target_call_status", s(8));
    assert_eq!((result.get("DialCallStatus"), result.get("CallSid")), ("completed", sid.as_str()));
    assert!(result.get("DialCallDuration").parse::<u32>().is_ok(), "{result:?}");
    member.succeeds(s(10));
    wait_status(&mut sdk, &sid, "completed");
    web.wait_with("/twilio/calls/1/member_call_event", "CallStatus", "completed", s(5));
    let events = web.asked("/twilio/calls/1/member_call_event");
    let told: Vec<&str> = events.iter().map(|event| event.get("CallStatus")).collect();
    assert_eq!(told, ["initiated", "ringing", "in-progress", "completed"]);
    assert!(events.iter().all(|event| event.get("CallSid") == sid && event.get("From") == TOOL));
}

#[test]
fn python_tells_whose_fault_a_refusal_is() {
    in_own_network(|| what_the_provider_refuses_is_told("python"));
}

#[test]
fn node_tells_whose_fault_a_refusal_is() {
    in_own_network(|| what_the_provider_refuses_is_told("node"));
}

/// The member's number's own, or the tool's.
fn what_the_provider_refuses_is_told(library: &str) {
    let Some(mut sdk) = client(library) else { return };
    let web = web();
    let _status = tool(&web);
    let _tandem = office(&web).open();
    for (to, code, of_the_number) in
        [("not a number", 21_211, true), ("13437003482", 21_214, true), ("", 21_201, false)]
    {
        let refusal = sdk.is_refused(json!(["calls"]), "create", order(&web, to));
        assert_eq!((refusal.status, refusal.code), (Some(400), Some(code)), "{to:?}");
        assert_eq!(refusal.code.is_some_and(|code| OF_THE_NUMBER.contains(&code)), of_the_number);
    }
    // Nothing was begun, so nobody is told of anything, and nothing is on record.
    assert_eq!(sdk.does(json!(["calls"]), "list", json!({})), json!([]));
    assert!(web.asked("/twilio/calls/1/member_call_event").is_empty());
}
