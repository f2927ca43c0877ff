//! What the node tells an operator of the moment.

use base::{CallSid, QueueSid, Timestamp, WorkerSid};
use serde::{Deserialize, Serialize};

/// One call in progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveCall {
    /// Its sid.
    pub sid: CallSid,
    /// The call that dialled it.
    pub parent: Option<CallSid>,
    /// `inbound`, `outbound-dial`.
    pub direction: String,
    /// Who calls.
    pub from: String,
    /// Who is called.
    pub to: String,
    /// `ringing`, `in-progress` …
    pub status: String,
    /// When it began.
    pub started: Timestamp,
    /// When it was answered.
    pub answered: Option<Timestamp>,
    /// The verb that runs.
    pub doing: String,
}

/// One phone of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LivePhone {
    /// SIP user.
    pub name: String,
    /// Short number.
    pub extension: Option<String>,
    /// Where it can be reached now; empty: not registered.
    pub contacts: Vec<String>,
    /// Calls it takes part in.
    pub calls: usize,
}

/// One trunk of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveTrunk {
    /// Its name.
    pub name: String,
    /// Where calls to it are sent.
    pub address: String,
    /// `static`, `registered`, `registering`, `failed: …`.
    pub state: String,
    /// Calls on it.
    pub calls: usize,
}

/// One voice queue (`rest-voice` §9).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveQueue {
    /// Its sid.
    pub sid: QueueSid,
    /// What `<Enqueue>` and `<Dial><Queue>` call it; the workflow's sid where `<Enqueue workflowSid>` made it.
    pub name: String,
    /// That workflow's name.
    pub workflow: Option<String>,
    /// How many there may be in it.
    pub max_size: u32,
    /// How long those in it have waited on average, whole seconds.
    pub average_wait_s: u64,
    /// Calls that wait for a caller.
    pub takers: usize,
    /// When it was made.
    pub created: Timestamp,
    /// When its name or size changed last.
    pub updated: Timestamp,
    /// Who waits, the front one first.
    pub members: Vec<LiveQueueMember>,
}

/// One who waits in a queue (`rest-voice` §9).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveQueueMember {
    /// Which call.
    pub call: CallSid,
    /// Its place, from 1.
    pub position: u32,
    /// When it came.
    pub enqueued: Timestamp,
    /// How long it has waited, whole seconds.
    pub wait_s: u64,
}

/// One of those to whom tasks go (`taskrouter` §4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveWorker {
    /// Its sid.
    pub sid: WorkerSid,
    /// What its workspace is called.
    pub workspace: String,
    /// Its own name.
    pub name: String,
    /// What it is doing.
    pub activity: String,
    /// Whether who does that takes tasks.
    pub available: bool,
    /// For how long it has, whole seconds.
    pub since_s: u64,
    /// Tasks it is offered, works on or has just ended.
    pub tasks: usize,
}

/// The node's own state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The office's name.
    pub name: String,
    /// Calls (legs) in progress.
    pub calls: usize,
    /// Phones with at least one contact.
    pub phones_registered: usize,
    /// Phones configured.
    pub phones: usize,
    /// Trunks configured.
    pub trunks: usize,
    /// No new calls are taken.
    pub draining: bool,
    /// Calls since start.
    pub calls_total: u64,
    /// What was dropped or refused, by name.
    pub counters: Vec<(String, u64)>,
    /// Warnings and errors since start: code and how many.
    #[serde(default)]
    pub notifications: Vec<(u32, u64)>,
    /// Sources banned for repeated wrong passwords.
    pub banned: Vec<String>,
}
