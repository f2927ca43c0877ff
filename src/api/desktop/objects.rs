//! Things as the agent-desktop library wants them: other keys than the REST API, moments in seconds since 1970, and
//! every key there (reference: taskrouter §13.2).

use base::{Mono, Timestamp, WorkspaceSid};
use call::taskrouter::rows::{ActivityRow, ReservationRow, TaskQueueRow};
use call::taskrouter::{TaskView, WorkerChannelView, WorkerView, status_word};
use router::clock::wall;
use router::{Direct, TaskOrder, Transfer, TransferMode, TransferStatus};
use serde_json::{Value, json};

use crate::taskrouter_v1::{reservation_word, started, target_of};

fn seconds(at: Timestamp) -> i64 {
    at.0 / 1_000_000
}

fn at(at: Mono) -> i64 {
    seconds(wall(at))
}

pub(super) fn worker(view: &WorkerView, account: &str) -> Value {
    let (row, worker) = (&view.row, &view.row.worker);
    json!({
        "account_sid": account,
        "activity_name": view.activity_name,
        "activity_sid": worker.activity,
        "attributes": worker.attributes.to_string(),
        "available": view.available,
        "date_created": seconds(row.dates.created),
        "date_status_changed": at(worker.since),
        "date_updated": seconds(row.dates.updated),
        "friendly_name": worker.name,
        "sid": worker.sid,
        "workspace_sid": row.workspace,
        "version": row.dates.version,
    })
}

pub(super) fn activity(row: &ActivityRow, account: &str) -> Value {
    json!({
        "account_sid": account,
        "available": row.activity.available,
        "date_created": seconds(row.created),
        "date_updated": seconds(row.updated),
        "friendly_name": row.activity.name,
        "sid": row.activity.sid,
        "workspace_sid": row.workspace,
    })
}

pub(super) fn channel(view: &WorkerChannelView, workspace: WorkspaceSid, account: &str) -> Value {
    json!({
        "account_sid": account,
        "assigned_tasks": view.share.used,
        "available": view.share.available,
        "available_capacity_percentage": crate::taskrouter_v1::free_percentage(view.share),
        "configured_capacity": view.share.capacity,
        "date_created": seconds(view.created),
        "date_updated": seconds(view.updated),
        "last_reserved_time": view.updated.0 / 1_000,
        "sid": view.sid,
        "task_channel_sid": view.channel,
        "task_channel_unique_name": view.unique_name,
        "worker_sid": view.worker,
        "workspace_sid": workspace,
    })
}

pub(super) fn queue((row, names): &(TaskQueueRow, [Option<String>; 2]), account: &str) -> Value {
    let queue = &row.queue;
    json!({
        "friendly_name": queue.name,
        "reservation_activity_name": names[0],
        "assignment_activity_name": names[1],
        "target_workers": queue.target_workers.as_str(),
        "max_reserved_workers": queue.max_reserved,
        "task_order": match queue.order { TaskOrder::Fifo => "FIFO", TaskOrder::Lifo => "LIFO" },
        "lifo_queue": queue.order == TaskOrder::Lifo,
        "reservation_activity_sid": row.activities.reservation,
        "assignment_activity_sid": row.activities.assignment,
        "workspace_sid": row.workspace,
        "account_sid": account,
        "sid": queue.sid,
        "date_created": seconds(row.dates.created),
        "date_updated": seconds(row.dates.updated),
    })
}

pub(super) fn task(view: &TaskView) -> Value {
    let (row, task) = (&view.row, &view.row.task);
    json!({
        "addons": "{}",
        "age": view.age_s,
        "attributes": task.attributes.to_string(),
        "date_created": seconds(row.dates.created),
        "date_updated": seconds(row.dates.updated),
        "priority": task.priority,
        "queue_name": view.queue_name,
        "queue_sid": task.queue,
        "reason": task.reason,
        "routing_target": target_of(view),
        "sid": task.sid,
        "assignment_status": status_word(task.status),
        "task_channel_unique_name": task.channel,
        "task_channel_sid": view.channel,
        "timeout": task.ttl.as_secs(),
        "workflow_name": view.workflow_name,
        "workflow_sid": task.workflow,
        "workspace_sid": row.workspace,
        "version": row.dates.version,
        "virtual_start_time": seconds(started(task)),
    })
}

/// What a reservation says of its task's transfers: of the one it came by, and of the one its worker waits for.
pub(super) const TRANSFERS: [&str; 2] = ["task_transfer", "active_outgoing_task_transfer"];

/// `timeout_s`: how long its worker has to answer.
pub(super) fn reservation(row: &ReservationRow, view: &TaskView, timeout_s: u64, account: &str) -> Value {
    let one = &row.reservation;
    let transfer = view.row.task.transfer.as_ref();
    let to_me = transfer.filter(|transfer| transfer.worker != one.worker && transfer.born <= one.born);
    let by_me = transfer.filter(|transfer| transfer.reservation == one.sid);
    let by_me = by_me.filter(|transfer| transfer.status == TransferStatus::Initiated);
    let mut shown = json!({
        "account_sid": account,
        "date_created": seconds(row.dates.created),
        "date_updated": seconds(row.dates.updated),
        "reservation_status": reservation_word(one.status),
        "sid": one.sid,
        "task": task(view),
        "reservation_timeout": timeout_s,
        "worker_sid": one.worker,
        "workspace_sid": row.workspace,
        "version": row.dates.version,
    });
    for (key, transfer) in TRANSFERS.into_iter().zip([to_me, by_me]) {
        if let Some(transfer) = transfer {
            shown[key] = self::transfer(transfer, view);
        }
    }
    shown
}

pub(super) fn transfer(one: &Transfer, view: &TaskView) -> Value {
    let (kind, to) = match one.to {
        Direct::Worker { worker, .. } => ("WORKER", worker.to_string()),
        Direct::Queue(queue) => ("QUEUE", queue.to_string()),
    };
    json!({
        "sid": one.sid,
        "date_created": at(one.born),
        "date_updated": at(one.changed),
        "initiating_reservation_sid": one.reservation,
        "initiating_worker_sid": one.worker,
        "initiating_queue_sid": one.queue,
        "initiating_workflow_sid": view.row.task.workflow,
        "task_sid": view.row.task.sid,
        "workspace_sid": view.row.workspace,
        "transfer_mode": match one.mode { TransferMode::Warm => "WARM", TransferMode::Cold => "COLD" },
        "transfer_type": kind,
        "transfer_to": to,
        "transfer_status": match one.status {
            TransferStatus::Initiated => "initiated",
            TransferStatus::Complete => "complete",
            TransferStatus::Failed => "failed",
            TransferStatus::Canceled => "canceled",
        },
    })
}
