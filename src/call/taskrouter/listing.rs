//! One page of a list that may be long: chosen where the list is, so that nothing but the page is copied (reference:
//! taskrouter §8.1, `Ordering`).

use std::collections::BTreeSet;

use base::{Mono, TaskSid, Timestamp};
use router::Task;
use router::clock::wall;
use serde::{Deserialize, Serialize};

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
        let mut kept = BTreeSet::new();
        for place in places {
            match self.cut {
                Some((cut, true)) if place >= cut => continue,
                Some((cut, false)) if place <= cut => continue,
                Some(_) | None => {}
            }
            kept.insert(place);
            if kept.len() > self.limit as usize {
                match self.cut {
                    Some((_, true)) => kept.pop_first(),
                    Some((_, false)) | None => kept.pop_last(),
                };
            }
        }
        kept.into_iter().collect()
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
