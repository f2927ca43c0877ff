//! Rows to statements and back: the only place that knows the columns.

use std::str::FromStr;

use base::Timestamp;
use call::record::{
    CallRow, ConferenceEnd, ConferenceRow, ConferenceStatus, EventKind, EventRow, ExchangeRow, Gone,
    NotificationRow, QueueRow, RecordingRow, RecordingSource, RecordingStatus, StoreItem, TranscriptionRow,
    TranscriptionStatus,
};
use sqlx::{AnyConnection, Error};
use twiml::{CallStatus, Direction, Exchange, HttpMethod, Level};

use crate::columns::{Columns, wrong};
use crate::several::{self, Put};
use crate::sql;

/// Writes the first of these rows, and of a kind that every call has several of those that follow it, too; says how
/// many. Writing a row again leaves the table as it is.
pub(crate) async fn write(
    connection: &mut AnyConnection,
    box_id: &str,
    batch: &[(u64, StoreItem)],
) -> Result<usize, Error> {
    let Some((_, first)) = batch.first() else { return Ok(0) };
    match first {
        StoreItem::Call(_) => {
            // A batch has each call once, its latest row: PostgreSQL changes no row twice in one statement.
            return several::put(connection, sql::PUT_CALL, box_id, run(batch, call), bind_call).await;
        }
        StoreItem::Event(_) => {
            return several::put(connection, sql::PUT_EVENT, box_id, run(batch, event), bind_event).await;
        }
        StoreItem::Exchange(_) => {
            let rows = run(batch, exchange);
            return several::put(connection, sql::PUT_EXCHANGE, box_id, rows, bind_exchange).await;
        }
        StoreItem::Recording(row) => write_recording(connection, box_id, row).await?,
        StoreItem::Transcription(row) => write_transcription(connection, box_id, row).await?,
        StoreItem::Notification(row) => write_notification(connection, box_id, row).await?,
        StoreItem::Queue(row) => write_queue(connection, box_id, row).await?,
        StoreItem::Conference(row) => write_conference(connection, box_id, row).await?,
        StoreItem::Registration(row) => crate::registrations::write(connection, box_id, row).await?,
        StoreItem::Desktop(row) => crate::registrations::write_desktop(connection, box_id, row).await?,
        StoreItem::Router(item) => crate::router::write(connection, box_id, item).await?,
        StoreItem::Gone(gone) => forget(connection, *gone).await?,
    }
    Ok(1)
}

/// The rows of one kind that `batch` begins with.
fn run<'b, R>(
    batch: &'b [(u64, StoreItem)],
    of: fn(&'b StoreItem) -> Option<&'b R>,
) -> impl Iterator<Item = &'b R> + Clone {
    batch.iter().map_while(move |(_, item)| of(item))
}

fn call(item: &StoreItem) -> Option<&CallRow> {
    if let StoreItem::Call(row) = item { Some(row) } else { None }
}

fn event(item: &StoreItem) -> Option<&EventRow> {
    if let StoreItem::Event(row) = item { Some(row) } else { None }
}

fn exchange(item: &StoreItem) -> Option<&ExchangeRow> {
    if let StoreItem::Exchange(row) = item { Some(row) } else { None }
}

// The box's id, which each statement ends with, is one value for all of its rows.

fn bind_call<'q>(put: Put<'q>, row: &CallRow) -> Put<'q> {
    put.bind(row.sid.to_string())
        .bind(row.parent.map(|sid| sid.to_string()))
        .bind(row.direction.as_str())
        .bind(text(&row.from))
        .bind(text(&row.to))
        .bind(optional_text(&row.caller_name))
        .bind(optional_text(&row.forwarded_from))
        .bind(optional_text(&row.number))
        .bind(optional_text(&row.trunk))
        .bind(optional_text(&row.phone))
        .bind(row.status.as_str())
        .bind(row.created.0)
        .bind(row.updated.0)
        .bind(row.start.map(|at| at.0))
        .bind(row.answer.map(|at| at.0))
        .bind(row.end.map(|at| at.0))
        .bind(row.duration_s.map(i64::from))
        .bind(row.sip_code.map(i64::from))
        .bind(optional_text(&row.answered_by))
        .bind(optional_text(&row.ended_by))
        .bind(i64::from(row.queue_time_ms))
}

fn bind_event<'q>(put: Put<'q>, row: &EventRow) -> Put<'q> {
    put.bind(row.call.to_string())
        .bind(i64::from(row.seq))
        .bind(row.at.0)
        .bind(row.kind.as_str())
        .bind(text(&row.text))
}

fn bind_exchange<'q>(put: Put<'q>, row: &ExchangeRow) -> Put<'q> {
    let exchange = &row.exchange;
    put.bind(row.call.to_string())
        .bind(signed(row.seq))
        .bind(row.at.0)
        .bind(i64::from(row.duration_ms))
        .bind(text(&exchange.url))
        .bind(exchange.method.as_str())
        .bind(text(&exchange.request_variables))
        .bind(text(&exchange.answered_by))
        .bind(exchange.status.map(i64::from))
        .bind(text(&exchange.response_headers))
        .bind(text(&exchange.response_body))
}

async fn write_recording(
    connection: &mut AnyConnection,
    box_id: &str,
    row: &RecordingRow,
) -> Result<(), Error> {
    sqlx::query(sql::PUT_RECORDING)
        .bind(row.sid.to_string())
        .bind(row.call.to_string())
        .bind(row.conference.map(|sid| sid.to_string()))
        .bind(text(&row.path))
        .bind(i64::from(row.channels))
        .bind(row.status.as_str())
        .bind(row.source.as_str())
        .bind(text(&row.track))
        .bind(row.created.0)
        .bind(row.updated.0)
        .bind(row.start.map(|at| at.0))
        .bind(row.duration_ms.map(signed))
        .bind(row.bytes.map(signed))
        .bind(row.error_code.map(i64::from))
        .bind(box_id)
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_transcription(
    connection: &mut AnyConnection,
    box_id: &str,
    row: &TranscriptionRow,
) -> Result<(), Error> {
    sqlx::query(sql::PUT_TRANSCRIPTION)
        .bind(row.sid.to_string())
        .bind(row.recording.to_string())
        .bind(row.call.to_string())
        .bind(row.status.as_str())
        .bind(optional_text(&row.text))
        .bind(signed(row.duration_s))
        .bind(row.created.0)
        .bind(row.updated.0)
        .bind(box_id)
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_notification(
    connection: &mut AnyConnection,
    box_id: &str,
    row: &NotificationRow,
) -> Result<(), Error> {
    sqlx::query(sql::PUT_NOTIFICATION)
        .bind(row.sid.to_string())
        .bind(row.call.map(|sid| sid.to_string()))
        .bind(row.at.0)
        .bind(i64::from(row.code))
        .bind(level_word(row.level))
        .bind(text(&row.message))
        .bind(optional_text(&row.url))
        .bind(row.method.map(HttpMethod::as_str))
        .bind(row.line.map(i64::from))
        .bind(row.column.map(i64::from))
        .bind(optional_text(&row.request_variables))
        .bind(row.response_status.map(i64::from))
        .bind(optional_text(&row.response_headers))
        .bind(optional_text(&row.response_body))
        .bind(box_id)
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_queue(connection: &mut AnyConnection, box_id: &str, row: &QueueRow) -> Result<(), Error> {
    if row.deleted.is_some() {
        sqlx::query(sql::DELETE_QUEUE).bind(row.sid.to_string()).execute(connection).await?;
        return Ok(());
    }
    sqlx::query(sql::PUT_QUEUE)
        .bind(row.sid.to_string())
        .bind(text(&row.name))
        .bind(i64::from(row.max_size))
        .bind(i64::from(row.on_demand))
        .bind(row.created.0)
        .bind(row.updated.0)
        .bind(box_id)
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_conference(
    connection: &mut AnyConnection,
    box_id: &str,
    row: &ConferenceRow,
) -> Result<(), Error> {
    sqlx::query(sql::PUT_CONFERENCE)
        .bind(row.sid.to_string())
        .bind(text(&row.name))
        .bind(row.status.as_str())
        .bind(row.created.0)
        .bind(row.updated.0)
        .bind(row.ended_why.map(ConferenceEnd::as_str))
        .bind(row.ended_by.map(|sid| sid.to_string()))
        .bind(optional_text(&row.region))
        .bind(box_id)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) fn read_conference(row: &dyn Columns) -> Result<ConferenceRow, Error> {
    let why = row.text("ended_why")?;
    Ok(ConferenceRow {
        sid: parsed(row, "sid")?,
        name: required(row, "name")?,
        status: word(row, "status", |text| {
            ConferenceStatus::ALL.into_iter().find(|status| status.as_str() == text)
        })?,
        created: time(row, "created_at")?,
        updated: time(row, "updated_at")?,
        ended_why: why.and_then(|text| ConferenceEnd::ALL.into_iter().find(|why| why.as_str() == text)),
        ended_by: optional_parsed(row, "ended_by")?,
        region: optional(row, "region")?,
    })
}

async fn forget(connection: &mut AnyConnection, gone: Gone) -> Result<(), Error> {
    let (sid, statements): (String, &[&'static str]) = match gone {
        Gone::Call(sid) => {
            (sid.to_string(), &[sql::DELETE_EVENTS_OF_CALL, sql::DELETE_EXCHANGES_OF_CALL, sql::DELETE_CALL])
        }
        Gone::Transcription(sid) => (sid.to_string(), &[sql::DELETE_TRANSCRIPTION]),
    };
    for statement in statements {
        sqlx::query(*statement).bind(sid.clone()).execute(&mut *connection).await?;
    }
    Ok(())
}

pub(crate) fn read_exchange(row: &dyn Columns) -> Result<ExchangeRow, Error> {
    Ok(ExchangeRow {
        call: parsed(row, "call")?,
        seq: number(row, "seq")?,
        at: time(row, "at")?,
        duration_ms: number(row, "duration_ms")?,
        exchange: Exchange {
            url: required(row, "url")?,
            method: word(row, "method", HttpMethod::parse)?,
            request_variables: required(row, "request_variables")?,
            answered_by: required(row, "answered_by")?,
            status: optional_number(row, "status")?,
            response_headers: required(row, "response_headers")?,
            response_body: required(row, "response_body")?,
        },
    })
}

pub(crate) fn read_queue(row: &dyn Columns) -> Result<QueueRow, Error> {
    Ok(QueueRow {
        sid: parsed(row, "sid")?,
        name: required(row, "name")?,
        max_size: number(row, "max_size")?,
        on_demand: number::<u32>(row, "on_demand")? != 0,
        created: time(row, "created_at")?,
        updated: time(row, "updated_at")?,
        deleted: None,
    })
}

pub(crate) fn read_call(row: &dyn Columns) -> Result<CallRow, Error> {
    Ok(CallRow {
        sid: parsed(row, "sid")?,
        parent: optional_parsed(row, "parent")?,
        direction: word(row, "direction", direction)?,
        from: required(row, "from_party")?,
        to: required(row, "to_party")?,
        caller_name: optional(row, "caller_name")?,
        forwarded_from: optional(row, "forwarded_from")?,
        number: optional(row, "number")?,
        trunk: optional(row, "trunk")?,
        phone: optional(row, "phone")?,
        status: word(row, "status", status)?,
        created: time(row, "created_at")?,
        updated: time(row, "updated_at")?,
        start: optional_time(row, "started_at")?,
        answer: optional_time(row, "answered_at")?,
        end: optional_time(row, "ended_at")?,
        duration_s: optional_number(row, "duration_s")?,
        sip_code: optional_number(row, "sip_code")?,
        answered_by: optional(row, "answered_by")?,
        ended_by: optional(row, "ended_by")?,
        queue_time_ms: number(row, "queue_time_ms")?,
    })
}

pub(crate) fn read_event(row: &dyn Columns) -> Result<EventRow, Error> {
    Ok(EventRow {
        call: parsed(row, "call")?,
        seq: number(row, "seq")?,
        at: time(row, "at")?,
        kind: word(row, "kind", kind)?,
        text: required(row, "text")?,
    })
}

pub(crate) fn read_recording(row: &dyn Columns) -> Result<RecordingRow, Error> {
    Ok(RecordingRow {
        sid: parsed(row, "sid")?,
        call: parsed(row, "call")?,
        conference: optional_parsed(row, "conference")?,
        path: required(row, "path")?,
        channels: number(row, "channels")?,
        status: word(row, "status", recording_status)?,
        source: word(row, "source", source)?,
        track: required(row, "track")?,
        created: time(row, "created_at")?,
        updated: time(row, "updated_at")?,
        start: optional_time(row, "started_at")?,
        duration_ms: optional_number(row, "duration_ms")?,
        bytes: optional_number(row, "bytes")?,
        error_code: optional_number(row, "error_code")?,
    })
}

pub(crate) fn read_transcription(row: &dyn Columns) -> Result<TranscriptionRow, Error> {
    Ok(TranscriptionRow {
        sid: parsed(row, "sid")?,
        recording: parsed(row, "recording")?,
        call: parsed(row, "call")?,
        status: word(row, "status", transcription_status)?,
        text: optional(row, "text")?,
        duration_s: number(row, "duration_s")?,
        created: time(row, "created_at")?,
        updated: time(row, "updated_at")?,
    })
}

fn transcription_status(text: &str) -> Option<TranscriptionStatus> {
    [TranscriptionStatus::InProgress, TranscriptionStatus::Completed, TranscriptionStatus::Failed]
        .into_iter()
        .find(|status| status.as_str() == text)
}

pub(crate) fn read_notification(row: &dyn Columns) -> Result<NotificationRow, Error> {
    let method = row.text("method")?;
    Ok(NotificationRow {
        sid: parsed(row, "sid")?,
        call: optional_parsed(row, "call")?,
        at: time(row, "at")?,
        code: number(row, "code")?,
        level: word(row, "level", level)?,
        message: required(row, "message")?,
        url: optional(row, "url")?,
        method: method.and_then(HttpMethod::parse),
        line: optional_number(row, "line_no")?,
        column: optional_number(row, "column_no")?,
        request_variables: optional(row, "request_variables")?,
        response_status: optional_number(row, "response_status")?,
        response_headers: optional(row, "response_headers")?,
        response_body: optional(row, "response_body")?,
    })
}

/// How a level stands in its column.
pub(crate) fn level_word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
    }
}

fn level(text: &str) -> Option<Level> {
    [Level::Error, Level::Warning].into_iter().find(|level| level_word(*level) == text)
}

fn direction(text: &str) -> Option<Direction> {
    [Direction::Inbound, Direction::OutboundApi, Direction::OutboundDial]
        .into_iter()
        .find(|direction| direction.as_str() == text)
}

fn kind(text: &str) -> Option<EventKind> {
    [
        EventKind::SipIn,
        EventKind::SipOut,
        EventKind::Fetch,
        EventKind::Verb,
        EventKind::Media,
        EventKind::Decision,
        EventKind::Note,
    ]
    .into_iter()
    .find(|kind| kind.as_str() == text)
}

fn recording_status(text: &str) -> Option<RecordingStatus> {
    [
        RecordingStatus::InProgress,
        RecordingStatus::Paused,
        RecordingStatus::Processing,
        RecordingStatus::Completed,
        RecordingStatus::Absent,
        RecordingStatus::Failed,
        RecordingStatus::Deleted,
    ]
    .into_iter()
    .find(|status| status.as_str() == text)
}

fn source(text: &str) -> Option<RecordingSource> {
    [
        RecordingSource::DialVerb,
        RecordingSource::Conference,
        RecordingSource::OutboundApi,
        RecordingSource::Trunking,
        RecordingSource::RecordVerb,
        RecordingSource::StartCallRecordingApi,
        RecordingSource::StartConferenceRecordingApi,
        RecordingSource::StartCallRecordingTwiml,
    ]
    .into_iter()
    .find(|source| source.as_str() == text)
}

fn status(text: &str) -> Option<CallStatus> {
    [
        CallStatus::Queued,
        CallStatus::Ringing,
        CallStatus::InProgress,
        CallStatus::Completed,
        CallStatus::Busy,
        CallStatus::Failed,
        CallStatus::NoAnswer,
        CallStatus::Canceled,
    ]
    .into_iter()
    .find(|status| status.as_str() == text)
}

/// PostgreSQL's `TEXT` cannot hold NUL, and one such row would hold up all that follow it.
pub(crate) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn optional_text(value: &Option<String>) -> Option<String> {
    value.as_deref().map(text)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn required(row: &dyn Columns, column: &str) -> Result<String, Error> {
    row.text(column)?.map(str::to_owned).ok_or_else(|| nothing(column))
}

fn optional(row: &dyn Columns, column: &str) -> Result<Option<String>, Error> {
    Ok(row.text(column)?.map(str::to_owned))
}

pub(crate) fn time(row: &dyn Columns, column: &str) -> Result<Timestamp, Error> {
    row.number(column)?.map(Timestamp).ok_or_else(|| nothing(column))
}

fn optional_time(row: &dyn Columns, column: &str) -> Result<Option<Timestamp>, Error> {
    Ok(row.number(column)?.map(Timestamp))
}

fn number<T: TryFrom<i64>>(row: &dyn Columns, column: &str) -> Result<T, Error> {
    optional_number(row, column)?.ok_or_else(|| nothing(column))
}

fn optional_number<T: TryFrom<i64>>(row: &dyn Columns, column: &str) -> Result<Option<T>, Error> {
    let value = row.number(column)?;
    value.map(|value| T::try_from(value).map_err(|_| wrong(column, "a number out of range"))).transpose()
}

pub(crate) fn parsed<T: FromStr>(row: &dyn Columns, column: &str) -> Result<T, Error> {
    word(row, column, |text| text.parse().ok())
}

pub(crate) fn optional_parsed<T: FromStr>(row: &dyn Columns, column: &str) -> Result<Option<T>, Error> {
    row.text(column)?.map(|text| text.parse().map_err(|_| wrong(column, UNKNOWN))).transpose()
}

fn word<T>(row: &dyn Columns, column: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, Error> {
    let text = row.text(column)?.ok_or_else(|| nothing(column))?;
    read(text).ok_or_else(|| wrong(column, UNKNOWN))
}

const UNKNOWN: &str = "a word no version of the box has written";

fn nothing(column: &str) -> Error {
    wrong(column, "nothing")
}
