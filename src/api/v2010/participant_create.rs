//! Who is to be called into a conference, and how it takes part, as a request names it (reference: rest-voice §7).

use base::CallSid;
use call::{CallDocument, ConferenceRef, NewCall, NewParticipant};
use twiml::{
    AmdStatusCallback, Beep, ConferenceEvent, ConferenceNoun, ConferenceStatusCallback, Dialect,
    JitterBufferSize, MachineDetection, Source, StatusCallback,
};

use super::call::{TIME_LIMIT_MAX, document_ref};
use super::calls::{carrier, credentials, machine_detection, parties, record_wish, recording_callback};
use super::participant::{coaches, wait_music};
use crate::error::ApiError;
use crate::params::Params;

/// What a request may name; those that mean something to a carrier's service only are taken and have no effect.
pub(super) const CREATE: &[&str] = &[
    "From",
    "To",
    "StatusCallback",
    "StatusCallbackMethod",
    "StatusCallbackEvent",
    "Label",
    "Timeout",
    "Record",
    "Muted",
    "Beep",
    "StartConferenceOnEnter",
    "EndConferenceOnExit",
    "WaitUrl",
    "WaitMethod",
    "EarlyMedia",
    "MaxParticipants",
    "ConferenceRecord",
    "ConferenceTrim",
    "ConferenceStatusCallback",
    "ConferenceStatusCallbackMethod",
    "ConferenceStatusCallbackEvent",
    "RecordingChannels",
    "RecordingStatusCallback",
    "RecordingStatusCallbackMethod",
    "RecordingStatusCallbackEvent",
    "SipAuthUsername",
    "SipAuthPassword",
    "Region",
    "ConferenceRecordingStatusCallback",
    "ConferenceRecordingStatusCallbackMethod",
    "ConferenceRecordingStatusCallbackEvent",
    "Coaching",
    "CallSidToCoach",
    "JitterBufferSize",
    "Byoc",
    "CallerId",
    "CallReason",
    "RecordingTrack",
    "TimeLimit",
    "MachineDetection",
    "MachineDetectionTimeout",
    "MachineDetectionSpeechThreshold",
    "MachineDetectionSpeechEndThreshold",
    "MachineDetectionSilenceTimeout",
    "AmdStatusCallback",
    "AmdStatusCallbackMethod",
    "Trim",
    "CallToken",
    "ClientNotificationUrl",
    "CallerDisplayName",
];

pub(super) fn read(
    form: &Params,
    conference: &ConferenceRef,
    dialect: Dialect,
) -> Result<NewParticipant, ApiError> {
    let (to, from) = parties(form)?;
    let callback = document_ref(form, "StatusCallback", "StatusCallbackMethod")?;
    let events = form.progress_events("StatusCallbackEvent")?;
    let record = record_wish(form, true)?;
    let detection = detection(form, dialect)?;
    let call = NewCall {
        caller_id: form.text("CallerId").map(str::to_owned),
        dialect,
        status_callback: callback.map(|to| StatusCallback { url: to.url, method: to.method, events }),
        machine_detection: detection,
        timeout_s: form.number("Timeout", 5..=600, 21208)?.unwrap_or(TIMEOUT),
        time_limit_s: form.number("TimeLimit", 1..=TIME_LIMIT_MAX, 20001)?,
        record: form.flag("Record")?.then_some(record),
        credentials: credentials(form)?,
        carrier: carrier(form)?,
        client_notification: form.url("ClientNotificationUrl", 21205)?,
        display_name: display(form)?,
        checks_from: true,
        ..NewCall::new(to, from, CallDocument::Given(Source::Inline(String::new())))
    };
    let early_media = form.choice("EarlyMedia")?.unwrap_or(true);
    Ok(NewParticipant {
        call,
        conference: noun(form, conference)?,
        early_media,
        region: form.one_of("Region", REGIONS, 20001)?.map(str::to_owned),
    })
}

fn noun(form: &Params, conference: &ConferenceRef) -> Result<ConferenceNoun, ApiError> {
    let wait = wait_music(form)?;
    let record =
        form.one_of("ConferenceRecord", &["true", "false", "record-from-start", "do-not-record"], 20001)?;
    let trim = form.one_of("ConferenceTrim", &["trim-silence", "do-not-trim"], 20001)?;
    Ok(ConferenceNoun {
        name: name(conference)?,
        muted: form.flag("Muted")?,
        beep: match form.one_of("Beep", &["true", "false", "onEnter", "onExit"], 20001)? {
            Some("false") => Beep::Never,
            Some("onEnter") => Beep::OnEnter,
            Some("onExit") => Beep::OnExit,
            Some(_) | None => Beep::Both,
        },
        start_on_enter: form.choice("StartConferenceOnEnter")?.unwrap_or(true),
        end_on_exit: form.flag("EndConferenceOnExit")?,
        label: label(form)?,
        wait_method: wait.as_ref().map(|music| music.method).unwrap_or_default(),
        wait_url: wait.and_then(|music| music.url),
        max_participants: form
            .number("MaxParticipants", 2..=PARTICIPANTS_MAX, 20001)?
            .unwrap_or(PARTICIPANTS_MAX),
        record: matches!(record, Some("true" | "record-from-start")),
        trim: trim != Some("do-not-trim"),
        record_beep: false,
        record_s_max: None,
        coach: coaches(form)?.flatten(),
        jitter_buffer: match form.one_of("JitterBufferSize", &["off", "small", "medium", "large"], 20001)? {
            Some("off") => JitterBufferSize::Off,
            Some("small") => JitterBufferSize::Small,
            Some("medium") => JitterBufferSize::Medium,
            Some(_) | None => JitterBufferSize::Large,
        },
        status_callback: conference_callback(form)?,
        recording_status_callback: recording_callback(form, "Conference")?,
    })
}

/// One that the node finds by its sid has a name already.
fn name(conference: &ConferenceRef) -> Result<String, ApiError> {
    match conference {
        ConferenceRef::Sid(_) => Ok(String::new()),
        ConferenceRef::Name(name) => {
            let fits =
                (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && !name.contains(char::is_control);
            let wanted = || format!("A conference's name has 1 to {NAME_CHARS_MAX} printable characters");
            if fits { Ok(name.clone()) } else { Err(ApiError::new(20001, wanted())) }
        }
    }
}

fn label(form: &Params) -> Result<Option<String>, ApiError> {
    let Some(label) = form.text("Label") else { return Ok(None) };
    let fits = label.chars().count() <= NAME_CHARS_MAX
        && !label.contains('/')
        && !label.contains(char::is_control)
        && label.parse::<CallSid>().is_err();
    let wanted = "Label has at most 128 characters, no slash, and is not a call's sid";
    if fits { Ok(Some(label.to_owned())) } else { Err(ApiError::new(16024, wanted)) }
}

/// The others are not kept waiting for the verdict.
fn detection(form: &Params, dialect: Dialect) -> Result<Option<MachineDetection>, ApiError> {
    let callback = document_ref(form, "AmdStatusCallback", "AmdStatusCallbackMethod")?;
    let callback = callback.map(|to| AmdStatusCallback { url: to.url, method: to.method });
    Ok(machine_detection(form, dialect)?.map(|plain| MachineDetection { beside: true, callback, ..plain }))
}

fn conference_callback(form: &Params) -> Result<Option<ConferenceStatusCallback>, ApiError> {
    const EVENT: &str = "ConferenceStatusCallbackEvent";
    let mut events = Vec::new();
    for word in form.list(EVENT) {
        let event = EVENTS.iter().find(|(name, _)| *name == word).map(|(_, event)| *event);
        let event = event.ok_or_else(|| ApiError::new(20001, format!("{EVENT} knows no event `{word}`")))?;
        if !events.contains(&event) {
            events.push(event);
        }
    }
    if events.is_empty() {
        events.extend([ConferenceEvent::Start, ConferenceEvent::End]);
    }
    let to = document_ref(form, "ConferenceStatusCallback", "ConferenceStatusCallbackMethod")?;
    Ok(to.map(|to| ConferenceStatusCallback { url: to.url, method: to.method, events }))
}

fn display(form: &Params) -> Result<Option<String>, ApiError> {
    let Some(name) = form.text("CallerDisplayName") else { return Ok(None) };
    if (2..=255).contains(&name.chars().count()) && !name.contains(char::is_control) {
        return Ok(Some(name.to_owned()));
    }
    Err(ApiError::new(20001, "CallerDisplayName has 2 to 255 printable characters"))
}

/// Where a conference may be asked to be mixed; the box mixes all of them where it is, and says what was asked.
const REGIONS: &[&str] = &["us1", "us2", "ie1", "de1", "sg1", "br1", "au1", "jp1"];

const EVENTS: &[(&str, ConferenceEvent)] = &[
    ("start", ConferenceEvent::Start),
    ("end", ConferenceEvent::End),
    ("join", ConferenceEvent::Join),
    ("leave", ConferenceEvent::Leave),
    ("mute", ConferenceEvent::Mute),
    ("hold", ConferenceEvent::Hold),
    ("modify", ConferenceEvent::Modify),
    ("speaker", ConferenceEvent::Speaker),
    ("announcement", ConferenceEvent::Announcement),
];

/// Seconds somebody may be rung when nothing is said.
const TIMEOUT: u32 = 60;
/// Participants of one conference (reference: twiml-voice §10.4).
const PARTICIPANTS_MAX: u32 = 250;
/// Characters of a name or a label (reference: twiml-voice §10.4).
const NAME_CHARS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use twiml::HttpMethod;

    use super::*;

    const LEAST: &str = "From=%2B15550001111&To=%2B15557654321";

    fn of(form: &str) -> Result<NewParticipant, ApiError> {
        read(&Params::read(form.as_bytes()), &ConferenceRef::Name("room".to_owned()), Dialect::Twiml)
    }

    #[test]
    fn the_least_says_what_is_published_as_default() {
        let least = of(LEAST).unwrap();
        assert_eq!((least.call.timeout_s, least.early_media, least.call.display_name), (60, true, None));
        assert_eq!((least.call.record, least.call.machine_detection), (None, None));
        let plain = ConferenceNoun {
            name: "room".to_owned(),
            muted: false,
            beep: Beep::Both,
            start_on_enter: true,
            end_on_exit: false,
            label: None,
            wait_url: None,
            wait_method: HttpMethod::Post,
            max_participants: 250,
            record: false,
            trim: true,
            record_beep: false,
            record_s_max: None,
            coach: None,
            jitter_buffer: JitterBufferSize::Large,
            status_callback: None,
            recording_status_callback: None,
        };
        assert_eq!(least.conference, plain);
    }

    #[test]
    fn everything_is_read() {
        let coached = CallSid(7);
        let most = of(&format!(
            "{LEAST}&Label=desk+3&Timeout=5&Record=true&Muted=true&Beep=onExit&StartConferenceOnEnter=false\
             &EndConferenceOnExit=true&WaitUrl=&WaitMethod=GET&EarlyMedia=false&MaxParticipants=2\
             &ConferenceRecord=record-from-start&ConferenceTrim=do-not-trim&ConferenceStatusCallback=http://w/c\
             &ConferenceStatusCallbackEvent=join+modify&RecordingChannels=dual&Trim=do-not-trim\
             &RecordingStatusCallback=http://w/r&RecordingStatusCallbackEvent=started+paused&SipAuthUsername=u\
             &SipAuthPassword=p&ConferenceRecordingStatusCallback=http://w/cr\
             &ConferenceRecordingStatusCallbackMethod=GET&Coaching=true&CallSidToCoach={coached}&TimeLimit=9\
             &JitterBufferSize=small&MachineDetection=Enable&AmdStatusCallback=http://w/amd&CallerDisplayName=Ann\
             &StatusCallback=http://w/s&StatusCallbackEvent=ringing&CallerId=%2B1555&Region=de1"
        ))
        .unwrap();
        let NewParticipant { call, conference, early_media, region } = most;
        assert_eq!(region.as_deref(), Some("de1"));
        assert_eq!((call.timeout_s, call.time_limit_s, early_media), (5, Some(9), false));
        assert_eq!((call.display_name.as_deref(), call.caller_id.as_deref()), (Some("Ann"), Some("+1555")));
        assert_eq!(conference.jitter_buffer, JitterBufferSize::Small);
        let amd = call.machine_detection.unwrap();
        assert_eq!((amd.beside, amd.callback.unwrap().url.as_str()), (true, "http://w/amd"));
        let record = call.record.unwrap();
        assert_eq!((record.what, record.trim), (media::RecordWhat::Dual, false));
        assert_eq!(record.callback.unwrap().events, [twiml::RecordingEvent::InProgress]);
        assert!(call.credentials.is_some() && call.status_callback.is_some());
        assert_eq!((conference.label.as_deref(), conference.beep), (Some("desk 3"), Beep::OnExit));
        assert!(conference.muted && !conference.start_on_enter && conference.end_on_exit);
        assert_eq!((conference.wait_url.as_deref(), conference.wait_method), (Some(""), HttpMethod::Get));
        assert_eq!((conference.max_participants, conference.record, conference.trim), (2, true, false));
        assert_eq!(conference.coach, Some(coached));
        let callback = conference.status_callback.unwrap();
        assert_eq!(callback.events, [ConferenceEvent::Join, ConferenceEvent::Modify]);
        let recorded = conference.recording_status_callback.unwrap();
        assert_eq!((recorded.url.as_str(), recorded.method), ("http://w/cr", HttpMethod::Get));
    }

    #[test]
    fn every_mistake_has_its_number() {
        let long = format!("Label={}", "x".repeat(129));
        for (more, code) in [
            ("Timeout=4", 21208),
            ("Timeout=601", 21208),
            ("Label=a%2Fb", 16024),
            (long.as_str(), 16024),
            ("Beep=loud", 20001),
            ("MaxParticipants=1", 20001),
            ("MaxParticipants=251", 20001),
            ("ConferenceRecord=always", 20001),
            ("ConferenceTrim=some", 20001),
            ("ConferenceStatusCallback=here", 21205),
            ("ConferenceStatusCallback=http://w/c&ConferenceStatusCallbackEvent=never", 20001),
            ("WaitUrl=here", 21205),
            ("EarlyMedia=x", 20001),
            ("Coaching=true", 20001),
            ("CallerDisplayName=A", 20001),
            ("JitterBufferSize=huge", 20001),
            ("Region=mars", 20001),
            ("MachineDetection=maybe", 21234),
            ("SipAuthUsername=u", 21225),
            ("AmdStatusCallback=x", 21205),
        ] {
            assert_eq!(of(&format!("{LEAST}&{more}")).unwrap_err().code(), code, "{more}");
        }
        for (form, code) in [("To=%2B1", 21213), ("From=%2B1", 21201)] {
            assert_eq!(of(form).unwrap_err().code(), code, "{form}");
        }
        let long = ConferenceRef::Name("x".repeat(129));
        assert_eq!(read(&Params::read(LEAST.as_bytes()), &long, Dialect::Twiml).unwrap_err().code(), 20001);
    }
}
