//! One page of a list that may be long: chosen where the list is, so that nothing but the page is copied (reference:
//! taskrouter §8.1, `Ordering`).

use std::collections::BTreeSet;

use base::{ActivitySid, Mono, TaskQueueSid, TaskSid, Timestamp, WorkerSid};
use router::clock::wall;
use router::{Expr, Json, QueueConfig, Task, Worker, WorkerNames};
use serde::{Deserialize, Serialize};

use super::ask::WorkerView;
use super::desk::Desk;
use super::rest_manage::NamedQueue;

/// What tasks are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskKey {
    /// `DateCreated`.
    Created,
    /// `VirtualStartTime`.
    Started,
    /// `Priority`.
    Priority,
}

/// In which order tasks are shown: one key, or priority and a date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskOrdering(Vec<(TaskKey, bool)>);

/// Which page of which order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskPage {
    /// The order.
    pub ordering: TaskOrdering,
    /// Where it begins, or ends when it is true: beyond this place.
    pub cut: Option<((Timestamp, TaskSid), bool)>,
    /// Tasks at most.
    pub limit: u32,
}

impl Default for TaskOrdering {
    fn default() -> Self {
        Self(vec![(TaskKey::Created, false)])
    }
}

impl TaskOrdering {
    /// `DateCreated:asc`, or two by comma; `None`: it is none (reference: taskrouter §8.1).
    pub fn parse(text: &str) -> Option<Self> {
        let mut keys = Vec::new();
        for pair in text.split(',') {
            let (name, direction) = pair.trim().split_once(':').unwrap_or((pair.trim(), "asc"));
            let key = match name {
                "DateCreated" => TaskKey::Created,
                "VirtualStartTime" => TaskKey::Started,
                "Priority" => TaskKey::Priority,
                _ => return None,
            };
            let descending = match direction {
                "asc" => false,
                "desc" => true,
                _ => return None,
            };
            keys.push((key, descending));
        }
        let priorities = keys.iter().filter(|(key, _)| *key == TaskKey::Priority).count();
        // The two dates do not go together.
        matches!((keys.len(), priorities), (1, _) | (2, 1)).then_some(Self(keys))
    }

    /// A task's place: whole microseconds where a date stands alone; of two keys, dates count in seconds.
    pub fn place(&self, task: &Task, created: Timestamp) -> Timestamp {
        let started = || {
            wall(Mono(
                task.born.0.saturating_sub(u64::try_from(task.head_start.as_nanos()).unwrap_or(u64::MAX)),
            ))
        };
        let date = |key: TaskKey| if key == TaskKey::Started { started() } else { created };
        if let [(key @ (TaskKey::Created | TaskKey::Started), descending)] = self.0[..] {
            let at = date(key).0;
            return Timestamp(if descending { -at } else { at });
        }
        // Priority alone has the older of equals first.
        let oldest = (TaskKey::Created, false);
        let keys = [self.0.first().copied(), Some(self.0.get(1).copied().unwrap_or(oldest))];
        let place = keys.into_iter().flatten().fold(0_i64, |place, (key, descending)| {
            let (bits, value) = match key {
                TaskKey::Priority => (31, i64::from(task.priority)),
                TaskKey::Created | TaskKey::Started => {
                    (32, (date(key).0 / 1_000_000).clamp(0, (1 << 32) - 1))
                }
            };
            let most = (1_i64 << bits) - 1;
            (place << bits) | if descending { most - value.min(most) } else { value.min(most) }
        });
        Timestamp(place)
    }
}

impl TaskPage {
    /// The places on the page, in their order.
    pub(super) fn choose(
        &self,
        places: impl Iterator<Item = (Timestamp, TaskSid)>,
    ) -> Vec<(Timestamp, TaskSid)> {
        choose(self.cut, self.limit, places)
    }
}

/// The first places after a cut, or the last before it, in their order.
fn choose<Sid: Copy + Ord>(
    cut: Option<((Timestamp, Sid), bool)>,
    limit: u32,
    places: impl Iterator<Item = (Timestamp, Sid)>,
) -> Vec<(Timestamp, Sid)> {
    let mut kept = BTreeSet::new();
    for place in places {
        match cut {
            Some((cut, true)) if place >= cut => continue,
            Some((cut, false)) if place <= cut => continue,
            Some(_) | None => {}
        }
        kept.insert(place);
        if kept.len() > limit as usize {
            match cut {
                Some((_, true)) => kept.pop_first(),
                Some((_, false)) | None => kept.pop_last(),
            };
        }
    }
    kept.into_iter().collect()
}

/// By which date workers and queues are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DateKey {
    /// `DateCreated`.
    Created,
    /// `DateUpdated`.
    Updated,
    /// `DateStatusChanged`; a worker's.
    StatusChanged,
}

/// Which page of workers or queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatePage<Sid> {
    /// By which date.
    pub by: DateKey,
    /// The newest first.
    pub descending: bool,
    /// Where it begins, or ends when it is true: beyond this place.
    pub cut: Option<((Timestamp, Sid), bool)>,
    /// At most.
    pub limit: u32,
}

impl<Sid> DatePage<Sid> {
    /// Where something of that date stands.
    pub fn place(&self, at: Timestamp) -> Timestamp {
        if self.descending { Timestamp(at.0.saturating_neg()) } else { at }
    }
}

/// Which workers; what is `None` does not matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerFilter {
    /// Of this name.
    pub name: Option<String>,
    /// Doing this.
    pub activity: Option<ActivitySid>,
    /// Doing what is called so.
    pub activity_name: Option<String>,
    /// Doing something in which tasks are taken.
    pub available: Option<bool>,
    /// Who may serve this queue.
    pub queue: Option<TaskQueueSid>,
    /// Who may serve a queue of this name.
    pub queue_name: Option<String>,
    /// Who makes this true (`TargetWorkersExpression`).
    pub expression: Option<Expr>,
    /// Of those only this page.
    pub page: DatePage<WorkerSid>,
}

/// Which task queues; what is `None` does not matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueFilter {
    /// Of this name.
    pub name: Option<String>,
    /// Which a worker with these attributes might serve (`EvaluateWorkerAttributes`).
    pub attributes: Option<Json>,
    /// Which this worker may serve.
    pub worker: Option<WorkerSid>,
    /// Of those only this page.
    pub page: DatePage<TaskQueueSid>,
}

impl Desk {
    pub(super) fn workers_page(&self, filter: &WorkerFilter) -> Vec<WorkerView> {
        let page = &filter.page;
        let named: Option<BTreeSet<TaskQueueSid>> = filter.queue_name.as_ref().map(|name| {
            self.core.queues().filter(|queue| queue.name == *name).map(|queue| queue.sid).collect()
        });
        let is_wanted = |worker: &&Worker| {
            let Some(activity) = self.core.activity(worker.activity) else { return false };
            let is_true = |expression: &Expr| {
                let sids = (worker.sid.to_string(), worker.activity.to_string());
                expression.is_true(&WorkerNames {
                    attributes: &worker.attributes,
                    sid: &sids.0,
                    friendly_name: &worker.name,
                    activity_sid: &sids.1,
                    activity_name: &activity.name,
                })
            };
            filter.name.as_ref().is_none_or(|name| worker.name == *name)
                && filter.activity.is_none_or(|sid| activity.sid == sid)
                && filter.activity_name.as_ref().is_none_or(|name| activity.name == *name)
                && filter.available.is_none_or(|wanted| activity.available == wanted)
                && filter.queue.is_none_or(|queue| self.core.serves(worker.sid).any(|one| one == queue))
                && named
                    .as_ref()
                    .is_none_or(|named| self.core.serves(worker.sid).any(|one| named.contains(&one)))
                && filter.expression.as_ref().is_none_or(is_true)
        };
        let places = self.core.workers().filter(is_wanted).filter_map(|worker| {
            let dates = self.workers.get(&worker.sid)?;
            let at = match page.by {
                DateKey::Created => dates.created,
                DateKey::Updated => dates.updated,
                DateKey::StatusChanged => wall(worker.since),
            };
            Some((page.place(at), worker.sid))
        });
        let chosen = choose(page.cut, page.limit, places);
        chosen.into_iter().filter_map(|(_, sid)| self.list_workers(Some(sid)).pop()).collect()
    }

    pub(super) fn queues_page(&self, filter: &QueueFilter) -> Vec<NamedQueue> {
        let page = &filter.page;
        let is_wanted = |queue: &&QueueConfig| {
            let takes = |attributes: &Json| queue.target_workers.is_true(attributes);
            filter.name.as_ref().is_none_or(|name| queue.name == *name)
                && filter.attributes.as_ref().is_none_or(takes)
                && filter.worker.is_none_or(|worker| self.core.serves(worker).any(|one| one == queue.sid))
        };
        let places = self.core.queues().filter(is_wanted).filter_map(|queue| {
            let (_, dates) = self.queues.get(&queue.sid)?;
            let at = if page.by == DateKey::Updated { dates.updated } else { dates.created };
            Some((page.place(at), queue.sid))
        });
        let chosen = choose(page.cut, page.limit, places);
        chosen.into_iter().filter_map(|(_, sid)| self.list_queues(Some(sid)).pop()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_ordered_by() {
        for good in [
            "DateCreated:asc",
            "Priority:desc",
            "VirtualStartTime:desc,Priority:asc",
            "Priority:desc,DateCreated:asc",
        ] {
            assert!(TaskOrdering::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "Age:asc",
            "Priority:down",
            "DateCreated:asc,VirtualStartTime:asc",
            "Priority:asc,Priority:asc",
        ] {
            assert_eq!(TaskOrdering::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_page_is_cut_on_either_side() {
        let all = || (1..=9).rev().map(|n| (Timestamp(n), TaskSid(1)));
        let page = |cut: Option<(i64, bool)>| {
            let cut = cut.map(|(at, back)| ((Timestamp(at), TaskSid(1)), back));
            let page = TaskPage { ordering: TaskOrdering::default(), cut, limit: 3 };
            page.choose(all()).into_iter().map(|(at, _)| at.0).collect::<Vec<_>>()
        };
        assert_eq!(
            (page(None), page(Some((3, false))), page(Some((7, true)))),
            (vec![1, 2, 3], vec![4, 5, 6], vec![4, 5, 6])
        );
        assert_eq!((page(Some((8, false))), page(Some((2, true)))), (vec![9], vec![1]));
    }
}
