//! The one owner of all signalling state.
//!
//! An input is handled completely before the next: it goes to the endpoint or to the call concerned, then
//! whatever that caused (events of the endpoint, mail between calls, children being born) is worked off until
//! nothing is left. What has to be done outside waits in the outputs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::{CallSid, ExpiringMap, Mono, Now, Reason, Rng, WorkspaceSid};
use sip::{Caller, Event, Flow, HeaderName, Request, SessionId};

use crate::agents::AgentSids;
use crate::call::Call;
use crate::callback;
use crate::conference_announce::Happens;
use crate::conferences::Conferences;
use crate::ctx::{Asked, CALLBACKS_MAX, CallerGone, Ctx, Mail, Shared};
use crate::exchange::Exchanges;
use crate::incoming;
use crate::io::{Input, Output};
use crate::keys::Source;
use crate::live::LiveTrunk;
use crate::load::Ledger;
use crate::office::Office;
use crate::outcome::Cause;
use crate::phones::Returning;
use crate::queue::Queues;
use crate::record::{EventKind, Gone, QueueRow, StoreItem};
use crate::siprec::RecorderIndex;
use crate::taskrouter::TaskRouter;
use crate::taskrouter::rows::RouterRow;
use crate::timers::Timers;
use crate::to_application;
use crate::trace::{CallIds, peek_call_id, summary};
use crate::transfer::Consulted;
use crate::turn::Lines;

/// The call centre without its IO.
pub struct Node {
    pub(crate) office: Office,
    pub(crate) calls: BTreeMap<CallSid, Box<Call>>,
    pub(crate) shared: Shared,
    /// Which call a message is shown under.
    call_ids: CallIds,
    pub(crate) draining: bool,
    pub(crate) calls_total: u64,
    pub(crate) counters: BTreeMap<&'static str, u64>,
    pub(crate) trunk_states: BTreeMap<String, String>,
    pub(crate) started: Mono,
}

impl Node {
    /// A node for this office. `user_agent` is written into SIP messages.
    pub fn new(office: Office, user_agent: &str, mut rng: Rng, now: Now) -> Self {
        let endpoint = sip::Endpoint::new(office.endpoint_config(user_agent), rng.fork(), now);
        let router = TaskRouter::new(rng.fork(), now);
        Self {
            office,
            calls: BTreeMap::new(),
            shared: Shared {
                rng,
                endpoint,
                returning: Returning::default(),
                user_agent: user_agent.to_owned(),
                outputs: VecDeque::new(),
                timers: Timers::default(),
                mail: VecDeque::new(),
                births: VecDeque::new(),
                sessions: BTreeMap::new(),
                legs: BTreeMap::new(),
                fetches: BTreeMap::new(),
                texml: BTreeSet::new(),
                exchanges: Exchanges::new(),
                notifications: BTreeMap::new(),
                callbacks: ExpiringMap::new(CALLBACKS_MAX),
                sounds: BTreeMap::new(),
                hearings: BTreeMap::new(),
                transcribing: BTreeMap::new(),
                conferences: Conferences::default(),
                announcements: BTreeMap::new(),
                queues: Queues::default(),
                router,
                streams: BTreeMap::new(),
                recorders: RecorderIndex::default(),
                conference_recordings: BTreeMap::new(),
                load: Ledger::default(),
                lines: Lines::default(),
                own_calls: ExpiringMap::new(to_application::OWN_CALLS_MAX),
                next_id: 0,
            },
            call_ids: CallIds::new(),
            draining: false,
            calls_total: 0,
            counters: BTreeMap::new(),
            trunk_states: BTreeMap::new(),
            started: now.mono,
        }
    }

    /// The queues of earlier days, before the first input.
    pub fn restore_queues(&mut self, rows: Vec<QueueRow>) {
        self.shared.queues.restore(rows);
    }

    /// The workspaces of earlier days, before the first input. `past`: what they had counted until then; `None`: that
    /// comes later ([`Self::remember_router`]).
    pub fn restore_router(
        &mut self,
        rows: Vec<RouterRow>,
        past: Option<&BTreeMap<WorkspaceSid, router::Past>>,
        now: Now,
    ) {
        let office = AgentSids(self.office.account_sid).workspace();
        self.shared.router.restore(rows, past, office, now);
        self.furnish_agents(now);
        self.settle(now);
    }

    /// What the workspaces of earlier days had counted, where that was still to come.
    pub fn remember_router(&mut self, past: BTreeMap<WorkspaceSid, router::Past>, now: Now) {
        self.shared.router.remember(past, now);
        self.settle(now);
    }

    /// Takes one event of the outside world.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Sip(input) => {
                if let sip::Input::Received { flow, bytes } = &input {
                    self.trace_sip(EventKind::SipIn, bytes, flow.remote, now);
                }
                self.shared.endpoint.handle(input, now);
            }
            Input::Fetched { id, result } => {
                if self.on_assigned(id, &result, now) {
                    self.settle(now);
                    return;
                }
                if let Some(row) = self.shared.exchanges.answered(id, &result, now) {
                    self.shared.outputs.push_back(Output::Store(StoreItem::Exchange(row)));
                }
                if let Some((sid, theirs)) = self.shared.fetches.remove(&id) {
                    if let Some(Happens::Fetched(theirs, result)) =
                        self.announcing(sid, Happens::Fetched(theirs, result), now)
                    {
                        self.with(sid, now, |call, ctx| call.on_fetched(theirs, result, ctx));
                    }
                } else if let (Some((sid, asked)), Err(failure)) = (self.shared.callbacks.remove(&id), result)
                {
                    self.on_callback_failed(sid, asked, &failure, now);
                }
            }
            Input::Media(event) => self.on_media(event, now),
            Input::Sound { key, result } => {
                let result = result.map(|_| ());
                for sid in self.shared.sounds.remove(&key).unwrap_or_default() {
                    self.announcing(sid, Happens::Sound(key.clone(), result.clone()), now);
                    self.with(sid, now, |call, ctx| call.on_sound(&key, &result, ctx));
                }
            }
            Input::Speech { id, news } => {
                if let Some(sid) = self.shared.hearings.get(&id).copied() {
                    self.with(sid, now, |call, ctx| call.on_speech(id, news, ctx));
                }
            }
            Input::Transcribed { sid, result } => self.on_transcribed(sid, result, now),
            Input::Stream { stream, event } => {
                if let Some(sid) = self.shared.streams.get(&stream).copied() {
                    self.with(sid, now, |call, ctx| call.on_stream(stream, event, ctx));
                }
            }
            Input::Office(office) => {
                let config = office.endpoint_config(&self.shared.user_agent);
                self.office = *office;
                self.shared.endpoint.handle(sip::Input::Config(config), now);
                self.furnish_agents(now);
            }
            Input::Command { id, command } => self.on_operator(id, command, now),
        }
        self.settle(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.shared.endpoint.handle_timeout(now);
        while self.shared.callbacks.expire(now.mono).is_some() {}
        self.router_timeout(now);
        self.shared.exchanges.expire(now.mono);
        while let Some((sid, timer)) = self.shared.timers.expire(now.mono) {
            self.announcing(sid, Happens::Timer(timer), now);
            self.with(sid, now, |call, ctx| call.on_timer(timer, ctx));
        }
        self.settle(now);
    }

    /// What the owner must do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.shared.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), and why.
    pub fn poll_timeout(&self) -> Option<(Mono, Reason)> {
        let calls = self.shared.timers.poll_timeout();
        let endpoint = self.shared.endpoint.poll_timeout();
        let router = self.shared.router.poll_timeout();
        [calls, endpoint, router].into_iter().flatten().min_by_key(|(deadline, _)| *deadline)
    }

    /// Legs in progress.
    pub fn calls_open(&self) -> usize {
        self.calls.len()
    }

    /// Gives one call an input.
    pub(crate) fn with(&mut self, sid: CallSid, now: Now, f: impl FnOnce(&mut Call, &mut Ctx<'_>)) {
        let Some(call) = self.calls.get_mut(&sid) else { return };
        let mut ctx = Ctx { now, office: &self.office, shared: &mut self.shared };
        f(call, &mut ctx);
        if call.is_gone() {
            self.bury(sid);
        }
    }

    /// Works off what an input caused, until nothing is left.
    fn settle(&mut self, now: Now) {
        loop {
            if let Some(output) = self.shared.endpoint.poll_output() {
                match output {
                    sip::Output::Transmit { flow, bytes } => {
                        self.trace_sip(EventKind::SipOut, &bytes, flow.remote, now);
                        self.shared.outputs.push_back(Output::Transmit { flow, bytes });
                    }
                    sip::Output::Resolve { id, host, port, transport } => {
                        self.shared.outputs.push_back(Output::Resolve { id, host, port, transport });
                    }
                    sip::Output::Event(event) => self.on_sip(event, now),
                }
            } else if let Some(child) = self.shared.births.pop_front() {
                self.adopt(child, now);
            } else if let Some((sid, mail)) = self.shared.mail.pop_front() {
                self.deliver(sid, mail, now);
            } else if !self.router_step(now) && !self.light_lamps(now) {
                return;
            }
        }
    }

    /// A new call becomes one of ours.
    pub(crate) fn adopt(&mut self, call: Call, now: Now) {
        let sid = call.sid();
        self.calls_total += 1;
        self.shared.sessions.insert(call.leg.session, sid);
        self.shared.legs.insert(call.leg.id, sid);
        let dialled = call.outbound.is_some();
        if call.facts.dialect == twiml::Dialect::Texml {
            self.shared.texml.insert(sid);
        }
        if let (Some(trunk), false) = (&call.row.trunk, dialled) {
            self.shared.load.take_trunk(trunk, sid);
        }
        self.calls.insert(sid, Box::new(call));
        if dialled {
            self.with(sid, now, |call, ctx| call.born(ctx));
        }
    }

    fn deliver(&mut self, sid: CallSid, mail: Mail, now: Now) {
        // A child whose parent is gone before it was born or answered belongs to nobody.
        if !self.calls.contains_key(&sid) {
            if let Mail::ChildAnswered { child } | Mail::ChildReady { child, .. } = mail {
                self.with(child, now, |call, ctx| call.end(Cause::Released { timeout: false }, ctx));
            }
            // The two sides of a queue learn of each other's end all the same.
            match mail {
                Mail::Dequeued { by, .. } => {
                    let gone = Mail::CallerGone { caller: sid, why: CallerGone::HungUp };
                    self.shared.mail.push_back((by, gone));
                }
                Mail::CallerReady { caller, .. } => {
                    self.shared.mail.push_back((caller, Mail::TakerGone { taker: sid }));
                }
                _ => {}
            }
            return;
        }
        self.with(sid, now, |call, ctx| call.on_mail(mail, ctx));
    }

    /// A call of which nothing is left.
    fn bury(&mut self, sid: CallSid) {
        let Some(call) = self.calls.remove(&sid) else { return };
        self.shared.sessions.remove(&call.leg.session);
        self.shared.legs.remove(&call.leg.id);
        self.shared.timers.cancel_all(sid);
        self.shared.exchanges.forget(sid);
        if call.forgotten {
            self.shared.outputs.push_back(Output::Store(StoreItem::Gone(Gone::Call(sid))));
        }
        self.shared.texml.remove(&sid);
        self.shared.load.release(sid, call.row.trunk.as_deref(), call.row.phone.as_deref());
        for id in &call.call_ids {
            self.call_ids.remove(id);
        }
        self.shared.hearings.retain(|_, owner| *owner != sid);
        self.shared.sounds.retain(|_, waiting| {
            waiting.remove(&sid);
            true
        });
        self.shared.outputs.push_back(Output::CallOver(sid));
    }

    fn on_sip(&mut self, event: Event, now: Now) {
        if let Some((call, sid)) =
            event.session().and_then(|session| self.shared.recorders.of_session(session))
        {
            self.with(call, now, |call, ctx| call.on_recorder(sid, event, ctx));
            return;
        }
        match event {
            Event::Incoming { session, request, flow, from } => {
                self.on_incoming(session, &request, flow, from, now)
            }
            Event::Progress { session, code, body, .. } => {
                self.with_session(session, now, |call, ctx| call.on_progress(code, body.as_deref(), ctx));
            }
            Event::Answered { session, body, headers } => {
                self.with_session(session, now, |call, ctx| {
                    call.final_response(200, &headers, ctx);
                    call.on_answered(body.as_deref(), ctx);
                });
            }
            Event::Refused { session, code, reason, headers } => {
                self.with_session(session, now, |call, ctx| {
                    call.final_response(code, &headers, ctx);
                    call.on_refused(code, &reason, ctx);
                });
            }
            Event::Acked { offered: false, .. } => {}
            Event::Acked { session, offered: true, body } => {
                self.with_session(session, now, |call, ctx| call.on_acked(body.as_deref(), ctx));
            }
            Event::Cancelled { session } => {
                self.with_session(session, now, |call, ctx| call.on_cancelled(ctx))
            }
            Event::Offered { session, body } => {
                self.with_session(session, now, |call, ctx| call.on_offered(body, ctx));
            }
            Event::OfferAnswered { session, result } => {
                self.with_session(session, now, |call, ctx| call.on_offer_answered(result, ctx));
            }
            Event::Ended { session, why, .. } => {
                let cause = match why {
                    sip::Ended::ByPeer { .. } => Cause::Peer,
                    sip::Ended::AckTimeout => Cause::NoAck,
                    sip::Ended::TransactionTimeout | sip::Ended::FlowLost => Cause::Signalling,
                };
                self.with_session(session, now, |call, ctx| call.end(cause, ctx));
            }
            Event::Info { session, content_type, body } => {
                if let Some(digit) = incoming::info_digit(&content_type, &body) {
                    self.with_session(session, now, |call, ctx| call.on_key(digit, Source::Info, ctx));
                }
            }
            Event::Referred { session, to } => {
                let consulted = self.consulted(&to);
                self.with_session(session, now, |call, ctx| call.on_referred(&to, consulted, ctx));
            }
            Event::ReferAnswered { session, code } => {
                self.with_session(session, now, |call, ctx| call.on_refer_answered(code, ctx));
            }
            Event::Notified { session, code, last } => {
                self.with_session(session, now, |call, ctx| call.on_notified(code, last, ctx));
            }
            Event::Registered { user, .. } => {
                self.count("phone registered");
                self.shared.returning.is_back(&user);
                self.wake(&user, now);
            }
            Event::Unregistered { .. } => self.count("phone unregistered"),
            Event::ContactsChanged { user } => self.keep_contacts(user, now),
            Event::TrunkState { trunk, state } => {
                self.trunk_states.insert(trunk, crate::operator::trunk_words(&state));
            }
            Event::Rejected { what, .. } => self.count(what),
        }
    }

    fn on_incoming(&mut self, session: SessionId, request: &Request, flow: Flow, from: Caller, now: Now) {
        let draining = self.draining;
        let mut ctx = Ctx { now, office: &self.office, shared: &mut self.shared };
        match incoming::receive(session, request, flow, from, draining, &mut ctx) {
            Ok((call, begin)) => {
                let sid = call.sid();
                self.adopt(call, now);
                if let Some(id) = request.headers.text(&HeaderName::CallId) {
                    self.show_under(id.into_owned(), sid);
                }
                self.with(sid, now, |call, ctx| {
                    call.trace(EventKind::SipIn, format!("INVITE {} ({})", request.uri, flow.remote), ctx);
                    begin.start(call, ctx);
                });
            }
            Err(refusal) => self.count(refusal),
        }
    }

    /// The call that a Refer-To wants to be replaced, if it is one of ours.
    fn consulted(&self, to: &sip::NameAddr) -> Option<Consulted> {
        let replaces = sip::Replaces::in_uri(&to.uri)?;
        let endpoint = &self.shared.endpoint;
        // Some phones name the tags as they see them themselves.
        let session = [&replaces.to_tag, &replaces.from_tag]
            .into_iter()
            .find_map(|tag| endpoint.session_of_dialog(&replaces.call_id, tag))?;
        let call = self.calls.get(self.shared.sessions.get(&session)?)?;
        Some(Consulted {
            call: call.sid(),
            with: call.near_call(),
            phone: call.row.phone.clone(),
            dialled: call.row.to.clone(),
        })
    }

    /// A status callback failed, perhaps after its call was over: either way the call's record says so.
    fn on_callback_failed(&mut self, sid: CallSid, asked: Asked, failure: &twiml::FetchFailure, now: Now) {
        match asked {
            Asked::Debugger => return self.count("debugger webhook failed"),
            Asked::RouterEvent => self.count("TaskRouter event callback failed"),
            Asked::Interpreter(_) | Asked::Callback | Asked::ConferenceCallback(_) => {}
        }
        let mut ctx = Ctx { now, office: &self.office, shared: &mut self.shared };
        let mut row = callback::failed(sid, asked, failure, &mut ctx);
        if matches!(asked, Asked::RouterEvent) {
            // Its lane is a workspace, no call.
            row.call = None;
        }
        ctx.store(StoreItem::Notification(row));
    }

    fn on_media(&mut self, event: media::Event, now: Now) {
        if self.on_conference_recording(&event, now) {
            return;
        }
        use media::Event as E;
        if let E::Announced { room, play, .. } = event {
            return self.on_announced(room, play, now);
        }
        let is_last = matches!(event, E::Closed { .. } | E::OpenFailed { .. });
        if let Some((call, sid)) = event.leg().and_then(|leg| self.shared.recorders.of_leg(leg, is_last)) {
            self.with(call, now, |call, ctx| call.on_recorder_media(sid, &event, ctx));
            return;
        }
        let Some(sid) = event.leg().and_then(|leg| self.shared.legs.get(&leg).copied()) else {
            self.orphan(event);
            return;
        };
        self.with(sid, now, |call, ctx| match event {
            E::Opened { local, .. } => call.on_opened(local, ctx),
            E::OpenFailed { why, .. } => call.on_open_failed(&why, ctx),
            // No leg is told of it.
            E::Announced { .. } => {}
            E::Played { play, .. } => call.on_played(play, ctx),
            E::Digit { digit, .. } => call.on_key(digit, Source::Media, ctx),
            E::Finding { finding, began, .. } => call.on_finding(finding, began, ctx),
            E::Speaking { began, .. } => call.on_speaking(began, ctx),
            E::AnsweredBy { answered_by, ms, .. } => call.on_answered_by(answered_by, ms, ctx),
            E::MediaLost { .. } => call.end(Cause::MediaLost, ctx),
            E::RecordStarted { recording, .. } => call.on_record_started(recording, ctx),
            E::Recorded { recording, duration_ms, bytes, why, .. } => {
                call.on_recorded(recording, duration_ms, bytes, &why, ctx);
            }
            E::Closed { stats, .. } => call.on_closed(&stats, ctx),
        });
    }

    /// A leg opened too late for its call must not stay open.
    fn orphan(&mut self, event: media::Event) {
        if let media::Event::Opened { leg, .. } = event {
            self.shared.outputs.push_back(Output::Media(media::Command::Close { leg }));
            self.count("media leg without a call");
        }
    }

    fn with_session(&mut self, session: SessionId, now: Now, f: impl FnOnce(&mut Call, &mut Ctx<'_>)) {
        if let Some(sid) = self.shared.sessions.get(&session).copied() {
            self.with(sid, now, f);
        }
    }

    /// Whoever dials this phone rings it where it is now, too.
    fn wake(&mut self, phone: &str, now: Now) {
        let dialling: Vec<CallSid> =
            self.calls.iter().filter(|(_, call)| call.rings_phone(phone)).map(|(sid, _)| *sid).collect();
        for sid in dialling {
            self.with(sid, now, |call, ctx| call.phone_registered(phone, ctx));
        }
    }

    /// Writes a SIP message into the ladder of the call it belongs to.
    fn trace_sip(&mut self, kind: EventKind, bytes: &[u8], peer: std::net::SocketAddr, now: Now) {
        let Some(id) = peek_call_id(bytes) else { return };
        let sid = match self.call_ids.get(id) {
            Some(sid) => *sid,
            None => {
                let Some(session) = self.shared.endpoint.session_by_call_id(id) else { return };
                if let Some(sid) = self.shared.sessions.get(&session).copied() {
                    self.show_under(id.to_owned(), sid);
                    sid
                } else if let Some((sid, _)) = self.shared.recorders.of_session(session) {
                    self.show_beside(id.to_owned(), sid);
                    sid
                } else {
                    return;
                }
            }
        };
        self.with(sid, now, |call, ctx| call.trace(kind, summary(bytes, peer), ctx));
    }

    fn show_under(&mut self, call_id: String, sid: CallSid) {
        if let Some(call) = self.calls.get_mut(&sid) {
            call.call_ids.push(call_id.clone());
            self.call_ids.insert(call_id, sid);
        }
    }

    /// The call's own Call-ID stays its last one.
    fn show_beside(&mut self, call_id: String, sid: CallSid) {
        if let Some(call) = self.calls.get_mut(&sid) {
            call.call_ids.insert(0, call_id.clone());
            self.call_ids.insert(call_id, sid);
        }
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counters.entry(what).or_default() += 1;
    }

    /// The legs of the media plane that a call still holds; for the simulator's invariants.
    pub fn legs_held(&self) -> BTreeSet<media::LegId> {
        self.calls.values().filter(|call| call.leg.holds_media()).map(|call| call.leg.id).collect()
    }

    /// The legs that are in conferences, and the room each belongs in; for the simulator's invariants.
    pub fn seats(&self) -> BTreeMap<media::LegId, media::RoomId> {
        self.shared.conferences.seats().collect()
    }

    /// The conferences there are, and how many are in each.
    pub fn conferences(&self) -> BTreeMap<base::ConferenceSid, usize> {
        self.shared.conferences.sizes().collect()
    }

    /// Who is in which conference; for the simulator's chaos.
    pub fn participants(&self) -> Vec<(base::ConferenceSid, CallSid)> {
        self.shared.conferences.participants().collect()
    }

    /// Requests and sounds somebody still waits for.
    pub fn pending(&self) -> usize {
        let waiting = self.shared.sounds.values().filter(|waiting| !waiting.is_empty()).count();
        self.shared.fetches.len()
            + self.shared.hearings.len()
            + self.shared.transcribing.len()
            + self.shared.announcements.len()
            + waiting
    }

    /// Every call in a few words, for a test that found one too many.
    pub fn describe_calls(&self) -> String {
        let describe = |call: &Call| {
            format!(
                "{} {} to {} {} {:?} {:?} ended {:?} doing {:?}",
                call.row.sid,
                call.row.from,
                call.row.to,
                call.row.status,
                call.leg.signalling,
                call.leg.media,
                call.ended,
                call.running.word()
            )
        };
        self.calls.values().map(|call| describe(call)).collect::<Vec<_>>().join("; ")
    }

    /// The SIP endpoint, to look at.
    pub fn endpoint(&self) -> &sip::Endpoint {
        &self.shared.endpoint
    }

    /// Trunks as an operator sees them.
    pub(crate) fn live_trunks(&self) -> Vec<LiveTrunk> {
        let live = |trunk: &crate::office::Trunk| LiveTrunk {
            name: trunk.name.clone(),
            address: trunk.address.clone(),
            state: self.trunk_states.get(&trunk.name).cloned().unwrap_or_else(|| {
                if trunk.register { "registering".to_owned() } else { "static".to_owned() }
            }),
            calls: self.calls.values().filter(|call| call.row.trunk.as_ref() == Some(&trunk.name)).count(),
        };
        self.office.trunks.values().map(live).collect()
    }
}
