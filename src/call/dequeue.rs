//! `<Dial><Queue>`: takes the caller who has waited longest and talks to it (reference: twiml-voice §10.5).
//!
//! ```text
//!  waits for a caller ──one is there──▶ taken ──it has heard what is for it──▶ bridged ──▶ over
//!     │    ▲                              │                                     either hangs up, *, timeLimit
//!     │    └────────it hung up────────────┤
//!     └─timeout──▶ over                   └─its document is in error──▶ over
//! ```
//! What the queues are stands in [`crate::queue`], the caller's side in [`crate::enqueue`].

use std::time::Duration;

use base::{CallSid, Mono, QueueSid, RecordingSid};
use media::{CodecKind, LegId, PlayItem, Tone};
use twiml::{After, Dial, DialCallStatus, DialFacts, DialRecord, Finding, QueueNoun, QueueStay, dial_params};

use crate::call::{Call, Running};
use crate::ctx::{CallerGone, Ctx, Mail};
use crate::record::EventKind;
use crate::record_verb::recording_facts;
use crate::taskrouter::Reserved;
use crate::timers::Timer;

/// A `<Dial><Queue>` that runs.
#[derive(Clone, Debug)]
pub(crate) struct DequeueRun {
    dial: Dial,
    noun: QueueNoun,
    queue: QueueSid,
    /// When it stops waiting for a caller.
    deadline: Mono,
    ringback: bool,
    caller: Option<Caller>,
    recording: Option<(RecordingSid, Mono)>,
    /// Just this one's caller.
    reserved: Option<Reserved>,
}

/// Who was taken.
#[derive(Clone, Copy, Debug)]
struct Caller {
    call: CallSid,
    stay: QueueStay,
    bridged: Option<(LegId, Mono)>,
}

impl DequeueRun {
    /// Whom it talks to.
    pub(crate) fn bridged(&self) -> Option<CallSid> {
        self.caller.filter(|caller| caller.bridged.is_some()).map(|caller| caller.call)
    }

    /// Their leg.
    pub(crate) fn bridged_leg(&self) -> Option<LegId> {
        self.caller?.bridged.map(|(leg, _)| leg)
    }

    /// Since when they talk, and how long they may.
    pub(crate) fn limit(&self) -> Option<(Mono, Duration)> {
        let (_, since) = self.caller?.bridged?;
        Some((since, Duration::from_secs(u64::from(self.dial.time_limit_s))))
    }

    /// Whom it takes or talks to.
    pub(crate) fn takes(&self) -> Option<CallSid> {
        self.caller.map(|caller| caller.call)
    }
}

impl Call {
    pub(crate) fn begin_dequeue(&mut self, dial: Dial, noun: QueueNoun, ctx: &mut Ctx<'_>) {
        let reserved = match noun.reservation {
            None => None,
            Some(sid) => match ctx.shared.router.reserved(sid, noun.post_work_activity) {
                Ok(reserved) => Some(reserved),
                Err((code, why)) => {
                    self.notify(&Finding::unplaced(code, &why), None, ctx);
                    self.dequeue_dial_over(&dial, DialCallStatus::Failed, None, None, ctx);
                    return;
                }
            },
        };
        let name = reserved.map_or_else(|| noun.name.clone(), |reserved| reserved.workflow.to_string());
        let Some(queue) = ctx.shared.queues.named(&name) else {
            self.trace(EventKind::Decision, format!("there is no queue {name:?}"), ctx);
            self.dequeue_dial_over(&dial, DialCallStatus::Failed, None, None, ctx);
            return;
        };
        let patience = Duration::from_secs(u64::from(dial.timeout_s));
        ctx.timer(self.sid(), Timer::DialRing, patience);
        let deadline = ctx.now.mono + patience;
        let (ringback, caller, recording) = (false, None, None);
        let run = DequeueRun { dial, noun, queue, deadline, ringback, caller, recording, reserved };
        self.running = Running::Dequeue(Box::new(run));
        self.record_dequeue(&[DialRecord::RecordFromRinging, DialRecord::RecordFromRingingDual], ctx);
        self.take_caller(ctx);
    }

    /// The call it takes or talks to, or that waits while this one is being transferred.
    pub(crate) fn takes(&self) -> Option<CallSid> {
        match &self.running {
            Running::Dequeue(run) => run.takes(),
            _ => self.kept_takes(),
        }
    }

    /// Somebody came into this queue.
    pub(crate) fn caller_waits(&mut self, queue: QueueSid, ctx: &mut Ctx<'_>) {
        if matches!(&self.running, Running::Dequeue(run) if run.queue == queue && run.caller.is_none()) {
            self.take_caller(ctx);
        }
    }

    /// Takes the one in front; with nobody there waits, as long as it may.
    fn take_caller(&mut self, ctx: &mut Ctx<'_>) {
        let sid = self.sid();
        let Running::Dequeue(run) = &mut self.running else { return };
        let (taken, waits) = match run.reserved {
            Some(Reserved { caller, .. }) => {
                let stay = ctx.shared.queues.take_member(run.queue, caller, ctx.now.mono);
                (stay.map(|stay| (caller, stay)), false)
            }
            None => ctx.shared.queues.take(run.queue, sid, ctx.now.mono),
        };
        match taken {
            Some((call, stay)) => {
                run.caller = Some(Caller { call, stay, bridged: None });
                let whisper = run.noun.url.clone().map(|url| (url, run.noun.method));
                ctx.mail(call, Mail::Dequeued { by: sid, stay, whisper });
                self.trace(EventKind::Decision, format!("takes {call}, who waited {} s", stay.time_s), ctx);
            }
            None if waits && ctx.now.mono < run.deadline => {}
            None => {
                let status = if waits { DialCallStatus::NoAnswer } else { DialCallStatus::Failed };
                self.dequeue_over(status, true, ctx);
                return;
            }
        }
        self.dequeue_ringback(ctx);
    }

    /// The caller has heard what was for it alone.
    pub(crate) fn caller_ready(&mut self, caller: CallSid, leg: LegId, codec: CodecKind, ctx: &mut Ctx<'_>) {
        let sid = self.sid();
        let now = ctx.now.mono;
        match &mut self.running {
            Running::Dequeue(run)
                if run.bridged().is_none() && run.caller.is_some_and(|c| c.call == caller) =>
            {
                if run.reserved.is_some_and(|reserved| !ctx.shared.router.connected(reserved, ctx.now)) {
                    ctx.mail(caller, Mail::TakerGone { taker: sid });
                    let why = "the reservation cannot be accepted any more";
                    self.notify(&Finding::unplaced(14217, why), None, ctx);
                    self.dequeue_over(DialCallStatus::Failed, true, ctx);
                    return;
                }
                run.caller.iter_mut().for_each(|caller| caller.bridged = Some((leg, now)));
                let limit = Duration::from_secs(u64::from(run.dial.time_limit_s));
                ctx.timer(sid, Timer::DialLimit, limit);
                ctx.cancel_timer(sid, Timer::DialRing);
            }
            _ => {
                ctx.mail(caller, Mail::TakerGone { taker: sid });
                return;
            }
        }
        self.stop_dequeue_ringback(ctx);
        ctx.media(media::Command::Bridge { a: self.leg.id, b: leg });
        self.trace(EventKind::Media, format!("bridged with {caller}"), ctx);
        self.spare_transcoding(caller, codec, ctx);
        self.record_dequeue(&[DialRecord::RecordFromAnswer, DialRecord::RecordFromAnswerDual], ctx);
    }

    /// The caller is gone.
    pub(crate) fn caller_gone(&mut self, caller: CallSid, why: CallerGone, ctx: &mut Ctx<'_>) {
        if self.kept_caller_gone(caller) {
            return;
        }
        let Running::Dequeue(run) = &mut self.running else { return };
        if run.caller.is_none_or(|taken| taken.call != caller) {
            return;
        }
        let bridged = run.bridged().is_some();
        match (bridged, why) {
            (true, CallerGone::Redirected) => {
                self.unbridge_caller(ctx);
                // Its talk goes on elsewhere: how long it was is not known yet (reference: twiml-voice §9.4).
                self.dequeue_over(DialCallStatus::Completed, false, ctx);
            }
            (true, CallerGone::HungUp | CallerGone::InError) => {
                self.dequeue_over(DialCallStatus::Completed, true, ctx);
            }
            (false, CallerGone::InError) => self.dequeue_over(DialCallStatus::Failed, true, ctx),
            (false, CallerGone::HungUp | CallerGone::Redirected) if run.reserved.is_some() => {
                self.dequeue_over(DialCallStatus::NoAnswer, true, ctx);
            }
            // The next one, as long as there is time.
            (false, CallerGone::HungUp | CallerGone::Redirected) => {
                run.caller = None;
                self.take_caller(ctx);
            }
        }
    }

    /// `<Dial timeout>`: nobody came. Whoever is taken already is not left.
    pub(crate) fn dequeue_timeout(&mut self, ctx: &mut Ctx<'_>) {
        if matches!(&self.running, Running::Dequeue(run) if run.caller.is_none()) {
            self.dequeue_over(DialCallStatus::NoAnswer, true, ctx);
        }
    }

    pub(crate) fn dequeue_digit(&mut self, digit: char, ctx: &mut Ctx<'_>) {
        let Running::Dequeue(run) = &self.running else { return };
        if digit == '*' && run.dial.hangup_on_star {
            self.release_caller(ctx);
        }
    }

    /// `<Dial timeLimit>`, or `*`: the caller's document goes on, and this call's.
    pub(crate) fn release_caller(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Dequeue(run) = &self.running else { return };
        let Some(caller) = run.bridged() else { return };
        self.unbridge_caller(ctx);
        ctx.mail(caller, Mail::TakerGone { taker: self.sid() });
        self.dequeue_over(DialCallStatus::Completed, true, ctx);
    }

    /// The call is over.
    pub(crate) fn dequeue_abandoned(&mut self, ctx: &mut Ctx<'_>) {
        let taker = self.sid();
        let Running::Dequeue(run) = &self.running else { return };
        let talked = run.bridged().is_some();
        if let Some(caller) = run.caller {
            ctx.mail(caller.call, Mail::TakerGone { taker });
        }
        let status = if talked { DialCallStatus::Completed } else { DialCallStatus::NoAnswer };
        self.dequeue_over(status, true, ctx);
    }

    /// The caller has transferred this call and hung up, and that came to nothing.
    pub(crate) fn dequeue_alone(&mut self, ctx: &mut Ctx<'_>) {
        self.dequeue_over(DialCallStatus::Completed, true, ctx);
    }

    fn unbridge_caller(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Dequeue(run) = &self.running else { return };
        if let Some((leg, _)) = run.caller.and_then(|caller| caller.bridged) {
            ctx.media(media::Command::Unbridge { a: self.leg.id, b: leg });
        }
    }

    /// Lets the caller go: the call is sent to another document.
    pub(crate) fn dequeue_interrupted(&mut self, ctx: &mut Ctx<'_>) {
        self.unbridge_caller(ctx);
        self.let_caller_go(ctx);
    }

    /// Likewise, of one whom it does not talk to any more.
    pub(crate) fn let_caller_go(&mut self, ctx: &mut Ctx<'_>) {
        let taker = self.sid();
        if let Some(caller) = self.takes() {
            ctx.mail(caller, Mail::TakerGone { taker });
        }
        self.end_dequeue(ctx);
    }

    fn dequeue_over(&mut self, status: DialCallStatus, tells_duration: bool, ctx: &mut Ctx<'_>) {
        let Some(run) = self.end_dequeue(ctx) else { return };
        let caller = run.caller.map(|caller| (caller, tells_duration));
        self.dequeue_dial_over(&run.dial, status, caller, run.recording, ctx);
    }

    fn end_dequeue(&mut self, ctx: &mut Ctx<'_>) -> Option<Box<DequeueRun>> {
        self.stop_dequeue_ringback(ctx);
        let Running::Dequeue(run) = std::mem::replace(&mut self.running, Running::Nothing) else {
            return None;
        };
        let sid = self.sid();
        ctx.cancel_timer(sid, Timer::DialRing);
        ctx.cancel_timer(sid, Timer::DialLimit);
        ctx.shared.queues.give_up(run.queue, sid);
        if let Some(reserved) = run.reserved.filter(|_| run.bridged().is_some()) {
            ctx.shared.router.talked(reserved, ctx.now);
        }
        if let Some((recording, _)) = run.recording {
            ctx.media(media::Command::StopRecord { leg: self.leg.id, recording });
        }
        Some(run)
    }

    fn dequeue_dial_over(
        &mut self,
        dial: &Dial,
        status: DialCallStatus,
        caller: Option<(Caller, bool)>,
        recording: Option<(RecordingSid, Mono)>,
        ctx: &mut Ctx<'_>,
    ) {
        self.trace(EventKind::Decision, format!("dial: {}", status.as_str()), ctx);
        let Some(action) = dial.action.clone() else {
            self.skip_verb(ctx);
            return;
        };
        let now = ctx.now.mono;
        let recorded = |(sid, since): (RecordingSid, Mono)| {
            let ms = u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
            recording_facts(sid, ms, ctx)
        };
        let bridged = caller.and_then(|(caller, _)| caller.bridged);
        let talked_s = bridged.map_or(0, |(_, since)| now.since(since).as_secs());
        let params = dial_params(&DialFacts {
            status,
            call_sid: caller.map(|(caller, _)| caller.call),
            duration_s: caller.filter(|(_, tells)| *tells).map(|_| talked_s),
            bridged: bridged.is_some(),
            recording: recording.map(recorded),
            sip: None,
            queue: caller.map(|(caller, _)| (caller.stay, self.sid())),
        });
        self.verb_done(After::Action { url: Some(action), method: dial.method, params }, ctx);
    }

    fn dequeue_ringback(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Dequeue(run) = &mut self.running else { return };
        if std::mem::replace(&mut run.ringback, true) {
            return;
        }
        let country = run.dial.ring_tone.clone().unwrap_or_else(|| ctx.office.media.ringback.clone());
        let play = ctx.next_play();
        let items = vec![PlayItem::Tone(Tone::Ringback { country })];
        ctx.media(media::Command::Play { leg: self.leg.id, play, items, repeat: 0 });
    }

    fn stop_dequeue_ringback(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Dequeue(run) = &mut self.running else { return };
        if std::mem::take(&mut run.ringback) && self.ended.is_none() {
            ctx.media(media::Command::StopPlay { leg: self.leg.id });
        }
    }

    /// Starts the recording of this dial if it is one of those that begin now.
    fn record_dequeue(&mut self, when: &[DialRecord], ctx: &mut Ctx<'_>) {
        let Running::Dequeue(run) = &self.running else { return };
        if !when.contains(&run.dial.record) || run.recording.is_some() {
            return;
        }
        let recording = self.record_part(&run.dial.clone(), ctx);
        let Running::Dequeue(run) = &mut self.running else { return };
        run.recording = recording;
    }
}
