//! A workspace that writes down what it is told, so that any day can be replayed ([`crate::replay`]).
//!
//! ```text
//!   told ──▶ Workspace ──▶ outputs ──▶ owner
//!     └──────── entry ◀───────┘
//!                 ▼
//!   Start  entry  entry … Check  entry … │ restart │ Start …          pages, numbered within a run
//! ```
//! A run begins with the workspace as it then is. Each day and every so many entries a check says how it has become: a
//! replay can begin there, and compares itself with it on the way.

use std::collections::VecDeque;
use std::ops::Deref;

use base::{ActivitySid, Mono, ReservationSid, TaskQueueSid, TaskSid, WorkerSid, WorkflowSid};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::event::Output;
use crate::input::Input;
use crate::life::{NewTask, TaskChange};
use crate::queue::{QueueConfig, TaskOrder};
use crate::replay::Entry;
use crate::statistics::Past;
use crate::task::{Reservation, Task};
use crate::transfer::{Direct, NewTransfer};
use crate::worker::{Activity, Worker};
use crate::workspace::{RouterError, WorkflowConfig, Workspace};

/// Entries after which a check follows; where there is more to be said of, four times as many: writing it whole takes the
/// longer the more there is, and nobody waits for what is replayed from there.
const ENTRIES_BEFORE_CHECK: u64 = if cfg!(test) { 500 } else { 10_000 };
const DAY_NS: u64 = 86_400_000_000_000;

/// What is written down, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// When the run began, on the workspace's time: a restart begins another.
    pub run: Mono,
    /// Its number in the run, from 0.
    pub number: u64,
    /// When, on the workspace's time.
    pub at: Mono,
    /// What.
    pub page: Page,
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Page {
    /// What the workspace was when the run began.
    Start(Snapshot),
    /// What it was told, and what it decided.
    Entry(Box<Entry>),
    /// What it has become.
    Check(Snapshot),
}

/// A workspace at one moment, with nothing left to say. What follows from the rest is not written down of it.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Snapshot(Box<Workspace>);

impl<'d> Deserialize<'d> for Snapshot {
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        let mut workspace = Box::new(Workspace::deserialize(deserializer)?);
        workspace.count_anew();
        Ok(Self(workspace))
    }
}

impl Snapshot {
    /// As it is now.
    pub fn new(workspace: &Workspace) -> Self {
        Self(Box::new(workspace.clone()))
    }

    /// The workspace to go on from.
    pub fn workspace(&self) -> Workspace {
        (*self.0).clone()
    }
}

/// Two are the same when the same is written of them.
impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        let text = |one: &Self| serde_json::to_value(&*one.0).ok();
        text(self).is_some_and(|mine| text(other) == Some(mine))
    }
}

impl Eq for Snapshot {}

/// A workspace, and beside it what is still to be written down. Looked at as the workspace itself; each method that
/// changes something is the workspace's of the same name.
#[derive(Clone, Debug)]
pub struct Written {
    all: Workspace,
    outputs: VecDeque<Output>,
    leaves: VecDeque<Leaf>,
    /// Since when it is written down; `None`: it is being made or put back.
    run: Option<Mono>,
    number: u64,
    /// The time of what it was told last.
    latest: Mono,
    /// Entries since it was written whole.
    since_whole: u64,
}

impl Deref for Written {
    type Target = Workspace;

    fn deref(&self) -> &Workspace {
        &self.all
    }
}

impl Written {
    /// Nothing is written down before [`Self::begin`].
    pub fn new(all: Workspace) -> Self {
        let (outputs, leaves) = (VecDeque::new(), VecDeque::new());
        Self { all, outputs, leaves, run: None, number: 0, latest: Mono::default(), since_whole: 0 }
    }

    /// From now on everything is.
    pub fn begin(&mut self, now: Mono) {
        self.collect();
        (self.run, self.number, self.latest) = (Some(now), 0, now);
        let page = Page::Start(Snapshot::new(&self.all));
        self.leaf(now, page);
        self.since_whole = 0;
    }

    /// What the owner must do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.collect();
        let output = self.outputs.pop_front();
        if output.is_none() {
            self.all.bury();
        }
        output
    }

    /// What the owner must write down next.
    pub fn poll_leaf(&mut self) -> Option<Leaf> {
        self.leaves.pop_front()
    }

    fn collect(&mut self) {
        self.outputs.extend(self.all.outputs.drain(..));
    }

    fn leaf(&mut self, at: Mono, page: Page) {
        let Some(run) = self.run else { return };
        self.leaves.push_back(Leaf { run, number: self.number, at, page });
        self.number += 1;
    }

    /// Told by a test.
    #[cfg(test)]
    pub(crate) fn tell_again(&mut self, input: Input, now: Mono) -> Result<(), RouterError> {
        self.tell(input, now)
    }

    fn tell(&mut self, input: Input, now: Mono) -> Result<(), RouterError> {
        if self.run.is_none() {
            return self.all.handle(input, now);
        }
        let size = (self.all.tasks.len() + self.all.workers.len()) as u64;
        let is_next_day = now.0 / DAY_NS > self.latest.0 / DAY_NS;
        if is_next_day || self.since_whole >= ENTRIES_BEFORE_CHECK.max(size * 4) {
            let page = Page::Check(Snapshot::new(&self.all));
            self.leaf(now, page);
            self.since_whole = 0;
        }
        self.latest = self.latest.max(now);
        let (result, entry) = self.all.record(input, now);
        self.outputs.extend(entry.outputs.iter().cloned());
        self.leaf(now, Page::Entry(Box::new(entry)));
        self.since_whole += 1;
        result
    }
}

/// What puts it back, before it begins.
#[allow(missing_docs, reason = "each is documented where the workspace does it")]
impl Written {
    pub fn expect_past(&mut self) {
        self.all.expect_past();
    }

    pub fn remember(&mut self, past: Past, now: Mono) {
        // It refuses nothing.
        let _ = self.tell(Input::Remember(Box::new(past)), now);
    }

    pub fn restore_worker(&mut self, worker: Worker) {
        self.all.restore_worker(worker);
    }

    pub fn restore_task(&mut self, task: Task) {
        self.all.restore_task(task);
    }

    pub fn restore_reservation(&mut self, reservation: Reservation) {
        self.all.restore_reservation(reservation);
    }

    pub fn resume(&mut self, now: Mono) {
        self.all.resume(now);
    }
}

#[allow(missing_docs, reason = "each is documented where the workspace does it")]
impl Written {
    pub fn handle_timeout(&mut self, now: Mono) {
        // It refuses nothing.
        let _ = self.tell(Input::Timeout, now);
    }

    pub fn put_queue(&mut self, config: QueueConfig, now: Mono) -> Result<(), RouterError> {
        self.tell(Input::PutQueue(config), now)
    }

    pub fn set_queue_activities(
        &mut self,
        queue: TaskQueueSid,
        reservation: Option<ActivitySid>,
        assignment: Option<ActivitySid>,
    ) -> Result<(), RouterError> {
        self.tell(Input::SetQueueActivities { queue, reservation, assignment }, self.latest)
    }

    pub fn set_multi_task(&mut self, multi_task: bool, now: Mono) {
        // It refuses nothing.
        let _ = self.tell(Input::SetMultiTask(multi_task), now);
    }

    pub fn set_queue_order(&mut self, order: TaskOrder) {
        // It refuses nothing.
        let _ = self.tell(Input::SetQueueOrder(order), self.latest);
    }

    pub fn set_optimized(&mut self, channel: &str, optimized: bool) {
        // It refuses nothing.
        let _ = self.tell(Input::SetOptimized { channel: channel.to_owned(), optimized }, self.latest);
    }

    pub fn remove_queue(&mut self, sid: TaskQueueSid) -> Result<(), RouterError> {
        self.tell(Input::RemoveQueue(sid), self.latest)
    }

    pub fn put_workflow(&mut self, config: WorkflowConfig) -> Result<(), RouterError> {
        self.tell(Input::PutWorkflow(Box::new(config)), self.latest)
    }

    pub fn remove_workflow(&mut self, sid: WorkflowSid) -> Result<(), RouterError> {
        self.tell(Input::RemoveWorkflow(sid), self.latest)
    }

    pub fn reevaluate(&mut self, sid: WorkflowSid, now: Mono) {
        // It refuses nothing.
        let _ = self.tell(Input::Reevaluate(sid), now);
    }

    pub fn put_activity(&mut self, activity: Activity) -> Result<(), RouterError> {
        self.tell(Input::PutActivity(activity), self.latest)
    }

    pub fn remove_activity(&mut self, sid: ActivitySid) -> Result<(), RouterError> {
        self.tell(Input::RemoveActivity(sid), self.latest)
    }

    pub fn set_timeout_activity(&mut self, sid: ActivitySid) -> Result<(), RouterError> {
        self.tell(Input::SetTimeoutActivity(sid), self.latest)
    }

    pub fn add_worker(
        &mut self,
        worker: WorkerSid,
        name: &str,
        attributes: Value,
        activity: ActivitySid,
        now: Mono,
    ) -> Result<(), RouterError> {
        self.tell(Input::AddWorker { worker, name: name.to_owned(), attributes, activity }, now)
    }

    pub fn rename_worker(&mut self, worker: WorkerSid, name: &str, now: Mono) -> Result<(), RouterError> {
        self.tell(Input::RenameWorker { worker, name: name.to_owned() }, now)
    }

    pub fn remove_worker(&mut self, sid: WorkerSid) -> Result<(), RouterError> {
        self.tell(Input::RemoveWorker(sid), self.latest)
    }

    pub fn set_activity(
        &mut self,
        worker: WorkerSid,
        activity: ActivitySid,
        now: Mono,
    ) -> Result<(), RouterError> {
        self.tell(Input::SetActivity { worker, activity }, now)
    }

    pub fn leave(&mut self, worker: WorkerSid, activity: ActivitySid, now: Mono) -> Result<(), RouterError> {
        self.tell(Input::Leave { worker, activity }, now)
    }

    pub fn set_attributes(
        &mut self,
        worker: WorkerSid,
        attributes: Value,
        now: Mono,
    ) -> Result<(), RouterError> {
        self.tell(Input::SetAttributes { worker, attributes }, now)
    }

    pub fn set_capacity(
        &mut self,
        worker: WorkerSid,
        channel: &str,
        capacity: u32,
        available: bool,
        now: Mono,
    ) -> Result<(), RouterError> {
        self.tell(Input::SetCapacity { worker, channel: channel.to_owned(), capacity, available }, now)
    }

    pub fn create_task(&mut self, task: NewTask, now: Mono) -> Result<(), RouterError> {
        self.tell(Input::CreateTask(task), now)
    }

    pub fn create_task_for(&mut self, task: NewTask, direct: Direct, now: Mono) -> Result<(), RouterError> {
        self.tell(Input::CreateTaskFor { task, direct }, now)
    }

    pub fn update_task(
        &mut self,
        task: TaskSid,
        attributes: Option<Value>,
        priority: Option<u32>,
        now: Mono,
    ) -> Result<(), RouterError> {
        self.tell(Input::UpdateTask { task, attributes, priority }, now)
    }

    pub fn change_task(&mut self, task: TaskSid, change: TaskChange, now: Mono) -> Result<(), RouterError> {
        self.tell(Input::ChangeTask { task, change }, now)
    }

    pub fn delete_task(&mut self, sid: TaskSid, now: Mono) -> Result<(), RouterError> {
        self.tell(Input::DeleteTask(sid), now)
    }

    pub fn accept(&mut self, sid: ReservationSid, now: Mono) -> Result<(), RouterError> {
        self.tell(Input::Accept(sid), now)
    }

    pub fn reject(
        &mut self,
        reservation: ReservationSid,
        activity: Option<ActivitySid>,
        now: Mono,
    ) -> Result<(), RouterError> {
        self.tell(Input::Reject { reservation, activity }, now)
    }

    pub fn withdraw(&mut self, sid: ReservationSid, now: Mono) -> Result<(), RouterError> {
        self.tell(Input::Withdraw(sid), now)
    }

    pub fn wrap_up(&mut self, sid: TaskSid, now: Mono) -> Result<(), RouterError> {
        self.tell(Input::WrapUp(sid), now)
    }

    pub fn wrap_up_reservation(&mut self, sid: ReservationSid, now: Mono) -> Result<(), RouterError> {
        self.tell(Input::WrapUpReservation(sid), now)
    }

    pub fn complete(&mut self, task: TaskSid, reason: &str, now: Mono) -> Result<(), RouterError> {
        self.tell(Input::Complete { task, reason: reason.to_owned() }, now)
    }

    pub fn complete_reservation(
        &mut self,
        reservation: ReservationSid,
        reason: &str,
        now: Mono,
    ) -> Result<(), RouterError> {
        self.tell(Input::CompleteReservation { reservation, reason: reason.to_owned() }, now)
    }

    pub fn cancel(&mut self, task: TaskSid, reason: &str, now: Mono) -> Result<(), RouterError> {
        self.tell(Input::Cancel { task, reason: reason.to_owned() }, now)
    }

    pub fn transfer(&mut self, new: NewTransfer, now: Mono) -> Result<(), RouterError> {
        self.tell(Input::Transfer(new), now)
    }

    pub fn cancel_transfer(&mut self, task: TaskSid, now: Mono) -> Result<(), RouterError> {
        self.tell(Input::CancelTransfer(task), now)
    }
}
