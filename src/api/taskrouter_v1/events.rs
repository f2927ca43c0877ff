//! `…/Events` (reference: taskrouter §9).

use std::str::FromStr;
use std::time::Duration;

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use base::{
    ReservationSid, RouterEventSid, TaskQueueSid, TaskSid, Timestamp, WorkerSid, WorkflowSid, WorkspaceSid,
};
use call::taskrouter::DeskAsk;
use call::taskrouter::rows::RouterEventRow;
use call::taskrouter::snake;
use serde_json::{Map, Value, json};
use store::RouterEventFilter;

use super::{Site, sid_of};
use crate::Api;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::params::Params;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/{workspace}/Events", get(list)).route("/{workspace}/Events/{sid}", get(fetch))
}

/// The last minutes when no time is said, and the most.
const MINUTES: u32 = 15;
const MINUTES_MAX: u32 = 43_200;

/// The newest first.
async fn list(site: Site, Path(workspace): Path<String>) -> Result<Json<Value>, ApiError> {
    let workspace = known(&site, &workspace).await?;
    let filter = read(&site.query)?;
    let paging = Paging::read(&site.query)?;
    let rows = match sid_of::<RouterEventSid>(&site.query, "Sid")? {
        Some(sid) => {
            let row = site.api.store.router_event(sid).await?;
            row.into_iter().filter(|row| row.workspace == workspace).collect()
        }
        None => site.api.store.router_events(workspace, &filter, &paging.page()?).await?,
    };
    Ok(Json(paging.meta(&site.url, "events", rows, |row| (row.at, row.sid), |row| show(row, &site))))
}

/// A workspace that is there: what is kept of one that is gone is nobody's.
async fn known(site: &Site, workspace: &str) -> Result<WorkspaceSid, ApiError> {
    let sid = site.sid(workspace)?;
    site.ask_in(workspace, DeskAsk::Show).await?;
    Ok(sid)
}

async fn fetch(site: Site, Path((workspace, sid)): Path<(String, String)>) -> Result<Json<Value>, ApiError> {
    let workspace = known(&site, &workspace).await?;
    let sid: RouterEventSid = site.sid(&sid)?;
    let row = site.api.store.router_event(sid).await?.filter(|row| row.workspace == workspace);
    Ok(Json(show(&row.ok_or_else(|| site.nothing())?, &site)))
}

fn read(query: &Params) -> Result<RouterEventFilter, ApiError> {
    let moment = |name: &str| match query.text(name) {
        None => Ok(None),
        Some(text) => {
            let at = Timestamp::parse_iso8601(text).map(|(at, _)| at);
            at.map(Some).ok_or_else(|| ApiError::new(20001, format!("{name} is no moment: {text}")))
        }
    };
    let text = |name: &str| query.text(name).map(str::to_owned);
    fn sid<T: FromStr + ToString>(query: &Params, name: &str) -> Result<Option<String>, ApiError> {
        Ok(sid_of::<T>(query, name)?.map(|sid| sid.to_string()))
    }
    let minutes = query.number("Minutes", 1..=MINUTES_MAX, 20001)?.unwrap_or(MINUTES);
    let from = match moment("StartDate")? {
        Some(from) => from,
        None => back(Duration::from_secs(u64::from(minutes) * 60)),
    };
    Ok(RouterEventFilter {
        from: Some(from),
        to: moment("EndDate")?,
        kind: text("EventType"),
        task: sid::<TaskSid>(query, "TaskSid")?,
        worker: sid::<WorkerSid>(query, "WorkerSid")?,
        queue: sid::<TaskQueueSid>(query, "TaskQueueSid")?,
        workflow: sid::<WorkflowSid>(query, "WorkflowSid")?,
        reservation: sid::<ReservationSid>(query, "ReservationSid")?,
        channel: text("TaskChannel"),
    })
}

/// So long ago. The API is a shell: it may look at the clock.
fn back(span: Duration) -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let at = since.saturating_sub(span).as_micros();
    Timestamp(i64::try_from(at).unwrap_or(i64::MAX))
}

fn show(row: &RouterEventRow, site: &Site) -> Value {
    const COMMON: [&str; 7] =
        ["EventType", "EventDescription", "ResourceType", "ResourceSid", "Timestamp", "TimestampMs", "Sid"];
    let data: Map<String, Value> = row
        .data
        .iter()
        .filter(|(name, _)| !COMMON.contains(&name.as_str()))
        .map(|(name, value)| (snake(name), Value::from(value.as_str())))
        .collect();
    let at = |rest: String| site.at(row.workspace, rest);
    let place = match row.resource_type.as_str() {
        "task" => Some("Tasks"),
        "worker" => Some("Workers"),
        "task-queue" => Some("TaskQueues"),
        "workflow" => Some("Workflows"),
        "activity" => Some("Activities"),
        "task-channel" => Some("TaskChannels"),
        _ => None,
    };
    let resource_url = match (place, row.task) {
        (Some(place), _) => at(format!("/{place}/{}", row.resource_sid)),
        (None, Some(task)) if row.resource_type == "reservation" => {
            at(format!("/Tasks/{task}/Reservations/{}", row.resource_sid))
        }
        (None, _) => at(String::new()),
    };
    json!({
        "sid": row.sid,
        "account_sid": site.account(),
        "workspace_sid": row.workspace,
        "event_type": row.kind,
        "event_date": row.at.iso8601(),
        "event_date_ms": row.at.0 / 1_000,
        "description": row.description,
        "event_data": data,
        "actor_type": "workspace",
        "actor_sid": row.workspace,
        "actor_url": at(String::new()),
        "resource_type": row.resource_type,
        "resource_sid": row.resource_sid,
        "resource_url": resource_url,
        "source": "tandem",
        "source_ip_address": "",
        "url": at(format!("/Events/{}", row.sid)),
    })
}
