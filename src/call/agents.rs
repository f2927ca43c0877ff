//! Agents without a web server: who they are, which queues they serve, and what they dial to log in and out.
//!
//! The configuration makes a workspace of its own of them ([`crate::taskrouter`]). Its sids follow from the account and
//! the names, so that documents can name them and a restart finds them again.

use std::collections::BTreeMap;

use base::{AccountSid, ActivitySid, TaskQueueSid, WorkerSid, WorkflowSid, WorkspaceSid, derived};
use router::{Expr, Json};
use serde::{Deserialize, Serialize};

/// What the configuration says of agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agents {
    /// What phones dial, by number.
    pub codes: BTreeMap<String, Feature>,
    /// What agents pause for: activities of these names.
    pub reasons: Vec<String>,
    /// How long an agent's phone rings, seconds.
    pub answer_s: u32,
    /// Whether an agent who does not answer is logged out; else it goes on to be offered calls.
    pub logs_out: bool,
    /// After-work: how long at most, seconds; 0: until its end is dialled. `None`: the next call may come at once.
    pub wrap_up_s: Option<u32>,
    /// In the order of the file.
    pub queues: Vec<AgentQueue>,
    /// In the order of the file.
    pub workers: Vec<Agent>,
}

/// A queue of callers for agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentQueue {
    /// Its name, and its workflow's.
    pub name: String,
    /// Whom it wants.
    pub workers: Expr,
    /// Where callers go on to whom nobody took for so many seconds.
    pub overflow: Option<(String, u32)>,
}

/// Somebody who takes calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The worker's name.
    pub name: String,
    /// The phone that rings, and from which codes are dialled: a key of [`crate::office::Office::phones`].
    pub phone: String,
    /// What queues choose by, an object.
    pub attributes: Json,
    /// Calls at once.
    pub capacity: u32,
}

/// What a code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Feature {
    /// Calls may come.
    LogIn,
    /// None come any more.
    LogOut,
    /// None for the moment: the reason's place in [`Agents::reasons`].
    Pause(usize),
    /// The after-work is done.
    EndWrapUp,
}

impl Agents {
    /// What a dialled number does, in the form of [`crate::route::normalise`].
    pub fn feature(&self, dialled: &str) -> Option<Feature> {
        self.codes.get(dialled).copied()
    }

    /// The agent of a phone.
    pub fn of_phone(&self, phone: &str) -> Option<&Agent> {
        self.workers.iter().find(|worker| worker.phone == phone)
    }
}

/// Names of activities beside the reasons for a pause.
pub(crate) const OFFLINE: &str = "Offline";
pub(crate) const AVAILABLE: &str = "Available";
pub(crate) const WRAP_UP: &str = "Wrap-Up";

/// Sids of what the configuration makes.
#[derive(Clone, Copy, Debug)]
pub struct AgentSids(pub AccountSid);

impl AgentSids {
    fn of(self, kind: &str, name: &str) -> u128 {
        derived(self.0, &format!("agents/{kind}/{name}"))
    }

    /// The workspace.
    pub fn workspace(self) -> WorkspaceSid {
        WorkspaceSid(self.of("workspace", ""))
    }

    /// An activity.
    pub fn activity(self, name: &str) -> ActivitySid {
        ActivitySid(self.of("activity", name))
    }

    /// A queue.
    pub fn queue(self, name: &str) -> TaskQueueSid {
        TaskQueueSid(self.of("queue", name))
    }

    /// The workflow that leads to a queue: what `<Enqueue workflowSid>` names.
    pub fn workflow(self, queue: &str) -> WorkflowSid {
        WorkflowSid(self.of("workflow", queue))
    }

    /// A worker.
    pub fn worker(self, name: &str) -> WorkerSid {
        WorkerSid(self.of("worker", name))
    }
}
