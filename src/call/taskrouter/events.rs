//! What is told of what happens in a workspace (reference: taskrouter §9).

use base::{
    ActivitySid, Mono, ReservationSid, RouterEventSid, TaskQueueSid, TaskSid, WorkerSid, WorkflowSid,
};
use router::clock::wall;
use router::{Event, Moment, ReservationStatus, TaskMoment, TaskStatus, TransferStep};

use super::desk::{Desk, Duty};
use super::rows::{RouterEventRow, RouterItem};

/// Whom an event concerns, and what more is said of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    pub(crate) task: Option<TaskSid>,
    pub(crate) worker: Option<WorkerSid>,
    pub(crate) queue: Option<TaskQueueSid>,
    pub(crate) workflow: Option<WorkflowSid>,
    pub(crate) reservation: Option<ReservationSid>,
    pub(crate) more: Vec<(&'static str, String)>,
    /// How they stood then; where nothing is said, as they stand now.
    pub(crate) moment: Moment,
}

impl Desk {
    pub(super) fn tell_event(&mut self, event: &Event, moment: Moment, at: Mono) {
        let task = |sid: TaskSid| About { task: Some(sid), ..About::default() };
        let (kind, text, about) = match event {
            Event::TaskCreated(sid) => ("task.created", format!("Task {sid} created"), task(*sid)),
            Event::TaskUpdated(sid) => ("task.updated", format!("Task {sid} updated"), task(*sid)),
            Event::TaskCanceled { task: sid, reason } => {
                let more = vec![("TaskCanceledReason", reason.clone())];
                ("task.canceled", format!("Task {sid} canceled: {reason}"), About { more, ..task(*sid) })
            }
            Event::TaskWrapup(sid) => ("task.wrapup", format!("Task {sid} is wrapping up"), task(*sid)),
            Event::TaskCompleted(sid) => {
                let done = self.core.told_task(*sid);
                let reason = done.and_then(|task| task.reason.clone()).unwrap_or_default();
                let worker = self
                    .core
                    .accepted_of(*sid)
                    .or_else(|| self.core.reservations_of(*sid).last().map(|reservation| reservation.sid));
                let worker = worker.and_then(|sid| self.core.told_reservation(sid)).map(|one| one.worker);
                let more = vec![("TaskCompletedReason", reason)];
                ("task.completed", format!("Task {sid} completed"), About { more, worker, ..task(*sid) })
            }
            Event::TaskDeleted { task: sid, .. } => {
                let about = About { more: self.ended(*sid), ..task(*sid) };
                ("task.deleted", format!("Task {sid} deleted"), about)
            }
            Event::TaskSystemDeleted { task: sid, .. } => {
                let about = About { more: self.ended(*sid), ..task(*sid) };
                ("task.system-deleted", format!("Task {sid} deleted by the system"), about)
            }
            Event::WorkflowTargetMatched { task: sid, filter } => {
                let more = self.filter_matched(*sid, *filter);
                let text = format!("Task {sid} matched a workflow target");
                ("workflow.target-matched", text, About { more, ..task(*sid) })
            }
            Event::WorkflowEntered { task: sid, .. } => {
                ("workflow.entered", format!("Task {sid} entered its workflow"), task(*sid))
            }
            Event::WorkflowTimeout(sid) => {
                ("workflow.timeout", format!("Task {sid} timed out of its workflow"), task(*sid))
            }
            Event::WorkflowSkipped(sid) => {
                ("workflow.skipped", format!("Task {sid} skipped a workflow target"), task(*sid))
            }
            Event::QueueEntered { task: sid, queue } => {
                let name = self.core.queue(*queue).map(|queue| queue.name.clone()).unwrap_or_default();
                let about = About { queue: Some(*queue), ..task(*sid) };
                ("task-queue.entered", format!("Task {sid} entered TaskQueue {name}"), about)
            }
            Event::QueueTimeout { task: sid, queue } => {
                let about = About { queue: Some(*queue), ..task(*sid) };
                ("task-queue.timeout", format!("Task {sid} timed out in a TaskQueue"), about)
            }
            Event::QueueMoved { task: sid, to, .. } => {
                let about = About { queue: Some(*to), ..task(*sid) };
                ("task-queue.moved", format!("Task {sid} moved to another TaskQueue"), about)
            }
            Event::ReservationCreated { reservation, .. } => {
                let about = self.about_reservation(*reservation);
                ("reservation.created", format!("Reservation {reservation} created"), about)
            }
            Event::ReservationBecame { reservation, status } => {
                let (kind, word) = match status {
                    ReservationStatus::Pending => ("reservation.created", "created"),
                    ReservationStatus::Accepted => ("reservation.accepted", "accepted"),
                    ReservationStatus::Rejected => ("reservation.rejected", "rejected"),
                    ReservationStatus::Timeout => ("reservation.timeout", "timed out"),
                    ReservationStatus::Canceled => ("reservation.canceled", "canceled"),
                    ReservationStatus::Rescinded => ("reservation.rescinded", "rescinded"),
                    ReservationStatus::Wrapping => ("reservation.wrapup", "is wrapping up"),
                    ReservationStatus::Completed => ("reservation.completed", "completed"),
                };
                (kind, format!("Reservation {reservation} {word}"), self.about_reservation(*reservation))
            }
            Event::TaskTransfer { task: sid, transfer, step } => {
                let kind = match step {
                    TransferStep::Initiated => "task.transfer-initiated",
                    TransferStep::AttemptFailed => "task.transfer-attempt-failed",
                    TransferStep::Failed => "task.transfer-failed",
                    TransferStep::Canceled => "task.transfer-canceled",
                    TransferStep::Completed => "task.transfer-completed",
                };
                let more = vec![("TransferSid", transfer.to_string())];
                (kind, format!("Task {sid}: {kind}"), About { more, ..task(*sid) })
            }
            Event::WorkerActivity { worker, from, to, before } => {
                let name = |sid| self.core.activity(sid).map(|one| one.name.clone()).unwrap_or_default();
                let who = self.core.worker(*worker).map(|worker| worker.name.clone()).unwrap_or_default();
                let more = vec![
                    ("WorkerPreviousActivitySid", from.to_string()),
                    ("WorkerPreviousActivityName", name(*from)),
                    ("WorkerTimeInPreviousActivity", before.as_secs().to_string()),
                    ("WorkerTimeInPreviousActivityMs", before.as_millis().to_string()),
                ];
                let text = format!("Worker {who} updated to {} Activity", name(*to));
                ("worker.activity.update", text, About { worker: Some(*worker), more, ..About::default() })
            }
        };
        self.tell(kind, text, About { moment, ..about }, at);
    }

    /// How a task ended that is forgotten now.
    fn ended(&self, task: TaskSid) -> Vec<(&'static str, String)> {
        let task = self.core.told_task(task);
        let reason = task.and_then(|task| Some((task.status, task.reason.clone()?)));
        match reason {
            Some((TaskStatus::Canceled, reason)) => vec![("TaskCanceledReason", reason)],
            Some((TaskStatus::Completed, reason)) => vec![("TaskCompletedReason", reason)],
            Some(_) | None => Vec::new(),
        }
    }

    fn filter_matched(&self, task: TaskSid, filter: Option<usize>) -> Vec<(&'static str, String)> {
        let workflow = self.core.told_task(task).and_then(|task| self.core.workflow(task.workflow));
        let filter = workflow.zip(filter).and_then(|(flow, n)| flow.configuration.filters.get(n));
        match filter {
            Some(filter) => vec![
                ("WorkflowFilterName", filter.name.clone().unwrap_or_default()),
                (
                    "WorkflowFilterExpression",
                    router::Json::from(vec![filter.expression.as_str()]).to_string(),
                ),
            ],
            None => vec![("WorkflowFilterName", "Default Filter".to_owned())],
        }
    }

    fn about_reservation(&self, sid: ReservationSid) -> About {
        let reservation = self.core.told_reservation(sid);
        About {
            task: reservation.map(|one| one.task),
            worker: reservation.map(|one| one.worker),
            reservation: Some(sid),
            ..About::default()
        }
    }

    /// What was to become of an offer could not be carried out; how it ends is told after that.
    pub(super) fn reservation_failed(&mut self, sid: ReservationSid, why: &str, at: Mono) {
        let about = self.about_reservation(sid);
        self.tell("reservation.failed", format!("Reservation {sid} failed: {why}"), about, at);
    }

    /// Keeps an event and tells it to whom it concerns.
    pub(crate) fn tell(&mut self, kind: &str, description: String, mut about: About, at: Mono) {
        let mut data: Vec<(&str, String)> = Vec::new();
        if let Some(task) = about.task {
            data.push(("TaskSid", task.to_string()));
            if let Some(task) = self.core.told_task(task) {
                let now = TaskMoment { status: task.status, priority: task.priority, queue: task.queue };
                let then = about.moment.task.unwrap_or(now);
                about.queue = about.queue.or(then.queue);
                about.workflow = about.workflow.or(Some(task.workflow));
                data.extend(self.task_set(task, then, at));
            }
        }
        if let Some(worker) = about.worker {
            data.push(("WorkerSid", worker.to_string()));
            data.extend(self.worker_set(worker, about.moment.activity));
        }
        if let Some(sid) = about.queue {
            data.push(("TaskQueueSid", sid.to_string()));
            if let Some(queue) = self.core.queue(sid) {
                data.push(("TaskQueueName", queue.name.clone()));
                data.push(("TaskQueueTargetExpression", queue.target_workers.as_str().to_owned()));
            }
        }
        if let Some(sid) = about.workflow {
            data.push(("WorkflowSid", sid.to_string()));
            if let Some(workflow) = self.core.workflow(sid) {
                data.push(("WorkflowName", workflow.name.clone()));
            }
        }
        data.extend(about.reservation.map(|sid| ("ReservationSid", sid.to_string())));
        let (resource_type, resource_sid) = resource(kind, &about, self.row.sid.to_string());
        data.append(&mut about.more);
        let sid = RouterEventSid::random(&mut self.rng);
        let stamp = wall(at);
        let common = [
            ("EventType", kind.to_owned()),
            ("EventDescription", description.clone()),
            ("WorkspaceSid", self.row.sid.to_string()),
            ("WorkspaceName", self.row.name.clone()),
            ("ResourceType", resource_type.to_owned()),
            ("ResourceSid", resource_sid.clone()),
            ("Timestamp", (stamp.0 / 1_000_000).to_string()),
            ("TimestampMs", (stamp.0 / 1_000).to_string()),
            ("Sid", sid.to_string()),
        ];
        data.splice(0..0, common);
        let row = RouterEventRow {
            sid,
            workspace: self.row.sid,
            at: stamp,
            kind: kind.to_owned(),
            description,
            resource_type: resource_type.to_owned(),
            resource_sid,
            task: about.task,
            worker: about.worker,
            queue: about.queue,
            workflow: about.workflow,
            reservation: about.reservation,
            data: data.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        };
        self.duties.push_back(Duty::Store(RouterItem::Event(Box::new(row.clone()))));
        if self.row.event_callback_url.is_some() && self.is_wanted(kind) {
            self.duties.push_back(Duty::Tell(Box::new(row)));
        }
    }

    fn is_wanted(&self, kind: &str) -> bool {
        match self.row.events_filter.as_deref().map(str::trim) {
            None | Some("") => true,
            Some(filter) => filter.split(',').any(|wanted| wanted.trim() == kind),
        }
    }

    fn task_set(&self, task: &router::Task, then: TaskMoment, at: Mono) -> Vec<(&'static str, String)> {
        let channel = self.channel(&task.channel);
        vec![
            ("TaskAttributes", task.attributes.to_string()),
            ("TaskAge", task.age(at).as_secs().to_string()),
            ("TaskPriority", then.priority.to_string()),
            ("TaskAssignmentStatus", status_word(then.status).to_owned()),
            ("TaskChannelSid", channel.map(|channel| channel.sid.to_string()).unwrap_or_default()),
            ("TaskChannelUniqueName", task.channel.clone()),
            ("TaskChannelName", channel.map(|channel| channel.name.clone()).unwrap_or_default()),
        ]
    }

    pub(super) fn worker_set(
        &self,
        sid: WorkerSid,
        then: Option<ActivitySid>,
    ) -> Vec<(&'static str, String)> {
        let Some(worker) = self.core.worker(sid) else { return Vec::new() };
        let does = then.unwrap_or(worker.activity);
        let activity = self.core.activity(does).map(|one| one.name.clone());
        vec![
            ("WorkerName", worker.name.clone()),
            ("WorkerAttributes", worker.attributes.to_string()),
            ("WorkerActivitySid", does.to_string()),
            ("WorkerActivityName", activity.unwrap_or_default()),
            ("WorkerVersion", self.workers.get(&sid).map_or(0, |dates| dates.version).to_string()),
        ]
    }
}

/// What an event happened to: entering a workflow or a queue happens to the task.
fn resource(kind: &str, about: &About, workspace: String) -> (&'static str, String) {
    let task = || ("task", about.task.map(|sid| sid.to_string()).unwrap_or_default());
    let text = |sid: Option<String>| sid.unwrap_or_default();
    match kind.split('.').next().unwrap_or_default() {
        "task" => task(),
        "reservation" => ("reservation", text(about.reservation.map(|sid| sid.to_string()))),
        "worker" => ("worker", text(about.worker.map(|sid| sid.to_string()))),
        "workflow" | "task-queue" if about.task.is_some() => task(),
        "workflow" => ("workflow", text(about.workflow.map(|sid| sid.to_string()))),
        "task-queue" => ("task-queue", text(about.queue.map(|sid| sid.to_string()))),
        "activity" => ("activity", more(about, "ActivitySid")),
        "task-channel" => ("task-channel", more(about, "TaskChannelSid")),
        _ => ("workspace", workspace),
    }
}

fn more(about: &About, name: &str) -> String {
    about.more.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

/// `assignment_status`.
pub fn status_word(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Pending => "pending",
        TaskStatus::Reserved => "reserved",
        TaskStatus::Assigned => "assigned",
        TaskStatus::Wrapping => "wrapping",
        TaskStatus::Completed => "completed",
        TaskStatus::Canceled => "canceled",
    }
}
