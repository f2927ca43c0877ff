//! How the databases would find the rows of every statement there is: from an index, and in order.

use base::{
    CallSid, ConferenceSid, NotificationSid, RecordingSid, RouterEventSid, Timestamp, TranscriptionSid,
    WorkspaceSid,
};
use call::record::ConferenceStatus;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use twiml::{CallStatus, Level};

use crate::listing::{Bound, Cut, Listing, Page};
use crate::{
    CallFilter, ConferenceFilter, NotificationFilter, PAGE_ROWS_MAX, RecordingFilter, RouterEventFilter,
    Store, filter, sql,
};

/// Statements of the lists: each filter alone and typical pairs, the first page, one further on and one back. Who adds
/// a field to a filter is stopped by the compiler and adds it here.
fn lists(sqlite: bool) -> Vec<String> {
    let at = Some(Timestamp(5));
    let text = || Some("+15550001111".to_owned());
    let mut all = Vec::new();

    let plain = CallFilter::default;
    let CallFilter {
        from: _,
        to: _,
        parent: _,
        status: _,
        started_from: _,
        started_to: _,
        ended_from: _,
        ended_to: _,
    } = plain();
    for filter in [
        plain(),
        CallFilter { from: text(), ..plain() },
        CallFilter { to: text(), ..plain() },
        CallFilter { from: text(), to: text(), ..plain() },
        CallFilter { parent: Some(CallSid(1)), ..plain() },
        CallFilter { status: Some(CallStatus::Busy), ..plain() },
        CallFilter { status: Some(CallStatus::Busy), to: text(), started_from: at, ..plain() },
        CallFilter { started_from: at, ..plain() },
        CallFilter { started_to: at, ..plain() },
        CallFilter { started_from: at, started_to: at, ..plain() },
        CallFilter { ended_from: at, ..plain() },
        CallFilter { ended_to: at, ..plain() },
        CallFilter { ended_from: at, ended_to: at, ..plain() },
    ] {
        all.extend(pages(sqlite, || filter.listing(), "created_at", CallSid(7)));
        if filter.ended_from.is_some() {
            let long = || filter.long_listing().expect("an end is asked for");
            all.extend(pages(sqlite, long, "created_at", CallSid(7)));
        }
    }

    let plain = RecordingFilter::default;
    let RecordingFilter { call: _, conference: _, created_from: _, created_to: _, deleted: _ } = plain();
    for filter in [
        plain(),
        RecordingFilter { call: Some(CallSid(1)), ..plain() },
        RecordingFilter { conference: Some(ConferenceSid(1)), ..plain() },
        RecordingFilter { created_from: at, ..plain() },
        RecordingFilter { created_to: at, ..plain() },
        RecordingFilter { created_from: at, created_to: at, ..plain() },
        RecordingFilter { deleted: true, ..plain() },
    ] {
        all.extend(pages(sqlite, || filter.listing(), "created_at", RecordingSid(7)));
    }

    let plain = NotificationFilter::default;
    let NotificationFilter { call: _, level: _, from: _, to: _ } = plain();
    for filter in [
        plain(),
        NotificationFilter { call: Some(CallSid(1)), ..plain() },
        NotificationFilter { level: Some(Level::Error), ..plain() },
        NotificationFilter { from: at, ..plain() },
        NotificationFilter { to: at, ..plain() },
    ] {
        all.extend(pages(sqlite, || filter.listing(), "at", NotificationSid(7)));
    }

    let plain = ConferenceFilter::default;
    let ConferenceFilter {
        name: _,
        status: _,
        created_from: _,
        created_to: _,
        updated_from: _,
        updated_to: _,
    } = plain();
    for filter in [
        plain(),
        ConferenceFilter { name: text(), ..plain() },
        ConferenceFilter { status: Some(ConferenceStatus::Init), ..plain() },
        ConferenceFilter { created_from: at, ..plain() },
        ConferenceFilter { created_to: at, ..plain() },
        ConferenceFilter { updated_from: at, ..plain() },
        ConferenceFilter { updated_to: at, ..plain() },
    ] {
        all.extend(pages(sqlite, || filter.listing(), "created_at", ConferenceSid(7)));
        if filter.updated_from.is_some() {
            let long = || filter.long_listing().expect("a change is asked for");
            all.extend(pages(sqlite, long, "created_at", ConferenceSid(7)));
        }
    }

    for recording in [None, Some(RecordingSid(1))] {
        all.extend(pages(sqlite, || filter::transcriptions(recording), "created_at", TranscriptionSid(7)));
    }

    let plain = RouterEventFilter::default;
    let RouterEventFilter {
        from: _,
        to: _,
        kind: _,
        task: _,
        worker: _,
        queue: _,
        workflow: _,
        reservation: _,
        channel: _,
    } = plain();
    for filter in [
        plain(),
        RouterEventFilter { channel: text(), ..plain() },
        RouterEventFilter { channel: Some(base::TaskChannelSid(7).to_string()), ..plain() },
        RouterEventFilter { from: at, ..plain() },
        RouterEventFilter { to: at, ..plain() },
        RouterEventFilter { kind: text(), ..plain() },
        RouterEventFilter { task: text(), ..plain() },
        RouterEventFilter { worker: text(), ..plain() },
        RouterEventFilter { queue: text(), ..plain() },
        RouterEventFilter { workflow: text(), ..plain() },
        RouterEventFilter { reservation: text(), ..plain() },
        RouterEventFilter { worker: text(), from: at, ..plain() },
    ] {
        all.extend(pages(sqlite, || filter.listing(WorkspaceSid(1)), "at", RouterEventSid(7)));
    }
    all
}

fn pages<Sid: Copy + ToString>(
    sqlite: bool,
    listing: impl Fn() -> Listing,
    time: &'static str,
    sid: Sid,
) -> [String; 3] {
    let at = Timestamp(9);
    [Cut::Newest, Cut::After(at, sid), Cut::Before(at, sid)].map(|cut| {
        let (sql, _): (String, Vec<Bound>) =
            listing().statement(time, &Page { limit: PAGE_ROWS_MAX, cut }, sqlite);
        sql
    })
}

/// Every statement: those of the one list, and those of the lists.
fn every_statement(sqlite: bool) -> Vec<String> {
    let lists = lists(sqlite);
    for list in sql::LISTS {
        assert!(lists.iter().any(|sql| sql.contains(list)), "no statement of the list {list}");
    }
    sql::ALL.iter().map(|(_, sql)| (*sql).to_owned()).chain(lists).collect()
}

async fn lines(connection: &mut AnyConnection, sql: String, column: &str) -> Vec<String> {
    let rows = sqlx::raw_sql(AssertSqlSafe(sql.clone())).fetch_all(connection).await;
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.iter().map(|row| row.get::<String, _>(column)).collect()
}

/// What SQLite says against a statement.
async fn sqlite_minds(connection: &mut AnyConnection, sql: &str) -> Option<String> {
    let plan = lines(connection, format!("EXPLAIN QUERY PLAN {sql}"), "detail").await;
    let is_bad = |step: &String| {
        let from_an_index = ["INDEX", "PRIMARY KEY"].iter().any(|word| step.contains(word));
        // What a statement within the statement has found is read once.
        let from_an_index = from_an_index || step == "SCAN page";
        step.contains("TEMP B-TREE")
            || ((step.starts_with("SCAN") || step.starts_with("SEARCH")) && !from_an_index)
    };
    plan.iter().any(is_bad).then(|| plan.join("\n"))
}

/// What PostgreSQL says against a statement, whatever its values are.
async fn postgres_minds(connection: &mut AnyConnection, sql: &str) -> Option<String> {
    let values = (1..).take_while(|n| sql.contains(&format!("${n}"))).map(|_| "NULL").collect::<Vec<_>>();
    let values = if values.is_empty() { String::new() } else { format!("({})", values.join(",")) };
    lines(connection, format!("PREPARE p AS {sql}"), "").await;
    let plan = lines(connection, format!("EXPLAIN EXECUTE p{values}"), "QUERY PLAN").await;
    lines(connection, "DEALLOCATE p".to_owned(), "").await;
    let is_bad = |step: &String| step.contains("Seq Scan") || step.contains("Sort");
    plan.iter().any(is_bad).then(|| plan.join("\n"))
}

/// No statement reads a table from end to end or sorts what it found.
pub(crate) async fn every_statement_finds_its_rows_in_an_index(store: &Store) {
    let mut connection = store.inner.pool.acquire().await.unwrap();
    let is_sqlite = connection.backend_name() != "PostgreSQL";
    if !is_sqlite {
        // Whether there is an index at all that fits, whatever the values; over the few rows of a test everything else is
        // cheaper, and how many rows a value has it learns from a table in use. Left to itself it takes these indexes, too,
        // over two hundred thousand rows of each table, and sorts at most the few hundred it found in one; over fewer it
        // may read a whole table where two hundred of its rows are to go.
        for setting in ["enable_seqscan = off", "enable_sort = off", "enable_bitmapscan = off"] {
            lines(&mut connection, format!("SET {setting}"), "").await;
        }
        lines(&mut connection, "SET plan_cache_mode = force_generic_plan".to_owned(), "").await;
    }
    let mut minded = Vec::new();
    let worst = "SELECT sid FROM calls WHERE caller_name = $1 ORDER BY trunk".to_owned();
    for sql in std::iter::once(worst).chain(every_statement(is_sqlite)) {
        let found = if is_sqlite {
            sqlite_minds(&mut connection, &sql).await
        } else {
            postgres_minds(&mut connection, &sql).await
        };
        minded.extend(found.map(|plan| format!("{sql}\n{plan}\n")));
    }
    let seen = minded.remove(0);
    assert!(seen.contains("caller_name"), "a bad one is seen: {seen}");
    // The settings above were this connection's alone.
    drop(connection.detach());
    assert!(minded.is_empty(), "{}", minded.join("\n"));
}

#[tokio::test]
async fn sqlite_finds_the_rows_of_every_statement_in_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open("sqlite:", folder.path()).await.unwrap();
    every_statement_finds_its_rows_in_an_index(&store).await;
    let mut connection = store.inner.pool.acquire().await.unwrap();
    let filter = CallFilter { to: Some("101".to_owned()), ..CallFilter::default() };
    let [first, ..] = pages(true, || filter.listing(), "created_at", CallSid(7));
    let plan = lines(&mut connection, format!("EXPLAIN QUERY PLAN {first}"), "detail").await.join("\n");
    assert!(plan.contains("SEARCH calls USING INDEX calls_by_to (to_party=?)"), "{plan}");
    let ended = CallFilter { ended_from: Some(Timestamp(5)), ..CallFilter::default() };
    let [first, ..] = pages(true, || ended.long_listing().expect("an end"), "created_at", CallSid(7));
    let plan = lines(&mut connection, format!("EXPLAIN QUERY PLAN {first}"), "detail").await.join("\n");
    assert!(plan.contains("USING INDEX calls_long"), "{plan}");
    let changed = ConferenceFilter { updated_from: Some(Timestamp(5)), ..ConferenceFilter::default() };
    let [first, ..] =
        pages(true, || changed.long_listing().expect("a change"), "created_at", ConferenceSid(7));
    let plan = lines(&mut connection, format!("EXPLAIN QUERY PLAN {first}"), "detail").await.join("\n");
    assert!(plan.contains("USING INDEX conferences_long"), "{plan}");
}

/// What stands in no list is not asked for, so that nobody can forget it.
#[test]
fn statements_are_written_in_one_place() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".rs") || ["sql.rs", "schema.rs", "plans.rs", "tests.rs"].contains(&&*name) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        for word in ["SELECT ", "INSERT INTO", "DELETE FROM", "UPDATE "] {
            // One that touches no row takes what was committed to the disk.
            let is_known = |line: &str| line.contains("UPDATE schema_steps SET step = step");
            let stray = product.lines().find(|line| line.contains(word) && !is_known(line));
            assert_eq!(stray, None, "{name}");
        }
        seen += 1;
    }
    assert!(seen > 10);
}
