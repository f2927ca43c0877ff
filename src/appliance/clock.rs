//! The one place where a clock is read for the cores.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base::{Mono, Now, Timestamp};

/// Monotonic time counts from when the clock was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        let mono = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Now { mono: Mono(mono), wall: wall() }
    }

    /// The instant at which `mono` is reached.
    pub(crate) fn instant(&self, mono: Mono) -> Instant {
        self.origin + Duration::from_nanos(mono.0)
    }
}

/// Wall time; before 1970 counts as 1970.
pub(crate) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
