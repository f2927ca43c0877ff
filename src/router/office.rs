//! A workspace for tests, and a clock that counts seconds.

use std::time::Duration;

use base::{ActivitySid, Mono, ReservationSid, Rng, TaskQueueSid, TaskSid, WorkerSid, WorkflowSid};
use serde_json::Value;

use crate::event::{Event, Output};
use crate::queue::{QueueConfig, TaskOrder};
use crate::worker::Activity;
use crate::workflow::Workflow;
use crate::workspace::WorkflowConfig;
use crate::{Expr, NewTask, ReservationStatus, TaskStatus, Workspace};

pub(crate) const OFFLINE: ActivitySid = ActivitySid(1);
pub(crate) const AVAILABLE: ActivitySid = ActivitySid(2);
pub(crate) const WRAP_UP: ActivitySid = ActivitySid(3);
pub(crate) const FLOW: WorkflowSid = WorkflowSid(1);

/// A workspace and its clock, in seconds.
pub(crate) struct Office {
    pub(crate) all: Workspace,
    pub(crate) now: u64,
}

impl Office {
    /// Queue 1 takes workers who speak the task's language, queue 2 those who know things, queue 3 everybody.
    pub(crate) fn new(routing: &str) -> Self {
        let activity = |sid, name: &str, available| Activity { sid, name: name.to_owned(), available };
        let activities = vec![
            activity(OFFLINE, "Offline", false),
            activity(AVAILABLE, "Available", true),
            activity(WRAP_UP, "Wrap-Up", false),
        ];
        let mut office = Self { all: Workspace::new(activities, OFFLINE, Rng::seeded(1)), now: 0 };
        for (n, target) in
            [(1, "languages HAS 'de'"), (2, "level >= 2"), (3, "1==1"), (4, "languages HAS 'hi'")]
        {
            office.queue(n, target, 1, TaskOrder::Fifo);
        }
        let text = routing.replace("WQ", &format!("WQ{}", "0".repeat(31)));
        let configuration = Workflow::parse(&format!("{{\"task_routing\":{text}}}")).unwrap().0;
        let reservation_timeout = Duration::from_secs(5);
        let name = "flow".to_owned();
        let config = WorkflowConfig { sid: FLOW, name, configuration, reservation_timeout };
        office.all.put_workflow(config).unwrap();
        office
    }

    pub(crate) fn queue(&mut self, n: u128, target: &str, max_reserved: u32, order: TaskOrder) {
        let target_workers = Expr::parse(target).unwrap();
        let config = QueueConfig {
            sid: TaskQueueSid(n),
            name: format!("queue {n}"),
            target_workers,
            max_reserved,
            order,
        };
        self.all.put_queue(config, self.mono()).unwrap();
    }

    pub(crate) fn mono(&self) -> Mono {
        Mono(self.now * 1_000_000_000)
    }

    pub(crate) fn worker(&mut self, n: u128, attributes: Value, activity: ActivitySid) {
        let now = self.mono();
        self.all.add_worker(WorkerSid(n), &format!("worker {n}"), attributes, activity, now).unwrap();
    }

    pub(crate) fn activity(&mut self, n: u128, activity: ActivitySid) {
        self.all.set_activity(WorkerSid(n), activity, self.mono()).unwrap();
    }

    pub(crate) fn task_on(&mut self, n: u128, attributes: Value, priority: u32, channel: &str) {
        let new = NewTask {
            sid: TaskSid(n),
            workflow: FLOW,
            attributes,
            channel: channel.to_owned(),
            priority,
            ttl: Duration::from_secs(3_600),
            head_start: Duration::ZERO,
        };
        self.all.create_task(new, self.mono()).unwrap();
    }

    pub(crate) fn task(&mut self, n: u128, attributes: Value) {
        self.task_on(n, attributes, 0, "voice");
    }

    /// Time goes by, every deadline in its turn.
    pub(crate) fn pass(&mut self, seconds: u64) {
        let end = self.now + seconds;
        while let Some((at, _)) = self.all.poll_timeout().filter(|(at, _)| at.0 <= end * 1_000_000_000) {
            self.all.handle_timeout(at);
        }
        self.now = end;
    }

    /// Who has a pending offer of what, in the order of the tasks.
    pub(crate) fn offers(&self) -> Vec<(u128, u128)> {
        let pending = self.all.reservations.values().filter(|r| r.status == ReservationStatus::Pending);
        let mut offers: Vec<_> = pending.map(|r| (r.task.0, r.worker.0)).collect();
        offers.sort_unstable();
        offers
    }

    pub(crate) fn offer_to(&self, worker: u128) -> ReservationSid {
        let mut mine = self.all.reservations.values().filter(|r| r.status == ReservationStatus::Pending);
        mine.find(|r| r.worker.0 == worker).unwrap().sid
    }

    pub(crate) fn accept(&mut self, worker: u128) {
        let (sid, now) = (self.offer_to(worker), self.mono());
        self.all.accept(sid, now).unwrap();
    }

    pub(crate) fn status(&self, n: u128) -> TaskStatus {
        self.all.tasks[&TaskSid(n)].status
    }

    /// What was told of since the last time, in words.
    pub(crate) fn told(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        while let Some(output) = self.all.poll_output() {
            let Output::Event { event, .. } = output else { continue };
            words.push(match event {
                Event::TaskCreated(_) => "task.created".to_owned(),
                Event::TaskCanceled { reason, .. } => format!("task.canceled {reason}"),
                Event::TaskCompleted(_) => "task.completed".to_owned(),
                Event::TaskDeleted { .. } => "task.deleted".to_owned(),
                Event::WorkflowTargetMatched { filter, .. } => format!("target-matched {filter:?}"),
                Event::WorkflowEntered { .. } => "workflow.entered".to_owned(),
                Event::WorkflowTimeout(_) => "workflow.timeout".to_owned(),
                Event::WorkflowSkipped(_) => "workflow.skipped".to_owned(),
                Event::QueueEntered { queue, .. } => format!("queue.entered {}", queue.0),
                Event::QueueTimeout { queue, .. } => format!("queue.timeout {}", queue.0),
                Event::QueueMoved { from, to, .. } => format!("queue.moved {} {}", from.0, to.0),
                Event::ReservationCreated { .. } => "reservation.created".to_owned(),
                Event::ReservationBecame { status, .. } => format!("reservation {status:?}"),
                Event::WorkerActivity { worker, to, .. } => format!("worker {} does {}", worker.0, to.0),
                Event::TaskTransfer { step, .. } => format!("transfer {step:?}"),
                other => format!("{other:?}"),
            });
        }
        words
    }
}

pub(crate) const ONE_QUEUE: &str = r#"{"filters":[{"expression":"1==1","targets":[{"queue":"WQ3"}]}]}"#;
