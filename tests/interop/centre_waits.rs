//! Callers who wait as tasks on real sockets: what they hear, what their wait document is told, and what becomes of
//! them when the application that routes them is slow or broken.

use std::time::Instant;

use serde_json::{Value, json};

use crate::common::network::{Line, in_own_network, loopback};
use crate::common::office::{Office, Tandem};
use crate::common::rtp::Rtp;
use crate::common::scenario::Scenario;
use crate::common::sipp::{Sipp, Transport};
use crate::common::web::{Reply, Web};
use crate::common::{hz, ms, s, tone, wait_for};
use crate::contact_centre::ann;
use crate::library::Client;
use crate::rest::client;
use crate::stage::{Caller, answering_until_byed};

/// Whose callers wait with music, and whose with a document.
const MUSIC: &str = "+15550001111";
const SPOKEN: &str = "+15550002222";
/// What is heard on hold.
const HOLD: f64 = 350.0;

/// A workspace, driven by the official library.
struct Desk {
    sdk: Client,
    workspace: String,
}

impl Desk {
    fn open(events: Option<String>) -> Option<Self> {
        let mut sdk = client("python")?;
        let form = json!({"friendly_name": "Desk", "event_callback_url": events});
        let made = sdk.does(json!(["taskrouter", "v1", "workspaces"]), "create", form);
        Some(Self { sdk, workspace: made["sid"].as_str().unwrap().to_owned() })
    }

    fn make(&mut self, what: &str, with: Value) -> String {
        let way = json!(["taskrouter", "v1", "workspaces", [self.workspace], what]);
        self.sdk.does(way, "create", with)["sid"].as_str().unwrap().to_owned()
    }

    fn list(&mut self, what: &str, with: Value) -> Vec<Value> {
        let way = json!(["taskrouter", "v1", "workspaces", [self.workspace], what]);
        self.sdk.does(way, "list", with).as_array().unwrap().clone()
    }

    fn fetch(&mut self, what: &str, sid: &str) -> Value {
        let way = json!(["taskrouter", "v1", "workspaces", [self.workspace], what, [sid]]);
        self.sdk.does(way, "fetch", json!({}))
    }

    fn activity(&mut self, name: &str) -> String {
        let found = self.list("activities", json!({"friendly_name": name}));
        found[0]["sid"].as_str().unwrap().to_owned()
    }

    fn becomes(&mut self, worker: &str, activity: &str) {
        let activity = self.activity(activity);
        let way = json!(["taskrouter", "v1", "workspaces", [self.workspace], "workers", [worker]]);
        self.sdk.does(way, "update", json!({ "activity_sid": activity }));
    }

    fn queue(&mut self, name: &str, target_workers: &str) -> String {
        self.make("task_queues", json!({"friendly_name": name, "target_workers": target_workers}))
    }

    /// Everything goes into one queue.
    fn workflow(&mut self, queue: &str, more: Value) -> String {
        let routing = json!({"task_routing": {"default_filter": {"queue": queue}}});
        let mut with = json!({"friendly_name": "All", "configuration": routing.to_string()});
        with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.make("workflows", with)
    }

    fn worker(&mut self, name: &str, attributes: Value) -> String {
        self.make("workers", json!({"friendly_name": name, "attributes": attributes.to_string()}))
    }

    fn task(&mut self, workflow: &str, priority: u32, attributes: Value) -> String {
        let with =
            json!({"workflow_sid": workflow, "priority": priority, "attributes": attributes.to_string()});
        self.make("tasks", with)
    }

    /// A worker's reservations in a state, by their tasks.
    fn reserved(&mut self, worker: &str, status: &str) -> Vec<(String, String)> {
        let way =
            json!(["taskrouter", "v1", "workspaces", [self.workspace], "workers", [worker], "reservations"]);
        let all = self.sdk.does(way, "list", json!({ "reservation_status": status }));
        let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
        all.as_array().unwrap().iter().map(|one| (text(one, "task_sid"), text(one, "sid"))).collect()
    }

    fn answers(&mut self, worker: &str, reservation: &str, with: Value) {
        let workers = json!(["taskrouter", "v1", "workspaces", [self.workspace], "workers", [worker]]);
        let mut way = workers;
        way.as_array_mut().unwrap().extend([json!("reservations"), json!([reservation])]);
        self.sdk.does(way, "update", with);
    }

    fn completes(&mut self, task: &str) {
        let way = json!(["taskrouter", "v1", "workspaces", [self.workspace], "tasks", [task]]);
        self.sdk.does(way, "update", json!({"assignment_status": "completed", "reason": "done"}));
    }
}

fn calls(tandem: &Tandem, n: u16, number: &str) -> Caller {
    let rtp = Rtp::open(loopback(2));
    let from = format!("+1555777{n:04}");
    let scenario = Scenario::caller(&from, number).invite_answered(&rtp.sdp()).until_told().bye();
    let mut sipp = Sipp::call(&scenario.xml(), Transport::Udp, (loopback(2), 5100 + n).into(), tandem.sip());
    let answer = sipp.wait("SIP/2.0 200", s(10));
    rtp.talk_to(answer.media().expect("an answer with SDP"));
    Caller { sipp, rtp, answered: Instant::now() }
}

/// The longest time, in seconds, in which a tone that began was not heard.
fn longest_gap(heard: &[i16], hz: f64) -> f64 {
    let windows: Vec<bool> = heard.chunks(160).map(|window| tone::share(window, hz) > 0.5).collect();
    let first = windows.iter().position(|is| *is).expect("it was heard");
    let last = windows.iter().rposition(|is| *is).expect("it was heard");
    let gaps = windows[first..=last].split(|is| *is).map(<[bool]>::len);
    gaps.max().unwrap_or(0) as f64 * 0.02
}

#[test]
fn callers_hear_music_or_their_place_and_survive_a_broken_application() {
    in_own_network(|| {
        let (web, line) = (Web::start(loopback(9)), Line::lay(1));
        web.sound("/music.wav", &tone::sine(HOLD, 3.0)).sound("/place.wav", &tone::sine(hz::PROMPT, 1.0));
        web.document("/place", "<Play>/place.wav</Play>").document("/out", "<Hangup/>");
        let json_of = |instruction: &Value| Reply::new(200, "application/json", instruction.to_string());
        let dequeue = json_of(&json!({"instruction": "dequeue"}));
        let late = dequeue.clone().after(s(7));
        web.on("/slow", move |_| late.clone()).on("/fallback", move |_| dequeue.clone());
        web.on("/broken", |_| Reply::new(500, "text/plain", "oops"));
        let phone = |name: &str, extension: u16| {
            format!("[[phone]]\nname = \"{name}\"\npassword = \"secret\"\nextension = \"{extension}\"")
        };
        let office = Office::new().listen(line.near).table(&phone("ann", 101)).carrier();
        let office = office.number(MUSIC, &web.url("/music"), "").number(SPOKEN, &web.url("/spoken"), "");
        let tandem = office.open();
        let Some(mut desk) = Desk::open(None) else { return };
        let ann_phone = ann(&line);
        let (here, there) = (desk.queue("Here", "here == 1"), desk.queue("There", "here == 0"));
        let slow = json!({"assignment_callback_url": web.url("/slow"),
            "fallback_assignment_callback_url": web.url("/fallback")});
        let broken = json!({"assignment_callback_url": web.url("/broken"),
            "fallback_assignment_callback_url": web.url("/broken")});
        let (slow, broken) = (desk.workflow(&here, slow), desk.workflow(&there, broken));
        let ann = desk.worker("Ann", json!({"here": 1, "contact_uri": "client:ann"}));
        let bob = desk.worker("Bob", json!({"here": 0, "contact_uri": "client:bob"}));
        web.document(
            "/music",
            &format!(
                "<Enqueue workflowSid=\"{slow}\" waitUrl=\"/music.wav\" waitUrlMethod=\"GET\" action=\"/out\"/>"
            ),
        );
        web.document(
            "/spoken",
            &format!("<Enqueue workflowSid=\"{broken}\" waitUrl=\"/place\" action=\"/out\"/>"),
        );

        // One hears music that goes on, the other a document that is asked for again and again.
        let mut music = calls(&tandem, 1, MUSIC);
        music.rtp.say(hz::CALLER);
        let mut spoken = calls(&tandem, 2, SPOKEN);
        std::thread::sleep(s(8));
        let heard = music.rtp.heard();
        assert!(tone::seconds_of(&heard, HOLD) > 6.0, "{} s of music", tone::seconds_of(&heard, HOLD));
        assert!(longest_gap(&heard, HOLD) <= 0.2, "a gap of {} s", longest_gap(&heard, HOLD));
        let got = web.asked("/music.wav");
        assert!(!got.is_empty() && got.iter().all(|one| one.method == "GET" && one.form.is_empty()));
        let places = web.asked("/place");
        assert!(places.len() >= 4, "asked {} times", places.len());
        let waited: Vec<u64> = places.iter().map(|one| one.get("QueueTime").parse().unwrap()).collect();
        assert!(waited.is_sorted() && waited.last() >= Some(&4), "{waited:?}");
        for place in &places {
            assert_eq!((place.method.as_str(), place.get("QueuePosition")), ("POST", "1"));
            assert_eq!((place.get("CurrentQueueSize"), place.get("MaxQueueSize")), ("1", "100"));
            assert!(!place.get("QueueSid").is_empty() && !place.get("AvgQueueTime").is_empty());
        }

        // An application that is slow is asked elsewhere after 5 s; one that is broken costs an offer.
        desk.becomes(&bob, "Available");
        desk.becomes(&ann, "Available");
        let (asked, fell) = (web.wait("/slow", s(3)), web.wait("/fallback", s(8)));
        let after = fell.at.duration_since(asked.at);
        assert!((ms(4_800)..ms(6_000)).contains(&after), "{after:?}");
        for name in [
            "Timestamp",
            "AccountSid",
            "WorkspaceSid",
            "WorkflowSid",
            "TaskQueueSid",
            "WorkerSid",
            "WorkerAttributes",
            "TaskSid",
            "TaskAttributes",
            "TaskAge",
            "TaskPriority",
            "ReservationSid",
        ] {
            assert!(
                !fell.get(name).is_empty()
                    && (name == "Timestamp" || fell.get(name) == asked.get(name) || name == "TaskAge"),
                "{name}: {}",
                fell.get(name)
            );
        }
        music.rtp.wait_tone(hz::AGENT, 1.5, fell.at, s(8));
        let withdrawn = wait_for("Bob's offer to be taken back", s(10), || {
            desk.reserved(&bob, "canceled").into_iter().next()
        });
        assert_eq!(web.wait_nth("/broken", 3, s(8)).get("TaskSid"), withdrawn.0, "it is offered again");
        assert_eq!(desk.fetch("workers", &bob)["activity_name"], "Available");
        assert!(
            spoken.sipp.received("BYE").is_empty() && web.asked("/out").is_empty(),
            "its caller is on hold"
        );
        let sid = web.asked("/spoken")[0].get("CallSid").to_owned();
        let alerts = desk.sdk.does(json!(["calls", [sid], "notifications"]), "list", json!({}));
        let codes: Vec<&str> =
            alerts.as_array().unwrap().iter().filter_map(|one| one["error_code"].as_str()).collect();
        assert!(codes.len() >= 2 && codes.iter().all(|code| *code == "11200"), "{codes:?}");

        std::thread::sleep(ms(500));
        music.hangs_up();
        ann_phone.wait("CALL_CLOSED", s(5));
        let heard =
            wait_for("what Ann heard", s(5), || Some(ann_phone.heard()).filter(|heard| heard.len() > 8_000));
        assert!(tone::seconds_of(&heard, hz::CALLER) > 1.2 && tone::seconds_of(&heard, HOLD) < 0.1);
        spoken.hangs_up();
    });
}

#[test]
fn worker_and_caller_meet_in_a_conference_and_a_supervisor_whispers() {
    const BOSS: f64 = 1700.0;
    in_own_network(|| {
        let web = Web::start(loopback(9));
        web.sound("/music.wav", &tone::sine(HOLD, 3.0));
        let instruction = json!({"instruction": "conference", "end_conference_on_customer_exit": true,
            "conference_status_callback": web.url("/room"), "conference_status_callback_event": ["join", "end"]});
        let meet = Reply::new(200, "application/json", instruction.to_string());
        web.on("/assignment", move |_| meet.clone()).on("/room", |_| Reply::empty());
        let office = Office::new().phone("ann", "secret", "101").phone("bob", "secret", "102").carrier();
        let tandem = office.number(MUSIC, &web.url("/voice"), "").open();
        let Some(mut desk) = Desk::open(None) else { return };
        let queue = desk.queue("Here", "here == 1");
        let flow = desk.workflow(&queue, json!({"assignment_callback_url": web.url("/assignment")}));
        web.document(
            "/voice",
            &format!("<Enqueue workflowSid=\"{flow}\" waitUrl=\"/music.wav\" waitUrlMethod=\"GET\"/>"),
        );
        let worker = desk.worker("Ann", json!({"here": 1, "contact_uri": "client:ann"}));
        let boss = desk.worker("Boss", json!({"here": 0, "contact_uri": "client:bob"}));
        let (anns, bosss) = (Rtp::open(loopback(11)), Rtp::open(loopback(12)));
        let mut ann = tandem.phone("ann", 11, &answering_until_byed(&anns));
        let mut bob = tandem.phone("bob", 12, &answering_until_byed(&bosss));
        let mut caller = calls(&tandem, 1, MUSIC);
        caller.rtp.say(hz::CALLER);
        caller.hears(HOLD, 0.5);

        desk.becomes(&worker, "Available");
        let invite = ann.wait("INVITE", s(8));
        anns.talk_to(invite.media().expect("an offer")).say(hz::AGENT);
        let rung = Instant::now();
        caller.rtp.wait_tone(hz::AGENT, 1.0, rung, s(8));
        anns.wait_tone(hz::CALLER, 1.0, rung, s(8));
        let (task, reservation) = desk.reserved(&worker, "accepted").remove(0);
        assert_eq!(web.wait("/room", s(3)).get("FriendlyName"), task);

        let mut way = json!(["taskrouter", "v1", "workspaces", [desk.workspace], "tasks", [task]]);
        way.as_array_mut().unwrap().extend([json!("reservations"), json!([reservation])]);
        let supervise = json!({"instruction": "supervise", "supervisor": boss, "supervisor_mode": "whisper"});
        desk.sdk.does(way, "update", supervise);
        let invite = bob.wait("INVITE", s(8));
        bosss.talk_to(invite.media().expect("an offer")).say(BOSS);
        let rung = Instant::now();
        for (who, rtp, tones) in
            [("Ann", &anns, [hz::CALLER, BOSS]), ("the supervisor", &bosss, [hz::CALLER, hz::AGENT])]
        {
            wait_for(&format!("{who} to hear both"), s(8), || {
                let heard = rtp.heard_since(rung);
                tones.iter().all(|hz| tone::seconds_with(&heard, *hz) > 1.0).then_some(())
            });
        }
        assert!(
            tone::seconds_with(&caller.rtp.heard_since(rung), BOSS) < 0.1,
            "the caller hears no supervisor"
        );
        assert_eq!(desk.fetch("tasks", &task)["assignment_status"], "assigned");

        caller.hangs_up();
        ann.succeeds(s(5));
        bob.succeeds(s(5));
        wait_for("the after-work", s(5), || {
            (desk.fetch("tasks", &task)["assignment_status"] == "wrapping").then_some(())
        });
    });
}

#[test]
fn tasks_go_by_priority_by_skill_and_to_the_next_one_in_time() {
    in_own_network(|| {
        let web = Web::start(loopback(9));
        web.on("/events", |_| Reply::empty());
        web.on("/nothing", |_| Reply::new(200, "application/json", "{}"));
        let _tandem = Office::new().open();
        let Some(mut desk) = Desk::open(Some(web.url("/events"))) else { return };
        let reserved = |desk: &mut Desk, worker: &str, status: &str| {
            wait_for(&format!("a reservation that is {status}"), s(8), || {
                desk.reserved(worker, status).into_iter().next()
            })
        };

        // The highest priority first, of equals the older.
        let alone = desk.queue("Alone", "alone == 1");
        let flow = desk.workflow(&alone, json!({}));
        let tasks = [(0, "t1"), (5, "t2"), (5, "t3")]
            .map(|(priority, name)| desk.task(&flow, priority, json!({"n": name})));
        let worker = desk.worker("Zoe", json!({"alone": 1}));
        for task in [&tasks[1], &tasks[2], &tasks[0]] {
            desk.becomes(&worker, "Available");
            let (offered, reservation) = reserved(&mut desk, &worker, "pending");
            assert_eq!(&offered, task);
            desk.becomes(&worker, "Unavailable");
            desk.answers(&worker, &reservation, json!({"reservation_status": "accepted"}));
            desk.completes(task);
        }

        // Only who speaks it; and who does not answer is passed over in time.
        let english = desk.queue("English", "languages HAS \"en\"");
        let hindi = desk.queue("Hindi", "languages HAS \"hi\"");
        let routing = json!({"task_routing": {"filters": [
            {"expression": "lang == 'hi'", "targets": [{"queue": hindi}]},
            {"expression": "lang == 'en'", "targets": [{"queue": english}]}]}});
        let flow = desk
            .make("workflows", json!({"friendly_name": "Languages", "configuration": routing.to_string()}));
        let alice = desk.worker("Alice", json!({"languages": ["en"]}));
        let shyam = desk.worker("Shyam", json!({"languages": ["hi"]}));
        desk.becomes(&alice, "Available");
        let (hi, en) =
            (desk.task(&flow, 0, json!({"lang": "hi"})), desk.task(&flow, 0, json!({"lang": "en"})));
        let both = desk.queue("Both", "pair == 1");
        let timing = json!({"task_routing": {"filters": [
            {"expression": "1==1", "targets": [{"queue": both, "timeout": 30}]}]}});
        let timed = desk.make(
            "workflows",
            json!({"friendly_name": "Timed", "configuration": timing.to_string(),
            "assignment_callback_url": web.url("/nothing"), "task_reservation_timeout": 5}),
        );
        let pair = ["W1", "W2"].map(|name| desk.worker(name, json!({"pair": 1})));
        desk.becomes(&pair[0], "Available");
        std::thread::sleep(ms(50));
        desk.becomes(&pair[1], "Available");
        let began = Instant::now();
        let task = desk.task(&timed, 0, json!({}));
        assert_eq!(reserved(&mut desk, &pair[0], "pending").0, task, "the one idle the longest");
        assert_eq!(reserved(&mut desk, &pair[0], "timeout").0, task);
        assert!((ms(4_500)..ms(7_000)).contains(&began.elapsed()), "{:?}", began.elapsed());
        assert_eq!(desk.fetch("workers", &pair[0])["activity_name"], "Offline");
        let (second, reservation) = reserved(&mut desk, &pair[1], "pending");
        assert_eq!((&second, &desk.fetch("tasks", &task)["assignment_status"]), (&task, &json!("reserved")));
        desk.answers(&pair[1], &reservation, json!({"reservation_status": "accepted"}));
        assert_eq!(desk.fetch("tasks", &task)["assignment_status"], "assigned");
        for (kind, word) in [("reservation.timeout", "pending"), ("worker.activity.update", "")] {
            let told = web.asked("/events").into_iter().find(|one| {
                one.get("EventType") == kind
                    && one.get("WorkerSid") == pair[0]
                    && (kind != "worker.activity.update" || one.get("WorkerActivityName") == "Offline")
            });
            let told = told.unwrap_or_else(|| panic!("nobody was told of {kind}"));
            assert!(word.is_empty() || told.get("TaskSid") == task, "{told:?}");
        }

        // Five seconds later the Hindi caller still waits for the one who speaks it.
        assert_eq!(desk.reserved(&alice, "pending").iter().map(|one| &one.0).collect::<Vec<_>>(), [&en]);
        assert_eq!(desk.fetch("tasks", &hi)["assignment_status"], "pending");
        desk.becomes(&shyam, "Available");
        assert_eq!(reserved(&mut desk, &shyam, "pending").0, hi);
        assert_eq!(desk.reserved(&alice, "pending").len(), 1);
    });
}
