//! Requests of ours on their way: where they go, one address after the other (RFC 3263), and whose they are.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::core::{Core, Failure};
use super::{Output, SessionId, recording};
use crate::transaction::{ClientId, ClientNews, T1_64, cancel_of};
use crate::{
    CSeq, DigestClient, Flow, HeaderName, Host, Message, Method, Request, Response, Scheme, TransportKind,
    Uri, Via,
};

/// Addresses that are tried for one request.
const CANDIDATES_MAX: usize = 8;

/// How long a name may take to be resolved: as long as a request may take to be answered.
const LOCATING_TIME: Duration = T1_64;

/// A request of ours, over all the addresses it is tried at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(crate) struct RequestId(u64);

/// Whose request it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// A session's.
    Session(SessionId, Purpose),
    /// The registration with this trunk.
    Trunk(String),
    /// A subscription's.
    Subscription(u64),
    /// Nobody waits for the answer.
    Nobody,
}

/// What a session's request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The INVITE that begins it.
    Invite,
    /// An INVITE that changes it.
    Reinvite,
    /// Its end.
    Bye,
    /// Data on the way.
    Info,
    /// Sends the peer elsewhere.
    Refer,
    /// Tells how the peer's REFER goes.
    Notify,
}

/// Where a request goes first.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Hop {
    /// Over this flow, whatever the message says: a phone behind NAT.
    Flow(Flow),
    /// Where this URI leads.
    Uri(Uri),
}

/// A request and how far it has come.
pub(super) struct Outbound {
    /// Without Via and Contact, which depend on the address.
    request: Box<Request>,
    /// User part of our Contact, for the methods that have one.
    contact: Option<String>,
    user: User,
    /// Whether it goes over a flow that was given, and not where its URI leads.
    direct: bool,
    stage: Stage,
}

enum Stage {
    /// [`Output::Resolve`] is out.
    Locating,
    /// Being tried at one address; these are left.
    Sent { client: ClientId, flow: Flow, left: VecDeque<Flow> },
}

/// What cancelling a request did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancelled {
    /// It never left: nothing will come of it.
    Unsent,
    /// CANCEL is out.
    Sent,
}

impl Core {
    /// Sends a request that has all headers but Via and Contact. Failure is told later, never from in here.
    pub(crate) fn dispatch(
        &mut self,
        mut request: Request,
        contact: Option<&str>,
        hop: Hop,
        user: User,
    ) -> RequestId {
        let id = RequestId(self.number());
        if !self.config.user_agent.is_empty() {
            request.headers.set(HeaderName::UserAgent, self.config.user_agent.as_str());
        }
        let contact = contact.map(str::to_owned);
        let direct = matches!(hop, Hop::Flow(_));
        let request = Box::new(request);
        self.outbound.insert(id, Outbound { request, contact, user, direct, stage: Stage::Locating });
        match hop {
            Hop::Flow(flow) => self.attempt(id, VecDeque::from([flow]), Failure::Unreachable),
            Hop::Uri(uri) => self.locate(id, &uri),
        }
        id
    }

    /// The answer to [`Output::Resolve`].
    pub(super) fn resolved(&mut self, id: u64, addrs: &[(TransportKind, SocketAddr)]) {
        let id = RequestId(id);
        if !matches!(self.outbound.get(&id), Some(Outbound { stage: Stage::Locating, .. })) {
            self.count("sip_resolved_too_late");
            return;
        }
        let flows = addrs
            .iter()
            .filter_map(|(transport, remote)| self.flow_to(*transport, *remote))
            .take(CANDIDATES_MAX)
            .collect();
        let failure = if addrs.is_empty() { Failure::Unresolved } else { Failure::Unreachable };
        self.attempt(id, flows, failure);
    }

    /// The request as sent, without Via and Contact.
    pub(crate) fn request(&self, id: RequestId) -> Option<&Request> {
        self.outbound.get(&id).map(|outbound| &*outbound.request)
    }

    /// The flow a request was last sent over.
    pub(crate) fn flow_of(&self, id: RequestId) -> Option<Flow> {
        match self.outbound.get(&id)?.stage {
            Stage::Sent { flow, .. } => Some(flow),
            Stage::Locating => None,
        }
    }

    /// The flow a request was given to go over, if it was.
    pub(crate) fn direct_flow(&self, id: RequestId) -> Option<Flow> {
        self.flow_of(id).filter(|_| self.outbound.get(&id).is_some_and(|outbound| outbound.direct))
    }

    /// Sends a challenged request again, with credentials, the CSeq `number`, and to where the challenge came from
    /// (RFC 3261 §22.2).
    pub(crate) fn retry(
        &mut self,
        id: RequestId,
        number: u32,
        digest: &mut DigestClient,
    ) -> Option<RequestId> {
        let flow = self.flow_of(id)?;
        let outbound = self.outbound.get(&id)?;
        let (mut request, contact, user) =
            ((*outbound.request).clone(), outbound.contact.clone(), outbound.user.clone());
        request.headers.set(HeaderName::CSeq, CSeq { number, method: request.method.clone() });
        digest.authorize(&mut request, &mut self.rng);
        let direct = outbound.direct;
        let again = self.dispatch(request, contact.as_deref(), Hop::Flow(flow), user);
        if let Some(outbound) = self.outbound.get_mut(&again) {
            outbound.direct = direct;
        }
        Some(again)
    }

    /// Gives up an INVITE that has had a provisional response, or has not left yet (RFC 3261 §9.1).
    pub(crate) fn cancel(&mut self, id: RequestId) -> Cancelled {
        let Some(Stage::Sent { client, flow, left }) =
            self.outbound.get_mut(&id).map(|outbound| &mut outbound.stage)
        else {
            self.outbound.remove(&id);
            self.locating.set(id, None);
            return Cancelled::Unsent;
        };
        left.clear();
        let (client, flow) = (*client, *flow);
        if let Some(cancel) = self.layer.invite(client).map(cancel_of) {
            let id = RequestId(self.number());
            // Without room nobody is told: the INVITE's own end comes by its timers.
            if self.layer.send(cancel, flow, id, self.now.mono).is_err() {
                self.count("sip_cancels_without_room");
            }
        }
        Cancelled::Sent
    }

    /// Whether the request is still being located.
    pub(crate) fn is_unsent(&self, id: RequestId) -> bool {
        matches!(self.outbound.get(&id), None | Some(Outbound { stage: Stage::Locating, .. }))
    }

    /// Forgets a request: nobody waits for it any more.
    pub(crate) fn abandon(&mut self, id: RequestId) {
        self.locating.set(id, None);
        if let Some(Outbound { stage: Stage::Sent { client, .. }, .. }) = self.outbound.remove(&id) {
            self.layer.forget(client);
        }
    }

    /// Who is to see a response; `None` when the next address is tried instead (RFC 3263 §4.3).
    pub(super) fn answered(&mut self, id: RequestId, response: &Response) -> Option<User> {
        let outbound = self.outbound.get_mut(&id)?;
        if let (503, Stage::Sent { left, .. }) = (response.code, &mut outbound.stage)
            && !left.is_empty()
        {
            let left = std::mem::take(left);
            self.attempt(id, left, Failure::Unreachable);
            return None;
        }
        Some(outbound.user.clone())
    }

    /// What the transaction layer says about a request of ours.
    pub(super) fn on_client_news(&mut self, id: RequestId, which: ClientId, news: ClientNews) {
        let stage = self.outbound.get_mut(&id).map(|outbound| &mut outbound.stage);
        let Some(Stage::Sent { client, left, .. }) = stage else { return };
        // News of an address that is no longer being tried.
        if *client != which {
            return;
        }
        let failure = match news {
            ClientNews::NoAnswer => Failure::NoAnswer,
            ClientNews::Unreachable => Failure::Unreachable,
            ClientNews::Gone => {
                self.outbound.remove(&id);
                return;
            }
        };
        let left = std::mem::take(left);
        self.attempt(id, left, failure);
    }

    /// Gives up on names that are not resolved in time.
    pub(super) fn give_up_locating(&mut self) {
        while let Some(id) = self.locating.pop(self.now.mono) {
            self.count("sip_names_without_answer");
            self.attempt(id, VecDeque::new(), Failure::Unresolved);
        }
    }

    /// Finds out where a URI leads (RFC 3263 §4).
    fn locate(&mut self, id: RequestId, uri: &Uri) {
        let Some(transport) = transport_of(uri) else {
            self.count("sip_requests_to_no_sip_uri");
            self.attempt(id, VecDeque::new(), Failure::Unreachable);
            return;
        };
        match (&uri.host, uri.host.ip()) {
            (_, Some(ip)) => {
                let remote = SocketAddr::new(ip, uri.port.unwrap_or(transport.default_port()));
                let flows = self.flow_to(transport, remote).into_iter().collect();
                self.attempt(id, flows, Failure::Unreachable);
            }
            (Host::Name(host), None) => {
                let host = host.clone();
                self.locating.set(id, Some(self.now.mono + LOCATING_TIME));
                self.push(Output::Resolve { id: id.0, host, port: uri.port, transport });
            }
            (Host::V4(_) | Host::V6(_), None) => unreachable!("an address has an address"),
        }
    }

    fn flow_to(&self, transport: TransportKind, remote: SocketAddr) -> Option<Flow> {
        Some(Flow { transport, local: self.local(transport, remote.ip())?, remote })
    }

    /// Sends to the first of `flows`; with none left, tells the user.
    fn attempt(&mut self, id: RequestId, mut flows: VecDeque<Flow>, failure: Failure) {
        self.locating.set(id, None);
        let Some(outbound) = self.outbound.get(&id) else { return };
        let Some(flow) = flows.pop_front() else {
            let user = outbound.user.clone();
            self.failures.push_back((user, id, failure));
            self.outbound.remove(&id);
            return;
        };
        let (mut request, contact) = ((*outbound.request).clone(), outbound.contact.clone());
        let via = Via::new(flow.transport.via(), self.advertised(flow), &self.branch());
        request.headers.push_front(HeaderName::Via, via);
        if let Some(contact) = contact {
            let mut contact = self.contact(flow, &contact);
            if recording::is_begun_by(&request) {
                contact.params.set(recording::SOURCE, None);
            }
            request.headers.push(HeaderName::Contact, contact);
        }
        // The ACK of a 2xx is no transaction (RFC 3261 §13.2.2.4).
        if request.method == Method::Ack {
            self.outbound.remove(&id);
            self.push(Output::Transmit { flow, bytes: Message::Request(request).encode() });
            return;
        }
        match self.layer.send(request, flow, id, self.now.mono) {
            Ok(client) => {
                if let Some(outbound) = self.outbound.get_mut(&id) {
                    outbound.stage = Stage::Sent { client, flow, left: flows };
                }
            }
            Err(_) => {
                self.count("sip_requests_without_room");
                self.attempt(id, VecDeque::new(), failure);
            }
        }
    }
}

/// The transport a URI asks for: its parameter, TLS for `sips:`, UDP otherwise (RFC 3263 §4.1 without NAPTR, which is
/// the shell's when it resolves). `None`: no SIP URI, or a transport we do not have.
fn transport_of(uri: &Uri) -> Option<TransportKind> {
    let named = match uri.params.get("transport") {
        Some(name) => Some(name.parse::<TransportKind>().ok()?),
        None => None,
    };
    match (&uri.scheme, named) {
        (Scheme::Sip, named) => Some(named.unwrap_or(TransportKind::Udp)),
        (Scheme::Sips, Some(TransportKind::Ws | TransportKind::Wss)) => Some(TransportKind::Wss),
        (Scheme::Sips, _) => Some(TransportKind::Tls),
        (Scheme::Tel | Scheme::Other(_), _) => None,
    }
}
