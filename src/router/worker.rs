//! Workers, what they do at the moment, and how much of it they can do at once (reference: taskrouter §3, §4).

use std::collections::{BTreeMap, BTreeSet};

use base::{ActivitySid, Mono, ReservationSid, WorkerSid};
use serde::{Deserialize, Serialize};

use crate::attributes::Attributes;
use crate::names::WorkerNames;

/// What a worker can be doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Its sid.
    pub sid: ActivitySid,
    /// For people.
    pub name: String,
    /// Whether who does it takes tasks; never changes.
    pub available: bool,
}

/// Somebody who takes tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// Its sid.
    pub sid: WorkerSid,
    /// For people; unique in the workspace.
    pub name: String,
    /// What queues and targets choose by.
    pub attributes: Attributes,
    /// What it is doing.
    pub activity: ActivitySid,
    /// Since when.
    pub since: Mono,
    /// When its last task ended, or it began to be available: who has waited the longest comes first.
    pub idle_since: Mono,
    /// The number of its last offer: of two who have waited as long, the one offered less recently.
    pub offered: u64,
    /// How much it can do at once on each channel; one thing where nothing is said.
    pub channels: BTreeMap<String, WorkerChannel>,
    /// What it did before something was offered to it, where that put it to something else.
    #[serde(default)]
    pub before: Option<ActivitySid>,
    /// Reservations that occupy it: pending, accepted and wrapping ones.
    pub reservations: BTreeSet<ReservationSid>,
}

/// A worker's share of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerChannel {
    /// Tasks at once; 0: none.
    pub capacity: u32,
    /// Whether it takes any at the moment.
    pub available: bool,
    /// Tasks at the moment.
    pub used: u32,
}

impl Default for WorkerChannel {
    fn default() -> Self {
        Self { capacity: 1, available: true, used: 0 }
    }
}

impl WorkerChannel {
    /// Whether another task fits.
    pub fn has_room(self) -> bool {
        self.available && self.used < self.capacity
    }
}

impl Worker {
    /// Its share of a channel.
    pub fn channel(&self, channel: &str) -> WorkerChannel {
        self.channels.get(channel).copied().unwrap_or_default()
    }

    pub(crate) fn channel_mut(&mut self, channel: &str) -> &mut WorkerChannel {
        self.channels.entry(channel.to_owned()).or_default()
    }

    /// For expressions over the worker; `sids` are its own and its activity's as text.
    pub(crate) fn names<'v>(&'v self, sids: &'v (String, String), activity: &'v Activity) -> WorkerNames<'v> {
        WorkerNames {
            attributes: &self.attributes,
            sid: &sids.0,
            friendly_name: &self.name,
            activity_sid: &sids.1,
            activity_name: &activity.name,
        }
    }

    /// Who comes first among those who could take a task.
    pub(crate) fn turn(&self) -> Turn {
        Turn { load: 0, idle_since: self.idle_since, offered: self.offered, worker: self.sid }
    }

    /// The same on a channel; on the optimized ones whoever has more room comes first.
    pub(crate) fn turn_on(&self, channel: &str, optimized: &BTreeSet<String>) -> Turn {
        if !optimized.contains(channel) {
            return self.turn();
        }
        let WorkerChannel { capacity, used, .. } = self.channel(channel);
        let load = u64::from(used) * 10_000 / u64::from(capacity.max(1));
        Turn { load, ..self.turn() }
    }

    /// Whether it can be offered something on a channel, whatever it is doing. `multi_task`: though it has something.
    pub(crate) fn has_room(&self, channel: &str, multi_task: bool) -> bool {
        (multi_task || self.reservations.is_empty()) && self.channel(channel).has_room()
    }
}

/// A worker's place among the idle: the smallest is the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Turn {
    /// How full it is, in ten-thousandths; where that does not count, 0.
    load: u64,
    idle_since: Mono,
    offered: u64,
    pub(crate) worker: WorkerSid,
}
