//! What a routing decision costs in a small workspace and in a large one: it may grow with the logarithm, not with the
//! size.
//!
//! A decision is what follows from a task that comes while workers are idle, or from a worker who becomes free while
//! tasks wait: the reservation is made, and accepted. Every worker serves a few of the queues.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench speaks to a person")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use base::{ActivitySid, Mono, Rng, TaskQueueSid, TaskSid, WorkerSid, WorkflowSid};
use router::{
    Activity, Event, Expr, NewTask, Output, QueueConfig, Snapshot, TaskOrder, Workflow, WorkflowConfig,
    Workspace,
};
use serde_json::json;

#[path = "common/machine.rs"]
mod machine;
#[path = "router/restart.rs"]
mod restart;

/// Workers, queues, tasks that wait.
const SIZES: [(u32, u32, u32); 2] = [(1_000, 20, 10_000), (10_000, 200, 100_000)];
/// Decisions of a measurement.
const DECISIONS: u32 = 1_000;
/// The median decision in the large workspace.
const BUDGET: Duration = Duration::from_micros(100);
/// How much longer it may take there than in the small one: the sizes differ by ten, their logarithms by less than a
/// third, caches by more.
const GROWTH: f64 = 3.0;

/// From the database to the first decision, with 100,000 tasks and 10,000 workers.
const REBUILD: Duration = Duration::from_secs(2);
/// Things told since the workspace was last written whole, when the box stops.
const TOLD: u32 = 25_000;

const AVAILABLE: ActivitySid = ActivitySid(1);
const OFFLINE: ActivitySid = ActivitySid(2);
const FLOW: WorkflowSid = WorkflowSid(1);

fn main() -> ExitCode {
    println!("router: microseconds a decision, median and p99; {}", machine::describe());
    // The large one first: its memory is counted, and must not be what the small one left.
    let large = measure(SIZES[1]);
    let rows = [measure(SIZES[0]), large];
    let mut met = true;
    for (n, what) in [
        "a task comes, workers are idle",
        "a worker becomes free, tasks wait",
        "a worker who may take none of them",
        "a task that none of all may take",
    ]
    .into_iter()
    .enumerate()
    {
        let [small, large] = [&rows[0], &rows[1]].map(|row| row.decisions[n]);
        let growth = large.0.as_secs_f64() / small.0.as_secs_f64();
        let is_met = large.0 <= BUDGET && growth <= GROWTH;
        met &= is_met;
        let us = |(median, p99): (Duration, Duration)| {
            format!("{:7.1} {:7.1}", median.as_secs_f64() * 1e6, p99.as_secs_f64() * 1e6)
        };
        let verdict = if is_met { "ok" } else { "OVER" };
        println!("{what:36} {}   {}   {growth:.2} times  {verdict}", us(small), us(large));
    }
    let large = &rows[1];
    let [written, read] = large.snapshot;
    let is_met = read <= REBUILD;
    met &= is_met;
    println!(
        "snapshot of {} MB: written in {:.2} s, read and rebuilt in {:.2} s  {}",
        large.snapshot_bytes / 1_000_000,
        written.as_secs_f64(),
        read.as_secs_f64(),
        if is_met { "ok" } else { "OVER" }
    );
    if let Some(again) = &large.restart {
        // By the clock on a machine that has nothing else to do; else by what was done.
        let is_met = again.ready.min(again.ready_cpu) <= REBUILD;
        met &= is_met;
        let s = |span: Duration| span.as_secs_f64();
        println!(
            "restart: {:.2} s to the first decision ({:.2} s of CPU), of that {:.2} s ({:.2} s) reading; then {:.3} s of outputs  {}",
            s(again.ready),
            s(again.ready_cpu),
            s(again.read),
            s(again.read_cpu),
            s(again.kept),
            if is_met { "ok" } else { "OVER" }
        );
        println!(
            "written whole and on the disk in {:.2} s; counted again from there and {} entries in {:.2} s, taken up in {:.3} s",
            s(again.whole),
            again.entries,
            s(again.counted),
            s(again.remembered)
        );
    }
    println!("memory: {} bytes a worker, {} bytes a waiting task", large.worker_bytes, large.task_bytes);
    println!("{:.0} tasks a second through their life, one core", large.lives);
    met &= large.lives >= 1_000.0;
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Row {
    /// Median and p99 of each kind.
    decisions: [(Duration, Duration); 4],
    worker_bytes: u64,
    task_bytes: u64,
    lives: f64,
    /// Writing it all down, and reading it again.
    snapshot: [Duration; 2],
    snapshot_bytes: usize,
    /// Of the large one.
    restart: Option<restart::Restart>,
}

fn measure((workers, queues, tasks): (u32, u32, u32)) -> Row {
    let activity = |sid, name: &str, available| Activity { sid, name: name.to_owned(), available };
    let activities = vec![activity(AVAILABLE, "Available", true), activity(OFFLINE, "Offline", false)];
    let mut office =
        Office { all: Workspace::new(activities, OFFLINE, Rng::seeded(1)), now: Mono(0), tasks: 0, queues };
    for n in 0..queues {
        let target_workers = Expr::parse(&format!("skills HAS {n} AND level >= 1")).unwrap();
        let (sid, name) = (TaskQueueSid(u128::from(n)), format!("queue {n}"));
        let config = QueueConfig { sid, name, target_workers, max_reserved: 1, order: TaskOrder::Fifo };
        office.all.put_queue(config, office.now).unwrap();
    }
    let filters: Vec<_> = (0..queues)
        .map(|n| json!({"expression": format!("skill == {n}"), "targets": [
            {"queue": TaskQueueSid(u128::from(n)), "expression": "worker.blind == null OR task.from == 'nobody'"}]}))
        .collect();
    let configuration =
        Workflow::parse(&json!({"task_routing": {"filters": filters}}).to_string()).unwrap().0;
    let reservation_timeout = Duration::from_secs(120);
    let config = WorkflowConfig { sid: FLOW, name: "flow".to_owned(), configuration, reservation_timeout };
    office.all.put_workflow(config).unwrap();

    let before = machine::process_bytes(std::process::id());
    let mut rng = Rng::seeded(2);
    for n in 0..workers {
        let skills: Vec<u64> = (0..4).map(|_| rng.below(u64::from(queues))).collect();
        let attributes = json!({"skills": skills, "level": 1 + rng.below(3)});
        let name = format!("worker {n}");
        office.tick();
        office.all.add_worker(WorkerSid(u128::from(n)), &name, attributes, AVAILABLE, office.now).unwrap();
    }
    let with_workers = machine::process_bytes(std::process::id());

    let mut came = Vec::new();
    for _ in 0..DECISIONS.min(workers / 2) {
        came.push(office.timed(|office| office.task(&mut rng)));
    }
    // Everybody has something to do, and the rest waits.
    for _ in 0..workers + tasks {
        office.task(&mut rng);
    }
    let with_tasks = machine::process_bytes(std::process::id());
    let mut free = Vec::new();
    let began = Instant::now();
    for _ in 0..DECISIONS {
        let task = office.assigned(&mut rng);
        free.push(office.timed(|office| {
            office.all.complete(task, "done", office.now).unwrap();
            office.settle();
        }));
        office.task(&mut rng);
    }
    let lives = f64::from(DECISIONS) / began.elapsed().as_secs_f64();
    // Those who are blind are refused everything that waits, tens of thousands of tasks of one kind.
    let mut refused = Vec::new();
    for n in 0..DECISIONS {
        let sid = WorkerSid(u128::from(workers + n));
        let attributes = json!({"skills": [n % queues, (n + 1) % queues], "level": 1, "blind": true});
        office.all.add_worker(sid, "blind", attributes, OFFLINE, office.now).unwrap();
        refused.push(office.timed(|office| {
            office.all.set_activity(sid, AVAILABLE, office.now).unwrap();
            office.settle();
        }));
        assert!(office.all.worker(sid).unwrap().reservations.is_empty(), "it may take none");
    }
    let (snapshot, snapshot_bytes) = again(&office.all);
    let restart = (workers >= SIZES[1].0).then(|| office.restart(&mut rng));
    Row {
        restart,
        decisions: [spread(came), spread(free), spread(refused), crowd(workers)],
        snapshot,
        snapshot_bytes,
        worker_bytes: with_workers.saturating_sub(before) / u64::from(workers),
        task_bytes: with_tasks.saturating_sub(with_workers) / u64::from(tasks),
        lives,
    }
}

/// All workers are idle and serve one queue, and none of them knows enough for what comes.
fn crowd(workers: u32) -> (Duration, Duration) {
    let activities = [(AVAILABLE, "Available", true), (OFFLINE, "Offline", false)]
        .map(|(sid, name, available)| Activity { sid, name: name.to_owned(), available });
    let mut office = Office {
        all: Workspace::new(activities.to_vec(), OFFLINE, Rng::seeded(3)),
        now: Mono(0),
        tasks: 0,
        queues: 1,
    };
    let queue = QueueConfig {
        sid: TaskQueueSid(1),
        name: "all".to_owned(),
        target_workers: Expr::parse("1==1").unwrap(),
        max_reserved: 1,
        order: TaskOrder::Fifo,
    };
    office.all.put_queue(queue, office.now).unwrap();
    let target = json!({"queue": TaskQueueSid(1), "expression": "worker.level > 3 AND task.skill == 0"});
    let routing = json!({"task_routing": {"filters": [{"expression": "1==1", "targets": [target]}]}});
    let configuration = Workflow::parse(&routing.to_string()).unwrap().0;
    let reservation_timeout = Duration::from_secs(120);
    let config = WorkflowConfig { sid: FLOW, name: "flow".to_owned(), configuration, reservation_timeout };
    office.all.put_workflow(config).unwrap();
    for n in 0..workers {
        office.tick();
        let (sid, name) = (WorkerSid(u128::from(n)), format!("worker {n}"));
        office.all.add_worker(sid, &name, json!({"level": n % 4}), AVAILABLE, office.now).unwrap();
    }
    let mut rng = Rng::seeded(4);
    let times = (0..DECISIONS).map(|_| office.timed(|office| office.task(&mut rng))).collect();
    assert!(office.all.reservations().next().is_none(), "nobody may take any of them");
    spread(times)
}

/// A workspace written down as JSON and read again: what a restart costs that begins from there.
fn again(all: &Workspace) -> ([Duration; 2], usize) {
    let began = Instant::now();
    let written = serde_json::to_vec(&Snapshot::new(all)).unwrap();
    let wrote = began.elapsed();
    let began = Instant::now();
    let read: Snapshot = serde_json::from_slice(&written).unwrap();
    let took = began.elapsed();
    assert_eq!(serde_json::to_vec(&read).unwrap().len(), written.len(), "nothing is lost");
    ([wrote, took], written.len())
}

fn spread(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

struct Office {
    all: Workspace,
    now: Mono,
    tasks: u32,
    queues: u32,
}

impl Office {
    fn tick(&mut self) {
        self.now = self.now + Duration::from_micros(1);
    }

    fn timed(&mut self, work: impl FnOnce(&mut Self)) -> Duration {
        self.tick();
        let began = Instant::now();
        work(self);
        began.elapsed()
    }

    fn task(&mut self, rng: &mut Rng) {
        self.tick();
        self.tasks += 1;
        let new = self.new_task(rng);
        self.all.create_task(new, self.now).unwrap();
        self.settle();
    }

    fn new_task(&self, rng: &mut Rng) -> NewTask {
        let skill = rng.below(u64::from(self.queues));
        NewTask {
            sid: TaskSid(u128::from(self.tasks)),
            workflow: FLOW,
            attributes: json!({"skill": skill, "from": "+15550001111"}),
            channel: "voice".to_owned(),
            priority: rng.below(3) as u32,
            ttl: Duration::from_secs(86_400),
            head_start: Duration::ZERO,
        }
    }

    /// The box stops after much was told, and starts.
    fn restart(&mut self, rng: &mut Rng) -> restart::Restart {
        let (all, now) = (self.all.clone(), self.now);
        restart::restart(&all, now, TOLD, |written, n| {
            self.tick();
            let new = NewTask { sid: TaskSid(u128::from(self.tasks + n / 2 + 1)), ..self.new_task(rng) };
            let sid = new.sid;
            match n % 2 {
                0 => written.create_task(new, self.now).unwrap(),
                _ => written.cancel(sid, "bench", self.now).unwrap(),
            }
        })
    }

    /// Accepts what is offered.
    fn settle(&mut self) {
        while let Some(output) = self.all.poll_output() {
            if let Output::Event { event: Event::ReservationCreated { reservation, .. }, .. } = output {
                self.all.accept(reservation, self.now).unwrap();
            }
        }
    }

    /// A task somebody works at.
    fn assigned(&self, rng: &mut Rng) -> TaskSid {
        loop {
            let worker = WorkerSid(u128::from(rng.below(u64::from(self.tasks))));
            let Some(worker) = self.all.worker(worker) else { continue };
            let first = worker.reservations.first().and_then(|sid| self.all.reservation(*sid));
            if let Some(reservation) = first {
                return reservation.task;
            }
        }
    }
}
