//! `…/Workers` (reference: taskrouter §4).

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use call::taskrouter::{DateKey, DeskAsk, RouterReply, WorkerFilter, WorkerForm, WorkerView};
use router::clock::wall;
use serde_json::{Value, json};

use super::{Site, attributes_of, expression_of, says_yes, sid_of, versioned, yes};
use crate::Api;
use crate::error::ApiError;
use crate::params::Params;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/{workspace}/Workers", get(list).post(create))
        .route("/{workspace}/Workers/{sid}", get(fetch).post(update).delete(delete))
}

async fn list(site: Site, Path(workspace): Path<String>) -> Result<Json<Value>, ApiError> {
    let query = &site.query;
    let text = |name: &str| query.text(name).map(str::to_owned);
    let (paging, page) = site.date_page(&["DateCreated", "DateUpdated", "DateStatusChanged"])?;
    let filter = WorkerFilter {
        name: text("FriendlyName"),
        activity: sid_of(query, "ActivitySid")?,
        activity_name: text("ActivityName"),
        available: says_yes(query, "Available"),
        queue: sid_of(query, "TaskQueueSid")?,
        queue_name: text("TaskQueueName"),
        expression: expression_of(query, "TargetWorkersExpression")?,
        page: page.clone(),
    };
    let ask = DeskAsk::WorkersWhere(Box::new(filter));
    let RouterReply::Workers(all) = site.ask_in(&workspace, ask).await? else {
        return Err(ApiError::unexpected());
    };
    let key = |view: &WorkerView| {
        let at = match page.by {
            DateKey::Created => view.row.dates.created,
            DateKey::Updated => view.row.dates.updated,
            DateKey::StatusChanged => wall(view.row.worker.since),
        };
        (page.place(at), view.row.worker.sid)
    };
    Ok(Json(paging.meta(&site.url, "workers", all, key, |view| show(view, &site))))
}

async fn create(site: Site, Path(workspace): Path<String>, form: Params) -> Result<Response, ApiError> {
    let form = read(&form, None)?;
    let reply = site.change(&workspace, DeskAsk::PutWorker(None, form)).await?;
    answer(StatusCode::CREATED, reply, &site)
}

async fn fetch(site: Site, Path((workspace, sid)): Path<(String, String)>) -> Result<Response, ApiError> {
    let sid = site.sid(&sid)?;
    answer(StatusCode::OK, site.ask_in(&workspace, DeskAsk::Workers(Some(sid))).await?, &site)
}

async fn update(
    site: Site,
    Path((workspace, sid)): Path<(String, String)>,
    form: Params,
) -> Result<Response, ApiError> {
    let ask = DeskAsk::PutWorker(Some(site.sid(&sid)?), read(&form, site.if_match)?);
    answer(StatusCode::OK, site.change(&workspace, ask).await?, &site)
}

async fn delete(site: Site, Path((workspace, sid)): Path<(String, String)>) -> Result<StatusCode, ApiError> {
    site.remove(&workspace, DeskAsk::DeleteWorker(site.sid(&sid)?, site.if_match)).await
}

pub(crate) fn read(form: &Params, if_match: Option<u64>) -> Result<WorkerForm, ApiError> {
    Ok(WorkerForm {
        name: form.text("FriendlyName").map(str::to_owned),
        activity: sid_of(form, "ActivitySid")?,
        attributes: attributes_of(form)?,
        reject_pending: yes(form, "RejectPendingReservations")?.unwrap_or(false),
        if_match,
    })
}

fn answer(status: StatusCode, reply: RouterReply, site: &Site) -> Result<Response, ApiError> {
    let RouterReply::Workers(views) = reply else { return Err(ApiError::unexpected()) };
    let view = site.one(views)?;
    Ok(versioned(status, view.row.dates.version, show(&view, site)))
}

fn show(view: &WorkerView, site: &Site) -> Value {
    let (row, worker) = (&view.row, &view.row.worker);
    let at = |rest: &str| site.at(row.workspace, format_args!("/Workers{rest}"));
    let own = |rest: &str| site.at(row.workspace, format_args!("/Workers/{}{rest}", worker.sid));
    json!({
        "sid": worker.sid,
        "account_sid": site.account(),
        "workspace_sid": row.workspace,
        "friendly_name": worker.name,
        "attributes": worker.attributes.to_string(),
        "activity_sid": worker.activity,
        "activity_name": view.activity_name,
        "available": view.available,
        "date_created": row.dates.created.iso8601(),
        "date_updated": row.dates.updated.iso8601(),
        "date_status_changed": wall(worker.since).iso8601(),
        "url": own(""),
        "links": {
            "channels": own("/Channels"),
            "activity": site.at(row.workspace, format_args!("/Activities/{}", worker.activity)),
            "workspace": site.at(row.workspace, ""),
            "statistics": at("/Statistics"),
            "real_time_statistics": at("/RealTimeStatistics"),
            "cumulative_statistics": at("/CumulativeStatistics"),
            "worker_statistics": own("/Statistics"),
            "worker_channels": own("/Channels"),
            "reservations": own("/Reservations"),
        },
    })
}
