//! What the REST API makes of the office: a row for each thing, whatever it is.
//!
//! One table for all kinds: there are few rows, they are all read at the start and held in memory, and no query looks
//! into them; a new kind needs no new table. Unlike rows of calls they are written at once and on the disk before the
//! writer returns, or not at all: whoever made one was told so.

use base::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection, Error, Row};
use tokio::time::{Duration, timeout};

use crate::{Store, StoreError, sql};

/// One thing the REST API made, or changed over what the configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceRow {
    /// What it is, in a word.
    pub kind: String,
    /// The sid of what it hangs below; empty: of nothing.
    pub parent: String,
    /// Its own, unique among those of its kind and parent.
    pub sid: String,
    /// JSON, an object.
    pub body: String,
    /// The mark of the configuration's entry that it stands over; `None`: it stands for itself.
    pub over: Option<String>,
    /// Whether it says that the configuration's entry is not there.
    pub gone: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// One step of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceChange {
    /// From now on it is so.
    Put(ResourceRow),
    /// It is no more: its kind, parent and sid.
    Remove(String, String, String),
}

/// How long a change may take before it counts as failed.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(10);

impl Store {
    /// All of this box's.
    pub async fn resources(&self) -> Result<Vec<ResourceRow>, StoreError> {
        of_box(&mut *self.inner.pool.acquire().await?, &self.inner.box_id).await
    }

    /// Changes all or nothing; once it returns, a power cut does not take it back.
    pub async fn change_resources(&self, changes: &[ResourceChange]) -> Result<(), StoreError> {
        let work = async {
            let mut connection = self.inner.pool.acquire().await?;
            let done = self.change_on(&mut connection, changes).await;
            if done.is_err() {
                // Driver and database may disagree on whether a transaction is open: it is not used again.
                drop(connection.detach());
            }
            done
        };
        timeout(CHANGE_TIMEOUT, work).await.unwrap_or(Err(StoreError::Timeout(CHANGE_TIMEOUT.as_secs())))
    }

    async fn change_on(
        &self,
        connection: &mut AnyConnection,
        changes: &[ResourceChange],
    ) -> Result<(), StoreError> {
        let sqlite = connection.backend_name() != "PostgreSQL";
        if sqlite {
            sqlx::query("PRAGMA synchronous = FULL").execute(&mut *connection).await?;
        }
        let mut tx = connection.begin().await?;
        for change in changes {
            apply(&mut tx, &self.inner.box_id, change).await?;
        }
        tx.commit().await?;
        if sqlite {
            sqlx::query("PRAGMA synchronous = NORMAL").execute(&mut *connection).await?;
        }
        Ok(())
    }
}

pub(crate) async fn of_box(
    connection: &mut AnyConnection,
    box_id: &str,
) -> Result<Vec<ResourceRow>, StoreError> {
    let rows = sqlx::query(sql::RESOURCES).bind(box_id.to_owned()).fetch_all(connection).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

async fn apply(connection: &mut AnyConnection, box_id: &str, change: &ResourceChange) -> Result<(), Error> {
    match change {
        ResourceChange::Put(row) => {
            sqlx::query(sql::PUT_RESOURCE)
                .bind(box_id)
                .bind(row.kind.as_str())
                .bind(row.parent.as_str())
                .bind(row.sid.as_str())
                // PostgreSQL's `TEXT` cannot hold NUL; in JSON it is written otherwise anyway.
                .bind(row.body.replace('\0', "\u{fffd}"))
                .bind(row.over.clone())
                .bind(i64::from(row.gone))
                .bind(row.created.0)
                .bind(row.updated.0)
                .execute(connection)
                .await?;
        }
        ResourceChange::Remove(kind, parent, sid) => {
            sqlx::query(sql::DELETE_RESOURCE)
                .bind(box_id)
                .bind(kind.as_str())
                .bind(parent.as_str())
                .bind(sid.as_str())
                .execute(connection)
                .await?;
        }
    }
    Ok(())
}

fn read(row: &AnyRow) -> Result<ResourceRow, Error> {
    Ok(ResourceRow {
        kind: row.try_get("kind")?,
        parent: row.try_get("parent")?,
        sid: row.try_get("sid")?,
        body: row.try_get("body")?,
        over: row.try_get("over_mark")?,
        gone: row.try_get::<i64, _>("gone")? != 0,
        created: Timestamp(row.try_get("created_at")?),
        updated: Timestamp(row.try_get("updated_at")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sid: &str, parent: &str, body: &str) -> ResourceRow {
        ResourceRow {
            kind: "application".to_owned(),
            parent: parent.to_owned(),
            sid: sid.to_owned(),
            body: body.to_owned(),
            over: None,
            gone: false,
            created: Timestamp(1),
            updated: Timestamp(2),
        }
    }

    fn remove(row: &ResourceRow) -> ResourceChange {
        ResourceChange::Remove(row.kind.clone(), row.parent.clone(), row.sid.clone())
    }

    #[tokio::test]
    async fn what_was_changed_is_there_at_the_next_start() {
        let state = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:", state.path()).await.unwrap();
        let (a, b) = (row("AP1", "", "{}"), row("AP1", "SD1", "{\"x\":1}"));
        let over = ResourceRow { over: Some("mark".to_owned()), gone: true, ..row("AP2", "", "{}") };
        let puts = [&a, &b, &over].map(|row| ResourceChange::Put(row.clone()));
        store.change_resources(&puts).await.unwrap();
        let changed = ResourceRow { body: "{\"y\":2}".to_owned(), updated: Timestamp(9), ..b.clone() };
        store.change_resources(&[ResourceChange::Put(changed.clone()), remove(&a)]).await.unwrap();
        // Nobody closed it: as after a kill.
        drop(store);
        assert_eq!(
            crate::stored_resources("sqlite:", state.path()).await.unwrap(),
            [over.clone(), changed.clone()]
        );
        let elsewhere = tempfile::tempdir().unwrap();
        assert_eq!(crate::stored_resources("sqlite:", elsewhere.path()).await.unwrap(), []);
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0, "nothing is made");
        let store = Store::open("sqlite:", state.path()).await.unwrap();
        assert_eq!(store.resources().await.unwrap(), [over, changed]);
    }

    #[tokio::test]
    async fn a_change_is_made_whole_or_not_at_all() {
        let state = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:", state.path()).await.unwrap();
        let pool = &store.inner.pool;
        sqlx::query("CREATE TRIGGER no BEFORE DELETE ON resources BEGIN SELECT RAISE(ABORT, 'no'); END")
            .execute(pool)
            .await
            .unwrap();
        let (a, b) = (row("AP1", "", "{}"), row("AP2", "", "{}"));
        store.change_resources(&[ResourceChange::Put(a.clone())]).await.unwrap();
        let both = [ResourceChange::Put(b), remove(&a)];
        assert!(store.change_resources(&both).await.is_err());
        assert_eq!(store.resources().await.unwrap(), [a]);
    }
}
