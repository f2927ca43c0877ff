//! One endpoint and a peer that says exactly what a test wants it to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use base::{Mono, Now, Rng, Timestamp};
use sip::{
    Command, Decoded, Destination, Endpoint, EndpointConfig, Event, Flow, HeaderName, Input, Message,
    Outgoing, Output, Request, Response, SessionId, TransportKind, decode,
};

use crate::wire::{SDP, config, trunk};

/// The endpoint at 192.0.2.1 and all it has put out.
pub struct Bench {
    pub endpoint: Endpoint,
    pub now: Now,
    pub flow: Flow,
    pub sent: VecDeque<(Flow, Message)>,
    pub events: VecDeque<Event>,
    pub resolves: VecDeque<(u64, String)>,
}

impl Bench {
    /// With a trunk at 192.0.2.2, from whose port 5060 everything seems to come.
    pub fn new(transport: TransportKind) -> Self {
        let mut config = config("192.0.2.1", transport);
        config.trunks.push(trunk("192.0.2.2", transport));
        Self::with(config)
    }

    pub fn with(config: EndpointConfig) -> Self {
        let now = Now { mono: Mono(1_000_000_000), wall: Timestamp(1_700_000_000_000_000) };
        let (transport, local) = config.listen[0];
        let remote = "192.0.2.2:5060".parse().unwrap();
        Self {
            endpoint: Endpoint::new(config, Rng::seeded(1), now),
            now,
            flow: Flow { transport, local, remote },
            sent: VecDeque::new(),
            events: VecDeque::new(),
            resolves: VecDeque::new(),
        }
    }

    pub fn input(&mut self, input: Input) {
        self.endpoint.handle(input, self.now);
        self.drain();
    }

    pub fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    /// The peer says this; line ends are put right.
    pub fn say(&mut self, text: &str) {
        let bytes = text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes();
        self.input(Input::Received { flow: self.flow, bytes });
    }

    pub fn hear(&mut self, message: impl Into<Message>) {
        self.input(Input::Received { flow: self.flow, bytes: message.into().encode() });
    }

    /// Lets time pass, timers firing on the way.
    pub fn wait(&mut self, time: Duration) {
        let until = self.now.mono + time;
        while let Some((at, _)) = self.endpoint.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = self.now + at.since(self.now.mono);
            self.endpoint.handle_timeout(self.now);
            self.drain();
        }
        self.now = self.now + until.since(self.now.mono);
    }

    /// The next message it has sent must be a request of this method.
    pub fn request(&mut self, method: &str) -> Request {
        match self.sent.pop_front() {
            Some((_, Message::Request(request))) if request.method.as_str() == method => request,
            other => panic!("expected {method}, not {other:?}"),
        }
    }

    /// The next message it has sent must be a response with this code.
    pub fn response(&mut self, code: u16) -> Response {
        match self.sent.pop_front() {
            Some((_, Message::Response(response))) if response.code == code => response,
            other => panic!("expected {code}, not {other:?}"),
        }
    }

    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Nothing more has been sent or told.
    pub fn assert_quiet(&self) {
        assert!(self.sent.is_empty(), "{:?}", self.sent);
        assert!(self.events.is_empty(), "{:?}", self.events);
    }

    /// It calls its trunk; the INVITE.
    pub fn call(&mut self, session: u64) -> Request {
        self.invite(session, Destination::Trunk { trunk: "other".into(), user: "bob".into() });
        self.request("INVITE")
    }

    pub fn invite(&mut self, session: u64, to: Destination) {
        let outgoing = Outgoing {
            session: SessionId(session),
            to,
            from: "<sip:alice@office>".parse().unwrap(),
            to_header: None,
            headers: Vec::new(),
            body: Some(SDP.to_vec()),
            recording: None,
            credentials: Some(("alice".into(), "secret".into())),
        };
        self.command(Command::Invite(Box::new(outgoing)));
    }

    /// The trunk calls, the call is answered and acknowledged: the session, and the 200 that made its dialog.
    pub fn answered(&mut self) -> (SessionId, Response) {
        self.say(INVITE);
        let session = match self.event() {
            Some(Event::Incoming { session, .. }) => session,
            other => panic!("{other:?}"),
        };
        self.command(Command::Answer { session, body: SDP.to_vec() });
        self.response(100);
        let answer = self.response(200);
        self.say(&in_dialog("ACK", 1, &answer, "", ""));
        assert!(matches!(self.event(), Some(Event::Acked { .. })));
        (session, answer)
    }

    fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Transmit { flow, bytes } => match decode(&bytes) {
                    Decoded::Message(message) => self.sent.push_back((flow, message)),
                    // The refusal of a message with a malformed header has that header too.
                    _ if bytes.starts_with(b"SIP/2.0 4") || bytes.starts_with(b"SIP/2.0 5") => {}
                    other => panic!("{other:?}: {}", String::from_utf8_lossy(&bytes)),
                },
                Output::Event(event) => self.events.push_back(event),
                Output::Resolve { id, host, .. } => self.resolves.push_back((id, host)),
            }
        }
    }
}

/// An INVITE of the trunk's with an offer.
pub const INVITE: &str = "INVITE sip:100@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKi1;rport\n\
     Max-Forwards: 70\nFrom: <sip:carol@192.0.2.2>;tag=ct\nTo: <sip:100@192.0.2.1>\nCall-ID: call-1\n\
     CSeq: 1 INVITE\nContact: <sip:carol@192.0.2.2:5060>\nContent-Type: application/sdp\n\
     Content-Length: 14\n\nv=0\ns=offer\n";

/// A request of the trunk's in the dialog that `answer` made; `more` are whole header lines.
pub fn in_dialog(method: &str, seq: u32, answer: &Response, more: &str, body: &str) -> String {
    let to = answer.headers.text(&HeaderName::To).unwrap().into_owned();
    let body = body.replace('\n', "\r\n");
    format!(
        "{method} sip:100@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK{method}{seq};rport\n\
         Max-Forwards: 70\nFrom: <sip:carol@192.0.2.2>;tag=ct\nTo: {to}\nCall-ID: call-1\nCSeq: {seq} {method}\n\
         {more}Content-Length: {}\n\n{body}",
        body.len()
    )
}

/// The peer's answer to a request of ours, with this To tag and these header lines.
pub fn reply(
    request: &Request,
    code: u16,
    tag: &str,
    headers: &[(HeaderName, &str)],
    body: &[u8],
) -> Response {
    let mut response = request.response(code, None);
    let to = response.headers.to().unwrap();
    if !tag.is_empty() && to.tag().is_none() {
        response.headers.set(HeaderName::To, to.with_tag(tag));
    }
    for (name, value) in headers {
        response.headers.push(name.clone(), *value);
    }
    if !body.is_empty() {
        response.headers.push(HeaderName::ContentType, "application/sdp");
        response.body = body.to_vec();
    }
    response
}

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}
