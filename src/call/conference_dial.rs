//! `<Dial><Conference>`: a call's part in a conference (reference: twiml-voice §10.4).
//!
//! ```text
//! joined ──conference begins──▶ in it ──hang-up, *, timeLimit, API──▶ out ──▶ action or the next verb
//!    └────────────── on hold, hearing music ──────────────────────────▲
//! ```
//! What a conference is stands in [`crate::conference`]; what is heard until it begins in
//! [`crate::wait`]. The others in a conference learn by mail that it began or is over.

use std::time::Duration;

use base::{CallSid, ConferenceSid, Mono, RecordingSid};
use media::{PlayItem, RoomId, Tone};
use twiml::{
    After, ConferenceNoun, Dial, DialCallStatus, DialFacts, DialRecord, Finding, ParticipantLeft, dial_params,
};

use crate::call::{Call, Running};
use crate::conference::{ConferenceFault, Fresh, Letter, Moment};
use crate::conference_announce::fall_silent;
use crate::conferences::Left;
use crate::ctx::{Asked, Ctx, Mail};
use crate::dial::recorded;
use crate::outcome::Cause;
use crate::participant::Hears;
use crate::record::{EventKind, RecordingSource, StoreItem};
use crate::record_verb::{Asking, recording_facts};
use crate::timers::Timer;

/// A call's part in a conference.
#[derive(Clone, Debug)]
pub(crate) struct ConferenceRun {
    dial: Dial,
    name: String,
    pub(crate) sid: ConferenceSid,
    /// It was in progress while this call was there.
    begun: bool,
    /// What it hears, announcements aside.
    pub(crate) hears: Hears,
    /// The document it alone hears at the moment.
    pub(crate) announcement: Option<String>,
    recording: Option<(RecordingSid, Mono)>,
}

impl Call {
    pub(crate) fn begin_conference(&mut self, dial: Dial, noun: &ConferenceNoun, ctx: &mut Ctx<'_>) {
        let fresh = Fresh { sid: ConferenceSid::random(&mut ctx.shared.rng), room: RoomId(ctx.next_id()) };
        let (sid, leg, moment) = (self.sid(), self.leg.id, moment(ctx));
        let joined = match ctx.shared.conferences.join(noun, sid, leg, fresh, moment) {
            Ok(joined) => joined,
            Err(refused) => {
                self.stay_away(ParticipantLeft::ParticipantAddFailed, ctx);
                let about = match &noun.label {
                    Some(label) if refused == ConferenceFault::LabelInUse => label,
                    _ => &noun.name,
                };
                self.conference_refused(&dial, about, refused, ctx);
                return;
            }
        };
        self.come_in(joined.sid, ctx);
        let limit = Duration::from_secs(u64::from(dial.time_limit_s));
        ctx.timer(sid, Timer::DialLimit, limit);
        ctx.media(media::Command::Join { leg, room: joined.room, member: joined.member });
        self.trace(EventKind::Media, format!("joined conference {:?} ({})", noun.name, joined.sid), ctx);
        let begun = !joined.begins_for.is_empty() || ctx.shared.conferences.is_in_progress(joined.sid);
        if !joined.begins_for.is_empty() {
            self.trace(EventKind::Media, "conference started".to_owned(), ctx);
        }
        for other in &joined.begins_for {
            ctx.mail(*other, Mail::ConferenceStarted(joined.sid));
        }
        if joined.beep {
            beep(joined.room, ctx);
        }
        send(sid, joined.letters, ctx);
        joined.row.into_iter().for_each(|row| ctx.store(StoreItem::Conference(row)));
        if let Some(wanted) = joined.record {
            if wanted.beep {
                beep(joined.room, ctx);
            }
            self.record_conference(joined.sid, wanted, ctx);
        }
        let recording = self.record_part(&dial, ctx);
        let (name, sid) = (noun.name.clone(), joined.sid);
        let (hears, announcement) = (Hears::Conference, None);
        let run = ConferenceRun { dial, name, sid, begun, hears, announcement, recording };
        self.running = Running::Conference(Box::new(run));
        self.hear_conference(ctx);
    }

    fn conference_refused(&mut self, dial: &Dial, about: &str, refused: ConferenceFault, ctx: &mut Ctx<'_>) {
        self.notify(&Finding::unplaced(refused.code(), &format!("{about:?}")), None, ctx);
        if refused == ConferenceFault::LabelInUse {
            self.skip_verb(ctx);
        } else {
            self.conference_dial_over(dial, DialCallStatus::Failed, false, None, ctx);
        }
    }

    /// The conference this call is in began.
    pub(crate) fn conference_started(&mut self, sid: ConferenceSid, ctx: &mut Ctx<'_>) {
        let Running::Conference(run) = &mut self.running else { return };
        if run.sid == sid {
            run.begun = true;
            self.trace(EventKind::Media, "conference started".to_owned(), ctx);
            self.take_part(ctx);
        }
    }

    /// The conference this call was in is over, or the one it was made for.
    pub(crate) fn conference_over(&mut self, sid: ConferenceSid, ctx: &mut Ctx<'_>) {
        if self.is_called_into(sid) {
            self.end(Cause::Operator, ctx);
            return;
        }
        if matches!(&self.running, Running::Conference(run) if run.sid == sid) {
            self.leave_conference(DialCallStatus::Answered, ParticipantLeft::ModeratorEndedConference, ctx);
        }
    }

    pub(crate) fn conference_digit(&mut self, digit: char, ctx: &mut Ctx<'_>) {
        let Running::Conference(run) = &self.running else { return };
        if digit == '*' && run.dial.hangup_on_star {
            self.leave_conference(DialCallStatus::Answered, ParticipantLeft::ParticipantHungUp, ctx);
        }
    }

    /// `<Dial timeLimit>`, or the call is over: out.
    pub(crate) fn conference_left(&mut self, ctx: &mut Ctx<'_>) {
        self.leave_conference(DialCallStatus::Answered, ParticipantLeft::ParticipantHungUp, ctx);
    }

    /// The API removes it.
    pub(crate) fn kicked(&mut self, ctx: &mut Ctx<'_>) {
        let why = ParticipantLeft::ParticipantUpdatedViaApi;
        self.leave_conference(DialCallStatus::Answered, why, ctx);
    }

    /// What is to be heard until it begins cannot be had (reference: twiml-voice §10.4).
    pub(crate) fn conference_failed(&mut self, ctx: &mut Ctx<'_>) {
        self.leave_conference(DialCallStatus::Failed, ParticipantLeft::ParticipantAddFailed, ctx);
    }

    /// This call begins to speak in its conference, or has stopped.
    pub(crate) fn on_speaking(&mut self, began: bool, ctx: &mut Ctx<'_>) {
        let Running::Conference(run) = &self.running else { return };
        let (call, moment) = (self.sid(), moment(ctx));
        let letter = ctx.shared.conferences.spoke(run.sid, call, began, moment);
        send(call, Vec::from_iter(letter), ctx);
    }

    /// Out of the conference: the call is sent to another document.
    pub(crate) fn conference_interrupted(&mut self, ctx: &mut Ctx<'_>) {
        self.get_out(ParticipantLeft::ParticipantUpdatedViaApi, ctx);
    }

    /// Out of the conference; then the action, or the next verb.
    fn leave_conference(&mut self, status: DialCallStatus, why: ParticipantLeft, ctx: &mut Ctx<'_>) {
        if let Some(run) = self.get_out(why, ctx) {
            self.conference_dial_over(&run.dial, status, run.begun, run.recording, ctx);
        }
    }

    fn get_out(&mut self, why: ParticipantLeft, ctx: &mut Ctx<'_>) -> Option<Box<ConferenceRun>> {
        self.stop_waiting(ctx);
        let Running::Conference(run) = std::mem::replace(&mut self.running, Running::Nothing) else {
            return None;
        };
        let (call, leg) = (self.sid(), self.leg.id);
        ctx.cancel_timer(call, Timer::DialLimit);
        if let Some((recording, _)) = run.recording {
            ctx.media(media::Command::StopRecord { leg, recording });
        }
        // A closed leg has left already.
        if self.ended.is_none() {
            ctx.media(media::Command::Leave { leg });
        }
        let (state, moment) = (self.facts.status, moment(ctx));
        if let Some(left) = ctx.shared.conferences.leave(run.sid, call, state, why, moment) {
            spread(call, run.sid, left, ctx);
        }
        self.trace(EventKind::Media, format!("left conference {:?} ({})", run.name, run.sid), ctx);
        Some(run)
    }

    fn conference_dial_over(
        &mut self,
        dial: &Dial,
        status: DialCallStatus,
        bridged: bool,
        recording: Option<(RecordingSid, Mono)>,
        ctx: &mut Ctx<'_>,
    ) {
        self.trace(EventKind::Decision, format!("dial: {}", status.as_str()), ctx);
        let Some(action) = dial.action.clone() else {
            self.skip_verb(ctx);
            return;
        };
        let recorded = |(sid, since): (RecordingSid, Mono)| {
            let ms = u64::try_from(ctx.now.mono.since(since).as_millis()).unwrap_or(u64::MAX);
            recording_facts(sid, ms, ctx)
        };
        let recording = recording.map(recorded);
        let (call_sid, duration_s, sip, queue) = (None, None, None, None);
        let params = dial_params(&DialFacts { status, call_sid, duration_s, bridged, recording, sip, queue });
        self.verb_done(After::Action { url: Some(action), method: dial.method, params }, ctx);
    }

    /// `<Dial record>` where nobody is dialled: what this call says and hears.
    pub(crate) fn record_part(&mut self, dial: &Dial, ctx: &mut Ctx<'_>) -> Option<(RecordingSid, Mono)> {
        if dial.record == DialRecord::DoNotRecord {
            return None;
        }
        let sid = RecordingSid::random(&mut ctx.shared.rng);
        let asking = Asking {
            sid,
            source: RecordingSource::DialVerb,
            what: recorded(dial),
            beep: false,
            max_ms: u64::from(dial.time_limit_s) * 1_000,
            silence_ms: 0,
            trim: dial.trim,
            callback: dial.recording_status_callback.clone(),
        };
        self.start_recording(asking, ctx).then_some((sid, ctx.now.mono))
    }
}

/// What follows for the others when somebody left. `by` is whose requests the letters are among.
pub(crate) fn spread(by: CallSid, sid: ConferenceSid, left: Left, ctx: &mut Ctx<'_>) {
    for other in left.over_for {
        ctx.mail(other, Mail::ConferenceOver(sid));
    }
    for other in left.changed_for {
        ctx.mail(other, Mail::ConferenceChanged(sid));
    }
    if let Some(row) = left.row {
        ctx.store(StoreItem::Conference(row));
        fall_silent(sid, ctx);
    }
    if let Some(room) = left.beep {
        beep(room, ctx);
    }
    send(by, left.letters, ctx);
}

fn beep(room: RoomId, ctx: &mut Ctx<'_>) {
    let items = vec![PlayItem::Tone(Tone::Beep)];
    ctx.media(media::Command::Announce { room, play: None, items, repeat: 1 });
}

pub(crate) fn send(call: CallSid, letters: Vec<Letter>, ctx: &mut Ctx<'_>) {
    for letter in letters {
        ctx.fetch(
            call,
            Asked::ConferenceCallback(letter.conference),
            letter.url,
            letter.method,
            letter.params,
        );
    }
}

pub(crate) fn moment(ctx: &Ctx<'_>) -> Moment {
    Moment { account_sid: ctx.office.account_sid, at: ctx.now.wall }
}
