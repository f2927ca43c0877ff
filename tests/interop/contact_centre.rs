//! A contact centre of somebody else's making (`tests/sdk/centre_python.py`) against the box: its callers choose by key,
//! wait for whoever knows, are called back when nobody came, and its agents come and go by a message.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::baresip::{Account, Baresip};
use crate::common::network::{Line, in_own_network, loopback};
use crate::common::office::{ACCOUNT_SID, AUTH_TOKEN, Office, Tandem};
use crate::common::rtp::Rtp;
use crate::common::scenario::Scenario;
use crate::common::sipp::{Sipp, Transport};
use crate::common::web::{Reply, Web};
use crate::common::{hz, ms, s, tone, wait_for};
use crate::library::{Application, Client, Library};
use crate::rest::{ORIGIN, client};
use crate::stage::{Caller, NUMBER, ringing_until_cancelled};

const SERVE: &str = "127.0.0.10:9010";
/// The apology of its voicemail.
const SORRY: f64 = 2500.0;
/// What the box plays before it records.
const BEEP: f64 = 1000.0;

/// The application from outside.
struct Centre {
    sdk: Client,
    _app: Application,
    workspace: Value,
}

impl Centre {
    fn opens(web: &Web, agents: Value) -> Option<Self> {
        let mut sdk = client("python")?;
        // What is left of an earlier start goes.
        let old = json!({"friendly_name": "Product support"});
        let old = sdk.does(json!(["taskrouter", "v1", "workspaces"]), "create", old);
        let library = Library::installed().into_iter().find(|one| one.name == "python")?;
        let (sounds, chat) = (web.url(""), web.url("/chat"));
        let app = library.serves(
            "centre",
            &[
                ("BOX", ORIGIN),
                ("ACCOUNT", ACCOUNT_SID),
                ("TOKEN", AUTH_TOKEN),
                ("SERVE", SERVE),
                ("SOUNDS", &sounds),
                ("CHAT", &chat),
                ("AGENTS", &agents.to_string()),
            ],
        );
        let workspace = app.says["workspace"].clone();
        let all = sdk.does(json!(["taskrouter", "v1", "workspaces"]), "list", json!({}));
        let sids: Vec<&Value> = all.as_array().unwrap().iter().map(|one| &one["sid"]).collect();
        assert_eq!(sids, [&workspace], "the one of before is gone");
        assert_ne!(workspace, old["sid"]);
        Some(Self { sdk, _app: app, workspace })
    }

    fn list(&mut self, what: &str, with: Value) -> Vec<Value> {
        let way = json!(["taskrouter", "v1", "workspaces", [self.workspace], what]);
        self.sdk.does(way, "list", with).as_array().unwrap().clone()
    }

    /// The tasks with their attributes read, by the callers' numbers.
    fn task_of(&mut self, number: &str) -> Option<(Value, Value)> {
        let tasks = self.list("tasks", json!({}));
        tasks.into_iter().find_map(|task| {
            let attributes: Value = serde_json::from_str(task["attributes"].as_str().unwrap()).unwrap();
            (attributes["from"] == number).then_some((task, attributes))
        })
    }

    fn waits_as(&mut self, number: &str, status: &str, within: Duration) -> Value {
        wait_for(&format!("the task of {number} to be {status}"), within, || {
            let (task, _) = self.task_of(number)?;
            (task["assignment_status"] == status).then_some(task)
        })
    }

    fn worker(&mut self, name: &str) -> Value {
        self.list("workers", json!({"friendly_name": name})).remove(0)
    }

    fn is(&mut self, name: &str, activity: &str) {
        wait_for(&format!("{name} to be {activity}"), s(5), || {
            (self.worker(name)["activity_name"] == activity).then_some(())
        });
    }

    /// What the application was asked at a path, oldest first.
    fn asked(&self, path: &str) -> Vec<Value> {
        let (_, log) = http("GET", "/log", "");
        let log: Vec<Value> = serde_json::from_str(&log).unwrap();
        log.into_iter().filter(|one| one["path"] == path).collect()
    }

    /// An event it was told of, and when.
    fn event(&self, kind: &str, of: &str, within: Duration) -> (Value, f64) {
        wait_for(&format!("{kind} of {of}"), within, || {
            let events = self.asked("/events").into_iter();
            let mut events = events.filter(|one| one["form"]["EventType"] == kind);
            let found = events.find(|one| one["form"].to_string().contains(of))?;
            Some((found["form"].clone(), found["at"].as_f64().unwrap()))
        })
    }

    fn missed(&self) -> Vec<(String, String)> {
        let rows: Vec<Value> = serde_json::from_str(&http("GET", "/missed", "").1).unwrap();
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        rows.iter().map(|row| (text(row, "number"), text(row, "product"))).collect()
    }

    /// An agent sends a message; the answer.
    fn message(&self, from: &str, body: &str) -> String {
        let (status, answer) =
            http("POST", "/message", &format!("From={}&Body={body}", from.replace(':', "%3A")));
        assert_eq!(status, 200);
        answer
    }
}

/// Asks the application as anybody may.
fn http(method: &str, path: &str, form: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(SERVE).expect("the application serves");
    let length = form.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {SERVE}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{form}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Caller `n` of several at the carrier, each with a number of its own.
fn calls(tandem: &Tandem, n: u16) -> (String, Caller) {
    let number = format!("+1555777{n:04}");
    let rtp = Rtp::open(loopback(2));
    let scenario = Scenario::caller(&number, NUMBER).invite_answered(&rtp.sdp()).until_told().bye();
    let mut sipp = Sipp::call(&scenario.xml(), Transport::Udp, (loopback(2), 5100 + n).into(), tandem.sip());
    let answer = sipp.wait("SIP/2.0 200", s(10));
    rtp.talk_to(answer.media().expect("an answer with SDP"));
    (number, Caller { sipp, rtp, answered: Instant::now() })
}

fn open(web: &Web, line: &Line) -> Tandem {
    let phone = |name: &str, extension: u16| {
        format!("[[phone]]\nname = \"{name}\"\npassword = \"secret\"\nextension = \"{extension}\"")
    };
    let voice = format!("http://{SERVE}/incoming");
    let office = Office::new().listen(line.near).table(&phone("ann", 101)).table(&phone("bob", 102));
    web.sound("/menu.wav", &tone::sine(hz::MENU, 2.0)).sound("/sorry.wav", &tone::sine(SORRY, 1.5));
    web.on("/chat", |_| Reply::empty());
    office.carrier().number(NUMBER, &voice, "").open()
}

/// Ann's soft phone, which takes calls by itself.
pub fn ann(line: &Line) -> Baresip {
    let account = Account { codecs: "pcmu", ..Account::of("ann", line.near) };
    let phone = Baresip::start(line, &account);
    phone.registered();
    phone
}

#[test]
fn a_contact_centre_of_the_tutorials_runs_on_the_box() {
    in_own_network(|| {
        let (web, line) = (Web::start(loopback(9)), Line::lay(1));
        let tandem = open(&web, &line);
        let agents = json!([
            {"name": "Ann", "products": ["ProgrammableVoice"], "contact_uri": "client:ann"},
            {"name": "Bob", "products": ["ProgrammableVoice"], "contact_uri": "client:bob"},
        ]);
        let Some(mut centre) = Centre::opens(&web, agents) else { return };
        let ann = ann(&line);

        // Four callers, four keys: the menu is cut short, and what they want is their task's.
        let mut callers: Vec<(String, Caller)> = (0..4).map(|n| calls(&tandem, n)).collect();
        for ((_, caller), key) in callers.iter().zip(["1", "2", "3", "#"]) {
            caller.hears(hz::MENU, 0.3);
            caller.rtp.press(key);
        }
        for ((number, _), product) in callers.iter().zip([
            "ProgrammableSMS",
            "ProgrammableVoice",
            "ProgrammableVoice",
            "ProgrammableVoice",
        ]) {
            let task = centre.waits_as(number, "pending", s(8));
            let (_, attributes) = centre.task_of(number).unwrap();
            assert_eq!(attributes["selected_product"], product, "{number}");
            assert_eq!((&task["priority"], &task["task_channel_unique_name"]), (&json!(5), &json!("voice")));
        }
        assert_eq!(centre.missed(), []);

        // Who hangs up was missed, and is not asked for a message.
        let (first, waiting) = callers.remove(0);
        for (number, caller) in &mut callers {
            caller.hangs_up();
            let left = Instant::now();
            let task = centre.waits_as(number, "canceled", s(3));
            assert!(left.elapsed() < ms(2_500), "{:?}", left.elapsed());
            assert_eq!(task["reason"], "hangup");
            centre.event("task.canceled", number, s(3));
        }

        // Who waited too long stays in the line until the application acts, apologises and records.
        let task = centre.task_of(&first).unwrap().0["sid"].as_str().unwrap().to_owned();
        let (timeout, at) = centre.event("workflow.timeout", &task, s(9));
        let (canceled, _) = centre.event("task.canceled", &task, s(3));
        let (_, since) = centre.event("task.created", &task, s(1));
        assert!((5.0..7.5).contains(&(at - since)), "after {} s", at - since);
        assert_eq!(timeout["TaskAttributes"], canceled["TaskAttributes"]);
        assert_eq!(canceled["TaskCanceledReason"], "Task canceled on Workflow timeout");
        assert_eq!(canceled["TaskAssignmentStatus"], "canceled");
        waiting.hears(SORRY, 1.0);
        waiting.hears(BEEP, 0.3);
        waiting.rtp.say(hz::CALLER);
        std::thread::sleep(ms(1_500));
        let mut waiting = waiting;
        waiting.hangs_up();
        let recording = wait_for("the message", s(5), || {
            tandem.recordings().into_iter().flatten().find(|sound| tone::seconds_of(sound, hz::CALLER) > 0.8)
        });
        assert!(tone::seconds_of(&recording, SORRY) < 0.1, "the apology is not in it");
        let mut missed = centre.missed();
        missed.sort();
        let mut expected = vec![(first.clone(), "ProgrammableSMS".to_owned())];
        expected.extend(callers.iter().map(|(number, _)| (number.clone(), "ProgrammableVoice".to_owned())));
        assert_eq!(missed, expected, "each once");
        // They are called back from a page.
        let page = http("GET", "/", "").1;
        assert!(missed.iter().all(|(number, _)| page.contains(&format!("href=\"tel:{number}\""))), "{page}");
        assert_eq!(centre.asked("/voicemail").len(), 1);

        // An agent comes by a message; who hangs up while a phone rings stops it.
        assert!(centre.message("client:bob", "ON").contains("You are Available now."));
        tandem.register("bob", "secret", (loopback(12), 5060).into());
        let rings =
            || Sipp::answer(&ringing_until_cancelled().xml(), Transport::Udp, (loopback(12), 5060).into());
        let mut bob = rings();
        let (number, mut caller) = calls(&tandem, 5);
        caller.rtp.press("2");
        bob.wait("INVITE", s(8));
        centre.waits_as(&number, "reserved", s(3));
        caller.hangs_up();
        bob.succeeds(s(5));
        centre.waits_as(&number, "canceled", s(3));
        let (reservation, _) = centre.event("reservation.canceled", &number, s(3));
        assert_eq!(reservation["WorkerActivityName"], "Available");
        centre.is("Bob", "Available");
        assert_eq!(web.asked("/chat").len(), 0);

        // Who lets it ring is offline, and told how to come back.
        let mut bob = rings();
        let (number, mut caller) = calls(&tandem, 6);
        caller.rtp.say(hz::CALLER).press("3");
        bob.succeeds(s(12));
        centre.is("Bob", "Offline");
        web.wait("/chat", s(5));
        assert_eq!(
            centre.event("worker.activity.update", "\"WorkerActivityName\":\"Offline\"", s(1)).0["WorkerPreviousActivityName"],
            "Available"
        );
        centre.waits_as(&number, "pending", s(3));
        assert!(centre.message("client:bob", "maybe").contains("Say On"));
        assert_eq!(centre.worker("Bob")["activity_name"], "Offline");

        // Another one comes, is rung, and both hear each other.
        assert!(centre.message("client:ann", "on").contains("You are Available now."));
        let free = Instant::now();
        caller.rtp.wait_tone(hz::AGENT, 1.5, free, s(10));
        let talking = centre.waits_as(&number, "assigned", s(3));
        assert!(talking["attributes"].as_str().unwrap().contains("worker_call_sid"));
        std::thread::sleep(ms(1_000));
        caller.hangs_up();
        ann.wait("CALL_CLOSED", s(5));
        let heard =
            wait_for("what Ann heard", s(5), || Some(ann.heard()).filter(|heard| heard.len() > 8_000));
        assert!(tone::seconds_of(&heard, hz::CALLER) > 1.2, "{} s", tone::seconds_of(&heard, hz::CALLER));
        centre.is("Ann", "Wrap-Up");
        centre.waits_as(&number, "completed", s(3));
        assert!(centre.message("client:ann", "Off").contains("You are Offline now."));

        // What it does not know it lets pass; and the box signed whatever it said.
        assert_eq!(http("POST", "/events", "EventType=moon.risen"), (200, String::new()));
        let unsigned =
            ["/incoming", "/enqueue", "/assignment", "/events", "/voicemail", "/recorded", "/left"]
                .into_iter()
                .flat_map(|path| centre.asked(path))
                .filter(|one| one["signed"] != true && one["form"]["EventType"] != "moon.risen");
        assert_eq!(unsigned.collect::<Vec<_>>(), Vec::<Value>::new());
    });
}
