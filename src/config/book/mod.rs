//! The office's book: what the file says, and what the REST API made or changed over it.
//!
//! [`Office`] is what holds: the file's, with every [`Entry`] of the book laid over it. The file's own numbers,
//! applications and caller ids are entries too, with sids derived from what they are, so that lists show them and a
//! change of one is kept beside the file. Such a change holds as long as the file's entry stays as it was: an operator
//! who edits it there, or puts an entry of the same name there, means what is written there.

mod file;
mod kind;
mod lay;

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Timestamp;
use call::office::Office;
use serde_json::{Map, Value};

pub use file::{caller_id_sid, number_sid};
pub use kind::{Kind, ParseKindError};

/// Where an entry stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryKey {
    /// What it is.
    pub kind: Kind,
    /// The sid of what it hangs below; empty: of nothing.
    pub parent: String,
    /// Its own, unique among those of its kind and parent.
    pub sid: String,
}

/// One thing of the office, by the names its fields have in the REST API.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where it stands.
    pub key: EntryKey,
    /// When it was made; `None`: it stands in the file.
    pub created: Option<Timestamp>,
    /// When it was last changed.
    pub updated: Option<Timestamp>,
    /// Its fields.
    pub body: Map<String, Value>,
    /// How it came to be.
    pub origin: Origin,
}

/// How an entry came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It stands in the file; with the mark of what stands there.
    File(String),
    /// The REST API made it.
    Rest,
    /// The REST API changed the file's entry of this mark.
    Over(String),
    /// The REST API deleted the file's entry of this mark.
    Gone(String),
}

impl Entry {
    /// A field that is a text; empty counts as absent.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// A field that is true or false; absent counts as false.
    pub fn flag(&self, name: &str) -> bool {
        self.body.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A field that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.body.get(name).and_then(Value::as_u64)
    }

    /// Whether it stands in the file as it is.
    pub fn is_of_file(&self) -> bool {
        matches!(self.origin, Origin::File(_))
    }
}

/// All entries. A clone is cheap enough to try a change on.
#[derive(Clone, Debug)]
pub struct Book {
    /// As the file alone makes it.
    plain: Arc<Office>,
    file: Arc<BTreeMap<EntryKey, Arc<Entry>>>,
    rest: BTreeMap<EntryKey, Arc<Entry>>,
}

impl Book {
    /// The book of a file and of what is stored, and the keys of what is stored and holds no more: the file's entry was
    /// edited since.
    pub fn new(plain: Office, caller_ids: &[String], stored: Vec<Entry>) -> (Self, Vec<EntryKey>) {
        let file = file::entries(&plain, caller_ids);
        let (mut rest, mut overtaken) = (BTreeMap::new(), Vec::new());
        for entry in stored {
            let mark = match file.get(&entry.key).map(|entry| &entry.origin) {
                Some(Origin::File(mark)) => Some(mark),
                Some(Origin::Rest | Origin::Over(_) | Origin::Gone(_)) | None => None,
            };
            let holds = match &entry.origin {
                Origin::File(_) => false,
                Origin::Rest => mark.is_none(),
                Origin::Over(over) | Origin::Gone(over) => mark == Some(over),
            };
            if holds {
                rest.insert(entry.key.clone(), Arc::new(entry));
            } else {
                overtaken.push(entry.key);
            }
        }
        (Self { plain: Arc::new(plain), file: Arc::new(file), rest }, overtaken)
    }

    /// The same with another file; likewise.
    pub fn with_file(&self, plain: Office, caller_ids: &[String]) -> (Self, Vec<EntryKey>) {
        let stored = self.rest.values().map(|entry| Entry::clone(entry)).collect();
        Self::new(plain, caller_ids, stored)
    }

    /// One entry that holds.
    pub fn get(&self, kind: Kind, parent: &str, sid: &str) -> Option<&Arc<Entry>> {
        let key = EntryKey { kind, parent: parent.to_owned(), sid: sid.to_owned() };
        match self.rest.get(&key) {
            Some(entry) if matches!(entry.origin, Origin::Gone(_)) => None,
            Some(entry) => Some(entry),
            None => self.file.get(&key),
        }
    }

    /// Every entry of a kind below a parent, the newest first, those of the file last.
    pub fn list(&self, kind: Kind, parent: &str) -> Vec<Arc<Entry>> {
        let mut all: Vec<_> =
            self.of_kind(kind).filter(|entry| entry.key.parent == parent).cloned().collect();
        all.sort_by(|a, b| (b.created, &b.key.sid).cmp(&(a.created, &a.key.sid)));
        all
    }

    /// Every entry of a kind, below whatever, in the order of their keys.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Arc<Entry>> {
        let from = EntryKey { kind, parent: String::new(), sid: String::new() };
        let of_file = self
            .file
            .range(from.clone()..)
            .take_while(move |(key, _)| key.kind == kind)
            .filter(|(key, _)| !self.rest.contains_key(key));
        let of_rest = self.rest.range(from..).take_while(move |(key, _)| key.kind == kind);
        of_rest
            .chain(of_file)
            .map(|(_, entry)| entry)
            .filter(|entry| !matches!(entry.origin, Origin::Gone(_)))
    }

    /// The file's entry at a key, whether it holds or not.
    pub fn of_file(&self, key: &EntryKey) -> Option<&Arc<Entry>> {
        self.file.get(key)
    }

    /// Takes an entry in, in place of what stood there. What stands over the file's says so.
    pub fn put(&mut self, mut entry: Entry) -> Arc<Entry> {
        if let Some(Origin::File(mark)) = self.file.get(&entry.key).map(|entry| &entry.origin) {
            entry.origin = match entry.origin {
                Origin::Gone(_) => Origin::Gone(mark.clone()),
                Origin::File(_) | Origin::Rest | Origin::Over(_) => Origin::Over(mark.clone()),
            };
        }
        let entry = Arc::new(entry);
        self.rest.insert(entry.key.clone(), Arc::clone(&entry));
        entry
    }

    /// Takes an entry out. One of the file's is from then on known to be gone, which is given back to be kept.
    pub fn remove(&mut self, key: &EntryKey, now: Timestamp) -> Option<Arc<Entry>> {
        match self.file.get(key).map(|entry| &entry.origin) {
            Some(Origin::File(mark)) => Some(self.put(Entry {
                key: key.clone(),
                created: Some(now),
                updated: Some(now),
                body: Map::new(),
                origin: Origin::Gone(mark.clone()),
            })),
            Some(Origin::Rest | Origin::Over(_) | Origin::Gone(_)) | None => {
                self.rest.remove(key);
                None
            }
        }
    }

    /// The entries of the file that do not hold as they stand there, each with what stands over it.
    pub fn overruled(&self) -> impl Iterator<Item = (&Arc<Entry>, &Arc<Entry>)> {
        self.rest.iter().filter_map(|(key, over)| Some((self.file.get(key)?, over)))
    }

    /// The office as the file alone makes it.
    pub fn plain(&self) -> &Office {
        &self.plain
    }

    /// The office that holds.
    pub fn office(&self) -> Office {
        lay::over(self)
    }
}

#[cfg(test)]
mod tests;
