//! Whole histories of a workspace: what is decided, and what is told.

use std::time::Duration;

use base::{Rng, TaskQueueSid};
use serde_json::json;

use super::*;
use crate::history::Day;
use crate::office::{AVAILABLE, FLOW, OFFLINE, ONE_QUEUE, Office, WRAP_UP};
use crate::queue::TaskOrder;

/// Whoever does not answer has had its turn, also where that takes nobody out of the way.
#[test]
fn who_does_not_answer_goes_to_the_end_of_the_line() {
    let mut office = Office::new(ONE_QUEUE);
    office.all.set_timeout_activity(AVAILABLE).unwrap();
    for n in 1..=3 {
        office.worker(n, json!({}), AVAILABLE);
        office.now += 1;
    }
    office.task(1, json!({}));
    let mut asked = Vec::new();
    for _ in 0..4 {
        asked.extend(office.offers().iter().map(|(_, worker)| *worker));
        office.pass(5);
    }
    assert_eq!(asked, [1, 2, 3, 1]);
}

#[test]
fn the_highest_priority_then_the_oldest_is_served_first() {
    let mut office = Office::new(ONE_QUEUE);
    for (n, priority) in [(1, 0), (2, 5), (3, 5)] {
        office.task_on(n, json!({}), priority, "voice");
        office.pass(1);
    }
    office.worker(1, json!({}), AVAILABLE);
    for served in [2, 3, 1] {
        assert_eq!(office.offers(), [(served, 1)]);
        office.accept(1);
        office.all.complete(TaskSid(served), "done", office.mono()).unwrap();
        office.pass(1);
    }
    assert_eq!(office.offers(), []);
}

#[test]
fn the_newest_first_where_a_queue_wants_that() {
    let mut office = Office::new(ONE_QUEUE);
    office.queue(3, "1==1", 1, TaskOrder::Lifo);
    for n in 1..=3 {
        office.task_on(n, json!({}), 10 - n as u32, "voice");
        office.pass(1);
    }
    office.worker(1, json!({}), AVAILABLE);
    assert_eq!(office.offers(), [(3, 1)]);
}

#[test]
fn only_who_has_the_skill_is_offered() {
    let routing = r#"{"filters":[{"expression":"language == 'hi'","targets":[{"queue":"WQ4"}]},
        {"expression":"language == 'de'","targets":[{"queue":"WQ1"}]}]}"#;
    let mut office = Office::new(routing);
    office.worker(1, json!({"languages": ["de"]}), AVAILABLE);
    office.worker(2, json!({"languages": ["hi"]}), OFFLINE);
    office.task(1, json!({"language": "hi"}));
    office.task(2, json!({"language": "de"}));
    office.pass(2);
    assert_eq!(office.offers(), [(2, 1)]);
    office.activity(2, AVAILABLE);
    assert_eq!(office.offers(), [(1, 2), (2, 1)]);
}

#[test]
fn who_does_not_answer_is_moved_and_the_next_one_asked() {
    let mut office = Office::new(ONE_QUEUE);
    office.worker(1, json!({}), AVAILABLE);
    office.pass(1);
    office.worker(2, json!({}), AVAILABLE);
    office.task(1, json!({}));
    assert_eq!(office.offers(), [(1, 1)], "idle the longest");
    office.told();
    office.pass(5);
    assert_eq!(office.told(), ["reservation Timeout", "worker 1 does 1", "reservation.created"]);
    assert_eq!((office.offers(), office.status(1)), (vec![(1, 2)], TaskStatus::Reserved));
    office.accept(2);
    assert_eq!(office.status(1), TaskStatus::Assigned);
    assert_eq!(office.all.cancel(TaskSid(1), "no", office.mono()), Err(RouterError::WrongState("task")));
}

#[test]
fn timeouts_add_up_and_a_workflow_that_ends_cancels() {
    let routing = r#"{"filters":[{"expression":"1==1","targets":[
        {"queue":"WQ1","timeout":10},{"queue":"WQ2","timeout":10,"priority":7},{"timeout":10}]}],
        "default_filter":{"queue":"WQ3"}}"#;
    let mut office = Office::new(routing);
    office.task(1, json!({}));
    assert_eq!(
        office.told(),
        ["task.created", "target-matched Some(0)", "queue.entered 1", "workflow.entered"]
    );
    office.pass(9);
    assert!(office.told().is_empty());
    office.pass(1);
    assert_eq!(office.told(), ["queue.timeout 1", "queue.moved 1 2", "queue.entered 2"]);
    assert_eq!(office.all.tasks[&TaskSid(1)].priority, 7);
    office.pass(10);
    assert_eq!(office.told(), ["queue.timeout 2"], "the queue is inherited");
    office.pass(10);
    let end = ["queue.timeout 2", "workflow.timeout", "task.canceled Task canceled on Workflow timeout"];
    assert_eq!(office.told(), end);
    office.pass(300);
    assert_eq!(office.told(), ["task.deleted"]);
    assert_eq!((office.all.tasks.len(), office.all.poll_timeout()), (0, None));
}

#[test]
fn a_target_is_skipped_only_when_nobody_could_be_reserved_at_once() {
    let routing = r#"{"filters":[{"expression":"1==1","targets":[
        {"queue":"WQ1","skip_if":"workers.available == 0"}]}],"default_filter":{"queue":"WQ3"}}"#;
    let mut office = Office::new(routing);
    office.task(1, json!({}));
    assert_eq!(
        office.told(),
        [
            "task.created",
            "target-matched Some(0)",
            "queue.entered 1",
            "workflow.entered",
            "workflow.skipped",
            "target-matched None",
            "queue.moved 1 3",
            "queue.entered 3"
        ]
    );
    office.worker(1, json!({"languages": ["de"]}), AVAILABLE);
    assert_eq!(office.offers(), [(1, 1)]);
    office.accept(1);
    // Somebody is available, though busy: the task waits.
    office.task(2, json!({}));
    assert_eq!(office.all.tasks[&TaskSid(2)].queue, Some(TaskQueueSid(1)));
}

/// `1==1` skips whenever nobody can be reserved at once, and never while somebody can.
#[test]
fn somebody_who_is_free_comes_before_the_skipping() {
    let routing = r#"{"filters":[{"expression":"1==1","targets":[
        {"queue":"WQ1","skip_if":"1==1"},{"queue":"WQ3"}]}]}"#;
    let mut office = Office::new(routing);
    office.worker(1, json!({"languages": ["de"]}), AVAILABLE);
    office.task(1, json!({}));
    assert_eq!(office.offers(), [(1, 1)]);
    office.task(2, json!({}));
    let queues = [1, 2].map(|task| office.all.tasks[&TaskSid(task)].queue.unwrap().0);
    assert_eq!(queues, [1, 3], "she is busy with the first, and the second goes on");
}

/// Nobody could say what is to become of the offer: that was not its worker's doing, and it stays the next.
#[test]
fn who_is_taken_an_offer_back_keeps_its_turn() {
    let mut office = Office::new(ONE_QUEUE);
    office.worker(1, json!({}), AVAILABLE);
    office.now = 1;
    office.worker(2, json!({}), AVAILABLE);
    office.task(1, json!({}));
    office.now = 2;
    let offer = office.offer_to(1);
    office.all.withdraw(offer, office.mono()).unwrap();
    assert_eq!(office.offers(), [(1, 1)]);
    assert_eq!(office.all.reservations[&offer].status, ReservationStatus::Canceled);
}

#[test]
fn several_are_asked_at_once_and_the_first_to_accept_has_it() {
    let mut office = Office::new(ONE_QUEUE);
    office.queue(3, "1==1", 2, TaskOrder::Fifo);
    office.worker(1, json!({}), AVAILABLE);
    office.task(1, json!({}));
    assert_eq!(office.offers(), [(1, 1)], "a second one is still looked for");
    for n in 2..=3 {
        office.worker(n, json!({}), AVAILABLE);
    }
    assert_eq!(office.offers(), [(1, 1), (1, 2)]);
    office.task(2, json!({}));
    assert_eq!(office.offers(), [(1, 1), (1, 2), (2, 3)]);
    let late = office.offer_to(1);
    office.accept(2);
    assert_eq!(office.all.reservation(late).unwrap().status, ReservationStatus::Rescinded);
    assert_eq!(office.all.accept(late, office.mono()), Err(RouterError::WrongState("reservation")));
    assert_eq!(office.offers(), [(2, 1), (2, 3)], "who was not needed is asked for the next");
}

#[test]
fn targets_choose_by_expression_order_and_acquaintance() {
    let routing = r#"{"filters":[
        {"expression":"kind == 'known'","targets":[{"queue":"WQ3","known_worker_sid":"task.agent","timeout":10},{}]},
        {"expression":"kind == 'best'","targets":[{"queue":"WQ3","order_by":"worker.level DESC, worker.cost ASC"}]},
        {"expression":"kind == 'speaks'","targets":[{"queue":"WQ3","expression":"worker.languages HAS task.language"}]}]}"#;
    let mut office = Office::new(routing);
    office.worker(1, json!({"level": "high", "languages": ["de"]}), AVAILABLE);
    office.worker(2, json!({"level": 3, "cost": 9, "languages": ["fr"]}), AVAILABLE);
    office.worker(3, json!({"level": 3, "cost": 2}), AVAILABLE);
    office.worker(4, json!({"level": 1}), OFFLINE);
    office.task(1, json!({"kind": "best"}));
    office.task(2, json!({"kind": "speaks", "language": "fr"}));
    office.task(3, json!({"kind": "known", "agent": WorkerSid(4).to_string()}));
    assert_eq!(office.offers(), [(1, 3), (2, 2)]);
    office.pass(4);
    for worker in [2, 3] {
        office.accept(worker);
    }
    office.pass(6);
    assert_eq!(
        office.offers(),
        [(1, 3), (2, 2), (3, 1)].into_iter().skip(2).collect::<Vec<_>>(),
        "not for ever"
    );
    office.activity(4, AVAILABLE);
    assert_eq!(office.status(3), TaskStatus::Reserved);
}

#[test]
fn a_worker_has_room_for_so_much_on_each_channel() {
    let mut office = Office::new(ONE_QUEUE);
    office.worker(1, json!({}), AVAILABLE);
    office.all.set_capacity(WorkerSid(1), "chat", 2, true, office.mono()).unwrap();
    for n in 1..=3 {
        office.task_on(n, json!({}), 0, "chat");
    }
    office.task_on(4, json!({}), 0, "voice");
    assert_eq!(office.offers(), [(1, 1), (2, 1), (4, 1)]);
    office.all.set_capacity(WorkerSid(1), "chat", 3, false, office.mono()).unwrap();
    assert_eq!(office.offers().len(), 3, "not on this channel now");
    office.all.set_capacity(WorkerSid(1), "chat", 3, true, office.mono()).unwrap();
    assert_eq!(office.offers().len(), 4);
}

#[test]
fn a_caller_who_hangs_up_frees_the_worker_who_was_asked() {
    let mut office = Office::new(ONE_QUEUE);
    office.worker(1, json!({}), AVAILABLE);
    office.task(1, json!({}));
    office.task(2, json!({}));
    office.told();
    office.all.cancel(TaskSid(1), "hangup", office.mono()).unwrap();
    assert_eq!(office.told(), ["task.canceled hangup", "reservation Canceled", "reservation.created"]);
    assert_eq!(office.offers(), [(2, 1)]);
    assert_eq!(office.all.worker(WorkerSid(1)).unwrap().activity, AVAILABLE, "it did nothing wrong");
}

#[test]
fn after_work_keeps_a_worker_until_it_is_done() {
    let mut office = Office::new(ONE_QUEUE);
    office.worker(1, json!({}), AVAILABLE);
    office.task(1, json!({}));
    office.accept(1);
    office.task(2, json!({}));
    office.all.wrap_up(TaskSid(1), office.mono()).unwrap();
    let served = office.all.reservations_of(TaskSid(1)).map(|one| one.status).collect::<Vec<_>>();
    assert_eq!((office.status(1), served), (TaskStatus::Wrapping, vec![ReservationStatus::Wrapping]));
    assert_eq!(office.offers(), []);
    office.all.complete(TaskSid(1), "done", office.mono()).unwrap();
    assert_eq!(office.offers(), [(2, 1)]);
    assert_eq!(office.all.complete(TaskSid(1), "done", office.mono()), Err(RouterError::WrongState("task")));
}

#[test]
fn nobody_is_asked_for_ever_and_nothing_waits_for_ever() {
    let mut office = Office::new(ONE_QUEUE);
    office.worker(1, json!({}), AVAILABLE);
    office.task(1, json!({}));
    let mut asked = 0;
    while office.status(1) == TaskStatus::Reserved {
        let sid = office.offer_to(1);
        office.all.reject(sid, None, office.mono()).unwrap();
        asked += 1;
    }
    assert_eq!((asked, office.status(1)), (1_000, TaskStatus::Canceled));
    office.activity(1, OFFLINE);
    office.task(2, json!({}));
    office.pass(3_600);
    assert_eq!(office.all.tasks[&TaskSid(2)].reason.as_deref(), Some("Task TTL Exceeded"));
}

/// A channel that comes with a task is open to those who are there already; there are only so many.
#[test]
fn a_new_channel_is_everybodys_and_they_are_bounded() {
    let mut office = Office::new(ONE_QUEUE);
    office.worker(1, json!({}), AVAILABLE);
    let now = office.mono();
    let new = |n: u128| NewTask {
        sid: TaskSid(n),
        workflow: FLOW,
        attributes: json!({}),
        channel: format!("channel {n}"),
        priority: 0,
        ttl: Duration::from_secs(3_600),
        head_start: Duration::ZERO,
    };
    office.all.create_task(new(1), now).unwrap();
    assert_eq!(office.offers(), [(1, 1)]);
    let refused = (2..=100).find(|n| office.all.create_task(new(*n), now).is_err());
    assert_eq!(refused, Some(60), "five were there before");
    assert_eq!(office.all.create_task(new(60), now), Err(RouterError::TooMany("channels")));
    let full = office.all.set_capacity(WorkerSid(1), "one more", 1, true, now);
    assert_eq!(full, Err(RouterError::TooMany("channels")));
}

/// What must hold after whatever happened.
fn check(all: &Workspace) {
    for worker in all.workers.values() {
        let mine = all.reservations.values().filter(|r| r.worker == worker.sid && r.status.occupies());
        let mine: Vec<_> = mine.map(|r| r.sid).collect();
        assert_eq!(worker.reservations.iter().copied().collect::<Vec<_>>().len(), mine.len());
        assert!(mine.iter().all(|sid| worker.reservations.contains(sid)));
        let used: u32 = worker.channels.values().map(|share| share.used).sum();
        assert_eq!(used as usize, mine.len(), "as much is used as is reserved");
    }
    for task in all.tasks.values() {
        let pending = task
            .reservations
            .iter()
            .filter(|sid| all.reservations[*sid].status == ReservationStatus::Pending);
        match task.status {
            TaskStatus::Pending => assert!(task.reservations.is_empty()),
            TaskStatus::Reserved => {
                assert!(pending.count() == task.reservations.len() && !task.reservations.is_empty())
            }
            TaskStatus::Assigned | TaskStatus::Wrapping => {
                assert!(task.serving.is_some_and(|serving| task.reservations.contains(&serving)));
                assert!(task.offers() == 0 || task.is_handed_on());
            }
            TaskStatus::Completed | TaskStatus::Canceled => assert!(task.reservations.is_empty()),
        }
        let queue = task.queue.map(|queue| &all.queues[&queue]);
        let waits = queue.is_some_and(|queue| queue.holds(task));
        let waits = waits || all.meant.values().flatten().any(|(_, sid)| *sid == task.sid);
        if task.status == TaskStatus::Pending {
            assert!(waits, "what is pending waits");
            // Nothing waits beside somebody who could do it.
            assert!(all.task_with_a_worker(task.sid).is_none(), "{:?}", task.sid);
        }
        assert!(!waits || task.is_wanted());
        assert!(all.deadlines.contains_key(&if task.status.is_over() {
            Timer::Forget(task.sid)
        } else {
            Timer::Life(task.sid)
        }));
    }
    for (sid, queue) in &all.queues {
        for (task, rank) in queue.waiting.values().flat_map(|line| line.members()) {
            let task = &all.tasks[&task];
            assert_eq!((task.queue, queue.rank(task)), (Some(*sid), rank), "each waits where it stands");
        }
    }
    for reservation in all.reservations.values() {
        let timed = all.deadlines.contains_key(&Timer::Reservation(reservation.sid));
        assert_eq!(timed, reservation.status == ReservationStatus::Pending, "nobody is asked for ever");
    }
}

impl Workspace {
    /// Somebody who could take a task, found by asking everybody.
    fn task_with_a_worker(&self, sid: TaskSid) -> Option<WorkerSid> {
        let task = &self.tasks[&sid];
        let free = |worker: &&crate::worker::Worker| {
            let has_room = worker.channel(&task.channel).has_room();
            let is_meant = match task.direct {
                Some(Direct::Worker { worker: meant, ignore_capacity }) => {
                    meant == worker.sid && (has_room || ignore_capacity)
                }
                Some(Direct::Queue(_)) | None => {
                    let queue = &self.queues[&task.queue.unwrap()];
                    has_room && queue.config.target_workers.is_true(&worker.attributes)
                }
            };
            is_meant && self.activities[&worker.activity].available && self.is_able(sid, worker.sid)
        };
        self.workers.values().find(free).map(|worker| worker.sid)
    }
}

#[test]
fn whatever_happens_nothing_is_stuck_or_counted_twice() {
    for seed in 0..30 {
        let (mut day, mut rng) = (Day::new(seed), Rng::seeded(seed));
        for step in 0..600 {
            day.step(&mut rng);
            check(&day.all);
            assert!(step % 20 > 0 || crate::statistics::tests::is_right(&day.all), "seed {seed}");
        }
        // Everybody goes, and in the end nothing is left.
        for worker in day.all.workers.keys().copied().collect::<Vec<_>>() {
            day.all.set_activity(worker, OFFLINE, day.now).unwrap();
        }
        while let Some((at, _)) = day.all.poll_timeout() {
            day.all.handle_timeout(at);
        }
        assert_eq!((day.all.tasks.len(), day.all.reservations.len()), (0, 0), "seed {seed}");
        assert!(day.all.meant.is_empty(), "seed {seed}");
        assert!(day.all.workers.values().all(|worker| worker.reservations.is_empty()), "seed {seed}");
    }
}

#[test]
fn what_is_in_use_does_not_go() {
    let mut office = Office::new(ONE_QUEUE);
    office.worker(1, json!({}), OFFLINE);
    office.task(1, json!({}));
    let in_use = |what| Err(RouterError::WrongState(what));
    assert_eq!(office.all.remove_activity(OFFLINE), in_use("activity"));
    assert_eq!(office.all.remove_queue(TaskQueueSid(3)), in_use("queue"));
    assert_eq!(office.all.remove_workflow(FLOW), in_use("workflow"));
    assert_eq!(office.all.remove_queue(TaskQueueSid(4)), Ok(()));
    office.activity(1, AVAILABLE);
    assert_eq!(office.all.remove_worker(WorkerSid(1)), in_use("worker"));
    office.all.reject(office.offer_to(1), Some(WRAP_UP), office.mono()).unwrap();
    assert_eq!(office.all.remove_worker(WorkerSid(1)), Ok(()));
    assert_eq!(office.all.remove_worker(WorkerSid(1)), Err(RouterError::Unknown("worker")));
    office.all.cancel(TaskSid(1), "no", office.mono()).unwrap();
    assert_eq!(office.all.remove_workflow(FLOW), Ok(()));
    assert_eq!(office.all.remove_queue(TaskQueueSid(3)), Ok(()));
    assert_eq!(office.all.remove_activity(WRAP_UP), Ok(()));
}

#[test]
fn another_priority_is_another_place_in_the_line() {
    let mut office = Office::new(ONE_QUEUE);
    for n in 1..=3 {
        office.task(n, json!({}));
        office.pass(1);
    }
    office.all.update_task(TaskSid(3), None, Some(9), office.mono()).unwrap();
    office.worker(1, json!({}), AVAILABLE);
    assert_eq!(office.offers(), [(3, 1)]);
}

/// The same workspace rebuilt from what is written of it.
fn restarted(office: &Office) -> Office {
    let old = &office.all;
    let activities = old.activities().cloned().collect();
    let mut all = Workspace::new(activities, old.timeout_activity(), Rng::seeded(2));
    old.queues().for_each(|queue| all.put_queue(queue.clone(), Mono::default()).unwrap());
    old.workflows().for_each(|flow| all.put_workflow(flow.clone()).unwrap());
    old.workers().for_each(|worker| all.restore_worker(worker.clone()));
    old.tasks().for_each(|task| all.restore_task(task.clone()));
    let mut made: Vec<_> = old.reservations().cloned().collect();
    made.sort_by_key(|one| one.born);
    made.into_iter().for_each(|one| all.restore_reservation(one));
    all.resume(office.mono());
    Office { all, now: office.now }
}

#[test]
fn a_restart_loses_nothing_and_offers_nothing_twice() {
    let mut office = Office::new(ONE_QUEUE);
    office.worker(1, json!({}), AVAILABLE);
    office.worker(2, json!({}), AVAILABLE);
    office.worker(3, json!({}), OFFLINE);
    for n in 1..=5 {
        office.task_on(n, json!({}), if n == 5 { 9 } else { 0 }, "voice");
    }
    office.accept(1);
    office.pass(3);
    let mut again = restarted(&office);
    assert_eq!(again.offers(), [(2, 2)], "worker 1 is busy with task 1");
    assert_eq!(again.told(), Vec::<String>::new());
    let statuses = |office: &Office| (1..=5).map(|n| office.status(n)).collect::<Vec<_>>();
    assert_eq!(statuses(&again), statuses(&office));
    // The clock of the offer goes on: two seconds are left of five.
    again.pass(2);
    assert_eq!(again.told(), ["reservation Timeout", "worker 2 does 1"]);
    again.all.complete(TaskSid(1), "done", again.mono()).unwrap();
    assert_eq!(again.offers(), [(5, 1)], "the order of those who wait is what it was");
    // What was due while nobody was there happens at once.
    office.now += 60;
    let mut late = restarted(&office);
    assert_eq!(late.told(), ["reservation Timeout", "worker 2 does 1"]);
    assert_eq!(late.status(2), TaskStatus::Pending);
}

/// Work that is never declared done ends a day after it was accepted, however often the box starts.
#[test]
fn a_restart_gives_no_worker_another_day() {
    for wraps_up in [false, true] {
        let mut office = Office::new(ONE_QUEUE);
        office.worker(1, json!({}), AVAILABLE);
        office.task(1, json!({}));
        office.pass(4);
        office.accept(1);
        if wraps_up {
            office.all.wrap_up(TaskSid(1), office.mono()).unwrap();
        }
        for _ in 0..3 {
            office.pass(28_000);
            office = restarted(&office);
        }
        office.task(2, json!({}));
        office.pass(2_399);
        assert_eq!((office.all.task(TaskSid(1)).is_some(), office.offers()), (true, vec![]));
        office.pass(1);
        assert_eq!((office.all.task(TaskSid(1)).is_none(), office.offers()), (true, vec![(2, 1)]));
        // Of a box that was away for longer it is over at the start.
        office.accept(1);
        office.now += 90_000;
        let again = restarted(&office);
        assert_eq!(again.all.task(TaskSid(2)), None);
        assert!(again.all.worker(WorkerSid(1)).unwrap().reservations.is_empty());
    }
}

/// What holds a worker is a task that somebody has, not a row that was left behind.
#[test]
fn a_row_that_was_left_behind_holds_nobody() {
    type Leave = fn(&mut Office);
    let ways: [Leave; 3] = [
        |office| _ = office.all.tasks.remove(&TaskSid(1)),
        |office| office.all.tasks.get_mut(&TaskSid(1)).unwrap().status = TaskStatus::Completed,
        |office| office.all.tasks.get_mut(&TaskSid(1)).unwrap().status = TaskStatus::Canceled,
    ];
    for (n, leave) in ways.into_iter().enumerate() {
        for accepts in [false, true] {
            let mut office = Office::new(ONE_QUEUE);
            office.worker(1, json!({}), AVAILABLE);
            office.task(1, json!({}));
            if accepts {
                office.accept(1);
            }
            leave(&mut office);
            let mut again = restarted(&office);
            again.task(2, json!({}));
            assert_eq!(again.offers().last(), Some(&(2, 1)), "{n}");
        }
    }
}

#[test]
fn a_row_that_was_not_written_does_not_lead_to_a_second_offer() {
    let mut office = Office::new(ONE_QUEUE);
    office.worker(1, json!({}), AVAILABLE);
    office.task(1, json!({}));
    let sid = office.offer_to(1);
    // The task's row is older than the reservation's.
    let task = office.all.tasks.get_mut(&TaskSid(1)).unwrap();
    (task.status, task.reservations) = (TaskStatus::Pending, [].into());
    let again = restarted(&office);
    assert_eq!((again.offers(), again.offer_to(1)), (vec![(1, 1)], sid));
}

#[test]
fn a_worker_who_became_free_in_the_last_moment_is_found_after_a_restart() {
    let mut office = Office::new(ONE_QUEUE);
    office.worker(1, json!({}), OFFLINE);
    office.task(1, json!({}));
    // The worker's row is newer than what followed from it.
    office.all.workers.get_mut(&WorkerSid(1)).unwrap().activity = AVAILABLE;
    assert_eq!(restarted(&office).offers(), [(1, 1)]);
}

#[test]
fn after_a_restart_a_target_lasts_as_long_as_was_left() {
    let mut office = Office::new(
        r#"{"filters":[{"expression":"1==1","targets":[{"queue":"WQ3","timeout":60},{"queue":"WQ2"}]}]}"#,
    );
    office.task(1, json!({}));
    office.pass(10);
    let queue = |office: &Office| office.all.task(TaskSid(1)).unwrap().queue.map(|queue| queue.0);
    let mut again = restarted(&office);
    again.pass(49);
    assert_eq!(queue(&again), Some(3));
    again.pass(1);
    assert_eq!(queue(&again), Some(2));
    office.now += 60;
    assert_eq!(queue(&restarted(&office)), Some(2), "it was over while nobody was there");
}

#[test]
fn a_task_of_another_age_waits_as_long_as_that_leaves() {
    let mut office = Office::new(
        r#"{"filters":[{"expression":"1==1","targets":[{"queue":"WQ3","timeout":60},{"queue":"WQ2"}]}]}"#,
    );
    office.pass(1_000);
    office.task(1, json!({}));
    office.pass(10);
    let started = Mono(960 * 1_000_000_000);
    let change = TaskChange { started: Some(started), ..TaskChange::default() };
    office.all.change_task(TaskSid(1), change, office.mono()).unwrap();
    assert_eq!(office.all.task(TaskSid(1)).unwrap().age(office.mono()).as_secs(), 50);
    let queue = |office: &Office| office.all.task(TaskSid(1)).unwrap().queue.map(|queue| queue.0);
    office.pass(9);
    assert_eq!(queue(&office), Some(3));
    office.pass(2);
    assert_eq!(queue(&office), Some(2));
    // Later than it was made, but never in the future.
    let change = TaskChange { started: Some(Mono(1_015 * 1_000_000_000)), ..TaskChange::default() };
    office.all.change_task(TaskSid(1), change, office.mono()).unwrap();
    assert_eq!(office.all.task(TaskSid(1)).unwrap().age(office.mono()).as_secs(), 6);
}

#[test]
fn a_task_goes_to_another_channel_while_nobody_was_offered_it() {
    let mut office = Office::new(ONE_QUEUE);
    office.worker(1, json!({}), AVAILABLE);
    office.all.set_capacity(WorkerSid(1), "chat", 0, true, office.mono()).unwrap();
    office.task_on(1, json!({}), 0, "chat");
    let change = TaskChange { channel: Some("voice".to_owned()), ..TaskChange::default() };
    office.all.change_task(TaskSid(1), change, office.mono()).unwrap();
    assert_eq!(office.offers(), [(1, 1)]);
    // Where it waited before it is found no more.
    let change = TaskChange { channel: Some("chat".to_owned()), ..TaskChange::default() };
    office.task_on(2, json!({}), 0, "voice");
    office.all.change_task(TaskSid(2), change, office.mono()).unwrap();
    office.all.set_capacity(WorkerSid(1), "voice", 5, true, office.mono()).unwrap();
    assert_eq!(office.offers(), [(1, 1)]);
    let change = TaskChange { channel: Some("sms".to_owned()), ..TaskChange::default() };
    assert!(office.all.change_task(TaskSid(1), change, office.mono()).is_err());
}

#[test]
fn who_leaves_is_asked_no_more() {
    let mut office = Office::new(ONE_QUEUE);
    office.worker(1, json!({}), AVAILABLE);
    office.task_on(1, json!({}), 0, "voice");
    office.task_on(2, json!({}), 0, "chat");
    office.all.accept(office.offer_to(1), office.mono()).unwrap();
    office.told();
    office.all.leave(WorkerSid(1), WRAP_UP, office.mono()).unwrap();
    assert_eq!(office.offers(), []);
    let told = office.told();
    assert_eq!(told.iter().filter(|word| *word == "reservation Rejected").count(), 1, "{told:?}");
}
