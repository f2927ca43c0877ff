//! What waits in a queue on one channel: in its order, and by what a worker's answer to it depends on.
//!
//! Of two tasks at the same target, with the same values of what the target's expression reads of a task, a worker takes
//! both or neither. They are of one class, and a worker who becomes free asks of each class once, however many wait: a
//! queue of a hundred thousand tasks that it cannot take costs it as much as the kinds of them there are. Tasks for a
//! known worker are found by that worker alone.

use std::collections::{BTreeMap, BTreeSet};

use base::{TaskSid, WorkflowSid};
use serde::{Deserialize, Serialize};

use crate::queue::Rank;
use crate::task::Place;

/// What a worker's answer depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Class {
    /// At which target; `None`: at none, whoever serves the queue takes it.
    pub(crate) place: Option<(WorkflowSid, Place)>,
    /// What the target's expression reads of the task, as JSON.
    pub(crate) values: String,
    /// The worker it names, by sid or by name; a task that should name one and does not is nobody's.
    pub(crate) known: Option<String>,
}

/// A task's place, and the number of its class.
type Head = (Rank, TaskSid, u32);

/// Those who wait, the first first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    members: BTreeMap<TaskSid, (Rank, u32)>,
    classes: BTreeMap<u32, (Class, BTreeSet<(Rank, TaskSid)>)>,
    #[serde(with = "crate::as_list")]
    numbers: BTreeMap<Class, u32>,
    /// The first of each class that anybody may take.
    heads: BTreeSet<Head>,
    /// The first of each class that a known worker may take, by that.
    known: BTreeMap<String, BTreeSet<Head>>,
    /// The number of the next class.
    next: u32,
}

impl Line {
    pub(crate) fn insert(&mut self, sid: TaskSid, rank: Rank, class: Class) {
        self.remove(sid);
        let number = match self.numbers.get(&class) {
            Some(number) => *number,
            None => {
                self.next = self.next.wrapping_add(1);
                self.numbers.insert(class.clone(), self.next);
                self.next
            }
        };
        self.members.insert(sid, (rank, number));
        if let Some((_, tasks)) = self.classes.get_mut(&number)
            && tasks.first().is_some_and(|first| *first < (rank, sid))
        {
            tasks.insert((rank, sid));
            return;
        }
        self.take_head(number);
        self.classes.entry(number).or_insert_with(|| (class, BTreeSet::new())).1.insert((rank, sid));
        self.put_head(number);
    }

    pub(crate) fn remove(&mut self, sid: TaskSid) {
        let Some((rank, number)) = self.members.remove(&sid) else { return };
        self.take_head(number);
        let Some((class, tasks)) = self.classes.get_mut(&number) else { return };
        tasks.remove(&(rank, sid));
        if tasks.is_empty() {
            self.numbers.remove(class);
            self.classes.remove(&number);
        }
        self.put_head(number);
    }

    pub(crate) fn contains(&self, sid: TaskSid) -> bool {
        self.members.contains_key(&sid)
    }

    /// The first of each class after this place, in their order: of those for anybody, and for who is known by `names`.
    pub(crate) fn heads<'l>(
        &'l self,
        names: &'l [String; 2],
        after: Option<(Rank, TaskSid)>,
    ) -> impl Iterator<Item = Head> + 'l {
        let from = after.map_or((Rank::FIRST, TaskSid(0), 0), |(rank, sid)| (rank, sid, u32::MAX));
        let mut anybody = self.heads.range(from..).copied().peekable();
        let known =
            names.iter().filter_map(|name| self.known.get(name)).flat_map(move |heads| heads.range(from..));
        let mut known: Vec<Head> = known.copied().collect();
        known.sort_unstable_by(|a, b| b.cmp(a));
        std::iter::from_fn(move || match (anybody.peek(), known.last()) {
            (Some(one), Some(other)) if other < one => known.pop(),
            (None, _) => known.pop(),
            (Some(_), _) => anybody.next(),
        })
    }

    /// All of a class, the first first.
    pub(crate) fn class(&self, number: u32) -> impl Iterator<Item = (Rank, TaskSid)> {
        self.classes.get(&number).into_iter().flat_map(|(_, tasks)| tasks.iter().copied())
    }

    fn take_head(&mut self, number: u32) {
        let Some((class, tasks)) = self.classes.get(&number) else { return };
        let Some((rank, sid)) = tasks.first().copied() else { return };
        match &class.known {
            None => {
                self.heads.remove(&(rank, sid, number));
            }
            Some(name) => {
                let Some(heads) = self.known.get_mut(name) else { return };
                heads.remove(&(rank, sid, number));
                if heads.is_empty() {
                    self.known.remove(name);
                }
            }
        }
    }

    fn put_head(&mut self, number: u32) {
        let Some((class, tasks)) = self.classes.get(&number) else { return };
        let Some((rank, sid)) = tasks.first().copied() else { return };
        let heads = match &class.known {
            None => &mut self.heads,
            Some(name) => self.known.entry(name.clone()).or_default(),
        };
        heads.insert((rank, sid, number));
    }

    /// Everybody, in no order.
    #[cfg(test)]
    pub(crate) fn members(&self) -> impl Iterator<Item = (TaskSid, Rank)> {
        self.members.iter().map(|(sid, (rank, _))| (*sid, *rank))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(values: &str, known: Option<&str>) -> Class {
        Class { place: None, values: values.to_owned(), known: known.map(str::to_owned) }
    }

    #[test]
    fn each_class_is_asked_once_and_in_the_order_of_the_line() {
        let mut line = Line::default();
        for (sid, rank, values, known) in [
            (1, 10, "de", None),
            (2, 20, "fr", None),
            (3, 5, "fr", None),
            (4, 7, "", Some("name:ann")),
            (5, 30, "de", None),
            (6, 1, "", Some("name:bob")),
        ] {
            line.insert(TaskSid(sid), Rank::of(rank), class(values, known));
        }
        let names = |name: &str| [format!("name:{name}"), "sid:WK1".to_owned()];
        let heads = |line: &Line, name: &str| {
            line.heads(&names(name), None).map(|(_, sid, _)| sid.0).collect::<Vec<_>>()
        };
        assert_eq!(heads(&line, "ann"), [3, 4, 1]);
        assert_eq!(heads(&line, "bob"), [6, 3, 1]);
        assert_eq!(heads(&line, "cat"), [3, 1]);
        let ann = names("ann");
        let after = line.heads(&ann, Some((Rank::of(5), TaskSid(3)))).map(|(_, sid, _)| sid.0);
        assert_eq!(after.collect::<Vec<_>>(), [4, 1]);
        line.remove(TaskSid(3));
        line.insert(TaskSid(1), Rank::of(40), class("de", None));
        assert_eq!(
            heads(&line, "cat"),
            [2, 5],
            "the next of a class comes up; who moves leaves nothing behind"
        );
        for sid in 1..=6 {
            line.remove(TaskSid(sid));
        }
        assert_eq!(Line { next: 0, ..line }, Line::default(), "nothing is left of nobody");
    }
}
