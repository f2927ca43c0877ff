//! `<Say>` (reference: twiml-voice §4).

use serde::{Deserialize, Serialize};

use super::ssml;
use crate::reading::{Node, Reading, attribute, is_language, shortened, tag};
use crate::{Dialect, LOOP_MAX, published_voice};

/// Speak a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Say {
    /// What is spoken, SSML reduced to plain text, white space collapsed; never empty.
    pub text: String,
    /// The same with SSML, as far as the engine obeys it, when it contains any.
    pub ssml: Option<String>,
    /// The voice's published name, `man` when none was given.
    pub voice: String,
    /// BCP-47 tag, `en-US` when none was given.
    pub language: String,
    /// How many times; 0 = until hang-up (at most [`crate::LOOP_MAX`] times).
    pub loop_: u32,
}

/// The numbers that bad attributes of a `<Say>` are told with; nested in `<Gather>` two differ.
#[derive(Clone, Copy)]
pub(crate) struct SayCodes {
    voice: u32,
    loop_: u32,
}

/// A `<Say>` of its own.
pub(crate) const ALONE: SayCodes = SayCodes { voice: 13511, loop_: 13510 };
/// A `<Say>` in a `<Gather>`.
pub(crate) const NESTED: SayCodes = SayCodes { voice: 13321, loop_: 13322 };

/// `None` when there is nothing to speak (13520).
pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>, codes: SayCodes) -> Option<Say> {
    reading.known_attributes(
        node,
        &["voice", "language", "loop"],
        &["voiceSpeed", "gender", "effect", "api_key_ref", "region", "pronunciationDictId", "languageBoost"],
    );
    let voice = voice(node, reading, codes);
    let language = language(node, reading, 13512);
    let most = match reading.dialect {
        Dialect::Twiml => u32::MAX,
        Dialect::Texml => 10,
    };
    let loop_ = reading.whole(node, "loop", 0..=most, 1, codes.loop_).min(LOOP_MAX);
    let spoken = ssml::read(node, &language, reading);
    if spoken.text.is_empty() {
        reading.bad(13520, node.range().start, "Say without a text: nothing is spoken");
        return None;
    }
    let length = spoken.text.len();
    let text = within_limit(spoken.text, &voice, node, reading);
    // What is cut is read plain.
    let ssml = spoken.ssml.filter(|_| text.len() == length);
    Some(Say { text, ssml, voice, language, loop_ })
}

/// A voice's published name. Which sound answers to it is the speech engine's configuration.
fn voice(node: Node<'_>, reading: &mut Reading<'_>, codes: SayCodes) -> String {
    let Some(voice) = attribute(node, "voice") else { return VOICE_DEFAULT.to_owned() };
    let families: &[&str] = match reading.dialect {
        Dialect::Twiml => &["Polly.", "Google."],
        Dialect::Texml => &["Polly.", "AWS.", "Google.", "Azure.", "ElevenLabs.", "Telnyx."],
    };
    let basic = ["man", "woman", "alice"].contains(&voice);
    let named = families.iter().any(|f| {
        voice.get(..f.len()).is_some_and(|start| start.eq_ignore_ascii_case(f)) && voice.len() > f.len()
    });
    let is_published = published_voice(voice).is_some();
    if named && !is_published && ["Polly.", "Google."].iter().any(|family| voice.starts_with(family)) {
        // The configuration may know it all the same.
        reading.bad_value(node, "voice", codes.voice, "is not a published voice; the default one may speak");
    }
    if basic || named {
        return voice.to_owned();
    }
    reading.bad_value(node, "voice", codes.voice, &format!("no such voice, {VOICE_DEFAULT} speaks instead"));
    VOICE_DEFAULT.to_owned()
}

/// A language tag; `en-US` when absent, and when bad.
pub(crate) fn language(node: Node<'_>, reading: &mut Reading<'_>, code: u32) -> String {
    language_of(node, "language", reading, code)
}

/// Likewise, in an attribute of another name.
pub(crate) fn language_of(node: Node<'_>, name: &str, reading: &mut Reading<'_>, code: u32) -> String {
    match attribute(node, name) {
        None => LANGUAGE_DEFAULT.to_owned(),
        Some(tag) if is_language(tag) => tag.to_owned(),
        Some(_) => {
            reading.bad_value(node, name, code, "is not a language tag such as en-US");
            LANGUAGE_DEFAULT.to_owned()
        }
    }
}

/// What is too long is cut at the end of a word: a caller who hears most of it is better off than one who hears
/// nothing.
fn within_limit(text: String, voice: &str, node: Node<'_>, reading: &mut Reading<'_>) -> String {
    let (text, lost) = cut(text, voice);
    if let Some(why) = lost {
        reading.bad(TEXT_TOO_LONG, node.range().start, format!("{} {why}", tag(node)));
    }
    text
}

/// As much of a text as its voice speaks, and a sentence if that is not all of it.
pub(crate) fn cut(mut text: String, voice: &str) -> (String, Option<String>) {
    let limit = if ["man", "woman", "alice"].contains(&voice) { BASIC_CHARS_MAX } else { ENGINE_CHARS_MAX };
    let Some((end, _)) = text.char_indices().nth(limit) else { return (text, None) };
    let why = format!("\"{}\": the text is cut to {limit} characters", shortened(&text));
    let end = text.get(..end).and_then(|kept| kept.rfind(' ')).unwrap_or(end);
    text.truncate(end);
    (text, Some(why))
}

/// The text is longer than a voice speaks.
pub(crate) const TEXT_TOO_LONG: u32 = 13521;

const VOICE_DEFAULT: &str = "man";
const LANGUAGE_DEFAULT: &str = "en-US";
/// Characters a basic voice speaks. The published limit of 4,500 bytes once URL-encoded is not kept: no URL carries the
/// text here, and a text in another script than Latin would be cut at five hundred characters.
const BASIC_CHARS_MAX: usize = 4_096;
/// Characters a Polly or Google voice speaks.
const ENGINE_CHARS_MAX: usize = 3_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verb;
    use crate::verb::table::{one, verb_of};

    fn say(text: &str) -> Say {
        Say { text: text.into(), ssml: None, voice: "man".into(), language: "en-US".into(), loop_: 1 }
    }

    #[test]
    fn attributes_and_their_bad_values() {
        let long = "word ".repeat(1_000);
        let polly = |text: &str| Say { voice: "Polly.Amy-Neural".into(), ..say(text) };
        for (xml, expected, codes) in [
            ("<Say>Hi</Say>", Some(say("Hi")), vec![]),
            ("<Say>\n  Hi,\n  you &amp; <![CDATA[<me>]]>\n</Say>", Some(say("Hi, you & <me>")), vec![]),
            ("<Say>a<!-- x -->b<?pi x?>c</Say>", Some(say("abc")), vec![]),
            ("<Say voice='alice'>Hi</Say>", Some(Say { voice: "alice".into(), ..say("Hi") }), vec![]),
            ("<Say voice='Polly.Amy-Neural'>Hi</Say>", Some(polly("Hi")), vec![]),
            ("<Say voice='Polly.'>Hi</Say>", Some(say("Hi")), vec![13511]),
            (
                "<Say voice='Polly.Nobody'>Hi</Say>",
                Some(Say { voice: "Polly.Nobody".into(), ..say("Hi") }),
                vec![13511],
            ),
            ("<Say voice='robot'>Hi</Say>", Some(say("Hi")), vec![13511]),
            ("<Say voice=''>Hi</Say>", Some(say("Hi")), vec![13511]),
            ("<Say language='de'>Hi</Say>", Some(Say { language: "de".into(), ..say("Hi") }), vec![]),
            (
                "<Say language='en-GB-WLS'>Hi</Say>",
                Some(Say { language: "en-GB-WLS".into(), ..say("Hi") }),
                vec![],
            ),
            ("<Say language='english!'>Hi</Say>", Some(say("Hi")), vec![13512]),
            ("<Say loop='0'>Hi</Say>", Some(Say { loop_: 0, ..say("Hi") }), vec![]),
            ("<Say loop='5000'>Hi</Say>", Some(Say { loop_: 1_000, ..say("Hi") }), vec![]),
            ("<Say loop='-1'>Hi</Say>", Some(say("Hi")), vec![13510]),
            ("<Say loop='99999999999'>Hi</Say>", Some(say("Hi")), vec![13510]),
            ("<Say></Say>", None, vec![13520]),
            ("<Say> \n </Say>", None, vec![13520]),
            ("<Say Voice='man'>Hi</Say>", Some(say("Hi")), vec![12200]),
            ("<Say>Hi<Play>x</Play></Say>", Some(say("Hi")), vec![12200]),
        ] {
            assert_eq!(one(xml), (expected.map(Verb::Say), codes), "{xml}");
        }
        let Verb::Say(cut) = verb_of(&format!("<Say voice='Polly.Amy'>{long}</Say>"), &[13521]) else {
            panic!()
        };
        assert_eq!(cut.text.len(), 2_999, "600 words of 5 less the last space");
    }
}
