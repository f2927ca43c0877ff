//! The one task that writes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::Timestamp;
use call::record::StoreItem;
use sqlx::AnyPool;
use sqlx::{Connection, Error};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::pending::{Batch, Pending};
use crate::{Degraded, StoreError, rows, schema};

/// Rows in one transaction.
pub(crate) const BATCH_ROWS_MAX: usize = 100;
/// How long rows are collected before a transaction begins.
const BATCH_COLLECT: Duration = Duration::from_millis(20);
/// How long one transaction may take before it counts as failed.
const BATCH_TIMEOUT: Duration = Duration::from_secs(10);
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
    waiters: Vec<Waiter>,
    closing: bool,
    /// Nobody writes any more.
    ended: bool,
}

struct Waiter {
    /// Settled when every row numbered below this is.
    accepted: u64,
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

    /// A receiver that hears when everything pushed so far is on disk, or that the attempt failed.
    pub(crate) fn wait(&self) -> Option<oneshot::Receiver<Result<(), StoreError>>> {
        let receiver = {
            let mut state = self.lock();
            if state.pending.is_empty() && state.in_hand == 0 {
                return None;
            }
            let (done, receiver) = oneshot::channel();
            let accepted = state.pending.accepted();
            if !state.ended {
                state.waiters.push(Waiter { accepted, done });
            }
            receiver
        };
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

/// Writes until the store closes; then what is left, as far as the database takes it.
pub(crate) async fn run(pool: AnyPool, box_id: String, shared: Arc<Shared>, mut migrated: bool) {
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
        let (batch, closing) = take(&shared);
        if batch.is_empty() {
            if closing {
                return;
            }
            continue;
        }
        match attempt(&pool, &box_id, &batch, &mut migrated).await {
            Ok(refused) => {
                settle(&shared, batch.len(), &refused);
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
            let hurry = state.closing || !state.waiters.is_empty() || state.pending.len() >= BATCH_ROWS_MAX;
            if hurry && (state.closing || !state.pending.is_empty()) {
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

fn take(shared: &Shared) -> (Batch, bool) {
    let mut state = shared.lock();
    let batch = state.pending.take(BATCH_ROWS_MAX);
    state.in_hand = batch.len();
    (batch, state.closing)
}

fn settle(shared: &Shared, rows: usize, refused: &[String]) {
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
    let settled = state.pending.settled_before();
    let (done, waiting) = state.waiters.drain(..).partition(|waiter| waiter.accepted <= settled);
    state.waiters = waiting;
    drop(state);
    for Waiter { done, .. } in Vec::<Waiter>::from(done) {
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

/// Writes a batch, or nothing of it. The answer lists the rows the database will never take, by its reason.
async fn attempt(
    pool: &AnyPool,
    box_id: &str,
    batch: &Batch,
    migrated: &mut bool,
) -> Result<Vec<String>, StoreError> {
    let work = async {
        let mut connection = pool.acquire().await?;
        if !*migrated {
            schema::migrate(&mut connection).await?;
            *migrated = true;
        }
        match write(&mut connection, box_id, batch).await {
            Ok(()) => Ok(Vec::new()),
            Err(error) if is_a_rows_fault(&error) => Ok(write_singly(&mut connection, box_id, batch).await?),
            Err(error) => Err(StoreError::from(error)),
        }
    };
    timeout(BATCH_TIMEOUT, work).await.unwrap_or(Err(StoreError::Timeout(BATCH_TIMEOUT.as_secs())))
}

async fn write(
    connection: &mut sqlx::AnyConnection,
    box_id: &str,
    batch: &[(u64, StoreItem)],
) -> Result<(), Error> {
    let mut tx = connection.begin().await?;
    for (_, item) in batch {
        rows::write(&mut tx, box_id, item).await?;
    }
    tx.commit().await
}

async fn write_singly(
    connection: &mut sqlx::AnyConnection,
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
