//! What an agent's desktop asks (reference: taskrouter §13.2): each request names a place below its workspace, a method,
//! and parameters that are JSON where the REST API has forms.

use std::fmt::Display;
use std::str::FromStr;

use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use base::{ReservationSid, TaskSid, WorkerSid};
use call::taskrouter::{DeskAsk, Filter, RouterAsk, RouterFault, RouterReply, TaskView};
use router::Direct;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Agent, objects, payload, refused};
use crate::Api;
use crate::error::ApiError;
use crate::params::{FORM_TIMEOUT, Params};
use crate::taskrouter_v1::{ask_node, change_node, reservation_change, task_form, worker_form};

/// The longest request, bytes: attributes are 4,096 characters.
const REQUEST_BYTES_MAX: usize = 256 * 1024;
/// Things of a list, and when nothing is said.
const PAGE_MAX: usize = 1_000;
const PAGE: usize = 50;

/// POST.
pub(super) async fn answer(State(api): State<Api>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match timeout(FORM_TIMEOUT, to_bytes(body, REQUEST_BYTES_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return refused(ApiError::new(20413, "The request is too large")),
        Err(_) => return refused(ApiError::new(20408, "The request did not arrive in time")),
    };
    match Asked::read(&api, &parts.headers, &body) {
        Ok(asked) => match asked.answer().await {
            Ok(told) => payload(told),
            Err(error) => refused(error),
        },
        Err(error) => refused(error),
    }
}

/// A request of somebody known.
pub(super) struct Asked<'a> {
    pub(super) api: &'a Api,
    agent: Agent,
    account: String,
    /// The parts of its place below the workspace.
    place: Vec<String>,
    is_post: bool,
    pub(super) params: Params,
    /// `If-Match`.
    version: Option<u64>,
    pub(super) url: String,
}

impl<'a> Asked<'a> {
    fn read(api: &'a Api, headers: &HeaderMap, body: &Bytes) -> Result<Self, ApiError> {
        let body: Value =
            serde_json::from_slice(body).map_err(|_| ApiError::new(20001, "The request is no JSON"))?;
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let agent = Agent::of(api, text("token"))?;
        let url = text("url").to_owned();
        let mut place = url.trim_matches('/').split('/').map(str::to_owned);
        if place.next().as_deref() != Some("Workspaces") || place.next() != Some(agent.workspace.to_string())
        {
            return Err(ApiError::not_found(&url));
        }
        let version = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok());
        let version = match version.map(|text| text.trim_matches('"').parse()) {
            None => None,
            Some(Ok(version)) => Some(version),
            Some(Err(_)) => return Err(ApiError::new(20412, "If-Match names no version")),
        };
        Ok(Self {
            api,
            agent,
            account: api.account_sid.to_string(),
            place: place.collect(),
            is_post: text("method").eq_ignore_ascii_case("POST"),
            params: as_form(&body["params"]),
            version,
            url,
        })
    }

    async fn answer(&self) -> Result<Value, ApiError> {
        let place: Vec<&str> = self.place.iter().map(String::as_str).collect();
        match (place.as_slice(), self.is_post) {
            (["Activities"], false) => self.activities().await,
            (["Workers"], false) => self.workers().await,
            (["TaskQueues"], false) => self.queues(None).await,
            (["TaskQueues", sid], false) => self.queues(Some(sid)).await,
            (["Workers", worker], false) => self.worker(self.somebody(worker)?).await,
            (["Workers", worker], true) => self.update_worker(self.somebody(worker)?).await,
            (["Workers", worker, "WorkerChannels"], false) => self.channels(self.somebody(worker)?).await,
            (["Workers", worker, "Reservations"], false) => self.reservations(self.somebody(worker)?).await,
            (["Workers", worker, "Reservations", sid], is_post) => {
                self.reservation(Some(self.somebody(worker)?), sid, is_post).await
            }
            (["Tasks", task, "Reservations", sid], true) => {
                self.mine(self.sid(task)?).await?;
                self.reservation(None, sid, true).await
            }
            (["Workers", worker, "Transfers"], true) => self.transfer(self.somebody(worker)?).await,
            (["Workers", worker, "Transfers", sid], true) => {
                self.cancel_transfer(self.somebody(worker)?, self.sid(sid)?).await
            }
            (["Workers", worker, "CustomerParticipant"], true) => {
                self.somebody(worker)?;
                self.hold_customer().await
            }
            (["Workers", worker, "HoldWorkerParticipant"], true) => {
                self.somebody(worker)?;
                self.hold_worker().await
            }
            (["Workers", worker, "KickWorkerParticipant"], true) => {
                self.somebody(worker)?;
                self.kick_worker().await
            }
            (["Workers", worker, "WorkerParticipant"], true) => {
                self.update_own_part(self.somebody(worker)?).await
            }
            (["Tasks"], true) => self.create_task().await,
            (["Tasks", task], is_post) => self.task(self.sid(task)?, is_post).await,
            _ => Err(ApiError::not_found(&self.url)),
        }
    }

    fn sid<T: FromStr>(&self, text: &str) -> Result<T, ApiError> {
        text.parse().map_err(|_| ApiError::not_found(&self.url))
    }

    /// A sid among the parameters.
    pub(super) fn given<T: FromStr>(&self, name: &str) -> Result<T, ApiError> {
        let text = self.params.text(name).unwrap_or_default();
        text.parse().map_err(|_| ApiError::new(20001, format!("{name} is no sid: {text}")))
    }

    /// Oneself; a supervisor may mean anybody.
    fn somebody(&self, text: &str) -> Result<WorkerSid, ApiError> {
        let worker: WorkerSid = self.sid(text)?;
        match worker == self.agent.worker || self.agent.supervisor {
            true => Ok(worker),
            false => Err(ApiError::new(20403, "The token is another worker's")),
        }
    }

    pub(super) async fn ask(&self, ask: DeskAsk) -> Result<RouterReply, ApiError> {
        ask_desk(self.api, &self.agent, ask).await?.map_err(|fault| self.fault(fault))
    }

    fn fault(&self, fault: RouterFault) -> ApiError {
        match fault.code {
            20404 => ApiError::not_found(&self.url),
            code => ApiError::new(code, fault.why),
        }
    }

    /// Changes something; answered once it is stored.
    pub(super) async fn change(&self, ask: DeskAsk) -> Result<RouterReply, ApiError> {
        let ask = RouterAsk::In(self.agent.workspace, ask);
        change_node(self.api, ask).await?.map_err(|fault| self.fault(fault))
    }

    /// One page, by sid.
    fn page<T, Sid: Ord + Display>(
        &self,
        mut all: Vec<T>,
        sid: impl Fn(&T) -> Sid,
        show: impl Fn(&T) -> Value,
    ) -> Value {
        all.sort_by_key(&sid);
        let size = self.params.text("PageSize").or(self.params.text("MaxWorkers"));
        let size = size.and_then(|text| text.parse::<usize>().ok()).unwrap_or(PAGE).clamp(1, PAGE_MAX);
        if let Some(after) = self.params.text("AfterSid") {
            all.retain(|one| sid(one).to_string().as_str() > after);
        }
        let more = all.len() > size;
        all.truncate(size);
        let last = all.last().filter(|_| more).map(|one| sid(one).to_string());
        json!({ "contents": all.iter().map(show).collect::<Vec<_>>(), "after_sid": last })
    }

    async fn activities(&self) -> Result<Value, ApiError> {
        let RouterReply::Activities(all) = self.ask(DeskAsk::Activities(None)).await? else {
            return Err(ApiError::unexpected());
        };
        Ok(self.page(all, |row| row.activity.sid, |row| objects::activity(row, &self.account)))
    }

    async fn workers(&self) -> Result<Value, ApiError> {
        if !self.agent.supervisor {
            return Err(ApiError::new(20403, "Only a supervisor sees others"));
        }
        let RouterReply::Workers(mut all) = self.ask(DeskAsk::Workers(None)).await? else {
            return Err(ApiError::unexpected());
        };
        let wants = |name: &str, value: &str| self.params.text(name).is_none_or(|wanted| wanted == value);
        all.retain(|view| {
            wants("FriendlyName", &view.row.worker.name)
                && wants("ActivityName", &view.activity_name)
                && wants("ActivitySid", &view.row.worker.activity.to_string())
        });
        Ok(self.page(all, |view| view.row.worker.sid, |view| objects::worker(view, &self.account)))
    }

    async fn queues(&self, sid: Option<&str>) -> Result<Value, ApiError> {
        let wanted = sid.map(|sid| self.sid(sid)).transpose()?;
        let RouterReply::Queues(mut all) = self.ask(DeskAsk::Queues(wanted)).await? else {
            return Err(ApiError::unexpected());
        };
        if wanted.is_some() {
            let one = all.first().ok_or_else(|| ApiError::not_found(&self.url))?;
            return Ok(objects::queue(one, &self.account));
        }
        all.retain(|(row, _)| self.params.text("FriendlyName").is_none_or(|name| name == row.queue.name));
        Ok(self.page(all, |(row, _)| row.queue.sid, |one| objects::queue(one, &self.account)))
    }

    async fn worker(&self, sid: WorkerSid) -> Result<Value, ApiError> {
        self.shown_worker(self.ask(DeskAsk::Workers(Some(sid))).await?)
    }

    async fn update_worker(&self, sid: WorkerSid) -> Result<Value, ApiError> {
        let form = worker_form(&self.params, self.version)?;
        self.shown_worker(self.change(DeskAsk::PutWorker(Some(sid), form)).await?)
    }

    fn shown_worker(&self, reply: RouterReply) -> Result<Value, ApiError> {
        let RouterReply::Workers(all) = reply else { return Err(ApiError::unexpected()) };
        let view = all.first().ok_or_else(|| ApiError::not_found(&self.url))?;
        Ok(objects::worker(view, &self.account))
    }

    async fn channels(&self, sid: WorkerSid) -> Result<Value, ApiError> {
        let RouterReply::WorkerChannels(all) = self.ask(DeskAsk::WorkerChannels(sid)).await? else {
            return Err(ApiError::unexpected());
        };
        let show = |view: &_| objects::channel(view, self.agent.workspace, &self.account);
        Ok(self.page(all, |view| view.sid, show))
    }

    async fn reservations(&self, worker: WorkerSid) -> Result<Value, ApiError> {
        let RouterReply::Reservations(mut all) = self.ask(DeskAsk::Reservations(None, Some(worker))).await?
        else {
            return Err(ApiError::unexpected());
        };
        if self.params.text("Active").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            all.retain(|(row, _)| row.reservation.status.occupies());
        }
        let mut page = self.page(all, |(row, _)| row.reservation.sid, |(row, _)| json!(row.reservation.sid));
        let mut shown = Vec::new();
        for sid in page["contents"].as_array().into_iter().flatten() {
            let sid = sid.as_str().and_then(|sid| sid.parse().ok()).ok_or_else(ApiError::unexpected)?;
            // It may have gone since.
            shown.extend(reservation(self.api, &self.agent, sid).await?);
        }
        page["contents"] = Value::Array(shown);
        Ok(page)
    }

    pub(super) async fn reservation(
        &self,
        worker: Option<WorkerSid>,
        sid: &str,
        is_post: bool,
    ) -> Result<Value, ApiError> {
        let sid: ReservationSid = self.sid(sid)?;
        let all = DeskAsk::Reservations(None, worker);
        let RouterReply::Reservations(all) = self.ask(all).await? else { return Err(ApiError::unexpected()) };
        if !all.iter().any(|(row, _)| row.reservation.sid == sid) {
            return Err(ApiError::not_found(&self.url));
        }
        if is_post {
            let supervises = self.params.text("Instruction").is_some_and(|word| word == "supervise");
            if supervises && !self.agent.supervisor {
                return Err(ApiError::new(20403, "Only a supervisor supervises"));
            }
            let change = reservation_change(&self.params)?;
            self.change(DeskAsk::UpdateReservation { sid, change, if_match: self.version }).await?;
        }
        let shown = reservation(self.api, &self.agent, sid).await?;
        let mut shown = shown.ok_or_else(|| ApiError::not_found(&self.url))?;
        if is_post && let Some(shown) = shown.as_object_mut() {
            // The client takes these from what it asks for and hears; as part of such an answer they make it throw.
            objects::TRANSFERS.iter().for_each(|key| _ = shown.remove(*key));
        }
        Ok(shown)
    }

    pub(super) async fn task(&self, sid: TaskSid, is_post: bool) -> Result<Value, ApiError> {
        self.mine(sid).await?;
        if is_post {
            self.change(DeskAsk::PutTask(Some(sid), task_form(&self.params, self.version)?)).await?;
        }
        Ok(objects::task(&self.view(sid).await?))
    }

    pub(super) async fn view(&self, sid: TaskSid) -> Result<TaskView, ApiError> {
        let view = task(self.api, &self.agent, sid).await?;
        view.ok_or_else(|| ApiError::not_found(&self.url))
    }

    /// Whether a task is one that was offered to whoever asks.
    pub(super) async fn mine(&self, sid: TaskSid) -> Result<(), ApiError> {
        let mine = DeskAsk::Reservations(Some(sid), Some(self.agent.worker));
        let RouterReply::Reservations(mine) = self.ask(mine).await? else {
            return Err(ApiError::unexpected());
        };
        match self.agent.supervisor || !mine.is_empty() {
            true => Ok(()),
            false => Err(ApiError::not_found(&self.url)),
        }
    }

    /// A task of one's own, to call somebody.
    async fn create_task(&self) -> Result<Value, ApiError> {
        let mut form = task_form(&self.params, None)?;
        let channel = ["TaskChannelUniqueName", "TaskChannelSid"];
        form.channel = channel.iter().find_map(|name| self.params.text(name)).map(str::to_owned);
        match form.direct {
            Some(Direct::Worker { worker, .. }) => {
                self.somebody(&worker.to_string())?;
            }
            Some(Direct::Queue(_)) | None => {
                return Err(ApiError::new(20001, "RoutingTarget must be the worker"));
            }
        }
        let RouterReply::Tasks(made) = self.change(DeskAsk::PutTask(None, form)).await? else {
            return Err(ApiError::unexpected());
        };
        Ok(json!({ "sid": made.first().map(|view| view.row.task.sid) }))
    }
}

/// Asks the node something of an agent's workspace.
async fn ask_desk(
    api: &Api,
    agent: &Agent,
    ask: DeskAsk,
) -> Result<Result<RouterReply, RouterFault>, ApiError> {
    ask_node(api, RouterAsk::In(agent.workspace, ask)).await
}

pub(super) async fn worker(api: &Api, agent: &Agent) -> Result<Option<Value>, ApiError> {
    Ok(match ask_desk(api, agent, DeskAsk::Workers(Some(agent.worker))).await? {
        Ok(RouterReply::Workers(all)) => {
            all.first().map(|view| objects::worker(view, &api.account_sid.to_string()))
        }
        _ => None,
    })
}

pub(super) async fn channel(api: &Api, agent: &Agent, channel: &str) -> Result<Option<Value>, ApiError> {
    Ok(match ask_desk(api, agent, DeskAsk::WorkerChannels(agent.worker)).await? {
        Ok(RouterReply::WorkerChannels(all)) => {
            let view = all.iter().find(|view| view.unique_name == channel);
            view.map(|view| objects::channel(view, agent.workspace, &api.account_sid.to_string()))
        }
        _ => None,
    })
}

pub(super) async fn task(api: &Api, agent: &Agent, sid: TaskSid) -> Result<Option<TaskView>, ApiError> {
    let filter = Filter { sid: Some(sid), ..Filter::default() };
    Ok(match ask_desk(api, agent, DeskAsk::Tasks(filter)).await? {
        Ok(RouterReply::Tasks(all)) => all.into_iter().next(),
        _ => None,
    })
}

/// A reservation with its task in it.
pub(super) async fn reservation(
    api: &Api,
    agent: &Agent,
    sid: ReservationSid,
) -> Result<Option<Value>, ApiError> {
    let Ok(RouterReply::Reservations(all)) = ask_desk(api, agent, DeskAsk::Reservation(sid)).await? else {
        return Ok(None);
    };
    let Some((row, _)) = all.into_iter().next() else { return Ok(None) };
    let Some(view) = task(api, agent, row.reservation.task).await? else { return Ok(None) };
    let workflow = ask_desk(api, agent, DeskAsk::Workflows(Some(view.row.task.workflow))).await?;
    let timeout_s = match workflow {
        Ok(RouterReply::Workflows(all)) => {
            all.first().map_or(0, |row| row.workflow.reservation_timeout.as_secs())
        }
        _ => 0,
    };
    Ok(Some(objects::reservation(&row, &view, timeout_s, &api.account_sid.to_string())))
}

/// Parameters as a form has them.
fn as_form(params: &Value) -> Params {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut all = Vec::new();
    for (name, value) in params.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Array(items) if name != "Attributes" => {
                all.extend(items.iter().map(|item| (name.clone(), text(item))));
            }
            other => all.push((name.clone(), text(other))),
        }
    }
    Params::of(all)
}
