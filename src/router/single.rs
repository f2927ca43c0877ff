//! Workspaces where a worker does one thing at once (reference: taskrouter §4, `MultiTaskEnabled=false`).
//!
//! There what a worker does tells what it has: a task that is offered to it puts it to the queue's reservation activity,
//! one that it accepts to the queue's assignment activity, and an offer that comes to nothing back to what it did
//! before. Whose work is done stays where it is until it is put elsewhere, as the published product has it.

use base::{ActivitySid, Mono, TaskQueueSid, WorkerSid};

use crate::queue::{Rank, TaskOrder};
use crate::task::Task;
use crate::worker::Worker;
use crate::workspace::{RouterError, Workspace};

impl Workspace {
    /// Whether workers have several tasks at once, as many as their channels take; else one, whatever its channel.
    pub fn set_multi_task(&mut self, multi_task: bool, now: Mono) {
        if self.multi_task == multi_task {
            return;
        }
        let workers: Vec<WorkerSid> = self.workers.keys().copied().collect();
        workers.iter().for_each(|worker| self.leave_idle(*worker));
        self.multi_task = multi_task;
        workers.iter().for_each(|worker| self.join_idle(*worker));
        self.feed_all(now);
    }

    /// Queues of which order come first for a worker who serves some of both (`PrioritizeQueueOrder`).
    pub fn set_queue_order(&mut self, order: TaskOrder) {
        self.queue_order = order;
    }

    /// What workers are put to when a queue's task is offered to them, and when they accept it; only where they do one
    /// thing at once.
    pub fn set_queue_activities(
        &mut self,
        queue: TaskQueueSid,
        reservation: Option<ActivitySid>,
        assignment: Option<ActivitySid>,
    ) -> Result<(), RouterError> {
        let known = |sid: Option<ActivitySid>| sid.is_none_or(|sid| self.activities.contains_key(&sid));
        if !known(reservation) || !known(assignment) {
            return Err(RouterError::Unknown("activity"));
        }
        self.duties.insert(queue, (reservation, assignment));
        Ok(())
    }

    /// Whether a worker can be offered something on a channel, whatever it is doing.
    pub(crate) fn has_room(&self, worker: &Worker, channel: &str) -> bool {
        worker.has_room(channel, self.multi_task)
    }

    /// Something of this queue is offered to a worker.
    pub(crate) fn is_offered(&mut self, worker: WorkerSid, queue: Option<TaskQueueSid>, now: Mono) {
        let Some((Some(activity), _)) = queue.and_then(|queue| self.duties.get(&queue)).copied() else {
            return;
        };
        let Some(before) = self.workers.get(&worker).map(|worker| worker.activity) else { return };
        if self.multi_task || self.set_activity(worker, activity, now).is_err() {
            return;
        }
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.before = Some(before);
        }
    }

    /// A worker has accepted something of this queue.
    pub(crate) fn has_accepted(&mut self, worker: WorkerSid, queue: Option<TaskQueueSid>, now: Mono) {
        let Some((_, Some(activity))) = queue.and_then(|queue| self.duties.get(&queue)).copied() else {
            return;
        };
        if !self.multi_task {
            let moved = self.set_activity(worker, activity, now);
            debug_assert!(moved.is_ok(), "an activity goes only where no queue names it");
        }
    }

    /// An offer to a worker has come to nothing: it does again what it did, and looks for something else.
    pub(crate) fn is_free_again(&mut self, worker: WorkerSid, now: Mono) {
        self.goes_back(worker, now);
        self.feed(worker, now);
    }

    /// A worker does again what it did before something was offered to it.
    pub(crate) fn goes_back(&mut self, worker: WorkerSid, now: Mono) {
        let Some(one) = self.workers.get_mut(&worker) else { return };
        let Some(before) = one.before.take() else { return };
        let idle_since = one.idle_since;
        if self.set_activity(worker, before, now).is_ok() {
            // It keeps its turn: it was not its doing.
            self.leave_idle(worker);
            if let Some(one) = self.workers.get_mut(&worker) {
                one.idle_since = idle_since;
            }
            self.join_idle(worker);
        }
    }

    /// Which task comes first among those of several queues: of the queues whose order comes first, the most urgent and
    /// oldest.
    pub(crate) fn between_queues(&self, task: &Task) -> (bool, Rank) {
        let order = task.queue.and_then(|queue| self.queues.get(&queue)).map(|queue| queue.config.order);
        (order.is_some_and(|order| order != self.queue_order), Rank::fifo(task))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::office::{AVAILABLE, OFFLINE, ONE_QUEUE, Office, WRAP_UP};
    use crate::{Activity, TaskStatus};

    const RESERVED: ActivitySid = ActivitySid(11);
    const BUSY: ActivitySid = ActivitySid(12);

    fn single() -> Office {
        let mut office = Office::new(ONE_QUEUE);
        for (sid, name) in [(RESERVED, "Reserved"), (BUSY, "Busy")] {
            office.all.put_activity(Activity { sid, name: name.to_owned(), available: false }).unwrap();
        }
        office.all.set_multi_task(false, office.mono());
        office.all.set_queue_activities(TaskQueueSid(3), Some(RESERVED), Some(BUSY)).unwrap();
        office
    }

    fn does(office: &Office, worker: u128) -> ActivitySid {
        office.all.worker(WorkerSid(worker)).unwrap().activity
    }

    #[test]
    fn a_worker_has_one_task_whatever_its_channels_take() {
        let mut office = Office::new(ONE_QUEUE);
        office.worker(1, json!({}), AVAILABLE);
        office.task_on(1, json!({}), 0, "voice");
        office.task_on(2, json!({}), 0, "chat");
        assert_eq!(office.offers(), [(1, 1), (2, 1)]);
        let mut office = Office::new(ONE_QUEUE);
        office.all.set_multi_task(false, office.mono());
        office.worker(1, json!({}), AVAILABLE);
        office.task_on(1, json!({}), 0, "voice");
        office.task_on(2, json!({}), 0, "chat");
        assert_eq!(office.offers(), [(1, 1)]);
        office.accept(1);
        assert_eq!(office.offers(), []);
        // Allowed more, it is given more.
        office.all.set_multi_task(true, office.mono());
        assert_eq!(office.offers(), [(2, 1)]);
    }

    #[test]
    fn what_a_worker_does_follows_what_it_has() {
        let mut office = single();
        office.worker(1, json!({}), AVAILABLE);
        office.task(1, json!({}));
        assert_eq!(does(&office, 1), RESERVED);
        office.accept(1);
        assert_eq!(does(&office, 1), BUSY);
        let now = office.mono();
        office.all.complete(base::TaskSid(1), "done", now).unwrap();
        assert_eq!((does(&office, 1), office.status(1)), (BUSY, TaskStatus::Completed));
    }

    #[test]
    fn an_offer_that_comes_to_nothing_leaves_it_where_it_was() {
        type End = fn(&mut Office);
        let ends: [(End, ActivitySid); 5] = [
            (|office| office.all.cancel(base::TaskSid(1), "x", office.mono()).unwrap(), AVAILABLE),
            (|office| office.all.withdraw(office.offer_to(1), office.mono()).unwrap(), RESERVED),
            (|office| office.all.reject(office.offer_to(1), None, office.mono()).unwrap(), RESERVED),
            (|office| office.all.reject(office.offer_to(1), Some(WRAP_UP), office.mono()).unwrap(), WRAP_UP),
            (|office| office.pass(5), OFFLINE),
        ];
        for (n, (end, then)) in ends.into_iter().enumerate() {
            let mut office = single();
            office.worker(1, json!({}), AVAILABLE);
            office.task(1, json!({}));
            end(&mut office);
            // Whoever is available is asked again at once.
            assert_eq!(does(&office, 1), then, "{n}");
        }
    }

    /// The box stopped between what was written of an offer and what was written of its worker.
    #[test]
    fn after_a_restart_nobody_stays_reserved_for_what_is_not_there() {
        for lost in [false, true] {
            let mut office = single();
            office.worker(1, json!({}), AVAILABLE);
            office.task(1, json!({}));
            if lost {
                office.all.workers.get_mut(&WorkerSid(1)).unwrap().reservations.clear();
            }
            let now = office.mono();
            office.all.resume(now);
            assert_eq!(does(&office, 1), if lost { AVAILABLE } else { RESERVED });
        }
    }

    #[test]
    fn of_two_who_were_asked_the_slower_one_goes_back() {
        let mut office = single();
        office.queue(3, "1==1", 2, TaskOrder::Fifo);
        office.worker(1, json!({}), AVAILABLE);
        office.worker(2, json!({}), AVAILABLE);
        office.task(1, json!({}));
        assert_eq!((does(&office, 1), does(&office, 2)), (RESERVED, RESERVED));
        office.accept(2);
        assert_eq!((does(&office, 1), does(&office, 2)), (AVAILABLE, BUSY));
    }

    #[test]
    fn queues_of_the_order_that_comes_first_come_first() {
        for (order, first) in [(TaskOrder::Fifo, 1), (TaskOrder::Lifo, 2)] {
            let mut office = Office::new(
                r#"{"filters":[{"expression":"new == 1","targets":[{"queue":"WQ2"}]},
                    {"expression":"1==1","targets":[{"queue":"WQ3"}]}]}"#,
            );
            office.queue(2, "1==1", 1, TaskOrder::Lifo);
            office.all.set_queue_order(order);
            office.task_on(1, json!({}), 0, "voice");
            office.task_on(2, json!({"new": 1}), 9, "voice");
            office.worker(1, json!({}), AVAILABLE);
            assert_eq!(office.offers(), [(first, 1)], "{order:?}");
        }
    }
}
