//! TaskRouter without IO: which worker gets which task, and why (reference: taskrouter).
//!
//! A [`Workspace`] is told what its owner wants and what time it is, and tells what happened and what is to be asked of the
//! application. The same inputs give the same decisions, to the last reservation.

mod as_list;
mod assign;
mod attributes;
mod choose;
pub mod clock;
mod conference_out;
mod event;
pub mod expr;
mod feed;
mod gone;
#[cfg(test)]
mod history;
mod idle;
mod input;
mod instruction;
mod life;
mod line;
mod manage;
mod moment;
mod names;
#[cfg(test)]
mod office;
mod queue;
#[cfg(test)]
mod reference;
mod replay;
mod restore;
mod serving;
mod shared;
mod single;
pub mod statistics;
mod task;
mod transfer;
mod worker;
mod workflow;
mod workspace;
mod written;

pub use attributes::{ATTRIBUTES_CHARS_MAX, Attributes, read_attributes, with_attribute};
pub use conference_out::{ConferenceOut, Told};
pub use event::{Event, KnownWorkerFault, Obstacle, Output, TransferStep, Why};
pub use expr::{Expr, ExprError};
pub use input::Input;
pub use instruction::{CallOut, Dequeue, Instruction, InstructionError, Supervise, SupervisorMode};
pub use life::{NewTask, TaskChange};
pub use manage::ACTIVITIES_MAX;
pub use moment::{Moment, TaskMoment};
pub use names::{TaskAndWorker, WorkerCounts, WorkerNames};
pub use queue::{QueueConfig, TaskOrder};
pub use replay::{Difference, Entry, Replay, Replayed};
pub use serde_json::Value as Json;
pub use statistics::Past;
pub use task::{Place, Reservation, ReservationStatus, Task, TaskStatus};
pub use transfer::{Direct, NewTransfer, Transfer, TransferMode, TransferStatus};
pub use worker::{Activity, Worker, WorkerChannel};
pub use workflow::{CONFIGURATION_BYTES_MAX, Filter, KnownWorker, OrderBy, Target, Workflow, WorkflowError};
pub use workspace::{
    CHANNELS_MAX, QUEUES_MAX, RouterError, TASKS_MAX, WORKERS_MAX, WORKFLOWS_MAX, WorkflowConfig, Workspace,
};
pub use written::{Leaf, Page, Snapshot, Written};
