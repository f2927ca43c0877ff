//! `machineDetection…` and `amdStatusCallback…` of `<Number>` and `<Sip>` (reference: twiml-voice §10.1, webhooks
//! §4.5).

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::reading::{Node, Reading, attribute, owned};
use crate::{Dialect, HttpMethod};

/// Who answered is listened for before the callee hears anything, or beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineDetection {
    /// `DetectMessageEnd`: a machine is told when its greeting is over.
    pub message_end: bool,
    /// Milliseconds after which nobody can say.
    pub timeout_ms: u32,
    /// Milliseconds: whoever speaks as long is a machine.
    pub speech_threshold_ms: u32,
    /// Milliseconds of silence after which speech is over.
    pub speech_end_threshold_ms: u32,
    /// Milliseconds of silence at first after which nobody can say.
    pub silence_timeout_ms: u32,
    /// The call does not wait for the verdict.
    pub beside: bool,
    /// Where the verdict is told then.
    pub callback: Option<AmdStatusCallback>,
}

/// `amdStatusCallback` with its method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmdStatusCallback {
    /// The receiver.
    pub url: String,
    /// How.
    pub method: HttpMethod,
}

impl MachineDetection {
    /// The published timers and what they may be (reference: webhooks §4.5).
    pub const TIMEOUT_S: RangeInclusive<u32> = 3..=60;
    /// `MachineDetectionSpeechThreshold`.
    pub const SPEECH_THRESHOLD_MS: RangeInclusive<u32> = 1_000..=6_000;
    /// `MachineDetectionSpeechEndThreshold`.
    pub const SPEECH_END_THRESHOLD_MS: RangeInclusive<u32> = 500..=5_000;
    /// `MachineDetectionSilenceTimeout`.
    pub const SILENCE_TIMEOUT_MS: RangeInclusive<u32> = 2_000..=10_000;

    /// With every default.
    pub fn new(message_end: bool) -> Self {
        Self {
            message_end,
            timeout_ms: 30_000,
            speech_threshold_ms: 2_400,
            speech_end_threshold_ms: 1_200,
            silence_timeout_ms: 5_000,
            beside: false,
            callback: None,
        }
    }
}

/// `None` when nothing is asked for.
pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Option<MachineDetection> {
    const MODES: &[(&str, Option<bool>)] =
        &[("Enable", Some(false)), ("DetectMessageEnd", Some(true)), ("Disable", None)];
    let timeout_ms = timeout_ms(node, reading);
    let mut whole = |name, range, default| reading.whole(node, name, range, default, INVALID);
    let plain = MachineDetection::new(false);
    let detection = MachineDetection {
        timeout_ms,
        speech_threshold_ms: whole(
            "machineDetectionSpeechThreshold",
            MachineDetection::SPEECH_THRESHOLD_MS,
            plain.speech_threshold_ms,
        ),
        speech_end_threshold_ms: whole(
            "machineDetectionSpeechEndThreshold",
            MachineDetection::SPEECH_END_THRESHOLD_MS,
            plain.speech_end_threshold_ms,
        ),
        silence_timeout_ms: whole(
            "machineDetectionSilenceTimeout",
            MachineDetection::SILENCE_TIMEOUT_MS,
            plain.silence_timeout_ms,
        ),
        ..plain
    };
    let method = reading.method(node, "amdStatusCallbackMethod", INVALID);
    let url = owned(node, "amdStatusCallback").filter(|url| !url.is_empty());
    let asked = attribute(node, "machineDetection").is_some_and(|value| !value.is_empty());
    let mode = if asked { reading.one_of(node, "machineDetection", MODES, None, INVALID) } else { None };
    if mode.is_some() && attribute(node, "sendDigits").is_some_and(|digits| !digits.is_empty()) {
        reading.bad_value(node, "machineDetection", INVALID, "is ignored when sendDigits is used");
        return None;
    }
    let callback = url.map(|url| AmdStatusCallback { url, method });
    let beside = callback.is_some();
    mode.map(|message_end| MachineDetection { message_end, beside, callback, ..detection })
}

/// Seconds in the one dialect, milliseconds in the other (reference: texml-delta §3).
fn timeout_ms(node: Node<'_>, reading: &mut Reading<'_>) -> u32 {
    const NAME: &str = "machineDetectionTimeout";
    match reading.dialect {
        Dialect::Twiml => reading.whole(node, NAME, MachineDetection::TIMEOUT_S, 30, INVALID) * 1_000,
        Dialect::Texml => reading.whole(node, NAME, 500..=60_000, 3_500, INVALID),
    }
}

/// Answering machine detection: invalid parameters.
const INVALID: u32 = 21263;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verb::table::{noun_in_dial, one_in};
    use crate::verb::{Noun, Verb};

    #[test]
    fn attributes_and_their_bad_values() {
        let enable = || Some(MachineDetection::new(false));
        let with = |change: fn(&mut MachineDetection)| {
            let mut detection = MachineDetection::new(false);
            change(&mut detection);
            Some(detection)
        };
        let told = |method| {
            let callback = Some(AmdStatusCallback { url: "http://h/amd".into(), method });
            Some(MachineDetection { beside: true, callback, ..MachineDetection::new(false) })
        };
        for (attributes, expected, codes) in [
            ("", None, vec![]),
            ("machineDetection=''", None, vec![]),
            ("machineDetection='Disable'", None, vec![]),
            ("machineDetection='enable'", None, vec![21263]),
            ("machineDetection='Enable'", enable(), vec![]),
            ("machineDetection='DetectMessageEnd'", with(|d| d.message_end = true), vec![]),
            ("machineDetectionTimeout='9'", None, vec![]),
            ("machineDetection='Enable' machineDetectionTimeout='3'", with(|d| d.timeout_ms = 3_000), vec![]),
            (
                "machineDetection='Enable' machineDetectionTimeout='60'",
                with(|d| d.timeout_ms = 60_000),
                vec![],
            ),
            ("machineDetection='Enable' machineDetectionTimeout='2'", enable(), vec![21263]),
            ("machineDetection='Enable' machineDetectionTimeout='61'", enable(), vec![21263]),
            (
                "machineDetection='Enable' machineDetectionSpeechThreshold='1000'",
                with(|d| d.speech_threshold_ms = 1_000),
                vec![],
            ),
            ("machineDetection='Enable' machineDetectionSpeechThreshold='6001'", enable(), vec![21263]),
            (
                "machineDetection='Enable' machineDetectionSpeechEndThreshold='500'",
                with(|d| d.speech_end_threshold_ms = 500),
                vec![],
            ),
            ("machineDetection='Enable' machineDetectionSpeechEndThreshold='499'", enable(), vec![21263]),
            (
                "machineDetection='Enable' machineDetectionSilenceTimeout='10000'",
                with(|d| d.silence_timeout_ms = 10_000),
                vec![],
            ),
            ("machineDetection='Enable' machineDetectionSilenceTimeout='x'", enable(), vec![21263]),
            ("machineDetection='Enable' amdStatusCallback='http://h/amd'", told(HttpMethod::Post), vec![]),
            (
                "machineDetection='Enable' amdStatusCallback='http://h/amd' amdStatusCallbackMethod='GET'",
                told(HttpMethod::Get),
                vec![],
            ),
            ("machineDetection='Enable' amdStatusCallbackMethod='PUT'", enable(), vec![21263]),
        ] {
            let number = format!("<Number {attributes}>+15550001111</Number>");
            let (Some(Noun::Number(number)), told) = noun_in_dial(&number) else { panic!("{attributes}") };
            assert_eq!((number.machine_detection, told), (expected.clone(), codes.clone()), "{attributes}");
            let sip = format!("<Sip {attributes}>sip:a@h</Sip>");
            let (Some(Noun::Sip(sip)), told) = noun_in_dial(&sip) else { panic!("{attributes}") };
            assert_eq!((sip.machine_detection, told), (expected, codes), "{attributes}");
        }
        for (attributes, timeout_ms, codes) in [
            ("", 3_500, vec![]),
            ("machineDetectionTimeout='500'", 500, vec![]),
            ("machineDetectionTimeout='60000'", 60_000, vec![]),
            ("machineDetectionTimeout='30'", 3_500, vec![21263]),
        ] {
            let xml = format!("<Dial><Number machineDetection='Enable' {attributes}>1</Number></Dial>");
            let (Some(Verb::Dial(dial)), told) = one_in(&xml, Dialect::Texml) else { panic!("{xml}") };
            let [Noun::Number(number)] = dial.nouns.as_slice() else { panic!("{xml}") };
            let expected = MachineDetection { timeout_ms, ..MachineDetection::new(false) };
            assert_eq!((number.machine_detection.clone(), told), (Some(expected), codes), "{xml}");
        }
        let xml = "<Dial machineDetection='Enable'><Number>1</Number><Number machineDetection='Disable'>2</Number>\
                   <Number machineDetection='DetectMessageEnd'>3</Number></Dial>";
        let (Some(Verb::Dial(dial)), _) = one_in(xml, Dialect::Texml) else { panic!() };
        let modes = dial.nouns.iter().map(|noun| match noun {
            Noun::Number(number) => number.machine_detection.as_ref().map(|detection| detection.message_end),
            other => panic!("{other:?}"),
        });
        assert_eq!(modes.collect::<Vec<_>>(), [Some(false), None, Some(true)]);
        let sending = "<Number machineDetection='Enable' sendDigits='1'>+15550001111</Number>";
        let (Some(Noun::Number(number)), codes) = noun_in_dial(sending) else { panic!() };
        assert_eq!((number.machine_detection, codes), (None, vec![21263]));
    }
}
