//! How those whom an event concerns stand while it happens: what is told later is told as it was.

use base::{ActivitySid, TaskQueueSid, TaskSid, WorkerSid};
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::task::TaskStatus;
use crate::workspace::Workspace;

/// The states an event tells of; attributes change by nobody but their owner and are not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The task's.
    pub task: Option<TaskMoment>,
    /// What the worker did.
    pub activity: Option<ActivitySid>,
}

/// A task at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskMoment {
    /// Its state.
    pub status: TaskStatus,
    /// Its priority.
    pub priority: u32,
    /// Its queue.
    pub queue: Option<TaskQueueSid>,
}

impl Workspace {
    /// Whom an event concerns, as they are now.
    pub(crate) fn moment(&self, event: &Event) -> Moment {
        let (task, worker) = self.concerned(event);
        let task = task.and_then(|sid| self.tasks.get(&sid));
        let (status, priority, queue) = match task {
            Some(task) => (task.status, task.priority, task.queue),
            None => return Moment { task: None, activity: self.activity_of(worker) },
        };
        Moment { task: Some(TaskMoment { status, priority, queue }), activity: self.activity_of(worker) }
    }

    fn activity_of(&self, worker: Option<WorkerSid>) -> Option<ActivitySid> {
        Some(self.workers.get(&worker?)?.activity)
    }

    fn concerned(&self, event: &Event) -> (Option<TaskSid>, Option<WorkerSid>) {
        match event {
            Event::TaskCreated(task)
            | Event::TaskUpdated(task)
            | Event::TaskWrapup(task)
            | Event::WorkflowTimeout(task)
            | Event::WorkflowSkipped(task)
            | Event::TaskCanceled { task, .. }
            | Event::TaskDeleted { task, .. }
            | Event::TaskSystemDeleted { task, .. }
            | Event::WorkflowTargetMatched { task, .. }
            | Event::WorkflowEntered { task, .. }
            | Event::QueueEntered { task, .. }
            | Event::QueueTimeout { task, .. }
            | Event::QueueMoved { task, .. }
            | Event::TaskTransfer { task, .. } => (Some(*task), None),
            // Whoever did it is told of with it.
            Event::TaskCompleted(task) => {
                let serving = self.tasks.get(task).and_then(|task| self.reservations.get(&task.serving?));
                (Some(*task), serving.map(|one| one.worker))
            }
            Event::ReservationCreated { reservation, .. } | Event::ReservationBecame { reservation, .. } => {
                let one = self.reservations.get(reservation);
                (one.map(|one| one.task), one.map(|one| one.worker))
            }
            Event::WorkerActivity { worker, .. } => (None, Some(*worker)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::event::{Event, Output};
    use crate::office::{AVAILABLE, ONE_QUEUE, Office};
    use crate::task::{ReservationStatus, TaskStatus};

    /// A task that is taken at once was pending when it came.
    #[test]
    fn each_event_tells_of_its_own_moment() {
        let mut office = Office::new(ONE_QUEUE);
        office.worker(1, json!({}), AVAILABLE);
        office.task(1, json!({}));
        office.accept(1);
        office.all.wrap_up(base::TaskSid(1), office.mono()).unwrap();
        let mut told = Vec::new();
        while let Some(output) = office.all.poll_output() {
            let Output::Event { event, moment, .. } = output else { continue };
            if let Some(task) = moment.task {
                let is_reservation = matches!(event, Event::ReservationCreated { .. })
                    || matches!(event, Event::ReservationBecame { status, .. } if status != ReservationStatus::Pending);
                assert_eq!(moment.activity.is_some(), is_reservation, "{event:?}");
                told.push((task.status, task.queue.is_some()));
            }
        }
        use TaskStatus::{Assigned, Pending, Reserved, Wrapping};
        assert_eq!(
            told,
            [
                (Pending, false),
                (Pending, false),
                (Pending, true),
                (Pending, true),
                (Reserved, true),
                (Assigned, true),
                (Wrapping, true),
                (Wrapping, true),
            ]
        );
    }
}
