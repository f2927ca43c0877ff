//! `…/Activities` (reference: taskrouter §3).

use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use call::taskrouter::rows::ActivityRow;
use call::taskrouter::{DeskAsk, RouterReply};
use serde_json::{Value, json};

use super::{Site, says_yes};
use crate::Api;
use crate::error::ApiError;
use crate::params::Params;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/{workspace}/Activities", get(list).post(create))
        .route("/{workspace}/Activities/{sid}", get(fetch).post(update).delete(delete))
}

async fn list(site: Site, Path(workspace): Path<String>) -> Result<Json<Value>, ApiError> {
    let RouterReply::Activities(mut all) = site.ask_in(&workspace, DeskAsk::Activities(None)).await? else {
        return Err(ApiError::unexpected());
    };
    let available = says_yes(&site.query, "Available");
    all.retain(|row| {
        site.wants("FriendlyName", &row.activity.name)
            && available.is_none_or(|wanted| row.activity.available == wanted)
    });
    site.page("activities", all, |row| (row.created, row.activity.sid), |row| show(row, &site))
}

async fn create(
    site: Site,
    Path(workspace): Path<String>,
    form: Params,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let name = form.text("FriendlyName").map(str::to_owned);
    let available = says_yes(&form, "Available").unwrap_or(false);
    let reply = site.change(&workspace, DeskAsk::PutActivity { sid: None, name, available }).await?;
    Ok((StatusCode::CREATED, answer(reply, &site)?))
}

async fn fetch(site: Site, Path((workspace, sid)): Path<(String, String)>) -> Result<Json<Value>, ApiError> {
    let sid = site.sid(&sid)?;
    answer(site.ask_in(&workspace, DeskAsk::Activities(Some(sid))).await?, &site)
}

/// Whether it takes tasks never changes: asked for or not, it stays.
async fn update(
    site: Site,
    Path((workspace, sid)): Path<(String, String)>,
    form: Params,
) -> Result<Json<Value>, ApiError> {
    let name = form.text("FriendlyName").map(str::to_owned);
    let ask = DeskAsk::PutActivity { sid: Some(site.sid(&sid)?), name, available: false };
    answer(site.change(&workspace, ask).await?, &site)
}

async fn delete(site: Site, Path((workspace, sid)): Path<(String, String)>) -> Result<StatusCode, ApiError> {
    site.remove(&workspace, DeskAsk::DeleteActivity(site.sid(&sid)?)).await
}

fn answer(reply: RouterReply, site: &Site) -> Result<Json<Value>, ApiError> {
    let RouterReply::Activities(rows) = reply else { return Err(ApiError::unexpected()) };
    Ok(Json(show(&site.one(rows)?, site)))
}

fn show(row: &ActivityRow, site: &Site) -> Value {
    json!({
        "sid": row.activity.sid,
        "account_sid": site.account(),
        "workspace_sid": row.workspace,
        "friendly_name": row.activity.name,
        "available": row.activity.available,
        "date_created": row.created.iso8601(),
        "date_updated": row.updated.iso8601(),
        "url": site.at(row.workspace, format_args!("/Activities/{}", row.activity.sid)),
        "links": { "workspace": site.at(row.workspace, "") },
    })
}
