//! `…/Workflows` (reference: taskrouter §6).

use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use call::taskrouter::rows::WorkflowRow;
use call::taskrouter::{DeskAsk, RouterReply, WorkflowForm};
use serde_json::{Value, json};

use super::{Site, url_of, yes};
use crate::Api;
use crate::error::ApiError;
use crate::params::Params;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/{workspace}/Workflows", get(list).post(create))
        .route("/{workspace}/Workflows/{sid}", get(fetch).post(update).delete(delete))
}

async fn list(site: Site, Path(workspace): Path<String>) -> Result<Json<Value>, ApiError> {
    let RouterReply::Workflows(mut all) = site.ask_in(&workspace, DeskAsk::Workflows(None)).await? else {
        return Err(ApiError::unexpected());
    };
    all.retain(|row| site.wants("FriendlyName", &row.workflow.name));
    site.page("workflows", all, |row| (row.dates.created, row.workflow.sid), |row| show(row, &site))
}

async fn create(
    site: Site,
    Path(workspace): Path<String>,
    form: Params,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let reply = site.change(&workspace, DeskAsk::PutWorkflow(None, read(&form)?)).await?;
    Ok((StatusCode::CREATED, answer(reply, &site)?))
}

async fn fetch(site: Site, Path((workspace, sid)): Path<(String, String)>) -> Result<Json<Value>, ApiError> {
    let sid = site.sid(&sid)?;
    answer(site.ask_in(&workspace, DeskAsk::Workflows(Some(sid))).await?, &site)
}

async fn update(
    site: Site,
    Path((workspace, sid)): Path<(String, String)>,
    form: Params,
) -> Result<Json<Value>, ApiError> {
    let ask = DeskAsk::PutWorkflow(Some(site.sid(&sid)?), read(&form)?);
    answer(site.change(&workspace, ask).await?, &site)
}

async fn delete(site: Site, Path((workspace, sid)): Path<(String, String)>) -> Result<StatusCode, ApiError> {
    site.remove(&workspace, DeskAsk::DeleteWorkflow(site.sid(&sid)?)).await
}

fn read(form: &Params) -> Result<WorkflowForm, ApiError> {
    Ok(WorkflowForm {
        name: form.text("FriendlyName").map(str::to_owned),
        configuration: form.text("Configuration").map(str::to_owned),
        assignment_url: url_of(form, "AssignmentCallbackUrl")?,
        fallback_url: url_of(form, "FallbackAssignmentCallbackUrl")?,
        reevaluate: yes(form, "ReEvaluateTasks")?.unwrap_or(false),
        reservation_timeout_s: form.number("TaskReservationTimeout", 1..=86_400, 20001)?,
    })
}

fn answer(reply: RouterReply, site: &Site) -> Result<Json<Value>, ApiError> {
    let RouterReply::Workflows(rows) = reply else { return Err(ApiError::unexpected()) };
    Ok(Json(show(&site.one(rows)?, site)))
}

fn show(row: &WorkflowRow, site: &Site) -> Value {
    let own = |rest: &str| site.at(row.workspace, format_args!("/Workflows/{}{rest}", row.workflow.sid));
    json!({
        "sid": row.workflow.sid,
        "account_sid": site.account(),
        "workspace_sid": row.workspace,
        "friendly_name": row.workflow.name,
        "configuration": row.text,
        "document_content_type": "application/json",
        "assignment_callback_url": row.assignment_url,
        "fallback_assignment_callback_url": row.fallback_url,
        "task_reservation_timeout": row.workflow.reservation_timeout.as_secs(),
        "date_created": row.dates.created.iso8601(),
        "date_updated": row.dates.updated.iso8601(),
        "url": own(""),
        "links": {
            "statistics": own("/Statistics"),
            "real_time_statistics": own("/RealTimeStatistics"),
            "cumulative_statistics": own("/CumulativeStatistics"),
        },
    })
}
