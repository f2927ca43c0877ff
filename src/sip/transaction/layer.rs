//! The running transactions: finds the one a message belongs to, performs what its machine says (RFC 3261 §17).
//!
//! In go messages, from the network and from the transaction users, and time; out come bytes to send and
//! [`Indication`]s. It never looks into a request beyond what matching needs, and knows no dialogs. `C` names the
//! user of a client transaction, `S` that of a server transaction.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use base::{Mono, Reason};
use serde::{Deserialize, Serialize};

use super::deadlines::Deadlines;
use super::key::{ClientKey, MergeKey, ServerKey, reply_flow};
use super::{Action, TimerSet, client_invite, client_non_invite, server_invite, server_non_invite};
use crate::{Flow, HeaderName, Headers, Method, Request, Response};

/// A client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClientId(u64);

/// A server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServerId(u64);

/// What a received request is to the running transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// A new request; [`Layer::open`] makes its transaction. An ACK that belongs to no refusal is new too.
    New,
    /// A repeated request, or the ACK of a refusal: dealt with.
    Absorbed,
    /// A request that has already come along another way (§8.2.2.2): to be refused with 482.
    Merged,
}

/// What the transaction user is told outside of [`Layer::receive`] and [`Layer::sight`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Indication<C, S> {
    /// No final answer has come to our request.
    NoAnswer(C, ClientId),
    /// Our request could not be sent, or its connection is gone.
    Unreachable(C, ClientId),
    /// The client transaction is over: nothing more will be delivered.
    Gone(C, ClientId),
    /// Our final response could not be sent, was never acknowledged (INVITE), or its connection is gone.
    Unanswerable(S, ServerId),
}

/// Named maxima.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerLimits {
    /// Client transactions at once.
    pub clients_max: usize,
    /// Server transactions at once.
    pub servers_max: usize,
}

/// There is no room for another transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many transactions")]
pub struct Full;

/// All transactions of an endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Layer<C, S> {
    limits: LayerLimits,
    next: u64,
    clients: BTreeMap<ClientId, Client<C>>,
    client_keys: BTreeMap<ClientKey, ClientId>,
    servers: BTreeMap<ServerId, Server<S>>,
    server_keys: BTreeMap<ServerKey, ServerId>,
    merge_keys: BTreeMap<MergeKey, ServerId>,
    deadlines: Deadlines<Id>,
    transmits: VecDeque<(Flow, Vec<u8>)>,
    indications: VecDeque<Indication<C, S>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Id {
    Client(ClientId),
    Server(ServerId),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Client<C> {
    user: C,
    state: ClientState,
    key: ClientKey,
    flow: Flow,
    bytes: Vec<u8>,
    /// For ACK and CANCEL, which are made from it.
    invite: Option<Box<Request>>,
    ack: Option<Vec<u8>>,
    timers: TimerSet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum ClientState {
    Invite(client_invite::State),
    NonInvite(client_non_invite::State),
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum ServerState {
    Invite(server_invite::State),
    NonInvite(server_non_invite::State),
}

#[derive(Clone, Copy)]
enum Happening {
    Response(u16),
    Request,
    Ack,
    TransportError,
    Timer(super::Timer, Duration),
}

impl<C: Clone, S: Clone> Layer<C, S> {
    /// None running.
    pub fn new(limits: LayerLimits) -> Self {
        Self {
            limits,
            next: 0,
            clients: BTreeMap::new(),
            client_keys: BTreeMap::new(),
            servers: BTreeMap::new(),
            server_keys: BTreeMap::new(),
            merge_keys: BTreeMap::new(),
            deadlines: Deadlines::new(),
            transmits: VecDeque::new(),
            indications: VecDeque::new(),
        }
    }

    /// Takes new maxima; what runs goes on.
    pub fn set_limits(&mut self, limits: LayerLimits) {
        self.limits = limits;
    }

    /// Sends `request`, which has its top Via with a fresh branch, and repeats it as its machine says. ACK to a 2xx
    /// is no transaction and does not come here.
    pub fn send(&mut self, request: Request, flow: Flow, user: C, now: Mono) -> Result<ClientId, Full> {
        if self.clients.len() >= self.limits.clients_max {
            return Err(Full);
        }
        let key = ClientKey::of(&request.headers).expect("a request of ours has Via and CSeq");
        let id = ClientId(self.number());
        let bytes = request.encode();
        let (state, start, invite) = if request.method == Method::Invite {
            (
                ClientState::Invite(client_invite::State::Calling),
                client_invite::START,
                Some(Box::new(request)),
            )
        } else {
            (ClientState::NonInvite(client_non_invite::State::Trying), client_non_invite::START, None)
        };
        self.client_keys.insert(key.clone(), id);
        let timers = TimerSet::default();
        self.clients.insert(id, Client { user, state, key, flow, bytes, invite, ack: None, timers });
        self.perform_client(id, start, Duration::ZERO, now);
        self.schedule(Id::Client(id), now);
        Ok(id)
    }

    /// The INVITE of a running transaction.
    pub fn invite(&self, id: ClientId) -> Option<&Request> {
        self.clients.get(&id)?.invite.as_deref()
    }

    /// Where a running transaction's request went.
    pub fn client_flow(&self, id: ClientId) -> Option<Flow> {
        self.clients.get(&id).map(|client| client.flow)
    }

    /// Ends a client transaction whose user has given up.
    pub fn forget(&mut self, id: ClientId) {
        self.remove(Id::Client(id));
    }

    /// Takes a response. `Some`: its transaction's user is to see it.
    pub fn receive(&mut self, response: &Response, now: Mono) -> Received<C> {
        let id = ClientKey::of(&response.headers).ok().and_then(|key| self.client_keys.get(&key).copied());
        let Some(id) = id else { return Received::Stray };
        let Some(client) = self.clients.get_mut(&id) else { return Received::Stray };
        if let (Some(invite), true) = (&client.invite, response.code >= 300) {
            client.ack = Some(ack_of_refusal(invite, &response.headers).encode());
        }
        let user = client.user.clone();
        if self.on_client(id, Happening::Response(response.code), now) {
            Received::Deliver(user, id)
        } else {
            Received::Absorbed
        }
    }

    /// Looks at a received request.
    pub fn sight(&mut self, request: &Request, now: Mono) -> Sighting {
        let Ok(key) = ServerKey::of(request) else { return Sighting::New };
        if let Some(id) = self.server_keys.get(&key).copied() {
            let what = if request.method == Method::Ack { Happening::Ack } else { Happening::Request };
            let deliver = self.on_server(id, what, now);
            return if deliver { Sighting::New } else { Sighting::Absorbed };
        }
        match MergeKey::of(request) {
            // An ACK or CANCEL has the Call-ID and CSeq of its INVITE but not its method.
            Ok(Some(key)) if self.merge_keys.contains_key(&key) => Sighting::Merged,
            Ok(_) | Err(_) => Sighting::New,
        }
    }

    /// Makes the server transaction of a new request other than ACK; for INVITE sends 100.
    pub fn open(&mut self, request: &Request, flow: Flow, now: Mono) -> Result<ServerId, Full> {
        if self.servers.len() >= self.limits.servers_max {
            return Err(Full);
        }
        let key = ServerKey::of(request).map_err(|_| Full)?;
        let merge_key = MergeKey::of(request).ok().flatten();
        let id = ServerId(self.number());
        let flow = reply_flow(request, flow);
        let invite = request.method == Method::Invite;
        let state = if invite {
            ServerState::Invite(server_invite::State::Proceeding)
        } else {
            ServerState::NonInvite(server_non_invite::State::Trying)
        };
        self.server_keys.insert(key.clone(), id);
        if let Some(key) = &merge_key {
            self.merge_keys.insert(key.clone(), id);
        }
        let timers = TimerSet::default();
        let server = Server { user: None, state, key, merge_key, flow, response: None, timers };
        self.servers.insert(id, server);
        if invite {
            self.respond(id, &request.response(100, None), now);
        }
        Ok(id)
    }

    /// Names the user of a server transaction, to whom its troubles are told.
    pub fn belongs_to(&mut self, id: ServerId, user: S) {
        if let Some(server) = self.servers.get_mut(&id) {
            server.user = Some(user);
        }
    }

    /// The user of the INVITE that `cancel` gives up, with its transaction (§9.2). `None`: 481.
    pub fn cancelled_by(&self, cancel: &Request) -> Option<(Option<S>, ServerId)> {
        let key = ServerKey::of(cancel).ok()?.cancelled();
        let id = *self.server_keys.get(&key)?;
        Some((self.servers.get(&id)?.user.clone(), id))
    }

    /// Sends a response. Ignored when the transaction is over or has its final response already.
    pub fn respond(&mut self, id: ServerId, response: &Response, now: Mono) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        if server.takes(response.code) {
            server.response = Some(response.encode());
        }
        self.on_server(id, Happening::Response(response.code), now);
    }

    /// Where the answers of a running server transaction go.
    pub fn server_flow(&self, id: ServerId) -> Option<Flow> {
        self.servers.get(&id).map(|server| server.flow)
    }

    /// Nothing can be sent over `flow`, or it is closed.
    pub fn transport_error(&mut self, flow: Flow, now: Mono) {
        let clients: Vec<ClientId> =
            self.clients.iter().filter(|(_, client)| client.flow == flow).map(|(id, _)| *id).collect();
        let servers: Vec<ServerId> =
            self.servers.iter().filter(|(_, server)| server.flow == flow).map(|(id, _)| *id).collect();
        for id in clients {
            self.on_client(id, Happening::TransportError, now);
        }
        for id in servers {
            self.on_server(id, Happening::TransportError, now);
        }
    }

    /// Fires the timers that are due.
    pub fn handle_timeout(&mut self, now: Mono) {
        while let Some(id) = self.deadlines.pop(now) {
            self.schedule(id, now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<(Mono, Reason)> {
        let (at, id) = self.deadlines.first()?;
        let timers = match id {
            Id::Client(id) => self.clients.get(id).map(|client| &client.timers),
            Id::Server(id) => self.servers.get(id).map(|server| &server.timers),
        };
        let timer = timers.and_then(TimerSet::first).map_or("transaction", |(_, timer)| timer.reason());
        Some((at, Reason(timer)))
    }

    /// Bytes to send.
    pub fn poll_transmit(&mut self) -> Option<(Flow, Vec<u8>)> {
        self.transmits.pop_front()
    }

    /// News.
    pub fn poll_indication(&mut self) -> Option<Indication<C, S>> {
        self.indications.pop_front()
    }

    /// How many transactions are running, client and server.
    pub fn len(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    /// Whether none are running.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Returns whether the message at hand is to be delivered.
    fn on_client(&mut self, id: ClientId, what: Happening, now: Mono) -> bool {
        let Some(client) = self.clients.get_mut(&id) else { return false };
        let Some(actions) = client.state.on(what) else { return false };
        let deliver = self.perform_client(id, actions, what.interval(), now);
        if !matches!(what, Happening::Timer(..)) {
            self.schedule(Id::Client(id), now);
        }
        deliver
    }

    fn on_server(&mut self, id: ServerId, what: Happening, now: Mono) -> bool {
        let Some(server) = self.servers.get_mut(&id) else { return false };
        let Some(actions) = server.state.on(what) else { return false };
        let deliver = self.perform_server(id, actions, what.interval(), now);
        if !matches!(what, Happening::Timer(..)) {
            self.schedule(Id::Server(id), now);
        }
        deliver
    }

    fn perform_client(&mut self, id: ClientId, actions: &[Action], last: Duration, now: Mono) -> bool {
        let Some(client) = self.clients.get_mut(&id) else { return false };
        let mut deliver = false;
        for action in actions {
            match *action {
                Action::Send => self.transmits.push_back((client.flow, client.bytes.clone())),
                Action::SendAck => {
                    let ack = client.ack.clone().expect("made before the refusal was looked at");
                    self.transmits.push_back((client.flow, ack));
                }
                Action::Deliver => deliver = true,
                Action::TimedOut => {
                    self.indications.push_back(Indication::NoAnswer(client.user.clone(), id));
                }
                Action::Unreachable => {
                    self.indications.push_back(Indication::Unreachable(client.user.clone(), id));
                }
                Action::Start(_) | Action::Again(_) | Action::Stop(_) => {
                    run(*action, &mut client.timers, client.flow, last, now);
                }
            }
        }
        deliver
    }

    fn perform_server(&mut self, id: ServerId, actions: &[Action], last: Duration, now: Mono) -> bool {
        let Some(server) = self.servers.get_mut(&id) else { return false };
        let mut deliver = false;
        for action in actions {
            match *action {
                Action::Send => {
                    let bytes = server.response.clone().expect("a machine sends what it was given");
                    self.transmits.push_back((server.flow, bytes));
                }
                Action::SendAck => unreachable!("servers send no ACK"),
                Action::Deliver => deliver = true,
                Action::TimedOut | Action::Unreachable => {
                    if let Some(user) = server.user.clone() {
                        self.indications.push_back(Indication::Unanswerable(user, id));
                    }
                }
                Action::Start(_) | Action::Again(_) | Action::Stop(_) => {
                    run(*action, &mut server.timers, server.flow, last, now);
                }
            }
        }
        deliver
    }

    /// Fires what is due, among it the timers of zero length; then notes the next deadline, or the end.
    fn schedule(&mut self, id: Id, now: Mono) {
        loop {
            let fired = match id {
                Id::Client(id) => self.clients.get_mut(&id).and_then(|client| client.timers.fire(now)),
                Id::Server(id) => self.servers.get_mut(&id).and_then(|server| server.timers.fire(now)),
            };
            let Some((timer, interval)) = fired else { break };
            match id {
                Id::Client(id) => self.on_client(id, Happening::Timer(timer, interval), now),
                Id::Server(id) => self.on_server(id, Happening::Timer(timer, interval), now),
            };
        }
        let (over, next) = match id {
            Id::Client(id) => match self.clients.get(&id) {
                Some(client) => (client.state.is_over(), client.timers.first()),
                None => (true, None),
            },
            Id::Server(id) => match self.servers.get(&id) {
                Some(server) => {
                    // A request that has its final answer no longer stands in the way of another with its CSeq.
                    if let (true, Some(key)) = (server.state.is_answered(), &server.merge_key) {
                        self.merge_keys.remove(key);
                    }
                    (server.state.is_over(), server.timers.first())
                }
                None => (true, None),
            },
        };
        if over {
            self.remove(id);
        } else {
            self.deadlines.set(id, next.map(|(at, _)| at));
        }
    }

    fn remove(&mut self, id: Id) {
        self.deadlines.set(id, None);
        match id {
            Id::Client(id) => {
                if let Some(client) = self.clients.remove(&id) {
                    self.client_keys.remove(&client.key);
                    self.indications.push_back(Indication::Gone(client.user, id));
                }
            }
            Id::Server(id) => {
                if let Some(server) = self.servers.remove(&id) {
                    self.server_keys.remove(&server.key);
                    if let Some(key) = server.merge_key {
                        self.merge_keys.remove(&key);
                    }
                }
            }
        }
    }
}

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

impl Happening {
    fn interval(self) -> Duration {
        match self {
            Happening::Timer(_, interval) => interval,
            Happening::Response(_) | Happening::Request | Happening::Ack | Happening::TransportError => {
                Duration::ZERO
            }
        }
    }
}

impl ClientState {
    /// Moves on; `None` when ignored.
    fn on(&mut self, what: Happening) -> Option<&'static [Action]> {
        match self {
            ClientState::Invite(state) => {
                use client_invite::Input;
                let input = match what {
                    Happening::Response(100..=199) => Input::Provisional,
                    Happening::Response(200..=299) => Input::Success,
                    Happening::Response(_) => Input::Refusal,
                    Happening::TransportError => Input::TransportError,
                    Happening::Timer(timer, _) => Input::Timer(timer),
                    Happening::Request | Happening::Ack => return None,
                };
                let step = client_invite::on(*state, input)?;
                *state = step.next;
                Some(step.actions)
            }
            ClientState::NonInvite(state) => {
                use client_non_invite::Input;
                let input = match what {
                    Happening::Response(100..=199) => Input::Provisional,
                    Happening::Response(_) => Input::Final,
                    Happening::TransportError => Input::TransportError,
                    Happening::Timer(timer, _) => Input::Timer(timer),
                    Happening::Request | Happening::Ack => return None,
                };
                let step = client_non_invite::on(*state, input)?;
                *state = step.next;
                Some(step.actions)
            }
        }
    }

    fn is_over(self) -> bool {
        matches!(
            self,
            ClientState::Invite(client_invite::State::Terminated)
                | ClientState::NonInvite(client_non_invite::State::Terminated)
        )
    }
}

impl ServerState {
    /// Moves on; `None` when ignored.
    fn on(&mut self, what: Happening) -> Option<&'static [Action]> {
        match self {
            ServerState::Invite(state) => {
                use server_invite::Input;
                let input = match what {
                    Happening::Response(100..=199) => Input::Provisional,
                    Happening::Response(200..=299) => Input::Success,
                    Happening::Response(_) => Input::Refusal,
                    Happening::Request => Input::Invite,
                    Happening::Ack => Input::Ack,
                    Happening::TransportError => Input::TransportError,
                    Happening::Timer(timer, _) => Input::Timer(timer),
                };
                let step = server_invite::on(*state, input)?;
                *state = step.next;
                Some(step.actions)
            }
            ServerState::NonInvite(state) => {
                use server_non_invite::Input;
                let input = match what {
                    Happening::Response(100..=199) => Input::Provisional,
                    Happening::Response(_) => Input::Final,
                    Happening::Request => Input::Request,
                    Happening::Ack => return None,
                    Happening::TransportError => Input::TransportError,
                    Happening::Timer(timer, _) => Input::Timer(timer),
                };
                let step = server_non_invite::on(*state, input)?;
                *state = step.next;
                Some(step.actions)
            }
        }
    }

    fn is_over(self) -> bool {
        matches!(
            self,
            ServerState::Invite(server_invite::State::Terminated)
                | ServerState::NonInvite(server_non_invite::State::Terminated)
        )
    }

    fn is_answered(self) -> bool {
        use {server_invite::State as Invite, server_non_invite::State as NonInvite};
        match self {
            ServerState::Invite(Invite::Proceeding | Invite::Accepted)
            | ServerState::NonInvite(NonInvite::Trying | NonInvite::Proceeding) => false,
            ServerState::Invite(Invite::Completed | Invite::Confirmed | Invite::Terminated)
            | ServerState::NonInvite(NonInvite::Completed | NonInvite::Terminated) => true,
        }
    }
}

impl<S> Server<S> {
    /// Whether the machine will send this response: a later one must not replace what it repeats.
    fn takes(&self, code: u16) -> bool {
        let mut state = self.state;
        state.on(Happening::Response(code)).is_some()
    }
}

/// Starts, restarts or stops a timer.
fn run(action: Action, timers: &mut TimerSet, flow: Flow, last: Duration, now: Mono) {
    match action {
        Action::Start(timer) => {
            if let Some(interval) = timer.first(flow.transport.is_reliable()) {
                timers.set(timer, interval, now);
            }
        }
        Action::Again(timer) => timers.set(timer, timer.next(last), now),
        Action::Stop(timer) => timers.clear(timer),
        Action::Send | Action::SendAck | Action::Deliver | Action::TimedOut | Action::Unreachable => {}
    }
}

/// The ACK of a refusal: Request-URI, Call-ID, From, CSeq number, Route and the one Via of the INVITE, To of the
/// response (§17.1.1.3).
fn ack_of_refusal(invite: &Request, response: &Headers) -> Request {
    let mut ack = along(invite, Method::Ack);
    if let Some(to) = response.get(&HeaderName::To) {
        ack.headers.set(HeaderName::To, to.clone());
    }
    ack
}

/// The CANCEL of an INVITE (§9.1): all of its ACK's headers, To as in the INVITE.
pub fn cancel_of(invite: &Request) -> Request {
    along(invite, Method::Cancel)
}

fn along(invite: &Request, method: Method) -> Request {
    let mut request = Request::new(method.clone(), invite.uri.clone());
    if let Some(via) = invite.headers.get(&HeaderName::Via) {
        request.headers.push(HeaderName::Via, via.clone());
    }
    for (name, value) in invite.headers.iter() {
        match name {
            HeaderName::MaxForwards
            | HeaderName::Route
            | HeaderName::From
            | HeaderName::To
            | HeaderName::CallId => request.headers.push(name.clone(), value.clone()),
            _ => {}
        }
    }
    if let Ok(cseq) = invite.headers.cseq() {
        request.headers.push(HeaderName::CSeq, crate::CSeq { number: cseq.number, method });
    }
    request
}
