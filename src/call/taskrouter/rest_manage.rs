//! Activities, task channels, queues and workflows as the API makes, changes and removes them (reference: taskrouter
//! §3, §5, §6).

use std::time::Duration;

use base::{ActivitySid, Mono, TaskChannelSid, TaskQueueSid, WorkflowSid};
use router::clock::wall;
use router::{Activity, Expr, QueueConfig, TaskOrder, Workflow, WorkflowConfig};

use super::ask::{QueueForm, RouterFault, RouterReply, WorkflowForm};
use super::desk::Desk;
use super::events::About;
use super::rest::{Done, check_name, is_asked};
use super::rows::{
    ActivityRow, Dates, QueueActivities, RouterRow, TaskChannelRow, TaskQueueRow, WorkflowRow,
};

/// How long a worker has to answer unless a workflow says otherwise, seconds (reference: taskrouter §1).
const RESERVATION_TIMEOUT_S: u32 = 120;

/// Channels that do not go.
const BUILT_IN: [&str; 5] = ["default", "voice", "chat", "sms", "video"];

/// A queue and what its two activities are called.
pub(super) type NamedQueue = (TaskQueueRow, [Option<String>; 2]);

impl Desk {
    pub(super) fn list_activities(&self, sid: Option<ActivitySid>) -> Vec<ActivityRow> {
        let all = self.activities.keys().filter(|one| is_asked(sid, **one));
        all.filter_map(|sid| self.activity_row(*sid)).collect()
    }

    pub(super) fn put_activity(
        &mut self,
        sid: Option<ActivitySid>,
        name: Option<String>,
        available: bool,
        at: Mono,
    ) -> Done {
        let known = match sid {
            Some(sid) => {
                Some(self.core.activity(sid).ok_or_else(|| RouterFault::unknown("activity"))?.clone())
            }
            None => None,
        };
        let name = name.or_else(|| known.as_ref().map(|known| known.name.clone()));
        let name = name.ok_or_else(|| RouterFault::new(20001, "FriendlyName is missing"))?;
        check_name(&name)?;
        let (kind, word) = match &known {
            Some(_) => ("activity.updated", "updated"),
            None => ("activity.created", "created"),
        };
        let activity = Activity {
            sid: sid.unwrap_or_else(|| ActivitySid::random(&mut self.rng)),
            name,
            available: known.map_or(available, |known| known.available),
        };
        let sid = activity.sid;
        self.core.put_activity(activity)?;
        let stamp = wall(at);
        self.activities.entry(sid).or_insert((stamp, stamp)).1 = stamp;
        let row = self.activity_row(sid).ok_or_else(|| RouterFault::unknown("activity"))?;
        self.put(RouterRow::Activity(row.clone()));
        self.tell(kind, format!("Activity {} {word}", row.activity.name), about_activity(&row.activity), at);
        Ok(RouterReply::Activities(vec![row]))
    }

    pub(super) fn delete_activity(&mut self, sid: ActivitySid, at: Mono) -> Done {
        let activity = self.core.activity(sid).ok_or_else(|| RouterFault::unknown("activity"))?.clone();
        if sid == self.row.default_activity {
            return Err(RouterFault::new(20001, "the activity is what new workers do"));
        }
        self.core.remove_activity(sid)?;
        self.activities.remove(&sid);
        self.gone(sid.to_string());
        self.tell(
            "activity.deleted",
            format!("Activity {} deleted", activity.name),
            about_activity(&activity),
            at,
        );
        Ok(RouterReply::Done)
    }

    pub(super) fn list_channels(&self, name: Option<&str>) -> Vec<TaskChannelRow> {
        match name {
            Some(name) => self.channel(name).cloned().into_iter().collect(),
            None => self.channels.values().cloned().collect(),
        }
    }

    pub(super) fn create_channel(
        &mut self,
        name: String,
        unique_name: String,
        optimized: bool,
        at: Mono,
    ) -> Done {
        check_name(&name)?;
        check_name(&unique_name)?;
        if unique_name.contains('-') || self.channel(&unique_name).is_some() {
            return Err(RouterFault::new(20001, "UniqueName must have no hyphen and be unique"));
        }
        if self.channels.len() >= router::CHANNELS_MAX {
            return Err(RouterFault::new(20001, "there are as many channels as there may be"));
        }
        let stamp = wall(at);
        let row = TaskChannelRow {
            workspace: self.row.sid,
            sid: TaskChannelSid::random(&mut self.rng),
            name,
            unique_name,
            optimized,
            created: stamp,
            updated: stamp,
        };
        self.core.set_optimized(&row.unique_name, row.optimized);
        self.channels.insert(row.sid, row.clone());
        self.put(RouterRow::Channel(row.clone()));
        self.tell(
            "task-channel.created",
            format!("TaskChannel {} created", row.name),
            about_channel(&row),
            at,
        );
        Ok(RouterReply::Channels(vec![row]))
    }

    pub(super) fn update_channel(
        &mut self,
        channel: &str,
        name: Option<String>,
        optimized: Option<bool>,
        at: Mono,
    ) -> Done {
        let old = self.channel(channel).ok_or_else(|| RouterFault::unknown("task channel"))?.clone();
        let row = TaskChannelRow {
            name: name.unwrap_or(old.name),
            optimized: optimized.unwrap_or(old.optimized),
            updated: wall(at),
            ..old
        };
        check_name(&row.name)?;
        self.core.set_optimized(&row.unique_name, row.optimized);
        self.channels.insert(row.sid, row.clone());
        self.put(RouterRow::Channel(row.clone()));
        self.tell(
            "task-channel.updated",
            format!("TaskChannel {} updated", row.name),
            about_channel(&row),
            at,
        );
        Ok(RouterReply::Channels(vec![row]))
    }

    pub(super) fn delete_channel(&mut self, channel: &str, at: Mono) -> Done {
        let row = self.channel(channel).ok_or_else(|| RouterFault::unknown("task channel"))?.clone();
        let used = self.core.tasks().any(|task| task.channel == row.unique_name && !task.status.is_over());
        if used || BUILT_IN.contains(&row.unique_name.as_str()) {
            return Err(RouterFault::new(20001, "the channel is built in, or tasks are on it"));
        }
        self.channels.remove(&row.sid);
        self.gone(row.sid.to_string());
        self.tell(
            "task-channel.deleted",
            format!("TaskChannel {} deleted", row.name),
            about_channel(&row),
            at,
        );
        Ok(RouterReply::Done)
    }

    pub(super) fn list_queues(&self, sid: Option<TaskQueueSid>) -> Vec<NamedQueue> {
        let all: Vec<_> = match sid {
            Some(sid) => vec![sid],
            None => self.queues.keys().copied().collect(),
        };
        let named = |row: TaskQueueRow| {
            let names = [row.activities.reservation, row.activities.assignment];
            let names = names.map(|sid| sid.map(|sid| self.activity_name(sid)));
            (row, names)
        };
        all.into_iter().filter_map(|sid| self.queue_row(sid)).map(named).collect()
    }

    pub(super) fn put_queue(&mut self, sid: Option<TaskQueueSid>, form: QueueForm, at: Mono) -> Done {
        let known = match sid {
            Some(sid) => Some(self.queue_row(sid).ok_or_else(|| RouterFault::unknown("task queue"))?),
            None => None,
        };
        for sid in [form.reservation_activity, form.assignment_activity].into_iter().flatten() {
            if self.core.activity(sid).is_none() {
                return Err(RouterFault::new(20001, format!("there is no activity {sid}")));
            }
        }
        let old = known.as_ref().map(|row| &row.queue);
        let name = form.name.or_else(|| old.map(|old| old.name.clone()));
        let name = name.ok_or_else(|| RouterFault::new(20001, "FriendlyName is missing"))?;
        check_name(&name)?;
        let everybody = || Expr::parse("1==1").expect("an expression of the published grammar");
        let queue = QueueConfig {
            sid: sid.unwrap_or_else(|| TaskQueueSid::random(&mut self.rng)),
            name,
            target_workers: form
                .target_workers
                .or_else(|| old.map(|old| old.target_workers.clone()))
                .unwrap_or_else(everybody),
            max_reserved: form.max_reserved.or(old.map(|old| old.max_reserved)).unwrap_or(1),
            order: form.order.or(old.map(|old| old.order)).unwrap_or(TaskOrder::Fifo),
        };
        let sid = queue.sid;
        let activities = known.as_ref().map(|row| row.activities).unwrap_or_default();
        let activities = QueueActivities {
            reservation: form.reservation_activity.or(activities.reservation),
            assignment: form.assignment_activity.or(activities.assignment),
        };
        let chosen_anew = old.is_some_and(|old| old.target_workers != queue.target_workers);
        let mut dates = known.as_ref().map_or_else(|| Dates::new(wall(at)), |row| row.dates);
        if known.is_some() {
            dates.touch(wall(at));
        }
        // First what the queue's tasks do to workers: they may be given out at once.
        self.core.set_queue_activities(sid, activities.reservation, activities.assignment)?;
        self.core.put_queue(queue, at)?;
        self.queues.insert(sid, (activities, dates));
        if let Some(row) = self.queue_row(sid) {
            self.put(RouterRow::Queue(row));
        }
        let about = About { queue: Some(sid), ..About::default() };
        if known.is_none() {
            self.tell("task-queue.created", format!("TaskQueue {sid} created"), about, at);
        } else if chosen_anew {
            let text = format!("TaskQueue {sid} chooses other workers");
            self.tell("task-queue.expression.updated", text, about, at);
        }
        Ok(RouterReply::Queues(self.list_queues(Some(sid))))
    }

    pub(super) fn delete_queue(&mut self, sid: TaskQueueSid, at: Mono) -> Done {
        let queue = self.core.queue(sid);
        let target = queue.map(|queue| queue.target_workers.as_str().to_owned()).unwrap_or_default();
        let name = queue.map(|queue| queue.name.clone()).unwrap_or_default();
        self.core.remove_queue(sid)?;
        self.queues.remove(&sid);
        self.gone(sid.to_string());
        let more = vec![("TaskQueueName", name.clone()), ("TaskQueueTargetExpression", target)];
        let about = About { queue: Some(sid), more, ..About::default() };
        self.tell("task-queue.deleted", format!("TaskQueue {name} deleted"), about, at);
        Ok(RouterReply::Done)
    }

    pub(super) fn list_workflows(&self, sid: Option<WorkflowSid>) -> Vec<WorkflowRow> {
        self.workflows.values().filter(|row| is_asked(sid, row.workflow.sid)).cloned().collect()
    }

    pub(super) fn put_workflow(&mut self, sid: Option<WorkflowSid>, form: WorkflowForm, at: Mono) -> Done {
        let known = match sid {
            Some(sid) => {
                Some(self.workflows.get(&sid).ok_or_else(|| RouterFault::unknown("workflow"))?.clone())
            }
            None => None,
        };
        let name = form.name.or_else(|| known.as_ref().map(|row| row.workflow.name.clone()));
        let name = name.ok_or_else(|| RouterFault::new(20001, "FriendlyName is missing"))?;
        check_name(&name)?;
        let text = form.configuration.or_else(|| known.as_ref().map(|row| row.text.clone()));
        let text = text.ok_or_else(|| RouterFault::new(20001, "Configuration is missing"))?;
        let parsed = Workflow::parse(&text);
        let (configuration, _) = parsed.map_err(|error| RouterFault::new(20001, error.to_string()))?;
        let timeout = known.as_ref().map(|row| row.workflow.reservation_timeout);
        let timeout = form
            .reservation_timeout_s
            .map(|seconds| Duration::from_secs(u64::from(seconds)))
            .or(timeout)
            .unwrap_or(Duration::from_secs(u64::from(RESERVATION_TIMEOUT_S)));
        let workflow = WorkflowConfig {
            sid: sid.unwrap_or_else(|| WorkflowSid::random(&mut self.rng)),
            name,
            configuration,
            reservation_timeout: timeout,
        };
        let sid = workflow.sid;
        self.core
            .put_workflow(workflow.clone())
            .map_err(|error| RouterFault::new(20001, format!("Configuration: {error}")))?;
        let keep = |new: Option<String>, old: Option<String>| match new {
            Some(text) => Some(text).filter(|text| !text.is_empty()),
            None => old,
        };
        let mut dates = known.as_ref().map_or_else(|| Dates::new(wall(at)), |row| row.dates);
        if known.is_some() {
            dates.touch(wall(at));
        }
        let (kind, word) = match &known {
            Some(_) => ("workflow.updated", "updated"),
            None => ("workflow.created", "created"),
        };
        let (old_url, old_fallback) =
            known.map_or((None, None), |row| (row.assignment_url, row.fallback_url));
        let row = WorkflowRow {
            workspace: self.row.sid,
            workflow,
            text,
            assignment_url: keep(form.assignment_url, old_url),
            fallback_url: keep(form.fallback_url, old_fallback),
            dates,
        };
        self.workflows.insert(sid, row.clone());
        self.put(RouterRow::Workflow(row.clone()));
        let about = About { workflow: Some(sid), ..About::default() };
        self.tell(kind, format!("Workflow {} {word}", row.workflow.name), about, at);
        // Else what waits keeps the place it has (reference: taskrouter §6.1).
        if form.reevaluate {
            self.core.reevaluate(sid, at);
        }
        Ok(RouterReply::Workflows(vec![row]))
    }

    pub(super) fn delete_workflow(&mut self, sid: WorkflowSid, at: Mono) -> Done {
        let name = self.core.workflow(sid).map(|workflow| workflow.name.clone()).unwrap_or_default();
        self.core.remove_workflow(sid)?;
        self.workflows.remove(&sid);
        self.gone(sid.to_string());
        let about =
            About { workflow: Some(sid), more: vec![("WorkflowName", name.clone())], ..About::default() };
        self.tell("workflow.deleted", format!("Workflow {name} deleted"), about, at);
        Ok(RouterReply::Done)
    }
}

fn about_activity(activity: &Activity) -> About {
    let more = vec![
        ("ActivitySid", activity.sid.to_string()),
        ("ActivityName", activity.name.clone()),
        ("ActivityAvailable", activity.available.to_string()),
    ];
    About { more, ..About::default() }
}

fn about_channel(row: &TaskChannelRow) -> About {
    let more = vec![
        ("TaskChannelSid", row.sid.to_string()),
        ("TaskChannelUniqueName", row.unique_name.clone()),
        ("TaskChannelName", row.name.clone()),
        ("TaskChannelOptimizedRouting", row.optimized.to_string()),
    ];
    About { more, ..About::default() }
}
