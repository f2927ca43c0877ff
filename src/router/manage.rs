//! What an owner changes about a workspace besides its tasks, and what may go (reference: taskrouter §3–§6).

use base::{ActivitySid, Mono, ReservationSid, TaskQueueSid, TaskSid, WorkerSid, WorkflowSid};

use crate::queue::QueueConfig;
use crate::task::{Reservation, Task};
use crate::worker::{Activity, Worker};
use crate::workspace::{RouterError, WorkflowConfig, Workspace};

/// Activities of a workspace.
pub const ACTIVITIES_MAX: usize = 1_000;

impl Workspace {
    /// Adds an activity, or gives one another name: whether it takes tasks never changes.
    pub fn put_activity(&mut self, activity: Activity) -> Result<(), RouterError> {
        let is_full = self.activities.len() >= ACTIVITIES_MAX;
        match self.activities.get_mut(&activity.sid) {
            Some(known) => {
                known.name = activity.name;
                // A target may read it.
                self.rejoin_all();
            }
            None if is_full => {
                return Err(RouterError::TooMany("activities"));
            }
            None => {
                self.activities.insert(activity.sid, activity);
            }
        }
        Ok(())
    }

    /// An activity goes that nobody does and that is not where workers are put.
    pub fn remove_activity(&mut self, sid: ActivitySid) -> Result<(), RouterError> {
        if !self.activities.contains_key(&sid) {
            return Err(RouterError::Unknown("activity"));
        }
        let is_done =
            self.workers.values().any(|worker| worker.activity == sid || worker.before == Some(sid));
        let is_named = |(a, b): &(Option<ActivitySid>, Option<ActivitySid>)| [*a, *b].contains(&Some(sid));
        if is_done || sid == self.timeout_activity || self.duties.values().any(is_named) {
            return Err(RouterError::WrongState("activity"));
        }
        self.activities.remove(&sid);
        Ok(())
    }

    /// Where workers are put who do not answer.
    pub fn set_timeout_activity(&mut self, sid: ActivitySid) -> Result<(), RouterError> {
        if !self.activities.contains_key(&sid) {
            return Err(RouterError::Unknown("activity"));
        }
        self.timeout_activity = sid;
        Ok(())
    }

    /// Another name for a worker: a task may know it by its name.
    pub fn rename_worker(&mut self, sid: WorkerSid, name: &str, now: Mono) -> Result<(), RouterError> {
        self.leave_idle(sid);
        let worker = self.workers.get_mut(&sid).ok_or(RouterError::Unknown("worker"))?;
        let before = std::mem::replace(&mut worker.name, name.to_owned());
        self.unname(sid, &before);
        self.by_name.entry(name.to_owned()).or_default().insert(sid);
        self.join_idle(sid);
        self.feed(sid, now);
        Ok(())
    }

    /// A worker goes who takes no tasks and has none.
    pub fn remove_worker(&mut self, sid: WorkerSid) -> Result<(), RouterError> {
        let worker = self.workers.get(&sid).ok_or(RouterError::Unknown("worker"))?;
        if self.activities[&worker.activity].available || !worker.reservations.is_empty() {
            return Err(RouterError::WrongState("worker"));
        }
        let (activity, name) = (worker.activity, worker.name.clone());
        for queue in self.serves.remove(&sid).unwrap_or_default() {
            if let Some(queue) = self.queues.get_mut(&queue) {
                queue.eligible.remove(&sid);
                queue.count(activity, false);
            }
        }
        self.looked.remove(&sid);
        self.unname(sid, &name);
        self.workers.remove(&sid);
        Ok(())
    }

    fn unname(&mut self, sid: WorkerSid, name: &str) {
        if let Some(named) = self.by_name.get_mut(name) {
            named.remove(&sid);
            if named.is_empty() {
                self.by_name.remove(name);
            }
        }
    }

    /// A queue goes that no workflow names and no task is in.
    pub fn remove_queue(&mut self, sid: TaskQueueSid) -> Result<(), RouterError> {
        if !self.queues.contains_key(&sid) {
            return Err(RouterError::Unknown("queue"));
        }
        let named = self.workflows.values().any(|flow| flow.configuration.queues().any(|named| named == sid));
        if named || self.tasks.values().any(|task| task.queue == Some(sid) && !task.status.is_over()) {
            return Err(RouterError::WrongState("queue"));
        }
        self.queues.remove(&sid);
        self.duties.remove(&sid);
        self.serves.values_mut().for_each(|serves| {
            serves.remove(&sid);
        });
        Ok(())
    }

    /// A workflow goes that no task is in.
    pub fn remove_workflow(&mut self, sid: WorkflowSid) -> Result<(), RouterError> {
        if !self.workflows.contains_key(&sid) {
            return Err(RouterError::Unknown("workflow"));
        }
        if self.tasks.values().any(|task| task.workflow == sid && !task.status.is_over()) {
            return Err(RouterError::WrongState("workflow"));
        }
        let queues: Vec<TaskQueueSid> =
            self.workflows.remove(&sid).iter().flat_map(|flow| flow.configuration.queues()).collect();
        self.read_targets(queues);
        Ok(())
    }

    /// All activities, by sid.
    pub fn activities(&self) -> impl Iterator<Item = &Activity> {
        self.activities.values()
    }

    /// An activity.
    pub fn activity(&self, sid: ActivitySid) -> Option<&Activity> {
        self.activities.get(&sid)
    }

    /// Where workers are put who do not answer.
    pub fn timeout_activity(&self) -> ActivitySid {
        self.timeout_activity
    }

    /// All workers, by sid.
    pub fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.workers.values()
    }

    /// All queues, by sid.
    pub fn queues(&self) -> impl Iterator<Item = &QueueConfig> {
        self.queues.values().map(|queue| &queue.config)
    }

    /// A queue.
    pub fn queue(&self, sid: TaskQueueSid) -> Option<&QueueConfig> {
        self.queues.get(&sid).map(|queue| &queue.config)
    }

    /// Who may serve a queue, whatever they are doing.
    pub fn eligible(&self, sid: TaskQueueSid) -> impl Iterator<Item = &Worker> {
        let eligible = self.queues.get(&sid).into_iter().flat_map(|queue| &queue.eligible);
        eligible.filter_map(|sid| self.workers.get(sid))
    }

    /// The queues a worker may serve, whatever it is doing.
    pub fn serves(&self, sid: WorkerSid) -> impl Iterator<Item = TaskQueueSid> {
        self.serves.get(&sid).into_iter().flatten().copied()
    }

    /// All workflows, by sid.
    pub fn workflows(&self) -> impl Iterator<Item = &WorkflowConfig> {
        self.workflows.values()
    }

    /// A workflow.
    pub fn workflow(&self, sid: WorkflowSid) -> Option<&WorkflowConfig> {
        self.workflows.get(&sid)
    }

    /// All tasks that are not forgotten, by sid.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

    /// The reservations of a task, the first first.
    pub fn reservations_of(&self, task: TaskSid) -> impl Iterator<Item = &Reservation> {
        let all = self.tasks.get(&task).into_iter().flat_map(|task| &task.history);
        all.filter_map(|sid| self.reservations.get(sid))
    }

    /// All reservations of tasks that are not forgotten, by sid.
    pub fn reservations(&self) -> impl Iterator<Item = &Reservation> {
        self.reservations.values()
    }

    /// The reservation by which a task is assigned.
    pub fn accepted_of(&self, task: TaskSid) -> Option<ReservationSid> {
        self.tasks.get(&task)?.serving
    }
}
