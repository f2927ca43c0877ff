//! A phone or a carrier: a real SIP endpoint with a scripted person behind it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use base::{Now, Rng};
use media::sdp::{SrtpWish, Wishes};
use media::{CodecKind, Direction, Negotiated};
use sip::{
    Caller, Command, Destination, Endpoint, EndpointConfig, Event, HeaderName, Headers, Host, NameAddr,
    Outgoing, Request, SessionId, TransportKind, TrunkConfig, Uri,
};

/// Which user agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UaId(pub usize);

/// What the person does when it rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Answers after so long.
    Answer(Duration),
    /// Refuses at once with this code.
    Refuse(u16),
    /// Sends sound of its own at once (183 with SDP), and answers after so long.
    Early(Duration),
    /// Lets it ring.
    Ignore,
}

/// Where a call of a user agent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UaState {
    /// Our INVITE has no final answer.
    Calling,
    /// It rings here.
    Ringing,
    /// Answered.
    Up,
    /// Over; the final code of its INVITE.
    Over(u16),
}

/// One call as the user agent sees it.
#[derive(Clone, Debug)]
pub struct UaCall {
    /// Where it stands.
    pub state: UaState,
    /// Where it listens for RTP.
    pub rtp: SocketAddr,
    /// The caller's user part, of a call it got.
    pub from: String,
    /// Provisional codes it saw.
    pub progress: Vec<u16>,
    /// The INVITE, of a call it got.
    pub invite: Option<Box<Request>>,
    /// `Retry-After` of the refusal (RFC 3261 §20.33).
    pub retry_after: Option<String>,
    /// What both sides agreed on last, from this side.
    pub negotiated: Option<Negotiated>,
    /// What the box described last.
    pub described: String,
    /// INFO bodies it got.
    pub infos: Vec<String>,
    /// Re-INVITEs it got.
    pub offers: u32,
    /// Where the box asked it to go.
    pub referred: Option<String>,
    /// What the box answered its REFER with.
    pub refer_answered: Option<u16>,
    /// What the box told of its REFER.
    pub notified: Vec<u16>,
    /// Call-ID, its own tag and the box's, of a call of its own that rings.
    pub early: Option<(String, String, String)>,
    offer: Option<Vec<u8>>,
    /// An offer of this side after the first.
    reoffer: Option<Vec<u8>>,
}

impl UaCall {
    fn new(state: UaState, rtp: SocketAddr, from: String, offer: Option<Vec<u8>>) -> Self {
        Self {
            state,
            rtp,
            from,
            progress: Vec::new(),
            invite: None,
            retry_after: None,
            negotiated: None,
            described: String::new(),
            infos: Vec::new(),
            offers: 0,
            referred: None,
            refer_answered: None,
            notified: Vec::new(),
            early: None,
            offer,
            reoffer: None,
        }
    }
}

/// A user agent.
pub struct SimUa {
    /// Its SIP user.
    pub name: String,
    /// Its address.
    pub address: SocketAddr,
    /// Its transport to the box.
    pub transport: TransportKind,
    /// What its person does when it rings.
    pub reaction: Reaction,
    /// After an answer, hang up by itself after so long.
    pub talk: Option<Duration>,
    /// Codecs in order of preference.
    pub codecs: Vec<CodecKind>,
    /// How it encrypts.
    pub srtp: SrtpWish,
    /// Whether it knows telephone events.
    pub events: bool,
    /// Refuses re-INVITEs with this code.
    pub refuses_offers: Option<u16>,
    /// What it answers a REFER with, and what it tells about it then.
    pub on_refer: (u16, Vec<u16>),
    /// Offers nothing in its INVITEs.
    pub offerless: bool,
    /// It is a recorder: takes sessions of several tracks (RFC 7866).
    pub records: bool,
    /// It is out of reach: nothing it is sent arrives, nothing leaves; its own clock goes on.
    pub gone: bool,
    /// Every call it had.
    pub calls: BTreeMap<SessionId, UaCall>,
    pub(crate) endpoint: Endpoint,
    next_session: u64,
    next_port: u16,
}

/// What a user agent will do by itself later.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Answer(SessionId),
    Hangup(SessionId),
}

impl SimUa {
    /// A user agent at `address` that knows the box. With a password it registers and answers challenges.
    pub(crate) fn new(
        name: &str,
        password: Option<&str>,
        transport: TransportKind,
        address: SocketAddr,
        server: SocketAddr,
        rng: Rng,
        now: Now,
    ) -> Self {
        let host = match server {
            SocketAddr::V4(v4) => Host::V4(*v4.ip()),
            SocketAddr::V6(v6) => Host::V6(*v6.ip()),
        };
        let mut uri = Uri::sip("", host, Some(server.port()));
        uri.user = None;
        if transport != TransportKind::Udp {
            uri.params.set("transport", Some(transport.as_str()));
        }
        let trunk = TrunkConfig {
            name: "box".to_owned(),
            address: uri,
            accept_from: vec![server.ip().into()],
            username: password.map(|_| name.to_owned()),
            password: password.map(str::to_owned),
            register: password.is_some(),
        };
        let config = EndpointConfig {
            realm: "phone".to_owned(),
            user_agent: "Sim".to_owned(),
            extensions: vec!["siprec".to_owned()],
            // It begins by its own transport, and answers and continues by whichever it was reached.
            listen: vec![(transport, address), (other(transport), address)],
            trunks: vec![trunk],
            ..EndpointConfig::default()
        };
        Self {
            name: name.to_owned(),
            address,
            transport,
            reaction: Reaction::Answer(Duration::from_millis(500)),
            talk: None,
            codecs: vec![CodecKind::Pcmu, CodecKind::Pcma],
            srtp: SrtpWish::Off,
            events: true,
            refuses_offers: None,
            on_refer: (202, vec![100, 200]),
            offerless: false,
            records: false,
            gone: false,
            calls: BTreeMap::new(),
            endpoint: Endpoint::new(config, rng, now),
            next_session: 0,
            next_port: 40_000,
        }
    }

    fn rtp(&mut self) -> SocketAddr {
        self.next_port = if self.next_port >= 60_000 { 40_000 } else { self.next_port + 2 };
        SocketAddr::new(self.address.ip(), self.next_port)
    }

    fn wishes(&self) -> Wishes {
        Wishes { events: self.events, srtp: self.srtp.clone(), ..Wishes::of(&self.codecs) }
    }

    /// Dials.
    pub(crate) fn call(&mut self, number: &str, from: &str, now: Now) -> SessionId {
        self.next_session += 1;
        let session = SessionId(self.next_session);
        let rtp = self.rtp();
        let offer = (!self.offerless)
            .then(|| media::sdp::offer(rtp, &self.wishes(), (self.next_session, 1), Direction::SendRecv));
        let host = match self.address {
            SocketAddr::V4(v4) => Host::V4(*v4.ip()),
            SocketAddr::V6(v6) => Host::V6(*v6.ip()),
        };
        let outgoing = Outgoing {
            session,
            to: Destination::Trunk { trunk: "box".to_owned(), user: number.to_owned() },
            from: NameAddr::new(Uri::sip(from, host, None)),
            to_header: None,
            headers: Vec::new(),
            body: offer.clone(),
            recording: None,
            credentials: None,
        };
        let call = UaCall::new(UaState::Calling, rtp, from.to_owned(), offer);
        self.calls.insert(session, call);
        self.command(Command::Invite(Box::new(outgoing)), now);
        session
    }

    /// Hangs up, whatever the call is doing.
    pub(crate) fn hang_up(&mut self, session: SessionId, now: Now) {
        let Some(call) = self.calls.get_mut(&session) else { return };
        let command = match call.state {
            UaState::Calling => Command::Cancel { session },
            UaState::Ringing => {
                call.state = UaState::Over(486);
                Command::Refuse { session, code: 486, reason: None, headers: Vec::new() }
            }
            UaState::Up => {
                call.state = UaState::Over(200);
                Command::Bye { session, reason: None }
            }
            UaState::Over(_) => return,
        };
        self.command(command, now);
    }

    /// Picks up a call that rings.
    pub(crate) fn answer(&mut self, session: SessionId, now: Now) {
        if !self.calls.get(&session).is_some_and(|call| call.state == UaState::Ringing) {
            return;
        }
        let body = self.describe(session);
        let Some(call) = self.calls.get_mut(&session) else { return };
        let command = match body {
            Some(body) => {
                call.state = UaState::Up;
                Command::Answer { session, body }
            }
            None => {
                call.state = UaState::Over(488);
                Command::Refuse { session, code: 488, reason: None, headers: Vec::new() }
            }
        };
        self.command(command, now);
    }

    /// Its answer to the offer of a call it got, or an offer when there was none; `None` when nothing fits.
    fn describe(&mut self, session: SessionId) -> Option<Vec<u8>> {
        let (wishes, records) = (self.wishes(), self.records);
        let call = self.calls.get_mut(&session)?;
        let sdp = (session.0, 1);
        match &call.offer {
            Some(offer) if records => {
                let answer = media::sdp::answer_tracks(offer, &recorder_tracks(call.rtp, &wishes), sdp);
                Some(answer.ok()?.0)
            }
            Some(offer) => {
                let answer = media::sdp::answer(offer, call.rtp, &wishes, sdp, Direction::SendRecv);
                let (body, negotiated) = answer.ok()?;
                call.negotiated = Some(negotiated);
                Some(body)
            }
            None => {
                let body = media::sdp::offer(call.rtp, &wishes, sdp, Direction::SendRecv);
                call.reoffer = Some(body.clone());
                Some(body)
            }
        }
    }

    /// The box answered an offer of this side.
    fn accept(&mut self, session: SessionId, answer: &[u8]) {
        let wishes = self.wishes();
        let Some(call) = self.calls.get_mut(&session) else { return };
        call.described = String::from_utf8_lossy(answer).into_owned();
        if let Some(offer) = call.reoffer.as_ref().or(call.offer.as_ref()) {
            call.negotiated = media::sdp::accept(offer, answer, &wishes).ok();
        }
    }

    /// Tells the box a key by INFO.
    pub(crate) fn info(&mut self, session: SessionId, content_type: &str, body: &str, now: Now) {
        let (content_type, body) = (content_type.to_owned(), body.as_bytes().to_vec());
        self.command(Command::Info { session, content_type, body }, now);
    }

    /// Asks the box to connect the other party elsewhere.
    pub(crate) fn refer(&mut self, session: SessionId, to: &Uri, now: Now) {
        self.command(Command::Refer { session, to: Box::new(to.clone()) }, now);
    }

    /// Puts a call on hold, or takes it back.
    pub(crate) fn hold(&mut self, session: SessionId, hold: bool, now: Now) {
        let direction = if hold { Direction::SendOnly } else { Direction::SendRecv };
        let wishes = self.wishes();
        let Some(call) = self.calls.get_mut(&session).filter(|call| call.state == UaState::Up) else {
            return;
        };
        let version = now.mono.0 / 1_000_000 + 2;
        let sdp = (session.0, version);
        let body = if self.records {
            let pause = |mut track: media::sdp::Track| {
                track.direction = if hold { Direction::Inactive } else { Direction::RecvOnly };
                track
            };
            let tracks: Vec<_> = recorder_tracks(call.rtp, &wishes).into_iter().map(pause).collect();
            media::sdp::offer_tracks(&tracks, sdp)
        } else {
            media::sdp::offer(call.rtp, &wishes, sdp, direction)
        };
        call.reoffer = Some(body.clone());
        self.command(Command::Offer { session, body }, now);
    }

    pub(crate) fn command(&mut self, command: Command, now: Now) {
        self.endpoint.handle(sip::Input::Command(command), now);
    }

    /// Something happened to it; what it will do about it, and when.
    pub(crate) fn on_event(&mut self, event: Event, now: Now) -> Vec<(Duration, Act)> {
        let mut later = Vec::new();
        match event {
            Event::Incoming { session, request, from, .. } => {
                debug_assert!(matches!(from, Caller::Trunk { .. }), "only the box calls a phone");
                let rtp = self.rtp();
                // A recorder listens at two ports.
                self.rtp();
                let user = request
                    .headers
                    .from()
                    .map(|from| from.uri.user_decoded().into_owned())
                    .unwrap_or_default();
                let offer = (!request.body.is_empty()).then(|| request.body.clone());
                let described = String::from_utf8_lossy(&request.body).into_owned();
                let call = UaCall::new(UaState::Ringing, rtp, user, offer);
                self.calls.insert(session, UaCall { invite: Some(request), described, ..call });
                match self.reaction {
                    Reaction::Refuse(code) => {
                        self.end(session, code);
                        self.command(
                            Command::Refuse { session, code, reason: None, headers: Vec::new() },
                            now,
                        );
                    }
                    Reaction::Answer(after) => {
                        self.command(Command::Progress { session, code: 180, body: None }, now);
                        later.push((after, Act::Answer(session)));
                    }
                    Reaction::Early(after) => {
                        if let Some(body) = self.describe(session) {
                            self.command(Command::Progress { session, code: 183, body: Some(body) }, now);
                        }
                        later.push((after, Act::Answer(session)));
                    }
                    Reaction::Ignore => {
                        self.command(Command::Progress { session, code: 180, body: None }, now)
                    }
                }
            }
            Event::Progress { session, code, headers, .. } => {
                if let Some(call) = self.calls.get_mut(&session) {
                    call.progress.push(code);
                    call.early = early_dialog(&headers);
                }
            }
            Event::Answered { session, body, .. } => {
                let wishes = self.wishes();
                if let (Some(answer), Some(true)) =
                    (&body, self.calls.get(&session).map(|c| c.offer.is_some()))
                {
                    self.accept(session, answer);
                }
                let Some(call) = self.calls.get_mut(&session) else { return later };
                call.state = UaState::Up;
                if call.offer.is_none() {
                    let answer = body
                        .and_then(|offer| {
                            media::sdp::answer(&offer, call.rtp, &wishes, (session.0, 1), Direction::SendRecv)
                                .ok()
                        })
                        .map(|(body, _)| body);
                    self.command(Command::Ack { session, body: answer }, now);
                }
                later.extend(self.talk.map(|talk| (talk, Act::Hangup(session))));
            }
            Event::Refused { session, code, headers, .. } => {
                self.end(session, code);
                if let Some(call) = self.calls.get_mut(&session) {
                    call.retry_after = headers.text(&HeaderName::RetryAfter).map(Cow::into_owned);
                }
            }
            Event::Cancelled { session } => self.end(session, 487),
            Event::Acked { session, .. } => {
                later.extend(self.talk.map(|talk| (talk, Act::Hangup(session))));
            }
            Event::Ended { session, .. } => self.end(session, 200),
            Event::Offered { session, body } => {
                let wishes = self.wishes();
                let result = match (self.calls.get_mut(&session), body, self.refuses_offers) {
                    (_, _, Some(code)) => Err(code),
                    (Some(call), Some(offer), None) => {
                        call.offers += 1;
                        call.described = String::from_utf8_lossy(&offer).into_owned();
                        let sdp = (session.0, now.mono.0 / 1_000_000 + 2);
                        match media::sdp::answer(&offer, call.rtp, &wishes, sdp, Direction::SendRecv) {
                            Ok((body, negotiated)) => {
                                call.negotiated = Some(negotiated);
                                Ok(body)
                            }
                            Err(_) => Err(488),
                        }
                    }
                    (Some(_), None, None) | (None, _, None) => Err(488),
                };
                self.command(Command::AnswerOffer { session, result }, now);
            }
            Event::OfferAnswered { session, result } => {
                if let Ok(answer) = result {
                    self.accept(session, &answer);
                }
            }
            Event::Info { session, body, .. } => {
                if let Some(call) = self.calls.get_mut(&session) {
                    call.infos.push(String::from_utf8_lossy(&body).into_owned());
                }
            }
            Event::Referred { session, to } => {
                if let Some(call) = self.calls.get_mut(&session) {
                    call.referred = Some(to.uri.to_string());
                }
                let (answer, told) = self.on_refer.clone();
                self.command(Command::AnswerRefer { session, code: answer }, now);
                for code in told {
                    self.command(Command::Notify { session, code }, now);
                }
            }
            Event::ReferAnswered { session, code } => {
                if let Some(call) = self.calls.get_mut(&session) {
                    call.refer_answered = Some(code);
                }
            }
            Event::Notified { session, code, .. } => {
                if let Some(call) = self.calls.get_mut(&session) {
                    call.notified.extend(code);
                }
            }
            Event::Registered { .. }
            | Event::Unregistered { .. }
            | Event::ContactsChanged { .. }
            | Event::TrunkState { .. }
            | Event::Rejected { .. } => {}
        }
        later
    }

    fn end(&mut self, session: SessionId, code: u16) {
        if let Some(call) = self.calls.get_mut(&session) {
            call.state = UaState::Over(code);
        }
    }

    /// Calls that are not over.
    pub fn open_calls(&self) -> usize {
        self.calls.values().filter(|call| !matches!(call.state, UaState::Over(_))).count()
    }
}

fn other(transport: TransportKind) -> TransportKind {
    match transport {
        TransportKind::Udp => TransportKind::Tcp,
        TransportKind::Tcp | TransportKind::Tls | TransportKind::Ws | TransportKind::Wss => {
            TransportKind::Udp
        }
    }
}

/// What Replaces would call the dialog of a provisional response.
fn early_dialog(headers: &Headers) -> Option<(String, String, String)> {
    let call_id = headers.text(&HeaderName::CallId)?.into_owned();
    let (ours, theirs) = (headers.from().ok()?, headers.to().ok()?);
    Some((call_id, ours.tag()?.to_owned(), theirs.tag()?.to_owned()))
}

/// What a recorder says of the two tracks it takes: the first at its RTP port, the second at the next one.
fn recorder_tracks(rtp: SocketAddr, wishes: &Wishes) -> Vec<media::sdp::Track> {
    let track = |n: u16| media::sdp::Track {
        local: SocketAddr::new(rtp.ip(), rtp.port() + 2 * n),
        label: (n + 1).to_string(),
        wishes: wishes.clone(),
        direction: Direction::RecvOnly,
    };
    [0, 1].map(track).to_vec()
}
