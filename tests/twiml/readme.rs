//! The README's table of compatibility, made from the list.

use std::collections::BTreeSet;

use twiml::Dialect;

use crate::surface::{Attribute, Element, Level, Surface, root};

const BEGIN: &str =
    "<!-- what stands up to `end` is written by: TANDEM_README=write cargo test -p tandem-twiml readme -->\n";
const END: &str = "<!-- end -->\n";

/// How many of something are at each level.
#[derive(Default)]
struct Count([usize; 4]);

impl Count {
    fn add(&mut self, level: Level, times: usize) {
        self.0[level as usize] += times;
    }

    fn words(&self, what: &str) -> String {
        let [full, partial, ignored, refused] = self.0;
        let all: usize = self.0.iter().sum();
        format!(
            "{full} of {all} {what} full, {partial} partial, {ignored} accepted without effect, {refused} refused"
        )
    }
}

/// The totals of Twilio's own dialect.
pub(crate) fn counts(surface: &Surface) -> String {
    let (mut elements, mut attributes) = (Count::default(), Count::default());
    for element in surface.elements.iter().filter(|element| element.dialect == Dialect::Twiml) {
        elements.add(level(surface, element), 1);
        count(surface, element, &mut attributes);
    }
    format!("{}; {}.", elements.words("elements"), attributes.words("attributes"))
}

/// What is in a refused element is refused with it.
fn level(surface: &Surface, element: &Element) -> Level {
    match surface.codes(&element.name, &Default::default(), element.dialect).as_slice() {
        [] => element.level,
        _ => Level::Refused,
    }
}

fn count(surface: &Surface, element: &Element, count: &mut Count) {
    let whole = level(surface, element);
    for attribute in &element.attributes {
        count.add(if whole == Level::Refused { whole } else { attribute.level }, 1);
    }
    count.add(whole, element.names.iter().filter(|name| *name != "*").count());
}

fn table(surface: &Surface) -> String {
    let mut text = format!(
        "{}\n\n| element | support | attributes that are not full |\n|---|---|---|\n",
        counts(surface)
    );
    for element in &surface.elements {
        let element_level = level(surface, element);
        if element_level == Level::Refused {
            continue;
        }
        let remarks = remarks(element);
        let level = match element_level {
            Level::Full => "full".to_owned(),
            Level::Partial => element.note.clone(),
            Level::Ignored | Level::Refused => "no effect".to_owned(),
        };
        let dialect = if element.dialect == Dialect::Texml { " (texml)" } else { "" };
        text.push_str(&format!("| `{}`{dialect} | {level} | {remarks} |\n", element.name));
    }
    let refused = surface.elements.iter().filter_map(|element| {
        let codes = surface.codes(&element.name, &Default::default(), element.dialect);
        let parent = element.name.rsplit_once('/').map(|(parent, _)| parent);
        let parent_refused =
            parent.is_some_and(|p| !surface.codes(p, &Default::default(), element.dialect).is_empty());
        let code = codes.first().filter(|_| !parent_refused)?;
        Some(format!("`{}` {code}", element.name))
    });
    let refused: Vec<String> = refused.collect();
    text.push_str(&format!(
        "\nRefused, each with its error, and the call goes on (after `Pay`: with the fallback): {}.\n",
        refused.join(", ")
    ));
    text
}

/// What is said of the attributes that are not full.
fn remarks(element: &Element) -> String {
    let names = |wanted: &dyn Fn(&Attribute) -> bool| {
        let names = element.attributes.iter().filter(|row| wanted(row)).map(|row| format!("`{}`", row.name));
        names.collect::<Vec<_>>().join(", ")
    };
    let mut remarks: Vec<String> = element
        .attributes
        .iter()
        .filter(|row| row.level == Level::Partial)
        .map(|row| format!("`{}`: {}", row.name, row.note))
        .collect();
    let codes: BTreeSet<u32> = element
        .attributes
        .iter()
        .filter(|row| row.level == Level::Refused)
        .filter_map(|row| row.code)
        .collect();
    remarks.extend(codes.iter().map(|code| {
        format!("told with {code}: {}", names(&|row| row.level == Level::Refused && row.code == Some(*code)))
    }));
    let ignored = names(&|row| row.level == Level::Ignored);
    remarks.extend((!ignored.is_empty()).then(|| format!("no effect: {ignored}")));
    remarks.join("; ")
}

#[test]
fn readme_has_the_table_of_the_list() {
    let path = root().join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("README.md has the line that begins the table");
    let (found, after) = rest.split_once(END).expect("README.md has the line that ends the table");
    let wanted = format!("\n{}\n", table(&Surface::load()));
    if std::env::var_os("TANDEM_README").is_some_and(|word| word == "write") {
        std::fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
        return;
    }
    assert!(
        found == wanted,
        "README.md says something else than tests/data/twiml-surface.toml; write it anew with\n  \
         TANDEM_README=write cargo test -p tandem-twiml readme"
    );
}
