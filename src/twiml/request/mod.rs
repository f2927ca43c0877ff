//! What the box tells a web server: the parameters of every kind of request (reference: webhooks §2, §4).
//!
//! Every function gives decoded names and values, sorted by name; encoding them is the web client's affair, and
//! signing them [`crate::signature()`]'s.

mod action;
mod callback;
mod conference;
mod country;
mod debugger;
mod facts;
mod queue;
mod service;
mod texml;
mod transcription;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::Dialect;

pub use action::{
    DialCallStatus, DialFacts, DialSip, GatherResult, PartialFacts, RecordFacts, RecordingFacts, ReferFacts,
    dial_call_status, dial_params, gather_params, partial_params, record_params, refer_params,
};
pub use callback::{
    AmdFacts, ProgressFacts, RecordingCallbackFacts, RecordingSource, RecordingStatus, amd_params,
    call_ended_params, progress_params, recording_params,
};
pub use callback::{TranscriptionFacts, recording_transcription_params};
pub use conference::{
    ConferenceEnd, ConferenceFacts, ConferenceNews, ParticipantFacts, ParticipantLeft, conference_params,
};
pub use country::country;
pub use debugger::{DebuggerFacts, debugger_params};
pub use facts::{CallFacts, CallStatus, Direction, SipFacts};
pub use queue::{QueueMoment, QueueResult, QueueStay, dequeue_params, enqueue_params, queue_wait_params};
pub use service::{ServiceEvent, ServiceFacts, connect_params, siprec_params, stream_params};
pub use texml::{CallQuality, DialOutcome, Hangup, HangupCause, HangupSource, TexmlProgress};
pub use transcription::{LiveTranscriptionFacts, TranscriptionEvent, transcription_params};

/// The parameters of every document fetch and of most status callbacks (reference: webhooks §2, §2.1).
pub fn standard_params(call: &CallFacts) -> Vec<(String, String)> {
    Params::from_standard(call).sorted()
}

fn twilio_standard(call: &CallFacts) -> Params {
    let mut params = Params::default();
    let from = if call.from.is_empty() { WITHHELD } else { &call.from };
    params.set("CallSid", call.call_sid.to_string());
    params.set("AccountSid", call.account_sid.to_string());
    params.set("CallStatus", call.status.as_str());
    params.set("ApiVersion", API_VERSION);
    params.set("Direction", call.direction.as_str());
    for (party, duplicate, number) in [("From", "Caller", from), ("To", "Called", call.to.as_str())] {
        for name in [party, duplicate] {
            params.set(name, number);
            params.set(&format!("{name}Country"), country(number));
            // A numbering plan knows no city, and web servers expect the parameters all the same.
            for unknown in ["City", "State", "Zip"] {
                params.set(&format!("{name}{unknown}"), "");
            }
        }
    }
    params.set_some("ParentCallSid", call.parent_call_sid.map(|sid| sid.to_string()));
    params.set_some("ForwardedFrom", call.forwarded_from.clone());
    params.set_some("CallerName", call.caller_name.clone());
    params.set_some("StirVerstat", call.stir_verstat.clone());
    params.set_some("AnsweredBy", call.answered_by.clone());
    params.set_some("MachineDetectionDuration", call.machine_detection_ms.map(|ms| ms.to_string()));
    if let Some(sip) = &call.sip {
        sip_params(sip, &mut params);
        // To be echoed when a call is made on behalf of this one: its caller may be shown then.
        if sip.trunk_sid.is_some() && call.direction == Direction::Inbound {
            params.set("CallToken", BASE64.encode(call.call_sid.to_string()));
        }
    }
    params
}

/// The call a `CallToken` is of.
pub fn call_of_token(token: &str) -> Option<base::CallSid> {
    let text = BASE64.decode(token).ok()?;
    std::str::from_utf8(&text).ok()?.parse().ok()
}

fn sip_params(sip: &SipFacts, params: &mut Params) {
    params.set_some("SipDomain", sip.domain.clone());
    params.set_some("SipDomainSid", sip.domain_sid.clone());
    params.set("SipCallId", sip.call_id.as_str());
    params.set("SipSourceIp", sip.source_ip.to_string());
    params.set_some("TrunkSid", sip.trunk_sid.map(|sid| sid.to_string()));
    headers("SipHeader_", &sip.x_headers, params);
}

/// One parameter for each header; a repeated one joined by a comma, under its first spelling.
fn headers(prefix: &str, headers: &[(String, String)], params: &mut Params) {
    let mut joined: BTreeMap<String, (&str, String)> = BTreeMap::new();
    for (name, value) in headers {
        match joined.get_mut(&name.to_ascii_lowercase()) {
            Some((_, values)) => {
                values.push_str(", ");
                values.push_str(value);
            }
            None => {
                joined.insert(name.to_ascii_lowercase(), (name, value.clone()));
            }
        }
    }
    for (name, value) in joined.into_values() {
        params.set(&format!("{prefix}{name}"), value);
    }
}

/// Parameters while they are gathered: each name once, the last value wins.
#[derive(Default)]
struct Params(BTreeMap<String, String>);

impl Params {
    fn from_standard(call: &CallFacts) -> Self {
        match call.dialect {
            Dialect::Twiml => twilio_standard(call),
            Dialect::Texml => texml::standard(call),
        }
    }

    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn set_some(&mut self, name: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    fn sorted(self) -> Vec<(String, String)> {
        self.0.into_iter().collect()
    }
}

/// The only version of the API whose documents we speak.
const API_VERSION: &str = "2010-04-01";
/// A caller who wants to stay unknown (reference: webhooks §2).
const WITHHELD: &str = "anonymous";

#[cfg(test)]
mod tests {
    use base::{AccountSid, CallSid, TrunkSid};

    use super::*;

    pub(crate) fn inbound() -> CallFacts {
        CallFacts {
            call_sid: CallSid(1),
            account_sid: AccountSid(2),
            from: "+14158675310".into(),
            to: "+442079460000".into(),
            status: CallStatus::Ringing,
            direction: Direction::Inbound,
            parent_call_sid: None,
            forwarded_from: None,
            caller_name: None,
            stir_verstat: None,
            answered_by: None,
            machine_detection_ms: None,
            sip: None,
            dialect: Dialect::Twiml,
        }
    }

    /// `name=value` lines; what is empty is only checked for being there.
    pub(crate) fn lines(params: &[(String, String)]) -> Vec<String> {
        assert!(params.is_sorted_by_key(|(name, _)| name.clone()));
        let geography: Vec<String> = ["Called", "Caller", "From", "To"]
            .iter()
            .flat_map(|party| ["City", "State", "Zip"].map(|part| format!("{party}{part}")))
            .collect();
        let (unknown, known): (Vec<_>, Vec<_>) =
            params.iter().partition(|(name, _)| geography.contains(name));
        assert!(
            unknown.is_empty() || unknown.len() == 12 && unknown.iter().all(|(_, value)| value.is_empty())
        );
        known.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    const INBOUND: [&str; 13] = [
        "AccountSid=AC00000000000000000000000000000002",
        "ApiVersion=2010-04-01",
        "CallSid=CA00000000000000000000000000000001",
        "CallStatus=ringing",
        "Called=+442079460000",
        "CalledCountry=GB",
        "Caller=+14158675310",
        "CallerCountry=US",
        "Direction=inbound",
        "From=+14158675310",
        "FromCountry=US",
        "To=+442079460000",
        "ToCountry=GB",
    ];

    #[test]
    fn an_inbound_call() {
        assert_eq!(lines(&standard_params(&inbound())), INBOUND);
        assert_eq!(standard_params(&inbound()).len(), 25, "with all sixteen parts of geography");
    }

    #[test]
    fn an_inbound_call_with_everything() {
        let call = CallFacts {
            from: String::new(),
            to: "sip:sales@office.example".into(),
            forwarded_from: Some("+15550002222".into()),
            caller_name: Some("ANN".into()),
            stir_verstat: Some("TN-Validation-Passed-A".into()),
            answered_by: Some("human".into()),
            machine_detection_ms: Some(1_850),
            sip: Some(SipFacts {
                domain: Some("office.example".into()),
                domain_sid: Some("SD00000000000000000000000000000004".into()),
                call_id: "abc@10.0.0.9".into(),
                source_ip: "10.0.0.9".parse().unwrap(),
                x_headers: vec![
                    ("X-Foo".into(), "1".into()),
                    ("User-to-User".into(), "ab".into()),
                    ("x-foo".into(), "2".into()),
                ],
                trunk_sid: Some(TrunkSid(3)),
            }),
            ..inbound()
        };
        assert_eq!(
            lines(&standard_params(&call)),
            [
                "AccountSid=AC00000000000000000000000000000002",
                "AnsweredBy=human",
                "ApiVersion=2010-04-01",
                "CallSid=CA00000000000000000000000000000001",
                "CallStatus=ringing",
                "CallToken=Q0EwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMQ==",
                "Called=sip:sales@office.example",
                "CalledCountry=",
                "Caller=anonymous",
                "CallerCountry=",
                "CallerName=ANN",
                "Direction=inbound",
                "ForwardedFrom=+15550002222",
                "From=anonymous",
                "FromCountry=",
                "MachineDetectionDuration=1850",
                "SipCallId=abc@10.0.0.9",
                "SipDomain=office.example",
                "SipDomainSid=SD00000000000000000000000000000004",
                "SipHeader_User-to-User=ab",
                "SipHeader_X-Foo=1, 2",
                "SipSourceIp=10.0.0.9",
                "StirVerstat=TN-Validation-Passed-A",
                "To=sip:sales@office.example",
                "ToCountry=",
                "TrunkSid=TK00000000000000000000000000000003",
            ]
        );
    }

    #[test]
    fn calls_from_the_api_and_from_a_dial() {
        let api =
            CallFacts { direction: Direction::OutboundApi, status: CallStatus::InProgress, ..inbound() };
        let mut expected = INBOUND.map(str::to_owned).to_vec();
        expected[3] = "CallStatus=in-progress".into();
        expected[8] = "Direction=outbound-api".into();
        assert_eq!(lines(&standard_params(&api)), expected);

        let child =
            CallFacts { direction: Direction::OutboundDial, parent_call_sid: Some(CallSid(9)), ..api };
        expected[8] = "Direction=outbound-dial".into();
        expected.insert(11, "ParentCallSid=CA00000000000000000000000000000009".into());
        assert_eq!(lines(&standard_params(&child)), expected);
    }
}
