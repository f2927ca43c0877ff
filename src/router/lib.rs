//! TaskRouter without IO: which worker gets which task, and why (reference: taskrouter).

pub mod expr;
mod names;
mod workflow;

pub use expr::{Expr, ExprError};
pub use names::{TaskAndWorker, WorkerCounts, WorkerNames};
pub use workflow::{CONFIGURATION_BYTES_MAX, Filter, KnownWorker, OrderBy, Target, Workflow, WorkflowError};
