//! `<Gather>` (reference: twiml-voice §7).

use serde::{Deserialize, Serialize};

use super::{Pause, Play, PlaySource, Say, pause, play, say};
use crate::reading::{Node, Reading, attribute, owned, tag};
use crate::{Dialect, HttpMethod};

/// Collect digits or speech while prompting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gather {
    /// Requested with what was collected; `None` = the current document.
    pub action: Option<String>,
    /// How the action is requested.
    pub method: HttpMethod,
    /// Seconds of silence before the first and between two digits; counted from the end of the prompts.
    pub timeout_s: u32,
    /// Ends the input and is not part of it; `None` = no such key.
    pub finish_on_key: Option<char>,
    /// Submit as soon as so many digits arrived; `None` = no limit.
    pub num_digits: Option<u32>,
    /// Fewer digits count as none (TeXML's `minDigits`); 0 = any number.
    pub min_digits: u32,
    /// The digits that count; `None` = all (TeXML's `validDigits`).
    pub valid_digits: Option<String>,
    /// Requested with another digit than those; `None` = it is not heard (TeXML's `invalidDigitsAction`).
    pub invalid_digits_action: Option<String>,
    /// Request the action even when nothing was entered.
    pub action_on_empty_result: bool,
    /// A key or a word stops the prompts.
    pub barge_in: bool,
    /// What is listened for.
    pub input: GatherInput,
    /// How speech is recognised.
    pub speech: SpeechOptions,
    /// What is played meanwhile, in order.
    pub prompts: Vec<Prompt>,
}

/// What `<Gather>` listens for; at least one is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatherInput {
    /// Keys.
    pub dtmf: bool,
    /// Words.
    pub speech: bool,
}

/// The attributes of `<Gather>` that concern speech.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpeechOptions {
    /// Silence that ends an utterance; `None` = the gather's timeout.
    pub timeout: Option<SpeechTimeout>,
    /// Upper bound of an utterance, seconds.
    pub max_s: u32,
    /// BCP-47 or engine tag.
    pub language: String,
    /// Words to expect, comma separated.
    pub hints: Option<String>,
    /// Mask profanities with `*`.
    pub profanity_filter: bool,
    /// The recogniser's model by its published name.
    pub model: String,
    /// Where unfinished results are told.
    pub partial_result_callback: Option<PartialResultCallback>,
}

/// `speechTimeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpeechTimeout {
    /// The recogniser decides.
    Auto,
    /// Seconds.
    Seconds(u32),
}

/// `partialResultCallback` with its method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialResultCallback {
    /// The receiver.
    pub url: String,
    /// How.
    pub method: HttpMethod,
}

/// A verb nested in `<Gather>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prompt {
    /// Speak.
    Say(Say),
    /// Play a file (never digits).
    Play(Play),
    /// Wait.
    Pause(Pause),
}

pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Gather {
    reading.known_attributes(node, ATTRIBUTES, TEXML_ATTRIBUTES);
    let input = input(node, reading);
    let texml = reading.dialect == Dialect::Texml;
    Gather {
        action: owned(node, "action"),
        method: reading.method(node, "method", 13312),
        timeout_s: timeout(node, reading, input),
        finish_on_key: finish_on_key(node, reading),
        num_digits: num_digits(node, reading),
        min_digits: if texml { reading.whole(node, "minDigits", 1..=DIGITS_MAX, 0, 13314) } else { 0 },
        valid_digits: if texml { valid_digits(node, reading) } else { None },
        invalid_digits_action: owned(node, "invalidDigitsAction").filter(|url| texml && !url.is_empty()),
        action_on_empty_result: reading.boolean(node, "actionOnEmptyResult", false, 13338),
        barge_in: reading.boolean(node, "bargeIn", true, 13332),
        input,
        speech: speech(node, reading),
        prompts: prompts(node, reading),
    }
}

fn input(node: Node<'_>, reading: &mut Reading<'_>) -> GatherInput {
    const DTMF: GatherInput = GatherInput { dtmf: true, speech: false };
    let Some(value) = attribute(node, "input") else { return DTMF };
    let mut input = GatherInput { dtmf: false, speech: false };
    let mut known = !value.is_empty();
    for word in value.split_ascii_whitespace() {
        match word {
            "dtmf" => input.dtmf = true,
            "speech" => input.speech = true,
            _ => known = false,
        }
    }
    if known {
        return input;
    }
    reading.bad_value(node, "input", 13326, "must be dtmf, speech or both");
    DTMF
}

/// 0 is in use in TwiML: a key during the prompts counts, and nothing is waited for after them.
fn timeout(node: Node<'_>, reading: &mut Reading<'_>, input: GatherInput) -> u32 {
    let range = match reading.dialect {
        Dialect::Twiml => 0..=u32::MAX,
        Dialect::Texml => 1..=120,
    };
    if input.speech && attribute(node, "timeout") == Some("auto") {
        return TIMEOUT_DEFAULT_S;
    }
    reading.whole(node, "timeout", range, TIMEOUT_DEFAULT_S, 13313)
}

fn finish_on_key(node: Node<'_>, reading: &mut Reading<'_>) -> Option<char> {
    let value = attribute(node, "finishOnKey").unwrap_or("#");
    let mut keys = value.chars();
    match (keys.next(), keys.next()) {
        (None, _) => None,
        (Some(key @ ('0'..='9' | '#' | '*')), None) => Some(key),
        (Some(_), _) => {
            reading.bad_value(node, "finishOnKey", 13310, "must be one of 0-9 # *, or empty");
            Some('#')
        }
    }
}

fn num_digits(node: Node<'_>, reading: &mut Reading<'_>) -> Option<u32> {
    match reading.dialect {
        Dialect::Texml if attribute(node, "numDigits").is_none() => {
            Some(reading.whole(node, "maxDigits", 1..=DIGITS_MAX, DIGITS_MAX, 13314))
        }
        Dialect::Twiml | Dialect::Texml => reading.whole_or_none(node, "numDigits", 1..=u32::MAX, 13314),
    }
}

fn valid_digits(node: Node<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let digits = attribute(node, "validDigits").filter(|digits| !digits.is_empty())?;
    if digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'*' | b'#')) {
        return Some(digits.to_owned());
    }
    reading.bad_value(node, "validDigits", 13314, "may contain 0-9 # *");
    None
}

fn speech(node: Node<'_>, reading: &mut Reading<'_>) -> SpeechOptions {
    let model =
        owned(node, "speechModel").filter(|model| !model.is_empty()).unwrap_or_else(|| "default".to_owned());
    SpeechOptions {
        timeout: speech_timeout(node, reading, &model),
        max_s: reading.whole(node, "maxSpeechTime", 1..=SPEECH_MAX_S, SPEECH_MAX_S, 13328),
        language: say::language(node, reading, 13331),
        hints: hints(node, reading),
        profanity_filter: reading.boolean(node, "profanityFilter", true, 13333),
        model,
        partial_result_callback: partial_result_callback(node, reading),
    }
}

fn speech_timeout(node: Node<'_>, reading: &mut Reading<'_>, model: &str) -> Option<SpeechTimeout> {
    match attribute(node, "speechTimeout") {
        Some("auto") if model != "default" => {
            reading.bad_value(node, "speechTimeout", 13335, "must be a number when a speechModel is named");
            None
        }
        Some("auto") => Some(SpeechTimeout::Auto),
        _ => reading.whole_or_none(node, "speechTimeout", 1..=u32::MAX, 13327).map(SpeechTimeout::Seconds),
    }
}

fn hints(node: Node<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let hints = attribute(node, "hints").filter(|hints| !hints.is_empty())?;
    let too_long = hints.split(',').any(|hint| hint.trim().chars().count() > HINT_CHARS_MAX);
    if too_long || hints.split(',').count() > HINTS_MAX {
        reading.bad_value(node, "hints", 13330, "may contain 500 words of 100 characters");
        return None;
    }
    Some(hints.to_owned())
}

fn partial_result_callback(node: Node<'_>, reading: &mut Reading<'_>) -> Option<PartialResultCallback> {
    let method = reading.method(node, "partialResultCallbackMethod", 13329);
    let url = owned(node, "partialResultCallback").filter(|url| !url.is_empty())?;
    Some(PartialResultCallback { url, method })
}

fn prompts(node: Node<'_>, reading: &mut Reading<'_>) -> Vec<Prompt> {
    reading.no_text(node);
    let mut prompts = Vec::new();
    for child in node.children().filter(|c| c.is_element()) {
        match tag(child) {
            "Say" => prompts.extend(say::read(child, reading, say::NESTED).map(Prompt::Say)),
            "Play" => prompts.extend(nested_play(child, reading).map(Prompt::Play)),
            "Pause" => prompts.push(Prompt::Pause(pause::read(child, reading))),
            other => {
                let message = format!("{other} is not allowed in Gather and was ignored");
                reading.bad(13320, child.range().start, message);
            }
        }
    }
    prompts
}

fn nested_play(node: Node<'_>, reading: &mut Reading<'_>) -> Option<Play> {
    let play = play::read(node, reading)?;
    match play.source {
        PlaySource::Url(_) | PlaySource::Answer(_) => Some(play),
        PlaySource::Digits(_) => {
            reading.bad_value(node, "digits", 13320, "digits cannot be sent in Gather");
            None
        }
    }
}

const ATTRIBUTES: &[&str] = &[
    "action",
    "actionOnEmptyResult",
    "bargeIn",
    "debug",
    "enhanced",
    "finishOnKey",
    "hints",
    "input",
    "language",
    "maxSpeechTime",
    "method",
    "numDigits",
    "partialResultCallback",
    "partialResultCallbackMethod",
    "profanityFilter",
    "speechModel",
    "speechTimeout",
    "timeout",
];
const TEXML_ATTRIBUTES: &[&str] = &[
    "minDigits",
    "maxDigits",
    "validDigits",
    "invalidDigitsAction",
    "transcriptionEngine",
    "model",
    "useEnhanced",
    "keyterms",
    "smartFormat",
    "apiKeyRef",
    "region",
];
/// Of TeXML.
const DIGITS_MAX: u32 = 128;
const TIMEOUT_DEFAULT_S: u32 = 5;
const SPEECH_MAX_S: u32 = 60;
const HINTS_MAX: usize = 500;
const HINT_CHARS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verb::table::{one, one_in, verb_of};
    use crate::{Verb, parse};

    fn plain() -> Gather {
        Gather {
            action: None,
            method: HttpMethod::Post,
            timeout_s: 5,
            finish_on_key: Some('#'),
            num_digits: None,
            min_digits: 0,
            valid_digits: None,
            invalid_digits_action: None,
            action_on_empty_result: false,
            barge_in: true,
            input: GatherInput { dtmf: true, speech: false },
            speech: SpeechOptions {
                timeout: None,
                max_s: 60,
                language: "en-US".into(),
                hints: None,
                profanity_filter: true,
                model: "default".into(),
                partial_result_callback: None,
            },
            prompts: vec![],
        }
    }

    #[test]
    fn attributes_and_their_bad_values() {
        let with = |change: fn(&mut Gather)| {
            let mut gather = plain();
            change(&mut gather);
            gather
        };
        for (attributes, expected, codes) in [
            ("", plain(), vec![]),
            (
                "action='/a' method='GET'",
                with(|g| (g.action, g.method) = (Some("/a".into()), HttpMethod::Get)),
                vec![],
            ),
            ("action=''", with(|g| g.action = Some(String::new())), vec![]),
            ("method='DELETE'", plain(), vec![13312]),
            ("timeout='10'", with(|g| g.timeout_s = 10), vec![]),
            ("timeout='0'", with(|g| g.timeout_s = 0), vec![]),
            ("timeout='-1'", plain(), vec![13313]),
            ("timeout='auto'", plain(), vec![13313]),
            ("timeout=''", plain(), vec![13313]),
            ("finishOnKey='*'", with(|g| g.finish_on_key = Some('*')), vec![]),
            ("finishOnKey=''", with(|g| g.finish_on_key = None), vec![]),
            ("finishOnKey='12'", plain(), vec![13310]),
            ("finishOnKey='A'", plain(), vec![13310]),
            ("numDigits='1'", with(|g| g.num_digits = Some(1)), vec![]),
            ("numDigits='0'", plain(), vec![13314]),
            ("numDigits='two'", plain(), vec![13314]),
            ("actionOnEmptyResult='true'", with(|g| g.action_on_empty_result = true), vec![]),
            ("bargeIn='false'", with(|g| g.barge_in = false), vec![]),
            ("bargeIn='no'", plain(), vec![13332]),
            ("input='speech dtmf'", with(|g| g.input.speech = true), vec![]),
            ("input='speech'", with(|g| g.input = GatherInput { dtmf: false, speech: true }), vec![]),
            ("input='smell'", plain(), vec![13326]),
            ("input=''", plain(), vec![13326]),
            ("speechTimeout='auto'", with(|g| g.speech.timeout = Some(SpeechTimeout::Auto)), vec![]),
            ("speechTimeout='3'", with(|g| g.speech.timeout = Some(SpeechTimeout::Seconds(3))), vec![]),
            ("speechTimeout='0'", plain(), vec![13327]),
            ("speechTimeout='auto' speechModel='x'", with(|g| g.speech.model = "x".into()), vec![13335]),
            ("maxSpeechTime='61'", plain(), vec![13328]),
            ("language='fil-PH'", with(|g| g.speech.language = "fil-PH".into()), vec![]),
            ("language='?'", plain(), vec![13331]),
            ("profanityFilter='x'", plain(), vec![13333]),
            ("partialResultCallbackMethod='x'", plain(), vec![13329]),
            ("hints='yes, no'", with(|g| g.speech.hints = Some("yes, no".into())), vec![]),
            ("colour='red'", plain(), vec![12200]),
            ("minDigits='1'", plain(), vec![12200]),
        ] {
            let xml = format!("<Gather {attributes}/>");
            assert_eq!(one(&xml), (Some(Verb::Gather(expected)), codes), "{xml}");
        }
        let long = format!("<Gather hints='{}'/>", "x".repeat(101));
        assert_eq!(one(&long), (Some(Verb::Gather(plain())), vec![13330]));
        for (attributes, expected, codes) in [
            ("maxDigits='4'", with(|g| g.num_digits = Some(4)), vec![]),
            ("maxDigits='129'", plain(), vec![13314]),
            ("timeout='0'", plain(), vec![13313]),
            ("timeout='120'", with(|g| g.timeout_s = 120), vec![]),
            ("minDigits='2'", with(|g| g.min_digits = 2), vec![]),
            ("minDigits='129'", plain(), vec![13314]),
            ("validDigits='12#'", with(|g| g.valid_digits = Some("12#".into())), vec![]),
            ("validDigits='1A'", plain(), vec![13314]),
            ("invalidDigitsAction='/i'", with(|g| g.invalid_digits_action = Some("/i".into())), vec![]),
        ] {
            let read = one_in(&format!("<Gather {attributes}/>"), Dialect::Texml);
            let expected = Gather { num_digits: expected.num_digits.or(Some(128)), ..expected };
            assert_eq!(read, (Some(Verb::Gather(expected)), codes), "{attributes}");
        }
    }

    #[test]
    fn a_bad_action_on_empty_result_ends_the_document() {
        let xml = "<Response><Pause/><Gather actionOnEmptyResult='maybe'/><Hangup/></Response>";
        let document = parse(xml, Dialect::Twiml).unwrap();
        assert_eq!(document.verbs, vec![Verb::Pause(Pause { length_s: 1 })]);
        assert_eq!(document.errors.iter().map(|e| (e.verb, e.ends)).collect::<Vec<_>>(), vec![(1, true)]);
        assert_eq!(document.findings[0].code, 13338);
    }

    #[test]
    fn prompts_are_say_play_and_pause() {
        let nested = "<Say>Hi</Say><Play loop='3'>a.mp3</Play><Pause length='2'/>";
        let Verb::Gather(gather) = verb_of(&format!("<Gather>{nested}</Gather>"), &[]) else { panic!() };
        let names: Vec<&str> = gather
            .prompts
            .iter()
            .map(|prompt| match prompt {
                Prompt::Say(_) => "Say",
                Prompt::Play(_) => "Play",
                Prompt::Pause(_) => "Pause",
            })
            .collect();
        assert_eq!(names, ["Say", "Play", "Pause"]);
        for (nested, code) in [
            ("<Dial>1</Dial>", 13320),
            ("<Gather/>", 13320),
            ("<Play digits='1'/>", 13320),
            ("<Say/>", 13520),
            ("press 1", 12200),
        ] {
            assert_eq!(
                one(&format!("<Gather>{nested}</Gather>")),
                (Some(Verb::Gather(plain())), vec![code]),
                "{nested}"
            );
        }
        verb_of("<Gather><Say voice='robot'>x</Say></Gather>", &[13321]);
        verb_of("<Gather><Say loop='x'>x</Say></Gather>", &[13322]);
    }
}
