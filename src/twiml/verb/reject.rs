//! `<Reject>` (reference: twiml-voice §12).

use serde::{Deserialize, Serialize};

use crate::reading::{Node, Reading};

/// Refuse a call that is not answered yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// `reason="busy"` (486) instead of `rejected`.
    pub busy: bool,
}

pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Reject {
    reading.known_attributes(node, &["reason"], &[]);
    // The SDKs can nest it; it means nothing.
    reading.only_children(node, &["Parameter"]);
    reading.no_text(node);
    Reject { busy: reading.one_of(node, "reason", &[("rejected", false), ("busy", true)], false, 13810) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verb;
    use crate::verb::table::one;

    #[test]
    fn attributes_and_their_bad_values() {
        for (xml, busy, codes) in [
            ("<Reject/>", false, vec![]),
            ("<Reject reason='rejected'/>", false, vec![]),
            ("<Reject reason='busy'/>", true, vec![]),
            ("<Reject reason='Busy'/>", false, vec![13810]),
            ("<Reject reason=''/>", false, vec![13810]),
            ("<Reject><Parameter name='a' value='b'/></Reject>", false, vec![]),
            ("<Reject><Say>no</Say></Reject>", false, vec![12200]),
        ] {
            assert_eq!(one(xml), (Some(Verb::Reject(Reject { busy })), codes), "{xml}");
        }
    }
}
