//! What a restart costs: everything a workspace is made of lies in the database, beside what it was told since it was
//! last written whole.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use base::{Mono, Now, Rng, TaskQueueSid, TaskSid, Timestamp, WorkspaceSid};
use call::record::StoreItem;
use call::taskrouter::rows::{
    ActivityRow, Dates, QueueActivities, ReservationRow, RouterItem, RouterLeafRow, RouterRow, TaskQueueRow,
    TaskRow, WorkerRow, WorkflowRow, WorkspaceRow,
};
use call::taskrouter::{DeskAsk, Filter, RouterAsk, RouterReply};
use call::{Input, Node, Operator, OperatorReply, Output};
use router::{TaskStatus, Workspace, Written};
use store::Store;

const WORKSPACE: WorkspaceSid = WorkspaceSid(1);

/// What was measured.
pub struct Restart {
    /// Until the first decision can be made: the rows read, the workspace put back.
    pub ready: Duration,
    /// The same by what all threads did, whatever else runs on the machine.
    pub ready_cpu: Duration,
    /// Of that, reading the rows.
    pub read: Duration,
    pub read_cpu: Duration,
    /// The longest that the node was kept from everything else after that.
    pub kept: Duration,
    /// Writing down the workspace whole for replays, on the disk.
    pub whole: Duration,
    /// Until what was counted before is there again.
    pub counted: Duration,
    /// Of that, taking it up: what the node is kept from everything else.
    pub remembered: Duration,
    /// Entries told since the workspace was written whole.
    pub entries: u32,
}

/// Writes a workspace down, tells it `entries` more things, and starts anew. Nothing may be lost or offered twice.
pub fn restart(all: &Workspace, now: Mono, entries: u32, mut tell: impl FnMut(&mut Written, u32)) -> Restart {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let store = runtime.block_on(Store::open("sqlite:", folder.path())).unwrap();
    let mut written = Written::new(all.clone());
    let began = Instant::now();
    written.begin(now);
    put_leaves(&store, &mut written);
    runtime.block_on(store.flush()).unwrap();
    let whole = began.elapsed();
    for n in 0..entries {
        tell(&mut written, n);
        while written.poll_output().is_some() {}
        put_leaves(&store, &mut written);
    }
    for row in rows_of(&written) {
        store.write(StoreItem::Router(RouterItem::Put(Box::new(row))));
    }
    runtime.block_on(async {
        store.flush().await.unwrap();
        store.close().await;
    });
    let before = (standing(&written), written.tasks().count(), written.reservations().count());
    again(&runtime, folder.path(), &before, whole, entries)
}

type Standing = BTreeMap<TaskSid, (TaskStatus, Option<TaskQueueSid>)>;

fn again(
    runtime: &tokio::runtime::Runtime,
    folder: &Path,
    before: &(Standing, usize, usize),
    whole: Duration,
    entries: u32,
) -> Restart {
    let now = |later_s: i64| Now {
        mono: Mono(1_000_000_000 + later_s as u64 * 1_000_000_000),
        wall: Timestamp(1_000_000 + later_s * 1_000_000),
    };
    let (began, cpu_before) = (Instant::now(), cpu());
    let store = runtime.block_on(Store::open("sqlite:", folder)).unwrap();
    let rows = runtime.block_on(store.router_rows()).unwrap();
    let (read, read_cpu) = (began.elapsed(), cpu() - cpu_before);
    let mut node = Node::new(sim::office(&[]), "Tandem/bench", Rng::seeded(7), now(0));
    node.restore_router(rows, None, now(0));
    let (ready, ready_cpu) = (began.elapsed(), cpu() - cpu_before);
    let began = Instant::now();
    while let Some(output) = node.poll_output() {
        std::hint::black_box(output);
    }
    let kept = began.elapsed();
    let began = Instant::now();
    let past = runtime.block_on(store.router_past(WORKSPACE, Mono(1_000_000_000))).unwrap();
    let past = past.expect("it was written down");
    let counted = began.elapsed();
    let began = Instant::now();
    node.remember_router([(WORKSPACE, past)].into(), now(1));
    let remembered = began.elapsed();
    assert_eq!(
        standing_again(&mut node, now(1)),
        before.0,
        "no task is lost, and each stands where it stood"
    );
    runtime.block_on(store.close());
    Restart { ready, ready_cpu, read, read_cpu, kept, whole, counted, remembered, entries }
}

/// What all threads of this process have done.
fn cpu() -> Duration {
    let mut spent = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Linux, and the pointer is to a whole timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut spent) };
    Duration::new(spent.tv_sec as u64, spent.tv_nsec as u32)
}

fn put_leaves(store: &Store, written: &mut Written) {
    while let Some(leaf) = written.poll_leaf() {
        let row = RouterLeafRow { workspace: WORKSPACE, leaf };
        store.write(StoreItem::Router(RouterItem::Leaf(Box::new(row))));
    }
}

fn standing(all: &Workspace) -> Standing {
    let alive = all.tasks().filter(|task| !task.status.is_over());
    alive.map(|task| (task.sid, (task.status, task.queue))).collect()
}

/// Everything it is made of, as its owner writes it down.
fn rows_of(all: &Workspace) -> Vec<RouterRow> {
    let (created, workspace) = (Timestamp(1), WORKSPACE);
    let dates = Dates { created, updated: created, version: 0 };
    let offline = all.timeout_activity();
    let mut rows = vec![RouterRow::Workspace(WorkspaceRow {
        sid: workspace,
        name: "bench".to_owned(),
        default_activity: offline,
        timeout_activity: offline,
        event_callback_url: None,
        events_filter: None,
        multi_task: true,
        prioritize_queue_order: "FIFO".to_owned(),
        created,
        updated: created,
    })];
    rows.extend(all.activities().map(|activity| {
        RouterRow::Activity(ActivityRow { workspace, activity: activity.clone(), created, updated: created })
    }));
    rows.extend(all.queues().map(|queue| {
        let activities = QueueActivities::default();
        RouterRow::Queue(TaskQueueRow { workspace, queue: queue.clone(), activities, dates })
    }));
    rows.extend(all.workflows().map(|workflow| {
        let (workflow, text) = (workflow.clone(), String::new());
        let (assignment_url, fallback_url) = (None, None);
        RouterRow::Workflow(WorkflowRow { workspace, workflow, text, assignment_url, fallback_url, dates })
    }));
    rows.extend(
        all.workers().map(|worker| RouterRow::Worker(WorkerRow { workspace, worker: worker.clone(), dates })),
    );
    rows.extend(
        all.tasks().map(|task| RouterRow::Task(TaskRow { workspace, task: task.clone(), call: None, dates })),
    );
    rows.extend(all.reservations().map(|one| {
        RouterRow::Reservation(ReservationRow {
            workspace,
            reservation: one.clone(),
            why: None,
            after: None,
            dates,
        })
    }));
    rows
}

/// What the node says of its tasks; nobody has two offers of one task, and no task is offered to two.
fn standing_again(node: &mut Node, now: Now) -> Standing {
    let ask = |node: &mut Node, ask: DeskAsk| {
        let ask = Operator::Router(Box::new(RouterAsk::In(WORKSPACE, ask)));
        node.handle(Input::Command { id: 1, command: ask }, now);
        loop {
            match node.poll_output() {
                Some(Output::Reply { reply: OperatorReply::Router(reply), .. }) => break *reply,
                Some(_) => {}
                None => panic!("the node answers at once"),
            }
        }
    };
    let RouterReply::Reservations(offered) = ask(node, DeskAsk::Reservations(None, None)) else { panic!() };
    let mut taken = BTreeMap::new();
    for (row, _) in offered.iter().filter(|(row, _)| row.reservation.status.occupies()) {
        assert!(taken.insert(row.reservation.task, row.reservation.worker).is_none(), "offered twice");
    }
    let RouterReply::Tasks(tasks) = ask(node, DeskAsk::Tasks(Filter::default())) else { panic!() };
    let alive = tasks.iter().map(|view| &view.row.task).filter(|task| !task.status.is_over());
    alive.map(|task| (task.sid, (task.status, task.queue))).collect()
}
