//! Status callbacks: in order within a call, independent between calls (reference: webhooks §4.2, §9).

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::CallSid;
use base::limits::CALLS_MAX;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::cookies::Jar;
use call::{FetchKind, FetchRequest};

/// Callbacks of one call that may wait; a further one takes the place of the oldest.
pub(super) const WAITING_MAX: usize = 100;

/// The same of what happens in one workspace: whoever tells a hundred workers at once to begin, or is away for some
/// minutes, hears of each all the same (reference: taskrouter §9).
const EVENTS_WAITING_MAX: usize = 5_000;

/// Calls whose callbacks may wait at a time.
const QUEUES_MAX: usize = 2 * CALLS_MAX;

/// Callbacks under way at a time.
const UNDER_WAY_MAX: usize = 256;

/// Callbacks under way to one host: a receiver that hangs for its 15 s leaves room for the others.
const UNDER_WAY_PER_HOST_MAX: usize = 32;

/// What keeps its order: the callbacks of a call, and apart from them what the debugger is told of it; those of a
/// conference, whoever's call they are about; the events of a workspace.
pub(super) type Lane = (Option<CallSid>, FetchKind);

/// The lane of a request.
pub(super) fn lane(request: &FetchRequest) -> Lane {
    let call = match request.kind {
        FetchKind::ConferenceCallback(_) => None,
        FetchKind::StatusCallback | FetchKind::RouterEvent | FetchKind::Debugger | FetchKind::Document => {
            Some(request.call)
        }
    };
    (call, request.kind)
}

/// How many of a lane may wait.
fn waiting_max((_, kind): Lane) -> usize {
    match kind {
        FetchKind::RouterEvent => EVENTS_WAITING_MAX,
        FetchKind::StatusCallback
        | FetchKind::ConferenceCallback(_)
        | FetchKind::Debugger
        | FetchKind::Document => WAITING_MAX,
    }
}

/// One callback on its way.
#[derive(Debug)]
pub(super) struct Callback {
    pub(super) request: FetchRequest,
    pub(super) jar: Jar,
}

/// Every call's waiting callbacks.
#[derive(Debug)]
pub(super) struct StatusQueues {
    queues: Mutex<BTreeMap<Lane, VecDeque<Callback>>>,
    hosts: Mutex<BTreeMap<String, Arc<Semaphore>>>,
    under_way: Arc<Semaphore>,
    dropped: AtomicU64,
}

/// What becomes of a callback that is handed in.
#[derive(Debug)]
pub(super) enum Queued {
    /// It waits behind others, one of which may have made room.
    Behind(Option<Callback>),
    /// It is the first: somebody must [`next`](StatusQueues::next) through the call's queue.
    First,
    /// Too many calls have callbacks waiting.
    Refused(Callback),
}

/// The right to make one request.
#[derive(Debug)]
pub(super) struct Turn {
    _host: OwnedSemaphorePermit,
    _any: OwnedSemaphorePermit,
}

impl StatusQueues {
    pub(super) fn new() -> Self {
        Self {
            queues: Mutex::default(),
            hosts: Mutex::default(),
            under_way: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
            dropped: AtomicU64::new(0),
        }
    }

    /// Puts a callback behind those of the same call and kind.
    pub(super) fn push(&self, callback: Callback) -> Queued {
        let lane = lane(&callback.request);
        let mut queues = lock(&self.queues);
        let room = queues.len() < QUEUES_MAX;
        match queues.get_mut(&lane) {
            Some(queue) => {
                let oldest = if queue.len() >= waiting_max(lane) { queue.pop_front() } else { None };
                self.dropped.fetch_add(oldest.iter().len() as u64, Ordering::Relaxed);
                queue.push_back(callback);
                Queued::Behind(oldest)
            }
            None if room => {
                queues.insert(lane, VecDeque::from([callback]));
                Queued::First
            }
            None => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                Queued::Refused(callback)
            }
        }
    }

    /// The lane's next callback; after `None` the next one handed in is the first again.
    pub(super) fn next(&self, lane: Lane) -> Option<Callback> {
        let mut queues = lock(&self.queues);
        let next = queues.get_mut(&lane).and_then(VecDeque::pop_front);
        if next.is_none() {
            queues.remove(&lane);
        }
        next
    }

    /// Waits until `host` may be asked. First the host's own limit: who waits for a slow host holds no place that
    /// others could use.
    pub(super) async fn turn(&self, host: &str) -> Turn {
        let at_host = {
            let mut hosts = lock(&self.hosts);
            // Nobody waits for, or is at, a host whose semaphore only the map knows.
            hosts.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
            let new = || Arc::new(Semaphore::new(UNDER_WAY_PER_HOST_MAX));
            hosts.entry(host.to_owned()).or_insert_with(new).clone()
        };
        const OPEN: &str = "these semaphores are never closed";
        let host = at_host.acquire_owned().await.expect(OPEN);
        let any = self.under_way.clone().acquire_owned().await.expect(OPEN);
        Turn { _host: host, _any: any }
    }

    /// Callbacks that were never sent because too many waited.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics between two changes, so what a panic elsewhere left is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use twiml::HttpMethod;

    use super::*;
    use call::FetchId;

    fn callback(call: u128, id: u64) -> Callback {
        let request = FetchRequest {
            id: FetchId(id),
            call: CallSid(call),
            kind: FetchKind::StatusCallback,
            dialect: twiml::Dialect::Twiml,
            url: "http://h/".to_owned(),
            method: HttpMethod::Post,
            params: Vec::new(),
        };
        Callback { request, jar: Jar::default() }
    }

    #[test]
    fn a_call_has_one_worker_and_its_order() {
        let queues = StatusQueues::new();
        assert!(matches!(queues.push(callback(1, 1)), Queued::First));
        assert!(matches!(queues.push(callback(1, 2)), Queued::Behind(None)));
        assert!(matches!(queues.push(callback(2, 3)), Queued::First));
        let ids: Vec<u64> = std::iter::from_fn(|| queues.next((Some(CallSid(1)), FetchKind::StatusCallback)))
            .map(|callback| callback.request.id.0)
            .collect();
        assert_eq!(ids, [1, 2]);
        assert!(matches!(queues.push(callback(1, 4)), Queued::First));
    }

    #[test]
    fn a_conference_has_one_worker_whoever_it_is_about() {
        let queues = StatusQueues::new();
        let of = |call, id, conference| {
            let mut callback = callback(call, id);
            callback.request.kind = FetchKind::ConferenceCallback(base::ConferenceSid(conference));
            callback
        };
        assert!(matches!(queues.push(of(1, 1, 7)), Queued::First));
        assert!(matches!(queues.push(of(2, 2, 7)), Queued::Behind(None)));
        assert!(matches!(queues.push(callback(1, 3)), Queued::First), "the call's own do not wait");
        assert!(matches!(queues.push(of(1, 4, 8)), Queued::First), "nor do another conference's");
        let lane = lane(&of(9, 0, 7).request);
        let ids: Vec<u64> =
            std::iter::from_fn(|| queues.next(lane)).map(|callback| callback.request.id.0).collect();
        assert_eq!(ids, [1, 2]);
    }

    #[test]
    fn much_may_happen_at_once_in_a_workspace() {
        let queues = StatusQueues::new();
        let event = |workspace, id| {
            let mut callback = callback(workspace, id);
            callback.request.kind = FetchKind::RouterEvent;
            callback
        };
        assert!(matches!(queues.push(event(1, 0)), Queued::First));
        for id in 1..EVENTS_WAITING_MAX as u64 {
            assert!(matches!(queues.push(event(1, id)), Queued::Behind(None)));
        }
        assert!(matches!(queues.push(event(2, 0)), Queued::First), "another workspace's do not wait");
        assert!(matches!(queues.push(event(1, 0)), Queued::Behind(Some(oldest)) if oldest.request.id.0 == 0));
        let lane = lane(&event(1, 0).request);
        let ids = std::iter::from_fn(|| queues.next(lane)).map(|callback| callback.request.id.0);
        assert!(ids.take(EVENTS_WAITING_MAX - 1).eq(1..EVENTS_WAITING_MAX as u64), "in their order");
    }

    #[test]
    fn the_oldest_makes_room_and_is_counted() {
        let queues = StatusQueues::new();
        queues.push(callback(1, 0));
        for id in 1..WAITING_MAX as u64 {
            assert!(matches!(queues.push(callback(1, id)), Queued::Behind(None)));
        }
        let Queued::Behind(Some(oldest)) = queues.push(callback(1, 1_000)) else { panic!("it was full") };
        assert_eq!((oldest.request.id, queues.dropped()), (FetchId(0), 1));
    }

    #[test]
    fn calls_beyond_the_limit_are_refused() {
        let queues = StatusQueues::new();
        for call in 0..QUEUES_MAX as u128 {
            assert!(matches!(queues.push(callback(call, 0)), Queued::First));
        }
        assert!(matches!(queues.push(callback(u128::MAX, 7)), Queued::Refused(_)));
        assert!(matches!(queues.push(callback(0, 8)), Queued::Behind(None)));
        assert_eq!(queues.dropped(), 1);
    }

    #[tokio::test]
    async fn a_hanging_host_leaves_room_for_others() {
        let queues = StatusQueues::new();
        let mut hanging = Vec::new();
        for _ in 0..UNDER_WAY_PER_HOST_MAX {
            hanging.push(queues.turn("slow").await);
        }
        let waits = tokio::time::timeout(std::time::Duration::from_millis(20), queues.turn("slow")).await;
        assert!(waits.is_err());
        queues.turn("quick").await;
        drop(hanging);
        queues.turn("slow").await;
        assert!(lock(&queues.hosts).len() <= 2);
    }
}
