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
use serde::{Deserialize, Serialize};
use twiml::{
    After, ConferenceNoun, Context, Dial, DialCallStatus, DialFacts, DialRecord, Finding, ParticipantLeft,
    dial_params,
};

use crate::call::{Call, Running};
use crate::conference::{Change, Fresh, Left, Letter, Moment, Refused};
use crate::ctx::{Asked, Ctx, Mail};
use crate::dial::recorded;
use crate::record::{EventKind, RecordingSource};
use crate::record_verb::{Asking, recording_facts};
use crate::timers::Timer;

/// A call's part in a conference.
#[derive(Clone, Debug)]
pub(crate) struct ConferenceRun {
    dial: Dial,
    name: String,
    sid: ConferenceSid,
    /// It was in progress while this call was there.
    begun: bool,
    recording: Option<(RecordingSid, Mono)>,
}

/// What an operator or the API may do to somebody in a conference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParticipantChange {
    /// Is not heard any more, or again.
    Mute(bool),
    /// Hears music instead of the others, or the others again.
    Hold(bool),
    /// Leaves; its document goes on.
    Remove,
}

impl Call {
    pub(crate) fn begin_conference(&mut self, dial: Dial, noun: &ConferenceNoun, ctx: &mut Ctx<'_>) {
        let fresh = Fresh { sid: ConferenceSid::random(&mut ctx.shared.rng), room: RoomId(ctx.next_id()) };
        let (sid, leg, moment) = (self.sid(), self.leg.id, moment(ctx));
        let joined = match ctx.shared.conferences.join(noun, sid, leg, fresh, moment) {
            Ok(joined) => joined,
            Err(refused) => {
                self.conference_refused(&dial, &noun.name, refused, ctx);
                return;
            }
        };
        let limit = Duration::from_secs(u64::from(dial.time_limit_s));
        ctx.timer(sid, Timer::DialLimit, limit);
        ctx.media(media::Command::Join { leg, room: joined.room, member: joined.member });
        self.trace(EventKind::Media, format!("joined conference {:?} ({})", noun.name, joined.sid), ctx);
        let begun = !joined.member.on_hold;
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
        if let Some(wanted) = joined.record {
            self.record_conference(joined.sid, wanted, ctx);
        }
        let recording = self.record_part(&dial, ctx);
        let (name, sid) = (noun.name.clone(), joined.sid);
        self.running = Running::Conference(Box::new(ConferenceRun { dial, name, sid, begun, recording }));
        if !begun {
            self.begin_wait(noun.wait_url.clone(), noun.wait_method, Context::ConferenceWait, ctx);
        }
    }

    fn conference_refused(&mut self, dial: &Dial, name: &str, refused: Refused, ctx: &mut Ctx<'_>) {
        self.notify(&Finding::unplaced(refused.code(), &format!("{name:?}")), None, ctx);
        if refused == Refused::LabelInUse {
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

    /// The conference this call was in is over.
    pub(crate) fn conference_over(&mut self, sid: ConferenceSid, ctx: &mut Ctx<'_>) {
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

    /// Somebody decides about this call's part; false when it is in no conference.
    pub(crate) fn change_participant(&mut self, change: ParticipantChange, ctx: &mut Ctx<'_>) -> bool {
        let Running::Conference(run) = &self.running else { return false };
        let change = match change {
            ParticipantChange::Mute(muted) => Change::Mute(muted),
            ParticipantChange::Hold(hold) => Change::Hold(hold),
            ParticipantChange::Remove => {
                let why = ParticipantLeft::ParticipantUpdatedViaApi;
                self.leave_conference(DialCallStatus::Answered, why, ctx);
                self.drive(ctx);
                return true;
            }
        };
        let (call, sid, moment) = (self.sid(), run.sid, moment(ctx));
        let letters = ctx.shared.conferences.change(sid, call, change, moment);
        send(call, letters.unwrap_or_default(), ctx);
        self.take_part(ctx);
        self.drive(ctx);
        true
    }

    /// Gives the media plane what the conference says about this member, and music to whoever is on hold.
    fn take_part(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Conference(run) = &self.running else { return };
        let Some(member) = ctx.shared.conferences.member(run.sid, self.row.sid) else { return };
        let waits = self.wait.is_some();
        ctx.media(media::Command::ChangeMember { leg: self.leg.id, member });
        if member.on_hold && !waits {
            self.begin_wait(None, twiml::HttpMethod::Post, Context::ConferenceWait, ctx);
        } else if !member.on_hold {
            self.stop_waiting(ctx);
        }
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

/// Ends a conference for everybody in it; false when there is none.
pub(crate) fn end_conference(sid: ConferenceSid, ctx: &mut Ctx<'_>) -> bool {
    let moment = moment(ctx);
    let Some(left) = ctx.shared.conferences.end(sid, moment) else { return false };
    let first = left.over_for.first().copied().unwrap_or(CallSid(0));
    spread(first, sid, left, ctx);
    true
}

/// What follows for the others when somebody left. `by` is whose requests the letters are among.
fn spread(by: CallSid, sid: ConferenceSid, left: Left, ctx: &mut Ctx<'_>) {
    for other in left.over_for {
        ctx.mail(other, Mail::ConferenceOver(sid));
    }
    if let Some(room) = left.beep {
        beep(room, ctx);
    }
    send(by, left.letters, ctx);
}

fn beep(room: RoomId, ctx: &mut Ctx<'_>) {
    ctx.media(media::Command::Announce { room, items: vec![PlayItem::Tone(Tone::Beep)] });
}

fn send(call: CallSid, letters: Vec<Letter>, ctx: &mut Ctx<'_>) {
    for letter in letters {
        ctx.fetch(call, Asked::ConferenceCallback, letter.url, letter.method, letter.params);
    }
}

fn moment(ctx: &Ctx<'_>) -> Moment {
    Moment { account_sid: ctx.office.account_sid, at: ctx.now.wall }
}
