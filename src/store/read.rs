//! Reading: lists newest first, page by page, and single rows.

use base::{CallSid, ConferenceSid, NotificationSid, RecordingSid, Timestamp, TranscriptionSid};
use call::record::{
    CallRow, ConferenceRow, ConferenceStatus, EventRow, ExchangeRow, NotificationRow, QueueRow, RecordingRow,
    TranscriptionRow,
};
use sqlx::Any;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use twiml::{CallStatus, Level};

use crate::columns::Columns;
use crate::listing::{Cut, Listing, Page};
use crate::rows::{
    read_call, read_conference, read_event, read_exchange, read_notification, read_queue, read_recording,
    read_transcription,
};
use crate::{Store, StoreError, sql};

/// Rows in one page (`rest-voice` §3); one more may be asked for, which says whether there is another page.
pub const PAGE_ROWS_MAX: u32 = 1_000;
/// Exchanges of one call that are read: more than a call has.
const EXCHANGES_READ_MAX: u32 = 2_000;
/// Events of one call that are read; a call that has more is shown up to there.
pub const EVENTS_READ_MAX: u32 = 100_000;

/// Which calls (`rest-voice` §5.4). A bound in time is included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Exactly this calling party.
    pub from: Option<String>,
    /// Exactly this called party.
    pub to: Option<String>,
    /// Children of this call.
    pub parent: Option<CallSid>,
    /// In this state.
    pub status: Option<CallStatus>,
    /// Started then or later.
    pub started_from: Option<Timestamp>,
    /// Started then or earlier.
    pub started_to: Option<Timestamp>,
    /// Ended then or later.
    pub ended_from: Option<Timestamp>,
    /// Ended then or earlier.
    pub ended_to: Option<Timestamp>,
}

/// Which recordings (`rest-voice` §8). A bound in time is included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordingFilter {
    /// Of this call.
    pub call: Option<CallSid>,
    /// Of this conference.
    pub conference: Option<ConferenceSid>,
    /// Created then or later.
    pub created_from: Option<Timestamp>,
    /// Created then or earlier.
    pub created_to: Option<Timestamp>,
    /// Those whose sound was deleted too.
    pub deleted: bool,
}

/// Which conferences (`rest-voice` §6). A bound in time is included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConferenceFilter {
    /// Of exactly this name.
    pub name: Option<String>,
    /// In this state.
    pub status: Option<ConferenceStatus>,
    /// Created then or later.
    pub created_from: Option<Timestamp>,
    /// Created then or earlier.
    pub created_to: Option<Timestamp>,
    /// Last changed then or later.
    pub updated_from: Option<Timestamp>,
    /// Last changed then or earlier.
    pub updated_to: Option<Timestamp>,
}

/// Which notifications (`rest-voice` §13). A bound in time is included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotificationFilter {
    /// Of this call.
    pub call: Option<CallSid>,
    /// Of this level.
    pub level: Option<Level>,
    /// Then or later.
    pub from: Option<Timestamp>,
    /// Then or earlier.
    pub to: Option<Timestamp>,
}

type Select = Query<'static, Any, AnyArguments>;

impl Store {
    /// Calls, newest first.
    pub async fn calls(&self, filter: &CallFilter, page: &Page<CallSid>) -> Result<Vec<CallRow>, StoreError> {
        self.usual_and_long(filter.listing(), filter.long_listing(), page, read_call).await
    }

    /// A page of rows that are found in one listing, and of those that are so few that they have another.
    async fn usual_and_long<T, S: Copy + ToString>(
        &self,
        usual: Listing,
        long: Option<Listing>,
        page: &Page<S>,
        read: fn(&dyn Columns) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, StoreError> {
        let Some(long) = long else { return usual.page(self, "created_at", page, read).await };
        // Newest first the long ones come last; on the way back, first.
        let back = matches!(page.cut, Cut::Before(..));
        let (one, other) = if back { (long, usual) } else { (usual, long) };
        let mut rows = one.page(self, "created_at", page, read).await?;
        let found = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        if found < page.limit {
            let page = Page { limit: page.limit - found, cut: page.cut };
            let more = other.page(self, "created_at", &page, read).await?;
            if back {
                rows.splice(0..0, more);
            } else {
                rows.extend(more);
            }
        }
        Ok(rows)
    }

    /// One call.
    pub async fn call(&self, sid: CallSid) -> Result<Option<CallRow>, StoreError> {
        self.row(sqlx::query(sql::CALL).bind(sid.to_string()), |row| read_call(row)).await
    }

    /// A call's events in their order.
    pub async fn events(&self, call: CallSid) -> Result<Vec<EventRow>, StoreError> {
        let query = sqlx::query(sql::EVENTS).bind(call.to_string()).bind(i64::from(EVENTS_READ_MAX));
        self.rows(query, |row| read_event(row)).await
    }

    /// Recordings, newest first.
    pub async fn recordings(
        &self,
        filter: &RecordingFilter,
        page: &Page<RecordingSid>,
    ) -> Result<Vec<RecordingRow>, StoreError> {
        filter.listing().page(self, "created_at", page, read_recording).await
    }

    /// Recordings of this box that nobody completed, the oldest first; at its start, those of a crash.
    pub async fn unfinished_recordings(&self) -> Result<Vec<RecordingRow>, StoreError> {
        let query = sqlx::query(sql::UNFINISHED_RECORDINGS).bind(self.inner.box_id.clone());
        let mut rows = self.rows(query, |row| read_recording(row)).await?;
        rows.sort_by_key(|row| (row.created, row.sid));
        Ok(rows)
    }

    /// One recording.
    pub async fn recording(&self, sid: RecordingSid) -> Result<Option<RecordingRow>, StoreError> {
        self.row(sqlx::query(sql::RECORDING).bind(sid.to_string()), |row| read_recording(row)).await
    }

    /// Conferences, newest first.
    pub async fn conferences(
        &self,
        filter: &ConferenceFilter,
        page: &Page<ConferenceSid>,
    ) -> Result<Vec<ConferenceRow>, StoreError> {
        self.usual_and_long(filter.listing(), filter.long_listing(), page, read_conference).await
    }

    /// One conference.
    pub async fn conference(&self, sid: ConferenceSid) -> Result<Option<ConferenceRow>, StoreError> {
        self.row(sqlx::query(sql::CONFERENCE).bind(sid.to_string()), |row| read_conference(row)).await
    }

    /// The voice queues of this box, the oldest first.
    pub async fn queues(&self) -> Result<Vec<QueueRow>, StoreError> {
        self.rows(sqlx::query(sql::QUEUES).bind(self.inner.box_id.clone()), |row| read_queue(row)).await
    }

    /// One transcription.
    pub async fn transcription(&self, sid: TranscriptionSid) -> Result<Option<TranscriptionRow>, StoreError> {
        self.row(sqlx::query(sql::TRANSCRIPTION).bind(sid.to_string()), |row| read_transcription(row)).await
    }

    /// Transcriptions, of all recordings or of one, newest first.
    pub async fn transcriptions(
        &self,
        recording: Option<RecordingSid>,
        page: &Page<TranscriptionSid>,
    ) -> Result<Vec<TranscriptionRow>, StoreError> {
        crate::filter::transcriptions(recording).page(self, "created_at", page, read_transcription).await
    }

    /// A call's exchanges with web servers, the oldest first.
    pub async fn exchanges(&self, call: CallSid) -> Result<Vec<ExchangeRow>, StoreError> {
        let query = sqlx::query(sql::EXCHANGES).bind(call.to_string()).bind(i64::from(EXCHANGES_READ_MAX));
        let mut rows = self.rows(query, |row| read_exchange(row)).await?;
        rows.sort_by_key(|row| (row.at, row.seq));
        Ok(rows)
    }

    /// Notifications, newest first.
    pub async fn notifications(
        &self,
        filter: &NotificationFilter,
        page: &Page<NotificationSid>,
    ) -> Result<Vec<NotificationRow>, StoreError> {
        filter.listing().page(self, "at", page, read_notification).await
    }

    /// One notification.
    pub async fn notification(&self, sid: NotificationSid) -> Result<Option<NotificationRow>, StoreError> {
        self.row(sqlx::query(sql::NOTIFICATION).bind(sid.to_string()), |row| read_notification(row)).await
    }

    pub(crate) async fn rows<T>(
        &self,
        query: Select,
        read: impl Fn(&AnyRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, StoreError> {
        self.settle().await;
        let rows = query.fetch_all(&self.inner.pool).await?;
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }

    pub(crate) async fn row<T>(
        &self,
        query: Select,
        read: impl Fn(&AnyRow) -> Result<T, sqlx::Error>,
    ) -> Result<Option<T>, StoreError> {
        self.settle().await;
        let row = query.fetch_optional(&self.inner.pool).await?;
        Ok(row.as_ref().map(read).transpose()?)
    }
}
