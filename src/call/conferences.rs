//! The conferences of the box: which there are, who comes and goes, and what that means for the others.
//!
//! A conference that is over is forgotten at once, so that its name can begin another; its row stays.

use std::collections::BTreeMap;

use base::{CallSid, ConferenceSid};
use media::{LegId, Member, RoomId};
use serde::{Deserialize, Serialize};
use twiml::{CallStatus, ConferenceEnd, ConferenceNews, ConferenceNoun, ParticipantLeft};

use crate::conference::{Conference, ConferenceFault, Fresh, Invited, Joined, Letter, Moment};
use crate::participant::{ConferenceRef, Hears, Participant, ParticipantUpdate};
use crate::record::{ConferenceRow, ConferenceStatus};

/// Conferences at once; a further one is refused (16021).
const CONFERENCES_MAX: usize = 1_000;

/// All conferences of the box. In each is somebody, or somebody is called to come.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Conferences {
    open: BTreeMap<ConferenceSid, Conference>,
    names: BTreeMap<String, ConferenceSid>,
}

/// Somebody is out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    /// Those whose conference is over with it.
    pub(crate) over_for: Vec<CallSid>,
    /// Those who may hear something else from now on.
    pub(crate) changed_for: Vec<CallSid>,
    /// Where it is to be heard that somebody left.
    pub(crate) beep: Option<RoomId>,
    pub(crate) letters: Vec<Letter>,
    /// When it is over.
    pub(crate) row: Option<ConferenceRow>,
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
    ) -> Result<Joined, ConferenceFault> {
        match self.of_name(&noun.name) {
            Some(there) => there.admits(noun, call, there.members.len())?,
            None => self.begins(noun)?,
        }
        let before = self.of_name(&noun.name).map(Conference::status);
        let conference = self.open(noun, fresh, moment);
        let joined = conference.let_in(noun, call, leg, moment);
        let row = (before != Some(conference.status())).then(|| conference.row());
        Ok(Joined { row, ..joined })
    }

    /// Somebody is called to come into the conference of that name, which `fresh` becomes if there is none.
    pub(crate) fn invite(
        &mut self,
        noun: &ConferenceNoun,
        region: Option<String>,
        call: CallSid,
        leg: LegId,
        fresh: Fresh,
        moment: Moment,
    ) -> Option<ConferenceRow> {
        let is_new = self.of_name(&noun.name).is_none();
        let conference = self.open(noun, fresh, moment);
        if is_new {
            conference.region = region;
        }
        let participant = Participant::new(noun, call, leg, moment.at);
        conference.invited.insert(call, Invited { participant, early: false });
        is_new.then(|| conference.row())
    }

    /// Whether somebody may be called to come like this.
    pub(crate) fn may_invite(&self, noun: &ConferenceNoun, call: CallSid) -> Result<(), ConferenceFault> {
        let Some(there) = self.of_name(&noun.name) else { return self.begins(noun) };
        there.admits(noun, call, there.members.len() + there.invited.len())?;
        noun.coach.map_or(Ok(()), |coach| there.can_be_coached(coach, call))
    }

    /// The network of somebody who is called says something before the answer: the room it is heard in, and who may
    /// hear something else from now on.
    pub(crate) fn early(&mut self, sid: ConferenceSid, call: CallSid) -> Option<(RoomId, Vec<CallSid>)> {
        let conference = self.open.get_mut(&sid)?;
        let invited = conference.invited.get_mut(&call)?;
        if std::mem::replace(&mut invited.early, true) {
            return None;
        }
        Some((conference.room, conference.members.keys().copied().collect()))
    }

    /// Somebody who was called does not come.
    pub(crate) fn uninvite(
        &mut self,
        sid: ConferenceSid,
        call: CallSid,
        status: CallStatus,
        why: ParticipantLeft,
        moment: Moment,
    ) -> Option<Left> {
        let conference = self.open.get_mut(&sid)?;
        let Invited { participant, early } = conference.invited.remove(&call)?;
        let by = Some((call, participant.facts.label.clone()));
        let news = ConferenceNews::Leave { participant: participant.facts, status, why };
        let mut letters = Vec::from_iter(conference.tell(&news, moment));
        if !conference.is_empty() {
            let changed_for = if early { conference.members.keys().copied().collect() } else { Vec::new() };
            return Some(Left { changed_for, letters, ..Left::default() });
        }
        let end = match why {
            ParticipantLeft::ParticipantUpdatedViaApi => ConferenceEnd::LastParticipantKicked,
            _ => ConferenceEnd::LastParticipantLeft,
        };
        let left = self.close(sid, ParticipantLeft::ModeratorEndedConference, by, end, moment);
        letters.extend(left.letters);
        Some(Left { letters, ..left })
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
        if !end_on_exit && !conference.is_empty() {
            let beep = beep.then_some(conference.room);
            return Some(Left { beep, letters, ..Left::default() });
        }
        let left = self.close(sid, ParticipantLeft::ModeratorEndedConference, by, end, moment);
        letters.extend(left.letters);
        Some(Left { letters, ..left })
    }

    /// Ends a conference for everybody in it; `None` when there is no such conference.
    pub(crate) fn end(&mut self, sid: ConferenceSid, moment: Moment) -> Option<Left> {
        self.open.get(&sid)?;
        let why = ConferenceEnd::ConferenceEndedViaApi;
        Some(self.close(sid, ParticipantLeft::ConferenceEndedViaApi, None, why, moment))
    }

    /// Changes how a call takes part; `None` when it is not there.
    pub(crate) fn change(
        &mut self,
        sid: ConferenceSid,
        call: CallSid,
        update: &ParticipantUpdate,
        moment: Moment,
    ) -> Option<Result<Vec<Letter>, ConferenceFault>> {
        let conference = self.open.get_mut(&sid)?;
        if let Some(Some(coached)) = update.coaches
            && let Err(fault) = conference.can_be_coached(coached, call)
        {
            return Some(Err(fault));
        }
        if let Some(invited) = conference.invited.get_mut(&call) {
            invited.participant.change(update, moment.at);
            return Some(Ok(Vec::new()));
        }
        let participant = conference.members.get_mut(&call)?;
        let changed = participant.change(update, moment.at);
        let facts = participant.facts.clone();
        let news = [
            changed.mute.then(|| ConferenceNews::Mute(facts.clone())),
            changed.hold.then(|| ConferenceNews::Hold(facts.clone())),
            changed.modify.then(|| ConferenceNews::Modify(facts.clone())),
        ];
        Some(Ok(news.iter().flatten().filter_map(|news| conference.tell(news, moment)).collect()))
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

    /// Something happened that is no participant's doing.
    pub(crate) fn tell(
        &mut self,
        sid: ConferenceSid,
        news: &ConferenceNews,
        moment: Moment,
    ) -> Option<Letter> {
        self.open.get_mut(&sid)?.tell(news, moment)
    }

    /// Something begins to be said to all, or has been; who may hear something else from now on.
    pub(crate) fn announcing(&mut self, sid: ConferenceSid, on: bool) -> Vec<CallSid> {
        let Some(conference) = self.open.get_mut(&sid) else { return Vec::new() };
        conference.announcing = on;
        // Once it is in progress everybody hears it anyway.
        if conference.in_progress { Vec::new() } else { conference.members.keys().copied().collect() }
    }

    /// How a call takes part at the moment.
    pub(crate) fn member(&self, sid: ConferenceSid, call: CallSid) -> Option<Member> {
        self.open.get(&sid)?.member(call)
    }

    /// What a member is to hear.
    pub(crate) fn hears(&self, sid: ConferenceSid, call: CallSid) -> Option<Hears> {
        self.open.get(&sid)?.hears(call)
    }

    /// Whether it has begun.
    pub(crate) fn is_in_progress(&self, sid: ConferenceSid) -> bool {
        self.open.get(&sid).is_some_and(|conference| conference.in_progress)
    }

    /// One that is not over.
    pub(crate) fn find(&self, which: &ConferenceRef) -> Option<&Conference> {
        match which {
            ConferenceRef::Sid(sid) => self.open.get(sid),
            ConferenceRef::Name(name) => self.of_name(name),
        }
    }

    /// Every leg and the room it belongs in.
    pub(crate) fn seats(&self) -> impl Iterator<Item = (LegId, RoomId)> {
        self.open.values().flat_map(|c| {
            let early = c.invited.values().filter(|one| one.early).map(|one| &one.participant);
            c.members.values().chain(early).map(|one| (one.leg, c.room)).collect::<Vec<_>>()
        })
    }

    /// Conferences, and how many are in each or called to come.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (ConferenceSid, usize)> {
        let size = |conference: &Conference| conference.members.len() + conference.invited.len();
        self.open.values().map(move |conference| (conference.sid, size(conference)))
    }

    /// Who is in which.
    pub(crate) fn participants(&self) -> impl Iterator<Item = (ConferenceSid, CallSid)> {
        self.open
            .values()
            .flat_map(|conference| conference.members.keys().map(|call| (conference.sid, *call)))
    }

    /// The conference of that name that is in progress or about to be.
    pub(crate) fn named(&self, name: &str) -> Option<ConferenceSid> {
        self.names.get(name).copied()
    }

    fn of_name(&self, name: &str) -> Option<&Conference> {
        self.names.get(name).and_then(|sid| self.open.get(sid))
    }

    /// Whether there are as many as there may be.
    pub(crate) fn are_full(&self) -> bool {
        self.open.len() >= CONFERENCES_MAX
    }

    /// Whether another conference can begin with this one.
    fn begins(&self, noun: &ConferenceNoun) -> Result<(), ConferenceFault> {
        if self.are_full() {
            Err(ConferenceFault::TooMany)
        } else if noun.coach.is_some() {
            Err(ConferenceFault::NobodyToCoach)
        } else {
            Ok(())
        }
    }

    /// The conference of that name, as whoever comes first wants it.
    fn open(&mut self, noun: &ConferenceNoun, fresh: Fresh, moment: Moment) -> &mut Conference {
        let sid = *self.names.entry(noun.name.clone()).or_insert(fresh.sid);
        self.open.entry(sid).or_insert_with(|| Conference::new(noun, fresh, moment))
    }

    /// Forgets a conference; who is out with it, and what is told.
    fn close(
        &mut self,
        sid: ConferenceSid,
        why: ParticipantLeft,
        by: Option<(CallSid, Option<String>)>,
        end: ConferenceEnd,
        moment: Moment,
    ) -> Left {
        let Some(mut conference) = self.open.remove(&sid) else { return Left::default() };
        self.names.remove(&conference.name);
        let members = std::mem::take(&mut conference.members);
        let mut letters = Vec::new();
        for participant in members.values() {
            let participant = participant.facts.clone();
            let news = ConferenceNews::Leave { participant, status: CallStatus::InProgress, why };
            letters.extend(conference.tell(&news, moment));
        }
        let row = ConferenceRow {
            status: ConferenceStatus::Completed,
            updated: moment.at,
            ended_why: Some(end),
            ended_by: by.as_ref().map(|(call, _)| *call),
            ..conference.row()
        };
        letters.extend(conference.tell(&ConferenceNews::End { by, why: end }, moment));
        let over_for = members.into_keys().chain(conference.invited.into_keys()).collect();
        Left { over_for, letters, row: Some(row), ..Left::default() }
    }
}

#[cfg(test)]
mod tests {
    use base::{AccountSid, Timestamp};

    use super::*;
    use crate::conference::ToRecord;
    use crate::participant::{Hold, Music};

    const NOW: Moment = Moment { account_sid: AccountSid(1), at: Timestamp(0) };

    fn noun(attributes: &str) -> ConferenceNoun {
        let events =
            "statusCallback='http://h/s' statusCallbackEvent='start end join leave mute hold modify'";
        let xml =
            format!("<Response><Dial><Conference {attributes} {events}>r</Conference></Dial></Response>");
        let document = twiml::parse(&xml, twiml::Dialect::Twiml).unwrap();
        let [twiml::Verb::Dial(dial)] = document.verbs.as_slice() else { panic!("{xml}") };
        dial.conference().cloned().unwrap()
    }

    fn enter(all: &mut Conferences, who: u128, attributes: &str) -> Result<Joined, ConferenceFault> {
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
        assert_eq!(
            enter(&mut all, 9, &format!("coach='{}'", CallSid(1))),
            Err(ConferenceFault::NobodyToCoach)
        );
        enter(&mut all, 1, "maxParticipants='3' participantLabel='a'").unwrap();
        for (attributes, refused) in [
            ("participantLabel='a'", ConferenceFault::LabelInUse),
            ("coach='CA00000000000000000000000000000008'", ConferenceFault::NobodyToCoach),
        ] {
            assert_eq!(enter(&mut all, 2, attributes), Err(refused));
        }
        enter(&mut all, 2, "").unwrap();
        assert_eq!(enter(&mut all, 3, "maxParticipants='2'"), Err(ConferenceFault::Full), "its own limit");
        enter(&mut all, 3, "").unwrap();
        assert_eq!(enter(&mut all, 4, ""), Err(ConferenceFault::Full), "the conference's");
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
        let plain = ParticipantUpdate::default;
        let mute = |on| ParticipantUpdate { muted: Some(on), ..plain() };
        let hold = |hold| ParticipantUpdate { hold: Some(hold), ..plain() };
        let music = Music { url: Some("http://h/m".to_owned()), ..Music::default() };
        for (change, expected) in [
            (mute(true), vec!["4 participant-mute 1"]),
            (mute(true), vec![]),
            (hold(Hold::On(Music::default())), vec!["5 participant-hold 1"]),
            (hold(Hold::On(music.clone())), vec![]),
            (hold(Hold::Off), vec!["6 participant-unhold 1"]),
            (ParticipantUpdate { beep_on_exit: Some(false), ..plain() }, vec!["7 participant-modify 1"]),
            (ParticipantUpdate { beep_on_exit: Some(false), ..plain() }, vec![]),
            (ParticipantUpdate { end_on_exit: Some(true), ..plain() }, vec!["8 participant-modify 1"]),
            (ParticipantUpdate { wait: Some(music), ..plain() }, vec!["9 participant-modify 1"]),
            (
                ParticipantUpdate { coaches: Some(Some(CallSid(2))), ..plain() },
                vec!["10 participant-modify 1"],
            ),
            (
                ParticipantUpdate { coaches: Some(None), end_on_exit: Some(false), ..plain() },
                vec!["11 participant-modify 1"],
            ),
        ] {
            assert_eq!(told(&all.change(sid, CallSid(1), &change, NOW).unwrap().unwrap()), expected);
        }
        let coach = |whom| ParticipantUpdate { coaches: Some(Some(CallSid(whom))), ..plain() };
        for (whom, fault) in [(1, ConferenceFault::NobodyToCoach), (9, ConferenceFault::NobodyToCoach)] {
            assert_eq!(all.change(sid, CallSid(1), &coach(whom), NOW), Some(Err(fault)));
        }
        let held = hold(Hold::On(Music::default()));
        all.change(sid, CallSid(2), &held, NOW).unwrap().unwrap();
        assert_eq!(all.change(sid, CallSid(1), &coach(2), NOW), Some(Err(ConferenceFault::CoachedOnHold)));
        let member = all.member(sid, CallSid(1)).unwrap();
        assert_eq!((member.muted, member.on_hold), (true, false));
        assert_eq!(all.change(sid, CallSid(9), &mute(true), NOW), None);
        let end = all.end(sid, NOW).unwrap();
        assert_eq!(end.over_for, [CallSid(1), CallSid(2)]);
        assert_eq!(told(&end.letters).last().unwrap(), "15 conference-end conference-ended-via-api");
        assert_eq!(all.end(sid, NOW), None);
    }

    fn invite(all: &mut Conferences, who: u128, attributes: &str) -> Option<ConferenceRow> {
        let fresh = Fresh { sid: ConferenceSid(100 + who), room: RoomId(who as u64) };
        all.may_invite(&noun(attributes), CallSid(who)).unwrap();
        all.invite(&noun(attributes), None, CallSid(who), LegId(who as u64), fresh, NOW)
    }

    fn stays_away(all: &mut Conferences, sid: ConferenceSid, who: u128) -> Left {
        let why = ParticipantLeft::ParticipantAddFailed;
        all.uninvite(sid, CallSid(who), CallStatus::Busy, why, NOW).unwrap()
    }

    #[test]
    fn who_is_called_keeps_a_conference_and_its_label() {
        let mut all = Conferences::default();
        let row = invite(&mut all, 1, "participantLabel='a'").unwrap();
        let sid = row.sid;
        assert_eq!((row.status, row.name.as_str()), (ConferenceStatus::Init, "r"));
        assert_eq!(invite(&mut all, 2, ""), None, "it is there already");
        let label = noun("participantLabel='a'");
        assert_eq!(all.may_invite(&label, CallSid(3)), Err(ConferenceFault::LabelInUse));
        assert_eq!(enter(&mut all, 3, "participantLabel='a'"), Err(ConferenceFault::LabelInUse));
        let change = ParticipantUpdate { muted: Some(true), ..ParticipantUpdate::default() };
        assert_eq!(all.change(sid, CallSid(1), &change, NOW), Some(Ok(vec![])), "it has not come yet");
        let joined = enter(&mut all, 1, "participantLabel='a'").unwrap();
        assert_eq!((joined.sid, joined.member.muted, joined.row), (sid, true, None));
        let away = stays_away(&mut all, sid, 2);
        assert_eq!(told(&away.letters), ["2 participant-leave 2participant_add_failed"]);
        assert_eq!((away.row, all.sizes().count()), (None, 1));
        let row = hang_up(&mut all, sid, 1).unwrap().row.unwrap();
        assert_eq!(row.status, ConferenceStatus::Completed);
        assert_eq!(
            (row.ended_why, row.ended_by),
            (Some(ConferenceEnd::LastParticipantLeft), Some(CallSid(1)))
        );
        let sid = invite(&mut all, 4, "").unwrap().sid;
        assert!(stays_away(&mut all, sid, 4).row.is_some(), "nobody came");
        let sid = invite(&mut all, 5, "").unwrap().sid;
        assert_eq!(all.end(sid, NOW).unwrap().over_for, [CallSid(5)], "it is not called any more");
    }

    #[test]
    fn one_alone_hears_how_it_goes_with_whom_is_called() {
        for (attributes, hears) in [("", true), ("startConferenceOnEnter='false'", false)] {
            let mut all = Conferences::default();
            let sid = enter(&mut all, 1, attributes).unwrap().sid;
            invite(&mut all, 2, "");
            assert!(all.member(sid, CallSid(1)).unwrap().on_hold);
            assert_eq!(all.early(sid, CallSid(2)).unwrap().1, [CallSid(1)]);
            assert_eq!(all.early(sid, CallSid(2)), None, "once");
            assert_eq!(all.member(sid, CallSid(1)).unwrap().on_hold, !hears, "{attributes}");
            assert_eq!(all.seats().count(), 2);
            assert_eq!(stays_away(&mut all, sid, 2).changed_for, [CallSid(1)]);
            assert!(all.member(sid, CallSid(1)).unwrap().on_hold);
            assert_eq!(all.seats().count(), 1);
        }
    }

    #[test]
    fn those_who_wait_hear_an_announcement_and_not_each_other() {
        const WAITS: &str = "startConferenceOnEnter='false'";
        let mut all = Conferences::default();
        let sid = enter(&mut all, 1, WAITS).unwrap().sid;
        enter(&mut all, 2, WAITS).unwrap();
        assert_eq!(all.announcing(sid, true), [CallSid(1), CallSid(2)]);
        let member = all.member(sid, CallSid(1)).unwrap();
        assert_eq!((member.on_hold, member.muted), (false, true));
        all.announcing(sid, false);
        let member = all.member(sid, CallSid(1)).unwrap();
        assert_eq!((member.on_hold, member.muted), (true, false));
        all.announcing(sid, true);
        enter(&mut all, 3, "").unwrap();
        let member = all.member(sid, CallSid(1)).unwrap();
        assert_eq!((member.on_hold, member.muted), (false, false), "it has begun");
        assert_eq!(all.announcing(sid, false), []);
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
