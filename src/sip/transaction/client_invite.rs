//! The INVITE client transaction: RFC 3261 figure 5 as replaced by RFC 6026 figure 7.
//!
//! ```text
//!                    INVITE, A, B
//!                         │
//!            A: INVITE ┌──▼──────┐ B, transport: tell
//!                      └─┤Calling├─────────────────┐
//!                        └┬──┬──┬┘                 │
//!              300-699 ┌──┘  │1xx└──────┐ 2xx      │
//!              ACK, D  │  ┌──▼───────┐  │ M        │
//!                      │◄─┤Proceeding├─►│          │
//!                      │  └──────────┘  │          │
//!   300-699: ACK ┌─────▼───┐      ┌─────▼──┐       │
//!                └┤Completed│     │Accepted├┐ 2xx: │
//!                 └───┬────┘      └───┬────┘┘ tell │
//!                   D │             M │            │
//!                     └──────►Terminated◄──────────┘
//! ```

use serde::{Deserialize, Serialize};

use super::Action::{Again, Deliver, Send, SendAck, Start, Stop, TimedOut, Unreachable};
use super::{Step, Timer, step};

/// Where the machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// The INVITE is out and nothing has come back.
    Calling,
    /// A provisional response has come.
    Proceeding,
    /// Refused; repeated refusals are acknowledged.
    Completed,
    /// A 2xx has come; repeated ones, and those of other branches, go to the session (RFC 6026 §7.2).
    Accepted,
    /// Over.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// 100 to 199.
    Provisional,
    /// 200 to 299.
    Success,
    /// 300 to 699.
    Refusal,
    /// The transport could not send.
    TransportError,
    /// A timer has fired.
    Timer(Timer),
}

/// What the machine does when it is made, in [`State::Calling`].
pub const START: &[super::Action] = &[Send, Start(Timer::A), Start(Timer::B)];

/// The table.
pub fn on(state: State, input: Input) -> Option<Step<State>> {
    use State::{Accepted, Calling, Completed, Proceeding, Terminated};
    match (state, input) {
        (Calling, Input::Timer(Timer::A)) => step(Calling, &[Send, Again(Timer::A)]),
        (Calling, Input::Timer(Timer::B)) => step(Terminated, &[TimedOut]),
        (Calling, Input::TransportError) => step(Terminated, &[Unreachable]),
        (Calling, Input::Provisional) => step(Proceeding, &[Stop(Timer::A), Stop(Timer::B), Deliver]),
        (Calling, Input::Success) => {
            step(Accepted, &[Stop(Timer::A), Stop(Timer::B), Start(Timer::M), Deliver])
        }
        (Calling, Input::Refusal) => {
            step(Completed, &[Stop(Timer::A), Stop(Timer::B), Start(Timer::D), SendAck, Deliver])
        }

        (Proceeding, Input::Provisional) => step(Proceeding, &[Deliver]),
        (Proceeding, Input::Success) => step(Accepted, &[Start(Timer::M), Deliver]),
        (Proceeding, Input::Refusal) => step(Completed, &[Start(Timer::D), SendAck, Deliver]),
        // Nothing is sent in this state; a broken connection is news all the same, for the answer cannot come.
        (Proceeding, Input::TransportError) => step(Terminated, &[Unreachable]),

        (Completed, Input::Refusal) => step(Completed, &[SendAck]),
        // The ACK could not be sent. The session has its answer already (deviates from figure 5, which tells it).
        (Completed, Input::TransportError) => step(Terminated, &[]),
        (Completed, Input::Timer(Timer::D)) => step(Terminated, &[]),

        (Accepted, Input::Success) => step(Accepted, &[Deliver]),
        (Accepted, Input::Timer(Timer::M)) => step(Terminated, &[]),

        (Calling | Proceeding | Completed | Accepted | Terminated, Input::Timer(_))
        | (Completed | Accepted | Terminated, Input::Provisional)
        | (Completed | Terminated, Input::Success)
        | (Accepted | Terminated, Input::Refusal)
        | (Accepted | Terminated, Input::TransportError) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::State::*;
    use super::*;

    #[test]
    fn every_cell() {
        const P: Input = Input::Provisional;
        const S: Input = Input::Success;
        const R: Input = Input::Refusal;
        const E: Input = Input::TransportError;
        const A: Input = Input::Timer(Timer::A);
        const B: Input = Input::Timer(Timer::B);
        const D: Input = Input::Timer(Timer::D);
        const M: Input = Input::Timer(Timer::M);
        let ignored = |_: &str| None;
        let to = |next, actions| Some(Step { next, actions });
        let cells: [(State, Input, Option<Step<State>>); 40] = [
            (Calling, P, to(Proceeding, &[Stop(Timer::A), Stop(Timer::B), Deliver])),
            (Calling, S, to(Accepted, &[Stop(Timer::A), Stop(Timer::B), Start(Timer::M), Deliver])),
            (Calling, R, to(Completed, &[Stop(Timer::A), Stop(Timer::B), Start(Timer::D), SendAck, Deliver])),
            (Calling, E, to(Terminated, &[Unreachable])),
            (Calling, A, to(Calling, &[Send, Again(Timer::A)])),
            (Calling, B, to(Terminated, &[TimedOut])),
            (Calling, D, ignored("not started yet")),
            (Calling, M, ignored("not started yet")),
            (Proceeding, P, to(Proceeding, &[Deliver])),
            (Proceeding, S, to(Accepted, &[Start(Timer::M), Deliver])),
            (Proceeding, R, to(Completed, &[Start(Timer::D), SendAck, Deliver])),
            (Proceeding, E, to(Terminated, &[Unreachable])),
            (Proceeding, A, ignored("no more INVITEs after a 1xx")),
            (Proceeding, B, ignored("ringing may last; the session's Timer C bounds it")),
            (Proceeding, D, ignored("not started yet")),
            (Proceeding, M, ignored("not started yet")),
            (Completed, P, ignored("late")),
            (Completed, S, ignored("a proxy sends no 2xx after a refusal it forwarded")),
            (Completed, R, to(Completed, &[SendAck])),
            (Completed, E, to(Terminated, &[])),
            (Completed, A, ignored("stopped")),
            (Completed, B, ignored("stopped")),
            (Completed, D, to(Terminated, &[])),
            (Completed, M, ignored("not started")),
            (Accepted, P, ignored("late")),
            (Accepted, S, to(Accepted, &[Deliver])),
            (Accepted, R, ignored("the call is up; RFC 6026 figure 7 has no such arrow")),
            (Accepted, E, ignored("nothing was sent by this machine")),
            (Accepted, A, ignored("stopped")),
            (Accepted, B, ignored("stopped")),
            (Accepted, D, ignored("not started")),
            (Accepted, M, to(Terminated, &[])),
            (Terminated, P, ignored("over")),
            (Terminated, S, ignored("over")),
            (Terminated, R, ignored("over")),
            (Terminated, E, ignored("over")),
            (Terminated, A, ignored("over")),
            (Terminated, B, ignored("over")),
            (Terminated, D, ignored("over")),
            (Terminated, M, ignored("over")),
        ];
        for (state, input, cell) in cells {
            assert_eq!(on(state, input), cell, "{state:?} × {input:?}");
        }
    }

    #[test]
    fn timers_of_other_machines_are_ignored() {
        for timer in [Timer::E, Timer::F, Timer::G, Timer::H, Timer::I, Timer::J, Timer::K, Timer::L] {
            for state in [Calling, Proceeding, Completed, Accepted, Terminated] {
                assert_eq!(on(state, Input::Timer(timer)), None, "{state:?} × {timer:?}");
            }
        }
    }
}
