//! What has been kept long enough goes: the oldest first, a little at a time.
//!
//! Every step is one short transaction over an index, with a pause after it, so that the writer is never kept waiting
//! for longer than a step. What is too old and what is too much are the same to it: a time before which things go.

use std::path::Path;
use std::time::Duration;

use base::Timestamp;
use call::record::RecordingRow;
use sqlx::{AssertSqlSafe, Row};

use crate::rows::{RECORDING_COLUMNS, read_recording};
use crate::{Store, StoreError};

/// How long things are kept, and how many; `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Since they were made, a call since it ended.
    pub age: Option<Duration>,
    /// Rows; of recordings bytes of their files.
    pub most: Option<u64>,
}

/// What is kept of each sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Calls that are over, and conferences.
    pub calls: Keep,
    /// Recordings that are complete, with their files and transcriptions.
    pub recordings: Keep,
    /// Warnings and errors.
    pub notifications: Keep,
    /// The steps of calls' ladders, and their exchanges with web servers.
    pub events: Keep,
}

/// A table whose rows go by themselves.
struct Sort {
    table: &'static str,
    time: &'static str,
    key: &'static str,
    /// What else must be so.
    only: &'static str,
}

const CALLS: Sort = Sort { table: "calls", time: "ended_at", key: "sid", only: "ended_at IS NOT NULL" };
const CONFERENCES: Sort =
    Sort { table: "conferences", time: "created_at", key: "sid", only: "status = 'completed'" };
const NOTIFICATIONS: Sort = Sort { table: "notifications", time: "at", key: "sid", only: "1 = 1" };
const EVENTS: Sort = Sort { table: "events", time: "at", key: "call, seq", only: "1 = 1" };
const EXCHANGES: Sort = Sort { table: "exchanges", time: "at", key: "call, seq", only: "1 = 1" };

/// Rows that go in one step.
const STEP_ROWS_MAX: u32 = 200;
/// Recordings likewise: each has a file.
const STEP_FILES_MAX: u32 = 20;
/// The pause after a step.
const STEP_PAUSE: Duration = Duration::from_millis(30);

impl Store {
    /// Lets go whatever has been kept long enough at `now`; `folder` is where recordings lie. Returns how many rows went.
    pub async fn sweep(
        &self,
        retention: &Retention,
        folder: &Path,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut gone = self.sweep_recordings(retention.recordings, folder, now).await?;
        for (sort, keep) in [
            (EVENTS, retention.events),
            (EXCHANGES, retention.events),
            (NOTIFICATIONS, retention.notifications),
            (CALLS, retention.calls),
            (CONFERENCES, retention.calls),
        ] {
            gone += self.sweep_rows(&sort, keep, now).await?;
        }
        Ok(gone)
    }

    async fn sweep_rows(&self, sort: &Sort, keep: Keep, now: Timestamp) -> Result<u64, StoreError> {
        let by_age = keep.age.map(|age| before(now, age));
        let by_number = match keep.most {
            Some(most) => self.newest_too_many(sort, most).await?,
            None => None,
        };
        let Some(cut) = by_age.max(by_number) else { return Ok(0) };
        let Sort { table, time, key, only } = sort;
        let sql = format!(
            "DELETE FROM {table} WHERE ({key}) IN \
             (SELECT {key} FROM {table} WHERE {only} AND {time} < $1 ORDER BY {time} LIMIT {STEP_ROWS_MAX})"
        );
        let mut gone = 0;
        loop {
            let query = sqlx::query(AssertSqlSafe(sql.clone())).bind(cut.0);
            let step = query.execute(&self.inner.pool).await?.rows_affected();
            gone += step;
            if step < u64::from(STEP_ROWS_MAX) {
                return Ok(gone);
            }
            tokio::time::sleep(STEP_PAUSE).await;
        }
    }

    /// Just after the newest row that is one too many.
    async fn newest_too_many(&self, sort: &Sort, most: u64) -> Result<Option<Timestamp>, StoreError> {
        let Sort { table, time, only, .. } = sort;
        let sql = format!("SELECT {time} FROM {table} WHERE {only} ORDER BY {time} DESC LIMIT 1 OFFSET $1");
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let row = sqlx::query(AssertSqlSafe(sql)).bind(most).fetch_optional(&self.inner.pool).await?;
        Ok(row.map(|row| row.try_get::<i64, _>(0)).transpose()?.map(|at| Timestamp(at.saturating_add(1))))
    }

    /// A file goes before its row: what a power cut leaves is a row without a file, which goes the next time.
    async fn sweep_recordings(&self, keep: Keep, folder: &Path, now: Timestamp) -> Result<u64, StoreError> {
        let cut = keep.age.map(|age| before(now, age));
        let mut too_much = match keep.most {
            Some(most) => self.recorded_bytes().await?.saturating_sub(most),
            None => 0,
        };
        let mut gone = 0;
        loop {
            let oldest = self.oldest_recordings().await?;
            let all = oldest.len();
            let mut step = Vec::new();
            for row in oldest {
                let too_old = cut.is_some_and(|cut| row.created < cut);
                if !too_old && too_much == 0 {
                    break;
                }
                let path = folder.join(&row.path);
                // A file that is gone already is as it should be; one that cannot be deleted keeps its row.
                let removed = tokio::task::spawn_blocking(move || std::fs::remove_file(path)).await;
                if let Ok(Err(error)) = &removed
                    && error.kind() != std::io::ErrorKind::NotFound
                {
                    tracing::warn!(sid = %row.sid, %error, "a recording cannot be deleted");
                    break;
                }
                too_much = too_much.saturating_sub(row.bytes.unwrap_or(0));
                step.push(row);
            }
            let went = step.len();
            self.forget_recordings(&step).await?;
            gone += went as u64;
            if went < all || went == 0 {
                return Ok(gone);
            }
            tokio::time::sleep(STEP_PAUSE).await;
        }
    }

    async fn recorded_bytes(&self) -> Result<u64, StoreError> {
        // A sum is a DECIMAL to PostgreSQL, which the driver does not read.
        let sql = "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM recordings \
             WHERE box = $1 AND status <> 'deleted'";
        let row = sqlx::query(sql).bind(self.inner.box_id.clone()).fetch_one(&self.inner.pool).await?;
        Ok(u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0))
    }

    /// Of this box, and complete: the files of another are not here.
    async fn oldest_recordings(&self) -> Result<Vec<RecordingRow>, StoreError> {
        let sql = format!(
            "SELECT {RECORDING_COLUMNS} FROM recordings WHERE box = $1 \
             AND status NOT IN ('in-progress', 'paused', 'processing') \
             ORDER BY created_at, sid LIMIT {STEP_FILES_MAX}"
        );
        self.rows(sqlx::query(AssertSqlSafe(sql)).bind(self.inner.box_id.clone()), read_recording).await
    }

    async fn forget_recordings(&self, rows: &[RecordingRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut tx = self.inner.pool.begin().await?;
        for row in rows {
            for sql in
                ["DELETE FROM transcriptions WHERE recording = $1", "DELETE FROM recordings WHERE sid = $1"]
            {
                sqlx::query(sql).bind(row.sid.to_string()).execute(&mut *tx).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use base::{CallSid, RecordingSid, TranscriptionSid};
    use call::record::{
        CallRow, EventRow, RecordingStatus, StoreItem, TranscriptionRow, TranscriptionStatus,
    };
    use twiml::CallStatus;

    use super::*;
    use crate::{CallFilter, NotificationFilter, Page, RecordingFilter, sample};

    const DAY: Duration = Duration::from_secs(86_400);

    fn day(n: u64) -> Timestamp {
        Timestamp(i64::try_from((DAY * u32::try_from(n).unwrap()).as_micros()).unwrap())
    }

    fn aged(days: u32) -> Keep {
        Keep { age: Some(DAY * days), most: None }
    }

    fn at_most(most: u64) -> Keep {
        Keep { age: None, most: Some(most) }
    }

    /// Something of every sort on each of ten days; the call of the first day goes on.
    async fn filled(folder: &Path) -> Store {
        let store = Store::open("sqlite:", folder).await.unwrap();
        for n in 1..=10_u64 {
            let (sid, at) = (u128::from(n), day(n));
            let (status, end) =
                if n == 1 { (CallStatus::InProgress, None) } else { (CallStatus::Completed, Some(at)) };
            store.write(StoreItem::Call(CallRow { status, end, created: at, ..sample::call(sid) }));
            store.write(StoreItem::Event(EventRow { at, ..sample::event(sid, 0) }));
            store.write(StoreItem::Exchange(call::record::ExchangeRow { at, ..sample::exchange(sid, 1) }));
            let notification = sample::notification(sid, sid);
            store.write(StoreItem::Notification(call::record::NotificationRow { at, ..notification }));
            let path = format!("{n}.wav");
            std::fs::write(folder.join(&path), [0; 100]).unwrap();
            let status = if n == 2 { RecordingStatus::InProgress } else { RecordingStatus::Completed };
            let recording = sample::recording(sid, sid);
            store.write(StoreItem::Recording(RecordingRow {
                path,
                status,
                created: at,
                bytes: Some(100),
                ..recording
            }));
            store.write(StoreItem::Transcription(TranscriptionRow {
                sid: TranscriptionSid(sid),
                recording: RecordingSid(sid),
                call: CallSid(sid),
                status: TranscriptionStatus::Completed,
                text: None,
                duration_s: 1,
                created: at,
                updated: at,
            }));
        }
        store.flush().await.unwrap();
        store
    }

    async fn calls(store: &Store) -> Vec<u128> {
        let rows = store.calls(&CallFilter::default(), &Page::first(1_000)).await.unwrap();
        rows.iter().map(|row| row.sid.0).rev().collect()
    }

    async fn recordings(store: &Store) -> Vec<u128> {
        let rows = store.recordings(&RecordingFilter::default(), &Page::first(1_000)).await.unwrap();
        rows.iter().map(|row| row.sid.0).rev().collect()
    }

    #[tokio::test]
    async fn what_is_too_old_goes_and_what_is_not_over_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path()).await;
        let nothing = store.sweep(&Retention::default(), folder.path(), day(1_000)).await.unwrap();
        assert_eq!(nothing, 0, "no limit");
        let retention =
            Retention { calls: aged(5), recordings: aged(3), notifications: aged(8), events: aged(1) };
        let gone = store.sweep(&retention, folder.path(), day(10)).await.unwrap();
        assert_eq!(calls(&store).await, [1, 5, 6, 7, 8, 9, 10], "that of day 1 goes on");
        assert_eq!(recordings(&store).await, [2, 7, 8, 9, 10], "that of day 2 is being made");
        let files = (1..=10).filter(|n| folder.path().join(format!("{n}.wav")).exists());
        assert_eq!(files.collect::<Vec<_>>(), [2, 7, 8, 9, 10]);
        assert_eq!(store.transcription(TranscriptionSid(6)).await.unwrap(), None);
        assert!(store.transcription(TranscriptionSid(7)).await.unwrap().is_some());
        let notifications = store.notifications(&NotificationFilter::default(), &Page::first(1_000)).await;
        assert_eq!(notifications.unwrap().len(), 9);
        assert!(store.events(CallSid(8)).await.unwrap().is_empty());
        assert_eq!(store.events(CallSid(9)).await.unwrap().len(), 1);
        assert!(store.exchanges(CallSid(8)).await.unwrap().is_empty());
        assert_eq!(store.exchanges(CallSid(9)).await.unwrap().len(), 1);
        assert_eq!(gone, 3 + 5 + 1 + 8 + 8);
        assert_eq!(store.sweep(&retention, folder.path(), day(10)).await.unwrap(), 0, "once");
        assert!(store.sweep(&retention, folder.path(), day(12)).await.unwrap() > 0, "time has passed");
    }

    #[tokio::test]
    async fn what_is_too_much_goes_the_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path()).await;
        let retention = Retention {
            calls: at_most(4),
            recordings: at_most(350),
            notifications: at_most(2),
            events: at_most(20),
        };
        store.sweep(&retention, folder.path(), day(10)).await.unwrap();
        assert_eq!(calls(&store).await, [1, 7, 8, 9, 10]);
        assert_eq!(recordings(&store).await, [2, 9, 10], "350 bytes are three files");
        assert!(!folder.path().join("8.wav").exists());
        let notifications = store.notifications(&NotificationFilter::default(), &Page::first(1_000)).await;
        assert_eq!(notifications.unwrap().len(), 2);
        assert_eq!(store.events(CallSid(1)).await.unwrap().len(), 1, "ten are not too many");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn writers_are_not_held_up() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:", folder.path()).await.unwrap();
        let old: u32 = 8_000;
        for seq in 0..old {
            store.write(StoreItem::Event(sample::event(1, seq)));
        }
        store.flush().await.unwrap();
        let retention = Retention { events: aged(1), ..Retention::default() };
        let sweeping = {
            let (store, folder) = (store.clone(), folder.path().to_owned());
            tokio::spawn(async move { store.sweep(&retention, &folder, day(10)).await })
        };
        let (mut longest, mut written) = (Duration::ZERO, 0_u128);
        while !sweeping.is_finished() {
            written += 1;
            store.write(StoreItem::Call(sample::call(written)));
            let began = Instant::now();
            store.flush().await.unwrap();
            longest = longest.max(began.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(sweeping.await.unwrap().unwrap(), u64::from(old));
        assert!(written > 10, "both went on at once: {written}");
        // A sweep in one piece would hold the writer for as long as it takes, and SQLite's patience is 5 s.
        assert!(longest < Duration::from_secs(2), "{longest:?}");
        assert_eq!(store.health().degraded, None);
    }
}
