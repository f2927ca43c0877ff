//! Workspaces: their things as JSON under their sids, read whole at the start; their events in columns, looked for.

use base::{RouterEventSid, Timestamp, WorkspaceSid};
use call::taskrouter::rows::{RouterEventRow, RouterItem, RouterKey, RouterRow};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Error, Row};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::columns::Columns;
use crate::rows::{optional_parsed, parsed, required, text, time};
use crate::{Page, Store, StoreError, sql};

/// Rows that are read as one.
const ROWS_AT_ONCE: i64 = 1_000;

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
    /// About a task or a worker's share of this channel, by its sid or its unique name.
    pub channel: Option<String>,
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
        RouterItem::Leaf(row) => crate::leaves::write(connection, box_id, row).await,
    }
}

async fn put(connection: &mut AnyConnection, box_id: &str, row: &RouterRow) -> Result<(), Error> {
    let key = row.key();
    let json = serde_json::to_string(row).map_err(|error| Error::Encode(Box::new(error)))?;
    sqlx::query(sql::PUT_ROUTER_ROW)
        .bind(key.workspace.to_string())
        .bind(key.sid)
        .bind(box_id)
        .bind(json)
        .execute(connection)
        .await?;
    Ok(())
}

async fn gone(connection: &mut AnyConnection, key: &RouterKey) -> Result<(), Error> {
    sqlx::query(sql::DELETE_ROUTER_ROW)
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
    let data = serde_json::to_string(&row.data).map_err(|error| Error::Encode(Box::new(error)))?;
    sqlx::query(sql::PUT_ROUTER_EVENT)
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
        .bind(told(row, "TaskChannelSid"))
        .bind(told(row, "TaskChannelUniqueName"))
        .execute(connection)
        .await?;
    Ok(())
}

/// What an event says under a name.
fn told(row: &RouterEventRow, name: &str) -> Option<String> {
    row.data.iter().find(|(told, _)| told == name).map(|(_, value)| value.clone())
}

/// Rows, a line each, and the key of the last.
type PageOfRows = (String, (String, String));

fn read_page(row: &AnyRow) -> Result<Option<PageOfRows>, Error> {
    let (rows, last): (Option<String>, Option<String>) = (row.try_get("rows")?, row.try_get("last")?);
    let last = last.as_deref().and_then(|last| last.split_once(' '));
    Ok(rows.zip(last.map(|(workspace, sid)| (workspace.to_owned(), sid.to_owned()))))
}

fn broken(error: serde_json::Error) -> Error {
    Error::Decode(Box::new(error))
}

fn read_event(row: &dyn Columns) -> Result<RouterEventRow, Error> {
    let data = row.text("data")?.unwrap_or_default();
    Ok(RouterEventRow {
        sid: parsed(row, "sid")?,
        workspace: parsed(row, "workspace")?,
        at: time(row, "at")?,
        kind: required(row, "kind")?,
        description: required(row, "description")?,
        resource_type: required(row, "resource_type")?,
        resource_sid: required(row, "resource_sid")?,
        task: optional_parsed(row, "task")?,
        worker: optional_parsed(row, "worker")?,
        queue: optional_parsed(row, "queue")?,
        workflow: optional_parsed(row, "workflow")?,
        reservation: optional_parsed(row, "reservation")?,
        data: serde_json::from_str(data).map_err(|error| Error::Decode(Box::new(error)))?,
    })
}

impl Store {
    /// Everything this box's workspaces are made of, in no order.
    pub async fn router_rows(&self) -> Result<Vec<RouterRow>, StoreError> {
        let mut all = Vec::new();
        let mut last = (String::new(), String::new());
        // While some are read, those before them become what they were.
        let mut reading: Option<JoinHandle<Result<Vec<RouterRow>, serde_json::Error>>> = None;
        loop {
            let query = sqlx::query(sql::ROUTER_ROWS)
                .bind(self.inner.box_id.clone())
                .bind(last.0.clone())
                .bind(last.1.clone())
                .bind(ROWS_AT_ONCE);
            let page = self.row(query, read_page).await?.flatten();
            if let Some(reading) = reading.take() {
                all.append(&mut reading.await.expect("reading JSON does not panic").map_err(broken)?);
            }
            let Some((text, place)) = page else { return Ok(all) };
            last = place;
            reading = Some(spawn_blocking(move || text.lines().map(serde_json::from_str).collect()));
        }
    }

    /// What happened in a workspace, newest first.
    pub async fn router_events(
        &self,
        workspace: WorkspaceSid,
        filter: &RouterEventFilter,
        page: &Page<RouterEventSid>,
    ) -> Result<Vec<RouterEventRow>, StoreError> {
        filter.listing(workspace).page(self, "at", page, read_event).await
    }

    /// One of them.
    pub async fn router_event(&self, sid: RouterEventSid) -> Result<Option<RouterEventRow>, StoreError> {
        self.row(sqlx::query(sql::ROUTER_EVENT).bind(sid.to_string()), |row| read_event(row)).await
    }
}

#[cfg(test)]
pub(crate) mod tests {
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

    pub(crate) fn event(n: u128, task: Option<TaskSid>) -> RouterEventRow {
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
            data: match task {
                Some(_) => vec![
                    ("TaskChannelSid".to_owned(), base::TaskChannelSid(7).to_string()),
                    ("TaskChannelUniqueName".to_owned(), "voice".to_owned()),
                ],
                None => vec![("TaskChannelUniqueName".to_owned(), "chat".to_owned())],
            },
        }
    }

    #[tokio::test]
    async fn who_listens_hears_of_events_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:", folder.path()).await.unwrap();
        let write = |n| store.write(StoreItem::Router(RouterItem::Event(Box::new(event(n, None)))));
        write(1);
        let mut news = store.news();
        write(2);
        write(3);
        assert_eq!((news.recv().await.unwrap().sid.0, news.recv().await.unwrap().sid.0), (2, 3));
    }

    #[tokio::test]
    async fn rows_replace_each_other_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:", folder.path()).await.unwrap();
        rows_replace_each_other(&store).await;
    }

    pub(crate) async fn rows_replace_each_other(store: &Store) {
        let put = |row| store.write(StoreItem::Router(RouterItem::Put(Box::new(row))));
        put(channel("Voice"));
        store.flush().await.unwrap();
        put(channel("Telephone"));
        assert_eq!(store.router_rows().await.unwrap(), [channel("Telephone")]);
        store.write(StoreItem::Router(RouterItem::Gone(channel("").key())));
        assert_eq!(store.router_rows().await.unwrap(), []);
    }

    /// More than are read at once, in two workspaces, beside another box's.
    #[tokio::test]
    async fn rows_of_all_pages_come_back_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:", folder.path()).await.unwrap();
        let mut put = Vec::new();
        for n in 0..2 * ROWS_AT_ONCE as u128 + 3 {
            let RouterRow::Channel(row) = channel(&format!("line\n{n}")) else { unreachable!() };
            let workspace = WorkspaceSid(n % 2);
            put.push(RouterRow::Channel(TaskChannelRow { workspace, sid: base::TaskChannelSid(n), ..row }));
        }
        for row in &put {
            store.write(StoreItem::Router(RouterItem::Put(Box::new(row.clone()))));
        }
        store.flush().await.unwrap();
        let mut found = store.router_rows().await.unwrap();
        found.sort_by_key(|row| row.key().sid);
        assert_eq!(found, put);
        sqlx::query("UPDATE router_rows SET box = 'another'").execute(&store.inner.pool).await.unwrap();
        assert_eq!(store.router_rows().await.unwrap(), []);
    }

    #[tokio::test]
    async fn events_are_found_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:", folder.path()).await.unwrap();
        events_are_found(&store).await;
    }

    pub(crate) async fn events_are_found(store: &Store) {
        for n in 1..=4 {
            let event = event(n, (n % 2 == 0).then_some(TaskSid(n)));
            store.write(StoreItem::Router(RouterItem::Event(Box::new(event))));
        }
        let page = Page::first(10);
        let found = async |filter: RouterEventFilter| {
            let rows = store.router_events(WorkspaceSid(1), &filter, &page).await.unwrap();
            rows.iter().map(|row| row.sid.0).collect::<Vec<_>>()
        };
        let all = RouterEventFilter::default();
        assert_eq!(found(all.clone()).await, [4, 3, 2, 1]);
        let kind = Some("task.created".to_owned());
        assert_eq!(found(RouterEventFilter { kind, ..all.clone() }).await, [4, 2]);
        let task = Some(TaskSid(2).to_string());
        assert_eq!(found(RouterEventFilter { task, ..all.clone() }).await, [2]);
        let channel = Some("voice".to_owned());
        assert_eq!(found(RouterEventFilter { channel, ..all.clone() }).await, [4, 2]);
        let channel = |name: &str| RouterEventFilter { channel: Some(name.to_owned()), ..all.clone() };
        assert_eq!(found(channel(&base::TaskChannelSid(7).to_string())).await, [4, 2]);
        for other in ["VOICE", "voic_", "%", "oice", &base::TaskChannelSid(8).to_string()] {
            assert_eq!(found(channel(other)).await, [0; 0], "{other}");
        }
        let page = Page { limit: 10, cut: crate::Cut::After(Timestamp(3), RouterEventSid(3)) };
        let rows = store.router_events(WorkspaceSid(1), &all, &page).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.sid.0).collect::<Vec<_>>(), [2, 1]);
        let span = RouterEventFilter { from: Some(Timestamp(2)), to: Some(Timestamp(3)), ..all };
        assert_eq!(found(span).await, [3, 2]);
        let one = store.router_event(RouterEventSid(4)).await.unwrap();
        assert_eq!(one, Some(event(4, Some(TaskSid(4)))));
    }
}
