//! `<Refer>` (reference: twiml-voice §13).

use serde::{Deserialize, Serialize};

use super::sip;
use crate::HttpMethod;
use crate::reading::{Node, Reading, owned, tag};

/// Ask the caller's own equipment to call somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refer {
    /// Requested when it is known how that went; `None` = go on with the next verb.
    pub action: Option<String>,
    /// How the action is requested.
    pub method: HttpMethod,
    /// `sip:` or `sips:` URI of whom to call, without its headers.
    pub uri: String,
    /// The headers its INVITE is to have, decoded and checked.
    pub headers: Vec<(String, String)>,
}

/// `None` when nobody to call is named (12200, 13243).
pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Option<Refer> {
    reading.known_attributes(node, &["action", "method"], &[]);
    reading.only_children(node, &["Sip"]);
    reading.no_text(node);
    let mut children = node.children().filter(|child| child.is_element() && tag(*child) == "Sip");
    let Some(first) = children.next() else {
        reading.bad(12200, node.range().start, "Refer names nobody: it takes one Sip".to_owned());
        return None;
    };
    if let Some(second) = children.next() {
        reading.bad(12200, second.range().start, "Refer takes one Sip; the first is taken".to_owned());
    }
    let method = reading.method(node, "method", 13210);
    let noun = sip::read(first, reading)?;
    Some(Refer { action: owned(node, "action"), method, uri: noun.uri, headers: noun.headers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verb;
    use crate::verb::table::one;

    fn refer(uri: &str) -> Refer {
        Refer { action: None, method: HttpMethod::Post, uri: uri.into(), headers: vec![] }
    }

    #[test]
    fn attributes_and_their_bad_values() {
        let to = "sip:carol@h.example";
        for (xml, expected, codes) in [
            ("<Refer><Sip>sip:carol@h.example</Sip></Refer>", Some(refer(to)), vec![]),
            (
                "<Refer action='/a' method='GET'><Sip> sip:carol@h.example?X-a=b </Sip></Refer>",
                Some(Refer {
                    action: Some("/a".into()),
                    method: HttpMethod::Get,
                    headers: vec![("X-a".into(), "b".into())],
                    ..refer(to)
                }),
                vec![],
            ),
            ("<Refer method='PUT'><Sip>sip:carol@h.example</Sip></Refer>", Some(refer(to)), vec![13210]),
            ("<Refer to='x'><Sip>sip:carol@h.example</Sip></Refer>", Some(refer(to)), vec![12200]),
            (
                "<Refer><Sip>sip:carol@h.example</Sip><Sip>sip:dan@h.example</Sip></Refer>",
                Some(refer(to)),
                vec![12200],
            ),
            ("<Refer/>", None, vec![12200]),
            ("<Refer><Number>123</Number></Refer>", None, vec![12200, 12200]),
            ("<Refer><Sip>carol</Sip></Refer>", None, vec![13243]),
        ] {
            assert_eq!(one(xml), (expected.map(Verb::Refer), codes), "{xml}");
        }
    }
}
