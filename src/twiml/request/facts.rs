//! What a request needs to know about its call.

use std::fmt;
use std::net::IpAddr;

use base::{AccountSid, CallSid, TrunkSid};
use serde::{Deserialize, Serialize};

use crate::Dialect;

/// One leg, as requests describe it (reference: webhooks §2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFacts {
    /// The leg.
    pub call_sid: CallSid,
    /// The account.
    pub account_sid: AccountSid,
    /// Caller: E.164, `client:name` or a SIP URI; empty or `anonymous` when withheld.
    pub from: String,
    /// Called: likewise.
    pub to: String,
    /// Its state at the moment of the request.
    pub status: CallStatus,
    /// Who began it.
    pub direction: Direction,
    /// The leg whose `<Dial>` made it.
    pub parent_call_sid: Option<CallSid>,
    /// Who diverted the call here (`Diversion`, `History-Info`).
    pub forwarded_from: Option<String>,
    /// The caller's name.
    pub caller_name: Option<String>,
    /// The `verstat` a trunk delivered.
    pub stir_verstat: Option<String>,
    /// The verdict of answering machine detection, once there is one.
    pub answered_by: Option<String>,
    /// Milliseconds that took.
    pub machine_detection_ms: Option<u32>,
    /// What only a SIP leg has.
    pub sip: Option<SipFacts>,
    /// Whose parameters its requests carry.
    #[serde(default)]
    pub dialect: Dialect,
}

/// What a leg's SIP says (reference: webhooks §2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SipFacts {
    /// Host part of the request URI; `None` for calls over a trunk.
    pub domain: Option<String>,
    /// That domain's sid, `SD…`, if the API knows it.
    #[serde(default)]
    pub domain_sid: Option<String>,
    /// `Call-ID`.
    pub call_id: String,
    /// The peer's address.
    pub source_ip: IpAddr,
    /// The `X-` headers and `User-to-User` in the order received, names as received.
    pub x_headers: Vec<(String, String)>,
    /// The trunk it came over.
    pub trunk_sid: Option<TrunkSid>,
}

/// `CallStatus` (reference: webhooks §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallStatus {
    /// Waiting to be placed.
    Queued,
    /// Ringing, either way.
    Ringing,
    /// Answered.
    InProgress,
    /// Over after an answer.
    Completed,
    /// Refused as busy.
    Busy,
    /// Could not be placed.
    Failed,
    /// Rang and was not answered.
    NoAnswer,
    /// Cancelled before an answer.
    Canceled,
}

impl CallStatus {
    /// As published.
    pub fn as_str(self) -> &'static str {
        match self {
            CallStatus::Queued => "queued",
            CallStatus::Ringing => "ringing",
            CallStatus::InProgress => "in-progress",
            CallStatus::Completed => "completed",
            CallStatus::Busy => "busy",
            CallStatus::Failed => "failed",
            CallStatus::NoAnswer => "no-answer",
            CallStatus::Canceled => "canceled",
        }
    }

    /// No other status follows.
    pub fn is_final(self) -> bool {
        match self {
            CallStatus::Queued | CallStatus::Ringing | CallStatus::InProgress => false,
            CallStatus::Completed
            | CallStatus::Busy
            | CallStatus::Failed
            | CallStatus::NoAnswer
            | CallStatus::Canceled => true,
        }
    }
}

impl fmt::Display for CallStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `Direction` (reference: webhooks §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Somebody called the box.
    Inbound,
    /// The REST API asked for it.
    OutboundApi,
    /// A `<Dial>` asked for it.
    OutboundDial,
}

impl Direction {
    /// As published.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Inbound => "inbound",
            Direction::OutboundApi => "outbound-api",
            Direction::OutboundDial => "outbound-dial",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
