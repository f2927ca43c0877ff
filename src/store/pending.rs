//! The bounded memory between the node and the database.
//!
//! Rows of calls, recordings and queues replace each other, so that however long the database is away, at most one
//! row a call waits. Events and notifications are appended: when there is no more room the newest are dropped
//! and counted, because the oldest say how the trouble began.

use std::collections::{BTreeMap, VecDeque};

use base::{CallSid, ConferenceSid, QueueSid, RecordingSid, TranscriptionSid, WorkerSid};
use call::record::{
    CallRow, ConferenceRow, DesktopRow, EventRow, ExchangeRow, Gone, NotificationRow, QueueRow, RecordingRow,
    RegistrationRow, StoreItem, TranscriptionRow,
};
use call::taskrouter::rows::{RouterEventRow, RouterItem, RouterKey, RouterLeafRow};

/// Calls whose rows may wait; beyond it a call not yet waiting is dropped and counted.
pub(crate) const CALLS_PENDING_MAX: usize = 100_000;
/// Likewise for recordings.
pub(crate) const RECORDINGS_PENDING_MAX: usize = 50_000;
/// Likewise for conferences.
pub(crate) const CONFERENCES_PENDING_MAX: usize = 50_000;
/// Likewise for queues.
pub(crate) const QUEUES_PENDING_MAX: usize = 20_000;
/// Likewise for registrations, of which a phone has one row.
pub(crate) const REGISTRATIONS_PENDING_MAX: usize = 20_000;
/// Likewise for desktops, of which a worker has one row.
pub(crate) const DESKTOPS_PENDING_MAX: usize = 20_000;
/// Likewise for transcriptions.
pub(crate) const TRANSCRIPTIONS_PENDING_MAX: usize = 20_000;
/// Events that may wait; beyond it the newest are dropped and counted.
pub(crate) const EVENTS_PENDING_MAX: usize = 200_000;
/// Bytes of their texts, likewise.
pub(crate) const EVENT_BYTES_PENDING_MAX: usize = 64 * 1024 * 1024;
/// Exchanges that may wait, likewise: each has up to 32 KB.
pub(crate) const EXCHANGES_PENDING_MAX: usize = 4_000;
/// Deletions that may wait; beyond it they are dropped and counted.
pub(crate) const GONE_PENDING_MAX: usize = 20_000;
/// Notifications that may wait; beyond it the newest are dropped and counted.
pub(crate) const NOTIFICATIONS_PENDING_MAX: usize = 20_000;

/// Workspaces' rows that may wait; beyond it one not yet waiting is dropped and counted.
pub(crate) const ROUTER_PENDING_MAX: usize = 500_000;
/// Workspaces' events that may wait; beyond it the newest are dropped and counted.
pub(crate) const ROUTER_EVENTS_PENDING_MAX: usize = 100_000;
/// Leaves of what workspaces were told that may wait, likewise: a replay will find the hole.
pub(crate) const ROUTER_LEAVES_PENDING_MAX: usize = 100_000;

/// A row with its place in the order of acceptance.
type Numbered<T> = (u64, T);

/// A batch handed to the writer, to be put back whole or in part.
pub(crate) type Batch = Vec<Numbered<StoreItem>>;

/// What waits to be written.
#[derive(Default)]
pub(crate) struct Pending {
    calls: Latest<CallSid, CallRow>,
    recordings: Latest<RecordingSid, RecordingRow>,
    queues: Latest<QueueSid, QueueRow>,
    conferences: Latest<ConferenceSid, ConferenceRow>,
    registrations: Latest<String, RegistrationRow>,
    desktops: Latest<WorkerSid, DesktopRow>,
    transcriptions: Latest<TranscriptionSid, TranscriptionRow>,
    router: Latest<RouterKey, RouterItem>,
    router_events: VecDeque<Numbered<Box<RouterEventRow>>>,
    router_leaves: VecDeque<Numbered<Box<RouterLeafRow>>>,
    events: VecDeque<Numbered<EventRow>>,
    event_bytes: usize,
    notifications: VecDeque<Numbered<NotificationRow>>,
    exchanges: VecDeque<Numbered<ExchangeRow>>,
    /// Taken after everything else, so that what was accepted before them is written before it is deleted.
    gone: VecDeque<Numbered<Gone>>,
    accepted: u64,
    dropped: u64,
}

impl Pending {
    pub(crate) fn push(&mut self, item: StoreItem) {
        let number = self.accepted;
        self.accepted += 1;
        let kept = match item {
            StoreItem::Call(row) => self.calls.push(number, row.sid, row, CALLS_PENDING_MAX),
            StoreItem::Recording(row) => self.recordings.push(number, row.sid, row, RECORDINGS_PENDING_MAX),
            StoreItem::Queue(row) => self.queues.push(number, row.sid, row, QUEUES_PENDING_MAX),
            StoreItem::Conference(row) => {
                self.conferences.push(number, row.sid, row, CONFERENCES_PENDING_MAX)
            }
            StoreItem::Registration(row) => {
                self.registrations.push(number, row.phone.clone(), row, REGISTRATIONS_PENDING_MAX)
            }
            StoreItem::Desktop(row) => self.desktops.push(number, row.worker, row, DESKTOPS_PENDING_MAX),
            StoreItem::Transcription(row) => {
                self.transcriptions.push(number, row.sid, row, TRANSCRIPTIONS_PENDING_MAX)
            }
            StoreItem::Router(item) => self.push_router(number, item),
            StoreItem::Event(row) => self.push_event(number, row),
            StoreItem::Notification(row) => {
                append(&mut self.notifications, (number, row), NOTIFICATIONS_PENDING_MAX)
            }
            StoreItem::Exchange(row) => append(&mut self.exchanges, (number, row), EXCHANGES_PENDING_MAX),
            StoreItem::Gone(gone) => append(&mut self.gone, (number, gone), GONE_PENDING_MAX),
        };
        if !kept {
            self.dropped += 1;
        }
    }

    fn push_router(&mut self, number: u64, item: RouterItem) -> bool {
        match item {
            RouterItem::Put(row) => {
                let key = row.key();
                self.router.push(number, key, RouterItem::Put(row), ROUTER_PENDING_MAX)
            }
            RouterItem::Gone(key) => {
                self.router.push(number, key.clone(), RouterItem::Gone(key), ROUTER_PENDING_MAX)
            }
            RouterItem::Event(row) => {
                append(&mut self.router_events, (number, row), ROUTER_EVENTS_PENDING_MAX)
            }
            RouterItem::Leaf(row) => {
                append(&mut self.router_leaves, (number, row), ROUTER_LEAVES_PENDING_MAX)
            }
        }
    }

    fn push_event(&mut self, number: u64, row: EventRow) -> bool {
        let bytes = self.event_bytes + row.text.len();
        let room = self.events.len() < EVENTS_PENDING_MAX && bytes <= EVENT_BYTES_PENDING_MAX;
        if room {
            self.event_bytes = bytes;
            self.events.push_back((number, row));
        }
        room
    }

    /// Takes up to `rows_max` rows: calls first, deletions last.
    pub(crate) fn take(&mut self, rows_max: usize) -> Batch {
        let mut batch = Batch::new();
        while batch.len() < rows_max {
            let next = if let Some((number, row)) = self.calls.pop() {
                (number, StoreItem::Call(row))
            } else if let Some((number, row)) = self.recordings.pop() {
                (number, StoreItem::Recording(row))
            } else if let Some((number, row)) = self.conferences.pop() {
                (number, StoreItem::Conference(row))
            } else if let Some((number, row)) = self.queues.pop() {
                (number, StoreItem::Queue(row))
            } else if let Some((number, row)) = self.registrations.pop() {
                (number, StoreItem::Registration(row))
            } else if let Some((number, row)) = self.desktops.pop() {
                (number, StoreItem::Desktop(row))
            } else if let Some((number, row)) = self.transcriptions.pop() {
                (number, StoreItem::Transcription(row))
            } else if let Some((number, item)) = self.router.pop() {
                (number, StoreItem::Router(item))
            } else if let Some((number, row)) = self.router_events.pop_front() {
                (number, StoreItem::Router(RouterItem::Event(row)))
            } else if let Some((number, row)) = self.router_leaves.pop_front() {
                (number, StoreItem::Router(RouterItem::Leaf(row)))
            } else if let Some((number, row)) = self.notifications.pop_front() {
                (number, StoreItem::Notification(row))
            } else if let Some((number, row)) = self.events.pop_front() {
                self.event_bytes -= row.text.len();
                (number, StoreItem::Event(row))
            } else if let Some((number, row)) = self.exchanges.pop_front() {
                (number, StoreItem::Exchange(row))
            } else if let Some((number, gone)) = self.gone.pop_front() {
                (number, StoreItem::Gone(gone))
            } else {
                break;
            };
            batch.push(next);
        }
        batch
    }

    /// Takes back, in front, what could not be written. A call's newer row, accepted meanwhile, stays.
    pub(crate) fn put_back(&mut self, batch: Batch) {
        for (number, item) in batch.into_iter().rev() {
            match item {
                StoreItem::Call(row) => self.calls.put_back(number, row.sid, row),
                StoreItem::Recording(row) => self.recordings.put_back(number, row.sid, row),
                StoreItem::Queue(row) => self.queues.put_back(number, row.sid, row),
                StoreItem::Conference(row) => self.conferences.put_back(number, row.sid, row),
                StoreItem::Registration(row) => {
                    self.registrations.put_back(number, row.phone.clone(), row);
                }
                StoreItem::Desktop(row) => self.desktops.put_back(number, row.worker, row),
                StoreItem::Transcription(row) => self.transcriptions.put_back(number, row.sid, row),
                StoreItem::Router(RouterItem::Put(row)) => {
                    self.router.put_back(number, row.key(), RouterItem::Put(row));
                }
                StoreItem::Router(RouterItem::Gone(key)) => {
                    self.router.put_back(number, key.clone(), RouterItem::Gone(key));
                }
                StoreItem::Router(RouterItem::Event(row)) => self.router_events.push_front((number, row)),
                StoreItem::Router(RouterItem::Leaf(row)) => self.router_leaves.push_front((number, row)),
                StoreItem::Event(row) => {
                    self.event_bytes += row.text.len();
                    self.events.push_front((number, row));
                }
                StoreItem::Notification(row) => self.notifications.push_front((number, row)),
                StoreItem::Exchange(row) => self.exchanges.push_front((number, row)),
                StoreItem::Gone(gone) => self.gone.push_front((number, gone)),
            }
        }
    }

    /// Counts a row the database will never take.
    pub(crate) fn count_dropped(&mut self) {
        self.dropped += 1;
    }

    pub(crate) fn len(&self) -> usize {
        let replaced = self.calls.rows.len()
            + self.recordings.rows.len()
            + self.queues.rows.len()
            + self.conferences.rows.len()
            + self.registrations.rows.len()
            + self.desktops.rows.len()
            + self.transcriptions.rows.len()
            + self.router.rows.len()
            + self.router_events.len()
            + self.router_leaves.len();
        replaced + self.events.len() + self.notifications.len() + self.exchanges.len() + self.gone.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many rows were ever pushed; a row's number is smaller than this from then on.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Every row with a smaller number is written or dropped, provided that none is in the writer's hands.
    pub(crate) fn settled_before(&self) -> u64 {
        let heads = [
            self.calls.oldest(),
            self.recordings.oldest(),
            self.queues.oldest(),
            self.conferences.oldest(),
            self.registrations.oldest(),
            self.desktops.oldest(),
            self.transcriptions.oldest(),
            self.router.oldest(),
            self.router_events.front().map(|(number, _)| *number),
            self.router_leaves.front().map(|(number, _)| *number),
            self.events.front().map(|(number, _)| *number),
            self.notifications.front().map(|(number, _)| *number),
            self.exchanges.front().map(|(number, _)| *number),
            self.gone.front().map(|(number, _)| *number),
        ];
        heads.into_iter().flatten().min().unwrap_or(self.accepted)
    }
}

/// False: there is no room.
fn append<T>(queue: &mut VecDeque<T>, item: T, items_max: usize) -> bool {
    let room = queue.len() < items_max;
    if room {
        queue.push_back(item);
    }
    room
}

/// A queue in which a newer row takes the place of an older one with the same key.
struct Latest<K, R> {
    order: VecDeque<Numbered<K>>,
    rows: BTreeMap<K, R>,
}

impl<K: Ord + Clone, R> Latest<K, R> {
    fn push(&mut self, number: u64, key: K, row: R, rows_max: usize) -> bool {
        if let Some(waiting) = self.rows.get_mut(&key) {
            *waiting = row;
            return true;
        }
        if self.rows.len() >= rows_max {
            return false;
        }
        self.order.push_back((number, key.clone()));
        self.rows.insert(key, row);
        true
    }

    fn put_back(&mut self, number: u64, key: K, row: R) {
        if let Some(waiting) = self.order.iter_mut().find(|(_, waiting)| *waiting == key) {
            waiting.0 = waiting.0.min(number);
            return;
        }
        self.order.push_front((number, key.clone()));
        self.rows.insert(key, row);
    }

    fn pop(&mut self) -> Option<Numbered<R>> {
        let (number, key) = self.order.pop_front()?;
        let row = self.rows.remove(&key).expect("every key in the order has its row");
        Some((number, row))
    }

    fn oldest(&self) -> Option<u64> {
        self.order.iter().map(|(number, _)| *number).min()
    }
}

impl<K, R> Default for Latest<K, R> {
    fn default() -> Self {
        Self { order: VecDeque::new(), rows: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn kinds(batch: &Batch) -> String {
        batch
            .iter()
            .map(|(_, item)| match item {
                StoreItem::Call(_) => 'c',
                StoreItem::Event(_) => 'e',
                StoreItem::Recording(_) => 'r',
                StoreItem::Transcription(_) => 't',
                StoreItem::Notification(_) => 'n',
                StoreItem::Queue(_) => 'q',
                StoreItem::Conference(_) => 'f',
                StoreItem::Registration(_) => 'p',
                StoreItem::Desktop(_) => 'd',
                StoreItem::Router(_) => 'w',
                StoreItem::Exchange(_) => 'x',
                StoreItem::Gone(_) => 'g',
            })
            .collect()
    }

    #[test]
    fn only_the_latest_row_of_a_call_waits() {
        let mut pending = Pending::default();
        for caller in ["a", "b", "c"] {
            pending.push(StoreItem::Call(CallRow { from: caller.to_owned(), ..sample::call(1) }));
        }
        pending.push(StoreItem::Call(sample::call(2)));
        assert_eq!(pending.len(), 2);
        let batch = pending.take(10);
        let (_, StoreItem::Call(row)) = &batch[0] else { panic!("not a call") };
        assert_eq!((row.sid, row.from.as_str()), (sample::call(1).sid, "c"));
    }

    #[test]
    fn what_is_put_back_comes_first_and_never_over_a_newer_row() {
        let mut pending = Pending::default();
        pending.push(StoreItem::Call(sample::call(1)));
        pending.push(StoreItem::Event(sample::event(1, 0)));
        pending.push(StoreItem::Event(sample::event(1, 1)));
        let batch = pending.take(2);
        assert_eq!(kinds(&batch), "ce");
        pending.push(StoreItem::Call(CallRow { from: "newer".to_owned(), ..sample::call(1) }));
        pending.put_back(batch);
        assert_eq!(pending.settled_before(), 0, "the call put back was accepted first");
        let batch = pending.take(10);
        assert_eq!(kinds(&batch), "cee");
        let (_, StoreItem::Call(row)) = &batch[0] else { panic!("not a call") };
        assert_eq!(row.from, "newer");
        let seqs: Vec<u32> = batch
            .iter()
            .filter_map(|(_, item)| if let StoreItem::Event(row) = item { Some(row.seq) } else { None })
            .collect();
        assert_eq!(seqs, [0, 1]);
    }

    #[test]
    fn deletions_are_carried_out_last() {
        let mut pending = Pending::default();
        pending.push(StoreItem::Gone(Gone::Call(sample::call(1).sid)));
        pending.push(StoreItem::Exchange(sample::exchange(1, 0)));
        pending.push(StoreItem::Call(sample::call(1)));
        let batch = pending.take(10);
        assert_eq!(kinds(&batch), "cxg");
        pending.put_back(batch);
        assert_eq!((pending.len(), kinds(&pending.take(10)).as_str()), (3, "cxg"));
        assert!(pending.is_empty());
    }

    #[test]
    fn full_memory_drops_the_newest_and_counts() {
        let mut pending = Pending::default();
        for seq in 0..NOTIFICATIONS_PENDING_MAX + 3 {
            pending.push(StoreItem::Notification(sample::notification(seq as u128, 1)));
        }
        assert_eq!((pending.len(), pending.dropped()), (NOTIFICATIONS_PENDING_MAX, 3));
        let mut pending = Pending::default();
        let text = "x".repeat(EVENT_BYTES_PENDING_MAX / 4);
        for seq in 0..6 {
            pending.push(StoreItem::Event(EventRow { text: text.clone(), ..sample::event(1, seq) }));
        }
        assert_eq!((pending.len(), pending.dropped()), (4, 2));
        pending.take(1);
        pending.push(StoreItem::Event(EventRow { text, ..sample::event(1, 9) }));
        assert_eq!((pending.len(), pending.dropped()), (4, 2), "room came back");
    }

    #[test]
    fn settled_before_follows_the_oldest_row() {
        let mut pending = Pending::default();
        assert_eq!(pending.settled_before(), 0);
        pending.push(StoreItem::Event(sample::event(1, 0)));
        pending.push(StoreItem::Call(sample::call(1)));
        assert_eq!(pending.settled_before(), 0);
        pending.take(1);
        assert_eq!(pending.settled_before(), 0, "the event is older than the call that was taken");
        pending.take(1);
        assert_eq!(pending.settled_before(), 2);
    }
}
