//! What has been kept long enough goes: the oldest first, a little at a time.
//!
//! Every step is one short transaction over an index, with a pause after it, so that the writer is never kept waiting
//! for longer than a step. What is too old and what is too much are the same to it: a time before which things go.

use std::path::Path;
use std::time::Duration;

use base::Timestamp;
use call::record::RecordingRow;
use sqlx::Row;

use crate::rows::read_recording;
use crate::{Store, StoreError, sql};

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
    /// The steps of calls' ladders, their exchanges with web servers, and what happened in workspaces.
    pub events: Keep,
    /// What workspaces were told and decided.
    pub decisions: Keep,
}

/// Rows that go by themselves: how, and where the newest that is too many stands.
struct Sort {
    forget: &'static str,
    newest_but: &'static str,
}

const CALLS: Sort = Sort { forget: sql::FORGET_CALLS, newest_but: sql::NEWEST_CALL_BUT };
const CONFERENCES: Sort = Sort { forget: sql::FORGET_CONFERENCES, newest_but: sql::NEWEST_CONFERENCE_BUT };
const NOTIFICATIONS: Sort =
    Sort { forget: sql::FORGET_NOTIFICATIONS, newest_but: sql::NEWEST_NOTIFICATION_BUT };
const EVENTS: Sort = Sort { forget: sql::FORGET_EVENTS, newest_but: sql::NEWEST_EVENT_BUT };
const EXCHANGES: Sort = Sort { forget: sql::FORGET_EXCHANGES, newest_but: sql::NEWEST_EXCHANGE_BUT };
const ROUTER_EVENTS: Sort =
    Sort { forget: sql::FORGET_ROUTER_EVENTS, newest_but: sql::NEWEST_ROUTER_EVENT_BUT };
const LEAVES: Sort = Sort { forget: sql::FORGET_ROUTER_LEAVES, newest_but: sql::NEWEST_ROUTER_LEAF_BUT };

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
            (ROUTER_EVENTS, retention.events),
            (LEAVES, retention.decisions),
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
        let mut gone = 0;
        loop {
            let query = sqlx::query(sort.forget).bind(cut.0).bind(i64::from(STEP_ROWS_MAX));
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
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let row = sqlx::query(sort.newest_but).bind(most).fetch_optional(&self.inner.pool).await?;
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
            let mut is_last = oldest.len() < STEP_FILES_MAX as usize;
            let mut step = Vec::new();
            for row in oldest {
                let too_old = cut.is_some_and(|cut| row.created < cut);
                if !too_old && too_much == 0 {
                    is_last = true;
                    break;
                }
                // One that cannot be deleted keeps its row, and holds up no other.
                if let Err(error) = remove_recording(folder, &row).await {
                    tracing::warn!(sid = %row.sid, %error, "a recording cannot be deleted");
                    continue;
                }
                too_much = too_much.saturating_sub(row.bytes.unwrap_or(0));
                step.push(row);
            }
            self.forget_recordings(&step).await?;
            gone += step.len() as u64;
            if is_last || step.is_empty() {
                return Ok(gone);
            }
            tokio::time::sleep(STEP_PAUSE).await;
        }
    }

    async fn recorded_bytes(&self) -> Result<u64, StoreError> {
        let row = sqlx::query(sql::RECORDED_BYTES)
            .bind(self.inner.box_id.clone())
            .fetch_one(&self.inner.pool)
            .await?;
        Ok(u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0))
    }

    /// Of this box, and complete: the files of another are not here.
    async fn oldest_recordings(&self) -> Result<Vec<RecordingRow>, StoreError> {
        let query = sqlx::query(sql::OLDEST_RECORDINGS).bind(self.inner.box_id.clone());
        self.rows(query.bind(i64::from(STEP_FILES_MAX)), |row| read_recording(row)).await
    }

    async fn forget_recordings(&self, rows: &[RecordingRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut tx = self.inner.pool.begin().await?;
        for row in rows {
            for statement in [sql::DELETE_TRANSCRIPTIONS_OF_RECORDING, sql::DELETE_RECORDING] {
                sqlx::query(statement).bind(row.sid.to_string()).execute(&mut *tx).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Where another form of a recording lies that was made of it when somebody asked for it: beside it, in one channel or
/// as it was, with another ending.
pub fn other_form(path: &str, is_mono: bool, ending: &str) -> String {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    format!("{stem}{}.{ending}", if is_mono { ".mono" } else { "" })
}

/// Deletes a recording's sound in whatever form; what is gone already is as it should be.
pub async fn remove_recording(folder: &Path, row: &RecordingRow) -> std::io::Result<()> {
    let others = [(true, "wav"), (false, "mp3"), (true, "mp3")];
    let others = others.map(|(is_mono, ending)| other_form(&row.path, is_mono, ending));
    // The recording itself goes last: as long as it is there, it is known that there may be more.
    let paths: Vec<_> = others.into_iter().chain([row.path.clone()]).map(|path| folder.join(path)).collect();
    let work = tokio::task::spawn_blocking(move || {
        for path in paths {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    });
    work.await.unwrap_or_else(|_| Err(std::io::ErrorKind::Interrupted.into()))
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Instant;

    use base::{CallSid, RecordingSid, TranscriptionSid, WorkspaceSid};
    use call::record::{
        CallRow, EventRow, RecordingStatus, StoreItem, TranscriptionRow, TranscriptionStatus,
    };
    use call::taskrouter::rows::RouterItem;
    use twiml::CallStatus;

    use super::*;
    use crate::{CallFilter, NotificationFilter, Page, RecordingFilter, RouterEventFilter, sample};

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
    async fn fill(store: &Store, folder: &Path) {
        for n in 1..=10_u64 {
            let (sid, at) = (u128::from(n), day(n));
            let (status, end) =
                if n == 1 { (CallStatus::InProgress, None) } else { (CallStatus::Completed, Some(at)) };
            store.write(StoreItem::Call(CallRow { status, end, created: at, ..sample::call(sid) }));
            store.write(StoreItem::Event(EventRow { at, ..sample::event(sid, 0) }));
            store.write(StoreItem::Exchange(call::record::ExchangeRow { at, ..sample::exchange(sid, 1) }));
            let notification = sample::notification(sid, sid);
            store.write(StoreItem::Notification(call::record::NotificationRow { at, ..notification }));
            let event = crate::router::tests::event(sid, None);
            let event = call::taskrouter::rows::RouterEventRow { at, ..event };
            store.write(StoreItem::Router(RouterItem::Event(Box::new(event))));
            let path = format!("{n}.wav");
            std::fs::write(folder.join(&path), [0; 100]).unwrap();
            std::fs::write(folder.join(other_form(&path, true, "mp3")), [0; 10]).unwrap();
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
    }

    /// The numbers of the workspace's events that are there.
    async fn router_events(store: &Store) -> Vec<u128> {
        let rows = store
            .router_events(WorkspaceSid(1), &RouterEventFilter::default(), &crate::Page::first(100))
            .await
            .unwrap();
        rows.iter().map(|row| row.sid.0).rev().collect()
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
        let store = Store::open("sqlite:", folder.path()).await.unwrap();
        what_is_too_old_goes(&store, folder.path()).await;
    }

    pub(crate) async fn what_is_too_old_goes(store: &Store, folder: &Path) {
        fill(store, folder).await;
        let nothing = store.sweep(&Retention::default(), folder, day(1_000)).await.unwrap();
        assert_eq!(nothing, 0, "no limit");
        let retention = Retention {
            calls: aged(5),
            recordings: aged(3),
            notifications: aged(8),
            events: aged(1),
            ..Retention::default()
        };
        let gone = store.sweep(&retention, folder, day(10)).await.unwrap();
        assert_eq!(calls(store).await, [1, 5, 6, 7, 8, 9, 10], "that of day 1 goes on");
        assert_eq!(recordings(store).await, [2, 7, 8, 9, 10], "that of day 2 is being made");
        let files = (1..=10).filter(|n| folder.join(format!("{n}.wav")).exists());
        assert_eq!(files.collect::<Vec<_>>(), [2, 7, 8, 9, 10]);
        let others = (1..=10).filter(|n| folder.join(format!("{n}.mono.mp3")).exists());
        assert_eq!(others.collect::<Vec<_>>(), [2, 7, 8, 9, 10], "they go with it");
        assert_eq!(store.transcription(TranscriptionSid(6)).await.unwrap(), None);
        assert!(store.transcription(TranscriptionSid(7)).await.unwrap().is_some());
        let notifications = store.notifications(&NotificationFilter::default(), &Page::first(1_000)).await;
        assert_eq!(notifications.unwrap().len(), 9);
        assert!(store.events(CallSid(8)).await.unwrap().is_empty());
        assert_eq!(store.events(CallSid(9)).await.unwrap().len(), 1);
        assert!(store.exchanges(CallSid(8)).await.unwrap().is_empty());
        assert_eq!(store.exchanges(CallSid(9)).await.unwrap().len(), 1);
        assert_eq!(router_events(store).await, [9, 10]);
        assert_eq!(gone, 3 + 5 + 1 + 8 + 8 + 8);
        assert_eq!(store.sweep(&retention, folder, day(10)).await.unwrap(), 0, "once");
        assert!(store.sweep(&retention, folder, day(12)).await.unwrap() > 0, "time has passed");
    }

    #[tokio::test]
    async fn what_is_too_much_goes_the_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:", folder.path()).await.unwrap();
        what_is_too_much_goes(&store, folder.path()).await;
    }

    pub(crate) async fn what_is_too_much_goes(store: &Store, folder: &Path) {
        fill(store, folder).await;
        let retention = Retention {
            calls: at_most(4),
            recordings: at_most(350),
            notifications: at_most(2),
            events: at_most(20),
            ..Retention::default()
        };
        store.sweep(&retention, folder, day(10)).await.unwrap();
        assert_eq!(calls(store).await, [1, 7, 8, 9, 10]);
        assert_eq!(recordings(store).await, [2, 9, 10], "350 bytes are three files");
        assert!(!folder.join("8.wav").exists());
        let notifications = store.notifications(&NotificationFilter::default(), &Page::first(1_000)).await;
        assert_eq!(notifications.unwrap().len(), 2);
        assert_eq!(store.events(CallSid(1)).await.unwrap().len(), 1, "ten are not too many");
        let few = Retention { events: at_most(3), ..Retention::default() };
        assert_eq!(store.sweep(&few, folder, day(10)).await.unwrap(), 3 * 7);
        assert_eq!(router_events(store).await, [8, 9, 10]);
        assert!(store.events(CallSid(7)).await.unwrap().is_empty());
        assert_eq!(store.exchanges(CallSid(8)).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_deleted_holds_up_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:", folder.path()).await.unwrap();
        for n in 1..=50_u64 {
            let (path, sid) = (format!("{n}.wav"), u128::from(n));
            match n {
                // What is a folder cannot be deleted as a file.
                1 | 30 => std::fs::create_dir(folder.path().join(&path)).unwrap(),
                _ => std::fs::write(folder.path().join(&path), [0; 100]).unwrap(),
            }
            store.write(StoreItem::Recording(RecordingRow {
                path,
                status: RecordingStatus::Completed,
                created: day(n),
                bytes: Some(100),
                ..sample::recording(sid, sid)
            }));
        }
        store.flush().await.unwrap();
        let aged = Retention { recordings: aged(5), ..Retention::default() };
        assert_eq!(store.sweep(&aged, folder.path(), day(50)).await.unwrap(), 42);
        assert_eq!(recordings(&store).await, [1, 30, 45, 46, 47, 48, 49, 50]);
        let few = Retention { recordings: at_most(300), ..Retention::default() };
        store.sweep(&few, folder.path(), day(50)).await.unwrap();
        assert_eq!(recordings(&store).await, [1, 30, 50], "those that stay are counted too");
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
