//! Documents made by the official builders, every method with every argument, read by the box.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};
use twiml::{Dialect, parse};

use crate::library::Library;
use crate::surface::{Level, Surface, codes, leaves, meaning, words_of};

/// What a script wrote.
#[derive(Deserialize)]
struct Made {
    path: String,
    /// The arguments it is about; none of them, one, or all.
    asked: Vec<String>,
    attributes: BTreeMap<String, String>,
    xml: String,
}

#[test]
fn documents_of_the_official_builders_mean_what_they_say() {
    let surface = Surface::load();
    for library in Library::installed() {
        let lines = library.run("build", &table(&surface));
        let made: Vec<Made> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut faults = BTreeSet::new();
        let mut arguments = BTreeSet::new();
        let mut plain = BTreeMap::new();
        for made in &made {
            arguments.extend(made.asked.iter().map(|name| (made.path.clone(), name.clone())));
            check(&surface, made, &mut plain, &mut faults);
        }
        let paths: BTreeSet<&str> = made.iter().map(|made| made.path.as_str()).collect();
        println!(
            "{}: {} documents of {} methods with {} arguments",
            library.name,
            made.len(),
            paths.len(),
            arguments.len()
        );
        assert!(paths.len() > 60 && arguments.len() > 250, "{}: the scripts found too little", library.name);
        let faults: Vec<String> = faults.into_iter().collect();
        assert!(faults.is_empty(), "{}:\n{}", library.name, faults.join("\n"));
    }
}

fn check(surface: &Surface, made: &Made, plain: &mut BTreeMap<String, Value>, faults: &mut BTreeSet<String>) {
    let Made { path, asked, attributes, xml } = made;
    let Some(element) = surface.find(path, Dialect::Twiml) else {
        faults.insert(format!("{path} is not in the list"));
        return;
    };
    for name in asked {
        let known = surface.attribute(path, name, Dialect::Twiml).is_some()
            || element.names.iter().any(|listed| listed == name || listed == "*");
        if !known {
            faults.insert(format!("{path} {name} is not in the list"));
        }
    }
    // What cannot be without a nested element is made without one first.
    let last = path.rsplit('/').next().unwrap_or_default();
    let xml = &match element.inner.as_str() {
        "" => xml.clone(),
        inner => xml.replace("/></Response>", &format!(">{inner}</{last}></Response>")),
    };
    let document = match parse(xml, Dialect::Twiml) {
        Ok(document) => document,
        Err(finding) => {
            faults.insert(format!("{xml}: {finding}"));
            return;
        }
    };
    let expected = surface.codes(path, attributes, Dialect::Twiml);
    if codes(&document) != expected {
        faults.insert(format!("{xml}: told with {:?}, the list says {expected:?}", document.findings));
    }
    let element_refused = !surface.codes(path, &BTreeMap::new(), Dialect::Twiml).is_empty();
    if element_refused {
        return;
    }
    if asked.is_empty() {
        plain.insert(path.clone(), meaning(&document));
    }
    let found = leaves(&document);
    for name in asked {
        let Some(row) = surface.attribute(path, name, Dialect::Twiml) else { continue };
        if !matches!(row.level, Level::Full | Level::Partial) {
            continue;
        }
        for word in words_of(row, &attributes[name]).iter().filter(|word| !found.contains_key(*word)) {
            faults.insert(format!("{xml}: `{word}` of {name} does not come back: {:?}", document.verbs));
        }
        let says_more = row.default.as_ref() != Some(&attributes[name]);
        if says_more && asked.len() == 1 && plain.get(path) == Some(&meaning(&document)) {
            faults.insert(format!("{xml}: {name} is lost: {:?}", document.verbs));
        }
    }
}

/// What the scripts write where: the first good value of each attribute of the list.
fn table(surface: &Surface) -> Value {
    let twiml = surface.elements.iter().filter(|element| element.dialect == Dialect::Twiml);
    let rows = twiml.map(|element| {
        let attributes = element.attributes.iter().map(|row| {
            let value = row.good.first().or(row.default.as_ref()).map_or("x", String::as_str);
            (
                row.name.clone(),
                json!({ "value": value, "with": row.with, "bare": row.bare, "alone": row.alone }),
            )
        });
        let attributes: serde_json::Map<String, Value> = attributes.collect();
        let row = json!({
            "text": element.text,
            "keeps_text": element.keeps_text,
            "beside_text": element.beside_text,
            "needs": element.needs,
            "parent": element.parent,
            "attributes": attributes,
        });
        (element.name.clone(), row)
    });
    Value::Object(rows.collect())
}
