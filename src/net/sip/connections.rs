//! The table of stream connections: which one a flow means, and how much waits for each peer.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sip::{Flow, TransportKind};
use tokio::sync::{mpsc, oneshot};

/// Every open or opening connection by its flow.
///
/// A connection is known by the flow its messages are handed on with. For one that a peer opened that is its two
/// real ends; one opened by us keeps the local address it was asked for with (a listener's), so that answers
/// and the news of its end carry the flow the request was sent on.
#[derive(Debug, Default)]
pub(super) struct Connections {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    open: BTreeMap<Key, Entry>,
    per_source: BTreeMap<IpAddr, usize>,
    last_id: u64,
}

/// Remote before local: a peer's connections stand side by side.
type Key = (TransportKind, SocketAddr, SocketAddr);

#[derive(Debug)]
struct Entry {
    id: u64,
    outbox: Outbox,
    close: oneshot::Sender<TakenOut>,
}

/// The way into one connection's queue.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    queue: mpsc::Sender<Vec<u8>>,
    bytes: Arc<AtomicUsize>,
    bytes_max: usize,
}

/// What waits for a connection's peer to read it.
#[derive(Debug)]
pub(super) struct Queue {
    queue: mpsc::Receiver<Vec<u8>>,
    bytes: Arc<AtomicUsize>,
}

/// The peer does not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overfull;

/// Why a connection was taken out of the table before it ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TakenOut {
    /// More waited for its peer than may.
    Overfull,
    /// Its peer opened another between the same two ends.
    Replaced,
}

/// One connection's place in the table; dropping it takes the connection out.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    pub(super) flow: Flow,
    pub(super) outbox: Outbox,
    id: u64,
    closed: oneshot::Receiver<TakenOut>,
}

/// What became of a message for a stream.
#[derive(Debug)]
pub(super) enum Sent {
    /// It waits to be written.
    Queued,
    /// Its connection's peer does not read; the connection is no longer in the table, which closes it.
    Overfull,
    /// There is no connection: here is the place of a new one, the message already waiting in its queue.
    Open(Place, Queue),
    /// There is no connection and no room for another.
    NoRoom,
}

impl Connections {
    /// Queues `bytes` on the connection `flow` means: the very flow, or any other to the same peer.
    pub(super) fn send(self: &Arc<Self>, flow: Flow, bytes: Vec<u8>, limits: &super::SipLimits) -> Sent {
        let mut table = self.lock();
        if let Some(key) = table.find(flow) {
            let entry = &table.open[&key];
            return match entry.outbox.send(bytes) {
                Ok(()) => Sent::Queued,
                Err(Overfull) => {
                    table.take_out(key, TakenOut::Overfull);
                    Sent::Overfull
                }
            };
        }
        let Some((place, queue)) = self.enter(&mut table, flow, limits) else { return Sent::NoRoom };
        // Released first: a place that is dropped takes the lock.
        drop(table);
        match place.outbox.send(bytes) {
            Ok(()) => Sent::Open(place, queue),
            Err(Overfull) => Sent::NoRoom,
        }
    }

    /// A place for a connection that a peer opened; `None` when there are too many.
    pub(super) fn accept(self: &Arc<Self>, flow: Flow, limits: &super::SipLimits) -> Option<(Place, Queue)> {
        self.enter(&mut self.lock(), flow, limits)
    }

    fn enter(
        self: &Arc<Self>,
        table: &mut Table,
        flow: Flow,
        limits: &super::SipLimits,
    ) -> Option<(Place, Queue)> {
        let source = flow.remote.ip().to_canonical();
        let from_source = table.per_source.get(&source).copied().unwrap_or(0);
        if table.open.len() >= limits.connections_max || from_source >= limits.connections_per_source_max {
            return None;
        }
        // The same two ends again: the peer has forgotten the older connection.
        table.take_out(key(flow), TakenOut::Replaced);
        let (queue, waiting) = mpsc::channel(limits.queued_messages_max.max(1));
        let bytes = Arc::new(AtomicUsize::new(0));
        let outbox = Outbox { queue, bytes: bytes.clone(), bytes_max: limits.queued_bytes_max };
        table.last_id += 1;
        let id = table.last_id;
        *table.per_source.entry(source).or_default() += 1;
        let (close, closed) = oneshot::channel();
        table.open.insert(key(flow), Entry { id, outbox: outbox.clone(), close });
        let place = Place { connections: self.clone(), flow, outbox, id, closed };
        Some((place, Queue { queue: waiting, bytes }))
    }

    /// Waits until no connection is left.
    pub(super) async fn empty(&self) {
        /// Only a stop waits here, and not for long.
        const LOOK_AGAIN: Duration = Duration::from_millis(5);
        while self.len() > 0 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// How many connections are open or opening.
    pub(super) fn len(&self) -> usize {
        self.lock().open.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing panics between two changes of the table, so a poisoned one is whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn find(&self, flow: Flow) -> Option<Key> {
        let exact = key(flow);
        if self.open.contains_key(&exact) {
            return Some(exact);
        }
        let (key, _) = self.open.range((flow.transport, flow.remote, LOWEST)..).next()?;
        ((key.0, key.1) == (flow.transport, flow.remote)).then_some(*key)
    }

    fn take_out(&mut self, key: Key, why: TakenOut) {
        if let Some(entry) = self.remove(key) {
            // Nobody listens when the connection ends by itself at this moment.
            let _ = entry.close.send(why);
        }
    }

    fn remove(&mut self, key: Key) -> Option<Entry> {
        let entry = self.open.remove(&key)?;
        let source = key.1.ip().to_canonical();
        if let Some(count) = self.per_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.per_source.remove(&source);
            }
        }
        Some(entry)
    }
}

impl Outbox {
    /// Queues a message, never waits.
    pub(super) fn send(&self, bytes: Vec<u8>) -> Result<(), Overfull> {
        let length = bytes.len();
        if self.bytes.fetch_add(length, Ordering::Relaxed) + length > self.bytes_max {
            return Err(Overfull);
        }
        self.queue.try_send(bytes).map_err(|_| Overfull)
    }
}

impl Queue {
    /// The next message to write; `None` when nobody can queue another.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        self.queue.recv().await
    }

    /// What still waits, without waiting for more.
    pub(super) fn next_waiting(&mut self) -> Option<Vec<u8>> {
        self.queue.try_recv().ok()
    }

    /// Says that a message of `length` bytes no longer waits.
    pub(super) fn written(&self, length: usize) {
        self.bytes.fetch_sub(length, Ordering::Relaxed);
    }
}

impl Place {
    /// Waits until the connection is taken out of the table.
    pub(super) async fn taken_out(&mut self) -> TakenOut {
        match (&mut self.closed).await {
            Ok(why) => why,
            // The table says why whenever it forgets a connection; a place that is gone forgets itself.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.connections.lock();
        if table.open.get(&key(self.flow)).is_some_and(|entry| entry.id == self.id) {
            table.remove(key(self.flow));
        }
    }
}

fn key(flow: Flow) -> Key {
    (flow.transport, flow.remote, flow.local)
}

/// The address that sorts before every other.
const LOWEST: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::SipLimits;

    fn flow(local: &str, remote: &str) -> Flow {
        Flow { transport: TransportKind::Tcp, local: local.parse().unwrap(), remote: remote.parse().unwrap() }
    }

    const OURS: &str = "10.0.0.1:5060";
    const PHONE: &str = "10.0.0.2:40000";

    #[test]
    fn a_flow_finds_its_connection_then_any_to_the_same_peer() {
        let connections = Arc::new(Connections::default());
        let limits = SipLimits::default();
        let (_first, mut first) = connections.accept(flow("10.0.0.1:5060", PHONE), &limits).unwrap();
        let (_second, mut second) = connections.accept(flow("10.0.0.9:5060", PHONE), &limits).unwrap();
        for (local, text) in [("10.0.0.9:5060", "exact"), ("10.0.0.3:5060", "any")] {
            let sent = connections.send(flow(local, PHONE), text.into(), &limits);
            assert!(matches!(sent, Sent::Queued), "{text}");
        }
        assert_eq!(second.next_waiting().unwrap(), b"exact");
        assert_eq!(first.next_waiting().unwrap(), b"any");
        let other = connections.send(flow(OURS, "10.0.0.2:40001"), b"new".to_vec(), &limits);
        let Sent::Open(place, mut queue) = other else { panic!("another port is another peer") };
        assert_eq!(queue.next_waiting().unwrap(), b"new");
        drop(place);
        assert_eq!(connections.len(), 2);
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_loses_its_connection() {
        let limits = SipLimits { queued_messages_max: 3, queued_bytes_max: 10, ..SipLimits::default() };
        for (message, fit) in [(&b"1"[..], 3), (b"12345", 2), (b"12345678901", 0)] {
            let connections = Arc::new(Connections::default());
            let (mut place, mut queue) = connections.accept(flow(OURS, PHONE), &limits).unwrap();
            for n in 0..fit {
                let sent = connections.send(flow(OURS, PHONE), message.to_vec(), &limits);
                assert!(matches!(sent, Sent::Queued), "{n} of {fit}");
            }
            let sent = connections.send(flow(OURS, PHONE), message.to_vec(), &limits);
            assert!(matches!(sent, Sent::Overfull));
            assert_eq!((place.taken_out().await, connections.len()), (TakenOut::Overfull, 0));
            assert_eq!(std::iter::from_fn(|| queue.next_waiting()).count(), fit);
        }
    }

    #[test]
    fn room_is_limited_in_all_and_by_source_and_comes_back() {
        let connections = Arc::new(Connections::default());
        let limits = SipLimits { connections_max: 3, connections_per_source_max: 2, ..SipLimits::default() };
        let mut places: Vec<_> = ["10.0.0.2:1", "10.0.0.2:2"]
            .map(|remote| connections.accept(flow(OURS, remote), &limits).unwrap())
            .into();
        assert!(connections.accept(flow(OURS, "10.0.0.2:3"), &limits).is_none());
        places.push(connections.accept(flow(OURS, "10.0.0.3:1"), &limits).unwrap());
        assert!(connections.accept(flow(OURS, "10.0.0.4:1"), &limits).is_none());
        assert!(matches!(connections.send(flow(OURS, "10.0.0.4:1"), Vec::new(), &limits), Sent::NoRoom));
        places.remove(0);
        assert!(connections.accept(flow(OURS, "10.0.0.2:3"), &limits).is_some());
    }

    #[tokio::test]
    async fn the_same_ends_again_replace_the_older_connection() {
        let connections = Arc::new(Connections::default());
        let limits = SipLimits::default();
        let (mut old, _) = connections.accept(flow(OURS, PHONE), &limits).unwrap();
        let (new, mut queue) = connections.accept(flow(OURS, PHONE), &limits).unwrap();
        assert_eq!(old.taken_out().await, TakenOut::Replaced);
        drop(old);
        new.outbox.send(b"pong".to_vec()).unwrap();
        assert_eq!(queue.next_waiting().unwrap(), b"pong");
    }
}
