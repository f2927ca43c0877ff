//! The workspace's time: the same before and after a restart.
//!
//! A shell's monotonic time begins anew with its process, tasks do not. A workspace therefore counts nanoseconds since
//! 1970, read from the wall once at the process's start and moved by the monotonic clock alone from then on: a deadline
//! of yesterday's snapshot is still right, and a wall that is set while the process runs disturbs nobody.

use base::{Mono, Now, Timestamp};

/// Where a process's monotonic time lies on the workspace's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Nanoseconds between the two origins.
    ahead: u64,
}

impl Anchor {
    /// Made once, when the process starts.
    pub fn new(now: Now) -> Self {
        let wall = u64::try_from(now.wall.0).unwrap_or(0).saturating_mul(1_000);
        Self { ahead: wall.saturating_sub(now.mono.0) }
    }

    /// The process's time as the workspace's: for everything that takes `now`.
    pub fn into(self, mono: Mono) -> Mono {
        Mono(mono.0.saturating_add(self.ahead))
    }

    /// The workspace's time as the process's: for a deadline. What lies before the process is its beginning.
    pub fn back(self, at: Mono) -> Mono {
        Mono(at.0.saturating_sub(self.ahead))
    }
}

/// A moment of the workspace's time as people read it.
pub fn wall(at: Mono) -> Timestamp {
    Timestamp(i64::try_from(at.0 / 1_000).unwrap_or(i64::MAX))
}

/// A moment as people write it on the workspace's time; what lies before 1970 is 1970.
pub fn moment(at: Timestamp) -> Mono {
    Mono(u64::try_from(at.0).unwrap_or(0).saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_agree_on_what_time_it_is() {
        let at = |wall_s: i64, mono_s: u64| Now {
            mono: Mono(mono_s * 1_000_000_000),
            wall: Timestamp(wall_s * 1_000_000),
        };
        let (first, second) = (Anchor::new(at(1_000, 700)), Anchor::new(at(2_000, 3)));
        let deadline = first.into(Mono(760 * 1_000_000_000));
        assert_eq!(wall(deadline), Timestamp(1_060 * 1_000_000));
        assert_eq!(moment(wall(deadline)), deadline);
        assert_eq!(second.back(deadline), Mono(0), "it is over");
        assert_eq!(second.back(moment(Timestamp(2_010 * 1_000_000))), Mono(13 * 1_000_000_000));
    }
}
