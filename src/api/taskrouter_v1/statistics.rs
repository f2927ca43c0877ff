//! `…/Statistics`, `…/RealTimeStatistics` and `…/CumulativeStatistics` of workspace, queues, workflows and workers
//! (reference: taskrouter §12).

use axum::body::Bytes;
use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use base::{ActivitySid, TaskQueueSid, Timestamp};
use call::taskrouter::{DeskAsk, RouterReply, StatisticsOf, StatisticsView, StatisticsWindow, WorkersAsked};
use router::clock::wall;
use router::statistics::{Cumulative, RealTime, ReservationCounts, Spread, WorkersCumulative};
use serde_json::{Map, Value, json};

use super::{Site, sid_of};
use crate::Api;
use crate::error::ApiError;

/// Which of the two kinds a resource shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Both,
    RealTime,
    Cumulative,
}

pub(super) fn routes() -> Router<Api> {
    let mut routes = Router::new();
    for (name, kind) in [
        ("Statistics", Kind::Both),
        ("RealTimeStatistics", Kind::RealTime),
        ("CumulativeStatistics", Kind::Cumulative),
    ] {
        routes = routes
            .route(
                &format!("/{{workspace}}/{name}"),
                get(move |site: Site, Path(workspace): Path<String>| async move {
                    show(site, workspace, StatisticsOf::Workspace, kind).await
                }),
            )
            .route(
                &format!("/{{workspace}}/Workers/{name}"),
                get(move |site: Site, Path(workspace): Path<String>| async move {
                    show(site, workspace, StatisticsOf::Workers(None), kind).await
                }),
            )
            .route(
                &format!("/{{workspace}}/TaskQueues/{{sid}}/{name}"),
                get(move |site: Site, Path((workspace, sid)): Path<(String, String)>| async move {
                    let of = StatisticsOf::Queue(site.sid(&sid)?);
                    show(site, workspace, of, kind).await
                }),
            )
            .route(
                &format!("/{{workspace}}/Workflows/{{sid}}/{name}"),
                get(move |site: Site, Path((workspace, sid)): Path<(String, String)>| async move {
                    let of = StatisticsOf::Workflow(site.sid(&sid)?);
                    show(site, workspace, of, kind).await
                }),
            );
    }
    routes
        .route("/{workspace}/Workers/{sid}/Statistics", get(of_worker))
        .route("/{workspace}/TaskQueues/Statistics", get(of_queues))
        .route("/{workspace}/TaskQueues/RealTimeStatistics", post(of_these_queues))
}

async fn of_worker(
    site: Site,
    Path((workspace, sid)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let of = StatisticsOf::Workers(Some(site.sid(&sid)?));
    let view = ask(&site, &workspace, of.clone()).await?;
    let mut shown = owner(&site, &workspace, &of);
    shown.insert("cumulative".to_owned(), Value::Object(cumulative(&view, &of)));
    Ok(Json(Value::Object(shown)))
}

async fn of_queues(site: Site, Path(workspace): Path<String>) -> Result<Json<Value>, ApiError> {
    let RouterReply::Queues(mut queues) = site.ask_in(&workspace, DeskAsk::Queues(None)).await? else {
        return Err(ApiError::unexpected());
    };
    queues.retain(|(row, _)| site.wants("FriendlyName", &row.queue.name));
    let mut all = Vec::new();
    for (row, _) in queues {
        let of = StatisticsOf::Queue(row.queue.sid);
        let view = ask(&site, &workspace, of.clone()).await?;
        let mut shown = owner(&site, &workspace, &of);
        shown.remove("url");
        shown.insert("cumulative".to_owned(), Value::Object(cumulative(&view, &of)));
        shown.insert("realtime".to_owned(), Value::Object(real_time(&view, &of)));
        all.push((row.dates.created, row.queue.sid, Value::Object(shown)));
    }
    site.page("task_queues_statistics", all, |(at, sid, _)| (*at, *sid), |(_, _, shown)| shown.clone())
}

/// The present of several queues, named in a list that is the body or stands in it under `TaskQueueSids` (reference:
/// taskrouter §2).
async fn of_these_queues(
    site: Site,
    Path(workspace): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let wrong =
        || ApiError::new(20001, format!("The body must be JSON with up to {QUEUES_MAX} TaskQueueSids"));
    let body: Value = serde_json::from_slice(&body).map_err(|_| wrong())?;
    let names = ["TaskQueueSids", "task_queue_sids", "taskQueueSids"];
    let named = names.iter().find_map(|name| body.get(name));
    let sids = named.unwrap_or(&body).as_array().filter(|sids| sids.len() <= QUEUES_MAX).ok_or_else(wrong)?;
    let mut all = Vec::new();
    for sid in sids {
        let sid: TaskQueueSid = sid.as_str().and_then(|sid| sid.parse().ok()).ok_or_else(wrong)?;
        let of = StatisticsOf::Queue(sid);
        let mut shown = real_time(&ask(&site, &workspace, of.clone()).await?, &of);
        shown.insert("task_queue_sid".to_owned(), json!(sid));
        all.push(Value::Object(shown));
    }
    Ok(Json(json!({
        "account_sid": site.account(),
        "workspace_sid": workspace,
        "url": site.url,
        "task_queue_response_count": all.len(),
        "task_queue_data": all,
    })))
}

/// Queues of one request.
const QUEUES_MAX: usize = 50;

async fn show(site: Site, workspace: String, of: StatisticsOf, kind: Kind) -> Result<Json<Value>, ApiError> {
    let view = ask(&site, &workspace, of.clone()).await?;
    let mut shown = owner(&site, &workspace, &of);
    match kind {
        Kind::Both => {
            shown.insert("cumulative".to_owned(), Value::Object(combined(&view, &of)));
            shown.insert("realtime".to_owned(), Value::Object(real_time(&view, &of)));
        }
        Kind::RealTime => shown.extend(real_time(&view, &of)),
        Kind::Cumulative => shown.extend(cumulative(&view, &of)),
    }
    Ok(Json(Value::Object(shown)))
}

async fn ask(site: &Site, workspace: &str, of: StatisticsOf) -> Result<StatisticsView, ApiError> {
    let query = &site.query;
    let moment = |name: &str| match query.text(name) {
        None => Ok(None),
        Some(text) => {
            let at = Timestamp::parse_iso8601(text).map(|(at, _)| at);
            at.map(Some).ok_or_else(|| ApiError::new(20001, format!("{name} is no moment: {text}")))
        }
    };
    let mut split = Vec::new();
    for word in query.text("SplitByWaitTime").into_iter().flat_map(|text| text.split(',')) {
        let seconds = word.trim().parse();
        split.push(seconds.map_err(|_| ApiError::new(20001, "SplitByWaitTime must be seconds by comma"))?);
    }
    let window = StatisticsWindow {
        minutes: query.number("Minutes", 1..=MINUTES_MAX, 20001)?.unwrap_or(MINUTES),
        from: moment("StartDate")?,
        to: moment("EndDate")?,
        channel: query.text("TaskChannel").map(str::to_owned),
        split,
        workers: WorkersAsked {
            name: query.text("FriendlyName").map(str::to_owned),
            queue: sid_of(query, "TaskQueueSid")?,
            queue_name: query.text("TaskQueueName").map(str::to_owned),
        },
    };
    match site.ask_in(workspace, DeskAsk::Statistics(of, window)).await? {
        RouterReply::Statistics(view) => Ok(*view),
        _ => Err(ApiError::unexpected()),
    }
}

/// The last minutes when no time is said, and the most: thirty days.
const MINUTES: u32 = 15;
const MINUTES_MAX: u32 = 43_200;

fn owner(site: &Site, workspace: &str, of: &StatisticsOf) -> Map<String, Value> {
    let mut shown = Map::new();
    shown.insert("account_sid".to_owned(), json!(site.account()));
    shown.insert("workspace_sid".to_owned(), json!(workspace));
    shown.insert("url".to_owned(), json!(site.url));
    match of {
        StatisticsOf::Workspace | StatisticsOf::Workers(None) => None,
        StatisticsOf::Queue(sid) => shown.insert("task_queue_sid".to_owned(), json!(sid)),
        StatisticsOf::Workflow(sid) => shown.insert("workflow_sid".to_owned(), json!(sid)),
        StatisticsOf::Workers(Some(sid)) => shown.insert("worker_sid".to_owned(), json!(sid)),
    };
    shown
}

fn real_time(view: &StatisticsView, of: &StatisticsOf) -> Map<String, Value> {
    let RealTime {
        by_status,
        by_priority,
        longest_waiting,
        longest_in_queue,
        activities,
        workers,
        available,
    } = &view.real_time;
    let activities: Vec<Value> = activities
        .iter()
        .map(|(sid, n)| json!({ "sid": sid, "friendly_name": name(view, *sid), "workers": n }))
        .collect();
    let seconds = |ms: Option<u64>| ms.unwrap_or(0) / 1_000;
    let mut shown = Map::new();
    let mut put = |key: &str, value: Value| {
        shown.insert(key.to_owned(), value);
    };
    if !matches!(of, StatisticsOf::Workflow(_)) {
        put("activity_statistics", json!(activities));
    }
    match of {
        StatisticsOf::Workspace | StatisticsOf::Workers(_) => put("total_workers", json!(workers)),
        StatisticsOf::Queue(_) => {
            put("total_eligible_workers", json!(workers));
            put("total_available_workers", json!(available));
            put("longest_relative_task_age_in_queue", json!(seconds(longest_in_queue.map(|(_, ms)| ms))));
            put("longest_relative_task_sid_in_queue", json!(longest_in_queue.map(|(sid, _)| sid)));
        }
        StatisticsOf::Workflow(_) => {}
    }
    if !matches!(of, StatisticsOf::Workers(_)) {
        put("longest_task_waiting_age", json!(seconds(longest_waiting.map(|(_, ms)| ms))));
        put("longest_task_waiting_sid", json!(longest_waiting.map(|(sid, _)| sid)));
        let priorities: Map<String, Value> =
            by_priority.iter().map(|(priority, n)| (priority.to_string(), json!(n))).collect();
        put("tasks_by_priority", json!(priorities));
        put(
            "tasks_by_status",
            json!({
                "pending": by_status.pending,
                "reserved": by_status.reserved,
                "assigned": by_status.assigned,
                "wrapping": by_status.wrapping,
            }),
        );
        put("total_tasks", json!(by_status.total()));
    }
    shown
}

fn cumulative(view: &StatisticsView, of: &StatisticsOf) -> Map<String, Value> {
    let mut shown = Map::new();
    if let Some(workers) = &view.workers {
        let WorkersCumulative { covered, reservations, activities } = workers;
        window(&mut shown, *covered);
        counts(&mut shown, reservations);
        let durations: Vec<Value> = activities
            .iter()
            .map(|(sid, lasted)| {
                let mut shown = spread(lasted);
                shown["sid"] = json!(sid);
                shown["friendly_name"] = json!(name(view, *sid));
                shown
            })
            .collect();
        shown.insert("activity_durations".to_owned(), json!(durations));
    }
    if let Some(told) = &view.tasks {
        tasks(&mut shown, told, of);
    }
    shown
}

/// The same beside the present, where one of them is published with its fraction.
fn combined(view: &StatisticsView, of: &StatisticsOf) -> Map<String, Value> {
    let mut shown = cumulative(view, of);
    if let (Some(told), Some(average)) = (&view.tasks, shown.get_mut("avg_task_acceptance_time")) {
        *average = json!(told.until_accepted.avg_ms() as f64 / 1_000.0);
    }
    shown
}

fn tasks(shown: &mut Map<String, Value>, told: &Cumulative, of: &StatisticsOf) {
    window(shown, told.covered);
    counts(shown, &told.reservations);
    let entered = if *of == StatisticsOf::Workspace { "tasks_created" } else { "tasks_entered" };
    for (key, value) in [
        (entered, json!(told.tasks.entered)),
        ("tasks_canceled", json!(told.tasks.canceled)),
        ("tasks_completed", json!(told.tasks.completed)),
        ("tasks_deleted", json!(told.tasks.deleted)),
        ("tasks_moved", json!(told.tasks.moved)),
        ("avg_task_acceptance_time", json!(told.until_accepted.avg_ms() / 1_000)),
        ("wait_duration_until_accepted", spread(&told.until_accepted)),
        ("wait_duration_until_canceled", spread(&told.until_canceled)),
    ] {
        shown.insert(key.to_owned(), value);
    }
    match of {
        StatisticsOf::Queue(_) => {
            let value = spread(&told.in_queue_until_accepted);
            shown.insert("wait_duration_in_queue_until_accepted".to_owned(), value);
        }
        StatisticsOf::Workspace | StatisticsOf::Workflow(_) | StatisticsOf::Workers(_) => {
            let value = json!(told.tasks.timed_out_in_workflow);
            shown.insert("tasks_timed_out_in_workflow".to_owned(), value);
        }
    }
    let split: Map<String, Value> = told
        .split
        .iter()
        .map(|one| {
            let side = |canceled: u32, accepted: u32| {
                json!({ "tasks_canceled": canceled, "reservations_accepted": accepted })
            };
            let sides = json!({
                "above": side(one.canceled_above, one.accepted_above),
                "below": side(one.canceled_below, one.accepted_below),
            });
            (one.threshold_s.to_string(), sides)
        })
        .collect();
    let split = if split.is_empty() { Value::Null } else { Value::Object(split) };
    shown.insert("split_by_wait_time".to_owned(), split);
}

fn window(shown: &mut Map<String, Value>, (from, to): (base::Mono, base::Mono)) {
    shown.insert("start_time".to_owned(), json!(wall(from).iso8601()));
    shown.insert("end_time".to_owned(), json!(wall(to).iso8601()));
}

fn counts(shown: &mut Map<String, Value>, counts: &ReservationCounts) {
    for (key, n) in [
        ("reservations_created", counts.created),
        ("reservations_accepted", counts.accepted),
        ("reservations_rejected", counts.rejected),
        ("reservations_timed_out", counts.timed_out),
        ("reservations_canceled", counts.canceled),
        ("reservations_rescinded", counts.rescinded),
    ] {
        shown.insert(key.to_owned(), json!(n));
    }
}

/// Seconds.
fn spread(spread: &Spread) -> Value {
    json!({
        "avg": spread.avg_ms() / 1_000,
        "min": spread.min_ms / 1_000,
        "max": spread.max_ms / 1_000,
        "total": spread.total_ms / 1_000,
    })
}

fn name(view: &StatisticsView, sid: ActivitySid) -> Option<&str> {
    view.activities.iter().find(|(one, _)| *one == sid).map(|(_, name)| name.as_str())
}

#[cfg(test)]
mod tests {
    use base::{Mono, TaskSid, WorkerSid, WorkflowSid};
    use router::statistics::{Split, StatusCounts, TaskCounts};

    use super::*;

    const BREAK: ActivitySid = ActivitySid(8);

    /// No two values are alike, so that none stands under another's key.
    fn view(of_workers: bool) -> StatisticsView {
        let spread = |n: u64| Spread { count: 2, total_ms: n * 2_000, min_ms: n * 500, max_ms: n * 1_500 };
        let covered = (Mono(60_000_000_000), Mono(3_660_000_000_000));
        let reservations = ReservationCounts {
            created: 1,
            accepted: 2,
            rejected: 3,
            timed_out: 4,
            canceled: 5,
            rescinded: 6,
        };
        let split = Split {
            threshold_s: 30,
            accepted_below: 31,
            canceled_below: 32,
            accepted_above: 33,
            canceled_above: 34,
        };
        let tasks = Cumulative {
            covered,
            reservations,
            tasks: TaskCounts {
                entered: 11,
                canceled: 12,
                completed: 13,
                deleted: 14,
                moved: 15,
                timed_out_in_workflow: 16,
            },
            until_accepted: spread(20),
            until_canceled: spread(40),
            in_queue_until_accepted: spread(60),
            split: vec![split],
        };
        StatisticsView {
            real_time: RealTime {
                by_status: StatusCounts { pending: 41, reserved: 42, assigned: 43, wrapping: 44 },
                by_priority: [(7, 45)].into(),
                longest_waiting: Some((TaskSid(46), 47_900)),
                longest_in_queue: Some((TaskSid(48), 49_900)),
                activities: vec![(BREAK, 50)],
                workers: 51,
                available: 52,
            },
            tasks: (!of_workers).then_some(tasks),
            workers: of_workers.then(|| WorkersCumulative {
                covered,
                reservations,
                activities: vec![(BREAK, spread(70))],
            }),
            activities: vec![(BREAK, "Break".to_owned())],
        }
    }

    #[test]
    fn every_key_has_its_value() {
        let seconds = |avg: u64, min: u64, max: u64, total: u64| json!({ "avg": avg, "min": min, "max": max, "total": total });
        let offers = json!({ "reservations_created": 1, "reservations_accepted": 2, "reservations_rejected": 3,
            "reservations_timed_out": 4, "reservations_canceled": 5, "reservations_rescinded": 6,
            "start_time": "1970-01-01T00:01:00Z", "end_time": "1970-01-01T01:01:00Z" });
        let tasks = json!({ "tasks_canceled": 12, "tasks_completed": 13, "tasks_deleted": 14, "tasks_moved": 15,
            "avg_task_acceptance_time": 20, "wait_duration_until_accepted": seconds(20, 10, 30, 40),
            "wait_duration_until_canceled": seconds(40, 20, 60, 80),
            "split_by_wait_time": { "30": {
                "below": { "reservations_accepted": 31, "tasks_canceled": 32 },
                "above": { "reservations_accepted": 33, "tasks_canceled": 34 } } } });
        let waiting = json!({ "tasks_by_status": { "pending": 41, "reserved": 42, "assigned": 43, "wrapping": 44 },
            "tasks_by_priority": { "7": 45 }, "total_tasks": 170,
            "longest_task_waiting_sid": TaskSid(46), "longest_task_waiting_age": 47 });
        let doing =
            json!({ "activity_statistics": [{ "sid": BREAK, "friendly_name": "Break", "workers": 50 }] });
        let did = json!({ "activity_durations": [{ "sid": BREAK, "friendly_name": "Break", "avg": 70, "min": 35,
            "max": 105, "total": 140 }] });
        let queue = json!({ "total_eligible_workers": 51, "total_available_workers": 52,
            "longest_relative_task_sid_in_queue": TaskSid(48), "longest_relative_task_age_in_queue": 49 });
        let all = |parts: &[&Value]| {
            let parts = parts.iter().flat_map(|part| part.as_object().unwrap().clone());
            parts.collect::<Map<String, Value>>()
        };
        let in_queue =
            json!({ "tasks_entered": 11, "wait_duration_in_queue_until_accepted": seconds(60, 30, 90, 120) });
        let entered = json!({ "tasks_entered": 11, "tasks_timed_out_in_workflow": 16 });
        let created = json!({ "tasks_created": 11, "tasks_timed_out_in_workflow": 16 });
        let total = json!({ "total_workers": 51 });
        for (of, past, present) in [
            (StatisticsOf::Workspace, all(&[&offers, &tasks, &created]), all(&[&waiting, &doing, &total])),
            (
                StatisticsOf::Queue(TaskQueueSid(1)),
                all(&[&offers, &tasks, &in_queue]),
                all(&[&waiting, &doing, &queue]),
            ),
            (StatisticsOf::Workflow(WorkflowSid(1)), all(&[&offers, &tasks, &entered]), all(&[&waiting])),
            (StatisticsOf::Workers(None), all(&[&offers, &did]), all(&[&doing, &total])),
            (StatisticsOf::Workers(Some(WorkerSid(1))), all(&[&offers, &did]), all(&[&doing, &total])),
        ] {
            let view = view(matches!(of, StatisticsOf::Workers(_)));
            assert_eq!(cumulative(&view, &of), past, "{of:?}");
            assert_eq!(real_time(&view, &of), present, "{of:?}");
            let mut beside = past;
            if let Some(average) = beside.get_mut("avg_task_acceptance_time") {
                *average = json!(20.0);
            }
            assert_eq!(combined(&view, &of), beside, "{of:?}");
        }
    }
}
