//! What an agent does with others: tasks handed on, and who is in the conversation of a task (reference: taskrouter
//! §13.2).

use base::{CallSid, ReservationSid, TaskSid, TransferSid, WorkerSid};
use call::taskrouter::{DeskAsk, RouterReply, TransferForm};
use call::{
    ConferenceRef, Hold, Music, Operator, OperatorReply, ParticipantOrder, ParticipantRef, ParticipantUpdate,
};
use router::{Direct, TransferMode};
use serde_json::Value;
use twiml::HttpMethod;

use super::objects;
use super::request::Asked;
use crate::error::ApiError;
use crate::taskrouter_v1::task_form;

impl Asked<'_> {
    pub(super) async fn transfer(&self, worker: WorkerSid) -> Result<Value, ApiError> {
        let reservation: ReservationSid = self.given("ReservationSid")?;
        let to = self.params.text("To").unwrap_or_default();
        let to = match (to.parse(), to.parse()) {
            (Ok(worker), _) => Direct::Worker { worker, ignore_capacity: false },
            (_, Ok(queue)) => Direct::Queue(queue),
            _ => return Err(ApiError::new(20001, "To is no worker's and no queue's sid")),
        };
        let mode = match self.params.one_of("Mode", &["WARM", "COLD"], 20001)? {
            Some("COLD") => TransferMode::Cold,
            Some(_) | None => TransferMode::Warm,
        };
        let form = task_form(&self.params, None)?;
        let RouterReply::Reservations(all) = self.ask(DeskAsk::Reservations(None, Some(worker))).await?
        else {
            return Err(ApiError::unexpected());
        };
        if !all.iter().any(|(row, _)| row.reservation.sid == reservation) {
            return Err(ApiError::not_found(&self.url));
        }
        let form =
            TransferForm { reservation, to, mode, priority: form.priority, attributes: form.attributes };
        self.shown_transfer(self.change(DeskAsk::Transfer(form)).await?)
    }

    pub(super) async fn cancel_transfer(
        &self,
        worker: WorkerSid,
        transfer: TransferSid,
    ) -> Result<Value, ApiError> {
        let task: TaskSid = self.given("TaskSid")?;
        if self.params.text("TransferStatus") != Some("canceled") {
            return Err(ApiError::new(20001, "TransferStatus can be set to canceled"));
        }
        let by = self.view(task).await?.row.task.transfer.map(|transfer| transfer.worker);
        if by != Some(worker) {
            return Err(ApiError::not_found(&self.url));
        }
        self.shown_transfer(self.change(DeskAsk::CancelTransfer { task, transfer }).await?)
    }

    fn shown_transfer(&self, reply: RouterReply) -> Result<Value, ApiError> {
        let RouterReply::Tasks(views) = reply else { return Err(ApiError::unexpected()) };
        let shown =
            views.first().and_then(|view| Some(objects::transfer(view.row.task.transfer.as_ref()?, view)));
        shown.ok_or_else(ApiError::unexpected)
    }

    pub(super) async fn hold_customer(&self) -> Result<Value, ApiError> {
        let task: TaskSid = self.given("TaskSid")?;
        self.mine(task).await?;
        let view = self.view(task).await?;
        let customer = view.row.task.attributes.pointer("/conference/participants/customer");
        let customer = customer.and_then(Value::as_str).and_then(|sid| sid.parse().ok());
        self.participant(task, customer, ParticipantOrder::Update(Box::new(self.hold()?))).await?;
        self.task(task, false).await
    }

    pub(super) async fn hold_worker(&self) -> Result<Value, ApiError> {
        let (task, call) = self.other_worker().await?;
        self.participant(task, call, ParticipantOrder::Update(Box::new(self.hold()?))).await?;
        self.task(task, false).await
    }

    pub(super) async fn kick_worker(&self) -> Result<Value, ApiError> {
        let (task, call) = self.other_worker().await?;
        self.participant(task, call, ParticipantOrder::Remove).await?;
        self.task(task, false).await
    }

    /// What becomes of the conversation when one leaves it, and whether one is heard.
    pub(super) async fn update_own_part(&self, worker: WorkerSid) -> Result<Value, ApiError> {
        let sid: ReservationSid = self.given("ReservationSid")?;
        let shown = self.reservation(Some(worker), &sid.to_string(), false).await?;
        let task = shown["task"]["sid"].as_str().and_then(|sid| sid.parse().ok());
        let task: TaskSid = task.ok_or_else(ApiError::unexpected)?;
        let update = ParticipantUpdate {
            muted: self.params.choice("Mute")?,
            end_on_exit: self.params.choice("EndConferenceOnExit")?,
            beep_on_exit: self.params.choice("BeepOnExit")?,
            ..ParticipantUpdate::default()
        };
        let call = self.call_of(task, worker).await?;
        self.participant(task, call, ParticipantOrder::Update(Box::new(update))).await?;
        Ok(shown)
    }

    async fn other_worker(&self) -> Result<(TaskSid, Option<CallSid>), ApiError> {
        let task: TaskSid = self.given("TaskSid")?;
        self.mine(task).await?;
        Ok((task, self.call_of(task, self.given("TargetWorkerSid")?).await?))
    }

    async fn call_of(&self, task: TaskSid, worker: WorkerSid) -> Result<Option<CallSid>, ApiError> {
        match self.ask(DeskAsk::WorkerCall { task, worker }).await? {
            RouterReply::Call(call) => Ok(call),
            _ => Err(ApiError::unexpected()),
        }
    }

    fn hold(&self) -> Result<ParticipantUpdate, ApiError> {
        let method = match self.params.text("HoldMethod") {
            Some(_) => self.params.method("HoldMethod", 21209)?,
            None => HttpMethod::Get,
        };
        let hold = match self.params.flag("Hold")? {
            true => Hold::On(Music { url: self.params.url("HoldUrl", 21205)?, method }),
            false => Hold::Off,
        };
        Ok(ParticipantUpdate { hold: Some(hold), ..ParticipantUpdate::default() })
    }

    /// Somebody in the conference of a task, which is named after it.
    async fn participant(
        &self,
        task: TaskSid,
        call: Option<CallSid>,
        order: ParticipantOrder,
    ) -> Result<(), ApiError> {
        let nobody = || ApiError::new(20404, "The participant is in no conference of the task");
        let who = ParticipantRef::Call(call.ok_or_else(nobody)?);
        let conference = ConferenceRef::Name(task.to_string());
        match self.api.orders.ask(Operator::Participant { conference, who, order }).await? {
            OperatorReply::Participant(_) => Ok(()),
            _ => Err(nobody()),
        }
    }
}
