//! TaskRouter without IO: which worker gets which task, and why (reference: taskrouter).

pub mod expr;

pub use expr::{Expr, ExprError};
