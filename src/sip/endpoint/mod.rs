//! The one object the node talks to: messages in, messages and events out.
//!
//! ```text
//!   Received ──► decode ──► transaction layer ──► requests: inbound ──┐
//!                                  ▲   │                              ▼
//!                                  │   └────────► responses ──────► session ──► Event
//!   Command ───────────────────────┼─────────────────────────────────▲
//!                                  └── core: send, answer, locate ◄───┘
//! ```
//!
//! It decides who is calling and whether they may, keeps the registrar and our own registrations, and hands each
//! message to the session it belongs to. It never looks into a session description.

mod calls;
mod capabilities;
mod command;
mod config;
mod core;
mod event;
mod guard;
mod inbound;
mod outbound;
mod recording;
mod subscriptions;
mod trunk;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use base::{ExpiringMap, Mono, Now, Reason, Rng};

use self::guard::Guard;
use self::subscriptions::Subscriptions;
use self::trunk::Trunks;
use crate::session::{Session, turn_away};
use crate::transaction::{Deadlines, Indication, Received};
use crate::{
    Authenticator, Binding, Decoded, DigestAlgorithm, Flow, Message, RegistrarEvent, Response, decode,
};

pub(crate) use self::calls::is_ours_to_write;
pub(crate) use self::capabilities::ALLOW;
pub(crate) use self::core::{Core, Failure};
pub(crate) use self::outbound::{Cancelled, Hop, Purpose, RequestId, User};
pub use command::{Command, Destination, Input, Outgoing, SessionId};
pub use config::{EndpointConfig, EndpointLimits, IpNet, ParseIpNetError, TrunkConfig};
pub use event::{Caller, Ended, Event, Output, TrunkState, UNRESOLVED};
pub use subscriptions::{Lamp, Shown};

/// A call of ours to ourselves that has not come by then does not come any more.
const OWN_CALL_COMES: Duration = Duration::from_secs(60);
/// Calls to ourselves that are under way.
const OWN_CALLS_MAX: usize = 1_024;

/// A SIP user agent with its registrar: phones and trunks on one side, the node on the other.
pub struct Endpoint {
    core: Core,
    sessions: BTreeMap<SessionId, Session>,
    /// Call-ID and our tag; one entry a session.
    dialogs: BTreeMap<(String, String), SessionId>,
    deadlines: Deadlines<SessionId>,
    authenticator: Authenticator,
    guard: Guard,
    trunks: Trunks,
    subscriptions: Subscriptions,
    /// Names by which we call ourselves, until such a call comes.
    own: ExpiringMap<String, ()>,
}

impl Endpoint {
    /// An endpoint without calls. `rng` gives branches, tags, Call-IDs and nonces.
    pub fn new(config: EndpointConfig, mut rng: Rng, now: Now) -> Self {
        let authenticator = Authenticator::new(&config.realm, &mut rng);
        let mut core = Core::new(config, rng, now);
        let mut trunks = Trunks::new();
        trunks.configure(&mut core);
        Self {
            core,
            sessions: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            deadlines: Deadlines::new(),
            authenticator,
            guard: Guard::new(),
            trunks,
            subscriptions: Subscriptions::default(),
            own: ExpiringMap::new(OWN_CALLS_MAX),
        }
    }

    /// Which hashes phones are challenged with, the preferred one first (RFC 8760 §2.3). MD5 alone unless set, for
    /// there are phones that do not pass over what they do not know; SHA-256 is accepted in any case.
    pub fn set_challenges(&mut self, hashes: &[DigestAlgorithm]) {
        self.authenticator.set_offered(hashes);
    }

    /// Takes one event of the outside world.
    pub fn handle(&mut self, input: Input, now: Now) {
        self.core.now = now;
        match input {
            Input::Received { flow, bytes } => self.on_bytes(flow, &bytes),
            Input::FlowClosed { flow } => {
                self.core.layer.transport_error(flow, now.mono);
                self.core.registrar.handle_flow_closed(flow);
            }
            Input::SendFailed { flow } => self.core.layer.transport_error(flow, now.mono),
            Input::Resolved { id, addrs } => self.core.resolved(id, &addrs),
            Input::Command(Command::Invite(outgoing)) => self.invite(*outgoing),
            Input::Command(command) => {
                let id = command.session();
                if self.sessions.contains_key(&id) {
                    self.with(id, |session, core| session.on_command(command, core));
                } else {
                    self.core.count("sip_commands_ignored");
                }
            }
            Input::Config(config) => {
                self.authenticator.set_realm(&config.realm);
                self.core.configure(config);
                self.trunks.configure(&mut self.core);
            }
        }
        self.settle();
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.core.now = now;
        self.core.layer.handle_timeout(now.mono);
        self.core.registrar.handle_timeout(now);
        self.core.give_up_locating();
        self.authenticator.handle_timeout(now.mono);
        self.trunks.handle_timeout(&mut self.core);
        self.end_subscriptions();
        self.settle();
        while let Some(id) = self.deadlines.pop(now.mono) {
            self.with(id, |session, core| session.handle_timeout(core));
            self.settle();
        }
    }

    /// What is to be done outside.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.core.poll_output()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, and why.
    pub fn poll_timeout(&self) -> Option<(Mono, Reason)> {
        let session = self.deadlines.first().map(|(at, _)| (at, Reason("session")));
        [
            self.core.layer.poll_timeout(),
            session,
            self.core.registrar.poll_timeout(),
            self.core.locating.first().map(|(at, _)| (at, Reason("resolve"))),
            self.authenticator.poll_timeout(),
            self.trunks.poll_timeout(),
            self.subscriptions.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Every registered contact.
    pub fn registrations(&self) -> impl Iterator<Item = &Binding> {
        self.core.registrar.bindings()
    }

    /// Of our addresses the one nearest to a peer's, where we listen on all of them.
    pub fn nearest_address(&self, peer: IpAddr) -> Option<IpAddr> {
        self.core.nearest(peer)
    }

    /// The contacts of one phone, best first.
    pub fn contacts_of(&self, user: &str) -> Vec<Binding> {
        self.core.registrar.contacts_of(user)
    }

    /// Takes up one phone's contacts of an earlier run, best first, before anything is received.
    pub fn restore_contacts(&mut self, bindings: Vec<Binding>, now: Now) {
        self.core.registrar.restore(bindings, now.mono);
    }

    /// How each trunk stands, by name.
    pub fn trunk_states(&self) -> impl Iterator<Item = (&str, &TrunkState)> {
        self.trunks.states()
    }

    /// The sources that are banned for guessing passwords; of IPv6 the /64.
    pub fn bans(&self) -> impl Iterator<Item = IpAddr> {
        self.guard.banned()
    }

    /// We are going to call ourselves by this user name, which nobody else can know, and soon.
    pub fn expect_own(&mut self, user: String, now: Mono) {
        while self.own.expire(now).is_some() {}
        self.own.insert(user, (), now + OWN_CALL_COMES);
    }

    /// A session whose messages bear this Call-ID, in either role; for whoever shows messages by call.
    pub fn session_by_call_id(&self, call_id: &str) -> Option<SessionId> {
        let from = (call_id.to_owned(), String::new());
        let ((found, _), id) = self.dialogs.range(from..).next()?;
        (found == call_id).then_some(*id)
    }

    /// How a Replaces header at its other end would name an answered session: Call-ID, our tag, the peer's.
    pub fn dialog_of(&self, session: SessionId) -> Option<(String, String, String)> {
        self.sessions.get(&session)?.dialog()
    }

    /// The session that a Replaces header means: by Call-ID and our tag (RFC 3891 §3).
    pub fn session_of_dialog(&self, call_id: &str, our_tag: &str) -> Option<SessionId> {
        self.dialogs.get(&(call_id.to_owned(), our_tag.to_owned())).copied()
    }

    /// What was counted: messages dropped and refused, each under a name of its own.
    pub fn counters(&self) -> &BTreeMap<&'static str, u64> {
        self.core.counters()
    }

    /// INVITE sessions that are not over.
    pub fn open_sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Whether whoever an INVITE of ours went to has shown a sign of life, a 100 included; `None` without such a
    /// session.
    pub fn is_reached(&self, session: SessionId) -> Option<bool> {
        self.sessions.get(&session).map(Session::is_reached)
    }

    /// Transactions that are not over.
    pub fn open_transactions(&self) -> usize {
        self.core.layer.len()
    }

    fn on_bytes(&mut self, flow: Flow, bytes: &[u8]) {
        match decode(bytes) {
            Decoded::Message(Message::Request(request)) => self.on_request(request, flow),
            Decoded::Message(Message::Response(response)) => self.on_response(response),
            Decoded::Reject { response, .. } => {
                self.core.count("sip_malformed_requests");
                if let Some(bytes) = response {
                    self.core.push(Output::Transmit { flow, bytes });
                }
            }
            Decoded::Drop(reason) => self.core.count(reason.as_str()),
        }
    }

    fn on_response(&mut self, response: Response) {
        let request = match self.core.layer.receive(&response, self.core.now.mono) {
            Received::Deliver(request, _) => request,
            Received::Absorbed => return,
            Received::Stray => return self.core.count("sip_stray_responses"),
        };
        match self.core.answered(request, &response) {
            Some(User::Session(id, purpose)) if self.sessions.contains_key(&id) => {
                self.with(id, |session, core| session.on_response(purpose, request, response, core));
            }
            Some(User::Session(_, Purpose::Invite | Purpose::Reinvite)) if response.is_success() => {
                self.on_orphaned_answer(request, &response);
            }
            Some(User::Trunk(name)) => self.trunks.on_response(&name, request, &response, &mut self.core),
            Some(User::Subscription(id)) => self.subscriptions.on_response(id, &response),
            Some(User::Session(..) | User::Nobody) | None => {}
        }
    }

    /// A 2xx whose session is over: a fork that answered late (RFC 3261 §13.2.2.4).
    fn on_orphaned_answer(&mut self, request: RequestId, response: &Response) {
        self.core.count("sip_answers_too_late");
        turn_away(request, response, &mut self.core);
    }

    /// Lets everything that follows from an input happen before the next one.
    fn settle(&mut self) {
        loop {
            if let Some(indication) = self.core.layer.poll_indication() {
                match indication {
                    Indication::Unanswerable(id, server) => {
                        self.with(id, |session, core| session.on_unanswerable(server, core));
                    }
                    Indication::Client(request, client, news) => {
                        self.core.on_client_news(request, client, news);
                    }
                }
            } else if let Some((user, request, failure)) = self.core.failures.pop_front() {
                match user {
                    User::Session(id, purpose) => {
                        self.with(id, |session, core| session.on_failure(purpose, request, failure, core));
                    }
                    User::Trunk(name) => self.trunks.on_failure(&name, request, failure, &mut self.core),
                    User::Subscription(id) => self.subscriptions.on_failure(id),
                    User::Nobody => {}
                }
            } else {
                break;
            }
        }
        while let Some(event) = self.core.registrar.poll_event() {
            self.core.tell(match event {
                RegistrarEvent::Registered { user, contacts } => Event::Registered { user, contacts },
                RegistrarEvent::Unregistered { user } => Event::Unregistered { user },
                RegistrarEvent::Changed { user } => Event::ContactsChanged { user },
            });
        }
    }

    fn insert(&mut self, id: SessionId, session: Session) {
        self.dialogs.insert(session.key(), id);
        self.deadlines.set(id, session.poll_timeout());
        self.sessions.insert(id, session);
    }

    /// Lets a session act, then notes its next deadline, or its end.
    fn with(&mut self, id: SessionId, act: impl FnOnce(&mut Session, &mut Core)) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        act(session, &mut self.core);
        if session.is_over() {
            self.dialogs.remove(&session.key());
            self.deadlines.set(id, None);
            self.sessions.remove(&id);
        } else {
            self.deadlines.set(id, session.poll_timeout());
        }
    }
}
