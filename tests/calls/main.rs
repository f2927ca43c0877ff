//! Scenarios on the simulator: what callers, phones and web servers notice. No sleep, no real port.

mod answering;
