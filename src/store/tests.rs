//! The store as its callers see it, on SQLite in a directory of its own and, where one is offered, on
//! PostgreSQL.

use std::time::Duration;

use base::{
    CallSid, ConferenceSid, Mono, Now, RecordingSid, Timestamp, TranscriptionSid, WorkerSid, WorkspaceSid,
};
use call::record::{
    CallRow, ConferenceEnd, ConferenceRow, ConferenceStatus, DesktopRow, EventRow, Gone, NotificationRow,
    QueueRow, RecordingRow, RecordingStatus, RegistrationRow, StoreItem, TranscriptionRow,
    TranscriptionStatus,
};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use twiml::{CallStatus, Direction, Level};

use crate::pending::EVENTS_PENDING_MAX;
use crate::{
    CallFilter, ConferenceFilter, Cut, Keep, NotificationFilter, Page, RecordingFilter, ResourceChange,
    ResourceRow, Retention, Store, StoreError, sample, writer,
};

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

async fn sqlite(state: &TempDir) -> Store {
    Store::open("sqlite:", state.path()).await.unwrap()
}

/// A call with every column filled.
fn full_call(n: u128) -> CallRow {
    CallRow {
        parent: Some(CallSid(n + 1000)),
        direction: Direction::OutboundDial,
        caller_name: Some("Ann \"the\" O'Hara; DROP TABLE calls".to_owned()),
        forwarded_from: Some("+15550002222".to_owned()),
        number: Some("+15550001111".to_owned()),
        trunk: Some("carrier".to_owned()),
        phone: Some("ann".to_owned()),
        status: CallStatus::NoAnswer,
        start: Some(Timestamp(10)),
        answer: Some(Timestamp(20)),
        end: Some(Timestamp(30)),
        duration_s: Some(u32::MAX),
        sip_code: Some(480),
        answered_by: Some("human".to_owned()),
        ended_by: Some("caller".to_owned()),
        queue_time_ms: 7,
        ..sample::call(n)
    }
}

/// What every database must do, told once.
async fn rows_survive(store: &Store) {
    let recording = RecordingRow {
        conference: Some(ConferenceSid(5)),
        status: RecordingStatus::Completed,
        duration_ms: Some(1_234),
        bytes: Some(u64::from(u32::MAX) * 4),
        error_code: Some(13_000),
        ..sample::recording(1, 1)
    };
    let notification = NotificationRow {
        request_variables: Some("From=%2B1555".to_owned()),
        response_headers: Some("a=b".to_owned()),
        ..sample::notification(1, 1)
    };
    let bare =
        NotificationRow { call: None, url: None, method: None, line: None, ..sample::notification(2, 1) };
    store.write(StoreItem::Call(full_call(1)));
    store.write(StoreItem::Call(sample::call(2)));
    store.write(StoreItem::Recording(recording.clone()));
    let transcription = TranscriptionRow {
        sid: TranscriptionSid(8),
        recording: recording.sid,
        call: CallSid(1),
        status: TranscriptionStatus::InProgress,
        text: None,
        duration_s: 4,
        created: Timestamp(5),
        updated: Timestamp(5),
    };
    store.write(StoreItem::Transcription(transcription.clone()));
    let heard = TranscriptionRow {
        status: TranscriptionStatus::Completed,
        text: Some("call me back".to_owned()),
        updated: Timestamp(9),
        ..transcription
    };
    store.write(StoreItem::Transcription(heard.clone()));
    store.write(StoreItem::Notification(notification.clone()));
    store.write(StoreItem::Notification(bare.clone()));
    let resized = QueueRow { max_size: 7, on_demand: false, updated: Timestamp(9), ..sample::queue(1) };
    for row in [sample::queue(1), resized.clone(), sample::queue(2), sample::queue(3)] {
        store.write(StoreItem::Queue(row));
    }
    for seq in [1, 0, 2, 1] {
        store.write(StoreItem::Event(sample::event(1, seq)));
    }
    store.write(StoreItem::Event(EventRow { text: "a\0b".to_owned(), ..sample::event(2, 0) }));
    store.flush().await.unwrap();

    let at = |mono, wall| Now { mono: Mono(mono), wall: Timestamp(wall) };
    let [first, again, other] =
        [(1, 1_000), (1, 2_000), (2, 1_000)].map(|(n, left_s)| sample::registration(n, left_s, at(7, 0)));
    for row in [first, again.clone(), other.clone()] {
        store.write(StoreItem::Registration(row));
        store.flush().await.unwrap();
    }
    let known = store.registrations(Timestamp(0)).await.unwrap();
    assert_eq!(known, [again.clone(), other.clone()]);
    let second = 1_000_000;
    assert_eq!(store.registrations(Timestamp(1_000 * second)).await.unwrap(), std::slice::from_ref(&again));
    // What is left of them is counted on, on the clock of the run that reads them.
    let contact = again.clone().at(at(500, 1_500 * second)).remove(0);
    assert_eq!(contact.expires_at, Mono(500) + Duration::from_secs(500));
    store.write(StoreItem::Registration(RegistrationRow { contacts: Vec::new(), ..again }));
    store.flush().await.unwrap();
    assert_eq!(store.registrations(Timestamp(0)).await.unwrap(), [other]);

    let desktop = |n, open| DesktopRow { workspace: WorkspaceSid(1), worker: WorkerSid(n), open };
    for row in [desktop(1, true), desktop(2, true), desktop(1, true), desktop(2, false)] {
        store.write(StoreItem::Desktop(row));
        store.flush().await.unwrap();
    }
    assert_eq!(store.desktops().await.unwrap(), [desktop(1, true)]);

    let begun = ConferenceRow { region: Some("ie1".to_owned()), ..sample::conference(1) };
    let over = ConferenceRow {
        status: ConferenceStatus::Completed,
        updated: Timestamp(9),
        ended_why: Some(ConferenceEnd::LastParticipantLeft),
        ended_by: Some(CallSid(1)),
        ..begun.clone()
    };
    for row in [begun, over.clone()] {
        store.write(StoreItem::Conference(row));
        store.flush().await.unwrap();
    }
    assert_eq!(store.conference(over.sid).await.unwrap(), Some(over));
    assert_eq!(store.conference(ConferenceSid(2)).await.unwrap(), None);

    let gone = QueueRow { deleted: Some(Timestamp(9)), ..sample::queue(3) };
    store.write(StoreItem::Queue(gone.clone()));
    store.write(StoreItem::Queue(gone));
    assert_eq!(store.queues().await.unwrap(), [resized, sample::queue(2)]);

    assert_eq!(store.call(CallSid(1)).await.unwrap(), Some(full_call(1)));
    assert_eq!(store.call(CallSid(2)).await.unwrap(), Some(sample::call(2)));
    assert_eq!(store.call(CallSid(3)).await.unwrap(), None);
    assert_eq!(store.recording(recording.sid).await.unwrap(), Some(recording));
    assert_eq!(store.transcription(heard.sid).await.unwrap(), Some(heard.clone()));
    let of_recording = store.transcriptions(Some(heard.recording), &Page::first(10)).await.unwrap();
    assert_eq!(of_recording, std::slice::from_ref(&heard));
    let exchange = sample::exchange(1, 7);
    store.write(StoreItem::Exchange(exchange.clone()));
    store.write(StoreItem::Exchange(exchange.clone()));
    assert_eq!(store.exchanges(CallSid(1)).await.unwrap(), [exchange]);
    store.write(StoreItem::Gone(Gone::Transcription(heard.sid)));
    assert_eq!(store.transcription(heard.sid).await.unwrap(), None);
    assert_eq!(store.notification(notification.sid).await.unwrap(), Some(notification));
    assert_eq!(store.notification(bare.sid).await.unwrap(), Some(bare));
    let events = store.events(CallSid(1)).await.unwrap();
    assert_eq!(events, [sample::event(1, 0), sample::event(1, 1), sample::event(1, 2)]);
    assert_eq!(store.events(CallSid(2)).await.unwrap()[0].text, "a\u{fffd}b");

    let later = CallRow { status: CallStatus::Completed, sip_code: None, ..full_call(1) };
    store.write(StoreItem::Call(later.clone()));
    assert_eq!(store.call(CallSid(1)).await.unwrap(), Some(later), "a reader finds what was written before");
    let health = store.health();
    assert_eq!((health.degraded, health.pending, health.dropped), (None, 0, 0));
}

async fn lists_filter_and_page(store: &Store) {
    for n in 100..110 {
        let status = if n % 2 == 0 { CallStatus::Completed } else { CallStatus::Busy };
        let from = if n < 105 { "+1" } else { "+2" };
        let start = Some(Timestamp(1_000_000 * n as i64 + 1));
        store.write(StoreItem::Call(CallRow { status, from: from.to_owned(), start, ..sample::call(n) }));
        store.write(StoreItem::Recording(sample::recording(n, n % 3)));
        store.write(StoreItem::Notification(NotificationRow {
            level: if n % 2 == 0 { Level::Warning } else { Level::Error },
            ..sample::notification(n, n % 3)
        }));
    }
    // Two calls of one moment keep their order by sid.
    store.write(StoreItem::Call(CallRow { created: Timestamp(109_000_000), ..sample::call(200) }));
    let sids = |rows: Vec<CallRow>| rows.into_iter().map(|row| row.sid.0).collect::<Vec<_>>();
    let all = CallFilter { started_from: Some(Timestamp(100_000_000)), ..CallFilter::default() };
    let found = sids(store.calls(&all, &Page::first(3)).await.unwrap());
    assert_eq!(found, [109, 108, 107], "newest first");
    let next = Page { limit: 3, cut: Cut::After(Timestamp(107_000_000), CallSid(107)) };
    assert_eq!(sids(store.calls(&all, &next).await.unwrap()), [106, 105, 104]);
    let any = CallFilter::default();
    assert_eq!(sids(store.calls(&any, &Page::first(2)).await.unwrap()), [200, 109]);
    let next = Page { limit: 1, cut: Cut::After(Timestamp(109_000_000), CallSid(200)) };
    assert_eq!(sids(store.calls(&any, &next).await.unwrap()), [109]);
    let back = |n: i64| Page { limit: 2, cut: Cut::Before(Timestamp(n * 1_000_000), CallSid(n as u128)) };
    assert_eq!(sids(store.calls(&all, &back(104)).await.unwrap()), [106, 105], "the nearest, newest first");
    assert_eq!(sids(store.calls(&any, &back(108)).await.unwrap()), [200, 109]);
    assert_eq!(sids(store.calls(&any, &back(109)).await.unwrap()), [200], "of one moment");
    let cases = [
        (CallFilter { from: Some("+1".to_owned()), ..all.clone() }, 5),
        (CallFilter { status: Some(CallStatus::Busy), ..all.clone() }, 5),
        (CallFilter { status: Some(CallStatus::Busy), from: Some("+1".to_owned()), ..all.clone() }, 2),
        (CallFilter { started_to: Some(Timestamp(102_999_999)), ..all.clone() }, 3),
        (CallFilter { parent: Some(CallSid(9)), ..all.clone() }, 0),
        (CallFilter { ended_from: Some(Timestamp(0)), ..all.clone() }, 0),
        (CallFilter { to: Some("101".to_owned()), ..all.clone() }, 10),
    ];
    for (filter, expected) in cases {
        assert_eq!(store.calls(&filter, &Page::first(1000)).await.unwrap().len(), expected, "{filter:?}");
    }
    // Calls of forty days, of a day and of a minute that ended on one day, the newest first; and one that ended later.
    const DAY: i64 = 86_400_000_000;
    for (n, created, lasted) in [
        (301, 100 * DAY, 40 * DAY),
        (302, 139 * DAY, DAY),
        (303, 140 * DAY, 60_000_000),
        (304, 90 * DAY, 50 * DAY),
        (305, 141 * DAY, DAY),
    ] {
        let (created, end) = (Timestamp(created), Some(Timestamp(created + lasted)));
        store.write(StoreItem::Call(CallRow { created, start: Some(created), end, ..sample::call(n) }));
    }
    let day = CallFilter {
        ended_from: Some(Timestamp(140 * DAY)),
        ended_to: Some(Timestamp(141 * DAY - 1)),
        ..CallFilter::default()
    };
    let created = |n: u128| Timestamp(DAY * [100, 139, 140, 90][n as usize - 301]);
    let after = |n: u128| Cut::After(created(n), CallSid(n));
    let before = |n: u128| Cut::Before(created(n), CallSid(n));
    for (limit, cut, found) in [
        (9, Cut::Newest, vec![303, 302, 301, 304]),
        (3, Cut::Newest, vec![303, 302, 301]),
        (2, after(303), vec![302, 301]),
        (9, after(301), vec![304]),
        (9, before(304), vec![303, 302, 301]),
        (2, before(304), vec![302, 301]),
        (1, before(302), vec![303]),
    ] {
        let rows = store.calls(&day, &Page { limit, cut }).await.unwrap();
        assert_eq!(sids(rows), found, "{limit} of {cut:?}");
    }
    let of_call = RecordingFilter {
        call: Some(CallSid(0)),
        created_from: Some(Timestamp(103)),
        ..RecordingFilter::default()
    };
    let found = store.recordings(&of_call, &Page::first(10)).await.unwrap();
    assert_eq!(found.iter().map(|row| row.sid).collect::<Vec<_>>(), [RecordingSid(108), RecordingSid(105)]);
    // Like the calls above: conferences of forty days, of a day and of a minute that ended on one day.
    for (n, created, lasted) in [
        (401, 100 * DAY, 40 * DAY),
        (402, 139 * DAY, DAY),
        (403, 140 * DAY, 60_000_000),
        (404, 90 * DAY, 50 * DAY),
        (405, 141 * DAY, DAY),
    ] {
        let (created, updated) = (Timestamp(created), Timestamp(created + lasted));
        store.write(StoreItem::Conference(ConferenceRow { created, updated, ..sample::conference(n) }));
    }
    let day = ConferenceFilter {
        updated_from: Some(Timestamp(140 * DAY)),
        updated_to: Some(Timestamp(141 * DAY - 1)),
        ..ConferenceFilter::default()
    };
    let created = |n: u128| Timestamp(DAY * [100, 139, 140, 90][n as usize - 401]);
    for (limit, cut, found) in [
        (9, Cut::Newest, vec![403, 402, 401, 404]),
        (2, Cut::After(created(403), ConferenceSid(403)), vec![402, 401]),
        (9, Cut::Before(created(404), ConferenceSid(404)), vec![403, 402, 401]),
    ] {
        let rows = store.conferences(&day, &Page { limit, cut }).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.sid.0).collect::<Vec<_>>(), found, "{limit} of {cut:?}");
    }
    for n in 100..106 {
        let status = ConferenceStatus::ALL[n as usize % 3];
        let name = if n < 103 { "board" } else { "desk" }.to_owned();
        let updated = Timestamp(n as i64 + 10);
        let row = ConferenceRow { status, name, updated, ..sample::conference(n) };
        store.write(StoreItem::Conference(row));
    }
    let all = ConferenceFilter {
        created_from: Some(Timestamp(100)),
        created_to: Some(Timestamp(200)),
        ..ConferenceFilter::default()
    };
    let first = ConferenceFilter::default();
    for (filter, cut, found) in [
        (all.clone(), Cut::Newest, vec![105, 104, 103, 102, 101, 100]),
        (all.clone(), Cut::After(Timestamp(102), ConferenceSid(102)), vec![101, 100]),
        (
            ConferenceFilter { name: Some("desk".to_owned()), ..first.clone() },
            Cut::Newest,
            vec![105, 104, 103],
        ),
        (
            ConferenceFilter { status: Some(ConferenceStatus::Completed), ..all.clone() },
            Cut::Newest,
            vec![104, 101],
        ),
        (ConferenceFilter { created_to: Some(Timestamp(101)), ..all.clone() }, Cut::Newest, vec![101, 100]),
        (
            ConferenceFilter {
                updated_from: Some(Timestamp(112)),
                updated_to: Some(Timestamp(113)),
                ..all.clone()
            },
            Cut::Newest,
            vec![103, 102],
        ),
    ] {
        let rows = store.conferences(&filter, &Page { limit: 10, cut }).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.sid.0).collect::<Vec<_>>(), found, "{filter:?}");
    }
    let warnings = NotificationFilter {
        level: Some(Level::Warning),
        from: Some(Timestamp(100)),
        ..NotificationFilter::default()
    };
    assert_eq!(store.notifications(&warnings, &Page::first(100)).await.unwrap().len(), 5);
}

async fn orphans_end_and_old_rows_go(store: &Store) {
    store.write(StoreItem::Call(CallRow { status: CallStatus::InProgress, ..sample::call(300) }));
    store.write(StoreItem::Conference(sample::conference(300)));
    store.flush().await.unwrap();
    assert!(store.end_orphans(Timestamp(400)).await.unwrap() >= 1);
    let ended = store.call(CallSid(300)).await.unwrap().unwrap();
    assert_eq!((ended.status, ended.end), (CallStatus::Failed, Some(Timestamp(400))));
    let closed = store.conference(ConferenceSid(300)).await.unwrap().unwrap();
    assert_eq!((closed.status, closed.updated), (ConferenceStatus::Completed, Timestamp(400)));
    assert_eq!(store.end_orphans(Timestamp(500)).await.unwrap(), 0);
    store.write(StoreItem::Event(sample::event(300, 0)));
    store.write(StoreItem::Gone(Gone::Call(CallSid(300))));
    assert!(store.events(CallSid(300)).await.unwrap().is_empty(), "what was written before is deleted");
    assert_eq!(store.call(CallSid(300)).await.unwrap(), None);
    let conferences = Keep { age: Some(std::time::Duration::ZERO), most: None };
    let retention = Retention { calls: conferences, ..Retention::default() };
    store.sweep(&retention, std::path::Path::new("."), Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(store.conference(ConferenceSid(300)).await.unwrap(), None);
    let mut cut_off = sample::recording(900, 300);
    store.write(StoreItem::Recording(cut_off.clone()));
    store.flush().await.unwrap();
    assert!(store.unfinished_recordings().await.unwrap().contains(&cut_off));
    cut_off.status = RecordingStatus::Completed;
    store.write(StoreItem::Recording(cut_off.clone()));
    store.flush().await.unwrap();
    let left = store.unfinished_recordings().await.unwrap();
    assert!(left.iter().all(|row| row.sid != cut_off.sid));
}

#[tokio::test]
async fn sqlite_does_what_a_store_must() {
    let state = directory();
    let store = sqlite(&state).await;
    rows_survive(&store).await;
    lists_filter_and_page(&store).await;
    orphans_end_and_old_rows_go(&store).await;
    store.close().await;
}

/// A store over a database without a table.
async fn empty(url: &str, state: &TempDir, connection: &mut sqlx::PgConnection) -> Store {
    for sql in ["DROP SCHEMA public CASCADE", "CREATE SCHEMA public"] {
        sqlx::query(sql).execute(&mut *connection).await.unwrap();
    }
    Store::open(url, state.path()).await.unwrap()
}

#[tokio::test]
async fn postgres_does_what_a_store_must() {
    let Ok(url) = std::env::var("TANDEM_TEST_POSTGRES") else {
        eprintln!("skipped: TANDEM_TEST_POSTGRES names no database (its tables are dropped)");
        return;
    };
    let state = directory();
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    // What the tests of each part ask, each of a database of its own.
    for part in 0..3 {
        let store = empty(&url, &state, &mut connection).await;
        let folder = directory();
        match part {
            0 => crate::retention::tests::what_is_too_old_goes(&store, folder.path()).await,
            1 => crate::retention::tests::what_is_too_much_goes(&store, folder.path()).await,
            _ => {
                crate::router::tests::rows_replace_each_other(&store).await;
                crate::router::tests::events_are_found(&store).await;
                crate::usage::tests::what_began_within_is_counted(&store).await;
            }
        }
        store.close().await;
    }
    let store = empty(&url, &state, &mut connection).await;
    assert_eq!(store.health().degraded, None);
    rows_survive(&store).await;
    lists_filter_and_page(&store).await;
    crate::plans::every_statement_finds_its_rows_in_an_index(&store).await;
    orphans_end_and_old_rows_go(&store).await;
    // The server throws everybody out, as when it restarts: nothing is lost, and nobody need be told.
    sqlx::query(
        "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    store.write(StoreItem::Call(sample::call(500)));
    while store.flush().await.is_err() {}
    assert_eq!(store.call(CallSid(500)).await.unwrap(), Some(sample::call(500)));
    assert_eq!((store.health().degraded, store.health().dropped), (None, 0));
    store.close().await;
    Store::open(&url, state.path()).await.unwrap().close().await;
}

#[tokio::test]
async fn what_was_flushed_is_there_after_a_crash() {
    let state = directory();
    let store = sqlite(&state).await;
    store.write(StoreItem::Call(sample::call(1)));
    store.flush().await.unwrap();
    // No close, no drop: as after a power cut, the write-ahead log is all there is.
    std::mem::forget(store);
    let store = sqlite(&state).await;
    assert_eq!(store.call(CallSid(1)).await.unwrap(), Some(sample::call(1)));
    assert_eq!(store.end_orphans(Timestamp(5)).await.unwrap(), 1, "the box id is the same");
}

#[tokio::test]
async fn a_flush_reaches_the_disk_even_when_the_rows_were_committed_before() {
    let state = directory();
    let store = sqlite(&state).await;
    let unsynced = |store: &Store| store.inner.shared.lock().unsynced;
    store.write(StoreItem::Call(sample::call(1)));
    // A reader waits for the commit, not for the disk.
    assert!(store.call(CallSid(1)).await.unwrap().is_some());
    assert!(unsynced(&store));
    store.flush().await.unwrap();
    assert!(!unsynced(&store));
    for seq in 0..250 {
        store.write(StoreItem::Event(sample::event(1, seq)));
    }
    store.flush().await.unwrap();
    assert!(!unsynced(&store));
    assert_eq!(store.health().written, 251);
}

#[tokio::test]
async fn what_is_waited_for_is_out_of_a_power_cuts_reach() {
    const NORMAL: i64 = 1;
    const FULL: i64 = 2;
    let state = directory();
    let store = sqlite(&state).await;
    let file = format!("sqlite://{}", state.path().join("tandem.sqlite").display());
    let mut connection = SqliteConnection::connect(&file).await.unwrap();
    sqlx::query("CREATE TABLE seen (synchronous INTEGER)").execute(&mut connection).await.unwrap();
    for table in ["calls", "resources"] {
        let see = format!(
            "CREATE TRIGGER see_{table} AFTER INSERT ON {table} \
             BEGIN INSERT INTO seen SELECT synchronous FROM pragma_synchronous; END"
        );
        sqlx::query(sqlx::AssertSqlSafe(see)).execute(&mut connection).await.unwrap();
    }
    store.write(StoreItem::Call(sample::call(1)));
    assert!(store.call(CallSid(1)).await.unwrap().is_some(), "a reader waits for the commit alone");
    store.write(StoreItem::Call(sample::call(2)));
    store.flush().await.unwrap();
    let resource = ResourceRow {
        kind: "queue".to_owned(),
        parent: String::new(),
        sid: "QU1".to_owned(),
        body: "{}".to_owned(),
        over: None,
        gone: false,
        created: Timestamp(1),
        updated: Timestamp(1),
    };
    store.change_resources(&[ResourceChange::Put(resource)]).await.unwrap();
    let seen: Vec<i64> = sqlx::query_scalar("SELECT synchronous FROM seen ORDER BY rowid")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(seen, [NORMAL, FULL, FULL]);
}

#[tokio::test]
async fn who_reads_does_not_wait_until_rows_have_gathered() {
    let state = directory();
    let store = sqlite(&state).await;
    let mut quickest = writer::BATCH_COLLECT;
    for n in 1..=50 {
        store.write(StoreItem::Call(sample::call(n)));
        // By now the writer gathers.
        tokio::time::sleep(writer::BATCH_COLLECT / 10).await;
        let began = std::time::Instant::now();
        assert!(store.call(CallSid(n)).await.unwrap().is_some());
        quickest = quickest.min(began.elapsed());
    }
    assert!(quickest < writer::BATCH_COLLECT / 2, "{quickest:?}");
}

#[tokio::test]
async fn closing_writes_what_is_left() {
    let state = directory();
    let store = sqlite(&state).await;
    for seq in 0..1_000 {
        store.write(StoreItem::Event(sample::event(1, seq)));
    }
    store.close().await;
    assert_eq!(store.health().pending, 0);
    store.write(StoreItem::Event(sample::event(1, 1_000)));
    assert!(matches!(store.flush().await, Err(StoreError::Closed)));
    let store = sqlite(&state).await;
    assert_eq!(store.events(CallSid(1)).await.unwrap().len(), 1_000);
}

/// How often a full disk may be swept before its rows must fit: each sweep lets go of all that was written.
const SWEEPS_MAX: u32 = 20;

#[tokio::test]
async fn a_full_disk_degrades_the_store_and_room_heals_it() {
    let state = directory();
    let store = Store::open_with("sqlite:", state.path(), "PRAGMA max_page_count = 200").await.unwrap();
    store.write(StoreItem::Call(sample::call(1)));
    store.flush().await.unwrap();
    let text = "x".repeat(1_000);
    for seq in 0..500 {
        store.write(StoreItem::Event(EventRow { text: text.clone(), ..sample::event(1, seq) }));
    }
    let error = store.flush().await.unwrap_err();
    assert!(matches!(error, StoreError::Degraded(_)), "{error}");
    let health = store.health();
    let degraded = health.degraded.expect("the health says so");
    assert!(degraded.error.contains("full"), "{}", degraded.error);
    assert!(health.pending > 0 && health.dropped == 0);
    // Reading still works, and writing still does not wait.
    assert!(store.call(CallSid(1)).await.unwrap().is_some());
    store.write(StoreItem::Call(CallRow { status: CallStatus::Completed, ..sample::call(1) }));
    let nothing = Keep { age: None, most: Some(0) };
    let retention =
        Retention { calls: nothing, events: nothing, notifications: nothing, ..Retention::default() };
    let mut healed = false;
    for _ in 0..SWEEPS_MAX {
        store.sweep(&retention, state.path(), Timestamp(i64::MAX)).await.unwrap();
        healed = store.flush().await.is_ok();
        if healed {
            break;
        }
    }
    assert!(healed, "{SWEEPS_MAX} sweeps made no room: {:?}", store.health());
    let health = store.health();
    assert_eq!((health.degraded, health.pending, health.dropped), (None, 0, 0));
    assert_eq!(store.call(CallSid(1)).await.unwrap().unwrap().status, CallStatus::Completed);
}

#[tokio::test]
async fn a_row_the_database_never_takes_holds_up_no_other() {
    let state = directory();
    let store = sqlite(&state).await;
    let file = format!("sqlite://{}", state.path().join("tandem.sqlite").display());
    let mut connection = SqliteConnection::connect(&file).await.unwrap();
    sqlx::query(
        "CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.text = 'poison' \
         BEGIN SELECT RAISE(ABORT, 'refused'); END",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    for (seq, text) in ["a", "poison", "c"].into_iter().enumerate() {
        store.write(StoreItem::Event(EventRow { text: text.to_owned(), ..sample::event(1, seq as u32) }));
    }
    store.flush().await.unwrap();
    let texts: Vec<String> =
        store.events(CallSid(1)).await.unwrap().into_iter().map(|row| row.text).collect();
    assert_eq!(texts, ["a", "c"]);
    assert_eq!((store.health().dropped, store.health().written), (1, 2));
}

#[tokio::test]
async fn a_server_that_is_away_keeps_rows_in_bounded_memory() {
    let state = directory();
    // Port 1 is nobody's.
    let store = Store::open("postgres://nobody@127.0.0.1:1/none", state.path()).await.unwrap();
    assert!(store.health().degraded.is_some());
    for seq in 0..u32::try_from(EVENTS_PENDING_MAX).unwrap() + 5 {
        store.write(StoreItem::Event(EventRow { text: String::new(), ..sample::event(1, seq) }));
    }
    store.write(StoreItem::Call(sample::call(1)));
    assert!(matches!(store.flush().await, Err(StoreError::Degraded(_))));
    let health = store.health();
    assert_eq!((health.pending, health.dropped), (EVENTS_PENDING_MAX + 1, 5));
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let state = directory();
    assert!(matches!(Store::open("mysql://x", state.path()).await, Err(StoreError::Url)));
    let missing = state.path().join("missing");
    let error = Store::open("sqlite:", &missing).await.err().unwrap();
    assert!(error.to_string().contains("missing"), "{error}");
    sqlite(&state).await.close().await;
    let file = format!("sqlite://{}", state.path().join("tandem.sqlite").display());
    let mut connection = SqliteConnection::connect(&file).await.unwrap();
    sqlx::query("INSERT INTO schema_steps (step) VALUES (999)").execute(&mut connection).await.unwrap();
    let error = Store::open("sqlite:", state.path()).await.err().unwrap();
    assert!(error.to_string().contains("later version"), "{error}");
}
