//! Timers A to M (RFC 3261 §17 and its table 4; L and M from RFC 6026 §7.1).

use std::time::Duration;

use base::Mono;
use serde::{Deserialize, Serialize};

use super::Action;

/// Round-trip time estimate (RFC 3261 §17.1.1.1).
pub const T1: Duration = Duration::from_millis(500);
/// The longest interval between two sendings of one message (RFC 3261 §17.1.2.2).
pub const T2: Duration = Duration::from_secs(4);
/// How long a message may stay in the network (RFC 3261 §17.1.2.2).
pub const T4: Duration = Duration::from_secs(5);
/// 64 · T1: how long a transaction, or a 2xx without its ACK, is given (RFC 3261 §17.1.1.2).
pub const T1_64: Duration = Duration::from_secs(32);

/// A transaction's timers. Timer C belongs to proxies, and here to the session (RFC 3261 §16.6, item 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Timer {
    /// INVITE again.
    A,
    /// INVITE has had no answer.
    B,
    /// Answers to INVITE that are still on their way have arrived.
    D,
    /// Non-INVITE request again.
    E,
    /// Non-INVITE request has had no answer.
    F,
    /// Refusal of INVITE again.
    G,
    /// Refusal of INVITE was never acknowledged.
    H,
    /// ACKs that are still on their way have arrived.
    I,
    /// Non-INVITE requests that are still on their way have arrived.
    J,
    /// Answers to a non-INVITE request that are still on their way have arrived.
    K,
    /// INVITEs that are still on their way have arrived after our 2xx.
    L,
    /// 2xx, of this or another branch, that are still on their way have arrived.
    M,
}

impl Timer {
    /// All of them.
    pub const ALL: [Timer; 12] = [
        Timer::A,
        Timer::B,
        Timer::D,
        Timer::E,
        Timer::F,
        Timer::G,
        Timer::H,
        Timer::I,
        Timer::J,
        Timer::K,
        Timer::L,
        Timer::M,
    ];

    /// Its first interval (RFC 3261 table 4). `None`: on a reliable transport it is not used at all; zero: it fires
    /// at once.
    pub fn first(self, reliable: bool) -> Option<Duration> {
        match self {
            Timer::A | Timer::E | Timer::G => (!reliable).then_some(T1),
            Timer::B | Timer::F | Timer::H | Timer::L | Timer::M => Some(T1_64),
            // "at least 32 seconds for unreliable transports" (RFC 3261 §17.1.1.2).
            Timer::D => Some(if reliable { Duration::ZERO } else { T1_64 }),
            Timer::J => Some(if reliable { Duration::ZERO } else { T1_64 }),
            Timer::I | Timer::K => Some(if reliable { Duration::ZERO } else { T4 }),
        }
    }

    /// The interval after one of `last`: A doubles (§17.1.1.2), E and G double up to T2 (§17.1.2.2, §17.2.1).
    pub fn next(self, last: Duration) -> Duration {
        match self {
            Timer::A => last * 2,
            Timer::E | Timer::G => (last * 2).min(T2),
            Timer::B
            | Timer::D
            | Timer::F
            | Timer::H
            | Timer::I
            | Timer::J
            | Timer::K
            | Timer::L
            | Timer::M => last,
        }
    }

    /// Why the endpoint wakes up, for its log.
    pub fn reason(self) -> &'static str {
        match self {
            Timer::A => "timer A",
            Timer::B => "timer B",
            Timer::D => "timer D",
            Timer::E => "timer E",
            Timer::F => "timer F",
            Timer::G => "timer G",
            Timer::H => "timer H",
            Timer::I => "timer I",
            Timer::J => "timer J",
            Timer::K => "timer K",
            Timer::L => "timer L",
            Timer::M => "timer M",
        }
    }
}

/// The timers of one transaction that are running: at most one of each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerSet {
    running: [Option<Running>; Timer::ALL.len()],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Running {
    at: Mono,
    interval: Duration,
}

impl TimerSet {
    /// Runs `timer` for `interval` from `now`.
    pub fn set(&mut self, timer: Timer, interval: Duration, now: Mono) {
        self.running[timer as usize] = Some(Running { at: now + interval, interval });
    }

    /// Stops `timer`.
    pub fn clear(&mut self, timer: Timer) {
        self.running[timer as usize] = None;
    }

    /// Does what a machine says about timers; `last` is how long the timer ran that has just fired.
    pub(super) fn act(&mut self, action: Action, reliable: bool, last: Duration, now: Mono) {
        match action {
            Action::Start(timer) => {
                if let Some(interval) = timer.first(reliable) {
                    self.set(timer, interval, now);
                }
            }
            Action::Again(timer) => self.set(timer, timer.next(last), now),
            Action::Stop(timer) => self.clear(timer),
            Action::Send | Action::SendAck | Action::Deliver | Action::TimedOut | Action::Unreachable => {}
        }
    }

    /// The one that fires first.
    pub fn first(&self) -> Option<(Mono, Timer)> {
        Timer::ALL
            .into_iter()
            .filter_map(|timer| self.running[timer as usize].map(|running| (running.at, timer)))
            .min()
    }

    /// Takes the first one that is due, with the interval it ran for.
    pub fn fire(&mut self, now: Mono) -> Option<(Timer, Duration)> {
        let (at, timer) = self.first()?;
        if at > now {
            return None;
        }
        self.running[timer as usize].take().map(|running| (timer, running.interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_table_4() {
        let s = Duration::from_secs;
        for (timer, unreliable, reliable) in [
            (Timer::A, Some(T1), None),
            (Timer::B, Some(s(32)), Some(s(32))),
            (Timer::D, Some(s(32)), Some(s(0))),
            (Timer::E, Some(T1), None),
            (Timer::F, Some(s(32)), Some(s(32))),
            (Timer::G, Some(T1), None),
            (Timer::H, Some(s(32)), Some(s(32))),
            (Timer::I, Some(s(5)), Some(s(0))),
            (Timer::J, Some(s(32)), Some(s(0))),
            (Timer::K, Some(s(5)), Some(s(0))),
            (Timer::L, Some(s(32)), Some(s(32))),
            (Timer::M, Some(s(32)), Some(s(32))),
        ] {
            assert_eq!((timer.first(false), timer.first(true)), (unreliable, reliable), "{timer:?}");
        }
    }

    #[test]
    fn a_doubles_and_e_and_g_stop_doubling_at_t2() {
        let times = |timer: Timer| -> Vec<u128> {
            std::iter::successors(timer.first(false), |last| Some(timer.next(*last)))
                .map(|d| d.as_millis())
                .take(6)
                .collect()
        };
        assert_eq!(times(Timer::A), [500, 1000, 2000, 4000, 8000, 16000]);
        assert_eq!(times(Timer::E), [500, 1000, 2000, 4000, 4000, 4000]);
        assert_eq!(times(Timer::G), times(Timer::E));
    }

    #[test]
    fn timers_fire_once_and_in_order() {
        let mut set = TimerSet::default();
        set.set(Timer::B, Duration::from_nanos(20), Mono(0));
        set.set(Timer::A, Duration::from_nanos(10), Mono(0));
        assert_eq!(set.first(), Some((Mono(10), Timer::A)));
        assert_eq!(set.fire(Mono(9)), None);
        assert_eq!(set.fire(Mono(30)), Some((Timer::A, Duration::from_nanos(10))));
        assert_eq!(set.fire(Mono(30)), Some((Timer::B, Duration::from_nanos(20))));
        assert_eq!(set.first(), None);
    }
}
