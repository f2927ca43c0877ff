//! How long what has been is remembered.

use std::time::Duration;

use crate::raw::{At, RetentionKeys};
use crate::resolve::Findings;

/// What is kept of each sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionConfig {
    /// Calls that are over.
    pub calls: KeepConfig,
    /// Recordings and their files.
    pub recordings: KeepConfig,
    /// Warnings and errors.
    pub notifications: KeepConfig,
    /// The steps of calls, and their requests to web servers.
    pub events: KeepConfig,
    /// What workspaces were told and decided.
    pub decisions: KeepConfig,
}

/// How long, and how much; `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepConfig {
    /// Since it was made, a call since it ended.
    pub age: Option<Duration>,
    /// Rows; of recordings bytes.
    pub most: Option<u64>,
}

/// Days the steps of a call are kept when nothing is said.
const EVENTS_DAYS: u64 = 90;
/// Days what workspaces were told and decided is kept when nothing is said.
const DECISIONS_DAYS: u64 = 14;
/// And how much of it: half a gigabyte.
const DECISIONS_MAX: u64 = 1_000_000;
/// A century.
const DAYS_MAX: u64 = 36_500;
const DAY_S: u64 = 86_400;

pub(crate) fn retention(keys: &RetentionKeys, found: &mut Findings) -> RetentionConfig {
    let mut days = |name: &'static str, key: &Option<At<u64>>, default: u64| {
        let days = found.read(name, key.as_ref(), |&days| {
            let is_sane = days <= DAYS_MAX;
            is_sane.then_some(days).ok_or_else(|| format!("must be at most {DAYS_MAX}; 0 is for ever."))
        });
        Some(days.unwrap_or(default)).filter(|days| *days > 0).map(|days| Duration::from_secs(days * DAY_S))
    };
    let calls = days("retention.calls_days", &keys.calls_days, 0);
    let recordings = days("retention.recordings_days", &keys.recordings_days, 0);
    let notifications = days("retention.notifications_days", &keys.notifications_days, 0);
    let events = days("retention.events_days", &keys.events_days, EVENTS_DAYS);
    let decisions = days("retention.decisions_days", &keys.decisions_days, DECISIONS_DAYS);
    let most = |key: &Option<At<u64>>| key.as_ref().map(|at| at.value).filter(|most| *most > 0);
    let bytes = most(&keys.recordings_max_mb).map(|megabytes| megabytes.saturating_mul(1_000_000));
    RetentionConfig {
        calls: KeepConfig { age: calls, most: most(&keys.calls_max) },
        recordings: KeepConfig { age: recordings, most: bytes },
        notifications: KeepConfig { age: notifications, most: most(&keys.notifications_max) },
        events: KeepConfig { age: events, most: most(&keys.events_max) },
        decisions: KeepConfig {
            age: decisions,
            most: keys.decisions_max.as_ref().map_or(Some(DECISIONS_MAX), |_| most(&keys.decisions_max)),
        },
    }
}
