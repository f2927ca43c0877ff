//! Tasks that are handed on, in all the ways that can go.

use serde_json::json;

use super::*;
use crate::life::NewTask;
use crate::office::{AVAILABLE, FLOW, OFFLINE, ONE_QUEUE, Office};
use TransferMode::{Cold, Warm};

const TO_2: Direct = Direct::Worker { worker: WorkerSid(2), ignore_capacity: false };
const TO_QUEUE_1: Direct = Direct::Queue(TaskQueueSid(1));

/// Worker 1 has task 1; 2 and 3 are there, 3 serves queue 1 alone.
fn office() -> (Office, ReservationSid) {
    let mut office = Office::new(ONE_QUEUE);
    office.worker(1, json!({}), AVAILABLE);
    office.task(1, json!({}));
    let sid = office.offer_to(1);
    office.accept(1);
    office.pass(1);
    office.worker(2, json!({}), AVAILABLE);
    office.worker(3, json!({"languages": ["de"]}), AVAILABLE);
    office.told();
    (office, sid)
}

fn hand_on(
    office: &mut Office,
    reservation: ReservationSid,
    to: Direct,
    mode: TransferMode,
) -> Result<(), RouterError> {
    let new = NewTransfer { sid: TransferSid(1), reservation, to, mode, priority: None, attributes: None };
    office.all.transfer(new, office.mono())
}

fn status(office: &Office, sid: ReservationSid) -> ReservationStatus {
    office.all.reservation(sid).unwrap().status
}

fn became(office: &Office) -> TransferStatus {
    office.all.task(TaskSid(1)).unwrap().transfer.as_ref().unwrap().status
}

#[test]
fn warm_to_a_worker_who_accepts() {
    let (mut office, first) = office();
    hand_on(&mut office, first, TO_2, Warm).unwrap();
    assert_eq!(office.told(), ["transfer Initiated", "reservation.created"]);
    assert_eq!(
        (office.offers(), office.status(1)),
        (vec![(1, 2)], TaskStatus::Assigned),
        "the first still has it"
    );
    let second = office.offer_to(2);
    office.accept(2);
    assert_eq!(office.told(), ["reservation Accepted", "transfer Completed"]);
    assert_eq!(
        (became(&office), status(&office, first)),
        (TransferStatus::Complete, ReservationStatus::Accepted)
    );
    assert_eq!(office.all.task(TaskSid(1)).unwrap().serving, Some(second));
    // The first leaves the conversation: that is nothing to the task.
    office.all.wrap_up_reservation(first, office.mono()).unwrap();
    office.all.complete_reservation(first, "", office.mono()).unwrap();
    assert_eq!(office.told(), ["reservation Wrapping", "reservation Completed"]);
    assert_eq!(office.status(1), TaskStatus::Assigned);
    assert_eq!(office.all.worker(WorkerSid(1)).unwrap().channel("voice").used, 0);
    office.all.wrap_up_reservation(second, office.mono()).unwrap();
    office.all.complete_reservation(second, "done", office.mono()).unwrap();
    assert_eq!(office.status(1), TaskStatus::Completed);
}

#[test]
fn warm_to_a_worker_who_would_not_or_does_not_answer_changes_nothing() {
    for rejects in [true, false] {
        let (mut office, first) = office();
        hand_on(&mut office, first, TO_2, Warm).unwrap();
        let offered = office.offer_to(2);
        match rejects {
            true => office.all.reject(offered, None, office.mono()).unwrap(),
            false => office.pass(5),
        }
        let told = office.told();
        assert!(
            told.ends_with(&["transfer AttemptFailed".to_owned(), "transfer Failed".to_owned()]),
            "{told:?}"
        );
        assert_eq!((became(&office), office.status(1)), (TransferStatus::Failed, TaskStatus::Assigned));
        assert_eq!(status(&office, first), ReservationStatus::Accepted);
        // And it may be tried again.
        hand_on(&mut office, first, Direct::Queue(TaskQueueSid(1)), Warm).unwrap();
        assert_eq!(office.offers(), [(1, 3)]);
    }
}

#[test]
fn to_a_worker_who_is_not_there_or_goes_it_fails_at_once() {
    let (mut office, first) = office();
    office.activity(2, OFFLINE);
    office.told();
    hand_on(&mut office, first, TO_2, Warm).unwrap();
    assert_eq!(office.told(), ["transfer Initiated", "transfer Failed"]);
    // A busy one is waited for, as long as it is there.
    office.activity(2, AVAILABLE);
    office.activity(3, OFFLINE);
    office.task(2, json!({}));
    office.accept(2);
    hand_on(&mut office, first, TO_2, Warm).unwrap();
    assert_eq!((became(&office), office.offers()), (TransferStatus::Initiated, vec![]));
    office.activity(2, OFFLINE);
    assert_eq!(became(&office), TransferStatus::Failed);
    office.activity(2, AVAILABLE);
    hand_on(&mut office, first, TO_2, Warm).unwrap();
    office.all.complete(TaskSid(2), "done", office.mono()).unwrap();
    assert_eq!(office.offers(), [(1, 2)], "it is free");
}

#[test]
fn warm_to_a_queue_others_are_asked() {
    let (mut office, first) = office();
    office.worker(4, json!({"languages": ["de"]}), AVAILABLE);
    office.told();
    hand_on(&mut office, first, TO_QUEUE_1, Warm).unwrap();
    assert_eq!(
        office.told(),
        ["transfer Initiated", "queue.moved 3 1", "queue.entered 1", "reservation.created"]
    );
    assert_eq!(office.offers(), [(1, 3)]);
    let offered = office.offer_to(3);
    office.all.reject(offered, None, office.mono()).unwrap();
    assert_eq!(office.told(), ["reservation Rejected", "transfer AttemptFailed", "reservation.created"]);
    assert_eq!(office.offers(), [(1, 4)]);
    office.all.cancel_transfer(TaskSid(1), office.mono()).unwrap();
    let told = ["transfer Canceled", "queue.moved 1 3", "queue.entered 3", "reservation Canceled"];
    assert_eq!(office.told(), told);
    assert_eq!((office.offers(), office.status(1)), (vec![], TaskStatus::Assigned));
    assert_eq!(
        office.all.cancel_transfer(TaskSid(1), office.mono()),
        Err(RouterError::WrongState("transfer"))
    );
}

#[test]
fn cold_is_nobodys_until_somebody_accepts() {
    let (mut office, first) = office();
    hand_on(&mut office, first, TO_2, Cold).unwrap();
    assert_eq!(office.told(), ["transfer Initiated", "reservation Wrapping", "reservation.created"]);
    assert_eq!(
        (office.status(1), status(&office, first)),
        (TaskStatus::Reserved, ReservationStatus::Wrapping)
    );
    office.accept(2);
    assert_eq!((became(&office), office.status(1)), (TransferStatus::Complete, TaskStatus::Assigned));
    office.all.complete(TaskSid(1), "done", office.mono()).unwrap();
    assert_eq!(status(&office, first), ReservationStatus::Completed, "all who had it are done with it");
    assert_eq!(office.all.worker(WorkerSid(1)).unwrap().reservations.len(), 0);
}

#[test]
fn cold_that_fails_goes_through_its_workflow_anew() {
    let (mut office, first) = office();
    hand_on(&mut office, first, TO_2, Cold).unwrap();
    office.pass(2);
    office.told();
    let offered = office.offer_to(2);
    office.all.reject(offered, Some(OFFLINE), office.mono()).unwrap();
    let told = [
        "reservation Rejected",
        "worker 2 does 1",
        "transfer AttemptFailed",
        "transfer Failed",
        "target-matched Some(0)",
        "reservation.created",
    ];
    assert_eq!(office.told(), told);
    assert_eq!(office.offers(), [(1, 3)], "not the one who has after-work to do");
    // The caller hangs up: who handed it on is done with it as well.
    office.all.cancel(TaskSid(1), "hangup", office.mono()).unwrap();
    assert_eq!(status(&office, first), ReservationStatus::Completed);
    assert_eq!(office.all.worker(WorkerSid(1)).unwrap().channel("voice").used, 0);
}

#[test]
fn what_may_not_be_handed_on() {
    let (mut office, first) = office();
    let to = |worker| Direct::Worker { worker: WorkerSid(worker), ignore_capacity: false };
    let unknown = ReservationSid(9);
    for (reservation, to, error) in [
        (unknown, TO_2, RouterError::Unknown("reservation")),
        (first, to(9), RouterError::Unknown("worker")),
        (first, Direct::Queue(TaskQueueSid(9)), RouterError::Unknown("queue")),
        (first, to(1), RouterError::WrongState("worker")),
    ] {
        assert_eq!(hand_on(&mut office, reservation, to, Warm), Err(error));
    }
    hand_on(&mut office, first, TO_2, Warm).unwrap();
    assert_eq!(
        hand_on(&mut office, first, TO_2, Warm),
        Err(RouterError::WrongState("task")),
        "twice at once"
    );
    let offered = office.offer_to(2);
    assert_eq!(
        hand_on(&mut office, offered, to(3), Warm),
        Err(RouterError::WrongState("task")),
        "not theirs yet"
    );
    // After-work is nothing to hand on; beginning it takes back what was handed on.
    office.all.wrap_up(TaskSid(1), office.mono()).unwrap();
    assert_eq!(
        (became(&office), status(&office, offered)),
        (TransferStatus::Canceled, ReservationStatus::Canceled)
    );
    assert_eq!(hand_on(&mut office, first, TO_2, Warm), Err(RouterError::WrongState("task")));
}

/// The wait of who was handed on is counted from then, and it may change its kind and its place on the way.
#[test]
fn a_transfer_begins_to_wait_anew() {
    let (mut office, first) = office();
    office.pass(100);
    let new = NewTransfer {
        sid: TransferSid(1),
        reservation: first,
        to: TO_QUEUE_1,
        mode: Warm,
        priority: Some(9),
        attributes: Some(json!({"vip": true})),
    };
    office.all.transfer(new, office.mono()).unwrap();
    office.pass(4);
    office.accept(3);
    let task = office.all.task(TaskSid(1)).unwrap();
    assert_eq!((task.priority, &*task.attributes), (9, &json!({"vip": true})));
    let window = crate::statistics::Window::minutes(15, office.mono());
    let queue = crate::statistics::Whose::Queue(TaskQueueSid(1));
    assert_eq!(office.all.cumulative(queue, &window, &[]).until_accepted.total_ms, 4_000);
}

fn meant(n: u128) -> NewTask {
    NewTask {
        sid: TaskSid(n),
        workflow: FLOW,
        attributes: json!({}),
        channel: "voice".to_owned(),
        priority: 0,
        ttl: std::time::Duration::from_secs(60),
        head_start: std::time::Duration::ZERO,
    }
}

#[test]
fn a_task_meant_for_somebody_goes_to_nobody_else() {
    let (mut office, _) = office();
    let to = |worker, ignore_capacity| Direct::Worker { worker: WorkerSid(worker), ignore_capacity };
    let now = office.mono();
    // Worker 1 is busy: one waits for it, one does not mind.
    office.all.create_task_for(meant(2), to(1, false), now).unwrap();
    office.all.create_task_for(meant(3), to(1, true), now).unwrap();
    office.all.create_task_for(meant(4), Direct::Queue(TaskQueueSid(1)), now).unwrap();
    assert_eq!(office.offers(), [(3, 1), (4, 3)]);
    assert_eq!(office.all.create_task_for(meant(5), to(9, false), now), Err(RouterError::Unknown("worker")));
    office.accept(1);
    office.all.complete(TaskSid(3), "done", now).unwrap();
    assert_eq!(office.offers(), [(4, 3)], "still busy with the first");
    office.all.complete(TaskSid(1), "done", now).unwrap();
    assert_eq!(office.offers(), [(2, 1), (4, 3)]);
    office.activity(1, OFFLINE);
    office.pass(60);
    assert_eq!(office.status(2), TaskStatus::Canceled, "not for ever");
}

#[test]
fn whoever_is_meant_though_there_is_no_room_is_asked_once_wherever_it_is() {
    let mut office = Office::new(ONE_QUEUE);
    office.worker(1, json!({}), OFFLINE);
    let new = |sid| NewTask {
        sid: TaskSid(sid),
        workflow: crate::office::FLOW,
        attributes: json!({}),
        channel: "voice".to_owned(),
        priority: 0,
        ttl: std::time::Duration::from_secs(600),
        head_start: std::time::Duration::ZERO,
    };
    let mean = |ignore_capacity| Direct::Worker { worker: WorkerSid(1), ignore_capacity };
    office.all.create_task_for(new(1), mean(false), office.mono()).unwrap();
    assert_eq!(office.offers(), []);
    office.all.create_task_for(new(2), mean(true), office.mono()).unwrap();
    assert_eq!(office.offers(), [(2, 1)]);
    office.all.reject(office.offer_to(1), None, office.mono()).unwrap();
    assert_eq!(office.offers(), []);
}
