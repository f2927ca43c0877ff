//! TaskRouter in the node: workspaces, and what they have to do with calls and web servers (reference: taskrouter).
//!
//! ```text
//!  <Enqueue workflowSid>, REST ──▶ desk (one a workspace) ──▶ rows, events, callbacks
//!        call waits                  │ reservation made
//!                                    ▼
//!              assignment callback ──▶ instruction ──▶ the worker's phone rings ──▶ bridged: accepted
//! ```
//! What decides is the core (`router`); [`desk`] keeps what people want to know beside it. A workspace's
//! clock counts from 1970, so that what was written down yesterday means the same today.

mod agents;
mod ask;
mod assign;
mod conference;
mod desk;
mod events;
mod instruct;
mod listing;
mod live;
mod rest;
mod rest_manage;
mod rest_statistics;
mod rest_task;
mod rest_worker;
mod restore;
mod ring;
pub mod rows;
mod voice;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::{CallSid, Mono, Now, Reason, ReservationSid, Rng, TaskSid, WorkflowSid, WorkspaceSid};

use router::clock::Anchor;

use crate::io::FetchId;

pub use self::ask::{
    DeskAsk, Filter, QueueForm, ReservationChange, RouterAsk, RouterFault, RouterReply, TaskForm, TaskView,
    TransferForm, WorkerChannelView, WorkerForm, WorkerView, WorkflowForm, WorkspaceForm, WorkspaceView,
};
use self::assign::Asking;
use self::desk::{Desk, Duty};
pub use self::events::status_word;
pub use self::listing::{DateKey, DatePage, QueueFilter, TaskKey, TaskOrdering, TaskPage, WorkerFilter};
pub use self::rest_statistics::{StatisticsOf, StatisticsView, StatisticsWindow, WorkersAsked};
use self::ring::Ring;
pub use self::voice::snake;
pub(crate) use self::voice::{CallTask, Reserved};

/// Workspaces of a box.
pub const WORKSPACES_MAX: usize = 32;

/// Calls that may wait for one workflow (reference: taskrouter §1).
pub(crate) const WAITING_MAX: u32 = 100;

/// All workspaces, and what is under way for them.
#[derive(Clone, Debug)]
pub(crate) struct TaskRouter {
    desks: BTreeMap<WorkspaceSid, Desk>,
    /// Where the node's clock lies on the workspaces'.
    anchor: Anchor,
    rng: Rng,
    /// Assignment callbacks under way.
    asking: BTreeMap<FetchId, Asking>,
    /// When they are given up, on the node's clock.
    patience: BTreeSet<(Mono, FetchId)>,
    /// Reservations about which nobody could say anything: when they are withdrawn.
    unanswered: BTreeSet<(Mono, WorkspaceSid, ReservationSid)>,
    /// Calls to workers.
    rings: BTreeMap<CallSid, Ring>,
    /// Of those: answered or over, and not worked off.
    news: VecDeque<(CallSid, RingNews)>,
    /// What is left to do for workspaces that are gone, and who is told of it.
    last_words: VecDeque<(Duty, Option<String>)>,
}

/// What became of a call to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RingNews {
    Answered,
    /// `failed`: it could not be had at all; busy and unanswered ones could.
    Over {
        failed: bool,
    },
}

impl TaskRouter {
    pub(crate) fn new(rng: Rng, now: Now) -> Self {
        Self {
            desks: BTreeMap::new(),
            anchor: Anchor::new(now),
            rng,
            asking: BTreeMap::new(),
            patience: BTreeSet::new(),
            unanswered: BTreeSet::new(),
            rings: BTreeMap::new(),
            news: VecDeque::new(),
            last_words: VecDeque::new(),
        }
    }

    /// The workspaces' clock.
    pub(crate) fn clock(&self, now: Now) -> Mono {
        self.anchor.into(now.mono)
    }

    pub(crate) fn poll_timeout(&self) -> Option<(Mono, Reason)> {
        let desks = self.desks.values().filter_map(|desk| desk.core.poll_timeout());
        let desks = desks.map(|(at, why)| (self.anchor.back(at), why));
        let patience = self.patience.first().map(|(at, _)| (*at, Reason("assignment callback")));
        let unanswered = self.unanswered.first().map(|(at, _, _)| (*at, Reason("unanswered assignment")));
        let after_work = self.desks.values().filter_map(|desk| desk.wrap_ups.first());
        let after_work = after_work.map(|at| (self.anchor.back(at), Reason("after-work")));
        desks.chain(patience).chain(unanswered).chain(after_work).min_by_key(|(at, _)| *at)
    }

    /// The workspace a workflow belongs to.
    pub(crate) fn of_workflow(&self, sid: WorkflowSid) -> Option<WorkspaceSid> {
        self.desks.values().find(|desk| desk.workflows.contains_key(&sid)).map(|desk| desk.row.sid)
    }

    /// The workspace and the task of a reservation.
    pub(crate) fn of_reservation(&self, sid: ReservationSid) -> Option<(WorkspaceSid, TaskSid)> {
        self.desks.values().find_map(|desk| Some((desk.row.sid, desk.core.reservation(sid)?.task)))
    }

    /// A call to a worker was answered, or is over; other calls are none of its business.
    pub(crate) fn ring_news(&mut self, call: CallSid, news: RingNews) {
        if self.rings.contains_key(&call) {
            self.news.push_back((call, news));
        }
    }
}
