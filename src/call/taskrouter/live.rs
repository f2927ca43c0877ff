//! Who the workers are and what they do, for an operator who looks.

use std::time::Duration;

use base::{Timestamp, WorkflowSid};
use router::clock::wall;

use super::TaskRouter;
use crate::live::LiveWorker;

impl TaskRouter {
    /// The workers of every workspace, by workspace and name.
    pub(crate) fn live_workers(&self, now: Timestamp) -> Vec<LiveWorker> {
        let mut workers: Vec<LiveWorker> = self
            .desks
            .values()
            .flat_map(|desk| {
                desk.list_workers(None).into_iter().map(|view| {
                    let worker = &view.row.worker;
                    LiveWorker {
                        sid: worker.sid,
                        workspace: desk.row.name.clone(),
                        name: worker.name.clone(),
                        activity: view.activity_name,
                        available: view.available,
                        since_s: seconds(wall(worker.since), now),
                        tasks: worker.reservations.len(),
                    }
                })
            })
            .collect();
        workers.sort_by(|a, b| (&a.workspace, &a.name).cmp(&(&b.workspace, &b.name)));
        workers
    }

    /// The name of the workflow that a voice queue is named after, if it is named after one.
    pub(crate) fn workflow_name(&self, queue: &str) -> Option<String> {
        let sid: WorkflowSid = queue.parse().ok()?;
        let row = self.desks.values().find_map(|desk| desk.workflows.get(&sid))?;
        Some(row.workflow.name.clone())
    }
}

fn seconds(since: Timestamp, now: Timestamp) -> u64 {
    let micros = now.0.saturating_sub(since.0).try_into().unwrap_or(0);
    Duration::from_micros(micros).as_secs()
}
