//! The clock, and one queue of what is going to happen.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use base::{Mono, Now, Rng, StreamSid, Timestamp};
use call::office::Office;
use call::record::StoreItem;
use call::{Input, Listen, Node, OperatorReply, Output, SoundInfo, SpeechNews, StreamEvent};
use sip::{Flow, SessionId, TransportKind};

use crate::invariants::{Violation, Watch};
use crate::media_plane::{Later, StubMedia};
use crate::streams::SimStreams;
use crate::ua::{Act, SimUa, UaId};
use crate::web::SimWeb;
use crate::wire::{Faults, Wire};

/// How a world begins.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// Everything random comes from it.
    pub seed: u64,
    /// The office; its listeners are the world's to set.
    pub office: Office,
    /// The wire's temper.
    pub faults: Faults,
}

/// Something that will happen.
#[derive(Debug)]
enum Happening {
    ToBox { flow: Flow, bytes: Vec<u8> },
    ToUa { ua: UaId, flow: Flow, bytes: Vec<u8> },
    ToNode(Box<Input>),
    Media(Later),
    Stream(StreamSid, StreamEvent),
    Ua { ua: UaId, act: Act },
}

/// The world.
pub struct World {
    /// The box.
    pub node: Node,
    /// Its media plane.
    pub media: StubMedia,
    /// The user's web server.
    pub web: SimWeb,
    /// Applications that media streams go to.
    pub streams: SimStreams,
    /// Phones and carriers.
    pub uas: Vec<SimUa>,
    /// Between all of them.
    pub wire: Wire,
    /// What has been seen.
    pub watch: Watch,
    /// Rows the box wrote, in order, when kept.
    pub stored: Vec<StoreItem>,
    /// Whether to keep them: scenarios do, chaos does not.
    pub keep_stored: bool,
    /// What operators were answered.
    pub replies: Vec<OperatorReply>,
    /// How long a sound takes to be ready.
    pub sound_after: Duration,
    /// Whether there is a recogniser.
    pub recogniser: bool,
    /// What is found to have been said in recordings, and how long that takes.
    pub transcript: String,
    /// See `transcript`.
    pub transcribed_after: Duration,
    /// What is listened to.
    pub listening: BTreeMap<media::TapId, Listen>,
    /// Sounds that cannot be had.
    pub sounds_broken: Vec<String>,
    /// The number of the catalogue that says why.
    pub sound_fault: u32,
    now: Now,
    queue: BTreeMap<(Mono, u64), Happening>,
    by_address: BTreeMap<IpAddr, UaId>,
    next: u64,
    rng: Rng,
    /// Steps taken.
    pub steps: u64,
}

/// Where the box is.
pub const BOX: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5060);

/// Things that may wait to happen; more means that the world feeds itself.
const QUEUE_MAX: usize = 1_000_000;

impl World {
    /// A world with an office and nobody in it yet.
    pub fn new(config: WorldConfig) -> Self {
        let mut rng = Rng::seeded(config.seed);
        let now = Now { mono: Mono(1_000_000_000), wall: Timestamp(1_790_000_000_000_000) };
        let mut office = config.office;
        office.listen = vec![(TransportKind::Udp, BOX), (TransportKind::Tcp, BOX)];
        let mut node = Node::new(office, "Tandem/sim", rng.fork(), now);
        node.restore_router(Vec::new(), Some(&BTreeMap::new()), now);
        Self {
            node,
            media: StubMedia::new(BOX.ip()),
            web: SimWeb::default(),
            streams: SimStreams::default(),
            uas: Vec::new(),
            wire: Wire::new(config.faults, rng.fork()),
            watch: Watch::default(),
            stored: Vec::new(),
            keep_stored: true,
            replies: Vec::new(),
            sound_after: Duration::from_millis(40),
            recogniser: true,
            transcript: "call me back".to_owned(),
            transcribed_after: Duration::from_secs(2),
            listening: BTreeMap::new(),
            sounds_broken: Vec::new(),
            sound_fault: 11200,
            now,
            queue: BTreeMap::new(),
            by_address: BTreeMap::new(),
            next: 0,
            rng,
            steps: 0,
        }
    }

    /// What time it is.
    pub fn now(&self) -> Now {
        self.now
    }

    /// A phone (with a password, so it registers) or a carrier (without) at this address.
    pub fn add_ua(
        &mut self,
        name: &str,
        password: Option<&str>,
        transport: TransportKind,
        ip: IpAddr,
    ) -> UaId {
        let id = UaId(self.uas.len());
        let address = SocketAddr::new(ip, 5060);
        let ua = SimUa::new(name, password, transport, address, BOX, self.rng.fork(), self.now);
        self.uas.push(ua);
        self.by_address.insert(ip, id);
        self.drain_ua(id);
        id
    }

    /// A user agent.
    pub fn ua(&mut self, id: UaId) -> &mut SimUa {
        self.uas.get_mut(id.0).expect("user agents are never removed")
    }

    /// A user agent dials.
    pub fn dial(&mut self, id: UaId, number: &str, from: &str) -> SessionId {
        let now = self.now;
        let session = self.ua(id).call(number, from, now);
        self.drain_ua(id);
        session
    }

    /// A user agent hangs up.
    pub fn hang_up(&mut self, id: UaId, session: SessionId) {
        let now = self.now;
        self.ua(id).hang_up(session, now);
        self.drain_ua(id);
    }

    /// A user agent picks up.
    pub fn pick_up(&mut self, id: UaId, session: SessionId) {
        let now = self.now;
        self.ua(id).answer(session, now);
        self.drain_ua(id);
    }

    /// A user agent tells a key by INFO.
    pub fn info(&mut self, id: UaId, session: SessionId, content_type: &str, body: &str) {
        let now = self.now;
        self.ua(id).info(session, content_type, body, now);
        self.drain_ua(id);
    }

    /// A user agent asks the box to connect the other party elsewhere.
    pub fn refer(&mut self, id: UaId, session: SessionId, to: &str) {
        let now = self.now;
        let to = to.parse().expect("a test's URI");
        self.ua(id).refer(session, &to, now);
        self.drain_ua(id);
    }

    /// A user agent tells how the box's REFER goes.
    pub fn notify(&mut self, id: UaId, session: SessionId, code: u16) {
        let now = self.now;
        self.ua(id).command(sip::Command::Notify { session, code }, now);
        self.drain_ua(id);
    }

    /// A user agent holds or resumes.
    pub fn hold(&mut self, id: UaId, session: SessionId, hold: bool) {
        let now = self.now;
        self.ua(id).hold(session, hold, now);
        self.drain_ua(id);
    }

    /// A user agent presses a key.
    pub fn press(&mut self, id: UaId, session: SessionId, digit: char) {
        let Some(rtp) = self.ua(id).calls.get(&session).map(|call| call.rtp) else { return };
        if let Some(leg) = self.media.leg_of(rtp) {
            let event = media::Event::Digit { leg, digit, ms: 100 };
            self.later(Duration::from_millis(5), Happening::Media(Later::Event(event)));
        }
    }

    /// A user agent says something that takes so long; whoever listens hears that it begins, half of it on the way, and
    /// all of it once the silence after it is long enough.
    pub fn say(&mut self, id: UaId, session: SessionId, text: &str, ms: u64) {
        let Some(rtp) = self.ua(id).calls.get(&session).map(|call| call.rtp) else { return };
        let Some(leg) = self.media.leg_of(rtp) else { return };
        let hearing: Vec<Listen> =
            self.listening.values().filter(|listen| listen.leg == leg).cloned().collect();
        let words: Vec<&str> = text.split(' ').collect();
        let half = words[..words.len() / 2].join(" ");
        for listen in hearing {
            let silence = u64::from(listen.silence_ms.unwrap_or(800));
            for (after, news) in [
                (60, SpeechNews::Began),
                (
                    ms / 2,
                    SpeechNews::Partial { stable: half.clone(), unstable: String::new(), stability: 0.9 },
                ),
                (ms + silence, SpeechNews::Said { text: text.to_owned(), confidence: Some(0.75) }),
            ] {
                let input = Input::Speech { id: listen.id, news };
                self.later(Duration::from_millis(after), Happening::ToNode(Box::new(input)));
            }
        }
    }

    /// A user agent's call goes on without a word from it.
    pub fn fall_silent(&mut self, id: UaId, session: SessionId) {
        let Some(rtp) = self.ua(id).calls.get(&session).map(|call| call.rtp) else { return };
        if let Some(leg) = self.media.leg_of(rtp) {
            for (after, later) in self.media.fall_silent(leg) {
                self.later(after, Happening::Media(later));
            }
        }
    }

    /// The RTP of a user agent's call stops arriving.
    pub fn lose_media(&mut self, id: UaId, session: SessionId) {
        let Some(rtp) = self.ua(id).calls.get(&session).map(|call| call.rtp) else { return };
        if let Some(leg) = self.media.leg_of(rtp) {
            self.later(Duration::ZERO, Happening::Media(Later::Event(media::Event::MediaLost { leg })));
        }
    }

    /// A user agent's call begins to speak in a conference, or has stopped, and the media plane says so.
    pub fn speaks(&mut self, id: UaId, session: SessionId, began: bool) {
        let Some(rtp) = self.ua(id).calls.get(&session).map(|call| call.rtp) else { return };
        if let Some(leg) = self.media.leg_of(rtp) {
            let event = media::Event::Speaking { leg, began };
            self.later(Duration::ZERO, Happening::Media(Later::Event(event)));
        }
    }

    /// A media stream says something of itself.
    pub fn stream(&mut self, stream: StreamSid, event: StreamEvent) {
        self.later(Duration::ZERO, Happening::Stream(stream, event));
    }

    /// Hands the node an input now.
    pub fn input(&mut self, input: Input) -> Result<(), Violation> {
        self.node.handle(input, self.now);
        self.drain_node()
    }

    /// Lets the next thing happen; false when nothing ever will before `until`.
    pub fn step(&mut self, until: Mono) -> Result<bool, Violation> {
        let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
        let node = self.node.poll_timeout().map(|(at, _)| at);
        let ua = (0..self.uas.len())
            .filter_map(|i| self.uas[i].endpoint.poll_timeout().map(|(at, _)| (at, UaId(i))))
            .min();
        let Some(at) = [queued, node, ua.map(|(at, _)| at)].into_iter().flatten().min() else {
            return Ok(false);
        };
        if at > until {
            return Ok(false);
        }
        self.steps += 1;
        self.advance(at);
        if queued == Some(at) {
            let (_, happening) = self.queue.pop_first().expect("it was there a moment ago");
            self.happen(happening)?;
        } else if node == Some(at) {
            self.node.handle_timeout(self.now);
            self.drain_node()?;
        } else if let Some((_, id)) = ua {
            let now = self.now;
            self.ua(id).endpoint.handle_timeout(now);
            self.drain_ua(id);
        }
        Ok(true)
    }

    /// Lets everything happen until that time.
    pub fn run_until(&mut self, until: Mono) -> Result<(), Violation> {
        while self.step(until)? {}
        self.advance(until);
        Ok(())
    }

    /// Lets so much time pass.
    pub fn pass(&mut self, span: Duration) -> Result<(), Violation> {
        self.run_until(self.now.mono + span)
    }

    fn advance(&mut self, to: Mono) {
        let span = to.since(self.now.mono);
        self.now = self.now + span;
    }

    fn later(&mut self, after: Duration, happening: Happening) {
        assert!(self.queue.len() < QUEUE_MAX, "the world feeds itself");
        self.next += 1;
        self.queue.insert((self.now.mono + after, self.next), happening);
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::ToBox { flow, bytes } => {
                self.node.handle(Input::Sip(sip::Input::Received { flow, bytes }), self.now);
                self.drain_node()
            }
            Happening::ToUa { ua, flow, bytes } => {
                let now = self.now;
                let agent = self.ua(ua);
                if !agent.gone {
                    agent.endpoint.handle(sip::Input::Received { flow, bytes }, now);
                    self.drain_ua(ua);
                }
                Ok(())
            }
            Happening::ToNode(input) => {
                self.node.handle(*input, self.now);
                self.drain_node()
            }
            Happening::Media(later) => match self.media.happen(later, self.now.mono) {
                Some(event) => {
                    self.node.handle(Input::Media(event), self.now);
                    self.drain_node()
                }
                None => Ok(()),
            },
            Happening::Stream(stream, event) => {
                if self.streams.happens(stream, &event) {
                    self.node.handle(Input::Stream { stream, event }, self.now);
                }
                self.drain_node()
            }
            Happening::Ua { ua, act } => {
                let now = self.now;
                match act {
                    Act::Answer(session) => self.ua(ua).answer(session, now),
                    Act::Hangup(session) => self.ua(ua).hang_up(session, now),
                }
                self.drain_ua(ua);
                Ok(())
            }
        }
    }

    /// Carries out what the node wants, then looks whether the world is still in order.
    fn drain_node(&mut self) -> Result<(), Violation> {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Transmit { flow, bytes } => {
                    self.watch.sent(&bytes)?;
                    self.box_sends(flow, bytes);
                }
                Output::Resolve { id, .. } => {
                    let input = Input::Sip(sip::Input::Resolved { id, addrs: Vec::new() });
                    self.later(Duration::from_millis(5), Happening::ToNode(Box::new(input)));
                }
                Output::Fetch(request) => {
                    let id = request.id;
                    let document = request.kind == call::FetchKind::Document;
                    let (after, result) = self.web.ask(request, self.now.mono);
                    // Of a status callback only a failure is told.
                    if document || result.is_err() {
                        self.later(after, Happening::ToNode(Box::new(Input::Fetched { id, result })));
                    }
                }
                Output::Abort(id) => self.web.aborted.push(id),
                Output::CallOver(_) => {}
                Output::Transcribe { sid, .. } => {
                    let result = match self.recogniser {
                        true => Ok(self.transcript.clone()),
                        false => Err((99_001, "none is configured".to_owned())),
                    };
                    let input = Input::Transcribed { sid, result };
                    self.later(self.transcribed_after, Happening::ToNode(Box::new(input)));
                }
                Output::Listen(listen) if self.recogniser => {
                    self.listening.insert(listen.tap, *listen);
                }
                Output::Listen(listen) => {
                    let news = SpeechNews::Failed { code: 99_001, message: "none is configured".to_owned() };
                    let input = Input::Speech { id: listen.id, news };
                    self.later(Duration::from_millis(1), Happening::ToNode(Box::new(input)));
                }
                Output::Reply { reply, .. } => self.replies.push(reply),
                Output::Media(command) => {
                    match &command {
                        media::Command::Untap { tap, .. } => {
                            self.listening.remove(tap);
                        }
                        media::Command::Close { leg } => {
                            self.listening.retain(|_, listen| listen.leg != *leg);
                        }
                        _ => {}
                    }
                    for (after, later) in self.media.command(command, self.now.mono)? {
                        self.later(after, Happening::Media(later));
                    }
                }
                Output::StreamOpen(open) => {
                    let stream = open.stream;
                    if let Some((after, event)) = self.streams.open(open)? {
                        self.later(after, Happening::Stream(stream, event));
                    }
                }
                Output::Stream { stream, ask } => self.streams.ask(stream, ask)?,
                Output::Prepare { key, .. } => {
                    let broken = self.sounds_broken.iter().any(|bad| key.0.contains(bad.as_str()));
                    let length = self.media.duration(&key.0);
                    let duration_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
                    let result = if broken {
                        Err((self.sound_fault, "simulated".to_owned()))
                    } else {
                        Ok(SoundInfo { duration_ms: Some(duration_ms) })
                    };
                    self.later(self.sound_after, Happening::ToNode(Box::new(Input::Sound { key, result })));
                }
                Output::Store(item) => {
                    self.watch.stored(&item)?;
                    if self.keep_stored {
                        self.stored.push(item);
                    }
                }
            }
        }
        self.watch.conferences(&self.node, &self.media)?;
        self.watch.queues(&self.node)?;
        self.watch.after(&self.node, self.now.mono)
    }

    fn box_sends(&mut self, flow: Flow, bytes: Vec<u8>) {
        let there = Flow { transport: flow.transport, local: flow.remote, remote: flow.local };
        if flow.remote == BOX {
            // It calls itself; no wire is between.
            self.later(Duration::from_micros(100), Happening::ToBox { flow: there, bytes });
            return;
        }
        let Some(ua) = self.by_address.get(&flow.remote.ip()).copied() else { return };
        for after in self.wire.arrivals(flow.transport.is_reliable()) {
            self.later(after, Happening::ToUa { ua, flow: there, bytes: bytes.clone() });
        }
    }

    fn drain_ua(&mut self, id: UaId) {
        while let Some(output) = self.ua(id).endpoint.poll_output() {
            match output {
                sip::Output::Transmit { flow, bytes } => {
                    if self.ua(id).gone {
                        continue;
                    }
                    let there = Flow { transport: flow.transport, local: flow.remote, remote: flow.local };
                    for after in self.wire.arrivals(flow.transport.is_reliable()) {
                        self.later(after, Happening::ToBox { flow: there, bytes: bytes.clone() });
                    }
                }
                sip::Output::Resolve { .. } => {}
                sip::Output::Event(event) => {
                    let now = self.now;
                    for (after, act) in self.ua(id).on_event(event, now) {
                        self.later(after, Happening::Ua { ua: id, act });
                    }
                }
            }
        }
    }
}
