//! SSML inside `<Say>` (reference: twiml-voice §4.1): as plain words, and as markup with nothing in it but what the
//! local engine obeys.
//!
//! A caller must never hear a tag's name, and no document's text may reach the engine as markup of its own. So the
//! markup is written anew from what was read: known elements, values that were checked, words escaped. What is to be
//! spelled or read as a number, an ordinal or a date becomes words here, the same in both.

use crate::reading::{Node, Reading, is_language, shortened, tag};

use super::say_as;
use super::ssml_rules::{
    LEVELS, PITCHES, RATES, STRENGTHS, VOLUMES, change, decibels, is_good, may_contain, milliseconds, percent,
};

/// What a `<Say>` contains.
pub(crate) struct Spoken {
    pub(crate) text: String,
    pub(crate) ssml: Option<String>,
}

/// The words inside a `<Say>` in this language.
pub(crate) fn read(say: Node<'_>, language: &str, reading: &mut Reading<'_>) -> Spoken {
    let mut words = Words::default();
    children(say, language, reading, 0, &mut words);
    let has_ssml = words.markup != escaped(&words.text);
    let Words { text, markup, .. } = words;
    Spoken { text, ssml: has_ssml.then(|| markup.trim().to_owned()) }
}

fn children(parent: Node<'_>, language: &str, reading: &mut Reading<'_>, depth: usize, words: &mut Words) {
    for child in parent.children() {
        if child.is_text() {
            words.add(child.text().unwrap_or_default());
        } else if child.is_element() {
            element_words(child, language, reading, depth, words);
        }
    }
}

fn element_words(node: Node<'_>, language: &str, reading: &mut Reading<'_>, depth: usize, words: &mut Words) {
    let Some(row) = element(tag(node)) else {
        reading.note(
            12200,
            node.range().start,
            format!("{} is not allowed in Say and was ignored", tag(node)),
        );
        return;
    };
    if depth >= SSML_DEPTH_MAX {
        reading.note(12200, node.range().start, format!("{} is nested too deep and was ignored", tag(node)));
        return;
    }
    reading.known_attributes(node, row.attributes, &[]);
    if let Some(parent) = node.parent_element().filter(|parent| !may_contain(tag(*parent), row.name)) {
        let message =
            format!("{} is not allowed in {}: its words are spoken as they are", row.name, tag(parent));
        reading.note(12200, node.range().start, message);
        return children(node, language, reading, depth + 1, words);
    }
    bad_values(node, reading);
    let attribute = |name: &str| node.attribute(name).map(str::trim).unwrap_or_default();
    match row.spoken {
        Reads::Children => children(node, language, reading, depth + 1, words),
        Reads::Sentence => {
            words.space();
            children(node, language, reading, depth + 1, words);
            words.stop();
        }
        Reads::Break => {
            words.space();
            if let Some(mark) = pause(attribute("time"), attribute("strength")) {
                words.mark(&mark);
            }
        }
        Reads::Alias => match node.attribute("alias") {
            Some(alias) => {
                // Nobody hears what stands inside, but what may not stand there is told all the same.
                children(node, language, reading, depth + 1, &mut Words::default());
                words.add(alias);
            }
            None => children(node, language, reading, depth + 1, words),
        },
        Reads::SayAs => {
            let mut inner = Words::default();
            children(node, language, reading, depth + 1, &mut inner);
            words.add(&say_as::words(attribute("interpret-as"), attribute("format"), &inner.text, language));
        }
        Reads::Emphasis => {
            let level = known(attribute("level"), LEVELS).unwrap_or("moderate");
            words.mark(&format!("<emphasis level=\"{level}\">"));
            children(node, language, reading, depth + 1, words);
            words.mark("</emphasis>");
        }
        Reads::Prosody => {
            let how = prosody(attribute("rate"), attribute("pitch"), attribute("volume"));
            if !how.is_empty() {
                words.mark(&format!("<prosody{how}>"));
            }
            children(node, language, reading, depth + 1, words);
            if !how.is_empty() {
                words.mark("</prosody>");
            }
        }
        Reads::Language => {
            let tag = node
                .attribute(("http://www.w3.org/XML/1998/namespace", "lang"))
                .or_else(|| node.attribute("lang"))
                .map(str::trim)
                .filter(|tag| is_language(tag));
            // The engine changes its language with a sentence.
            if let Some(tag) = tag {
                words.mark(&format!("<s xml:lang=\"{tag}\">"));
            }
            children(node, tag.unwrap_or(language), reading, depth + 1, words);
            if tag.is_some() {
                words.mark("</s>");
            }
        }
        Reads::Phoneme => {
            let sounds = attribute("ph");
            let fits =
                attribute("alphabet") == "ipa" && !sounds.is_empty() && sounds.chars().count() <= PH_MAX;
            if fits {
                words.mark(&format!("<phoneme alphabet=\"ipa\" ph=\"{}\">", escaped(sounds)));
            }
            children(node, language, reading, depth + 1, words);
            if fits {
                words.mark("</phoneme>");
            }
        }
    }
}

/// 12200 for every value that may not stand there.
fn bad_values(node: Node<'_>, reading: &mut Reading<'_>) {
    for attribute in node.attributes() {
        let value = attribute.value().trim();
        if !is_good(tag(node), attribute.name(), value) {
            let (name, element) = (attribute.name(), tag(node));
            let message =
                format!("{name}=\"{}\" of {element} is no such value and was ignored", shortened(value));
            reading.note(12200, attribute.range().start, message);
        }
    }
}

/// A pause by its length, of ten seconds at most, or by its strength.
fn pause(time: &str, strength: &str) -> Option<String> {
    if let Some(ms) = milliseconds(time) {
        return Some(format!("<break time=\"{}ms\"/>", ms.min(PAUSE_MS_MAX) as u32));
    }
    let strength = known(strength, STRENGTHS).unwrap_or("medium");
    Some(format!("<break strength=\"{strength}\"/>"))
}

/// The attributes of a `<prosody>` that can be obeyed, each with a space before it.
fn prosody(rate: &str, pitch: &str, volume: &str) -> String {
    let mut how = String::new();
    let mut set = |name: &str, value: &str| how.push_str(&format!(" {name}=\"{value}\""));
    if let Some(rate) = known(rate, RATES) {
        set("rate", rate);
    } else if let Some(percent) = percent(rate).filter(|percent| *percent > 0) {
        set("rate", &format!("{}%", percent.clamp(20, 300)));
    }
    if let Some(pitch) = known(pitch, PITCHES) {
        set("pitch", pitch);
    } else if let Some(change) = change(pitch) {
        set("pitch", &format!("{:+}%", change.clamp(-50, 100)));
    }
    if let Some(volume) = known(volume, VOLUMES) {
        set("volume", volume);
    } else if let Some(db) = decibels(volume) {
        // The engine knows no decibels.
        let nearest = match db {
            ..-9.0 => "x-soft",
            ..-2.0 => "soft",
            ..2.0 => "medium",
            ..9.0 => "loud",
            _ => "x-loud",
        };
        set("volume", nearest);
    }
    how
}

fn known<'w>(value: &str, words: &[&'w str]) -> Option<&'w str> {
    words.iter().find(|word| **word == value).copied()
}

/// As text of the markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Text with single spaces only; a space is written when the next word is. Beside it the same with markup.
#[derive(Default)]
struct Words {
    text: String,
    markup: String,
    space: bool,
    /// The space that waits is in the markup already.
    marked: bool,
}

impl Words {
    fn add(&mut self, text: &str) {
        for c in text.chars() {
            if c.is_whitespace() {
                self.space();
                continue;
            }
            if std::mem::take(&mut self.space) {
                self.text.push(' ');
                if !std::mem::take(&mut self.marked) {
                    self.markup.push(' ');
                }
            }
            self.text.push(c);
            match c {
                '&' => self.markup.push_str("&amp;"),
                '<' => self.markup.push_str("&lt;"),
                '>' => self.markup.push_str("&gt;"),
                '"' => self.markup.push_str("&quot;"),
                _ => self.markup.push(c),
            }
        }
    }

    /// Writes a tag.
    fn mark(&mut self, tag: &str) {
        if self.space && !self.marked {
            self.markup.push(' ');
            self.marked = true;
        }
        self.markup.push_str(tag);
    }

    fn space(&mut self) {
        self.space = !self.text.is_empty();
    }

    /// The end of a sentence, said if it does not say so itself.
    fn stop(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with(['.', '!', '?', ':', ';', ',']) {
            self.text.push('.');
            self.markup.push('.');
        }
        self.space();
    }
}

fn element(name: &str) -> Option<&'static Row> {
    ELEMENTS.iter().find(|row| row.name == name)
}

struct Row {
    name: &'static str,
    attributes: &'static [&'static str],
    spoken: Reads,
}

enum Reads {
    Children,
    Sentence,
    Break,
    Alias,
    SayAs,
    Emphasis,
    Prosody,
    Language,
    Phoneme,
}

static ELEMENTS: &[Row] = &[
    Row { name: "break", attributes: &["strength", "time"], spoken: Reads::Break },
    Row { name: "emphasis", attributes: &["level"], spoken: Reads::Emphasis },
    Row { name: "lang", attributes: &["lang"], spoken: Reads::Language },
    Row { name: "p", attributes: &[], spoken: Reads::Sentence },
    Row { name: "phoneme", attributes: &["alphabet", "ph"], spoken: Reads::Phoneme },
    Row { name: "prosody", attributes: &["volume", "rate", "pitch"], spoken: Reads::Prosody },
    Row { name: "s", attributes: &[], spoken: Reads::Sentence },
    Row { name: "say-as", attributes: &["interpret-as", "format"], spoken: Reads::SayAs },
    Row { name: "sub", attributes: &["alias"], spoken: Reads::Alias },
    Row { name: "w", attributes: &["role"], spoken: Reads::Children },
];

/// Deeper SSML is left out.
const SSML_DEPTH_MAX: usize = 16;
/// Longest pause.
const PAUSE_MS_MAX: f32 = 10_000.0;
/// Characters of one pronunciation.
const PH_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use crate::Verb;
    use crate::verb::table::verb_of;

    #[test]
    fn tags_become_words_and_what_the_engine_obeys() {
        for (inner, text, ssml) in [
            ("Hello", "Hello", None),
            ("Hello <break time='1s'/>world", "Hello world", Some("Hello <break time=\"1000ms\"/>world")),
            ("a<break time='350ms'/>b", "a b", Some("a <break time=\"350ms\"/>b")),
            ("a <break time='90s'/> b", "a b", Some("a <break time=\"10000ms\"/>b")),
            ("a <break strength='x-strong'/> b", "a b", Some("a <break strength=\"x-strong\"/>b")),
            ("<p>One</p><p>Two</p>", "One. Two.", None),
            ("<s>Ready?</s><s>Go</s>", "Ready? Go.", None),
            ("<sub alias='World Wide Web Consortium'>W3C</sub>", "World Wide Web Consortium", None),
            ("Code <say-as interpret-as='digits'>4711</say-as>.", "Code 4 7 1 1.", None),
            ("You <say-as interpret-as='expletive'>darn</say-as> cat", "You cat", None),
            (
                "<prosody rate='slow'>a <emphasis level='strong'>b</emphasis></prosody> c",
                "a b c",
                Some("<prosody rate=\"slow\">a <emphasis level=\"strong\">b</emphasis></prosody> c"),
            ),
            (
                "<prosody rate='85%' pitch='+10%' volume='+6dB'>a</prosody>",
                "a",
                Some("<prosody rate=\"85%\" pitch=\"+10%\" volume=\"loud\">a</prosody>"),
            ),
            ("<prosody rate='9999%'>a</prosody>", "a", Some("<prosody rate=\"300%\">a</prosody>")),
            (
                "yes <lang xml:lang='fr-FR'>Bonjour</lang> no",
                "yes Bonjour no",
                Some("yes <s xml:lang=\"fr-FR\">Bonjour</s> no"),
            ),
            (
                "<phoneme alphabet='ipa' ph='pɪˈkɑːn'>pecan</phoneme>",
                "pecan",
                Some("<phoneme alphabet=\"ipa\" ph=\"pɪˈkɑːn\">pecan</phoneme>"),
            ),
            ("<phoneme alphabet='x-sampa' ph='x'>pecan</phoneme>", "pecan", None),
            ("<w role='amazon:VBD'>read</w>", "read", None),
            // What looks like markup in the words is words.
            (
                "<emphasis>a &lt;voice name='x'&gt; &amp; b</emphasis>",
                "a <voice name='x'> & b",
                Some("<emphasis level=\"moderate\">a &lt;voice name='x'&gt; &amp; b</emphasis>"),
            ),
            (
                "<phoneme alphabet='ipa' ph='\"/&gt;&lt;audio/&gt;'>x</phoneme>",
                "x",
                Some("<phoneme alphabet=\"ipa\" ph=\"&quot;/&gt;&lt;audio/&gt;\">x</phoneme>"),
            ),
        ] {
            let Verb::Say(say) = verb_of(&format!("<Say>{inner}</Say>"), &[]) else { panic!("{inner}") };
            assert_eq!((say.text.as_str(), say.ssml.as_deref()), (text, ssml), "{inner}");
        }
    }

    #[test]
    fn what_is_not_ssml_is_skipped_and_told() {
        let Verb::Say(say) = verb_of("<Say>a <b>loud</b> word</Say>", &[12200]) else { panic!() };
        assert_eq!((say.text.as_str(), say.ssml), ("a word", None));
        verb_of("<Say>a <break size='3'/> word</Say>", &[12200]);
        for (inner, text, ssml, codes) in [
            ("a <break strength='huge' time='soon'/> b", "a b", Some("a <break strength=\"medium\"/>b"), 2),
            ("<prosody rate='quick' pitch='10%'>a</prosody>", "a", None, 2),
            ("<s>a <p>b</p></s>", "a b.", None, 1),
            ("<sub alias='x'>a <emphasis>b</emphasis></sub>", "x", None, 1),
            ("<sub alias='x'>a <b>c</b><say-as interpret-as='song'>d</say-as></sub>", "x", None, 2),
            ("<say-as interpret-as='digits'>4<break time='1s'/>7</say-as>", "4 7", None, 1),
            ("<say-as interpret-as='song'>la</say-as>", "la", None, 1),
            (
                "<emphasis>a <s>b</s></emphasis>",
                "a b",
                Some("<emphasis level=\"moderate\">a b</emphasis>"),
                1,
            ),
        ] {
            let Verb::Say(say) = verb_of(&format!("<Say>{inner}</Say>"), &vec![12200; codes]) else {
                panic!()
            };
            assert_eq!((say.text.as_str(), say.ssml.as_deref()), (text, ssml), "{inner}");
        }
    }

    #[test]
    fn deep_nesting_is_cut() {
        let xml = format!("<Say>x{}y{}</Say>", "<prosody>".repeat(3_000), "</prosody>".repeat(3_000));
        let Verb::Say(say) = verb_of(&xml, &[12200]) else { panic!() };
        assert_eq!(say.text, "x");
    }
}
