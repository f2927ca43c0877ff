//! TaskRouter on real sockets: a caller becomes a task, the application says `dequeue`, the worker's phone rings, and
//! both hear each other.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::common::network::{in_own_network, loopback};
use crate::common::office::{ACCOUNT_SID, AUTH_TOKEN};
use crate::common::rtp::{Packet, Rtp};
use crate::common::web::Reply;
use crate::common::{hz, ms, s, tone, wait_for};
use crate::stage::{CALLER, Caller, NUMBER, answering_until_byed, office, web};

/// Asks the box; GET without a form.
fn ask(path: &str, form: &[(&str, &str)]) -> Value {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT_SID}:{AUTH_TOKEN}"));
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let body: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    let (method, body) = (if form.is_empty() { "GET" } else { "POST" }, body.join("&"));
    let request = format!(
        "{method} /v1/Workspaces{path} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAuthorization: Basic {basic}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect("127.0.0.1:8080").expect("the box answers HTTP");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 20"), "{path} {form:?}: {answer}");
    serde_json::from_str(body).unwrap()
}

fn sid(body: &Value) -> String {
    body["sid"].as_str().unwrap().to_owned()
}

#[test]
fn a_caller_waits_as_a_task_and_talks_to_the_worker_who_is_rung() {
    in_own_network(|| {
        let web = web();
        let verbs = Arc::new(Mutex::new(String::new()));
        web.on("/voice", {
            let verbs = Arc::clone(&verbs);
            move |_| Reply::twiml(&verbs.lock().unwrap())
        });
        web.document("/wait", "<Play loop=\"0\">/prompt.wav</Play>").document("/out", "<Hangup/>");
        let answer = Arc::new(Mutex::new(String::new()));
        web.on("/assignment", {
            let answer = Arc::clone(&answer);
            move |_| Reply::new(200, "application/json", answer.lock().unwrap().clone())
        });
        let tandem = office(&web).open();

        let events = web.url("/events");
        let workspace = ask("", &[("FriendlyName", "Office"), ("EventCallbackUrl", &events)]);
        let ws = format!("/{}", sid(&workspace));
        let wrap_up = sid(&ask(&format!("{ws}/Activities"), &[("FriendlyName", "Wrap-Up")]));
        let activities = ask(&format!("{ws}/Activities"), &[]);
        let activities = activities["activities"].as_array().unwrap();
        let available = sid(activities.iter().find(|one| one["friendly_name"] == "Available").unwrap());
        let queue = [("FriendlyName", "Spanish"), ("TargetWorkers", "languages HAS \"es\"")];
        let queue = sid(&ask(&format!("{ws}/TaskQueues"), &queue));
        let configuration = json!({"task_routing": {"filters": [{"filter_friendly_name": "Spanish",
            "expression": "selected_language == 'es'", "targets": [{"queue": queue}]}]}});
        let assignment = web.url("/assignment");
        let workflow = [
            ("FriendlyName", "Calls"),
            ("Configuration", &configuration.to_string()),
            ("AssignmentCallbackUrl", &assignment),
        ];
        let workflow = sid(&ask(&format!("{ws}/Workflows"), &workflow));
        let alice = [
            ("FriendlyName", "Alice"),
            ("Attributes", "{\"languages\":[\"en\",\"es\"],\"contact_uri\":\"client:ann\"}"),
        ];
        let alice = format!("{ws}/Workers/{}", sid(&ask(&format!("{ws}/Workers"), &alice)));
        *answer.lock().unwrap() =
            json!({"instruction": "dequeue", "from": NUMBER, "post_work_activity_sid": wrap_up}).to_string();
        *verbs.lock().unwrap() = format!(
            "<Enqueue workflowSid=\"{workflow}\" waitUrl=\"/wait\" action=\"/out\">\
             <Task>{{\"selected_language\":\"es\"}}</Task></Enqueue>"
        );
        let rtp = Rtp::open(loopback(11));
        let mut ann = tandem.phone("ann", 11, &answering_until_byed(&rtp));

        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        caller.rtp.say(hz::CALLER);
        caller.hears(hz::PROMPT, 2.0);
        let waits = web.wait("/wait", s(5));
        assert_eq!((waits.get("QueuePosition"), waits.get("CurrentQueueSize")), ("1", "1"));
        let task = ask(&format!("{ws}/Tasks"), &[])["tasks"][0].clone();
        let attributes: Value = serde_json::from_str(task["attributes"].as_str().unwrap()).unwrap();
        for (name, value) in [
            ("selected_language", json!("es")),
            ("from", json!(CALLER)),
            ("to", json!(NUMBER)),
            ("call_sid", json!(waits.get("CallSid"))),
        ] {
            assert_eq!(attributes[name], value, "{name}");
        }
        assert_eq!(task["assignment_status"], "pending");

        let free = Instant::now();
        ask(&alice, &[("ActivitySid", &available)]);
        let asked = web.wait("/assignment", s(1));
        assert_eq!(
            (asked.get("TaskSid"), asked.get("WorkerSid")),
            (&*sid(&task), alice.rsplit('/').next().unwrap())
        );
        assert!(asked.headers.contains_key("x-twilio-signature"), "{:?}", asked.headers);
        let invite = ann.wait("INVITE", s(5));
        assert!(invite.header("From").contains(NUMBER), "{}", invite.header("From"));
        ann.wait("ACK", s(5));
        let acknowledged = Instant::now();
        rtp.talk_to(invite.media().expect("an offer with SDP")).say(hz::AGENT);
        let speaks = Instant::now();
        caller.rtp.wait_tone(hz::AGENT, 2.0, free, s(8));
        rtp.wait_tone(hz::CALLER, 2.0, free, s(8));
        // The first packet of the other's voice, on both sides.
        for (who, rtp, hz, since) in
            [("worker", &rtp, hz::CALLER, acknowledged), ("caller", &caller.rtp, hz::AGENT, speaks)]
        {
            let is_theirs = |packet: &&Packet| {
                let heard: Vec<i16> = packet.payload.iter().map(|&byte| tone::ulaw_decode(byte)).collect();
                tone::share(&heard, hz) > 0.5
            };
            let through = rtp.packets().iter().find(is_theirs).expect("it heard the other").at;
            let late = through.saturating_duration_since(since);
            assert!(late < ms(300), "the {who} hears the other {late:?} after the answer");
        }
        let at_task = format!("{ws}/Tasks/{}", sid(&task));
        let talking = ask(&at_task, &[]);
        assert_eq!(talking["assignment_status"], "assigned");
        assert!(talking["attributes"].as_str().unwrap().contains("worker_call_sid"), "{talking}");

        caller.hangs_up();
        ann.succeeds(s(5));
        wait_for("the task to be completed", s(5), || {
            (ask(&at_task, &[])["assignment_status"] == "completed").then_some(())
        });
        let worker = ask(&alice, &[]);
        assert_eq!((&worker["activity_name"], &worker["available"]), (&json!("Wrap-Up"), &json!(false)));
        assert_eq!(web.wait("/out", s(5)).get("QueueResult"), "bridged");
        std::thread::sleep(ms(200));
        drop(tandem);
    });
}
