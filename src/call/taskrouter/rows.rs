//! What is written down of workspaces: one row a thing, whole each time (reference: taskrouter §3–§9).
//!
//! What decides is the core's own state; beside it stands what only people and applications want to know.

use base::{
    ActivitySid, CallSid, ReservationSid, RouterEventSid, TaskChannelSid, TaskQueueSid, TaskSid, Timestamp,
    WorkerSid, WorkflowSid, WorkspaceSid,
};
use serde::{Deserialize, Serialize};

/// What happens to the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouterItem {
    /// Replaces the row with the same key.
    Put(Box<RouterRow>),
    /// Takes a row away.
    Gone(RouterKey),
    /// Appended.
    Event(Box<RouterEventRow>),
    /// Appended.
    Leaf(Box<RouterLeafRow>),
}

/// A leaf of what a workspace was told and decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterLeafRow {
    /// Where.
    pub workspace: WorkspaceSid,
    /// What.
    pub leaf: router::Leaf,
}

/// Which row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RouterKey {
    /// Its workspace.
    pub workspace: WorkspaceSid,
    /// Its sid, which tells also of what kind it is.
    pub sid: String,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouterRow {
    /// A workspace.
    Workspace(WorkspaceRow),
    /// An activity.
    Activity(ActivityRow),
    /// A task channel.
    Channel(TaskChannelRow),
    /// A worker.
    Worker(WorkerRow),
    /// A task queue.
    Queue(TaskQueueRow),
    /// A workflow.
    Workflow(WorkflowRow),
    /// A task.
    Task(TaskRow),
    /// A reservation.
    Reservation(ReservationRow),
}

/// A workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceRow {
    /// Its sid.
    pub sid: WorkspaceSid,
    /// For people.
    pub name: String,
    /// What new workers do.
    pub default_activity: ActivitySid,
    /// What workers do who did not answer.
    pub timeout_activity: ActivitySid,
    /// Told of what happens.
    pub event_callback_url: Option<String>,
    /// Only of these events, by name and comma.
    pub events_filter: Option<String>,
    /// Reservations do not change what a worker does.
    pub multi_task: bool,
    /// `PrioritizeQueueOrder`, as it was written.
    pub prioritize_queue_order: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// An activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityRow {
    /// Its workspace.
    pub workspace: WorkspaceSid,
    /// What it is.
    pub activity: router::Activity,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// A kind of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskChannelRow {
    /// Its workspace.
    pub workspace: WorkspaceSid,
    /// Its sid.
    pub sid: TaskChannelSid,
    /// For people.
    pub name: String,
    /// What tasks call it.
    pub unique_name: String,
    /// `ChannelOptimizedRouting`.
    pub optimized: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// When a thing was made and last changed, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dates {
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// Changes so far: what `ETag` carries.
    pub version: u64,
}

/// A worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerRow {
    /// Its workspace.
    pub workspace: WorkspaceSid,
    /// What decides. Its times count from 1970.
    pub worker: router::Worker,
    /// When it was made and changed.
    pub dates: Dates,
}

/// What a worker is put to when a queue's task is offered to it or taken by it, where it does one thing at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueActivities {
    /// `ReservationActivitySid`.
    pub reservation: Option<ActivitySid>,
    /// `AssignmentActivitySid`.
    pub assignment: Option<ActivitySid>,
}

/// A task queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskQueueRow {
    /// Its workspace.
    pub workspace: WorkspaceSid,
    /// What decides.
    pub queue: router::QueueConfig,
    /// What workers are put to.
    pub activities: QueueActivities,
    /// When it was made and changed.
    pub dates: Dates,
}

/// A workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowRow {
    /// Its workspace.
    pub workspace: WorkspaceSid,
    /// What decides.
    pub workflow: router::WorkflowConfig,
    /// Its configuration as it was written.
    pub text: String,
    /// Asked what to do with each reservation.
    pub assignment_url: Option<String>,
    /// Asked when that does not answer.
    pub fallback_url: Option<String>,
    /// When it was made and changed.
    pub dates: Dates,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRow {
    /// Its workspace.
    pub workspace: WorkspaceSid,
    /// What decides. Its times count from 1970.
    pub task: router::Task,
    /// The call that waits for it, when `<Enqueue>` made it.
    pub call: Option<CallSid>,
    /// When it was made and changed.
    pub dates: Dates,
}

/// A reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationRow {
    /// Its workspace.
    pub workspace: WorkspaceSid,
    /// What decides. Its times count from 1970.
    pub reservation: router::Reservation,
    /// Why this worker got it.
    pub why: Option<router::Why>,
    /// What the end of its conversation does; `None`: nothing by itself.
    #[serde(default)]
    pub after: Option<AfterTalk>,
    /// When it was made and changed.
    pub dates: Dates,
}

/// What the end of a conversation does to its reservation (reference: taskrouter §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterTalk {
    /// What is left is the after-work.
    WrapsUp,
    /// The work is done, and the worker goes on to this.
    Completes(Option<ActivitySid>),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterEventRow {
    /// Its sid.
    pub sid: RouterEventSid,
    /// Where.
    pub workspace: WorkspaceSid,
    /// When.
    pub at: Timestamp,
    /// `task.created` …
    pub kind: String,
    /// For people.
    pub description: String,
    /// `task`, `worker` …
    pub resource_type: String,
    /// What it happened to.
    pub resource_sid: String,
    /// The task concerned.
    pub task: Option<TaskSid>,
    /// The worker concerned.
    pub worker: Option<WorkerSid>,
    /// The queue concerned.
    pub queue: Option<TaskQueueSid>,
    /// The workflow concerned.
    pub workflow: Option<WorkflowSid>,
    /// The reservation concerned.
    pub reservation: Option<ReservationSid>,
    /// What the callback says of it, by name.
    pub data: Vec<(String, String)>,
}

impl RouterRow {
    /// Its workspace.
    pub fn workspace(&self) -> WorkspaceSid {
        match self {
            RouterRow::Workspace(row) => row.sid,
            RouterRow::Activity(row) => row.workspace,
            RouterRow::Channel(row) => row.workspace,
            RouterRow::Worker(row) => row.workspace,
            RouterRow::Queue(row) => row.workspace,
            RouterRow::Workflow(row) => row.workspace,
            RouterRow::Task(row) => row.workspace,
            RouterRow::Reservation(row) => row.workspace,
        }
    }

    /// What it is kept under.
    pub fn key(&self) -> RouterKey {
        let sid = match self {
            RouterRow::Workspace(row) => row.sid.to_string(),
            RouterRow::Activity(row) => row.activity.sid.to_string(),
            RouterRow::Channel(row) => row.sid.to_string(),
            RouterRow::Worker(row) => row.worker.sid.to_string(),
            RouterRow::Queue(row) => row.queue.sid.to_string(),
            RouterRow::Workflow(row) => row.workflow.sid.to_string(),
            RouterRow::Task(row) => row.task.sid.to_string(),
            RouterRow::Reservation(row) => row.reservation.sid.to_string(),
        };
        RouterKey { workspace: self.workspace(), sid }
    }
}

impl Dates {
    pub(crate) fn new(at: Timestamp) -> Self {
        Self { created: at, updated: at, version: 0 }
    }

    pub(crate) fn touch(&mut self, at: Timestamp) {
        (self.updated, self.version) = (at, self.version + 1);
    }
}
