//! `/v1/Workspaces` (reference: taskrouter §3).

use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use call::taskrouter::{DeskAsk, RouterAsk, RouterReply, WorkspaceForm, WorkspaceView};
use serde_json::{Value, json};

use super::{Site, sid_of, url_of, yes};
use crate::Api;
use crate::error::ApiError;
use crate::params::Params;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/", get(list).post(create))
        .route("/{workspace}", get(fetch).post(update).delete(delete))
}

async fn list(site: Site) -> Result<Json<Value>, ApiError> {
    let RouterReply::Workspaces(mut all) = site.ask(RouterAsk::Workspaces).await? else {
        return Err(ApiError::unexpected());
    };
    all.retain(|view| site.wants("FriendlyName", &view.row.name));
    site.page("workspaces", all, |view| (view.row.created, view.row.sid), |view| show(view, &site))
}

async fn create(site: Site, form: Params) -> Result<(StatusCode, Json<Value>), ApiError> {
    let reply = site.change_at(RouterAsk::CreateWorkspace(read(&form)?)).await?;
    Ok((StatusCode::CREATED, answer(reply, &site)?))
}

async fn fetch(site: Site, Path(workspace): Path<String>) -> Result<Json<Value>, ApiError> {
    answer(site.ask_in(&workspace, DeskAsk::Show).await?, &site)
}

async fn update(site: Site, Path(workspace): Path<String>, form: Params) -> Result<Json<Value>, ApiError> {
    answer(site.change(&workspace, DeskAsk::Update(read(&form)?)).await?, &site)
}

async fn delete(site: Site, Path(workspace): Path<String>) -> Result<StatusCode, ApiError> {
    site.remove(&workspace, DeskAsk::Delete).await
}

fn read(form: &Params) -> Result<WorkspaceForm, ApiError> {
    let order = form.one_of("PrioritizeQueueOrder", &["FIFO", "LIFO"], 20001)?;
    Ok(WorkspaceForm {
        name: form.text("FriendlyName").map(str::to_owned),
        default_activity: sid_of(form, "DefaultActivitySid")?,
        timeout_activity: sid_of(form, "TimeoutActivitySid")?,
        event_callback_url: url_of(form, "EventCallbackUrl")?,
        events_filter: form.given("EventsFilter").map(str::to_owned),
        multi_task: yes(form, "MultiTaskEnabled")?,
        prioritize_queue_order: order.map(str::to_owned),
        fifo: form.one_of("Template", &["NONE", "FIFO"], 20001)? == Some("FIFO"),
    })
}

fn answer(reply: RouterReply, site: &Site) -> Result<Json<Value>, ApiError> {
    let RouterReply::Workspaces(views) = reply else { return Err(ApiError::unexpected()) };
    Ok(Json(show(&site.one(views)?, site)))
}

fn show(view: &WorkspaceView, site: &Site) -> Value {
    let row = &view.row;
    let at = |rest: &str| site.at(row.sid, rest);
    json!({
        "sid": row.sid,
        "account_sid": site.account(),
        "friendly_name": row.name,
        "default_activity_name": view.default_name,
        "default_activity_sid": row.default_activity,
        "timeout_activity_name": view.timeout_name,
        "timeout_activity_sid": row.timeout_activity,
        "event_callback_url": row.event_callback_url.as_deref().unwrap_or_default(),
        "events_filter": row.events_filter,
        "multi_task_enabled": row.multi_task,
        "prioritize_queue_order": row.prioritize_queue_order,
        "date_created": row.created.iso8601(),
        "date_updated": row.updated.iso8601(),
        "url": at(""),
        "links": {
            "activities": at("/Activities"),
            "statistics": at("/Statistics"),
            "real_time_statistics": at("/RealTimeStatistics"),
            "cumulative_statistics": at("/CumulativeStatistics"),
            "task_queues": at("/TaskQueues"),
            "tasks": at("/Tasks"),
            "workers": at("/Workers"),
            "workflows": at("/Workflows"),
            "task_channels": at("/TaskChannels"),
            "events": at("/Events"),
        },
    })
}
