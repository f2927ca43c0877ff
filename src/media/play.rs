//! What plays to a leg.
