//! A conference held through the official libraries: two phones are called in, one is put on hold, muted and removed, and
//! the room is ended; the phones hear it.

use std::time::Instant;

use serde_json::{Value, json};

use crate::common::network::{in_own_network, loopback};
use crate::common::rtp::Rtp;
use crate::common::sipp::Sipp;
use crate::common::{hz, ms, s, tone, wait_for};
use crate::rest::client;
use crate::stage::{NUMBER, answering_until_byed, office, web};

#[test]
fn python_holds_a_conference() {
    in_own_network(|| a_conference_is_held("python"));
}

#[test]
fn node_holds_a_conference() {
    in_own_network(|| a_conference_is_held("node"));
}

fn a_conference_is_held(library: &str) {
    let Some(mut sdk) = client(library) else { return };
    let web = web();
    web.document("/hold", "<Play loop=\"0\">/prompt.wav</Play>");
    let tandem = office(&web).open();
    let mut join = |name: &str, host: u8, hz: f64| -> (Sipp, Rtp, Value) {
        let rtp = Rtp::open(loopback(host));
        let mut phone = tandem.phone(name, host, &answering_until_byed(&rtp));
        let joined = sdk.does(
            json!(["conferences", ["my room"], "participants"]),
            "create",
            json!({ "to": format!("client:{name}"), "from": NUMBER, "label": name, "beep": "false" }),
        );
        rtp.talk_to(phone.wait("INVITE", s(8)).media().expect("an offer")).say(hz);
        (phone, rtp, joined)
    };
    let (mut ann, ann_rtp, first) = join("ann", 11, hz::AGENT);
    let (mut bob, bob_rtp, second) = join("bob", 12, hz::CALLER);
    let room = first["conference_sid"].as_str().unwrap().to_owned();
    assert!(room.starts_with("CF"), "{first}");
    assert_eq!((&second["conference_sid"], &second["label"]), (&json!(room), &json!("bob")));
    let both = Instant::now();
    ann_rtp.wait_tone(hz::CALLER, 1.0, both, s(10));
    bob_rtp.wait_tone(hz::AGENT, 1.0, both, s(10));

    let listed = sdk.does(json!(["conferences"]), "list", json!({ "status": "in-progress" }));
    assert_eq!((&listed[0]["sid"], &listed[0]["friendly_name"]), (&json!(room), &json!("my room")));
    let all = json!(["conferences", [room], "participants"]);
    assert_eq!(sdk.does(all.clone(), "list", json!({})).as_array().unwrap().len(), 2);
    let one = json!(["conferences", [room], "participants", [second["call_sid"]]]);

    let muted = sdk.does(one.clone(), "update", json!({ "muted": true }));
    assert_eq!(muted["muted"], true);
    std::thread::sleep(ms(300));
    let silent = Instant::now();
    std::thread::sleep(s(1));
    assert!(tone::seconds_with(&ann_rtp.heard_since(silent), hz::CALLER) < 0.1, "who is muted is heard");
    sdk.does(one.clone(), "update", json!({ "muted": false }));

    let held = sdk.does(one.clone(), "update", json!({ "hold": true, "hold_url": web.url("/hold") }));
    assert_eq!(held["hold"], true);
    bob_rtp.wait_tone(hz::PROMPT, 1.0, Instant::now(), s(8));
    assert_eq!(sdk.does(all.clone(), "list", json!({ "hold": true }))[0]["call_sid"], second["call_sid"]);
    sdk.does(one.clone(), "update", json!({ "hold": false }));
    bob_rtp.wait_tone(hz::AGENT, 1.0, Instant::now(), s(8));

    sdk.does(one.clone(), "delete", json!({}));
    bob.succeeds(s(10));
    assert_eq!(sdk.is_refused(one, "fetch", json!({})).code, Some(20404));
    sdk.does(json!(["conferences", [room]]), "update", json!({ "status": "completed" }));
    ann.succeeds(s(10));
    let over = wait_for("the conference to be over", s(8), || {
        let over = sdk.does(json!(["conferences", [room]]), "fetch", json!({}));
        (over["status"] == "completed").then_some(over)
    });
    assert_eq!(over["reason_conference_ended"], "conference-ended-via-api");
}
