//! SIP without IO: messages, transactions, dialogs, sessions, registrar.

mod msg;

pub use msg::*;
