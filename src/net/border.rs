//! The words of the cores that these shells take and give, named in one place.

pub use call::{FetchId, FetchKind, FetchRequest};
pub use sip::Input as SipInput;
