//! What status callbacks carry (reference: webhooks §4.1, §4.2, §4.4).

use base::{AccountSid, CallSid, ConferenceSid, RecordingSid, Timestamp, TranscriptionSid};
use serde::{Deserialize, Serialize};

use super::action::recording;
use super::{CallFacts, Params, RecordingFacts, TexmlProgress, texml};
use crate::{Dialect, ProgressEvent, RecordingTrack};

/// An event of a call's progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressFacts {
    /// Which.
    pub event: ProgressEvent,
    /// When it happened, not when it is told.
    pub at: Timestamp,
    /// From 0 for each call, given when the event happens.
    pub sequence: u32,
    /// Connected time in whole seconds; told when the call is over.
    pub duration_s: u64,
    /// The final response to the INVITE, once there is one.
    pub sip_code: Option<u16>,
    /// The call's recording; told when the call is over.
    pub recording: Option<RecordingFacts>,
    /// Why it failed: number and sentence.
    pub error: Option<(u32, String)>,
    /// The key that was pressed.
    pub digit: Option<char>,
    /// What the other dialect tells besides.
    pub texml: Option<Box<TexmlProgress>>,
}

/// The parameters of a call progress event (reference: webhooks §4.2). The status is the event's; a completed
/// call's is its own, which must be final by then.
pub fn progress_params(call: &CallFacts, progress: &ProgressFacts) -> Vec<(String, String)> {
    let mut params = Params::from_standard(call);
    params.set("CallbackSource", "call-progress-events");
    params.set("SequenceNumber", progress.sequence.to_string());
    params.set("Timestamp", progress.at.rfc2822());
    params.set_some("SipResponseCode", progress.sip_code.map(|code| code.to_string()));
    match progress.event {
        ProgressEvent::Initiated => params.set("CallStatus", "initiated"),
        ProgressEvent::Ringing => params.set("CallStatus", "ringing"),
        ProgressEvent::Answered => params.set("CallStatus", "in-progress"),
        ProgressEvent::Amd => {}
        ProgressEvent::Dtmf => params.set_some("Digits", progress.digit.map(String::from)),
        ProgressEvent::Completed => {
            params.set("CallDuration", progress.duration_s.to_string());
            params.set("Duration", progress.duration_s.div_ceil(60).to_string());
            if let Some(facts) = &progress.recording {
                recording(facts, &mut params);
            }
            if let Some((code, message)) = &progress.error {
                params.set("ErrorCode", code.to_string());
                params.set("ErrorMessage", message.as_str());
            }
        }
    }
    if call.dialect == Dialect::Texml {
        texml::status(call, progress, &mut params);
    }
    params.sorted()
}

/// The parameters of the one callback at the end of an inbound call (reference: webhooks §4.1).
pub fn call_ended_params(call: &CallFacts, progress: ProgressFacts) -> Vec<(String, String)> {
    let event = ProgressEvent::Completed;
    progress_params(call, &ProgressFacts { event, sequence: 0, ..progress })
}

/// The verdict of an answering machine detection that the call did not wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmdFacts {
    /// The account.
    pub account_sid: AccountSid,
    /// The leg.
    pub call_sid: CallSid,
    /// `human`, `machine_start` …
    pub answered_by: String,
    /// Milliseconds it took.
    pub ms: u32,
}

/// The parameters of `amdStatusCallback` (reference: webhooks §4.5).
pub fn amd_params(amd: &AmdFacts) -> Vec<(String, String)> {
    let mut params = Params::default();
    params.set("AccountSid", amd.account_sid.to_string());
    params.set("CallSid", amd.call_sid.to_string());
    params.set("AnsweredBy", amd.answered_by.as_str());
    params.set("MachineDetectionDuration", amd.ms.to_string());
    params.sorted()
}

/// What was said in a recording, as `transcribeCallback` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptionFacts {
    /// Which.
    pub sid: TranscriptionSid,
    /// Absolute.
    pub url: String,
    /// `completed` or `failed`.
    pub status: &'static str,
    /// Empty when it failed.
    pub text: String,
    /// The recording.
    pub recording_sid: RecordingSid,
    /// Absolute, without an extension.
    pub recording_url: String,
}

/// The parameters of `transcribeCallback` (reference: twiml-voice §8).
pub fn recording_transcription_params(
    call: &CallFacts,
    transcription: &TranscriptionFacts,
) -> Vec<(String, String)> {
    const STANDARD: &[&str] =
        &["CallSid", "AccountSid", "From", "To", "CallStatus", "ApiVersion", "Direction", "ForwardedFrom"];
    let mut params = Params::default();
    for (name, value) in super::standard_params(call) {
        if STANDARD.contains(&name.as_str()) {
            params.set(&name, value);
        }
    }
    params.set("TranscriptionSid", transcription.sid.to_string());
    params.set("TranscriptionText", transcription.text.as_str());
    params.set("TranscriptionStatus", transcription.status);
    params.set("TranscriptionUrl", transcription.url.as_str());
    params.set("RecordingSid", transcription.recording_sid.to_string());
    params.set("RecordingUrl", transcription.recording_url.as_str());
    params.sorted()
}

/// A recording, as its own callback tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingCallbackFacts {
    /// The account.
    pub account_sid: AccountSid,
    /// The leg; for a `<Dial>` the parent's.
    pub call_sid: CallSid,
    /// The conference, when that was recorded as a whole: then no call is named.
    pub conference_sid: Option<ConferenceSid>,
    /// Which.
    pub recording_sid: RecordingSid,
    /// Absolute, without an extension; `None` where it is not to be told.
    pub url: Option<String>,
    /// What is told about it.
    pub status: RecordingStatus,
    /// Whole seconds; told once it is completed.
    pub duration_s: Option<u64>,
    /// 1 or 2.
    pub channels: u8,
    /// When it began.
    pub start: Option<Timestamp>,
    /// What asked for it.
    pub source: RecordingSource,
    /// Which directions it contains.
    pub track: RecordingTrack,
    /// Why it failed.
    pub error_code: Option<u32>,
}

/// `RecordingStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordingStatus {
    /// It began.
    InProgress,
    /// It is suspended.
    Paused,
    /// It ended and is not on disk yet.
    Processing,
    /// It can be fetched.
    Completed,
    /// It was too short or too silent to keep.
    Absent,
    /// It could not be written.
    Failed,
    /// Its sound was deleted; what is known of it is kept.
    Deleted,
}

/// `RecordingSource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RecordingSource {
    /// `<Dial record>`.
    DialVerb,
    /// `<Conference record>`.
    Conference,
    /// `Record` of a call made through the API.
    OutboundApi,
    /// A trunk's or a number's setting.
    Trunking,
    /// `<Record>`.
    RecordVerb,
    /// The API, during a call.
    StartCallRecordingApi,
    /// The API, during a conference.
    StartConferenceRecordingApi,
    /// `<Start><Recording>`.
    StartCallRecordingTwiml,
}

impl RecordingSource {
    /// As published.
    pub fn as_str(self) -> &'static str {
        match self {
            RecordingSource::DialVerb => "DialVerb",
            RecordingSource::Conference => "Conference",
            RecordingSource::OutboundApi => "OutboundAPI",
            RecordingSource::Trunking => "Trunking",
            RecordingSource::RecordVerb => "RecordVerb",
            RecordingSource::StartCallRecordingApi => "StartCallRecordingAPI",
            RecordingSource::StartConferenceRecordingApi => "StartConferenceRecordingAPI",
            RecordingSource::StartCallRecordingTwiml => "StartCallRecordingTwiML",
        }
    }
}

impl RecordingStatus {
    /// As published.
    pub fn as_str(self) -> &'static str {
        match self {
            RecordingStatus::InProgress => "in-progress",
            RecordingStatus::Paused => "paused",
            RecordingStatus::Processing => "processing",
            RecordingStatus::Completed => "completed",
            RecordingStatus::Absent => "absent",
            RecordingStatus::Failed => "failed",
            RecordingStatus::Deleted => "deleted",
        }
    }
}

/// The parameters of a recording's status callback (reference: webhooks §4.4). They stand alone, without the
/// call's standard ones.
pub fn recording_params(facts: &RecordingCallbackFacts) -> Vec<(String, String)> {
    let mut params = Params::default();
    params.set("AccountSid", facts.account_sid.to_string());
    match facts.conference_sid {
        Some(conference) => params.set("ConferenceSid", conference.to_string()),
        None => params.set("CallSid", facts.call_sid.to_string()),
    }
    params.set("RecordingSid", facts.recording_sid.to_string());
    params.set_some("RecordingUrl", facts.url.as_deref());
    params.set("RecordingStatus", facts.status.as_str());
    params.set("RecordingChannels", facts.channels.to_string());
    params.set("RecordingSource", facts.source.as_str());
    params.set("RecordingTrack", facts.track.as_str());
    params.set_some("RecordingStartTime", facts.start.map(Timestamp::rfc2822));
    params.set_some("ErrorCode", facts.error_code.map(|code| code.to_string()));
    match facts.status {
        RecordingStatus::Completed => {
            params.set_some("RecordingDuration", facts.duration_s.map(|s| s.to_string()))
        }
        RecordingStatus::InProgress
        | RecordingStatus::Paused
        | RecordingStatus::Processing
        | RecordingStatus::Absent
        | RecordingStatus::Failed
        | RecordingStatus::Deleted => {}
    }
    params.sorted()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{inbound, lines};
    use super::*;
    use crate::{CallStatus, Direction, standard_params};

    fn progress(event: ProgressEvent, sip_code: Option<u16>) -> ProgressFacts {
        let at = Timestamp(1_282_266_822_000_000);
        ProgressFacts {
            event,
            at,
            sequence: 3,
            duration_s: 49,
            sip_code,
            recording: None,
            error: None,
            digit: None,
            texml: None,
        }
    }

    /// What a callback says besides the standard parameters.
    fn added(call: &CallFacts, params: &[(String, String)]) -> Vec<String> {
        let standard = standard_params(call);
        let all = lines(params);
        assert!(standard.iter().all(|(name, _)| params.iter().any(|(other, _)| other == name)));
        all.into_iter().filter(|line| !lines(&standard).contains(line)).collect()
    }

    #[test]
    fn each_event_has_its_status() {
        let call = CallFacts { status: CallStatus::Queued, direction: Direction::OutboundApi, ..inbound() };
        let source = "CallbackSource=call-progress-events";
        let (sequence, at) = ("SequenceNumber=3", "Timestamp=Fri, 20 Aug 2010 01:13:42 +0000");
        for (event, sip_code, status) in [
            (ProgressEvent::Initiated, None, "CallStatus=initiated"),
            (ProgressEvent::Ringing, None, "CallStatus=ringing"),
        ] {
            let told = added(&call, &progress_params(&call, &progress(event, sip_code)));
            assert_eq!(told, [status, source, sequence, at]);
        }
        let told = added(&call, &progress_params(&call, &progress(ProgressEvent::Answered, Some(200))));
        assert_eq!(told, ["CallStatus=in-progress", source, sequence, "SipResponseCode=200", at]);
    }

    #[test]
    fn a_busy_call_as_captured() {
        let call = CallFacts { status: CallStatus::Busy, direction: Direction::OutboundApi, ..inbound() };
        let facts = ProgressFacts { duration_s: 0, ..progress(ProgressEvent::Completed, Some(486)) };
        let params = progress_params(&call, &facts);
        for line in ["CallStatus=busy", "SipResponseCode=486", "CallDuration=0", "Duration=0"] {
            assert!(lines(&params).contains(&line.to_owned()), "{line}");
        }
    }

    #[test]
    fn a_completed_call_tells_length_recording_and_error() {
        let call = CallFacts { status: CallStatus::Completed, ..inbound() };
        let facts = ProgressFacts {
            recording: Some(RecordingFacts { url: "u".into(), sid: RecordingSid(7), duration_s: 40 }),
            error: Some((32011, "odd".into())),
            ..progress(ProgressEvent::Completed, Some(200))
        };
        let expected = [
            "CallDuration=49",
            "CallbackSource=call-progress-events",
            "Duration=1",
            "ErrorCode=32011",
            "ErrorMessage=odd",
            "RecordingDuration=40",
            "RecordingSid=RE00000000000000000000000000000007",
            "RecordingUrl=u",
            "SequenceNumber=3",
            "SipResponseCode=200",
            "Timestamp=Fri, 20 Aug 2010 01:13:42 +0000",
        ];
        assert_eq!(added(&call, &progress_params(&call, &facts)), expected);
    }

    #[test]
    fn the_end_of_an_inbound_call() {
        let call = CallFacts { status: CallStatus::Completed, ..inbound() };
        let facts = ProgressFacts {
            at: Timestamp(0),
            duration_s: 61,
            ..progress(ProgressEvent::Completed, Some(200))
        };
        let params = call_ended_params(&call, facts);
        let expected = [
            "CallDuration=61",
            "CallbackSource=call-progress-events",
            "Duration=2",
            "SequenceNumber=0",
            "SipResponseCode=200",
            "Timestamp=Thu, 01 Jan 1970 00:00:00 +0000",
        ];
        assert_eq!(added(&call, &params), expected);
    }

    #[test]
    fn transcriptions() {
        let call = CallFacts { status: CallStatus::Completed, ..inbound() };
        let facts = TranscriptionFacts {
            sid: TranscriptionSid(5),
            url: "http://box/TR5".into(),
            status: "completed",
            text: "call me back".into(),
            recording_sid: RecordingSid(7),
            recording_url: "http://box/RE7".into(),
        };
        let expected = [
            "AccountSid=AC00000000000000000000000000000002",
            "ApiVersion=2010-04-01",
            "CallSid=CA00000000000000000000000000000001",
            "CallStatus=completed",
            "Direction=inbound",
            "From=+14158675310",
            "RecordingSid=RE00000000000000000000000000000007",
            "RecordingUrl=http://box/RE7",
            "To=+442079460000",
            "TranscriptionSid=TR00000000000000000000000000000005",
            "TranscriptionStatus=completed",
            "TranscriptionText=call me back",
            "TranscriptionUrl=http://box/TR5",
        ];
        assert_eq!(lines(&recording_transcription_params(&call, &facts)), expected);
    }

    #[test]
    fn recordings() {
        let facts = RecordingCallbackFacts {
            account_sid: AccountSid(2),
            call_sid: CallSid(1),
            conference_sid: None,
            recording_sid: RecordingSid(7),
            url: Some("u".into()),
            status: RecordingStatus::Completed,
            duration_s: Some(40),
            channels: 2,
            start: Some(Timestamp(0)),
            source: RecordingSource::DialVerb,
            track: RecordingTrack::Both,
            error_code: None,
        };
        let completed = [
            "AccountSid=AC00000000000000000000000000000002",
            "CallSid=CA00000000000000000000000000000001",
            "RecordingChannels=2",
            "RecordingDuration=40",
            "RecordingSid=RE00000000000000000000000000000007",
            "RecordingSource=DialVerb",
            "RecordingStartTime=Thu, 01 Jan 1970 00:00:00 +0000",
            "RecordingStatus=completed",
            "RecordingTrack=both",
            "RecordingUrl=u",
        ];
        assert_eq!(lines(&recording_params(&facts)), completed);
        let conference =
            RecordingCallbackFacts { conference_sid: Some(base::ConferenceSid(6)), ..facts.clone() };
        let told = lines(&recording_params(&conference));
        assert!(told.contains(&"ConferenceSid=CF00000000000000000000000000000006".to_owned()), "{told:?}");
        assert!(!told.iter().any(|line| line.starts_with("CallSid")));
        let failed = RecordingCallbackFacts {
            status: RecordingStatus::Failed,
            error_code: Some(99004),
            start: None,
            ..facts
        };
        let told = lines(&recording_params(&failed));
        assert!(
            told.contains(&"ErrorCode=99004".to_owned())
                && told.contains(&"RecordingStatus=failed".to_owned())
        );
        assert!(!told.iter().any(|line| line.starts_with("RecordingDuration")));
    }
}
