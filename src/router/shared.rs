//! A map of which a copy costs next to nothing: both share what is in it until either changes it.
//!
//! A snapshot of everything is taken while the node waits, and written down while it goes on.

use std::collections::{BTreeMap, btree_map};
use std::ops::Index;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// As a [`BTreeMap`], whose methods these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shared<K, V>(BTreeMap<K, Arc<V>>);

#[allow(missing_docs, reason = "each is documented where the map of the standard library does it")]
impl<K: Ord, V: Clone> Shared<K, V> {
    pub(crate) fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).map(|value| &**value)
    }

    /// What a copy has too is copied now.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key).map(Arc::make_mut)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.0.insert(key, Arc::new(value));
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.0.remove(key).map(Arc::unwrap_or_clone)
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn keys(&self) -> btree_map::Keys<'_, K, Arc<V>> {
        self.0.keys()
    }

    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.values().map(|value| &**value)
    }
}

impl<K: Ord, V> Index<&K> for Shared<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        &self.0[key]
    }
}

impl<K: Serialize, V: Serialize> Serialize for Shared<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, &**value)))
    }
}

impl<'d, K: Deserialize<'d> + Ord, V: Deserialize<'d>> Deserialize<'d> for Shared<K, V> {
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<K, V>::deserialize(deserializer)?;
        Ok(Self(map.into_iter().map(|(key, value)| (key, Arc::new(value))).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_what_it_was_whatever_becomes_of_the_other() {
        let mut map = Shared::new();
        map.insert(1, "one".to_owned());
        map.insert(2, "two".to_owned());
        let copy = map.clone();
        assert!(std::ptr::eq(&map[&1], &copy[&1]), "they share it");
        map.get_mut(&1).unwrap().push_str(" and a half");
        assert_eq!(map.remove(&2).as_deref(), Some("two"));
        assert_eq!((map[&1].as_str(), copy[&1].as_str()), ("one and a half", "one"));
        assert_eq!(copy.values().map(String::as_str).collect::<Vec<_>>(), ["one", "two"]);
        let text = serde_json::to_string(&copy).unwrap();
        assert_eq!(text, r#"{"1":"one","2":"two"}"#);
        assert_eq!(serde_json::from_str::<Shared<u8, String>>(&text).unwrap().len(), 2);
    }
}
