//! The tables, and how they came to be: one list of steps for both databases.
//!
//! Types are `TEXT` and `BIGINT` only: both databases have them and the driver reads them alike. Times are
//! microseconds since 1970. Every row names the box that wrote it.

use sqlx::AnyConnection;
use sqlx::{Connection, Row};

use crate::StoreError;

/// Steps, in order; one that has been released is never changed, only followed by another.
const STEPS: &[&[&str]] = &[
    &[
        "CREATE TABLE calls (
        sid TEXT PRIMARY KEY, box TEXT NOT NULL, parent TEXT, direction TEXT NOT NULL,
        from_party TEXT NOT NULL, to_party TEXT NOT NULL, caller_name TEXT, forwarded_from TEXT,
        number TEXT, trunk TEXT, phone TEXT, status TEXT NOT NULL,
        created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
        started_at BIGINT, answered_at BIGINT, ended_at BIGINT,
        duration_s BIGINT, sip_code BIGINT, answered_by TEXT, ended_by TEXT, queue_time_ms BIGINT NOT NULL)",
        "CREATE INDEX calls_by_creation ON calls (created_at, sid)",
        "CREATE INDEX calls_by_parent ON calls (parent)",
        "CREATE INDEX calls_by_status ON calls (box, status)",
        "CREATE TABLE events (
        call TEXT NOT NULL, seq BIGINT NOT NULL, box TEXT NOT NULL, at BIGINT NOT NULL,
        kind TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (call, seq))",
        "CREATE INDEX events_by_time ON events (at)",
        "CREATE TABLE recordings (
        sid TEXT PRIMARY KEY, box TEXT NOT NULL, call TEXT NOT NULL, conference TEXT, path TEXT NOT NULL,
        channels BIGINT NOT NULL, status TEXT NOT NULL, source TEXT NOT NULL, track TEXT NOT NULL,
        created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, started_at BIGINT,
        duration_ms BIGINT, bytes BIGINT, error_code BIGINT)",
        "CREATE INDEX recordings_by_creation ON recordings (created_at, sid)",
        "CREATE INDEX recordings_by_call ON recordings (call)",
        "CREATE TABLE notifications (
        sid TEXT PRIMARY KEY, box TEXT NOT NULL, call TEXT, at BIGINT NOT NULL, code BIGINT NOT NULL,
        level TEXT NOT NULL, message TEXT NOT NULL, url TEXT, method TEXT, line_no BIGINT, column_no BIGINT,
        request_variables TEXT, response_status BIGINT, response_headers TEXT, response_body TEXT)",
        "CREATE INDEX notifications_by_time ON notifications (at, sid)",
        "CREATE INDEX notifications_by_call ON notifications (call)",
    ],
    &[
        "CREATE TABLE queues (
        sid TEXT PRIMARY KEY, box TEXT NOT NULL, name TEXT NOT NULL, max_size BIGINT NOT NULL,
        on_demand BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)",
        "CREATE INDEX queues_by_box ON queues (box)",
    ],
    &[
        "CREATE TABLE transcriptions (
        sid TEXT PRIMARY KEY, box TEXT NOT NULL, recording TEXT NOT NULL, call TEXT NOT NULL,
        status TEXT NOT NULL, text TEXT, duration_s BIGINT NOT NULL,
        created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)",
        "CREATE INDEX transcriptions_by_creation ON transcriptions (created_at, sid)",
        "CREATE INDEX transcriptions_by_recording ON transcriptions (recording)",
    ],
    // Each filter of a list with the order of lists behind it: a page is read from an index and never sorted.
    &[
        "CREATE INDEX calls_by_to ON calls (to_party, created_at, sid)",
        "CREATE INDEX calls_by_from ON calls (from_party, created_at, sid)",
        "CREATE INDEX calls_by_state ON calls (status, created_at, sid)",
        "DROP INDEX calls_by_parent",
        "CREATE INDEX calls_by_parent ON calls (parent, created_at, sid)",
        "CREATE INDEX calls_by_end ON calls (ended_at)",
        "DROP INDEX recordings_by_call",
        "CREATE INDEX recordings_by_call ON recordings (call, created_at, sid)",
        "CREATE INDEX recordings_by_conference ON recordings (conference, created_at, sid)",
        "CREATE INDEX recordings_by_state ON recordings (box, status)",
        "DROP INDEX notifications_by_call",
        "CREATE INDEX notifications_by_call ON notifications (call, at, sid)",
        "CREATE INDEX notifications_by_level ON notifications (level, at, sid)",
        "DROP INDEX transcriptions_by_recording",
        "CREATE INDEX transcriptions_by_recording ON transcriptions (recording, created_at, sid)",
    ],
    &["CREATE TABLE resources (
        box TEXT NOT NULL, kind TEXT NOT NULL, parent TEXT NOT NULL, sid TEXT NOT NULL, body TEXT NOT NULL,
        over_mark TEXT, gone BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
        PRIMARY KEY (box, kind, parent, sid))"],
    &[
        "CREATE TABLE conferences (
        sid TEXT PRIMARY KEY, box TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
        created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, ended_why TEXT, ended_by TEXT)",
        "CREATE INDEX conferences_by_creation ON conferences (created_at, sid)",
        "CREATE INDEX conferences_by_name ON conferences (name, created_at, sid)",
        "CREATE INDEX conferences_by_status ON conferences (status, created_at, sid)",
    ],
    // A workspace's things are read whole at the start and never looked for here: their sid and the row as JSON.
    &[
        "CREATE TABLE router_rows (
        workspace TEXT NOT NULL, sid TEXT NOT NULL, box TEXT NOT NULL, row TEXT NOT NULL,
        PRIMARY KEY (workspace, sid))",
        "CREATE INDEX router_rows_by_box ON router_rows (box)",
        "CREATE TABLE router_events (
        sid TEXT PRIMARY KEY, box TEXT NOT NULL, workspace TEXT NOT NULL, at BIGINT NOT NULL, kind TEXT NOT NULL,
        description TEXT NOT NULL, resource_type TEXT NOT NULL, resource_sid TEXT NOT NULL,
        task TEXT, worker TEXT, queue TEXT, workflow TEXT, reservation TEXT, data TEXT NOT NULL)",
        "CREATE INDEX router_events_by_time ON router_events (workspace, at, sid)",
        "CREATE INDEX router_events_by_task ON router_events (task)",
        "CREATE INDEX router_events_by_worker ON router_events (worker, at)",
    ],
    &[
        "CREATE TABLE exchanges (
        call TEXT NOT NULL, seq BIGINT NOT NULL, box TEXT NOT NULL, at BIGINT NOT NULL,
        duration_ms BIGINT NOT NULL, url TEXT NOT NULL, method TEXT NOT NULL, request_variables TEXT NOT NULL,
        answered_by TEXT NOT NULL, status BIGINT, response_headers TEXT NOT NULL, response_body TEXT NOT NULL,
        PRIMARY KEY (call, seq))",
        "CREATE INDEX exchanges_by_time ON exchanges (at)",
    ],
    // What retention, the start of the box and the filters of workspaces' events look for.
    &[
        "DROP INDEX queues_by_box",
        "CREATE INDEX queues_by_box ON queues (box, created_at, sid)",
        "DROP INDEX recordings_by_state",
        "CREATE INDEX recordings_by_state ON recordings (box, status, bytes)",
        "CREATE INDEX recordings_by_box ON recordings (box, created_at, sid)",
        "CREATE INDEX conferences_by_state ON conferences (box, status)",
        "DROP INDEX router_events_by_task",
        "DROP INDEX router_events_by_worker",
        "CREATE INDEX router_events_by_age ON router_events (at)",
        "CREATE INDEX router_events_by_kind ON router_events (workspace, kind, at, sid)",
        "CREATE INDEX router_events_by_task ON router_events (workspace, task, at, sid)",
        "CREATE INDEX router_events_by_worker ON router_events (workspace, worker, at, sid)",
        "CREATE INDEX router_events_by_queue ON router_events (workspace, queue, at, sid)",
        "CREATE INDEX router_events_by_workflow ON router_events (workspace, workflow, at, sid)",
        "CREATE INDEX router_events_by_reservation ON router_events (workspace, reservation, at, sid)",
    ],
    // Who looks for calls by their end finds the few that lasted days here.
    &["CREATE INDEX calls_long ON calls (created_at, sid) WHERE ended_at - created_at > 86400000000"],
    // What workspaces were told and decided, in its order; `whole` where a replay can begin.
    &[
        "CREATE TABLE router_leaves (
        workspace TEXT NOT NULL, run BIGINT NOT NULL, number BIGINT NOT NULL, box TEXT NOT NULL,
        at BIGINT NOT NULL, whole BIGINT NOT NULL, leaf TEXT NOT NULL, PRIMARY KEY (workspace, run, number))",
        "CREATE INDEX router_leaves_by_time ON router_leaves (at)",
        "CREATE INDEX router_leaves_whole ON router_leaves (workspace, whole, run, number)",
    ],
    // Events of a channel are found by its sid or its name; those of earlier days say it among their data alone. A box's
    // rows are read in the order of their keys, many at once.
    &[
        "ALTER TABLE router_events ADD COLUMN channel TEXT",
        "ALTER TABLE router_events ADD COLUMN channel_name TEXT",
        "CREATE INDEX router_events_by_channel ON router_events (workspace, channel, at, sid)",
        "CREATE INDEX router_events_by_channel_name ON router_events (workspace, channel_name, at, sid)",
        "DROP INDEX router_rows_by_box",
        "CREATE INDEX router_rows_by_box ON router_rows (box, workspace, sid)",
    ],
    // As with calls: who looks for conferences by their last change finds the few that lasted days here.
    &[
        "ALTER TABLE conferences ADD COLUMN region TEXT",
        "CREATE INDEX conferences_long ON conferences (created_at, sid) WHERE updated_at - created_at > 86400000000",
    ],
    // Where phones are registered, and who has a desktop open: read whole at the start, never looked for here.
    &[
        "CREATE TABLE registrations (
        box TEXT NOT NULL, phone TEXT NOT NULL, until BIGINT NOT NULL, row TEXT NOT NULL, PRIMARY KEY (box, phone))",
        "CREATE TABLE desktops (
        box TEXT NOT NULL, worker TEXT NOT NULL, workspace TEXT NOT NULL, PRIMARY KEY (box, worker))",
    ],
];

/// Brings the database up to the last step, or refuses one that a later version made.
pub(crate) async fn migrate(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let postgres = connection.backend_name() == "PostgreSQL";
    let mut tx = connection.begin().await?;
    if postgres {
        // Several boxes may start on one database at once; the lock ends with the transaction.
        sqlx::query("SELECT pg_advisory_xact_lock(7233017)").execute(&mut *tx).await?;
    }
    sqlx::query("CREATE TABLE IF NOT EXISTS schema_steps (step BIGINT PRIMARY KEY)")
        .execute(&mut *tx)
        .await?;
    let done: Option<i64> =
        sqlx::query("SELECT MAX(step) FROM schema_steps").fetch_one(&mut *tx).await?.try_get(0)?;
    let done = usize::try_from(done.unwrap_or(0)).unwrap_or(usize::MAX);
    if done > STEPS.len() {
        return Err(StoreError::TooNew { found: done, known: STEPS.len() });
    }
    for (index, step) in STEPS.iter().enumerate().skip(done) {
        for statement in *step {
            sqlx::query(*statement).execute(&mut *tx).await?;
        }
        let number = i64::try_from(index + 1).expect("there are few steps");
        sqlx::query("INSERT INTO schema_steps (step) VALUES ($1)").bind(number).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(())
}
