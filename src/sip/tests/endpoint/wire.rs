//! A wire with its own clock between endpoints. It may lose, repeat and delay datagrams, all from one seed.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use base::{Mono, Now, Rng, Timestamp};
use sip::{
    Command, Decoded, Destination, Endpoint, EndpointConfig, Event, Flow, Host, Input, Message, NameAddr,
    Outgoing, Output, SessionId, TransportKind, TrunkConfig, Uri, UserCredentials, decode,
};

pub const SDP: &[u8] = b"v=0\r\ns=offer\r\n";
pub const SDP_ANSWER: &[u8] = b"v=0\r\ns=answer\r\n";

/// One endpoint, its address, and what its owner has been told.
pub struct End {
    pub endpoint: Endpoint,
    pub address: SocketAddr,
    pub events: VecDeque<Event>,
}

/// What the wire does to datagrams.
#[derive(Clone, Copy)]
pub struct Faults {
    pub loss: f64,
    pub repetition: f64,
    /// Longest delay, milliseconds; different delays reorder.
    pub delay_ms: u64,
}

pub const CALM: Faults = Faults { loss: 0.0, repetition: 0.0, delay_ms: 1 };

type Filter = Box<dyn FnMut(usize, &Message) -> bool>;

pub struct Wire {
    pub now: Now,
    pub ends: Vec<End>,
    pub faults: Faults,
    pub rng: Rng,
    /// Every message that was put on the wire: by whom, and what.
    pub sent: Vec<(usize, Message)>,
    /// Host names, for Resolve.
    pub names: BTreeMap<String, Vec<(TransportKind, SocketAddr)>>,
    /// False: this message is lost.
    pub filter: Filter,
    /// Addresses where nobody is: SendFailed.
    pub unreachable: Vec<SocketAddr>,
    queue: BTreeMap<(Mono, u64), (Flow, Vec<u8>)>,
    next: u64,
}

impl Wire {
    pub fn new(seed: u64) -> Self {
        Self {
            now: Now { mono: Mono(1_000_000_000), wall: Timestamp(1_700_000_000_000_000) },
            ends: Vec::new(),
            faults: CALM,
            rng: Rng::seeded(seed),
            sent: Vec::new(),
            names: BTreeMap::new(),
            filter: Box::new(|_, _| true),
            unreachable: Vec::new(),
            queue: BTreeMap::new(),
            next: 0,
        }
    }

    /// Two boxes that are each other's trunk, `0` at 192.0.2.1 and `1` at 192.0.2.2.
    pub fn pair(seed: u64, transport: TransportKind) -> Self {
        let mut wire = Self::new(seed);
        for (own, other) in [("192.0.2.1", "192.0.2.2"), ("192.0.2.2", "192.0.2.1")] {
            let mut config = config(own, transport);
            config.trunks.push(trunk(other, transport));
            wire.add(config);
        }
        wire
    }

    pub fn add(&mut self, config: EndpointConfig) -> usize {
        let address = config.listen[0].1;
        let rng = self.rng.fork();
        self.ends.push(End {
            endpoint: Endpoint::new(config, rng, self.now),
            address,
            events: VecDeque::new(),
        });
        self.ends.len() - 1
    }

    /// Gives an endpoint a command.
    pub fn command(&mut self, end: usize, command: Command) {
        self.input(end, Input::Command(command));
    }

    pub fn input(&mut self, end: usize, input: Input) {
        self.ends[end].endpoint.handle(input, self.now);
        self.drain(end);
    }

    /// `end` calls the trunk it has.
    pub fn call(&mut self, end: usize, session: u64, body: Option<&[u8]>) -> SessionId {
        let outgoing = Outgoing {
            session: SessionId(session),
            to: Destination::Trunk { trunk: "other".into(), user: "+15550001111".into() },
            from: "Alice <sip:alice@example.com>".parse::<NameAddr>().unwrap(),
            to_header: None,
            headers: Vec::new(),
            body: body.map(<[u8]>::to_vec),
            recording: None,
            credentials: None,
        };
        self.command(end, Command::Invite(Box::new(outgoing)));
        SessionId(session)
    }

    /// Lets the next thing happen, if it is due by `until`.
    pub fn step(&mut self, until: Mono) -> bool {
        let arrival = self.queue.keys().next().map(|(at, _)| *at);
        let timeout = (0..self.ends.len())
            .filter_map(|end| self.ends[end].endpoint.poll_timeout().map(|(at, _)| (at, end)))
            .min();
        let at = [arrival, timeout.map(|(at, _)| at)].into_iter().flatten().min();
        let Some(at) = at.filter(|at| *at <= until) else { return false };
        if at > self.now.mono {
            self.now = self.now + at.since(self.now.mono);
        }
        if arrival == Some(at) {
            let (_, (flow, bytes)) = self.queue.pop_first().unwrap();
            match (0..self.ends.len()).find(|end| self.ends[*end].address == flow.remote) {
                Some(end) => {
                    let back = Flow { local: flow.remote, remote: flow.local, ..flow };
                    self.input(end, Input::Received { flow: back, bytes });
                }
                None => {
                    let end = (0..self.ends.len()).find(|end| self.ends[*end].address == flow.local).unwrap();
                    if self.unreachable.contains(&flow.remote) {
                        self.input(end, Input::SendFailed { flow });
                    }
                }
            }
        } else if let Some((_, end)) = timeout {
            self.ends[end].endpoint.handle_timeout(self.now);
            self.drain(end);
        }
        true
    }

    /// Lets this much time pass.
    pub fn run(&mut self, time: Duration) {
        let until = self.now.mono + time;
        while self.step(until) {}
        self.now = self.now + until.since(self.now.mono);
    }

    pub fn run_ms(&mut self, ms: u64) {
        self.run(Duration::from_millis(ms));
    }

    /// Lets all happen that is going to.
    pub fn run_out(&mut self) {
        for _ in 0..1_000_000 {
            if !self.step(Mono(u64::MAX)) {
                return;
            }
        }
        panic!("the endpoints never come to rest");
    }

    /// The next event of an end's owner.
    pub fn event(&mut self, end: usize) -> Option<Event> {
        self.ends[end].events.pop_front()
    }

    /// Nothing is left over anywhere.
    pub fn assert_at_rest(&mut self) {
        self.run_out();
        for (n, end) in self.ends.iter_mut().enumerate() {
            assert_eq!(end.endpoint.open_sessions(), 0, "sessions of {n}");
            assert_eq!(end.endpoint.open_transactions(), 0, "transactions of {n}");
            assert_eq!(end.endpoint.poll_timeout(), None, "timers of {n}");
            assert!(end.events.is_empty(), "events of {n}: {:?}", end.events);
        }
    }

    /// The requests of this method an end has sent, repetitions included.
    pub fn requests(&self, end: usize, method: &str) -> Vec<&sip::Request> {
        self.sent
            .iter()
            .filter_map(|(by, message)| match message {
                Message::Request(request) if *by == end && request.method.as_str() == method => Some(request),
                Message::Request(_) | Message::Response(_) => None,
            })
            .collect()
    }

    /// The codes of the responses an end has sent to this method, repetitions included.
    pub fn codes(&self, end: usize, method: &str) -> Vec<u16> {
        self.sent
            .iter()
            .filter_map(|(by, message)| match message {
                Message::Response(response)
                    if *by == end && response.headers.cseq().unwrap().method.as_str() == method =>
                {
                    Some(response.code)
                }
                Message::Request(_) | Message::Response(_) => None,
            })
            .collect()
    }

    fn drain(&mut self, end: usize) {
        while let Some(output) = self.ends[end].endpoint.poll_output() {
            match output {
                Output::Transmit { flow, bytes } => self.transmit(end, flow, bytes),
                Output::Event(event) => self.ends[end].events.push_back(event),
                Output::Resolve { id, host, .. } => {
                    let addrs = self.names.get(&host).cloned().unwrap_or_default();
                    self.ends[end].endpoint.handle(Input::Resolved { id, addrs }, self.now);
                }
            }
        }
    }

    fn transmit(&mut self, end: usize, flow: Flow, bytes: Vec<u8>) {
        let Decoded::Message(message) = decode(&bytes) else {
            panic!("not a message: {}", String::from_utf8_lossy(&bytes))
        };
        let kept = (self.filter)(end, &message);
        self.sent.push((end, message));
        if !kept {
            return;
        }
        let lossy = flow.transport == TransportKind::Udp;
        if lossy && self.rng.chance(self.faults.loss) {
            return;
        }
        let copies = if lossy && self.rng.chance(self.faults.repetition) { 2 } else { 1 };
        for _ in 0..copies {
            let delay = if lossy { 1 + self.rng.below(self.faults.delay_ms) } else { 1 };
            self.next += 1;
            let at = self.now.mono + Duration::from_millis(delay);
            self.queue.insert((at, self.next), (flow, bytes.clone()));
        }
    }
}

/// A box at this address, without trunks and users.
pub fn config(ip: &str, transport: TransportKind) -> EndpointConfig {
    EndpointConfig {
        realm: "office".into(),
        user_agent: "Tandem".into(),
        listen: vec![(transport, SocketAddr::new(ip.parse().unwrap(), 5060))],
        ..EndpointConfig::default()
    }
}

/// A trunk at this address, named `other`.
pub fn trunk(ip: &str, transport: TransportKind) -> TrunkConfig {
    let mut address = Uri::sip("", Host::V4(ip.parse().unwrap()), Some(5060));
    if transport != TransportKind::Udp {
        address.params.set("transport", Some(transport.as_str()));
    }
    TrunkConfig {
        name: "other".into(),
        address,
        accept_from: vec![ip.parse().unwrap()],
        username: None,
        password: None,
        register: false,
    }
}

/// Gives a box this user.
pub fn user(config: &mut EndpointConfig, name: &str, password: &str) {
    let credentials = UserCredentials::from_password(name, &config.realm, password);
    config.users.insert(name.into(), credentials);
}

/// The next event must be of this shape.
#[macro_export]
macro_rules! expect {
    ($wire:expr, $end:expr, $pattern:pat => $value:expr) => {
        match $wire.event($end) {
            Some($pattern) => $value,
            other => panic!("expected {}, not {other:?}", stringify!($pattern)),
        }
    };
    ($wire:expr, $end:expr, $pattern:pat) => {
        expect!($wire, $end, $pattern => ())
    };
}
