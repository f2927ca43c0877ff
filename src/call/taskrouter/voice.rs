//! Calls that wait as tasks, and those who take them (reference: taskrouter §11).

use std::time::Duration;

use base::{ActivitySid, CallSid, Now, ReservationSid, TaskSid, WorkspaceSid};
use router::{Json, NewTask, ReservationStatus};
use twiml::{CallFacts, Dialect, EnqueueTask};

use super::TaskRouter;
use super::rest_task::TTL_S;
use super::rows::AfterTalk;

/// The attributes a call gives its task (reference: taskrouter §11).
const CALL_ATTRIBUTES: [&str; 25] = [
    "from_country",
    "called",
    "to_country",
    "to_city",
    "to_state",
    "caller_country",
    "call_status",
    "call_sid",
    "account_sid",
    "from_zip",
    "from",
    "direction",
    "called_zip",
    "caller_state",
    "to_zip",
    "called_country",
    "from_city",
    "called_city",
    "caller_zip",
    "api_version",
    "called_state",
    "from_state",
    "caller",
    "caller_city",
    "to",
];

/// A call's task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallTask {
    pub(crate) workspace: WorkspaceSid,
    pub(crate) task: TaskSid,
}

/// Whom a reservation connects with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reserved {
    pub(crate) workspace: WorkspaceSid,
    pub(crate) reservation: ReservationSid,
    pub(crate) caller: CallSid,
    pub(crate) workflow: base::WorkflowSid,
    pub(crate) post_work: Option<ActivitySid>,
}

impl TaskRouter {
    /// A call waits for this workflow; with the published number and a sentence why not.
    pub(crate) fn enqueue(
        &mut self,
        workflow: base::WorkflowSid,
        task: Option<&EnqueueTask>,
        facts: &CallFacts,
        now: Now,
    ) -> Result<CallTask, (u32, String)> {
        let at = self.clock(now);
        let unknown = || (14220, format!("there is no workflow {workflow}"));
        let workspace = self.of_workflow(workflow).ok_or_else(unknown)?;
        let desk = self.desks.get_mut(&workspace).ok_or_else(unknown)?;
        let given = task.map(|task| task.attributes.as_str()).unwrap_or_default();
        let given = router::read_attributes(given).map_err(|why| (14221, why))?;
        let sid = TaskSid::random(&mut desk.rng);
        let ttl = task.and_then(|task| task.timeout_s).unwrap_or(TTL_S);
        let new = NewTask {
            sid,
            workflow,
            attributes: with_call(given, facts),
            channel: "voice".to_owned(),
            priority: task.and_then(|task| task.priority).unwrap_or(0),
            ttl: Duration::from_secs(u64::from(ttl)),
            head_start: Duration::ZERO,
        };
        desk.add_task(new, None, Some(facts.call_sid), at).map_err(|fault| (14222, fault.why))?;
        Ok(CallTask { workspace, task: sid })
    }

    /// A call does not wait for its task any more: what nobody has accepted is taken back.
    pub(crate) fn left_queue(&mut self, task: CallTask, why: &str, now: Now) {
        let at = self.clock(now);
        if let Some(desk) = self.desks.get_mut(&task.workspace) {
            // Accepted, or over by itself.
            let _ = desk.core.cancel(task.task, why, at);
        }
    }

    /// The caller a reservation connects with; with the published number and a sentence why there is none.
    pub(crate) fn reserved(
        &self,
        reservation: ReservationSid,
        post_work: Option<ActivitySid>,
    ) -> Result<Reserved, (u32, String)> {
        let gone = || (14217, format!("{reservation} cannot be accepted"));
        let (workspace, task) = self.of_reservation(reservation).ok_or_else(gone)?;
        let desk = self.desks.get(&workspace).ok_or_else(gone)?;
        let open = desk.core.reservation(reservation).is_some_and(|one| {
            matches!(one.status, ReservationStatus::Pending | ReservationStatus::Accepted)
        });
        let caller = desk.tasks.get(&task).and_then(|facts| facts.call).filter(|_| open).ok_or_else(gone)?;
        if post_work.is_some_and(|activity| desk.core.activity(activity).is_none()) {
            return Err((14218, "postWorkActivitySid names no activity of the workspace".to_owned()));
        }
        let workflow = desk.core.task(task).ok_or_else(gone)?.workflow;
        Ok(Reserved { workspace, reservation, caller, workflow, post_work })
    }

    /// Worker and caller are connected: the reservation is accepted. False when it cannot be any more.
    pub(crate) fn connected(&mut self, reserved: Reserved, now: Now) -> bool {
        let at = self.clock(now);
        let Some(desk) = self.desks.get_mut(&reserved.workspace) else { return false };
        let status = desk.core.reservation(reserved.reservation).map(|one| one.status);
        let taken =
            status == Some(ReservationStatus::Accepted) || desk.core.accept(reserved.reservation, at).is_ok();
        if taken && reserved.post_work.is_some() {
            desk.talks(reserved.reservation, AfterTalk::Completes(reserved.post_work));
        }
        taken
    }

    /// Worker and caller have talked: the worker goes on to its after-work, if that was said.
    pub(crate) fn talked(&mut self, reserved: Reserved, now: Now) {
        let at = self.clock(now);
        if let Some(desk) = self.desks.get_mut(&reserved.workspace) {
            let goes_on = desk.goes_on(reserved.reservation);
            desk.talked(reserved.reservation, goes_on, "the call is over", at);
        }
    }
}

/// What the task of a call is: what the call says of itself, and what the document says.
fn with_call(given: Json, facts: &CallFacts) -> Json {
    let facts = CallFacts { dialect: Dialect::Twiml, ..facts.clone() };
    let params = twiml::standard_params(&facts);
    let mut attributes = router::read_attributes("").expect("nothing is no attribute");
    for name in CALL_ATTRIBUTES {
        let value = params.iter().find(|(param, _)| snake(param) == name).map(|(_, value)| value.as_str());
        attributes = router::with_attribute(attributes, &[name], value.unwrap_or_default());
    }
    if let (Some(all), Json::Object(given)) = (attributes.as_object_mut(), given) {
        all.extend(given);
    }
    attributes
}

/// A parameter's name as attributes and events write it: `CallSid` → `call_sid`.
pub fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for (at, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_their_spelling() {
        for (name, expected) in [("CallSid", "call_sid"), ("From", "from"), ("CalledZip", "called_zip")] {
            assert_eq!(snake(name), expected);
        }
    }
}
