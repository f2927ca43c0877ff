//! The path of an operation, with things in it that exist: made for it, or found.

use base::TranscriptionSid;
use call::record::{StoreItem, TranscriptionRow, TranscriptionStatus};
use serde_json::Value;

use crate::contract::Survey;
use crate::house::ACCOUNT;
use crate::oai::Operation;
use crate::values::Things;

/// Keeps a call in progress.
const TALK: &str = "<Play loop=\"0\">http://web.example/music.wav</Play>";

/// A document that is none.
const BROKEN: &str = "<Say";

/// What operations name that is made once for all of them.
pub(crate) async fn things(survey: &mut Survey) -> Things {
    let account = format!("/2010-04-01/Accounts/{ACCOUNT}");
    let mut all = Things::default();
    for (name, path, form) in [
        (
            "ApplicationSid",
            format!("{account}/Applications.json"),
            "FriendlyName=of+all&VoiceUrl=http://web.example/a",
        ),
        ("CredentialListSid", format!("{account}/SIP/CredentialLists.json"), "FriendlyName=of+all"),
        ("IpAccessControlListSid", format!("{account}/SIP/IpAccessControlLists.json"), "FriendlyName=of+all"),
        ("SipDomainSid", format!("{account}/SIP/Domains.json"), "DomainName=all.office.example"),
        ("IpRecordSid", "/v1/IpRecords".to_owned(), "IpAddress=192.0.2.78"),
        ("ConnectionPolicySid", "/v1/ConnectionPolicies".to_owned(), "FriendlyName=of+all"),
    ] {
        let made = survey.house.ask("POST", &path, form).await;
        all.keep(name, made.body["sid"].as_str().unwrap());
    }
    let policy = all.get("ConnectionPolicySid").unwrap().to_owned();
    let target = format!("/v1/ConnectionPolicies/{policy}/Targets");
    survey.house.ask("POST", &target, "Target=sip:198.51.100.1").await;
    let form = format!("ConnectionPolicySid={policy}");
    let made = survey.house.ask("POST", "/v1/ByocTrunks", &form).await;
    for name in ["Byoc", "ByocTrunkSid"] {
        all.keep(name, made.body["sid"].as_str().unwrap());
    }
    for (name, of) in [("VoiceApplicationSid", "ApplicationSid"), ("FromDomainSid", "SipDomainSid")] {
        let sid = all.get(of).unwrap().to_owned();
        all.keep(name, &sid);
    }
    all
}

impl Survey {
    /// The operation's path with things that exist, made for it.
    pub(crate) async fn path(&mut self, operation: &Operation, all: &[Operation]) -> Option<String> {
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
            } else if template.contains("/Notifications/") {
                BROKEN
            } else {
                TALK
            };
            if template.contains("/Participants/{") || template.contains("{ConferenceSid}/Recordings") {
                // Somebody else to be coached; a conference begins, and with it its recording, with two.
                let other = self.house.live_call(verbs).await;
                self.things.keep("CallSidToCoach", &other);
            }
            let live = self.house.live_call(verbs).await;
            if template.ends_with("/Participants.json") {
                self.things.keep("CallSidToCoach", &live);
            }
            call = Some(live);
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
                "Transcriptions" if !template.contains("/Calls/") => {
                    self.transcription(parts[n - 2], &path).await?
                }
                "Countries" => "US".to_owned(),
                "Notifications" => {
                    if call.is_none() {
                        self.house.live_call(BROKEN).await;
                    }
                    self.first(&format!("{collection}.json"), "notifications").await?
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

    /// What somebody said in a recording, as it is on record.
    async fn transcription(&mut self, of: &str, path: &str) -> Option<String> {
        let recording = match path.split("/Recordings/").nth(1).and_then(|rest| rest.split('/').next()) {
            Some(sid) if of == "{RecordingSid}" => sid.to_owned(),
            Some(_) | None => {
                let account = format!("/2010-04-01/Accounts/{ACCOUNT}/Recordings");
                self.recording(&account, None, "GET").await?
            }
        };
        self.transcriptions += 1;
        let now = self.house.office.world.now().wall;
        let row = TranscriptionRow {
            sid: TranscriptionSid(self.transcriptions),
            recording: recording.parse().ok()?,
            call: base::CallSid(1),
            status: TranscriptionStatus::Completed,
            text: Some("good morning".to_owned()),
            duration_s: 2,
            created: now,
            updated: now,
        };
        let sid = row.sid.to_string();
        self.house.write(StoreItem::Transcription(row)).await;
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
            let form = self.things.least(create);
            let made = self.house.ask("POST", &format!("{collection}{ending}"), &form).await;
            if let Some(sid) = made.body["sid"].as_str() {
                return Some(sid.to_owned());
            }
        }
        let list = self.house.ask("GET", &format!("{collection}{ending}"), "").await;
        let lists = list.body.as_object()?.values().filter_map(Value::as_array);
        lists.flatten().find_map(|item| item["sid"].as_str().map(str::to_owned))
    }
}
