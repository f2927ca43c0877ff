//! Everything a workspace can be told, as plain data: what is written down can be told again.

use base::{ActivitySid, Mono, ReservationSid, TaskQueueSid, TaskSid, WorkerSid, WorkflowSid};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::life::{NewTask, TaskChange};
use crate::queue::{QueueConfig, TaskOrder};
use crate::statistics::Past;
use crate::transfer::{Direct, NewTransfer};
use crate::worker::Activity;
use crate::workspace::{RouterError, WorkflowConfig, Workspace};

/// What a workspace is told. Each is the method of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is documented where the workspace does it")]
pub enum Input {
    Timeout,
    PutQueue(QueueConfig),
    SetQueueActivities {
        queue: TaskQueueSid,
        reservation: Option<ActivitySid>,
        assignment: Option<ActivitySid>,
    },
    SetMultiTask(bool),
    SetQueueOrder(TaskOrder),
    SetOptimized {
        channel: String,
        optimized: bool,
    },
    RemoveQueue(TaskQueueSid),
    PutWorkflow(Box<WorkflowConfig>),
    RemoveWorkflow(WorkflowSid),
    Reevaluate(WorkflowSid),
    PutActivity(Activity),
    RemoveActivity(ActivitySid),
    SetTimeoutActivity(ActivitySid),
    AddWorker {
        worker: WorkerSid,
        name: String,
        attributes: Value,
        activity: ActivitySid,
    },
    RenameWorker {
        worker: WorkerSid,
        name: String,
    },
    RemoveWorker(WorkerSid),
    SetActivity {
        worker: WorkerSid,
        activity: ActivitySid,
    },
    Leave {
        worker: WorkerSid,
        activity: ActivitySid,
    },
    SetAttributes {
        worker: WorkerSid,
        attributes: Value,
    },
    SetCapacity {
        worker: WorkerSid,
        channel: String,
        capacity: u32,
        available: bool,
    },
    CreateTask(NewTask),
    CreateTaskFor {
        task: NewTask,
        direct: Direct,
    },
    UpdateTask {
        task: TaskSid,
        attributes: Option<Value>,
        priority: Option<u32>,
    },
    DeleteTask(TaskSid),
    ChangeTask {
        task: TaskSid,
        change: TaskChange,
    },
    Accept(ReservationSid),
    Reject {
        reservation: ReservationSid,
        activity: Option<ActivitySid>,
    },
    Withdraw(ReservationSid),
    WrapUp(TaskSid),
    WrapUpReservation(ReservationSid),
    Complete {
        task: TaskSid,
        reason: String,
    },
    CompleteReservation {
        reservation: ReservationSid,
        reason: String,
    },
    Cancel {
        task: TaskSid,
        reason: String,
    },
    Transfer(NewTransfer),
    CancelTransfer(TaskSid),
    Remember(Box<Past>),
}

impl Workspace {
    /// Does what it is told.
    pub fn handle(&mut self, input: Input, now: Mono) -> Result<(), RouterError> {
        match input {
            Input::Remember(past) => {
                self.remember(&past, now);
                Ok(())
            }
            Input::Timeout => {
                self.handle_timeout(now);
                Ok(())
            }
            Input::PutQueue(config) => self.put_queue(config, now),
            Input::SetQueueActivities { queue, reservation, assignment } => {
                self.set_queue_activities(queue, reservation, assignment)
            }
            Input::SetMultiTask(multi_task) => {
                self.set_multi_task(multi_task, now);
                Ok(())
            }
            Input::SetQueueOrder(order) => {
                self.set_queue_order(order);
                Ok(())
            }
            Input::RemoveQueue(queue) => self.remove_queue(queue),
            Input::SetOptimized { channel, optimized } => {
                self.set_optimized(&channel, optimized);
                Ok(())
            }
            Input::PutWorkflow(config) => self.put_workflow(*config),
            Input::RemoveWorkflow(workflow) => self.remove_workflow(workflow),
            Input::Reevaluate(workflow) => {
                self.reevaluate(workflow, now);
                Ok(())
            }
            Input::PutActivity(activity) => self.put_activity(activity),
            Input::RemoveActivity(activity) => self.remove_activity(activity),
            Input::SetTimeoutActivity(activity) => self.set_timeout_activity(activity),
            Input::AddWorker { worker, name, attributes, activity } => {
                self.add_worker(worker, &name, attributes, activity, now)
            }
            Input::RenameWorker { worker, name } => self.rename_worker(worker, &name, now),
            Input::RemoveWorker(worker) => self.remove_worker(worker),
            Input::SetActivity { worker, activity } => self.set_activity(worker, activity, now),
            Input::Leave { worker, activity } => self.leave(worker, activity, now),
            Input::SetAttributes { worker, attributes } => self.set_attributes(worker, attributes, now),
            Input::SetCapacity { worker, channel, capacity, available } => {
                self.set_capacity(worker, &channel, capacity, available, now)
            }
            Input::CreateTask(task) => self.create_task(task, now),
            Input::CreateTaskFor { task, direct } => self.create_task_for(task, direct, now),
            Input::UpdateTask { task, attributes, priority } => {
                self.update_task(task, attributes, priority, now)
            }
            Input::DeleteTask(task) => self.delete_task(task, now),
            Input::ChangeTask { task, change } => self.change_task(task, change, now),
            Input::Accept(reservation) => self.accept(reservation, now),
            Input::Reject { reservation, activity } => self.reject(reservation, activity, now),
            Input::Withdraw(reservation) => self.withdraw(reservation, now),
            Input::WrapUp(task) => self.wrap_up(task, now),
            Input::WrapUpReservation(reservation) => self.wrap_up_reservation(reservation, now),
            Input::Complete { task, reason } => self.complete(task, &reason, now),
            Input::CompleteReservation { reservation, reason } => {
                self.complete_reservation(reservation, &reason, now)
            }
            Input::Cancel { task, reason } => self.cancel(task, &reason, now),
            Input::Transfer(new) => self.transfer(new, now),
            Input::CancelTransfer(task) => self.cancel_transfer(task, now),
        }
    }
}
