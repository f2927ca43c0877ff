//! Conferences: who is in which, whether it has begun, and what its status callback is told
//! (reference: twiml-voice §10.4, webhooks §4.3).
//!
//! ```text
//!  ──first joins──▶ init ──two are there, one of them with startConferenceOnEnter──▶ in progress
//!                    │                                                               │
//!                    └── empty, somebody with endConferenceOnExit left, API ─────────┴──▶ gone
//! ```
//! Here is only what is known; the calls in it do what follows ([`crate::conference_dial`]). A conference that
//! is over is forgotten at once, so that its name can begin another.

use std::collections::BTreeMap;

use base::{AccountSid, CallSid, ConferenceSid, Timestamp};
use media::{LegId, Member, RoomId};
use serde::{Deserialize, Serialize};
use twiml::{
    Beep, CallStatus, ConferenceEnd, ConferenceEvent, ConferenceFacts, ConferenceNews, ConferenceNoun,
    ConferenceStatusCallback, HttpMethod, ParticipantFacts, ParticipantLeft, RecordingStatusCallback,
    conference_params,
};

/// Conferences at once; a further one is refused (16021).
const CONFERENCES_MAX: usize = 1_000;

/// All conferences of the box. None is without a member.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Conferences {
    open: BTreeMap<ConferenceSid, Conference>,
    names: BTreeMap<String, ConferenceSid>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Conference {
    sid: ConferenceSid,
    name: String,
    room: RoomId,
    in_progress: bool,
    participants_max: u32,
    /// The first one's that named one.
    callback: Option<ConferenceStatusCallback>,
    sequence: u32,
    members: BTreeMap<CallSid, Participant>,
    /// The first one's that wants it, until it begins.
    to_record: Option<ToRecord>,
    recorded: bool,
}

/// How a conference is recorded as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ToRecord {
    pub(crate) trim: bool,
    pub(crate) callback: Option<RecordingStatusCallback>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Participant {
    facts: ParticipantFacts,
    leg: LegId,
    beep: Beep,
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

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    TooMany,
    LabelInUse,
    NobodyToCoach,
}

impl Refused {
    /// The published number.
    pub(crate) fn code(self) -> u32 {
        match self {
            Refused::Full => 16020,
            Refused::TooMany => 16021,
            Refused::LabelInUse => 16025,
            Refused::NobodyToCoach => 13240,
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
}

/// Somebody is out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// Those whose conference is over with it.
    pub(crate) over_for: Vec<CallSid>,
    /// Where it is to be heard that somebody left.
    pub(crate) beep: Option<RoomId>,
    pub(crate) letters: Vec<Letter>,
}

/// What can be changed about a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    Mute(bool),
    Hold(bool),
}

impl Conferences {
    /// Lets a call into the conference of that name, which `fresh` becomes if there is none.
    pub(crate) fn join(
        &mut self,
        noun: &ConferenceNoun,
        call: CallSid,
        leg: LegId,
        fresh: Fresh,
        moment: Moment,
    ) -> Result<Joined, Refused> {
        let there = self.names.get(&noun.name).and_then(|sid| self.open.get(sid));
        match there {
            Some(there) => there.admits(noun)?,
            None if self.open.len() >= CONFERENCES_MAX => return Err(Refused::TooMany),
            None if noun.coach.is_some() => return Err(Refused::NobodyToCoach),
            None => {}
        }
        let sid = *self.names.entry(noun.name.clone()).or_insert(fresh.sid);
        let conference = self.open.entry(sid).or_insert_with(|| Conference::new(noun, fresh));
        Ok(conference.let_in(noun, call, leg, moment))
    }

    /// Takes a call out; `None` when it is not in that conference (any more).
    pub(crate) fn leave(
        &mut self,
        sid: ConferenceSid,
        call: CallSid,
        status: CallStatus,
        why: ParticipantLeft,
        moment: Moment,
    ) -> Option<Left> {
        let conference = self.open.get_mut(&sid)?;
        let gone = conference.members.remove(&call)?;
        let by = Some((call, gone.facts.label.clone()));
        let (end_on_exit, beep) = (gone.facts.end_on_exit, gone.beep.on_exit() && conference.in_progress);
        let news = ConferenceNews::Leave { participant: gone.facts, status, why };
        let mut letters = Vec::from_iter(conference.tell(&news, moment));
        let kicked = why == ParticipantLeft::ParticipantUpdatedViaApi;
        let end = match (end_on_exit, kicked) {
            (true, false) => ConferenceEnd::ParticipantWithEndConferenceOnExitLeft,
            (true, true) => ConferenceEnd::ParticipantWithEndConferenceOnExitKicked,
            (false, false) => ConferenceEnd::LastParticipantLeft,
            (false, true) => ConferenceEnd::LastParticipantKicked,
        };
        if !end_on_exit && !conference.members.is_empty() {
            return Some(Left { over_for: Vec::new(), beep: beep.then_some(conference.room), letters });
        }
        let news = ConferenceNews::End { by, why: end };
        let (over_for, rest) = self.close(sid, ParticipantLeft::ModeratorEndedConference, &news, moment);
        letters.extend(rest);
        Some(Left { over_for, beep: None, letters })
    }

    /// Ends a conference for everybody in it; `None` when there is no such conference.
    pub(crate) fn end(&mut self, sid: ConferenceSid, moment: Moment) -> Option<Left> {
        self.open.get(&sid)?;
        let news = ConferenceNews::End { by: None, why: ConferenceEnd::ConferenceEndedViaApi };
        let (over_for, letters) = self.close(sid, ParticipantLeft::ConferenceEndedViaApi, &news, moment);
        Some(Left { over_for, beep: None, letters })
    }

    /// Changes how a call takes part; `None` when it is not there.
    pub(crate) fn change(
        &mut self,
        sid: ConferenceSid,
        call: CallSid,
        change: Change,
        moment: Moment,
    ) -> Option<Vec<Letter>> {
        let conference = self.open.get_mut(&sid)?;
        let facts = &mut conference.members.get_mut(&call)?.facts;
        let before = facts.clone();
        let news = match change {
            Change::Mute(muted) => {
                facts.muted = muted;
                ConferenceNews::Mute(facts.clone())
            }
            Change::Hold(hold) => {
                facts.hold = hold;
                ConferenceNews::Hold(facts.clone())
            }
        };
        let changed = *facts != before;
        Some(if changed { Vec::from_iter(conference.tell(&news, moment)) } else { Vec::new() })
    }

    /// Somebody began to speak or has stopped.
    pub(crate) fn spoke(
        &mut self,
        sid: ConferenceSid,
        call: CallSid,
        began: bool,
        moment: Moment,
    ) -> Option<Letter> {
        let conference = self.open.get_mut(&sid)?;
        let participant = conference.members.get(&call)?.facts.clone();
        conference.tell(&ConferenceNews::Speech { participant, began }, moment)
    }

    /// How a call takes part at the moment.
    pub(crate) fn member(&self, sid: ConferenceSid, call: CallSid) -> Option<Member> {
        self.open.get(&sid)?.member(call)
    }

    /// Every leg and the room it belongs in.
    pub(crate) fn seats(&self) -> impl Iterator<Item = (LegId, RoomId)> {
        let members = |c: &Conference| c.members.values().map(|one| (one.leg, c.room)).collect::<Vec<_>>();
        self.open.values().flat_map(members)
    }

    /// Conferences, and how many are in each.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (ConferenceSid, usize)> {
        self.open.values().map(|conference| (conference.sid, conference.members.len()))
    }

    /// Forgets a conference; who is out with it, and what is told.
    fn close(
        &mut self,
        sid: ConferenceSid,
        why: ParticipantLeft,
        end: &ConferenceNews,
        moment: Moment,
    ) -> (Vec<CallSid>, Vec<Letter>) {
        let Some(mut conference) = self.open.remove(&sid) else { return (Vec::new(), Vec::new()) };
        self.names.remove(&conference.name);
        let members = std::mem::take(&mut conference.members);
        let mut letters = Vec::new();
        for participant in members.values() {
            let participant = participant.facts.clone();
            let news = ConferenceNews::Leave { participant, status: CallStatus::InProgress, why };
            letters.extend(conference.tell(&news, moment));
        }
        letters.extend(conference.tell(end, moment));
        (members.into_keys().collect(), letters)
    }
}

impl Conference {
    fn new(noun: &ConferenceNoun, fresh: Fresh) -> Self {
        Self {
            sid: fresh.sid,
            name: noun.name.clone(),
            room: fresh.room,
            in_progress: false,
            participants_max: noun.max_participants,
            callback: None,
            sequence: 0,
            members: BTreeMap::new(),
            to_record: None,
            recorded: false,
        }
    }

    fn admits(&self, noun: &ConferenceNoun) -> Result<(), Refused> {
        let max = self.participants_max.min(noun.max_participants);
        let has_label = |one: &Participant| one.facts.label.is_some() && one.facts.label == noun.label;
        if self.members.len() >= usize::try_from(max).unwrap_or(usize::MAX) {
            Err(Refused::Full)
        } else if self.members.values().any(has_label) {
            Err(Refused::LabelInUse)
        } else if noun.coach.is_some_and(|coach| !self.members.contains_key(&coach)) {
            Err(Refused::NobodyToCoach)
        } else {
            Ok(())
        }
    }

    fn let_in(&mut self, noun: &ConferenceNoun, call: CallSid, leg: LegId, moment: Moment) -> Joined {
        if self.callback.is_none() {
            self.callback.clone_from(&noun.status_callback);
        }
        if noun.record && !self.recorded && self.to_record.is_none() {
            let callback = noun.recording_status_callback.clone();
            self.to_record = Some(ToRecord { trim: noun.trim, callback });
        }
        let facts = ParticipantFacts {
            call_sid: call,
            muted: noun.muted,
            hold: false,
            coaches: noun.coach,
            end_on_exit: noun.end_on_exit,
            start_on_enter: noun.start_on_enter,
            label: noun.label.clone(),
        };
        let others: Vec<CallSid> = self.members.keys().copied().collect();
        self.members.insert(call, Participant { facts: facts.clone(), leg, beep: noun.beep });
        let mut letters = Vec::from_iter(self.tell(&ConferenceNews::Join(facts), moment));
        let begins = !self.in_progress
            && self.members.len() >= 2
            && self.members.values().any(|one| one.facts.start_on_enter);
        if begins {
            self.in_progress = true;
            letters.extend(self.tell(&ConferenceNews::Start, moment));
        }
        Joined {
            sid: self.sid,
            room: self.room,
            member: self.member(call).unwrap_or_default(),
            begins_for: if begins { others } else { Vec::new() },
            beep: noun.beep.on_enter() && self.in_progress,
            record: self.begin_recording(),
            letters,
        }
    }

    /// Once, as soon as there is something to record.
    fn begin_recording(&mut self) -> Option<ToRecord> {
        let wanted = if self.in_progress { self.to_record.take() } else { None };
        self.recorded |= wanted.is_some();
        wanted
    }

    /// Until the conference is in progress everybody is on hold.
    fn member(&self, call: CallSid) -> Option<Member> {
        let facts = &self.members.get(&call)?.facts;
        let coached = facts.coaches.and_then(|coached| self.members.get(&coached));
        Some(Member {
            // Whose pupil has left has nobody to talk to.
            muted: facts.muted || (facts.coaches.is_some() && coached.is_none()),
            on_hold: facts.hold || !self.in_progress,
            coaches: coached.map(|coached| coached.leg),
            tells_speech: self
                .callback
                .as_ref()
                .is_some_and(|c| c.events.contains(&ConferenceEvent::Speaker)),
            ..Member::default()
        })
    }

    /// Counts an event, and writes it down if somebody wants to know.
    fn tell(&mut self, news: &ConferenceNews, moment: Moment) -> Option<Letter> {
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
        Some(Letter { url: callback.url.clone(), method: callback.method, params })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment { account_sid: AccountSid(1), at: Timestamp(0) };

    fn noun(attributes: &str) -> ConferenceNoun {
        let events = "statusCallback='http://h/s' statusCallbackEvent='start end join leave mute hold'";
        let xml =
            format!("<Response><Dial><Conference {attributes} {events}>r</Conference></Dial></Response>");
        let document = twiml::parse(&xml, twiml::Dialect::Twiml).unwrap();
        let [twiml::Verb::Dial(dial)] = document.verbs.as_slice() else { panic!("{xml}") };
        dial.conference().cloned().unwrap()
    }

    fn enter(all: &mut Conferences, who: u128, attributes: &str) -> Result<Joined, Refused> {
        let fresh = Fresh { sid: ConferenceSid(100 + who), room: RoomId(who as u64) };
        all.join(&noun(attributes), CallSid(who), LegId(who as u64), fresh, NOW)
    }

    fn hang_up(all: &mut Conferences, sid: ConferenceSid, who: u128) -> Option<Left> {
        all.leave(sid, CallSid(who), CallStatus::Completed, ParticipantLeft::ParticipantHungUp, NOW)
    }

    /// The events told, each with its number and whom or what it concerns.
    fn told(letters: &[Letter]) -> Vec<String> {
        let one = |letter: &Letter| {
            let value = |name: &str| {
                let found = letter.params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
                found.unwrap_or_default().trim_start_matches("CA").trim_start_matches('0').to_owned()
            };
            let detail = [value("CallSid"), value("ReasonParticipantLeft"), value("ReasonConferenceEnded")];
            format!("{} {} {}", value("SequenceNumber"), value("StatusCallbackEvent"), detail.concat())
        };
        letters.iter().map(one).collect()
    }

    #[test]
    fn it_begins_when_two_are_there_and_one_may_start_it() {
        const WAITS: &str = "startConferenceOnEnter='false'";
        for (entering, begins_with) in [
            (vec![""], None),
            (vec!["", ""], Some(1)),
            (vec!["", WAITS], Some(1)),
            (vec![WAITS, WAITS, WAITS], None),
            (vec![WAITS, WAITS, ""], Some(2)),
        ] {
            let mut all = Conferences::default();
            let mut begun = None;
            for (n, attributes) in entering.iter().enumerate() {
                let joined = enter(&mut all, n as u128 + 1, attributes).unwrap();
                if !joined.begins_for.is_empty() {
                    assert_eq!(begun.replace(n), None, "it begins once");
                    assert_eq!(joined.begins_for.len(), n);
                }
                assert_eq!(joined.member.on_hold, begun.is_none(), "{entering:?}");
            }
            assert_eq!(begun, begins_with, "{entering:?}");
        }
    }

    #[test]
    fn who_is_not_let_in() {
        let mut all = Conferences::default();
        assert_eq!(enter(&mut all, 9, &format!("coach='{}'", CallSid(1))), Err(Refused::NobodyToCoach));
        enter(&mut all, 1, "maxParticipants='3' participantLabel='a'").unwrap();
        for (attributes, refused) in [
            ("participantLabel='a'", Refused::LabelInUse),
            ("coach='CA00000000000000000000000000000008'", Refused::NobodyToCoach),
        ] {
            assert_eq!(enter(&mut all, 2, attributes), Err(refused));
        }
        enter(&mut all, 2, "").unwrap();
        assert_eq!(enter(&mut all, 3, "maxParticipants='2'"), Err(Refused::Full), "its own limit");
        enter(&mut all, 3, "").unwrap();
        assert_eq!(enter(&mut all, 4, ""), Err(Refused::Full), "the conference's");
        assert_eq!(all.sizes().collect::<Vec<_>>(), [(ConferenceSid(101), 3)]);
    }

    #[test]
    fn a_name_begins_again_once_everybody_left() {
        let mut all = Conferences::default();
        let first = enter(&mut all, 1, "").unwrap().sid;
        assert_eq!(enter(&mut all, 2, "").unwrap().sid, first);
        assert_eq!(hang_up(&mut all, first, 1).unwrap().over_for, []);
        let last = hang_up(&mut all, first, 2).unwrap();
        assert_eq!(
            told(&last.letters),
            ["5 participant-leave 2participant_hung_up", "6 conference-end last-participant-left"]
        );
        assert_eq!(hang_up(&mut all, first, 2), None);
        assert_eq!((all.open.len(), all.names.len()), (0, 0));
        assert_ne!(enter(&mut all, 3, "").unwrap().sid, first);
    }

    #[test]
    fn a_moderator_ends_it_for_all_and_all_of_it_is_told() {
        let mut all = Conferences::default();
        let first = enter(&mut all, 1, "endConferenceOnExit='true'").unwrap();
        assert_eq!(told(&first.letters), ["1 participant-join 1"]);
        let second = enter(&mut all, 2, "").unwrap();
        assert_eq!(told(&second.letters), ["2 participant-join 2", "3 conference-start "]);
        let left = hang_up(&mut all, first.sid, 1).unwrap();
        assert_eq!((left.over_for, left.beep), (vec![CallSid(2)], None));
        assert_eq!(
            told(&left.letters),
            [
                "4 participant-leave 1participant_hung_up",
                "5 participant-leave 2moderator_ended_conference",
                "6 conference-end participant-with-end-conference-on-exit-left"
            ]
        );
        assert_eq!(all.seats().count(), 0);
    }

    #[test]
    fn beeps_are_for_those_who_are_in_it() {
        for (attributes, enters, exits) in [
            ("", true, true),
            ("beep='onEnter'", true, false),
            ("beep='onExit'", false, true),
            ("beep='false'", false, false),
        ] {
            let mut all = Conferences::default();
            let first = enter(&mut all, 1, "").unwrap();
            assert!(!first.beep, "nobody is there to hear it");
            assert_eq!(enter(&mut all, 2, attributes).unwrap().beep, enters);
            assert_eq!(hang_up(&mut all, first.sid, 2).unwrap().beep.is_some(), exits);
        }
    }

    #[test]
    fn changes_are_told_once() {
        let mut all = Conferences::default();
        let sid = enter(&mut all, 1, "").unwrap().sid;
        enter(&mut all, 2, "").unwrap();
        for (change, expected) in [
            (Change::Mute(true), vec!["4 participant-mute 1"]),
            (Change::Mute(true), vec![]),
            (Change::Hold(true), vec!["5 participant-hold 1"]),
            (Change::Hold(false), vec!["6 participant-unhold 1"]),
        ] {
            assert_eq!(told(&all.change(sid, CallSid(1), change, NOW).unwrap()), expected);
        }
        let member = all.member(sid, CallSid(1)).unwrap();
        assert_eq!((member.muted, member.on_hold), (true, false));
        assert_eq!(all.change(sid, CallSid(9), Change::Mute(true), NOW), None);
        let end = all.end(sid, NOW).unwrap();
        assert_eq!(end.over_for, [CallSid(1), CallSid(2)]);
        assert_eq!(told(&end.letters).last().unwrap(), "9 conference-end conference-ended-via-api");
        assert_eq!(all.end(sid, NOW), None);
    }

    #[test]
    fn a_coach_is_heard_by_its_pupil_alone() {
        let mut all = Conferences::default();
        let sid = enter(&mut all, 1, "").unwrap().sid;
        let coach = enter(&mut all, 2, &format!("coach='{}'", CallSid(1))).unwrap();
        assert_eq!((coach.member.coaches, coach.member.muted), (Some(LegId(1)), false));
        hang_up(&mut all, sid, 1).unwrap();
        let member = all.member(sid, CallSid(2)).unwrap();
        assert_eq!((member.coaches, member.muted), (None, true), "without a pupil nobody hears it");
    }

    #[test]
    fn it_is_recorded_once_from_its_beginning() {
        for (entering, begins_with, trim) in [
            (vec!["record='record-from-start'", "", ""], Some(1), true),
            (vec!["", "record='record-from-start' trim='do-not-trim'", "record='true'"], Some(1), false),
            (vec!["", "", "record='true'", "record='true'"], Some(2), true),
            (
                vec!["startConferenceOnEnter='false' record='true'", "startConferenceOnEnter='false'"],
                None,
                true,
            ),
            (vec!["", ""], None, true),
        ] {
            let mut all = Conferences::default();
            let joined: Vec<Option<ToRecord>> = (1..)
                .zip(&entering)
                .map(|(n, attributes)| enter(&mut all, n, attributes).unwrap().record)
                .collect();
            let begun: Vec<usize> = (0..joined.len()).filter(|n| joined[*n].is_some()).collect();
            assert_eq!(begun, Vec::from_iter(begins_with), "{entering:?}");
            assert!(joined.into_iter().flatten().all(|wanted| wanted.trim == trim));
        }
    }

    #[test]
    fn conferences_are_bounded() {
        let mut all = Conferences::default();
        for n in 0..=CONFERENCES_MAX as u128 {
            let noun = ConferenceNoun { name: n.to_string(), ..noun("") };
            let fresh = Fresh { sid: ConferenceSid(n), room: RoomId(n as u64) };
            let joined = all.join(&noun, CallSid(n), LegId(n as u64), fresh, NOW);
            assert_eq!(joined.is_err(), n == CONFERENCES_MAX as u128);
        }
    }
}
