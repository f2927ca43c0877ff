//! The owner of the office's book: who asks sees what holds, and a change is stored, taken by the node and shown, in
//! this order, before anybody is told that it is made.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use base::Timestamp;
use call::office::Office;
use config::{Book, Entry, EntryKey, Origin};
use store::{ResourceChange, ResourceRow, Store, StoreError};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::error::ApiError;

/// An office on its way to the node.
#[derive(Debug)]
pub struct NewOffice {
    /// What holds from now on.
    pub office: Box<Office>,
    /// Told when the node has it.
    pub taken: oneshot::Sender<()>,
}

/// The book and the one who changes it. Clones are handles to the same.
#[derive(Clone)]
pub struct OfficeBook(Arc<Inner>);

struct Inner {
    book: RwLock<Arc<Book>>,
    /// Changes are made one after the other.
    turn: Arc<Mutex<()>>,
    store: Store,
    offices: mpsc::Sender<NewOffice>,
}

/// Offices that may wait for the node: each asker waits for its own.
const OFFICES_MAX: usize = 4;

/// A change being made: seen by whoever makes it, and by nobody else yet.
pub(crate) struct Draft {
    pub(crate) book: Book,
    changes: Vec<ResourceChange>,
    /// When it is made.
    pub(crate) now: Timestamp,
}

impl OfficeBook {
    /// The book of the file's office and of what is stored, and where the offices it makes come out.
    pub async fn open(
        store: Store,
        plain: Office,
        caller_ids: &[String],
    ) -> Result<(Self, mpsc::Receiver<NewOffice>), StoreError> {
        let stored = stored_entries(store.resources().await?);
        let (book, overtaken) = Book::new(plain, caller_ids, stored);
        forget(&store, &overtaken).await?;
        let (offices, taken) = mpsc::channel(OFFICES_MAX);
        let turn = Arc::new(Mutex::new(()));
        Ok((Self(Arc::new(Inner { book: RwLock::new(Arc::new(book)), turn, store, offices })), taken))
    }

    /// What holds now.
    pub fn view(&self) -> Arc<Book> {
        // What a poisoned lock guards is one pointer.
        Arc::clone(&self.0.book.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The file was read again. Answers what of the API's changes holds no more, because the file was edited.
    pub async fn reload(&self, plain: Office, caller_ids: &[String]) -> Result<Vec<EntryKey>, String> {
        let _turn = self.0.turn.lock().await;
        let (book, overtaken) = self.view().with_file(plain, caller_ids);
        forget(&self.0.store, &overtaken).await.map_err(|error| error.to_string())?;
        self.0.take_effect(book).await.map_err(|_| "the box is stopping".to_owned())?;
        Ok(overtaken)
    }

    /// Makes a change: all of it or, with an error, nothing.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Draft) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let turn = Arc::clone(&self.0.turn).lock_owned().await;
        let mut draft = Draft { book: Book::clone(&self.view()), changes: Vec::new(), now: now() };
        let done = work(&mut draft)?;
        let inner = Arc::clone(&self.0);
        // An asker that goes away meanwhile leaves no change that is stored and not in effect.
        let made = tokio::spawn(async move {
            let _turn = turn;
            inner.store.change_resources(&draft.changes).await?;
            inner.take_effect(draft.book).await
        });
        match made.await {
            Ok(made) => made.map(|()| done),
            Err(_) => Err(ApiError::unexpected()),
        }
    }
}

impl Inner {
    async fn take_effect(&self, book: Book) -> Result<(), ApiError> {
        let stopping = || ApiError::new(20503, "The box is stopping");
        let office = book.office();
        let before = Arc::clone(&self.book.read().unwrap_or_else(PoisonError::into_inner));
        if office != before.office() || *book.plain() != *before.plain() {
            let (taken, done) = oneshot::channel();
            let new = NewOffice { office: Box::new(office), taken };
            self.offices.send(new).await.map_err(|_| stopping())?;
            done.await.map_err(|_| stopping())?;
        }
        *self.book.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(book);
        Ok(())
    }
}

impl Draft {
    /// Takes an entry in.
    pub(crate) fn put(&mut self, entry: Entry) -> Arc<Entry> {
        let entry = self.book.put(entry);
        self.changes.push(ResourceChange::Put(row(&entry)));
        entry
    }

    /// Takes one out.
    pub(crate) fn remove(&mut self, key: &EntryKey) {
        self.changes.push(match self.book.remove(key, self.now) {
            Some(gone) => ResourceChange::Put(row(&gone)),
            None => removal(key),
        });
    }
}

/// What holds no more is said and taken out, so that it does not come back when the file is edited again.
async fn forget(store: &Store, overtaken: &[EntryKey]) -> Result<(), StoreError> {
    if overtaken.is_empty() {
        return Ok(());
    }
    for key in overtaken {
        tracing::warn!(kind = %key.kind, sid = key.sid, "was changed over HTTP; the file was edited since, and what stands there holds");
    }
    store.change_resources(&overtaken.iter().map(removal).collect::<Vec<_>>()).await
}

fn removal(key: &EntryKey) -> ResourceChange {
    ResourceChange::Remove(key.kind.to_string(), key.parent.clone(), key.sid.clone())
}

fn row(entry: &Entry) -> ResourceRow {
    let (over, gone) = match &entry.origin {
        Origin::File(_) | Origin::Rest => (None, false),
        Origin::Over(mark) => (Some(mark.clone()), false),
        Origin::Gone(mark) => (Some(mark.clone()), true),
    };
    ResourceRow {
        kind: entry.key.kind.to_string(),
        parent: entry.key.parent.clone(),
        sid: entry.key.sid.clone(),
        body: serde_json::Value::Object(entry.body.clone()).to_string(),
        over,
        gone,
        created: entry.created.unwrap_or_default(),
        updated: entry.updated.unwrap_or_default(),
    }
}

/// Rows of the database as entries of the book.
pub fn stored_entries(rows: Vec<ResourceRow>) -> Vec<Entry> {
    rows.into_iter().filter_map(entry).collect()
}

/// A row that no version of the box has written is passed over: the office opens without it.
fn entry(row: ResourceRow) -> Option<Entry> {
    let (kind, body) = (row.kind.parse().ok(), serde_json::from_str(&row.body).ok());
    let (Some(kind), Some(body)) = (kind, body) else {
        tracing::warn!(kind = row.kind, sid = row.sid, "is stored and cannot be read; passed over");
        return None;
    };
    let origin = match (row.over, row.gone) {
        (None, _) => Origin::Rest,
        (Some(mark), false) => Origin::Over(mark),
        (Some(mark), true) => Origin::Gone(mark),
    };
    let key = EntryKey { kind, parent: row.parent, sid: row.sid };
    Some(Entry { key, created: Some(row.created), updated: Some(row.updated), body, origin })
}

/// The wall clock: the API is a shell.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
