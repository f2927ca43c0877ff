//! What was forgotten while there is still something to be told of it: whoever is told afterwards is told everything.

use std::collections::BTreeMap;

use base::{ReservationSid, TaskSid};

use crate::task::{Reservation, Task};
use crate::workspace::Workspace;

/// Tasks and reservations that are no more, until nothing is left to be told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gone {
    pub(crate) tasks: BTreeMap<TaskSid, Task>,
    pub(crate) reservations: BTreeMap<ReservationSid, Reservation>,
}

impl Workspace {
    /// A task, also one that was forgotten by what is still to be told.
    pub fn told_task(&self, sid: TaskSid) -> Option<&Task> {
        self.task(sid).or_else(|| self.gone.tasks.get(&sid))
    }

    /// A reservation, also one whose task was forgotten by what is still to be told.
    pub fn told_reservation(&self, sid: ReservationSid) -> Option<&Reservation> {
        self.reservation(sid).or_else(|| self.gone.reservations.get(&sid))
    }

    /// Everything has been told.
    pub(crate) fn bury(&mut self) {
        self.gone = Gone::default();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::office::{AVAILABLE, ONE_QUEUE, Office};
    use crate::task::{ReservationStatus, TaskStatus};

    /// A task that is offered is deleted: until its end is told it is known, and so is who was offered it.
    #[test]
    fn what_was_forgotten_is_known_until_it_is_told() {
        let mut office = Office::new(ONE_QUEUE);
        office.worker(1, json!({}), AVAILABLE);
        office.task(1, json!({"n": 7}));
        let offer = office.offer_to(1);
        office.told();
        office.all.delete_task(TaskSid(1), office.mono()).unwrap();
        assert!(office.all.task(TaskSid(1)).is_none() && office.all.reservation(offer).is_none());
        let task = office.all.told_task(TaskSid(1)).unwrap();
        assert_eq!((task.status, &*task.attributes), (TaskStatus::Canceled, &json!({"n": 7})));
        let reservation = office.all.told_reservation(offer).unwrap();
        assert_eq!((reservation.status, reservation.worker.0), (ReservationStatus::Canceled, 1));
        let told = office.told();
        assert_eq!(told, ["task.canceled deleted", "reservation Canceled", "task.deleted"]);
        assert!(office.all.told_task(TaskSid(1)).is_none() && office.all.told_reservation(offer).is_none());
    }
}
