//! A call that somebody asks for from outside: rung first, its document afterwards (reference: rest-voice §5.1).

use std::time::Duration;

use base::CallSid;
use media::LegId;
use router::SupervisorMode;
use serde::{Deserialize, Serialize};
use sip::SessionId;
use twiml::{
    CallFacts, CallStatus, Dialect, Direction, MachineDetection, Noun, RecordingStatusCallback, Source,
    StatusCallback, Verb,
};

use crate::call::Call;
use crate::ctx::Ctx;
use crate::incoming::escape;
use crate::leg::{Leg, Side};
use crate::office::{DocumentRef, Secret};
use crate::originate::{BARRED, Way, headers, phone_of, places, shown_from};
use crate::outbound::{Opening, Outbound};
use crate::outcome::Cause;
use crate::record::{CallRow, EventKind, RecordingSource};
use crate::record_verb::WholeCall;
use crate::route::{Who, is_dialable, normalise};
use crate::to_application;
use crate::turn::Waiting;

/// A call to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewCall {
    /// Whom to ring: a number, an extension, `client:name`, or a SIP URI.
    pub to: String,
    /// Who calls, as webhooks name it and the callee sees it.
    pub from: String,
    /// What the callee sees instead.
    pub caller_id: Option<String>,
    /// The caller's name as the callee sees it; a carrier is shown it only in the dialect that says so.
    pub display_name: Option<String>,
    /// What runs after the answer.
    pub document: CallDocument,
    /// Asked when that, or one it led to, cannot be had.
    pub fallback: Option<DocumentRef>,
    /// How documents are read.
    pub dialect: Dialect,
    /// Who is told how it goes.
    pub status_callback: Option<StatusCallback>,
    /// Sent as keys after the answer, before the document.
    pub send_digits: Option<String>,
    /// Whether it is listened who answers; not when digits are sent.
    pub machine_detection: Option<MachineDetection>,
    /// How long it may ring, seconds.
    pub timeout_s: u32,
    /// How long it may last once answered, seconds.
    pub time_limit_s: Option<u32>,
    /// Whether it is recorded from the answer on.
    pub record: Option<RecordWish>,
    /// For a challenge of the callee's.
    pub credentials: Option<(String, Secret)>,
    /// Whose trunks carry it, where it leaves the office: a key of [`Office::byoc`](crate::office::Office::byoc).
    pub carrier: Option<String>,
    /// How long it waits before it is its turn, seconds.
    pub delay_s: u32,
    /// Whether a carrier may only be shown a number that is the office's to show.
    pub checks_from: bool,
    /// Where it is told that a client is wanted, so that its phone is woken.
    pub client_notification: Option<String>,
    /// Whether a phone that is not registered is waited for, as long as it may ring.
    pub awaits_phone: bool,
    /// A call this one is to supervise, and how: what runs is then the conference in which that call is.
    pub supervises: Option<(CallSid, SupervisorMode)>,
    /// What is to be remarked of how it was asked for: numbers of the error catalogue with a sentence.
    pub remarks: Vec<(u32, String)>,
}

impl NewCall {
    /// A call like any other: it rings for a minute, and nobody is told how it goes.
    pub fn new(to: impl Into<String>, from: impl Into<String>, document: CallDocument) -> Self {
        Self {
            to: to.into(),
            from: from.into(),
            caller_id: None,
            display_name: None,
            document,
            fallback: None,
            dialect: Dialect::Twiml,
            status_callback: None,
            send_digits: None,
            machine_detection: None,
            timeout_s: 60,
            time_limit_s: None,
            record: None,
            credentials: None,
            carrier: None,
            delay_s: 0,
            checks_from: false,
            client_notification: None,
            awaits_phone: false,
            supervises: None,
            remarks: Vec::new(),
        }
    }
}

/// What runs once a call that was asked for is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallDocument {
    /// This one.
    Given(Source),
    /// That of an application of the office, by sid, with its fallback, its callback and its dialect where the new
    /// call has none of its own.
    Of(String),
}

/// How a call is recorded whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordWish {
    /// Whose voice, in how many channels.
    pub what: media::RecordWhat,
    /// Silence at both ends is left out.
    pub trim: bool,
    /// Who is told about the file.
    pub callback: Option<RecordingStatusCallback>,
}

/// Why no call was made: the published number and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotPlaced {
    /// (`error-codes`)
    pub code: u32,
    /// For whoever asked.
    pub why: String,
}

/// The call that was asked for, not yet born; or one that is over before it began, because its phone is out of reach.
pub(crate) fn place(
    new: NewCall,
    draining: bool,
    ctx: &mut Ctx<'_>,
) -> Result<(Call, Option<Cause>), NotPlaced> {
    let (to, told) = to_application::with_parameters(new.to.trim());
    let address = to_application::address(&to, &told, &new, ctx)?;
    let Some(mut noun) = noun(address.as_deref().unwrap_or(&to)) else {
        return Err(NotPlaced { code: MALFORMED, why: format!("`{to}` is nothing that can be called") });
    };
    let mut new = new;
    if let Noun::Client(client) = &mut noun {
        client.parameters = told;
        client.notification_url = new.client_notification.take();
    }
    if let Some(carrier) = new.carrier.take() {
        if !ctx.office.byoc.contains_key(&carrier) {
            return Err(NotPlaced { code: NO_CARRIER, why: format!("there is no trunk {carrier}") });
        }
        if let Noun::Number(number) = &mut noun {
            number.trunk = Some(carrier);
        }
    }
    let source = match new.document.clone() {
        CallDocument::Given(source) => source,
        CallDocument::Of(sid) => {
            let Some(application) = ctx.office.applications.get(&sid) else {
                return Err(NotPlaced {
                    code: NO_APPLICATION,
                    why: format!("there is no application {sid}"),
                });
            };
            new.fallback = new.fallback.or_else(|| application.fallback.clone());
            new.status_callback = new.status_callback.or_else(|| application.status_callback.clone());
            new.dialect = new.dialect.max(application.dialect);
            application.voice.clone()
        }
    };
    if draining {
        return Err(NotPlaced { code: UNAVAILABLE, why: "the box takes no new calls".to_owned() });
    }
    let sid = CallSid::random(&mut ctx.shared.rng);
    let (mut ways, out_of_reach) = match places(&noun, &Who::Api, ctx) {
        // One call has one callee: of several devices of a phone the one that registered last, then the others.
        Ok(places) => (places.into_iter().flatten().collect::<Vec<_>>(), None),
        // Whoever was told wakes it, or it comes by itself: it is waited for.
        Err(refusal)
            if refusal.sip_code == OUT_OF_REACH
                && (is_woken(&noun) || new.awaits_phone || is_returning(&noun, ctx)) =>
        {
            (Vec::new(), None)
        }
        Err(refusal) if refusal.sip_code == OUT_OF_REACH => {
            (Vec::new(), Some((Cause::Unroutable(OUT_OF_REACH), refusal)))
        }
        Err(refusal) => {
            let code = if refusal.code == BARRED { BLOCKED } else { UNREACHABLE };
            return Err(NotPlaced { code, why: refusal.message });
        }
    };
    if ctx.is_full() && !ways.iter().any(|way| way.unlimited) {
        return Err(NotPlaced { code: TOO_MANY, why: "the box has as many calls as it may have".to_owned() });
    }
    let shown = new.caller_id.as_deref().unwrap_or(&new.from);
    if new.checks_from && !may_show(shown, &noun, ways.first(), ctx) {
        let why = format!("{shown} is neither a number of this office nor a validated caller id");
        return Err(NotPlaced { code: NOT_OURS, why });
    }
    let mut shown = shown_from(shown, ways.first(), None, ctx);
    if new.dialect == Dialect::Texml || ways.first().is_none_or(|way| way.trunk.is_none()) {
        shown.display = new.display_name.take().or(shown.display);
    }
    let session = SessionId(ctx.next_id());
    let sdp_id = u64::from(ctx.shared.rng.u32());
    let mut leg = Leg::new(LegId(ctx.next_id()), session, Side::Calling, sdp_id);
    if address.is_some() {
        ways.iter_mut().for_each(|way| way.peer = Some(to_application::HERE));
    }
    leg.peer = ways.first().and_then(|way| way.peer);
    let direction = Direction::OutboundApi;
    let mut row =
        CallRow::new(sid, direction, new.from.clone(), to.clone(), CallStatus::Queued, ctx.now.wall);
    row.number = ctx.office.owned(&row.from);
    row.trunk = ways.first().and_then(|way| way.trunk.clone());
    row.phone = ways.first().and_then(|way| way.phone.clone());
    let facts = CallFacts {
        call_sid: sid,
        account_sid: ctx.office.account_sid,
        from: new.from,
        to,
        status: CallStatus::Queued,
        direction,
        parent_call_sid: None,
        forwarded_from: None,
        caller_name: None,
        stir_verstat: None,
        answered_by: None,
        machine_detection_ms: None,
        sip: None,
        dialect: new.dialect,
    };
    let asleep =
        if ways.is_empty() && out_of_reach.is_none() { phone_of(&noun, &Who::Api, ctx) } else { None };
    let mut call = Call::new(row, leg, facts);
    call.notify_client(&noun, ctx);
    new.remarks.drain(..).for_each(|(code, why)| call.warn(code, why, ctx));
    call.callback = new.status_callback;
    call.time_limit_s = new.time_limit_s;
    call.record_all = new.record.map(|wish| WholeCall {
        what: wish.what,
        source: RecordingSource::OutboundApi,
        trim: wish.trim,
        callback: wish.callback,
    });
    call.outbound = Some(Box::new(Outbound {
        near: None,
        ways,
        asleep,
        stillborn: None,
        from: shown,
        headers: headers(&noun),
        credentials: new.credentials.map(|(user, password)| (user, password.0)),
        send_digits: new.send_digits,
        machine_detection: new.machine_detection,
        detecting: false,
        sending: None,
        waiting: Some(Waiting {
            since: ctx.now.mono,
            delay: Duration::from_secs(u64::from(new.delay_s)),
            ring: Duration::from_secs(u64::from(new.timeout_s)),
            in_line: false,
        }),
        opening: Some(Opening {
            source,
            fallback: new.fallback.map(|fallback| (fallback.url, fallback.method)),
            dialect: new.dialect,
        }),
    }));
    let cause = out_of_reach.map(|(cause, refusal)| {
        call.trace(EventKind::Decision, refusal.message, ctx);
        cause
    });
    Ok((call, cause))
}

/// Whom `To` names, read as a `<Dial>` reads it; nobody when a document could not name it either.
fn noun(to: &str) -> Option<Noun> {
    let named = match (to.strip_prefix("client:"), to.starts_with("sip:") || to.starts_with("sips:")) {
        (Some(identity), _) => format!("<Client>{}</Client>", escape(identity)),
        (None, true) => format!("<Sip>{}</Sip>", escape(to)),
        (None, false) => format!("<Number>{}</Number>", escape(to)),
    };
    let document =
        twiml::parse(&format!("<Response><Dial>{named}</Dial></Response>"), Dialect::Twiml).ok()?;
    match document.verbs.into_iter().next() {
        Some(Verb::Dial(dial)) => dial.nouns.into_iter().next(),
        Some(_) | None => None,
    }
}

/// Whether somebody is told to wake the phone.
fn is_woken(noun: &Noun) -> bool {
    matches!(noun, Noun::Client(client) if client.notification_url.is_some())
}

/// Whether the phone was there when the box stopped, and has not had the time to come back.
fn is_returning(noun: &Noun, ctx: &Ctx<'_>) -> bool {
    let phone = phone_of(noun, &Who::Api, ctx);
    phone.is_some_and(|phone| ctx.shared.returning.expects(&phone, ctx.now))
}

impl Call {
    /// Whether a ring timer that has run out is this call's own, and not that of a `<Dial>` of its document.
    pub(crate) fn rings_in_vain(&self) -> bool {
        self.outbound.is_some() && self.child.is_none() && self.answered.is_none()
    }
}

/// Whether a carrier may be shown this: a number of the office's own or a validated one, or what the office's own
/// carriers and phones are known by; whoever brings a carrier answers for it (reference: rest-voice §5.1, twiml-voice
/// §9.1).
pub(crate) fn may_show(shown: &str, noun: &Noun, way: Option<&Way>, ctx: &Ctx<'_>) -> bool {
    let Some(trunk) = way.and_then(|way| way.trunk.as_ref()) else { return true };
    let number = normalise(shown);
    if matches!(noun, Noun::Number(number) if number.trunk.is_some()) || !is_dialable(&number) {
        return true;
    }
    let office = ctx.office;
    let is_it = |known: &String| normalise(known) == number;
    office.numbers.contains_key(&number)
        || office.caller_ids.contains(&number)
        || office.phones.contains_key(&number)
        || office.phone_by_extension(&number).is_some()
        || office.trunks.get(trunk).and_then(|trunk| trunk.caller_id.as_ref()).is_some_and(is_it)
        || office.phones.values().filter_map(|phone| phone.caller_id.as_ref()).any(is_it)
}

/// A phone of ours that is not registered (RFC 3261 §21.4.18).
const OUT_OF_REACH: u16 = 480;

/// `ApplicationSid` names none (reference: rest-voice §5.1).
const NO_APPLICATION: u32 = 21218;
/// `To` is no address (reference: rest-voice §5.1).
const MALFORMED: u32 = 21211;
/// `To` cannot be reached (reference: rest-voice §5.1).
const UNREACHABLE: u32 = 21214;
/// `To` is barred (reference: rest-voice §5.1).
const BLOCKED: u32 = 21216;
/// `Byoc` names none (reference: rest-voice §4).
const NO_CARRIER: u32 = 20001;
/// A number that is not to be shown (reference: rest-voice §5.1).
const NOT_OURS: u32 = 21210;
/// Too many at once (reference: rest-voice §4).
const TOO_MANY: u32 = 20429;
/// Draining (reference: rest-voice §4).
const UNAVAILABLE: u32 = 20503;
