//! Agents without a web server: a desk phone logs in by a code, its lamps follow, and a caller is heard.

use std::time::Instant;

use crate::common::baresip::{Account, Baresip};
use crate::common::network::{Line, in_own_network, loopback};
use crate::common::office::Office;
use crate::common::scenario::Scenario;
use crate::common::sipp::{Sipp, Transport};
use crate::common::{hz, s, tone, wait_for};
use crate::stage::{Caller, NUMBER};

/// Subscribes to the lamp of a key and answers what it is told.
fn lamp(key: &str, notifies: usize) -> String {
    let request = |cseq: u32, more: &str| {
        format!(
            "SUBSCRIBE sip:{key}@[remote_ip]:[remote_port] SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport\nMax-Forwards: 70\n\
             From: <sip:ann@[remote_ip]>;tag=l[call_id]\nTo: <sip:{key}@[remote_ip]>\nCall-ID: [call_id]\n\
             CSeq: {cseq} SUBSCRIBE\nContact: <sip:ann@[local_ip]:[local_port]>\nEvent: dialog\n\
             Accept: application/dialog-info+xml\nExpires: 600\n{more}Content-Length: 0\n\n"
        )
    };
    let begun = Scenario::default()
        .send(&request(1, ""))
        .raw("<recv response=\"401\" auth=\"true\"/>")
        .send(&request(2, "[authentication username=ann password=secret]\n"))
        .raw("<recv response=\"200\"/>");
    (0..notifies).fold(begun, |scenario, _| scenario.request("NOTIFY").reply(200, "OK", "")).xml()
}

#[test]
fn a_desk_phone_logs_in_its_lamps_follow_and_a_caller_is_heard() {
    in_own_network(|| {
        let line = Line::lay(1);
        let tandem = Office::new()
            .phone("ann", "secret", "101")
            .carrier()
            .table(&format!(
                "[[queue]]\nname = \"sales\"\n[[worker]]\nname = \"ann\"\nskills = [\"sales\"]\n\
                 [[number]]\nnumber = \"{NUMBER}\"\nqueue = \"sales\"\n"
            ))
            .listen(line.near)
            .open();
        let account = Account { auto_answer: false, ..Account::of("ann", line.near) };
        let mut ann = Baresip::start(&line, &account);
        ann.registered();
        let mut key = Sipp::call(&lamp("*10", 3), Transport::Udp, (loopback(3), 5083).into(), tandem.sip());
        let dark = key.wait("NOTIFY", s(5));
        assert!(dark.text.contains("<state>terminated<"), "{}", dark.text);

        // She hears that she is logged in, and the key's lamp is lit.
        ann.dial(&format!("sip:*10@{}", line.near));
        ann.wait("CALL_ESTABLISHED", s(5));
        ann.wait("CALL_CLOSED", s(15));
        let lamp_is = |state: &str| {
            let state = format!("<state>{state}<");
            wait_for(&format!("a lamp that says {state}"), s(5), || {
                key.received("NOTIFY").last().filter(|told| told.text.contains(&state)).map(|_| ())
            });
        };
        lamp_is("confirmed");
        assert!(ann.heard().iter().any(|sample| sample.unsigned_abs() > 1_000), "nothing was said");

        let workers = tandem.says(&["workers"]);
        assert!(workers.lines().any(|row| row.starts_with("ann ") && row.contains("Available")), "{workers}");

        ann.forget();
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        caller.rtp.say(hz::CALLER);
        ann.wait("CALL_INCOMING", s(5));
        ann.pick_up();
        ann.wait("CALL_ESTABLISHED", s(5));
        let bridged = Instant::now();
        caller.rtp.wait_tone(hz::AGENT, 2.0, bridged, s(6));
        caller.hangs_up();
        ann.wait("CALL_CLOSED", s(5));
        let heard = wait_for("what the agent heard", s(3), || {
            Some(ann.heard()).filter(|heard| tone::seconds_of(heard, hz::CALLER) > 1.0)
        });
        assert!(tone::seconds_of(&heard, hz::CALLER) > 1.0);

        // After-work, and the end of the day.
        ann.forget();
        ann.dial(&format!("sip:*11@{}", line.near));
        ann.wait("CALL_CLOSED", s(15));
        lamp_is("terminated");
        key.succeeds(s(10));

        // The ladder says why she was rung, and the day can be replayed beside the running box.
        let calls = tandem.calls();
        let routed = calls
            .iter()
            .find(|call| call["to"] == NUMBER && call["parent"].is_null())
            .expect("it is on record");
        let trace = tandem.says(&["trace", routed["sid"].as_str().unwrap()]);
        assert!(
            trace.contains("ann")
                && (trace.contains("the worker became free") || trace.contains("the task came")),
            "{trace}"
        );
        let began = routed["start"].as_str().expect("it was answered");
        let replayed = tandem.says(&["replay", &began[..10]]);
        assert!(replayed.contains(": the same"), "{replayed}");
    });
}
