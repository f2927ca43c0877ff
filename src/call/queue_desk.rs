//! What operators ask and order about voice queues (reference: rest-voice §9).

use base::{CallSid, Now, QueueSid};
use twiml::HttpMethod;

use crate::io::{OperatorReply, Output};
use crate::live::LiveQueueMember;
use crate::node::Node;
use crate::queue::{QueueFault, SIZE_DEFAULT};
use crate::record::{QueueRow, StoreItem};

impl Node {
    pub(crate) fn queue_reply(&self, queue: QueueSid, now: Now) -> OperatorReply {
        match self.shared.queues.live_one(queue, now.mono) {
            Some(live) => OperatorReply::Queue(live),
            None => OperatorReply::NoSuchQueue(queue),
        }
    }

    pub(crate) fn create_queue(&mut self, name: &str, max_size: Option<u32>, now: Now) -> OperatorReply {
        let fresh = QueueSid::random(&mut self.shared.rng);
        match self.shared.queues.create(name, max_size.unwrap_or(SIZE_DEFAULT), fresh, now) {
            Ok(rows) => {
                rows.into_iter().for_each(|row| self.store_queue(row));
                self.queue_reply(fresh, now)
            }
            Err(fault) => OperatorReply::QueueFault(fault),
        }
    }

    pub(crate) fn update_queue(
        &mut self,
        queue: QueueSid,
        name: Option<&str>,
        max_size: Option<u32>,
        now: Now,
    ) -> OperatorReply {
        let updated = self.shared.queues.update(queue, name, max_size, now);
        self.changed(queue, updated, |node| node.queue_reply(queue, now))
    }

    pub(crate) fn delete_queue(&mut self, queue: QueueSid, now: Now) -> OperatorReply {
        let deleted = self.shared.queues.delete(queue, now);
        self.changed(queue, deleted, |_| OperatorReply::Done)
    }

    pub(crate) fn queue_member(&self, queue: QueueSid, call: Option<CallSid>, now: Now) -> OperatorReply {
        if !self.shared.queues.contains(queue) {
            return OperatorReply::NoSuchQueue(queue);
        }
        let member = self.shared.queues.member(queue, call, now.mono);
        member.map_or(OperatorReply::NotInQueue, OperatorReply::QueueMember)
    }

    /// Somebody who waits there, or by its sid somebody who was taken out of it and talks.
    pub(crate) fn dequeue(
        &mut self,
        queue: QueueSid,
        call: Option<CallSid>,
        to: (String, HttpMethod),
        now: Now,
    ) -> OperatorReply {
        if !self.shared.queues.contains(queue) {
            return OperatorReply::NoSuchQueue(queue);
        }
        let member = self.shared.queues.member(queue, call, now.mono);
        let Some(sid) = member.as_ref().map(|member| member.call).or(call) else {
            return OperatorReply::NotInQueue;
        };
        let mut moved = false;
        self.with(sid, now, |call, ctx| moved = call.redirect_from_queue(queue, to, ctx));
        let gone = LiveQueueMember { call: sid, position: 0, enqueued: now.wall, wait_s: 0 };
        if moved { OperatorReply::QueueMember(member.unwrap_or(gone)) } else { OperatorReply::NotInQueue }
    }

    fn changed(
        &mut self,
        queue: QueueSid,
        result: Option<Result<QueueRow, QueueFault>>,
        reply: impl FnOnce(&Node) -> OperatorReply,
    ) -> OperatorReply {
        match result {
            None => OperatorReply::NoSuchQueue(queue),
            Some(Err(fault)) => OperatorReply::QueueFault(fault),
            Some(Ok(row)) => {
                self.store_queue(row);
                reply(self)
            }
        }
    }

    fn store_queue(&mut self, row: QueueRow) {
        self.shared.outputs.push_back(Output::Store(StoreItem::Queue(row)));
    }
}
