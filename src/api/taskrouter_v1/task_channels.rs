//! `…/TaskChannels` (reference: taskrouter §3).

use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use call::taskrouter::rows::TaskChannelRow;
use call::taskrouter::{DeskAsk, RouterReply};
use serde_json::{Value, json};

use super::{Site, yes};
use crate::Api;
use crate::error::ApiError;
use crate::params::Params;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/{workspace}/TaskChannels", get(list).post(create))
        .route("/{workspace}/TaskChannels/{channel}", get(fetch).post(update).delete(delete))
}

async fn list(site: Site, Path(workspace): Path<String>) -> Result<Json<Value>, ApiError> {
    let RouterReply::Channels(all) = site.ask_in(&workspace, DeskAsk::Channels(None)).await? else {
        return Err(ApiError::unexpected());
    };
    site.page("channels", all, |row| (row.created, row.sid), |row| show(row, &site))
}

async fn create(
    site: Site,
    Path(workspace): Path<String>,
    form: Params,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let need = |name: &str| {
        let text = form.text(name).map(str::to_owned);
        text.ok_or_else(|| ApiError::new(20001, format!("{name} is missing")))
    };
    let ask = DeskAsk::CreateChannel {
        name: need("FriendlyName")?,
        unique_name: need("UniqueName")?,
        optimized: yes(&form, "ChannelOptimizedRouting")?.unwrap_or(false),
    };
    Ok((StatusCode::CREATED, answer(site.change(&workspace, ask).await?, &site)?))
}

async fn fetch(
    site: Site,
    Path((workspace, channel)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    answer(site.ask_in(&workspace, DeskAsk::Channels(Some(channel))).await?, &site)
}

async fn update(
    site: Site,
    Path((workspace, channel)): Path<(String, String)>,
    form: Params,
) -> Result<Json<Value>, ApiError> {
    let name = form.text("FriendlyName").map(str::to_owned);
    let optimized = yes(&form, "ChannelOptimizedRouting")?;
    answer(site.change(&workspace, DeskAsk::UpdateChannel { channel, name, optimized }).await?, &site)
}

async fn delete(
    site: Site,
    Path((workspace, channel)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    site.remove(&workspace, DeskAsk::DeleteChannel(channel)).await
}

fn answer(reply: RouterReply, site: &Site) -> Result<Json<Value>, ApiError> {
    let RouterReply::Channels(rows) = reply else { return Err(ApiError::unexpected()) };
    Ok(Json(show(&site.one(rows)?, site)))
}

fn show(row: &TaskChannelRow, site: &Site) -> Value {
    json!({
        "sid": row.sid,
        "account_sid": site.account(),
        "workspace_sid": row.workspace,
        "friendly_name": row.name,
        "unique_name": row.unique_name,
        "channel_optimized_routing": row.optimized,
        "date_created": row.created.iso8601(),
        "date_updated": row.updated.iso8601(),
        "url": site.at(row.workspace, format_args!("/TaskChannels/{}", row.sid)),
        "links": { "workspace": site.at(row.workspace, "") },
    })
}
