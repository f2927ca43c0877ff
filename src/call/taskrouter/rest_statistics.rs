//! What is going on and what went on, as the API asks for it (reference: taskrouter §12).

use std::time::Duration;

use base::{ActivitySid, Mono, TaskQueueSid, Timestamp, WorkerSid, WorkflowSid};
use router::clock::moment;
use router::statistics::{Cumulative, RealTime, Whose, Window, WorkersCumulative};
use serde::{Deserialize, Serialize};

use super::ask::{RouterFault, RouterReply};
use super::desk::Desk;
use super::rest::Done;

/// Whose statistics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatisticsOf {
    /// The workspace's.
    Workspace,
    /// A queue's.
    Queue(TaskQueueSid),
    /// A workflow's.
    Workflow(WorkflowSid),
    /// A worker's; `None`: all workers'.
    Workers(Option<WorkerSid>),
}

/// Of which time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatisticsWindow {
    /// `Minutes`, back from the end.
    pub minutes: u32,
    /// `StartDate`.
    pub from: Option<Timestamp>,
    /// `EndDate`; `None`: now.
    pub to: Option<Timestamp>,
    /// `TaskChannel`, by its unique name.
    pub channel: Option<String>,
    /// `SplitByWaitTime`, seconds.
    pub split: Vec<u32>,
    /// Of all workers only those.
    pub workers: WorkersAsked,
}

/// Which of all workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkersAsked {
    /// `FriendlyName`.
    pub name: Option<String>,
    /// Who may serve this queue.
    pub queue: Option<TaskQueueSid>,
    /// Who may serve a queue of this name.
    pub queue_name: Option<String>,
}

/// Both kinds of statistics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatisticsView {
    /// What is going on.
    pub real_time: RealTime,
    /// What went on with tasks; not of workers.
    pub tasks: Option<Cumulative>,
    /// What went on with workers; only of those.
    pub workers: Option<WorkersCumulative>,
    /// What activities are called.
    pub activities: Vec<(ActivitySid, String)>,
}

impl Desk {
    pub(super) fn statistics(&self, of: &StatisticsOf, window: &StatisticsWindow, at: Mono) -> Done {
        let to = window.to.map_or(at, moment);
        let back = Duration::from_secs(u64::from(window.minutes) * 60);
        let back = Mono(to.0.saturating_sub(u64::try_from(back.as_nanos()).unwrap_or(u64::MAX)));
        let from = window.from.map_or(back, moment);
        let named = window.channel.as_deref().and_then(|name| self.channel(name));
        let channel = named.map(|channel| channel.unique_name.clone()).or_else(|| window.channel.clone());
        let asked = Window { from, to, channel: channel.clone() };
        let whose = match of {
            StatisticsOf::Workspace => Some(Whose::Workspace),
            StatisticsOf::Queue(sid) if self.queues.contains_key(sid) => Some(Whose::Queue(*sid)),
            StatisticsOf::Workflow(sid) if self.workflows.contains_key(sid) => Some(Whose::Workflow(*sid)),
            StatisticsOf::Workers(None) => None,
            StatisticsOf::Workers(Some(sid)) if self.workers.contains_key(sid) => None,
            StatisticsOf::Queue(_) | StatisticsOf::Workflow(_) | StatisticsOf::Workers(_) => {
                return Err(RouterFault::unknown("owner of statistics"));
            }
        };
        let is_wanted = |worker: &router::Worker| match of {
            StatisticsOf::Workers(Some(sid)) => worker.sid == *sid,
            StatisticsOf::Workers(None) => self.is_asked_of(worker, &window.workers),
            StatisticsOf::Workspace | StatisticsOf::Queue(_) | StatisticsOf::Workflow(_) => true,
        };
        let view = StatisticsView {
            real_time: match whose {
                Some(whose) => self.core.real_time(whose, channel.as_deref(), at),
                None => self.core.workers_real_time(is_wanted),
            },
            tasks: whose.map(|whose| self.core.cumulative(whose, &asked, &window.split)),
            workers: whose.is_none().then(|| self.core.workers_cumulative(&asked, is_wanted)),
            activities: self.core.activities().map(|one| (one.sid, one.name.clone())).collect(),
        };
        Ok(RouterReply::Statistics(Box::new(view)))
    }

    fn is_asked_of(&self, worker: &router::Worker, asked: &WorkersAsked) -> bool {
        let of_name =
            |sid| self.core.queue(sid).is_some_and(|queue| asked.queue_name.as_ref() == Some(&queue.name));
        asked.name.as_ref().is_none_or(|name| *name == worker.name)
            && asked.queue.is_none_or(|queue| self.core.may_serve(worker.sid, queue))
            && (asked.queue_name.is_none() || self.core.serves(worker.sid).any(of_name))
    }
}
