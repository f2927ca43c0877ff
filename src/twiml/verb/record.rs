//! `<Record>` (reference: twiml-voice §8; texml-delta §3).

use serde::{Deserialize, Serialize};

use super::RecordingStatusCallback;
use crate::reading::{Node, Reading, attribute, is_language, owned};
use crate::{Dialect, HttpMethod};

/// Record the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Requested when the recording ends; `None` = the current document (TeXML: go on with the next verb).
    pub action: Option<String>,
    /// How the action is requested.
    pub method: HttpMethod,
    /// Seconds of received silence that end it; 0 = never.
    pub timeout_s: u32,
    /// The keys that end it; empty = none.
    pub finish_on_key: String,
    /// Longest recording, seconds.
    pub max_length_s: u32,
    /// A beep comes first.
    pub play_beep: bool,
    /// Cut silence off both ends.
    pub trim: bool,
    /// Where its fate is told.
    pub recording_status_callback: Option<RecordingStatusCallback>,
    /// A transcription is wanted.
    pub transcribe: Option<Transcribe>,
    /// One channel unless TeXML asks otherwise.
    pub channels: RecordChannels,
    /// TeXML: what the file is; `None` = what the box writes.
    pub format: Option<RecordFormat>,
}

/// `transcribe="true"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcribe {
    /// Where the text is posted.
    pub callback: Option<String>,
    /// TeXML: what is spoken, BCP-47.
    pub language: Option<String>,
}

/// Channels of a recording (TeXML's `channels`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordChannels {
    /// One.
    Single,
    /// One for each direction.
    Dual,
}

/// File format of a recording (TeXML's `format`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordFormat {
    /// Wave.
    Wav,
    /// MPEG layer 3.
    Mp3,
}

pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Record {
    reading.known_attributes(node, ATTRIBUTES, TEXML_ATTRIBUTES);
    reading.no_children(node);
    reading.no_text(node);
    let texml = reading.dialect == Dialect::Texml;
    let transcribe = transcribe(node, reading);
    Record {
        action: owned(node, "action"),
        method: reading.method(node, "method", 13610),
        timeout_s: reading.whole(node, "timeout", 0..=u32::MAX, if texml { 0 } else { 5 }, 13611),
        finish_on_key: finish_on_key(node, reading),
        max_length_s: max_length(node, reading, transcribe.is_some()),
        play_beep: reading.boolean(node, "playBeep", true, 13616),
        trim: reading.one_of(node, "trim", &[("trim-silence", true), ("do-not-trim", false)], !texml, 13699),
        recording_status_callback: reading.recording_callback(node),
        transcribe,
        channels: channels(node, reading),
        format: format(node, reading),
    }
}

/// TeXML has other names for it besides (reference: texml-delta §3).
fn transcribe(node: Node<'_>, reading: &mut Reading<'_>) -> Option<Transcribe> {
    let text = |name| owned(node, name).filter(|value| !value.is_empty());
    let mut wanted = reading.boolean(node, "transcribe", false, 13614);
    let mut callback = text("transcribeCallback");
    let mut language = None;
    if reading.dialect == Dialect::Texml {
        wanted |= reading.boolean(node, "transcription", false, 13614);
        callback = callback.or_else(|| text("transcriptionCallback"));
        language = text("transcriptionLanguage");
        if language.as_deref().is_some_and(|tag| !is_language(tag)) {
            reading.bad_value(node, "transcriptionLanguage", 12200, "must be a language tag such as en-US");
            language = None;
        }
    }
    wanted.then_some(Transcribe { callback, language })
}

fn finish_on_key(node: Node<'_>, reading: &mut Reading<'_>) -> String {
    match attribute(node, "finishOnKey") {
        None => KEYS_ALL.to_owned(),
        Some(keys) if keys.chars().all(|key| KEYS_ALL.contains(key)) => keys.to_owned(),
        Some(_) => {
            reading.bad_value(node, "finishOnKey", 13613, "may contain 0-9 # *");
            KEYS_ALL.to_owned()
        }
    }
}

fn max_length(node: Node<'_>, reading: &mut Reading<'_>, transcribe: bool) -> u32 {
    let default = if transcribe { TRANSCRIBED_MAX_S } else { 3_600 };
    let length = match reading.dialect {
        Dialect::Twiml => reading.whole(node, "maxLength", 2..=86_400, default, 13612),
        // There 0 means no limit of its own.
        Dialect::Texml => match reading.whole(node, "maxLength", 0..=14_400, default, 13612) {
            0 => 14_400,
            length => length,
        },
    };
    if transcribe && length > TRANSCRIBED_MAX_S {
        reading.bad_value(node, "maxLength", 13615, "a transcription needs at most 120");
        return TRANSCRIBED_MAX_S;
    }
    length
}

fn channels(node: Node<'_>, reading: &mut Reading<'_>) -> RecordChannels {
    const CHANNELS: &[(&str, RecordChannels)] =
        &[("single", RecordChannels::Single), ("dual", RecordChannels::Dual)];
    match reading.dialect {
        Dialect::Twiml => RecordChannels::Single,
        Dialect::Texml => reading.one_of(node, "channels", CHANNELS, RecordChannels::Dual, 12200),
    }
}

fn format(node: Node<'_>, reading: &mut Reading<'_>) -> Option<RecordFormat> {
    const FORMATS: &[(&str, RecordFormat)] = &[("mp3", RecordFormat::Mp3), ("wav", RecordFormat::Wav)];
    match reading.dialect {
        Dialect::Twiml => None,
        Dialect::Texml => Some(reading.one_of(node, "format", FORMATS, RecordFormat::Mp3, 12200)),
    }
}

const ATTRIBUTES: &[&str] = &[
    "action",
    "finishOnKey",
    "maxLength",
    "method",
    "playBeep",
    "recordingConfigurationId",
    "recordingStatusCallback",
    "recordingStatusCallbackEvent",
    "recordingStatusCallbackMethod",
    "timeout",
    "transcribe",
    "transcribeCallback",
    "trim",
];
const TEXML_ATTRIBUTES: &[&str] = &[
    "channels",
    "format",
    "transcription",
    "transcriptionCallback",
    "transcriptionEngine",
    "transcriptionLanguage",
];
const KEYS_ALL: &str = "1234567890*#";
/// Seconds beyond which a recording is not transcribed.
const TRANSCRIBED_MAX_S: u32 = 120;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verb::RecordingEvent;
    use crate::verb::table::{one, one_in};
    use crate::{Verb, parse};

    fn plain() -> Record {
        Record {
            action: None,
            method: HttpMethod::Post,
            timeout_s: 5,
            finish_on_key: "1234567890*#".into(),
            max_length_s: 3_600,
            play_beep: true,
            trim: true,
            recording_status_callback: None,
            transcribe: None,
            channels: RecordChannels::Single,
            format: None,
        }
    }

    fn with(change: fn(&mut Record)) -> Record {
        let mut record = plain();
        change(&mut record);
        record
    }

    #[test]
    fn attributes_and_their_bad_values() {
        let callback = |method, events: &[RecordingEvent]| {
            let callback = RecordingStatusCallback {
                url: "/r".into(),
                method,
                events: events.to_vec(),
                sends_url: true,
            };
            Record { recording_status_callback: Some(callback), ..plain() }
        };
        use RecordingEvent::{Absent, Completed, InProgress};
        let events =
            "recordingStatusCallback='/r' recordingStatusCallbackEvent='in-progress  completed absent'";
        let transcribe = |callback: Option<&str>| Record {
            max_length_s: 120,
            transcribe: Some(Transcribe { callback: callback.map(str::to_owned), language: None }),
            ..plain()
        };
        for (attributes, expected, codes) in [
            ("", plain(), vec![]),
            (
                "action='/done' method='get'",
                with(|r| (r.action, r.method) = (Some("/done".into()), HttpMethod::Get)),
                vec![],
            ),
            ("action=''", with(|r| r.action = Some(String::new())), vec![]),
            ("method='HEAD'", plain(), vec![13610]),
            ("timeout='0'", with(|r| r.timeout_s = 0), vec![]),
            ("timeout='x'", plain(), vec![13611]),
            ("finishOnKey='#*'", with(|r| r.finish_on_key = "#*".into()), vec![]),
            ("finishOnKey=''", with(|r| r.finish_on_key = String::new()), vec![]),
            ("finishOnKey='1A'", plain(), vec![13613]),
            ("maxLength='2'", with(|r| r.max_length_s = 2), vec![]),
            ("maxLength='86400'", with(|r| r.max_length_s = 86_400), vec![]),
            ("maxLength='1'", plain(), vec![13612]),
            ("maxLength='86401'", plain(), vec![13612]),
            ("playBeep='false'", with(|r| r.play_beep = false), vec![]),
            ("playBeep='beep'", plain(), vec![13616]),
            ("trim='do-not-trim'", with(|r| r.trim = false), vec![]),
            ("trim='true'", plain(), vec![13699]),
            ("recordingStatusCallback='/r'", callback(HttpMethod::Post, &[Completed]), vec![]),
            (events, callback(HttpMethod::Post, &[InProgress, Completed, Absent]), vec![]),
            (
                "recordingStatusCallback='/r' recordingStatusCallbackMethod='GET'",
                callback(HttpMethod::Get, &[Completed]),
                vec![],
            ),
            ("recordingStatusCallbackMethod='x'", plain(), vec![13256]),
            ("transcribe='maybe'", plain(), vec![13614]),
            ("transcribe='true' transcribeCallback='/t'", transcribe(Some("/t")), vec![]),
            ("transcribe='true' maxLength='300'", transcribe(None), vec![13615]),
            ("recordingConfigurationId='x'", plain(), vec![]),
            ("channels='dual'", plain(), vec![12200]),
        ] {
            let xml = format!("<Record {attributes}/>");
            assert_eq!(one(&xml), (Some(Verb::Record(expected)), codes), "{xml}");
        }
        assert_eq!(one("<Record><Say>x</Say></Record>"), (Some(Verb::Record(plain())), vec![12200]));
    }

    #[test]
    fn texml_has_other_defaults() {
        let texml = with(|r| {
            (r.timeout_s, r.trim, r.channels, r.format) =
                (0, false, RecordChannels::Dual, Some(RecordFormat::Mp3));
        });
        assert_eq!(one_in("<Record/>", Dialect::Texml), (Some(Verb::Record(texml.clone())), vec![]));
        for (attributes, transcribe, codes) in [
            ("transcription='true'", Some((None, None)), vec![]),
            (
                "transcription='true' transcriptionCallback='/t' transcriptionLanguage='de'",
                Some((Some("/t"), Some("de"))),
                vec![],
            ),
            ("transcription='true' transcriptionLanguage='?'", Some((None, None)), vec![12200]),
            ("transcriptionCallback='/t'", None, vec![]),
            ("transcription='x'", None, vec![13614]),
        ] {
            let transcribe = transcribe.map(|(callback, language): (Option<&str>, Option<&str>)| {
                Transcribe { callback: callback.map(str::to_owned), language: language.map(str::to_owned) }
            });
            let max_length_s = if transcribe.is_some() { 120 } else { 3_600 };
            let expected = Record { transcribe, max_length_s, ..texml.clone() };
            let xml = format!("<Record {attributes}/>");
            assert_eq!(one_in(&xml, Dialect::Texml), (Some(Verb::Record(expected)), codes), "{xml}");
        }
        let wav = Record { channels: RecordChannels::Single, format: Some(RecordFormat::Wav), ..texml };
        let xml = "<Record channels='single' format='wav' maxLength='3600'/>";
        assert_eq!(one_in(xml, Dialect::Texml), (Some(Verb::Record(wav)), vec![]));
    }

    #[test]
    fn a_bad_event_ends_the_document() {
        let xml =
            "<Response><Record recordingStatusCallback='/r' recordingStatusCallbackEvent='done'/></Response>";
        let document = parse(xml, Dialect::Twiml).unwrap();
        assert!(document.verbs.is_empty() && document.errors[0].ends);
        assert_eq!(document.findings[0].code, 13621);
    }
}
