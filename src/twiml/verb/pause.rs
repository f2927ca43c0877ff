//! `<Pause>` (reference: twiml-voice §6).

use serde::{Deserialize, Serialize};

use crate::Dialect;
use crate::reading::{Node, Reading};

/// Wait; as first verb of an unanswered call it delays the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Seconds, at least 1.
    pub length_s: u32,
}

pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Pause {
    reading.known_attributes(node, &["length"], &[]);
    reading.no_children(node);
    reading.no_text(node);
    let most = match reading.dialect {
        Dialect::Twiml => u32::MAX,
        Dialect::Texml => 180,
    };
    Pause { length_s: reading.whole(node, "length", 1..=most, 1, 13910) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verb;
    use crate::verb::table::{one, one_in};

    #[test]
    fn attributes_and_their_bad_values() {
        for (xml, length_s, codes) in [
            ("<Pause/>", 1, vec![]),
            ("<Pause length='5'/>", 5, vec![]),
            ("<Pause length=' 5 '/>", 5, vec![]),
            ("<Pause length='3600'/>", 3_600, vec![]),
            ("<Pause length='0'/>", 1, vec![13910]),
            ("<Pause length='-1'/>", 1, vec![13910]),
            ("<Pause length='1.5'/>", 1, vec![13910]),
            ("<Pause length=''/>", 1, vec![13910]),
            ("<Pause>3</Pause>", 1, vec![12200]),
        ] {
            assert_eq!(one(xml), (Some(Verb::Pause(Pause { length_s })), codes), "{xml}");
        }
        let texml = one_in("<Pause length='181'/>", Dialect::Texml);
        assert_eq!(texml, (Some(Verb::Pause(Pause { length_s: 1 })), vec![13910]));
    }
}
