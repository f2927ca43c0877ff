//! The registrar: which contacts stand for a user, and for how long (RFC 3261 §10.3, RFC 3327, RFC 5626 §6).
//!
//! In goes a REGISTER whose sender has been authenticated, out comes the response. What changed is told by
//! [`Registrar::poll_event`]. It never sends, authenticates or looks at the request's digest.

mod binding;
mod request;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::{Mono, Now, Reason};
use serde::{Deserialize, Serialize};

pub use binding::Binding;
use request::{Change, Refusal, Registration};

use crate::{Flow, HeaderName, Request, Response};

/// Events waiting for [`Registrar::poll_event`]; beyond it the oldest is forgotten. The owner polls after each
/// input, which makes one or two.
const EVENTS_MAX: usize = 4_096;

/// Seconds after which a phone may try again when there is no room.
const RETRY_AFTER_S: u32 = 60;

/// An older request overtaken by a newer one (RFC 3261 §10.3 steps 6 and 7).
const OUT_OF_ORDER: Refusal = (500, "CSeq is not higher than the last one");

/// What the registrar grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrarLimits {
    /// Shortest time granted; a request for less gets 423 with Min-Expires (RFC 3261 §10.3 step 6).
    pub expires_min_s: u32,
    /// Longest time granted; a request for more is granted this.
    pub expires_max_s: u32,
    /// What is granted to a request that names no time.
    pub expires_default_s: u32,
    /// Bindings of one user. Beyond it the one that would expire first makes room: a phone that comes back with a
    /// new address again and again must not lock itself out.
    pub contacts_per_user_max: usize,
    /// Bindings of all users; beyond it 503 with Retry-After.
    pub bindings_max: usize,
}

impl Default for RegistrarLimits {
    fn default() -> Self {
        Self {
            expires_min_s: 60,
            expires_max_s: 3_600,
            expires_default_s: 3_600,
            contacts_per_user_max: 10,
            bindings_max: 10_000,
        }
    }
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistrarEvent {
    /// A user got a binding, or another one.
    Registered {
        /// The user.
        user: String,
        /// How many bindings there are now.
        contacts: usize,
    },
    /// A user's last binding is gone: taken away, expired, or its connection closed.
    Unregistered {
        /// The user.
        user: String,
    },
}

/// All bindings.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Registrar {
    limits: RegistrarLimits,
    /// Never an empty list.
    users: BTreeMap<String, Vec<Binding>>,
    /// One entry a user: when the first of its bindings expires.
    deadlines: BTreeSet<(Mono, String)>,
    /// Bindings of all users.
    total: usize,
    #[serde(skip)]
    events: VecDeque<RegistrarEvent>,
}

impl Registrar {
    /// A registrar without bindings.
    pub fn new(limits: RegistrarLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Answers a REGISTER for `user`, who has been authenticated and came over `flow`. The caller adds the tag to
    /// the response's To.
    pub fn handle_register(&mut self, request: &Request, user: &str, flow: Flow, now: Now) -> Response {
        self.handle_timeout(now);
        let registration = match Registration::read(request, user, flow, &self.limits, now.mono) {
            Ok(registration) => registration,
            Err((code, reason)) => return self.refuse(request, code, reason),
        };
        let Registration { call_id, cseq, change, path } = registration;
        let applied = match change {
            Change::None => Ok(()),
            Change::RemoveAll => self.remove_all(user, &call_id, cseq),
            Change::Set(bindings) => self.set(user, bindings, now.mono),
        };
        match applied {
            Ok(()) => self.grant(request, user, &path, now.mono),
            Err((code, reason)) => self.refuse(request, code, reason),
        }
    }

    /// Takes away the bindings that can only be reached over `flow`, a connection that has closed: those of
    /// devices that promised to come back by themselves (RFC 5626 §4.2) and of WebSocket clients, who cannot be
    /// connected to (RFC 7118 §5.2).
    pub fn handle_flow_closed(&mut self, flow: Flow) {
        let websocket = matches!(flow.transport, crate::TransportKind::Ws | crate::TransportKind::Wss);
        let lost = |binding: &Binding| binding.flow == flow && (websocket || binding.reg_id.is_some());
        let users: Vec<String> = self
            .users
            .iter()
            .filter(|(_, list)| list.iter().any(lost))
            .map(|(user, _)| user.clone())
            .collect();
        for user in users {
            self.edit(&user, |list| list.retain(|binding| !lost(binding)));
        }
    }

    /// Takes expired bindings away.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some((at, user)) = self.deadlines.first().cloned() {
            if at > now.mono {
                break;
            }
            self.edit(&user, |list| list.retain(|binding| binding.expires_at > now.mono));
        }
    }

    /// When the next binding expires.
    pub fn poll_timeout(&self) -> Option<(Mono, Reason)> {
        self.deadlines.first().map(|(at, _)| (*at, Reason("registration")))
    }

    /// What changed since it was last asked.
    pub fn poll_event(&mut self) -> Option<RegistrarEvent> {
        self.events.pop_front()
    }

    /// All bindings, by user.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.users.values().flatten()
    }

    /// The bindings of `user`: the most wanted first, among equals the one registered last.
    pub fn contacts_of(&self, user: &str) -> Vec<Binding> {
        let mut list: Vec<Binding> = self.users.get(user).cloned().unwrap_or_default();
        list.reverse();
        list.sort_by_key(|binding| std::cmp::Reverse(binding.q));
        list
    }

    /// How many bindings there are.
    pub fn len(&self) -> usize {
        self.total
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    fn remove_all(&mut self, user: &str, call_id: &str, cseq: u32) -> Result<(), Refusal> {
        let list = self.users.get(user).map_or(&[][..], Vec::as_slice);
        if list.iter().any(|binding| binding.call_id == call_id && binding.cseq >= cseq) {
            return Err(OUT_OF_ORDER);
        }
        self.edit(user, Vec::clear);
        Ok(())
    }

    /// All or nothing: what can be refused is refused before the first change.
    fn set(&mut self, user: &str, bindings: Vec<Binding>, now: Mono) -> Result<(), Refusal> {
        let list = self.users.get(user).map_or(&[][..], Vec::as_slice);
        let mut added = 0;
        for binding in &bindings {
            match list.iter().find(|old| old.is_same(binding)) {
                Some(old) if old.call_id == binding.call_id && old.cseq >= binding.cseq => {
                    return Err(OUT_OF_ORDER);
                }
                Some(_) => {}
                None => added += usize::from(binding.expires_at > now),
            }
        }
        let max = self.limits.contacts_per_user_max;
        let grown = (list.len() + added).min(max).saturating_sub(list.len());
        if self.total + grown > self.limits.bindings_max {
            return Err((503, "Too many registrations"));
        }
        self.edit(user, |list| {
            for binding in bindings {
                list.retain(|old| !old.is_same(&binding));
                if binding.expires_at > now {
                    if list.len() >= max {
                        drop_earliest(list);
                    }
                    list.push(binding);
                }
            }
        });
        Ok(())
    }

    /// The only place where a user's bindings change: keeps deadlines, total and events in step.
    fn edit(&mut self, user: &str, change: impl FnOnce(&mut Vec<Binding>)) {
        let mut list = self.users.remove(user).unwrap_or_default();
        let before = list.len();
        if let Some(first) = earliest(&list) {
            self.deadlines.remove(&(first, user.to_owned()));
        }
        change(&mut list);
        let after = list.len();
        self.total = self.total + after - before;
        if let Some(first) = earliest(&list) {
            self.deadlines.insert((first, user.to_owned()));
            self.users.insert(user.to_owned(), list);
        }
        if after > before {
            self.tell(RegistrarEvent::Registered { user: user.to_owned(), contacts: after });
        } else if after == 0 && before > 0 {
            self.tell(RegistrarEvent::Unregistered { user: user.to_owned() });
        }
    }

    fn tell(&mut self, event: RegistrarEvent) {
        if self.events.len() == EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// The 200: every binding there now is (RFC 3261 §10.3 step 8), the path as received (RFC 3327 §5.3).
    fn grant(&self, request: &Request, user: &str, path: &[String], now: Mono) -> Response {
        let mut response = request.response(200, None);
        for binding in self.users.get(user).into_iter().flatten() {
            response.headers.push(HeaderName::Contact, binding.to_contact(now));
        }
        for value in path {
            response.headers.push(HeaderName::Path, value.as_str());
        }
        let outbound = |binding: &&Binding| binding.reg_id.is_some() && binding.instance.is_some();
        let supported = request.headers.tokens(&HeaderName::Supported);
        if supported.iter().any(|tag| tag.eq_ignore_ascii_case("outbound"))
            && self.users.get(user).is_some_and(|list| list.iter().any(|b| outbound(&b)))
        {
            response.headers.push(HeaderName::Require, "outbound");
        }
        response
    }

    fn refuse(&self, request: &Request, code: u16, reason: &str) -> Response {
        let mut response = request.response(code, reason);
        match code {
            423 => response.headers.push(HeaderName::MinExpires, self.limits.expires_min_s),
            503 => response.headers.push(HeaderName::RetryAfter, RETRY_AFTER_S),
            _ => {}
        }
        response
    }
}

/// When the first of these expires.
fn earliest(list: &[Binding]) -> Option<Mono> {
    list.iter().map(|binding| binding.expires_at).min()
}

fn drop_earliest(list: &mut Vec<Binding>) {
    if let Some(first) = earliest(list)
        && let Some(at) = list.iter().position(|binding| binding.expires_at == first)
    {
        list.remove(at);
    }
}
