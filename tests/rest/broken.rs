//! What no client would send, on every path there is: it is refused with a number, and never as the box's own fault.

use std::collections::BTreeMap;

use base::Rng;
use serde_json::Value;
use sim::NUMBER;

use crate::house::{ACCOUNT, House};
use crate::surface::{Way, ways};

/// In place of a sid.
const SIDS: &[&str] = &[
    "CA00000000000000000000000000000001",
    "QU00000000000000000000000000000001",
    "RE00000000000000000000000000000001",
    "CA1",
    "Front",
    "Twilio.CURRENT",
    "..",
    "%2e%2e%2f",
    "%00",
    "%ff%fe",
    "%",
    "a%20b",
    "\u{fc}",
    "AP000000000000000000000000000000000000000000000000000000000000000000000000000000000001",
];

/// Without these many an operation looks at nothing else.
const GOOD: &[(&str, &str)] = &[
    ("To", "client:ann"),
    ("From", NUMBER),
    ("Url", "http://web.example/music"),
    ("FriendlyName", "broken"),
    ("PhoneNumber", "+15550007777"),
    ("UniqueName", "broken"),
    ("Username", "broken"),
    ("Password", "Secret-12345678"),
    ("DomainName", "broken.office.example"),
    ("IpAddress", "192.0.2.79"),
    ("Target", "sip:198.51.100.9"),
    ("ConnectorName", "vault"),
    ("Content", "{}"),
    ("Callback", "http://web.example/music"),
    ("UsageCategory", "calls"),
    ("TriggerValue", "100"),
    ("CallbackUrl", "http://web.example/music"),
    ("Status", "stopped"),
];

/// Names of every list, and of none.
const NAMES: &[&str] = &["PageSize", "Page", "PageToken", "StartTime>", "Nonsense", "", "To", "Status"];
const VALUES: &[&str] = &[
    "",
    "x",
    "0",
    "1",
    "-1",
    "1001",
    "4294967295",
    "4294967296",
    "99999999999999999999",
    "1e9",
    "NaN",
    "true",
    "TRUE",
    "http://web.example/",
    "http://",
    "http://[::1",
    "wss://web.example/",
    "file:///etc/passwd",
    "javascript:1",
    "client:ann",
    "sip:ann@office.example",
    "sip:@",
    "sip:a@b;c=d?e=f&g=h",
    "sip:%ff@x",
    "+15557654321",
    "+",
    "112",
    "2026-01-02",
    "2026-13-45",
    "0000-00-00",
    "9999-12-31T23:59:59Z",
    "-9999-01-01",
    "+275760-09-13T00:00:00Z",
    "<Response/>",
    "<Response>",
    "<!DOCTYPE a [<!ENTITY b 'c'>]><Response>&b;</Response>",
    "%00",
    "%ff",
    "%",
    "%zz",
    "\u{fffd}",
    "a\r\nb",
    "PACA00000000000000000000000000000001-5",
    "PBCA00000000000000000000000000000001--5",
    "PACA00000000000000000000000000000001-9223372036854775807",
    "PACA00000000000000000000000000000001-x",
    "'; DROP TABLE calls; --",
    "{\"a\":",
    "completed",
    "canceled",
    "in-progress",
    "paused",
    "initiated answered",
    "{\"skills\":[\"en\"],\"n\":1e999}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "{\"task_routing\":{\"filters\":[{\"expression\":\"1==1\",\"targets\":[{\"queue\":\"x\"}]}]}}",
    "skills HAS \"en\" AND n > 1",
    "((((((((((((((((((((",
    "1 == ",
    "task.a == worker.b",
    "pending",
    "accepted",
    "+1e308",
    "-400000days",
];

/// Values tried with each name of each operation.
const VALUES_EACH: usize = 2;
/// Requests after which everybody hangs up and others call.
const REFRESH: usize = 250;

/// Requests put together by chance.
struct Broken {
    rng: Rng,
    /// Lists, and something that was in them.
    found: BTreeMap<String, Option<String>>,
}

#[tokio::test(flavor = "current_thread")]
async fn nothing_from_outside_is_the_boxs_own_fault() {
    let seed = std::env::var("SEED").map_or(5, |seed| seed.parse().expect("SEED is a number"));
    println!("SEED={seed}");
    let mut house = House::open().await;
    let mut broken = Broken { rng: Rng::seeded(seed), found: BTreeMap::new() };
    workspace(&mut house).await;
    let ways = ways();
    let mut told = BTreeMap::<u16, usize>::new();
    let mut done = BTreeMap::<(&str, &str), bool>::new();
    let mut n = 0;
    for way in &ways {
        // With each of its names alone, as far as it goes, and with none.
        let names = way.names.iter().map(String::as_str).chain([""]);
        for name in names.flat_map(|name| std::iter::repeat_n(name, VALUES_EACH)) {
            if n % REFRESH == 0 {
                people(&mut house).await;
                broken.found.clear();
            }
            n += 1;
            let method = match broken.rng.below(16) {
                0 => pick(&["GET", "POST", "DELETE", "PUT", "HEAD", "PATCH", "OPTIONS"], &mut broken.rng),
                _ => way.method.as_str(),
            };
            let path = broken.path(&way.template, &mut house).await;
            let form = broken.form(way, name);
            let (query, body) =
                if method == "POST" { (String::new(), form) } else { (format!("?{form}"), String::new()) };
            let url = format!("{path}{query}");
            let answer = house.ask(method, &url, &body).await;
            *told.entry(answer.status).or_default() += 1;
            let what = || format!("SEED={seed} {method} {url} {body}: {} {}", answer.status, answer.body);
            // A box that is full is no box that is broken.
            let is_own_fault = answer.status >= 500 && answer.status != 503;
            assert!(!is_own_fault, "{}", what());
            if answer.status >= 400 && method != "HEAD" {
                let code = answer.body["code"].as_u64().unwrap_or_default();
                assert!(code >= 10_000, "{}", what());
            }
            let is_done = done.entry((&way.method, &way.template)).or_default();
            *is_done |= answer.status < 300 && method == way.method;
        }
    }
    let through = done.values().filter(|done| **done).count();
    println!(
        "{n} requests of {} operations, {through} of which were done now and then: {told:?}",
        ways.len()
    );
    assert!(through > 100, "{through} operations were done at all, {:?} not", {
        done.iter().filter(|(_, done)| !**done).map(|(way, _)| way).collect::<Vec<_>>()
    });
}

fn pick<'a>(list: &[&'a str], rng: &mut Rng) -> &'a str {
    list[rng.below(list.len() as u64) as usize]
}

/// Somebody on the line who is recorded, two in a conference, one in a queue; and a number that may be deleted.
async fn people(house: &mut House) {
    house.silence().await;
    let account = format!("/2010-04-01/Accounts/{ACCOUNT}");
    house.live_call("<Enqueue>broken</Enqueue>").await;
    for _ in 0..2 {
        house.live_call("<Dial><Conference record=\"record-from-start\">broken</Conference></Dial>").await;
    }
    house.ask("POST", &format!("{account}/IncomingPhoneNumbers.json"), "PhoneNumber=%2B15550008888").await;
    let call = house.live_call("<Play loop=\"0\">http://web.example/music.wav</Play>").await;
    house.ask("POST", &format!("{account}/Calls/{call}/Recordings.json"), "").await;
    house.pass_ms(1_000).await;
}

/// A workspace with one thing of each kind.
async fn workspace(house: &mut House) {
    let made = house.ask("POST", "/v1/Workspaces", "FriendlyName=office").await;
    let base = format!("/v1/Workspaces/{}", made.body["sid"].as_str().unwrap());
    let mut queue = String::new();
    for (list, form) in [
        ("Activities", "FriendlyName=There&Available=true"),
        ("Workers", "FriendlyName=ann&Attributes=%7B%7D"),
        ("TaskQueues", "FriendlyName=all"),
        ("Workflows", ""),
        ("Tasks", "Attributes=%7B%7D"),
    ] {
        let rules = format!("{{\"task_routing\":{{\"default_filter\":{{\"queue\":\"{queue}\"}}}}}}");
        let rules: String = url::form_urlencoded::byte_serialize(rules.as_bytes()).collect();
        let form = match list {
            "Workflows" => format!("FriendlyName=first&Configuration={rules}"),
            _ => form.to_owned(),
        };
        let made = house.ask("POST", &format!("{base}/{list}"), &form).await;
        assert_eq!(made.status, 201, "{list}: {}", made.body);
        if list == "TaskQueues" {
            made.body["sid"].as_str().unwrap().clone_into(&mut queue);
        }
    }
}

impl Broken {
    /// The path with things in it that are there, as far as there are any; now and then with something else.
    async fn path(&mut self, template: &str, house: &mut House) -> String {
        let mut path = String::new();
        for part in template.split('/').skip(1) {
            let Some((start, end)) = part.split_once('{') else {
                path.push('/');
                path.push_str(part);
                continue;
            };
            let end = end.split_once('}').map_or("", |(_, end)| end);
            let known = match path.as_str() {
                "/2010-04-01/Accounts" => Some(ACCOUNT.to_string()),
                _ => self.one_of(&path, house).await,
            };
            let is_other = self.rng.below(5) == 0 && !path.ends_with("/Accounts");
            let sid = known.filter(|_| !is_other).unwrap_or_else(|| pick(SIDS, &mut self.rng).to_owned());
            path.push_str(&format!("/{start}{sid}{end}"));
        }
        path
    }

    /// The first in a list.
    async fn one_of(&mut self, list: &str, house: &mut House) -> Option<String> {
        if let Some(found) = self.found.get(list) {
            return found.clone();
        }
        let ending = if list.starts_with("/v1") { "" } else { ".json" };
        // The newest calls are in progress; who has somebody below is in a room or in a queue.
        let answer = house.ask("GET", &format!("{list}{ending}"), "").await;
        let all = answer.body.as_object().into_iter().flat_map(|body| body.values());
        let first = all.filter_map(Value::as_array).flatten().find_map(|one| {
            ["sid", "call_sid", "iso_code"].iter().find_map(|name| one[name].as_str()).map(str::to_owned)
        });
        self.found.insert(list.to_owned(), first.clone());
        first
    }

    /// What the operation needs, and one of its names with any value; mostly encoded as it should be, now and then raw or
    /// cut off.
    fn form(&mut self, way: &Way, name: &str) -> String {
        let encoded =
            |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
        let mut pairs = Vec::new();
        for (good, value) in GOOD {
            let is_its = way.names.iter().any(|one| one == good) && *good != name;
            if way.method == "POST" && is_its && self.rng.below(6) > 0 {
                pairs.push(format!("{good}={}", encoded(value)));
            }
        }
        let mut more = vec![name];
        if self.rng.below(4) == 0 {
            more.push(pick(NAMES, &mut self.rng));
        }
        for name in more.into_iter().filter(|name| !name.is_empty()) {
            let value = pick(VALUES, &mut self.rng);
            pairs.push(match self.rng.below(8) {
                0 => format!("{name}={value}"),
                _ => format!("{}={}", encoded(name), encoded(value)),
            });
        }
        let whole = pairs.join("&");
        let is_cut = self.rng.below(12) == 0;
        let cut = if is_cut { self.rng.below(whole.len() as u64 + 1) as usize } else { whole.len() };
        whole.chars().take(cut).collect()
    }
}
