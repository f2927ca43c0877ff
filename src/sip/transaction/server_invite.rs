//! The INVITE server transaction: RFC 3261 figure 7 as replaced by RFC 6026 figure 5.
//!
//! ```text
//!                       INVITE: 100, tell
//!                             │
//!      INVITE: send ┌─────────▼┐ transport: tell
//!      1xx: send    └┤Proceeding├───────────────────────┐
//!                    └┬────────┬┘                       │
//!       300-699: send │        │ 2xx: send              │
//!                G, H │        │ L                      │
//!    INVITE,   ┌──────▼──┐   ┌─▼──────┐ ACK: tell       │
//!    G: send   └┤Completed│   │Accepted├┐ 2xx: send      │
//!               └┬──┬─────┘   └─┬──────┘┘ INVITE: –      │
//!            ACK │  │ H: tell   │ L                     │
//!       ┌────────▼┐ │ transport │                       │
//!       │Confirmed│ │           │                       │
//!       └─────┬───┘ │           │                       │
//!             │ I   │           │                       │
//!             └─────┴───────►Terminated◄────────────────┘
//! ```
//!
//! We always send 100 ourselves, at once: an answer may take longer than the 200 ms of §17.2.1, and the endpoint
//! cannot know.

use serde::{Deserialize, Serialize};

use super::Action::{Again, Deliver, Send, Start, Stop, TimedOut, Unreachable};
use super::{Step, Timer, step};

/// Where the machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// The INVITE has been handed up; no final answer yet.
    Proceeding,
    /// Refused; the ACK is awaited.
    Completed,
    /// The ACK has come; repeated ones are absorbed.
    Confirmed,
    /// Answered with 2xx, which the session repeats; repeated INVITEs are absorbed (RFC 6026 §7.1).
    Accepted,
    /// Over.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The INVITE again.
    Invite,
    /// ACK.
    Ack,
    /// The transaction user sends 100 to 199.
    Provisional,
    /// The transaction user sends 200 to 299.
    Success,
    /// The transaction user sends 300 to 699.
    Refusal,
    /// The transport could not send.
    TransportError,
    /// A timer has fired.
    Timer(Timer),
}

/// The table.
pub fn on(state: State, input: Input) -> Option<Step<State>> {
    use State::{Accepted, Completed, Confirmed, Proceeding, Terminated};
    match (state, input) {
        (Proceeding, Input::Invite | Input::Provisional) => step(Proceeding, &[Send]),
        (Proceeding, Input::Success) => step(Accepted, &[Send, Start(Timer::L)]),
        (Proceeding, Input::Refusal) => step(Completed, &[Send, Start(Timer::G), Start(Timer::H)]),
        // Figure 5 stays here and lets the user decide; it could only decide that nobody can be answered any more.
        (Proceeding, Input::TransportError) => step(Terminated, &[Unreachable]),

        (Completed, Input::Invite) => step(Completed, &[Send]),
        (Completed, Input::Timer(Timer::G)) => step(Completed, &[Send, Again(Timer::G)]),
        (Completed, Input::Ack) => step(Confirmed, &[Stop(Timer::G), Stop(Timer::H), Start(Timer::I)]),
        (Completed, Input::Timer(Timer::H)) => step(Terminated, &[TimedOut]),
        (Completed, Input::TransportError) => step(Terminated, &[Unreachable]),

        (Confirmed, Input::Timer(Timer::I)) => step(Terminated, &[]),

        (Accepted, Input::Success) => step(Accepted, &[Send]),
        (Accepted, Input::Ack) => step(Accepted, &[Deliver]),
        (Accepted, Input::TransportError) => step(Accepted, &[Unreachable]),
        (Accepted, Input::Timer(Timer::L)) => step(Terminated, &[]),

        (Proceeding | Completed | Confirmed | Accepted | Terminated, Input::Timer(_))
        | (Confirmed | Accepted | Terminated, Input::Invite)
        | (Proceeding | Confirmed | Terminated, Input::Ack)
        | (Completed | Confirmed | Accepted | Terminated, Input::Provisional | Input::Refusal)
        | (Completed | Confirmed | Terminated, Input::Success)
        | (Confirmed | Terminated, Input::TransportError) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::State::*;
    use super::*;

    #[test]
    fn every_cell() {
        const N: Input = Input::Invite;
        const K: Input = Input::Ack;
        const P: Input = Input::Provisional;
        const S: Input = Input::Success;
        const R: Input = Input::Refusal;
        const X: Input = Input::TransportError;
        const G: Input = Input::Timer(Timer::G);
        const H: Input = Input::Timer(Timer::H);
        const I: Input = Input::Timer(Timer::I);
        const L: Input = Input::Timer(Timer::L);
        let ignored = |_: &str| None;
        let to = |next, actions| Some(Step { next, actions });
        let cells: [(State, Input, Option<Step<State>>); 50] = [
            (Proceeding, N, to(Proceeding, &[Send])),
            (Proceeding, K, ignored("there is nothing to acknowledge yet")),
            (Proceeding, P, to(Proceeding, &[Send])),
            (Proceeding, S, to(Accepted, &[Send, Start(Timer::L)])),
            (Proceeding, R, to(Completed, &[Send, Start(Timer::G), Start(Timer::H)])),
            (Proceeding, X, to(Terminated, &[Unreachable])),
            (Proceeding, G, ignored("not started yet")),
            (Proceeding, H, ignored("not started yet")),
            (Proceeding, I, ignored("not started yet")),
            (Proceeding, L, ignored("not started yet")),
            (Completed, N, to(Completed, &[Send])),
            (Completed, K, to(Confirmed, &[Stop(Timer::G), Stop(Timer::H), Start(Timer::I)])),
            (Completed, P, ignored("the final answer has been given")),
            (Completed, S, ignored("the final answer has been given")),
            (Completed, R, ignored("the final answer has been given")),
            (Completed, X, to(Terminated, &[Unreachable])),
            (Completed, G, to(Completed, &[Send, Again(Timer::G)])),
            (Completed, H, to(Terminated, &[TimedOut])),
            (Completed, I, ignored("not started yet")),
            (Completed, L, ignored("not started")),
            (Confirmed, N, ignored("late: it has been answered and acknowledged")),
            (Confirmed, K, ignored("absorbed")),
            (Confirmed, P, ignored("the final answer has been given")),
            (Confirmed, S, ignored("the final answer has been given")),
            (Confirmed, R, ignored("the final answer has been given")),
            (Confirmed, X, ignored("nothing is being sent")),
            (Confirmed, G, ignored("stopped")),
            (Confirmed, H, ignored("stopped")),
            (Confirmed, I, to(Terminated, &[])),
            (Confirmed, L, ignored("not started")),
            (Accepted, N, ignored("absorbed: the session repeats the 2xx by its own timer")),
            (Accepted, K, to(Accepted, &[Deliver])),
            (Accepted, P, ignored("the final answer has been given")),
            (Accepted, S, to(Accepted, &[Send])),
            (Accepted, R, ignored("the final answer has been given")),
            (Accepted, X, to(Accepted, &[Unreachable])),
            (Accepted, G, ignored("not started")),
            (Accepted, H, ignored("not started")),
            (Accepted, I, ignored("not started")),
            (Accepted, L, to(Terminated, &[])),
            (Terminated, N, ignored("over")),
            (Terminated, K, ignored("over")),
            (Terminated, P, ignored("over")),
            (Terminated, S, ignored("over")),
            (Terminated, R, ignored("over")),
            (Terminated, X, ignored("over")),
            (Terminated, G, ignored("over")),
            (Terminated, H, ignored("over")),
            (Terminated, I, ignored("over")),
            (Terminated, L, ignored("over")),
        ];
        for (state, input, cell) in cells {
            assert_eq!(on(state, input), cell, "{state:?} × {input:?}");
        }
    }

    #[test]
    fn timers_of_other_machines_are_ignored() {
        for timer in Timer::ALL.into_iter().filter(|t| ![Timer::G, Timer::H, Timer::I, Timer::L].contains(t))
        {
            for state in [Proceeding, Completed, Confirmed, Accepted, Terminated] {
                assert_eq!(on(state, Input::Timer(timer)), None, "{state:?} × {timer:?}");
            }
        }
    }
}
