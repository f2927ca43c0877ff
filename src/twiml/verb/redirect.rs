//! `<Redirect>` (reference: twiml-voice §12).

use serde::{Deserialize, Serialize};

use crate::HttpMethod;
use crate::reading::{Node, Reading, text};

/// Continue with another document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// Its URL; empty = the current document.
    pub url: String,
    /// How it is requested.
    pub method: HttpMethod,
}

pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Redirect {
    reading.known_attributes(node, &["method"], &[]);
    reading.no_children(node);
    Redirect { url: text(node), method: reading.method(node, "method", 13710) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verb;
    use crate::verb::table::one;

    #[test]
    fn attributes_and_their_bad_values() {
        for (xml, url, method, codes) in [
            ("<Redirect>http://h/b</Redirect>", "http://h/b", HttpMethod::Post, vec![]),
            ("<Redirect method='GET'> ../b?x=1&amp;y=2 </Redirect>", "../b?x=1&y=2", HttpMethod::Get, vec![]),
            ("<Redirect method='post'>b</Redirect>", "b", HttpMethod::Post, vec![]),
            ("<Redirect/>", "", HttpMethod::Post, vec![]),
            ("<Redirect></Redirect>", "", HttpMethod::Post, vec![]),
            ("<Redirect method='PUT'>b</Redirect>", "b", HttpMethod::Post, vec![13710]),
            ("<Redirect method=''>b</Redirect>", "b", HttpMethod::Post, vec![13710]),
            ("<Redirect to='x'>b</Redirect>", "b", HttpMethod::Post, vec![12200]),
        ] {
            assert_eq!(
                one(xml),
                (Some(Verb::Redirect(Redirect { url: url.into(), method })), codes),
                "{xml}"
            );
        }
    }
}
