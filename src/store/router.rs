//! Workspaces: their things as JSON under their sids, read whole at the start; their events in columns, looked for.

use base::{RouterEventSid, Timestamp, WorkspaceSid};
use call::taskrouter::rows::{RouterEventRow, RouterItem, RouterKey, RouterRow};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Error, Row};

use crate::rows::{optional_parsed, parsed, text};
use crate::{Store, StoreError};

const EVENT_COLUMNS: &str = "sid, workspace, at, kind, description, resource_type, resource_sid, task, worker, queue, \
    workflow, reservation, data";

/// Which events (reference: taskrouter §9). A bound in time is included; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterEventFilter {
    /// Of this time or later.
    pub from: Option<Timestamp>,
    /// Of this time or earlier.
    pub to: Option<Timestamp>,
    /// Of this kind.
    pub kind: Option<String>,
    /// About this task.
    pub task: Option<String>,
    /// About this worker.
    pub worker: Option<String>,
    /// About this queue.
    pub queue: Option<String>,
    /// About this workflow.
    pub workflow: Option<String>,
    /// About this reservation.
    pub reservation: Option<String>,
    /// Before this one, in the order in which they are read.
    pub after: Option<(Timestamp, String)>,
}

pub(crate) async fn write(
    connection: &mut AnyConnection,
    box_id: &str,
    item: &RouterItem,
) -> Result<(), Error> {
    match item {
        RouterItem::Put(row) => put(connection, box_id, row).await,
        RouterItem::Gone(key) => gone(connection, key).await,
        RouterItem::Event(row) => write_event(connection, box_id, row).await,
    }
}

async fn put(connection: &mut AnyConnection, box_id: &str, row: &RouterRow) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO router_rows (workspace, sid, box, row) VALUES ($1,$2,$3,$4) \
        ON CONFLICT (workspace, sid) DO UPDATE SET row=excluded.row, box=excluded.box";
    let key = row.key();
    let json = serde_json::to_string(row).map_err(|error| Error::Encode(Box::new(error)))?;
    sqlx::query(SQL)
        .bind(key.workspace.to_string())
        .bind(key.sid)
        .bind(box_id)
        .bind(json)
        .execute(connection)
        .await?;
    Ok(())
}

async fn gone(connection: &mut AnyConnection, key: &RouterKey) -> Result<(), Error> {
    sqlx::query("DELETE FROM router_rows WHERE workspace = $1 AND sid = $2")
        .bind(key.workspace.to_string())
        .bind(key.sid.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_event(
    connection: &mut AnyConnection,
    box_id: &str,
    row: &RouterEventRow,
) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO router_events (sid, workspace, at, kind, description, resource_type, resource_sid, \
        task, worker, queue, workflow, reservation, data, box) \
        VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14) ON CONFLICT (sid) DO NOTHING";
    let data = serde_json::to_string(&row.data).map_err(|error| Error::Encode(Box::new(error)))?;
    sqlx::query(SQL)
        .bind(row.sid.to_string())
        .bind(row.workspace.to_string())
        .bind(row.at.0)
        .bind(text(&row.kind))
        .bind(text(&row.description))
        .bind(text(&row.resource_type))
        .bind(text(&row.resource_sid))
        .bind(row.task.map(|sid| sid.to_string()))
        .bind(row.worker.map(|sid| sid.to_string()))
        .bind(row.queue.map(|sid| sid.to_string()))
        .bind(row.workflow.map(|sid| sid.to_string()))
        .bind(row.reservation.map(|sid| sid.to_string()))
        .bind(data)
        .bind(box_id)
        .execute(connection)
        .await?;
    Ok(())
}

fn read_row(row: &AnyRow) -> Result<RouterRow, Error> {
    let json: String = row.try_get("row")?;
    serde_json::from_str(&json).map_err(|error| Error::Decode(Box::new(error)))
}

fn read_event(row: &AnyRow) -> Result<RouterEventRow, Error> {
    let data: String = row.try_get("data")?;
    Ok(RouterEventRow {
        sid: parsed(row, "sid")?,
        workspace: parsed(row, "workspace")?,
        at: Timestamp(row.try_get("at")?),
        kind: row.try_get("kind")?,
        description: row.try_get("description")?,
        resource_type: row.try_get("resource_type")?,
        resource_sid: row.try_get("resource_sid")?,
        task: optional_parsed(row, "task")?,
        worker: optional_parsed(row, "worker")?,
        queue: optional_parsed(row, "queue")?,
        workflow: optional_parsed(row, "workflow")?,
        reservation: optional_parsed(row, "reservation")?,
        data: serde_json::from_str(&data).map_err(|error| Error::Decode(Box::new(error)))?,
    })
}

impl Store {
    /// Everything this box's workspaces are made of, in no order.
    pub async fn router_rows(&self) -> Result<Vec<RouterRow>, StoreError> {
        let query = sqlx::query("SELECT row FROM router_rows WHERE box = $1").bind(self.inner.box_id.clone());
        self.rows(query, read_row).await
    }

    /// What happened in a workspace, newest first.
    pub async fn router_events(
        &self,
        workspace: WorkspaceSid,
        filter: &RouterEventFilter,
        limit: u32,
    ) -> Result<Vec<RouterEventRow>, StoreError> {
        let sql = format!(
            "SELECT {EVENT_COLUMNS} FROM router_events WHERE workspace = $1 \
             AND ($2 IS NULL OR at >= $2) AND ($3 IS NULL OR at <= $3) AND ($4 IS NULL OR kind = $4) \
             AND ($5 IS NULL OR task = $5) AND ($6 IS NULL OR worker = $6) AND ($7 IS NULL OR queue = $7) \
             AND ($8 IS NULL OR workflow = $8) AND ($9 IS NULL OR reservation = $9) \
             AND ($10 IS NULL OR at < $10 OR (at = $10 AND sid < $11)) \
             ORDER BY at DESC, sid DESC LIMIT $12"
        );
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(workspace.to_string())
            .bind(filter.from.map(|at| at.0))
            .bind(filter.to.map(|at| at.0))
            .bind(filter.kind.clone())
            .bind(filter.task.clone())
            .bind(filter.worker.clone())
            .bind(filter.queue.clone())
            .bind(filter.workflow.clone())
            .bind(filter.reservation.clone())
            .bind(filter.after.as_ref().map(|(at, _)| at.0))
            .bind(filter.after.as_ref().map(|(_, sid)| sid.clone()))
            .bind(i64::from(limit.min(crate::PAGE_ROWS_MAX + 1)));
        self.rows(query, read_event).await
    }

    /// One of them.
    pub async fn router_event(&self, sid: RouterEventSid) -> Result<Option<RouterEventRow>, StoreError> {
        let sql = format!("SELECT {EVENT_COLUMNS} FROM router_events WHERE sid = $1");
        self.row(sqlx::query(AssertSqlSafe(sql)).bind(sid.to_string()), read_event).await
    }
}

#[cfg(test)]
mod tests {
    use base::TaskSid;
    use call::record::StoreItem;
    use call::taskrouter::rows::TaskChannelRow;

    use super::*;

    fn channel(name: &str) -> RouterRow {
        RouterRow::Channel(TaskChannelRow {
            workspace: WorkspaceSid(1),
            sid: base::TaskChannelSid(2),
            name: name.to_owned(),
            unique_name: "voice".to_owned(),
            optimized: false,
            created: Timestamp(1),
            updated: Timestamp(2),
        })
    }

    fn event(n: u128, task: Option<TaskSid>) -> RouterEventRow {
        RouterEventRow {
            sid: RouterEventSid(n),
            workspace: WorkspaceSid(1),
            at: Timestamp(n as i64),
            kind: if task.is_some() { "task.created" } else { "worker.created" }.to_owned(),
            description: "it is there".to_owned(),
            resource_type: "task".to_owned(),
            resource_sid: "WT1".to_owned(),
            task,
            worker: None,
            queue: None,
            workflow: None,
            reservation: None,
            data: vec![("TaskAge".to_owned(), "0".to_owned())],
        }
    }

    #[tokio::test]
    async fn rows_replace_each_other_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:", folder.path()).await.unwrap();
        let put = |row| store.write(StoreItem::Router(RouterItem::Put(Box::new(row))));
        put(channel("Voice"));
        store.flush().await.unwrap();
        put(channel("Telephone"));
        assert_eq!(store.router_rows().await.unwrap(), [channel("Telephone")]);
        store.write(StoreItem::Router(RouterItem::Gone(channel("").key())));
        assert_eq!(store.router_rows().await.unwrap(), []);
    }

    #[tokio::test]
    async fn events_are_found_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:", folder.path()).await.unwrap();
        for n in 1..=4 {
            let event = event(n, (n % 2 == 0).then_some(TaskSid(n)));
            store.write(StoreItem::Router(RouterItem::Event(Box::new(event))));
        }
        let found = async |filter: RouterEventFilter| {
            let rows = store.router_events(WorkspaceSid(1), &filter, 10).await.unwrap();
            rows.iter().map(|row| row.sid.0).collect::<Vec<_>>()
        };
        let all = RouterEventFilter::default();
        assert_eq!(found(all.clone()).await, [4, 3, 2, 1]);
        let kind = Some("task.created".to_owned());
        assert_eq!(found(RouterEventFilter { kind, ..all.clone() }).await, [4, 2]);
        let task = Some(TaskSid(2).to_string());
        assert_eq!(found(RouterEventFilter { task, ..all.clone() }).await, [2]);
        let after = Some((Timestamp(3), RouterEventSid(3).to_string()));
        assert_eq!(found(RouterEventFilter { after, ..all.clone() }).await, [2, 1]);
        let span = RouterEventFilter { from: Some(Timestamp(2)), to: Some(Timestamp(3)), ..all };
        assert_eq!(found(span).await, [3, 2]);
        let one = store.router_event(RouterEventSid(4)).await.unwrap();
        assert_eq!(one, Some(event(4, Some(TaskSid(4)))));
    }
}
