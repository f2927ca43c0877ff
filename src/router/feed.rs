//! A worker who becomes free takes the first task of all its queues that it can take (reference: taskrouter §5).

use std::collections::btree_map::Entry;
use std::time::Duration;

use base::{Mono, TaskQueueSid, TaskSid, WorkerSid, WorkflowSid};
use serde_json::Value;

use crate::event::{Obstacle, Why};
use crate::line::{Class, Line};
use crate::queue::Rank;
use crate::task::Task;
use crate::worker::Worker;
use crate::workflow::{KnownWorker, Target};
use crate::workspace::{Timer, Workspace};

/// Classes of a queue's tasks that a worker looks at in one go; it goes on after a pause.
pub(crate) const CLASSES_LOOKED_AT_MAX: usize = 1_000;

/// Between two goes others are served.
const PAUSE: Duration = Duration::from_millis(10);

/// How far a worker has looked in each queue and channel where there is more.
pub(crate) type Looked = Vec<((TaskQueueSid, String), (Rank, TaskSid))>;

/// What a worker found.
#[derive(Default)]
struct Found {
    best: Option<((bool, Rank), TaskSid, u32)>,
    /// Where there is more to look at.
    more: Looked,
}

impl Workspace {
    /// Gives a worker tasks as long as it has room and there are any.
    pub(crate) fn feed(&mut self, worker: WorkerSid, now: Mono) {
        while let Some((task, why, more)) = self.task_for(worker, None) {
            match task {
                Some(task) => self.reserve(task, worker, why, now),
                None => {
                    // It looks on where it was before, if it was looking: what is new has found it already.
                    if let Entry::Vacant(place) = self.looked.entry(worker) {
                        place.insert(more);
                        self.set_timer(Timer::Look(worker), now + PAUSE);
                    }
                    return;
                }
            }
        }
    }

    /// A worker that has found nothing yet looks at what lies further back.
    pub(crate) fn look_on(&mut self, worker: WorkerSid, now: Mono) {
        let Some(looked) = self.looked.remove(&worker) else { return };
        match self.task_for(worker, Some(&looked)) {
            Some((Some(task), why, _)) => {
                self.reserve(task, worker, why, now);
                self.feed(worker, now);
            }
            Some((None, _, more)) => {
                self.looked.insert(worker, more);
                self.set_timer(Timer::Look(worker), now + PAUSE);
            }
            None => {}
        }
    }

    /// A worker is another than it was: what it saw counts no longer.
    pub(crate) fn forget_looked(&mut self, worker: WorkerSid) {
        if self.looked.remove(&worker).is_some() {
            self.cancel_timer(Timer::Look(worker));
        }
    }

    /// The first task of all of a worker's queues that it can take, and why; no task where there is more to look at.
    /// `after`: only there, and only behind what it has seen.
    fn task_for(&self, sid: WorkerSid, after: Option<&Looked>) -> Option<(Option<TaskSid>, Why, Looked)> {
        let worker = self.workers.get(&sid)?;
        if !self.activities[&worker.activity].available {
            return None;
        }
        let serves = self.serves.get(&sid)?;
        let mut found = Found::default();
        let names = [format!("sid:{sid}"), format!("name:{}", worker.name)];
        match after {
            None => {
                for queue in serves.iter().filter_map(|queue| self.queues.get(queue)) {
                    for (channel, line) in &queue.waiting {
                        self.look(worker, (queue.config.sid, channel, line), &names, None, &mut found);
                    }
                }
            }
            Some(looked) => {
                for ((queue, channel), seen) in looked.iter().filter(|((queue, _), _)| serves.contains(queue))
                {
                    let line = self.queues.get(queue).and_then(|queue| queue.waiting.get(channel));
                    let Some(line) = line else { continue };
                    self.look(worker, (*queue, channel, line), &names, Some(*seen), &mut found);
                }
            }
        }
        let Found { best, more } = found;
        if let Some(meant) = self.first_meant(sid)
            && best.is_none_or(|((_, found), ..)| meant.0 <= found)
        {
            return Some((Some(meant.1), Why::MeantFor, Looked::new()));
        }
        let queues = u32::try_from(serves.len()).unwrap_or(u32::MAX);
        let (task, passed_over) = best.map_or((None, 0), |(_, task, passed_over)| (Some(task), passed_over));
        (task.is_some() || !more.is_empty()).then_some((task, Why::WorkerCame { queues, passed_over }, more))
    }

    /// The first of a line that a worker can take.
    fn look(
        &self,
        worker: &Worker,
        (queue, channel, line): (TaskQueueSid, &String, &Line),
        names: &[String; 2],
        after: Option<(Rank, TaskSid)>,
        found: &mut Found,
    ) {
        if !self.has_room(worker, channel) {
            return;
        }
        let mut first: Option<(Rank, TaskSid)> = None;
        let (mut passed_over, mut looked) = (0_u32, 0);
        for (rank, head, number) in line.heads(names, after) {
            if first.is_some_and(|(found, _)| found < rank) {
                break;
            }
            looked += 1;
            if looked > CLASSES_LOOKED_AT_MAX {
                break;
            }
            // Of a class a worker can take none or all, but for those that it was offered already.
            let free = line.class(number).find_map(|(rank, sid)| match self.answer(sid, worker.sid) {
                Some(Obstacle::OfferedAlready | Obstacle::HandsItOn) => None,
                other => Some((rank, sid, other)),
            });
            match free {
                Some((rank, sid, None)) => {
                    first = [first, Some((rank, sid))].into_iter().flatten().min();
                }
                Some((_, _, Some(_))) | None => passed_over = passed_over.saturating_add(1),
            }
            if looked == CLASSES_LOOKED_AT_MAX && first.is_none() {
                found.more.push(((queue, channel.clone()), (rank, head)));
            }
        }
        let Some(task) = first.and_then(|(_, sid)| self.tasks.get(&sid)) else { return };
        // Between queues of one order it is priority and age that count, however each is ordered in itself.
        let rank = self.between_queues(task);
        if found.best.is_none_or(|(before, ..)| rank < before) {
            found.best = Some((rank, task.sid, passed_over));
        }
    }

    /// What keeps a worker from a waiting task.
    fn answer(&self, sid: TaskSid, worker: WorkerSid) -> Option<Obstacle> {
        let Some(task) = self.tasks.get(&sid) else { return Some(Obstacle::Expression) };
        let target = task.place.and_then(|place| self.target(sid, place));
        if target.is_none() && task.direct.is_none() {
            return Some(Obstacle::Expression);
        }
        self.obstacle(task, target, worker)
    }

    /// Whether a task is among those that wait.
    pub(crate) fn waits(&self, sid: TaskSid) -> bool {
        let Some(task) = self.tasks.get(&sid) else { return false };
        match task.meant_for() {
            Some(meant) => {
                self.meant.get(&meant).is_some_and(|tasks| tasks.contains(&(Rank::fifo(task), sid)))
            }
            None => {
                task.queue.and_then(|queue| self.queues.get(&queue)).is_some_and(|queue| queue.holds(task))
            }
        }
    }

    /// Of which class a task is where it stands.
    pub(crate) fn class_of(&self, task: &Task) -> Class {
        let Some((place, target)) = task.place.and_then(|place| Some((place, self.target(task.sid, place)?)))
        else {
            return Class::default();
        };
        Class {
            place: Some((task.workflow, place)),
            values: values_of(target, &task.attributes),
            known: target.known_worker.as_ref().map(|known| known_of(known, &task.attributes)),
        }
    }

    /// A workflow's targets are others: what waits at them is asked otherwise.
    pub(crate) fn reclassify(&mut self, workflow: WorkflowSid) {
        let waits = |task: &&Task| task.workflow == workflow && self.waits(task.sid);
        let waiting: Vec<_> = self.tasks.values().filter(waits).map(|task| task.sid).collect();
        waiting.into_iter().for_each(|sid| self.wait(sid));
    }
}

/// What a target's expression reads of a task.
fn values_of(target: &Target, attributes: &Value) -> String {
    use crate::expr::Names;
    let mut values = String::new();
    for key in target.expression.iter().flat_map(|expression| expression.keys_of("task")) {
        match attributes.value(key) {
            Some(value) => values.push_str(&value.to_string()),
            None => values.push_str("null"),
        }
        values.push('\n');
    }
    values
}

fn known_of(known: &KnownWorker, attributes: &Value) -> String {
    let (kind, attribute) = match known {
        KnownWorker::Sid(attribute) => ("sid", attribute),
        KnownWorker::FriendlyName(attribute) => ("name", attribute),
    };
    match attributes.get(attribute).and_then(Value::as_str) {
        Some(name) => format!("{kind}:{name}"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::office::{AVAILABLE, Office};

    const SPEAKS: &str = r#"{"filters":[{"expression":"1==1","targets":[
        {"queue":"WQ3","expression":"worker.speaks HAS task.language"}]}]}"#;

    /// However many wait that a worker cannot take, it finds the one it can.
    #[test]
    fn behind_thousands_of_one_kind_the_first_of_another_is_found_at_once() {
        let mut office = Office::new(SPEAKS);
        for n in 1..=3_000 {
            office.task(n, json!({"language": "de"}));
        }
        office.task(3_001, json!({"language": "fr"}));
        office.worker(1, json!({"speaks": ["fr"]}), AVAILABLE);
        assert_eq!(office.offers(), [(3_001, 1)]);
    }

    /// Nor do the kinds need to be few: it looks on, a thousand at a time, while others are served.
    #[test]
    fn behind_thousands_of_kinds_it_is_found_in_the_end() {
        let mut office = Office::new(SPEAKS);
        for n in 1..=3_500 {
            office.task(n, json!({"language": format!("language {n}")}));
        }
        office.worker(1, json!({"speaks": ["language 3500"]}), AVAILABLE);
        assert_eq!(office.offers(), []);
        let mut goes = 0;
        while office.offers().is_empty() {
            let (at, reason) = office.all.poll_timeout().unwrap();
            assert_eq!(
                (reason.0, at.since(office.mono()) <= Duration::from_millis(40)),
                ("more to look at", true)
            );
            // What else happens does not begin it anew.
            office.all.set_capacity(WorkerSid(1), "chat", 1, true, at).unwrap();
            office.all.handle_timeout(at);
            goes += 1;
        }
        assert_eq!((office.offers(), goes), (vec![(3_500, 1)], 3));
        // Who can take nothing at all comes to an end, and is found by what comes.
        office.worker(2, json!({"speaks": []}), AVAILABLE);
        for _ in 0..3 {
            let (at, _) = office.all.poll_timeout().unwrap();
            office.all.handle_timeout(at);
        }
        assert!(office.all.looked.is_empty());
        office.all.set_attributes(WorkerSid(2), json!({"speaks": ["language 7"]}), office.mono()).unwrap();
        assert_eq!(office.offers(), [(7, 2), (3_500, 1)]);
    }

    #[test]
    fn a_task_that_changes_is_asked_of_everybody_anew() {
        let mut office = Office::new(SPEAKS);
        office.worker(1, json!({"speaks": ["fr"]}), AVAILABLE);
        office.task(1, json!({"language": "de"}));
        office.task(2, json!({"language": "de"}));
        assert_eq!(office.offers(), []);
        office.all.update_task(TaskSid(2), Some(json!({"language": "fr"})), None, office.mono()).unwrap();
        assert_eq!(office.offers(), [(2, 1)]);
    }
}
