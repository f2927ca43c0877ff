//! A day again: the same inputs must give the same decisions, to the last bit.
//!
//! The owner keeps what [`crate::Written`] writes down. Whoever doubts a decision replays the day: what differs would be
//! chance, a clock, or an engine that decides otherwise now.

use base::Mono;
use serde::{Deserialize, Serialize};

use crate::event::Output;
use crate::input::Input;
use crate::workspace::{RouterError, Workspace};
use crate::written::{Leaf, Page, Snapshot};

/// One thing that a workspace was told, and what it said to that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, on the workspace's time.
    pub at: Mono,
    /// What it was told.
    pub input: Input,
    /// Why it would not; `None`: it did it.
    pub refused: Option<String>,
    /// What it decided.
    pub outputs: Vec<Output>,
}

/// Where a replay and what is written part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It is decided otherwise.
    Decision {
        /// In this run.
        run: Mono,
        /// On this leaf.
        number: u64,
        /// What was written down.
        written: Box<Entry>,
        /// What is decided now.
        found: Box<Entry>,
    },
    /// All decisions were the same, and yet the workspace has become another.
    State {
        /// In this run.
        run: Mono,
        /// At this leaf.
        number: u64,
    },
    /// Leaves are missing before this one.
    Gap {
        /// In this run.
        run: Mono,
        /// The leaf that was expected.
        expected: u64,
        /// The next there is.
        number: u64,
    },
}

/// How far a replay has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Runs, the first one perhaps from its middle.
    pub runs: u64,
    /// Entries told again.
    pub entries: u64,
    /// What was decided.
    pub decisions: u64,
    /// Checks that were the same.
    pub checks: u64,
    /// Entries from before the first workspace that is written whole: nothing can be said of them.
    pub unknown: u64,
}

/// Tells a workspace everything again, leaf by leaf.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    workspace: Option<(Workspace, Mono, u64)>,
    done: Replayed,
}

impl Replay {
    /// The next leaf, in the order of their runs and numbers.
    pub fn turn(&mut self, leaf: &Leaf) -> Result<(), Difference> {
        let Leaf { run, number, at: _, page } = leaf;
        if let Some((_, running, next)) = &self.workspace
            && running == run
            && next != number
            && !matches!(page, Page::Start(_))
        {
            return Err(Difference::Gap { run: *run, expected: *next, number: *number });
        }
        let known = self.workspace.as_mut().filter(|(_, running, _)| running == run);
        match (page, known) {
            (Page::Start(whole), _) | (Page::Check(whole), None) => {
                self.workspace = Some((whole.workspace(), *run, number + 1));
                self.done.runs += 1;
            }
            (Page::Check(whole), Some((workspace, _, next))) => {
                if Snapshot::new(workspace) != *whole {
                    return Err(Difference::State { run: *run, number: *number });
                }
                *next += 1;
                self.done.checks += 1;
            }
            (Page::Entry(_), None) => self.done.unknown += 1,
            (Page::Entry(written), Some((workspace, _, next))) => {
                let (_, found) = workspace.record(written.input.clone(), written.at);
                if found != **written {
                    let (written, found) = (written.clone(), Box::new(found));
                    return Err(Difference::Decision { run: *run, number: *number, written, found });
                }
                *next += 1;
                self.done.entries += 1;
                self.done.decisions += written.outputs.len() as u64;
            }
        }
        Ok(())
    }

    /// How far it has come.
    pub fn done(&self) -> Replayed {
        self.done
    }

    /// The same, and nothing else is left.
    pub fn into_workspace(self) -> Option<Workspace> {
        self.workspace.map(|(workspace, ..)| workspace)
    }

    /// The workspace as it is after the last leaf.
    pub fn workspace(&self) -> Option<&Workspace> {
        self.workspace.as_ref().map(|(workspace, ..)| workspace)
    }
}

impl Workspace {
    /// Does what it is told, and gives what to write down of it. What it decided is in the entry and nowhere else.
    pub fn record(&mut self, input: Input, at: Mono) -> (Result<(), RouterError>, Entry) {
        let result = self.handle(input.clone(), at);
        let outputs = self.outputs.drain(..).collect();
        let refused = result.err().map(|error| error.to_string());
        (result, Entry { at, input, refused, outputs })
    }
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::*;
    use crate::history::Day;
    use crate::written::Written;

    /// A random day, written down; its workspace is put back from its parts in the middle, as a restart does.
    fn day(seed: u64, steps: u32) -> (Vec<Leaf>, Workspace) {
        let (mut day, mut rng) = (Day::new(seed), Rng::seeded(seed * 10));
        let mut leaves = Vec::new();
        for half in 0..2 {
            let mut written = Written::new(day.all.clone());
            if half == 1 {
                written = restarted(&day.all, day.now);
            }
            written.begin(day.now);
            // What stopping and starting told has been said.
            while written.poll_output().is_some() {}
            day.all = (*written).clone();
            for _ in 0..steps {
                let entry = day.step(&mut rng);
                let told = written.tell_again(entry.input.clone(), entry.at);
                assert_eq!(told.is_err(), entry.refused.is_some());
                let said: Vec<_> = std::iter::from_fn(|| written.poll_output()).collect();
                assert_eq!(said, entry.outputs);
            }
            assert_eq!(text(&day.all), text(&written));
            leaves.extend(std::iter::from_fn(|| written.poll_leaf()));
        }
        (leaves, day.all)
    }

    fn restarted(old: &Workspace, now: Mono) -> Written {
        let activities = old.activities().cloned().collect();
        let mut all = Written::new(Workspace::new(activities, old.timeout_activity(), Rng::seeded(2)));
        all.remember(old.past(), now);
        old.queues().for_each(|queue| all.put_queue(queue.clone(), now).unwrap());
        old.workflows().for_each(|flow| all.put_workflow(flow.clone()).unwrap());
        old.workers().for_each(|worker| all.restore_worker(worker.clone()));
        old.tasks().for_each(|task| all.restore_task(task.clone()));
        let mut made: Vec<_> = old.reservations().cloned().collect();
        made.sort_by_key(|one| one.born);
        made.into_iter().for_each(|one| all.restore_reservation(one));
        all.resume(now);
        all
    }

    fn text(workspace: &Workspace) -> String {
        serde_json::to_string(workspace).unwrap()
    }

    /// As it comes back from a disk.
    fn read_again(leaves: &[Leaf]) -> Vec<Leaf> {
        let written: Vec<_> = leaves.iter().map(|leaf| serde_json::to_string(leaf).unwrap()).collect();
        written.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    /// Days are written down, read again and replayed: nothing differs, and the evening is the same.
    #[test]
    fn a_day_with_a_restart_in_the_middle_is_the_same_again() {
        for seed in 1..=6 {
            let (leaves, evening) = day(seed, 600);
            let mut again = Replay::default();
            for leaf in read_again(&leaves) {
                again.turn(&leaf).unwrap();
            }
            assert_eq!(text(again.workspace().unwrap()), text(&evening), "seed {seed}");
            let done = again.done();
            assert_eq!((done.runs, done.entries, done.unknown), (2, 1_200, 0));
            assert!(done.decisions > 500, "{done:?}");
        }
    }

    /// It can begin at a check, and says of how many entries before it nothing can be said.
    #[test]
    fn a_day_begins_at_its_check() {
        let (mut leaves, _) = day(3, 1_200);
        let check = leaves.iter().position(|leaf| matches!(leaf.page, Page::Check(_))).unwrap();
        leaves.drain(..check - 5);
        let mut again = Replay::default();
        leaves.iter().for_each(|leaf| again.turn(leaf).unwrap());
        assert_eq!((again.done().unknown, again.done().runs), (5, 2));
        assert!(again.done().checks >= 1, "that of the second run is compared");
    }

    /// Another decision is found where it is, and so are another state and a hole.
    #[test]
    fn a_day_that_was_another_is_found_out() {
        let (leaves, _) = day(7, 300);
        let told = |leaves: &[Leaf]| {
            let mut again = Replay::default();
            leaves.iter().try_for_each(|leaf| again.turn(leaf)).unwrap_err()
        };
        let mut forged = leaves.clone();
        let at = leaves.iter().position(|leaf| match &leaf.page {
            Page::Entry(entry) => entry.outputs.len() > 2,
            Page::Start(_) | Page::Check(_) => false,
        });
        let at = at.unwrap();
        let Page::Entry(entry) = &mut forged[at].page else { unreachable!() };
        entry.outputs.swap(0, 1);
        let Difference::Decision { number, written, found, .. } = told(&forged) else { panic!() };
        assert_eq!(number, forged[at].number);
        assert_eq!((&written.input, written.outputs.len()), (&found.input, found.outputs.len()));
        let mut hole = leaves.clone();
        hole.remove(40);
        assert!(matches!(told(&hole), Difference::Gap { expected: 40, number: 41, .. }));
        let mut other = leaves.clone();
        let Page::Start(morning) = other[0].page.clone() else { unreachable!() };
        other.truncate(20);
        let (run, number, at) = (other[0].run, 20, other[19].at);
        other.push(Leaf { run, number, at, page: Page::Check(morning) });
        assert_eq!(told(&other), Difference::State { run, number });
    }
}
