//! What the callbacks of streams and SIP recording sessions carry (reference: webhooks §4.6, twiml-voice §14.2).

use base::{AccountSid, CallSid, SiprecSid, StreamSid, Timestamp};
use serde::{Deserialize, Serialize};

use super::Params;

/// What is told of a service that runs beside a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ServiceEvent {
    /// It runs.
    Started,
    /// It ended as it should.
    Stopped,
    /// It ended for a reason that is told, or never ran.
    Error,
    /// TeXML's word for that.
    Failed,
}

impl ServiceEvent {
    /// The end of its published name.
    pub fn as_str(self) -> &'static str {
        match self {
            ServiceEvent::Started => "started",
            ServiceEvent::Stopped => "stopped",
            ServiceEvent::Error => "error",
            ServiceEvent::Failed => "failed",
        }
    }
}

/// A service as its own callback tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceFacts {
    /// The account.
    pub account_sid: AccountSid,
    /// The leg.
    pub call_sid: CallSid,
    /// What the document called it.
    pub name: Option<String>,
    /// What happened.
    pub event: ServiceEvent,
    /// When.
    pub at: Timestamp,
    /// What is wrong: number and sentence.
    pub error: Option<(u32, String)>,
}

/// The parameters of a stream's status callback. They stand alone, without the call's standard ones.
pub fn stream_params(sid: StreamSid, facts: &ServiceFacts) -> Vec<(String, String)> {
    params("Stream", &sid.to_string(), facts)
}

/// Likewise of a SIP recording session.
pub fn siprec_params(sid: SiprecSid, facts: &ServiceFacts) -> Vec<(String, String)> {
    params("Siprec", &sid.to_string(), facts)
}

/// The parameters of `<Connect>`'s action. Published is only that it is requested; the stream it was and what went
/// wrong are the box's own.
pub fn connect_params(stream: Option<StreamSid>, error: Option<&(u32, String)>) -> Vec<(String, String)> {
    let mut params = Params::default();
    params.set_some("StreamSid", stream.map(|sid| sid.to_string()));
    if let Some((code, why)) = error {
        params.set("ErrorCode", code.to_string());
        params.set("ErrorMessage", why.as_str());
    }
    params.sorted()
}

fn params(kind: &str, sid: &str, facts: &ServiceFacts) -> Vec<(String, String)> {
    let mut params = Params::default();
    params.set("AccountSid", facts.account_sid.to_string());
    params.set("CallSid", facts.call_sid.to_string());
    params.set(&format!("{kind}Sid"), sid);
    // Without a name of its own it goes by its sid.
    params.set(&format!("{kind}Name"), facts.name.as_deref().unwrap_or(sid));
    params.set(&format!("{kind}Event"), format!("{}-{}", kind.to_lowercase(), facts.event.as_str()));
    params.set("Timestamp", facts.at.iso8601());
    if let Some((code, why)) = &facts.error {
        params.set(&format!("{kind}Error"), why.as_str());
        params.set(&format!("{kind}ErrorCode"), code.to_string());
    }
    params.sorted()
}

#[cfg(test)]
mod tests {
    use super::super::tests::lines;
    use super::*;

    #[test]
    fn streams_and_recording_sessions() {
        let facts = ServiceFacts {
            account_sid: AccountSid(2),
            call_sid: CallSid(1),
            name: Some("n".into()),
            event: ServiceEvent::Started,
            at: Timestamp(1_282_266_822_000_000),
            error: None,
        };
        let expected = [
            "AccountSid=AC00000000000000000000000000000002",
            "CallSid=CA00000000000000000000000000000001",
            "StreamEvent=stream-started",
            "StreamName=n",
            "StreamSid=MZ00000000000000000000000000000003",
            "Timestamp=2010-08-20T01:13:42Z",
        ];
        assert_eq!(lines(&stream_params(StreamSid(3), &facts)), expected);
        let failed = ServiceFacts {
            name: None,
            event: ServiceEvent::Error,
            error: Some((31902, "refused".into())),
            ..facts.clone()
        };
        let told = lines(&stream_params(StreamSid(3), &failed));
        for line in ["StreamEvent=stream-error", "StreamError=refused", "StreamErrorCode=31902"] {
            assert!(told.contains(&line.to_owned()), "{told:?}");
        }
        assert!(told.contains(&"StreamName=MZ00000000000000000000000000000003".to_owned()));
        let told =
            lines(&siprec_params(SiprecSid(4), &ServiceFacts { event: ServiceEvent::Stopped, ..facts }));
        for line in
            ["SiprecEvent=siprec-stopped", "SiprecName=n", "SiprecSid=SR00000000000000000000000000000004"]
        {
            assert!(told.contains(&line.to_owned()), "{told:?}");
        }
    }
}
