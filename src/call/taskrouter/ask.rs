//! What the API asks of workspaces, and what it is answered (reference: taskrouter §2–§8).

use base::{
    ActivitySid, CallSid, ReservationSid, TaskChannelSid, TaskQueueSid, TaskSid, Timestamp, TransferSid,
    WorkerChannelSid, WorkerSid, WorkflowSid, WorkspaceSid,
};
use router::{Expr, Instruction, Json, ReservationStatus, TaskOrder, TaskStatus};
use serde::{Deserialize, Serialize};

use super::listing::{QueueFilter, TaskPage, WorkerFilter};
use super::rest_statistics::{StatisticsOf, StatisticsView, StatisticsWindow};
use super::rows::{
    ActivityRow, ReservationRow, TaskChannelRow, TaskQueueRow, TaskRow, WorkerRow, WorkflowRow, WorkspaceRow,
};

/// A question or an order.
#[expect(clippy::large_enum_variant, reason = "nearly every one is the large kind, and one lives at a time")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouterAsk {
    /// All workspaces.
    Workspaces,
    /// Make one.
    CreateWorkspace(WorkspaceForm),
    /// Something of one of them.
    In(WorkspaceSid, DeskAsk),
}

/// A question or an order about one workspace. A `None` where a sid may stand means all, or a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeskAsk {
    /// Itself.
    Show,
    /// Change it.
    Update(WorkspaceForm),
    /// It goes, with everything in it.
    Delete,
    /// Activities.
    Activities(Option<ActivitySid>),
    /// Make an activity, or rename one.
    PutActivity {
        /// Which.
        sid: Option<ActivitySid>,
        /// Its name from now on.
        name: Option<String>,
        /// Whether who does it takes tasks; of a new one.
        available: bool,
    },
    /// An activity goes.
    DeleteActivity(ActivitySid),
    /// Task channels; by sid or unique name.
    Channels(Option<String>),
    /// Make a task channel.
    CreateChannel {
        /// For people.
        name: String,
        /// What tasks call it.
        unique_name: String,
        /// `ChannelOptimizedRouting`.
        optimized: bool,
    },
    /// Change a task channel.
    UpdateChannel {
        /// Its sid or unique name.
        channel: String,
        /// Its name from now on.
        name: Option<String>,
        /// `ChannelOptimizedRouting`.
        optimized: Option<bool>,
    },
    /// A task channel goes.
    DeleteChannel(String),
    /// Workers.
    Workers(Option<WorkerSid>),
    /// A page of some of them.
    WorkersWhere(Box<WorkerFilter>),
    /// Make or change a worker.
    PutWorker(Option<WorkerSid>, WorkerForm),
    /// A worker goes; only if it is of this version.
    DeleteWorker(WorkerSid, Option<u64>),
    /// What a worker can do at once.
    WorkerChannels(WorkerSid),
    /// Change that.
    UpdateWorkerChannel {
        /// Whose.
        worker: WorkerSid,
        /// Of which channel: its unique name, its sid, or the sid of the worker's share.
        channel: String,
        /// Tasks at once.
        capacity: Option<u32>,
        /// Whether it takes any.
        available: Option<bool>,
    },
    /// Task queues.
    Queues(Option<TaskQueueSid>),
    /// A page of some of them.
    QueuesWhere(Box<QueueFilter>),
    /// Make or change a task queue.
    PutQueue(Option<TaskQueueSid>, QueueForm),
    /// A task queue goes.
    DeleteQueue(TaskQueueSid),
    /// Workflows.
    Workflows(Option<WorkflowSid>),
    /// Make or change a workflow.
    PutWorkflow(Option<WorkflowSid>, WorkflowForm),
    /// A workflow goes.
    DeleteWorkflow(WorkflowSid),
    /// Tasks, the oldest first.
    Tasks(Filter),
    /// Make or change a task.
    PutTask(Option<TaskSid>, TaskForm),
    /// A task goes.
    DeleteTask(TaskSid, Option<u64>),
    /// Who has a task hands it on.
    Transfer(TransferForm),
    /// That is taken back.
    CancelTransfer {
        /// Of this task.
        task: TaskSid,
        /// Only if it is this one.
        transfer: TransferSid,
    },
    /// By which call a worker is with a task.
    WorkerCall {
        /// With which task.
        task: TaskSid,
        /// Who.
        worker: WorkerSid,
    },
    /// What is going on, and what went on.
    Statistics(StatisticsOf, StatisticsWindow),
    /// Reservations of a task or a worker, the oldest first.
    Reservations(Option<TaskSid>, Option<WorkerSid>),
    /// One reservation.
    Reservation(ReservationSid),
    /// Change a reservation.
    UpdateReservation {
        /// Which.
        sid: ReservationSid,
        /// What becomes of it.
        change: ReservationChange,
        /// Only if it is of this version.
        if_match: Option<u64>,
    },
}

/// How a task is handed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferForm {
    /// By whom: the accepted reservation.
    pub reservation: ReservationSid,
    /// To whom.
    pub to: router::Direct,
    /// Who stays meanwhile.
    pub mode: router::TransferMode,
    /// Another priority for the task.
    pub priority: Option<u32>,
    /// Other attributes for the task.
    pub attributes: Option<Json>,
}

/// What becomes of a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReservationChange {
    /// It is carried out.
    Instruct(Instruction),
    /// Its state from now on.
    Become(ReservationStatus),
}

/// Which tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// This one.
    pub sid: Option<TaskSid>,
    /// In one of these states; none: in any.
    pub statuses: Vec<TaskStatus>,
    /// Of this workflow.
    pub workflow: Option<WorkflowSid>,
    /// In this queue.
    pub queue: Option<TaskQueueSid>,
    /// Of this priority.
    pub priority: Option<u32>,
    /// Whose attributes make this true.
    pub attributes: Option<Expr>,
    /// Of workflows of this name.
    pub workflow_name: Option<String>,
    /// In queues of this name.
    pub queue_name: Option<String>,
    /// `RoutingTarget`, as text.
    pub target: Option<String>,
    /// Of those only this page; `None`: all.
    pub page: Option<TaskPage>,
}

/// A workspace, made or changed; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceForm {
    /// For people.
    pub name: Option<String>,
    /// What new workers do.
    pub default_activity: Option<ActivitySid>,
    /// What workers do who did not answer.
    pub timeout_activity: Option<ActivitySid>,
    /// Told of what happens; empty: nobody.
    pub event_callback_url: Option<String>,
    /// Of which events; empty: of all.
    pub events_filter: Option<String>,
    /// Reservations do not change what a worker does.
    pub multi_task: Option<bool>,
    /// `PrioritizeQueueOrder`.
    pub prioritize_queue_order: Option<String>,
    /// `Template=FIFO`: one queue and one workflow.
    pub fifo: bool,
}

/// A worker, made or changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerForm {
    /// For people; unique.
    pub name: Option<String>,
    /// What it does.
    pub activity: Option<ActivitySid>,
    /// What it is chosen by.
    pub attributes: Option<Json>,
    /// What is offered to it is rejected.
    pub reject_pending: bool,
    /// Only if it is of this version.
    pub if_match: Option<u64>,
}

/// A task queue, made or changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueForm {
    /// For people.
    pub name: Option<String>,
    /// Who may serve it.
    pub target_workers: Option<Expr>,
    /// To how many a task is offered at once.
    pub max_reserved: Option<u32>,
    /// Which task first.
    pub order: Option<TaskOrder>,
    /// `ReservationActivitySid`.
    pub reservation_activity: Option<ActivitySid>,
    /// `AssignmentActivitySid`.
    pub assignment_activity: Option<ActivitySid>,
}

/// A workflow, made or changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowForm {
    /// For people.
    pub name: Option<String>,
    /// Where tasks go.
    pub configuration: Option<String>,
    /// Asked about each reservation; empty: nobody.
    pub assignment_url: Option<String>,
    /// Asked when that does not answer; empty: nobody.
    pub fallback_url: Option<String>,
    /// How long a worker has to answer.
    pub reservation_timeout_s: Option<u32>,
    /// `ReEvaluateTasks`: what waits begins anew, though its way is the same.
    pub reevaluate: bool,
}

/// A task, made or changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskForm {
    /// Who decides where it goes; `None`: the only workflow.
    pub workflow: Option<WorkflowSid>,
    /// What filters choose by.
    pub attributes: Option<Json>,
    /// What kind of work: a channel's sid or unique name.
    pub channel: Option<String>,
    /// The larger, the sooner.
    pub priority: Option<u32>,
    /// How old it may become without being accepted, seconds.
    pub timeout_s: Option<u32>,
    /// When it would have been made.
    pub virtual_start: Option<Timestamp>,
    /// Its state from now on.
    pub status: Option<TaskStatus>,
    /// Why.
    pub reason: Option<String>,
    /// To whom it goes whatever its workflow says.
    pub direct: Option<router::Direct>,
    /// Only if it is of this version.
    pub if_match: Option<u64>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouterReply {
    /// Workspaces.
    Workspaces(Vec<WorkspaceView>),
    /// Activities.
    Activities(Vec<ActivityRow>),
    /// Task channels.
    Channels(Vec<TaskChannelRow>),
    /// Workers.
    Workers(Vec<WorkerView>),
    /// What a worker can do at once.
    WorkerChannels(Vec<WorkerChannelView>),
    /// Task queues, with the names of their two activities.
    Queues(Vec<(TaskQueueRow, [Option<String>; 2])>),
    /// Workflows.
    Workflows(Vec<WorkflowRow>),
    /// Tasks.
    Tasks(Vec<TaskView>),
    /// Reservations, with their workers' names.
    Reservations(Vec<(ReservationRow, String)>),
    /// A call, if there is one.
    Call(Option<CallSid>),
    /// Statistics.
    Statistics(Box<StatisticsView>),
    /// Done.
    Done,
    /// Not done.
    Fault(RouterFault),
}

/// Why something is not done: the published number and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterFault {
    /// (`error-codes`)
    pub code: u32,
    /// For whoever asked.
    pub why: String,
}

/// A workspace and what its activities are called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceView {
    /// It.
    pub row: WorkspaceRow,
    /// Of its default activity.
    pub default_name: String,
    /// Of its timeout activity.
    pub timeout_name: String,
}

/// A worker and what its activity is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerView {
    /// It.
    pub row: WorkerRow,
    /// What it does.
    pub activity_name: String,
    /// Whether who does that takes tasks.
    pub available: bool,
    /// The queues it may serve.
    pub queues: Vec<TaskQueueSid>,
}

/// What a worker can do at once on a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerChannelView {
    /// Its sid.
    pub sid: WorkerChannelSid,
    /// Whose.
    pub worker: WorkerSid,
    /// The channel.
    pub channel: TaskChannelSid,
    /// What tasks call it.
    pub unique_name: String,
    /// How much.
    pub share: router::WorkerChannel,
    /// When the worker was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// A task and what things are called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskView {
    /// It.
    pub row: TaskRow,
    /// Of its workflow.
    pub workflow_name: String,
    /// Of its queue.
    pub queue_name: Option<String>,
    /// Its channel.
    pub channel: Option<TaskChannelSid>,
    /// How old it is, seconds.
    pub age_s: u64,
}

impl RouterFault {
    pub(crate) fn new(code: u32, why: impl Into<String>) -> Self {
        Self { code, why: why.into() }
    }

    pub(crate) fn unknown(what: &str) -> Self {
        Self::new(20404, format!("there is no such {what}"))
    }
}

impl From<router::RouterError> for RouterFault {
    fn from(error: router::RouterError) -> Self {
        let code = match error {
            router::RouterError::Unknown(_) => 20404,
            router::RouterError::WrongState(_) | router::RouterError::TooMany(_) => 20001,
        };
        Self::new(code, error.to_string())
    }
}
