//! A call arrives: who it is from, what it is for, and what decides about it.

use base::CallSid;
use media::LegId;
use sip::{Caller, Flow, HeaderName, Headers, Request, SessionId};
use twiml::{CallFacts, CallStatus, ProgressEvent, SipFacts};

use crate::call::Call;
use crate::ctx::Ctx;
use crate::leg::{Leg, Side};
use crate::load::RETRY_AFTER_S;
use crate::office::Application;
use crate::outcome::Cause;
use crate::record::{CallRow, EventKind, RecordingSource, StoreItem};
use crate::record_verb::WholeCall;
use crate::route::{Decision, Target, Who, route};
use crate::to_application;

/// What a new call begins with.
#[derive(Clone, Debug)]
pub(crate) struct Begin {
    application: Application,
    /// The caller is told that it rings before anybody else does: the document decides alone.
    rings: bool,
    /// What its first document is asked for with, besides what is told of every call.
    parameters: Vec<(String, String)>,
    steps: Vec<String>,
}

impl Begin {
    /// Starts the call's document.
    pub(crate) fn start(self, call: &mut Call, ctx: &mut Ctx<'_>) {
        ctx.store(StoreItem::Call(call.row.clone()));
        call.trace(EventKind::Decision, self.steps.join(" "), ctx);
        call.tell(ProgressEvent::Initiated, None, ctx);
        if self.rings {
            call.ring_back(ctx);
        }
        call.start(&self.application, self.parameters, ctx);
    }
}

/// Decides about an INVITE: a new call, or a refusal that has been sent already.
pub(crate) fn receive(
    session: SessionId,
    request: &Request,
    flow: Flow,
    from: Caller,
    draining: bool,
    ctx: &mut Ctx<'_>,
) -> Result<(Call, Begin), &'static str> {
    let who = match &from {
        Caller::Trunk { name } => Who::Trunk(name.clone()),
        Caller::Phone { user } => Who::Phone(user.clone()),
        Caller::Own => return own(session, request, flow, ctx),
    };
    let dialled =
        if request.uri.is_sip() { request.uri.party().into_owned() } else { request.uri.to_string() };
    let endpoint = &ctx.shared.endpoint;
    let Decision { target, steps } =
        route(ctx.office, &who, &dialled, |name| !endpoint.contacts_of(name).is_empty());
    let emergency = matches!(target, Target::Emergency { .. });
    if !emergency && (draining || ctx.is_full()) {
        return Err(refuse(session, "too many calls", ctx));
    }
    if let Who::Trunk(trunk) = &who
        && ctx.is_trunk_full(trunk)
    {
        return Err(refuse(session, "too many calls on a trunk", ctx));
    }
    let domain = match &who {
        // An emergency call waits for no document.
        _ if emergency => None,
        Who::Trunk(name) => ctx.office.domains.get(name),
        Who::Phone(name) => ctx.office.domain_of_phone(name, &request.uri.host.to_string()),
        Who::Api => None,
    };
    if let Some(application) = domain.and_then(|domain| domain.application.clone()) {
        let mut call = new_call(session, request, flow, from, who, None, &application, ctx);
        // The whole address is what was called, and the domain's document dials for the office.
        let called = format!("sip:{}@{}", call.facts.to, request.uri.host);
        (call.facts.to, call.row.to) = (called.clone(), called);
        call.dialler = Who::Api;
        let steps = vec!["The document of the SIP domain answers.".to_owned()];
        return Ok((call, Begin { application, rings: true, parameters: Vec::new(), steps }));
    }
    let outside = match (&who, &target) {
        (Who::Phone(name), Target::Trunk { .. }) => Some(name.clone()),
        _ => None,
    };
    let (application, rings, number) = match target {
        Target::Application { number } => {
            let number = ctx.office.numbers.get(&number).expect("routing names only owned numbers");
            (number.application.clone(), true, Some(number.number.clone()))
        }
        Target::Phone { name, .. } => {
            (dial_document(&format!("<Client>{}</Client>", escape(&name)), 60), false, None)
        }
        Target::Trunk { .. } | Target::Emergency { .. } => {
            (dial_document(&format!("<Number>{}</Number>", escape(&dialled)), 120), false, None)
        }
        Target::Feature(feature) => {
            let phone = match &who {
                Who::Phone(name) => name.as_str(),
                Who::Trunk(_) | Who::Api => "",
            };
            let said = ctx.shared.router.feature(ctx.office, phone, feature, ctx.now);
            (own_document(format!("<Response><Say>{}</Say></Response>", escape(&said))), false, None)
        }
        none @ (Target::Barred | Target::NotFound) => {
            let code = if none == Target::Barred { 403 } else { 404 };
            let nothing = dial_document("", 0);
            let mut call = new_call(session, request, flow, from, who, None, &nothing, ctx);
            call.trace(EventKind::Decision, steps.join(" "), ctx);
            call.end(Cause::Unroutable(code), ctx);
            return Err("unknown number");
        }
    };
    let mut call = new_call(session, request, flow, from, who, number, &application, ctx);
    if let Some(phone) = outside {
        let begun = ctx.shared.load.phone_begins(&phone, call.sid(), &ctx.office.limits, ctx.now.mono);
        if let Err(retry_after_s) = begun {
            call.trace(EventKind::Decision, steps.join(" "), ctx);
            call.end(Cause::TooMany { retry_after_s }, ctx);
            return Err("too many calls of a phone");
        }
    }
    Ok((call, Begin { application, rings, parameters: Vec::new(), steps }))
}

/// A call of ours to an application or a number of ours has come.
fn own(
    session: SessionId,
    request: &Request,
    flow: Flow,
    ctx: &mut Ctx<'_>,
) -> Result<(Call, Begin), &'static str> {
    let expected = ctx.shared.own_calls.remove(&request.uri.user_decoded().into_owned());
    let found = expected.and_then(|own| Some((own.called.answer(ctx.office)?, own)));
    let Some(((application, number), own)) = found.filter(|_| !ctx.is_full()) else {
        return Err(refuse(session, "no room for an application", ctx));
    };
    let mut call = new_call(session, request, flow, Caller::Own, Who::Api, number, &application, ctx);
    call.leg.peer = Some(to_application::HERE);
    (call.row.from, call.row.to) = (own.from.clone(), own.to.clone());
    call.facts = CallFacts { from: own.from, to: own.to, sip: None, ..call.facts };
    let steps = vec![format!("The office called itself: its {:?} answers.", own.called)];
    Ok((call, Begin { application, rings: true, parameters: own.parameters, steps }))
}

/// A phone dials without a document of the user's: this one does what it asks for.
fn dial_document(noun: &str, timeout_s: u32) -> Application {
    own_document(format!(
        "<Response><Dial answerOnBridge=\"true\" timeout=\"{timeout_s}\">{noun}</Dial></Response>"
    ))
}

fn own_document(text: String) -> Application {
    Application {
        voice: twiml::Source::Inline(text),
        fallback: None,
        status_callback: None,
        dialect: twiml::Dialect::default(),
        record: false,
        record_dual: false,
    }
}

fn refuse(session: SessionId, what: &'static str, ctx: &mut Ctx<'_>) -> &'static str {
    let headers = vec![(HeaderName::RetryAfter, RETRY_AFTER_S.to_string())];
    ctx.sip(sip::Command::Refuse { session, code: 503, reason: None, headers });
    what
}

#[expect(clippy::too_many_arguments, reason = "one call is made of all of these, in one place")]
fn new_call(
    session: SessionId,
    request: &Request,
    flow: Flow,
    from: Caller,
    who: Who,
    number: Option<String>,
    application: &Application,
    ctx: &mut Ctx<'_>,
) -> Call {
    let sid = CallSid::random(&mut ctx.shared.rng);
    let mut leg = Leg::new(LegId(ctx.next_id()), session, Side::Called, u64::from(ctx.shared.rng.u32()));
    leg.peer = Some(flow.remote.ip());
    leg.remote_offer = (!request.body.is_empty()).then(|| request.body.clone());
    let caller = caller_text(request, &from);
    let called = called_text(request, number.as_deref());
    let name = request.headers.from().ok().and_then(|from| from.display).filter(|name| !name.is_empty());
    let diverted = diverted(&request.headers);
    let (trunk, phone) = match from {
        Caller::Trunk { name } => (Some(name), None),
        Caller::Phone { user } => (None, Some(user)),
        Caller::Own => (None, None),
    };
    let of_domain = trunk.as_ref().is_some_and(|name| ctx.office.domains.contains_key(name));
    let domain = (phone.is_some() || of_domain).then(|| request.uri.host.to_string());
    let facts = CallFacts {
        call_sid: sid,
        dialect: application.dialect,
        account_sid: ctx.office.account_sid,
        from: caller.clone(),
        to: called.clone(),
        status: CallStatus::Ringing,
        direction: twiml::Direction::Inbound,
        parent_call_sid: None,
        forwarded_from: diverted.clone(),
        caller_name: name.clone(),
        stir_verstat: trunk.as_ref().and_then(|_| verstat(&request.headers)),
        answered_by: None,
        machine_detection_ms: None,
        sip: Some(SipFacts {
            domain: domain.clone(),
            domain_sid: domain.as_deref().and_then(|name| domain_sid(name, ctx)),
            call_id: request.headers.text(&HeaderName::CallId).unwrap_or_default().into_owned(),
            source_ip: flow.remote.ip(),
            x_headers: x_headers(&request.headers),
            trunk_sid: trunk
                .as_deref()
                .map(|name| base::TrunkSid(base::derived(ctx.office.account_sid, name))),
        }),
    };
    let mut row =
        CallRow::new(sid, twiml::Direction::Inbound, caller, called, CallStatus::Ringing, ctx.now.wall);
    row.caller_name = name;
    row.forwarded_from = diverted;
    row.number = number;
    row.trunk = trunk;
    row.phone = phone;
    row.start = Some(ctx.now.wall);
    let mut call = Call::new(row, leg, facts);
    call.dialler = match who {
        // A document of the office dials for the office, whoever called; only a phone dials for itself.
        Who::Phone(name) if call.row.number.is_none() => Who::Phone(name),
        Who::Phone(_) | Who::Trunk(_) | Who::Api => Who::Api,
    };
    call.callback = application.status_callback.clone();
    call.record_all = application.record.then_some(WholeCall {
        what: match application.record_dual {
            true => media::RecordWhat::Dual,
            false => media::RecordWhat::Both,
        },
        source: RecordingSource::Trunking,
        trim: false,
        callback: None,
    });
    call
}

/// The sid of the SIP domain of this name.
pub(crate) fn domain_sid(name: &str, ctx: &Ctx<'_>) -> Option<String> {
    ctx.office.domains.get(&name.to_ascii_lowercase())?.sid.clone()
}

/// The calling party as webhooks name it: a number, or the phone's SIP address.
fn caller_text(request: &Request, from: &Caller) -> String {
    let Ok(header) = request.headers.from() else { return "anonymous".to_owned() };
    match from {
        Caller::Phone { user } => format!("sip:{user}@{}", request.uri.host),
        // Known better by whoever called.
        Caller::Own => String::new(),
        Caller::Trunk { .. } => {
            // What the carrier vouches for counts more than what the caller wrote (RFC 3325).
            let asserted = request.headers.text(&HeaderName::PAssertedIdentity);
            let asserted = asserted.and_then(|text| text.parse::<sip::NameAddr>().ok());
            let uri = asserted.map_or(header.uri, |asserted| asserted.uri);
            let user = if uri.is_sip() {
                uri.party().into_owned()
            } else {
                crate::route::normalise(&uri.to_string())
            };
            let user: String = user.chars().filter(|c| !c.is_control()).take(ADDRESS_CHARS_MAX).collect();
            match user.to_ascii_lowercase().as_str() {
                "" | "anonymous" | "unknown" | "unavailable" => "anonymous".to_owned(),
                _ => crate::route::normalise(&user),
            }
        }
    }
}

/// The called party: the office's number as configured, else what was dialled.
fn called_text(request: &Request, number: Option<&str>) -> String {
    match number {
        Some(number) => number.to_owned(),
        None => {
            let user = request.uri.party();
            user.chars().filter(|c| !c.is_control()).take(ADDRESS_CHARS_MAX).collect()
        }
    }
}

/// Who diverted the call here: by its Diversion header (RFC 5806), or else the first of several stations that its
/// History-Info went through (RFC 7044).
fn diverted(headers: &Headers) -> Option<String> {
    let user = |text: &str| -> Option<String> {
        let by = text.trim().parse::<sip::NameAddr>().ok()?;
        let user = by.uri.party();
        Some(user.chars().filter(|c| !c.is_control()).take(ADDRESS_CHARS_MAX).collect())
    };
    if let Some(text) = headers.text(&HeaderName::Diversion) {
        return Some(user(&text).unwrap_or_default());
    }
    let stations: Vec<String> = headers
        .iter()
        .filter(|(name, _)| **name == HeaderName::HistoryInfo)
        .flat_map(|(_, value)| value.text().split(',').map(str::to_owned).collect::<Vec<_>>())
        .take(STATIONS_MAX)
        .collect();
    if stations.len() > 1 { user(stations.first()?) } else { None }
}

/// What a carrier says of the caller's number: the `verstat` of the identity it vouches for, or of the caller's own
/// (3GPP TS 24.229 §7.2A.20).
fn verstat(headers: &Headers) -> Option<String> {
    [HeaderName::PAssertedIdentity, HeaderName::From].iter().find_map(|name| {
        let party = headers.text(name)?.parse::<sip::NameAddr>().ok()?;
        // Beside the host, within the user part of a telephone number, or after the address as a whole.
        let within = party.uri.user.as_deref().and_then(|user| {
            user.split(';').find_map(|part| part.strip_prefix("verstat=")).map(str::to_owned)
        });
        let verdict = party.uri.params.get("verstat").or(party.params.get("verstat")).map(str::to_owned);
        let verdict = verdict.or(within)?;
        let is_word = verdict.len() <= 64 && verdict.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        is_word.then_some(verdict)
    })
}

/// Headers that a document may see (reference: webhooks §2.1).
pub(crate) fn x_headers(headers: &Headers) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| {
            let name = name.as_str();
            name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case("x-"))
                || name.eq_ignore_ascii_case("user-to-user")
        })
        .take(X_HEADERS_MAX)
        .map(|(name, value)| (name.as_str().to_owned(), value.text().into_owned()))
        .collect()
}

/// The key in an INFO body: `application/dtmf-relay` or `application/dtmf`.
pub(crate) fn info_digit(content_type: &str, body: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(body).ok()?;
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let signal = if kind.eq_ignore_ascii_case("application/dtmf-relay") {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then(|| value.trim().to_owned())
        })?
    } else if kind.eq_ignore_ascii_case("application/dtmf") {
        text.trim().to_owned()
    } else {
        return None;
    };
    match signal.as_str() {
        "10" => Some('*'),
        "11" => Some('#'),
        one => {
            let mut chars = one.chars();
            let digit = chars.next()?.to_ascii_uppercase();
            (chars.next().is_none() && matches!(digit, '0'..='9' | 'A'..='D' | '*' | '#')).then_some(digit)
        }
    }
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Stations of a call's history that are looked at.
const STATIONS_MAX: usize = 16;

/// Characters of an address that is shown and written down.
const ADDRESS_CHARS_MAX: usize = 256;

/// Headers of one INVITE that its document sees.
const X_HEADERS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in lines {
            headers.push(HeaderName::from(*name), (*value).to_owned());
        }
        headers
    }

    #[test]
    fn who_diverted_a_call_is_read_from_either_header() {
        for (lines, expected) in [
            (vec![], None),
            (vec![("Diversion", "<sip:+15550009999@h>;reason=user-busy")], Some("+15550009999")),
            (vec![("Diversion", "<sip:+15550009999;npdi@h>;reason=user-busy")], Some("+15550009999")),
            (vec![("Diversion", "nonsense")], Some("")),
            (vec![("History-Info", "<sip:+15550001111@h>;index=1")], None),
            (
                vec![("History-Info", "<sip:+15550008888@h>;index=1, <sip:+15550001111@h>;index=1.1")],
                Some("+15550008888"),
            ),
            (
                vec![
                    ("History-Info", "<sip:+15550007777@h?Reason=SIP%3Bcause%3D302>;index=1"),
                    ("History-Info", "<sip:+15550001111@h>;index=1.1"),
                ],
                Some("+15550007777"),
            ),
        ] {
            assert_eq!(diverted(&headers(&lines)).as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn numbers_are_told_without_the_parameters_a_carrier_hangs_on_them() {
        let invite = |asserted: &str| {
            let text = format!(
                "INVITE sip:411;npdi;rn=+15550002222@box SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
                 From: <sip:+15551234567;verstat=No-TN-Validation@h;user=phone>;tag=1\r\nTo: <sip:411@box>\r\n\
                 Call-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n{asserted}Content-Length: 0\r\n\r\n"
            );
            match sip::decode(text.as_bytes()) {
                sip::Decoded::Message(sip::Message::Request(request)) => request,
                other => panic!("{other:?}"),
            }
        };
        let trunk = Caller::Trunk { name: "carrier".to_owned() };
        let plain = invite("");
        assert_eq!(caller_text(&plain, &trunk), "+15551234567");
        assert_eq!(called_text(&plain, None), "411");
        for asserted in ["sip:+15557654321;npdi@h", "tel:+15557654321;npdi"] {
            let asserted = invite(&format!("P-Asserted-Identity: <{asserted}>\r\n"));
            assert_eq!(caller_text(&asserted, &trunk), "+15557654321");
        }
    }

    #[test]
    fn what_a_carrier_says_of_the_callers_number() {
        const PASSED: &str = "TN-Validation-Passed-A";
        for (lines, expected) in [
            (vec![("From", "<sip:+1555@h>;tag=x")], None),
            (vec![("From", "<sip:+1555@h;verstat=TN-Validation-Passed-A>;tag=x")], Some(PASSED)),
            (vec![("From", "<sip:+1555;verstat=TN-Validation-Passed-A@h;user=phone>;tag=x")], Some(PASSED)),
            (vec![("From", "<sip:+1555@h>;verstat=TN-Validation-Passed-A;tag=x")], Some(PASSED)),
            (
                vec![
                    ("From", "<sip:+1555@h>;tag=x"),
                    ("P-Asserted-Identity", "<tel:+1555;verstat=TN-Validation-Passed-A>"),
                ],
                Some(PASSED),
            ),
            (vec![("From", "<sip:+1555@h;verstat=no%20word>;tag=x")], None),
        ] {
            assert_eq!(verstat(&headers(&lines)).as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn keys_in_info_bodies_are_read_in_both_forms() {
        let cases: [(&str, &str, Option<char>); 7] = [
            ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Some('5')),
            ("application/dtmf-relay; charset=utf-8", "signal = #\n", Some('#')),
            ("application/dtmf-relay", "Signal=11\r\n", Some('#')),
            ("application/dtmf", "7", Some('7')),
            ("application/dtmf", "77", None),
            ("text/plain", "7", None),
            ("application/dtmf-relay", "Duration=160", None),
        ];
        for (content_type, body, digit) in cases {
            assert_eq!(info_digit(content_type, body.as_bytes()), digit, "{content_type} {body}");
        }
    }
}
