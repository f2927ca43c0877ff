//! Transactions: a request, and its answers, over a network that loses, repeats and reorders (RFC 3261 §17).
//!
//! Four machines, one a file, each a pure table `(state, input) → (next state, actions)` that can be held against
//! the RFC's figure; [`Layer`] owns the running ones, finds the one a message belongs to and performs the actions.

mod along;
pub mod client_invite;
pub mod client_non_invite;
mod clients;
mod deadlines;
mod key;
mod layer;
mod machine;
pub mod server_invite;
pub mod server_non_invite;
mod servers;
mod timer;

pub use along::cancel_of;
pub use clients::{ClientId, ClientNews, Received};
pub use deadlines::Deadlines;
pub use key::{MAGIC_COOKIE, reply_flow};
pub use layer::{Full, Indication, Layer, LayerLimits};
pub use servers::{ServerId, Sighting};
pub use timer::{T1, T1_64, T2, T4, Timer, TimerSet};

/// What a machine asks its owner to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the request (client) or the latest response (server), for the first time or again.
    Send,
    /// Send the ACK of a refusal (RFC 3261 §17.1.1.3).
    SendAck,
    /// Hand the message at hand to the transaction user.
    Deliver,
    /// Tell the transaction user that no answer, or no ACK, has come in time.
    TimedOut,
    /// Tell the transaction user that the transport has failed.
    Unreachable,
    /// Start a timer at its first interval (RFC 3261 table 4); nothing when the transport makes it needless.
    Start(Timer),
    /// Start a timer at the interval that follows its last one.
    Again(Timer),
    /// Stop a timer.
    Stop(Timer),
}

/// A cell of a machine's table. `None` in place of one means: the input is ignored in that state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<S> {
    /// The state after.
    pub next: S,
    /// What to do, in order.
    pub actions: &'static [Action],
}

fn step<S>(next: S, actions: &'static [Action]) -> Option<Step<S>> {
    Some(Step { next, actions })
}
