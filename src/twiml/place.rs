//! Where a verb and its URLs stand in the text, for what only shows when it is executed.
//!
//! A URL that leads nowhere can only be told from its base, and a verb that is not allowed only from who hears it: by
//! then the text is gone.

use serde::{Deserialize, Serialize};

use crate::Finding;
use crate::reading::{Node, Reading, attribute, text};

/// A verb's place, and those of its URLs and of the URLs in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    line: u32,
    column: u32,
    /// As written, in the order of the text.
    urls: Vec<(String, u32, u32)>,
}

impl Place {
    pub(crate) fn read(verb: Node<'_>, reading: &mut Reading<'_>) -> Self {
        let (line, column) = reading.place(verb.range().start);
        let mut urls = Vec::new();
        for node in verb.descendants().filter(|node| node.is_element()) {
            for given in node.attributes().filter(|given| is_url(given.name())) {
                let (line, column) = reading.place(given.range().start);
                urls.push((attribute(node, given.name()).unwrap_or_default().to_owned(), line, column));
            }
            if matches!(node.tag_name().name(), "Play" | "Redirect") {
                let (line, column) = reading.place(node.range().start);
                urls.push((text(node), line, column));
            }
        }
        Self { line, column, urls }
    }

    /// What is wrong with the verb, with its place.
    pub(crate) fn of_verb(&self, finding: Finding) -> Finding {
        match finding.line {
            0 => Finding { line: self.line, column: self.column, ..finding },
            _ => finding,
        }
    }

    /// What is wrong with a URL as it was written, with its place; one that stands there twice is told of twice.
    pub(crate) fn of_url(&mut self, url: &str, finding: Finding) -> Finding {
        match self.urls.iter().position(|(written, ..)| written == url) {
            Some(index) => {
                let (_, line, column) = self.urls.remove(index);
                Finding { line, column, ..finding }
            }
            None => self.of_verb(finding),
        }
    }
}

/// By what such attributes are called in every verb and noun.
fn is_url(name: &str) -> bool {
    ["url", "Url", "action", "Action", "Callback"].iter().any(|end| name.ends_with(end))
}
