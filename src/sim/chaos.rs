//! Random offices on a bad wire: from one seed a whole day of calls, then peace, in which everything must end.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use base::{CallSid, ConferenceSid, Rng};
use call::office::DocumentRef;
use call::record::StoreItem;
use call::{
    CallDocument, CallUpdate, ConferenceRef, Fate, Hold, Input, Music, NewCall, NewParticipant, Operator,
    ParticipantOrder, ParticipantRef, ParticipantUpdate,
};
use sip::{SessionId, TransportKind};

use crate::invariants::Violation;
use crate::scenario::{CALLER, CARRIER, FALLBACK, NUMBER, VOICE, office};
use crate::ua::{Reaction, UaId, UaState};
use crate::web::Answer;
use crate::wire::Faults;
use crate::world::{World, WorldConfig};

/// One random story.
pub struct Chaos {
    world: World,
    rng: Rng,
    uas: Vec<UaId>,
    /// Those who have been out of reach: the box may not know what they think is over.
    vanished: BTreeSet<UaId>,
    calls: u64,
}

/// What a story came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChaosReport {
    /// Calls that people placed.
    pub placed: u64,
    /// Calls (legs) the box had.
    pub legs: u64,
    /// Of them, those that were answered.
    pub answered: u64,
    /// Times somebody joined a conference.
    pub joins: u64,
    /// Times somebody was taken out of a queue and talked.
    pub taken: u64,
    /// Bridges, seen as sound of a peer.
    pub bridges: u64,
    /// Things that happened.
    pub steps: u64,
    /// Virtual seconds.
    pub seconds: u64,
}

const PHONES: [(&str, &str); 6] =
    [("p0", "100"), ("p1", "101"), ("p2", "102"), ("p3", "103"), ("p4", "104"), ("p5", "105")];

impl Chaos {
    /// Runs the story of `seed` with about so many calls.
    ///
    /// # Errors
    /// The invariant that broke, and after how many steps.
    pub fn run(seed: u64, calls: u64) -> Result<ChaosReport, String> {
        let mut chaos = Self::begin(seed);
        match chaos.live(calls) {
            Ok(()) => Ok(chaos.report()),
            Err(Violation(what)) => {
                let ladders = Self::ladders(seed, calls);
                Err(format!("seed {seed}, step {}: {what}\n{ladders}", chaos.world.steps))
            }
        }
    }

    fn live(&mut self, calls: u64) -> Result<(), Violation> {
        self.story(calls)?;
        self.peace()
    }

    /// The same story again, with what happened to the calls that were open when it broke.
    fn ladders(seed: u64, calls: u64) -> String {
        let mut chaos = Self::begin(seed);
        chaos.world.keep_stored = true;
        let _ = chaos.live(calls);
        let open = |call| chaos.world.watch.rows.get(&call).is_some_and(|row| !row.status.is_final());
        let line = |item: &StoreItem| match item {
            StoreItem::Event(event) if open(event.call) => {
                let ms = event.at.0 / 1_000;
                Some(format!("{} {ms} {} {}\n", event.call, event.kind.as_str(), event.text))
            }
            _ => None,
        };
        chaos.world.stored.iter().filter_map(line).collect()
    }

    fn begin(seed: u64) -> Self {
        let mut rng = Rng::seeded(seed ^ 0x5eed);
        let faults = match rng.below(4) {
            0 => Faults::NONE,
            _ => Faults {
                loss: rng.below(25) as f64 / 100.0,
                duplicate: rng.below(15) as f64 / 100.0,
                latency_min: Duration::from_millis(1 + rng.below(20)),
                latency_max: Duration::from_millis(20 + rng.below(400)),
            },
        };
        let phones = 2 + usize::try_from(rng.below(5)).unwrap_or(0);
        let mut world = World::new(WorldConfig { seed, office: office(&PHONES), faults });
        world.keep_stored = false;
        let mut uas = vec![world.add_ua("carrier", None, transport(&mut rng), CARRIER.into())];
        for (i, (name, _)) in PHONES.iter().take(phones).enumerate() {
            let ip = Ipv4Addr::new(203, 0, 113, 10 + u8::try_from(i).unwrap_or(0));
            // Some people mistype their password.
            let password = if rng.chance(0.05) { "wrong" } else { "secret" };
            uas.push(world.add_ua(name, Some(password), transport(&mut rng), ip.into()));
        }
        Self { world, rng, uas, vanished: BTreeSet::new(), calls: 0 }
    }

    /// People call, press keys, hang up; pages fail; phones vanish.
    fn story(&mut self, calls: u64) -> Result<(), Violation> {
        self.world.pass(Duration::from_secs(2))?;
        while self.calls < calls {
            match self.rng.below(100) {
                0..40 => self.somebody_calls(),
                40..60 => self.somebody_presses(),
                60..80 => self.somebody_hangs_up(),
                80..84 => self.somebody_holds(),
                84..86 => self.media_is_lost(),
                86..88 => self.somebody_vanishes_or_returns(),
                88..90 => self.operator_acts()?,
                90..92 => self.world.media.open_failures += 1,
                92..94 => self.configuration_is_read_again()?,
                94..96 => self.somebody_transfers(),
                96..98 => self.a_call_is_updated_or_placed()?,
                _ => self.moods_change(),
            }
            let longest = if self.rng.chance(0.1) { 8_000 } else { 700 };
            let wait = self.rng.below(longest);
            self.world.pass(Duration::from_millis(wait))?;
        }
        self.world.pass(Duration::from_secs(20))
    }

    /// Every fault stops, everybody hangs up; in the end nothing may be left.
    fn peace(&mut self) -> Result<(), Violation> {
        self.world.wire.faults = Faults::NONE;
        self.world.media.open_failures = 0;
        for id in self.uas.clone() {
            self.world.ua(id).reaction = Reaction::Refuse(486);
            self.end_all(id);
        }
        self.world.pass(Duration::from_secs(400))?;
        // What was answered at the last moment.
        for id in self.uas.clone() {
            self.end_all(id);
        }
        self.world.pass(Duration::from_secs(400))?;
        self.world.watch.at_rest(&self.world.node)?;
        if self.world.media.open_legs() > 0 {
            return Err(Violation(format!("{} media legs are left open", self.world.media.open_legs())));
        }
        for id in self.uas.clone() {
            let ua = self.world.ua(id);
            if !ua.gone && (ua.open_calls() > 0 || ua.endpoint.open_sessions() > 0) {
                let open: Vec<_> =
                    ua.calls.iter().filter(|(_, c)| !matches!(c.state, UaState::Over(_))).collect();
                return Err(Violation(format!("{} still has calls: {open:?}", ua.name)));
            }
        }
        Ok(())
    }

    /// Everybody hangs up; whoever is or was out of reach is at least not heard any more.
    fn end_all(&mut self, id: UaId) {
        for (session, state) in self.sessions(id) {
            let over = matches!(state, UaState::Over(_));
            if self.world.ua(id).gone || (over && self.vanished.contains(&id)) {
                self.world.lose_media(id, session);
            } else if !over {
                self.world.hang_up(id, session);
            }
        }
    }

    fn report(&self) -> ChaosReport {
        let rows = &self.world.watch.rows;
        ChaosReport {
            placed: self.calls,
            legs: rows.len() as u64,
            answered: rows.values().filter(|row| row.answer.is_some()).count() as u64,
            bridges: self
                .world
                .media
                .heard
                .iter()
                .filter(|(_, _, h)| matches!(h, crate::Heard::Peer(_)))
                .count() as u64
                / 2,
            joins: self.world.media.joins_total,
            taken: self.queue_results("bridged"),
            steps: self.world.steps,
            seconds: self.world.now().mono.0 / 1_000_000_000,
        }
    }

    /// How often a web server was told that a call came out of its queue so.
    fn queue_results(&self, result: &str) -> u64 {
        let told = |asked: &&crate::web::Asked| {
            asked.request.params.iter().any(|(name, value)| name == "QueueResult" && value == result)
        };
        self.world.web.log.iter().filter(told).count() as u64
    }

    fn anybody(&mut self) -> UaId {
        let n = self.rng.below(self.uas.len() as u64);
        self.uas[usize::try_from(n).unwrap_or(0)]
    }

    fn sessions(&mut self, id: UaId) -> Vec<(SessionId, UaState)> {
        self.world.ua(id).calls.iter().map(|(session, call)| (*session, call.state)).collect()
    }

    /// A call that is not over, of anybody.
    fn some_call(&mut self) -> Option<(UaId, SessionId)> {
        let id = self.anybody();
        let open: Vec<SessionId> = self
            .sessions(id)
            .into_iter()
            .filter(|(_, state)| !matches!(state, UaState::Over(_)))
            .map(|(session, _)| session)
            .collect();
        let n = usize::try_from(self.rng.below(open.len().max(1) as u64)).unwrap_or(0);
        open.get(n).map(|session| (id, *session))
    }

    fn somebody_calls(&mut self) {
        let id = if self.rng.chance(0.6) { self.uas[0] } else { self.anybody() };
        if self.world.ua(id).gone {
            return;
        }
        let document = self.document(0);
        self.world.web.answer_next(VOICE, document);
        let number = match self.rng.below(12) {
            0 => "+15559990000".to_owned(),
            1 => "nobody".to_owned(),
            2 | 3 => format!("10{}", self.rng.below(7)),
            4 => "112".to_owned(),
            _ => NUMBER.to_owned(),
        };
        let offerless = self.rng.chance(0.1);
        self.world.ua(id).offerless = offerless;
        let talk = self.rng.chance(0.5).then(|| Duration::from_millis(self.rng.below(20_000)));
        self.world.ua(id).talk = talk;
        let from = if id == self.uas[0] { CALLER.to_owned() } else { self.world.ua(id).name.clone() };
        self.world.dial(id, &number, &from);
        self.calls += 1;
    }

    fn somebody_presses(&mut self) {
        let digit = char::from(b"0123456789*#"[usize::try_from(self.rng.below(12)).unwrap_or(0)]);
        if let Some((id, session)) = self.some_call() {
            self.world.press(id, session, digit);
        }
    }

    fn somebody_hangs_up(&mut self) {
        if let Some((id, session)) = self.some_call() {
            self.world.hang_up(id, session);
        }
    }

    fn somebody_holds(&mut self) {
        let hold = self.rng.chance(0.5);
        if let Some((id, session)) = self.some_call() {
            self.world.hold(id, session, hold);
        }
    }

    fn media_is_lost(&mut self) {
        if let Some((id, session)) = self.some_call() {
            self.world.lose_media(id, session);
        }
    }

    fn somebody_vanishes_or_returns(&mut self) {
        let id = self.anybody();
        if id != self.uas[0] {
            let gone = self.world.ua(id).gone;
            self.world.ua(id).gone = !gone;
            self.vanished.insert(id);
        }
    }

    fn operator_acts(&mut self) -> Result<(), Violation> {
        let sids: Vec<_> =
            self.world.watch.rows.values().filter(|row| !row.status.is_final()).map(|row| row.sid).collect();
        let n = usize::try_from(self.rng.below(sids.len().max(1) as u64)).unwrap_or(0);
        let conference = self.world.node.conferences().into_keys().next();
        if let Some((queue, call)) = self.world.node.queued().first().copied()
            && self.rng.chance(0.4)
        {
            let call = self.rng.chance(0.5).then_some(call);
            let (url, method) = ("http://web.example/a1".to_owned(), twiml::HttpMethod::Post);
            let command = match self.rng.below(4) {
                0 => Operator::DeleteQueue(queue),
                1 => {
                    Operator::UpdateQueue { queue, name: None, max_size: Some(1 + self.rng.below(3) as u32) }
                }
                _ => Operator::Dequeue { queue, call, url, method },
            };
            return self.world.input(Input::Command { id: 1, command });
        }
        match (sids.get(n), conference) {
            (_, Some(sid)) if self.rng.chance(0.3) => {
                let command = Operator::EndConference(ConferenceRef::Sid(sid));
                self.world.input(Input::Command { id: 1, command })
            }
            (_, Some(sid)) if self.rng.chance(0.6) => self.operator_confers(sid),
            (Some(sid), _) => self.world.input(Input::Command { id: 1, command: Operator::Hangup(*sid) }),
            (None, _) => self.world.input(Input::Command { id: 1, command: Operator::Calls }),
        }
    }

    /// Somebody in a conference is muted, held, spoken to, coaches, is removed, or another is called into it.
    fn operator_confers(&mut self, conference: ConferenceSid) -> Result<(), Violation> {
        let members: Vec<CallSid> = self
            .world
            .node
            .participants()
            .into_iter()
            .filter_map(|(sid, call)| (sid == conference).then_some(call))
            .collect();
        let one = members.get(self.rng.below(3) as usize).copied();
        let document = |path: &str| DocumentRef {
            url: format!("http://web.example/{path}"),
            method: twiml::HttpMethod::Get,
        };
        let conference = ConferenceRef::Sid(conference);
        let plain = ParticipantUpdate::default();
        let update = match self.rng.below(8) {
            0 => {
                let DocumentRef { url, method } = document("w1");
                return self.command(Operator::Announce { conference, url, method });
            }
            1 => return self.add_participant(conference),
            2 => ParticipantUpdate { muted: Some(self.rng.chance(0.5)), ..plain },
            3 => {
                let music = Music { url: Some(document("w0").url), ..Music::default() };
                let music = if self.rng.chance(0.5) { music } else { Music::default() };
                let hold = if self.rng.chance(0.6) { Hold::On(music) } else { Hold::Off };
                ParticipantUpdate { hold: Some(hold), ..plain }
            }
            4 => ParticipantUpdate { announce: Some(document("w0")), ..plain },
            5 => ParticipantUpdate { coaches: Some(members.first().copied()), ..plain },
            6 => ParticipantUpdate { end_on_exit: Some(self.rng.chance(0.2)), ..plain },
            _ => match one {
                Some(call) => {
                    let who = ParticipantRef::Call(call);
                    let order = ParticipantOrder::Remove;
                    return self.command(Operator::Participant { conference, who, order });
                }
                None => plain,
            },
        };
        let Some(call) = one else { return Ok(()) };
        let who = ParticipantRef::Call(call);
        let order = ParticipantOrder::Update(Box::new(update));
        self.command(Operator::Participant { conference, who, order })
    }

    fn add_participant(&mut self, conference: ConferenceRef) -> Result<(), Violation> {
        let noun = "<Response><Dial><Conference>x</Conference></Dial></Response>";
        let document = twiml::parse(noun, twiml::Dialect::Twiml).expect("it is a document");
        let Some(twiml::Verb::Dial(dial)) = document.verbs.into_iter().next() else { return Ok(()) };
        let Some(noun) = dial.conference().cloned() else { return Ok(()) };
        let to = PHONES[self.rng.below(PHONES.len() as u64) as usize].1;
        let new = NewParticipant {
            call: NewCall {
                timeout_s: 20,
                ..NewCall::new(to, CALLER, CallDocument::Given(twiml::Source::Inline(String::new())))
            },
            conference: noun,
            early_media: self.rng.chance(0.7),
            region: None,
        };
        self.command(Operator::AddParticipant { conference, new: Box::new(new) })
    }

    fn command(&mut self, command: Operator) -> Result<(), Violation> {
        self.world.input(Input::Command { id: 1, command })
    }

    /// REFER, to a phone or to somebody consulted.
    fn somebody_transfers(&mut self) {
        let Some((id, session)) = self.some_call() else { return };
        let mut to = format!("sip:10{}@192.0.2.1", self.rng.below(7));
        let sessions = self.sessions(id);
        let other = sessions.iter().map(|(other, _)| *other).rfind(|other| *other != session);
        let dialog = other.and_then(|other| self.world.ua(id).endpoint.dialog_of(other));
        if let (Some((call_id, local, remote)), true) = (dialog, self.rng.chance(0.5)) {
            to.push_str(&format!("?Replaces={call_id}%3Bto-tag%3D{remote}%3Bfrom-tag%3D{local}"));
        }
        self.world.refer(id, session, &to);
    }

    fn a_call_is_updated_or_placed(&mut self) -> Result<(), Violation> {
        let rows = self.world.watch.rows.values();
        let live: Vec<_> = rows.filter(|row| !row.status.is_final()).map(|row| row.sid).collect();
        let n = usize::try_from(self.rng.below(live.len().max(1) as u64)).unwrap_or(0);
        let document = twiml::Source::Inline(match self.rng.below(3) {
            0 => "<Response><Say>elsewhere</Say></Response>".to_owned(),
            1 => format!("<Response><Dial><Client>p{}</Client></Dial></Response>", self.rng.below(6)),
            _ => "<Response><Dial><Conference>room</Conference></Dial></Response>".to_owned(),
        });
        let command = match live.get(n) {
            Some(call) if self.rng.chance(0.7) => {
                let fate = match self.rng.below(6) {
                    0 => Fate::Complete,
                    1 => Fate::Cancel,
                    _ => Fate::Redirect(document),
                };
                let update = Box::new(CallUpdate { fate: Some(fate), ..CallUpdate::default() });
                Operator::UpdateCall { call: *call, update }
            }
            Some(_) | None => Operator::Originate(Box::new(NewCall {
                send_digits: self.rng.chance(0.3).then(|| "1w2".to_owned()),
                timeout_s: 10,
                time_limit_s: self.rng.chance(0.3).then_some(5),
                ..NewCall::new(format!("10{}", self.rng.below(7)), NUMBER, CallDocument::Given(document))
            })),
        };
        self.world.input(Input::Command { id: 1, command })
    }

    fn configuration_is_read_again(&mut self) -> Result<(), Violation> {
        let mut again = office(&PHONES);
        again.listen = vec![(TransportKind::Udp, crate::world::BOX), (TransportKind::Tcp, crate::world::BOX)];
        self.world.input(Input::Office(Box::new(again)))
    }

    fn moods_change(&mut self) {
        let id = self.anybody();
        let reaction = match self.rng.below(10) {
            0 => Reaction::Refuse(486),
            1 => Reaction::Refuse(
                [404, 480, 500, 503, 603, 488][usize::try_from(self.rng.below(6)).unwrap_or(0)],
            ),
            2 => Reaction::Ignore,
            3 => Reaction::Early(Duration::from_millis(self.rng.below(6_000))),
            _ => Reaction::Answer(Duration::from_millis(self.rng.below(6_000))),
        };
        self.world.ua(id).reaction = reaction;
        if self.rng.chance(0.2) {
            self.world.sounds_broken = vec!["broken".to_owned()];
        }
        let fallback = self.document(2);
        self.world.web.serve(FALLBACK, fallback);
        for n in 0..4 {
            let action = self.document(1);
            self.world.web.serve(&format!("http://web.example/a{n}"), action);
            self.world.web.serve(&format!("http://web.example/s{n}"), Answer::page(204, None, ""));
            let music = if self.rng.chance(0.5) { self.music() } else { self.document(1) };
            self.world.web.serve(&format!("http://web.example/w{n}"), music);
        }
    }

    /// A page; the deeper, the sooner it comes to an end.
    fn document(&mut self, depth: u32) -> Answer {
        let answer = match self.rng.below(40) {
            0 => Answer::page(500, Some("text/html"), "<h1>oops"),
            1 => Answer::page(200, Some("text/html"), "<html><body>not TwiML</body></html>"),
            2 => Answer::page(200, Some("text/plain"), "just words"),
            3 => Answer::page(204, None, ""),
            4 => Answer::failure(11200).after(Duration::from_secs(14)),
            5 => Answer::failure(11210),
            6 => Answer::page(200, Some("audio/mpeg"), "sound"),
            7 => Answer::twiml(""),
            8 => Answer::page(200, Some("text/xml"), "<Response><Say>unclosed"),
            _ => {
                let verbs: String = (0..1 + self.rng.below(3)).map(|_| self.verb(depth)).collect();
                Answer::twiml(&verbs)
            }
        };
        let slow = self.rng.below(300);
        if answer.after < Duration::from_secs(1) { answer.after(Duration::from_millis(slow)) } else { answer }
    }

    fn verb(&mut self, depth: u32) -> String {
        let action = match (depth, self.rng.below(2)) {
            (0, 0) => format!(" action=\"/a{}\"", self.rng.below(4)),
            _ => " action=\"/a0\"".to_owned(),
        };
        match self.rng.below(22) {
            0 | 1 => "<Say>hello there</Say>".to_owned(),
            2 => format!(
                "<Play>http://web.example/{}.wav</Play>",
                if self.rng.chance(0.3) { "broken" } else { "clip" }
            ),
            3 => "<Play digits=\"12w3\"/>".to_owned(),
            4 => format!("<Pause length=\"{}\"/>", 1 + self.rng.below(5)),
            5 | 6 => format!(
                "<Gather numDigits=\"{}\" timeout=\"{}\"{action}><Say>press</Say><Play>http://web.example/clip.wav</Play></Gather>",
                1 + self.rng.below(3),
                self.rng.below(6)
            ),
            7 => format!("<Record maxLength=\"{}\" timeout=\"3\"{action}/>", 2 + self.rng.below(20)),
            8..12 => self.dial(&action),
            12 => "<Hangup/>".to_owned(),
            13 | 14 => self.conference(&action),
            15..18 => self.enqueue(&action),
            18 | 19 => self.dequeue(&action),
            _ if depth == 0 => format!("<Redirect>/a{}</Redirect>", self.rng.below(4)),
            _ => "<Reject reason=\"busy\"/>".to_owned(),
        }
    }

    fn dial(&mut self, action: &str) -> String {
        let mut attributes = format!(" timeout=\"{}\"", 5 + self.rng.below(20));
        for (name, chance) in [("hangupOnStar", 0.5), ("answerOnBridge", 0.3), ("sequential", 0.2)] {
            if self.rng.chance(chance) {
                attributes.push_str(&format!(" {name}=\"true\""));
            }
        }
        if self.rng.chance(0.3) {
            attributes.push_str(&format!(" timeLimit=\"{}\"", 1 + self.rng.below(30)));
        }
        if self.rng.chance(0.2) {
            attributes.push_str(" record=\"record-from-answer\"");
        }
        if self.rng.chance(0.6) {
            attributes.push_str(action);
        }
        let nouns: String = (0..self.rng.below(4))
            .map(|_| {
                let whisper = if self.rng.chance(0.15) { " url=\"/a1\"" } else { "" };
                let told = if self.rng.chance(0.3) {
                    " statusCallback=\"/s1\" statusCallbackEvent=\"initiated ringing answered completed\""
                } else {
                    ""
                };
                match self.rng.below(6) {
                    0 => format!("<Number{whisper}{told}>+1555888000{}</Number>", self.rng.below(10)),
                    1 => format!("<Sip{whisper}{told}>sip:p{}@192.0.2.1</Sip>", self.rng.below(7)),
                    2 => format!("<Number sendDigits=\"12\"{told}>10{}</Number>", self.rng.below(7)),
                    _ => format!("<Client{whisper}{told}>p{}</Client>", self.rng.below(7)),
                }
            })
            .collect();
        format!("<Dial{attributes}>{nouns}</Dial>")
    }

    /// A queue of few names, so that people meet.
    fn enqueue(&mut self, action: &str) -> String {
        let mut attributes = String::new();
        for (text, chance) in [
            (action, 0.7),
            (" maxQueueSize=\"2\"", 0.1),
            (" waitUrl=\"/w2\"", 0.3),
            (" waitUrl=\"/w3\" waitUrlMethod=\"GET\"", 0.3),
        ] {
            if self.rng.chance(chance) && !(text.contains("waitUrl") && attributes.contains("waitUrl")) {
                attributes.push_str(text);
            }
        }
        format!("<Enqueue{attributes}>queue {}</Enqueue>", self.rng.below(5) / 4)
    }

    fn dequeue(&mut self, action: &str) -> String {
        let mut dial = format!(" timeout=\"{}\"", 5 + self.rng.below(20));
        for (text, chance) in
            [(" hangupOnStar=\"true\"", 0.5), (" record=\"record-from-ringing\"", 0.2), (action, 0.6)]
        {
            if self.rng.chance(chance) {
                dial.push_str(text);
            }
        }
        if self.rng.chance(0.3) {
            dial.push_str(&format!(" timeLimit=\"{}\"", 1 + self.rng.below(30)));
        }
        let whisper = if self.rng.chance(0.4) { " url=\"/w1\"" } else { "" };
        format!("<Dial{dial}><Queue{whisper}>queue {}</Queue></Dial>", self.rng.below(5) / 4)
    }

    /// What somebody hears who waits.
    fn music(&mut self) -> Answer {
        let verbs = [
            "<Play>http://web.example/clip.wav</Play>",
            "<Gather numDigits=\"1\" action=\"/w0\"><Say>press</Say></Gather>",
            "<Pause length=\"1\"/>",
            "<Say>soon</Say><Redirect>/w1</Redirect>",
            "<Leave/>",
            "<Hangup/>",
            "",
        ];
        let verb = |n: u64| verbs[usize::try_from(n).unwrap_or(0)];
        Answer::twiml(&format!("{}{}", verb(self.rng.below(4)), verb(self.rng.below(7))))
    }

    /// A conference of few names, so that people meet.
    fn conference(&mut self, action: &str) -> String {
        let mut dial = String::new();
        for (text, chance) in
            [(" hangupOnStar=\"true\"", 0.5), (" answerOnBridge=\"true\"", 0.2), (action, 0.6)]
        {
            if self.rng.chance(chance) {
                dial.push_str(text);
            }
        }
        if self.rng.chance(0.3) {
            dial.push_str(&format!(" timeLimit=\"{}\"", 1 + self.rng.below(30)));
        }
        if self.rng.chance(0.2) {
            dial.push_str(" record=\"record-from-answer\"");
        }
        let mut noun = String::new();
        for (text, chance) in [
            (" startConferenceOnEnter=\"false\"", 0.4),
            (" endConferenceOnExit=\"true\"", 0.3),
            (" record=\"record-from-start\" recordingStatusCallback=\"/s3\"", 0.3),
            (" muted=\"true\"", 0.2),
            (" beep=\"onExit\"", 0.2),
            (" maxParticipants=\"2\"", 0.2),
            (" participantLabel=\"desk\"", 0.2),
            (
                " statusCallback=\"/s2\" statusCallbackEvent=\"start end join leave mute hold modify announcement\"",
                0.4,
            ),
            (" waitUrl=\"/w0\"", 0.2),
            (" waitUrl=\"/w1\" waitMethod=\"GET\"", 0.2),
        ] {
            if self.rng.chance(chance) && !(text.contains("waitUrl") && noun.contains("waitUrl")) {
                noun.push_str(text);
            }
        }
        format!("<Dial{dial}><Conference{noun}>room {}</Conference></Dial>", self.rng.below(3))
    }
}

fn transport(rng: &mut Rng) -> TransportKind {
    if rng.chance(0.3) { TransportKind::Tcp } else { TransportKind::Udp }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_seeds_end_in_peace_and_each_gives_the_same_story_twice() {
        for seed in 0..6 {
            let first = Chaos::run(seed, 20).unwrap();
            assert_eq!(Chaos::run(seed, 20).unwrap(), first, "seed {seed}");
            assert!(first.placed >= 20);
        }
    }

    #[test]
    fn people_do_talk_to_each_other_in_these_stories() {
        let reports: Vec<ChaosReport> = (0..20).map(|seed| Chaos::run(seed, 20).unwrap()).collect();
        let sum = |f: fn(&ChaosReport) -> u64| reports.iter().map(f).sum::<u64>();
        assert!(sum(|r| r.answered) > 200, "{}", sum(|r| r.answered));
        assert!(sum(|r| r.bridges) > 30, "{}", sum(|r| r.bridges));
        let longer = (0..40).map(|seed| Chaos::run(seed, 60).unwrap().taken);
        let taken: u64 = longer.sum();
        assert!(taken > 10, "{taken} were taken out of queues");
        assert!(sum(|r| r.joins) > 10, "{}", sum(|r| r.joins));
    }
}
