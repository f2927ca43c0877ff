//! What operators ask and order about conferences and those in them (reference: rest-voice §6, §7).

use base::{CallSid, ConferenceSid, Now};
use media::RoomId;
use twiml::{Direction, HttpMethod, ParticipantLeft, Source};

use crate::call::Call;
use crate::conference::{Conference, Fresh};
use crate::conference_announce::announce;
use crate::conference_dial::{moment, spread};
use crate::conference_invite::{Invitation, NewParticipant, document};
use crate::ctx::Ctx;
use crate::io::OperatorReply;
use crate::leg::Signalling;
use crate::node::Node;
use crate::outcome::Cause;
use crate::participant::{
    ConferenceRef, LiveParticipant, Participant, ParticipantOrder, ParticipantRef, ParticipantStage,
};
use crate::place::{CallDocument, NewCall, place};
use crate::record::StoreItem;

impl Node {
    pub(crate) fn live_participants(&self, conference: &ConferenceRef) -> OperatorReply {
        let Some(conference) = self.shared.conferences.find(conference) else {
            return OperatorReply::NoSuchConference;
        };
        let invited = conference.invited.values().map(|one| &one.participant);
        let mut all: Vec<LiveParticipant> = conference
            .members
            .values()
            .chain(invited)
            .map(|one| self.live_participant(conference, one))
            .collect();
        all.sort_by_key(|one| std::cmp::Reverse((one.created, one.facts.call_sid)));
        OperatorReply::Participants(conference.sid, all)
    }

    fn live_participant(&self, conference: &Conference, one: &Participant) -> LiveParticipant {
        let call = self.calls.get(&one.facts.call_sid).map(|call| &**call);
        let is_ours = |call: &&Call| call.row.direction == Direction::OutboundApi;
        LiveParticipant {
            conference: conference.sid,
            facts: one.facts.clone(),
            stage: if conference.members.contains_key(&one.facts.call_sid) {
                ParticipantStage::Connected
            } else {
                call.map_or(ParticipantStage::Queued, stage)
            },
            created: one.created,
            updated: one.updated,
            queue_time_ms: call.filter(is_ours).map(|call| call.row.queue_time_ms),
        }
    }

    fn one(&self, conference: &Conference, call: CallSid) -> OperatorReply {
        let invited = || conference.invited.get(&call).map(|one| &one.participant);
        match conference.members.get(&call).or_else(invited) {
            Some(one) => OperatorReply::Participant(Box::new(self.live_participant(conference, one))),
            None => OperatorReply::NotInConference,
        }
    }

    pub(crate) fn participant(
        &mut self,
        conference: &ConferenceRef,
        who: &ParticipantRef,
        order: ParticipantOrder,
        now: Now,
    ) -> OperatorReply {
        let Some(found) = self.shared.conferences.find(conference) else {
            return OperatorReply::NoSuchConference;
        };
        let Some(call) = found.who(who) else { return OperatorReply::NotInConference };
        let before = self.one(found, call);
        let sid = found.sid;
        match order {
            ParticipantOrder::Look => return before,
            ParticipantOrder::Update(update) => {
                let mut done = Ok(());
                self.with(call, now, |call, ctx| done = call.update_participant(sid, &update, ctx));
                if let Err(fault) = done {
                    return OperatorReply::ConferenceFault(fault);
                }
            }
            ParticipantOrder::Remove => {
                self.with(call, now, |call, ctx| call.remove_participant(sid, ctx));
                return before;
            }
        }
        match self.shared.conferences.find(&ConferenceRef::Sid(sid)) {
            Some(found) => self.one(found, call),
            None => before,
        }
    }

    /// The call is made and the conference there before it is answered.
    pub(crate) fn add_participant(
        &mut self,
        conference: &ConferenceRef,
        new: NewParticipant,
        now: Now,
    ) -> OperatorReply {
        let mut noun = new.conference;
        noun.name = match (conference, self.shared.conferences.find(conference)) {
            (_, Some(found)) => found.name.clone(),
            (ConferenceRef::Name(name), None) => name.clone(),
            (ConferenceRef::Sid(_), None) => return OperatorReply::NoSuchConference,
        };
        let mut ctx = Ctx { now, office: &self.office, shared: &mut self.shared };
        let nobody = CallSid(0);
        if let Err(fault) = ctx.shared.conferences.may_invite(&noun, nobody) {
            return OperatorReply::ConferenceFault(fault);
        }
        let call = NewCall { document: CallDocument::Given(Source::Inline(document(&noun))), ..new.call };
        let (mut call, over) = match place(call, self.draining, &mut ctx) {
            Ok(placed) => placed,
            Err(why) => return OperatorReply::NotPlaced(why),
        };
        let fresh = Fresh { sid: ConferenceSid::random(&mut ctx.shared.rng), room: RoomId(ctx.next_id()) };
        let (sid, leg, moment) = (call.sid(), call.leg.id, moment(&ctx));
        let row = ctx.shared.conferences.invite(&noun, new.region, sid, leg, fresh, moment);
        row.into_iter().for_each(|row| ctx.store(StoreItem::Conference(row)));
        let which = ConferenceRef::Name(noun.name);
        if let Some(found) = ctx.shared.conferences.find(&which) {
            let (conference, early_media) = (found.sid, new.early_media);
            call.invitation = Some(Invitation { conference, early_media, early: false });
        }
        self.adopt(call, now);
        let reply = match self.shared.conferences.find(&which) {
            Some(found) => self.one(found, sid),
            None => OperatorReply::NoSuchConference,
        };
        if let Some(cause) = over {
            self.with(sid, now, |call, ctx| call.end(cause, ctx));
        }
        reply
    }

    pub(crate) fn end_conference(&mut self, conference: &ConferenceRef, now: Now) -> OperatorReply {
        let Some(sid) = self.shared.conferences.find(conference).map(|found| found.sid) else {
            return OperatorReply::NoSuchConference;
        };
        let mut ctx = Ctx { now, office: &self.office, shared: &mut self.shared };
        let moment = moment(&ctx);
        let Some(left) = ctx.shared.conferences.end(sid, moment) else {
            return OperatorReply::NoSuchConference;
        };
        let row = left.row.clone();
        let first = left.over_for.first().copied().unwrap_or(CallSid(0));
        spread(first, sid, left, &mut ctx);
        row.map_or(OperatorReply::NoSuchConference, |row| OperatorReply::Conference(Box::new(row)))
    }

    pub(crate) fn announce(
        &mut self,
        conference: &ConferenceRef,
        url: String,
        method: HttpMethod,
        now: Now,
    ) -> OperatorReply {
        let Some(found) = self.shared.conferences.find(conference).cloned() else {
            return OperatorReply::NoSuchConference;
        };
        let mut ctx = Ctx { now, office: &self.office, shared: &mut self.shared };
        announce(&found, url, method, &mut ctx);
        OperatorReply::Conference(Box::new(found.row()))
    }
}

impl Call {
    /// It leaves its conference, and its document goes on; one that has not come yet is called no more.
    fn remove_participant(&mut self, conference: ConferenceSid, ctx: &mut Ctx<'_>) {
        let why = ParticipantLeft::ParticipantUpdatedViaApi;
        if self.is_called_into(conference) {
            self.stay_away(why, ctx);
            self.end(Cause::Operator, ctx);
        } else {
            self.kicked(ctx);
        }
        self.drive(ctx);
    }
}

/// How far a call is that is made for a conference.
fn stage(call: &Call) -> ParticipantStage {
    match (call.row.status, call.leg.signalling) {
        (twiml::CallStatus::Ringing, _) => ParticipantStage::Ringing,
        (_, Signalling::Waiting) => ParticipantStage::Queued,
        (_, Signalling::Invited | Signalling::Up | Signalling::Over) => ParticipantStage::Connecting,
    }
}
