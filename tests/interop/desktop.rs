//! An agent's desktop: the official library for those does its work, and leads the conversation of its task.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::common::network::{in_own_network, loopback};
use crate::common::rtp::Rtp;
use crate::common::{hz, ms, s, tone, wait_for};
use crate::library::Library;
use crate::rest::client;
use crate::rest_taskrouter::{sid, way};
use crate::stage::{Caller, answering, answering_until_byed, office, web};

/// The official library for agents' desktops, told what to do.
struct Desktop {
    child: Child,
    orders: ChildStdin,
    told: Receiver<Value>,
}

impl Desktop {
    fn open(token: &str) -> Option<Self> {
        let node = Library::installed().into_iter().find(|library| library.name == "node")?;
        let mut command = node.command("desktop");
        command.env("BOX", "http://127.0.0.1:8080").env("TOKEN", token);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node runs");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, told) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        let orders = child.stdin.take().unwrap();
        Some(Self { child, orders, told })
    }

    /// The next that happens, which is this.
    fn hears(&self, what: &str) -> Value {
        let told = self.told.recv_timeout(s(10)).unwrap_or_else(|_| panic!("{what} does not happen"));
        assert_eq!(told["happens"], what, "{told}");
        told
    }

    /// That happens, whatever else does before it.
    fn until(&self, what: &str) -> Value {
        loop {
            let told = self.told.recv_timeout(s(10)).unwrap_or_else(|_| panic!("{what} does not happen"));
            if told["happens"] == what {
                return told;
            }
        }
    }

    /// Does something; what happens before it is done, and what it is answered.
    fn does(&mut self, order: Value) -> (Vec<Value>, Value) {
        writeln!(self.orders, "{order}").unwrap();
        let mut meanwhile = Vec::new();
        loop {
            let told = self.told.recv_timeout(s(10)).unwrap_or_else(|_| panic!("{order} is not answered"));
            assert!(told.get("failed").is_none(), "{order}: {told}");
            if told["done"] == order[0] {
                return (meanwhile, told["value"].clone());
            }
            meanwhile.push(told);
        }
    }

    /// Would do something, and is told why not.
    fn cannot(&mut self, order: Value) -> String {
        writeln!(self.orders, "{order}").unwrap();
        loop {
            let told = self.told.recv_timeout(s(10)).unwrap_or_else(|_| panic!("{order} is not answered"));
            assert_ne!(told["done"], order[0], "{order} is done");
            if told["failed"] == order[0] {
                return told["text"].as_str().unwrap().to_owned();
            }
        }
    }

    /// Does something that makes this happen, sooner or later.
    fn makes(&mut self, order: Value, what: &str) -> Value {
        let (meanwhile, _) = self.does(order);
        match meanwhile.into_iter().find(|told| told["happens"] == what) {
            Some(told) => told,
            None => self.hears(what),
        }
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As the official server libraries make it (reference: taskrouter §13.3).
fn token(key: &Value, account: &str, workspace: &str, worker: &str) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let grant = json!({ "workspace_sid": workspace, "worker_sid": worker, "role": "worker" });
    let payload = json!({ "jti": "1", "iss": key["sid"], "sub": account, "nbf": now, "exp": now + 3_600,
        "grants": { "identity": "ann", "task_router": grant } });
    let head = json!({ "alg": "HS256", "typ": "JWT", "cty": "twilio-fpa;v=1" });
    let signed = format!("{}.{}", encode(&head), encode(&payload));
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key["secret"].as_str().unwrap().as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(ring::hmac::sign(&secret, signed.as_bytes()).as_ref()))
}

#[test]
fn an_agents_desktop_does_its_work() {
    in_own_network(|| {
        let Some(mut sdk) = client("node") else { return };
        let web = web();
        let _tandem = office(&web).open();
        let made = json!({ "friendly_name": "Office", "template": "FIFO" });
        let ws = sid(&sdk.does(json!(["taskrouter", "v1", "workspaces"]), "create", made));
        let attributes = json!({ "friendly_name": "Ann", "attributes": "{\"contact_uri\":\"client:ann\"}" });
        let ann = sid(&sdk.does(way(&ws, &[json!("workers")]), "create", attributes));
        let bob = sid(&sdk.does(way(&ws, &[json!("workers")]), "create", json!({ "friendly_name": "Bob" })));
        let key = sdk.does(json!(["api", "v2010", "account", "new_keys"]), "create", json!({}));
        let account = crate::common::office::ACCOUNT_SID;
        let Some(mut desk) = Desktop::open(&token(&key, account, &ws, &ann)) else { return };
        let ready = desk.hears("ready");
        assert_eq!((&ready["sid"], &ready["activity"]), (&json!(ann), &json!("Offline")));
        assert_eq!(ready["activities"], json!(["Available", "Offline", "Unavailable"]));
        assert_eq!(ready["channels"], json!(["chat", "default", "sms", "video", "voice"]));

        let there = desk.makes(json!(["activity", "Available"]), "activityUpdated");
        assert_eq!(there["activity"], "Available");
        let told = desk
            .makes(json!(["attributes", { "contact_uri": "client:ann", "level": 3 }]), "attributesUpdated");
        assert_eq!(told["attributes"]["level"], 3);
        let channel = way(&ws, &[json!("workers"), json!([ann]), json!("worker_channels"), json!(["chat"])]);
        sdk.does(channel, "update", json!({ "capacity": 3 }));
        let told = desk.hears("capacityUpdated");
        assert_eq!((&told["channel"], &told["capacity"]), (&json!("chat"), &json!(3)));

        let made = json!({ "attributes": "{\"name\":\"Carl\"}" });
        let task = sid(&sdk.does(way(&ws, &[json!("tasks")]), "create", made));
        let offer = desk.hears("reservationCreated");
        assert_eq!((&offer["task"], &offer["attributes"]["name"]), (&json!(task), &json!("Carl")));
        let offer = sid(&offer);
        let accepted = desk.makes(json!(["accept", offer]), "accepted");
        assert_eq!((&accepted["status"], &accepted["task"]), (&json!("accepted"), &json!("assigned")));
        let with = json!({ "attributes": "{\"name\":\"Carla\"}" });
        sdk.does(way(&ws, &[json!("tasks"), json!([task])]), "update", with);
        desk.hears("updated");

        // Handed on to Bob, who is there, and taken back.
        let activities = sdk.does(way(&ws, &[json!("activities")]), "list", json!({ "available": "true" }));
        let there = json!({ "activity_sid": activities[0]["sid"] });
        sdk.does(way(&ws, &[json!("workers"), json!([bob])]), "update", there);
        desk.makes(json!(["transfer", offer, bob]), "transferInitiated");
        let asked = way(&ws, &[json!("workers"), json!([bob]), json!("reservations")]);
        let asked = sdk.does(asked, "list", json!({}));
        assert_eq!(asked[0]["task_sid"], json!(task));
        desk.makes(json!(["cancelTransfer", offer]), "transferCanceled");

        let wrapping = desk.makes(json!(["wrap", offer]), "wrapup");
        assert_eq!((&wrapping["status"], &wrapping["task"]), (&json!("wrapping"), &json!("wrapping")));
        assert_eq!(desk.makes(json!(["complete", offer]), "completed")["status"], "completed");
        wait_for("the task to be completed", s(5), || {
            let shown = sdk.does(way(&ws, &[json!("tasks"), json!([task])]), "fetch", json!({}));
            (shown["assignment_status"] == "completed").then_some(())
        });

        // A task of her own, to call somebody; she thinks better of it.
        let queue = sdk.does(way(&ws, &[json!("task_queues")]), "list", json!({}))[0]["sid"].clone();
        let flow = sdk.does(way(&ws, &[json!("workflows")]), "list", json!({}))[0]["sid"].clone();
        let own =
            desk.makes(json!(["createTask", "+15550001", "+15550002", flow, queue]), "reservationCreated");
        assert_eq!(own["attributes"]["outbound_to"], "+15550001");
        assert_eq!(desk.makes(json!(["reject", own["sid"]]), "rejected")["status"], "rejected");
    });
}

/// The power goes while desktops are open: whose is back stays where it was, whose is not is put out of the way.
#[test]
fn a_desktop_that_does_not_come_back_after_a_restart_is_waited_for_and_then_no_more() {
    in_own_network(|| {
        let Some(mut sdk) = client("node") else { return };
        let web = web();
        let mut tandem = office(&web).open();
        let made = json!({ "friendly_name": "Office", "template": "FIFO" });
        let ws = sid(&sdk.does(json!(["taskrouter", "v1", "workspaces"]), "create", made));
        let workers = ["ann", "bob"].map(|name| {
            sid(&sdk.does(way(&ws, &[json!("workers")]), "create", json!({ "friendly_name": name })))
        });
        let key = sdk.does(json!(["api", "v2010", "account", "new_keys"]), "create", json!({}));
        let account = crate::common::office::ACCOUNT_SID;
        let opens = |worker: &str| {
            let mut desk = Desktop::open(&token(&key, account, &ws, worker)).expect("node is there");
            desk.until("ready");
            desk.makes(json!(["activity", "Available"]), "activityUpdated");
            desk
        };
        let [anns, _bobs] = [opens(&workers[0]), opens(&workers[1])];
        tandem.kill();
        // Ann goes home; Bob's desktop connects anew by itself.
        drop(anns);
        tandem.start();
        let since = Instant::now();
        let mut is = || {
            workers.clone().map(|worker| {
                let shown = sdk.does(way(&ws, &[json!("workers"), json!([worker])]), "fetch", json!({}));
                shown["activity_name"].as_str().unwrap().to_owned()
            })
        };
        std::thread::sleep(s(25));
        assert_eq!(is(), ["Available", "Available"], "both are waited for");
        wait_for("Ann to be offline", s(20), || (is()[0] == "Offline").then_some(()));
        assert!((s(29)..s(45)).contains(&since.elapsed()), "{:?}", since.elapsed());
        assert_eq!(is(), ["Offline", "Available"]);
    });
}

/// What Bob says.
const BOB: f64 = 1_700.0;

/// For two seconds: who hears whom, `1` for a tone that is there most of the time and `0` for one that is not there.
fn heard(who: &[&Rtp], tones: &[f64]) -> Vec<String> {
    std::thread::sleep(ms(700));
    let since = Instant::now();
    std::thread::sleep(s(2));
    let word = |seconds: f64| match seconds {
        ..0.3 => '0',
        1.2.. => '1',
        _ => '?',
    };
    let hears = |rtp: &&Rtp| {
        let sound = rtp.heard_since(since);
        tones.iter().map(|hz| word(tone::seconds_with(&sound, *hz))).collect()
    };
    who.iter().map(hears).collect()
}

/// A caller is met in a conference, held, not spoken to, shared with a colleague who is held and put out, and lost.
#[test]
fn a_desktop_leads_the_conversation_of_its_task() {
    in_own_network(|| {
        let Some(mut sdk) = client("node") else { return };
        let web = web();
        web.document("/hold", "<Play loop=\"0\">/prompt.wav</Play>");
        let tandem = office(&web).open();
        let made = json!({ "friendly_name": "Office", "template": "FIFO" });
        let ws = sid(&sdk.does(json!(["taskrouter", "v1", "workspaces"]), "create", made));
        let [ann, bob] = ["ann", "bob"].map(|name| {
            let attributes = json!({ "contact_uri": format!("client:{name}") }).to_string();
            let with = json!({ "friendly_name": name, "attributes": attributes });
            sid(&sdk.does(way(&ws, &[json!("workers")]), "create", with))
        });
        let flow = sid(&sdk.does(way(&ws, &[json!("workflows")]), "list", json!({}))[0]);
        web.document("/voice", &format!("<Enqueue workflowSid=\"{flow}\" waitUrl=\"\"/>"));
        let key = sdk.does(json!(["api", "v2010", "account", "new_keys"]), "create", json!({}));
        let account = crate::common::office::ACCOUNT_SID;
        let opens = |worker: &str| Desktop::open(&token(&key, account, &ws, worker)).expect("node is there");
        let (anns, bobs) = (Rtp::open(loopback(11)), Rtp::open(loopback(12)));
        let mut ann_phone = tandem.phone("ann", 11, &answering(&anns));
        let mut bob_phone = tandem.phone("bob", 12, &answering_until_byed(&bobs));

        let mut desk = opens(&ann);
        desk.until("ready");
        desk.makes(json!(["activity", "Available"]), "activityUpdated");
        let mut caller = Caller::calls_until_byed(&tandem);
        caller.rtp.say(hz::CALLER);
        let offer = sid(&desk.until("reservationCreated"));
        desk.does(json!(["conference", offer, {}]));
        let invite = ann_phone.wait("INVITE", s(8));
        anns.talk_to(invite.media().expect("an offer")).say(hz::AGENT);
        desk.until("accepted");
        let two = |tones: &[f64]| heard(&[&caller.rtp, &anns], tones);
        let tones = [hz::CALLER, hz::AGENT, hz::PROMPT];
        assert_eq!(two(&tones), ["010", "100"]);

        // The customer hears the music of the desktop's choice, and nobody else does.
        desk.does(json!(["holdCustomer", offer, true, web.url("/hold")]));
        assert_eq!(two(&tones), ["001", "000"]);
        assert_eq!(web.wait("/hold", s(1)).method, "GET");
        desk.does(json!(["holdCustomer", offer, false]));
        assert_eq!(two(&tones), ["010", "100"]);
        desk.does(json!(["part", offer, { "mute": true }]));
        assert_eq!(two(&tones), ["000", "100"]);
        desk.does(json!(["part", offer, { "mute": false }]));

        // Shared with Bob, who comes by his own desktop.
        assert!(desk.cannot(json!(["kick", offer, bob])).contains("no conference"));
        let mut other = opens(&bob);
        other.until("ready");
        other.makes(json!(["activity", "Available"]), "activityUpdated");
        desk.does(json!(["transfer", offer, bob]));
        let joined = sid(&other.until("reservationCreated"));
        other.does(json!(["conference", joined, {}]));
        let invite = bob_phone.wait("INVITE", s(8));
        bobs.talk_to(invite.media().expect("an offer")).say(BOB);
        other.until("accepted");
        assert_eq!(desk.until("transferCompleted")["status"], "complete");
        let three = |tones: &[f64]| heard(&[&caller.rtp, &anns, &bobs], tones);
        let tones = [hz::CALLER, hz::AGENT, BOB, hz::PROMPT];
        assert_eq!(three(&tones), ["0110", "1010", "1100"]);
        desk.does(json!(["holdWorker", offer, bob, true, web.url("/hold")]));
        assert_eq!(three(&tones), ["0100", "1000", "0001"]);
        desk.does(json!(["holdWorker", offer, bob, false]));
        assert_eq!(three(&tones), ["0110", "1010", "1100"]);
        desk.does(json!(["kick", offer, bob]));
        bob_phone.succeeds(s(8));
        other.until("wrapup");
        assert_eq!(two(&tones), ["0100", "1000"]);

        // Whoever was to end it goes.
        desk.does(json!(["part", offer, { "endConferenceOnExit": true }]));
        ann_phone.go_on();
        ann_phone.succeeds(s(8));
        caller.sipp.succeeds(s(8));
    });
}
