//! A `<Dial>` noun becomes calls: where it leads, what the callee is shown, and the INVITE.
//!
//! A `<Client>` with several registered devices becomes one call a device, so that each has its own record
//! and the first device to answer wins like the first noun does.

use std::net::IpAddr;
use std::time::Duration;

use base::CallSid;
use media::LegId;
use sip::{Destination, HeaderName, Host, NameAddr, SessionId, Uri};
use twiml::{CallFacts, CallStatus, ClientNoun, Dial, HttpMethod, Noun, ProgressEvent};

use crate::call::Call;
use crate::child::{ChildOf, Stage};
use crate::ctx::{Asked, Ctx, Mail};
use crate::fault::{NOT_REGISTERED, OVERLOAD, UNRESOLVED};
use crate::leg::{Leg, Side, Signalling};
use crate::outbound::Outbound;
use crate::outcome::Cause;
use crate::place::may_show;
use crate::record::{CallRow, EventKind, StoreItem};
use crate::route::{Target, Who, is_dialable, normalise, route};
use crate::timers::Timer;
use crate::transfer::ReferTo;

/// One place an INVITE can go to.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) destination: Destination,
    pub(crate) trunk: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) peer: Option<IpAddr>,
    /// Whether no limit applies: an emergency.
    pub(crate) unlimited: bool,
}

/// Why a noun leads nowhere.
pub(crate) struct Refusal {
    /// For the notification.
    pub(crate) code: u32,
    pub(crate) message: String,
    /// What a caller that is not answered yet is told.
    pub(crate) sip_code: u16,
}

/// What all nouns have in common.
struct Common<'a> {
    url: Option<&'a String>,
    method: HttpMethod,
    callback: Option<&'a twiml::StatusCallback>,
    send_digits: Option<&'a String>,
    machine_detection: Option<&'a twiml::MachineDetection>,
    headers: Vec<(HeaderName, String)>,
    credentials: Option<(String, String)>,
}

impl Call {
    /// The calls that ring `noun`, not yet born.
    pub(crate) fn originate(
        &mut self,
        noun: &Noun,
        dial: &Dial,
        ctx: &mut Ctx<'_>,
    ) -> Result<Vec<Call>, Refusal> {
        let places = places(noun, &self.dialler, ctx)?;
        let unlimited = places.iter().flatten().any(|way| way.unlimited);
        if ctx.is_full() && !unlimited {
            return Err(refuse(OVERLOAD, "the box has as many calls as it may have".to_owned(), 503));
        }
        Ok(places.into_iter().map(|ways| self.callee(noun, dial, ways, ctx)).collect())
    }

    /// The record of a noun that leads to nobody: a call that ends as it is born.
    pub(crate) fn stillborn(
        &mut self,
        noun: &Noun,
        dial: &Dial,
        why: Refusal,
        cause: Cause,
        ctx: &mut Ctx<'_>,
    ) -> Call {
        let mut child = self.callee(noun, dial, Vec::new(), ctx);
        child.fault = Some((why.code, why.message));
        if let Some(outbound) = &mut child.outbound {
            outbound.stillborn = Some(cause);
        }
        child
    }

    /// One call of the noun, by these ways.
    pub(crate) fn callee(&mut self, noun: &Noun, dial: &Dial, ways: Vec<Way>, ctx: &mut Ctx<'_>) -> Call {
        let common = common(noun);
        let from = self.shown_number(noun, dial, ways.first(), ctx);
        let to = name(noun);
        let mut shown = shown_from(&from, ways.first(), self.facts.caller_name.as_deref(), ctx);
        if dial.from_display_name.is_some() {
            shown.display.clone_from(&dial.from_display_name);
        }
        let mut headers = common.headers;
        headers.extend(diversion(dial, self.facts.forwarded_from.as_deref(), &shown));
        let sid = CallSid::random(&mut ctx.shared.rng);
        let session = SessionId(ctx.next_id());
        let sdp_id = u64::from(ctx.shared.rng.u32());
        let mut leg = Leg::new(LegId(ctx.next_id()), session, Side::Calling, sdp_id);
        leg.peer = ways.first().and_then(|way| way.peer);
        leg.near = self.near_codecs(ctx);
        let mut row = CallRow::new(
            sid,
            twiml::Direction::OutboundDial,
            from.clone(),
            to.clone(),
            CallStatus::Queued,
            ctx.now.wall,
        );
        row.parent = Some(self.sid());
        row.start = Some(ctx.now.wall);
        row.number = ctx.office.owned(&row.from);
        row.trunk = ways.first().and_then(|way| way.trunk.clone());
        row.phone = ways.first().and_then(|way| way.phone.clone());
        let facts = CallFacts {
            call_sid: sid,
            from,
            to,
            status: CallStatus::Queued,
            direction: twiml::Direction::OutboundDial,
            parent_call_sid: Some(self.sid()),
            forwarded_from: None,
            stir_verstat: None,
            answered_by: None,
            machine_detection_ms: None,
            sip: None,
            ..self.facts.clone()
        };
        let mut child = Call::new(row, leg, facts);
        child.callback = common.callback.cloned();
        child.outbound = Some(Box::new(Outbound {
            near: self.leg.holds_media().then_some(self.leg.id),
            ways,
            asleep: None,
            stillborn: None,
            from: shown,
            headers,
            credentials: common.credentials,
            send_digits: common.send_digits.cloned(),
            machine_detection: common.machine_detection.cloned(),
            detecting: false,
            sending: None,
            waiting: None,
            opening: None,
        }));
        child.child = Some(ChildOf {
            parent: self.sid(),
            parent_leg: self.leg.id,
            whisper: common.url.map(|url| (url.clone(), common.method)),
            sip: matches!(noun, Noun::Sip(_)).then(Box::default),
            refer_to: ReferTo::of(dial),
            stage: Stage::Ringing,
        });
        child
    }

    /// Whom the callee takes for the caller: who the document says, if a carrier may be shown that, or whoever this call
    /// is from (reference: twiml-voice §9.1). The two ends of this call may be passed on.
    fn shown_number(&mut self, noun: &Noun, dial: &Dial, way: Option<&Way>, ctx: &mut Ctx<'_>) -> String {
        let Some(wanted) = &dial.caller_id else { return self.facts.from.clone() };
        let is_end = |end: &String| normalise(end) == normalise(wanted);
        if may_show(wanted, noun, way, ctx) || [&self.facts.from, &self.facts.to].into_iter().any(is_end) {
            return wanted.clone();
        }
        let why = format!("callerId {wanted} is neither a number of this office nor a validated caller id");
        self.warn(NOT_TO_BE_SHOWN, why, ctx);
        self.facts.from.clone()
    }

    /// Who wakes phones is told which one is wanted, in the name of the call that dials: there may be a child call for
    /// each of its devices, or none.
    pub(crate) fn notify_client(&mut self, noun: &Noun, ctx: &mut Ctx<'_>) {
        let Noun::Client(ClientNoun { identity, notification_url: Some(url), .. }) = noun else { return };
        let mut params = twiml::standard_params(&self.facts);
        params.push(("Client".to_owned(), format!("client:{identity}")));
        ctx.fetch(self.sid(), Asked::Callback, url.clone(), HttpMethod::Post, params);
    }

    /// A new child begins: its turn first, then a port.
    pub(crate) fn born(&mut self, ctx: &mut Ctx<'_>) {
        ctx.store(StoreItem::Call(self.row.clone()));
        if let Some(cause) = self.outbound.as_mut().and_then(|outbound| outbound.stillborn.take()) {
            self.end(cause, ctx);
            return;
        }
        self.trace(EventKind::Decision, format!("rings {}", self.row.to), ctx);
        self.come_in_turn(ctx);
    }

    /// The port is there: the INVITE goes out, the first time or by the next way.
    pub(crate) fn send_invite(&mut self, ctx: &mut Ctx<'_>) {
        let first = self.facts.status == CallStatus::Queued;
        let Some(outbound) = &mut self.outbound else { return };
        // A trunk that is full is passed over.
        let open =
            |way: &Way| way.unlimited || way.trunk.as_deref().is_none_or(|trunk| !ctx.is_trunk_full(trunk));
        let Some(at) = outbound.ways.iter().position(open) else {
            let code = if outbound.ways.is_empty() { 404 } else { 503 };
            self.end(Cause::Unroutable(code), ctx);
            return;
        };
        let way = outbound.ways.drain(..=at).next_back().expect("a way was found there");
        // What is left stays as long as the call.
        outbound.ways.shrink_to_fit();
        if way.peer != self.leg.peer {
            // SDP shows each the address that routes to it, and strangers are told from it by where it is.
            self.leg.peer = way.peer;
            outbound.ways.insert(0, way);
            return self.readdress_media(ctx);
        }
        let another = !outbound.ways.is_empty();
        let sid = self.row.sid;
        if let Some(trunk) = &self.row.trunk {
            ctx.shared.load.leave_trunk(trunk, sid);
        }
        if let Some(trunk) = &way.trunk {
            ctx.shared.load.take_trunk(trunk, sid);
        }
        self.row.trunk = way.trunk;
        // What may be said depends on the trunk.
        let Some(body) = self.offer(media::Direction::SendRecv, ctx) else { return };
        let Some(outbound) = &self.outbound else { return };
        let outgoing = sip::Outgoing {
            session: self.leg.session,
            to: way.destination,
            from: outbound.from.clone(),
            to_header: None,
            headers: outbound.headers.clone(),
            body: Some(body),
            recording: None,
            credentials: outbound.credentials.clone(),
        };
        self.leg.signalling = Signalling::Invited;
        ctx.sip(sip::Command::Invite(Box::new(outgoing)));
        if another {
            ctx.timer(sid, Timer::Way, WAY_SILENT);
        }
        if first {
            self.row.start.get_or_insert(ctx.now.wall);
            self.tell(ProgressEvent::Initiated, None, ctx);
            self.facts.status = CallStatus::Ringing;
        }
    }

    /// Where the INVITE went nobody said anything, not even 100: there is another way to try.
    pub(crate) fn way_silent(&mut self, ctx: &mut Ctx<'_>) {
        let session = self.leg.session;
        let another = self.outbound.as_ref().is_some_and(|outbound| !outbound.ways.is_empty());
        if another && ctx.shared.endpoint.is_reached(session) == Some(false) {
            self.trace(EventKind::Decision, "no sign of life: the next way".to_owned(), ctx);
            ctx.sip(sip::Command::Cancel { session });
            self.try_next_way(ctx);
        }
    }

    fn try_next_way(&mut self, ctx: &mut Ctx<'_>) {
        let old = self.leg.session;
        let session = SessionId(ctx.next_id());
        self.leg.start_over(session, u64::from(ctx.shared.rng.u32()));
        ctx.shared.sessions.remove(&old);
        ctx.shared.sessions.insert(self.leg.session, self.row.sid);
        self.send_invite(ctx);
    }

    /// 18x.
    pub(crate) fn on_progress(&mut self, code: u16, body: Option<&[u8]>, ctx: &mut Ctx<'_>) {
        let mut early = None;
        if let (Some(answer), true) = (body, self.leg.offer_pending) {
            // A description in a provisional response is the answer already (RFC 3261 §13.2.1).
            if self.accept(Some(answer), ctx) {
                early = self.leg.negotiated.map(|negotiated| (self.leg.id, negotiated.codec));
            } else {
                self.leg.offer_pending = true;
            }
        }
        if !(180..=183).contains(&code) {
            return;
        }
        if early.is_some() {
            self.ring_in_conference(ctx);
        }
        if self.row.status != CallStatus::Ringing {
            self.set_status(CallStatus::Ringing, ctx);
            self.tell(ProgressEvent::Ringing, None, ctx);
        }
        let sid = self.sid();
        if let Some(child) = &self.child {
            ctx.mail(child.parent, Mail::ChildRinging { child: sid, early });
        }
    }

    /// 2xx.
    pub(crate) fn on_answered(&mut self, body: Option<&[u8]>, ctx: &mut Ctx<'_>) {
        self.leg.signalling = Signalling::Up;
        // What is told of the answer tells its codec.
        let fits = self.accept(body, ctx) && self.leg.negotiated.is_some();
        self.mark_answered(ctx);
        if fits {
            self.leg_up(ctx);
        } else {
            self.end(Cause::NoMedia(488), ctx);
        }
    }

    /// A final refusal: the next way if this one was never reached, else the end.
    pub(crate) fn on_refused(&mut self, code: u16, reason: &str, ctx: &mut Ctx<'_>) {
        self.trace(EventKind::Decision, format!("refused with {code} {reason}"), ctx);
        let another = self.outbound.as_ref().is_some_and(|outbound| !outbound.ways.is_empty());
        let unreached = matches!(code, 408 | 500 | 502 | 503 | 504) && self.row.status != CallStatus::Ringing;
        if another && unreached {
            self.try_next_way(ctx);
            return;
        }
        if reason == sip::UNRESOLVED {
            self.fail(UNRESOLVED, &self.row.to.clone(), ctx);
        }
        self.end(Cause::Refused(code), ctx);
    }
}

/// What webhooks call whom a noun names.
fn name(noun: &Noun) -> String {
    match noun {
        Noun::Client(client) => format!("client:{}", client.identity),
        Noun::Sip(noun) => noun.uri.clone(),
        Noun::Number(noun) => noun.number.clone(),
        // They are joined, not rung.
        Noun::Conference(_) | Noun::Queue(_) | Noun::Application(_) => String::new(),
    }
}

/// Where a noun leads: for each call the ways to try in order.
pub(crate) fn places(noun: &Noun, dialler: &Who, ctx: &mut Ctx<'_>) -> Result<Vec<Vec<Way>>, Refusal> {
    if let Some(phone) = phone_of(noun, dialler, ctx) {
        return phone_places(&phone, ctx);
    }
    match noun {
        Noun::Sip(noun) => {
            let uri: Uri = noun
                .uri
                .parse()
                .map_err(|_| refuse(13243, format!("`{}` is not a SIP address", noun.uri), 404))?;
            let peer = uri.host.ip();
            let way =
                Way { destination: Destination::Uri(uri), trunk: None, phone: None, peer, unlimited: false };
            Ok(vec![vec![way]])
        }
        Noun::Number(noun) => number_places(noun, dialler, ctx),
        Noun::Client(_) | Noun::Conference(_) | Noun::Queue(_) | Noun::Application(_) => Ok(Vec::new()),
    }
}

/// The phone that a noun means: by its name, by its address at this box, or by its extension.
pub(crate) fn phone_of(noun: &Noun, dialler: &Who, ctx: &Ctx<'_>) -> Option<String> {
    match noun {
        Noun::Client(client) => Some(client.identity.clone()),
        Noun::Sip(noun) => {
            let uri: Uri = noun.uri.parse().ok()?;
            let user = uri.user_decoded().into_owned();
            (is_ours(&uri, ctx) && ctx.office.phones.contains_key(&user)).then_some(user)
        }
        Noun::Number(noun) => match route(ctx.office, dialler, &noun.number, |_| true).target {
            Target::Phone { name, .. } => Some(name),
            Target::Emergency { .. }
            | Target::Trunk { .. }
            | Target::Application { .. }
            | Target::Feature(_)
            | Target::Barred
            | Target::NotFound => None,
        },
        Noun::Conference(_) | Noun::Queue(_) | Noun::Application(_) => None,
    }
}

fn number_places(noun: &twiml::Number, dialler: &Who, ctx: &Ctx<'_>) -> Result<Vec<Vec<Way>>, Refusal> {
    let office = ctx.office;
    let decision = route(office, dialler, &noun.number, |_| true);
    // Who names the carriers needs no route to them.
    let named = noun.trunk.as_ref().and_then(|wanted| office.byoc.get(wanted));
    if let (Some(trunks), Target::Trunk { .. } | Target::NotFound) = (named, &decision.target) {
        let number = normalise(&noun.number);
        if is_dialable(&number) {
            return Ok(vec![trunk_ways(&number, trunks, false, ctx)]);
        }
    }
    match decision.target {
        Target::Phone { name, .. } => phone_places(&name, ctx),
        Target::Emergency { number, trunks } => Ok(vec![trunk_ways(&number, &trunks, true, ctx)]),
        Target::Trunk { number, trunks } => {
            let trunks = match &noun.trunk {
                Some(wanted) if office.trunks.contains_key(wanted) => vec![wanted.clone()],
                Some(_) | None => trunks,
            };
            Ok(vec![trunk_ways(&number, &trunks, false, ctx)])
        }
        Target::Application { .. } => Err(refuse(
            13224,
            format!(
                "`{}` is a number of this office and cannot be dialled from its own document",
                noun.number
            ),
            404,
        )),
        none @ (Target::Feature(_) | Target::Barred | Target::NotFound) => {
            let (code, status) = match normalise(&noun.number) {
                _ if none == Target::Barred => (BARRED, 403),
                // No country's code begins with 0 (ITU-T E.164).
                number if number.starts_with("+0") => (13226, 404),
                // One of the world's numbers is none of this office's, or it is written as no number is.
                number if number.starts_with('+') => (13224, 404),
                _ => (13223, 404),
            };
            let why = decision.steps.join(" ");
            Err(refuse(code, format!("`{}` leads nowhere. {why}", noun.number), status))
        }
    }
}

/// What a noun adds to the headers of its INVITE.
pub(crate) fn headers(noun: &Noun) -> Vec<(HeaderName, String)> {
    common(noun).headers
}

fn common(noun: &Noun) -> Common<'_> {
    match noun {
        Noun::Conference(_) | Noun::Queue(_) | Noun::Application(_) => Common {
            url: None,
            method: twiml::HttpMethod::Post,
            callback: None,
            send_digits: None,
            machine_detection: None,
            headers: Vec::new(),
            credentials: None,
        },
        Noun::Number(n) => Common {
            url: n.url.as_ref(),
            method: n.method,
            callback: n.status_callback.as_ref(),
            send_digits: n.send_digits.as_ref(),
            machine_detection: n.machine_detection.as_ref(),
            headers: Vec::new(),
            credentials: None,
        },
        Noun::Sip(n) => Common {
            url: n.url.as_ref(),
            method: n.method,
            callback: n.status_callback.as_ref(),
            send_digits: None,
            machine_detection: n.machine_detection.as_ref(),
            headers: n
                .headers
                .iter()
                .map(|(name, value)| (HeaderName::Other(name.clone()), value.clone()))
                .collect(),
            credentials: n.username.clone().zip(n.password.clone()),
        },
        Noun::Client(n) => Common {
            url: n.url.as_ref(),
            method: n.method,
            callback: n.status_callback.as_ref(),
            send_digits: None,
            machine_detection: None,
            headers: n.parameters.iter().filter_map(|(name, value)| parameter_header(name, value)).collect(),
            credentials: None,
        },
    }
}

/// A `<Parameter>` as an `X-Param-` header; one that no header can carry is left out.
pub(crate) fn parameter_header(name: &str, value: &str) -> Option<(HeaderName, String)> {
    let name_fits =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let value_fits = !value.chars().any(char::is_control);
    (name_fits && value_fits).then(|| (HeaderName::Other(format!("X-Param-{name}")), value.to_owned()))
}

/// Who diverted the call here, for a callee that is to know (RFC 5806).
fn diversion(dial: &Dial, diverted: Option<&str>, shown: &NameAddr) -> Option<(HeaderName, String)> {
    let by = diverted.filter(|_| dial.pass_diversion)?;
    let uri = by.parse().unwrap_or_else(|_| Uri::sip(by, shown.uri.host.clone(), None));
    Some((HeaderName::Diversion, NameAddr::new(uri).to_string()))
}

/// One call for each place a phone is registered at.
fn phone_places(name: &str, ctx: &Ctx<'_>) -> Result<Vec<Vec<Way>>, Refusal> {
    // One that was taken away may still be registered for a while.
    if !ctx.office.phones.contains_key(name) {
        return Err(refuse(NOT_REGISTERED, format!("there is no phone `{name}`"), 404));
    }
    let contacts = ctx.shared.endpoint.contacts_of(name);
    if contacts.is_empty() {
        return Err(refuse(NOT_REGISTERED, format!("the phone `{name}` is not registered"), 480));
    }
    Ok(contacts.into_iter().map(|contact| vec![device(name, contact)]).collect())
}

/// One device of a phone.
pub(crate) fn device(phone: &str, contact: sip::Binding) -> Way {
    let peer = Some(contact.flow.remote.ip());
    let destination = Destination::Contact(contact);
    Way { destination, trunk: None, phone: Some(phone.to_owned()), peer, unlimited: false }
}

fn trunk_ways(number: &str, trunks: &[String], unlimited: bool, ctx: &Ctx<'_>) -> Vec<Way> {
    let way = |trunk: &String| {
        let address = ctx.office.trunks.get(trunk)?.address.parse::<Uri>().ok()?;
        let destination = Destination::Trunk { trunk: trunk.clone(), user: number.to_owned() };
        Some(Way { destination, trunk: Some(trunk.clone()), phone: None, peer: address.host.ip(), unlimited })
    };
    trunks.iter().filter_map(way).collect()
}

fn refuse(code: u32, message: String, sip_code: u16) -> Refusal {
    Refusal { code, message, sip_code }
}

/// Whether a SIP URI's host is this box.
pub(crate) fn is_ours(uri: &Uri, ctx: &Ctx<'_>) -> bool {
    if ctx.office.domains.contains_key(&uri.host.to_string().to_ascii_lowercase()) {
        return true;
    }
    match (&ctx.office.domain, uri.host.ip()) {
        (Some(domain), None) => uri.host.to_string().eq_ignore_ascii_case(domain),
        (_, Some(ip)) => ctx.office.listen.iter().any(|(_, address)| {
            let here =
                address.ip() == ip || (address.ip().is_unspecified() && ctx.office.addresses.contains(&ip));
            here && uri.port.is_none_or(|port| port == address.port())
        }),
        (None, None) => false,
    }
}

/// A `callerId` that no carrier may be shown (reference: error-codes 13214).
const NOT_TO_BE_SHOWN: u32 = 13214;

/// A number that a route without a trunk bars (reference: error-codes 13225).
pub(crate) const BARRED: u32 = 13225;

/// How long a place may say nothing at all before the next way is tried, if there is one.
const WAY_SILENT: Duration = Duration::from_secs(6);

/// The box without a name of its own, as this peer can call it back.
fn here(peer: Option<IpAddr>, ctx: &Ctx<'_>) -> Host {
    let listens = ctx.office.listen.first().map(|(_, address)| address.ip());
    let is_known = |ip: &IpAddr| !ip.is_unspecified();
    let nearest = || peer.and_then(|peer| ctx.shared.endpoint.nearest_address(peer));
    let any = || ctx.office.addresses.iter().find(|ip| !ip.is_loopback()).or(ctx.office.addresses.first());
    match listens.filter(is_known).or_else(nearest).or_else(|| any().copied()).or(listens) {
        Some(ip) => ip.into(),
        None => Host::Name("localhost".to_owned()),
    }
}

/// The From the callee sees.
pub(crate) fn shown_from(from: &str, way: Option<&Way>, name: Option<&str>, ctx: &Ctx<'_>) -> NameAddr {
    let user = match from.parse::<Uri>() {
        Ok(uri) if uri.is_sip() => uri.user_decoded().into_owned(),
        Ok(_) | Err(_) => from.strip_prefix("client:").unwrap_or(from).to_owned(),
    };
    let is_number = !user.is_empty() && user.bytes().all(|b| b.is_ascii_digit() || b == b'+');
    // A carrier is shown a number it knows, never the name of a phone or its extension.
    let phone = ctx.office.phones.get(&user).or_else(|| ctx.office.phone_by_extension(&user));
    let trunk = way.and_then(|way| way.trunk.as_ref()).and_then(|trunk| ctx.office.trunks.get(trunk));
    let user = match trunk {
        Some(trunk) if !is_number || phone.is_some() => phone
            .and_then(|phone| phone.caller_id.clone())
            .or_else(|| trunk.caller_id.clone())
            .or_else(|| trunk.username.clone())
            .unwrap_or_else(|| "anonymous".to_owned()),
        Some(_) | None if user.is_empty() => "anonymous".to_owned(),
        Some(_) | None => user,
    };
    let host = match &ctx.office.domain {
        Some(domain) => Host::Name(domain.clone()),
        None => here(way.and_then(|way| way.peer), ctx),
    };
    let mut shown = NameAddr::new(Uri::sip(&user, host, None));
    shown.display = name.filter(|_| trunk.is_none()).map(str::to_owned);
    shown
}
