//! A list as the database is asked for it: only the conditions somebody named, and where the page begins.
//!
//! What is not asked for does not stand in the statement, so that the database is free to take the index that fits;
//! and the place of a page is compared as one value, time and sid together, which both databases find in an index.

use base::Timestamp;
use sqlx::{AssertSqlSafe, Error, Row};

use crate::columns::{self, Columns};
use crate::read::PAGE_ROWS_MAX;
use crate::{Store, StoreError, sql};

/// Which part of a list that is newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<Sid> {
    /// Rows at most, up to [`PAGE_ROWS_MAX`].
    pub limit: u32,
    /// Where it begins or ends.
    pub cut: Cut<Sid>,
}

/// A place in a list, named by the creation and the sid of a row: rows that come in meanwhile move nothing, and the
/// row itself may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut<Sid> {
    /// The page begins with the newest row.
    Newest,
    /// It begins with the next older row.
    After(Timestamp, Sid),
    /// It ends with the next newer row.
    Before(Timestamp, Sid),
}

impl<Sid> Page<Sid> {
    /// The newest `limit` rows.
    pub fn first(limit: u32) -> Self {
        Self { limit, cut: Cut::Newest }
    }
}

/// A value beside the statement.
pub(crate) enum Bound {
    Text(String),
    Number(i64),
}

impl From<String> for Bound {
    fn from(text: String) -> Self {
        Bound::Text(text)
    }
}

impl From<Timestamp> for Bound {
    fn from(at: Timestamp) -> Self {
        Bound::Number(at.0)
    }
}

/// A statement under construction.
pub(crate) struct Listing {
    columns: &'static str,
    sql: String,
    bounds: Vec<Bound>,
}

impl Listing {
    /// All rows of a table: `list` is one of the beginnings in [`crate::sql`].
    pub(crate) fn of(list: &'static str) -> Self {
        Self { columns: sql::columns(list), sql: list.to_owned(), bounds: Vec::new() }
    }

    /// Only those that fulfil `condition`, a column and a comparison, with this value; all when there is none.
    pub(crate) fn with(mut self, condition: &'static str, value: Option<impl Into<Bound>>) -> Self {
        if let Some(value) = value {
            let place = self.bind(value.into());
            self.sql.push_str(&format!(" AND {condition} {place}"));
        }
        self
    }

    /// Only those that fulfil a condition without a value.
    pub(crate) fn only(mut self, condition: &'static str) -> Self {
        self.sql.push_str(&format!(" AND {condition}"));
        self
    }

    /// The statement of one page, newest first by the column `time`, for one of the two databases, and the values beside
    /// it. It finds one row, which is all of them ([`sql::as_one`]).
    pub(crate) fn statement<Sid: ToString>(
        mut self,
        time: &'static str,
        page: &Page<Sid>,
        sqlite: bool,
    ) -> (String, Vec<Bound>) {
        let (comparison, order) = match &page.cut {
            Cut::Newest | Cut::After(..) => ("<", "DESC"),
            Cut::Before(..) => (">", "ASC"),
        };
        if let Cut::After(at, sid) | Cut::Before(at, sid) = &page.cut {
            let (at, sid) = (self.bind((*at).into()), self.bind(sid.to_string().into()));
            self.sql.push_str(&format!(" AND ({time}, sid) {comparison} ({at}, {sid})"));
        }
        // Not bound: SQLite plans a statement anew each time its limit is.
        let limit = page.limit.min(PAGE_ROWS_MAX + 1);
        self.sql.push_str(&format!(" ORDER BY {time} {order}, sid {order} LIMIT {limit}"));
        (sql::as_one(&self.sql, self.columns, sqlite), self.bounds)
    }

    /// Runs it: one page, newest first by the column `time`.
    pub(crate) async fn page<Sid: ToString, T>(
        self,
        store: &Store,
        time: &'static str,
        page: &Page<Sid>,
        read: impl Fn(&dyn Columns) -> Result<T, Error>,
    ) -> Result<Vec<T>, StoreError> {
        let columns = self.columns;
        let (sql, bounds) = self.statement(time, page, store.inner.sqlite);
        let query = bounds.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, bound| match bound {
            Bound::Text(text) => query.bind(text),
            Bound::Number(number) => query.bind(number),
        });
        let text = store.row(query, |row| row.try_get::<Option<String>, _>("rows")).await?;
        // PostgreSQL makes nothing of no rows.
        let text = text.flatten().unwrap_or_else(|| "[]".to_owned());
        let mut rows = columns::rows_of(&text, columns, read)?;
        if matches!(page.cut, Cut::Before(..)) {
            rows.reverse();
        }
        Ok(rows)
    }

    fn bind(&mut self, bound: Bound) -> String {
        self.bounds.push(bound);
        format!("${}", self.bounds.len())
    }
}
