//! Workspaces of earlier days (reference: taskrouter §15): rows become what they were written from.
//!
//! No call survives the box: a task whose call waited is canceled, as if its caller had hung up, and whoever talked has
//! talked.

use std::collections::BTreeMap;

use base::{Now, ReservationSid, WorkspaceSid};
use router::{Past, Reservation, ReservationStatus, Workspace};

use super::TaskRouter;
use super::desk::{Desk, Duty, TaskFacts};
use super::rows::{AfterTalk, QueueActivities, RouterRow};

impl TaskRouter {
    /// Takes up what was written, in any order; `past`: what they have counted, or `None` while that is still being
    /// found out; `office`: the workspace that the configuration keeps.
    pub(crate) fn restore(
        &mut self,
        rows: Vec<RouterRow>,
        past: Option<&BTreeMap<WorkspaceSid, Past>>,
        office: WorkspaceSid,
        now: Now,
    ) {
        let at = self.clock(now);
        let rows = in_order(rows);
        let workspaces: Vec<_> = rows[0]
            .iter()
            .filter_map(|row| match row {
                RouterRow::Workspace(row) => Some(row.clone()),
                _ => None,
            })
            .collect();
        for row in workspaces {
            let sid = row.sid;
            let activities: Vec<_> = rows[1]
                .iter()
                .filter_map(|row| match row {
                    RouterRow::Activity(row) if row.workspace == sid => Some(row.activity.clone()),
                    _ => None,
                })
                .collect();
            // Half a workspace was written when the box stopped: nobody was told that it exists.
            if !activities.iter().any(|activity| activity.sid == row.timeout_activity) {
                continue;
            }
            let core = Workspace::new(activities, row.timeout_activity, self.rng.fork());
            let mut desk = Desk::new(row, core, self.rng.fork());
            match past {
                None => desk.core.expect_past(),
                Some(past) => {
                    past.get(&sid).into_iter().for_each(|past| desk.core.remember(past.clone(), at))
                }
            }
            desk.set_rules(at);
            self.desks.insert(sid, desk);
        }
        for row in rows.into_iter().flatten() {
            let workspace = row.workspace();
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
            desk.is_office = desk.row.sid == office;
            desk.recall_talks();
            let accepted = |sid: &ReservationSid| {
                desk.core.reservation(*sid).is_some_and(|one| one.status == ReservationStatus::Accepted)
            };
            let talked: Vec<_> = desk.after.keys().copied().filter(accepted).collect();
            for sid in talked {
                let goes_on = desk.goes_on(sid);
                desk.talked(sid, goes_on, "the call is over", at);
            }
            desk.core.begin(at);
            desk.ask_again();
        }
    }

    /// What the workspaces have counted before they were put back.
    pub(crate) fn remember(&mut self, mut past: BTreeMap<WorkspaceSid, Past>, now: Now) {
        let at = self.clock(now);
        for (sid, desk) in self.desks.iter_mut().filter(|(_, desk)| desk.core.expects_past()) {
            desk.core.remember(past.remove(sid).unwrap_or_default(), at);
        }
    }
}

impl Desk {
    /// Rows from before it was written down what the end of a conversation does: what the box had begun by itself, or in a
    /// conference of its own, it ends now that nobody talks. What else was accepted is the application's to complete; a day
    /// after it was accepted it is over all the same ([`router::Workspace::resume`]).
    fn recall_talks(&mut self) {
        let open = self
            .core
            .reservations()
            .filter(|one| one.status == ReservationStatus::Accepted && !self.after.contains_key(&one.sid));
        let known: Vec<_> = open.filter_map(|one| Some((one.sid, self.ends_by_itself(one)?))).collect();
        self.after.extend(known);
    }

    fn ends_by_itself(&self, one: &Reservation) -> Option<AfterTalk> {
        let task = self.core.task(one.task)?;
        let conference = task.attributes.get("conference").and_then(|one| one.get("participants"));
        if conference.is_some_and(|participants| participants.get("worker").is_some()) {
            return Some(if self.row.multi_task { AfterTalk::WrapsUp } else { AfterTalk::Completes(None) });
        }
        let is_asked = self.workflows.get(&task.workflow).is_some_and(|flow| flow.assignment_url.is_some());
        let has_call = self.tasks.get(&one.task).is_some_and(|facts| facts.call.is_some());
        (self.is_office && has_call && !is_asked).then_some(AfterTalk::Completes(None))
    }

    /// Whoever was to say what becomes of an offer may not have been heard, and no phone rings any more: the application
    /// is asked again, and agents are called again, in the order of the offers. What is new is asked by itself.
    fn ask_again(&mut self) {
        let is_open = |one: &&Reservation| {
            one.status == ReservationStatus::Pending && self.reservations.contains_key(&one.sid)
        };
        let mut open: Vec<_> =
            self.core.reservations().filter(is_open).map(|one| (one.born, one.sid)).collect();
        open.sort_unstable();
        self.duties.extend(open.into_iter().map(|(_, sid)| Duty::Assign(sid)));
    }

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
            RouterRow::Reservation(mut row) => {
                // Its time does not run while the box is down, when nobody could have answered: whoever decides is
                // asked again, phones ring again, and all have the whole time anew (reference: taskrouter §15).
                if row.reservation.status == ReservationStatus::Pending {
                    row.reservation.born = at;
                }
                let (sid, worker) = (row.reservation.sid, row.reservation.worker);
                self.reservations.insert(sid, (row.why, row.dates));
                row.after.into_iter().for_each(|after| _ = self.after.insert(sid, after));
                self.core.restore_reservation(row.reservation);
                self.offered(worker, sid);
            }
        }
    }
}

/// What others need comes first; reservations in the order they were made.
fn in_order(rows: Vec<RouterRow>) -> [Vec<RouterRow>; 8] {
    let kind = |row: &RouterRow| match row {
        RouterRow::Workspace(_) => 0,
        RouterRow::Activity(_) => 1,
        RouterRow::Channel(_) => 2,
        RouterRow::Queue(_) => 3,
        RouterRow::Workflow(_) => 4,
        RouterRow::Worker(_) => 5,
        RouterRow::Task(_) => 6,
        RouterRow::Reservation(_) => 7,
    };
    let mut counts = [0; 8];
    rows.iter().for_each(|row| counts[kind(row)] += 1);
    let mut kinds = counts.map(Vec::with_capacity);
    for row in rows {
        kinds[kind(&row)].push(row);
    }
    kinds[7].sort_by_key(|row| match row {
        RouterRow::Reservation(row) => row.reservation.born,
        _ => base::Mono::default(),
    });
    kinds
}
