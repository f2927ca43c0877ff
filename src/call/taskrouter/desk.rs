//! One workspace: the core that decides, and beside it names, dates and whom to tell.
//!
//! What the core tells is worked off after each input: rows that changed are written, events are kept and told, and
//! what somebody has to do is handed on as a [`Duty`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::{
    ActivitySid, CallSid, Mono, ReservationSid, Rng, TaskChannelSid, TaskQueueSid, TaskSid, Timestamp,
    WorkerSid, WorkflowSid,
};
use router::clock::wall;
use router::{Event, KnownWorkerFault, Moment, Output, ReservationStatus, Why, Workspace, Written};

use super::agents::WrapUps;
use super::rows::{
    ActivityRow, AfterTalk, Dates, QueueActivities, ReservationRow, RouterEventRow, RouterItem, RouterKey,
    RouterLeafRow, RouterRow, TaskChannelRow, TaskQueueRow, TaskRow, WorkerRow, WorkflowRow, WorkspaceRow,
};

/// Reservations of one worker, open or ended and not forgotten yet; a worker has few at once, and those that ended go
/// five minutes after their tasks.
pub(crate) const OFFERS_OF_WORKER_MAX: usize = 2_000;

/// A workspace.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) row: WorkspaceRow,
    pub(crate) core: Written,
    pub(crate) activities: BTreeMap<ActivitySid, (Timestamp, Timestamp)>,
    pub(crate) channels: BTreeMap<TaskChannelSid, TaskChannelRow>,
    pub(crate) workers: BTreeMap<WorkerSid, Dates>,
    pub(crate) queues: BTreeMap<TaskQueueSid, (QueueActivities, Dates)>,
    pub(crate) workflows: BTreeMap<WorkflowSid, WorkflowRow>,
    pub(crate) tasks: BTreeMap<TaskSid, TaskFacts>,
    pub(crate) reservations: BTreeMap<ReservationSid, (Option<router::Why>, Dates)>,
    /// The same, by their workers, each with up to [`OFFERS_OF_WORKER_MAX`].
    pub(crate) offers_to: BTreeMap<WorkerSid, BTreeSet<ReservationSid>>,
    /// What the ends of conversations do, where they do anything.
    pub(super) after: BTreeMap<ReservationSid, AfterTalk>,
    /// What is to be done, in this order.
    pub(crate) duties: VecDeque<Duty>,
    pub(crate) rng: Rng,
    /// Whether the configuration keeps it.
    pub(crate) is_office: bool,
    pub(crate) wrap_ups: WrapUps,
    /// Of whom lamps are to show something else, where the configuration keeps it.
    pub(crate) lamps: BTreeSet<WorkerSid>,
    changed: Changed,
}

/// What is known of a task beside what decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskFacts {
    /// The call that waits for it.
    pub(crate) call: Option<CallSid>,
    pub(crate) dates: Dates,
}

/// What the node has to do.
#[derive(Clone, Debug)]
pub(crate) enum Duty {
    /// Write this.
    Store(RouterItem),
    /// Tell whoever is told.
    Tell(Box<RouterEventRow>),
    /// Ask what to do with this reservation.
    Assign(ReservationSid),
    /// Say that the worker whom a task should know cannot be had.
    Warn(TaskSid, KnownWorkerFault),
    /// A reservation nobody has to do anything about any more.
    Over(ReservationSid),
    /// A task nothing will be asked about any more.
    Forget(TaskSid),
}

/// Rows that differ from what was written.
#[derive(Clone, Debug, Default)]
struct Changed {
    tasks: BTreeSet<TaskSid>,
    workers: BTreeSet<WorkerSid>,
    reservations: BTreeSet<ReservationSid>,
}

impl Desk {
    pub(crate) fn new(row: WorkspaceRow, core: Workspace, rng: Rng) -> Self {
        Self {
            row,
            core: Written::new(core),
            activities: BTreeMap::new(),
            channels: BTreeMap::new(),
            workers: BTreeMap::new(),
            queues: BTreeMap::new(),
            workflows: BTreeMap::new(),
            tasks: BTreeMap::new(),
            reservations: BTreeMap::new(),
            offers_to: BTreeMap::new(),
            after: BTreeMap::new(),
            duties: VecDeque::new(),
            rng,
            is_office: false,
            wrap_ups: WrapUps::default(),
            lamps: BTreeSet::new(),
            changed: Changed::default(),
        }
    }

    /// Works off what the core tells.
    pub(crate) fn settle(&mut self, now: Mono) {
        // A task may be too old when it comes.
        if self.core.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.core.handle_timeout(now);
        }
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Assign(sid) => self.duties.push_back(Duty::Assign(sid)),
                Output::KnownWorker { task, fault } => self.duties.push_back(Duty::Warn(task, fault)),
                Output::Event { at, event, moment } => self.on_event(&event, moment, at),
            }
        }
        self.write_changed();
        while let Some(leaf) = self.core.poll_leaf() {
            let row = RouterLeafRow { workspace: self.row.sid, leaf };
            self.duties.push_back(Duty::Store(RouterItem::Leaf(Box::new(row))));
        }
    }

    fn on_event(&mut self, event: &Event, moment: Moment, at: Mono) {
        let stamp = wall(at);
        match event {
            Event::TaskCreated(task)
            | Event::TaskUpdated(task)
            | Event::TaskCanceled { task, .. }
            | Event::TaskWrapup(task)
            | Event::TaskCompleted(task)
            | Event::WorkflowTargetMatched { task, .. }
            | Event::WorkflowEntered { task, .. }
            | Event::WorkflowTimeout(task)
            | Event::WorkflowSkipped(task)
            | Event::TaskTransfer { task, .. }
            | Event::QueueTimeout { task, .. }
            | Event::QueueEntered { task, .. }
            | Event::QueueMoved { task, .. } => self.task_changed(*task, stamp),
            Event::ReservationCreated { reservation, why } => {
                self.reservations.insert(*reservation, (Some(why.clone()), Dates::new(stamp)));
                if let Some(worker) = self.core.told_reservation(*reservation).map(|one| one.worker) {
                    self.offered(worker, *reservation);
                }
                self.reservation_changed(*reservation, stamp);
                // Desktops count it (reference: taskrouter §13.2).
                if let Some(worker) = self.core.reservation(*reservation).map(|one| one.worker) {
                    self.worker_counted(worker, stamp);
                }
            }
            Event::ReservationBecame { reservation, status } => {
                if let Some((_, dates)) = self.reservations.get_mut(reservation) {
                    dates.touch(stamp);
                }
                self.reservation_changed(*reservation, stamp);
                let goes_on = [
                    ReservationStatus::Accepted,
                    ReservationStatus::Wrapping,
                    ReservationStatus::Completed,
                    ReservationStatus::Pending,
                ];
                if !goes_on.contains(status) {
                    self.duties.push_back(Duty::Over(*reservation));
                }
            }
            Event::WorkerActivity { worker, from, to, before } => {
                self.worker_changed(*worker, stamp);
                self.wrap_ups.changed(*worker, (*from, *to), *before, at);
                self.lamp_changed(*worker);
            }
            Event::TaskDeleted { task, reservations } | Event::TaskSystemDeleted { task, reservations } => {
                self.tell_event(event, moment, at);
                self.forget(*task, reservations);
                return;
            }
        }
        self.tell_event(event, moment, at);
    }

    /// A worker's offers have one more.
    pub(super) fn offered(&mut self, worker: WorkerSid, sid: ReservationSid) {
        let told = |one: &ReservationSid| self.core.told_reservation(*one);
        let is_open = |one: &ReservationSid| told(one).is_some_and(|one| one.status.occupies());
        one_more(self.offers_to.entry(worker).or_default(), sid, is_open);
    }

    /// A task's row is to be written.
    pub(crate) fn task_changed(&mut self, sid: TaskSid, at: Timestamp) {
        if let Some(facts) = self.tasks.get_mut(&sid)
            && self.changed.tasks.insert(sid)
        {
            facts.dates.touch(at);
        }
    }

    /// A worker's row is to be written.
    pub(crate) fn worker_changed(&mut self, sid: WorkerSid, at: Timestamp) {
        if let Some(dates) = self.workers.get_mut(&sid)
            && self.changed.workers.insert(sid)
        {
            dates.touch(at);
        }
    }

    /// A worker's row is to be written, of a version of its own: those who saw the one before count along.
    pub(crate) fn worker_counted(&mut self, sid: WorkerSid, at: Timestamp) {
        if let Some(dates) = self.workers.get_mut(&sid) {
            self.changed.workers.insert(sid);
            dates.touch(at);
        }
    }

    /// A worker talks: what the end of that does is known from now on, also to a box that starts again.
    pub(crate) fn talks(&mut self, sid: ReservationSid, after: AfterTalk) {
        self.after.insert(sid, after);
        self.changed.reservations.insert(sid);
    }

    /// A worker has talked; `goes_on`: it goes to its after-work, if that was said. `why`: of a task that is done.
    pub(crate) fn talked(&mut self, sid: ReservationSid, goes_on: bool, why: &str, at: Mono) {
        let Some(after) = self.after.remove(&sid) else { return };
        let Some(worker) = self.core.reservation(sid).map(|one| one.worker) else { return };
        // The worker's activity first: otherwise it would be given the next task at once.
        if let AfterTalk::Completes(Some(activity)) = after
            && goes_on
            && self.core.set_activity(worker, activity, at).is_ok()
        {
            self.worker_changed(worker, wall(at));
        }
        // The application may have been faster.
        let _ = match after {
            AfterTalk::WrapsUp => self.core.wrap_up_reservation(sid, at),
            AfterTalk::Completes(_) => self.core.complete_reservation(sid, why, at),
        };
    }

    fn reservation_changed(&mut self, sid: ReservationSid, at: Timestamp) {
        self.changed.reservations.insert(sid);
        if let Some((task, worker)) = self.core.told_reservation(sid).map(|one| (one.task, one.worker)) {
            self.lamp_changed(worker);
            self.task_changed(task, at);
            self.changed.workers.insert(worker);
        }
    }

    fn lamp_changed(&mut self, worker: WorkerSid) {
        if self.is_office {
            self.lamps.insert(worker);
        }
    }

    fn forget(&mut self, task: TaskSid, reservations: &[ReservationSid]) {
        for sid in reservations {
            self.reservations.remove(sid);
            self.after.remove(sid);
            let worker = self.core.told_reservation(*sid).map(|one| one.worker);
            if let Some((worker, offers)) =
                worker.and_then(|worker| self.offers_to.get_mut(&worker).map(|all| (worker, all)))
            {
                offers.remove(sid);
                if offers.is_empty() {
                    self.offers_to.remove(&worker);
                }
            }
            self.changed.reservations.remove(sid);
            self.gone(sid.to_string());
        }
        if self.tasks.remove(&task).is_some() {
            self.changed.tasks.remove(&task);
            self.gone(task.to_string());
            self.duties.push_back(Duty::Forget(task));
        }
    }

    /// A row goes.
    pub(crate) fn gone(&mut self, sid: String) {
        let key = RouterKey { workspace: self.row.sid, sid };
        self.duties.push_back(Duty::Store(RouterItem::Gone(key)));
    }

    /// A row is written.
    pub(crate) fn put(&mut self, row: RouterRow) {
        self.duties.push_back(Duty::Store(RouterItem::Put(Box::new(row))));
    }

    fn write_changed(&mut self) {
        let Changed { tasks, workers, reservations } = std::mem::take(&mut self.changed);
        for row in tasks.into_iter().filter_map(|sid| self.task_row(sid)).collect::<Vec<_>>() {
            self.put(RouterRow::Task(row));
        }
        for row in reservations.into_iter().filter_map(|sid| self.reservation_row(sid)).collect::<Vec<_>>() {
            self.put(RouterRow::Reservation(row));
        }
        for row in workers.into_iter().filter_map(|sid| self.worker_row(sid)).collect::<Vec<_>>() {
            self.put(RouterRow::Worker(row));
        }
    }

    /// A task as it is now.
    pub(crate) fn task_row(&self, sid: TaskSid) -> Option<TaskRow> {
        let TaskFacts { call, dates } = *self.tasks.get(&sid)?;
        let task = self.core.task(sid)?.clone();
        Some(TaskRow { workspace: self.row.sid, task, call, dates })
    }

    /// A worker as it is now.
    pub(crate) fn worker_row(&self, sid: WorkerSid) -> Option<WorkerRow> {
        let dates = *self.workers.get(&sid)?;
        let worker = self.core.worker(sid)?.clone();
        Some(WorkerRow { workspace: self.row.sid, worker, dates })
    }

    /// A reservation as it is now.
    pub(crate) fn reservation_row(&self, sid: ReservationSid) -> Option<ReservationRow> {
        let (why, dates) = self.reservations.get(&sid)?.clone();
        let reservation = self.core.reservation(sid)?.clone();
        let after = self.after.get(&sid).copied();
        Some(ReservationRow { workspace: self.row.sid, reservation, why, after, dates })
    }

    /// Why a reservation's worker was offered its task, and not the others: with their names.
    pub(crate) fn explanation(&self, sid: ReservationSid) -> Option<String> {
        let (Some(why), _) = self.reservations.get(&sid)? else { return None };
        let name = |worker: WorkerSid| {
            let known = self.core.worker(worker).map(|worker| worker.name.clone());
            known.unwrap_or_else(|| worker.to_string())
        };
        let mut text = why.to_string();
        if let Why::TaskCame { passed_over, .. } = why {
            for (worker, _) in passed_over {
                text = text.replace(&worker.to_string(), &name(*worker));
            }
        }
        let reservation = self.core.reservation(sid)?;
        Some(format!("{sid} offers it to {}: {text}", name(reservation.worker)))
    }

    /// A queue as it is now.
    pub(crate) fn queue_row(&self, sid: TaskQueueSid) -> Option<TaskQueueRow> {
        let (activities, dates) = *self.queues.get(&sid)?;
        let queue = self.core.queue(sid)?.clone();
        Some(TaskQueueRow { workspace: self.row.sid, queue, activities, dates })
    }

    /// An activity as it is now.
    pub(crate) fn activity_row(&self, sid: ActivitySid) -> Option<ActivityRow> {
        let (created, updated) = *self.activities.get(&sid)?;
        let activity = self.core.activity(sid)?.clone();
        Some(ActivityRow { workspace: self.row.sid, activity, created, updated })
    }

    /// The channel tasks call so, or of that sid.
    pub(crate) fn channel(&self, name: &str) -> Option<&TaskChannelRow> {
        self.channels.values().find(|channel| channel.unique_name == name || channel.sid.to_string() == name)
    }
}

/// Who refuses the same task again and again is shown no more offers than the most there may be: one that has ended gives
/// way, and is found by its task alone.
fn one_more(
    offers: &mut BTreeSet<ReservationSid>,
    sid: ReservationSid,
    is_open: impl Fn(&ReservationSid) -> bool,
) {
    if offers.len() >= OFFERS_OF_WORKER_MAX
        && let Some(ended) = offers.iter().copied().find(|one| !is_open(one))
    {
        offers.remove(&ended);
    }
    offers.insert(sid);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offers_of_one_worker_are_bounded_and_open_ones_stay() {
        let mut offers = BTreeSet::new();
        let is_open = |one: &ReservationSid| one.0.is_multiple_of(1_000);
        let all = 3 * OFFERS_OF_WORKER_MAX as u128;
        (0..all).for_each(|n| one_more(&mut offers, ReservationSid(n), is_open));
        assert_eq!(offers.len(), OFFERS_OF_WORKER_MAX);
        assert!((0..all).step_by(1_000).chain([all - 1]).all(|n| offers.contains(&ReservationSid(n))));
    }
}
