//! Which desktops are open, and which workers have none any more.
//!
//! ```text
//!            opens                    the last closes
//!   nobody ────────▶ there ─────────────────────────▶ away ──grace──▶ out of the way
//!                      ▲                                │
//!                      └───────────── opens ────────────┘
//! ```
//! Who is there or away is written down: when the box stops, all are away, and the next run waits for them.
//!
//! Time is passed in. However often desktops come and go, one task waits for all who are away.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::WorkerSid;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Agent;
use crate::error::ApiError;

/// Desktops of all workers, shared between those who open, close and count them.
#[derive(Clone, Debug)]
pub struct Desktops {
    workers: Arc<Mutex<Workers>>,
    grace: Duration,
}

#[derive(Debug, Default)]
struct Workers {
    /// Sockets that are open, the oldest first.
    there: BTreeMap<WorkerSid, Vec<Arc<Notify>>>,
    /// Who has none any more, and when that is for good.
    away: BTreeMap<WorkerSid, (Instant, Agent)>,
    /// Whether somebody waits for those who are away.
    is_watched: bool,
}

/// What whoever closed a socket has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// Nothing: the worker has another one, stays as it is, or is waited for already.
    Nothing,
    /// Wait for those who are away: nobody does.
    Watch,
    /// Put the worker out of the way: too many are away to wait for one more.
    PutAway,
}

/// How long a worker may be away where nothing is said (reference: taskrouter §13.1).
const GRACE: Duration = Duration::from_secs(30);
/// Sockets of one worker; more close the oldest.
const SOCKETS_OF_WORKER_MAX: usize = 16;
/// Sockets at once; more are refused.
const SOCKETS_MAX: usize = 10_000;
/// Workers that are waited for; more are not.
const AWAY_MAX: usize = 10_000;

impl Default for Desktops {
    fn default() -> Self {
        Self::new(GRACE)
    }
}

impl Desktops {
    /// None are open yet. A worker whose last one closes may take `grace` to be back before it is put to where workers
    /// are put who do not answer (reference: taskrouter §13.1).
    pub fn new(grace: Duration) -> Self {
        Self { workers: Arc::default(), grace }
    }

    fn lock(&self) -> MutexGuard<'_, Workers> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who had a desktop when the box stopped is away. True: nobody waits for those who are, and somebody has to.
    ///
    /// They had no part in it: they have the usual time at least, however soon others count as lost.
    pub(super) fn expect(&self, agents: Vec<Agent>, now: Instant) -> bool {
        let mut workers = self.lock();
        for agent in agents.into_iter().take(AWAY_MAX) {
            if !workers.there.contains_key(&agent.worker) {
                workers.away.insert(agent.worker, (now + self.grace.max(GRACE), agent));
            }
        }
        !workers.away.is_empty() && !std::mem::replace(&mut workers.is_watched, true)
    }

    /// Whether a worker has a desktop.
    pub(super) fn is_there(&self, worker: WorkerSid) -> bool {
        self.lock().there.contains_key(&worker)
    }

    /// One more socket, which closes when it is notified. `alone`: the worker's others close.
    pub(super) fn enter(&self, worker: WorkerSid, alone: bool) -> Result<Arc<Notify>, ApiError> {
        let mut workers = self.lock();
        if workers.there.values().map(Vec::len).sum::<usize>() >= SOCKETS_MAX {
            return Err(ApiError::new(20429, "Too many sockets"));
        }
        workers.away.remove(&worker);
        let mine = workers.there.entry(worker).or_default();
        let stay = if alone { 0 } else { SOCKETS_OF_WORKER_MAX - 1 };
        let leave = mine.len().saturating_sub(stay);
        for one in mine.drain(..leave) {
            one.notify_one();
        }
        let door = Arc::new(Notify::new());
        mine.push(door.clone());
        Ok(door)
    }

    /// A socket is closed. `stays`: the worker does not want to be put out of the way.
    pub(super) fn leave(&self, agent: Agent, door: &Arc<Notify>, stays: bool, now: Instant) -> Closed {
        let mut workers = self.lock();
        let Some(mine) = workers.there.get_mut(&agent.worker) else { return Closed::Nothing };
        mine.retain(|one| !Arc::ptr_eq(one, door));
        if !mine.is_empty() {
            return Closed::Nothing;
        }
        workers.there.remove(&agent.worker);
        if stays {
            return Closed::Nothing;
        }
        if workers.away.len() >= AWAY_MAX {
            return Closed::PutAway;
        }
        workers.away.insert(agent.worker, (now + self.grace, agent));
        match std::mem::replace(&mut workers.is_watched, true) {
            true => Closed::Nothing,
            false => Closed::Watch,
        }
    }

    /// When the first of those who are away is so for good; when there is none, nobody waits any more.
    pub(super) fn next(&self) -> Option<Instant> {
        let mut workers = self.lock();
        let next = workers.away.values().map(|(due, _)| *due).min();
        workers.is_watched = next.is_some();
        next
    }

    /// Who is away for good by now.
    pub(super) fn take_due(&self, now: Instant) -> Vec<Agent> {
        let mut workers = self.lock();
        let due = workers.away.values().filter(|(due, _)| *due <= now).map(|(_, agent)| *agent);
        let due: Vec<Agent> = due.collect();
        for agent in &due {
            workers.away.remove(&agent.worker);
        }
        due
    }

    /// Whether somebody has no desktop any more, and may be back.
    #[cfg(test)]
    pub(super) fn is_away(&self, worker: WorkerSid) -> bool {
        self.lock().away.contains_key(&worker)
    }
}

#[cfg(test)]
mod tests {
    use base::WorkspaceSid;

    use super::*;

    fn agent(n: u128) -> Agent {
        Agent { workspace: WorkspaceSid(1), worker: WorkerSid(n), supervisor: false, expires_s: 0 }
    }

    fn opens(desktops: &Desktops, n: u128) -> Arc<Notify> {
        desktops.enter(WorkerSid(n), false).unwrap()
    }

    #[test]
    fn who_is_back_in_time_was_never_away_and_who_is_not_is_so_for_good() {
        let (desktops, now) = (Desktops::new(GRACE), Instant::now());
        let (first, second) = (opens(&desktops, 1), opens(&desktops, 1));
        assert_eq!(desktops.leave(agent(1), &first, false, now), Closed::Nothing, "there is another");
        assert_eq!(desktops.leave(agent(1), &second, false, now), Closed::Watch);
        assert_eq!(desktops.next(), Some(now + GRACE));
        let moment = Duration::from_millis(1);
        assert_eq!(desktops.take_due(now + GRACE - moment), []);
        let third = opens(&desktops, 1);
        assert_eq!(desktops.take_due(now + GRACE), []);
        let later = now + GRACE;
        assert_eq!(desktops.leave(agent(1), &third, false, later), Closed::Nothing, "they are watched");
        assert_eq!(desktops.take_due(later + GRACE - moment), []);
        assert_eq!(desktops.take_due(later + GRACE), [agent(1)]);
        assert_eq!((desktops.next(), desktops.take_due(later + 2 * GRACE)), (None, vec![]));
    }

    #[test]
    fn who_was_there_when_the_box_stopped_is_waited_for() {
        let now = Instant::now();
        for (grace, waits) in [(Duration::ZERO, GRACE), (GRACE * 2, GRACE * 2)] {
            let desktops = Desktops::new(grace);
            assert!(!desktops.expect(vec![], now), "nobody is to be waited for");
            opens(&desktops, 1);
            assert!(desktops.expect(vec![agent(1), agent(2), agent(3)], now));
            opens(&desktops, 3);
            assert_eq!(desktops.next(), Some(now + waits));
            assert_eq!(desktops.take_due(now + waits), [agent(2)], "who has one, or has one again, is there");
            assert_eq!(desktops.next(), None);
        }
    }

    #[test]
    fn who_wants_to_stay_stays() {
        let (desktops, now) = (Desktops::new(GRACE), Instant::now());
        let door = opens(&desktops, 1);
        assert_eq!(desktops.leave(agent(1), &door, true, now), Closed::Nothing);
        assert_eq!(desktops.next(), None);
    }

    /// A desktop that comes and goes without end costs no more than one that does so once.
    #[test]
    fn one_waits_for_all_of_whom_there_are_not_too_many() {
        let (desktops, now) = (Desktops::new(GRACE), Instant::now());
        let watches = |n| {
            let door = opens(&desktops, n);
            desktops.leave(agent(n), &door, false, now)
        };
        let mut watched: Vec<Closed> = (0..1_000).map(|_| watches(1)).collect();
        watched.extend((0..AWAY_MAX as u128).map(watches));
        assert_eq!(watched.iter().filter(|one| **one == Closed::Watch).count(), 1);
        assert!(!watched.contains(&Closed::PutAway));
        assert_eq!(watches(1_000_000), Closed::PutAway);
        assert_eq!(desktops.take_due(now + GRACE).len(), AWAY_MAX);
        assert_eq!(desktops.next(), None);
        assert_eq!(watches(1), Closed::Watch, "nobody watches any more");
    }

    #[test]
    fn a_worker_has_so_many_sockets_and_alone_one() {
        let desktops = Desktops::new(GRACE);
        let doors: Vec<_> = (0..=SOCKETS_OF_WORKER_MAX).map(|_| opens(&desktops, 1)).collect();
        assert_eq!(desktops.lock().there[&WorkerSid(1)].len(), SOCKETS_OF_WORKER_MAX);
        assert!(!desktops.lock().there[&WorkerSid(1)].iter().any(|door| Arc::ptr_eq(door, &doors[0])));
        desktops.enter(WorkerSid(1), true).unwrap();
        assert_eq!(desktops.lock().there[&WorkerSid(1)].len(), 1);
    }
}
