//! Real-time priority for the thread that calls.
//!
//! Under foreign load the scheduling class decides about delay more than anything the thread itself does: the
//! 99th percentile of a relayed packet falls from milliseconds to a tenth of one. The right to it comes from
//! `LimitRTPRIO=` in the unit, or from root.

/// What a media thread is for, which decides its priority among real-time threads, 1–99.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Passing packets on: microseconds each, and every one of them is waited for.
    Relay,
    /// Coding and mixing, whole milliseconds at a time: it gives way to what only passes through.
    Work,
}

impl Class {
    fn fifo_priority(self) -> i32 {
        match self {
            Class::Relay => 35,
            Class::Work => 30,
        }
    }
}

/// Niceness when real-time priority is refused.
const NICE: i32 = -20;

/// Raises the calling thread; false when it runs without real-time priority ("degraded real time").
pub(super) fn raise(class: Class) -> bool {
    let parameters = libc::sched_param { sched_priority: class.fifo_priority() };
    // SAFETY: 0 is the calling thread; `parameters` outlives the call.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) } == 0 {
        return true;
    }
    // SAFETY: takes no pointers; on Linux 0 means the calling thread alone. Refused, the thread stays as it is.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
    false
}
