//! What reaches a call: answers from outside, keys, timers, mail of other calls. Each goes to the verb it is for.

use media::PlayId;
use twiml::After;

use crate::call::{Call, UNANSWERED};
use crate::ctx::{Ctx, Mail};
use crate::outcome::Cause;
use crate::prompt::{Prompted, SOUND_FAILED};
use crate::record::EventKind;
use crate::running::Running;
use crate::timers::Timer;
use crate::transfer::is_for_transfer;
use crate::wait::is_for_wait;

impl Call {
    /// The call is answered and its audio agreed on.
    pub(crate) fn on_up(&mut self, ctx: &mut Ctx<'_>) {
        match std::mem::replace(&mut self.running, Running::Nothing) {
            Running::Answering(verb) => self.begin(*verb, ctx),
            Running::AnsweringToApologise { code } => self.apologise(code, ctx),
            Running::Dial(run) => {
                self.running = Running::Dial(run);
                self.dial_caller_up(ctx);
            }
            other => self.running = other,
        }
        self.drive(ctx);
    }

    pub(crate) fn on_fetched(
        &mut self,
        id: u64,
        result: Result<twiml::Fetched, twiml::FetchFailure>,
        ctx: &mut Ctx<'_>,
    ) {
        ctx.cancel_timer(self.sid(), Timer::Stuck);
        let text = match &result {
            Ok(fetched) => {
                format!("{} {} bytes from {}", fetched.status, fetched.body.len(), twiml::shown(&fetched.url))
            }
            Err(failure) => format!("{} {}", failure.code, failure.message),
        };
        self.trace(EventKind::Fetch, text, ctx);
        if is_for_wait(id) {
            self.wait_fetched(id, result, ctx);
        } else if is_for_transfer(id) {
            self.transfer_fetched(id, result, ctx);
        } else if let Some(interpreter) = &mut self.interpreter {
            interpreter.handle(twiml::Input::Fetched { id, result }, ctx.now);
        }
        self.drive(ctx);
    }

    pub(crate) fn on_sound(
        &mut self,
        key: &media::ClipKey,
        result: &Result<(), (u32, String)>,
        ctx: &mut Ctx<'_>,
    ) {
        self.heard(ctx, |call, ctx| {
            if let Err((code, why)) = result
                && call.sound_failed(key, *code, why, ctx)
            {
                return;
            }
            let (leg, sid, good) = (call.leg.id, call.row.sid, result.is_ok());
            if let Some(prompting) = call.running.prompting()
                && prompting.on_sound(key, good)
                && !prompting.play(sid, leg, ctx)
            {
                call.on_prompted(ctx);
            }
        });
        self.drive(ctx);
    }

    pub(crate) fn on_played(&mut self, play: PlayId, ctx: &mut Ctx<'_>) {
        self.on_key_passed(play, ctx);
        self.heard(ctx, |call, ctx| {
            let ours = match call.running.prompting() {
                Some(prompting) => prompting.is(play),
                None => false,
            };
            if ours {
                call.on_prompted(ctx);
            } else if let Running::Play(run) = &call.running
                && run.sends(play)
            {
                call.verb_done(After::Next, ctx);
            } else {
                call.callee_played(play, ctx);
            }
        });
        self.drive(ctx);
    }

    /// What was to be heard has been heard.
    fn on_prompted(&mut self, ctx: &mut Ctx<'_>) {
        match self.running.prompt() {
            Some((_, Prompted::VerbOver)) => self.verb_done(After::Next, ctx),
            Some((_, Prompted::Gathers)) => self.gather_prompted(ctx),
            Some((_, Prompted::CallOver)) => self.end(Cause::Document, ctx),
            Some((_, Prompted::Rings)) | None => {}
        }
    }

    pub(crate) fn on_digit(&mut self, digit: char, ctx: &mut Ctx<'_>) {
        self.trace(EventKind::Media, format!("key {digit}"), ctx);
        self.tell_key(digit, ctx);
        if self.wait.is_some() {
            self.heard(ctx, |call, ctx| {
                if let Running::Gather(_) = &call.running {
                    call.gather_digit(digit, ctx);
                }
            });
        }
        match &self.running {
            Running::Gather(_) => self.gather_digit(digit, ctx),
            Running::Record(_) => self.record_digit(digit, ctx),
            Running::Dial(_) => self.dial_digit(digit, ctx),
            Running::Conference(_) => self.conference_digit(digit, ctx),
            Running::Dequeue(_) => self.dequeue_digit(digit, ctx),
            Running::Connect(_) => self.connect_digit(digit, ctx),
            // A key pressed before a Gather began is not typed ahead (reference: twiml-voice §7).
            Running::Nothing
            | Running::Answering(_)
            | Running::AnsweringToApologise { .. }
            | Running::Pause
            | Running::Play(_)
            | Running::Refer(_)
            | Running::Enqueue(_)
            | Running::Echo
            | Running::Apology(_) => {}
        }
        self.drive(ctx);
    }

    pub(crate) fn on_timer(&mut self, timer: Timer, ctx: &mut Ctx<'_>) {
        match timer {
            Timer::Pause => self.heard(ctx, |call, ctx| {
                if matches!(call.running, Running::Pause) {
                    call.verb_done(After::Next, ctx);
                }
            }),
            Timer::Gather => self.heard(ctx, Call::gather_timeout),
            Timer::Wait => self.wait_again(ctx),
            Timer::DialRing if matches!(self.running, Running::Dequeue(_)) => self.dequeue_timeout(ctx),
            Timer::DialLimit if matches!(self.running, Running::Dequeue(_)) => self.release_caller(ctx),
            Timer::DialRing if self.rings_in_vain() => self.end(Cause::Released { timeout: true }, ctx),
            Timer::DialRing => self.dial_ring_timeout(ctx),
            Timer::DialLimit if matches!(self.running, Running::Conference(_)) => self.conference_left(ctx),
            Timer::DialLimit => self.dial_limit(ctx),
            Timer::Refer => self.refer_silent(ctx),
            Timer::CallLimit => self.end(Cause::TimeLimit, ctx),
            Timer::Turn => self.turn_due(ctx),
            Timer::Queue => self.turn_overdue(ctx),
            Timer::Way => self.way_silent(ctx),
            Timer::Open => self.on_open_failed("no port within the time", ctx),
            Timer::Linger => self.on_linger(ctx),
            Timer::Stuck => self.overdue(ctx),
            Timer::Key => self.pass_held_keys(ctx),
            Timer::InfoKey => self.next_info_key(ctx),
            Timer::Siprec => self.siprec_overdue(ctx),
            Timer::Application => self.application_limit(ctx),
        }
        self.drive(ctx);
    }

    pub(crate) fn on_mail(&mut self, mail: Mail, ctx: &mut Ctx<'_>) {
        match mail {
            Mail::ChildRinging { child, early } => self.dial_child_ringing(child, early, ctx),
            Mail::ChildAnswered { child } => self.dial_child_answered(child, ctx),
            Mail::ChildReady { child, leg, codec } => self.dial_child_ready(child, leg, codec, ctx),
            Mail::ChildEnded { child, outcome, sip } => self.dial_child_ended(child, outcome, sip, ctx),
            Mail::ChildLeft { child } => self.dial_child_left(child, ctx),
            // It may have left its parent meanwhile.
            Mail::Release { .. } if self.child.is_none() => {}
            Mail::Release { .. } if self.kept_released() => {}
            Mail::Release { timeout } => match &mut self.transfer {
                Some(transfer) => transfer.alone = true,
                None => self.end(Cause::Released { timeout }, ctx),
            },
            Mail::Transfer { by, to } => self.on_transfer(by, *to, ctx),
            Mail::Transferred { code } => self.on_transferred(code, ctx),
            Mail::Recorded { recording, since } => self.recorded_whole = Some((recording, since)),
            Mail::Bridged { codec, adapt } => self.on_bridged(codec, adapt, ctx),
            Mail::Speaks { codec } => self.on_near_speaks(codec, ctx),
            Mail::Key { .. } if self.kept.is_some() => {}
            Mail::Key { digit, by_media } => self.pass_key_on(digit, by_media, ctx),
            Mail::CallerWaits(queue) => self.caller_waits(queue, ctx),
            Mail::Dequeued { by, stay, whisper } => self.dequeued(by, stay, whisper, ctx),
            Mail::CallerReady { caller, leg, codec } => self.caller_ready(caller, leg, codec, ctx),
            Mail::CallerGone { caller, why } => self.caller_gone(caller, why, ctx),
            Mail::TakerGone { taker } if self.kept_taker_gone(taker) => {}
            Mail::TakerGone { taker } => self.taker_gone(taker, ctx),
            Mail::ConferenceStarted(sid) => self.conference_started(sid, ctx),
            Mail::ConferenceChanged(sid) => self.conference_changed(sid, ctx),
            Mail::ConferenceOver(sid) => self.conference_over(sid, ctx),
        }
        self.drive(ctx);
    }

    /// Something outside that always answers did not: give the waiting part a failure instead of waiting on.
    fn overdue(&mut self, ctx: &mut Ctx<'_>) {
        let ours: Vec<_> = ctx
            .shared
            .fetches
            .iter()
            .filter(|(_, (sid, _))| *sid == self.sid())
            .map(|(id, (_, theirs))| (*id, *theirs))
            .collect();
        for (id, theirs) in ours {
            ctx.shared.fetches.remove(&id);
            let failure = twiml::FetchFailure::new(UNANSWERED, "no answer at all");
            self.on_fetched(theirs, Err(failure), ctx);
        }
        self.stream_overdue(ctx);
        let keys = self.prompting().map(|p| p.waiting()).unwrap_or_default();
        for key in keys {
            if let Some(waiting) = ctx.shared.sounds.get_mut(&key) {
                waiting.remove(&self.row.sid);
            }
            let late = Err((SOUND_FAILED, "it was not ready in time".to_owned()));
            self.on_sound(&key, &late, ctx);
        }
    }
}
