//! SIP without IO: messages, transactions, dialogs, sessions, registrar.

mod auth;
pub mod dialog;
mod endpoint;
mod msg;
mod registrar;
mod session;
pub mod transaction;

pub use auth::*;
pub use endpoint::*;
pub use msg::*;
pub use registrar::*;
