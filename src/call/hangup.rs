//! How a call ends: once, for one cause, with everything it holds given back.

use std::time::Duration;

use twiml::{After, CallStatus, ParticipantLeft, ProgressEvent};

use crate::call::{Call, Running};
use crate::ctx::{Ctx, Mail};
use crate::leg::{MediaState, Side, Signalling};
use crate::outcome::{Cause, Outcome, seconds};
use crate::quality::summary;
use crate::record::{EventKind, StoreItem};
use crate::taskrouter::RingNews;
use crate::timers::Timer;

impl Call {
    /// Ends the call. Whatever happens to it afterwards changes nothing any more.
    pub(crate) fn end(&mut self, cause: Cause, ctx: &mut Ctx<'_>) {
        if self.ended.is_some() {
            return;
        }
        self.trace(EventKind::Decision, format!("ended by {}", cause.words()), ctx);
        self.end_signalling(&cause, ctx);
        self.find_fault(&cause, ctx);
        self.leave_line(ctx);
        let outcome = self.record_outcome(&cause, ctx);
        self.ended = Some(cause);
        self.answered_until = Some(ctx.now.mono);
        let failed = outcome.status == CallStatus::Failed;
        ctx.shared.router.ring_news(self.sid(), RingNews::Over { failed });
        ctx.shared.timers.cancel_all(self.sid());
        self.close_streams(ctx);
        self.close_siprecs(ctx);
        self.stop_transcriptions(ctx);
        self.close_media(ctx);
        self.end_document(ctx);
        self.tell(ProgressEvent::Completed, Some(outcome), ctx);
        if let Some((parent, sip)) = self.last_words() {
            ctx.mail(parent, Mail::ChildEnded { child: self.sid(), outcome, sip });
        }
        self.drive(ctx);
    }

    /// Says to the peer what it has to know.
    fn end_signalling(&mut self, cause: &Cause, ctx: &mut Ctx<'_>) {
        let session = self.leg.session;
        let told = matches!(cause, Cause::Peer | Cause::Cancelled | Cause::Signalling | Cause::NoAck);
        match (self.leg.signalling, self.leg.side) {
            (Signalling::Invited, Side::Called) if !told => {
                let code = cause.refusal();
                self.row.sip_code = Some(code);
                let headers = match cause {
                    Cause::TooMany { retry_after_s } => {
                        vec![(sip::HeaderName::RetryAfter, retry_after_s.to_string())]
                    }
                    _ => Vec::new(),
                };
                ctx.sip(sip::Command::Refuse { session, code, reason: None, headers });
            }
            (Signalling::Invited, Side::Calling) if !matches!(cause, Cause::Refused(_)) => {
                ctx.sip(sip::Command::Cancel { session });
            }
            (Signalling::Up, _) if !told => {
                ctx.sip(sip::Command::Bye { session, reason: bye_reason(cause) });
            }
            (Signalling::Waiting | Signalling::Invited | Signalling::Up | Signalling::Over, _) => {}
        }
        self.leg.signalling = Signalling::Over;
        ctx.shared.sessions.remove(&session);
    }

    /// Decides what became of the call and writes it down.
    fn record_outcome(&mut self, cause: &Cause, ctx: &mut Ctx<'_>) -> Outcome {
        let duration = self.answered.map_or(Duration::ZERO, |answered| ctx.now.mono.since(answered));
        let duration_s = seconds(duration);
        let sip_code = match (self.answered, cause) {
            (Some(_), _) => 200,
            (None, Cause::Cancelled | Cause::Released { .. }) => 487,
            (None, other) => other.refusal(),
        };
        self.row.end = Some(ctx.now.wall);
        self.row.duration_s = Some(duration_s);
        self.row.sip_code = Some(sip_code);
        self.row.ended_by = Some(cause.words());
        let status = cause.status(self.answered.is_some());
        self.set_status(status, ctx);
        Outcome { status, sip_code, duration_s }
    }

    /// Tells the document that nobody listens any more; a last action may still be requested
    /// (reference: twiml-voice §2).
    fn end_document(&mut self, ctx: &mut Ctx<'_>) {
        // Nobody is left to carry out what is still being fetched.
        ctx.abort_fetches(self.sid());
        self.stay_away(ParticipantLeft::ParticipantAddFailed, ctx);
        self.transfer = None;
        self.kept_given_up(487, ctx);
        if let Some(interpreter) = &mut self.interpreter {
            interpreter.handle(twiml::Input::HungUp, ctx.now);
        }
        match &mut self.running {
            // Its action waits for the complete file.
            Running::Record(run) => {
                run.ended_by.get_or_insert_with(|| "hangup".to_owned());
            }
            Running::Dial(_) => self.dial_abandoned(ctx),
            Running::Refer(_) => self.refer_abandoned(ctx),
            Running::Conference(_) => self.conference_left(ctx),
            Running::Enqueue(_) => self.enqueue_hung_up(ctx),
            Running::Dequeue(_) => self.dequeue_abandoned(ctx),
            Running::Gather(_) => self.gather_abandoned(ctx),
            _ => self.running = Running::Nothing,
        }
        self.applications_hung_up(ctx);
    }

    /// Gives the media port back; its figures come with `Closed`.
    fn close_media(&mut self, ctx: &mut Ctx<'_>) {
        if self.leg.holds_media() {
            self.leg.media = MediaState::Closing;
            ctx.media(media::Command::Close { leg: self.leg.id });
            ctx.timer(self.sid(), Timer::Linger, LINGER);
        } else if self.leg.media == MediaState::None {
            self.leg.media = MediaState::Gone;
        }
    }

    /// The leg's port is free again; the call is gone after this.
    pub(crate) fn on_closed(&mut self, stats: &media::LegStats, ctx: &mut Ctx<'_>) {
        self.leg.media = MediaState::Gone;
        self.tell_kept_back(Some(stats), ctx);
        self.trace(EventKind::Media, summary(stats), ctx);
        // Files are completed behind the media threads: a recording may be told after its leg.
        if self.recordings.is_empty() {
            ctx.cancel_timer(self.sid(), Timer::Linger);
        }
        ctx.store(StoreItem::Call(self.row.clone()));
    }

    /// The media plane did not say all it had to in time.
    pub(crate) fn on_linger(&mut self, ctx: &mut Ctx<'_>) {
        self.leg.media = MediaState::Gone;
        self.tell_kept_back(None, ctx);
        let open: Vec<_> = self.recordings.keys().copied().collect();
        for sid in open {
            let why = media::RecordEnd::Failed("nothing was heard of it any more".to_owned());
            self.on_recorded(sid, 0, 0, &why, ctx);
        }
    }

    /// The call was answered: 200 sent, or received.
    pub(crate) fn mark_answered(&mut self, ctx: &mut Ctx<'_>) {
        if self.answered.is_some() {
            return;
        }
        self.answered = Some(ctx.now.mono);
        ctx.shared.router.ring_news(self.sid(), RingNews::Answered);
        self.row.answer = Some(ctx.now.wall);
        self.row.sip_code = Some(200);
        self.set_status(CallStatus::InProgress, ctx);
        self.tell(ProgressEvent::Answered, None, ctx);
        if let Some(seconds) = self.time_limit_s {
            self.limit_time(seconds, ctx);
        }
    }

    /// The verb could not be done at all: the document goes on.
    pub(crate) fn skip_verb(&mut self, ctx: &mut Ctx<'_>) {
        self.verb_done(After::Next, ctx);
    }
}

/// What a BYE tells of a cause that its peer could not know (RFC 3326): a SIP code, or Q.850's recovery on
/// expiry of a timer.
fn bye_reason(cause: &Cause) -> Option<(u16, String)> {
    match cause {
        Cause::NoMedia(code) => Some((*code, cause.words())),
        Cause::MediaLost => Some((102, cause.words())),
        Cause::Document
        | Cause::Rejected { .. }
        | Cause::Peer
        | Cause::Cancelled
        | Cause::Refused(_)
        | Cause::Released { .. }
        | Cause::Operator
        | Cause::TimeLimit
        | Cause::Transferred
        | Cause::NoAck
        | Cause::Signalling
        | Cause::Overdue
        | Cause::Unroutable(_)
        | Cause::Stillborn(_)
        | Cause::TooMany { .. } => None,
    }
}

/// How long the media plane may take to close a leg before the call stops waiting for its figures.
const LINGER: Duration = Duration::from_secs(10);
