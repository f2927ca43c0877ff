//! How good a call is, and what is wrong with it.
//!
//! [`mos`] estimates what people would say of it, [`Watcher`] names faults they would complain of.

pub mod mos;
mod watch;

pub(crate) use watch::LOOK_NS;
pub use watch::{Agreed, Change, Finding, Level, Seen, Watcher, is_misfit};
