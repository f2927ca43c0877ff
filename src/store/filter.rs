//! What a filter asks of the database: its conditions, and what follows from them for the time a row was created at,
//! by which lists are ordered. That is what keeps a page of a narrow time among a million rows as quick as the first.

use std::time::Duration;

use base::Timestamp;

use crate::listing::Listing;
use crate::read::{CallFilter, ConferenceFilter, NotificationFilter, RecordingFilter};
use crate::rows::{CALL_COLUMNS, CONFERENCE_COLUMNS, NOTIFICATION_COLUMNS, RECORDING_COLUMNS, level_word};

/// A call starts this long after its creation at the latest: one that waits longer for its turn has failed.
const START_AFTER_MAX: Duration = Duration::from_secs(86_400);
/// A call that lasted longer than this is not looked for by its end.
const END_AFTER_MAX: Duration = Duration::from_secs(31 * 86_400);

impl CallFilter {
    pub(crate) fn listing(&self) -> Listing {
        let before = |at: Option<Timestamp>, span: Duration| {
            let span = i64::try_from(span.as_micros()).expect("a month has few microseconds");
            at.map(|at| Timestamp(at.0.saturating_sub(span)))
        };
        let created_from =
            before(self.started_from, START_AFTER_MAX).max(before(self.ended_from, END_AFTER_MAX));
        let created_to = [self.started_to, self.ended_to].into_iter().flatten().min();
        Listing::of("calls", CALL_COLUMNS)
            .with("from_party =", self.from.clone())
            .with("to_party =", self.to.clone())
            .with("parent =", self.parent.map(|sid| sid.to_string()))
            .with("status =", self.status.map(|status| status.as_str().to_owned()))
            .with("started_at >=", self.started_from)
            .with("started_at <=", self.started_to)
            .with("ended_at >=", self.ended_from)
            .with("ended_at <=", self.ended_to)
            .with("created_at >=", created_from)
            .with("created_at <=", created_to)
    }
}

impl RecordingFilter {
    pub(crate) fn listing(&self) -> Listing {
        let listing = Listing::of("recordings", RECORDING_COLUMNS)
            .with("call =", self.call.map(|sid| sid.to_string()))
            .with("conference =", self.conference.map(|sid| sid.to_string()))
            .with("created_at >=", self.created_from)
            .with("created_at <=", self.created_to);
        if self.deleted { listing } else { listing.only("status <> 'deleted'") }
    }
}

impl ConferenceFilter {
    pub(crate) fn listing(&self) -> Listing {
        // What is older than its last change was created before that.
        let created_to = [self.created_to, self.updated_to].into_iter().flatten().min();
        Listing::of("conferences", CONFERENCE_COLUMNS)
            .with("name =", self.name.clone())
            .with("status =", self.status.map(|status| status.as_str().to_owned()))
            .with("created_at >=", self.created_from)
            .with("created_at <=", created_to)
            .with("updated_at >=", self.updated_from)
            .with("updated_at <=", self.updated_to)
    }
}

impl NotificationFilter {
    pub(crate) fn listing(&self) -> Listing {
        Listing::of("notifications", NOTIFICATION_COLUMNS)
            .with("call =", self.call.map(|sid| sid.to_string()))
            .with("level =", self.level.map(|level| level_word(level).to_owned()))
            .with("at >=", self.from)
            .with("at <=", self.to)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use base::{CallSid, ConferenceSid, NotificationSid, RecordingSid};
    use call::record::ConferenceStatus;
    use sqlx::{AssertSqlSafe, Row};
    use twiml::{CallStatus, Level};

    use super::*;
    use crate::listing::{Bound, Cut, Page};
    use crate::{PAGE_ROWS_MAX, Store};

    /// Every statement the API's lists make of calls, recordings, conferences and notifications: each filter alone, typical pairs,
    /// the first page, one further on and one back.
    fn statements() -> Vec<(String, Vec<Bound>)> {
        let at = Some(Timestamp(5));
        let text = || Some("+15550001111".to_owned());
        let plain = CallFilter::default;
        let calls = [
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
            CallFilter { ended_from: at, ended_to: at, ..plain() },
        ];
        let plain = RecordingFilter::default;
        let recordings = [
            plain(),
            RecordingFilter { call: Some(CallSid(1)), ..plain() },
            RecordingFilter { conference: Some(ConferenceSid(1)), ..plain() },
            RecordingFilter { created_from: at, created_to: at, ..plain() },
            RecordingFilter { deleted: true, ..plain() },
        ];
        let plain = NotificationFilter::default;
        let notifications = [
            plain(),
            NotificationFilter { call: Some(CallSid(1)), ..plain() },
            NotificationFilter { level: Some(Level::Error), ..plain() },
            NotificationFilter { from: at, to: at, ..plain() },
        ];
        let plain = ConferenceFilter::default;
        let conferences = [
            plain(),
            ConferenceFilter { name: text(), ..plain() },
            ConferenceFilter { status: Some(ConferenceStatus::Init), ..plain() },
            ConferenceFilter { created_from: at, created_to: at, ..plain() },
            ConferenceFilter { updated_from: at, updated_to: at, ..plain() },
        ];
        let mut all = Vec::new();
        for filter in &calls {
            all.extend(pages(CallSid(7)).map(|page| filter.listing().statement("created_at", &page)));
        }
        for filter in &recordings {
            all.extend(pages(RecordingSid(7)).map(|page| filter.listing().statement("created_at", &page)));
        }
        for filter in &conferences {
            all.extend(pages(ConferenceSid(7)).map(|page| filter.listing().statement("created_at", &page)));
        }
        for filter in &notifications {
            all.extend(pages(NotificationSid(7)).map(|page| filter.listing().statement("at", &page)));
        }
        all
    }

    fn pages<Sid: Copy>(sid: Sid) -> [Page<Sid>; 3] {
        let at = Timestamp(9);
        [Cut::Newest, Cut::After(at, sid), Cut::Before(at, sid)].map(|cut| Page { limit: PAGE_ROWS_MAX, cut })
    }

    /// What the database would do, a line a step.
    async fn plan(
        connection: &mut sqlx::AnyConnection,
        explain: &str,
        sql: &str,
        bounds: &[Bound],
    ) -> String {
        let column = if explain == "EXPLAIN" { "QUERY PLAN" } else { "detail" };
        let query = sqlx::query(AssertSqlSafe(format!("{explain} {sql}")));
        let query = bounds.iter().fold(query, |query, bound| match bound {
            Bound::Text(text) => query.bind(text.clone()),
            Bound::Number(number) => query.bind(*number),
        });
        let rows = query.fetch_all(connection).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>(column)).collect::<Vec<_>>().join("\n")
    }

    /// No statement of the API reads a table from end to end or sorts what it found.
    pub(crate) async fn every_list_is_read_from_an_index(store: &Store, is_sqlite: bool) {
        let mut connection = store.inner.pool.acquire().await.unwrap();
        if !is_sqlite {
            // What it would do with a million rows: with the few of a test everything else is cheaper.
            for sql in ["SET enable_seqscan = off", "SET enable_sort = off", "SET enable_bitmapscan = off"] {
                sqlx::query(sql).execute(&mut *connection).await.unwrap();
            }
        }
        let explain = if is_sqlite { "EXPLAIN QUERY PLAN" } else { "EXPLAIN" };
        for (sql, bounds) in statements() {
            let plan = plan(&mut connection, explain, &sql, &bounds).await;
            let uses = if is_sqlite { "USING INDEX" } else { "Index Scan" };
            let avoids = ["TEMP B-TREE", "Seq Scan", "Sort"];
            let is_good = plan.contains(uses) && !avoids.iter().any(|step| plan.contains(step));
            // Without a condition the whole list is what is wanted, in the order of an index.
            assert!(is_good, "{sql}\n{plan}");
        }
        // The settings above were this connection's alone.
        drop(connection.detach());
    }

    #[tokio::test]
    async fn sqlite_reads_every_list_from_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:", folder.path()).await.unwrap();
        every_list_is_read_from_an_index(&store, true).await;
        let (sql, bounds) = CallFilter { to: Some("101".to_owned()), ..CallFilter::default() }
            .listing()
            .statement("created_at", &Page::<CallSid>::first(50));
        let mut connection = store.inner.pool.acquire().await.unwrap();
        let plan = plan(&mut connection, "EXPLAIN QUERY PLAN", &sql, &bounds).await;
        assert!(plan.contains("SEARCH calls USING INDEX calls_by_to (to_party=?)"), "{plan}");
    }

    #[test]
    fn what_a_time_says_of_the_creation_is_said_too() {
        let filter = CallFilter {
            started_from: Some(Timestamp(90_000_000_000)),
            started_to: Some(Timestamp(95_000_000_000)),
            ended_to: Some(Timestamp(94_000_000_000)),
            ..CallFilter::default()
        };
        let (sql, bounds) = filter.listing().statement("created_at", &Page::<CallSid>::first(1));
        assert!(sql.contains("created_at >= $4 AND created_at <= $5"), "{sql}");
        let numbers: Vec<i64> = bounds
            .iter()
            .filter_map(|bound| match bound {
                Bound::Number(number) => Some(*number),
                Bound::Text(_) => None,
            })
            .collect();
        assert_eq!(numbers[3..5], [3_600_000_000, 94_000_000_000]);
    }
}
