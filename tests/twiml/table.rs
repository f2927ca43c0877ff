//! Every row of the list, parsed with good and bad values.

use std::collections::BTreeMap;

use twiml::{Dialect, Document, Level as Severity, error_level, parse};

use crate::surface::{Attribute, Element, Level, Surface, codes, leaves, meaning, words_of};

fn read(xml: &str, dialect: Dialect) -> Document {
    parse(xml, dialect).unwrap_or_else(|finding| panic!("{xml}: {finding}"))
}

/// Complaints about rows that do not tell the truth.
struct Check<'s> {
    surface: &'s Surface,
    faults: Vec<String>,
}

impl Check<'_> {
    fn element(&mut self, element: &Element) {
        let xml = self.surface.document(element, &BTreeMap::new(), false);
        let document = read(&xml, element.dialect);
        let expected = self.surface.codes(&element.name, &BTreeMap::new(), element.dialect);
        self.same(&element.name, "the plain element", &xml, &codes(&document), &expected);
        let refused = self.surface.codes(&element.name, &BTreeMap::new(), element.dialect) != [0_u32; 0];
        if refused {
            for name in element.names.iter().filter(|name| *name != "*") {
                let attributes = BTreeMap::from([(name.clone(), "x".to_owned())]);
                let xml = self.surface.document(element, &attributes, false);
                self.same(&element.name, name, &xml, &codes(&read(&xml, element.dialect)), &expected);
            }
            return;
        }
        for attribute in &element.attributes {
            self.attribute(element, attribute);
        }
    }

    fn attribute(&mut self, element: &Element, row: &Attribute) {
        let name = format!("{} {}", element.name, row.name);
        let with = |value: &str| {
            let mut attributes = row.with.clone();
            attributes.insert(row.name.clone(), value.to_owned());
            self.surface.document(element, &attributes, row.bare)
        };
        let plain = read(&self.surface.document(element, &row.with, false), element.dialect);
        let mut faults = Vec::new();
        for (n, value) in row.good.iter().enumerate() {
            let xml = with(value);
            let document = read(&xml, element.dialect);
            let told = codes(&document);
            let expected: Vec<u32> = match row.level {
                Level::Full | Level::Partial | Level::Ignored => vec![],
                Level::Refused => row.code.into_iter().collect(),
            };
            if told != expected {
                faults.push(format!(
                    "{name}: {xml} is told with {told:?}, the list says {:?}: {expected:?}",
                    row.level
                ));
            }
            let same = meaning(&document) == meaning(&plain);
            match row.level {
                Level::Full | Level::Partial if same => {
                    faults.push(format!("{name}: {xml} parses as if it were not there"));
                }
                Level::Full | Level::Partial if !value.is_empty() && (n == 0 || row.own.is_none()) => {
                    let (before, after) = (leaves(&plain), leaves(&document));
                    for word in words_of(row, value) {
                        if after.get(&word) <= before.get(&word) && row.own.is_none()
                            || !after.contains_key(&word)
                        {
                            faults.push(format!(
                                "{name}: {xml}: `{word}` does not come back: {:?}",
                                document.verbs
                            ));
                        }
                    }
                }
                Level::Ignored if !same => {
                    faults.push(format!("{name}: {xml} has an effect, the list says it is ignored"));
                }
                Level::Full | Level::Partial | Level::Ignored | Level::Refused => {}
            }
        }
        for value in &row.bad {
            let xml = with(value);
            let document = read(&xml, element.dialect);
            let mut expected: Vec<u32> = row.bad_code.or(row.code).into_iter().collect();
            if row.level == Level::Refused && row.bad_code.is_some() {
                expected.extend(row.code);
                expected.sort_unstable();
            }
            if codes(&document) != expected {
                faults.push(format!(
                    "{name}: {xml} is told with {:?}, the list says {expected:?}",
                    codes(&document)
                ));
            }
            let ends = expected.iter().any(|code| error_level(*code) == Severity::Error);
            if !ends && !row.drops && document.verbs != plain.verbs {
                faults.push(format!("{name}: {xml} does not mean the default: {:?}", document.verbs));
            }
        }
        for (word, of) in &row.same {
            let (document, other) = (read(&with(word), element.dialect), read(&with(of), element.dialect));
            if document.verbs != other.verbs || !document.findings.is_empty() {
                faults.push(format!("{name}: {word} does not mean {of}: {:?}", document.findings));
            }
        }
        if let Some(default) = &row.default {
            let xml = with(default);
            let document = read(&xml, element.dialect);
            if document.verbs != plain.verbs || !document.findings.is_empty() {
                faults
                    .push(format!("{name}: {xml} is not what leaving it out means: {:?}", document.findings));
            }
        }
        self.faults.extend(faults);
    }

    fn same(&mut self, name: &str, what: &str, xml: &str, told: &[u32], expected: &[u32]) {
        if told != expected {
            self.faults
                .push(format!("{name}, {what}: {xml} is told with {told:?}, the list says {expected:?}"));
        }
    }
}

#[test]
fn every_row_of_the_surface_tells_the_truth() {
    let surface = Surface::load();
    let mut check = Check { surface: &surface, faults: Vec::new() };
    for element in &surface.elements {
        check.element(element);
    }
    println!("{}", crate::readme::counts(&surface));
    assert!(check.faults.is_empty(), "tests/data/twiml-surface.toml:\n{}", check.faults.join("\n"));
}
