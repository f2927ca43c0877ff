//! What sessions and trunk registrations act through: transactions, addresses, events, counters.
//!
//! It owns no session. Whoever is handed a `&mut Core` may send, answer and tell; what comes of it returns as an
//! input to the endpoint, never as a call back.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use base::{Now, Rng};
use sha2::{Digest, Sha256};

use super::capabilities::describe;
use super::config::common_prefix;
use super::outbound::{Outbound, RequestId, User};
use super::{EndpointConfig, Event, Output, SessionId};
use crate::session::SDP;
use crate::transaction::{Deadlines, Layer, LayerLimits, MAGIC_COOKIE, ServerId, reply_flow};
use crate::{Flow, HeaderName, NameAddr, Registrar, RegistrarLimits, Request, Response, TransportKind, Uri};

/// Random hexadecimal digits of a tag: 64 bits (RFC 3261 §19.3 asks for 32).
const TAG_DIGITS: usize = 16;

/// The endpoint but for its sessions.
pub(crate) struct Core {
    pub(crate) config: EndpointConfig,
    pub(crate) rng: Rng,
    /// The time of the input being handled.
    pub(crate) now: Now,
    pub(crate) layer: Layer<RequestId, SessionId>,
    pub(super) registrar: Registrar,
    /// When a request that is still being located is given up.
    pub(super) locating: Deadlines<RequestId>,
    /// Requests of ours that have not had their final answer, or are still being located.
    pub(super) outbound: BTreeMap<RequestId, Outbound>,
    pub(super) failures: VecDeque<(User, RequestId, Failure)>,
    pub(super) next: u64,
    /// What each branch of ours begins with, after the cookie: how a request that comes back is recognised.
    instance: String,
    /// Keys the tags of answers that leave no state behind.
    secret: [u8; 32],
    outputs: VecDeque<Output>,
    counters: BTreeMap<&'static str, u64>,
}

/// Why a request of ours has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nobody answered in time.
    NoAnswer,
    /// It could not be sent to any address.
    Unreachable,
    /// Its host has no address.
    Unresolved,
}

impl Core {
    pub(super) fn new(config: EndpointConfig, mut rng: Rng, now: Now) -> Self {
        let max = config.limits.transactions_max;
        let mut secret = [0; 32];
        for chunk in secret.chunks_exact_mut(8) {
            chunk.copy_from_slice(&rng.u64().to_be_bytes());
        }
        Self {
            instance: format!("{MAGIC_COOKIE}{}", rng.hex(12)),
            config,
            rng,
            now,
            layer: Layer::new(LayerLimits { clients_max: max, servers_max: max }),
            registrar: Registrar::new(RegistrarLimits::default()),
            locating: Deadlines::new(),
            outbound: BTreeMap::new(),
            failures: VecDeque::new(),
            next: 0,
            secret,
            outputs: VecDeque::new(),
            counters: BTreeMap::new(),
        }
    }

    /// Takes a new configuration.
    pub(super) fn configure(&mut self, config: EndpointConfig) {
        let max = config.limits.transactions_max;
        self.layer.set_limits(LayerLimits { clients_max: max, servers_max: max });
        self.config = config;
    }

    /// Tells the owner.
    pub(crate) fn tell(&mut self, event: Event) {
        self.push(Output::Event(event));
    }

    /// Something was refused that an operator may want to know of.
    pub(crate) fn reject(&mut self, what: &'static str, counter: &'static str, flow: Flow) {
        self.count(counter);
        self.tell(Event::Rejected { what, flow });
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counters.entry(what).or_default() += 1;
    }

    pub(super) fn counters(&self) -> &BTreeMap<&'static str, u64> {
        &self.counters
    }

    /// Queues an output behind all that the transactions have sent so far: a BYE must not overtake its ACK.
    pub(super) fn push(&mut self, output: Output) {
        self.collect();
        self.outputs.push_back(output);
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.collect();
        self.outputs.pop_front()
    }

    fn collect(&mut self) {
        while let Some((flow, bytes)) = self.layer.poll_transmit() {
            self.outputs.push_back(Output::Transmit { flow, bytes });
        }
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(crate) fn tag(&mut self) -> String {
        self.rng.hex(TAG_DIGITS)
    }

    pub(super) fn branch(&mut self) -> String {
        format!("{}{}", self.instance, self.rng.hex(16))
    }

    /// Whether one of our own requests has come back to us (RFC 3261 §16.3 item 4, RFC 7332).
    pub(super) fn is_loop(&self, request: &Request) -> bool {
        let ours = |branch: Option<&str>| branch.is_some_and(|branch| branch.starts_with(&self.instance));
        request.headers.vias().is_ok_and(|vias| vias.iter().any(|via| ours(via.branch())))
    }

    /// A response with our tag in To and our name.
    pub(crate) fn response(&self, request: &Request, code: u16, reason: Option<&str>, tag: &str) -> Response {
        let mut response = request.response(code, reason);
        put_tag(&mut response, tag);
        if !self.config.user_agent.is_empty() {
            response.headers.push(HeaderName::Server, self.config.user_agent.as_str());
        }
        response
    }

    /// Completes a response made elsewhere.
    pub(super) fn finish(&mut self, response: &mut Response) {
        put_tag(response, &self.tag());
        if !self.config.user_agent.is_empty() {
            response.headers.push(HeaderName::Server, self.config.user_agent.as_str());
        }
    }

    /// Answers within a transaction.
    pub(crate) fn reply(&mut self, server: ServerId, request: &Request, code: u16) {
        let tag = self.tag();
        let response = self.response(request, code, None, &tag);
        self.layer.respond(server, &response, self.now.mono);
    }

    /// Answers within a transaction: try again in a moment (RFC 3261 §14.2).
    pub(crate) fn reply_later(&mut self, server: ServerId, request: &Request) {
        let tag = self.tag();
        let mut response = self.response(request, 500, None, &tag);
        let seconds = self.rng.below(11).to_string();
        response.headers.push(HeaderName::RetryAfter, seconds);
        self.layer.respond(server, &response, self.now.mono);
    }

    /// Answers OPTIONS within a transaction (RFC 3261 §11.2).
    pub(crate) fn reply_options(&mut self, server: ServerId, request: &Request) {
        let tag = self.tag();
        let mut response = self.response(request, 200, None, &tag);
        describe(&mut response);
        self.layer.respond(server, &response, self.now.mono);
    }

    /// Refuses a body that is no SDP (RFC 3261 §8.2.3).
    pub(crate) fn reply_unsupported_type(&mut self, server: ServerId, request: &Request) {
        self.count("sip_unsupported_types");
        let tag = self.tag();
        let mut response = self.response(request, 415, None, &tag);
        response.headers.push(HeaderName::Accept, SDP);
        self.layer.respond(server, &response, self.now.mono);
    }

    /// Answers and forgets: strangers take no memory (RFC 3261 §8.2.7).
    pub(super) fn reply_stateless(&mut self, request: &Request, flow: Flow, mut response: Response) {
        let tag = self.stateless_tag(request);
        put_tag(&mut response, &tag);
        let flow = reply_flow(request, flow);
        self.push(Output::Transmit { flow, bytes: response.encode() });
    }

    /// The same for every repetition of one request (RFC 3261 §8.2.7).
    fn stateless_tag(&self, request: &Request) -> String {
        let mut hash = Sha256::new().chain_update(self.secret);
        for name in [HeaderName::CallId, HeaderName::From, HeaderName::CSeq] {
            hash.update(request.headers.get(&name).map_or(&b""[..], |value| value.as_bytes()));
            hash.update(b"\n");
        }
        let hash = hash.finalize();
        hash.iter().take(TAG_DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Our socket for requests to `remote`: of its family, with the longest prefix in common.
    pub(super) fn local(&self, transport: TransportKind, remote: IpAddr) -> Option<SocketAddr> {
        let listening = self.config.listen.iter().filter(|(kind, _)| *kind == transport);
        let mut best: Option<(u32, SocketAddr)> = None;
        for (_, address) in listening {
            let shared = if address.ip().is_unspecified() {
                (address.is_ipv4() == remote.is_ipv4() || address.is_ipv6()).then_some(0)
            } else {
                common_prefix(address.ip(), remote)
            };
            if let Some(shared) = shared
                && best.is_none_or(|(most, _)| shared > most)
            {
                best = Some((shared, *address));
            }
        }
        best.map(|(_, address)| address)
    }

    /// The address by which the peer of `flow` reaches us: what Via and Contact name.
    pub(super) fn advertised(&self, flow: Flow) -> SocketAddr {
        if !flow.local.ip().is_unspecified() {
            return flow.local;
        }
        let ours = self.nearest(flow.remote.ip()).unwrap_or(flow.local.ip());
        SocketAddr::new(ours, flow.local.port())
    }

    /// Of our addresses the one nearest to a peer's: with the most leading bits in common.
    pub(super) fn nearest(&self, peer: IpAddr) -> Option<IpAddr> {
        let ours = self.config.addresses.iter();
        let shared = ours.filter_map(|ours| common_prefix(*ours, peer).map(|shared| (shared, *ours)));
        shared.max_by_key(|(shared, _)| *shared).map(|(_, ours)| ours)
    }

    /// The flow a user's contact is registered over now.
    pub(crate) fn registered_flow(&self, user: &str, contact: &Uri) -> Option<Flow> {
        let bindings = self.registrar.contacts_of(user);
        bindings.iter().find(|binding| binding.contact.equivalent(contact)).map(|binding| binding.flow)
    }

    /// Our Contact towards the peer of `flow`.
    pub(crate) fn contact(&self, flow: Flow, user: &str) -> NameAddr {
        let address = self.advertised(flow);
        let mut uri = Uri::sip(user, address.ip().into(), Some(address.port()));
        if flow.transport != TransportKind::Udp {
            uri.params.set("transport", Some(flow.transport.as_str()));
        }
        NameAddr::new(uri)
    }
}

/// Puts our tag into To, if it has none yet (RFC 3261 §8.2.6.2); 100 goes without.
fn put_tag(response: &mut Response, tag: &str) {
    if response.code > 100
        && !tag.is_empty()
        && let Ok(to) = response.headers.to()
        && to.tag().is_none()
    {
        response.headers.set(HeaderName::To, to.with_tag(tag));
    }
}
