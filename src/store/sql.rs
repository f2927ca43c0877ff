//! Every statement the store makes, in one list: what is not here is not asked of a database. A test has both databases
//! say how they would find the rows of each, so that none reads a table from end to end or sorts what it found.
//!
//! Lists are put together from their [`LISTS`] and what is asked of them ([`crate::filter`]); the tables and their
//! indexes are made in [`crate::schema`].

macro_rules! calls {
    () => {
        "sid, parent, direction, from_party, to_party, caller_name, forwarded_from, number, trunk, phone, status, \
         created_at, updated_at, started_at, answered_at, ended_at, duration_s, sip_code, answered_by, ended_by, \
         queue_time_ms"
    };
}

macro_rules! recordings {
    () => {
        "sid, call, conference, path, channels, status, source, track, created_at, updated_at, started_at, \
         duration_ms, bytes, error_code"
    };
}

macro_rules! transcriptions {
    () => {
        "sid, recording, call, status, text, duration_s, created_at, updated_at"
    };
}

macro_rules! notifications {
    () => {
        "sid, call, at, code, level, message, url, method, line_no, column_no, request_variables, response_status, \
         response_headers, response_body"
    };
}

macro_rules! conferences {
    () => {
        "sid, name, status, created_at, updated_at, ended_why, ended_by, region"
    };
}

macro_rules! router_events {
    () => {
        "sid, workspace, at, kind, description, resource_type, resource_sid, task, worker, queue, workflow, \
         reservation, data"
    };
}

macro_rules! list {
    ($columns:expr, $table:literal) => {
        concat!("SELECT ", $columns, " FROM ", $table, " WHERE 1 = 1")
    };
}

/// What the lists begin with; conditions, order and a limit follow.
pub(crate) const LIST_CALLS: &str = list!(calls!(), "calls");
pub(crate) const LIST_RECORDINGS: &str = list!(recordings!(), "recordings");
pub(crate) const LIST_TRANSCRIPTIONS: &str = list!(transcriptions!(), "transcriptions");
pub(crate) const LIST_NOTIFICATIONS: &str = list!(notifications!(), "notifications");
pub(crate) const LIST_CONFERENCES: &str = list!(conferences!(), "conferences");
pub(crate) const LIST_ROUTER_EVENTS: &str = list!(router_events!(), "router_events");

/// All of them.
#[cfg(test)]
pub(crate) const LISTS: &[&str] = &[
    LIST_CALLS,
    LIST_RECORDINGS,
    LIST_TRANSCRIPTIONS,
    LIST_NOTIFICATIONS,
    LIST_CONFERENCES,
    LIST_ROUTER_EVENTS,
];

/// The columns of a list.
pub(crate) fn columns(list: &'static str) -> &'static str {
    let columns = list.strip_prefix("SELECT ").and_then(|rest| rest.split(" FROM ").next());
    columns.expect("a list begins with its columns")
}

/// Many rows as one: a JSON text, an array of an array for each row, its values in the order of the columns.
pub(crate) fn as_one(rows: &str, columns: &str, sqlite: bool) -> String {
    if sqlite {
        format!("SELECT json_group_array(json_array({columns})) AS rows FROM ({rows}) AS page")
    } else {
        format!("SELECT CAST(json_agg(json_build_array({columns})) AS TEXT) AS rows FROM ({rows}) AS page")
    }
}

/// The oldest rows go: those before `$1`, `$2` of them at most.
macro_rules! forget_old {
    ($table:literal, $key:literal, $time:literal, $only:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE (",
            $key,
            ") IN (SELECT ",
            $key,
            " FROM ",
            $table,
            " WHERE ",
            $only,
            " AND ",
            $time,
            " < $1 ORDER BY ",
            $time,
            " LIMIT $2)"
        )
    };
}

/// The time of the newest row but `$1`.
macro_rules! newest_but {
    ($table:literal, $time:literal, $only:literal) => {
        concat!(
            "SELECT ",
            $time,
            " FROM ",
            $table,
            " WHERE ",
            $only,
            " ORDER BY ",
            $time,
            " DESC LIMIT 1 OFFSET $1"
        )
    };
}

/// How many, and their begun minutes, from `$1` on and before `$2`. A sum is a DECIMAL to PostgreSQL, which the driver
/// does not read.
macro_rules! usage {
    ($table:literal, $length:literal, $unit:literal, $only:literal) => {
        concat!(
            "SELECT COUNT(*), CAST(COALESCE(SUM((COALESCE(",
            $length,
            ", 0) + ",
            $unit,
            " - 1) / ",
            $unit,
            "), 0) AS BIGINT) FROM ",
            $table,
            " WHERE created_at >= $1 AND created_at < $2",
            $only
        )
    };
}

macro_rules! statements {
    ($($name:ident = $sql:expr;)+) => {
        $(pub(crate) const $name: &str = $sql;)+

        /// Every statement that is whole.
        #[cfg(test)]
        pub(crate) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),+];
    };
}

statements! {
    // Reading.
    CALL = concat!("SELECT ", calls!(), " FROM calls WHERE sid = $1");
    EVENTS = "SELECT call, seq, at, kind, text FROM events WHERE call = $1 ORDER BY seq LIMIT $2";
    EXCHANGES = "SELECT call, seq, at, duration_ms, url, method, request_variables, answered_by, status, \
        response_headers, response_body FROM exchanges WHERE call = $1 ORDER BY seq LIMIT $2";
    RECORDING = concat!("SELECT ", recordings!(), " FROM recordings WHERE sid = $1");
    UNFINISHED_RECORDINGS = concat!(
        "SELECT ", recordings!(), " FROM recordings \
         WHERE box = $1 AND status IN ('in-progress', 'paused', 'processing')"
    );
    OLDEST_RECORDINGS = concat!(
        "SELECT ", recordings!(), " FROM recordings WHERE box = $1 \
         AND status NOT IN ('in-progress', 'paused', 'processing') ORDER BY created_at, sid LIMIT $2"
    );
    RECORDED_BYTES = "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM recordings \
        WHERE box = $1 AND status <> 'deleted'";
    TRANSCRIPTION = concat!("SELECT ", transcriptions!(), " FROM transcriptions WHERE sid = $1");
    NOTIFICATION = concat!("SELECT ", notifications!(), " FROM notifications WHERE sid = $1");
    CONFERENCE = concat!("SELECT ", conferences!(), " FROM conferences WHERE sid = $1");
    QUEUES = "SELECT sid, name, max_size, on_demand, created_at, updated_at FROM queues WHERE box = $1 \
        ORDER BY created_at, sid";
    REGISTRATIONS = "SELECT row FROM registrations WHERE box = $1 AND until > $2 ORDER BY phone";
    DESKTOPS = "SELECT workspace, worker FROM desktops WHERE box = $1 ORDER BY worker";
    RESOURCES = "SELECT kind, parent, sid, body, over_mark, gone, created_at, updated_at FROM resources \
        WHERE box = $1 ORDER BY kind, parent, sid";
    // Many rows as one, a line each: what the driver hands over by itself takes longer than what is in it.
    ROUTER_ROWS = "SELECT string_agg(row, '\n') AS rows, MAX(workspace || ' ' || sid) AS last FROM \
        (SELECT workspace, sid, row FROM router_rows WHERE box = $1 AND (workspace, sid) > ($2, $3) \
        ORDER BY workspace, sid LIMIT $4) AS page";
    ROUTER_EVENT = concat!("SELECT ", router_events!(), " FROM router_events WHERE sid = $1");
    // In the order of the index, whose first ones suffice; clocks that were set back are passed over.
    LAST_WHOLE_LEAF = "SELECT run, number FROM router_leaves WHERE workspace = $1 AND whole = 1 AND at <= $2 \
        ORDER BY run DESC, number DESC LIMIT 1";
    LAST_WHOLE_LEAF_BEFORE = "SELECT run, number FROM router_leaves WHERE workspace = $1 AND whole = 1 AND run < $2 \
        ORDER BY run DESC, number DESC LIMIT 1";
    FIRST_WHOLE_LEAF = "SELECT run, number FROM router_leaves WHERE workspace = $1 AND whole = 1 \
        ORDER BY run, number LIMIT 1";
    LEAVES = "SELECT leaf FROM router_leaves WHERE workspace = $1 AND (run, number) >= ($2, $3) AND at < $4 \
        ORDER BY run, number LIMIT $5";
    USAGE_CALLS = usage!("calls", "duration_s", "60", "");
    USAGE_INBOUND = usage!("calls", "duration_s", "60", " AND direction = 'inbound'");
    USAGE_OUTBOUND = usage!("calls", "duration_s", "60", " AND direction <> 'inbound'");
    USAGE_RECORDINGS = usage!("recordings", "duration_ms", "60000", "");
    FIRST_CALL_AT = "SELECT created_at FROM calls ORDER BY created_at LIMIT 1";

    // Writing. A row that is written again leaves its table as it is, or brings it up to date.
    PUT_CALL = concat!(
        "INSERT INTO calls (", calls!(), ", box) \
         VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22) \
         ON CONFLICT (sid) DO UPDATE SET parent=excluded.parent, direction=excluded.direction, \
         from_party=excluded.from_party, to_party=excluded.to_party, caller_name=excluded.caller_name, \
         forwarded_from=excluded.forwarded_from, number=excluded.number, trunk=excluded.trunk, \
         phone=excluded.phone, status=excluded.status, created_at=excluded.created_at, \
         updated_at=excluded.updated_at, started_at=excluded.started_at, answered_at=excluded.answered_at, \
         ended_at=excluded.ended_at, duration_s=excluded.duration_s, sip_code=excluded.sip_code, \
         answered_by=excluded.answered_by, ended_by=excluded.ended_by, queue_time_ms=excluded.queue_time_ms, \
         box=excluded.box"
    );
    PUT_EVENT = "INSERT INTO events (call, seq, at, kind, text, box) VALUES ($1,$2,$3,$4,$5,$6) \
        ON CONFLICT (call, seq) DO NOTHING";
    PUT_RECORDING = concat!(
        "INSERT INTO recordings (", recordings!(), ", box) \
         VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15) \
         ON CONFLICT (sid) DO UPDATE SET call=excluded.call, conference=excluded.conference, \
         path=excluded.path, channels=excluded.channels, status=excluded.status, source=excluded.source, \
         track=excluded.track, created_at=excluded.created_at, updated_at=excluded.updated_at, \
         started_at=excluded.started_at, duration_ms=excluded.duration_ms, bytes=excluded.bytes, \
         error_code=excluded.error_code, box=excluded.box"
    );
    PUT_TRANSCRIPTION = concat!(
        "INSERT INTO transcriptions (", transcriptions!(), ", box) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9) \
         ON CONFLICT (sid) DO UPDATE SET status=excluded.status, text=excluded.text, \
         duration_s=excluded.duration_s, updated_at=excluded.updated_at, box=excluded.box"
    );
    PUT_NOTIFICATION = concat!(
        "INSERT INTO notifications (", notifications!(), ", box) \
         VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15) ON CONFLICT (sid) DO NOTHING"
    );
    PUT_QUEUE = "INSERT INTO queues (sid, name, max_size, on_demand, created_at, updated_at, box) \
        VALUES ($1,$2,$3,$4,$5,$6,$7) ON CONFLICT (sid) DO UPDATE SET name=excluded.name, \
        max_size=excluded.max_size, on_demand=excluded.on_demand, updated_at=excluded.updated_at";
    PUT_REGISTRATION = "INSERT INTO registrations (box, phone, until, row) VALUES ($1,$2,$3,$4) \
        ON CONFLICT (box, phone) DO UPDATE SET until=excluded.until, row=excluded.row";
    PUT_DESKTOP = "INSERT INTO desktops (box, worker, workspace) VALUES ($1,$2,$3) \
        ON CONFLICT (box, worker) DO UPDATE SET workspace=excluded.workspace";
    PUT_CONFERENCE = concat!(
        "INSERT INTO conferences (", conferences!(), ", box) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9) \
         ON CONFLICT (sid) DO UPDATE SET status=excluded.status, updated_at=excluded.updated_at, \
         ended_why=excluded.ended_why, ended_by=excluded.ended_by"
    );
    PUT_EXCHANGE = "INSERT INTO exchanges (call, seq, at, duration_ms, url, method, request_variables, answered_by, \
        status, response_headers, response_body, box) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12) \
        ON CONFLICT (call, seq) DO NOTHING";
    PUT_RESOURCE = "INSERT INTO resources (box, kind, parent, sid, body, over_mark, gone, created_at, updated_at) \
        VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9) ON CONFLICT (box, kind, parent, sid) DO UPDATE \
        SET body=excluded.body, over_mark=excluded.over_mark, gone=excluded.gone, \
        created_at=excluded.created_at, updated_at=excluded.updated_at";
    PUT_ROUTER_ROW = "INSERT INTO router_rows (workspace, sid, box, row) VALUES ($1,$2,$3,$4) \
        ON CONFLICT (workspace, sid) DO UPDATE SET row=excluded.row, box=excluded.box";
    PUT_ROUTER_EVENT = concat!(
        "INSERT INTO router_events (", router_events!(), ", box, channel, channel_name) \
         VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16) ON CONFLICT (sid) DO NOTHING"
    );
    PUT_ROUTER_LEAF = "INSERT INTO router_leaves (workspace, run, number, box, at, whole, leaf) \
        VALUES ($1,$2,$3,$4,$5,$6,$7) ON CONFLICT (workspace, run, number) DO NOTHING";
    END_CALLS = "UPDATE calls SET status = 'failed', ended_at = $1, updated_at = $1, duration_s = 0, \
        ended_by = 'the box stopped' WHERE box = $2 AND status IN ('queued', 'ringing', 'in-progress')";
    END_CONFERENCES = "UPDATE conferences SET status = 'completed', updated_at = $1 \
        WHERE box = $2 AND status IN ('init', 'in-progress')";

    // Deleting what somebody deletes.
    DELETE_CALL = "DELETE FROM calls WHERE sid = $1";
    DELETE_EVENTS_OF_CALL = "DELETE FROM events WHERE call = $1";
    DELETE_EXCHANGES_OF_CALL = "DELETE FROM exchanges WHERE call = $1";
    DELETE_RECORDING = "DELETE FROM recordings WHERE sid = $1";
    DELETE_TRANSCRIPTION = "DELETE FROM transcriptions WHERE sid = $1";
    DELETE_TRANSCRIPTIONS_OF_RECORDING = "DELETE FROM transcriptions WHERE recording = $1";
    DELETE_QUEUE = "DELETE FROM queues WHERE sid = $1";
    DELETE_REGISTRATION = "DELETE FROM registrations WHERE box = $1 AND phone = $2";
    DELETE_DESKTOP = "DELETE FROM desktops WHERE box = $1 AND worker = $2";
    DELETE_RESOURCE = "DELETE FROM resources WHERE box = $1 AND kind = $2 AND parent = $3 AND sid = $4";
    DELETE_ROUTER_ROW = "DELETE FROM router_rows WHERE workspace = $1 AND sid = $2";

    // Forgetting what has been kept long enough.
    FORGET_CALLS = forget_old!("calls", "sid", "ended_at", "ended_at IS NOT NULL");
    FORGET_CONFERENCES = forget_old!("conferences", "sid", "created_at", "status = 'completed'");
    FORGET_NOTIFICATIONS = forget_old!("notifications", "sid", "at", "1 = 1");
    FORGET_EVENTS = forget_old!("events", "call, seq", "at", "1 = 1");
    FORGET_EXCHANGES = forget_old!("exchanges", "call, seq", "at", "1 = 1");
    FORGET_ROUTER_EVENTS = forget_old!("router_events", "sid", "at", "1 = 1");
    FORGET_ROUTER_LEAVES = forget_old!("router_leaves", "workspace, run, number", "at", "1 = 1");
    NEWEST_CALL_BUT = newest_but!("calls", "ended_at", "ended_at IS NOT NULL");
    NEWEST_CONFERENCE_BUT = newest_but!("conferences", "created_at", "status = 'completed'");
    NEWEST_NOTIFICATION_BUT = newest_but!("notifications", "at", "1 = 1");
    NEWEST_EVENT_BUT = newest_but!("events", "at", "1 = 1");
    NEWEST_EXCHANGE_BUT = newest_but!("exchanges", "at", "1 = 1");
    NEWEST_ROUTER_EVENT_BUT = newest_but!("router_events", "at", "1 = 1");
    NEWEST_ROUTER_LEAF_BUT = newest_but!("router_leaves", "at", "1 = 1");
}
