//! Whose turn it is: of those who serve a task's queue and are free, the one its target wants, the first in its order, or
//! who was idle the longest (reference: taskrouter §5, §6.4).

use std::cmp::Ordering;

use base::{ReservationSid, TaskSid, WorkerSid};
use serde_json::Value;

use crate::event::{KnownWorkerFault, Obstacle, Why};
use crate::idle::Idle;
use crate::names::TaskAndWorker;
use crate::queue::Queue;
use crate::task::Task;
use crate::worker::{Turn, Worker};
use crate::workflow::{KnownWorker, OrderBy, Target};
use crate::workspace::Workspace;

/// Workers named who were passed over.
const PASSED_OVER_MAX: usize = 8;

impl Workspace {
    /// The first of a queue's idle workers who can take a task, and why.
    pub(crate) fn first_for(
        &self,
        task: &Task,
        target: Option<&Target>,
        queue: &Queue,
    ) -> Option<(WorkerSid, Why)> {
        let idle = queue.idle.get(&task.channel)?;
        if let Some(known) = target.and_then(|target| target.known_worker.as_ref()) {
            return self.known_for(task, target, known, queue, idle);
        }
        let order_by = target.map(|target| &target.order_by[..]).unwrap_or_default();
        let (mut passed_over, mut able, mut more) = (Vec::new(), 0, 0);
        let mut first: Option<Turn> = None;
        for (head, kind) in idle.heads() {
            // Without an order of its own whose turn it is is the one.
            if order_by.is_empty() && first.is_some_and(|first| first < head) {
                break;
            }
            // Of a kind all can take it or none, but for those that have had to do with it already.
            let mut obstacle = None;
            let free = idle.kind(kind).find(|turn| match self.obstacle(task, target, turn.worker) {
                Some(Obstacle::OfferedAlready | Obstacle::HandsItOn) => {
                    obstacle = obstacle.or(Some((turn.worker, Obstacle::OfferedAlready)));
                    false
                }
                other => {
                    obstacle = other.map(|other| (turn.worker, other));
                    true
                }
            });
            match (free, obstacle) {
                (Some(turn), None) => {
                    able += idle.count(kind);
                    let is_first = first.is_none_or(|first| self.by_order(order_by, &turn, &first).is_lt());
                    first = if is_first { Some(turn) } else { first };
                }
                (_, Some(one)) if passed_over.len() < PASSED_OVER_MAX => {
                    passed_over.push(one);
                    more += idle.count(kind) - 1;
                }
                (_, Some(_)) | (None, None) => more += idle.count(kind),
            }
        }
        let worker = first?.worker;
        let able = if order_by.is_empty() { 1 } else { able };
        let ordered = !order_by.is_empty();
        let (eligible, free) = (count(queue.eligible.len()), count(idle.len()));
        let why =
            Why::TaskCame { eligible, free, able: count(able), ordered, passed_over, more: count(more) };
        Some((worker, why))
    }

    /// Why the worker whom a task should know is nobody for this target.
    pub(crate) fn known_worker_fault(&self, sid: TaskSid, target: &Target) -> Option<KnownWorkerFault> {
        let known = target.known_worker.as_ref()?;
        let (KnownWorker::Sid(attribute) | KnownWorker::FriendlyName(attribute)) = known;
        let named = self.tasks.get(&sid)?.attributes.get(attribute).filter(|named| !named.is_null())?;
        let Some(named) = named.as_str() else { return Some(KnownWorkerFault::NotNamed) };
        let found = match known {
            KnownWorker::Sid(_) => {
                let Ok(worker) = named.parse::<WorkerSid>() else { return Some(KnownWorkerFault::NotNamed) };
                let Some(worker) = self.workers.get(&worker) else {
                    return Some(KnownWorkerFault::Elsewhere);
                };
                worker.sid
            }
            KnownWorker::FriendlyName(_) => match self.by_name.get(named).and_then(|all| all.first()) {
                Some(worker) => *worker,
                None => return Some(KnownWorkerFault::NotNamed),
            },
        };
        let serves = self.serves.get(&found).is_some_and(|queues| queues.contains(&target.queue));
        (!serves).then_some(KnownWorkerFault::NotInQueue)
    }

    /// The one whom a task names, if it is free.
    fn known_for(
        &self,
        task: &Task,
        target: Option<&Target>,
        known: &KnownWorker,
        queue: &Queue,
        idle: &Idle,
    ) -> Option<(WorkerSid, Why)> {
        let text = |attribute: &str| task.attributes.get(attribute).and_then(Value::as_str);
        let by_sid = match known {
            KnownWorker::Sid(attribute) => text(attribute).and_then(|sid| sid.parse::<WorkerSid>().ok()),
            KnownWorker::FriendlyName(_) => None,
        };
        let by_name = match known {
            KnownWorker::Sid(_) => None,
            KnownWorker::FriendlyName(attribute) => text(attribute).and_then(|name| self.by_name.get(name)),
        };
        let named = by_sid.into_iter().chain(by_name.into_iter().flatten().copied());
        let able = named
            .filter_map(|worker| idle.turn_of(worker))
            .filter(|turn| self.obstacle(task, target, turn.worker).is_none());
        let worker = able.min()?.worker;
        let other = idle.heads().map(|(turn, _)| turn.worker).find(|other| *other != worker);
        let passed_over: Vec<_> = other.map(|other| (other, Obstacle::NotTheKnownOne)).into_iter().collect();
        let more = count(idle.len() - 1 - passed_over.len());
        let (eligible, free) = (count(queue.eligible.len()), count(idle.len()));
        Some((worker, Why::TaskCame { eligible, free, able: 1, ordered: false, passed_over, more }))
    }

    fn by_order(&self, order_by: &[OrderBy], a: &Turn, b: &Turn) -> Ordering {
        // Only whole numbers order; who has none comes last.
        let value = |turn: &Turn, order: &OrderBy| {
            self.workers
                .get(&turn.worker)
                .and_then(|worker| worker.attributes.get(&order.attribute)?.as_i64())
        };
        for order in order_by {
            let ordering = match (value(a, order), value(b, order)) {
                (Some(a), Some(b)) if order.descending => b.cmp(&a),
                (Some(a), Some(b)) => a.cmp(&b),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            };
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        a.cmp(b)
    }

    /// Why an idle worker of its queue cannot take a task.
    pub(crate) fn obstacle(
        &self,
        task: &Task,
        target: Option<&Target>,
        worker: WorkerSid,
    ) -> Option<Obstacle> {
        let worker = self.workers.get(&worker)?;
        let has_it = |sid: &ReservationSid| {
            self.reservations.get(sid).is_some_and(|reservation| reservation.worker == worker.sid)
        };
        if task.reservations.iter().any(has_it) {
            return Some(Obstacle::OfferedAlready);
        }
        let by = task.transfer.as_ref().filter(|_| task.is_handed_on());
        if by.is_some_and(|transfer| transfer.worker == worker.sid) {
            return Some(Obstacle::HandsItOn);
        }
        let target = target?;
        if target.known_worker.as_ref().is_some_and(|known| !is_known(known, &task.attributes, worker)) {
            return Some(Obstacle::NotTheKnownOne);
        }
        let expression = target.expression.as_ref()?;
        let sids = (worker.sid.to_string(), worker.activity.to_string());
        let names = worker.names(&sids, &self.activities[&worker.activity]);
        let is_true = expression.is_true(&TaskAndWorker { task: &task.attributes, worker: names });
        (!is_true).then_some(Obstacle::Expression)
    }

    /// Whether nothing but its activity and its room keeps a worker from a task.
    #[cfg(test)]
    pub(crate) fn is_able(&self, task: TaskSid, worker: WorkerSid) -> bool {
        let task = &self.tasks[&task];
        let target = task.place.and_then(|place| self.target(task.sid, place));
        (target.is_some() || task.direct.is_some()) && self.obstacle(task, target, worker).is_none()
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Whether a worker is the one whom a task names.
fn is_known(known: &KnownWorker, attributes: &Value, worker: &Worker) -> bool {
    let named = |attribute: &str| attributes.get(attribute).and_then(Value::as_str);
    match known {
        KnownWorker::Sid(attribute) => named(attribute) == Some(worker.sid.to_string().as_str()),
        KnownWorker::FriendlyName(attribute) => named(attribute) == Some(worker.name.as_str()),
    }
}
