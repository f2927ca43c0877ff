//! What the box tells a web server: the parameters of every kind of request.

mod facts;

pub use facts::{CallFacts, CallStatus, Direction, SipFacts};

/// The parameters of every document fetch and of most status callbacks (reference: webhooks §2).
pub fn standard_params(call: &CallFacts) -> Vec<(String, String)> {
    let _ = call;
    Vec::new()
}
