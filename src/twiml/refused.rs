//! What a document may ask for and this box does not do: one table.
//!
//! Each row is told, loudly, when a document contains it (reference: twiml-voice §3). A row leaves this table
//! when the thing becomes a verb, a noun or a field of its own.

/// An element or attribute that is read over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What it stands in: an element for a noun, nothing for a verb.
    parent: Option<&'static str>,
    name: &'static str,
    /// The published number.
    pub(crate) code: u32,
    /// The document ends there (and the fallback is asked) instead of going on.
    pub(crate) ends: bool,
    /// A sentence's end: what the caller does not get.
    pub(crate) why: &'static str,
}

/// A verb under `<Response>`.
pub(crate) fn verb(name: &str) -> Option<&'static Refused> {
    ELEMENTS.iter().find(|row| row.parent.is_none() && row.name == name)
}

/// A noun under a verb.
pub(crate) fn noun(parent: &str, name: &str) -> Option<&'static Refused> {
    ELEMENTS.iter().find(|row| row.parent == Some(parent) && row.name == name)
}

const fn verb_row(name: &'static str, code: u32, why: &'static str) -> Refused {
    Refused { parent: None, name, code, ends: false, why }
}

const fn noun_row(parent: &'static str, name: &'static str, code: u32, why: &'static str) -> Refused {
    Refused { parent: Some(parent), name, code, ends: false, why }
}

static ELEMENTS: &[Refused] = &[
    verb_row("AIGather", 13750, "is not supported; the next verb runs"),
    verb_row("HttpRequest", 13750, "makes no request from this box; the next verb runs"),
    verb_row("Message", 13803, "is not sent; the next verb runs"),
    // Nobody may be left believing that a card was charged.
    Refused {
        parent: None,
        name: "Pay",
        code: 13750,
        ends: true,
        why: "is never supported: no card digits are collected here",
    },
    verb_row("Sms", 13803, "is not sent; the next verb runs"),
    noun_row("Connect", "AiSession", 13750, "cannot be connected to"),
    noun_row("Connect", "Autopilot", 13750, "cannot be connected to"),
    noun_row("Connect", "Conversation", 13750, "cannot be connected to"),
    noun_row("Connect", "ConversationRelay", 13750, "cannot be connected to"),
    noun_row("Connect", "ConversationRelaySession", 13750, "cannot be connected to"),
    noun_row("Connect", "Room", 13750, "cannot be connected to"),
    noun_row("Connect", "VirtualAgent", 13750, "cannot be connected to"),
    noun_row("Dial", "Sim", 13258, "cannot be dialled"),
    noun_row("Dial", "WhatsApp", 13215, "cannot be dialled"),
    noun_row("Start", "Suppression", 12200, "is not done by this box; the sound stays as it is"),
    noun_row("Stop", "Suppression", 12200, "does not run on this box"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::error_code;
    use crate::{Dialect, parse};

    #[test]
    fn every_row_is_told_and_all_but_pay_go_on() {
        for row in ELEMENTS {
            assert!(error_code(row.code).is_some(), "{row:?}");
            let xml = match row.parent {
                None => format!("<Response><{} a='b'><X/>text</{}><Hangup/></Response>", row.name, row.name),
                Some(parent) => {
                    format!(
                        "<Response><{parent}><{}>n</{}></{parent}><Hangup/></Response>",
                        row.name, row.name
                    )
                }
            };
            let document = parse(&xml, Dialect::Twiml).unwrap();
            let codes: Vec<u32> = document.findings.iter().map(|f| f.code).collect();
            assert_eq!(codes, [row.code], "{xml}");
            let verbs = usize::from(!row.ends) + usize::from(row.parent.is_some());
            assert_eq!(document.verbs.len(), verbs, "{xml}");
        }
    }
}
