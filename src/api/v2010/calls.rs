//! Calls: `…/Calls.json` (reference: rest-voice §5.1, §5.4).

use std::borrow::Cow;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use base::{ApplicationSid, CallSid};
use call::office::Secret;
use call::route::normalise;
use call::{CallDocument, NewCall, Operator, OperatorReply, RecordWish};
use router::SupervisorMode;
use serde_json::Value;
use twiml::{
    AmdStatusCallback, CallStatus, Dialect, Direction, MachineDetection, RecordingEvent,
    RecordingStatusCallback, Source, StatusCallback,
};

use super::call::{ShownCall, TIME_LIMIT_MAX, document, document_ref, show};
use crate::Api;
use crate::auth::Authorized;
use crate::dates::span;
use crate::error::ApiError;
use crate::paging::{Paging, Written};
use crate::params::Params;
use crate::texml_v2::Spoken;

/// GET: newest first.
pub(super) async fn list(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
) -> Result<Written<ShownCall<'static>>, ApiError> {
    let query = Params::read(uri.query().unwrap_or_default().as_bytes());
    let paging = Paging::read(&query)?;
    let filter = filter(&query)?;
    let rows = api.store.calls(&filter, &paging.page()?).await?;
    let shown = |row| ShownCall { row: Cow::Owned(row), account: api.account_sid };
    Ok(paging.written(uri.path(), "calls", rows, |row| (row.created, row.sid), shown))
}

fn filter(query: &Params) -> Result<store::CallFilter, ApiError> {
    let status = match query.text("Status") {
        None => None,
        Some(word) => Some(
            STATUSES
                .into_iter()
                .find(|status| status.as_str() == word)
                .ok_or_else(|| ApiError::new(20001, format!("Status knows no `{word}`")))?,
        ),
    };
    let parent = match query.text("ParentCallSid").map(str::parse) {
        None => None,
        Some(Ok(sid)) => Some(sid),
        Some(Err(_)) => return Err(ApiError::new(20423, "ParentCallSid is no sid of a call")),
    };
    let (started, ended) = (span(query, "StartTime")?, span(query, "EndTime")?);
    Ok(store::CallFilter {
        from: query.text("From").map(str::to_owned),
        to: query.text("To").map(str::to_owned),
        parent,
        status,
        started_from: started.from,
        started_to: started.to,
        ended_from: ended.from,
        ended_to: ended.to,
    })
}

const STATUSES: [CallStatus; 8] = [
    CallStatus::Queued,
    CallStatus::Ringing,
    CallStatus::InProgress,
    CallStatus::Completed,
    CallStatus::Busy,
    CallStatus::Failed,
    CallStatus::NoAnswer,
    CallStatus::Canceled,
];

/// POST: makes a call; answered once its row is stored.
pub(super) async fn create(
    _: Authorized,
    State(api): State<Api>,
    Spoken(dialect): Spoken,
    form: Params,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    match dialect {
        Dialect::Twiml => form.note_unknown(CREATE),
        Dialect::Texml => form.note_unknown(&[CREATE, CREATE_TEXML].concat()),
    }
    let mut new = Box::new(read_call(&form, dialect)?);
    new.checks_from = !passes_on(&form, &api).await?;
    api.could_be_kept().await?;
    match api.orders.ask(Operator::Originate(new)).await? {
        OperatorReply::Call(row) => {
            keep(&api, row.sid).await?;
            Ok((StatusCode::CREATED, Json(show(&row, api.account_sid))))
        }
        OperatorReply::NotPlaced(why) => Err(ApiError::new(why.code, why.why)),
        _ => Err(ApiError::unexpected()),
    }
}

/// Whoever is told of a call can rely on it: a power cut does not take it away again. One that cannot be stored is taken
/// back: who is told of an error tries again, and nobody is to be rung twice.
pub(super) async fn keep(api: &Api, call: CallSid) -> Result<(), ApiError> {
    if let Err(error) = api.store.flush().await {
        api.orders.ask(Operator::Hangup(call)).await?;
        return Err(error.into());
    }
    Ok(())
}

/// Whether it passes on a call of this caller's: that call's token says so (reference: webhooks §2.1).
pub(super) async fn passes_on(form: &Params, api: &Api) -> Result<bool, ApiError> {
    let shown = form.text("CallerId").or_else(|| form.text("From")).map(normalise);
    let Some(call) = form.text("CallToken").and_then(twiml::call_of_token) else { return Ok(false) };
    let row = api.store.call(call).await?;
    Ok(row.is_some_and(|row| row.direction == Direction::Inbound && Some(normalise(&row.from)) == shown))
}

/// What a new call may name; those that mean something to a carrier's service only are taken and have no effect.
const CREATE: &[&str] = &[
    "To",
    "From",
    "Url",
    "Method",
    "Twiml",
    "ApplicationSid",
    "FallbackUrl",
    "FallbackMethod",
    "StatusCallback",
    "StatusCallbackMethod",
    "StatusCallbackEvent",
    "SendDigits",
    "MachineDetection",
    "MachineDetectionTimeout",
    "MachineDetectionSpeechThreshold",
    "MachineDetectionSpeechEndThreshold",
    "MachineDetectionSilenceTimeout",
    "AsyncAmd",
    "AsyncAmdStatusCallback",
    "AsyncAmdStatusCallbackMethod",
    "Timeout",
    "TimeLimit",
    "Record",
    "RecordingChannels",
    "RecordingTrack",
    "RecordingStatusCallback",
    "RecordingStatusCallbackMethod",
    "RecordingStatusCallbackEvent",
    "Trim",
    "CallerId",
    "SipAuthUsername",
    "SipAuthPassword",
    "CallToken",
    "CallReason",
    "ClientNotificationUrl",
    "SendRecordingUrl",
    "Byoc",
];

/// What one may name besides that is made in the other dialect's words.
const CREATE_TEXML: &[&str] = &["CallerDisplayName", "SuperviseCallSid", "SupervisingRole"];

fn read_call(form: &Params, dialect: Dialect) -> Result<NewCall, ApiError> {
    let (to, from) = parties(form)?;
    let nothing = || ApiError::new(21205, "Url, Twiml or ApplicationSid must be given");
    let application = application(form)?;
    // An application has documents and callbacks of its own: what is said of these beside it is not even read.
    let own = match dialect {
        Dialect::Twiml if application.is_some() => &Params::default(),
        Dialect::Twiml | Dialect::Texml => form,
    };
    let callback = document_ref(own, "StatusCallback", "StatusCallbackMethod")?;
    let events = own.progress_events("StatusCallbackEvent")?;
    let detection = machine_detection(form, dialect)?;
    let mut remarks = Vec::new();
    if application.is_none() && form.text("Url").is_some() && form.text("Twiml").is_some() {
        remarks.push((32019, "Url and Twiml were both given; the Url is taken".to_owned()));
    }
    let supervises = supervises(form, dialect)?;
    let document = match application {
        Some(sid) => CallDocument::Of(sid),
        None if supervises.is_some() => CallDocument::Given(Source::Inline(String::new())),
        None => CallDocument::Given(document(form)?.ok_or_else(nothing)?),
    };
    Ok(NewCall {
        caller_id: form.text("CallerId").map(str::to_owned),
        display_name: shown_name(form, dialect)?,
        fallback: document_ref(own, "FallbackUrl", "FallbackMethod")?,
        dialect,
        status_callback: callback.map(|to| StatusCallback { url: to.url, method: to.method, events }),
        send_digits: send_digits(form)?,
        machine_detection: detection,
        timeout_s: form.number("Timeout", 1..=TIMEOUT_MAX, 21208)?.unwrap_or(TIMEOUT),
        time_limit_s: form.number("TimeLimit", 1..=TIME_LIMIT_MAX, 20001)?,
        record: record(form)?,
        credentials: credentials(form)?,
        carrier: carrier(form)?,
        client_notification: form.url("ClientNotificationUrl", 21205)?,
        checks_from: true,
        supervises,
        remarks,
        ..NewCall::new(to, from, document)
    })
}

/// The caller's name as the other dialect's clients give it (reference: texml-delta §3, `fromDisplayName`).
fn shown_name(form: &Params, dialect: Dialect) -> Result<Option<String>, ApiError> {
    let name = form.text("CallerDisplayName").filter(|_| dialect == Dialect::Texml);
    match name {
        Some(name) if name.chars().count() > 128 || name.contains(char::is_control) => {
            Err(ApiError::new(20001, "CallerId may have 128 printable characters"))
        }
        name => Ok(name.map(str::to_owned)),
    }
}

/// Which call a new one is to listen to, and who hears it there (reference: texml-delta §7).
fn supervises(form: &Params, dialect: Dialect) -> Result<Option<(CallSid, SupervisorMode)>, ApiError> {
    let Some(call) = form.text("SuperviseCallSid").filter(|_| dialect == Dialect::Texml) else {
        return Ok(None);
    };
    let call = call.parse().map_err(|_| ApiError::new(20001, "SuperviseCallSid is no sid of a call"))?;
    let mode = match form.one_of("SupervisingRole", &["barge", "whisper", "monitor"], 20001)? {
        None | Some("barge") => SupervisorMode::Barge,
        Some("whisper") => SupervisorMode::Whisper,
        Some(_) => SupervisorMode::Monitor,
    };
    Ok(Some((call, mode)))
}

/// Whose trunks are to carry a number.
pub(super) fn carrier(form: &Params) -> Result<Option<String>, ApiError> {
    Ok(form.sid("Byoc", "BY", 20423)?.map(str::to_owned))
}

/// Whom to ring, and who calls.
pub(super) fn parties(form: &Params) -> Result<(&str, &str), ApiError> {
    let to = form.text("To").ok_or_else(|| ApiError::new(21201, "No 'To' number is specified"))?;
    let from = form.text("From").ok_or_else(|| ApiError::new(21213, "No 'From' number is specified"))?;
    if from.chars().count() > PARTY_CHARS_MAX || from.chars().any(char::is_control) {
        return Err(ApiError::new(21212, format!("'From' is invalid: {from}")));
    }
    if to.chars().count() > PARTY_CHARS_MAX {
        return Err(ApiError::new(21211, "'To' is too long"));
    }
    Ok((to, from))
}

/// An application takes the place of everything that names documents and callbacks.
fn application(form: &Params) -> Result<Option<String>, ApiError> {
    let Some(text) = form.text("ApplicationSid") else { return Ok(None) };
    let bad = |_| ApiError::new(21218, format!("ApplicationSid is invalid: {text}"));
    text.parse::<ApplicationSid>().map(|sid| Some(sid.to_string())).map_err(bad)
}

fn send_digits(form: &Params) -> Result<Option<String>, ApiError> {
    let Some(digits) = form.text("SendDigits") else { return Ok(None) };
    let fits = digits.len() <= SEND_DIGITS_MAX
        && digits.chars().all(|c| matches!(c, '0'..='9' | 'A'..='D' | '*' | '#' | 'w' | 'W'));
    if !fits {
        let message = format!("SendDigits takes up to {SEND_DIGITS_MAX} of 0-9 A-D * # w W");
        return Err(ApiError::new(21206, message));
    }
    Ok(Some(digits.to_owned()))
}

/// Who answers (`webhooks` §4.5).
pub(super) fn machine_detection(
    form: &Params,
    dialect: Dialect,
) -> Result<Option<MachineDetection>, ApiError> {
    let Some(mode) = form.one_of("MachineDetection", &["Enable", "DetectMessageEnd"], 21234)? else {
        return Ok(None);
    };
    let plain = MachineDetection::new(mode == "DetectMessageEnd");
    let number = |name, range, default| form.number(name, range, 21263).map(|n| n.unwrap_or(default));
    let callback = document_ref(form, "AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod")?;
    let beside = form.flag("AsyncAmd")?;
    Ok(Some(MachineDetection {
        timeout_ms: match dialect {
            Dialect::Twiml => number(TIMEOUT_NAME, 3..=59, plain.timeout_ms / 1_000)? * 1_000,
            // Milliseconds there (reference: texml-delta §3).
            Dialect::Texml => number(TIMEOUT_NAME, 500..=60_000, 3_500)?,
        },
        speech_threshold_ms: number(
            "MachineDetectionSpeechThreshold",
            MachineDetection::SPEECH_THRESHOLD_MS,
            plain.speech_threshold_ms,
        )?,
        speech_end_threshold_ms: number(
            "MachineDetectionSpeechEndThreshold",
            MachineDetection::SPEECH_END_THRESHOLD_MS,
            plain.speech_end_threshold_ms,
        )?,
        silence_timeout_ms: number(
            "MachineDetectionSilenceTimeout",
            MachineDetection::SILENCE_TIMEOUT_MS,
            plain.silence_timeout_ms,
        )?,
        beside,
        callback: callback.filter(|_| beside).map(|to| AmdStatusCallback { url: to.url, method: to.method }),
        ..plain
    }))
}

fn record(form: &Params) -> Result<Option<RecordWish>, ApiError> {
    let wish = record_wish(form, true)?;
    Ok(form.flag("Record")?.then_some(wish))
}

/// How a call is to be recorded; where nothing is said of silence at its ends, `trims` says.
pub(super) fn record_wish(form: &Params, trims: bool) -> Result<RecordWish, ApiError> {
    let dual = form.one_of("RecordingChannels", &["mono", "dual"], 20001)? == Some("dual");
    let what = match form.one_of("RecordingTrack", &["both", "inbound", "outbound"], 20001)? {
        Some("inbound") => media::RecordWhat::Received,
        Some("outbound") => media::RecordWhat::Sent,
        Some(_) | None if dual => media::RecordWhat::Dual,
        Some(_) | None => media::RecordWhat::Both,
    };
    let trim = form.one_of("Trim", &["trim-silence", "do-not-trim"], 20001)?;
    let trim = trim.map_or(trims, |word| word == "trim-silence");
    Ok(RecordWish { what, trim, callback: recording_callback(form, "")? })
}

/// Who is told about a recording; the names of its parameters may begin with a word more.
pub(super) fn recording_callback(
    form: &Params,
    prefix: &str,
) -> Result<Option<RecordingStatusCallback>, ApiError> {
    let name = format!("{prefix}RecordingStatusCallback");
    let mut events = Vec::new();
    for word in form.list(&format!("{name}Event")) {
        events.push(match word {
            "in-progress" | "started" => RecordingEvent::InProgress,
            "completed" => RecordingEvent::Completed,
            "absent" | "failed" => RecordingEvent::Absent,
            // How somebody controls a recording is told to nobody else.
            "paused" | "resumed" | "stopped" => continue,
            _ => return Err(ApiError::new(20001, format!("{name}Event knows no `{word}`"))),
        });
    }
    if events.is_empty() {
        events.push(RecordingEvent::Completed);
    }
    let to = document_ref(form, &name, &format!("{name}Method"))?;
    // Only TeXML's API names it.
    let sends_url = form.choice("SendRecordingUrl")?.unwrap_or(true);
    Ok(to.map(|to| RecordingStatusCallback { url: to.url, method: to.method, events, sends_url }))
}

pub(super) fn credentials(form: &Params) -> Result<Option<(String, Secret)>, ApiError> {
    for (name, too_long, illegal) in [("SipAuthUsername", 21221, 21222), ("SipAuthPassword", 21223, 21224)] {
        let text = form.text(name).unwrap_or_default();
        if text.chars().count() > SIP_AUTH_CHARS_MAX {
            let what = format!("{name} is longer than {SIP_AUTH_CHARS_MAX} characters");
            return Err(ApiError::new(too_long, what));
        }
        if text.chars().any(char::is_control) {
            return Err(ApiError::new(illegal, format!("{name} has characters it may not have")));
        }
    }
    match (form.text("SipAuthUsername"), form.text("SipAuthPassword")) {
        (Some(user), Some(password)) => Ok(Some((user.to_owned(), Secret(password.to_owned())))),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(ApiError::new(21225, "SipAuthPassword is given without SipAuthUsername")),
        (Some(_), None) => Err(ApiError::new(21225, "SipAuthUsername is given without SipAuthPassword")),
    }
}

const TIMEOUT_NAME: &str = "MachineDetectionTimeout";
/// Characters of a name or a password for SIP.
const SIP_AUTH_CHARS_MAX: usize = 256;
/// Characters of an address.
const PARTY_CHARS_MAX: usize = 256;
/// Keys sent after the answer.
const SEND_DIGITS_MAX: usize = 32;
/// Seconds a call may ring when nothing is said, and at most.
const TIMEOUT: u32 = 60;
const TIMEOUT_MAX: u32 = 600;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<NewCall, ApiError> {
        read_call(&Params::read(text.as_bytes()), Dialect::Twiml)
    }

    const LEAST: &str = "To=%2B15557654321&From=%2B15550001111&Url=http://web.example/voice";

    #[test]
    fn the_least_and_the_most_are_read() {
        let least = read(LEAST).unwrap();
        assert_eq!((least.to.as_str(), least.timeout_s, least.record), ("+15557654321", 60, None));
        let most = read(&format!(
            "{LEAST}&Timeout=600&SendDigits=w1%23&Record=true&RecordingChannels=dual&Trim=do-not-trim\
             &StatusCallback=http://web.example/s&StatusCallbackEvent=ringing+answered&CallerId=%2B1555&TimeLimit=9\
             &SipAuthUsername=u&SipAuthPassword=p&RecordingStatusCallback=http://web.example/r"
        ))
        .unwrap();
        assert_eq!((most.timeout_s, most.time_limit_s), (600, Some(9)));
        assert_eq!((most.send_digits.as_deref(), most.caller_id.as_deref()), (Some("w1#"), Some("+1555")));
        assert_eq!(most.status_callback.unwrap().events.len(), 2);
        let record = most.record.unwrap();
        assert_eq!((record.what, record.trim), (media::RecordWhat::Dual, false));
        assert_eq!(record.callback.unwrap().events, [RecordingEvent::Completed]);
    }

    #[test]
    fn an_application_takes_the_place_of_documents_and_callbacks() {
        let sid = ApplicationSid(7);
        let form = format!(
            "To=1&From=2&ApplicationSid={sid}&Url=here&Method=PUT&FallbackUrl=x&StatusCallback=y&StatusCallbackEvent=z"
        );
        let new = read(&form).unwrap();
        assert_eq!(new.document, CallDocument::Of(sid.to_string()));
        assert_eq!((new.fallback, new.status_callback), (None, None));
    }

    #[test]
    fn every_mistake_has_its_number() {
        let with = |more: &str| format!("{LEAST}&{more}");
        for (form, code) in [
            ("From=1&Url=http://w/".to_owned(), 21201),
            ("To=1&Url=http://w/".to_owned(), 21213),
            ("To=1&From=a%0D%0AX:y&Url=http://w/".to_owned(), 21212),
            ("To=1&From=2".to_owned(), 21205),
            ("To=1&From=2&ApplicationSid=AP1".to_owned(), 21218),
            (with("Method=PUT"), 21209),
            (with("Timeout=601"), 21208),
            (with("SendDigits=12x"), 21206),
            (with("Record=perhaps"), 20001),
            (with("RecordingChannels=three"), 20001),
            (with("StatusCallbackEvent=never"), 20001),
            (with("SipAuthUsername=u"), 21225),
            (with("SipAuthPassword=p"), 21225),
            (with(&format!("SipAuthUsername={}&SipAuthPassword=p", "u".repeat(257))), 21221),
            (with("SipAuthUsername=u%0Ax&SipAuthPassword=p"), 21222),
            (with(&format!("SipAuthUsername=u&SipAuthPassword={}", "p".repeat(257))), 21223),
            (with("SipAuthUsername=u&SipAuthPassword=p%0Aq"), 21224),
            (with("MachineDetection=perhaps"), 21234),
            (with("MachineDetection=Enable&MachineDetectionTimeout=60"), 21263),
            (with("MachineDetection=Enable&MachineDetectionSpeechThreshold=1"), 21263),
            (with("TimeLimit=86401"), 20001),
            (with("RecordingTrack=mine"), 20001),
            (with("Trim=some"), 20001),
            (with("FallbackUrl=here"), 21205),
            (with("FallbackUrl=http://w/&FallbackMethod=PUT"), 21209),
            (with("StatusCallback=here"), 21205),
            ("To=1&From=2&Twiml=%3CResponse%3E".to_owned(), 12100),
        ] {
            assert_eq!(read(&form).unwrap_err().code(), code, "{form}");
        }
    }
}
