//! SSML inside `<Say>`, reduced to what a plain voice reads (reference: twiml-voice §4.1).
//!
//! The local engine is not promised to understand SSML, and a caller must never hear a tag's name. So a `<Say>`
//! with SSML becomes its words, with aliases in place of what they stand for and characters apart where they
//! are to be spelled; the source is kept for an engine that can do better.

use crate::reading::{Node, Reading, tag};

/// What a `<Say>` contains.
pub(crate) struct Spoken {
    pub(crate) text: String,
    pub(crate) ssml: Option<String>,
}

/// The words inside a `<Say>`.
pub(crate) fn read(say: Node<'_>, reading: &mut Reading<'_>) -> Spoken {
    let mut words = Words::default();
    children(say, reading, 0, &mut words);
    let has_ssml = say.children().any(|c| c.is_element() && element(tag(c)).is_some());
    Spoken { text: words.text, ssml: has_ssml.then(|| source(say)) }
}

fn children(parent: Node<'_>, reading: &mut Reading<'_>, depth: usize, words: &mut Words) {
    for child in parent.children() {
        if child.is_text() {
            words.add(child.text().unwrap_or_default());
        } else if child.is_element() {
            element_words(child, reading, depth, words);
        }
    }
}

fn element_words(node: Node<'_>, reading: &mut Reading<'_>, depth: usize, words: &mut Words) {
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
    match row.spoken {
        Reads::Children => children(node, reading, depth + 1, words),
        Reads::Sentence => {
            words.space();
            children(node, reading, depth + 1, words);
            words.stop();
        }
        Reads::Nothing => words.space(),
        Reads::Alias => match node.attribute("alias") {
            Some(alias) => words.add(alias),
            None => children(node, reading, depth + 1, words),
        },
        Reads::SayAs => {
            let mut inner = Words::default();
            children(node, reading, depth + 1, &mut inner);
            say_as(node.attribute("interpret-as").unwrap_or_default(), &inner.text, words);
        }
    }
}

/// Characters and digits are read one by one when they stand apart; an expletive is left out.
fn say_as(interpretation: &str, inner: &str, words: &mut Words) {
    match interpretation {
        "characters" | "spell-out" | "digits" | "telephone" => {
            for c in inner.chars().filter(|c| !c.is_whitespace()) {
                words.space();
                words.add(c.encode_utf8(&mut [0; 4]));
            }
        }
        "expletive" => words.space(),
        _ => words.add(inner),
    }
}

/// The text between the tags, as it was written.
fn source(say: Node<'_>) -> String {
    let (Some(first), Some(last)) = (say.first_child(), say.last_child()) else { return String::new() };
    let range = first.range().start..last.range().end;
    say.document().input_text().get(range).unwrap_or_default().trim().to_owned()
}

/// Text with single spaces only; a space is written when the next word is.
#[derive(Default)]
struct Words {
    text: String,
    space: bool,
}

impl Words {
    fn add(&mut self, text: &str) {
        for c in text.chars() {
            if c.is_whitespace() {
                self.space();
            } else {
                if std::mem::take(&mut self.space) {
                    self.text.push(' ');
                }
                self.text.push(c);
            }
        }
    }

    fn space(&mut self) {
        self.space = !self.text.is_empty();
    }

    /// The end of a sentence, said if it does not say so itself.
    fn stop(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with(['.', '!', '?', ':', ';', ',']) {
            self.text.push('.');
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
    Nothing,
    Alias,
    SayAs,
}

static ELEMENTS: &[Row] = &[
    Row { name: "break", attributes: &["strength", "time"], spoken: Reads::Nothing },
    Row { name: "emphasis", attributes: &["level"], spoken: Reads::Children },
    Row { name: "lang", attributes: &["lang"], spoken: Reads::Children },
    Row { name: "p", attributes: &[], spoken: Reads::Sentence },
    Row { name: "phoneme", attributes: &["alphabet", "ph"], spoken: Reads::Children },
    Row { name: "prosody", attributes: &["volume", "rate", "pitch"], spoken: Reads::Children },
    Row { name: "s", attributes: &[], spoken: Reads::Sentence },
    Row { name: "say-as", attributes: &["interpret-as", "format"], spoken: Reads::SayAs },
    Row { name: "sub", attributes: &["alias"], spoken: Reads::Alias },
    Row { name: "w", attributes: &["role"], spoken: Reads::Children },
];

/// Deeper SSML is left out.
const SSML_DEPTH_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use crate::Verb;
    use crate::verb::table::verb_of;

    #[test]
    fn tags_become_words() {
        for (inner, text) in [
            ("Hello <break time='1s'/>world", "Hello world"),
            ("<p>One</p><p>Two</p>", "One. Two."),
            ("<s>Ready?</s><s>Go</s>", "Ready? Go."),
            ("<sub alias='World Wide Web Consortium'>W3C</sub>", "World Wide Web Consortium"),
            ("Code <say-as interpret-as='digits'>4711</say-as>.", "Code 4 7 1 1."),
            ("<say-as interpret-as='date' format='mdy'>1/2/2026</say-as>", "1/2/2026"),
            ("You <say-as interpret-as='expletive'>darn</say-as> cat", "You cat"),
            ("<prosody rate='slow'>a <emphasis level='strong'>b</emphasis></prosody> c", "a b c"),
            ("<lang xml:lang='fr-FR'>Bonjour</lang>", "Bonjour"),
            ("<phoneme alphabet='ipa' ph='x'>pecan</phoneme>", "pecan"),
        ] {
            let Verb::Say(say) = verb_of(&format!("<Say>{inner}</Say>"), &[]) else { panic!("{inner}") };
            assert_eq!((say.text.as_str(), say.ssml.as_deref()), (text, Some(inner)));
        }
    }

    #[test]
    fn what_is_not_ssml_is_skipped_and_told() {
        let Verb::Say(say) = verb_of("<Say>a <b>loud</b> word</Say>", &[12200]) else { panic!() };
        assert_eq!((say.text.as_str(), say.ssml), ("a word", None));
        verb_of("<Say>a <break size='3'/> word</Say>", &[12200]);
    }

    #[test]
    fn deep_nesting_is_cut() {
        let xml = format!("<Say>x{}y{}</Say>", "<p>".repeat(9_000), "</p>".repeat(9_000));
        let Verb::Say(say) = verb_of(&xml, &[12200]) else { panic!() };
        assert_eq!(say.text, "x.");
    }
}
