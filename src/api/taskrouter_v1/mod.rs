//! `/v1/Workspaces…`: TaskRouter, one file for each resource (reference: taskrouter §2–§9).

mod activities;
mod events;
mod reservations;
mod statistics;
mod stored;
mod task_channels;
mod task_queues;
mod tasks;
mod worker_channels;
mod workers;
mod workflows;
mod workspaces;

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use base::{Timestamp, WorkspaceSid};
use call::taskrouter::{DateKey, DatePage, DeskAsk, RouterAsk, RouterFault, RouterReply};
use call::{Operator, OperatorReply};
use serde_json::Value;
use store::Cut;

use crate::Api;
use crate::auth::Authorized;
use crate::door::Origin;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::params::Params;

pub(crate) use reservations::{read as reservation_change, word as reservation_word};
pub(crate) use stored::change_node;
pub(crate) use tasks::{read as task_form, started, target_of};
pub(crate) use worker_channels::free_percentage;
pub(crate) use workers::read as worker_form;

/// Everything under `/v1/Workspaces`.
pub(crate) fn router() -> Router<Api> {
    Router::new()
        .merge(workspaces::routes())
        .merge(activities::routes())
        .merge(task_channels::routes())
        .merge(workers::routes())
        .merge(worker_channels::routes())
        .merge(task_queues::routes())
        .merge(workflows::routes())
        .merge(tasks::routes())
        .merge(reservations::routes())
        .merge(events::routes())
        .merge(statistics::routes())
}

/// A request of somebody known, and what its answer needs.
pub(crate) struct Site {
    pub(crate) api: Api,
    /// The request's own address, without its query.
    url: String,
    /// What everything here begins with: `http://host/v1/Workspaces`.
    root: String,
    pub(crate) query: Params,
    /// `If-Match`.
    pub(crate) if_match: Option<u64>,
    path: String,
    _authorized: Authorized,
}

impl FromRequestParts<Api> for Site {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let authorized = Authorized::from_request_parts(parts, api).await?;
        let Origin(origin) =
            Origin::from_request_parts(parts, api).await.unwrap_or_else(|never| match never {});
        let OriginalUri(uri) =
            OriginalUri::from_request_parts(parts, api).await.unwrap_or_else(|never| match never {});
        let if_match = match parts.headers.get(header::IF_MATCH) {
            None => None,
            // Any version there is (RFC 9110 §13.1.1).
            Some(value) if value == "*" => None,
            Some(value) => {
                let text =
                    value.to_str().unwrap_or_default().trim().trim_start_matches("W/").trim_matches('"');
                Some(text.parse().map_err(|_| ApiError::new(20412, "If-Match names no version"))?)
            }
        };
        Ok(Self {
            api: api.clone(),
            url: format!("{origin}{}", uri.path()),
            root: format!("{origin}/v1/Workspaces"),
            query: Params::read(uri.query().unwrap_or_default().as_bytes()),
            if_match,
            path: uri.path().to_owned(),
            _authorized: authorized,
        })
    }
}

impl Site {
    /// The request's own address.
    pub(crate) fn own_url(&self) -> &str {
        &self.url
    }

    /// The sid in a path.
    pub(crate) fn sid<T: FromStr>(&self, text: &str) -> Result<T, ApiError> {
        text.parse().map_err(|_| self.nothing())
    }

    /// There is no such thing here.
    pub(crate) fn nothing(&self) -> ApiError {
        ApiError::not_found(&self.path)
    }

    /// The address of something of a workspace.
    pub(crate) fn at(&self, workspace: WorkspaceSid, rest: impl Display) -> String {
        format!("{}/{workspace}{rest}", self.root)
    }

    pub(crate) fn account(&self) -> String {
        self.api.account_sid.to_string()
    }

    /// Asks; a refusal is the answer's.
    pub(crate) async fn ask(&self, ask: RouterAsk) -> Result<RouterReply, ApiError> {
        ask_node(&self.api, ask).await?.map_err(|fault| self.refused(fault))
    }

    /// Changes something; answered once it is stored.
    pub(crate) async fn change_at(&self, ask: RouterAsk) -> Result<RouterReply, ApiError> {
        change_node(&self.api, ask).await?.map_err(|fault| self.refused(fault))
    }

    fn refused(&self, fault: RouterFault) -> ApiError {
        match fault.code {
            20404 => self.nothing(),
            code => ApiError::new(code, fault.why),
        }
    }

    /// Asks something of a workspace.
    pub(crate) async fn ask_in(&self, workspace: &str, ask: DeskAsk) -> Result<RouterReply, ApiError> {
        self.ask(RouterAsk::In(self.sid(workspace)?, ask)).await
    }

    /// The same of a workspace.
    pub(crate) async fn change(&self, workspace: &str, ask: DeskAsk) -> Result<RouterReply, ApiError> {
        self.change_at(RouterAsk::In(self.sid(workspace)?, ask)).await
    }

    /// Removes something.
    pub(crate) async fn remove(&self, workspace: &str, ask: DeskAsk) -> Result<StatusCode, ApiError> {
        self.change(workspace, ask).await?;
        Ok(StatusCode::NO_CONTENT)
    }

    /// The only one.
    pub(crate) fn one<T>(&self, rows: Vec<T>) -> Result<T, ApiError> {
        rows.into_iter().next().ok_or_else(|| self.nothing())
    }

    /// Which page is asked for, of tasks, reservations or a worker's channels: these have no absolute pages (reference:
    /// taskrouter §2).
    pub(crate) fn paging(&self) -> Result<Paging, ApiError> {
        let page =
            self.query.text("Page").is_some_and(|page| page.bytes().any(|b| (b'1'..=b'9').contains(&b)));
        if page && self.query.text("PageToken").is_none() {
            return Err(ApiError::new(40153, "Page needs the PageToken of a next_page_url"));
        }
        Paging::read(&self.query)
    }

    /// Which page of a list that goes by one of these dates (`Ordering=DateUpdated:desc`); by the first, the oldest first,
    /// where nothing is said.
    pub(crate) fn date_page<Sid: FromStr>(
        &self,
        dates: &[&str],
    ) -> Result<(Paging, DatePage<Sid>), ApiError> {
        let text = self.query.text("Ordering").unwrap_or(dates[0]);
        let (name, direction) = text.split_once(':').unwrap_or((text, "asc"));
        let by = match name {
            _ if !dates.contains(&name) => None,
            "DateUpdated" => Some(DateKey::Updated),
            "DateStatusChanged" => Some(DateKey::StatusChanged),
            _ => Some(DateKey::Created),
        };
        let by = by.filter(|_| matches!(direction, "asc" | "desc"));
        let by = by.ok_or_else(|| ApiError::new(20001, format!("Ordering cannot be `{text}`")))?;
        let paging = Paging::read(&self.query)?;
        let page = paging.page::<Sid>()?;
        let (cut, descending) = (cut_of(page.cut), direction == "desc");
        Ok((paging, DatePage { by, descending, cut, limit: page.limit }))
    }

    /// One page of rows that are all in memory, sorted by `key`.
    pub(crate) fn page<T, Sid: FromStr + Ord + Display>(
        &self,
        name: &str,
        mut rows: Vec<T>,
        key: impl Fn(&T) -> (Timestamp, Sid),
        show: impl Fn(&T) -> Value,
    ) -> Result<Json<Value>, ApiError> {
        let paging = Paging::read(&self.query)?;
        rows.sort_by_key(|row| key(row));
        let rows = paging.among(rows, &key)?;
        Ok(Json(paging.meta(&self.url, name, rows, key, show)))
    }

    /// Whether a filter of the query lets this text through.
    pub(crate) fn wants(&self, name: &str, value: &str) -> bool {
        self.query.text(name).is_none_or(|wanted| wanted == value)
    }
}

/// Asks the node; a refusal is its own.
pub(crate) async fn ask_node(
    api: &Api,
    ask: RouterAsk,
) -> Result<Result<RouterReply, RouterFault>, ApiError> {
    match api.orders.ask(Operator::Router(Box::new(ask))).await? {
        OperatorReply::Router(reply) => Ok(match *reply {
            RouterReply::Fault(fault) => Err(fault),
            reply => Ok(reply),
        }),
        _ => Err(ApiError::unexpected()),
    }
}

/// A place in a list, as the node is asked for what lies beyond it.
pub(crate) fn cut_of<Sid>(cut: Cut<Sid>) -> Option<((Timestamp, Sid), bool)> {
    match cut {
        Cut::Newest => None,
        Cut::After(at, sid) => Some(((at, sid), false)),
        Cut::Before(at, sid) => Some(((at, sid), true)),
    }
}

/// An answer with a version.
pub(crate) fn versioned(status: StatusCode, version: u64, body: Value) -> Response {
    let tag = HeaderValue::try_from(format!("\"{version}\"")).expect("digits in quotes are a header's value");
    (status, [(header::ETAG, tag)], Json(body)).into_response()
}

/// `true`, `1` or `yes`, and their opposites.
pub(crate) fn yes(form: &Params, name: &str) -> Result<Option<bool>, ApiError> {
    match form.text(name).map(str::to_ascii_lowercase).as_deref() {
        None => Ok(None),
        Some("true" | "1" | "yes") => Ok(Some(true)),
        Some("false" | "0" | "no") => Ok(Some(false)),
        Some(_) => Err(ApiError::new(20001, format!("{name} must be true or false"))),
    }
}

/// `true`, `1` or `yes`; where the published description says so, whatever else is said is a no.
pub(crate) fn says_yes(form: &Params, name: &str) -> Option<bool> {
    let yes = |text: &str| ["true", "1", "yes"].contains(&text.to_ascii_lowercase().as_str());
    form.text(name).map(yes)
}

/// A sid in a form.
pub(crate) fn sid_of<T: FromStr>(form: &Params, name: &str) -> Result<Option<T>, ApiError> {
    let Some(text) = form.text(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| ApiError::new(20001, format!("{name} is no sid: {text}")))
}

/// A URL in a form; empty takes it back.
pub(crate) fn url_of(form: &Params, name: &str) -> Result<Option<String>, ApiError> {
    match form.given(name) {
        Some("") => Ok(Some(String::new())),
        Some(_) | None => form.url(name, 20001),
    }
}

/// Attributes in a form.
pub(crate) fn attributes_of(form: &Params) -> Result<Option<router::Json>, ApiError> {
    let read = |text| router::read_attributes(text).map_err(|why| ApiError::new(20001, why));
    form.given("Attributes").map(read).transpose()
}

/// An expression in a form.
pub(crate) fn expression_of(form: &Params, name: &str) -> Result<Option<router::Expr>, ApiError> {
    let read =
        |text| router::Expr::parse(text).map_err(|error| ApiError::new(20001, format!("{name}: {error}")));
    form.given(name).map(read).transpose()
}

#[cfg(test)]
mod list_tests;
#[cfg(test)]
pub(crate) mod tests;
