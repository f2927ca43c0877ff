//! Workspaces of earlier days (reference: taskrouter §15): rows become what they were written from.
//!
//! No call survives the box: a task whose call waited is canceled, as if its caller had hung up.

use std::collections::BTreeMap;

use base::{Now, WorkspaceSid};
use router::Workspace;

use super::TaskRouter;
use super::desk::{Desk, TaskFacts};
use super::rows::{QueueActivities, RouterRow};

impl TaskRouter {
    /// Takes up what was written, in any order; `before`: the workspaces as they were, for what they have counted.
    pub(crate) fn restore(
        &mut self,
        rows: Vec<RouterRow>,
        before: &BTreeMap<WorkspaceSid, Workspace>,
        now: Now,
    ) {
        let at = self.clock(now);
        let mut rows = rows;
        rows.sort_by_key(rank);
        let workspaces: Vec<_> = rows
            .iter()
            .filter_map(|row| match row {
                RouterRow::Workspace(row) => Some(row.clone()),
                _ => None,
            })
            .collect();
        for row in workspaces {
            let sid = row.sid;
            let mine = rows.iter().filter(|one| one.key().workspace == sid);
            let activities: Vec<_> = mine
                .filter_map(|row| match row {
                    RouterRow::Activity(row) => Some(row.activity.clone()),
                    _ => None,
                })
                .collect();
            // Half a workspace was written when the box stopped: nobody was told that it exists.
            if !activities.iter().any(|activity| activity.sid == row.timeout_activity) {
                continue;
            }
            let core = Workspace::new(activities, row.timeout_activity, self.rng.fork());
            let mut desk = Desk::new(row, core, self.rng.fork());
            if let Some(before) = before.get(&sid) {
                desk.core.remember(before);
            }
            desk.set_rules(at);
            self.desks.insert(sid, desk);
        }
        for row in rows {
            let workspace = row.key().workspace;
            if let Some(desk) = self.desks.get_mut(&workspace) {
                desk.take_up(row, at);
            }
        }
        for desk in self.desks.values_mut() {
            let waited = |facts: &TaskFacts| facts.call.is_some();
            let orphans: Vec<_> =
                desk.tasks.iter().filter(|(_, facts)| waited(facts)).map(|(sid, _)| *sid).collect();
            desk.core.resume(at);
            for sid in orphans {
                // Those that are assigned or over stay what they are.
                let _ = desk.core.cancel(sid, "hangup", at);
            }
            desk.core.begin(at);
        }
    }
}

impl Desk {
    fn take_up(&mut self, row: RouterRow, at: base::Mono) {
        match row {
            RouterRow::Workspace(_) => {}
            RouterRow::Activity(row) => {
                self.activities.insert(row.activity.sid, (row.created, row.updated));
            }
            RouterRow::Channel(row) => {
                self.core.set_optimized(&row.unique_name, row.optimized);
                self.channels.insert(row.sid, row);
            }
            RouterRow::Queue(row) => {
                let sid = row.queue.sid;
                let QueueActivities { reservation, assignment } = row.activities;
                // An activity that is gone puts nobody anywhere.
                let _ = self.core.set_queue_activities(sid, reservation, assignment);
                if self.core.put_queue(row.queue, at).is_ok() {
                    self.queues.insert(sid, (row.activities, row.dates));
                }
            }
            RouterRow::Workflow(row) => {
                if self.core.put_workflow(row.workflow.clone()).is_ok() {
                    self.workflows.insert(row.workflow.sid, row);
                }
            }
            RouterRow::Worker(row) => {
                self.workers.insert(row.worker.sid, row.dates);
                self.core.restore_worker(row.worker);
            }
            RouterRow::Task(row) => {
                let facts = TaskFacts { call: row.call, dates: row.dates };
                self.tasks.insert(row.task.sid, facts);
                self.core.restore_task(row.task);
            }
            RouterRow::Reservation(row) => {
                self.reservations.insert(row.reservation.sid, (row.why, row.dates));
                self.core.restore_reservation(row.reservation);
            }
        }
    }
}

/// What others need comes first; reservations in the order they were made.
fn rank(row: &RouterRow) -> (u8, u64) {
    match row {
        RouterRow::Workspace(_) => (0, 0),
        RouterRow::Activity(_) => (1, 0),
        RouterRow::Channel(_) => (2, 0),
        RouterRow::Queue(_) => (3, 0),
        RouterRow::Workflow(_) => (4, 0),
        RouterRow::Worker(_) => (5, 0),
        RouterRow::Task(_) => (6, 0),
        RouterRow::Reservation(row) => (7, row.reservation.born.0),
    }
}
