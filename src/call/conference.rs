//! One conference: who is in it, whether it has begun, who hears whom, and what its status callback is told
//! (reference: twiml-voice §10.4, webhooks §4.3).
//!
//! ```text
//!  ──first joins, or is called──▶ init ──two are there, one of them with startConferenceOnEnter──▶ in progress
//!                                  │                                                               │
//!                                  └── empty, somebody with endConferenceOnExit left, API ─────────┴──▶ gone
//! ```
//! Here is only what is known; the calls in it do what follows ([`crate::conference_dial`]).

use std::collections::BTreeMap;

use base::{AccountSid, CallSid, ConferenceSid, Timestamp};
use media::{LegId, Member, RoomId};
use serde::{Deserialize, Serialize};
use twiml::{
    ConferenceEvent, ConferenceFacts, ConferenceNews, ConferenceNoun, ConferenceStatusCallback, HttpMethod,
    RecordingStatusCallback, conference_params,
};

use crate::participant::{Hears, Participant, ParticipantRef};
use crate::record::{ConferenceRow, ConferenceStatus};

/// One that is not over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Conference {
    pub(crate) sid: ConferenceSid,
    pub(crate) name: String,
    pub(crate) room: RoomId,
    created: Timestamp,
    updated: Timestamp,
    pub(crate) in_progress: bool,
    /// As whoever was called first asked for it.
    pub(crate) region: Option<String>,
    participants_max: u32,
    /// That of whom it began with; what others name does not count (reference: twiml-voice §10.4).
    pub(crate) callback: Option<ConferenceStatusCallback>,
    sequence: u32,
    pub(crate) members: BTreeMap<CallSid, Participant>,
    /// Those who are called to come.
    pub(crate) invited: BTreeMap<CallSid, Invited>,
    /// Something is said to all of them.
    pub(crate) announcing: bool,
    /// The first one's that wants it, until it begins.
    to_record: Option<ToRecord>,
    recorded: bool,
}

/// Somebody who is called to come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Invited {
    pub(crate) participant: Participant,
    /// What its network says before it answers is heard in the room.
    pub(crate) early: bool,
}

/// How a conference is recorded as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ToRecord {
    pub(crate) trim: bool,
    pub(crate) beep: bool,
    /// Milliseconds; `None`: as long as the conference.
    pub(crate) ms_max: Option<u64>,
    pub(crate) callback: Option<RecordingStatusCallback>,
}

/// When and for whom something happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) account_sid: AccountSid,
    pub(crate) at: Timestamp,
}

/// Something to be told to a status callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// Whose letters are delivered in their order.
    pub(crate) conference: ConferenceSid,
    pub(crate) url: String,
    pub(crate) method: HttpMethod,
    pub(crate) params: Vec<(String, String)>,
}

/// What a new conference is called inside the box.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fresh {
    pub(crate) sid: ConferenceSid,
    pub(crate) room: RoomId,
}

/// Why somebody is not let in, or may not take part like that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConferenceFault {
    /// As many are in it as may be.
    Full,
    /// The box has as many conferences as it may have.
    TooMany,
    /// Somebody in it has this label.
    LabelInUse,
    /// Whom it is to coach is not in it.
    NobodyToCoach,
    /// Whom it is to coach is on hold.
    CoachedOnHold,
}

impl ConferenceFault {
    /// The published number in a document.
    pub(crate) fn code(self) -> u32 {
        match self {
            ConferenceFault::Full => 16020,
            ConferenceFault::TooMany => 16021,
            ConferenceFault::LabelInUse => 16025,
            ConferenceFault::NobodyToCoach => 13240,
            ConferenceFault::CoachedOnHold => 16027,
        }
    }
}

/// Somebody is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) sid: ConferenceSid,
    pub(crate) room: RoomId,
    pub(crate) member: Member,
    /// The others, when the conference begins with this one.
    pub(crate) begins_for: Vec<CallSid>,
    /// Those in the conference are to hear that somebody came.
    pub(crate) beep: bool,
    /// The conference is to be recorded from now on.
    pub(crate) record: Option<ToRecord>,
    pub(crate) letters: Vec<Letter>,
    /// If there is anything new in it.
    pub(crate) row: Option<ConferenceRow>,
}

impl Conference {
    pub(crate) fn new(noun: &ConferenceNoun, fresh: Fresh, moment: Moment) -> Self {
        Self {
            sid: fresh.sid,
            name: noun.name.clone(),
            room: fresh.room,
            created: moment.at,
            updated: moment.at,
            in_progress: false,
            region: None,
            participants_max: noun.max_participants,
            callback: noun.status_callback.clone(),
            sequence: 0,
            members: BTreeMap::new(),
            invited: BTreeMap::new(),
            announcing: false,
            to_record: None,
            recorded: false,
        }
    }

    pub(crate) fn row(&self) -> ConferenceRow {
        ConferenceRow {
            sid: self.sid,
            name: self.name.clone(),
            status: self.status(),
            created: self.created,
            updated: self.updated,
            ended_why: None,
            ended_by: None,
            region: self.region.clone(),
        }
    }

    /// The call of somebody who is in it or called to come.
    pub(crate) fn who(&self, which: &ParticipantRef) -> Option<CallSid> {
        let mut all = self.members.iter().map(|(call, one)| (*call, one)).chain(self.called());
        all.find(|(call, one)| match which {
            ParticipantRef::Call(sid) => call == sid,
            ParticipantRef::Label(label) => one.facts.label.as_ref() == Some(label),
        })
        .map(|(call, _)| call)
    }

    fn called(&self) -> impl Iterator<Item = (CallSid, &Participant)> {
        self.invited.iter().map(|(call, one)| (*call, &one.participant))
    }

    pub(crate) fn status(&self) -> ConferenceStatus {
        if self.in_progress { ConferenceStatus::InProgress } else { ConferenceStatus::Init }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.invited.is_empty()
    }

    pub(crate) fn admits(
        &self,
        noun: &ConferenceNoun,
        call: CallSid,
        there: usize,
    ) -> Result<(), ConferenceFault> {
        let max = self.participants_max.min(noun.max_participants);
        let mut others = self
            .members
            .iter()
            .map(|(call, one)| (*call, one))
            .chain(self.called())
            .filter(|(c, _)| *c != call);
        let has_label = |one: &Participant| one.facts.label.is_some() && one.facts.label == noun.label;
        if there >= usize::try_from(max).unwrap_or(usize::MAX) {
            Err(ConferenceFault::Full)
        } else if others.any(|(_, one)| has_label(one)) {
            Err(ConferenceFault::LabelInUse)
        } else if noun.coach.is_some_and(|coach| !self.members.contains_key(&coach)) {
            Err(ConferenceFault::NobodyToCoach)
        } else {
            Ok(())
        }
    }

    /// Whether `call` may coach this one (reference: error-codes 16027, 16028).
    pub(crate) fn can_be_coached(&self, coached: CallSid, call: CallSid) -> Result<(), ConferenceFault> {
        match self.members.get(&coached).filter(|_| coached != call) {
            None => Err(ConferenceFault::NobodyToCoach),
            Some(one) if one.facts.hold => Err(ConferenceFault::CoachedOnHold),
            Some(_) => Ok(()),
        }
    }

    pub(crate) fn let_in(
        &mut self,
        noun: &ConferenceNoun,
        call: CallSid,
        leg: LegId,
        moment: Moment,
    ) -> Joined {
        if noun.record && !self.recorded && self.to_record.is_none() {
            let callback = noun.recording_status_callback.clone();
            let ms_max = noun.record_s_max.map(|seconds| u64::from(seconds) * 1_000);
            self.to_record = Some(ToRecord { trim: noun.trim, beep: noun.record_beep, ms_max, callback });
        }
        let participant = match self.invited.remove(&call) {
            // It may have been changed while it was called.
            Some(invited) => Participant { leg, updated: moment.at, ..invited.participant },
            None => Participant::new(noun, call, leg, moment.at),
        };
        let (facts, beep) = (participant.facts.clone(), participant.beep);
        let others: Vec<CallSid> = self.members.keys().copied().collect();
        self.members.insert(call, participant);
        let mut letters = Vec::from_iter(self.tell(&ConferenceNews::Join(facts), moment));
        let begins = !self.in_progress
            && self.members.len() >= 2
            && self.members.values().any(|one| one.facts.start_on_enter);
        if begins {
            self.in_progress = true;
            self.updated = moment.at;
            letters.extend(self.tell(&ConferenceNews::Start, moment));
        }
        Joined {
            sid: self.sid,
            room: self.room,
            member: self.member(call).unwrap_or_default(),
            begins_for: if begins { others } else { Vec::new() },
            beep: beep.on_enter() && self.in_progress,
            record: self.begin_recording(),
            letters,
            row: None,
        }
    }

    /// Once, as soon as there is something to record.
    fn begin_recording(&mut self) -> Option<ToRecord> {
        let wanted = if self.in_progress { self.to_record.take() } else { None };
        self.recorded |= wanted.is_some();
        wanted
    }

    /// Until the conference is in progress everybody is on hold.
    pub(crate) fn member(&self, call: CallSid) -> Option<Member> {
        let facts = &self.members.get(&call)?.facts;
        let coached = facts.coaches.and_then(|coached| self.members.get(&coached));
        Some(Member {
            // Whose pupil has left has nobody to talk to.
            muted: facts.muted || (facts.coaches.is_some() && coached.is_none()) || !self.may_talk(),
            on_hold: self.hears(call) != Some(Hears::Conference),
            coaches: coached.map(|coached| coached.leg),
            tells_speech: self
                .callback
                .as_ref()
                .is_some_and(|c| c.events.contains(&ConferenceEvent::Speaker)),
            delay_ms_max: self.members.get(&call)?.jitter_buffer.ms_max(),
            ..Member::default()
        })
    }

    /// Those who wait and only hear an announcement do not hear each other.
    fn may_talk(&self) -> bool {
        self.in_progress || !self.announcing
    }

    /// Who waits alone, and not for a moderator, hears how it goes with those who are called; all who wait hear what
    /// is announced.
    pub(crate) fn hears(&self, call: CallSid) -> Option<Hears> {
        let one = self.members.get(&call)?;
        let rings = self.members.len() == 1 && self.invited.values().any(|one| one.early);
        Some(if one.facts.hold {
            Hears::Hold(one.hold.clone())
        } else if self.in_progress || self.announcing || (rings && one.facts.start_on_enter) {
            Hears::Conference
        } else {
            Hears::Waiting(one.wait.clone())
        })
    }

    /// Counts an event, and writes it down if somebody wants to know.
    pub(crate) fn tell(&mut self, news: &ConferenceNews, moment: Moment) -> Option<Letter> {
        self.sequence = self.sequence.saturating_add(1);
        let callback = self.callback.as_ref().filter(|callback| callback.events.contains(&news.event()))?;
        let facts = ConferenceFacts {
            account_sid: moment.account_sid,
            conference_sid: self.sid,
            name: self.name.clone(),
            sequence: self.sequence,
            at: moment.at,
        };
        let params = conference_params(&facts, news);
        Some(Letter { conference: self.sid, url: callback.url.clone(), method: callback.method, params })
    }
}
