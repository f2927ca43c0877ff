//! How much was called and recorded (reference: rest-voice §13): counted from the rows when somebody asks.

use base::Timestamp;
use sqlx::Row;

use crate::{Store, StoreError, sql};

/// How much there was of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls, or recordings.
    pub count: u64,
    /// Their minutes, each begun one whole.
    pub minutes: u64,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Every call.
    Calls,
    /// Those that came in.
    Inbound,
    /// Those that went out.
    Outbound,
    /// Recordings.
    Recordings,
}

impl Store {
    /// What began from `from` on and before `to`.
    pub async fn usage(&self, what: Counted, from: Timestamp, to: Timestamp) -> Result<Usage, StoreError> {
        self.settle().await;
        let sql = match what {
            Counted::Calls => sql::USAGE_CALLS,
            Counted::Inbound => sql::USAGE_INBOUND,
            Counted::Outbound => sql::USAGE_OUTBOUND,
            Counted::Recordings => sql::USAGE_RECORDINGS,
        };
        let row = sqlx::query(sql).bind(from.0).bind(to.0).fetch_one(&self.inner.pool).await?;
        let number = |at: usize| row.try_get::<i64, _>(at).map(|n| u64::try_from(n).unwrap_or(0));
        Ok(Usage { count: number(0)?, minutes: number(1)? })
    }

    /// When the oldest call began.
    pub async fn first_call_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.settle().await;
        let row = sqlx::query(sql::FIRST_CALL_AT).fetch_optional(&self.inner.pool).await?;
        Ok(row.map(|row| row.try_get::<i64, _>(0)).transpose()?.map(Timestamp))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use call::record::{CallRow, StoreItem};
    use twiml::Direction;

    use super::*;
    use crate::sample;

    #[tokio::test]
    async fn what_began_within_is_counted_by_begun_minutes() {
        let state = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:", state.path()).await.unwrap();
        what_began_within_is_counted(&store).await;
    }

    pub(crate) async fn what_began_within_is_counted(store: &Store) {
        for (n, direction, seconds) in [
            (1, Direction::Inbound, Some(1)),
            (2, Direction::Inbound, Some(61)),
            (3, Direction::OutboundApi, Some(60)),
            (4, Direction::OutboundDial, None),
            (9, Direction::Inbound, Some(600)),
        ] {
            store.write(StoreItem::Call(CallRow { direction, duration_s: seconds, ..sample::call(n) }));
        }
        store.write(StoreItem::Recording(sample::recording(1, 1)));
        let (from, to) = (sample::call(1).created, sample::call(9).created);
        for (what, count, minutes) in
            [(Counted::Calls, 4, 4), (Counted::Inbound, 2, 3), (Counted::Outbound, 2, 1)]
        {
            assert_eq!(store.usage(what, from, to).await.unwrap(), Usage { count, minutes }, "{what:?}");
        }
        let all = store.usage(Counted::Recordings, Timestamp(0), Timestamp(i64::MAX)).await.unwrap();
        assert_eq!(all.count, 1);
        assert_eq!(store.first_call_at().await.unwrap(), Some(from));
    }
}
