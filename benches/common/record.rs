//! A database as it is after years: rows by the million, whose numbers say what they are.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

/// When the oldest was, microseconds since 1970.
pub(crate) const FIRST_US: i64 = 1_735_689_600_000_000;
/// From one to the next, microseconds.
pub(crate) const APART_US: i64 = 10_000_000;

/// Fills a new database's file with so many rows of each kind, written by the box of that id, the calls over long ago:
/// by the database itself, its indexes last, as a million rows one by one take a quarter of an hour.
pub(crate) async fn fill(file: &Path, owner: &str, calls: u32, recordings: u32, notifications: u32) {
    let mut database = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let indexes: Vec<(String, String)> =
        sqlx::query_as("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
            .fetch_all(&mut database)
            .await
            .unwrap();
    let dropped = indexes.iter().map(|(name, _)| format!("DROP INDEX {name}"));
    let numbers = |most: u32| {
        format!(
            "FROM (WITH RECURSIVE r(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n + 1 < {most}) SELECT n FROM r)"
        )
    };
    // As `sid` and `at` below.
    let sid = |prefix: &str| format!("printf('{prefix}%08x%024x', ((n + 1) * 2654435761) & 4294967295, n)");
    let at = |after: i64| format!("{FIRST_US} + n * {APART_US} + {after}");
    let rows = [
        format!(
            "INSERT INTO calls (sid, box, direction, from_party, to_party, status, created_at, updated_at, started_at, \
             ended_at, duration_s, queue_time_ms) SELECT {}, '{owner}', 'inbound', printf('+1555700%04d', n % 9973), \
             printf('+1555000%04d', n % 997), CASE n % 10 WHEN 0 THEN 'busy' WHEN 1 THEN 'no-answer' ELSE 'completed' \
             END, {}, {}, {}, {}, 60, 0 {}",
            sid("CA"),
            at(0),
            at(0),
            at(0),
            at(60_000_000),
            numbers(calls)
        ),
        format!(
            "INSERT INTO recordings (sid, box, call, path, channels, status, source, track, created_at, updated_at, \
             started_at, duration_ms, bytes) SELECT {}, '{owner}', {}, 'RE.wav', 1, 'completed', 'RecordVerb', 'both', \
             {}, {}, {}, 60000, 960044 {}",
            sid("RE"),
            sid("CA"),
            at(0),
            at(0),
            at(0),
            numbers(recordings)
        ),
        format!(
            "INSERT INTO notifications (sid, box, call, at, code, level, message, url, method, response_status) \
             SELECT {}, '{owner}', {}, {}, 11200, CASE n % 7 WHEN 0 THEN 'error' ELSE 'warning' END, \
             'HTTP retrieval failure', 'http://web.example/voice', 'POST', 502 {}",
            sid("NO"),
            sid("CA"),
            at(0),
            numbers(notifications)
        ),
    ];
    let settings = ["PRAGMA synchronous = OFF", "PRAGMA cache_size = -400000"].map(str::to_owned);
    let made = indexes.iter().map(|(_, sql)| sql.clone());
    let last = ["PRAGMA wal_checkpoint(TRUNCATE)".to_owned()];
    for sql in settings.into_iter().chain(dropped).chain(rows).chain(made).chain(last) {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut database).await.unwrap();
    }
    database.close().await.unwrap();
}

/// Sids as they are made by chance: their order has nothing to do with time.
pub(crate) fn sid(n: u32) -> u128 {
    let first = ((u128::from(n) + 1) * 2_654_435_761) & 0xffff_ffff;
    (first << 96) | u128::from(n)
}
