//! Every deadline of every call, in one ordered set.

use std::collections::{BTreeMap, BTreeSet};

use base::{CallSid, Mono, Reason};
use serde::{Deserialize, Serialize};

/// What a call can wait for by the clock. A call has at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Timer {
    /// `<Pause length>` before the call is answered.
    Pause,
    /// `<Gather timeout>`: no (further) key.
    Gather,
    /// `<Dial timeout>`: nobody answered.
    DialRing,
    /// `<Dial timeLimit>`.
    DialLimit,
    /// The document of somebody who waits is asked for again.
    Wait,
    /// It is this call's turn to ring.
    Turn,
    /// Its turn never came.
    Queue,
    /// Nothing at all came back from where the INVITE went.
    Way,
    /// The media plane or a session did not confirm the end of the call.
    Linger,
    /// The media plane did not open a leg.
    Open,
    /// The caller's equipment, sent elsewhere, says nothing.
    Refer,
    /// The call may last no longer.
    CallLimit,
    /// A sound, a fetch or another thing the verb waits for never came back.
    Stuck,
    /// A key that came by INFO may still come as a telephone event.
    Key,
    /// The next of several keys may be sent by INFO.
    InfoKey,
    /// A recorder never answered.
    Siprec,
    /// `<Dial timeLimit>` of an application.
    Application,
}

impl Timer {
    fn reason(self) -> Reason {
        Reason(match self {
            Timer::Pause => "pause",
            Timer::Gather => "gather timeout",
            Timer::DialRing => "dial ring timeout",
            Timer::DialLimit => "dial time limit",
            Timer::Wait => "wait document again",
            Timer::Turn => "turn to ring",
            Timer::Queue => "waited for its turn",
            Timer::Way => "no sign of life",
            Timer::Linger => "call ending",
            Timer::Open => "media opening",
            Timer::Refer => "refer",
            Timer::CallLimit => "call time limit",
            Timer::Stuck => "outside work overdue",
            Timer::Key => "key by INFO",
            Timer::InfoKey => "keys by INFO",
            Timer::Siprec => "recorder silent",
            Timer::Application => "application time limit",
        })
    }
}

/// Deadlines of calls: bounded by calls × kinds of timer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeSet<(Mono, CallSid, Timer)>,
    deadlines: BTreeMap<(CallSid, Timer), Mono>,
}

impl Timers {
    /// Sets (or moves) one timer.
    pub(crate) fn set(&mut self, call: CallSid, timer: Timer, deadline: Mono) {
        self.cancel(call, timer);
        self.queue.insert((deadline, call, timer));
        self.deadlines.insert((call, timer), deadline);
    }

    /// Stops one timer, if it runs.
    pub(crate) fn cancel(&mut self, call: CallSid, timer: Timer) {
        if let Some(deadline) = self.deadlines.remove(&(call, timer)) {
            self.queue.remove(&(deadline, call, timer));
        }
    }

    /// Stops all timers of a call.
    pub(crate) fn cancel_all(&mut self, call: CallSid) {
        let from_call = self.deadlines.range((call, Timer::Pause)..).map(|(key, _)| *key);
        let of_call: Vec<Timer> = from_call.take_while(|(sid, _)| *sid == call).map(|(_, t)| t).collect();
        for timer in of_call {
            self.cancel(call, timer);
        }
    }

    /// Takes out one timer that is due; call until `None`.
    pub(crate) fn expire(&mut self, now: Mono) -> Option<(CallSid, Timer)> {
        let (deadline, call, timer) = *self.queue.first()?;
        (deadline <= now).then(|| {
            self.cancel(call, timer);
            (call, timer)
        })
    }

    /// The earliest deadline and what it is for.
    pub(crate) fn poll_timeout(&self) -> Option<(Mono, Reason)> {
        self.queue.first().map(|(deadline, _, timer)| (*deadline, timer.reason()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_and_can_be_moved_and_stopped() {
        let (a, b) = (CallSid(1), CallSid(2));
        let mut timers = Timers::default();
        timers.set(a, Timer::Gather, Mono(30));
        timers.set(b, Timer::Pause, Mono(10));
        timers.set(a, Timer::Gather, Mono(20));
        assert_eq!(timers.poll_timeout(), Some((Mono(10), Reason("pause"))));
        assert_eq!(timers.expire(Mono(10)), Some((b, Timer::Pause)));
        assert_eq!(timers.expire(Mono(19)), None);
        assert_eq!(timers.expire(Mono(20)), Some((a, Timer::Gather)));
        assert_eq!(timers.poll_timeout(), None);
    }

    #[test]
    fn a_call_that_is_over_has_no_timers() {
        let mut timers = Timers::default();
        for timer in [Timer::Pause, Timer::Gather, Timer::Stuck, Timer::InfoKey] {
            timers.set(CallSid(1), timer, Mono(5));
        }
        timers.set(CallSid(2), Timer::Pause, Mono(5));
        timers.cancel_all(CallSid(1));
        assert_eq!(timers.expire(Mono(9)), Some((CallSid(2), Timer::Pause)));
        assert_eq!(timers.expire(Mono(9)), None);
    }
}
