//! What a verb tells its action URL, besides the standard parameters.

use base::{CallSid, RecordingSid};
use serde::{Deserialize, Serialize};

use super::{CallFacts, Params, QueueStay, dequeue_params, headers};
use crate::{CallStatus, GatherInput};

/// What a `<Gather>` collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GatherResult {
    /// Keys.
    Digits {
        /// Without the finish key.
        digits: String,
        /// The key that ended the input; `None` when the number of digits or the timeout did.
        finished_on: Option<char>,
    },
    /// Words.
    Speech {
        /// As recognised.
        text: String,
        /// 0.0–1.0 as the recogniser wrote it, if it did.
        confidence: Option<String>,
        /// The recogniser's language.
        language: Option<String>,
    },
    /// Nothing, and the action is requested all the same (`actionOnEmptyResult`).
    Nothing {
        /// A finish key without digits.
        finished_on: Option<char>,
    },
}

/// The parameters of `<Gather>`'s action (reference: twiml-voice §7).
pub fn gather_params(result: &GatherResult, input: GatherInput) -> Vec<(String, String)> {
    let mut params = Params::default();
    // Undocumented, and read by applications.
    params.set("msg", "Gather End");
    let key = |key: &Option<char>| key.map(String::from).unwrap_or_default();
    match result {
        GatherResult::Digits { digits, finished_on } => {
            params.set("Digits", digits.as_str());
            params.set("FinishedOnKey", key(finished_on));
        }
        GatherResult::Speech { text, confidence, language } => {
            params.set("SpeechResult", text.as_str());
            params.set_some("Confidence", confidence.clone());
            params.set_some("Language", language.clone());
        }
        GatherResult::Nothing { finished_on } => {
            if input.dtmf {
                params.set("Digits", "");
                params.set("FinishedOnKey", key(finished_on));
            }
            if input.speech {
                params.set("SpeechResult", "");
            }
        }
    }
    params.sorted()
}

/// What is understood of an utterance that goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialFacts {
    /// Certain words.
    pub stable: String,
    /// Words that may yet change.
    pub unstable: String,
    /// How certain those are, 0.0–1.0.
    pub stability: String,
    /// From 0 for each `<Gather>`.
    pub sequence: u32,
    /// The recogniser's language.
    pub language: String,
}

/// The parameters of `partialResultCallback` (reference: twiml-voice §7).
pub fn partial_params(call: &CallFacts, partial: &PartialFacts) -> Vec<(String, String)> {
    let mut params = Params::from_standard(call);
    params.set("StableSpeechResult", partial.stable.as_str());
    params.set("UnstableSpeechResult", partial.unstable.as_str());
    params.set("Stability", partial.stability.as_str());
    params.set("SequenceNumber", partial.sequence.to_string());
    params.set("Language", partial.language.as_str());
    params.sorted()
}

/// A recording, as an action tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingFacts {
    /// Absolute, without an extension.
    pub url: String,
    /// Which.
    pub sid: RecordingSid,
    /// Whole seconds.
    pub duration_s: u64,
}

/// How a `<Record>` ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordFacts {
    /// What was recorded.
    pub recording: RecordingFacts,
    /// The key that ended it, or `hangup`; `None` when silence or its length did.
    pub digits: Option<String>,
}

/// The parameters of `<Record>`'s action (reference: twiml-voice §8).
pub fn record_params(record: &RecordFacts) -> Vec<(String, String)> {
    let mut params = Params::default();
    recording(&record.recording, &mut params);
    params.set("Digits", record.digits.clone().unwrap_or_default());
    params.sorted()
}

/// How a `<Dial>` ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialFacts {
    /// The child's that was bridged, or the one that says most.
    pub status: DialCallStatus,
    /// That child; `None` when nobody could be called, and for a conference.
    pub call_sid: Option<CallSid>,
    /// Its connected time, whole seconds; `None` when it was redirected before it ended, and for a conference.
    pub duration_s: Option<u64>,
    /// The two legs heard each other.
    pub bridged: bool,
    /// If `record` was set here.
    pub recording: Option<RecordingFacts>,
    /// If a `<Sip>` was dialled.
    pub sip: Option<DialSip>,
    /// If a caller was taken out of a queue: its stay there, and the call that took it.
    pub queue: Option<(QueueStay, CallSid)>,
}

/// What only a dialled `<Sip>` tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialSip {
    /// The INVITE's `Call-ID`.
    pub call_id: String,
    /// The final response's code.
    pub response_code: u16,
    /// Its `X-` headers.
    pub x_headers: Vec<(String, String)>,
}

/// How a `<Refer>` ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferFacts {
    /// `in-progress` when the target answered; otherwise as of a dial. `None` when nothing was told.
    pub status: Option<String>,
    /// The answer to the REFER.
    pub refer_code: Option<u16>,
    /// The last code a NOTIFY told.
    pub notify_code: Option<u16>,
}

/// The parameters of `<Refer>`'s action (reference: twiml-voice §13).
pub fn refer_params(refer: &ReferFacts) -> Vec<(String, String)> {
    let mut params = Params::default();
    params.set_some("ReferCallStatus", refer.status.clone());
    params.set_some("ReferSipResponseCode", refer.refer_code.map(|code| code.to_string()));
    params.set_some("NotifySipResponseCode", refer.notify_code.map(|code| code.to_string()));
    params.sorted()
}

/// The parameters of `<Dial>`'s action (reference: twiml-voice §9.4).
pub fn dial_params(dial: &DialFacts) -> Vec<(String, String)> {
    let mut params = Params::default();
    params.set("DialCallStatus", dial.status.as_str());
    params.set("DialBridged", dial.bridged.to_string());
    params.set_some("DialCallSid", dial.call_sid.map(|sid| sid.to_string()));
    params.set_some("DialCallDuration", dial.duration_s.map(|s| s.to_string()));
    if let Some(facts) = &dial.recording {
        recording(facts, &mut params);
    }
    if let Some(sip) = &dial.sip {
        params.set("DialSipCallId", sip.call_id.as_str());
        params.set("DialSipResponseCode", sip.response_code.to_string());
        headers("DialSipHeader_", &sip.x_headers, &mut params);
    }
    if let Some((stay, taken_by)) = dial.queue {
        dequeue_params(stay, taken_by).into_iter().for_each(|(name, value)| params.set(&name, value));
    }
    params.sorted()
}

pub(super) fn recording(facts: &RecordingFacts, params: &mut Params) {
    params.set("RecordingUrl", facts.url.as_str());
    params.set("RecordingSid", facts.sid.to_string());
    params.set("RecordingDuration", facts.duration_s.to_string());
}

/// What became of a `<Dial>` (reference: twiml-voice §9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialCallStatus {
    /// Answered, and now over.
    Completed,
    /// The leg was in a conference.
    Answered,
    /// Busy.
    Busy,
    /// Rang in vain.
    NoAnswer,
    /// Could not be called.
    Failed,
    /// Cancelled through the API before an answer.
    Canceled,
}

impl DialCallStatus {
    /// As published.
    pub fn as_str(self) -> &'static str {
        match self {
            DialCallStatus::Completed => "completed",
            DialCallStatus::Answered => "answered",
            DialCallStatus::Busy => "busy",
            DialCallStatus::NoAnswer => "no-answer",
            DialCallStatus::Failed => "failed",
            DialCallStatus::Canceled => "canceled",
        }
    }

    /// The dialled call's own final status.
    pub fn call_status(self) -> CallStatus {
        match self {
            DialCallStatus::Completed | DialCallStatus::Answered => CallStatus::Completed,
            DialCallStatus::Busy => CallStatus::Busy,
            DialCallStatus::NoAnswer => CallStatus::NoAnswer,
            DialCallStatus::Failed => CallStatus::Failed,
            DialCallStatus::Canceled => CallStatus::Canceled,
        }
    }

    /// Of two children's outcomes the one a `<Dial>` reports: the one that says most about the callees.
    pub fn or_better(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    fn rank(self) -> u8 {
        match self {
            DialCallStatus::Completed | DialCallStatus::Answered => 4,
            DialCallStatus::Busy => 3,
            DialCallStatus::NoAnswer => 2,
            DialCallStatus::Canceled => 1,
            DialCallStatus::Failed => 0,
        }
    }
}

/// What the final response to a child's INVITE means to its `<Dial>`; `declined` is what 603 counts as, `Busy`
/// unless configured otherwise. A ring timeout or our own cancel shows as 487, a transport failure as 503 (RFC
/// 3261 §8.1.3.1).
pub fn dial_call_status(sip_code: u16, declined: DialCallStatus) -> DialCallStatus {
    match sip_code {
        200..=299 => DialCallStatus::Completed,
        486 | 600 => DialCallStatus::Busy,
        603 => declined,
        408 | 480 | 487 => DialCallStatus::NoAnswer,
        _ => DialCallStatus::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::lines;
    use super::*;

    fn facts() -> RecordingFacts {
        RecordingFacts { url: "http://box/RE7".into(), sid: RecordingSid(7), duration_s: 12 }
    }

    const RECORDED: [&str; 3] = [
        "RecordingDuration=12",
        "RecordingSid=RE00000000000000000000000000000007",
        "RecordingUrl=http://box/RE7",
    ];

    #[test]
    fn gather() {
        let (dtmf, both) =
            (GatherInput { dtmf: true, speech: false }, GatherInput { dtmf: true, speech: true });
        let digits = |finished_on| GatherResult::Digits { digits: "12".into(), finished_on };
        let speech = GatherResult::Speech {
            text: "yes".into(),
            confidence: Some("0.9".into()),
            language: Some("en".into()),
        };
        let nothing = GatherResult::Nothing { finished_on: None };
        for (result, input, expected) in [
            (digits(Some('#')), dtmf, vec!["Digits=12", "FinishedOnKey=#", "msg=Gather End"]),
            (digits(None), dtmf, vec!["Digits=12", "FinishedOnKey=", "msg=Gather End"]),
            (speech, both, vec!["Confidence=0.9", "Language=en", "SpeechResult=yes", "msg=Gather End"]),
            (nothing.clone(), dtmf, vec!["Digits=", "FinishedOnKey=", "msg=Gather End"]),
            (nothing, both, vec!["Digits=", "FinishedOnKey=", "SpeechResult=", "msg=Gather End"]),
        ] {
            assert_eq!(lines(&gather_params(&result, input)), expected);
        }
    }

    #[test]
    fn record() {
        for (digits, expected) in
            [(Some("hangup"), "Digits=hangup"), (Some("#"), "Digits=#"), (None, "Digits=")]
        {
            let params =
                record_params(&RecordFacts { recording: facts(), digits: digits.map(str::to_owned) });
            assert_eq!(lines(&params), [&[expected], &RECORDED[..]].concat());
        }
    }

    #[test]
    fn dial() {
        let bridged = DialFacts {
            status: DialCallStatus::Completed,
            call_sid: Some(CallSid(4)),
            duration_s: Some(30),
            bridged: true,
            recording: Some(facts()),
            sip: Some(DialSip {
                call_id: "id".into(),
                response_code: 200,
                x_headers: vec![("X-Desk".into(), "3".into())],
            }),
            queue: None,
        };
        let expected = [
            &[
                "DialBridged=true",
                "DialCallDuration=30",
                "DialCallSid=CA00000000000000000000000000000004",
                "DialCallStatus=completed",
                "DialSipCallId=id",
                "DialSipHeader_X-Desk=3",
                "DialSipResponseCode=200",
            ],
            &RECORDED[..],
        ];
        assert_eq!(lines(&dial_params(&bridged)), expected.concat());
        let nobody = DialFacts {
            status: DialCallStatus::Failed,
            call_sid: None,
            duration_s: None,
            bridged: false,
            recording: None,
            sip: None,
            queue: None,
        };
        assert_eq!(lines(&dial_params(&nobody)), ["DialBridged=false", "DialCallStatus=failed"]);
        let stay = QueueStay { sid: base::QueueSid(5), time_s: 61 };
        assert_eq!(
            lines(&dial_params(&DialFacts { queue: Some((stay, CallSid(9))), ..nobody })),
            [
                "DequeingCallSid=CA00000000000000000000000000000009",
                "DialBridged=false",
                "DialCallStatus=failed",
                "QueueSid=QU00000000000000000000000000000005",
                "QueueTime=61"
            ]
        );
    }

    #[test]
    fn refer() {
        for (status, codes, expected) in [
            (
                Some("busy"),
                (Some(202), Some(486)),
                vec!["NotifySipResponseCode=486", "ReferCallStatus=busy", "ReferSipResponseCode=202"],
            ),
            (Some("failed"), (Some(405), None), vec!["ReferCallStatus=failed", "ReferSipResponseCode=405"]),
            (None, (Some(202), None), vec!["ReferSipResponseCode=202"]),
        ] {
            let (refer_code, notify_code) = codes;
            let facts = ReferFacts { status: status.map(str::to_owned), refer_code, notify_code };
            assert_eq!(lines(&refer_params(&facts)), expected);
        }
    }

    #[test]
    fn final_responses() {
        use DialCallStatus::{Busy, Completed, Failed, NoAnswer};
        for (codes, expected) in [
            (&[200, 202][..], Completed),
            (&[486, 600, 603], Busy),
            (&[408, 480, 487], NoAnswer),
            (&[300, 400, 401, 403, 404, 407, 410, 484, 488, 500, 503, 604, 606, 0], Failed),
        ] {
            for code in codes {
                assert_eq!(dial_call_status(*code, Busy), expected, "{code}");
            }
        }
        assert_eq!(dial_call_status(603, NoAnswer), NoAnswer);
    }

    #[test]
    fn the_outcome_that_says_most_is_reported() {
        use DialCallStatus::{Busy, Canceled, Completed, Failed, NoAnswer};
        for (a, b, best) in [
            (Failed, NoAnswer, NoAnswer),
            (NoAnswer, Busy, Busy),
            (Busy, Completed, Completed),
            (Canceled, Failed, Canceled),
        ] {
            assert_eq!((a.or_better(b), b.or_better(a)), (best, best));
        }
    }
}
