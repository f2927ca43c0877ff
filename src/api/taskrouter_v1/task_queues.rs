//! `…/TaskQueues` (reference: taskrouter §5).

use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use call::taskrouter::rows::TaskQueueRow;
use call::taskrouter::{DateKey, DeskAsk, QueueFilter, QueueForm, RouterReply};
use router::TaskOrder;
use serde_json::{Value, json};

use super::{Site, expression_of, sid_of};
use crate::Api;
use crate::error::ApiError;
use crate::params::Params;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/{workspace}/TaskQueues", get(list).post(create))
        .route("/{workspace}/TaskQueues/{sid}", get(fetch).post(update).delete(delete))
}

/// A queue and what its two activities are called.
type Named = (TaskQueueRow, [Option<String>; 2]);

async fn list(site: Site, Path(workspace): Path<String>) -> Result<Json<Value>, ApiError> {
    let query = &site.query;
    let (paging, page) = site.date_page(&["DateCreated", "DateUpdated"])?;
    let read = |text| router::read_attributes(text).map_err(|why| ApiError::new(20001, why));
    let filter = QueueFilter {
        name: query.text("FriendlyName").map(str::to_owned),
        attributes: query.text("EvaluateWorkerAttributes").map(read).transpose()?,
        worker: sid_of(query, "WorkerSid")?,
        page: page.clone(),
    };
    let ask = DeskAsk::QueuesWhere(Box::new(filter));
    let RouterReply::Queues(all) = site.ask_in(&workspace, ask).await? else {
        return Err(ApiError::unexpected());
    };
    let key = |(row, _): &Named| {
        let at = if page.by == DateKey::Updated { row.dates.updated } else { row.dates.created };
        (page.place(at), row.queue.sid)
    };
    Ok(Json(paging.meta(&site.url, "task_queues", all, key, |named| show(named, &site))))
}

async fn create(
    site: Site,
    Path(workspace): Path<String>,
    form: Params,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let reply = site.change(&workspace, DeskAsk::PutQueue(None, read(&form)?)).await?;
    Ok((StatusCode::CREATED, answer(reply, &site)?))
}

async fn fetch(site: Site, Path((workspace, sid)): Path<(String, String)>) -> Result<Json<Value>, ApiError> {
    let sid = site.sid(&sid)?;
    answer(site.ask_in(&workspace, DeskAsk::Queues(Some(sid))).await?, &site)
}

async fn update(
    site: Site,
    Path((workspace, sid)): Path<(String, String)>,
    form: Params,
) -> Result<Json<Value>, ApiError> {
    let ask = DeskAsk::PutQueue(Some(site.sid(&sid)?), read(&form)?);
    answer(site.change(&workspace, ask).await?, &site)
}

async fn delete(site: Site, Path((workspace, sid)): Path<(String, String)>) -> Result<StatusCode, ApiError> {
    site.remove(&workspace, DeskAsk::DeleteQueue(site.sid(&sid)?)).await
}

fn read(form: &Params) -> Result<QueueForm, ApiError> {
    let order = form.one_of("TaskOrder", &["FIFO", "LIFO"], 20001)?;
    Ok(QueueForm {
        name: form.text("FriendlyName").map(str::to_owned),
        target_workers: expression_of(form, "TargetWorkers")?,
        max_reserved: form.number("MaxReservedWorkers", 1..=50, 20001)?,
        order: order.map(|word| if word == "LIFO" { TaskOrder::Lifo } else { TaskOrder::Fifo }),
        reservation_activity: sid_of(form, "ReservationActivitySid")?,
        assignment_activity: sid_of(form, "AssignmentActivitySid")?,
    })
}

fn answer(reply: RouterReply, site: &Site) -> Result<Json<Value>, ApiError> {
    let RouterReply::Queues(rows) = reply else { return Err(ApiError::unexpected()) };
    Ok(Json(show(&site.one(rows)?, site)))
}

fn show((row, [reservation, assignment]): &Named, site: &Site) -> Value {
    let all = |rest: &str| site.at(row.workspace, format_args!("/TaskQueues{rest}"));
    let own = |rest: &str| site.at(row.workspace, format_args!("/TaskQueues/{}{rest}", row.queue.sid));
    let activity = |sid: Option<base::ActivitySid>| {
        sid.map(|sid| site.at(row.workspace, format_args!("/Activities/{sid}")))
    };
    json!({
        "sid": row.queue.sid,
        "account_sid": site.account(),
        "workspace_sid": row.workspace,
        "friendly_name": row.queue.name,
        "target_workers": row.queue.target_workers.as_str(),
        "max_reserved_workers": row.queue.max_reserved,
        "task_order": match row.queue.order { TaskOrder::Fifo => "FIFO", TaskOrder::Lifo => "LIFO" },
        "reservation_activity_sid": row.activities.reservation,
        "reservation_activity_name": reservation,
        "assignment_activity_sid": row.activities.assignment,
        "assignment_activity_name": assignment,
        "date_created": row.dates.created.iso8601(),
        "date_updated": row.dates.updated.iso8601(),
        "url": own(""),
        "links": {
            "assignment_activity": activity(row.activities.assignment),
            "reservation_activity": activity(row.activities.reservation),
            "workspace": site.at(row.workspace, ""),
            "statistics": own("/Statistics"),
            "real_time_statistics": own("/RealTimeStatistics"),
            "cumulative_statistics": own("/CumulativeStatistics"),
            "list_statistics": all("/Statistics"),
            "bulk_real_time_statistics": all("/RealTimeStatistics"),
        },
    })
}
