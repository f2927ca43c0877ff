//! Who of a queue is free on a channel: in the order of their turns, and by what a target's answer to them depends on.
//!
//! Of two workers with the same values of what the queue's targets read of a worker, a task is for both or for neither.
//! They are of one kind, and a task asks of each kind once, however many there are: one that none of ten thousand can
//! take costs as much as the kinds of them there are.

use std::collections::{BTreeMap, BTreeSet};

use base::WorkerSid;

use crate::expr::{Names, Step};
use crate::names::WorkerNames;
use crate::worker::Turn;

/// What a queue's targets read of a worker.
pub(crate) type Reads = BTreeSet<Vec<Step>>;

/// The free ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Idle {
    members: BTreeMap<WorkerSid, (Turn, u32)>,
    kinds: BTreeMap<u32, (String, BTreeSet<Turn>)>,
    numbers: BTreeMap<String, u32>,
    /// The first of each kind.
    heads: BTreeSet<(Turn, u32)>,
    /// The number of the next kind.
    next: u32,
}

impl Idle {
    pub(crate) fn insert(&mut self, turn: Turn, kind: &str) {
        self.remove(turn.worker);
        let number = match self.numbers.get(kind) {
            Some(number) => *number,
            None => {
                self.next = self.next.wrapping_add(1);
                self.numbers.insert(kind.to_owned(), self.next);
                self.next
            }
        };
        self.take_head(number);
        self.kinds.entry(number).or_insert_with(|| (kind.to_owned(), BTreeSet::new())).1.insert(turn);
        self.put_head(number);
        self.members.insert(turn.worker, (turn, number));
    }

    pub(crate) fn remove(&mut self, worker: WorkerSid) {
        let Some((turn, number)) = self.members.remove(&worker) else { return };
        self.take_head(number);
        let Some((kind, turns)) = self.kinds.get_mut(&number) else { return };
        turns.remove(&turn);
        if turns.is_empty() {
            self.numbers.remove(kind);
            self.kinds.remove(&number);
        }
        self.put_head(number);
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Everybody's turn, in no order.
    pub(crate) fn turns(&self) -> impl Iterator<Item = Turn> + '_ {
        self.members.values().map(|(turn, _)| *turn)
    }

    /// A worker's turn, if it is free.
    pub(crate) fn turn_of(&self, worker: WorkerSid) -> Option<Turn> {
        self.members.get(&worker).map(|(turn, _)| *turn)
    }

    /// The first of each kind and the kind's number, in the order of their turns.
    pub(crate) fn heads(&self) -> impl Iterator<Item = (Turn, u32)> + '_ {
        self.heads.iter().copied()
    }

    /// All of a kind, the first first.
    pub(crate) fn kind(&self, number: u32) -> impl Iterator<Item = Turn> + '_ {
        self.kinds.get(&number).into_iter().flat_map(|(_, turns)| turns.iter().copied())
    }

    /// How many are of a kind.
    pub(crate) fn count(&self, number: u32) -> usize {
        self.kinds.get(&number).map_or(0, |(_, turns)| turns.len())
    }

    fn take_head(&mut self, number: u32) {
        let first = self.kinds.get(&number).and_then(|(_, turns)| turns.first());
        if let Some(first) = first {
            self.heads.remove(&(*first, number));
        }
    }

    fn put_head(&mut self, number: u32) {
        let first = self.kinds.get(&number).and_then(|(_, turns)| turns.first());
        if let Some(first) = first {
            self.heads.insert((*first, number));
        }
    }
}

/// Of which kind a worker is where this is read of it.
pub(crate) fn kind_of(reads: &Reads, worker: &WorkerNames<'_>) -> String {
    let mut kind = String::new();
    for key in reads {
        match worker.value(key) {
            Some(value) => kind.push_str(&value.to_string()),
            None => kind.push_str("null"),
        }
        kind.push('\n');
    }
    kind
}

#[cfg(test)]
mod tests {
    use base::Mono;

    use super::*;
    use crate::worker::Worker;

    fn turn(worker: u128, since: u64) -> Turn {
        let worker = Worker {
            sid: WorkerSid(worker),
            name: String::new(),
            attributes: serde_json::json!({}).into(),
            activity: base::ActivitySid(1),
            since: Mono(0),
            idle_since: Mono(since),
            offered: 0,
            channels: BTreeMap::new(),
            before: None,
            reservations: BTreeSet::new(),
        };
        worker.turn()
    }

    #[test]
    fn each_kind_is_asked_once_and_in_the_order_of_the_turns() {
        let mut idle = Idle::default();
        for (worker, since, kind) in [(1, 30, "de"), (2, 10, "fr"), (3, 20, "fr"), (4, 40, "de")] {
            idle.insert(turn(worker, since), kind);
        }
        let heads = |idle: &Idle| idle.heads().map(|(turn, _)| turn.worker.0).collect::<Vec<_>>();
        let firsts = |idle: &Idle| {
            idle.heads()
                .map(|(_, kind)| idle.kind(kind).map(|turn| turn.worker.0).collect())
                .collect::<Vec<Vec<_>>>()
        };
        assert_eq!((heads(&idle), idle.len()), (vec![2, 1], 4));
        assert_eq!(firsts(&idle), [vec![2, 3], vec![1, 4]]);
        idle.insert(turn(2, 50), "de");
        assert_eq!(firsts(&idle), [vec![3], vec![1, 4, 2]], "who changes its kind leaves nothing behind");
        (1..=4).for_each(|worker| idle.remove(WorkerSid(worker)));
        assert_eq!(Idle { next: 0, ..idle }, Idle::default(), "nothing is left of nobody");
    }
}
