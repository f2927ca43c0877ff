//! The parameters of the other dialect (reference: texml-delta §5).
//!
//! The box's own sid is both `CallSid` and `CallSidLegacy`: clients take either as opaque.

use std::net::IpAddr;

use base::Timestamp;

use super::{CallFacts, Direction, Params, WITHHELD, headers};

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

/// What a status callback says otherwise than in the first dialect.
pub(super) fn status(at: Timestamp, over: bool, params: &mut Params) {
    params.set("Timestamp", at.iso8601());
    if over {
        params.set("EndTime", at.iso8601());
        params.set("OccurredAt", at.iso8601());
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
    use super::super::{ProgressFacts, progress_params, standard_params};
    use super::*;
    use crate::{Dialect, ProgressEvent};

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
        };
        let params = progress_params(&call, &facts);
        assert_eq!(of(&params, "Direction"), Some("outbound"));
        assert_eq!(of(&params, "SequenceNumber"), Some("3"));
        assert_eq!(of(&params, "Timestamp"), Some(Timestamp::default().iso8601().as_str()));
        assert_eq!(of(&params, "EndTime"), of(&params, "OccurredAt"));
    }
}
