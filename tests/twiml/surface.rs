//! The list of what of TwiML this box does, `tests/data/twiml-surface.toml`, as values and as documents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use twiml::{Dialect, Document};

/// How far something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Full,
    Partial,
    Ignored,
    Refused,
}

/// A verb, a noun, or an element of SSML.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Element {
    /// Its path under `<Response>`.
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) dialect: Dialect,
    pub(crate) level: Level,
    /// What a refused one is told with.
    pub(crate) code: Option<u32>,
    #[serde(default)]
    pub(crate) note: String,
    #[serde(default)]
    pub(crate) text: String,
    /// It has its text also beside nested elements.
    #[serde(default)]
    pub(crate) keeps_text: bool,
    /// Nested elements it cannot be without.
    #[serde(default)]
    pub(crate) inner: String,
    /// What it stands in keeps its text.
    #[serde(default)]
    pub(crate) beside_text: bool,
    /// Attributes it cannot be without.
    #[serde(default)]
    pub(crate) needs: BTreeMap<String, String>,
    /// Attributes of what it stands in.
    #[serde(default)]
    pub(crate) parent: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) attributes: Vec<Attribute>,
    /// Attributes that share its fate; `*` for all there are.
    #[serde(default)]
    pub(crate) names: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) level: Level,
    pub(crate) code: Option<u32>,
    pub(crate) bad_code: Option<u32>,
    #[serde(default)]
    pub(crate) note: String,
    /// What may stand there, for people.
    pub(crate) values: String,
    pub(crate) default: Option<String>,
    pub(crate) good: Vec<String>,
    #[serde(default)]
    pub(crate) bad: Vec<String>,
    /// Other attributes without which it means nothing.
    #[serde(default)]
    pub(crate) with: BTreeMap<String, String>,
    /// The element has no text when this is there.
    #[serde(default)]
    pub(crate) bare: bool,
    /// It means something else beside certain others.
    #[serde(default)]
    pub(crate) alone: bool,
    /// The first good value comes back as this word.
    pub(crate) own: Option<String>,
    /// Other words for a value.
    #[serde(default)]
    pub(crate) same: BTreeMap<String, String>,
    /// A bad value costs the whole element.
    #[serde(default)]
    pub(crate) drops: bool,
}

pub(crate) struct Surface {
    pub(crate) elements: Vec<Element>,
}

impl Surface {
    pub(crate) fn load() -> Self {
        #[derive(Deserialize)]
        struct File {
            element: Vec<Element>,
        }
        let text = std::fs::read_to_string(root().join("tests/data/twiml-surface.toml")).unwrap();
        let file: File = toml::from_str(&text).unwrap();
        let mut names = BTreeSet::new();
        for element in &file.element {
            assert!(names.insert((element.dialect, element.name.clone())), "{} stands twice", element.name);
            assert!(
                (element.level == Level::Refused) == element.code.is_some(),
                "{}: a code belongs to what is refused, and to that alone",
                element.name
            );
            assert!(
                element.level != Level::Partial || !element.note.is_empty(),
                "{}: which part, says `note`",
                element.name
            );
            for attribute in &element.attributes {
                let name = format!("{} {}", element.name, attribute.name);
                assert!(
                    attribute.level != Level::Refused || attribute.code.is_some(),
                    "{name}: refused with which code?"
                );
                assert!(
                    attribute.bad.is_empty() || attribute.code.is_some(),
                    "{name}: which code tells a bad value?"
                );
                assert!(
                    attribute.level != Level::Partial || !attribute.note.is_empty(),
                    "{name}: which part?"
                );
                assert!(!attribute.values.is_empty(), "{name}: which values?");
            }
        }
        Self { elements: file.element }
    }

    /// The row of an element in any place: `Gather/Say` is `Say`, and `Say/p/break` is `Say/break`.
    pub(crate) fn find(&self, path: &str, dialect: Dialect) -> Option<&Element> {
        let of = |dialect, name: &str| self.elements.iter().find(|e| e.dialect == dialect && e.name == name);
        let parts: Vec<&str> = path.split('/').collect();
        let tails = (0..parts.len()).map(|from| parts[from..].join("/"));
        let ssml = format!("Say/{}", parts.last()?);
        let names: Vec<String> = tails.chain((parts.len() > 1).then_some(ssml)).collect();
        [dialect, Dialect::Twiml]
            .into_iter()
            .find_map(|dialect| names.iter().find_map(|name| of(dialect, name)))
    }

    /// The attribute's row, of the dialect or of both.
    pub(crate) fn attribute<'s>(&'s self, path: &str, name: &str, dialect: Dialect) -> Option<&'s Attribute> {
        [dialect, Dialect::Twiml].into_iter().find_map(|dialect| {
            self.find(path, dialect)?.attributes.iter().find(|attribute| attribute.name == name)
        })
    }

    /// A document with this element, and in it these attributes.
    pub(crate) fn document(
        &self,
        element: &Element,
        attributes: &BTreeMap<String, String>,
        bare: bool,
    ) -> String {
        let parts: Vec<&str> = element.name.split('/').collect();
        let mut xml = {
            let text = if bare { "" } else { element.text.as_str() };
            let mut all = element.needs.clone();
            all.extend(attributes.clone());
            tag(parts[parts.len() - 1], &all, &(escaped(text) + &element.inner))
        };
        let (mut beside, mut given) = (element.beside_text, &element.parent);
        for depth in (1..parts.len()).rev() {
            let path = parts[..depth].join("/");
            let parent =
                self.find(&path, element.dialect).unwrap_or_else(|| panic!("{path} is not in the list"));
            let text = if parent.keeps_text || beside { parent.text.as_str() } else { "" };
            let mut attributes = parent.needs.clone();
            attributes.extend(given.clone());
            xml = tag(parts[depth - 1], &attributes, &format!("{} {xml}", escaped(text)));
            (beside, given) = (parent.beside_text, &parent.parent);
        }
        format!("<Response>{xml}</Response>")
    }

    /// The codes that a document with this path must be told with, in ascending order.
    pub(crate) fn codes(
        &self,
        path: &str,
        attributes: &BTreeMap<String, String>,
        dialect: Dialect,
    ) -> Vec<u32> {
        let parts: Vec<&str> = path.split('/').collect();
        for depth in 1..=parts.len() {
            let path = parts[..depth].join("/");
            let element = self.find(&path, dialect).unwrap_or_else(|| panic!("{path} is not in the list"));
            if let Some(code) = element.code {
                return vec![code];
            }
        }
        let refused = attributes.iter().filter_map(|(name, value)| {
            let row = self.attribute(path, name, dialect)?;
            let asks = row.default.as_deref() != Some(value);
            (row.level == Level::Refused && asks).then_some(row.code).flatten()
        });
        let mut codes: Vec<u32> = refused.collect();
        codes.sort_unstable();
        codes
    }
}

/// What an attribute's value must come back as, one word at a time.
pub(crate) fn words_of(attribute: &Attribute, value: &str) -> Vec<String> {
    match &attribute.own {
        Some(own) => vec![plain(own)],
        None => value.split_whitespace().map(plain).collect(),
    }
}

/// Every number, word and text in the parsed verbs, as `words_of` writes them: whole, and word by word.
pub(crate) fn leaves(document: &Document) -> BTreeMap<String, usize> {
    fn walk(value: &serde_json::Value, found: &mut BTreeMap<String, usize>) {
        use serde_json::Value as V;
        let text = match value {
            V::Null => return,
            V::Bool(bool) => bool.to_string(),
            V::Number(number) => number.to_string(),
            V::String(text) => text.clone(),
            V::Array(all) => return all.iter().for_each(|value| walk(value, found)),
            V::Object(all) => return all.values().for_each(|value| walk(value, found)),
        };
        *found.entry(plain(&text)).or_default() += 1;
        // Markup is read attribute by attribute.
        let words = text.split(|c: char| c.is_whitespace() || "\"<>".contains(c));
        for word in words.filter(|word| !word.is_empty() && plain(word) != plain(&text)) {
            *found.entry(plain(word)).or_default() += 1;
        }
    }
    let mut found = BTreeMap::new();
    walk(&meaning(document), &mut found);
    found
}

/// The parsed verbs.
pub(crate) fn meaning(document: &Document) -> serde_json::Value {
    serde_json::to_value(&document.verbs).unwrap()
}

/// `record-from-answer` and `RecordFromAnswer` are the same word.
fn plain(text: &str) -> String {
    let kept: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    if kept.is_empty() { text.to_owned() } else { kept.to_lowercase() }
}

pub(crate) fn codes(document: &Document) -> Vec<u32> {
    let mut codes: Vec<u32> = document.findings.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes
}

fn tag(name: &str, attributes: &BTreeMap<String, String>, content: &str) -> String {
    let attributes: String =
        attributes.iter().map(|(name, value)| format!(" {name}=\"{}\"", escaped(value))).collect();
    format!("<{name}{attributes}>{content}</{name}>")
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).expect("the crate lies two folders below the root").to_owned()
}
