//! A bounded map whose entries have deadlines.

use std::collections::{BTreeMap, BTreeSet};

use crate::Mono;

/// Keys with a value and a deadline each, at most `max` of them.
///
/// A core keeps what may be forgotten here: nonces, bans, cached answers. The owner asks
/// [`poll_timeout`](Self::poll_timeout) when to come back and [`expire`](Self::expire) for what ran out.
#[derive(Clone, Debug)]
pub struct ExpiringMap<K, V> {
    entries: BTreeMap<K, (V, Mono)>,
    deadlines: BTreeSet<(Mono, K)>,
    max: usize,
}

impl<K: Ord + Clone, V> ExpiringMap<K, V> {
    /// An empty map of at most `max` entries.
    pub fn new(max: usize) -> Self {
        Self { entries: BTreeMap::new(), deadlines: BTreeSet::new(), max }
    }

    /// Puts `value` under `key` until `deadline`. Full: the entry that would expire first makes room and is
    /// returned.
    pub fn insert(&mut self, key: K, value: V, deadline: Mono) -> Option<(K, V)> {
        self.remove(&key);
        let evicted = if self.entries.len() >= self.max { self.pop_earliest() } else { None };
        self.deadlines.insert((deadline, key.clone()));
        self.entries.insert(key, (value, deadline));
        evicted
    }

    /// The value under `key`, expired or not: expiry happens in [`expire`](Self::expire) alone.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(value, _)| value)
    }

    /// The value under `key`, to change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(value, _)| value)
    }

    /// Takes the value under `key` out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (value, deadline) = self.entries.remove(key)?;
        self.deadlines.remove(&(deadline, key.clone()));
        Some(value)
    }

    /// Takes out one entry whose deadline has come; call until `None`.
    pub fn expire(&mut self, now: Mono) -> Option<(K, V)> {
        match self.deadlines.first() {
            Some((deadline, _)) if *deadline <= now => self.pop_earliest(),
            _ => None,
        }
    }

    /// The earliest deadline.
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Entries in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, (value, _))| (key, value))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn pop_earliest(&mut self) -> Option<(K, V)> {
        let (_, key) = self.deadlines.pop_first()?;
        let (value, _) = self.entries.remove(&key).expect("each deadline belongs to an entry");
        Some((key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_leave_at_their_deadline_in_order() {
        let mut map = ExpiringMap::new(8);
        map.insert("b", 2, Mono(20));
        map.insert("a", 1, Mono(10));
        assert_eq!(map.poll_timeout(), Some(Mono(10)));
        assert_eq!(map.expire(Mono(9)), None);
        assert_eq!(map.expire(Mono(20)), Some(("a", 1)));
        assert_eq!(map.expire(Mono(20)), Some(("b", 2)));
        assert!(map.is_empty() && map.poll_timeout().is_none());
    }

    #[test]
    fn inserting_again_moves_the_deadline() {
        let mut map = ExpiringMap::new(8);
        map.insert("a", 1, Mono(10));
        map.insert("a", 2, Mono(30));
        assert_eq!(map.expire(Mono(10)), None);
        assert_eq!((map.get(&"a"), map.len()), (Some(&2), 1));
    }

    #[test]
    fn a_full_map_forgets_what_would_expire_first() {
        let mut map = ExpiringMap::new(2);
        map.insert("a", 1, Mono(10));
        map.insert("b", 2, Mono(5));
        assert_eq!(map.insert("c", 3, Mono(7)), Some(("b", 2)));
        assert_eq!(map.len(), 2);
    }
}
