//! `…/Workers/WK…/Channels` (reference: taskrouter §4).

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use call::taskrouter::{DeskAsk, RouterReply, WorkerChannelView};
use serde_json::{Value, json};

use super::{Site, yes};
use crate::Api;
use crate::error::ApiError;
use crate::params::Params;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/{workspace}/Workers/{worker}/Channels", get(list))
        .route("/{workspace}/Workers/{worker}/Channels/{channel}", get(fetch).post(update))
}

async fn list(
    site: Site,
    Path((workspace, worker)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let ask = DeskAsk::WorkerChannels(site.sid(&worker)?);
    let RouterReply::WorkerChannels(all) = site.ask_in(&workspace, ask).await? else {
        return Err(ApiError::unexpected());
    };
    site.paging()?;
    site.page("channels", all, |view| (view.created, view.sid), |view| show(view, &workspace, &site))
}

async fn fetch(
    site: Site,
    Path((workspace, worker, channel)): Path<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    let ask = DeskAsk::WorkerChannels(site.sid(&worker)?);
    let RouterReply::WorkerChannels(mut all) = site.ask_in(&workspace, ask).await? else {
        return Err(ApiError::unexpected());
    };
    all.retain(|view| {
        [view.sid.to_string(), view.channel.to_string(), view.unique_name.clone()].contains(&channel)
    });
    Ok(Json(show(&site.one(all)?, &workspace, &site)))
}

async fn update(
    site: Site,
    Path((workspace, worker, channel)): Path<(String, String, String)>,
    form: Params,
) -> Result<Json<Value>, ApiError> {
    let ask = DeskAsk::UpdateWorkerChannel {
        worker: site.sid(&worker)?,
        channel,
        capacity: form.number("Capacity", 0..=CAPACITY_MAX, 20001)?,
        available: yes(&form, "Available")?,
    };
    let RouterReply::WorkerChannels(all) = site.change(&workspace, ask).await? else {
        return Err(ApiError::unexpected());
    };
    Ok(Json(show(&site.one(all)?, &workspace, &site)))
}

/// Tasks of one worker on one channel at once.
const CAPACITY_MAX: u32 = 50;

/// `available_capacity_percentage`.
pub(crate) fn free_percentage(share: router::WorkerChannel) -> u64 {
    let free = share.capacity.saturating_sub(share.used);
    (u64::from(free) * 100).checked_div(u64::from(share.capacity)).unwrap_or(0)
}

fn show(view: &WorkerChannelView, workspace: &str, site: &Site) -> Value {
    let share = view.share;
    json!({
        "sid": view.sid,
        "account_sid": site.account(),
        "workspace_sid": workspace,
        "worker_sid": view.worker,
        "task_channel_sid": view.channel,
        "task_channel_unique_name": view.unique_name,
        "available": share.available,
        "configured_capacity": share.capacity,
        "assigned_tasks": share.used,
        "available_capacity_percentage": free_percentage(share),
        "date_created": view.created.iso8601(),
        "date_updated": view.updated.iso8601(),
        "url": format!("{}/{workspace}/Workers/{}/Channels/{}", site.root, view.worker, view.sid),
    })
}
