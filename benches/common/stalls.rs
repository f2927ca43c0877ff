//! When the host took the core away from the machine.
//!
//! On a shared host a virtual core stands still dozens of times a second, for some hundred microseconds or some
//! milliseconds. A thread of the highest real-time priority on the same core, which does nothing but wake up on
//! time, sees these times: nothing inside the machine can make it late. What was on its way meanwhile says nothing
//! about the software, so benches judge the rest, and print how much that is.

#![allow(dead_code, reason = "each bench takes what it needs")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::machine;

/// How often the watching thread wakes: a hundredth of a core.
const WAKES: Duration = Duration::from_micros(500);

/// Nanoseconds of lateness that a core which was there does not cause.
const LATE_NS: u64 = 150_000;

/// What piles up while a core is away is worked off at the load of a busy thread: so many times as long after.
const AFTERMATH: u64 = 3;

/// Above whatever is measured and what makes its load.
const PRIORITY: i32 = 90;

/// A thread that watches a core until it is asked what it saw.
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<(u64, u64)>>,
}

impl Watch {
    /// Watches this core.
    pub fn start(cpu: usize) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let watch = {
            let stop = stop.clone();
            move || {
                machine::pin(0, cpu);
                machine::real_time(PRIORITY);
                let mut seen = Vec::with_capacity(1 << 16);
                while !stop.load(Relaxed) {
                    let due = machine::wall_ns() + WAKES.as_nanos() as u64;
                    std::thread::sleep(WAKES);
                    let late = machine::wall_ns().saturating_sub(due);
                    if late > LATE_NS {
                        seen.push((due, due + late * (1 + AFTERMATH)));
                    }
                }
                seen
            }
        };
        Watch { stop, thread: std::thread::spawn(watch) }
    }

    /// What it saw.
    pub fn finish(self) -> Stalls {
        self.stop.store(true, Relaxed);
        Stalls(self.thread.join().unwrap_or_default())
    }
}

/// The times a core was away, and those right after; nanoseconds of [`machine::wall_ns`], in order of their begin.
pub struct Stalls(Vec<(u64, u64)>);

impl Stalls {
    /// Whether any of these times falls between the two moments.
    fn touches(&self, from: u64, to: u64) -> bool {
        let begun = self.0.partition_point(|&(begin, _)| begin <= to);
        // Their ends are not in order: an old one may be the longest.
        self.0[begun.saturating_sub(64)..begun].iter().any(|&(_, end)| end >= from)
    }
}

/// How long packets took.
#[derive(Debug, Default)]
pub struct Delays {
    /// Microseconds of those that the host did not touch, sorted.
    pub ours: Vec<u32>,
    /// Microseconds of all, sorted.
    pub all: Vec<u32>,
}

/// When a packet was sent, in nanoseconds of [`machine::wall_ns`], and the microseconds it took.
pub type Delay = (u64, u32);

impl Delays {
    /// What of these is ours.
    pub fn judged(delays: &[Delay], stalls: &Stalls) -> Delays {
        let is_ours = |&&(sent, us): &&Delay| !stalls.touches(sent, sent + u64::from(us) * 1_000);
        let sorted = |mut us: Vec<u32>| {
            us.sort_unstable();
            us
        };
        Delays {
            ours: sorted(delays.iter().filter(is_ours).map(|&(_, us)| us).collect()),
            all: sorted(delays.iter().map(|&(_, us)| us).collect()),
        }
    }

    /// The share of all that the host touched.
    pub fn host(&self) -> f64 {
        if self.all.is_empty() { 0.0 } else { 1.0 - self.ours.len() as f64 / self.all.len() as f64 }
    }

    /// Whether enough is left to judge by: half.
    pub fn is_judged(&self) -> bool {
        self.host() <= 0.5
    }
}
