//! The running transactions: finds the one a message belongs to, performs what its machine says (RFC 3261 §17).
//!
//! In go messages, from the network and from the transaction users, and time; out come bytes to send and
//! [`Indication`]s. It never looks into a message beyond what matching needs, and knows no dialogs. `C` names the
//! user of a client transaction, `S` that of a server transaction.

use std::collections::VecDeque;

use base::{Mono, Reason};
use serde::{Deserialize, Serialize};

use super::clients::{ClientId, ClientNews, Clients, Received};
use super::servers::{ServerId, Servers, Sighting};
use crate::{Flow, Request, Response};

/// Bytes to send, in order.
pub(super) type Outbox = VecDeque<(Flow, Vec<u8>)>;

/// What the users are told besides messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Indication<C, S> {
    /// About a request of ours.
    Client(C, ClientId, ClientNews),
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
    clients: Clients<C>,
    servers: Servers<S>,
    out: Outbox,
}

impl<C: Clone, S: Clone> Layer<C, S> {
    /// None running.
    pub fn new(limits: LayerLimits) -> Self {
        Self { limits, clients: Clients::new(), servers: Servers::new(), out: Outbox::new() }
    }

    /// Takes new maxima; what runs goes on.
    pub fn set_limits(&mut self, limits: LayerLimits) {
        self.limits = limits;
    }

    /// Sends `request`, which has its top Via with a fresh branch, and repeats it as its machine says. ACK to a 2xx
    /// is no transaction and does not come here.
    pub fn send(&mut self, request: Request, flow: Flow, user: C, now: Mono) -> Result<ClientId, Full> {
        self.clients.send(request, flow, user, self.limits.clients_max, &mut self.out, now)
    }

    /// The INVITE of a running transaction.
    pub fn invite(&self, id: ClientId) -> Option<&Request> {
        self.clients.invite(id)
    }

    /// Ends a client transaction whose user has given up.
    pub fn forget(&mut self, id: ClientId) {
        self.clients.forget(id);
    }

    /// Takes a response.
    pub fn receive(&mut self, response: &Response, now: Mono) -> Received<C> {
        self.clients.receive(response, &mut self.out, now)
    }

    /// Looks at a received request, and deals with it if it is a repeated one or the ACK of a refusal.
    pub fn sight(&mut self, request: &Request, now: Mono) -> Sighting {
        self.servers.sight(request, &mut self.out, now)
    }

    /// Makes the server transaction of a new request other than ACK; for INVITE sends 100.
    pub fn open(&mut self, request: &Request, flow: Flow, now: Mono) -> Result<ServerId, Full> {
        self.servers.open(request, flow, self.limits.servers_max, &mut self.out, now)
    }

    /// Names the user of a server transaction, to whom its troubles are told.
    pub fn belongs_to(&mut self, id: ServerId, user: S) {
        self.servers.belongs_to(id, user);
    }

    /// The user of the INVITE that `cancel` gives up, with its transaction (§9.2). `None`: 481.
    pub fn cancelled_by(&self, cancel: &Request) -> Option<(Option<S>, ServerId)> {
        self.servers.cancelled_by(cancel)
    }

    /// Sends a response. Ignored when the transaction is over or has its final response already.
    pub fn respond(&mut self, id: ServerId, response: &Response, now: Mono) {
        self.servers.respond(id, response, &mut self.out, now);
    }

    /// Nothing can be sent over `flow`, or it is closed.
    pub fn transport_error(&mut self, flow: Flow, now: Mono) {
        self.clients.transport_error(flow, &mut self.out, now);
        self.servers.transport_error(flow, &mut self.out, now);
    }

    /// Fires the timers that are due.
    pub fn handle_timeout(&mut self, now: Mono) {
        self.clients.handle_timeout(&mut self.out, now);
        self.servers.handle_timeout(&mut self.out, now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, and which timer fires.
    pub fn poll_timeout(&self) -> Option<(Mono, Reason)> {
        [self.clients.poll_timeout(), self.servers.poll_timeout()].into_iter().flatten().min()
    }

    /// Bytes to send.
    pub fn poll_transmit(&mut self) -> Option<(Flow, Vec<u8>)> {
        self.out.pop_front()
    }

    /// News.
    pub fn poll_indication(&mut self) -> Option<Indication<C, S>> {
        if let Some((user, id, news)) = self.clients.poll_news() {
            return Some(Indication::Client(user, id, news));
        }
        self.servers.poll_unanswerable().map(|(user, id)| Indication::Unanswerable(user, id))
    }

    /// How many transactions are running, client and server.
    pub fn len(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    /// Whether none are running.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Decoded, HeaderName, Message, TransportKind, decode};

    const LIMITS: LayerLimits = LayerLimits { clients_max: 4, servers_max: 4 };

    struct Bench {
        layer: Layer<&'static str, &'static str>,
        now: Mono,
        flow: Flow,
    }

    impl Bench {
        fn new(transport: TransportKind) -> Self {
            let address = |text: &str| text.parse().unwrap();
            let flow =
                Flow { transport, local: address("192.0.2.1:5060"), remote: address("192.0.2.2:5060") };
            Self { layer: Layer::new(LIMITS), now: Mono(0), flow }
        }

        /// Milliseconds since the start at which something is sent, until nothing is left to happen.
        fn sendings(&mut self) -> Vec<u64> {
            let mut times = Vec::new();
            loop {
                while self.layer.poll_transmit().is_some() {
                    times.push(self.now.0 / 1_000_000);
                }
                let Some((at, _)) = self.layer.poll_timeout() else { return times };
                self.now = self.now.max(at);
                self.layer.handle_timeout(self.now);
            }
        }

        fn sent(&mut self) -> String {
            let (_, bytes) = self.layer.poll_transmit().expect("something is sent");
            String::from_utf8(bytes).unwrap()
        }

        fn news(&mut self) -> Vec<ClientNews> {
            let mut news = Vec::new();
            while let Some(indication) = self.layer.poll_indication() {
                match indication {
                    Indication::Client("user", _, what) => news.push(what),
                    other => panic!("{other:?}"),
                }
            }
            news
        }
    }

    fn request(method: &str, branch: &str) -> Request {
        let text = format!(
            "{method} sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{branch};rport\r\n\
             Route: <sip:p;lr>\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: c\r\n\
             CSeq: 7 {method}\r\nMax-Forwards: 70\r\n\r\n"
        );
        match decode(text.as_bytes()) {
            Decoded::Message(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn unanswered_requests_are_repeated_until_their_time_is_up() {
        for (method, transport, times) in [
            ("INVITE", TransportKind::Udp, &[0, 500, 1_500, 3_500, 7_500, 15_500, 31_500][..]),
            (
                "OPTIONS",
                TransportKind::Udp,
                &[0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500],
            ),
            ("INVITE", TransportKind::Tcp, &[0]),
            ("OPTIONS", TransportKind::Tcp, &[0]),
        ] {
            let mut bench = Bench::new(transport);
            bench.layer.send(request(method, "x"), bench.flow, "user", bench.now).unwrap();
            assert_eq!(bench.sendings(), times, "{method} over {transport}");
            assert_eq!(bench.now, Mono(32_000_000_000));
            assert_eq!(bench.news(), [ClientNews::NoAnswer, ClientNews::Gone]);
            assert!(bench.layer.is_empty());
        }
    }

    #[test]
    fn refusals_of_invite_are_repeated_until_acknowledged() {
        for (transport, times) in [
            (
                TransportKind::Udp,
                &[0, 0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500][..],
            ),
            (TransportKind::Tcp, &[0, 0]),
        ] {
            let mut bench = Bench::new(transport);
            let invite = request("INVITE", "x");
            let id = bench.layer.open(&invite, bench.flow, bench.now).unwrap();
            bench.layer.belongs_to(id, "user");
            bench.layer.respond(id, &invite.response(486, None), bench.now);
            assert_eq!(bench.sendings(), times, "{transport}");
            assert_eq!(bench.layer.poll_indication(), Some(Indication::Unanswerable("user", id)));

            let id = bench.layer.open(&invite, bench.flow, bench.now).unwrap();
            bench.layer.respond(id, &invite.response(486, None), bench.now);
            assert_eq!(bench.layer.sight(&request("ACK", "x"), bench.now), Sighting::Absorbed);
            assert_eq!(bench.sendings().len(), 2);
            assert_eq!(bench.layer.poll_indication(), None);
        }
    }

    #[test]
    fn a_refusal_is_acknowledged_on_the_invites_own_branch_each_time() {
        let mut bench = Bench::new(TransportKind::Udp);
        let invite = request("INVITE", "x");
        let id = bench.layer.send(invite.clone(), bench.flow, "user", bench.now).unwrap();
        bench.sent();
        let mut busy = invite.response(486, None);
        busy.headers.set(HeaderName::To, "<sip:b@example.com>;tag=2");
        assert_eq!(bench.layer.receive(&busy, bench.now), Received::Deliver("user", id));
        let ack = bench.sent();
        for line in [
            "ACK sip:b@example.com SIP/2.0\r\n",
            "Via: SIP/2.0/UDP h;branch=z9hG4bKx;rport\r\n",
            "Route: <sip:p;lr>\r\n",
            "To: <sip:b@example.com>;tag=2\r\n",
            "CSeq: 7 ACK\r\n",
        ] {
            assert!(ack.contains(line), "{line} in {ack}");
        }
        assert_eq!(bench.layer.receive(&busy, bench.now), Received::Absorbed);
        assert_eq!(bench.sent(), ack);
        bench.sendings();
        assert_eq!(
            (bench.now, bench.layer.receive(&busy, bench.now)),
            (Mono(32_000_000_000), Received::Stray)
        );
    }

    #[test]
    fn each_success_of_an_invite_reaches_its_user_for_a_while() {
        let mut bench = Bench::new(TransportKind::Tcp);
        let invite = request("INVITE", "x");
        let id = bench.layer.send(invite.clone(), bench.flow, "user", bench.now).unwrap();
        let ok = invite.response(200, None);
        for _ in 0..2 {
            assert_eq!(bench.layer.receive(&ok, bench.now), Received::Deliver("user", id));
        }
        assert_eq!(bench.news(), []);
        bench.sendings();
        assert_eq!((bench.now, bench.news()), (Mono(32_000_000_000), vec![ClientNews::Gone]));
    }

    #[test]
    fn a_repeated_request_gets_the_same_answer_again() {
        let mut bench = Bench::new(TransportKind::Udp);
        let info = request("INFO", "x");
        let id = bench.layer.open(&info, bench.flow, bench.now).unwrap();
        assert_eq!(bench.layer.sight(&info, bench.now), Sighting::Absorbed);
        assert!(bench.layer.poll_transmit().is_none());
        bench.layer.respond(id, &info.response(200, None), bench.now);
        let answer = bench.sent();
        bench.layer.respond(id, &info.response(404, None), bench.now);
        assert_eq!(bench.layer.sight(&info, bench.now), Sighting::Absorbed);
        assert_eq!(bench.sent(), answer);
        assert_eq!(
            bench.layer.poll_timeout(),
            Some((bench.now + Duration::from_secs(32), Reason("timer J")))
        );
    }

    #[test]
    fn over_a_reliable_transport_an_answered_request_is_forgotten_at_once() {
        let mut bench = Bench::new(TransportKind::Tls);
        let info = request("INFO", "x");
        let id = bench.layer.open(&info, bench.flow, bench.now).unwrap();
        bench.layer.respond(id, &info.response(200, None), bench.now);
        let id = bench.layer.send(request("OPTIONS", "y"), bench.flow, "user", bench.now).unwrap();
        let response = request("OPTIONS", "y").response(200, None);
        assert_eq!(bench.layer.receive(&response, bench.now), Received::Deliver("user", id));
        assert!(bench.layer.is_empty());
        assert_eq!(bench.layer.poll_timeout(), None);
    }

    #[test]
    fn an_answer_of_another_method_or_branch_is_a_stray() {
        let mut bench = Bench::new(TransportKind::Udp);
        bench.layer.send(request("INVITE", "x"), bench.flow, "user", bench.now).unwrap();
        for (method, branch) in [("CANCEL", "x"), ("INVITE", "y")] {
            let response = request(method, branch).response(200, None);
            assert_eq!(bench.layer.receive(&response, bench.now), Received::Stray);
        }
    }

    #[test]
    fn a_cancel_finds_its_invite() {
        let mut bench = Bench::new(TransportKind::Udp);
        let id = bench.layer.open(&request("INVITE", "x"), bench.flow, bench.now).unwrap();
        bench.layer.belongs_to(id, "user");
        assert_eq!(bench.layer.sight(&request("CANCEL", "x"), bench.now), Sighting::New);
        assert_eq!(bench.layer.cancelled_by(&request("CANCEL", "x")), Some((Some("user"), id)));
        assert_eq!(bench.layer.cancelled_by(&request("CANCEL", "y")), None);
    }

    #[test]
    fn a_request_along_two_ways_is_merged_until_the_first_is_answered() {
        let mut bench = Bench::new(TransportKind::Udp);
        let id = bench.layer.open(&request("INFO", "x"), bench.flow, bench.now).unwrap();
        assert_eq!(bench.layer.sight(&request("INFO", "y"), bench.now), Sighting::Merged);
        bench.layer.respond(id, &request("INFO", "x").response(401, None), bench.now);
        assert_eq!(bench.layer.sight(&request("INFO", "y"), bench.now), Sighting::New);
    }

    #[test]
    fn a_broken_connection_is_news_to_those_who_wait_on_it() {
        let mut bench = Bench::new(TransportKind::Tcp);
        bench.layer.send(request("INVITE", "x"), bench.flow, "user", bench.now).unwrap();
        let id = bench.layer.open(&request("INVITE", "y"), bench.flow, bench.now).unwrap();
        bench.layer.belongs_to(id, "caller");
        bench
            .layer
            .transport_error(Flow { remote: "192.0.2.9:5060".parse().unwrap(), ..bench.flow }, bench.now);
        assert_eq!(bench.layer.poll_indication(), None);
        bench.layer.transport_error(bench.flow, bench.now);
        assert!(matches!(
            bench.layer.poll_indication(),
            Some(Indication::Client("user", _, ClientNews::Unreachable))
        ));
        assert!(matches!(
            bench.layer.poll_indication(),
            Some(Indication::Client("user", _, ClientNews::Gone))
        ));
        assert_eq!(bench.layer.poll_indication(), Some(Indication::Unanswerable("caller", id)));
        assert!(bench.layer.is_empty());
    }

    #[test]
    fn there_is_a_limit_to_each_kind() {
        let mut bench = Bench::new(TransportKind::Udp);
        for n in 0..LIMITS.servers_max {
            bench.layer.open(&request("INFO", &format!("s{n}")), bench.flow, bench.now).unwrap();
            bench.layer.send(request("INFO", &format!("c{n}")), bench.flow, "user", bench.now).unwrap();
        }
        assert_eq!(bench.layer.open(&request("INFO", "s"), bench.flow, bench.now), Err(Full));
        assert_eq!(bench.layer.send(request("INFO", "c"), bench.flow, "user", bench.now), Err(Full));
    }
}
