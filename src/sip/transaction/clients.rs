//! The running client transactions (RFC 3261 §17.1).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use base::{Mono, Reason};
use serde::{Deserialize, Serialize};

use super::along::ack_of_refusal;
use super::deadlines::Deadlines;
use super::key::ClientKey;
use super::layer::{Full, Outbox};
use super::machine::{ClientState, Happening};
use super::{Action, TimerSet, client_invite, client_non_invite};
use crate::{Flow, Method, Request, Response};

/// A client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClientId(u64);

/// What became of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<C> {
    /// The user of its transaction is to see it.
    Deliver(C, ClientId),
    /// A repeated one.
    Absorbed,
    /// It answers nothing we asked.
    Stray,
}

/// What a client transaction's user is told besides responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientNews {
    /// No final answer has come to our request.
    NoAnswer,
    /// Our request could not be sent, or its connection is gone.
    Unreachable,
    /// The transaction is over: nothing more will be delivered.
    Gone,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Clients<C> {
    next: u64,
    running: BTreeMap<ClientId, Box<Client<C>>>,
    keys: BTreeMap<ClientKey, ClientId>,
    deadlines: Deadlines<ClientId>,
    news: VecDeque<(C, ClientId, ClientNews)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Client<C> {
    user: C,
    state: ClientState,
    key: ClientKey,
    flow: Flow,
    /// Until the final answer, after which nothing of it is sent again.
    bytes: Vec<u8>,
    /// For ACK and CANCEL, which are made from it; until the final answer, too.
    invite: Option<Box<Request>>,
    ack: Option<Vec<u8>>,
    timers: TimerSet,
}

impl<C: Clone> Clients<C> {
    pub(super) fn new() -> Self {
        Self {
            next: 0,
            running: BTreeMap::new(),
            keys: BTreeMap::new(),
            deadlines: Deadlines::new(),
            news: VecDeque::new(),
        }
    }

    pub(super) fn send(
        &mut self,
        request: Request,
        flow: Flow,
        user: C,
        max: usize,
        out: &mut Outbox,
        now: Mono,
    ) -> Result<ClientId, Full> {
        if self.running.len() >= max {
            return Err(Full);
        }
        let key = ClientKey::of(&request.headers).expect("a request of ours has Via and CSeq");
        self.next += 1;
        let id = ClientId(self.next);
        let bytes = request.encode();
        let (state, start, invite) = if request.method == Method::Invite {
            let state = ClientState::Invite(client_invite::State::Calling);
            (state, client_invite::START, Some(Box::new(request)))
        } else {
            let state = ClientState::NonInvite(client_non_invite::State::Trying);
            (state, client_non_invite::START, None)
        };
        self.keys.insert(key.clone(), id);
        let timers = TimerSet::default();
        let client = Client { user, state, key, flow, bytes, invite, ack: None, timers };
        self.running.insert(id, Box::new(client));
        self.perform(id, start, Duration::ZERO, out, now);
        self.schedule(id, out, now);
        Ok(id)
    }

    pub(super) fn invite(&self, id: ClientId) -> Option<&Request> {
        self.running.get(&id)?.invite.as_deref()
    }

    pub(super) fn receive(&mut self, response: &Response, out: &mut Outbox, now: Mono) -> Received<C> {
        let id = ClientKey::of(&response.headers).ok().and_then(|key| self.keys.get(&key).copied());
        let Some(id) = id else { return Received::Stray };
        let Some(client) = self.running.get_mut(&id) else { return Received::Stray };
        if let (Some(invite), true) = (&client.invite, response.code >= 300) {
            client.ack = Some(ack_of_refusal(invite, &response.headers).encode());
        }
        let user = client.user.clone();
        if self.on(id, Happening::Response(response.code), out, now) {
            Received::Deliver(user, id)
        } else {
            Received::Absorbed
        }
    }

    pub(super) fn transport_error(&mut self, flow: Flow, out: &mut Outbox, now: Mono) {
        let hit = self.running.iter().filter(|(_, client)| client.flow == flow).map(|(id, _)| *id);
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
        let timer = self.running.get(id).and_then(|client| client.timers.first());
        Some((at, Reason(timer.map_or("client transaction", |(_, timer)| timer.reason()))))
    }

    pub(super) fn poll_news(&mut self) -> Option<(C, ClientId, ClientNews)> {
        self.news.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    /// Moves on; returns whether the message at hand is to be delivered.
    fn on(&mut self, id: ClientId, what: Happening, out: &mut Outbox, now: Mono) -> bool {
        let Some(client) = self.running.get_mut(&id) else { return false };
        let Some(actions) = client.state.on(what) else { return false };
        if client.state.is_answered() {
            // For half a minute only its place is kept.
            (client.bytes, client.invite) = (Vec::new(), None);
        }
        let deliver = self.perform(id, actions, what.interval(), out, now);
        if !matches!(what, Happening::Timer(..)) {
            self.schedule(id, out, now);
        }
        deliver
    }

    fn perform(
        &mut self,
        id: ClientId,
        actions: &[Action],
        last: Duration,
        out: &mut Outbox,
        now: Mono,
    ) -> bool {
        let Some(client) = self.running.get_mut(&id) else { return false };
        let mut deliver = false;
        for action in actions {
            match *action {
                Action::Send => out.push_back((client.flow, client.bytes.clone())),
                Action::SendAck => {
                    let ack = client.ack.clone().expect("made before the refusal was looked at");
                    out.push_back((client.flow, ack));
                }
                Action::Deliver => deliver = true,
                Action::TimedOut => self.news.push_back((client.user.clone(), id, ClientNews::NoAnswer)),
                Action::Unreachable => {
                    self.news.push_back((client.user.clone(), id, ClientNews::Unreachable))
                }
                Action::Start(_) | Action::Again(_) | Action::Stop(_) => {
                    client.timers.act(*action, client.flow.transport.is_reliable(), last, now);
                }
            }
        }
        deliver
    }

    /// Fires what is due, among it the timers of zero length; then notes the next deadline, or the end.
    fn schedule(&mut self, id: ClientId, out: &mut Outbox, now: Mono) {
        while let Some((timer, interval)) =
            self.running.get_mut(&id).and_then(|client| client.timers.fire(now))
        {
            self.on(id, Happening::Timer(timer, interval), out, now);
        }
        match self.running.get(&id) {
            Some(client) if !client.state.is_over() => {
                self.deadlines.set(id, client.timers.first().map(|(at, _)| at));
            }
            Some(_) | None => self.forget(id),
        }
    }

    /// Ends a transaction.
    pub(super) fn forget(&mut self, id: ClientId) {
        self.deadlines.set(id, None);
        if let Some(client) = self.running.remove(&id) {
            self.keys.remove(&client.key);
            self.news.push_back((client.user, id, ClientNews::Gone));
        }
    }
}
