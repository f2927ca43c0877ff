//! Random days for tests: people come and go, work comes, is done, turned down, handed on and taken back.

use std::time::Duration;

use base::{Mono, Rng, TaskQueueSid, TaskSid, TransferSid, WorkerSid};
use serde_json::json;

use crate::input::Input;
use crate::life::NewTask;
use crate::office::{AVAILABLE, FLOW, OFFLINE, Office, WRAP_UP};
use crate::queue::{QueueConfig, TaskOrder};
use crate::replay::Entry;
use crate::transfer::{Direct, NewTransfer, TransferMode};
use crate::{Expr, ReservationStatus, Workspace};

/// Filters that overlap, targets that time out, skip, choose and order.
pub(crate) const ROUTING: &str = r#"{"filters":[
    {"expression":"language == 'de'","targets":[
      {"queue":"WQ1","timeout":20,"priority":3},{"queue":"WQ2","timeout":20},{"timeout":5,"expression":"worker.level > 0"}]},
    {"expression":"level > 1","targets":[
      {"queue":"WQ2","expression":"worker.level >= task.level","timeout":60,"skip_if":"workers.available == 0"}]},
    {"expression":"agent != null","targets":[{"queue":"WQ3","known_worker_friendly_name":"task.agent","timeout":15},
      {"priority":9,"order_by":"worker.level DESC"}]}],
    "default_filter":{"queue":"WQ3","order_by":"worker.level DESC"}}"#;

pub(crate) const WORKERS: u64 = 8;

/// Tasks at once, those that are over among them: more come only when these are forgotten.
const TASKS: usize = 60;

/// A day of an office.
pub(crate) struct Day {
    pub(crate) all: Workspace,
    pub(crate) now: Mono,
    tasks: u128,
    transfers: u128,
    /// Whether tasks are handed on and meant for somebody too.
    pub(crate) hands_on: bool,
}

impl Day {
    pub(crate) fn new(seed: u64) -> Self {
        let mut office = Office::new(ROUTING);
        office.queue(2, "level >= 2", 2, TaskOrder::Fifo);
        office.queue(3, "1==1", 1, if seed.is_multiple_of(3) { TaskOrder::Lifo } else { TaskOrder::Fifo });
        office.all.set_optimized("chat", !seed.is_multiple_of(2));
        while office.all.poll_output().is_some() {}
        Self { all: office.all, now: Mono(1_000_000_000_000), tasks: 0, transfers: 0, hands_on: true }
    }

    /// Something happens, after everything that was due before it.
    pub(crate) fn step(&mut self, rng: &mut Rng) -> Entry {
        if let Some((at, _)) = self.all.poll_timeout()
            && at <= self.now
        {
            let at = at.max(self.now);
            return self.all.record(Input::Timeout, at).1;
        }
        if rng.chance(0.4) {
            // Often nothing passes, so that much falls together; sometimes so much that what waits is over.
            let ms = if rng.chance(0.02) { rng.below(4_000_000) } else { rng.below(4_000) };
            let later = self.now + Duration::from_millis(ms);
            self.now = self.all.poll_timeout().map_or(later, |(at, _)| at.min(later));
        }
        let input = self.input(rng);
        self.all.record(input, self.now).1
    }

    fn input(&mut self, rng: &mut Rng) -> Input {
        let worker = WorkerSid(u128::from(rng.below(WORKERS)) + 1);
        if self.all.worker(worker).is_none() {
            let (name, attributes) = (format!("worker {}", worker.0), worker_attributes(rng));
            return Input::AddWorker { worker, name, attributes, activity: AVAILABLE };
        }
        match rng.below(24) {
            0..=2 => {
                let activity = [AVAILABLE, AVAILABLE, AVAILABLE, OFFLINE, WRAP_UP][rng.below(5) as usize];
                Input::SetActivity { worker, activity }
            }
            3 => Input::SetAttributes { worker, attributes: worker_attributes(rng) },
            4 => {
                let channel = channel(rng);
                Input::SetCapacity {
                    worker,
                    channel,
                    capacity: rng.below(4) as u32,
                    available: rng.chance(0.9),
                }
            }
            5 => self.put_queue(rng),
            6..=10 if self.all.tasks.len() < TASKS => self.create(rng),
            11..=16 => {
                let pending: Vec<_> = self
                    .all
                    .reservations
                    .values()
                    .filter(|one| one.status == ReservationStatus::Pending || rng.chance(0.02))
                    .map(|one| one.sid)
                    .collect();
                let Some(reservation) = one_of(&pending, rng) else { return Input::Timeout };
                match rng.below(4) {
                    0 => Input::Reject { reservation, activity: rng.chance(0.4).then_some(WRAP_UP) },
                    _ => Input::Accept(reservation),
                }
            }
            17 if self.hands_on => self.hand_on(rng),
            _ => {
                let tasks: Vec<_> = self.all.tasks.keys().copied().collect();
                let Some(task) = one_of(&tasks, rng) else { return Input::Timeout };
                let reason = "so".to_owned();
                match rng.below(6) {
                    0 => Input::Cancel { task, reason },
                    1 => Input::WrapUp(task),
                    _ => Input::Complete { task, reason },
                }
            }
        }
    }

    fn put_queue(&mut self, rng: &mut Rng) -> Input {
        let expressions = [
            (1, "languages HAS 'de'"),
            (1, "languages HAS 'de' OR level > 2"),
            (2, "level >= 2"),
            (2, "level >= 1"),
        ];
        let (n, expression) = expressions[rng.below(4) as usize];
        let (sid, name) = (TaskQueueSid(n), format!("queue {n}"));
        let target_workers = Expr::parse(expression).unwrap();
        let max_reserved = rng.below(3) as u32 + 1;
        Input::PutQueue(QueueConfig { sid, name, target_workers, max_reserved, order: TaskOrder::Fifo })
    }

    fn create(&mut self, rng: &mut Rng) -> Input {
        self.tasks += 1;
        let mut attributes = json!({"level": rng.below(4)});
        match rng.below(5) {
            0 | 1 => attributes["language"] = json!("de"),
            2 => attributes["agent"] = json!(format!("worker {}", rng.below(WORKERS + 1))),
            _ => {}
        }
        let task = NewTask {
            sid: TaskSid(self.tasks),
            workflow: FLOW,
            attributes,
            channel: channel(rng),
            priority: rng.below(3) as u32,
            ttl: Duration::from_secs([30, 300, 3_600][rng.below(3) as usize]),
            head_start: Duration::from_secs(if rng.chance(0.2) { rng.below(40) } else { 0 }),
        };
        if self.hands_on && rng.chance(0.1) {
            return Input::CreateTaskFor { task, direct: direct(rng) };
        }
        Input::CreateTask(task)
    }

    fn hand_on(&mut self, rng: &mut Rng) -> Input {
        let all = self.all.reservations.values();
        let accepted: Vec<_> = all
            .filter(|one| one.status == ReservationStatus::Accepted || one.handed_on)
            .map(|one| one.sid)
            .collect();
        let Some(reservation) = one_of(&accepted, rng) else { return Input::Timeout };
        let task = self.all.reservations[&reservation].task;
        self.transfers += 1;
        match rng.below(6) {
            0 => Input::CancelTransfer(task),
            1 => Input::WrapUpReservation(reservation),
            2 => Input::CompleteReservation { reservation, reason: "so".to_owned() },
            _ => Input::Transfer(NewTransfer {
                sid: TransferSid(self.transfers),
                reservation,
                to: direct(rng),
                mode: if rng.chance(0.5) { TransferMode::Warm } else { TransferMode::Cold },
                priority: rng.chance(0.3).then_some(5),
                attributes: None,
            }),
        }
    }
}

fn worker_attributes(rng: &mut Rng) -> serde_json::Value {
    let languages = if rng.chance(0.5) { json!(["de"]) } else { json!([]) };
    let level = if rng.chance(0.1) { json!("high") } else { json!(rng.below(4)) };
    json!({"languages": languages, "level": level})
}

fn channel(rng: &mut Rng) -> String {
    if rng.chance(0.3) { "chat" } else { "voice" }.to_owned()
}

fn direct(rng: &mut Rng) -> Direct {
    if rng.chance(0.3) {
        return Direct::Queue(TaskQueueSid(u128::from(rng.below(4)) + 1));
    }
    let worker = WorkerSid(u128::from(rng.below(WORKERS)) + 1);
    Direct::Worker { worker, ignore_capacity: rng.chance(0.2) }
}

fn one_of<T: Copy>(all: &[T], rng: &mut Rng) -> Option<T> {
    (!all.is_empty()).then(|| all[rng.below(all.len() as u64) as usize])
}
