//! Who is to be woken up when: one deadline a key, the earliest first.

use std::collections::{BTreeMap, BTreeSet};

use base::Mono;
use serde::{Deserialize, Serialize};

/// At most one deadline a key. As large as the map of what the keys name, whose maximum bounds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deadlines<K: Ord> {
    by_key: BTreeMap<K, Mono>,
    by_time: BTreeSet<(Mono, K)>,
}

impl<K: Ord + Clone> Default for Deadlines<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord + Clone> Deadlines<K> {
    /// None yet.
    pub fn new() -> Self {
        Self { by_key: BTreeMap::new(), by_time: BTreeSet::new() }
    }

    /// Sets, moves or takes away the deadline of `key`.
    pub fn set(&mut self, key: K, at: Option<Mono>) {
        let old = match at {
            Some(at) => self.by_key.insert(key.clone(), at),
            None => self.by_key.remove(&key),
        };
        if old == at {
            return;
        }
        if let Some(old) = old {
            self.by_time.remove(&(old, key.clone()));
        }
        if let Some(at) = at {
            self.by_time.insert((at, key));
        }
    }

    /// The earliest one.
    pub fn first(&self) -> Option<(Mono, &K)> {
        self.by_time.first().map(|(at, key)| (*at, key))
    }

    /// Takes out the earliest one, if it is due.
    pub fn pop(&mut self, now: Mono) -> Option<K> {
        if self.by_time.first()?.0 > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_deadline_and_the_earliest_comes_first() {
        let mut deadlines = Deadlines::new();
        deadlines.set("a", Some(Mono(10)));
        deadlines.set("b", Some(Mono(20)));
        deadlines.set("a", Some(Mono(30)));
        deadlines.set("c", Some(Mono(5)));
        deadlines.set("c", None);
        assert_eq!(deadlines.first(), Some((Mono(20), &"b")));
        assert_eq!(deadlines.pop(Mono(19)), None);
        assert_eq!(deadlines.pop(Mono(40)), Some("b"));
        assert_eq!(deadlines.pop(Mono(40)), Some("a"));
        assert_eq!((deadlines.pop(Mono(40)), deadlines.first()), (None, None));
    }
}
