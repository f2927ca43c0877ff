//! What operators ask and order.

use base::{CallSid, Now};

use crate::ctx::{Asked, Ctx};
use crate::io::{Operator, OperatorReply, Output};
use crate::live::{LiveCall, LivePhone, NodeStatus};
use crate::node::Node;
use crate::outcome::Cause;
use crate::place::{NewCall, place};
use crate::record::{Gone, StoreItem};
use crate::record_control::RecordFault;
use crate::service::ServiceFault;
use crate::update::CallUpdate;

impl Node {
    pub(crate) fn on_operator(&mut self, id: u64, command: Operator, now: Now) {
        let reply = match command {
            Operator::Status => OperatorReply::Status(self.status()),
            Operator::Calls => OperatorReply::Calls(self.live_calls()),
            Operator::Phones => OperatorReply::Phones(self.live_phones()),
            Operator::Trunks => OperatorReply::Trunks(self.live_trunks()),
            Operator::Hangup(sid) if self.calls.contains_key(&sid) => {
                self.with(sid, now, |call, ctx| call.end(Cause::Operator, ctx));
                OperatorReply::Done
            }
            Operator::Hangup(sid) => OperatorReply::NoSuchCall(sid),
            Operator::Originate(new) => self.place(*new, now),
            Operator::UpdateCall { call: sid, update } => self.update_call(sid, *update, now),
            Operator::ForgetCall(sid) => self.forget_call(sid),
            Operator::Recording { call: sid, order } if self.calls.contains_key(&sid) => {
                let mut done = Err(RecordFault::NotInProgress);
                self.with(sid, now, |call, ctx| done = call.order_recording(*order, ctx));
                match done {
                    Ok(row) => OperatorReply::Recording(Box::new(row)),
                    Err(fault) => OperatorReply::RecordFault(fault),
                }
            }
            Operator::Recording { call: sid, .. } => OperatorReply::NoSuchCall(sid),
            Operator::Service { call: sid, order } if self.calls.contains_key(&sid) => {
                let mut done = Err(ServiceFault::NotInProgress);
                self.with(sid, now, |call, ctx| {
                    done = call.order_service(*order, ctx);
                    call.drive(ctx);
                });
                match done {
                    Ok(service) => OperatorReply::Service(service),
                    Err(fault) => OperatorReply::ServiceFault(fault),
                }
            }
            Operator::Service { call: sid, .. } => OperatorReply::NoSuchCall(sid),
            Operator::Participants(conference) => self.live_participants(&conference),
            Operator::AddParticipant { conference, new } => self.add_participant(&conference, *new, now),
            Operator::Participant { conference, who, order } => {
                self.participant(&conference, &who, order, now)
            }
            Operator::EndConference(conference) => self.end_conference(&conference, now),
            Operator::Announce { conference, url, method } => self.announce(&conference, url, method, now),
            Operator::ConferenceRecording { conference, recording, change } => {
                self.control_conference_recording(conference, recording, change, now)
            }
            Operator::Tell { call, url, method, params } => {
                let mut ctx = Ctx { now, office: &self.office, shared: &mut self.shared };
                ctx.fetch(call, Asked::Callback, url, method, params);
                OperatorReply::Done
            }
            Operator::Queues => {
                let mut queues = self.shared.queues.live(now.mono);
                for queue in &mut queues {
                    queue.workflow = self.shared.router.workflow_name(&queue.name);
                }
                OperatorReply::Queues(queues)
            }
            Operator::Workers => OperatorReply::Workers(self.shared.router.live_workers(now.wall)),
            Operator::Queue(queue) => self.queue_reply(queue, now),
            Operator::CreateQueue { name, max_size } => self.create_queue(&name, max_size, now),
            Operator::UpdateQueue { queue, name, max_size } => {
                self.update_queue(queue, name.as_deref(), max_size, now)
            }
            Operator::DeleteQueue(queue) => self.delete_queue(queue, now),
            Operator::QueueMember { queue, call } => self.queue_member(queue, call, now),
            Operator::Dequeue { queue, call, url, method } => self.dequeue(queue, call, (url, method), now),
            Operator::Router(ask) => OperatorReply::Router(Box::new(self.router_ask(*ask, now))),
            Operator::Drain => {
                self.draining = true;
                OperatorReply::Done
            }
        };
        self.shared.outputs.push_back(Output::Reply { id, reply });
    }

    fn place(&mut self, mut new: NewCall, now: Now) -> OperatorReply {
        if let Some((call, mode)) = new.supervises {
            match self.supervises(call, mode) {
                Ok(document) => new.document = document,
                Err(why) => return OperatorReply::NotPlaced(why),
            }
        }
        let mut ctx = Ctx { now, office: &self.office, shared: &mut self.shared };
        let (call, over) = match place(new, self.draining, &mut ctx) {
            Ok(placed) => placed,
            Err(why) => return OperatorReply::NotPlaced(why),
        };
        let (sid, row) = (call.sid(), call.row.clone());
        self.adopt(call, now);
        if let Some(cause) = over {
            self.with(sid, now, |call, ctx| call.end(cause, ctx));
        }
        OperatorReply::Call(Box::new(row))
    }

    /// A call that has ended and is only waiting for its last figures is over for everybody outside.
    fn update_call(&mut self, sid: CallSid, update: CallUpdate, now: Now) -> OperatorReply {
        let mut row = None;
        // An application that was dialled has a call of its own, which another one carries.
        let carrier = || self.calls.values().find(|call| call.application_calls().any(|own| own == sid));
        if !self.calls.contains_key(&sid)
            && let Some(host) = carrier().map(|call| call.sid())
        {
            self.with(host, now, |call, ctx| row = call.update_application(sid, update, ctx).map(Box::new));
            return row.map_or(OperatorReply::NoSuchCall(sid), OperatorReply::Call);
        }
        self.with(sid, now, |call, ctx| {
            if call.ended.is_none() {
                call.update(update, ctx);
                row = Some(Box::new(call.row.clone()));
            }
        });
        row.map_or(OperatorReply::NoSuchCall(sid), OperatorReply::Call)
    }

    /// What a call that has ended still has to say comes after its record is gone, and goes with it.
    fn forget_call(&mut self, sid: CallSid) -> OperatorReply {
        match self.calls.get_mut(&sid) {
            Some(call) if call.ended.is_none() => return OperatorReply::StillLive(sid),
            Some(call) => call.forgotten = true,
            None => {}
        }
        self.shared.outputs.push_back(Output::Store(StoreItem::Gone(Gone::Call(sid))));
        OperatorReply::Done
    }

    fn status(&self) -> NodeStatus {
        let registered = |name: &&String| !self.shared.endpoint.contacts_of(name).is_empty();
        let own = self.counters.iter();
        let endpoint = self.shared.endpoint.counters().iter();
        NodeStatus {
            name: self.office.name.clone(),
            calls: self.calls.len(),
            phones_registered: self.office.phones.keys().filter(registered).count(),
            phones: self.office.phones.len(),
            trunks: self.office.trunks.len(),
            draining: self.draining,
            calls_total: self.calls_total,
            counters: own.chain(endpoint).map(|(name, n)| ((*name).to_owned(), *n)).collect(),
            notifications: self.shared.notifications.iter().map(|(code, n)| (*code, *n)).collect(),
            banned: self.shared.endpoint.bans().map(|ip| ip.to_string()).collect(),
        }
    }

    fn live_calls(&self) -> Vec<LiveCall> {
        let live = |call: &crate::call::Call| LiveCall {
            sid: call.row.sid,
            parent: call.row.parent,
            direction: call.row.direction.as_str().to_owned(),
            from: call.row.from.clone(),
            to: call.row.to.clone(),
            status: call.row.status.as_str().to_owned(),
            started: call.row.created,
            answered: call.row.answer,
            doing: call.running.word().to_owned(),
        };
        self.calls.values().map(|call| live(call)).collect()
    }

    fn live_phones(&self) -> Vec<LivePhone> {
        let live = |phone: &crate::office::Phone| LivePhone {
            name: phone.name.clone(),
            extension: phone.extension.clone(),
            contacts: self
                .shared
                .endpoint
                .contacts_of(&phone.name)
                .iter()
                .map(|b| b.contact.to_string())
                .collect(),
            calls: self.calls.values().filter(|call| call.row.phone.as_ref() == Some(&phone.name)).count(),
        };
        self.office.phones.values().map(live).collect()
    }
}

/// A trunk's registration in words.
pub(crate) fn trunk_words(state: &sip::TrunkState) -> String {
    match state {
        sip::TrunkState::Static => "static".to_owned(),
        sip::TrunkState::Registering => "registering".to_owned(),
        sip::TrunkState::Registered { .. } => "registered".to_owned(),
        sip::TrunkState::Failed { code, reason, retry_s } => {
            format!("failed: {code} {reason}, again in {retry_s} s")
        }
    }
}
