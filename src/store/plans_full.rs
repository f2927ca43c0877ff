//! What PostgreSQL does with every statement over tables of many thousand rows, left to itself: nothing is switched
//! off, its statistics are those of the rows, and each statement has values as the box gives them.
//!
//! SQLite decides by the indexes alone; PostgreSQL by what is in the tables, so that over a handful of rows it would
//! rightly read them all.

use sqlx::{AnyConnection, Row};

use crate::Store;
use crate::plans::{every_statement, lines};

/// Rows of every table.
const ROWS: u32 = 30_000;
/// A minute and a half between two of them.
const APART_US: u64 = 90_000_000;
/// A moment in the middle of them, and the day after it.
const MIDDLE_US: u64 = 15_000 * APART_US;
const DAY_US: u64 = 86_400_000_000;
/// Rows of a page or of a step.
const LIMIT: u64 = 200;

/// Read once, when the box starts: all there is of it, whose order is made then.
const AT_THE_START: &[&str] = &["FROM queues WHERE box", "FROM resources WHERE box"];

/// What a column of row `n` holds: names of few things and of many, as they are.
fn column(name: &str, kind: &str) -> String {
    let of = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        format!("(ARRAY[{}])[n % {} + 1]", words.join(","), words.len())
    };
    match (name, kind) {
        ("ended_at", _) => {
            format!("n::bigint * {APART_US} + CASE WHEN n % 5000 = 0 THEN {} ELSE 60000000 END", 2 * DAY_US)
        }
        ("at" | "created_at" | "updated_at" | "started_at" | "answered_at", _) => {
            format!("n::bigint * {APART_US}")
        }
        ("whole", _) => "CASE WHEN n % 100 = 0 THEN 1 ELSE 0 END".to_owned(),
        ("gone" | "on_demand", _) => "0".to_owned(),
        (_, "bigint") => "n".to_owned(),
        ("sid", _) => "md5(n::text)".to_owned(),
        ("call" | "conference" | "parent" | "recording" | "task" | "reservation", _) => {
            "md5((n / 3)::text)".to_owned()
        }
        ("box", _) => "'box' || n % 50".to_owned(),
        ("workspace", _) => "'workspace' || n % 5".to_owned(),
        ("level", _) => of(&["warning", "warning", "error"]),
        ("direction", _) => of(&["inbound", "outbound-api", "outbound-dial"]),
        // Few calls are in progress, and few recordings.
        ("status", _) => format!(
            "CASE WHEN n % 2000 = 0 THEN 'in-progress' ELSE {} END",
            of(&["completed", "completed", "completed", "busy", "no-answer", "failed"])
        ),
        _ => "'value' || n % 500".to_owned(),
    }
}

/// A value of what `column` made, for the place after that column.
fn value(sql: &str, place: usize, kind: &str, places: usize) -> String {
    let mark = format!("${place}");
    let before = sql.split(&mark).next().unwrap_or_default().trim_end();
    if kind == "bigint" {
        let counts = before.ends_with("LIMIT") || before.ends_with("OFFSET");
        // The end of a span is its last value, where no limit follows.
        let is_end = place == places && place > 1 && before.ends_with('<');
        return match (counts, is_end) {
            (true, _) => LIMIT.to_string(),
            (_, true) => (MIDDLE_US + DAY_US).to_string(),
            _ => MIDDLE_US.to_string(),
        };
    }
    let column = before.trim_end_matches(['=', '<', '>', ' ']).rsplit([' ', '(']).next().unwrap_or_default();
    let text = match column {
        "box" => "'box5'",
        "workspace" => "'workspace3'",
        "status" => "'busy'",
        "level" => "'error'",
        "from_party" | "to_party" | "name" | "kind" | "worker" | "queue" | "workflow" => "'value7'",
        _ => "md5('70000')",
    };
    text.to_owned()
}

async fn fill(connection: &mut AnyConnection) {
    let columns = "SELECT table_name::text AS t, column_name::text AS c, data_type::text AS d \
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'schema_steps' \
        ORDER BY table_name, ordinal_position";
    let rows = sqlx::query(columns).fetch_all(&mut *connection).await.unwrap();
    let mut tables = Vec::<(String, Vec<String>, Vec<String>)>::new();
    for row in rows {
        let [table, name, kind] = ["t", "c", "d"].map(|at| row.get::<String, _>(at));
        if tables.last().is_none_or(|(last, ..)| *last != table) {
            tables.push((table, Vec::new(), Vec::new()));
        }
        let (_, names, values) = tables.last_mut().expect("one was pushed");
        values.push(column(&name, &kind));
        names.push(name);
    }
    for (table, names, values) in tables {
        let (names, values) = (names.join(","), values.join(","));
        for sql in [
            format!("TRUNCATE {table}"),
            format!("INSERT INTO {table} ({names}) SELECT {values} FROM generate_series(1, {ROWS}) AS r(n)"),
            // As the server does by itself in time.
            format!("VACUUM ANALYZE {table}"),
        ] {
            lines(connection, sql, "").await;
        }
    }
}

/// What PostgreSQL says against a statement with values in it.
async fn minds(connection: &mut AnyConnection, sql: &str) -> Option<String> {
    lines(connection, format!("PREPARE p AS {sql}"), "").await;
    let kinds =
        "SELECT array_to_string(parameter_types, ',') AS kinds FROM pg_prepared_statements WHERE name = 'p'";
    let kinds = lines(connection, kinds.to_owned(), "kinds").await.concat();
    let kinds: Vec<&str> = kinds.split(',').filter(|kind| !kind.is_empty()).collect();
    let values: Vec<String> =
        (1..).zip(&kinds).map(|(place, kind)| value(sql, place, kind, kinds.len())).collect();
    let values = if values.is_empty() { String::new() } else { format!("({})", values.join(",")) };
    let plan = lines(connection, format!("EXPLAIN EXECUTE p{values}"), "QUERY PLAN").await;
    lines(connection, "DEALLOCATE p".to_owned(), "").await;
    let may_sort = AT_THE_START.iter().any(|part| sql.contains(part));
    let is_bad = |step: &String| step.contains("Seq Scan") || (step.contains("Sort") && !may_sort);
    plan.iter().any(is_bad).then(|| plan.join("\n"))
}

/// No statement reads a table from end to end or sorts what it found.
pub(crate) async fn many_rows_are_found_in_an_index(store: &Store) {
    let mut connection = store.inner.pool.acquire().await.unwrap();
    fill(&mut connection).await;
    let mut minded = Vec::new();
    let worst = "SELECT sid FROM calls WHERE caller_name = $1 ORDER BY trunk".to_owned();
    for sql in std::iter::once(worst).chain(every_statement()) {
        minded.extend(minds(&mut connection, &sql).await.map(|plan| format!("{sql}\n{plan}\n")));
    }
    let seen = minded.remove(0);
    assert!(seen.contains("caller_name"), "a bad one is seen: {seen}");
    drop(connection.detach());
    assert!(minded.is_empty(), "{}", minded.join("\n"));
}
