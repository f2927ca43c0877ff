//! `<Number>` (reference: twiml-voice §10.1).

use serde::{Deserialize, Serialize};

use super::{MachineDetection, StatusCallback, machine_detection};
use crate::HttpMethod;
use crate::reading::{Node, Reading, attribute, is_digits, owned, shortened, text};

/// A phone number to ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// Digits with an optional leading `+`, separators removed.
    pub number: String,
    /// Sent after the answer, before bridging: DTMF with `w` and `W` pauses.
    pub send_digits: Option<String>,
    /// Document run on the callee after the answer, before bridging.
    pub url: Option<String>,
    /// How that is requested.
    pub method: HttpMethod,
    /// Where the leg's progress is told.
    pub status_callback: Option<StatusCallback>,
    /// Listen who answered.
    pub machine_detection: Option<MachineDetection>,
    /// Selects a trunk (`byoc`).
    pub trunk: Option<String>,
}

/// `None` when the number is none (13223).
pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Option<Number> {
    reading.known_attributes(node, ATTRIBUTES, TEXML_ATTRIBUTES);
    reading.no_children(node);
    let number = number_or_bad(&text(node), node.range().start, reading);
    let send_digits = match attribute(node, "sendDigits") {
        None | Some("") => None,
        Some(digits) if is_digits(digits) => Some(digits.to_owned()),
        Some(_) => {
            reading.bad_value(node, "sendDigits", 13222, "may contain 0-9 A-D * # w W; nothing is sent");
            None
        }
    };
    let noun = Number {
        number: String::new(),
        send_digits,
        url: owned(node, "url").filter(|url| !url.is_empty()),
        method: reading.method(node, "method", 13221),
        status_callback: reading.status_callback(node, 13221),
        machine_detection: machine_detection::read(node, reading),
        trunk: owned(node, "byoc").filter(|trunk| !trunk.is_empty()),
    };
    number.map(|number| Number { number, ..noun })
}

/// The text of a `<Dial>` without nouns.
pub(crate) fn bare(written: &str, at: usize, reading: &mut Reading<'_>) -> Option<Number> {
    let number = number_or_bad(written, at, reading)?;
    Some(Number {
        number,
        send_digits: None,
        url: None,
        method: HttpMethod::Post,
        status_callback: None,
        machine_detection: None,
        trunk: None,
    })
}

/// Digits, `*` and `#` with an optional leading `+`; the separators people write are removed.
pub(crate) fn phone_number(written: &str) -> Option<String> {
    let number: String =
        written.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')' | '/') && !c.is_whitespace()).collect();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let valid = !digits.is_empty()
        && digits.len() <= DIGITS_MAX
        && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'*' | b'#'));
    valid.then_some(number)
}

fn number_or_bad(written: &str, at: usize, reading: &mut Reading<'_>) -> Option<String> {
    let number = phone_number(written);
    if number.is_none() {
        let message = format!("\"{}\" is not a phone number and is not dialled", shortened(written));
        reading.bad(13223, at, message);
    }
    number
}

const ATTRIBUTES: &[&str] = &[
    "amdStatusCallback",
    "amdStatusCallbackMethod",
    "byoc",
    "machineDetection",
    "machineDetectionSilenceTimeout",
    "machineDetectionSpeechEndThreshold",
    "machineDetectionSpeechThreshold",
    "machineDetectionTimeout",
    "method",
    "sendDigits",
    "statusCallback",
    "statusCallbackEvent",
    "statusCallbackMethod",
    "url",
];
const TEXML_ATTRIBUTES: &[&str] = &["detectionMode"];
/// E.164 has 15; codes dialled inside offices and towards carriers are longer.
const DIGITS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verb::table::noun_in_dial;
    use crate::verb::{Noun, ProgressEvent};

    #[test]
    fn attributes_and_their_bad_values() {
        let plain = Number {
            number: "+15550001111".into(),
            send_digits: None,
            url: None,
            method: HttpMethod::Post,
            status_callback: None,
            machine_detection: None,
            trunk: None,
        };
        let called_back = |method, events: &[ProgressEvent]| {
            let callback = StatusCallback { url: "/s".into(), method, events: events.to_vec() };
            Number { status_callback: Some(callback), ..plain.clone() }
        };
        use ProgressEvent::{Answered, Completed, Initiated, Ringing};
        for (attributes, content, expected, codes) in [
            ("", "+15550001111", Some(plain.clone()), vec![]),
            ("", " +1 (555) 000-1111 ", Some(plain.clone()), vec![]),
            ("", "1001", Some(Number { number: "1001".into(), ..plain.clone() }), vec![]),
            ("", "*98#", Some(Number { number: "*98#".into(), ..plain.clone() }), vec![]),
            ("", "", None, vec![13223]),
            ("", "+", None, vec![13223]),
            ("", "ann", None, vec![13223]),
            ("", "1+2", None, vec![13223]),
            (
                "sendDigits='ww12#'",
                "+15550001111",
                Some(Number { send_digits: Some("ww12#".into()), ..plain.clone() }),
                vec![],
            ),
            ("sendDigits='x'", "+15550001111", Some(plain.clone()), vec![13222]),
            ("sendDigits=''", "+15550001111", Some(plain.clone()), vec![]),
            (
                "url='/w' method='GET'",
                "+15550001111",
                Some(Number { url: Some("/w".into()), method: HttpMethod::Get, ..plain.clone() }),
                vec![],
            ),
            ("method='x'", "+15550001111", Some(plain.clone()), vec![13221]),
            (
                "byoc='BY1'",
                "+15550001111",
                Some(Number { trunk: Some("BY1".into()), ..plain.clone() }),
                vec![],
            ),
            (
                "statusCallback='/s'",
                "+15550001111",
                Some(called_back(HttpMethod::Post, &[Completed])),
                vec![],
            ),
            (
                "statusCallback='/s' statusCallbackMethod='GET' statusCallbackEvent='initiated ringing answered completed'",
                "+15550001111",
                Some(called_back(HttpMethod::Get, &[Initiated, Ringing, Answered, Completed])),
                vec![],
            ),
            (
                "statusCallback='/s' statusCallbackEvent='answered answered gone'",
                "+15550001111",
                Some(called_back(HttpMethod::Post, &[Answered])),
                vec![12200],
            ),
            ("statusCallbackEvent='answered'", "+15550001111", Some(plain.clone()), vec![]),
            ("region='x'", "+15550001111", Some(plain.clone()), vec![12200]),
        ] {
            let xml = format!("<Number {attributes}>{content}</Number>");
            assert_eq!(noun_in_dial(&xml), (expected.map(Noun::Number), codes), "{xml}");
        }
    }
}
