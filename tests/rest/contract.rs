//! Every published operation is asked with every parameter, once as it should be and once as it should not, and every
//! answer is held against its description.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use sim::NUMBER;

use crate::house::{ACCOUNT, Answer, House};
use crate::oai::{Description, Operation, Parameter};
use crate::schema::faults;

#[tokio::test(flavor = "current_thread")]
async fn what_is_published_is_answered_as_published() {
    let Some(all) = Description::all() else { return };
    let mut survey = Survey { house: House::open().await, faults: Vec::new(), lists: Default::default() };
    for description in &all {
        let operations = description.operations();
        for operation in &operations {
            survey.ask(operation, &operations, description).await;
        }
    }
    let Lists { implemented, refused, missing, unreached } = &survey.lists;
    println!("{} operations are implemented:", implemented.len());
    implemented.iter().for_each(|name| println!("  {name}"));
    println!("{} are refused with a word on it:", refused.len());
    refused.iter().for_each(|name| println!("  {name}"));
    println!("{} are not there:", missing.len());
    missing.iter().for_each(|name| println!("  {name}"));
    println!("{} are implemented and were not reached:", unreached.len());
    unreached.iter().for_each(|name| println!("  {name}"));
    let is_judged = |fault: &&String| !NOT_JUDGED_YET.iter().any(|part| fault.contains(part));
    let (faults, others): (Vec<&String>, Vec<&String>) = survey.faults.iter().partition(is_judged);
    println!("{} faults of resources that are not judged yet:", others.len());
    others.iter().for_each(|fault| println!("  {fault}"));
    let faults: Vec<&str> = faults.into_iter().map(String::as_str).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(implemented.len() > 30, "the API is not there");
}

/// Keeps a call in progress.
const TALK: &str = "<Play loop=\"0\">http://web.example/music.wav</Play>";

/// Resources whose parameters and numbers the tables below do not know: their faults are printed.
const NOT_JUDGED_YET: &[&str] = &[
    "/Balance",
    "/Events",
    "/Keys",
    "/OutgoingCallerIds",
    "/SIP/",
    "/SigningKeys",
    "/Siprec",
    "/Tokens",
    "/Accounts/{AccountSid}/Transcriptions",
    "/Recordings/{RecordingSid}/Transcriptions",
    "/Usage",
    " /v1/",
];

#[derive(Default)]
struct Lists {
    implemented: Vec<String>,
    refused: Vec<String>,
    missing: Vec<String>,
    unreached: Vec<String>,
}

struct Survey {
    house: House,
    faults: Vec<String>,
    lists: Lists,
}

impl Survey {
    async fn ask(&mut self, operation: &Operation, all: &[Operation], description: &Description) {
        let name = operation.name();
        match self.is_routed(operation).await {
            Routed::Yes => self.lists.implemented.push(name.clone()),
            Routed::Refused => return self.lists.refused.push(name),
            Routed::No => return self.lists.missing.push(name),
        }
        let Some(path) = self.path(operation, all).await else {
            return self.lists.unreached.push(name);
        };
        let required = least(operation);
        let answer = self.send(operation, &path, &required).await;
        if NEEDS_MORE.iter().any(|(part, code)| name.ends_with(part) && answer.body["code"] == *code) {
            self.lists.unreached.push(name);
            return;
        }
        if !(200..300).contains(&answer.status) {
            self.faults.push(format!("{name} {required}: {} {}", answer.status, answer.body));
            return;
        }
        self.check(operation, &answer, description);
        for parameter in &operation.parameters {
            self.check_parameter(operation, parameter, all).await;
        }
        self.house.silence().await;
    }

    async fn check_parameter(&mut self, operation: &Operation, parameter: &Parameter, all: &[Operation]) {
        let name = operation.name();
        let asked = |value: &str| {
            let required = least(operation);
            let mut rest = required_without(&required, &parameter.name);
            if parameter.name == "Twiml" {
                rest = required_without(&rest, "Url");
            }
            let mut text = url::form_urlencoded::Serializer::new(rest);
            text.append_pair(&parameter.name, value);
            if let Some((other, value)) = companion(&parameter.name)
                && !required.contains(&format!("{other}="))
            {
                text.append_pair(other, value);
            }
            text.finish()
        };
        if let Some(good) = good(&operation.template, parameter) {
            let Some(path) = self.path(operation, all).await else { return };
            let answer = self.send(operation, &path, &asked(&good)).await;
            if !(200..300).contains(&answer.status) {
                let told = format!("{} {}", answer.status, answer.body);
                self.faults.push(format!("{name}: {}={good} is refused: {told}", parameter.name));
            }
        }
        if parameter.required {
            let Some(path) = self.path(operation, all).await else { return };
            let answer =
                self.send(operation, &path, &required_without(&least(operation), &parameter.name)).await;
            if !(400..500).contains(&answer.status) || answer.body["code"].as_u64() < Some(10_000) {
                let told = format!("{} {}", answer.status, answer.body["code"]);
                self.faults.push(format!("{name}: without {}: {told}", parameter.name));
            }
        }
        if let Some((bad, codes)) = bad(&operation.template, parameter) {
            let Some(path) = self.path(operation, all).await else { return };
            let answer = self.send(operation, &path, &asked(&bad)).await;
            let told = answer.body["code"].as_u64();
            if !told.is_some_and(|code| codes.contains(&code)) || !(400..500).contains(&answer.status) {
                let told = format!("{} {}", answer.status, answer.body["code"]);
                self.faults.push(format!("{name}: {}={bad:?} is told {told}, not {codes:?}", parameter.name));
            }
        }
    }

    async fn send(&mut self, operation: &Operation, path: &str, form: &str) -> Answer {
        let answer = if operation.method == "POST" {
            self.house.ask("POST", path, form).await
        } else {
            self.house.ask(&operation.method, &format!("{path}?{form}"), "").await
        };
        if answer.status >= 500 {
            self.faults.push(format!("{} {form}: {} {}", operation.name(), answer.status, answer.body));
        }
        answer
    }

    /// An answer with its status, its types, and all the keys of a published example.
    fn check(&mut self, operation: &Operation, answer: &Answer, description: &Description) {
        let name = operation.name();
        if !operation.may_answer(answer.status) {
            self.faults.push(format!("{name}: {} is not published", answer.status));
        }
        let Some(schema) = operation.answer(answer.status) else { return };
        // Where the published example is not as its schema says, the example is right: clients were tried with it.
        let examples = operation.examples(answer.status);
        let place = |fault: &String| -> String {
            let at = fault.split_once(": ").map_or("", |(at, _)| at);
            at.chars().filter(|c| !c.is_ascii_digit()).collect()
        };
        let lenient: BTreeSet<String> = examples
            .iter()
            .flat_map(|example| faults(example, schema, description))
            .map(|f| place(&f))
            .collect();
        let found = faults(&answer.body, schema, description);
        let found = found.iter().filter(|fault| !lenient.contains(&place(fault)));
        self.faults.extend(found.map(|fault| format!("{name}{fault}")));
        if let Some(example) = examples.first() {
            missing_keys(&answer.body, example, "", &mut |at| {
                self.faults.push(format!("{name}: {at} is missing"));
            });
        }
        if !answer.headers.contains_key("twilio-request-id") {
            self.faults.push(format!("{name}: no Twilio-Request-Id"));
        }
    }

    /// Whether the router knows the operation, without doing it: a verb nobody takes is answered with those that are.
    async fn is_routed(&mut self, operation: &Operation) -> Routed {
        let mut path = String::new();
        for part in operation.template.split('/').skip(1) {
            let dummy = match part.split_once('}') {
                Some((_, end))
                    if part.contains("AccountSid")
                        || operation.template.ends_with("/Accounts/{Sid}.json") =>
                {
                    format!("{ACCOUNT}{end}")
                }
                Some((_, end)) => format!("XX{}{end}", "1".repeat(32)),
                None => part.to_owned(),
            };
            path.push('/');
            path.push_str(&dummy);
        }
        let answer = self.house.ask("TRACE", &path, "").await;
        let allowed = answer.headers.get("allow").and_then(|list| list.to_str().ok()).unwrap_or_default();
        if allowed.split(',').any(|method| method == operation.method) {
            return Routed::Yes;
        }
        let told = answer.body["message"].as_str().unwrap_or_default();
        if told.contains("not supported") { Routed::Refused } else { Routed::No }
    }

    /// The operation's path with things that exist, made for it.
    async fn path(&mut self, operation: &Operation, all: &[Operation]) -> Option<String> {
        let mut path = String::new();
        let template = operation.template.as_str();
        // One who waits, confers, or is recorded.
        let mut call = None;
        if template.contains("/Members/")
            || template.contains("{CallSid}/")
            || template.contains("/Conferences/{")
        {
            let verbs = if template.contains("/Members") {
                "<Enqueue>contract</Enqueue>"
            } else if template.contains("/Conferences/") {
                "<Dial><Conference record=\"record-from-start\">contract</Conference></Dial>"
            } else {
                TALK
            };
            call = Some(self.house.live_call(verbs).await);
        }
        let parts: Vec<&str> = template.split('/').skip(1).collect();
        for (n, part) in parts.iter().enumerate() {
            let Some((start, end)) = part.split_once('{') else {
                path.push('/');
                path.push_str(part);
                continue;
            };
            let end = end.split_once('}').map_or("", |(_, end)| end);
            let of = parts[n - 1];
            let is_last = n + 1 == parts.len();
            let collection = path.clone();
            let sid = match of {
                "Accounts" => ACCOUNT.to_string(),
                "Members" | "Participants" => call.clone()?,
                "Calls" if is_last && operation.method == "DELETE" => {
                    let call = self.house.live_call("<Hangup/>").await;
                    self.house.silence().await;
                    call
                }
                "Calls" => match &call {
                    Some(call) => call.clone(),
                    None => self.house.live_call(TALK).await,
                },
                "Recordings" => self.recording(&collection, call.clone(), &operation.method).await?,
                "Notifications" => {
                    self.house.live_call("<Say").await;
                    self.first(&format!("/2010-04-01/Accounts/{ACCOUNT}/Notifications.json"), "notifications")
                        .await?
                }
                "Queues" if call.is_some() => self.first(&format!("{collection}.json"), "queues").await?,
                "Conferences" => self.first(&format!("{collection}.json"), "conferences").await?,
                _ => self.made(&parts[..n].join("/"), &collection, all).await?,
            };
            path.push_str(&format!("/{start}{sid}{end}"));
        }
        Some(path)
    }

    /// A recording of a live call; over where it is to be deleted or heard.
    async fn recording(&mut self, collection: &str, call: Option<String>, method: &str) -> Option<String> {
        let call = match call {
            Some(call) => call,
            None => self.house.live_call(TALK).await,
        };
        let of_call = format!("/2010-04-01/Accounts/{ACCOUNT}/Calls/{call}/Recordings");
        if collection.contains("/Conferences/") {
            self.house.pass_ms(2_000).await;
            let sid = self.first(&format!("{collection}.json"), "recordings").await?;
            if method == "DELETE" {
                self.house.ask("POST", &format!("{collection}/{sid}.json"), "Status=stopped").await;
                self.house.pass_ms(3_000).await;
            }
            return Some(sid);
        }
        let made = self.house.ask("POST", &format!("{of_call}.json"), "").await;
        let sid = made.body["sid"].as_str()?.to_owned();
        if method == "DELETE" {
            self.house.pass_ms(1_000).await;
            self.house.ask("POST", &format!("{of_call}/{sid}.json"), "Status=stopped").await;
            self.house.pass_ms(3_000).await;
        }
        Some(sid)
    }

    async fn first(&mut self, path: &str, key: &str) -> Option<String> {
        let list = self.house.ask("GET", path, "").await;
        list.body[key][0]["sid"].as_str().map(str::to_owned)
    }

    /// One made for the purpose, or the first there is.
    async fn made(&mut self, template: &str, collection: &str, all: &[Operation]) -> Option<String> {
        let is_it = |operation: &&Operation| {
            operation.method == "POST"
                && operation.template.trim_end_matches(".json").trim_start_matches('/') == template
        };
        let ending = if template.starts_with("v1") { "" } else { ".json" };
        if let Some(create) = all.iter().find(is_it) {
            let made = self.house.ask("POST", &format!("{collection}{ending}"), &least(create)).await;
            if let Some(sid) = made.body["sid"].as_str() {
                return Some(sid.to_owned());
            }
        }
        let list = self.house.ask("GET", &format!("{collection}{ending}"), "").await;
        let lists = list.body.as_object()?.values().filter_map(Value::as_array);
        lists.flatten().find_map(|item| item["sid"].as_str().map(str::to_owned))
    }
}

#[derive(PartialEq)]
enum Routed {
    Yes,
    Refused,
    No,
}

/// What nobody declares required, and yet nothing happens without.
fn is_needed(operation: &Operation, parameter: &Parameter) -> bool {
    let (template, name) = (operation.template.as_str(), parameter.name.as_str());
    if operation.method != "POST" {
        return false;
    }
    match name {
        "Url" => template.ends_with("/Calls.json"),
        "Status" => template.ends_with("/Recordings/{Sid}.json"),
        "ConnectorName" => template.ends_with("/Siprec.json"),
        "PhoneNumber" => template.contains("/IncomingPhoneNumbers"),
        _ => false,
    }
}

/// The least an operation can be asked with, as a form.
fn least(operation: &Operation) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    for parameter in operation.parameters.iter().filter(|p| p.required || is_needed(operation, p)) {
        let value = good(&operation.template, parameter).unwrap_or_else(|| "x".to_owned());
        text.append_pair(&parameter.name, &value);
    }
    text.finish()
}

fn required_without(form: &str, name: &str) -> String {
    let pairs = url::form_urlencoded::parse(form.as_bytes()).filter(|(n, _)| n != name);
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(pairs);
    text.finish()
}

/// What must be said beside a parameter for it to mean something.
fn companion(name: &str) -> Option<(&'static str, &'static str)> {
    match name {
        "SipAuthUsername" => Some(("SipAuthPassword", "Secret-12345")),
        "SipAuthPassword" => Some(("SipAuthUsername", "ann")),
        name if name.starts_with("AsyncAmd") => Some(("MachineDetection", "Enable")),
        "HoldUrl" => Some(("Hold", "true")),
        "HoldMethod" => Some(("HoldUrl", "http://web.example/x")),
        "Method" => Some(("Url", "http://web.example/x")),
        "VoiceFallbackUrl" => Some(("VoiceUrl", "http://web.example/voice")),
        name if name.starts_with("MachineDetection") && name != "MachineDetection" => {
            Some(("MachineDetection", "Enable"))
        }
        _ => None,
    }
}

/// A value that is to be taken; `None`: there is none to be tried alone.
fn good(template: &str, parameter: &Parameter) -> Option<String> {
    let name = parameter.name.as_str();
    // No two things of one kind have one name.
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let text = match name {
        "PageToken"
        | "ApplicationSid"
        | "Byoc"
        | "ByocTrunkSid"
        | "VoiceApplicationSid"
        | "TrunkSid"
        | "AreaCode" => {
            return None;
        }
        "FriendlyName" | "UniqueName" | "Username" | "IdempotencyKey" => return Some(format!("name{count}")),
        "PhoneNumber" => return Some(format!("+1555{count:07}")),
        "DomainName" => return Some(format!("d{count}.office.example")),
        "ApiVersion" => "2010-04-01",
        "Content" => "{\"a\": 1}",
        "PauseBehavior" => "skip",
        "Coaching" | "CallSidToCoach" => return None,
        "Beep" | "ConferenceRecord" => "true",
        "CallerDisplayName" => "Bench",
        "ConferenceTrim" => "trim-silence",
        "ConferenceStatusCallbackEvent" => "start",
        "ConferenceRecordingStatusCallbackEvent" => "completed",
        "JitterBufferSize" => "large",
        "MaxParticipants" => "250",
        "Status" if template.ends_with("/Recordings/{Sid}.json") => "paused",
        "VoiceReceiveMode" => "voice",
        "To" => "client:ann",
        "From" | "CallerId" => NUMBER,
        "Twiml" => "<Response/>",
        "SendDigits" => "1w2",
        "Timeout" => "20",
        "TimeLimit" => "60",
        "MachineDetection" => "Enable",
        "MachineDetectionTimeout" => "30",
        "MachineDetectionSpeechThreshold" => "2400",
        "MachineDetectionSpeechEndThreshold" => "1200",
        "MachineDetectionSilenceTimeout" => "5000",
        "AsyncAmd" | "Record" => "true",
        "RecordingChannels" => "mono",
        "RecordingTrack" => "both",
        "Trim" => "trim-silence",
        "StatusCallbackEvent" | "RecordingStatusCallbackEvent" => "completed",
        "Page" | "Log" => "0",
        "MaxSize" => "5",
        "Password" => "Secret-12345678",
        "IpAddress" => "192.0.2.77",
        "CidrPrefixLength" => "32",
        "RecordingStatusCallback" => "http://web.example/x",
        "Url" if template.ends_with("/Streams.json") => "wss://web.example/stream",
        _ => return by_type(&parameter.schema),
    };
    Some(text.to_owned())
}

fn by_type(schema: &Value) -> Option<String> {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().rev().find_map(Value::as_str).map(str::to_owned);
    }
    if schema["items"].is_object() {
        return by_type(&schema["items"]);
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        let prefix: String = pattern.chars().filter(char::is_ascii_uppercase).take(2).collect();
        return Some(format!("{prefix}{}1", "0".repeat(31)));
    }
    let text = match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("boolean"), _) => "true",
        (Some("integer" | "number"), _) => "1",
        (_, Some("uri")) => "http://web.example/x",
        (_, Some("http-method")) => "GET",
        (_, Some("date-time" | "date")) => "2026-01-02",
        (_, Some("phone-number" | "endpoint")) => "+15557654321",
        _ => "x",
    };
    Some(text.to_owned())
}

/// A value that is to be refused, and with what; `None`: everything is taken.
fn bad(template: &str, parameter: &Parameter) -> Option<(String, Vec<u64>)> {
    let name = parameter.name.as_str();
    if name == "Track" && template.contains("/Calls/{CallSid}/") {
        return Some(("nonsense".to_owned(), TRACKS.to_vec()));
    }
    if WITHOUT_EFFECT.iter().any(|(part, free)| template.contains(part) && *free == name) {
        return None;
    }
    let is_number =
        ["/Applications", "/IncomingPhoneNumbers", "/SIP/Domains"].iter().any(|part| template.contains(part));
    let (text, code) = match name {
        "To" if template.ends_with("Calls.json") && parameter.required => ("nobody at all", 21211),
        "From" if parameter.required => ("a\r\nb", 21212),
        "Twiml" => ("<Response>", 12100),
        "SendDigits" => ("one", 21206),
        "Timeout" => ("601", 21208),
        "TimeLimit" => ("0", 20001),
        "MachineDetection" => ("nonsense", 21234),
        "AsyncAmd" | "Record" => ("perhaps", 20001),
        "RecordingChannels" | "RecordingTrack" | "Trim" => ("nonsense", 20001),
        "StatusCallbackEvent" | "RecordingStatusCallbackEvent" => ("nonsense", 20001),
        "ApplicationSid" => ("AP1", 21218),
        "Content" => ("{", 20001),
        "PauseBehavior" => ("nonsense", 20001),
        "Url" if template.ends_with("/Streams.json") => ("next door", 31923),
        "PageSize" => ("1001", 20007),
        "PageToken" => ("here", 21481),
        "Page" => ("first", 20001),
        name if name.starts_with("MachineDetection") => ("many", 21263),
        _ => {
            if schema_is(&parameter.schema, "pattern") {
                return Some(("XX1".to_owned(), vec![20001, 20423, 21420]));
            }
            let schema = &parameter.schema;
            let schema = if schema["items"].is_object() { &schema["items"] } else { schema };
            match (schema["type"].as_str(), schema["format"].as_str()) {
                (_, Some("uri")) => ("next door", if is_number { 21402 } else { 21205 }),
                (_, Some("http-method")) => ("PATCH", if is_number { 21403 } else { 21209 }),
                _ if schema["enum"].is_array() => ("nonsense", 20001),
                (Some("boolean"), _) => ("perhaps", 20001),
                (Some("integer" | "number"), _) => ("many", 20001),
                (_, Some("date-time" | "date")) => ("yesterday", 20001),
                _ => return None,
            }
        }
    };
    Some((text.to_owned(), vec![code]))
}

fn schema_is(schema: &Value, key: &str) -> bool {
    schema[key].is_string()
}

/// Parameters that are taken and mean nothing to a box, by a part of the path.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("/Calls.json", "Byoc"),
    ("/Calls.json", "ClientNotificationUrl"),
    ("/Transcriptions.json", "EnableAutomaticPunctuation"),
    ("/Transcriptions.json", "EnableProviderData"),
    ("/Participants.json", "Byoc"),
    ("/Participants.json", "ClientNotificationUrl"),
    // Whatever is not `true` is `false`.
    ("/Participants/", "Muted"),
    ("/Participants/", "HoldMethod"),
    ("/IncomingPhoneNumbers", "Beta"),
    ("/IncomingPhoneNumbers", "AccountSid"),
];

/// Refused for want of something the simulated office does not have: a connector.
const NEEDS_MORE: &[(&str, u64)] = &[("/Siprec.json", 31_940)];

/// What a track that is none is told with: by a stream, a recording session, a transcription.
const TRACKS: [u64; 3] = [31922, 31940, 31941];

/// Things made so far.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Keys of an example that an answer has not, at any depth; of lists the first element counts.
fn missing_keys(value: &Value, example: &Value, at: &str, fault: &mut impl FnMut(String)) {
    match (value, example) {
        (Value::Object(value), Value::Object(example)) => {
            let names: BTreeSet<&String> = example.keys().collect();
            for name in names {
                match value.get(name) {
                    Some(inner) => missing_keys(inner, &example[name], &format!("{at}/{name}"), fault),
                    None => fault(format!("{at}/{name}")),
                }
            }
        }
        (Value::Array(value), Value::Array(example)) => {
            if let (Some(value), Some(example)) = (value.first(), example.first()) {
                missing_keys(value, example, &format!("{at}/0"), fault);
            }
        }
        _ => {}
    }
}
