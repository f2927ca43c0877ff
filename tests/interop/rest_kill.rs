//! The power goes while the REST API is being used: what was acknowledged is there afterwards, as it was shown; what was
//! deleted stays away.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use serde_json::Value;

use crate::common::network::{in_own_network, loopback};
use crate::common::office::{ACCOUNT_SID, AUTH_TOKEN, CARRIER_PORT, Office};
use crate::common::{s, wait_for};

/// How often the box is killed.
const KILLS: u64 = 6;

/// One request; `None`: the box went away before it had answered.
fn asked(method: &str, path: &str, form: &str) -> Option<(u16, Value)> {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT_SID}:{AUTH_TOKEN}"));
    let path = match path.starts_with("/v1") {
        true => path.to_owned(),
        false => format!("/2010-04-01/Accounts/{ACCOUNT_SID}/{path}"),
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: box\r\nConnection: close\r\nAuthorization: Basic {basic}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let mut stream = TcpStream::connect("127.0.0.1:8080").ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).unwrap_or_default()))
}

/// A call that nobody answers: it is going on whenever the power goes.
const CALL: &str = "To=%2B16135550000&From=%2B15550001111&Twiml=%3CResponse/%3E";

/// Places calls, and ends some of them, until the box is gone.
fn call_it(known: &Mutex<Acknowledged>) {
    for n in 0_u64.. {
        let Some((status, made)) = asked("POST", "Calls.json", CALL) else { return };
        assert_eq!((status, &made["status"]), (201, &"queued".into()), "{made}");
        let own = format!("Calls/{}.json", made["sid"].as_str().unwrap());
        known.lock().unwrap().insert(own.clone(), Some(made));
        if n % 3 == 1 {
            let Some((status, ended)) = asked("POST", &own, "Status=completed") else { return };
            assert_eq!(status, 200, "{own}: {ended}");
        }
        // As many as the carrier's trunk is asked for at once, and no more.
        std::thread::sleep(Duration::from_millis(15));
    }
}

/// What is acknowledged: where a thing is fetched, and how it was shown; `None`: it was deleted.
type Acknowledged = BTreeMap<String, Option<Value>>;

/// Makes, changes and deletes things of a kind until the box is gone.
fn use_it(kind: usize, round: u64, workspace: &str, known: &Mutex<Acknowledged>) {
    let (list, form, change) = match kind {
        0 => ("Queues".to_owned(), "FriendlyName=q", "MaxSize=7"),
        1 => ("Applications".to_owned(), "FriendlyName=a", "VoiceUrl=http://127.0.0.1/a"),
        2 => (format!("{workspace}/Tasks"), "Attributes=%7B%7D&Priority=", "Attributes=%7B%22a%22%3A1%7D"),
        _ => (format!("{workspace}/Workers"), "FriendlyName=w", "Attributes=%7B%22b%22%3A2%7D"),
    };
    let of_2010 = kind < 2;
    let end = if of_2010 { ".json" } else { "" };
    for n in 0_u64.. {
        let form = match kind {
            2 => format!("{form}{n}"),
            _ => format!("{form}{round}x{n}"),
        };
        let Some((status, made)) = asked("POST", &format!("{list}{end}"), &form) else { return };
        assert_eq!(status, 201, "{list} {form}: {made}");
        let own = format!("{list}/{}{end}", made["sid"].as_str().unwrap());
        known.lock().unwrap().insert(own.clone(), Some(made));
        if n % 3 == 1 {
            // From here on either may be: the answer decides, if there is one.
            let before = known.lock().unwrap().remove(&own);
            let Some((status, changed)) = asked("POST", &own, change) else { return };
            assert_eq!(status, 200, "{own}: {before:?} {changed}");
            known.lock().unwrap().insert(own.clone(), Some(changed));
        }
        if n % 3 == 2 {
            known.lock().unwrap().remove(&own);
            let Some((status, answer)) = asked("DELETE", &own, "") else { return };
            assert_eq!(status, 204, "{own}: {answer}");
            known.lock().unwrap().insert(own, None);
        }
    }
}

/// Without what changes by itself while time passes.
fn lasting(shown: &Value) -> Value {
    let mut shown = shown.clone();
    let is_call = shown["sid"].as_str().is_some_and(|sid| sid.starts_with("CA"));
    if let Some(fields) = shown.as_object_mut() {
        fields.retain(|name, _| !["age", "average_wait_time"].contains(&name.as_str()));
        // A call goes on until the power goes, and is over then.
        let goes_on = ["status", "start_time", "end_time", "duration", "date_updated", "queue_time"];
        fields.retain(|name, _| !is_call || !goes_on.contains(&name.as_str()));
    }
    shown
}

#[test]
fn what_was_acknowledged_survives_a_kill_at_any_moment() {
    in_own_network(|| {
        let mut tandem = Office::new().carrier().number("+15550001111", "http://127.0.0.9/voice", "").open();
        // The carrier takes what it is sent and says nothing.
        let _carrier = std::net::UdpSocket::bind((loopback(2), CARRIER_PORT)).unwrap();
        let made = |path: &str, form: &str| asked("POST", path, form).filter(|(status, _)| *status == 201);
        let (_, space) = made("/v1/Workspaces", "FriendlyName=office").unwrap();
        let workspace = format!("/v1/Workspaces/{}", space["sid"].as_str().unwrap());
        let (_, queue) =
            made(&format!("{workspace}/TaskQueues"), "FriendlyName=all&TargetWorkers=1==2").unwrap();
        let rules = format!(
            "FriendlyName=f&Configuration=%7B%22task_routing%22%3A%7B%22default_filter%22%3A%7B%22queue%22%3A%22{}%22%7D%7D%7D",
            queue["sid"].as_str().unwrap()
        );
        made(&format!("{workspace}/Workflows"), &rules).unwrap();
        let known = Arc::new(Mutex::new(Acknowledged::new()));
        for round in 0..KILLS {
            let mut users: Vec<_> = (0..4)
                .map(|kind| {
                    let (workspace, known) = (workspace.clone(), Arc::clone(&known));
                    std::thread::spawn(move || use_it(kind, round, &workspace, &known))
                })
                .collect();
            let calls = Arc::clone(&known);
            users.push(std::thread::spawn(move || call_it(&calls)));
            wait_for("everybody to be at work", s(20), || {
                let known = known.lock().unwrap();
                let calls = known.keys().filter(|path| path.starts_with("Calls/")).count();
                (calls > round as usize && known.len() > 9 * (round as usize + 1)).then_some(())
            });
            std::thread::sleep(Duration::from_millis(round * 137 % 211));
            tandem.kill();
            users.into_iter().for_each(|user| user.join().unwrap());
            tandem.start();
            let known = known.lock().unwrap();
            for (path, shown) in &*known {
                let (status, found) = asked("GET", path, "").unwrap();
                match shown {
                    Some(shown) => {
                        let is_over =
                            ["canceled", "completed", "failed"].map(Into::into).contains(&found["status"]);
                        assert!(!path.starts_with("Calls/") || is_over, "{path} after kill {round}: {found}");
                        assert_eq!(
                            (status, lasting(&found)),
                            (200, lasting(shown)),
                            "{path} after kill {round}"
                        );
                    }
                    None => assert_eq!(status, 404, "{path} is back after kill {round}: {found}"),
                }
            }
        }
    });
}
