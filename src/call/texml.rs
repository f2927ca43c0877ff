//! What only the other dialect tells of a call's progress (reference: texml-delta §5).
//!
//! The end of a call is told with how good it sounded, which the media plane says when it has closed the leg: until
//! then the callback is kept back. Its number and its time are those of the end.

use base::Timestamp;
use media::LegStats;
use twiml::{
    CallQuality, Dialect, Direction, Hangup, HangupCause, HangupSource, ProgressEvent, TexmlProgress,
};

use crate::call::Call;
use crate::ctx::Ctx;
use crate::leg::MediaState;
use crate::outcome::{Cause, Outcome};

/// The end of a call that is told when its leg is closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeptBack {
    pub(crate) outcome: Outcome,
    pub(crate) sequence: u32,
    pub(crate) at: Timestamp,
}

impl Call {
    /// Whether the end is told later.
    pub(crate) fn keeps_back(&self, event: ProgressEvent) -> bool {
        let over = event == ProgressEvent::Completed && self.ended.is_some();
        over && self.facts.dialect == Dialect::Texml && self.leg.media == MediaState::Closing
    }

    /// The leg is closed, or will never be: what was kept back is told.
    pub(crate) fn tell_kept_back(&mut self, stats: Option<&LegStats>, ctx: &mut Ctx<'_>) {
        let Some(kept) = self.kept_back.take() else { return };
        let quality = stats.map(|stats| CallQuality {
            packets_in: stats.packets_received,
            skipped_in: stats.lost + stats.late,
            packets_out: stats.packets_sent,
            skipped_out: stats.lost_by_peer,
            jitter_us: stats.jitter_us,
            mos_x100: stats.mos_x100,
        });
        self.tell_end(kept, quality, ctx);
    }

    /// What the dialect tells besides; `None` in the other one.
    pub(crate) fn texml_progress(&self, quality: Option<CallQuality>) -> Option<Box<TexmlProgress>> {
        if self.facts.dialect == Dialect::Twiml {
            return None;
        }
        let codec = self.leg.negotiated.map(|negotiated| {
            let info = negotiated.codec.info();
            (info.name.to_owned(), info.rate)
        });
        Some(Box::new(TexmlProgress {
            initiated: self.row.start.unwrap_or(self.row.created),
            answered: self.row.answer,
            codec,
            hangup: self.ended.as_ref().map(|cause| {
                let answered = self.answered.is_some();
                hangup(cause, self.facts.direction, answered)
            }),
            quality,
            dial: self.dialled,
        }))
    }
}

/// Why and by whom a call was ended, in the vendor's words.
fn hangup(cause: &Cause, direction: Direction, answered: bool) -> Hangup {
    let inbound = direction == Direction::Inbound;
    let (peer, ours) = match inbound {
        true => (HangupSource::Caller, HangupSource::Callee),
        false => (HangupSource::Callee, HangupSource::Caller),
    };
    let (cause, source) = match cause {
        Cause::Document | Cause::Operator | Cause::Transferred => (HangupCause::NormalClearing, ours),
        Cause::Released { .. } if answered => (HangupCause::NormalClearing, ours),
        Cause::Peer => (HangupCause::NormalClearing, peer),
        Cause::Rejected { busy: true } => (HangupCause::UserBusy, ours),
        Cause::Rejected { busy: false } => (HangupCause::CallRejected, ours),
        Cause::Cancelled => (HangupCause::OriginatorCancel, HangupSource::Caller),
        Cause::Released { timeout: true } => (HangupCause::Timeout, ours),
        Cause::Released { timeout: false } => (HangupCause::OriginatorCancel, ours),
        Cause::Refused(code) | Cause::Unroutable(code) | Cause::Stillborn(code) => (of_code(*code), peer),
        Cause::TimeLimit => (HangupCause::TimeLimit, HangupSource::Unknown),
        Cause::MediaLost
        | Cause::NoMedia(_)
        | Cause::NoAck
        | Cause::Signalling
        | Cause::Overdue
        | Cause::TooMany { .. } => (HangupCause::Unspecified, HangupSource::Unknown),
    };
    Hangup { cause, source }
}

fn of_code(code: u16) -> HangupCause {
    match code {
        486 | 600 => HangupCause::UserBusy,
        403 | 603 => HangupCause::CallRejected,
        404 | 410 | 484 | 604 => HangupCause::NotFound,
        408 | 480 | 487 => HangupCause::Timeout,
        _ => HangupCause::Unspecified,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_cause_and_its_side() {
        use {Direction::Inbound, Direction::OutboundDial, HangupCause as Why, HangupSource as Who};
        for (cause, direction, why, who) in [
            (Cause::Document, Inbound, Why::NormalClearing, Who::Callee),
            (Cause::Document, OutboundDial, Why::NormalClearing, Who::Caller),
            (Cause::Peer, Inbound, Why::NormalClearing, Who::Caller),
            (Cause::Peer, OutboundDial, Why::NormalClearing, Who::Callee),
            (Cause::Rejected { busy: true }, Inbound, Why::UserBusy, Who::Callee),
            (Cause::Rejected { busy: false }, Inbound, Why::CallRejected, Who::Callee),
            (Cause::Cancelled, Inbound, Why::OriginatorCancel, Who::Caller),
            (Cause::Released { timeout: true }, OutboundDial, Why::Timeout, Who::Caller),
            (Cause::Released { timeout: false }, OutboundDial, Why::OriginatorCancel, Who::Caller),
            (Cause::Refused(486), OutboundDial, Why::UserBusy, Who::Callee),
            (Cause::Refused(404), OutboundDial, Why::NotFound, Who::Callee),
            (Cause::Refused(503), OutboundDial, Why::Unspecified, Who::Callee),
            (Cause::TimeLimit, Inbound, Why::TimeLimit, Who::Unknown),
            (Cause::MediaLost, Inbound, Why::Unspecified, Who::Unknown),
        ] {
            let answered = matches!(cause, Cause::Peer | Cause::Document);
            assert_eq!(hangup(&cause, direction, answered), Hangup { cause: why, source: who }, "{cause:?}");
        }
        let let_go = hangup(&Cause::Released { timeout: false }, OutboundDial, true);
        assert_eq!(let_go, Hangup { cause: Why::NormalClearing, source: Who::Caller }, "they had talked");
    }
}
