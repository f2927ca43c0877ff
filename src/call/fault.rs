//! Why a call came to nothing, or was cut off, as the published catalogue numbers it (reference: error-codes §2, §8;
//! webhooks §4.2, `ErrorCode`).
//!
//! Each is written down once, with the call; what became of a callee that refused as people do is no fault.

use twiml::{CallStatus, DialCallStatus, Finding, dial_call_status};

use crate::call::Call;
use crate::ctx::Ctx;
use crate::outcome::Cause;

/// A number of the catalogue and what happened.
pub(crate) type Fault = (u32, String);

impl Call {
    /// Writes down why it ends like this, unless that is known already or nothing is wrong.
    pub(crate) fn find_fault(&mut self, cause: &Cause, ctx: &mut Ctx<'_>) {
        if self.fault.is_some() {
            return;
        }
        let made = self.outbound.is_some();
        let by_trunk = self.row.trunk.is_some();
        let rang = self.row.status == CallStatus::Ringing;
        if let Some(code) = number(cause, made && self.answered.is_none(), by_trunk, rang) {
            self.fail(code, &cause.words(), ctx);
        }
    }

    /// Writes down what is wrong with it.
    pub(crate) fn fail(&mut self, code: u32, detail: &str, ctx: &mut Ctx<'_>) {
        let finding = Finding::unplaced(code, detail);
        self.notify(&finding, None, ctx);
        self.fault = Some((code, finding.message));
    }
}

/// The number of a cause; `calling`: the box made the call and nobody has answered it.
fn number(cause: &Cause, calling: bool, by_trunk: bool, rang: bool) -> Option<u32> {
    match cause {
        // Of a caller: what became of whom it wanted, which is told with that call.
        Cause::Refused(_) | Cause::Unroutable(_) if !calling => None,
        Cause::Refused(401 | 407) => Some(if by_trunk { 32_106 } else { 13_244 }),
        Cause::Refused(404 | 410 | 484 | 604) if by_trunk => Some(13_224),
        Cause::Refused(483) => Some(32_006),
        Cause::Refused(408) => (!rang).then_some(32_016),
        Cause::Refused(code) => {
            let failed = dial_call_status(*code, DialCallStatus::Busy) == DialCallStatus::Failed;
            failed.then_some(32_011)
        }
        Cause::Unroutable(480) => Some(NOT_REGISTERED),
        Cause::Unroutable(503) | Cause::NoMedia(503) => Some(OVERLOAD),
        Cause::Unroutable(_) => Some(32_010),
        Cause::NoMedia(_) => Some(32_102),
        Cause::MediaLost => Some(32_014),
        Cause::TimeLimit => Some(32_015),
        Cause::NoAck => Some(32_022),
        Cause::Overdue => Some(QUEUE_TIMEOUT),
        Cause::Signalling => Some(32_011),
        // Told where it was found.
        Cause::Stillborn(_) => None,
        Cause::Document
        | Cause::Rejected { .. }
        | Cause::Peer
        | Cause::Cancelled
        | Cause::Released { .. }
        | Cause::Operator
        | Cause::Transferred
        | Cause::TooMany { .. } => None,
    }
}

/// It waited too long for its turn.
const QUEUE_TIMEOUT: u32 = 15_002;
/// The dialled user is not registered.
pub(crate) const NOT_REGISTERED: u32 = 32_009;
/// The host of a SIP address does not resolve.
pub(crate) const UNRESOLVED: u32 = 13_254;
/// Capacity limit, a number of the box's own.
pub(crate) const OVERLOAD: u32 = 99_005;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_have_the_numbers_of_the_catalogue() {
        let (trunk, phone) = (true, false);
        for (cause, by_trunk, expected) in [
            (Cause::Refused(401), phone, Some(13_244)),
            (Cause::Refused(407), phone, Some(13_244)),
            (Cause::Refused(407), trunk, Some(32_106)),
            (Cause::Refused(404), trunk, Some(13_224)),
            (Cause::Refused(484), trunk, Some(13_224)),
            (Cause::Refused(404), phone, Some(32_011)),
            (Cause::Refused(483), trunk, Some(32_006)),
            (Cause::Refused(403), trunk, Some(32_011)),
            (Cause::Refused(500), phone, Some(32_011)),
            (Cause::Refused(503), trunk, Some(32_011)),
            (Cause::Refused(408), phone, Some(32_016)),
            (Cause::Refused(486), phone, None),
            (Cause::Refused(603), trunk, None),
            (Cause::Refused(480), phone, None),
            (Cause::Unroutable(480), phone, Some(32_009)),
            (Cause::Unroutable(404), trunk, Some(32_010)),
            (Cause::Unroutable(503), trunk, Some(99_005)),
            (Cause::NoMedia(503), phone, Some(99_005)),
            (Cause::NoMedia(488), phone, Some(32_102)),
            (Cause::Stillborn(480), phone, None),
            (Cause::Released { timeout: true }, phone, None),
            (Cause::Operator, phone, None),
        ] {
            assert_eq!(number(&cause, true, by_trunk, false), expected, "{cause:?} {by_trunk}");
            if let Some(code) = expected {
                assert!(twiml::error_code(code).is_some(), "{code} is in the catalogue");
            }
        }
        assert_eq!(number(&Cause::Refused(408), true, phone, true), None, "it rang");
    }

    #[test]
    fn what_cuts_off_an_answered_call_has_a_number_too() {
        for (cause, expected) in [
            (Cause::MediaLost, Some(32_014)),
            (Cause::TimeLimit, Some(32_015)),
            (Cause::NoAck, Some(32_022)),
            (Cause::Signalling, Some(32_011)),
            (Cause::Peer, None),
            (Cause::Document, None),
            (Cause::Refused(503), None),
            (Cause::Unroutable(404), None),
        ] {
            assert_eq!(number(&cause, false, false, false), expected, "{cause:?}");
        }
    }
}
