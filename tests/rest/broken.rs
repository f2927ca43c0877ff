//! What no client would send, on every path there is: it is refused with a number, and never as the box's own fault.

use base::Rng;

use crate::house::{ACCOUNT, House};

/// Paths under the account, as published and beside; and those of version 1.
const PATHS: &[&str] = &[
    "",
    ".json",
    "/",
    "/Calls.json",
    "/Calls/{sid}.json",
    "/Calls/{sid}/Recordings.json",
    "/Calls/{sid}/Recordings/{sid}.json",
    "/Calls/{sid}/Notifications.json",
    "/Calls/{sid}/Streams.json",
    "/Calls/{sid}/Siprec.json",
    "/Calls/{sid}/Transcriptions.json",
    "/Calls/{sid}/UserDefinedMessages.json",
    "/Calls/{sid}/Events.json",
    "/Conferences.json",
    "/Conferences/{sid}.json",
    "/Conferences/{sid}/Participants.json",
    "/Conferences/{sid}/Participants/{sid}.json",
    "/Conferences/{sid}/Recordings.json",
    "/Recordings.json",
    "/Recordings/{sid}.json",
    "/Recordings/{sid}.wav",
    "/Recordings/{sid}/Transcriptions.json",
    "/Transcriptions.json",
    "/Transcriptions/{sid}.json",
    "/Notifications.json",
    "/Notifications/{sid}.json",
    "/Queues.json",
    "/Queues/{sid}.json",
    "/Queues/{sid}/Members.json",
    "/Queues/{sid}/Members/{sid}.json",
    "/Applications.json",
    "/Applications/{sid}.json",
    "/IncomingPhoneNumbers.json",
    "/IncomingPhoneNumbers/{sid}.json",
    "/OutgoingCallerIds.json",
    "/Keys.json",
    "/SIP/Domains.json",
    "/SIP/CredentialLists.json",
    "/SIP/CredentialLists/{sid}/Credentials.json",
    "/SIP/IpAccessControlLists.json",
    "/SIP/Domains/{sid}/Auth/Calls/CredentialListMappings.json",
    "/SIP/IpAccessControlLists/{sid}/IpAddresses/{sid}.json",
    "/Usage/Records.json",
    "/Usage/Records/Daily.json",
    "/Usage/Triggers.json",
    "/Usage/Triggers/{sid}.json",
    "/Balance.json",
    "/Tokens.json",
    "/Calls/{sid}/Notifications/{sid}.json",
    "/Calls/{sid}/Payments.json",
    "/Calls/{sid}/UserDefinedMessageSubscriptions.json",
    "/Keys/{sid}.json",
    "/OutgoingCallerIds/{sid}.json",
    "/SIP/Domains/{sid}.json",
    "/SIP/CredentialLists/{sid}.json",
    "/SIP/IpAccessControlLists/{sid}/IpAddresses.json",
    "/v1/ByocTrunks",
    "/v1/ByocTrunks/{sid}",
    "/v1/ConnectionPolicies",
    "/v1/ConnectionPolicies/{sid}/Targets",
    "/v1/DialingPermissions/Countries",
    "/v1/DialingPermissions/Countries/{sid}",
    "/v1/Workspaces",
    "/v1/Workspaces/{sid}",
    "/v1/Workspaces/{sid}/Activities",
    "/v1/Workspaces/{sid}/Activities/{sid}",
    "/v1/Workspaces/{sid}/Events",
    "/v1/Workspaces/{sid}/Events/{sid}",
    "/v1/Workspaces/{sid}/TaskChannels",
    "/v1/Workspaces/{sid}/TaskChannels/{sid}",
    "/v1/Workspaces/{sid}/TaskQueues",
    "/v1/Workspaces/{sid}/TaskQueues/{sid}",
    "/v1/Workspaces/{sid}/TaskQueues/Statistics",
    "/v1/Workspaces/{sid}/Tasks",
    "/v1/Workspaces/{sid}/Tasks/{sid}",
    "/v1/Workspaces/{sid}/Tasks/{sid}/Reservations",
    "/v1/Workspaces/{sid}/Tasks/{sid}/Reservations/{sid}",
    "/v1/Workspaces/{sid}/Workers",
    "/v1/Workspaces/{sid}/Workers/{sid}",
    "/v1/Workspaces/{sid}/Workers/{sid}/Channels/{sid}",
    "/v1/Workspaces/{sid}/Workers/{sid}/Reservations",
    "/v1/Workspaces/{sid}/Workers/{sid}/Statistics",
    "/v1/Workspaces/{sid}/Workflows",
    "/v1/Workspaces/{sid}/Workflows/{sid}",
    "/v1/Workspaces/{sid}/Workflows/{sid}/RealTimeStatistics",
    "/v1/Workspaces/{sid}/Statistics",
    "/v1/IpRecords",
    "/v1/Settings",
    "/v1/SourceIpMappings",
];

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
    // Those of a workspace that is there.
    "WS",
    "WS",
    "WS",
    "WK",
    "WT",
    "WQ",
    "WW",
    "WA",
];

/// Names and values queries and forms are put together of.
const NAMES: &[&str] = &[
    "To",
    "From",
    "Url",
    "Twiml",
    "Method",
    "Status",
    "StatusCallback",
    "StatusCallbackEvent",
    "Timeout",
    "TimeLimit",
    "Record",
    "SendDigits",
    "PageSize",
    "Page",
    "PageToken",
    "StartTime",
    "StartTime>",
    "StartTime<",
    "DateCreated",
    "MessageDate<",
    "Log",
    "CallSid",
    "ParentCallSid",
    "FriendlyName",
    "MaxSize",
    "PhoneNumber",
    "MachineDetection",
    "SipAuthUsername",
    "CallerId",
    "ApplicationSid",
    "VoiceUrl",
    "Muted",
    "Hold",
    "Label",
    "Content",
    "Ttl",
    "Byoc",
    "CallToken",
    "EndTime>",
    "StartDate",
    "Category",
    "Username",
    "Password",
    "DomainName",
    "IpAddress",
    "CidrPrefixLength",
    "Target",
    "Weight",
    "TriggerValue",
    "UsageCategory",
    "CallbackUrl",
    "IsoCode",
    "KeyType",
    "Policy",
    "Attributes",
    "Expression",
    "TargetWorkers",
    "Configuration",
    "WorkflowSid",
    "TaskQueueSid",
    "ActivitySid",
    "AssignmentStatus",
    "ReservationStatus",
    "EvaluateTaskAttributes",
    "Priority",
    "Ordering",
    "Minutes",
    "EndDate",
    "EventType",
    "RequestedChannels",
    "",
];
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

/// Requests tried in each run.
const TRIES: usize = 6_000;

#[tokio::test(flavor = "current_thread")]
async fn nothing_from_outside_is_the_boxs_own_fault() {
    let mut house = House::open().await;
    house.live_call("<Play loop=\"0\">http://web.example/music.wav</Play>").await;
    let made = workspace(&mut house).await;
    let mut rng = Rng::seeded(5);
    let mut told = std::collections::BTreeMap::<u16, usize>::new();
    for n in 0..TRIES {
        // Every path with every verb, whatever chance picks.
        let method = ["GET", "POST", "DELETE", "PUT", "HEAD", "PATCH", "OPTIONS"][n / PATHS.len() % 7];
        let path = replaced(PATHS[n % PATHS.len()], &made, &mut rng);
        let form = form(&mut rng);
        let (query, body) =
            if method == "POST" { (String::new(), form) } else { (format!("?{form}"), String::new()) };
        let account =
            if path.starts_with("/v1") { String::new() } else { format!("/2010-04-01/Accounts/{ACCOUNT}") };
        let url = format!("{account}{path}{query}");
        let answer = house.ask(method, &url, &body).await;
        *told.entry(answer.status).or_default() += 1;
        assert!(answer.status < 500, "{method} {url} {body}: {} {}", answer.status, answer.body);
        if answer.status >= 400 && method != "HEAD" {
            let code = answer.body["code"].as_u64().unwrap_or_default();
            assert!(code >= 10_000, "{method} {url} {body}: {} {}", answer.status, answer.body);
        }
        if n % 200 == 0 {
            house.silence().await;
        }
    }
    println!("{TRIES} requests: {told:?}");
    assert!(told.get(&200).is_some_and(|n| *n > 50), "nothing got through: {told:?}");
}

fn pick<'a>(list: &[&'a str], rng: &mut Rng) -> &'a str {
    list[rng.below(list.len() as u64) as usize]
}

/// A workspace with one thing of each kind: the sids, by their letters.
async fn workspace(house: &mut House) -> Vec<String> {
    let mut all = Vec::new();
    let made = house.ask("POST", "/v1/Workspaces", "FriendlyName=office").await;
    let base = format!("/v1/Workspaces/{}", made.body["sid"].as_str().unwrap());
    all.push(made.body["sid"].as_str().unwrap().to_owned());
    for (list, form) in [
        ("Activities", "FriendlyName=There&Available=true".to_owned()),
        ("Workers", "FriendlyName=ann&Attributes=%7B%7D".to_owned()),
        ("TaskQueues", "FriendlyName=all".to_owned()),
        ("Workflows", String::new()),
        ("Tasks", "Attributes=%7B%7D".to_owned()),
    ] {
        let form = match list {
            "Workflows" => {
                let queue = all.iter().find(|sid| sid.starts_with("WQ")).unwrap();
                let rules = format!("{{\"task_routing\":{{\"default_filter\":{{\"queue\":\"{queue}\"}}}}}}");
                let rules: String = url::form_urlencoded::byte_serialize(rules.as_bytes()).collect();
                format!("FriendlyName=first&Configuration={rules}")
            }
            _ => form,
        };
        let made = house.ask("POST", &format!("{base}/{list}"), &form).await;
        assert_eq!(made.status, 201, "{list}: {}", made.body);
        all.push(made.body["sid"].as_str().unwrap().to_owned());
    }
    all
}

fn replaced(path: &str, made: &[String], rng: &mut Rng) -> String {
    let mut parts = path.split("{sid}");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let sid = pick(SIDS, rng);
        // Two letters stand for what was made of that kind.
        let sid =
            made.iter().find(|made| sid.len() == 2 && made.starts_with(sid)).map_or(sid, String::as_str);
        whole.push_str(sid);
        whole.push_str(part);
    }
    whole
}

/// Some pairs; mostly encoded as they should be, now and then raw or cut off.
fn form(rng: &mut Rng) -> String {
    let mut pairs = Vec::new();
    for _ in 0..rng.below(5) {
        let (name, value) = (pick(NAMES, rng), pick(VALUES, rng));
        let is_raw = rng.below(6) == 0;
        let text = |text: &str| -> String {
            if is_raw {
                text.to_owned()
            } else {
                url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
            }
        };
        pairs.push(format!("{}={}", text(name), text(value)));
    }
    let whole = pairs.join("&");
    let cut = if rng.below(8) == 0 { rng.below(whole.len() as u64 + 1) as usize } else { whole.len() };
    whole.chars().take(cut).collect()
}
