//! Workspaces as the API makes, changes and removes them (reference: taskrouter §3).

use base::{ActivitySid, Mono, Now, TaskChannelSid, TaskQueueSid, WorkflowSid, WorkspaceSid};
use router::clock::wall;
use router::{Activity, Expr, QueueConfig, TaskOrder, Workspace};

use super::ask::{DeskAsk, RouterAsk, RouterFault, RouterReply, WorkflowForm, WorkspaceForm, WorkspaceView};
use super::desk::Desk;
use super::events::About;
use super::rows::{Dates, QueueActivities, RouterRow, TaskChannelRow, WorkspaceRow};
use super::{TaskRouter, WORKSPACES_MAX};
use crate::node::Node;

/// Whether something is done.
pub(super) type Done = Result<RouterReply, RouterFault>;

/// Characters of a name (reference: taskrouter §1).
pub(super) const NAME_CHARS_MAX: usize = 64;

/// What every workspace begins with (reference: taskrouter §3).
const ACTIVITIES: [(&str, bool); 3] = [("Offline", false), ("Available", true), ("Unavailable", false)];
/// Where workers do one thing at once, what they do tells it.
const ACTIVITIES_OF_ONE_TASK: [(&str, bool); 4] =
    [("Offline", false), ("Idle", true), ("Reserved", false), ("Busy", false)];
const CHANNELS: [(&str, &str); 5] = [
    ("default", "Default"),
    ("voice", "Voice"),
    ("chat", "Programmable Chat"),
    ("sms", "SMS"),
    ("video", "Video"),
];

impl Node {
    /// Answers the API; what is to be stored is on its way before the answer is.
    pub(crate) fn router_ask(&mut self, ask: RouterAsk, now: Now) -> RouterReply {
        let at = self.shared.router.clock(now);
        let done = match ask {
            RouterAsk::In(workspace, DeskAsk::UpdateReservation { sid, change, if_match }) => {
                self.update_reservation(workspace, sid, change, if_match, now)
            }
            RouterAsk::In(workspace, DeskAsk::WorkerCall { task, worker }) => {
                Ok(RouterReply::Call(self.worker_call(workspace, task, worker)))
            }
            other => self.shared.router.ask(other, at),
        };
        while self.router_step(now) {}
        done.unwrap_or_else(RouterReply::Fault)
    }
}

impl TaskRouter {
    fn ask(&mut self, ask: RouterAsk, at: Mono) -> Done {
        match ask {
            RouterAsk::Workspaces => {
                Ok(RouterReply::Workspaces(self.desks.values().map(Desk::workspace_view).collect()))
            }
            RouterAsk::CreateWorkspace(form) => self.create_workspace(form, at),
            RouterAsk::In(sid, DeskAsk::Delete) => self.delete_workspace(sid, at),
            RouterAsk::In(sid, ask) => {
                self.desks.get_mut(&sid).ok_or_else(|| RouterFault::unknown("workspace"))?.ask(ask, at)
            }
        }
    }

    fn create_workspace(&mut self, form: WorkspaceForm, at: Mono) -> Done {
        if self.desks.len() >= WORKSPACES_MAX {
            return Err(RouterFault::new(20001, format!("there are {WORKSPACES_MAX} workspaces already")));
        }
        let name = form.name.clone().ok_or_else(|| RouterFault::new(20001, "FriendlyName is missing"))?;
        check_name(&name)?;
        let stamp = wall(at);
        let sid = WorkspaceSid::random(&mut self.rng);
        let multi_task = form.multi_task.unwrap_or(true);
        let activities: &[(&str, bool)] = if multi_task { &ACTIVITIES } else { &ACTIVITIES_OF_ONE_TASK };
        let activities: Vec<Activity> = activities
            .iter()
            .map(|&(name, available)| Activity {
                sid: ActivitySid::random(&mut self.rng),
                name: name.to_owned(),
                available,
            })
            .collect();
        let offline = activities.first().expect("activities were just made").sid;
        let row = WorkspaceRow {
            sid,
            name,
            default_activity: offline,
            timeout_activity: offline,
            event_callback_url: form.event_callback_url.clone().filter(|url| !url.is_empty()),
            events_filter: form.events_filter.clone().filter(|filter| !filter.is_empty()),
            multi_task,
            prioritize_queue_order: form.prioritize_queue_order.clone().unwrap_or_else(|| "FIFO".to_owned()),
            created: stamp,
            updated: stamp,
        };
        let mut desk = self.begin_workspace(row, &activities, at);
        if form.fifo {
            desk.furnish(at)?;
        }
        desk.core.begin(at);
        let view = desk.workspace_view();
        self.desks.insert(sid, desk);
        Ok(RouterReply::Workspaces(vec![view]))
    }

    /// A workspace with its activities and the channels every one has.
    pub(super) fn begin_workspace(&mut self, row: WorkspaceRow, activities: &[Activity], at: Mono) -> Desk {
        let (sid, stamp) = (row.sid, wall(at));
        let core = Workspace::new(activities.to_vec(), row.timeout_activity, self.rng.fork());
        let mut desk = Desk::new(row.clone(), core, self.rng.fork());
        desk.set_rules(at);
        desk.put(RouterRow::Workspace(row));
        desk.tell("workspace.created", format!("Workspace {sid} created"), About::default(), at);
        for activity in activities {
            desk.activities.insert(activity.sid, (stamp, stamp));
            if let Some(row) = desk.activity_row(activity.sid) {
                desk.put(RouterRow::Activity(row));
            }
        }
        for (unique_name, name) in CHANNELS {
            let channel = TaskChannelRow {
                workspace: sid,
                sid: TaskChannelSid::random(&mut self.rng),
                name: name.to_owned(),
                unique_name: unique_name.to_owned(),
                optimized: false,
                created: stamp,
                updated: stamp,
            };
            desk.channels.insert(channel.sid, channel.clone());
            desk.put(RouterRow::Channel(channel));
        }
        desk
    }

    /// Everything in it goes too (reference: taskrouter §3); its last words are still said.
    fn delete_workspace(&mut self, sid: WorkspaceSid, at: Mono) -> Done {
        let mut desk = self.desks.remove(&sid).ok_or_else(|| RouterFault::unknown("workspace"))?;
        let waiting = desk.core.tasks().filter(|task| task.status.is_waiting()).map(|task| task.sid);
        for task in waiting.collect::<Vec<_>>() {
            // One may have been canceled by another's end.
            let _ = desk.core.cancel(task, "workspace deleted", at);
        }
        desk.settle(at);
        desk.tell("workspace.deleted", format!("Workspace {sid} deleted"), About::default(), at);
        let mut gone: Vec<String> = vec![sid.to_string()];
        gone.extend(desk.activities.keys().map(ToString::to_string));
        gone.extend(desk.channels.keys().map(ToString::to_string));
        gone.extend(desk.workers.keys().map(ToString::to_string));
        gone.extend(desk.queues.keys().map(ToString::to_string));
        gone.extend(desk.workflows.keys().map(ToString::to_string));
        gone.extend(desk.tasks.keys().map(ToString::to_string));
        gone.extend(desk.reservations.keys().map(ToString::to_string));
        gone.into_iter().for_each(|sid| desk.gone(sid));
        let url = desk.row.event_callback_url.take();
        self.last_words.extend(desk.duties.drain(..).map(|duty| (duty, url.clone())));
        Ok(RouterReply::Done)
    }
}

impl Desk {
    fn ask(&mut self, ask: DeskAsk, at: Mono) -> Done {
        match ask {
            DeskAsk::Show => Ok(RouterReply::Workspaces(vec![self.workspace_view()])),
            DeskAsk::Update(form) => self.update(form, at),
            DeskAsk::Activities(sid) => Ok(RouterReply::Activities(self.list_activities(sid))),
            DeskAsk::PutActivity { sid, name, available } => self.put_activity(sid, name, available, at),
            DeskAsk::DeleteActivity(sid) => self.delete_activity(sid, at),
            DeskAsk::Channels(name) => Ok(RouterReply::Channels(self.list_channels(name.as_deref()))),
            DeskAsk::CreateChannel { name, unique_name, optimized } => {
                self.create_channel(name, unique_name, optimized, at)
            }
            DeskAsk::UpdateChannel { channel, name, optimized } => {
                self.update_channel(&channel, name, optimized, at)
            }
            DeskAsk::DeleteChannel(channel) => self.delete_channel(&channel, at),
            DeskAsk::Workers(sid) => Ok(RouterReply::Workers(self.list_workers(sid))),
            DeskAsk::WorkersWhere(filter) => Ok(RouterReply::Workers(self.workers_page(&filter))),
            DeskAsk::PutWorker(sid, form) => self.put_worker(sid, form, at),
            DeskAsk::DeleteWorker(sid, if_match) => self.delete_worker(sid, if_match, at),
            DeskAsk::WorkerChannels(worker) => self.worker_channels(worker),
            DeskAsk::UpdateWorkerChannel { worker, channel, capacity, available } => {
                self.update_worker_channel(worker, &channel, capacity, available, at)
            }
            DeskAsk::Queues(sid) => Ok(RouterReply::Queues(self.list_queues(sid))),
            DeskAsk::QueuesWhere(filter) => Ok(RouterReply::Queues(self.queues_page(&filter))),
            DeskAsk::PutQueue(sid, form) => self.put_queue(sid, form, at),
            DeskAsk::DeleteQueue(sid) => self.delete_queue(sid, at),
            DeskAsk::Workflows(sid) => Ok(RouterReply::Workflows(self.list_workflows(sid))),
            DeskAsk::PutWorkflow(sid, form) => self.put_workflow(sid, form, at),
            DeskAsk::DeleteWorkflow(sid) => self.delete_workflow(sid, at),
            DeskAsk::Tasks(filter) => Ok(RouterReply::Tasks(self.list_tasks(&filter, at))),
            DeskAsk::PutTask(None, form) => self.create_task(form, at),
            DeskAsk::PutTask(Some(sid), form) => self.update_task(sid, form, at),
            DeskAsk::DeleteTask(sid, if_match) => self.delete_task(sid, if_match, at),
            DeskAsk::Transfer(form) => self.transfer(form, at),
            DeskAsk::CancelTransfer { task, transfer } => self.cancel_transfer(task, transfer, at),
            DeskAsk::Statistics(of, window) => self.statistics(&of, &window, at),
            DeskAsk::Reservation(sid) => {
                Ok(RouterReply::Reservations(self.named_reservation(sid).into_iter().collect()))
            }
            DeskAsk::Reservations(task, worker) => {
                Ok(RouterReply::Reservations(self.list_reservations(task, worker)))
            }
            // These need more than one workspace, and are carried out by its owner.
            DeskAsk::Delete | DeskAsk::UpdateReservation { .. } | DeskAsk::WorkerCall { .. } => {
                Err(RouterFault::unknown("request"))
            }
        }
    }

    pub(super) fn workspace_view(&self) -> WorkspaceView {
        WorkspaceView {
            row: self.row.clone(),
            default_name: self.activity_name(self.row.default_activity),
            timeout_name: self.activity_name(self.row.timeout_activity),
        }
    }

    pub(super) fn activity_name(&self, sid: ActivitySid) -> String {
        self.core.activity(sid).map(|activity| activity.name.clone()).unwrap_or_default()
    }

    fn update(&mut self, form: WorkspaceForm, at: Mono) -> Done {
        if let Some(name) = &form.name {
            check_name(name)?;
        }
        for sid in [form.default_activity, form.timeout_activity].into_iter().flatten() {
            if self.core.activity(sid).is_none() {
                return Err(RouterFault::new(20001, format!("there is no activity {sid}")));
            }
        }
        if let Some(sid) = form.timeout_activity {
            self.core.set_timeout_activity(sid)?;
        }
        let keep = |new: Option<String>, old: Option<String>| match new {
            Some(text) => Some(text).filter(|text| !text.is_empty()),
            None => old,
        };
        let old = self.row.clone();
        self.row = WorkspaceRow {
            name: form.name.unwrap_or(old.name),
            default_activity: form.default_activity.unwrap_or(old.default_activity),
            timeout_activity: form.timeout_activity.unwrap_or(old.timeout_activity),
            event_callback_url: keep(form.event_callback_url, old.event_callback_url),
            events_filter: keep(form.events_filter, old.events_filter),
            multi_task: form.multi_task.unwrap_or(old.multi_task),
            prioritize_queue_order: form.prioritize_queue_order.unwrap_or(old.prioritize_queue_order),
            updated: wall(at),
            ..old
        };
        self.set_rules(at);
        self.put(RouterRow::Workspace(self.row.clone()));
        self.tell("workspace.updated", format!("Workspace {} updated", self.row.sid), About::default(), at);
        Ok(RouterReply::Workspaces(vec![self.workspace_view()]))
    }

    /// What the workspace's row says of how tasks are given out.
    pub(super) fn set_rules(&mut self, at: Mono) {
        let order = if self.row.prioritize_queue_order == "LIFO" { TaskOrder::Lifo } else { TaskOrder::Fifo };
        self.core.set_queue_order(order);
        self.core.set_multi_task(self.row.multi_task, at);
    }

    /// `Template=FIFO`: a queue of everybody and a workflow into it.
    fn furnish(&mut self, at: Mono) -> Result<(), RouterFault> {
        let queue = QueueConfig {
            sid: TaskQueueSid::random(&mut self.rng),
            name: "Sample Queue".to_owned(),
            target_workers: Expr::parse("1==1").expect("an expression of the published grammar"),
            max_reserved: 1,
            order: TaskOrder::Fifo,
        };
        let sid = queue.sid;
        let named = |name| self.core.activities().find(|one| one.name == name).map(|one| one.sid);
        let activities = QueueActivities { reservation: named("Reserved"), assignment: named("Busy") };
        self.core.put_queue(queue, at)?;
        self.core.set_queue_activities(sid, activities.reservation, activities.assignment)?;
        self.queues.insert(sid, (activities, Dates::new(wall(at))));
        if let Some(row) = self.queue_row(sid) {
            self.put(RouterRow::Queue(row));
        }
        let form = WorkflowForm {
            name: Some("Default Fifo Workflow".to_owned()),
            configuration: Some(format!(
                "{{\"task_routing\":{{\"default_filter\":{{\"queue\":\"{sid}\"}}}}}}"
            )),
            ..WorkflowForm::default()
        };
        self.put_workflow(None::<WorkflowSid>, form, at).map(|_| ())
    }
}

/// Something of this sid, or all.
pub(super) fn is_asked<T: PartialEq>(wanted: Option<T>, sid: T) -> bool {
    wanted.is_none_or(|wanted| wanted == sid)
}

pub(super) fn check_name(name: &str) -> Result<(), RouterFault> {
    let fits =
        !name.trim().is_empty() && name.chars().count() <= NAME_CHARS_MAX && !name.contains(char::is_control);
    if fits {
        Ok(())
    } else {
        Err(RouterFault::new(
            20001,
            format!("FriendlyName must have 1 to {NAME_CHARS_MAX} printable characters"),
        ))
    }
}

/// `If-Match`: only what is of this version.
pub(super) fn check_version(wanted: Option<u64>, version: u64) -> Result<(), RouterFault> {
    match wanted {
        Some(wanted) if wanted != version => {
            Err(RouterFault::new(20412, format!("the version is {version}, not {wanted}")))
        }
        Some(_) | None => Ok(()),
    }
}
