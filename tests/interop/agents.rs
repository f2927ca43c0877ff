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
        // Her keys, and the lamp of her extension.
        let (dark, lit, flashing) = ("terminated", "confirmed", "early");
        let shows: [(&str, &[&str]); 7] = [
            ("*10", &[dark, lit, dark]),
            ("*11", &[lit, dark, lit]),
            ("*12", &[dark, lit, dark]),
            ("*121", &[dark]),
            ("*122", &[dark, lit, dark]),
            ("*13", &[dark, lit, dark]),
            ("101", &[lit, dark, lit, dark, flashing, lit, dark, lit]),
        ];
        let mut lamps: Vec<Sipp> = shows
            .iter()
            .zip((5_083..).step_by(2))
            .map(|((key, states), port)| {
                let local = (loopback(3), port).into();
                let mut sipp = Sipp::call(&lamp(key, states.len()), Transport::Udp, local, tandem.sip());
                sipp.wait("NOTIFY", s(5));
                sipp
            })
            .collect();
        let dials = |ann: &mut Baresip, code: &str| {
            ann.forget();
            ann.dial(&format!("sip:{code}@{}", line.near));
            ann.wait("CALL_ESTABLISHED", s(5));
            ann.wait("CALL_CLOSED", s(15));
        };

        // She hears that she is logged in, goes to lunch and is back.
        dials(&mut ann, "*10");
        assert!(ann.heard().iter().any(|sample| sample.unsigned_abs() > 1_000), "nothing was said");

        let workers = tandem.says(&["workers"]);
        assert!(workers.lines().any(|row| row.starts_with("ann ") && row.contains("Available")), "{workers}");
        dials(&mut ann, "*122");
        let workers = tandem.says(&["workers"]);
        assert!(workers.lines().any(|row| row.starts_with("ann ") && row.contains("Lunch")), "{workers}");
        dials(&mut ann, "*10");

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
        dials(&mut ann, "*13");
        dials(&mut ann, "*11");
        for (sipp, (key, states)) in lamps.iter_mut().zip(shows) {
            sipp.succeeds(s(10));
            let told = sipp.received("NOTIFY");
            let says = |text: &str| {
                [dark, lit, flashing].into_iter().find(|state| text.contains(&format!("<state>{state}<")))
            };
            let told: Vec<_> = told.iter().filter_map(|one| says(&one.text)).collect();
            assert_eq!(told, states, "{key}");
        }

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
