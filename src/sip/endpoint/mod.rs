//! The one object the node talks to: messages in, messages and events out.

mod command;
mod config;
mod event;

use std::collections::BTreeMap;

use base::{Mono, Now, Reason, Rng};

use crate::Binding;

pub use command::{Command, Destination, Input, Outgoing, SessionId};
pub use config::{EndpointConfig, EndpointLimits, IpNet, ParseIpNetError, TrunkConfig};
pub use event::{Caller, Ended, Event, Output, TrunkState};

/// A SIP user agent with its registrar: phones and trunks on one side, the node on the other.
pub struct Endpoint {
    config: EndpointConfig,
}

impl Endpoint {
    /// An endpoint without calls. `rng` gives branches, tags, Call-IDs and nonces.
    pub fn new(config: EndpointConfig, rng: Rng, now: Now) -> Self {
        let _ = (rng, now);
        Self { config }
    }

    /// Takes one event of the outside world.
    pub fn handle(&mut self, input: Input, now: Now) {
        let _ = (input, now, &self.config);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        let _ = now;
    }

    /// What is to be done outside.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, and why.
    pub fn poll_timeout(&self) -> Option<(Mono, Reason)> {
        None
    }

    /// The session whose messages bear this Call-ID, in either role; for whoever shows messages by call.
    pub fn session_of(&self, call_id: &str) -> Option<SessionId> {
        let _ = call_id;
        None
    }

    /// The sources banned at the moment.
    pub fn banned(&self) -> impl Iterator<Item = std::net::IpAddr> {
        std::iter::empty()
    }

    /// Every registered contact.
    pub fn registrations(&self) -> impl Iterator<Item = &Binding> {
        std::iter::empty()
    }

    /// The contacts of one phone, best first.
    pub fn contacts_of(&self, user: &str) -> Vec<Binding> {
        let _ = user;
        Vec::new()
    }

    /// How each trunk stands.
    pub fn trunk_states(&self) -> impl Iterator<Item = (&str, &TrunkState)> {
        std::iter::empty()
    }

    /// What was counted: messages dropped and refused, each under a name of its own.
    pub fn counters(&self) -> &BTreeMap<&'static str, u64> {
        static NONE: BTreeMap<&'static str, u64> = BTreeMap::new();
        &NONE
    }

    /// INVITE sessions that are not over.
    pub fn open_sessions(&self) -> usize {
        0
    }
}
