//! The parameters of the other dialect (reference: texml-delta §5).
//!
//! The box's own sid is both `CallSid` and `CallSidLegacy`: clients take either as opaque.

use std::net::IpAddr;

use base::{CallSid, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{CallFacts, Direction, Params, ProgressFacts, WITHHELD, headers};
use crate::{DialCallStatus, ProgressEvent};

/// What every request of a call carries.
pub(super) fn standard(call: &CallFacts) -> Params {
    let mut params = Params::default();
    let from = if call.from.is_empty() { WITHHELD } else { &call.from };
    let sid = call.call_sid.to_string();
    params.set("AccountSid", call.account_sid.to_string());
    params.set("CallSid", sid.as_str());
    params.set("CallSidLegacy", sid);
    params.set("CallStatus", call.status.as_str());
    params.set("ConnectionId", call.account_sid.to_string());
    params.set("Direction", direction(call.direction));
    params.set("From", from);
    params.set("To", call.to.as_str());
    params.set("CallerId", from);
    params.set("FromSipUri", sip_uri(from, call));
    params.set("ToSipUri", sip_uri(&call.to, call));
    // A phone of the office is known by its SIP domain; what comes over a trunk is the telephone network.
    let is_phone = call.sip.as_ref().is_some_and(|sip| sip.domain.is_some());
    params.set("CallingPartyType", if is_phone || from.starts_with("sip:") { "sip" } else { "pstn" });
    if let Some(parent) = call.parent_call_sid {
        params.set("ParentCallSid", parent.to_string());
        params.set("ParentCallSidLegacy", parent.to_string());
    }
    params.set_some("ForwardedFrom", call.forwarded_from.clone());
    params.set_some("CallerName", call.caller_name.clone());
    params.set_some("AnsweredBy", call.answered_by.clone());
    if let Some(verstat) = &call.stir_verstat {
        params.set("ShakenStirValidated", verstat.contains("Passed").to_string());
        params.set_some("ShakenStirAttestation", attestation(verstat));
    }
    if let Some(sip) = &call.sip {
        headers("SipHeader_", &sip.x_headers, &mut params);
    }
    params
}

/// What only this dialect's status callbacks tell of a call (reference: texml-delta §5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TexmlProgress {
    /// When the call came, or was begun.
    pub initiated: Timestamp,
    /// When it was answered.
    pub answered: Option<Timestamp>,
    /// What both send: its name in SDP and its rate in Hz.
    pub codec: Option<(String, u32)>,
    /// Why and by whom it was ended, once it is.
    pub hangup: Option<Hangup>,
    /// How good it sounded, once it is over.
    pub quality: Option<CallQuality>,
    /// What its last `<Dial>` came to.
    pub dial: Option<DialOutcome>,
}

/// Why and by whom a call was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hangup {
    /// Why.
    pub cause: HangupCause,
    /// By whom.
    pub source: HangupSource,
}

/// `HangupCause`, as the vendor's events name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangupCause {
    /// Somebody hung up, or its document was over.
    NormalClearing,
    /// It was refused.
    CallRejected,
    /// The callee was busy.
    UserBusy,
    /// There is nobody of this name or number.
    NotFound,
    /// Nobody answered in time.
    Timeout,
    /// The caller gave up before an answer.
    OriginatorCancel,
    /// It lasted as long as it might.
    TimeLimit,
    /// Something broke.
    Unspecified,
}

/// `HangupSource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangupSource {
    /// Who began it.
    Caller,
    /// Who was called.
    Callee,
    /// Neither: the box, or what lies between.
    Unknown,
}

impl HangupCause {
    fn as_str(self) -> &'static str {
        match self {
            HangupCause::NormalClearing => "normal_clearing",
            HangupCause::CallRejected => "call_rejected",
            HangupCause::UserBusy => "user_busy",
            HangupCause::NotFound => "not_found",
            HangupCause::Timeout => "timeout",
            HangupCause::OriginatorCancel => "originator_cancel",
            HangupCause::TimeLimit => "time_limit",
            HangupCause::Unspecified => "unspecified",
        }
    }
}

impl HangupSource {
    fn as_str(self) -> &'static str {
        match self {
            HangupSource::Caller => "caller",
            HangupSource::Callee => "callee",
            HangupSource::Unknown => "unknown",
        }
    }
}

/// `CallQualityStats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallQuality {
    /// RTP packets that came.
    pub packets_in: u64,
    /// Of those sent to us, how many did not come in time to be heard.
    pub skipped_in: u64,
    /// RTP packets sent.
    pub packets_out: u64,
    /// Of those, how many the peer missed.
    pub skipped_out: u64,
    /// Interarrival jitter, microseconds.
    pub jitter_us: u32,
    /// Hundredths of a point of the estimated opinion; 0 = nothing was heard.
    pub mos_x100: u16,
}

/// What a call's last `<Dial>` came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialOutcome {
    /// The callee.
    pub call_sid: Option<CallSid>,
    /// `DialCallStatus`.
    pub status: DialCallStatus,
    /// Connected seconds.
    pub duration_s: Option<u64>,
}

/// What a status callback says otherwise than in the first dialect. An answer is told as `in-progress` in either, which
/// the vendor's page of that callback and applications written for it agree on.
pub(super) fn status(call: &CallFacts, progress: &ProgressFacts, params: &mut Params) {
    params.set("Timestamp", progress.at.iso8601());
    if progress.event == ProgressEvent::Completed {
        params.set("EndTime", progress.at.iso8601());
        params.set("OccurredAt", progress.at.iso8601());
        // One sid stands for all of the vendor's: its leg, and the session of those that were dialled for one call.
        let session = call.parent_call_sid.unwrap_or(call.call_sid);
        params.set("CallControlId", call.call_sid.to_string());
        params.set("CallLegId", call.call_sid.to_string());
        params.set("CallSessionId", session.to_string());
        params.set("OrganizationId", call.account_sid.to_string());
    }
    let Some(facts) = &progress.texml else { return };
    params.set("CallInitiatedAt", facts.initiated.iso8601());
    if let (Some((codec, rate_hz)), ProgressEvent::Answered | ProgressEvent::Completed) =
        (&facts.codec, progress.event)
    {
        params.set("Codec", codec.as_str());
        params.set("SamplingRate", rate_hz.to_string());
    }
    if progress.event != ProgressEvent::Completed {
        return;
    }
    params.set_some("AnsweredTime", facts.answered.map(Timestamp::iso8601));
    if let Some(hangup) = facts.hangup {
        params.set("HangupCause", hangup.cause.as_str());
        params.set("HangupSource", hangup.source.as_str());
    }
    if let Some(quality) = facts.quality {
        params.set("CallQualityStats", quality.json());
    }
    if let Some(dial) = facts.dial {
        params.set("DialCallStatus", dial.status.as_str());
        params.set_some("DialCallSid", dial.call_sid.map(|sid| sid.to_string()));
        params.set_some("DialCallSidLegacy", dial.call_sid.map(|sid| sid.to_string()));
        params.set_some("DialCallDuration", dial.duration_s.map(|s| s.to_string()));
    }
}

impl CallQuality {
    /// The vendor's pages show two forms, and this is both: three numbers, and a side each, whose numbers are texts with
    /// two digits.
    fn json(self) -> String {
        let hundredths = |n: u64| format!("{}.{:02}", n / 100, n % 100);
        let mos = (self.mos_x100 > 0).then(|| hundredths(self.mos_x100.into()));
        let sent = self.packets_in.saturating_add(self.skipped_in).max(1);
        json!({
            "mos": mos.as_ref().map(|_| f64::from(self.mos_x100) / 100.0),
            "jitter": f64::from(self.jitter_us / 10) / 100.0,
            "packet_loss": (self.skipped_in.saturating_mul(10_000) / sent) as f64 / 100.0,
            "inbound": {
                "jitter_max_variance": hundredths(u64::from(self.jitter_us) / 10),
                "jitter_packet_count": "0",
                "mos": mos,
                "packet_count": self.packets_in.to_string(),
                "skip_packet_count": self.skipped_in.to_string(),
            },
            "outbound": {
                "packet_count": self.packets_out.to_string(),
                "skip_packet_count": self.skipped_out.to_string(),
            },
        })
        .to_string()
    }
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::OutboundApi | Direction::OutboundDial => "outbound",
    }
}

fn sip_uri(party: &str, call: &CallFacts) -> String {
    if party.starts_with("sip:") || party.starts_with("sips:") {
        return party.to_owned();
    }
    let user = party.strip_prefix("client:").unwrap_or(party);
    match call.sip.as_ref().map(|sip| sip.source_ip) {
        Some(IpAddr::V6(ip)) => format!("sip:{user}@[{ip}]"),
        Some(IpAddr::V4(ip)) => format!("sip:{user}@{ip}"),
        None => format!("sip:{user}"),
    }
}

/// `A` of `TN-Validation-Passed-A`.
fn attestation(verstat: &str) -> Option<String> {
    verstat.rsplit('-').next().filter(|level| level.len() == 1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::tests::inbound;
    use super::super::{progress_params, standard_params};
    use serde_json::Value;

    use super::*;
    use crate::Dialect;

    fn of<'p>(params: &'p [(String, String)], name: &str) -> Option<&'p str> {
        params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_document_request_carries_the_dialects_names() {
        let call = CallFacts {
            dialect: Dialect::Texml,
            stir_verstat: Some("TN-Validation-Passed-A".into()),
            ..inbound()
        };
        let params = standard_params(&call);
        assert_eq!(of(&params, "CallSid"), of(&params, "CallSidLegacy"));
        for (name, value) in [
            ("CallSid", call.call_sid.to_string().as_str()),
            ("ConnectionId", call.account_sid.to_string().as_str()),
            ("CallerId", call.from.as_str()),
            ("Direction", "inbound"),
            ("ShakenStirValidated", "true"),
            ("ShakenStirAttestation", "A"),
        ] {
            assert_eq!(of(&params, name), Some(value), "{name}");
        }
        assert!(of(&params, "FromSipUri").unwrap().starts_with("sip:"));
        for absent in ["ApiVersion", "Caller", "Called", "FromCity", "ToCountry", "CallToken", "StirVerstat"]
        {
            assert_eq!(of(&params, absent), None, "{absent}");
        }
        assert!(params.is_sorted());
    }

    #[test]
    fn a_status_callback_has_iso_times() {
        let call = CallFacts { dialect: Dialect::Texml, direction: Direction::OutboundDial, ..inbound() };
        let facts = ProgressFacts {
            event: ProgressEvent::Completed,
            at: Timestamp::default(),
            sequence: 3,
            duration_s: 5,
            sip_code: None,
            recording: None,
            error: None,
            digit: None,
            texml: Some(Box::new(TexmlProgress {
                initiated: Timestamp::default(),
                answered: Some(Timestamp::default()),
                codec: Some(("PCMU".into(), 8_000)),
                hangup: Some(Hangup { cause: HangupCause::NormalClearing, source: HangupSource::Callee }),
                quality: Some(CallQuality {
                    packets_in: 250,
                    skipped_in: 2,
                    packets_out: 248,
                    skipped_out: 0,
                    jitter_us: 1_260,
                    mos_x100: 438,
                }),
                dial: Some(DialOutcome {
                    call_sid: Some(CallSid(7)),
                    status: DialCallStatus::Completed,
                    duration_s: Some(4),
                }),
            })),
        };
        let params = progress_params(&call, &facts);
        for (name, value) in [
            ("AnsweredTime", "1970-01-01T00:00:00Z"),
            ("CallInitiatedAt", "1970-01-01T00:00:00Z"),
            ("Codec", "PCMU"),
            ("SamplingRate", "8000"),
            ("HangupCause", "normal_clearing"),
            ("HangupSource", "callee"),
            ("DialCallStatus", "completed"),
            ("DialCallDuration", "4"),
        ] {
            assert_eq!(of(&params, name), Some(value), "{name}");
        }
        assert_eq!(of(&params, "DialCallSid"), of(&params, "DialCallSidLegacy"));
        let quality: Value = serde_json::from_str(of(&params, "CallQualityStats").unwrap()).unwrap();
        assert_eq!(quality["inbound"]["mos"], "4.38");
        assert_eq!(quality["inbound"]["jitter_max_variance"], "1.26");
        assert_eq!(quality["inbound"]["packet_count"], "250");
        assert_eq!(quality["outbound"]["packet_count"], "248");
        assert_eq!((&quality["mos"], &quality["jitter"]), (&json!(4.38), &json!(1.26)));
        assert_eq!(quality["packet_loss"], json!(0.79), "2 of 252");
        let parent = CallFacts { parent_call_sid: Some(CallSid(3)), ..call.clone() };
        let child = progress_params(&parent, &facts);
        let own = call.call_sid.to_string();
        for (name, value) in [("CallControlId", &own), ("CallLegId", &own), ("CallSessionId", &own)] {
            assert_eq!(of(&params, name), Some(value.as_str()), "{name}");
        }
        assert_eq!(of(&child, "CallSessionId"), Some(CallSid(3).to_string().as_str()));
        assert_eq!(of(&params, "OrganizationId"), Some(call.account_sid.to_string().as_str()));
        let ringing =
            progress_params(&call, &ProgressFacts { event: ProgressEvent::Ringing, ..facts.clone() });
        for name in ["Codec", "HangupCause", "CallQualityStats", "EndTime", "CallLegId"] {
            assert_eq!(of(&ringing, name), None, "{name}");
        }
        let answered =
            progress_params(&call, &ProgressFacts { event: ProgressEvent::Answered, ..facts.clone() });
        assert_eq!(
            (of(&answered, "CallStatus"), of(&answered, "Codec")),
            (Some("in-progress"), Some("PCMU"))
        );
        let key = ProgressFacts { event: ProgressEvent::Dtmf, digit: Some('5'), ..facts };
        assert_eq!(of(&progress_params(&call, &key), "Digits"), Some("5"));
        assert_eq!(of(&params, "Direction"), Some("outbound"));
        assert_eq!(of(&params, "SequenceNumber"), Some("3"));
        assert_eq!(of(&params, "Timestamp"), Some(Timestamp::default().iso8601().as_str()));
        assert_eq!(of(&params, "EndTime"), of(&params, "OccurredAt"));
    }
}
