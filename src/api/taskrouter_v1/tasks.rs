//! `…/Tasks` (reference: taskrouter §8.1).

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use base::{TaskQueueSid, TaskSid, WorkerSid, WorkflowSid};
use call::taskrouter::{
    DeskAsk, Filter, RouterReply, TaskForm, TaskOrdering, TaskPage, TaskView, status_word,
};
use router::clock::wall;
use router::{Direct, TaskStatus};
use serde_json::{Value, json};

use super::{Site, attributes_of, cut_of, expression_of, says_yes, sid_of, versioned};
use crate::Api;
use crate::error::ApiError;
use crate::params::Params;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/{workspace}/Tasks", get(list).post(create))
        .route("/{workspace}/Tasks/{sid}", get(fetch).post(update).delete(delete))
}

async fn list(site: Site, Path(workspace): Path<String>) -> Result<Json<Value>, ApiError> {
    let query = &site.query;
    let mut statuses = Vec::new();
    for word in query.list("AssignmentStatus").iter().flat_map(|words| words.split(',')) {
        statuses.push(status_of(word)?);
    }
    if query.choice("HasAddons")? == Some(true) {
        // Nothing here adds anything to a task.
        return site.page(
            "tasks",
            Vec::new(),
            |view: &TaskView| (view.row.dates.created, view.row.task.sid),
            |_| json!({}),
        );
    }
    let ordering = match query.text("Ordering") {
        Some(text) => TaskOrdering::parse(text)
            .ok_or_else(|| ApiError::new(20001, format!("Ordering cannot be `{text}`")))?,
        None => TaskOrdering::default(),
    };
    let paging = site.paging()?;
    let page = paging.page::<TaskSid>()?;
    let cut = cut_of(page.cut);
    let text = |name: &str| query.text(name).map(str::to_owned);
    let filter = Filter {
        sid: None,
        statuses,
        workflow: sid_of(query, "WorkflowSid")?,
        queue: sid_of(query, "TaskQueueSid")?,
        priority: query.number("Priority", 0..=PRIORITY_MAX, 20001)?,
        attributes: expression_of(query, "EvaluateTaskAttributes")?,
        workflow_name: text("WorkflowName"),
        queue_name: text("TaskQueueName"),
        target: text("RoutingTarget"),
        page: Some(TaskPage { ordering: ordering.clone(), cut, limit: page.limit }),
    };
    let RouterReply::Tasks(all) = site.ask_in(&workspace, DeskAsk::Tasks(filter)).await? else {
        return Err(ApiError::unexpected());
    };
    let key = |view: &TaskView| (ordering.place(&view.row.task, view.row.dates.created), view.row.task.sid);
    Ok(Json(paging.meta(&site.url, "tasks", all, key, |view| show(view, &site))))
}

async fn create(site: Site, Path(workspace): Path<String>, form: Params) -> Result<Response, ApiError> {
    let reply = site.change(&workspace, DeskAsk::PutTask(None, read(&form, None)?)).await?;
    answer(StatusCode::CREATED, reply, &site)
}

async fn fetch(site: Site, Path((workspace, sid)): Path<(String, String)>) -> Result<Response, ApiError> {
    let filter = Filter { sid: Some(site.sid(&sid)?), ..Filter::default() };
    answer(StatusCode::OK, site.ask_in(&workspace, DeskAsk::Tasks(filter)).await?, &site)
}

async fn update(
    site: Site,
    Path((workspace, sid)): Path<(String, String)>,
    form: Params,
) -> Result<Response, ApiError> {
    let ask = DeskAsk::PutTask(Some(site.sid(&sid)?), read(&form, site.if_match)?);
    answer(StatusCode::OK, site.change(&workspace, ask).await?, &site)
}

async fn delete(site: Site, Path((workspace, sid)): Path<(String, String)>) -> Result<StatusCode, ApiError> {
    site.remove(&workspace, DeskAsk::DeleteTask(site.sid(&sid)?, site.if_match)).await
}

/// (reference: taskrouter §1)
const PRIORITY_MAX: u32 = i32::MAX as u32;
const TIMEOUT_MAX_S: u32 = 1_209_600;
/// 1900-01-01: no task can have begun before.
const EARLIEST: base::Timestamp = base::Timestamp(-2_208_988_800_000_000);

pub(crate) fn read(form: &Params, if_match: Option<u64>) -> Result<TaskForm, ApiError> {
    let start = match form.text("VirtualStartTime") {
        None => None,
        Some(text) => {
            let at = base::Timestamp::parse_iso8601(text).map(|(at, _)| at).filter(|at| *at >= EARLIEST);
            let why = "VirtualStartTime is no moment from 1900 on";
            Some(at.ok_or_else(|| ApiError::new(20001, why))?)
        }
    };
    // Nothing at all is a yes.
    let ignore_capacity = says_yes(form, "IgnoreCapacity").unwrap_or(true);
    let target = form.text("RoutingTarget");
    let worker = target.and_then(|text| text.parse::<WorkerSid>().ok());
    let queue = target.and_then(|text| text.parse::<TaskQueueSid>().ok());
    let workflow = target.and_then(|text| text.parse::<WorkflowSid>().ok());
    if target.is_some() && worker.is_none() && queue.is_none() && workflow.is_none() {
        return Err(ApiError::new(20001, "RoutingTarget is no worker's, queue's or workflow's sid"));
    }
    let queue = queue.or(sid_of(form, "TaskQueueSid")?);
    Ok(TaskForm {
        workflow: sid_of(form, "WorkflowSid")?.or(workflow),
        attributes: attributes_of(form)?,
        channel: form.text("TaskChannel").map(str::to_owned),
        priority: form.number("Priority", 0..=PRIORITY_MAX, 20001)?,
        timeout_s: form.number("Timeout", 1..=TIMEOUT_MAX_S, 20001)?,
        virtual_start: start,
        status: form.text("AssignmentStatus").map(status_of).transpose()?,
        reason: form.text("Reason").map(str::to_owned),
        direct: worker.map(|worker| Direct::Worker { worker, ignore_capacity }).or(queue.map(Direct::Queue)),
        if_match,
    })
}

fn status_of(word: &str) -> Result<TaskStatus, ApiError> {
    use TaskStatus::{Assigned, Canceled, Completed, Pending, Reserved, Wrapping};
    let all = [Pending, Reserved, Assigned, Wrapping, Completed, Canceled];
    let found = all.into_iter().find(|status| status_word(*status) == word.trim());
    found.ok_or_else(|| ApiError::new(20001, format!("AssignmentStatus knows no `{word}`")))
}

fn answer(status: StatusCode, reply: RouterReply, site: &Site) -> Result<Response, ApiError> {
    let RouterReply::Tasks(views) = reply else { return Err(ApiError::unexpected()) };
    let view = site.one(views)?;
    Ok(versioned(status, view.row.dates.version, show(&view, site)))
}

/// `routing_target`.
pub(crate) fn target_of(view: &TaskView) -> Option<String> {
    view.row.task.direct.map(|direct| direct.to_string())
}

fn show(view: &TaskView, site: &Site) -> Value {
    let (row, task) = (&view.row, &view.row.task);
    let at = |rest: &str| site.at(row.workspace, rest);
    let own = |rest: &str| site.at(row.workspace, format_args!("/Tasks/{}{rest}", task.sid));
    let ignores = matches!(task.direct, Some(Direct::Worker { ignore_capacity: true, .. }));
    json!({
        "sid": task.sid,
        "account_sid": site.account(),
        "workspace_sid": row.workspace,
        "workflow_sid": task.workflow,
        "workflow_friendly_name": view.workflow_name,
        "task_queue_sid": task.queue,
        "task_queue_friendly_name": view.queue_name,
        "task_channel_sid": view.channel,
        "task_channel_unique_name": task.channel,
        "assignment_status": status_word(task.status),
        "attributes": task.attributes.to_string(),
        "addons": "{}",
        "age": view.age_s,
        "priority": task.priority,
        "reason": task.reason,
        "timeout": task.ttl.as_secs(),
        "ignore_capacity": ignores,
        "routing_target": target_of(view),
        "date_created": row.dates.created.iso8601(),
        "date_updated": row.dates.updated.iso8601(),
        "task_queue_entered_date": task.queue.map(|_| wall(task.entered).iso8601()),
        "virtual_start_time": started(task).iso8601(),
        "url": own(""),
        "links": {
            "task_queue": task.queue.map(|sid| at(&format!("/TaskQueues/{sid}"))),
            "workflow": at(&format!("/Workflows/{}", task.workflow)),
            "workspace": at(""),
            "reservations": own("/Reservations"),
        },
    })
}

/// `virtual_start_time`.
pub(crate) fn started(task: &router::Task) -> base::Timestamp {
    let before = i64::try_from(task.head_start.as_micros()).unwrap_or(i64::MAX);
    base::Timestamp(wall(task.born).0.saturating_sub(before))
}
