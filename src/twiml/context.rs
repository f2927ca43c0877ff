//! Who hears a document, and which verbs that allows (reference: twiml-voice §2.1).

use serde::{Deserialize, Serialize};

use crate::Verb;

/// Who hears a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Context {
    /// A call: every verb.
    #[default]
    Call,
    /// A callee after the answer, before bridging (`url` of a noun). `<Hangup>` declines, the end bridges.
    Whisper,
    /// A queued caller before bridging (`url` of `<Queue>`).
    QueueWhisper,
    /// A queued caller (`waitUrl` of `<Enqueue>`).
    QueueWait,
    /// A conference that has not begun, or a participant on hold.
    ConferenceWait,
}

impl Context {
    /// The code of a verb that is not allowed here.
    pub(crate) fn refuses(self, verb: &Verb) -> Option<u32> {
        match (self, verb) {
            (Context::Call, _) | (_, Verb::Say(_) | Verb::Play(_) | Verb::Pause(_) | Verb::Redirect(_)) => {
                None
            }
            (Context::Whisper, Verb::Dial(_)) => Some(13201),
            (Context::Whisper, _) => None,
            (Context::QueueWait, Verb::Hangup | Verb::Gather(_) | Verb::Leave) => None,
            // It does nothing outside a queue.
            (Context::QueueWhisper | Context::ConferenceWait, Verb::Leave) => None,
            (Context::QueueWait | Context::QueueWhisper | Context::ConferenceWait, _) => Some(13238),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verb::table::verb_of;

    #[test]
    fn who_may_do_what() {
        use Context::{Call, ConferenceWait, QueueWait, QueueWhisper, Whisper};
        for (xml, refused_in) in [
            ("<Say>x</Say>", vec![]),
            ("<Play>x</Play>", vec![]),
            ("<Pause/>", vec![]),
            ("<Redirect/>", vec![]),
            ("<Leave/>", vec![]),
            (
                "<Enqueue>q</Enqueue>",
                vec![(QueueWhisper, 13238), (QueueWait, 13238), (ConferenceWait, 13238)],
            ),
            (
                "<Start><Recording/></Start>",
                vec![(QueueWhisper, 13238), (QueueWait, 13238), (ConferenceWait, 13238)],
            ),
            ("<Echo/>", vec![(QueueWhisper, 13238), (QueueWait, 13238), (ConferenceWait, 13238)]),
            ("<Gather/>", vec![(QueueWhisper, 13238), (ConferenceWait, 13238)]),
            (
                "<Refer><Sip>sip:a@b</Sip></Refer>",
                vec![(QueueWhisper, 13238), (QueueWait, 13238), (ConferenceWait, 13238)],
            ),
            ("<Hangup/>", vec![(QueueWhisper, 13238), (ConferenceWait, 13238)]),
            ("<Record/>", vec![(QueueWhisper, 13238), (QueueWait, 13238), (ConferenceWait, 13238)]),
            ("<Reject/>", vec![(QueueWhisper, 13238), (QueueWait, 13238), (ConferenceWait, 13238)]),
            (
                "<Dial/>",
                vec![(Whisper, 13201), (QueueWhisper, 13238), (QueueWait, 13238), (ConferenceWait, 13238)],
            ),
        ] {
            let verb = verb_of(xml, &[]);
            let refused: Vec<(Context, u32)> = [Call, Whisper, QueueWhisper, QueueWait, ConferenceWait]
                .into_iter()
                .filter_map(|context| context.refuses(&verb).map(|code| (context, code)))
                .collect();
            assert_eq!(refused, refused_in, "{xml}");
        }
    }
}
