//! The non-INVITE server transaction: RFC 3261 figure 8.
//!
//! ```text
//!                     request: tell
//!                          │
//!                       ┌──▼───┐
//!                       │Trying├───────────┐
//!                       └┬─────┘           │ 200-699: send
//!              1xx: send │                 │
//!              ┌─────────▼┐ 200-699: send ┌▼────────┐
//!     request, └┤Proceeding├──────────────►Completed├┐ request: send
//!     1xx: send └┬─────────┘      J       └┬───────┬┘┘
//!                │ transport: tell         │ J     │ transport: tell
//!                └────────────────►Terminated◄─────┘
//! ```

use serde::{Deserialize, Serialize};

use super::Action::{Send, Start, Unreachable};
use super::{Step, Timer, step};

/// Where the machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// The request has been handed up.
    Trying,
    /// A provisional response has been sent.
    Proceeding,
    /// The final response has been sent.
    Completed,
    /// Over.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The request again.
    Request,
    /// The transaction user sends 100 to 199.
    Provisional,
    /// The transaction user sends 200 to 699.
    Final,
    /// The transport could not send.
    TransportError,
    /// A timer has fired.
    Timer(Timer),
}

/// The table.
pub fn on(state: State, input: Input) -> Option<Step<State>> {
    use State::{Completed, Proceeding, Terminated, Trying};
    match (state, input) {
        (Trying | Proceeding, Input::Provisional) => step(Proceeding, &[Send]),
        (Trying | Proceeding, Input::Final) => step(Completed, &[Send, Start(Timer::J)]),
        (Proceeding, Input::Request) => step(Proceeding, &[Send]),
        (Proceeding | Completed, Input::TransportError) => step(Terminated, &[Unreachable]),
        // Nothing has been sent yet, but the connection the answer would take is gone.
        (Trying, Input::TransportError) => step(Terminated, &[Unreachable]),

        (Completed, Input::Request) => step(Completed, &[Send]),
        (Completed, Input::Timer(Timer::J)) => step(Terminated, &[]),

        (Trying | Proceeding | Completed | Terminated, Input::Timer(_))
        | (Trying | Terminated, Input::Request)
        | (Completed | Terminated, Input::Provisional | Input::Final)
        | (Terminated, Input::TransportError) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::State::*;
    use super::*;

    #[test]
    fn every_cell() {
        const R: Input = Input::Request;
        const P: Input = Input::Provisional;
        const F: Input = Input::Final;
        const X: Input = Input::TransportError;
        const J: Input = Input::Timer(Timer::J);
        let ignored = |_: &str| None;
        let to = |next, actions| Some(Step { next, actions });
        let cells: [(State, Input, Option<Step<State>>); 20] = [
            (Trying, R, ignored("the first is being worked on")),
            (Trying, P, to(Proceeding, &[Send])),
            (Trying, F, to(Completed, &[Send, Start(Timer::J)])),
            (Trying, X, to(Terminated, &[Unreachable])),
            (Trying, J, ignored("not started yet")),
            (Proceeding, R, to(Proceeding, &[Send])),
            (Proceeding, P, to(Proceeding, &[Send])),
            (Proceeding, F, to(Completed, &[Send, Start(Timer::J)])),
            (Proceeding, X, to(Terminated, &[Unreachable])),
            (Proceeding, J, ignored("not started yet")),
            (Completed, R, to(Completed, &[Send])),
            (Completed, P, ignored("the final answer has been given")),
            (Completed, F, ignored("any other final answers MUST be discarded (§17.2.2)")),
            (Completed, X, to(Terminated, &[Unreachable])),
            (Completed, J, to(Terminated, &[])),
            (Terminated, R, ignored("over")),
            (Terminated, P, ignored("over")),
            (Terminated, F, ignored("over")),
            (Terminated, X, ignored("over")),
            (Terminated, J, ignored("over")),
        ];
        for (state, input, cell) in cells {
            assert_eq!(on(state, input), cell, "{state:?} × {input:?}");
        }
    }

    #[test]
    fn timers_of_other_machines_are_ignored() {
        for timer in Timer::ALL.into_iter().filter(|t| *t != Timer::J) {
            for state in [Trying, Proceeding, Completed, Terminated] {
                assert_eq!(on(state, Input::Timer(timer)), None, "{state:?} × {timer:?}");
            }
        }
    }
}
