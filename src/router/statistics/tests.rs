//! What dashboards are told after a history of which everything is known.

use serde_json::json;

use super::*;
use crate::Snapshot;
use crate::office::{AVAILABLE, FLOW, OFFLINE, ONE_QUEUE, Office};

const QUEUE: Whose = Whose::Queue(TaskQueueSid(3));

fn told(office: &Office, whose: Whose) -> Cumulative {
    office.all.cumulative(whose, &Window::minutes(15, office.mono()), &[5, 10])
}

/// Four tasks: one accepted after 3 seconds, one after 8 by the second whom it is offered to, one canceled after 6, one
/// timed out in its workflow.
fn history() -> Office {
    let mut office = Office::new(
        r#"{"filters":[
            {"expression":"kind == 'hopeless'","targets":[{"queue":"WQ4","timeout":20},{"queue":"WQ1","timeout":10}]},
            {"expression":"kind != 'hopeless'","targets":[{"queue":"WQ3"}]}]}"#,
    );
    office.now = 3_600;
    office.worker(1, json!({}), AVAILABLE);
    office.task(1, json!({}));
    office.pass(3);
    office.accept(1);
    office.task(2, json!({}));
    office.worker(2, json!({}), AVAILABLE);
    let refused = office.offer_to(2);
    office.all.reject(refused, Some(OFFLINE), office.mono()).unwrap();
    office.pass(6);
    office.worker(3, json!({}), AVAILABLE);
    office.pass(2);
    office.accept(3);
    office.task(3, json!({}));
    office.task_on(4, json!({"kind": "hopeless"}), 7, "chat");
    office.pass(6);
    office.all.cancel(TaskSid(3), "hangup", office.mono()).unwrap();
    office.all.complete(TaskSid(1), "done", office.mono()).unwrap();
    office.pass(24);
    office
}

#[test]
fn every_field_of_the_past() {
    let office = history();
    let ms = |of: Spread| (of.count, of.min_ms, of.avg_ms(), of.max_ms, of.total_ms);
    let all = told(&office, Whose::Workspace);
    let reservations =
        ReservationCounts { created: 3, accepted: 2, rejected: 1, ..ReservationCounts::default() };
    assert_eq!(all.reservations, reservations);
    let tasks =
        TaskCounts { entered: 4, canceled: 2, completed: 1, deleted: 0, moved: 1, timed_out_in_workflow: 1 };
    assert_eq!(all.tasks, tasks);
    assert_eq!(ms(all.until_accepted), (2, 3_000, 5_500, 8_000, 11_000));
    assert_eq!(ms(all.until_canceled), (2, 6_000, 18_000, 30_000, 36_000));
    let split = |threshold_s, below: (u32, u32), above: (u32, u32)| Split {
        threshold_s,
        accepted_below: below.0,
        canceled_below: below.1,
        accepted_above: above.0,
        canceled_above: above.1,
    };
    assert_eq!(all.split, [split(5, (1, 0), (1, 2)), split(10, (2, 1), (0, 1))]);
    assert_eq!(told(&office, Whose::Workflow(FLOW)).tasks, tasks, "there is one workflow");

    let queue = told(&office, QUEUE);
    assert_eq!(queue.reservations, reservations);
    assert_eq!((queue.tasks.entered, queue.tasks.canceled, queue.tasks.moved), (3, 1, 0));
    assert_eq!(ms(queue.in_queue_until_accepted), (2, 3_000, 5_500, 8_000, 11_000));
    let left = told(&office, Whose::Queue(TaskQueueSid(4)));
    assert_eq!((left.tasks.entered, left.tasks.moved, left.tasks.canceled), (1, 1, 0));
    let last = told(&office, Whose::Queue(TaskQueueSid(1)));
    assert_eq!((last.tasks.entered, last.tasks.moved, last.tasks.canceled), (1, 0, 1));
}

/// However an offer ends, it is counted as what it became: of the workspace, its queue, its workflow and its workers.
#[test]
fn every_end_of_an_offer_is_counted() {
    let mut office = Office::new(ONE_QUEUE);
    office.now = 3_600;
    office.queue(3, "1==1", 2, crate::queue::TaskOrder::Fifo);
    office.worker(1, json!({}), AVAILABLE);
    office.worker(2, json!({}), AVAILABLE);
    office.task(1, json!({}));
    office.accept(1);
    office.task(2, json!({}));
    office.all.cancel(TaskSid(2), "hangup", office.mono()).unwrap();
    office.task(3, json!({}));
    office.pass(6);
    let counts =
        ReservationCounts { created: 4, accepted: 1, rejected: 0, timed_out: 1, canceled: 1, rescinded: 1 };
    for whose in [Whose::Workspace, QUEUE, Whose::Workflow(FLOW)] {
        assert_eq!(told(&office, whose).reservations, counts);
    }
    let window = Window::minutes(15, office.mono());
    assert_eq!(office.all.workers_cumulative(&window, |_| true).reservations, counts);
    let second = ReservationCounts { created: 3, accepted: 0, ..counts };
    let of = office.all.workers_cumulative(&window, |worker| worker.sid == WorkerSid(2));
    assert_eq!(of.reservations, second);
}

#[test]
fn a_window_and_a_channel_choose() {
    let mut office = history();
    let now = office.mono();
    for (channel, entered) in [(None, 4), (Some("voice"), 3), (Some("chat"), 1), (Some("fax"), 0)] {
        let window = Window { channel: channel.map(str::to_owned), ..Window::minutes(15, now) };
        assert_eq!(
            office.all.cumulative(Whose::Workspace, &window, &[]).tasks.entered,
            entered,
            "{channel:?}"
        );
    }
    office.pass(400);
    assert_eq!(
        told(&office, Whose::Workspace).tasks.deleted,
        3,
        "what is over is forgotten after five minutes"
    );
    office.pass(3_600);
    assert_eq!(told(&office, Whose::Workspace).tasks, TaskCounts::default());
    let minute = |n: u64| Mono(n * 60_000_000_000);
    let then = Window { from: minute(60), to: minute(61), channel: None };
    assert_eq!(office.all.cumulative(Whose::Workspace, &then, &[]).tasks.entered, 4, "StartDate and EndDate");
}

#[test]
fn every_field_of_the_present() {
    let mut office = history();
    office.pass(1);
    office.task_on(5, json!({}), 7, "chat");
    office.pass(1);
    office.task_on(6, json!({}), 7, "chat");
    office.task_on(7, json!({}), 0, "chat");
    office.pass(2);
    let now = office.mono();
    let queue = office.all.real_time(QUEUE, None, now);
    let by_status = StatusCounts { pending: 1, reserved: 2, assigned: 1, wrapping: 0 };
    assert_eq!((queue.by_status, queue.by_status.total()), (by_status, 4));
    assert_eq!(queue.by_priority, [(0, 2), (7, 2)].into());
    assert_eq!(queue.longest_waiting, Some((TaskSid(5), 3_000)));
    assert_eq!(queue.longest_in_queue, Some((TaskSid(5), 3_000)));
    assert_eq!((queue.workers, queue.available), (3, 2), "one went when it would not");
    assert_eq!(queue.activities.iter().find(|(sid, _)| *sid == OFFLINE), Some(&(OFFLINE, 1)));
    assert_eq!(queue.activities.len(), 3, "those nobody is in too");
    let chat = office.all.real_time(Whose::Workspace, Some("chat"), now);
    assert_eq!((chat.by_status.total(), chat.by_status.assigned), (3, 0));
    assert_eq!(office.all.real_time(Whose::Workflow(FLOW), Some("fax"), now), RealTime::default());
    office.all.wrap_up(TaskSid(2), now).unwrap();
    assert_eq!(office.all.real_time(QUEUE, Some("voice"), now).by_status.wrapping, 1);
    assert_eq!(office.all.workers_real_time(|worker| worker.sid == WorkerSid(1)).workers, 1);
    assert!(office.all.may_serve(WorkerSid(1), TaskQueueSid(3)));
    assert!(!office.all.may_serve(WorkerSid(1), TaskQueueSid(4)));
}

#[test]
fn what_workers_did() {
    let office = history();
    let window = Window::minutes(15, office.mono());
    let one = |n: u128| office.all.workers_cumulative(&window, |worker| worker.sid == WorkerSid(n));
    let counts = |n| {
        let one = one(n).reservations;
        (one.created, one.accepted, one.rejected)
    };
    assert_eq!([counts(1), counts(2), counts(3)], [(1, 1, 0), (1, 0, 1), (1, 1, 0)]);
    let durations: Vec<_> =
        one(1).activities.iter().map(|(sid, of)| (sid.0, of.count, of.total_ms)).collect();
    assert_eq!(durations, [(1, 0, 0), (2, 1, 41_000), (3, 0, 0)], "what it is doing counts until now");
    let all = office.all.workers_cumulative(&window, |_| true);
    assert_eq!((all.reservations.created, all.reservations.accepted), (3, 2));
}

/// The census, counted anew, is the one that was kept: see `crate::life::tests` for the histories.
pub(crate) fn is_right(all: &Workspace) -> bool {
    let mut counted = Census::default();
    for task in all.tasks.values() {
        let mut task = Task { counted: None, ..task.clone() };
        let channel = all.statistics.channels.iter().position(|channel| *channel == task.channel).unwrap();
        counted.recount(&mut task, u8::try_from(channel).unwrap());
    }
    counted == all.statistics.census
}

#[test]
fn statistics_survive_as_plain_data() {
    let mut office = history();
    let text = serde_json::to_string(&Snapshot::new(&office.all)).unwrap();
    let (before, now) = (told(&office, Whose::Workspace), office.mono());
    let standing = |all: &Workspace| all.real_time(Whose::Workspace, None, now);
    let stood = standing(&office.all);
    assert_ne!(stood.by_status.total(), 0);
    office.all = serde_json::from_str::<Snapshot>(&text).unwrap().workspace();
    assert_eq!((told(&office, Whose::Workspace), standing(&office.all)), (before, stood));
    assert!(is_right(&office.all));
}

#[test]
fn the_present_of_nobody_is_nothing() {
    let office = Office::new(ONE_QUEUE);
    let told = office.all.real_time(Whose::Queue(TaskQueueSid(99)), None, office.mono());
    assert_eq!((told.workers, told.by_status.total(), told.longest_waiting), (0, 0, None));
}
