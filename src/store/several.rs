//! Several rows in one statement: to hand a statement to a database and to hear of it again takes longer than what the
//! database does for a row.

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Error};

/// A statement that is being given its values.
pub(crate) type Put<'q> = Query<'q, Any, AnyArguments>;

/// Values in one statement: for each of them SQLite looks through the names of those before it.
const VALUES_MAX: usize = 96;

/// Puts as many of the rows as one statement takes, at least one, and says how many. `sql` puts one row, whose last value
/// is the box's id; `bind` gives it the others. Rows come by powers of two, so that a connection keeps few statements.
pub(crate) async fn put<'b, R: 'b>(
    connection: &mut AnyConnection,
    sql: &'static str,
    box_id: &str,
    rows: impl Iterator<Item = &'b R> + Clone,
    bind: for<'q> fn(Put<'q>, &R) -> Put<'q>,
) -> Result<usize, Error> {
    let (_, values, _) = parts(sql);
    let most = (VALUES_MAX / values).max(1);
    let count = 1 << rows.clone().take(most).count().max(1).ilog2();
    let query = if count == 1 { sqlx::query(sql) } else { sqlx::query(AssertSqlSafe(repeated(sql, count))) };
    rows.take(count).fold(query, bind).bind(box_id).execute(connection).await?;
    Ok(count)
}

/// A statement for one row as one for so many of them, which share their last value.
fn repeated(sql: &str, rows: usize) -> String {
    let (head, values, tail) = parts(sql);
    let own = values - 1;
    let shared = rows * own + 1;
    let row = |row: usize| {
        let own = (1..=own).map(|value| format!("${}", row * own + value)).collect::<Vec<_>>();
        format!("({},${shared})", own.join(","))
    };
    format!("{head}{}{tail}", (0..rows).map(row).collect::<Vec<_>>().join(","))
}

/// What stands before a statement's one row of values, how many they are, and what stands behind them.
fn parts(sql: &str) -> (&str, usize, &str) {
    let at = sql.find("VALUES (").expect("the statement puts a row") + "VALUES ".len();
    let (head, rest) = sql.split_at(at);
    let (row, tail) = rest.split_at(rest.find(')').expect("the row ends") + 1);
    (head, row.split(',').count(), tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql;

    #[test]
    fn rows_are_added_to_a_statement_and_share_their_last_value() {
        let one = "INSERT INTO t (a, b, box) VALUES ($1,$2,$3) ON CONFLICT (a) DO NOTHING";
        assert_eq!(
            repeated(one, 3),
            "INSERT INTO t (a, b, box) VALUES ($1,$2,$7),($3,$4,$7),($5,$6,$7) ON CONFLICT (a) DO NOTHING"
        );
        assert_eq!(repeated(one, 1), one);
        for sql in [sql::PUT_CALL, sql::PUT_EVENT, sql::PUT_EXCHANGE] {
            assert_eq!(repeated(sql, 1), sql, "the box's id is its last value");
        }
    }
}
