//! `<Dial>` with Number, Sip and Client (reference: twiml-voice §9): ring, bridge the first who answers, say
//! how it ended.
//!
//! ```text
//! ringing ──a child answers──▶ chosen ──whisper over──▶ bridged ──either hangs up──▶ over
//!    │  timeout, all refused                               │ timeLimit, *
//!    └──────────────▶ over                                 └──▶ over
//! ```
//! Each callee is a call of its own. Once one answers, the others are released; what became of each comes
//! back by mail. The dial is over when the bridged child is, or when none is left.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use base::{CallSid, Mono, RecordingSid};
use media::{CodecKind, LegId, PlayItem, RecordWhat, Tone};
use twiml::{
    After, CallStatus, Dial, DialFacts, DialOutcome, DialRecord, DialSip, Noun, Play, PlaySource,
    RecordingTrack, dial_params,
};

use crate::call::{Call, Running};
use crate::ctx::{Ctx, Mail};
use crate::leg::Side;
use crate::originate::{Refusal, device};
use crate::outcome::{Cause, Outcome, seconds};
use crate::prompt::{Part, Prompting};
use crate::record::{EventKind, RecordingSource};
use crate::record_verb::{Asking, recording_facts};
use crate::timers::Timer;
use crate::transfer::ReferTo;
use crate::waking::Waking;

/// A `<Dial>` that runs.
#[derive(Clone, Debug)]
pub(crate) struct DialRun {
    dial: Box<Dial>,
    /// Who is rung or talked to.
    children: BTreeMap<CallSid, LegId>,
    /// Who is still to be rung, one after the other (`sequential`).
    later: VecDeque<Noun>,
    /// Who answered, and when.
    chosen: Option<(CallSid, Mono)>,
    /// Ready before the caller was answered.
    ready: Option<(CallSid, LegId, CodecKind)>,
    bridged: Option<(CallSid, LegId, Mono)>,
    /// A callee whose sound the caller already hears.
    early: Option<LegId>,
    ringback: bool,
    /// The document's own sound instead of the ringing tone.
    music: Option<Prompting>,
    /// The most telling outcome so far, and whose.
    best: Option<Best>,
    recording: Option<(RecordingSid, Mono)>,
    /// The callee that was sent to a document of its own.
    left: Option<CallSid>,
    /// Phones that may yet come, or come elsewhere, while it rings.
    waking: Vec<Waking>,
}

/// What became of one callee.
#[derive(Clone, Debug)]
struct Best {
    child: CallSid,
    outcome: Outcome,
    sip: Option<Box<DialSip>>,
}

impl DialRun {
    /// The document's own sound while it rings.
    pub(crate) fn prompting(&mut self) -> Option<&mut Prompting> {
        self.music.as_mut()
    }

    /// The callee whose early sound the caller is to hear.
    pub(crate) fn early(&self) -> Option<LegId> {
        self.early
    }

    /// Where a REFER of one of the two asks for a document.
    pub(crate) fn refer_to(&self) -> Option<ReferTo> {
        ReferTo::of(&self.dial)
    }

    /// Their leg.
    pub(crate) fn bridged_leg(&self) -> Option<LegId> {
        self.bridged.map(|(_, leg, _)| leg)
    }

    /// Since when they talk, and how long they may.
    pub(crate) fn limit(&self) -> Option<(Mono, Duration)> {
        let (_, _, since) = self.bridged?;
        Some((since, Duration::from_secs(u64::from(self.dial.time_limit_s))))
    }

    /// The one talked to is over, or has left for a document of its own when there is no outcome; false: it was not
    /// of this dial.
    pub(crate) fn lose(&mut self, child: CallSid, outcome: Option<Outcome>) -> bool {
        if self.children.remove(&child).is_none() {
            return false;
        }
        match outcome {
            Some(outcome) => self.note(child, outcome, None),
            None => self.left = Some(child),
        }
        true
    }

    /// It is not gone back to: everybody of it is let go without a word about it.
    pub(crate) fn let_go(self, leg: LegId, ctx: &mut Ctx<'_>) {
        if let Some((recording, _)) = self.recording {
            ctx.media(media::Command::StopRecord { leg, recording });
        }
        for child in self.children.into_keys() {
            ctx.mail(child, Mail::Release { timeout: false });
        }
    }

    /// Whom the caller talks to.
    pub(crate) fn bridged(&self) -> Option<CallSid> {
        self.bridged.map(|(child, _, _)| child)
    }
}

impl Call {
    pub(crate) fn begin_dial(&mut self, dial: Dial, ctx: &mut Ctx<'_>) {
        let nouns: VecDeque<Noun> = dial.nouns.iter().cloned().collect();
        self.running = Running::Dial(DialRun {
            dial: Box::new(dial),
            children: BTreeMap::new(),
            later: nouns,
            chosen: None,
            ready: None,
            bridged: None,
            early: None,
            ringback: false,
            music: None,
            best: None,
            recording: None,
            left: None,
            waking: Vec::new(),
        });
        self.dial_next(ctx);
        if self.leg.is_up() {
            self.start_ringback(ctx);
            self.start_music(ctx);
            self.record_dial(&[DialRecord::RecordFromRinging, DialRecord::RecordFromRingingDual], ctx);
        }
    }

    /// Rings the next noun, or all of them; over when there is nobody (left).
    pub(crate) fn dial_next(&mut self, ctx: &mut Ctx<'_>) {
        loop {
            let Running::Dial(run) = &mut self.running else { return };
            let batch: Vec<Noun> = if run.dial.sequential {
                run.later.pop_front().into_iter().collect()
            } else {
                std::mem::take(&mut run.later).into()
            };
            if batch.is_empty() {
                self.finish_dial(ctx);
                return;
            }
            run.waking.clear();
            let dial = run.dial.clone();
            for noun in &batch {
                self.ring(noun, &dial, ctx);
            }
            let Running::Dial(run) = &mut self.running else { return };
            if !run.children.is_empty() || run.waits() {
                ctx.timer(self.row.sid, Timer::DialRing, Duration::from_secs(u64::from(run.dial.timeout_s)));
                // Who waits for a phone that is not there yet hears that it rings.
                if run.children.is_empty() {
                    self.progress(if dial.ring_tone.is_some() { 183 } else { 180 }, ctx);
                }
                return;
            }
        }
    }

    /// Begins a child for each place the noun leads to.
    fn ring(&mut self, noun: &Noun, dial: &Dial, ctx: &mut Ctx<'_>) {
        self.notify_client(noun, ctx);
        let waking = Waking::of(noun, &self.dialler, ctx);
        match self.originate(noun, dial, ctx) {
            Ok(children) => children.into_iter().for_each(|child| self.ring_child(child, ctx)),
            // Whoever was told wakes it, or it comes by itself: it is waited for.
            Err(_) if waking.as_ref().is_some_and(Waking::is_waited_for) => {}
            Err(refusal) => {
                let cause = Cause::Stillborn(refusal.sip_code);
                self.ring_nobody(noun, dial, refusal, cause, ctx);
            }
        }
        if let Running::Dial(run) = &mut self.running {
            run.waking.extend(waking);
        }
    }

    fn ring_child(&mut self, child: Call, ctx: &mut Ctx<'_>) {
        let Running::Dial(run) = &mut self.running else { return };
        run.children.insert(child.sid(), child.leg.id);
        ctx.shared.births.push_back(child);
    }

    /// The noun leads to nobody: what became of it is on record all the same.
    fn ring_nobody(&mut self, noun: &Noun, dial: &Dial, why: Refusal, cause: Cause, ctx: &mut Ctx<'_>) {
        self.warn(why.code, why.message.clone(), ctx);
        let outcome = Outcome { status: cause.status(false), sip_code: why.sip_code, duration_s: 0 };
        let child = self.stillborn(noun, dial, why, cause, ctx);
        if let Running::Dial(run) = &mut self.running {
            run.note(child.sid(), outcome, None);
        }
        ctx.shared.births.push_back(child);
    }

    /// Whether this call rings that phone, or waits for it.
    pub(crate) fn rings_phone(&self, phone: &str) -> bool {
        if self.outbound.as_ref().is_some_and(|outbound| outbound.asleep.as_deref() == Some(phone)) {
            return true;
        }
        match &self.running {
            Running::Dial(run) => run.waking.iter().any(|waking| waking.is_of(phone)),
            _ => false,
        }
    }

    /// A phone that is being rung, or waited for, has registered: it rings where it is now, too.
    pub(crate) fn phone_registered(&mut self, phone: &str, ctx: &mut Ctx<'_>) {
        self.awake(phone, ctx);
        let Running::Dial(run) = &mut self.running else { return };
        let dial = run.dial.clone();
        let contacts = ctx.shared.endpoint.contacts_of(phone);
        let mut found = Vec::new();
        for waking in run.waking.iter_mut().filter(|waking| waking.is_of(phone)) {
            found
                .extend(waking.take_new(&contacts).into_iter().map(|contact| (waking.noun.clone(), contact)));
        }
        for (noun, contact) in found {
            if ctx.is_full() {
                return;
            }
            let child = self.callee(&noun, &dial, vec![device(phone, contact)], ctx);
            self.ring_child(child, ctx);
        }
        self.drive(ctx);
    }

    /// Nobody is waited for any more. Phones that never came are on record as not registered.
    fn let_sleep(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Dial(run) = &mut self.running else { return };
        let (dial, waking) = (run.dial.clone(), std::mem::take(&mut run.waking));
        for waking in waking.into_iter().filter(Waking::is_waited_for) {
            let in_vain = Cause::Released { timeout: true };
            self.ring_nobody(&waking.noun, &dial, waking.in_vain(), in_vain, ctx);
        }
    }

    /// The caller was answered while somebody rings or waits for it.
    pub(crate) fn dial_caller_up(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Dial(run) = &mut self.running else { return };
        if let Some((child, leg, codec)) = run.ready.take() {
            self.bridge(child, leg, codec, ctx);
        }
    }

    pub(crate) fn dial_child_ringing(
        &mut self,
        child: CallSid,
        early: Option<(LegId, CodecKind)>,
        ctx: &mut Ctx<'_>,
    ) {
        let up = self.leg.is_up();
        let Running::Dial(run) = &mut self.running else { return };
        if !run.children.contains_key(&child) || run.chosen.is_some() {
            return;
        }
        self.kept_rings(ctx);
        let Running::Dial(run) = &mut self.running else { return };
        // One callee's own sound is passed on; of several, none would be right (reference: twiml-voice §9.5).
        let single = run.dial.nouns.len() == 1 && run.children.len() == 1 && run.dial.ring_tone.is_none();
        match early {
            Some((leg, _)) if single && up && run.early.is_none() => {
                run.early = Some(leg);
                self.stop_ringback(ctx);
                ctx.media(media::Command::Bridge { a: self.leg.id, b: leg });
            }
            Some((leg, codec)) if single && !up && run.early.is_none() => {
                run.early = Some(leg);
                self.leg.near = vec![codec];
                self.progress(183, ctx);
            }
            // The document's own tone is given to a caller that is not answered yet, too.
            Some(_) | None if run.ringback => {}
            Some(_) | None if !up && run.dial.ring_tone.is_some() => self.progress(183, ctx),
            Some(_) | None if !up => self.progress(180, ctx),
            Some(_) | None => {}
        }
    }

    /// A caller that is not answered yet can hear something: the tone that the document wants.
    pub(crate) fn dial_caller_hears(&mut self, ctx: &mut Ctx<'_>) {
        if let Running::Dial(run) = &self.running
            && run.dial.ring_tone.is_some()
        {
            self.start_ringback(ctx);
        }
    }

    pub(crate) fn dial_child_answered(&mut self, child: CallSid, ctx: &mut Ctx<'_>) {
        let Running::Dial(run) = &mut self.running else { return };
        if run.chosen.is_some() || !run.children.contains_key(&child) {
            // A second one was faster than our release.
            ctx.mail(child, Mail::Release { timeout: false });
            return;
        }
        run.chosen = Some((child, ctx.now.mono));
        run.later.clear();
        run.waking.clear();
        ctx.cancel_timer(self.row.sid, Timer::DialRing);
        for other in run.children.keys().filter(|other| **other != child) {
            ctx.mail(*other, Mail::Release { timeout: false });
        }
    }

    pub(crate) fn dial_child_ready(
        &mut self,
        child: CallSid,
        leg: LegId,
        codec: CodecKind,
        ctx: &mut Ctx<'_>,
    ) {
        let up = self.leg.is_up();
        let Running::Dial(run) = &mut self.running else { return };
        if !run.has_chosen(child) {
            return;
        }
        if up {
            self.bridge(child, leg, codec, ctx);
        } else {
            run.ready = Some((child, leg, codec));
            self.leg.near = vec![codec];
            self.answer(ctx);
        }
    }

    fn bridge(&mut self, child: CallSid, leg: LegId, codec: CodecKind, ctx: &mut Ctx<'_>) {
        self.kept_answered(ctx);
        self.stop_ringback(ctx);
        let Running::Dial(run) = &mut self.running else { return };
        run.bridged = Some((child, leg, ctx.now.mono));
        let limit = Duration::from_secs(u64::from(run.dial.time_limit_s));
        ctx.timer(self.row.sid, Timer::DialLimit, limit);
        if run.early != Some(leg) {
            ctx.media(media::Command::Bridge { a: self.leg.id, b: leg });
        }
        self.trace(EventKind::Media, format!("bridged with {child}"), ctx);
        self.spare_transcoding(child, codec, ctx);
        // A caller that was not answered before had nothing that could have been recorded from the ringing on.
        self.record_dial(RECORDED, ctx);
        let Running::Dial(run) = &self.running else { return };
        if let Some((recording, since)) = run.recording {
            ctx.mail(child, Mail::Recorded { recording, since });
        }
    }

    pub(crate) fn dial_child_ended(
        &mut self,
        child: CallSid,
        outcome: Outcome,
        sip: Option<Box<DialSip>>,
        ctx: &mut Ctx<'_>,
    ) {
        if self.kept_child_over(child, Some(outcome)) {
            return;
        }
        let Running::Dial(run) = &mut self.running else { return };
        let Some(leg) = run.children.remove(&child) else { return };
        run.note(child, outcome, sip);
        if run.early == Some(leg) {
            run.early = None;
        }
        let chosen = run.has_chosen(child);
        if chosen && run.bridged.is_none() {
            // It declined in its whisper, or hung up before it was bridged.
            run.chosen = None;
            run.ready = None;
        }
        if !run.children.is_empty() || run.waits() {
            return;
        }
        match &mut self.transfer {
            // It transferred and did not wait: what is being asked for decides.
            Some(transfer) => transfer.alone = true,
            None => self.dial_next(ctx),
        }
    }

    /// A callee was sent to a document of its own: it took the call, and the dial is over without it (reference:
    /// twiml-voice §9.6).
    pub(crate) fn dial_child_left(&mut self, child: CallSid, ctx: &mut Ctx<'_>) {
        if self.kept_child_over(child, None) {
            return;
        }
        let Running::Dial(run) = &mut self.running else { return };
        if run.children.remove(&child).is_none() {
            return;
        }
        run.left = Some(child);
        run.later.clear();
        run.waking.clear();
        for other in run.children.keys() {
            ctx.mail(*other, Mail::Release { timeout: false });
        }
        if run.children.is_empty() {
            self.finish_dial(ctx);
        }
    }

    /// Lets everybody go without a word about it: the call is sent to another document.
    pub(crate) fn dial_interrupted(&mut self, ctx: &mut Ctx<'_>) {
        self.stop_ringback(ctx);
        let Running::Dial(run) = std::mem::replace(&mut self.running, Running::Nothing) else { return };
        ctx.cancel_timer(self.row.sid, Timer::DialRing);
        ctx.cancel_timer(self.row.sid, Timer::DialLimit);
        let heard = run.bridged.map(|(_, leg, _)| leg).or(run.early);
        if let (Some(b), None) = (heard, &self.ended) {
            ctx.media(media::Command::Unbridge { a: self.leg.id, b });
        }
        run.let_go(self.leg.id, ctx);
    }

    pub(crate) fn dial_ring_timeout(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Dial(run) = &mut self.running else { return };
        if run.chosen.is_some() {
            return;
        }
        for child in run.children.keys() {
            ctx.mail(*child, Mail::Release { timeout: true });
        }
        let rings = !run.children.is_empty();
        self.let_sleep(ctx);
        if !rings {
            self.dial_next(ctx);
        }
    }

    pub(crate) fn dial_limit(&mut self, ctx: &mut Ctx<'_>) {
        self.release_bridged(ctx);
    }

    pub(crate) fn dial_digit(&mut self, digit: char, ctx: &mut Ctx<'_>) {
        let Running::Dial(run) = &self.running else { return };
        if digit == '*' && run.dial.hangup_on_star {
            self.release_bridged(ctx);
        }
    }

    fn release_bridged(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Dial(run) = &self.running else { return };
        if let Some((child, _, _)) = run.bridged {
            ctx.mail(child, Mail::Release { timeout: false });
        }
    }

    /// The caller is gone: let everybody go, and say how it ended (reference: twiml-voice §2).
    pub(crate) fn dial_abandoned(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Dial(run) = &mut self.running else { return };
        let children: Vec<CallSid> = run.children.keys().copied().collect();
        for child in children {
            ctx.mail(child, Mail::Release { timeout: false });
        }
        if let (Some((child, ..)), Some((_, answered))) = (run.bridged, run.chosen) {
            // As its own record and its own callback will say.
            let duration_s = seconds(ctx.now.mono.since(answered));
            run.note(child, Outcome { status: CallStatus::Completed, sip_code: 200, duration_s }, None);
        } else if let Some(child) = run.children.keys().next().copied() {
            // Those who still rang did not answer (reference: twiml-voice §9.3, our own CANCEL).
            run.note(child, Outcome { status: CallStatus::NoAnswer, sip_code: 487, duration_s: 0 }, None);
        }
        run.later.clear();
        self.let_sleep(ctx);
        self.finish_dial(ctx);
    }

    fn finish_dial(&mut self, ctx: &mut Ctx<'_>) {
        if let Running::Dial(_) = &self.running {
            self.stop_ringback(ctx);
        }
        let Running::Dial(mut run) = std::mem::replace(&mut self.running, Running::Nothing) else { return };
        ctx.cancel_timer(self.row.sid, Timer::DialRing);
        ctx.cancel_timer(self.row.sid, Timer::DialLimit);
        if let Some((recording, _)) = run.recording {
            ctx.media(media::Command::StopRecord { leg: self.leg.id, recording });
        }
        let bridged = run.bridged.is_some();
        // One that left was answered, and what became of it is not this dial's to tell.
        if let Some(child) = run.left {
            let outcome = Outcome { status: CallStatus::Completed, sip_code: 200, duration_s: 0 };
            run.best = Some(Best { child, outcome, sip: None });
        }
        let nobody = Outcome { status: CallStatus::Failed, sip_code: 480, duration_s: 0 };
        let outcome = run.best.as_ref().map_or(nobody, |best| best.outcome);
        self.last_dial = Some(outcome);
        let status = outcome.dial_status(bridged || run.left.is_some());
        self.dialled = Some(DialOutcome {
            call_sid: run.best.as_ref().map(|best| best.child),
            status,
            duration_s: run.best.as_ref().map(|best| u64::from(best.outcome.duration_s)),
        });
        self.trace(EventKind::Decision, format!("dial: {}", status.as_str()), ctx);
        let Some(action) = run.dial.action else {
            self.skip_verb(ctx);
            return;
        };
        let recorded = |(sid, since): (RecordingSid, Mono)| {
            let ms = u64::try_from(ctx.now.mono.since(since).as_millis()).unwrap_or(u64::MAX);
            recording_facts(sid, ms, ctx)
        };
        let params = dial_params(&DialFacts {
            status,
            call_sid: run.best.as_ref().map(|best| best.child),
            duration_s: match run.left {
                Some(_) => None,
                None => run.best.as_ref().map(|best| u64::from(best.outcome.duration_s)),
            },
            bridged,
            recording: run.recording.map(recorded),
            sip: run.best.and_then(|best| best.sip).map(|sip| *sip),
            queue: None,
        });
        self.verb_done(After::Action { url: Some(action), method: run.dial.method, params }, ctx);
    }

    fn start_ringback(&mut self, ctx: &mut Ctx<'_>) {
        let country = ctx.office.media.ringback.clone();
        let Running::Dial(run) = &mut self.running else { return };
        if run.ringback || run.early.is_some() || run.bridged.is_some() {
            return;
        }
        run.ringback = true;
        let tone = Tone::Ringback { country: run.dial.ring_tone.clone().unwrap_or(country) };
        let play = ctx.next_play();
        let items = vec![PlayItem::Tone(tone)];
        ctx.media(media::Command::Play { leg: self.leg.id, play, items, repeat: 0 });
    }

    /// The tone rings until the sound is there; if it cannot be had, the tone stays.
    fn start_music(&mut self, ctx: &mut Ctx<'_>) {
        let sid = self.sid();
        let Running::Dial(run) = &mut self.running else { return };
        if let (Some(url), true) = (&run.dial.audio_url, run.ringback) {
            let play = Play { source: PlaySource::Url(url.clone()), loop_: 0 };
            run.music = Some(Prompting::begin(sid, Part::play(&play).into_iter().collect(), ctx));
        }
    }

    fn stop_ringback(&mut self, ctx: &mut Ctx<'_>) {
        let leg = self.leg.id;
        let Running::Dial(run) = &mut self.running else { return };
        run.music = None;
        if std::mem::take(&mut run.ringback) {
            ctx.media(media::Command::StopPlay { leg });
        }
    }

    /// Starts the recording of this dial if it is one of those that begin now.
    fn record_dial(&mut self, when: &[DialRecord], ctx: &mut Ctx<'_>) {
        let Running::Dial(run) = &mut self.running else { return };
        if !when.contains(&run.dial.record) || run.recording.is_some() {
            return;
        }
        let asking = asking(&run.dial, ctx);
        run.recording = Some((asking.sid, ctx.now.mono));
        self.start_recording(asking, ctx);
    }

    /// The callee whose early sound the caller is to hear.
    pub(crate) fn dial_early(&self) -> Option<LegId> {
        match &self.running {
            Running::Dial(run) => run.early(),
            _ => None,
        }
    }

    /// A provisional response to a caller that is not answered yet.
    pub(crate) fn progress(&mut self, code: u16, ctx: &mut Ctx<'_>) {
        if self.leg.side != Side::Called || self.leg.is_up() {
            return;
        }
        if code == 183 {
            self.answer_early(ctx);
        } else {
            ctx.sip(sip::Command::Progress { session: self.leg.session, code, body: None });
        }
    }
}

impl DialRun {
    /// Whether a phone that is not there is waited for.
    fn waits(&self) -> bool {
        self.waking.iter().any(Waking::is_waited_for)
    }

    fn has_chosen(&self, child: CallSid) -> bool {
        self.chosen.is_some_and(|(chosen, _)| chosen == child)
    }

    /// Remembers the more telling of two outcomes; what became of the bridged callee says most.
    fn note(&mut self, child: CallSid, outcome: Outcome, sip: Option<Box<DialSip>>) {
        let bridged = self.bridged.is_some_and(|(bridged, _, _)| bridged == child);
        if let (Some(best), false) = (&self.best, bridged) {
            let so_far = best.outcome.dial_status(false);
            if so_far.or_better(outcome.dial_status(false)) == so_far {
                return;
            }
        }
        self.best = Some(Best { child, outcome, sip });
    }
}

/// Every kind of dial that is recorded.
const RECORDED: &[DialRecord] = &[
    DialRecord::RecordFromAnswer,
    DialRecord::RecordFromAnswerDual,
    DialRecord::RecordFromRinging,
    DialRecord::RecordFromRingingDual,
];

/// The recording a dial asks for.
pub(crate) fn asking(dial: &Dial, ctx: &mut Ctx<'_>) -> Asking {
    Asking {
        sid: RecordingSid::random(&mut ctx.shared.rng),
        source: RecordingSource::DialVerb,
        what: recorded(dial),
        beep: false,
        max_ms: match dial.record_max_length_s {
            0 => u64::from(dial.time_limit_s) * 1_000,
            seconds => u64::from(seconds) * 1_000,
        },
        silence_ms: 0,
        trim: dial.trim,
        callback: dial.recording_status_callback.clone(),
    }
}

/// Which voices a dial's recording has, and in how many channels; one voice has one.
pub(crate) fn recorded(dial: &Dial) -> RecordWhat {
    match (dial.recording_track, dial.record) {
        (RecordingTrack::Inbound, _) => RecordWhat::Received,
        (RecordingTrack::Outbound, _) => RecordWhat::Sent,
        (RecordingTrack::Both, DialRecord::RecordFromAnswerDual | DialRecord::RecordFromRingingDual) => {
            RecordWhat::Dual
        }
        (RecordingTrack::Both, _) => RecordWhat::Both,
    }
}
