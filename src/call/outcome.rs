//! How a call ended: decided once, in one place.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use twiml::{CallStatus, DialCallStatus, dial_call_status};

/// Why a call is being ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cause {
    /// Its document is over, or says so.
    Document,
    /// `<Reject>`.
    Rejected {
        /// `reason="busy"`.
        busy: bool,
    },
    /// The other end hung up an answered call.
    Peer,
    /// The caller gave up before it was answered.
    Cancelled,
    /// The callee, or somebody on the way, refused with this final response.
    Refused(u16),
    /// Its parent has no use for it any more; `answered_elsewhere` when another callee was faster.
    Released {
        /// The parent's ring timer ran out.
        timeout: bool,
    },
    /// An operator or the API.
    Operator,
    /// It connected the other party elsewhere.
    Transferred,
    /// It lasted as long as it was allowed to.
    TimeLimit,
    /// No audio and no reports for too long.
    MediaLost,
    /// The audio descriptions do not fit, or there is no port left.
    NoMedia(u16),
    /// The caller never confirmed our answer.
    NoAck,
    /// The connection to its peer broke.
    Signalling,
    /// It waited too long for its turn to ring.
    Overdue,
    /// It cannot be routed.
    Unroutable(u16),
    /// Nobody was there to be rung when it was dialled; what a caller that is not answered yet is told.
    Stillborn(u16),
    /// Its phone has as many calls as it may, or began too many a minute.
    TooMany {
        /// When another attempt is worth it, seconds.
        retry_after_s: u64,
    },
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// A final status.
    pub(crate) status: CallStatus,
    /// The final SIP code of its INVITE: 200 when it was answered.
    pub(crate) sip_code: u16,
    /// Connected time in whole seconds.
    pub(crate) duration_s: u32,
}

/// A duration as records and webhooks tell it: whole seconds, rounded.
pub(crate) fn seconds(duration: Duration) -> u32 {
    u32::try_from((duration.as_millis() + 500) / 1_000).unwrap_or(u32::MAX)
}

impl Cause {
    /// The final status of a call that ends for this cause (reference: webhooks §2, twiml-voice §9.3, §12).
    pub(crate) fn status(&self, answered: bool) -> CallStatus {
        if answered {
            return CallStatus::Completed;
        }
        match self {
            Cause::Rejected { busy: true } => CallStatus::Busy,
            Cause::Rejected { busy: false } => CallStatus::NoAnswer,
            Cause::Cancelled => CallStatus::Canceled,
            // 603 says that a person does not want to talk: busy for everybody else.
            Cause::Refused(code) | Cause::Unroutable(code) => {
                dial_call_status(*code, DialCallStatus::Busy).call_status()
            }
            Cause::Released { .. } => CallStatus::NoAnswer,
            Cause::Operator => CallStatus::Canceled,
            Cause::NoMedia(_)
            | Cause::MediaLost
            | Cause::NoAck
            | Cause::Signalling
            | Cause::Stillborn(_)
            | Cause::Overdue
            | Cause::TooMany { .. } => CallStatus::Failed,
            // A document that ends without ever answering has still been carried out; the peer was told
            // by a refusal, so this is not a completed call.
            Cause::Document | Cause::Peer | Cause::TimeLimit | Cause::Transferred => CallStatus::NoAnswer,
        }
    }

    /// The final response to an INVITE that we end before answering it.
    pub(crate) fn refusal(&self) -> u16 {
        match self {
            Cause::Rejected { busy: true } => 486,
            // The published behaviour of `<Reject>` (reference: twiml-voice §12).
            Cause::Rejected { busy: false } => 404,
            Cause::Refused(code)
            | Cause::Unroutable(code)
            | Cause::Stillborn(code)
            | Cause::NoMedia(code) => *code,
            Cause::Operator => 603,
            Cause::TooMany { .. } | Cause::Overdue => 503,
            _ => 480,
        }
    }

    /// Who or what ended it, for the call log.
    pub(crate) fn words(&self) -> String {
        match self {
            Cause::Document => "the document".to_owned(),
            Cause::Rejected { .. } => "<Reject>".to_owned(),
            Cause::Peer => "the other end".to_owned(),
            Cause::Cancelled => "the caller, before an answer".to_owned(),
            Cause::Refused(code) => format!("refused with {code}"),
            Cause::Released { timeout: true } => "nobody answered in time".to_owned(),
            Cause::Released { timeout: false } => "the dialling call".to_owned(),
            Cause::Operator => "an operator".to_owned(),
            Cause::Transferred => "its own transfer".to_owned(),
            Cause::TimeLimit => "its time limit".to_owned(),
            Cause::MediaLost => "no audio arrived any more".to_owned(),
            Cause::NoMedia(code) => format!("no audio could be agreed on ({code})"),
            Cause::NoAck => "the caller, who never confirmed the answer".to_owned(),
            Cause::Signalling => "the signalling connection was lost".to_owned(),
            Cause::Stillborn(code) => format!("nobody was there to be rung ({code})"),
            Cause::Overdue => "its turn to ring never came".to_owned(),
            Cause::Unroutable(code) => format!("could not be routed ({code})"),
            Cause::TooMany { .. } => "the limit of calls of its phone".to_owned(),
        }
    }
}

impl Outcome {
    /// What a `<Dial>` says of it (reference: twiml-voice §9.3). A callee that answered but was never bridged did
    /// not take the call.
    pub(crate) fn dial_status(self, bridged: bool) -> DialCallStatus {
        match self.status {
            CallStatus::Completed if bridged => DialCallStatus::Completed,
            CallStatus::Completed | CallStatus::NoAnswer => DialCallStatus::NoAnswer,
            CallStatus::Busy => DialCallStatus::Busy,
            CallStatus::Canceled => DialCallStatus::Canceled,
            CallStatus::Queued | CallStatus::Ringing | CallStatus::InProgress | CallStatus::Failed => {
                DialCallStatus::Failed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_responses_become_statuses_as_published() {
        let cases = [
            (486, CallStatus::Busy),
            (600, CallStatus::Busy),
            (603, CallStatus::Busy),
            (480, CallStatus::NoAnswer),
            (408, CallStatus::NoAnswer),
            (487, CallStatus::NoAnswer),
            (404, CallStatus::Failed),
            (403, CallStatus::Failed),
            (503, CallStatus::Failed),
        ];
        for (code, status) in cases {
            assert_eq!(Cause::Refused(code).status(false), status, "{code}");
        }
    }

    #[test]
    fn an_answered_call_is_completed_whatever_ended_it() {
        for cause in [Cause::Peer, Cause::MediaLost, Cause::Operator, Cause::Signalling, Cause::Document] {
            assert_eq!(cause.status(true), CallStatus::Completed, "{cause:?}");
        }
    }

    #[test]
    fn an_answer_that_led_to_no_bridge_is_none() {
        let outcome = |status| Outcome { status, sip_code: 0, duration_s: 0 };
        assert_eq!(outcome(CallStatus::Completed).dial_status(true), DialCallStatus::Completed);
        assert_eq!(outcome(CallStatus::Completed).dial_status(false), DialCallStatus::NoAnswer);
        assert_eq!(outcome(CallStatus::Busy).dial_status(false), DialCallStatus::Busy);
        assert_eq!(outcome(CallStatus::Failed).dial_status(false), DialCallStatus::Failed);
    }
}
