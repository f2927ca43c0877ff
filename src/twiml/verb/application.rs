//! `<Application>` in `<Dial>` (reference: twiml-voice §10.6).

use base::ApplicationSid;
use serde::{Deserialize, Serialize};

use super::StatusCallback;
use super::client::parameters;
use crate::reading::{Node, Reading, attribute, owned, tag, text};

/// An application of this box that takes the call over until its document ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationNoun {
    /// Which.
    pub sid: ApplicationSid,
    /// `<Parameter>`s: travel as `Param_<name>`.
    pub parameters: Vec<(String, String)>,
    /// For whom it works; `None` = this account.
    pub customer_id: Option<String>,
    /// Its `To` is the caller's own instead of its sid.
    pub copy_parent_to: bool,
    /// Where its progress is told.
    pub status_callback: Option<StatusCallback>,
}

/// `None` when none is named (12200).
pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Option<ApplicationNoun> {
    reading.known_attributes(node, ATTRIBUTES, &[]);
    reading.only_children(node, &["ApplicationSid", "Parameter"]);
    let nested = node.children().find(|c| c.is_element() && tag(*c) == "ApplicationSid");
    let sid = nested.map_or_else(|| text(node), text).parse();
    if sid.is_err() {
        reading.bad(12200, node.range().start, "Application needs the sid of an application, AP…");
    }
    let customer_id = owned(node, "customerId").filter(|id| !id.is_empty());
    let too_long = customer_id.as_ref().is_some_and(|id| id.chars().count() > CUSTOMER_ID_CHARS_MAX);
    if too_long {
        reading.bad_value(node, "customerId", 12200, "is longer than 256 characters and was ignored");
    }
    let copy_parent_to = match attribute(node, "copyParentTo") {
        None => false,
        Some(_) => reading.boolean(node, "copyParentTo", false, 12200),
    };
    Some(ApplicationNoun {
        sid: sid.ok()?,
        parameters: parameters(node, reading),
        customer_id: customer_id.filter(|_| !too_long),
        copy_parent_to,
        status_callback: reading.status_callback(node, 13221),
    })
}

/// `url` and `method` are the SDKs' own: an application has its URL already.
const ATTRIBUTES: &[&str] = &[
    "copyParentTo",
    "customerId",
    "method",
    "statusCallback",
    "statusCallbackEvent",
    "statusCallbackMethod",
    "url",
];
const CUSTOMER_ID_CHARS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verb;
    use crate::verb::table::one;

    fn plain() -> ApplicationNoun {
        ApplicationNoun {
            sid: ApplicationSid(1),
            parameters: vec![],
            customer_id: None,
            copy_parent_to: false,
            status_callback: None,
        }
    }

    #[test]
    fn attributes_and_their_bad_values() {
        let sid = ApplicationSid(1);
        for (noun, expected, codes) in [
            (format!("<Application>{sid}</Application>"), Some(plain()), vec![]),
            (
                format!(
                    "<Application customerId='c' copyParentTo='true' url='/x'><ApplicationSid>{sid}\
                     </ApplicationSid><Parameter name='a' value='b'/></Application>"
                ),
                Some(ApplicationNoun {
                    parameters: vec![("a".into(), "b".into())],
                    customer_id: Some("c".into()),
                    copy_parent_to: true,
                    ..plain()
                }),
                vec![],
            ),
            (
                format!("<Application customerId='{}'>{sid}</Application>", "x".repeat(257)),
                Some(plain()),
                vec![12200],
            ),
            (format!("<Application copyParentTo='maybe'>{sid}</Application>"), Some(plain()), vec![12200]),
            ("<Application>desk</Application>".to_owned(), None, vec![12200]),
        ] {
            let (verb, told) = one(&format!("<Dial>{noun}</Dial>"));
            let Some(Verb::Dial(dial)) = verb else { panic!("{noun}") };
            assert_eq!((dial.application().cloned(), told), (expected, codes), "{noun}");
        }
    }
}
