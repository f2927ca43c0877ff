//! What the callbacks of a live transcription carry (reference: twiml-voice §14.4).

use base::{AccountSid, CallSid, LiveTranscriptionSid, Timestamp};

use super::Params;

/// What is told.
#[derive(Clone, Debug, PartialEq)]
pub enum TranscriptionEvent {
    /// It runs, for these tracks in this language.
    Started {
        /// What the document called it.
        name: Option<String>,
        /// `inbound_track`, `outbound_track` or `both_tracks`.
        track: &'static str,
        /// BCP-47.
        language: String,
        /// Whether partial results are told.
        partial_results: bool,
    },
    /// Somebody said something.
    Content {
        /// The words.
        text: String,
        /// 0.0–1.0 as written, if that is known.
        confidence: Option<String>,
        /// `inbound_track` or `outbound_track`.
        track: &'static str,
        /// The document's name for that track.
        label: Option<String>,
        /// BCP-47.
        language: String,
        /// 0.0–1.0 of words that may yet change; `None`: they will not.
        stability: Option<String>,
    },
    /// It ended.
    Stopped,
    /// It does not work.
    Failed {
        /// As the error catalogue numbers it.
        code: u32,
        /// For people.
        message: String,
    },
}

/// A live transcription as its callback tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveTranscriptionFacts {
    /// The account.
    pub account_sid: AccountSid,
    /// The leg.
    pub call_sid: CallSid,
    /// Which.
    pub sid: LiveTranscriptionSid,
    /// When.
    pub at: Timestamp,
    /// From 1, in the order told.
    pub sequence: u32,
    /// What.
    pub event: TranscriptionEvent,
}

/// The parameters of a live transcription's callback; they stand alone, without the call's standard ones.
pub fn transcription_params(facts: &LiveTranscriptionFacts) -> Vec<(String, String)> {
    let mut params = Params::default();
    params.set("AccountSid", facts.account_sid.to_string());
    params.set("CallSid", facts.call_sid.to_string());
    params.set("TranscriptionSid", facts.sid.to_string());
    params.set("Timestamp", facts.at.iso8601());
    params.set("SequenceId", facts.sequence.to_string());
    let event = match &facts.event {
        TranscriptionEvent::Started { name, track, language, partial_results } => {
            params.set("Name", name.clone().unwrap_or_else(|| facts.sid.to_string()));
            params.set("Track", *track);
            params.set("LanguageCode", language.as_str());
            params.set("PartialResults", partial_results.to_string());
            "started"
        }
        TranscriptionEvent::Content { text, confidence, track, label, language, stability } => {
            params.set("TranscriptionData", data(text, confidence.as_deref()));
            params.set("Track", *track);
            params.set_some("TrackLabel", label.clone());
            params.set("LanguageCode", language.as_str());
            params.set("Final", stability.is_none().to_string());
            params.set_some("Stability", stability.clone());
            "content"
        }
        TranscriptionEvent::Stopped => "stopped",
        TranscriptionEvent::Failed { code, message } => {
            params.set("TranscriptionErrorCode", code.to_string());
            params.set("TranscriptionError", message.as_str());
            "error"
        }
    };
    params.set("TranscriptionEvent", format!("transcription-{event}"));
    params.sorted()
}

/// As JSON.
fn data(text: &str, confidence: Option<&str>) -> String {
    let text = serde_json::Value::from(text);
    match confidence {
        Some(confidence) => format!("{{\"transcript\":{text},\"confidence\":{confidence}}}"),
        None => format!("{{\"transcript\":{text}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::lines;
    use super::*;

    #[test]
    fn events_of_a_live_transcription() {
        let told = |event| {
            let facts = LiveTranscriptionFacts {
                account_sid: AccountSid(2),
                call_sid: CallSid(1),
                sid: LiveTranscriptionSid(3),
                at: Timestamp(1_282_266_822_000_000),
                sequence: 7,
                event,
            };
            let mut all = lines(&transcription_params(&facts));
            for line in [
                "AccountSid=AC00000000000000000000000000000002",
                "CallSid=CA00000000000000000000000000000001",
                "SequenceId=7",
                "Timestamp=2010-08-20T01:13:42Z",
                "TranscriptionSid=GT00000000000000000000000000000003",
            ] {
                let at = all.iter().position(|other| other == line).expect(line);
                all.remove(at);
            }
            all
        };
        let content = |confidence: Option<&str>, stability: Option<&str>| TranscriptionEvent::Content {
            text: "say \"yes\"".into(),
            confidence: confidence.map(str::to_owned),
            track: "inbound_track",
            label: None,
            language: "en-US".into(),
            stability: stability.map(str::to_owned),
        };
        for (event, expected) in [
            (
                TranscriptionEvent::Started {
                    name: Some("t".into()),
                    track: "both_tracks",
                    language: "en-US".into(),
                    partial_results: false,
                },
                vec![
                    "LanguageCode=en-US",
                    "Name=t",
                    "PartialResults=false",
                    "Track=both_tracks",
                    "TranscriptionEvent=transcription-started",
                ],
            ),
            (
                content(Some("0.97"), None),
                vec![
                    "Final=true",
                    "LanguageCode=en-US",
                    "Track=inbound_track",
                    "TranscriptionData={\"transcript\":\"say \\\"yes\\\"\",\"confidence\":0.97}",
                    "TranscriptionEvent=transcription-content",
                ],
            ),
            (
                content(None, Some("0.5")),
                vec![
                    "Final=false",
                    "LanguageCode=en-US",
                    "Stability=0.5",
                    "Track=inbound_track",
                    "TranscriptionData={\"transcript\":\"say \\\"yes\\\"\"}",
                    "TranscriptionEvent=transcription-content",
                ],
            ),
            (TranscriptionEvent::Stopped, vec!["TranscriptionEvent=transcription-stopped"]),
            (
                TranscriptionEvent::Failed { code: 99_001, message: "none".into() },
                vec![
                    "TranscriptionError=none",
                    "TranscriptionErrorCode=99001",
                    "TranscriptionEvent=transcription-error",
                ],
            ),
        ] {
            assert_eq!(told(event), expected);
        }
    }
}
