//! Forgets what has been kept long enough, as long as the box runs.

use std::path::PathBuf;
use std::time::Duration;

use config::{KeepConfig, RetentionConfig};
use store::{Keep, Retention, Store};

use crate::clock;

/// How often something may have become too old or too much.
const EVERY: Duration = Duration::from_secs(600);
/// Not in the first moments, when everybody registers.
const FIRST: Duration = Duration::from_secs(60);

/// Sweeps until the task is dropped.
pub(crate) async fn keep(store: Store, recordings: PathBuf, wanted: RetentionConfig) {
    let retention = Retention {
        calls: keep_of(wanted.calls),
        recordings: keep_of(wanted.recordings),
        notifications: keep_of(wanted.notifications),
        events: keep_of(wanted.events),
        decisions: keep_of(wanted.decisions),
    };
    tokio::time::sleep(FIRST).await;
    loop {
        match store.sweep(&retention, &recordings, clock::wall()).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "what was kept long enough is forgotten"),
            Err(error) => tracing::warn!(%error, "what was kept long enough cannot be forgotten"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn keep_of(wanted: KeepConfig) -> Keep {
    Keep { age: wanted.age, most: wanted.most }
}
