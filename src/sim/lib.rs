//! The simulated world: a virtual clock and wire, phones, trunks and web servers, and the box's node in the
//! middle of it. Everything is a function of one seed.
//!
//! [`World`] owns the clock and one queue of what is going to happen; [`World::step`] lets the next thing
//! happen, carries out what the node wants, and checks the [`invariants`]. Phones and trunks are [`SimUa`]s:
//! real SIP endpoints with a scripted person behind them. The media plane is a [`StubMedia`]: it does what
//! the real one promises, without packets. [`Scenario`] is the vocabulary tests are written in.

mod chaos;
pub mod invariants;
mod media_plane;
mod scenario;
mod streams;
mod ua;
mod web;
mod wire;
mod world;

pub use chaos::{Chaos, ChaosReport};
pub use media_plane::{Heard, StubMedia};
pub use scenario::{CALLER, CARRIER, Caller, FALLBACK, NUMBER, STATUS, Scenario, VOICE, office, param};
pub use streams::SimStreams;
pub use ua::{Reaction, SimUa, UaCall, UaId, UaState};
pub use web::{Answer, Asked, SimWeb};
pub use wire::{Faults, Wire};
pub use world::{BOX, World, WorldConfig};
