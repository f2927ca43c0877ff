//! The non-INVITE client transaction: RFC 3261 figure 6.
//!
//! ```text
//!                    request, E, F
//!                          │
//!            E: request ┌──▼───┐ F, transport: tell
//!                       └┤Trying├───────────────────┐
//!                        └┬────┬┘                   │
//!                 200-699 │    │ 1xx                │
//!                         │ ┌──▼───────┐ F, transport: tell
//!                       K │ │Proceeding├───────────►│
//!                         │ └──┬─┬─────┘            │
//!                         │    │ └ E: request       │
//!                         │    │ 200-699            │
//!                       ┌─▼────▼──┐ K               │
//!                       │Completed├────►Terminated◄─┘
//!                       └─────────┘
//! ```

use serde::{Deserialize, Serialize};

use super::Action::{Again, Deliver, Send, Start, Stop, TimedOut, Unreachable};
use super::{Step, Timer, step};

/// Where the machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// The request is out and nothing has come back.
    Trying,
    /// A provisional response has come.
    Proceeding,
    /// Answered; repeated answers are absorbed.
    Completed,
    /// Over.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// 100 to 199.
    Provisional,
    /// 200 to 699.
    Final,
    /// The transport could not send.
    TransportError,
    /// A timer has fired.
    Timer(Timer),
}

/// What the machine does when it is made, in [`State::Trying`].
pub const START: &[super::Action] = &[Send, Start(Timer::E), Start(Timer::F)];

/// The table.
pub fn on(state: State, input: Input) -> Option<Step<State>> {
    use State::{Completed, Proceeding, Terminated, Trying};
    match (state, input) {
        (Trying | Proceeding, Input::Timer(Timer::E)) => step(state, &[Send, Again(Timer::E)]),
        (Trying | Proceeding, Input::Timer(Timer::F)) => step(Terminated, &[TimedOut]),
        (Trying | Proceeding, Input::TransportError) => step(Terminated, &[Unreachable]),
        (Trying | Proceeding, Input::Provisional) => step(Proceeding, &[Deliver]),
        (Trying | Proceeding, Input::Final) => {
            step(Completed, &[Stop(Timer::E), Stop(Timer::F), Start(Timer::K), Deliver])
        }

        (Completed, Input::Timer(Timer::K)) => step(Terminated, &[]),

        (Trying | Proceeding | Completed | Terminated, Input::Timer(_))
        | (Completed | Terminated, Input::Provisional | Input::Final | Input::TransportError) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::State::*;
    use super::*;

    #[test]
    fn every_cell() {
        const P: Input = Input::Provisional;
        const F: Input = Input::Final;
        const X: Input = Input::TransportError;
        const TE: Input = Input::Timer(Timer::E);
        const TF: Input = Input::Timer(Timer::F);
        const TK: Input = Input::Timer(Timer::K);
        let ignored = |_: &str| None;
        let to = |next, actions| Some(Step { next, actions });
        let cells: [(State, Input, Option<Step<State>>); 24] = [
            (Trying, P, to(Proceeding, &[Deliver])),
            (Trying, F, to(Completed, &[Stop(Timer::E), Stop(Timer::F), Start(Timer::K), Deliver])),
            (Trying, X, to(Terminated, &[Unreachable])),
            (Trying, TE, to(Trying, &[Send, Again(Timer::E)])),
            (Trying, TF, to(Terminated, &[TimedOut])),
            (Trying, TK, ignored("not started yet")),
            (Proceeding, P, to(Proceeding, &[Deliver])),
            (Proceeding, F, to(Completed, &[Stop(Timer::E), Stop(Timer::F), Start(Timer::K), Deliver])),
            (Proceeding, X, to(Terminated, &[Unreachable])),
            (Proceeding, TE, to(Proceeding, &[Send, Again(Timer::E)])),
            (Proceeding, TF, to(Terminated, &[TimedOut])),
            (Proceeding, TK, ignored("not started yet")),
            (Completed, P, ignored("late")),
            (Completed, F, ignored("a repeated answer: absorbed")),
            (Completed, X, ignored("nothing is being sent")),
            (Completed, TE, ignored("stopped")),
            (Completed, TF, ignored("stopped")),
            (Completed, TK, to(Terminated, &[])),
            (Terminated, P, ignored("over")),
            (Terminated, F, ignored("over")),
            (Terminated, X, ignored("over")),
            (Terminated, TE, ignored("over")),
            (Terminated, TF, ignored("over")),
            (Terminated, TK, ignored("over")),
        ];
        for (state, input, cell) in cells {
            assert_eq!(on(state, input), cell, "{state:?} × {input:?}");
        }
    }

    #[test]
    fn timers_of_other_machines_are_ignored() {
        for timer in Timer::ALL.into_iter().filter(|t| ![Timer::E, Timer::F, Timer::K].contains(t)) {
            for state in [Trying, Proceeding, Completed, Terminated] {
                assert_eq!(on(state, Input::Timer(timer)), None, "{state:?} × {timer:?}");
            }
        }
    }
}
