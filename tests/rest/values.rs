//! What parameters are told: a value that is to be taken, and one that is to be refused with a number.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use sim::NUMBER;

use crate::oai::{Operation, Parameter};

/// Things made so far.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Sids of what there is, by the parameter that names it.
#[derive(Default)]
pub(crate) struct Things(BTreeMap<&'static str, String>);

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

impl Things {
    pub(crate) fn keep(&mut self, name: &'static str, sid: &str) {
        self.0.insert(name, sid.to_owned());
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The least an operation can be asked with, as a form.
    pub(crate) fn least(&self, operation: &Operation) -> String {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        for parameter in operation.parameters.iter().filter(|p| p.required || is_needed(operation, p)) {
            let value = self.good(&operation.template, parameter).unwrap_or_else(|| "x".to_owned());
            text.append_pair(&parameter.name, &value);
        }
        text.finish()
    }

    /// A value that is to be taken; `None`: there is none to be tried alone.
    pub(crate) fn good(&self, template: &str, parameter: &Parameter) -> Option<String> {
        self.get(&parameter.name).map(str::to_owned).or_else(|| good(template, parameter))
    }
}

pub(crate) fn required_without(form: &str, name: &str) -> String {
    let pairs = url::form_urlencoded::parse(form.as_bytes()).filter(|(n, _)| n != name);
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(pairs);
    text.finish()
}

/// What must be said beside a parameter for it to mean something.
pub(crate) fn companions(name: &str, things: &Things) -> Vec<(&'static str, String)> {
    let fixed: &[(&str, &str)] = match name {
        "SipAuthUsername" => &[("SipAuthPassword", "Secret-12345")],
        "SipAuthPassword" => &[("SipAuthUsername", "ann")],
        "AsyncAmd" | "AmdStatusCallback" => &[("MachineDetection", "Enable")],
        "AmdStatusCallbackMethod" => {
            &[("MachineDetection", "Enable"), ("AmdStatusCallback", "http://web.example/x")]
        }
        name if name.starts_with("AsyncAmd") => &[("MachineDetection", "Enable"), ("AsyncAmd", "true")],
        "HoldUrl" => &[("Hold", "true")],
        "HoldMethod" => &[("Hold", "true"), ("HoldUrl", "http://web.example/x")],
        "Method" => &[("Url", "http://web.example/x")],
        "VoiceFallbackUrl" => &[("VoiceUrl", "http://web.example/voice")],
        "CallSidToCoach" => &[("Coaching", "true")],
        // Read where it has a code to be read beside.
        "Policy" => &[("KeyType", "restricted")],
        "Coaching" => {
            let coached = things.get("CallSidToCoach").unwrap_or_default();
            return vec![("CallSidToCoach", coached.to_owned())];
        }
        name if name.starts_with("MachineDetection") && name != "MachineDetection" => {
            &[("MachineDetection", "Enable")]
        }
        _ => &[],
    };
    fixed.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// A value that is to be taken; `None`: there is none to be tried alone.
fn good(template: &str, parameter: &Parameter) -> Option<String> {
    let name = parameter.name.as_str();
    // No two things of one kind have one name.
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let text = match name {
        "PageToken" => return None,
        "FriendlyName" | "UniqueName" | "Username" | "IdempotencyKey" => return Some(format!("name{count}")),
        "PhoneNumber" => return Some(format!("+1555{count:07}")),
        "DomainName" => return Some(format!("d{count}.office.example")),
        "ApiVersion" => "2010-04-01",
        "Content" => "{\"a\": 1}",
        "PauseBehavior" => "skip",
        "Beep" | "ConferenceRecord" => "true",
        "CallerDisplayName" => "Bench",
        "ConferenceTrim" => "trim-silence",
        "ConferenceStatusCallbackEvent" => "start",
        "ConferenceRecordingStatusCallbackEvent" => "completed",
        "JitterBufferSize" => "large",
        "MaxParticipants" => "250",
        "Region" => "ie1",
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
        "CallToken" => "Q0EwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMQ==",
        "CallDelay" => "2",
        "Extension" => "12#",
        "Category" | "UsageCategory" => "calls",
        "TriggerValue" => "+50",
        "ConnectorName" => "vault",
        "Target" => "sip:198.51.100.7:5060",
        "IsoCode" => "US",
        "Continent" => "EUROPE",
        "CountryCode" => "+44",
        "Origin" => "hosted",
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
pub(crate) fn bad(template: &str, parameter: &Parameter) -> Option<(String, Vec<u64>)> {
    let name = parameter.name.as_str();
    if name == "Track" && template.contains("/Calls/{CallSid}/") {
        return Some(("nonsense".to_owned(), TRACKS.to_vec()));
    }
    if TAKES_ANYTHING.iter().any(|(part, free)| template.contains(part) && *free == name) {
        return None;
    }
    let has = |parts: &[&str]| parts.iter().any(|part| template.contains(part));
    // Resources of the office have numbers of their own; those of version 1 the general one.
    let is_number = has(&["/Applications", "/IncomingPhoneNumbers", "/Usage/Triggers"]);
    let is_domain = has(&["/SIP/Domains"]);
    let is_v1 = template.starts_with("/v1/");
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
        "PhoneNumber" if template.ends_with("/OutgoingCallerIds.json") && parameter.required => {
            ("one", 21401)
        }
        "PhoneNumber" if template.contains("/IncomingPhoneNumbers") && parameter.required => ("one", 21421),
        "CallDelay" => ("61", 21454),
        "Extension" => ("one", 20001),
        "StatusCallback" if template.contains("/OutgoingCallerIds") => ("next door", 21456),
        "StatusCallbackMethod" if template.contains("/OutgoingCallerIds") => ("PATCH", 21403),
        "TriggerValue" => ("many", 20001),
        "Ttl" => ("0", 20001),
        "Username" => ("an n", 21243),
        "Password" => ("easy", 21243),
        "DomainName" => ("no name", 21232),
        "IpAddress" if is_v1 => ("300.1.1.1", 20001),
        "IpAddress" => ("300.1.1.1", 21238),
        "CidrPrefixLength" if !is_v1 => ("129", 21238),
        "Target" => ("http://web.example/", 20001),
        "ConnectorName" => ("nobody", 31_940),
        "AccountSid" => ("AC00000000000000000000000000000009", 20001),
        "JitterBufferSize" | "Beep" | "ConferenceRecord" | "ConferenceTrim" => ("nonsense", 20001),
        "ConferenceStatusCallbackEvent" | "ConferenceRecordingStatusCallbackEvent" => ("nonsense", 20001),
        "MaxParticipants" => ("251", 20001),
        "Region" => ("mars", 20001),
        "Label" if parameter.schema["type"] == "string" => ("a/b", 16024),
        "CallerDisplayName" => ("A", 20001),
        "VoiceReceiveMode" | "EmergencyStatus" => ("nonsense", 20001),
        "VoiceApplicationSid" => ("AP1", 21420),
        "Byoc" => ("BY1", 20423),
        "ByocTrunkSid" | "EmergencyCallerSid" => ("XX1", 21231),
        name if name.starts_with("MachineDetection") => ("many", 21263),
        _ => {
            if schema_is(&parameter.schema, "pattern") {
                return Some(("XX1".to_owned(), vec![20001, 20423, 21420]));
            }
            let schema = &parameter.schema;
            let schema = if schema["items"].is_object() { &schema["items"] } else { schema };
            match (schema["type"].as_str(), schema["format"].as_str()) {
                (_, Some("uri")) if is_domain => ("next door", 21231),
                (_, Some("http-method")) if is_domain => ("PATCH", 21231),
                (_, Some("uri")) if is_v1 => ("next door", 20001),
                (_, Some("http-method")) if is_v1 => ("PATCH", 20001),
                (_, Some("uri")) => ("next door", if is_number { 21402 } else { 21205 }),
                (_, Some("http-method")) => ("PATCH", if is_number { 21403 } else { 21209 }),
                _ if schema["enum"].is_array() => ("nonsense", 20001),
                (Some("boolean"), _) => ("perhaps", 20001),
                (Some("integer" | "number"), _) => ("many", 20001),
                (_, Some("date-time" | "date")) => ("whenever", 20001),
                _ => return None,
            }
        }
    };
    Some((text.to_owned(), vec![code]))
}

fn schema_is(schema: &Value, key: &str) -> bool {
    schema[key].is_string()
}

/// Parameters of which nothing can be wrong, by a part of the path.
const TAKES_ANYTHING: &[(&str, &str)] = &[
    // Whatever is not `true` is `false`.
    ("/Participants/", "Muted"),
];

/// What is refused whatever it says, because the box has nothing of the kind: the value, and the number it is told with.
pub(crate) const REFUSED: &[(&str, &str, &str, u64)] = &[
    ("/IncomingPhoneNumbers", "AreaCode", "613", 21457),
    ("/IncomingPhoneNumbers", "TrunkSid", "TK00000000000000000000000000000001", 20001),
    ("/SIP/Domains", "Secure", "true", 21231),
    ("/2010-04-01/Accounts/{Sid}.json", "Status", "suspended", 20403),
];

/// Parameters that are looked at and change nothing, by a part of the path, and why.
pub(crate) const WITHOUT_EFFECT: &[(&str, &str, &str)] = &[
    ("/Calls.json", "CallReason", "what a carrier shows beside a number: none is told by SIP"),
    ("/Participants.json", "CallReason", "as of calls"),
    ("/Calls/{CallSid}/Transcriptions.json", "EnableAutomaticPunctuation", "the engine says how it writes"),
    ("/Calls/{CallSid}/Transcriptions.json", "EnableProviderData", "the engine is the box's own"),
    ("/Calls/{CallSid}/Transcriptions.json", "IntelligenceService", "a service the box has not"),
    ("/Calls/{CallSid}/Transcriptions.json", "ConversationConfiguration", "likewise"),
    ("/Calls/{CallSid}/Transcriptions.json", "ConversationId", "likewise"),
    ("/Calls/{CallSid}/Transcriptions.json", "ConfigurationId", "likewise"),
    ("/IncomingPhoneNumbers", "ApiVersion", "there is one"),
    ("/IncomingPhoneNumbers", "SmsUrl", "kept and shown: the box carries voice"),
    ("/IncomingPhoneNumbers", "SmsMethod", "likewise"),
    ("/IncomingPhoneNumbers", "SmsFallbackUrl", "likewise"),
    ("/IncomingPhoneNumbers", "SmsFallbackMethod", "likewise"),
    ("/IncomingPhoneNumbers", "SmsApplicationSid", "likewise"),
    ("/IncomingPhoneNumbers", "IdentitySid", "kept and shown: no authority asks the box for it"),
    ("/IncomingPhoneNumbers", "AddressSid", "likewise"),
    ("/IncomingPhoneNumbers", "BundleSid", "likewise"),
    ("/IncomingPhoneNumbers", "EmergencyStatus", "likewise: emergency numbers stand in the configuration"),
    ("/IncomingPhoneNumbers", "EmergencyAddressSid", "likewise"),
    ("/IncomingPhoneNumbers", "VoiceReceiveMode", "kept and shown: every call is voice"),
    ("/IncomingPhoneNumbers", "VoiceCallerIdLookup", "kept and shown: nobody is asked for names"),
    ("/Applications", "VoiceCallerIdLookup", "likewise"),
    (
        "/SIP/Domains",
        "EmergencyCallingEnabled",
        "kept and shown: emergency numbers stand in the configuration",
    ),
    ("/SIP/Domains", "EmergencyCallerSid", "likewise"),
    ("/v1/ByocTrunks", "CnamLookupEnabled", "kept and shown: nobody is asked for names"),
    ("/v1/Settings", "DialingPermissionsInheritance", "kept and shown: there is no other account"),
    ("/Usage/Records", "IncludeSubaccounts", "there are none"),
];

/// What a track that is none is told with: by a stream, a recording session, a transcription.
const TRACKS: [u64; 3] = [31922, 31940, 31941];
