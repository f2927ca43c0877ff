//! Which worker may serve which queue, and who of them is free: kept up to date by every change, so that a decision looks
//! nothing up that it could know.

use std::collections::BTreeSet;

use base::{TaskQueueSid, WorkerSid};

use crate::expr::{Step, Which};
use crate::idle::{Idle, Reads, kind_of};
use crate::names::WorkerCounts;
use crate::queue::Queue;
use crate::worker::Worker;
use crate::workflow::Target;
use crate::workspace::Workspace;

impl Workspace {
    /// `ChannelOptimizedRouting`: whether on a channel whoever has more room comes before whoever was idle longer
    /// (reference: taskrouter §3).
    pub fn set_optimized(&mut self, channel: &str, optimized: bool) {
        let changed = match optimized {
            true => self.optimized.insert(channel.to_owned()),
            false => self.optimized.remove(channel),
        };
        if changed {
            self.rejoin_all();
        }
    }

    pub(crate) fn rejoin_all(&mut self) {
        let workers: Vec<WorkerSid> = self.workers.keys().copied().collect();
        for worker in workers {
            self.leave_idle(worker);
            self.join_idle(worker);
        }
    }

    /// The targets into these queues are others: what they read of a worker is worked out anew.
    pub(crate) fn read_targets(&mut self, queues: impl IntoIterator<Item = TaskQueueSid>) {
        let mut moved = BTreeSet::new();
        for sid in queues {
            let mut reads = Reads::new();
            let flows = self.workflows.values().map(|flow| &flow.configuration);
            for target in flows.flat_map(|flow| flow.targets()).filter(|target| target.queue == sid) {
                reads.extend(read_by(target));
            }
            let Some(queue) = self.queues.get_mut(&sid) else { continue };
            if queue.reads != reads {
                queue.reads = reads;
                moved.extend(queue.eligible.iter().copied());
            }
        }
        for worker in moved {
            self.leave_idle(worker);
            self.join_idle(worker);
        }
    }

    /// A worker's attributes have changed: which queues it may serve is found out anew.
    pub(crate) fn reindex(&mut self, sid: WorkerSid) {
        self.leave_idle(sid);
        self.forget_looked(sid);
        let Some(worker) = self.workers.get(&sid) else { return };
        let serves = self.serves.entry(sid).or_default();
        for (queue_sid, queue) in &mut self.queues {
            find_out(worker, *queue_sid, queue, serves);
        }
        self.join_idle(sid);
    }

    /// Everybody's attributes are to be looked at: as [`Self::reindex`] of each, but a worker is asked only about queues
    /// it could serve, of however many there are.
    pub(crate) fn reindex_all(&mut self) {
        let which = Which::new(self.queues.iter().map(|(sid, queue)| (&queue.config.target_workers, *sid)));
        let workers: Vec<WorkerSid> = self.workers.keys().copied().collect();
        for sid in workers {
            self.leave_idle(sid);
            self.forget_looked(sid);
            let Some(worker) = self.workers.get(&sid) else { continue };
            let serves = self.serves.entry(sid).or_default();
            let mut asked = which.may_be_true(&worker.attributes);
            asked.extend(serves.iter());
            for queue_sid in asked {
                if let Some(queue) = self.queues.get_mut(&queue_sid) {
                    find_out(worker, queue_sid, queue, serves);
                }
            }
            self.join_idle(sid);
        }
    }

    /// A queue has changed: who may serve it is found out anew.
    pub(crate) fn reindex_queue(&mut self, queue_sid: TaskQueueSid) {
        let workers: Vec<WorkerSid> = self.workers.keys().copied().collect();
        for sid in workers {
            self.leave_idle(sid);
            self.forget_looked(sid);
            if let (Some(worker), Some(queue)) = (self.workers.get(&sid), self.queues.get_mut(&queue_sid)) {
                find_out(worker, queue_sid, queue, self.serves.entry(sid).or_default());
            }
            self.join_idle(sid);
        }
    }

    /// Takes a worker out of the idle of all its queues, before anything about its turn changes.
    pub(crate) fn leave_idle(&mut self, sid: WorkerSid) {
        for queue in self.serves.get(&sid).into_iter().flatten() {
            let Some(queue) = self.queues.get_mut(queue) else { continue };
            queue.idle.values_mut().for_each(|idle| idle.remove(sid));
        }
    }

    /// Puts a worker among the idle of its queues, on the channels it has room on.
    pub(crate) fn join_idle(&mut self, sid: WorkerSid) {
        let (Some(worker), Some(serves)) = (self.workers.get(&sid), self.serves.get(&sid)) else { return };
        let activity = &self.activities[&worker.activity];
        if !activity.available {
            return;
        }
        let sids = (sid.to_string(), worker.activity.to_string());
        let names = worker.names(&sids, activity);
        let (multi_task, optimized) = (self.multi_task, &self.optimized);
        for queue in serves {
            let Some(Queue { idle, reads, .. }) = self.queues.get_mut(queue) else { continue };
            if idle.is_empty() {
                continue;
            }
            let kind = kind_of(reads, &names);
            for (channel, idle) in idle {
                if worker.has_room(channel, multi_task) {
                    idle.insert(worker.turn_on(channel, optimized), &kind);
                }
            }
        }
    }

    /// From now on it is kept who of a queue is free on a channel, for a task looks for somebody. Most queues see one
    /// channel, and a worker who comes or goes is entered once for each.
    pub(crate) fn watch(&mut self, queue: TaskQueueSid, channel: &str) {
        let Some(Queue { idle, reads, eligible, .. }) = self.queues.get_mut(&queue) else { return };
        if idle.contains_key(channel) {
            return;
        }
        let mut free = Idle::default();
        for worker in eligible.iter().filter_map(|sid| self.workers.get(sid)) {
            let activity = &self.activities[&worker.activity];
            if activity.available && worker.has_room(channel, self.multi_task) {
                let sids = (worker.sid.to_string(), worker.activity.to_string());
                let kind = kind_of(reads, &worker.names(&sids, activity));
                free.insert(worker.turn_on(channel, &self.optimized), &kind);
            }
        }
        idle.insert(channel.to_owned(), free);
    }

    /// Who of a queue's workers does what.
    pub(crate) fn counts(&self, queue: TaskQueueSid) -> WorkerCounts {
        let mut counts = WorkerCounts::default();
        let Some(queue) = self.queues.get(&queue) else { return counts };
        for (sid, count) in &queue.by_activity {
            let available = self.activities.get(sid).is_some_and(|activity| activity.available);
            *if available { &mut counts.available } else { &mut counts.unavailable } += count;
            counts.by_activity.insert(sid.to_string(), *count);
        }
        counts
    }
}

/// Whether a worker may serve a queue.
fn find_out(worker: &Worker, sid: TaskQueueSid, queue: &mut Queue, serves: &mut BTreeSet<TaskQueueSid>) {
    if queue.config.target_workers.is_true(&worker.attributes) {
        serves.insert(sid);
        if queue.eligible.insert(worker.sid) {
            queue.count(worker.activity, true);
        }
    } else if serves.remove(&sid) && queue.eligible.remove(&worker.sid) {
        queue.count(worker.activity, false);
    }
}

/// What a target reads of a worker: for its expression, and to put those who can in its order.
fn read_by(target: &Target) -> impl Iterator<Item = Vec<Step>> + '_ {
    let expression = target.expression.iter().flat_map(|expression| expression.keys_of("worker"));
    let order = target.order_by.iter().map(|order| vec![Step::Name(order.attribute.clone())]);
    expression.map(<[Step]>::to_vec).chain(order)
}

#[cfg(test)]
mod tests {
    use base::WorkerSid;
    use serde_json::json;

    use super::*;
    use crate::event::{Event, KnownWorkerFault, Obstacle, Output, Why};
    use crate::office::{AVAILABLE, OFFLINE, ONE_QUEUE, Office};
    use crate::queue::TaskOrder;

    const SPEAKS: &str = r#"{"filters":[{"expression":"1==1","targets":[
        {"queue":"WQ3","expression":"worker.speaks HAS task.language"}]}]}"#;

    fn why(office: &mut Office) -> Option<Why> {
        let mut found = None;
        while let Some(output) = office.all.poll_output() {
            if let Output::Event { event: Event::ReservationCreated { why, .. }, .. } = output {
                found = Some(why);
            }
        }
        found
    }

    /// Whoever can is found behind thousands who cannot, and it is told how many those were.
    #[test]
    fn behind_hundreds_of_one_kind_the_first_of_another_is_found() {
        let mut office = Office::new(SPEAKS);
        for n in 1..=300 {
            office.worker(n, json!({"speaks": ["de"], "desk": n.to_string()}), AVAILABLE);
        }
        office.now = 1;
        office.worker(301, json!({"speaks": ["fr"]}), AVAILABLE);
        office.task(1, json!({"language": "fr"}));
        let idle = &office.all.queues[&TaskQueueSid(3)].idle;
        let kinds = (idle["voice"].len(), idle["voice"].heads().count());
        assert_eq!((idle.len(), kinds), (1, (300, 1)), "what no target reads makes no kind");
        assert_eq!(office.offers(), [(1, 301)]);
        let passed_over = vec![(WorkerSid(1), Obstacle::Expression)];
        let expected =
            Why::TaskCame { eligible: 301, free: 301, able: 1, ordered: false, passed_over, more: 299 };
        assert_eq!(why(&mut office), Some(expected));
        // A worker who learns something is of another kind at once; so are all when the workflow is another.
        office.all.set_attributes(WorkerSid(7), json!({"speaks": ["es"]}), office.mono()).unwrap();
        office.task(2, json!({"language": "es"}));
        assert_eq!(office.offers(), [(1, 301), (2, 7)]);
    }

    #[test]
    fn the_one_a_task_knows_is_found_by_sid_and_by_its_latest_name() {
        let mut office = Office::new(
            r#"{"filters":[
            {"expression":"agent != null","targets":[{"queue":"WQ3","known_worker_friendly_name":"task.agent"}]},
            {"expression":"1==1","targets":[{"queue":"WQ3","known_worker_sid":"task.sid"}]}]}"#,
        );
        for n in 1..=4 {
            office.worker(n, json!({}), AVAILABLE);
        }
        office.all.rename_worker(WorkerSid(3), "Zoe", office.mono()).unwrap();
        office.task(1, json!({"agent": "Zoe"}));
        office.task(2, json!({"agent": "worker 3"}));
        office.task(3, json!({"sid": WorkerSid(2).to_string()}));
        office.task(4, json!({"sid": "nobody"}));
        assert_eq!(office.offers(), [(1, 3), (3, 2)]);
    }

    /// (reference: taskrouter §6.4)
    #[test]
    fn a_known_worker_who_cannot_be_had_is_told_once_at_each_target() {
        for (attributes, expected) in [
            (json!({"sid": WorkerSid(1).to_string()}), vec![]),
            (json!({"sid": WorkerSid(2).to_string()}), vec![KnownWorkerFault::NotInQueue]),
            (json!({"sid": WorkerSid(9).to_string()}), vec![KnownWorkerFault::Elsewhere]),
            (json!({"sid": "Zoe"}), vec![KnownWorkerFault::NotNamed]),
            (json!({"sid": 7}), vec![KnownWorkerFault::NotNamed]),
            (json!({"sid": null}), vec![]),
            (json!({"name": "worker 1"}), vec![]),
            (json!({"name": "worker 2"}), vec![KnownWorkerFault::NotInQueue]),
            (json!({"name": "worker 9"}), vec![KnownWorkerFault::NotNamed]),
        ] {
            let mut office = Office::new(
                r#"{"filters":[
                {"expression":"name != null","targets":[{"queue":"WQ2","known_worker_friendly_name":"task.name"}]},
                {"expression":"1==1","targets":[{"queue":"WQ2","known_worker_sid":"task.sid"}]}]}"#,
            );
            office.worker(1, json!({"level": 2}), OFFLINE);
            office.worker(2, json!({"level": 1}), OFFLINE);
            office.task(1, attributes.clone());
            let mut faults = Vec::new();
            while let Some(output) = office.all.poll_output() {
                if let Output::KnownWorker { fault, .. } = output {
                    faults.push(fault);
                }
            }
            assert_eq!(faults, expected, "{attributes}");
        }
    }

    /// A task on a channel that nobody has asked for yet finds whoever has room there, and nobody else.
    #[test]
    fn the_first_task_on_a_channel_finds_whoever_is_free_on_it() {
        let mut office = Office::new(ONE_QUEUE);
        for n in 1..=4 {
            office.worker(n, json!({}), AVAILABLE);
            office.now += 1;
        }
        office.all.set_capacity(WorkerSid(1), "fax", 0, true, office.mono()).unwrap();
        office.activity(2, OFFLINE);
        office.task(1, json!({}));
        office.task_on(2, json!({}), 0, "fax");
        assert_eq!(
            office.offers(),
            [(1, 1), (2, 3)],
            "the second one has gone, the first has no room for it"
        );
        office.activity(2, AVAILABLE);
        office.task_on(3, json!({}), 0, "fax");
        office.task_on(4, json!({}), 0, "fax");
        assert_eq!(office.offers(), [(1, 1), (2, 3), (3, 4), (4, 2)]);
    }

    /// (reference: taskrouter §3, `ChannelOptimizedRouting`)
    #[test]
    fn on_an_optimized_channel_whoever_has_more_room_comes_first() {
        let mut office = Office::new(ONE_QUEUE);
        for (n, capacity) in [(1, 4), (2, 2)] {
            office.worker(n, json!({}), AVAILABLE);
            office.all.set_capacity(WorkerSid(n), "chat", capacity, true, office.mono()).unwrap();
            office.now += 1;
        }
        office.all.set_optimized("chat", true);
        for n in 1..=5 {
            office.task_on(n, json!({}), 0, "chat");
        }
        // Full to 0/0, 25/0, 25/50, 50/50, 75/50 per cent before each.
        assert_eq!(office.offers(), [(1, 1), (2, 2), (3, 1), (4, 1), (5, 2)]);
        office.all.set_optimized("chat", false);
        office.task_on(6, json!({}), 0, "chat");
        assert_eq!(office.offers().last(), Some(&(6, 1)));
    }

    #[test]
    fn who_does_what_is_counted_as_it_changes() {
        let mut office = Office::new(ONE_QUEUE);
        let counted = |office: &Office| {
            let counts = office.all.counts(TaskQueueSid(2));
            (counts.available, counts.unavailable)
        };
        office.worker(1, json!({"level": 2}), AVAILABLE);
        office.worker(2, json!({"level": 2}), OFFLINE);
        office.worker(3, json!({"level": 1}), AVAILABLE);
        assert_eq!(counted(&office), (1, 1));
        office.activity(2, AVAILABLE);
        office.all.set_attributes(WorkerSid(3), json!({"level": 3}), office.mono()).unwrap();
        assert_eq!(counted(&office), (3, 0));
        office.activity(1, OFFLINE);
        office.all.remove_worker(WorkerSid(1)).unwrap();
        assert_eq!(counted(&office), (2, 0));
        office.queue(2, "level == 3", 1, TaskOrder::Fifo);
        assert_eq!(counted(&office), (1, 0));
    }
}
