//! A transfer whose beginner stays until somebody answers: `answerOnBridge` on a `<Dial>` with `referUrl` (reference:
//! twiml-voice §9.6), and whatever a phone of ours transfers by itself.
//!
//! ```text
//! bridged ──REFER──▶ trying: the other party carries the document out, the beginner waits, and hears it ring
//!                      ├──somebody answers, or something else takes the call──▶ NOTIFY 200, the beginner is let go
//!                      ├──its end, and nobody has──▶ NOTIFY with why, the two are bridged again
//!                      └──likewise, and the beginner has hung up meanwhile──▶ its phone is rung, or the call goes on
//! ```
//! What the bridge was made by waits in here unchanged: a dial with its recording and callee, nothing at a callee, the
//! stay in a queue that somebody took the call out of, or the taking of somebody out of it.

use std::time::Duration;

use base::CallSid;
use media::{LegId, PlayItem, Tone};
use twiml::{CallStatus, Interpreter, Verb};

use crate::call::{Call, Running};
use crate::child::Stage;
use crate::ctx::{Ctx, Mail};
use crate::incoming::escape;
use crate::outcome::Outcome;
use crate::record::EventKind;
use crate::route::Who;
use crate::timers::Timer;
use crate::transfer::inline;

/// What waits while a transfer is tried.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Who began it, and waits.
    by: CallSid,
    /// Their leg.
    with: LegId,
    /// Rung when nobody answers and they have hung up.
    recall: Option<String>,
    /// They have hung up.
    alone: bool,
    /// They know that it rings somewhere.
    rang: bool,
    interpreter: Option<Interpreter>,
    running: Running,
    dialler: Who,
    last_dial: Option<Outcome>,
}

impl Call {
    /// Carries the document out while `by` waits. The interpreter is given back if this call is in no bridge that could
    /// be gone back to. `from` is a phone of ours that transfers by itself, and its leg.
    #[allow(clippy::result_large_err, reason = "what is refused goes back as it came")]
    pub(crate) fn try_elsewhere(
        &mut self,
        interpreter: Interpreter,
        by: CallSid,
        dialler: Who,
        from: Option<(String, LegId)>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), Interpreter> {
        let (recall, leg) = from.unzip();
        let with = match (&self.running, &mut self.child) {
            (Running::Enqueue(run), _) => leg.filter(|_| run.bridged() == Some(by)),
            (Running::Dequeue(run), _) => run.bridged_leg().filter(|_| run.bridged() == Some(by)),
            (Running::Dial(run), _) => run.bridged_leg().filter(|_| run.bridged() == Some(by)),
            (Running::Nothing, Some(child)) if child.parent == by && child.stage == Stage::Bridged => {
                // It is a callee that could be bridged, until it is again.
                child.stage = Stage::Ready;
                Some(child.parent_leg)
            }
            (_, _) => None,
        };
        let Some(with) = with else { return Err(interpreter) };
        ctx.media(media::Command::Unbridge { a: self.leg.id, b: with });
        ctx.cancel_timer(self.sid(), Timer::DialLimit);
        self.kept = Some(Box::new(Kept {
            by,
            with,
            recall,
            alone: false,
            rang: false,
            interpreter: self.interpreter.replace(interpreter),
            running: std::mem::replace(&mut self.running, Running::Nothing),
            dialler: std::mem::replace(&mut self.dialler, dialler),
            last_dial: self.last_dial.take(),
        }));
        self.drive(ctx);
        Ok(())
    }

    /// Whether a verb takes the call for itself: whoever transferred it there is not needed any more.
    pub(crate) fn takes_over(verb: &Verb) -> bool {
        match verb {
            Verb::Dial(dial) => {
                dial.conference().is_some() || dial.queue().is_some() || dial.application().is_some()
            }
            Verb::Record(_) | Verb::Refer(_) | Verb::Enqueue(_) | Verb::Connect(_) | Verb::Echo => true,
            Verb::Say(_)
            | Verb::Play(_)
            | Verb::Pause(_)
            | Verb::Gather(_)
            | Verb::Start(_)
            | Verb::Stop(_)
            | Verb::Redirect(_)
            | Verb::Hangup
            | Verb::Reject(_)
            | Verb::Leave => false,
        }
    }

    /// Somebody rings: who transferred is told, once, and hears it.
    pub(crate) fn kept_rings(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(kept) = &mut self.kept
            && !std::mem::replace(&mut kept.rang, true)
        {
            ctx.mail(kept.by, Mail::Transferred { code: 180 });
            if !kept.alone {
                let tone = Tone::Ringback { country: ctx.office.media.ringback.clone() };
                let (leg, play, items) = (kept.with, ctx.next_play(), vec![PlayItem::Tone(tone)]);
                ctx.media(media::Command::Play { leg, play, items, repeat: 0 });
            }
        }
    }

    /// Somebody has answered: who transferred is told and let go, and with them what the bridge was made by.
    pub(crate) fn kept_answered(&mut self, ctx: &mut Ctx<'_>) {
        let Some(kept) = self.kept.take() else { return };
        // First of all, or it would be let go without having been told.
        ctx.mail(kept.by, Mail::Transferred { code: 200 });
        match kept.running {
            Running::Dial(run) => run.let_go(self.leg.id, ctx),
            waited @ (Running::Enqueue(_) | Running::Dequeue(_)) => {
                // It has left its queue for good, or whom it took.
                let verb = std::mem::replace(&mut self.running, waited);
                match &self.running {
                    Running::Enqueue(_) => self.enqueue_interrupted(ctx),
                    _ => self.let_caller_go(ctx),
                }
                self.running = verb;
            }
            _ => {}
        }
        self.leave_parent(ctx);
    }

    /// The document is over, and nobody has answered.
    pub(crate) fn kept_failed(&mut self, ctx: &mut Ctx<'_>) {
        let code = match self.last_dial {
            Some(Outcome { status: CallStatus::NoAnswer | CallStatus::Canceled, .. }) | None => 480,
            Some(Outcome { sip_code, .. }) if sip_code >= 300 => sip_code,
            Some(_) => 480,
        };
        let Some(kept) = self.restore_kept(code, ctx) else { return };
        self.trace(EventKind::Decision, format!("transfer failed: {code}"), ctx);
        if !kept.alone {
            ctx.media(media::Command::Bridge { a: self.leg.id, b: kept.with });
            if let Some(child) = &mut self.child {
                child.stage = Stage::Bridged;
            }
            self.limit_dial_again(ctx);
            return;
        }
        match kept.recall {
            Some(phone) => self.recall(&phone, ctx),
            None => self.go_on_alone(ctx),
        }
    }

    /// The call is over, or has been sent elsewhere by somebody else: the transfer comes to nothing with it. What the
    /// bridge was made by runs again, for whoever ends it.
    pub(crate) fn kept_given_up(&mut self, code: u16, ctx: &mut Ctx<'_>) {
        if self.kept.is_some() {
            self.restore_kept(code, ctx);
        }
    }

    /// The other one's call is over; true when it waited here.
    pub(crate) fn kept_child_over(&mut self, child: CallSid, outcome: Option<Outcome>) -> bool {
        let Some(kept) = &mut self.kept else { return false };
        let Running::Dial(run) = &mut kept.running else { return false };
        let waited = run.lose(child, outcome);
        kept.alone |= waited;
        waited
    }

    /// Likewise, of who took this call out of its queue.
    pub(crate) fn kept_taker_gone(&mut self, taker: CallSid) -> bool {
        match &mut self.kept {
            Some(kept) if kept.by == taker && matches!(kept.running, Running::Enqueue(_)) => {
                kept.alone = true;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Likewise, of whom this call took out of its queue.
    pub(crate) fn kept_caller_gone(&mut self, caller: CallSid) -> bool {
        let waited = self.kept_takes() == Some(caller);
        if let Some(kept) = &mut self.kept {
            kept.alone |= waited;
        }
        waited
    }

    /// Whom this call took out of a queue, and who waits now.
    pub(crate) fn kept_takes(&self) -> Option<CallSid> {
        match &self.kept.as_ref()?.running {
            Running::Dequeue(run) => run.takes(),
            _ => None,
        }
    }

    /// Who transferred has gone; true when somebody is to be rung for this call all the same.
    pub(crate) fn kept_released(&mut self) -> bool {
        match &mut self.kept {
            Some(kept) => {
                kept.alone = true;
                true
            }
            None => false,
        }
    }

    /// Stops what runs of the document and puts back what waited.
    fn restore_kept(&mut self, code: u16, ctx: &mut Ctx<'_>) -> Option<Kept> {
        // Taken out first: nothing that is stopped here is to find it.
        let kept = *self.kept.take()?;
        ctx.mail(kept.by, Mail::Transferred { code });
        if kept.rang && !kept.alone {
            ctx.media(media::Command::StopPlay { leg: kept.with });
        }
        self.stop_running(ctx);
        let Kept { interpreter, running, dialler, last_dial, .. } = kept.clone();
        self.interpreter = interpreter;
        self.running = running;
        self.dialler = dialler;
        self.last_dial = last_dial;
        Some(kept)
    }

    /// A phone that transferred, and hung up, is rung: nobody else has answered.
    fn recall(&mut self, phone: &str, ctx: &mut Ctx<'_>) {
        self.trace(EventKind::Decision, format!("rings back {phone}, who transferred"), ctx);
        self.interrupt(ctx);
        self.leave_parent(ctx);
        let text = format!(
            "<Response><Dial timeout=\"{RECALL_S}\"><Client>{}</Client></Dial></Response>",
            escape(phone)
        );
        self.interpreter = Some(inline(text, ctx));
        self.drive(ctx);
    }

    /// The time limit of a dial that goes on counts from its bridge.
    fn limit_dial_again(&mut self, ctx: &mut Ctx<'_>) {
        let limit = match &self.running {
            Running::Dial(run) => run.limit(),
            Running::Dequeue(run) => run.limit(),
            _ => None,
        };
        if let Some((since, limit)) = limit {
            let passed: Duration = ctx.now.mono.since(since);
            ctx.timer(self.sid(), Timer::DialLimit, limit.saturating_sub(passed));
        }
    }
}

/// How long a phone rings that had transferred.
const RECALL_S: u32 = 30;
