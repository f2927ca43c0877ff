//! The one task that writes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::Timestamp;
use call::record::StoreItem;
use sqlx::AnyPool;
use sqlx::{AnyConnection, Connection, Error};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::pending::{Batch, Pending};
use crate::{Degraded, StoreError, rows, schema};

/// Rows in one transaction.
pub(crate) const BATCH_ROWS_MAX: usize = 256;
/// How long rows are collected before a transaction begins.
pub(crate) const BATCH_COLLECT: Duration = Duration::from_millis(20);
/// How long one transaction may take before it counts as failed.
pub(crate) const BATCH_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after a failure; it doubles up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// PostgreSQL's error codes have five characters; SQLite's numbers have at most four.
const SQLSTATE_CHARS: usize = 5;

/// What the store's handles and its writer share.
#[derive(Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Something has arrived in an empty memory.
    arrived: Notify,
    /// A whole batch waits, somebody waits for the disk, or the store closes.
    urgent: Notify,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) pending: Pending,
    pub(crate) degraded: Option<Degraded>,
    pub(crate) written: u64,
    in_hand: usize,
    /// Rows have been committed that a power cut would still take.
    pub(crate) unsynced: bool,
    waiters: Vec<Waiter>,
    closing: bool,
    /// Nobody writes any more.
    ended: bool,
}

struct Waiter {
    /// Settled when every row numbered below this is.
    accepted: u64,
    /// And not before a power cut could not take them.
    durable: bool,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic between two plain assignments is not possible, so what a poisoned lock guards is sound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, item: StoreItem) {
        let (was_empty, waiting) = {
            let mut state = self.lock();
            let was_empty = state.pending.is_empty();
            state.pending.push(item);
            (was_empty, state.pending.len())
        };
        if was_empty {
            self.arrived.notify_one();
        }
        if waiting == BATCH_ROWS_MAX {
            self.urgent.notify_one();
        }
    }

    /// A receiver that hears when everything pushed so far is committed, and if `durable` past a power cut's
    /// reach, or that the attempt failed. `None`: it is so already.
    pub(crate) fn wait(&self, durable: bool) -> Option<oneshot::Receiver<Result<(), StoreError>>> {
        let receiver = {
            let mut state = self.lock();
            if state.waiting() == 0 && !(durable && state.unsynced) {
                return None;
            }
            let (done, receiver) = oneshot::channel();
            let accepted = state.pending.accepted();
            if !state.ended {
                state.waiters.push(Waiter { accepted, durable, done });
            }
            receiver
        };
        self.arrived.notify_one();
        self.urgent.notify_one();
        Some(receiver)
    }

    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.arrived.notify_one();
        self.urgent.notify_one();
    }

    pub(crate) fn degrade(&self, error: &StoreError) {
        self.lock().degraded = Some(Degraded { since: now(), error: error.to_string() });
    }

    /// Nobody writes any more: whoever waits for the disk learns it by the loss of the sender.
    fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        state.waiters.clear();
    }
}

impl State {
    pub(crate) fn waiting(&self) -> usize {
        self.pending.len() + self.in_hand
    }
}

/// The task's own: nobody else touches it.
pub(crate) struct Writer {
    pub(crate) pool: AnyPool,
    pub(crate) box_id: String,
    /// SQLite commits without waiting for the disk unless told to; PostgreSQL always waits.
    pub(crate) sqlite: bool,
    /// Whether the tables are up to date.
    pub(crate) migrated: bool,
}

/// Some rows on their way to the database.
struct Trip {
    batch: Batch,
    durable: bool,
    closing: bool,
}

/// Writes until the store closes; then what is left, as far as the database takes it.
pub(crate) async fn run(mut writer: Writer, shared: Arc<Shared>) {
    struct End(Arc<Shared>);
    impl Drop for End {
        fn drop(&mut self) {
            self.0.end();
        }
    }
    let _end = End(shared.clone());
    let mut pause = RETRY_MIN;
    loop {
        collect(&shared).await;
        let Trip { batch, durable, closing } = take(&shared);
        if batch.is_empty() && !durable {
            if closing {
                return;
            }
            continue;
        }
        match writer.attempt(&batch, durable).await {
            Ok(refused) => {
                settle(&shared, batch.len(), &refused, durable || !writer.sqlite);
                pause = RETRY_MIN;
            }
            Err(error) => {
                fail(&shared, batch, &error);
                if closing {
                    return;
                }
                // Who waits for the disk gets an attempt at once.
                let _ = timeout(pause, shared.urgent.notified()).await;
                pause = (pause * 2).min(RETRY_MAX);
            }
        }
    }
}

async fn collect(shared: &Shared) {
    loop {
        {
            let state = shared.lock();
            if state.closing || !state.waiters.is_empty() || state.pending.len() >= BATCH_ROWS_MAX {
                return;
            }
            if !state.pending.is_empty() {
                break;
            }
        }
        shared.arrived.notified().await;
    }
    // A notification left over from an earlier hurry only makes one batch smaller.
    let _ = timeout(BATCH_COLLECT, shared.urgent.notified()).await;
}

fn take(shared: &Shared) -> Trip {
    let mut state = shared.lock();
    let batch = state.pending.take(BATCH_ROWS_MAX);
    state.in_hand = batch.len();
    // Of several batches somebody waits for, only the last has to reach the disk.
    let durable = state.pending.is_empty() && state.waiters.iter().any(|waiter| waiter.durable);
    Trip { batch, durable, closing: state.closing }
}

fn settle(shared: &Shared, rows: usize, refused: &[String], durable: bool) {
    for error in refused {
        warn!(error = error.as_str(), "the database refused a row; it is dropped");
    }
    let mut state = shared.lock();
    state.in_hand = 0;
    state.written += rows.saturating_sub(refused.len()) as u64;
    for _ in refused {
        state.pending.count_dropped();
    }
    if let Some(degraded) = state.degraded.take() {
        info!(since = %degraded.since, "the store writes again");
    }
    state.unsynced = !durable && (state.unsynced || rows > 0);
    let settled = state.pending.settled_before();
    let (done, waiting) = state
        .waiters
        .drain(..)
        .partition::<Vec<_>, _>(|waiter| waiter.accepted <= settled && (durable || !waiter.durable));
    state.waiters = waiting;
    drop(state);
    for Waiter { done, .. } in done {
        // Nobody listens any more: the caller gave up waiting.
        let _ = done.send(Ok(()));
    }
}

fn fail(shared: &Shared, batch: Batch, error: &StoreError) {
    let text = error.to_string();
    let mut state = shared.lock();
    state.in_hand = 0;
    state.pending.put_back(batch);
    match &mut state.degraded {
        Some(degraded) => degraded.error.clone_from(&text),
        None => {
            warn!(error = text.as_str(), "the store cannot write; rows wait in memory");
            state.degraded = Some(Degraded { since: now(), error: text.clone() });
        }
    }
    let waiters = std::mem::take(&mut state.waiters);
    drop(state);
    for waiter in waiters {
        let _ = waiter.done.send(Err(StoreError::Degraded(text.clone())));
    }
}

impl Writer {
    /// Writes a batch, or nothing of it. The answer lists, by its reason, each row the database will never take.
    async fn attempt(&mut self, batch: &Batch, durable: bool) -> Result<Vec<String>, StoreError> {
        timeout(BATCH_TIMEOUT, self.attempt_in_time(batch, durable))
            .await
            .unwrap_or(Err(StoreError::Timeout(BATCH_TIMEOUT.as_secs())))
    }

    async fn attempt_in_time(&mut self, batch: &Batch, durable: bool) -> Result<Vec<String>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        match self.attempt_on(&mut connection, batch, durable).await {
            Ok(refused) => Ok(refused),
            Err(error) => {
                // A full disk ends a transaction in the middle, and driver and database may then disagree on
                // whether one is open: this connection is not used again.
                drop(connection.detach());
                Err(error)
            }
        }
    }

    async fn attempt_on(
        &mut self,
        connection: &mut AnyConnection,
        batch: &Batch,
        durable: bool,
    ) -> Result<Vec<String>, StoreError> {
        if !self.migrated {
            schema::migrate(connection).await?;
            self.migrated = true;
        }
        let full = durable && self.sqlite;
        if full {
            sqlx::query("PRAGMA synchronous = FULL").execute(&mut *connection).await?;
        }
        let refused = match write(connection, &self.box_id, batch).await {
            Ok(()) => Vec::new(),
            Err(error) if is_a_rows_fault(&error) => write_singly(connection, &self.box_id, batch).await?,
            Err(error) => return Err(error.into()),
        };
        if full {
            sqlx::query("PRAGMA synchronous = NORMAL").execute(&mut *connection).await?;
        }
        Ok(refused)
    }
}

async fn write(
    connection: &mut AnyConnection,
    box_id: &str,
    batch: &[(u64, StoreItem)],
) -> Result<(), Error> {
    let mut tx = connection.begin().await?;
    if batch.is_empty() {
        // Any commit takes to the disk what was committed before it without waiting.
        sqlx::query("UPDATE schema_steps SET step = step").execute(&mut *tx).await?;
    }
    let mut rest = batch;
    while !rest.is_empty() {
        let written = rows::write(&mut tx, box_id, rest).await?;
        rest = &rest[written..];
    }
    tx.commit().await
}

async fn write_singly(
    connection: &mut AnyConnection,
    box_id: &str,
    batch: &Batch,
) -> Result<Vec<String>, Error> {
    let mut refused = Vec::new();
    for row in batch {
        match write(connection, box_id, std::slice::from_ref(row)).await {
            Ok(()) => {}
            Err(error) if is_a_rows_fault(&error) => refused.push(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    Ok(refused)
}

/// Whether trying again with the same row must fail again: data and integrity errors, nothing of the disk's or
/// the network's. SQLite's result codes 18 to 20 (`TOOBIG`, `CONSTRAINT`, `MISMATCH`), PostgreSQL's classes 22
/// and 23.
fn is_a_rows_fault(error: &Error) -> bool {
    let Error::Database(error) = error else { return matches!(error, Error::Encode(_)) };
    let Some(code) = error.code() else { return false };
    if code.len() == SQLSTATE_CHARS {
        return code.starts_with("22") || code.starts_with("23");
    }
    // The low byte of SQLite's extended result code is the primary one.
    code.parse::<u32>().is_ok_and(|code| (18..=20).contains(&(code & 0xff)))
}

/// The wall clock: the writer is a shell.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
