//! Voice queues: who waits in which, in what order, and who waits for a caller (reference: twiml-voice §11,
//! rest-voice §9).
//!
//! Here is only what is known; the calls concerned do what follows ([`crate::enqueue`], [`crate::dequeue`]). A
//! queue stays when it is empty: its sid, name and size are on record. Callers leave in the order they came.

use std::collections::{BTreeMap, VecDeque};

use base::{CallSid, Mono, Now, QueueSid};
use serde::{Deserialize, Serialize};
use twiml::{QueueMoment, QueueStay};

use crate::live::{LiveQueue, LiveQueueMember};
use crate::record::QueueRow;

/// Queues at once. For a further one the empty one goes that was made by an `<Enqueue>` and is out of use longest;
/// without such a one it is refused.
pub(crate) const QUEUES_MAX: usize = 5_000;

/// Members of a queue unless its size was set, and the highest size (reference: rest-voice §9).
pub(crate) const SIZE_DEFAULT: u32 = 1_000;
pub(crate) const SIZE_MAX: u32 = 5_000;

/// Characters of a queue's name (reference: rest-voice §9).
pub(crate) const NAME_CHARS_MAX: usize = 64;

/// Calls that wait for a caller of one queue.
const TAKERS_MAX: usize = 5_000;

/// All queues of the box.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Queues {
    all: BTreeMap<QueueSid, Queue>,
    names: BTreeMap<String, QueueSid>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Queue {
    row: QueueRow,
    /// The one who came first is in front.
    members: VecDeque<Member>,
    /// Calls that take the next caller, those that asked first in front.
    takers: VecDeque<CallSid>,
    /// When somebody came last.
    used: Mono,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Member {
    call: CallSid,
    since: Now,
}

/// Somebody is in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) sid: QueueSid,
    /// Rows to write: the queue that was made for it, and the one that went for that.
    pub(crate) rows: Vec<QueueRow>,
    /// Those who wait for a caller, in the order they may take one.
    pub(crate) takers: Vec<CallSid>,
}

/// Why somebody is not let into a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    TooManyQueues,
}

/// Why a queue is not made, changed or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueueFault {
    /// Another one has the name.
    NameTaken,
    /// Empty, or longer than 64 printable characters.
    BadName,
    /// Not from 1 to 5,000.
    BadSize,
    /// Somebody waits in it.
    NotEmpty,
    /// The box has as many as it may have.
    TooMany,
}

impl Queues {
    /// Queues of earlier days.
    pub(crate) fn restore(&mut self, rows: Vec<QueueRow>) {
        for row in rows.into_iter().take(QUEUES_MAX) {
            self.add(row, Mono::default());
        }
    }

    /// Lets a call into the queue of that name, which `fresh` becomes if there is none, for so many. `limit` is the
    /// call's own idea of how many there may be.
    pub(crate) fn join(
        &mut self,
        name: &str,
        call: CallSid,
        limit: Option<u32>,
        (fresh, size): (QueueSid, u32),
        now: Now,
    ) -> Result<Joined, Refused> {
        let mut rows = Vec::new();
        let sid = match self.names.get(name) {
            Some(sid) => *sid,
            None => {
                rows.extend(self.make_room(now).map_err(|_| Refused::TooManyQueues)?);
                let row = QueueRow::new(fresh, name, size, true, now.wall);
                rows.push(row.clone());
                self.add(row, now.mono);
                fresh
            }
        };
        let queue = self.all.get_mut(&sid).expect("every name belongs to a queue");
        let size_max = limit.unwrap_or(SIZE_MAX).min(queue.row.max_size);
        if queue.size() >= size_max {
            return Err(Refused::Full);
        }
        queue.members.push_back(Member { call, since: now });
        queue.used = now.mono;
        Ok(Joined { sid, rows, takers: queue.takers.iter().copied().collect() })
    }

    /// Takes a call out of the line; false when it is not in it (any more).
    pub(crate) fn leave(&mut self, sid: QueueSid, call: CallSid) -> bool {
        let Some(queue) = self.all.get_mut(&sid) else { return false };
        let Some(at) = queue.members.iter().position(|member| member.call == call) else { return false };
        queue.members.remove(at);
        true
    }

    /// The queue of that name.
    pub(crate) fn named(&self, name: &str) -> Option<QueueSid> {
        self.names.get(name).copied()
    }

    /// The caller in front is `taker`'s from now on, and its stay is over. With nobody there `taker` waits for the
    /// next one; false when it cannot even do that.
    pub(crate) fn take(
        &mut self,
        sid: QueueSid,
        taker: CallSid,
        now: Mono,
    ) -> (Option<(CallSid, QueueStay)>, bool) {
        let Some(queue) = self.all.get_mut(&sid) else { return (None, false) };
        if let Some(front) = queue.members.pop_front() {
            queue.takers.retain(|waiting| *waiting != taker);
            return (Some((front.call, front.stay(sid, now))), true);
        }
        let waits = queue.takers.contains(&taker);
        if !waits && queue.takers.len() < TAKERS_MAX {
            queue.takers.push_back(taker);
        }
        (None, waits || queue.takers.back() == Some(&taker))
    }

    /// This caller is taken out, wherever it stands; `None` when it does not wait there.
    pub(crate) fn take_member(&mut self, sid: QueueSid, call: CallSid, now: Mono) -> Option<QueueStay> {
        let queue = self.all.get_mut(&sid)?;
        let at = queue.members.iter().position(|member| member.call == call)?;
        Some(queue.members.remove(at)?.stay(sid, now))
    }

    /// Does not wait for a caller any more.
    pub(crate) fn give_up(&mut self, sid: QueueSid, taker: CallSid) {
        if let Some(queue) = self.all.get_mut(&sid) {
            queue.takers.retain(|waiting| *waiting != taker);
        }
    }

    /// How it is for one who waits in a queue.
    pub(crate) fn moment(&self, sid: QueueSid, call: CallSid, now: Mono) -> Option<QueueMoment> {
        let queue = self.all.get(&sid)?;
        let at = queue.members.iter().position(|member| member.call == call)?;
        Some(QueueMoment {
            stay: queue.members.get(at)?.stay(sid, now),
            position: u32::try_from(at + 1).unwrap_or(u32::MAX),
            average_s: queue.average_s(now),
            size: queue.size(),
            size_max: queue.row.max_size,
        })
    }

    /// Makes a queue; its row.
    pub(crate) fn create(
        &mut self,
        name: &str,
        max_size: u32,
        fresh: QueueSid,
        now: Now,
    ) -> Result<Vec<QueueRow>, QueueFault> {
        check(name, max_size)?;
        if self.names.contains_key(name) {
            return Err(QueueFault::NameTaken);
        }
        let mut rows = Vec::from_iter(self.make_room(now)?);
        let row = QueueRow::new(fresh, name, max_size, false, now.wall);
        self.add(row.clone(), now.mono);
        rows.push(row);
        Ok(rows)
    }

    /// Changes a queue; its row, or `None` when there is none. Whoever is in a queue that becomes too small stays.
    pub(crate) fn update(
        &mut self,
        sid: QueueSid,
        name: Option<&str>,
        max_size: Option<u32>,
        now: Now,
    ) -> Option<Result<QueueRow, QueueFault>> {
        let row = &self.all.get(&sid)?.row;
        let (name, max_size) = (name.unwrap_or(&row.name).to_owned(), max_size.unwrap_or(row.max_size));
        if let Err(fault) = check(&name, max_size) {
            return Some(Err(fault));
        }
        if self.names.get(&name).is_some_and(|other| *other != sid) {
            return Some(Err(QueueFault::NameTaken));
        }
        let queue = self.all.get_mut(&sid)?;
        self.names.remove(&queue.row.name);
        self.names.insert(name.clone(), sid);
        queue.row = QueueRow { name, max_size, on_demand: false, updated: now.wall, ..queue.row.clone() };
        Some(Ok(queue.row.clone()))
    }

    /// Deletes an empty queue; its last row, or `None` when there is none.
    pub(crate) fn delete(&mut self, sid: QueueSid, now: Now) -> Option<Result<QueueRow, QueueFault>> {
        let queue = self.all.get(&sid)?;
        if !queue.members.is_empty() {
            return Some(Err(QueueFault::NotEmpty));
        }
        self.remove(sid, now).map(Ok)
    }

    /// Whether there is this queue.
    pub(crate) fn contains(&self, sid: QueueSid) -> bool {
        self.all.contains_key(&sid)
    }

    /// A member: this call, or whoever is in front.
    pub(crate) fn member(&self, sid: QueueSid, call: Option<CallSid>, now: Mono) -> Option<LiveQueueMember> {
        let queue = self.all.get(&sid)?;
        let wanted = |member: &&(usize, &Member)| call.is_none_or(|call| member.1.call == call);
        let (at, member) = queue.members.iter().enumerate().find(|found| wanted(&found))?;
        Some(member.live(at, now))
    }

    /// Everything, for an operator.
    pub(crate) fn live(&self, now: Mono) -> Vec<LiveQueue> {
        self.all.values().map(|queue| queue.live(now)).collect()
    }

    /// One queue, likewise.
    pub(crate) fn live_one(&self, sid: QueueSid, now: Mono) -> Option<LiveQueue> {
        self.all.get(&sid).map(|queue| queue.live(now))
    }

    /// Everybody who is in a queue, and which.
    pub(crate) fn members(&self) -> impl Iterator<Item = (QueueSid, CallSid)> {
        self.all.iter().flat_map(|(sid, queue)| queue.members.iter().map(|member| (*sid, member.call)))
    }

    fn add(&mut self, row: QueueRow, used: Mono) {
        let (sid, name) = (row.sid, row.name.clone());
        self.names.insert(name, sid);
        let (members, takers) = (VecDeque::new(), VecDeque::new());
        self.all.insert(sid, Queue { row, members, takers, used });
    }

    /// The last row of a queue that went so that another one can be made.
    fn make_room(&mut self, now: Now) -> Result<Option<QueueRow>, QueueFault> {
        if self.all.len() < QUEUES_MAX {
            return Ok(None);
        }
        let idle =
            |queue: &&Queue| queue.row.on_demand && queue.members.is_empty() && queue.takers.is_empty();
        let oldest = self.all.values().filter(idle).min_by_key(|queue| queue.used);
        let oldest = oldest.map(|queue| queue.row.sid).ok_or(QueueFault::TooMany)?;
        Ok(self.remove(oldest, now))
    }

    fn remove(&mut self, sid: QueueSid, now: Now) -> Option<QueueRow> {
        let queue = self.all.remove(&sid)?;
        self.names.remove(&queue.row.name);
        Some(QueueRow { deleted: Some(now.wall), updated: now.wall, ..queue.row })
    }
}

impl Queue {
    fn size(&self) -> u32 {
        u32::try_from(self.members.len()).unwrap_or(u32::MAX)
    }

    /// Of those who are in it now.
    fn average_s(&self, now: Mono) -> u64 {
        let waited: u128 = self.members.iter().map(|member| now.since(member.since.mono).as_millis()).sum();
        let average_ms = waited / self.members.len().max(1) as u128;
        u64::try_from((average_ms + 500) / 1_000).unwrap_or(u64::MAX)
    }

    fn live(&self, now: Mono) -> LiveQueue {
        LiveQueue {
            sid: self.row.sid,
            name: self.row.name.clone(),
            workflow: None,
            max_size: self.row.max_size,
            average_wait_s: self.average_s(now),
            takers: self.takers.len(),
            created: self.row.created,
            updated: self.row.updated,
            members: self.members.iter().enumerate().map(|(at, member)| member.live(at, now)).collect(),
        }
    }
}

impl Member {
    fn stay(&self, sid: QueueSid, now: Mono) -> QueueStay {
        QueueStay { sid, time_s: now.since(self.since.mono).as_secs() }
    }

    fn live(&self, at: usize, now: Mono) -> LiveQueueMember {
        LiveQueueMember {
            call: self.call,
            position: u32::try_from(at + 1).unwrap_or(u32::MAX),
            enqueued: self.since.wall,
            wait_s: now.since(self.since.mono).as_secs(),
        }
    }
}

fn check(name: &str, max_size: u32) -> Result<(), QueueFault> {
    let name_fits =
        !name.trim().is_empty() && name.chars().count() <= NAME_CHARS_MAX && !name.contains(char::is_control);
    if !name_fits {
        Err(QueueFault::BadName)
    } else if !(1..=SIZE_MAX).contains(&max_size) {
        Err(QueueFault::BadSize)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use base::Timestamp;

    use super::*;

    fn at(s: u64) -> Now {
        let mono = Mono::default() + std::time::Duration::from_secs(s);
        Now { mono, wall: Timestamp(s as i64 * 1_000_000) }
    }

    fn join(queues: &mut Queues, name: &str, call: u128, s: u64) -> Result<Joined, Refused> {
        queues.join(name, CallSid(call), None, (QueueSid(call), SIZE_DEFAULT), at(s))
    }

    fn take(queues: &mut Queues, sid: QueueSid, taker: u128, s: u64) -> Option<(u128, u64)> {
        let (taken, waits) = queues.take(sid, CallSid(taker), at(s).mono);
        assert!(waits);
        taken.map(|(call, stay)| (call.0, stay.time_s))
    }

    #[test]
    fn callers_leave_in_the_order_they_came() {
        let mut queues = Queues::default();
        let first = join(&mut queues, "desk", 1, 0).unwrap();
        assert_eq!((first.sid, first.rows.len()), (QueueSid(1), 1), "the queue is made on demand");
        for (call, s) in [(2, 10), (3, 20)] {
            let joined = join(&mut queues, "desk", call, s).unwrap();
            assert_eq!((joined.sid, joined.rows.len()), (first.sid, 0));
        }
        let moment = queues.moment(first.sid, CallSid(3), at(30).mono).unwrap();
        assert_eq!((moment.position, moment.size, moment.size_max), (3, 3, SIZE_DEFAULT));
        assert_eq!((moment.stay.time_s, moment.average_s), (10, 20), "of 30, 20 and 10");
        assert!(queues.leave(first.sid, CallSid(2)));
        assert!(!queues.leave(first.sid, CallSid(2)));
        let moment = queues.moment(first.sid, CallSid(3), at(30).mono).unwrap();
        assert_eq!((moment.position, moment.average_s), (2, 20));
        assert_eq!(take(&mut queues, first.sid, 91, 30), Some((1, 30)));
        assert_eq!(take(&mut queues, first.sid, 92, 30), Some((3, 10)));
        assert_eq!(queues.moment(first.sid, CallSid(3), at(31).mono), None, "nobody is taken twice");
        assert_eq!(take(&mut queues, first.sid, 93, 30), None);
        assert_eq!(join(&mut queues, "desk", 4, 40).unwrap().sid, first.sid, "the queue stays");
        assert_ne!(join(&mut queues, "Desk", 5, 40).unwrap().sid, first.sid, "names are exact");
    }

    #[test]
    fn those_who_wait_for_a_caller_are_asked_in_their_order() {
        let mut queues = Queues::default();
        let sid = join(&mut queues, "desk", 1, 0).unwrap().sid;
        queues.leave(sid, CallSid(1));
        for taker in [91, 92, 93, 91] {
            assert_eq!(take(&mut queues, sid, taker, 1), None);
        }
        queues.give_up(sid, CallSid(92));
        let joined = join(&mut queues, "desk", 2, 5).unwrap();
        assert_eq!(joined.takers, [CallSid(91), CallSid(93)]);
        assert_eq!(take(&mut queues, sid, 91, 6), Some((2, 1)));
        assert_eq!(join(&mut queues, "desk", 3, 7).unwrap().takers, [CallSid(93)]);
        assert_eq!(
            queues.take(QueueSid(99), CallSid(1), at(0).mono),
            (None, false),
            "there is no such queue"
        );
    }

    #[test]
    fn a_queue_is_full_by_its_own_size_or_the_callers() {
        let mut queues = Queues::default();
        let rows = queues.create("desk", 2, QueueSid(7), at(0)).unwrap();
        assert_eq!((rows[0].max_size, rows[0].on_demand), (2, false));
        join(&mut queues, "desk", 1, 0).unwrap();
        let own = queues.join("desk", CallSid(2), Some(1), (QueueSid(2), SIZE_DEFAULT), at(0));
        assert_eq!(own, Err(Refused::Full));
        join(&mut queues, "desk", 2, 0).unwrap();
        assert_eq!(join(&mut queues, "desk", 3, 0), Err(Refused::Full));
        queues.update(QueueSid(7), None, Some(3), at(1)).unwrap().unwrap();
        join(&mut queues, "desk", 3, 0).unwrap();
        queues.update(QueueSid(7), None, Some(1), at(1)).unwrap().unwrap();
        assert_eq!(queues.live(at(1).mono)[0].members.len(), 3, "nobody is put out");
    }

    #[test]
    fn what_an_operator_may_do() {
        use QueueFault::{BadName, BadSize, NameTaken, NotEmpty};
        let mut queues = Queues::default();
        let long = "x".repeat(65);
        for (name, size, fault) in [
            ("", 1, BadName),
            (" ", 1, BadName),
            (long.as_str(), 1, BadName),
            ("a", 0, BadSize),
            ("a", 5_001, BadSize),
        ] {
            assert_eq!(queues.create(name, size, QueueSid(1), at(0)), Err(fault));
        }
        queues.create("a", 5, QueueSid(1), at(0)).unwrap();
        queues.create("b", 5, QueueSid(2), at(0)).unwrap();
        assert_eq!(queues.create("a", 5, QueueSid(3), at(0)), Err(NameTaken));
        assert_eq!(queues.update(QueueSid(1), Some("b"), None, at(0)), Some(Err(NameTaken)));
        assert_eq!(queues.update(QueueSid(9), Some("c"), None, at(0)), None);
        let row = queues.update(QueueSid(1), Some("c"), None, at(3)).unwrap().unwrap();
        assert_eq!((row.name.as_str(), row.max_size, row.updated), ("c", 5, at(3).wall));
        assert_eq!((queues.named("a"), queues.named("c")), (None, Some(QueueSid(1))));
        join(&mut queues, "c", 8, 4).unwrap();
        assert_eq!(queues.delete(QueueSid(1), at(5)), Some(Err(NotEmpty)));
        let member = queues.member(QueueSid(1), None, at(6).mono).unwrap();
        assert_eq!((member.call, member.position, member.wait_s), (CallSid(8), 1, 2));
        assert!(queues.member(QueueSid(1), Some(CallSid(9)), at(6).mono).is_none());
        queues.leave(QueueSid(1), CallSid(8));
        assert!(queues.delete(QueueSid(1), at(5)).unwrap().unwrap().deleted.is_some());
        assert_eq!((queues.delete(QueueSid(1), at(5)), queues.named("c")), (None, None));
    }

    #[test]
    fn queues_are_bounded_and_the_idle_ones_made_on_demand_go_first() {
        let mut queues = Queues::default();
        for n in 0..QUEUES_MAX as u128 {
            queues.create(&n.to_string(), 5, QueueSid(n), at(0)).unwrap();
        }
        assert_eq!(join(&mut queues, "new", 1 << 70, 1), Err(Refused::TooManyQueues));
        queues.delete(QueueSid(3), at(1));
        queues.delete(QueueSid(4), at(1));
        let busy = join(&mut queues, "busy", 1 << 71, 1).unwrap().sid;
        let idle = join(&mut queues, "idle", 1 << 72, 2).unwrap().sid;
        queues.leave(idle, CallSid(1 << 72));
        let rows = join(&mut queues, "new", 1 << 73, 3).unwrap().rows;
        assert_eq!(
            rows.iter().map(|row| (row.sid, row.deleted.is_some())).collect::<Vec<_>>(),
            [(idle, true), (QueueSid(1 << 73), false)]
        );
        assert!(queues.contains(busy) && !queues.contains(idle));
    }

    #[test]
    fn queues_come_back_as_they_were() {
        let mut queues = Queues::default();
        let row = queues.create("desk", 7, QueueSid(7), at(0)).unwrap().remove(0);
        let mut again = Queues::default();
        again.restore(vec![row]);
        assert_eq!(again.named("desk"), Some(QueueSid(7)));
        assert_eq!(again.live(at(0).mono)[0].max_size, 7);
    }
}
