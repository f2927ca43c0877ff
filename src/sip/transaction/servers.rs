//! The running server transactions (RFC 3261 §17.2).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use base::{Mono, Reason};
use serde::{Deserialize, Serialize};

use super::deadlines::Deadlines;
use super::key::{MergeKey, ServerKey, reply_flow};
use super::layer::{Full, Outbox};
use super::machine::{Happening, ServerState};
use super::{Action, TimerSet, server_invite, server_non_invite};
use crate::{Flow, Method, Request, Response};

/// A server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServerId(u64);

/// What a received request is to the running transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// A new request, to be given a transaction. An ACK that belongs to no refusal is new too.
    New,
    /// A repeated request, or the ACK of a refusal: dealt with.
    Absorbed,
    /// A request that has already come along another way (§8.2.2.2): to be refused with 482.
    Merged,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Servers<S> {
    next: u64,
    running: BTreeMap<ServerId, Box<Server<S>>>,
    keys: BTreeMap<ServerKey, ServerId>,
    merge_keys: BTreeMap<MergeKey, ServerId>,
    deadlines: Deadlines<ServerId>,
    unanswerable: VecDeque<(S, ServerId)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Server<S> {
    user: Option<S>,
    state: ServerState,
    key: ServerKey,
    merge_key: Option<MergeKey>,
    flow: Flow,
    response: Option<Vec<u8>>,
    timers: TimerSet,
}

impl<S: Clone> Servers<S> {
    pub(super) fn new() -> Self {
        Self {
            next: 0,
            running: BTreeMap::new(),
            keys: BTreeMap::new(),
            merge_keys: BTreeMap::new(),
            deadlines: Deadlines::new(),
            unanswerable: VecDeque::new(),
        }
    }

    pub(super) fn sight(&mut self, request: &Request, out: &mut Outbox, now: Mono) -> Sighting {
        let Ok(key) = ServerKey::of(request) else { return Sighting::New };
        if let Some(id) = self.keys.get(&key).copied() {
            let what = if request.method == Method::Ack { Happening::Ack } else { Happening::Request };
            return if self.on(id, what, out, now) { Sighting::New } else { Sighting::Absorbed };
        }
        match MergeKey::of(request) {
            Ok(Some(key)) if self.merge_keys.contains_key(&key) => Sighting::Merged,
            Ok(_) | Err(_) => Sighting::New,
        }
    }

    pub(super) fn open(
        &mut self,
        request: &Request,
        flow: Flow,
        max: usize,
        out: &mut Outbox,
        now: Mono,
    ) -> Result<ServerId, Full> {
        if self.running.len() >= max {
            return Err(Full);
        }
        let key = ServerKey::of(request).map_err(|_| Full)?;
        let merge_key = MergeKey::of(request).ok().flatten();
        self.next += 1;
        let id = ServerId(self.next);
        let flow = reply_flow(request, flow);
        let invite = request.method == Method::Invite;
        let state = if invite {
            ServerState::Invite(server_invite::State::Proceeding)
        } else {
            ServerState::NonInvite(server_non_invite::State::Trying)
        };
        self.keys.insert(key.clone(), id);
        if let Some(key) = &merge_key {
            self.merge_keys.insert(key.clone(), id);
        }
        let timers = TimerSet::default();
        let server = Server { user: None, state, key, merge_key, flow, response: None, timers };
        self.running.insert(id, Box::new(server));
        if invite {
            self.respond(id, &request.response(100, None), out, now);
        }
        Ok(id)
    }

    pub(super) fn belongs_to(&mut self, id: ServerId, user: S) {
        if let Some(server) = self.running.get_mut(&id) {
            server.user = Some(user);
        }
    }

    pub(super) fn cancelled_by(&self, cancel: &Request) -> Option<(Option<S>, ServerId)> {
        let key = ServerKey::of(cancel).ok()?.cancelled();
        let id = *self.keys.get(&key)?;
        Some((self.running.get(&id)?.user.clone(), id))
    }

    pub(super) fn respond(&mut self, id: ServerId, response: &Response, out: &mut Outbox, now: Mono) {
        let Some(server) = self.running.get_mut(&id) else { return };
        // One that the machine ignores must not replace what it repeats.
        let mut state = server.state;
        if state.on(Happening::Response(response.code)).is_some() {
            server.response = Some(response.encode());
            self.on(id, Happening::Response(response.code), out, now);
            if let (true, Some(server)) = (state.is_accepted(), self.running.get_mut(&id)) {
                // The session has it, and repeats it until its ACK comes.
                server.response = None;
            }
        }
    }

    pub(super) fn transport_error(&mut self, flow: Flow, out: &mut Outbox, now: Mono) {
        let hit = self.running.iter().filter(|(_, server)| server.flow == flow).map(|(id, _)| *id);
        for id in hit.collect::<Vec<_>>() {
            self.on(id, Happening::TransportError, out, now);
        }
    }

    pub(super) fn handle_timeout(&mut self, out: &mut Outbox, now: Mono) {
        while let Some(id) = self.deadlines.pop(now) {
            self.schedule(id, out, now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Mono, Reason)> {
        let (at, id) = self.deadlines.first()?;
        let timer = self.running.get(id).and_then(|server| server.timers.first());
        Some((at, Reason(timer.map_or("server transaction", |(_, timer)| timer.reason()))))
    }

    pub(super) fn poll_unanswerable(&mut self) -> Option<(S, ServerId)> {
        self.unanswerable.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    /// Moves on; returns whether the message at hand is to be delivered.
    fn on(&mut self, id: ServerId, what: Happening, out: &mut Outbox, now: Mono) -> bool {
        let Some(server) = self.running.get_mut(&id) else { return false };
        let Some(actions) = server.state.on(what) else { return false };
        let deliver = self.perform(id, actions, what.interval(), out, now);
        if !matches!(what, Happening::Timer(..)) {
            self.schedule(id, out, now);
        }
        deliver
    }

    fn perform(
        &mut self,
        id: ServerId,
        actions: &[Action],
        last: Duration,
        out: &mut Outbox,
        now: Mono,
    ) -> bool {
        let Some(server) = self.running.get_mut(&id) else { return false };
        let mut deliver = false;
        for action in actions {
            match *action {
                Action::Send => {
                    let bytes = server.response.clone().expect("a machine sends what it was given");
                    out.push_back((server.flow, bytes));
                }
                Action::SendAck => unreachable!("servers send no ACK"),
                Action::Deliver => deliver = true,
                Action::TimedOut | Action::Unreachable => {
                    if let Some(user) = server.user.clone() {
                        self.unanswerable.push_back((user, id));
                    }
                }
                Action::Start(_) | Action::Again(_) | Action::Stop(_) => {
                    server.timers.act(*action, server.flow.transport.is_reliable(), last, now);
                }
            }
        }
        deliver
    }

    /// Fires what is due, among it the timers of zero length; then notes the next deadline, or the end.
    fn schedule(&mut self, id: ServerId, out: &mut Outbox, now: Mono) {
        while let Some((timer, interval)) =
            self.running.get_mut(&id).and_then(|server| server.timers.fire(now))
        {
            self.on(id, Happening::Timer(timer, interval), out, now);
        }
        let Some(server) = self.running.get(&id) else { return self.deadlines.set(id, None) };
        // A request that has its final answer no longer stands in the way of another with its CSeq: some clients
        // answer a challenge without counting up.
        if let (true, Some(key)) = (server.state.is_answered(), &server.merge_key) {
            self.merge_keys.remove(key);
        }
        if !server.state.is_over() {
            return self.deadlines.set(id, server.timers.first().map(|(at, _)| at));
        }
        self.deadlines.set(id, None);
        if let Some(server) = self.running.remove(&id) {
            self.keys.remove(&server.key);
        }
    }
}
