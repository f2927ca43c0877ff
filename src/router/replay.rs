//! A day again: the same inputs must give the same decisions, to the last bit.
//!
//! The owner keeps the workspace as it was in the morning, and an [`Entry`] for everything it told it since. Whoever
//! doubts a decision replays the day: what differs would be chance, a clock, or an engine that decides otherwise now.

use base::Mono;
use serde::{Deserialize, Serialize};

use crate::event::Output;
use crate::input::Input;
use crate::workspace::{RouterError, Workspace};

/// One thing that a workspace was told, and what it said to that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

/// The first entry that is decided otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Which, from 0.
    pub entry: usize,
    /// What was written down.
    pub written: Entry,
    /// What is decided now.
    pub found: Entry,
}

impl Workspace {
    /// Does what it is told, and gives what to write down of it. What it decided is in the entry and nowhere else.
    pub fn record(&mut self, input: Input, at: Mono) -> (Result<(), RouterError>, Entry) {
        let result = self.handle(input.clone(), at);
        let outputs = std::iter::from_fn(|| self.poll_output()).collect();
        let refused = result.err().map(|error| error.to_string());
        (result, Entry { at, input, refused, outputs })
    }
}

/// Tells a workspace everything again. `workspace`: as it was before the first entry, with nothing left to say.
pub fn replay(
    mut workspace: Workspace,
    entries: impl IntoIterator<Item = Entry>,
) -> Result<Workspace, Box<Difference>> {
    for (entry, written) in entries.into_iter().enumerate() {
        let (_, found) = workspace.record(written.input.clone(), written.at);
        if found != written {
            return Err(Box::new(Difference { entry, written, found }));
        }
    }
    Ok(workspace)
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::*;
    use crate::history::Day;

    /// A day is written down, read again and replayed: nothing differs, and the evening is the same.
    #[test]
    fn a_day_is_the_same_again() {
        let (mut day, mut rng) = (Day::new(7), Rng::seeded(70));
        (0..200).for_each(|_| drop(day.step(&mut rng)));
        let morning = serde_json::to_string(&day.all).unwrap();
        let mut written = Vec::new();
        for _ in 0..500 {
            written.push(serde_json::to_string(&day.step(&mut rng)).unwrap());
        }
        let read = |text: &String| serde_json::from_str::<Entry>(text).unwrap();
        let evening = replay(serde_json::from_str(&morning).unwrap(), written.iter().map(read)).unwrap();
        assert_eq!(serde_json::to_string(&evening).unwrap(), serde_json::to_string(&day.all).unwrap());
    }

    /// Another decision is found where it is.
    #[test]
    fn a_day_that_was_another_is_found_out() {
        let (mut day, mut rng) = (Day::new(7), Rng::seeded(71));
        let morning = day.all.clone();
        let mut entries: Vec<_> = (0..300).map(|_| day.step(&mut rng)).collect();
        assert!(replay(morning.clone(), entries.clone()).is_ok());
        let forged = entries.iter().position(|entry| entry.outputs.len() > 2).unwrap();
        entries[forged].outputs.swap(0, 1);
        assert_eq!(replay(morning, entries).unwrap_err().entry, forged);
    }
}
