//! What the names in an expression stand for, in each place where expressions stand (reference: taskrouter §10).

use std::borrow::Cow;

use serde_json::Value;

use crate::expr::{Names, Step};

/// A target's expression: `task.…` and `worker.…`, and of the worker also what is no attribute.
#[derive(Clone, Copy, Debug)]
pub struct TaskAndWorker<'v> {
    /// The task's attributes.
    pub task: &'v Value,
    /// The worker.
    pub worker: WorkerNames<'v>,
}

/// A worker: its attributes, and what it has besides.
#[derive(Clone, Copy, Debug)]
pub struct WorkerNames<'v> {
    /// Its attributes.
    pub attributes: &'v Value,
    /// `sid`.
    pub sid: &'v str,
    /// `friendly_name`.
    pub friendly_name: &'v str,
    /// `activity_sid`.
    pub activity_sid: &'v str,
    /// `activity_name`.
    pub activity_name: &'v str,
}

/// `skip_if`: how many of a queue's workers are in which activity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerCounts {
    /// In an activity that takes tasks, whether they have room for one or not.
    pub available: u32,
    /// In one that does not.
    pub unavailable: u32,
    /// In each, by its sid.
    pub by_activity: std::collections::BTreeMap<String, u32>,
}

impl Names for WorkerNames<'_> {
    fn value(&self, key: &[Step]) -> Option<Cow<'_, Value>> {
        if let [Step::Name(name)] = key {
            let own = match name.as_str() {
                "sid" => Some(self.sid),
                "friendly_name" => Some(self.friendly_name),
                "activity_sid" => Some(self.activity_sid),
                "activity_name" => Some(self.activity_name),
                _ => None,
            };
            if let Some(own) = own {
                return Some(Cow::Owned(Value::from(own)));
            }
        }
        self.attributes.value(key)
    }
}

impl Names for TaskAndWorker<'_> {
    fn value(&self, key: &[Step]) -> Option<Cow<'_, Value>> {
        match key {
            [Step::Name(whose), rest @ ..] if whose == "task" && !rest.is_empty() => self.task.value(rest),
            [Step::Name(whose), rest @ ..] if whose == "worker" && !rest.is_empty() => {
                self.worker.value(rest)
            }
            _ => None,
        }
    }
}

impl Names for WorkerCounts {
    fn value(&self, key: &[Step]) -> Option<Cow<'_, Value>> {
        let [Step::Name(whose), Step::Name(name)] = key else { return None };
        let count = match name.as_str() {
            _ if whose != "workers" => return None,
            "available" => self.available,
            "unavailable" => self.unavailable,
            activity => self.by_activity.get(activity).copied().unwrap_or(0),
        };
        Some(Cow::Owned(Value::from(count)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Expr;

    fn is_true(text: &str, names: &dyn Names) -> bool {
        Expr::parse(text).unwrap().is_true(names)
    }

    #[test]
    fn a_target_sees_the_task_and_the_worker_by_their_prefix() {
        let task = json!({"language": "de", "last_agent": "WK1"});
        let attributes = json!({"languages": ["de"], "level": 3, "sid": "mine"});
        let worker = WorkerNames {
            attributes: &attributes,
            sid: "WK1",
            friendly_name: "Ann",
            activity_sid: "WA1",
            activity_name: "Available",
        };
        let names = TaskAndWorker { task: &task, worker };
        for (text, expected) in [
            ("worker.languages HAS task.language", true),
            ("worker.level > 2 AND worker.friendly_name == 'Ann'", true),
            ("worker.sid == task.last_agent", true),
            ("worker.activity_name == 'Available' AND worker.activity_sid != 'WA2'", true),
            ("language == 'de'", false),
            ("task == 'de'", false),
            ("customer.language == null", true),
        ] {
            assert_eq!(is_true(text, &names), expected, "{text}");
        }
        assert!(is_true("level == 3 AND sid == 'WK1'", &worker), "the list of workers needs no prefix");
    }

    #[test]
    fn skip_if_counts_workers() {
        let counts =
            WorkerCounts { available: 0, unavailable: 3, by_activity: [("WA1".to_owned(), 2)].into() };
        for (text, expected) in [
            ("workers.available == 0", true),
            ("workers.unavailable > 3 OR workers.WA1 >= 2", true),
            ("workers.WA9 == 0", true),
            ("available == 0", false),
            ("1==1", true),
        ] {
            assert_eq!(is_true(text, &counts), expected, "{text}");
        }
    }
}
