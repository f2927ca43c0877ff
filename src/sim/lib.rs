//! The simulated world: clock, wire, phones, trunks and web servers.
